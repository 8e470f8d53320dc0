//! The compiler of search programs: strategies, evaluations, functions and objectives.
//!
//! ```text
//! ast ─ check ─▶ typed tree ─ lower ─▶ IR ─ jit ─▶ machine code ◀─▶ runtime ◀─▶ Host
//!                                       └─ interp (reference) ──────▶ runtime
//! ```
//!
//! [`Env`] says what programs can name; [`contract`] what they may ask of the runtime; [`Host`] serves it.
//! [`Program::compile`] makes a program of a strategy or an evaluation, [`Program::expression`] of an objective.
//!
//! Values have value semantics: lists and records are counted and copied when a shared one is written, function
//! values have copies of what they read, so there are no cycles and no aliases.

#![allow(clippy::single_match_else, reason = "a match keeps both outcomes side by side")]
#![allow(clippy::match_same_arms, reason = "the order of arms is the order of the rules")]

mod arith;
mod builtins;
mod check;
mod check_call;
mod check_expr;
pub mod contract;
pub mod env;
mod heap;
pub mod host;
mod infer;
mod interp;
mod ir;
mod jit;
mod lower;
mod program;
mod runtime;
#[cfg(test)]
mod tests;
mod tree;
pub mod types;

pub use builtins::{Sig, all as builtins};
pub use contract::HostFn;
pub use env::{Env, FunItem, Item, LIBRARY, OpItem, Scope, scope_of};
pub use heap::{Handle, Heap, Obj};
pub use host::{Host, OpRef, Opaque, Stop, Value};
pub use program::{Program, SigParam, Signature, constant, metrics, signature};
pub use types::{Tag, Type};
