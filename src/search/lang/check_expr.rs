//! Checking of expressions: their types, and the conversions that are implicit.
//!
//! Implicit are: an int where a float is due; a value where an optional of it is due; a number, text, truth value,
//! list or decision where an `option` is due. Arithmetic on optionals is absent where an operand is, and in
//! comparisons `none` is less than everything, so a failed trial's reward loses without ending the search.

use super::check::FnChecker;
use super::contract::{self, HostFn};
use super::env::Item;
use super::tree::{Range, TBody, TClause, TExpr, TIter, TKind, TLambda, TPattern};
use super::types::{Tag, Type};
use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::syntax::ast::{BinOp, Body, Clause, Expr, ExprKind, Ident, Pattern, UnOp, Unit};

pub(super) fn texpr(ty: Type, span: Span, kind: TKind) -> TExpr {
    TExpr { ty, span, kind }
}

pub(super) fn error(span: Span) -> TExpr {
    texpr(Type::Error, span, TKind::Error)
}

/// A literal where an int is due: an int if it is whole.
fn whole(x: f64, span: Span) -> TExpr {
    if x.fract() == 0.0 && x.abs() < 9e15 {
        return texpr(Type::Int, span, TKind::Int(x as i64));
    }
    texpr(Type::Float, span, TKind::Float(x))
}

impl FnChecker<'_, '_> {
    /// An expression that must have this type.
    pub fn expr_as(&mut self, e: &Expr, ty: &Type) -> TExpr {
        let v = self.expr(e, Some(ty));
        self.coerce(v, ty)
    }

