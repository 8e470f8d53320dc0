//! Kernels: the text of a launch in CUDA C, and how it is launched.
//!
//! A nest of output loops becomes a grid of threads; its reduction loops are run by a thread, a warp, a block, or by
//! several blocks whose partial results a second kernel joins in a fixed order. Sums of products go to [`super::gemm`].
//! Nothing adds with atomics, so results do not depend on the order in which blocks run.

use std::fmt::Write;

use super::gemm::{self, Tile};
use super::text::Text;
use crate::base::hash::{hash128, hex};
use crate::exec::cpu::layout::Layout;
use crate::exec::cpu::nest::{Fold, Nest, Use, dependence, hash_key};
use crate::exec::cpu::schedule::Work;
use crate::graph::{Index, ReduceOp};

/// What products are computed with; sums are always in float.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Precision {
    /// Without tensor cores.
    F32,
    /// Tensor cores, factors with 10 bits of mantissa.
    #[default]
    Tf32,
    /// Tensor cores, factors with 7 bits of mantissa.
    Bf16,
}

impl Precision {
    /// As it is written in a search.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
        }
    }

    /// The precision of a name.
    pub fn of(name: &str) -> Option<Self> {
        [Precision::F32, Precision::Tf32, Precision::Bf16].into_iter().find(|p| p.name() == name)
    }
}

/// What decides the text of kernels beside the nests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// Compute capability: 80 for 8.0.
    pub arch: u32,
    /// Multiprocessors of the GPU, for the choice of tiles.
    pub processors: usize,
    /// Of products.
    pub precision: Precision,
    /// Of products; chosen for each by a model if not given.
    pub tile: Option<Tile>,
}

impl Options {
    /// For an architecture, with the number of multiprocessors of its largest GPU.
    pub fn new(arch: u32, precision: Precision) -> Self {
        Self { arch, processors: if arch >= 90 { 132 } else { 108 }, precision, tile: None }
    }
}

/// One `__global__` function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name; a hash of all that decides it is part of it.
    pub name: String,
    /// Blocks.
    pub grid: u32,
    /// Threads of a block.
    pub block: u32,
}

/// The text of one launch: one function after the other, each with a pointer for each slot, in order, and one for the
/// scratch if there is some.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What is computed and how, for people.
    pub what: String,
    /// CUDA C, without the prelude.
    pub source: String,
    /// Run in order.
    pub entries: Vec<Entry>,
    /// Elements (of 4 bytes) of the scratch.
    pub scratch: usize,
    /// Arithmetic operations of a run.
    pub flops: u64,
}

/// Threads of a block, where nothing speaks for another number.
pub const BLOCK: usize = 256;

/// Who runs the reduction loops of one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reducers {
    /// Its thread.
    Thread,
    /// A warp.
    Warp,
    /// A block.
    Block,
    /// So many blocks, and then a thread.
    Blocks(usize),
}

/// What a launch of this work is called: equal kernels have equal keys.
pub fn key(work: &Work, o: &Options) -> u128 {
    match work {
        Work::Nest(nest) => hash_key(&(0, nest, o)),
        Work::Random { stream, layout } => hash_key(&(1, stream, &layout.shape, &layout.strides)),
        Work::Zero | Work::Contract(_) | Work::Window(_) => 2,
    }
}

/// The kernel of a launch; none for [`Work::Zero`], which the driver does.
pub fn kernel(work: &Work, o: &Options) -> Option<Kernel> {
    let mut k = match work {
        Work::Nest(nest) => of_nest(nest, o),
        Work::Random { stream, layout } => random(*stream, layout),
        Work::Zero => return None,
        // Scheduled for lanes only.
        Work::Contract(_) | Work::Window(_) => return None,
    };
    // The name is a hash of the text, so that a kernel that is generated otherwise is another one.
    let hash = hex(hash128(k.source.as_bytes()));
    let name = |i: usize| format!("k{}_{i}", &hash[..16]);
    for (i, e) in k.entries.iter_mut().enumerate() {
        k.source = k.source.replace(&format!("NAME_{i}("), &format!("{}(", name(i)));
        e.name = name(i);
    }
    Some(k)
}

fn of_nest(nest: &Nest, o: &Options) -> Kernel {
    if let Some(k) = gemm::kernel(nest, o) {
        return k;
    }
    let outputs: usize = nest.extents[..nest.outputs].iter().product();
    let inner: usize = nest.extents[nest.outputs..].iter().product();
    match &nest.fold {
        Fold::None => map(nest),
        Fold::Scatter => scatter(nest),
        Fold::Reduce(_) | Fold::Arg(..) => reduce(nest, reducers(nest, outputs, inner, o)),
    }
}

