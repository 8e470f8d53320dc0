//! Mutated programs: no text makes the compiler panic, or takes it more than seconds.
//!
//! Each target runs for `NASC_FUZZ_SECONDS` (2 if not set) from the seed `NASC_FUZZ_SEED` (0). The text that is tried lies
//! in `fuzz-*.nas` in the target's temporary folder, so that it is there even if the process dies.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nasc::base::rng::Stream;
use nasc::base::{FileId, Sources};
use nasc::diag::{Severity, render};
use nasc::syntax::{parse, print};

use super::{docs, programs, ui};

/// Longer than this for one text is a defect, in a build without optimizations on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// Texts longer than this are cut: growth is not what is looked for.
const LONGEST: usize = 6000;

/// Everything that is written in the language here: files, and the examples of pages.
fn corpus() -> Vec<String> {
    let root = ui::root();
    let mut texts: Vec<String> = ["stdlib", "examples", "tests/ui", "tests/programs", "tests/syntax"]
        .iter()
        .flat_map(|d| ui::files(&root.join(d), "nas"))
        .map(|p| std::fs::read_to_string(p).expect("readable"))
        .collect();
    for page in ui::files(&root.join("docs"), "md") {
        let text = std::fs::read_to_string(page).expect("readable");
        texts.extend(docs::fences(&text).into_iter().map(|f| f.text));
    }
    assert!(texts.len() > 100, "only {} texts", texts.len());
    texts
}

/// Words, numbers, strings, white space; any other character stands alone.
fn tokens(text: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => 1,
        ' ' | '\n' => 2,
        _ => 0,
    };
    let mut out = Vec::new();
    let mut start = 0;
    let mut before = 0;
    for (i, c) in text.char_indices() {
        let k = kind(c);
        if i > 0 && (k == 0 || k != before) {
            out.push(&text[start..i]);
            start = i;
        }
        before = k;
    }
    out.push(&text[start..]);
    out
}

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "7",
    "64",
    "4096",
    "4097",
    "65537",
    "100000000",
    "9223372036854775807",
    "9223372036854775808",
    "1e308",
    "1e-320",
    "0.1",
    "2.5",
    "5ms",
    "3M",
    "40%",
    "1_000",
];

const SCRAPS: &[&str] = &[
    "choose",
    "choose op { none | identity }",
    "choose k from [1, 3, 5]",
    "choose n in 0..=3",
    "choose x in 1e-4..1.0 log",
    "0.. from",
    "repeat 3 { relu }",
    "assemble 3 nodes { edge = relu }",
    "none",
    "if true { identity } else { none }",
    "for i in 0..3 {",
    "while true {",
    "loop {",
    "return",
    "break",
    "share",
    "motif",
    "block",
    "[2]",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "..",
    "..=",
    ">>",
    "=>",
    "->",
    "<-",
    ":",
    ",",
    "|",
    "-",
    "!",
    "^",
    "%",
    "/",
    "*",
    "==",
    "&&",
    "||",
    "\"",
    "//",
    "\\",
    "sum[i]",
    "max[u: k]",
    "x[n, c, i * 2 - u, j / 2 % 3]",
    "param w[C] = 0",
    "state s = 0",
    "if training {",
    "forbid true",
    "unused(xs)",
    "concat",
    "split(x, 2)",
    "shape(x)[0]",
    "scan",
    "xs.push(xs)",
    "xs[-1]",
    "xs[1..]",
    "[x for x in xs]",
    "a => a",
    "submit(random())",
    "results()",
    "evaluate_all",
    "c.set(\"**\", 1)",
    "list<list<int>>",
    "fn(int) -> T",
    "?",
    "policy(\"lstm\")",
    "é",
    "\u{1F98A}",
    "\t",
    "\r\n",
    "\u{0}",
];

fn one_of<'a>(rng: &mut Stream, xs: &[&'a str]) -> &'a str {
    xs[rng.below(xs.len())]
}

