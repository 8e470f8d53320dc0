//! Tests of the formatter.

use super::*;
use crate::syntax::parse::parse;

fn fixtures() -> Vec<(String, String)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/syntax");
    let all = std::fs::read_dir(dir).expect("fixtures").map(|f| f.expect("entry").path());
    let mut all: Vec<_> = all
        .filter(|p| p.extension().is_some_and(|e| e == "nas"))
        .map(|p| (p.display().to_string(), std::fs::read_to_string(&p).expect("readable")))
        .collect();
    all.sort();
    all
}

fn check(name: &str, text: &str) -> String {
    let once = format(text, FileId(0)).unwrap_or_else(|e| panic!("{name}: {e:#?}"));
    let twice = format(&once, FileId(0)).unwrap_or_else(|e| panic!("{name} formatted: {e:#?}\n{once}"));
    assert_eq!(once, twice, "{name} is not formatted once and for all");
    let tree = |t: &str| shape(&parse(FileId(0), t).0);
    assert_eq!(tree(text), tree(&once), "{name} changed its tree:\n{once}");
    let comments =
        |t: &str| lex::scan(FileId(0), t).comments.iter().map(|c| t[c.start..c.end].to_owned()).collect::<Vec<_>>();
    assert_eq!(comments(text), comments(&once), "{name} changed its comments:\n{once}");
    assert!(once.lines().all(|l| l.trim_end() == l), "{name} has trailing spaces");
    once
}

#[test]
fn fixtures_keep_their_trees_and_comments() {
    for (name, text) in fixtures() {
        let once = check(&name, &text);
        if std::env::var_os("NASC_SHOW").is_some() {
            println!("=== {name}\n{once}");
        }
    }
}
