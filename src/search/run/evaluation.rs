//! What evaluations ask for, and the evaluator that runs them on workers.
//!
//! An evaluation is a deterministic program over costly calls (a pass over the data, a score). A snapshot keeps the
//! results of those calls so far and the models' weights; going on from it means running the program again with the
//! kept results answering, then live. So an evaluation in the language needs no code of its own for being resumed.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::algo::runner::combined;
use crate::algo::task::{Loss, Schedule, Tasks};
use crate::base::Span;
use crate::base::rng::Stream;
use crate::data::{Augment, Part, Split, Table};
use crate::diag::{Diagnostic, codes};
use crate::learn::model::Pass;
use crate::learn::step::{CLIP, Recipe, Target};
use crate::learn::{Learner, Model, Trouble};
use crate::search::engine::{
    Cancelled, Evaluator, Failure, FailureKind, Job, Metrics, Report, Snapshot, Trial, TrialId, Unrecorded,
};
use crate::search::lang::{Host, HostFn, OpRef, Opaque, Stop, Tag, Value};
use crate::search::setup::{Argument, Search, resolve, standard};
use crate::sema::modules::ItemRef;
use crate::sema::sym::Num;
use crate::space::Want;
use crate::space::apply::OpUse;
use crate::space::decision::Candidate;
use crate::store::Store;
use crate::syntax::ast::ItemKind;

use super::candidates;
use super::objects::{DataObject, MetricsObject, candidate, data, fail, metrics};
use super::strategy::{chance, failed, object, parse_candidate};

/// A snapshot that nobody asked for is written no more often than this.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(10);

/// Files of results that were read, by path and key column: each is read once, whatever the number of workers.
#[derive(Default)]
pub struct Tables(Mutex<BTreeMap<(String, String), Arc<Results>>>);

/// A file of results, with the columns that hold a number in every row.
struct Results {
    table: Table,
    numeric: Vec<(String, usize)>,
}

impl Tables {
    fn get(&self, file: &str, column: &str, span: Span) -> Result<Arc<Results>, Stop> {
        let key = (file.to_string(), column.to_string());
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(t) = tables.get(&key) {
            return Ok(t.clone());
        }
        let table = Table::open(std::path::Path::new(file), column, span).map_err(|d| Stop::Failed(Box::new(d)))?;
        let place = |name: String| Some((table.columns().iter().position(|c| *c == name)?, name));
        let numeric = table.numeric().into_iter().filter_map(place).map(|(at, name)| (name, at)).collect();
        Ok(tables.entry(key).or_insert(Arc::new(Results { table, numeric })).clone())
    }
}

/// The models that an evaluation built, in order.
type Models = Vec<Arc<Mutex<Model>>>;

/// Evaluates a search's candidates.
pub struct Children {
    search: Arc<Search>,
    learner: Arc<Learner>,
    split: Arc<Split>,
    tables: Arc<Tables>,
    /// Whether a strategy may come back to a trial, for its weights or to go on.
    keep: bool,
}

impl Children {
    /// An evaluator for a search.
    pub fn new(search: Arc<Search>, learner: Arc<Learner>) -> Self {
        let strategy = &search.strategy.0;
        let keep =
            strategy.inherits() || [HostFn::Resume, HostFn::ResumeAll].iter().any(|f| strategy.uses().contains(f));
        let split = Arc::new(search.split.clone());
        Self { search, learner, split, tables: Arc::default(), keep }
    }

    /// The same with tables that others have read.
    #[must_use]
    pub fn with_tables(self, tables: Arc<Tables>) -> Self {
        Self { tables, ..self }
    }

    /// What they share.
    pub fn learner(&self) -> &Arc<Learner> {
        &self.learner
    }

