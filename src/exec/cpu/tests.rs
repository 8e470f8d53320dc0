//! Random graphs and the field's layers, against [`super::naive`].

use std::collections::BTreeMap;

use super::naive::{Naive, erf};
use super::*;
use crate::base::rng::Stream;
use crate::exec::{Data, Tensor};
use crate::graph::{
    Atom, BinaryOp, CompareOp, Equation, Guard, Index, Init, Input, Kind, Node, NodeId, Op, Reduce, ReduceOp, Role,
    Scatter, UnaryOp, Val,
};

/// A graph under construction.
#[derive(Default)]
pub struct G(pub Graph);

pub fn v(k: usize) -> Index {
    Index::var(k)
}

pub fn c(k: i64) -> Index {
    Index::constant(k)
}

pub fn vars(n: usize) -> Vec<Index> {
    (0..n).map(Index::var).collect()
}

impl G {
    fn node(&mut self, kind: Kind, shape: &[usize], example: Option<u8>, dtype: DType) -> NodeId {
        let label = format!("n{}", self.0.nodes.len());
        self.0.push(Node { kind, shape: shape.to_vec(), dtype, example, label })
    }
    pub fn data(&mut self, name: &str, shape: &[usize]) -> NodeId {
        let i = Input { name: name.into(), role: Role::Data };
        self.node(Kind::Input(i), shape, Some(0), DType::Float)
    }
    pub fn labels(&mut self, name: &str, shape: &[usize]) -> NodeId {
        let i = Input { name: name.into(), role: Role::Data };
        self.node(Kind::Input(i), shape, Some(0), DType::Int)
    }
    pub fn param(&mut self, name: &str, shape: &[usize]) -> NodeId {
        let i = Input { name: name.into(), role: Role::Param(Init::Normal(0.3)) };
        self.node(Kind::Input(i), shape, None, DType::Float)
    }
    pub fn knob(&mut self, name: &str, x: f64) -> NodeId {
        let i = Input { name: name.into(), role: Role::Knob(x) };
        self.node(Kind::Input(i), &[], None, DType::Float)
    }
    pub fn eq(
        &mut self,
        shape: &[usize],
        ex: Option<u8>,
        r: Option<(ReduceOp, &[usize])>,
        guards: Vec<Guard>,
        body: Vec<Op>,
    ) -> NodeId {
        let reduce = r.map(|(op, e)| Reduce { op, extents: e.to_vec() });
        self.node(Kind::Equation(Equation { reduce, guards, body }), shape, ex, DType::Float)
    }
    pub fn arg(
        &mut self,
        shape: &[usize],
        ex: Option<u8>,
        r: (ReduceOp, &[usize]),
        guards: Vec<Guard>,
        body: Vec<Op>,
    ) -> NodeId {
        let reduce = Some(Reduce { op: r.0, extents: r.1.to_vec() });
        self.node(Kind::Arg(Equation { reduce, guards, body }), shape, ex, DType::Int)
    }
    pub fn map(&mut self, x: NodeId, f: impl FnOnce(&mut Vec<Op>)) -> NodeId {
        let (shape, ex) = (self.0.node(x).shape.clone(), self.0.node(x).example);
        let mut body = vec![Op::read(x, vars(shape.len()))];
        f(&mut body);
        self.eq(&shape, ex, None, vec![], body)
    }
    pub fn zip(&mut self, x: NodeId, y: NodeId, op: BinaryOp) -> NodeId {
        let (shape, ex) = (self.0.node(x).shape.clone(), self.0.node(x).example);
        let at = vars(shape.len());
        let other = if self.0.node(y).shape.is_empty() { vec![] } else { at.clone() };
        self.eq(&shape, ex, None, vec![], vec![Op::read(x, at), Op::read(y, other), Op::Binary(op, Val(0), Val(1))])
    }
    pub fn reshape(&mut self, x: NodeId, shape: &[usize], ex: Option<u8>) -> NodeId {
        let dtype = self.0.node(x).dtype;
        self.node(Kind::Reshape(x), shape, ex, dtype)
    }
    pub fn out(&mut self, x: NodeId) {
        let name = format!("out{}", self.0.outputs.len());
        self.0.outputs.push((name, x));
    }
    /// y[n, o, i, j] = sum[c, u, v] x[n, g * C + c, i * s + u * d - p, ..] * w[o, c, u, v]
    pub fn conv(&mut self, x: NodeId, w: NodeId, stride: usize, dilation: usize, groups: usize) -> NodeId {
        let (xs, ws) = (self.0.node(x).shape.clone(), self.0.node(w).shape.clone());
        let (k, l) = (ws[2], ws[3]);
        let out = |n: usize| n.div_ceil(stride);
        let (s, d) = (stride as i64, dilation as i64);
        let pad = |k: usize| (k as i64 - 1) * d / 2;
        let row = v(2).times(s).plus(&v(5), d).plus(&c(pad(k)), -1);
        let col = v(3).times(s).plus(&v(6), d).plus(&c(pad(l)), -1);
        let per = ws[0] / groups;
        let channel = if groups == 1 { v(4) } else { v(1).div(per as i64).times(ws[1] as i64).plus(&v(4), 1) };
        let guards = vec![Guard::InRange(row.clone(), xs[2]), Guard::InRange(col.clone(), xs[3])];
        let body = vec![
            Op::read(x, vec![v(0), channel, row, col]),
            Op::read(w, vec![v(1), v(4), v(5), v(6)]),
            Op::Binary(BinaryOp::Mul, Val(0), Val(1)),
        ];
        self.eq(&[xs[0], ws[0], out(xs[2]), out(xs[3])], Some(0), Some((ReduceOp::Sum, &ws[1..])), guards, body)
    }
}

