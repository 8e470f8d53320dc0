//! The shapes of a primitive: extents are bound by matching the inputs, the outputs' extents follow. One function
//! for numbers and for the checker's symbolic extents.

use std::collections::BTreeMap;

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::syntax::ast::{Dim, Expr, ExprKind, Param, ParamKind, Primitive};

use super::eval::{self, Algebra, Numbers, Slash, eval_extent};
use super::scalar::Scalar;

/// Obligations on extents.
pub trait Extents: Algebra {
    /// Two extents that must be equal, each with its place; the first is the one that was bound before.
    fn equal(&mut self, a: (&Self::Value, Span), b: (&Self::Value, Span), what: &str) -> Result<(), Diagnostic>;
    /// An extent must be a whole number and at least 1.
    fn extent(&mut self, a: &Self::Value, at: Span) -> Result<(), Diagnostic>;
}

impl Extents for Numbers {
    fn equal(&mut self, a: (&Scalar, Span), b: (&Scalar, Span), what: &str) -> Result<(), Diagnostic> {
        if a.0 == b.0 {
            return Ok(());
        }
        Err(Diagnostic::new(&codes::PRIM_SHAPE, b.1, format!("{what} is {} and {}", a.0, b.0))
            .here(format!("{} here", b.0))
            .label(a.1, format!("{} here", a.0)))
    }

    fn extent(&mut self, a: &Scalar, at: Span) -> Result<(), Diagnostic> {
        match a {
            Scalar::Int(i) if *i >= 1 && *i <= i64::from(i32::MAX) => Ok(()),
            Scalar::Int(i) if *i >= 1 => {
                Err(Diagnostic::new(&codes::PRIM_ARITHMETIC, at, format!("an extent of {i} is too large")))
            }
            Scalar::Int(i) => Err(Diagnostic::new(&codes::PRIM_ARITHMETIC, at, format!("an extent of {i}"))
                .here("an extent is at least 1")),
            other => Err(Diagnostic::new(&codes::PRIM_SCALAR, at, format!("an extent is a whole number, not {other}"))),
        }
    }
}

/// What is known of one use of a primitive.
#[derive(Clone, Debug, PartialEq)]
pub struct Shapes<V> {
    /// Extents and scalar arguments by name.
    pub names: BTreeMap<String, V>,
    /// The extents that `..` stands for.
    pub rest: Vec<V>,
    /// One shape for each output.
    pub outputs: Vec<Vec<V>>,
}

/// The tensor inputs of a primitive with their dimensions.
pub fn inputs(p: &Primitive) -> impl Iterator<Item = (&Param, &[Dim])> {
    p.params.iter().filter_map(|q| match &q.kind {
        ParamKind::Tensor(dims) => Some((q, dims.as_slice())),
        ParamKind::Typed(_) | ParamKind::Untyped => None,
    })
}

/// The extents of an output, as written.
pub fn output_dims(p: &Primitive, output: usize) -> &[Dim] {
    &p.outputs[output].dims
}

