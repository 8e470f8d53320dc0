//! What tests of graphs share: inputs, common graphs, gradients against central differences.

use std::collections::BTreeMap;

use super::{DType, Graph, Guard, Index, Init, Kind, NodeId, ReduceOp, Role, UnaryOp, gradients, text, verify};
use crate::base::rng::Stream;
use crate::exec::reference::evaluate_f64;

/// A float input that is given in every run.
pub fn data(g: &mut Graph, name: &str, shape: &[usize]) -> NodeId {
    g.input(name, Role::Data, DType::Float, shape, None)
}

/// A weight.
pub fn param(g: &mut Graph, name: &str, shape: &[usize]) -> NodeId {
    g.input(name, Role::Param(Init::Normal(0.5)), DType::Float, shape, None)
}

/// `sum of terms`: `c*i_v`, plus a constant.
pub fn affine(terms: &[(usize, i64)], constant: i64) -> Index {
    terms.iter().fold(Index::constant(constant), |i, &(v, c)| i.plus(&Index::var(v), c))
}

/// The axes `0..n` as indices.
pub fn axes(n: usize) -> Vec<Index> {
    (0..n).map(Index::var).collect()
}

/// What a convolution has.
#[derive(Clone, Copy, Debug)]
pub struct Conv {
    /// Kernel extent.
    pub k: usize,
    /// Step between windows.
    pub stride: usize,
    /// Step within a window.
    pub dilation: usize,
    /// Zeros before and after.
    pub pad: usize,
    /// Groups of channels.
    pub groups: usize,
}

impl Default for Conv {
    fn default() -> Self {
        Self { k: 3, stride: 1, dilation: 1, pad: 1, groups: 1 }
    }
}

/// `y[n, o, i, j] = sum[c, u, v] x[n, c + o / (O / G) * (C / G), i*s + u*d - p, ..] * w[o, c, u, v]`
pub fn conv(g: &mut Graph, x: NodeId, w: NodeId, c: Conv) -> NodeId {
    let (xs, ws) = (g.node(x).shape.clone(), g.node(w).shape.clone());
    let out = |n: usize| (n + 2 * c.pad - c.dilation * (c.k - 1) - 1) / c.stride + 1;
    let at = |i: usize, u: usize| affine(&[(i, c.stride as i64), (u, c.dilation as i64)], -(c.pad as i64));
    let group = Index::var(1).div((ws[0] / c.groups) as i64).times(ws[1] as i64);
    g.reduction("conv", &[xs[0], ws[0], out(xs[2]), out(xs[3])], ReduceOp::Sum, &[ws[1], c.k, c.k], |b| {
        let x = b.read(x, vec![Index::var(0), Index::var(4).plus(&group, 1), at(2, 5), at(3, 6)]);
        let w = b.read(w, vec![Index::var(1), Index::var(4), Index::var(5), Index::var(6)]);
        b.mul(x, w)
    })
}

/// Pooling over `k` by `k` windows.
pub fn pool(g: &mut Graph, x: NodeId, op: ReduceOp, k: usize, stride: usize, pad: usize) -> NodeId {
    let s = g.node(x).shape.clone();
    let out = |n: usize| (n + 2 * pad - k) / stride + 1;
    let at = |i: usize, u: usize| affine(&[(i, stride as i64), (u, 1)], -(pad as i64));
    g.reduction("pool", &[s[0], s[1], out(s[2]), out(s[3])], op, &[k, k], |b| {
        b.read(x, vec![Index::var(0), Index::var(1), at(2, 4), at(3, 5)])
    })
}

/// Normalization over examples and places, with learned scale and shift of each channel.
pub fn batch_norm(g: &mut Graph, x: NodeId, scale: NodeId, shift: NodeId) -> NodeId {
    let s = g.node(x).shape.clone();
    let at = || vec![Index::var(1), Index::var(0), Index::var(2), Index::var(3)];
    let mean = g.reduction("bn/mean", &[s[1]], ReduceOp::Mean, &[s[0], s[2], s[3]], |b| b.read(x, at()));
    let var = g.reduction("bn/var", &[s[1]], ReduceOp::Mean, &[s[0], s[2], s[3]], |b| {
        let (x, m) = (b.read(x, at()), b.read(mean, vec![Index::var(0)]));
        let d = b.sub(x, m);
        b.mul(d, d)
    });
    g.equation("bn", &s, |b| {
        let c = || vec![Index::var(1)];
        let (x, m, v) = (b.read(x, axes(4)), b.read(mean, c()), b.read(var, c()));
        let (d, e) = (b.sub(x, m), b.constant(1e-5));
        let v = b.add(v, e);
        let r = b.unary(UnaryOp::Rsqrt, v);
        let n = b.mul(d, r);
        let (scale, shift) = (b.read(scale, c()), b.read(shift, c()));
        let y = b.mul(n, scale);
        b.add(y, shift)
    })
}

