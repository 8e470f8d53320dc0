//! `tests/ui/**/*.nas`: what is wrong with a file, said in the file.
//!
//! `//~ E0203 "part of the message"` expects a diagnostic whose primary label starts on this line; `//~^` means the line
//! above, one `^` for each line. Several may stand on one line. A `.stderr` file beside a case holds all its reports as
//! a terminal shows them; `NASC_BLESS=1` writes those that exist, and `//@ snapshot` in a case asks for one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nasc::base::Sources;
use nasc::diag::{Diagnostic, render};
use nasc::sema::modules::{ItemRef, Program};
use nasc::sema::names;
use nasc::space::{DataShape, InputShape, Space};
use nasc::syntax::ast::{ArchKind, ItemKind};

/// The embedded digits: 8×8 grey images of ten classes.
pub fn digits() -> DataShape {
    DataShape { inputs: vec![InputShape { dims: vec![1, 8, 8], int: false }], classes: 10 }
}

/// Everything that loading, names and the checks of all spaces say about a file.
pub fn diagnostics(name: &str, text: &str, dir: Option<&Path>) -> (Sources, Vec<Diagnostic>) {
    let (program, mut found) = Program::load(name, text, dir);
    let unreadable = found.iter().any(|d| d.code.id.starts_with("E01") || d.code.id.starts_with("E02"));
    found.extend(names::check_all(&program));
    let program = Arc::new(program);
    // A space of a text that was read in part would only be wrong because of the missing part.
    if !unreadable {
        let root = program.root();
        found.extend(nasc::algo::design::check_all(&program, root));
        for (i, item) in program.modules[0].ast.items.iter().enumerate() {
            let item_ref = ItemRef { module: root, item: i as u32 };
            match &item.kind {
                ItemKind::Arch(a) if a.kind == ArchKind::Space => {
                    // A space that a search uses is checked there, with extents.
                    let used = program.searches().any(|(_, s)| {
                        s.fields
                            .iter()
                            .any(|(n, e)| n.name == "space" && program.sources.slice(e.span).starts_with(&a.name.name))
                    });
                    if !used {
                        found.extend(Space::of_item(&program, item_ref).1);
                    }
                }
                ItemKind::Search(_) => found.extend(Space::of_search(&program, item_ref, digits()).1),
                _ => {}
            }
        }
    }
    let found = names::merged(found);
    (program.sources.clone(), found)
}

#[derive(Debug)]
struct Expected {
    line: usize,
    code: String,
    part: String,
}

fn expectations(text: &str) -> Vec<Expected> {
    let mut out = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let mut rest = line;
        while let Some(at) = rest.find("//~") {
            rest = &rest[at + 3..];
            let up = rest.chars().take_while(|&c| c == '^').count();
            rest = rest[up..].trim_start();
            let (code, after) = rest.split_once(' ').unwrap_or((rest, ""));
            let (part, after) = match after.trim_start().strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').expect("the part of the message ends with a quote"),
                None => ("", after),
            };
            out.push(Expected { line: i + 1 - up, code: code.trim().to_string(), part: part.to_string() });
            rest = after;
        }
    }
    out
}

/// The differences between what is expected and what was found; empty if there are none.
pub fn differences(text: &str, sources: &Sources, found: &[Diagnostic]) -> String {
    let mut open = expectations(text);
    let mut out = String::new();
    for d in found {
        let Some(l) = d.labels.first() else {
            let _ = writeln!(out, "  found without a place: {} {}", d.code.id, d.message);
            continue;
        };
        let (line, column) = sources.line_col(l.span.file, l.span.start);
        let root = l.span.file.0 == 0;
        let hit =
            open.iter().position(|e| root && e.line == line && e.code == d.code.id && d.message.contains(&e.part));
        match hit {
            Some(at) => {
                open.remove(at);
            }
            None => {
                let name = &sources.get(l.span.file).name;
                let _ = writeln!(out, "  not expected: {name}:{line}:{column} {} \"{}\"", d.code.id, d.message);
            }
        }
    }
    for e in open {
        let _ = writeln!(out, "  missing: line {} {} \"{}\"", e.line, e.code, e.part);
    }
    out
}

