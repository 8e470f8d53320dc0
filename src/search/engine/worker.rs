//! A worker takes jobs from the queue, evaluates them and records what came of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::scheduler::{Shared, State};
use super::{Cancelled, Event, Failure, FailureKind, Job, Metrics, Point, Report, Snapshot, Status, Trial, TrialId};
use crate::diag::{Diagnostic, codes};
use crate::store::Store;

/// The life of worker number `number`.
pub(super) fn work(shared: &Shared, number: usize) {
    loop {
        let mut state = shared.lock();
        let (i, job) = loop {
            if state.closing || state.error.is_some() {
                return;
            }
            match take(&mut state) {
                Some(found) => break found,
                None => state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(state);
        // A crash outside an evaluation, of the observer say, must not leave the strategy waiting for ever.
        let outcome = catch_unwind(AssertUnwindSafe(|| run(shared, number, i, &job))).unwrap_or_else(|payload| {
            let message = format!("worker {number} crashed: {}", said(&*payload));
            Err(Diagnostic::unplaced(&codes::RUN_FAILURE, message)
                .help("this is a mistake in nasc; the run can be resumed"))
        });
        if let Err(d) = outcome {
            shared.fail(&mut shared.lock(), d);
            return;
        }
    }
}

/// The first job whose predecessors have finished.
fn take(state: &mut State) -> Option<(usize, Arc<Job>)> {
    let finished = |id: Option<TrialId>, own: TrialId| {
        id.is_none_or(|p| p >= own || state.slots[p.0 as usize].trial.status.is_finished())
    };
    let at = state.queue.iter().position(|&i| {
        let job = &state.slots[i].job;
        finished(job.parent, job.id) && finished(job.continues, job.id)
    })?;
    let i = state.queue.remove(at)?;
    Some((i, state.slots[i].job.clone()))
}

fn run(shared: &Shared, number: usize, i: usize, job: &Job) -> Result<(), Diagnostic> {
    let mut trial = {
        let mut state = shared.lock();
        let mut trial = (*state.slots[i].trial).clone();
        trial.status = Status::Running;
        trial.started = Some(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64()));
        state.slots[i].trial = Arc::new(trial.clone());
        shared.store.put_trial(&trial)?;
        trial
    };
    let mut recorder = Recorder::start(shared, job)?;
    shared.observer.event(&Event::Started {
        trial: job.id,
        worker: number,
        until: job.until,
        curve: recorder.curve.clone(),
    });
    let begun = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let metrics = shared.evaluator.evaluate(job, &mut recorder)?;
        let rewards = rewards(shared, &metrics)?;
        Ok((metrics, rewards))
    }))
    .unwrap_or_else(|payload| {
        Err(Failure::new(FailureKind::Panic, format!("the evaluation crashed: {}", said(&*payload))))
    });
    trial.seconds = begun.elapsed().as_secs_f64();
    let Recorder { curve, base, broken, .. } = recorder;
    if let Some(d) = broken {
        return Err(d);
    }
    trial.epochs = curve.iter().filter(|p| base.is_none_or(|b| p.0 > b)).count() as u64;
    trial.curve = curve;
    match outcome {
        Ok((metrics, rewards)) => {
            trial.status = Status::Done;
            trial.metrics = metrics;
            trial.rewards = rewards;
        }
        Err(f) if f.kind == FailureKind::Cancelled && shared.cancel.load(Ordering::Relaxed) | shared.stopped() => {
            trial.status = Status::Queued;
            let mut state = shared.lock();
            shared.store.put_trial(&trial)?;
            state.slots[i].trial = Arc::new(trial);
            shared.release(state);
            shared.observer.event(&Event::Requeued(job.id));
            return Ok(());
        }
        Err(f) => {
            trial.status = Status::Failed;
            trial.failure = Some(f);
        }
    }
    let mut state = shared.lock();
    shared.store.put_trial(&trial)?;
    shared.store.set_elapsed(shared.elapsed())?;
    shared.finished(&mut state, i, trial);
    for twin in std::mem::take(&mut state.slots[i].twins) {
        shared.answer_twin(&mut state, twin, i)?;
    }
    // Jobs that wait for this one as their predecessor can go on.
    shared.work.notify_all();
    shared.release(state);
    Ok(())
}

