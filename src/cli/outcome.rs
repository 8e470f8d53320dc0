//! What a search found, in words: shared by `nasc run` and `nasc show`.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::term::Terminal;
use crate::report::progress::sparkline;
use crate::report::table::{cut, duration, short, trials};
use crate::search::engine::{Status, Trial, pareto_front};
use crate::space::decision::LINEAGE;

/// The result of the best candidate on the test part.
#[derive(Clone, Debug, PartialEq)]
pub struct Tested {
    /// The trial that was tested.
    pub trial: u64,
    /// `accuracy` or `mean_squared_error`.
    pub metric: String,
    /// Its value.
    pub value: f64,
}

impl Tested {
    /// As in `result.json`.
    pub fn to_json(&self) -> Json {
        json!({ "trial": self.trial, "metric": self.metric, "value": self.value })
    }

    /// From `result.json`.
    pub fn from_json(v: &Json) -> Option<Self> {
        Some(Self {
            trial: v["trial"].as_u64()?,
            metric: v["metric"].as_str()?.to_string(),
            value: v["value"].as_f64()?,
        })
    }
}

/// The name of the file in the run's folder that keeps the result.
pub const RESULT: &str = "result.json";

/// A trial with its decisions (or its program, where it is one), metrics and curve.
pub fn trial(term: &Terminal, t: &Trial, heading: &str, tested: Option<&Tested>, listing: Option<&str>) -> String {
    let (bold, dim) = (term.style().bold(), term.style().dim());
    let width = term.width();
    let mut out = format!("{}\n", bold.apply_to(heading));
    for line in listing.unwrap_or_default().lines() {
        let _ = writeln!(out, "  {line}");
    }
    let decisions: Vec<(String, String)> = match serde_json::from_str(&t.candidate) {
        _ if listing.is_some() => Vec::new(),
        Ok(Json::Object(map)) => map
            .into_iter()
            .filter(|(k, _)| k != LINEAGE)
            .map(|(k, v)| {
                let v = match v {
                    Json::String(s) => s,
                    Json::Number(n) if n.is_f64() => short(n.as_f64().unwrap_or(f64::NAN)),
                    other => other.to_string(),
                };
                (k, v)
            })
            .collect(),
        _ => vec![("candidate".to_string(), t.candidate.to_string())],
    };
    let wide = decisions.iter().map(|d| console::measure_text_width(&d.0)).max().unwrap_or(0).min(width / 2);
    // Writing into a string cannot fail.
    for (name, value) in &decisions {
        let name = cut(name, wide);
        let pad = " ".repeat(wide - console::measure_text_width(&name));
        let _ = writeln!(out, "  {}{pad}  {}", dim.apply_to(name), cut(value, width.saturating_sub(wide + 4)));
    }
    if let Some(f) = &t.failure {
        let _ = writeln!(out, "\n  failed: {}", f.reason);
    }
    if !t.metrics.is_empty() {
        let parts: Vec<String> = t.metrics.iter().map(|(n, v)| format!("{n} {}", short(*v))).collect();
        let _ = writeln!(out, "\n  {}", cut(&parts.join("   "), width.saturating_sub(2)));
    }
    if let (Some(first), Some(last)) = (t.curve.first(), t.curve.last())
        && t.curve.len() > 1
    {
        let line = sparkline(&t.curve, 30.min(width.saturating_sub(30).max(4)));
        let _ = writeln!(out, "  curve {line}  {} to {} in {} points", short(first.1), short(last.1), t.curve.len());
    }
    if let Some(x) = tested.filter(|x| x.trial == t.id.0) {
        let _ = writeln!(out, "  {} {}", bold.apply_to(format!("test {}", x.metric)), bold.apply_to(short(x.value)));
    }
    out
}

/// `trial 17, reward 0.9861, 3.1s`
pub fn name(t: &Trial) -> String {
    let mut out = format!("trial {}", t.id);
    if let Some(r) = t.reward() {
        let _ = write!(out, ", reward {}", short(r));
    }
    if t.started.is_some() && t.status != Status::Cached {
        let _ = write!(out, ", {}", duration(t.seconds));
    }
    out
}

/// The best trial by the first objective; of equal ones the earliest.
pub fn best(all: &[Arc<Trial>]) -> Option<Arc<Trial>> {
    let mut out: Option<&Arc<Trial>> = None;
    for t in all {
        let better = match (t.reward(), out.and_then(|b| b.reward())) {
            (Some(r), Some(b)) => r > b,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if better {
            out = Some(t);
        }
    }
    out.cloned()
}

/// The trial that was tested, which is the best but where programs are chosen by tasks of their own.
pub fn chosen(all: &[Arc<Trial>], tested: Option<&Tested>) -> Option<Arc<Trial>> {
    tested.and_then(|x| all.iter().find(|t| t.id.0 == x.trial).cloned()).or_else(|| best(all))
}

/// The trials that no other beats, as a table; nothing where there is one objective.
pub fn front(term: &Terminal, all: &[Arc<Trial>]) -> Option<String> {
    let front = pareto_front(all);
    let several = front.first().is_some_and(|t| t.rewards.len() > 1);
    several.then(|| {
        let heading = format!("Pareto front: {} of {} trials", front.len(), all.len());
        format!("{}\n{}", term.style().bold().apply_to(heading), trials(&front, term.width()))
    })
}

/// The result as JSON, as it is stored and as it ends the output of `--json`.
pub fn result(search: &str, all: &[Arc<Trial>], tested: Option<&Tested>, seconds: f64) -> Json {
    let count = |s: Status| all.iter().filter(|t| t.status == s).count();
    let front: Vec<u64> = pareto_front(all).iter().map(|t| t.id.0).collect();
    json!({
        "search": search,
        "trials": all.len(),
        "done": count(Status::Done),
        "cached": count(Status::Cached),
        "failed": count(Status::Failed),
        "best": best(all).map(|t| t.to_json()),
        "pareto": front,
        "test": tested.map(Tested::to_json),
        "seconds": seconds,
    })
}
