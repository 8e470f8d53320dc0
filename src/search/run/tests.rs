use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::exec::Executor;
use crate::exec::cpu::Cpu;
use crate::search::engine::{Blind, Status};
use crate::search::setup::{Overrides, Search};
use crate::sema::modules::Program;
use crate::store::Store;

use super::*;

const SPACE: &str = "
use std.ops.*
space nasbench201(image[N, C, H, W], classes: int, width: int = 4, cells: int = 1) {
  motif cell(c: int) = assemble 4 nodes {
    edge = choose op {
        none
      | skip_connect: identity
      | nor_conv_1x1: conv_bn(c, 1)
      | nor_conv_3x3: conv_bn(c, 3)
      | avg_pool_3x3: avg_pool(3)
    }
    merge = sum
  }
  image >> conv(width, 3) >> batch_norm
        >> repeat cells { cell(width) }     >> residual(2 * width, stride = 2)
        >> repeat cells { cell(2 * width) }
        >> batch_norm >> relu >> global_avg_pool >> linear(classes)
}
";

const PROGRAMS: &str = "
strategy walk() {
  for _ in 0..4 { submit(random()) }
  for t in results() { submit(mutate(t.candidate)) }
}
evaluation short(epochs: int = 2, lr: float = 0.05) {
  let net = build(candidate)
  for epoch in 0..epochs {
    net.fit(data.train, 64, sgd(cosine(epoch, epochs, lr, 0.0), momentum = 0.9, decay = 1e-4))
    report(epoch, net.score(data.valid))
  }
  return { accuracy: net.score(data.valid), params: net.params(), flops: net.flops() }
}
";

pub(crate) fn search(text: &str) -> Arc<Search> {
    let (program, errors) = Program::load("test.nas", text, None);
    assert!(errors.is_empty(), "{errors:#?}");
    let program = Arc::new(program);
    let item = program.searches().next().expect("a search").0;
    match Search::new(&program, item, Path::new("."), &Overrides::default()) {
        Ok((s, _)) => Arc::new(s),
        Err(ds) => panic!("{ds:#?}"),
    }
}

/// What is wrong with a search, by code and message.
fn complaints(text: &str) -> Vec<String> {
    let (program, errors) = Program::load("test.nas", text, None);
    assert!(errors.is_empty(), "{errors:#?}");
    let program = Arc::new(program);
    let item = program.searches().next().expect("a search").0;
    match Search::new(&program, item, Path::new("."), &Overrides::default()) {
        Ok(_) => Vec::new(),
        Err(ds) => {
            ds.iter().map(|d| format!("{} {} {}", d.code.id, d.message, d.help.as_deref().unwrap_or(""))).collect()
        }
    }
}

#[test]
fn searches_that_cannot_work_say_why() {
    let block = |fields: &str| {
        format!("{SPACE}{PROGRAMS}\nsearch s {{\n  data = digits()\n  space = nasbench201()\n{fields}\n}}")
    };
    for (fields, code, part) in [
        ("  evaluate = short()\n  strategy = walk()\n  objective = acuracy", "E0804", "accuracy"),
        ("  evaluate = short()\n  strategy = walk()\n  budget = trails(4)", "E0803", "trials"),
        ("  evaluate = short()\n  strategy = wak()", "E0203", "walk"),
        ("  evaluate = short(epoch = 3)\n  strategy = walk()", "E07", "epochs"),
        ("  evaluate = short()\n  stratgy = walk()", "E0803", "strategy"),
        ("  evaluate = walk()\n  strategy = walk()", "E0803", "not an evaluation"),
        ("  evaluate = short()\n  strategy = walk()\n  workers = 0", "E0803", "worker"),
        ("  evaluate = short()\n  strategy = walk()\n  objective = accuracy - latency", "E0804", "latency"),
    ] {
        let e = complaints(&block(fields));
        assert!(
            e.iter().any(|m| m.starts_with(code) && m.contains(part)),
            "{fields}: wanted {code} with {part}, got {e:#?}"
        );
    }
    let picky = "strategy picky() { for d in random().decisions(\"**.opp\") { log(d.name) } }";
    let e = complaints(&format!(
        "{SPACE}{picky}\nsearch s {{\n  data = digits()\n  space = nasbench201()\n  strategy = picky()\n}}"
    ));
    assert!(e.iter().any(|m| m.starts_with("E0805") && m.contains("cell.edge.op")), "{e:#?}");
    let e = complaints(
        "use std.ops.*\nspace flat(x[N, F], classes: int) = x >> linear(classes)\nsearch s {\n  data = digits()\n  space = flat()\n}",
    );
    assert!(e.iter().any(|m| m.starts_with("E0802")), "{e:#?}");
    let e = complaints(
        "use std.ops.*\nuse std.strategies.grid\nspace r(image[N, C, H, W], classes: int) {\n  let k = choose k from [1, 3]\n  image >> conv(4, k) >> global_avg_pool >> linear(classes)\n}\nuse std.evaluations.train\nsearch s {\n  data = digits()\n  space = r()\n  evaluate = train(lr = choose lr in 1e-3..1e-1 log)\n  strategy = grid()\n}",
    );
    assert!(e.iter().any(|m| m.starts_with("E0805") && m.contains("finite")), "{e:#?}");
}

