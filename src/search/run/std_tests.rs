//! The strategies of the standard library do what their papers say, on an evaluation that costs nothing: how far a
//! network's number of weights is from 300.

use std::collections::{BTreeMap, BTreeSet};

use super::tests::search;
use super::*;
use crate::exec::cpu::Cpu;
use crate::search::engine::Blind;
use crate::space::decision::{Candidate, Choice, matches};

const TOY: &str = "
use std.ops.*
space small(image[N, C, H, W], classes: int) {
  let a = choose first from [2, 4, 6, 8]
  let b = choose second from [2, 4, 6, 8]
  let k = choose kernel from [1, 3]
  image >> conv(a, k) >> conv(b, k) >> global_avg_pool >> linear(classes)
}
evaluation toy(epochs: int = 27) {
  let net = build(candidate)
  for epoch in 0..min(epochs, until.or(epochs)) { report(epoch + 1, 1.0) }
  return { score: -abs(net.params() - 300.0), params: net.params() }
}
";

fn outcome(uses: &str, space: &str, strategy: &str, objective: &str, trials: usize) -> Outcome {
    let s = search(&format!(
        "{uses}\n{TOY}
search s {{
  data = digits()
  space = {space}
  evaluate = toy()
  strategy = {strategy}
  objective = {objective}
  budget = trials({trials})
  deterministic = true
  seed = 3
}}"
    ));
    let children = children(&s, Arc::new(Cpu::new()));
    let store = Arc::new(Store::in_memory(&info(&s)).expect("a store"));
    let f = run(&s, &children, store, Arc::new(Blind), &Arc::new(AtomicBool::new(false)), 2).expect("a run");
    for t in &f.outcome.history {
        assert!(t.failure.is_none(), "{:?}", t.failure);
    }
    f.outcome
}

fn small(module: &str, strategy: &str, trials: usize) -> Outcome {
    outcome(&format!("use std.strategies.{module}"), "small()", strategy, "score", trials)
}

fn values(t: &Trial) -> BTreeMap<String, Choice> {
    let json = serde_json::from_str(&t.candidate).expect("JSON");
    Candidate::from_json(&json).expect("a candidate").values
}

/// The decisions in which two candidates differ.
fn differences(a: &Trial, b: &Trial) -> BTreeSet<String> {
    let (a, b) = (values(a), values(b));
    a.keys().chain(b.keys()).filter(|k| a.get(*k) != b.get(*k)).cloned().collect()
}

fn reward(t: &Trial) -> f64 {
    t.reward().expect("a reward")
}

/// The fidelities of a history, with how many trials in a row have each.
fn rungs(o: &Outcome) -> Vec<(u64, usize)> {
    let mut out: Vec<(u64, usize)> = Vec::new();
    for t in &o.history {
        let until = t.until.expect("a rung");
        match out.last_mut() {
            Some((u, n)) if *u == until => *n += 1,
            _ => out.push((until, 1)),
        }
    }
    out
}

#[test]
fn grid_meets_every_candidate_once() {
    let o = small("grid", "grid()", 100);
    assert_eq!(o.history.len(), 32);
    assert_eq!(o.history.iter().map(|t| &t.candidate).collect::<BTreeSet<_>>().len(), 32);
}

#[test]
fn random_search_draws_until_the_budget_ends() {
    let o = small("random_search", "random_search()", 20);
    assert_eq!(o.history.len(), 20);
}

#[test]
fn successive_halving_goes_on_with_the_best_third() {
    let o = small("successive_halving", "successive_halving(candidates = 9, eta = 3, first = 1, full = 9)", 13);
    assert_eq!(rungs(&o), [(1, 9), (3, 3), (9, 1)]);
    let mut first: Vec<f64> = o.history[..9].iter().map(|t| reward(t)).collect();
    first.sort_by(f64::total_cmp);
    let mut second: Vec<f64> = o.history[9..12].iter().map(|t| reward(t)).collect();
    second.sort_by(f64::total_cmp);
    assert_eq!(second, first[6..]);
    assert!(o.history[9..].iter().all(|t| t.continues.is_some()), "training goes on where it stopped");
    assert_eq!(o.history[12].curve.last().map(|p| p.0), Some(9));
}

#[test]
fn hyperband_begins_each_bracket_with_more_training() {
    let o = small("hyperband", "hyperband(full = 9, eta = 3)", 22);
    assert_eq!(rungs(&o), [(1, 9), (3, 3), (9, 1), (3, 5), (9, 4)], "table 1 of the paper, for R = 9");
}

