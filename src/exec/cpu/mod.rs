//! The CPU executor: loop nests compiled by Cranelift, contractions by hand-written kernels.
//!
//! [`layout`] says where elements lie, [`schedule`] turns a graph into launches, [`plan`] places their buffers, and
//! [`nest`] describes what a generated kernel does, apart from any network. [`codegen`] and [`point`] turn that into
//! machine code, which [`cache`] keeps, for all programs of one executor. A second child of a space compiles nothing.
//!
//! A program runs on one thread or on several ([`team`], [`parts`]), and its results do not depend on how many: the
//! order of every sum is fixed by the nest. Subnormal numbers are taken as 0 during a run.

mod cache;
mod codegen;
mod contract;
mod isa;
mod kernels;
mod lanes;
pub(in crate::exec) mod layout;
mod math;
mod memory;
#[cfg(test)]
#[allow(clippy::float_cmp, clippy::match_same_arms, reason = "a table of meanings")]
mod naive;
pub(in crate::exec) mod nest;
mod parts;
pub(in crate::exec) mod plan;
mod point;
pub(in crate::exec) mod schedule;
#[cfg(test)]
mod speed;
mod team;
#[cfg(test)]
#[allow(clippy::float_cmp, clippy::type_complexity, reason = "exact results are compared exactly")]
mod tests;
mod windows;

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub use cache::Stats;
pub use memory::CpuMemory;

use self::cache::{Cache, Kernel};
use self::isa::Isa;
use self::layout::{Aligned, Layout};
use self::nest::{Fold, Nest};
use self::schedule::{Home, Target, Work, schedule};
use self::team::{Job, Pieces, Share, Team};
use crate::exec::{ExecError, Executor, Feed, Memory, Program, Timing};
use crate::graph::ir::{draw, mix};
use crate::graph::{DType, Graph, Role};

/// The executor. Cheap to share: all workers use one, and its kernels.
pub struct Cpu {
    cache: Arc<Cache>,
    limit: Option<u64>,
    team: Arc<Team<Run>>,
}

impl Default for Cpu {
    fn default() -> Self {
        Self { cache: Arc::default(), limit: None, team: Arc::new(Team::new(1)) }
    }
}

impl Cpu {
    /// Without a limit on memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets so many threads run each program together. The results are the same.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { team: Arc::new(Team::new(threads)), ..self }
    }

    /// Refuses programs that need more bytes for their weights, states and intermediate tensors.
    pub fn with_memory_limit(bytes: u64) -> Self {
        Self { limit: Some(bytes), ..Self::default() }
    }

    /// What the kernel cache did so far.
    pub fn stats(&self) -> Stats {
        self.cache.stats()
    }

    /// The Cranelift code of all kernels of a graph, in the order of their launches (for `nasc build --emit clif`).
    pub fn clif(&self, graph: &Graph) -> Result<String, ExecError> {
        let mut text = String::new();
        for l in schedule(graph, Target::Lanes(self.team.threads))?.launches {
            if let Work::Nest(nest) = &l.work {
                let code = cache::clif(nest).map_err(ExecError::Internal)?;
                let _ = writeln!(text, "; {}\n{code}", l.label);
            }
        }
        Ok(text)
    }
}

impl Executor for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn compile(&self, graph: &Graph) -> Result<Box<dyn Program>, ExecError> {
        Ok(Box::new(CpuProgram::new(graph, self)?))
    }

    fn memory(&self) -> Box<dyn Memory> {
        Box::new(CpuMemory::default())
    }

    fn limit(&self) -> Option<u64> {
        self.limit
    }
}

/// GFLOP/s of multiply-adds in registers on one core: what no kernel can pass.
pub fn measure_peak() -> f64 {
    kernels::peak()
}

/// What is behind a launch.
enum Code {
    Kernel(Arc<Kernel>),
    Zero { elements: usize },
    Random { stream: u64, layout: Layout },
}

struct Call {
    code: Code,
    /// Of each slot.
    buffers: Vec<usize>,
    /// Of each slot: elements to the next part.
    strides: Vec<usize>,
    /// How many there are.
    parts: usize,
    /// Elements of the last slot that each thread has to itself.
    scratch: usize,
    work: Work,
    label: String,
}

/// A tensor that crosses the border of the program.
struct Port {
    name: String,
    buffer: usize,
    layout: Arc<Layout>,
    dtype: DType,
    knob: Option<f64>,
}

