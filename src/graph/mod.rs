//! The tensor IR and what is done to it; see [`ir`] for its meaning.

pub mod build;
pub mod canonical;
pub mod fuse;
pub mod grad;
#[cfg(test)]
mod grad_tests;
mod inverse;
pub mod ir;
pub mod range;
pub mod simplify;
pub mod template;
#[cfg(test)]
pub mod testing;
pub mod text;
pub mod verify;

pub use build::Body;
pub use canonical::canonical_text;
pub use fuse::{fuse, optimize};
pub use grad::gradients;
pub use ir::{
    At, Atom, BinaryOp, CompareOp, DType, Equation, Graph, Guard, Index, Init, Input, Kind, Node, NodeId, Op, Reduce,
    ReduceOp, Role, Scatter, UnaryOp, Val,
};
pub use simplify::simplify;
pub use verify::verify;
