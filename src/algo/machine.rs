//! Execution of programs, several tasks in lockstep. A machine is loaded with one program after the other, and allocates
//! nothing once it has had the largest.

use std::ops::Range;

use crate::graph::ir::{BinaryOp, mix};

#[cfg(target_arch = "x86_64")]
use super::four::Avx;
use super::four::{Four, Plain};
use super::live::Live;
use super::plan::{Plan, offset};
use super::program::{GIVEN, Instr, PREDICTION, Program};
use super::set::{self, Rank, Set};
use super::step::{At, Cell, Lanes, Line, MOST, REGION, Region, Step, Wide};
use super::task::Loss;

/// A program made ready for `L` tasks.
#[derive(Clone, Debug)]
pub struct Machine<const L: usize> {
    mem: Vec<Cell<L>>,
    code: [Vec<Step>; 3],
    wide: Vec<Wide>,
    /// Cells that are program memory; intermediate values and then constants lie behind.
    state: usize,
    cells: usize,
    features: usize,
    counts: [u16; 3],
    seeds: [u64; L],
    drawn: u64,
    /// How often a part has drawn into a place, in the order in which that first happened.
    streams: Vec<(u64, u64)>,
    fast: bool,
}

/// Examples of `L` tasks side by side: the features, as many cells each as there are, and the labels.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a, const L: usize> {
    /// Features.
    pub x: &'a [[f64; L]],
    /// Labels.
    pub y: &'a [[f64; L]],
}

/// How the tasks' lanes stand.
#[derive(Clone, Copy, Debug)]
pub struct Alive {
    /// A bit for each lane that counts and where no error was too large.
    pub mask: u32,
    /// How many examples were learned from, over all lanes that count.
    pub steps: u64,
}

/// What a pass over examples does.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// A greater error ends a task.
    pub worst: f64,
    /// Predictions are squashed by a sigmoid.
    pub squash: bool,
}

impl<const L: usize> Default for Machine<L> {
    fn default() -> Self {
        Self {
            mem: Vec::new(),
            code: Default::default(),
            wide: Vec::new(),
            state: 0,
            cells: 0,
            features: 0,
            counts: [2, 1, 0],
            seeds: [0; L],
            drawn: 0,
            streams: Vec::new(),
            fast: fast(),
        }
    }
}

impl<const L: usize> Machine<L> {
    /// A machine with the instructions that matter for predictions.
    #[cfg(test)]
    pub fn new(set: &Set, program: &Program) -> Self {
        let mut live = Live::default();
        live.find(set, program);
        let mut m = Self::default();
        m.load(set, program, &live);
        m
    }

    /// A machine with every instruction.
    pub fn all(set: &Set, program: &Program) -> Self {
        let mut live = Live::default();
        for (k, part) in program.parts.iter().enumerate() {
            live.keep[k] = vec![true; part.len()];
            live.brief[k] = vec![false; part.len()];
        }
        let mut m = Self::default();
        m.load(set, program, &live);
        m
    }

    /// Lays out memory for another program and prepares its instructions.
    pub fn load(&mut self, set: &Set, program: &Program, live: &Live) {
        let f = set.features;
        self.features = f;
        self.counts = [2, 1, 0];
        let mut scratch = 0;
        for part in 0..3 {
            for i in live.of(program, part) {
                let op = &set.instructions[i.op];
                for (rank, at) in op.operands.iter().zip(i.inputs).chain([(&op.output, i.out)]) {
                    self.counts[*rank as usize] = self.counts[*rank as usize].max(at + 1);
                }
                scratch = scratch.max(op.plan.scratch);
            }
        }
        let counts = self.counts.map(usize::from);
        self.state = counts[0] + counts[1] * f + counts[2] * f * f;
        self.cells = self.state + scratch as usize;
        self.wide.clear();
        self.streams.clear();
        for part in 0..3 {
            self.code[part].clear();
            let mut brief = false;
            for (k, i) in program.parts[part].iter().enumerate() {
                if live.keep[part][k] {
                    self.place(set, part, i);
                    if brief {
                        self.join(part);
                    }
                    brief = live.brief[part][k];
                }
            }
        }
    }

