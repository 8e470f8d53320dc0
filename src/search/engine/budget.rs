//! When a search ends.

use crate::store::Trial;

/// Limits of a search; the first one reached ends it. None at all is a search that ends by itself or is stopped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budget {
    /// Submitted trials, those answered from the store included, so that small spaces end too.
    pub trials: Option<u64>,
    /// Seconds of the clock, over all sessions of the run. Refused in deterministic mode.
    pub seconds: Option<f64>,
    /// The sum of the metric `seconds` over the results seen, as in tabular benchmarks; repeated queries cost again.
    pub simulated: Option<f64>,
    /// Points of learning curves over the results seen.
    pub epochs: Option<u64>,
    /// Examples that programs learned from, over all tasks; only searches over programs count them.
    pub steps: Option<u64>,
}

/// What the results that the strategy has seen cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spent {
    /// Sum of the metric `seconds`.
    pub simulated: f64,
    /// Points of learning curves.
    pub epochs: u64,
}

impl Spent {
    pub fn add(&mut self, trial: &Trial) {
        self.simulated += trial.metric("seconds").unwrap_or(0.0);
        self.epochs += trial.epochs;
    }
}

impl Budget {
    /// The results seen cost all that was to be spent.
    pub(super) fn is_spent(&self, spent: &Spent) -> bool {
        self.simulated.is_some_and(|s| spent.simulated >= s) || self.epochs.is_some_and(|e| spent.epochs >= e)
    }

    /// The part used, from 0 to 1, of the limit that is nearest.
    pub(super) fn used(&self, finished: u64, elapsed: f64, spent: &Spent) -> f64 {
        let part = |used: f64, of: Option<f64>| of.map_or(0.0, |n| if n > 0.0 { used / n } else { 1.0 });
        part(finished as f64, self.trials.map(|n| n as f64))
            .max(part(elapsed, self.seconds))
            .max(part(spent.simulated, self.simulated))
            .max(part(spent.epochs as f64, self.epochs.map(|n| n as f64)))
            .min(1.0)
    }
}
