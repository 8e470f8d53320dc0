//! Trials, their curves and their snapshots.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};

use super::Store;
use crate::diag::Diagnostic;

/// A trial's number: trials are counted from 0 in the order of their submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrialId(pub u64);

impl std::fmt::Display for TrialId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Named results in the order in which the evaluation returned them.
pub type Metrics = Vec<(String, f64)>;

/// A point of a learning curve: step and value.
pub type Point = (u64, f64);

/// State saved by an evaluation at `step`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The step after which it was taken.
    pub step: u64,
    /// The evaluation's own encoding.
    pub data: Vec<u8>,
}

/// Where a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Waits for a worker.
    Queued,
    /// A worker has it, or had it when the process died.
    Running,
    /// Has metrics and rewards.
    Done,
    /// Has a [`Failure`].
    Failed,
    /// Equal to an earlier trial, whose metrics, rewards and curve it shares.
    Cached,
}

impl Status {
    /// As it stands in the store and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cached => "cached",
        }
    }

    /// Nothing more will happen to it.
    pub fn is_finished(self) -> bool {
        match self {
            Self::Queued | Self::Running => false,
            Self::Done | Self::Failed | Self::Cached => true,
        }
    }

    fn parse(s: &str) -> Self {
        match s {
            "running" => Self::Running,
            "done" => Self::Done,
            "failed" => Self::Failed,
            "cached" => Self::Cached,
            _ => Self::Queued,
        }
    }
}

/// Why a trial failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// A loss, a metric or the objective is not a finite number.
    Nan,
    /// Needs more memory than allowed.
    Memory,
    /// The evaluation crashed.
    Panic,
    /// The search stops; the trial is not failed but goes back into the queue.
    Cancelled,
    /// Anything else.
    Other,
}

impl FailureKind {
    /// As it stands in the store and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nan => "nan",
            Self::Memory => "memory",
            Self::Panic => "panic",
            Self::Cancelled => "cancelled",
            Self::Other => "other",
        }
    }

    fn parse(s: &str) -> Self {
        match s {
            "nan" => Self::Nan,
            "memory" => Self::Memory,
            "panic" => Self::Panic,
            "cancelled" => Self::Cancelled,
            _ => Self::Other,
        }
    }
}

/// What an evaluation returns instead of metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub kind: FailureKind,
    /// A sentence for the user.
    pub reason: String,
}

impl Failure {
    /// A failure of this kind for this reason.
    pub fn new(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }
}

/// One candidate at one fidelity, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Its number.
    pub id: TrialId,
    /// The number of the strategy's runtime call that submitted it.
    pub call: u64,
    /// The candidate as JSON.
    pub candidate: Arc<str>,
    /// The key of its canonical form: equal keys are the same architecture.
    pub key: Arc<str>,
    /// Fidelity: the step (usually the epoch) to train to; none is the evaluation's own end.
    pub until: Option<u64>,
    /// The trial whose weights it inherits.
    pub parent: Option<TrialId>,
    /// The trial of the same candidate whose training it continues.
    pub continues: Option<TrialId>,
    /// Counts deliberate repetitions of an equal trial.
    pub repeat: u32,
    /// Where it stands.
    pub status: Status,
    /// The earlier equal trial that answered this one.
    pub same_as: Option<TrialId>,
    /// Results; empty unless done or cached.
    pub metrics: Metrics,
    /// The objectives, all to be maximized; empty unless done or cached.
    pub rewards: Vec<f64>,
    /// The learning curve so far, by step.
    pub curve: Vec<Point>,
    /// Points that this trial itself added to the curve: what it costs of a budget in epochs.
    pub epochs: u64,
    /// Seconds since 1970 when its evaluation started; none if it never did.
    pub started: Option<f64>,
    /// Seconds that its evaluation took.
    pub seconds: f64,
    /// Why it failed.
    pub failure: Option<Failure>,
}

impl Trial {
    /// The (first) objective, to be maximized; absent where it failed or is not finished.
    pub fn reward(&self) -> Option<f64> {
        self.rewards.first().copied()
    }

