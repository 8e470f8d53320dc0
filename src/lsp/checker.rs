//! The check of whole files, on a thread of its own.
//!
//! Of every file only the newest text is checked: a check stops when a newer one comes. The parts of a file are checked one
//! by one, and what is known of a part that means the same as before is kept ([`reuse`](super::reuse)). Where much has to
//! be checked anew, what is known so far is shown meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::reuse::{self, Key, Keys, Moves};
use crate::base::{FileId, Span};
use crate::data::Kept;
use crate::diag::Diagnostic;
use crate::search::check::{Checker, Gathered, Unit, algorithms, describe, units};
use crate::search::setup::Overrides;
use crate::sema::modules::{Program, item_name};
use crate::sema::names::check_all;
use crate::space::Space;

/// How long a check may take before what is known so far is shown.
const SHOW: Duration = Duration::from_millis(15);

/// How long after the last check data sets stay open.
const IDLE: Duration = Duration::from_mins(1);

/// Stack of the thread: elaboration grows its own, the tree's depth is bounded.
pub const STACK: usize = 64 << 20;

/// A file to check.
#[derive(Clone, Debug)]
pub struct Job {
    /// As the editor spells it.
    pub uri: String,
    /// Where it is.
    pub path: PathBuf,
    /// The editor's number of its text.
    pub version: i32,
    /// What was loaded, and what was found wrong with it.
    pub loaded: Loaded,
}

/// A file with all that it uses.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// It is the root.
    pub program: Arc<Program>,
    /// What loading reported.
    pub diagnostics: Arc<[Diagnostic]>,
}

/// What the thread is told.
#[derive(Debug)]
pub enum Order {
    /// Check this.
    Check(Job),
    /// This file was closed.
    Forget(String),
}

/// What is known of one part of a file, or of all.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// `≈ 15,625 architectures, 6 decisions`, by the place of the search's or space's name.
    pub sizes: BTreeMap<Span, String>,
    /// Shapes of tensors, by the place of the expression.
    pub shapes: BTreeMap<Span, String>,
    /// Every decision of every space.
    pub decisions: Vec<Decision>,
}

/// A decision of a checked space.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// `cell.edge(0,1).op`
    pub name: String,
    /// What it chooses among, in words.
    pub options: String,
    /// The sites that it reaches.
    pub places: Vec<String>,
    /// Where it is written.
    pub span: Span,
}

/// What a check found out.
#[derive(Debug)]
pub struct Report {
    /// The editor's number of the text that was checked.
    pub version: i32,
    /// It and all that it uses.
    pub program: Arc<Program>,
    /// What is known.
    pub facts: Facts,
    /// The files that it was made of.
    pub files: BTreeSet<PathBuf>,
    /// Whether every part was checked; else some facts are missing, or of the text before.
    pub complete: bool,
}

impl Report {
    /// The shape of the smallest expression of the file around a byte, and its place.
    pub fn shape_at(&self, at: u32) -> Option<(Span, &str)> {
        let around = self.facts.shapes.iter().filter(|(s, _)| s.file == FileId(0) && s.start <= at && at <= s.end);
        around.min_by_key(|(s, _)| s.end - s.start).map(|(s, t)| (*s, t.as_str()))
    }
}

impl Facts {
    /// How many facts there are.
    pub fn count(&self) -> usize {
        self.diagnostics.len() + self.sizes.len() + self.shapes.len() + self.decisions.len()
    }

    fn space(&mut self, space: &Space) {
        for (span, shape) in space.shapes() {
            self.shapes.entry(span).or_insert(shape);
        }
        for d in space.decisions() {
            self.decisions.push(Decision {
                name: d.decision.name.clone(),
                options: d.decision.domain.describe(),
                places: d.places.clone(),
                span: d.decision.span,
            });
        }
    }
}

/// What is known of a part, and under which conditions it stays so.
struct Known {
    key: Key,
    scope: u128,
    facts: Facts,
}

impl Known {
    fn holds(&self, key: Key, scope: u128) -> bool {
        // What was not found may be spelled like something new.
        self.key == key && (self.facts.diagnostics.is_empty() || self.scope == scope)
    }
}