fn finish(s: &Arc<Search>, workers: usize) -> Finished {
    let exec: Arc<dyn Executor> = Arc::new(Cpu::new());
    let children = children(s, exec);
    let store = Arc::new(Store::in_memory(&info(s)).unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    run(s, &children, store, Arc::new(Blind), &stop, workers).unwrap()
}

#[test]
fn a_search_trains_children_and_learns() {
    let s = search(&format!(
        "{SPACE}{PROGRAMS}
search digits {{
  data = digits()
  space = nasbench201(width = 8)
  evaluate = short(epochs = 3)
  strategy = walk()
  objective = accuracy
  budget = trials(6)
  deterministic = true
}}"
    ));
    let begun = std::time::Instant::now();
    let f = finish(&s, 2);
    eprintln!("{:?}", begun.elapsed());
    for t in &f.outcome.history {
        eprintln!("{} {:?} {:?} {:?} {:.2}s {}", t.id, t.status, t.metrics, t.failure, t.seconds, t.candidate);
    }
    assert_eq!(f.outcome.history.len(), 6);
    assert!(f.outcome.history.iter().all(|t| matches!(t.status, Status::Done | Status::Cached)));
    let best = f.outcome.best.unwrap();
    assert!(best.reward().unwrap() > 0.7, "{best:?}");
}

#[test]
fn the_standard_programs_compile() {
    let (program, errors) = Program::load("test.nas", "", None);
    assert!(errors.is_empty());
    drop(program);
    let mut text = String::new();
    let names: Vec<String> = crate::sema::stdlib::names().collect();
    for n in names.iter().filter(|n| n.starts_with("std.strategies.") || n.starts_with("std.evaluations.")) {
        text.push_str(&format!("use {n}.*\n"));
    }
    let (program, errors) = Program::load("test.nas", &text, None);
    assert!(errors.is_empty(), "{errors:#?}");
    let env = crate::search::lang::Env::of_program(&program);
    let scope = crate::search::lang::env::scope_of(program.root());
    for n in names.iter().filter(|n| n.starts_with("std.strategies.") || n.starts_with("std.evaluations.")) {
        let name = n.rsplit('.').next().unwrap_or(n);
        let item = env.fun(scope, name).unwrap_or_else(|| panic!("{n} declares no `{name}`"));
        if let Err(ds) = crate::search::lang::Program::compile(&env, item) {
            panic!("{n}: {ds:#?}");
        }
    }
}

fn example(path: &str, change: impl Fn(String) -> String) -> Arc<Search> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    search(&change(text))
}

#[test]
fn the_digits_example_is_well_formed() {
    let s = example("examples/digits.nas", |t| t);
    assert_eq!(s.space.size().map(crate::space::count::Size::describe), Some("15,625".to_string()));
}

#[test]
#[ignore = "takes a minute; the README's main job, for tuning"]
fn the_digits_example_reaches_its_accuracy() {
    let s = example("examples/digits.nas", |t| t);
    let exec: Arc<dyn Executor> = Arc::new(Cpu::new());
    let children = children(&s, exec);
    let store = Arc::new(Store::in_memory(&info(&s)).unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let begun = std::time::Instant::now();
    let f = run(&s, &children, store.clone(), Arc::new(Blind), &stop, 2).unwrap();
    for t in &f.outcome.history {
        eprintln!(
            "{} {:?} {:?} {:?} {:.2}s",
            t.id,
            t.status,
            t.metrics,
            t.curve.iter().map(|p| (p.1 * 1000.0) as i64).collect::<Vec<_>>(),
            t.seconds
        );
    }
    let best = f.outcome.best.unwrap();
    let accuracy = test(&children, &store, &best, &stop).unwrap().unwrap();
    eprintln!("best {:?}, test {accuracy}, {:?}", best.reward(), begun.elapsed());
    assert!(accuracy >= 0.97);
}

#[test]
fn every_standard_space_trains() {
    for (name, args) in [
        ("nasbench201", "width = 4, cells = 1"),
        ("darts", "width = 4, cells = 3"),
        ("nasnet", "width = 4, repeats = 1, blocks = 3"),
        ("layerwise", "layers = 3"),
        ("hierarchical", "width = 4, motifs = 2"),
        ("memory_bank", "banks = 2, blocks = 2, layers = 2, width = 4"),
        ("tree", "width = 4"),
        ("transformer", "width = 8"),
        ("chain", "width = 4, deepest = 3"),
    ] {
        let s = search(&format!(
            "use std.spaces.{name}
use std.evaluations.train
use std.strategies.random_search
search s {{
  data = digits()
  space = {name}({args})
  evaluate = train(epochs = 1, batch = 32, fraction = 0.06)
  strategy = random_search()
  budget = trials(2)
}}"
        ));
        let f = finish(&s, 2);
        for t in &f.outcome.history {
            assert!(matches!(t.status, Status::Done | Status::Cached), "{name}: {:?} {}", t.failure, t.candidate);
            let accuracy = t.metric("accuracy").unwrap();
            assert!((0.0..=1.0).contains(&accuracy), "{name}: {accuracy}");
        }
    }
}
