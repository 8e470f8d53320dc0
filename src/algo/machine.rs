//! Execution of programs, several tasks in lockstep.
//!
//! A cell of memory holds the number of each of `L` tasks, and every step works on all of them: programs are straight
//! lines, so lanes never part. Equations whose reads are affine and whose bodies are simple, which are nearly all, run
//! as loops over cells; the rest is interpreted point by point. Both give the same bits, whatever the processor:
//! sums go in order, and nothing is contracted.

#![allow(
    clippy::inline_always,
    reason = "the steps must be compiled with the features of the function that they stand in"
)]

use std::collections::BTreeMap;

use crate::graph::ir::{BinaryOp, CompareOp, Equation, Guard, Index, Op, ReduceOp, UnaryOp, Val, draw, mix};
use crate::graph::{Kind, NodeId};

use super::program::{GIVEN, Instr, PREDICTION, Program};
use super::set::{Instruction, Rank, Set};

/// Where a step reads: the first cell, and how far the next one is along two output axes and two reduced ones.
#[derive(Clone, Copy, Debug)]
struct Access {
    base: i64,
    by: [i64; 4],
}

impl Access {
    fn at(&self, i: usize, j: usize) -> usize {
        (self.base + self.by[0] * i as i64 + self.by[1] * j as i64) as usize
    }

    /// The greatest cell that it reads; the least is checked by the caller's sign.
    fn bounds(&self, extents: [usize; 4]) -> (i64, i64) {
        let (mut lo, mut hi) = (self.base, self.base);
        for (by, n) in self.by.iter().zip(extents) {
            let far = by * (n as i64 - 1);
            lo += far.min(0);
            hi += far.max(0);
        }
        (lo, hi)
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// `to[i, j] = op(x)`; without an operation a copy.
    Map1 { op: Option<UnaryOp>, x: Access, to: usize, n: [usize; 2] },
    /// `to[i, j] = op(x, y)`
    Map2 { op: BinaryOp, x: Access, y: Access, to: usize, n: [usize; 2] },
    /// `to[i, j] = if op(p, q) { x } else { y }`
    Pick { op: CompareOp, p: Access, q: Access, x: Access, y: Access, to: usize, n: [usize; 2] },
    /// `to[i, j] = sum[k, l] x * y`, divided by the number of terms for a mean.
    Dot { x: Access, y: Option<Access>, to: usize, n: [usize; 4], mean: bool },
    /// Draws of a stream.
    Random { stream: u64, to: usize, n: usize },
    /// Any equation.
    General(Box<General>),
}

#[derive(Clone, Debug)]
struct General {
    e: Equation,
    shape: Vec<usize>,
    /// By node: the first cell and the extents.
    at: Vec<(usize, Vec<usize>)>,
    to: usize,
}

/// A program made ready for `L` tasks.
#[derive(Clone, Debug)]
pub struct Machine<const L: usize> {
    mem: Vec<[f64; L]>,
    code: [Vec<Step>; 3],
    /// Cells that are program memory; constants and intermediate values lie behind.
    state: usize,
    features: usize,
    counts: [u16; 3],
    seeds: [u64; L],
    drawn: u64,
    constants: BTreeMap<u64, usize>,
    fast: bool,
}

impl<const L: usize> Machine<L> {
    /// Lays out memory and prepares the instructions that matter for predictions.
    pub fn new(set: &Set, program: &Program) -> Self {
        Self::all(set, &program.without_dead(set))
    }

    /// The same with every instruction.
    pub fn all(set: &Set, program: &Program) -> Self {
        let f = set.features;
        let counts = program.counts(set);
        let state = usize::from(counts[0]) + usize::from(counts[1]) * f + usize::from(counts[2]) * f * f;
        let mut m = Self {
            mem: vec![[0.0; L]; state],
            code: Default::default(),
            state,
            features: f,
            counts,
            seeds: [0; L],
            drawn: 0,
            constants: BTreeMap::new(),
            fast: fast(),
        };
        let mut streams: BTreeMap<(usize, Rank, u16), u64> = BTreeMap::new();
        let mut scratch = Vec::new();
        for (part, body) in program.parts.iter().enumerate() {
            for i in body {
                let op = &set.instructions[i.op];
                let nth = streams.entry((part, op.output, i.out)).or_insert(0);
                *nth += 1;
                let stream = mix(*nth ^ mix((part as u64) << 32 | (op.output as u64) << 16 | u64::from(i.out)));
                m.instruction(part, op, i, stream, &mut scratch);
            }
        }
        // Scratch cells were numbered from 0; they lie behind the constants.
        let behind = m.mem.len();
        m.mem.resize(behind + scratch.len(), [0.0; L]);
        for s in m.code.iter_mut().flatten() {
            s.relocate(SCRATCH, behind);
            s.check(m.mem.len());
        }
        m
    }

