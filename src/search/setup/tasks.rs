//! Data that is several tasks: for searches whose candidates are programs.

use std::path::Path;
use std::sync::Arc;

use crate::algo::task::{Examples, Labels, Task, Tasks, Truth};
use crate::base::Span;
use crate::base::rng::Stream;
use crate::data::{Contents, Dataset, Field, Part, Split, Target, Values};
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::syntax::ast;

use super::super::lang::Type;
use super::{Fractions, Reader};

/// The functions that give tasks.
pub const NAMES: [&str; 4] =
    ["scalar_linear_regression", "scalar_affine_regression", "scalar_network_regression", PROJECTED];

/// Two classes of a data set, projected to a few features.
const PROJECTED: &str = "projected_binary_classification";

/// Their parameters with defaults; the projected ones take a data set first.
const PARAMETERS: [(&str, i64, i64); 8] = [
    ("features", 4, 2),
    ("tasks", 10, 1),
    ("train", 1000, 1),
    ("valid", 100, 1),
    ("param_seed", 1001, 0),
    ("data_seed", 11001, 0),
    ("select", 10, 1),
    ("test", 10, 1),
];

/// Tasks that the search sees, that choose among what it found, and that nothing but the last report sees.
pub(super) struct Sets {
    /// For the search.
    pub search: Arc<Tasks>,
    /// For choosing among the best.
    pub select: Arc<Tasks>,
    /// For the report.
    pub test: Arc<Tasks>,
}

/// The parts of a list of tasks.
fn sets(all: &Tasks, count: usize, select: usize) -> Sets {
    let part = |tasks: &[Task]| Arc::new(Tasks::new(&all.name, all.features, all.labels, tasks.to_vec()));
    Sets {
        search: part(&all.tasks[..count]),
        select: part(&all.tasks[count..count + select]),
        test: part(&all.tasks[count + select..]),
    }
}

impl Reader<'_> {
    /// `scalar_linear_regression(features = 4, tasks = 10, train = 1000, valid = 100)`, ..
    pub(super) fn task_data(
        &mut self,
        name: &str,
        span: Span,
        args: &[ast::Arg],
        base: &Path,
        seed: u64,
    ) -> Option<(Dataset, Split)> {
        let mut given = PARAMETERS.map(|p| p.1);
        let mut source = None;
        let before = self.errors.len();
        for a in args {
            let Some(n) = &a.name else {
                if name == PROJECTED && source.is_none() {
                    source = Some(&a.value);
                } else {
                    let d = Diagnostic::new(
                        &codes::DATA_ARGUMENT,
                        a.value.span,
                        format!("the arguments of `{name}` have names"),
                    );
                    self.push(d.help("write `features = 4, tasks = 10, train = 1000, valid = 100`"));
                }
                continue;
            };
            let Some(at) = PARAMETERS.iter().position(|p| p.0 == n.name) else {
                let d =
                    Diagnostic::new(&codes::DATA_ARGUMENT, n.span, format!("`{name}` has no parameter `{}`", n.name));
                self.push(match did_you_mean(&n.name, PARAMETERS.iter().map(|p| p.0)) {
                    Some(k) => d.help(format!("did you mean `{k}`?")).fix(n.span, k, format!("write `{k}`")),
                    None => d.help(format!("they are {}", PARAMETERS.map(|p| p.0).join(", "))),
                });
                continue;
            };
            let Some(x) = self.constant(&a.value, Some(&Type::Int)).and_then(|v| v.as_int()) else { continue };
            if !(PARAMETERS[at].2..=10_000_000).contains(&x) {
                self.push(Diagnostic::new(
                    &codes::DATA_ARGUMENT,
                    a.value.span,
                    format!("`{}` is a whole number from {} to 10,000,000", n.name, PARAMETERS[at].2),
                ));
            }
            given[at] = x;
        }
        let tasks = given[1] + given[6] + given[7];
        let most = given[0].saturating_mul(tasks).saturating_mul(given[2].saturating_add(given[3]));
        if most > 1 << 27 {
            self.push(Diagnostic::new(&codes::DATA_ARGUMENT, span, "these tasks have more than 2^27 numbers"));
        }
        if self.errors.len() > before {
            return None;
        }
        let [features, count, train, valid, param_seed, data_seed, select, test] = given;
        let (features, count, sizes) = (features as usize, count as usize, (train as usize, valid as usize));
        let seeds = (param_seed as u64, data_seed as u64);
        let (select, test) = (select as usize, test as usize);
        let tasks = match name {
            PROJECTED => {
                let Some(e) = source else {
                    let d = Diagnostic::new(
                        &codes::DATA_ARGUMENT,
                        span,
                        format!("`{PROJECTED}` needs a data set of classes"),
                    );
                    self.push(d.help(format!("write `{PROJECTED}(digits(), features = 8)`")));
                    return None;
                };
                let block = ast::Search { name: ast::Ident { name: String::new(), span }, fields: Vec::new() };
                let (_, split) = self.data(&block, Some(e), base, seed)?;
                match projected(&split, features, [count, select, test], sizes, seeds) {
                    Some(t) => t,
                    None => {
                        let d = Diagnostic::new(
                            &codes::DATA_MISFIT,
                            e.span,
                            "binary classification needs data with at least two classes",
                        );
                        self.push(d);
                        return None;
                    }
                }
            }
            _ => {
                let truth = match name {
                    "scalar_linear_regression" => Truth::Linear,
                    "scalar_affine_regression" => Truth::Affine,
                    _ => Truth::Network,
                };
                Tasks::regression(truth, features, count + select + test, sizes, seeds)
            }
        };
        let tasks = sets(&tasks, count, select);
        let made = as_dataset(&tasks.search).map_err(|f| f.at(span)).and_then(|d| {
            let fractions = Fractions { search: 0.6, select: 0.2, test: Some(0.2) };
            Split::new(&d, fractions, seed, span).map(|s| (d, s))
        });
        self.tasks = Some(tasks);
        made.map_err(|d| self.push(d)).ok()
    }
}

