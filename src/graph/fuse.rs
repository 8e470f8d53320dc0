//! Fusion: elementwise producers are computed inside of their consumers, so that their tensors are never stored.
//!
//! A producer goes only where it disappears: all of its consumers take it, and it is no output. Work is not repeated
//! but where it is a few cheap operations, and memory traffic does not grow. Nothing but a plain view (a transpose, a
//! slice inside its tensor) enters the operands of a contraction, a sum over the product of two reads: executors
//! recognize those. Epilogues of reductions stay nodes; executors fuse them when they schedule.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use super::build::Body;
use super::grad::is_costly;
use super::simplify::{Marks, dead, refresh_example, simplify_marked};
use super::template::{Kinds, number, remembered, structure};
use super::{At, BinaryOp, DType, Equation, Graph, Guard, Kind, Node, NodeId, Op, ReduceOp, Scatter, Val};
use crate::base::hash::Mixer;
use crate::base::memo::Memo;

/// A body does not grow beyond this many operations.
const LARGEST_BODY: usize = 48;
/// What may be computed several times has at most this many operations, none of them costly.
const CHEAP: usize = 6;

/// See the module documentation.
pub fn fuse(g: &mut Graph) {
    let mut marks = Marks::new(g);
    fuse_marked(g, &mut marks);
}

/// As [`fuse`]; the marks say in the end which nodes may be made simpler.
fn fuse_marked(g: &mut Graph, marks: &mut Marks) {
    // Of each node, in their order.
    let mut users: Vec<Vec<NodeId>> = vec![Vec::new(); g.nodes.len()];
    for id in g.ids() {
        g.node(id).reads(|x| {
            let list = &mut users[x.0 as usize];
            if list.last() != Some(&id) {
                list.push(id);
            }
        });
    }
    let mut kept: BTreeSet<NodeId> = g.outputs.iter().map(|(_, id)| *id).collect();
    kept.extend(g.updates.iter().map(|(_, from)| *from));
    for id in g.ids() {
        let consumers = std::mem::take(&mut users[id.0 as usize]);
        if kept.contains(&id) || consumers.is_empty() || !goes_into_all(g, id, &consumers) {
            continue;
        }
        for &c in &consumers {
            inline(g, id, c);
            marks.changed(c);
        }
    }
    dead(g, marks);
}

/// All that is done to a graph before it is compiled: simplification, fusion, and what fusion made simple.
pub fn optimize(g: &mut Graph) {
    optimize_folded(g, 0..0);
}

/// As [`optimize`], where the bodies of some nodes are known to be folded, as [`Body`] leaves them: gradients, say.
pub fn optimize_folded(g: &mut Graph, folded: Range<usize>) {
    let mut marks = Marks::folded(g, folded);
    simplify_marked(g, &mut marks);
    fuse_marked(g, &mut marks);
    simplify_marked(g, &mut marks);
}

/// Whether a node is a sum over the product of two reads.
pub fn is_contraction(kind: &Kind) -> bool {
    let Kind::Equation(Equation { reduce: Some(r), body, .. }) = kind else { return false };
    r.op == ReduceOp::Sum
        && matches!(body.as_slice(), [Op::Read(..), Op::Read(..), Op::Binary(BinaryOp::Mul, a, b)] if a != b)
}

fn parts(kind: &Kind) -> Option<(&[Guard], &[Op])> {
    match kind {
        Kind::Equation(e) | Kind::Arg(e) => Some((&e.guards, &e.body)),
        Kind::Scatter(s) => Some((&s.guards, &s.body)),
        Kind::Input(_) | Kind::Concat { .. } | Kind::Reshape(_) | Kind::Random { .. } => None,
    }
}

