//! From CUDA C to code: NVRTC, and a cache on disk that all processes share.
//!
//! A program of NVRTC holds several kernels, since starting it costs as much as compiling a small one. Its result, CUBIN
//! with PTX beside it, is one file; each of its kernels has a small file with the name of that one. Files are written
//! aside and renamed, and carry a hash: what is missing or damaged is compiled again. Past a bound the files that were
//! used longest ago are removed.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cudarc::nvrtc;

use super::driver;
use super::kernel::PRELUDE;
use crate::base::hash::{hash128, hex};

/// What NVRTC makes of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// Code of one architecture.
    pub cubin: Vec<u8>,
    /// What a driver compiles itself where it does not know the code.
    pub ptx: Vec<u8>,
    /// The compiler's remarks: with `remarks` the registers and spills of each kernel.
    pub log: String,
}

/// What NVRTC is told beside the architecture. Part of every key.
pub const FLAGS: [&str; 3] = ["--std=c++17", "--fmad=true", "--minimal"];

/// Compiles kernels for an architecture; the error is the compiler's log.
pub fn nvrtc(kernels: &[&str], arch: u32, remarks: bool) -> Result<Compiled, String> {
    if driver::nvrtc().is_none() {
        return Err(driver::NO_NVRTC.to_owned());
    }
    let mut source = String::from(PRELUDE);
    kernels.iter().for_each(|k| source.push_str(k));
    let source = CString::new(source).map_err(|e| e.to_string())?;
    let mut options: Vec<String> = FLAGS.iter().map(ToString::to_string).collect();
    options.push(format!("--gpu-architecture=sm_{arch}"));
    if remarks {
        options.push("--ptxas-options=-v".to_owned());
    }
    let failed = |e: nvrtc::result::NvrtcError| format!("NVRTC fails: {:?}", e.0);
    let program = nvrtc::result::create_program(&source, Some(c"nasc.cu")).map_err(failed)?;
    // SAFETY: the program was just made, and is destroyed once, after its last use.
    unsafe {
        let outcome = nvrtc::result::compile_program(program, &options);
        let log = nvrtc::result::get_program_log(program).unwrap_or_default();
        let log: Vec<u8> = log.iter().map(|&c| c as u8).take_while(|&c| c != 0).collect();
        let log = String::from_utf8_lossy(&log).into_owned();
        let made = match outcome {
            Err(e) => Err(format!("{}\n{log}", failed(e))),
            Ok(()) => (|| {
                let ptx = nvrtc::result::get_ptx(program)?.iter().map(|&c| c as u8).collect();
                let mut size = 0;
                nvrtc::sys::nvrtcGetCUBINSize(program, &raw mut size).result()?;
                let mut cubin = vec![0u8; size];
                nvrtc::sys::nvrtcGetCUBIN(program, cubin.as_mut_ptr().cast()).result()?;
                Ok(Compiled { cubin, ptx, log })
            })()
            .map_err(failed),
        };
        let _ = nvrtc::result::destroy_program(program);
        made
    }
}

/// The most registers of a thread, and the most bytes that a thread spills, from the remarks in a log.
pub fn registers(log: &str) -> (u32, u32) {
    let before = |word: &str| {
        let of = |line: &str| line.split(word).next()?.split_whitespace().last()?.parse().ok();
        log.lines().filter(|l| l.contains(word)).filter_map(of).max().unwrap_or(0)
    };
    (before(" registers"), before(" bytes spill stores"))
}

/// Compiled programs on disk.
#[derive(Clone, Debug)]
pub struct Disk {
    folder: PathBuf,
    /// Most bytes.
    bound: u64,
}

/// The first bytes of a file with code; the number is that of the format.
const MAGIC: &[u8; 8] = b"NASCGPU1";

impl Disk {
    /// In a folder, which is made when something is first written. An error of the file system only means that less
    /// is found.
    pub fn new(folder: PathBuf, bound: u64) -> Self {
        Self { folder, bound }
    }

