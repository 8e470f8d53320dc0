//! Where indices stand in an expression. An index's range is what it indexes directly: `c` in `w[o, c]`, but not in
//! `w[o, 2 * c]`. No index hides another (the check sees to it), so a name means one thing in one equation.

use crate::base::Span;
use crate::syntax::ast::{Body, Expr, ExprKind, Ident, IndexDecl};

/// An axis of a tensor whose dimensions may contain `..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Counted from the first.
    Start(usize),
    /// Counted from the last, behind a `..`.
    End(usize),
}

/// `index` stands by itself in `tensor[.., index, ..]`.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// The tensor.
    pub tensor: &'a Ident,
    /// Which of its axes.
    pub place: Place,
    /// Where the index stands.
    pub span: Span,
}

/// Calls `f` with every direct part of `e`; names of tensors and functions are not parts.
pub fn parts<'a>(e: &'a Expr, f: &mut dyn FnMut(&'a Expr)) {
    let mut body = |b: &'a Body| {
        if let Some(v) = &b.value {
            f(v);
        }
    };
    match &e.kind {
        ExprKind::If { cond, then, otherwise } => {
            body(then);
            if let Some(o) = otherwise {
                body(o);
            }
            f(cond);
        }
        ExprKind::Body(b) => body(b),
        ExprKind::Unary(_, a) => f(a),
        ExprKind::Binary(_, a, b) => {
            f(a);
            f(b);
        }
        ExprKind::Call { args, .. } => args.iter().for_each(|a| f(&a.value)),
        ExprKind::Index { indices, .. } => indices.iter().for_each(f),
        ExprKind::Reduce { indices, body, .. } => {
            for i in indices {
                if let IndexDecl::Index(_, Some(range)) = i {
                    f(range);
                }
            }
            f(body);
        }
        _ => {}
    }
}

/// Whether `e` is the `..` of a read.
pub fn is_rest(e: &Expr) -> bool {
    matches!(e.kind, ExprKind::Range { lo: None, hi: None, .. })
}

/// The name that `e` is.
pub fn as_name(e: &Expr) -> Option<&Ident> {
    match &e.kind {
        ExprKind::Name(n) => Some(&n.ident),
        _ => None,
    }
}

/// The tensor and the indices of a read.
pub fn as_read(e: &Expr) -> Option<(&Ident, &[Expr])> {
    match &e.kind {
        ExprKind::Index { base, indices } => as_name(base).map(|n| (n, indices.as_slice())),
        _ => None,
    }
}

/// All places where `index` is by itself an index of a tensor.
pub fn direct<'a>(e: &'a Expr, index: &str) -> Vec<Use<'a>> {
    fn go<'a>(e: &'a Expr, index: &str, out: &mut Vec<Use<'a>>) {
        if let Some((tensor, indices)) = as_read(e) {
            let rest = indices.iter().position(is_rest);
            for (i, at) in indices.iter().enumerate() {
                if as_name(at).is_some_and(|n| n.name == index) {
                    let place = match rest {
                        Some(r) if i > r => Place::End(indices.len() - 1 - i),
                        _ => Place::Start(i),
                    };
                    out.push(Use { tensor, place, span: at.span });
                }
            }
        }
        parts(e, &mut |p| go(p, index, out));
    }
    let mut out = Vec::new();
    go(e, index, &mut out);
    out
}

/// The first place where a name stands.
pub fn mention(e: &Expr, name: &str) -> Option<Span> {
    if as_name(e).is_some_and(|n| n.name == name) {
        return Some(e.span);
    }
    let mut found = None;
    parts(e, &mut |p| found = found.or_else(|| mention(p, name)));
    found
}

/// The first read with a `..` that no reducer inside of `e` binds.
pub fn mention_rest(e: &Expr) -> Option<Span> {
    if let ExprKind::Reduce { indices, .. } = &e.kind
        && indices.iter().any(|i| matches!(i, IndexDecl::Rest(_)))
    {
        return None;
    }
    if let Some((_, indices)) = as_read(e)
        && let Some(r) = indices.iter().find(|i| is_rest(i))
    {
        return Some(r.span);
    }
    let mut found = None;
    parts(e, &mut |p| found = found.or_else(|| mention_rest(p)));
    found
}

/// The first call of `uniform`.
pub fn mention_draw(e: &Expr) -> Option<Span> {
    if is_draw(e) {
        return Some(e.span);
    }
    let mut found = None;
    parts(e, &mut |p| found = found.or_else(|| mention_draw(p)));
    found
}

/// Whether `e` is `uniform(..)`.
pub fn is_draw(e: &Expr) -> bool {
    matches!(&e.kind, ExprKind::Call { callee, .. } if as_name(callee).is_some_and(|n| n.name == "uniform"))
}