fn goes_into_all(g: &Graph, id: NodeId, consumers: &[NodeId]) -> bool {
    let node = g.node(id);
    let Kind::Equation(Equation { reduce: None, guards, body }) = &node.kind else { return false };
    if guards.iter().any(|guard| guard.index().has_load()) {
        return false;
    }
    let view = guards.is_empty() && matches!(body.as_slice(), [Op::Read(_, at)] if at.is_affine());
    let work = body.iter().filter(|op| !matches!(op, Op::Read(..) | Op::Const(_))).count();
    let cheap = work <= CHEAP && !body.iter().any(is_costly);
    let mut reads = 0;
    for &c in consumers {
        let consumer = g.node(c);
        let Some((_, ops)) = parts(&consumer.kind) else { return false };
        let at: Vec<&At> = ops.iter().filter_map(|op| places(op).filter(|(t, _)| *t == id).map(|(_, at)| at)).collect();
        // A load of it would not be a read of the body.
        let mut all = 0;
        consumer.reads(|x| all += usize::from(x == id));
        if all != at.len() || ops.len() + at.len() * body.len() > LARGEST_BODY {
            return false;
        }
        if is_contraction(&consumer.kind) && !view {
            return false;
        }
        if !view && !at.iter().all(|at| at.is_affine()) {
            return false;
        }
        let once = consumers.len() == 1 && at.len() == 1 && points(consumer) <= node.len();
        if !(once || cheap || view) {
            return false;
        }
        reads += at.len();
    }
    // Stored: read the sources, write it, read it. Fused: read the sources for each read of it.
    let large = |op: &&Op| matches!(op, Op::Read(t, _) if 4 * g.node(*t).len() >= node.len());
    let sources = body.iter().filter(large).count();
    reads * sources <= sources + 1 + reads
}

fn places(op: &Op) -> Option<(NodeId, &At)> {
    match op {
        Op::Read(t, at) => Some((*t, at)),
        _ => None,
    }
}

fn points(node: &Node) -> usize {
    match &node.kind {
        Kind::Equation(e) | Kind::Arg(e) => e.extents(&node.shape).iter().product(),
        Kind::Scatter(s) => s.extents.iter().product(),
        Kind::Input(_) | Kind::Concat { .. } | Kind::Reshape(_) | Kind::Random { .. } => node.len(),
    }
}

/// Replaces the reads of an elementwise equation in one consumer by its body.
fn inline(g: &mut Graph, id: NodeId, consumer: NodeId) {
    let aside =
        Node { kind: Kind::Reshape(id), shape: Vec::new(), dtype: DType::Float, example: None, label: String::new() };
    let mut node = std::mem::replace(&mut g.nodes[consumer.0 as usize], aside);
    let (mut key, mut met) = (Mixer::default(), vec![id]);
    let mut plain = structure(&node, &mut key, &mut |x| number(&mut met, x));
    plain &= structure(g.node(id), &mut key, &mut |x| number(&mut met, x));
    let fused =
        if plain { remembered(&KNOWN, &key, &met, || substituted(g, id, &node)) } else { substituted(g, id, &node) };
    if let Some(kind) = fused {
        node.kind = kind;
    }
    refresh_example(g, &mut node);
    g.nodes[consumer.0 as usize] = node;
}

thread_local! {
    /// What [`substituted`] gave, by the structures of both nodes.
    static KNOWN: RefCell<Kinds> = const { RefCell::new(Memo::new(8192)) };
}

