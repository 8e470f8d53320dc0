use std::sync::Arc;

use super::*;
use crate::base::rng::Stream;
use crate::sema::modules::Program;

fn images() -> DataShape {
    DataShape { inputs: vec![InputShape { dims: vec![1, 8, 8], int: false }], classes: 10 }
}

/// The space of the last item that is one, checked for 8×8 images, with the messages.
fn checked(text: &str) -> (Space, Vec<String>) {
    let (program, errors) = Program::load("test.nas", text, None);
    assert!(errors.is_empty(), "{errors:#?}");
    let program = Arc::new(program);
    let item = program.modules[0]
        .ast
        .items
        .iter()
        .rposition(|i| matches!(&i.kind, ItemKind::Arch(a) if a.kind == ArchKind::Space))
        .expect("a space");
    let item = ItemRef { module: program.root(), item: item as u32 };
    let (space, errors) = Space::new(&program, item, None, Some(images()));
    let shown = errors.iter().map(|d| format!("{} {} | {}", d.code.id, d.message, d.notes.join(" | "))).collect();
    (space, shown)
}

pub(super) fn good(text: &str) -> Space {
    let (space, errors) = checked(text);
    assert!(errors.is_empty(), "{errors:#?}");
    space
}

fn names(s: &Space) -> Vec<&str> {
    s.decisions().iter().map(|d| d.decision.name.as_str()).collect()
}

fn size(s: &Space) -> String {
    s.size().map(Size::describe).unwrap_or_default()
}

/// Random candidates elaborate, for training and for inference, and survive JSON.
fn samples(s: &Space, n: u64) {
    for seed in 0..n {
        let mut rng = Stream::new(seed, "test");
        let c = s.random(&mut rng).map_err(super::BuildError::diagnostic).unwrap();
        let back = Candidate::from_json(&c.to_json()).unwrap();
        assert_eq!(back.values, c.values);
        for training in [false, true] {
            let b = s.build(&c, Want::Graph { batch: 3, training }).map_err(super::BuildError::diagnostic).unwrap();
            let out = b.graph.node(b.output.unwrap());
            assert_eq!(out.shape, [3, 10], "{}", c.to_json());
            assert_eq!(b.decided.len(), c.values.len());
        }
    }
}

pub(super) const HEAD: &str = "use std.ops.*\n";

pub(super) const NASBENCH201: &str = "
space nasbench201(image[N, C, H, W], classes: int, width: int = 16, cells: int = 1) {
  motif cell(c: int) = assemble 4 nodes {
    edge = choose op {
        none
      | skip_connect: identity
      | nor_conv_1x1: conv_bn(c, 1)
      | nor_conv_3x3: conv_bn(c, 3)
      | avg_pool_3x3: avg_pool(3)
    }
    merge = sum
  }
  image >> conv(width, 3) >> batch_norm
        >> repeat cells { cell(width) }     >> residual(2 * width, stride = 2)
        >> repeat cells { cell(2 * width) } >> residual(4 * width, stride = 2)
        >> repeat cells { cell(4 * width) }
        >> batch_norm >> relu >> global_avg_pool >> linear(classes)
}
";

#[test]
fn nasbench201() {
    let s = good(&format!("{HEAD}{NASBENCH201}"));
    assert_eq!(
        names(&s),
        [
            "cell.edge(0,1).op",
            "cell.edge(0,2).op",
            "cell.edge(1,2).op",
            "cell.edge(0,3).op",
            "cell.edge(1,3).op",
            "cell.edge(2,3).op"
        ]
    );
    assert_eq!(size(&s), "15,625");
    assert_eq!(s.decisions()[0].places.len(), 3);
    samples(&s, 20);
}

