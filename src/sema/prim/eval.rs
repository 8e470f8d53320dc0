//! Expressions over scalars and extents, evaluated in any [`Algebra`]: with numbers when a candidate is elaborated,
//! with polynomials when a space is checked for all its candidates at once.

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::syntax::ast::{BinOp, Body, Expr, ExprKind, UnOp, Unit};

use super::scalar::{self, ArithOp, Fault, Func, Scalar};

/// Values in which scalar expressions are evaluated.
pub trait Algebra {
    /// A value.
    type Value: Clone;
    /// A literal.
    fn constant(&mut self, value: Scalar) -> Result<Self::Value, Fault>;
    /// `a op b`
    fn binary(&mut self, op: ArithOp, a: &Self::Value, b: &Self::Value) -> Result<Self::Value, Fault>;
    /// `-a`, `!a`
    fn unary(&mut self, op: UnOp, a: &Self::Value) -> Result<Self::Value, Fault>;
    /// A function other than `min`, `max` and `pow`, which are binary, and `floor` and `ceil` of a division.
    fn function(&mut self, f: Func, a: &Self::Value) -> Result<Self::Value, Fault>;
    /// The truth of a condition, if it is the same in all cases.
    fn decide(&self, condition: &Self::Value) -> Option<bool>;
    /// `if condition { a } else { b }`, where the condition is not [decided](Self::decide).
    fn select(&mut self, condition: &Self::Value, a: &Self::Value, b: &Self::Value) -> Result<Self::Value, Fault>;
}

/// What a bare `/` of whole numbers means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slash {
    /// In extents: it must divide exactly.
    Exact,
    /// In scalars: it rounds down.
    Floor,
}

/// Plain numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers;

impl Algebra for Numbers {
    type Value = Scalar;

    fn constant(&mut self, value: Scalar) -> Result<Scalar, Fault> {
        Ok(value)
    }

    fn binary(&mut self, op: ArithOp, a: &Scalar, b: &Scalar) -> Result<Scalar, Fault> {
        scalar::binary(op, a, b)
    }

    fn unary(&mut self, op: UnOp, a: &Scalar) -> Result<Scalar, Fault> {
        scalar::unary(op, a)
    }

    fn function(&mut self, f: Func, a: &Scalar) -> Result<Scalar, Fault> {
        scalar::call(f, std::slice::from_ref(a))
    }

    fn decide(&self, condition: &Scalar) -> Option<bool> {
        condition.as_bool()
    }

    fn select(&mut self, condition: &Scalar, _: &Scalar, _: &Scalar) -> Result<Scalar, Fault> {
        Err(Fault::new(&codes::PRIM_SCALAR, format!("a condition is a bool, not a {}", condition.type_name())))
    }
}

/// The diagnostic of a fault at a place.
pub fn at(span: Span) -> impl Fn(Fault) -> Diagnostic {
    move |f| {
        let d = Diagnostic::new(f.code, span, f.message);
        match f.help {
            Some(h) => d.help(h),
            None => d,
        }
    }
}

/// The value of an extent: a bare `/` must divide exactly. `names` knows extents and scalar arguments.
pub fn eval_extent<A: Algebra>(
    expr: &Expr,
    names: &dyn Fn(&str) -> Option<A::Value>,
    algebra: &mut A,
) -> Result<A::Value, Diagnostic> {
    eval(expr, Slash::Exact, names, algebra)
}

/// The value of a scalar expression: literals, names, arithmetic, comparisons, functions, `if`.
pub fn eval<A: Algebra>(
    expr: &Expr,
    slash: Slash,
    names: &dyn Fn(&str) -> Option<A::Value>,
    algebra: &mut A,
) -> Result<A::Value, Diagnostic> {
    let fault = at(expr.span);
    match &expr.kind {
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Quantity(..) | ExprKind::Bool(_) | ExprKind::Str(_) => {
            let value = literal(&expr.kind).ok_or_else(|| not_scalar(expr))?;
            algebra.constant(value).map_err(fault)
        }
        ExprKind::Name(n) => names(&n.ident.name).ok_or_else(|| {
            Diagnostic::new(&codes::PRIM_NAME, expr.span, format!("unknown name `{}`", n.ident.name))
                .here("neither an extent nor a scalar argument")
        }),
        ExprKind::Unary(op, a) => {
            let a = eval(a, slash, names, algebra)?;
            algebra.unary(*op, &a).map_err(fault)
        }
        ExprKind::Binary(op, a, b) => {
            let (op, swap) = arith(*op, slash).ok_or_else(|| not_scalar(expr))?;
            let (a, b) = (eval(a, slash, names, algebra)?, eval(b, slash, names, algebra)?);
            let (a, b) = if swap { (b, a) } else { (a, b) };
            algebra.binary(op, &a, &b).map_err(fault)
        }
        ExprKind::If { cond, then, otherwise } => {
            let Some(otherwise) = otherwise else {
                return Err(Diagnostic::new(
                    &codes::PRIM_FORM,
                    expr.span,
                    "an `if` that gives a value needs an `else`",
                ));
            };
            let c = eval(cond, slash, names, algebra)?;
            match algebra.decide(&c) {
                Some(true) => eval(only_value(then)?, slash, names, algebra),
                Some(false) => eval(only_value(otherwise)?, slash, names, algebra),
                None => {
                    let a = eval(only_value(then)?, slash, names, algebra)?;
                    let b = eval(only_value(otherwise)?, slash, names, algebra)?;
                    algebra.select(&c, &a, &b).map_err(at(cond.span))
                }
            }
        }
        ExprKind::Body(b) => eval(only_value(b)?, slash, names, algebra),
        ExprKind::Call { .. } => {
            let (f, args) = function_call(expr)?;
            if let (Func::Floor | Func::Ceil, ExprKind::Binary(BinOp::Div, a, b)) = (f, &args[0].kind) {
                let op = if f == Func::Floor { ArithOp::FloorDiv } else { ArithOp::CeilDiv };
                let (a, b) = (eval(a, slash, names, algebra)?, eval(b, slash, names, algebra)?);
                return algebra.binary(op, &a, &b).map_err(fault);
            }
            let mut value = eval(args[0], slash, names, algebra)?;
            let op = match f {
                Func::Min => ArithOp::Min,
                Func::Max => ArithOp::Max,
                Func::Pow => ArithOp::Pow,
                _ => return algebra.function(f, &value).map_err(fault),
            };
            for a in &args[1..] {
                let next = eval(a, slash, names, algebra)?;
                value = algebra.binary(op, &value, &next).map_err(&fault)?;
            }
            Ok(value)
        }
        _ => Err(not_scalar(expr)),
    }
}

