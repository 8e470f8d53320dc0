//! Tests of the parser.

use std::time::{Duration, Instant};

use super::*;
use crate::syntax::ast::{Amount, BinOp, Choose, Domain, Expr, ExprKind, ItemKind, StmtKind, Unit};

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

fn value(text: &str) -> crate::syntax::ast::Expr {
    let (module, errors) = parse(FileId(0), &format!("space s = {text}\n"));
    assert!(errors.is_empty(), "{text}: {errors:#?}");
    match module.items.into_iter().next().map(|i| i.kind) {
        Some(ItemKind::SpaceAlias { value, .. }) => value,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn keywords_are_those_of_the_grammar() {
    let grammar = include_str!("../../../grammar/nas.pest");
    let rules: Vec<&str> = grammar
        .lines()
        .filter(|l| l.starts_with("kw_"))
        .map(|l| l.split('"').nth(1).expect("a keyword rule holds its word"))
        .collect();
    assert_eq!(rules, crate::syntax::KEYWORDS);
    let (_, list) = grammar.split_once("keyword = {").expect("the rule `keyword`");
    let (list, _) = list.split_once('}').expect("its end");
    let listed: Vec<&str> = list.split('|').map(|w| w.trim().trim_start_matches("kw_")).collect();
    assert_eq!(listed, crate::syntax::KEYWORDS);
    for word in crate::syntax::KEYWORDS {
        let (_, errors) = parse(FileId(0), &format!("fn f() {{ let {word} = 1 }}\n"));
        assert_eq!(errors[0].code.id, "E0106", "{word}: {errors:#?}");
        assert!(errors[0].message.contains(word));
    }
}

#[test]
fn literals() {
    for (text, expected) in [
        ("1_000", ExprKind::Int(1000)),
        ("1e6", ExprKind::Float(1e6)),
        ("0.5", ExprKind::Float(0.5)),
        ("1e-3", ExprKind::Float(1e-3)),
        ("5ms", ExprKind::Quantity(0.005, Unit::Time)),
        ("2h", ExprKind::Quantity(7200.0, Unit::Time)),
        ("3M", ExprKind::Quantity(3e6, Unit::Count)),
        ("40%", ExprKind::Quantity(0.4, Unit::Percent)),
        ("16MB", ExprKind::Quantity(16e6, Unit::Bytes)),
        (r#""a\n\"\u{e4}""#, ExprKind::Str("a\n\"ä".to_owned())),
        ("true", ExprKind::Bool(true)),
        ("none", ExprKind::None),
    ] {
        assert_eq!(value(text).kind, expected, "{text}");
    }
    assert!(matches!(value("5%2").kind, ExprKind::Binary(BinOp::Rem, ..)));
    assert!(matches!(value("5 % n").kind, ExprKind::Binary(BinOp::Rem, ..)));
}

#[test]
fn braces_are_records_maps_or_bodies() {
    assert!(matches!(value("{}").kind, ExprKind::Record(f) if f.is_empty()));
    assert!(matches!(value("{ a: 1, from: 2 }").kind, ExprKind::Record(f) if f.len() == 2));
    assert!(matches!(value("{ (0, 1): a, (0, 2): b(1) }").kind, ExprKind::Map(m) if m.len() == 2));
    let ExprKind::Body(b) = value("{ let a = 1  a + 1 }").kind else { panic!("a body") };
    assert!(b.stmts.len() == 1 && b.value.is_some());
    let ExprKind::Body(b) = value("{ f(x) if a { b } else { c } }").kind else { panic!("a body") };
    assert!(b.stmts.len() == 1 && matches!(b.value.expect("a value").kind, ExprKind::If { .. }));
}

#[test]
fn every_form_of_choose() {
    let choose = |text: &str| match value(text).kind {
        ExprKind::Choose(c) => *c,
        other => panic!("{text}: {other:?}"),
    };
    let c = choose("choose op {\n none\n | skip: identity | 2: conv | 2 deep: conv }");
    assert_eq!(c.name.expect("a name").name, "op");
    let Domain::Alternatives(a) = c.domain else { panic!("alternatives") };
    let parts: Vec<_> = a.iter().map(|a| (a.weight.is_some(), a.label.as_ref().map(|l| l.name.as_str()))).collect();
    assert_eq!(parts, [(false, None), (false, Some("skip")), (true, None), (true, Some("deep"))]);
    assert!(choose("choose { a | b }").name.is_none());
    assert!(matches!(choose("choose 2 from xs"), Choose { name: None, amount: Amount::Exactly(_), .. }));
    assert!(matches!(choose("choose inputs 2 from 0..n"), Choose { name: Some(_), amount: Amount::Exactly(_), .. }));
    assert!(matches!(choose("choose 0.. from xs").amount, Amount::Between { lo: Some(_), hi: None, inclusive: false }));
    assert!(matches!(
        choose("choose ops 1..=2 { a: x | b: y }").amount,
        Amount::Between { lo: Some(_), hi: Some(_), inclusive: true }
    ));
    assert!(matches!(choose("choose k in 16..=64 step 16").domain, Domain::In { step: Some(_), log: false, .. }));
    assert!(matches!(choose("choose lr in 1e-4..1e-1 log").domain, Domain::In { step: None, log: true, .. }));
    assert!(choose("choose layer from xs given (last, i)").given.is_some());
    let ExprKind::Choose(c) = value("choose inner { none | motif_2: (choose which from level2)(c) }").kind else {
        panic!("a choice")
    };
    let Domain::Alternatives(a) = c.domain else { panic!("alternatives") };
    assert!(matches!(a[1].value.kind, ExprKind::Call { .. }));
}

#[test]
fn statements_end_with_their_line() {
    let (module, errors) = parse(FileId(0), "fn f() {\n  let a = b\n  (c, d) = e\n  x\n    >> y\n  [1]\n}\n");
    assert!(errors.is_empty(), "{errors:#?}");
    let ItemKind::Fun(f) = &module.items[0].kind else { panic!("a function") };
    assert_eq!(f.body.stmts.len(), 3);
    assert!(matches!(f.body.stmts[2].kind, StmtKind::Expr(Expr { kind: ExprKind::Binary(BinOp::Pipe, ..), .. })));
    assert!(matches!(f.body.value.as_deref(), Some(Expr { kind: ExprKind::List(_), .. })));
}

#[test]
fn reducers_take_the_product() {
    let ExprKind::Binary(BinOp::Add, a, _) = value("sum[c, u: k] x[c] * w[u] / 2 + b").kind else { panic!("a sum") };
    let ExprKind::Reduce { indices, body, .. } = a.kind else { panic!("a reducer") };
    assert_eq!(indices.len(), 2);
    assert!(matches!(body.kind, ExprKind::Binary(BinOp::Div, ..)));
    let ExprKind::Reduce { body, .. } = value("max[i] -x[i]^2").kind else { panic!("a reducer") };
    assert!(matches!(body.kind, ExprKind::Unary(..)));
    assert!(matches!(value("sum(xs)").kind, ExprKind::Call { .. }));
}

#[test]
fn uses_of_a_name_are_numbered_per_scope() {
    fn uses(e: &Expr, out: &mut Vec<u32>) {
        match &e.kind {
            ExprKind::Name(n) if n.ident.name == "f" => out.push(n.occurrence),
            ExprKind::Binary(_, a, b) => {
                uses(a, out);
                uses(b, out);
            }
            ExprKind::Call { callee, args } => {
                uses(callee, out);
                for a in args {
                    uses(&a.value, out);
                }
            }
            ExprKind::Choose(c) => {
                if let Domain::Alternatives(a) = &c.domain {
                    for a in a {
                        uses(&a.value, out);
                    }
                }
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    uses(&value("f(1) + g + f(f) + choose { f + f | f } + f"), &mut out);
    assert_eq!(out, [0, 1, 2, 0, 1, 0, 3]);
}

#[test]
fn documentation_is_the_comment_above() {
    let (module, _) = parse(FileId(0), "// far\n\n// near\n//  more\nfn f() = 1\nfn g() = 2 // no\nfn h() = 3\n");
    let docs: Vec<&str> = module.items.iter().map(|i| i.doc.as_str()).collect();
    assert_eq!(docs, ["near\n more", "", ""]);
}

/// The messages with their places.
fn brief(errors: &[Diagnostic]) -> String {
    errors.iter().fold(String::new(), |all, e| {
        let span = e.labels[0].span;
        all + &format!("{} {}..{} {} ({:?})\n", e.code.id, span.start, span.end, e.message, e.help)
    })
}

/// Source, code, part of the message or help, text under the primary label.
const MESSAGES: &[(&str, &str, &str, &str)] = &[
    ("fn f() { let a = 1; a }", "E0102", "`;` is not part of the language", ";"),
    ("fn f() = \"abc", "E0103", "not closed", "\"abc"),
    ("block f(c: int) = conv(c, 3\n\nblock g() = h\n", "E0104", "this `(` is not closed", "("),
    ("fn f() { g(x }", "E0104", "this `(` is not closed", "("),
    ("fn f() { x ) }", "E0104", "nothing is open that this `)` closes", ")"),
    ("fn f(from: int) = 1", "E0106", "`from` is a keyword", "from"),
    ("fn f() = x + block", "E0106", "`block` is a keyword", "block"),
    ("blok f(c: int) = conv(c)", "E0107", "did you mean `block`", "blok"),
    ("def f(c: int) = c", "E0107", "did you mean `fn`", "def"),
    ("space s(x[..]) {\n  motfi cell(c: int) = conv(c)\n  x\n}", "E0107", "did you mean `motif`", "motfi"),
    ("fn f() { if a = 1 { b } }", "E0108", "`==`", "="),
    ("fn f() = 99999999999999999999", "E0109", "too large", "99999999999999999999"),
    ("fn f() = 5mins", "E0109", "there is no unit `mins`", "5mins"),
    ("fn f() = \"a\\qb\"", "E0110", "has no meaning", "\\q"),
    ("fn f() = (a + 1) => a", "E0111", "must be names", "a + 1"),
    ("fn f() { a + 1 = 2 }", "E0112", "cannot be assigned", "a + 1"),
    ("fn f() { (0, 1): 2 }", "E0113", "entry of a map", ": 2"),
    ("block b() = assemble 3 nodes { egde = x }", "E0114", "has no field `egde`", "egde"),
    ("block b() = assemble 3 nodes { edge = x edge = y }", "E0114", "given twice", "edge"),
    ("space s(x[..]) {\n  x >> >> y\n}", "E0101", "expected an expression, found `>>`", ">>"),
    ("fn f() = g(a b)", "E0101", "found `b`", "b"),
    ("fn f() { g (x) }", "E0101", "must touch", "("),
    ("fn f() = a and b", "E0107", "write `&&`", "and"),
    ("let a = 1", "E0101", "expected a declaration", "let"),
    ("block b() = choose op { }", "E0101", "an expression, found `}`", "}"),
    ("block b() = assemble 3 { edge = x }", "E0101", "`nodes`", "{"),
    ("fn f(", "E0104", "not closed", "("),
];

#[test]
fn messages() {
    for &(text, code, part, under) in MESSAGES {
        let (_, errors) = parse(FileId(0), text);
        let e = errors.first().unwrap_or_else(|| panic!("{text} parses"));
        let words = format!("{} {}", e.message, e.help.as_deref().unwrap_or(""));
        let span = e.labels[0].span;
        assert!(
            e.code.id == code && words.contains(part) && &text[span.start as usize..span.end as usize] == under,
            "{text}\n{}",
            brief(&errors)
        );
        assert_eq!(errors.len(), 1, "{text}\n{}", brief(&errors));
    }
}

#[test]
fn several_errors_in_one_run_and_the_rest_of_the_tree() {
    let text = "fn a() { let = 1\n  let y = 2\n  y >> >> z\n  for i in xs {\n    let 5 = x\n    good(i)\n    bad(,)\n  }\n  y\n}\n\
                fn b() = 1\nsearch s {\n  data = \n  space = x(1)\n  budget = * 2\n  seed = 3\n}\nprimitive p(x[..]) -> y[..] {\n  \
                param w 1\n  y[..] = x[..]\n}\nfn c() = (2\n\nfn d() = 3\n";
    let (module, errors) = parse(FileId(0), text);
    let lines: Vec<usize> =
        errors.iter().map(|e| text[..e.labels[0].span.start as usize].matches('\n').count() + 1).collect();
    assert_eq!(lines, [1, 3, 5, 7, 14, 15, 19, 22], "{}", brief(&errors));
    let names: Vec<String> = module
        .items
        .iter()
        .map(|i| match &i.kind {
            ItemKind::Fun(f) => f.name.name.clone(),
            ItemKind::Search(s) => format!("{} {}", s.name.name, s.fields.len()),
            ItemKind::Primitive(p) => format!("{} {}", p.name.name, p.body.len()),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["a", "b", "s 1", "p 1", "c", "d"], "{}", brief(&errors));
    let ItemKind::Fun(f) = &module.items[0].kind else { panic!("a function") };
    assert!(f.body.value.is_some() && f.body.stmts.len() == 5, "{:#?}", f.body);
}

#[test]
fn error_pages_show_their_error() {
    for code in crate::diag::codes::ALL.iter().filter(|c| c.id.starts_with("E01")) {
        let (_, example) = code.page.split_once("```nas\n").unwrap_or_else(|| panic!("{} has no example", code.id));
        let (example, _) = example.split_once("```").expect("the example ends");
        let (_, errors) = parse(FileId(0), example);
        assert!(errors.iter().any(|e| e.code == *code), "{}: {errors:#?}", code.id);
    }
}

#[test]
fn what_a_former_text_had_is_as_parsed_anew() {
    let all = fixtures();
    let mut seed = 7u64;
    let mut next = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    let mut reused = 0;
    for (name, text) in &all {
        let mut before = text.clone();
        for step in 0..12 {
            let (module, errors) = parse(FileId(0), &before);
            let former = Former::new(&before, &module, &errors);
            // A word, a bracket, lines, or a hole somewhere.
            let mut at = next(before.len());
            while !before.is_char_boundary(at) {
                at -= 1;
            }
            let end = (at + next(9)..before.len()).find(|&i| before.is_char_boundary(i)).unwrap_or(before.len());
            let new = ["x", "(", "}", "\n\n", "// c\n", "\"", "", "block q() = "][next(8)];
            let after = format!("{}{new}{}", &before[..at], &before[if step % 2 == 0 { at } else { end.max(at) }..]);
            let fresh = parse(FileId(0), &after);
            let again = parse_again(FileId(0), &after, &former);
            assert_eq!(again.0, fresh.0, "{name}: {after}");
            assert_eq!(again.1, fresh.1, "{name}: {after}");
            let text = |i: &Item| &after[i.span.start as usize..i.span.end as usize];
            reused += fresh.0.items.iter().filter(|i| former.items.contains_key(text(i))).count();
            if fresh.1.len() < 4 {
                before = after;
            }
        }
    }
    assert!(reused > 100, "{reused} declarations were the same");
}
