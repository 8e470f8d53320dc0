//! Files as bytes: unpacked where they are gzipped, with a cursor whose every error names the file and the byte.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::fault::Fault;
use crate::diag::codes;

/// A file's contents and what to call it in messages.
#[derive(Debug)]
pub(super) struct Raw {
    /// The file as the user would name it.
    pub name: String,
    /// The contents, unpacked.
    pub bytes: Vec<u8>,
    /// Whether the file is gzipped, so that byte positions count in the unpacked contents.
    pub packed: bool,
}

/// Reads a file; gzip is recognized by its first two bytes, not by the name.
pub(super) fn file(path: &Path) -> Result<Raw, Fault> {
    let name = path.display().to_string();
    if path.is_dir() {
        return Err(Fault::new(&codes::DATA_MISSING, format!("`{name}` is a folder where a file is needed")));
    }
    unpack(name, fs::read(path).map_err(|e| missing(path, &e))?)
}

/// The contents of a file that is already in memory.
pub(super) fn unpack(name: String, bytes: Vec<u8>) -> Result<Raw, Fault> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Raw { name, bytes, packed: false });
    }
    let mut out = Vec::new();
    match MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut out) {
        Ok(_) => Ok(Raw { name, bytes: out, packed: true }),
        Err(e) => {
            let good = out.len();
            let what = if e.kind() == io::ErrorKind::UnexpectedEof {
                format!("the gzip file `{name}` is cut short: it ends after unpacking to {good} bytes")
            } else {
                format!("the gzip file `{name}` is corrupt: unpacking fails after byte {good} of its contents ({e})")
            };
            Err(Fault::new(&codes::DATA_CORRUPT, what).help("download the file again, or test it with `gzip -t`"))
        }
    }
}

/// An input or output error as a missing or unreadable file.
pub(super) fn missing(path: &Path, e: &io::Error) -> Fault {
    let name = path.display();
    match e.kind() {
        io::ErrorKind::NotFound => {
            let up = path.ancestors().skip(1).find(|p| p.as_os_str().is_empty() || p.exists());
            let help = match up {
                Some(p) if p.as_os_str().is_empty() => {
                    "paths are relative to the folder of the `.nas` file".to_string()
                }
                Some(p) => format!(
                    "`{}` is there, what follows is not; paths are relative to the folder of the `.nas` file",
                    p.display()
                ),
                None => "paths are relative to the folder of the `.nas` file".to_string(),
            };
            Fault::new(&codes::DATA_MISSING, format!("there is no `{name}`")).help(help)
        }
        io::ErrorKind::PermissionDenied => {
            Fault::new(&codes::DATA_MISSING, format!("`{name}` may not be read: permission denied"))
        }
        _ => Fault::new(&codes::DATA_MISSING, format!("`{name}` cannot be read: {e}")),
    }
}

/// The entries of a folder sorted by name, without hidden ones.
pub(super) fn folder(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    if path.is_file() {
        return Err(Fault::new(
            &codes::DATA_MISSING,
            format!("`{}` is a file where a folder is needed", path.display()),
        ));
    }
    let mut out = Vec::new();
    for entry in fs::read_dir(path).map_err(|e| missing(path, &e))? {
        let entry = entry.map_err(|e| missing(path, &e))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            out.push(entry.path());
        }
    }
    out.sort();
    Ok(out)
}

/// The last part of a path, for messages and for names of classes.
pub(super) fn last(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

impl Raw {
    /// A problem at a byte of the contents.
    pub fn corrupt(&self, byte: usize, what: impl AsRef<str>) -> Fault {
        let of = if self.packed { " of its unpacked contents" } else { "" };
        Fault::new(&codes::DATA_CORRUPT, format!("`{}`, byte {byte}{of}: {}", self.name, what.as_ref()))
    }

    /// The file ends where `needed` bytes should be.
    pub fn short(&self, needed: usize, what: &str) -> Fault {
        let of = if self.packed { " (unpacked)" } else { "" };
        let have = self.bytes.len();
        Fault::new(
            &codes::DATA_CORRUPT,
            format!("`{}` is cut short: it has {have} bytes{of}, and {needed} are needed for {what}", self.name),
        )
        .help("the file was not copied or downloaded completely")
    }

    /// The bytes `at..at + n`, which hold `what`.
    pub fn take(&self, at: usize, n: usize, what: &str) -> Result<&[u8], Fault> {
        let end = at.checked_add(n).ok_or_else(|| self.short(usize::MAX, what))?;
        self.bytes.get(at..end).ok_or_else(|| self.short(end, what))
    }

    /// A big-endian 32-bit number.
    pub fn be32(&self, at: usize, what: &str) -> Result<u32, Fault> {
        let b = self.take(at, 4, what)?;
        Ok(u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }
}