    /// The result of an instruction of scalars.
    pub fn once(set: &Set, i: &Instr, args: &[f64]) -> f64 {
        let mut m = Self::all(set, &Program { parts: [Vec::new(), vec![*i], Vec::new()] });
        for (at, x) in i.inputs.iter().zip(args) {
            let cell = m.address(Rank::Scalar, *at);
            m.mem[cell] = [*x; L];
        }
        m.run(1);
        m.mem[m.address(Rank::Scalar, i.out)][0]
    }

    fn address(&self, rank: Rank, at: u16) -> usize {
        let (f, at) = (self.features, usize::from(at));
        let scalars = usize::from(self.counts[0]);
        match rank {
            Rank::Scalar => at,
            Rank::Vector => scalars + at * f,
            Rank::Matrix => scalars + usize::from(self.counts[1]) * f + at * f * f,
        }
    }

    fn constant(&mut self, x: f64) -> usize {
        let at = self.mem.len();
        let known = *self.constants.entry(x.to_bits()).or_insert(at);
        if known == at {
            self.mem.push([x; L]);
        }
        known
    }

    fn instruction(&mut self, part: usize, op: &Instruction, i: &Instr, stream: u64, scratch: &mut Vec<()>) {
        let g = &op.graph;
        let out = self.address(op.output, i.out);
        let mut place: Vec<Option<usize>> = vec![None; g.nodes.len()];
        for ((node, rank), at) in op.inputs.iter().zip(&op.operands).zip(i.inputs) {
            place[node.0 as usize] = Some(self.address(*rank, at));
        }
        if let Some(old) = op.old {
            place[old.0 as usize] = Some(out);
        }
        for (k, x) in op.knobs.iter().zip(i.knobs) {
            place[k.node.0 as usize] = Some(self.constant(x));
        }
        let mut needed = vec![false; g.nodes.len()];
        needed[op.result.0 as usize] = true;
        for id in g.ids().rev() {
            if needed[id.0 as usize] {
                g.node(id).reads(|r| needed[r.0 as usize] = true);
            }
        }
        let mut used = 0;
        let mut take = |n: usize| {
            let at = SCRATCH + used;
            used += n;
            if scratch.len() < used {
                scratch.resize(used, ());
            }
            at
        };
        for id in g.ids().filter(|id| needed[id.0 as usize]) {
            let node = g.node(id);
            match &node.kind {
                Kind::Random { stream: own } => {
                    let to = take(node.len());
                    place[id.0 as usize] = Some(to);
                    self.code[part].push(Step::Random { stream: mix(stream ^ own), to, n: node.len() });
                }
                Kind::Reshape(x) => place[id.0 as usize] = place[x.0 as usize],
                Kind::Equation(e) => {
                    let mut step = self.equation(e, &node.shape, &place, g);
                    // The result may go to its place at once unless the equation still reads there.
                    let direct = id == op.result && step.may_write(out, node.len());
                    let to = if direct { out } else { take(node.len()) };
                    step.target(to);
                    place[id.0 as usize] = Some(to);
                    self.code[part].push(step);
                }
                // Nothing else is an instruction's: the set refuses it.
                Kind::Input(_) | Kind::Arg(_) | Kind::Scatter(_) | Kind::Concat { .. } => {}
            }
        }
        let from = place[op.result.0 as usize].unwrap_or(out);
        if from != out {
            let n = g.node(op.result).len();
            let x = Access { base: from as i64, by: [0, 1, 0, 0] };
            self.code[part].push(Step::Map1 { op: None, x, to: out, n: [1, n] });
        }
    }