pub fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn expectations_in_files_are_met() {
    let dir = root().join("tests/ui");
    let bless = std::env::var_os("NASC_BLESS").is_some();
    let mut failures = String::new();
    let mut cases = 0;
    for path in files(&dir, "nas") {
        let text = std::fs::read_to_string(&path).expect("readable");
        // Modules that cases use have no expectations of their own.
        if path.components().any(|c| c.as_os_str() == "modules") {
            continue;
        }
        cases += 1;
        let name = path.strip_prefix(&dir).expect("below the folder").to_string_lossy().replace('\\', "/");
        let (sources, found) = diagnostics(&name, &text, path.parent());
        let wrong = differences(&text, &sources, &found);
        if !wrong.is_empty() {
            let _ = writeln!(failures, "{name}:\n{wrong}");
        }
        if text.contains("//@ snapshot") {
            let shown: String = found.iter().map(|d| render::render(d, &sources, false, 100)).collect();
            let at = path.with_extension("stderr");
            let old = std::fs::read_to_string(&at).unwrap_or_default();
            if bless && old != shown {
                std::fs::write(&at, &shown).expect("writable");
            } else if old != shown {
                let _ = writeln!(failures, "{name}: the reports are not those of {}:\n{shown}", at.display());
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}\nNASC_BLESS=1 writes new reports");
    assert!(cases >= 40, "only {cases} cases");
}

/// The harness itself notices what is missing, what is too much, and what is elsewhere.
#[test]
fn the_harness_can_fail() {
    let wrong = |text: &str| {
        let (sources, found) = diagnostics("t.nas", text, None);
        differences(text, &sources, &found)
    };
    let text = "use std.ops.*\nblock b(x[..]) = x >> relu >> rleu //~ E0203 \"no `rleu`\"\n";
    assert_eq!(wrong(text), "");
    assert!(wrong(&text.replace("E0203", "E0301")).contains("missing: line 2 E0301"));
    assert!(wrong(&text.replace("no `rleu`", "no `x`")).contains("not expected: t.nas:2:31 E0203"));
    assert!(wrong(&text.replace("//~", "//")).contains("not expected"));
    assert!(wrong(&text.replace(" //~", "\n//~")).contains("missing: line 3"));
}

/// What is right is not reported: the standard library, the examples, and the programs that fix the look of the language.
#[test]
fn no_false_alarms() {
    let mut failures = String::new();
    for dir in ["stdlib", "examples"] {
        for path in files(&root().join(dir), "nas") {
            let text = std::fs::read_to_string(&path).expect("readable");
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            let (sources, found) = diagnostics(&name, &text, path.parent());
            let wrong = differences("", &sources, &found);
            if !wrong.is_empty() {
                let _ = writeln!(failures, "{}:\n{wrong}", path.display());
            }
        }
    }
    // Programs that fix the look of the language: they use what is not written, and import what they do not use.
    let known = [
        "darts: E0203 there is no `stem` here",
        "hierarchical: W0507 nothing here uses `std.strategies.tournament`",
        "hierarchical: W0507 nothing here uses `std.evaluations.train`",
        "layerwise: E0203 there is no `pad_to_largest` here",
        "nasbench201: W0507 nothing here uses `std.strategies.random_search`",
    ];
    for path in files(&root().join("tests/syntax"), "nas") {
        let text = std::fs::read_to_string(&path).expect("readable");
        let (program, errors) = Program::load("t.nas", &text, None);
        let stem = path.file_stem().expect("a file").to_string_lossy().into_owned();
        if errors.iter().any(|d| d.code.id != "E0202") || !text.contains("use std.ops") {
            continue;
        }
        for d in names::check_all(&program) {
            let line = format!("{stem}: {} {}", d.code.id, d.message);
            if !known.contains(&line.as_str()) {
                let _ = writeln!(failures, "{line}");
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}
