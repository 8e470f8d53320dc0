//! Construction of nodes: what everything that emits equations uses.
//!
//! [`Body`] collects the operations of one equation. It folds constants, merges equal operations, and gives reads the
//! language's meaning: in a reduction a term with a read outside its tensor is dropped (a guard), elsewhere such a
//! read is 0 (a select).
//!
//! Folding takes the usual liberties with numbers that are not finite: `x * 0` is 0 where the 0 is a literal.

use super::range::Facts;
use super::{
    At, Atom, BinaryOp, CompareOp, DType, Equation, Graph, Guard, Index, Input, Kind, Node, NodeId, Op, Reduce,
    ReduceOp, Role, Scatter, UnaryOp, Val,
};

/// The body of an equation under construction.
#[derive(Clone, Debug)]
pub struct Body<'g> {
    graph: &'g Graph,
    extents: Vec<usize>,
    reducing: bool,
    guards: Vec<Guard>,
    facts: Facts,
    ops: Vec<Op>,
}

impl<'g> Body<'g> {
    /// An empty body over loop variables of these extents. `reducing` says what a read outside its tensor means.
    pub fn new(graph: &'g Graph, extents: &[usize], reducing: bool) -> Self {
        let facts = Facts::new(extents, []);
        Self { graph, extents: extents.to_vec(), reducing, guards: Vec::new(), facts, ops: Vec::new() }
    }

    /// The graph that is read from.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// The extents of the loop variables.
    pub fn extents(&self) -> &[usize] {
        &self.extents
    }

    /// An operation that was pushed.
    pub fn op(&self, v: Val) -> &Op {
        &self.ops[v.0 as usize]
    }

    /// Only points where the guard holds take part. Left out where it follows from extents and earlier guards.
    #[allow(clippy::needless_pass_by_value, reason = "callers make a guard for this")]
    pub fn guard(&mut self, guard: Guard) {
        let guard = self.facts.tidy_guard(&guard);
        if self.facts.decided(&guard) == Some(true) || self.guards.contains(&guard) {
            return;
        }
        self.facts.assume(&guard);
        self.guards.push(guard);
    }

    /// An element of a tensor, with the language's rule for places outside of it.
    pub fn read(&mut self, tensor: NodeId, at: impl Into<At>) -> Val {
        let at = at.into();
        let shape = &self.graph.node(tensor).shape;
        assert_eq!(shape.len(), at.len(), "one index for each axis of {tensor}");
        let outside: Vec<Guard> = at
            .iter()
            .zip(shape)
            .map(|(i, &n)| Guard::InRange(i.clone(), n))
            .filter(|g| self.facts.decided(g) != Some(true))
            .collect();
        if self.reducing {
            for g in outside {
                self.guard(g);
            }
            return self.read_inside(tensor, at);
        }
        let tests: Vec<Val> = outside.into_iter().map(|g| self.test(g)).collect();
        let value = self.read_inside(tensor, at);
        let Some(all) = tests.into_iter().reduce(|a, b| self.push(Op::Binary(BinaryOp::And, a, b))) else {
            return value;
        };
        let zero = self.constant(0.0);
        self.select(all, value, zero)
    }

    /// An element of a tensor, at a place that is inside of it wherever the value is used.
    pub fn read_inside(&mut self, tensor: NodeId, at: impl Into<At>) -> Val {
        self.push(Op::Read(tensor, at.into()))
    }

    /// A number.
    pub fn constant(&mut self, c: f64) -> Val {
        self.push(Op::Const(c))
    }

    /// An integer expression as a number.
    pub fn index(&mut self, i: Index) -> Val {
        self.push(Op::Index(i))
    }

    /// A condition on loop variables.
    pub fn test(&mut self, g: Guard) -> Val {
        self.push(Op::Test(g))
    }

    /// One operand.
    pub fn unary(&mut self, op: UnaryOp, a: Val) -> Val {
        self.push(Op::Unary(op, a))
    }

