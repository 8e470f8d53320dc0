//! Reverse-mode differentiation (Linnainmaa 1970): gradients are appended to the graph as equations.
//!
//! Where a derivative needs a value of the forward computation, it reads tensors again and computes the scalar
//! operations of the body again; only the result of an elementwise equation is read back where it was costly.
//!
//! Choices where a function has no derivative: the gradient of a `max` or `min` reduction goes to the first point
//! that attains it. In `max(a, b)` of two operands it goes to `a` where `a > b`, else to `b`; where one operand is a
//! constant a tie has gradient 0, so `relu` has gradient 0 at 0. `min` likewise. `abs` has gradient 0 at 0, `floor`
//! and conditions have none, nor have random draws and integers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::rc::Rc;

use super::build::Body;
use super::inverse::{Inverse, Points, invert};
use super::template::{Template, describe, inside, number, structure};
use super::{
    At, Atom, BinaryOp, CompareOp, DType, Equation, Graph, Guard, Index, Kind, NodeId, Op, Reduce, ReduceOp, Scatter,
    UnaryOp, Val,
};
use crate::base::hash::Mixer;
use crate::base::memo::Memo;

/// The gradient of the scalar `loss` by each of `wrt`, of its shape; zeros where the loss does not depend on it.
pub fn gradients(g: &mut Graph, loss: NodeId, wrt: &[NodeId]) -> Vec<NodeId> {
    assert!(g.node(loss).shape.is_empty(), "the loss is a scalar");
    let active = active(g, loss, wrt);
    let mut parts: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    let mut done: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    let one = g.fill(&[], 1.0);
    parts.insert(loss, vec![one]);
    for id in (0..=loss.0).rev().map(NodeId).filter(|id| active[id.0 as usize]) {
        let Some(list) = parts.remove(&id) else { continue };
        let label = format!("grad/{}", g.node(id).label);
        let total = g.sum(&label, &list);
        done.insert(id, total);
        for (to, part) in propagate_known(g, id, total, &active) {
            parts.entry(to).or_default().push(part);
        }
    }
    wrt.iter()
        .map(|w| {
            done.get(w).copied().unwrap_or_else(|| {
                let shape = g.node(*w).shape.clone();
                g.fill(&shape, 0.0)
            })
        })
        .collect()
}

/// Which nodes up to the loss depend on `wrt`.
fn active(g: &Graph, loss: NodeId, wrt: &[NodeId]) -> Vec<bool> {
    let mut active = vec![false; loss.0 as usize + 1];
    for id in (0..=loss.0).map(NodeId) {
        let node = g.node(id);
        let mut depends = wrt.contains(&id);
        match &node.kind {
            Kind::Input(_) | Kind::Random { .. } | Kind::Arg(_) => {}
            Kind::Reshape(x) => depends |= active[x.0 as usize],
            Kind::Concat { inputs, .. } => depends |= inputs.iter().any(|x| active[x.0 as usize]),
            Kind::Equation(Equation { body, .. }) | Kind::Scatter(Scatter { body, .. }) => {
                depends |= body.iter().any(|op| matches!(op, Op::Read(t, _) if active[t.0 as usize]));
            }
        }
        active[id.0 as usize] = depends && node.dtype == DType::Float;
    }
    active
}

thread_local! {
    /// What [`propagate`] appended, by the node's [`structure`] and what it reads.
    static KNOWN: RefCell<Memo<Rc<Propagated>>> = const { RefCell::new(Memo::new(4096)) };
}

/// Contributions of a node as a template. From outside come the nodes that it reads, itself, and its gradient.
struct Propagated {
    template: Template,
    parts: Vec<(NodeId, NodeId)>,
}

/// As [`propagate`], which most nodes of most networks need not run: their likes were met before.
fn propagate_known(g: &mut Graph, id: NodeId, grad: NodeId, active: &[bool]) -> Vec<(NodeId, NodeId)> {
    let node = g.node(id);
    let (mut key, mut outside) = (Mixer::default(), Vec::new());
    if !structure(node, &mut key, &mut |x| number(&mut outside, x)) {
        return propagate(g, id, grad, active);
    }
    let place = format!("grad/{}", node.label);
    outside.extend([id, grad]);
    for &x in &outside {
        describe(g.node(x), &mut key);
        active.get(x.0 as usize).hash(&mut key);
    }
    let key = key.key();
    if let Some(known) = KNOWN.with_borrow(|all| all.get(key)) {
        let pasted = known.template.paste(g, &outside, "", &place);
        return known.parts.iter().map(|&(to, part)| (pasted.node(to), pasted.node(part))).collect();
    }
    let first = g.nodes.len();
    let parts = propagate(g, id, grad, active);
    if let Some(template) = Template::cut(g, first, &outside, &place) {
        let within = |x| inside(x, first, &outside);
        let inner = parts.iter().map(|&(to, part)| Some((within(to)?, within(part)?))).collect::<Option<Vec<_>>>();
        if let Some(parts) = inner {
            KNOWN.with_borrow_mut(|all| all.put(key, Rc::new(Propagated { template, parts })));
        }
    }
    parts
}

