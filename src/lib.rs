//! `nasc` compiles `.nas`, a language for neural architecture search.

pub mod base;
pub mod diag;
pub mod exec;
pub mod graph;
pub mod search;
pub mod syntax;
