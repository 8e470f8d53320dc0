//! What strategies ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::rng::Stream;
use crate::base::{Span, hash};
use crate::data::Augment;
use crate::diag::Diagnostic;
use crate::graph::canonical::canonical_text;
use crate::search::engine::{End, Engine, Job, Next, Status, Trial};
use crate::search::lang::{Host, HostFn, Opaque, Stop, Tag, Value};
use crate::search::setup::Search;
use crate::space::decision::{Candidate, Decision};
use crate::space::{BuildError, Want};

use super::candidates::{self, MAX_LISTED};
use super::edits;
use super::objects::{DataObject, DecisionObject, ResultsObject, candidate, data, fail, from_choice, metrics, trial};

/// Serves a strategy.
pub struct StrategyHost {
    search: Arc<Search>,
    /// The scheduler.
    pub engine: Engine,
    rng: Stream,
    keys: BTreeMap<String, String>,
    /// The evaluation looks candidates up, so that each is evaluated under its own name even where networks are equal.
    by_genotype: bool,
    /// Why the run cannot go on.
    pub failure: Option<Diagnostic>,
}

impl StrategyHost {
    /// A host over a running engine.
    pub fn new(search: Arc<Search>, engine: Engine) -> Self {
        let rng = Stream::new(search.seed, "strategy");
        let by_genotype = search.evaluation.0.uses().contains(&HostFn::TableLookup);
        Self { search, engine, rng, keys: BTreeMap::new(), by_genotype, failure: None }
    }

    fn end<T>(&mut self, e: End) -> Result<T, Stop> {
        if let End::Failed(d) = e {
            self.failure = Some(*d);
        }
        Err(Stop::Finished)
    }

    /// The key of the canonical network together with the hyperparameters.
    fn canonical(&mut self, c: &Candidate) -> Result<String, BuildError> {
        let genotype = c.genotype_key();
        if let Some(k) = self.keys.get(&genotype) {
            return Ok(k.clone());
        }
        let key = canonical_key(&self.search, c)?;
        self.keys.insert(genotype, key.clone());
        Ok(key)
    }

    /// The trial that was trained: of equal ones the first, which has the weights.
    fn trained(&self, t: &Arc<Trial>) -> Arc<Trial> {
        t.same_as.and_then(|id| self.engine.trial(id)).unwrap_or_else(|| t.clone())
    }

    /// The share of the budget that is used: a function of the results seen, and of the clock only where it limits.
    fn used(&self) -> Result<f64, End> {
        let b = &self.search.budget;
        let seen = self.engine.history();
        let sum = |f: &dyn Fn(&Trial) -> f64| seen.iter().map(|t| f(t)).sum::<f64>();
        let mut used = 0.0f64;
        if let Some(n) = b.trials {
            used = used.max(seen.len() as f64 / n as f64);
        }
        if let Some(s) = b.simulated {
            used = used.max(sum(&|t| t.metric("seconds").unwrap_or(0.0)) / s);
        }
        if let Some(n) = b.epochs {
            used = used.max(sum(&|t| t.epochs as f64) / n as f64);
        }
        if let Some(s) = b.seconds {
            let bytes = self.engine.remember(|| self.engine.elapsed().to_le_bytes().to_vec())?;
            used = used.max(bytes.try_into().map_or(0.0, f64::from_le_bytes) / s);
        }
        Ok(used.min(1.0))
    }

    fn job(&mut self, args: &[Value], span: Span) -> Result<Job, Stop> {
        let c = object::<Candidate>(&args[0], span)?.clone();
        let parent = match args.get(1) {
            Some(Value::Opaque(_)) => Some(object::<Arc<Trial>>(&args[1], span)?.id),
            _ => None,
        };
        self.job_of(&c, args.get(2), args.get(3), span).map(|j| j.inherit(parent))
    }