struct CpuProgram {
    cache: Arc<Cache>,
    calls: Arc<[Call]>,
    /// In order; together all calls.
    phases: Arc<[Phase]>,
    /// Of each phase.
    pieces: Arc<[usize]>,
    team: Arc<Team<Run>>,
    isa: Isa,
    /// Offset of each buffer in the arena, in elements.
    offsets: Vec<Option<usize>>,
    /// `(name, shape, buffer)` of persistent inputs.
    persistent: Vec<(String, Vec<usize>, usize)>,
    given: Vec<Port>,
    outputs: Vec<Port>,
    /// Elements of the arena, which is made at the first run.
    size: usize,
    /// What that would be on one thread: what is said of a candidate does not depend on the machine.
    alone: usize,
    /// The most of them that are needed at once.
    live: usize,
    arena: Option<Aligned>,
    pointers: Vec<*mut u8>,
    /// Bytes that each launch reads and writes.
    bytes: Vec<u64>,
    /// Of each launch, while it is measured: runs, nanoseconds, those of the fastest.
    measured: Option<Vec<(u64, u64, u64)>>,
}

// SAFETY: the pointers are into the program's own arena, or are set at the start of each run and not used after it.
unsafe impl Send for CpuProgram {}

impl CpuProgram {
    fn new(graph: &Graph, cpu: &Cpu) -> Result<Self, ExecError> {
        let Cpu { cache, limit, team } = cpu;
        let threads = team.threads;
        let mut schedule = schedule(graph, Target::Lanes(threads))?;
        let mut calls = Vec::with_capacity(schedule.launches.len());
        let mut bytes = Vec::with_capacity(schedule.launches.len());
        for l in schedule.launches {
            let block = schedule.blocks.iter().find(|b| b.0.contains(&calls.len()));
            let parts = block.map_or(1, |b| b.1);
            let size = |(&b, &stride): (&usize, &usize)| {
                if stride > 0 { stride * parts } else { schedule.buffers[b].size }
            };
            let sizes: Vec<usize> = l.slots.iter().zip(&l.strides).map(size).collect();
            bytes.push(4 * traffic(&l.work, &sizes));
            let mut scratch = 0;
            let code = match &l.work {
                Work::Nest(nest) => Code::Kernel(cache.nest(l.key, nest)?),
                Work::Contract(c) => {
                    let kernel = cache.contraction(l.key, c)?;
                    scratch = kernel.scratch();
                    schedule.buffers[l.slots[3]].size = scratch * threads;
                    Code::Kernel(kernel)
                }
                Work::Window(w) => Code::Kernel(cache.window(l.key, w)?),
                Work::Zero => Code::Zero { elements: schedule.buffers[l.slots[0]].size },
                Work::Random { stream, layout } => Code::Random { stream: *stream, layout: layout.clone() },
            };
            calls.push(Call {
                code,
                buffers: l.slots,
                strides: l.strides,
                parts,
                scratch,
                work: l.work,
                label: l.label,
            });
        }
        let plan = plan::plan(&schedule.buffers);
        let alone = if threads == 1 { plan.size } else { room_alone(graph, cache)? };
        let needed = (plan.size + layout::SLACK) as u64 * 4 + graph.lasting_bytes();
        if let Some(limit) = *limit
            && needed > limit
        {
            return Err(ExecError::Memory { needed, limit });
        }
        let (mut persistent, mut given) = (Vec::new(), Vec::new());
        for (id, input) in graph.inputs() {
            let node = graph.node(id);
            let Some((buffer, layout)) = schedule.places[id.0 as usize].clone() else { continue };
            let port = |knob| Port { name: input.name.clone(), buffer, layout, dtype: node.dtype, knob };
            match input.role {
                Role::Param(_) | Role::State(_) => persistent.push((input.name.clone(), node.shape.clone(), buffer)),
                Role::Data => given.push(port(None)),
                Role::Knob(x) => given.push(port(Some(x))),
            }
        }
        let outputs = graph
            .outputs
            .iter()
            .zip(schedule.outputs)
            .map(|((name, id), (buffer, layout))| Port {
                name: name.clone(),
                buffer,
                layout,
                dtype: graph.node(*id).dtype,
                knob: None,
            })
            .collect();
        debug_assert!(schedule.buffers.iter().all(|b| b.home == Home::Arena || b.size > 0));
        let phases = phases(&calls, &schedule.blocks, threads);
        let pieces = phases.iter().map(|p| match p {
            Phase::Alone(_) => 1,
            Phase::Parts(_, parts) => *parts,
            Phase::Shared(_) => threads,
        });
        let pieces = pieces.collect();
        Ok(Self {
            cache: cache.clone(),
            calls: calls.into(),
            phases: phases.into(),
            pieces,
            team: team.clone(),
            isa: isa::isa(),
            offsets: plan.offsets,
            persistent,
            given,
            outputs,
            size: plan.size,
            alone,
            live: plan.live,
            arena: None,
            pointers: Vec::new(),
            bytes,
            measured: None,
        })
    }
}