#[test]
fn darts() {
    let s = good(&format!(
        "{HEAD}
block mixed(c: int, stride: int) = choose op {{
    none
  | max_pool_3x3: max_pool(3, stride) >> batch_norm
  | skip_connect: if stride == 1 {{ identity }} else {{ factorized_reduce(c) }}
  | sep_conv_3x3: sep_conv(c, 3, stride)
  | dil_conv_5x5: dil_conv(c, 5, stride)
}}
block darts_cell(h0[..], h1[..], c: int, stride: int = 1, nodes: int = 4) {{
  var states = [h0, h1]
  for node in 2..nodes + 2 {{
    let inputs = choose inputs 2 from 0..node
    states.push(sum([states[edge] >> mixed(c, if edge < 2 {{ stride }} else {{ 1 }}) for edge in inputs]))
  }}
  concat(states[2..])
}}
block prepare(x[..], c: int) = x >> relu >> conv(c, 1) >> batch_norm
space darts(image[N, C, H, W], classes: int, width: int = 4) {{
  motif normal(h0[..], h1[..], c: int) = darts_cell(h0, h1, c)
  motif reduction(h0[..], h1[..], c: int) = darts_cell(h0, h1, c, stride = 2)
  let stem = image >> conv(width, 3) >> batch_norm
  let a = normal(prepare(stem, width), prepare(stem, width), width)
  let b = reduction(prepare(stem, 2 * width), prepare(a, 2 * width), 2 * width)
  b >> global_avg_pool >> linear(classes)
}}"
    ));
    assert!(names(&s).contains(&"normal.node(2).inputs"));
    assert!(names(&s).contains(&"normal.node(3).edge(2).op"));
    assert_eq!(
        s.decisions()
            .iter()
            .filter(|d| d.decision.name.starts_with("normal") && d.decision.kind().ends_with("op"))
            .count(),
        14
    );
    // (1·3·6·10 · 5^8)^2
    assert_eq!(
        size(&s),
        "4,943,847,656,250,000".replace(',', "").parse::<u64>().map(|_| "4.94e15".to_string()).unwrap()
    );
    samples(&s, 5);
}

#[test]
fn layerwise() {
    let s = good(&format!(
        "{HEAD}
block pad_all(xs) {{
  let h = max([shape(x)[2] for x in xs])
  let w = max([shape(x)[3] for x in xs])
  [x >> pad_to(shape(x)[1], h, w) for x in xs]
}}
space layerwise(image[N, C, H, W], classes: int, layers: int = 4) {{
  var outputs = []
  for i in 0..layers {{
    let skips  = choose skips 0.. from outputs
    let input  = if len(skips) == 0 {{ image }} else {{ concat(pad_all(skips)) }}
    let k      = choose kernel from [1, 3, 5, 7]
    let f      = choose filters from [2, 4]
    let stride = choose stride in 1..=2
    outputs.push(input >> conv(f, k, stride) >> batch_norm >> relu)
  }}
  concat(pad_all(unused(outputs))) >> global_avg_pool >> linear(classes)
}}"
    ));
    assert_eq!(names(&s)[4], "i(1).skips");
    // Per layer 4·2·2 = 16, skips 2^0·2^1·2^2·2^3.
    assert_eq!(size(&s), "4,194,304");
    samples(&s, 20);
}

#[test]
fn hierarchical() {
    let s = good(&format!(
        "{HEAD}
space hierarchical(image[N, C, H, W], classes: int, width: int = 4) {{
  block primitive_op(c: int) = choose op {{ none | identity | conv_1x1: conv_bn(c, 1) | max_pool(3) }}
  motif level2[3](c: int) = assemble 3 nodes {{ edge = primitive_op(c)  merge = concat >> conv_bn(c, 1) }}
  motif level3(c: int) = assemble 3 nodes {{
    edge  = choose inner {{ none | motif_2: (choose which from level2)(c) }}
    merge = concat >> conv_bn(c, 1)
  }}
  image >> conv(width) >> batch_norm >> level3(width) >> sep_conv(2 * width, 3, stride = 2)
        >> level3(2 * width) >> relu >> global_avg_pool >> linear(classes)
}}"
    ));
    assert!(names(&s).contains(&"level2[2].edge(0,1).op"), "{:?}", names(&s));
    assert!(names(&s).contains(&"level3.edge(0,1).inner.motif_2.which"), "{:?}", names(&s));
    // Three designs of 4^3, and three edges with none or one of three motifs.
    assert_eq!(size(&s), format!("{}", count::grouped(&num_bigint::BigUint::from(64u64.pow(3) * 64))));
    let level = |n: &str| s.checked(n).map(|d| d.decision.level);
    assert_eq!((level("level2[0].edge(0,1).op"), level("level3.edge(0,1).inner")), (Some(1), Some(2)));
    samples(&s, 10);
    // A motif that is not used keeps its decisions.
    let c = s.random(&mut Stream::new(1, "x")).unwrap();
    assert_eq!(c.values.keys().filter(|k| k.starts_with("level2")).count(), 9);
}