    fn arguments(&self, c: &Candidate) -> Result<Vec<Value>, Failure> {
        let other = |d: Diagnostic| Failure::new(FailureKind::Other, d.message);
        if self.search.evaluation.1.iter().all(|a| matches!(a, Argument::Value(_))) {
            return Ok(self.search.evaluation.1.iter().map(given).collect());
        }
        let extras = self.search.space.build(c, Want::Decisions).map_err(|e| other(e.diagnostic()))?.extras;
        Ok(self
            .search
            .evaluation
            .1
            .iter()
            .map(|a| match a {
                Argument::Value(_) => given(a),
                Argument::Decided(name, ty) => {
                    let x = extras.get(name).copied().unwrap_or(f64::NAN);
                    match ty {
                        crate::search::lang::Type::Int => Value::Int(x as i64),
                        crate::search::lang::Type::Bool => Value::Bool(x != 0.0),
                        _ => Value::Float(x),
                    }
                }
            })
            .collect())
    }

    fn run(&self, job: &Job, report: &mut dyn Report, stop: &AtomicBool) -> Result<(Metrics, Models), Failure> {
        let other = |m: String| Failure::new(FailureKind::Other, m);
        let span = Span::default();
        let c = parse_candidate(&job.candidate, span).map_err(|_| other("the candidate cannot be read".to_string()))?;
        let args = self.arguments(&c)?;
        let mut host = EvaluationHost::new(self, job, c, report);
        let result = self.search.evaluation.0.run(&args, &mut host, stop);
        if let Some(f) = host.failure.take() {
            return Err(f);
        }
        match result {
            Ok(v) => {
                let Value::Record(fields) = v else {
                    return Err(other("the evaluation returned no metrics".to_string()));
                };
                let metrics: Metrics = fields.iter().filter_map(|(n, v)| Some((n.clone(), v.as_float()?))).collect();
                if let Some((n, x)) = metrics.iter().find(|(_, x)| x.is_nan()) {
                    return Err(Failure::new(FailureKind::Nan, format!("the metric `{n}` is {x}")));
                }
                host.last_snapshot();
                Ok((metrics, host.models))
            }
            Err(Stop::Failed(d)) => Err(other(d.message)),
            Err(Stop::Finished) => Err(Failure::new(FailureKind::Cancelled, "the search was stopped")),
        }
    }

    /// The best trial again, then the score of its (last) model on the test part by the task's own metric. `None` if the
    /// evaluation trains no network or there is no test part.
    ///
    /// Weights that it inherited are those that its parent left in `store`.
    pub fn test(&self, store: &Store, best: &Trial, stop: &AtomicBool) -> Result<Option<f64>, Diagnostic> {
        let mut job = Job::new(best.candidate.clone(), best.key.clone())
            .until(best.until)
            .inherit(best.parent)
            .repeat(best.repeat);
        job.seed = crate::base::hash::hash64(format!("trial/{}/{}", job.key, job.repeat).as_bytes(), self.search.seed);
        let unplaced = |m: String| Diagnostic::unplaced(&codes::CALL_FAILED, m);
        let (_, models) = self
            .run(&job, &mut Stored(store), stop)
            .map_err(|f| unplaced(format!("the best candidate could not be trained again: {}", f.reason)))?;
        let Some(model) = models.last() else { return Ok(None) };
        if self.split.test.is_empty() {
            return Ok(None);
        }
        let mut m = model.lock().unwrap_or_else(PoisonError::into_inner);
        let metric = default_op(&self.search, metric_name(&self.learner.target), Span::default());
        let Some(metric) = metric else { return Ok(None) };
        m.score(&self.split.test, &metric)
            .map(Some)
            .map_err(|t| unplaced(format!("the best candidate could not be scored: {t:?}")))
    }
}

/// Reports to nobody, and finds other trials in a store.
struct Stored<'a>(&'a Store);

impl Stored<'_> {
    fn trial(&self, id: TrialId) -> Option<Trial> {
        self.0.trials().ok()?.into_iter().find(|t| t.id == id)
    }
}

