//! Every position in a tree, so that a declaration can be moved to where the same text stands now.

use crate::base::Span;

use super::ast::{
    Alternative, Amount, Arg, Body, Choose, Clause, Dim, Domain, Expr, ExprKind, Fun, Ident, IndexDecl, Item, ItemKind,
    Param, ParamKind, Pattern, PrimStmt, Stmt, StmtKind, Type, TypeKind, UseWhat,
};

type Visit<'f> = &'f mut dyn FnMut(&mut Span);

/// Calls `f` with every span of a declaration, the declaration's own included.
pub fn of_item(item: &mut Item, f: Visit) {
    f(&mut item.span);
    match &mut item.kind {
        ItemKind::Use(u) => {
            u.path.iter_mut().for_each(|n| ident(n, f));
            match &mut u.what {
                UseWhat::Last | UseWhat::All => {}
                UseWhat::Names(names) => names.iter_mut().for_each(|n| ident(n, f)),
            }
        }
        ItemKind::Primitive(p) => {
            ident(&mut p.name, f);
            params(&mut p.params, f);
            for o in &mut p.outputs {
                ident(&mut o.name, f);
                dims(&mut o.dims, f);
            }
            prim_stmts(&mut p.body, f);
        }
        ItemKind::Arch(a) => {
            ident(&mut a.name, f);
            opt(&mut a.count, f);
            params(&mut a.params, f);
            body(&mut a.body, f);
        }
        ItemKind::Fun(x) => fun(x, f),
        ItemKind::Search(s) => {
            ident(&mut s.name, f);
            fields(&mut s.fields, f);
        }
        ItemKind::SpaceAlias { name, value } => {
            ident(name, f);
            expr(value, f);
        }
        ItemKind::Environment(e) => {
            ident(&mut e.name, f);
            params(&mut e.params, f);
            fields(&mut e.state, f);
            e.funs.iter_mut().for_each(|x| fun(x, f));
        }
        ItemKind::Algorithm(a) => {
            ident(&mut a.name, f);
            for (n, stmts) in &mut a.parts {
                ident(n, f);
                stmts.iter_mut().for_each(|s| stmt(s, f));
            }
        }
    }
}

fn ident(n: &mut Ident, f: Visit) {
    f(&mut n.span);
}

fn fields(all: &mut [(Ident, Expr)], f: Visit) {
    for (n, e) in all {
        ident(n, f);
        expr(e, f);
    }
}

fn fun(x: &mut Fun, f: Visit) {
    ident(&mut x.name, f);
    params(&mut x.params, f);
    if let Some(t) = &mut x.result {
        ty(t, f);
    }
    body(&mut x.body, f);
}

fn params(all: &mut [Param], f: Visit) {
    for p in all {
        ident(&mut p.name, f);
        match &mut p.kind {
            ParamKind::Tensor(d) => dims(d, f),
            ParamKind::Typed(t) => ty(t, f),
            ParamKind::Untyped => {}
        }
        opt(&mut p.default, f);
    }
}

fn dims(all: &mut [Dim], f: Visit) {
    for d in all {
        match d {
            Dim::Rest(s) => f(s),
            Dim::Expr(e) => expr(e, f),
        }
    }
}

fn indices(all: &mut [IndexDecl], f: Visit) {
    for i in all {
        match i {
            IndexDecl::Rest(s) => f(s),
            IndexDecl::Index(n, range) => {
                ident(n, f);
                opt(range, f);
            }
        }
    }
}

fn ty(t: &mut Type, f: Visit) {
    f(&mut t.span);
    match &mut t.kind {
        TypeKind::Named(n, all) => {
            ident(n, f);
            all.iter_mut().for_each(|t| ty(t, f));
        }
        TypeKind::Tuple(all) => all.iter_mut().for_each(|t| ty(t, f)),
        TypeKind::Record(all) => {
            for (n, t) in all {
                ident(n, f);
                ty(t, f);
            }
        }
        TypeKind::Fn(all, result) => {
            all.iter_mut().for_each(|t| ty(t, f));
            ty(result, f);
        }
        TypeKind::Optional(t) => ty(t, f),
    }
}

fn prim_stmts(all: &mut [PrimStmt], f: Visit) {
    for s in all {
        match s {
            PrimStmt::Slot { kind: _, name, dims: d, init, span } => {
                ident(name, f);
                dims(d, f);
                expr(init, f);
                f(span);
            }
            PrimStmt::Equation { name, indices: i, update: _, value, span } => {
                ident(name, f);
                indices(i, f);
                expr(value, f);
                f(span);
            }
            PrimStmt::Let { name, value } => {
                ident(name, f);
                expr(value, f);
            }
            PrimStmt::If { cond, then, otherwise } => {
                expr(cond, f);
                prim_stmts(then, f);
                prim_stmts(otherwise, f);
            }
        }
    }
}

fn body(b: &mut Body, f: Visit) {
    f(&mut b.span);
    b.stmts.iter_mut().for_each(|s| stmt(s, f));
    if let Some(e) = &mut b.value {
        expr(e, f);
    }
}

