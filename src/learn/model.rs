//! A candidate with weights.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::base::rng::Stream;
use crate::data::{Augment, Layout, Part};
use crate::diag::Diagnostic;
use crate::exec::{ExecError, Executor, Feed, Memory, Program, Tensor};
use crate::graph::{DType, Graph, Role};
use crate::space::apply::OpUse;
use crate::space::decision::Candidate;
use crate::space::{Space, Want};

use super::cost;
use super::inherit;
use super::step::{self, CLIP, Recipe, TARGET, Target};

/// Most examples of one inference run.
const EVALUATED_AT_ONCE: usize = 256;

/// What all children of a search share.
pub struct Learner {
    /// The space.
    pub space: Arc<Space>,
    /// What runs graphs.
    pub exec: Arc<dyn Executor>,
    /// What is predicted.
    pub target: Target,
}

/// Why training or scoring ended early.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// The loss is not finite.
    Diverged(String),
    /// It needs more memory than it may use.
    Memory(String),
    /// The search stops.
    Cancelled,
    /// The program is wrong: a loss that gives no number, a metric that does not fit.
    Wrong(Box<Diagnostic>),
    /// The executor failed.
    Failed(String),
}

impl From<ExecError> for Trouble {
    fn from(e: ExecError) -> Self {
        match e {
            ExecError::Memory { .. } => Trouble::Memory(e.to_string()),
            e => Trouble::Failed(e.to_string()),
        }
    }
}

impl From<Diagnostic> for Trouble {
    fn from(d: Diagnostic) -> Self {
        Trouble::Wrong(Box::new(d))
    }
}

struct Compiled {
    program: Box<dyn Program>,
    knobs: Vec<String>,
    /// The shape of each data input but the target, with the examples first.
    inputs: Vec<(String, Vec<usize>, DType)>,
    outputs: Vec<Vec<usize>>,
    weights: u64,
}

/// How one pass over the data is made.
pub struct Pass<'a> {
    /// The examples.
    pub part: &'a Part,
    /// Batch size, loss, optimizer, clipping.
    pub recipe: Recipe,
    /// Values of knobs: the optimizer's by their name, others as `drop_path` or `drop_path.p`.
    pub knobs: Vec<(String, f64)>,
    /// Changes of the examples.
    pub augment: Augment,
    /// Looked at between batches.
    pub cancelled: &'a dyn Fn() -> bool,
}

/// A candidate's network and its weights.
pub struct Model {
    learner: Arc<Learner>,
    candidate: Candidate,
    memory: Box<dyn Memory>,
    programs: BTreeMap<String, Compiled>,
    seed: u64,
    step: u64,
    passes: u64,
    scratch: u64,
    /// Whether all weights exist: they are made when they are needed first, most often by a training step.
    complete: bool,
    /// What inheriting could not keep exactly.
    pub losses: Vec<String>,
}

impl Model {
    /// The candidate's network with fresh weights: a pure function of `seed` and the weights' sites.
    pub fn new(learner: Arc<Learner>, candidate: Candidate, seed: u64) -> Self {
        let memory = learner.exec.memory();
        Self {
            learner,
            candidate,
            memory,
            programs: BTreeMap::new(),
            seed,
            step: 0,
            passes: 0,
            scratch: 0,
            complete: false,
            losses: Vec::new(),
        }
    }

    /// Makes the weights that do not exist yet. A training step alone may leave out what only inference reads.
    fn complete(&mut self) -> Result<(), Trouble> {
        if !self.complete {
            let g = step::forward(&self.learner.space, &self.candidate, 1)?;
            self.ensure(&g)?;
            self.complete = true;
        }
        Ok(())
    }

    /// The candidate's network with the weights of a relative where sites agree; see [`inherit`]. `parent` is the
    /// candidate that this one was made from, if it is known: where the saved weights are those of an equal network with
    /// other sites, they are renamed.
    ///
    /// If the candidate was made by growing and shrinking (its lineage), its outputs are compared with those of the saved
    /// network on a few examples of noise, and a difference is reported.
    pub fn inheriting(
        learner: Arc<Learner>,
        candidate: Candidate,
        seed: u64,
        saved: &[u8],
        parent: Option<&Candidate>,
    ) -> Result<Self, Trouble> {
        let mut m = Self::new(learner, candidate, seed);
        m.complete()?;
        let mut saved = inherit::read(saved).map_err(Trouble::Failed)?;
        if let Some(parent) = parent.filter(|p| p.genotype_key() != saved.candidate.genotype_key()) {
            let names = inherit::renamed(&m.learner.space, &saved.candidate, parent);
            if let Some(names) = names {
                let rename = |(n, t): (String, Tensor)| names.get(&n).map(|new| (new.clone(), t));
                saved.tensors = std::mem::take(&mut saved.tensors).into_iter().filter_map(rename).collect();
                saved.candidate = parent.clone();
            }
        }
        let want = Want::Graph { batch: 1, training: false };
        let built = m.learner.space.build(&m.candidate, want).map_err(crate::space::BuildError::diagnostic)?;
        let mut g = built.graph;
        crate::graph::simplify::simplify(&mut g);
        m.losses = inherit::adopt(&g, &m.candidate, &saved, m.memory.as_mut());
        if !m.candidate.lineage.is_empty()
            && let Some((drift, scale)) = m.drift(saved)?
            && drift > 1e-4 * (1.0 + scale)
        {
            m.losses
                .push(format!("the outputs differ from the parent's by up to {drift:.2e} (they reach {scale:.2e})"));
        }
        Ok(m)
    }

