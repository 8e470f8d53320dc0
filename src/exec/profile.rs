//! Where the time of children goes: an executor around another one, which measures every launch of every program.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{ExecError, Executor, Feed, Memory, Program, Tensor, Timing};
use crate::graph::Graph;

/// What equal launches took, in all programs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Runs.
    pub calls: u64,
    /// Nanoseconds.
    pub nanoseconds: u64,
    /// Arithmetic operations.
    pub flops: u64,
    /// Bytes, each tensor of a run counted once.
    pub bytes: u64,
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.nanoseconds += other.nanoseconds;
        self.flops += other.flops;
        self.bytes += other.bytes;
    }
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// By kernel ([`Timing::kernel`]).
    pub kernels: BTreeMap<String, Spent>,
    /// Compiled programs.
    pub programs: u64,
    /// Nanoseconds of compilation.
    pub compiling: u64,
    /// Runs of programs.
    pub runs: u64,
    /// Nanoseconds of these runs, all threads together; what kernels do not account for is spent between them.
    pub running: u64,
}

impl Profile {
    fn add(&mut self, timings: &[Timing]) {
        for t in timings.iter().filter(|t| t.calls > 0) {
            *self.kernels.entry(t.kernel.clone()).or_default() += Spent {
                calls: t.calls,
                nanoseconds: t.nanoseconds,
                flops: t.flops * t.calls,
                bytes: t.bytes * t.calls,
            };
        }
    }

    /// Kernels, the most expensive first.
    pub fn ranked(&self) -> Vec<(&str, Spent)> {
        let mut all: Vec<(&str, Spent)> = self.kernels.iter().map(|(k, s)| (k.as_str(), *s)).collect();
        all.sort_by_key(|(_, s)| std::cmp::Reverse(s.nanoseconds));
        all
    }
}

/// The executor that measures. A program's figures count once it is dropped.
pub struct Profiler {
    inner: Arc<dyn Executor>,
    profile: Arc<Mutex<Profile>>,
}

impl Profiler {
    /// Around another executor.
    pub fn new(inner: Arc<dyn Executor>) -> Self {
        Self { inner, profile: Arc::default() }
    }

    /// What was measured so far.
    pub fn profile(&self) -> Profile {
        self.profile.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Executor for Profiler {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn compile(&self, graph: &Graph) -> Result<Box<dyn Program>, ExecError> {
        let begun = Instant::now();
        let mut inner = self.inner.compile(graph)?;
        let mut p = self.profile.lock().unwrap_or_else(PoisonError::into_inner);
        p.programs += 1;
        p.compiling += begun.elapsed().as_nanos() as u64;
        inner.measure(true);
        Ok(Box::new(Measured { inner, runs: 0, running: 0, profile: self.profile.clone() }))
    }

    fn memory(&self) -> Box<dyn Memory> {
        self.inner.memory()
    }

    fn limit(&self) -> Option<u64> {
        self.inner.limit()
    }
}

struct Measured {
    inner: Box<dyn Program>,
    runs: u64,
    running: u64,
    profile: Arc<Mutex<Profile>>,
}

impl Program for Measured {
    fn run(&mut self, feed: &Feed, memory: &mut dyn Memory) -> Result<Vec<Tensor>, ExecError> {
        let begun = Instant::now();
        let out = self.inner.run(feed, memory);
        self.runs += 1;
        self.running += begun.elapsed().as_nanos() as u64;
        out
    }

    fn scratch_bytes(&self) -> u64 {
        self.inner.scratch_bytes()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn timings(&self) -> Vec<Timing> {
        self.inner.timings()
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let mut p = self.profile.lock().unwrap_or_else(PoisonError::into_inner);
        p.add(&self.inner.timings());
        p.runs += self.runs;
        p.running += self.running;
    }
}

/// Bytes a second that one core moves between arrays that fit into no cache, read and written ones counted: what no kernel
/// over large tensors can pass.
pub fn measure_bandwidth() -> f64 {
    const LEN: usize = 16 << 20;
    let from = vec![1.0_f32; LEN];
    let mut to = vec![0.0_f32; LEN];
    (0..5)
        .map(|_| {
            let begun = Instant::now();
            to.copy_from_slice(std::hint::black_box(&from));
            std::hint::black_box(&mut to);
            (8 * LEN) as f64 / begun.elapsed().as_secs_f64()
        })
        .fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::cpu::Cpu;
    use crate::exec::reference::Reference;
    use crate::graph::text::parse;

    const GRAPH: &str = "\
%0 = input data \"x\" : float[4, 8]
%1 = map : float[4, 8]
  t0 = %0[i0, i1]
  t1 = mul t0 t0
output \"y\" %1
";

    fn profile(exec: Arc<dyn Executor>) -> Profile {
        let p = Profiler::new(exec);
        let g = parse(GRAPH).unwrap();
        let mut program = p.compile(&g).unwrap();
        let x = Tensor::float(&[4, 8], vec![3.0; 32]);
        let mut memory = p.memory();
        for _ in 0..3 {
            let feed = Feed { data: vec![("x", &x)], ..Feed::default() };
            assert_eq!(program.run(&feed, memory.as_mut()).unwrap()[0].floats(), [9.0; 32]);
        }
        assert_eq!(p.profile().runs, 0, "not before it is dropped");
        drop(program);
        p.profile()
    }

    #[test]
    fn launches_of_all_runs_are_added_up() {
        let p = profile(Arc::new(Cpu::new()));
        assert_eq!((p.programs, p.runs), (1, 3));
        let [(_, s)] = p.ranked()[..] else { panic!("{p:?}") };
        // 32 products of 32 floats, which may be written over what was read.
        assert_eq!((s.calls, s.flops, s.bytes), (3, 3 * 32, 3 * 256));
        assert!(s.nanoseconds > 0 && p.running >= s.nanoseconds && p.compiling > 0);
    }

    #[test]
    fn an_executor_that_cannot_tell_has_runs_only() {
        let p = profile(Arc::new(Reference));
        assert_eq!((p.runs, p.kernels.len()), (3, 0));
    }

    #[test]
    fn memory_moves_at_some_speed() {
        assert!(measure_bandwidth() > 1e8);
    }
}
