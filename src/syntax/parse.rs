//! Text to tree. The grammar is `grammar/nas.pest`; this module turns its pairs into the tree of [`super::ast`] and
//! goes on after errors: declarations are parsed one by one, and where one does not parse its head is kept and the
//! statements of its body are parsed one by one, so that one run reports what is wrong everywhere.

mod explain;
mod exprs;
mod items;
mod names;
mod prims;
mod recover;
mod stmts;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use pest::Parser;
use pest::iterators::Pair;

use crate::base::{FileId, Span};
use crate::diag::Diagnostic;

use super::ast::{Ident, Item, Module};
use super::lex::{self, Lexed};
use super::spans;

/// The generated parser. Its rules are documented in the grammar.
#[allow(missing_docs, reason = "generated from grammar/nas.pest, where each rule is explained")]
mod grammar {
    /// Parses by the rules of `grammar/nas.pest`.
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/nas.pest"]
    pub struct Nas;
}
use grammar::{Nas, Rule};

pub(in crate::syntax) use exprs::{UNITS, in_base};
#[cfg(test)]
pub(in crate::syntax) use names::number as number_names;

/// Stack of the parsing thread: the recursion is bounded by [`super::ast::MAX_DEPTH`], but pest needs several
/// kilobytes a level, and callers may be on small stacks.
const STACK: usize = 64 << 20;

/// Parses one file. The tree holds everything that parsed; the diagnostics, in the order of their places, say what did
/// not. Time is linear in the text, nesting included.
pub fn parse(file: FileId, text: &str) -> (Module, Vec<Diagnostic>) {
    parse_again(file, text, &Former::default())
}

/// The same, where many declarations are those of a former text of the file: they are taken from its tree.
pub fn parse_again(file: FileId, text: &str, former: &Former) -> (Module, Vec<Diagnostic>) {
    std::thread::scope(|scope| {
        let work = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || parse_here(file, text, former));
        match work.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // No thread to be had: the caller's own stack must do.
            Err(_) => parse_here(file, text, former),
        }
    })
}

/// The declarations of a former text that parsed, by what stood there.
#[derive(Debug, Default)]
pub struct Former<'a> {
    items: BTreeMap<&'a str, &'a Item>,
}

impl<'a> Former<'a> {
    /// From the tree of `text` and what was reported of it.
    pub fn new(text: &'a str, module: &'a Module, errors: &[Diagnostic]) -> Self {
        let mut bad: Vec<u32> = errors
            .iter()
            .flat_map(|d| &d.labels)
            .filter(|l| l.span.file == module.file)
            .map(|l| l.span.start)
            .collect();
        bad.sort_unstable();
        let clean = |i: &&Item| {
            let from = bad.partition_point(|&b| b < i.span.start);
            bad.get(from).is_none_or(|&b| b > i.span.end)
        };
        let key = |i: &'a Item| (&text[i.span.start as usize..i.span.end as usize], i);
        Self { items: module.items.iter().filter(clean).map(key).collect() }
    }

    /// The declaration that has this text, moved to where the text starts now.
    fn moved(&self, text: &str, file: FileId, start: usize) -> Option<Item> {
        let mut item = (*self.items.get(text)?).clone();
        let from = item.span.start;
        spans::of_item(&mut item, &mut |s| {
            *s = Span { file, start: s.start - from + start as u32, end: s.end - from + start as u32 };
        });
        Some(item)
    }
}

fn parse_here(file: FileId, text: &str, former: &Former) -> (Module, Vec<Diagnostic>) {
    let lexed = lex::scan(file, text);
    let mut builder = Builder { file, source: text, lexed: &lexed, former, offset: 0, errors: Vec::new() };
    let mut items = if lexed.too_deep() { Vec::new() } else { builder.module() };
    let mut errors = builder.errors;
    errors.extend(lexed.errors.iter().cloned());
    errors.sort_by_key(|d| d.labels[0].span.start);
    errors.dedup();
    items.iter_mut().for_each(names::number);
    (Module { file, items }, errors)
}

/// Turns pairs into the tree.
struct Builder<'a> {
    file: FileId,
    /// The text as the user wrote it.
    source: &'a str,
    lexed: &'a Lexed,
    former: &'a Former<'a>,
    /// Where the text that the current pairs come from starts in the file.
    offset: usize,
    errors: Vec<Diagnostic>,
}

type P<'a> = Pair<'a, Rule>;

impl<'a> Builder<'a> {
    /// The text that the grammar reads: the source with what was already reported blanked out.
    fn text(&self) -> &'a str {
        &self.lexed.text
    }

    /// From the first to the last token of a pair: pest counts the white space before an absent optional part in.
    fn span(&self, pair: &P) -> Span {
        let span = pair.as_span();
        let (start, end) = (span.start() + self.offset, span.end() + self.offset);
        Span::new(self.file, start, self.lexed.last_end(end).clamp(start, end))
    }

    fn ident(&self, pair: &P) -> Ident {
        Ident { name: pair.as_str().to_owned(), span: self.span(pair) }
    }

    fn report(&mut self, d: Diagnostic) {
        self.errors.push(d);
    }

    /// Parses a prefix of the text `from..to` by `rule`, whose only child the result is. Fails with the furthest place
    /// that was reached and what could have stood there.
    fn run(&mut self, rule: Rule, from: usize, to: usize) -> Result<P<'a>, explain::Failure> {
        self.offset = from;
        match Nas::parse(rule, &self.text()[from..to]) {
            Ok(mut pairs) => {
                let inner = pairs.next().and_then(|p| p.into_inner().next());
                inner.ok_or(explain::Failure { at: from, expected: Vec::new() })
            }
            Err(e) => Err(explain::Failure::new(&e, from)),
        }
    }
}

/// The next pair of a sequence that the grammar guarantees.
fn must<'a>(pairs: &mut impl Iterator<Item = P<'a>>) -> P<'a> {
    pairs.next().expect("the grammar's sequence has this part")
}
