//! What an instruction does, as steps over symbolic addresses: made once for a set, placed in each program.

use std::sync::Arc;

use crate::graph::ir::{BinaryOp, Equation, Index, Op, ReduceOp, Val};
use crate::graph::{Graph, Kind, NodeId};

use super::set::{Knob, MOST};
use super::step::{Access, At, General, Line, Nest, NestKind, REGION, Region, Step, Wide};

/// The steps of one instruction.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In order; the last one writes the result.
    pub steps: Vec<Step>,
    /// Those that are not a step by themselves.
    pub wide: Vec<Wide>,
    /// What lies behind the knobs.
    pub consts: Vec<f64>,
    /// Cells of intermediate values, room for the result at [`Plan::spill`] included.
    pub scratch: u32,
    /// Where the result goes first if it must not be written to its place at once.
    pub spill: u32,
    /// By operand, and last `old`: whether the result may not be written to its place at once where that is the operand's.
    pub careful: [bool; MOST + 1],
    /// The cells of the result.
    pub cells: u32,
}

/// An instruction as the plan sees it.
pub struct Source<'a> {
    /// The equations.
    pub graph: &'a Graph,
    /// The operands.
    pub inputs: &'a [NodeId],
    /// What the result's place held before.
    pub old: Option<NodeId>,
    /// The constants.
    pub knobs: &'a [Knob],
    /// The result.
    pub result: NodeId,
}

fn symbol(region: u32, offset: usize) -> At {
    region << REGION | offset as u32
}

impl Plan {
    /// Lowers an instruction's equations.
    pub fn new(s: &Source<'_>) -> Self {
        let g = s.graph;
        let mut b = Builder { plan: Plan::default(), place: vec![None; g.nodes.len()], knobs: s.knobs.len(), g };
        for (k, node) in s.inputs.iter().enumerate() {
            b.place[node.0 as usize] = Some(symbol(k as u32, 0));
        }
        if let Some(old) = s.old {
            b.place[old.0 as usize] = Some(symbol(Region::Out as u32, 0));
        }
        for (k, knob) in s.knobs.iter().enumerate() {
            b.place[knob.node.0 as usize] = Some(symbol(Region::Constant as u32, k));
        }
        let mut needed = vec![false; g.nodes.len()];
        needed[s.result.0 as usize] = true;
        for id in g.ids().rev() {
            if needed[id.0 as usize] {
                g.node(id).reads(|r| needed[r.0 as usize] = true);
            }
        }
        let out = symbol(Region::Out as u32, 0);
        for id in g.ids().filter(|id| needed[id.0 as usize]) {
            let node = g.node(id);
            let len = node.len();
            match &node.kind {
                Kind::Random { stream } => {
                    let to = b.take(len);
                    b.place[id.0 as usize] = Some(to);
                    b.plan.steps.push(Step::Random { stream: *stream, to, n: len as u32 });
                }
                Kind::Reshape(x) => b.place[id.0 as usize] = b.place[x.0 as usize],
                Kind::Equation(e) => {
                    let to = if id == s.result { out } else { b.take(len) };
                    b.equation(e, &node.shape, to);
                    b.place[id.0 as usize] = Some(to);
                }
                // Nothing else is an instruction's: the set refuses it.
                Kind::Input(_) | Kind::Arg(_) | Kind::Scatter(_) | Kind::Concat { .. } => {}
            }
        }
        let cells = g.node(s.result).len();
        let from = b.place[s.result.0 as usize].unwrap_or(out);
        if from != out {
            b.plan.steps.push(Step::Un { op: None, x: Line { at: from, by: 1 }, to: out, n: cells as u32 });
        }
        b.plan.cells = cells as u32;
        b.plan.spill = b.plan.scratch;
        b.plan.scratch += cells as u32;
        let mut lens: Vec<usize> = s.inputs.iter().map(|i| g.node(*i).len()).collect();
        lens.resize(MOST, 0);
        lens.extend([cells, b.plan.scratch as usize, s.knobs.len() + b.plan.consts.len()]);
        b.finish(&lens);
        b.plan
    }
}

struct Builder<'a> {
    plan: Plan,
    place: Vec<Option<At>>,
    knobs: usize,
    g: &'a Graph,
}

