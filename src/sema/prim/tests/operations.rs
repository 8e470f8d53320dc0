//! The standard operations against direct loops.

use std::collections::BTreeMap;

use super::*;

#[test]
fn the_library_passes_its_own_check() {
    for p in primitives(OPS) {
        let found = check(&p);
        assert!(found.is_empty(), "{}: {found:#?}", p.name.name);
    }
}

#[test]
fn convolution_equals_direct_loops() {
    for (k, s, d, groups, size) in [
        (3, 1, 1, 1, 5),
        (3, 2, 1, 1, 6),
        (3, 2, 1, 1, 5),
        (3, 1, 2, 1, 6),
        (5, 2, 2, 2, 7),
        (1, 1, 1, 2, 4),
        (2, 2, 1, 1, 6),
    ] {
        let x = Array::noise(&[2, 4, size, size], 1);
        let mut u = Unit::new(
            "conv",
            &[("out", int(6)), ("k", int(k)), ("stride", int(s)), ("dilation", int(d)), ("groups", int(groups))],
        );
        let y = u.run(&[&x], &[]);
        let w = &u.memory["w"];
        let side = size.div_ceil(s as usize);
        let (cg, og) = (4 / groups, 6 / groups);
        let wanted = build(&[2, 6, side, side], |p| {
            let mut sum = 0.0;
            for c in 0..cg {
                for v in points(&[k as usize, k as usize]) {
                    let i = p[2] * s + (v[0] - (k - 1) / 2) * d;
                    let j = p[3] * s + (v[1] - (k - 1) / 2) * d;
                    let pixel = x.at(&[p[0], p[1] / og * cg + c, i, j]).unwrap_or(0.0);
                    sum += pixel * w.at(&[p[1], c, v[0], v[1]]).unwrap();
                }
            }
            sum
        });
        close(&y, &wanted);
    }
}

#[test]
fn convolution_is_one_sum_of_a_product_of_two_reads() {
    for groups in [1, 2] {
        let u = Unit::new("conv", &[("out", int(6)), ("groups", int(groups))]);
        let (g, out) = u.graph(&[(&[2, 4, 5, 5], false)]).unwrap();
        assert_eq!(g.nodes.len(), 3, "input, weight, convolution");
        assert_eq!(g.node(out[0]).example, Some(0));
        let Kind::Equation(e) = &g.node(out[0]).kind else { panic!() };
        assert!(matches!(e.body[..], [Op::Read(..), Op::Read(..), Op::Binary(BinaryOp::Mul, Val(0), Val(1))]));
        assert_eq!(e.guards.len(), 2, "rows and columns");
        assert_eq!(e.reduce.as_ref().unwrap().extents, [4 / groups as usize, 3, 3]);
        let Op::Read(_, at) = &e.body[0] else { panic!() };
        assert_eq!(at[1] == Index::var(4), groups == 1, "without groups the channel is a plain index");
    }
    // 1x1: nothing lies outside.
    let (g, out) = Unit::new("conv", &[("out", int(6)), ("k", int(1))]).graph(&[(&[2, 4, 5, 5], false)]).unwrap();
    let Kind::Equation(e) = &g.node(out[0]).kind else { panic!() };
    assert!(e.guards.is_empty());
}

#[test]
fn transposed_convolution_is_the_adjoint() {
    for (k, s, size) in [(4, 2, 3), (3, 2, 4), (3, 1, 4), (2, 3, 3)] {
        let x = Array::noise(&[1, 2, size, size], 1);
        let mut u = Unit::new("conv_transpose", &[("out", int(3)), ("k", int(k)), ("stride", int(s))]);
        let y = u.run(&[&x], &[]);
        let w = u.memory["w"].clone();
        let big = size * s as usize;
        let mut wanted = build(&[1, 3, big, big], |_| 0.0);
        // Scatter: what `conv` would gather from (a, b) goes to (a, b).
        for p in points(&[2, size, size, 3, k as usize, k as usize]) {
            let a = p[1] * s + p[4] - (k - 1) / 2;
            let b = p[2] * s + p[5] - (k - 1) / 2;
            let inside = 0..big as i64;
            if inside.contains(&a) && inside.contains(&b) {
                let flat = (p[3] as usize * big + a as usize) * big + b as usize;
                wanted.data[flat] += x.at(&[0, p[0], p[1], p[2]]).unwrap() * w.at(&[p[0], p[3], p[4], p[5]]).unwrap();
            }
        }
        close(&y, &wanted);
    }
}

