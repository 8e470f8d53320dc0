//! Data sets: where examples come from, how they are divided, and how they reach a network.
//!
//! A [`Dataset`] holds examples as the source has them (bytes stay bytes). A [`Split`] divides it by class into the
//! three parts of a search: `search` (weights are trained on it), `select` (candidates are scored on it) and `test`
//! (the final report reads it once). A [`Part`] is a list of example indices over the shared data; gathering a batch
//! normalizes with the mean and deviation of the search part, and augments where asked.
//!
//! Everything here is a function of (files, arguments, seed): the same on every machine, whatever the number of threads.
//! What a reader finds wrong is a [`Fault`], which names the file and the byte or line; [`Fault::at`] places it in the
//! user's program.

mod augment;
mod batch;
mod call;
mod cifar;
mod csv;
mod dataset;
mod fault;
mod idx;
mod images;
mod kept;
mod npy;
mod npz;
mod part;
mod read;
mod split;
mod table;

pub use augment::{Augment, Augmented};
pub use batch::{Batches, Feed, Last, Order};
pub use call::{Arg, DataCall, Param, ParamType, Signature, Value, known, open};
pub use dataset::{Contents, Dataset, Field, Target, Values};
pub use fault::Fault;
pub use kept::{Kept, stamp};
pub use part::{Channel, Layout, Normalization, Part};
pub use split::{Fractions, Role, Split};
pub use table::Table;

#[cfg(test)]
mod tests;
