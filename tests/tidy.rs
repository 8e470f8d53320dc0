//! The architecture, held to its table: `src/lib.rs` says what each module may use and which crates only it may name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::ui;

/// Files longer than 800 lines, and why.
const LONG: &[(&str, &str)] = &[
    ("search/lang/lower.rs", "one exhaustive match from the typed tree to the intermediate language"),
    ("sema/sym.rs", "the normal form and the proofs over it share their invariants"),
];

/// Files that use hash maps, and why their order is never seen.
const HASHED: &[(&str, &str)] = &[
    ("sema/sym.rs", "interning and memoization: looked up, never walked"),
    ("space/elab/mod.rs", "when each tensor is read: looked up, never walked"),
];

/// Files outside of `cli` that print, and why.
const PRINTS: &[(&str, &str)] =
    &[("report/progress.rs", "lines between progress bars have to go through their drawing")];

/// One row of the table in `src/lib.rs`.
#[derive(Debug, Default)]
struct Rules {
    uses: BTreeSet<String>,
    crates: BTreeSet<String>,
}

fn words(cell: &str) -> BTreeSet<String> {
    cell.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .filter(|w| !w.is_empty())
        .map(str::to_string)
        .collect()
}

/// `//! | module | what it is | uses | only it may name |`
fn rules() -> BTreeMap<String, Rules> {
    let text = std::fs::read_to_string(ui::root().join("src/lib.rs")).expect("readable");
    let mut out = BTreeMap::new();
    for line in text.lines().filter_map(|l| l.strip_prefix("//! | `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let module = cells[0].trim_matches('`').to_string();
        assert!(cells.len() >= 4, "a row of four cells: {line}");
        out.insert(module, Rules { uses: words(cells[2]), crates: words(cells[3]) });
    }
    assert!(out.len() > 8, "the table of src/lib.rs: {out:?}");
    out
}

struct Source {
    /// Below `src`.
    name: String,
    module: String,
    text: String,
    /// Without comments and without what is compiled for tests only.
    code: String,
}

/// The modules that are declared for tests only: `#[cfg(test)] mod tests;`.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let stem = path.file_stem().expect("a file").to_string_lossy().into_owned();
    let dir = path.parent().expect("a folder");
    let dir = if ["mod", "lib", "main"].contains(&stem.as_str()) { dir.to_path_buf() } else { dir.join(stem) };
    let mut out = Vec::new();
    let mut test = false;
    for line in text.lines().map(str::trim) {
        let declared = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ").and_then(|m| m.strip_suffix(';'));
        match declared {
            Some(m) if test => {
                test = false;
                out.push(dir.join(m).with_extension("rs"));
                out.push(dir.join(m));
            }
            _ if line.starts_with("#[cfg(test)]") => test = true,
            // Other attributes may stand between, over several lines.
            _ if test && (line.starts_with("#[") || line.ends_with(',') || line.starts_with(")]")) => {}
            _ => test = false,
        }
    }
    out
}

fn without_tests(text: &str) -> String {
    let mut out = String::new();
    let lines: Vec<&str> = text.lines().collect();
    let mut i = 0;
    while i < lines.len() {
        let line = lines[i];
        if line.trim() == "#[cfg(test)]" {
            // What follows belongs to tests: up to a `;` or the brace that closes at this depth.
            let indent = line.len() - line.trim_start().len();
            let next = lines[i + 1..].iter().find(|l| !l.starts_with("#["));
            if next.is_some_and(|l| l.starts_with("mod ") && l.ends_with('{')) {
                // Tests stand at the end of a file.
                break;
            }
            i += 1;
            while i < lines.len() {
                let l = lines[i];
                let same = l.len() - l.trim_start().len() == indent;
                i += 1;
                if same && (l.trim() == "}" || l.trim_end().ends_with(';') || l.trim_end().ends_with('}')) {
                    break;
                }
            }
            continue;
        }
        if !line.trim_start().starts_with("//") {
            out.push_str(line);
        }
        out.push('\n');
        i += 1;
    }
    out
}

fn sources() -> Vec<Source> {
    let root = ui::root().join("src");
    let all: Vec<(PathBuf, String)> = ui::files(&root, "rs")
        .into_iter()
        .map(|p| {
            let text = std::fs::read_to_string(&p).expect("readable");
            (p, text)
        })
        .collect();
    let tests: Vec<PathBuf> = all.iter().flat_map(|(p, t)| test_modules(p, t)).collect();
    assert!(tests.len() > 10, "tests have files of their own");
    all.into_iter()
        .filter(|(p, _)| !tests.iter().any(|t| p.starts_with(t)))
        .map(|(p, text)| {
            let name = p.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/");
            let module = name.split(['/', '.']).next().unwrap_or_default().to_string();
            let code = without_tests(&text);
            Source { name, module, text, code }
        })
        .collect()
}

