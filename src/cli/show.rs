//! `nasc show`: what a run found.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::load;
use super::outcome::{self, Tested};
use super::run::{program_of, reward, run_folder, stored_test};
use super::term::{Outcome, Terminal, Trouble, say};
use super::{OK, ShowArgs};
use crate::diag::{Diagnostic, codes};
use crate::report::table::{duration, trials};
use crate::report::{chart, network};
use crate::search::engine::{Status, Trial, pareto_front};
use crate::search::setup::{Overrides, Search};
use crate::space::decision::Candidate;
use crate::store::{RunInfo, Store};

/// The trials that a plain `nasc show` lists.
const LISTED: usize = 10;

struct Run {
    info: RunInfo,
    trials: Vec<Arc<Trial>>,
    tested: Option<Tested>,
    elapsed: f64,
    created: u64,
    /// How many trials the journal has; rows are only the best of them.
    journaled: u64,
}

fn open(path: &Path) -> Result<Run, Diagnostic> {
    let store = Store::open_read_only(&run_folder(path))?;
    Ok(Run {
        info: store.info()?,
        trials: store.trials()?.into_iter().map(Arc::new).collect(),
        tested: stored_test(&store),
        elapsed: store.elapsed()?,
        created: store.created()?,
        journaled: store.journaled()?.0,
    })
}

/// `nasc show`
pub fn command(term: &Terminal, args: &ShowArgs) -> Outcome {
    let run = open(&args.run)?;
    let name = run.info.config["search"].as_str().unwrap_or("search").to_string();
    let chosen = match args.trial {
        Some(n) => {
            let found = run.trials.iter().find(|t| t.id.0 == n).cloned();
            let Some(t) = found else {
                let d = Diagnostic::unplaced(&codes::NO_TRIAL, format!("the run has no trial {n}"));
                return Err(match run.trials.len() {
                    0 => d.help("it has none yet"),
                    _ if run.journaled > 0 => {
                        d.help("of programs only those that were better than all before are kept: see `--table`")
                    }
                    k => d.help(format!("its trials are 0 to {}", k - 1)),
                }
                .into());
            };
            Some(t)
        }
        None => outcome::chosen(&run.trials, run.tested.as_ref()),
    };
    let mut drawn = false;
    if let Some(path) = &args.svg {
        let Some(t) = &chosen else {
            return Err(Diagnostic::unplaced(&codes::NO_TRIAL, "no trial of this run has succeeded yet")
                .help("name one: `--trial N`")
                .into());
        };
        put(term, path, &svg(&run, t, &name)?)?;
        drawn = true;
    }
    if let Some(path) = &args.curves {
        put(term, path, &chart::learning_curves(&run.trials, &format!("{name}: learning curves")))?;
        drawn = true;
    }
    if let Some(path) = &args.rewards {
        put(term, path, &chart::search_curve(&run.trials, "reward"))?;
        drawn = true;
    }
    if args.json {
        term.out(&format!("{:#}\n", as_json(args, &run, chosen.as_deref(), &name)));
        return Ok(OK);
    }
    let list = |ts: &[Arc<Trial>]| term.out(&trials(ts, term.width()));
    match (&chosen, args) {
        (_, ShowArgs { table: true, .. }) => list(&run.trials),
        (_, ShowArgs { pareto: true, .. }) => list(&pareto_front(&run.trials)),
        (Some(t), ShowArgs { trial: Some(_), .. }) => {
            let heading = format!("{} · {}", outcome::name(t), t.status.name());
            term.out(&outcome::trial(term, t, &heading, run.tested.as_ref(), listing(&run, t, &name).as_deref()));
        }
        (Some(t), ShowArgs { best: true, .. }) => {
            term.out(&outcome::trial(
                term,
                t,
                &format!("best: {}", outcome::name(t)),
                run.tested.as_ref(),
                listing(&run, t, &name).as_deref(),
            ));
        }
        (None, ShowArgs { best: true, .. }) => {
            return Err(Diagnostic::unplaced(&codes::NO_TRIAL, "no trial of this run has succeeded yet").into());
        }
        _ if drawn => {}
        _ => summary(term, &run, chosen.as_deref(), &name),
    }
    Ok(OK)
}

