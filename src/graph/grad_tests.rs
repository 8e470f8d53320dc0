//! Every kind of gradient against central differences, and the structure of those that executors recognize.

use super::testing::*;
use super::*;

/// The nodes of a gradient graph that belong to it, printed without labels.
fn gradient_text(g: &Graph, loss: NodeId) -> String {
    let mut s = String::new();
    for id in g.ids().filter(|id| id.0 > loss.0) {
        let node = Node { label: String::new(), ..g.node(id).clone() };
        s.extend([format!("{id} = {}\n", text::node(&node))]);
    }
    s
}

fn contractions(g: &Graph, from: NodeId) -> usize {
    let product = |e: &Equation| {
        matches!(e.body.as_slice(), [Op::Read(..), Op::Read(..), Op::Binary(BinaryOp::Mul, ..)])
            && e.body.iter().all(|op| !matches!(op, Op::Read(_, at) if at.iter().any(|i| !i.is_affine())))
    };
    g.ids()
        .filter(|id| *id > from)
        .filter(|id| matches!(&g.node(*id).kind, Kind::Equation(e) if e.reduce.is_some() && product(e)))
        .count()
}

fn check_conv(xs: [usize; 4], ws: [usize; 4], c: Conv) -> Graph {
    let mut g = Graph::default();
    let (x, w) = (data(&mut g, "x", &xs), param(&mut g, "w", &ws));
    let y = conv(&mut g, x, w, c);
    let loss = weighted(&mut g, y);
    check_gradient(&g, loss, &[])
}

#[test]
fn convolution() {
    let mut g = Graph::default();
    let (x, w) = (data(&mut g, "x", &[2, 3, 5, 5]), param(&mut g, "w", &[4, 3, 3, 3]));
    let y = conv(&mut g, x, w, Conv::default());
    let loss = weighted(&mut g, y);
    let g = check_gradient(&g, loss, &[]);
    // The data gradient is a convolution with the flipped kernel, the weight gradient a plain reduction.
    let text = gradient_text(&g, loss);
    let start = text.find("%6 =").unwrap();
    assert_eq!(
        &text[start..],
        "\
%6 = sum[4, 3, 3] : float[2, 3, 5, 5]
  where 0 <= i2 - i5 + 1 < 5
  where 0 <= i3 - i6 + 1 < 5
  t0 = %5[i0, i4, i2 - i5 + 1, i3 - i6 + 1]
  t1 = %1[i4, i1, i5, i6]
  t2 = mul t0 t1
%7 = sum[2, 5, 5] : float[4, 3, 3, 3]
  where 0 <= i2 + i5 - 1 < 5
  where 0 <= i3 + i6 - 1 < 5
  t0 = %5[i4, i0, i5, i6]
  t1 = %0[i4, i1, i2 + i5 - 1, i3 + i6 - 1]
  t2 = mul t0 t1
"
    );
}

#[test]
fn convolution_with_stride_and_dilation() {
    check_conv([2, 2, 7, 6], [3, 2, 3, 3], Conv { stride: 2, ..Conv::default() });
    check_conv([1, 2, 8, 7], [2, 2, 3, 3], Conv { stride: 3, pad: 2, ..Conv::default() });
    check_conv([1, 2, 7, 7], [2, 2, 3, 3], Conv { dilation: 2, pad: 2, ..Conv::default() });
    check_conv([1, 2, 9, 9], [2, 2, 3, 3], Conv { dilation: 2, stride: 2, pad: 1, ..Conv::default() });
    check_conv([1, 3, 4, 4], [2, 3, 1, 1], Conv { k: 1, pad: 0, ..Conv::default() });
    check_conv([1, 3, 5, 5], [2, 3, 1, 1], Conv { k: 1, pad: 0, stride: 2, ..Conv::default() });
    // Patches that do not overlap.
    check_conv([2, 2, 6, 6], [3, 2, 3, 3], Conv { stride: 3, pad: 0, ..Conv::default() });
}

#[test]
fn grouped_convolution_is_dense() {
    let g = check_conv([2, 6, 4, 4], [4, 3, 3, 3], Conv { groups: 2, ..Conv::default() });
    let loss = g.outputs[0].1;
    assert_eq!(contractions(&g, loss), 2, "{}", text::print(&g));
    assert!(!gradient_text(&g, loss).contains('%') || !gradient_text(&g, loss).contains(")%"), "{}", text::print(&g));
    // Depthwise, with one and with two filters a channel.
    check_conv([2, 4, 4, 4], [4, 1, 3, 3], Conv { groups: 4, ..Conv::default() });
    check_conv([2, 3, 5, 5], [6, 1, 3, 3], Conv { groups: 3, stride: 2, ..Conv::default() });
}