#[test]
fn depthwise_keeps_channels_apart() {
    let x = Array::noise(&[2, 3, 5, 6], 1);
    let mut u = Unit::new("depthwise", &[("stride", int(2))]);
    let y = u.run(&[&x], &[]);
    let w = &u.memory["w"];
    let wanted = build(&[2, 3, 3, 3], |p| {
        points(&[3, 3])
            .iter()
            .map(|v| {
                x.at(&[p[0], p[1], p[2] * 2 + v[0] - 1, p[3] * 2 + v[1] - 1]).unwrap_or(0.0)
                    * w.at(&[p[1], v[0], v[1]]).unwrap()
            })
            .sum()
    });
    close(&y, &wanted);
}

#[test]
fn pooling_ignores_the_border() {
    let x = Array::noise(&[1, 2, 5, 4], 1);
    for (k, s) in [(3, 1), (3, 2), (2, 2)] {
        let window = |p: &[i64]| -> Vec<f64> {
            points(&[k as usize, k as usize])
                .iter()
                .filter_map(|v| x.at(&[p[0], p[1], p[2] * s + v[0] - (k - 1) / 2, p[3] * s + v[1] - (k - 1) / 2]))
                .collect()
        };
        let shape = [1, 2, 5_usize.div_ceil(s as usize), 4_usize.div_ceil(s as usize)];
        let args = [("k", int(k)), ("stride", int(s))];
        let max = Unit::new("max_pool", &args).run(&[&x], &[]);
        close(&max, &build(&shape, |p| window(p).into_iter().fold(f64::NEG_INFINITY, f64::max)));
        let avg = Unit::new("avg_pool", &args).run(&[&x], &[]);
        close(&avg, &build(&shape, |p| window(p).iter().sum::<f64>() / window(p).len() as f64));
    }
    let global = Unit::new("global_avg_pool", &[]).run(&[&x], &[]);
    close(
        &global,
        &build(&[1, 2], |p| {
            points(&[5, 4]).iter().map(|v| x.at(&[p[0], p[1], v[0], v[1]]).unwrap()).sum::<f64>() / 20.0
        }),
    );
}

#[test]
fn batch_norm_uses_the_batch_and_then_the_running_statistics() {
    let x = Array::noise(&[3, 2, 2, 2], 1);
    let channel =
        |c: i64| -> Vec<f64> { points(&[3, 2, 2]).iter().map(|p| x.at(&[p[0], c, p[1], p[2]]).unwrap()).collect() };
    let moments = |c: i64| {
        let v = channel(c);
        let mean = v.iter().sum::<f64>() / 12.0;
        (mean, v.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 12.0)
    };
    let mut u = Unit::new("batch_norm", &[]);
    let y = u.run(&[&x], &[]);
    close(
        &y,
        &build(&[3, 2, 2, 2], |p| {
            let (mean, var) = moments(p[1]);
            (x.at(p).unwrap() - mean) / (var + 1e-5).sqrt()
        }),
    );
    close(&u.memory["running_mean"], &build(&[2], |p| 0.1 * moments(p[0]).0));
    close(&u.memory["running_var"], &build(&[2], |p| 0.9 + 0.1 * moments(p[0]).1));
    u.training = false;
    let before = u.memory.clone();
    let y = u.run(&[&x], &[]);
    close(
        &y,
        &build(&[3, 2, 2, 2], |p| {
            let (mean, var) = moments(p[1]);
            (x.at(p).unwrap() - 0.1 * mean) / (0.9 + 0.1 * var + 1e-5).sqrt()
        }),
    );
    close(&u.memory["running_mean"], &before["running_mean"]);
    // Two dimensions work the same, and it stays a handful of nodes.
    u.training = true;
    let (g, _) = u.graph(&[(&[4, 2], false)]).unwrap();
    assert_eq!(g.nodes.len(), 5 + 2 + 2 + 2, "inputs, moments, updates, scale and result");
}

#[test]
fn layer_and_group_norm_have_mean_0_and_variance_1() {
    let x = Array::noise(&[2, 3, 8], 1);
    let y = Unit::new("layer_norm", &[]).run(&[&x], &[]);
    for row in y.data.chunks(8) {
        assert!(row.iter().sum::<f64>().abs() < 1e-9);
        assert!((row.iter().map(|a| a * a).sum::<f64>() / 8.0 - 1.0).abs() < 1e-3);
    }
    let x = Array::noise(&[2, 6, 2, 2], 1);
    let y = Unit::new("group_norm", &[("groups", int(3))]).run(&[&x], &[]);
    for group in y.data.chunks(8) {
        assert!(group.iter().sum::<f64>().abs() < 1e-9);
        assert!((group.iter().map(|a| a * a).sum::<f64>() / 8.0 - 1.0).abs() < 1e-3);
    }
}