impl Builder<'_> {
    fn take(&mut self, n: usize) -> At {
        let at = symbol(Region::Scratch as u32, self.plan.scratch as usize);
        self.plan.scratch += n as u32;
        at
    }

    fn constant(&mut self, x: f64) -> At {
        let known = self.plan.consts.iter().position(|c| c.to_bits() == x.to_bits());
        let k = known.unwrap_or_else(|| {
            self.plan.consts.push(x);
            self.plan.consts.len() - 1
        });
        symbol(Region::Constant as u32, self.knobs + k)
    }

    fn wide(&mut self, w: Wide) {
        self.plan.steps.push(Step::Wide(self.plan.wide.len() as u32));
        self.plan.wide.push(w);
    }

    fn equation(&mut self, e: &Equation, shape: &[usize], to: At) {
        match self.nest(e, shape, to) {
            Some(n) => match narrow(&n) {
                Some(s) => self.plan.steps.push(s),
                None => self.wide(Wide::Nest(n)),
            },
            None => {
                let at = self.place.iter().zip(&self.g.nodes);
                let at = at.map(|(p, n)| (p.unwrap_or(to), n.shape.clone())).collect();
                self.wide(Wide::General(General { e: Arc::new(e.clone()), shape: shape.to_vec(), at, to }));
            }
        }
    }

    fn nest(&mut self, e: &Equation, shape: &[usize], to: At) -> Option<Nest> {
        let reduced: &[usize] = e.reduce.as_ref().map_or(&[], |r| &r.extents);
        if !e.guards.is_empty() || shape.len() > 2 || reduced.len() > 2 {
            return None;
        }
        let mut n = [1; 4];
        let slot = |var: usize| {
            if var < shape.len() { 2 - shape.len() + var } else { 4 - reduced.len() + (var - shape.len()) }
        };
        for (var, extent) in shape.iter().chain(reduced).enumerate() {
            n[slot(var)] = *extent;
        }
        let last = Val(e.body.len() as u32 - 1);
        let (kind, leaves) = match (&e.reduce, &e.body[last.0 as usize]) {
            (Some(r), body) => {
                let mean = match r.op {
                    ReduceOp::Sum => false,
                    ReduceOp::Mean => true,
                    ReduceOp::Max | ReduceOp::Min | ReduceOp::Prod => return None,
                };
                match body {
                    Op::Binary(BinaryOp::Mul, x, y) => (NestKind::Dot { two: true, mean }, vec![*x, *y]),
                    _ => (NestKind::Dot { two: false, mean }, vec![last]),
                }
            }
            (None, Op::Unary(op, x)) => (NestKind::Un(Some(*op)), vec![*x]),
            (None, Op::Binary(op, x, y)) => (NestKind::Bin(*op), vec![*x, *y]),
            (None, Op::Select(c, x, y)) => match &e.body[c.0 as usize] {
                Op::Compare(op, p, q) => (NestKind::Pick(*op), vec![*p, *q, *x, *y]),
                _ => return None,
            },
            (None, _) => (NestKind::Un(None), vec![last]),
        };
        let mut a = Vec::new();
        for v in leaves {
            a.push(match &e.body[v.0 as usize] {
                Op::Const(c) => Access { base: self.constant(*c), by: [0; 4] },
                Op::Read(t, at) => {
                    let (mut offset, mut by) = (0, [0; 4]);
                    let extents = &self.g.node(*t).shape;
                    for (axis, index) in at.iter().enumerate() {
                        let stride: usize = extents[axis + 1..].iter().product();
                        offset += index.constant * stride as i64;
                        for (atom, c) in &index.terms {
                            let var = Index::atom(atom.clone()).as_var()?;
                            by[slot(var)] += (c * stride as i64) as i32;
                        }
                    }
                    let base = self.place[t.0 as usize]?;
                    Access { base: base + u32::try_from(offset).ok()?, by }
                }
                _ => return None,
            });
        }
        while a.len() < 4 {
            a.push(a[0]);
        }
        Some(flattened(Nest { kind, a: a.try_into().ok()?, to, n }))
    }

    /// Checks that every access is in its region, and finds what the result may be written over.
    fn finish(&mut self, lens: &[usize]) {
        let mut all: Vec<(At, i64, i64, bool)> = Vec::new();
        let steps = self.plan.steps.clone();
        for (k, s) in steps.iter().enumerate() {
            let last = k + 1 == steps.len();
            let mut see = |at: At, lo: i64, hi: i64, same: bool| all.push((at, lo, hi, same || !last));
            let line =
                |l: &Line, n: u32| (l.at, 0, i64::from(l.by * (n - 1)), (l.by == 1 || n == 1) && offset(l.at) == 0);
            match s {
                Step::Un { x, to, n, .. } => {
                    for (at, lo, hi, same) in [line(x, *n), line(&Line { at: *to, by: 1 }, *n)] {
                        see(at, lo, hi, same);
                    }
                }
                Step::Bin { x, y, to, n, .. } => {
                    for (at, lo, hi, same) in [line(x, *n), line(y, *n), line(&Line { at: *to, by: 1 }, *n)] {
                        see(at, lo, hi, same);
                    }
                }
                Step::Pick { a, to, n, .. } => {
                    for l in a.iter().chain([&Line { at: *to, by: 1 }]) {
                        let (at, lo, hi, same) = line(l, *n);
                        see(at, lo, hi, same);
                    }
                }
                Step::Dot { x, y, to, n } => {
                    see(*x, 0, i64::from(n - 1), false);
                    see(*y, 0, i64::from(n - 1), false);
                    see(*to, 0, 0, true);
                }
                Step::Rows { m, x, to, n } => {
                    see(*m, 0, i64::from(n * n - 1), false);
                    see(*x, 0, i64::from(n - 1), false);
                    see(*to, 0, i64::from(n - 1), true);
                }
                Step::Outer { x, y, to, n } | Step::AddOuter { x, y, to, n } => {
                    see(*x, 0, i64::from(n - 1), false);
                    see(*y, 0, i64::from(n - 1), false);
                    see(*to, 0, i64::from(n * n - 1), true);
                }
                Step::Random { to, n, .. } => see(*to, 0, i64::from(n - 1), true),
                Step::Wide(w) => match &self.plan.wide[*w as usize] {
                    Wide::Nest(n) => {
                        for a in &n.a {
                            let (lo, hi) = a.span(n.n);
                            see(a.base, lo, hi, false);
                        }
                        see(n.to, 0, (n.n[0] * n.n[1]) as i64 - 1, true);
                    }
                    // Its reads are checked when they happen; here only where they are matters.
                    Wide::General(g) => {
                        for (at, _) in &g.at {
                            see(*at, 0, 0, false);
                        }
                        see(g.to, 0, g.shape.iter().product::<usize>() as i64 - 1, true);
                    }
                },
            }
        }
        for (at, lo, hi, same) in all {
            let (region, from) = ((at >> REGION) as usize, i64::from(offset(at)));
            let len = lens.get(region).map_or(0, |n| *n as i64);
            assert!(
                from + lo >= 0 && from + hi < len,
                "a step reads or writes outside of an instruction's cells: region {region} of {len}, {from} + {lo}..={hi}"
            );
            if !same && region <= Region::Out as usize {
                self.plan.careful[region] = true;
            }
        }
    }
}

