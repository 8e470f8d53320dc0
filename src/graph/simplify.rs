//! Simplification: passes that each remove one kind of redundancy and keep what outputs and updates mean.
//!
//! `Data` and `Knob` inputs stay even where nothing reads them, since they are what a run is given; weights and
//! statistics that nothing reads or updates go.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::build::{Body, compact, example_axis};
use super::range::Facts;
use super::template::{Kinds, number, remembered, structure};
use super::{At, Atom, BinaryOp, Equation, Graph, Guard, Index, Kind, Node, NodeId, Op, ReduceOp, Role, UnaryOp, Val};
use crate::base::hash::Mixer;
use crate::base::memo::Memo;

/// A pass. Gives whether it changed anything that another pass could look at again.
type Pass = fn(&mut Graph, &mut Marks) -> bool;

/// The passes by name, in the order in which they run.
const PASSES: &[(&str, Pass)] = &[
    ("bodies", bodies),
    ("axes", axes),
    ("factors", factors),
    ("reshapes", reshapes),
    ("copies", copies),
    ("equal", equal),
    ("dead", dead_nodes),
];

/// Which nodes a pass has to look at: those that changed, or that read one that did, since it saw them last.
#[derive(Debug)]
pub(super) struct Marks {
    /// For each node, a bit for each pass.
    open: Vec<u8>,
    /// Which passes, by their place in [`PASSES`], found nothing to do in the graph as it is.
    idle: u8,
}

const BODIES: u8 = 1;
const AXES: u8 = 2;
const FACTORS: u8 = 4;
const ALL: u8 = BODIES | AXES | FACTORS;

impl Marks {
    /// Nothing was looked at.
    pub(super) fn new(g: &Graph) -> Self {
        Self { open: vec![ALL; g.nodes.len()], idle: 0 }
    }

    /// Nothing was looked at, but some bodies were folded when they were built: those have to be looked at again only
    /// where they read what copies another tensor, or what is a number.
    pub(super) fn folded(g: &Graph, folded: Range<usize>) -> Self {
        let plain: Vec<bool> = g.ids().map(|id| copied(g, g.node(id)).is_none() && uniform(g, id).is_none()).collect();
        let open = |(i, node): (usize, &Node)| {
            if !folded.contains(&i) {
                return ALL;
            }
            let mut open = ALL & !BODIES;
            node.reads(|x| open |= if plain[x.0 as usize] { 0 } else { BODIES });
            open
        };
        Self { open: g.nodes.iter().enumerate().map(open).collect(), idle: 0 }
    }

    /// A node changed.
    pub(super) fn changed(&mut self, id: NodeId) {
        self.open[id.0 as usize] = ALL;
        self.idle = 0;
    }

    /// Whether some node is open for a pass.
    fn any(&self, pass: u8) -> bool {
        self.open.iter().any(|o| o & pass != 0)
    }
}

/// Runs all passes until nothing changes.
pub fn simplify(g: &mut Graph) {
    let mut marks = Marks::new(g);
    simplify_marked(g, &mut marks);
}

/// As [`simplify`], where some nodes are known to be simple already.
pub(super) fn simplify_marked(g: &mut Graph, marks: &mut Marks) {
    // Each round that changes something removes something; few are ever needed.
    for _ in 0..8 {
        for (k, (_, pass)) in PASSES.iter().enumerate() {
            if marks.idle & 1 << k != 0 {
                continue;
            }
            if pass(g, marks) {
                marks.idle = 0;
            } else {
                marks.idle |= 1 << k;
            }
        }
        if marks.idle.count_ones() as usize == PASSES.len() {
            return;
        }
    }
}

/// What a pass does with a node.
enum Outcome {
    /// It is kept as it was.
    Same(Node),
    /// It, or what stands for it now, is another.
    Changed(Node),
    /// A node of the new graph stands for it.
    Replaced(NodeId),
}

