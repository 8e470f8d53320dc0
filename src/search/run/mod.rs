//! Running a search: what serves the calls of strategies ([`strategy`]) and of evaluations ([`evaluation`]).

mod candidates;
mod edits;
pub mod evaluation;
#[cfg(test)]
mod growth_tests;
mod objects;
mod quick;
pub mod strategy;
#[cfg(test)]
mod strategy_tests;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod train_tests;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::diag::Diagnostic;
use crate::exec::Executor;
use crate::learn::Learner;
use crate::store::{RunInfo, Store};

use super::engine::{Config, Engine, Observer, Outcome, Trial, check_deterministic};
use super::lang::Stop;
use super::setup::{Search, mentions};

pub use evaluation::Children;
pub use quick::judge;

/// The stack of a strategy's program, in bytes.
const STRATEGY_STACK: usize = 64 << 20;

/// What a finished (or stopped) search leaves.
pub struct Finished {
    /// All trials.
    pub outcome: Outcome,
    /// Whether it was interrupted and can be resumed.
    pub interrupted: bool,
}

/// What the run stores of a search, so that it is resumed only with the same.
pub fn info(search: &Search) -> RunInfo {
    RunInfo {
        sources: search.program.sources.iter().map(|(_, s)| (s.name.clone(), s.text.to_string())).collect(),
        config: search.config.clone(),
        seed: search.seed,
        version: env!("CARGO_PKG_VERSION").to_string(),
    }
}

/// The evaluator of a search's candidates.
pub fn children(search: &Arc<Search>, exec: Arc<dyn Executor>) -> Arc<Children> {
    let learner = Arc::new(Learner { space: search.space.clone(), exec, target: search.target.clone() });
    Arc::new(Children::new(search.clone(), learner))
}

/// Runs a search, or goes on with one that the store holds.
pub fn run(
    search: &Arc<Search>,
    children: &Arc<Children>,
    store: Arc<Store>,
    observer: Arc<dyn Observer>,
    stop: &Arc<AtomicBool>,
    workers: usize,
) -> Result<Finished, Diagnostic> {
    let config = Config {
        workers,
        deterministic: search.deterministic,
        budget: search.budget.clone(),
        seed: search.seed,
        measured: measured(search),
        ..Config::default()
    };
    if let Some(d) = quick::misfit(search) {
        return Err(d);
    }
    if quick::fits(search) {
        check_deterministic(&config)?;
        return quick::run(search, &store, &*observer, stop, workers);
    }
    let engine = Engine::new(store, children.clone(), objective(search), observer, stop.clone(), config)?;
    let mut host = strategy::StrategyHost::new(search.clone(), engine);
    // Programs may call a thousand deep.
    let result = stacker::grow(STRATEGY_STACK, || search.strategy.0.run(&search.strategy.1, &mut host, stop));
    let failed = match result {
        Ok(_) | Err(Stop::Finished) => host.failure.take(),
        Err(Stop::Failed(d)) => Some(*d),
    };
    let outcome = host.engine.finish()?;
    if let Some(d) = failed {
        return Err(d);
    }
    let interrupted = stop.load(std::sync::atomic::Ordering::Relaxed);
    Ok(Finished { outcome, interrupted })
}

/// Metrics of an objective that differ from run to run.
fn measured(search: &Search) -> Vec<String> {
    ["latency"]
        .iter()
        .filter(|m| search.objectives.iter().any(|g| mentions(&g.text, m)))
        .map(|m| (*m).to_string())
        .collect()
}

/// Metrics to rewards.
fn objective(search: &Arc<Search>) -> super::engine::Objective {
    let search = search.clone();
    Arc::new(move |metrics: &[(String, f64)]| {
        let args: Vec<super::lang::Value> = search
            .metrics
            .iter()
            .map(|name| super::lang::Value::Float(metrics.iter().find(|(n, _)| n == name).map_or(f64::NAN, |m| m.1)))
            .collect();
        let stop = AtomicBool::new(false);
        search
            .objectives
            .iter()
            .map(|g| match g.program.run(&args, &mut objects::NoCalls, &stop) {
                Ok(v) => {
                    let x = v.as_float().unwrap_or(f64::NAN) * g.sign;
                    if x.is_nan() { Err(format!("the objective `{}` is not a number", g.text)) } else { Ok(x) }
                }
                Err(Stop::Failed(d)) => Err(d.message),
                Err(Stop::Finished) => Err("the objective was interrupted".to_string()),
            })
            .collect()
    })
}

/// The best trial's candidate evaluated anew, with the same seed and so the same weights, and then scored on the test
/// part, which nothing else reads.
pub fn test(children: &Children, store: &Store, best: &Trial, stop: &AtomicBool) -> Result<Option<f64>, Diagnostic> {
    children.test(store, best, stop)
}
