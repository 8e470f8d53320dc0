//! GPUs: which executor a search gets, and compiling for GPUs ahead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::term::{Outcome, Terminal, say};
use super::{BuildArgs, OK, ahead, build, check, load};
use crate::diag::{Diagnostic, codes};
use crate::exec::cuda::compile::{self, Compiled, Disk};
use crate::exec::cuda::kernel::PRELUDE;
use crate::exec::cuda::{Cuda, Emitter, Kernel, Missing, Options, Settings, driver, gpus};
use crate::exec::{ExecError, Executor};
use crate::graph::Graph;
use crate::report::table::duration;
use crate::search::hardware;
use crate::search::setup::Search;

/// Most bytes of compiled kernels that are kept.
const KEPT: u64 = 512 << 20;

/// Kernels of one program of NVRTC.
const TOGETHER: usize = 24;

/// Where compiled kernels are kept: `NASC_CACHE`, or the user's folder for caches.
pub fn cache() -> Option<Disk> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let folder = set("NASC_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("nasc")))
        .or_else(|| Some(set("HOME")?.join(".cache/nasc")))?;
    Some(Disk::new(folder.join("cuda"), KEPT))
}

fn missing(m: &Missing) -> Diagnostic {
    Diagnostic::unplaced(&codes::NO_GPU, m.to_string()).help(m.help()).note("`nasc doctor` says what this machine has")
}

/// The executor of a search's children, so many at once.
pub fn executor(search: &Search, at_once: usize) -> Result<Arc<dyn Executor>, Diagnostic> {
    let cpu = || build::executor(search, at_once) as Arc<dyn Executor>;
    let wanted = search.hardware.executor;
    if wanted == hardware::Executor::Cpu {
        return Ok(cpu());
    }
    let settings = Settings {
        precision: search.hardware.precision,
        disk: cache(),
        limit: search.memory,
        at_once,
        ..Settings::default()
    };
    let forced = wanted == hardware::Executor::Cuda;
    match Cuda::new(settings) {
        Ok(cuda) if driver::nvrtc().is_some() => {
            say(&format!("on {}, {} products", cuda.device_name(), search.hardware.precision.name()));
            Ok(Arc::new(cuda))
        }
        Ok(_) if forced => Err(Diagnostic::unplaced(&codes::NO_GPU, "this machine has a GPU, but no compiler for it")
            .help(driver::NO_NVRTC)),
        Ok(cuda) => {
            say(&format!("{} is not used: {}", cuda.device_name(), driver::NO_NVRTC));
            Ok(cpu())
        }
        Err(m) if forced => Err(missing(&m)),
        Err(_) => Ok(cpu()),
    }
}

fn options(search: &Search, args: &BuildArgs) -> Options {
    let here = || gpus().ok()?.into_iter().next()?.ok().map(|g| g.arch);
    Options::new(args.arch.or_else(here).unwrap_or(80), search.hardware.precision)
}

/// The kernels of a graph as CUDA C.
pub fn source(graph: &Graph, search: &Search, args: &BuildArgs) -> Result<String, ExecError> {
    let kernels = crate::exec::cuda::kernels(graph, &options(search, args))?;
    Ok(text(kernels.iter()))
}

fn text<'a>(kernels: impl Iterator<Item = &'a Kernel>) -> String {
    let mut text = PRELUDE.to_owned();
    for k in kernels {
        text += &format!("\n// {}\n{}", k.what, k.source);
    }
    text
}

/// Runs `f` on the numbers below `n`, on several threads.
fn parallel<T: Send>(n: usize, threads: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, n.max(1)) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= n {
                        return;
                    }
                    let r = f(i);
                    done.lock().unwrap_or_else(PoisonError::into_inner).insert(i, r);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// `nasc build --target cuda`
pub fn build(term: &Terminal, search: &Arc<Search>, file: &Path, args: &BuildArgs) -> Outcome {
    let begun = Instant::now();
    let (all, complete) = build::candidates(&search.space, args.exhaustive, args.sample, args.seed)?;
    let workers = args.workers.map_or_else(build::cores, usize::from);
    let options = options(search, args);
    let arch = options.arch;
    say(&format!(
        "{}: {}; kernels of {} for sm_{arch}",
        search.name,
        check::describe(&search.space),
        if complete { format!("all {}", all.len()) } else { all.len().to_string() },
    ));
    let emitter = Arc::new(Emitter::new(options));
    let results = parallel(all.len(), workers, |i| ahead::compile(search, &emitter, &all[i]).map(|n| n.memory));
    for (c, r) in all.iter().zip(&results) {
        if let Err(why) = r {
            let d = Diagnostic::unplaced(&codes::BUILD_FAILED, "a candidate cannot be trained");
            return Err(d.note(format!("{}: {why}", c.to_json())).into());
        }
    }
    let kernels: Vec<Kernel> = emitter.kernels().into_values().collect();
    let folder = args.out.clone().unwrap_or_else(|| build::default_folder(file));
    std::fs::create_dir_all(&folder).map_err(|e| load::unwritable(&folder, &e))?;
    let path = folder.join(format!("sm_{arch}.cu"));
    load::write(&path, text(kernels.iter()).as_bytes())?;
    let bold = term.style().bold();
    let line = |name: &str, text: String| term.out(&format!("{:<13} {text}\n", bold.apply_to(name)));
    line("kernels", format!("{} in {}", kernels.len(), path.display()));
    let Some((major, minor)) = driver::nvrtc() else {
        line("not compiled", driver::NO_NVRTC.to_owned());
        return Ok(OK);
    };
    let batches: Vec<&[Kernel]> = kernels.chunks(TOGETHER).collect();
    let sources = |b: &[Kernel]| b.iter().map(|k| k.source.clone()).collect::<Vec<_>>();
    let compiled: Vec<Result<Compiled, String>> = parallel(batches.len(), workers, |i| {
        let texts = sources(batches[i]);
        compile::nvrtc(&texts.iter().map(String::as_str).collect::<Vec<_>>(), arch, true)
    });
    let disk = cache();
    let (mut registers, mut spills, mut bytes) = (0, 0, 0);
    for (batch, c) in batches.iter().zip(compiled) {
        let c = c.map_err(|log| {
            Diagnostic::unplaced(&codes::BUILD_FAILED, "NVRTC refuses a generated kernel, a defect of nasc").note(log)
        })?;
        let (r, s) = compile::registers(&c.log);
        (registers, spills, bytes) = (registers.max(r), spills.max(s), bytes + c.cubin.len());
        if let Some(disk) = &disk {
            let keys: Vec<u128> = batch.iter().map(|k| Disk::key(&k.source, arch)).collect();
            disk.write(&keys, &c);
        }
    }
    line("compiled", format!("by NVRTC {major}.{minor} for sm_{arch}, {} kB", bytes / 1000));
    line("registers", format!("at most {registers} of a thread, {spills} bytes spilled"));
    if let Some(d) = disk {
        line("kept in", d.folder().display().to_string());
    }
    line("time", duration(begun.elapsed().as_secs_f64()));
    Ok(OK)
}
