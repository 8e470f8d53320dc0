//! Numbers the uses of each name, see [`Name::occurrence`].

use std::collections::BTreeMap;

use crate::syntax::ast::{
    Amount, Arg, Body, Choose, Dim, Domain, Expr, ExprKind, IndexDecl, Item, ItemKind, Name, Param, ParamKind,
    PrimStmt, Stmt, StmtKind,
};

/// Uses so far in the current naming scope.
type Scope = BTreeMap<String, u32>;

/// Numbers the uses in a declaration; declarations inside it are scopes of their own.
pub fn number(item: &mut Item) {
    let s = &mut Scope::new();
    match &mut item.kind {
        ItemKind::Use(_) => {}
        ItemKind::Primitive(p) => {
            params(&mut p.params, s);
            p.outputs.iter_mut().for_each(|o| dims(&mut o.dims, s));
            prim_stmts(&mut p.body, s);
        }
        ItemKind::Arch(a) => {
            opt(&mut a.count, s);
            params(&mut a.params, s);
            body(&mut a.body, s);
        }
        ItemKind::Fun(f) => {
            params(&mut f.params, s);
            body(&mut f.body, s);
        }
        ItemKind::Search(x) => x.fields.iter_mut().for_each(|(_, e)| expr(e, s)),
        ItemKind::SpaceAlias { value, .. } => expr(value, s),
        ItemKind::Environment(x) => {
            params(&mut x.params, s);
            x.state.iter_mut().for_each(|(_, e)| expr(e, s));
            for f in &mut x.funs {
                let s = &mut Scope::new();
                params(&mut f.params, s);
                body(&mut f.body, s);
            }
        }
        ItemKind::Algorithm(x) => x.parts.iter_mut().for_each(|(_, b)| b.iter_mut().for_each(|t| stmt(t, s))),
    }
}

fn params(ps: &mut [Param], s: &mut Scope) {
    for p in ps {
        if let ParamKind::Tensor(d) = &mut p.kind {
            dims(d, s);
        }
        opt(&mut p.default, s);
    }
}

fn dims(ds: &mut [Dim], s: &mut Scope) {
    for d in ds {
        if let Dim::Expr(e) = d {
            expr(e, s);
        }
    }
}

fn indices(is: &mut [IndexDecl], s: &mut Scope) {
    for i in is {
        if let IndexDecl::Index(_, Some(e)) = i {
            expr(e, s);
        }
    }
}

fn prim_stmts(stmts: &mut [PrimStmt], s: &mut Scope) {
    for t in stmts {
        match t {
            PrimStmt::Slot { dims: d, init, .. } => {
                dims(d, s);
                expr(init, s);
            }
            PrimStmt::Equation { indices: i, value, .. } => {
                indices(i, s);
                expr(value, s);
            }
            PrimStmt::Let { value, .. } => expr(value, s),
            PrimStmt::If { cond, then, otherwise } => {
                expr(cond, s);
                prim_stmts(then, s);
                prim_stmts(otherwise, s);
            }
        }
    }
}

fn body(b: &mut Body, s: &mut Scope) {
    b.stmts.iter_mut().for_each(|t| stmt(t, s));
    if let Some(e) = &mut b.value {
        expr(e, s);
    }
}

fn stmt(t: &mut Stmt, s: &mut Scope) {
    match &mut t.kind {
        StmtKind::Let { value, .. } | StmtKind::Share { value, .. } => expr(value, s),
        StmtKind::Assign { target, value, .. } => {
            expr(target, s);
            expr(value, s);
        }
        StmtKind::Expr(e) | StmtKind::Forbid(e) => expr(e, s),
        StmtKind::For { iter, body: b, .. } => {
            expr(iter, s);
            body(b, s);
        }
        StmtKind::While { cond, body: b } => {
            opt(cond, s);
            body(b, s);
        }
        StmtKind::Return(e) => opt(e, s),
        StmtKind::Break | StmtKind::Continue => {}
        StmtKind::Item(i) => number(i),
    }
}

fn opt(e: &mut Option<Expr>, s: &mut Scope) {
    if let Some(e) = e {
        expr(e, s);
    }
}

fn expr(e: &mut Expr, s: &mut Scope) {
    match &mut e.kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Quantity(..)
        | ExprKind::Str(_)
        | ExprKind::Bool(_)
        | ExprKind::None
        | ExprKind::Error => {}
        ExprKind::Name(Name { ident, occurrence }) => {
            let n = s.entry(ident.name.clone()).or_insert(0);
            *occurrence = *n;
            *n += 1;
        }
        ExprKind::List(xs) | ExprKind::Tuple(xs) => xs.iter_mut().for_each(|x| expr(x, s)),
        ExprKind::Record(fields) => fields.iter_mut().for_each(|(_, x)| expr(x, s)),
        ExprKind::Map(entries) => {
            for (k, v) in entries {
                expr(k, s);
                expr(v, s);
            }
        }
        ExprKind::Comprehension { element, clauses } => {
            expr(element, s);
            for c in clauses {
                expr(&mut c.iter, s);
                opt(&mut c.cond, s);
            }
        }
        ExprKind::Unary(_, x) | ExprKind::Field { base: x, .. } | ExprKind::Lambda { body: x, .. } => expr(x, s),
        ExprKind::Binary(_, a, b) => {
            expr(a, s);
            expr(b, s);
        }
        ExprKind::Range { lo, hi, .. } => {
            for x in [lo, hi].into_iter().flatten() {
                expr(x, s);
            }
        }
        ExprKind::If { cond, then, otherwise } => {
            expr(cond, s);
            body(then, s);
            if let Some(b) = otherwise {
                body(b, s);
            }
        }
        ExprKind::Body(b) => body(b, s),
        ExprKind::Call { callee, args } => {
            expr(callee, s);
            for Arg { value, .. } in args {
                expr(value, s);
            }
        }
        ExprKind::Index { base, indices } => {
            expr(base, s);
            for x in indices {
                expr(x, s);
            }
        }
        ExprKind::Choose(c) => choose(c, s),
        ExprKind::Assemble(a) => {
            expr(&mut a.nodes, s);
            opt(&mut a.edge, s);
            opt(&mut a.edges, s);
            opt(&mut a.merge, s);
        }
        ExprKind::Repeat { count, body: b, .. } => {
            expr(count, s);
            body(b, s);
        }
        ExprKind::Reduce { indices: i, body: x, .. } => {
            indices(i, s);
            expr(x, s);
        }
    }
}

fn choose(c: &mut Choose, s: &mut Scope) {
    match &mut c.amount {
        Amount::One => {}
        Amount::Exactly(e) => expr(e, s),
        Amount::Between { lo, hi, .. } => {
            opt(lo, s);
            opt(hi, s);
        }
    }
    match &mut c.domain {
        // An alternative is a naming scope: adding one does not rename what stands in the others.
        Domain::Alternatives(alternatives) => {
            for a in alternatives {
                opt(&mut a.weight, s);
                expr(&mut a.value, &mut Scope::new());
            }
        }
        Domain::From(e) => expr(e, s),
        Domain::In { range, step, .. } => {
            expr(range, s);
            opt(step, s);
        }
    }
    opt(&mut c.given, s);
}
