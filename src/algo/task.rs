//! Tasks, and programs scored on them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::hash::{hash64, hash128};
use crate::base::rng::Stream;

use super::machine::Machine;
use super::program::Program;
use super::set::Set;

/// Examples of one task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examples {
    /// The features, example after example.
    pub x: Vec<f64>,
    /// The labels.
    pub y: Vec<f64>,
}

/// One problem: what is learned from, and what predictions are scored on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// What is learned from.
    pub train: Examples,
    /// What predictions are scored on.
    pub valid: Examples,
}

/// What labels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Numbers.
    Numbers,
    /// 0 or 1; predictions are squashed by a sigmoid.
    Classes,
}

/// A function whose values are to be learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// `w . x`
    Linear,
    /// `w . x + b`
    Affine,
    /// `w . relu(m x)`
    Network,
}

/// How a prediction is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The mean squared error.
    Squared,
    /// The share of examples on the wrong side of one half.
    Wrong,
    /// The mean of minus the logarithm of the right class's probability.
    Log,
}

impl Loss {
    /// All with their names.
    pub const ALL: [(&'static str, Loss); 3] = [("squared", Loss::Squared), ("wrong", Loss::Wrong), ("log", Loss::Log)];

    fn of(self, y: f64, p: f64) -> f64 {
        match self {
            Loss::Squared => (y - p) * (y - p),
            // A prediction that is no number counts as the first class.
            Loss::Wrong => f64::from(u8::from((y > 0.5) != (p > 0.5))),
            Loss::Log => -(if y > 0.5 { p } else { 1.0 - p }).max(1e-300).ln(),
        }
    }
}

/// How much of the tasks a program sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The first task.
    pub first: usize,
    /// How many.
    pub count: usize,
    /// Examples of each to learn from.
    pub train: usize,
    /// Examples of each to be scored on.
    pub valid: usize,
    /// Passes over the training examples; the best score after one counts.
    pub epochs: usize,
    /// A greater error ends the task.
    pub worst: f64,
    /// How predictions are scored.
    pub loss: Loss,
}

/// Tasks of one kind.
#[derive(Debug)]
pub struct Tasks {
    /// `scalar_linear_regression`
    pub name: String,
    /// The length of every vector.
    pub features: usize,
    /// What labels are.
    pub labels: Labels,
    /// All.
    pub tasks: Vec<Task>,
    four: Packs<4>,
    twelve: Packs<12>,
}

/// Examples of `L` tasks side by side.
#[derive(Debug)]
struct Pack<const L: usize> {
    train: (Vec<[f64; L]>, Vec<[f64; L]>),
    valid: (Vec<[f64; L]>, Vec<[f64; L]>),
    /// Lanes that are tasks; the others repeat the last.
    real: usize,
    seeds: [u64; L],
}

/// Packs that were made, by first task and count.
type Packs<const L: usize> = Mutex<BTreeMap<(usize, usize), Arc<Vec<Pack<L>>>>>;

fn packed<const L: usize>(packs: &Packs<L>, all: &[Task], f: usize, first: usize, count: usize) -> Arc<Vec<Pack<L>>> {
    let mut packs = packs.lock().unwrap_or_else(PoisonError::into_inner);
    let made = packs.entry((first, count)).or_insert_with(|| {
        let chosen: Vec<usize> = (first..first + count).collect();
        Arc::new(chosen.chunks(L).map(|lanes| Pack::new(all, lanes, f)).collect())
    });
    made.clone()
}

impl<const L: usize> Pack<L> {
    fn new(all: &[Task], lanes: &[usize], f: usize) -> Self {
        let lane = |k: usize| lanes[k.min(lanes.len() - 1)];
        let side = |of: &dyn Fn(&Task) -> &Examples| {
            let n = lanes.iter().map(|&t| of(&all[t]).y.len()).min().unwrap_or(0);
            let x = (0..n * f).map(|i| std::array::from_fn(|k| of(&all[lane(k)]).x[i])).collect();
            let y = (0..n).map(|i| std::array::from_fn(|k| of(&all[lane(k)]).y[i])).collect();
            (x, y)
        };
        Self {
            train: side(&|t| &t.train),
            valid: side(&|t| &t.valid),
            real: lanes.len(),
            seeds: std::array::from_fn(|k| hash64(b"algorithm", lane(k) as u64)),
        }
    }
}

impl Tasks {
    /// Tasks whose vectors have `features` numbers.
    pub fn new(name: &str, features: usize, labels: Labels, tasks: Vec<Task>) -> Self {
        Self { name: name.to_string(), features, labels, tasks, four: Mutex::default(), twelve: Mutex::default() }
    }

    /// Regression tasks with standard normal features and parameters, each task from seeds of its own, counted from
    /// `seeds.0` for the parameters and from `seeds.1` for the examples.
    pub fn regression(truth: Truth, features: usize, tasks: usize, sizes: (usize, usize), seeds: (u64, u64)) -> Self {
        let name = match truth {
            Truth::Linear => "scalar_linear_regression",
            Truth::Affine => "scalar_affine_regression",
            Truth::Network => "scalar_network_regression",
        };
        let make = |k: usize| {
            let mut params = Stream::new(seeds.0 + k as u64, "task parameters");
            let w: Vec<f64> = (0..features).map(|_| params.normal()).collect();
            let m: Vec<f64> = match truth {
                Truth::Network => (0..features * features).map(|_| params.normal()).collect(),
                Truth::Linear | Truth::Affine => Vec::new(),
            };
            let b = if truth == Truth::Affine { params.normal() } else { 0.0 };
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let mut draws = Stream::new(seeds.1 + k as u64, "task examples");
            let mut side = |n: usize| {
                let x: Vec<f64> = (0..n * features).map(|_| draws.normal()).collect();
                let label = |x: &[f64]| match truth {
                    Truth::Linear | Truth::Affine => dot(&w, x) + b,
                    Truth::Network => {
                        let hidden: Vec<f64> = m.chunks(features).map(|row| dot(row, x).max(0.0)).collect();
                        dot(&w, &hidden)
                    }
                };
                let y = x.chunks(features).map(label).collect();
                Examples { x, y }
            };
            Task { train: side(sizes.0), valid: side(sizes.1) }
        };
        Self::new(name, features, Labels::Numbers, (0..tasks).map(make).collect())
    }

