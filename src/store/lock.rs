//! One process writes a run. The lock is the operating system's, so it ends with its process, however that dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::error::Context;
use crate::diag::{Diagnostic, codes};

/// The exclusive right to write a run.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock of the run in `folder`, or says who has it (E1005).
    pub fn take(folder: &Path) -> Result<Self, Diagnostic> {
        let context = Context::new(folder);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("run.lock"))
            .map_err(|e| context.io(&e, "lock the run in"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // What the file says is only a courtesy to the reader; the lock itself has already answered.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let who = if holder.is_empty() { "another process".to_owned() } else { format!("process {holder}") };
                return Err(Diagnostic::unplaced(
                    &codes::RUN_IN_USE,
                    format!("the run in `{}` is in use by {who}", folder.display()),
                )
                .help("wait for it or stop it, then resume; `nasc show` works meanwhile"));
            }
            // Some network file systems have no locks; the run is then on its own, as any file there is.
            Err(TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => {
                return Ok(Self { _file: file });
            }
            Err(TryLockError::Error(e)) => return Err(context.io(&e, "lock the run in")),
        }
        let note = |file: &mut File| -> std::io::Result<()> {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            write!(file, "{}", std::process::id())?;
            file.flush()
        };
        note(&mut file).map_err(|e| context.io(&e, "lock the run in"))?;
        Ok(Self { _file: file })
    }
}
