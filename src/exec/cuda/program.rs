//! A compiled graph on a device: buffers by liveness, launches in order, the whole captured as a CUDA graph.
//!
//! What a run is given (data, knobs, seed and step) is one block of bytes: it is written to pinned memory, copied to the
//! device on a stream of its own, and from there to the place where the launches read it. So the data of the next run can
//! be on its way while this one computes.

use std::fmt::Write;
use std::sync::Arc;

use cudarc::driver::sys::CUstreamCaptureMode as Mode;
use cudarc::driver::{result, sys};

use super::device::{Buffer, Device, Event, Pinned, Stream};
use super::driver::failed;
use super::kernels::{Kernels, Loaded};
use super::memory::CudaMemory;
use crate::exec::cpu::layout::Layout;
use crate::exec::cpu::plan;
use crate::exec::cpu::schedule::{Home, Launch, Schedule, Target, Work, lower_copy, schedule};
use crate::exec::{Batch, Data, ExecError, Feed, Memory, Program, Tensor, Timing};
use crate::graph::{DType, Graph, NodeId, Role};

/// Where the bytes of a buffer are.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the program's block, at this byte.
    Arena(usize),
    /// In a block of its own.
    Own(usize),
    /// In what a run is given, at this byte.
    Given(usize),
    /// A persistent tensor, by its number.
    Persistent(usize),
    /// No launch needs it.
    Nowhere,
}

struct Call {
    /// None for zeros.
    code: Option<Arc<Loaded>>,
    /// Of each parameter.
    buffers: Vec<usize>,
    /// Bytes of its tensors.
    bytes: u64,
    label: String,
}

/// A tensor that crosses the border of the program.
struct Port {
    name: String,
    shape: Vec<usize>,
    dtype: DType,
    /// In what a run is given.
    at: usize,
    knob: Option<f64>,
}

struct Output {
    buffer: usize,
    layout: Layout,
    dtype: DType,
    /// In the pinned memory of results.
    at: usize,
}

/// A captured run.
struct Captured {
    exec: sys::CUgraphExec,
    /// The persistent tensors that it works on.
    persistent: Vec<sys::CUdeviceptr>,
}

// SAFETY: it is launched and destroyed by its owner only.
unsafe impl Send for Captured {}

impl Drop for Captured {
    fn drop(&mut self) {
        // SAFETY: its launches have been waited for.
        let _ = unsafe { result::graph::exec_destroy(self.exec) };
    }
}

/// What a program has on the device once it runs.
struct Resident {
    arena: Option<Buffer>,
    own: Vec<Buffer>,
    /// What the launches read, and what is on its way.
    given: Buffer,
    coming: Buffer,
    sent: Pinned,
    results: Pinned,
    compute: Stream,
    copies: Stream,
    /// `coming` is filled; it has been taken.
    arrived: Event,
    taken: Event,
}

/// A program of the executor.
pub struct CudaProgram {
    // Dropped first: what was captured uses what follows.
    captured: Option<Captured>,
    resident: Option<Resident>,
    device: Arc<Device>,
    /// Holds the modules.
    _kernels: Arc<Kernels>,
    calls: Vec<Call>,
    places: Vec<Place>,
    persistent: Vec<(String, Vec<usize>)>,
    ports: Vec<Port>,
    outputs: Vec<Output>,
    /// Bytes of each.
    arena: usize,
    own: Vec<usize>,
    given: usize,
    results: usize,
    runs: u64,
    /// The data of the next run was sent.
    staged: bool,
    measured: Option<Vec<(u64, u64, u64)>>,
}

/// Seed and step, which random draws read.
const RUN_BYTES: usize = 16;

fn aligned(n: usize) -> usize {
    n.next_multiple_of(64)
}

fn write(to: &mut [u8], from: impl Iterator<Item = [u8; 4]>) {
    for (to, x) in to.chunks_exact_mut(4).zip(from) {
        to.copy_from_slice(&x);
    }
}

/// Whether a tensor's layout is the row-major one in which it is given.
pub fn as_it_comes(layout: &Layout) -> bool {
    layout.same_places(&Layout { size: layout.size, ..Layout::new(&layout.shape, None) })
        && layout.size == layout.shape.iter().product::<usize>()
}

