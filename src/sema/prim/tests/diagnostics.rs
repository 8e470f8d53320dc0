//! What the check and a use report.

use super::*;

/// The codes that the check finds.
fn codes(text: &str) -> Vec<&'static str> {
    primitives(text).iter().flat_map(check).map(|d| d.code.id).collect()
}

#[test]
fn the_check_finds() {
    for (text, wanted) in [
        ("primitive f(x[N, C]) -> y[N, C] { y[n, c] = x[n, c] * wieght }", "E0601"),
        ("primitive f(x[N, C]) -> y[N, C] { y[n, c] = x[n, c] + z[c] }", "E0601"),
        ("primitive f(x[N, C]) -> y[N, C] { y[n, c] = epx(x[n, c]) }", "E0601"),
        ("primitive f(x[N, T]) -> y[N, T] { y[n, t] = mean[u] x[n, t + u] }", "E0602"),
        ("primitive f(x[N, T]) -> y[N, U] { y[n, t] = x[n, t] }", "E0602"),
        ("primitive f(x[N, C]) -> y[N] { y[n] = sum[c, u] x[n, c] }", "E0603"),
        ("primitive f(x[N, C]) -> y[N] { y[n] = sum[c] 2 + n }", "E0603"),
        ("primitive f(x[N, T]) -> y[N, T] { y[n, t] = x[n, n * t] }", "E0604"),
        ("primitive f(x[N, T]) -> y[N, T] { y[n, t] = x[n, 12 / (t + 1)] }", "E0604"),
        ("primitive f(x[T]) -> y[T] { param w[T] = 0  y[t] = x[w[t]] }", "E0604"),
        ("primitive f(x[T]) -> y[T] { z[t] = x[t] }", "E0605"),
        ("primitive f(x[T]) -> y[T] { y[t] = x[t]  y[t] = x[t] }", "E0605"),
        ("primitive f(x[T]) -> y[T] { y[t] = z[t]  z[t] = x[t] }", "E0601"),
        ("primitive f(x[T], k: int) -> y[T] { if k == 1 { y[t] = x[t] } }", "E0605"),
        ("primitive f(x[N, T]) -> y[N, T] { y[n, t] = x[n] }", "E0606"),
        ("primitive f(x[N, T]) -> y[N, T] { y[n] = x[n, n] }", "E0606"),
        ("primitive f(x[T]) -> y[T] { state s[T] = 0  s[t] = x[t]  y[t] = x[t] }", "E0607"),
        ("primitive f(x[T]) -> y[T] { param s[T] = 0  s[t] <- x[t]  y[t] = x[t] + s[t] }", "E0607"),
        ("primitive f(x[T]) -> y[T] { s[t] <- x[t]  y[t] = x[t] }", "E0607"),
        ("primitive f(a[N, C], b[N, D]) -> y[N, C] { y[n, c] = a[n, c] + b[n, c] }", "E0608"),
        ("primitive f(a[C], b[D]) -> y { y = sum[c] a[c] * b[c] }", "E0608"),
        ("primitive f(x[n, c]) -> y[n, c] { y[n, c] = x[n, c] }", "E0609"),
        ("primitive f(x[T]) -> y[T] { y[T] = x[T] }", "E0609"),
        ("primitive f(x[T]) -> y[T] { y[t] = x[t] + uniform() }", "E0610"),
        ("primitive f(x[T]) -> y[T] { if !training { y[t] = x[t] + uniform() } else { y[t] = x[t] } }", "E0610"),
        ("primitive f(x[T]) -> y[T] { y[t] = if x[t] > 0 { x[t] } }", "E0613"),
        ("primitive f(x[T]) -> y[T] { knob p = 0.0  if p > 0 { y[t] = x[t] } else { y[t] = 0 * x[t] } }", "E0613"),
        ("primitive f(x[T]) -> y[T] { param w[T] = he_norml(fan_in = T)  y[t] = x[t] * w[t] }", "E0615"),
        ("primitive f(x[T]) -> y[T] { param w[T] = he_normal()  y[t] = x[t] * w[t] }", "E0615"),
        ("primitive f(x[T], k: int) -> y[T] { y[k] = x[k] }", "E0616"),
        ("primitive f(x[T]) -> y[T] { y[t] = max[t] x[t] }", "E0616"),
        ("primitive f(x[N, ..]) -> y[N] { y[n] = x[n, ..] }", "E0617"),
        ("primitive f(x[N, C]) -> y[N, ..] { y[n, ..] = x[n, ..] }", "E0617"),
        ("primitive f(s[N, C], like[N, C, H]) -> y[N, C, H] { y[n, c, i] = s[n, c] }", "W0601"),
        ("primitive f(x[T]) -> y[T] { param b[T] = 0  y[t] = x[t] }", "W0602"),
        ("primitive f(x[T]) -> y[T] { state s[T] = 0  s[t] <- x[t]  y[t] = x[t] + s[t] }", "W0603"),
    ] {
        let found = codes(text);
        assert!(found.contains(&wanted), "{text}\n wanted {wanted}, found {found:?}");
    }
}

#[test]
fn every_page_shows_what_its_code_means() {
    for code in crate::diag::codes::ALL.iter().filter(|c| &c.id[1..3] == "06") {
        let example = code.page.split("```nas").nth(1).and_then(|s| s.split("```").next()).expect("an example");
        let found = codes(example);
        // Some are found only with arguments.
        let with_arguments = matches!(code.id, "E0611" | "E0612" | "E0614" | "E0618");
        assert!(if with_arguments { found.is_empty() } else { found.contains(&code.id) }, "{}: {found:?}", code.id);
    }
}

