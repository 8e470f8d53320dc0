//! Executors: what runs a graph. Each takes verified graphs only, and all of them pass one conformance suite.
//!
//! A [`Program`] is one compiled graph. Tensors that outlive a run (weights, running statistics, optimizer memory)
//! live in a [`Memory`], by name, so that several programs (a training step, an evaluation) work on the same ones.

#[cfg(test)]
pub mod conformance;
pub mod cpu;
pub mod cuda;
pub mod profile;
pub mod reference;

use crate::graph::{DType, Graph, Init};

/// A tensor on the host: row-major, whatever the executor's layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Extents; empty for a scalar.
    pub shape: Vec<usize>,
    /// Elements.
    pub data: Data,
}

/// The elements of a [`Tensor`].
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `DType::Float`. Executors may compute in less precision.
    Float(Vec<f32>),
    /// `DType::Int`
    Int(Vec<i32>),
}

impl Tensor {
    /// A float tensor; `data` has one element for each place of `shape`.
    pub fn float(shape: &[usize], data: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        Self { shape: shape.to_vec(), data: Data::Float(data) }
    }

    /// An integer tensor; `data` has one element for each place of `shape`.
    pub fn int(shape: &[usize], data: Vec<i32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        Self { shape: shape.to_vec(), data: Data::Int(data) }
    }

    /// Zeros.
    pub fn zeros(shape: &[usize], dtype: DType) -> Self {
        let len = shape.iter().product();
        let data = match dtype {
            DType::Float => Data::Float(vec![0.0; len]),
            DType::Int => Data::Int(vec![0; len]),
        };
        Self { shape: shape.to_vec(), data }
    }

    /// The elements of a float tensor.
    pub fn floats(&self) -> &[f32] {
        match &self.data {
            Data::Float(v) => v,
            Data::Int(_) => panic!("an integer tensor where floats are expected"),
        }
    }

    /// Its element type.
    pub fn dtype(&self) -> DType {
        match self.data {
            Data::Float(_) => DType::Float,
            Data::Int(_) => DType::Int,
        }
    }
}

/// Why a graph could not be compiled or run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecError {
    /// More memory than allowed.
    Memory {
        /// Bytes that the program needs.
        needed: u64,
        /// Bytes that it may use.
        limit: u64,
    },
    /// An input was not given, or has another shape or type.
    Input(String),
    /// The device or its driver failed, or is not what is needed; a sentence that says what to do.
    Device(String),
    /// The executor itself failed: a defect of the compiler, or of the machine.
    Internal(String),
}

impl std::fmt::Display for ExecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ExecError::Memory { needed, limit } => {
                write!(f, "needs {} of memory, but one child may use {}", bytes(*needed), bytes(*limit))
            }
            ExecError::Input(s) | ExecError::Device(s) => write!(f, "{s}"),
            ExecError::Internal(s) => write!(f, "internal error of the executor: {s}"),
        }
    }
}

/// A number of bytes in a unit in which it is easy to read.
fn bytes(n: u64) -> String {
    let (unit, name) = match n {
        0..0x40_0000 => (1024.0, "KB"),
        0x40_0000..0x1_0000_0000 => (1_048_576.0, "MB"),
        _ => (1_073_741_824.0, "GB"),
    };
    let x = n as f64 / unit;
    if x < 10.0 { format!("{x:.1} {name}") } else { format!("{x:.0} {name}") }
}

impl std::error::Error for ExecError {}

/// Compiles graphs. Shared by all workers.
pub trait Executor: Send + Sync {
    /// `reference`, `cpu`, `cuda`
    fn name(&self) -> &'static str;
    /// Compiles a graph; kernels that were compiled before, for any graph, are reused.
    fn compile(&self, graph: &Graph) -> Result<Box<dyn Program>, ExecError>;
    /// Empty memory of this executor.
    fn memory(&self) -> Box<dyn Memory>;
    /// The most bytes that one child may use, if there is a limit.
    fn limit(&self) -> Option<u64> {
        None
    }
}

/// Persistent tensors by name. Values given and returned are row-major.
pub trait Memory: Send {
    /// Creates the tensor if it is missing: `Init` with draws from `seed` and the *name*, so that equal sites start
    /// equally in every program. An existing tensor must have this shape.
    fn ensure(&mut self, name: &str, shape: &[usize], init: &Init, seed: u64) -> Result<(), ExecError>;
    /// A copy of a tensor.
    fn get(&self, name: &str) -> Option<Tensor>;
    /// Creates or replaces a tensor.
    fn set(&mut self, name: &str, value: &Tensor);
    /// All names, sorted.
    fn names(&self) -> Vec<String>;
    /// For the executor's own programs.
    fn as_any(&mut self) -> &mut dyn std::any::Any;
}