    /// Two operands.
    pub fn binary(&mut self, op: BinaryOp, a: Val, b: Val) -> Val {
        self.push(Op::Binary(op, a, b))
    }

    /// A comparison.
    pub fn compare(&mut self, op: CompareOp, a: Val, b: Val) -> Val {
        self.push(Op::Compare(op, a, b))
    }

    /// `if c { a } else { b }`
    pub fn select(&mut self, c: Val, a: Val, b: Val) -> Val {
        self.push(Op::Select(c, a, b))
    }

    /// `a + b`
    pub fn add(&mut self, a: Val, b: Val) -> Val {
        self.binary(BinaryOp::Add, a, b)
    }

    /// `a - b`
    pub fn sub(&mut self, a: Val, b: Val) -> Val {
        self.binary(BinaryOp::Sub, a, b)
    }

    /// `a * b`
    pub fn mul(&mut self, a: Val, b: Val) -> Val {
        self.binary(BinaryOp::Mul, a, b)
    }

    /// `a / b`
    pub fn div(&mut self, a: Val, b: Val) -> Val {
        self.binary(BinaryOp::Div, a, b)
    }

    /// `a * k`
    pub fn scale(&mut self, a: Val, k: f64) -> Val {
        let k = self.constant(k);
        self.mul(a, k)
    }

    /// The number that an operation is, if it is one.
    pub fn as_constant(&self, v: Val) -> Option<f64> {
        match self.op(v) {
            Op::Const(c) => Some(*c),
            _ => None,
        }
    }

    fn truth(&self, v: Val) -> Option<bool> {
        match self.op(v) {
            Op::Test(Guard::Zero(i)) => i.as_constant().map(|c| c == 0),
            _ => None,
        }
    }

    fn boolean(&mut self, b: bool) -> Val {
        self.insert(Op::Test(Guard::Zero(Index::constant(i64::from(!b)))))
    }

    fn insert(&mut self, op: Op) -> Val {
        if let Some(i) = self.ops.iter().position(|o| *o == op) {
            return Val(i as u32);
        }
        self.ops.push(op);
        Val(self.ops.len() as u32 - 1)
    }

    /// Appends an operation, or finds what it is equal to.
    pub fn push(&mut self, op: Op) -> Val {
        match op {
            Op::Const(_) => self.insert(op),
            Op::Read(t, at) => {
                let at = self.facts.tidy_at(&at);
                self.insert(Op::Read(t, at))
            }
            Op::Index(i) => {
                let i = self.facts.tidy(&i);
                match i.as_constant() {
                    Some(c) => self.constant(c as f64),
                    None => self.insert(Op::Index(i)),
                }
            }
            Op::Test(g) => {
                let g = self.facts.tidy_guard(&g);
                match self.facts.decided(&g) {
                    Some(b) => self.boolean(b),
                    None => self.insert(Op::Test(g)),
                }
            }
            Op::Unary(op, a) => self.push_unary(op, a),
            Op::Binary(op, a, b) => self.push_binary(op, a, b),
            Op::Compare(op, a, b) => match (self.as_constant(a), self.as_constant(b)) {
                (Some(x), Some(y)) => self.boolean(op.apply(x, y)),
                _ => self.insert(Op::Compare(op, a, b)),
            },
            Op::Select(c, a, b) => match self.truth(c) {
                Some(true) => a,
                Some(false) => b,
                None if a == b => a,
                None => self.insert(Op::Select(c, a, b)),
            },
        }
    }

    fn push_unary(&mut self, op: UnaryOp, a: Val) -> Val {
        if op == UnaryOp::Not {
            return match (self.truth(a), self.op(a).clone()) {
                (Some(b), _) => self.boolean(!b),
                (_, Op::Unary(UnaryOp::Not, x)) => x,
                _ => self.insert(Op::Unary(op, a)),
            };
        }
        match self.op(a).clone() {
            Op::Const(c) => self.constant(op.apply(c)),
            Op::Unary(UnaryOp::Neg, x) if op == UnaryOp::Neg => x,
            Op::Unary(UnaryOp::Neg, x) if op == UnaryOp::Abs => self.unary(op, x),
            _ => self.insert(Op::Unary(op, a)),
        }
    }

