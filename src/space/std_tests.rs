//! The spaces of the standard library: checked without a complaint, counted exactly, and sound in every sample.

use num_bigint::BigUint;

use super::count::Count;
use super::*;
use crate::base::rng::Stream;
use crate::graph::verify::verify;

fn big(n: u64) -> BigUint {
    BigUint::from(n)
}

/// A space of the standard library for images of `dims`, with arguments.
fn standard(name: &str, args: &str, dims: &[usize]) -> Space {
    let text = format!("use std.spaces.{name}\nsearch s {{\n  data = digits()\n  space = {name}({args})\n}}");
    let (program, errors) = Program::load("test.nas", &text, None);
    assert!(errors.is_empty(), "{errors:#?}");
    let program = Arc::new(program);
    let item = program.searches().next().expect("a search").0;
    let data = DataShape { inputs: vec![InputShape { dims: dims.to_vec(), int: false }], classes: 10 };
    let (space, errors) = Space::of_search(&program, item, data);
    assert!(errors.is_empty(), "{name}: {:#?}", errors.iter().map(|e| (&e.message, &e.notes)).collect::<Vec<_>>());
    space.expect("a space")
}

fn exact(s: &Space) -> BigUint {
    match s.size().map(|s| &s.discrete) {
        Some(Count::Exact(n)) => n.clone(),
        other => panic!("not counted exactly: {other:?}"),
    }
}

fn sound(s: &Space, n: u64) {
    for seed in 0..n {
        let c = s.random(&mut Stream::new(seed, "std")).map_err(BuildError::diagnostic).unwrap();
        for training in [false, true] {
            let b = s.build(&c, Want::Graph { batch: 3, training }).map_err(BuildError::diagnostic).unwrap();
            assert_eq!(b.graph.node(b.output.unwrap()).shape, [3, 10]);
            assert_eq!(verify(&b.graph), Ok(()), "{}", c.to_json());
        }
    }
}

const DIGITS: &[usize] = &[1, 8, 8];
const CIFAR: &[usize] = &[3, 32, 32];

#[test]
fn nasbench201() {
    let s = standard("nasbench201", "width = 4, cells = 1", DIGITS);
    assert_eq!(exact(&s), big(15_625));
    assert!(s.checked("cell.edge(0,1).op").is_some() && s.checked("cell.edge(2,3).op").is_some());
    sound(&s, 10);
    assert_eq!(exact(&standard("nasbench201", "", CIFAR)), big(15_625));
}

#[test]
fn darts() {
    let s = standard("darts", "width = 4, cells = 3, nodes = 2", DIGITS);
    // Each node chooses two of the states before it, and an operation for each.
    assert_eq!(exact(&s), (big(3) * big(8).pow(4)).pow(2));
    sound(&s, 10);
}

#[test]
fn darts_as_published() {
    let s = standard("darts", "", CIFAR);
    assert_eq!(exact(&s), (big(3 * 6 * 10) * big(8).pow(8)).pow(2));
    let ops =
        s.decisions().iter().filter(|d| d.decision.name.starts_with("normal.") && d.decision.name.ends_with(".op"));
    assert_eq!(ops.count(), 14);
    assert!(s.checked("normal.node(2).inputs").is_some() && s.checked("reduction.node(5).edge(4).op").is_some());
    sound(&s, 1);
}

#[test]
fn nasnet() {
    let s = standard("nasnet", "width = 4, repeats = 1, blocks = 3", DIGITS);
    assert_eq!(exact(&s), (big(2 * 3 * 4).pow(2) * big(8).pow(6)).pow(2));
    assert!(s.checked("normal.pair(2).side(left).input").is_some());
    assert!(s.checked("reduction.pair(4).side(right).op").is_some());
    sound(&s, 10);
}

#[test]
fn nasnet_as_published() {
    let s = standard("nasnet", "", CIFAR);
    assert_eq!(exact(&s), (big(2 * 3 * 4 * 5 * 6).pow(2) * big(8).pow(10)).pow(2));
}