#[test]
fn tree_recursion() {
    let s = good(&format!(
        "{HEAD}
block tree(x[..], c: int, depth: int) =
  if depth == 0 {{ x >> conv_bn(c, 3) }}
  else {{
    choose scheme {{
        leaf: x >> choose op {{ conv_bn(c, 3) | identity }}
      | replicate_add: tree(x, c, depth - 1) + tree(x, c, depth - 1)
      | split_concat: concat([tree(half, c / 2, depth - 1) for half in split(x, 2)])
    }}
  }}
space net(image[N, C, H, W], classes: int) =
  image >> conv(8, 3) >> tree(8, 2) >> global_avg_pool >> linear(classes)"
    ));
    // t(0) = 1, t(d) = 2 + 2 t(d-1)^2: t(1) = 4, t(2) = 34.
    assert_eq!(size(&s), "34");
    samples(&s, 20);
}

#[test]
fn memory_bank() {
    let s = good(&format!(
        "{HEAD}
space memory_bank(image[N, C, H, W], classes: int, banks: int = 3, layers: int = 3, width: int = 4) {{
  var bank = [image >> conv(width, 3) for _ in 0..banks]
  for layer in 0..layers {{
    let read  = choose read 1.. from bank
    let write = choose write in 0..banks
    let y = concat(read) >> conv_bn(width, 1) >> choose op {{ conv_bn(width, 3) | conv_bn(width, 5) | dil: dil_conv(width, 3) }}
    bank[write] = choose combine {{ overwrite: y | add: bank[write] + y }}
  }}
  sum(bank) >> global_avg_pool >> linear(classes)
}}"
    ));
    assert_eq!(size(&s), format!("{}", count::grouped(&num_bigint::BigUint::from((7u64 * 3 * 3 * 2).pow(3)))));
    samples(&s, 20);
}

#[test]
fn decided_depth() {
    let s = good(&format!(
        "{HEAD}
space deep(image[N, C, H, W], classes: int) {{
  let depth = choose depth in 1..=3
  image >> conv(4, 3) >> repeat depth as layer {{ conv_bn(4, choose kernel from [1, 3]) }} >> global_avg_pool >> linear(classes)
}}"
    ));
    assert_eq!(size(&s), "14");
    assert_eq!(s.repeats(), [CheckedRepeat { path: "layer".into(), count: Some("depth".into()) }]);
    samples(&s, 20);
    let mut c = Candidate::default();
    c.values.insert("depth".into(), Choice::Int(2));
    let mut rng = Stream::new(3, "x");
    let c = s.fill(&c, &mut rng).unwrap();
    let gaps = s.gaps(&c, "**");
    assert_eq!(gaps.len(), 3);
    let deeper = s.fill(&s.insert(&c, &gaps[1]).unwrap(), &mut rng).unwrap();
    assert_eq!(deeper.copies["layer"], [0, 2, 1]);
    assert_eq!(deeper.values["layer(1).kernel"], c.values["layer(1).kernel"]);
    let b = s.build(&deeper, Want::Graph { batch: 2, training: true }).map_err(super::BuildError::diagnostic).unwrap();
    let weights: Vec<&str> =
        b.graph.inputs().filter(|i| i.1.name.ends_with("conv.w")).map(|i| i.1.name.as_str()).collect();
    assert_eq!(weights, ["conv.w", "layer(0).conv_bn.conv.w", "layer(2).conv_bn.conv.w", "layer(1).conv_bn.conv.w"]);
    let back = s.remove(&deeper, "layer(2).kernel").unwrap();
    assert_eq!(s.renumbered(&back).unwrap().values, c.values);
}