/// Binds the extents of `p` by its inputs' shapes and evaluates default arguments and the outputs' extents.
/// `call` is where the primitive is used. `scalars` holds the arguments that were given, already of their types.
pub fn infer<A: Extents>(
    p: &Primitive,
    call: Span,
    shapes: &[Vec<A::Value>],
    scalars: &BTreeMap<String, A::Value>,
    algebra: &mut A,
) -> Result<Shapes<A::Value>, Diagnostic> {
    let tensors: Vec<(&Param, &[Dim])> = inputs(p).collect();
    if tensors.len() != shapes.len() {
        return Err(Diagnostic::new(
            &codes::PRIM_SHAPE,
            call,
            format!("`{}` takes {}, but {} are given", p.name.name, count(tensors.len(), "tensor"), shapes.len()),
        )
        .label(p.name.span, "declared here"));
    }
    let mut names = scalars.clone();
    let mut bound: BTreeMap<&str, Span> = BTreeMap::new();
    let mut rest: Option<(Vec<A::Value>, Span)> = None;
    let mut to_check: Vec<(&Expr, A::Value, &str)> = Vec::new();
    for ((param, dims), shape) in tensors.iter().zip(shapes) {
        let Some(rest_len) = rest_len(dims, shape.len()) else {
            return Err(rank_mismatch(p, param, dims, shape.len(), call));
        };
        let mut at = 0;
        for d in *dims {
            match d {
                Dim::Rest(span) => {
                    let these = &shape[at..at + rest_len];
                    at += rest_len;
                    match &rest {
                        None => rest = Some((these.to_vec(), *span)),
                        Some((known, first)) => {
                            if known.len() != these.len() {
                                return Err(Diagnostic::new(
                                    &codes::PRIM_SHAPE,
                                    call,
                                    format!("the inputs of `{}` have different numbers of dimensions", p.name.name),
                                )
                                .label(*span, format!("`..` stands for {} here", count(these.len(), "dimension")))
                                .label(*first, format!("and for {} here", known.len())));
                            }
                            for (a, b) in known.iter().zip(these) {
                                algebra
                                    .equal((a, *first), (b, *span), "an extent of `..`")
                                    .map_err(|d| used_here(d, p, call))?;
                            }
                        }
                    }
                }
                Dim::Expr(e) => {
                    let value = shape[at].clone();
                    at += 1;
                    let Some(name) = extent_name(e).filter(|n| !scalars.contains_key(*n)) else {
                        to_check.push((e, value, &param.name.name));
                        continue;
                    };
                    if let Some(known) = names.get(name).cloned() {
                        let first = bound.get(name).copied().unwrap_or(e.span);
                        algebra
                            .equal((&known, first), (&value, e.span), &format!("`{name}`"))
                            .map_err(|d| used_here(d, p, call))?;
                    } else {
                        names.insert(name.to_owned(), value);
                        bound.insert(name, e.span);
                    }
                }
            }
        }
    }
    for q in &p.params {
        if matches!(q.kind, ParamKind::Tensor(_)) || names.contains_key(&q.name.name) {
            continue;
        }
        let Some(default) = &q.default else {
            return Err(Diagnostic::new(
                &codes::PRIM_SCALAR,
                call,
                format!("`{}` needs the argument `{}`", p.name.name, q.name.name),
            )
            .label(q.name.span, "declared here, without a default"));
        };
        let value = eval::eval(default, Slash::Floor, &|n| names.get(n).cloned(), algebra)?;
        names.insert(q.name.name.clone(), value);
    }
    for (e, value, tensor) in to_check {
        let wanted = eval_extent(e, &|n| names.get(n).cloned(), algebra).map_err(|d| used_here(d, p, call))?;
        algebra
            .equal((&wanted, e.span), (&value, call), &format!("an extent of `{tensor}`"))
            .map_err(|d| used_here(d, p, call))?;
    }
    let rest = rest.map(|r| r.0).unwrap_or_default();
    let mut outputs = Vec::with_capacity(p.outputs.len());
    for o in &p.outputs {
        let mut shape = Vec::new();
        for d in &o.dims {
            match d {
                Dim::Rest(_) => shape.extend(rest.iter().cloned()),
                Dim::Expr(e) => {
                    let v = eval_extent(e, &|n| names.get(n).cloned(), algebra).map_err(|d| used_here(d, p, call))?;
                    algebra.extent(&v, e.span).map_err(|d| used_here(d, p, call))?;
                    shape.push(v);
                }
            }
        }
        outputs.push(shape);
    }
    Ok(Shapes { names, rest, outputs })
}

/// How many dimensions `..` stands for in a shape of this rank; 0 without `..`; `None` if the rank does not fit.
fn rest_len(dims: &[Dim], rank: usize) -> Option<usize> {
    let named = dims.iter().filter(|d| matches!(d, Dim::Expr(_))).count();
    if named == dims.len() { (rank == named).then_some(0) } else { rank.checked_sub(named) }
}

/// The name of a dimension that binds: one upper-case name.
pub(super) fn extent_name(e: &Expr) -> Option<&str> {
    match &e.kind {
        ExprKind::Name(n) if n.ident.name.starts_with(|c: char| c.is_uppercase()) => Some(&n.ident.name),
        _ => None,
    }
}

fn rank_mismatch(p: &Primitive, param: &Param, dims: &[Dim], rank: usize, call: Span) -> Diagnostic {
    let named = dims.iter().filter(|d| matches!(d, Dim::Expr(_))).count();
    let least = if named == dims.len() { "" } else { "at least " };
    Diagnostic::new(
        &codes::PRIM_SHAPE,
        call,
        format!(
            "`{}` wants `{}` with {least}{}, but it has {rank}",
            p.name.name,
            param.name.name,
            count(named, "dimension")
        ),
    )
    .here(format!("a tensor with {}", count(rank, "dimension")))
    .label(param.name.span, "declared here")
}

/// Adds the place of use to a diagnostic inside a declaration.
pub(super) fn used_here(d: Diagnostic, p: &Primitive, call: Span) -> Diagnostic {
    if d.labels.iter().any(|l| l.span == call) || call == Span::default() {
        return d;
    }
    d.label(call, format!("in this use of `{}`", p.name.name))
}

/// `1 tensor`, `2 tensors`
pub(super) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