    /// An expression; `expected` is a hint for literals and lambdas.
    pub fn expr(&mut self, e: &Expr, expected: Option<&Type>) -> TExpr {
        let hint = expected.map(|t| self.infer.shallow(t)).map(|t| match t {
            Type::Optional(t) if !matches!(e.kind, ExprKind::None) => self.infer.shallow(&t),
            t => t,
        });
        let span = e.span;
        match &e.kind {
            ExprKind::Int(i) => match hint {
                Some(Type::Float) => texpr(Type::Float, span, TKind::Float(*i as f64)),
                _ => texpr(Type::Int, span, TKind::Int(*i)),
            },
            ExprKind::Float(x) => match hint {
                Some(Type::Int) => whole(*x, span),
                _ => texpr(Type::Float, span, TKind::Float(*x)),
            },
            ExprKind::Quantity(x, unit) => match (hint, unit) {
                (Some(Type::Int), Unit::Count | Unit::Bytes) => whole(*x, span),
                _ => texpr(Type::Float, span, TKind::Float(*x)),
            },
            ExprKind::Str(s) => texpr(Type::Str, span, TKind::Str(s.as_str().into())),
            ExprKind::Bool(b) => texpr(Type::Bool, span, TKind::Bool(*b)),
            ExprKind::None => {
                let t = match hint {
                    Some(t @ Type::Optional(_)) => t,
                    _ => Type::optional(self.infer.fresh()),
                };
                texpr(t, span, TKind::None)
            }
            ExprKind::Name(n) => self.name(&n.ident, hint.as_ref()),
            ExprKind::List(xs) => {
                let of = match hint {
                    Some(Type::List(t)) => *t,
                    _ => self.infer.fresh(),
                };
                let items: Vec<TExpr> = xs.iter().map(|x| self.expr(x, Some(&of))).collect();
                let of = self.common(&of, &items);
                let items = items.into_iter().map(|x| self.coerce(x, &of)).collect();
                texpr(Type::list(of), span, TKind::List(items))
            }
            ExprKind::Tuple(xs) if xs.is_empty() => texpr(Type::Unit, span, TKind::Unit),
            ExprKind::Tuple(xs) => {
                let hints = match hint {
                    Some(Type::Tuple(ts)) if ts.len() == xs.len() => ts.into_iter().map(Some).collect(),
                    _ => vec![None; xs.len()],
                };
                let items: Vec<TExpr> = xs.iter().zip(&hints).map(|(x, h)| self.fitted(x, h.as_ref())).collect();
                texpr(Type::Tuple(items.iter().map(|x| x.ty.clone()).collect()), span, TKind::Tuple(items))
            }
            ExprKind::Record(fs) => {
                let hints = match hint {
                    Some(Type::Record(ts)) => ts,
                    _ => Vec::new(),
                };
                let mut fields: Vec<(String, TExpr)> = Vec::new();
                for (n, x) in fs {
                    let h = hints.iter().find(|h| h.0 == n.name).map(|h| &h.1);
                    let v = self.fitted(x, h);
                    if fields.iter().any(|f| f.0 == n.name) {
                        let d =
                            Diagnostic::new(&codes::PROG_TWICE, n.span, format!("the field `{}` stands twice", n.name))
                                .help("leave one of them out");
                        self.report(d);
                    } else {
                        fields.push((n.name.clone(), v));
                    }
                }
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                let ty = Type::Record(fields.iter().map(|(n, v)| (n.clone(), v.ty.clone())).collect());
                texpr(ty, span, TKind::Tuple(fields.into_iter().map(|f| f.1).collect()))
            }
            ExprKind::Comprehension { element, clauses } => self.comprehension(element, clauses, hint.as_ref(), span),
            ExprKind::Unary(op, x) => {
                let v = self.expr(x, hint.as_ref());
                let t = self.infer.shallow(&v.ty);
                match (op, &t) {
                    (UnOp::Not, _) => {
                        let v = self.coerce(v, &Type::Bool);
                        texpr(Type::Bool, span, TKind::Unary(*op, Box::new(v)))
                    }
                    (UnOp::Neg, Type::Int | Type::Float | Type::Error) => {
                        texpr(t, span, TKind::Unary(*op, Box::new(v)))
                    }
                    (UnOp::Neg, Type::Optional(_)) => {
                        let zero = texpr(Type::Int, span, TKind::Int(0));
                        self.binary(BinOp::Sub, zero, v, span)
                    }
                    (UnOp::Neg, _) => self.wrong(&v, "a number"),
                }
            }
            ExprKind::Binary(BinOp::Pipe, ..) => {
                self.architecture(span, "`>>`");
                error(span)
            }
            ExprKind::Binary(op, a, b) => {
                let arithmetic =
                    matches!(op, BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Div | BinOp::Rem | BinOp::Pow);
                // A float that is due makes literals floats, but not the parts of a quotient: `7 / 2` rounds down everywhere.
                let h = if arithmetic && !matches!(op, BinOp::Div | BinOp::Rem) { hint } else { None };
                let h = h.filter(|h| matches!(h, Type::List(_)));
                let a = self.expr(a, h.as_ref());
                let left = self.infer.shallow(&a.ty);
                let right_hint = matches!(left, Type::List(_)).then_some(&left);
                let b = self.expr(b, right_hint);
                self.binary(*op, a, b, span)
            }
            ExprKind::Range { lo, hi, inclusive } => match self.range(lo.as_deref(), hi.as_deref(), *inclusive, span) {
                Some(r) => texpr(Type::list(Type::Int), span, TKind::Range(Box::new(r))),
                None => error(span),
            },
            ExprKind::If { cond, then, otherwise } => {
                self.if_value(cond, then, otherwise.as_deref(), hint.as_ref(), span)
            }
            ExprKind::Body(b) => {
                let (body, diverges) = self.body(b, hint.as_ref(), true);
                let ty = self.body_type(&body, diverges);
                texpr(ty, span, TKind::Body(Box::new(body)))
            }
            ExprKind::Call { callee, args } => self.call(e, callee, args, hint.as_ref(), false),
            ExprKind::Index { base, indices } => self.index(base, indices, span),
            ExprKind::Field { base, name } => {
                let b = self.expr(base, None);
                self.field(b, name, span)
            }
            ExprKind::Lambda { params, body } => self.lambda(params, body, hint.as_ref(), span),
            ExprKind::Map(_) => {
                self.architecture(span, "a map literal");
                error(span)
            }
            ExprKind::Choose(c) => {
                self.architecture(c.keyword, "`choose`");
                error(span)
            }
            ExprKind::Assemble(a) => {
                self.architecture(a.keyword, "`assemble`");
                error(span)
            }
            ExprKind::Repeat { .. } => {
                self.architecture(span, "`repeat`");
                error(span)
            }
            ExprKind::Reduce { keyword, .. } => {
                self.architecture(*keyword, "a reduction over indices");
                error(span)
            }
            ExprKind::Error => error(span),
        }
    }

