//! The pages of `docs/` and the README: their programs are read and checked, their tables are made of what they describe.
//!
//! A block marked `nas` is a whole file and must check without a word. `nas fragment` is a part of one and must parse in
//! some place. `nas E0401` shows what that error is about. A table between `<!-- table: NAME -->` and `<!-- end -->` is
//! written by this test: `NASC_BLESS=1` brings it up to date.

use std::fmt::Write as _;
use std::path::PathBuf;

use nasc::base::FileId;
use nasc::data;
use nasc::diag::render;
use nasc::search::lang;
use nasc::search::lang::contract::{self, Form, Row, RowParam, Who};
use nasc::sema::builtins::Builtin;
use nasc::sema::stdlib;
use nasc::syntax::ast::{ItemKind, Module};
use nasc::syntax::parse::parse;

use super::{programs, ui};

/// A fenced block of a page.
pub struct Fence {
    /// What follows the opening fence.
    pub info: String,
    /// Its text.
    pub text: String,
    /// The line of its fence, from 1.
    pub line: usize,
}

/// All fenced blocks of a page.
pub fn fences(page: &str) -> Vec<Fence> {
    let mut out = Vec::new();
    let mut open: Option<Fence> = None;
    for (i, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                open = Some(Fence { info: info.trim().to_string(), text: String::new(), line: i + 1 });
            }
            (Some(_), Some(_)) => out.extend(open.take()),
            (None, Some(f)) => {
                f.text.push_str(line);
                f.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    out
}

/// The README and the pages, without those of errors, which have a test of their own.
fn pages() -> Vec<PathBuf> {
    let root = ui::root();
    let mut out = vec![root.join("README.md")];
    let docs = ui::files(&root.join("docs"), "md");
    out.extend(docs.into_iter().filter(|p| !p.components().any(|c| c.as_os_str() == "errors")));
    assert!(out.len() >= 4);
    out
}

/// Whether a text parses as a part of a file: items, statements of a body, fields of a search, equations.
fn parses_somewhere(text: &str) -> bool {
    let places = [
        text.to_string(),
        format!("block b(x) {{\n{text}\n}}"),
        format!("search s {{\n{text}\n}}"),
        format!("primitive p(x[N]) -> y[N] {{\n{text}\n}}"),
        format!("block b(x) = f({text})"),
        format!("block b(x) = choose c {{ {text} }}"),
    ];
    places.iter().any(|t| parse(FileId(0), t).1.is_empty())
}

#[test]
fn programs_on_pages_are_right() {
    let mut failures = String::new();
    let (mut whole, mut parts) = (0, 0);
    for path in pages() {
        let page = std::fs::read_to_string(&path).expect("readable");
        let all = fences(&page);
        for f in &all {
            let Some(rest) = f.info.strip_prefix("nas") else { continue };
            let at = format!("{}:{}", path.display(), f.line);
            let shown = |found: &[nasc::diag::Diagnostic], sources| programs::shown(sources, found);
            match rest.trim() {
                "fragment" => {
                    parts += 1;
                    if !parses_somewhere(&f.text) {
                        let _ = writeln!(failures, "{at}: does not parse");
                    }
                }
                code => {
                    whole += 1;
                    let (sources, found) = programs::check("page.nas", &f.text, Some(&ui::root()));
                    let codes: Vec<&str> = found.iter().map(|d| d.code.id).collect();
                    let expected: Vec<&str> = code.split_whitespace().collect();
                    if codes != expected {
                        let _ = writeln!(failures, "{at}: {codes:?}\n{}", shown(&found, &sources));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    assert!(whole >= 20, "{whole} whole programs, {parts} parts");
}

/// Reports on pages are those that the program above them gives: a block `text` right after a block `nas E0401`.
#[test]
fn reports_on_pages_are_real() {
    let mut seen = 0;
    for path in pages() {
        let page = std::fs::read_to_string(&path).expect("readable");
        let all = fences(&page);
        for pair in all.windows(2) {
            if !pair[0].info.starts_with("nas E") || pair[1].info != "text" {
                continue;
            }
            seen += 1;
            let name = pair[1].text.split("─[ ").nth(1).and_then(|r| r.split(':').next()).unwrap_or("page.nas");
            let (sources, found) = programs::check(name, &pair[0].text, None);
            let widths = [80, 100, 120];
            let shown: Vec<String> = widths
                .iter()
                .map(|&w| found.iter().map(|d| render::render(d, &sources, false, w)).collect::<String>())
                .collect();
            let same = shown.iter().any(|s| s.trim_end() == pair[1].text.trim_end());
            assert!(same, "{}:{} should be\n{}", path.display(), pair[1].line, shown[2]);
        }
    }
    assert!(seen > 0);
}

/// The README's test command is what continuous integration runs.
#[test]
fn the_readme_and_the_integration_script_run_the_same_tests() {
    let root = ui::root();
    let readme = std::fs::read_to_string(root.join("README.md")).expect("readable");
    let commands: Vec<String> = fences(&readme)
        .into_iter()
        .filter(|f| f.info == "sh")
        .flat_map(|f| f.text.lines().map(str::to_string).collect::<Vec<_>>())
        .collect();
    let script = std::fs::read_to_string(root.join(".ci/run")).expect("readable");
    let of = |lines: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        lines.map(str::trim).filter(|l| l.starts_with("cargo test")).map(str::to_string).collect()
    };
    let shown = of(&mut commands.iter().map(String::as_str));
    assert_eq!(shown, ["cargo test"], "the README shows one test command");
    assert_eq!(of(&mut script.lines()), shown, ".ci/run runs the README's test command");
}

/// Links between pages lead somewhere.
#[test]
fn links_lead_to_files() {
    let mut failures = String::new();
    for path in pages() {
        let page = std::fs::read_to_string(&path).expect("readable");
        for part in page.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap_or_default();
            let outside = target.is_empty() || target.contains("://");
            if !outside && !path.parent().expect("a folder").join(target).exists() {
                let _ = writeln!(failures, "{}: {target}", path.display());
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

// ---- tables ----

/// In a cell of a table, `|` would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn param(p: &RowParam) -> String {
    p.default
        .as_ref()
        .map_or_else(|| format!("{}: {}", p.name, p.ty), |d| format!("{}: {} = {}", p.name, p.ty, value(d)))
}

fn value(v: &lang::Value) -> String {
    match v {
        lang::Value::Str(s) => format!("{s:?}"),
        lang::Value::Int(i) => i.to_string(),
        lang::Value::Float(x) => format!("{x:?}"),
        lang::Value::Bool(b) => b.to_string(),
        _ => "none".to_string(),
    }
}

/// A call as it is written, with its types.
fn call(r: &Row) -> String {
    let receiver = r.params.first().filter(|p| p.name == "self").map(|p| p.ty.to_string());
    let rest: Vec<String> = r.params.iter().filter(|p| p.name != "self").map(param).collect();
    let dot = receiver.map_or(String::new(), |r| format!("{r}."));
    let args = match r.form {
        Form::Field | Form::Global => String::new(),
        Form::Free | Form::Method | Form::Update => format!("({})", rest.join(", ")),
    };
    let result = match r.result.to_string().as_str() {
        "nothing" => String::new(),
        t => format!(" -> {t}"),
    };
    format!("{dot}{}{args}{result}", r.name)
}

fn calls(who: &[Who]) -> String {
    let mut out = String::from("| call | what it does |\n| --- | --- |\n");
    for r in contract::rows().iter().filter(|r| who.contains(&r.who)) {
        let later = contract::UNSERVED.iter().find(|u| u.0 == r.f);
        let needs = later.map_or(String::new(), |u| format!(" Needs {}, which comes later.", u.1));
        let _ = writeln!(out, "| `{}` | {}{needs} |", cell(&call(r)), cell(r.doc));
    }
    out
}

fn module(name: &str) -> (Module, &'static str) {
    let text = stdlib::text(name).unwrap_or_else(|| panic!("no {name}"));
    (parse(FileId(0), text).0, text)
}

/// The items of a module: their heads, and what the comment above says.
fn items(name: &str) -> String {
    let (m, text) = module(name);
    let mut out = String::from("| declared | what it is |\n| --- | --- |\n");
    for item in &m.items {
        if matches!(item.kind, ItemKind::Use(_) | ItemKind::Search(_)) {
            continue;
        }
        let source = &text[item.span.start as usize..];
        let end = source.find(" {").unwrap_or(source.len()).min(source.find(" =\n").unwrap_or(usize::MAX));
        let head = source[..end].lines().map(str::trim).collect::<Vec<_>>().join(" ");
        // `block f(x[..]) = body` on one line.
        let depth_zero_equals = head.match_indices(" = ").find(|(i, _)| {
            let before = &head[..*i];
            before.matches(['(', '[']).count() == before.matches([')', ']']).count()
        });
        let head = depth_zero_equals.map_or(head.as_str(), |(i, _)| &head[..i]);
        let above = &text[..item.span.start as usize];
        let mut comment: Vec<&str> = Vec::new();
        for line in above.trim_end_matches(' ').lines().rev() {
            match line.strip_prefix("// ") {
                Some(c) if !c.starts_with("---") => comment.push(c),
                _ => break,
            }
        }
        comment.reverse();
        let _ = writeln!(out, "| `{}` | {} |", cell(head), cell(&comment.join(" ")));
    }
    out
}

fn table(name: &str) -> Option<String> {
    Some(match name {
        "strategy calls" => calls(&[Who::Strategy]),
        "evaluation calls" => calls(&[Who::Evaluation]),
        "shared calls" => calls(&[Who::Both]),
        "architecture built-ins" => {
            let mut out = String::from("| function | what it is |\n| --- | --- |\n");
            for (_, _, doc) in Builtin::ALL {
                let (head, rest) = doc[1..].split_once('`').expect("a call between backticks");
                let rest = rest.trim_start_matches(':').trim();
                let _ = writeln!(out, "| `{}` | {} |", cell(head), cell(rest));
            }
            out
        }
        "program built-ins" => {
            let mut out = String::from("| function | gives |\n| --- | --- |\n");
            for s in lang::builtins() {
                let params: Vec<String> = s.params.iter().map(param).collect();
                let changes = if s.changes { "; changes the variable `xs`" } else { "" };
                let _ = writeln!(out, "| `{}({})` | `{}`{changes} |", s.name, cell(&params.join(", ")), s.result);
            }
            out
        }
        "data sources" => {
            let mut out = String::from("| source | what it reads |\n| --- | --- |\n");
            for s in data::known() {
                let _ = writeln!(out, "| `{}` | {} |", cell(&s.show()), cell(s.doc));
            }
            out
        }
        "library modules" => {
            let mut out = String::from("| module | what it has |\n| --- | --- |\n");
            for name in stdlib::names() {
                let (m, _) = module(&name);
                let has: Vec<String> = m
                    .items
                    .iter()
                    .filter_map(nasc::sema::modules::item_name)
                    .map(|n| format!("`{}`", n.name))
                    .collect();
                let shown =
                    if has.len() > 12 { format!("{} declarations, listed below", has.len()) } else { has.join(", ") };
                let _ = writeln!(out, "| `{name}` | {shown} |");
            }
            out
        }
        "later" => {
            let mut out = String::from("| name | needs |\n| --- | --- |\n");
            for (name, needs) in contract::LATER {
                let _ = writeln!(out, "| `{name}` | {needs} |");
            }
            out
        }
        _ => items(name.strip_prefix("items of ")?),
    })
}

#[test]
fn tables_are_those_of_the_compiler() {
    let bless = std::env::var_os("NASC_BLESS").is_some();
    let mut failures = String::new();
    let mut seen = Vec::new();
    for path in pages() {
        let page = std::fs::read_to_string(&path).expect("readable");
        let mut out = String::new();
        let mut rest = page.as_str();
        while let Some(at) = rest.find("<!-- table: ") {
            let (name, after) = rest[at + 12..].split_once(" -->\n").expect("the comment ends");
            let (old, after) = after.split_once("<!-- end -->").unwrap_or_else(|| panic!("the table {name} ends"));
            let new = table(name).unwrap_or_else(|| panic!("there is no table {name}"));
            out.push_str(&rest[..at]);
            let _ = write!(out, "<!-- table: {name} -->\n{new}<!-- end -->");
            if old != new {
                let _ = writeln!(failures, "{}: the table \"{name}\" is out of date", path.display());
            }
            seen.push(name.to_string());
            rest = after;
        }
        out.push_str(rest);
        if bless && out != page {
            std::fs::write(&path, out).expect("writable");
        }
    }
    assert!(bless || failures.is_empty(), "\n{failures}NASC_BLESS=1 writes them");
    for name in ["strategy calls", "evaluation calls", "shared calls", "architecture built-ins", "program built-ins"] {
        assert!(seen.iter().any(|s| s == name), "no page has the table \"{name}\"");
    }
}