impl CudaProgram {
    /// Compiles a graph. `apart` gives each buffer memory of its own, so that tools that watch the borders of memory
    /// see them.
    pub fn new(
        graph: &Graph,
        device: &Arc<Device>,
        kernels: &Arc<Kernels>,
        limit: Option<u64>,
        apart: bool,
    ) -> Result<Self, ExecError> {
        let Schedule { mut launches, mut buffers, places: of_node, outputs, .. } = schedule(graph, Target::Threads)?;
        let mut fixed: Vec<Option<Place>> = vec![None; buffers.len()];
        let (mut persistent, mut ports, mut before) = (Vec::new(), Vec::new(), Vec::new());
        let mut given = aligned(RUN_BYTES);
        for (id, input) in graph.inputs() {
            let node = graph.node(id);
            let Some((buffer, layout)) = of_node[id.0 as usize].clone() else { continue };
            let knob = match input.role {
                Role::Param(_) | Role::State(_) => {
                    fixed[buffer] = Some(Place::Persistent(persistent.len()));
                    persistent.push((input.name.clone(), node.shape.clone()));
                    continue;
                }
                Role::Data => None,
                Role::Knob(x) => Some(x),
            };
            let plain = Arc::new(Layout::new(&node.shape, None));
            let at = given;
            given = aligned(given + plain.size * 4);
            if as_it_comes(&layout) {
                fixed[buffer] = Some(Place::Given(at));
            } else if buffers[buffer].first != usize::MAX {
                // Row-major as it comes; a launch puts it into its layout.
                fixed.push(Some(Place::Given(at)));
                buffers.push(crate::exec::cpu::schedule::Buffer {
                    size: plain.size,
                    home: Home::Arena,
                    first: 0,
                    last: 0,
                });
                let from = (buffers.len() - 1, plain, node.dtype);
                before.push(lower_copy(Target::Threads, &from, &(buffer, layout), &input.name));
            }
            ports.push(Port { name: input.name.clone(), shape: node.shape.clone(), dtype: node.dtype, at, knob });
        }
        let shift = before.len();
        for b in &mut buffers {
            if b.first != usize::MAX {
                b.first = if b.first == 0 { 0 } else { b.first + shift };
                b.last += shift;
            }
        }
        launches.splice(0..0, before);
        // Seed and step.
        fixed.push(Some(Place::Given(0)));
        buffers.push(crate::exec::cpu::schedule::Buffer { size: 4, home: Home::Arena, first: 0, last: 0 });
        let run = buffers.len() - 1;
        let works: Vec<&Work> = launches.iter().map(|l| &l.work).collect();
        let codes = kernels.of(&works)?;
        let mut calls = Vec::with_capacity(launches.len());
        for (i, (Launch { work, slots, label, .. }, code)) in launches.into_iter().zip(codes).enumerate() {
            let mut slots = slots;
            let bytes = slots.iter().map(|&b| buffers[b].size as u64 * 4).sum();
            if let Work::Random { .. } = work {
                slots.push(run);
            }
            if let Some(c) = code.as_ref().filter(|c| c.kernel.scratch > 0) {
                slots.push(buffers.len());
                fixed.push(None);
                let size = c.kernel.scratch;
                buffers.push(crate::exec::cpu::schedule::Buffer { size, home: Home::Arena, first: i, last: i });
            }
            calls.push(Call { code, buffers: slots, bytes, label });
        }
        for (b, f) in buffers.iter_mut().zip(&fixed) {
            if f.is_some() {
                b.home = Home::Persistent(NodeId(0));
            }
        }
        let plan = plan::plan(&buffers);
        let mut own = Vec::new();
        let places = (0..buffers.len())
            .map(|b| match (fixed[b], plan.offsets[b]) {
                (Some(p), _) => p,
                (None, None) => Place::Nowhere,
                (None, Some(_)) if apart => {
                    own.push(buffers[b].size.max(1) * 4);
                    Place::Own(own.len() - 1)
                }
                (None, Some(at)) => Place::Arena(at * 4),
            })
            .collect();
        let mut results = 0;
        let outputs = graph
            .outputs
            .iter()
            .zip(outputs)
            .map(|((_, id), (buffer, layout))| {
                let at = results;
                results = aligned(results + layout.size * 4);
                Output { buffer, layout: (*layout).clone(), dtype: graph.node(*id).dtype, at }
            })
            .collect();
        let arena = if apart { 0 } else { plan.size * 4 };
        let this = Self {
            captured: None,
            resident: None,
            device: device.clone(),
            _kernels: kernels.clone(),
            calls,
            places,
            persistent,
            ports,
            outputs,
            arena,
            own,
            given,
            results,
            runs: 0,
            staged: false,
            measured: None,
        };
        let needed = this.scratch_bytes() + graph.lasting_bytes();
        if let Some(limit) = limit
            && needed > limit
        {
            return Err(ExecError::Memory { needed, limit });
        }
        Ok(this)
    }