/// Elements of the arena of a program that runs on one thread.
fn room_alone(graph: &Graph, cache: &Cache) -> Result<usize, ExecError> {
    let mut schedule = schedule(graph, Target::Lanes(1))?;
    for l in schedule.launches {
        if let Work::Contract(c) = &l.work {
            schedule.buffers[l.slots[3]].size = cache.contraction(l.key, c)?.scratch();
        }
    }
    Ok(plan::plan(&schedule.buffers).size)
}

impl Drop for CpuProgram {
    fn drop(&mut self) {
        if let Some(arena) = self.arena.take() {
            self.cache.give_back(arena);
        }
    }
}

/// Memory for a run. Tests fill it with NaN, so that what is read before it is written shows.
fn fresh(cache: &Cache, size: usize) -> Aligned {
    #[cfg_attr(not(test), allow(unused_mut, reason = "tests write to it"))]
    let mut arena = cache.arena(size);
    #[cfg(test)]
    arena.floats_mut().fill(f32::NAN);
    arena
}

/// Elements that a launch reads and writes; `sizes` has those of its slots.
fn traffic(work: &Work, sizes: &[usize]) -> u64 {
    match work {
        Work::Nest(nest) => nest.traffic(sizes),
        Work::Contract(_) | Work::Window(_) | Work::Zero | Work::Random { .. } => sizes.iter().sum::<usize>() as u64,
    }
}

fn describe(work: &Work) -> String {
    match work {
        Work::Zero => "zero".to_owned(),
        Work::Random { stream, .. } => format!("random {stream}"),
        Work::Nest(nest) => nest_text(nest),
        Work::Contract(c) => c.describe(),
        Work::Window(w) => w.describe(),
    }
}

fn nest_text(n: &Nest) -> String {
    let what = match &n.fold {
        Fold::None => "map".to_owned(),
        Fold::Reduce(op) => format!("{op:?}").to_lowercase(),
        Fold::Arg(true, _) => "argmax".to_owned(),
        Fold::Arg(false, _) => "argmin".to_owned(),
        Fold::Scatter => "scatter".to_owned(),
    };
    let (out, inner) = n.extents.split_at(n.outputs);
    let lanes = n.vector.map_or("scalar".to_owned(), |v| format!("loop {v} in {} × 4", n.unroll));
    format!("{what} {out:?} over {inner:?}, {lanes}, {} operations, {:08x}", n.body.len(), n.key() as u32)
}

impl CpuProgram {
    /// All launches, once pointers and inputs are in their places.
    fn calls(&mut self, feed: &Feed) {
        let times = vec![0; if self.measured.is_some() { self.calls.len() } else { 0 }];
        let run = Run {
            calls: self.calls.clone(),
            phases: self.phases.clone(),
            pointers: self.pointers.clone(),
            isa: self.isa,
            times: times.into_iter().map(AtomicU64::new).collect(),
            seed: feed.seed,
            step: feed.step,
        };
        let job = self.team.run(Job::new(run, &self.pieces));
        for (m, ns) in self.measured.iter_mut().flatten().zip(&job.work().times) {
            let ns = ns.load(Ordering::Relaxed);
            *m = (m.0 + 1, m.1 + ns, m.2.min(ns));
        }
    }
}

/// Launches without a need to wait between them.
#[derive(Debug)]
enum Phase {
    /// One after the other.
    Alone(Range<usize>),
    /// The same for each of so many parts.
    Parts(Range<usize>, usize),
    /// One that can be shared.
    Shared(usize),
}

fn phases(calls: &[Call], blocks: &[(Range<usize>, usize)], threads: usize) -> Vec<Phase> {
    if threads == 1 {
        return vec![Phase::Alone(0..calls.len())];
    }
    let mut phases = Vec::new();
    let mut at = 0;
    while at < calls.len() {
        if let Some((range, parts)) = blocks.iter().find(|b| b.0.start == at) {
            phases.push(Phase::Parts(range.clone(), *parts));
            at = range.end;
            continue;
        }
        match &calls[at].code {
            Code::Kernel(kernel) if !matches!(**kernel, Kernel::Jit(_)) => phases.push(Phase::Shared(at)),
            _ => match phases.last_mut() {
                Some(Phase::Alone(range)) => range.end = at + 1,
                _ => phases.push(Phase::Alone(at..at + 1)),
            },
        }
        at += 1;
    }
    phases
}

