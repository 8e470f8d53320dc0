//! A naive evaluator of graphs, and what is tested with it.

mod diagnostics;
mod operations;
mod semantics;

use std::collections::BTreeMap;

use super::{PrimCtx, Scalar, check, instantiate};
use crate::base::{FileId, Span};
use crate::diag::Diagnostic;
use crate::graph::ir::draw;
use crate::graph::{
    Atom, BinaryOp, CompareOp, DType, Equation, Graph, Guard, Index, Init, Input, Kind, Node, NodeId, Op, ReduceOp,
    Role, UnaryOp, Val,
};
use crate::syntax::ast::{ItemKind, Primitive};
use crate::syntax::parse::parse;

const OPS: &str = include_str!("../../../stdlib/ops.nas");

fn primitives(text: &str) -> Vec<Primitive> {
    let (module, errors) = parse(FileId(0), text);
    assert!(errors.is_empty(), "{errors:#?}");
    module
        .items
        .into_iter()
        .filter_map(|i| match i.kind {
            ItemKind::Primitive(p) => Some(p),
            _ => None,
        })
        .collect()
}

fn op(name: &str) -> Primitive {
    primitives(OPS).into_iter().find(|p| p.name.name == name).unwrap_or_else(|| panic!("no primitive {name}"))
}

#[derive(Clone, Debug)]
struct Array {
    shape: Vec<usize>,
    data: Vec<f64>,
}

impl Array {
    fn new(shape: &[usize], data: Vec<f64>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        Self { shape: shape.to_vec(), data }
    }

    /// Numbers without a pattern, in -1..1.
    fn noise(shape: &[usize], seed: u64) -> Self {
        let n = shape.iter().product::<usize>() as u64;
        Self::new(shape, (0..n).map(|i| f64::from(draw(seed, 1, 2, i)) * 2.0 - 1.0).collect())
    }

    fn at(&self, index: &[i64]) -> Option<f64> {
        let mut flat = 0;
        for (&i, &n) in index.iter().zip(&self.shape) {
            flat = flat * n + usize::try_from(i).ok().filter(|&i| i < n)?;
        }
        Some(self.data[flat])
    }
}

struct Machine<'a> {
    g: &'a Graph,
    values: Vec<Array>,
    seed: u64,
    step: u64,
}