    fn push_binary(&mut self, op: BinaryOp, a: Val, b: Val) -> Val {
        if let BinaryOp::And | BinaryOp::Or = op {
            let absorbing = op == BinaryOp::Or;
            return match (self.truth(a), self.truth(b)) {
                (Some(x), _) => {
                    if x == absorbing {
                        a
                    } else {
                        b
                    }
                }
                (_, Some(y)) => {
                    if y == absorbing {
                        b
                    } else {
                        a
                    }
                }
                _ if a == b => a,
                _ => self.insert(Op::Binary(op, a, b)),
            };
        }
        if let BinaryOp::Max | BinaryOp::Min = op
            && a == b
        {
            return a;
        }
        let commutes = matches!(op, BinaryOp::Add | BinaryOp::Mul);
        match (op, self.as_constant(a), self.as_constant(b)) {
            (_, Some(x), Some(y)) => return self.constant(op.apply(x, y)),
            (_, Some(_), None) if commutes => return self.push_binary(op, b, a),
            (BinaryOp::Mul | BinaryOp::Div | BinaryOp::Pow, _, Some(1.0))
            | (BinaryOp::Add | BinaryOp::Sub, _, Some(0.0))
            | (BinaryOp::Div, Some(0.0), _) => return a,
            (BinaryOp::Sub, Some(0.0), _) => return self.unary(UnaryOp::Neg, b),
            (BinaryOp::Mul, _, Some(0.0)) => return b,
            (BinaryOp::Mul | BinaryOp::Div, _, Some(-1.0)) => return self.unary(UnaryOp::Neg, a),
            (BinaryOp::Pow, _, Some(0.0)) => return self.constant(1.0),
            (BinaryOp::Add | BinaryOp::Mul, None, Some(y)) => {
                // (x . c) . d is x . (c . d)
                if let Op::Binary(inner, x, c) = *self.op(a)
                    && inner == op
                    && let Some(c) = self.as_constant(c)
                {
                    let k = self.constant(op.apply(c, y));
                    return self.push_binary(op, x, k);
                }
                if let (BinaryOp::Mul, Op::Unary(UnaryOp::Neg, x)) = (op, self.op(a).clone()) {
                    let k = self.constant(-y);
                    return self.push_binary(op, x, k);
                }
            }
            (BinaryOp::Add, None, None) if a == b => return self.scale(a, 2.0),
            (BinaryOp::Add, None, None) => {
                if let Op::Unary(UnaryOp::Neg, x) = *self.op(b) {
                    return self.sub(a, x);
                }
                if let Op::Unary(UnaryOp::Neg, x) = *self.op(a) {
                    return self.sub(b, x);
                }
            }
            (BinaryOp::Sub, None, None) => {
                if let Op::Unary(UnaryOp::Neg, x) = *self.op(b) {
                    return self.add(a, x);
                }
            }
            _ => {}
        }
        self.insert(Op::Binary(op, a, b))
    }

    /// Appends another body, with its tensors and loop variables replaced. Returns its result.
    pub fn splice(&mut self, ops: &[Op], var: &mut impl FnMut(usize) -> Index) -> Val {
        let mut vals: Vec<Val> = Vec::with_capacity(ops.len());
        for op in ops {
            let op = op.substitute(var).with_operands(&mut |v| vals[v.0 as usize]);
            vals.push(self.push(op));
        }
        *vals.last().expect("a body is not empty")
    }

    /// Appends another body over the same tensors and loop variables. Returns its result.
    pub fn append(&mut self, ops: &[Op]) -> Val {
        let mut vals: Vec<Val> = Vec::with_capacity(ops.len());
        for op in ops {
            let op = op.with_operands(&mut |v| vals[v.0 as usize]);
            vals.push(self.push(op));
        }
        *vals.last().expect("a body is not empty")
    }

