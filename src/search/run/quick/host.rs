//! What strategies ask for, where candidates and trials are handles.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::algo::vary::Kinds;
use crate::algo::{Design, Program};
use crate::base::Span;
use crate::base::rng::Stream;
use crate::diag::{Diagnostic, codes};
use crate::search::engine::{Event, Metrics, Observer, Outcome, Status, Trial, TrialId};
use crate::search::lang::{Heap, Host, HostFn, Obj, Opaque, Stop, Tag, Type, Value};
use crate::search::run::objects::{ResultsObject, candidate, fail, metrics};
use crate::search::run::strategy::{candidate_json, object};
use crate::search::run::{candidates, edits};
use crate::search::setup::Search;
use crate::space::decision::Candidate;
use crate::store::{Failure, FailureKind, Store};

use super::arena::Arena;
use super::journal::Coder;
use super::ring::{AHEAD, Ring};
use super::score::{Scorer, handle_of};

/// So many results are seen between looks at the clock.
const GLANCE: u64 = 256;

/// The journal is written this often.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// Whoever watches is told this often.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// So many results, the first of a search and all failed for another reason than numbers, end it.
const HOPELESS: u64 = 20;

/// A trial whose result was seen.
#[derive(Debug, Default)]
struct Seen {
    id: u64,
    program: u64,
    /// The first objective; not a number where it failed. It is read most, so it stands here too.
    reward: f64,
    rewards: Vec<f64>,
    metrics: Vec<f64>,
}

/// A trial that was submitted.
struct Open {
    program: u64,
    /// The call that submitted it waits for it.
    reserved: bool,
}

/// What a run did in earlier sessions.
struct Replay {
    /// The block that is being read, and where.
    bytes: Vec<u8>,
    at: usize,
    /// The number of the next block.
    next: u64,
    /// Results left in all blocks.
    left: u64,
}

/// Serves a strategy.
pub struct QuickHost<'s> {
    search: &'s Arc<Search>,
    design: &'s Design,
    ring: &'s Ring,
    store: &'s Store,
    observer: &'s dyn Observer,
    stop: &'s AtomicBool,
    scorer: Scorer<'s>,
    rng: Stream,
    programs: Arena<Program>,
    trials: Arena<Seen>,
    open: VecDeque<Open>,
    /// Seen, not yet given to a loop over results.
    ready: VecDeque<u64>,
    /// Seen, for the call that waits.
    reserved: VecDeque<u64>,
    /// Whether the strategy reads results at all, and whether it reads metrics.
    reads: (bool, bool),
    submitted: u64,
    seen: u64,
    /// Examples that were learned from in all sessions, and at the last writing.
    steps: (u64, u64),
    hopeful: bool,
    best: Option<u64>,
    improved: Vec<Arc<Trial>>,
    replay: Replay,
    rows: BTreeMap<u64, Trial>,
    coder: Coder,
    block: (u64, Vec<u8>),
    written: Instant,
    told: Instant,
    begun: Instant,
    elapsed_before: f64,
    kind: Arc<str>,
    /// Why the run cannot go on.
    pub failure: Option<Diagnostic>,
}

impl<'s> QuickHost<'s> {
    /// A host for a search that [`super::fits`], which goes on where the store's run stopped.
    pub fn new(
        search: &'s Arc<Search>,
        ring: &'s Ring,
        store: &'s Store,
        observer: &'s dyn Observer,
        stop: &'s AtomicBool,
    ) -> Result<Self, Diagnostic> {
        let odd = || Diagnostic::unplaced(&codes::RUN_FAILURE, "the search's candidates are no programs");
        let (Some(design), Some(scorer)) = (search.space.design(), Scorer::new(search)) else { return Err(odd()) };
        let uses = search.strategy.0.uses();
        let (left, steps) = store.journaled()?;
        let rows = if left == 0 { Vec::new() } else { store.trials()? };
        let now = Instant::now();
        Ok(Self {
            search,
            design,
            ring,
            store,
            observer,
            stop,
            scorer,
            rng: Stream::new(search.seed, "strategy"),
            programs: Arena::new(),
            trials: Arena::new(),
            open: VecDeque::new(),
            ready: VecDeque::new(),
            reserved: VecDeque::new(),
            reads: (
                uses.contains(&HostFn::StreamNext) || uses.contains(&HostFn::Results),
                uses.contains(&HostFn::TrialMetrics),
            ),
            submitted: 0,
            seen: 0,
            steps: (steps, steps),
            hopeful: false,
            best: None,
            improved: Vec::new(),
            replay: Replay { bytes: Vec::new(), at: 0, next: 0, left },
            rows: rows.into_iter().map(|t| (t.id.0, t)).collect(),
            coder: Coder::new(),
            block: (0, Vec::new()),
            written: now,
            told: now,
            begun: now,
            elapsed_before: store.elapsed()?,
            kind: "program".into(),
            failure: None,
        })
    }

