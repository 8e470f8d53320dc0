//! What is scheduled otherwise for the threads of a GPU.

use crate::exec::cpu::nest::{Use, dependence};
use crate::graph::{Guard, Index, Op, Scatter};

/// The same scatter with those loops first of which no two iterations add to one place, and their number.
pub fn apart(s: &Scatter) -> (Scatter, usize) {
    let alone = |v: usize| {
        let uses: Vec<&Index> = s.target.iter().filter(|i| dependence(i, v) != Use::None).collect();
        matches!(uses.as_slice(), [i] if i.as_var() == Some(v))
    };
    let (first, rest): (Vec<usize>, Vec<usize>) = (0..s.extents.len()).partition(|&v| alone(v));
    let order: Vec<usize> = first.iter().chain(&rest).copied().collect();
    let mut to = |v: usize| Index::var(order.iter().position(|&x| x == v).unwrap_or(v));
    let mut of = |i: &Index| i.substitute(&mut to);
    let body = s.body.iter().map(|op| match op {
        Op::Read(t, at) => Op::Read(*t, at.iter().map(&mut of).collect()),
        Op::Index(i) => Op::Index(of(i)),
        Op::Test(Guard::InRange(i, n)) => Op::Test(Guard::InRange(of(i), *n)),
        Op::Test(Guard::Zero(i)) => Op::Test(Guard::Zero(of(i))),
        Op::Const(_) | Op::Unary(..) | Op::Binary(..) | Op::Compare(..) | Op::Select(..) => op.clone(),
    });
    let body = body.collect();
    let guards = s.guards.iter().map(|g| match g {
        Guard::InRange(i, n) => Guard::InRange(of(i), *n),
        Guard::Zero(i) => Guard::Zero(of(i)),
    });
    let guards = guards.collect();
    let target = s.target.iter().map(of).collect();
    (Scatter { extents: order.iter().map(|&v| s.extents[v]).collect(), guards, target, body }, first.len())
}
