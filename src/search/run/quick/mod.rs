//! Searches over programs that are scored in microseconds.
//!
//! The strategy sees the same calls, and the evaluation is the same program of the language; what differs is what a trial
//! costs besides. Candidates and trials are handles to places that are used again, so nothing is allocated for a program.
//! Nothing is stored of a trial but its result, in two bytes where it is a recent one; only what improves is a row.
//! Results are always seen in the order of submission, so that a search is a function of its source and seed, and what an
//! evaluation remembers of others is what it had been when the ones before were seen: a helper that worked ahead on
//! another view has worked in vain. So any number of workers proposes the same programs.

mod arena;
mod cache;
mod host;
mod journal;
mod ring;
mod score;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::algo::task::Tasks;
use crate::diag::{Diagnostic, codes};
use crate::search::engine::{Observer, Outcome, Trial, TrialId};
use crate::search::lang::{HostFn, Stop, Tag};
use crate::search::setup::{Argument, Search};
use crate::space::decision::Candidate;
use crate::store::Store;

use super::{Finished, STRATEGY_STACK};

use cache::Cache;
use host::QuickHost;
use ring::Ring;
use score::{Scored, Scorer};

/// So many of the best are tried on tasks that choose among them.
const JUDGED: usize = 30;

/// What a strategy may call here; with others the general engine serves it.
const STRATEGY: &[HostFn] = &[
    HostFn::Random,
    HostFn::Begin,
    HostFn::Decided,
    HostFn::SpaceSize,
    HostFn::Objectives,
    HostFn::Budget,
    HostFn::Submit,
    HostFn::Results,
    HostFn::StreamNext,
    HostFn::Evaluate,
    HostFn::EvaluateAll,
    HostFn::Best,
    HostFn::Fittest,
    HostFn::TrialReward,
    HostFn::TrialObjectives,
    HostFn::TrialMetrics,
    HostFn::MetricsGet,
    HostFn::MetricsNames,
    HostFn::TrialStatus,
    HostFn::TrialCandidate,
    HostFn::TrialId,
    HostFn::Decisions,
    HostFn::Set,
    HostFn::Gaps,
    HostFn::Insert,
    HostFn::Remove,
    HostFn::Fill,
    HostFn::Vary,
    HostFn::Crossover,
    HostFn::Distance,
    HostFn::Encoding,
    HostFn::Json,
    HostFn::CandidateKind,
    HostFn::DecisionName,
    HostFn::DecisionKind,
    HostFn::DecisionOwner,
    HostFn::DecisionLevel,
    HostFn::DecisionIndex,
    HostFn::DecisionValue,
    HostFn::DecisionOptions,
    HostFn::DecisionArity,
    HostFn::Redraw,
    HostFn::Others,
    HostFn::Next,
    HostFn::DraftOpen,
    HostFn::DraftDecision,
    HostFn::DraftOptions,
    HostFn::DraftState,
    HostFn::DraftPick,
    HostFn::DraftSet,
    HostFn::DraftFill,
    HostFn::DraftFinish,
    HostFn::Flip,
    HostFn::Uniform,
    HostFn::Normal,
    HostFn::Below,
    HostFn::Log,
    HostFn::Fail,
];

/// What an evaluation may call here.
const EVALUATION: &[HostFn] = &[
    HostFn::Candidate,
    HostFn::Tasks,
    HostFn::RunTasks,
    HostFn::TaskFitness,
    HostFn::Recall,
    HostFn::Remember,
    HostFn::Instructions,
    HostFn::Fail,
];

/// Whether a search can be run here.
pub(super) fn fits(search: &Search) -> bool {
    let (strategy, evaluation) = (&search.strategy.0, &search.evaluation.0);
    let b = &search.budget;
    search.space.design().is_some()
        && search.tasks.is_some()
        && !(b.seconds.is_some() && strategy.uses().contains(&HostFn::Budget))
        && b.simulated.is_none()
        && b.epochs.is_none()
        && search.evaluation.1.iter().all(|a| matches!(a, Argument::Value(_)))
        && !search.space.chooses_in_fields()
        && strategy.uses().iter().all(|f| STRATEGY.contains(f))
        && !strategy.inherits()
        && !strategy.compares(Tag::Candidate)
        && !strategy.compares(Tag::Draft)
        && evaluation.uses().iter().all(|f| EVALUATION.contains(f))
}

/// A budget of what only these searches count, in another one.
pub(super) fn misfit(search: &Search) -> Option<Diagnostic> {
    let d = || {
        Diagnostic::unplaced(&codes::CANNOT_SERVE, "this search counts no training steps, so they cannot be its budget")
    };
    (search.budget.steps.is_some() && !fits(search)).then(|| d().help("count trials: `budget = trials(1000)`"))
}

/// Runs a search, or goes on with one that the store holds.
pub fn run(
    search: &Arc<Search>,
    store: &Store,
    observer: &dyn Observer,
    stop: &AtomicBool,
    workers: usize,
) -> Result<Finished, Diagnostic> {
    let ring = Ring::new(search);
    let closing = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        let _close = Close(&closing);
        for _ in 1..workers.max(1) {
            scope.spawn(|| ring.help(search, &closing));
        }
        with_host(search, &ring, store, observer, stop)
    })?;
    Ok(Finished { outcome, interrupted: stop.load(Ordering::Relaxed) })
}

/// Lets the helpers go, whatever happens.
struct Close<'a>(&'a AtomicBool);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Of what a search found, the trial that does best on tasks that it has not seen, and its objective on others again.
pub fn judge(search: &Search, found: &[Arc<Trial>]) -> Option<(TrialId, f64)> {
    let (select, test) = search.held_out.as_ref()?;
    let sign = search.objectives.first()?.sign;
    let (cache, mut out) = (Cache::new(), Scored::default());
    let mut score = |tasks: &Tasks, t: &Trial| -> Option<f64> {
        let c = Candidate::from_json(&serde_json::from_str(&t.candidate).ok()?).ok()?;
        let program = search.space.program_of(&c).ok()?;
        Scorer::on(search, tasks)?.score(&program, &cache, &mut out);
        out.rewards.first().copied()
    };
    let mut ranked: Vec<&Arc<Trial>> = found.iter().filter(|t| t.reward().is_some()).collect();
    ranked.sort_by(|a, b| b.reward().unwrap_or(0.0).total_cmp(&a.reward().unwrap_or(0.0)).then(a.id.cmp(&b.id)));
    let mut best: Option<(f64, &Arc<Trial>)> = None;
    for t in ranked.into_iter().take(JUDGED) {
        if let Some(x) = score(select, t)
            && best.is_none_or(|b| x > b.0)
        {
            best = Some((x, t));
        }
    }
    let t = best?.1;
    Some((t.id, score(test, t)? * sign))
}

fn with_host(
    search: &Arc<Search>,
    ring: &Ring,
    store: &Store,
    observer: &dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, Diagnostic> {
    let mut host = QuickHost::new(search, ring, store, observer, stop)?;
    // Programs may call a thousand deep.
    let result = stacker::grow(STRATEGY_STACK, || search.strategy.0.run(&search.strategy.1, &mut host, stop));
    let failed = match result {
        Ok(_) | Err(Stop::Finished) => host.failure.take(),
        Err(Stop::Failed(d)) => Some(*d),
    };
    let outcome = host.finish()?;
    failed.map_or(Ok(outcome), Err)
}
