//! Tests of the formatter.

use super::*;
use crate::syntax::parse::parse;

/// The `.nas` files of some folders and the folders in them.
fn files(folders: &[&str]) -> Vec<(String, String)> {
    let mut open: Vec<std::path::PathBuf> =
        folders.iter().map(|f| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(f)).collect();
    let mut all = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).expect("a folder of programs") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "nas") {
                all.push((path.display().to_string(), std::fs::read_to_string(&path).expect("readable")));
            }
        }
    }
    all.sort();
    all
}

fn fixtures() -> Vec<(String, String)> {
    files(&["tests/syntax", "tests/programs", "stdlib", "examples"])
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

/// What users read first is in the house style.
#[test]
fn the_library_and_the_examples_are_formatted() {
    let all = files(&["stdlib", "examples"]);
    assert!(all.len() > 20);
    for (name, text) in all {
        assert_eq!(text, check(&name, &text), "`nasc fmt {name}` changes it");
    }
}

#[test]
fn pipelines_have_columns() {
    let same = "\
block sep(x[..], c: int, k: int) =
  x >> relu >> depthwise(k, 2) >> conv(c, 1) >> batch_norm
    >> relu >> depthwise(k)    >> conv(c, 1) >> batch_norm

space s(image[N, C, H, W], width: int) {
  image >> conv(width, 3) >> batch_norm
        >> repeat 3 { cell(width) }     >> residual(2 * width, stride = 2)
        >> repeat 3 { cell(2 * width) } >> residual(4 * width, stride = 2)
        >> relu >> global_avg_pool >> linear(10)
}

block last(x[..], c: int) {
  let y = x >> conv_bn(c, 1) >> choose op {
      conv_3x3: conv_bn(c, 3)
    | conv_5x5: conv_bn(c, 5)
  }
  y
}
";
    assert_eq!(check("columns", same), same);
    let ragged = same.replace("    >> conv(c", " >> conv(c").replace("     >> residual", " >> residual");
    assert_eq!(check("ragged", &ragged), same);
}

#[test]
fn comments_of_a_list_have_one_column() {
    let same = "\
evaluation e(
  fraction: float = 1.0,       // of the data
  batch: int = 64,
  lr: float = 0.1,
  schedule: string = \"cosine\", // cosine or step
  seed: int = 1,
  runs: int = 1,               // each with a seed of its own
) {
  let a = 1   // one
  let bc = 22 // two
  let d = 3
  let e = 4 // after a line without
  0.0
}
";
    assert_eq!(check("gaps", same), same);
}

#[test]
fn comments_and_blank_lines_stay() {
    let text = "// first\n\n\n\n// doc\nfn f(a: int, // the a\n  b: int) { // opens\n\n  // one\n  let x = a + // plus\n    b // two\n\n\n  \
                x >> f( // arg\n    1, // last\n  )\n  // end\n}\n// bottom\nprimitive p(x[..]) -> y[..] {\n  // in\n  \
                if training { // t\n    y[..] = 1\n    // t end\n  } else { y[..] = 2 // e\n  }\n  // p end\n}\n";
    let once = check("comments", text);
    assert!(once.starts_with("// first\n\n// doc\nfn f("), "{once}");
    assert!(once.contains("    b // two\n\n  x"), "{once}");
    assert!(once.contains("    // t end\n  } else {"), "{once}");
    assert!(once.contains("  // p end\n}"), "{once}");
}

#[test]
fn style() {
    let same = "\
block long(c: int) = choose op {
    none
  | skip: identity
  | 2 conv: conv(c, 3)
}

fn f(x: int) -> int {
  let y = if x == 1 { 2 } else { 3 }
  loop { g(y) }
  x >> conv(1, 3) >> relu
    >> linear(10)
}

fn g(
  width: int,        // of the first layer
  rate: float = 0.1, // at the start
  seed: int? = none, // drawn if absent
) -> int {
  let a = 1    // one
  let bcd = 22 // two
  let e = 3
  // alone
  (a + bcd) >> f // behind
}