#[test]
fn transposed_convolution() {
    // y[n, o, i, j] = sum[c, u, v] x[n, c, (i + 1 - u) / 2, ..] * w[c, o, u, v] where the division is exact
    let mut g = Graph::default();
    let (x, w) = (data(&mut g, "x", &[1, 2, 3, 3]), param(&mut g, "w", &[2, 3, 3, 3]));
    let y = g.reduction("deconv", &[1, 3, 6, 6], ReduceOp::Sum, &[2, 3, 3], |b| {
        let (p, q) = (affine(&[(2, 1), (5, -1)], 1), affine(&[(3, 1), (6, -1)], 1));
        b.guard(Guard::Zero(p.rem(2)));
        b.guard(Guard::Zero(q.rem(2)));
        let x = b.read(x, vec![Index::var(0), Index::var(4), p.div(2), q.div(2)]);
        let w = b.read(w, vec![Index::var(4), Index::var(1), Index::var(5), Index::var(6)]);
        b.mul(x, w)
    });
    let loss = weighted(&mut g, y);
    check_gradient(&g, loss, &[]);
}

#[test]
fn pooling() {
    for op in [ReduceOp::Max, ReduceOp::Mean, ReduceOp::Min] {
        for (k, stride, pad) in [(3, 1, 1), (2, 2, 0), (3, 2, 1)] {
            let mut g = Graph::default();
            let x = data(&mut g, "x", &[2, 2, 6, 6]);
            let y = pool(&mut g, x, op, k, stride, pad);
            let loss = weighted(&mut g, y);
            check_gradient(&g, loss, &[]);
        }
    }
}