    fn resident(&self) -> Result<Resident, ExecError> {
        let d = &self.device;
        Ok(Resident {
            arena: if self.arena > 0 { Some(Buffer::new(d, self.arena, true)?) } else { None },
            own: self.own.iter().map(|&n| Buffer::new(d, n, false)).collect::<Result<_, _>>()?,
            given: Buffer::new(d, self.given, !self.apart())?,
            coming: Buffer::new(d, self.given, !self.apart())?,
            sent: Pinned::new(d, self.given)?,
            results: Pinned::new(d, self.results)?,
            compute: Stream::new(d)?,
            copies: Stream::new(d)?,
            arrived: Event::new(d, false)?,
            taken: Event::new(d, false)?,
        })
    }

    fn apart(&self) -> bool {
        !self.own.is_empty()
    }

    /// Writes data into pinned memory and sends it on its way.
    fn send(&mut self, data: &[(&str, &Tensor)], only: impl Fn(&Port) -> bool) -> Result<(), ExecError> {
        let Some(r) = &mut self.resident else { return Ok(()) };
        // The copy before may still read it.
        r.arrived.wait()?;
        let bytes = r.sent.bytes();
        for port in self.ports.iter().filter(|p| p.knob.is_none() && only(p)) {
            let t = data
                .iter()
                .find(|d| d.0 == port.name)
                .ok_or_else(|| ExecError::Input(format!("no value is given for the input `{}`", port.name)))?
                .1;
            if t.shape != port.shape || t.dtype() != port.dtype {
                return Err(ExecError::Input(format!(
                    "the input `{}` has shape {:?} ({:?}), but the program wants {:?} ({:?})",
                    port.name,
                    t.shape,
                    t.dtype(),
                    port.shape,
                    port.dtype
                )));
            }
            let len = t.shape.iter().product::<usize>() * 4;
            let to = &mut bytes[port.at..port.at + len];
            match &t.data {
                Data::Float(v) => write(to, v.iter().map(|x| x.to_ne_bytes())),
                Data::Int(v) => write(to, v.iter().map(|x| x.to_ne_bytes())),
            }
        }
        Ok(())
    }

    /// What the launches of a run are given besides data.
    fn numbers(&mut self, feed: &Feed) {
        let Some(r) = &mut self.resident else { return };
        let bytes = r.sent.bytes();
        bytes[..8].copy_from_slice(&feed.seed.to_ne_bytes());
        bytes[8..16].copy_from_slice(&feed.step.to_ne_bytes());
        for port in &self.ports {
            if let Some(initial) = port.knob {
                let x = feed.knobs.iter().find(|k| k.0 == port.name).map_or(initial, |k| k.1) as f32;
                for to in bytes[port.at..port.at + port.shape.iter().product::<usize>() * 4].chunks_exact_mut(4) {
                    to.copy_from_slice(&x.to_ne_bytes());
                }
            }
        }
    }

    /// From pinned memory to the device, on the stream of copies.
    fn copy(&mut self, from: usize, to: usize) -> Result<(), ExecError> {
        let Some(r) = &mut self.resident else { return Ok(()) };
        // The run before may not have taken what is there.
        r.copies.after(&r.taken)?;
        let at = r.coming.at + from as u64;
        // SAFETY: both have that many bytes, and neither is touched before `arrived`.
        unsafe { result::memcpy_htod_async(at, &r.sent.bytes()[from..to], r.copies.raw) }.map_err(failed)?;
        r.arrived.record(&r.copies)
    }

    fn pointers(&self, persistent: &[sys::CUdeviceptr]) -> Vec<sys::CUdeviceptr> {
        let Some(r) = &self.resident else { return Vec::new() };
        let of = |p: &Place| match p {
            Place::Arena(at) => r.arena.as_ref().map_or(0, |a| a.at) + *at as u64,
            Place::Own(i) => r.own[*i].at,
            Place::Given(at) => r.given.at + *at as u64,
            Place::Persistent(i) => persistent[*i],
            Place::Nowhere => 0,
        };
        self.places.iter().map(of).collect()
    }

