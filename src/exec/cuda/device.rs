//! A GPU: its context, memory, streams and events, each with its owner.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::sys::{CUdevice_attribute as A, CUevent_flags as F};
use cudarc::driver::{result, sys};

use super::driver::{self, Missing, failed};
use crate::exec::ExecError;

/// One GPU, shared by all that runs on it.
pub struct Device {
    /// As the driver calls it.
    pub name: String,
    /// Compute capability: 80 for 8.0.
    pub arch: u32,
    /// Multiprocessors.
    pub processors: usize,
    handle: sys::CUdevice,
    context: sys::CUcontext,
    /// For copies to and from the memory of no program; one at a time.
    stream: Mutex<sys::CUstream>,
    /// Memory of programs that are gone.
    free: Mutex<Vec<(sys::CUdeviceptr, usize)>>,
}

// SAFETY: handles of the driver may be used by any thread that has made the context current, which every call does; the
// stream and the list have their locks.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

/// So many blocks of memory are kept for later programs.
const KEPT: usize = 64;

impl Device {
    /// Starts using a GPU.
    pub fn open(ordinal: usize) -> Result<Arc<Self>, Missing> {
        let count = driver::driver()?;
        if ordinal >= count {
            return Err(Missing::Device(ordinal));
        }
        let fails = |e| Missing::Fails(driver::name(e));
        let handle = result::device::get(ordinal as i32).map_err(fails)?;
        let name = result::device::get_name(handle).map_err(fails)?;
        // SAFETY: the device is one of the driver's.
        let attribute = |a: A| unsafe { result::device::get_attribute(handle, a) }.map_err(fails);
        let major = attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)? as u32;
        let arch = major * 10 + attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)? as u32;
        if arch < 70 {
            return Err(Missing::Small(name, arch));
        }
        let processors = attribute(A::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)? as usize;
        // SAFETY: the device is one of the driver's; the context is released when the device is dropped.
        let context = unsafe { result::primary_ctx::retain(handle) }.map_err(fails)?;
        // SAFETY: the context was just retained.
        unsafe { result::ctx::set_current(context) }.map_err(fails)?;
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking).map_err(fails)?;
        Ok(Arc::new(Self {
            name,
            arch,
            processors,
            handle,
            context,
            stream: Mutex::new(stream),
            free: Mutex::new(Vec::new()),
        }))
    }

    /// Makes the context that of this thread; before every other call.
    pub fn enter(&self) -> Result<(), ExecError> {
        // SAFETY: the context lives as long as `self`.
        unsafe { result::ctx::set_current(self.context) }.map_err(failed)
    }

    /// Bytes that are free, and all, with those that are kept for later programs.
    pub fn memory(&self) -> Result<(u64, u64), ExecError> {
        self.enter()?;
        let (free, all) = result::mem_get_info().map_err(failed)?;
        let kept: usize = self.kept().iter().map(|b| b.1).sum();
        Ok(((free + kept) as u64, all as u64))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<(sys::CUdeviceptr, usize)>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bytes: usize) -> Option<(sys::CUdeviceptr, usize)> {
        let mut kept = self.kept();
        let fits = |b: &(sys::CUdeviceptr, usize)| b.1 >= bytes && b.1 / 2 <= bytes;
        let best = (0..kept.len()).filter(|&i| fits(&kept[i])).min_by_key(|&i| kept[i].1);
        best.map(|i| kept.swap_remove(i))
    }

    /// Copies to the device; done when it returns.
    pub fn upload<T>(&self, to: sys::CUdeviceptr, from: &[T]) -> Result<(), ExecError> {
        self.enter()?;
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the caller's buffer has room, and the copy is waited for while `from` is borrowed.
        unsafe {
            result::memcpy_htod_async(to, from, *stream).map_err(failed)?;
            result::stream::synchronize(*stream).map_err(failed)
        }
    }

    /// Copies from the device; done when it returns.
    pub fn download<T>(&self, to: &mut [T], from: sys::CUdeviceptr) -> Result<(), ExecError> {
        self.enter()?;
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as above.
        unsafe {
            result::memcpy_dtoh_async(to, from, *stream).map_err(failed)?;
            result::stream::synchronize(*stream).map_err(failed)
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.enter();
        for (p, _) in self.kept().drain(..) {
            // SAFETY: nobody has it any more.
            let _ = unsafe { result::free_sync(p) };
        }
        // SAFETY: all that used the stream and the context held the device.
        unsafe {
            let _ = result::stream::destroy(*self.stream.lock().unwrap_or_else(PoisonError::into_inner));
            let _ = result::primary_ctx::release(self.handle);
        }
    }
}

/// Memory of a device.
pub struct Buffer {
    device: Arc<Device>,
    /// The first byte.
    pub at: sys::CUdeviceptr,
    bytes: usize,
    pooled: bool,
}

