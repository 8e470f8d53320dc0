//! The strategy's side of the engine: calls, replay, and the order in which results are seen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::budget::Spent;
use super::{
    Config, End, Evaluator, Event, FailureKind, Job, Next, Objective, Observer, Point, Status, Trial, TrialId, worker,
};
use crate::diag::{Diagnostic, codes};
use crate::store::{LogEntry, Logged, Snapshot, Store};

/// So many results in a row that were known before end the search.
const STALLED: u64 = 10_000;

/// So many results, the first of a search and all failed for a reason that is neither numerical nor one of memory or a crash,
/// end it: the evaluation is wrong, not the candidates.
const HOPELESS: usize = 20;

/// Waiting threads look at the stop flag and the clock this often.
const TICK: Duration = Duration::from_millis(50);

type Twin = (Arc<str>, Option<u64>, Option<TrialId>, u32);

fn twin_key(job: &Job) -> Twin {
    (job.key.clone(), job.until, job.parent, job.repeat)
}

/// A trial in memory.
pub(super) struct Slot {
    pub job: Arc<Job>,
    pub trial: Arc<Trial>,
    pub seen: bool,
    /// Waited for by its own call; results in general do not deliver it.
    reserved: bool,
    /// Equal trials that wait for this one.
    pub twins: Vec<usize>,
}

pub(super) struct State {
    pub slots: Vec<Slot>,
    /// Waiting for a worker.
    pub queue: VecDeque<usize>,
    /// Finished and perhaps not yet seen, in the order in which they finished.
    pub completed: VecDeque<usize>,
    pub finished: u64,
    /// Seen in this order: the strategy's history.
    seen: Vec<usize>,
    /// Seen but not yet delivered by `next_result`.
    ready: VecDeque<usize>,
    /// The first that may be unseen.
    oldest: usize,
    best: Option<usize>,
    spent: Spent,
    stalled: u64,
    /// Some result seen is not a failure of the evaluation itself.
    hopeful: bool,
    originals: BTreeMap<Twin, usize>,
    /// The number of the strategy's next call.
    call: u64,
    /// What is left of the log and of the stored trials to replay.
    log: VecDeque<LogEntry>,
    stored: VecDeque<Trial>,
    /// Workers take nothing more and evaluations are told to return.
    pub closing: bool,
    /// The run cannot be written any more.
    pub error: Option<Diagnostic>,
    /// Told to the observer once the lock is released.
    outbox: Vec<Event>,
}

impl State {
    fn live(&self) -> bool {
        self.log.is_empty() && self.stored.is_empty()
    }

    fn unseen(&self) -> usize {
        self.slots.len() - self.seen.len()
    }

    /// The log's next answer to call number `call`.
    fn logged(&mut self, call: u64) -> Option<Logged> {
        if self.log.front().is_some_and(|e| e.call == call) { self.log.pop_front().map(|e| e.what) } else { None }
    }

    /// The next result to be seen, if it has finished.
    fn next_finished(&mut self, deterministic: bool) -> Option<usize> {
        if deterministic {
            while self.slots.get(self.oldest).is_some_and(|s| s.seen) {
                self.oldest += 1;
            }
            return (self.slots.get(self.oldest)?.trial.status.is_finished()).then_some(self.oldest);
        }
        while let Some(i) = self.completed.pop_front() {
            if !self.slots[i].seen {
                return Some(i);
            }
        }
        None
    }

    /// The strategy sees a finished trial.
    fn see(&mut self, i: usize) {
        let slot = &mut self.slots[i];
        slot.seen = true;
        self.seen.push(i);
        if !slot.reserved {
            self.ready.push_back(i);
        }
        let trial = slot.trial.clone();
        self.spent.add(&trial);
        self.stalled = if trial.same_as.is_some() { self.stalled + 1 } else { 0 };
        self.hopeful |= trial.failure.as_ref().is_none_or(|f| f.kind != FailureKind::Other);
        if let Some(reward) = trial.reward()
            && self.best.and_then(|b| self.slots[b].trial.reward()).is_none_or(|best| reward > best)
        {
            self.best = Some(i);
            self.outbox.push(Event::Best(trial));
        }
    }
}