/// Random values for the inputs of a graph.
pub fn inputs(g: &Graph, seed: u64) -> BTreeMap<String, Tensor> {
    let mut s = Stream::new(seed, "inputs");
    g.inputs()
        .filter(|(_, i)| !matches!(i.role, Role::Knob(_)))
        .map(|(id, i)| {
            let n = g.node(id);
            let t = match n.dtype {
                DType::Float => Tensor::float(&n.shape, (0..n.len()).map(|_| s.normal() as f32).collect()),
                DType::Int => Tensor::int(&n.shape, (0..n.len()).map(|_| s.below(5) as i32).collect()),
            };
            (i.name.clone(), t)
        })
        .collect()
}

fn wide(t: &Tensor) -> Vec<f64> {
    match &t.data {
        Data::Float(v) => v.iter().map(|&x| f64::from(x)).collect(),
        Data::Int(v) => v.iter().map(|&x| f64::from(x)).collect(),
    }
}

fn close(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len());
    let scale = want.iter().filter(|x| x.is_finite()).fold(1.0f64, |m, x| m.max(x.abs()));
    for (i, (a, b)) in got.iter().zip(want).enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * scale;
        assert!(same, "{what}, element {i}: {a} instead of {b}");
    }
}

/// On one thread and on some.
fn agree_in_all_ways(g: &Graph, values: &BTreeMap<String, Tensor>, tolerance: f64) {
    agree_with(&Cpu::new(), g, values, tolerance);
    agree_with(&Cpu::new().with_threads(3), g, values, tolerance);
}

/// Runs the graph twice on `cpu` and once naively, and compares outputs and updates.
pub fn agree_with(cpu: &Cpu, g: &Graph, values: &BTreeMap<String, Tensor>, tolerance: f64) {
    let mut p = cpu.compile(g).unwrap();
    for _ in 0..2 {
        let mut m = cpu.memory();
        let mut data = Vec::new();
        for (_, i) in g.inputs() {
            match i.role {
                Role::Data => data.push((i.name.as_str(), &values[&i.name])),
                Role::Knob(_) => {}
                _ => m.set(&i.name, &values[&i.name]),
            }
        }
        let feed = Feed { data, seed: 7, step: 3, ..Feed::default() };
        let outs = p.run(&feed, m.as_mut()).unwrap();
        let given = values.iter().map(|(k, t)| (k.clone(), wide(t))).collect();
        let naive = Naive::run(g, &given, 7, 3);
        for (o, (name, id)) in outs.iter().zip(&g.outputs) {
            assert_eq!(o.shape, g.node(*id).shape);
            close(&wide(o), &naive.values[id.0 as usize], tolerance, &format!("{name}\n{}", p.describe()));
        }
        for (input, value) in &g.updates {
            let Kind::Input(i) = &g.node(*input).kind else { panic!() };
            close(&wide(&m.get(&i.name).unwrap()), &naive.values[value.0 as usize], tolerance, &i.name);
        }
    }
}

pub fn agree(g: &Graph) {
    agree_in_all_ways(g, &inputs(g, 1), 2e-6);
}

