use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::base::rng::Stream;
use crate::search::setup::{Overrides, Search};
use crate::sema::modules::Program as Loaded;

fn search(text: &str) -> Search {
    let (program, errors) = Loaded::load("test.nas", text, None);
    assert!(errors.is_empty(), "{errors:#?}");
    let program = Arc::new(program);
    let item = program.searches().next().expect("a search").0;
    match Search::new(&program, item, Path::new("."), &Overrides::default()) {
        Ok((s, _)) => s,
        Err(ds) => panic!("{ds:#?}"),
    }
}

/// For the eye: with `NASC_TEST_PICTURES` naming a folder, pictures are written there.
fn keep(name: &str, svg: &str) {
    if let Some(folder) = std::env::var_os("NASC_TEST_PICTURES") {
        std::fs::write(Path::new(&folder).join(format!("{name}.svg")), svg).expect("the folder can be written");
    }
}

const NASBENCH: &str = "
use std.spaces.nasbench201
search s { data = digits() space = nasbench201(width = 8, cells = 2) }
";

#[test]
fn a_cell_and_its_network_at_a_glance() {
    let s = search(NASBENCH);
    let c = Candidate::from_json(&serde_json::json!({
        "cell.edge(0,1).op": "nor_conv_3x3", "cell.edge(0,2).op": "skip_connect", "cell.edge(0,3).op": "none",
        "cell.edge(1,2).op": "nor_conv_1x1", "cell.edge(1,3).op": "avg_pool_3x3", "cell.edge(2,3).op": "nor_conv_3x3",
    }))
    .unwrap();
    let built = s.space.build(&c, Want::Graph { batch: BATCH, training: false }).unwrap();
    let cells = cells(&s.space, &built);
    assert_eq!(cells.len(), 1, "one design");
    assert_eq!(cells[0].title, "cell (used 6 times)");
    let labels: Vec<(usize, usize, &str)> = cells[0].edges.iter().map(|e| (e.from, e.to, e.label.as_str())).collect();
    assert_eq!(
        labels,
        [
            (0, 1, "nor_conv_3x3"),
            (0, 2, "skip_connect"),
            (0, 3, ""),
            (1, 2, "nor_conv_1x1"),
            (1, 3, "avg_pool_3x3"),
            (2, 3, "nor_conv_3x3")
        ]
    );
    let whole = network(&s.space, &built);
    let names: Vec<&str> = whole.nodes.iter().map(|n| n.label.as_str()).collect();
    assert_eq!(
        names,
        [
            "image",
            "conv 3×3",
            "cell × 2",
            "residual 3×3 /2",
            "cell × 2",
            "residual 3×3 /2",
            "cell × 2",
            "batch_norm",
            "global_avg_pool",
            "linear",
            "output"
        ]
    );
    assert_eq!(whole.edges.len(), names.len() - 1, "a chain: {:?}", whole.edges);
    assert_eq!(whole.nodes[1].detail, "batch_norm  ·  8 × 8 × 8");
    keep("nasbench201", &picture(&s.space, &c, "the best of 6 trials").unwrap());
}

#[test]
fn a_cell_of_loops_is_read_from_its_graph() {
    let s = search(
        "
use std.ops.*
block mixed(c: int) = choose op {
    max_pool_3x3: max_pool(3) >> batch_norm
  | skip_connect: identity
  | sep_conv_3x3: sep_conv(c, 3)
}
space chain(image[N, C, H, W], classes: int, c: int = 4) {
  motif normal(h0[..], h1[..]) {
    var states = [h0, h1]
    for _ in 0..2 {
      let inputs = choose inputs 2 from 0..len(states)
      states.push(sum([states[i] >> mixed(c) for i in inputs]))
    }
    concat(states[2..])
  }
  let (a, b) = (image >> conv(c, 3), image >> conv(c, 1))
  normal(a, b) >> global_avg_pool >> linear(classes)
}
search s { data = digits() space = chain() }
",
    );
    let mut rng = Stream::new(3, "x");
    for k in 0..20 {
        let c = s.space.random(&mut rng).unwrap();
        let built = s.space.build(&c, Want::Graph { batch: BATCH, training: false }).unwrap();
        let cells = cells(&s.space, &built);
        assert_eq!(cells.len(), 1, "{}", c.to_json());
        let dag = &cells[0];
        let sums = dag.nodes.iter().filter(|n| n.kind == Kind::State).count();
        assert!((3..=4).contains(&sums), "{:?}", dag.nodes);
        // Each chosen operation is on an edge, whatever it became in the graph.
        for (d, v) in &built.decided {
            if d.kind().ends_with("op") {
                let v = v.to_string();
                assert!(dag.edges.iter().any(|e| e.label == v), "{v} of {} in {:?}", c.to_json(), dag.edges);
            }
        }
        if k < 2 {
            keep(&format!("loops{k}"), &picture(&s.space, &c, "").unwrap());
        }
    }
}

#[test]
fn layers_that_choose_their_inputs_stand_in_frames() {
    let s = search(
        "
use std.ops.*
space layers(image[N, C, H, W], classes: int) {
  var outputs = [image >> conv(8, 3)]
  for i in 0..4 {
    let skips = choose skips 1.. from outputs
    let k = choose kernel from [1, 3, 5]
    outputs.push(concat(skips) >> conv(8, k) >> batch_norm >> relu)
  }
  concat(unused(outputs)) >> global_avg_pool >> linear(classes)
}
search s { data = digits() space = layers() }
",
    );
    let c = s.space.random(&mut Stream::new(5, "x")).unwrap();
    let built = s.space.build(&c, Want::Graph { batch: BATCH, training: false }).unwrap();
    assert!(cells(&s.space, &built).is_empty());
    let dag = network(&s.space, &built);
    let convs: Vec<&Node> = dag.nodes.iter().filter(|n| n.label.starts_with("conv ")).collect();
    assert_eq!(convs.len(), 5, "{:?}", dag.nodes);
    assert_eq!(convs[1].detail, "batch_norm, relu  ·  8 × 8 × 8");
    let svg = picture(&s.space, &c, "layer by layer").unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    keep("layers", &svg);
}

#[test]
fn every_standard_space_has_a_picture() {
    for (name, call) in [
        ("darts", "darts(width = 4, cells = 3)"),
        ("nasnet", "nasnet(width = 4)"),
        ("hierarchical", "hierarchical(width = 4)"),
        ("layerwise", "layerwise(layers = 6)"),
        ("memory_bank", "memory_bank(width = 4)"),
        ("tree", "tree(width = 8)"),
        ("chain", "chain()"),
    ] {
        let s = search(&format!("use std.spaces.{name}\nsearch s {{ data = digits() space = {call} }}\n"));
        let mut rng = Stream::new(11, name);
        for k in 0..3 {
            let c = s.space.random(&mut rng).unwrap();
            let svg = picture(&s.space, &c, name).unwrap_or_else(|d| panic!("{name}: {d:#?}"));
            assert!(svg.ends_with("</svg>\n") && svg.contains("output"), "{name}");
            if k == 0 {
                keep(name, &svg);
            }
        }
    }
}