    /// How far the outputs are from those of a saved network, and how large those are.
    fn drift(&mut self, saved: inherit::Saved) -> Result<Option<(f32, f32)>, Trouble> {
        let mut parent = Self::new(self.learner.clone(), saved.candidate, self.seed);
        match parent.complete() {
            Ok(()) => {}
            // The space may have changed since; then there is nothing to compare with.
            Err(Trouble::Wrong(_)) => return Ok(None),
            Err(t) => return Err(t),
        }
        for (name, t) in &saved.tensors {
            parent.memory.set(name, t);
        }
        let (before, after) = (parent.on_noise()?, self.on_noise()?);
        if before.shape != after.shape {
            return Ok(None);
        }
        let largest =
            |xs: &mut dyn Iterator<Item = f32>| xs.fold(0.0, |m: f32, x| if x.is_nan() { x } else { m.max(x) });
        let drift = largest(&mut before.floats().iter().zip(after.floats()).map(|(a, b)| (a - b).abs()));
        Ok(Some((drift, largest(&mut before.floats().iter().map(|x| x.abs())))))
    }

    /// Outputs for a few examples of noise.
    fn on_noise(&mut self) -> Result<Tensor, Trouble> {
        const EXAMPLES: usize = 4;
        let key = format!("forward {EXAMPLES}");
        self.compile(&key, |m| step::forward(&m.learner.space, &m.candidate, EXAMPLES))?;
        self.complete = true;
        let Some(c) = self.programs.get_mut(&key) else { return Ok(Tensor::float(&[0], Vec::new())) };
        let noise = |(n, shape, dtype): &(String, Vec<usize>, DType)| {
            let mut rng = Stream::new(0, n);
            let len: usize = shape.iter().product();
            let t = match dtype {
                DType::Float => Tensor::float(shape, (0..len).map(|_| rng.normal() as f32).collect()),
                DType::Int => Tensor::int(shape, vec![0; len]),
            };
            (n.clone(), t)
        };
        let tensors: Vec<(String, Tensor)> = c.inputs.iter().map(noise).collect();
        let data = tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
        let mut out = c.program.run(&Feed { data, ..Feed::default() }, self.memory.as_mut())?;
        Ok(out.swap_remove(0))
    }

    fn ensure(&mut self, g: &Graph) -> Result<(), Trouble> {
        let needed = g.lasting_bytes();
        if let Some(limit) = self.learner.exec.limit().filter(|&l| needed > l) {
            return Err(ExecError::Memory { needed, limit }.into());
        }
        for (id, input) in g.inputs() {
            if let Some(init) = step::initializer(&input.role) {
                self.memory.ensure(&input.name, &g.node(id).shape, init, self.seed)?;
            }
        }
        Ok(())
    }

    /// The candidate.
    pub fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// How many passes over data were made.
    pub fn passes(&self) -> u64 {
        self.passes
    }

    fn compile(&mut self, key: &str, make: impl FnOnce(&Self) -> Result<Graph, Diagnostic>) -> Result<(), Trouble> {
        if self.programs.contains_key(key) {
            return Ok(());
        }
        let g = make(self)?;
        // First, since it refuses what is too large.
        let program = self.learner.exec.compile(&g)?;
        self.ensure(&g)?;
        self.scratch = self.scratch.max(program.scratch_bytes());
        let named = |role: fn(&Role) -> bool| {
            g.inputs()
                .filter(move |(_, i)| role(&i.role) && i.name != TARGET)
                .map(|(id, i)| (i.name.clone(), g.node(id).shape.clone(), g.node(id).dtype))
                .collect::<Vec<_>>()
        };
        let compiled = Compiled {
            program,
            knobs: named(|r| matches!(r, Role::Knob(_))).into_iter().map(|k| k.0).collect(),
            inputs: named(|r| matches!(r, Role::Data)),
            outputs: g.outputs.iter().map(|(_, n)| g.node(*n).shape.clone()).collect(),
            weights: cost::params(&g),
        };
        self.programs.insert(key.to_string(), compiled);
        Ok(())
    }

