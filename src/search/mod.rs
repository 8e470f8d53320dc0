//! The search side: the programs that move a search, and what runs them.

pub mod engine;
pub mod lang;
