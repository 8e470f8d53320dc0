//! One equation to nodes. Each reduction becomes a node over the loop variables that its body depends on; what
//! stands around reductions becomes one elementwise node. So a convolution is exactly one `sum` of a product of
//! two reads, and `exp(x[i] - max[j] x[j])` takes its maximum once.

use std::collections::BTreeMap;

use crate::base::Span;
use crate::base::hash::hash64;
use crate::diag::{Diagnostic, codes};
use crate::graph::{
    At, Atom, BinaryOp, CompareOp, DType, Equation, Graph, Guard, Index, Kind, Node, NodeId, Op, Reduce, ReduceOp,
    UnaryOp, Val,
};
use crate::syntax::ast::{BinOp, Expr, ExprKind, Ident, IndexDecl, Primitive, Reducer, UnOp};

use super::PrimCtx;
use super::eval::{self, Numbers, Slash, eval, eval_extent, function_call, only_value};
use super::frame::{Axis, Frame, Outside, Value, divide, remainder};
use super::scalar::{self, Func, Scalar};
use super::uses::{self, Place, Use, as_name, as_read, is_rest};

/// What an equation is lowered with.
pub(super) struct Lowering<'a> {
    pub p: &'a Primitive,
    pub g: &'a mut Graph,
    pub ctx: &'a PrimCtx<'a>,
    /// Nodes from here on belong to this use of the primitive; equal ones are shared.
    pub first: usize,
    /// Extents, scalar arguments and `let`s.
    pub scalars: BTreeMap<String, Scalar>,
    /// The extents of `..`.
    pub rest: Vec<usize>,
    /// Tensors by name: inputs, slots, and what equations defined so far.
    pub tensors: BTreeMap<String, NodeId>,
    /// The extent variable of the inputs' example axis.
    pub example: Option<String>,
    /// Which axis of `..` is the example axis.
    pub example_rest: Option<usize>,
    /// How many `uniform()` were lowered.
    pub draws: u32,
}

/// An index of the left side: its range there, if the tensor's extents are declared.
pub(super) struct Declared {
    pub extent: usize,
    pub span: Span,
    pub example: bool,
}

type Res<T> = Result<T, Diagnostic>;

