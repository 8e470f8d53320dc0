//! Searches whose children take over weights: growth, continued training, and what goes wrong in evaluations.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::tests::search;
use super::*;
use crate::exec::cpu::Cpu;
use crate::exec::{ExecError, Feed, Memory, Program, Tensor};
use crate::graph::Graph;
use crate::search::engine::{Blind, Event, FailureKind, Status};

/// Keeps the lines of the log.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Observer for Lines {
    fn event(&self, event: &Event) {
        if let Event::Log(line) = event {
            self.0.lock().unwrap().push(line.clone());
        }
    }
}

const GROWING: &str = "
use std.ops.*
space growing(image[N, C, H, W], classes: int) {
  let w = choose width from [2, 4, 6, 8]
  let depth = choose depth in 1..=6
  image >> conv(w, 3, 2) >> batch_norm >> relu
        >> repeat depth as layer { conv(w, 3) >> relu } >> global_avg_pool >> linear(classes)
}

// The score before training is that of the inherited weights.
evaluation warm() {
  let net = build(candidate)
  let before = net.score(data.valid)
  for _ in 0..3 { net.fit(data.train.part(0.2), 16, sgd(0.1, momentum = 0.9)) }
  report(1, net.score(data.valid))
  return { accuracy: net.score(data.valid), before: before }
}