fn summary(term: &Terminal, run: &Run, best: Option<&Trial>, name: &str) {
    let count = |s: Status| run.trials.iter().filter(|t| t.status == s).count();
    let rows = run.trials.iter().filter(|t| t.status.is_finished()).count() as u64;
    let mut parts = vec![format!("{} trials", rows.max(run.journaled))];
    let named = [
        (Status::Cached, "known before"),
        (Status::Failed, "failed"),
        (Status::Queued, "waiting"),
        (Status::Running, "running"),
    ];
    parts.extend(named.iter().filter(|(s, _)| count(*s) > 0).map(|(s, word)| format!("{} {word}", count(*s))));
    parts.push(duration(run.elapsed));
    if let Some(b) = run.info.config["budget"]["trials"].as_u64() {
        parts.push(format!("a budget of {b} trials"));
    }
    parts.push(ago(run.created));
    let file = run.info.sources.first().map_or("", |s| s.0.as_str());
    term.out(&format!("{} from {file}\n{}\n", term.style().bold().apply_to(name), parts.join(" · ")));
    if let Some(t) = best {
        term.out(&format!(
            "\n{}",
            outcome::trial(
                term,
                t,
                &format!("best: {}", outcome::name(t)),
                run.tested.as_ref(),
                listing(run, t, name).as_deref()
            )
        ));
    }
    if let Some(front) = outcome::front(term, &run.trials) {
        term.out(&format!("\n{front}"));
        return;
    }
    let mut ranked: Vec<Arc<Trial>> =
        run.trials.iter().filter(|t| t.reward().is_some() && t.same_as.is_none()).cloned().collect();
    ranked.sort_by(|a, b| b.reward().unwrap_or(0.0).total_cmp(&a.reward().unwrap_or(0.0)).then(a.id.cmp(&b.id)));
    if ranked.len() > 1 {
        let heading = format!("the best {} of {}", ranked.len().min(LISTED), ranked.len());
        ranked.truncate(LISTED);
        term.out(&format!("\n{}\n{}", term.style().bold().apply_to(heading), trials(&ranked, term.width())));
    }
    if run.trials.is_empty() {
        term.out("no trials yet\n");
    }
}

/// `begun 3 hours ago`
fn ago(created: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(created, |d| d.as_secs());
    let s = now.saturating_sub(created);
    let (n, unit) = match s {
        0..60 => return "begun just now".to_string(),
        60..3600 => (s / 60, "minute"),
        3600..86400 => (s / 3600, "hour"),
        _ => (s / 86400, "day"),
    };
    format!("begun {n} {unit}{} ago", if n == 1 { "" } else { "s" })
}

fn as_json(args: &ShowArgs, run: &Run, chosen: Option<&Trial>, name: &str) -> serde_json::Value {
    let list = |ts: &[Arc<Trial>]| ts.iter().map(|t| t.to_json()).collect::<Vec<_>>();
    match args {
        ShowArgs { table: true, .. } => json!(list(&run.trials)),
        ShowArgs { pareto: true, .. } => json!(list(&pareto_front(&run.trials))),
        ShowArgs { trial: Some(_), .. } | ShowArgs { best: true, .. } => json!(chosen.map(Trial::to_json)),
        _ => {
            let mut out = outcome::result(name, &run.trials, run.tested.as_ref(), run.elapsed);
            out["config"] = run.info.config.clone();
            out["created"] = json!(run.created);
            out["version"] = json!(run.info.version);
            out
        }
    }
}

/// The search of a run, as the run stored it.
fn stored(run: &Run, name: &str) -> Result<Search, Trouble> {
    // Where the file has changed since, its stored text still says what the candidate means.
    let (path, loaded) = program_of(&run.info, None)?;
    let same = run
        .info
        .sources
        .first()
        .is_none_or(|(_, text)| loaded.program.sources.iter().next().is_some_and(|(_, s)| *s.text == **text));
    let loaded = match run.info.sources.first() {
        Some((_, text)) if !same => load::load_text(&path, text),
        _ => loaded,
    };
    let program = &loaded.program;
    let item = load::pick_search(program, Some(name))?;
    let trouble = |ds: Vec<Diagnostic>| Trouble::new(ds, &program.sources);
    let overrides = Overrides { seed: Some(run.info.seed), ..Overrides::default() };
    Ok(Search::new(program, item, &loaded.base, &overrides).map_err(trouble)?.0)
}

/// A candidate's program, where candidates are programs and the run's text can still be read.
fn listing(run: &Run, t: &Trial, name: &str) -> Option<String> {
    if !t.candidate.contains("instruction(") && !t.candidate.contains("predict.size") {
        return None;
    }
    let c = Candidate::from_json(&serde_json::from_str(&t.candidate).ok()?).ok()?;
    stored(run, name).ok()?.space.listing(&c, &format!("trial_{}", t.id)).ok()?
}

/// The trial's candidate as a picture. The program is the one that the run stored.
fn svg(run: &Run, t: &Trial, name: &str) -> Result<String, Trouble> {
    let search = stored(run, name)?;
    let trouble = |ds: Vec<Diagnostic>| Trouble::new(ds, &search.program.sources);
    let broken = |m: String| trouble(vec![Diagnostic::unplaced(&codes::BAD_CANDIDATE, m)]);
    let json = serde_json::from_str(&t.candidate).map_err(|e| broken(e.to_string()))?;
    let candidate = Candidate::from_json(&json).map_err(broken)?;
    let title = match t.reward() {
        Some(_) => format!("{name}, trial {}: {}", t.id, reward(t)),
        None => format!("{name}, trial {}", t.id),
    };
    network::picture(&search.space, &candidate, &title).map_err(|d| trouble(vec![d]))
}

fn put(term: &Terminal, path: &Path, text: &str) -> Result<(), Diagnostic> {
    if path == Path::new("-") {
        term.out(text);
        return Ok(());
    }
    load::write(path, text.as_bytes())?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}