/// A text with a few changes.
fn mutated(corpus: &[String], rng: &mut Stream) -> String {
    let text = &corpus[rng.below(corpus.len())];
    let mut ts: Vec<String> = tokens(text).into_iter().map(str::to_string).collect();
    for _ in 0..=rng.below(4) {
        if ts.is_empty() {
            break;
        }
        let at = rng.below(ts.len());
        let to = (at + 1 + rng.below(12)).min(ts.len());
        match rng.below(10) {
            0 => {
                ts.drain(at..to);
            }
            1 => {
                let part: Vec<String> = ts[at..to].to_vec();
                for _ in 0..=rng.below(3) {
                    ts.splice(at..at, part.iter().cloned());
                }
            }
            2 => {
                let other = rng.below(ts.len());
                ts.swap(at, other);
            }
            3 => ts[at] = one_of(rng, SCRAPS).to_string(),
            4 => ts.insert(at, format!(" {} ", one_of(rng, SCRAPS))),
            5 => {
                // A number by another.
                let numbers: Vec<usize> =
                    (0..ts.len()).filter(|&i| ts[i].starts_with(|c: char| c.is_ascii_digit())).collect();
                if !numbers.is_empty() {
                    ts[numbers[rng.below(numbers.len())]] = one_of(rng, NUMBERS).to_string();
                }
            }
            6 => {
                // A word by another of the same text.
                let words: Vec<usize> =
                    (0..ts.len()).filter(|&i| ts[i].starts_with(|c: char| c.is_alphabetic())).collect();
                if words.len() > 1 {
                    let a = words[rng.below(words.len())];
                    let b = words[rng.below(words.len())];
                    let copy = ts[b].clone();
                    ts[a] = copy;
                }
            }
            7 => {
                // A piece of another text.
                let other = &corpus[rng.below(corpus.len())];
                let os = tokens(other);
                let from = rng.below(os.len());
                let upto = (from + 1 + rng.below(40)).min(os.len());
                ts.splice(at..at, os[from..upto].iter().map(|s| (*s).to_string()));
            }
            8 => {
                // One construct inside itself, many times.
                let n = 1 + rng.below(60);
                let (open, close) =
                    [("(", ")"), ("[", "]"), ("{", "}"), ("choose a {", "}"), ("-", ""), ("f(", ")")][rng.below(6)];
                ts.insert(at, open.repeat(n));
                let end = to.min(ts.len());
                ts.insert(end, close.repeat(n));
            }
            _ => ts.truncate(at.max(1)),
        }
    }
    let mut out = ts.concat();
    if out.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|&i| out.is_char_boundary(i)).unwrap_or(0);
        out.truncate(end);
    }
    out
}

/// What the parser and the formatter promise for any text.
fn parses(text: &str) {
    let mut sources = Sources::default();
    let file = sources.add("fuzz.nas", text);
    let (module, errors) = parse::parse(file, text);
    for d in &errors {
        render::render(d, &sources, false, 80);
    }
    if errors.iter().any(|d| d.severity == Severity::Error) {
        return;
    }
    let formatted = print::format(text, file).expect("what parses is formatted");
    let (again, errors) = parse::parse(FileId(0), &formatted);
    assert!(errors.is_empty(), "formatted, it does not parse: {errors:#?}\n{formatted}");
    assert_eq!(print::shape(&module), print::shape(&again), "formatted, it means something else:\n{formatted}");
    let twice = print::format(&formatted, FileId(0)).expect("formatted");
    assert_eq!(formatted, twice, "formatting it twice is not formatting it once");
}

/// Everything that `nasc check` does, reports included.
fn checks(text: &str) {
    // Most of the time should go where the parser cannot.
    let broken = !parse::parse(FileId(0), text).1.is_empty();
    if broken && !text.len().is_multiple_of(8) {
        return;
    }
    let (sources, found) = programs::check("fuzz.nas", text, None);
    for d in &found {
        render::render(d, &sources, false, 80);
    }
}

fn seconds() -> Duration {
    let set = std::env::var("NASC_FUZZ_SECONDS").ok();
    Duration::from_secs(set.map_or(2, |s| s.parse().expect("NASC_FUZZ_SECONDS is a number")))
}

fn seed() -> u64 {
    std::env::var("NASC_FUZZ_SEED").map_or(0, |s| s.parse().expect("NASC_FUZZ_SEED is a number"))
}

fn last(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}.nas"))
}

/// Runs `target` on mutated texts on a thread of its own, which is watched.
fn fuzz(name: &'static str, target: fn(&str)) {
    let texts = Arc::new(corpus());
    let (send, receive) = mpsc::channel::<Result<(), String>>();
    let until = Instant::now() + seconds();
    let file = last(name);
    let worker = std::thread::Builder::new().name(format!("fuzz-{name}")).stack_size(8 << 20).spawn(move || {
        let mut rng = Stream::new(seed(), name);
        while Instant::now() < until {
            let text = mutated(&texts, &mut rng);
            std::fs::write(last(name), &text).expect("the temporary folder is writable");
            let ok = catch_unwind(AssertUnwindSafe(|| target(&text)));
            let result = ok.map_err(|e| {
                let message = e.downcast_ref::<String>().map(String::as_str).or(e.downcast_ref::<&str>().copied());
                format!("panicked: {}", message.unwrap_or("?"))
            });
            let failed = result.is_err();
            if send.send(result).is_err() || failed {
                return;
            }
        }
    });
    worker.expect("a thread");
    let mut inputs = 0u32;
    loop {
        match receive.recv_timeout(LIMIT) {
            Ok(Ok(())) => inputs += 1,
            Ok(Err(problem)) => {
                panic!("{problem}\nafter {inputs} texts; this one is {}:\n{}", file.display(), read(&file))
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("longer than {LIMIT:?} after {inputs} texts; this one is {}:\n{}", file.display(), read(&file))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    println!("{name}: {inputs} texts");
    assert!(inputs > 0);
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn the_parser_and_the_formatter_survive_any_text() {
    fuzz("parser", parses);
}

#[test]
fn the_checker_survives_any_text() {
    fuzz("check", checks);
}

/// Texts that were found by fuzzing once, and a few that look expensive.
#[test]
fn known_hard_texts() {
    for path in ui::files(&ui::root().join("tests/fuzz"), "nas") {
        let text = std::fs::read_to_string(&path).expect("readable");
        let start = Instant::now();
        parses(&text);
        checks(&text);
        assert!(start.elapsed() < LIMIT, "{} takes {:?}", path.display(), start.elapsed());
    }
}
