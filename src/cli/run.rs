//! `nasc run`: a search from its file to its result.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value as Json;

use super::load::{self, Loaded};
use super::outcome::{self, RESULT, Tested};
use super::term::{self, Outcome, Terminal, Trouble, say};
use super::{ERRORS, INTERRUPTED, OK, RunArgs, build, check, profile};
use crate::diag::{Diagnostic, codes};
use crate::exec::Executor;
use crate::exec::profile::Profiler;
use crate::learn::step::Target;
use crate::report::progress::{Mode, Progress};
use crate::report::table::short;
use crate::search::engine::{Event, Observer, Trial};
use crate::search::run::{Children, children, info, judge, run, test};
use crate::search::setup::{Overrides, Search};
use crate::sema::names::check_all;
use crate::space::decision::Candidate;
use crate::store::{RunInfo, Store};
use crate::syntax::ast::ItemKind;

/// The folder of a run with this name and number.
fn folder(name: &str, number: u32) -> PathBuf {
    PathBuf::from(if number == 1 { format!("{name}.run") } else { format!("{name}-{number}.run") })
}

/// The highest number of a run of this name here; 0 if there is none.
fn last_number(name: &str) -> u32 {
    let Ok(entries) = std::fs::read_dir(".") else { return 0 };
    let number = |file: &str| -> Option<u32> {
        let rest = file.strip_prefix(name)?.strip_suffix(".run")?;
        if rest.is_empty() { Some(1) } else { rest.strip_prefix('-')?.parse().ok().filter(|n| *n > 1) }
    };
    entries.flatten().filter_map(|e| number(&e.file_name().to_string_lossy())).max().unwrap_or(0)
}

/// A run as the user may name it: its folder, or the folder's name without `.run`.
pub fn run_folder(given: &Path) -> PathBuf {
    if given.is_dir() {
        return given.to_path_buf();
    }
    let mut longer = given.as_os_str().to_owned();
    longer.push(".run");
    let longer = PathBuf::from(longer);
    if longer.is_dir() { longer } else { given.to_path_buf() }
}

/// What is to be run, and where it is stored.
struct Plan {
    file: PathBuf,
    search: Arc<Search>,
    folder: PathBuf,
    store: Arc<Store>,
    resumed: bool,
}

/// The program of a run: the file that is named, that it came from, or as it was stored.
pub fn program_of(stored: &RunInfo, file: Option<&Path>) -> Result<(PathBuf, Loaded), Diagnostic> {
    if let Some(f) = file {
        return Ok((f.to_path_buf(), load::load(f)?));
    }
    let (name, text) = stored.sources.first().cloned().unwrap_or_default();
    let path = PathBuf::from(&name);
    let loaded = if path.is_file() { load::load(&path)? } else { load::load_text(&path, &text) };
    Ok((path, loaded))
}