/// What the gradient of a node contributes to those that it reads.
fn propagate(g: &mut Graph, id: NodeId, grad: NodeId, active: &[bool]) -> Vec<(NodeId, NodeId)> {
    let node = g.node(id).clone();
    let label = format!("grad/{}", node.label);
    match &node.kind {
        Kind::Input(_) | Kind::Random { .. } | Kind::Arg(_) => Vec::new(),
        Kind::Reshape(x) => {
            let shape = g.node(*x).shape.clone();
            vec![(*x, g.reshape(&label, grad, &shape))]
        }
        Kind::Concat { inputs, axis } => {
            let (mut start, mut out) = (0, Vec::new());
            for &x in inputs {
                let len = g.node(x).shape[*axis];
                if active[x.0 as usize] {
                    out.push((x, g.slice(&label, grad, *axis, start, len)));
                }
                start += len;
            }
            out
        }
        Kind::Equation(e) => {
            let at: Vec<Index> = At::identity(node.shape.len()).to_vec();
            let extents = e.extents(&node.shape);
            let mut points =
                Points { extents: extents.clone(), guards: e.guards.clone(), at: at.clone(), body: e.body.clone() };
            let mut seed = Seed { grad, own: None, product: None };
            match e.reduce.as_ref().map(|r| r.op) {
                None => seed.own = Some(id),
                Some(ReduceOp::Sum) => {}
                Some(ReduceOp::Mean) => seed.grad = by_count(g, &label, grad, e, &node.shape),
                Some(ReduceOp::Max | ReduceOp::Min) => {
                    let arg = g.push_arg(&format!("{label}/arg"), &node.shape, e.clone());
                    let mut linear = Index::default();
                    for (v, &n) in extents.iter().enumerate().skip(node.shape.len()) {
                        linear = linear.times(n as i64).plus(&Index::var(v), 1);
                    }
                    points.guards.push(Guard::Zero(linear.plus(&Index::atom(Atom::Load(arg, at)), -1)));
                }
                Some(ReduceOp::Prod) => seed.product = Some(zeros_and_product(g, &label, e, &node.shape)),
            }
            contributions(g, &label, points, &seed, active)
        }
        Kind::Scatter(s) => {
            let mut guards = s.guards.clone();
            guards.extend(s.target.iter().zip(&node.shape).map(|(i, &n)| Guard::InRange(i.clone(), n)));
            let points = Points { extents: s.extents.clone(), guards, at: s.target.clone(), body: s.body.clone() };
            contributions(g, &label, points, &Seed { grad, own: None, product: None }, active)
        }
    }
}

/// The gradient of a mean divided by the number of points that it took.
fn by_count(g: &mut Graph, label: &str, grad: NodeId, e: &Equation, shape: &[usize]) -> NodeId {
    let extents = e.extents(shape);
    let used: Vec<usize> =
        (0..extents.len()).filter(|&v| e.guards.iter().any(|guard| guard.index().mentions(v))).collect();
    let unguarded = (shape.len()..extents.len()).filter(|v| !used.contains(v)).map(|v| extents[v]).product::<usize>();
    if used.is_empty() {
        return g.scale(grad, 1.0 / unguarded as f64);
    }
    let (kept, reduced): (Vec<usize>, Vec<usize>) = used.iter().partition(|&&v| v < shape.len());
    let size = |vs: &[usize]| vs.iter().map(|&v| extents[v]).collect::<Vec<_>>();
    let count = g.reduction(&format!("{label}/count"), &size(&kept), ReduceOp::Sum, &size(&reduced), |b| {
        let mut sub = |v: usize| Index::var(used.iter().position(|&u| u == v).unwrap_or(0));
        for guard in &e.guards {
            b.guard(guard.substitute(&mut sub));
        }
        b.constant(unguarded as f64)
    });
    g.equation(label, shape, |b| {
        let grad = b.read(grad, At::identity(shape.len()));
        let count = b.read(count, kept.iter().map(|&v| Index::var(v)).collect::<At>());
        let one = b.constant(1.0);
        let count = b.binary(BinaryOp::Max, count, one);
        b.div(grad, count)
    })
}

