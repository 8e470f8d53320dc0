use std::sync::Mutex;

use crate::search::engine::{Blind, Event};
use crate::search::run::tests::search;
use crate::search::run::{children, info};

use super::journal::Coder;
use super::*;

const SPACE: &str = "
use std.instructions.*
use std.evaluations.programs
use std.strategies.aging_evolution
use std.strategies.random_search
use std.strategies.tournament
fn few() = [constant, dot, sub, mul, scale, add]
space demo = algorithms(
  scalars = 4, vectors = 3, matrices = 0,
  setup = instructions(1..=3, few), predict = instructions(1..=2, few), learn = instructions(2..=6, few),
)
";

fn programs(fields: &str) -> Arc<Search> {
    search(&format!(
        "{SPACE}\nsearch s {{
  data = scalar_linear_regression(features = 4, tasks = 6, train = 40, valid = 20)
  space = demo
  objective = fitness
{fields}
}}"
    ))
}

fn go(s: &Arc<Search>, store: &Store, workers: usize) -> Finished {
    super::run(s, store, &Blind, &AtomicBool::new(false), workers).unwrap()
}

fn memory(s: &Arc<Search>) -> Store {
    Store::in_memory(&info(s)).unwrap()
}

fn told(f: &Finished) -> Vec<(u64, String, Vec<f64>)> {
    f.outcome.history.iter().map(|t| (t.id.0, t.candidate.to_string(), t.rewards.clone())).collect()
}

const EVOLVE: &str = "  evaluate = programs()\n  strategy = aging_evolution(population = 50, sample = 5)\n  seed = 3";

#[test]
fn any_number_of_workers_finds_the_same() {
    let s = programs(&format!("{EVOLVE}\n  budget = trials(3000)"));
    assert!(fits(&s));
    let alone = go(&s, &memory(&s), 1);
    assert_eq!(alone.outcome.finished, 3000);
    assert!(alone.outcome.history.len() > 3, "{:?}", told(&alone));
    for workers in [2, 4] {
        assert_eq!(told(&go(&s, &memory(&s), workers)), told(&alone), "{workers} workers");
    }
}

/// Stops a search from another thread's view, after so many trials.
struct StopAfter<'a>(u64, &'a AtomicBool, Mutex<u64>);

impl Observer for StopAfter<'_> {
    fn event(&self, e: &Event) {
        if let Event::Best(t) = e {
            *self.2.lock().unwrap() = t.id.0;
            if t.id.0 >= self.0 {
                self.1.store(true, Ordering::Relaxed);
            }
        }
    }
}

#[test]
fn a_stopped_search_goes_on_as_if_nothing_had_happened() {
    let s = programs(&format!("{EVOLVE}\n  budget = trials(4000)"));
    let whole = memory(&s);
    let expected = go(&s, &whole, 1);
    let store = memory(&s);
    let mut sessions = 0;
    for at in [1, 30, 200] {
        let stop = AtomicBool::new(false);
        let watch = StopAfter(at, &stop, Mutex::new(0));
        let f = super::run(&s, &store, &watch, &stop, 2).unwrap();
        sessions += usize::from(f.interrupted && f.outcome.finished < 4000);
    }
    assert!(sessions > 0, "it was never stopped early");
    let seen = store.journaled().unwrap().0;
    assert!(seen > 0 && seen < 4000, "{seen}");
    let last = go(&s, &store, 1);
    assert_eq!(last.outcome.finished, 4000);
    assert_eq!(told(&last), told(&expected));
    // Rows are the improvements, and the journal has every trial once.
    let rows: Vec<u64> = store.trials().unwrap().iter().map(|t: &Trial| t.id.0).collect();
    assert_eq!(rows, told(&expected).iter().map(|t| t.0).collect::<Vec<_>>());
    assert_eq!(store.journaled().unwrap(), whole.journaled().unwrap());
}

#[test]
fn a_budget_can_grow() {
    let less = programs(&format!("{EVOLVE}\n  budget = trials(700)"));
    let more = programs(&format!("{EVOLVE}\n  budget = trials(1500)"));
    let store = memory(&less);
    go(&less, &store, 1);
    let both = go(&more, &store, 1);
    assert_eq!(told(&both), told(&go(&more, &memory(&more), 1)));
    assert_eq!(store.journaled().unwrap().0, 1500);
}

#[test]
fn steps_are_a_budget() {
    let s = programs(&format!("{EVOLVE}\n  budget = steps(20000)"));
    let store = memory(&s);
    go(&s, &store, 1);
    let (trials, steps) = store.journaled().unwrap();
    assert!((20_000..40_000).contains(&steps) && trials > 80, "{trials} {steps}");
}

#[test]
fn other_strategies_run() {
    for strategy in ["random_search()", "tournament(population = 20, spread = 3)"] {
        let s = programs(&format!("  evaluate = programs()\n  strategy = {strategy}\n  budget = trials(400)"));
        assert!(fits(&s), "{strategy}");
        let f = go(&s, &memory(&s), 2);
        assert_eq!(f.outcome.finished, 400, "{strategy}");
        assert!(f.outcome.best.is_some_and(|t| t.reward().is_some_and(|r| r > 0.0)), "{strategy}");
    }
}