impl Machine<'_> {
    fn index(&self, i: &Index, vars: &[i64]) -> i64 {
        let mut sum = i.constant;
        for (a, c) in &i.terms {
            sum += c * match a {
                Atom::Var(v) => vars[*v as usize],
                Atom::Div(i, n) => self.index(i, vars).div_euclid(*n),
                Atom::Mod(i, n) => self.index(i, vars).rem_euclid(*n),
                Atom::Load(t, at) => {
                    let at: Vec<i64> = at.iter().map(|i| self.index(i, vars)).collect();
                    self.values[t.0 as usize].at(&at).expect("a load stays inside") as i64
                }
            };
        }
        sum
    }

    fn holds(&self, g: &Guard, vars: &[i64]) -> bool {
        match g {
            Guard::InRange(i, n) => (0..*n as i64).contains(&self.index(i, vars)),
            Guard::Zero(i) => self.index(i, vars) == 0,
        }
    }

    /// Lazy, so that a read under a false condition never happens.
    fn op(&self, body: &[Op], v: Val, vars: &[i64]) -> f64 {
        let truth = |b: bool| f64::from(u8::from(b));
        match &body[v.0 as usize] {
            Op::Const(c) => *c,
            Op::Read(t, at) => {
                let at: Vec<i64> = at.iter().map(|i| self.index(i, vars)).collect();
                self.values[t.0 as usize].at(&at).unwrap_or_else(|| panic!("read of {t} outside at {at:?}"))
            }
            Op::Index(i) => self.index(i, vars) as f64,
            Op::Test(g) => truth(self.holds(g, vars)),
            Op::Unary(op, a) => {
                let a = self.op(body, *a, vars);
                match op {
                    UnaryOp::Neg => -a,
                    UnaryOp::Exp => a.exp(),
                    UnaryOp::Log => a.ln(),
                    UnaryOp::Sqrt => a.sqrt(),
                    UnaryOp::Rsqrt => 1.0 / a.sqrt(),
                    UnaryOp::Tanh => a.tanh(),
                    UnaryOp::Sigmoid => 1.0 / (1.0 + (-a).exp()),
                    UnaryOp::Erf => super::scalar::real(super::Func::Erf, a),
                    UnaryOp::Sin => a.sin(),
                    UnaryOp::Cos => a.cos(),
                    UnaryOp::Tan => a.tan(),
                    UnaryOp::Asin => a.asin(),
                    UnaryOp::Acos => a.acos(),
                    UnaryOp::Atan => a.atan(),
                    UnaryOp::Abs => a.abs(),
                    UnaryOp::Floor => a.floor(),
                    UnaryOp::Not => 1.0 - a,
                }
            }
            Op::Binary(op, a, b) => {
                let (a, b) = (self.op(body, *a, vars), self.op(body, *b, vars));
                match op {
                    BinaryOp::Add => a + b,
                    BinaryOp::Sub => a - b,
                    BinaryOp::Mul => a * b,
                    BinaryOp::Div => a / b,
                    BinaryOp::Pow => a.powf(b),
                    BinaryOp::Max => a.max(b),
                    BinaryOp::Min => a.min(b),
                    BinaryOp::And => truth(a != 0.0 && b != 0.0),
                    BinaryOp::Or => truth(a != 0.0 || b != 0.0),
                }
            }
            Op::Compare(op, a, b) => {
                let (a, b) = (self.op(body, *a, vars), self.op(body, *b, vars));
                truth(match op {
                    CompareOp::Lt => a < b,
                    CompareOp::Le => a <= b,
                    CompareOp::Eq => a == b,
                    CompareOp::Ne => a != b,
                })
            }
            Op::Select(c, a, b) => {
                let taken = if self.op(body, *c, vars) == 0.0 { b } else { a };
                self.op(body, *taken, vars)
            }
        }
    }

    fn equation(&self, e: &Equation, shape: &[usize]) -> Vec<f64> {
        let last = Val(e.body.len() as u32 - 1);
        let mut out = Vec::new();
        for point in points(shape) {
            let Some(r) = &e.reduce else {
                let inside = e.guards.iter().all(|g| self.holds(g, &point));
                out.push(if inside { self.op(&e.body, last, &point) } else { 0.0 });
                continue;
            };
            let (mut acc, mut n): (Option<f64>, f64) = (None, 0.0);
            for inner in points(&r.extents) {
                let vars: Vec<i64> = point.iter().chain(&inner).copied().collect();
                if !e.guards.iter().all(|g| self.holds(g, &vars)) {
                    continue;
                }
                let v = self.op(&e.body, last, &vars);
                n += 1.0;
                acc = Some(match (acc, r.op) {
                    (None, _) => v,
                    (Some(a), ReduceOp::Sum | ReduceOp::Mean) => a + v,
                    (Some(a), ReduceOp::Max) => a.max(v),
                    (Some(a), ReduceOp::Min) => a.min(v),
                    (Some(a), ReduceOp::Prod) => a * v,
                });
            }
            let v = acc.unwrap_or(0.0);
            out.push(if r.op == ReduceOp::Mean && n > 0.0 { v / n } else { v });
        }
        out
    }
}

fn points(extents: &[usize]) -> Vec<Vec<i64>> {
    extents.iter().fold(vec![Vec::new()], |all, &n| {
        all.iter().flat_map(|p| (0..n as i64).map(move |i| p.iter().copied().chain([i]).collect())).collect()
    })
}

/// A use of one primitive that keeps its weights and states between runs.
struct Unit {
    p: Primitive,
    scalars: BTreeMap<String, Scalar>,
    memory: BTreeMap<String, Array>,
    knobs: BTreeMap<String, f64>,
    training: bool,
    seed: u64,
    step: u64,
}

impl Unit {
    fn new(name: &str, scalars: &[(&str, Scalar)]) -> Self {
        Self::of(op(name), scalars)
    }

