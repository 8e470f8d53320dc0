//! What every stage needs: source positions, stable hashes and keyed random streams.

pub mod hash;
pub mod rng;
pub mod span;

pub use span::{FileId, Source, Sources, Span};