/// A part's name and sort, which stay while its text changes.
type Name = (u8, String);

fn name(program: &Program, unit: Unit) -> Name {
    let sort = match unit {
        Unit::Search(_) => 0,
        Unit::Space(_) => 1,
        Unit::Program(_) => 2,
    };
    (sort, item_name(program.item(unit.item())).map_or_else(String::new, |n| n.name.clone()))
}

/// What is known of one file; all places are those of `program`.
struct State {
    program: Arc<Program>,
    known: BTreeMap<Name, Known>,
}

/// All that lasts from check to check.
#[derive(Default)]
struct Memory {
    files: BTreeMap<String, State>,
    data: Kept,
}

fn facts_of(checker: &Checker, program: &Program, unit: Unit) -> Facts {
    let found = checker.check(unit);
    let mut out = Facts { diagnostics: found.diagnostics, ..Facts::default() };
    let own = item_name(program.item(unit.item())).map(|n| n.span);
    // `at most` says that it is not exact already.
    let about = |text: String| if text.starts_with("at most") { text } else { format!("≈ {text}") };
    let size = |s: &Space| s.size().map(|_| about(describe(s)));
    if let Some(s) = &found.search {
        out.sizes.extend(own.zip(size(&s.space)));
        out.space(&s.space);
    }
    if let Some(s) = &found.space {
        out.sizes.extend(own.zip(size(s)));
        out.space(s);
    }
    out
}

/// Checks one file. `stop` is asked between its parts: true if a newer text waits. `show` gets what is known meanwhile.
fn check(memory: &mut Memory, job: &Job, stop: &mut dyn FnMut() -> bool, show: &dyn Fn(Report)) -> Option<Report> {
    let begun = Instant::now();
    let program = &job.loaded.program;
    let mut early = Gathered::default();
    early.add(&job.loaded.diagnostics);
    if early.failed() {
        // What did not parse is missing everywhere else. What is known of the rest waits until it does.
        return Some(report(job, early, Facts::default(), true));
    }
    let old = memory.files.remove(&job.uri);
    let moves = old.as_ref().map(|o| Moves::new(&o.program, program));
    let mut before: BTreeMap<Name, (Option<Known>, Facts)> = BTreeMap::new();
    for (name, k) in old.map(|o| o.known).unwrap_or_default() {
        let Some(m) = &moves else { break };
        let exact = m.all(&k.facts).map(|facts| Known { facts, ..k });
        let rest = exact.as_ref().map_or_else(|| m.rest(&k.facts), |_| Facts::default());
        before.insert(name, (exact, rest));
    }
    early.add(&check_all(program));
    let late = algorithms(program);

    let base = job.path.parent().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let mut keys = Keys::new(program, &base);
    let scope = reuse::scope(program);
    let units = units(program);
    let mut known: Vec<Option<Known>> = Vec::new();
    let mut stale: Vec<Facts> = Vec::new();
    let mut wanted = Vec::new();
    for &unit in &units {
        let key = keys.key(unit.item());
        let (exact, rest) = before.remove(&name(program, unit)).unwrap_or_default();
        match exact {
            Some(k) if k.holds(key, scope) => {
                known.push(Some(k));
                stale.push(Facts::default());
            }
            other => {
                known.push(None);
                stale.push(other.map_or(rest, |k| k.facts));
                wanted.push(key);
            }
        }
    }
    let overrides = Overrides::default();
    let data = std::cell::RefCell::new(&mut memory.data);
    let open = |call: &crate::data::DataCall| data.borrow_mut().open(call);
    let checker = (!wanted.is_empty()).then(|| Checker::new(program, &base, &overrides, &open));
    let mut wanted = wanted.into_iter();
    // Without anything known of a former text there is nothing to show.
    let mut shown = moves.is_none();
    let mut stopped = false;
    let gathered = |known: &[Option<Known>], early: &Gathered, stale: &[Facts]| {
        let mut diagnostics = early.clone();
        let mut facts = Facts::default();
        for (k, s) in known.iter().zip(stale) {
            let f = k.as_ref().map_or(s, |k| &k.facts);
            diagnostics.add(&f.diagnostics);
            facts.sizes.extend(f.sizes.clone());
            for (span, shape) in &f.shapes {
                facts.shapes.entry(*span).or_insert_with(|| shape.clone());
            }
            facts.decisions.extend(f.decisions.iter().cloned());
        }
        diagnostics.add(&late);
        let mut seen = BTreeSet::new();
        facts.decisions.retain(|d| seen.insert((d.name.clone(), d.span)));
        (diagnostics, facts)
    };
    for (i, &unit) in units.iter().enumerate() {
        if known[i].is_some() {
            continue;
        }
        let (Some(key), Some(checker)) = (wanted.next(), &checker) else { break };
        if !shown && begun.elapsed() > SHOW {
            shown = true;
            let (diagnostics, facts) = gathered(&known, &early, &stale);
            show(report(job, diagnostics, facts, false));
        }
        if stop() {
            stopped = true;
            break;
        }
        // A check that fails for a reason of its own says nothing about the file.
        let facts = catch_unwind(AssertUnwindSafe(|| facts_of(checker, program, unit))).unwrap_or_default();
        known[i] = Some(Known { key, scope, facts });
    }
    let result = (!stopped).then(|| {
        let (diagnostics, facts) = gathered(&known, &early, &stale);
        report(job, diagnostics, facts, true)
    });
    let named = units.iter().map(|u| name(program, *u)).zip(known);
    let known = named.filter_map(|(n, k)| Some((n, k?))).collect();
    memory.files.insert(job.uri.clone(), State { program: program.clone(), known });
    result
}