    fn of(p: Primitive, scalars: &[(&str, Scalar)]) -> Self {
        let scalars = scalars.iter().map(|(n, s)| ((*n).to_owned(), s.clone())).collect();
        Self { p, scalars, memory: BTreeMap::new(), knobs: BTreeMap::new(), training: true, seed: 7, step: 0 }
    }

    /// The graph for inputs of these shapes; the second of a pair says that the input holds integers.
    fn graph(&self, inputs: &[(&[usize], bool)]) -> Result<(Graph, Vec<NodeId>), Diagnostic> {
        let mut g = Graph::default();
        let ids: Vec<NodeId> = inputs
            .iter()
            .enumerate()
            .map(|(k, (shape, int))| {
                g.push(Node {
                    kind: Kind::Input(Input { name: format!("in{k}"), role: Role::Data }),
                    shape: shape.to_vec(),
                    dtype: if *int { DType::Int } else { DType::Float },
                    example: (!shape.is_empty()).then_some(0),
                    label: String::new(),
                })
            })
            .collect();
        let ctx = PrimCtx {
            site: "u",
            label: "u",
            training: self.training,
            shared: false,
            call: Span::default(),
            known: None,
        };
        let out = instantiate(&self.p, &ids, &self.scalars, &mut g, &ctx)?;
        Ok((g, out))
    }

    /// Runs with inputs; integer inputs come last.
    fn run(&mut self, floats: &[&Array], ints: &[&Array]) -> Array {
        let shapes: Vec<(&[usize], bool)> = floats
            .iter()
            .map(|a| (a.shape.as_slice(), false))
            .chain(ints.iter().map(|a| (a.shape.as_slice(), true)))
            .collect();
        let (g, out) = self.graph(&shapes).unwrap_or_else(|d| panic!("{d:#?}"));
        let inputs: Vec<&Array> = floats.iter().chain(ints).copied().collect();
        let mut m = Machine { g: &g, values: Vec::new(), seed: self.seed, step: self.step };
        let mut data = 0;
        for n in &m.g.nodes {
            let value = match &n.kind {
                Kind::Input(i) => match &i.role {
                    Role::Data => {
                        data += 1;
                        inputs[data - 1].clone()
                    }
                    Role::Knob(v) => Array::new(&[], vec![*self.knobs.get(&i.name[2..]).unwrap_or(v)]),
                    Role::Param(init) | Role::State(init) => {
                        let seed = i.name.bytes().fold(3_u64, |a, b| a.wrapping_mul(31).wrapping_add(u64::from(b)));
                        self.memory
                            .entry(i.name[2..].to_owned())
                            .or_insert_with(|| match init {
                                Init::Constant(c) => Array::new(&n.shape, vec![*c; n.len()]),
                                _ => Array::noise(&n.shape, seed),
                            })
                            .clone()
                    }
                },
                Kind::Equation(e) => Array::new(&n.shape, m.equation(e, &n.shape)),
                Kind::Random { stream } => Array::new(
                    &n.shape,
                    (0..n.len() as u64).map(|i| f64::from(draw(m.seed, *stream, m.step, i))).collect(),
                ),
                other => panic!("no primitive makes {other:?}"),
            };
            m.values.push(value);
        }
        for (i, v) in &g.updates {
            let Kind::Input(input) = &g.node(*i).kind else { panic!("an update of something else") };
            assert_eq!(g.node(*i).shape, g.node(*v).shape);
            self.memory.insert(input.name[2..].to_owned(), m.values[v.0 as usize].clone());
        }
        m.values[out[0].0 as usize].clone()
    }
}

fn int(i: i64) -> Scalar {
    Scalar::Int(i)
}

fn close(a: &Array, b: &Array) {
    assert_eq!(a.shape, b.shape);
    for (i, (x, y)) in a.data.iter().zip(&b.data).enumerate() {
        assert!((x - y).abs() < 1e-9 * (1.0 + x.abs()), "element {i}: {x} and {y}");
    }
}

fn build(shape: &[usize], f: impl Fn(&[i64]) -> f64) -> Array {
    Array::new(shape, points(shape).iter().map(|p| f(p)).collect())
}
