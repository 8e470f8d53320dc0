//! What editors have of the language: one list of words, snippets that parse.

use std::collections::BTreeSet;

use nasc::base::FileId;
use nasc::syntax::KEYWORDS;
use nasc::syntax::lex::ITEM_WORDS;
use nasc::syntax::parse::parse;
use serde_json::Value as Json;

use crate::ui;

fn read(path: &str) -> String {
    let path = ui::root().join("editors").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    words.into_iter().collect()
}

fn keywords() -> BTreeSet<&'static str> {
    set(KEYWORDS.iter().copied())
}

/// Words that begin a declaration and name what they declare.
fn declarations() -> BTreeSet<&'static str> {
    set(ITEM_WORDS.iter().copied().filter(|w| *w != "use"))
}

/// The quoted words of a text.
fn quoted(text: &str, quote: char) -> BTreeSet<&str> {
    let word = |w: &&str| !w.is_empty() && w.chars().all(|c| c.is_ascii_lowercase());
    text.split(quote).skip(1).step_by(2).filter(word).collect()
}

/// The words of a group `\b(a|b)\b`.
fn group(pattern: &str) -> BTreeSet<&str> {
    let inner = pattern.split_once('(').and_then(|(_, r)| r.split_once(')')).expect("a group").0;
    inner.split('|').collect()
}

#[test]
fn visual_studio_code_has_every_word() {
    let text = read("vscode/syntaxes/nas.tmLanguage.json");
    let grammar: Json = serde_json::from_str(&text).expect("JSON");
    let rules = &grammar["repository"]["keyword"]["patterns"];
    let matches: Vec<&str> = (0..3).map(|i| rules[i]["match"].as_str().expect("a pattern")).collect();
    let all: BTreeSet<&str> = matches.iter().flat_map(|m| group(m)).collect();
    assert_eq!(all, keywords());
    let declaration = grammar["repository"]["declaration"]["match"].as_str().expect("a pattern");
    assert_eq!(group(declaration), declarations());
}

#[test]
fn vim_has_every_word() {
    let text = read("nvim/syntax/nas.vim");
    let lines = text.lines().filter_map(|l| l.strip_prefix("syntax keyword nas"));
    let groups = lines.filter_map(|l| l.split_once(' ')).filter(|(name, _)| *name != "Type");
    let all: BTreeSet<&str> = groups.flat_map(|(_, words)| words.split(' ')).collect();
    assert_eq!(all, keywords());
}

#[test]
fn emacs_has_every_word() {
    let text = read("emacs/nas-mode.el");
    let list = |name: &str| {
        let rest = text.split_once(&format!("(defconst {name}")).expect(name).1;
        quoted(rest.split_once(')').expect("a list").0, '"')
    };
    assert_eq!(list("nas-declarations"), declarations());
    let all: BTreeSet<&str> =
        ["nas-declarations", "nas-keywords", "nas-constants"].iter().flat_map(|n| list(n)).collect();
    assert_eq!(all, keywords());
}

#[test]
fn tree_sitter_has_every_word() {
    let text = read("tree-sitter-nas/grammar.js");
    let lists = text.lines().filter(|l| l.starts_with("const ") && l.ends_with("'];"));
    let all: BTreeSet<&str> = lists.flat_map(|l| quoted(l, '\'')).collect();
    assert_eq!(all, keywords());
    // Values are nodes of their own.
    let colours = read("tree-sitter-nas/queries/highlights.scm");
    let coloured = quoted(&colours, '"');
    let missing: Vec<&str> =
        keywords().into_iter().filter(|k| !coloured.contains(k) && !["true", "false", "none"].contains(k)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

/// Zed knows fewer kinds of colour.
#[test]
fn zed_has_the_colours_of_tree_sitter() {
    let mut colours = read("tree-sitter-nas/queries/highlights.scm");
    for (from, to) in [
        ("@conditional", "@keyword"),
        ("@repeat", "@keyword"),
        ("@keyword.return", "@keyword"),
        ("@parameter", "@variable.parameter"),
        ("@function.call", "@function"),
        ("@constant.builtin", "@constant"),
    ] {
        colours = colours.replace(&format!("{from}\n"), &format!("{to}\n"));
    }
    assert_eq!(read("zed/languages/nas/highlights.scm"), colours);
}

/// A snippet's text with what its places hold at first.
fn expanded(body: &Json) -> String {
    let lines: Vec<&str> = match body {
        Json::Array(lines) => lines.iter().filter_map(Json::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    };
    let text = lines.join("\n");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let mut depth = 1;
        let end = after.find(|c| {
            depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            depth == 0
        });
        let (place, tail) = after.split_at(end.expect("a place ends"));
        out.push_str(place.split_once(':').map_or("", |(_, d)| d));
        rest = &tail[1..];
    }
    out.push_str(rest);
    out
}

#[test]
fn snippets_parse() {
    let text = read("vscode/snippets/nas.json");
    let all: serde_json::Map<String, Json> = serde_json::from_str(&text).expect("JSON");
    assert!(all.len() >= 8);
    for (name, s) in &all {
        let body = expanded(&s["body"]);
        let first = body.split(' ').next().unwrap_or_default();
        let whole = if ITEM_WORDS.contains(&first) { body } else { format!("block b() = {body}") };
        let (_, errors) = parse(FileId(0), &whole);
        assert!(errors.is_empty(), "{name}: {errors:?}\n{whole}");
    }
}