/// What follows `before` in the code, as a word.
fn named(code: &str, before: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for (i, _) in code.match_indices(before) {
        let boundary =
            code[..i].chars().next_back().is_none_or(|c| !(c.is_alphanumeric() || c == '_' || c == ':' || c == '$'));
        if !boundary {
            continue;
        }
        let rest = &code[i + before.len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let inner = list.split('}').next().unwrap_or_default();
            for part in inner.split(',') {
                out.extend(part.trim().split(':').next().filter(|w| !w.is_empty()).map(str::to_string));
            }
        } else {
            out.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    out
}

#[test]
fn modules_use_only_what_the_table_says() {
    let rules = rules();
    let mut wrong = String::new();
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let all = sources();
    for s in all.iter().filter(|s| !["lib", "main"].contains(&s.module.as_str())) {
        let Some(r) = rules.get(&s.module) else {
            let _ = writeln!(wrong, "{}: the module `{}` is not in the table of src/lib.rs", s.name, s.module);
            continue;
        };
        for m in named(&s.code, "crate::") {
            if m == s.module {
                continue;
            }
            used.entry(&s.module).or_default().insert(m.clone());
            if !r.uses.contains(&m) {
                let _ = writeln!(wrong, "{} uses `{m}`, which the table does not allow to `{}`", s.name, s.module);
            }
        }
        // Paths that climb out of the module would go unseen.
        let depth = s.name.matches('/').count() + usize::from(!s.name.ends_with("/mod.rs"));
        if s.code.contains(&"super::".repeat(depth)) {
            let _ = writeln!(wrong, "{} reaches other modules by `super`; write `crate::`", s.name);
        }
    }
    for (module, r) in &rules {
        for m in &r.uses {
            if !used.get(module.as_str()).is_some_and(|u| u.contains(m)) {
                let _ = writeln!(wrong, "the table lets `{module}` use `{m}`, which it does not");
            }
        }
        assert!(all.iter().any(|s| s.module == *module), "the table has `{module}`, which is not there");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Modules stand in an order in which none uses a later one.
#[test]
fn modules_have_an_order() {
    let rules = rules();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    while done.len() < rules.len() {
        let next =
            rules.iter().find(|(m, r)| !done.contains(m.as_str()) && r.uses.iter().all(|u| done.contains(u.as_str())));
        let Some((m, _)) = next else { panic!("a circle among the modules that are not {done:?}") };
        done.insert(m);
    }
}

#[test]
fn crates_are_named_only_where_the_table_says() {
    let rules = rules();
    let manifest = std::fs::read_to_string(ui::root().join("Cargo.toml")).expect("readable");
    let list = manifest.split("[dependencies]").nth(1).and_then(|r| r.split("\n[").next()).expect("dependencies");
    let crates: Vec<String> = list
        .lines()
        .filter_map(|l| l.split_once(" = "))
        .filter(|l| !l.0.starts_with('#'))
        .map(|l| l.0.trim().replace('-', "_"))
        .collect();
    assert!(crates.len() > 10);
    let mut wrong = String::new();
    let all = sources();
    for c in &crates {
        // `cranelift_codegen` is allowed as `cranelift`.
        let allowed = |r: &Rules| r.crates.iter().any(|a| c == a || c.starts_with(&format!("{a}_")));
        let homes: Vec<&String> = rules.iter().filter(|(_, r)| allowed(r)).map(|(m, _)| m).collect();
        if homes.is_empty() && !["serde", "serde_json"].contains(&c.as_str()) {
            let _ = writeln!(wrong, "no module of the table may name the crate `{c}`");
        }
        for s in &all {
            let names = named(&s.code, &format!("{c}::")).is_empty() && !s.code.contains(&format!("use {c};"));
            if !names && !homes.is_empty() && !homes.contains(&&s.module) {
                let _ = writeln!(wrong, "{} names `{c}`, which only {homes:?} may", s.name);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn only_the_command_line_prints_and_reads_the_environment() {
    let mut wrong = String::new();
    for s in sources().iter().filter(|s| !["cli", "main"].contains(&s.module.as_str())) {
        for what in ["println!", "eprintln!", "print!", "std::env::var", "env::args", "process::exit"] {
            let prints = !named(&s.code, what).is_empty();
            if prints && !PRINTS.iter().any(|(f, _)| *f == s.name) {
                let _ = writeln!(wrong, "{}: `{what}` belongs to `cli`", s.name);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn files_fit_in_a_head() {
    let mut wrong = String::new();
    for s in sources() {
        let lines = s.text.lines().count();
        let listed = LONG.iter().any(|(f, _)| *f == s.name);
        if lines > 800 && !listed {
            let _ = writeln!(wrong, "{} has {lines} lines: divide it, or list it with a reason", s.name);
        }
        if lines <= 800 && listed {
            let _ = writeln!(wrong, "{} has {lines} lines: take it off the list", s.name);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Text, hashes and caches must not depend on the order of hash maps.
#[test]
fn hash_maps_are_listed() {
    let mut wrong = String::new();
    for s in sources() {
        let uses = s.code.contains("HashMap") || s.code.contains("HashSet");
        if uses != HASHED.iter().any(|(f, _)| *f == s.name) {
            let _ = writeln!(wrong, "{}: use BTreeMap, or list it with the reason why its order is never seen", s.name);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn unsafe_code_says_why_it_is_sound() {
    let mut wrong = String::new();
    for s in sources() {
        let lines: Vec<&str> = s.text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let block = code.contains("unsafe {") || code.contains("unsafe impl");
            // A reason may cover the lines that belong together; the body of an unsafe function has its caller's promise.
            let before = &lines[i.saturating_sub(12)..=i];
            let near = before.iter().any(|l| l.contains("SAFETY:") || l.contains("unsafe fn"));
            if block && !near {
                let _ = writeln!(wrong, "src/{}:{}: no `// SAFETY:` above", s.name, i + 1);
            }
            let function = code.contains("pub unsafe fn");
            if function
                && !lines[i.saturating_sub(12)..i].iter().any(|l| l.contains("# Safety") || l.contains("SAFETY:"))
            {
                let _ = writeln!(wrong, "src/{}:{}: no `# Safety` section", s.name, i + 1);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Unfinished code is an error message for the user, not a panic.
#[test]
fn nothing_is_left_to_do() {
    let mut wrong = String::new();
    for s in sources() {
        for what in ["todo!", "unimplemented!", "dbg!", "FIXME", "XXX"] {
            if s.text.contains(what) {
                let _ = writeln!(wrong, "{}: {what}", s.name);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
