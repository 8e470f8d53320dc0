//! Statements, bodies and patterns.

use crate::diag::{Diagnostic, codes};
use crate::syntax::ast::{BinOp, Body, Expr, ExprKind, Ident, Pattern, Stmt, StmtKind};

use super::{Builder, P, Rule, must};

impl<'a> Builder<'a> {
    /// `{ .. }` with statements; the last one is the value if it is an expression.
    pub(super) fn body(&mut self, pair: P<'a>) -> Body {
        let span = self.span(&pair);
        let mut stmts = Vec::new();
        for p in pair.into_inner().filter(|p| p.as_rule() == Rule::stmt) {
            if let Some(entry) = map_value(&p) {
                let d = Diagnostic::new(
                    &codes::MIXED_BRACES,
                    self.span(&entry),
                    "an entry of a map stands among statements",
                )
                .here("`:` belongs into a map")
                .help("put a map in braces of its own: `{ { key: value } }`, or `= { key: value }` after a head");
                self.report(d);
            } else if is_plain(&p)
                && let Some(d) = self.apart(self.span(&p))
            {
                self.report(d);
            }
            stmts.push(self.stmt(p));
        }
        finish(span, stmts)
    }

    pub(super) fn stmt(&mut self, pair: P<'a>) -> Stmt {
        let span = self.span(&pair);
        let inner = must(&mut pair.into_inner());
        let kind = match inner.as_rule() {
            Rule::let_stmt => {
                let mut parts = inner.into_inner();
                let mutable = must(&mut parts).as_rule() == Rule::kw_var;
                let pattern = self.pattern(must(&mut parts));
                let mut rest: Vec<P<'a>> = parts.collect();
                let value = rest.pop().map(|p| self.expr(p)).expect("a `let` ends with its value");
                let ty = rest.into_iter().find(|p| p.as_rule() == Rule::ty).map(|p| self.ty(p));
                StmtKind::Let { mutable, pattern, ty, value }
            }
            Rule::share_stmt => {
                let mut parts = inner.into_inner().skip(1);
                let name = self.ident(&must(&mut parts));
                StmtKind::Share { name, value: self.expr(must(&mut parts.skip(1))) }
            }
            Rule::for_stmt => {
                let mut parts = inner.into_inner().skip(1);
                let pattern = self.pattern(must(&mut parts));
                let mut parts = parts.skip(1);
                let iter = self.expr(must(&mut parts));
                StmtKind::For { pattern, iter, body: self.body(must(&mut parts)) }
            }
            Rule::while_stmt => {
                let mut parts = inner.into_inner().skip(1);
                let cond = self.cond(must(&mut parts));
                StmtKind::While { cond: Some(cond), body: self.body(must(&mut parts)) }
            }
            Rule::loop_stmt => StmtKind::While { cond: None, body: self.body(must(&mut inner.into_inner().skip(1))) },
            Rule::return_stmt => StmtKind::Return(inner.into_inner().nth(1).map(|e| self.expr(e))),
            Rule::kw_break => StmtKind::Break,
            Rule::kw_continue => StmtKind::Continue,
            Rule::forbid_stmt => StmtKind::Forbid(self.cond(must(&mut inner.into_inner().skip(1)))),
            Rule::item => StmtKind::Item(Box::new(self.item(inner))),
            _ => self.expr_stmt(inner),
        };
        Stmt { span, kind }
    }

    fn expr_stmt(&mut self, pair: P<'a>) -> StmtKind {
        let mut parts = pair.into_inner();
        let target = self.expr(must(&mut parts));
        let Some(op) = parts.next() else { return StmtKind::Expr(target) };
        if op.as_rule() == Rule::map_value {
            // Reported by `body`, or taken by `braces`.
            return StmtKind::Expr(target);
        }
        let op = match op.as_str().as_bytes()[0] {
            b'+' => Some(BinOp::Add),
            b'-' => Some(BinOp::Sub),
            b'*' => Some(BinOp::Mul),
            b'/' => Some(BinOp::Div),
            b'%' => Some(BinOp::Rem),
            b'^' => Some(BinOp::Pow),
            _ => None,
        };
        let value = self.expr(must(&mut parts));
        if !is_place(&target) {
            let d = Diagnostic::new(&codes::PLACE, target.span, "this cannot be assigned to")
                .here("not a name, element, field or tuple of these")
                .help("a comparison is written `==`");
            self.report(d);
        }
        StmtKind::Assign { target, op, value }
    }

    pub(super) fn pattern(&mut self, pair: P<'a>) -> Pattern {
        let inner = must(&mut pair.into_inner());
        if inner.as_rule() == Rule::ident {
            return name_pattern(self.ident(&inner));
        }
        let span = self.span(&inner);
        let comma = inner.clone().into_inner().any(|p| p.as_rule() == Rule::comma);
        let mut parts: Vec<Pattern> =
            inner.into_inner().filter(|p| p.as_rule() == Rule::pattern).map(|p| self.pattern(p)).collect();
        match parts.pop() {
            Some(only) if parts.is_empty() && !comma => only,
            last => {
                parts.extend(last);
                Pattern::Tuple(parts, span)
            }
        }
    }

    /// What stands before `=>`, read as an expression first.
    pub(super) fn pattern_of(&mut self, e: Expr) -> Pattern {
        match e.kind {
            ExprKind::Name(n) => name_pattern(n.ident),
            ExprKind::Tuple(parts) => Pattern::Tuple(parts.into_iter().map(|p| self.pattern_of(p)).collect(), e.span),
            _ => {
                let d = Diagnostic::new(&codes::PATTERN, e.span, "what stands before `=>` must be names")
                    .here("not a name")
                    .help("name the parameter, and compute with it after the arrow");
                self.report(d);
                Pattern::Skip(e.span)
            }
        }
    }
}

/// The `: value` of a statement that is an entry of a map.
pub(super) fn map_value<'a>(stmt: &P<'a>) -> Option<P<'a>> {
    let inner = stmt.clone().into_inner().next().filter(|p| p.as_rule() == Rule::expr_stmt)?;
    inner.into_inner().find(|p| p.as_rule() == Rule::map_value)
}

/// An expression on its own.
fn is_plain(stmt: &P) -> bool {
    let inner = stmt.clone().into_inner().next().filter(|p| p.as_rule() == Rule::expr_stmt);
    inner.is_some_and(|p| p.into_inner().count() == 1)
}

/// A body whose last statement is its value if it is an expression.
pub(super) fn finish(span: crate::base::Span, mut stmts: Vec<Stmt>) -> Body {
    let value = match stmts.pop() {
        Some(Stmt { kind: StmtKind::Expr(e), .. }) => Some(Box::new(e)),
        other => {
            stmts.extend(other);
            None
        }
    };
    Body { span, stmts, value }
}

fn name_pattern(ident: Ident) -> Pattern {
    if ident.name == "_" { Pattern::Skip(ident.span) } else { Pattern::Name(ident) }
}

fn is_place(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Name(_) | ExprKind::Error => true,
        ExprKind::Index { base, .. } | ExprKind::Field { base, .. } => is_place(base),
        ExprKind::Tuple(parts) => parts.iter().all(is_place),
        _ => false,
    }
}