/// One run of a program, as its threads see it.
struct Run {
    calls: Arc<[Call]>,
    phases: Arc<[Phase]>,
    pointers: Vec<*mut u8>,
    isa: Isa,
    /// Nanoseconds of each call, added over threads, if they are wanted.
    times: Vec<AtomicU64>,
    seed: u64,
    step: u64,
}

// SAFETY: pieces of a phase write to places of their own, and to scratch of their thread's own; a phase begins when
// the one before it is done. The pointers are good while pieces are left: the program waits for the last one.
unsafe impl Send for Run {}
// SAFETY: as above.
unsafe impl Sync for Run {}

impl Pieces for Run {
    fn piece(&self, phase: usize, share: Share, thread: usize) {
        let _flush = FlushSubnormals::new();
        let mut table = Vec::with_capacity(16);
        let mut call = |i: usize, part: usize, share: Share| {
            let start = (!self.times.is_empty()).then(Instant::now);
            self.call(i, part, share, thread, &mut table);
            if let Some(start) = start {
                self.times[i].fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
            }
        };
        match &self.phases[phase] {
            Phase::Alone(range) => range.clone().for_each(|i| call(i, 0, Share::ALL)),
            Phase::Parts(range, _) => range.clone().for_each(|i| call(i, share.index, Share::ALL)),
            Phase::Shared(i) => call(*i, 0, share),
        }
    }
}

impl Run {
    /// One launch for one of its parts, or a share of it.
    fn call(&self, i: usize, part: usize, share: Share, thread: usize, table: &mut Vec<*mut u8>) {
        let call = &self.calls[i];
        table.clear();
        let slots = call.buffers.iter().zip(&call.strides);
        table.extend(slots.map(|(&b, stride)| self.pointers[b].wrapping_add(part * stride * 4)));
        match &call.code {
            // SAFETY: each slot's buffer has room for its tensor, whose places are all that a kernel touches, and
            // results do not overlap the operands of contractions.
            Code::Kernel(kernel) => unsafe {
                let slot = |i: usize| -> *mut f32 { table[i].cast() };
                match &**kernel {
                    Kernel::Jit(jit) => jit.run(table.as_ptr()),
                    Kernel::Rows(plan) => {
                        let scratch = slot(3).add(thread * call.scratch);
                        kernels::rows(self.isa, plan, share, slot(0), slot(1), slot(2), scratch);
                    }
                    Kernel::Dots(plan) => {
                        let scratch = slot(3).add(thread * call.scratch);
                        kernels::dots(self.isa, plan, share, slot(0), slot(1), slot(2), scratch);
                    }
                    Kernel::Window(plan, fold) => {
                        let numbers = table.get(2).map_or(std::ptr::null(), |p| p.cast_const().cast());
                        windows::run(self.isa, plan, share, *fold, slot(0), slot(1), numbers);
                    }
                }
            },
            // SAFETY: the buffer has that many elements.
            Code::Zero { elements } => unsafe { std::ptr::write_bytes(table[0], 0, elements * 4) },
            Code::Random { stream, layout } => {
                // SAFETY: the buffer has room for the layout.
                let to = unsafe { std::slice::from_raw_parts_mut(table[0].cast(), layout.size) };
                random(self.seed, *stream, self.step, layout, to);
            }
        }
    }
}

impl Program for CpuProgram {
    fn run(&mut self, feed: &Feed, memory: &mut dyn Memory) -> Result<Vec<crate::exec::Tensor>, ExecError> {
        let memory = memory
            .as_any()
            .downcast_mut::<CpuMemory>()
            .ok_or_else(|| ExecError::Internal("memory of another executor".to_owned()))?;
        let size = self.size;
        let base = self.arena.get_or_insert_with(|| fresh(&self.cache, size)).base();
        self.pointers.clear();
        for offset in &self.offsets {
            // SAFETY: offsets lie inside of the arena.
            self.pointers.push(offset.map_or(std::ptr::null_mut(), |o| unsafe { base.add(o * 4) }));
        }
        for (name, shape, buffer) in &self.persistent {
            let stored =
                memory.find(name).ok_or_else(|| ExecError::Input(format!("the memory has no tensor `{name}`")))?;
            if stored.shape != *shape {
                return Err(ExecError::Input(format!(
                    "`{name}` has shape {:?} in memory, but the program wants {shape:?}",
                    stored.shape
                )));
            }
            self.pointers[*buffer] = stored.data.base();
        }
        for port in &self.given {
            if self.offsets[port.buffer].is_none() {
                continue;
            }
            let to = self.pointers[port.buffer];
            if let Some(initial) = port.knob {
                let x = feed.knobs.iter().find(|k| k.0 == port.name).map_or(initial, |k| k.1);
                let t =
                    crate::exec::Tensor::float(&port.layout.shape, vec![x as f32; port.layout.shape.iter().product()]);
                // SAFETY: the plan gave the port's buffer room for its layout.
                unsafe { port.layout.write(&t, to) };
                continue;
            }
            let t = feed
                .data
                .iter()
                .find(|d| d.0 == port.name)
                .ok_or_else(|| ExecError::Input(format!("no value is given for the input `{}`", port.name)))?
                .1;
            if t.shape != port.layout.shape || t.dtype() != port.dtype {
                return Err(ExecError::Input(format!(
                    "the input `{}` has shape {:?} ({:?}), but the program wants {:?} ({:?})",
                    port.name,
                    t.shape,
                    t.dtype(),
                    port.layout.shape,
                    port.dtype
                )));
            }
            // SAFETY: as above.
            unsafe { port.layout.write(t, to) };
        }
        self.calls(feed);
        Ok(self
            .outputs
            .iter()
            // SAFETY: outputs live to the end of the run, with room for their layout.
            .map(|o| unsafe { o.layout.read(o.dtype, self.pointers[o.buffer]) })
            .collect())
    }

