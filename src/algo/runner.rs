//! Programs scored one after the other: what is kept from one to the next, so that nothing is allocated for a program.

use crate::base::hash::hash64;
use crate::base::rng::Stream;

use super::live::Live;
use super::machine::{Alive, Machine, Pass, Side};
use super::program::Program;
use super::set::Set;
use super::task::{Loss, Pack, Schedule, Tasks};

/// Scores programs.
#[derive(Debug, Default)]
pub struct Runner {
    live: Live,
    four: Lane<4>,
    twelve: Lane<12>,
    losses: Vec<f64>,
    /// How many examples the program that was loaded last has learned from, over all tasks.
    pub steps: u64,
    /// The same over all programs.
    pub total: u64,
}

/// Work with `L` tasks at a time.
#[derive(Debug)]
struct Lane<const L: usize> {
    machine: Machine<L>,
    loaded: bool,
    /// The tasks side by side, and which they are.
    packs: Vec<Pack<L>>,
    which: (usize, usize),
    /// What the first pack has learned already when its print was taken.
    begun: Option<Begun>,
    seen: Vec<f64>,
    order: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    examples: usize,
    worst: f64,
    alive: Alive,
}

impl<const L: usize> Default for Lane<L> {
    fn default() -> Self {
        let machine = Machine::default();
        Self {
            machine,
            loaded: false,
            packs: Vec::new(),
            which: (0, 0),
            begun: None,
            seen: Vec::new(),
            order: Vec::new(),
        }
    }
}

impl Runner {
    /// Takes another program; the calls that follow are given the same one.
    pub fn load(&mut self, set: &Set, program: &Program) {
        self.live.find(set, program);
        (self.four.loaded, self.twelve.loaded) = (false, false);
        (self.four.begun, self.twelve.begun) = (None, None);
        self.steps = 0;
    }

    /// How many instructions matter.
    pub fn instructions(&self) -> usize {
        self.live.keep.iter().flatten().filter(|k| **k).count()
    }

    /// Equal for programs that predict the same, bit for bit, for the first examples that they learn from; scoring goes on
    /// from there.
    pub fn print(&mut self, tasks: &Tasks, set: &Set, program: &Program, examples: usize, worst: f64) -> u64 {
        let before = self.steps;
        let print = if wide(tasks, tasks.tasks.len()) {
            self.twelve.print(tasks, set, program, &self.live, examples, worst, &mut self.steps)
        } else {
            self.four.print(tasks, set, program, &self.live, examples, worst, &mut self.steps)
        };
        self.total += self.steps - before;
        print
    }

    /// The mean validation loss of each task, infinite where the program diverged.
    pub fn losses(&mut self, tasks: &Tasks, set: &Set, program: &Program, s: &Schedule) -> &[f64] {
        let before = self.steps;
        self.losses.clear();
        if wide(tasks, s.count) {
            self.twelve.losses(tasks, set, program, &self.live, s, &mut self.losses, &mut self.steps);
        } else {
            self.four.losses(tasks, set, program, &self.live, s, &mut self.losses, &mut self.steps);
        }
        self.total += self.steps - before;
        &self.losses
    }

    /// What [`Runner::losses`] found.
    pub fn found(&self) -> &[f64] {
        &self.losses
    }

    /// The mean, or the (upper) median, of what the losses are worth.
    pub fn fitness(&mut self, loss: Loss, median: bool) -> f64 {
        for x in &mut self.losses {
            *x = loss.fitness(*x);
        }
        combined(&mut self.losses, median)
    }
}

/// The mean or the (upper) median; 0 of nothing.
pub fn combined(xs: &mut [f64], median: bool) -> f64 {
    let n = xs.len();
    if n == 0 {
        return 0.0;
    }
    if median {
        let (_, m, _) = xs.select_nth_unstable_by(n / 2, f64::total_cmp);
        return *m;
    }
    xs.iter().sum::<f64>() / n as f64
}

/// Small memory stays in the first cache with many lanes; of large memory few lanes fill it.
fn wide(tasks: &Tasks, count: usize) -> bool {
    count > 4 && tasks.features <= 4
}