/// Enough threads to fill the GPU, and lanes that read neighbours.
fn reducers(nest: &Nest, outputs: usize, inner: usize, o: &Options) -> Reducers {
    let busy = o.processors * 1024;
    if inner <= 16 || (outputs >= busy && inner <= 1024) {
        return Reducers::Thread;
    }
    // Where neighbours in memory are outputs and not terms, threads side by side read side by side.
    let along = |v: usize| nest.accesses.iter().filter(|a| dependence(&a.offset, v) == Use::Linear(1)).count();
    let (out, term) = (nest.outputs.checked_sub(1).map_or(0, along), along(nest.extents.len() - 1));
    if out > term && (inner <= 256 || outputs >= busy / 4) {
        return Reducers::Thread;
    }
    if inner <= 256 {
        return Reducers::Warp;
    }
    let wanted = (2 * o.processors).div_ceil(outputs.max(1)).min(inner / (4 * BLOCK));
    if wanted > 1 { Reducers::Blocks(wanted.min(64)) } else { Reducers::Block }
}

/// The name of variable `v` in the text.
pub fn var(v: usize) -> String {
    format!("v{v}")
}

/// `(float* __restrict__ p0, const int* __restrict__ p1, ..)`; the scratch comes last.
pub fn parameters(nest: &Nest, scratch: bool) -> String {
    let mut list: Vec<String> = nest
        .slots
        .iter()
        .enumerate()
        .map(|(i, s)| {
            let ty = if s.int { "int" } else { "float" };
            if s.written { format!("{ty}* __restrict__ p{i}") } else { format!("const {ty}* __restrict__ p{i}") }
        })
        .collect();
    if scratch {
        list.push("float* __restrict__ scratch".to_owned());
    }
    list.join(", ")
}

/// The head of a function that the launcher will know as entry `i`.
pub fn head(i: usize, threads: usize, parameters: &str) -> String {
    format!("extern \"C\" __global__ void __launch_bounds__({threads}) NAME_{i}({parameters}) {{\n")
}

fn entry(blocks: usize, threads: usize) -> Entry {
    Entry { name: String::new(), grid: blocks.max(1) as u32, block: threads as u32 }
}

/// `const int t = ..;` and the way out for threads past the end.
fn thread(text: &Text, points: usize) -> String {
    let int = text.int();
    format!("  const {int} t = ({int})blockIdx.x * {BLOCK} + threadIdx.x;\n  if (t >= {points}) return;\n")
}

fn map(nest: &Nest) -> Kernel {
    let text = Text::new(nest);
    let points: usize = nest.extents.iter().product();
    let all: Vec<usize> = (0..nest.extents.len()).collect();
    let mut s = head(0, BLOCK, &parameters(nest, false));
    s += &thread(&text, points);
    s += &text.split(&all, "t", &var, "  ");
    s += &text.body(&var, "  ");
    for (a, value) in &nest.stores {
        let a = &nest.accesses[*a];
        let _ =
            writeln!(s, "  p{}[{}] = {};", a.slot, text.offset(a, &var), text.element(a.slot, &format!("x{value}")));
    }
    s += "}\n";
    Kernel {
        what: format!("map {:?}", nest.extents),
        source: s,
        entries: vec![entry(points.div_ceil(BLOCK), BLOCK)],
        scratch: 0,
        flops: nest.flops(),
    }
}

/// One thread for each point of the loops that lie apart; the others are run in order.
fn scatter(nest: &Nest) -> Kernel {
    let text = Text::new(nest);
    let points: usize = nest.extents[..nest.outputs].iter().product();
    let apart: Vec<usize> = (0..nest.outputs).collect();
    let mut s = head(0, BLOCK, &parameters(nest, false));
    s += &thread(&text, points);
    s += &text.split(&apart, "t", &var, "  ");
    for v in nest.outputs..nest.extents.len() {
        let _ = writeln!(s, "  for ({} v{v} = 0; v{v} < {}; ++v{v})", text.int(), nest.extents[v]);
    }
    s += "  {\n";
    for g in &nest.guards {
        let _ = writeln!(s, "    if (!({})) continue;", text.guard(g, &var));
    }
    s += &text.body(&var, "    ");
    for (a, value) in &nest.stores {
        let a = &nest.accesses[*a];
        let _ = writeln!(s, "    p{}[{}] += x{value};", a.slot, text.offset(a, &var));
    }
    s += "  }\n}\n";
    Kernel {
        what: format!("scatter {:?} over {:?}", &nest.extents[..nest.outputs], &nest.extents[nest.outputs..]),
        source: s,
        entries: vec![entry(points.div_ceil(BLOCK), BLOCK)],
        scratch: 0,
        flops: nest.flops(),
    }
}

