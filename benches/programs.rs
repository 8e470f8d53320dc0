//! Searches over programs: `cargo bench --bench programs` measures, `cargo bench --bench programs -- study 60` counts
//! successes per experiment.
//!
//! The original's figures, on a machine of 2 Zen 3 cores (Real et al. 2020's program, -O2): 35,199 programs a second
//! with its cache and 24,194 without; a train step and task costs 24.5 ns for linear regression of 4 features, and 68, 124,
//! 299 and 979 ns for a network of two layers of 4, 8, 16 and 32; of 66 experiments of 200 million train steps 15 succeed.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use nasc::algo::runner::Runner;
use nasc::algo::task::{Loss, Schedule};
use nasc::exec::cpu::Cpu;
use nasc::search::engine::{Event, Observer};
use nasc::search::run::{children, info, run};
use nasc::search::setup::{Overrides, Search};
use nasc::sema::modules::Program;
use nasc::store::Store;

const NETWORK: &str = "
use std.instructions.*
use std.evaluations.programs
algorithm linear {
  setup { s2 = 0.01 }
  predict { s1 = dot(v0, v1) }
  learn {
    s3 = s0 - s1
    s4 = s2 * s3
    v2 = s4 * v0
    v1 = v1 + v2
  }
}
algorithm network {
  setup {
    s3 = 0.001
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
space one = algorithms(
  scalars = 6, vectors = 8, matrices = 2,
  setup = instructions(1..=3, automl_zero), predict = instructions(1..=4, automl_zero),
  learn = instructions(1..=9, automl_zero), start = START,
)
search speed {
  data = KIND(features = FEATURES, tasks = 10, train = 8000, valid = 100)
  space = one
  evaluate = programs()
}
";

/// The original's demonstration.
const DEMO: &str = "
use std.instructions.*
use std.evaluations.programs

fn few() = [constant, dot, sub, mul, scale, add]

space rules = algorithms(
  scalars = 4, vectors = 3, matrices = 1,
  setup = instructions(10, few), predict = instructions(2, few), learn = instructions(8, few),
)

strategy until(goal: float, population: int = 1000, sample: int = 10, ahead: int = AHEAD) {
  var alive: queue<trial> = evaluate_all([random() for _ in 0..population])
  for _ in 0..ahead { submit(child(alive, sample)) }
  for t in results() {
    if or(t.reward, 0.0) >= goal { return }
    alive.push(t)
    alive.pop_oldest()
    submit(child(alive, sample))
  }
}

// One child in ten is its parent, as in the original.
fn child(alive: list<trial>, sample: int) -> candidate {
  let parent = tournament_pick(alive, sample).candidate
  if flip(0.1) { parent } else { mutate_program(parent, insert = 0.0, remove = 0.0) }
}

search demo {
  data = scalar_linear_regression(features = 4, tasks = 10, train = 100, valid = 100, param_seed = PARAMS, data_seed = DATA)
  space = rules
  evaluate = programs(cache = CACHE)
  strategy = until(goal = GOAL)
  objective = fitness
  budget = BUDGET
  seed = SEED
}
";

fn search(text: &str) -> Arc<Search> {
    let (program, errors) = Program::load("bench.nas", text, None);
    assert!(errors.iter().all(|e| e.severity != nasc::diag::Severity::Error), "{errors:#?}");
    let program = Arc::new(program);
    let item = program.searches().next().expect("a search").0;
    match Search::new(&program, item, Path::new("."), &Overrides::default()) {
        Ok((s, _)) => Arc::new(s),
        Err(ds) => panic!("{ds:#?}"),
    }
}

/// Counts results.
#[derive(Default)]
struct Count(Mutex<u64>);

impl Observer for Count {
    fn event(&self, e: &Event) {
        if let Event::Counted(n) = e {
            *self.0.lock().expect("no panic") = *n;
        }
    }
}

/// Programs and seconds, and the best fitness.
fn go(s: &Arc<Search>, workers: usize) -> (u64, f64, f64) {
    let store = Arc::new(Store::in_memory(&info(s)).expect("a store"));
    let children = children(s, Arc::new(Cpu::new()));
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(Count::default()));
    let begun = Instant::now();
    let done = run(s, &children, store, count, &stop, workers).unwrap_or_else(|d| panic!("{d:?}"));
    let seconds = begun.elapsed().as_secs_f64();
    let best = done.outcome.best.and_then(|t| t.reward()).unwrap_or(0.0);
    (done.outcome.finished, seconds, best)
}

struct Demo {
    cache: usize,
    seed: u64,
    goal: f64,
    ahead: usize,
    budget: String,
}

fn demo(d: &Demo) -> Arc<Search> {
    let text = DEMO
        .replace("CACHE", &d.cache.to_string())
        .replace("SEED", &d.seed.to_string())
        .replace("PARAMS", &(1001 + 1000 * d.seed).to_string())
        .replace("DATA", &(11001 + 1000 * d.seed).to_string())
        .replace("GOAL", &d.goal.to_string())
        .replace("AHEAD", &d.ahead.to_string())
        .replace("BUDGET", &d.budget);
    search(&text)
}

fn steps() {
    for (start, kind, f) in [
        ("linear", "scalar_linear_regression", 4),
        ("network", "scalar_network_regression", 4),
        ("network", "scalar_network_regression", 8),
        ("network", "scalar_network_regression", 16),
        ("network", "scalar_network_regression", 32),
    ] {
        let text = NETWORK.replace("START", start).replace("KIND", kind).replace("FEATURES", &f.to_string());
        let s = search(&text);
        let (design, tasks) = (s.space.design().expect("programs"), s.tasks.clone().expect("tasks"));
        let program = design.start.as_ref().expect("a start");
        let schedule = Schedule {
            first: 0,
            count: 10,
            train: 8000,
            valid: 0,
            epochs: 1,
            worst: f64::INFINITY,
            loss: Loss::Squared,
        };
        let mut runner = Runner::default();
        let mut best = f64::INFINITY;
        for _ in 0..8 {
            let begun = Instant::now();
            runner.load(&design.set, program);
            runner.losses(&tasks, &design.set, program, &schedule);
            assert_eq!(runner.steps, 80_000, "it diverged");
            best = best.min(begun.elapsed().as_secs_f64() / runner.steps as f64);
        }
        println!("{start} of {f} features: {:.1} ns per train step and task", best * 1e9);
    }
}

fn programs() {
    for (cache, ahead, workers) in
        [(16, 4, 1), (0, 4, 1), (16, 32, 1), (16, 32, 2), (0, 32, 1), (0, 32, 2), (16, 4, 1), (0, 4, 1)]
    {
        let mut best = 0.0_f64;
        for seed in 1..4 {
            let s = demo(&Demo { cache, seed, goal: 2.0, ahead, budget: "trials(400000)".into() });
            let (n, seconds, _) = go(&s, workers);
            best = best.max(n as f64 / seconds);
        }
        println!("cache {cache}, {ahead} ahead, {workers} workers: {best:.0} programs a second");
    }
}

fn study(experiments: u64) {
    let (mut solved, mut since, mut needed) = (0, 0, Vec::new());
    let begun = Instant::now();
    for seed in 1..=experiments {
        let s = demo(&Demo { cache: 16, seed, goal: 0.9999, ahead: 4, budget: "steps(200000000)".into() });
        let (n, seconds, best) = go(&s, 1);
        since += n;
        if best >= 0.9999 {
            solved += 1;
            needed.push(since);
            since = 0;
        }
        println!("{seed}: {n} programs in {seconds:.1} s, best {best:.5}, solved {solved}");
    }
    needed.sort_unstable();
    let of = |q: f64| needed.get((q * (needed.len().max(1) - 1) as f64).round() as usize).copied().unwrap_or(0);
    println!(
        "{solved} of {experiments} in {:.0} s; programs to a success: quartiles {} {} {}",
        begun.elapsed().as_secs_f64(),
        of(0.25),
        of(0.5),
        of(0.75)
    );
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    match args.first().map(String::as_str) {
        Some("study") => study(args.get(1).and_then(|n| n.parse().ok()).unwrap_or(60)),
        Some("steps") => steps(),
        Some("programs") => programs(),
        _ => {
            steps();
            programs();
        }
    }
}
