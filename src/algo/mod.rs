//! Algorithms (AutoML-Zero, Real et al. 2020): programs over typed memory, with three parts.
//!
//! * [`set`]: instructions. Each is a primitive of the language for one combination of operand types; what it does is
//!   its equations, and nothing here knows a single one of them.
//! * [`program`]: programs, their simplification, and their text, an `algorithm` item.
//! * [`read`]: from an `algorithm` item to a program.
//! * [`design`]: `space x = algorithms(..)`: which memory, which instructions, how many.
//! * [`vary`]: random programs, and random changes of programs.
//! * `plan`, `step`, `four`, `live`, `machine`: execution. An instruction's equations become loops once; a program is
//!   its live instructions' loops, placed in memory. Several tasks run in lockstep, one in each lane of every cell.
//! * [`task`], [`runner`]: regression and classification tasks, and how programs are scored on them, millions in a row.
//!
//! Memory is scalars (`s0`, `s1`, ..), vectors (`v0`, ..) and matrices (`m0`, ..) of 64-bit numbers; every axis is as
//! long as there are features. `v0` holds the features and `s0` the label (0 while predicting); neither is ever
//! written by an instruction. `s1` is the prediction.

pub mod design;
mod four;
mod live;
mod machine;
mod plan;
pub mod program;
pub mod read;
pub mod runner;
pub mod set;
mod step;
pub mod task;
pub mod vary;

#[cfg(test)]
mod tests;

pub use design::Design;
pub use program::{Instr, PARTS, Program};
pub use set::{Instruction, Rank, Set};
