//! Every standard strategy, on spaces whose scores are a formula: whether it moves as its paper says, and whether the
//! number of workers changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::strategy::parse_candidate;
use super::tests::search;
use super::*;
use crate::base::Span;
use crate::exec::cpu::Cpu;
use crate::search::engine::{Blind, Status, TrialId, pareto_front};
use crate::space::decision::{Candidate, Choice, matches};

const PROGRAMS: &str = "
use std.ops.*
use std.strategies.aging_evolution
use std.strategies.grid
use std.strategies.hyperband
use std.strategies.local_search
use std.strategies.nsga2
use std.strategies.random_search
use std.strategies.successive_halving
use std.strategies.tournament
use std.spaces.nasnet

// Four decisions of three values: 81 networks, all different.
space toy(image[N, C, H, W], classes: int) {
  var x = image
  for layer in 0..4 { x = x >> conv(2 + layer, choose kernel from [1, 3, 5]) }
  x >> global_avg_pool >> linear(classes)
}

// Two decisions for two objectives.
space plane(image[N, C, H, W], classes: int) {
  let x = choose x in 0..=30
  let y = choose y in 0..=4
  image >> conv(x + 1, 1) >> conv(y + 1, 3) >> global_avg_pool >> linear(classes)
}

// Two levels of motifs.
space levels(image[N, C, H, W], classes: int) {
  motif low[2](c: int) = assemble 3 nodes { edge = choose op { identity | conv_bn(c, 1) | avg_pool(3) }  merge = sum }
  motif high(c: int) = assemble 3 nodes { edge = (choose which from low)(c)  merge = sum }
  image >> conv(2, 1) >> high(2) >> global_avg_pool >> linear(classes)
}

// The sum of the values, the first ones counting more: no two candidates are equal, and every step up is one to the best.
evaluation scored(epochs: int = 9) {
  var score = 0.0
  var weight = 1.0
  for d in candidate.decisions() {
    score += weight * float(d.value)
    weight *= 0.3
  }
  for epoch in 0..min(epochs, until.or(epochs)) { report(epoch + 1, score) }
  return { accuracy: score }
}

