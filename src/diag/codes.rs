//! Every diagnostic code, once. The page of a code is `docs/errors/CODE.md`: what it means, an example that
//! produces it, and how to mend it. `nasc explain CODE` prints the page.
//!
//! E01 syntax · E02 names · E03 types and arguments · E04 shapes · E05 decisions · E06 primitives ·
//! E07 the search language · E08 search blocks · E09 data · E10 runs · W warnings (same second digits).

use super::Severity;

/// One row of the table; compared by its id.
#[derive(Debug)]
pub struct Info {
    /// `E0101`; never reused for another meaning.
    pub id: &'static str,
    /// A few words, as in a table of contents.
    pub title: &'static str,
    /// The page, in Markdown.
    pub page: &'static str,
}

/// A diagnostic's identity.
pub type Code = &'static Info;

impl PartialEq for Info {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
impl Eq for Info {}

impl Info {
    /// Warnings start with `W`.
    pub fn severity(&self) -> Severity {
        if self.id.starts_with('W') { Severity::Warning } else { Severity::Error }
    }
}

/// The code with this id, in any case.
pub fn find(id: &str) -> Option<Code> {
    ALL.iter().copied().find(|c| c.id.eq_ignore_ascii_case(id))
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $title:literal;)*) => {
        $($(#[$doc])* #[doc = $title] pub static $name: Info = Info {
            id: $id, title: $title, page: include_str!(concat!("../../docs/errors/", $id, ".md")),
        };)*
        /// All codes in the order of their ids.
        pub static ALL: &[Code] = &[$(&$name),*];
    };
}

codes! {
    SYNTAX = "E0101", "syntax error";
    PROG_NAME = "E0701", "unknown name in a program";
    PROG_MEMBER = "E0702", "no such field or method";
    PROG_TYPE = "E0703", "wrong type in a program";
    PROG_ARGUMENT = "E0704", "wrong argument";
    PROG_MISSING = "E0705", "missing argument";
    PROG_RETURN = "E0706", "a path without a result";
    PROG_CONST = "E0707", "this cannot be changed";
    PROG_JUMP = "E0708", "nothing to leave here";
    PROG_UNKNOWN_TYPE = "E0709", "the type cannot be told";
    PROG_RECURSION = "E0710", "recursive function without a result type";
    PROG_ARCH = "E0711", "architecture construct in a program";
    PROG_WHO = "E0712", "not available in this kind of program";
    PROG_TWICE = "E0713", "a name stands twice";
    PROG_OVERFLOW = "E0720", "a whole number is too large";
    PROG_ZERO = "E0721", "division by zero";
    PROG_BOUNDS = "E0722", "index out of bounds";
    PROG_DEPTH = "E0723", "too many nested calls";
    PROG_ABSENT = "E0724", "something is absent";
    PROG_EMPTY = "E0725", "nothing to take from";
    PROG_CONVERT = "E0726", "a value does not convert";
    PROG_HOST = "E0727", "a runtime call failed";
    PROG_LATER = "E0790", "not in this version";
}