    fn equation(&mut self, e: &Equation, shape: &[usize], place: &[Option<usize>], g: &crate::graph::Graph) -> Step {
        if let Some(s) = self.simple(e, shape, place, g) {
            return s;
        }
        let at = place.iter().zip(&g.nodes).map(|(p, n)| (p.unwrap_or(0), n.shape.clone())).collect();
        Step::General(Box::new(General { e: e.clone(), shape: shape.to_vec(), at, to: 0 }))
    }

    fn simple(
        &mut self,
        e: &Equation,
        shape: &[usize],
        place: &[Option<usize>],
        g: &crate::graph::Graph,
    ) -> Option<Step> {
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
        let mut leaf = |v: Val| -> Option<Access> {
            match &e.body[v.0 as usize] {
                Op::Const(c) => Some(Access { base: self.constant(*c) as i64, by: [0; 4] }),
                Op::Read(t, at) => {
                    let (mut base, mut by) = (place[t.0 as usize]? as i64, [0; 4]);
                    let extents = &g.node(*t).shape;
                    for (axis, index) in at.iter().enumerate() {
                        let stride: usize = extents[axis + 1..].iter().product();
                        base += index.constant * stride as i64;
                        for (atom, c) in &index.terms {
                            let var = Index::atom(atom.clone()).as_var()?;
                            by[slot(var)] += c * stride as i64;
                        }
                    }
                    Some(Access { base, by })
                }
                _ => None,
            }
        };
        let last = Val(e.body.len() as u32 - 1);
        if let Some(r) = &e.reduce {
            let mean = match r.op {
                ReduceOp::Sum => false,
                ReduceOp::Mean => true,
                ReduceOp::Max | ReduceOp::Min | ReduceOp::Prod => return None,
            };
            let (x, y) = match &e.body[last.0 as usize] {
                Op::Binary(BinaryOp::Mul, x, y) => (leaf(*x)?, Some(leaf(*y)?)),
                _ => (leaf(last)?, None),
            };
            return Some(Step::Dot { x, y, to: 0, n, mean });
        }
        let n = [n[0], n[1]];
        let step = match &e.body[last.0 as usize] {
            Op::Unary(op, x) => Step::Map1 { op: Some(*op), x: leaf(*x)?, to: 0, n },
            Op::Binary(op, x, y) => Step::Map2 { op: *op, x: leaf(*x)?, y: leaf(*y)?, to: 0, n },
            Op::Select(c, x, y) => match &e.body[c.0 as usize] {
                Op::Compare(op, p, q) => {
                    Step::Pick { op: *op, p: leaf(*p)?, q: leaf(*q)?, x: leaf(*x)?, y: leaf(*y)?, to: 0, n }
                }
                _ => return None,
            },
            _ => Step::Map1 { op: None, x: leaf(last)?, to: 0, n },
        };
        Some(step.flattened())
    }

    /// Clears memory, sets the seeds of each task's draws, and runs `setup`.
    pub fn start(&mut self, seeds: [u64; L]) {
        self.mem[..self.state].fill([0.0; L]);
        self.seeds = seeds;
        self.drawn = 0;
        self.run(0);
    }

    /// The predictions for one example of each task: `x` has a cell for each feature.
    pub fn predict(&mut self, x: &[[f64; L]]) -> [f64; L] {
        let v0 = self.address(Rank::Vector, GIVEN);
        self.mem[v0..v0 + x.len()].copy_from_slice(x);
        self.mem[usize::from(GIVEN)] = [0.0; L];
        self.run(1);
        self.mem[usize::from(PREDICTION)]
    }

    /// Replaces the prediction, as a classifier's squashing does.
    pub fn set_prediction(&mut self, p: [f64; L]) {
        self.mem[usize::from(PREDICTION)] = p;
    }

    /// Learns from the labels of the examples that were predicted last.
    pub fn learn(&mut self, y: [f64; L]) {
        self.mem[usize::from(GIVEN)] = y;
        self.run(2);
    }

    /// A part of memory: `count` addresses of a type, cell by cell.
    pub fn memory(&mut self, rank: Rank) -> &mut [[f64; L]] {
        let from = self.address(rank, 0);
        let to = self.address(rank, self.counts[rank as usize]);
        &mut self.mem[from..to]
    }

