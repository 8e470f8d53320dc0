//! Searches over tables of results: a small one made here, and NAS-Bench-201 where `NASC_NASBENCH201` names its file.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::evaluation::Tables;
use super::tests::search;
use super::*;
use crate::exec::cpu::Cpu;
use crate::learn::Learner;
use crate::search::engine::{Blind, Status};

/// Runs `s` with each of the seeds, on two threads; what `look` makes of each finished run, by seed.
fn over_seeds<T: Send>(text: &str, seeds: usize, look: impl Fn(&Search, &Finished) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let tables = Arc::new(Tables::default());
    let work = || {
        let mut s = search(text);
        let mut out = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return out;
            }
            Arc::get_mut(&mut s).expect("the last run is over").seed = seed as u64;
            let learner = Learner { space: s.space.clone(), exec: Arc::new(Cpu::new()), target: s.target.clone() };
            let children = Arc::new(Children::new(s.clone(), Arc::new(learner)).with_tables(tables.clone()));
            let store = Arc::new(Store::in_memory(&info(&s)).unwrap());
            let stop = Arc::new(AtomicBool::new(false));
            let f = run(&s, &children, store, Arc::new(Blind), &stop, 1).unwrap();
            out.push((seed, look(&s, &f)));
        }
    };
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut mine = work();
        mine.extend(other.join().unwrap());
        mine
    });
    all.sort_by_key(|x| x.0);
    all.into_iter().map(|x| x.1).collect()
}

const SMALL: &str = "
use std.ops.*
use std.evaluations.table
use std.strategies.random_search
use std.strategies.aging_evolution
use std.strategies.grid
space small(image[N, C, H, W], classes: int) {
  motif cell(c: int) = assemble 3 nodes {
    edge = choose op { skip: identity | conv_1x1: conv_bn(c, 1) | pool: avg_pool(3) }
    merge = sum
  }
  image >> conv(4, 1) >> cell(4) >> global_avg_pool >> linear(classes)
}
";

/// A table of the 27 candidates of the space `small`, all different.
fn small_table(dir: &Path) -> String {
    let mut text = "arch,accuracy,seconds,test\n".to_string();
    let ops = ["skip", "conv_1x1", "pool"];
    for (i, a) in ops.iter().enumerate() {
        for (j, b) in ops.iter().enumerate() {
            for (k, c) in ops.iter().enumerate() {
                let n = 9 * i + 3 * j + k;
                writeln!(text, "{a}|{b}|{c},{},{},{}", 0.1 + 0.01 * n as f64, 10 + n, 0.5 + 0.01 * n as f64).unwrap();
            }
        }
    }
    let path = dir.join("small.csv");
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().to_string()
}

fn small(dir: &Path, strategy: &str, budget: &str) -> String {
    format!(
        "{SMALL}
search table_of_27 {{
  data = digits()
  space = small()
  evaluate = table(file = {:?}, column = \"arch\",
    key = \"{{cell.edge(0,1).op}}|{{cell.edge(0,2).op}}|{{cell.edge(1,2).op}}\",
    accuracy = \"accuracy\", seconds = \"seconds\", test = \"test\")
  strategy = {strategy}
  objective = accuracy
  budget = {budget}
}}",
        small_table(dir)
    )
}

#[test]
fn every_candidate_sees_its_own_row() {
    let dir = tempfile::tempdir().unwrap();
    // Two skips in a row and one skip beside them: networks that are equal have a row each all the same.
    over_seeds(&small(dir.path(), "grid()", "trials(100)"), 1, |s, f| {
        assert_eq!(f.outcome.history.len(), 27);
        assert!(f.outcome.history.iter().all(|t| t.status == Status::Done));
        let mut accuracies: Vec<i64> =
            f.outcome.history.iter().map(|t| (t.metric("accuracy").unwrap() * 100.0).round() as i64).collect();
        accuracies.sort_unstable();
        assert_eq!(accuracies, (10..37).collect::<Vec<_>>());
        let best = f.outcome.best.as_ref().unwrap();
        assert_eq!(best.metric("test").map(|x| (x * 100.0).round()), Some(76.0));
        assert_eq!(best.metric("seconds"), Some(36.0));
        assert_eq!(s.metrics, ["accuracy", "seconds", "test"]);
    });
}

#[test]
fn simulated_seconds_are_the_budget_and_repeated_looks_cost_again() {
    let dir = tempfile::tempdir().unwrap();
    over_seeds(&small(dir.path(), "random_search()", "simulated(3000s)"), 4, |_, f| {
        let seconds: Vec<f64> = f.outcome.history.iter().map(|t| t.metric("seconds").unwrap()).collect();
        let total: f64 = seconds.iter().sum();
        let last = seconds[seconds.len() - 1];
        assert!(total >= 3000.0 && total - last < 3000.0, "{total} {last}");
        // About 130 looks at 27 rows.
        assert!(f.outcome.history.iter().any(|t| t.status == Status::Cached));
    });
}

#[test]
fn a_wrong_column_and_a_missing_row_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let good = small(dir.path(), "random_search()", "trials(1)");
    for (from, to, part) in [
        ("accuracy = \"accuracy\"", "accuracy = \"acuracy\"", "has no numbers in a column `acuracy`"),
        ("{cell.edge(1,2).op}\"", "{cell.edge(1,2).op}!\"", "has no row whose `arch` is"),
        ("{cell.edge(1,2).op}", "{cell.edge(1,3).op}", "the key names the decision `cell.edge(1,3).op`"),
        ("column = \"arch\"", "column = \"arc\"", "has no column `arc`"),
    ] {
        assert!(good.contains(from));
        over_seeds(&good.replace(from, to), 1, |_, f| {
            let t = &f.outcome.history[0];
            let reason = &t.failure.as_ref().unwrap().reason;
            assert!(reason.contains(part), "{reason}");
        });
    }
}

/// The mean over `seeds` runs of the test accuracy after 200 epochs of what looked best after 12, as in table 5 of the
/// benchmark's paper.
fn nasbench201(strategy: &str, seeds: usize) -> Option<f64> {
    let file = std::env::var("NASC_NASBENCH201").ok()?;
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/nasbench201_table.nas"))
        .unwrap()
        .replace("nasbench201.csv.gz", &file)
        .replace("nasbench201()", "nasbench201(cells = 1)");
    let at = text.find("  strategy").unwrap();
    let end = at + text[at..].find('\n').unwrap();
    let text = format!("use std.strategies.random_search\n{}  strategy = {strategy}{}", &text[..at], &text[end..]);
    let begun = std::time::Instant::now();
    let tests = over_seeds(&text, seeds, |_, f| f.outcome.best.as_ref().unwrap().metric("test").unwrap());
    let mean = tests.iter().sum::<f64>() / tests.len() as f64;
    eprintln!("{strategy}: {mean} over {} seeds in {:?}", tests.len(), begun.elapsed());
    Some(mean)
}

#[test]
fn random_search_on_nasbench201_is_as_published() {
    if let Some(mean) = nasbench201("random_search()", 200) {
        assert!((mean - 93.7).abs() <= 0.1, "{mean}");
    }
}

#[test]
fn aging_evolution_on_nasbench201_is_as_published() {
    if let Some(mean) = nasbench201("aging_evolution(population = 10, sample = 3)", 200) {
        assert!((mean - 93.9).abs() <= 0.1, "{mean}");
    }
}