#[test]
fn convolutions_with_padding_stride_dilation_and_groups() {
    for n in [1, 3, 29, 64] {
        for (k, stride, dilation, groups) in
            [(3, 1, 1, 1), (3, 2, 1, 1), (3, 1, 2, 1), (5, 2, 2, 2), (1, 1, 1, 1), (1, 2, 1, 4), (3, 1, 1, 4)]
        {
            let mut g = G::default();
            let x = g.data("x", &[n, 4, 7, 6]);
            let w = g.param("w", &[8, 4 / groups, k, k]);
            let y = g.conv(x, w, stride, dilation, groups);
            g.out(y);
            agree(&g.0);
        }
    }
}

#[test]
fn pooling_counts_only_what_is_inside() {
    for n in [1, 29] {
        for op in [ReduceOp::Max, ReduceOp::Min, ReduceOp::Mean, ReduceOp::Sum, ReduceOp::Prod] {
            for stride in [1, 2, 5] {
                let mut g = G::default();
                let x = g.data("x", &[n, 3, 5, 6]);
                let row = v(2).times(stride).plus(&v(4), 1).plus(&c(1), -1);
                let col = v(3).times(stride).plus(&v(5), 1).plus(&c(1), -1);
                let guards = vec![Guard::InRange(row.clone(), 5), Guard::InRange(col.clone(), 6)];
                let body = vec![Op::read(x, vec![v(0), v(1), row, col])];
                let y = g.eq(&[n, 3, 4, 4], Some(0), Some((op, &[3, 3])), guards.clone(), body.clone());
                g.out(y);
                if matches!(op, ReduceOp::Max | ReduceOp::Min) {
                    let a = g.arg(&[n, 3, 4, 4], Some(0), (op, &[3, 3]), guards, body);
                    g.out(a);
                }
                agree(&g.0);
            }
        }
    }
}

#[test]
fn reductions_over_examples_ignore_the_padding() {
    for n in [1, 3, 16, 29, 64] {
        for op in [ReduceOp::Max, ReduceOp::Mean, ReduceOp::Sum, ReduceOp::Prod, ReduceOp::Min] {
            let mut g = G::default();
            let x = g.data("x", &[n, 3, 5, 2]);
            // Makes the padding infinite.
            let inv = g.map(x, |b| {
                b.push(Op::Const(0.01));
                b.push(Op::Unary(UnaryOp::Abs, Val(0)));
                b.push(Op::Binary(BinaryOp::Add, Val(1), Val(2)));
                b.push(Op::Unary(UnaryOp::Log, Val(3)));
            });
            let s = g.eq(&[3], None, Some((op, &[n, 5, 2])), vec![], vec![Op::read(inv, vec![v(1), v(0), v(2), v(3)])]);
            let all = g.eq(&[], None, Some((op, &[n, 3, 5, 2])), vec![], vec![Op::read(inv, vars(4))]);
            g.out(s);
            g.out(all);
            g.out(inv);
            agree(&g.0);
        }
    }
}

#[test]
fn linear_layers_losses_and_embeddings() {
    for n in [1, 3, 29, 64] {
        let mut g = G::default();
        let x = g.data("x", &[n, 4, 3]);
        let label = g.labels("label", &[n]);
        let flat = g.reshape(x, &[n, 12], Some(0));
        let w = g.param("w", &[5, 12]);
        let y = g.eq(
            &[n, 5],
            Some(0),
            Some((ReduceOp::Sum, &[12])),
            vec![],
            vec![
                Op::read(flat, vec![v(0), v(2)]),
                Op::read(w, vec![v(1), v(2)]),
                Op::Binary(BinaryOp::Mul, Val(0), Val(1)),
            ],
        );
        let m = g.eq(&[n], Some(0), Some((ReduceOp::Max, &[5])), vec![], vec![Op::read(y, vars(2))]);
        let z = g.eq(
            &[n],
            Some(0),
            Some((ReduceOp::Sum, &[5])),
            vec![],
            vec![
                Op::read(y, vars(2)),
                Op::read(m, vars(1)),
                Op::Binary(BinaryOp::Sub, Val(0), Val(1)),
                Op::Unary(UnaryOp::Exp, Val(2)),
            ],
        );
        let at = Index::atom(Atom::Load(label, vec![v(0)]));
        let loss = g.eq(
            &[n],
            Some(0),
            None,
            vec![],
            vec![
                Op::read(z, vars(1)),
                Op::Unary(UnaryOp::Log, Val(0)),
                Op::read(m, vars(1)),
                Op::Binary(BinaryOp::Add, Val(1), Val(2)),
                Op::read(y, vec![v(0), at.clone()]),
                Op::Binary(BinaryOp::Sub, Val(3), Val(4)),
            ],
        );
        let mean = g.eq(&[], None, Some((ReduceOp::Mean, &[n])), vec![], vec![Op::read(loss, vars(1))]);
        let hit = g.arg(&[n], Some(0), (ReduceOp::Max, &[5]), vec![], vec![Op::read(y, vars(2))]);
        let table = g.param("table", &[5, 3]);
        let emb = g.eq(&[n, 3], Some(0), None, vec![], vec![Op::read(table, vec![at.clone(), v(1)])]);
        let back = g.node(
            Kind::Scatter(Scatter {
                extents: vec![n, 3],
                guards: vec![],
                target: vec![at.plus(&c(1), -1), v(1)],
                body: vec![Op::read(emb, vars(2))],
            }),
            &[4, 3],
            None,
            DType::Float,
        );
        for o in [y, loss, mean, hit, emb, back] {
            g.out(o);
        }
        agree(&g.0);
    }
}