    /// One pass over the data in batches; the last smaller batch is left out. Gives the mean loss.
    pub fn fit(&mut self, pass: &Pass) -> Result<f64, Trouble> {
        let mut recipe = pass.recipe.clone();
        recipe.batch = recipe.batch.min(pass.part.len()).max(1);
        let key = format!("train {recipe:?}");
        self.compile(&key, |m| step::training(&m.learner.space, &m.candidate, &m.learner.target, &recipe))?;
        let Some(c) = self.programs.get_mut(&key) else { return Ok(0.0) };
        let optimizer = recipe.optimizer.name(self.learner.space.program());
        let knobs: Vec<(String, f64)> = c
            .knobs
            .iter()
            .filter_map(|k| {
                let (owner, short) = k.split_once('.').unwrap_or(("", k));
                let hit = pass.knobs.iter().find(|(n, _)| {
                    n == k
                        || (owner == optimizer && n == short)
                        || (owner != optimizer && n == owner)
                        || (k == CLIP && n == CLIP)
                })?;
                Some((k.clone(), hit.1))
            })
            .collect();
        let epoch = self.passes;
        let batches = pass.part.training(recipe.batch, self.seed, epoch);
        let augmented = (!pass.augment.is_none()).then(|| pass.augment.epoch(self.seed, epoch));
        let (mut total, mut count) = (0.0, 0);
        let batch = |i: usize| {
            let Some(idx) = batches.get(i) else { return Vec::new() };
            let mut tensors = inputs_of(&c.inputs, pass.part, idx, augmented);
            tensors.push((TARGET.to_string(), target_of(&self.learner.target, pass.part, idx)));
            tensors
        };
        let mut tensors = batch(0);
        for i in 0..batches.len() {
            if (pass.cancelled)() {
                return Err(Trouble::Cancelled);
            }
            let feed = Feed {
                data: tensors.iter().map(|(n, t)| (n.as_str(), t)).collect(),
                knobs: knobs.iter().map(|(n, v)| (n.as_str(), *v)).collect(),
                seed: self.seed,
                step: self.step,
                staged: i > 0,
            };
            let (out, next) = c.program.run_ahead(&feed, self.memory.as_mut(), &mut || batch(i + 1))?;
            drop(feed);
            tensors = next;
            self.step += 1;
            let loss = f64::from(out[0].floats()[0]);
            if !loss.is_finite() {
                return Err(Trouble::Diverged(format!(
                    "the loss is {loss} in step {} (pass {})",
                    self.step,
                    epoch + 1
                )));
            }
            total += loss;
            count += 1;
        }
        self.passes += 1;
        Ok(total / f64::from(count.max(1)))
    }

    /// The network's outputs for all examples of a part, in order: `[examples, ..]`.
    pub fn outputs(&mut self, part: &Part) -> Result<Tensor, Trouble> {
        let n = part.len().max(1);
        // Chunks of one size, so that one program serves; the last one repeats its last example.
        let chunks = n.div_ceil(EVALUATED_AT_ONCE);
        let size = n.div_ceil(chunks);
        let key = format!("forward {size}");
        self.compile(&key, |m| step::forward(&m.learner.space, &m.candidate, size))?;
        self.complete = true;
        let Some(c) = self.programs.get_mut(&key) else { return Ok(Tensor::float(&[0], Vec::new())) };
        let mut shape = c.outputs[0].clone();
        let row: usize = shape[1..].iter().product();
        let mut all = Vec::with_capacity(n * row);
        for chunk in part.indices().chunks(size) {
            let mut idx = chunk.to_vec();
            idx.resize(size, chunk[chunk.len() - 1]);
            let tensors = inputs_of(&c.inputs, part, &idx, None);
            let feed = Feed {
                data: tensors.iter().map(|(n, t)| (n.as_str(), t)).collect(),
                seed: self.seed,
                step: self.step,
                ..Feed::default()
            };
            let out = c.program.run(&feed, self.memory.as_mut())?;
            all.extend_from_slice(&out[0].floats()[..chunk.len() * row]);
        }
        shape[0] = part.len();
        Ok(Tensor::float(&shape, all))
    }

    /// A metric of the network on a part of the data.
    pub fn score(&mut self, part: &Part, metric: &OpUse) -> Result<f64, Trouble> {
        let output = self.outputs(part)?;
        let key = format!("metric {metric:?} {:?}", output.shape);
        let shape = output.shape.clone();
        self.compile(&key, |m| step::metric(&m.learner.space, metric, &m.learner.target, &shape))?;
        let Some(c) = self.programs.get_mut(&key) else { return Ok(0.0) };
        let target = target_of(&self.learner.target, part, part.indices());
        let feed = Feed { data: vec![("output", &output), (TARGET, &target)], seed: self.seed, ..Feed::default() };
        let out = c.program.run(&feed, self.memory.as_mut())?;
        Ok(f64::from(out[0].floats()[0]))
    }

