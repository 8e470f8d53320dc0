//! Random spaces: what the check says of a space holds for its candidates.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use nasc::base::rng::Stream;
use nasc::diag::{Diagnostic, Severity};
use nasc::graph::verify;
use nasc::sema::modules::Program;
use nasc::sema::names;
use nasc::space::count::Count;
use nasc::space::decision::{Candidate, Choice, Domain};
use nasc::space::{BuildError, Space, Want};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::ui::digits;

/// An operation on images.
#[derive(Clone, Debug)]
enum Op {
    Plain(&'static str),
    /// A convolution to so many channels, by so large a kernel.
    Conv(u32, u32),
    /// A convolution whose kernel is decided.
    Kernel(u32),
    /// Halves the image.
    Stride,
    Seq(Vec<Op>),
    /// Alternatives, perhaps `none`, perhaps with weights.
    Choose(Vec<Op>, bool, bool),
    /// Number of nodes, edge, merge.
    Assemble(u32, Box<Op>, &'static str),
    Repeat(u32, Box<Op>),
    /// A decided number of copies, up to so many.
    Deep(u32, u32, Box<Op>),
    /// Both branches of a condition on a decision.
    If(Box<Op>, Box<Op>),
    /// A declared block or motif, by its number.
    Use(usize),
}

/// What a declaration does with its tensor `x`.
#[derive(Clone, Debug)]
enum Shape {
    /// An operation, without naming the tensor.
    Point(Op),
    Through(Op),
    Residual(Op),
    /// The sum of a decided subset of branches.
    Parallel(Vec<Op>, u32),
    /// A tree of this depth: leaf, and what follows two subtrees.
    Tree(Op, Op, u32),
    /// A motif of its own, used twice, and a variable that it sees.
    Nested(Op, Op),
    /// States that read earlier ones.
    States(u32, Amount, Op, Output),
}

#[derive(Clone, Copy, Debug)]
enum Amount {
    One,
    Two,
    Some,
    Any,
}

#[derive(Clone, Copy, Debug)]
enum Output {
    Last,
    All,
    Loose,
}

#[derive(Clone, Debug)]
struct Decl {
    motif: u32,
    shape: Shape,
}

#[derive(Clone, Debug)]
struct Text {
    decls: Vec<Decl>,
    main: Shape,
    forbid: bool,
}

/// Channels of the stem, and of every well-formed operation.
const C: u32 = 2;

fn op(uses: usize, mismatch: bool) -> BoxedStrategy<Op> {
    let plain = prop::sample::select(vec!["identity", "relu", "batch_norm", "max_pool(3)", "avg_pool(3)"]);
    let channels = if mismatch { vec![C, C, 2 * C] } else { vec![C] };
    let mut leaves = vec![
        plain.prop_map(Op::Plain).boxed(),
        (prop::sample::select(channels), prop::sample::select(vec![1, 3])).prop_map(|(c, k)| Op::Conv(c, k)).boxed(),
        Just(Op::Kernel(C)).boxed(),
    ];
    if mismatch {
        leaves.push(Just(Op::Stride).boxed());
    }
    if uses > 0 {
        leaves.push((0..uses).prop_map(Op::Use).boxed());
    }
    let leaf = prop::strategy::Union::new(leaves);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 2..3).prop_map(Op::Seq),
            4 => (prop::collection::vec(inner.clone(), 1..4), any::<bool>(), any::<bool>())
                .prop_map(|(xs, none, weights)| Op::Choose(xs, none, weights)),
            2 => (2..4u32, inner.clone(), prop::sample::select(vec!["", "merge = sum", "merge = concat >> conv_bn(2, 1)"]))
                .prop_map(|(n, e, m)| Op::Assemble(n, Box::new(e), m)),
            1 => (1..3u32, inner.clone()).prop_map(|(n, f)| Op::Repeat(n, Box::new(f))),
            1 => (0..2u32, 1..3u32, inner.clone()).prop_map(|(lo, n, f)| Op::Deep(lo, lo + n, Box::new(f))),
            1 => (inner.clone(), inner).prop_map(|(a, b)| Op::If(Box::new(a), Box::new(b))),
        ]
        .boxed()
    })
    .boxed()
}

