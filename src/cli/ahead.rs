//! Compiling ahead: an evaluation runs on an executor that compiles everything and computes nothing, so exactly the
//! programs that it needs are compiled, whatever it is written like.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::exec::{ExecError, Executor, Feed, Memory, Program, Tensor};
use crate::graph::Graph;
use crate::learn::cost;
use crate::search::engine::{Cancelled, Evaluator, FailureKind, Job, Report, Snapshot, TrialId};
use crate::search::run::children;
use crate::search::setup::Search;
use crate::space::decision::Candidate;

/// Compiles like another executor; its programs return zeros.
pub struct Ahead {
    inner: Arc<dyn Executor>,
    scratch: AtomicU64,
    programs: AtomicU64,
    training: Mutex<Option<Graph>>,
}

impl Ahead {
    fn new(inner: Arc<dyn Executor>) -> Self {
        Self { inner, scratch: AtomicU64::new(0), programs: AtomicU64::new(0), training: Mutex::new(None) }
    }
}

impl Executor for Ahead {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn compile(&self, graph: &Graph) -> Result<Box<dyn Program>, ExecError> {
        let program = self.inner.compile(graph)?;
        self.scratch.fetch_max(program.scratch_bytes(), Ordering::Relaxed);
        self.programs.fetch_add(1, Ordering::Relaxed);
        let mut training = self.training.lock().unwrap_or_else(PoisonError::into_inner);
        if training.is_none() && !graph.updates.is_empty() {
            *training = Some(graph.clone());
        }
        let outputs = graph.outputs.iter().map(|(_, id)| {
            let n = graph.node(*id);
            Tensor::zeros(&n.shape, n.dtype)
        });
        Ok(Box::new(Zeros { outputs: outputs.collect(), inner: program }))
    }

    fn memory(&self) -> Box<dyn Memory> {
        self.inner.memory()
    }

    fn limit(&self) -> Option<u64> {
        self.inner.limit()
    }
}

struct Zeros {
    outputs: Vec<Tensor>,
    inner: Box<dyn Program>,
}

impl Program for Zeros {
    fn run(&mut self, _: &Feed, _: &mut dyn Memory) -> Result<Vec<Tensor>, ExecError> {
        Ok(self.outputs.clone())
    }

    fn scratch_bytes(&self) -> u64 {
        self.inner.scratch_bytes()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

/// Ends an evaluation after its first report: all of its programs have been compiled by then.
struct Once(AtomicBool);

impl Report for Once {
    fn report(&mut self, _: u64, _: f64, _: Option<&[u8]>) -> Result<(), Cancelled> {
        self.0.store(true, Ordering::Relaxed);
        Err(Cancelled)
    }

    fn snapshot(&self) -> Option<&Snapshot> {
        None
    }

    fn snapshot_of(&self, _: TrialId) -> Option<Snapshot> {
        None
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one candidate needs.
#[derive(Clone, Debug)]
pub struct Needs {
    /// Weights.
    pub params: u64,
    /// Multiply-adds of one example.
    pub flops: u64,
    /// Bytes of the weights, the optimizer's memory and the largest program's buffers.
    pub memory: u64,
    /// Compiled programs.
    pub programs: u64,
    /// The graph of the training step, if the evaluation trains.
    pub training: Option<Graph>,
    /// The forward graph for one example.
    pub forward: Graph,
}

/// Compiles what the evaluation of a candidate needs. The error is a sentence.
pub fn compile<E: Executor + 'static>(search: &Arc<Search>, inner: &Arc<E>, c: &Candidate) -> Result<Needs, String> {
    let forward = crate::learn::step::forward(&search.space, c, 1).map_err(|d| d.message)?;
    let exec = Arc::new(Ahead::new(inner.clone()));
    exec.compile(&forward).map_err(|e| e.to_string())?;
    let children = children(search, exec.clone());
    let job = Job::new(c.to_json().to_string(), c.genotype_key());
    match children.evaluate(&job, &mut Once(AtomicBool::new(false))) {
        Ok(_) => {}
        Err(f) if f.kind == FailureKind::Cancelled => {}
        // An evaluation may well find that a network that computes nothing gives no number.
        Err(f) if f.kind == FailureKind::Nan => {}
        Err(f) => return Err(f.reason),
    }
    let training = exec.training.lock().unwrap_or_else(PoisonError::into_inner).take();
    let persistent = training.as_ref().unwrap_or(&forward).lasting_bytes();
    Ok(Needs {
        params: cost::params(&forward),
        flops: cost::multiply_adds(&forward),
        memory: persistent + exec.scratch.load(Ordering::Relaxed),
        programs: exec.programs.load(Ordering::Relaxed),
        training,
        forward,
    })
}
