use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::base::rng::Stream;
use crate::store::{RunInfo, Store};

/// Trains a number: three steps, each a snapshot. What happens depends on the number only, how long it takes on nothing.
#[derive(Default)]
struct Synthetic {
    /// Milliseconds that a step takes at most.
    delay: u64,
    /// Numbers divisible by 7, 11 and 13 diverge, crash, and need too much memory.
    troubles: bool,
    calls: Mutex<BTreeMap<u64, usize>>,
    steps: AtomicUsize,
    journal: Option<PathBuf>,
}

fn clock_noise(salt: u64) -> u64 {
    let t = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    hash64(&t.to_le_bytes(), salt)
}

impl Evaluator for Synthetic {
    fn evaluate(&self, job: &Job, report: &mut dyn Report) -> Result<Metrics, Failure> {
        *self.calls.lock().unwrap().entry(job.id.0).or_default() += 1;
        if let Some(path) = &self.journal {
            let mut f = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
            f.write_all(format!("{}\n", job.id).as_bytes()).unwrap();
        }
        let n: u64 = job.candidate.parse().unwrap();
        let mut state = match (report.snapshot(), job.parent.and_then(|p| report.snapshot_of(p))) {
            (Some(s), _) => s.data.clone(),
            (None, Some(parent)) => vec![parent.data[0] / 2],
            (None, None) => vec![0],
        };
        let from = report.snapshot().map_or(0, |s| s.step);
        for step in from + 1..=job.until.unwrap_or(3) {
            if self.delay > 0 {
                std::thread::sleep(Duration::from_micros(clock_noise(n) % (self.delay * 1000)));
            }
            self.steps.fetch_add(1, Ordering::Relaxed);
            state[0] = state[0].wrapping_add((hash64(job.candidate.as_bytes(), job.seed ^ step) % 50) as u8);
            report.report(step, f64::from(state[0]) / 256.0, Some(&state))?;
        }
        if self.troubles {
            assert!(!n.is_multiple_of(11), "number {n} crashes");
            if n.is_multiple_of(13) {
                return Err(Failure::new(FailureKind::Memory, "needs 80 GiB"));
            }
            if n.is_multiple_of(7) {
                return Ok(vec![("accuracy".into(), f64::NAN)]);
            }
        }
        Ok(vec![("accuracy".into(), f64::from(state[0]) / 256.0), ("seconds".into(), 10.0)])
    }
}

fn objective() -> Objective {
    Arc::new(|m| m.iter().find(|(n, _)| n == "accuracy").map(|&(_, v)| vec![v]).ok_or_else(|| "no accuracy".to_owned()))
}

fn info() -> RunInfo {
    RunInfo {
        sources: vec![("a.nas".into(), String::new())],
        config: serde_json::Value::Null,
        seed: 3,
        version: "0".into(),
    }
}

fn memory() -> Arc<Store> {
    Arc::new(Store::in_memory(&info()).unwrap())
}

fn trials(n: u64) -> Budget {
    Budget { trials: Some(n), ..Budget::default() }
}

fn engine(store: &Arc<Store>, evaluator: &Arc<Synthetic>, config: &Config) -> Engine {
    let stop = Arc::new(AtomicBool::new(false));
    Engine::new(store.clone(), evaluator.clone(), objective(), Arc::new(Blind), stop, config.clone()).unwrap()
}

fn job(n: u64) -> Job {
    Job::new(n.to_string(), format!("key {n}"))
}

/// Aging evolution over numbers, with every kind of call mixed in.
fn evolve(engine: &Engine, seed: u64) -> End {
    let mut rng = Stream::new(seed, "strategy");
    let mut go = || -> Result<(), End> {
        let mut alive: Vec<Arc<Trial>> = Vec::new();
        for _ in 0..10 {
            engine.submit(job(rng.below(60) as u64))?;
        }
        for round in 0.. {
            let Next::Trial(t) = engine.next_result()? else { break };
            alive.push(t);
            if alive.len() > 8 {
                alive.remove(0);
            }
            let parent = &alive[rng.below(alive.len())];
            let n: u64 = parent.candidate.parse().unwrap();
            let inherit = (rng.flip(0.3) && parent.status == Status::Done).then_some(parent.id);
            let noise = engine.remember(|| clock_noise(round).to_le_bytes().to_vec())?;
            let noise = if seed.is_multiple_of(2) { 0 } else { u64::from(noise[0]) % 3 };
            engine.submit(job((n + rng.below(9) as u64 + noise) % 60).inherit(inherit))?;
            if round % 5 == 4 {
                let all = engine.evaluate_all((0..4).map(|_| job(rng.below(200) as u64).until(Some(1))))?;
                let best = all.iter().max_by(|a, b| a.reward().partial_cmp(&b.reward()).unwrap()).unwrap();
                let longer = engine.evaluate(Job::resume(best, Some(4)))?;
                assert_eq!(longer.candidate, best.candidate);
            }
            if round % 7 == 6 {
                let best = engine.best().map_or(0, |b| b.candidate.parse::<u64>().unwrap());
                engine.submit(job(best).repeat(round as u32 + engine.history().len() as u32))?;
            }
        }
        unreachable!("results never run out before the budget does")
    };
    go().unwrap_err()
}

