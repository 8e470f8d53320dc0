//! The asynchronous trial scheduler, independent of what a candidate is.
//!
//! A strategy runs on one thread and calls [`Engine`]; evaluations run on workers. What the strategy *sees* is a
//! sequence: a result is seen when `next_result` or `evaluate` returns it, or when `submit` takes it in because enough
//! trials are under way. `history` and `best` speak of seen results only. Each taking-in is logged with the number of the
//! runtime call that did it, and each submission is stored with its call, so the strategy's view is a function of the log
//! and resuming is running the program again: the log answers until it is exhausted, then workers do.
//!
//! In deterministic mode results are seen in the order of submission and at most `lookahead` trials are unseen after a
//! submission, whatever the number of workers: N workers propose exactly the trials that one would.

mod budget;
mod scheduler;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::Arc;

use crate::base::hash::hash64;
use crate::diag::Diagnostic;

pub use crate::store::{Failure, FailureKind, Metrics, Point, Snapshot, Status, Trial, TrialId};
pub use budget::Budget;
pub use scheduler::{Engine, Outcome, check_deterministic};

/// What a strategy asks for: one candidate at one fidelity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The trial's number; set by the engine.
    pub id: TrialId,
    /// The candidate as JSON.
    pub candidate: Arc<str>,
    /// The key of the candidate's canonical form. Jobs with equal key, `until`, `parent` and `repeat` are one evaluation.
    pub key: Arc<str>,
    /// The step (usually the epoch) to train to; none is the evaluation's own end.
    pub until: Option<u64>,
    /// Inherit the weights of this trial.
    pub parent: Option<TrialId>,
    /// Continue the training of this trial of the same candidate, from its last snapshot.
    pub continues: Option<TrialId>,
    /// Counts deliberate repetitions.
    pub repeat: u32,
    /// The seed of the evaluation's random streams; set by the engine from the run's seed, the key and `repeat`.
    pub seed: u64,
}

impl Job {
    /// The candidate evaluated to the evaluation's own end.
    pub fn new(candidate: impl Into<Arc<str>>, key: impl Into<Arc<str>>) -> Self {
        Self {
            id: TrialId(0),
            candidate: candidate.into(),
            key: key.into(),
            until: None,
            parent: None,
            continues: None,
            repeat: 0,
            seed: 0,
        }
    }

    /// Only to this step.
    #[must_use]
    pub fn until(mut self, step: Option<u64>) -> Self {
        self.until = step;
        self
    }

    /// With the weights of `trial`.
    #[must_use]
    pub fn inherit(mut self, trial: Option<TrialId>) -> Self {
        self.parent = trial;
        self
    }

    /// The `k`-th repetition.
    #[must_use]
    pub fn repeat(mut self, k: u32) -> Self {
        self.repeat = k;
        self
    }

    /// The training of `trial` goes on to `until`.
    pub fn resume(trial: &Trial, until: Option<u64>) -> Self {
        Self {
            parent: trial.parent,
            continues: Some(trial.id),
            repeat: trial.repeat,
            ..Self::new(trial.candidate.clone(), trial.key.clone()).until(until)
        }
    }

    fn numbered(mut self, id: TrialId, seed: u64) -> Self {
        self.id = id;
        self.seed = hash64(format!("trial/{}/{}", self.key, self.repeat).as_bytes(), seed);
        self
    }
}

/// The search stops; the evaluation should return at once, by `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl From<Cancelled> for Failure {
    fn from(_: Cancelled) -> Self {
        Failure::new(FailureKind::Cancelled, "the search was stopped")
    }
}

/// How an evaluation speaks with the run.
pub trait Report {
    /// Adds a point to the learning curve; with it, state from which the evaluation could go on after `step`.
    fn report(&mut self, step: u64, value: f64, snapshot: Option<&[u8]>) -> Result<(), Cancelled>;

    /// State to start from: this trial's last snapshot if it was interrupted, else that of the trial it continues.
    fn snapshot(&self) -> Option<&Snapshot>;

    /// The last snapshot of another trial, for inheritance.
    fn snapshot_of(&self, trial: TrialId) -> Option<Snapshot>;

    /// The candidate of another trial.
    fn candidate_of(&self, _trial: TrialId) -> Option<Arc<str>> {
        None
    }

    /// A line for whoever watches.
    fn log(&mut self, _line: &str) {}

    /// The search stops; for evaluations that can look more often than they report.
    fn cancelled(&self) -> bool;
}

/// Reports to nobody: for evaluations outside a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unrecorded;

