//! The tensor IR and what is done to it; see [`ir`] for its meaning.

pub mod build;
pub mod grad;
#[cfg(test)]
mod grad_tests;
mod inverse;
pub mod ir;
pub mod range;
pub mod text;
#[cfg(test)]
pub mod testing;
pub mod verify;

pub use build::Body;
pub use grad::gradients;
pub use ir::{
    Atom, BinaryOp, CompareOp, DType, Equation, Graph, Guard, Index, Init, Input, Kind, Node, NodeId, Op, Reduce,
    ReduceOp, Role, Scatter, UnaryOp, Val,
};
pub use verify::verify;
