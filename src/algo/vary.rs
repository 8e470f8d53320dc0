//! Random programs, and random changes of programs, in place.

use std::cmp::Ordering;

use crate::base::rng::Stream;

use super::design::Design;
use super::program::{Instr, Program};
use super::set::MOST;

/// The relative probabilities of the kinds of change (Real et al. 2020, section 3.1, and the original's program).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kinds {
    /// One argument of an instruction changes.
    pub argument: f64,
    /// An instruction is drawn anew.
    pub instruction: f64,
    /// All instructions of a part are.
    pub part: f64,
    /// One more instruction.
    pub insert: f64,
    /// One less.
    pub remove: f64,
    /// One more and one less, in either order.
    pub trade: f64,
}

impl Design {
    /// A program drawn uniformly, part by part; the one to start with, if there is one.
    pub fn draw(&self, rng: &mut Stream, p: &mut Program) {
        if let Some(start) = &self.start {
            copy(start, p);
            return;
        }
        for (k, part) in self.parts.iter().enumerate() {
            let n = part.least + rng.below(part.most - part.least + 1);
            p.parts[k].clear();
            for _ in 0..n {
                let i = self.instruction(k, rng);
                p.parts[k].push(i);
            }
        }
    }

    fn instruction(&self, part: usize, rng: &mut Stream) -> Instr {
        let ops = &self.parts[part].ops;
        let op = ops[rng.below(ops.len())];
        let i = &self.set.instructions[op];
        let (mut inputs, mut knobs) = ([0; MOST], [0.0; MOST]);
        for (slot, r) in inputs.iter_mut().zip(&i.operands) {
            *slot = rng.below(usize::from(self.counts[*r as usize])) as u16;
        }
        let first = i.output.first_writable();
        let out = first + rng.below(usize::from(self.counts[i.output as usize] - first)) as u16;
        knobs[..i.knobs.len()].iter_mut().for_each(|k| *k = 2.0 * rng.unit() - 1.0);
        Instr { op, inputs, out, knobs }
    }

    /// One random change; kinds that are not possible are not drawn.
    pub fn vary(&self, kinds: &Kinds, rng: &mut Stream, p: &mut Program) {
        let total: usize = p.parts.iter().map(Vec::len).sum();
        let room = (0..3).any(|k| p.parts[k].len() < self.parts[k].most);
        let spare = (0..3).any(|k| p.parts[k].len() > self.parts[k].least);
        let some = |x: f64, possible: bool| if possible { x.max(0.0) } else { 0.0 };
        let weights = [
            some(kinds.argument, total > 0),
            some(kinds.instruction, total > 0),
            some(kinds.part, total > 0),
            some(kinds.insert, room),
            some(kinds.remove, spare),
            some(kinds.trade, room || spare),
        ];
        let mut left = rng.unit() * weights.iter().sum::<f64>();
        let kind = weights.iter().position(|w| {
            left -= w;
            left < 0.0
        });
        match kind {
            Some(0) => self.argument(rng, p),
            Some(1) => {
                let (k, at) = place(p, rng.below(total));
                p.parts[k][at] = self.instruction(k, rng);
            }
            Some(2) => {
                // A part without instructions has nothing to be drawn.
                let filled = p.parts.iter().filter(|b| !b.is_empty()).count();
                let nth = rng.below(filled);
                if let Some(k) = (0..3).filter(|&k| !p.parts[k].is_empty()).nth(nth) {
                    for at in 0..p.parts[k].len() {
                        p.parts[k][at] = self.instruction(k, rng);
                    }
                }
            }
            Some(3) => self.insert(rng, p),
            Some(4) => self.remove(rng, p),
            Some(5) => {
                if room && (!spare || rng.flip(0.5)) {
                    self.insert(rng, p);
                    self.remove(rng, p);
                } else {
                    self.remove(rng, p);
                    self.insert(rng, p);
                }
            }
            _ => {}
        }
    }

    fn insert(&self, rng: &mut Stream, p: &mut Program) {
        let gaps = |p: &Program, k: usize| if p.parts[k].len() < self.parts[k].most { p.parts[k].len() + 1 } else { 0 };
        let all: usize = (0..3).map(|k| gaps(p, k)).sum();
        if all == 0 {
            return;
        }
        let mut at = rng.below(all);
        for k in 0..3 {
            let n = gaps(p, k);
            if at < n {
                let i = self.instruction(k, rng);
                p.parts[k].insert(at, i);
                return;
            }
            at -= n;
        }
    }

    fn remove(&self, rng: &mut Stream, p: &mut Program) {
        let spare = |p: &Program, k: usize| if p.parts[k].len() > self.parts[k].least { p.parts[k].len() } else { 0 };
        let all: usize = (0..3).map(|k| spare(p, k)).sum();
        if all == 0 {
            return;
        }
        let mut at = rng.below(all);
        for k in 0..3 {
            let n = spare(p, k);
            if at < n {
                p.parts[k].remove(at);
                return;
            }
            at -= n;
        }
    }

    /// An address takes another value; a constant changes its scale or, one time in ten, its sign.
    fn argument(&self, rng: &mut Stream, p: &mut Program) {
        let total: usize = p.parts.iter().map(Vec::len).sum();
        let (k, at) = place(p, rng.below(total));
        let i = &mut p.parts[k][at];
        let op = &self.set.instructions[i.op];
        let count = |r: crate::algo::Rank| usize::from(self.counts[r as usize]);
        let first = op.output.first_writable();
        let targets = count(op.output) - usize::from(first);
        let operands = op.operands.len();
        let choices = operands + 1 + op.knobs.len();
        // An address that is the only one cannot change; another argument is drawn then.
        for _ in 0..8 {
            let which = rng.below(choices);
            match which.cmp(&operands) {
                Ordering::Less => {
                    let n = count(op.operands[which]);
                    if n > 1 {
                        i.inputs[which] = other(rng, i.inputs[which], 0, n);
                        return;
                    }
                }
                Ordering::Equal => {
                    if targets > 1 {
                        i.out = other(rng, i.out, first, targets);
                        return;
                    }
                }
                Ordering::Greater => {
                    let x = &mut i.knobs[which - operands - 1];
                    *x = if rng.flip(0.1) { -*x } else { *x * rng.normal().exp() };
                    return;
                }
            }
        }
    }
}

/// One of `n` numbers from `first` on that is not `now`.
fn other(rng: &mut Stream, now: u16, first: u16, n: usize) -> u16 {
    let x = first + rng.below(n - 1) as u16;
    if x >= now { x + 1 } else { x }
}

/// The part and the place in it of the instruction with this number.
fn place(p: &Program, mut at: usize) -> (usize, usize) {
    for (k, body) in p.parts.iter().enumerate() {
        if at < body.len() {
            return (k, at);
        }
        at -= body.len();
    }
    (0, 0)
}

/// Copies a program without allocating, once the target has had one as long.
pub fn copy(from: &Program, to: &mut Program) {
    for (a, b) in from.parts.iter().zip(&mut to.parts) {
        b.clone_from(a);
    }
}
