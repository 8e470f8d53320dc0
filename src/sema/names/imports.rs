//! Imports that nothing uses.

use std::collections::BTreeSet;

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::sema::modules::{ItemRef, ModuleId, Program, item_name};
use crate::syntax::ast::{ExprKind, ItemKind, UseWhat};

use super::visit;

/// Reports every `use`, or name in its braces, that brings nothing into scope that the module uses.
pub fn unused(program: &Program, module: ModuleId) -> Vec<Diagnostic> {
    let m = program.module(module);
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for item in &m.ast.items {
        visit::item(item, &mut |e| match &e.kind {
            ExprKind::Name(n) => {
                names.insert(&n.ident.name);
            }
            ExprKind::Field { name, .. } => {
                names.insert(&name.name);
            }
            _ => {}
        });
    }
    let used: BTreeSet<ItemRef> = names.iter().filter_map(|n| m.scope.get(*n).copied()).collect();
    let uses_module = |path: &str| used.iter().any(|r| program.module(r.module).name == path);
    let uses_item = |path: &str, name: &str| {
        used.iter().any(|r| {
            program.module(r.module).name == path && item_name(program.item(*r)).is_some_and(|n| n.name == name)
        })
    };
    let has_item = |path: &str, name: &str| {
        let mut items = program.modules.iter().filter(|m| m.name == path).flat_map(|m| &m.ast.items);
        items.any(|i| item_name(i).is_some_and(|n| n.name == name))
    };
    let is_module = |path: &str| program.modules.iter().any(|m| m.name == path);
    let mut out = Vec::new();
    let mut report = |span: Span, what: &str| {
        out.push(
            Diagnostic::new(&codes::UNUSED_USE, span, format!("nothing here uses `{what}`"))
                .here("unused import")
                .help("delete it"),
        );
    };
    for item in &m.ast.items {
        let ItemKind::Use(u) = &item.kind else { continue };
        let Some(span) = u.path.iter().map(|i| i.span).reduce(Span::to) else { continue };
        let parts: Vec<&str> = u.path.iter().map(|i| i.name.as_str()).collect();
        let path = parts.join(".");
        let parent = parts[..parts.len() - 1].join(".");
        match &u.what {
            UseWhat::All => {
                if is_module(&path) && !uses_module(&path) {
                    report(span, &path);
                }
            }
            UseWhat::Last => {
                let last = parts[parts.len() - 1];
                // The item of a module's own name, or all of it; else an item of the parent.
                let own = is_module(&path);
                if own && !uses_module(&path) || !own && has_item(&parent, last) && !uses_item(&parent, last) {
                    report(span, &path);
                }
            }
            UseWhat::Names(listed) => {
                for n in listed {
                    let full = format!("{path}.{}", n.name);
                    let own = is_module(&full);
                    if own && !uses_module(&full) || !own && has_item(&path, &n.name) && !uses_item(&path, &n.name) {
                        report(n.span, &full);
                    }
                }
            }
        }
    }
    out
}
