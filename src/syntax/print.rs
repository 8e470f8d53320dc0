//! Tree to text: the formatter, and the canonical text of an expression.
//!
//! Formatting keeps the tree, the comments and single blank lines. Where the author put a line end right after an opening
//! bracket, or before a `>>`, the construct stays broken; everything else is one line if it fits.

mod doc;
mod exprs;
mod items;
#[cfg(test)]
mod tests;

use crate::base::FileId;
use crate::diag::Diagnostic;

use super::ast::{Expr, Module};
use super::lex::{self, Lexed, Token};
use doc::Doc;

/// The width of a line.
const WIDTH: usize = 120;

/// Formats a file. Fails with the syntax errors of a text that does not parse.
pub fn format(text: &str, file: FileId) -> Result<String, Vec<Diagnostic>> {
    let (module, errors) = super::parse::parse(file, text);
    if !errors.is_empty() {
        return Err(errors);
    }
    let lexed = lex::scan(file, text);
    let mut printer = Printer { text, lexed: Some(&lexed), next: 0 };
    let doc = printer.module(&module);
    Ok(doc.render(WIDTH))
}

/// The text of a tree that may come from no file: without comments.
pub fn module_text(module: &Module) -> String {
    Printer { text: "", lexed: None, next: 0 }.module(module).render(WIDTH)
}

/// The canonical text of an expression on one line, whatever its source looked like: the label of an alternative that
/// has none, and a part of keys.
pub fn expr_text(e: &Expr) -> String {
    Printer { text: "", lexed: None, next: 0 }.expr(e).flat()
}

/// A module without its positions, for comparing trees.
pub fn shape(module: &Module) -> String {
    let text = format!("{module:?}");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("Span {") {
        out.push_str(&rest[..at]);
        rest = rest[at..].split_once('}').map_or("", |(_, r)| r);
    }
    out.push_str(rest);
    out
}

struct Printer<'a> {
    /// The source, or nothing.
    text: &'a str,
    lexed: Option<&'a Lexed>,
    /// The first comment that is not printed yet.
    next: usize,
}

impl<'a> Printer<'a> {
    fn comments(&self) -> &'a [Token] {
        self.lexed.map_or(&[], |l| l.comments.as_slice())
    }

    fn tokens(&self) -> &'a [Token] {
        self.lexed.map_or(&[], |l| l.tokens.as_slice())
    }

    /// Is there a comment before this place that is not printed yet?
    fn has_comment(&self, at: u32) -> bool {
        self.comments().get(self.next).is_some_and(|c| c.start < at as usize)
    }

    /// The comments before a place; with the blank lines around them if `blank`.
    fn lead(&mut self, at: u32, blank: bool) -> Doc {
        let mut parts = Vec::new();
        while let Some(c) = self.comments().get(self.next).filter(|c| c.start < at as usize) {
            if blank && c.first && self.blank_before(c.start) {
                parts.push(Doc::Blank);
            }
            parts.push(Doc::Comment(self.text[c.start..c.end].to_owned(), c.first));
            self.next += 1;
        }
        if blank && self.blank_before(at as usize) {
            parts.push(Doc::Blank);
        }
        doc::all(parts)
    }

    /// Is there an empty line before this place, and something above it in the same brackets?
    fn blank_before(&self, at: usize) -> bool {
        let above = &self.text[..at.min(self.text.len())];
        let code = above.trim_end();
        above[code.len()..].matches('\n').count() > 1 && !code.is_empty() && !code.ends_with('{')
    }

    /// The index of the token that starts at or after a place.
    fn token_at(&self, at: u32) -> usize {
        self.lexed.map_or(0, |l| l.token_from(at as usize))
    }

    /// Where the token before a place starts.
    fn before(&self, at: u32) -> u32 {
        self.token_at(at).checked_sub(1).and_then(|i| self.tokens().get(i)).map_or(at, |t| t.start as u32)
    }

    /// The text of a token.
    fn word(&self, i: usize) -> &'a str {
        self.tokens().get(i).map_or("", |t| &self.text[t.start..t.end])
    }

    /// Does a new line start right after the first `open` at or after a place?
    fn broken_after(&self, at: u32, open: &str) -> bool {
        let from = self.token_at(at);
        let all = self.tokens();
        let at = (from..all.len()).find(|&i| self.word(i) == open);
        at.is_some_and(|i| all.get(i + 1).is_some_and(|t| t.first))
    }

    /// Where the first brace at or after a place is closed.
    fn brace_end(&self, at: u32) -> u32 {
        let all = self.tokens();
        let open = (self.token_at(at)..all.len()).find(|&i| self.word(i) == "{");
        open.and_then(|i| all[i].partner).map_or(at, |i| all[i].start as u32)
    }

    /// Where the parentheses around a place end.
    fn closed_after(&self, at: u32) -> u32 {
        let around = |t: &&Token| {
            &self.text[t.start..t.end] == ")" && t.partner.is_some_and(|o| self.tokens()[o].start < at as usize)
        };
        self.tokens().iter().skip(self.token_at(at)).find(around).map_or(at, |t| t.end as u32)
    }

    /// Is there a line end between two places?
    fn line_between(&self, from: u32, to: u32) -> bool {
        self.text.get(from as usize..to as usize).is_some_and(|s| s.contains('\n'))
    }
}