fn shape(uses: usize, mismatch: bool) -> BoxedStrategy<Shape> {
    let o = || op(uses, mismatch);
    let amount = prop::sample::select(vec![Amount::One, Amount::Two, Amount::Some, Amount::Any]);
    let output = prop::sample::select(vec![Output::Last, Output::All, Output::Loose]);
    prop_oneof![
        2 => o().prop_map(Shape::Point),
        2 => o().prop_map(Shape::Through),
        2 => o().prop_map(Shape::Residual),
        1 => (prop::collection::vec(o(), 2..4), 1..3u32).prop_map(|(xs, lo)| Shape::Parallel(xs, lo)),
        1 => (o(), o(), 1..3u32).prop_map(|(a, b, d)| Shape::Tree(a, b, d)),
        1 => (o(), o()).prop_map(|(a, b)| Shape::Nested(a, b)),
        2 => (1..4u32, amount, o(), output).prop_map(|(n, a, f, out)| Shape::States(n, a, f, out)),
    ]
    .boxed()
}

fn text(mismatch: bool) -> impl Strategy<Value = Text> {
    (0..3usize)
        .prop_flat_map(move |n| {
            let decls: Vec<_> = (0..n)
                .map(|i| (0..3u32, shape(i, mismatch)).prop_map(|(motif, shape)| Decl { motif, shape }))
                .collect();
            (decls, shape(n, mismatch), any::<bool>())
        })
        .prop_map(|(decls, main, forbid)| Text { decls, main, forbid })
}

/// Prints a text; every choice gets a name of its own.
struct Printer<'t> {
    text: &'t Text,
    names: u32,
    out: String,
}

