//! Primitives, sums and concatenations: shapes in every mode, nodes where a graph is built.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::graph::{At, BinaryOp, DType, Equation, Index, Kind, Node, NodeId, Op, UnaryOp, Val};
use crate::sema::prim::{self, PrimCtx, Scalar};
use crate::sema::sym::{Assignment, Num, Proof};
use crate::syntax::ast::{self, BinOp, Dim, ParamKind, PrimStmt};

use super::super::value::{Element, Scope, Tensor, Value};
use super::{Elab, R};

/// A tensor that may be part of a sum or concatenation.
struct Part {
    /// When it is there.
    there: Num,
    /// When it is there and not `none`: then it has a say in the shape.
    counts: Num,
    tensor: Rc<Tensor>,
}

/// What a sum or concatenation is made of.
#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
    /// When there are `none`s without a shape.
    bare: Option<Num>,
}

impl<'a> Elab<'a, '_> {
    /// A primitive on tensors; its scalar arguments and extents are bound in the scope.
    pub(crate) fn run_primitive(
        &mut self,
        p: &'a ast::Primitive,
        inputs: &[Value<'a>],
        mut scope: Scope<'a>,
        span: Span,
    ) -> R<Value<'a>> {
        let tensors: Vec<Rc<Tensor>> = inputs
            .iter()
            .filter_map(|v| match v {
                Value::Tensor(t) => Some(t.clone()),
                _ => None,
            })
            .collect();
        if tensors.len() != inputs.len() {
            return Ok(Value::Poison);
        }
        for t in &tensors {
            self.read(t, Num::Bool(true));
        }
        let rest = self.rest_dims(p, &tensors, span)?;
        if !self.emitting() {
            self.check_slots(&p.name.name, &p.body, &mut scope)?;
        }
        let exact = std::mem::replace(&mut self.exact, true);
        let shapes: R<Vec<Vec<Num>>> = p.outputs.iter().map(|o| self.dims(&o.dims, &rest, &mut scope)).collect();
        self.exact = exact;
        let shapes = shapes?;
        for dims in &shapes {
            self.require_positive(dims, &p.name.name, span)?;
        }
        let nodes = if self.emitting() { Some(self.emit_primitive(p, &tensors, &scope, span)?) } else { None };
        let mut out: Vec<Value<'a>> = shapes
            .into_iter()
            .enumerate()
            .map(|(i, dims)| Value::Tensor(self.tensor(dims, nodes.as_ref().map(|n| n[i]), false, span)))
            .collect();
        Ok(if out.len() == 1 { out.remove(0) } else { Value::Tuple(Rc::new(out)) })
    }

    /// The dimensions that `..` stands for; all inputs with a `..` must agree on them.
    fn rest_dims(&mut self, p: &'a ast::Primitive, tensors: &[Rc<Tensor>], span: Span) -> R<Vec<Num>> {
        let mut found: Option<Vec<Num>> = None;
        let patterns = p.params.iter().filter_map(|p| match &p.kind {
            ParamKind::Tensor(d) => Some((p, d)),
            _ => None,
        });
        for ((param, dims), t) in patterns.zip(tensors) {
            let Some(at) = dims.iter().position(|d| matches!(d, Dim::Rest(_))) else { continue };
            let rest = t.dims[at..t.dims.len() - (dims.len() - at - 1)].to_vec();
            let Some(first) = &found else {
                found = Some(rest);
                continue;
            };
            let first = first.clone();
            self.require_same_shape(
                &first,
                &rest,
                span,
                &format!("`{}` and the other inputs of `{}`", param.name.name, p.name.name),
            )?;
        }
        Ok(found.unwrap_or_default())
    }

    fn require_same_shape(&mut self, a: &[Num], b: &[Num], span: Span, what: &str) -> R<()> {
        if a.len() != b.len() {
            let none = Assignment::new();
            let (x, y) = (self.shape_text(a, &none), self.shape_text(b, &none));
            return self.fail(Diagnostic::new(
                &codes::SHAPE,
                span,
                format!("{what} have different shapes: {x} and {y}"),
            ));
        }
        for (&x, &y) in a.iter().zip(b) {
            let (a, b, what) = (a.to_vec(), b.to_vec(), what.to_string());
            self.require_equal(x, y, span, |el, asg| {
                Diagnostic::new(
                    &codes::SHAPE,
                    span,
                    format!("{what} have different shapes: {} and {}", el.shape_text(&a, asg), el.shape_text(&b, asg)),
                )
            })?;
        }
        Ok(())
    }

    fn dims(&mut self, dims: &'a [Dim], rest: &[Num], scope: &mut Scope<'a>) -> R<Vec<Num>> {
        let mut out = Vec::new();
        for d in dims {
            match d {
                Dim::Rest(_) => out.extend(rest),
                Dim::Expr(e) => out.push(self.number(e, scope)?),
            }
        }
        Ok(out)
    }

    /// Extents of weights must come out exactly, too.
    fn check_slots(&mut self, of: &str, body: &'a [PrimStmt], scope: &mut Scope<'a>) -> R<()> {
        for stmt in body {
            match stmt {
                PrimStmt::Let { name, value } => {
                    let v = self.eval(value, scope)?;
                    scope.bind(&name.name, v, false);
                }
                PrimStmt::Slot { name, dims, .. } => {
                    let exact = std::mem::replace(&mut self.exact, true);
                    let r = self.dims(dims, &[], scope);
                    self.exact = exact;
                    let dims = r?;
                    self.require_positive(&dims, &format!("{of}.{}", name.name), name.span)?;
                }
                PrimStmt::If { cond, then, otherwise } => {
                    let training = matches!(&cond.kind, ast::ExprKind::Name(n) if n.ident.name == "training");
                    let c = if training { Num::Sym(self.unknown_truth()) } else { self.condition(cond, scope)? };
                    if c != Num::Bool(false) {
                        self.check_slots(of, then, &mut scope.clone())?;
                    }
                    if c != Num::Bool(true) {
                        self.check_slots(of, otherwise, &mut scope.clone())?;
                    }
                }
                PrimStmt::Equation { .. } => {}
            }
        }
        Ok(())
    }

    fn unknown_truth(&mut self) -> crate::sema::sym::SymId {
        let e = self.syms.extent("training");
        match self.syms.cmp(crate::sema::sym::Cmp::Eq, e, Num::Int(1)) {
            Num::Sym(s) => s,
            _ => unreachable!("an unknown extent is not decided"),
        }
    }

    fn emit_primitive(
        &mut self,
        p: &'a ast::Primitive,
        tensors: &[Rc<Tensor>],
        scope: &Scope<'a>,
        span: Span,
    ) -> R<Vec<NodeId>> {
        let nodes: Vec<NodeId> = tensors.iter().map(|t| self.node_of(t)).collect();
        let mut scalars = BTreeMap::new();
        for q in &p.params {
            let value = match scope.find(&q.name.name).map(|v| &v.value) {
                Some(Value::Num(Num::Int(i))) => Scalar::Int(*i),
                Some(Value::Num(Num::Float(f))) => Scalar::Float(*f),
                Some(Value::Num(Num::Bool(b))) => Scalar::Bool(*b),
                Some(Value::Str(s)) => Scalar::Str(s.to_string()),
                _ => continue,
            };
            scalars.insert(q.name.name.clone(), value);
        }
        let site = self.fresh_site(&p.name.name);
        let (training, shared) = (self.training(), self.sharing);
        let ctx =
            PrimCtx { site: &site, label: &site, training, shared, call: span, known: Some(&self.program.instances) };
        match prim::instantiate(p, &nodes, &scalars, self.graph(), &ctx) {
            Ok(out) => Ok(out),
            Err(d) => self.fail(d),
        }
    }

    /// The node of a tensor; zeros get one when they are needed.
    pub(crate) fn node_of(&mut self, t: &Tensor) -> NodeId {
        if let Some(n) = t.node {
            return n;
        }
        let shape: Vec<usize> = t.dims.iter().map(|d| d.as_int().unwrap_or(1) as usize).collect();
        let label = self.sites.last().map_or_else(String::new, |s| s.0.clone());
        let example = self.example_axis(&shape);
        self.graph().push(Node {
            kind: Kind::Equation(Equation { reduce: None, guards: Vec::new(), body: vec![Op::Const(0.0)] }),
            shape,
            dtype: DType::Float,
            example,
            label,
        })
    }

    /// Zeros lie along examples like everything that starts with the batch.
    fn example_axis(&self, shape: &[usize]) -> Option<u8> {
        let super::Mode::Build { graph: Some(g), .. } = &self.mode else { return None };
        let batch = g.inputs().find_map(|(id, _)| {
            let n = g.node(id);
            n.example.map(|a| n.shape[a as usize])
        })?;
        (shape.first() == Some(&batch)).then_some(0)
    }

    fn push_elementwise(&mut self, shape: Vec<usize>, example: Option<u8>, body: Vec<Op>) -> NodeId {
        let label = self.sites.last().map_or_else(String::new, |s| s.0.clone());
        self.graph().push(Node {
            kind: Kind::Equation(Equation { reduce: None, guards: Vec::new(), body }),
            shape,
            dtype: DType::Float,
            example,
            label,
        })
    }

    // ---- sums ----

    /// The sum of tensors of one shape. `none` is left out; if all are, it is zeros.
    pub(crate) fn add_tensors(&mut self, xs: &[Value<'a>], span: Span) -> R<Value<'a>> {
        let list: Vec<Element<'a>> = xs
            .iter()
            .enumerate()
            .map(|(index, v)| Element { when: Num::Bool(true), value: v.clone(), index })
            .collect();
        self.sum_tensors(&list, span)
    }

    /// Expands elements that are one of several tensors, and sets `none`s without a shape apart. `None` after an error.
    fn parts(&mut self, xs: &[Element<'a>], span: Span) -> R<Option<Parts>> {
        let mut out = Parts::default();
        for x in xs {
            if !self.collect(x.when, &x.value, &mut out, span)? {
                return Ok(None);
            }
        }
        Ok(Some(out))
    }

    /// The tensors that a value may be, with their conditions; false after an error.
    fn collect(&mut self, there: Num, v: &Value<'a>, out: &mut Parts, span: Span) -> R<bool> {
        match v {
            _ if there == Num::Bool(false) => Ok(true),
            Value::None | Value::Zeros => {
                out.bare = Some(self.syms.or(out.bare.unwrap_or(Num::Bool(false)), there));
                Ok(true)
            }
            Value::Tensor(t) => {
                let solid = self.syms.not(t.none);
                let counts = self.syms.and(there, solid);
                out.parts.push(Part { there, counts, tensor: t.clone() });
                Ok(true)
            }
            Value::Case(cases) => {
                for (c, v) in cases.iter() {
                    let there = self.syms.and(there, *c);
                    if !self.collect(there, v, out, span)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Value::Poison => Ok(false),
            other => self.error(&codes::WRONG_TYPE, span, format!("expected tensors, found {}", other.kind())),
        }
    }

    /// Requires a part, and says when one has a shape.
    fn require_any(&mut self, xs: &Parts, what: &str, span: Span) -> R<Num> {
        let there: Vec<Num> = xs.parts.iter().map(|p| p.there).collect();
        let shaped = self.syms.any(&there);
        let any = self.syms.or(shaped, xs.bare.unwrap_or(Num::Bool(false)));
        self.require(any, span, |_, _| {
            let d = Diagnostic::new(&codes::EMPTY_CHOICE, span, format!("a {what} of no tensors"));
            if xs.parts.is_empty() {
                return d.here("the list is empty");
            }
            d.here("the list may be empty").help("choose at least one (`choose 1.. from xs`), or handle `len(xs) == 0`")
        })?;
        Ok(shaped)
    }

    /// The tensor where there are parts with a shape, `none` where all that there is has none.
    fn where_shaped(&mut self, xs: &Parts, shaped: Num, v: Value<'a>) -> Value<'a> {
        if xs.bare.is_none() || self.syms.prove(self.cond, shaped) == Proof::Holds {
            return v;
        }
        let other = self.syms.not(shaped);
        Value::Case(Rc::new(vec![(shaped, v), (other, Value::None)]))
    }

    /// The extent of the first part that is there and not `none`; where all are `none`, of the first that is there.
    fn first_dim(&mut self, parts: &[Part], axis: usize) -> Num {
        let mut chain: Vec<(Num, Num)> = parts.iter().map(|p| (p.counts, p.tensor.dims[axis])).collect();
        let counts: Vec<Num> = parts.iter().map(|p| p.counts).collect();
        let solid = self.syms.any(&counts);
        if solid != Num::Bool(true) {
            let zeros = parts.iter().filter(|p| p.tensor.none != Num::Bool(false));
            chain.extend(zeros.map(|p| (p.there, p.tensor.dims[axis])));
        }
        let mut chain = chain.into_iter().filter(|(c, _)| *c != Num::Bool(false)).rev();
        let last = chain.next().map_or(parts[0].tensor.dims[axis], |(_, d)| d);
        chain.fold(last, |d, (c, x)| self.syms.select(c, x, d))
    }

    /// The extent that the parts have; each that is not `none` must have it.
    fn common_dim(&mut self, parts: &[Part], axis: usize, what: &str, span: Span) -> R<Num> {
        for (i, p) in parts.iter().enumerate().skip(1) {
            // Compare with the nearest earlier part, which by induction agrees with the rest.
            for q in parts[..i].iter().rev() {
                let both = self.syms.and(p.counts, q.counts);
                let (t, t0) = (&p.tensor, &q.tensor);
                let r = self.under(both, |el| {
                    if el.cond == Num::Bool(false) {
                        return Ok(());
                    }
                    el.require_equal(t0.dims[axis], t.dims[axis], span, |el, a| {
                        let (sa, sb) = (el.shape_text(&t0.dims, a), el.shape_text(&t.dims, a));
                        let mut d = Diagnostic::new(&codes::SHAPE, span, format!("{what} of tensors with different shapes: {sa} and {sb}"))
                            .here(format!("the shapes differ in dimension {axis}"));
                        let (oa, ob) = (el.origin(t0, a), el.origin(t, a));
                        if oa != ob {
                            d = d.label(oa, format!("this has the shape {sa}")).label(ob, format!("this has the shape {sb}"));
                        }
                        d.help("let both have one shape: the same number of channels and the same strides, or an adapter such as `fit`")
                    })
                });
                r?;
                if q.counts == Num::Bool(true) {
                    break;
                }
            }
        }
        Ok(self.first_dim(parts, axis))
    }

    fn require_one_rank(&mut self, parts: &[Part], what: &str, span: Span) -> R<usize> {
        let first = &parts[0].tensor;
        let rank = first.dims.len();
        if let Some(t) = parts.iter().map(|p| &p.tensor).find(|t| t.dims.len() != rank) {
            let none = Assignment::new();
            let (a, b) = (self.shape_text(&first.dims, &none), self.shape_text(&t.dims, &none));
            let (oa, ob) = (self.origin(first, &none), self.origin(t, &none));
            return self.fail(
                Diagnostic::new(&codes::SHAPE, span, format!("{what} of tensors of different ranks: {a} and {b}"))
                    .here("the ranks differ")
                    .label(oa, format!("this has the shape {a}"))
                    .label(ob, format!("this has the shape {b}")),
            );
        }
        Ok(rank)
    }

    pub(crate) fn sum_tensors(&mut self, xs: &[Element<'a>], span: Span) -> R<Value<'a>> {
        let Some(xs) = self.parts(xs, span)? else { return Ok(Value::Poison) };
        let shaped = self.require_any(&xs, "sum", span)?;
        let parts = &xs.parts;
        if parts.is_empty() {
            return Ok(Value::None);
        }
        let rank = self.require_one_rank(parts, "a sum", span)?;
        let dims = (0..rank).map(|i| self.common_dim(parts, i, "a sum", span)).collect::<R<Vec<_>>>()?;
        let none = self.read_all(parts);
        if self.emitting() {
            let present: Vec<Rc<Tensor>> =
                parts.iter().filter(|p| p.counts != Num::Bool(false)).map(|p| p.tensor.clone()).collect();
            if let [one] = present.as_slice() {
                return Ok(self.renamed(one));
            }
            if !present.is_empty() {
                let nodes: Vec<NodeId> = present.iter().map(|t| self.node_of(t)).collect();
                let first = self.graph().node(nodes[0]).clone();
                let at = At::identity(rank);
                let mut body: Vec<Op> = nodes.iter().map(|&n| Op::Read(n, at.clone())).collect();
                let mut sum = Val(0);
                for i in 1..nodes.len() {
                    body.push(Op::Binary(BinaryOp::Add, sum, Val(i as u32)));
                    sum = Val(body.len() as u32 - 1);
                }
                let node = self.push_elementwise(first.shape, first.example, body);
                return Ok(Value::Tensor(self.tensor(dims, Some(node), false, span)));
            }
        }
        let mut t = Tensor::clone(&*self.tensor(dims, None, false, span));
        t.none = none;
        Ok(self.where_shaped(&xs, shaped, Value::Tensor(Rc::new(t))))
    }

    /// Notes that the parts are read; the result says when none of them counts.
    fn read_all(&mut self, parts: &[Part]) -> Num {
        let mut none = Num::Bool(true);
        for p in parts {
            let gone = self.syms.not(p.counts);
            none = self.syms.and(none, gone);
            self.read(&p.tensor, p.there);
        }
        none
    }

    /// The same node as another tensor: what an operation gives is new, whether or not it computes anything.
    fn renamed(&mut self, t: &Tensor) -> Value<'a> {
        Value::Tensor(Rc::new(Tensor { id: self.tensor_id(), ..t.clone() }))
    }

    // ---- concatenation and splitting ----

    pub(crate) fn concat_tensors(&mut self, xs: &[Element<'a>], axis: i64, span: Span) -> R<Value<'a>> {
        let Some(xs) = self.parts(xs, span)? else { return Ok(Value::Poison) };
        let shaped = self.require_any(&xs, "concatenation", span)?;
        let parts = &xs.parts;
        if parts.is_empty() {
            return Ok(Value::None);
        }
        let rank = self.require_one_rank(parts, "a concatenation", span)?;
        let axis = self.axis(axis, rank, span)?;
        let mut dims = Vec::new();
        let none = self.read_all(parts);
        for i in 0..rank {
            if i != axis {
                dims.push(self.common_dim(parts, i, "a concatenation", span)?);
                continue;
            }
            let mut total = Num::Int(0);
            for p in parts {
                let d = self.syms.select(p.counts, p.tensor.dims[i], Num::Int(0));
                total = self.syms.add(total, d);
            }
            // At least one part is there, which the sum alone does not show.
            let least = parts.iter().map(|p| self.syms.interval(p.tensor.dims[i]).0).min().unwrap_or(0);
            if least >= 1 && self.syms.interval(total).0 < least {
                total = self.syms.extremum(true, &[total, Num::Int(least)]);
            }
            // Where all are `none` there are still zeros, of the first one's extent.
            let zeros = self.first_dim(parts, i);
            dims.push(self.syms.select(none, zeros, total));
        }
        if self.emitting() {
            let present: Vec<Rc<Tensor>> =
                parts.iter().filter(|p| p.counts != Num::Bool(false)).map(|p| p.tensor.clone()).collect();
            if let [one] = present.as_slice() {
                return Ok(self.renamed(one));
            }
            if !present.is_empty() {
                let nodes: Vec<NodeId> = present.iter().map(|t| self.node_of(t)).collect();
                let first = self.graph().node(nodes[0]).clone();
                let mut shape = first.shape.clone();
                shape[axis] = nodes.iter().map(|&n| self.graph().node(n).shape[axis]).sum();
                let label = self.sites.last().map_or_else(String::new, |s| s.0.clone());
                let kind = Kind::Concat { inputs: nodes, axis };
                let example = first.example.filter(|&e| e as usize != axis);
                let node = self.graph().push(Node { kind, shape, dtype: first.dtype, example, label });
                return Ok(Value::Tensor(self.tensor(dims, Some(node), false, span)));
            }
        }
        let mut t = Tensor::clone(&*self.tensor(dims, None, false, span));
        t.none = none;
        Ok(self.where_shaped(&xs, shaped, Value::Tensor(Rc::new(t))))
    }

    fn axis(&mut self, axis: i64, rank: usize, span: Span) -> R<usize> {
        let a = if axis < 0 { axis + rank as i64 } else { axis };
        if a < 0 || a >= rank as i64 {
            return self.error(&codes::OUT_OF_RANGE, span, format!("a tensor of {rank} dimensions has no axis {axis}"));
        }
        Ok(a as usize)
    }

    /// n equal parts along an axis.
    pub(crate) fn split_tensor(&mut self, t: &Rc<Tensor>, n: i64, axis: i64, span: Span) -> R<Value<'a>> {
        let axis = self.axis(axis, t.dims.len(), span)?;
        if n < 1 {
            return self.error(&codes::WRONG_TYPE, span, format!("a tensor cannot be split into {n} parts"));
        }
        self.read(t, Num::Bool(true));
        let exact = std::mem::replace(&mut self.exact, true);
        let part = self.arithmetic_nums(BinOp::Div, t.dims[axis], Num::Int(n), span);
        self.exact = exact;
        let Value::Num(part) = part? else { return Ok(Value::Poison) };
        let mut dims = t.dims.clone();
        dims[axis] = part;
        self.require_positive(&dims, "split", span)?;
        let mut out = Vec::new();
        for index in 0..n as usize {
            let node = if self.emitting() {
                let source = self.node_of(t);
                let node = self.graph().node(source).clone();
                let mut shape = node.shape.clone();
                shape[axis] /= n as usize;
                let mut at: Vec<Index> = (0..shape.len()).map(Index::var).collect();
                at[axis] = at[axis].plus(&Index::constant((index * shape[axis]) as i64), 1);
                Some(self.push_elementwise(
                    shape,
                    node.example.filter(|&e| e as usize != axis),
                    vec![Op::Read(source, at.into())],
                ))
            } else {
                None
            };
            let value = Value::Tensor(self.tensor(dims.clone(), node, t.int, span));
            out.push(Element { when: Num::Bool(true), value, index });
        }
        Ok(Value::List(Rc::new(out)))
    }

    /// Step `t` along axis 1, without that axis.
    pub(crate) fn time_slice(&mut self, x: &Rc<Tensor>, t: usize, span: Span) -> Rc<Tensor> {
        let mut dims = x.dims.clone();
        dims.remove(1);
        let node = self.emitting().then(|| {
            let source = self.node_of(x);
            let node = self.graph().node(source).clone();
            let mut shape = node.shape.clone();
            shape.remove(1);
            let mut at: Vec<Index> = (0..shape.len()).map(Index::var).collect();
            at.insert(1, Index::constant(t as i64));
            let example = node.example.filter(|&e| e == 0);
            let id = self.push_elementwise(shape, example, vec![Op::Read(source, at.into())]);
            self.graph().nodes[id.0 as usize].dtype = node.dtype;
            id
        });
        self.tensor(dims, node, x.int, span)
    }

    // ---- arithmetic on tensors ----

    pub(crate) fn elementwise(&mut self, op: BinOp, x: &Value<'a>, y: &Value<'a>, span: Span) -> R<Value<'a>> {
        let b = match op {
            BinOp::Add => BinaryOp::Add,
            BinOp::Sub => BinaryOp::Sub,
            BinOp::Mul => BinaryOp::Mul,
            BinOp::Div => BinaryOp::Div,
            _ => {
                return self.fail(
                    Diagnostic::new(&codes::WRONG_TYPE, span, "this operator does not apply to tensors")
                        .help("tensors can be added, subtracted, multiplied and divided element by element; anything else is a `primitive`"),
                );
            }
        };
        let mut shape_of: Option<Rc<Tensor>> = None;
        for v in [x, y] {
            if let Value::Tensor(t) = v {
                self.read(t, Num::Bool(true));
                if let Some(first) = &shape_of {
                    let first = first.clone();
                    self.require_same_shape(&first.dims, &t.dims, span, "the operands")?;
                } else {
                    shape_of = Some(t.clone());
                }
            }
        }
        let Some(shape_of) = shape_of else { return Ok(Value::Poison) };
        let node = if self.emitting() {
            let mut body = Vec::new();
            let mut first: Option<Node> = None;
            for v in [x, y] {
                match v {
                    Value::Tensor(t) => {
                        let n = self.node_of(t);
                        let node = self.graph().node(n).clone();
                        body.push(Op::Read(n, At::identity(node.shape.len())));
                        first.get_or_insert(node);
                    }
                    Value::Num(c) => body.push(Op::Const(c.as_f64().unwrap_or(0.0))),
                    _ => {}
                }
            }
            let Some(first) = first else { return Ok(Value::Poison) };
            if matches!((&body[0], op), (Op::Const(c), BinOp::Sub) if *c == 0.0) {
                body.push(Op::Unary(UnaryOp::Neg, Val(1)));
            } else {
                body.push(Op::Binary(b, Val(0), Val(1)));
            }
            Some(self.push_elementwise(first.shape, first.example, body))
        } else {
            None
        };
        Ok(Value::Tensor(self.tensor(shape_of.dims.clone(), node, false, span)))
    }
}