#[test]
fn softmax_and_losses() {
    let x = Array::noise(&[4, 5], 3);
    let row = |n: i64| -> Vec<f64> { (0..5).map(|k| x.at(&[n, k]).unwrap().exp()).collect() };
    let p = |n: i64, k: i64| row(n)[k as usize] / row(n).iter().sum::<f64>();
    close(&Unit::new("softmax", &[]).run(&[&x], &[]), &build(&[4, 5], |i| p(i[0], i[1])));

    let label = Array::new(&[4], vec![1.0, 0.0, 4.0, 2.0]);
    let wanted = (0..4).map(|n| -p(n, label.data[n as usize] as i64).ln()).sum::<f64>() / 4.0;
    close(&Unit::new("cross_entropy", &[]).run(&[&x], &[&label]), &Array::new(&[], vec![wanted]));
    let even = (0..4).flat_map(|n| (0..5).map(move |k| (n, k))).map(|(n, k)| -p(n, k).ln()).sum::<f64>() / 20.0;
    let smooth = Unit::new("label_smoothing", &[("smoothing", Scalar::Float(0.2))]).run(&[&x], &[&label]);
    close(&smooth, &Array::new(&[], vec![0.8 * wanted + 0.2 * even]));
    // A label outside of the classes does not count.
    let partial = Array::new(&[4], vec![1.0, -1.0, 4.0, -1.0]);
    let wanted = (-p(0, 1).ln() - p(2, 4).ln()) / 2.0;
    close(&Unit::new("cross_entropy", &[]).run(&[&x], &[&partial]), &Array::new(&[], vec![wanted]));

    let target = Array::noise(&[4, 5], 9);
    let mse = x.data.iter().zip(&target.data).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 20.0;
    close(&Unit::new("mean_squared_error", &[]).run(&[&x, &target], &[]), &Array::new(&[], vec![mse]));
}

#[test]
fn accuracy_counts_like_argmax() {
    let nan = f64::NAN;
    let x = Array::new(
        &[6, 3],
        vec![
            1.0, 2.0, 0.0, // right
            1.0, 2.0, 0.0, // wrong
            5.0, 5.0, 5.0, // a tie: the first
            5.0, 5.0, 5.0, // a tie: not the first
            nan, nan, nan, // never right
            0.0, 0.0, 1.0, // right
        ],
    );
    let label = Array::new(&[6], vec![1.0, 0.0, 0.0, 1.0, 0.0, 2.0]);
    close(&Unit::new("accuracy", &[]).run(&[&x], &[&label]), &Array::new(&[], vec![0.5]));
}

#[test]
fn linear_works_on_the_last_axis_of_any_rank() {
    for shape in [vec![3, 4], vec![2, 3, 4]] {
        let x = Array::noise(&shape, 1);
        let mut u = Unit::new("linear", &[("out", int(5))]);
        u.memory.insert("b".into(), Array::noise(&[5], 8));
        let y = u.run(&[&x], &[]);
        let w = u.memory["w"].clone();
        let b = u.memory["b"].clone();
        let mut out = shape.clone();
        *out.last_mut().unwrap() = 5;
        close(
            &y,
            &build(&out, |p| {
                let (o, lead) = p.split_last().unwrap();
                b.at(&[*o]).unwrap()
                    + (0..4).map(|f| x.at(&[lead, &[f]].concat()).unwrap() * w.at(&[*o, f]).unwrap()).sum::<f64>()
            }),
        );
    }
}

#[test]
fn embedding_and_positions() {
    let token = Array::new(&[2, 3], vec![0.0, 4.0, 1.0, 1.0, 2.0, 0.0]);
    let mut u = Unit::new("embedding", &[("vocabulary", int(5)), ("dim", int(4))]);
    let y = u.run(&[], &[&token]);
    let table = u.memory["table"].clone();
    close(&y, &build(&[2, 3, 4], |p| table.at(&[token.at(&p[..2]).unwrap() as i64, p[2]]).unwrap()));
    let (g, out) = u.graph(&[(&[2, 3], true)]).unwrap();
    assert_eq!(g.node(out[0]).example, Some(0));

    let x = Array::noise(&[2, 3, 4], 1);
    let y = Unit::new("positional_encoding", &[]).run(&[&x], &[]);
    close(
        &y,
        &build(&[2, 3, 4], |p| {
            let angle = p[1] as f64 / 10000_f64.powf(2.0 * (p[2] / 2) as f64 / 4.0);
            x.at(p).unwrap() + if p[2] % 2 == 0 { angle.sin() } else { angle.cos() }
        }),
    );
}