/// How many factors of a product are 0, and the product of the others.
fn zeros_and_product(g: &mut Graph, label: &str, e: &Equation, shape: &[usize]) -> (NodeId, NodeId) {
    let extents = e.reduce.as_ref().map(|r| r.extents.clone()).unwrap_or_default();
    let mut make = |op: ReduceOp, what: &str, f: fn(&mut Body, Val, Val) -> Val| {
        g.reduction(&format!("{label}/{what}"), shape, op, &extents, |b| {
            for guard in &e.guards {
                b.guard(guard.clone());
            }
            let x = b.append(&e.body);
            let zero = b.constant(0.0);
            let is_zero = b.compare(CompareOp::Eq, x, zero);
            f(b, is_zero, x)
        })
    };
    let zeros = make(ReduceOp::Sum, "zeros", |b, is_zero, _| {
        let (one, zero) = (b.constant(1.0), b.constant(0.0));
        b.select(is_zero, one, zero)
    });
    let product = make(ReduceOp::Prod, "product", |b, is_zero, x| {
        let one = b.constant(1.0);
        b.select(is_zero, one, x)
    });
    (zeros, product)
}

/// The gradient of the result of a body, at each point.
struct Seed {
    grad: NodeId,
    /// The elementwise equation itself, whose elements are the results of the body.
    own: Option<NodeId>,
    /// For a product: the number of zeros and the product of the other factors.
    product: Option<(NodeId, NodeId)>,
}

fn contributions(
    g: &mut Graph,
    label: &str,
    mut points: Points,
    seed: &Seed,
    active: &[bool],
) -> Vec<(NodeId, NodeId)> {
    points.split();
    let mut out = Vec::new();
    for (k, op) in points.body.iter().enumerate() {
        if let Op::Read(t, at) = op
            && active[t.0 as usize]
            && let Some(part) = contribution(g, label, &points, seed, k, (*t, at))
        {
            out.push((*t, part));
        }
    }
    out
}

/// The gradient that reaches a tensor through operation `k`, which reads it at `at`.
fn contribution(
    g: &mut Graph,
    label: &str,
    points: &Points,
    seed: &Seed,
    k: usize,
    (t, at): (NodeId, &[Index]),
) -> Option<NodeId> {
    let target = g.node(t).shape.clone();
    match invert(&points.extents, at, &target) {
        Inverse::Gather { shape, sum, vars, guards } => {
            let extents = [shape.as_slice(), &sum].concat();
            let (guards, body) = derivative(g, &extents, &guards, points, seed, k, &vars)?;
            let reduce = (!sum.is_empty()).then_some(Reduce { op: ReduceOp::Sum, extents: sum });
            let part = g.push_equation(label, &shape, Equation { reduce, guards, body });
            Some(if shape == target { part } else { g.reshape(label, part, &target) })
        }
        Inverse::Scatter => {
            let vars: Vec<Index> = (0..points.extents.len()).map(Index::var).collect();
            let (guards, body) = derivative(g, &points.extents, &[], points, seed, k, &vars)?;
            let scatter = Scatter { extents: points.extents.clone(), guards, target: at.to_vec(), body };
            Some(g.push_scatter(label, &target, scatter))
        }
    }
}