    fn job_of(
        &mut self,
        c: &Candidate,
        until: Option<&Value>,
        repeat: Option<&Value>,
        span: Span,
    ) -> Result<Job, Stop> {
        let key = if self.by_genotype { c.genotype_key() } else { self.canonical(c).map_err(|e| failed(e, span))? };
        let text = candidate_json(c);
        let repeat = repeat.and_then(Value::as_int).unwrap_or(1);
        Ok(Job::new(text, key).until(until_of(until)).repeat((repeat - 1).max(0) as u32))
    }

    fn path(&self, t: &Trial, span: Span) -> Result<Value, Stop> {
        let c = parse_candidate(&t.candidate, span)?;
        let all = self.search.space.decisions_of(&c).map_err(|e| failed(e, span))?;
        let states: Vec<Value> = all.iter().map(|(d, _)| state_of(d)).collect();
        let mut out = Vec::new();
        for (i, (_, v)) in all.iter().enumerate() {
            let next = match all.get(i + 1) {
                Some((d, _)) => {
                    let options = d.domain.values(MAX_LISTED).unwrap_or_default();
                    Value::record([
                        ("options".to_string(), Value::list(options.iter().map(from_choice))),
                        ("state".to_string(), states[i + 1].clone()),
                        ("terminal".to_string(), Value::Bool(false)),
                    ])
                }
                None => Value::record([
                    ("options".to_string(), Value::list([])),
                    ("state".to_string(), Value::str("end")),
                    ("terminal".to_string(), Value::Bool(true)),
                ]),
            };
            out.push(Value::Tuple(Arc::new(vec![states[i].clone(), from_choice(v), next])));
        }
        Ok(Value::list(out))
    }
}

/// Examples, to learn from and to predict, on which equivalent programs agree (as in AutoML-Zero).
const EQUIVALENT: usize = 10;

/// The key under which equal networks are trained once, and programs that predict the same: the canonical text of the training network, and the values of
/// hyperparameters.
pub fn canonical_key(search: &Search, c: &Candidate) -> Result<String, BuildError> {
    if let (Some(d), Some(tasks)) = (search.space.design(), &search.tasks) {
        let extras = search.space.build(c, Want::Decisions)?.extras;
        let print = tasks.fingerprint(&d.set, &search.space.program_of(c)?, EQUIVALENT);
        return Ok(hash::hex(hash::hash128(format!("{print:x} {extras:?}").as_bytes())));
    }
    let built = search.space.build(c, Want::Graph { batch: 2, training: true })?;
    let mut g = built.graph;
    crate::graph::simplify::simplify(&mut g);
    let mut text = canonical_text(&g);
    for (name, x) in &built.extras {
        text.push_str(&format!("\n{name} = {x:?}"));
    }
    Ok(hash::hex(hash::hash128(text.as_bytes())))
}

/// A candidate as the store keeps it: its decisions, and where its edits came from.
pub fn candidate_json(c: &Candidate) -> String {
    c.to_stored_json().to_string()
}

pub(super) fn parse_candidate(text: &str, span: Span) -> Result<Candidate, Stop> {
    let json = serde_json::from_str(text).map_err(|e| e.to_string());
    match json.and_then(|j| Candidate::from_json(&j)) {
        Ok(c) => Ok(c),
        Err(e) => fail(span, format!("the stored candidate cannot be read: {e}")),
    }
}

pub(super) fn failed(e: BuildError, span: Span) -> Stop {
    let mut d = e.diagnostic();
    if d.labels.iter().all(|l| l.span == Span::default()) {
        d.labels.clear();
    }
    Stop::Failed(Box::new(d.label(span, "in this call")))
}

pub(super) fn object<T: std::any::Any + Send + Sync>(v: &Value, span: Span) -> Result<&T, Stop> {
    match v.object::<T>() {
        Some(x) => Ok(x),
        None => fail(span, format!("`{v}` is of another kind than this call takes")),
    }
}

fn until_of(v: Option<&Value>) -> Option<u64> {
    v.and_then(Value::as_int).map(|i| i.max(0) as u64)
}