    /// Queues launch `i` on the stream of computation.
    fn call(&self, i: usize, pointers: &[sys::CUdeviceptr]) -> Result<(), ExecError> {
        let (call, Some(r)) = (&self.calls[i], &self.resident) else { return Ok(()) };
        let Some(code) = &call.code else {
            // SAFETY: the buffer has so many bytes.
            return unsafe {
                result::memset_d8_async(pointers[call.buffers[0]], 0, call.bytes as usize, r.compute.raw)
            }
            .map_err(failed);
        };
        let mut values: Vec<sys::CUdeviceptr> = call.buffers.iter().map(|&b| pointers[b]).collect();
        let mut list: Vec<*mut std::ffi::c_void> = values.iter_mut().map(|v| std::ptr::from_mut(v).cast()).collect();
        for (e, f) in code.kernel.entries.iter().zip(&code.functions) {
            // SAFETY: the function was generated with these parameters, whose buffers have room for all that it touches.
            unsafe { result::launch_kernel(*f, (e.grid, 1, 1), (e.block, 1, 1), 0, r.compute.raw, &mut list) }
                .map_err(failed)?;
        }
        Ok(())
    }

    fn capture(&self, pointers: &[sys::CUdeviceptr], persistent: &[sys::CUdeviceptr]) -> Result<Captured, ExecError> {
        let Some(r) = &self.resident else { return Err(ExecError::Internal("nothing to capture".to_owned())) };
        // SAFETY: the stream lives; what is captured stays valid while `Captured` does.
        unsafe {
            result::stream::begin_capture(r.compute.raw, Mode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).map_err(failed)?;
            let queued = (0..self.calls.len()).try_for_each(|i| self.call(i, pointers));
            let graph = result::stream::end_capture(r.compute.raw).map_err(failed);
            queued?;
            let graph = graph?;
            let exec = result::graph::instantiate(graph, sys::CUgraphInstantiate_flags(0)).map_err(failed);
            let _ = result::graph::destroy(graph);
            Ok(Captured { exec: exec?, persistent: persistent.to_vec() })
        }
    }

    /// All launches: the first time one by one, then as one graph.
    fn launch(&mut self, persistent: &[sys::CUdeviceptr]) -> Result<(), ExecError> {
        let pointers = self.pointers(persistent);
        if let Some(mut measured) = self.measured.take() {
            let outcome = self.launch_measured(&pointers, &mut measured);
            self.measured = Some(measured);
            return outcome;
        }
        self.runs += 1;
        if self.runs == 1 {
            return (0..self.calls.len()).try_for_each(|i| self.call(i, &pointers));
        }
        if self.captured.as_ref().is_none_or(|c| c.persistent != persistent) {
            self.captured = None;
            self.captured = Some(self.capture(&pointers, persistent)?);
        }
        let (Some(c), Some(r)) = (&self.captured, &self.resident) else { return Ok(()) };
        // SAFETY: both live.
        unsafe { result::graph::launch(c.exec, r.compute.raw) }.map_err(failed)
    }

    fn launch_measured(
        &self,
        pointers: &[sys::CUdeviceptr],
        measured: &mut [(u64, u64, u64)],
    ) -> Result<(), ExecError> {
        let Some(r) = &self.resident else { return Ok(()) };
        let (begun, ended) = (Event::new(&self.device, true)?, Event::new(&self.device, true)?);
        for (i, m) in measured.iter_mut().enumerate() {
            begun.record(&r.compute)?;
            self.call(i, pointers)?;
            ended.record(&r.compute)?;
            ended.wait()?;
            let ns = begun.until(&ended);
            *m = (m.0 + 1, m.1 + ns, m.2.min(ns));
        }
        Ok(())
    }

