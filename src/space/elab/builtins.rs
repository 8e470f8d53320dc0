//! Built-in functions.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::sema::names::wording;
use crate::sema::sym::{Fun, Num};
use crate::syntax::ast::BinOp;

use super::super::value::{Builtin, Element, OpKind, Value};
use super::call::Argument;
use super::merge::Split;
use super::{Elab, R};

impl<'a> Elab<'a, '_> {
    /// A call of a built-in. Without its tensors, `concat(axis = 2)` is an operation.
    pub(crate) fn call_builtin(&mut self, b: Builtin, args: Vec<Argument<'a>>, span: Span) -> R<Value<'a>> {
        let mut inputs = Vec::new();
        let mut extra = Vec::new();
        for a in args {
            match a.name {
                None => inputs.push(a.value),
                Some(n) if n.name == "axis" && matches!(b, Builtin::Concat | Builtin::Split) => extra.push(a.value),
                Some(n) => return self.fail(wording::unknown_builtin_argument(name_of(b), doc_of(b), n)),
            }
        }
        if inputs.iter().any(|v| matches!(v, Value::Poison)) {
            return Ok(Value::Poison);
        }
        let waits = match b {
            Builtin::Concat => inputs.is_empty(),
            Builtin::Split => inputs.len() == 1 && matches!(inputs[0], Value::Num(_)),
            _ => false,
        };
        if waits {
            let mut all = inputs;
            all.extend(extra);
            return Ok(self.op(OpKind::Builtin(b, all), span));
        }
        self.apply_builtin(b, &extra, inputs, span)
    }

    /// `floor(a / b)` and `ceil(a / b)`.
    pub(crate) fn rounded_division(&mut self, b: Builtin, x: Num, y: Num, span: Span) -> R<Value<'a>> {
        let zero = self.syms.cmp(crate::sema::sym::Cmp::Eq, y, Num::Int(0));
        let ok = self.syms.not(zero);
        self.require(ok, span, |_, _| {
            Diagnostic::new(&codes::DIVISION, span, "division by zero").here("the divisor is 0")
        })?;
        let f = if b == Builtin::Ceil { Fun::CeilDiv } else { Fun::FloorDiv };
        Ok(Value::Num(self.syms.fun(f, x, y)))
    }

    /// A built-in on values; `args` are what was given when it was made an operation.
    pub(crate) fn apply_builtin(
        &mut self,
        b: Builtin,
        args: &[Value<'a>],
        mut inputs: Vec<Value<'a>>,
        span: Span,
    ) -> R<Value<'a>> {
        if let Some(i) = inputs.iter().position(|v| matches!(v, Value::Case(_))) {
            let case = inputs[i].clone();
            return self.each_case(&case, span, &mut |el, v| {
                let mut inputs = inputs.clone();
                inputs[i] = v.clone();
                el.apply_builtin(b, args, inputs, span)
            });
        }
        if inputs.iter().any(|v| matches!(v, Value::Poison)) {
            return Ok(Value::Poison);
        }
        let wants = |n: std::ops::RangeInclusive<usize>, el: &Self| {
            if n.contains(&inputs.len()) {
                return Ok(());
            }
            let d = Diagnostic::new(
                &codes::WRONG_ARGUMENT,
                span,
                format!("`{}` does not take {} arguments", name_of(b), inputs.len()),
            );
            el.fail(d.help(doc_of(b)))
        };
        match b {
            Builtin::Len => {
                wants(1..=1, self)?;
                let Some(xs) = self.elements(&inputs[0], span)? else { return Ok(Value::Poison) };
                let mut n = Num::Int(0);
                for x in xs.iter() {
                    let one = self.syms.select(x.when, Num::Int(1), Num::Int(0));
                    n = self.syms.add(n, one);
                }
                Ok(Value::Num(n))
            }
            Builtin::Concat => {
                wants(1..=2, self)?;
                let axis = match args.first().or(inputs.get(1)) {
                    Some(v) => self.known(v, span)?,
                    None => 1,
                };
                let Some(xs) = self.elements(&inputs[0], span)? else { return Ok(Value::Poison) };
                self.concat_tensors(&xs, axis, span)
            }
            Builtin::Sum => {
                wants(1..=1, self)?;
                if let Value::Tensor(_) = inputs[0] {
                    return Ok(inputs.remove(0));
                }
                let Some(xs) = self.elements(&inputs[0], span)? else { return Ok(Value::Poison) };
                if xs.iter().all(|x| matches!(x.value, Value::Num(_))) && !xs.is_empty() {
                    let mut total = Num::Int(0);
                    for x in xs.iter() {
                        if let Value::Num(n) = x.value {
                            let n = self.syms.select(x.when, n, Num::Int(0));
                            total = self.syms.add(total, n);
                        }
                    }
                    return Ok(Value::Num(total));
                }
                self.sum_tensors(&xs, span)
            }
            Builtin::Split => {
                let given: Vec<Value<'a>> = inputs.iter().skip(1).chain(args).cloned().collect();
                let Value::Tensor(t) = &inputs[0] else {
                    return self.error(
                        &codes::WRONG_TYPE,
                        span,
                        format!("`split` takes a tensor, not {}", inputs[0].kind()),
                    );
                };
                let t = t.clone();
                let Some(n) = given.first() else {
                    return self.fail(
                        Diagnostic::new(&codes::MISSING_ARGUMENT, span, "`split` needs the number of parts")
                            .help(doc_of(b)),
                    );
                };
                let n = self.known(n, span)?;
                let axis = given.get(1).map_or(Ok(1), |v| self.known(v, span))?;
                self.split_tensor(&t, n, axis, span)
            }
            Builtin::Unused => {
                wants(1..=1, self)?;
                let Some(xs) = self.elements(&inputs[0], span)? else { return Ok(Value::Poison) };
                let (mut out, mut known) = (Vec::new(), BTreeMap::new());
                for x in xs.iter() {
                    // One of several kinds of tensor is several elements, of which one is there.
                    let cases = match &x.value {
                        Value::Case(cases) => cases.to_vec(),
                        v => vec![(Num::Bool(true), v.clone())],
                    };
                    for (c, value) in cases {
                        let t = match &value {
                            Value::Tensor(t) => t,
                            Value::Poison => return Ok(Value::Poison),
                            _ => continue,
                        };
                        let read = self.when_read(t.id, &mut known);
                        let loose = self.syms.not(read);
                        let there = self.syms.and(x.when, c);
                        let when = self.syms.and(there, loose);
                        if when != Num::Bool(false) {
                            out.push(Element { when, value, index: x.index });
                        }
                    }
                }
                Ok(Value::List(Rc::new(out)))
            }
            Builtin::Shape => {
                wants(1..=1, self)?;
                let Value::Tensor(t) = &inputs[0] else {
                    return self.error(
                        &codes::WRONG_TYPE,
                        span,
                        format!("`shape` takes a tensor, not {}", inputs[0].kind()),
                    );
                };
                let list = t.dims.iter().enumerate().map(|(index, &d)| Element {
                    when: Num::Bool(true),
                    value: Value::Num(d),
                    index,
                });
                Ok(Value::List(Rc::new(list.collect())))
            }
            Builtin::Zeros => {
                wants(1..=1, self)?;
                self.zeros_like(&inputs[0], span)
            }
            Builtin::Max | Builtin::Min => self.extremum(b == Builtin::Max, &inputs, span),
            Builtin::Ceil | Builtin::Floor | Builtin::Round | Builtin::Int => {
                wants(1..=1, self)?;
                let n = self.num(&inputs[0], span)?;
                Ok(Value::Num(match n {
                    Num::Float(x) => Num::Int(match b {
                        Builtin::Ceil => x.ceil(),
                        Builtin::Floor => x.floor(),
                        Builtin::Round => x.round(),
                        _ => x.trunc(),
                    } as i64),
                    Num::Bool(x) => Num::Int(i64::from(x)),
                    n => n,
                }))
            }
            Builtin::Float => {
                wants(1..=1, self)?;
                let n = self.num(&inputs[0], span)?;
                Ok(Value::Num(n.as_f64().map_or(n, Num::Float)))
            }
            Builtin::Abs => {
                wants(1..=1, self)?;
                let n = self.num(&inputs[0], span)?;
                let m = self.syms.neg(n);
                Ok(Value::Num(self.syms.extremum(true, &[n, m])))
            }
            Builtin::Exp | Builtin::Log | Builtin::Log2 | Builtin::Sqrt => {
                wants(1..=1, self)?;
                let n = self.num(&inputs[0], span)?;
                let Some(x) = n.as_f64() else {
                    return self.error(
                        &codes::CANNOT_PROVE,
                        span,
                        format!("`{}` of a number that depends on decisions", name_of(b)),
                    );
                };
                Ok(Value::Num(Num::Float(match b {
                    Builtin::Exp => x.exp(),
                    Builtin::Log => x.ln(),
                    Builtin::Log2 => x.log2(),
                    _ => x.sqrt(),
                })))
            }
            Builtin::Pow => {
                wants(2..=2, self)?;
                let (x, y) = (self.num(&inputs[0], span)?, self.num(&inputs[1], span)?);
                self.arithmetic_nums(BinOp::Pow, x, y, span)
            }
            Builtin::Enumerate | Builtin::Reversed | Builtin::Flatten => {
                wants(1..=1, self)?;
                let Some(xs) = self.elements(&inputs[0], span)? else { return Ok(Value::Poison) };
                let mut out = Vec::new();
                match b {
                    Builtin::Enumerate => {
                        for (i, x) in xs.iter().enumerate() {
                            let pair = Value::Tuple(Rc::new(vec![Value::int(i as i64), x.value.clone()]));
                            out.push(Element { when: x.when, value: pair, index: x.index });
                        }
                    }
                    Builtin::Reversed => out.extend(xs.iter().rev().cloned()),
                    _ => {
                        for x in xs.iter() {
                            let Some(inner) = self.elements(&x.value, span)? else { return Ok(Value::Poison) };
                            for y in inner.iter() {
                                let when = self.syms.and(x.when, y.when);
                                out.push(Element { when, value: y.value.clone(), index: out.len() });
                            }
                        }
                    }
                }
                Ok(Value::List(Rc::new(out)))
            }
            Builtin::Zip => {
                wants(2..=2, self)?;
                let (Some(xs), Some(ys)) = (self.elements(&inputs[0], span)?, self.elements(&inputs[1], span)?) else {
                    return Ok(Value::Poison);
                };
                let pairs = xs.iter().zip(ys.iter()).map(|(x, y)| {
                    let when = self.syms.and(x.when, y.when);
                    let value = Value::Tuple(Rc::new(vec![x.value.clone(), y.value.clone()]));
                    Element { when, value, index: x.index }
                });
                let pairs: Vec<_> = pairs.collect();
                Ok(Value::List(Rc::new(pairs)))
            }
            Builtin::Scan => {
                wants(3..=3, self)?;
                let Value::Tensor(xs) = &inputs[1] else {
                    return self.error(
                        &codes::WRONG_TYPE,
                        span,
                        format!("`scan` runs along a tensor, not {}", inputs[1].kind()),
                    );
                };
                self.scan(&inputs[0].clone(), &xs.clone(), inputs[2].clone(), span)
            }
            Builtin::Map => {
                wants(2..=2, self)?;
                let Some(xs) = self.elements(&inputs[0], span)? else { return Ok(Value::Poison) };
                let f = inputs[1].clone();
                let mut out = Vec::new();
                for x in xs.iter() {
                    let value = self.under(x.when, |el| el.apply(&f, vec![x.value.clone()], span))?;
                    out.push(Element { when: x.when, value, index: x.index });
                }
                Ok(Value::List(Rc::new(out)))
            }
        }
    }

    fn extremum(&mut self, max: bool, inputs: &[Value<'a>], span: Span) -> R<Value<'a>> {
        let (b, nums): (_, Vec<(Num, Num)>) = match inputs {
            [list @ (Value::List(_) | Value::Tuple(_))] => {
                let Some(xs) = self.elements(list, span)? else { return Ok(Value::Poison) };
                let nums = xs.iter().map(|x| Ok((x.when, self.num(&x.value, span)?))).collect::<R<Vec<_>>>()?;
                ("a list", nums)
            }
            _ => ("numbers", inputs.iter().map(|v| Ok((Num::Bool(true), self.num(v, span)?))).collect::<R<Vec<_>>>()?),
        };
        let any = nums.iter().fold(Num::Bool(false), |a, (c, _)| self.syms.or(a, *c));
        self.require(any, span, |_, _| {
            Diagnostic::new(&codes::EMPTY_CHOICE, span, format!("the greatest or least of {b} that may be empty"))
        })?;
        if nums.iter().all(|(c, _)| *c == Num::Bool(true)) {
            let xs: Vec<Num> = nums.iter().map(|x| x.1).collect();
            return Ok(Value::Num(self.syms.extremum(max, &xs)));
        }
        // The best of those that are there, from the last to the first.
        let mut best: Option<(Num, Num)> = None;
        for (c, n) in nums.into_iter().rev() {
            best = Some(match best {
                None => (c, n),
                Some((c1, n1)) => {
                    let both = self.syms.extremum(max, &[n, n1]);
                    let inner = self.syms.select(c1, both, n);
                    (self.syms.or(c, c1), self.syms.select(c, inner, n1))
                }
            });
        }
        Ok(best.map_or(Value::Poison, |(_, n)| Value::Num(n)))
    }

    fn num(&mut self, v: &Value<'a>, span: Span) -> R<Num> {
        match v {
            Value::Num(n) => Ok(*n),
            Value::Poison => Ok(Num::Int(1)),
            Value::Case(cases) => {
                let nums =
                    cases.iter().map(|(c, v)| Ok((*c, Value::Num(self.num(v, span)?)))).collect::<R<Vec<_>>>()?;
                match self.merge(Split::Conditions, nums, span)? {
                    Value::Num(n) => Ok(n),
                    _ => Ok(Num::Int(1)),
                }
            }
            other => self.error(&codes::WRONG_TYPE, span, format!("expected a number, found {}", other.kind())),
        }
    }

    fn known(&mut self, v: &Value<'a>, span: Span) -> R<i64> {
        match v {
            Value::Num(Num::Int(i)) => Ok(*i),
            other => {
                self.error(&codes::WRONG_TYPE, span, format!("expected a known whole number, found {}", other.kind()))
            }
        }
    }
}

fn name_of(b: Builtin) -> &'static str {
    Builtin::ALL.iter().find(|x| x.1 == b).map_or("", |x| x.0)
}

fn doc_of(b: Builtin) -> &'static str {
    Builtin::ALL.iter().find(|x| x.1 == b).map_or("", |x| x.2)
}