impl Buffer {
    /// Room for so many bytes, with any contents. What is pooled goes back to the device's list, for later programs.
    pub fn new(device: &Arc<Device>, bytes: usize, pooled: bool) -> Result<Self, ExecError> {
        device.enter()?;
        let bytes = bytes.max(1).next_multiple_of(if pooled { 1 << 16 } else { 4 });
        let kept = if pooled { device.take(bytes) } else { None };
        let (at, bytes) = if let Some(b) = kept {
            b
        } else {
            // SAFETY: the memory is freed by the drop below, or with the device.
            match unsafe { result::malloc_sync(bytes) } {
                Ok(at) => (at, bytes),
                Err(e) if e.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                    // What is kept may be what is missing.
                    for (p, _) in device.kept().drain(..) {
                        // SAFETY: nobody has it any more.
                        let _ = unsafe { result::free_sync(p) };
                    }
                    // SAFETY: as above.
                    let again = unsafe { result::malloc_sync(bytes) };
                    let limit = result::mem_get_info().map_or(0, |m| m.0 as u64);
                    (again.map_err(|_| ExecError::Memory { needed: bytes as u64, limit })?, bytes)
                }
                Err(e) => return Err(failed(e)),
            }
        };
        Ok(Self { device: device.clone(), at, bytes, pooled })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let _ = self.device.enter();
        if self.pooled {
            let mut kept = self.device.kept();
            if kept.len() < KEPT {
                kept.push((self.at, self.bytes));
                return;
            }
        }
        // SAFETY: it was allocated by `new`, and everything that used it has been waited for.
        let _ = unsafe { result::free_sync(self.at) };
    }
}

/// Memory of the host that the device copies from by itself.
pub struct Pinned {
    device: Arc<Device>,
    at: *mut u8,
    len: usize,
}

// SAFETY: it is plain memory with one owner.
unsafe impl Send for Pinned {}

impl Pinned {
    /// Zeros.
    pub fn new(device: &Arc<Device>, bytes: usize) -> Result<Self, ExecError> {
        device.enter()?;
        let len = bytes.max(16);
        // SAFETY: freed by the drop below.
        let at = unsafe { result::malloc_host(len, 0) }.map_err(failed)?.cast::<u8>();
        // SAFETY: it has so many bytes.
        unsafe { std::ptr::write_bytes(at, 0, len) };
        Ok(Self { device: device.clone(), at, len })
    }

    /// Its bytes. The caller has waited for the copies that use them.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: it has so many initialized bytes, and one owner.
        unsafe { std::slice::from_raw_parts_mut(self.at, self.len) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = self.device.enter();
        // SAFETY: it was allocated by `new`.
        let _ = unsafe { result::free_host(self.at.cast::<c_void>()) };
    }
}

/// A queue of work.
pub struct Stream {
    device: Arc<Device>,
    /// The driver's.
    pub raw: sys::CUstream,
}

// SAFETY: see `Device`.
unsafe impl Send for Stream {}

impl Stream {
    /// One that waits for no other.
    pub fn new(device: &Arc<Device>) -> Result<Self, ExecError> {
        device.enter()?;
        let raw = result::stream::create(result::stream::StreamKind::NonBlocking).map_err(failed)?;
        Ok(Self { device: device.clone(), raw })
    }

    /// Returns when all of it is done.
    pub fn wait(&self) -> Result<(), ExecError> {
        // SAFETY: the stream lives.
        unsafe { result::stream::synchronize(self.raw) }.map_err(failed)
    }

    /// What is queued from now on happens after the event.
    pub fn after(&self, e: &Event) -> Result<(), ExecError> {
        // SAFETY: both live.
        unsafe { result::stream::wait_event(self.raw, e.raw, sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT) }
            .map_err(failed)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.device.enter();
        // SAFETY: it is used by its owner only.
        unsafe {
            let _ = result::stream::synchronize(self.raw);
            let _ = result::stream::destroy(self.raw);
        }
    }
}

/// A point of a stream.
pub struct Event {
    device: Arc<Device>,
    raw: sys::CUevent,
}

// SAFETY: see `Device`.
unsafe impl Send for Event {}

impl Event {
    /// Nowhere; one that measures keeps its time.
    pub fn new(device: &Arc<Device>, measures: bool) -> Result<Self, ExecError> {
        device.enter()?;
        let flags = if measures { F::CU_EVENT_DEFAULT } else { F::CU_EVENT_DISABLE_TIMING };
        Ok(Self { device: device.clone(), raw: result::event::create(flags).map_err(failed)? })
    }

    /// Here.
    pub fn record(&self, s: &Stream) -> Result<(), ExecError> {
        // SAFETY: both live.
        unsafe { result::event::record(self.raw, s.raw) }.map_err(failed)
    }

    /// Returns when it has been reached.
    pub fn wait(&self) -> Result<(), ExecError> {
        // SAFETY: it lives.
        unsafe { result::event::synchronize(self.raw) }.map_err(failed)
    }

    /// Nanoseconds from this event to a later one, both reached.
    pub fn until(&self, later: &Event) -> u64 {
        // SAFETY: both live.
        let ms = unsafe { result::event::elapsed(self.raw, later.raw) }.unwrap_or(0.0);
        (f64::from(ms) * 1e6) as u64
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let _ = self.device.enter();
        // SAFETY: it is used by its owner only.
        let _ = unsafe { result::event::destroy(self.raw) };
    }
}