    /// The mean validation loss of each task, infinite where the program diverged, and how many examples it learned from.
    pub fn losses(&self, set: &Set, program: &Program, s: &Schedule) -> (Vec<f64>, u64) {
        // Small memory stays in the first cache with many lanes; of large memory few lanes fill it.
        if s.count > 4 && self.features <= 4 {
            self.in_lanes(&self.twelve, set, program, s)
        } else {
            self.in_lanes(&self.four, set, program, s)
        }
    }

    fn in_lanes<const L: usize>(
        &self,
        packs: &Packs<L>,
        set: &Set,
        program: &Program,
        s: &Schedule,
    ) -> (Vec<f64>, u64) {
        let mut machine = Machine::<L>::new(set, program);
        let mut out = Vec::with_capacity(s.count);
        let mut steps = 0;
        for pack in packed(packs, &self.tasks, self.features, s.first, s.count).iter() {
            let (best, n) = self.one(&mut machine, pack, s);
            out.extend(&best[..pack.real]);
            steps += n;
        }
        (out, steps)
    }

    fn squash<const L: usize>(&self, machine: &mut Machine<L>, p: [f64; L]) -> [f64; L] {
        match self.labels {
            Labels::Numbers => p,
            Labels::Classes => {
                let p = p.map(|x| 1.0 / (1.0 + (-x).exp()));
                machine.set_prediction(p);
                p
            }
        }
    }

    fn one<const L: usize>(&self, machine: &mut Machine<L>, pack: &Pack<L>, s: &Schedule) -> ([f64; L], u64) {
        let f = self.features;
        let (train, valid) = (s.train.min(pack.train.1.len()), s.valid.min(pack.valid.1.len()));
        let mut best = [f64::INFINITY; L];
        let mut alive = [true; L];
        let mut steps = 0;
        let mut order: Vec<usize> = (0..train).collect();
        machine.start(pack.seeds);
        for epoch in 0..s.epochs {
            if epoch > 0 {
                Stream::new(epoch as u64, "epoch").shuffle(&mut order);
            }
            for &e in &order {
                let y = pack.train.1[e];
                let p = machine.predict(&pack.train.0[e * f..(e + 1) * f]);
                let p = self.squash(machine, p);
                // Not a number is not within bounds.
                let ok: [bool; L] = std::array::from_fn(|k| (y[k] - p[k]).abs() <= s.worst);
                steps += alive[..pack.real].iter().filter(|a| **a).count() as u64;
                if ok != [true; L] {
                    alive = std::array::from_fn(|k| alive[k] && ok[k]);
                    if alive == [false; L] {
                        return (best, steps);
                    }
                }
                machine.learn(y);
            }
            let mut sum = [0.0; L];
            let mut fine = alive;
            for e in 0..valid {
                let y = pack.valid.1[e];
                let p = machine.predict(&pack.valid.0[e * f..(e + 1) * f]);
                let p = self.squash(machine, p);
                for k in 0..L {
                    fine[k] &= s.loss == Loss::Wrong || (y[k] - p[k]).abs() <= s.worst;
                    sum[k] += s.loss.of(y[k], p[k]);
                }
            }
            for k in 0..L {
                let mean = sum[k] / valid.max(1) as f64;
                if fine[k] && mean < best[k] {
                    best[k] = mean;
                }
            }
        }
        (best, steps)
    }

    /// Equal for programs that predict the same, bit for bit, for the first `examples` of the first tasks, while they learn
    /// and afterwards (the paper's functional equivalence, section 4.1).
    pub fn fingerprint(&self, set: &Set, program: &Program, examples: usize) -> u128 {
        let count = self.tasks.len().min(4);
        let packs = packed(&self.four, &self.tasks, self.features, 0, count);
        let mut machine = Machine::<4>::new(set, program);
        let mut bytes = Vec::new();
        let f = self.features;
        for pack in packs.iter() {
            machine.start(pack.seeds);
            let train = examples.min(pack.train.1.len());
            for e in 0..train {
                let p = machine.predict(&pack.train.0[e * f..(e + 1) * f]);
                let p = self.squash(&mut machine, p);
                bytes.extend(p.iter().flat_map(|x| canonical(*x).to_le_bytes()));
                machine.learn(pack.train.1[e]);
            }
            for e in 0..examples.min(pack.valid.1.len()) {
                let p = machine.predict(&pack.valid.0[e * f..(e + 1) * f]);
                let p = self.squash(&mut machine, p);
                bytes.extend(p.iter().flat_map(|x| canonical(*x).to_le_bytes()));
            }
        }
        hash128(&bytes)
    }
}

/// The bits of a number, with one NaN and one zero.
fn canonical(x: f64) -> u64 {
    if x.is_nan() { u64::MAX } else { (x + 0.0).to_bits() }
}
