//! What a network costs: weights, multiply-adds, memory.

use crate::graph::{BinaryOp, Equation, Graph, Kind, Op, ReduceOp, Role};

/// The number of weights.
pub fn params(g: &Graph) -> u64 {
    g.inputs().filter(|(_, i)| matches!(i.role, Role::Param(_))).map(|(id, _)| g.node(id).len() as u64).sum()
}

/// Multiply-adds of all sums of products in a forward graph, for the whole batch, padding included: what the field calls
/// FLOPs (NAS-Bench-201 and DARTS count so; twice as many floating-point operations).
pub fn multiply_adds(g: &Graph) -> u64 {
    g.nodes
        .iter()
        .map(|n| match &n.kind {
            Kind::Equation(e) if is_contraction(e) => e.extents(&n.shape).iter().map(|&x| x as u64).product(),
            _ => 0,
        })
        .sum()
}

fn is_contraction(e: &Equation) -> bool {
    let reads = |v: crate::graph::Val| matches!(e.body[v.0 as usize], Op::Read(..));
    e.reduce.as_ref().is_some_and(|r| r.op == ReduceOp::Sum)
        && matches!(e.body.last(), Some(Op::Binary(BinaryOp::Mul, a, b)) if reads(*a) && reads(*b))
}