#[test]
fn selects_protect_reads_and_indices_divide() {
    for n in [1, 5, 29] {
        let mut g = G::default();
        let x = g.data("x", &[n, 6, 7]);
        let shifted = v(2).plus(&c(2), -1);
        let y = g.eq(
            &[n, 6, 9],
            Some(0),
            None,
            vec![],
            vec![
                Op::Test(Guard::InRange(shifted.clone(), 7)),
                Op::read(x, vec![v(0), v(1), shifted.clone()]),
                Op::Const(-1.0),
                Op::Select(Val(0), Val(1), Val(2)),
            ],
        );
        let guarded = g.eq(
            &[n, 6, 9],
            Some(0),
            None,
            vec![Guard::InRange(shifted.clone(), 7)],
            vec![Op::read(x, vec![v(0), v(1), shifted.clone()])],
        );
        // Channel shuffle, and a window along the examples themselves.
        let shuffle = v(1).rem(2).times(3).plus(&v(1).div(2), 1);
        let z = g.eq(
            &[n, 6, 7],
            Some(0),
            None,
            vec![],
            vec![Op::read(x, vec![v(0), shuffle, v(2).times(-1).plus(&c(6), 1)])],
        );
        let before = v(0).plus(&c(1), -1);
        let e = g.eq(
            &[n, 6],
            Some(0),
            Some((ReduceOp::Sum, &[3])),
            vec![Guard::InRange(before.plus(&v(2), 1), n)],
            vec![
                Op::read(x, vec![before.plus(&v(2), 1), v(1), c(0)]),
                Op::Index(v(0)),
                Op::Binary(BinaryOp::Add, Val(0), Val(1)),
            ],
        );
        let turned = g.eq(
            &[n, 6],
            Some(0),
            None,
            vec![],
            vec![
                Op::read(x, vec![v(0).times(-1).plus(&c(n as i64 - 1), 1), v(1), c(3)]),
                Op::Test(Guard::Zero(v(0).plus(&v(1), 1).rem(3))),
                Op::Index(v(0)),
                Op::Select(Val(1), Val(0), Val(2)),
            ],
        );
        // Without examples: the vector loop runs along the last axis.
        let w = g.param("w", &[9, 23]);
        let s = g.eq(
            &[9, 23],
            None,
            None,
            vec![Guard::InRange(v(1).plus(&c(3), -1), 20)],
            vec![Op::read(w, vec![v(0), v(1).plus(&c(3), -1)]), Op::Unary(UnaryOp::Tanh, Val(0))],
        );
        let t = g.eq(&[23, 9], None, None, vec![], vec![Op::read(w, vec![v(1), v(0)])]);
        let sums = g.eq(&[9], None, Some((ReduceOp::Sum, &[23])), vec![], vec![Op::read(w, vec![v(0), v(1)])]);
        let stride2 = g.eq(
            &[9, 23],
            None,
            Some((ReduceOp::Sum, &[3])),
            vec![Guard::Zero(v(1).plus(&v(2), -1).rem(2)), Guard::InRange(v(1).plus(&v(2), -1).div(2), 11)],
            vec![Op::read(w, vec![v(0), v(1).plus(&v(2), -1).div(2)])],
        );
        for o in [y, guarded, z, e, turned, s, t, sums, stride2] {
            g.out(o);
        }
        agree(&g.0);
    }
}

