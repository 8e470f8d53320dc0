//! Joining the values of branches and alternatives into one value under all of them.

use std::rc::Rc;

use crate::base::Span;
use crate::sema::sym::Num;

use super::super::value::{Element, Origin, Tensor, Value};
use super::{Elab, R};

/// How the cases were told apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Split {
    /// Case `i` is option `i` of this decision; there is a case for every option.
    Options(u32),
    /// By the conditions alone.
    Conditions,
}

impl<'a> Elab<'a, '_> {
    /// One value that equals each case where its condition holds.
    pub(crate) fn merge(&mut self, split: Split, cases: Vec<(Num, Value<'a>)>, span: Span) -> R<Value<'a>> {
        let full = cases.len();
        if self.checking() && !self.dry && !self.errors.is_empty() {
            for (c, _) in cases.iter().filter(|(_, v)| matches!(v, Value::Poison)) {
                let here = self.syms.and(self.cond, *c);
                // What always fails says nothing about the rest.
                if here != Num::Bool(true) {
                    self.failed = self.syms.or(self.failed, here);
                }
            }
        }
        let cases: Vec<(Num, Value<'a>)> =
            cases.into_iter().filter(|(c, v)| *c != Num::Bool(false) && !matches!(v, Value::Poison)).collect();
        // The shape of a lone `none` would be that of a sibling that failed.
        let failed = !self.errors.is_empty() && cases.len() < full;
        if cases.is_empty() || (failed && cases.iter().all(|(_, v)| matches!(v, Value::None | Value::Zeros))) {
            return Ok(Value::Poison);
        }
        if cases.iter().all(|(_, v)| same(v, &cases[0].1)) {
            return Ok(cases[0].1.clone());
        }
        let split = if cases.len() == full { split } else { Split::Conditions };
        if let Some(nums) = all(&cases, |v| match v {
            Value::Num(n) => Some(*n),
            _ => None,
        }) {
            return Ok(Value::Num(self.merge_nums(split, &nums)));
        }
        let tensors: Vec<(Num, Option<Rc<Tensor>>)> = cases
            .iter()
            .filter_map(|(c, v)| match v {
                Value::Tensor(t) => Some((*c, Some(t.clone()))),
                Value::Zeros => Some((*c, None)),
                _ => None,
            })
            .collect();
        if tensors.len() == cases.len()
            && let Some(t) = self.merge_tensors(split, &tensors)
        {
            return Ok(t);
        }
        if let Some(tuples) = all(&cases, |v| match v {
            Value::Tuple(t) => Some(t.clone()),
            _ => None,
        }) && tuples.iter().all(|(_, t)| t.len() == tuples[0].1.len())
        {
            let parts = (0..tuples[0].1.len())
                .map(|i| self.merge(split, tuples.iter().map(|(c, t)| (*c, t[i].clone())).collect(), span))
                .collect::<R<Vec<_>>>()?;
            return Ok(Value::Tuple(Rc::new(parts)));
        }
        if let Some(lists) = all(&cases, |v| match v {
            Value::List(l) => Some(l.clone()),
            _ => None,
        }) {
            return self.merge_lists(split, &lists, span);
        }
        // Alternatives of different kinds stay apart, and zeros are like the first of those that have a shape.
        let first = tensors.iter().find_map(|(_, t)| t.clone());
        let mut apart = Vec::new();
        for (c, v) in cases {
            let v = match (v, &first) {
                (Value::Zeros, Some(t)) => self.zeros_like(&Value::Tensor(t.clone()), span)?,
                (v, _) => v,
            };
            apart.push((c, v));
        }
        Ok(Value::Case(Rc::new(apart)))
    }

    fn merge_nums(&mut self, split: Split, cases: &[(Num, Num)]) -> Num {
        if let Split::Options(d) = split {
            let values: Vec<Num> = cases.iter().map(|&(_, v)| v).collect();
            return self.syms.pick(d, &values);
        }
        let last = cases[cases.len() - 1].1;
        cases[..cases.len() - 1].iter().rev().fold(last, |rest, &(c, v)| self.syms.select(c, v, rest))
    }

    /// `None` if the ranks differ: such alternatives stay apart until a consumer adapts.
    fn merge_tensors(&mut self, split: Split, cases: &[(Num, Option<Rc<Tensor>>)]) -> Option<Value<'a>> {
        let first = cases.iter().find_map(|(_, t)| t.clone())?;
        if cases.iter().any(|(_, t)| t.as_ref().is_some_and(|t| t.dims.len() != first.dims.len() || t.int != first.int))
        {
            return None;
        }
        let dims = (0..first.dims.len())
            .map(|i| {
                let column: Vec<(Num, Num)> =
                    cases.iter().map(|(c, t)| (*c, t.as_ref().map_or(first.dims[i], |t| t.dims[i]))).collect();
                self.merge_nums(split, &column)
            })
            .collect();
        let nones: Vec<(Num, Num)> =
            cases.iter().map(|(c, t)| (*c, t.as_ref().map_or(Num::Bool(true), |t| t.none))).collect();
        let none = self.merge_nums(split, &nones);
        let id = self.tensor_id();
        for (c, t) in cases {
            if let Some(t) = t {
                self.within.entry(t.id).or_default().push((*c, id));
            }
        }
        Some(Value::Tensor(Rc::new(Tensor {
            id,
            dims,
            node: None,
            none,
            int: first.int,
            origin: Origin::OneOf(cases.iter().filter_map(|(c, t)| Some((*c, t.clone()?))).collect()),
        })))
    }

    fn merge_lists(&mut self, split: Split, cases: &[(Num, Rc<Vec<Element<'a>>>)], span: Span) -> R<Value<'a>> {
        let first = &cases[0].1;
        let aligned = cases
            .iter()
            .all(|(_, l)| l.len() == first.len() && l.iter().zip(first.iter()).all(|(x, y)| x.when == y.when));
        let shared = if aligned {
            first.len()
        } else {
            let shortest = cases.iter().map(|(_, l)| l.len()).min().unwrap_or(0);
            (0..shortest)
                .take_while(|&i| {
                    cases.iter().all(|(_, l)| l[i].when == first[i].when && same(&l[i].value, &first[i].value))
                })
                .count()
        };
        let mut out = Vec::new();
        for i in 0..shared {
            let value = self.merge(split, cases.iter().map(|(c, l)| (*c, l[i].value.clone())).collect(), span)?;
            out.push(Element { when: first[i].when, value, index: first[i].index });
        }
        // What is not shared stands one case after the other, each under its condition.
        for (c, l) in cases {
            for e in &l[shared..] {
                let when = self.syms.and(*c, e.when);
                out.push(Element { when, value: e.value.clone(), index: e.index });
            }
        }
        Ok(Value::List(Rc::new(out)))
    }

    /// Applies `f` to a value, or to each case of it under its condition, and joins the results.
    pub(crate) fn each_case(
        &mut self,
        v: &Value<'a>,
        span: Span,
        f: &mut dyn FnMut(&mut Self, &Value<'a>) -> R<Value<'a>>,
    ) -> R<Value<'a>> {
        let Value::Case(cases) = v else { return f(self, v) };
        let mut out = Vec::new();
        for (c, v) in cases.iter() {
            let value = self.under(*c, |e| {
                if e.cond == Num::Bool(false) {
                    return Ok(Value::Poison);
                }
                let r = f(e, v);
                e.recover(r)
            })?;
            out.push((*c, value));
        }
        self.merge(Split::Conditions, out, span)
    }
}

fn all<'a, T>(cases: &[(Num, Value<'a>)], f: impl Fn(&Value<'a>) -> Option<T>) -> Option<Vec<(Num, T)>> {
    cases.iter().map(|(c, v)| Some((*c, f(v)?))).collect()
}

/// Whether two values are certainly the same.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Num(x), Value::Num(y)) => x == y,
        (Value::Str(x), Value::Str(y)) => x == y,
        (Value::None, Value::None) | (Value::Zeros, Value::Zeros) => true,
        (Value::Builtin(x), Value::Builtin(y)) => x == y,
        (Value::Tensor(x), Value::Tensor(y)) => x.id == y.id,
        (Value::Op(x), Value::Op(y)) => Rc::ptr_eq(x, y),
        (Value::Item(x), Value::Item(y)) => Rc::ptr_eq(x, y),
        (Value::List(x), Value::List(y)) => {
            Rc::ptr_eq(x, y)
                || (x.len() == y.len()
                    && x.iter().zip(y.iter()).all(|(p, q)| p.when == q.when && same(&p.value, &q.value)))
        }
        (Value::Tuple(x), Value::Tuple(y)) => x.len() == y.len() && x.iter().zip(y.iter()).all(|(p, q)| same(p, q)),
        (Value::Case(x), Value::Case(y)) => Rc::ptr_eq(x, y),
        _ => false,
    }
}
