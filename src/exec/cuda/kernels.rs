//! Kernels that are loaded on a device, shared by all of its programs.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use cudarc::driver::{result, sys};

use super::compile::{Compiled, Disk, nvrtc};
use super::device::Device;
use super::driver::{self, failed};
use super::kernel::{Kernel, Options, kernel, key};
use crate::exec::ExecError;
use crate::exec::cpu::schedule::Work;

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Kernels that are loaded.
    pub kernels: u64,
    /// Kernels that NVRTC compiled.
    pub compiled: u64,
    /// Kernels whose code was found on disk.
    pub found: u64,
    /// Programs whose PTX the driver had to compile, since it does not know their code.
    pub fallbacks: u64,
    /// Nanoseconds of NVRTC, summed over threads.
    pub compile_ns: u64,
}

struct Module {
    device: Arc<Device>,
    raw: sys::CUmodule,
}

// SAFETY: modules are loaded and unloaded by their owners only, under the context of the device.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

impl Drop for Module {
    fn drop(&mut self) {
        let _ = self.device.enter();
        // SAFETY: all programs that used its functions are gone, and waited for their work.
        let _ = unsafe { result::module::unload(self.raw) };
    }
}

/// A kernel that can be launched.
pub struct Loaded {
    /// What it is, without its text.
    pub kernel: Kernel,
    /// For each entry of the kernel.
    pub functions: Vec<sys::CUfunction>,
    _module: Arc<Module>,
}

// SAFETY: functions belong to the module, which lives as long; launching them changes neither.
unsafe impl Send for Loaded {}
// SAFETY: as above.
unsafe impl Sync for Loaded {}

/// See the module documentation.
pub struct Kernels {
    device: Arc<Device>,
    options: Options,
    disk: Option<Disk>,
    turn: Mutex<()>,
    loaded: Mutex<BTreeMap<u128, Arc<Loaded>>>,
    modules: Mutex<BTreeMap<u128, Arc<Module>>>,
    compiled: AtomicU64,
    found: AtomicU64,
    fallbacks: AtomicU64,
    compile_ns: AtomicU64,
}

/// Kernels of one program of NVRTC.
const TOGETHER: usize = 12;

impl Kernels {
    /// None yet.
    pub fn new(device: Arc<Device>, options: Options, disk: Option<Disk>) -> Self {
        Self {
            device,
            options,
            disk,
            turn: Mutex::default(),
            loaded: Mutex::default(),
            modules: Mutex::default(),
            compiled: AtomicU64::new(0),
            found: AtomicU64::new(0),
            fallbacks: AtomicU64::new(0),
            compile_ns: AtomicU64::new(0),
        }
    }

