//! One suite for all executors: graphs with inputs, compared with the reference executor.
//!
//! Forward, backward and whole steps with updates; every operation on zeros, infinities and NaN; odd extents.

use super::reference::Reference;
use super::{Executor, Feed, Memory, Tensor};
use crate::base::rng::Stream;
use crate::graph::testing::*;
use crate::graph::{
    Atom, BinaryOp, Body, CompareOp, DType, Equation, Graph, Guard, Index, Init, Kind, NodeId, Op, Reduce, ReduceOp,
    Role, Scatter, UnaryOp, Val, gradients, optimize, text, verify,
};

/// A graph with its inputs.
#[derive(Clone, Debug)]
pub struct Case {
    /// Says what is tested.
    pub name: String,
    /// What is run.
    pub graph: Graph,
    /// Values of the `Data` inputs. Persistent inputs start as their initializers say.
    pub data: Vec<(String, Tensor)>,
    /// How many times it is run on the same memory.
    pub steps: u64,
    /// Allowed difference, relative to `1 + |value|`.
    pub tolerance: f64,
}

/// Runs the whole suite; panics with all differences.
pub fn conform(executor: &dyn Executor) {
    let failures: Vec<String> = suite().iter().filter_map(|case| differs(executor, case)).collect();
    assert!(failures.is_empty(), "{} cases failed\n\n{}", failures.len(), failures.join("\n\n"));
}

/// How an executor differs from the reference on a case, if it does.
pub fn differs(executor: &dyn Executor, case: &Case) -> Option<String> {
    let expected = run(&Reference, case).unwrap_or_else(|e| panic!("reference, {}: {e}", case.name));
    let actual = match run(executor, case) {
        Ok(a) => a,
        Err(e) => return Some(format!("{}: {e}", case.name)),
    };
    let mut wrong = Vec::new();
    for ((name, x), (_, y)) in expected.iter().zip(&actual) {
        if x.shape != y.shape || x.dtype() != y.dtype() {
            wrong.push(format!("{name} is {:?} {:?}, not {:?} {:?}", y.dtype(), y.shape, x.dtype(), x.shape));
            continue;
        }
        let (x, y) = (numbers(x), numbers(y));
        #[allow(clippy::float_cmp, reason = "infinities are equal only to themselves")]
        let off = |(p, q): (&f64, &f64)| {
            !(p == q || (p.is_nan() && q.is_nan()) || (p - q).abs() <= case.tolerance * (1.0 + p.abs()))
        };
        let bad: Vec<usize> = (0..x.len()).filter(|&i| off((&x[i], &y[i]))).collect();
        if let Some(&i) = bad.first() {
            wrong.push(format!("{name}: {} of {} differ; [{i}] is {}, not {}", bad.len(), x.len(), y[i], x[i]));
        }
    }
    (!wrong.is_empty()).then(|| format!("{}:\n  {}\n{}", case.name, wrong.join("\n  "), text::print(&case.graph)))
}

fn numbers(t: &Tensor) -> Vec<f64> {
    match &t.data {
        super::Data::Float(v) => v.iter().map(|&x| f64::from(x)).collect(),
        super::Data::Int(v) => v.iter().map(|&x| f64::from(x)).collect(),
    }
}

/// All outputs of all steps, then all persistent tensors.
fn run(executor: &dyn Executor, case: &Case) -> Result<Vec<(String, Tensor)>, super::ExecError> {
    let g = &case.graph;
    let mut memory: Box<dyn Memory> = executor.memory();
    let mut names = Vec::new();
    for (id, input) in g.inputs() {
        if let Role::Param(init) | Role::State(init) = &input.role {
            memory.ensure(&input.name, &g.node(id).shape, init, 7)?;
            names.push(input.name.clone());
        }
    }
    let mut program = executor.compile(g)?;
    let data: Vec<(&str, &Tensor)> = case.data.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let mut out = Vec::new();
    for step in 0..case.steps {
        let feed = Feed { data: data.clone(), seed: 11, step, ..Feed::default() };
        let results = program.run(&feed, memory.as_mut())?;
        out.extend(g.outputs.iter().zip(results).map(|((name, _), t)| (format!("{name} at step {step}"), t)));
    }
    for name in names {
        let value = memory.get(&name).ok_or_else(|| super::ExecError::Input(format!("`{name}` is gone")))?;
        out.push((name, value));
    }
    Ok(out)
}