/// The examples to learn from of all tasks, as one data set: its shape, and its hash for the run.
fn as_dataset(t: &Tasks) -> Result<Dataset, crate::data::Fault> {
    let narrow = |xs: Vec<f64>| Values::F32(xs.into_iter().map(|x| x as f32).collect());
    let x = t.tasks.iter().flat_map(|t| t.train.x.iter().chain(&t.valid.x).copied()).collect();
    let y = t.tasks.iter().flat_map(|t| t.train.y.iter().chain(&t.valid.y).copied()).collect();
    Dataset::new(Contents {
        name: t.name.clone(),
        inputs: vec![Field { name: "features".into(), shape: vec![t.features], values: narrow(x) }],
        target: Target::Numbers(Field { name: "label".into(), shape: Vec::new(), values: narrow(y) }),
        test_from: None,
    })
}

/// Pairs of classes, each projected by a random matrix of its own and normalized by what is learned from (as in AutoML-Zero's
/// tasks from CIFAR-10). What is predicted comes from other examples. The search, the choice among what it found and the
/// test have pairs of their own, where there are enough; and the test predicts examples of the data's test part.
fn projected(
    split: &Split,
    features: usize,
    counts: [usize; 3],
    sizes: (usize, usize),
    seeds: (u64, u64),
) -> Option<Tasks> {
    let data = split.search.data();
    let Target::Classes { labels, names } = &data.target else { return None };
    if names.len() < 2 {
        return None;
    }
    let input = &data.inputs[0];
    let size = input.size();
    let pixel = |i: usize| match &input.values {
        Values::U8(v) => f64::from(v[i]),
        Values::I32(v) => f64::from(v[i]),
        Values::F32(v) => f64::from(v[i]),
    };
    let examples = |p: &Part, a: usize, b: usize| -> Vec<usize> {
        let of = |e: &usize| labels[*e] == a as i32 || labels[*e] == b as i32;
        p.indices().iter().map(|&e| e as usize).filter(of).collect()
    };
    let mut all: Vec<(usize, usize)> = (0..names.len()).flat_map(|b| (0..b).map(move |a| (a, b))).collect();
    Stream::new(seeds.0, "pairs").shuffle(&mut all);
    let n = all.len();
    let fifth = n.div_ceil(5);
    // Two classes are one pair, which has to do for everything.
    let pairs =
        if n < 3 { [&all[..]; 3] } else { [&all[..n - 2 * fifth], &all[n - 2 * fifth..n - fifth], &all[n - fifth..]] };
    let make = |k: usize| {
        let mut params = Stream::new(seeds.0 + k as u64, "projection");
        let set = usize::from(k >= counts[0]) + usize::from(k >= counts[0] + counts[1]);
        let mut pair = pairs[set][params.below(pairs[set].len())];
        if params.flip(0.5) {
            pair = (pair.1, pair.0);
        }
        let (a, b) = pair;
        let matrix: Vec<f64> = (0..features * size).map(|_| params.normal()).collect();
        let mut draws = Stream::new(seeds.1 + k as u64, "examples");
        let mut side = |p: &Part, n: usize| {
            let all = examples(p, a, b);
            let mut out = Examples::default();
            for _ in 0..if all.is_empty() { 0 } else { n } {
                let e = all[draws.below(all.len())];
                for row in matrix.chunks(size) {
                    out.x.push(row.iter().enumerate().map(|(j, w)| w * pixel(e * size + j)).sum());
                }
                out.y.push(f64::from(u8::from(labels[e] == b as i32)));
            }
            out
        };
        let unseen = if set == 2 && !split.test.is_empty() { &split.test } else { &split.select };
        let mut task = Task { train: side(&split.search, sizes.0), valid: side(unseen, sizes.1) };
        for f in 0..features {
            let n = task.train.y.len().max(1) as f64;
            let column = |e: &Examples| -> Vec<f64> { e.x.iter().skip(f).step_by(features).copied().collect() };
            let xs = column(&task.train);
            let mean = xs.iter().sum::<f64>() / n;
            let deviation = (xs.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt().max(1e-12);
            for e in [&mut task.train, &mut task.valid] {
                e.x.iter_mut().skip(f).step_by(features).for_each(|x| *x = (*x - mean) / deviation);
            }
        }
        task
    };
    Some(Tasks::new(PROJECTED, features, Labels::Classes, (0..counts.iter().sum()).map(make).collect()))
}