#[test]
fn concats_reshapes_and_draws() {
    for n in [1, 29] {
        let mut g = G::default();
        let x = g.data("x", &[n, 2, 5]);
        let y = g.data("y", &[n, 3, 5]);
        let z = g.node(Kind::Concat { inputs: vec![x, y, x], axis: 1 }, &[n, 7, 5], Some(0), DType::Float);
        let b = g.node(Kind::Concat { inputs: vec![x, x], axis: 0 }, &[2 * n, 2, 5], Some(0), DType::Float);
        let r = g.reshape(z, &[n, 5, 7], Some(0));
        let q = g.reshape(z, &[n * 7, 5], None);
        let r2 = g.map(r, |b| b.push(Op::Unary(UnaryOp::Neg, Val(0))));
        let u = g.node(Kind::Random { stream: 5 }, &[n, 4], Some(0), DType::Float);
        let t = g.node(Kind::Random { stream: 6 }, &[3], None, DType::Float);
        for o in [z, b, r, q, r2, u, t] {
            g.out(o);
        }
        agree_in_all_ways(&g.0, &inputs(&g.0, 2), 0.0);
    }
}

#[test]
fn updates_take_effect_at_the_end() {
    let mut g = G::default();
    let names = ["w", "m", "a", "b", "r"];
    let [w, m, a, b, r] = names.map(|s| g.param(s, &[37]));
    let grad = g.map(w, |ops| ops.push(Op::Unary(UnaryOp::Sin, Val(0))));
    let lr = g.knob("lr", 0.1);
    let decayed = g.map(m, |ops| {
        ops.push(Op::Const(0.9));
        ops.push(Op::Binary(BinaryOp::Mul, Val(0), Val(1)));
    });
    let m2 = g.zip(decayed, grad, BinaryOp::Add);
    let step = g.zip(m2, lr, BinaryOp::Mul);
    let w2 = g.zip(w, step, BinaryOp::Sub);
    let turned = g.eq(&[37], None, None, vec![], vec![Op::read(r, vec![v(0).times(-1).plus(&c(36), 1)])]);
    let late = g.zip(w, w2, BinaryOp::Add);
    g.out(late);
    // `a` and `b` change places; `r` is reversed.
    g.0.updates = vec![(w, w2), (m, m2), (a, b), (b, a), (r, turned)];
    agree(&g.0);
}

#[test]
fn functions_are_accurate_everywhere() {
    let mut xs: Vec<f32> = vec![
        0.0,
        -0.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        1.0,
        -1.0,
        88.7,
        88.8,
        -87.3,
        -87.4,
        1e30,
        -1e30,
        3.9,
        4.1,
    ];
    xs.extend((0..4000).map(|i| (i as f32 - 2000.0) * 0.01));
    xs.extend((0..400).map(|i| (i as f32 - 200.0) * 0.5));
    xs.extend((0..200).map(|i| 1.13f32.powi(i - 100)));
    xs.extend((0..200).map(|i| -(1.13f32.powi(i - 100))));
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let all: [(UnaryOp, fn(f64) -> f64, f64); 14] = [
        (UnaryOp::Exp, f64::exp, 2.0),
        (UnaryOp::Log, f64::ln, 2.0),
        (UnaryOp::Tanh, f64::tanh, 3.0),
        (UnaryOp::Sigmoid, sigmoid, 4.0),
        (UnaryOp::Erf, erf, 3.0),
        (UnaryOp::Sqrt, f64::sqrt, 1.0),
        (UnaryOp::Rsqrt, |x| 1.0 / x.sqrt(), 2.0),
        (UnaryOp::Sin, f64::sin, 1.0),
        (UnaryOp::Cos, f64::cos, 1.0),
        (UnaryOp::Tan, f64::tan, 2.0),
        (UnaryOp::Asin, f64::asin, 2.0),
        (UnaryOp::Acos, f64::acos, 2.0),
        (UnaryOp::Atan, f64::atan, 2.0),
        (UnaryOp::Floor, f64::floor, 0.0),
    ];
    for scalar in [false, true] {
        for (op, exact, ulps) in all {
            let mut g = G::default();
            let x = g.param("x", &[xs.len()]);
            // An innermost loop of three iterations is scalar.
            let shape = if scalar { vec![xs.len(), 3] } else { vec![xs.len()] };
            let y = g.eq(&shape, None, None, vec![], vec![Op::read(x, vec![v(0)]), Op::Unary(op, Val(0))]);
            g.out(y);
            let cpu = Cpu::new();
            let mut m = cpu.memory();
            m.set("x", &Tensor::float(&[xs.len()], xs.clone()));
            let out = cpu.compile(&g.0).unwrap().run(&Feed::default(), m.as_mut()).unwrap();
            for (x, y) in xs.iter().zip(out[0].floats().iter().step_by(if scalar { 3 } else { 1 })) {
                let want = exact(f64::from(*x)) as f32;
                if want.is_nan() {
                    assert!(y.is_nan(), "{op:?}({x}) = {y}");
                    continue;
                }
                let want = if want.is_subnormal() { 0.0 } else { want };
                let ulp = f64::from(f32::from_bits(want.abs().to_bits() + 1)) - f64::from(want.abs());
                let error = if *y == want { 0.0 } else { (f64::from(*y) - exact(f64::from(*x))).abs() / ulp };
                assert!(error <= ulps + 0.5, "{op:?}({x}) = {y}, not {want}: {error} ulps ({scalar})");
            }
        }
    }
}