fn report(job: &Job, diagnostics: Gathered, facts: Facts, complete: bool) -> Report {
    Report {
        version: job.version,
        program: job.loaded.program.clone(),
        facts: Facts { diagnostics: diagnostics.sorted(), ..facts },
        files: job.loaded.program.sources.iter().map(|(_, s)| PathBuf::from(&s.name)).collect(),
        complete,
    }
}

/// Starts the thread; `done` gets every report.
pub fn start(done: impl Fn(String, Report) + Send + 'static) -> std::io::Result<Sender<Order>> {
    let (sender, orders) = channel();
    thread::Builder::new().name("check".into()).stack_size(STACK).spawn(move || work(&orders, &done))?;
    Ok(sender)
}

/// Files that wait, in the order in which they came.
#[derive(Default)]
struct Waiting(Vec<Job>);

impl Waiting {
    fn take(&mut self, order: Order, memory: &mut BTreeMap<String, State>) {
        match order {
            Order::Check(job) => {
                self.0.retain(|j| j.uri != job.uri);
                self.0.push(job);
            }
            Order::Forget(uri) => {
                self.0.retain(|j| j.uri != uri);
                memory.remove(&uri);
            }
        }
    }
}

fn work(orders: &Receiver<Order>, done: &dyn Fn(String, Report)) {
    let mut memory = Memory::default();
    let mut waiting = Waiting::default();
    loop {
        if waiting.0.is_empty() {
            let next =
                if memory.data.is_empty() { orders.recv().map_err(Into::into) } else { orders.recv_timeout(IDLE) };
            match next {
                Ok(order) => waiting.take(order, &mut memory.files),
                Err(RecvTimeoutError::Timeout) => memory.data.clear(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        orders.try_iter().for_each(|o| waiting.take(o, &mut memory.files));
        if waiting.0.is_empty() {
            continue;
        }
        let job = waiting.0.remove(0);
        let mut came = Vec::new();
        let mut stop = || {
            came.extend(orders.try_iter());
            came.iter().any(|o| match o {
                Order::Check(j) => j.uri == job.uri,
                Order::Forget(uri) => *uri == job.uri,
            })
        };
        let show = |r: Report| done(job.uri.clone(), r);
        let checked = catch_unwind(AssertUnwindSafe(|| check(&mut memory, &job, &mut stop, &show)));
        if let Ok(Some(r)) = checked {
            done(job.uri.clone(), r);
        }
        came.into_iter().for_each(|o| waiting.take(o, &mut memory.files));
    }
}