#[test]
fn paths_are_dropped_in_cells() {
    for (name, args) in [("darts", "width = 4, cells = 3, nodes = 2"), ("nasnet", "width = 4, repeats = 1, blocks = 2")]
    {
        let s = standard(name, args, DIGITS);
        // How many equations read the knob of a dropped path.
        let readers = |training: bool| {
            let c = s.random(&mut Stream::new(1, "std")).map_err(BuildError::diagnostic).unwrap();
            let g = s.build(&c, Want::Graph { batch: 2, training }).map_err(BuildError::diagnostic).unwrap().graph;
            let is = |n: &Input| matches!(n.role, Role::Knob(_)) && n.name.contains("drop_path");
            let knobs: Vec<NodeId> = g.inputs().filter(|(_, n)| is(n)).map(|(id, _)| id).collect();
            let mut reads = 0;
            for n in &g.nodes {
                n.reads(|r| reads += usize::from(knobs.contains(&r)));
            }
            reads
        };
        assert!(readers(true) > 0, "`train(drop_path = ..)` does nothing in {name}");
        assert_eq!(readers(false), 0);
    }
}

#[test]
fn layerwise() {
    let s = standard("layerwise", "layers = 5", DIGITS);
    assert_eq!(exact(&s), big(4 * 4 * 3 * 3 * 4).pow(5) * big(2).pow(10));
    assert!(s.checked("layer(3).skips").is_some() && s.checked("layer(0).filter_height").is_some());
    sound(&s, 10);
    let s = standard("layerwise", "strides = 1", CIFAR);
    assert_eq!(exact(&s), big(4 * 4 * 4).pow(8) * big(2).pow(28));
    standard("layerwise", "", CIFAR);
}

#[test]
fn hierarchical() {
    let s = standard("hierarchical", "width = 4, motifs = 2", DIGITS);
    assert_eq!(exact(&s), big(7).pow(12) * big(4).pow(10));
    assert_eq!(s.checked("level3.edge(0,1).inner").map(|d| d.decision.level), Some(2));
    assert_eq!(s.checked("level2[0].edge(0,1).op").map(|d| d.decision.level), Some(1));
    sound(&s, 10);
}

#[test]
fn hierarchical_as_published() {
    let s = standard("hierarchical", "", CIFAR);
    assert_eq!(exact(&s), big(7).pow(36) * big(8).pow(10));
}

#[test]
fn memory_bank() {
    let s = standard("memory_bank", "banks = 3, blocks = 2, layers = 2, width = 4", DIGITS);
    assert_eq!(exact(&s), (big(7) * big(3) * big(3) * big(2)).pow(4));
    assert!(s.checked("stage(1).layer(0).combine").is_some());
    sound(&s, 10);
    standard("memory_bank", "", CIFAR);
}

#[test]
fn tree() {
    let s = standard("tree", "width = 8", DIGITS);
    // t(0) = 7, t(d) = 7 + 2 t(d - 1)^2
    let t1 = big(7) + big(2) * big(7).pow(2);
    assert_eq!(exact(&s), big(7) + big(2) * t1.pow(2));
    sound(&s, 10);
    standard("tree", "", CIFAR);
}

#[test]
fn transformer() {
    let s = standard("transformer", "width = 8", DIGITS);
    let layer = big(3 * 3 * 2 * 3);
    assert_eq!(exact(&s), (1..=4).map(|n| layer.pow(n)).sum::<BigUint>());
    assert!(s.checked("depth").is_some() && s.checked("layer(3).heads").is_some());
    sound(&s, 10);
    standard("transformer", "patch = 4", CIFAR);
}

#[test]
fn chain() {
    let s = standard("chain", "deepest = 3", DIGITS);
    assert_eq!(exact(&s), big(4) * (big(3) + big(9) + big(27)));
    assert!(s.checked("width").is_some() && s.checked("layer(2).kernel").is_some());
    sound(&s, 10);
    standard("chain", "", CIFAR);
}

#[test]
fn spaces_are_checked_in_libraries_too() {
    for name in crate::sema::stdlib::names().filter(|n| n.starts_with("std.spaces.")) {
        let (program, errors) = Program::load("test.nas", &format!("use {name}.*"), None);
        assert!(errors.is_empty());
        let program = Arc::new(program);
        let short = name.rsplit('.').next().unwrap_or(&name);
        let item = program.lookup(program.root(), short).expect("a space of the module's name");
        let (space, errors) = Space::of_item(&program, item);
        assert!(
            errors.is_empty(),
            "{name}: {:#?}",
            errors.iter().map(|e| (&e.message, &e.notes, &e.labels)).collect::<Vec<_>>()
        );
        assert!(space.size().is_some());
    }
}
