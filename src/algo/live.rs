//! Which instructions of a program matter for its predictions.

use super::program::{GIVEN, Instr, PREDICTION, Program};
use super::set::{Rank, Set};

/// A set of addresses in `W` words.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Places<const W: usize>([u64; W]);

/// Where the addresses of each type begin among all.
type Begins = [usize; 3];

impl<const W: usize> Places<W> {
    const NONE: Self = Self([0; W]);

    fn has(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 == 1
    }

    fn add(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn drop(&mut self, at: usize) {
        self.0[at / 64] &= !(1 << (at % 64));
    }
}

/// The instructions that matter, by part. Kept from program to program, so that finding them allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Whether each instruction matters.
    pub keep: [Vec<bool>; 3],
    /// Whether what each writes is overwritten or never read after the instruction that follows it.
    pub brief: [Vec<bool>; 3],
}

impl Live {
    /// Finds them.
    pub fn find(&mut self, set: &Set, p: &Program) {
        let [s, v, m] = p.counts(set).map(usize::from);
        if s + v + m <= 64 {
            self.find_in::<1>(set, p, [0, s, s + v]);
        } else {
            // Each type has at most 256.
            self.find_in::<12>(set, p, [0, 256, 512]);
        }
    }

    fn find_in<const W: usize>(&mut self, set: &Set, p: &Program, begins: Begins) {
        // What each part needs when it begins, growing until nothing changes: after setup and after learning, prediction
        // comes; after a prediction, learning or (in validation) another prediction.
        let (mut predict, mut learn) = (Places::<W>::NONE, Places::<W>::NONE);
        loop {
            let before = (predict, learn);
            let mut ends = predict;
            ends.add(begins[Rank::Scalar as usize] + usize::from(PREDICTION));
            ends.0.iter_mut().zip(learn.0).for_each(|(a, b)| *a |= b);
            predict = self.part(set, p, 1, ends, begins);
            learn = self.part(set, p, 2, predict, begins);
            if before == (predict, learn) {
                break;
            }
        }
        self.part(set, p, 0, predict, begins);
    }

    /// Marks a part's instructions for what is needed when it ends; gives what is needed when it begins.
    fn part<const W: usize>(
        &mut self,
        set: &Set,
        p: &Program,
        part: usize,
        mut live: Places<W>,
        begins: Begins,
    ) -> Places<W> {
        let body = &p.parts[part];
        let (keep, brief) = (&mut self.keep[part], &mut self.brief[part]);
        keep.clear();
        keep.resize(body.len(), false);
        brief.clear();
        brief.resize(body.len(), false);
        // What was live after the instruction that matters next.
        let mut after = live;
        for (k, i) in body.iter().enumerate().rev() {
            let op = &set.instructions[i.op];
            let out = begins[op.output as usize] + usize::from(i.out);
            if !live.has(out) {
                continue;
            }
            keep[k] = true;
            brief[k] = !after.has(out);
            after = live;
            if op.old.is_none() {
                live.drop(out);
            }
            for ((rank, at), read) in op.operands.iter().zip(i.inputs).zip(&op.read) {
                if *read {
                    live.add(begins[*rank as usize] + usize::from(at));
                }
            }
        }
        live.drop(begins[Rank::Scalar as usize] + usize::from(GIVEN));
        live.drop(begins[Rank::Vector as usize] + usize::from(GIVEN));
        live
    }

    /// Those of a part that matter.
    pub fn of<'a>(&'a self, p: &'a Program, part: usize) -> impl Iterator<Item = &'a Instr> {
        p.parts[part].iter().zip(&self.keep[part]).filter(|(_, k)| **k).map(|(i, _)| i)
    }
}