    /// Runs a part once.
    pub fn run(&mut self, part: usize) {
        let code = std::mem::take(&mut self.code[part]);
        #[cfg(target_arch = "x86_64")]
        if self.fast {
            // SAFETY: `fast` is set where the processor has AVX2.
            unsafe { self.steps_avx2(&code) };
            self.code[part] = code;
            return;
        }
        self.steps(&code);
        self.code[part] = code;
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn steps_avx2(&mut self, code: &[Step]) {
        self.steps(code);
    }

    #[inline(always)]
    fn steps(&mut self, code: &[Step]) {
        for s in code {
            self.step(s);
        }
    }

    #[inline(always)]
    fn get(&self, at: usize) -> [f64; L] {
        // SAFETY: `Step::check` has found every cell that a step reads or writes to be inside of `mem`, which does not
        // change its length after that.
        unsafe { *self.mem.get_unchecked(at) }
    }

    #[inline(always)]
    fn put(&mut self, at: usize, x: [f64; L]) {
        // SAFETY: as in `get`.
        unsafe { *self.mem.get_unchecked_mut(at) = x }
    }

    #[inline(always)]
    fn map1(&mut self, x: Access, to: usize, n: [usize; 2], f: impl Fn(f64) -> f64) {
        for i in 0..n[0] {
            for j in 0..n[1] {
                let a = self.get(x.at(i, j));
                self.put(to + i * n[1] + j, std::array::from_fn(|k| f(a[k])));
            }
        }
    }

    #[inline(always)]
    fn map2(&mut self, x: Access, y: Access, to: usize, n: [usize; 2], f: impl Fn(f64, f64) -> f64) {
        for i in 0..n[0] {
            for j in 0..n[1] {
                let (a, b) = (self.get(x.at(i, j)), self.get(y.at(i, j)));
                self.put(to + i * n[1] + j, std::array::from_fn(|k| f(a[k], b[k])));
            }
        }
    }

    #[inline(always)]
    fn dot(&mut self, x: Access, y: Option<Access>, to: usize, n: [usize; 4], mean: bool) {
        for i in 0..n[0] {
            for j in 0..n[1] {
                let mut sum = [0.0; L];
                let (a, b) = (x.at(i, j) as i64, y.map(|y| (y, y.at(i, j) as i64)));
                for k in 0..n[2] as i64 {
                    for l in 0..n[3] as i64 {
                        let mut term = self.get((a + k * x.by[2] + l * x.by[3]) as usize);
                        if let Some((y, b)) = b {
                            let other = self.get((b + k * y.by[2] + l * y.by[3]) as usize);
                            term = std::array::from_fn(|m| term[m] * other[m]);
                        }
                        sum = std::array::from_fn(|m| sum[m] + term[m]);
                    }
                }
                if mean {
                    let count = (n[2] * n[3]) as f64;
                    sum = sum.map(|s| s / count);
                }
                self.put(to + i * n[1] + j, sum);
            }
        }
    }

    #[inline(always)]
    fn step(&mut self, s: &Step) {
        match *s {
            Step::Map1 { op: None, x, to, n } => self.map1(x, to, n, |a| a),
            Step::Map1 { op: Some(UnaryOp::Neg), x, to, n } => self.map1(x, to, n, |a| -a),
            Step::Map1 { op: Some(UnaryOp::Abs), x, to, n } => self.map1(x, to, n, f64::abs),
            Step::Map1 { op: Some(UnaryOp::Sqrt), x, to, n } => self.map1(x, to, n, f64::sqrt),
            Step::Map1 { op: Some(op), x, to, n } => self.map1(x, to, n, |a| op.apply(a)),
            Step::Map2 { op, x, y, to, n } => match op {
                BinaryOp::Add => self.map2(x, y, to, n, |a, b| a + b),
                BinaryOp::Sub => self.map2(x, y, to, n, |a, b| a - b),
                BinaryOp::Mul => self.map2(x, y, to, n, |a, b| a * b),
                BinaryOp::Div => self.map2(x, y, to, n, |a, b| a / b),
                op => self.map2(x, y, to, n, |a, b| op.apply(a, b)),
            },
            Step::Pick { op, p, q, x, y, to, n } => {
                for i in 0..n[0] {
                    for j in 0..n[1] {
                        let (a, b) = (self.get(p.at(i, j)), self.get(q.at(i, j)));
                        let (yes, no) = (self.get(x.at(i, j)), self.get(y.at(i, j)));
                        let picked = std::array::from_fn(|k| if op.apply(a[k], b[k]) { yes[k] } else { no[k] });
                        self.put(to + i * n[1] + j, picked);
                    }
                }
            }
            Step::Dot { x, y: Some(y), to, n, mean } => self.dot(x, Some(y), to, n, mean),
            Step::Dot { x, y: None, to, n, mean } => self.dot(x, None, to, n, mean),
            Step::Random { stream, to, n } => {
                self.drawn += 1;
                for i in 0..n {
                    let seeds = self.seeds;
                    let drawn = self.drawn;
                    self.put(to + i, seeds.map(|s| f64::from(draw(s, stream, drawn, i as u64))));
                }
            }
            Step::General(ref g) => g.run(&mut self.mem),
        }
    }
}

/// Addresses from here on are scratch until memory is laid out.
const SCRATCH: usize = 1 << 40;

fn fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

impl Step {
    fn accesses(&mut self) -> Vec<&mut Access> {
        match self {
            Step::Map1 { x, .. } | Step::Dot { x, y: None, .. } => vec![x],
            Step::Map2 { x, y, .. } | Step::Dot { x, y: Some(y), .. } => vec![x, y],
            Step::Pick { p, q, x, y, .. } => vec![p, q, x, y],
            Step::Random { .. } | Step::General(_) => Vec::new(),
        }
    }