    /// An element whose hint, if there is one with a known type, it must fit.
    fn fitted(&mut self, e: &Expr, hint: Option<&Type>) -> TExpr {
        let v = self.expr(e, hint);
        match hint {
            Some(h) => self.coerce(v, h),
            None => v,
        }
    }

    /// The common type of a list's elements: an int beside a float is a float, a value beside `none` is optional.
    fn common(&mut self, of: &Type, items: &[TExpr]) -> Type {
        if !matches!(self.infer.shallow(of), Type::Var(_)) {
            return of.clone();
        }
        let mut ty: Option<Type> = None;
        for x in items {
            let t = self.infer.shallow(&x.ty);
            ty = Some(match ty {
                None => t,
                Some(old) => self.join(&old, &t).unwrap_or(old),
            });
        }
        if let Some(t) = &ty {
            self.infer.unify(of, t);
        }
        ty.unwrap_or_else(|| of.clone())
    }

    /// The type to which both convert, if there is one.
    fn join(&mut self, a: &Type, b: &Type) -> Option<Type> {
        let (a, b) = (self.infer.shallow(a), self.infer.shallow(b));
        Some(match (&a, &b) {
            (Type::Never | Type::Error, t) | (t, Type::Never | Type::Error) => t.clone(),
            (Type::Int, Type::Float) | (Type::Float, Type::Int) => Type::Float,
            (Type::Optional(x), Type::Optional(y)) => Type::optional(self.join(x, y)?),
            (Type::Optional(x), y) | (y, Type::Optional(x)) if !matches!(y, Type::Var(_)) => {
                Type::optional(self.join(x, y)?)
            }
            (Type::Option, t) | (t, Type::Option) if self.optionable(t) => Type::Option,
            _ => return self.infer.unify(&a, &b).then_some(a),
        })
    }

    fn optionable(&self, t: &Type) -> bool {
        match self.infer.shallow(t) {
            Type::Int
            | Type::Float
            | Type::Bool
            | Type::Str
            | Type::Option
            | Type::Op
            | Type::Opaque(Tag::Decision) => true,
            Type::List(t) => matches!(self.infer.shallow(&t), Type::Var(_)) || self.optionable(&t),
            Type::Tuple(ts) => ts.iter().all(|t| self.optionable(t)),
            _ => false,
        }
    }

    /// Converts a value to a type, or reports that it does not fit.
    pub fn coerce(&mut self, e: TExpr, want: &Type) -> TExpr {
        let (have, want) = (self.infer.shallow(&e.ty), self.infer.shallow(want));
        let span = e.span;
        match (&have, &want) {
            (Type::Error | Type::Never, _) => TExpr { ty: want, ..e },
            (_, Type::Error) => e,
            (Type::Int, Type::Float) => match e.kind {
                TKind::Int(i) => texpr(Type::Float, span, TKind::Float(i as f64)),
                _ => texpr(Type::Float, span, TKind::ToFloat(Box::new(e))),
            },
            (Type::Float, Type::Int) if matches!(e.kind, TKind::Float(x) if x.fract() == 0.0 && x.abs() < 9e15) => {
                let TKind::Float(x) = e.kind else { return e };
                texpr(Type::Int, span, TKind::Int(x as i64))
            }
            (Type::Optional(a), Type::Optional(b)) => {
                if matches!(e.kind, TKind::None) {
                    self.infer.unify(a, b);
                    return texpr(want, span, TKind::None);
                }
                if self.infer.unify(a, b) { TExpr { ty: want.clone(), ..e } } else { self.mismatch(&e, &want) }
            }
            (_, Type::Optional(t)) if !matches!(have, Type::Var(_)) => {
                let before = self.cx.diags.len();
                let inner = self.coerce(e, t);
                if self.cx.diags.len() > before {
                    return error(span);
                }
                texpr(want.clone(), span, TKind::Some(Box::new(inner)))
            }
            (Type::Option, Type::Option) => e,
            (_, Type::Option) if self.optionable(&have) => texpr(Type::Option, span, TKind::ToOption(Box::new(e))),
            (Type::Str | Type::Opaque(Tag::Decision), Type::Selector) => {
                texpr(Type::Selector, span, TKind::ToOption(Box::new(e)))
            }
            _ => {
                if self.infer.unify(&have, &want) {
                    e
                } else {
                    self.mismatch(&e, &want)
                }
            }
        }
    }

