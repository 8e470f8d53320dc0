//! Everything that can be known of a file before anything runs: what `nasc check` says, and editors show.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::lang::{self, Env};
use super::setup::{Overrides, Search};
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

impl Checked {
    /// Adds diagnostics; a place that an earlier stage complained about is not reported again.
    fn report(&mut self, new: Vec<Diagnostic>) {
        let place = |d: &Diagnostic| d.labels.first().map(|l| l.span);
        let known: BTreeSet<Span> = self.diagnostics.iter().filter_map(place).collect();
        for d in new {
            let again = place(&d).is_some_and(|s| known.contains(&s)) || self.diagnostics.contains(&d);
            if !again {
                self.diagnostics.push(d);
            }
        }
    }
}

/// Checks all searches, spaces and programs of the root. `loaded` is what loading reported; relative paths of data start
/// at `base`.
pub fn check(program: &Arc<Program>, loaded: Vec<Diagnostic>, base: &Path, overrides: &Overrides) -> Checked {
    let mut c = Checked::default();
    c.report(loaded);
    if c.diagnostics.iter().any(|d| d.severity == Severity::Error) {
        // What did not parse is missing everywhere else; complaints about that would bury the cause.
        return c;
    }
    c.report(check_all(program));
    for (item, _) in program.searches() {
        match Search::new(program, item, base, overrides) {
            Ok((s, warnings)) => {
                c.report(warnings);
                c.searches.push(Arc::new(s));
            }
            Err(errors) => c.report(errors),
        }
    }
    for item in unused_spaces(program) {
        let (space, errors) = Space::of_item(program, item);
        c.report(errors);
        c.spaces.push(space);
    }
    c.report(programs(program));
    c.report(design::check_all(program, program.root()));
    c.diagnostics.sort_by_key(|d| (d.severity, d.labels.first().map(|l| (l.span.file, l.span.start))));
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

/// Strategies and evaluations of the file itself, whether a search uses them or not.
fn programs(program: &Program) -> Vec<Diagnostic> {
    let env = Env::of_program(program);
    let scope = lang::scope_of(program.root());
    let mut out = Vec::new();
    for item in &program.module(program.root()).ast.items {
        let ItemKind::Fun(f) = &item.kind else { continue };
        if !matches!(f.kind, FunKind::Strategy | FunKind::Evaluation) {
            continue;
        }
        let Some(fun) = env.fun(scope, &f.name.name) else { continue };
        match lang::Program::compile(&env, fun) {
            Ok(p) => out.extend(p.warnings().iter().cloned()),
            Err(errors) => out.extend(errors),
        }
    }
    out
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