    /// The kernels of launches; none for what the driver does itself.
    pub fn of(&self, works: &[&Work]) -> Result<Vec<Option<Arc<Loaded>>>, ExecError> {
        let keys: Vec<u128> = works.iter().map(|w| key(w, &self.options)).collect();
        let warm = |loaded: &BTreeMap<u128, Arc<Loaded>>| {
            let known = |(k, w): (&u128, &&Work)| matches!(w, Work::Zero) || loaded.contains_key(k);
            keys.iter().zip(works).all(known).then(|| keys.iter().map(|k| loaded.get(k).cloned()).collect())
        };
        if let Some(all) = warm(&self.loaded.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(all);
        }
        // One at a time, so that no kernel is compiled twice; the many of one call are compiled in parallel.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let missing: BTreeMap<u128, Kernel> = {
            let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            let mut missing = BTreeMap::new();
            for (k, w) in keys.iter().zip(works) {
                if !loaded.contains_key(k) && !missing.contains_key(k) && !matches!(w, Work::Zero) {
                    let made = kernel(w, &self.options)
                        .ok_or_else(|| ExecError::Internal("a launch that is not for threads".to_owned()))?;
                    missing.insert(*k, made);
                }
            }
            missing
        };
        if !missing.is_empty() {
            self.load(missing)?;
        }
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(keys.iter().map(|k| loaded.get(k).cloned()).collect())
    }

    fn load(&self, missing: BTreeMap<u128, Kernel>) -> Result<(), ExecError> {
        self.device.enter()?;
        let mut wanted: Vec<(u128, u128, Kernel)> =
            missing.into_iter().map(|(k, m)| (k, Disk::key(&m.source, self.options.arch), m)).collect();
        if let Some(disk) = &self.disk {
            let mut rest = Vec::new();
            for (k, hash, m) in wanted {
                match self.on_disk(disk, hash) {
                    Some(module) if self.insert(k, &m, &module).is_ok() => {
                        self.found.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => rest.push((k, hash, m)),
                }
            }
            wanted = rest;
        }
        if wanted.is_empty() {
            return Ok(());
        }
        if driver::nvrtc().is_none() {
            return Err(ExecError::Device(driver::NO_NVRTC.to_owned()));
        }
        // Equal texts under several keys are one kernel of a program.
        let mut texts: BTreeMap<u128, &Kernel> = BTreeMap::new();
        for (_, hash, m) in &wanted {
            texts.insert(*hash, m);
        }
        let texts: Vec<(u128, &Kernel)> = texts.into_iter().collect();
        let batches: Vec<&[(u128, &Kernel)]> = texts.chunks(TOGETHER).collect();
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(batches.len());
        let next = std::sync::atomic::AtomicUsize::new(0);
        let made: Mutex<BTreeMap<usize, Result<Compiled, String>>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some(batch) = batches.get(i) else { return };
                        let sources: Vec<&str> = batch.iter().map(|b| b.1.source.as_str()).collect();
                        let begun = Instant::now();
                        let c = nvrtc(&sources, self.options.arch, false);
                        self.compile_ns.fetch_add(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
                        made.lock().unwrap_or_else(PoisonError::into_inner).insert(i, c);
                    }
                });
            }
        });
        let mut modules: BTreeMap<u128, Arc<Module>> = BTreeMap::new();
        for (i, c) in made.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let c = c.map_err(|log| ExecError::Internal(format!("NVRTC refuses a generated kernel\n{log}")))?;
            let keys: Vec<u128> = batches[i].iter().map(|b| b.0).collect();
            let module = self.module(&c)?;
            if let Some(disk) = &self.disk {
                let program = disk.write(&keys, &c);
                let mut known = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
                known.insert(program, module.clone());
            }
            self.compiled.fetch_add(keys.len() as u64, Ordering::Relaxed);
            modules.extend(keys.into_iter().map(|k| (k, module.clone())));
        }
        for (k, hash, m) in &wanted {
            self.insert(*k, m, &modules[hash])?;
        }
        Ok(())
    }

    fn on_disk(&self, disk: &Disk, kernel: u128) -> Option<Arc<Module>> {
        let program = disk.find(kernel)?;
        let mut known = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(m) = known.get(&program) {
            return Some(m.clone());
        }
        let module = self.module(&disk.read(program)?).ok()?;
        known.insert(program, module.clone());
        Some(module)
    }

    /// Loads code; where the driver does not know it, it compiles the PTX.
    fn module(&self, c: &Compiled) -> Result<Arc<Module>, ExecError> {
        // SAFETY: the images are what NVRTC made, CUBIN with its length inside and PTX with a zero at its end.
        let raw = unsafe {
            result::module::load_data(c.cubin.as_ptr().cast()).or_else(|first| {
                use sys::CUresult as R;
                let unknown = matches!(
                    first.0,
                    R::CUDA_ERROR_NO_BINARY_FOR_GPU
                        | R::CUDA_ERROR_INVALID_IMAGE
                        | R::CUDA_ERROR_UNSUPPORTED_PTX_VERSION
                        | R::CUDA_ERROR_INVALID_SOURCE
                );
                if !unknown {
                    return Err(failed(first));
                }
                self.fallbacks.fetch_add(1, Ordering::Relaxed);
                result::module::load_data(c.ptx.as_ptr().cast()).map_err(|e| {
                    let (major, minor) = driver::nvrtc().unwrap_or_default();
                    let known = driver::driver_version().map_or_else(|_| "?".to_owned(), driver::version);
                    ExecError::Device(format!(
                        "the NVIDIA driver, which knows CUDA {known}, takes neither the code nor the PTX of NVRTC \
                         {major}.{minor} ({}): update the driver, or use an older NVRTC",
                        driver::name(e)
                    ))
                })
            })?
        };
        Ok(Arc::new(Module { device: self.device.clone(), raw }))
    }

    fn insert(&self, key: u128, m: &Kernel, module: &Arc<Module>) -> Result<(), ExecError> {
        let mut functions = Vec::with_capacity(m.entries.len());
        for e in &m.entries {
            let name = CString::new(e.name.as_str()).map_err(|e| ExecError::Internal(e.to_string()))?;
            // SAFETY: the module is loaded.
            functions.push(unsafe { result::module::get_function(module.raw, name) }.map_err(failed)?);
        }
        let kernel = Kernel { source: String::new(), ..m.clone() };
        let loaded = Arc::new(Loaded { kernel, functions, _module: module.clone() });
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).insert(key, loaded);
        Ok(())
    }

    /// See [`Stats`].
    pub fn stats(&self) -> Stats {
        Stats {
            kernels: self.loaded.lock().unwrap_or_else(PoisonError::into_inner).len() as u64,
            compiled: self.compiled.load(Ordering::Relaxed),
            found: self.found.load(Ordering::Relaxed),
            fallbacks: self.fallbacks.load(Ordering::Relaxed),
            compile_ns: self.compile_ns.load(Ordering::Relaxed),
        }
    }
}
