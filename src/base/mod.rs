//! What every stage needs: source positions, stable hashes, kept results, and keyed random streams.

pub mod hash;
pub mod memo;
pub mod rng;
pub mod span;

pub use span::{FileId, Source, Sources, Span};
