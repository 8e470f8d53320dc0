//! Visits every expression of a tree, outermost first.

use crate::syntax::ast::{
    Amount, Body, Dim, Domain, Expr, ExprKind, IndexDecl, Item, ItemKind, Param, ParamKind, PrimStmt, Stmt, StmtKind,
};

/// Every expression of an item, those of declarations inside it included.
pub fn item<'a>(i: &'a Item, f: &mut impl FnMut(&'a Expr)) {
    match &i.kind {
        ItemKind::Use(_) => {}
        ItemKind::Primitive(p) => {
            params(&p.params, f);
            for o in &p.outputs {
                dims(&o.dims, f);
            }
            prim_stmts(&p.body, f);
        }
        ItemKind::Arch(a) => {
            if let Some(e) = &a.count {
                expr(e, f);
            }
            params(&a.params, f);
            body(&a.body, f);
        }
        ItemKind::Fun(g) => {
            params(&g.params, f);
            body(&g.body, f);
        }
        ItemKind::Search(s) => s.fields.iter().for_each(|(_, e)| expr(e, f)),
        ItemKind::SpaceAlias { value, .. } => expr(value, f),
        ItemKind::Environment(e) => {
            params(&e.params, f);
            e.state.iter().for_each(|(_, e)| expr(e, f));
            for g in &e.funs {
                params(&g.params, f);
                body(&g.body, f);
            }
        }
        ItemKind::Algorithm(a) => a.parts.iter().flat_map(|(_, b)| b).for_each(|s| stmt(s, f)),
    }
}

fn params<'a>(ps: &'a [Param], f: &mut impl FnMut(&'a Expr)) {
    for p in ps {
        if let ParamKind::Tensor(d) = &p.kind {
            dims(d, f);
        }
        if let Some(e) = &p.default {
            expr(e, f);
        }
    }
}

fn dims<'a>(ds: &'a [Dim], f: &mut impl FnMut(&'a Expr)) {
    for d in ds {
        if let Dim::Expr(e) = d {
            expr(e, f);
        }
    }
}

fn indices<'a>(xs: &'a [IndexDecl], f: &mut impl FnMut(&'a Expr)) {
    for x in xs {
        if let IndexDecl::Index(_, Some(e)) = x {
            expr(e, f);
        }
    }
}

fn prim_stmts<'a>(stmts: &'a [PrimStmt], f: &mut impl FnMut(&'a Expr)) {
    for s in stmts {
        match s {
            PrimStmt::Slot { dims: d, init, .. } => {
                dims(d, f);
                expr(init, f);
            }
            PrimStmt::Equation { indices: i, value, .. } => {
                indices(i, f);
                expr(value, f);
            }
            PrimStmt::Let { value, .. } => expr(value, f),
            PrimStmt::If { cond, then, otherwise } => {
                expr(cond, f);
                prim_stmts(then, f);
                prim_stmts(otherwise, f);
            }
        }
    }
}

/// Every expression of a body, those of declarations inside it included.
pub fn body<'a>(b: &'a Body, f: &mut impl FnMut(&'a Expr)) {
    for s in &b.stmts {
        stmt(s, f);
    }
    if let Some(e) = &b.value {
        expr(e, f);
    }
}

fn stmt<'a>(s: &'a Stmt, f: &mut impl FnMut(&'a Expr)) {
    match &s.kind {
        StmtKind::Let { value, .. } | StmtKind::Share { value, .. } => expr(value, f),
        StmtKind::Assign { target, value, .. } => {
            expr(target, f);
            expr(value, f);
        }
        StmtKind::Expr(e) | StmtKind::Forbid(e) => expr(e, f),
        StmtKind::For { iter, body: b, .. } => {
            expr(iter, f);
            body(b, f);
        }
        StmtKind::While { cond, body: b } => {
            if let Some(e) = cond {
                expr(e, f);
            }
            body(b, f);
        }
        StmtKind::Return(e) => e.iter().for_each(|e| expr(e, f)),
        StmtKind::Break | StmtKind::Continue => {}
        StmtKind::Item(i) => item(i, f),
    }
}