#[test]
fn attention_mixes_values_by_head() {
    let (q, k, v) = (Array::noise(&[2, 3, 4], 1), Array::noise(&[2, 5, 4], 2), Array::noise(&[2, 5, 4], 3));
    let y = Unit::new("attention", &[("heads", int(2))]).run(&[&q, &k, &v], &[]);
    close(
        &y,
        &build(&[2, 3, 4], |p| {
            let h = p[2] / 2;
            let score = |s: i64| {
                (0..2)
                    .map(|d| q.at(&[p[0], p[1], 2 * h + d]).unwrap() * k.at(&[p[0], s, 2 * h + d]).unwrap())
                    .sum::<f64>()
                    / 2_f64.sqrt()
            };
            let total: f64 = (0..5).map(|s| score(s).exp()).sum();
            (0..5).map(|s| score(s).exp() / total * v.at(&[p[0], s, p[2]]).unwrap()).sum()
        }),
    );
}

#[test]
fn dropout_keeps_the_mean_and_draws_by_seed_and_step() {
    let ones = Array::new(&[100, 100], vec![1.0; 10_000]);
    let mut u = Unit::new("dropout", &[("p", Scalar::Float(0.3))]);
    let y = u.run(&[&ones], &[]);
    let zeros = y.data.iter().filter(|v| **v == 0.0).count() as f64 / 10_000.0;
    assert!((zeros - 0.3).abs() < 0.02, "{zeros}");
    assert!((y.data.iter().sum::<f64>() / 10_000.0 - 1.0).abs() < 0.03);
    assert_eq!(y.data, u.run(&[&ones], &[]).data);
    u.step = 1;
    assert_ne!(y.data, u.run(&[&ones], &[]).data);
    u.training = false;
    assert_eq!(u.run(&[&ones], &[]).data, ones.data);
    let (g, out) = u.graph(&[(&[4, 4], false)]).unwrap();
    assert_eq!((g.nodes.len(), out[0]), (1, NodeId(0)), "nothing is left of it in inference");
}

#[test]
fn drop_path_drops_whole_examples() {
    let ones = Array::new(&[200, 3, 2], vec![1.0; 1200]);
    let mut u = Unit::new("drop_path", &[]);
    assert_eq!(u.run(&[&ones], &[]).data, ones.data, "the knob starts at 0");
    u.knobs.insert("p".into(), 0.5);
    let y = u.run(&[&ones], &[]);
    let mut dropped = 0;
    for example in y.data.chunks(6) {
        assert!(example.iter().all(|v| *v == example[0]) && [0.0, 2.0].contains(&example[0]));
        dropped += usize::from(example[0] == 0.0);
    }
    assert!((70..130).contains(&dropped), "{dropped}");
}

#[test]
fn two_uses_of_a_site_draw_apart_and_chain_their_statistics() {
    let mut g = Graph::default();
    let x = g.push(Node {
        kind: Kind::Input(Input { name: "x".into(), role: Role::Data }),
        shape: vec![4, 3],
        dtype: DType::Float,
        example: Some(0),
        label: String::new(),
    });
    let ctx = PrimCtx { site: "s", label: "s", training: true, shared: true, call: Span::default(), known: None };
    for _ in 0..2 {
        instantiate(&op("dropout"), &[x], &BTreeMap::new(), &mut g, &ctx).unwrap();
    }
    let streams: Vec<&Kind> = g.nodes.iter().map(|n| &n.kind).filter(|k| matches!(k, Kind::Random { .. })).collect();
    assert_eq!(streams.len(), 2);
    assert_ne!(streams[0], streams[1]);
    for _ in 0..2 {
        instantiate(&op("batch_norm"), &[x], &BTreeMap::new(), &mut g, &ctx).unwrap();
    }
    assert_eq!(g.inputs().filter(|(_, i)| i.name == "s.gamma").count(), 1);
    assert_eq!(g.updates.len(), 2, "each state once");
    let (state, value) = g.updates[0];
    let mut reads = Vec::new();
    g.node(value).reads(|t| reads.push(t));
    assert!(!reads.contains(&state), "the second update goes on from the first");
}