fn rewards(shared: &Shared, metrics: &Metrics) -> Result<Vec<f64>, Failure> {
    let rewards = (shared.objective)(metrics).map_err(|reason| Failure::new(FailureKind::Other, reason))?;
    if rewards.iter().all(|r| r.is_finite()) {
        return Ok(rewards);
    }
    let culprits: Vec<String> =
        metrics.iter().filter(|(_, v)| !v.is_finite()).map(|(n, v)| format!("{n} = {v}")).collect();
    let reason = if culprits.is_empty() {
        "the objective is not a finite number".to_owned()
    } else {
        format!("the objective is not a finite number ({})", culprits.join(", "))
    };
    Err(Failure::new(FailureKind::Nan, reason))
}

/// What a panic said.
fn said(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// Writes what an evaluation reports.
struct Recorder<'a> {
    shared: &'a Shared,
    trial: TrialId,
    start: Option<Snapshot>,
    curve: Vec<Point>,
    /// Points up to this step come from the trial that this one continues.
    base: Option<u64>,
    /// The run cannot be written any more.
    broken: Option<Diagnostic>,
}

impl<'a> Recorder<'a> {
    /// Finds the state to start from and cuts the curve to it.
    fn start(shared: &'a Shared, job: &Job) -> Result<Self, Diagnostic> {
        let store = &*shared.store;
        let continued = match job.continues.filter(|p| *p < job.id) {
            Some(p) => {
                let trial = shared.lock().slots[p.0 as usize].trial.clone();
                Some((latest(store, shared, p)?, trial))
            }
            None => None,
        };
        let base = continued.as_ref().and_then(|(s, t): &(Option<Snapshot>, Arc<Trial>)| {
            s.as_ref().map(|s| s.step).or_else(|| t.curve.last().map(|p| p.0))
        });
        let own = store.snapshot(Some(job.id))?;
        let mut recorder = Self { shared, trial: job.id, start: None, curve: Vec::new(), base: None, broken: None };
        if let Some(own) = own {
            store.cut_curve(job.id, Some(own.step))?;
            recorder.curve = store.curve(Some(job.id))?;
            recorder.start = Some(own);
            recorder.base = base;
            return Ok(recorder);
        }
        store.cut_curve(job.id, None)?;
        if let Some((Some(snapshot), trial)) = continued {
            for &point in trial.curve.iter().filter(|p| p.0 <= snapshot.step) {
                store.add_point(Some(job.id), point, None)?;
                recorder.curve.push(point);
            }
            recorder.start = Some(snapshot);
            recorder.base = base;
        }
        Ok(recorder)
    }
}

/// The last snapshot of a trial, or of the one that answered it.
fn latest(store: &Store, shared: &Shared, trial: TrialId) -> Result<Option<Snapshot>, Diagnostic> {
    let original = {
        let state = shared.lock();
        state.slots.get(trial.0 as usize).and_then(|s| s.trial.same_as).unwrap_or(trial)
    };
    store.snapshot(Some(original))
}

impl Report for Recorder<'_> {
    fn report(&mut self, step: u64, value: f64, snapshot: Option<&[u8]>) -> Result<(), Cancelled> {
        let point = (step, value);
        if let Err(d) = self.shared.store.add_point(Some(self.trial), point, snapshot) {
            self.broken = Some(d);
            return Err(Cancelled);
        }
        match self.curve.binary_search_by_key(&step, |p| p.0) {
            Ok(i) => self.curve[i] = point,
            Err(i) => self.curve.insert(i, point),
        }
        self.shared.observer.event(&Event::Point { trial: Some(self.trial), point });
        if self.cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    fn snapshot(&self) -> Option<&Snapshot> {
        self.start.as_ref()
    }

    fn snapshot_of(&self, trial: TrialId) -> Option<Snapshot> {
        // A snapshot that cannot be read is one that is not there: the evaluation starts without it.
        latest(&self.shared.store, self.shared, trial).ok().flatten()
    }

    fn candidate_of(&self, trial: TrialId) -> Option<Arc<str>> {
        self.shared.lock().slots.get(trial.0 as usize).map(|s| s.trial.candidate.clone())
    }

    fn log(&mut self, line: &str) {
        self.shared.observer.event(&Event::Log(format!("trial {}: {line}", self.trial)));
    }

    fn cancelled(&self) -> bool {
        self.shared.cancel.load(Ordering::Relaxed) || self.shared.stopped()
    }
}
