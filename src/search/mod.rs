//! The search side: what runs a strategy.

pub mod engine;
