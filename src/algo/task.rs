//! Tasks, and programs scored on them.

use crate::base::hash::hash64;
use crate::base::rng::Stream;

use super::program::Program;
use super::runner::Runner;
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

    /// The loss of a prediction.
    pub fn of(self, y: f64, p: f64) -> f64 {
        match self {
            Loss::Squared => (y - p) * (y - p),
            // A prediction that is no number counts as the first class.
            Loss::Wrong => f64::from(u8::from((y > 0.5) != (p > 0.5))),
            Loss::Log => -(if y > 0.5 { p } else { 1.0 - p }).max(1e-300).ln(),
        }
    }
}

impl Loss {
    /// The loss of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|l| l.0 == name).map(|l| l.1)
    }

    /// From 0 for the worst to 1 for the best.
    pub fn fitness(self, x: f64) -> f64 {
        match self {
            _ if x == f64::INFINITY => 0.0,
            Loss::Squared => 1.0 - std::f64::consts::FRAC_2_PI * x.sqrt().atan(),
            Loss::Wrong => 1.0 - x,
            Loss::Log => (-x).exp(),
        }
    }
}

/// How much of the tasks a program sees.
#[derive(Clone, Copy, Debug, PartialEq)]
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
}

/// Examples of `L` tasks side by side.
#[derive(Debug)]
pub(super) struct Pack<const L: usize> {
    pub train: (Vec<[f64; L]>, Vec<[f64; L]>),
    pub valid: (Vec<[f64; L]>, Vec<[f64; L]>),
    /// Lanes that are tasks; the others repeat the last.
    pub real: usize,
    pub seeds: [u64; L],
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
        Self { name: name.to_string(), features, labels, tasks }
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
        let mut r = Runner::default();
        r.load(set, program);
        let losses = r.losses(self, set, program, s).to_vec();
        (losses, r.steps)
    }

    /// Equal for programs that predict the same, bit for bit, for the first `examples` of the first tasks, while they learn
    /// (the paper's functional equivalence, section 4.1).
    pub fn fingerprint(&self, set: &Set, program: &Program, examples: usize) -> u64 {
        let mut r = Runner::default();
        r.load(set, program);
        r.print(self, set, program, examples, f64::INFINITY)
    }

    pub(super) fn squashes(&self) -> bool {
        self.labels == Labels::Classes
    }

    pub(super) fn packs<const L: usize>(&self, first: usize, count: usize) -> Vec<Pack<L>> {
        let chosen: Vec<usize> = (first..first + count).collect();
        chosen.chunks(L).map(|lanes| Pack::new(&self.tasks, lanes, self.features)).collect()
    }
}
