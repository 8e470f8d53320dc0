//! Tests of the parser.

use std::time::{Duration, Instant};

use super::*;

fn fixtures() -> Vec<(String, String)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/syntax");
    let mut all: Vec<_> = std::fs::read_dir(dir)
        .expect("fixtures")
        .map(|f| f.expect("entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "nas"))
        .map(|p| (p.display().to_string(), std::fs::read_to_string(&p).expect("readable")))
        .collect();
    all.sort();
    all
}

#[test]
fn fixtures_parse() {
    let all = fixtures();
    assert!(all.len() >= 9);
    for (name, text) in all {
        let (module, errors) = parse(FileId(0), &text);
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        assert!(!module.items.is_empty(), "{name}");
    }
}

#[test]
fn nesting_is_linear_and_bounded() {
    let deep = |n: usize| {
        let paren = format!("fn f() = {}x{}\n", "(".repeat(n), ")".repeat(n));
        let call = format!("fn f() = {}x{}\n", "g(".repeat(n), ")".repeat(n));
        let list = format!("fn f() = {}x{}\n", "[".repeat(n), "]".repeat(n));
        let body = format!("fn f() = {}x{}\n", "{ ".repeat(n), "}".repeat(n));
        let record = format!("fn f() = {}x{}\n", "{ a: ".repeat(n), "}".repeat(n));
        let map = format!("fn f() = {}x{}\n", "{ (0): ".repeat(n), "}".repeat(n));
        [paren, call, list, body, record, map]
    };
    for text in deep(150) {
        let t = Instant::now();
        let (module, errors) = parse(FileId(0), &text);
        assert!(errors.is_empty(), "{text}{errors:#?}");
        assert_eq!(module.items.len(), 1);
        assert!(t.elapsed() < Duration::from_millis(500), "{text} took {:?}", t.elapsed());
        // An error at the innermost place costs no more.
        let t = Instant::now();
        let (_, errors) = parse(FileId(0), &text.replace('x', "+"));
        assert!(!errors.is_empty());
        assert!(t.elapsed() < Duration::from_millis(500), "{text} took {:?}", t.elapsed());
    }
    for text in deep(10_000) {
        let (_, errors) = parse(FileId(0), &text);
        assert_eq!(errors[0].code.id, "E0105", "{errors:#?}");
    }
    for chain in ["choose a from ", "sum[a] ", "x => ", "x ^ ", "-", "x + ", "if a { b } else ", "x >> ", "f()()."] {
        let text = format!("fn f() = {}x\n", chain.repeat(10_000));
        let (_, errors) = parse(FileId(0), &text);
        assert!(errors.iter().any(|e| e.code.id == "E0105"), "{chain}");
    }
}

#[test]
fn long_files_are_not_deep() {
    let text = "fn f() {\n".to_owned()
        + &"  let x = a * b + c\n  if x { g(x) }\n  h(choose k from xs)\n  x >> f\n".repeat(2000)
        + "}\n";
    let (_, errors) = parse(FileId(0), &text);
    assert!(errors.is_empty(), "{:#?}", errors.first());
}
