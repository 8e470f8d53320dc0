//! Training one candidate: its graphs, its weights, and what is measured on it.
//!
//! These are the mechanisms that the language's calls reach (`build`, `fit`, `score`, `params`, ..). What is a method (a
//! schedule, early stopping, a proxy) is a program in `stdlib/`.

pub mod channels;
pub mod cost;
pub mod inherit;
pub mod model;
pub mod step;

pub use model::{Learner, Model, Trouble};

#[cfg(test)]
mod tests;
