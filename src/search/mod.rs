//! The search side: the programs that move a search, and what runs them.

pub mod check;
pub mod engine;
pub mod hardware;
pub mod lang;
pub mod run;
pub mod setup;
