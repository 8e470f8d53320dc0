//! Everything that can be known of a file before anything runs: what `nasc check` says, and editors show.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::lang::{self, Env};
use super::setup::{Open, Overrides, Search};
use crate::algo::design;
use crate::base::Span;
use crate::diag::{Diagnostic, Severity};
use crate::sema::modules::{ItemRef, Program};
use crate::sema::names::check_all;
use crate::space::Space;
use crate::space::count::{Count, grouped};
use crate::syntax::ast::{ArchKind, ExprKind, FunKind, ItemKind};

/// What a check found out.
#[derive(Default)]
pub struct Checked {
    /// Errors and warnings, each place once.
    pub diagnostics: Vec<Diagnostic>,
    /// The searches without errors.
    pub searches: Vec<Arc<Search>>,
    /// The spaces that no search uses.
    pub spaces: Vec<Space>,
}

/// A part of a file that is checked by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// A search with its space, strategy and evaluation.
    Search(ItemRef),
    /// A space that no search uses.
    Space(ItemRef),
    /// A strategy or evaluation.
    Program(ItemRef),
}

impl Unit {
    /// The declaration.
    pub fn item(self) -> ItemRef {
        match self {
            Self::Search(r) | Self::Space(r) | Self::Program(r) => r,
        }
    }
}

/// What the check of a [`Unit`] found out.
#[derive(Default)]
pub struct Found {
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The search, if it has no errors.
    pub search: Option<Arc<Search>>,
    /// The space of a [`Unit::Space`].
    pub space: Option<Space>,
}

/// What all parts of a file are checked with.
pub struct Checker<'a> {
    program: &'a Arc<Program>,
    env: Arc<Env>,
    base: &'a Path,
    overrides: &'a Overrides,
    open: &'a Open<'a>,
}

impl<'a> Checker<'a> {
    /// Relative paths of data start at `base`; `open` reads it.
    pub fn new(program: &'a Arc<Program>, base: &'a Path, overrides: &'a Overrides, open: &'a Open<'a>) -> Self {
        Self { program, env: Arc::new(Env::of_program(program)), base, overrides, open }
    }

    /// Checks one part.
    pub fn check(&self, unit: Unit) -> Found {
        match unit {
            Unit::Search(item) => {
                match Search::with(self.program, &self.env, item, self.base, self.overrides, self.open) {
                    Ok((s, diagnostics)) => Found { diagnostics, search: Some(Arc::new(s)), space: None },
                    Err(diagnostics) => Found { diagnostics, ..Found::default() },
                }
            }
            Unit::Space(item) => {
                let (space, diagnostics) = Space::of_item(self.program, item);
                Found { diagnostics, search: None, space: Some(space) }
            }
            Unit::Program(item) => Found { diagnostics: self.program(item), ..Found::default() },
        }
    }

    fn program(&self, item: ItemRef) -> Vec<Diagnostic> {
        let ItemKind::Fun(f) = &self.program.item(item).kind else { return Vec::new() };
        let Some(fun) = self.env.fun(lang::scope_of(item.module), &f.name.name) else { return Vec::new() };
        match lang::Program::compile(&self.env, fun) {
            Ok(p) => p.warnings().to_vec(),
            Err(errors) => errors,
        }
    }
}

/// The parts of a file, in the order in which their findings are gathered.
pub fn units(program: &Program) -> Vec<Unit> {
    let searches = program.searches().map(|(item, _)| Unit::Search(item));
    let spaces = unused_spaces(program).into_iter().map(Unit::Space);
    // Strategies and evaluations of the file itself, whether a search uses them or not.
    let items = program.module(program.root()).ast.items.iter().enumerate();
    let programs = items
        .filter(
            |(_, i)| matches!(&i.kind, ItemKind::Fun(f) if matches!(f.kind, FunKind::Strategy | FunKind::Evaluation)),
        )
        .map(|(i, _)| Unit::Program(ItemRef { module: program.root(), item: i as u32 }));
    searches.chain(spaces).chain(programs).collect()
}