/// Numbers that are often treated wrongly, among ordinary ones.
const SPECIAL: [f32; 14] =
    [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.75, 20.0, -20.0, 1e-3, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 7.0];

fn normal(name: &str, shape: &[usize]) -> Tensor {
    let mut s = Stream::new(5, name);
    Tensor::float(shape, (0..shape.iter().product()).map(|_| s.normal() as f32).collect())
}

fn integers(name: &str, shape: &[usize], below: usize) -> Tensor {
    let mut s = Stream::new(5, name);
    Tensor::int(shape, (0..shape.iter().product()).map(|_| s.below(below) as i32).collect())
}

/// A case with random values for the data that is not given.
fn case(name: &str, graph: Graph, given: Vec<(&str, Tensor)>, tolerance: f64) -> Case {
    let mut data: Vec<(String, Tensor)> = given.into_iter().map(|(n, t)| (n.to_string(), t)).collect();
    for (id, input) in graph.inputs() {
        let node = graph.node(id);
        if input.role == Role::Data && data.iter().all(|(n, _)| *n != input.name) {
            let t = match node.dtype {
                DType::Float => normal(&input.name, &node.shape),
                DType::Int => integers(&input.name, &node.shape, 3),
            };
            data.push((input.name.clone(), t));
        }
    }
    Case { name: name.to_string(), graph, data, steps: 1, tolerance }
}

/// Adds the gradients of a weighted sum of `y` by all float data and params as outputs.
fn with_gradients(mut g: Graph, y: NodeId) -> Graph {
    g.outputs.push(("y".to_string(), y));
    let wrt: Vec<NodeId> = g
        .inputs()
        .filter(|(id, i)| g.node(*id).dtype == DType::Float && matches!(i.role, Role::Data | Role::Param(_)))
        .map(|(id, _)| id)
        .collect();
    let loss = weighted(&mut g, y);
    let grads = gradients(&mut g, loss, &wrt);
    g.outputs.extend(grads.iter().enumerate().map(|(k, d)| (format!("d{k}"), *d)));
    g
}

fn image(g: &mut Graph, shape: &[usize]) -> NodeId {
    g.input("x", Role::Data, DType::Float, shape, Some(0))
}

/// The suite. Every graph is verified.
pub fn suite() -> Vec<Case> {
    let mut cases = Vec::new();
    convolutions(&mut cases);
    pools(&mut cases);
    layers(&mut cases);
    operations(&mut cases);
    reductions(&mut cases);
    structure(&mut cases);
    steps(&mut cases);
    for c in &cases {
        if let Err(e) = verify(&c.graph) {
            panic!("{}: {}\n{}", c.name, e.join("\n"), text::print(&c.graph));
        }
    }
    cases
}

