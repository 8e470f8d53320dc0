#![allow(clippy::float_cmp, reason = "bits are compared")]

use serde_json::Value as Json;

use super::machine::Machine;
use super::program::Instr;
use super::set::MOST;
use super::task::{Loss, Schedule, Tasks, Truth};
use super::*;
use crate::base::Span;
use crate::base::rng::Stream;
use crate::sema::modules::{ModuleId, Program as Source};
use crate::syntax::ast::ItemKind;

fn source(text: &str) -> Source {
    let (s, errors) = Source::load("t.nas", text, None);
    assert!(errors.is_empty(), "{errors:#?}");
    s
}

const ROOT: ModuleId = ModuleId(0);

/// The program of the only `algorithm` of a text.
fn read(text: &str, features: usize) -> (Set, Program) {
    let s = source(&format!("use std.instructions.*\n{text}"));
    let mut set = Set::new(features);
    let a = s.modules[0].ast.items.iter().find_map(|i| match &i.kind {
        ItemKind::Algorithm(a) => Some(a),
        _ => None,
    });
    let p = read::algorithm(&s, ROOT, a.expect("an algorithm"), &mut set);
    (set, p.unwrap_or_else(|d| panic!("{d:#?}")))
}

fn design(text: &str, features: usize) -> Design {
    let s = source(&format!("use std.instructions.*\nspace p = {text}"));
    let value = s.modules[0].ast.items.iter().find_map(|i| match &i.kind {
        ItemKind::SpaceAlias { value, .. } => Some(value),
        _ => None,
    });
    Design::new(&s, ROOT, value.expect("a space"), features).unwrap_or_else(|d| panic!("{d:#?}"))
}

use Rank::{Matrix as M, Scalar as S, Vector as V};

/// The original's operations 1 to 58: primitive, operands, result.
const OPS: [(&str, &[Rank], Rank); 58] = [
    ("add", &[S, S], S),
    ("sub", &[S, S], S),
    ("mul", &[S, S], S),
    ("div", &[S, S], S),
    ("absolute", &[S], S),
    ("reciprocal", &[S], S),
    ("sine", &[S], S),
    ("cosine", &[S], S),
    ("tangent", &[S], S),
    ("arcsine", &[S], S),
    ("arccosine", &[S], S),
    ("arctangent", &[S], S),
    ("exponential", &[S], S),
    ("logarithm", &[S], S),
    ("heaviside", &[S], S),
    ("positive", &[V], V),
    ("positive", &[M], M),
    ("scale", &[S, V], V),
    ("broadcast", &[S], V),
    ("reciprocal", &[V], V),
    ("norm", &[V], S),
    ("absolute", &[V], V),
    ("add", &[V, V], V),
    ("sub", &[V, V], V),
    ("mul", &[V, V], V),
    ("div", &[V, V], V),
    ("dot", &[V, V], S),
    ("outer", &[V, V], M),
    ("scale", &[S, M], M),
    ("reciprocal", &[M], M),
    ("matvec", &[M, V], V),
    ("columns", &[V], M),
    ("rows", &[V], M),
    ("norm", &[M], S),
    ("column_norms", &[M], V),
    ("row_norms", &[M], V),
    ("transpose", &[M], M),
    ("absolute", &[M], M),
    ("add", &[M, M], M),
    ("sub", &[M, M], M),
    ("mul", &[M, M], M),
    ("div", &[M, M], M),
    ("matmul", &[M, M], M),
    ("minimum", &[S, S], S),
    ("minimum", &[V, V], V),
    ("matrix_minimum", &[M, M], M),
    ("maximum", &[S, S], S),
    ("maximum", &[V, V], V),
    ("matrix_maximum", &[M, M], M),
    ("average", &[V], S),
    ("average", &[M], S),
    ("row_averages", &[M], V),
    ("row_spreads", &[M], V),
    ("spread", &[V], S),
    ("spread", &[M], S),
    ("constant", &[], S),
    ("put", &[], V),
    ("put_matrix", &[], M),
];

fn numbers(v: &Json) -> Vec<f64> {
    let one = |x: &Json| match x.as_str() {
        Some(s) => s.parse().expect("a number"),
        None => x.as_f64().expect("a number"),
    };
    v.as_array().expect("a list").iter().map(one).collect()
}