impl Printer<'_> {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("d{}", self.names)
    }

    fn op(&mut self, o: &Op) -> String {
        match o {
            Op::Plain(s) => (*s).to_string(),
            Op::Conv(c, k) => format!("conv({c}, {k})"),
            Op::Kernel(c) => {
                let d = self.name();
                format!("conv({c}, choose {d} from [1, 3, 5])")
            }
            Op::Stride => "max_pool(3, 2)".to_string(),
            Op::Seq(xs) => {
                let parts: Vec<String> = xs.iter().map(|x| self.op(x)).collect();
                format!("({})", parts.join(" >> "))
            }
            Op::Choose(xs, none, weights) => {
                let d = self.name();
                let mut alternatives: Vec<String> = if *none { vec!["none".to_string()] } else { Vec::new() };
                for (i, x) in xs.iter().enumerate() {
                    let weight = if *weights { format!("{} ", i + 1) } else { String::new() };
                    alternatives.push(format!("{weight}a{i}: {}", self.op(x)));
                }
                format!("(choose {d} {{ {} }})", alternatives.join(" | "))
            }
            Op::Assemble(n, edge, merge) => format!("(assemble {n} nodes {{ edge = {}  {merge} }})", self.op(edge)),
            Op::Repeat(n, f) => format!("(repeat {n} {{ {} }})", self.op(f)),
            Op::Deep(lo, hi, f) => {
                let (d, layer) = (self.name(), self.name());
                format!("(repeat (choose {d} in {lo}..={hi}) as {layer} {{ {} }})", self.op(f))
            }
            Op::If(a, b) => {
                let d = self.name();
                format!(
                    "{{ let {d} = choose {d} from [1, 3]  if {d} == 1 {{ {} }} else {{ {} }} }}",
                    self.op(a),
                    self.op(b)
                )
            }
            Op::Use(i) => match self.text.decls[*i].motif {
                2 => {
                    let d = self.name();
                    format!("(choose {d} from u{i})")
                }
                _ => format!("u{i}"),
            },
        }
    }

    /// Statements, and the value that they end in.
    fn shape(&mut self, s: &Shape, x: &str) -> (String, String) {
        match s {
            Shape::Point(o) => (String::new(), self.op(o)),
            Shape::Through(o) => (String::new(), format!("{x} >> {}", self.op(o))),
            Shape::Residual(o) => (String::new(), format!("{x} + ({x} >> {})", self.op(o))),
            Shape::Parallel(xs, lo) => {
                let d = self.name();
                let parts: Vec<String> = xs.iter().enumerate().map(|(i, o)| format!("p{i}: {}", self.op(o))).collect();
                (String::new(), format!("sum([{x} >> f for f in choose {d} {lo}.. {{ {} }}])", parts.join(" | ")))
            }
            Shape::Tree(leaf, after, depth) => {
                let (d, t) = (self.name(), self.name());
                let (leaf, other, after) = (self.op(leaf), self.op(leaf), self.op(after));
                let stmts = format!(
                    "  block {t}(y[..], depth: int) = if depth == 0 {{ y >> {leaf} }} else {{ choose {d} {{\n      leaf: y >> {other}\n    | add: ({t}(y, depth - 1) + {t}(y, depth - 1)) >> {after}\n  }} }}\n"
                );
                (stmts, format!("{x} >> {t}({depth})"))
            }
            Shape::Nested(inside, after) => {
                let (m, w) = (self.name(), self.name());
                let (inside, after) = (self.op(inside), self.op(after));
                let stmts = format!("  let {w} = {C}\n  motif {m}(y[..]) = y >> {inside} >> conv({w}, 1)\n");
                (stmts, format!("{x} >> {m} >> {after} >> {m}"))
            }
            Shape::States(n, amount, f, out) => {
                let (d, states, at) = (self.name(), self.name(), self.name());
                let f = self.op(f);
                let input = match amount {
                    Amount::One => format!("(choose {d} from {states})"),
                    Amount::Two => format!("sum(choose {d} 2 from {states})"),
                    Amount::Some => format!("sum(choose {d} 1.. from {states})"),
                    Amount::Any => format!(
                        "{{ let {d} = choose {d} 0..=2 from {states}  if len({d}) == 0 {{ {x} }} else {{ sum({d}) }} }}"
                    ),
                };
                let stmts = format!(
                    "  var {states} = [{x}, {x} >> relu]\n  for {at} in 0..{n} {{ {states}.push({input} >> {f}) }}\n"
                );
                let value = match out {
                    Output::Last => format!("{states}[-1]"),
                    Output::All => format!("sum({states}[1..])"),
                    Output::Loose => format!("sum(unused({states}))"),
                };
                (stmts, value)
            }
        }
    }

    fn print(mut self) -> String {
        self.out.push_str("use std.ops.*\n\n");
        for (i, d) in self.text.decls.iter().enumerate() {
            let (keyword, count) = match d.motif {
                0 => ("block", ""),
                1 => ("motif", ""),
                _ => ("motif", "[2]"),
            };
            let params = if let Shape::Point(_) = d.shape { "" } else { "(x[..])" };
            let (stmts, value) = self.shape(&d.shape, "x");
            let _ = writeln!(self.out, "{keyword} u{i}{count}{params} {{\n{stmts}  {value}\n}}");
        }
        let (stmts, value) = self.shape(&self.text.main, "stem");
        let value = if let Shape::Point(_) = self.text.main { format!("stem >> {value}") } else { value };
        let forbid = if self.text.forbid {
            "  let a = choose a in 0..3\n  let b = choose b in 0..3\n  forbid a + b >= 3\n"
        } else {
            ""
        };
        let extra = if self.text.forbid { " >> repeat a + b { relu }" } else { "" };
        let _ = writeln!(
            self.out,
            "\nspace net(image[N, C, H, W], classes: int) {{\n  let stem = image >> conv({C}, 3)\n{forbid}{stmts}  ({value}){extra} >> global_avg_pool >> linear(classes)\n}}\n\nsearch s {{ space = net }}"
        );
        self.out
    }
}

fn print(text: &Text) -> String {
    Printer { text, names: 0, out: String::new() }.print()
}

struct Checked {
    space: Space,
    errors: Vec<Diagnostic>,
    /// What the text alone shows to be wrong.
    plain: Vec<Diagnostic>,
    /// What is wrong where extents are not known.
    library: Vec<Diagnostic>,
}

