//! The real program, as a user runs it: every command, every way to go wrong, and killing it at random moments.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;

const TINY: &str = "\
use std.ops.*
use std.strategies.random_search
use std.evaluations.train

space small(image[N, C, H, W], classes: int) {
  let k = choose kernel from [1, 3]
  let c = choose width in 2..=5
  image >> conv(c, k, stride = 4) >> relu >> global_avg_pool >> linear(classes)
}

search tiny {
  data          = digits()
  space         = small()
  evaluate      = train(epochs = 1, fraction = 0.2)
  strategy      = random_search()
  objective     = [maximize(accuracy), minimize(params)]
  budget        = trials(6)
  deterministic = true
}
";

/// A folder with `tiny.nas`.
fn folder() -> TempDir {
    let dir = TempDir::new().expect("a temporary folder");
    std::fs::write(dir.path().join("tiny.nas"), TINY).expect("it can be written");
    dir
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_nasc"));
    c.current_dir(dir).args(args).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env("COLUMNS", "100");
    c.stdin(Stdio::null());
    c
}

/// Runs a command to its end.
fn nasc(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().expect("nasc starts")
}

fn out(o: &Output) -> String {
    String::from_utf8(o.stdout.clone()).expect("standard output is UTF-8")
}

fn err(o: &Output) -> String {
    String::from_utf8(o.stderr.clone()).expect("standard error is UTF-8")
}

/// Standard output of a command that must succeed.
#[track_caller]
fn good(dir: &Path, args: &[&str]) -> String {
    let o = nasc(dir, args);
    assert_eq!(o.status.code(), Some(0), "{args:?}\n{}\n{}", out(&o), err(&o));
    out(&o)
}

/// Standard error of a command that must fail with 1 and this code.
#[track_caller]
fn bad(dir: &Path, args: &[&str], code: &str) -> String {
    let o = nasc(dir, args);
    let text = err(&o);
    assert_eq!(o.status.code(), Some(1), "{args:?}\n{}\n{text}", out(&o));
    assert!(text.contains(&format!("[{code}]")), "{args:?} should say {code}:\n{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[track_caller]
fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("not JSON ({e}): {text}"))
}

fn lines(text: &str) -> Vec<Json> {
    text.lines().map(json).collect()
}

/// Trials without what differs from run to run, in the order of their numbers.
fn trials(dir: &Path, run: &str) -> Vec<Json> {
    let mut all = json(&good(dir, &["show", run, "--table", "--json"])).as_array().cloned().unwrap_or_default();
    for t in &mut all {
        t.as_object_mut().expect("an object").remove("seconds");
    }
    all
}