/// Replaces how nodes are computed; `f` sees those that are open for the pass. Gives whether something changed.
fn in_place(g: &mut Graph, marks: &mut Marks, pass: u8, mut f: impl FnMut(&Graph, &Node) -> Option<Kind>) -> bool {
    let mut changed = vec![false; g.nodes.len()];
    let mut any = false;
    for i in 0..g.nodes.len() {
        let node = &g.nodes[i];
        let open = &mut marks.open[i];
        if any {
            let mut touched = false;
            node.reads(|x| touched |= changed[x.0 as usize]);
            *open |= if touched { ALL } else { 0 };
        }
        if *open & pass == 0 {
            continue;
        }
        match f(g, node) {
            Some(kind) => {
                *open = ALL;
                (changed[i], any) = (true, true);
                g.nodes[i].kind = kind;
            }
            None => *open &= !pass,
        }
    }
    any
}

/// Builds the graph anew, node by node; `f` gets a node that reads nodes of the new graph. A pass with a bit sees only
/// nodes that are open for it. Gives whether something changed.
fn rebuild(g: &mut Graph, marks: &mut Marks, pass: u8, mut f: impl FnMut(&mut Graph, Node) -> Outcome) -> bool {
    let old = std::mem::take(g);
    let mut map: Vec<NodeId> = Vec::with_capacity(old.nodes.len());
    // Whether an old node is another now.
    let mut moved: Vec<bool> = Vec::with_capacity(old.nodes.len());
    let mut open: Vec<u8> = Vec::with_capacity(old.nodes.len());
    g.nodes.reserve(old.nodes.len());
    for (i, mut node) in old.nodes.into_iter().enumerate() {
        let mut touched = false;
        node.map_reads(&mut |id| {
            touched |= moved[id.0 as usize];
            map[id.0 as usize]
        });
        let mut mark = if touched { ALL } else { marks.open[i] };
        let outcome = if pass == 0 || mark & pass != 0 { f(g, node) } else { Outcome::Same(node) };
        // What the pass added on the way.
        open.resize(g.nodes.len(), ALL);
        let (id, other) = match outcome {
            Outcome::Same(node) => {
                mark &= !pass;
                (g.push(node), false)
            }
            Outcome::Changed(node) => {
                mark = ALL;
                (g.push(node), true)
            }
            Outcome::Replaced(id) => (id, true),
        };
        if open.len() < g.nodes.len() {
            open.push(mark);
        }
        map.push(id);
        moved.push(other);
    }
    g.outputs = old.outputs.into_iter().map(|(name, id)| (name, map[id.0 as usize])).collect();
    g.updates = old.updates.into_iter().map(|(to, from)| (map[to.0 as usize], map[from.0 as usize])).collect();
    marks.open = open;
    moved.contains(&true)
}

/// The number that all elements of a node are.
pub(super) fn uniform(g: &Graph, id: NodeId) -> Option<f64> {
    match &g.node(id).kind {
        Kind::Equation(Equation { reduce: None, guards, body }) if guards.is_empty() => match body.as_slice() {
            [Op::Const(c)] => Some(*c),
            _ => None,
        },
        _ => None,
    }
}

/// The tensor that a node copies, element by element.
fn copied(g: &Graph, node: &Node) -> Option<NodeId> {
    match &node.kind {
        Kind::Equation(Equation { reduce: None, guards, body }) if guards.is_empty() => match body.as_slice() {
            [Op::Read(t, at)] if g.node(*t).shape == node.shape && at.is_identity() => Some(*t),
            _ => None,
        },
        _ => None,
    }
}

/// Arithmetic on constants, neutral elements, decided guards and tests, reads of constant tensors and of copies.
fn bodies(g: &mut Graph, marks: &mut Marks) -> bool {
    if !marks.any(BODIES) {
        return false;
    }
    thread_local! {
        static KNOWN: RefCell<Kinds> = const { RefCell::new(Memo::new(8192)) };
    }
    in_place(g, marks, BODIES, |g, node| {
        if !matches!(node.kind, Kind::Equation(_) | Kind::Arg(_) | Kind::Scatter(_)) {
            return None;
        }
        let (mut key, mut met) = (Mixer::default(), Vec::new());
        let plain = structure(node, &mut key, &mut |x| number(&mut met, x));
        // Otherwise the body depends on how these are computed, too.
        let opaque = |&x: &NodeId| copied(g, g.node(x)).is_none() && uniform(g, x).is_none();
        if plain && met.iter().all(opaque) {
            return remembered(&KNOWN, &key, &met, || simpler(g, node));
        }
        simpler(g, node)
    })
}