#[test]
fn forbid_and_weights() {
    let s = good(&format!(
        "{HEAD}
space f(image[N, C, H, W], classes: int) {{
  let a = choose a in 0..4
  let b = choose b in 0..4
  forbid a + b >= 3
  image >> conv(a + b + 1, 3) >> choose op {{ 3: relu | tanh }} >> global_avg_pool >> linear(classes)
}}"
    ));
    assert_eq!(size(&s), "12");
    let mut seen = std::collections::BTreeMap::new();
    for seed in 0..600 {
        let c = s.random(&mut Stream::new(seed, "f")).unwrap();
        *seen.entry(c.values["a"].to_string()).or_insert(0) += 1;
        *seen.entry(c.values["op"].to_string()).or_insert(0) += 1;
    }
    // a = 3 leaves no b; the others are uniform.
    assert!(!seen.contains_key("3"), "{seen:?}");
    assert!(seen["0"] > 140 && seen["2"] > 140, "{seen:?}");
    assert!((400..500).contains(&seen["relu"]), "{seen:?}");
    let all = s.completions(&Candidate::default(), 100).unwrap().unwrap();
    assert_eq!(all.len(), 12);
}

fn code_of(text: &str) -> Vec<String> {
    checked(&format!("{HEAD}{text}")).1
}

#[test]
fn mismatch_between_alternatives_names_the_decision() {
    let e = code_of(
        "space s(image[N, C, H, W], classes: int) {
  let a = image >> conv(16, 3)
  let b = image >> choose op { narrow: conv(16, 1) | wide: conv(32, 1) }
  a + b >> global_avg_pool >> linear(classes)
}",
    );
    assert_eq!(e.len(), 1, "{e:?}");
    assert!(e[0].starts_with("E0401") && e[0].contains("op = wide") && e[0].contains("[N, 32, 8, 8]"), "{e:?}");
}

#[test]
fn errors_have_codes() {
    let s = |body: &str| {
        format!("space s(image[N, C, H, W], classes: int) {{ {body} >> global_avg_pool >> linear(classes) }}")
    };
    for (body, code, part) in [
        ("image >> convv(16, 3)", "E0203", "convv"),
        ("image >> conv(16, kernel = 3)", "E0302", "kernel"),
        ("image >> conv()", "E0303", "out"),
        ("image >> conv(\"a\", 3)", "E0301", "text"),
        ("let c = 1\n c = 2\n image >> conv(c, 3)", "E0304", "c"),
        ("let n = choose n in 0..=2\n image >> conv(16 / n, 3)", "E0306", "zero"),
        ("image >> conv([8, 16][2], 3)", "E0307", "2"),
        ("image >> conv(16, 3) >> conv(16, 3, groups = 3)", "E0403", "16"),
        ("image >> conv(0, 3)", "E0404", "without elements"),
        (
            "let a = choose k from [1, 3]\n let b = choose k from [1, 3]\n image >> conv(4, a) >> conv(4, b)",
            "E0501",
            "`k`",
        ),
        ("motif m(c: int) = conv(choose width from [c, 2 * c], 3)\n image >> m(8) >> m(16)", "E0502", "width"),
        ("let xs = [image >> conv(8, 3)]\n let some = choose some 0.. from xs\n concat(some)", "E0503", "no tensors"),
        ("let k = choose k from [1, 3]\n forbid k <= 3\n image >> conv(16, k)", "E0506", "no candidate"),
        ("image >> conv(16, 3) >> global_avg_pool >> batch_norm", "E0402", "dimensions"),
        (
            "var c = 0\n for i in 0..20 { c = c + (choose w from [8, 16, 24]) }\n (image >> conv(c, 3)) + (image >> conv(160, 3))",
            "E0405",
            "cannot prove",
        ),
    ] {
        let e = code_of(&s(body));
        assert!(
            e.iter().any(|m| m.starts_with(code) && m.contains(part)),
            "{body}: wanted {code} with {part}, got {e:#?}"
        );
    }
    let e = code_of(
        "block tree(x[..], depth: int) = tree(x, depth) >> relu\nspace s(image[N, C, H, W], classes: int) = image >> tree(3) >> global_avg_pool >> linear(classes)",
    );
    assert!(e.iter().any(|m| m.starts_with("E0308")), "{e:?}");
}