/// Guards and body, over new loop variables, of the derivative by operation `k` times the seed; `None` where it is 0.
fn derivative(
    g: &Graph,
    extents: &[usize],
    guards: &[Guard],
    points: &Points,
    seed: &Seed,
    k: usize,
    vars: &[Index],
) -> Option<(Vec<Guard>, Vec<Op>)> {
    let mut sub = |v: usize| vars[v].clone();
    let mut body = Body::new(g, extents, true);
    for guard in guards {
        body.guard(guard.clone());
    }
    for guard in &points.guards {
        body.guard(guard.substitute(&mut sub));
    }
    let at = points.at.iter().map(|i| i.substitute(&mut sub)).collect();
    let mut back = Backward { body, points, seed, vars, at, values: vec![None; points.body.len()] };
    let (conds, value) = back.run(k)?;
    let mut body = back.body;
    // What must hold for the derivative not to be 0: conditions on loop variables become guards.
    let mut open: Vec<Val> = conds.into_iter().rev().collect();
    let (mut tests, mut rest) = (Vec::new(), Vec::new());
    while let Some(c) = open.pop() {
        match body.op(c).clone() {
            Op::Test(guard) => tests.push(guard),
            Op::Binary(BinaryOp::And, a, b) => open.extend([b, a]),
            _ => rest.push(c),
        }
    }
    let value = wrap(&mut body, &rest, value);
    if body.as_constant(value) == Some(0.0) {
        return None;
    }
    let (first, ops) = body.finish(value);
    // Once more from the start, now that all guards are known.
    let mut body = Body::new(g, extents, true);
    for guard in first.into_iter().chain(tests) {
        body.guard(guard);
    }
    let value = body.append(&ops);
    (body.as_constant(value) != Some(0.0)).then(|| body.finish(value))
}

/// `value` where all conditions hold, else 0. A later condition is looked at only where the earlier ones hold.
fn wrap(body: &mut Body, conds: &[Val], value: Val) -> Val {
    conds.iter().rev().fold(value, |value, &c| {
        let zero = body.constant(0.0);
        body.select(c, value, zero)
    })
}

/// The reverse sweep over one body, emitting into another.
struct Backward<'a, 'g> {
    body: Body<'g>,
    points: &'a Points,
    seed: &'a Seed,
    vars: &'a [Index],
    at: Vec<Index>,
    /// Forward values that were emitted already.
    values: Vec<Option<Val>>,
}

/// Conditions of the new body and the adjoint where they hold; elsewhere it is 0.
type Adjoint = (Vec<Val>, Val);

impl Backward<'_, '_> {
    /// The adjoint of operation `k`.
    fn run(&mut self, k: usize) -> Option<Adjoint> {
        let ops = &self.points.body;
        let mut depends = vec![false; ops.len()];
        depends[k] = true;
        for i in k + 1..ops.len() {
            let mut d = false;
            ops[i].operands(&mut |v| d |= depends[v.0 as usize]);
            depends[i] = d;
        }
        let mut adjoints: Vec<Vec<Adjoint>> = vec![Vec::new(); ops.len()];
        let first = self.first();
        adjoints[ops.len() - 1].push((Vec::new(), first));
        for i in (k + 1..ops.len()).rev() {
            if !depends[i] {
                continue;
            }
            let Some((conds, a)) = self.merge(std::mem::take(&mut adjoints[i])) else { continue };
            for (v, cond, value) in self.partials(i, a, &depends) {
                if self.body.as_constant(value) != Some(0.0) {
                    let mut conds = conds.clone();
                    conds.extend(cond);
                    adjoints[v.0 as usize].push((conds, value));
                }
            }
        }
        self.merge(std::mem::take(&mut adjoints[k]))
    }

    fn first(&mut self) -> Val {
        let grad = self.body.read_inside(self.seed.grad, self.at.clone());
        let Some((zeros, product)) = self.seed.product else { return grad };
        // The product of the other factors: 0 if one of them is, else without this one.
        let x = self.value(Val(self.points.body.len() as u32 - 1));
        let zeros = self.body.read_inside(zeros, self.at.clone());
        let product = self.body.read_inside(product, self.at.clone());
        let b = &mut self.body;
        let (zero, one) = (b.constant(0.0), b.constant(1.0));
        let none = b.compare(CompareOp::Eq, zeros, zero);
        let single = b.compare(CompareOp::Eq, zeros, one);
        let is_zero = b.compare(CompareOp::Eq, x, zero);
        let without = b.div(product, x);
        let without = b.select(none, without, zero);
        let alone = b.select(single, product, zero);
        let others = b.select(is_zero, alone, without);
        b.mul(grad, others)
    }

    /// The sum of adjoints, under the conditions that they have in common.
    fn merge(&mut self, list: Vec<Adjoint>) -> Option<Adjoint> {
        let common: Vec<Val> =
            list.first()?.0.iter().copied().filter(|c| list.iter().all(|(cs, _)| cs.contains(c))).collect();
        let mut total: Option<Val> = None;
        for (conds, value) in list {
            let extra: Vec<Val> = conds.into_iter().filter(|c| !common.contains(c)).collect();
            let value = wrap(&mut self.body, &extra, value);
            total = Some(total.map_or(value, |t| self.body.add(t, value)));
        }
        total.map(|t| (common, t))
    }