/// What differs from run to run of a program.
#[derive(Clone, Debug, Default)]
pub struct Feed<'a> {
    /// Values of all `Role::Data` inputs.
    pub data: Vec<(&'a str, &'a Tensor)>,
    /// Values of `Role::Knob` inputs; those left out have their initial value.
    pub knobs: Vec<(&'a str, f64)>,
    /// For `Kind::Random`.
    pub seed: u64,
    /// For `Kind::Random`: the number of the training step.
    pub step: u64,
    /// The data is what [`Program::run_ahead`] was given for this run.
    pub staged: bool,
}

/// Values of `Role::Data` inputs by name.
pub type Batch = Vec<(String, Tensor)>;

/// What one launch of a program took, summed over its runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// What is computed, by its form: `rows [64, 16, 8, 8] over [16, 3, 3]`. Equal launches are one kernel.
    pub kernel: String,
    /// The part of the network that it is for.
    pub label: String,
    /// Runs.
    pub calls: u64,
    /// Nanoseconds, of all runs together.
    pub nanoseconds: u64,
    /// Nanoseconds of the fastest run: what a quiet machine would take.
    pub least: u64,
    /// Arithmetic operations of one run.
    pub flops: u64,
    /// Bytes of one run that must come from memory, and go there, where nothing is cached: a tensor that is read and
    /// overwritten counts twice.
    pub bytes: u64,
}

/// One compiled graph.
pub trait Program: Send {
    /// Runs it once. `Role::Param` and `Role::State` inputs are found in (and updates written to) `memory`, which
    /// must hold them. Returns the graph's outputs in order.
    fn run(&mut self, feed: &Feed, memory: &mut dyn Memory) -> Result<Vec<Tensor>, ExecError>;
    /// As [`Program::run`]; while it computes, `next` is called for the data of the next run, which is brought to where
    /// that will read it. Gives the data back; the next run's feed has it, and says [`Feed::staged`]. No data means that
    /// no run follows.
    fn run_ahead(
        &mut self,
        feed: &Feed,
        memory: &mut dyn Memory,
        next: &mut dyn FnMut() -> Batch,
    ) -> Result<(Vec<Tensor>, Batch), ExecError> {
        let outputs = self.run(feed, memory)?;
        Ok((outputs, next()))
    }
    /// Bytes that a run needs beyond the persistent tensors.
    fn scratch_bytes(&self) -> u64;
    /// How the graph was compiled: kernels, buffers, launches (for `nasc build --emit plan`).
    fn describe(&self) -> String;
    /// Begins to measure each launch, or ends it. What was measured before is forgotten.
    fn measure(&mut self, _on: bool) {}
    /// What was measured, in the order of the launches; nothing where the executor cannot tell.
    fn timings(&self) -> Vec<Timing> {
        Vec::new()
    }
}

/// The initial values of a persistent tensor: a pure function of name, shape, initializer and seed, shared by all
/// executors.
pub fn initial(name: &str, shape: &[usize], init: &Init, seed: u64) -> Vec<f32> {
    let mut v = vec![0.0; shape.iter().product()];
    initial_to(name, shape, init, seed, &mut v);
    v
}

/// [`initial`], into the elements of a tensor.
pub fn initial_to(name: &str, shape: &[usize], init: &Init, seed: u64, v: &mut [f32]) {
    let mut s = crate::base::rng::Stream::new(seed, name);
    match init {
        Init::Constant(c) => v.fill(*c as f32),
        Init::Normal(sd) => normals(&mut s, *sd, v),
        Init::Uniform(a) => v.iter_mut().for_each(|x| *x = ((s.unit() * 2.0 - 1.0) * a) as f32),
        Init::Identity => {
            v.fill(0.0);
            let (o, c) = (shape[0], shape.get(1).copied().unwrap_or(1));
            let inner: usize = shape[2.min(shape.len())..].iter().product();
            // The centre of the remaining axes; of an even number the first of the two in the middle.
            let centre = shape[2.min(shape.len())..].iter().fold(0, |at, &k| at * k + (k - 1) / 2);
            for i in 0..o.min(c) {
                v[(i * c + i) * inner + centre] = 1.0;
            }
        }
    }
}