/// How a node is computed more simply, if it is not already.
fn simpler(g: &Graph, node: &Node) -> Option<Kind> {
    let shape = &node.shape;
    let simpler = match &node.kind {
        Kind::Equation(e) => match body(g, &e.extents(shape), &e.guards, &e.body, e.reduce.is_some()) {
            Some((guards, body)) => Some(Kind::Equation(Equation { reduce: e.reduce.clone(), guards, body })),
            None => Some(zero()),
        },
        Kind::Arg(e) => body(g, &e.extents(shape), &e.guards, &e.body, true)
            .map(|(guards, body)| Kind::Arg(Equation { reduce: e.reduce.clone(), guards, body })),
        Kind::Scatter(s) => match body(g, &s.extents, &s.guards, &s.body, true) {
            Some((guards, body)) if body != [Op::Const(0.0)] => {
                let target = s.target.clone();
                Some(Kind::Scatter(super::Scatter { extents: s.extents.clone(), guards, target, body }))
            }
            _ => Some(zero()),
        },
        Kind::Input(_) | Kind::Concat { .. } | Kind::Reshape(_) | Kind::Random { .. } => None,
    };
    let kind = match simpler? {
        Kind::Equation(e) if e.body == [Op::Const(0.0)] => zero(),
        kind => kind,
    };
    (kind != node.kind).then_some(kind)
}

fn zero() -> Kind {
    Kind::Equation(Equation { reduce: None, guards: Vec::new(), body: vec![Op::Const(0.0)] })
}

/// The same guards and body in a simpler form; `None` where no point is left.
fn body(g: &Graph, extents: &[usize], guards: &[Guard], ops: &[Op], reducing: bool) -> Option<(Vec<Guard>, Vec<Op>)> {
    let mut facts = Facts::new(extents, []);
    let mut body = Body::new(g, extents, reducing);
    for guard in guards {
        if facts.decided(&facts.tidy_guard(guard)) == Some(false) {
            return None;
        }
        facts.assume(guard);
        body.guard(guard.clone());
    }
    let mut vals: Vec<Val> = Vec::with_capacity(ops.len());
    for op in ops {
        let op = match op {
            Op::Read(t, at) => {
                let mut t = *t;
                while let Some(source) = copied(g, g.node(t)) {
                    t = source;
                }
                uniform(g, t).map_or_else(|| Op::Read(t, at.clone()), Op::Const)
            }
            op => op.with_operands(&mut |v| vals[v.0 as usize]),
        };
        vals.push(body.push(op));
    }
    let result = *vals.last()?;
    Some(body.finish(result))
}

/// Reduction axes with one place, or that neither body nor guards use.
fn axes(g: &mut Graph, marks: &mut Marks) -> bool {
    if !marks.any(AXES) {
        return false;
    }
    in_place(g, marks, AXES, |g, node| match &node.kind {
        Kind::Equation(e) => fewer_axes(g, e, &node.shape).map(Kind::Equation),
        _ => None,
    })
}

fn fewer_axes(g: &Graph, e: &Equation, shape: &[usize]) -> Option<Equation> {
    let r = e.reduce.as_ref()?;
    let rank = shape.len();
    let uses = |v: usize| {
        e.guards.iter().any(|g| g.index().mentions(v))
            || e.body.iter().any(|op| match op {
                Op::Read(_, at) => at.iter().any(|i| i.mentions(v)),
                Op::Index(i) => i.mentions(v),
                Op::Test(g) => g.index().mentions(v),
                Op::Const(_) | Op::Unary(..) | Op::Binary(..) | Op::Compare(..) | Op::Select(..) => false,
            })
    };
    let keep: Vec<usize> = (0..r.extents.len()).filter(|&k| r.extents[k] > 1 && uses(rank + k)).collect();
    if keep.len() == r.extents.len() {
        return None;
    }
    let times: usize = (0..r.extents.len()).filter(|k| !keep.contains(k)).map(|k| r.extents[k]).product();
    let extents: Vec<usize> = keep.iter().map(|&k| r.extents[k]).collect();
    let mut sub = |v: usize| match v.checked_sub(rank) {
        None => Index::var(v),
        Some(k) => keep.iter().position(|&j| j == k).map_or(Index::constant(0), |j| Index::var(rank + j)),
    };
    let mut body = Body::new(g, &[shape, &extents].concat(), !extents.is_empty());
    for guard in &e.guards {
        body.guard(guard.substitute(&mut sub));
    }
    let mut result = body.splice(&e.body, &mut sub);
    if times > 1 {
        let n = body.constant(times as f64);
        result = match r.op {
            ReduceOp::Sum => body.mul(result, n),
            ReduceOp::Prod => body.binary(BinaryOp::Pow, result, n),
            ReduceOp::Max | ReduceOp::Min | ReduceOp::Mean => result,
        };
    }
    let (guards, body) = body.finish(result);
    let reduce = (!extents.is_empty()).then_some(super::Reduce { op: r.op, extents });
    Some(Equation { reduce, guards, body })
}