    /// A metric by name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(n, _)| n == name).map(|&(_, v)| v)
    }

    /// As one JSON object, for `--json`.
    pub fn to_json(&self) -> serde_json::Value {
        let mut metrics = serde_json::Map::new();
        for (name, value) in &self.metrics {
            metrics.insert(name.clone(), number(*value));
        }
        serde_json::json!({
            "trial": self.id.0,
            "status": self.status.name(),
            "candidate": serde_json::from_str::<serde_json::Value>(&self.candidate)
                .unwrap_or_else(|_| serde_json::Value::String(self.candidate.to_string())),
            "key": &*self.key,
            "until": self.until,
            "parent": self.parent.map(|p| p.0),
            "continues": self.continues.map(|p| p.0),
            "repeat": self.repeat,
            "same_as": self.same_as.map(|p| p.0),
            "reward": self.reward().map(number),
            "rewards": self.rewards.iter().map(|&r| number(r)).collect::<Vec<_>>(),
            "metrics": metrics,
            "curve": self.curve.iter().map(|&(s, v)| serde_json::json!([s, number(v)])).collect::<Vec<_>>(),
            "seconds": self.seconds,
            "failure": self.failure.as_ref().map(|f| serde_json::json!({ "kind": f.kind.name(), "reason": f.reason })),
        })
    }
}

/// JSON has no NaN and no infinities: they become strings.
fn number(x: f64) -> serde_json::Value {
    serde_json::Number::from_f64(x).map_or_else(|| serde_json::Value::String(x.to_string()), serde_json::Value::Number)
}

fn parse_number(v: &serde_json::Value) -> f64 {
    match v {
        serde_json::Value::String(s) => s.parse().unwrap_or(f64::NAN),
        other => other.as_f64().unwrap_or(f64::NAN),
    }
}

fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<TrialId>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|i| TrialId(i as u64)))
}

fn sql_id(id: Option<TrialId>) -> Option<i64> {
    id.map(|t| t.0 as i64)
}

/// The strategy's own curve and snapshot stand under this number.
const STRATEGY: i64 = -1;

fn owner(trial: Option<TrialId>) -> i64 {
    sql_id(trial).unwrap_or(STRATEGY)
}

const COLUMNS: &str = "id, call, candidate, key, until, parent, continues, repeat, status, same_as, metrics, rewards, \
                       epochs, started, seconds, kind, reason";

fn read(row: &Row<'_>) -> rusqlite::Result<Trial> {
    let json = |column: usize| -> rusqlite::Result<Vec<serde_json::Value>> {
        let text: Option<String> = row.get(column)?;
        Ok(text.and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default())
    };
    let metrics = json(10)?
        .iter()
        .filter_map(|pair| Some((pair.get(0)?.as_str()?.to_owned(), parse_number(pair.get(1)?))))
        .collect();
    let kind: Option<String> = row.get(15)?;
    let reason: Option<String> = row.get(16)?;
    Ok(Trial {
        id: TrialId(row.get::<_, i64>(0)? as u64),
        call: row.get::<_, i64>(1)? as u64,
        candidate: row.get(2)?,
        key: row.get(3)?,
        until: row.get::<_, Option<i64>>(4)?.map(|u| u as u64),
        parent: id(row, 5)?,
        continues: id(row, 6)?,
        repeat: row.get(7)?,
        status: Status::parse(&row.get::<_, String>(8)?),
        same_as: id(row, 9)?,
        metrics,
        rewards: json(11)?.iter().map(parse_number).collect(),
        curve: Vec::new(),
        epochs: row.get::<_, i64>(12)? as u64,
        started: row.get(13)?,
        seconds: row.get(14)?,
        failure: kind.map(|k| Failure { kind: FailureKind::parse(&k), reason: reason.unwrap_or_default() }),
    })
}

impl Store {
    /// Writes a trial, replacing what was stored under its number. Its curve is written by [`Store::add_point`].
    pub fn put_trial(&self, t: &Trial) -> Result<(), Diagnostic> {
        let metrics: Vec<_> = t.metrics.iter().map(|(n, v)| serde_json::json!([n, number(*v)])).collect();
        let metrics = (!metrics.is_empty()).then(|| serde_json::Value::Array(metrics).to_string());
        let rewards: Vec<_> = t.rewards.iter().map(|&r| number(r)).collect();
        let rewards = (!rewards.is_empty()).then(|| serde_json::Value::Array(rewards).to_string());
        self.with(|c| {
            c.prepare_cached(&format!(
                "INSERT OR REPLACE INTO trials ({COLUMNS}) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
            ))?
            .execute(params![
                t.id.0 as i64,
                t.call as i64,
                &*t.candidate,
                &*t.key,
                t.until.map(|u| u as i64),
                sql_id(t.parent),
                sql_id(t.continues),
                t.repeat,
                t.status.name(),
                sql_id(t.same_as),
                metrics,
                rewards,
                t.epochs as i64,
                t.started,
                t.seconds,
                t.failure.as_ref().map(|f| f.kind.name()),
                t.failure.as_ref().map(|f| f.reason.as_str()),
            ])?;
            Ok(())
        })
    }