search s {
  data     = digits()
  strategy = random_search()
}
";
    assert_eq!(check("style", same), same);
    let wide = "block b(c: int) = choose op { none | first: conv_bn(c, 3) >> relu >> conv_bn(c, 3) | second: sep_conv(c, 3) | \
                third: dil_conv(c, 5) >> relu }\n";
    let expected = "\
block b(c: int) = choose op {
    none
  | first: conv_bn(c, 3) >> relu >> conv_bn(c, 3)
  | second: sep_conv(c, 3)
  | third: dil_conv(c, 5) >> relu
}
";
    assert_eq!(check("wide", wide), expected);
    assert_eq!(check("odd", "fn   f( )=a+b*(c)\n"), "fn f() = a + b * c\n");
    assert!(format("fn f(", FileId(0)).is_err());
}

#[test]
fn canonical_text_does_not_depend_on_the_source() {
    let one = |t: &str| {
        let (module, errors) = parse(FileId(0), &format!("space s = {t}\n"));
        assert!(errors.is_empty(), "{t}: {errors:#?}");
        match &module.items[0].kind {
            crate::syntax::ast::ItemKind::SpaceAlias { value, .. } => expr_text(value),
            _ => panic!("an alias"),
        }
    };
    for (a, b) in [
        ("conv( c ,3 ) // x\n", "conv(c, 3)"),
        ("(a)>>((b>>c))", "a >> (b >> c)"),
        ("1_000 + 1e3 + 5000ms + 40.0%", "1000 + 1000.0 + 5s + 40%"),
        ("{ let a = 1\n a + -1 }", "{ let a = 1  a + -1 }"),
        ("choose op {\n none\n| 2 s: f(1) }", "choose op { none | 2 s: f(1) }"),
        ("a ^ b ^ c + (a ^ b) ^ c - (-x) ^ 2 - -x^2", "a^b^c + (a^b)^c - (-x)^2 - -x^2"),
        ("(sum[i] x) * y + sum[i] x * y", "(sum[i] x) * y + sum[i] x * y"),
        ("(choose (n) from xs)(c)", "(choose (n) from xs)(c)"),
        ("a / b * c + a * b / c", "(a / b) * c + a * b / c"),
        ("0..(if a { 1 } else { 2 })", "0..(if a { 1 } else { 2 })"),
    ] {
        assert_eq!(one(a), b);
        assert_eq!(one(b), b);
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;
    use crate::base::Sources;
    use crate::syntax::generate;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn printed_trees_read_back(module in generate::module()) {
            let text = module_text(&module);
            let (back, errors) = parse(FileId(0), &text);
            prop_assert!(errors.is_empty(), "{}\n{:#?}", text, errors);
            prop_assert_eq!(shape(&module), shape(&back), "{}", text);
            let again = format(&text, FileId(0)).expect("parsed above");
            let (back, errors) = parse(FileId(0), &again);
            prop_assert!(errors.is_empty(), "{}\n{:#?}", again, errors);
            prop_assert_eq!(shape(&module), shape(&back), "AGAIN {}\n---\n{}", text, again);
            let third = format(&again, FileId(0)).expect("parsed above");
            prop_assert_eq!(again, third);
        }

        #[test]
        fn canonical_texts_are_one_line_and_read_back(e in generate::expr()) {
            let text = expr_text(&e);
            prop_assert!(!text.contains('\n'));
            let (module, errors) = parse(FileId(0), &format!("space s = {text}\n"));
            // The statements of a body stand on one line here, which a file may not always do.
            prop_assume!(errors.iter().all(|e| !e.message.contains("must touch")));
            prop_assert!(errors.is_empty(), "{}\n{:#?}", text, errors);
            if let crate::syntax::ast::ItemKind::SpaceAlias { value, .. } = &module.items[0].kind {
                prop_assert_eq!(expr_text(value), text);
            }
        }

        #[test]
        fn comments_anywhere_survive(which in 0usize..100, seed in any::<u64>()) {
            let all = fixtures();
            let (name, text) = &all[which % all.len()];
            let tokens = lex::scan(FileId(0), text).tokens;
            let mut out = String::new();
            let (mut at, mut seed) = (0, seed);
            for t in &tokens {
                out += &text[at..t.start];
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Not between what must touch.
                if (seed >> 33) % 9 == 0 && t.start > at {
                    out += if seed >> 63 == 0 { "// note\n" } else { "\n// own line\n" };
                }
                out += &text[t.start..t.end];
                at = t.end;
            }
            out += &text[at..];
            let (_, errors) = parse(FileId(0), &out);
            prop_assert!(errors.is_empty(), "{}\n{:#?}", out, errors);
            let once = format(&out, FileId(0)).expect("parses");
            let tree = |t: &str| crate::syntax::print::tests::bare_shape(t);
            prop_assert_eq!(tree(&out), tree(&once), "{}: {}\n---\n{}", name, out, once);
            let count = |t: &str| lex::scan(FileId(0), t).comments.len();
            prop_assert_eq!(count(&out), count(&once), "{}\n---\n{}", out, once);
            let twice = format(&once, FileId(0)).expect("parses");
            prop_assert_eq!(&once, &twice, "from {}", out);
        }

        #[test]
        fn damaged_files_do_not_panic(which in 0usize..100, edits in proptest::collection::vec((0u8..4, any::<u32>(), any::<u32>()), 1..6)) {
            let all = fixtures();
            let (_, text) = &all[which % all.len()];
            let mut tokens: Vec<&str> = Vec::new();
            let mut at = 0;
            for t in &lex::scan(FileId(0), text).tokens {
                tokens.push(&text[at..t.start]);
                tokens.push(&text[t.start..t.end]);
                at = t.end;
            }
            for (what, a, b) in edits {
                let (a, b) = (a as usize % tokens.len(), b as usize % tokens.len());
                match what {
                    0 => { tokens.remove(a); }
                    1 => tokens.insert(a, tokens[b]),
                    2 => tokens.swap(a, b),
                    _ => tokens[a] = ["", ";", "\"", "{", ")", "=", "é", "\n", "choose", "9e999"][b % 10],
                }
                if tokens.is_empty() { break; }
            }
            survive(&tokens.concat())?;
        }

        #[test]
        fn random_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            survive(&String::from_utf8_lossy(&bytes))?;
        }

        #[test]
        fn random_words_do_not_panic(words in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..80)) {
            survive(&words.concat())?;
        }
    }

    const WORDS: &[&str] = &[
        "fn ",
        "block ",
        "space ",
        "primitive ",
        "search ",
        "f",
        "x",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "|",
        "..",
        "..=",
        ">>",
        "=",
        "==",
        "=>",
        "->",
        "<-",
        "\n",
        " ",
        "choose ",
        "from ",
        "in ",
        "if ",
        "else ",
        "for ",
        "let ",
        "1",
        "2.5ms",
        "\"s\"",
        "+",
        "-",
        "*",
        "!",
        "sum[",
        "nodes ",
        "assemble ",
        "repeat ",
        "none",
        "// c\n",
        "use ",
        ".",
        "?",
        "<",
        ">",
        "\\",
        "\u{feff}",
        "ß",
        "algorithm ",
        "environment ",
        "state ",
        "param ",
        "log ",
        "step ",
        "given ",
    ];

    fn survive(text: &str) -> Result<(), TestCaseError> {
        let mut sources = Sources::default();
        let file = sources.add("x.nas", text);
        let (_, errors) = parse(file, text);
        for e in &errors {
            prop_assert!(!crate::diag::render::render(e, &sources, false, 80).is_empty());
            prop_assert!(crate::diag::json::to_json(e, &sources)["code"].is_string());
            for l in &e.labels {
                prop_assert!(
                    text.is_char_boundary(l.span.start as usize) && text.is_char_boundary(l.span.end as usize)
                );
                prop_assert!(l.span.start <= l.span.end);
            }
        }
        match format(text, file) {
            Ok(once) => {
                prop_assert!(errors.is_empty());
                prop_assert_eq!(bare_shape(text), bare_shape(&once), "{}\n---\n{}", text, once);
            }
            Err(_) => prop_assert!(!errors.is_empty()),
        }
        Ok(())
    }
}

/// The tree without positions and without documentation, which moved comments may change.
fn bare_shape(text: &str) -> String {
    let mut module = parse(FileId(0), text).0;
    for item in &mut module.items {
        item.doc.clear();
    }
    let text = shape(&module);
    // Declarations inside bodies keep theirs in the text.
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("doc: \"") {
        out.push_str(&rest[..at]);
        rest = rest[at..].split_once("\", kind").map_or("", |(_, r)| r);
    }
    out + rest
}