/// An expression and everything in it.
pub fn expr<'a>(e: &'a Expr, f: &mut impl FnMut(&'a Expr)) {
    f(e);
    match &e.kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Quantity(..)
        | ExprKind::Str(_)
        | ExprKind::Bool(_)
        | ExprKind::None
        | ExprKind::Name(_)
        | ExprKind::Error => {}
        ExprKind::List(xs) | ExprKind::Tuple(xs) => xs.iter().for_each(|x| expr(x, f)),
        ExprKind::Record(xs) => xs.iter().for_each(|(_, x)| expr(x, f)),
        ExprKind::Map(xs) => {
            for (k, v) in xs {
                expr(k, f);
                expr(v, f);
            }
        }
        ExprKind::Comprehension { element, clauses } => {
            for c in clauses {
                expr(&c.iter, f);
                if let Some(e) = &c.cond {
                    expr(e, f);
                }
            }
            expr(element, f);
        }
        ExprKind::Unary(_, x) | ExprKind::Field { base: x, .. } | ExprKind::Lambda { body: x, .. } => expr(x, f),
        ExprKind::Binary(_, a, b) => {
            expr(a, f);
            expr(b, f);
        }
        ExprKind::Range { lo, hi, .. } => lo.iter().chain(hi).for_each(|e| expr(e, f)),
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
            for a in args {
                expr(&a.value, f);
            }
        }
        ExprKind::Index { base, indices } => {
            expr(base, f);
            for e in indices {
                expr(e, f);
            }
        }
        ExprKind::Choose(c) => {
            match &c.amount {
                Amount::One => {}
                Amount::Exactly(e) => expr(e, f),
                Amount::Between { lo, hi, .. } => lo.iter().chain(hi).for_each(|e| expr(e, f)),
            }
            match &c.domain {
                Domain::Alternatives(alts) => {
                    for a in alts {
                        if let Some(e) = &a.weight {
                            expr(e, f);
                        }
                        expr(&a.value, f);
                    }
                }
                Domain::From(e) => expr(e, f),
                Domain::In { range, step, .. } => {
                    expr(range, f);
                    if let Some(e) = step {
                        expr(e, f);
                    }
                }
            }
            if let Some(e) = &c.given {
                expr(e, f);
            }
        }
        ExprKind::Assemble(a) => {
            expr(&a.nodes, f);
            [&a.edge, &a.edges, &a.merge].into_iter().flatten().for_each(|e| expr(e, f));
        }
        ExprKind::Repeat { count, body: b, .. } => {
            expr(count, f);
            body(b, f);
        }
        ExprKind::Reduce { indices: i, body: b, .. } => {
            indices(i, f);
            expr(b, f);
        }
    }
}

/// Every statement of an item, those of declarations inside it included.
pub fn statements<'a>(i: &'a Item, f: &mut impl FnMut(&'a Stmt)) {
    let mut found: Vec<&'a Stmt> = Vec::new();
    own_bodies(i, &mut |b| direct(b, &mut found));
    item(i, &mut |e| match &e.kind {
        ExprKind::If { then, otherwise, .. } => {
            direct(then, &mut found);
            otherwise.iter().for_each(|b| direct(b, &mut found));
        }
        ExprKind::Body(b) | ExprKind::Repeat { body: b, .. } => direct(b, &mut found),
        _ => {}
    });
    found.into_iter().for_each(f);
}

/// An item and every item in its bodies.
pub fn items<'a>(i: &'a Item, f: &mut impl FnMut(&'a Item)) {
    f(i);
    statements(i, &mut |s| {
        if let StmtKind::Item(i) = &s.kind {
            f(i);
        }
    });
}

fn own_bodies<'a>(i: &'a Item, f: &mut impl FnMut(&'a Body)) {
    match &i.kind {
        ItemKind::Arch(a) => f(&a.body),
        ItemKind::Fun(g) => f(&g.body),
        ItemKind::Environment(e) => e.funs.iter().for_each(|g| f(&g.body)),
        _ => {}
    }
}

/// Statements that no expression stands around.
fn direct<'a>(b: &'a Body, out: &mut Vec<&'a Stmt>) {
    for s in &b.stmts {
        out.push(s);
        match &s.kind {
            StmtKind::For { body, .. } | StmtKind::While { body, .. } => direct(body, out),
            StmtKind::Item(i) => own_bodies(i, &mut |b| direct(b, out)),
            _ => {}
        }
    }
}