impl Lowering<'_> {
    /// The node of `value` over the indices of the left side.
    pub fn equation(
        &mut self,
        name: &Ident,
        indices: &[IndexDecl],
        declared: Option<&[Declared]>,
        value: &Expr,
    ) -> Res<NodeId> {
        let rest_len = self.rest.len();
        let ranks = indices.iter().map(|i| if matches!(i, IndexDecl::Rest(_)) { rest_len } else { 1 }).sum::<usize>();
        if let Some(d) = declared
            && d.len() != ranks
        {
            return Err(Diagnostic::new(
                &codes::PRIM_RANK,
                name.span,
                format!("`{}` has {} dimensions", name.name, d.len()),
            ));
        }
        let mut axes = Vec::new();
        for i in indices {
            match i {
                IndexDecl::Rest(_) => self.rest_axes(&mut axes),
                IndexDecl::Index(id, explicit) => {
                    let at = declared.map(|d| &d[axes.len()]);
                    let axis = self.axis(id, explicit.as_ref(), at, value)?;
                    axes.push(axis);
                }
            }
        }
        small_enough(&axes, name.span)?;
        let is_output = self.p.outputs.iter().any(|o| o.name.name == name.name);
        let label = if is_output { self.ctx.label.to_owned() } else { format!("{}.{}", self.ctx.label, name.name) };
        self.node(&axes, value, &label)
    }

    fn rest_axes(&self, axes: &mut Vec<Axis>) {
        for (k, &extent) in self.rest.iter().enumerate() {
            axes.push(Axis { name: format!("..{k}"), extent, example: self.example_rest == Some(k) });
        }
    }

    /// The range of an index: given, declared, or what it indexes.
    fn axis(&self, id: &Ident, explicit: Option<&Expr>, declared: Option<&Declared>, body: &Expr) -> Res<Axis> {
        if let Some(e) = explicit {
            let extent = self.extent(e)?;
            let named = as_name(e).map(|n| &n.name);
            if let Some(d) = declared
                && d.extent != extent
            {
                return Err(conflict(id, (extent, e.span), (d.extent, d.span)));
            }
            let example = (named.is_some() && named == self.example.as_ref()) || declared.is_some_and(|d| d.example);
            return Ok(Axis { name: id.name.clone(), extent, example });
        }
        let mut known: Option<(usize, Span)> = declared.map(|d| (d.extent, d.span));
        let mut example = declared.is_some_and(|d| d.example);
        for Use { tensor, place, span } in uses::direct(body, &id.name) {
            let Some(&t) = self.tensors.get(&tensor.name) else { continue };
            let node = self.g.node(t);
            let axis = match place {
                Place::Start(i) => Some(i),
                Place::End(i) => node.shape.len().checked_sub(i + 1),
            };
            let Some((axis, extent)) = axis.and_then(|a| node.shape.get(a).map(|&e| (a, e))) else { continue };
            example |= node.example.map(usize::from) == Some(axis);
            match known {
                None => known = Some((extent, span)),
                Some((other, at)) if other != extent => return Err(conflict(id, (extent, span), (other, at))),
                Some(_) => {}
            }
        }
        match known {
            Some((extent, _)) => Ok(Axis { name: id.name.clone(), extent, example }),
            None => Err(unbound(id, uses::mention(body, &id.name))),
        }
    }

    pub fn extent(&self, e: &Expr) -> Res<usize> {
        let v = eval_extent(e, &|n| self.scalars.get(n).cloned(), &mut Numbers)?;
        super::shape::Extents::extent(&mut Numbers, &v, e.span)?;
        // At least 1 and at most `i32::MAX`, as just checked.
        Ok(v.as_int().unwrap_or(1) as usize)
    }

    /// The node of an expression over axes.
    fn node(&mut self, axes: &[Axis], e: &Expr, label: &str) -> Res<NodeId> {
        match &e.kind {
            ExprKind::Body(b) => return self.node(axes, only_value(b)?, label),
            ExprKind::If { cond, then, otherwise } => {
                if let (Some(c), Some(otherwise)) = (self.known(cond)?, otherwise) {
                    return self.node(axes, only_value(if c { then } else { otherwise })?, label);
                }
            }
            ExprKind::Reduce { .. } => {
                let (node, used) = self.reduce(axes, e, label)?;
                if used.len() == axes.len() {
                    return Ok(node);
                }
                let mut f = Frame::new(axes.to_vec(), Outside::Zero);
                let v = f.push(Op::Read(node, used.into_iter().map(Index::var).collect()));
                return Ok(self.finish(f, v, None, label));
            }
            _ if uses::is_draw(e) => return self.draw(axes, e, label),
            _ => {}
        }
        let outside = if as_read(e).is_some() { Outside::Drop } else { Outside::Zero };
        let mut f = Frame::new(axes.to_vec(), outside);
        let v = self.number(&mut f, e)?;
        Ok(self.finish(f, v, None, label))
    }

    /// A condition that depends on scalar arguments only.
    fn known(&self, cond: &Expr) -> Res<Option<bool>> {
        if !self.is_scalar(cond) {
            return Ok(None);
        }
        let v = eval(cond, Slash::Floor, &|n| self.scalars.get(n).cloned(), &mut Numbers)?;
        match v.as_bool() {
            Some(b) => Ok(Some(b)),
            None => Err(not_bool(cond)),
        }
    }

    fn is_scalar(&self, e: &Expr) -> bool {
        if let ExprKind::Index { .. } | ExprKind::Reduce { .. } = e.kind {
            return false;
        }
        if let Some(n) = as_name(e) {
            return self.scalars.contains_key(&n.name);
        }
        if uses::is_draw(e) {
            return false;
        }
        let mut all = true;
        uses::parts(e, &mut |p| all &= self.is_scalar(p));
        all
    }

    /// A reduction's node and which of the outer axes it has, in order.
    fn reduce(&mut self, outer: &[Axis], e: &Expr, label: &str) -> Res<(NodeId, Vec<usize>)> {
        let ExprKind::Reduce { op, indices, body, .. } = &e.kind else { return Err(cannot_stand(e)) };
        // A sum of sums is one sum.
        let (mut indices, mut body) = (vec![(indices.as_slice(), body)], body);
        while let (Reducer::Sum, ExprKind::Reduce { op: Reducer::Sum, indices: inner, body: b, .. }) = (op, &body.kind)
        {
            indices.push((inner, b));
            body = b;
        }
        let draws = uses::mention_draw(body).is_some();
        let rest = uses::mention_rest(e).is_some();
        let used: Vec<usize> = (0..outer.len())
            .filter(|&i| {
                let a = &outer[i];
                draws || if a.is_rest() { rest } else { uses::mention(e, &a.name).is_some() }
            })
            .collect();
        let mut axes: Vec<Axis> = used.iter().map(|&i| outer[i].clone()).collect();
        let rank = axes.len();
        for (i, body) in indices.iter().flat_map(|(is, body)| is.iter().map(move |i| (i, body))) {
            match i {
                IndexDecl::Rest(_) => self.rest_axes(&mut axes),
                IndexDecl::Index(id, explicit) => {
                    let axis = self.axis(id, explicit.as_ref(), None, body)?;
                    axes.push(axis);
                }
            }
        }
        small_enough(&axes, e.span)?;
        // `..` may stand for no dimensions at all: then there is one term.
        if axes.len() == rank {
            return Ok((self.node(&axes, body, label)?, used));
        }
        let op = match op {
            Reducer::Sum => ReduceOp::Sum,
            Reducer::Max => ReduceOp::Max,
            Reducer::Min => ReduceOp::Min,
            Reducer::Mean => ReduceOp::Mean,
            Reducer::Prod => ReduceOp::Prod,
        };
        let reduce = Reduce { op, extents: axes[rank..].iter().map(|a| a.extent).collect() };
        let mut f = Frame::new(axes, Outside::Drop);
        let mut v = self.number(&mut f, body)?;
        let valid = std::mem::take(&mut f.valid);
        if let Some(all) = f.all(&valid) {
            if op != ReduceOp::Sum {
                return Err(Diagnostic::new(
                    &codes::PRIM_FORM,
                    body.span,
                    "a read under a condition may lie outside its tensor here",
                )
                .help("outside of `sum`, write the read above the `if`, or keep it inside the tensor with `min` and `max`"));
            }
            let zero = f.constant(0.0);
            v = f.push(Op::Select(all, v, zero));
        }
        Ok((self.finish(f, v, Some((reduce, rank)), label), used))
    }

    /// Fresh draws, one for each element.
    fn draw(&mut self, axes: &[Axis], e: &Expr, label: &str) -> Res<NodeId> {
        if !self.ctx.training {
            return Err(Diagnostic::new(&codes::PRIM_UNIFORM, e.span, "`uniform()` draws in training only")
                .help("put it under `if training { .. } else { .. }`"));
        }
        // A second use of the same site has draws of its own.
        let stream = loop {
            let s = hash64(format!("{}#{}", self.ctx.site, self.draws).as_bytes(), 0);
            self.draws += 1;
            if !self.g.nodes.iter().any(|n| n.kind == Kind::Random { stream: s }) {
                break s;
            }
        };
        let example = axes.iter().position(|a| a.example).map(|i| i as u8);
        Ok(self.g.push(Node {
            kind: Kind::Random { stream },
            shape: axes.iter().map(|a| a.extent).collect(),
            dtype: DType::Float,
            example,
            label: label.to_owned(),
        }))
    }

    /// Closes an equation; `reduce` comes with the number of output axes.
    fn finish(&mut self, f: Frame, result: Val, reduce: Option<(Reduce, usize)>, label: &str) -> NodeId {
        let rank = reduce.as_ref().map_or(f.axes.len(), |r| r.1);
        let reduce = reduce.map(|r| r.0);
        let shape: Vec<usize> = f.extents[..rank].to_vec();
        let named = f.axes[..rank].iter().position(|a| a.example);
        let (guards, body) = f.finish(result);
        // A plain copy is its source.
        if let ([Op::Read(t, at)], [], None) = (&body[..], &guards[..], &reduce) {
            let node = self.g.node(*t);
            if node.dtype == DType::Float && node.shape == shape && at.is_identity() {
                return *t;
            }
        }
        let example = self.example_axis(&body, rank, named);
        let kind = Kind::Equation(Equation { reduce, guards, body });
        let known = (self.first..self.g.nodes.len()).find(|&i| {
            let n = &self.g.nodes[i];
            n.kind == kind && n.shape == shape
        });
        if let Some(i) = known {
            return NodeId(i as u32);
        }
        self.g.push(Node { kind, shape, dtype: DType::Float, example, label: label.to_owned() })
    }

    /// The output axis that runs over examples: the one by which all reads with an example axis are indexed there.
    fn example_axis(&self, body: &[Op], rank: usize, named: Option<usize>) -> Option<u8> {
        let mut found = None;
        let mut any = false;
        for op in body {
            if let Op::Read(t, at) = op
                && let Some(e) = self.g.node(*t).example
            {
                any = true;
                let v = at[e as usize].as_var().filter(|&v| v < rank)?;
                if found.is_some_and(|f| f != v) {
                    return None;
                }
                found = Some(v);
            }
        }
        let axis = if any { found } else { named };
        axis.map(|a| a as u8)
    }

    fn number(&mut self, f: &mut Frame, e: &Expr) -> Res<Val> {
        let v = self.value(f, e)?;
        f.number(v).map_err(|_| not_number(e))
    }

    /// An expression over the frame's loop variables.
    fn value(&mut self, f: &mut Frame, e: &Expr) -> Res<Value> {
        match &e.kind {
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Quantity(..) | ExprKind::Bool(_) | ExprKind::Str(_) => {
                eval::literal(&e.kind).map_or_else(|| Err(not_number(e)), |s| known(&s, e))
            }
            ExprKind::Name(n) => self.name(f, &n.ident, e),
            ExprKind::Unary(UnOp::Neg, a) => {
                let v = match self.value(f, a)? {
                    Value::Num(x) => Value::Num(-x),
                    Value::Idx(i) => Value::Idx(i.times(-1)),
                    v => {
                        let v = f.number(v).map_err(|_| not_number(a))?;
                        f.unary(UnaryOp::Neg, v)
                    }
                };
                Ok(v)
            }
            ExprKind::Unary(UnOp::Not, a) => match self.value(f, a)? {
                Value::Bool(b) => Ok(Value::Bool(!b)),
                Value::Cond(c) => Ok(Value::Cond(f.push(Op::Unary(UnaryOp::Not, c)))),
                _ => Err(not_bool(a)),
            },
            ExprKind::Binary(op, a, b) => self.binary(f, *op, a, b, e),
            ExprKind::If { cond, then, otherwise } => self.select(f, cond, then, otherwise.as_deref(), e),
            ExprKind::Body(b) => self.value(f, only_value(b)?),
            ExprKind::Index { .. } => {
                let Some((tensor, indices)) = as_read(e) else { return Err(cannot_stand(e)) };
                self.read(f, tensor, indices)
            }
            ExprKind::Reduce { .. } => {
                let label = self.ctx.label.to_owned();
                let (node, used) = self.reduce(&f.axes.clone(), e, &label)?;
                Ok(Value::Val(f.push(Op::Read(node, used.into_iter().map(Index::var).collect()))))
            }
            ExprKind::Call { .. } if uses::is_draw(e) => {
                let label = self.ctx.label.to_owned();
                let node = self.draw(&f.axes.clone(), e, &label)?;
                Ok(Value::Val(f.push(Op::Read(node, At::identity(f.axes.len())))))
            }
            ExprKind::Call { .. } => self.call(f, e),
            _ => Err(cannot_stand(e)),
        }
    }

    fn name(&mut self, f: &mut Frame, id: &Ident, e: &Expr) -> Res<Value> {
        if let Some(i) = f.index_of(&id.name) {
            return Ok(Value::Idx(if f.extents[i] == 1 { Index::constant(0) } else { Index::var(i) }));
        }
        if let Some(s) = self.scalars.get(&id.name) {
            return known(s, e);
        }
        match self.tensors.get(&id.name) {
            Some(&t) if self.g.node(t).shape.is_empty() => Ok(Value::Val(f.push(Op::Read(t, At::identity(0))))),
            Some(&t) => {
                Err(Diagnostic::new(&codes::PRIM_RANK, e.span, format!("`{}` needs its indices here", id.name))
                    .here(format!("it has {}", super::shape::count(self.g.node(t).shape.len(), "dimension"))))
            }
            None => Err(Diagnostic::new(&codes::PRIM_NAME, e.span, format!("unknown name `{}`", id.name))),
        }
    }

    fn binary(&mut self, f: &mut Frame, op: BinOp, a: &Expr, b: &Expr, e: &Expr) -> Res<Value> {
        let x = self.value(f, a)?;
        let y = self.value(f, b)?;
        let number = |v: Value| if matches!(v, Value::Bool(_) | Value::Cond(_)) { not_number(e) } else { not_bool(e) };
        let numeric = |f: &mut Frame, op| f.arithmetic(op, x.clone(), y.clone()).map_err(number);
        let compare = |f: &mut Frame, op, swap: bool| {
            let (x, y) = if swap { (y.clone(), x.clone()) } else { (x.clone(), y.clone()) };
            f.compare(op, x, y).map_err(number)
        };
        match op {
            BinOp::Pipe => Err(cannot_stand(e)),
            BinOp::Add => numeric(f, BinaryOp::Add),
            BinOp::Sub => numeric(f, BinaryOp::Sub),
            BinOp::Mul => numeric(f, BinaryOp::Mul),
            BinOp::Div => numeric(f, BinaryOp::Div),
            BinOp::Pow => numeric(f, BinaryOp::Pow),
            BinOp::Rem => modulo(f, x, y, e),
            BinOp::Lt => compare(f, CompareOp::Lt, false),
            BinOp::Le => compare(f, CompareOp::Le, false),
            BinOp::Gt => compare(f, CompareOp::Lt, true),
            BinOp::Ge => compare(f, CompareOp::Le, true),
            BinOp::Eq | BinOp::Ne => {
                if let (Value::Bool(x), Value::Bool(y)) = (&x, &y) {
                    return Ok(Value::Bool((x == y) == (op == BinOp::Eq)));
                }
                compare(f, if op == BinOp::Eq { CompareOp::Eq } else { CompareOp::Ne }, false)
            }
            BinOp::And | BinOp::Or => {
                let and = op == BinOp::And;
                match (x, y) {
                    (Value::Bool(k), v) | (v, Value::Bool(k)) => match v {
                        Value::Bool(_) | Value::Cond(_) => Ok(if k == and { v } else { Value::Bool(!and) }),
                        _ => Err(not_bool(e)),
                    },
                    (Value::Cond(x), Value::Cond(y)) => {
                        let op = if and { BinaryOp::And } else { BinaryOp::Or };
                        Ok(Value::Cond(f.push(Op::Binary(op, x, y))))
                    }
                    _ => Err(not_bool(e)),
                }
            }
        }
    }

    fn select(
        &mut self,
        f: &mut Frame,
        cond: &Expr,
        then: &crate::syntax::ast::Body,
        otherwise: Option<&crate::syntax::ast::Body>,
        e: &Expr,
    ) -> Res<Value> {
        let Some(otherwise) = otherwise else {
            return Err(Diagnostic::new(&codes::PRIM_FORM, e.span, "an `if` that gives a value needs an `else`"));
        };
        let (then, otherwise) = (only_value(then)?, only_value(otherwise)?);
        let c = match self.value(f, cond)? {
            Value::Bool(true) => return self.value(f, then),
            Value::Bool(false) => return self.value(f, otherwise),
            Value::Cond(c) => c,
            _ => return Err(not_bool(cond)),
        };
        let track = f.outside == Outside::Drop;
        let branch = |this: &mut Self, f: &mut Frame, e: &Expr| -> Res<(Val, Option<Val>)> {
            if track {
                f.branches.push(Vec::new());
            }
            let v = this.number(f, e)?;
            let inside = if track { f.branches.pop().unwrap_or_default() } else { Vec::new() };
            Ok((v, f.all(&inside)))
        };
        let (a, a_inside) = branch(self, f, then)?;
        let (b, b_inside) = branch(self, f, otherwise)?;
        if a_inside.is_some() || b_inside.is_some() {
            // The taken branch must stay inside: (c and a) or (not c and b).
            let not = f.push(Op::Unary(UnaryOp::Not, c));
            let a = a_inside.map_or(c, |a| f.push(Op::Binary(BinaryOp::And, c, a)));
            let b = b_inside.map_or(not, |b| f.push(Op::Binary(BinaryOp::And, not, b)));
            let inside = f.push(Op::Binary(BinaryOp::Or, a, b));
            match f.branches.last_mut() {
                Some(outer) => outer.push(inside),
                None => f.valid.push(inside),
            }
        }
        Ok(Value::Val(if a == b { a } else { f.push(Op::Select(c, a, b)) }))
    }

    fn call(&mut self, f: &mut Frame, e: &Expr) -> Res<Value> {
        let (func, args) = function_call(e)?;
        let mut v = match (func, &args[0].kind) {
            (Func::Floor | Func::Ceil, ExprKind::Binary(BinOp::Div, a, b)) => {
                match (self.value(f, a)?, self.value(f, b)?) {
                    (Value::Idx(i), Value::Num(n)) if n >= 1.0 && n.fract() == 0.0 && n < 1e9 => {
                        let n = n as i64;
                        return Ok(Value::Idx(if func == Func::Floor {
                            divide(&i, n, &f.extents)
                        } else {
                            divide(&i.times(-1), n, &f.extents).times(-1)
                        }));
                    }
                    (a, b) => f.arithmetic(BinaryOp::Div, a, b).map_err(|_| not_number(args[0]))?,
                }
            }
            _ => self.value(f, args[0])?,
        };
        let fold = match func {
            Func::Min => Some(BinaryOp::Min),
            Func::Max => Some(BinaryOp::Max),
            Func::Pow => Some(BinaryOp::Pow),
            _ => None,
        };
        if let Some(op) = fold {
            for a in &args[1..] {
                let next = self.value(f, a)?;
                v = f.arithmetic(op, v, next).map_err(|_| not_number(e))?;
            }
            return Ok(v);
        }
        match (&v, func) {
            (Value::Num(x), _) => return Ok(Value::Num(scalar::real(func, *x))),
            (Value::Idx(_), Func::Floor | Func::Ceil) => return Ok(v),
            _ => {}
        }
        let x = f.number(v).map_err(|_| not_number(args[0]))?;
        Ok(match func {
            Func::Exp => f.unary(UnaryOp::Exp, x),
            Func::Log => f.unary(UnaryOp::Log, x),
            Func::Sqrt => f.unary(UnaryOp::Sqrt, x),
            Func::Rsqrt => f.unary(UnaryOp::Rsqrt, x),
            Func::Tanh => f.unary(UnaryOp::Tanh, x),
            Func::Sigmoid => f.unary(UnaryOp::Sigmoid, x),
            Func::Erf => f.unary(UnaryOp::Erf, x),
            Func::Sin => f.unary(UnaryOp::Sin, x),
            Func::Cos => f.unary(UnaryOp::Cos, x),
            Func::Tan => f.unary(UnaryOp::Tan, x),
            Func::Asin => f.unary(UnaryOp::Asin, x),
            Func::Acos => f.unary(UnaryOp::Acos, x),
            Func::Atan => f.unary(UnaryOp::Atan, x),
            Func::Abs => f.unary(UnaryOp::Abs, x),
            Func::Floor => f.unary(UnaryOp::Floor, x),
            Func::Ceil => {
                let x = f.push(Op::Unary(UnaryOp::Neg, x));
                let x = f.push(Op::Unary(UnaryOp::Floor, x));
                f.unary(UnaryOp::Neg, x)
            }
            Func::Pow | Func::Min | Func::Max => Value::Val(x),
        })
    }

    fn read(&mut self, f: &mut Frame, tensor: &Ident, indices: &[Expr]) -> Res<Value> {
        let (node, at) = self.place(f, tensor, indices)?;
        let shape = self.g.node(node).shape.clone();
        let mut guards = Vec::new();
        for (i, &n) in at.iter().zip(&shape) {
            let g = Guard::InRange(i.clone(), n);
            match g.decided(&f.extents) {
                Some(true) => {}
                Some(false) if f.outside == Outside::Zero => return Ok(Value::Num(0.0)),
                _ if f.guards.contains(&g) || guards.contains(&g) => {}
                _ => guards.push(g),
            }
        }
        if guards.is_empty() || (f.outside == Outside::Drop && f.branches.is_empty()) {
            f.guards.extend(guards);
            return Ok(Value::Val(f.push(Op::Read(node, at.into()))));
        }
        let tests: Vec<Val> = guards.into_iter().map(|g| f.push(Op::Test(g))).collect();
        let read = f.push(Op::Read(node, at.into()));
        let zero = f.constant(0.0);
        let Some(inside) = f.all(&tests) else { return Ok(Value::Val(read)) };
        if let Some(branch) = f.branches.last_mut() {
            branch.push(inside);
        }
        Ok(Value::Val(f.push(Op::Select(inside, read, zero))))
    }

    /// The tensor of a read and its indices, `..` spread out.
    fn place(&mut self, f: &Frame, tensor: &Ident, indices: &[Expr]) -> Res<(NodeId, Vec<Index>)> {
        let Some(&node) = self.tensors.get(&tensor.name) else {
            return Err(Diagnostic::new(&codes::PRIM_NAME, tensor.span, format!("unknown tensor `{}`", tensor.name)));
        };
        let mut at = Vec::new();
        for i in indices {
            if is_rest(i) {
                for k in 0..self.rest.len() {
                    let Some(v) = f.index_of(&format!("..{k}")) else {
                        return Err(Diagnostic::new(&codes::PRIM_REST, i.span, "nothing binds `..` here"));
                    };
                    at.push(Index::var(v));
                }
            } else {
                at.push(self.index(f, i)?);
            }
        }
        let rank = self.g.node(node).shape.len();
        if rank != at.len() {
            return Err(Diagnostic::new(
                &codes::PRIM_RANK,
                tensor.span,
                format!("`{}` has {rank} dimensions, but {} indices are given", tensor.name, at.len()),
            ));
        }
        Ok((node, at))
    }

    /// An index expression: affine in the loop variables, with `/` and `%` by positive numbers.
    fn index(&mut self, f: &Frame, e: &Expr) -> Res<Index> {
        if as_name(e).is_none_or(|n| f.index_of(&n.name).is_none()) && self.is_scalar(e) {
            let v = eval(e, Slash::Floor, &|n| self.scalars.get(n).cloned(), &mut Numbers)?;
            return match v {
                Scalar::Int(i) if i.abs() <= i64::from(i32::MAX) => Ok(Index::constant(i)),
                other => Err(Diagnostic::new(
                    &codes::PRIM_AFFINE,
                    e.span,
                    format!("an index is a whole number of at most 31 bits, not {other}"),
                )),
            };
        }
        match &e.kind {
            ExprKind::Name(n) => match f.index_of(&n.ident.name) {
                Some(v) => Ok(Index::var(v)),
                None => Err(Diagnostic::new(&codes::PRIM_NAME, e.span, format!("unknown index `{}`", n.ident.name))),
            },
            ExprKind::Body(b) => self.index(f, only_value(b)?),
            ExprKind::Unary(UnOp::Neg, a) => Ok(self.index(f, a)?.times(-1)),
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.index(f, a)?, self.index(f, b)?);
                let constant = match (a.as_constant(), b.as_constant()) {
                    (_, Some(c)) => Some((&a, c)),
                    (Some(c), None) if *op == BinOp::Mul => Some((&b, c)),
                    _ => None,
                };
                if !small(&a) || !small(&b) {
                    return Err(Diagnostic::new(
                        &codes::PRIM_ARITHMETIC,
                        e.span,
                        "the numbers in this index are too large",
                    ));
                }
                match (op, constant) {
                    (BinOp::Add, _) => Ok(a.plus(&b, 1)),
                    (BinOp::Sub, _) => Ok(a.plus(&b, -1)),
                    (BinOp::Mul, Some((i, c))) => Ok(i.times(c)),
                    (BinOp::Div | BinOp::Rem, Some((_, c))) if c <= 0 => {
                        Err(Diagnostic::new(&codes::PRIM_ARITHMETIC, e.span, format!("an index is divided by {c}"))
                            .help("indices are divided by positive numbers only"))
                    }
                    (BinOp::Div, Some((i, c))) => Ok(divide(i, c, &f.extents)),
                    (BinOp::Rem, Some((i, c))) => Ok(remainder(i, c, &f.extents)),
                    _ => Err(non_affine(e)),
                }
            }
            ExprKind::If { cond, then, otherwise: Some(otherwise) } => match self.known(cond)? {
                Some(c) => self.index(f, only_value(if c { then } else { otherwise })?),
                None => Err(non_affine(e)),
            },
            ExprKind::Call { .. } => {
                let (func, args) = function_call(e)?;
                match (func, &args[0].kind) {
                    (Func::Floor, ExprKind::Binary(BinOp::Div, ..)) => self.index(f, args[0]),
                    (Func::Ceil, ExprKind::Binary(BinOp::Div, a, b)) => {
                        let (a, b) = (self.index(f, a)?, self.index(f, b)?);
                        match b.as_constant() {
                            Some(n) if n > 0 => Ok(divide(&a.times(-1), n, &f.extents).times(-1)),
                            _ => Err(non_affine(e)),
                        }
                    }
                    _ => Err(non_affine(e)),
                }
            }
            ExprKind::Index { .. } => {
                let Some((tensor, indices)) = as_read(e) else { return Err(cannot_stand(e)) };
                let (node, at) = self.place(f, tensor, indices)?;
                let n = self.g.node(node);
                if n.dtype != DType::Int {
                    return Err(Diagnostic::new(
                        &codes::PRIM_AFFINE,
                        e.span,
                        format!("`{}` holds real numbers, so it cannot be an index", tensor.name),
                    )
                    .help("labels and tokens (integer tensors) can"));
                }
                for (i, &extent) in at.iter().zip(&n.shape) {
                    if Guard::InRange(i.clone(), extent).decided(&f.extents) != Some(true) {
                        return Err(Diagnostic::new(
                            &codes::PRIM_AFFINE,
                            e.span,
                            format!("`{}` may be read outside here, inside an index", tensor.name),
                        )
                        .help("an index that is itself read from a tensor must stay inside that tensor"));
                    }
                }
                Ok(Index::atom(Atom::Load(node, at)))
            }
            _ => Err(non_affine(e)),
        }
    }
}