fn golden(text: &str) -> usize {
    let s = source("use std.instructions.*");
    let mut set = Set::new(4);
    let mut n = 0;
    for line in text.lines() {
        let v: Json = serde_json::from_str(line).expect("JSON");
        let id = v["op"].as_u64().expect("an id") as usize;
        let mut program = Program::default();
        if id > 0 {
            let (name, ranks, out) = OPS[id - 1];
            let item = s.lookup(ROOT, name).unwrap_or_else(|| panic!("{name}"));
            let op = set.resolve(&s, item, ranks, out, Span::default()).unwrap_or_else(|d| panic!("{name}: {d:?}"));
            let at = |k: &str| v[k].as_u64().expect("an address") as u16;
            let x = |k: &str| f64::from(v[k].as_f64().expect("a number") as f32);
            let knobs = match name {
                "constant" => [v["act"].as_f64().expect("a number"), 0.0, 0.0],
                _ => [x("f0"), x("f1"), x("f2")],
            };
            program.parts[1].push(Instr { op, inputs: [at("in1"), at("in2"), 0], out: at("out"), knobs });
        }
        // Touching the last addresses makes memory as large as the vector's.
        let plain = set.resolve(&s, s.lookup(ROOT, "absolute").expect("it"), &[M], M, Span::default()).expect("it");
        program.parts[2].push(Instr { op: plain, inputs: [1, 0, 0], out: 1, knobs: [0.0; MOST] });
        let vectors = set.resolve(&s, s.lookup(ROOT, "absolute").expect("it"), &[V], V, Span::default()).expect("it");
        program.parts[2].push(Instr { op: vectors, inputs: [3, 0, 0], out: 3, knobs: [0.0; MOST] });
        let scalars = set.resolve(&s, s.lookup(ROOT, "absolute").expect("it"), &[S], S, Span::default()).expect("it");
        program.parts[2].push(Instr { op: scalars, inputs: [3, 0, 0], out: 3, knobs: [0.0; MOST] });
        let mut m = Machine::<4>::all(&set, &program);
        for (rank, key) in [(S, "s"), (V, "v"), (M, "m")] {
            let values = numbers(&v["before"][key]);
            let cells = m.memory(rank);
            assert_eq!(cells.len(), values.len());
            cells.iter_mut().zip(values).for_each(|(c, x)| c.0 = [x; 4]);
        }
        m.run(1);
        for (rank, key) in [(S, "s"), (V, "v"), (M, "m")] {
            for (k, (c, want)) in m.memory(rank).iter().zip(numbers(&v["after"][key])).enumerate() {
                let close = |x: f64| {
                    x == want || x.is_nan() && want.is_nan() || (x - want).abs() <= 1e-12 * want.abs().max(1e-3)
                };
                assert!(c.0.iter().all(|x| close(*x)), "{} {key}[{k}]: {c:?} instead of {want}\n{line}", v["name"]);
            }
        }
        n += 1;
    }
    n
}

#[test]
fn the_originals_instructions() {
    assert_eq!(golden(include_str!("testdata/golden.jsonl")), 14);
}

#[test]
fn the_originals_instructions_in_full() {
    let Some(dir) = std::env::var_os("NASC_TEST_DATA") else { return };
    let path = std::path::Path::new(&dir).join("automl_zero_golden_ops.jsonl");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    assert_eq!(golden(&text), text.lines().count());
}

const REGRESSOR: &str = "algorithm linear_regressor {
  setup {
    s2 = 0.1
  }
  predict {
    s1 = dot(v0, v1)
  }
  learn {
    s3 = s0 - s1
    s4 = s2 * s3
    v2 = s4 * v0
    v1 = v1 + v2
  }
}
";

/// Plain gradient descent for a network of two layers, back-propagation written out (the paper's figure 5).
pub(super) const NETWORK: &str = "algorithm network {
  setup {
    s3 = 0.01
    m0 = gaussian(mean = 0.0, deviation = 0.1)
    v1 = gaussian(mean = 0.0, deviation = 0.1)
  }
  predict {
    v2 = matvec(m0, v0)
    v3 = broadcast(s5)
    v4 = maximum(v2, v3)
    s1 = dot(v4, v1)
  }
  learn {
    s4 = s0 - s1
    s4 = s3 * s4
    v5 = s4 * v4
    v6 = s4 * v1
    v7 = positive(v2)
    v6 = v7 * v6
    m1 = outer(v6, v0)
    v1 = v1 + v5
    m0 = m0 + m1
  }
}
";