fn convolutions(cases: &mut Vec<Case>) {
    let plain = Conv::default();
    for (name, n, xs, ws, c) in [
        ("3x3", 3, [4, 6, 6], [5, 4, 3, 3], plain),
        ("3x3, batch 1", 1, [3, 5, 7], [6, 3, 3, 3], plain),
        ("3x3, batch 29", 29, [3, 4, 4], [7, 3, 3, 3], plain),
        ("3x3, batch 64", 64, [8, 4, 4], [8, 8, 3, 3], plain),
        ("stride 2", 3, [4, 7, 6], [5, 4, 3, 3], Conv { stride: 2, ..plain }),
        ("dilation 2", 3, [2, 8, 8], [3, 2, 3, 3], Conv { dilation: 2, pad: 2, ..plain }),
        ("1x1", 3, [5, 4, 4], [6, 5, 1, 1], Conv { k: 1, pad: 0, ..plain }),
        ("1x1, stride 2", 2, [5, 5, 5], [6, 5, 1, 1], Conv { k: 1, pad: 0, stride: 2, ..plain }),
        ("5x5", 2, [3, 8, 8], [4, 3, 5, 5], Conv { k: 5, pad: 2, ..plain }),
        ("grouped", 3, [6, 4, 4], [4, 3, 3, 3], Conv { groups: 2, ..plain }),
        ("depthwise", 3, [6, 5, 5], [6, 1, 3, 3], Conv { groups: 6, ..plain }),
        (
            "depthwise, dilated, strided",
            2,
            [4, 8, 8],
            [4, 1, 3, 3],
            Conv { groups: 4, dilation: 2, stride: 2, pad: 2, k: 3 },
        ),
        ("patches", 2, [3, 8, 8], [10, 3, 4, 4], Conv { k: 4, stride: 4, pad: 0, ..plain }),
    ] {
        let mut g = Graph::default();
        let x = image(&mut g, &[n, xs[0], xs[1], xs[2]]);
        let w = param(&mut g, "w", &ws);
        let y = conv(&mut g, x, w, c);
        cases.push(case(&format!("convolution {name}"), with_gradients(g, y), vec![], 2e-4));
    }
    // A NaN spreads through its windows only, an infinity too.
    let mut g = Graph::default();
    let x = image(&mut g, &[2, 2, 5, 5]);
    let w = param(&mut g, "w", &[3, 2, 3, 3]);
    let y = conv(&mut g, x, w, plain);
    g.outputs.push(("y".into(), y));
    let mut t = normal("x", &[2, 2, 5, 5]);
    if let super::Data::Float(v) = &mut t.data {
        v[7] = f32::NAN;
        v[70] = f32::INFINITY;
    }
    cases.push(case("convolution of NaN", g, vec![("x", t)], 1e-4));
}

fn pools(cases: &mut Vec<Case>) {
    for op in [ReduceOp::Max, ReduceOp::Mean, ReduceOp::Min, ReduceOp::Sum] {
        for (n, k, stride, pad) in [(3, 3, 1, 1), (1, 2, 2, 0), (29, 3, 2, 1)] {
            let mut g = Graph::default();
            let x = image(&mut g, &[n, 2, 6, 6]);
            let y = pool(&mut g, x, op, k, stride, pad);
            let name = format!("{} pooling {k} by {stride}, batch {n}", op.name());
            cases.push(case(&name, with_gradients(g, y), vec![], 1e-5));
        }
    }
}