/// Factors of the body of a sum or mean that no reduction axis changes: they are multiplied once, after it. So the
/// sums that the gradient of a normalization needs become equal where they differ only in such factors.
///
/// Sums with guards stay: an empty one is 0, whatever the factor.
fn factors(g: &mut Graph, marks: &mut Marks) -> bool {
    if !marks.any(FACTORS) {
        return false;
    }
    let found = g.nodes.iter().zip(&marks.open).any(|(n, open)| open & FACTORS != 0 && to_factorize(g, n).is_some());
    if !found {
        marks.open.iter_mut().for_each(|open| *open &= !FACTORS);
        return false;
    }
    rebuild(g, marks, FACTORS, |g, node| {
        let Some((r, body, f)) = to_factorize(g, &node) else { return Outcome::Same(node) };
        let (rank, extents) = (node.shape.len(), [node.shape.as_slice(), &r.extents].concat());
        let product = |b: &mut Body, start: Option<Val>, factors: &[(Val, bool)]| {
            let mut total = start;
            for &(v, inverse) in factors {
                let x = b.append(&compact(body, v));
                total = Some(match total {
                    None if inverse => {
                        let one = b.constant(1.0);
                        b.div(one, x)
                    }
                    None => x,
                    Some(t) if inverse => b.div(t, x),
                    Some(t) => b.mul(t, x),
                });
            }
            total.unwrap_or_else(|| b.constant(1.0))
        };
        let mut inner = Body::new(g, &extents, true);
        let result = product(&mut inner, None, &f.inner);
        let (_, ops) = inner.finish(result);
        let reduce = Some(super::Reduce { op: r.op, extents: r.extents.clone() });
        let label = format!("{}/{}", node.label, r.op.name());
        let sum = g.push_equation(&label, &node.shape, Equation { reduce, guards: Vec::new(), body: ops });
        let mut outer = Body::new(g, &node.shape, false);
        let sum = outer.read_inside(sum, At::identity(rank));
        let result = product(&mut outer, Some(sum), &f.outer);
        let result = if f.negative { outer.unary(UnaryOp::Neg, result) } else { result };
        let (guards, body) = outer.finish(result);
        Outcome::Changed(Node { kind: Kind::Equation(Equation { reduce: None, guards, body }), ..node })
    })
}

/// The reducer, the body and its factors, where some of them leave the sum.
fn to_factorize<'n>(g: &Graph, node: &'n Node) -> Option<(&'n super::Reduce, &'n [Op], Factors)> {
    let Kind::Equation(Equation { reduce: Some(r), guards, body }) = &node.kind else { return None };
    if !guards.is_empty() || !matches!(r.op, ReduceOp::Sum | ReduceOp::Mean) {
        return None;
    }
    let f = factorize(g, body, &node.shape);
    (!f.inner.is_empty() && (f.negative || !f.outer.is_empty())).then_some((r, body, f))
}

/// The factors of a body, each with whether it divides.
#[derive(Default)]
struct Factors {
    /// Those that no reduction axis changes.
    outer: Vec<(Val, bool)>,
    /// The others.
    inner: Vec<(Val, bool)>,
    negative: bool,
}