    /// The number of weights.
    pub fn params(&self) -> Result<u64, Trouble> {
        Ok(cost::params(&step::forward(&self.learner.space, &self.candidate, 1)?))
    }

    /// Multiply-adds for one example; see [`cost::multiply_adds`].
    pub fn flops(&self) -> Result<u64, Trouble> {
        Ok(cost::multiply_adds(&step::forward(&self.learner.space, &self.candidate, 1)?))
    }

    /// Seconds of one inference of `batch` examples: the median of 15 runs after 3 that warm up.
    pub fn latency(&mut self, batch: usize) -> Result<f64, Trouble> {
        let key = format!("forward {batch}");
        self.compile(&key, |m| step::forward(&m.learner.space, &m.candidate, batch))?;
        self.complete = true;
        let Some(c) = self.programs.get_mut(&key) else { return Ok(0.0) };
        let tensors: Vec<(String, Tensor)> = c
            .inputs
            .iter()
            .map(|(n, shape, dtype)| {
                let len = shape.iter().product();
                let t = match dtype {
                    DType::Float => Tensor::float(shape, vec![0.5; len]),
                    DType::Int => Tensor::int(shape, vec![0; len]),
                };
                (n.clone(), t)
            })
            .collect();
        let feed =
            Feed { data: tensors.iter().map(|(n, t)| (n.as_str(), t)).collect(), seed: self.seed, ..Feed::default() };
        let mut times = Vec::new();
        for i in 0..18 {
            let begun = Instant::now();
            c.program.run(&feed, self.memory.as_mut())?;
            if i >= 3 {
                times.push(begun.elapsed().as_secs_f64());
            }
        }
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() / 2])
    }

    /// Bytes of the weights with the optimizer's memory, and of the largest program's buffers so far.
    pub fn memory(&mut self) -> Result<u64, Trouble> {
        self.complete()?;
        let persistent: u64 = self
            .memory
            .names()
            .iter()
            .filter_map(|n| self.memory.get(n))
            .map(|t| 4 * t.shape.iter().product::<usize>() as u64)
            .sum();
        let weights = self.programs.values().map(|c| c.weights).max().unwrap_or(0);
        Ok(persistent.max(4 * weights) + self.scratch)
    }

    /// Everything from which training can go on.
    pub fn save(&mut self) -> Vec<u8> {
        // A network that cannot be built has no weights to save; who trains or scores it is told.
        let _ = self.complete();
        inherit::write(&self.candidate, self.memory.as_ref(), self.step, self.passes)
    }

    /// Puts a saved state in force.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let saved = inherit::read(bytes).map_err(Trouble::Failed)?;
        for (name, t) in &saved.tensors {
            self.memory.set(name, t);
        }
        self.step = saved.step;
        self.passes = saved.passes;
        Ok(())
    }

    /// The weights by name.
    pub fn weights(&mut self) -> Result<Vec<(String, Tensor)>, Trouble> {
        self.complete()?;
        Ok(self.memory.names().into_iter().filter_map(|n| Some((n.clone(), self.memory.get(&n)?))).collect())
    }
}

fn inputs_of(
    inputs: &[(String, Vec<usize>, DType)],
    part: &Part,
    idx: &[u32],
    augmented: Option<crate::data::Augmented>,
) -> Vec<(String, Tensor)> {
    inputs
        .iter()
        .enumerate()
        .map(|(field, (name, shape, dtype))| {
            let t = match dtype {
                DType::Float => {
                    let mut v = Vec::new();
                    part.gather(field, idx, Layout::ExampleFirst, augmented, &mut v);
                    Tensor::float(shape, v)
                }
                DType::Int => {
                    let mut v = Vec::new();
                    part.gather_integers(field, idx, Layout::ExampleFirst, &mut v);
                    Tensor::int(shape, v)
                }
            };
            (name.clone(), t)
        })
        .collect()
}

fn target_of(target: &Target, part: &Part, idx: &[u32]) -> Tensor {
    match target {
        Target::Classes => {
            let mut v = Vec::new();
            part.labels(idx, &mut v);
            Tensor::int(&[idx.len()], v)
        }
        Target::Numbers(dims) => {
            let mut v = Vec::new();
            part.numbers(idx, &mut v);
            let shape: Vec<usize> = std::iter::once(idx.len()).chain(dims.iter().copied()).collect();
            Tensor::float(&shape, v)
        }
    }
}