/// The part of a plan's address within its region.
pub fn offset(at: At) -> u32 {
    at & ((1 << REGION) - 1)
}

/// Two axes become one where all operands allow it.
fn flattened(mut s: Nest) -> Nest {
    let pair = if matches!(s.kind, NestKind::Dot { .. }) { (2, 3) } else { (0, 1) };
    let inner = s.n[pair.1];
    if s.a[..s.kind.operands()].iter().all(|x| x.by[pair.0] == x.by[pair.1] * inner as i32) {
        s.n[pair.1] *= s.n[pair.0];
        s.n[pair.0] = 1;
        s.a.iter_mut().for_each(|x| x.by[pair.0] = 0);
    }
    s
}

/// A nest as one of the loops that machines know.
fn narrow(s: &Nest) -> Option<Step> {
    let [a, b, r, k] = s.n;
    let [x, y, ..] = s.a;
    let line = |x: &Access| match x.by {
        [_, by @ (0 | 1), ..] => Some(Line { at: x.base, by: by as u32 }),
        _ if b == 1 => Some(Line { at: x.base, by: 0 }),
        _ => None,
    };
    let n = b as u32;
    Some(match s.kind {
        NestKind::Bin(BinaryOp::Mul) if a == b && a > 1 && x.by[..2] == [1, 0] && y.by[..2] == [0, 1] => {
            Step::Outer { x: x.base, y: y.base, to: s.to, n }
        }
        NestKind::Dot { two: true, mean: false } if a == 1 && b == 1 && r == 1 && x.by[3] == 1 && y.by[3] == 1 => {
            Step::Dot { x: x.base, y: y.base, to: s.to, n: k as u32 }
        }
        NestKind::Dot { two: true, mean: false }
            if a == 1 && r == 1 && b == k && x.by == [0, k as i32, 0, 1] && y.by == [0, 0, 0, 1] =>
        {
            Step::Rows { m: x.base, x: y.base, to: s.to, n }
        }
        NestKind::Un(op) if a == 1 => Step::Un { op, x: line(&x)?, to: s.to, n },
        NestKind::Bin(op) if a == 1 => Step::Bin { op, x: line(&x)?, y: line(&y)?, to: s.to, n },
        NestKind::Pick(op) if a == 1 => {
            let [p, q, x, y] = &s.a;
            Step::Pick { op, a: [line(p)?, line(q)?, line(x)?, line(y)?], to: s.to, n }
        }
        _ => return None,
    })
}