    /// Guards and operations; operations that the result does not need are left out.
    pub fn finish(self, result: Val) -> (Vec<Guard>, Vec<Op>) {
        let live = needed(&self.ops, result);
        let mut ops = self.ops;
        if live.len() == ops.len() && !live.contains(&false) {
            return (self.guards, ops);
        }
        ops.truncate(live.len());
        let mut number = Vec::with_capacity(live.len());
        let mut kept = 0;
        for &l in &live {
            number.push(Val(kept));
            kept += u32::from(l);
        }
        let mut at = 0;
        ops.retain_mut(|op| {
            at += 1;
            match op {
                Op::Const(_) | Op::Read(..) | Op::Index(_) | Op::Test(_) => {}
                op => *op = op.with_operands(&mut |v| number[v.0 as usize]),
            }
            live[at - 1]
        });
        (self.guards, ops)
    }
}

/// Which operations up to the result it needs.
fn needed(ops: &[Op], result: Val) -> Vec<bool> {
    let mut live = vec![false; result.0 as usize + 1];
    live[result.0 as usize] = true;
    for i in (0..=result.0 as usize).rev() {
        if live[i] {
            ops[i].operands(&mut |v| live[v.0 as usize] = true);
        }
    }
    live
}

/// The operations that `result` needs, renumbered; the last one is the result.
pub fn compact(ops: &[Op], result: Val) -> Vec<Op> {
    let live = needed(ops, result);
    let mut number = vec![Val(0); ops.len()];
    let mut out = Vec::new();
    for (i, op) in ops.iter().enumerate().take(live.len()).filter(|(i, _)| live[*i]) {
        number[i] = Val(out.len() as u32);
        out.push(op.with_operands(&mut |v| number[v.0 as usize]));
    }
    out
}

/// The output axis whose loop variable alone indexes the example axis of a tensor that is read.
pub fn example_axis(graph: &Graph, rank: usize, ops: &[Op]) -> Option<u8> {
    ops.iter().find_map(|op| match op {
        Op::Read(t, at) => {
            let e = graph.node(*t).example?;
            at[e as usize].as_var().filter(|&v| v < rank).map(|v| v as u8)
        }
        _ => None,
    })
}

/// Where a reshape leaves the example axis, if it stays one axis.
fn reshaped_example(from: &[usize], axis: Option<u8>, to: &[usize]) -> Option<u8> {
    let axis = axis? as usize;
    let before: usize = from[..axis].iter().product();
    let fits = |&a: &usize| to[..a].iter().product::<usize>() == before && to[a] == from[axis];
    (0..to.len()).filter(fits).min_by_key(|&a| a.abs_diff(axis)).map(|a| a as u8)
}

impl Graph {
    /// Appends an input.
    pub fn input(
        &mut self,
        name: impl Into<String>,
        role: Role,
        dtype: DType,
        shape: &[usize],
        example: Option<u8>,
    ) -> NodeId {
        let name = name.into();
        let label = name.clone();
        let kind = Kind::Input(Input { name, role });
        self.push(Node { kind, shape: shape.to_vec(), dtype, example, label })
    }

    /// Appends an elementwise equation. Loop variables are the axes of `shape`.
    pub fn equation(&mut self, label: &str, shape: &[usize], f: impl FnOnce(&mut Body) -> Val) -> NodeId {
        let mut body = Body::new(self, shape, false);
        let result = f(&mut body);
        let (guards, body) = body.finish(result);
        self.push_equation(label, shape, Equation { reduce: None, guards, body })
    }

    /// Appends a reduction. Loop variables are the axes of `shape`, then those of `extents`; without any of the
    /// latter it is an elementwise equation.
    pub fn reduction(
        &mut self,
        label: &str,
        shape: &[usize],
        op: ReduceOp,
        extents: &[usize],
        f: impl FnOnce(&mut Body) -> Val,
    ) -> NodeId {
        let all = [shape, extents].concat();
        let mut body = Body::new(self, &all, true);
        let result = f(&mut body);
        let (guards, body) = body.finish(result);
        let reduce = (!extents.is_empty()).then(|| Reduce { op, extents: extents.to_vec() });
        self.push_equation(label, shape, Equation { reduce, guards, body })
    }