    fn extents(&self) -> [usize; 4] {
        match self {
            Step::Map1 { n, .. } | Step::Map2 { n, .. } | Step::Pick { n, .. } => [n[0], n[1], 1, 1],
            Step::Dot { n, .. } => *n,
            Step::Random { n, .. } => [1, *n, 1, 1],
            Step::General(g) => [1, g.shape.iter().product(), 1, 1],
        }
    }

    fn to(&mut self) -> &mut usize {
        match self {
            Step::Map1 { to, .. }
            | Step::Map2 { to, .. }
            | Step::Pick { to, .. }
            | Step::Dot { to, .. }
            | Step::Random { to, .. } => to,
            Step::General(g) => &mut g.to,
        }
    }

    fn target(&mut self, at: usize) {
        *self.to() = at;
    }

    /// Two axes become one where all operands allow it.
    fn flattened(mut self) -> Self {
        let [a, b, ..] = self.extents();
        if self.accesses().iter().all(|x| x.by[0] == x.by[1] * b as i64)
            && let Step::Map1 { n, .. } | Step::Map2 { n, .. } | Step::Pick { n, .. } = &mut self
        {
            *n = [1, a * b];
        }
        self
    }

    /// Whether the result may be written to these cells while the step reads: it reads none of them, or each only for the
    /// element that it is then replaced by.
    fn may_write(&mut self, to: usize, len: usize) -> bool {
        let n = self.extents();
        if let Step::General(g) = self {
            return g.at.iter().all(|(at, shape)| at + shape.iter().product::<usize>() <= to || *at >= to + len);
        }
        let reduced = n[2] * n[3] > 1;
        self.accesses().iter().all(|x| {
            let (lo, hi) = x.bounds(n);
            let apart = hi < to as i64 || lo >= (to + len) as i64;
            let by_rows = n[0] == 1 || x.by[0] == n[1] as i64;
            let same = !reduced && x.base == to as i64 && by_rows && (n[1] == 1 || x.by[1] == 1);
            apart || same
        })
    }

    fn relocate(&mut self, from: usize, to: usize) {
        let moved = |at: usize| if at >= from { at - from + to } else { at };
        for a in self.accesses() {
            a.base = moved(a.base as usize) as i64;
        }
        *self.to() = moved(*self.to());
        if let Step::General(g) = self {
            g.at.iter_mut().for_each(|(at, _)| *at = moved(*at));
        }
    }