    fn place(&mut self, all: &Set, part: usize, i: &Instr) {
        let op = &all.instructions[i.op];
        let plan = &op.plan;
        let out = self.address(op.output, i.out) as At;
        let constants = self.cells;
        let count = op.knobs.len() + plan.consts.len();
        self.cells += count;
        if self.mem.len() < self.cells {
            self.mem.resize(self.cells, Cell([0.0; L]));
        }
        for (k, x) in i.knobs[..op.knobs.len()].iter().chain(&plan.consts).enumerate() {
            self.mem[constants + k] = Cell([*x; L]);
        }
        let mut bases = [0; 6];
        let mut spill = op.old.is_some() && plan.careful[set::MOST];
        for (k, (rank, at)) in op.operands.iter().zip(i.inputs).enumerate() {
            bases[k] = self.address(*rank, at) as At;
            spill |= plan.careful[k] && *rank == op.output && at == i.out;
        }
        bases[Region::Out as usize] = out;
        bases[Region::Scratch as usize] = self.state as At;
        bases[Region::Constant as usize] = constants as At;
        let mut stream = 0;
        if op.random {
            let key = (part as u64) << 32 | (op.output as u64) << 16 | u64::from(i.out);
            let at = self.streams.iter().position(|s| s.0 == key).unwrap_or_else(|| {
                self.streams.push((key, 0));
                self.streams.len() - 1
            });
            self.streams[at].1 += 1;
            stream = mix(self.streams[at].1 ^ mix(key));
        }
        let to = if spill { bases[Region::Scratch as usize] + plan.spill } else { out };
        let last = plan.steps.len() - 1;
        for (k, s) in plan.steps.iter().enumerate() {
            let moved = Moved { bases, stream, to: (k == last).then_some(to) };
            let s = moved.step(s, plan, &mut self.wide);
            self.code[part].push(s);
        }
        if spill {
            let x = Line { at: to, by: 1 };
            self.code[part].push(Step::Un { op: None, x, to: out, n: plan.cells });
        }
    }

    /// An outer product that only the sum after it reads is added at once.
    fn join(&mut self, part: usize) {
        let [.., Step::Outer { x, y, to: product, n }, Step::Bin { op: BinaryOp::Add, x: a, y: b, to, n: all }] =
            self.code[part][..]
        else {
            return;
        };
        let sum = (a.at == to && b.at == product) || (b.at == to && a.at == product);
        if sum && all == n * n && a.by == 1 && b.by == 1 && product != to {
            let keep = self.code[part].len() - 2;
            self.code[part].truncate(keep);
            self.code[part].push(Step::AddOuter { x, y, to, n });
        }
    }

