//! `nasc check`: everything that can be known before anything runs.

use serde_json::{Value as Json, json};

use super::load::{self, Loaded};
use super::term::{self, Outcome, Terminal, say};
use super::{CheckArgs, ERRORS, OK};
use crate::diag::Severity;
use crate::diag::json::to_json;
use crate::report::table::{Align, Column, table};
pub use crate::search::check::{Checked, describe};
use crate::search::setup::Overrides;
use crate::space::Space;

/// Checks a loaded file: all of its searches, spaces and programs.
pub fn check(loaded: &Loaded, overrides: &Overrides) -> Checked {
    crate::search::check::check(&loaded.program, &loaded.diagnostics, &loaded.base, overrides)
}

/// The decisions of a space as a table.
pub fn decisions(space: &Space, width: usize) -> String {
    let columns = [
        Column::new("decision", Align::Left, true),
        Column::new("options", Align::Left, true),
        Column::new("made by", Align::Left, false),
        Column::new("level", Align::Right, false),
        Column::new("places", Align::Left, true),
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
