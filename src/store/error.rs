//! What can go wrong with a run on disk, in the user's words.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::diag::{Diagnostic, codes};

/// Names the run in messages.
pub struct Context {
    folder: PathBuf,
}

impl Context {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub fn folder(&self) -> std::path::Display<'_> {
        self.folder.display()
    }

    /// `SQLite` could not reach the file, as opposed to not understanding it.
    pub fn is_access(e: &rusqlite::Error) -> bool {
        matches!(e.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied))
    }

    /// An error of the file system while trying to `act`.
    pub fn io(&self, e: &io::Error, act: &str) -> Diagnostic {
        let folder = self.folder();
        match e.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => self.full(),
            io::ErrorKind::PermissionDenied => Diagnostic::unplaced(
                &codes::RUN_ACCESS,
                format!("cannot {act} `{folder}`: no permission to write there"),
            )
            .help("choose another place by `--out`, or change the folder's permissions"),
            io::ErrorKind::ReadOnlyFilesystem => Diagnostic::unplaced(
                &codes::RUN_ACCESS,
                format!("cannot {act} `{folder}`: the file system is read-only"),
            )
            .help("choose another place by `--out`"),
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                Diagnostic::unplaced(&codes::RUN_ACCESS, format!("cannot {act} `{folder}`: a file stands in the way"))
                    .help("choose another name by `--out`")
            }
            _ => Diagnostic::unplaced(&codes::RUN_ACCESS, format!("cannot {act} `{folder}`: {e}"))
                .help("choose another place by `--out`"),
        }
    }

    /// Whether the folder's disk takes no more, found by trying.
    fn is_full(&self) -> bool {
        let probe = self.folder.join("probe");
        let tried = std::fs::write(&probe, vec![1; 1 << 16]);
        let _ = std::fs::remove_file(&probe);
        tried.is_err_and(|e| matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }

    /// An error of `SQLite`.
    pub fn sql(&self, e: &rusqlite::Error) -> Diagnostic {
        let folder = self.folder();
        match e.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => self.full(),
            // What maps files into memory cannot tell.
            Some(ErrorCode::SystemIoFailure) if self.is_full() => self.full(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => self.corrupt(&e.to_string()),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => Diagnostic::unplaced(
                &codes::RUN_ACCESS,
                format!("cannot write to the run in `{folder}`: its file is read-only or out of reach"),
            )
            .note(e.to_string())
            .help("make the folder and `run.sqlite` writable; `nasc show` needs no write access"),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Diagnostic::unplaced(&codes::RUN_IN_USE, format!("the run in `{folder}` is held by another program"))
                    .help("close whatever has `run.sqlite` open for writing, then resume")
            }
            _ => Diagnostic::unplaced(
                &codes::RUN_FAILURE,
                format!("the run in `{folder}` could not be read or written: {e}"),
            )
            .help("what was written before is kept; see whether the disk and the folder are sound, then resume"),
        }
    }

    /// E1004.
    pub fn corrupt(&self, detail: &str) -> Diagnostic {
        Diagnostic::unplaced(
            &codes::RUN_CORRUPT,
            format!("the file `run.sqlite` in `{}` is damaged or not a run", self.folder()),
        )
        .note(detail)
        .help("restore it from a copy, together with its `-wal` file if there is one; or start a new run")
    }

    fn full(&self) -> Diagnostic {
        Diagnostic::unplaced(
            &codes::DISK_FULL,
            format!("the disk is full: the run in `{}` cannot be written", self.folder()),
        )
        .help("free some space, then go on by `--resume`; nothing that was finished is lost")
    }
}