fn prepare(term: &Terminal, args: &RunArgs) -> Result<Plan, Trouble> {
    let named = args.resume.as_deref().filter(|r| !r.is_empty()).map(|r| run_folder(Path::new(r)));
    let stored = match &named {
        Some(folder) => Some(Store::open_read_only(folder)?.info()?),
        None => None,
    };
    let (file, loaded) = if let Some(info) = &stored {
        program_of(info, args.file.as_deref())?
    } else {
        let file = args.file.clone().map_or_else(load::only_file, Ok)?;
        let loaded = load::load(&file)?;
        (file, loaded)
    };
    let program = &loaded.program;
    let mut found = loaded.diagnostics.clone();
    if !term::has_errors(&found) {
        found.extend(check_all(program));
    }
    if term::has_errors(&found) {
        return Err(Trouble::new(found, &program.sources));
    }
    let stored_name = stored.as_ref().and_then(|i| i.config["search"].as_str()).map(str::to_string);
    let item = load::pick_search(program, args.search.as_deref().or(stored_name.as_deref()))?;
    let name = match &program.item(item).kind {
        ItemKind::Search(s) => s.name.name.clone(),
        _ => String::new(),
    };
    let (folder, stored) = match (&args.resume, named, stored) {
        (Some(_), Some(folder), stored) => (folder, stored),
        (Some(_), None, _) => {
            let number = last_number(&name);
            if number == 0 {
                let d = Diagnostic::unplaced(&codes::NO_RUN, format!("there is no run of `{name}` here to go on with"));
                return Err(d.help(format!("begin one: `nasc run {}`", file.display())).into());
            }
            let folder = folder(&name, number);
            let stored = Store::open_read_only(&folder)?.info()?;
            (folder, Some(stored))
        }
        (None, ..) => {
            let base = args.name.as_deref().unwrap_or(&name);
            (args.out.clone().unwrap_or_else(|| folder(base, last_number(base) + 1)), None)
        }
    };
    let overrides = overrides(args, stored.as_ref());
    let (mut search, warnings) = Search::new(program, item, &loaded.base, &overrides).map_err(|mut errors| {
        errors.retain(|e| !found.contains(e));
        found.extend(errors);
        Trouble::new(found.clone(), &program.sources)
    })?;
    found.extend(warnings.into_iter().filter(|w| !found.contains(w)).collect::<Vec<_>>());
    term.diagnostics(&found, &program.sources);
    if let Some(old) = &stored
        && args.trials.is_none()
        && args.time.is_none()
    {
        keep_budget(&mut search, &old.config);
    }
    let now = info(&search);
    let store = if stored.is_some() {
        let store = Store::open(&folder)?;
        store.check_same(&now)?;
        if store.info()?.config != now.config {
            // A larger budget stays with the run.
            store.replace_info(&now)?;
        }
        store
    } else {
        Store::create(&folder, &now)?
    };
    Ok(Plan { file, search: Arc::new(search), folder, store: Arc::new(store), resumed: stored.is_some() })
}

/// What the command line changes; a resumed run keeps its seed.
fn overrides(args: &RunArgs, stored: Option<&RunInfo>) -> Overrides {
    Overrides {
        trials: args.trials,
        seconds: args.time,
        workers: args.workers.map(usize::from),
        seed: args.seed.or_else(|| stored.map(|i| i.seed)),
    }
}

/// A resumed run ends when it was to end, unless the command line says otherwise.
fn keep_budget(search: &mut Search, config: &Json) {
    let b = &config["budget"];
    search.budget.trials = b["trials"].as_u64();
    search.budget.seconds = b["seconds"].as_f64();
    search.budget.simulated = b["simulated"].as_f64();
    search.budget.epochs = b["epochs"].as_u64();
    search.budget.steps = b["steps"].as_u64();
    search.config["budget"] = b.clone();
}

/// Progress for people, and trials as JSON lines for programs.
struct Watch {
    progress: Progress,
    json: bool,
    // One line at a time.
    lock: Mutex<()>,
}

impl Observer for Watch {
    fn event(&self, event: &Event) {
        self.progress.event(event);
        if let (true, Event::Finished(t)) = (self.json, event) {
            let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            let mut out = std::io::stdout().lock();
            // Whoever read them may be gone; the search goes on, and its results are stored.
            let _ = writeln!(out, "{}", t.to_json()).and_then(|()| out.flush());
        }
    }
}

/// The text of a field of the search block on one line.
fn field(search: &Search, name: &str) -> Option<String> {
    let ItemKind::Search(s) = &search.program.item(search.item).kind else { return None };
    let (_, e) = s.fields.iter().find(|f| f.0.name == name)?;
    Some(crate::syntax::print::expr_text(e))
}