strategy grow() {
  var t = evaluate(begin({ width: 2, depth: 1 }).fill())
  loop {
    let c = t.candidate
    let gaps = c.gaps()
    let width = c.decisions(\"width\")[0]
    let wider = [v for v in width.options if int(v) > int(width.value)]
    let deepen = len(wider) == 0 || flip(0.5)
    let child = if deepen { c.insert(draw(gaps)).fill() } else { c.expand(width, wider[0]).fill() }
    t = evaluate(child, inherit = t)
  }
}
";

fn growing(trials: u64) -> Arc<Search> {
    search(&format!(
        "{GROWING}
search s {{
  data = digits()
  space = growing()
  evaluate = warm()
  strategy = grow()
  objective = accuracy
  budget = trials({trials})
  seed = 3
}}"
    ))
}

fn go(s: &Arc<Search>, exec: Arc<dyn Executor>, store: &Arc<Store>, observer: Arc<dyn Observer>) -> Vec<Arc<Trial>> {
    let children = children(s, exec);
    run(s, &children, store.clone(), observer, &Arc::new(AtomicBool::new(false)), 1).unwrap().outcome.history
}

#[test]
fn a_growing_network_keeps_what_it_learned_also_in_a_resumed_run() {
    let lines = Arc::new(Lines::default());
    let s = growing(6);
    let whole = Arc::new(Store::in_memory(&info(&s)).unwrap());
    let all = go(&s, Arc::new(Cpu::new()), &whole, lines.clone());
    assert_eq!(all.len(), 6);
    let mut edits = std::collections::BTreeSet::new();
    for t in &all[1..] {
        assert_eq!(t.status, Status::Done, "{:?}", t.failure);
        let parent = &all[t.parent.unwrap().0 as usize];
        assert_eq!(t.metric("before"), parent.metric("accuracy"), "{}", t.candidate);
        assert!(t.candidate.contains("$lineage"), "{}", t.candidate);
        edits.insert(t.candidate.contains("\"inserted\""));
    }
    assert_eq!(edits.len(), 2, "it grew in both ways");
    assert!(all[0].metric("before") != all[0].metric("accuracy"));
    assert!(lines.0.lock().unwrap().is_empty(), "{:?}", lines.0);

    // The test trains the best one again, from the weights that it inherited: what it scores on other data is the same.
    let again = children(&s, Arc::new(Cpu::new()));
    let stop = AtomicBool::new(false);
    let last = all[5].clone();
    let test_score = test(&again, &whole, &last, &stop).unwrap().unwrap();
    let fresh = Trial { parent: None, ..(*last).clone() };
    assert_ne!(test(&again, &whole, &fresh, &stop).unwrap(), Some(test_score));
    assert_eq!(test(&again, &whole, &last, &stop).unwrap(), Some(test_score));

    // The same in two sessions.
    let first = growing(3);
    let store = Arc::new(Store::in_memory(&info(&first)).unwrap());
    assert_eq!(go(&first, Arc::new(Cpu::new()), &store, Arc::new(Blind)).len(), 3);
    let again = go(&s, Arc::new(Cpu::new()), &store, Arc::new(Blind));
    let essence = |ts: &[Arc<Trial>]| {
        ts.iter().map(|t| (t.candidate.clone(), t.metrics.clone(), t.curve.clone())).collect::<Vec<_>>()
    };
    assert_eq!(essence(&again), essence(&all));
}

#[test]
fn what_a_child_cannot_keep_is_logged() {
    let text = format!("{GROWING}
search s {{ data = digits() space = growing() evaluate = warm() strategy = grow() objective = accuracy budget = trials(4) seed = 3 }}")
    .replace("repeat depth as layer { conv(w, 3) >> relu }", "repeat depth as layer { conv(w, 3) >> tanh }");
    let s = search(&text);
    let lines = Arc::new(Lines::default());
    let store = Arc::new(Store::in_memory(&info(&s)).unwrap());
    let all = go(&s, Arc::new(Cpu::new()), &store, lines.clone());
    let inserted = all.iter().filter(|t| t.candidate.contains("\"inserted\"")).count();
    let lines = lines.0.lock().unwrap();
    assert_eq!(lines.len(), inserted);
    assert!(inserted > 0 && lines[0].starts_with("trial ") && lines[0].contains("the outputs differ"), "{lines:?}");
}

/// Counts the training steps of the executor inside.
struct Counting {
    inner: Cpu,
    steps: Arc<AtomicUsize>,
}

struct CountingProgram {
    inner: Box<dyn Program>,
    steps: Option<Arc<AtomicUsize>>,
}

impl Executor for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn compile(&self, graph: &Graph) -> Result<Box<dyn Program>, ExecError> {
        let steps = (!graph.updates.is_empty()).then(|| self.steps.clone());
        Ok(Box::new(CountingProgram { inner: self.inner.compile(graph)?, steps }))
    }

    fn memory(&self) -> Box<dyn Memory> {
        self.inner.memory()
    }
}

impl Program for CountingProgram {
    fn run(&mut self, feed: &Feed, memory: &mut dyn Memory) -> Result<Vec<Tensor>, ExecError> {
        if let Some(steps) = &self.steps {
            steps.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.run(feed, memory)
    }

    fn scratch_bytes(&self) -> u64 {
        self.inner.scratch_bytes()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

const TRAINED: &str = "
use std.ops.*
use std.evaluations.train
use std.strategies.successive_halving
space small(image[N, C, H, W], classes: int) =
  image >> conv(3, choose kernel from [1, 3, 5], 2) >> batch_norm >> relu >> global_avg_pool >> linear(classes)
strategy whole() {
  for c in begin().all() { submit(c) }
  for _ in results() { }
}
";

fn trained(strategy: &str, budget: u64) -> Arc<Search> {
    search(&format!(
        "{TRAINED}
search s {{
  data = digits()
  space = small()
  evaluate = train(epochs = 4, batch = 32, fraction = 0.1, lr = 0.05)
  strategy = {strategy}
  objective = accuracy
  budget = trials({budget})
}}"
    ))
}

#[test]
fn continued_training_does_not_train_again_and_ends_where_whole_training_does() {
    let count = |s: &Arc<Search>| {
        let steps = Arc::new(AtomicUsize::new(0));
        let exec = Counting { inner: Cpu::new(), steps: steps.clone() };
        let store = Arc::new(Store::in_memory(&info(s)).unwrap());
        (go(s, Arc::new(exec), &store, Arc::new(Blind)), steps.load(Ordering::Relaxed))
    };
    let (whole, steps) = count(&trained("whole()", 3));
    let per_epoch = steps / 12;
    assert!(per_epoch > 0 && steps == 12 * per_epoch, "three candidates of four epochs");
    // 3 candidates for one epoch, one of them for two, then for four: 1 + 1 + 2 more.
    let halving = trained("successive_halving(candidates = 4, eta = 2, first = 1, full = 4)", 7);
    let (all, steps) = count(&halving);
    assert_eq!(all.iter().map(|t| t.until.unwrap()).collect::<Vec<_>>(), [1, 1, 1, 1, 2, 2, 4]);
    let trained: u64 = all.iter().filter(|t| t.status == Status::Done).map(|t| t.epochs).sum();
    assert_eq!(steps as u64, trained * per_epoch as u64);
    let last = &all[6];
    assert_eq!(last.curve.len(), 4);
    let same = whole.iter().find(|t| t.key == last.key).unwrap();
    assert_eq!((&last.curve, &last.metrics), (&same.curve, &same.metrics), "bit for bit");
}

#[test]
fn troubles_of_a_child_are_results_with_a_reason() {
    let plain = "
use std.ops.*
use std.evaluations.train
use std.strategies.random_search
space small(image[N, C, H, W], classes: int) =
  image >> conv(3, choose kernel from [1, 3]) >> relu >> flatten >> linear(classes)
search s {
  data = digits()
  space = small()
  evaluate = train(epochs = 2, batch = 32, fraction = 0.1, lr = LR)
  budget = trials(2)
}";
    let one = |lr: &str, exec: Arc<dyn Executor>| {
        let s = search(&plain.replace("LR", lr));
        let store = Arc::new(Store::in_memory(&info(&s)).unwrap());
        let all = go(&s, exec, &store, Arc::new(Blind));
        assert_eq!(all.len(), 2, "the search goes on");
        let f = all[0].failure.clone().unwrap();
        (f.kind, f.reason)
    };
    let (kind, why) = one("1e6", Arc::new(Cpu::new()));
    assert_eq!(kind, FailureKind::Nan);
    assert!(why.starts_with("the loss is "), "{why}");
    let (kind, why) = one("0.1", Arc::new(Cpu::with_memory_limit(2000)));
    assert_eq!(kind, FailureKind::Memory);
    assert!(why.starts_with("needs ") && why.ends_with("one child may use 2.0 KB"), "{why}");
    let (kind, why) = one("0.1", Arc::new(Broken));
    assert_eq!((kind, why.as_str()), (FailureKind::Panic, "the evaluation crashed: this executor is broken"));
}

/// Crashes.
struct Broken;

impl Executor for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn compile(&self, _: &Graph) -> Result<Box<dyn Program>, ExecError> {
        panic!("this executor is broken")
    }

    fn memory(&self) -> Box<dyn Memory> {
        Cpu::new().memory()
    }
}