fn factorize(g: &Graph, body: &[Op], shape: &[usize]) -> Factors {
    let facts = Facts::new(shape, []);
    let fixed = |i: &Index| {
        i.is_affine() && i.terms.iter().all(|(a, _)| matches!(a, Atom::Var(v) if (*v as usize) < shape.len()))
    };
    let mut varies: Vec<bool> = Vec::with_capacity(body.len());
    for op in body {
        let mut v = match op {
            // A select may guard a read; whatever holds one stays inside.
            Op::Select(..) | Op::Test(_) => true,
            // A read that a reduction axis does not change, and that needs no condition to be inside.
            Op::Read(t, at) => !at.iter().zip(&g.node(*t).shape).all(|(i, &n)| fixed(i) && facts.inside(i, n)),
            Op::Index(i) => !fixed(i),
            Op::Const(_) | Op::Unary(..) | Op::Binary(..) | Op::Compare(..) => false,
        };
        op.operands(&mut |x| v |= varies[x.0 as usize]);
        varies.push(v);
    }
    let mut f = Factors::default();
    let mut open = vec![(Val(body.len() as u32 - 1), false)];
    while let Some((v, inverse)) = open.pop() {
        match body[v.0 as usize] {
            _ if !varies[v.0 as usize] => f.outer.push((v, inverse)),
            Op::Binary(BinaryOp::Mul, a, b) => open.extend([(b, inverse), (a, inverse)]),
            Op::Binary(BinaryOp::Div, a, b) if !inverse => open.extend([(b, true), (a, false)]),
            Op::Unary(UnaryOp::Neg, a) => {
                f.negative = !f.negative;
                open.push((a, inverse));
            }
            _ => f.inner.push((v, inverse)),
        }
    }
    f
}

/// Reshapes of reshapes, to the same shape, and of constants; concatenations of one tensor.
fn reshapes(g: &mut Graph, marks: &mut Marks) -> bool {
    if !g.nodes.iter().any(|n| matches!(n.kind, Kind::Reshape(_) | Kind::Concat { .. })) {
        return false;
    }
    let kept: BTreeSet<NodeId> = g.updates.iter().map(|(_, from)| *from).collect();
    let stays = |id: NodeId| match &g.node(id).kind {
        Kind::Concat { inputs, .. } => inputs.len() > 1 || kept.contains(&id),
        Kind::Reshape(x) => {
            !matches!(g.node(*x).kind, Kind::Reshape(_))
                && (g.node(*x).shape != g.node(id).shape || kept.contains(&id))
                && uniform(g, *x).is_none()
        }
        _ => true,
    };
    if g.ids().all(stays) {
        return false;
    }
    let mut old = 0;
    rebuild(g, marks, 0, |g, mut node| {
        let updates = kept.contains(&NodeId(old));
        old += 1;
        match &node.kind {
            Kind::Concat { inputs, .. } if inputs.len() == 1 && !updates => Outcome::Replaced(inputs[0]),
            Kind::Reshape(x) => {
                let mut x = *x;
                while let Kind::Reshape(y) = g.node(x).kind {
                    x = y;
                }
                if g.node(x).shape == node.shape && !updates {
                    return Outcome::Replaced(x);
                }
                let kind = match uniform(g, x) {
                    Some(c) => Kind::Equation(Equation { reduce: None, guards: Vec::new(), body: vec![Op::Const(c)] }),
                    None => Kind::Reshape(x),
                };
                if kind == node.kind {
                    return Outcome::Same(node);
                }
                node.kind = kind;
                Outcome::Changed(node)
            }
            _ => Outcome::Same(node),
        }
    })
}

/// Equations that only copy a tensor. A copy that is the new value of a persistent input stays: the order of updates
/// must not matter.
fn copies(g: &mut Graph, marks: &mut Marks) -> bool {
    let kept: BTreeSet<NodeId> = g.updates.iter().map(|(_, from)| *from).collect();
    let goes =
        |id: NodeId| copied(g, g.node(id)).is_some_and(|x| !kept.contains(&id) && g.node(x).dtype == g.node(id).dtype);
    if !g.ids().any(goes) {
        return false;
    }
    let mut old = 0;
    rebuild(g, marks, 0, |g, node| {
        let updates = kept.contains(&NodeId(old));
        old += 1;
        match copied(g, &node) {
            Some(x) if !updates && g.node(x).dtype == node.dtype => Outcome::Replaced(x),
            _ => Outcome::Same(node),
        }
    })
}