/// `1,257 + 360 + 180 examples`, and the rest of what is about to happen.
fn announce(plan: &Plan, workers: usize) -> String {
    let s = &plan.search;
    let split = &s.split;
    let strategy = field(s, "strategy").unwrap_or_else(|| "random_search()".to_string());
    let b = &s.budget;
    let limits: Vec<String> = [
        b.trials.map(|n| format!("{n} trials")),
        b.seconds.map(crate::report::table::duration),
        b.simulated.map(|x| format!("{} simulated", crate::report::table::duration(x))),
        b.epochs.map(|n| format!("{n} epochs")),
        b.steps.map(|n| format!("{n} training steps")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let data = match &s.tasks {
        Some(t) => {
            let sizes = t.tasks.first().map_or((0, 0), |t| (t.train.y.len(), t.valid.y.len()));
            format!("{} tasks of {} examples to learn from and {} to predict", t.tasks.len(), sizes.0, sizes.1)
        }
        None => format!(
            "{} examples to train on, {} to compare, {} to test",
            split.search.len(),
            split.select.len(),
            split.test.len()
        ),
    };
    format!(
        "{} {}: {} · {data}\n{strategy} · {} · {workers} worker{} · {}",
        if plan.resumed { "going on with" } else { "searching" },
        s.name,
        check::describe(&s.space),
        limits.join(" or "),
        if workers == 1 { "" } else { "s" },
        plan.folder.display(),
    )
}

/// `nasc run`
pub fn command(term: &Terminal, args: &RunArgs) -> Outcome {
    let plan = prepare(term, args)?;
    let search = &plan.search;
    let workers = search.workers.unwrap_or_else(build::cores);
    let mode = match (args.json, term.err_width()) {
        (true, _) => Mode::Quiet,
        (false, Some(width)) => Mode::Terminal(width),
        (false, None) => Mode::Plain,
    };
    if !args.json {
        say(&announce(&plan, workers));
    }
    let watch =
        Arc::new(Watch { progress: Progress::new(mode, search.budget.trials), json: args.json, lock: Mutex::new(()) });
    let stop = Arc::new(AtomicBool::new(false));
    listen(&stop, &watch, mode);
    let cpu = build::executor(search, workers);
    let profiler = args.profile.then(|| Arc::new(Profiler::new(cpu.clone())));
    let exec = profiler.clone().map_or(cpu as Arc<dyn Executor>, |p| p);
    let children = children(search, exec);
    let sources = |d: Diagnostic| Trouble::new(vec![d], &search.program.sources);
    let finished = run(search, &children, plan.store.clone(), watch.clone(), &stop, workers);
    watch.progress.finish();
    let finished = finished.map_err(sources)?;
    let all = &finished.outcome.history;
    let resume = format!("nasc run {} --resume={}", plan.file.display(), plan.folder.display());
    if finished.interrupted {
        say(&format!("stopped after {} finished trials; go on with\n  {resume}", finished.outcome.finished));
        return Ok(INTERRUPTED);
    }
    let tested = if args.no_test { None } else { tested(args, &plan, &children, all, &stop)? };
    if stop.load(Ordering::Relaxed) {
        say(&format!("the search is finished, but its best was not tested; do that with\n  {resume}"));
        return Ok(INTERRUPTED);
    }
    let seconds = plan.store.elapsed()?;
    let mut result = outcome::result(&search.name, all, tested.as_ref(), seconds);
    if finished.outcome.finished > all.len() as u64 {
        result["trials"] = Json::from(finished.outcome.finished);
    }
    if let Some(path) = plan.store.artifact(RESULT)? {
        load::write(&path, format!("{result:#}\n").as_bytes())?;
    }
    if args.json {
        let mut last = result;
        last["run"] = Json::from(plan.folder.display().to_string());
        if let Some(p) = &profiler {
            last["profile"] = profile::json(&p.profile());
        }
        term.out(&format!("{last}\n"));
        return Ok(if last["best"].is_null() { ERRORS } else { OK });
    }
    let code = report(term, &plan, all, tested.as_ref(), &resume)?;
    if let Some(p) = &profiler {
        term.out(&format!("\n{}", profile::text(&p.profile(), term.width())));
    }
    Ok(code)
}

/// The first signal stops the search when its running steps are done, the second ends the process.
fn listen(stop: &Arc<AtomicBool>, watch: &Arc<Watch>, mode: Mode) {
    let (stop, watch) = (stop.clone(), watch.clone());
    // Without a handler a signal ends the process, which loses nothing but what is running.
    let _ = ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        let text = "stopping; once more to leave at once";
        if mode == Mode::Quiet { eprintln!("{text}") } else { watch.progress.say(text) }
    });
}

