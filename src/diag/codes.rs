//! Every diagnostic code, once. The page of a code is `docs/errors/CODE.md`: what it means, an example that
//! produces it, and how to mend it. `nasc explain CODE` prints the page.
//!
//! E01 syntax · E02 names · E03 types and arguments · E04 shapes · E05 decisions · E06 primitives ·
//! E07 the search language · E08 search blocks · E09 data · E10 runs · E11 the command line · W warnings (same second digits).

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
    STRAY_CHARACTER = "E0102", "character that the language does not have";
    UNCLOSED_STRING = "E0103", "unclosed string";
    BRACKET = "E0104", "bracket without a partner";
    TOO_DEEP = "E0105", "nested too deep";
    RESERVED_WORD = "E0106", "keyword used as a name";
    UNKNOWN_KEYWORD = "E0107", "unknown keyword";
    ASSIGN_IN_CONDITION = "E0108", "assignment where a comparison was meant";
    NUMBER = "E0109", "number that cannot be read";
    ESCAPE = "E0110", "unknown escape in a string";
    PATTERN = "E0111", "not a pattern";
    PLACE = "E0112", "not a place to assign to";
    MIXED_BRACES = "E0113", "entries and statements in one pair of braces";
    FIELD = "E0114", "unknown or repeated field";
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
    ALL_FORBIDDEN = "E0506", "no candidate is left";
    BAD_CANDIDATE = "E0507", "a candidate that does not belong to the space";
    ALGORITHM = "E0508", "an algorithm that cannot be";
    INSTRUCTION = "E0509", "an instruction that cannot be";
    PRIM_NAME = "E0601", "unknown name in a primitive";
    PRIM_UNBOUND = "E0602", "an index or extent that nothing binds";
    PRIM_REDUCE = "E0603", "a reduction over nothing";
    PRIM_AFFINE = "E0604", "an index that is not affine";
    PRIM_DEFINED = "E0605", "a tensor defined never, twice, or too late";
    PRIM_RANK = "E0606", "wrong number of indices";
    PRIM_STATE = "E0607", "`<-` and `=` confused";
    PRIM_RANGES = "E0608", "two ranges for one index";
    PRIM_CASE = "E0609", "upper and lower case";
    PRIM_UNIFORM = "E0610", "`uniform()` outside of training";
    PRIM_SHAPE = "E0611", "inputs that do not fit a primitive";
    PRIM_INEXACT = "E0612", "a division that does not come out even";
    PRIM_FORM = "E0613", "what cannot stand in a primitive";
    PRIM_SCALAR = "E0614", "a wrong kind of number";
    PRIM_INIT = "E0615", "a wrong initializer";
    PRIM_ROLE = "E0616", "one name for two things";
    PRIM_REST = "E0617", "`..` without a meaning";
    PRIM_ARITHMETIC = "E0618", "arithmetic that fails";
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
    NEEDS_LATER = "E0801", "a part of the language that this version does not have yet";
    DATA_MISFIT = "E0802", "data that does not fit the space";
    SEARCH_FIELD = "E0803", "a search block that does not say what it must";
    UNKNOWN_METRIC = "E0804", "an objective over an unknown metric";
    CANNOT_SERVE = "E0805", "a strategy that a space cannot serve";
    CALL_FAILED = "E0806", "a call of the runtime that failed";
    DATA_UNKNOWN = "E0901", "no such data source";
    DATA_ARGUMENT = "E0902", "wrong argument of a data source";
    DATA_MISSING = "E0903", "a data file or folder is missing";
    DATA_CORRUPT = "E0904", "a data file is corrupt or cut short";
    DATA_COUNTS = "E0905", "data that does not belong together";
    DATA_LABEL = "E0906", "a label outside the classes";
    DATA_EMPTY = "E0907", "no examples";
    DATA_VALUE = "E0908", "a value that is missing or not a number";
    DATA_SIZES = "E0909", "images of different sizes";
    DATA_SPLIT = "E0910", "a split that cannot be made";
    DATA_AUGMENT = "E0911", "augmentation that does not fit the data";
    DATA_COLUMN = "E0912", "no such column or array";
    DATA_ROW = "E0913", "no such row in a table of results";
    RUN_ACCESS = "E1001", "the run's folder cannot be written";
    NO_RUN = "E1002", "no such run";
    DISK_FULL = "E1003", "the disk is full";
    RUN_CORRUPT = "E1004", "damaged run";
    RUN_IN_USE = "E1005", "run in use by another process";
    RUN_OF_ANOTHER_SOURCE = "E1006", "run of another search";
    RUN_FORMAT = "E1007", "run of another version";
    RUN_DIVERGED = "E1008", "the program does not repeat what it did";
    TIME_IN_DETERMINISTIC = "E1009", "a deterministic search cannot depend on time";
    RUN_EXISTS = "E1010", "there is a run already";
    RUN_FAILURE = "E1011", "the run could not be read or written";
    ALL_FAILED = "E1012", "every candidate fails";
    FILE_UNREADABLE = "E1101", "a file that cannot be read";
    NO_SEARCH = "E1102", "nothing to search";
    UNKNOWN_SEARCH = "E1103", "no such search";
    FILE_UNWRITABLE = "E1104", "a file that cannot be written";
    UNKNOWN_CODE = "E1105", "no such code";
    NO_TRIAL = "E1106", "no such trial";
    BUILD_FAILED = "E1107", "candidates that cannot be trained";
    NO_GPU = "E1108", "no GPU that can be used";
    UNUSED_DECISION = "W0504", "a decision that changes nothing";
    TIED_USES = "W0505", "one operation applied several times";
    UNUSED_NAME = "W0506", "a name that nothing uses";
    UNUSED_USE = "W0507", "an import that nothing uses";
    PRIM_UNUSED_INDEX = "W0601", "an index that the right side does not use";
    PRIM_UNUSED = "W0602", "a tensor that nothing reads";
    PRIM_OLD_STATE = "W0603", "a state read after its update";
}
