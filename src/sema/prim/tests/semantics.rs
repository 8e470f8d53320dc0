//! What equations mean, and the form of what they are lowered to.

use super::*;

fn run(text: &str, scalars: &[(&str, Scalar)], inputs: &[&Array]) -> Array {
    let p = primitives(text).remove(0);
    let found = check(&p);
    assert!(found.is_empty(), "{found:#?}");
    Unit::of(p, scalars).run(inputs, &[])
}

#[test]
fn a_reduction_inside_an_expression_has_only_the_axes_that_it_needs() {
    let text = "primitive f(x[N, K]) -> y[N, K] { y[n, k] = exp(x[n, k] - max[l] x[n, l]) / sum[l] exp(x[n, l] - max[j] x[n, j]) }";
    let p = primitives(text).remove(0);
    let (g, out) = Unit::of(p, &[]).graph(&[(&[3, 4], false)]).unwrap();
    let shapes: Vec<&[usize]> = g.nodes.iter().map(|n| n.shape.as_slice()).collect();
    assert_eq!(shapes, [&[3, 4][..], &[3], &[3], &[3, 4]], "the maximum is shared");
    assert!(g.nodes.iter().all(|n| n.example == Some(0)));
    assert_eq!(out[0], NodeId(3));
    // At the top, too.
    let text = "primitive f(x[N, K]) -> y[N, K] { y[n, k: K] = sum[l] x[n, l] }";
    let (g, _) = Unit::of(primitives(text).remove(0), &[]).graph(&[(&[3, 4], false)]).unwrap();
    assert_eq!(g.nodes[1].shape, [3]);
}

#[test]
fn reads_outside() {
    let x = Array::new(&[3], vec![1.0, 2.0, 3.0]);
    // 0 outside of a reduction, and only the read.
    let y = run("primitive f(x[T]) -> y[T] { y[t] = 10 + x[t - 1] }", &[], &[&x]);
    assert_eq!(y.data, [10.0, 11.0, 12.0]);
    // The whole term inside of one.
    let y = run("primitive f(x[T]) -> y[T] { y[t] = sum[u: 2] (10 + x[t - u]) }", &[], &[&x]);
    assert_eq!(y.data, [11.0, 23.0, 25.0]);
    // A read under a condition counts only where it is taken.
    let y =
        run("primitive f(x[T]) -> y[T] { y[t] = sum[u: 2] (10 + if u == 0 { x[t] } else { x[t - 1] }) }", &[], &[&x]);
    assert_eq!(y.data, [11.0, 23.0, 25.0]);
    let y = run("primitive f(x[T]) -> y[T] { y[t] = prod[u: 4] x[t + u + 2] }", &[], &[&x]);
    assert_eq!(y.data, [3.0, 0.0, 0.0], "no term left gives 0");
}

#[test]
fn numbers_in_equations_are_real_and_elsewhere_whole() {
    let x = Array::new(&[5], vec![1.0; 5]);
    let y = run("primitive f(x[T], k: int) -> y[T] { y[t] = x[t] * (k / 2) + t / 2 }", &[("k", int(3))], &[&x]);
    assert_eq!(y.data, [1.5, 2.0, 2.5, 3.0, 3.5]);
    let y = run(
        "primitive f(x[T], k: int) -> y[T] { let h = k / 2  y[t] = x[t] * h + floor(t / 2) + t % 2 }",
        &[("k", int(3))],
        &[&x],
    );
    assert_eq!(y.data, [1.0, 2.0, 2.0, 3.0, 3.0]);
}

#[test]
fn scalar_conditions_choose_equations() {
    let text = "primitive f(x[T], bias: bool = false) -> y[T] {
        if bias { param b[T] = 2  s[t] = x[t] + b[t] } else { s[t] = x[t] }
        y[t] = if bias { s[t] } else { 0 - s[t] }
    }";
    let x = Array::new(&[2], vec![1.0, 2.0]);
    assert_eq!(run(text, &[], &[&x]).data, [-1.0, -2.0]);
    assert_eq!(run(text, &[("bias", Scalar::Bool(true))], &[&x]).data, [3.0, 4.0]);
}

#[test]
fn initializers() {
    let text = "primitive f(x[N, C]) -> y[N, C] {
        param a[C] = he_normal(fan_in = 8)
        param b[C] = xavier_uniform(fan_in = 2, fan_out = 4)
        param c[C, C] = identity
        param d[C] = 1 / 2.0
        y[n, o] = x[n, o] * a[o] + b[o] * d[o] + sum[c2] c[o, c2]
    }";
    let p = primitives(text).remove(0);
    assert_eq!(check(&p), []);
    let (g, _) = Unit::of(p, &[]).graph(&[(&[2, 3], false)]).unwrap();
    let inits: Vec<Init> = g
        .inputs()
        .filter_map(|(_, i)| match &i.role {
            Role::Param(i) => Some(i.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(inits, [Init::Normal(0.5), Init::Uniform(1.0), Init::Identity, Init::Constant(0.5)]);
}

#[test]
fn a_sum_of_sums_is_one_sum() {
    let x = Array::noise(&[2, 3, 4], 1);
    let text = "primitive f(x[N, C, T]) -> y[N] { y[n] = sum[c] sum[t] x[n, c, t] }";
    close(&run(text, &[], &[&x]), &build(&[2], |p| x.data[12 * p[0] as usize..][..12].iter().sum()));
    let (g, _) = Unit::of(primitives(text).remove(0), &[]).graph(&[(&[2, 3, 4], false)]).unwrap();
    assert_eq!(g.nodes.len(), 2);
}

#[test]
fn numbers_that_are_too_large_are_reported() {
    for text in [
        "primitive f(x[T]) -> y[T] { y[t] = x[t * 3000000000 * 3000000000] }",
        "primitive f(x[T]) -> y[T] { y[t] = x[t + 9223372036854775807] }",
        "primitive f(x[T]) -> y[T] { y[t] = x[t / 0] }",
        "primitive f(x[T]) -> y[T * 4000000000] { y[t] = x[t] }",
        "primitive f(x[T]) -> y[T] { param w[2000000000, 2000000000, 200] = 0  y[t] = x[t] * w[0, 0, 0] }",
        "primitive f(x[T]) -> y[T] { y[t] = x[t] + sum[i: 2000000000, j: 2000000000] (i + j) }",
    ] {
        let d = Unit::of(primitives(text).remove(0), &[]).graph(&[(&[3], false)]).unwrap_err();
        assert!(matches!(d.code.id, "E0604" | "E0618"), "{text}: {d:#?}");
    }
    // As a number it becomes a real one.
    let y = run(
        "primitive f(x[T]) -> y[T] { y[t] = x[t] * 0 + t * 900000000 * 900000000 * 900000000 }",
        &[],
        &[&Array::noise(&[2], 1)],
    );
    assert!((y.data[1] / 7.29e26 - 1.0).abs() < 1e-6);
}