#[test]
fn the_first_maximum_gets_the_gradient() {
    let mut g = Graph::default();
    let x = data(&mut g, "x", &[4]);
    let y = g.reduce_all(ReduceOp::Max, x);
    let d = gradients(&mut g, y, &[x])[0];
    g.outputs.push(("d".into(), d));
    let inputs = values(&g, &[("x", vec![1.0, 5.0, 5.0, 2.0])]);
    let out = crate::exec::reference::evaluate_f64(&g, &inputs, 0, 0).unwrap();
    assert_eq!(out[0], [0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn relu_has_gradient_0_at_0_and_ties_go_to_the_second() {
    let mut g = Graph::default();
    let x = data(&mut g, "x", &[3]);
    let y = relu(&mut g, x);
    let z = g.map("", &[x, x], |b, v| {
        let two = b.scale(v[1], 3.0);
        b.binary(BinaryOp::Max, v[0], two)
    });
    let s = g.add(y, z);
    let s = g.reduce_all(ReduceOp::Sum, s);
    let d = gradients(&mut g, s, &[x])[0];
    g.outputs.push(("d".into(), d));
    let inputs = values(&g, &[("x", vec![-1.0, 0.0, 2.0])]);
    let out = crate::exec::reference::evaluate_f64(&g, &inputs, 0, 0).unwrap();
    assert_eq!(out[0], [1.0, 3.0, 4.0]);
}

#[test]
fn batch_norm_and_relu() {
    let mut g = Graph::default();
    let x = data(&mut g, "x", &[3, 2, 3, 3]);
    let (a, b) = (param(&mut g, "scale", &[2]), param(&mut g, "shift", &[2]));
    let y = batch_norm(&mut g, x, a, b);
    let y = relu(&mut g, y);
    let loss = weighted(&mut g, y);
    check_gradient(&g, loss, &[]);
}

#[test]
fn layer_norm() {
    let mut g = Graph::default();
    let x = data(&mut g, "x", &[3, 5]);
    let mean = g.reduction("mean", &[3], ReduceOp::Mean, &[5], |b| b.read(x, axes(2)));
    let var = g.reduction("var", &[3], ReduceOp::Mean, &[5], |b| {
        let (x, m) = (b.read(x, axes(2)), b.read(mean, axes(1)));
        let (d, two) = (b.sub(x, m), b.constant(2.0));
        b.binary(BinaryOp::Pow, d, two)
    });
    let y = g.equation("ln", &[3, 5], |b| {
        let (x, m, v) = (b.read(x, axes(2)), b.read(mean, axes(1)), b.read(var, axes(1)));
        let (d, s) = (b.sub(x, m), b.unary(UnaryOp::Sqrt, v));
        b.div(d, s)
    });
    let loss = weighted(&mut g, y);
    check_gradient(&g, loss, &[]);
}

#[test]
fn cross_entropy_of_a_linear_layer() {
    let mut g = Graph::default();
    let (x, w) = (data(&mut g, "x", &[5, 4]), param(&mut g, "w", &[3, 4]));
    let labels = g.input("labels", Role::Data, DType::Int, &[5], Some(0));
    let y = linear(&mut g, x, w);
    let loss = cross_entropy(&mut g, y, labels);
    let g = check_gradient(&g, loss, &[]);
    assert!(g.nodes.iter().all(|n| !matches!(n.kind, Kind::Scatter(_))), "labels are gathered");
}

#[test]
fn embedding_scatters() {
    let mut g = Graph::default();
    let table = param(&mut g, "table", &[4, 3]);
    let tokens = g.input("tokens", Role::Data, DType::Int, &[2, 5], Some(0));
    let y = g.equation("embed", &[2, 5, 3], |b| {
        let token = Index::atom(Atom::Load(tokens, axes(2)));
        b.read(table, vec![token, Index::var(2)])
    });
    let loss = weighted(&mut g, y);
    let tokens = vec![0.0, 3.0, 3.0, 1.0, 7.0, 0.0, 0.0, 2.0, 3.0, -1.0];
    let g = check_gradient(&g, loss, &[("tokens", tokens.clone())]);
    assert!(g.nodes.iter().any(|n| matches!(n.kind, Kind::Scatter(_))));
    // Once more: the gradient of a function of the gradient goes through the scatter.
    let mut h = g.clone();
    let d = h.outputs[1].1;
    let squares = h.mul(d, d);
    let second = weighted(&mut h, squares);
    check_gradient(&h, second, &[("tokens", tokens)]);
}

#[test]
fn second_order() {
    let mut g = Graph::default();
    let (x, w) = (data(&mut g, "x", &[2, 2, 4, 4]), param(&mut g, "w", &[2, 2, 3, 3]));
    let y = conv(&mut g, x, w, Conv { stride: 2, ..Conv::default() });
    let y = g.unary(UnaryOp::Tanh, y);
    let y = pool(&mut g, y, ReduceOp::Max, 2, 1, 0);
    let loss = weighted(&mut g, y);
    let d = gradients(&mut g, loss, &[w])[0];
    let squares = g.mul(d, d);
    let second = g.reduce_all(ReduceOp::Sum, squares);
    check_gradient(&g, second, &[]);
}

#[test]
fn attention() {
    let mut g = Graph::default();
    let (q, k, v) =
        (data(&mut g, "q", &[2, 2, 3, 4]), data(&mut g, "k", &[2, 2, 5, 4]), data(&mut g, "v", &[2, 2, 5, 4]));
    let [n, h, i, j] = [0, 1, 2, 3].map(Index::var);
    let last = Index::var(4);
    let scores = g.reduction("scores", &[2, 2, 3, 5], ReduceOp::Sum, &[4], |b| {
        let q = b.read(q, vec![n.clone(), h.clone(), i.clone(), last.clone()]);
        let k = b.read(k, vec![n.clone(), h.clone(), j.clone(), last.clone()]);
        b.mul(q, k)
    });
    let weights = g.unary(UnaryOp::Exp, scores);
    let total = g.reduction("total", &[2, 2, 3], ReduceOp::Sum, &[5], |b| b.read(weights, axes(4)));
    let weights = g.equation("softmax", &[2, 2, 3, 5], |b| {
        let (w, t) = (b.read(weights, axes(4)), b.read(total, axes(3)));
        b.div(w, t)
    });
    let y = g.reduction("out", &[2, 2, 3, 4], ReduceOp::Sum, &[5], |b| {
        let w = b.read(weights, vec![n.clone(), h.clone(), i.clone(), last.clone()]);
        let v = b.read(v, vec![n.clone(), h.clone(), last.clone(), j.clone()]);
        b.mul(w, v)
    });
    let loss = weighted(&mut g, y);
    let g = check_gradient(&g, loss, &[]);
    assert_eq!(contractions(&g, loss), 4);
}

#[test]
fn products_with_zeros() {
    let mut g = Graph::default();
    let x = data(&mut g, "x", &[3, 4]);
    let y = g.reduction("prod", &[3], ReduceOp::Prod, &[4], |b| b.read(x, axes(2)));
    let loss = weighted(&mut g, y);
    let x = vec![1.5, 2.0, -1.0, 0.5, 1.0, 0.0, 3.0, 2.0, 0.0, 1.0, 0.0, 2.0];
    check_gradient(&g, loss, &[("x", x)]);
}

#[test]
fn pixel_shuffle_and_upsampling() {
    let mut g = Graph::default();
    let x = data(&mut g, "x", &[2, 8, 3, 3]);
    let (i, j) = (Index::var(2), Index::var(3));
    let channel = Index::var(1).times(4).plus(&i.rem(2), 2).plus(&j.rem(2), 1);
    let y = g.equation("shuffle", &[2, 2, 6, 6], |b| b.read(x, vec![Index::var(0), channel, i.div(2), j.div(2)]));
    let loss = weighted(&mut g, y);
    let g = check_gradient(&g, loss, &[]);
    assert!(g.nodes.iter().all(|n| !matches!(&n.kind, Kind::Equation(e) if n.label.contains("shuffle") && n.label.contains("grad") && e.reduce.is_some())));
    let mut g = Graph::default();
    let x = data(&mut g, "x", &[4]);
    let y = g.equation("up", &[7], |b| b.read(x, vec![Index::var(0).div(2)]));
    let z = g.equation("wrap", &[7], |b| b.read(x, vec![Index::var(0).plus(&Index::constant(1), 1).rem(4)]));
    let y = g.mul(y, z);
    let loss = weighted(&mut g, y);
    check_gradient(&g, loss, &[]);
}

#[test]
fn all_operations() {
    let mut g = Graph::default();
    let (x, y) = (data(&mut g, "x", &[6]), data(&mut g, "y", &[6]));
    let mut all = Vec::new();
    for op in [UnaryOp::Neg, UnaryOp::Exp, UnaryOp::Log, UnaryOp::Sqrt, UnaryOp::Rsqrt, UnaryOp::Tanh] {
        all.push(g.unary(op, x));
    }
    for op in [
        UnaryOp::Sigmoid,
        UnaryOp::Erf,
        UnaryOp::Sin,
        UnaryOp::Cos,
        UnaryOp::Tan,
        UnaryOp::Atan,
        UnaryOp::Abs,
        UnaryOp::Floor,
    ] {
        all.push(g.unary(op, x));
    }
    for op in [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Pow, BinaryOp::Max, BinaryOp::Min]
    {
        all.push(g.map("", &[x, y], |b, v| b.binary(op, v[0], v[1])));
    }
    all.push(g.map("select", &[x, y], |b, v| {
        let c = b.compare(CompareOp::Lt, v[0], v[1]);
        let d = b.compare(CompareOp::Ne, v[0], v[1]);
        let c = b.binary(BinaryOp::And, c, d);
        let p = b.mul(v[0], v[1]);
        let q = b.unary(UnaryOp::Exp, v[1]);
        b.select(c, p, q)
    }));
    all.push(g.map("abs", &[y], |b, v| b.unary(UnaryOp::Abs, v[0])));
    all.push(g.map("cube", &[y], |b, v| {
        let three = b.constant(3.0);
        b.binary(BinaryOp::Pow, v[0], three)
    }));
    let joined = g.concat("", &all, 0);
    let loss = weighted(&mut g, joined);
    check_gradient(&g, loss, &[("x", vec![0.3, 1.7, 0.9, 2.2, 1.1, 0.4]), ("y", vec![0.5, 1.2, -0.8, 2.5, -1.5, 0.3])]);
}

#[test]
fn structure_of_tensors() {
    let mut g = Graph::default();
    let (x, y) = (data(&mut g, "x", &[4, 4]), data(&mut g, "y", &[4, 2]));
    let c = g.concat("", &[x, y, x], 1);
    let c = g.reshape("", c, &[8, 5]);
    let diagonal = g.equation("", &[4], |b| b.read(x, vec![Index::var(0), Index::var(0)]));
    let wide = g.equation("", &[8, 5], |b| {
        let d = b.read(diagonal, vec![Index::var(0).div(2)]);
        let c = b.read(c, axes(2));
        b.mul(c, d)
    });
    let padded = g.pad("", wide, 1, 2, 1);
    let part = g.slice("", padded, 0, 3, 4);
    let reversed = g.equation("", &[4, 8], |b| {
        let at = vec![affine(&[(0, -1)], 3), Index::var(1)];
        let x = b.read(part, at);
        let e = b.unary(UnaryOp::Exp, x);
        let row = b.read(y, vec![Index::var(0), Index::constant(1)]);
        b.mul(e, row)
    });
    let turned = g.transpose("", reversed, &[1, 0]);
    let loss = weighted(&mut g, turned);
    check_gradient(&g, loss, &[]);
}

#[test]
fn a_read_under_a_select_stays_under_it() {
    let mut g = Graph::default();
    let x = data(&mut g, "x", &[4]);
    let y = g.equation("", &[6], |b| {
        let x = b.read(x, vec![affine(&[(0, 1)], -1)]);
        let e = b.unary(UnaryOp::Exp, x);
        let s = b.mul(e, x);
        let t = b.test(inside(affine(&[(0, 1)], 0), 3));
        let z = b.scale(s, 2.0);
        b.select(t, s, z)
    });
    let loss = weighted(&mut g, y);
    check_gradient(&g, loss, &[]);
}

#[test]
fn no_path_gives_zeros() {
    let mut g = Graph::default();
    let (x, y) = (data(&mut g, "x", &[2]), data(&mut g, "y", &[3]));
    let loss = weighted(&mut g, x);
    let d = gradients(&mut g, loss, &[y])[0];
    assert_eq!(g.node(d).shape, [3]);
    check_gradient(&g, loss, &[]);
}