/// Nodes that are computed equally. Inputs are never merged.
fn equal(g: &mut Graph, marks: &mut Marks) -> bool {
    let key = |node: &Node| {
        let mut key = Mixer::default();
        structure(node, &mut key, &mut |x| x.0);
        key.key()
    };
    let mut all: Vec<u128> = Vec::with_capacity(g.nodes.len());
    for n in g.nodes.iter().filter(|n| !matches!(n.kind, Kind::Input(_))) {
        all.push(key(n));
    }
    all.sort_unstable();
    if all.windows(2).all(|w| w[0] != w[1]) {
        return false;
    }
    let mut seen: BTreeMap<u128, NodeId> = BTreeMap::new();
    rebuild(g, marks, 0, |g, node| {
        if matches!(node.kind, Kind::Input(_)) {
            return Outcome::Same(node);
        }
        let next = NodeId(g.nodes.len() as u32);
        match *seen.entry(key(&node)).or_insert(next) {
            id if id == next => Outcome::Same(node),
            id => Outcome::Replaced(id),
        }
    })
}

/// Nodes that no output and no update needs.
pub(super) fn dead(g: &mut Graph, marks: &mut Marks) {
    let mut live = vec![false; g.nodes.len()];
    for (_, id) in &g.outputs {
        live[id.0 as usize] = true;
    }
    for (to, from) in &g.updates {
        live[to.0 as usize] = true;
        live[from.0 as usize] = true;
    }
    for (i, node) in g.nodes.iter().enumerate().rev() {
        if let Kind::Input(input) = &node.kind {
            live[i] |= matches!(input.role, Role::Data | Role::Knob(_));
        }
        if live[i] {
            node.reads(|x| live[x.0 as usize] = true);
        }
    }
    if !live.contains(&false) {
        return;
    }
    // A dead node is read by dead nodes only, so any id will do.
    let mut to = vec![NodeId(0); live.len()];
    let (mut old, mut new) = (0, 0);
    g.nodes.retain_mut(|node| {
        old += 1;
        if live[old - 1] {
            node.map_reads(&mut |x| to[x.0 as usize]);
            to[old - 1] = NodeId(new);
            new += 1;
        }
        live[old - 1]
    });
    let mut alive = live.iter();
    marks.open.retain(|_| *alive.next().expect("a mark for each node"));
    g.outputs.iter_mut().for_each(|(_, id)| *id = to[id.0 as usize]);
    for (input, value) in &mut g.updates {
        (*input, *value) = (to[input.0 as usize], to[value.0 as usize]);
    }
}

/// [`dead`] as a pass: what it removes leaves the others as they were.
fn dead_nodes(g: &mut Graph, marks: &mut Marks) -> bool {
    dead(g, marks);
    false
}