    fn failed<T>(&mut self, d: Diagnostic) -> Result<T, Stop> {
        self.failure.get_or_insert(d);
        Err(Stop::Finished)
    }

    fn elapsed(&self) -> f64 {
        self.elapsed_before + self.begun.elapsed().as_secs_f64()
    }

    /// Places whose handles nobody holds any more are free.
    fn sweep(&mut self, heap: &mut Heap) {
        while let Some((tag, id)) = heap.dropped.pop() {
            if tag == Tag::Trial { self.release_trial(id) } else { _ = self.programs.release(id) }
        }
    }

    fn release_trial(&mut self, id: u64) {
        let program = self.trials.get(id).map(|t| t.program);
        if self.trials.release(id)
            && let Some(program) = program
        {
            self.programs.release(program);
        }
    }

    /// The program behind a slot, with one owner more.
    fn program(&mut self, heap: &Heap, slot: u64, span: Span) -> Result<u64, Stop> {
        if let Some(id) = heap.handle(slot) {
            self.programs.retain(id);
            return Ok(id);
        }
        let value = heap.value(slot, &Type::Opaque(Tag::Candidate));
        let c = object::<Candidate>(&value, span)?;
        let p = self.search.space.program_of(c).map_err(|e| crate::search::run::strategy::failed(e, span))?;
        let id = self.programs.take();
        if let Some(place) = self.programs.get_mut(id) {
            *place = p;
        }
        Ok(id)
    }

    /// A candidate as the general calls know it.
    fn whole(&self, v: &Value, span: Span) -> Result<Value, Stop> {
        let (Value::Opaque(o), Some(id)) = (v, handle_of(v)) else {
            return match v {
                Value::List(xs) => {
                    Ok(Value::list(xs.iter().map(|x| self.whole(x, span)).collect::<Result<Vec<_>, _>>()?))
                }
                v => Ok(v.clone()),
            };
        };
        match (o.tag, self.programs.get(id)) {
            (Tag::Candidate, Some(p)) => Ok(candidate(self.search.space.candidate_of(self.design, p))),
            (Tag::Trial, _) => Ok(v.clone()),
            _ => fail(span, "this candidate is gone"),
        }
    }

    fn submit(&mut self, program: u64, reserved: bool) -> Result<(), Stop> {
        if self.search.budget.trials.is_some_and(|n| self.submitted >= n) {
            self.programs.release(program);
            return Err(Stop::Finished);
        }
        while self.open.len() >= AHEAD {
            self.see()?;
        }
        // What is replayed is not scored; helpers would start on what is not replayed any more.
        let live = self.submitted >= self.replay_end();
        if let Some(p) = self.programs.get(program) {
            self.ring.add(p, live);
        }
        self.submitted += 1;
        self.open.push_back(Open { program, reserved });
        Ok(())
    }

    /// The number of the first trial that no earlier session has seen.
    fn replay_end(&self) -> u64 {
        self.seen + self.replay.left
    }

