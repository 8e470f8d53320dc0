//! Declarations and the statements of primitives.

use crate::syntax::ast::{
    Arch, ArchKind, Body, Dim, Fun, FunKind, Ident, Item, ItemKind, Module, Param, ParamKind, PrimStmt, SlotKind, Type,
    TypeKind, Use, UseWhat,
};

use super::Printer;
use super::doc::{Doc, all, group, nest, text};

impl Printer<'_> {
    pub(super) fn module(&mut self, module: &Module) -> Doc {
        let mut parts = Vec::new();
        for item in &module.items {
            parts.push(self.lead(item.span.start, true));
            if !parts.is_empty() {
                parts.push(Doc::Hard);
            }
            parts.push(self.item(item));
        }
        parts.push(self.lead(u32::MAX, true));
        all(parts)
    }

    pub(super) fn item(&mut self, item: &Item) -> Doc {
        let close = item.span.end.saturating_sub(1);
        match &item.kind {
            ItemKind::Use(u) => text(use_text(u)),
            ItemKind::SpaceAlias { name, value } => {
                all([text(format!("space {}", name.name)), self.after_sign("=", value)])
            }
            ItemKind::Primitive(p) => {
                let params = self.params(&p.params);
                let mut outputs = Vec::new();
                for (i, o) in p.outputs.iter().enumerate() {
                    if i > 0 {
                        outputs.push(text(", "));
                    }
                    outputs.push(text(o.name.name.clone()));
                    if !o.dims.is_empty() {
                        outputs.push(self.dims(&o.dims));
                    }
                }
                let head = group(all([
                    text(format!("primitive {}", p.name.name)),
                    params,
                    nest(all([Doc::Line, text("-> "), all(outputs)])),
                    text(" {"),
                ]));
                let body = self.prim_body(&p.body, close);
                all([head, body, text("}")])
            }
            ItemKind::Arch(a) => self.arch(a),
            ItemKind::Fun(f) => self.fun(f),
            ItemKind::Search(s) => {
                let fields = self.fields(&s.fields, close);
                all([text(format!("search {} {{", s.name.name)), fields, text("}")])
            }
            ItemKind::Environment(e) => {
                let params = if e.params.is_empty() { text("") } else { self.params(&e.params) };
                let head = all([text(format!("environment {}", e.name.name)), params, text(" {")]);
                let mut parts = Vec::new();
                let mut funs = e.funs.iter().peekable();
                for (name, value) in &e.state {
                    while let Some(f) = funs.next_if(|f| f.name.span.start < name.span.start) {
                        parts.push(self.member(&f.name, |p| p.fun(f)));
                    }
                    parts.push(
                        self.member(name, |p| all([text(format!("state {}", name.name)), p.after_sign("=", value)])),
                    );
                }
                for f in funs {
                    parts.push(self.member(&f.name, |p| p.fun(f)));
                }
                parts.push(self.lead(close, true));
                all([head, nest(all(parts)), Doc::Hard, text("}")])
            }
            ItemKind::Algorithm(a) => {
                let mut parts = Vec::new();
                for (name, stmts) in &a.parts {
                    parts.extend([self.lead(name.span.start, true), Doc::Hard, text(format!("{} ", name.name))]);
                    let start = name.span.end;
                    let end = if self.lexed.is_some() { self.brace_end(start) + 1 } else { 0 };
                    let span = crate::base::Span { start, end, ..name.span };
                    let body = Body { span, stmts: stmts.clone(), value: None };
                    let broken = self.broken_after(start, "{");
                    parts.push(group(self.body(&body, broken)));
                }
                parts.push(self.lead(close, true));
                all([text(format!("algorithm {} {{", a.name.name)), nest(all(parts)), Doc::Hard, text("}")])
            }
        }
    }

    /// A member of an environment, on a line of its own.
    fn member(&mut self, name: &Ident, one: impl FnOnce(&mut Self) -> Doc) -> Doc {
        let start = self.before(name.span.start);
        all([self.lead(start, true), Doc::Hard, one(self)])
    }

    fn arch(&mut self, a: &Arch) -> Doc {
        let word = match a.kind {
            ArchKind::Block => "block",
            ArchKind::Motif => "motif",
            ArchKind::Space => "space",
        };
        let mut head = vec![text(format!("{word} {}", a.name.name))];
        if let Some(c) = &a.count {
            head.extend([text("["), self.element(c), text("]")]);
        }
        head.push(self.params(&a.params));
        let body = self.body_or_expr(&a.body);
        all([all(head), body])
    }

    fn fun(&mut self, f: &Fun) -> Doc {
        let word = match f.kind {
            FunKind::Fn => "fn",
            FunKind::Strategy => "strategy",
            FunKind::Evaluation => "evaluation",
        };
        let params = self.params(&f.params);
        let result = f.result.as_ref().map_or_else(String::new, |t| format!(" -> {}", ty(t)));
        let body = self.body_or_expr(&f.body);
        all([text(format!("{word} {}", f.name.name)), params, text(result), body])
    }

    /// ` = e` or ` { .. }`, as it was written.
    fn body_or_expr(&mut self, b: &Body) -> Doc {
        match &b.value {
            Some(e) if b.stmts.is_empty() && e.span.start == b.span.start => self.after_sign("=", e),
            _ => {
                let broken = self.broken_after(b.span.start, "{");
                group(all([text(" "), self.body(b, broken)]))
            }
        }
    }

    fn params(&mut self, params: &[Param]) -> Doc {
        let end = params.last().map_or(0, |p| self.closed_after(p.name.span.end));
        self.bracketed("(", params, ")", end, false, |p, param| {
            let mut parts = vec![p.lead(param.name.span.start, false), text(param.name.name.clone())];
            match &param.kind {
                ParamKind::Tensor(dims) => parts.push(p.dims(dims)),
                ParamKind::Typed(t) => parts.push(text(format!(": {}", ty(t)))),
                ParamKind::Untyped => {}
            }
            if let Some(e) = &param.default {
                parts.extend([text(" = "), p.expr(e)]);
            }
            all(parts)
        })
    }

    fn dims(&mut self, dims: &[Dim]) -> Doc {
        let mut parts = vec![text("[")];
        for (i, d) in dims.iter().enumerate() {
            if i > 0 {
                parts.push(text(", "));
            }
            parts.push(match d {
                Dim::Rest(_) => text(".."),
                // In parentheses `..` is a range.
                Dim::Expr(e) => self.expr(e),
            });
        }
        parts.push(text("]"));
        all(parts)
    }

    /// `name = value`, one a line, the signs in one column.
    fn fields(&mut self, fields: &[(Ident, crate::syntax::ast::Expr)], close: u32) -> Doc {
        if fields.is_empty() && !self.has_comment(close) {
            return text("");
        }
        let width = fields.iter().map(|(n, _)| n.name.chars().count()).max().unwrap_or(0);
        let mut parts = Vec::new();
        for (name, value) in fields {
            parts.extend([self.lead(name.span.start, true), Doc::Hard, text(format!("{:width$}", name.name))]);
            parts.push(self.after_sign("=", value));
        }
        parts.push(self.lead(close, true));
        all([nest(all(parts)), Doc::Hard])
    }

    /// The statements of a primitive and the line end before its `}`.
    fn prim_body(&mut self, stmts: &[PrimStmt], close: u32) -> Doc {
        if stmts.is_empty() && !self.has_comment(close) {
            return text("");
        }
        let mut parts = Vec::new();
        for s in stmts {
            let start = match s {
                PrimStmt::Slot { span, .. } | PrimStmt::Equation { span, .. } => span.start,
                PrimStmt::Let { name, .. } => self.before(name.span.start),
                PrimStmt::If { cond, .. } => self.before(cond.span.start),
            };
            parts.extend([self.lead(start, true), Doc::Hard, self.prim_stmt(s)]);
        }
        parts.push(self.lead(close, true));
        all([nest(all(parts)), Doc::Hard])
    }

    fn prim_stmt(&mut self, s: &PrimStmt) -> Doc {
        match s {
            PrimStmt::Slot { kind, name, dims, init, .. } => {
                let word = match kind {
                    SlotKind::Param => "param",
                    SlotKind::State => "state",
                    SlotKind::Knob => "knob",
                };
                let dims = if dims.is_empty() { text("") } else { self.dims(dims) };
                all([text(format!("{word} {}", name.name)), dims, self.after_sign("=", init)])
            }
            PrimStmt::Equation { name, indices, update, value, .. } => {
                let indices = if indices.is_empty() { text("") } else { self.index_decls(indices) };
                all([text(name.name.clone()), indices, self.after_sign(if *update { "<-" } else { "=" }, value)])
            }
            PrimStmt::Let { name, value } => all([text(format!("let {}", name.name)), self.after_sign("=", value)]),
            PrimStmt::If { cond, then, otherwise } => {
                let head = all([text("if "), self.expr(cond), text(" {")]);
                let close = self.brace_end(cond.span.end);
                let then = self.prim_body(then, close);
                let mut parts = vec![head, then, text("}")];
                // `else if` and `else { if .. }` are one tree; the words tell which was written.
                let after = self.token_at(close + 1);
                match otherwise.as_slice() {
                    [] => {}
                    [only @ PrimStmt::If { .. }] if self.lexed.is_none() || self.word(after + 1) == "if" => {
                        parts.extend([text(" else "), self.prim_stmt(only)]);
                    }
                    many => {
                        let close = self.brace_end(close + 1);
                        parts.extend([text(" else {"), self.prim_body(many, close), text("}")]);
                    }
                }
                all(parts)
            }
        }
    }
}

