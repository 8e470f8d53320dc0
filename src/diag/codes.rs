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
    DUPLICATE_ITEM = "E0201", "an item is declared twice";
    UNKNOWN_MODULE = "E0202", "no such module";
    UNKNOWN_NAME = "E0203", "unknown name";
    WRONG_TYPE = "E0301", "wrong type";
    WRONG_ARGUMENT = "E0302", "wrong argument";
    MISSING_ARGUMENT = "E0303", "missing argument";
    IMMUTABLE = "E0304", "assignment to something that cannot change";
    WRONG_PLACE = "E0305", "something stands where it cannot";
    DIVISION = "E0306", "division by zero";
    OUT_OF_RANGE = "E0307", "index out of range";
    ENDLESS = "E0308", "a recursion or loop that does not end";
    SHAPE = "E0401", "shapes do not fit";
    RANK = "E0402", "wrong number of dimensions";
    INEXACT = "E0403", "a division in an extent is not exact";
    EMPTY_SHAPE = "E0404", "a tensor without elements";
    CANNOT_PROVE = "E0405", "cannot prove that every candidate is valid";
    DUPLICATE_DECISION = "E0501", "a decision is made twice under one name";
    MOTIF_DEPENDS = "E0502", "a motif whose decisions depend on its arguments";
    EMPTY_CHOICE = "E0503", "nothing to choose from";
    UNUSED_DECISION = "W0504", "a decision that changes nothing";
    TIED_USES = "W0505", "one operation applied several times";
    ALL_FORBIDDEN = "E0506", "no candidate is left";
    BAD_CANDIDATE = "E0507", "a candidate that does not belong to the space";
}