/// `max(x, 0)`
pub fn relu(g: &mut Graph, x: NodeId) -> NodeId {
    g.map("relu", &[x], |b, v| {
        let zero = b.constant(0.0);
        b.binary(super::BinaryOp::Max, v[0], zero)
    })
}

/// `x[n, c] * w[o, c]` summed over `c`
pub fn linear(g: &mut Graph, x: NodeId, w: NodeId) -> NodeId {
    let (n, ws) = (g.node(x).shape[0], g.node(w).shape.clone());
    g.reduction("linear", &[n, ws[0]], ReduceOp::Sum, &[ws[1]], |b| {
        let x = b.read(x, vec![Index::var(0), Index::var(2)]);
        let w = b.read(w, vec![Index::var(1), Index::var(2)]);
        b.mul(x, w)
    })
}

/// The mean over examples of `log(sum(exp(logits))) - logits[label]`.
pub fn cross_entropy(g: &mut Graph, logits: NodeId, labels: NodeId) -> NodeId {
    let s = g.node(logits).shape.clone();
    let top = g.reduction("ce/max", &s[..1], ReduceOp::Max, &s[1..], |b| b.read(logits, axes(2)));
    let total = g.reduction("ce/sum", &s[..1], ReduceOp::Sum, &s[1..], |b| {
        let (x, m) = (b.read(logits, axes(2)), b.read(top, axes(1)));
        let d = b.sub(x, m);
        b.unary(UnaryOp::Exp, d)
    });
    let each = g.equation("ce", &s[..1], |b| {
        let (m, t) = (b.read(top, axes(1)), b.read(total, axes(1)));
        let label = Index::atom(super::Atom::Load(labels, axes(1)));
        let x = b.read(logits, vec![Index::var(0), label]);
        let l = b.unary(UnaryOp::Log, t);
        let l = b.add(l, m);
        b.sub(l, x)
    });
    g.reduce_all(ReduceOp::Mean, each)
}

/// A scalar that depends on every element of `y` with another weight.
pub fn weighted(g: &mut Graph, y: NodeId) -> NodeId {
    let s = g.node(y).shape.clone();
    g.reduction("loss", &[], ReduceOp::Sum, &s, |b| {
        let y = b.read(y, axes(s.len()));
        let mix = (0..s.len()).fold(Index::constant(1), |i, v| i.times(3).plus(&Index::var(v), 1));
        let i = b.index(mix);
        let w = b.unary(UnaryOp::Cos, i);
        b.mul(y, w)
    })
}

/// Values for all inputs but those given: normal draws, small labels.
pub fn values(g: &Graph, given: &[(&str, Vec<f64>)]) -> BTreeMap<String, Vec<f64>> {
    let mut out = BTreeMap::new();
    for (id, input) in g.inputs() {
        let node = g.node(id);
        let mut s = Stream::new(1, &input.name);
        let v =
            (0..node.len()).map(|_| if node.dtype == DType::Int { s.below(3) as f64 } else { s.normal() }).collect();
        if !matches!(input.role, Role::Knob(_)) {
            out.insert(input.name.clone(), v);
        }
    }
    out.extend(given.iter().map(|(n, v)| ((*n).to_string(), v.clone())));
    out
}

/// Compares the gradients by all float inputs with central differences, at up to 40 elements of each. Returns the
/// graph with the gradients, for a look at its structure; its last outputs are the gradients.
pub fn check_gradient(g: &Graph, loss: NodeId, given: &[(&str, Vec<f64>)]) -> Graph {
    let inputs = values(g, given);
    let mut g = g.clone();
    g.outputs = vec![("loss".to_string(), loss)];
    let forward = g.clone();
    let wrt: Vec<NodeId> = g
        .inputs()
        .filter(|(id, i)| g.node(*id).dtype == DType::Float && matches!(i.role, Role::Data | Role::Param(_)))
        .map(|(id, _)| id)
        .collect();
    let grads = gradients(&mut g, loss, &wrt);
    for (w, d) in wrt.iter().zip(&grads) {
        let Kind::Input(i) = &g.node(*w).kind else { unreachable!("wrt are inputs") };
        let name = format!("d {}", i.name);
        assert_eq!(g.node(*w).shape, g.node(*d).shape, "{name}");
        g.outputs.push((name, *d));
    }
    if let Err(e) = verify(&g) {
        panic!("{}\n{}", e.join("\n"), text::print(&g));
    }
    compare_with_differences(&forward, &g, &inputs);
    g
}