fn layers(cases: &mut Vec<Case>) {
    for n in [2, 3, 29] {
        let mut g = Graph::default();
        let x = image(&mut g, &[n, 3, 4, 4]);
        let (a, b) = (param(&mut g, "scale", &[3]), param(&mut g, "shift", &[3]));
        let y = batch_norm(&mut g, x, a, b);
        let y = relu(&mut g, y);
        cases.push(case(&format!("batch norm and relu, batch {n}"), with_gradients(g, y), vec![], 1e-3));
    }
    for (n, c, o) in [(1, 5, 3), (3, 16, 10), (29, 64, 33), (64, 7, 1)] {
        let mut g = Graph::default();
        let x = image(&mut g, &[n, c]);
        let w = param(&mut g, "w", &[o, c]);
        let y = linear(&mut g, x, w);
        cases.push(case(&format!("linear {c} to {o}, batch {n}"), with_gradients(g, y), vec![], 2e-4));
    }
    let mut g = Graph::default();
    let x = image(&mut g, &[29, 10]);
    let labels = g.input("labels", Role::Data, DType::Int, &[29], Some(0));
    let loss = cross_entropy(&mut g, x, labels);
    let given = vec![("labels", integers("labels", &[29], 10))];
    cases.push(case("cross entropy", with_gradients(g, loss), given, 1e-4));

    let mut g = Graph::default();
    let table = param(&mut g, "table", &[7, 5]);
    let tokens = g.input("tokens", Role::Data, DType::Int, &[3, 6], Some(0));
    let y = g.equation("embed", &[3, 6, 5], |b| {
        b.read(table, vec![Index::atom(Atom::Load(tokens, axes(2))), Index::var(2)])
    });
    // Tokens outside of the table give 0 and have no gradient.
    let t = Tensor::int(&[3, 6], vec![0, 6, 6, 3, 7, -1, 2, 2, 2, 2, 5, 1, 100, 0, 4, 6, -7, 3]);
    cases.push(case("embedding", with_gradients(g, y), vec![("tokens", t)], 1e-5));

    for n in [1, 3] {
        let mut g = Graph::default();
        let q = g.input("q", Role::Data, DType::Float, &[n, 2, 5, 4], Some(0));
        let k = g.input("k", Role::Data, DType::Float, &[n, 2, 5, 4], Some(0));
        let [a, h, i, j, l] = [0, 1, 2, 3, 4].map(Index::var);
        let scores = g.reduction("scores", &[n, 2, 5, 5], ReduceOp::Sum, &[4], |b| {
            let q = b.read(q, vec![a.clone(), h.clone(), i.clone(), l.clone()]);
            let k = b.read(k, vec![a.clone(), h.clone(), j.clone(), l.clone()]);
            b.mul(q, k)
        });
        let top = g.reduction("top", &[n, 2, 5], ReduceOp::Max, &[5], |b| b.read(scores, axes(4)));
        let e = g.equation("exp", &[n, 2, 5, 5], |b| {
            let (s, m) = (b.read(scores, axes(4)), b.read(top, axes(3)));
            let d = b.sub(s, m);
            b.unary(UnaryOp::Exp, d)
        });
        let total = g.reduction("total", &[n, 2, 5], ReduceOp::Sum, &[5], |b| b.read(e, axes(4)));
        let p = g.equation("p", &[n, 2, 5, 5], |b| {
            let (e, t) = (b.read(e, axes(4)), b.read(total, axes(3)));
            b.div(e, t)
        });
        let y = g.reduction("mix", &[n, 2, 5, 4], ReduceOp::Sum, &[5], |b| {
            let p = b.read(p, vec![a.clone(), h.clone(), i.clone(), l.clone()]);
            let v = b.read(k, vec![a.clone(), h.clone(), l.clone(), j.clone()]);
            b.mul(p, v)
        });
        cases.push(case(&format!("attention, batch {n}"), with_gradients(g, y), vec![], 2e-4));
    }
}

