//! Renaming: what a name means, everywhere, or a decision.

use std::collections::BTreeMap;

use gen_lsp_types::{Range, TextEdit};

use super::analysis::Analysis;
use super::navigate::references;
use super::world::World;
use crate::base::{FileId, Span};
use crate::sema::names::resolve::Target;
use crate::sema::names::visit;
use crate::syntax::KEYWORDS;
use crate::syntax::ast::{ExprKind, Ident};

/// Edits by URI.
pub type Edits = BTreeMap<String, Vec<TextEdit>>;

/// What can be renamed at a byte: its place and name.
pub fn prepare(world: &World, a: &Analysis, at: u32) -> Result<(Range, String), String> {
    let (span, name) = match subject(world, a, at)? {
        Subject::Decision(n) => (n.span, n.name),
        Subject::Name(span) => (span, a.sources().slice(span).to_string()),
    };
    Ok((world.range(a.sources(), span), name))
}

enum Subject {
    Decision(Ident),
    Name(Span),
}

fn subject(world: &World, a: &Analysis, at: u32) -> Result<Subject, String> {
    if let Some(n) = decisions(a).into_iter().find(|n| n.span.start <= at && at <= n.span.end) {
        return Ok(Subject::Decision(n.clone()));
    }
    let (span, target) = a.names.at(at).ok_or("nothing here has a name that can be changed")?;
    let declared = a.declaration(target).ok_or("this name is part of the language")?;
    let library = a.sources().get(declared.file).name.starts_with("std/") || world.is_library(&a.path);
    if library {
        return Err(format!("`{}` belongs to the standard library", a.sources().slice(span)));
    }
    Ok(Subject::Name(span))
}

/// The names of all decisions of the file.
fn decisions(a: &Analysis) -> Vec<&Ident> {
    let mut out = Vec::new();
    for item in a.items() {
        visit::item(item, &mut |e| {
            if let ExprKind::Choose(c) = &e.kind {
                out.extend(&c.name);
            }
        });
    }
    out
}

/// Renames what stands at a byte.
pub fn rename(world: &mut World, a: &Analysis, at: u32, new: &str) -> Result<Edits, String> {
    let word = new.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && new.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !word {
        return Err(format!("`{new}` is not a name: letters, digits and `_`, and no digit first"));
    }
    if KEYWORDS.contains(&new) {
        return Err(format!("`{new}` is a word of the language"));
    }
    match subject(world, a, at)? {
        Subject::Decision(n) => Ok(decision(world, a, &n, new)),
        Subject::Name(_) => name(world, a, at, new),
    }
}

fn name(world: &mut World, a: &Analysis, at: u32, new: &str) -> Result<Edits, String> {
    let (span, target) = a.names.at(at).ok_or("nothing here has a name")?;
    let old = a.sources().slice(span).to_string();
    if old == new {
        return Ok(Edits::new());
    }
    if let Some(taken) = taken(a, target, new) {
        return Err(format!("`{new}` already means something here: line {}", a.lines().line(taken.start as usize) + 1));
    }
    let places = references(world, a, at).ok_or("nothing here has a name")?;
    let mut out = Edits::new();
    for l in places {
        // A `use` in the middle of a module's path keeps its file's name; the uses were resolved by name, so each has it.
        let edit = TextEdit { range: l.range, new_text: new.to_string() };
        out.entry(l.uri.0).or_default().push(edit);
    }
    Ok(out)
}

/// A declaration that the new name would be taken for, or that it would hide, in the file of the rename.
fn taken(a: &Analysis, target: Target, new: &str) -> Option<Span> {
    let uses: Vec<Span> = a.names.uses.iter().filter(|(_, t)| *t == target).map(|(s, _)| *s).collect();
    let own = match target {
        Target::Local(s) => a.binding(s).map(|b| b.scope),
        Target::Item(_) => None,
    };
    let local = a.names.bindings.iter().filter(|b| b.name == new).find(|b| {
        uses.iter().any(|u| b.visible(u.start)) || own.is_none_or(|s| s.start <= b.span.start && b.span.end <= s.end)
    });
    if let Some(b) = local {
        return Some(b.span);
    }
    let r = a.program.module(a.program.root()).ast.items.iter().filter_map(crate::sema::modules::item_name);
    r.into_iter().find(|n| n.name == new).map(|n| n.span)
}

/// A decision's name stands at its `choose`; selectors of the file, and of those that use it, name it where no other
/// decision has its name.
fn decision(world: &mut World, a: &Analysis, n: &Ident, new: &str) -> Edits {
    let mut out = Edits::from([edited(world, a, &[n.span], new)]);
    let only = |a: &Analysis, n: usize, name: &str| decisions(a).iter().filter(|d| d.name == name).count() == n;
    if !only(a, 1, &n.name) {
        return out;
    }
    let path = a.path.display().to_string();
    for other in world.everything() {
        let own = other.path == a.path;
        let uses = other.sources().iter().any(|(_, s)| s.name == path);
        if own || uses && only(&other, 0, &n.name) {
            let spans = in_selectors(&other, &n.name);
            if !spans.is_empty() {
                let (uri, edits) = edited(world, &other, &spans, new);
                out.entry(uri).or_default().extend(edits);
            }
        }
    }
    out
}

fn edited(world: &World, a: &Analysis, spans: &[Span], new: &str) -> (String, Vec<TextEdit>) {
    let edit = |s: &Span| TextEdit { range: world.range(a.sources(), *s), new_text: new.to_string() };
    (world.uri_of(a.sources(), FileId(0)).unwrap_or_default(), spans.iter().map(edit).collect())
}

/// Where selectors of a file name a decision.
fn in_selectors(a: &Analysis, name: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for item in a.items() {
        visit::item(item, &mut |e| {
            if let ExprKind::Str(text) = &e.kind
                && e.span.file == FileId(0)
                && is_selector(text)
            {
                spans.extend(parts(a.sources().slice(e.span), name).map(|(from, to)| Span {
                    file: e.span.file,
                    start: e.span.start + from as u32,
                    end: e.span.start + to as u32,
                }));
            }
        });
    }
    spans
}

/// `cell.edge(0,1).op`, `**.op`: not just any text.
fn is_selector(text: &str) -> bool {
    text.contains(['.', '*']) && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.*(), ".contains(c))
}

/// The places of a name among the parts of a selector.
fn parts<'a>(selector: &'a str, name: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
    selector.match_indices(name).map(|(i, s)| (i, i + s.len())).filter(|&(from, to)| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let before = selector[..from].chars().next_back();
        let after = selector[to..].chars().next();
        !before.is_some_and(word) && !after.is_some_and(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_selectors() {
        assert!(
            is_selector("cell.edge(0,1).op") && is_selector("**.op") && !is_selector("op") && !is_selector("a: b.")
        );
        let found: Vec<_> = parts("\"op.op2.edge(0).op\"", "op").collect();
        assert_eq!(found, [(1, 3), (16, 18)]);
    }
}