fn all(tasks: &Tasks, train: usize) -> Schedule {
    let count = tasks.tasks.len();
    Schedule { first: 0, count, train, valid: 100, epochs: 1, worst: 100.0, loss: Loss::Squared }
}

#[test]
fn a_regressor_by_hand_learns() {
    let (set, p) = read(REGRESSOR, 4);
    let tasks = Tasks::regression(Truth::Linear, 4, 10, (1000, 100), (1001, 11001));
    let (losses, steps) = tasks.losses(&set, &p, &all(&tasks, 1000));
    assert_eq!((losses.len(), steps), (10, 10_000));
    assert!(losses.iter().all(|l| *l < 1e-9), "{losses:?}");
    // Without learning it predicts 0.
    let lazy = Program { parts: [p.parts[0].clone(), p.parts[1].clone(), Vec::new()] };
    let (losses, _) = tasks.losses(&set, &lazy, &all(&tasks, 1000));
    assert!(losses.iter().all(|l| *l > 0.1), "{losses:?}");
}

#[test]
fn a_network_by_hand_learns() {
    let (set, p) = read(NETWORK, 4);
    let tasks = Tasks::regression(Truth::Network, 4, 6, (8000, 100), (1001, 11001));
    let mut s = all(&tasks, 8000);
    s.worst = 1e6;
    let (losses, _) = tasks.losses(&set, &p, &s);
    let zero = Program { parts: [Vec::new(), p.parts[1].clone(), Vec::new()] };
    let (base, _) = tasks.losses(&set, &zero, &s);
    assert!(losses.iter().zip(&base).all(|(l, b)| *l < 0.2 * b), "{losses:?} against {base:?}");
}

#[test]
fn lanes_do_not_matter() {
    let (set, p) = read(NETWORK, 4);
    let tasks = Tasks::regression(Truth::Network, 4, 10, (50, 20), (1, 2));
    let together = tasks.losses(&set, &p, &all(&tasks, 50)).0;
    for (k, loss) in together.iter().enumerate() {
        let alone = Schedule { first: k, count: 1, ..all(&tasks, 50) };
        assert_eq!(tasks.losses(&set, &p, &alone).0[0].to_bits(), loss.to_bits());
    }
}

#[test]
fn divergence_ends_a_task() {
    let (set, p) = read("algorithm x { predict { s2 = 5.0\n s1 = s1 * s2\n s1 = s1 + s2 } }", 4);
    let tasks = Tasks::regression(Truth::Linear, 4, 3, (1000, 10), (1, 2));
    let (losses, steps) = tasks.losses(&set, &p, &all(&tasks, 1000));
    assert!(losses.iter().all(|l| l.is_infinite()));
    assert!(steps < 30, "{steps}");
}

/// A program drawn from a design.
fn random(d: &Design, rng: &mut Stream) -> Program {
    let mut p = Program::default();
    for (k, part) in d.parts.iter().enumerate() {
        for _ in 0..part.least + rng.below(part.most - part.least + 1) {
            let op = part.ops[rng.below(part.ops.len())];
            let i = &d.set.instructions[op];
            let mut inputs = [0; MOST];
            for (slot, r) in inputs.iter_mut().zip(&i.operands) {
                *slot = rng.below(usize::from(d.counts[*r as usize])) as u16;
            }
            let first = i.output.first_writable();
            let out = first + rng.below(usize::from(d.counts[i.output as usize] - first)) as u16;
            let mut knobs = [0.0; MOST];
            knobs.iter_mut().take(i.knobs.len()).for_each(|k| *k = 2.0 * rng.unit() - 1.0);
            p.parts[k].push(Instr { op, inputs, out, knobs });
        }
    }
    p
}

const EVERYTHING: &str = "algorithms(scalars = 5, vectors = 4, matrices = 3, setup = instructions(6, automl_zero),
  predict = instructions(6..=12, automl_zero), learn = instructions(4..=12, automl_zero))";

#[test]
fn all_of_the_originals_instructions_are_there() {
    let d = design(EVERYTHING, 4);
    // 64 and a few that equations over `..` give besides: extrema of matrices by the vectors' rule, the sign of
    // scalars' 1/x, .. all three kinds of each.
    for (name, ranks, out) in OPS {
        let there = d.set.instructions.iter().any(|i| i.name == name && i.operands == ranks && i.output == out);
        assert!(there, "{name} {ranks:?}");
    }
    assert_eq!(d.set.instructions.iter().filter(|i| i.random).count(), 6);
}