/// What must not depend on time, threads and interruptions, to the last bit.
fn essence(store: &Store) -> Vec<String> {
    let all = store.trials().unwrap();
    let bits =
        |xs: &mut dyn Iterator<Item = f64>| xs.map(|x| format!("{:x}", x.to_bits())).collect::<Vec<_>>().join(",");
    all.iter()
        .map(|t| {
            format!(
                "{} {} {} {} {:?} {:?} {:?} {} {:?} {:?} [{}] [{}] [{}] {:?} {} {:?}",
                t.id,
                t.call,
                t.candidate,
                t.key,
                t.until,
                t.parent,
                t.continues,
                t.repeat,
                t.status,
                t.same_as,
                bits(&mut t.metrics.iter().map(|m| m.1)),
                bits(&mut t.rewards.iter().copied()),
                bits(&mut t.curve.iter().map(|p| p.1)),
                t.curve.iter().map(|p| p.0).collect::<Vec<_>>(),
                t.epochs,
                t.failure
            )
        })
        .collect()
}

#[test]
fn every_trial_is_evaluated_once_and_duplicates_never() {
    let evaluator = Arc::new(Synthetic { delay: 1, ..Synthetic::default() });
    let store = memory();
    let engine = engine(&store, &evaluator, &Config { workers: 4, budget: trials(60), ..Config::default() });
    assert_eq!(
        std::iter::repeat_with(|| ()).enumerate().find_map(|(i, ())| engine.submit(job(i as u64 % 20)).err()),
        Some(End::Budget)
    );
    let outcome = engine.finish().unwrap();
    assert_eq!((outcome.history.len(), outcome.waiting), (60, 0));
    assert_eq!(evaluator.calls.lock().unwrap().len(), 20);
    assert!(evaluator.calls.lock().unwrap().values().all(|&n| n == 1));
    for t in &outcome.history {
        assert_eq!(t.status, if t.id.0 < 20 { Status::Done } else { Status::Cached });
        let original = outcome.history.iter().find(|o| o.id.0 == t.id.0 % 20).unwrap();
        assert_eq!((&t.metrics, &t.rewards, &t.curve), (&original.metrics, &original.rewards, &original.curve));
    }
    let top = outcome.history.iter().filter_map(|t| t.reward()).fold(0.0, f64::max);
    assert!((outcome.best.unwrap().reward().unwrap() - top).abs() < 1e-15);
}

#[test]
fn fidelity_parent_and_repetition_make_another_evaluation() {
    let evaluator = Arc::new(Synthetic::default());
    let engine = engine(&memory(), &evaluator, &Config::default());
    let first = engine.evaluate(job(5)).unwrap();
    for other in [job(5).until(Some(2)), job(5).repeat(1), job(5).inherit(Some(first.id))] {
        assert_eq!(engine.evaluate(other.clone()).unwrap().status, Status::Done);
        assert_eq!(engine.evaluate(other).unwrap().status, Status::Cached);
    }
}

#[test]
fn trouble_is_a_result() {
    let evaluator = Arc::new(Synthetic { troubles: true, ..Synthetic::default() });
    let engine = engine(&memory(), &evaluator, &Config { workers: 2, ..Config::default() });
    let got = engine.evaluate_all([7, 11, 13, 8, 7].map(job)).unwrap();
    let kinds: Vec<_> = got.iter().map(|t| t.failure.as_ref().map(|f| f.kind)).collect();
    assert_eq!(
        kinds,
        [Some(FailureKind::Nan), Some(FailureKind::Panic), Some(FailureKind::Memory), None, Some(FailureKind::Nan)]
    );
    assert!(got[1].failure.as_ref().unwrap().reason.contains("number 11 crashes"));
    assert!(got[0].failure.as_ref().unwrap().reason.contains("accuracy = NaN"));
    assert_eq!((got[0].reward(), got[4].same_as), (None, Some(got[0].id)));
    assert_eq!(engine.best().unwrap().id, got[3].id);
}

