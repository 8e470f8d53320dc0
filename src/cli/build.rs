//! `nasc build`: check, compile ahead, and say what the space is like.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::ahead::{self, Needs};
use super::load;
use super::term::{self, Outcome, Terminal, Trouble, say};
use super::{BuildArgs, ERRORS, OK, check, emit, gpu, profile};
use crate::base::rng::Stream;
use crate::diag::{Diagnostic, codes};
use crate::exec::cpu::Cpu;
use crate::graph::text;
use crate::report::table::{duration, short};
use crate::search::setup::{Overrides, Search};
use crate::space::Space;
use crate::space::decision::{Candidate, Choice};

/// More options than this of one decision are not covered one by one.
const MOST_OPTIONS: u64 = 64;

/// The executor that a search's children run on, so many at once. Unless the search says how much memory a child may use, it is
/// nine tenths of an equal share of what is free now. Cores that no child has to itself help the others.
pub fn executor(search: &Search, at_once: usize) -> Arc<Cpu> {
    let share = |free: u64| free / 10 * 9 / at_once.max(1) as u64;
    let cpu = search.memory.or_else(|| free_memory().map(share)).map_or_else(Cpu::new, Cpu::with_memory_limit);
    Arc::new(cpu.with_threads(cores() / at_once.max(1)))
}

/// Bytes that this process can still take, by the machine or by the limits of its container, where they are known.
fn free_memory() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let free = system.cgroup_limits().map_or(u64::MAX, |l| l.free_memory).min(system.available_memory());
    (free > 0).then_some(free)
}

/// One for each core.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// All candidates if there are at most `all`, else a sample of about `some` in which every option occurs.
pub fn candidates(space: &Space, all: usize, some: usize, seed: u64) -> Result<(Vec<Candidate>, bool), Diagnostic> {
    let countable = space.size().is_some_and(|s| {
        s.real == 0
            && match &s.discrete {
                crate::space::count::Count::Exact(n) | crate::space::count::Count::AtMost(n) => *n <= all.into(),
            }
    });
    let failed = crate::space::BuildError::diagnostic;
    if countable && let Some(every) = space.completions(&Candidate::default(), all).map_err(failed)? {
        return Ok((every, true));
    }
    Ok((covering(space, some, seed).map_err(failed)?, false))
}

/// Candidates that together have every option of every decision, each in random company, and at least `some`.
fn covering(space: &Space, some: usize, seed: u64) -> Result<Vec<Candidate>, crate::space::BuildError> {
    let mut rng = Stream::new(seed, "build");
    let mut open: BTreeSet<(String, String)> = BTreeSet::new();
    for d in space.decisions() {
        for v in d.decision.domain.values(MOST_OPTIONS).unwrap_or_default() {
            open.insert((d.decision.name.clone(), v.to_string()));
        }
    }
    let mut out: Vec<Candidate> = Vec::new();
    let mut keys = BTreeSet::new();
    let mut idle = 0;
    // Options that only exist under others, or under no candidate at all because of a `forbid`, take several attempts.
    while (out.len() < some || !open.is_empty()) && idle < 40 {
        let mut partial = Candidate::default();
        for d in space.decisions() {
            let values = d.decision.domain.values(MOST_OPTIONS).unwrap_or_default();
            let wanted: Vec<&Choice> =
                values.iter().filter(|v| open.contains(&(d.decision.name.clone(), v.to_string()))).collect();
            if !wanted.is_empty() && (idle == 0 || rng.flip(0.7)) {
                let v = wanted[rng.below(wanted.len())].clone();
                partial.values.insert(d.decision.name.clone(), v);
            }
        }
        // Wishes that exclude each other under a `forbid` are no error.
        let c = match space.fill(&partial, &mut rng) {
            Ok(c) => c,
            Err(_) => space.random(&mut rng)?,
        };
        let before = open.len();
        for (d, v) in space.decisions_of(&c)? {
            open.remove(&(d.name, v.to_string()));
        }
        let new = keys.insert(c.genotype_key());
        idle = if open.len() < before || (new && out.len() < some) { 0 } else { idle + 1 };
        if new && (open.len() < before || out.len() < some) {
            out.push(c);
        }
    }
    Ok(out)
}