    fn scratch_bytes(&self) -> u64 {
        (self.alone + layout::SLACK) as u64 * 4
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for c in self.calls.iter() {
            let times = if c.parts > 1 { format!("{} × ", c.parts) } else { String::new() };
            let _ = writeln!(text, "{times}{}  buffers {:?}  {}", describe(&c.work), c.buffers, c.label);
        }
        let _ = writeln!(
            text,
            "{} launches, {} bytes, {} of them needed at once",
            self.calls.len(),
            self.scratch_bytes(),
            self.live * 4
        );
        text
    }

    fn measure(&mut self, on: bool) {
        self.measured = on.then(|| vec![(0, 0, u64::MAX); self.calls.len()]);
    }

    fn timings(&self) -> Vec<Timing> {
        let Some(measured) = &self.measured else { return Vec::new() };
        let timing = |((c, m), bytes): ((&Call, &(u64, u64, u64)), &u64)| Timing {
            kernel: describe(&c.work),
            label: c.label.clone(),
            calls: m.0,
            nanoseconds: m.1,
            least: m.2,
            flops: c.parts as u64
                * match (&c.code, &c.work) {
                    (Code::Kernel(kernel), work) => match (&**kernel, work) {
                        (Kernel::Rows(rows), _) => rows.flops(),
                        (Kernel::Window(rows, _), _) => rows.flops() / 2,
                        (Kernel::Dots(dots), _) => dots.flops(),
                        (Kernel::Jit(_), Work::Nest(nest)) => nest.flops(),
                        (Kernel::Jit(_), _) => 0,
                    },
                    _ => 0,
                },
            bytes: *bytes,
        };
        self.calls.iter().zip(measured).zip(&self.bytes).map(timing).collect()
    }
}

/// Fills a tensor with [`draw`]s; what depends on the stream only is computed once.
fn random(seed: u64, stream: u64, step: u64, layout: &Layout, to: &mut [f32]) {
    const WEYL: u64 = 0x9e37_79b9_7f4a_7c15;
    let key = mix(seed ^ mix(stream ^ mix(step.wrapping_mul(WEYL))));
    debug_assert_eq!(draw(seed, stream, step, 7).to_bits(), element(key, 7).to_bits());
    layout.each(|i, o| to[o] = element(key, i as u64));
}

fn element(key: u64, i: u64) -> f32 {
    (mix(key.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15))) >> 40) as f32 * (1.0 / 16_777_216.0)
}

/// Takes subnormal numbers as 0 while it lives: they cost a hundred times as much, and mean nothing here.
struct FlushSubnormals {
    #[cfg(target_arch = "x86_64")]
    before: u32,
}

impl FlushSubnormals {
    #[cfg(target_arch = "x86_64")]
    fn new() -> Self {
        let mut before = 0u32;
        // SAFETY: reads the control register of vector arithmetic, which every x86-64 has.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut before, options(nostack)) };
        set_control(before | 0x8040);
        Self { before }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn new() -> Self {
        Self {}
    }
}

#[cfg(target_arch = "x86_64")]
fn set_control(x: u32) {
    // SAFETY: only the flush bits differ from the state that Rust expects, and they are restored after the run, in
    // which only generated code and kernels run that allow for them.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const x, options(nostack)) };
}

impl Drop for FlushSubnormals {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        set_control(self.before);
    }
}
