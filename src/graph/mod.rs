//! The tensor IR and what is done to it; see [`ir`] for its meaning.

pub mod ir;

pub use ir::{
    Atom, BinaryOp, CompareOp, DType, Equation, Graph, Guard, Index, Init, Input, Kind, Node, NodeId, Op, Reduce,
    ReduceOp, Role, Scatter, UnaryOp, Val,
};