#[test]
fn several_errors_in_one_run() {
    let e = code_of(
        "space s(image[N, C, H, W], classes: int) {
  let a = image >> convv(16, 3)
  let b = image >> conv(16, kern = 3)
  a + b >> global_avg_pool >> linear(classes)
}",
    );
    assert_eq!(e.len(), 2, "{e:?}");
}

#[test]
fn recurrent_cells_share_weights_and_decisions_over_time() {
    let s = good(&format!(
        "{HEAD}
block recurrent(x[N, D], h[N, E]) = (linear(x, E) + linear(h, E)) >> choose act {{ tanh | relu }}
space net(image[N, C, H, W], classes: int) {{
  let xs = image >> patches(4)
  let h0 = image >> flatten >> linear(6)
  let hs = scan(recurrent, xs, h0)
  hs[-1] >> linear(classes)
}}"
    ));
    assert_eq!(names(&s), ["act"]);
    let c = s.random(&mut Stream::new(0, "x")).unwrap();
    let b = s.build(&c, Want::Graph { batch: 2, training: true }).map_err(super::BuildError::diagnostic).unwrap();
    // Four steps; a weight and a bias for the first state, the head, and each of the two in the cell.
    let weights: Vec<&str> = b.graph.inputs().map(|i| i.1.name.as_str()).filter(|n| n.ends_with(".w")).collect();
    assert_eq!(weights.len(), 4, "{weights:?}");
    samples(&s, 2);
}

#[test]
fn shared_operations_have_one_set_of_weights() {
    let s = good(&format!(
        "{HEAD}
space net(image[N, C, H, W], classes: int) {{
  share f = conv_bn(4, 3)
  let x = image >> conv(4, 1)
  f(f(x)) >> global_avg_pool >> linear(choose extra from [classes])
}}"
    ));
    let c = s.random(&mut Stream::new(0, "x")).unwrap();
    let b = s.build(&c, Want::Graph { batch: 2, training: true }).map_err(super::BuildError::diagnostic).unwrap();
    assert_eq!(b.graph.inputs().filter(|i| i.1.name.ends_with("conv.w")).count(), 2);
}

fn all(s: &Space) -> Vec<String> {
    let all = s.completions(&Candidate::default(), 1000).map_err(super::BuildError::diagnostic).unwrap();
    all.expect("at most 1000").iter().map(|c| c.to_json().to_string()).collect()
}

#[test]
fn none_has_no_say_in_a_sum() {
    // `none` as small as its sibling would not fit the other part where `times` is 1, but then the sibling is not chosen.
    let s = good(&format!(
        "{HEAD}
space net(image[N, C, H, W], classes: int) {{
  let x = image >> conv(4, 3)
  let times = choose times in 0..=1
  let more = choose more in 0..=1
  forbid times + more == 2
  let y = if more == 0 {{ none }} else {{ x >> repeat times {{ max_pool(3, 2) }} }}
  let some = choose some 1.. {{ nothing: none | a: x >> conv(4, 1) | b: x >> conv(4, 3) }}
  let z = choose z {{ nothing: none | other: choose inner {{ none | same: x >> relu }} }}
  [x, sum([x, y]), sum(some), z] >> concat >> global_avg_pool >> linear(classes)
}}"
    ));
    samples(&s, 30);
    let (s, errors) = checked(&format!(
        "{HEAD}
motif smaller(x[..]) = x >> repeat (choose times in 0..=1) {{ max_pool(3, 2) }}
space net(image[N, C, H, W], classes: int) {{
  let x = image >> conv(4, 3)
  sum([x, x >> choose op {{ none | other: smaller }}]) >> global_avg_pool >> linear(classes)
}}"
    ));
    let [e] = errors.as_slice() else { panic!("{errors:?}") };
    assert!(e.ends_with("it happens when op = other, smaller.times = 1"), "{e}");
    let fine = all_but_errors(&s);
    assert_eq!(fine.len(), 3, "{fine:?}");
}

