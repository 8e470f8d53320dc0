//! `nasc` compiles `.nas`, a language for neural architecture search.

pub mod base;
pub mod cli;
pub mod data;
pub mod diag;
pub mod exec;
pub mod graph;
pub mod learn;
pub mod report;
pub mod search;
pub mod sema;
pub mod space;
pub mod store;
pub mod syntax;