#[test]
fn what_reads_the_history_is_for_the_general_engine() {
    let s = search(&format!(
        "{SPACE}\nstrategy late() {{ loop {{ submit(random())\n if len(history()) > 20 {{ return }} }} }}\nsearch s {{
  data = scalar_linear_regression(features = 4, tasks = 6, train = 40, valid = 20)
  space = demo\n  objective = fitness\n  evaluate = programs()\n  strategy = late()\n  budget = trials(40)
}}"
    ));
    assert!(!fits(&s));
    let exec: Arc<dyn crate::exec::Executor> = Arc::new(crate::exec::cpu::Cpu::new());
    let children = children(&s, exec);
    let stop = Arc::new(AtomicBool::new(false));
    let f = crate::search::run::run(&s, &children, Arc::new(memory(&s)), Arc::new(Blind), &stop, 1).unwrap();
    assert!(f.outcome.history.len() > 20);
    // Both give a program the same score.
    let mut scorer = Scorer::new(&s).unwrap();
    let (cache, mut out) = (Cache::new(), Scored::default());
    for t in &f.outcome.history {
        let c = crate::space::decision::Candidate::from_json(&serde_json::from_str(&t.candidate).unwrap()).unwrap();
        scorer.score(&s.space.program_of(&c).unwrap(), &cache, &mut out);
        assert_eq!(out.rewards, t.rewards);
    }
}

#[test]
fn memory_does_not_grow_with_trials() {
    for strategy in ["aging_evolution(population = 50, sample = 5)", "random_search()"] {
        let s = programs(&format!("  evaluate = programs()\n  strategy = {strategy}\n  budget = trials(5000)"));
        let (ring, store, stop) = (Ring::new(&s), memory(&s), AtomicBool::new(false));
        let mut host = QuickHost::new(&s, &ring, &store, &Blind, &stop).unwrap();
        let _ = s.strategy.0.run(&s.strategy.1, &mut host, &stop);
        let (programs, trials) = host.places();
        assert!(programs < 300 && trials < 300, "{strategy}: {programs} programs, {trials} trials");
    }
}

#[test]
fn failures_are_results() {
    let s = search(&format!(
        "{SPACE}\nevaluation odd() {{
  let x = task_fitness(candidate, 0, tasks(), 40, 20)
  if x < 0.2 {{ fail(\"too bad\") }}
  return {{ fitness: x }}
}}\nsearch s {{
  data = scalar_linear_regression(features = 4, tasks = 6, train = 40, valid = 20)
  space = demo\n  objective = fitness\n  evaluate = odd()\n  strategy = aging_evolution(population = 50, sample = 5)\n  budget = trials(500)
}}"
    ));
    let f = go(&s, &memory(&s), 1);
    assert_eq!(f.outcome.finished, 500);
    assert!(f.outcome.best.is_some());
}

#[test]
fn a_journal_reads_as_it_was_written() {
    let xs: Vec<f64> =
        (0..2000).map(|i| [0.5, -0.0, f64::NAN, f64::from(i % 7), f64::from(i) * 0.1][i as usize % 5]).collect();
    let (mut bytes, mut coder) = (Vec::new(), Coder::new());
    xs.iter().for_each(|x| coder.write(*x, &mut bytes));
    assert!(bytes.len() < 2000 * 5, "{}", bytes.len());
    let (mut at, mut coder) = (0, Coder::new());
    for x in xs {
        assert_eq!(coder.read(&bytes, &mut at).map(f64::to_bits), Some(x.to_bits()));
    }
    assert_eq!(coder.read(&bytes, &mut at), None);
}

#[test]
fn a_cache_knows_what_it_was_told_last() {
    let c = Cache::new();
    let key = |i: u64| crate::graph::ir::mix(i + 1) | 1;
    assert_eq!(c.get(key(1)), None);
    (0..1000).for_each(|i| c.put(key(i), i));
    let known = (0..1000).filter(|i| c.get(key(*i)) == Some(*i)).count();
    assert!(known > 900, "{known}");
    let other = Cache::new();
    other.restore(&c.save());
    assert!((0..1000).all(|i| other.get(key(i)) == c.get(key(i))));
}

#[test]
fn what_was_found_is_judged_on_other_tasks() {
    let s = programs(&format!("{EVOLVE}\n  budget = trials(3000)"));
    let (select, test) = s.held_out.as_ref().unwrap();
    assert_eq!((select.tasks.len(), test.tasks.len()), (10, 10));
    let seen = s.tasks.as_ref().unwrap();
    assert!(seen.tasks.iter().all(|t| !select.tasks.contains(t) && !test.tasks.contains(t)));
    let f = go(&s, &memory(&s), 1);
    let (id, value) = judge(&s, &f.outcome.history).unwrap();
    assert!(f.outcome.history.iter().any(|t| t.id == id) && value > 0.2 && value <= 1.0, "{value}");
}

#[test]
fn pairs_of_classes_are_held_out() {
    let s = search(&format!(
        "{SPACE}\nsearch s {{
  data = projected_binary_classification(digits(), features = 4, tasks = 8, train = 50, valid = 30, select = 3, test = 4)
  space = demo\n  objective = fitness\n  evaluate = programs(loss = \"wrong\")\n  budget = trials(300)
}}"
    ));
    let (select, test) = s.held_out.clone().unwrap();
    assert_eq!((s.tasks.as_ref().unwrap().tasks.len(), select.tasks.len(), test.tasks.len()), (8, 3, 4));
    assert!(test.tasks.iter().all(|t| t.train.y.len() == 50 && t.valid.y.len() == 30));
    assert!(test.tasks.iter().flat_map(|t| &t.train.y).all(|y| *y == 0.0 || (*y - 1.0).abs() < 1e-12));
    assert!(fits(&s));
}