impl Report for Stored<'_> {
    fn report(&mut self, step: u64, value: f64, snapshot: Option<&[u8]>) -> Result<(), Cancelled> {
        Unrecorded.report(step, value, snapshot)
    }

    fn snapshot(&self) -> Option<&Snapshot> {
        None
    }

    fn snapshot_of(&self, trial: TrialId) -> Option<Snapshot> {
        let trial = self.trial(trial).and_then(|t| t.same_as).unwrap_or(trial);
        self.0.snapshot(Some(trial)).ok().flatten()
    }

    fn candidate_of(&self, trial: TrialId) -> Option<Arc<str>> {
        self.trial(trial).map(|t| t.candidate)
    }

    fn cancelled(&self) -> bool {
        false
    }
}

impl Evaluator for Children {
    fn evaluate(&self, job: &Job, report: &mut dyn Report) -> Result<Metrics, Failure> {
        let stop = AtomicBool::new(false);
        self.run(job, report, &stop).map(|r| r.0)
    }
}

fn given(a: &Argument) -> Value {
    match a {
        Argument::Value(v) => v.clone(),
        Argument::Decided(..) => Value::None,
    }
}

fn metric_name(t: &Target) -> &'static str {
    match t {
        Target::Classes => "accuracy",
        Target::Numbers(_) => "mean_squared_error",
    }
}

fn loss_name(t: &Target) -> &'static str {
    match t {
        Target::Classes => "cross_entropy",
        Target::Numbers(_) => "mean_squared_error",
    }
}

fn default_op(search: &Search, name: &str, span: Span) -> Option<OpUse> {
    Some(OpUse { item: standard(&search.program, name)?, args: Vec::new(), span })
}

/// The calls whose results a snapshot keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kept {
    Pass(f64),
    Score(f64),
    Latency(f64),
}

impl Kept {
    fn pass(self) -> Option<f64> {
        if let Kept::Pass(x) = self { Some(x) } else { None }
    }

    fn score(self) -> Option<f64> {
        if let Kept::Score(x) = self { Some(x) } else { None }
    }

    fn latency(self) -> Option<f64> {
        if let Kept::Latency(x) = self { Some(x) } else { None }
    }

    fn encode(self) -> [u8; 9] {
        let (tag, x) = match self {
            Kept::Pass(x) => (0, x),
            Kept::Score(x) => (1, x),
            Kept::Latency(x) => (2, x),
        };
        let mut out = [tag; 9];
        out[1..].copy_from_slice(&x.to_le_bytes());
        out
    }

    fn decode(b: &[u8]) -> Option<Self> {
        let x = f64::from_le_bytes(b.get(1..9)?.try_into().ok()?);
        Some(match b[0] {
            0 => Kept::Pass(x),
            1 => Kept::Score(x),
            2 => Kept::Latency(x),
            _ => return None,
        })
    }
}

/// Results of calls and weights of models as bytes.
fn encode(kept: &[Kept], models: &[Arc<Mutex<Model>>]) -> Vec<u8> {
    let mut out = (kept.len() as u64).to_le_bytes().to_vec();
    for k in kept {
        out.extend(k.encode());
    }
    for m in models {
        let bytes = m.lock().unwrap_or_else(PoisonError::into_inner).save();
        out.extend((bytes.len() as u64).to_le_bytes());
        out.extend(bytes);
    }
    out
}

/// What [`encode`] wrote.
fn decode(bytes: &[u8]) -> Option<(VecDeque<Kept>, Vec<Vec<u8>>)> {
    let word = |b: &[u8]| Some(u64::from_le_bytes(b.get(..8)?.try_into().ok()?) as usize);
    let n = word(bytes)?;
    let mut at = 8;
    let mut kept = VecDeque::new();
    for _ in 0..n {
        kept.push_back(Kept::decode(bytes.get(at..at + 9)?)?);
        at += 9;
    }
    let mut models = Vec::new();
    while at < bytes.len() {
        let len = word(&bytes[at..])?;
        models.push(bytes.get(at + 8..at + 8 + len)?.to_vec());
        at += 8 + len;
    }
    Some((kept, models))
}