    /// Appends a finished equation.
    pub fn push_equation(&mut self, label: &str, shape: &[usize], e: Equation) -> NodeId {
        let example = example_axis(self, shape.len(), &e.body);
        let kind = Kind::Equation(e);
        self.push(Node { kind, shape: shape.to_vec(), dtype: DType::Float, example, label: label.to_string() })
    }

    /// Appends the place of the maximum or minimum of an equation that reduces by `Max` or `Min`.
    pub fn push_arg(&mut self, label: &str, shape: &[usize], e: Equation) -> NodeId {
        let example = example_axis(self, shape.len(), &e.body);
        let kind = Kind::Arg(e);
        self.push(Node { kind, shape: shape.to_vec(), dtype: DType::Int, example, label: label.to_string() })
    }

    /// Appends a scatter.
    pub fn push_scatter(&mut self, label: &str, shape: &[usize], s: Scatter) -> NodeId {
        let kind = Kind::Scatter(s);
        self.push(Node { kind, shape: shape.to_vec(), dtype: DType::Float, example: None, label: label.to_string() })
    }

    /// Appends independent uniform draws.
    pub fn random(&mut self, label: &str, shape: &[usize], stream: u64, example: Option<u8>) -> NodeId {
        let kind = Kind::Random { stream };
        self.push(Node { kind, shape: shape.to_vec(), dtype: DType::Float, example, label: label.to_string() })
    }

    /// All elements equal.
    pub fn fill(&mut self, shape: &[usize], c: f64) -> NodeId {
        self.equation("", shape, |b| b.constant(c))
    }

    /// An elementwise function of tensors of one shape; a scalar takes part as if it had that shape.
    pub fn map(&mut self, label: &str, xs: &[NodeId], f: impl FnOnce(&mut Body, &[Val]) -> Val) -> NodeId {
        let shape = xs.iter().map(|&x| &self.node(x).shape).max_by_key(|s| s.len()).cloned().unwrap_or_default();
        self.equation(label, &shape, |b| {
            let mut vals = Vec::new();
            for &x in xs {
                let rank = b.graph().node(x).shape.len();
                vals.push(b.read(x, At::identity(rank)));
            }
            f(b, &vals)
        })
    }