    /// The result of the oldest open trial becomes seen.
    fn see(&mut self) -> Result<(), Stop> {
        let Some(open) = self.open.pop_front() else { return Ok(()) };
        let trial = self.trials.take();
        let id = self.seen;
        let mut seen = std::mem::take(self.trials.get_mut(trial).unwrap_or(&mut Seen::default()));
        (seen.id, seen.program) = (id, open.program);
        seen.rewards.clear();
        seen.metrics.clear();
        let mut failure = None;
        if self.replay.left > 0 {
            let read = self.replayed(&mut seen);
            if let Err(d) = read {
                return self.failed(d);
            }
        } else {
            let ring = self.ring;
            let work = ring.oldest(&mut self.scorer);
            seen.rewards.extend_from_slice(&work.scored.rewards);
            seen.metrics.extend_from_slice(&work.scored.metrics);
            failure.clone_from(&work.scored.failure);
            self.steps.0 += work.scored.steps;
            for (key, bits) in &work.scored.remembered {
                ring.cache.put(*key, *bits);
            }
            drop(work);
            for k in 0..self.search.objectives.len() {
                self.coder.write(seen.rewards.get(k).copied().unwrap_or(f64::NAN), &mut self.block.1);
            }
            if self.reads.1 {
                for k in 0..self.search.metrics.len() {
                    self.coder.write(seen.metrics.get(k).copied().unwrap_or(f64::NAN), &mut self.block.1);
                }
            }
            self.block.0 += 1;
        }
        seen.reward = seen.rewards.first().copied().unwrap_or(f64::NAN);
        self.ring.remove();
        self.seen += 1;
        let best = self.best.and_then(|b| self.trials.get(b)).and_then(|t| t.rewards.first().copied());
        let better = seen.rewards.first().is_some_and(|r| best.is_none_or(|b| *r > b));
        if better {
            self.improve(&seen)?;
        }
        self.hopeful |= failure.as_ref().is_none_or(|f: &Failure| f.kind != FailureKind::Other);
        if let Some(place) = self.trials.get_mut(trial) {
            *place = seen;
        }
        if better {
            self.trials.retain(trial);
            if let Some(old) = self.best.replace(trial) {
                self.release_trial(old);
            }
        }
        if open.reserved {
            self.reserved.push_back(trial);
        } else if self.reads.0 {
            self.ready.push_back(trial);
        } else {
            self.release_trial(trial);
        }
        if let Some(f) = failure.filter(|_| !self.hopeful && self.seen >= HOPELESS) {
            let d = Diagnostic::unplaced(&codes::ALL_FAILED, format!("the first {} candidates all failed", self.seen))
                .note(format!("the last: {}", f.reason))
                .help("mend the evaluation or its arguments and start a new run");
            return self.failed(d);
        }
        if self.replay.left == 0 && self.search.budget.steps.is_some_and(|n| self.steps.0 >= n) {
            return Err(Stop::Finished);
        }
        if self.seen.is_multiple_of(GLANCE) { self.glance() } else { Ok(()) }
    }

    /// The next result of an earlier session.
    fn replayed(&mut self, seen: &mut Seen) -> Result<(), Diagnostic> {
        if self.replay.at >= self.replay.bytes.len() {
            self.replay.bytes = self.store.journal(self.replay.next)?;
            self.replay.next += 1;
            self.replay.at = 0;
        }
        let metrics = if self.reads.1 { self.search.metrics.len() } else { 0 };
        for k in 0..self.search.objectives.len() + metrics {
            let Some(x) = self.coder.read(&self.replay.bytes, &mut self.replay.at) else {
                let d = Diagnostic::unplaced(&codes::RUN_DIVERGED, "the journal of the run ends within a trial");
                return Err(d.help("start a new run"));
            };
            let to = if k < self.search.objectives.len() { &mut seen.rewards } else { &mut seen.metrics };
            to.push(x);
        }
        if seen.rewards.iter().any(|r| r.is_nan()) {
            seen.rewards.clear();
        }
        self.replay.left -= 1;
        if self.replay.left == 0
            && let Some(s) = self.store.snapshot(None)?
        {
            self.ring.cache.restore(&s.data);
        }
        Ok(())
    }

