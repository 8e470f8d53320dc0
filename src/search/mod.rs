//! Searches: the programs that move them and what those programs call.

pub mod lang;