    fn mismatch(&mut self, e: &TExpr, want: &Type) -> TExpr {
        let (have, want) = (self.infer.deep(&e.ty), self.infer.deep(want));
        let mut d = Diagnostic::new(&codes::PROG_TYPE, e.span, format!("expected `{want}`, found `{have}`"))
            .here(format!("this is `{have}`"));
        d = match (&have, &want) {
            (Type::Optional(t), w) if **t == *w => {
                d.help("it may be absent: write `or(.., default)`, or `unwrap(..)` where it cannot be")
            }
            (Type::Float, Type::Int) => d.help("write `int(..)`, `floor(..)` or `round(..)`"),
            (Type::Option, Type::Int | Type::Float | Type::Str) => d.help(format!("write `{want}(..)`")),
            (_, Type::Str) => d.help("write `string(..)`"),
            (Type::Opaque(Tag::Draft), Type::Opaque(Tag::Candidate)) => {
                d.help("complete the draft with `.fill()` or `.finish()`")
            }
            (Type::Opaque(Tag::Trial), Type::Opaque(Tag::Candidate)) => d.help("write `.candidate`"),
            (Type::Unit, _) => d.help("this gives no value"),
            _ => d,
        };
        self.report(d);
        error(e.span)
    }

    pub fn wrong(&mut self, e: &TExpr, wants: &str) -> TExpr {
        let have = self.infer.deep(&e.ty);
        if have.any(&|t| *t == Type::Error) || have == Type::Never {
            return error(e.span);
        }
        let d = if matches!(have, Type::Var(_)) {
            Diagnostic::new(&codes::PROG_UNKNOWN_TYPE, e.span, "the type of this cannot be told yet")
                .here(format!("{wants} is needed here"))
                .help("write its type where it is declared: `var xs: list<trial> = []`")
        } else {
            Diagnostic::new(&codes::PROG_TYPE, e.span, format!("expected {wants}, found `{have}`"))
                .here(format!("this is `{have}`"))
        };
        self.report(d);
        error(e.span)
    }

    /// An operator on two checked operands.
    pub fn binary(&mut self, op: BinOp, a: TExpr, b: TExpr, span: Span) -> TExpr {
        let (ta, tb) = (self.infer.shallow(&a.ty), self.infer.shallow(&b.ty));
        let make = |ty: Type, a: TExpr, b: TExpr| texpr(ty, span, TKind::Binary(op, Box::new(a), Box::new(b)));
        if ta == Type::Error || tb == Type::Error {
            return match op {
                BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Div | BinOp::Rem | BinOp::Pow | BinOp::Pipe => {
                    error(span)
                }
                _ => texpr(Type::Bool, span, TKind::Error),
            };
        }
        match op {
            BinOp::And | BinOp::Or => {
                let a = self.coerce(a, &Type::Bool);
                let b = self.coerce(b, &Type::Bool);
                make(Type::Bool, a, b)
            }
            BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge => {
                let Some(t) = self.join(&ta, &tb) else {
                    let d = Diagnostic::new(
                        &codes::PROG_TYPE,
                        span,
                        format!("`{}` and `{}` cannot be compared", self.infer.deep(&ta), self.infer.deep(&tb)),
                    )
                    .label(a.span, format!("this is `{}`", self.infer.deep(&ta)))
                    .label(b.span, format!("this is `{}`", self.infer.deep(&tb)));
                    self.report(d);
                    return texpr(Type::Bool, span, TKind::Error);
                };
                if matches!(t, Type::Fn(..)) {
                    return self.wrong(&a, "something that can be compared");
                }
                let a = self.coerce(a, &t);
                let b = self.coerce(b, &t);
                make(Type::Bool, a, b)
            }
            BinOp::Pipe => error(span),
            BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Div | BinOp::Rem | BinOp::Pow => {
                if let (Type::Var(_), Type::Int | Type::Float | Type::Str)
                | (Type::Int | Type::Float | Type::Str, Type::Var(_)) = (&ta, &tb)
                {
                    self.infer.unify(&ta, &tb);
                    return self.binary(op, a, b, span);
                }
                if op == BinOp::Add
                    && (matches!((&ta, &tb), (Type::List(_), Type::List(_))) || (ta == Type::Str && tb == Type::Str))
                {
                    let b = self.coerce(b, &ta);
                    return make(ta, a, b);
                }
                let number = |t: &Type| matches!(t, Type::Int | Type::Float);
                let inner = |t: &Type| match t {
                    Type::Optional(t) => self.infer.shallow(t),
                    t => t.clone(),
                };
                let (na, nb) = (inner(&ta), inner(&tb));
                if !number(&na) {
                    return self.operand(op, &a, &b);
                }
                if !number(&nb) {
                    return self.operand(op, &b, &a);
                }
                let t = if na == Type::Int && nb == Type::Int { Type::Int } else { Type::Float };
                if na == ta && nb == tb {
                    let a = self.coerce(a, &t);
                    let b = self.coerce(b, &t);
                    return make(t, a, b);
                }
                // Both optional, of their own number types; the lowering converts.
                let a = self.coerce(a, &Type::optional(na));
                let b = self.coerce(b, &Type::optional(nb));
                texpr(Type::optional(t), span, TKind::Lifted(op, Box::new(a), Box::new(b)))
            }
        }
    }