#[test]
fn local_search_climbs_and_starts_again() {
    let best = small("grid", "grid()", 100).best.expect("a best trial");
    let o = small("local_search", "local_search()", 200);
    assert_eq!(o.best.as_deref().map(reward), Some(reward(&best)));
    // A candidate has seven neighbours: one evaluation of its own, then a round.
    assert!(o.history[1..8].iter().all(|t| differences(&o.history[0], t).len() == 1));
}

#[test]
fn aging_evolution_improves_its_population() {
    let o = small("aging_evolution", "aging_evolution(population = 8, sample = 4)", 80);
    let mean = |ts: &[Arc<Trial>]| ts.iter().map(|t| reward(t)).sum::<f64>() / ts.len() as f64;
    let n = o.history.len();
    assert!(mean(&o.history[n - 24..]) > mean(&o.history[..8]) + 20.0);
    for (i, child) in o.history.iter().enumerate().skip(8) {
        assert!(o.history[..i].iter().any(|t| differences(t, child).len() == 1), "a child of somebody");
    }
}

#[test]
fn amoeba_changes_an_operation_or_a_hidden_state() {
    let uses = "use std.strategies.aging_evolution\nuse std.spaces.nasnet";
    let strategy = "aging_evolution(population = 4, sample = 2, amoeba = true)";
    let o = outcome(uses, "nasnet(width = 4, repeats = 1, blocks = 2)", strategy, "score", 28);
    let mut seen = BTreeSet::new();
    for (i, child) in o.history.iter().enumerate().skip(4) {
        let changed = o.history[..i].iter().map(|t| differences(t, child)).min_by_key(BTreeSet::len).expect("a parent");
        assert!(changed.len() <= 1, "{changed:?}");
        for name in changed {
            let kind = ["**.op", "**.input"].into_iter().find(|s| matches(s, &name));
            seen.insert(kind.expect("an operation or a hidden state"));
        }
    }
    assert_eq!(seen.len(), 2, "both happen: {seen:?}");
}

#[test]
fn tournament_starts_from_trivial_motifs() {
    let uses = "use std.strategies.tournament\nuse std.spaces.hierarchical";
    let start = |spread: usize| {
        let strategy = format!("tournament(population = 2, spread = {spread})");
        outcome(uses, "hierarchical(width = 4, motifs = 2)", &strategy, "score", 2)
    };
    let is = |c: &Choice| c.to_string() == "identity";
    let trivial = values(&start(0).history[0]);
    assert_eq!(trivial.len(), 6 + 6 + 10, "both level-2 motifs and the level-3 motif");
    assert!(trivial.values().all(is), "{trivial:?}");
    let spread = values(&start(40).history[0]);
    assert!(spread.values().filter(|c| is(c)).count() < 12, "{spread:?}");
}

#[test]
fn nsga2_finds_the_front() {
    let objective = "[maximize(score), minimize(params)]";
    let points = |o: &Outcome| -> BTreeSet<(i64, i64)> {
        let round = |x: f64| x.round() as i64;
        o.history.iter().map(|t| (round(t.rewards[0]), round(t.rewards[1]))).collect()
    };
    let all = points(&outcome("use std.strategies.grid", "small()", "grid()", objective, 100));
    let front: Vec<_> = all.iter().filter(|p| !all.iter().any(|q| q != *p && q.0 >= p.0 && q.1 >= p.1)).collect();
    assert!(front.len() > 3, "{front:?}");
    let found = points(&outcome("use std.strategies.nsga2", "small()", "nsga2(population = 8)", objective, 72));
    let hit = front.iter().filter(|p| found.contains(p)).count();
    assert!(3 * hit >= 2 * front.len(), "{hit} of {front:?}");
}

#[test]
fn train_refuses_what_it_does_not_know() {
    for (args, part) in [
        ("optimizer = \"adagrad\"", "no optimizer is called `adagrad`"),
        ("schedule = \"cosin\"", "no schedule is called `cosin`"),
    ] {
        let s = search(&format!(
            "use std.evaluations.train\nuse std.strategies.random_search\n{TOY}
search s {{
  data = digits()
  space = small()
  evaluate = train({args})
  strategy = random_search()
  budget = trials(1)
}}"
        ));
        let children = children(&s, Arc::new(Cpu::new()));
        let store = Arc::new(Store::in_memory(&info(&s)).expect("a store"));
        let f = run(&s, &children, store, Arc::new(Blind), &Arc::new(AtomicBool::new(false)), 1).expect("a run");
        let reason = &f.outcome.history[0].failure.as_ref().expect("it failed").reason;
        assert!(reason.contains(part), "{reason}");
    }
}