/// Serves one evaluation.
struct EvaluationHost<'a> {
    children: &'a Children,
    job: &'a Job,
    candidate: Candidate,
    report: &'a mut dyn Report,
    rng: Stream,
    models: Vec<Arc<Mutex<Model>>>,
    /// What a snapshot answers; live once it is empty.
    replay: VecDeque<Kept>,
    saved: Vec<Vec<u8>>,
    kept: Vec<Kept>,
    snapshot_at: Instant,
    last_report: Option<(u64, f64)>,
    failure: Option<Failure>,
    step: u64,
}

impl<'a> EvaluationHost<'a> {
    fn new(children: &'a Children, job: &'a Job, c: Candidate, report: &'a mut dyn Report) -> Self {
        let (replay, saved) = report.snapshot().and_then(|s| decode(&s.data)).unwrap_or_default();
        Self {
            children,
            job,
            candidate: c,
            report,
            rng: Stream::new(job.seed, "evaluation"),
            models: Vec::new(),
            replay,
            saved,
            kept: Vec::new(),
            snapshot_at: Instant::now(),
            last_report: None,
            failure: None,
            step: 0,
        }
    }

    fn trouble<T>(&mut self, t: Trouble, span: Span) -> Result<T, Stop> {
        let (kind, reason) = match t {
            Trouble::Diverged(m) => (FailureKind::Nan, m),
            Trouble::Memory(m) => (FailureKind::Memory, m),
            Trouble::Cancelled => (FailureKind::Cancelled, "the search was stopped".to_string()),
            Trouble::Wrong(d) => return Err(Stop::Failed(Box::new(d.label(span, "in this call")))),
            Trouble::Failed(m) => (FailureKind::Other, m),
        };
        self.failure = Some(Failure::new(kind, reason));
        Err(Stop::Finished)
    }

    /// The kept result of a call, while a snapshot is replayed. After the last one the models get their weights.
    fn replayed(&mut self, which: fn(Kept) -> Option<f64>) -> Result<Option<f64>, Stop> {
        let Some(&k) = self.replay.front() else { return Ok(None) };
        let found = which(k);
        if found.is_some() {
            self.kept.push(k);
            self.replay.pop_front();
        } else if self.replay.iter().any(|k| matches!(k, Kept::Pass(_))) {
            let m = "the evaluation does not do again what it did before, so its training cannot go on";
            return self.trouble(Trouble::Failed(m.to_string()), Span::default());
        } else {
            // What the evaluation did at its end when it was to stop here, such as a last score, comes later now.
            self.replay.clear();
        }
        if self.replay.is_empty() {
            for (m, bytes) in self.models.iter().zip(std::mem::take(&mut self.saved)) {
                // A snapshot of an older form starts from fresh weights instead.
                let _ = m.lock().unwrap_or_else(PoisonError::into_inner).restore(&bytes);
            }
        }
        Ok(found)
    }

    fn point(&mut self, step: u64, value: f64) -> Result<(), Stop> {
        self.last_report = Some((step, value));
        if !self.replay.is_empty() {
            return Ok(());
        }
        let wanted = self.snapshot_at.elapsed() >= SNAPSHOT_EVERY && !self.models.is_empty();
        let bytes = wanted.then(|| encode(&self.kept, &self.models));
        if wanted {
            self.snapshot_at = Instant::now();
        }
        if self.report.report(step, value, bytes.as_deref()).is_err() {
            return self.trouble(Trouble::Cancelled, Span::default());
        }
        Ok(())
    }

    /// Weights that a later trial may want.
    fn last_snapshot(&mut self) {
        if let (true, Some((step, value))) = (self.children.keep && !self.models.is_empty(), self.last_report) {
            let bytes = encode(&self.kept, &self.models);
            // The point is known; only its snapshot is new. Cancelling does not matter any more.
            let _ = self.report.report(step, value, Some(&bytes));
        }
    }