#[test]
fn none_of_a_condition_has_no_shape() {
    let (_, errors) = checked(&format!(
        "{HEAD}
space net(image[N, C, H, W], classes: int) {{
  let x = image >> conv(4, 3)
  let more = choose more in 0..=1
  let y = if more == 0 {{ none }} else {{ x >> relu }}
  y >> conv(4, 3) >> global_avg_pool >> linear(classes)
}}"
    ));
    assert_eq!(errors, ["E0401 `none` has no shape here | it happens when more = 0"]);
}

fn all_but_errors(s: &Space) -> Vec<String> {
    let d = s.decisions().iter().map(|d| d.decision.domain.values(100).expect("few"));
    let names = names(s);
    let mut out = vec![Candidate::default()];
    for (name, values) in names.iter().zip(d) {
        let with = |c: &Candidate, v: &Choice| {
            let mut c = c.clone();
            c.values.insert((*name).to_string(), v.clone());
            c
        };
        out = out.iter().flat_map(|c| values.iter().map(|v| with(c, v)).collect::<Vec<_>>()).collect();
    }
    out.retain(|c| s.build(c, Want::Graph { batch: 2, training: false }).is_ok());
    out.iter().map(|c| c.to_json().to_string()).collect()
}

#[test]
fn a_motif_that_is_not_used_keeps_its_decisions() {
    let s = good(&format!(
        "{HEAD}
motif act(x[..], name: string = \"a\") {{
  let a = choose a in 0..2
  let b = choose b in 0..2
  forbid a + b == 2
  x >> choose op {{ relu | tanh }}
}}
space net(image[N, C, H, W], classes: int) {{
  let depth = choose depth in 1..=2
  image >> conv(4, 3) >> repeat depth {{ max_pool(3, 2) }} >> choose then {{ identity | act }} >> global_avg_pool >> linear(classes)
}}"
    ));
    // It excludes something only where it is used.
    assert_eq!(size(&s), (2 * (8 + 6)).to_string());
    assert_eq!(all(&s).len(), 28);
    assert!(all(&s).iter().all(|c| c.contains("act.op")));
    samples(&s, 5);
    let s = good(&format!(
        "{HEAD}
motif around(x[..], f: op) = x >> f >> choose act {{ relu | tanh }}
space net(image[N, C, H, W], classes: int) {{
  image >> conv(4, 3) >> choose then {{ identity | around(conv(4, 3)) }} >> global_avg_pool >> linear(classes)
}}"
    ));
    // Nobody could tell its operation where it is not used.
    assert_eq!(size(&s), "3");
    assert_eq!(all(&s).len(), 3);
    samples(&s, 5);
}

#[test]
fn what_no_candidate_reaches_is_not_wrong() {
    good(&format!(
        "{HEAD}
space net(image[N, C, H, W], classes: int) {{
  let a = choose a in 1..=3
  let b = choose b in 1..=3
  let x = image >> conv(4, 3)
  let y = if a * b == 5 {{ x >> linear(3) }} else {{ x }}
  y >> global_avg_pool >> linear(classes)
}}"
    ));
}

#[test]
fn many_states_are_checked_by_form() {
    // Subsets of 40 elements cannot be enumerated, but one that has an element is not empty.
    let s = good(&format!(
        "{HEAD}
space net(image[N, C, H, W], classes: int) {{
  var states = [image >> conv(4, 3)]
  for node in 0..40 {{
    states.push(sum(choose inputs 1.. from states) >> choose op {{ relu | identity | max_pool(3) }})
  }}
  sum(unused(states)) >> global_avg_pool >> linear(classes)
}}"
    ));
    assert_eq!(names(&s).len(), 80);
    samples(&s, 2);
    // Each copy may be the last; what reads the last reads one of them.
    let s = good(&format!(
        "{HEAD}
space net(image[N, C, H, W], classes: int) {{
  let depth = choose depth in 1..=100
  var states = [image >> conv(4, 3)]
  states.push(states[0] >> repeat depth {{ choose op {{ none | relu | identity }} }})
  sum(unused(states)) >> global_avg_pool >> linear(classes)
}}"
    ));
    assert_eq!(names(&s).len(), 101);
    samples(&s, 2);
}
