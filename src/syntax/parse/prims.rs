//! The statements of primitives.

use crate::syntax::ast::{IndexDecl, PrimStmt, SlotKind};

use super::{Builder, P, Rule, must};

impl<'a> Builder<'a> {
    pub(super) fn prim_body(&mut self, pair: P<'a>) -> Vec<PrimStmt> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::prim_stmt).map(|p| self.prim_stmt(p)).collect()
    }

    pub(super) fn prim_stmt(&mut self, pair: P<'a>) -> PrimStmt {
        let inner = must(&mut pair.into_inner());
        let span = self.span(&inner);
        match inner.as_rule() {
            Rule::slot => {
                let mut parts = inner.into_inner();
                let kind = match must(&mut parts).as_str() {
                    "param" => SlotKind::Param,
                    "state" => SlotKind::State,
                    _ => SlotKind::Knob,
                };
                let name = self.ident(&must(&mut parts));
                let mut next = must(&mut parts);
                let mut dims = Vec::new();
                if next.as_rule() == Rule::dims {
                    dims = self.dims(next);
                    next = must(&mut parts);
                }
                debug_assert_eq!(next.as_rule(), Rule::assign);
                let init = self.expr(must(&mut parts));
                PrimStmt::Slot { kind, name, dims, init, span }
            }
            Rule::prim_let => {
                let mut parts = inner.into_inner().skip(1);
                let name = self.ident(&must(&mut parts));
                PrimStmt::Let { name, value: self.expr(must(&mut parts.skip(1))) }
            }
            Rule::prim_if => self.prim_if(inner),
            _ => {
                let mut parts = inner.into_inner();
                let name = self.ident(&must(&mut parts));
                let mut next = must(&mut parts);
                let mut indices = Vec::new();
                if next.as_rule() == Rule::index_decls {
                    indices = self.index_decls(next);
                    next = must(&mut parts);
                }
                let update = next.as_rule() == Rule::update;
                PrimStmt::Equation { name, indices, update, value: self.expr(must(&mut parts)), span }
            }
        }
    }

    fn prim_if(&mut self, pair: P<'a>) -> PrimStmt {
        let mut parts = pair.into_inner().skip(1);
        let cond = self.cond(must(&mut parts));
        let then = self.prim_body(must(&mut parts));
        let otherwise = match parts.nth(1) {
            Some(p) if p.as_rule() == Rule::prim_if => vec![self.prim_if(p)],
            Some(p) => self.prim_body(p),
            None => Vec::new(),
        };
        PrimStmt::If { cond, then, otherwise }
    }

    pub(super) fn index_decls(&mut self, pair: P<'a>) -> Vec<IndexDecl> {
        pair.into_inner()
            .filter(|p| p.as_rule() == Rule::index_decl)
            .map(|p| {
                let mut parts = p.into_inner();
                let first = must(&mut parts);
                if first.as_rule() == Rule::rest {
                    return IndexDecl::Rest(self.span(&first));
                }
                let name = self.ident(&first);
                IndexDecl::Index(name, parts.nth(1).map(|e| self.expr(e)))
            })
            .collect()
    }
}