    fn operand(&mut self, op: BinOp, bad: &TExpr, other: &TExpr) -> TExpr {
        let have = self.infer.deep(&bad.ty);
        if matches!(have, Type::Var(_)) {
            return self.wrong(bad, "a number");
        }
        let sign = match op {
            BinOp::Add => "+",
            BinOp::Sub => "-",
            BinOp::Mul => "*",
            BinOp::Div => "/",
            BinOp::Rem => "%",
            _ => "^",
        };
        let mut d = Diagnostic::new(&codes::PROG_TYPE, bad.span, format!("`{sign}` needs numbers, found `{have}`"))
            .here(format!("this is `{have}`"))
            .label(other.span, format!("this is `{}`", self.infer.deep(&other.ty)));
        if have == Type::Str || self.infer.shallow(&other.ty) == Type::Str {
            d = d.help("write `string(..)` to put a number into text");
        } else if have == Type::Option {
            d = d.help("an option's type is not known here: write `int(..)` or `float(..)`");
        }
        self.report(d);
        error(bad.span.to(other.span))
    }

    fn range(&mut self, lo: Option<&Expr>, hi: Option<&Expr>, inclusive: bool, span: Span) -> Option<Range> {
        let lo = match lo {
            Some(e) => self.expr_as(e, &Type::Int),
            None => texpr(Type::Int, span, TKind::Int(0)),
        };
        let Some(hi) = hi else {
            let d = Diagnostic::new(&codes::PROG_TYPE, span, "this range has no end").help("write its end: `0..n`");
            self.report(d);
            return None;
        };
        let hi = self.expr_as(hi, &Type::Int);
        Some(Range { lo, hi, inclusive })
    }

    /// What a loop runs over, and the type of its elements.
    pub fn elements(&mut self, e: &Expr) -> (TIter, Type) {
        if let ExprKind::Range { lo, hi, inclusive } = &e.kind {
            let lo_e = lo.as_deref();
            let range = self.range(lo_e, hi.as_deref(), *inclusive, e.span);
            let zero = || texpr(Type::Int, e.span, TKind::Int(0));
            let range = range.unwrap_or_else(|| Range { lo: zero(), hi: zero(), inclusive: false });
            return (TIter::Range(range), Type::Int);
        }
        let v = self.expr(e, None);
        match self.infer.shallow(&v.ty) {
            Type::List(t) => (TIter::List(v), *t),
            Type::Stream(t) => (TIter::Stream(v), *t),
            Type::Var(_) => {
                let t = self.infer.fresh();
                self.infer.unify(&v.ty, &Type::list(t.clone()));
                (TIter::List(v), t)
            }
            Type::Int => {
                let d = Diagnostic::new(&codes::PROG_TYPE, v.span, "a number is nothing to run over")
                    .help("write `0..n` for the numbers below n");
                self.report(d);
                (TIter::List(error(e.span)), Type::Error)
            }
            _ => (TIter::List(self.wrong(&v, "a list, a range or a stream")), Type::Error),
        }
    }