    /// The result of an instruction of scalars.
    pub fn once(set: &Set, i: &Instr, args: &[f64]) -> f64 {
        let mut m = Self::all(set, &Program { parts: [Vec::new(), vec![*i], Vec::new()] });
        for (at, x) in i.inputs.iter().zip(args) {
            let cell = m.address(Rank::Scalar, *at);
            m.mem[cell] = Cell([*x; L]);
        }
        m.run(1);
        m.mem[m.address(Rank::Scalar, i.out)].0[0]
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

    /// Clears memory, sets the seeds of each task's draws, and runs `setup`.
    pub fn start(&mut self, seeds: [u64; L]) {
        if self.mem.len() < self.cells.max(self.state) {
            self.mem.resize(self.cells.max(self.state), Cell([0.0; L]));
        }
        self.mem[..self.state].fill(Cell([0.0; L]));
        self.seeds = seeds;
        self.drawn = 0;
        self.run(0);
    }

    /// The predictions for one example of each task: `x` has a cell for each feature.
    #[cfg(test)]
    pub fn predict(&mut self, x: &[[f64; L]]) -> [f64; L] {
        let v0 = self.address(Rank::Vector, GIVEN);
        self.mem[v0..v0 + x.len()].iter_mut().zip(x).for_each(|(c, x)| c.0 = *x);
        self.mem[usize::from(GIVEN)] = Cell([0.0; L]);
        self.run(1);
        self.mem[usize::from(PREDICTION)].0
    }

    /// Learns from the labels of the examples that were predicted last.
    #[cfg(test)]
    pub fn learn(&mut self, y: [f64; L]) {
        self.mem[usize::from(GIVEN)] = Cell(y);
        self.run(2);
    }

    /// The memory of a type, cell by cell.
    #[cfg(test)]
    pub fn memory(&mut self, rank: Rank) -> &mut [Cell<L>] {
        if self.mem.len() < self.cells.max(self.state) {
            self.mem.resize(self.cells.max(self.state), Cell([0.0; L]));
        }
        let from = self.address(rank, 0);
        let to = self.address(rank, self.counts[rank as usize]);
        &mut self.mem[from..to]
    }

    /// Runs a part once.
    pub fn run(&mut self, part: usize) {
        if self.code[part].is_empty() {
            return;
        }
        let mut lanes = Lanes { mem: &mut self.mem, seeds: self.seeds, drawn: self.drawn };
        #[cfg(target_arch = "x86_64")]
        if self.fast {
            // SAFETY: `fast` is set where the processor has AVX2.
            unsafe { run_avx2(&mut lanes, &self.code[part], &self.wide) };
            self.drawn = lanes.drawn;
            return;
        }
        lanes.run::<Plain>(&self.code[part], &self.wide);
        self.drawn = lanes.drawn;
    }

    /// Predicts and learns example after example, those of `order` if it is given; ends where no lane is alive. With `seen`,
    /// all predictions are written there.
    pub fn train(
        &mut self,
        s: Side<'_, L>,
        order: Option<&[u32]>,
        of: Range<usize>,
        p: &Pass,
        a: &mut Alive,
        seen: Option<&mut Vec<f64>>,
    ) {
        #[cfg(target_arch = "x86_64")]
        if self.fast {
            // SAFETY: `fast` is set where the processor has AVX2.
            unsafe { self.train_avx2(s, order, of, p, a, seen) };
            return;
        }
        self.train_any::<Plain>(s, order, of, p, a, seen);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn train_avx2(
        &mut self,
        s: Side<'_, L>,
        order: Option<&[u32]>,
        of: Range<usize>,
        p: &Pass,
        a: &mut Alive,
        seen: Option<&mut Vec<f64>>,
    ) {
        self.train_any::<Avx>(s, order, of, p, a, seen);
    }

    #[allow(clippy::inline_always, reason = "it must be compiled with the features of the function that it stands in")]
    #[inline(always)]
    fn train_any<S: Four>(
        &mut self,
        s: Side<'_, L>,
        order: Option<&[u32]>,
        of: Range<usize>,
        p: &Pass,
        a: &mut Alive,
        mut seen: Option<&mut Vec<f64>>,
    ) {
        let mut lanes = Lanes { mem: &mut self.mem, seeds: self.seeds, drawn: self.drawn };
        let v0 = usize::from(self.counts[0]);
        let f = self.features;
        let worst = S::splat(p.worst);
        for e in of {
            if a.mask == 0 {
                break;
            }
            let e = order.map_or(e, |o| o[e] as usize);
            show::<S, L>(&mut lanes, v0, &s.x[e * f..(e + 1) * f]);
            lanes.run::<S>(&self.code[1], &self.wide);
            if p.squash {
                squash(&mut lanes);
            }
            if let Some(seen) = seen.as_deref_mut() {
                seen.extend_from_slice(&lanes.mem[usize::from(PREDICTION)].0);
            }
            a.steps += u64::from(a.mask.count_ones());
            // Not a number is not within bounds.
            let mut fine = 0;
            for q in 0..L / 4 {
                let y = label::<S, L>(&s.y[e], q);
                fine |= y.sub(lanes.four(usize::from(PREDICTION), q)).within(worst) << (4 * q);
                lanes.set(usize::from(GIVEN), q, y);
            }
            a.mask &= fine;
            lanes.run::<S>(&self.code[2], &self.wide);
        }
        self.drawn = lanes.drawn;
    }

    /// Predicts example after example; adds up the losses, and takes lanes with too large an error out of `mask`.
    pub fn validate(&mut self, s: Side<'_, L>, n: usize, loss: Loss, p: &Pass, mask: &mut u32, sum: &mut [f64; L]) {
        #[cfg(target_arch = "x86_64")]
        if self.fast {
            // SAFETY: `fast` is set where the processor has AVX2.
            unsafe { self.validate_avx2(s, n, loss, p, mask, sum) };
            return;
        }
        self.validate_any::<Plain>(s, n, loss, p, mask, sum);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn validate_avx2(&mut self, s: Side<'_, L>, n: usize, loss: Loss, p: &Pass, mask: &mut u32, sum: &mut [f64; L]) {
        self.validate_any::<Avx>(s, n, loss, p, mask, sum);
    }

    #[allow(clippy::inline_always, reason = "it must be compiled with the features of the function that it stands in")]
    #[inline(always)]
    fn validate_any<S: Four>(
        &mut self,
        s: Side<'_, L>,
        n: usize,
        loss: Loss,
        p: &Pass,
        mask: &mut u32,
        sum: &mut [f64; L],
    ) {
        let mut lanes = Lanes { mem: &mut self.mem, seeds: self.seeds, drawn: self.drawn };
        let v0 = usize::from(self.counts[0]);
        let f = self.features;
        let worst = S::splat(p.worst);
        let mut squares = [S::splat(0.0); MOST];
        for e in 0..n {
            show::<S, L>(&mut lanes, v0, &s.x[e * f..(e + 1) * f]);
            lanes.run::<S>(&self.code[1], &self.wide);
            if p.squash {
                squash(&mut lanes);
            }
            let mut fine = 0;
            for (q, square) in squares.iter_mut().enumerate().take(L / 4) {
                let d = label::<S, L>(&s.y[e], q).sub(lanes.four(usize::from(PREDICTION), q));
                fine |= d.within(worst) << (4 * q);
                *square = square.add(d.mul(d));
            }
            if loss != Loss::Wrong {
                *mask &= fine;
            }
            if loss != Loss::Squared {
                let out = lanes.mem[usize::from(PREDICTION)].0;
                for k in 0..L {
                    sum[k] += loss.of(s.y[e][k], out[k]);
                }
            }
        }
        if loss == Loss::Squared {
            for (q, square) in squares.into_iter().enumerate().take(L / 4) {
                debug_assert!(4 * q + 4 <= L);
                // SAFETY: the four lanes are within the array.
                unsafe { square.store(sum.as_mut_ptr().add(4 * q)) };
            }
        }
        self.drawn = lanes.drawn;
    }
}

/// Shows an example's features, and no label.
#[allow(clippy::inline_always, reason = "it must be compiled with the features of the function that it stands in")]
#[inline(always)]
fn show<S: Four, const L: usize>(lanes: &mut Lanes<'_, L>, v0: usize, x: &[[f64; L]]) {
    for (i, x) in x.iter().enumerate() {
        for q in 0..L / 4 {
            lanes.set(v0 + i, q, label::<S, L>(x, q));
        }
    }
    for q in 0..L / 4 {
        lanes.set(usize::from(GIVEN), q, S::splat(0.0));
    }
}

/// Four of the numbers of an example.
#[allow(clippy::inline_always, reason = "it must be compiled with the features of the function that it stands in")]
#[inline(always)]
fn label<S: Four, const L: usize>(x: &[f64; L], q: usize) -> S {
    debug_assert!(4 * q + 4 <= L);
    // SAFETY: the four lanes are within the array.
    unsafe { S::load(x.as_ptr().add(4 * q)) }
}

#[inline(never)]
fn squash<const L: usize>(lanes: &mut Lanes<'_, L>) {
    let p = &mut lanes.mem[usize::from(PREDICTION)].0;
    *p = p.map(|x| 1.0 / (1.0 + (-x).exp()));
}

/// # Safety
/// The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<const L: usize>(lanes: &mut Lanes<'_, L>, steps: &[Step], wide: &[Wide]) {
    lanes.run::<Avx>(steps, wide);
}

fn fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// A plan's step in a program.
struct Moved {
    bases: [At; 6],
    stream: u64,
    /// Where the step writes if that is not where the plan says.
    to: Option<At>,
}

impl Moved {
    #[inline]
    fn at(&self, at: At) -> At {
        self.bases[(at >> REGION) as usize] + offset(at)
    }

    #[inline]
    fn line(&self, l: Line) -> Line {
        Line { at: self.at(l.at), by: l.by }
    }

    #[inline]
    fn target(&self, at: At) -> At {
        self.to.unwrap_or_else(|| self.at(at))
    }

    #[inline]
    fn step(&self, s: &Step, plan: &Plan, wide: &mut Vec<Wide>) -> Step {
        match *s {
            Step::Un { op, x, to, n } => Step::Un { op, x: self.line(x), to: self.target(to), n },
            Step::Bin { op, x, y, to, n } => Step::Bin { op, x: self.line(x), y: self.line(y), to: self.target(to), n },
            Step::Pick { op, a, to, n } => Step::Pick { op, a: a.map(|l| self.line(l)), to: self.target(to), n },
            Step::Dot { x, y, to, n } => Step::Dot { x: self.at(x), y: self.at(y), to: self.target(to), n },
            Step::Rows { m, x, to, n } => Step::Rows { m: self.at(m), x: self.at(x), to: self.target(to), n },
            Step::Outer { x, y, to, n } => Step::Outer { x: self.at(x), y: self.at(y), to: self.target(to), n },
            Step::AddOuter { x, y, to, n } => Step::AddOuter { x: self.at(x), y: self.at(y), to: self.target(to), n },
            Step::Random { stream, to, n } => {
                Step::Random { stream: mix(self.stream ^ stream), to: self.target(to), n }
            }
            Step::Wide(w) => {
                let mut w = plan.wide[w as usize].clone();
                match &mut w {
                    Wide::Nest(n) => {
                        n.a.iter_mut().for_each(|a| a.base = self.at(a.base));
                        n.to = self.target(n.to);
                    }
                    Wide::General(g) => {
                        g.at.iter_mut().for_each(|a| a.0 = self.at(a.0));
                        g.to = self.target(g.to);
                    }
                }
                wide.push(w);
                Step::Wide(wide.len() as u32 - 1)
            }
        }
    }
}