#[test]
fn help_has_examples_everywhere() {
    let dir = folder();
    let all = good(dir.path(), &["--help"]);
    assert!(all.contains("Exit codes") && all.contains("130"), "{all}");
    for name in ["check", "build", "run", "sample", "show", "fmt", "lsp", "explain", "new", "completions"] {
        assert!(all.contains(&format!("  {name} ")), "{name} is missing in\n{all}");
        let text = good(dir.path(), &[name, "--help"]);
        assert!(text.contains("Examples:") && text.contains(&format!("nasc {name}")), "{text}");
        assert!(!text.contains('\u{1b}'), "no colours into a pipe");
    }
    assert!(good(dir.path(), &["--version"]).starts_with("nasc "));
    for wrong in [&["chekc"][..], &[], &["run", "--trials", "0"], &["run", "--time", "soon"], &["show"]] {
        assert_eq!(nasc(dir.path(), wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn check_counts_and_lists() {
    let dir = folder();
    assert_eq!(good(dir.path(), &["check", "tiny.nas"]), "tiny: 8 architectures, 2 decisions\n");
    assert_eq!(good(dir.path(), &["check"]), "tiny: 8 architectures, 2 decisions\n", "the only file");
    let table = good(dir.path(), &["check", "tiny.nas", "--decisions"]);
    assert!(table.contains("kernel") && table.contains("1 | 3") && table.contains("2 | 3 | 4 | 5"), "{table}");
    let report = json(&good(dir.path(), &["check", "tiny.nas", "--json"]));
    assert_eq!((report["ok"].as_bool(), report["errors"].as_u64()), (Some(true), Some(0)));
    assert_eq!(report["searches"][0]["decisions"][0]["options"], serde_json::json!([1, 3]));
}

#[test]
fn check_reports_several_errors_in_one_run() {
    let dir = folder();
    let text = TINY.replace("relu >>", "reluu >>").replace("seed", "sed").replace("= train(", "= train(epoch = 2, ");
    std::fs::write(dir.path().join("wrong.nas"), text).unwrap();
    let text = bad(dir.path(), &["check", "wrong.nas"], "E0203");
    assert!(text.contains("did you mean `relu`") || text.contains("write `relu`"), "{text}");
    assert!(text.contains("epoch"), "{text}");
    assert!(text.trim_end().ends_with("errors") || text.contains(" errors, "), "a summary at the end: {text}");
    assert!(text.contains("wrong.nas:8:"), "{text}");
    let o = nasc(dir.path(), &["check", "wrong.nas", "--json"]);
    assert_eq!(o.status.code(), Some(1));
    let report = json(&out(&o));
    assert!(report["errors"].as_u64() >= Some(2), "{report:#}");
    assert_eq!(report["diagnostics"][0]["labels"][0]["start"]["line"].as_u64(), Some(8), "{report:#}");
    // A space that no search uses is checked too, for whatever it will be given.
    let text =
        TINY.to_string() + "\nspace other(image[N, C, H, W], classes: int) { image >> conv(8) >> linear2(classes) }\n";
    std::fs::write(dir.path().join("wrong.nas"), text).unwrap();
    assert!(bad(dir.path(), &["check", "wrong.nas"], "E0203").contains("linear2"));
}

#[test]
fn colours_and_width_follow_the_terminal() {
    let dir = folder();
    std::fs::write(dir.path().join("wrong.nas"), TINY.replace("relu >>", "reluu >>")).unwrap();
    let plain = bad(dir.path(), &["check", "wrong.nas"], "E0203");
    assert!(!plain.contains('\u{1b}'));
    let o = nasc(dir.path(), &["--color", "always", "check", "wrong.nas"]);
    assert!(err(&o).contains("\u{1b}["), "{}", err(&o));
    let o =
        command(dir.path(), &["check", "wrong.nas"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    assert!(!err(&o).contains('\u{1b}'), "NO_COLOR wins: {}", err(&o));
    let narrow = command(dir.path(), &["check", "tiny.nas", "--decisions"]).env("COLUMNS", "40").output().unwrap();
    assert!(out(&narrow).lines().all(|l| l.chars().count() <= 40), "{}", out(&narrow));
}

#[test]
fn files_that_cannot_be_read() {
    let dir = folder();
    let d = dir.path();
    let text = bad(d, &["check", "tny.nas"], "E1101");
    assert!(text.contains("did you mean `tiny.nas`"), "{text}");
    assert!(bad(d, &["check", "tiny"], "E1101").contains("did you mean `tiny.nas`"));
    assert!(bad(d, &["check", "."], "E1101").contains("folder"));
    std::fs::write(d.join("latin.nas"), b"// gr\xfc\xdfe\n").unwrap();
    let text = bad(d, &["check", "latin.nas"], "E1101");
    assert!(text.contains("line 1") && text.contains("0xfc"), "{text}");
    for command in ["run", "build", "sample", "fmt"] {
        bad(d, &[command, "missing.nas"], "E1101");
    }
    std::fs::write(d.join("empty.nas"), "").unwrap();
    assert!(bad(d, &["run", "empty.nas"], "E1102").contains("no search"));
    assert_eq!(good(d, &["check", "empty.nas"]), "no errors\n");
}

#[test]
fn searches_are_picked_by_name() {
    let dir = folder();
    let d = dir.path();
    let second = TINY.replace("search tiny", "search other");
    let second = &second[second.find("search other").unwrap()..];
    std::fs::write(d.join("two.nas"), format!("{TINY}\n{second}")).unwrap();
    let text = bad(d, &["run", "two.nas"], "E1103");
    assert!(text.contains("tiny, other") && text.contains("--search"), "{text}");
    assert!(bad(d, &["run", "two.nas", "--search", "othr"], "E1103").contains("did you mean `other`"));
    let text = bad(d, &["run"], "E1102");
    assert!(text.contains("tiny.nas") && text.contains("two.nas"), "{text}");
    let empty = TempDir::new().unwrap();
    assert!(bad(empty.path(), &["run"], "E1102").contains("nasc new"));
    assert_eq!(lines(&good(d, &["sample", "two.nas", "--search", "other", "-n", "2"])).len(), 2);
}

#[test]
fn samples_are_candidates_and_follow_the_seed() {
    let dir = folder();
    let first = good(dir.path(), &["sample", "tiny.nas", "-n", "20", "--seed", "3"]);
    assert_eq!(first, good(dir.path(), &["sample", "tiny.nas", "-n", "20", "--seed", "3"]));
    assert_ne!(first, good(dir.path(), &["sample", "tiny.nas", "-n", "20", "--seed", "4"]));
    let all = lines(&first);
    assert_eq!(all.len(), 20);
    assert!(all.iter().all(|c| [1, 3].contains(&c["kernel"].as_i64().unwrap())));
}

#[test]
fn build_writes_a_folder_and_prints_stages() {
    let dir = folder();
    let d = dir.path();
    let text = good(d, &["build", "tiny.nas"]);
    assert!(text.contains("all 8") && text.contains("kernels"), "{text}");
    let summary = json(&std::fs::read_to_string(d.join("tiny.build/summary.json")).unwrap());
    assert_eq!(summary["architectures"], "8");
    assert_eq!(summary["candidates"]["compiled"], 8);
    assert!(summary["params"]["least"].as_u64() < summary["params"]["most"].as_u64());
    let ir = std::fs::read_to_string(d.join("tiny.build/training.ir")).unwrap();
    assert!(nasc::graph::text::parse(&ir).is_ok(), "the printed program can be read back");
    let some = good(d, &["build", "tiny.nas", "--exhaustive", "3", "--sample", "2", "--out", "b"]);
    assert!(some.contains("every option among them"), "{some}");
    let timings = good(d, &["build", "tiny.nas", "--timings", "--out", "t"]);
    assert!(timings.contains("ms for a training step") && timings.contains("between kernels"), "{timings}");
    let fixed = ["--candidate", r#"{"kernel": 3, "width": 5}"#];
    let emit = |stage: &str, more: &[&str]| good(d, &[&["build", "tiny.nas", "--emit", stage], more].concat());
    assert!(emit("ast", &[]).contains("Search") && !emit("ast", &[]).contains("Span"));
    assert!(emit("hir", &[]).contains("width in 2 | 3 | 4 | 5"));
    let graph = emit("graph", &fixed);
    assert!(graph.contains("float[5, 1, 3, 3]") && graph.contains("update"), "{graph}");
    assert!(emit("plan", &fixed).contains("launches"));
    assert!(emit("clif", &fixed).contains("function"));
    let wrong = ["build", "tiny.nas", "--emit", "graph", "--candidate", r#"{"kernel": 2, "width": 5}"#];
    assert!(bad(d, &wrong, "E0507").contains("1 | 3"));
    std::fs::write(d.join("big.nas"), TINY.replace("search tiny {", "search tiny {\n  memory = 1000")).unwrap();
    assert!(bad(d, &["build", "big.nas", "--out", "c"], "E1107").contains("memory"));
}

#[test]
fn a_run_is_stored_shown_and_drawn() {
    let dir = folder();
    let d = dir.path();
    let o = nasc(d, &["run"]);
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    let (text, progress) = (out(&o), err(&o));
    assert!(text.contains("best: trial") && text.contains("test accuracy") && text.contains("Pareto front"), "{text}");
    assert!(progress.contains("6/6 trials") && progress.contains("nasc show tiny.run"), "{progress}");
    assert!(progress.contains("--resume=tiny.run"), "{progress}");
    let result = json(&std::fs::read_to_string(d.join("tiny.run/artifacts/result.json")).unwrap());
    assert_eq!(result["trials"], 6);
    assert!(result["test"]["value"].as_f64().is_some());

    // Measuring changes nothing that is found.
    let measured = good(d, &["run", "--profile", "--json", "--name", "measured"]);
    let last = json(measured.lines().last().unwrap());
    assert_eq!(last["best"]["candidate"], result["best"]["candidate"]);
    let spent = |k: &Json| k["seconds"].as_f64().unwrap();
    let kernels = last["profile"]["kernels"].as_array().unwrap();
    assert!(kernels.iter().map(spent).sum::<f64>() <= spent(&last["profile"]));
    assert!(kernels.is_sorted_by(|a, b| spent(a) >= spent(b)) && kernels[0]["flops"].as_u64() > Some(0), "{kernels:?}");

    let shown = good(d, &["show", "tiny.run"]);
    assert!(shown.contains("6 trials") && shown.contains("test accuracy"), "{shown}");
    assert_eq!(good(d, &["show", "tiny"]), shown, "the name is enough");
    assert_eq!(good(d, &["show", "tiny.run", "--table"]).lines().count(), 8);
    assert!(good(d, &["show", "tiny.run", "--best"]).contains("kernel"));
    assert!(good(d, &["show", "tiny.run", "--trial", "2"]).starts_with("trial 2"));
    assert!(bad(d, &["show", "tiny.run", "--trial", "99"], "E1106").contains("0 to 5"));
    assert!(bad(d, &["show", "other.run"], "E1002").contains("other.run"));
    assert_eq!(json(&good(d, &["show", "tiny.run", "--table", "--json"])).as_array().map(Vec::len), Some(6));
    assert_eq!(json(&good(d, &["show", "tiny.run", "--json"]))["search"], "tiny");
    for (option, name) in [("--svg", "a.svg"), ("--curves", "b.svg"), ("--rewards", "c.svg")] {
        good(d, &["show", "tiny.run", option, name]);
        let svg = std::fs::read_to_string(d.join(name)).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{name}");
    }
    let svg = std::fs::read_to_string(d.join("a.svg")).unwrap();
    assert!(svg.contains("conv") && svg.contains("linear") && svg.contains("output"), "{svg}");
    bad(d, &["show", "tiny.run", "--svg", "no/such/folder.svg"], "E1104");

    // A second run has its own folder; names can be chosen.
    good(d, &["run", "tiny.nas", "--no-test"]);
    assert!(d.join("tiny-2.run").is_dir());
    good(d, &["run", "tiny.nas", "--name", "mine", "--trials", "2", "--seed", "5"]);
    assert!(d.join("mine.run").is_dir());
    assert!(bad(d, &["run", "tiny.nas", "--out", "mine.run"], "E1010").contains("--resume"));
    assert_eq!(trials(d, "tiny.run"), trials(d, "tiny-2.run"), "equal seeds, equal runs");
}

#[test]
fn json_is_one_object_a_line() {
    let dir = folder();
    let o = nasc(dir.path(), &["run", "--json", "--workers", "2"]);
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    assert_eq!(err(&o), "", "nothing but JSON");
    let all = lines(&out(&o));
    assert_eq!(all.len(), 7);
    assert!(all[..6].iter().all(|t| t["status"] == "done" || t["status"] == "cached"), "{all:?}");
    assert_eq!(all[6]["run"], "tiny.run");
    assert!(all[6]["best"]["reward"].as_f64().is_some() && all[6]["test"]["value"].as_f64().is_some());
}

#[test]
fn resuming_replays_and_goes_on() {
    let dir = folder();
    let d = dir.path();
    assert!(bad(d, &["run", "--resume"], "E1002").contains("no run of `tiny`"));
    good(d, &["run", "--trials", "3", "--seed", "9"]);
    let first = trials(d, "tiny.run");
    assert_eq!(first.len(), 3);
    // Without a budget it stays what it was: the run is finished, and its result is printed again, test included.
    let o = nasc(d, &["run", "--resume"]);
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    assert!(out(&o).contains("test accuracy") && !err(&o).contains("training the best"), "{}", err(&o));
    assert_eq!(trials(d, "tiny.run"), first);
    good(d, &["run", "--resume=tiny.run", "--trials", "6"]);
    let longer = trials(d, "tiny.run");
    assert_eq!((longer.len(), &longer[..3]), (6, &first[..]));
    good(d, &["run", "--name", "whole", "--seed", "9"]);
    assert_eq!(trials(d, "whole.run"), longer, "as if it had never stopped");
    // Another program is another search.
    std::fs::write(d.join("tiny.nas"), TINY.replace("epochs = 1", "epochs = 2")).unwrap();
    assert!(bad(d, &["run", "--resume"], "E1006").contains("something else"));
    // The picture still means what the run searched.
    good(d, &["show", "tiny.run", "--svg", "a.svg"]);
}

/// Killed at random moments and resumed each time, a deterministic run ends as one that was never disturbed.
#[test]
fn kill_at_any_moment_and_resume() {
    let dir = folder();
    let d = dir.path();
    std::fs::write(d.join("tiny.nas"), TINY.replace("epochs = 1, fraction = 0.2", "epochs = 4")).unwrap();
    let begun = Instant::now();
    good(d, &["run", "--name", "whole", "--no-test"]);
    let whole = begun.elapsed();
    let expected = trials(d, "whole.run");
    let mut rng = nasc::base::rng::Stream::new(std::process::id().into(), "kill");
    let mut kills = 0;
    // The first run was slow where the machine was busy; how long one really takes shows when it is not caught.
    let mut longest = whole.as_secs_f64() * 0.7;
    loop {
        let begun = d.join("killed.run/run.sqlite").is_file();
        let how =
            if begun { ["--resume=killed.run", "--workers", "1"] } else { ["--out=killed.run", "--workers", "2"] };
        let args = [&["run", "--no-test"][..], &how].concat();
        let mut child = command(d, &args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        if kills < 6 {
            std::thread::sleep(Duration::from_secs_f64(rng.unit() * longest));
            // It may be over already; then there is nothing to kill.
            let _ = child.kill();
        }
        let o = child.wait_with_output().unwrap();
        match o.status.code() {
            None => kills += 1,
            Some(0) if kills == 0 => {
                longest *= 0.6;
                std::fs::remove_dir_all(d.join("killed.run")).unwrap();
            }
            Some(0) => break,
            Some(_) => panic!("it was killed, not: {}", err(&o)),
        }
    }
    assert_eq!(trials(d, "killed.run"), expected, "after {kills} kills");
}

/// The same for programs by the ten thousand, of which only the best are rows.
#[test]
fn kill_a_search_over_programs_and_resume() {
    let dir = folder();
    let d = dir.path();
    let text = "use std.instructions.*\nuse std.evaluations.programs\nuse std.strategies.aging_evolution
fn few() = [constant, dot, sub, mul, scale, add]
space rules = algorithms(
  scalars = 4,
  vectors = 3,
  setup = instructions(1..=3, few),
  predict = instructions(1..=2, few),
  learn = instructions(2..=6, few),
)
search tiny {
  data = scalar_linear_regression(features = 4, tasks = 8, train = 60, valid = 40)
  space = rules
  evaluate = programs()
  strategy = aging_evolution(population = 300, sample = 10)
  objective = fitness
  budget = trials(100000)
  seed = 5
}
";
    std::fs::write(d.join("tiny.nas"), text).unwrap();
    let begun = Instant::now();
    good(d, &["run", "--name", "whole", "--workers", "1"]);
    let whole = begun.elapsed().as_secs_f64();
    let expected = trials(d, "whole.run");
    assert!(expected.len() > 3 && expected.len() < 1000, "{}", expected.len());
    let mut kills = 0;
    for share in [0.3, 0.5, 0.4, 0.2] {
        let begun = d.join("killed.run/run.sqlite").is_file();
        let how =
            if begun { ["--resume=killed.run", "--workers", "1"] } else { ["--out=killed.run", "--workers", "2"] };
        let args = [&["run"][..], &how].concat();
        let mut child = command(d, &args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs_f64(share * whole));
        let _ = child.kill();
        kills += usize::from(child.wait_with_output().unwrap().status.code().is_none());
    }
    assert!(kills > 0, "it was never caught");
    let how = if d.join("killed.run/run.sqlite").is_file() { "--resume=killed.run" } else { "--out=killed.run" };
    good(d, &["run", how]);
    assert_eq!(trials(d, "killed.run"), expected, "after {kills} kills");
}

#[cfg(unix)]
#[test]
fn signals_stop_cleanly_and_one_process_owns_a_run() {
    let dir = folder();
    let d = dir.path();
    let long =
        TINY.replace("epochs = 1, fraction = 0.2", "epochs = 400").replace("deterministic = true", "workers = 1");
    std::fs::write(d.join("tiny.nas"), long).unwrap();
    let child = command(d, &["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let file = d.join("tiny.run/run.sqlite");
    let begun = Instant::now();
    while !file.is_file() {
        assert!(begun.elapsed() < Duration::from_mins(1), "the run never began");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Trials and steps can be seen while it runs, but nobody else may write.
    let text = bad(d, &["run", "--resume=tiny.run"], "E1005");
    assert!(text.contains("tiny.run"), "{text}");
    good(d, &["show", "tiny.run"]);
    std::thread::sleep(Duration::from_millis(300));
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let o = child.wait_with_output().unwrap();
    assert_eq!(o.status.code(), Some(130), "{}", err(&o));
    assert!(err(&o).contains("stopping") && err(&o).contains("--resume=tiny.run"), "{}", err(&o));
}

#[cfg(unix)]
#[test]
fn folders_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder();
    let d = dir.path();
    good(d, &["run", "--trials", "2", "--no-test"]);
    std::fs::create_dir(d.join("locked")).unwrap();
    std::fs::set_permissions(d.join("locked"), std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(d.join("locked/probe"), "x").is_ok() {
        // The administrator may write anywhere: a file in the way does as well.
        std::fs::write(d.join("in_the_way"), "x").unwrap();
        bad(d, &["run", "--out", "in_the_way"], "E1001");
        bad(d, &["run", "--out", "in_the_way/below.run"], "E1001");
        bad(d, &["build", "--out", "in_the_way"], "E1104");
        bad(d, &["show", "tiny.run", "--svg", "in_the_way/a.svg"], "E1104");
    } else {
        assert!(bad(d, &["run", "--out", "locked/x.run"], "E1001").contains("permission"));
        bad(d, &["build", "--out", "locked/b"], "E1104");
        bad(d, &["new", "locked/n"], "E1104");
    }
    assert_eq!(trials(d, "tiny.run").len(), 2);
}

#[test]
fn formatting() {
    let dir = folder();
    let d = dir.path();
    good(d, &["fmt", "--check", "tiny.nas"]);
    let ugly = TINY.replace("let k = choose", "let k   =   choose");
    std::fs::write(d.join("ugly.nas"), &ugly).unwrap();
    let o = nasc(d, &["fmt", "--check", "ugly.nas", "tiny.nas"]);
    assert_eq!((o.status.code(), out(&o).as_str()), (Some(1), "ugly.nas would change\n"));
    assert_eq!(std::fs::read_to_string(d.join("ugly.nas")).unwrap(), ugly, "--check changes nothing");
    let mut child = command(d, &["fmt", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(ugly.as_bytes()).unwrap();
    assert_eq!(out(&child.wait_with_output().unwrap()), TINY);
    good(d, &["fmt", "ugly.nas"]);
    assert_eq!(std::fs::read_to_string(d.join("ugly.nas")).unwrap(), TINY);
    std::fs::write(d.join("broken.nas"), "search {").unwrap();
    bad(d, &["fmt", "broken.nas"], "E0104");
    assert_eq!(std::fs::read_to_string(d.join("broken.nas")).unwrap(), "search {");
}

#[test]
fn explanations() {
    let dir = folder();
    let d = dir.path();
    let all = good(d, &["explain"]);
    for c in nasc::diag::codes::ALL {
        assert!(all.contains(c.id) && all.contains(c.title), "{}", c.id);
        let page = good(d, &["explain", &c.id.to_lowercase()]);
        assert!(page.starts_with(&format!("{}: {}", c.id, c.title)) && !page.contains("```"), "{page}");
    }
    assert!(bad(d, &["explain", "E9999"], "E1105").contains("nasc explain"));
}

#[test]
fn completions_for_every_shell() {
    let dir = folder();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = good(dir.path(), &["completions", shell]);
        assert!(text.contains("nasc") && text.contains("explain"), "{shell}");
    }
}

#[test]
fn a_new_search_is_good_as_it_is() {
    let dir = TempDir::new().unwrap();
    let d = dir.path();
    assert_eq!(
        good(d, &["new", "my-digits"]).trim(),
        PathBuf::from("my-digits").join("my-digits.nas").display().to_string()
    );
    let inside = d.join("my-digits");
    let text = good(&inside, &["check"]);
    assert!(text.starts_with("my_digits: "), "{text}");
    good(&inside, &["fmt", "--check", "my-digits.nas"]);
    bad(d, &["new", "my-digits"], "E1104");
    bad(d, &["new", "2 fast"], "E1104");
    let file = inside.join("my-digits.nas");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("epochs = 6"));
    std::fs::write(&file, text.replace("epochs = 6", "epochs = 1")).unwrap();
    let o = nasc(&inside, &["run", "--trials", "1", "--no-test"]);
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
}