fn check(source: &str) -> Checked {
    let (program, errors) = Program::load("random.nas", source, None);
    assert!(errors.is_empty(), "{errors:#?}\n{source}");
    let is_error = |d: &Diagnostic| d.severity == Severity::Error;
    let plain = names::check_all(&program).into_iter().filter(is_error).collect();
    let program = Arc::new(program);
    let (search, _) = program.searches().next().expect("one search");
    let (space, errors) = Space::of_search(&program, search, digits());
    let net = program.lookup(program.root(), "net").expect("the space");
    let library = Space::of_item(&program, net).1;
    Checked { space: space.expect("a space"), errors, plain, library }
}

fn words(errors: &[Diagnostic]) -> String {
    errors.iter().map(|d| format!("{} {} {:?}", d.code.id, d.message, d.notes)).collect::<Vec<_>>().join("\n")
}

/// Candidates elaborate into valid graphs, print and read back, and decide nothing that the check does not know.
fn holds_for(space: &Space, c: &Candidate, source: &str) {
    let json = c.to_json();
    let back = Candidate::from_json(&json).unwrap_or_else(|e| panic!("{e:?}: {json}"));
    assert_eq!((&back.values, &back.copies), (&c.values, &c.copies), "{json}");
    for training in [false, true] {
        let built = match space.build(c, Want::Graph { batch: 2, training }) {
            Ok(b) => b,
            Err(e) => panic!("{json}: {:#?}\n{source}", e.diagnostic()),
        };
        let out = built.graph.node(built.output.expect("an output"));
        assert_eq!(out.shape, [2, 10], "{json}\n{source}");
        if let Err(e) = verify::verify(&built.graph) {
            panic!("{json}: {e:?}\n{source}");
        }
        assert_eq!(built.decided.len(), c.values.len(), "{json}\n{source}");
        for (d, v) in &built.decided {
            let known = space.checked(&d.name).unwrap_or_else(|| panic!("`{}` is not known\n{source}", d.name));
            assert!(
                known.decision.domain.contains(v),
                "`{}` = {v}, not of {:?}\n{source}",
                d.name,
                known.decision.domain
            );
        }
    }
}

/// Most candidates that are listed to compare with the count.
const LISTED: usize = 2000;

fn counted(space: &Space, source: &str) {
    let Some(size) = space.size() else { panic!("no size\n{source}") };
    assert_eq!(size.real, 0);
    let (n, exact) = match &size.discrete {
        Count::Exact(n) => (n, true),
        Count::AtMost(n) => (n, false),
    };
    let Ok(n) = usize::try_from(n) else { return };
    if n > LISTED {
        return;
    }
    let all = space.completions(&Candidate::default(), LISTED).map_err(BuildError::diagnostic);
    let all = all.unwrap_or_else(|e| panic!("{e:#?}\n{source}")).unwrap_or_else(|| panic!("more than {n}\n{source}"));
    let different: BTreeSet<String> = all.iter().map(|c| c.to_json().to_string()).collect();
    assert_eq!(different.len(), all.len(), "one candidate twice\n{source}");
    if exact {
        assert_eq!(all.len(), n, "listed, and counted exactly\n{source}");
    } else {
        assert!(all.len() <= n, "{} listed, at most {n} counted\n{source}", all.len());
    }
}

/// A partial candidate that a note names: `it happens when d1 = a0, d2 has 0, 1, d2 lacks 2`.
fn named(space: &Space, d: &Diagnostic) -> Option<Candidate> {
    let list = d.notes.iter().find_map(|n| n.strip_prefix("it happens when "))?;
    let mut entries: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for piece in list.split(", ") {
        match [" = ", " has ", " lacks "].into_iter().find_map(|verb| Some((verb, piece.split_once(verb)?))) {
            Some((verb, (name, first))) => entries.push((name, verb.trim(), vec![first])),
            None => entries.last_mut()?.2.push(piece),
        }
    }
    let mut c = Candidate::default();
    let mut lacking: Vec<(&str, Vec<Choice>)> = Vec::new();
    for (name, verb, values) in entries {
        let known = space.checked(name).unwrap_or_else(|| panic!("the note names `{name}`, which is no decision"));
        let (Domain::One { options, .. } | Domain::Subset { options, .. }) = &known.decision.domain else {
            return None;
        };
        let chosen: Vec<Choice> = (values.iter())
            .map(|v| options.iter().find(|o| o.to_string() == *v).cloned())
            .collect::<Option<_>>()
            .unwrap_or_else(|| panic!("`{name}` has no option of {values:?}"));
        match verb {
            "=" => drop(c.values.insert(name.to_string(), chosen[0].clone())),
            "has" => drop(c.values.insert(name.to_string(), Choice::Many(chosen))),
            _ => lacking.push((name, chosen)),
        }
    }
    // Whatever else a subset has must not matter; it takes what makes it legal.
    for (name, without) in lacking {
        c.values.entry(name.to_string()).or_insert(Choice::Many(Vec::new()));
        let Domain::Subset { options, lo, .. } = &space.checked(name)?.decision.domain else { return None };
        let Some(Choice::Many(has)) = c.values.get_mut(name) else { return None };
        for o in options {
            if has.len() < *lo && !without.contains(o) && !has.contains(o) {
                has.push(o.clone());
            }
        }
    }
    let legal = c.values.iter().all(|(n, v)| space.checked(n).is_some_and(|d| d.decision.domain.contains(v)));
    legal.then_some(c)
}

