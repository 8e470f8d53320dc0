//! Compiled kernels, shared by all programs of one executor.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use cranelift_codegen::ir::{AbiParam, types};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};

use super::codegen::generate;
use super::contract::{Contraction, Dots, Rows};
use super::layout::{Aligned, ROW};
use super::nest::Nest;
use super::windows::{Fold, Window};
use crate::exec::ExecError;

/// What the cache did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Kernels that it holds.
    pub kernels: u64,
    /// Kernels that were compiled.
    pub compiled: u64,
    /// Requests that found their kernel.
    pub hits: u64,
    /// Time spent in compilation, summed over threads.
    pub compile_ns: u64,
}

/// Machine code that owns its memory.
pub struct Jit {
    module: Option<JITModule>,
    code: unsafe extern "C" fn(*const *mut u8),
}

// SAFETY: after construction the module is only freed, by the last owner; the code itself is immutable and keeps no
// state outside of the buffers that it is given.
unsafe impl Send for Jit {}
// SAFETY: as above.
unsafe impl Sync for Jit {}

impl Jit {
    /// Runs the kernel.
    ///
    /// # Safety
    /// `table` must hold a pointer for each slot of the nest, valid for all of the slot's accesses.
    pub unsafe fn run(&self, table: *const *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { (self.code)(table) }
    }
}

impl Drop for Jit {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: the only pointer into the module's memory is `code`, which goes away with `self`.
            unsafe { module.free_memory() };
        }
    }
}

/// What a launch runs.
pub enum Kernel {
    /// Generated code.
    Jit(Box<Jit>),
    /// Tables for [`super::kernels::rows`].
    Rows(Rows),
    /// Tables for [`super::kernels::dots`].
    Dots(Dots),
    /// Tables for [`super::windows::run`].
    Window(Rows, Fold),
}

impl Kernel {
    /// Elements of scratch that each thread needs.
    pub fn scratch(&self) -> usize {
        let packed = match self {
            Kernel::Rows(rows) => rows.packed(),
            Kernel::Dots(dots) => dots.packed(),
            Kernel::Jit(_) | Kernel::Window(..) => 0,
        };
        packed.next_multiple_of(ROW)
    }
}

type Entry = Arc<OnceLock<Result<Arc<Kernel>, String>>>;

/// See the module documentation.
#[derive(Default)]
pub struct Cache {
    // The map is locked for look-ups only; each kernel is compiled under its own lock, once.
    kernels: Mutex<BTreeMap<u128, Entry>>,
    compiled: AtomicU64,
    hits: AtomicU64,
    compile_ns: AtomicU64,
    /// Memory of programs that are gone: fresh pages cost more than the first step of a small child.
    arenas: Mutex<Vec<Aligned>>,
}

/// So many arenas are kept for later programs.
const ARENAS: usize = 4;

/// Arenas of more elements (64 MB) are not: the pages of a large network are few beside its steps.
const LARGEST_KEPT: usize = 16 << 20;

impl Cache {
    /// Room for `elements`, with any contents.
    pub fn arena(&self, elements: usize) -> Aligned {
        let mut kept = self.arenas.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |a: &Aligned| a.len() >= elements && a.len() / 4 <= elements;
        let best = (0..kept.len()).filter(|&i| fits(&kept[i])).min_by_key(|&i| kept[i].len());
        match best {
            Some(i) => kept.swap_remove(i),
            None => Aligned::new(elements),
        }
    }

    /// Takes the memory of a program that is gone.
    pub fn give_back(&self, arena: Aligned) {
        if arena.len() > LARGEST_KEPT {
            return;
        }
        let mut kept = self.arenas.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == ARENAS {
            kept.remove(0);
        }
        kept.push(arena);
    }

    /// The kernel of a nest (with its key), compiled if it is new.
    pub fn nest(&self, key: u128, nest: &Nest) -> Result<Arc<Kernel>, ExecError> {
        self.get(key, || compile(nest).map(|j| Kernel::Jit(Box::new(j))))
    }