/// How a consumer is computed without reading the equation `id`.
fn substituted(g: &Graph, id: NodeId, node: &Node) -> Option<Kind> {
    let Kind::Equation(producer) = &g.node(id).kind else { return None };
    let (extents, reducing) = match &node.kind {
        Kind::Equation(e) | Kind::Arg(e) => (e.extents(&node.shape), e.reduce.is_some()),
        Kind::Scatter(s) => (s.extents.clone(), true),
        Kind::Input(_) | Kind::Concat { .. } | Kind::Reshape(_) | Kind::Random { .. } => return None,
    };
    let (guards, ops) = parts(&node.kind)?;
    let mut body = Body::new(g, &extents, reducing);
    for guard in guards {
        body.guard(guard.clone());
    }
    let mut vals: Vec<Val> = Vec::with_capacity(ops.len());
    for op in ops {
        let val = match op {
            Op::Read(t, at) if *t == id && at.is_identity() && producer.guards.is_empty() => {
                body.append(&producer.body)
            }
            Op::Read(t, at) if *t == id => {
                let mut sub = |v: usize| at[v].clone();
                let value = body.splice(&producer.body, &mut sub);
                let zero = (!producer.guards.is_empty()).then(|| body.constant(0.0));
                producer.guards.iter().fold(value, |value, guard| {
                    let test = body.test(guard.substitute(&mut sub));
                    zero.map_or(value, |zero| body.select(test, value, zero))
                })
            }
            op => body.push(op.with_operands(&mut |v| vals[v.0 as usize])),
        };
        vals.push(val);
    }
    let result = vals[vals.len() - 1];
    let (guards, body) = body.finish(result);
    match &node.kind {
        Kind::Equation(e) => Some(Kind::Equation(Equation { reduce: e.reduce.clone(), guards, body })),
        Kind::Arg(e) => Some(Kind::Arg(Equation { reduce: e.reduce.clone(), guards, body })),
        Kind::Scatter(s) => {
            Some(Kind::Scatter(Scatter { extents: s.extents.clone(), guards, target: s.target.clone(), body }))
        }
        Kind::Input(_) | Kind::Concat { .. } | Kind::Reshape(_) | Kind::Random { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{testing, text, verify};
    use super::*;

    fn check(before: &str, after: &str) {
        let mut g = text::parse(before).unwrap();
        assert_eq!(verify(&g), Ok(()));
        fuse(&mut g);
        assert_eq!(text::print(&g), after);
        assert_eq!(verify(&g), Ok(()));
    }

    #[test]
    fn a_chain_becomes_one_equation() {
        check(
            "\
%0 = input data \"x\" : float[4]
%1 = map : float[6]
  where 0 <= i0 - 1 < 4
  t0 = %0[i0 - 1]
  t1 = exp t0
%2 = map : float[6]
  t0 = %1[-i0 + 5]
  t1 = tanh t0
%3 = sum[6] : float[]
  t0 = %2[i0]
output \"y\" %3
",
            "\
%0 = input data \"x\" : float[4]
%1 = sum[6] : float[]
  t0 = %0[-i0 + 4]
  t1 = exp t0
  t2 = const 0.0
  t3 = test 0 <= -i0 + 4 < 4
  t4 = select t3 t1 t2
  t5 = tanh t4
output \"y\" %1
",
        );
    }

    #[test]
    fn contractions_and_costly_work_are_left_alone() {
        let text = "\
%0 = input data \"x\" : float[4, 4]
%1 = map : float[4, 4]
  t0 = %0[i0, i1]
  t1 = neg t0
%2 = sum[4] : float[4, 4]
  t0 = %1[i0, i2]
  t1 = %0[i2, i1]
  t2 = mul t0 t1
%3 = map : float[4, 4]
  t0 = %0[i0, i1]
  t1 = exp t0
%4 = sum[3] : float[4, 4]
  where 0 <= i0 + i2 < 4
  t0 = %3[i0 + i2, i1]
output \"y\" %2
output \"z\" %4
";
        check(text, text);
    }

    #[test]
    fn a_view_enters_a_contraction() {
        check(
            "\
%0 = input data \"x\" : float[4, 5]
%1 = map : float[5, 4]
  t0 = %0[i1, i0]
%2 = sum[5] : float[4, 4]
  t0 = %1[i2, i0]
  t1 = %0[i1, i2]
  t2 = mul t0 t1
output \"y\" %2
",
            "\
%0 = input data \"x\" : float[4, 5]
%1 = sum[5] : float[4, 4]
  t0 = %0[i0, i2]
  t1 = %0[i1, i2]
  t2 = mul t0 t1
output \"y\" %1
",
        );
    }

    #[test]
    fn a_training_step_keeps_its_meaning_and_its_contractions() {
        let (g, inputs) = testing::training_step(3);
        let count = |g: &Graph| g.nodes.iter().filter(|n| is_contraction(&n.kind)).count();
        let before = crate::exec::reference::evaluate_f64(&g, &inputs, 1, 0).unwrap();
        let mut h = g.clone();
        super::super::simplify::simplify(&mut h);
        let simplified = h.nodes.len();
        let contractions = count(&h);
        fuse(&mut h);
        assert_eq!(verify(&h), Ok(()), "{}", text::print(&h));
        assert!(h.nodes.len() < simplified);
        assert!(count(&h) >= contractions);
        testing::close(&before, &crate::exec::reference::evaluate_f64(&h, &inputs, 1, 0).unwrap(), "fuse");
        let mut h = g.clone();
        optimize(&mut h);
        assert_eq!(verify(&h), Ok(()), "{}", text::print(&h));
        testing::close(&before, &crate::exec::reference::evaluate_f64(&h, &inputs, 1, 0).unwrap(), "optimize");
    }
}