/// Compiles candidates on several threads.
fn compile_all(
    term: &Terminal,
    search: &Arc<Search>,
    cpu: &Arc<Cpu>,
    all: &[Candidate],
    workers: usize,
) -> Vec<Result<Needs, String>> {
    let bar = ProgressBar::with_draw_target(
        Some(all.len() as u64),
        if term.err_width().is_some() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    if let Ok(style) = ProgressStyle::with_template("compiling {bar:30} {pos}/{len} candidates, {msg}, {eta} left") {
        bar.set_style(style.progress_chars("█▉░"));
    }
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<Needs, String>>>> = Mutex::new(vec![None; all.len()]);
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, all.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(c) = all.get(i) else { return };
                    let r = ahead::compile(search, cpu, c).map(|mut n| {
                        if i > 0 {
                            // Only the first is written out; thousands of graphs would fill the memory.
                            n.training = None;
                            n.forward = crate::graph::Graph::default();
                        }
                        n
                    });
                    results.lock().unwrap_or_else(PoisonError::into_inner)[i] = Some(r);
                    bar.set_message(format!("{} kernels", cpu.stats().kernels));
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().map(|r| r.unwrap_or_else(|| Err("it was not compiled".to_string()))).collect()
}

fn range(values: impl Iterator<Item = u64> + Clone) -> (u64, u64) {
    (values.clone().min().unwrap_or(0), values.max().unwrap_or(0))
}

fn show_range((lo, hi): (u64, u64), show: impl Fn(u64) -> String) -> String {
    if lo == hi { show(lo) } else { format!("{} to {}", show(lo), show(hi)) }
}

/// `3.4 MB`
fn bytes(n: u64) -> String {
    match n {
        n if n < 10_000 => format!("{n} B"),
        n if n < 10_000_000 => format!("{:.0} kB", n as f64 / 1e3),
        n if n < 10_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        n => format!("{:.1} GB", n as f64 / 1e9),
    }
}

/// `nasc build`
pub fn command(term: &Terminal, args: &BuildArgs) -> Outcome {
    let file = args.file.clone().map_or_else(load::only_file, Ok)?;
    let loaded = load::load(&file)?;
    if args.emit == Some(super::Stage::Ast) && !term::has_errors(&loaded.diagnostics) {
        term.out(&emit::ast(&loaded.program));
        return Ok(OK);
    }
    let mut checked = check::check(&loaded, &Overrides::default());
    let sources = &loaded.program.sources;
    if term::has_errors(&checked.diagnostics) {
        let summary = term::counted(&checked.diagnostics);
        term.diagnostics(&checked.diagnostics, sources);
        say(&summary.unwrap_or_default());
        return Ok(ERRORS);
    }
    term.diagnostics(&checked.diagnostics, sources);
    let wanted = load::pick_search(&loaded.program, args.search.as_deref())?;
    let at = checked.searches.iter().position(|s| s.item == wanted);
    let Some(at) = at else {
        return Err(Diagnostic::unplaced(&codes::NO_SEARCH, "the search could not be read").into());
    };
    let search = checked.searches.swap_remove(at);
    if let Some(stage) = args.emit {
        return emit::command(term, &search, stage, args);
    }
    if args.target == super::BuildTarget::Cuda {
        let out = gpu::build(term, &search, &file, args);
        return out.map_err(|t| Trouble { sources: Arc::new(sources.clone()), ..t });
    }
    build(term, &search, &file, args).map_err(|t| Trouble { sources: Arc::new(sources.clone()), ..t })
}

fn build(term: &Terminal, search: &Arc<Search>, file: &Path, args: &BuildArgs) -> Outcome {
    if search.space.design().is_some() {
        let d = Diagnostic::unplaced(
            &codes::BUILD_FAILED,
            format!("the candidates of `{}` are programs, which need nothing compiled ahead", search.space.name()),
        );
        return Err(d.help("`nasc run` starts at once").into());
    }
    let begun = Instant::now();
    let (all, complete) = candidates(&search.space, args.exhaustive, args.sample, args.seed)?;
    let workers = args.workers.map_or_else(cores, usize::from);
    let cpu = executor(search, workers);
    say(&format!(
        "{}: {}; compiling {} of them",
        search.name,
        check::describe(&search.space),
        if complete { format!("all {}", all.len()) } else { all.len().to_string() },
    ));
    let results = compile_all(term, search, &cpu, &all, workers);
    let needs: Vec<&Needs> = results.iter().filter_map(|r| r.as_ref().ok()).collect();
    let failures: Vec<(usize, &String)> =
        results.iter().enumerate().filter_map(|(i, r)| r.as_ref().err().map(|e| (i, e))).collect();
    let stats = cpu.stats();
    let seconds = begun.elapsed().as_secs_f64();
    let params = range(needs.iter().map(|n| n.params));
    let flops = range(needs.iter().map(|n| n.flops));
    let memory = range(needs.iter().map(|n| n.memory));
    let programs: u64 = needs.iter().map(|n| n.programs).sum();
    let folder = args.out.clone().unwrap_or_else(|| default_folder(file));
    let summary = json!({
        "search": search.name,
        "space": search.space.name(),
        "architectures": search.space.size().map(crate::space::count::Size::describe),
        "decisions": search.space.decisions().len(),
        "candidates": { "compiled": needs.len(), "failed": failures.len(), "complete": complete },
        "params": { "least": params.0, "most": params.1 },
        "flops": { "least": flops.0, "most": flops.1 },
        "memory": { "least": memory.0, "most": memory.1 },
        "programs": programs,
        "kernels": { "distinct": stats.kernels, "shared": stats.hits, "compile_seconds": stats.compile_ns as f64 / 1e9 },
        "seconds": seconds,
        "version": env!("CARGO_PKG_VERSION"),
        "config": search.config,
    });
    write_folder(&folder, search, &summary, &all, results.first())?;
    let of = if complete { String::new() } else { format!(" of {} candidates", needs.len()) };
    let bold = term.style().bold();
    let line = |name: &str, text: String| term.out(&format!("{:<13} {text}\n", bold.apply_to(name)));
    line("search", search.name.clone());
    line("space", format!("{}: {}", search.space.name(), check::describe(&search.space)));
    if !needs.is_empty() {
        line(
            "compiled",
            if complete {
                format!("all {}", needs.len())
            } else {
                format!("{} candidates, every option among them", needs.len())
            },
        );
        line("parameters", format!("{}{of}", show_range(params, |n| short(n as f64))));
        line("multiply-adds", format!("{} for one example", show_range(flops, |n| short(n as f64))));
        line("memory", format!("{} for one child", show_range(memory, bytes)));
        line(
            "kernels",
            format!(
                "{} for {programs} programs, {} of compilation",
                stats.kernels,
                duration(stats.compile_ns as f64 / 1e9)
            ),
        );
    }
    line("time", format!("{} on {workers} threads", duration(seconds)));
    line("written", format!("{}", folder.display()));
    if args.timings {
        measure(term, search, &cpu, &all, &results)?;
    }
    if failures.is_empty() {
        return Ok(OK);
    }
    let (first, reason) = failures[0];
    let d = Diagnostic::unplaced(
        &codes::BUILD_FAILED,
        format!("{} of {} candidates cannot be trained", failures.len(), results.len()),
    )
    .note(format!("{}: {reason}", all[first].to_json()))
    .help("allow more `memory` to a child, use a smaller batch, or make the space smaller");
    Err(d.into())
}

/// Measures a step of the candidate with the most arithmetic.
fn measure(
    term: &Terminal,
    search: &Arc<Search>,
    cpu: &Arc<Cpu>,
    all: &[Candidate],
    results: &[Result<Needs, String>],
) -> Result<(), Diagnostic> {
    let failed = |reason: String| Diagnostic::unplaced(&codes::BUILD_FAILED, reason);
    let compiled = all.iter().zip(results).filter_map(|(c, r)| Some((c, r.as_ref().ok()?)));
    let Some((largest, _)) = compiled.max_by_key(|(_, n)| n.flops) else { return Ok(()) };
    let needs = ahead::compile(search, cpu, largest).map_err(failed)?;
    let (p, fastest) = profile::steps(cpu.clone(), &needs).map_err(|e| failed(e.to_string()))?;
    let what = if needs.training.is_some() { "training step" } else { "forward pass" };
    term.out(&format!("\nthe largest candidate: {:.2} ms for a {what}, on one core\n", fastest * 1e3));
    term.out(&profile::text(&p, term.width()));
    Ok(())
}

/// `digits.build` for `digits.nas`, in the current folder.
pub fn default_folder(file: &Path) -> PathBuf {
    let stem = file.file_stem().map_or_else(|| "nas".into(), |s| s.to_string_lossy().into_owned());
    PathBuf::from(format!("{stem}.build"))
}

fn write_folder(
    folder: &Path,
    search: &Search,
    summary: &serde_json::Value,
    all: &[Candidate],
    first: Option<&Result<Needs, String>>,
) -> Result<(), Diagnostic> {
    std::fs::create_dir_all(folder).map_err(|e| load::unwritable(folder, &e))?;
    let put = |name: &str, text: &str| load::write(&folder.join(name), text.as_bytes());
    put("summary.json", &format!("{summary:#}\n"))?;
    let (_, root) = search.program.sources.iter().next().unwrap_or_else(|| unreachable!("a program has a root"));
    put("program.nas", &root.text)?;
    put("decisions.txt", &check::decisions(&search.space, 400))?;
    if let (Some(c), Some(Ok(needs))) = (all.first(), first) {
        put("candidate.json", &format!("{:#}\n", c.to_json()))?;
        put("forward.ir", &text::print(&needs.forward))?;
        if let Some(g) = &needs.training {
            put("training.ir", &text::print(g))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::engine::{Evaluator, Unrecorded};
    use crate::sema::modules::Program;

    fn search(text: &str) -> Arc<Search> {
        let (program, errors) = Program::load("test.nas", text, None);
        assert!(errors.is_empty(), "{errors:#?}");
        let program = Arc::new(program);
        let item = program.searches().next().expect("a search").0;
        match Search::new(&program, item, Path::new("."), &Overrides::default()) {
            Ok((s, _)) => Arc::new(s),
            Err(ds) => panic!("{ds:#?}"),
        }
    }

    const SPACE: &str = "
use std.ops.*
use std.evaluations.train
space s(image[N, C, H, W], classes: int) {
  let k = choose kernel from [1, 3, 5]
  let y = image >> conv(4, k)
  let z = choose op { conv(4, choose inner from [1, 3]) | more: relu >> (choose deep { relu | tanh }) }
  y >> z >> global_avg_pool >> linear(classes)
}
search q { data = digits() space = s() evaluate = train(epochs = 1) }";

    #[test]
    fn a_small_space_is_taken_whole() {
        let s = search(SPACE);
        let (all, complete) = candidates(&s.space, 100, 4, 0).unwrap();
        assert!(complete);
        assert_eq!(all.len(), 12);
        let (some, complete) = candidates(&s.space, 11, 4, 0).unwrap();
        assert!(!complete);
        for (name, value) in [("kernel", "5"), ("op", "more"), ("inner", "1"), ("inner", "3"), ("deep", "tanh")] {
            let has = |c: &Candidate| c.values.iter().any(|(k, v)| k.ends_with(name) && v.to_string() == value);
            assert!(some.iter().any(has), "{name} = {value} is missing in {some:?}");
        }
    }

    #[test]
    fn what_an_evaluation_needs_is_compiled_and_nothing_is_computed() {
        let s = search(SPACE);
        let cpu = executor(&s, 1);
        let c = s.space.random(&mut Stream::new(1, "x")).unwrap();
        let needs = ahead::compile(&s, &cpu, &c).unwrap();
        let compiled = cpu.stats().compiled;
        assert!(compiled > 0 && needs.training.is_some() && needs.programs >= 3, "{needs:?}");
        assert!(needs.memory > 4 * needs.params);
        // A real evaluation finds all of its kernels.
        let children = crate::search::run::children(&s, cpu.clone());
        let job = crate::search::engine::Job::new(c.to_json().to_string(), "k");
        children.evaluate(&job, &mut Unrecorded).unwrap();
        assert_eq!(cpu.stats().compiled, compiled, "a kernel was not compiled ahead");
    }

    #[test]
    fn a_child_without_room_is_a_failure_with_its_reason() {
        let s = search(&SPACE.replace("search q {", "search q { memory = 1000"));
        let c = s.space.random(&mut Stream::new(1, "x")).unwrap();
        let e = ahead::compile(&s, &executor(&s, 1), &c).unwrap_err();
        assert!(e.contains("memory"), "{e}");
    }
}