    /// `a + b`, elementwise; either may be a scalar, as in the following.
    pub fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.map("", &[a, b], |e, v| e.add(v[0], v[1]))
    }

    /// `a - b`
    pub fn sub(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.map("", &[a, b], |e, v| e.sub(v[0], v[1]))
    }

    /// `a * b`
    pub fn mul(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.map("", &[a, b], |e, v| e.mul(v[0], v[1]))
    }

    /// `a / b`
    pub fn div(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.map("", &[a, b], |e, v| e.div(v[0], v[1]))
    }

    /// `a * k`
    pub fn scale(&mut self, a: NodeId, k: f64) -> NodeId {
        self.map("", &[a], |e, v| e.scale(v[0], k))
    }

    /// The sum of tensors of one shape, as one equation; the tensor itself if there is one.
    pub fn sum(&mut self, label: &str, xs: &[NodeId]) -> NodeId {
        match xs {
            [x] => *x,
            xs => self.map(label, xs, |e, v| v[1..].iter().fold(v[0], |a, &b| e.add(a, b))),
        }
    }

    /// One operand, elementwise.
    pub fn unary(&mut self, op: UnaryOp, a: NodeId) -> NodeId {
        self.map("", &[a], |e, v| e.unary(op, v[0]))
    }

    /// All elements combined into a scalar.
    pub fn reduce_all(&mut self, op: ReduceOp, x: NodeId) -> NodeId {
        let shape = self.node(x).shape.clone();
        self.reduction("", &[], op, &shape, |b| b.read(x, At::identity(shape.len())))
    }

    /// Tensors one after the other along an axis. Their other extents must be equal.
    pub fn concat(&mut self, label: &str, inputs: &[NodeId], axis: usize) -> NodeId {
        let mut shape = self.node(inputs[0]).shape.clone();
        shape[axis] = inputs.iter().map(|&x| self.node(x).shape[axis]).sum();
        let dtype = self.node(inputs[0]).dtype;
        let example = inputs.iter().find_map(|&x| self.node(x).example).filter(|&e| e as usize != axis);
        let kind = Kind::Concat { inputs: inputs.to_vec(), axis };
        self.push(Node { kind, shape, dtype, example, label: label.to_string() })
    }

    /// The same elements in row-major order under another shape of as many.
    pub fn reshape(&mut self, label: &str, x: NodeId, shape: &[usize]) -> NodeId {
        let from = self.node(x);
        let (dtype, example) = (from.dtype, reshaped_example(&from.shape, from.example, shape));
        self.push(Node { kind: Kind::Reshape(x), shape: shape.to_vec(), dtype, example, label: label.to_string() })
    }

    /// `len` places of an axis from `start` on, as an equation.
    pub fn slice(&mut self, label: &str, x: NodeId, axis: usize, start: usize, len: usize) -> NodeId {
        let mut shape = self.node(x).shape.clone();
        shape[axis] = len;
        self.shifted(label, x, &shape, axis, start as i64)
    }

    /// Zeros before and after an axis, as an equation.
    pub fn pad(&mut self, label: &str, x: NodeId, axis: usize, before: usize, after: usize) -> NodeId {
        let mut shape = self.node(x).shape.clone();
        shape[axis] += before + after;
        self.shifted(label, x, &shape, axis, -(before as i64))
    }

    fn shifted(&mut self, label: &str, x: NodeId, shape: &[usize], axis: usize, by: i64) -> NodeId {
        let mut at: Vec<Index> = (0..shape.len()).map(Index::var).collect();
        at[axis].constant += by;
        self.equation(label, shape, |b| b.read(x, at))
    }

    /// Axis `i` of the result is axis `order[i]` of `x`.
    pub fn transpose(&mut self, label: &str, x: NodeId, order: &[usize]) -> NodeId {
        let shape: Vec<usize> = order.iter().map(|&a| self.node(x).shape[a]).collect();
        let mut at = vec![Index::default(); order.len()];
        for (to, &from) in order.iter().enumerate() {
            at[from] = Index::var(to);
        }
        self.equation(label, &shape, |b| b.read(x, at))
    }
}

impl UnaryOp {
    /// The value in f64; of a `Bool` as 0 or 1.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            UnaryOp::Neg => -x,
            UnaryOp::Exp => x.exp(),
            UnaryOp::Log => x.ln(),
            UnaryOp::Sqrt => x.sqrt(),
            UnaryOp::Rsqrt => 1.0 / x.sqrt(),
            UnaryOp::Tanh => x.tanh(),
            UnaryOp::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            UnaryOp::Erf => erf(x),
            UnaryOp::Sin => x.sin(),
            UnaryOp::Cos => x.cos(),
            UnaryOp::Tan => x.tan(),
            UnaryOp::Asin => x.asin(),
            UnaryOp::Acos => x.acos(),
            UnaryOp::Atan => x.atan(),
            UnaryOp::Abs => x.abs(),
            UnaryOp::Floor => x.floor(),
            UnaryOp::Not => f64::from(x == 0.0),
        }
    }
}

impl BinaryOp {
    /// The value in f64; of `Bool`s as 0 or 1.
    pub fn apply(self, x: f64, y: f64) -> f64 {
        match self {
            BinaryOp::Add => x + y,
            BinaryOp::Sub => x - y,
            BinaryOp::Mul => x * y,
            BinaryOp::Div => x / y,
            BinaryOp::Pow if y.fract() == 0.0 && y.abs() < 1024.0 => x.powi(y as i32),
            BinaryOp::Pow => x.powf(y),
            BinaryOp::Max | BinaryOp::Min if x.is_nan() || y.is_nan() => f64::NAN,
            BinaryOp::Max => x.max(y),
            BinaryOp::Min => x.min(y),
            BinaryOp::And => f64::from(x != 0.0 && y != 0.0),
            BinaryOp::Or => f64::from(x != 0.0 || y != 0.0),
        }
    }
}

