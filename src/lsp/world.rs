//! What the editor has open, and where files are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gen_lsp_types::{Location, Range};

use super::analysis::{Analysis, load};
use super::checker::{Loaded, Report};
use super::text::{Encoding, Lines};
use super::uri;
use crate::base::{FileId, Sources, Span};
use crate::sema::stdlib;

/// Most files of a workspace that are read for references and symbols.
const MAX_FILES: usize = 1000;

/// A file that is open in the editor.
#[derive(Debug)]
pub struct Document {
    /// As the editor spells it.
    pub uri: String,
    /// Its path; the URI itself where it is not a file.
    pub path: PathBuf,
    /// The newest text.
    pub text: Arc<str>,
    /// The editor's number of that text.
    pub version: i32,
    /// What the newest text gave, once somebody asked.
    pub loaded: Option<Loaded>,
    /// What the text before gave.
    pub former: Option<Loaded>,
    /// What was found out about the newest text, once somebody asked.
    pub analysis: Option<Arc<Analysis>>,
    /// The last check, perhaps of an older text.
    pub report: Option<Arc<Report>>,
}

/// Everything that answers depend on.
#[derive(Debug)]
pub struct World {
    /// By canonical URI.
    pub documents: BTreeMap<String, Document>,
    /// The folders of the workspace.
    pub roots: Vec<PathBuf>,
    /// Where the texts of the standard library are written for editors to open.
    pub cache: PathBuf,
    /// What columns count.
    pub encoding: Encoding,
    /// Whether completions may have places to fill in.
    pub snippets: bool,
}

impl World {
    /// The document of a URI.
    pub fn document(&self, uri: &str) -> Option<&Document> {
        self.documents.get(&uri::canonical(uri))
    }

    /// The texts of open files by path.
    pub fn opened(&self) -> BTreeMap<PathBuf, Arc<str>> {
        self.documents.values().map(|d| (d.path.clone(), d.text.clone())).collect()
    }

    /// Parsed, with its names: from the newest text.
    pub fn analysis(&mut self, uri: &str) -> Option<Arc<Analysis>> {
        let key = uri::canonical(uri);
        let d = self.documents.get(&key)?;
        if let Some(a) = &d.analysis {
            return Some(a.clone());
        }
        let path = d.path.clone();
        let a = Arc::new(Analysis::new(&path, &self.loaded(uri)?, self.encoding));
        if let Some(d) = self.documents.get_mut(&key) {
            d.analysis = Some(a.clone());
        }
        Some(a)
    }

    /// Parsed, with all that it uses: from the newest text.
    pub fn loaded(&mut self, uri: &str) -> Option<Loaded> {
        let opened = self.opened();
        let d = self.documents.get_mut(&uri::canonical(uri))?;
        if d.loaded.is_none() {
            d.loaded = Some(load(&d.path, &d.text, &opened, d.former.as_ref()));
            d.former = None;
        }
        d.loaded.clone()
    }

    /// The last check of a document if it was of the newest text.
    pub fn report(&self, uri: &str) -> Option<Arc<Report>> {
        let d = self.document(uri)?;
        d.report.clone().filter(|r| r.version == d.version)
    }

    /// Whether a path is one of the written texts of the standard library.
    pub fn is_library(&self, path: &Path) -> bool {
        path.starts_with(&self.cache)
    }

    /// The URI of a source; a text of the standard library is written where an editor can open it.
    pub fn uri_of(&self, sources: &Sources, file: FileId) -> Option<String> {
        if file.0 as usize >= sources.iter().count() {
            return None;
        }
        let s = sources.get(file);
        if file == FileId(0) || !s.name.starts_with("std/") {
            let path = Path::new(&s.name);
            let open = self.documents.values().find(|d| d.path == path);
            return Some(open.map_or_else(|| uri::of_path(path), |d| d.uri.clone()));
        }
        let module = s.name.trim_end_matches(".nas").replace('/', ".");
        let text = stdlib::text(&module)?;
        let path = self.cache.join(&s.name);
        if std::fs::read_to_string(&path).ok().as_deref() != Some(text) {
            std::fs::create_dir_all(path.parent()?).ok()?;
            // Under another name first: a second server may be reading it.
            let draft = path.with_extension(format!("{}.new", std::process::id()));
            std::fs::write(&draft, text).ok()?;
            std::fs::rename(&draft, &path).ok()?;
        }
        Some(uri::of_path(&path))
    }

    /// A span as a place that an editor can open.
    pub fn location(&self, sources: &Sources, span: Span) -> Option<Location> {
        let uri = self.uri_of(sources, span.file)?;
        Some(Location { uri: uri.into(), range: self.range(sources, span) })
    }

    /// The range of a span in its file.
    pub fn range(&self, sources: &Sources, span: Span) -> Range {
        let source = sources.get(span.file);
        Lines::of(source, self.encoding).range(&source.text, span.start as usize, span.end as usize)
    }

    /// The `.nas` files of the workspace, sorted; those that are open are among them.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut out: Vec<PathBuf> = self.documents.values().map(|d| d.path.clone()).collect();
        let mut open: Vec<PathBuf> = self.roots.clone();
        while let Some(dir) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&dir) else { continue };
            let mut entries: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
            entries.sort();
            for path in entries {
                let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
                let skipped = hidden || path.ends_with("target") || path.ends_with("node_modules");
                if path.is_symlink() || skipped {
                    continue;
                }
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|e| e == "nas") && out.len() < MAX_FILES {
                    out.push(path);
                }
            }
        }
        out.sort();
        out.dedup();
        out
    }

    /// Every file of the workspace, parsed, with its names.
    pub fn everything(&mut self) -> Vec<Arc<Analysis>> {
        let opened = self.opened();
        let mut out = Vec::new();
        for path in self.files() {
            let uri = self.documents.values().find(|d| d.path == path).map(|d| d.uri.clone());
            if let Some(a) = uri.and_then(|u| self.analysis(&u)) {
                out.push(a);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let loaded = load(&path, &text, &opened, None);
                out.push(Arc::new(Analysis::new(&path, &loaded, self.encoding)));
            }
        }
        out
    }
}