/// `a % b`, with the sign of `b`: `a - b * floor(a / b)`.
fn modulo(f: &mut Frame, a: Value, b: Value, e: &Expr) -> Res<Value> {
    match (&a, &b) {
        (Value::Num(x), Value::Num(y)) => return Ok(Value::Num(x - y * (x / y).floor())),
        (Value::Idx(i), Value::Num(n)) if n.fract() == 0.0 && *n >= 1.0 && *n < 1e9 => {
            return Ok(Value::Idx(remainder(i, *n as i64, &f.extents)));
        }
        _ => {}
    }
    let (x, y) = (f.number(a).map_err(|_| not_number(e))?, f.number(b).map_err(|_| not_number(e))?);
    let q = f.push(Op::Binary(BinaryOp::Div, x, y));
    let q = f.push(Op::Unary(UnaryOp::Floor, q));
    let q = f.push(Op::Binary(BinaryOp::Mul, y, q));
    Ok(Value::Val(f.push(Op::Binary(BinaryOp::Sub, x, q))))
}

fn known(s: &Scalar, e: &Expr) -> Res<Value> {
    match s {
        Scalar::Int(i) => Ok(Value::Num(*i as f64)),
        Scalar::Float(x) => Ok(Value::Num(*x)),
        Scalar::Bool(b) => Ok(Value::Bool(*b)),
        Scalar::Str(_) => Err(not_number(e)),
    }
}