/// `PROPTEST_CASES` asks for more.
fn config(cases: u32) -> ProptestConfig {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { cases };
    // The same texts in every run; `PROPTEST_RNG_SEED` asks for others.
    let rng_seed = match ProptestConfig::default().rng_seed {
        RngSeed::Random => RngSeed::Fixed(3),
        RngSeed::Fixed(seed) => RngSeed::Fixed(seed),
    };
    ProptestConfig { cases, max_shrink_iters: 400, failure_persistence: None, rng_seed, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn a_space_that_checks_has_no_invalid_child(text in text(false)) {
        let source = print(&text);
        let c = check(&source);
        prop_assert!(c.plain.is_empty(), "{}\n{source}", words(&c.plain));
        // One block through two others makes its decisions twice under one name; nothing else is wrong with these.
        if c.errors.iter().any(|d| d.code.id == "E0501") {
            return Err(TestCaseError::reject("a name is used twice"));
        }
        prop_assert!(c.errors.is_empty(), "{}\n{source}", words(&c.errors));
        prop_assert!(c.library.is_empty(), "as a library: {}\n{source}", words(&c.library));
        for seed in 0..20 {
            let candidate = c.space.random(&mut Stream::new(seed, "spaces"));
            let candidate = candidate.map_err(|e| TestCaseError::fail(format!("{:#?}\n{source}", e.diagnostic())))?;
            holds_for(&c.space, &candidate, &source);
        }
        counted(&c.space, &source);
    }

    #[test]
    fn a_mismatch_is_found_exactly_where_a_child_is_invalid(text in text(true)) {
        let source = print(&text);
        let c = check(&source);
        prop_assert!(c.plain.is_empty(), "{}\n{source}", words(&c.plain));
        if c.errors.is_empty() {
            for seed in 0..20 {
                let candidate = c.space.random(&mut Stream::new(seed, "spaces"));
                let candidate = candidate.map_err(|e| TestCaseError::fail(format!("{:#?}\n{source}", e.diagnostic())))?;
                holds_for(&c.space, &candidate, &source);
            }
            counted(&c.space, &source);
        }
        let mut surely = false;
        for d in &c.errors {
            prop_assert!(["E0401", "E0404", "E0405", "E0501"].contains(&d.code.id), "{}\n{source}", words(&c.errors));
            surely |= d.code.id == "E0401";
            if d.code.id != "E0401" {
                continue;
            }
            let Some(partial) = named(&c.space, d) else { continue };
            for seed in 0..3 {
                match c.space.fill(&partial, &mut Stream::new(seed, "fill")) {
                    Err(BuildError::Error(_)) => {}
                    Ok(whole) => prop_assert!(false, "{}\nbut this is built: {}\n{source}", words(std::slice::from_ref(d)), whole.to_json()),
                    Err(e) => prop_assert!(false, "{:#?}\n{source}", e.diagnostic()),
                }
            }
        }
        // A mismatch without decisions concerns every candidate that comes there; some candidate must.
        if surely {
            let fails = (0..300).any(|seed| c.space.random(&mut Stream::new(seed, "any")).is_err());
            prop_assert!(fails, "{}\nbut 300 candidates are built\n{source}", words(&c.errors));
        }
    }
}