/// The algorithms of the file, which come after its parts.
pub fn algorithms(program: &Program) -> Vec<Diagnostic> {
    design::check_all(program, program.root())
}

/// Gathers findings: of the loading, of the names, of each part in its order. Each place is reported once, by the first
/// that complains about it.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    all: Vec<Diagnostic>,
    places: BTreeSet<Span>,
}

impl Gathered {
    /// Adds what one stage found.
    pub fn add(&mut self, new: &[Diagnostic]) {
        let place = |d: &Diagnostic| d.labels.first().map(|l| l.span);
        let fresh: Vec<&Diagnostic> =
            new.iter().filter(|d| place(d).is_none_or(|s| !self.places.contains(&s))).collect();
        for d in fresh {
            if !self.all.contains(d) {
                self.all.push(d.clone());
            }
        }
        self.places.extend(new.iter().filter_map(place));
    }

    /// Whether an error is among them.
    pub fn failed(&self) -> bool {
        self.all.iter().any(|d| d.severity == Severity::Error)
    }

    /// All of them, errors first, in the order of the text.
    pub fn sorted(mut self) -> Vec<Diagnostic> {
        self.all.sort_by_key(|d| (d.severity, d.labels.first().map(|l| (l.span.file, l.span.start))));
        self.all
    }
}

/// Checks all searches, spaces and programs of the root. `loaded` is what loading reported; relative paths of data start
/// at `base`.
pub fn check(program: &Arc<Program>, loaded: &[Diagnostic], base: &Path, overrides: &Overrides) -> Checked {
    let mut all = Gathered::default();
    all.add(loaded);
    let mut c = Checked::default();
    // What did not parse is missing everywhere else; complaints about that would bury the cause.
    if !all.failed() {
        all.add(&check_all(program));
        let checker = Checker::new(program, base, overrides, &crate::data::open);
        for unit in units(program) {
            let found = checker.check(unit);
            all.add(&found.diagnostics);
            c.searches.extend(found.search);
            c.spaces.extend(found.space);
        }
        all.add(&algorithms(program));
    }
    c.diagnostics = all.sorted();
    c
}

/// Spaces of the file itself that none of its searches names.
fn unused_spaces(program: &Program) -> Vec<ItemRef> {
    let used: BTreeSet<ItemRef> = program
        .searches()
        .flat_map(|(_, s)| s.fields.iter().filter(|f| f.0.name == "space"))
        .filter_map(|(_, e)| {
            let callee = match &e.kind {
                ExprKind::Call { callee, .. } => &callee.kind,
                other => other,
            };
            match callee {
                ExprKind::Name(n) => program.lookup(program.root(), &n.ident.name),
                _ => None,
            }
        })
        .collect();
    let items = program.module(program.root()).ast.items.iter().enumerate();
    items
        .filter(|(_, i)| matches!(&i.kind, ItemKind::Arch(a) if a.kind == ArchKind::Space))
        .map(|(i, _)| ItemRef { module: program.root(), item: i as u32 })
        .filter(|r| !used.contains(r))
        .collect()
}

/// `15,625 architectures, 6 decisions`
pub fn describe(space: &Space) -> String {
    let n = space.decisions().len();
    let decisions = format!("{n} decision{}", if n == 1 { "" } else { "s" });
    let Some(size) = space.size() else { return decisions };
    let (count, most) = match &size.discrete {
        Count::Exact(n) => (n, ""),
        Count::AtMost(n) => (n, "at most "),
    };
    let count = grouped(count);
    let word = match (space.design().is_some(), count == "1") {
        (false, true) => "architecture",
        (false, false) => "architectures",
        (true, true) => "program",
        (true, false) => "programs",
    };
    let real = match size.real {
        0 => String::new(),
        1 => " and a real number".to_string(),
        k => format!(" and {k} real numbers"),
    };
    format!("{most}{count} {word}{real}, {decisions}")
}