pub(super) fn unbound(id: &Ident, affine: Option<Span>) -> Diagnostic {
    let d = Diagnostic::new(&codes::PRIM_UNBOUND, id.span, format!("no extent binds the index `{}`", id.name))
        .here("its range is not known")
        .help(format!("give its range where it first stands: `{}: K`", id.name));
    match affine {
        Some(s) => d.label(s, "here it is part of an expression, which gives no range"),
        None => d,
    }
}

fn conflict(id: &Ident, a: (usize, Span), b: (usize, Span)) -> Diagnostic {
    Diagnostic::new(&codes::PRIM_RANGES, a.1, format!("the index `{}` has two ranges: {} and {}", id.name, b.0, a.0))
        .here(format!("0..{} here", a.0))
        .label(b.1, format!("0..{} here", b.0))
        .help(format!("if only a part is meant, give the range where `{0}` first stands: `{0}: ..`", id.name))
}

/// Loops that no machine finishes, and more loop variables than the IR numbers.
fn small_enough(axes: &[Axis], span: Span) -> Res<()> {
    let points = axes.iter().try_fold(1_u64, |n, a| n.checked_mul(a.extent as u64)).filter(|&n| n <= 1 << 48);
    if points.is_some() && axes.len() <= 64 {
        return Ok(());
    }
    Err(Diagnostic::new(&codes::PRIM_ARITHMETIC, span, "this loop is too large")
        .note(format!("it runs over {}", axes.iter().map(|a| a.extent.to_string()).collect::<Vec<_>>().join(" x "))))
}

/// Whether sums and products of such indices cannot overflow.
fn small(i: &Index) -> bool {
    let limit = i64::from(i32::MAX);
    i.constant.abs() <= limit && i.terms.iter().all(|(_, c)| c.abs() <= limit)
}

fn not_number(e: &Expr) -> Diagnostic {
    Diagnostic::new(&codes::PRIM_SCALAR, e.span, "a number is expected here")
}

fn not_bool(e: &Expr) -> Diagnostic {
    Diagnostic::new(&codes::PRIM_SCALAR, e.span, "a condition is expected here")
        .help("compare numbers: `<`, `<=`, `==`, `!=`, `>`, `>=`")
}

pub(super) fn cannot_stand(e: &Expr) -> Diagnostic {
    Diagnostic::new(&codes::PRIM_FORM, e.span, "this cannot stand in an equation")
        .help("equations are made of numbers, reads `x[i, j]`, arithmetic, reducers, functions and `if`")
}

pub(super) fn non_affine(e: &Expr) -> Diagnostic {
    Diagnostic::new(&codes::PRIM_AFFINE, e.span, "this index is not affine").help(
        "an index is a sum of indices times numbers, with `/` and `%` by numbers; anything else needs its own equation",
    )
}