    /// The kernel of a contraction (with its key), tabulated if it is new.
    pub fn contraction(&self, key: u128, c: &Contraction) -> Result<Arc<Kernel>, ExecError> {
        self.get(key, || Ok(if c.is_rows() { Kernel::Rows(c.rows()) } else { Kernel::Dots(c.dots()) }))
    }

    /// The kernel of a reduction over windows (with its key), tabulated if it is new.
    pub fn window(&self, key: u128, w: &Window) -> Result<Arc<Kernel>, ExecError> {
        self.get(key, || Ok(Kernel::Window(w.tables.rows(), w.fold)))
    }

    fn get(&self, key: u128, make: impl FnOnce() -> Result<Kernel, String>) -> Result<Arc<Kernel>, ExecError> {
        let entry = {
            let mut map = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
            map.entry(key).or_default().clone()
        };
        let mut fresh = false;
        let kernel = entry.get_or_init(|| {
            fresh = true;
            let start = Instant::now();
            let kernel = make().map(Arc::new);
            self.compiled.fetch_add(1, Ordering::Relaxed);
            self.compile_ns.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
            kernel
        });
        if !fresh {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        kernel.clone().map_err(ExecError::Internal)
    }

    /// See [`Stats`].
    pub fn stats(&self) -> Stats {
        Stats {
            kernels: self.kernels.lock().unwrap_or_else(PoisonError::into_inner).len() as u64,
            compiled: self.compiled.load(Ordering::Relaxed),
            hits: self.hits.load(Ordering::Relaxed),
            compile_ns: self.compile_ns.load(Ordering::Relaxed),
        }
    }
}

fn module() -> Result<JITModule, String> {
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", "speed"),
        ("is_pic", "false"),
        ("use_colocated_libcalls", "false"),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
    ] {
        flags.set(name, value).map_err(|e| e.to_string())?;
    }
    let isa = cranelift_native::builder()?.finish(settings::Flags::new(flags)).map_err(|e| e.to_string())?;
    Ok(JITModule::new(JITBuilder::with_isa(isa, default_libcall_names())))
}

/// Whether `fma` is one instruction in generated code.
fn has_fma() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::is_x86_feature_detected!("fma") && std::is_x86_feature_detected!("avx")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        cfg!(target_arch = "aarch64")
    }
}

fn compile(nest: &Nest) -> Result<Jit, String> {
    let mut module = module()?;
    let config = module.target_config();
    let mut context = module.make_context();
    context.func.signature.params.push(AbiParam::new(types::I64));
    let convention = config.default_call_conv;
    let mut scratch = FunctionBuilderContext::new();
    let builder = FunctionBuilder::new(&mut context.func, &mut scratch);
    generate(builder, nest, has_fma(), convention, |b| b.finalize(config));
    let built = (|| {
        let id = module
            .declare_function("kernel", Linkage::Export, &context.func.signature)
            .map_err(|e| format!("{e:?}"))?;
        module.define_function(id, &mut context).map_err(|e| format!("{e:?}"))?;
        module.finalize_definitions().map_err(|e| format!("{e:?}"))?;
        Ok::<_, String>(module.get_finalized_function(id))
    })();
    match built {
        Ok(code) => {
            // SAFETY: the function was generated with exactly this signature.
            let code = unsafe { std::mem::transmute::<*const u8, unsafe extern "C" fn(*const *mut u8)>(code) };
            Ok(Jit { module: Some(module), code })
        }
        Err(e) => {
            // SAFETY: nothing was handed out.
            unsafe { module.free_memory() };
            Err(e)
        }
    }
}

/// The intermediate code of a nest, for people.
pub fn clif(nest: &Nest) -> Result<String, String> {
    let module = module()?;
    let config = module.target_config();
    let mut context = module.make_context();
    context.func.signature.params.push(AbiParam::new(types::I64));
    let mut scratch = FunctionBuilderContext::new();
    let builder = FunctionBuilder::new(&mut context.func, &mut scratch);
    generate(builder, nest, has_fma(), config.default_call_conv, |b| b.finalize(config));
    let text = context.func.display().to_string();
    // SAFETY: nothing was compiled.
    unsafe { module.free_memory() };
    Ok(text)
}