    fn run_and(
        &mut self,
        feed: &Feed,
        memory: &mut dyn Memory,
        meanwhile: &mut dyn FnMut() -> Batch,
    ) -> Result<(Vec<Tensor>, Batch), ExecError> {
        self.device.enter()?;
        let memory = memory
            .as_any()
            .downcast_mut::<CudaMemory>()
            .ok_or_else(|| ExecError::Internal("memory of another executor".to_owned()))?;
        if let Some(e) = memory.trouble.take() {
            return Err(e);
        }
        let mut persistent = Vec::with_capacity(self.persistent.len());
        for (name, shape) in &self.persistent {
            let stored =
                memory.find(name).ok_or_else(|| ExecError::Input(format!("the memory has no tensor `{name}`")))?;
            if stored.shape != *shape {
                return Err(ExecError::Input(format!(
                    "`{name}` has shape {:?} in memory, but the program wants {shape:?}",
                    stored.shape
                )));
            }
            persistent.push(stored.buffer.at);
        }
        if self.resident.is_none() {
            let mut needed = self.resident();
            if let Err(ExecError::Memory { needed, .. }) = &mut needed {
                *needed = self.scratch_bytes();
            }
            self.resident = Some(needed?);
        }
        let known = feed.staged && std::mem::take(&mut self.staged);
        if !known {
            self.send(&feed.data, |_| true)?;
        } else if let Some(r) = &mut self.resident {
            r.arrived.wait()?;
        }
        self.numbers(feed);
        // Data that came ahead is there; the few numbers are not.
        let few = self.ports.iter().filter(|p| p.knob.is_none()).map(|p| p.at).min().unwrap_or(self.given);
        if known {
            self.copy(0, few)?;
            for at in self.ports.iter().filter(|p| p.knob.is_some() && p.at >= few).map(|p| p.at).collect::<Vec<_>>() {
                self.copy(at, at + 4)?;
            }
        } else {
            self.copy(0, self.given)?;
        }
        let Some(r) = &self.resident else { return Ok((Vec::new(), Vec::new())) };
        r.compute.after(&r.arrived)?;
        // SAFETY: both blocks have so many bytes; the stream orders the copy before the launches.
        unsafe { result::memcpy_dtod_async(r.given.at, r.coming.at, self.given, r.compute.raw) }.map_err(failed)?;
        r.taken.record(&r.compute)?;
        self.launch(&persistent)?;
        let pointers = self.pointers(&persistent);
        let Some(r) = &mut self.resident else { return Ok((Vec::new(), Vec::new())) };
        for o in &self.outputs {
            let to = &mut r.results.bytes()[o.at..o.at + o.layout.size * 4];
            // SAFETY: nobody looks at the results before the stream is waited for.
            unsafe { result::memcpy_dtoh_async(to, pointers[o.buffer], r.compute.raw) }.map_err(failed)?;
        }
        let next = meanwhile();
        if !next.is_empty() {
            let data: Vec<(&str, &Tensor)> = next.iter().map(|(n, t)| (n.as_str(), t)).collect();
            self.send(&data, |_| true)?;
            self.copy(few, self.given)?;
            self.staged = true;
        }
        let Some(r) = &mut self.resident else { return Ok((Vec::new(), Vec::new())) };
        r.compute.wait()?;
        let bytes = r.results.bytes();
        let outputs = self
            .outputs
            .iter()
            // SAFETY: the bytes are aligned to 64, initialized, and as many as the layout has.
            .map(|o| unsafe { o.layout.read(o.dtype, bytes[o.at..].as_ptr()) })
            .collect();
        Ok((outputs, next))
    }
}

impl Drop for CudaProgram {
    fn drop(&mut self) {
        let _ = self.device.enter();
        if let Some(r) = &self.resident {
            // What is queued uses the buffers.
            let _ = r.copies.wait();
            let _ = r.compute.wait();
        }
    }
}

impl Program for CudaProgram {
    fn run(&mut self, feed: &Feed, memory: &mut dyn Memory) -> Result<Vec<Tensor>, ExecError> {
        self.run_and(feed, memory, &mut Vec::new).map(|r| r.0)
    }

    fn run_ahead(
        &mut self,
        feed: &Feed,
        memory: &mut dyn Memory,
        next: &mut dyn FnMut() -> Batch,
    ) -> Result<(Vec<Tensor>, Batch), ExecError> {
        self.run_and(feed, memory, next)
    }

    fn scratch_bytes(&self) -> u64 {
        (self.arena + self.own.iter().sum::<usize>() + 2 * self.given) as u64
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for c in &self.calls {
            let what = c.code.as_ref().map_or("zero", |k| k.kernel.what.as_str());
            let _ = writeln!(text, "{what}  buffers {:?}  {}", c.buffers, c.label);
        }
        let _ = writeln!(text, "{} launches, {} bytes", self.calls.len(), self.scratch_bytes());
        text
    }

    fn measure(&mut self, on: bool) {
        self.measured = on.then(|| vec![(0, 0, u64::MAX); self.calls.len()]);
    }

    fn timings(&self) -> Vec<Timing> {
        let Some(measured) = &self.measured else { return Vec::new() };
        let timing = |(c, m): (&Call, &(u64, u64, u64))| Timing {
            kernel: c.code.as_ref().map_or_else(|| "zero".to_owned(), |k| k.kernel.what.clone()),
            label: c.label.clone(),
            calls: m.0,
            nanoseconds: m.1,
            least: m.2,
            flops: c.code.as_ref().map_or(0, |k| k.kernel.flops),
            bytes: c.bytes,
        };
        self.calls.iter().zip(measured).map(timing).collect()
    }
}