    /// Every cell that it touches is one of `cells`.
    fn check(&mut self, cells: usize) {
        let n = self.extents();
        let len: usize = n[0] * n[1];
        assert!(*self.to() + len <= cells, "a step writes outside of memory");
        for a in self.accesses() {
            let (lo, hi) = a.bounds(n);
            assert!(lo >= 0 && hi < cells as i64, "a step reads outside of memory");
        }
    }
}

impl General {
    #[inline(never)]
    fn run<const L: usize>(&self, mem: &mut [[f64; L]]) {
        let reduced: &[usize] = self.e.reduce.as_ref().map_or(&[], |r| &r.extents);
        let count: usize = self.shape.iter().product();
        let terms: usize = reduced.iter().product();
        let mut vars = vec![0_i64; self.shape.len() + reduced.len()];
        let mut values = vec![[0.0; L]; self.e.body.len()];
        for point in 0..count {
            unravel(point, &self.shape, &mut vars[..self.shape.len()]);
            let mut acc: Option<[f64; L]> = None;
            let mut left = 0.0;
            for term in 0..terms {
                unravel(term, reduced, &mut vars[self.shape.len()..]);
                if !self.e.guards.iter().all(|g| passes(g, &vars)) {
                    continue;
                }
                left += 1.0;
                let x = self.body(&vars, mem, &mut values);
                acc = Some(match (acc, self.e.reduce.as_ref().map(|r| r.op)) {
                    (None, _) | (_, None) => x,
                    (Some(a), Some(op)) => std::array::from_fn(|k| match op {
                        ReduceOp::Sum | ReduceOp::Mean => a[k] + x[k],
                        ReduceOp::Prod => a[k] * x[k],
                        ReduceOp::Max => BinaryOp::Max.apply(a[k], x[k]),
                        ReduceOp::Min => BinaryOp::Min.apply(a[k], x[k]),
                    }),
                });
            }
            let mut x = acc.unwrap_or([0.0; L]);
            if self.e.reduce.as_ref().is_some_and(|r| r.op == ReduceOp::Mean) && left > 0.0 {
                x = x.map(|x| x / left);
            }
            mem[self.to + point] = x;
        }
    }

    fn body<const L: usize>(&self, vars: &[i64], mem: &[[f64; L]], values: &mut [[f64; L]]) -> [f64; L] {
        for (k, op) in self.e.body.iter().enumerate() {
            let of = |v: &Val| values[v.0 as usize];
            values[k] = match op {
                Op::Const(c) => [*c; L],
                Op::Read(t, at) => self.read(*t, at, vars, mem),
                Op::Index(i) => [index(i, vars) as f64; L],
                Op::Test(g) => [f64::from(u8::from(passes(g, vars))); L],
                Op::Unary(op, x) => of(x).map(|x| op.apply(x)),
                Op::Binary(op, x, y) => {
                    let (x, y) = (of(x), of(y));
                    std::array::from_fn(|k| op.apply(x[k], y[k]))
                }
                Op::Compare(op, x, y) => {
                    let (x, y) = (of(x), of(y));
                    std::array::from_fn(|k| f64::from(u8::from(op.apply(x[k], y[k]))))
                }
                Op::Select(c, x, y) => {
                    let (c, x, y) = (of(c), of(x), of(y));
                    std::array::from_fn(|k| if c[k] == 0.0 { y[k] } else { x[k] })
                }
            };
        }
        values.last().copied().unwrap_or([0.0; L])
    }

    /// An element; 0 outside, where a guard or a selection discards it.
    fn read<const L: usize>(&self, t: NodeId, at: &[Index], vars: &[i64], mem: &[[f64; L]]) -> [f64; L] {
        let (base, shape) = &self.at[t.0 as usize];
        let mut cell = 0;
        for (i, extent) in at.iter().zip(shape) {
            let i = index(i, vars);
            if i < 0 || i >= *extent as i64 {
                return [0.0; L];
            }
            cell = cell * extent + i as usize;
        }
        mem[base + cell]
    }
}

/// The coordinates of a row-major position.
fn unravel(mut at: usize, shape: &[usize], out: &mut [i64]) {
    for (x, n) in out.iter_mut().zip(shape).rev() {
        *x = (at % n) as i64;
        at /= n;
    }
}

fn passes(g: &Guard, vars: &[i64]) -> bool {
    match g {
        Guard::InRange(i, n) => (0..*n as i64).contains(&index(i, vars)),
        Guard::Zero(i) => index(i, vars) == 0,
    }
}

fn index(i: &Index, vars: &[i64]) -> i64 {
    use crate::graph::ir::Atom;
    let mut out = i.constant;
    for (atom, c) in &i.terms {
        out += c * match atom {
            Atom::Var(v) => vars[*v as usize],
            Atom::Div(i, n) => index(i, vars).div_euclid(*n),
            Atom::Mod(i, n) => index(i, vars).rem_euclid(*n),
            // The set refuses instructions that index by values.
            Atom::Load(..) => 0,
        };
    }
    out
}