impl<const L: usize> Lane<L> {
    fn ready(&mut self, tasks: &Tasks, set: &Set, program: &Program, live: &Live, which: (usize, usize)) {
        if self.which != which || self.packs.is_empty() {
            self.packs = tasks.packs(which.0, which.1);
            self.which = which;
            self.begun = None;
        }
        if !self.loaded {
            self.machine.load(set, program, live);
            self.loaded = true;
        }
    }

    #[allow(clippy::too_many_arguments, reason = "what a runner holds, apart")]
    fn print(
        &mut self,
        tasks: &Tasks,
        set: &Set,
        program: &Program,
        live: &Live,
        examples: usize,
        worst: f64,
        steps: &mut u64,
    ) -> u64 {
        self.ready(tasks, set, program, live, (0, tasks.tasks.len()));
        let Some(pack) = self.packs.first() else { return 0 };
        let mut alive = fresh(pack.real);
        let to = examples.min(pack.train.1.len());
        let pass = Pass { worst, squash: tasks.squashes() };
        self.machine.start(pack.seeds);
        self.seen.clear();
        let side = Side { x: &pack.train.0, y: &pack.train.1 };
        self.machine.train(side, None, 0..to, &pass, &mut alive, Some(&mut self.seen));
        *steps += alive.steps;
        alive.steps = 0;
        self.begun = Some(Begun { examples: to, worst, alive });
        hash64(bytes(&self.seen), u64::from(alive.mask))
    }

    #[allow(clippy::too_many_arguments, reason = "what a runner holds, apart")]
    fn losses(
        &mut self,
        tasks: &Tasks,
        set: &Set,
        program: &Program,
        live: &Live,
        s: &Schedule,
        out: &mut Vec<f64>,
        steps: &mut u64,
    ) {
        self.ready(tasks, set, program, live, (s.first, s.count));
        let begun = self.begun.take().filter(|b| b.worst.to_bits() == s.worst.to_bits());
        for (k, pack) in self.packs.iter().enumerate() {
            let train = s.train.min(pack.train.1.len());
            let begun = begun.filter(|b| k == 0 && b.examples <= train);
            let (best, n) = one(&mut self.machine, pack, tasks.squashes(), s, begun, &mut self.order);
            out.extend(&best[..pack.real]);
            *steps += n;
        }
    }
}

fn fresh(real: usize) -> Alive {
    Alive { mask: (1 << real) - 1, steps: 0 }
}

fn bytes(xs: &[f64]) -> &[u8] {
    // SAFETY: numbers have no padding, and any bytes are bytes.
    unsafe { std::slice::from_raw_parts(xs.as_ptr().cast(), std::mem::size_of_val(xs)) }
}

/// The best mean loss of each lane over the epochs, and over how many examples.
fn one<const L: usize>(
    machine: &mut Machine<L>,
    pack: &Pack<L>,
    squash: bool,
    s: &Schedule,
    begun: Option<Begun>,
    order: &mut Vec<u32>,
) -> ([f64; L], u64) {
    let (train, valid) = (s.train.min(pack.train.1.len()), s.valid.min(pack.valid.1.len()));
    let mut best = [f64::INFINITY; L];
    let pass = Pass { worst: s.worst, squash };
    let (mut alive, from) = match begun {
        Some(b) => (b.alive, b.examples),
        None => {
            machine.start(pack.seeds);
            (fresh(pack.real), 0)
        }
    };
    let (examples, checks) = (Side { x: &pack.train.0, y: &pack.train.1 }, Side { x: &pack.valid.0, y: &pack.valid.1 });
    for epoch in 0..s.epochs {
        if epoch == 0 {
            machine.train(examples, None, from..train, &pass, &mut alive, None);
        } else {
            if epoch == 1 {
                order.clear();
                order.extend(0..train as u32);
            }
            Stream::new(epoch as u64, "epoch").shuffle(order);
            machine.train(examples, Some(order), 0..train, &pass, &mut alive, None);
        }
        if alive.mask == 0 {
            break;
        }
        let (mut fine, mut sum) = (alive.mask, [0.0; L]);
        machine.validate(checks, valid, s.loss, &pass, &mut fine, &mut sum);
        for k in 0..L {
            let mean = sum[k] / valid.max(1) as f64;
            if fine >> k & 1 == 1 && mean < best[k] {
                best[k] = mean;
            }
        }
    }
    (best, alive.steps)
}
