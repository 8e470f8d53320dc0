//! Compiling without a GPU: kernels are gathered as text, and nothing can be run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::kernel::{Kernel, Options};
use crate::exec::cpu::CpuMemory;
use crate::exec::cpu::plan::plan;
use crate::exec::cpu::schedule::{Target, schedule};
use crate::exec::{ExecError, Executor, Feed, Memory, Program, Tensor};
use crate::graph::Graph;

/// An executor that keeps the text of all kernels that it is asked for.
pub struct Emitter {
    options: Options,
    kernels: Mutex<BTreeMap<String, Kernel>>,
}

impl Emitter {
    /// Nothing is gathered yet.
    pub fn new(options: Options) -> Self {
        Self { options, kernels: Mutex::default() }
    }

    /// The kernels so far, by the names of their first functions.
    pub fn kernels(&self) -> BTreeMap<String, Kernel> {
        self.kernels.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Executor for Emitter {
    fn name(&self) -> &'static str {
        "cuda"
    }

    fn compile(&self, graph: &Graph) -> Result<Box<dyn Program>, ExecError> {
        let kernels = super::kernels(graph, &self.options)?;
        let schedule = schedule(graph, Target::Threads)?;
        // Without the scratch of single launches, which is small beside the tensors that live then.
        let scratch = plan(&schedule.buffers).size as u64 * 4;
        let names = kernels.iter().map(|k| k.what.clone()).collect();
        let mut all = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(kernels.into_iter().map(|k| (k.entries[0].name.clone(), k)));
        Ok(Box::new(Emitted { scratch, names }))
    }

    fn memory(&self) -> Box<dyn Memory> {
        Box::new(CpuMemory::default())
    }
}

struct Emitted {
    scratch: u64,
    names: Vec<String>,
}

impl Program for Emitted {
    fn run(&mut self, _: &Feed, _: &mut dyn Memory) -> Result<Vec<Tensor>, ExecError> {
        Err(ExecError::Device("this program was compiled for another machine".to_owned()))
    }

    fn scratch_bytes(&self) -> u64 {
        self.scratch
    }

    fn describe(&self) -> String {
        self.names.join("\n")
    }
}