#[test]
fn nan_and_infinity_follow_the_ir() {
    let spicy = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1.0, -2.0];
    let mut g = G::default();
    let (x, y) = (g.data("x", &[29, 3]), g.data("y", &[29, 3]));
    for op in [BinaryOp::Max, BinaryOp::Min, BinaryOp::Add, BinaryOp::Div] {
        let z = g.zip(x, y, op);
        g.out(z);
    }
    for op in [CompareOp::Lt, CompareOp::Le, CompareOp::Eq, CompareOp::Ne] {
        let z = g.eq(
            &[29, 3],
            Some(0),
            None,
            vec![],
            vec![
                Op::read(x, vars(2)),
                Op::read(y, vars(2)),
                Op::Compare(op, Val(0), Val(1)),
                Op::Unary(UnaryOp::Not, Val(2)),
                Op::Const(1.0),
                Op::Const(2.0),
                Op::Select(Val(3), Val(4), Val(5)),
            ],
        );
        g.out(z);
    }
    for op in [ReduceOp::Max, ReduceOp::Min] {
        for (shape, ex, e, at) in [(vec![29], Some(0), 3, vec![v(0), v(1)]), (vec![3], None, 29, vec![v(1), v(0)])] {
            let z = g.eq(&shape, ex, Some((op, &[e])), vec![], vec![Op::read(x, at.clone())]);
            let a = g.arg(&shape, ex, (op, &[e]), vec![], vec![Op::read(x, at)]);
            g.out(z);
            g.out(a);
        }
    }
    for (p, q) in [(2.0, 0.0), (-1.0, 0.0), (3.0, 0.0), (0.0, 0.0), (0.5, 0.0)] {
        let z = g.map(x, |b| {
            b.push(Op::Const(p + q));
            b.push(Op::Binary(BinaryOp::Pow, Val(0), Val(1)));
        });
        g.out(z);
    }
    let mut s = Stream::new(4, "spicy");
    let mut draw = || {
        Tensor::float(
            &[29, 3],
            (0..87).map(|_| if s.flip(0.5) { spicy[s.below(7)] } else { s.normal() as f32 }).collect(),
        )
    };
    let values = BTreeMap::from([("x".to_owned(), draw()), ("y".to_owned(), draw())]);
    agree_in_all_ways(&g.0, &values, 1e-6);
}

