//! Files, programs and searches that the command line names.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::term::Trouble;
use crate::base::FileId;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::sema::modules::{ItemRef, Program};
use crate::syntax::ast::ItemKind;

/// A program and what was found while it was loaded.
pub struct Loaded {
    /// All modules.
    pub program: Arc<Program>,
    /// Problems of syntax and of `use`.
    pub diagnostics: Vec<Diagnostic>,
    /// Where paths of data start.
    pub base: PathBuf,
}

/// The text of a file; `-` is standard input.
pub fn read(path: &Path) -> Result<String, Diagnostic> {
    let name = path.display();
    let wrong = |message: String| Diagnostic::unplaced(&codes::FILE_UNREADABLE, message);
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else if path.is_dir() {
        let inside = nas_files(path);
        let d = wrong(format!("`{name}` is a folder, not a file"));
        return Err(match inside.as_slice() {
            [] => d,
            files => d.help(format!("it has {}", listed(files))),
        });
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|e| match e.kind() {
        ErrorKind::NotFound => {
            let d = wrong(format!("there is no file `{name}`"));
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let files = nas_files(folder);
            let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
            let mut wanted = path.to_path_buf();
            if wanted.extension().is_none() {
                wanted.set_extension("nas");
            }
            let wanted = wanted.display().to_string();
            let close = names.iter().find(|n| **n == wanted).map(String::as_str);
            match close.or_else(|| did_you_mean(&wanted, names.iter().map(String::as_str))) {
                Some(k) => d.help(format!("did you mean `{k}`?")),
                None if files.is_empty() => d.help("`nasc new NAME` makes a search to start from"),
                None => d.help(format!("there is {}", listed(&files))),
            }
        }
        ErrorKind::PermissionDenied => {
            wrong(format!("`{name}` may not be read")).help("change its permissions, or run as a user who may read it")
        }
        _ => wrong(format!("`{name}` cannot be read: {e}")),
    })?;
    String::from_utf8(bytes).map_err(|e| {
        let upto = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = upto.split(|&b| b == b'\n').count();
        wrong(format!("`{name}` is not text in UTF-8: line {line} has the byte 0x{:02x}", e.as_bytes()[upto.len()]))
            .help("save it as UTF-8")
    })
}

/// The `.nas` files of a folder, sorted.
fn nas_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|e| if folder == Path::new(".") { PathBuf::from(e.file_name()) } else { e.path() })
        .filter(|p| p.extension().is_some_and(|e| e == "nas") && p.is_file())
        .collect();
    files.sort();
    files
}

fn listed(files: &[PathBuf]) -> String {
    let shown: Vec<String> = files.iter().take(8).map(|f| format!("`{}`", f.display())).collect();
    let more = if files.len() > 8 { format!(" and {} more", files.len() - 8) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Loads a file with all that it uses. Errors of its text are among the diagnostics.
pub fn load(path: &Path) -> Result<Loaded, Diagnostic> {
    let text = read(path)?;
    Ok(load_text(path, &text))
}

/// Loads a text as if it were this file.
pub fn load_text(path: &Path, text: &str) -> Loaded {
    let base = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf();
    let (program, diagnostics) = Program::load(&path.display().to_string(), text, Some(&base));
    Loaded { program: Arc::new(program), diagnostics, base }
}

/// The file that is meant if none is named: the only one here with a search.
pub fn only_file() -> Result<PathBuf, Diagnostic> {
    let all = nas_files(Path::new("."));
    let has_search = |p: &PathBuf| {
        let Ok(text) = std::fs::read_to_string(p) else { return false };
        let (module, _) = crate::syntax::parse::parse(FileId(0), &text);
        module.items.iter().any(|i| matches!(i.kind, ItemKind::Search(_)))
    };
    let mut found: Vec<PathBuf> = all.iter().filter(|p| has_search(p)).cloned().collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 if all.is_empty() => Err(Diagnostic::unplaced(&codes::NO_SEARCH, "there is no .nas file in this folder")
            .help("name a file, or make a search to start from with `nasc new NAME`")),
        0 => Err(Diagnostic::unplaced(&codes::NO_SEARCH, "no .nas file in this folder has a search")
            .note(format!("there is {}", listed(&all)))
            .help("add a `search` block to one of them, or name a file elsewhere")),
        _ => Err(Diagnostic::unplaced(&codes::NO_SEARCH, "several files in this folder have a search")
            .note(format!("there is {}", listed(&found)))
            .help(format!("name one: `nasc run {}`", found[0].display()))),
    }
}

/// The search of a name, or the only one.
pub fn pick_search(program: &Program, name: Option<&str>) -> Result<ItemRef, Trouble> {
    let all: Vec<(ItemRef, &str)> = program.searches().map(|(r, s)| (r, s.name.name.as_str())).collect();
    let file = &program.sources.get(FileId(0)).name;
    let names: Vec<&str> = all.iter().map(|a| a.1).collect();
    let d = match (name, all.as_slice()) {
        (_, []) => Diagnostic::unplaced(&codes::NO_SEARCH, format!("`{file}` has no search"))
            .help("add a block `search NAME { data = .. space = .. }`"),
        (None, [one]) => return Ok(one.0),
        (None, _) => Diagnostic::unplaced(&codes::UNKNOWN_SEARCH, format!("`{file}` has several searches"))
            .note(format!("there is {}", names.join(", ")))
            .help(format!("say which: `--search {}`", names[0])),
        (Some(wanted), _) => {
            if let Some(found) = all.iter().find(|a| a.1 == wanted) {
                return Ok(found.0);
            }
            let d = Diagnostic::unplaced(&codes::UNKNOWN_SEARCH, format!("`{file}` has no search `{wanted}`"));
            match did_you_mean(wanted, names.iter().copied()) {
                Some(k) => d.help(format!("did you mean `{k}`?")),
                None => d.help(format!("there is {}", names.join(", "))),
            }
        }
    };
    Err(d.into())
}

/// Writes a file under another name first, so that a failure leaves what was there. A link stays one.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Diagnostic> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let old = std::fs::metadata(&real).ok();
    if old.as_ref().is_some_and(|m| !m.is_file() && !m.is_dir()) {
        // A pipe or a device has no other name.
        return std::fs::write(&real, bytes).map_err(|e| unwritable(path, &e));
    }
    let mut draft = real.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let written = std::fs::write(&draft, bytes).and_then(|()| match old {
        Some(m) => std::fs::set_permissions(&draft, m.permissions()),
        None => Ok(()),
    });
    written.and_then(|()| std::fs::rename(&draft, &real)).map_err(|e| {
        // Perhaps half of it was written.
        let _ = std::fs::remove_file(&draft);
        unwritable(path, &e)
    })
}

/// A file or folder that cannot be written.
pub fn unwritable(path: &Path, e: &std::io::Error) -> Diagnostic {
    let reason = match e.kind() {
        ErrorKind::NotFound => "its folder does not exist".to_string(),
        ErrorKind::PermissionDenied => "no permission to write there".to_string(),
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_string(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full".to_string(),
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => "something of this name stands in the way".to_string(),
        ErrorKind::IsADirectory => "it is a folder".to_string(),
        _ => e.to_string(),
    };
    Diagnostic::unplaced(&codes::FILE_UNWRITABLE, format!("`{}` cannot be written: {reason}", path.display()))
        .help("choose another place, or change the permissions")
}