impl CompareOp {
    /// Whether it holds.
    pub fn apply(self, x: f64, y: f64) -> bool {
        #[allow(clippy::float_cmp, reason = "equality is what is asked")]
        match self {
            CompareOp::Lt => x < y,
            CompareOp::Le => x <= y,
            CompareOp::Eq => x == y,
            CompareOp::Ne => x != y,
        }
    }
}

/// The error function: its power series near 0, else the continued fraction of its complement (Abramowitz and Stegun
/// 1964, 7.1.6 and 7.1.14).
pub fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let a = x.abs();
    if a < 2.5 {
        let (mut term, mut sum, mut n) = (a, a, 0.0);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= 2.0 * a * a / (2.0 * n + 1.0);
            sum += term;
        }
        return (2.0 / std::f64::consts::PI.sqrt() * (-a * a).exp() * sum).copysign(x);
    }
    let mut f = a;
    for k in (1..=60).rev() {
        f = a + f64::from(k) / 2.0 / f;
    }
    (1.0 - (-a * a).exp() / (f * std::f64::consts::PI.sqrt())).copysign(x)
}

impl Node {
    /// Replaces every node that this one reads.
    pub fn map_reads(&mut self, f: &mut impl FnMut(NodeId) -> NodeId) {
        self.kind.map_reads(f);
    }
}

impl Kind {
    /// Replaces every node that is read.
    pub fn map_reads(&mut self, f: &mut impl FnMut(NodeId) -> NodeId) {
        match self {
            Kind::Input(_) | Kind::Random { .. } => {}
            Kind::Reshape(x) => *x = f(*x),
            Kind::Concat { inputs, .. } => inputs.iter_mut().for_each(|x| *x = f(*x)),
            Kind::Equation(e) | Kind::Arg(e) => {
                e.guards.iter_mut().for_each(|g| g.map_reads(f));
                e.body.iter_mut().for_each(|op| op.map_reads(f));
            }
            Kind::Scatter(s) => {
                s.guards.iter_mut().for_each(|g| g.map_reads(f));
                s.target.iter_mut().for_each(|i| i.map_reads(f));
                s.body.iter_mut().for_each(|op| op.map_reads(f));
            }
        }
    }
}

impl Op {
    /// Replaces every node that is read.
    pub fn map_reads(&mut self, f: &mut impl FnMut(NodeId) -> NodeId) {
        match self {
            Op::Read(t, at) => {
                *t = f(*t);
                at.map_reads(f);
            }
            Op::Index(i) => i.map_reads(f),
            Op::Test(g) => g.map_reads(f),
            Op::Const(_) | Op::Unary(..) | Op::Binary(..) | Op::Compare(..) | Op::Select(..) => {}
        }
    }
}

impl Guard {
    /// Replaces every node that is read.
    pub fn map_reads(&mut self, f: &mut impl FnMut(NodeId) -> NodeId) {
        match self {
            Guard::InRange(i, _) | Guard::Zero(i) => i.map_reads(f),
        }
    }
}

impl Index {
    /// Replaces every node that is read.
    pub fn map_reads(&mut self, f: &mut impl FnMut(NodeId) -> NodeId) {
        let mut compound = false;
        for (atom, _) in &mut self.terms {
            compound |= !matches!(atom, Atom::Var(_));
            match atom {
                Atom::Var(_) => {}
                Atom::Div(i, _) | Atom::Mod(i, _) => i.map_reads(f),
                Atom::Load(t, at) => {
                    *t = f(*t);
                    for i in at {
                        i.map_reads(f);
                    }
                }
            }
        }
        // Atoms are kept in their order, which the ids are a part of.
        if compound {
            self.terms.sort();
        }
    }
}