fn stmt(s: &mut Stmt, f: Visit) {
    f(&mut s.span);
    match &mut s.kind {
        StmtKind::Let { mutable: _, pattern: p, ty: t, value } => {
            pattern(p, f);
            if let Some(t) = t {
                ty(t, f);
            }
            expr(value, f);
        }
        StmtKind::Share { name, value } => {
            ident(name, f);
            expr(value, f);
        }
        StmtKind::Assign { target, op: _, value } => {
            expr(target, f);
            expr(value, f);
        }
        StmtKind::Expr(e) | StmtKind::Forbid(e) => expr(e, f),
        StmtKind::For { pattern: p, iter, body: b } => {
            pattern(p, f);
            expr(iter, f);
            body(b, f);
        }
        StmtKind::While { cond, body: b } => {
            opt(cond, f);
            body(b, f);
        }
        StmtKind::Return(e) => opt(e, f),
        StmtKind::Break | StmtKind::Continue => {}
        StmtKind::Item(i) => of_item(i, f),
    }
}

fn pattern(p: &mut Pattern, f: Visit) {
    match p {
        Pattern::Name(n) => ident(n, f),
        Pattern::Skip(s) => f(s),
        Pattern::Tuple(all, s) => {
            all.iter_mut().for_each(|p| pattern(p, f));
            f(s);
        }
    }
}

fn opt(e: &mut Option<Expr>, f: Visit) {
    if let Some(e) = e {
        expr(e, f);
    }
}

fn boxed(e: &mut Option<Box<Expr>>, f: Visit) {
    if let Some(e) = e {
        expr(e, f);
    }
}

fn expr(e: &mut Expr, f: Visit) {
    f(&mut e.span);
    match &mut e.kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Quantity(..)
        | ExprKind::Str(_)
        | ExprKind::Bool(_)
        | ExprKind::None
        | ExprKind::Error => {}
        ExprKind::Name(n) => ident(&mut n.ident, f),
        ExprKind::List(all) | ExprKind::Tuple(all) => all.iter_mut().for_each(|e| expr(e, f)),
        ExprKind::Record(all) => fields(all, f),
        ExprKind::Map(all) => {
            for (k, v) in all {
                expr(k, f);
                expr(v, f);
            }
        }
        ExprKind::Comprehension { element, clauses } => {
            expr(element, f);
            for Clause { pattern: p, iter, cond } in clauses {
                pattern(p, f);
                expr(iter, f);
                opt(cond, f);
            }
        }
        ExprKind::Unary(_, e) => expr(e, f),
        ExprKind::Binary(_, a, b) => {
            expr(a, f);
            expr(b, f);
        }
        ExprKind::Range { lo, hi, inclusive: _ } => {
            boxed(lo, f);
            boxed(hi, f);
        }
        ExprKind::If { cond, then, otherwise } => {
            expr(cond, f);
            body(then, f);
            if let Some(b) = otherwise {
                body(b, f);
            }
        }
        ExprKind::Body(b) => body(b, f),
        ExprKind::Call { callee, args } => {
            expr(callee, f);
            for Arg { name, value } in args {
                if let Some(n) = name {
                    ident(n, f);
                }
                expr(value, f);
            }
        }
        ExprKind::Index { base, indices } => {
            expr(base, f);
            indices.iter_mut().for_each(|e| expr(e, f));
        }
        ExprKind::Field { base, name } => {
            expr(base, f);
            ident(name, f);
        }
        ExprKind::Choose(c) => choose(c, f),
        ExprKind::Assemble(a) => {
            f(&mut a.keyword);
            expr(&mut a.nodes, f);
            opt(&mut a.edge, f);
            opt(&mut a.edges, f);
            opt(&mut a.merge, f);
        }
        ExprKind::Repeat { count, label, body: b } => {
            expr(count, f);
            if let Some(n) = label {
                ident(n, f);
            }
            body(b, f);
        }
        ExprKind::Lambda { params, body: b } => {
            params.iter_mut().for_each(|p| pattern(p, f));
            expr(b, f);
        }
        ExprKind::Reduce { op: _, keyword, indices: i, body: b } => {
            f(keyword);
            indices(i, f);
            expr(b, f);
        }
    }
}

fn choose(c: &mut Choose, f: Visit) {
    f(&mut c.keyword);
    if let Some(n) = &mut c.name {
        ident(n, f);
    }
    match &mut c.amount {
        Amount::One => {}
        Amount::Exactly(e) => expr(e, f),
        Amount::Between { lo, hi, inclusive: _ } => {
            opt(lo, f);
            opt(hi, f);
        }
    }
    match &mut c.domain {
        Domain::Alternatives(all) => {
            for Alternative { label, weight, value, span } in all {
                if let Some(n) = label {
                    ident(n, f);
                }
                opt(weight, f);
                expr(value, f);
                f(span);
            }
        }
        Domain::From(e) => expr(e, f),
        Domain::In { range, step, log: _ } => {
            expr(range, f);
            opt(step, f);
        }
    }
    opt(&mut c.given, f);
}