/// Recomputes the example axis of an equation from what it reads now, where that finds one.
pub(super) fn refresh_example(g: &Graph, node: &mut Node) {
    if let Kind::Equation(e) = &node.kind {
        node.example = node.example.or_else(|| example_axis(g, node.shape.len(), &e.body));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{testing, text, verify};
    use super::*;

    fn check(pass: Pass, before: &str, after: &str) {
        let mut g = text::parse(before).unwrap();
        assert_eq!(verify(&g), Ok(()));
        let mut marks = Marks::new(&g);
        pass(&mut g, &mut marks);
        assert_eq!(text::print(&g), after);
        assert_eq!(verify(&g), Ok(()));
    }

    #[test]
    fn bodies_fold() {
        check(
            bodies,
            "\
%0 = input data \"x\" : float[4]
%1 = map : float[4]
  t0 = const 1.0
%2 = map : float[4]
  t0 = %0[i0]
%3 = map : float[4]
  where 0 <= i0 < 5
  t0 = %1[i0]
  t1 = %2[i0]
  t2 = mul t0 t1
  t3 = const 0.0
  t4 = add t2 t3
  t5 = test 0 <= i0 + 1 < 9
  t6 = select t5 t4 t3
%4 = sum[3] : float[4]
  where i1 + 1 == 0
  t0 = %0[i0]
output \"y\" %3
output \"z\" %4
",
            "\
%0 = input data \"x\" : float[4]
%1 = map : float[4]
  t0 = const 1.0
%2 = map : float[4]
  t0 = %0[i0]
%3 = map : float[4]
  t0 = %0[i0]
%4 = map : float[4]
  t0 = const 0.0
output \"y\" %3
output \"z\" %4
",
        );
    }

    #[test]
    fn axes_go() {
        check(
            axes,
            "\
%0 = input data \"x\" : float[4, 1, 2]
%1 = sum[3, 1, 2] : float[4]
  t0 = %0[i0, i2, i3]
%2 = mean[3] : float[4]
  where 0 <= i0 - 1 < 3
  t0 = %0[i0, 0, 0]
",
            "\
%0 = input data \"x\" : float[4, 1, 2]
%1 = sum[2] : float[4]
  t0 = %0[i0, 0, i1]
  t1 = const 3.0
  t2 = mul t0 t1
%2 = map : float[4]
  where 0 <= i0 - 1 < 3
  t0 = %0[i0, 0, 0]
",
        );
    }

    #[test]
    fn factors_leave_the_sum() {
        check(
            factors,
            "\
%0 = input data \"x\" : float[4, 3]
%1 = input data \"s\" : float[3]
%2 = sum[4] : float[3] label \"y\"
  t0 = %0[i1, i0]
  t1 = %1[i0]
  t2 = mul t0 t1
  t3 = neg t2
  t4 = exp t1
  t5 = div t3 t4
%3 = sum[4] : float[3]
  t0 = %0[i1, i0]
  t1 = %0[i1, 0]
  t2 = mul t0 t1
",
            "\
%0 = input data \"x\" : float[4, 3]
%1 = input data \"s\" : float[3]
%2 = sum[4] : float[3] label \"y/sum\"
  t0 = %0[i1, i0]
%3 = map : float[3] label \"y\"
  t0 = %2[i0]
  t1 = %1[i0]
  t2 = mul t0 t1
  t3 = exp t1
  t4 = div t2 t3
  t5 = neg t4
%4 = sum[4] : float[3]
  t0 = %0[i1, i0]
  t1 = %0[i1, 0]
  t2 = mul t0 t1
",
        );
    }

    #[test]
    fn copies_equal_and_dead_nodes_go_and_updates_stay() {
        let mut g = text::parse(
            "\
%0 = input data \"x\" : float[4]
%1 = input param normal(1.0) \"unused\" : float[4]
%2 = input state constant(0.0) \"s\" : float[4]
%3 = input state constant(0.0) \"t\" : float[4]
%4 = map : float[4]
  t0 = %0[i0]
%5 = reshape %4 : float[2, 2]
%6 = reshape %5 : float[4]
%7 = map : float[4] label \"a\"
  t0 = %6[i0]
  t1 = exp t0
%8 = map : float[4] label \"b\"
  t0 = %4[i0]
  t1 = exp t0
%9 = map : float[4]
  t0 = %7[i0]
  t1 = %8[i0]
  t2 = add t0 t1
%10 = map : float[4]
  t0 = %3[i0]
output \"y\" %9
update %2 <- %10
update %3 <- %9
",
        )
        .unwrap();
        simplify(&mut g);
        assert_eq!(
            text::print(&g),
            "\
%0 = input data \"x\" : float[4]
%1 = input state constant(0.0) \"s\" : float[4]
%2 = input state constant(0.0) \"t\" : float[4]
%3 = map : float[4] label \"a\"
  t0 = %0[i0]
  t1 = exp t0
%4 = map : float[4]
  t0 = %3[i0]
  t1 = const 2.0
  t2 = mul t0 t1
%5 = map : float[4]
  t0 = %2[i0]
output \"y\" %4
update %1 <- %5
update %2 <- %4
"
        );
    }

    #[test]
    fn a_training_step_keeps_its_meaning_after_each_pass() {
        let (g, inputs) = testing::training_step(3);
        let before = crate::exec::reference::evaluate_f64(&g, &inputs, 1, 0).unwrap();
        for (name, pass) in PASSES {
            let mut h = g.clone();
            let mut marks = Marks::new(&h);
            pass(&mut h, &mut marks);
            assert_eq!(verify(&h), Ok(()), "{name}");
            testing::close(&before, &crate::exec::reference::evaluate_f64(&h, &inputs, 1, 0).unwrap(), name);
        }
        let mut h = g.clone();
        simplify(&mut h);
        assert_eq!(verify(&h), Ok(()));
        assert!(h.nodes.len() < g.nodes.len());
        testing::close(&before, &crate::exec::reference::evaluate_f64(&h, &inputs, 1, 0).unwrap(), "simplify");
    }
}