    /// What a kernel is known by: its text, and all that its code depends on.
    pub fn key(source: &str, arch: u32) -> u128 {
        let (major, minor) = driver::nvrtc().unwrap_or_default();
        hash128(format!("{arch} {major}.{minor} {FLAGS:?} {:x}\n{source}", hash128(PRELUDE.as_bytes())).as_bytes())
    }

    fn place(&self, key: u128, end: &str) -> PathBuf {
        self.folder.join(format!("{}.{end}", hex(key)))
    }

    /// The name of the program that has a kernel.
    pub fn find(&self, key: u128) -> Option<u128> {
        let text = std::fs::read_to_string(self.place(key, "ref")).ok()?;
        u128::from_str_radix(text.trim(), 16).ok()
    }

    /// A program, if it is there and whole.
    pub fn read(&self, program: u128) -> Option<Compiled> {
        let path = self.place(program, "gpu");
        let bytes = std::fs::read(&path).ok()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (hash, rest) = rest.split_first_chunk::<16>()?;
        if u128::from_le_bytes(*hash) != hash128(rest) {
            return None;
        }
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let size = usize::try_from(u64::from_le_bytes(*size)).ok()?;
        let (cubin, ptx) = rest.split_at_checked(size)?;
        // So that it counts as used.
        let _ = std::fs::File::options().append(true).open(&path).and_then(|f| f.set_modified(SystemTime::now()));
        Some(Compiled { cubin: cubin.to_vec(), ptx: ptx.to_vec(), log: String::new() })
    }

    /// Keeps a program under its kernels' keys, and gives its name.
    pub fn write(&self, keys: &[u128], c: &Compiled) -> u128 {
        let mut rest = (c.cubin.len() as u64).to_le_bytes().to_vec();
        rest.extend(&c.cubin);
        rest.extend(&c.ptx);
        let hash = hash128(&rest);
        let program = hash128(format!("{keys:x?}").as_bytes());
        let bytes: Vec<u8> = MAGIC.iter().copied().chain(hash.to_le_bytes()).chain(rest).collect();
        let _ = std::fs::create_dir_all(&self.folder);
        put(&self.place(program, "gpu"), &bytes);
        for &k in keys {
            put(&self.place(k, "ref"), format!("{}\n", hex(program)).as_bytes());
        }
        self.trim();
        program
    }

    /// Files of the cache with their sizes and times.
    fn files(&self) -> Vec<(SystemTime, u64, PathBuf)> {
        let Ok(list) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let file = |e: std::fs::DirEntry| {
            let m = e.metadata().ok()?;
            let mine = e.path().extension().is_some_and(|x| x == "gpu" || x == "ref");
            (m.is_file() && mine).then(|| Some((m.modified().ok()?, m.len(), e.path())))?
        };
        list.filter_map(|e| file(e.ok()?)).collect()
    }

    /// Programs and bytes.
    pub fn size(&self) -> (usize, u64) {
        let files = self.files();
        let programs = files.iter().filter(|f| f.2.extension().is_some_and(|x| x == "gpu")).count();
        (programs, files.iter().map(|f| f.1).sum())
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn trim(&self) {
        let mut files = self.files();
        let mut size: u64 = files.iter().map(|f| f.1).sum();
        if size <= self.bound {
            return;
        }
        files.sort();
        for (_, bytes, path) in files {
            if size <= self.bound / 4 * 3 {
                break;
            }
            // Another process may have been quicker.
            let _ = std::fs::remove_file(&path);
            size -= bytes;
        }
    }
}

/// Writes a file whole or not at all.
fn put(path: &Path, bytes: &[u8]) {
    let own = path.with_extension(format!("{}.{:?}.part", std::process::id(), std::thread::current().id()));
    if std::fs::write(&own, bytes).is_err() || std::fs::rename(&own, path).is_err() {
        let _ = std::fs::remove_file(&own);
    }
}