    fn comprehension(&mut self, element: &Expr, clauses: &[Clause], hint: Option<&Type>, span: Span) -> TExpr {
        let scopes = self.names.len();
        let mut out = Vec::new();
        for c in clauses {
            let (iter, ty) = self.elements(&c.iter);
            self.names.push(std::collections::BTreeMap::new());
            let pattern = self.pattern(&c.pattern, &ty, false);
            let cond = c.cond.as_ref().map(|c| self.expr_as(c, &Type::Bool));
            out.push(TClause { pattern, iter, cond });
        }
        let of = match hint {
            Some(Type::List(t)) => self.infer.shallow(t),
            _ => self.infer.fresh(),
        };
        let v = self.expr(element, Some(&of));
        let v = self.coerce(v, &of);
        self.names.truncate(scopes);
        texpr(Type::list(of), span, TKind::Comprehension(Box::new(v), out))
    }

    fn body_type(&mut self, body: &TBody, diverges: bool) -> Type {
        match &body.value {
            _ if diverges => Type::Never,
            Some(v) => self.infer.shallow(&v.ty),
            None => Type::Unit,
        }
    }

    fn if_value(
        &mut self,
        cond: &Expr,
        then: &Body,
        otherwise: Option<&Body>,
        hint: Option<&Type>,
        span: Span,
    ) -> TExpr {
        let cond = self.expr_as(cond, &Type::Bool);
        let (mut a, da) = self.body(then, hint, otherwise.is_some());
        let Some(otherwise) = otherwise else {
            let b = TBody { stmts: Vec::new(), value: None };
            return texpr(Type::Unit, span, TKind::If(Box::new(cond), Box::new(a), Box::new(b)));
        };
        let ta = self.body_type(&a, da);
        // What the first branch gives is the best guess for the second.
        let guess = if matches!(ta, Type::Never | Type::Unit | Type::Error) { hint.cloned() } else { Some(ta.clone()) };
        let guess =
            if matches!(&guess, Some(Type::Optional(_) | Type::Float | Type::Int)) { hint.cloned() } else { guess };
        let (mut b, db) = self.body(otherwise, guess.as_ref(), true);
        let tb = self.body_type(&b, db);
        let Some(t) = self.join(&ta, &tb) else {
            let (x, y) = (self.infer.deep(&ta), self.infer.deep(&tb));
            let (sa, sb) =
                (a.value.as_ref().map_or(then.span, |v| v.span), b.value.as_ref().map_or(otherwise.span, |v| v.span));
            let d = Diagnostic::new(
                &codes::PROG_TYPE,
                sb,
                format!("the branches of this `if` have different types: `{x}` and `{y}`"),
            )
            .here(format!("this is `{y}`"))
            .label(sa, format!("this is `{x}`"));
            self.report(d);
            return error(span);
        };
        if t != Type::Unit {
            if let Some(v) = a.value.take() {
                a.value = Some(self.coerce(v, &t));
            }
            if let Some(v) = b.value.take() {
                b.value = Some(self.coerce(v, &t));
            }
        }
        let t = if da && db { Type::Never } else { t };
        texpr(t, span, TKind::If(Box::new(cond), Box::new(a), Box::new(b)))
    }