#[test]
fn simplified_and_printed_programs_behave_alike() {
    let d = design(EVERYTHING, 4);
    let tasks = Tasks::regression(Truth::Affine, 4, 4, (30, 20), (5, 6));
    let mut rng = Stream::new(1, "programs");
    let (mut shorter, mut varied) = (0, std::collections::BTreeSet::new());
    for _ in 0..60 {
        let p = random(&d, &mut rng);
        let short = p.simplified(&d.set);
        let print = tasks.fingerprint(&d.set, &p, 20);
        // Preparing a machine drops what is dead as well; so this one is asked to keep everything.
        assert_eq!(raw_fingerprint(&d.set, &p.without_dead(&d.set)), raw_fingerprint(&d.set, &short));
        assert_eq!(print, tasks.fingerprint(&d.set, &short, 20), "{}", p.text(&d.set, "p", false));
        assert_eq!(short, short.simplified(&d.set));
        shorter += usize::from(short != p);
        varied.insert(print);
        let (set, again) = read(&short.text(&d.set, "p", true), 4);
        assert_eq!(print, tasks.fingerprint(&set, &again, 20), "{}", short.text(&d.set, "p", false));
        assert_eq!(short.text(&d.set, "p", false), again.text(&set, "p", false));
    }
    assert!(shorter > 40 && varied.len() > 15, "{shorter} {}", varied.len());
}

/// Predictions on made-up examples, nothing dropped.
fn raw_fingerprint(set: &Set, p: &Program) -> Vec<u64> {
    let mut m = Machine::<4>::all(set, p);
    let mut rng = Stream::new(3, "examples");
    m.start([7; 4]);
    let mut out = Vec::new();
    for _ in 0..10 {
        let x: Vec<[f64; 4]> = (0..4).map(|_| [rng.normal(); 4]).collect();
        let y = m.predict(&x);
        out.push(if y[0].is_nan() { 1 } else { y[0].to_bits() });
        m.learn([rng.normal(); 4]);
    }
    out
}

#[test]
fn dead_code_and_constants() {
    let (set, p) = read(
        "algorithm p { setup { s2 = 0.5\n s3 = s2 + s2\n s4 = sine(s3)\n v1 = broadcast(s3) }
           predict { s4 = s3 + s3\n s1 = dot(v0, v1)\n s2 = 1.0 } learn { m0 = outer(v1, v1) } }",
        4,
    );
    assert_eq!(
        p.simplified(&set).text(&set, "p", false),
        "algorithm p {\n  setup {\n    s3 = 1.0\n    v1 = broadcast(s3)\n  }\n  predict {\n    s1 = dot(v0, v1)\n  }\n  learn {}\n}\n"
    );
}

#[test]
fn a_users_primitive_is_an_instruction() {
    let (set, p) = read(
        "primitive cube(x[..]) -> y[..] { y[..] = x[..] * x[..] * x[..] }
         algorithm p { predict { s2 = 2.0\n s1 = cube(s2) } }",
        3,
    );
    let mut m = Machine::<4>::new(&set, &p);
    m.start([0; 4]);
    assert_eq!(m.predict(&[[0.0; 4]; 3]), [8.0; 4]);
}

#[test]
fn lines_that_are_no_instructions() {
    for (line, part) in [
        ("s0 = s1 + s2", "label"),
        ("v0 = v1 + v2", "features"),
        ("s1 = s2", "not copied"),
        ("s1 = dot(v0, w1)", "not an address"),
        ("s1 = dott(v0, v1)", "no instruction `dott`"),
        ("s1 = dot(v0, s1)", "dot"),
        ("v1 = dot(v0, v1)", "does not give"),
        ("s1 = s2 * s3 * s4", "operand"),
        ("s999 = 0.5", "256"),
        ("v1 = gaussian(sd = 0.1)", "no constant `sd`"),
        ("let s2 = 1", "gives an address"),
    ] {
        let s = source(&format!("use std.instructions.*\nalgorithm p {{ learn {{ {line} }} }}"));
        let item = s.modules[0].ast.items.len() as u32 - 1;
        let errors = design::check(&s, crate::sema::modules::ItemRef { module: ROOT, item });
        assert!(errors.len() == 1 && errors[0].message.contains(part), "{line}: {errors:#?}");
    }
}