fn operations(cases: &mut Vec<Case>) {
    use UnaryOp::{Abs, Cos, Erf, Exp, Floor, Log, Neg, Rsqrt, Sigmoid, Sin, Sqrt, Tanh};
    for op in [Neg, Exp, Log, Sqrt, Rsqrt, Tanh, Sigmoid, Erf, Sin, Cos, Abs, Floor] {
        let mut g = Graph::default();
        let x = image(&mut g, &[SPECIAL.len()]);
        let y = g.unary(op, x);
        g.outputs.push(("y".into(), y));
        let mut v = SPECIAL.to_vec();
        if let Sin | Cos = op {
            v.iter_mut().filter(|x| x.is_infinite()).for_each(|x| *x = 2.0);
        }
        cases.push(case(op.name(), g, vec![("x", Tensor::float(&[v.len()], v))], 1e-5));
        // And over a range, with the gradient.
        let mut g = Graph::default();
        let x = image(&mut g, &[3, 101]);
        let y = g.unary(op, x);
        let positive = matches!(op, Log | Sqrt | Rsqrt);
        let at = |i: usize| (i as f32 - if positive { -0.5 } else { 151.3 }) / 30.0;
        let t = Tensor::float(&[3, 101], (0..303).map(at).collect());
        cases.push(case(&format!("{} over a range", op.name()), with_gradients(g, y), vec![("x", t)], 1e-4));
    }
    let pairs = |f: fn(usize, usize) -> f32| {
        let n = SPECIAL.len();
        Tensor::float(&[n, n], (0..n * n).map(|i| f(i / n, i % n)).collect())
    };
    let (left, right) = (pairs(|i, _| SPECIAL[i]), pairs(|_, j| SPECIAL[j]));
    let n = SPECIAL.len();
    let mut all = |name: &str, f: &dyn Fn(&mut Body, &[Val]) -> Val| {
        let mut g = Graph::default();
        let (x, y) = (image(&mut g, &[n, n]), data(&mut g, "y", &[n, n]));
        let z = g.map("", &[x, y], |b, v| f(b, v));
        g.outputs.push(("z".into(), z));
        cases.push(case(name, g, vec![("x", left.clone()), ("y", right.clone())], 1e-5));
    };
    for op in [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Max, BinaryOp::Min] {
        all(op.name(), &|b, v| b.binary(op, v[0], v[1]));
    }
    for op in [CompareOp::Lt, CompareOp::Le, CompareOp::Eq, CompareOp::Ne] {
        all(op.name(), &|b, v| {
            let c = b.compare(op, v[0], v[1]);
            let (p, q) = (b.constant(1.0), b.constant(2.0));
            b.select(c, p, q)
        });
    }
    all("and, or, not", &|b, v| {
        let p = b.compare(CompareOp::Lt, v[0], v[1]);
        let q = b.compare(CompareOp::Le, v[1], v[0]);
        let p = b.unary(UnaryOp::Not, p);
        let r = b.binary(BinaryOp::And, p, q);
        let s = b.binary(BinaryOp::Or, p, q);
        let (one, two) = (b.constant(1.0), b.constant(2.0));
        let r = b.select(r, v[0], one);
        let s = b.select(s, two, r);
        b.add(r, s)
    });
    for power in [-2.0, -1.0, 2.0, 3.0, 5.0] {
        let mut g = Graph::default();
        let x = image(&mut g, &[7]);
        let y = g.map("", &[x], |b, v| {
            let p = b.constant(power);
            b.binary(BinaryOp::Pow, v[0], p)
        });
        let t = Tensor::float(&[7], vec![-2.0, -0.5, 0.0, 1.0, f32::NAN, 3.0, 1.5]);
        cases.push(case(
            &format!("power {power}"),
            {
                g.outputs.push(("y".into(), y));
                g
            },
            vec![("x", t)],
            1e-5,
        ));
    }
    let mut g = Graph::default();
    let (x, y) = (image(&mut g, &[12]), data(&mut g, "y", &[12]));
    let z = g.map("", &[x, y], |b, v| {
        let x = b.unary(UnaryOp::Abs, v[0]);
        b.binary(BinaryOp::Pow, x, v[1])
    });
    cases.push(case("power of tensors", with_gradients(g, z), vec![], 1e-4));
    // Integer expressions as numbers and as conditions, negative ones included.
    let mut g = Graph::default();
    let y = g.equation("", &[5, 7], |b| {
        let e = affine(&[(0, 3), (1, -2)], -1);
        let (q, r) = (b.index(e.div(4)), b.index(e.rem(4)));
        let t = b.test(Guard::InRange(e.clone(), 3));
        let z = b.test(Guard::Zero(e.rem(3)));
        let (one, two) = (b.scale(q, 10.0), b.scale(r, 0.5));
        let s = b.add(one, two);
        let p = b.select(t, s, r);
        b.select(z, q, p)
    });
    g.outputs.push(("y".into(), y));
    cases.push(case("index arithmetic", g, vec![], 0.0));
}

