//! Source files and positions in them.

use std::sync::{Arc, OnceLock};

/// A source file of one compilation: an index into [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileId(pub u32);

/// A range of bytes in one file. Both ends lie on character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        Self { file, start: start as u32, end: end as u32 }
    }

    /// The smallest span that covers both; they must be of one file.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One file's name and text.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as the user gave it, or `std/ops.nas` for an embedded module.
    pub name: String,
    /// The whole text.
    pub text: Arc<str>,
    starts: OnceLock<Vec<u32>>,
}

impl Source {
    /// The first byte of every line.
    pub fn line_starts(&self) -> &[u32] {
        let starts = || std::iter::once(0).chain(self.text.match_indices('\n').map(|(i, _)| i as u32 + 1)).collect();
        self.starts.get_or_init(starts)
    }
}

/// All source files of one compilation.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// Adds a file and returns its id.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        self.files.push(Source { name: name.into(), text: text.into(), starts: OnceLock::new() });
        FileId(self.files.len() as u32 - 1)
    }

    /// The file of an id that [`Sources::add`] returned.
    pub fn get(&self, id: FileId) -> &Source {
        &self.files[id.0 as usize]
    }

    /// All files in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        self.files.iter().enumerate().map(|(i, f)| (FileId(i as u32), f))
    }

    /// The text under a span.
    pub fn slice(&self, span: Span) -> &str {
        &self.get(span.file).text[span.start as usize..span.end as usize]
    }

    /// Line and column of a byte, both counted from 1, columns in characters.
    pub fn line_col(&self, file: FileId, byte: u32) -> (usize, usize) {
        let source = self.get(file);
        let byte = (byte as usize).min(source.text.len());
        let line = source.line_starts().partition_point(|&s| s as usize <= byte);
        let start = source.line_starts()[line - 1] as usize;
        (line, source.text[start..byte].chars().count() + 1)
    }
}
