#![allow(clippy::float_cmp, reason = "equal seeds give equal bits")]

use std::path::Path;
use std::sync::Arc;

use super::model::Pass;
use super::step::{self, CLIP, Recipe, Target};
use super::{Learner, Model, Trouble};
use crate::base::Span;
use crate::base::rng::Stream;
use crate::data::{self, Augment, DataCall, Fractions, Part, Split};
use crate::exec::cpu::Cpu;
use crate::exec::reference::Reference;
use crate::exec::{Executor, Tensor};
use crate::graph::Role;
use crate::sema::modules::{ItemRef, ModuleId, Program, item_name};
use crate::space::apply::OpUse;
use crate::space::decision::{Candidate, Choice};
use crate::space::{DataShape, InputShape, Space};

/// The space `s` of a program, for images of these extents in 10 classes.
fn space(text: &str, image: &[usize]) -> Arc<Space> {
    let text = format!("use std.ops.*\n{text}\nsearch here {{ data = digits() space = s() }}");
    let (program, errors) = Program::load("test.nas", &text, None);
    assert!(errors.is_empty(), "{errors:#?}");
    let program = Arc::new(program);
    let item = program.searches().next().expect("a search").0;
    let shape = DataShape { inputs: vec![InputShape { dims: image.to_vec(), int: false }], classes: 10 };
    let (space, errors) = Space::of_search(&program, item, shape);
    assert!(errors.is_empty(), "{errors:#?}");
    Arc::new(space.unwrap())
}

fn learner(text: &str, exec: Arc<dyn Executor>) -> Arc<Learner> {
    Arc::new(Learner { space: space(text, &[1, 8, 8]), exec, target: Target::Classes })
}

fn cpu(text: &str) -> Arc<Learner> {
    learner(text, Arc::new(Cpu::new()))
}

fn digits() -> Split {
    let call = DataCall { name: "digits".into(), args: vec![], span: Span::default(), base: Path::new(".").into() };
    let data = data::open(&call).unwrap();
    Split::new(&data, Fractions::standard(&data), 0, Span::default()).unwrap()
}

fn op(l: &Learner, name: &str) -> OpUse {
    let program: &Program = l.space.program();
    let at = program.modules.iter().position(|m| m.name == "std.ops").unwrap();
    let is = |i: &crate::syntax::ast::Item| item_name(i).is_some_and(|n| n.name == name);
    let item = program.modules[at].ast.items.iter().position(is).unwrap();
    let item = ItemRef { module: ModuleId(at as u32), item: item as u32 };
    OpUse { item, args: Vec::new(), span: Span::default() }
}

fn random(l: &Learner, seed: u64) -> Candidate {
    l.space.random(&mut Stream::new(seed, "test")).map_err(crate::space::BuildError::diagnostic).unwrap()
}

fn model(l: &Arc<Learner>, seed: u64) -> Model {
    Model::new(l.clone(), random(l, 0), seed)
}

struct Plan {
    optimizer: &'static str,
    batch: usize,
    knobs: Vec<(&'static str, f64)>,
    clip: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { optimizer: "sgd", batch: 16, knobs: vec![("lr", 0.05), ("momentum", 0.9)], clip: false }
    }
}

fn fit(m: &mut Model, l: &Learner, part: &Part, plan: &Plan) -> Result<f64, Trouble> {
    m.fit(&Pass {
        part,
        recipe: Recipe {
            batch: plan.batch,
            loss: op(l, "cross_entropy"),
            optimizer: op(l, plan.optimizer),
            clip: plan.clip,
        },
        knobs: plan.knobs.iter().map(|(n, v)| ((*n).to_string(), *v)).collect(),
        augment: Augment::default(),
        cancelled: &|| false,
    })
}

/// Weights and running statistics, without the optimizer's memory.
fn weights(m: &mut Model, l: &Learner) -> Vec<(String, Tensor)> {
    let g = step::forward(&l.space, m.candidate(), 1).unwrap();
    let kept: Vec<String> = g
        .inputs()
        .filter(|(_, i)| matches!(i.role, Role::Param(_) | Role::State(_)))
        .map(|(_, i)| i.name.clone())
        .collect();
    m.weights().unwrap().into_iter().filter(|(n, _)| kept.contains(n)).collect()
}

