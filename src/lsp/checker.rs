//! The check of whole files, on a thread of its own.
//!
//! Of every file only the newest text waits; a check that is under way is finished. What it found out is kept as plain
//! data: a data set that it opened is closed again.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::analysis::load;
use crate::base::{FileId, Span};
use crate::diag::Diagnostic;
use crate::search::check::{check, describe};
use crate::search::setup::Overrides;
use crate::sema::modules::{Program, item_name};
use crate::space::Space;

/// A pause in typing after which a file is checked.
const PAUSE: Duration = Duration::from_millis(80);

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
    /// The text.
    pub text: Arc<str>,
    /// The texts of all open files.
    pub opened: BTreeMap<PathBuf, Arc<str>>,
}

/// What a check found out.
#[derive(Debug)]
pub struct Report {
    /// The editor's number of the text that was checked.
    pub version: i32,
    /// It and all that it uses.
    pub program: Arc<Program>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// `15,625 architectures, 6 decisions`, by the place of the search's or space's name.
    pub sizes: BTreeMap<Span, String>,
    /// Shapes of tensors, by the place of the expression.
    pub shapes: BTreeMap<Span, String>,
    /// Every decision of every space.
    pub decisions: Vec<Decision>,
    /// The files that it was made of.
    pub files: BTreeSet<PathBuf>,
}

/// A decision of a checked space.
#[derive(Clone, Debug)]
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

/// Checks one file.
pub fn report(job: &Job) -> Report {
    let (program, loaded) = load(&job.path, &job.text, &job.opened);
    let base = job.path.parent().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let checked = check(&program, loaded, &base, &Overrides::default());
    let mut out = Report {
        version: job.version,
        diagnostics: checked.diagnostics,
        sizes: BTreeMap::new(),
        shapes: BTreeMap::new(),
        decisions: Vec::new(),
        files: program.sources.iter().map(|(_, s)| PathBuf::from(&s.name)).collect(),
        program: program.clone(),
    };
    for s in &checked.searches {
        if let Some(n) = item_name(program.item(s.item)) {
            out.sizes.insert(n.span, describe(&s.space));
        }
        out.space(&s.space);
    }
    for s in &checked.spaces {
        let named = program.module(program.root()).ast.items.iter().filter_map(item_name);
        if let Some(n) = named.into_iter().find(|n| n.name == s.name())
            && s.size().is_some()
        {
            out.sizes.insert(n.span, describe(s));
        }
        out.space(s);
    }
    out
}

impl Report {
    fn space(&mut self, space: &Space) {
        for (span, shape) in space.shapes() {
            self.shapes.entry(span).or_insert(shape);
        }
        for d in space.decisions() {
            if self.decisions.iter().all(|k| k.name != d.decision.name || k.span != d.decision.span) {
                self.decisions.push(Decision {
                    name: d.decision.name.clone(),
                    options: d.decision.domain.describe(),
                    places: d.places.clone(),
                    span: d.decision.span,
                });
            }
        }
    }

    /// The shape of the smallest expression of the file around a byte, and its place.
    pub fn shape_at(&self, at: u32) -> Option<(Span, &str)> {
        let around = self.shapes.iter().filter(|(s, _)| s.file == FileId(0) && s.start <= at && at <= s.end);
        around.min_by_key(|(s, _)| s.end - s.start).map(|(s, t)| (*s, t.as_str()))
    }
}

/// Starts the thread; `done` gets every report.
pub fn start(done: impl Fn(String, Report) + Send + 'static) -> std::io::Result<Sender<Job>> {
    let (sender, jobs) = channel();
    thread::Builder::new().name("check".into()).stack_size(STACK).spawn(move || work(&jobs, &done))?;
    Ok(sender)
}

fn work(jobs: &Receiver<Job>, done: &dyn Fn(String, Report)) {
    let mut waiting: BTreeMap<String, Job> = BTreeMap::new();
    loop {
        let next = if waiting.is_empty() { jobs.recv().map_err(Into::into) } else { jobs.recv_timeout(PAUSE) };
        match next {
            Ok(job) => {
                waiting.insert(job.uri.clone(), job);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let Some((uri, job)) = waiting.pop_first() else { continue };
        // A check that fails for a reason of its own says nothing about the file.
        if let Ok(r) = catch_unwind(AssertUnwindSafe(|| report(&job))) {
            done(uri, r);
        }
    }
}