fn operation(fold: &Fold) -> &'static str {
    match fold {
        Fold::Reduce(ReduceOp::Max) => "MAX",
        Fold::Reduce(ReduceOp::Min) => "MIN",
        Fold::Reduce(ReduceOp::Prod) => "PROD",
        Fold::Arg(true, _) => "ARGMAX",
        Fold::Arg(false, _) => "ARGMIN",
        Fold::Reduce(ReduceOp::Sum | ReduceOp::Mean) | Fold::None | Fold::Scatter => "SUM",
    }
}

/// The result of the accumulator `a`.
fn finished(nest: &Nest) -> &'static str {
    match &nest.fold {
        Fold::Reduce(ReduceOp::Mean) => "(a.n > 0 ? a.v / (float)a.n : 0.0f)",
        Fold::Reduce(ReduceOp::Max | ReduceOp::Min | ReduceOp::Prod) => "(a.n > 0 ? a.v : 0.0f)",
        Fold::Arg(..) => "a.n",
        Fold::Reduce(ReduceOp::Sum) | Fold::None | Fold::Scatter => "a.v",
    }
}

/// How a nest with a fold runs, its reduction loops as `r` says.
pub fn reduce(nest: &Nest, r: Reducers) -> Kernel {
    let text = Text::new(nest);
    let int = text.int();
    let outputs: usize = nest.extents[..nest.outputs].iter().product();
    let inner: usize = nest.extents[nest.outputs..].iter().product();
    let op = operation(&nest.fold);
    let out: Vec<usize> = (0..nest.outputs).collect();
    let terms: Vec<usize> = (nest.outputs..nest.extents.len()).collect();
    let (access, value) = (&nest.accesses[nest.stores[0].0], nest.stores[0].1);
    let linear = match &nest.fold {
        Fold::Arg(_, linear) => linear.clone(),
        _ => Index::constant(0),
    };
    // The body of the loop over all terms, in which `r` is the number of the term.
    let mut term = String::new();
    term += &text.split(&terms, "r", &var, "    ");
    for g in &nest.guards {
        let _ = writeln!(term, "    if (!({})) continue;", text.guard(g, &var));
    }
    term += &text.body(&var, "    ");
    let _ = writeln!(term, "    take<{op}>(a, x{value}, (int)({}));", text.index(&linear, &var));
    let store = |indent: &str| {
        let value = match &nest.fold {
            Fold::Arg(..) => finished(nest).to_owned(),
            _ => text.element(access.slot, finished(nest)),
        };
        format!("{indent}p{}[{}] = {value};\n", access.slot, text.offset(access, &var))
    };
    let scratch = if let Reducers::Blocks(n) = r { 2 * n * outputs } else { 0 };
    let list = parameters(nest, scratch > 0);
    let mut s = head(0, BLOCK, &list);
    let mut entries = Vec::new();
    match r {
        Reducers::Thread => {
            s += &thread(&text, outputs);
            s += &text.split(&out, "t", &var, "  ");
            let _ = write!(s, "  Acc a = start<{op}>();\n  for ({int} r = 0; r < {inner}; ++r) {{\n{term}  }}\n");
            s += &store("  ");
            entries.push(entry(outputs.div_ceil(BLOCK), BLOCK));
        }
        Reducers::Warp => {
            let warps = BLOCK / 32;
            let _ = writeln!(s, "  const {int} t = ({int})blockIdx.x * {warps} + threadIdx.x / 32;");
            let _ = writeln!(s, "  if (t >= {outputs}) return;");
            s += &text.split(&out, "t", &var, "  ");
            let _ =
                writeln!(s, "  Acc a = start<{op}>();\n  for ({int} r = threadIdx.x % 32; r < {inner}; r += 32) {{");
            let _ = write!(s, "{term}  }}\n  a = warp_join<{op}>(a);\n  if (threadIdx.x % 32 == 0) {{\n");
            s += &store("    ");
            s += "  }\n";
            entries.push(entry(outputs.div_ceil(warps), BLOCK));
        }
        Reducers::Block => {
            let _ = writeln!(s, "  __shared__ Acc shared[{}];\n  const {int} t = blockIdx.x;", BLOCK / 32);
            s += &text.split(&out, "t", &var, "  ");
            let _ =
                writeln!(s, "  Acc a = start<{op}>();\n  for ({int} r = threadIdx.x; r < {inner}; r += {BLOCK}) {{");
            let _ = write!(s, "{term}  }}\n  a = block_join<{op}, {BLOCK}>(a, shared);\n  if (threadIdx.x == 0) {{\n");
            s += &store("    ");
            s += "  }\n";
            entries.push(entry(outputs, BLOCK));
        }
        Reducers::Blocks(n) => {
            let _ = writeln!(s, "  __shared__ Acc shared[{}];", BLOCK / 32);
            let _ = writeln!(s, "  const {int} t = blockIdx.x / {n};\n  const int part = blockIdx.x % {n};");
            s += &text.split(&out, "t", &var, "  ");
            let _ = writeln!(s, "  Acc a = start<{op}>();");
            let _ = writeln!(s, "  for ({int} r = part * {BLOCK} + threadIdx.x; r < {inner}; r += {}) {{", n * BLOCK);
            let _ = write!(s, "{term}  }}\n  a = block_join<{op}, {BLOCK}>(a, shared);\n");
            let _ = writeln!(s, "  if (threadIdx.x == 0) reinterpret_cast<Acc*>(scratch)[blockIdx.x] = a;\n}}");
            entries.push(entry(outputs * n, BLOCK));
            s += &head(1, BLOCK, &list);
            s += &thread(&text, outputs);
            s += &text.split(&out, "t", &var, "  ");
            let _ = writeln!(s, "  Acc a = start<{op}>();\n  for (int part = 0; part < {n}; ++part)");
            let _ = writeln!(s, "    a = join<{op}>(a, reinterpret_cast<const Acc*>(scratch)[t * {n} + part]);");
            s += &store("  ");
            entries.push(entry(outputs.div_ceil(BLOCK), BLOCK));
        }
    }
    s += "}\n";
    let what = format!(
        "{} {:?} over {:?} by {}",
        op.to_lowercase(),
        &nest.extents[..nest.outputs],
        &nest.extents[nest.outputs..],
        match r {
            Reducers::Thread => "threads".to_owned(),
            Reducers::Warp => "warps".to_owned(),
            Reducers::Block => "blocks".to_owned(),
            Reducers::Blocks(n) => format!("{n} blocks each"),
        }
    );
    Kernel { what, source: s, entries, scratch, flops: nest.flops() }
}

