//! Declarations.

use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::syntax::ast::{
    Algorithm, Arch, ArchKind, Body, Dim, Environment, Expr, Fun, FunKind, Ident, Item, ItemKind, Output, Param,
    ParamKind, Primitive, Search, Type, TypeKind, Use, UseWhat,
};

use super::{Builder, P, Rule, must};

impl<'a> Builder<'a> {
    pub(super) fn item(&mut self, pair: P<'a>) -> Item {
        let span = self.span(&pair);
        let inner = must(&mut pair.into_inner());
        let kind = match inner.as_rule() {
            Rule::use_item => ItemKind::Use(self.use_item(inner)),
            Rule::space_alias => {
                let mut parts = inner.into_inner().skip(1);
                let name = self.ident(&must(&mut parts));
                let value = self.expr(must(&mut parts.skip(1)));
                ItemKind::SpaceAlias { name, value }
            }
            Rule::primitive => {
                let mut parts = inner.into_inner();
                let mut primitive = self.primitive_head(must(&mut parts));
                primitive.body = self.prim_body(must(&mut parts));
                ItemKind::Primitive(primitive)
            }
            Rule::arch => {
                let mut parts = inner.into_inner();
                let mut arch = self.arch_head(must(&mut parts));
                arch.body = self.body_or_expr(must(&mut parts));
                ItemKind::Arch(arch)
            }
            Rule::fun => ItemKind::Fun(self.fun(inner)),
            Rule::search => {
                let mut parts = inner.into_inner();
                let name = self.ident(&must(&mut must(&mut parts).into_inner().skip(1)));
                ItemKind::Search(Search { name, fields: self.fields(must(&mut parts)) })
            }
            Rule::environment => ItemKind::Environment(self.environment(inner)),
            _ => ItemKind::Algorithm(self.algorithm(inner)),
        };
        Item { span, doc: self.doc(span.start as usize), kind }
    }

    /// The comment lines directly above a declaration.
    pub(super) fn doc(&self, start: usize) -> String {
        let mut lines: Vec<&str> = Vec::new();
        let mut below = start;
        let last = self.lexed.comments.partition_point(|c| c.end <= start);
        for c in self.lexed.comments[..last].iter().rev() {
            let between = &self.source[c.end..below];
            if !c.first || between.trim() != "" || between.matches('\n').count() != 1 {
                break;
            }
            let text = self.source[c.start..c.end].trim_start_matches('/');
            lines.push(text.strip_prefix(' ').unwrap_or(text).trim_end());
            below = c.start;
        }
        lines.reverse();
        lines.join("\n")
    }

