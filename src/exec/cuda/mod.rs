//! The CUDA executor: loop nests as CUDA C, compiled by NVRTC, run by NVIDIA's driver.
//!
//! [`kernel`] and [`gemm`] turn the launches that the scheduler makes for all executors into text; nothing of that needs
//! a GPU, so `nasc build --target cuda` works on any machine. [`compile`] makes code of it and keeps it on disk.
//! [`program`] plans, launches, captures and replays on a [`device`]. Both libraries are looked for when they are first
//! wanted ([`driver`]).
//!
//! Tests run the same host code and the same text without a GPU, on a stand-in driver and compiler (`tests/cuda`); their
//! results are called emulated.

pub mod compile;
mod device;
pub mod driver;
mod emitter;
pub mod gemm;
pub mod kernel;
mod kernels;
mod memory;
mod program;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use compile::Disk;
pub use driver::Missing;
pub use emitter::Emitter;
pub use kernel::{Kernel, Options, Precision};
pub use kernels::Stats;

use self::device::Device;
use self::kernels::Kernels;
use self::memory::CudaMemory;
use self::program::CudaProgram;
use crate::exec::cpu::layout::Layout;
use crate::exec::cpu::schedule::{Target, lower_copy, schedule};
use crate::exec::{ExecError, Executor, Memory, Program};
use crate::graph::{Graph, Role};

/// How the executor is set up.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which GPU.
    pub ordinal: usize,
    /// Of products.
    pub precision: Precision,
    /// Where code is kept between processes.
    pub disk: Option<Disk>,
    /// Most bytes of one child; an equal share of the GPU's memory if not given, for so many children at once.
    pub limit: Option<u64>,
    /// Children at the same time.
    pub at_once: usize,
    /// Of products, in place of the choice for each.
    pub tile: Option<gemm::Tile>,
    /// Memory of its own for each buffer, so that compute-sanitizer sees an access out of bounds.
    pub apart: bool,
}

/// What is known of a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// As the driver calls it.
    pub name: String,
    /// Compute capability: 80 for 8.0.
    pub arch: u32,
    /// Multiprocessors.
    pub processors: usize,
    /// Bytes that are free, and all.
    pub memory: (u64, u64),
}

/// The GPUs of this machine, or why each cannot be used.
pub fn gpus() -> Result<Vec<Result<Gpu, Missing>>, Missing> {
    let of = |i: usize| {
        let d = Device::open(i)?;
        let memory = d.memory().map_err(|e| Missing::Fails(e.to_string()))?;
        Ok(Gpu { name: d.name.clone(), arch: d.arch, processors: d.processors, memory })
    };
    Ok((0..driver::driver()?).map(of).collect())
}

/// The executor of one GPU. All workers use one; each program has streams of its own.
pub struct Cuda {
    device: Arc<Device>,
    kernels: Arc<Kernels>,
    limit: Option<u64>,
    apart: bool,
}

impl Cuda {
    /// Opens a GPU.
    pub fn new(settings: Settings) -> Result<Self, Missing> {
        let device = Device::open(settings.ordinal)?;
        let options = Options {
            arch: device.arch,
            processors: device.processors,
            precision: settings.precision,
            tile: settings.tile,
        };
        let share = |free: u64| free / 20 * 19 / settings.at_once.max(1) as u64;
        let limit = settings.limit.or_else(|| device.memory().ok().map(|m| share(m.0)));
        let kernels = Arc::new(Kernels::new(device.clone(), options, settings.disk));
        Ok(Self { device, kernels, limit, apart: settings.apart })
    }

    /// What the kernel cache did so far.
    pub fn stats(&self) -> Stats {
        self.kernels.stats()
    }

    /// As the driver calls the GPU.
    pub fn device_name(&self) -> &str {
        &self.device.name
    }

    /// Compiles the kernels of several graphs, many to a program of NVRTC, so that their programs find them.
    pub fn prepare(&self, graphs: &[&Graph]) -> Result<(), ExecError> {
        let mut works = Vec::new();
        for g in graphs {
            works.extend(launches(g)?);
        }
        let works: Vec<_> = works.iter().map(|l| &l.work).collect();
        self.kernels.of(&works).map(|_| ())
    }
}

impl Executor for Cuda {
    fn name(&self) -> &'static str {
        "cuda"
    }

    fn compile(&self, graph: &Graph) -> Result<Box<dyn Program>, ExecError> {
        Ok(Box::new(CudaProgram::new(graph, &self.device, &self.kernels, self.limit, self.apart)?))
    }

    fn memory(&self) -> Box<dyn Memory> {
        Box::new(CudaMemory::new(self.device.clone()))
    }

    fn limit(&self) -> Option<u64> {
        self.limit
    }
}

/// All launches of a graph, with those that bring data into its layout.
fn launches(graph: &Graph) -> Result<Vec<crate::exec::cpu::schedule::Launch>, ExecError> {
    let schedule = schedule(graph, Target::Threads)?;
    let mut all = Vec::new();
    for (id, input) in graph.inputs() {
        let node = graph.node(id);
        let Some((_, layout)) = &schedule.places[id.0 as usize] else { continue };
        let plain = Arc::new(Layout::new(&node.shape, None));
        if matches!(input.role, Role::Data | Role::Knob(_)) && !program::as_it_comes(layout) {
            all.push(lower_copy(Target::Threads, &(1, plain, node.dtype), &(0, layout.clone()), &input.name));
        }
    }
    all.extend(schedule.launches);
    Ok(all)
}

/// The kernels of a graph in the order in which they are first launched, each once. Needs no GPU.
pub fn kernels(graph: &Graph, options: &Options) -> Result<Vec<Kernel>, ExecError> {
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for l in launches(graph)? {
        if let Some(k) = kernel::kernel(&l.work, options)
            && seen.insert(k.source.clone())
        {
            out.push(k);
        }
    }
    Ok(out)
}