fn reductions(cases: &mut Vec<Case>) {
    for op in [ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min, ReduceOp::Mean, ReduceOp::Prod] {
        let mut g = Graph::default();
        let x = image(&mut g, &[3, 4, 5]);
        let over = |g: &mut Graph, shape: &[usize], extents: &[usize], at: Vec<Index>| {
            let name = format!("{}{shape:?}", op.name());
            let y = g.reduction("", shape, op, extents, |b| b.read(x, at));
            g.outputs.push((name, y));
        };
        let [a, b, c] = [0, 1, 2].map(Index::var);
        over(&mut g, &[], &[3, 4, 5], vec![a.clone(), b.clone(), c.clone()]);
        over(&mut g, &[3], &[4, 5], vec![a.clone(), b.clone(), c.clone()]);
        over(&mut g, &[4], &[3, 5], vec![b.clone(), a.clone(), c.clone()]);
        over(&mut g, &[5, 4], &[3], vec![c.clone(), b.clone(), a.clone()]);
        // Some points of `i + 3*r` are outside, for the last all are.
        over(&mut g, &[8], &[2], vec![Index::constant(1), Index::constant(2), affine(&[(0, 1), (1, 3)], -1)]);
        over(&mut g, &[9, 3], &[2], vec![b.clone(), Index::constant(2), affine(&[(0, 1), (2, 2)], -2)]);
        cases.push(case(op.name(), g, vec![], 1e-4));

        let mut g = Graph::default();
        let x = image(&mut g, &[6, 4]);
        let y = g.reduction("", &[6], op, &[4], |b| b.read(x, axes(2)));
        g.outputs.push(("y".into(), y));
        let nan = f32::NAN;
        let inf = f32::INFINITY;
        let rows = [
            [1.0, nan, 3.0, 2.0],
            [nan, 1.0, 0.0, nan],
            [inf, 1.0, -inf, 2.0],
            [-inf, -inf, -inf, -inf],
            [0.0, -0.0, 0.0, 0.0],
            [2.0, 2.0, -3.0, -3.0],
        ];
        let t = Tensor::float(&[6, 4], rows.concat());
        if let ReduceOp::Max | ReduceOp::Min = op {
            let e = Equation {
                reduce: Some(Reduce { op, extents: vec![4] }),
                guards: vec![],
                body: vec![Op::read(x, axes(2))],
            };
            let arg = g.push_arg("", &[6], e.clone());
            g.outputs.push(("arg".into(), arg));
            let none = Equation { guards: vec![Guard::InRange(affine(&[(0, 1), (1, 1)], -4), 9)], ..e };
            let arg = g.push_arg("", &[6], none);
            g.outputs.push(("arg with guard".into(), arg));
            let again = g.equation("", &[6], |b| {
                let at = Index::atom(Atom::Load(arg, axes(1)));
                b.read(x, vec![Index::var(0), at])
            });
            g.outputs.push(("gathered".into(), again));
        }
        cases.push(case(&format!("{} of NaN and infinities", op.name()), g, vec![("x", t)], 1e-6));
    }
    // A sum over many examples: the order of addition must not cost accuracy.
    let mut g = Graph::default();
    let x = image(&mut g, &[1437, 3]);
    let y = g.reduction("", &[3], ReduceOp::Mean, &[1437], |b| b.read(x, vec![Index::var(1), Index::var(0)]));
    let z = g.reduction("", &[], ReduceOp::Sum, &[1437, 3], |b| {
        let x = b.read(x, axes(2));
        b.mul(x, x)
    });
    g.outputs.extend([("mean".to_string(), y), ("squares".to_string(), z)]);
    cases.push(case("long sums", g, vec![], 1e-5));
    let mut g = Graph::default();
    let x = image(&mut g, &[3, 4]);
    let y = g.reduction("", &[3], ReduceOp::Prod, &[4], |b| b.read(x, axes(2)));
    let t = Tensor::float(&[3, 4], vec![1.5, 2.0, -1.0, 0.5, 1.0, 0.0, 3.0, 2.0, 0.0, 1.0, 0.0, 2.0]);
    cases.push(case("products with zeros", with_gradients(g, y), vec![("x", t)], 1e-5));
}