/// Random chains of elementwise equations and reductions, with shared operands and several readers.
#[test]
fn random_graphs_agree() {
    for seed in 0..60 {
        let mut s = Stream::new(seed, "graphs");
        let n = [1, 3, 16, 29, 64][s.below(5)];
        let shape = [n, 1 + s.below(4), 1 + s.below(6)];
        let mut g = G::default();
        let mut full = vec![g.data("x", &shape), g.data("y", &shape)];
        let mut channel = vec![g.param("p", &[shape[1]])];
        for _ in 0..14 {
            let x = full[s.below(full.len())];
            match s.below(5) {
                0 => full.push({
                    let y = full[s.below(full.len())];
                    g.zip(x, y, [BinaryOp::Add, BinaryOp::Mul, BinaryOp::Max, BinaryOp::Min][s.below(4)])
                }),
                1 => full.push(g.map(x, |b| {
                    b.push(Op::Unary([UnaryOp::Tanh, UnaryOp::Sigmoid, UnaryOp::Sin][s.below(3)], Val(0)));
                })),
                2 => full.push({
                    let p = channel[s.below(channel.len())];
                    g.eq(
                        &shape,
                        Some(0),
                        None,
                        vec![],
                        vec![Op::read(x, vars(3)), Op::read(p, vec![v(1)]), Op::Binary(BinaryOp::Sub, Val(0), Val(1))],
                    )
                }),
                3 => channel.push(g.eq(
                    &[shape[1]],
                    None,
                    Some((ReduceOp::Mean, &[n, shape[2]])),
                    vec![],
                    vec![Op::read(x, vec![v(1), v(0), v(2)])],
                )),
                _ => full.push({
                    let i = v(2).plus(&v(3), 1).plus(&c(1), -1);
                    g.eq(
                        &shape,
                        Some(0),
                        Some((ReduceOp::Max, &[3])),
                        vec![Guard::InRange(i.clone(), shape[2])],
                        vec![Op::read(x, vec![v(0), v(1), i])],
                    )
                }),
            }
        }
        for _ in 0..4 {
            let o = full[s.below(full.len())];
            g.out(o);
        }
        g.out(*channel.last().unwrap());
        let p = channel[0];
        let next = *channel.last().unwrap();
        let next = g.zip(p, next, BinaryOp::Add);
        g.0.updates.push((p, next));
        agree_in_all_ways(&g.0, &inputs(&g.0, seed), 2e-5);
    }
}

#[test]
fn a_second_program_compiles_nothing() {
    let build = |extra: usize| {
        let mut g = G::default();
        if extra > 0 {
            let unused = g.data("unused", &[64, 3]);
            g.out(unused);
        }
        let x = g.data("x", &[64, 8, 8, 8]);
        let w = g.param("w", &[8, 8, 3, 3]);
        let y = g.conv(x, w, 1, 1, 1);
        let z = g.map(y, |b| b.push(Op::Unary(UnaryOp::Tanh, Val(0))));
        g.out(z);
        g.0
    };
    let cpu = Cpu::new();
    let _a = cpu.compile(&build(0)).unwrap();
    let first = cpu.stats();
    let _b = cpu.compile(&build(1)).unwrap();
    let second = cpu.stats();
    assert!(first.compiled >= 1 && first.hits == 0);
    assert_eq!((second.compiled, second.hits), (first.compiled, first.compiled));
}

#[test]
fn too_much_memory_is_refused_before_anything_runs() {
    let mut g = G::default();
    let x = g.data("x", &[64, 1024]);
    let y = g.map(x, |b| b.push(Op::Unary(UnaryOp::Neg, Val(0))));
    g.out(y);
    let Err(ExecError::Memory { needed, limit }) = Cpu::with_memory_limit(1000).compile(&g.0).map(|_| ()) else {
        panic!()
    };
    assert!(needed >= 64 * 1024 * 4 && limit == 1000);
    assert!(Cpu::with_memory_limit(1 << 20).compile(&g.0).is_ok());
}

#[test]
fn wrong_inputs_are_named() {
    let mut g = G::default();
    let x = g.data("x", &[4, 2]);
    let w = g.param("w", &[2]);
    let y = g.eq(
        &[4, 2],
        Some(0),
        None,
        vec![],
        vec![Op::read(x, vars(2)), Op::read(w, vec![v(1)]), Op::Binary(BinaryOp::Add, Val(0), Val(1))],
    );
    g.out(y);
    let cpu = Cpu::new();
    let mut p = cpu.compile(&g.0).unwrap();
    let mut m = cpu.memory();
    let e = p.run(&Feed::default(), m.as_mut()).unwrap_err();
    assert!(e.to_string().contains("`w`"), "{e}");
    m.ensure("w", &[2], &Init::Constant(1.0), 0).unwrap();
    assert!(m.ensure("w", &[3], &Init::Constant(1.0), 0).is_err());
    let bad = Tensor::float(&[4, 3], vec![0.0; 12]);
    let e = p.run(&Feed { data: vec![("x", &bad)], ..Feed::default() }, m.as_mut()).unwrap_err();
    assert!(e.to_string().contains("`x`"), "{e}");
}