    fn use_item(&mut self, pair: P<'a>) -> Use {
        let mut path = Vec::new();
        let mut what = UseWhat::Last;
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::word => path.push(self.ident(&p)),
                Rule::star => what = UseWhat::All,
                Rule::use_names => {
                    let words = p.into_inner().filter(|w| w.as_rule() == Rule::word);
                    what = UseWhat::Names(words.map(|w| self.ident(&w)).collect());
                }
                _ => {}
            }
        }
        Use { path, what }
    }

    /// A head of any kind, with an empty body.
    pub(super) fn head(&mut self, pair: P<'a>) -> ItemKind {
        let inner = must(&mut pair.into_inner());
        match inner.as_rule() {
            Rule::primitive_head => ItemKind::Primitive(self.primitive_head(inner)),
            Rule::arch_head => ItemKind::Arch(self.arch_head(inner)),
            Rule::fun_head => ItemKind::Fun(self.fun_head(inner)),
            Rule::search_head => {
                let name = self.ident(&must(&mut inner.into_inner().skip(1)));
                ItemKind::Search(Search { name, fields: Vec::new() })
            }
            _ => {
                let (name, params) = self.environment_head(inner);
                ItemKind::Environment(Environment { name, params, state: Vec::new(), funs: Vec::new() })
            }
        }
    }

    fn primitive_head(&mut self, pair: P<'a>) -> Primitive {
        let mut parts = pair.into_inner().skip(1);
        let name = self.ident(&must(&mut parts));
        let params = self.params(must(&mut parts));
        let outputs = parts
            .filter(|p| p.as_rule() == Rule::output)
            .map(|p| {
                let mut parts = p.into_inner();
                let name = self.ident(&must(&mut parts));
                Output { name, dims: parts.next().map_or_else(Vec::new, |d| self.dims(d)) }
            })
            .collect();
        Primitive { name, params, outputs, body: Vec::new() }
    }

    fn arch_head(&mut self, pair: P<'a>) -> Arch {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let kind = match must(&mut parts).as_rule() {
            Rule::kw_block => ArchKind::Block,
            Rule::kw_motif => ArchKind::Motif,
            _ => ArchKind::Space,
        };
        let name = self.ident(&must(&mut parts));
        let mut arch = Arch { kind, name, count: None, params: Vec::new(), body: empty(span) };
        for p in parts {
            if p.as_rule() == Rule::arch_count {
                arch.count = Some(self.expr(must(&mut p.into_inner().skip(1))));
            } else {
                arch.params = self.params(p);
            }
        }
        arch
    }

    fn fun(&mut self, pair: P<'a>) -> Fun {
        let mut parts = pair.into_inner();
        let mut fun = self.fun_head(must(&mut parts));
        fun.body = self.body_or_expr(must(&mut parts));
        fun
    }

    fn fun_head(&mut self, pair: P<'a>) -> Fun {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let kind = match must(&mut parts).as_rule() {
            Rule::kw_fn => FunKind::Fn,
            Rule::kw_strategy => FunKind::Strategy,
            _ => FunKind::Evaluation,
        };
        let name = self.ident(&must(&mut parts));
        let params = self.params(must(&mut parts));
        let result = parts.nth(1).map(|t| self.ty(t));
        Fun { kind, name, params, result, body: empty(span) }
    }

    fn body_or_expr(&mut self, pair: P<'a>) -> Body {
        let mut parts = pair.into_inner();
        let first = must(&mut parts);
        if first.as_rule() == Rule::body {
            return self.body(first);
        }
        let value = self.expr(must(&mut parts));
        Body { span: value.span, stmts: Vec::new(), value: Some(Box::new(value)) }
    }

    /// `{ name = value .. }`
    pub(super) fn fields(&mut self, pair: P<'a>) -> Vec<(Ident, Expr)> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::field).map(|p| self.field(p)).collect()
    }

    pub(super) fn field(&mut self, pair: P<'a>) -> (Ident, Expr) {
        let mut parts = pair.into_inner();
        let name = self.ident(&must(&mut parts));
        (name, self.expr(must(&mut parts.skip(1))))
    }

    fn environment_head(&mut self, pair: P<'a>) -> (Ident, Vec<Param>) {
        let mut parts = pair.into_inner().skip(1);
        let name = self.ident(&must(&mut parts));
        (name, parts.next().map_or_else(Vec::new, |p| self.params(p)))
    }

    fn environment(&mut self, pair: P<'a>) -> Environment {
        let mut parts = pair.into_inner();
        let (name, params) = self.environment_head(must(&mut parts));
        let mut environment = Environment { name, params, state: Vec::new(), funs: Vec::new() };
        for p in parts.filter(|p| p.as_rule() == Rule::member) {
            self.member(p, &mut environment);
        }
        environment
    }

    pub(super) fn member(&mut self, pair: P<'a>, environment: &mut Environment) {
        let inner = must(&mut pair.into_inner());
        if inner.as_rule() == Rule::fun {
            environment.funs.push(self.fun(inner));
        } else {
            let mut parts = inner.into_inner().skip(1);
            let name = self.ident(&must(&mut parts));
            environment.state.push((name, self.expr(must(&mut parts.skip(1)))));
        }
    }

    fn algorithm(&mut self, pair: P<'a>) -> Algorithm {
        let mut parts = pair.into_inner().skip(1);
        let name = self.ident(&must(&mut parts));
        let mut result: Vec<(Ident, Vec<crate::syntax::ast::Stmt>)> = Vec::new();
        for p in parts.filter(|p| p.as_rule() == Rule::part) {
            let mut inner = p.into_inner();
            let part = self.ident(&must(&mut inner));
            let body = self.body(must(&mut inner));
            let mut stmts = body.stmts;
            if let Some(value) = body.value {
                // Nothing is returned from a part: a last expression is a statement like the others.
                stmts.push(crate::syntax::ast::Stmt {
                    span: value.span,
                    kind: crate::syntax::ast::StmtKind::Expr(*value),
                });
            }
            self.known_field(&part, &["setup", "predict", "learn"], result.iter().map(|(n, _)| n), "an algorithm");
            result.push((part, stmts));
        }
        Algorithm { name, parts: result }
    }

    /// Reports a field that its construct does not have, or has already. True if it is fine.
    pub(super) fn known_field<'b>(
        &mut self,
        name: &Ident,
        known: &[&str],
        mut earlier: impl Iterator<Item = &'b Ident>,
        of: &str,
    ) -> bool {
        if !known.contains(&name.name.as_str()) {
            let mut d = Diagnostic::new(&codes::FIELD, name.span, format!("{of} has no field `{}`", name.name))
                .here("not a field")
                .help(format!("the fields of {of} are {}", super::explain::listed(known, "and")));
            if let Some(m) = did_you_mean(&name.name, known.iter().copied()) {
                d = d.fix(name.span, m, format!("write `{m}`"));
            }
            self.report(d);
            return false;
        }
        if let Some(first) = earlier.find(|n| n.name == name.name) {
            let d = Diagnostic::new(&codes::FIELD, name.span, format!("`{}` is given twice", name.name))
                .here("given again")
                .label(first.span, "given here");
            self.report(d);
            return false;
        }
        true
    }

    pub(super) fn params(&mut self, pair: P<'a>) -> Vec<Param> {
        pair.into_inner()
            .filter(|p| p.as_rule() == Rule::param)
            .map(|p| {
                let mut parts = p.into_inner();
                let name = self.ident(&must(&mut parts));
                let mut param = Param { name, kind: ParamKind::Untyped, default: None };
                for p in parts {
                    match p.as_rule() {
                        Rule::dims => param.kind = ParamKind::Tensor(self.dims(p)),
                        Rule::ty => param.kind = ParamKind::Typed(self.ty(p)),
                        Rule::expr => param.default = Some(self.expr(p)),
                        _ => {}
                    }
                }
                param
            })
            .collect()
    }

    pub(super) fn dims(&mut self, pair: P<'a>) -> Vec<Dim> {
        pair.into_inner()
            .filter(|p| p.as_rule() == Rule::dim)
            .map(|p| {
                let inner = must(&mut p.into_inner());
                if inner.as_rule() == Rule::rest { Dim::Rest(self.span(&inner)) } else { Dim::Expr(self.expr(inner)) }
            })
            .collect()
    }

    pub(super) fn ty(&mut self, pair: P<'a>) -> Type {
        let mut parts = pair.into_inner();
        let first = must(&mut parts);
        let mut span = self.span(&first);
        let kind = match first.as_rule() {
            Rule::ty_named => {
                let mut inner = first.into_inner();
                let name = self.ident(&must(&mut inner));
                TypeKind::Named(name, inner.filter(|p| p.as_rule() == Rule::ty).map(|p| self.ty(p)).collect())
            }
            Rule::ty_tuple => TypeKind::Tuple(self.types(first)),
            Rule::ty_record => TypeKind::Record(
                first
                    .into_inner()
                    .filter(|p| p.as_rule() == Rule::ty_field)
                    .map(|p| {
                        let mut parts = p.into_inner();
                        let name = self.ident(&must(&mut parts));
                        (name, self.ty(must(&mut parts.skip(1))))
                    })
                    .collect(),
            ),
            _ => {
                let mut inner = first.into_inner().skip(1);
                let params = must(&mut inner);
                let params = self.types(params);
                TypeKind::Fn(params, Box::new(self.ty(must(&mut inner.skip(1)))))
            }
        };
        let mut ty = Type { span, kind };
        for question in parts {
            span = span.to(self.span(&question));
            ty = Type { span, kind: TypeKind::Optional(Box::new(ty)) };
        }
        ty
    }

    fn types(&mut self, pair: P<'a>) -> Vec<Type> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::ty).map(|p| self.ty(p)).collect()
    }
}

fn empty(span: Span) -> Body {
    Body { span, stmts: Vec::new(), value: None }
}
