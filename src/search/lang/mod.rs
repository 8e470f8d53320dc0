//! The compiler of search programs: strategies, evaluations, functions and objectives.

mod builtins;
mod check;
mod check_call;
mod check_expr;
pub mod contract;
pub mod env;
pub mod host;
mod infer;
mod tree;
pub mod types;