    fn index(&mut self, base: &Expr, indices: &[Expr], span: Span) -> TExpr {
        let mut b = self.expr(base, None);
        if let Type::Optional(t) = self.infer.shallow(&b.ty) {
            b = texpr((*t).clone(), b.span, TKind::Unwrap(Box::new(b)));
        }
        let [i] = indices else {
            let d = Diagnostic::new(&codes::PROG_TYPE, span, "a list has one index")
                .help("for a list of lists write `xs[i][j]`");
            if self.infer.shallow(&b.ty) != Type::Error {
                self.report(d);
            }
            return error(span);
        };
        let of = match self.infer.shallow(&b.ty) {
            Type::List(t) => *t,
            Type::Var(_) => {
                let t = self.infer.fresh();
                self.infer.unify(&b.ty, &Type::list(t.clone()));
                t
            }
            Type::Tuple(ts) => {
                let v = self.expr_as(i, &Type::Int);
                if let TKind::Int(k) = v.kind
                    && let Some(t) = ts.get(k as usize)
                {
                    return texpr(t.clone(), span, TKind::Field(Box::new(b), k as usize));
                }
                let d = Diagnostic::new(
                    &codes::PROG_TYPE,
                    i.span,
                    format!("a tuple of {} parts needs a number from 0 to {} here", ts.len(), ts.len() - 1),
                )
                .help("take it apart with a pattern: `let (a, b) = ..`");
                self.report(d);
                return error(span);
            }
            Type::Error => {
                self.expr(i, None);
                return error(span);
            }
            _ => return self.wrong(&b, "a list"),
        };
        if let ExprKind::Range { lo, hi, inclusive } = &i.kind {
            let lo = lo.as_ref().map(|e| Box::new(self.expr_as(e, &Type::Int)));
            let mut hi = hi.as_ref().map(|e| Box::new(self.expr_as(e, &Type::Int)));
            if *inclusive && let Some(h) = hi.take() {
                let one = texpr(Type::Int, h.span, TKind::Int(1));
                hi = Some(Box::new(self.binary(BinOp::Add, *h, one, i.span)));
            }
            return texpr(Type::list(of), span, TKind::Slice(Box::new(b), lo, hi));
        }
        let i = self.expr_as(i, &Type::Int);
        texpr(of, span, TKind::Index(Box::new(b), Box::new(i)))
    }

    /// A field of a checked value.
    pub fn field(&mut self, mut b: TExpr, name: &Ident, span: Span) -> TExpr {
        let mut t = self.infer.shallow(&b.ty);
        if let Type::Optional(inner) = t {
            t = self.infer.shallow(&inner);
            b = texpr(t.clone(), b.span, TKind::Unwrap(Box::new(b)));
        }
        match &t {
            Type::Error | Type::Never => return error(span),
            Type::Record(fs) => {
                if let Some(i) = fs.iter().position(|f| f.0 == name.name) {
                    return texpr(fs[i].1.clone(), span, TKind::Field(Box::new(b), i));
                }
            }
            Type::Opaque(Tag::Metrics) => {
                let key = texpr(Type::Str, name.span, TKind::Str(name.name.as_str().into()));
                return self.host(HostFn::MetricsGet, vec![b, key], None, Type::optional(Type::Float), span);
            }
            _ => {}
        }
        if let Some(row) = contract::member(&t, &name.name) {
            if row.form == contract::Form::Field {
                return self.host(row.f, vec![b], None, row.result.clone(), span);
            }
            let d = Diagnostic::new(&codes::PROG_MEMBER, name.span, format!("`{}` is a method", name.name))
                .help(format!("call it: `.{}(..)`", name.name))
                .fix(name.span, format!("{}()", name.name), "call it");
            self.report(d);
            return error(span);
        }
        self.no_member(&b, &t, name)
    }

    pub fn no_member(&mut self, b: &TExpr, t: &Type, name: &Ident) -> TExpr {
        if matches!(t, Type::Var(_)) {
            return self.wrong(b, &format!("something with `{}`", name.name));
        }
        if let Type::Opaque(tag) = t
            && let Some(what) = contract::later_type(*tag)
        {
            self.later(name.span, tag.name(), what);
            return error(name.span);
        }
        let mut known: Vec<&str> = contract::members(t);
        if let Type::Record(fs) = t {
            known.extend(fs.iter().map(|f| f.0.as_str()));
        }
        let listed = known.join("`, `");
        if matches!(t, Type::List(_)) {
            known.extend(super::builtins::all().iter().map(|b| b.name));
            known.extend(self.cx.env.scopes[super::env::LIBRARY].names.keys().map(String::as_str));
        }
        let near = did_you_mean(&name.name, known.iter().copied());
        let mut d =
            Diagnostic::new(&codes::PROG_MEMBER, name.span, format!("`{}` has no `{}`", self.infer.deep(t), name.name))
                .label(b.span, format!("this is `{}`", self.infer.deep(t)));
        if let Some(near) = near {
            d = d.help(format!("did you mean `{near}`?")).fix(name.span, near, format!("write `{near}`"));
        } else if !listed.is_empty() {
            d = d.help(format!("it has `{listed}`"));
        }
        self.report(d);
        error(name.span)
    }