    fn op(&self, r: &OpRef, span: Span) -> Result<(OpUse, Vec<(String, f64)>), Stop> {
        let search = &self.children.search;
        let Some(item) = resolve(&search.program, r.scope, &r.item) else {
            return fail(span, format!("there is no operation `{}`", r.item));
        };
        let knobs = self.knobs_of(item);
        let (mut args, mut at_run_time) = (Vec::new(), Vec::new());
        for (name, v) in &r.args {
            if knobs.contains(name) {
                at_run_time.push((name.clone(), v.as_float().unwrap_or(0.0)));
                continue;
            }
            let n = match v {
                Value::Int(i) => Num::Int(*i),
                Value::Float(x) => Num::Float(*x),
                Value::Bool(b) => Num::Bool(*b),
                other => return fail(span, format!("`{name} = {other}` is not a number")),
            };
            args.push((name.clone(), n));
        }
        Ok((OpUse { item, args, span }, at_run_time))
    }

    fn knobs_of(&self, item: ItemRef) -> Vec<String> {
        match &self.children.search.program.item(item).kind {
            ItemKind::Primitive(p) => crate::search::lang::env::knobs(p).map(|(n, _)| n.name.clone()).collect(),
            _ => Vec::new(),
        }
    }

    fn op_or(&self, v: Option<&Value>, default: &str, span: Span) -> Result<(OpUse, Vec<(String, f64)>), Stop> {
        match v {
            Some(Value::Op(r)) => self.op(r, span),
            _ => match default_op(&self.children.search, default, span) {
                Some(op) => Ok((op, Vec::new())),
                None => fail(span, format!("the standard operation `{default}` is missing")),
            },
        }
    }

    fn model(v: &Value, span: Span) -> Result<Arc<Mutex<Model>>, Stop> {
        object::<Arc<Mutex<Model>>>(v, span).cloned()
    }

    fn fit(&mut self, args: &[Value], span: Span) -> Result<Value, Stop> {
        let model = Self::model(&args[0], span)?;
        if let Some(x) = self.replayed(Kept::pass)? {
            return Ok(Value::Float(x));
        }
        let d = object::<DataObject>(&args[1], span)?;
        let part = part_of(d, span)?;
        let Value::Op(optimizer) = &args[3] else { return fail(span, "an optimizer is needed") };
        let (optimizer, mut knobs) = self.op(optimizer, span)?;
        if let Value::Record(fields) = &args[4] {
            knobs.extend(fields.iter().filter_map(|(n, v)| Some((n.clone(), v.as_float()?))));
        }
        let (loss, _) = self.op_or(args.get(5), loss_name(&self.children.learner.target), span)?;
        let clip = args.get(6).and_then(Value::as_float);
        if let Some(c) = clip {
            knobs.push((CLIP.to_string(), c));
        }
        let batch = args[2].as_int().unwrap_or(64).max(1) as usize;
        let report = &*self.report;
        let cancelled = || report.cancelled();
        let pass = Pass {
            part: &part,
            recipe: Recipe { batch, loss, optimizer, clip: clip.is_some() },
            knobs,
            augment: d.augment,
            cancelled: &cancelled,
        };
        let r = model.lock().unwrap_or_else(PoisonError::into_inner).fit(&pass);
        match r {
            Ok(x) => {
                self.kept.push(Kept::Pass(x));
                Ok(Value::Float(x))
            }
            Err(t) => self.trouble(t, span),
        }
    }
}

/// The examples that a data object stands for.
fn part_of(d: &DataObject, span: Span) -> Result<Part, Stop> {
    match &d.part {
        Some(p) => Ok(p.clone()),
        None => fail(span, "name a part of the data: `data.train` or `data.valid`"),
    }
}