pub(super) fn selector_of(v: &Value, span: Span) -> Result<String, Stop> {
    match v {
        Value::Str(s) => Ok(s.to_string()),
        other => Ok(object::<DecisionObject>(other, span)?.decision.name.clone()),
    }
}

/// What a decision may be decided by: its `given` values, else its name.
pub(super) fn state_of(d: &Decision) -> Value {
    if d.given.is_empty() {
        return Value::str(d.name.as_str());
    }
    Value::list(std::iter::once(Value::str(d.kind())).chain(d.given.iter().map(|g| Value::str(g.as_str()))))
}

/// Chance from a stream; shared by strategies and evaluations.
pub(super) fn chance(f: HostFn, args: &[Value], rng: &mut Stream, span: Span) -> Option<Result<Value, Stop>> {
    Some(match f {
        HostFn::Flip => Ok(Value::Bool(rng.flip(args[0].as_float().unwrap_or(0.0)))),
        HostFn::Uniform => {
            let (lo, hi) = (args[0].as_float().unwrap_or(0.0), args[1].as_float().unwrap_or(1.0));
            Ok(Value::Float(lo + (hi - lo) * rng.unit()))
        }
        HostFn::Normal => Ok(Value::Float(rng.normal())),
        HostFn::Below => match args[0].as_int() {
            Some(n) if n > 0 => Ok(Value::Int(rng.below(n as usize) as i64)),
            _ => fail(span, "there is nothing to draw from"),
        },
        _ => return None,
    })
}

