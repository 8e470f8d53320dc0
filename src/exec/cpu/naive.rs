//! The meaning of the tensor IR, element by element in f64: what the tests compare with.

use std::collections::BTreeMap;

use crate::graph::ir::draw;
use crate::graph::{Atom, BinaryOp, CompareOp, Graph, Guard, Index, Kind, NodeId, Op, ReduceOp, Role, UnaryOp};

/// The values of all nodes, row-major.
pub struct Naive<'a> {
    pub graph: &'a Graph,
    pub values: Vec<Vec<f64>>,
}

pub fn erf(x: f64) -> f64 {
    // The Maclaurin series converges everywhere; beyond 5 the value is 1 in f32.
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut sum, mut term) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

impl Naive<'_> {
    pub fn run<'a>(graph: &'a Graph, given: &BTreeMap<String, Vec<f64>>, seed: u64, step: u64) -> Naive<'a> {
        let mut n = Naive { graph, values: Vec::new() };
        for id in graph.ids() {
            let v = n.node(id, given, seed, step);
            n.values.push(v);
        }
        n
    }

    fn linear(&self, t: NodeId, at: &[i64]) -> Option<usize> {
        let shape = &self.graph.node(t).shape;
        at.iter().zip(shape).try_fold(0, |l, (&i, &n)| (i >= 0 && i < n as i64).then(|| l * n + i as usize))
    }

    fn index(&self, i: &Index, v: &[usize]) -> i64 {
        let atom = |a: &Atom| match a {
            Atom::Var(x) => v[*x as usize] as i64,
            Atom::Div(i, n) => self.index(i, v).div_euclid(*n),
            Atom::Mod(i, n) => self.index(i, v).rem_euclid(*n),
            Atom::Load(t, at) => {
                let at: Vec<i64> = at.iter().map(|i| self.index(i, v)).collect();
                self.values[t.0 as usize][self.linear(*t, &at).expect("loads are inside")] as i64
            }
        };
        i.constant + i.terms.iter().map(|(a, c)| c * atom(a)).sum::<i64>()
    }

    fn holds(&self, g: &Guard, v: &[usize]) -> bool {
        let x = self.index(g.index(), v);
        match g {
            Guard::InRange(_, n) => x >= 0 && x < *n as i64,
            Guard::Zero(_) => x == 0,
        }
    }

    fn body(&self, ops: &[Op], v: &[usize]) -> f64 {
        let mut vals: Vec<f64> = Vec::new();
        for op in ops {
            let of = |x: &crate::graph::Val| vals[x.0 as usize];
            let bit = f64::from;
            vals.push(match op {
                Op::Const(c) => *c,
                Op::Read(t, at) => {
                    let at: Vec<i64> = at.iter().map(|i| self.index(i, v)).collect();
                    self.linear(*t, &at).map_or(f64::NAN, |l| self.values[t.0 as usize][l])
                }
                Op::Index(i) => self.index(i, v) as f64,
                Op::Test(g) => bit(u8::from(self.holds(g, v))),
                Op::Unary(op, x) => {
                    let x = of(x);
                    match op {
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
                        UnaryOp::Not => 1.0 - x,
                    }
                }
                Op::Binary(op, x, y) => {
                    let (x, y) = (of(x), of(y));
                    match op {
                        BinaryOp::Add => x + y,
                        BinaryOp::Sub => x - y,
                        BinaryOp::Mul => x * y,
                        BinaryOp::Div => x / y,
                        BinaryOp::Pow => x.powf(y),
                        BinaryOp::Max if x.is_nan() || y.is_nan() => f64::NAN,
                        BinaryOp::Min if x.is_nan() || y.is_nan() => f64::NAN,
                        BinaryOp::Max => x.max(y),
                        BinaryOp::Min => x.min(y),
                        BinaryOp::And => x * y,
                        BinaryOp::Or => x.max(y),
                    }
                }
                Op::Compare(op, x, y) => {
                    let (x, y) = (of(x), of(y));
                    bit(u8::from(match op {
                        CompareOp::Lt => x < y,
                        CompareOp::Le => x <= y,
                        CompareOp::Eq => x == y,
                        CompareOp::Ne => x != y,
                    }))
                }
                Op::Select(c, x, y) => {
                    if of(c) == 0.0 {
                        of(y)
                    } else {
                        of(x)
                    }
                }
            });
        }
        *vals.last().unwrap()
    }

    fn node(&self, id: NodeId, given: &BTreeMap<String, Vec<f64>>, seed: u64, step: u64) -> Vec<f64> {
        let node = self.graph.node(id);
        match &node.kind {
            Kind::Input(i) => match i.role {
                Role::Knob(x) => given.get(&i.name).cloned().unwrap_or(vec![x; node.len()]),
                _ => given[&i.name].clone(),
            },
            Kind::Reshape(x) => self.values[x.0 as usize].clone(),
            Kind::Random { stream } => {
                (0..node.len()).map(|i| f64::from(draw(seed, *stream, step, i as u64))).collect()
            }
            Kind::Concat { inputs, axis } => {
                let mut out = vec![0.0; node.len()];
                let mut start = 0;
                for t in inputs {
                    let shape = &self.graph.node(*t).shape;
                    points(shape, |l, v| {
                        let mut at: Vec<i64> = v.iter().map(|&x| x as i64).collect();
                        at[*axis] += start;
                        out[self.linear(id, &at).unwrap()] = self.values[t.0 as usize][l];
                    });
                    start += shape[*axis] as i64;
                }
                out
            }
            Kind::Scatter(s) => {
                let mut out = vec![0.0; node.len()];
                points(&s.extents, |_, v| {
                    let at: Vec<i64> = s.target.iter().map(|i| self.index(i, v)).collect();
                    if let (true, Some(l)) = (s.guards.iter().all(|g| self.holds(g, v)), self.linear(id, &at)) {
                        out[l] += self.body(&s.body, v);
                    }
                });
                out
            }
            Kind::Equation(e) | Kind::Arg(e) => {
                let arg = matches!(node.kind, Kind::Arg(_));
                let mut out = vec![0.0; node.len()];
                points(&node.shape, |l, v| {
                    let Some(r) = &e.reduce else {
                        if e.guards.iter().all(|g| self.holds(g, v)) {
                            out[l] = self.body(&e.body, v);
                        }
                        return;
                    };
                    let mut left: Vec<(f64, f64)> = Vec::new();
                    points(&r.extents, |k, w| {
                        let all = [v, w].concat();
                        if e.guards.iter().all(|g| self.holds(g, &all)) {
                            left.push((self.body(&e.body, &all), k as f64));
                        }
                    });
                    let nan = left.iter().find(|x| x.0.is_nan()).copied();
                    let best = |sign: f64| {
                        nan.unwrap_or(left.iter().fold((f64::NAN, -1.0), |b, x| {
                            if b.0.is_nan() || x.0 * sign > b.0 * sign { *x } else { b }
                        }))
                    };
                    let extreme = |sign| {
                        let b = best(sign);
                        if arg { b.1 } else { b.0 }
                    };
                    out[l] = match (r.op, left.len()) {
                        (_, 0) => {
                            if arg {
                                -1.0
                            } else {
                                0.0
                            }
                        }
                        (ReduceOp::Sum, _) => left.iter().map(|x| x.0).sum(),
                        (ReduceOp::Mean, n) => left.iter().map(|x| x.0).sum::<f64>() / n as f64,
                        (ReduceOp::Prod, _) => left.iter().map(|x| x.0).product(),
                        (ReduceOp::Max, _) => extreme(1.0),
                        (ReduceOp::Min, _) => extreme(-1.0),
                    };
                });
                out
            }
        }
    }
}

/// Calls `f(linear, point)` for all points in row-major order.
pub fn points(shape: &[usize], mut f: impl FnMut(usize, &[usize])) {
    let mut at = vec![0; shape.len()];
    for l in 0..shape.iter().product() {
        f(l, &at);
        for a in (0..at.len()).rev() {
            at[a] += 1;
            if at[a] < shape[a] {
                break;
            }
            at[a] = 0;
        }
    }
}
