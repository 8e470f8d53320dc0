//! Every option of the standard evaluation `train`, on some 100 digits and a tiny network: that it works, and that it does
//! something.

#![allow(clippy::float_cmp, reason = "equal trainings give equal bits")]

use super::tests::search;
use super::*;
use crate::exec::cpu::Cpu;
use crate::search::engine::{Blind, Status};

const TINY: &str = "
use std.ops.*
use std.evaluations.train
space tiny(image[N, C, H, W], classes: int) =
  image >> conv(6, choose kernel from [3], 2) >> batch_norm >> relu >> drop_path >> flatten >> linear(classes)
strategy one() { evaluate(random()) }
strategy stopped() {
  let t = evaluate(random(), until = 2)
  t.resume()
}
";

/// The trials of a search with these arguments of `train`, of which none failed.
fn trials(strategy: &str, args: &str) -> Vec<Arc<Trial>> {
    let all = outcome(strategy, args);
    for t in &all {
        assert_eq!(t.status, Status::Done, "{args}: {:?}", t.failure);
    }
    all
}

fn outcome(strategy: &str, args: &str) -> Vec<Arc<Trial>> {
    let s = search(&format!(
        "{TINY}
search s {{
  data = digits()
  space = tiny()
  evaluate = train(fraction = 0.1, batch = 16{args})
  strategy = {strategy}
  objective = accuracy
  budget = trials(5)
}}"
    ));
    let children = children(&s, Arc::new(Cpu::new()));
    let store = Arc::new(Store::in_memory(&info(&s)).unwrap());
    let f = run(&s, &children, store, Arc::new(Blind), &Arc::new(AtomicBool::new(false)), 1).unwrap();
    f.outcome.history
}

fn trial(args: &str) -> Arc<Trial> {
    trials("one()", &format!(", epochs = 4{args}")).remove(0)
}

fn curve(args: &str) -> Vec<f64> {
    trial(args).curve.iter().map(|p| p.1).collect()
}

#[test]
fn every_optimizer_learns() {
    let mut curves = Vec::new();
    for args in [
        "",
        ", nesterov = true",
        ", momentum = 0.0",
        ", decay = 0.1",
        ", optimizer = \"adam\", lr = 0.01",
        // Decay in the gradient and decay beside it.
        ", optimizer = \"adam\", lr = 0.01, decay = 1.0",
        ", optimizer = \"adamw\", lr = 0.01, decay = 1.0",
    ] {
        let t = trial(args);
        let score = t.metric("accuracy").unwrap();
        assert!(score > 0.25, "{args}: {score}");
        assert_eq!(t.curve.len(), 4);
        assert_eq!(t.curve[3].1, score);
        assert!(!curves.contains(&t.curve), "{args} changes nothing");
        curves.push(t.curve.clone());
    }
}

#[test]
fn schedules_differ_after_the_first_epoch() {
    let cosine = curve("");
    let constant = curve(", schedule = \"constant\"");
    let step = curve(", schedule = \"step\", step_every = 1, step_factor = 0.3");
    let late = curve(", schedule = \"step\", step_every = 10");
    assert_eq!((cosine[0], step[0]), (constant[0], constant[0]));
    assert_ne!(cosine, constant);
    assert_ne!(step, constant);
    assert_ne!(step, cosine);
    assert_eq!(late, constant, "no step falls into four epochs");
}

#[test]
fn warmup_starts_lower() {
    let warm = curve(", schedule = \"constant\", warmup_epochs = 2");
    let half = curve(", schedule = \"constant\", lr = 0.025");
    let full = curve(", schedule = \"constant\"");
    assert_eq!(warm[0], half[0], "half of the rate in the first of two epochs");
    assert_ne!(warm[0], full[0]);
    assert_ne!(warm[1..], half[1..]);
}

#[test]
fn clipping_smoothing_and_dropping_paths_change_training() {
    let plain = curve("");
    for args in [", clip = 1.0", ", smoothing = 0.2", ", drop_path = 0.5"] {
        let other = curve(args);
        assert_ne!(other, plain, "{args}");
        assert!(other[3] > 0.2, "{args}: {other:?}");
    }
    assert_eq!(curve(", clip = 1e9"), plain);
    // The rate of dropping rises from 0: the first epoch is as without.
    assert_eq!(curve(", drop_path = 0.5")[0], plain[0]);
}

#[test]
fn augmentations_change_what_is_seen() {
    let plain = curve("");
    let mut curves = vec![plain];
    for args in [", crop = 1", ", flip = true", ", cutout = 3", ", crop = 1, flip = true, cutout = 3"] {
        let other = curve(args);
        assert!(!curves.contains(&other), "{args}");
        assert!(other[3] > 0.2, "{args}: {other:?}");
        curves.push(other);
    }
    assert_eq!(curve(", crop = 1"), curves[1], "equal seeds see equal images");
}

#[test]
fn patience_ends_training_that_does_not_improve() {
    // Without learning only the running statistics move; a rate of 0 keeps the score where it is after a while.
    let still = trial(", lr = 0.0, patience = 1, momentum = 0.0, decay = 0.0");
    assert!(still.curve.len() < 4, "{:?}", still.curve);
    assert_eq!(trial(", lr = 0.0").curve.len(), 4);
    let n = still.curve.len();
    assert!(still.curve[n - 1].1 <= still.curve[n - 2].1);
}

#[test]
fn a_fraction_trains_on_less() {
    let a = trials("one()", ", epochs = 2");
    let s = |t: &Trial| t.metric("accuracy").unwrap();
    let text = |f: &str| {
        let s = search(&format!(
            "{TINY}
search s {{ data = digits() space = tiny() evaluate = train(epochs = 2, batch = 16, fraction = {f}) strategy = one() budget = trials(1) }}"
        ));
        let children = children(&s, Arc::new(Cpu::new()));
        let store = Arc::new(Store::in_memory(&info(&s)).unwrap());
        let f = run(&s, &children, store, Arc::new(Blind), &Arc::new(AtomicBool::new(false)), 1).unwrap();
        f.outcome.history[0].clone()
    };
    let (less, more) = (text("0.05"), text("0.5"));
    assert!(s(&less) < s(&more), "{} {}", s(&less), s(&more));
    assert!(less.curve != a[0].curve && more.curve != a[0].curve);
}

#[test]
fn until_ends_the_loop_and_not_the_schedule() {
    let whole = trial("");
    let parts = trials("stopped()", ", epochs = 4");
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].curve, whole.curve[..2]);
    assert_eq!(parts[1].curve, whole.curve);
    assert_eq!(parts[1].metrics, whole.metrics);
}

#[test]
fn what_is_measured() {
    let t = trial(", latency = true");
    assert!(t.metric("latency").unwrap() > 0.0);
    assert_eq!(trial("").metric("latency"), None);
    // 6 filters of 3 x 3, scale and offset of 6 channels, 96 features to 10 classes.
    assert_eq!(t.metric("params"), Some((54 + 12 + 970) as f64));
    assert_eq!(t.metric("flops"), Some((54 * 16 + 960) as f64));
    assert!(t.metric("memory").unwrap() > 4.0 * 1036.0);
}

#[test]
fn what_is_not_known_is_refused() {
    for (args, part) in [
        (", optimizer = \"adagrad\"", "no optimizer is called `adagrad`"),
        (", schedule = \"cosin\"", "no schedule is called `cosin`"),
    ] {
        let reason = outcome("one()", args)[0].failure.as_ref().unwrap().reason.clone();
        assert!(reason.contains(part), "{reason}");
    }
}