/// Calls on data that strategies and evaluations share.
pub(super) fn data_call(f: HostFn, args: &[Value], seed: u64, span: Span) -> Result<Value, Stop> {
    let d = object::<DataObject>(&args[0], span)?;
    let of = |part: Option<Part>, augment: Augment| data(DataObject { split: d.split.clone(), part, augment });
    match f {
        HostFn::DataTrain => Ok(of(Some(d.split.search.clone()), d.augment)),
        HostFn::DataValid => Ok(of(Some(d.split.select.clone()), d.augment)),
        HostFn::DataPart => {
            let share = args[1].as_float().unwrap_or(1.0);
            if !(0.0 < share && share <= 1.0) {
                return fail(span, format!("a part of data is a share above 0 and up to 1, not {share}"));
            }
            Ok(of(Some(part_of(d, span)?.fraction(share, seed)), d.augment))
        }
        HostFn::DataAugment => {
            let augment = Augment {
                crop: args[1].as_int().unwrap_or(0).max(0) as usize,
                flip: matches!(args[2], Value::Bool(true)),
                cutout: args[3].as_int().unwrap_or(0).max(0) as usize,
            };
            if !augment.is_none() {
                augment.check(d.split.search.data(), span).map_err(|e| Stop::Failed(Box::new(e)))?;
            }
            Ok(of(d.part.clone(), augment))
        }
        HostFn::DataLen => {
            let whole = d.split.search.len() + d.split.select.len();
            Ok(Value::Int(d.part.as_ref().map_or(whole, Part::len) as i64))
        }
        _ => Ok(Value::Int(d.split.search.data().classes() as i64)),
    }
}

impl Host for EvaluationHost<'_> {
    fn call(&mut self, f: HostFn, args: &[Value], span: Span) -> Result<Value, Stop> {
        // No panic may cross the program's code; what it said is the trial's reason.
        catch_unwind(AssertUnwindSafe(|| self.serve(f, args, span))).unwrap_or_else(|payload| {
            let said = payload.downcast_ref::<&str>().copied();
            let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
            self.failure = Some(Failure::new(FailureKind::Panic, format!("the evaluation crashed: {said}")));
            Err(Stop::Finished)
        })
    }
}