    /// What is better than all before it is kept and told.
    fn improve(&mut self, seen: &Seen) -> Result<(), Stop> {
        let trial = match self.rows.remove(&seen.id) {
            Some(t) => t,
            None => {
                let Some(p) = self.programs.get(seen.program) else { return Ok(()) };
                let text = candidate_json(&self.search.space.candidate_of(self.design, p));
                let named: Metrics = self.search.metrics.iter().cloned().zip(seen.metrics.iter().copied()).collect();
                Trial {
                    id: TrialId(seen.id),
                    call: seen.id,
                    key: crate::base::hash::hex(crate::base::hash::hash128(text.as_bytes())).into(),
                    candidate: text.into(),
                    until: None,
                    parent: None,
                    continues: None,
                    repeat: 0,
                    status: Status::Done,
                    same_as: None,
                    metrics: named,
                    rewards: seen.rewards.clone(),
                    curve: Vec::new(),
                    epochs: 0,
                    started: None,
                    seconds: 0.0,
                    failure: None,
                }
            }
        };
        if let Err(d) = self.store.put_trial(&trial) {
            return self.failed(d);
        }
        let trial = Arc::new(trial);
        self.improved.push(trial.clone());
        self.observer.event(&Event::Finished(trial.clone()));
        self.observer.event(&Event::Best(trial));
        self.observer.event(&Event::Counted(self.seen));
        Ok(())
    }