#[test]
fn messages_show_both_places_and_a_way_out() {
    let text = "primitive f(x[N, T], weight[T]) -> y[N, T] { y[n, t] = x[n, t] * wieght[t] }";
    let d = check(&primitives(text).remove(0)).remove(0);
    assert_eq!(d.message, "unknown tensor `wieght`");
    assert_eq!(d.help.as_deref(), Some("did you mean `weight`?"));
    assert_eq!(d.fix.unwrap().text, "weight");

    let text = "primitive f(x[N, T]) -> y[N, T] { y[n, t] = mean[u] x[n, t + u] }";
    let d = check(&primitives(text).remove(0)).remove(0);
    assert_eq!(d.message, "no extent binds the index `u`");
    assert_eq!(d.labels.len(), 2);

    let text = "primitive f(a[N, C], b[N, C]) -> y[N, C] { y[n, c] = a[n, c] + b[n, c] }";
    let d = Unit::of(primitives(text).remove(0), &[]).graph(&[(&[2, 3], false), (&[2, 4], false)]).unwrap_err();
    assert_eq!(d.message, "`C` is 3 and 4");
    assert_eq!(d.labels.len(), 2);
    let d = Unit::of(op("conv"), &[("out", int(4))]).graph(&[(&[2, 3], false)]).unwrap_err();
    assert_eq!(d.message, "`conv` wants `x` with 4 dimensions, but it has 2");
    let d = Unit::of(op("conv"), &[]).graph(&[(&[2, 3, 4, 4], false)]).unwrap_err();
    assert_eq!(d.message, "`conv` needs the argument `out`");
    let d = Unit::of(op("conv"), &[("out", Scalar::Float(1.5))]).graph(&[(&[2, 3, 4, 4], false)]).unwrap_err();
    assert_eq!(d.code.id, "E0614");
    let d = Unit::of(op("conv"), &[("out", int(4)), ("groups", int(2))]).graph(&[(&[2, 3, 4, 4], false)]).unwrap_err();
    assert_eq!(d.message, "3 is not a multiple of 2");
    let d = Unit::of(op("conv"), &[("out", int(4)), ("stride", int(0))]).graph(&[(&[2, 3, 4, 4], false)]).unwrap_err();
    assert_eq!(d.message, "division by zero");
    let d = Unit::of(op("embedding"), &[("vocabulary", int(4)), ("dim", int(2))]).graph(&[(&[2], false)]).unwrap_err();
    assert_eq!(d.message, "`token` holds real numbers, so it cannot be an index");
}

/// Damaged text must give messages, not panics, and what is lowered must be well-formed.
#[test]
fn damaged_primitives_never_panic() {
    let mut rng = crate::base::rng::Stream::new(5, "damage");
    let pieces = [
        "x",
        "n",
        "N",
        "..",
        "[",
        "]",
        " + ",
        " * ",
        " / ",
        "0",
        "3",
        "sum[i] ",
        "max[..] ",
        "uniform()",
        "C",
        "<-",
        "if ",
    ];
    let names: Vec<String> = primitives(OPS).into_iter().map(|p| p.name.name).collect();
    let mut lowered = 0;
    for round in 0..400 {
        let from = OPS.find(&format!("primitive {}(", names[round % names.len()])).unwrap();
        let to = OPS[from..].find("\n}").unwrap() + from + 2;
        let mut text: Vec<char> = OPS[from..to].chars().collect();
        for _ in 0..=rng.below(3) {
            let at = rng.below(text.len());
            if rng.flip(0.4) {
                text.remove(at);
            }
            if rng.flip(0.7) {
                let piece: Vec<char> = pieces[rng.below(pieces.len())].chars().collect();
                text.splice(at..at, piece);
            }
        }
        let text: String = text.into_iter().collect();
        let (module, _) = parse(FileId(0), &text);
        for item in module.items {
            let ItemKind::Primitive(p) = item.kind else { continue };
            let errors = check(&p);
            for training in [true, false] {
                for rank in 1..5 {
                    let shapes: Vec<(&[usize], bool)> = super::super::shape::inputs(&p)
                        .map(|(q, _)| (&[2, 4, 4, 4][..rank], q.name.name == "label"))
                        .collect();
                    let scalars: Vec<(String, Scalar)> = p
                        .params
                        .iter()
                        .filter(|q| q.default.is_none())
                        .map(|q| (q.name.name.clone(), int(2)))
                        .collect();
                    let mut u = Unit::of(p.clone(), &[]);
                    u.scalars.extend(scalars);
                    u.training = training;
                    let Ok((g, out)) = u.graph(&shapes) else { continue };
                    assert_eq!(out.len(), p.outputs.len());
                    lowered += usize::from(errors.is_empty());
                    for id in g.ids() {
                        let Kind::Equation(e) = &g.node(id).kind else { continue };
                        for op in &e.body {
                            let Op::Read(t, at) = op else { continue };
                            assert!(*t < id && g.node(*t).shape.len() == at.len(), "{text}");
                        }
                    }
                }
            }
        }
    }
    assert!(lowered > 100, "{lowered}");
}