fn structure(cases: &mut Vec<Case>) {
    for n in [1, 3, 29] {
        let mut g = Graph::default();
        let x = image(&mut g, &[n, 4, 2, 3]);
        let y = g.unary(UnaryOp::Tanh, x);
        let c = g.concat("", &[x, y, x], 1);
        let flat = g.reshape("", c, &[n, 72]);
        let deep = g.reshape("", flat, &[n * 3, 24]);
        let twice = g.concat("", &[deep, deep], 0);
        let turned = g.transpose("", twice, &[1, 0]);
        let part = g.slice("", turned, 0, 3, 17);
        let padded = g.pad("", part, 0, 2, 1);
        cases.push(case(
            &format!("concat, reshape, transpose, slice, pad, batch {n}"),
            with_gradients(g, padded),
            vec![],
            1e-5,
        ));

        let mut g = Graph::default();
        let x = image(&mut g, &[n, 8, 3, 3]);
        let (i, j) = (Index::var(2), Index::var(3));
        let channel = Index::var(1).times(4).plus(&i.rem(2), 2).plus(&j.rem(2), 1);
        let y = g.equation("", &[n, 2, 6, 6], |b| b.read(x, vec![Index::var(0), channel, i.div(2), j.div(2)]));
        cases.push(case(&format!("pixel shuffle, batch {n}"), with_gradients(g, y), vec![], 1e-5));
    }
    let mut g = Graph::default();
    let x = image(&mut g, &[4, 4]);
    let d = g.equation("", &[4], |b| b.read(x, vec![Index::var(0), affine(&[(0, -1)], 3)]));
    let y = g.equation("", &[4, 7], |b| b.read(d, vec![Index::var(1).plus(&Index::var(0), 1).rem(4)]));
    cases.push(case("a diagonal, wrapped around", with_gradients(g, y), vec![], 1e-5));

    let mut g = Graph::default();
    let x = image(&mut g, &[5, 3]);
    let to = g.input("to", Role::Data, DType::Int, &[5], Some(0));
    let body = vec![Op::read(x, axes(2))];
    let target = vec![Index::var(1), Index::atom(Atom::Load(to, axes(1)))];
    let s = Scatter { extents: vec![5, 3], guards: vec![Guard::InRange(Index::var(0), 4)], target, body };
    let y = g.push_scatter("", &[3, 4], s);
    let t = Tensor::int(&[5], vec![1, 1, 9, 3, 0]);
    cases.push(case("scatter", with_gradients(g, y), vec![("to", t)], 1e-5));

    let mut g = Graph::default();
    let to = g.input("to", Role::Data, DType::Int, &[3, 2], Some(0));
    let joined = g.concat("", &[to, to], 1);
    let r = g.reshape("", joined, &[12]);
    let y = g.equation("", &[12], |b| {
        let x = b.read(r, axes(1));
        b.scale(x, 0.5)
    });
    g.outputs.extend([("joined".to_string(), joined), ("half".to_string(), y), ("input".to_string(), to)]);
    cases.push(case("integers", g, vec![], 0.0));

    let mut g = Graph::default();
    let r = g.random("", &[3, 5, 7], 4, Some(0));
    let s = g.random("", &[105], 5, None);
    let x = image(&mut g, &[3, 5, 7]);
    let p = g.input("p", Role::Knob(0.3), DType::Float, &[], None);
    let y = g.equation("dropout", &[3, 5, 7], |b| {
        let (r, x, p) = (b.read(r, axes(3)), b.read(x, axes(3)), b.read(p, vec![]));
        let c = b.compare(CompareOp::Lt, r, p);
        let zero = b.constant(0.0);
        b.select(c, zero, x)
    });
    g.outputs.extend([("draws".to_string(), s), ("y".to_string(), y)]);
    let mut c = case("random draws", g, vec![], 0.0);
    c.steps = 2;
    cases.push(c);

    let mut g = Graph::default();
    let c = g.fill(&[2, 3], 1.5);
    let x = g.input("x", Role::Data, DType::Float, &[], None);
    let y = g.mul(c, x);
    g.outputs.extend([("c".to_string(), c), ("y".to_string(), y), ("x".to_string(), x)]);
    cases.push(case("scalars and constants", g, vec![], 1e-6));
}