    /// Looks at the clock, and does what is due.
    fn glance(&mut self) -> Result<(), Stop> {
        if self.written.elapsed() >= WRITE_EVERY
            && let Err(d) = self.write()
        {
            return self.failed(d);
        }
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            self.observer.event(&Event::Counted(self.seen));
            self.observer.event(&Event::Used(self.used()));
        }
        let late = self.search.budget.seconds.is_some_and(|s| self.elapsed() >= s);
        if late || self.stop.load(Ordering::Relaxed) { Err(Stop::Finished) } else { Ok(()) }
    }

    /// The part of the budget that is used.
    fn used(&self) -> f64 {
        let b = &self.search.budget;
        let trials = b.trials.map_or(0.0, |n| self.seen as f64 / n as f64);
        let steps = b.steps.map_or(0.0, |n| self.steps.0 as f64 / n as f64);
        trials.max(steps).max(b.seconds.map_or(0.0, |s| self.elapsed() / s)).min(1.0)
    }

    /// Writes what was seen since it was last written.
    fn write(&mut self) -> Result<(), Diagnostic> {
        self.written = Instant::now();
        let (trials, bytes) = std::mem::take(&mut self.block);
        if trials == 0 {
            return Ok(());
        }
        let remembers = self.search.evaluation.0.uses().contains(&HostFn::Remember);
        let cache = remembers.then(|| self.ring.cache.save());
        let steps = self.steps.0 - self.steps.1;
        self.steps.1 = self.steps.0;
        self.store.add_journal((trials, steps), &bytes, cache.as_deref(), self.elapsed())
    }

    /// The program has ended: what is open is seen if it can be, and what was seen is written.
    pub fn finish(&mut self) -> Result<Outcome, Diagnostic> {
        while !self.open.is_empty() && !self.stop.load(Ordering::Relaxed) && self.failure.is_none() {
            if self.see().is_err() {
                break;
            }
        }
        self.write()?;
        self.observer.event(&Event::Counted(self.seen));
        self.observer.event(&Event::Used(self.used()));
        if let Some(d) = self.failure.take() {
            return Err(d);
        }
        let best = self.improved.last().cloned();
        Ok(Outcome { history: self.improved.clone(), best, waiting: 0, finished: self.seen })
    }

    /// How many places there are for programs and for trials.
    #[cfg(test)]
    pub fn places(&self) -> (usize, usize) {
        (self.programs.len(), self.trials.len())
    }

    /// Waits for trials of its own.
    fn wait(&mut self, n: usize) -> Result<(), Stop> {
        while self.reserved.len() < n && !self.open.is_empty() {
            self.see()?;
        }
        Ok(())
    }

    fn reward(&self, heap: &Heap, slot: u64) -> Option<f64> {
        self.trials.get(heap.handle(slot)?).map(|t| t.reward).filter(|r| !r.is_nan())
    }

    fn serve(&mut self, f: HostFn, heap: &mut Heap, a: &[u64], span: Span) -> Option<Result<u64, Stop>> {
        Some(match f {
            HostFn::Below => match a[0] as i64 {
                n if n > 0 => Ok(self.rng.below(n as usize) as u64),
                _ => fail(span, "there is nothing to draw from"),
            },
            HostFn::Flip => Ok(u64::from(self.rng.flip(f64::from_bits(a[0])))),
            HostFn::Normal => Ok(self.rng.normal().to_bits()),
            HostFn::Uniform => {
                let (lo, hi) = (f64::from_bits(a[0]), f64::from_bits(a[1]));
                Ok((lo + (hi - lo) * self.rng.unit()).to_bits())
            }
            HostFn::Random => {
                let id = self.programs.take();
                if let Some(p) = self.programs.get_mut(id) {
                    self.design.draw(&mut self.rng, p);
                }
                Ok(heap.add(Obj::Handle(Tag::Candidate, id)))
            }
            HostFn::Vary => {
                let from = match self.program(heap, a[0], span) {
                    Ok(id) => id,
                    Err(e) => return Some(Err(e)),
                };
                let to = self.programs.take();
                if let Some((p, q)) = self.programs.pair(from, to) {
                    crate::algo::vary::copy(p, q);
                }
                self.programs.release(from);
                let x = |k: usize| f64::from_bits(a[k]);
                let kinds =
                    Kinds { argument: x(1), instruction: x(2), part: x(3), insert: x(4), remove: x(5), trade: x(6) };
                if let Some(p) = self.programs.get_mut(to) {
                    self.design.vary(&kinds, &mut self.rng, p);
                }
                Ok(heap.add(Obj::Handle(Tag::Candidate, to)))
            }
            HostFn::CandidateKind => Ok(heap.add(Obj::Str(self.kind.clone()))),
            HostFn::Fill if heap.handle(a[0]).is_some() => {
                heap.retain(a[0]);
                Ok(a[0])
            }
            HostFn::Submit => {
                let id = match self.program(heap, a[0], span) {
                    Ok(id) => id,
                    Err(e) => return Some(Err(e)),
                };
                self.submit(id, false).map(|()| 0)
            }
            HostFn::StreamNext => {
                while self.ready.is_empty() && !self.open.is_empty() {
                    if let Err(e) = self.see() {
                        return Some(Err(e));
                    }
                }
                match self.ready.pop_front() {
                    Some(t) => Ok(heap.add(Obj::Handle(Tag::Trial, t))),
                    None if self.search.budget.trials.is_some_and(|n| self.submitted >= n) => Err(Stop::Finished),
                    None => Ok(0),
                }
            }
            HostFn::Evaluate => {
                let result = self.program(heap, a[0], span).and_then(|id| self.submit(id, true));
                match result.and_then(|()| self.wait(1)) {
                    Ok(()) => match self.reserved.pop_front() {
                        Some(t) => Ok(heap.add(Obj::Handle(Tag::Trial, t))),
                        None => Err(Stop::Finished),
                    },
                    Err(e) => Err(e),
                }
            }
            HostFn::EvaluateAll => {
                let items = heap.items(a[0]).to_vec();
                for &c in &items {
                    let result = self.program(heap, c, span).and_then(|id| self.submit(id, true));
                    if let Err(e) = result {
                        return Some(Err(e));
                    }
                }
                if let Err(e) = self.wait(items.len()) {
                    return Some(Err(e));
                }
                let all: Vec<u64> = self.reserved.drain(..).map(|t| heap.add(Obj::Handle(Tag::Trial, t))).collect();
                Ok(heap.list(all, &Type::Opaque(Tag::Trial)))
            }
            HostFn::Fittest => {
                let (mut best, mut most) = (None, None);
                let (all, among) = (heap.items(a[0]), (a[1] as i64).max(0) as usize);
                for k in 0..if among > 0 && !all.is_empty() { among } else { all.len() } {
                    let t = all[if among > 0 { self.rng.below(all.len()) } else { k }];
                    let r = self.reward(heap, t);
                    if best.is_none() || r > most {
                        (best, most) = (Some(t), r);
                    }
                }
                match best {
                    Some(t) => {
                        heap.retain(t);
                        Ok(t)
                    }
                    None => fail(span, "there is no trial to choose from"),
                }
            }
            HostFn::Best => Ok(self.best.map_or(0, |t| {
                self.trials.retain(t);
                heap.add(Obj::Handle(Tag::Trial, t))
            })),
            HostFn::TrialReward => Ok(self.reward(heap, a[0]).map_or(0, |r| heap.add(Obj::Boxed(r.to_bits())))),
            HostFn::TrialId => Ok(heap.handle(a[0]).and_then(|t| self.trials.get(t)).map_or(0, |t| t.id)),
            HostFn::TrialCandidate => match heap.handle(a[0]).and_then(|t| self.trials.get(t)).map(|t| t.program) {
                Some(p) => {
                    self.programs.retain(p);
                    Ok(heap.add(Obj::Handle(Tag::Candidate, p)))
                }
                None => fail(span, "this trial is gone"),
            },
            HostFn::TrialObjectives => {
                let t = heap.handle(a[0]).and_then(|t| self.trials.get(t));
                let n = self.search.objectives.len();
                let r = |k| t.and_then(|t| t.rewards.get(k)).copied().unwrap_or(f64::NEG_INFINITY).to_bits();
                let items = (0..n).map(r).collect();
                Ok(heap.list(items, &Type::Float))
            }
            _ => return None,
        })
    }
}