/// The best candidate on the test part, which is read once for it: a result that is stored is taken from there.
fn tested(
    args: &RunArgs,
    plan: &Plan,
    children: &Children,
    all: &[Arc<Trial>],
    stop: &AtomicBool,
) -> Result<Option<Tested>, Trouble> {
    let Some(best) = outcome::best(all) else { return Ok(None) };
    if plan.search.space.design().is_some() {
        let metric = plan.search.objectives.first().map_or(String::new(), |g| g.text.clone());
        return Ok(judge(&plan.search, all).map(|(id, value)| Tested { trial: id.0, metric, value }));
    }
    if let Some(known) = stored_test(&plan.store).filter(|t| t.trial == best.id.0) {
        return Ok(Some(known));
    }
    if plan.search.split.test.is_empty() {
        return Ok(None);
    }
    if !args.json {
        say("training the best candidate again for the test");
    }
    let value = match test(children, &plan.store, &best, stop) {
        Ok(v) => v,
        Err(_) if stop.load(Ordering::Relaxed) => None,
        Err(d) => return Err(Trouble::new(vec![d], &plan.search.program.sources)),
    };
    let metric = match plan.search.target {
        Target::Classes => "accuracy",
        Target::Numbers(_) => "mean_squared_error",
    };
    Ok(value.map(|value| Tested { trial: best.id.0, metric: metric.to_string(), value }))
}

/// The test result that a run has stored.
pub fn stored_test(store: &Store) -> Option<Tested> {
    let folder = store.folder()?;
    let text = std::fs::read_to_string(folder.join("artifacts").join(RESULT)).unwrap_or_default();
    let json: Json = serde_json::from_str(&text).unwrap_or(Json::Null);
    Tested::from_json(&json["test"])
}

fn report(term: &Terminal, plan: &Plan, all: &[Arc<Trial>], tested: Option<&Tested>, resume: &str) -> Outcome {
    let Some(best) = outcome::chosen(all, tested) else {
        let reason = all.iter().find_map(|t| t.failure.as_ref()).map(|f| f.reason.clone());
        let d = Diagnostic::unplaced(&codes::NO_TRIAL, format!("none of {} trials succeeded", all.len()));
        let d = match reason {
            Some(r) => d.note(format!("the first failed because: {r}")),
            None => d.help("raise the budget"),
        };
        return Err(d.into());
    };
    let listing = Candidate::from_json(&serde_json::from_str(&best.candidate).unwrap_or(Json::Null))
        .ok()
        .and_then(|c| plan.search.space.listing(&c, &format!("trial_{}", best.id)).ok()?);
    let heading = format!("best: {}", outcome::name(&best));
    term.out(&format!("\n{}", outcome::trial(term, &best, &heading, tested, listing.as_deref())));
    if let Some(front) = outcome::front(term, all) {
        term.out(&format!("\n{front}"));
    }
    let more = plan.search.budget.trials.map_or(String::new(), |n| format!(" --trials {}", 2 * n));
    let dim = term.err_style().dim();
    say(&format!(
        "\n{}  nasc show {}\n{}  {resume}{more}",
        dim.apply_to("more of it:"),
        plan.folder.display(),
        dim.apply_to("go on:     "),
    ));
    Ok(OK)
}

/// `0.9861` for a reward, for titles.
pub fn reward(t: &Trial) -> String {
    t.reward().map(short).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_numbered() {
        assert_eq!(folder("digits", 1), PathBuf::from("digits.run"));
        assert_eq!(folder("digits", 3), PathBuf::from("digits-3.run"));
    }
}
