//! What a module's text shows without running it.
//!
//! Elaboration checks what a checked space reaches, under all its decisions. Code that nothing reaches yet, such as a
//! library's blocks, is checked here: names, the arguments of calls, assignments, names of decisions, recursion without
//! an end, and what is legal but likely not meant. Both word their messages alike ([`wording`]), so that [`merged`] can
//! leave out what both found.
//!
//! Only what is certain is an error: a value whose kind is not evident from the text is left to elaboration. Programs
//! (`strategy`, `evaluation`, and functions that no architecture calls) have a checker of their own.

mod calls;
mod holds;
mod imports;
mod recursion;
pub mod resolve;
mod scope;
pub mod visit;
mod walk;
pub mod wording;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::base::FileId;
use crate::diag::{Diagnostic, codes};
use crate::sema::modules::{ItemRef, ModuleId, Program};
use crate::sema::prim;
use crate::syntax::ast::{ExprKind, ItemKind};

/// All findings about one module, in the order of the text. Unused imports are reported for users' files only.
pub fn check(program: &Program, module: ModuleId) -> Vec<Diagnostic> {
    let functions = architecture_functions(program);
    let mut out = Vec::new();
    let mut calls = recursion::Graph::default();
    for (i, item) in program.module(module).ast.items.iter().enumerate() {
        match &item.kind {
            ItemKind::Primitive(p) => out.extend(prim::check(p)),
            ItemKind::Arch(_) => walk::item(program, module, item, &mut calls, &mut out),
            ItemKind::Fun(_) if functions.contains(&ItemRef { module, item: i as u32 }) => {
                walk::item(program, module, item, &mut calls, &mut out);
            }
            ItemKind::Use(_)
            | ItemKind::Fun(_)
            | ItemKind::Search(_)
            | ItemKind::SpaceAlias { .. }
            | ItemKind::Environment(_)
            | ItemKind::Algorithm(_) => {}
        }
    }
    out.extend(calls.endless());
    // What brings an unknown name into scope, or uses an import, may only be misspelled.
    let unknown = out.iter().any(|d| d.code == &codes::UNKNOWN_NAME);
    if !unknown && !program.module(module).name.starts_with("std.") {
        out.extend(imports::unused(program, module));
    }
    merged(out)
}

/// The findings about the root and every other file of the user; embedded modules are known to be clean.
pub fn check_all(program: &Program) -> Vec<Diagnostic> {
    let users =
        (0..program.modules.len() as u32).map(ModuleId).filter(|&m| !program.module(m).name.starts_with("std."));
    users.flat_map(|m| check(program, m)).collect()
}

/// Findings of several checks in the order of the text; of those with one code at one place the first is kept. Where a
/// file could not be read as a whole, nothing is known of what it does not use.
pub fn merged(mut all: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut seen = BTreeSet::new();
    let file = |d: &Diagnostic| d.labels.first().map(|l| l.span.file);
    let broken: BTreeSet<FileId> = all.iter().filter(|d| d.code.id.starts_with("E01")).filter_map(file).collect();
    all.retain(|d| !d.code.id.starts_with("W05") || file(d).is_none_or(|f| !broken.contains(&f)));
    all.retain(|d| d.labels.first().is_none_or(|l| seen.insert((d.code.id, l.span))));
    all.sort_by_key(|d| d.labels.first().map(|l| (l.span.file, l.span.start)));
    all
}

/// Functions that some architecture calls, directly or through others.
fn architecture_functions(program: &Program) -> BTreeSet<ItemRef> {
    let mut found = BTreeSet::new();
    let mut open: Vec<ItemRef> = Vec::new();
    for (m, module) in program.modules.iter().enumerate() {
        for (i, item) in module.ast.items.iter().enumerate() {
            if matches!(item.kind, ItemKind::Arch(_)) {
                open.push(ItemRef { module: ModuleId(m as u32), item: i as u32 });
            }
        }
    }
    while let Some(r) = open.pop() {
        visit::item(program.item(r), &mut |e| {
            let name = match &e.kind {
                ExprKind::Name(n) => &n.ident.name,
                ExprKind::Call { callee, .. } => match &callee.kind {
                    ExprKind::Field { name, .. } => &name.name,
                    _ => return,
                },
                _ => return,
            };
            if let Some(f) = program.lookup(r.module, name)
                && matches!(program.item(f).kind, ItemKind::Fun(_))
                && found.insert(f)
            {
                open.push(f);
            }
        });
    }
    found
}