impl Report for Unrecorded {
    fn report(&mut self, _: u64, _: f64, _: Option<&[u8]>) -> Result<(), Cancelled> {
        Ok(())
    }

    fn snapshot(&self) -> Option<&Snapshot> {
        None
    }

    fn snapshot_of(&self, _: TrialId) -> Option<Snapshot> {
        None
    }

    fn cancelled(&self) -> bool {
        false
    }
}

/// Evaluates candidates, several at the same time. A panic becomes a failed trial.
pub trait Evaluator: Send + Sync {
    /// The metrics of the job's candidate, as a function of the job and of the snapshots it builds on.
    fn evaluate(&self, job: &Job, report: &mut dyn Report) -> Result<Metrics, Failure>;
}

/// Metrics to objectives, all to be maximized; an error is a failed trial with this reason.
pub type Objective = Arc<dyn Fn(&[(String, f64)]) -> Result<Vec<f64>, String> + Send + Sync>;

/// How the engine searches.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Evaluations at the same time; at least one.
    pub workers: usize,
    /// Results are seen in the order of submission.
    pub deterministic: bool,
    /// Deterministic: trials that may be unseen after a submission; more workers than that have nothing to do, and another
    /// number is another search. Else: how many more trials than workers may be unseen.
    pub lookahead: usize,
    /// When the program ends.
    pub budget: Budget,
    /// The seed of the run.
    pub seed: u64,
    /// Metrics in the objective that are measured and differ from run to run; refused in deterministic mode.
    pub measured: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: 1,
            deterministic: false,
            lookahead: 16,
            budget: Budget::default(),
            seed: 0,
            measured: Vec::new(),
        }
    }
}

/// Why the strategy must end.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The budget is spent.
    Budget,
    /// The user wants to stop; the run can be resumed.
    Stopped,
    /// Very many results in a row were known before: the space has nothing new.
    Exhausted,
    /// The run cannot go on.
    Failed(Box<Diagnostic>),
}

impl From<Diagnostic> for End {
    fn from(d: Diagnostic) -> Self {
        End::Failed(Box::new(d))
    }
}

/// What [`Engine::next_result`] found.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// A result that was not delivered before.
    Trial(Arc<Trial>),
    /// Nothing is under way, so there is nothing to wait for; a loop over results ends.
    Idle,
}

/// What happens, for whoever draws it.
#[derive(Clone, Debug)]
pub enum Event {
    /// A worker (from 0) starts a trial, or goes on with it.
    Started {
        /// The trial.
        trial: TrialId,
        /// The worker.
        worker: usize,
        /// The step it is to reach, if that is known.
        until: Option<u64>,
        /// What its curve has already.
        curve: Vec<Point>,
    },
    /// A point of a learning curve; the strategy's own where there is no trial.
    Point {
        /// The trial.
        trial: Option<TrialId>,
        /// Step and value.
        point: Point,
    },
    /// Done, failed or cached, as its status says.
    Finished(Arc<Trial>),
    /// A worker gave a trial back into the queue, since the search stops.
    Requeued(TrialId),
    /// Better than all results seen before, by the first objective.
    Best(Arc<Trial>),
    /// So many trials have finished, where not each is told.
    Counted(u64),
    /// A line of the strategy's log.
    Log(String),
    /// The part of the budget that is used, from 0 to 1.
    Used(f64),
}

/// Is told what happens, from the strategy's and the workers' threads.
pub trait Observer: Send + Sync {
    /// Something happened. It must not call the engine.
    fn event(&self, event: &Event);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blind;

impl Observer for Blind {
    fn event(&self, _: &Event) {}
}

/// `a` is at least as good as `b` in every objective and better in one.
pub fn dominates(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x >= y) && a.iter().zip(b).any(|(x, y)| x > y)
}

/// The trials that no other dominates, best in the first objective first; of equal ones the earliest.
pub fn pareto_front(trials: &[Arc<Trial>]) -> Vec<Arc<Trial>> {
    let mut front: Vec<Arc<Trial>> = Vec::new();
    for t in trials.iter().filter(|t| !t.rewards.is_empty()) {
        if front.iter().any(|f| f.rewards == t.rewards || dominates(&f.rewards, &t.rewards)) {
            continue;
        }
        front.retain(|f| !dominates(&t.rewards, &f.rewards));
        front.push(t.clone());
    }
    front.sort_by(|a, b| b.rewards[0].total_cmp(&a.rewards[0]).then(a.id.cmp(&b.id)));
    front
}
