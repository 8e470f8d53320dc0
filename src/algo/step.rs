//! What machines run: loops over cells. A cell holds the number of each of `L` tasks, and every step works on all of
//! them: programs are straight lines, so lanes never part.
//!
//! Equations whose reads are affine and whose bodies are simple, which are nearly all, are loops; the rest is
//! interpreted point by point. Both give the same bits, whatever the processor: sums go in order, and nothing is
//! contracted.

#![allow(
    clippy::inline_always,
    reason = "the steps must be compiled with the features of the function that they stand in"
)]

use std::sync::Arc;

use super::four::Four;
use crate::graph::NodeId;
use crate::graph::ir::{BinaryOp, CompareOp, Equation, Guard, Index, Op, ReduceOp, UnaryOp, Val, draw};

/// Most quarters of a cell: lanes come in fours.
pub const MOST: usize = 3;

/// A memory cell: one number for each task.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub struct Cell<const L: usize>(pub [f64; L]);

/// The number of a cell. In plans the top four bits say in which [`Region`].
pub type At = u32;

/// Where the region's number stands in a plan's [`At`].
pub const REGION: u32 = 28;

/// What a plan's addresses are relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Region {
    /// The place of the result, which is also that of `old`; the operands are before it.
    Out = 3,
    /// Intermediate values.
    Scratch = 4,
    /// Knobs and then the constants of the equations.
    Constant = 5,
}

/// Cells one after the other, or one cell again and again.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The first.
    pub at: At,
    /// 1 or 0.
    pub by: u32,
}

/// Where a nest reads: the first cell, and how far the next one is along two output axes and two reduced ones.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The first.
    pub base: At,
    /// How far.
    pub by: [i32; 4],
}

impl Access {
    fn at(&self, i: usize, j: usize) -> usize {
        (i64::from(self.base) + i64::from(self.by[0]) * i as i64 + i64::from(self.by[1]) * j as i64) as usize
    }

    /// The distances of the least and the greatest cell from the base.
    pub fn span(&self, n: [usize; 4]) -> (i64, i64) {
        let (mut lo, mut hi) = (0, 0);
        for (by, n) in self.by.iter().zip(n) {
            let far = i64::from(*by) * (n as i64 - 1);
            lo += far.min(0);
            hi += far.max(0);
        }
        (lo, hi)
    }
}

/// A loop.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// `to[i] = op(x[i])`; without an operation a copy.
    Un { op: Option<UnaryOp>, x: Line, to: At, n: u32 },
    /// `to[i] = op(x[i], y[i])`
    Bin { op: BinaryOp, x: Line, y: Line, to: At, n: u32 },
    /// `to[i] = if op(p[i], q[i]) { x[i] } else { y[i] }`
    Pick { op: CompareOp, a: [Line; 4], to: At, n: u32 },
    /// `to = sum[i] x[i] * y[i]`
    Dot { x: At, y: At, to: At, n: u32 },
    /// `to[i] = sum[j] m[i, j] * x[j]`
    Rows { m: At, x: At, to: At, n: u32 },
    /// `to[i, j] = x[i] * y[j]`
    Outer { x: At, y: At, to: At, n: u32 },
    /// `to[i, j] = to[i, j] + x[i] * y[j]`: what an outer product and a sum become where only the sum is read.
    AddOuter { x: At, y: At, to: At, n: u32 },
    /// Draws of a stream.
    Random { stream: u64, to: At, n: u32 },
    /// Any other, by its number.
    Wide(u32),
}

/// A loop over two output axes and two reduced ones.
#[derive(Clone, Copy, Debug)]
pub struct Nest {
    /// What it computes.
    pub kind: NestKind,
    /// Its operands; those beyond the kind's are the first again.
    pub a: [Access; 4],
    /// The first cell of the result, which is row-major.
    pub to: At,
    /// The extents.
    pub n: [usize; 4],
}

/// What a nest computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NestKind {
    /// `op(x)`
    Un(Option<UnaryOp>),
    /// `op(x, y)`
    Bin(BinaryOp),
    /// `if op(p, q) { x } else { y }`
    Pick(CompareOp),
    /// The sum (or mean) of `x`, or of `x * y`.
    Dot { two: bool, mean: bool },
}