evaluation two() {
  let x = float(candidate.decisions(\"x\")[0].value) / 30
  let g = 1 + float(candidate.decisions(\"y\")[0].value)
  return { first: x, second: g * (1 - sqrt(x / g)) }
}

// How many operations are not the identity; nothing tells equal networks apart.
evaluation changed() {
  var n = 0
  for d in candidate.decisions(\"**.op\") { if d.value != \"identity\" { n += 1 } }
  return { accuracy: float(n) }
}
";

struct Setting<'a> {
    space: &'a str,
    evaluate: &'a str,
    objective: &'a str,
    budget: u64,
    workers: usize,
}

const TOY: Setting<'static> =
    Setting { space: "toy()", evaluate: "scored()", objective: "accuracy", budget: 60, workers: 2 };

fn run_strategy(strategy: &str, s: &Setting<'_>) -> (Arc<Search>, Vec<Arc<Trial>>) {
    let Setting { space, evaluate, objective, budget, workers } = s;
    let s = search(&format!(
        "{PROGRAMS}
search s {{
  data = digits()
  space = {space}
  evaluate = {evaluate}
  strategy = {strategy}
  objective = {objective}
  budget = trials({budget})
  deterministic = true
}}"
    ));
    let children = children(&s, Arc::new(Cpu::new()));
    let store = Arc::new(Store::in_memory(&info(&s)).unwrap());
    let f = run(&s, &children, store, Arc::new(Blind), &Arc::new(AtomicBool::new(false)), *workers).unwrap();
    for t in &f.outcome.history {
        assert!(matches!(t.status, Status::Done | Status::Cached), "{strategy}: {:?} {}", t.failure, t.candidate);
    }
    (s, f.outcome.history)
}

fn candidate_of(t: &Trial) -> Candidate {
    parse_candidate(&t.candidate, Span::default()).ok().unwrap()
}

fn reward(t: &Arc<Trial>) -> f64 {
    t.reward().unwrap()
}

#[test]
fn aging_evolution_breeds_from_the_living_and_the_oldest_dies() {
    let strategy = "aging_evolution(population = 4, sample = 64, ahead = 1)";
    let (s, all) = run_strategy(strategy, &TOY);
    assert_eq!(all.len(), 60);
    let mut from_a_better_ancestor = 0;
    for i in 5..all.len() {
        // 64 draws of 4 find the best of the last four.
        let parent = all[i - 4..i].iter().max_by(|a, b| reward(a).total_cmp(&reward(b))).unwrap();
        let apart = s.space.distance(&candidate_of(parent), &candidate_of(&all[i]));
        assert_eq!(apart, 1, "trial {i} is a mutated child of trial {}", parent.id);
        if all[..i].iter().any(|t| reward(t) > reward(parent)) {
            from_a_better_ancestor += 1;
        }
    }
    assert!(from_a_better_ancestor > 0, "the best died at least once in this run");
}

#[test]
fn amoeba_mutations_change_an_operation_or_nothing() {
    let text = Setting { space: "levels()", evaluate: "changed()", ..TOY };
    let (s, all) = run_strategy("aging_evolution(population = 4, sample = 64, amoeba = true, ahead = 1)", &text);
    let mut still = 0;
    for i in 5..all.len() {
        let child = candidate_of(&all[i]);
        let near: Vec<usize> = all[i - 4..i].iter().map(|t| s.space.distance(&candidate_of(t), &child)).collect();
        assert!(near.iter().any(|&d| d <= 1), "{near:?}");
        still += usize::from(near.contains(&0));
    }
    // One in twenty on purpose, and some that return to one of the living.
    assert!(still < all.len() / 4, "{still}");
}

#[test]
fn amoeba_mutations_change_hidden_states_too() {
    let cells = Setting { space: "nasnet(width = 4, repeats = 1, blocks = 2)", evaluate: "changed()", ..TOY };
    let (_, all) = run_strategy("aging_evolution(population = 4, sample = 2, amoeba = true, ahead = 1)", &cells);
    let mut kinds = BTreeSet::new();
    for (i, child) in all.iter().enumerate().skip(4) {
        let child = candidate_of(child).values;
        let changes = all[..i].iter().map(|t| {
            let parent = candidate_of(t).values;
            child.iter().filter(|(n, v)| parent.get(*n) != Some(*v)).map(|(n, _)| n.clone()).collect::<Vec<_>>()
        });
        let changed = changes.min_by_key(Vec::len).unwrap();
        assert!(changed.len() <= 1, "{changed:?}");
        kinds.extend(changed.iter().map(|n| ["**.op", "**.input"].into_iter().find(|s| matches(s, n)).unwrap()));
    }
    assert_eq!(kinds.len(), 2, "{kinds:?}");
}

#[test]
fn a_tournament_starts_from_the_trivial_design() {
    let hierarchy = Setting { space: "levels()", evaluate: "changed()", budget: 30, ..TOY };
    let (s, all) = run_strategy("tournament(population = 5, part = 0.5, spread = 0, ahead = 1)", &hierarchy);
    let ops = |t: &Trial| -> Vec<String> {
        let c = candidate_of(t);
        c.values.iter().filter(|(n, _)| n.ends_with(".op")).map(|(_, v)| v.to_string()).collect()
    };
    for t in &all[..5] {
        assert_eq!(ops(t), vec!["identity"; 6], "{}", t.candidate);
    }
    // Nobody dies: a child is one step away from one of all those before it.
    for i in 6..all.len() {
        let child = candidate_of(&all[i]);
        assert!(all[..i].iter().any(|t| s.space.distance(&candidate_of(t), &child) <= 1));
    }
    assert!(reward(&all[29]) > 0.0 && reward(&all[0]) == 0.0);
    // The initial population is spread by as many mutations as asked for.
    let (_, spread) = run_strategy("tournament(population = 20, spread = 50, ahead = 1)", &hierarchy);
    let moved: BTreeSet<Vec<String>> = spread[..20].iter().map(|t| ops(t)).collect();
    assert!(moved.len() > 10, "{}", moved.len());
}

#[test]
fn local_search_climbs_to_where_no_neighbour_is_better_and_starts_again() {
    let (s, all) = run_strategy("local_search()", &Setting { budget: 80, ..TOY });
    // Replay: a start, then all 8 neighbours, moving while the best one is better.
    let (mut at, mut tops) = (0, 0);
    while at < all.len() {
        let mut here = all[at].clone();
        at += 1;
        while at + 8 <= all.len() {
            let round = &all[at..at + 8];
            at += 8;
            for t in round {
                assert_eq!(s.space.distance(&candidate_of(&here), &candidate_of(t)), 1);
            }
            let best = round.iter().max_by(|a, b| reward(a).total_cmp(&reward(b))).unwrap();
            if reward(best) <= reward(&here) {
                // All four values are the largest: 5.
                assert!(candidate_of(&here).values.values().all(|v| *v == Choice::Int(5)), "{}", here.candidate);
                tops += 1;
                break;
            }
            here = best.clone();
        }
        if at + 8 > all.len() {
            break;
        }
    }
    assert!(tops >= 1);
}

#[test]
fn grid_visits_every_candidate_once() {
    let (_, all) = run_strategy("grid()", &Setting { budget: 1000, ..TOY });
    let different: BTreeSet<&str> = all.iter().map(|t| &*t.candidate).collect();
    assert_eq!((all.len(), different.len()), (81, 81));
}

#[test]
fn random_search_is_uniform() {
    let (_, all) = run_strategy("random_search()", &Setting { budget: 1620, evaluate: "scored(epochs = 1)", ..TOY });
    let mut seen: BTreeMap<&str, f64> = BTreeMap::new();
    for t in &all {
        *seen.entry(&t.candidate).or_default() += 1.0;
    }
    assert_eq!(seen.len(), 81);
    // 80 degrees of freedom: above 130 happens once in 3,000 seeds.
    let chi: f64 = seen.values().map(|n| (n - 20.0).powi(2) / 20.0).sum();
    assert!((45.0..130.0).contains(&chi), "{chi}");
}

/// Rungs of successive halving: how many trials end at which epoch, in order.
fn rungs(all: &[Arc<Trial>]) -> Vec<(usize, u64)> {
    let mut out: Vec<(usize, u64)> = Vec::new();
    for t in all {
        let until = t.until.unwrap();
        // A bracket that starts again at its first rung begins anew.
        match out.last_mut() {
            Some(last) if last.1 == until => last.0 += 1,
            _ => out.push((1, until)),
        }
    }
    out
}

#[test]
fn successive_halving_keeps_the_best_part_and_goes_on_with_it() {
    let strategy = "successive_halving(candidates = 9, eta = 3, first = 1, full = 9)";
    let (_, all) = run_strategy(strategy, &Setting { budget: 13, ..TOY });
    assert_eq!(rungs(&all), [(9, 1), (3, 3), (1, 9)]);
    let id = |t: &Arc<Trial>| t.id;
    let by_reward = |ts: &[Arc<Trial>], n: usize| {
        let mut ts: Vec<Arc<Trial>> = ts.to_vec();
        ts.sort_by(|a, b| reward(b).total_cmp(&reward(a)).then(a.id.cmp(&b.id)));
        ts.iter().take(n).map(id).collect::<Vec<_>>()
    };
    let trained = |t: &Arc<Trial>| all.iter().find(|x| x.id == t.continues.unwrap()).unwrap().clone();
    let second: Vec<TrialId> = all[9..12].iter().map(id).collect();
    let sources: Vec<Arc<Trial>> = all[9..12].iter().map(trained).collect();
    let mut best = by_reward(&all[..9], 3).iter().map(|b| reward(&all[b.0 as usize])).collect::<Vec<_>>();
    let mut continued = sources.iter().map(reward).collect::<Vec<_>>();
    best.sort_by(f64::total_cmp);
    continued.sort_by(f64::total_cmp);
    assert_eq!(best, continued);
    assert!(second.contains(&all[12].continues.unwrap()));
    assert_eq!(all[12].curve.len(), 9);
}

#[test]
fn hyperband_has_the_brackets_of_its_algorithm() {
    // Li et al. 2018, R = 81 and eta = 3: brackets of n = ceil(5 * 3^s / (s + 1)) candidates at r = 81 / 3^s.
    let table: [(usize, u64); 15] = [
        (81, 1),
        (27, 3),
        (9, 9),
        (3, 27),
        (1, 81),
        (34, 3),
        (11, 9),
        (3, 27),
        (1, 81),
        (15, 9),
        (5, 27),
        (1, 81),
        (8, 27),
        (2, 81),
        (5, 81),
    ];
    let trials: usize = table.iter().map(|r| r.0).sum();
    let setting = Setting { budget: trials as u64, evaluate: "scored(epochs = 81)", space: "plane()", ..TOY };
    let (_, all) = run_strategy("hyperband(full = 81, eta = 3)", &setting);
    let mut found = rungs(&all);
    // The last rung of one bracket and the first of the next may end at the same epoch.
    let mut wanted: Vec<(usize, u64)> = Vec::new();
    for r in table {
        match wanted.last_mut() {
            Some(last) if last.1 == r.1 => last.0 += r.0,
            _ => wanted.push(r),
        }
    }
    assert_eq!(found.len(), wanted.len());
    assert_eq!(std::mem::take(&mut found), wanted);
}

#[test]
fn nsga2_spreads_over_the_front() {
    let setting = Setting {
        space: "plane()",
        evaluate: "two()",
        objective: "[minimize(first), minimize(second)]",
        budget: 400,
        ..TOY
    };
    let (_, all) = run_strategy("nsga2(population = 20)", &setting);
    let front = pareto_front(&all);
    let mut xs = Vec::new();
    for t in &front {
        let c = candidate_of(t);
        assert_eq!(c.values["y"], Choice::Int(0), "the front is where y = 0");
        let Choice::Int(x) = c.values["x"] else { panic!() };
        xs.push(x);
    }
    xs.sort_unstable();
    assert!(xs.len() >= 16, "{xs:?}");
    assert!(xs[0] <= 1 && xs[xs.len() - 1] >= 29, "{xs:?}");
    assert!(xs.windows(2).all(|w| w[1] - w[0] <= 4), "{xs:?}");
    // Children of the front differ from it in one decision; at random y would be 2 on average.
    let mean = |ts: &[Arc<Trial>]| {
        let y = |t: &Arc<Trial>| if let Choice::Int(y) = candidate_of(t).values["y"] { y as f64 } else { f64::NAN };
        ts.iter().map(y).sum::<f64>() / ts.len() as f64
    };
    let (early, late) = (mean(&all[..20]), mean(&all[all.len() - 100..]));
    assert!(late < 0.8 * early, "{early} {late}");
}

#[test]
fn the_number_of_workers_changes_nothing() {
    for (strategy, space, evaluate, objective) in [
        ("random_search()", "toy()", "scored()", "accuracy"),
        ("grid()", "toy()", "scored()", "accuracy"),
        ("aging_evolution(population = 6, sample = 3)", "toy()", "scored()", "accuracy"),
        ("tournament(population = 6, spread = 3)", "levels()", "changed()", "accuracy"),
        ("local_search()", "toy()", "scored()", "accuracy"),
        ("successive_halving(candidates = 9, full = 9)", "toy()", "scored()", "accuracy"),
        ("hyperband(full = 9)", "toy()", "scored()", "accuracy"),
        ("nsga2(population = 6)", "plane()", "two()", "[minimize(first), minimize(second)]"),
    ] {
        let [one, three] = [1, 3].map(|workers| {
            let (_, all) = run_strategy(strategy, &Setting { space, evaluate, objective, budget: 40, workers });
            all.iter().map(|t| (t.id, t.candidate.clone(), t.until, t.continues, t.rewards.clone())).collect::<Vec<_>>()
        });
        assert_eq!(one.len(), 40, "{strategy}");
        assert_eq!(one, three, "{strategy}");
    }
}