/// What the strategy's thread and the workers share.
pub(super) struct Shared {
    pub state: Mutex<State>,
    /// Workers wait for work.
    pub work: Condvar,
    /// The strategy waits for results.
    pub result: Condvar,
    pub store: Arc<Store>,
    pub evaluator: Arc<dyn Evaluator>,
    pub objective: Objective,
    pub observer: Arc<dyn Observer>,
    pub stop: Arc<AtomicBool>,
    pub cancel: AtomicBool,
    config: Config,
    begun: Instant,
    elapsed_before: f64,
}

type Guard<'a> = MutexGuard<'a, State>;

impl Shared {
    pub fn lock(&self) -> Guard<'_> {
        // Evaluators and observers run outside the lock, so a poisoned one is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds spent in all sessions.
    pub fn elapsed(&self) -> f64 {
        self.elapsed_before + self.begun.elapsed().as_secs_f64()
    }

    fn out_of_time(&self) -> bool {
        self.config.budget.seconds.is_some_and(|s| self.elapsed() >= s)
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Releases the lock and tells the observer what has gathered.
    pub fn release(&self, mut state: Guard<'_>) {
        let mut events = std::mem::take(&mut state.outbox);
        events.push(Event::Used(self.config.budget.used(state.finished, self.elapsed(), &state.spent)));
        drop(state);
        for event in &events {
            self.observer.event(event);
        }
    }

    /// The run cannot go on.
    pub fn fail(&self, state: &mut State, d: Diagnostic) -> End {
        state.error.get_or_insert_with(|| d.clone());
        self.cancel.store(true, Ordering::Relaxed);
        self.work.notify_all();
        self.result.notify_all();
        d.into()
    }

    /// Reasons to end at once, whatever is under way.
    fn interrupted(&self, state: &State) -> Result<(), End> {
        if let Some(d) = &state.error {
            return Err(d.clone().into());
        }
        if self.stopped() {
            return Err(End::Stopped);
        }
        if self.out_of_time() {
            return Err(End::Budget);
        }
        Ok(())
    }

    /// Waits until `ready` finds something.
    fn wait<'a, T>(
        &self,
        mut state: Guard<'a>,
        mut ready: impl FnMut(&mut State) -> Option<T>,
    ) -> (Guard<'a>, Result<T, End>) {
        loop {
            if let Err(end) = self.interrupted(&state) {
                return (state, Err(end));
            }
            if let Some(found) = ready(&mut state) {
                return (state, Ok(found));
            }
            state = self.result.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the next result in the strategy's order; it becomes seen by call number `call`.
    fn take_in<'a>(&self, state: Guard<'a>, call: u64, which: Option<usize>) -> (Guard<'a>, Result<usize, End>) {
        let (mut state, found) = self.wait(state, |s| match which {
            Some(i) => s.slots[i].trial.status.is_finished().then_some(i),
            None => s.next_finished(self.config.deterministic),
        });
        let result = found.and_then(|i| {
            let what = Logged::Seen(state.slots[i].trial.id);
            self.store.log(&LogEntry { call, what }).map_err(|d| self.fail(&mut state, d))?;
            state.see(i);
            match &state.slots[i].trial.failure {
                Some(f) if !state.hopeful && state.seen.len() >= HOPELESS => {
                    let d = Diagnostic::unplaced(
                        &codes::ALL_FAILED,
                        format!("the first {} candidates all failed", state.seen.len()),
                    )
                    .note(format!("the last: {}", f.reason))
                    .help("mend the evaluation or its arguments and start a new run");
                    Err(self.fail(&mut state, d))
                }
                _ => Ok(i),
            }
        });
        (state, result)
    }

    /// The log's results for call number `call` become seen again.
    fn replay(&self, state: &mut State, call: u64) -> Result<(), End> {
        while let Some(what) = state.logged(call) {
            let seen = match what {
                Logged::Seen(id) => Some(id.0 as usize),
                Logged::Value(_) => None,
            };
            match seen {
                Some(i) if state.slots.get(i).is_some_and(|s| s.trial.status.is_finished() && !s.seen) => state.see(i),
                _ => return Err(self.diverged(state, "the log has an answer to another call")),
            }
        }
        Ok(())
    }

    fn diverged(&self, state: &mut State, detail: &str) -> End {
        let d = Diagnostic::unplaced(
            &codes::RUN_DIVERGED,
            format!(
                "the program does not do again what it did when this run began (call {})",
                state.call.saturating_sub(1)
            ),
        )
        .note(detail)
        .help("start a new run; a run goes on only with the program that began it");
        self.fail(state, d)
    }

    fn submit(&self, mut state: Guard<'_>, job: Job, reserved: bool) -> Result<TrialId, End> {
        let call = state.call;
        state.call += 1;
        self.replay(&mut state, call)?;
        if !state.stored.is_empty() {
            let id = self.repeat(&mut state, job, reserved)?;
            self.release(state);
            return Ok(id);
        }
        if !state.log.is_empty() {
            return Err(self.diverged(&mut state, "it submits a candidate where it did not"));
        }
        let budget = &self.config.budget;
        let limit =
            if self.config.deterministic { self.config.lookahead } else { self.config.lookahead + self.config.workers };
        loop {
            self.interrupted(&state)?;
            if budget.is_spent(&state.spent) || budget.trials.is_some_and(|n| state.slots.len() as u64 >= n) {
                return Err(End::Budget);
            }
            if state.stalled >= STALLED {
                return Err(End::Exhausted);
            }
            if state.unseen() < limit.max(1) {
                break;
            }
            let (back, result) = self.take_in(state, call, None);
            state = back;
            result?;
        }
        let id = TrialId(state.slots.len() as u64);
        let job = job.numbered(id, self.config.seed);
        let mut trial = blank(&job, call);
        trial.same_as = state.originals.get(&twin_key(&job)).map(|&i| TrialId(i as u64));
        if let Some(original) = trial.same_as {
            let original = state.slots[original.0 as usize].trial.clone();
            if original.status.is_finished() {
                copy_outcome(&mut trial, &original);
            }
        }
        self.store.put_trial(&trial).map_err(|d| self.fail(&mut state, d))?;
        self.enter(&mut state, job, trial, reserved);
        self.release(state);
        Ok(id)
    }

    /// A submission that the run has seen before.
    fn repeat(&self, state: &mut State, job: Job, reserved: bool) -> Result<TrialId, End> {
        let id = TrialId(state.slots.len() as u64);
        let job = job.numbered(id, self.config.seed);
        let Some(mut trial) = state.stored.pop_front() else {
            return Err(self.diverged(state, "it submits a candidate where it did not"));
        };
        let same = trial.id == id
            && trial.call + 1 == state.call
            && trial.candidate == job.candidate
            && trial.key == job.key
            && (trial.until, trial.parent, trial.continues, trial.repeat)
                == (job.until, job.parent, job.continues, job.repeat);
        if !same {
            let detail = format!("trial {id} was {}, now it would be {}", trial.candidate, job.candidate);
            return Err(self.diverged(state, &detail));
        }
        if trial.status == Status::Running {
            trial.status = Status::Queued;
        }
        self.enter(state, job, trial, reserved);
        Ok(id)
    }

    fn enter(&self, state: &mut State, job: Job, trial: Trial, reserved: bool) {
        let i = state.slots.len();
        let twin = twin_key(&job);
        let slot = Slot { job: Arc::new(job), trial: Arc::new(trial), seen: false, reserved, twins: Vec::new() };
        let (finished, trial) = (slot.trial.status.is_finished(), slot.trial.clone());
        state.slots.push(slot);
        if finished {
            state.finished += 1;
            state.completed.push_back(i);
            state.outbox.push(Event::Finished(trial.clone()));
        }
        match trial.same_as {
            Some(original) if !finished => {
                // Interrupted between the original's end and its own, or waits for an original under way.
                let j = original.0 as usize;
                if state.slots[j].trial.status.is_finished() {
                    if let Err(d) = self.answer_twin(state, i, j) {
                        self.fail(state, d);
                    }
                } else {
                    state.slots[j].twins.push(i);
                }
            }
            Some(_) => {}
            None => {
                state.originals.entry(twin).or_insert(i);
                if !finished {
                    state.queue.push_back(i);
                    self.work.notify_one();
                }
            }
        }
    }

    /// Trial `i` has the same outcome as the finished trial `original`.
    pub fn answer_twin(&self, state: &mut State, i: usize, original: usize) -> Result<(), Diagnostic> {
        let mut trial = (*state.slots[i].trial).clone();
        copy_outcome(&mut trial, &state.slots[original].trial.clone());
        self.store.put_trial(&trial)?;
        self.finished(state, i, trial);
        Ok(())
    }

    /// Trial `i` has its outcome.
    pub fn finished(&self, state: &mut State, i: usize, trial: Trial) {
        let trial = Arc::new(trial);
        state.slots[i].trial = trial.clone();
        state.finished += 1;
        state.completed.push_back(i);
        state.outbox.push(Event::Finished(trial));
        self.result.notify_all();
    }
}

fn blank(job: &Job, call: u64) -> Trial {
    Trial {
        id: job.id,
        call,
        candidate: job.candidate.clone(),
        key: job.key.clone(),
        until: job.until,
        parent: job.parent,
        continues: job.continues,
        repeat: job.repeat,
        status: Status::Queued,
        same_as: None,
        metrics: Vec::new(),
        rewards: Vec::new(),
        curve: Vec::new(),
        epochs: 0,
        started: None,
        seconds: 0.0,
        failure: None,
    }
}

fn copy_outcome(trial: &mut Trial, original: &Trial) {
    trial.same_as = Some(original.id);
    trial.status = if original.status == Status::Failed { Status::Failed } else { Status::Cached };
    trial.metrics.clone_from(&original.metrics);
    trial.rewards.clone_from(&original.rewards);
    trial.curve.clone_from(&original.curve);
    trial.failure.clone_from(&original.failure);
}

/// Evaluations walk deep programs and graphs.
const WORKER_STACK: usize = 16 << 20;

/// Runs a strategy's trials. Its calls are for one thread, the strategy's.
pub struct Engine {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

/// What a search left.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// All results within the budget: those that the strategy has seen, in its order, and then the others.
    pub history: Vec<Arc<Trial>>,
    /// The best by the first objective.
    pub best: Option<Arc<Trial>>,
    /// Trials that wait in the store for the search to be resumed.
    pub waiting: usize,
    /// How many results there are; more than the history has where only improvements are kept.
    pub finished: u64,
}

impl Engine {
    /// Starts the workers. A store that holds trials already is replayed.
    ///
    /// `stop` is raised by whoever wants the search to end soon (Ctrl-C). Errors: E1009 where a deterministic search
    /// would depend on time, and those of reading the store.
    pub fn new(
        store: Arc<Store>,
        evaluator: Arc<dyn Evaluator>,
        objective: Objective,
        observer: Arc<dyn Observer>,
        stop: Arc<AtomicBool>,
        config: Config,
    ) -> Result<Self, Diagnostic> {
        check_deterministic(&config)?;
        let state = State {
            slots: Vec::new(),
            queue: VecDeque::new(),
            completed: VecDeque::new(),
            finished: 0,
            seen: Vec::new(),
            ready: VecDeque::new(),
            oldest: 0,
            best: None,
            spent: Spent::default(),
            stalled: 0,
            hopeful: false,
            originals: BTreeMap::new(),
            call: 0,
            log: store.entries()?.into(),
            stored: store.trials()?.into(),
            closing: false,
            error: None,
            outbox: Vec::new(),
        };
        let elapsed_before = store.elapsed()?;
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            result: Condvar::new(),
            store,
            evaluator,
            objective,
            observer,
            stop,
            cancel: AtomicBool::new(false),
            begun: Instant::now(),
            elapsed_before,
            config,
        });
        let mut engine = Self { shared, workers: Vec::new() };
        for number in 0..engine.shared.config.workers.max(1) {
            let shared = engine.shared.clone();
            let thread = std::thread::Builder::new()
                .name(format!("worker {number}"))
                .stack_size(WORKER_STACK)
                .spawn(move || worker::work(&shared, number));
            engine.workers.push(thread.map_err(|e| {
                Diagnostic::unplaced(&codes::RUN_FAILURE, format!("cannot start worker {number}: {e}"))
                    .help("use fewer workers")
            })?);
        }
        Ok(engine)
    }

    /// Queues a job and returns. While too many trials are unseen it first takes in results; they go to
    /// [`Engine::history`] and will be delivered by [`Engine::next_result`].
    pub fn submit(&self, job: Job) -> Result<TrialId, End> {
        self.shared.submit(self.shared.lock(), job, false)
    }

    /// Waits for the next result.
    pub fn next_result(&self) -> Result<Next, End> {
        let shared = &*self.shared;
        let mut state = shared.lock();
        let call = state.call;
        state.call += 1;
        shared.replay(&mut state, call)?;
        let live = state.live();
        if live {
            shared.interrupted(&state)?;
        }
        loop {
            if let Some(i) = state.ready.pop_front() {
                let trial = state.slots[i].trial.clone();
                shared.release(state);
                return Ok(Next::Trial(trial));
            }
            // Reserved ones are seen by the call that waits for them, so all that is unseen here may be waited for.
            if state.unseen() == 0 {
                let budget = &shared.config.budget;
                let spent =
                    budget.is_spent(&state.spent) || budget.trials.is_some_and(|n| state.slots.len() as u64 >= n);
                return if live && spent { Err(End::Budget) } else { Ok(Next::Idle) };
            }
            if !live {
                return Err(shared.diverged(&mut state, "it waits for a result where it did not"));
            }
            if shared.config.budget.is_spent(&state.spent) {
                return Err(End::Budget);
            }
            let (back, result) = shared.take_in(state, call, None);
            state = back;
            result?;
        }
    }

    /// Waits for a trial that was submitted.
    fn wait_for(&self, id: TrialId) -> Result<Arc<Trial>, End> {
        let shared = &*self.shared;
        let mut state = shared.lock();
        let call = state.call;
        state.call += 1;
        shared.replay(&mut state, call)?;
        let i = id.0 as usize;
        if !state.slots[i].seen {
            if !state.live() {
                return Err(shared.diverged(&mut state, "it waits for a result where it did not"));
            }
            let (back, result) = shared.take_in(state, call, Some(i));
            state = back;
            result?;
        }
        let trial = state.slots[i].trial.clone();
        shared.release(state);
        Ok(trial)
    }

    /// Submits a job and waits for its result.
    pub fn evaluate(&self, job: Job) -> Result<Arc<Trial>, End> {
        let id = self.shared.submit(self.shared.lock(), job, true)?;
        self.wait_for(id)
    }

    /// Submits all jobs and waits for all results, which are in the order of the jobs. Jobs are drawn as workers need them.
    pub fn evaluate_all(&self, jobs: impl IntoIterator<Item = Job>) -> Result<Vec<Arc<Trial>>, End> {
        let mut ids = Vec::new();
        for job in jobs {
            ids.push(self.shared.submit(self.shared.lock(), job, true)?);
        }
        ids.into_iter().map(|id| self.wait_for(id)).collect()
    }

    /// A value that a later replay could not compute again, such as a measured time: computed once and logged.
    pub fn remember(&self, compute: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, End> {
        let shared = &*self.shared;
        let call = {
            let mut state = shared.lock();
            let call = state.call;
            state.call += 1;
            match state.logged(call) {
                Some(Logged::Value(bytes)) => return Ok(bytes),
                Some(Logged::Seen(_)) => {
                    return Err(shared.diverged(&mut state, "the log has an answer to another call"));
                }
                None if !state.live() => {
                    return Err(shared.diverged(&mut state, "it asks for a value where it did not"));
                }
                None => call,
            }
        };
        let bytes = compute();
        let entry = LogEntry { call, what: Logged::Value(bytes.clone()) };
        shared.store.log(&entry).map_err(|d| shared.fail(&mut shared.lock(), d))?;
        Ok(bytes)
    }

    /// Adds a point to the strategy's own curve (of a supernet, say), with it perhaps a snapshot of its learners.
    pub fn report(&self, point: Point, snapshot: Option<&[u8]>) -> Result<(), End> {
        let shared = &*self.shared;
        shared.interrupted(&shared.lock())?;
        shared.store.add_point(None, point, snapshot).map_err(|d| shared.fail(&mut shared.lock(), d))?;
        shared.observer.event(&Event::Point { trial: None, point });
        Ok(())
    }

    /// The last snapshot that the strategy reported, in this session or before.
    pub fn snapshot(&self) -> Result<Option<Snapshot>, End> {
        Ok(self.shared.store.snapshot(None)?)
    }

    /// A line for whoever watches; not stored.
    pub fn log(&self, text: &str) {
        if !self.is_replaying() {
            self.shared.observer.event(&Event::Log(text.to_string()));
        }
    }

    /// Seconds that the search has run, over all sessions.
    pub fn elapsed(&self) -> f64 {
        self.shared.elapsed()
    }

    /// Should the strategy end at once? For long computations between calls.
    pub fn interrupted(&self) -> Result<(), End> {
        self.shared.interrupted(&self.shared.lock())
    }

    /// The strategy still repeats what it did in an earlier session.
    pub fn is_replaying(&self) -> bool {
        !self.shared.lock().live()
    }

    /// All results that the strategy has seen, in that order.
    pub fn history(&self) -> Vec<Arc<Trial>> {
        let state = self.shared.lock();
        state.seen.iter().map(|&i| state.slots[i].trial.clone()).collect()
    }

    /// The best of them by the first objective; of equal ones the first seen.
    pub fn best(&self) -> Option<Arc<Trial>> {
        let state = self.shared.lock();
        state.best.map(|i| state.slots[i].trial.clone())
    }

    /// A trial by its number, as it stands now.
    pub fn trial(&self, id: TrialId) -> Option<Arc<Trial>> {
        self.shared.lock().slots.get(id.0 as usize).map(|s| s.trial.clone())
    }

    /// The program has ended: completes what is under way, unless the search was stopped or the budget has no room for
    /// it, and stops the workers. What was not completed waits in the store for the run to be resumed.
    pub fn finish(mut self) -> Result<Outcome, Diagnostic> {
        let shared = self.shared.clone();
        loop {
            let mut state = shared.lock();
            if state.unseen() == 0 || shared.config.budget.is_spent(&state.spent) {
                break;
            }
            // Not logged: the strategy does not see these, and may still see them if the budget is raised later.
            let (back, found) = shared.wait(state, |s| s.next_finished(shared.config.deterministic));
            state = back;
            let Ok(i) = found else { break };
            state.see(i);
            shared.release(state);
        }
        self.close();
        let mut state = shared.lock();
        if let Some(d) = &state.error {
            return Err(d.clone());
        }
        // What finished while the workers were being stopped counts, if the budget has room for it.
        for i in 0..state.slots.len() {
            let open = state.slots[i].trial.status.is_finished() && !state.slots[i].seen;
            if open && !shared.config.budget.is_spent(&state.spent) {
                state.see(i);
            }
        }
        Ok(Outcome {
            history: state.seen.iter().map(|&i| state.slots[i].trial.clone()).collect(),
            best: state.best.map(|i| state.slots[i].trial.clone()),
            finished: state.seen.len() as u64,
            waiting: state.slots.iter().filter(|s| !s.trial.status.is_finished()).count() + state.stored.len(),
        })
    }

    fn close(&mut self) {
        let shared = &*self.shared;
        {
            let mut state = shared.lock();
            state.closing = true;
            shared.cancel.store(true, Ordering::Relaxed);
            shared.work.notify_all();
        }
        let had_workers = !self.workers.is_empty();
        for thread in self.workers.drain(..) {
            // A worker catches its evaluations' panics; one of its own has nobody left to be told.
            let _ = thread.join();
        }
        if had_workers && let Err(d) = shared.store.set_elapsed(shared.elapsed()) {
            shared.fail(&mut shared.lock(), d);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

/// Time may not decide in deterministic mode (E1009).
pub fn check_deterministic(config: &Config) -> Result<(), Diagnostic> {
    if !config.deterministic {
        return Ok(());
    }
    let what = if config.budget.seconds.is_some() {
        "the budget counts time on the clock".to_owned()
    } else if let Some(metric) = config.measured.first() {
        format!("the objective reads `{metric}`, which is measured")
    } else {
        return Ok(());
    };
    Err(Diagnostic::unplaced(
        &codes::TIME_IN_DETERMINISTIC,
        format!("a deterministic search cannot depend on time, but {what}"),
    )
    .help("count trials or epochs, use `params` or `flops`; or leave out `deterministic`"))
}