/// The largest difference of two tensors.
fn apart(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.shape, b.shape);
    a.floats().iter().zip(b.floats()).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

const SMALL: &str = "
space s(image[N, C, H, W], classes: int) =
  image >> conv(4, 3) >> batch_norm >> relu >> max_pool(2, 2) >> conv_bn(6, 3) >> avg_pool(3, 2)
        >> flatten >> linear(classes)
";

#[test]
fn executors_train_alike() {
    let data = digits();
    let part = data.search.take(24);
    let plan = Plan { batch: 8, ..Plan::default() };
    let execs: [Arc<dyn Executor>; 2] = [Arc::new(Cpu::new()), Arc::new(Reference)];
    let [a, b] = execs.map(|exec| {
        let l = learner(SMALL, exec);
        let mut m = model(&l, 3);
        let loss = fit(&mut m, &l, &part, &plan).unwrap();
        let score = m.score(&data.select.take(40), &op(&l, "accuracy")).unwrap();
        (loss, weights(&mut m, &l), m.outputs(&data.select.take(40)).unwrap(), score)
    });
    assert!((a.0 - b.0).abs() < 1e-4, "{} {}", a.0, b.0);
    assert_eq!(a.1.len(), b.1.len());
    assert!(a.1.len() >= 10);
    for ((n, x), (m, y)) in a.1.iter().zip(&b.1) {
        assert_eq!(n, m);
        assert!(apart(x, y) < 1e-3, "{n}: {}", apart(x, y));
    }
    assert!(apart(&a.2, &b.2) < 1e-3);
    assert_eq!(a.3, b.3);
}

#[test]
fn equal_seeds_train_to_equal_bits() {
    let data = digits();
    let part = data.search.take(80);
    let l = cpu(SMALL);
    let train = |seed| {
        let mut m = model(&l, seed);
        fit(&mut m, &l, &part, &Plan::default()).unwrap();
        m.weights().unwrap()
    };
    assert_eq!(train(1), train(1));
    assert_ne!(train(1), train(2));
}

#[test]
fn a_saved_model_goes_on_as_if_nothing_had_happened() {
    let data = digits();
    let part = data.search.take(80);
    for optimizer in ["sgd", "adam", "adamw"] {
        let l = cpu(SMALL);
        let plan = Plan { optimizer, knobs: vec![("lr", 0.01), ("momentum", 0.9)], ..Plan::default() };
        let mut whole = model(&l, 1);
        let mut first = model(&l, 1);
        fit(&mut whole, &l, &part, &plan).unwrap();
        fit(&mut first, &l, &part, &plan).unwrap();
        let bytes = first.save();
        let mut second = model(&l, 1);
        second.restore(&bytes).unwrap();
        assert_eq!(second.passes(), 1);
        let (a, b) = (fit(&mut whole, &l, &part, &plan).unwrap(), fit(&mut second, &l, &part, &plan).unwrap());
        assert_eq!((a, whole.weights().unwrap()), (b, second.weights().unwrap()), "{optimizer}");
        for cut in [0, 7, 40, bytes.len() - 1] {
            assert!(matches!(second.restore(&bytes[..cut]), Err(Trouble::Failed(_))));
        }
    }
}

/// What one step of plain gradient descent adds to the weights: minus the gradient at rate 1.
fn one_step(l: &Arc<Learner>, part: &Part, plan: &Plan) -> Vec<f32> {
    let mut m = model(l, 5);
    let before = weights(&mut m, l);
    fit(&mut m, l, part, plan).unwrap();
    let after = weights(&mut m, l);
    let states = ["running_mean", "running_var"];
    (before.iter().zip(&after).filter(|(w, _)| !states.iter().any(|s| w.0.ends_with(s))))
        .flat_map(|((_, b), (_, a))| a.floats().iter().zip(b.floats()).map(|(a, b)| a - b).collect::<Vec<_>>())
        .collect()
}

