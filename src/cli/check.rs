//! `nasc check`: everything that can be known before anything runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::load::{self, Loaded};
use super::term::{self, Outcome, Terminal, say};
use super::{CheckArgs, ERRORS, OK};
use crate::base::Span;
use crate::diag::json::to_json;
use crate::diag::{Diagnostic, Severity};
use crate::report::table::{Align, Column, table};
use crate::search::lang::{self, Env};
use crate::search::setup::{Overrides, Search};
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

/// Checks a loaded file: all of its searches, spaces and programs.
pub fn check(loaded: &Loaded, overrides: &Overrides) -> Checked {
    let mut c = Checked::default();
    c.report(loaded.diagnostics.clone());
    if term::has_errors(&c.diagnostics) {
        // What did not parse is missing everywhere else; complaints about that would bury the cause.
        return c;
    }
    let program = &loaded.program;
    c.report(check_all(program));
    for (item, _) in program.searches() {
        match Search::new(program, item, &loaded.base, overrides) {
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
    let word = if count == "1" { "architecture" } else { "architectures" };
    let real = match size.real {
        0 => String::new(),
        1 => " and a real number".to_string(),
        k => format!(" and {k} real numbers"),
    };
    format!("{most}{count} {word}{real}, {decisions}")
}

/// The decisions of a space as a table.
pub fn decisions(space: &Space, width: usize) -> String {
    let column = |name: &str, align, elastic| Column { name: name.to_string(), align, elastic };
    let columns = [
        column("decision", Align::Left, true),
        column("options", Align::Left, true),
        column("made by", Align::Left, false),
        column("level", Align::Right, false),
        column("places", Align::Left, true),
    ];
    let rows: Vec<Vec<String>> = space
        .decisions()
        .iter()
        .map(|d| {
            let places = match d.places.as_slice() {
                [] => String::new(),
                [one] => one.clone(),
                many => format!("{}: {}", many.len(), many.join(", ")),
            };
            vec![
                d.decision.name.clone(),
                d.decision.domain.describe(),
                d.decision.owner.clone(),
                d.decision.level.to_string(),
                places,
            ]
        })
        .collect();
    table(&columns, &rows, width)
}

fn space_json(space: &Space) -> Json {
    let decisions: Vec<Json> = space
        .decisions()
        .iter()
        .map(|d| {
            let options = d.decision.domain.values(1000).filter(|_| d.decision.domain.size().is_some());
            json!({
                "name": d.decision.name,
                "options": options.map(|o| o.iter().map(crate::space::decision::Choice::to_json).collect::<Vec<_>>()),
                "domain": d.decision.domain.describe(),
                "owner": d.decision.owner,
                "level": d.decision.level,
                "places": d.places,
            })
        })
        .collect();
    json!({
        "space": space.name(),
        "architectures": space.size().map(crate::space::count::Size::describe),
        "output": space.output_shape(),
        "decisions": decisions,
    })
}

/// `nasc check`
pub fn command(term: &Terminal, args: &CheckArgs) -> Outcome {
    let file = args.file.clone().map_or_else(load::only_file, Ok)?;
    let loaded = load::load(&file)?;
    let checked = check(&loaded, &Overrides::default());
    let sources = &loaded.program.sources;
    let failed = term::has_errors(&checked.diagnostics);
    if args.json {
        let count = |s: Severity| checked.diagnostics.iter().filter(|d| d.severity == s).count();
        let searches: Vec<Json> = checked
            .searches
            .iter()
            .map(|s| {
                let mut v = space_json(&s.space);
                v["search"] = Json::from(s.name.clone());
                v["config"] = s.config.clone();
                v
            })
            .collect();
        let report = json!({
            "file": file.display().to_string(),
            "ok": !failed,
            "errors": count(Severity::Error),
            "warnings": count(Severity::Warning),
            "diagnostics": checked.diagnostics.iter().map(|d| to_json(d, sources)).collect::<Vec<_>>(),
            "searches": searches,
            "spaces": checked.spaces.iter().map(space_json).collect::<Vec<_>>(),
        });
        term.out(&format!("{report:#}\n"));
        return Ok(if failed { ERRORS } else { OK });
    }
    term.diagnostics(&checked.diagnostics, sources);
    let bold = term.style().bold();
    let listed = checked.searches.iter().map(|s| (s.name.clone(), &*s.space));
    let listed: Vec<(String, &Space)> = if failed {
        listed.collect()
    } else {
        listed.chain(checked.spaces.iter().map(|s| (format!("space {}", s.name()), s))).collect()
    };
    for (name, space) in &listed {
        term.out(&format!("{}: {}\n", bold.apply_to(name), describe(space)));
        if args.decisions && !space.decisions().is_empty() {
            term.out(&format!("\n{}\n", decisions(space, term.width())));
        }
    }
    if let Some(n) = term::counted(&checked.diagnostics) {
        say(&n);
    } else if listed.is_empty() {
        term.out("no errors\n");
    }
    Ok(if failed { ERRORS } else { OK })
}
