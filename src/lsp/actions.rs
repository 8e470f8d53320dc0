//! Quick fixes: what diagnostics offer, missing `use`s, and names that nothing uses.

use gen_lsp_types::{CodeAction, CodeActionKind, Range, TextEdit, WorkspaceEdit};

use super::analysis::Analysis;
use super::checker::Report;
use super::diagnostics::shown;
use super::mend;
use super::rename::rename;
use super::world::World;
use crate::base::FileId;
use crate::diag::{Diagnostic, codes};
use crate::sema::stdlib;
use crate::syntax::ast::{ItemKind, UseWhat};

/// The actions for the diagnostics that touch a range. The report must be of the same text.
pub fn actions(world: &mut World, a: &Analysis, report: &Report, range: Range) -> Vec<CodeAction> {
    let mut out = Vec::new();
    let sources = &report.program.sources;
    for d in &report.facts.diagnostics {
        let Some(first) = d.labels.first().filter(|l| l.span.file == FileId(0)) else { continue };
        let at = world.range(sources, first.span);
        // A fix may stand elsewhere; it is offered at both places.
        let fix_at = d.fix.as_ref().filter(|f| f.span.file == FileId(0)).map(|f| world.range(sources, f.span));
        let touches = |r: Range| r.start <= range.end && range.start <= r.end;
        if !touches(at) && !fix_at.is_some_and(touches) {
            continue;
        }
        for (title, edits, preferred) in fixes(world, a, report, d) {
            out.push(CodeAction {
                title,
                kind: Some(CodeActionKind::QuickFix),
                diagnostics: Some(vec![shown(world, sources, d)]),
                edit: Some(edits),
                is_preferred: Some(preferred),
                ..CodeAction::default()
            });
        }
    }
    out
}

type Fix = (String, WorkspaceEdit, bool);

fn fixes(world: &mut World, a: &Analysis, report: &Report, d: &Diagnostic) -> Vec<Fix> {
    let sources = &report.program.sources;
    let mut out = Vec::new();
    let own = world.uri_of(sources, FileId(0)).unwrap_or_default();
    if let Some(f) = &d.fix
        && let Some(l) = world.location(sources, f.span)
    {
        let edit = TextEdit { range: l.range, new_text: f.text.clone() };
        out.push((f.title.clone(), edits([(l.uri.0.clone(), vec![edit])]), true));
    }
    let Some(first) = d.labels.first() else { return out };
    if d.code == &codes::UNKNOWN_NAME {
        let name = sources.slice(first.span);
        let module = stdlib::module_of(name);
        if let Some((module, edit)) = module.and_then(|m| Some((m.clone(), import(a, &m, name)?))) {
            out.push((format!("use `{module}`"), edits([(own.clone(), vec![edit])]), d.fix.is_none()));
        }
    }
    if d.code == &codes::MOTIF_DEPENDS || d.code == &codes::SHAPE {
        for m in mend::mends(a, d) {
            out.push((m.title, edits([(own.clone(), m.edits)]), m.preferred));
        }
    }
    if d.code == &codes::UNUSED_USE
        && let Some(edit) = without_use(a, first.span.start)
    {
        out.push(("delete the `use`".to_string(), edits([(own, vec![edit])]), true));
    }
    if d.code == &codes::UNUSED_NAME {
        let new = format!("_{}", sources.slice(first.span));
        if let Ok(all) = rename(world, a, first.span.start, &new) {
            out.push((format!("call it `{new}`"), edits(all), false));
        }
    }
    out
}

fn edits(all: impl IntoIterator<Item = (String, Vec<TextEdit>)>) -> WorkspaceEdit {
    let changes = all.into_iter().map(|(u, e)| (u.into(), e)).collect();
    WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }
}

/// The edit that brings an item into scope: after the last `use`, or above everything but the comment at the top. None
/// if it is there.
pub fn import(a: &Analysis, module: &str, name: &str) -> Option<TextEdit> {
    let root = a.program.module(a.program.root());
    if root.scope.contains_key(name) || root.name == module {
        return None;
    }
    let last = module.rsplit('.').next().unwrap_or(module);
    let path = match module {
        "std.ops" => "std.ops.*".to_string(),
        // The item of the module's own name.
        _ if last == name => module.to_string(),
        _ => format!("{module}.{name}"),
    };
    let uses = a.items().iter().rfind(|i| matches!(i.kind, ItemKind::Use(_)));
    let (line, text) = match uses {
        Some(u) => (a.lines().line(u.span.end as usize) + 1, format!("use {path}\n")),
        None => {
            // A comment that a blank line divides from what follows is about the file.
            let first = a.items().first().map_or(0, |i| i.span.start as usize);
            let head = a.text()[..first].rfind("\n\n").map_or(0, |i| a.lines().line(i + 1) + 1);
            (head, format!("use {path}\n\n"))
        }
    };
    let at = match a.lines().start(line) {
        Some(_) => gen_lsp_types::Position::new(line as u32, 0),
        None => a.lines().position(a.text(), a.text().len()),
    };
    let text = if a.lines().start(line).is_none() { format!("\n{}", text.trim_end()) } else { text };
    Some(TextEdit { range: Range::new(at, at), new_text: text })
}

/// The edit that deletes the `use`, or the name in its braces, at a byte.
fn without_use(a: &Analysis, at: u32) -> Option<TextEdit> {
    let item = a.items().iter().find(|i| i.span.start <= at && at <= i.span.end)?;
    let ItemKind::Use(u) = &item.kind else { return None };
    if let UseWhat::Names(names) = &u.what
        && names.len() > 1
    {
        let k = names.iter().position(|n| n.span.start == at)?;
        // With the comma after it, or before the last.
        let (from, to) = match names.get(k + 1) {
            Some(next) => (names[k].span.start, next.span.start),
            None => (names[k - 1].span.end, names[k].span.end),
        };
        let range = a.lines().range(a.text(), from as usize, to as usize);
        return Some(TextEdit { range, new_text: String::new() });
    }
    let line = a.lines().line(item.span.start as usize);
    let end = a.lines().line(item.span.end as usize) + 1;
    let to = match a.lines().start(end) {
        Some(_) => gen_lsp_types::Position::new(end as u32, 0),
        None => a.lines().position(a.text(), a.text().len()),
    };
    Some(TextEdit { range: Range::new(gen_lsp_types::Position::new(line as u32, 0), to), new_text: String::new() })
}