#[test]
fn a_continued_trial_starts_where_the_other_ended() {
    let evaluator = Arc::new(Synthetic::default());
    let engine = engine(&memory(), &evaluator, &Config::default());
    let short = engine.evaluate(job(9).until(Some(3))).unwrap();
    assert_eq!(evaluator.steps.load(Ordering::Relaxed), 3);
    let long = engine.evaluate(Job::resume(&short, Some(8))).unwrap();
    assert_eq!(evaluator.steps.load(Ordering::Relaxed), 8, "five more steps");
    assert_eq!((long.curve.len(), long.epochs, short.epochs), (8, 5, 3));
    assert_eq!(long.curve[..3], short.curve[..]);
    let fresh = Arc::new(Synthetic::default());
    let whole = super::tests::engine(&memory(), &fresh, &Config::default()).evaluate(job(9).until(Some(8))).unwrap();
    assert_eq!((&whole.metrics, &whole.curve), (&long.metrics, &long.curve));
}

#[test]
fn the_number_of_workers_does_not_change_a_deterministic_search() {
    let run = |workers: usize, delay: u64| {
        let evaluator = Arc::new(Synthetic { delay, ..Synthetic::default() });
        let store = memory();
        let config = Config { workers, deterministic: true, lookahead: 6, budget: trials(120), ..Config::default() };
        let engine = engine(&store, &evaluator, &config);
        assert_eq!(evolve(&engine, 2), End::Budget);
        let order: Vec<u64> = engine.finish().unwrap().history.iter().map(|t| t.id.0).collect();
        (essence(&store), order)
    };
    let one = run(1, 0);
    assert_eq!(one.0.len(), 120);
    assert_eq!(one, run(4, 2));
    assert_eq!(one, run(3, 1));
}

#[test]
fn submissions_do_not_run_away() {
    let evaluator = Arc::new(Synthetic { delay: 3, ..Synthetic::default() });
    let engine =
        engine(&memory(), &evaluator, &Config { workers: 2, lookahead: 3, budget: trials(30), ..Config::default() });
    for i in 0..30 {
        engine.submit(job(i)).unwrap();
        assert!(i + 1 - engine.history().len() as u64 <= 5);
    }
    let mut got = 0;
    while let Ok(Next::Trial(_)) = engine.next_result() {
        got += 1;
    }
    assert_eq!(got, 30, "what submit took in is delivered all the same");
}