/// The value of a literal.
pub fn literal(kind: &ExprKind) -> Option<Scalar> {
    Some(match kind {
        ExprKind::Int(i) => Scalar::Int(*i),
        ExprKind::Quantity(x, Unit::Count | Unit::Bytes) if x.fract() == 0.0 && x.abs() < 9.0e15 => {
            Scalar::Int(*x as i64)
        }
        ExprKind::Float(x) | ExprKind::Quantity(x, _) => Scalar::Float(*x),
        ExprKind::Bool(b) => Scalar::Bool(*b),
        ExprKind::Str(s) => Scalar::Str(s.clone()),
        _ => return None,
    })
}

/// The operation of an operator, and whether its operands change places.
pub(super) fn arith(op: BinOp, slash: Slash) -> Option<(ArithOp, bool)> {
    Some(match op {
        BinOp::Pipe => return None,
        BinOp::Or => (ArithOp::Or, false),
        BinOp::And => (ArithOp::And, false),
        BinOp::Eq => (ArithOp::Eq, false),
        BinOp::Ne => (ArithOp::Ne, false),
        BinOp::Lt => (ArithOp::Lt, false),
        BinOp::Le => (ArithOp::Le, false),
        BinOp::Gt => (ArithOp::Lt, true),
        BinOp::Ge => (ArithOp::Le, true),
        BinOp::Add => (ArithOp::Add, false),
        BinOp::Sub => (ArithOp::Sub, false),
        BinOp::Mul => (ArithOp::Mul, false),
        BinOp::Div if slash == Slash::Exact => (ArithOp::DivExact, false),
        BinOp::Div => (ArithOp::Div, false),
        BinOp::Rem => (ArithOp::Rem, false),
        BinOp::Pow => (ArithOp::Pow, false),
    })
}

/// The value of a body without statements.
pub(super) fn only_value(body: &Body) -> Result<&Expr, Diagnostic> {
    match (&body.stmts[..], &body.value) {
        ([], Some(v)) => Ok(v),
        ([s, ..], _) => Err(Diagnostic::new(&codes::PRIM_FORM, s.span, "statements cannot stand inside an equation")
            .help("give an intermediate tensor its own equation above this one")),
        ([], None) => Err(Diagnostic::new(&codes::PRIM_FORM, body.span, "a value is missing here")),
    }
}

/// The function and the arguments of a call, with their number checked.
pub(super) fn function_call(expr: &Expr) -> Result<(Func, Vec<&Expr>), Diagnostic> {
    let ExprKind::Call { callee, args } = &expr.kind else { return Err(not_scalar(expr)) };
    let ExprKind::Name(name) = &callee.kind else { return Err(not_scalar(expr)) };
    let name = &name.ident;
    let Some(f) = Func::find(&name.name) else {
        let known = Func::ALL.iter().map(|(n, _)| *n).chain(["sum", "mean", "prod", "uniform"]);
        let d = Diagnostic::new(&codes::PRIM_NAME, name.span, format!("unknown function `{}`", name.name));
        return Err(match crate::diag::did_you_mean(&name.name, known) {
            Some(k) => d.help(format!("did you mean `{k}`?")).fix(name.span, k, format!("write `{k}`")),
            None => d.help("equations know exp, log, sqrt, rsqrt, tanh, sigmoid, erf, sin, cos, abs, floor, ceil, pow, min and max"),
        });
    };
    if let Some(a) = args.iter().find_map(|a| a.name.as_ref()) {
        return Err(Diagnostic::new(&codes::PRIM_FORM, a.span, format!("`{}` has no named arguments", name.name)));
    }
    let (lo, hi) = f.arity();
    if args.len() < lo || args.len() > hi {
        let wants = if lo == hi { format!("{lo}") } else { format!("at least {lo}") };
        let s = if lo == 1 { "" } else { "s" };
        return Err(Diagnostic::new(
            &codes::PRIM_FORM,
            expr.span,
            format!("`{}` takes {wants} argument{s}, but {} are given", name.name, args.len()),
        ));
    }
    Ok((f, args.iter().map(|a| &a.value).collect()))
}

fn not_scalar(expr: &Expr) -> Diagnostic {
    Diagnostic::new(&codes::PRIM_FORM, expr.span, "only numbers, arithmetic and `if` can stand here")
}