/// Draws: slots are the tensor, and the run's seed and step.
fn random(stream: u64, layout: &Layout) -> Kernel {
    let points: usize = layout.shape.iter().product();
    let mut s = head(0, BLOCK, "float* __restrict__ p0, const u64* __restrict__ run");
    let _ = writeln!(s, "  const long long t = (long long)blockIdx.x * {BLOCK} + threadIdx.x;");
    let _ = writeln!(s, "  if (t >= {points}) return;");
    let _ = writeln!(s, "  const u64 key = mix(run[0] ^ mix({stream}ull ^ mix(run[1] * 0x9e3779b97f4a7c15ull)));");
    // Threads follow memory, so that they write side by side; the number of a draw is its row-major one.
    let mut axes: Vec<usize> = (0..layout.shape.len()).collect();
    axes.sort_by_key(|&a| std::cmp::Reverse(layout.strides[a]));
    let (mut below, mut number, mut place) = (1, String::from("0"), String::from("0"));
    for (k, &a) in axes.iter().enumerate().rev() {
        let n = layout.shape[a];
        let part = if k == 0 { format!("t / {below}") } else { format!("t / {below} % {n}") };
        let _ = writeln!(s, "  const long long i{a} = {part};");
        let row: usize = layout.shape[a + 1..].iter().product();
        let _ = write!(number, " + i{a} * {row}");
        let _ = write!(place, " + i{a} * {}", layout.strides[a]);
        below *= n;
    }
    let _ = writeln!(s, "  p0[{place}] = draw(key, (u64)({number}));\n}}");
    Kernel {
        what: format!("draws {:?}", layout.shape),
        source: s,
        entries: vec![entry(points.div_ceil(BLOCK), BLOCK)],
        scratch: 0,
        flops: 0,
    }
}

/// What every program begins with.
pub const PRELUDE: &str = include_str!("prelude.cuh");