/// What a program says before it runs is what it takes then.
#[test]
fn memory_is_foretold() {
    let g = super::speed::child(16, 64, 8);
    let cpu = Cpu::new();
    let mut program = CpuProgram::new(&g, &cpu).unwrap();
    let foretold = program.scratch_bytes() + g.lasting_bytes();
    let Err(ExecError::Memory { needed, .. }) = Cpu::with_memory_limit(1000).compile(&g).map(|_| ()) else { panic!() };
    assert_eq!(needed, foretold);
    let together = Cpu::new().with_threads(2).compile(&g).unwrap();
    assert_eq!(together.scratch_bytes(), program.scratch_bytes(), "a candidate is the same on any machine");
    let mut memory = CpuMemory::default();
    for (id, i) in g.inputs() {
        if let Role::Param(init) | Role::State(init) = &i.role {
            memory.ensure(&i.name, &g.node(id).shape, init, 1).unwrap();
        }
    }
    let values = inputs(&g, 1);
    let data = g.inputs().filter(|(_, i)| i.role == Role::Data).map(|(_, i)| (i.name.as_str(), &values[&i.name]));
    let feed = Feed { data: data.collect(), ..Feed::default() };
    program.run(&feed, &mut memory).unwrap();
    let lasting: usize = memory.names().iter().map(|n| memory.find(n).unwrap().data.floats().len() * 4).sum();
    let taken = (program.arena.as_ref().unwrap().floats().len() * 4 + lasting) as f64;
    let error = (taken / foretold as f64 - 1.0).abs();
    assert!(error < 0.05, "{taken} of {foretold}");
    // No other plan of these launches would take much less.
    assert!((program.size as f64) < 1.05 * program.live as f64, "{} and {}", program.size, program.live);
}

#[test]
fn a_childs_training_step_agrees() {
    let g = super::speed::child(5, 4, 4);
    agree_in_all_ways(&g, &inputs(&g, 1), 2e-4);
}

/// Contractions are recognized however their indices are written, and their sums are complete.
#[test]
fn contractions_are_recognized() {
    for (stride, groups, k) in [(1, 1, 3), (2, 1, 3), (1, 2, 3), (1, 8, 3), (2, 4, 1)] {
        for n in [3, 29, 64] {
            let mut g = G::default();
            let x = g.data("x", &[n, 8, 5, 6]);
            let w = g.param("w", &[8, 8 / groups, k, k]);
            let y = g.conv(x, w, stride, 1, groups);
            let squares = g.0.mul(y, y);
            let loss = g.0.reduce_all(ReduceOp::Mean, squares);
            for d in crate::graph::gradients(&mut g.0, loss, &[x, w]) {
                g.out(d);
            }
            g.out(y);
            let plan = Cpu::new().compile(&g.0).unwrap().describe();
            let count = |what: &str| plan.lines().filter(|l| l.starts_with(what)).count();
            assert_eq!((count("rows"), count("dots")), (2, 1), "stride {stride}, {groups} groups\n{plan}");
            agree(&g.0);
        }
    }
}

#[test]
fn launches_are_measured_when_asked() {
    let mut g = G::default();
    let (x, w) = (g.data("x", &[16, 3, 4, 4]), g.param("w", &[5, 3, 1, 1]));
    let y = g.conv(x, w, 1, 0, 1);
    let z = g.0.unary(UnaryOp::Tanh, y);
    g.out(z);
    let cpu = Cpu::new();
    let mut program = cpu.compile(&g.0).unwrap();
    let values = inputs(&g.0, 1);
    let mut memory = cpu.memory();
    memory.set("w", &values["w"]);
    let feed = Feed { data: vec![("x", &values["x"])], ..Feed::default() };
    program.run(&feed, memory.as_mut()).unwrap();
    assert_eq!(program.timings(), []);
    program.measure(true);
    for _ in 0..3 {
        program.run(&feed, memory.as_mut()).unwrap();
    }
    let timings = program.timings();
    let lines: Vec<String> = program.describe().lines().map(str::to_owned).collect();
    assert_eq!(timings.len() + 1, lines.len());
    assert!(timings.iter().zip(&lines).all(|(t, l)| l.starts_with(&t.kernel) && l.ends_with(&t.label)));
    assert!(timings.iter().all(|t| t.calls == 3 && t.nanoseconds >= 3 * t.least));
    // 15 weights for each of 256 places, multiplied and added.
    assert_eq!(timings[0].flops, 2 * 15 * 256);
    // In place: read and overwritten.
    assert_eq!(timings[1].bytes, 2 * 5 * 256 * 4);
    program.measure(false);
    assert_eq!(program.timings(), []);
}
