//! Text to tree and back.

pub mod ast;
#[cfg(test)]
mod generate;
pub mod lex;
pub mod parse;
pub mod print;
pub mod spans;

/// The reserved words; the rule `keyword` of the grammar lists the same ones. Any of them may still name a field, an
/// argument or a label, where only a name can stand.
pub const KEYWORDS: &[&str] = &[
    "use",
    "primitive",
    "block",
    "motif",
    "space",
    "fn",
    "strategy",
    "evaluation",
    "search",
    "environment",
    "algorithm",
    "let",
    "var",
    "share",
    "for",
    "in",
    "while",
    "loop",
    "if",
    "else",
    "return",
    "break",
    "continue",
    "forbid",
    "choose",
    "from",
    "assemble",
    "repeat",
    "as",
    "true",
    "false",
    "none",
];
