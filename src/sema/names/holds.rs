//! Operations that hold decisions.

use std::collections::BTreeSet;

use crate::base::Span;
use crate::sema::modules::{ModuleId, Program};
use crate::syntax::ast::{Arch, ArchKind, Expr, ExprKind, ItemKind, StmtKind};

use super::visit;

/// Whether every use of a block makes decisions of its own: it contains a `choose`, or a block that does.
pub fn decides(program: &Program, module: ModuleId, block: &Arch) -> bool {
    decides_within(program, module, block, &[], &mut BTreeSet::new())
}

fn decides_within(program: &Program, module: ModuleId, a: &Arch, outer: &[&Arch], seen: &mut BTreeSet<Span>) -> bool {
    if a.kind != ArchKind::Block || !seen.insert(a.name.span) {
        return false;
    }
    // Declarations inside count where they are used, not where they stand.
    let inner: Vec<&Arch> = (a.body.stmts.iter())
        .filter_map(|s| match &s.kind {
            StmtKind::Item(i) => match &i.kind {
                ItemKind::Arch(a) => Some(a),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let visible: Vec<&Arch> = inner.iter().chain(outer).copied().collect();
    let mut own: Vec<&Expr> = Vec::new();
    for s in &a.body.stmts {
        match &s.kind {
            StmtKind::Let { value, .. }
            | StmtKind::Share { value, .. }
            | StmtKind::Assign { value, .. }
            | StmtKind::Expr(value) => visit::expr(value, &mut |e| own.push(e)),
            StmtKind::For { iter, body, .. } => {
                visit::expr(iter, &mut |e| own.push(e));
                visit::body(body, &mut |e| own.push(e));
            }
            StmtKind::While { body, .. } => visit::body(body, &mut |e| own.push(e)),
            StmtKind::Return(e) => e.iter().for_each(|e| visit::expr(e, &mut |e| own.push(e))),
            StmtKind::Item(_) | StmtKind::Forbid(_) | StmtKind::Break | StmtKind::Continue => {}
        }
    }
    a.body.value.iter().for_each(|e| visit::expr(e, &mut |e| own.push(e)));
    own.into_iter().any(|e| match &e.kind {
        ExprKind::Choose(_) => true,
        ExprKind::Name(n) => {
            if let Some(b) = visible.iter().find(|b| b.name.name == n.ident.name) {
                return decides_within(program, module, b, &visible, seen);
            }
            match program.lookup(module, &n.ident.name).map(|r| (r, &program.item(r).kind)) {
                Some((r, ItemKind::Arch(b))) => decides_within(program, r.module, b, &[], seen),
                _ => false,
            }
        }
        _ => false,
    })
}