#[test]
fn optimizers_follow_their_papers() {
    let w0 = Array::noise(&[3], 1);
    let grads = [Array::noise(&[3], 2), Array::noise(&[3], 3)];
    for nesterov in [0.0, 1.0] {
        let mut u = Unit::new("sgd", &[]);
        u.knobs.extend([
            ("lr".into(), 0.1),
            ("momentum".into(), 0.9),
            ("decay".into(), 0.01),
            ("nesterov".into(), nesterov),
        ]);
        let (mut w, mut wanted, mut v) = (w0.clone(), w0.clone(), vec![0.0; 3]);
        for g in &grads {
            w = u.run(&[&w, g], &[]);
            for i in 0..3 {
                let d = g.data[i] + 0.01 * wanted.data[i];
                v[i] = 0.9 * v[i] + d;
                wanted.data[i] -= 0.1 * if nesterov > 0.0 { d + 0.9 * v[i] } else { v[i] };
            }
            close(&w, &wanted);
        }
    }
    for (name, coupled) in [("adam", true), ("adamw", false)] {
        let mut u = Unit::new(name, &[]);
        u.knobs.extend([("lr".into(), 0.1), ("decay".into(), 0.05)]);
        let (mut w, mut wanted, mut m, mut v) = (w0.clone(), w0.clone(), vec![0.0; 3], vec![0.0; 3]);
        for (t, g) in (1..).zip(&grads) {
            w = u.run(&[&w, g], &[]);
            for i in 0..3 {
                let x = wanted.data[i];
                let d = g.data[i] + if coupled { 0.05 * x } else { 0.0 };
                m[i] = 0.9 * m[i] + 0.1 * d;
                v[i] = 0.999 * v[i] + 0.001 * d * d;
                let step = m[i] / (1.0 - 0.9_f64.powi(t)) / ((v[i] / (1.0 - 0.999_f64.powi(t))).sqrt() + 1e-8);
                wanted.data[i] = x - 0.1 * (step + if coupled { 0.0 } else { 0.05 * x });
            }
            for (a, b) in w.data.iter().zip(&wanted.data) {
                assert!((a - b).abs() < 1e-7, "{name}: {a} and {b}");
            }
        }
    }
}

#[test]
fn moving_and_reshaping() {
    let x = Array::noise(&[1, 2, 4, 6], 1);
    close(
        &Unit::new("shift", &[]).run(&[&x], &[]),
        &build(&[1, 2, 4, 6], |p| x.at(&[p[0], p[1], p[2] + 1, p[3] + 1]).unwrap_or(0.0)),
    );
    let args = [("channels", int(3)), ("height", int(6)), ("width", int(7))];
    close(
        &Unit::new("pad_to", &args).run(&[&x], &[]),
        &build(&[1, 3, 6, 7], |p| x.at(&[p[0], p[1], p[2] - 1, p[3]]).unwrap_or(0.0)),
    );
    let flat = Unit::new("flatten", &[]).run(&[&x], &[]);
    assert_eq!(flat.data, x.data);
    let y = Unit::new("patches", &[("size", int(2))]).run(&[&x], &[]);
    close(
        &y,
        &build(&[1, 6, 8], |p| x.at(&[0, p[2] / 4, p[1] / 3 * 2 + p[2] / 2 % 2, p[1] % 3 * 2 + p[2] % 2]).unwrap()),
    );
    let e = Unit::new("patches", &[("size", int(4))]).graph(&[(&[1, 2, 4, 6], false)]).unwrap_err();
    assert_eq!((e.code.id, e.message.as_str()), ("E0612", "6 is not a multiple of 4"));
}

#[test]
fn elementwise_functions() {
    let x = Array::noise(&[10], 5);
    let table: [(&str, fn(f64) -> f64); 6] = [
        ("relu", |a| a.max(0.0)),
        ("leaky_relu", |a| if a > 0.0 { a } else { 0.01 * a }),
        ("silu", |a| a / (1.0 + (-a).exp())),
        ("tanh", f64::tanh),
        ("sigmoid", |a| 1.0 / (1.0 + (-a).exp())),
        ("identity", |a| a),
    ];
    for (name, f) in table {
        close(&Unit::new(name, &[]).run(&[&x], &[]), &build(&[10], |p| f(x.data[p[0] as usize])));
    }
    let y = Unit::new("gelu", &[]).run(&[&Array::new(&[1], vec![1.0])], &[]);
    assert!((y.data[0] - 0.841_344_746_068_543).abs() < 1e-9);
}