#[test]
fn budgets_end_the_program() {
    let run = |budget: Budget| {
        let evaluator = Arc::new(Synthetic { delay: 1, ..Synthetic::default() });
        let engine = engine(&memory(), &evaluator, &Config { workers: 2, lookahead: 0, budget, ..Config::default() });
        let end = (0..).find_map(|i| engine.evaluate(job(i)).err()).unwrap();
        assert_eq!(end, End::Budget);
        engine.finish().unwrap().history.len()
    };
    assert_eq!(run(Budget { simulated: Some(45.0), ..Budget::default() }), 5, "10 seconds each");
    assert_eq!(run(Budget { epochs: Some(7), ..Budget::default() }), 3, "3 epochs each");
    assert_eq!(run(Budget { trials: Some(9), epochs: Some(1000), ..Budget::default() }), 9);
    let begun = Instant::now();
    assert!(run(Budget { seconds: Some(0.2), ..Budget::default() }) > 3);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_exhausted_space_ends_a_search_that_nothing_else_ends() {
    let evaluator = Arc::new(Synthetic::default());
    let engine = engine(&memory(), &evaluator, &Config::default());
    assert_eq!((0..).find_map(|i| engine.submit(job(i % 4)).err()), Some(End::Exhausted));
    assert_eq!(evaluator.calls.lock().unwrap().len(), 4);
}

/// Fails whatever it is asked, but for one number.
struct Wrong(&'static str);

impl Evaluator for Wrong {
    fn evaluate(&self, job: &Job, _: &mut dyn Report) -> Result<Metrics, Failure> {
        if &*job.candidate == self.0 {
            return Ok(vec![("accuracy".into(), 0.5)]);
        }
        Err(Failure::new(FailureKind::Other, format!("there is no row `{}`", job.candidate)))
    }
}

#[test]
fn a_search_whose_evaluation_always_fails_ends() {
    for (good, ends) in [("none", true), ("7", false)] {
        let store = memory();
        let stop = Arc::new(AtomicBool::new(false));
        let config = Config { budget: Budget { simulated: Some(100.0), ..Budget::default() }, ..Config::default() };
        let e = Engine::new(store, Arc::new(Wrong(good)), objective(), Arc::new(Blind), stop, config).unwrap();
        let end = (0..100).find_map(|n| e.evaluate(job(n)).err());
        match end {
            Some(End::Failed(d)) if ends => {
                assert_eq!((d.code.id, d.message.as_str()), ("E1012", "the first 20 candidates all failed"));
                assert_eq!(d.notes, ["the last: there is no row `19`"]);
                assert_eq!(e.finish().unwrap_err().code.id, "E1012");
            }
            None if !ends => assert_eq!(e.finish().unwrap().history.len(), 100),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn time_has_no_say_in_a_deterministic_search() {
    let refused = |config: Config| {
        let stop = Arc::new(AtomicBool::new(false));
        let made = Engine::new(memory(), Arc::new(Synthetic::default()), objective(), Arc::new(Blind), stop, config);
        made.err().map(|d| (d.code.id, d.message))
    };
    let hours = Budget { seconds: Some(3600.0), ..Budget::default() };
    assert_eq!(refused(Config { budget: hours.clone(), ..Config::default() }), None);
    let (code, message) = refused(Config { deterministic: true, budget: hours, ..Config::default() }).unwrap();
    assert_eq!((code, message.contains("clock")), ("E1009", true));
    let measured = vec!["latency".to_owned()];
    let (code, message) = refused(Config { deterministic: true, measured, ..Config::default() }).unwrap();
    assert_eq!((code, message.contains("`latency`")), ("E1009", true));
}

/// Collects what happens.
#[derive(Default)]
struct Watch(Mutex<Vec<Event>>);

impl Observer for Watch {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

#[test]
fn stopping_puts_trials_back_and_resuming_goes_on_from_their_snapshots() {
    let store = memory();
    let stop = Arc::new(AtomicBool::new(false));
    let watch = Arc::new(Watch::default());
    let evaluator = Arc::new(Synthetic { delay: 10, ..Synthetic::default() });
    let config = Config { workers: 2, budget: trials(4), deterministic: true, ..Config::default() };
    let engine =
        Engine::new(store.clone(), evaluator.clone(), objective(), watch.clone(), stop.clone(), config.clone())
            .unwrap();
    for i in 0..4 {
        engine.submit(job(i).until(Some(40))).unwrap();
    }
    while evaluator.steps.load(Ordering::Relaxed) < 20 {
        std::thread::sleep(Duration::from_millis(1));
    }
    stop.store(true, Ordering::Relaxed);
    assert_eq!(engine.next_result().unwrap_err(), End::Stopped);
    let outcome = engine.finish().unwrap();
    assert_eq!((outcome.history.len(), outcome.waiting), (0, 4));
    assert!(store.trials().unwrap().iter().all(|t| t.status == Status::Queued && t.failure.is_none()));
    let requeued = watch.0.lock().unwrap().iter().filter(|e| matches!(e, Event::Requeued(_))).count();
    assert_eq!(requeued, 2);
    let before = evaluator.steps.load(Ordering::Relaxed);

    let evaluator = Arc::new(Synthetic::default());
    let engine = super::tests::engine(&store, &evaluator, &config);
    for i in 0..4 {
        engine.submit(job(i).until(Some(40))).unwrap();
    }
    assert_eq!(engine.finish().unwrap().history.len(), 4);
    assert_eq!(before + evaluator.steps.load(Ordering::Relaxed), 160, "no step is trained twice");
    let whole = memory();
    let engine = super::tests::engine(&whole, &evaluator, &config);
    for i in 0..4 {
        engine.submit(job(i).until(Some(40))).unwrap();
    }
    engine.finish().unwrap();
    assert_eq!(essence(&store), essence(&whole));
}

#[test]
fn the_observer_is_told_the_story() {
    let watch = Arc::new(Watch::default());
    let stop = Arc::new(AtomicBool::new(false));
    let config = Config { budget: trials(3), ..Config::default() };
    let engine =
        Engine::new(memory(), Arc::new(Synthetic::default()), objective(), watch.clone(), stop, config).unwrap();
    engine.evaluate_all([1, 2, 1].map(job)).unwrap();
    engine.finish().unwrap();
    let events = watch.0.lock().unwrap();
    let count = |f: &dyn Fn(&Event) -> bool| events.iter().filter(|e| f(e)).count();
    assert_eq!(count(&|e| matches!(e, Event::Started { .. })), 2);
    assert_eq!(count(&|e| matches!(e, Event::Point { .. })), 6);
    assert_eq!(count(&|e| matches!(e, Event::Finished(t) if t.status == Status::Done)), 2);
    assert_eq!(count(&|e| matches!(e, Event::Finished(t) if t.status == Status::Cached)), 1);
    assert!(count(&|e| matches!(e, Event::Best(_))) >= 1);
    assert!(matches!(events.last(), Some(Event::Used(u)) if (*u - 1.0).abs() < 1e-12));
}

/// Crashes while it watches.
struct Clumsy;

impl Observer for Clumsy {
    fn event(&self, event: &Event) {
        assert!(!matches!(event, Event::Started { .. }), "the pencil broke");
    }
}

#[test]
fn a_worker_that_crashes_ends_the_search_and_does_not_hang_it() {
    let stop = Arc::new(AtomicBool::new(false));
    let engine =
        Engine::new(memory(), Arc::new(Synthetic::default()), objective(), Arc::new(Clumsy), stop, Config::default())
            .unwrap();
    let Err(End::Failed(d)) = engine.evaluate(job(1)) else { panic!("it must end") };
    assert!(d.message.contains("the pencil broke"), "{}", d.message);
    assert!(engine.finish().is_err());
}

#[test]
fn results_past_the_budget_do_not_count() {
    let evaluator = Arc::new(Synthetic::default());
    let budget = Budget { simulated: Some(45.0), ..Budget::default() };
    let engine = engine(&memory(), &evaluator, &Config { workers: 3, lookahead: 20, budget, ..Config::default() });
    let end = (0..).find_map(|i| engine.submit(job(i)).err());
    assert_eq!((end, engine.finish().unwrap().history.len()), (Some(End::Budget), 5));
}

#[test]
fn a_raised_budget_goes_on_as_if_it_had_been_that_from_the_start() {
    let config = |n: u64, workers: usize| Config {
        workers,
        deterministic: true,
        lookahead: 4,
        budget: trials(n),
        ..Config::default()
    };
    let store = memory();
    for (n, workers) in [(30, 3), (31, 1), (90, 2)] {
        let evaluator = Arc::new(Synthetic { delay: 1, ..Synthetic::default() });
        let engine = engine(&store, &evaluator, &config(n, workers));
        evolve(&engine, 4);
        assert_eq!(engine.finish().unwrap().history.len(), n as usize);
    }
    let whole = memory();
    let engine = engine(&whole, &Arc::new(Synthetic::default()), &config(90, 1));
    evolve(&engine, 4);
    engine.finish().unwrap();
    assert_eq!(essence(&store), essence(&whole));
}

#[test]
fn without_determinism_a_resumed_program_sees_what_it_saw() {
    let config = |n: u64, workers: usize| Config { workers, lookahead: 2, budget: trials(n), ..Config::default() };
    let store = memory();
    let mut before: Vec<String> = Vec::new();
    for (n, workers) in [(40, 4), (70, 1), (100, 3)] {
        let evaluator = Arc::new(Synthetic { delay: 2, ..Synthetic::default() });
        let engine = engine(&store, &evaluator, &config(n, workers));
        // An odd seed: the strategy also depends on the remembered values of the clock.
        assert_eq!(evolve(&engine, 5), End::Budget);
        engine.finish().unwrap();
        let after = essence(&store);
        assert_eq!(after.len(), n as usize);
        assert_eq!(after[..before.len()], before[..]);
        assert!(evaluator.calls.lock().unwrap().keys().all(|&id| id >= before.len() as u64));
        before = after;
    }
}

#[test]
fn another_program_is_refused() {
    let store = memory();
    let evaluator = Arc::new(Synthetic::default());
    let config = Config::default();
    let first = engine(&store, &evaluator, &config);
    first.evaluate(job(1)).unwrap();
    first.evaluate(job(2)).unwrap();
    first.finish().unwrap();
    let refused = |act: &dyn Fn(&Engine) -> Option<End>| {
        let again = engine(&store, &evaluator, &config);
        let Some(End::Failed(d)) = act(&again) else { panic!("not refused") };
        assert_eq!(d.code.id, "E1008");
        assert_eq!(again.finish().unwrap_err(), *d);
        d.notes[0].clone()
    };
    assert!(refused(&|e| e.evaluate(job(3)).err()).contains("trial 0 was 1, now it would be 3"));
    refused(&|e| e.remember(Vec::new).err());
    refused(&|e| {
        e.submit(job(1)).unwrap();
        e.submit(job(2)).err()
    });
    refused(&|e| {
        e.evaluate(job(1)).unwrap();
        e.next_result().unwrap();
        e.evaluate(job(2)).err()
    });
}

#[test]
fn a_full_disk_ends_the_search_with_its_own_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::create(&dir.path().join("a.run"), &info()).unwrap());
    store.limit_size(40);
    let engine = engine(&store, &Arc::new(Synthetic::default()), &Config { workers: 2, ..Config::default() });
    let Some(End::Failed(d)) = (0..).find_map(|i| engine.submit(job(i)).err()) else { panic!("it must end") };
    assert_eq!(d.code.id, "E1003");
    assert_eq!(engine.finish().unwrap_err().code.id, "E1003");
}

#[test]
fn the_front_has_what_nothing_dominates() {
    let store = memory();
    let both: Objective = Arc::new(|m| {
        let a = m[0].1;
        Ok(vec![(a * 8.0).floor(), (1.0 - a).sin() * 8.0 % 3.0])
    });
    let stop = Arc::new(AtomicBool::new(false));
    let engine =
        Engine::new(store, Arc::new(Synthetic::default()), both, Arc::new(Blind), stop, Config::default()).unwrap();
    let all = engine.evaluate_all((0..80).map(job)).unwrap();
    let front = pareto_front(&all);
    assert!(front.len() > 1);
    for t in &all {
        let dominated = all.iter().any(|o| dominates(&o.rewards, &t.rewards));
        let listed = front.iter().any(|f| f.rewards == t.rewards);
        assert_eq!(dominated, !listed);
    }
    assert!(front.windows(2).all(|w| w[0].rewards[0] > w[1].rewards[0]));
}

const CHILD: &str = "NASC_TEST_ENGINE_RUN";
const KILLED: Config = Config {
    workers: 3,
    deterministic: true,
    lookahead: 5,
    budget: Budget { trials: Some(150), seconds: None, simulated: None, epochs: None, steps: None },
    seed: 3,
    measured: Vec::new(),
};

/// The program that `killed_at_any_moment` starts and kills; alone it does nothing.
#[test]
fn child_of_the_crash_test() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let folder = PathBuf::from(folder);
    let journal = Some(folder.with_extension("journal"));
    search(&folder, &Arc::new(Synthetic { delay: 6, journal, ..Synthetic::default() }));
}

fn search(folder: &Path, evaluator: &Arc<Synthetic>) {
    let store = if folder.join("run.sqlite").exists() { Store::open(folder) } else { Store::create(folder, &info()) };
    let store = Arc::new(store.unwrap());
    let engine = engine(&store, evaluator, &KILLED);
    assert_eq!(evolve(&engine, 6), End::Budget);
    engine.finish().unwrap();
}

#[test]
fn killed_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole.run");
    search(&whole, &Arc::new(Synthetic::default()));
    let expected = essence(&Store::open(&whole).unwrap());

    let folder = dir.path().join("killed.run");
    let journal = folder.with_extension("journal");
    let mut finished: Vec<u64> = Vec::new();
    let mut kills = 0;
    let mut rng = Stream::new(clock_noise(1), "kills");
    loop {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "search::engine::tests::child_of_the_crash_test", "--quiet"])
            .env(CHILD, &folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let patience = Duration::from_millis(2 + rng.below(40) as u64);
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if kills < 25 && begun.elapsed() > patience {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let started: Vec<u64> =
            std::fs::read_to_string(&journal).unwrap_or_default().lines().filter_map(|l| l.parse().ok()).collect();
        let again: Vec<_> = started.iter().filter(|id| finished.contains(id)).collect();
        assert!(again.is_empty(), "finished trials are not evaluated again: {again:?}");
        if let Some(status) = status {
            assert!(status.success());
            break;
        }
        kills += 1;
        let _ = std::fs::remove_file(&journal);
        if folder.join("run.sqlite").exists() {
            let trials = Store::open_read_only(&folder).unwrap().trials().unwrap();
            finished = trials.iter().filter(|t| t.status.is_finished()).map(|t| t.id.0).collect();
        }
    }
    assert!(kills > 5, "killed only {kills} times");
    assert_eq!(essence(&Store::open(&folder).unwrap()), expected);
}