fn steps(cases: &mut Vec<Case>) {
    // Updates take the values from before all updates: two states change places.
    let mut g = Graph::default();
    let a = g.input("a", Role::State(Init::Normal(1.0)), DType::Float, &[3, 2], None);
    let b = g.input("b", Role::State(Init::Uniform(1.0)), DType::Float, &[3, 2], None);
    let sum = g.add(a, b);
    let c = g.input("c", Role::State(Init::Constant(0.5)), DType::Float, &[3, 2], None);
    g.outputs.push(("sum".into(), sum));
    g.updates = vec![(a, b), (b, a), (c, sum)];
    let mut swap = case("updates", g, vec![], 1e-6);
    swap.steps = 3;
    cases.push(swap);
    for n in [1, 3, 29] {
        let (g, _) = training_step(n);
        let g = Graph { outputs: g.outputs.into_iter().filter(|(n, _)| !n.starts_with("next")).collect(), ..g };
        let mut plain = case(&format!("training steps, batch {n}"), g.clone(), vec![], 2e-3);
        plain.steps = 3;
        let mut optimized = plain.clone();
        optimized.name = format!("training steps, optimized, batch {n}");
        optimize(&mut optimized.graph);
        cases.extend([plain, optimized]);
    }
    // Only what the input's kind says can be an output, too: an evaluation without labels.
    let mut g = Graph::default();
    let (logits, _) = network(&mut g, 5);
    g.outputs.push(("logits".into(), logits));
    assert!(g.nodes.iter().any(|n| matches!(n.kind, Kind::Concat { .. })));
    cases.push(case("evaluation", g, vec![], 1e-3));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_conforms_to_itself() {
        conform(&Reference);
    }

    #[test]
    fn the_cpu_executor_conforms() {
        conform(&crate::exec::cpu::Cpu::new());
    }

    /// The reference, but for sums, which it takes for means.
    struct Wrong;

    impl Executor for Wrong {
        fn name(&self) -> &'static str {
            "wrong"
        }

        fn compile(&self, graph: &Graph) -> Result<Box<dyn super::super::Program>, super::super::ExecError> {
            let mut g = graph.clone();
            for node in &mut g.nodes {
                if let Kind::Equation(Equation { reduce: Some(r), .. }) = &mut node.kind
                    && r.op == ReduceOp::Sum
                {
                    r.op = ReduceOp::Mean;
                }
            }
            Reference.compile(&g)
        }

        fn memory(&self) -> Box<dyn Memory> {
            Reference.memory()
        }
    }

    #[test]
    fn differences_are_found() {
        for case in suite() {
            let sums = |n: &crate::graph::Node| matches!(&n.kind, Kind::Equation(Equation { reduce: Some(r), .. }) if r.op == ReduceOp::Sum);
            // Sums of one point, or over zeros, may agree.
            if case.graph.nodes.iter().any(sums) && case.name.starts_with("convolution") {
                assert!(differs(&Wrong, &case).is_some(), "{}", case.name);
            }
        }
    }
}