    /// A forward value: computed again, or read back where that is cheaper.
    fn value(&mut self, v: Val) -> Val {
        let i = v.0 as usize;
        if let Some(done) = self.values[i] {
            return done;
        }
        let op = self.points.body[i].clone();
        let val = match (self.seed.own, is_costly(&op)) {
            (Some(own), true) if i + 1 == self.points.body.len() => self.body.read_inside(own, self.at.clone()),
            _ => {
                let vars = self.vars;
                let op = op.substitute(&mut |v| vars[v].clone()).with_operands(&mut |v| self.value(v));
                self.body.push(op)
            }
        };
        self.values[i] = Some(val);
        val
    }

    /// `(operand, condition, adjoint)` for the operands of operation `i` that matter.
    fn partials(&mut self, i: usize, a: Val, depends: &[bool]) -> Vec<(Val, Option<Val>, Val)> {
        let own = Val(i as u32);
        let wanted = |v: Val| depends[v.0 as usize];
        match self.points.body[i].clone() {
            Op::Const(_) | Op::Read(..) | Op::Index(_) | Op::Test(_) | Op::Compare(..) => Vec::new(),
            Op::Unary(op, x) => self.unary(op, x, own, a).map(|d| (x, None, d)).into_iter().collect(),
            Op::Binary(op, x, y) => {
                let mut out = Vec::new();
                if wanted(x) {
                    out.extend(self.left(op, x, y, a).map(|(c, d)| (x, c, d)));
                }
                if wanted(y) {
                    out.extend(self.right(op, x, y, own, a).map(|(c, d)| (y, c, d)));
                }
                out
            }
            Op::Select(c, x, y) => {
                let mut out = Vec::new();
                let holds = self.value(c);
                if wanted(x) {
                    out.push((x, Some(holds), a));
                }
                if wanted(y) {
                    out.push((y, Some(self.body.unary(UnaryOp::Not, holds)), a));
                }
                out
            }
        }
    }

    fn unary(&mut self, op: UnaryOp, x: Val, own: Val, a: Val) -> Option<Val> {
        let needs_own = matches!(
            op,
            UnaryOp::Exp | UnaryOp::Rsqrt | UnaryOp::Tanh | UnaryOp::Sigmoid | UnaryOp::Sqrt | UnaryOp::Tan
        );
        let v = if needs_own { self.value(own) } else { self.value(x) };
        let b = &mut self.body;
        Some(match op {
            UnaryOp::Neg => b.unary(UnaryOp::Neg, a),
            UnaryOp::Exp => b.mul(a, v),
            UnaryOp::Log => b.div(a, v),
            UnaryOp::Sqrt => {
                let half = b.scale(a, 0.5);
                b.div(half, v)
            }
            UnaryOp::Rsqrt => {
                let square = b.mul(v, v);
                let cube = b.mul(square, v);
                let d = b.scale(cube, -0.5);
                b.mul(a, d)
            }
            UnaryOp::Tanh => {
                let (one, square) = (b.constant(1.0), b.mul(v, v));
                let d = b.sub(one, square);
                b.mul(a, d)
            }
            UnaryOp::Sigmoid => {
                let one = b.constant(1.0);
                let other = b.sub(one, v);
                let d = b.mul(v, other);
                b.mul(a, d)
            }
            UnaryOp::Erf => {
                let square = b.mul(v, v);
                let square = b.unary(UnaryOp::Neg, square);
                let bell = b.unary(UnaryOp::Exp, square);
                let d = b.scale(bell, 2.0 / std::f64::consts::PI.sqrt());
                b.mul(a, d)
            }
            UnaryOp::Sin => {
                let d = b.unary(UnaryOp::Cos, v);
                b.mul(a, d)
            }
            UnaryOp::Cos => {
                let d = b.unary(UnaryOp::Sin, v);
                let d = b.unary(UnaryOp::Neg, d);
                b.mul(a, d)
            }
            UnaryOp::Tan => {
                let (one, square) = (b.constant(1.0), b.mul(v, v));
                let d = b.add(one, square);
                b.mul(a, d)
            }
            UnaryOp::Asin | UnaryOp::Acos => {
                let (one, square) = (b.constant(1.0), b.mul(v, v));
                let d = b.sub(one, square);
                let d = b.unary(UnaryOp::Rsqrt, d);
                let d = b.mul(a, d);
                if op == UnaryOp::Asin { d } else { b.unary(UnaryOp::Neg, d) }
            }
            UnaryOp::Atan => {
                let (one, square) = (b.constant(1.0), b.mul(v, v));
                let d = b.add(one, square);
                b.div(a, d)
            }
            UnaryOp::Abs => {
                let zero = b.constant(0.0);
                let (plus, minus) = (b.compare(CompareOp::Lt, zero, v), b.compare(CompareOp::Lt, v, zero));
                let neg = b.unary(UnaryOp::Neg, a);
                let below = b.select(minus, neg, zero);
                b.select(plus, a, below)
            }
            UnaryOp::Floor | UnaryOp::Not => return None,
        })
    }