    fn lambda(&mut self, params: &[Pattern], body: &Expr, hint: Option<&Type>, span: Span) -> TExpr {
        // `(a, b) => ..` also takes one pair apart.
        let whole = match hint {
            Some(Type::Fn(ps, _)) if ps.len() == 1 && params.len() > 1 => match self.infer.shallow(&ps[0]) {
                Type::Tuple(ts) if ts.len() == params.len() => Some([Pattern::Tuple(params.to_vec(), span)]),
                _ => None,
            },
            _ => None,
        };
        let params = whole.as_ref().map_or(params, |w| w.as_slice());
        let (types, result) = match hint {
            Some(Type::Fn(ps, r)) => {
                if ps.len() != params.len() {
                    let d = Diagnostic::new(
                        &codes::PROG_TYPE,
                        span,
                        format!("a function of {} parameter(s) is needed here, this has {}", ps.len(), params.len()),
                    );
                    self.report(d);
                    return error(span);
                }
                (ps.clone(), Some((**r).clone()))
            }
            _ => (params.iter().map(|_| self.infer.fresh()).collect(), None),
        };
        self.captures.push(Vec::new());
        self.names.push(std::collections::BTreeMap::new());
        let mut locals = Vec::new();
        let mut patterns = Vec::new();
        for (p, t) in params.iter().zip(&types) {
            if let Pattern::Name(n) = p {
                locals.push(self.declare(&n.name, n.span, t.clone(), false));
            } else {
                let whole = self.declare("", span, t.clone(), false);
                locals.push(whole);
                let pattern = self.pattern(p, t, false);
                if !matches!(pattern, TPattern::Skip) {
                    patterns.push((whole, pattern));
                }
            }
        }
        let known = result.as_ref().map(|r| self.infer.shallow(r));
        let v = self.apart(|s| {
            if known == Some(Type::Unit) {
                return s.expr(body, None);
            }
            let v = s.expr(body, known.as_ref());
            match &known {
                Some(t) => s.coerce(v, t),
                None => v,
            }
        });
        self.names.pop();
        let captures = self.captures.pop().unwrap_or_default();
        let result = match known {
            Some(Type::Unit) => Type::Unit,
            Some(t) => t,
            None => v.ty.clone(),
        };
        texpr(
            Type::Fn(types, Box::new(result)),
            span,
            TKind::Lambda(Box::new(TLambda { params: locals, patterns, body: v, captures })),
        )
    }

    fn name(&mut self, n: &Ident, hint: Option<&Type>) -> TExpr {
        if let Some(l) = self.local(&n.name) {
            return texpr(self.locals[l.0 as usize].ty.clone(), n.span, TKind::Local(l));
        }
        let env = self.cx.env;
        match env.item(self.scope, &n.name) {
            Some(Item::Op(_)) => return texpr(Type::Op, n.span, TKind::Op(n.name.clone(), Vec::new())),
            Some(Item::Fun(funs)) => {
                let Some(Type::Fn(ps, _)) = hint else {
                    let d = Diagnostic::new(
                        &codes::PROG_TYPE,
                        n.span,
                        format!("`{}` is a function; its types are not known here", n.name),
                    )
                    .help(format!("call it, or write `x => {}(x)`", n.name));
                    self.report(d);
                    return error(n.span);
                };
                let item = funs.iter().find(|f| f.fun.params.len() == ps.len()).unwrap_or(&funs[0]).clone();
                return self.function_value(&item, ps, n.span);
            }
            None => {}
        }
        if let Some(row) = contract::free(&n.name)
            && row.form == contract::Form::Global
        {
            return self.host(row.f, Vec::new(), None, row.result.clone(), n.span);
        }
        if contract::free(&n.name).is_some() || super::builtins::find(&n.name).is_some() {
            let d = Diagnostic::new(&codes::PROG_TYPE, n.span, format!("`{}` is a function", n.name))
                .help(format!("call it, or write `x => {}(x)`", n.name));
            self.report(d);
            return error(n.span);
        }
        self.unknown_name(n);
        error(n.span)
    }
}
