//! Applying operations to tensors, and composing them.

use std::rc::Rc;

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::sema::sym::{Cmp, Num};

use super::super::value::{Op, OpKind, Tensor, Value};
use super::{Elab, R};

/// The most copies of a repeat: far more than any network has layers.
const MAX_COPIES: i64 = 1000;

impl<'a> Elab<'a, '_> {
    /// `l >> r`: application if the left is data, composition if it is an operation.
    pub(crate) fn pipe(&mut self, l: Value<'a>, r: Value<'a>, span: Span) -> R<Value<'a>> {
        match &l {
            Value::Poison => Ok(Value::Poison),
            Value::Tensor(_) | Value::List(_) => self.apply(&r, vec![l], span),
            Value::Tuple(parts) => self.apply(&r, (**parts).clone(), span),
            Value::Case(_) if l.is_tensor_like() => self.apply(&r, vec![l], span),
            _ => {
                self.is_operation(&l, span)?;
                self.is_operation(&r, span)?;
                let mut stages = Vec::new();
                for v in [l, r] {
                    match &v {
                        Value::Op(op) => match &op.kind {
                            OpKind::Compose(inner) => stages.extend(inner.iter().cloned()),
                            _ => stages.push(v.clone()),
                        },
                        _ => stages.push(v),
                    }
                }
                Ok(self.op(OpKind::Compose(stages), span))
            }
        }
    }

    fn is_operation(&self, v: &Value<'a>, span: Span) -> R<()> {
        match v {
            Value::Op(_)
            | Value::None
            | Value::Zeros
            | Value::Item(_)
            | Value::Builtin(_)
            | Value::Lambda(_)
            | Value::Case(_)
            | Value::Poison => Ok(()),
            _ => self.fail(
                Diagnostic::new(&codes::WRONG_TYPE, span, format!("{} cannot stand in a pipeline", v.kind()))
                    .here("`>>` takes tensors and operations")
                    .help("`x >> f` applies f to the tensor x, `f >> g` composes two operations"),
            ),
        }
    }

    /// Applies an operation to its inputs: one tensor, a list of them, or several.
    pub(crate) fn apply(&mut self, f: &Value<'a>, inputs: Vec<Value<'a>>, span: Span) -> R<Value<'a>> {
        match f {
            Value::Poison => Ok(Value::Poison),
            Value::None => match inputs.first() {
                Some(x) => self.zeros_like(x, span),
                None => Ok(Value::None),
            },
            // Its shape is that of its siblings.
            Value::Zeros => Ok(Value::Zeros),
            // A declaration without parameters gives an operation.
            Value::Item(item) if item.decl.params().iter().all(|p| p.default.is_some()) => {
                let op = self.call_item(item, Vec::new(), span)?;
                self.apply(&op, inputs, span)
            }
            Value::Item(item) => {
                let args = inputs.into_iter().map(|value| super::call::Argument { name: None, value, span }).collect();
                self.call_item(item, args, span)
            }
            Value::Builtin(b) => self.apply_builtin(*b, &[], inputs, span),
            Value::Lambda(_) => {
                let args = inputs.into_iter().map(|value| super::call::Argument { name: None, value, span }).collect();
                self.call_value(f, args, span)
            }
            Value::Case(cases) => {
                let f = Value::Case(cases.clone());
                self.each_case(&f, span, &mut |el, f| el.apply(f, inputs.clone(), span))
            }
            Value::Op(op) => {
                let op = op.clone();
                if self.checking() && self.templates.get(&*op.place.owner).is_some_and(|t| t.applied.is_none()) {
                    let shapes = self.example(&dims_of(&inputs)).and_then(|a| self.example_shapes(&inputs, &a));
                    if let Some(t) = self.templates.get_mut(&*op.place.owner) {
                        t.applied = shapes;
                    }
                }
                let place = &op.place;
                // What a motif gives, used outside of it: its weights are the motif's all the same.
                let leaves = place.path == place.owner && place.stamp != self.place.stamp && !place.owner.is_empty();
                if leaves && self.motifs.iter().any(|(path, _)| *path == place.owner) {
                    let owner = place.owner.clone();
                    return self.at_site(&owner, |el| {
                        el.stamped(&owner, op.place.stamp);
                        el.in_place(&op, |el| el.apply_op(&op, inputs, span))
                    });
                }
                let v = self.in_place(&op, |el| el.apply_op(&op, inputs, span))?;
                self.observe(op.span, &v);
                Ok(v)
            }
            v => self.fail(
                Diagnostic::new(&codes::WRONG_TYPE, span, format!("{} is not an operation", v.kind()))
                    .here("applied to a tensor here"),
            ),
        }
    }

    fn apply_op(&mut self, op: &Rc<Op<'a>>, inputs: Vec<Value<'a>>, span: Span) -> R<Value<'a>> {
        match &op.kind {
            OpKind::Call(item, bound) => {
                let wanted = item
                    .decl
                    .params()
                    .iter()
                    .filter(|p| matches!(p.kind, crate::syntax::ast::ParamKind::Tensor(_)))
                    .count();
                if inputs.len() != wanted {
                    return self.fail(
                        Diagnostic::new(
                            &codes::WRONG_ARGUMENT,
                            span,
                            format!("`{}` takes {wanted} tensors, but gets {}", item.decl.name().name, inputs.len()),
                        )
                        .label(item.decl.name().span, "declared here"),
                    );
                }
                self.invoke(item, inputs, bound.clone(), op.span)
            }
            OpKind::Builtin(b, args) => self.apply_builtin(*b, args, inputs, op.span),
            OpKind::Compose(stages) => {
                let mut values = inputs;
                for stage in stages {
                    let out = self.apply(stage, values, op.span)?;
                    values = match out {
                        Value::Tuple(parts) => (*parts).clone(),
                        other => vec![other],
                    };
                }
                Ok(if values.len() == 1 { values.remove(0) } else { Value::Tuple(Rc::new(values)) })
            }
            OpKind::Repeat(n, label, body, scope) => self.repeat(n, label, body, scope, inputs, op.span),
            OpKind::Assemble(n, a, scope) => self.assemble(n, a, scope, inputs, op.span),
            OpKind::Shared(inner, site) => {
                let (inner, site) = (inner.clone(), site.to_string());
                self.sharing_weights(&site, |el| el.apply(&inner, inputs, span))
            }
            OpKind::ZerosLike(inner) => {
                let v = self.dry_run(|el| el.apply(inner, inputs, span))?;
                self.zeros_like(&v, span)
            }
        }
    }

    /// Runs one use of what all uses share: a frame of its own for every use, so that all name their weights alike, and a
    /// stamp of its own, so that all make the same decisions.
    fn sharing_weights<T>(&mut self, site: &str, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        self.sites.push((site.to_string(), std::collections::BTreeMap::new()));
        let sharing = std::mem::replace(&mut self.sharing, true);
        let stamp = self.new_stamp();
        let stamp = std::mem::replace(&mut self.place.stamp, stamp);
        let r = f(self);
        self.place.stamp = stamp;
        self.sharing = sharing;
        self.sites.pop();
        r
    }

    /// `f(x, h)` for every step along axis 1 of `xs`, unrolled. A number of steps that is not known, in a library, is
    /// taken as one.
    pub(crate) fn scan(&mut self, f: &Value<'a>, xs: &Rc<Tensor>, h0: Value<'a>, span: Span) -> R<Value<'a>> {
        let Some(&time) = xs.dims.get(1).filter(|_| xs.dims.len() >= 2) else {
            return self.error(&codes::RANK, span, "`scan` needs a tensor `[N, T, ..]` whose axis 1 is time");
        };
        self.read(xs, Num::Bool(true));
        let site = self.fresh_site("scan");
        let mut state = h0;
        let mut states = Vec::new();
        for t in 0..time.as_int().unwrap_or(1) as usize {
            let x = Value::Tensor(self.time_slice(xs, t, span));
            let h = state.clone();
            state = self.sharing_weights(&site, |el| el.apply(f, vec![x, h], span))?;
            states.push(super::super::value::Element { when: Num::Bool(true), value: state.clone(), index: t });
        }
        Ok(Value::List(Rc::new(states)))
    }

    /// f composed n times. Each copy is elaborated in its own place.
    fn repeat(
        &mut self,
        n: &Value<'a>,
        label: &'a str,
        body: &'a crate::syntax::ast::Body,
        scope: &Rc<super::super::value::Scope<'a>>,
        inputs: Vec<Value<'a>>,
        span: Span,
    ) -> R<Value<'a>> {
        let Value::Num(n) = n else {
            return self.error(&codes::WRONG_TYPE, span, format!("a repeat needs a number, not {}", n.kind()));
        };
        let Some((_, most)) = self.int_bounds(*n) else {
            return self.error(
                &codes::CANNOT_PROVE,
                span,
                "the number of copies is not known while the space is checked",
            );
        };
        if most > MAX_COPIES {
            return self.error(
                &codes::WRONG_TYPE,
                span,
                format!("a repeat of {most} copies is too large: {MAX_COPIES} at most"),
            );
        }
        let path = super::join(&self.place.path, label);
        let ids: Vec<u32> = match &self.mode {
            super::Mode::Build { oracle, .. } if !self.dry => {
                oracle.copies(&path).filter(|c| c.len() == most.max(0) as usize)
            }
            _ => None,
        }
        .unwrap_or_else(|| (0..most.max(0) as u32).collect());
        if self.checking() && !self.repeats.iter().any(|r| r.path == path) {
            let count = self.syms.literal_numbers(*n).map(|d| self.decisions[d as usize].decision.name.clone());
            self.repeats.push(super::CheckedRepeat { path, count });
        }
        let mut value = inputs;
        for (at, id) in ids.into_iter().enumerate() {
            let runs = self.syms.cmp(Cmp::Lt, Num::Int(at as i64), *n);
            if runs == Num::Bool(false) {
                break;
            }
            let name = format!("{label}({id})");
            let before = value.clone();
            let out = self.under(runs, |el| {
                el.inside(&name, |el| {
                    el.at_site(&name, |el| {
                        let mut s = (**scope).clone();
                        if label != "copy" {
                            s.bind(label, Value::int(at as i64), false);
                        }
                        let f = el.body(body, &mut s)?;
                        el.apply(&f, before.clone(), span)
                    })
                })
            });
            let out = self.recover(out)?;
            let skipped = self.syms.not(runs);
            let whole = if value.len() == 1 { value.remove(0) } else { Value::Tuple(Rc::new(value)) };
            let merged = self.merge(super::merge::Split::Conditions, vec![(runs, out), (skipped, whole)], span)?;
            value = match merged {
                Value::Tuple(parts) => (*parts).clone(),
                other => vec![other],
            };
        }
        Ok(if value.len() == 1 { value.remove(0) } else { Value::Tuple(Rc::new(value)) })
    }

    /// A tensor, or zeros for `none` where a shape is known.
    pub(crate) fn as_tensor(&mut self, v: Value<'a>, span: Span) -> R<Value<'a>> {
        match v {
            Value::Tensor(_) | Value::Case(_) | Value::Poison => Ok(v),
            Value::None | Value::Zeros => {
                self.require(Num::Bool(false), span, |_, _| {
                    Diagnostic::new(&codes::SHAPE, span, "`none` has no shape here")
                        .here("nothing tells how many zeros these are")
                        .help("`none` stands among alternatives that have a shape, or in a sum or concatenation with others")
                })?;
                Ok(Value::Poison)
            }
            other => self.fail(
                Diagnostic::new(&codes::WRONG_TYPE, span, format!("expected a tensor, found {}", other.kind()))
                    .here("not a tensor"),
            ),
        }
    }

    /// Zeros of the shape of a tensor, marked as `none`.
    pub(crate) fn zeros_like(&mut self, v: &Value<'a>, span: Span) -> R<Value<'a>> {
        match v {
            Value::Tensor(t) => {
                let new = self.tensor(t.dims.clone(), None, t.int, span);
                let mut new = Tensor::clone(&new);
                new.none = Num::Bool(true);
                Ok(Value::Tensor(Rc::new(new)))
            }
            Value::Tuple(ts) => {
                Ok(Value::Tuple(Rc::new(ts.iter().map(|t| self.zeros_like(t, span)).collect::<R<_>>()?)))
            }
            Value::Case(_) => self.each_case(v, span, &mut |el, v| el.zeros_like(v, span)),
            other => Ok(other.clone()),
        }
    }
}

/// All extents of the tensors among values.
pub(super) fn dims_of(values: &[Value]) -> Vec<Num> {
    let tensors = values.iter().filter_map(|v| match v {
        Value::Tensor(t) => Some(&t.dims),
        _ => None,
    });
    tensors.flatten().copied().collect()
}