impl EvaluationHost<'_> {
    fn tasks(&self, span: Span) -> Result<Arc<Tasks>, Stop> {
        match &self.children.search.tasks {
            Some(t) => Ok(t.clone()),
            None => fail(span, "the data has no tasks"),
        }
    }

    /// A program's losses on tasks, and what each loss is worth.
    fn run_tasks(&mut self, args: &[Value], span: Span) -> Result<(Vec<f64>, Loss), Stop> {
        let tasks = self.tasks(span)?;
        let space = &self.children.search.space;
        let program = space.program_of(object::<Candidate>(&args[0], span)?).map_err(|e| failed(e, span))?;
        let Some(design) = space.design() else { return fail(span, "the candidate is not a program") };
        let whole = |k: usize| args[k].as_int().unwrap_or(0).max(0) as usize;
        let name = args[7].as_str().unwrap_or("squared");
        let Some(loss) = Loss::named(name) else {
            return fail(span, format!("no loss is called `{name}`; there are squared, wrong and log"));
        };
        let (first, count) = (whole(1), whole(2));
        if first + count > tasks.tasks.len() {
            return fail(span, format!("there are {} tasks, not {}", tasks.tasks.len(), first + count));
        }
        let schedule = Schedule {
            first,
            count,
            train: whole(3),
            valid: whole(4),
            epochs: whole(5).max(1),
            worst: args[6].as_float().unwrap_or(f64::INFINITY),
            loss,
        };
        Ok((tasks.losses(&design.set, &program, &schedule).0, loss))
    }

    fn task_fitness(&mut self, args: &[Value], span: Span) -> Result<Value, Stop> {
        let (losses, loss) = self.run_tasks(args, span)?;
        let mut all: Vec<f64> = losses.into_iter().map(|x| loss.fitness(x)).collect();
        let median = match args[8].as_str() {
            Some("mean") => false,
            Some("median") => true,
            _ => return fail(span, "tasks are combined by `mean` or `median`"),
        };
        Ok(Value::Float(combined(&mut all, median)))
    }

    fn serve(&mut self, f: HostFn, args: &[Value], span: Span) -> Result<Value, Stop> {
        if let Some(r) = chance(f, args, &mut self.rng, span) {
            return r;
        }
        if let Some(r) = candidates::read(&self.children.search.space, f, args, span) {
            return r;
        }
        match f {
            HostFn::Candidate => Ok(candidate(self.candidate.clone())),
            HostFn::Until => Ok(self.job.until.map_or(Value::None, |u| Value::Int(u as i64))),
            HostFn::Data => {
                Ok(data(DataObject { split: self.children.split.clone(), part: None, augment: Augment::default() }))
            }
            HostFn::DataTrain
            | HostFn::DataValid
            | HostFn::DataPart
            | HostFn::DataAugment
            | HostFn::DataLen
            | HostFn::DataClasses => data_call(f, args, self.children.search.seed, span),
            HostFn::Build => {
                let c = object::<Candidate>(&args[0], span)?.clone();
                let learner = self.children.learner.clone();
                let seed = self.job.seed;
                let from_model = match args.get(1) {
                    Some(Value::Opaque(_)) => {
                        Some(Self::model(&args[1], span)?.lock().unwrap_or_else(PoisonError::into_inner).save())
                    }
                    _ => None,
                };
                // The parent's candidate, since its weights may be those of an equal one.
                let mut made_from = None;
                let saved = match (from_model, self.job.parent) {
                    (Some(bytes), _) => Some(bytes),
                    (None, Some(p)) => {
                        made_from = self.report.candidate_of(p).and_then(|text| parse_candidate(&text, span).ok());
                        let snapshot = self.report.snapshot_of(p);
                        let bytes = snapshot.and_then(|s| decode(&s.data)?.1.into_iter().next_back());
                        if bytes.is_none() && self.replay.is_empty() {
                            self.report.log(&format!("trial {p} left no weights, so this one starts fresh"));
                        }
                        bytes
                    }
                    (None, None) => None,
                };
                let made = match saved {
                    Some(bytes) => Model::inheriting(learner, c, seed, &bytes, made_from.as_ref()),
                    None => Ok(Model::new(learner, c, seed)),
                };
                match made {
                    Ok(m) => {
                        if self.replay.is_empty() {
                            m.losses.iter().for_each(|l| self.report.log(l));
                        }
                        let key = format!("model {}", self.models.len());
                        let m = Arc::new(Mutex::new(m));
                        self.models.push(m.clone());
                        Ok(Value::Opaque(Opaque::new(Tag::Model, key, m)))
                    }
                    Err(t) => self.trouble(t, span),
                }
            }
            HostFn::ModelFit => self.fit(args, span),
            HostFn::ModelScore => {
                let model = Self::model(&args[0], span)?;
                if let Some(x) = self.replayed(Kept::score)? {
                    return Ok(Value::Float(x));
                }
                let part = part_of(object::<DataObject>(&args[1], span)?, span)?;
                let (metric, _) = self.op_or(args.get(2), metric_name(&self.children.learner.target), span)?;
                let r = model.lock().unwrap_or_else(PoisonError::into_inner).score(&part, &metric);
                match r {
                    Ok(x) => {
                        self.kept.push(Kept::Score(x));
                        Ok(Value::Float(x))
                    }
                    Err(t) => self.trouble(t, span),
                }
            }
            HostFn::ModelLatency => {
                let model = Self::model(&args[0], span)?;
                if let Some(x) = self.replayed(Kept::latency)? {
                    return Ok(Value::Float(x));
                }
                let batch = args.get(1).and_then(Value::as_int).unwrap_or(1).max(1) as usize;
                let r = model.lock().unwrap_or_else(PoisonError::into_inner).latency(batch);
                match r {
                    Ok(x) => {
                        self.kept.push(Kept::Latency(x));
                        Ok(Value::Float(x))
                    }
                    Err(t) => self.trouble(t, span),
                }
            }
            HostFn::ModelParams | HostFn::ModelFlops | HostFn::ModelMemory => {
                let model = Self::model(&args[0], span)?;
                let mut m = model.lock().unwrap_or_else(PoisonError::into_inner);
                let r = match f {
                    HostFn::ModelParams => m.params(),
                    HostFn::ModelFlops => m.flops(),
                    _ => m.memory(),
                };
                drop(m);
                match r {
                    Ok(n) => Ok(Value::Float(n as f64)),
                    Err(t) => self.trouble(t, span),
                }
            }
            HostFn::Tasks => Ok(Value::Int(self.tasks(span)?.tasks.len() as i64)),
            HostFn::RunTasks => Ok(Value::list(self.run_tasks(args, span)?.0.into_iter().map(Value::Float))),
            HostFn::TaskFitness => self.task_fitness(args, span),
            // Here equal programs are one candidate already: the engine evaluates each once.
            HostFn::Recall | HostFn::Remember => Ok(Value::None),
            HostFn::Instructions => {
                let space = &self.children.search.space;
                let program = space.program_of(object::<Candidate>(&args[0], span)?).map_err(|e| failed(e, span))?;
                let Some(design) = space.design() else { return fail(span, "the candidate is not a program") };
                let live = program.without_dead(&design.set);
                Ok(Value::Int(live.parts.iter().map(Vec::len).sum::<usize>() as i64))
            }
            HostFn::Report => {
                self.step = args[0].as_int().unwrap_or(0).max(0) as u64;
                let value = args[1].as_float().unwrap_or(f64::NAN);
                self.point(self.step, value)?;
                Ok(Value::None)
            }
            HostFn::Fail => fail(span, args[0].as_str().unwrap_or("it failed")),
            HostFn::Log => {
                if self.replay.is_empty() {
                    self.report.log(&args[0].to_string());
                }
                Ok(Value::None)
            }
            HostFn::TableLookup => {
                let c = object::<Candidate>(&args[0], span)?;
                let (Some(file), Some(column), Some(key)) = (args[1].as_str(), args[2].as_str(), args[3].as_str())
                else {
                    return fail(span, "a look-up takes a file, a column and a key");
                };
                let key = fill_template(key, c, span)?;
                let base = self.children.search.program.modules[0].dir.clone().unwrap_or_default();
                let path = base.join(file);
                let results = self.children.tables.get(&path.to_string_lossy(), column, span)?;
                let row = results.table.row(&key, span).map_err(|d| Stop::Failed(Box::new(d)))?;
                let get = |(name, at): &(String, usize)| Some((name.clone(), results.table.get(row, *at)?));
                let values = results.numeric.iter().filter_map(get).collect();
                Ok(metrics(format!("{file} {key}"), values))
            }
            HostFn::TableMetric => {
                let m = object::<MetricsObject>(&args[0], span)?;
                let name = args[1].as_str().unwrap_or("");
                match m.0.iter().find(|(n, _)| n == name) {
                    Some((_, x)) => Ok(Value::Float(*x)),
                    None => {
                        let known: Vec<&str> = m.0.iter().map(|(n, _)| n.as_str()).collect();
                        fail(
                            span,
                            format!("the table has no numbers in a column `{name}`; it has {}", known.join(", ")),
                        )
                    }
                }
            }
            other => fail(span, format!("`{}` is not available in evaluations", other.row().name)),
        }
    }
}

/// A key with `{decision}` replaced by the candidate's values: `|{cell.edge(0,1).op}~0|`. Without braces: the candidate's JSON
/// if the key is empty.
fn fill_template(template: &str, c: &Candidate, span: Span) -> Result<String, Stop> {
    if template.is_empty() {
        return Ok(c.to_json().to_string());
    }
    let mut out = String::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}') else { break };
        let name = &rest[open + 1..open + close];
        let Some(v) = c.values.get(name) else {
            return fail(span, format!("the key names the decision `{name}`, which the candidate does not have"));
        };
        out.push_str(&rest[..open]);
        out.push_str(&v.to_string());
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    Ok(out)
}