impl Host for StrategyHost {
    fn call(&mut self, f: HostFn, args: &[Value], span: Span) -> Result<Value, Stop> {
        if let Some(r) = chance(f, args, &mut self.rng, span) {
            return r;
        }
        if let Some(r) = candidates::read(&self.search.space, f, args, span) {
            return r;
        }
        if let Some(r) = edits::serve(&self.search.space, &mut self.rng, f, args, span) {
            return r;
        }
        let search = self.search.clone();
        match f {
            HostFn::Objectives => Ok(Value::Int(search.objectives.len() as i64)),
            HostFn::Budget => match self.used() {
                Ok(x) => Ok(Value::Float(1.0 - x)),
                Err(e) => self.end(e),
            },

            HostFn::Submit => {
                let job = self.job(args, span)?;
                match self.engine.submit(job) {
                    Ok(_) => Ok(Value::None),
                    Err(e) => self.end(e),
                }
            }
            HostFn::Results => Ok(Value::Opaque(Opaque::new(Tag::Trial, "results", ResultsObject))),
            HostFn::StreamNext => match self.engine.next_result() {
                Ok(Next::Trial(t)) => Ok(trial(t)),
                Ok(Next::Idle) => Ok(Value::None),
                Err(e) => self.end(e),
            },
            HostFn::Evaluate => {
                let job = self.job(args, span)?;
                match self.engine.evaluate(job) {
                    Ok(t) => Ok(trial(t)),
                    Err(e) => self.end(e),
                }
            }
            HostFn::EvaluateAll => {
                let mut jobs = Vec::new();
                for v in args[0].as_list().unwrap_or_default() {
                    let c = object::<Candidate>(v, span)?.clone();
                    jobs.push(self.job_of(&c, args.get(1), args.get(2), span)?);
                }
                match self.engine.evaluate_all(jobs) {
                    Ok(ts) => Ok(Value::list(ts.into_iter().map(trial))),
                    Err(e) => self.end(e),
                }
            }
            HostFn::ResumeAll => {
                let mut jobs = Vec::new();
                for v in args[0].as_list().unwrap_or_default() {
                    jobs.push(Job::resume(&self.trained(object::<Arc<Trial>>(v, span)?), until_of(args.get(1))));
                }
                match self.engine.evaluate_all(jobs) {
                    Ok(ts) => Ok(Value::list(ts.into_iter().map(trial))),
                    Err(e) => self.end(e),
                }
            }
            HostFn::Resume => {
                let job = Job::resume(&self.trained(object::<Arc<Trial>>(&args[0], span)?), until_of(args.get(1)));
                match self.engine.evaluate(job) {
                    Ok(t) => Ok(trial(t)),
                    Err(e) => self.end(e),
                }
            }
            HostFn::History => Ok(Value::list(self.engine.history().into_iter().map(trial))),
            HostFn::Best => Ok(self.engine.best().map_or(Value::None, trial)),
            HostFn::Fittest => {
                let (mut best, mut most) = (None, None);
                let all = args[0].as_list().unwrap_or_default();
                let among = args[1].as_int().unwrap_or(0).max(0) as usize;
                for k in 0..if among > 0 && !all.is_empty() { among } else { all.len() } {
                    let v = &all[if among > 0 { self.rng.below(all.len()) } else { k }];
                    let r = object::<Arc<Trial>>(v, span)?.reward();
                    if best.is_none() || r > most {
                        (best, most) = (Some(v), r);
                    }
                }
                best.map_or_else(|| fail(span, "there is no trial to choose from"), |v| Ok(v.clone()))
            }
            HostFn::MetricsGet | HostFn::MetricsNames => candidates::metric(f, args, span),

            HostFn::TrialReward => Ok(object::<Arc<Trial>>(&args[0], span)?.reward().map_or(Value::None, Value::Float)),
            HostFn::TrialObjectives => {
                let t = object::<Arc<Trial>>(&args[0], span)?;
                let n = search.objectives.len();
                Ok(Value::list((0..n).map(|i| Value::Float(t.rewards.get(i).copied().unwrap_or(f64::NEG_INFINITY)))))
            }
            HostFn::TrialMetrics => {
                let t = object::<Arc<Trial>>(&args[0], span)?;
                Ok(metrics(format!("trial {}", t.id), t.metrics.clone()))
            }
            HostFn::TrialCurve => {
                Ok(Value::list(object::<Arc<Trial>>(&args[0], span)?.curve.iter().map(|p| Value::Float(p.1))))
            }
            HostFn::TrialStatus => Ok(Value::str(match object::<Arc<Trial>>(&args[0], span)?.status {
                Status::Done | Status::Cached => "ok",
                Status::Failed => "failed",
                Status::Queued | Status::Running => "stopped",
            })),
            HostFn::TrialCandidate => {
                let mut c = parse_candidate(&object::<Arc<Trial>>(&args[0], span)?.candidate, span)?;
                // Edits from here on are edits of what was trained.
                c.lineage.clear();
                Ok(candidate(c))
            }
            HostFn::TrialId => Ok(Value::Int(object::<Arc<Trial>>(&args[0], span)?.id.0 as i64)),
            HostFn::TrialEpochs => Ok(Value::Int(object::<Arc<Trial>>(&args[0], span)?.curve.len() as i64)),
            HostFn::TrialPath => self.path(object::<Arc<Trial>>(&args[0], span)?, span),

            HostFn::Key => {
                let c = object::<Candidate>(&args[0], span)?.clone();
                Ok(Value::str(self.canonical(&c).map_err(|e| failed(e, span))?))
            }

            HostFn::Report => {
                let point = (args[0].as_int().unwrap_or(0).max(0) as u64, args[1].as_float().unwrap_or(f64::NAN));
                match self.engine.report(point, None) {
                    Ok(()) => Ok(Value::None),
                    Err(e) => self.end(e),
                }
            }
            HostFn::Fail => fail(span, args[0].as_str().unwrap_or("it failed")),
            HostFn::Log => {
                self.engine.log(&args[0].to_string());
                Ok(Value::None)
            }
            HostFn::Data => {
                let split = Arc::new(search.split.clone());
                Ok(data(DataObject { split, part: None, augment: Augment::default() }))
            }
            HostFn::DataTrain
            | HostFn::DataValid
            | HostFn::DataPart
            | HostFn::DataAugment
            | HostFn::DataLen
            | HostFn::DataClasses => super::evaluation::data_call(f, args, search.seed, span),
            other => fail(span, format!("`{}` is not available in strategies", other.row().name)),
        }
    }
}