    fn left(&mut self, op: BinaryOp, x: Val, y: Val, a: Val) -> Option<(Option<Val>, Val)> {
        Some(match op {
            BinaryOp::Add | BinaryOp::Sub => (None, a),
            BinaryOp::Mul => {
                let y = self.value(y);
                (None, self.body.mul(a, y))
            }
            BinaryOp::Div => {
                let y = self.value(y);
                (None, self.body.div(a, y))
            }
            BinaryOp::Pow => {
                let (base, exponent) = (self.value(x), self.value(y));
                let b = &mut self.body;
                let one = b.constant(1.0);
                let less = b.sub(exponent, one);
                let power = b.binary(BinaryOp::Pow, base, less);
                let d = b.mul(power, exponent);
                let d = b.mul(a, d);
                // A zeroth power is constant, also at 0, where the formula has an infinite factor.
                let zero = b.constant(0.0);
                let flat = b.compare(CompareOp::Eq, exponent, zero);
                (None, b.select(flat, zero, d))
            }
            BinaryOp::Max | BinaryOp::Min => {
                let (x, y) = (self.value(x), self.value(y));
                let (low, high) = if op == BinaryOp::Max { (y, x) } else { (x, y) };
                (Some(self.body.compare(CompareOp::Lt, low, high)), a)
            }
            BinaryOp::And | BinaryOp::Or => return None,
        })
    }

    fn right(&mut self, op: BinaryOp, x: Val, y: Val, own: Val, a: Val) -> Option<(Option<Val>, Val)> {
        Some(match op {
            BinaryOp::Add => (None, a),
            BinaryOp::Sub => (None, self.body.unary(UnaryOp::Neg, a)),
            BinaryOp::Mul => {
                let x = self.value(x);
                (None, self.body.mul(a, x))
            }
            BinaryOp::Div => {
                let (quotient, y) = (self.value(own), self.value(y));
                let b = &mut self.body;
                let d = b.div(quotient, y);
                let d = b.mul(a, d);
                (None, b.unary(UnaryOp::Neg, d))
            }
            BinaryOp::Pow => {
                let (base, power) = (self.value(x), self.value(own));
                let b = &mut self.body;
                let log = b.unary(UnaryOp::Log, base);
                let d = b.mul(power, log);
                let d = b.mul(a, d);
                let zero = b.constant(0.0);
                let positive = b.compare(CompareOp::Ne, base, zero);
                (None, b.select(positive, d, zero))
            }
            BinaryOp::Max | BinaryOp::Min => {
                let strict = self.body_is_constant(x);
                let (x, y) = (self.value(x), self.value(y));
                let (low, high) = if op == BinaryOp::Max { (x, y) } else { (y, x) };
                let compare = if strict { CompareOp::Lt } else { CompareOp::Le };
                (Some(self.body.compare(compare, low, high)), a)
            }
            BinaryOp::And | BinaryOp::Or => return None,
        })
    }

    fn body_is_constant(&self, v: Val) -> bool {
        matches!(self.points.body[v.0 as usize], Op::Const(_))
    }
}

/// Whether computing an operation again costs more than reading its result.
pub(super) fn is_costly(op: &Op) -> bool {
    match op {
        Op::Unary(op, _) => !matches!(op, UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Floor | UnaryOp::Not),
        Op::Binary(op, ..) => matches!(op, BinaryOp::Pow | BinaryOp::Div),
        Op::Const(_) | Op::Read(..) | Op::Index(_) | Op::Test(_) | Op::Compare(..) | Op::Select(..) => false,
    }
}