    /// All trials in the order of their submission, with their curves.
    pub fn trials(&self) -> Result<Vec<Trial>, Diagnostic> {
        self.with(|c| {
            // One transaction: a run that is going on must not change between the two queries.
            let transaction = c.unchecked_transaction()?;
            let mut trials: Vec<Trial> = {
                let mut statement = c.prepare(&format!("SELECT {COLUMNS} FROM trials ORDER BY id"))?;
                statement.query_map([], read)?.collect::<Result<_, _>>()?
            };
            {
                let mut statement =
                    c.prepare("SELECT trial, step, value FROM points WHERE trial >= 0 ORDER BY trial, step")?;
                let mut rows = statement.query([])?;
                let mut at = 0;
                while let Some(row) = rows.next()? {
                    let trial = row.get::<_, i64>(0)? as u64;
                    while at < trials.len() && trials[at].id.0 < trial {
                        at += 1;
                    }
                    if let Some(t) = trials.get_mut(at).filter(|t| t.id.0 == trial) {
                        t.curve.push((row.get::<_, i64>(1)? as u64, value(row, 2)?));
                    }
                }
            }
            for i in 0..trials.len() {
                let Some(original) = trials[i].same_as else { continue };
                if let Ok(j) = trials.binary_search_by_key(&original, |t| t.id)
                    && trials[i].status.is_finished()
                {
                    let curve = trials[j].curve.clone();
                    trials[i].curve = curve;
                }
            }
            transaction.finish()?;
            Ok(trials)
        })
    }

    /// Adds a point to the curve of a trial (or of the strategy itself, under `None`), and with it, in one transaction, a
    /// snapshot that replaces the previous one.
    pub fn add_point(
        &self,
        trial: Option<TrialId>,
        (step, value): Point,
        snapshot: Option<&[u8]>,
    ) -> Result<(), Diagnostic> {
        self.with(|c| {
            let transaction = if snapshot.is_some() { Some(c.unchecked_transaction()?) } else { None };
            c.prepare_cached("INSERT OR REPLACE INTO points (trial, step, value) VALUES (?1, ?2, ?3)")?
                .execute(params![owner(trial), step as i64, value])?;
            if let Some(data) = snapshot {
                c.prepare_cached("INSERT OR REPLACE INTO snapshots (trial, step, data) VALUES (?1, ?2, ?3)")?
                    .execute(params![owner(trial), step as i64, data])?;
            }
            transaction.map_or(Ok(()), rusqlite::Transaction::commit)
        })
    }

    /// Removes the points of a trial's curve after `step` (all with `None`): those that will be computed again.
    pub fn cut_curve(&self, trial: TrialId, step: Option<u64>) -> Result<(), Diagnostic> {
        self.with(|c| {
            c.prepare_cached("DELETE FROM points WHERE trial = ?1 AND step > ?2")?
                .execute(params![trial.0 as i64, step.map_or(-1, |s| s as i64)])?;
            Ok(())
        })
    }

    /// The curve of a trial, or of the strategy itself under `None`.
    pub fn curve(&self, trial: Option<TrialId>) -> Result<Vec<Point>, Diagnostic> {
        self.with(|c| {
            c.prepare_cached("SELECT step, value FROM points WHERE trial = ?1 ORDER BY step")?
                .query_map([owner(trial)], |row| Ok((row.get::<_, i64>(0)? as u64, value(row, 1)?)))?
                .collect()
        })
    }

    /// The latest snapshot of a trial, or of the strategy itself under `None`.
    pub fn snapshot(&self, trial: Option<TrialId>) -> Result<Option<Snapshot>, Diagnostic> {
        self.with(|c| {
            c.prepare_cached("SELECT step, data FROM snapshots WHERE trial = ?1")?
                .query_row([owner(trial)], |row| Ok(Snapshot { step: row.get::<_, i64>(0)? as u64, data: row.get(1)? }))
                .optional()
        })
    }

    /// Forgets the snapshot of a trial, or of the strategy itself under `None`.
    pub fn forget_snapshot(&self, trial: Option<TrialId>) -> Result<(), Diagnostic> {
        self.with(|c| {
            c.prepare_cached("DELETE FROM snapshots WHERE trial = ?1")?.execute([owner(trial)])?;
            Ok(())
        })
    }
}

/// `SQLite` keeps NaN as NULL.
fn value(row: &Row<'_>, column: usize) -> rusqlite::Result<f64> {
    Ok(row.get::<_, Option<f64>>(column)?.unwrap_or(f64::NAN))
}
