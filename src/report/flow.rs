//! The data flow of a program over typed memory: what each line reads was written by which.

use std::collections::BTreeMap;

use crate::algo::program::{GIVEN, PREDICTION, line};
use crate::algo::{Design, PARTS, Program, Rank};

use super::svg::{Dag, Direction, Edge, Kind, Node, draw};

/// Who wrote an address last.
type Writers = BTreeMap<(Rank, u16), usize>;

/// A simplified program as an SVG picture. A line to an earlier part is a memory that lasts until the next example.
pub fn picture(d: &Design, program: &Program, title: &str) -> String {
    draw(&dag(d, &program.simplified(&d.set), title), Direction::Down)
}

fn dag(d: &Design, p: &Program, title: &str) -> Dag {
    let mut out = Dag { title: title.to_string(), ..Dag::default() };
    let end = |label: &str, detail: &str| Node {
        label: label.to_string(),
        detail: detail.to_string(),
        kind: Kind::Input,
        ..Node::default()
    };
    out.nodes.push(end("v0", "features"));
    out.nodes.push(end("s0", "label"));
    let mut first = [0; 3];
    let mut last: [Writers; 3] = Default::default();
    for (part, body) in p.parts.iter().enumerate() {
        first[part] = out.nodes.len();
        for i in body {
            let op = &d.set.instructions[i.op];
            last[part].insert((op.output, i.out), out.nodes.len());
            let kind = match op.name.as_str() {
                "add" | "sub" => Kind::Merge,
                "constant" | "put" | "put_matrix" | "random_uniform" | "gaussian" => Kind::Identity,
                "dot" | "outer" | "matvec" | "matmul" => Kind::Compute,
                _ => Kind::Pointwise,
            };
            let group = vec![PARTS[part].to_string()];
            out.nodes.push(Node { label: line(i, op), detail: op.doc.clone(), group, kind });
        }
    }
    for (part, body) in p.parts.iter().enumerate() {
        let mut here = Writers::new();
        for (k, i) in body.iter().enumerate() {
            let (op, to) = (&d.set.instructions[i.op], first[part] + k);
            let reads = op.operands.iter().copied().zip(i.inputs).zip(&op.read).filter(|r| *r.1).map(|r| r.0);
            for place in reads.chain(op.old.map(|_| (op.output, i.out))) {
                for from in sources(place, part, &here, &last) {
                    let known = out.edges.iter().any(|e| (e.from, e.to) == (from, to));
                    if !known && from != to {
                        out.edges.push(Edge { from, to, ..Edge::default() });
                    }
                }
            }
            here.insert((op.output, i.out), to);
        }
    }
    if let Some(&from) = last[1].get(&(Rank::Scalar, PREDICTION)) {
        let to = out.nodes.len();
        out.nodes.push(Node { kind: Kind::Output, ..end("s1", "prediction") });
        out.edges.push(Edge { from, to, ..Edge::default() });
    }
    out
}

/// Whose result stands in a place when a part reads it: an earlier line's of the part, or, depending on whether it is the
/// first example, that of another part.
fn sources(place: (Rank, u16), part: usize, here: &Writers, last: &[Writers; 3]) -> Vec<usize> {
    match place {
        (Rank::Vector, GIVEN) => return vec![0],
        (Rank::Scalar, GIVEN) => return if part == 2 { vec![1] } else { Vec::new() },
        _ => {}
    }
    let of = |part: usize| last[part].get(&place).copied();
    let found = match (here.get(&place), part) {
        (Some(&k), _) => return vec![k],
        (None, 0) => Vec::new(),
        // Learning comes after each prediction, and before the next one.
        (None, 1) => vec![of(2).or(of(1)), of(0)],
        (None, _) => match of(1) {
            Some(k) => return vec![k],
            None => vec![of(2), of(0)],
        },
    };
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::setup::{Overrides, Search};
    use crate::sema::modules::Program as Loaded;

    #[test]
    fn gradient_descent_flows_around() {
        let text = "use std.instructions.*
             use std.evaluations.programs
             algorithm regressor {
               setup { s2 = 0.1 }
               predict { s1 = dot(v0, v1) }
               learn {
                 s3 = s0 - s1
                 s4 = s2 * s3
                 v2 = s4 * v0
                 v1 = v1 + v2
               }
             }
             space rules = algorithms(scalars = 5, vectors = 3, matrices = 0, setup = instructions(1, [constant]),
               predict = instructions(1, [dot]), learn = instructions(4, arithmetic), start = regressor)
             search s { data = scalar_linear_regression() space = rules evaluate = programs() }";
        let (program, errors) = Loaded::load("t.nas", text, None);
        assert!(errors.is_empty(), "{errors:#?}");
        let program = std::sync::Arc::new(program);
        let item = program.searches().next().expect("a search").0;
        let s = Search::new(&program, item, std::path::Path::new("."), &Overrides::default());
        let (s, _) = s.unwrap_or_else(|ds| panic!("{ds:#?}"));
        let d = s.space.design().expect("programs");
        let g = dag(d, d.start.as_ref().expect("a start"), "regressor");
        let edge = |a: &str, b: &str| {
            let at = |l: &str| g.nodes.iter().position(|n| n.label == l).unwrap_or_else(|| panic!("{l}"));
            g.edges.iter().any(|e| (e.from, e.to) == (at(a), at(b)))
        };
        assert!(edge("v0", "s1 = dot(v0, v1)") && edge("s0", "s3 = s0 - s1") && edge("s1 = dot(v0, v1)", "s1"));
        assert!(edge("s2 = 0.1", "s4 = s2 * s3") && edge("s1 = dot(v0, v1)", "s3 = s0 - s1"));
        assert!(edge("v1 = v1 + v2", "s1 = dot(v0, v1)"), "what is learned is used next time");
        assert!(!edge("s0", "s1 = dot(v0, v1)"), "predictions do not see the label");
        let svg = picture(d, d.start.as_ref().expect("a start"), "regressor");
        assert!(svg.starts_with("<svg ") && svg.contains("learn"));
    }
}