impl Host for QuickHost<'_> {
    fn quick(&mut self, f: HostFn, heap: &mut Heap, a: &[u64], span: Span) -> Option<Result<u64, Stop>> {
        self.sweep(heap);
        self.serve(f, heap, a, span)
    }

    fn call(&mut self, f: HostFn, args: &[Value], span: Span) -> Result<Value, Stop> {
        let trial = |host: &Self| args.first().and_then(handle_of).and_then(|t| host.trials.get(t).map(|s| (s.id, t)));
        match f {
            HostFn::Results => return Ok(Value::Opaque(Opaque::new(Tag::Trial, "results", ResultsObject))),
            HostFn::Objectives => return Ok(Value::Int(self.search.objectives.len() as i64)),
            HostFn::Budget => return Ok(Value::Float(1.0 - self.used())),
            HostFn::TrialStatus => {
                let failed = trial(self).and_then(|t| self.trials.get(t.1)).is_none_or(|t| t.rewards.is_empty());
                return Ok(Value::str(if failed { "failed" } else { "ok" }));
            }
            HostFn::TrialMetrics => {
                let seen = trial(self).and_then(|t| self.trials.get(t.1));
                let values = seen.map_or(&[][..], |t| &t.metrics);
                let named = self.search.metrics.iter().cloned().zip(values.iter().copied());
                let named = named.filter(|m| !m.1.is_nan()).collect();
                return Ok(metrics(format!("trial {}", seen.map_or(0, |t| t.id)), named));
            }
            HostFn::MetricsGet | HostFn::MetricsNames => return candidates::metric(f, args, span),
            HostFn::Fail => return fail(span, args[0].as_str().unwrap_or("it failed")),
            HostFn::Log => {
                if self.replay.left == 0 {
                    self.observer.event(&Event::Log(args[0].to_string()));
                }
                return Ok(Value::None);
            }
            _ => {}
        }
        let mut whole = Vec::new();
        for v in args {
            whole.push(self.whole(v, span)?);
        }
        if let Some(r) = candidates::read(&self.search.space, f, &whole, span) {
            return r;
        }
        match edits::serve(&self.search.space, &mut self.rng, f, &whole, span) {
            Some(r) => r,
            None => fail(span, format!("`{}` is not available in strategies", f.row().name)),
        }
    }
}