/// The outputs `d NAME` of `g` against central differences of the output of `forward`.
pub fn compare_with_differences(forward: &Graph, g: &Graph, inputs: &BTreeMap<String, Vec<f64>>) {
    let results = evaluate_f64(g, inputs, 3, 0).unwrap_or_else(|e| panic!("{e}\n{}", text::print(g)));
    for ((name, _), grad) in g.outputs.iter().zip(&results) {
        let Some(input) = name.strip_prefix("d ") else { continue };
        let n = inputs[input].len();
        for k in (0..n).step_by(n.div_ceil(40).max(1)) {
            let at = |h: f64| {
                let mut moved = inputs.clone();
                moved.get_mut(input).unwrap()[k] += h;
                evaluate_f64(forward, &moved, 3, 0).unwrap()[0][0]
            };
            let h = 1e-5;
            let difference = (at(h) - at(-h)) / (2.0 * h);
            let error = (grad[k] - difference).abs();
            assert!(
                error <= 1e-6 * (1.0 + difference.abs()),
                "{name}[{k}] is {}, by differences {difference}\n{}",
                grad[k],
                text::print(g)
            );
        }
    }
}

/// `0 <= index < n`
pub fn inside(index: Index, n: usize) -> Guard {
    Guard::InRange(index, n)
}

/// A small network on images of 8 by 8 in 3 classes: convolution, normalization, relu, pooling, grouped convolution,
/// skip connection, linear layer, cross entropy. Returns logits and loss.
pub fn network(g: &mut Graph, n: usize) -> (NodeId, NodeId) {
    let x = g.input("x", Role::Data, DType::Float, &[n, 1, 8, 8], Some(0));
    let labels = g.input("labels", Role::Data, DType::Int, &[n], Some(0));
    let w = param(g, "stem", &[4, 1, 3, 3]);
    let stem = conv(g, x, w, Conv::default());
    let (a, b) = (param(g, "bn.scale", &[4]), param(g, "bn.shift", &[4]));
    let y = batch_norm(g, stem, a, b);
    let y = relu(g, y);
    let averaged = pool(g, y, ReduceOp::Mean, 3, 1, 1);
    let top = pool(g, y, ReduceOp::Max, 3, 2, 1);
    let w = param(g, "grouped", &[4, 2, 3, 3]);
    let z = conv(g, y, w, Conv { groups: 2, ..Conv::default() });
    let z = g.sum("merge", &[z, averaged, y]);
    let w = param(g, "reduce", &[4, 4, 1, 1]);
    let z = conv(g, z, w, Conv { k: 1, stride: 2, pad: 0, ..Conv::default() });
    let z = g.concat("concat", &[z, top], 1);
    let z = g.unary(UnaryOp::Sigmoid, z);
    let flat = g.reduction("global", &[n, 8], ReduceOp::Mean, &[4, 4], |b| b.read(z, axes(4)));
    let w = param(g, "head", &[3, 8]);
    let logits = linear(g, flat, w);
    let loss = cross_entropy(g, logits, labels);
    (logits, loss)
}

/// Gradients of the loss by all params, and a step of gradient descent with momentum 0.9 as updates.
pub fn descend(g: &mut Graph, loss: NodeId) {
    let weights: Vec<(NodeId, String)> =
        g.inputs().filter(|(_, i)| matches!(i.role, Role::Param(_))).map(|(id, i)| (id, i.name.clone())).collect();
    let ids: Vec<NodeId> = weights.iter().map(|(id, _)| *id).collect();
    let rate = g.input("rate", Role::Knob(0.05), DType::Float, &[], None);
    let grads = gradients(g, loss, &ids);
    for ((w, name), d) in weights.into_iter().zip(grads) {
        let shape = g.node(w).shape.clone();
        let m = g.input(format!("{name}.m"), Role::State(Init::Constant(0.0)), DType::Float, &shape, None);
        let moved = g.map("momentum", &[m, d], |b, v| {
            let m = b.scale(v[0], 0.9);
            b.add(m, v[1])
        });
        let stepped = g.map("step", &[w, moved, rate], |b, v| {
            let d = b.mul(v[1], v[2]);
            b.sub(v[0], d)
        });
        g.updates.extend([(m, moved), (w, stepped)]);
        g.outputs.push((format!("d {name}"), d));
        g.outputs.push((format!("next {name}"), stepped));
    }
}

/// A training step of [`network`] on `n` examples, with its inputs.
pub fn training_step(n: usize) -> (Graph, BTreeMap<String, Vec<f64>>) {
    let mut g = Graph::default();
    let (logits, loss) = network(&mut g, n);
    g.outputs = vec![("loss".to_string(), loss), ("logits".to_string(), logits)];
    descend(&mut g, loss);
    let inputs = values(&g, &[]);
    (g, inputs)
}

/// Fails where two results differ by more than rounding.
pub fn close(a: &[Vec<f64>], b: &[Vec<f64>], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (k, (x, y)) in a.iter().zip(b).enumerate() {
        assert_eq!(x.len(), y.len(), "{what}: output {k}");
        for (i, (p, q)) in x.iter().zip(y).enumerate() {
            #[allow(clippy::float_cmp, reason = "infinities are equal only to themselves")]
            let equal = p == q || (p.is_nan() && q.is_nan()) || (p - q).abs() <= 1e-9 * (1.0 + p.abs());
            assert!(equal, "{what}: output {k}[{i}] is {q}, not {p}");
        }
    }
}