/// Normal draws, those of [`Stream::normal`](crate::base::rng::Stream::normal) to within a rounding: the functions that
/// it needs as polynomials, which are several times as fast, and equal on all machines.
fn normals(s: &mut crate::base::rng::Stream, sd: f64, out: &mut [f32]) {
    let mut bits = [0; 128];
    for block in out.chunks_mut(64) {
        s.fill(&mut bits[..2 * block.len()]);
        #[cfg(target_arch = "x86_64")]
        {
            if std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512dq") {
                // SAFETY: the features were detected.
                unsafe { box_muller_avx512(&bits, sd, block) };
                continue;
            }
            if std::is_x86_feature_detected!("avx2") {
                // SAFETY: the feature was detected.
                unsafe { box_muller_avx2(&bits, sd, block) };
                continue;
            }
        }
        box_muller(&bits, sd, block);
    }
}

/// Two draws of 64 bits make one number.
#[allow(clippy::inline_always, reason = "it takes on the features of its caller")]
#[inline(always)]
fn box_muller(bits: &[u64; 128], sd: f64, out: &mut [f32]) {
    let (mut us, mut vs) = ([0.0; 64], [0.0; 64]);
    for i in 0..64 {
        // As the streams' uniform draws in [0, 1).
        us[i] = 1.0 - (bits[2 * i] >> 11) as f64 * (1.0 / (1_u64 << 53) as f64);
        vs[i] = (bits[2 * i + 1] >> 11) as f64 * (1.0 / (1_u64 << 53) as f64);
    }
    let mut all = [0.0; 64];
    for i in 0..64 {
        all[i] = ((-2.0 * ln(us[i])).sqrt() * cos_turns(vs[i]) * sd) as f32;
    }
    out.copy_from_slice(&all[..out.len()]);
}

/// The same operations, so the same results, four at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn box_muller_avx2(bits: &[u64; 128], sd: f64, out: &mut [f32]) {
    box_muller(bits, sd, out);
}

/// Eight at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn box_muller_avx512(bits: &[u64; 128], sd: f64, out: &mut [f32]) {
    box_muller(bits, sd, out);
}

/// 3 * 2^51: whole numbers added to it are in its lowest bits.
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// The natural logarithm of a positive, normal number, to about 1e-14.
#[allow(clippy::inline_always, reason = "it takes on the features of its caller")]
#[inline(always)]
fn ln(x: f64) -> f64 {
    // x = m * 2^e with m around 1, and ln(m) = 2 atanh((m - 1) / (m + 1)).
    let bits = x.to_bits().wrapping_sub(std::f64::consts::FRAC_1_SQRT_2.to_bits());
    // The exponent as a number, by way of the lowest bits of a large one.
    let e = f64::from_bits((bits >> 52).wrapping_sub((bits >> 63) << 12).wrapping_add(MAGIC.to_bits())) - MAGIC;
    let m = f64::from_bits((bits & ((1 << 52) - 1)).wrapping_add(std::f64::consts::FRAC_1_SQRT_2.to_bits()));
    let s = (m - 1.0) / (m + 1.0);
    let q = s * s;
    let p = [1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0];
    e * std::f64::consts::LN_2 + 2.0 * s * p.iter().fold(0.0, |sum, c| sum * q + c)
}

/// The cosine of `v` turns, for `v` in `[0, 1)`, to about 1e-13.
#[allow(clippy::inline_always, reason = "it takes on the features of its caller")]
#[inline(always)]
fn cos_turns(v: f64) -> f64 {
    // cos(2 pi v) = -sin(x) with x between -pi/2 and pi/2.
    let x = std::f64::consts::TAU * (0.25 - (v - 0.5).abs());
    let q = x * x;
    // x (1 - q/(2*3) (1 - q/(4*5) (..
    let k = [1.0 / 272.0, 1.0 / 210.0, 1.0 / 156.0, 1.0 / 110.0, 1.0 / 72.0, 1.0 / 42.0, 1.0 / 20.0, 1.0 / 6.0];
    -x * k.iter().fold(1.0, |p, c| 1.0 - q * c * p)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Stream;

    #[test]
    fn fast_normals_are_the_streams() {
        let (mut a, mut b) = (Stream::new(3, "w"), Stream::new(3, "w"));
        let mut all = vec![0.0; 100_001];
        normals(&mut a, 0.7, &mut all);
        for (i, x) in all.into_iter().enumerate() {
            let y = (b.normal() * 0.7) as f32;
            assert!((x - y).abs() <= y.abs() * 2e-7 + 1e-12, "{i}: {x} {y}");
        }
        assert_eq!(a.bits(), b.bits());
    }
}