fn use_text(u: &Use) -> String {
    let path: Vec<&str> = u.path.iter().map(|p| p.name.as_str()).collect();
    let path = path.join(".");
    match &u.what {
        UseWhat::Last => format!("use {path}"),
        UseWhat::All => format!("use {path}.*"),
        UseWhat::Names(names) => {
            let names: Vec<&str> = names.iter().map(|n| n.name.as_str()).collect();
            format!("use {path}.{{{}}}", names.join(", "))
        }
    }
}

/// The text of a type.
pub fn ty(t: &Type) -> String {
    let list = |ts: &[Type]| ts.iter().map(ty).collect::<Vec<_>>().join(", ");
    match &t.kind {
        TypeKind::Named(n, args) if args.is_empty() => n.name.clone(),
        TypeKind::Named(n, args) => format!("{}<{}>", n.name, list(args)),
        TypeKind::Tuple(ts) => format!("({})", list(ts)),
        TypeKind::Record(fields) if fields.is_empty() => "{}".to_owned(),
        TypeKind::Record(fields) => {
            let fields: Vec<String> = fields.iter().map(|(n, t)| format!("{}: {}", n.name, ty(t))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        TypeKind::Fn(params, result) => format!("fn({}) -> {}", list(params), ty(result)),
        TypeKind::Optional(t) => format!("{}?", ty(t)),
    }
}