fn norm(v: &[f32]) -> f64 {
    v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn clipping_bounds_the_norm_of_all_gradients_together() {
    let part = digits().search.take(16);
    let l = cpu(SMALL);
    let plan = |clip: Option<f64>| {
        let mut knobs = vec![("lr", 1.0)];
        knobs.extend(clip.map(|c| (CLIP, c)));
        Plan { knobs, clip: clip.is_some(), ..Plan::default() }
    };
    let free = one_step(&l, &part, &plan(None));
    let size = norm(&free);
    for share in [0.5, 0.01] {
        let clipped = one_step(&l, &part, &plan(Some(share * size)));
        assert!((norm(&clipped) / (share * size) - 1.0).abs() < 1e-3);
        let along: f64 = free.iter().zip(&clipped).map(|(a, b)| f64::from(a * b)).sum();
        assert!((along / (size * norm(&clipped)) - 1.0).abs() < 1e-4, "the direction stays");
    }
    let loose = one_step(&l, &part, &plan(Some(2.0 * size)));
    assert!(free.iter().zip(&loose).all(|(a, b)| (a - b).abs() < 1e-6));
}

#[test]
fn knobs_reach_the_optimizer_and_the_network() {
    let part = digits().search.take(16);
    let l = cpu("space s(image[N, C, H, W], classes: int) =
      image >> conv(4, 3) >> batch_norm >> drop_path >> relu >> global_avg_pool >> linear(classes)");
    let step = |knobs: &[(&'static str, f64)]| one_step(&l, &part, &Plan { knobs: knobs.to_vec(), ..Plan::default() });
    let full = step(&[("lr", 0.1)]);
    let half = step(&[("lr", 0.05)]);
    assert!(full.iter().zip(&half).all(|(a, b)| (a - 2.0 * b).abs() < 1e-6));
    assert!(norm(&full) > 1e-3);
    assert_eq!(norm(&step(&[("lr", 0.0)])), 0.0);
    assert_eq!(step(&[("lr", 0.1), ("drop_path", 0.0)]), full);
    assert_ne!(step(&[("lr", 0.1), ("drop_path", 0.5)]), full);
    assert_eq!(step(&[("lr", 0.1), ("drop_path.p", 0.5)]), step(&[("lr", 0.1), ("drop_path", 0.5)]));
    // Weight decay moves the weights along themselves.
    assert_ne!(step(&[("lr", 0.1), ("decay", 0.1)]), full);
}

#[test]
fn scores_do_not_depend_on_how_a_part_is_cut() {
    let data = digits();
    let l = cpu(SMALL);
    let mut m = model(&l, 2);
    fit(&mut m, &l, &data.search.take(64), &Plan::default()).unwrap();
    let all = m.outputs(&data.search.take(300)).unwrap();
    assert_eq!(all.shape, [300, 10]);
    for n in [1, 7, 255, 256, 257] {
        let part = data.search.take(n);
        let some = m.outputs(&part).unwrap();
        assert_eq!(some.shape, [n, 10]);
        let head = Tensor::float(&[n, 10], all.floats()[..10 * n].to_vec());
        assert!(apart(&some, &head) < 1e-5, "{n}");
        let mut labels = Vec::new();
        part.labels(part.indices(), &mut labels);
        let right = some.floats().chunks(10).zip(&labels).filter(|(row, label)| {
            let first = (0..10).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
            first as i32 == **label
        });
        let by_hand = right.count() as f64 / n as f64;
        let score = m.score(&part, &op(&l, "accuracy")).unwrap();
        assert!((score - by_hand).abs() < 1e-6, "{n}: {score} {by_hand}");
    }
}

#[test]
fn costs_are_those_that_nasbench201_published() {
    let text = "use std.spaces.nasbench201\nblock nothing(x[..]) = x";
    let text = format!("{text}\nsearch here {{ data = digits() space = nasbench201() }}");
    let (program, errors) = Program::load("test.nas", &text, None);
    assert!(errors.is_empty(), "{errors:#?}");
    let program = Arc::new(program);
    let item = program.searches().next().unwrap().0;
    let shape = DataShape { inputs: vec![InputShape { dims: vec![3, 32, 32], int: false }], classes: 10 };
    let space = Space::of_search(&program, item, shape).0.unwrap();
    let l = Arc::new(Learner { space: Arc::new(space), exec: Arc::new(Cpu::new()), target: Target::Classes });
    let edges = ["(0,1)", "(0,2)", "(1,2)", "(0,3)", "(1,3)", "(2,3)"];
    for ops in [
        ["skip_connect"; 6],
        ["nor_conv_3x3"; 6],
        ["nor_conv_1x1", "avg_pool_3x3", "nor_conv_3x3", "skip_connect", "nor_conv_1x1", "nor_conv_3x3"],
    ] {
        let mut c = Candidate::default();
        for (e, o) in edges.iter().zip(ops) {
            c.values.insert(format!("cell.edge{e}.op"), Choice::Text(o.into()));
        }
        let count = |op: &str| ops.iter().filter(|o| **o == op).count() as u64;
        let (n1, n3) = (count("nor_conv_1x1"), count("nor_conv_3x3"));
        let m = Model::new(l.clone(), c, 0);
        assert_eq!(m.params().unwrap(), 73_306 + 28_000 * n1 + 243_040 * n3);
        // The published number counts the additions of the last layer's 10 biases as well.
        assert_eq!(m.flops().unwrap() + 10, 7_783_050 + 3_932_160 * n1 + 35_389_440 * n3);
    }
}

#[test]
fn trouble_says_what_it_is() {
    let part = digits().search.take(64);
    let plain = "space s(image[N, C, H, W], classes: int) = image >> conv(4, 3) >> relu >> flatten >> linear(classes)";
    let l = cpu(plain);
    let mut m = model(&l, 0);
    let plan = Plan { knobs: vec![("lr", 1e6), ("momentum", 0.9)], ..Plan::default() };
    let end = (0..20).find_map(|_| fit(&mut m, &l, &part, &plan).err());
    assert!(matches!(&end, Some(Trouble::Diverged(why)) if why.starts_with("the loss is ")), "{end:?}");

    // Weights that do not fit are refused before they are made, then a step that does not.
    let l = learner(plain, Arc::new(Cpu::with_memory_limit(2000)));
    let Err(Trouble::Memory(why)) = model(&l, 0).weights() else { panic!("it fits") };
    assert_eq!(why, "needs 10 KB of memory, but one child may use 2.0 KB");
    let l = learner(plain, Arc::new(Cpu::with_memory_limit(20_000)));
    let mut m = model(&l, 0);
    let end = fit(&mut m, &l, &part, &Plan::default()).err();
    let Some(Trouble::Memory(why)) = end else { panic!("{end:?}") };
    assert!(why.starts_with("needs ") && why.ends_with("but one child may use 20 KB"), "{why}");

    let mut m = model(&cpu(plain), 0);
    let l = cpu(plain);
    let pass = Pass {
        part: &part,
        recipe: Recipe { batch: 16, loss: op(&l, "cross_entropy"), optimizer: op(&l, "sgd"), clip: false },
        knobs: Vec::new(),
        augment: Augment::default(),
        cancelled: &|| true,
    };
    assert_eq!(m.fit(&pass), Err(Trouble::Cancelled));
    // A loss that gives a number for each example is a mistake of the program.
    let pass = Pass { recipe: Recipe { loss: op(&l, "add"), ..pass.recipe.clone() }, cancelled: &|| false, ..pass };
    assert!(matches!(m.fit(&pass), Err(Trouble::Wrong(_))));
}

/// Decided width, kernel and depth; the wider tensor meets another in a concatenation, one normalized value for each
/// channel follows, and at the end the image is flattened.
const GROWING: &str = "
space s(image[N, C, H, W], classes: int) {
  let w = choose width from [3, 5]
  let k = choose kernel from [1, 3, 5]
  let depth = choose depth in 1..=3
  let a = image >> conv(w, k) >> batch_norm >> relu
  let b = image >> conv(4, 3) >> relu
  let both = concat([a, b, a >> max_pool(3)]) >> batch_norm >> depthwise(3) >> relu
  both >> conv(w, 3) >> relu >> repeat depth as layer { conv(w, k) >> relu } >> max_pool(2, 2) >> flatten >> linear(classes)
}";

struct Grown {
    parent: Model,
    child: Model,
    before: Tensor,
    after: Tensor,
    /// Of one more pass.
    loss: f64,
}

/// Trains a candidate a little, and gives its weights to what `edit` makes of it.
fn grow(text: &str, start: &[(&str, i64)], edit: impl Fn(&Space, &Candidate) -> Candidate) -> Grown {
    let data = digits();
    let l = cpu(text);
    let mut c = Candidate::default();
    for (n, v) in start {
        c.values.insert((*n).into(), Choice::Int(*v));
    }
    let c = l.space.fill(&c, &mut Stream::new(0, "fill")).map_err(crate::space::BuildError::diagnostic).unwrap();
    let mut parent = Model::new(l.clone(), c.clone(), 1);
    for _ in 0..2 {
        fit(&mut parent, &l, &data.search.take(64), &Plan::default()).unwrap();
    }
    let edited = edit(&l.space, &c);
    let edited =
        l.space.fill(&edited, &mut Stream::new(0, "fill")).map_err(crate::space::BuildError::diagnostic).unwrap();
    let mut child = Model::inheriting(l.clone(), edited, 9, &parent.save(), Some(&c)).unwrap();
    let part = data.select.take(60);
    let (before, after) = (parent.outputs(&part).unwrap(), child.outputs(&part).unwrap());
    // It goes on learning.
    let loss = fit(&mut child, &l, &data.search.take(64), &Plan::default()).unwrap();
    Grown { parent, child, before, after, loss }
}

fn largest(t: &Tensor) -> f32 {
    t.floats().iter().fold(0.0, |m: f32, x| m.max(x.abs()))
}

fn expand(s: &Space, c: &Candidate, name: &str, to: i64) -> Candidate {
    s.expand(c, name, &Choice::Int(to)).map_err(crate::space::BuildError::diagnostic).unwrap()
}

fn insert(s: &Space, c: &Candidate, at: usize) -> Candidate {
    s.insert(c, &s.gaps(c, "**")[at]).map_err(crate::space::BuildError::diagnostic).unwrap()
}

const NARROW: &[(&str, i64)] = &[("width", 3), ("kernel", 3), ("depth", 2)];

#[test]
fn grown_children_compute_what_their_parent_does() {
    type Edit = fn(&Space, &Candidate) -> Candidate;
    type Case<'a> = (&'a str, &'a [(&'a str, i64)], Edit);
    let edits: [Case; 6] = [
        ("wider", NARROW, |s, c| expand(s, c, "width", 5)),
        ("larger kernels", NARROW, |s, c| expand(s, c, "kernel", 5)),
        ("kernels from a point", &[("width", 3), ("kernel", 1), ("depth", 2)], |s, c| expand(s, c, "kernel", 5)),
        ("deeper in front", NARROW, |s, c| insert(s, c, 0)),
        ("deeper at the end", NARROW, |s, c| insert(s, c, 2)),
        ("larger and wider", NARROW, |s, c| expand(s, &expand(s, c, "width", 5), "kernel", 5)),
    ];
    for (what, start, edit) in edits {
        let g = grow(GROWING, start, edit);
        assert_eq!(g.child.losses, Vec::<String>::new(), "{what}");
        let far = apart(&g.before, &g.after);
        assert!(far <= 1e-5 * largest(&g.before).max(1.0), "{what}: {far}");
        assert!(g.loss < 2.4, "{what} goes on learning: {}", g.loss);
        assert!(g.child.params().unwrap() > g.parent.params().unwrap(), "{what}");
    }
}

#[test]
fn layers_of_channelwise_convolutions_start_as_the_identity() {
    let text = "
space s(image[N, C, H, W], classes: int) {
  let depth = choose depth in 1..=3
  image >> conv(4, 3) >> relu >> repeat depth as layer { depthwise(3) >> relu } >> global_avg_pool >> linear(classes)
}";
    let g = grow(text, &[("depth", 1)], |s, c| insert(s, c, 1));
    assert_eq!(g.child.losses, Vec::<String>::new());
    assert!(apart(&g.before, &g.after) < 1e-5);
}

#[test]
fn what_growing_cannot_preserve_is_reported() {
    let text = |layer: &str| {
        format!(
            "
space s(image[N, C, H, W], classes: int) {{
  let depth = choose depth in 1..=3
  let w = choose width from [4, 6]
  image >> conv(w, 3) >> relu >> repeat depth as layer {{ {layer} }} >> global_avg_pool >> linear(classes)
}}"
        )
    };
    let start: &[(&str, i64)] = &[("depth", 1), ("width", 4)];
    // The hyperbolic tangent is not idempotent.
    let g = grow(&text("conv(w, 3) >> tanh"), start, |s, c| insert(s, c, 1));
    assert!(
        matches!(g.child.losses.as_slice(), [one] if one.starts_with("the outputs differ")),
        "{:?}",
        g.child.losses
    );
    assert!(apart(&g.before, &g.after) > 1e-3);
    // A layer that was taken away is missing.
    let removed = grow(&text("conv(w, 3) >> relu"), &[("depth", 2), ("width", 4)], |s, c| {
        s.remove(c, "layer(1).none").map_err(crate::space::BuildError::diagnostic).unwrap()
    });
    assert!(matches!(removed.child.losses.as_slice(), [one] if one.starts_with("the outputs differ")));
    // A narrower child.
    let narrow = grow(&text("conv(w, 3) >> relu"), &[("depth", 1), ("width", 6)], |s, c| expand(s, c, "width", 4));
    assert!(narrow.child.losses.iter().any(|l| l.contains("shrinks from")), "{:?}", narrow.child.losses);
    // Another operation: without lineage nobody promised anything, but what starts fresh is said.
    let g = grow(
        "space s(image[N, C, H, W], classes: int) =
          image >> choose op { conv_bn(4, 3) | conv_bn(4, 5) } >> global_avg_pool >> linear(classes)",
        &[],
        |_, c| {
            let mut c = c.clone();
            let other = if c.values["op"].to_string() == "conv_bn(4, 3)" { "conv_bn(4, 5)" } else { "conv_bn(4, 3)" };
            c.values.insert("op".into(), Choice::Text(other.into()));
            c
        },
    );
    assert!(g.child.losses.iter().all(|l| !l.contains("differ")), "{:?}", g.child.losses);
}

#[test]
fn weights_of_an_equal_network_are_found_under_its_sites() {
    let text = "
space s(image[N, C, H, W], classes: int) {
  motif cell(c: int) = assemble 4 nodes {
    edge = choose op { none | conv_1x1: conv_bn(c, 1) | conv_3x3: conv_bn(c, 3) }
    merge = sum
  }
  image >> conv(4, 3) >> batch_norm >> cell(4) >> global_avg_pool >> linear(classes)
}";
    let l = cpu(text);
    let cell = |ops: [&str; 6]| {
        let mut c = Candidate::default();
        for (e, o) in ["(0,1)", "(0,2)", "(1,2)", "(0,3)", "(1,3)", "(2,3)"].iter().zip(ops) {
            c.values.insert(format!("cell.edge{e}.op"), Choice::Text(o.into()));
        }
        c
    };
    // One path of 3x3 and 1x1: through node 1, or through node 2.
    let a = cell(["conv_3x3", "none", "none", "none", "conv_1x1", "none"]);
    let b = cell(["none", "conv_3x3", "none", "none", "none", "conv_1x1"]);
    let part = digits().search.take(64);
    let mut first = Model::new(l.clone(), a, 1);
    fit(&mut first, &l, &part, &Plan::default()).unwrap();
    let before = first.outputs(&part).unwrap();
    let mut same = Model::inheriting(l.clone(), b.clone(), 2, &first.save(), Some(&b)).unwrap();
    assert_eq!(same.losses, Vec::<String>::new());
    assert!(apart(&same.outputs(&part).unwrap(), &before) < 1e-5);
    let lost = Model::inheriting(l, b, 2, &first.save(), None).unwrap();
    assert!(matches!(lost.losses.as_slice(), [one] if one.ends_with("more start fresh")), "{:?}", lost.losses);
}
