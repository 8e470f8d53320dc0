//! The order in which a part's examples are seen.

use super::part::Part;
use crate::base::rng::Stream;

/// How a part is walked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As the indices are, for evaluation.
    Sequential,
    /// In an order drawn for (seed, epoch), for training.
    Shuffled {
        /// Seed of the training.
        seed: u64,
        /// Counted from 0.
        epoch: u64,
    },
}

/// What becomes of examples that do not fill a batch at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// A smaller batch, for evaluation.
    Keep,
    /// Left out in this epoch, unless the part has no full batch at all: for training.
    Drop,
}

/// The batches of one epoch: slices of example indices.
#[derive(Clone, Debug)]
pub struct Batches {
    order: Vec<u32>,
    size: usize,
}

impl Batches {
    /// How many batches there are.
    pub fn len(&self) -> usize {
        self.order.len().div_ceil(self.size)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The batch `i`, if there are so many.
    pub fn get(&self, i: usize) -> Option<&[u32]> {
        self.order.chunks(self.size).nth(i)
    }

    /// All batches in order.
    pub fn iter(&self) -> std::slice::Chunks<'_, u32> {
        self.order.chunks(self.size)
    }
}

impl<'a> IntoIterator for &'a Batches {
    type Item = &'a [u32];
    type IntoIter = std::slice::Chunks<'a, u32>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Part {
    /// The part's examples in batches of `size` (at least 1).
    pub fn batches(&self, size: usize, order: Order, last: Last) -> Batches {
        let size = size.max(1);
        let mut all = self.indices().to_vec();
        if let Order::Shuffled { seed, epoch } = order {
            Stream::new(seed, &format!("epoch {epoch}")).shuffle(&mut all);
        }
        if last == Last::Drop && all.len() > size {
            all.truncate(all.len() / size * size);
        }
        Batches { order: all, size }
    }

    /// Training batches: shuffled, the last smaller one dropped.
    pub fn training(&self, size: usize, seed: u64, epoch: u64) -> Batches {
        self.batches(size, Order::Shuffled { seed, epoch }, Last::Drop)
    }

    /// Evaluation batches: in order, every example once.
    pub fn evaluation(&self, size: usize) -> Batches {
        self.batches(size, Order::Sequential, Last::Keep)
    }
}

/// Training batches without end, epoch after epoch (`data.valid.next(batch)`); the step says all, so that a snapshot
/// needs to keep only it.
#[derive(Clone, Debug)]
pub struct Feed {
    part: Part,
    size: usize,
    seed: u64,
    step: u64,
    current: Option<(u64, Batches)>,
}

impl Feed {
    /// The batches of `part` from `step` on, counted from 0.
    pub fn new(part: Part, size: usize, seed: u64, step: u64) -> Self {
        Self { part, size: size.max(1), seed, step, current: None }
    }

    /// The next step's number.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Batches in an epoch: those that are full, or one.
    pub fn per_epoch(&self) -> u64 {
        (self.part.len() / self.size).max(1) as u64
    }

    /// The part that the batches are of.
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// The next batch, as indices of the data set.
    pub fn advance(&mut self) -> &[u32] {
        let (epoch, i) = (self.step / self.per_epoch(), self.step % self.per_epoch());
        self.step += 1;
        if self.current.as_ref().is_none_or(|c| c.0 != epoch) {
            self.current = None;
        }
        let (part, size, seed) = (&self.part, self.size, self.seed);
        let (_, batches) = self.current.get_or_insert_with(|| (epoch, part.training(size, seed, epoch)));
        batches.get(i as usize).unwrap_or(&[])
    }
}