impl NestKind {
    /// How many operands it has.
    pub fn operands(self) -> usize {
        match self {
            NestKind::Un(_) | NestKind::Dot { two: false, .. } => 1,
            NestKind::Bin(_) | NestKind::Dot { two: true, .. } => 2,
            NestKind::Pick(_) => 4,
        }
    }
}

/// What is not a [`Step`] by itself.
#[derive(Clone, Debug)]
pub enum Wide {
    /// A strided loop.
    Nest(Nest),
    /// Any equation.
    General(General),
}

/// An equation that is interpreted.
#[derive(Clone, Debug)]
pub struct General {
    /// The equation.
    pub e: Arc<Equation>,
    /// The result's shape.
    pub shape: Vec<usize>,
    /// By node of the instruction's graph: the first cell and the extents.
    pub at: Vec<(At, Vec<usize>)>,
    /// The first cell of the result.
    pub to: At,
}

/// Memory that steps work on, and what their draws depend on.
pub struct Lanes<'m, const L: usize> {
    /// The cells.
    pub mem: &'m mut [Cell<L>],
    /// By task.
    pub seeds: [u64; L],
    /// How many draws there were.
    pub drawn: u64,
}

impl<const L: usize> Lanes<'_, L> {
    #[inline(always)]
    fn get(&self, at: usize) -> [f64; L] {
        debug_assert!(at < self.mem.len());
        // SAFETY: plans are checked when they are made: each access stays in its region; and a machine has all cells of
        // all regions of the instructions that it was loaded with.
        unsafe { self.mem.get_unchecked(at).0 }
    }

    #[inline(always)]
    fn put(&mut self, at: usize, x: [f64; L]) {
        debug_assert!(at < self.mem.len());
        // SAFETY: as in `get`.
        unsafe { self.mem.get_unchecked_mut(at).0 = x }
    }

    /// Four lanes of a cell.
    #[inline(always)]
    pub fn four<S: Four>(&self, at: usize, quarter: usize) -> S {
        debug_assert!(at < self.mem.len() && 4 * quarter + 4 <= L);
        // SAFETY: as in `get`; and the four lanes are within the cell.
        unsafe { S::load(self.mem.as_ptr().add(at).cast::<f64>().add(4 * quarter)) }
    }

    /// Sets four lanes of a cell.
    #[inline(always)]
    pub fn set<S: Four>(&mut self, at: usize, quarter: usize, x: S) {
        debug_assert!(at < self.mem.len() && 4 * quarter + 4 <= L);
        // SAFETY: as in `get`; and the four lanes are within the cell.
        unsafe { x.store(self.mem.as_mut_ptr().add(at).cast::<f64>().add(4 * quarter)) }
    }

    #[inline(always)]
    fn un(&mut self, x: Line, to: At, n: u32, f: impl Fn(f64) -> f64) {
        for i in 0..n {
            let a = self.get((x.at + i * x.by) as usize);
            self.put((to + i) as usize, a.map(&f));
        }
    }

    #[inline(always)]
    fn bin(&mut self, x: Line, y: Line, to: At, n: u32, f: impl Fn(f64, f64) -> f64) {
        for i in 0..n {
            let (a, b) = (self.get((x.at + i * x.by) as usize), self.get((y.at + i * y.by) as usize));
            self.put((to + i) as usize, std::array::from_fn(|k| f(a[k], b[k])));
        }
    }

    #[inline(always)]
    fn four_bin<S: Four>(&mut self, x: Line, y: Line, to: At, n: u32, f: impl Fn(S, S) -> S) {
        for i in 0..n {
            let (x, y) = ((x.at + i * x.by) as usize, (y.at + i * y.by) as usize);
            for q in 0..L / 4 {
                let z = f(self.four(x, q), self.four(y, q));
                self.set((to + i) as usize, q, z);
            }
        }
    }

    #[inline(always)]
    fn copy<S: Four>(&mut self, x: Line, to: At, n: u32) {
        for i in 0..n {
            for q in 0..L / 4 {
                let a: S = self.four((x.at + i * x.by) as usize, q);
                self.set((to + i) as usize, q, a);
            }
        }
    }

    #[inline(always)]
    fn dot<S: Four>(&mut self, x: usize, y: usize, to: usize, n: usize) {
        let mut sums = [S::splat(0.0); MOST];
        for i in 0..n {
            for (q, sum) in sums.iter_mut().enumerate().take(L / 4) {
                let (a, b): (S, S) = (self.four(x + i, q), self.four(y + i, q));
                *sum = sum.add(a.mul(b));
            }
        }
        for (q, sum) in sums.into_iter().enumerate().take(L / 4) {
            self.set(to, q, sum);
        }
    }

    /// Four sums at a time, so that none waits for its last addition.
    #[inline(always)]
    fn rows<S: Four>(&mut self, m: usize, x: usize, to: usize, n: usize) {
        let mut i = 0;
        while i + 4 <= n {
            for q in 0..L / 4 {
                let mut sums = [S::splat(0.0); 4];
                for j in 0..n {
                    let b: S = self.four(x + j, q);
                    for (r, sum) in sums.iter_mut().enumerate() {
                        let a: S = self.four(m + (i + r) * n + j, q);
                        *sum = sum.add(a.mul(b));
                    }
                }
                for (r, sum) in sums.into_iter().enumerate() {
                    self.set(to + i + r, q, sum);
                }
            }
            i += 4;
        }
        for i in i..n {
            self.dot::<S>(m + i * n, x, to + i, n);
        }
    }

    /// An outer product, or one that is added to what is there.
    #[inline(always)]
    fn outer<S: Four>(&mut self, x: usize, y: usize, to: usize, n: usize, add: bool) {
        for q in 0..L / 4 {
            for i in 0..n {
                let a: S = self.four(x + i, q);
                for j in 0..n {
                    let product = a.mul(self.four(y + j, q));
                    let at = to + i * n + j;
                    let z = if add { self.four::<S>(at, q).add(product) } else { product };
                    self.set(at, q, z);
                }
            }
        }
    }

    /// Runs steps in order.
    #[inline(always)]
    pub fn run<S: Four>(&mut self, steps: &[Step], wide: &[Wide]) {
        for s in steps {
            self.step::<S>(s, wide);
        }
    }

    #[inline(always)]
    fn step<S: Four>(&mut self, s: &Step, wide: &[Wide]) {
        match *s {
            Step::Un { op: None, x, to, n } => self.copy::<S>(x, to, n),
            Step::Bin { op: BinaryOp::Add, x, y, to, n } => self.four_bin::<S>(x, y, to, n, S::add),
            Step::Bin { op: BinaryOp::Sub, x, y, to, n } => self.four_bin::<S>(x, y, to, n, S::sub),
            Step::Bin { op: BinaryOp::Mul, x, y, to, n } => self.four_bin::<S>(x, y, to, n, S::mul),
            Step::Bin { op: BinaryOp::Div, x, y, to, n } => self.four_bin::<S>(x, y, to, n, S::div),
            Step::Dot { x, y, to, n } => self.dot::<S>(x as usize, y as usize, to as usize, n as usize),
            Step::Rows { m, x, to, n } => self.rows::<S>(m as usize, x as usize, to as usize, n as usize),
            Step::Outer { x, y, to, n } => {
                self.outer::<S>(x as usize, y as usize, to as usize, n as usize, false);
            }
            Step::AddOuter { x, y, to, n } => {
                self.outer::<S>(x as usize, y as usize, to as usize, n as usize, true);
            }
            Step::Pick { op: CompareOp::Lt, a: [p, q, x, y], to, n } => {
                for i in 0..n {
                    let cell = |l: Line| (l.at + i * l.by) as usize;
                    for k in 0..L / 4 {
                        let (a, b): (S, S) = (self.four(cell(p), k), self.four(cell(q), k));
                        let z = a.less(b, self.four(cell(x), k), self.four(cell(y), k));
                        self.set((to + i) as usize, k, z);
                    }
                }
            }
            Step::Pick { op, a: [p, q, x, y], to, n } => {
                for i in 0..n {
                    let cell = |l: Line| (l.at + i * l.by) as usize;
                    let (a, b) = (self.get(cell(p)), self.get(cell(q)));
                    let (yes, no) = (self.get(cell(x)), self.get(cell(y)));
                    let picked = std::array::from_fn(|k| if op.apply(a[k], b[k]) { yes[k] } else { no[k] });
                    self.put((to + i) as usize, picked);
                }
            }
            Step::Un { op: Some(op), x, to, n } => self.unary(op, x, to, n),
            Step::Bin { op, x, y, to, n } => self.binary(op, x, y, to, n),
            Step::Random { stream, to, n } => self.random(stream, to, n),
            Step::Wide(w) => self.wide(&wide[w as usize]),
        }
    }

    #[inline(never)]
    fn random(&mut self, stream: u64, to: At, n: u32) {
        self.drawn += 1;
        for i in 0..n {
            let (seeds, drawn) = (self.seeds, self.drawn);
            self.put((to + i) as usize, seeds.map(|s| f64::from(draw(s, stream, drawn, u64::from(i)))));
        }
    }

    #[inline(never)]
    fn binary(&mut self, op: BinaryOp, x: Line, y: Line, to: At, n: u32) {
        self.bin(x, y, to, n, |a, b| op.apply(a, b));
    }

    #[inline(never)]
    fn unary(&mut self, op: UnaryOp, x: Line, to: At, n: u32) {
        match op {
            UnaryOp::Abs => self.un(x, to, n, f64::abs),
            UnaryOp::Neg => self.un(x, to, n, |a| -a),
            UnaryOp::Sqrt => self.un(x, to, n, f64::sqrt),
            op => self.un(x, to, n, |a| op.apply(a)),
        }
    }

    #[inline(never)]
    fn wide(&mut self, w: &Wide) {
        match w {
            Wide::Nest(n) => self.nest(n),
            Wide::General(g) => g.run(self.mem),
        }
    }

    fn nest(&mut self, s: &Nest) {
        let n = s.n;
        for i in 0..n[0] {
            for j in 0..n[1] {
                let x = self.get(s.a[0].at(i, j));
                let y = self.get(s.a[1].at(i, j));
                let value = match s.kind {
                    NestKind::Un(None) => x,
                    NestKind::Un(Some(op)) => x.map(|x| op.apply(x)),
                    NestKind::Bin(op) => std::array::from_fn(|k| op.apply(x[k], y[k])),
                    NestKind::Pick(op) => {
                        let (yes, no) = (self.get(s.a[2].at(i, j)), self.get(s.a[3].at(i, j)));
                        std::array::from_fn(|k| if op.apply(x[k], y[k]) { yes[k] } else { no[k] })
                    }
                    NestKind::Dot { two, mean } => self.sum(s, i, j, two, mean),
                };
                self.put(s.to as usize + i * n[1] + j, value);
            }
        }
    }

    fn sum(&mut self, s: &Nest, i: usize, j: usize, two: bool, mean: bool) -> [f64; L] {
        let [x, y, ..] = s.a;
        let (a, b) = (x.at(i, j) as i64, y.at(i, j) as i64);
        let mut sum = [0.0; L];
        for k in 0..s.n[2] as i64 {
            for l in 0..s.n[3] as i64 {
                let mut term = self.get((a + k * i64::from(x.by[2]) + l * i64::from(x.by[3])) as usize);
                if two {
                    let other = self.get((b + k * i64::from(y.by[2]) + l * i64::from(y.by[3])) as usize);
                    term = std::array::from_fn(|m| term[m] * other[m]);
                }
                sum = std::array::from_fn(|m| sum[m] + term[m]);
            }
        }
        let count = (s.n[2] * s.n[3]) as f64;
        if mean { sum.map(|s| s / count) } else { sum }
    }
}

impl General {
    fn run<const L: usize>(&self, mem: &mut [Cell<L>]) {
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
            mem[self.to as usize + point].0 = x;
        }
    }

    fn body<const L: usize>(&self, vars: &[i64], mem: &[Cell<L>], values: &mut [[f64; L]]) -> [f64; L] {
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
    fn read<const L: usize>(&self, t: NodeId, at: &[Index], vars: &[i64], mem: &[Cell<L>]) -> [f64; L] {
        let (base, shape) = &self.at[t.0 as usize];
        let mut cell = 0;
        for (i, extent) in at.iter().zip(shape) {
            let i = index(i, vars);
            if i < 0 || i >= *extent as i64 {
                return [0.0; L];
            }
            cell = cell * extent + i as usize;
        }
        mem[*base as usize + cell].0
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
