//! Pieces of graphs, cut out of one to be pasted into others: networks are made of few kinds of pieces, and so are the
//! networks of a space together. What a piece computes depends on the structure of the nodes that it was made for and on
//! the shapes that it reads, which [`structure`] and [`describe`] write down: its key.

use std::cell::RefCell;
use std::hash::Hash;
use std::rc::Rc;
use std::thread::LocalKey;

use super::{Graph, Index, Kind, Node, NodeId, Op};
use crate::base::hash::Mixer;
use crate::base::memo::Memo;

/// Nodes that read each other and some that come from outside. Inside, the ids of the latter come first.
#[derive(Clone, Debug)]
pub struct Template {
    outside: usize,
    nodes: Vec<Node>,
    /// Pairs as in [`Graph::updates`].
    updates: Vec<(NodeId, NodeId)>,
}

/// Stands for the name of the place of a piece, at the start of names and labels; no name of a site begins with it.
pub const PLACE: char = '@';

/// Where the nodes of a piece are after it was pasted.
pub struct Pasted<'a> {
    outside: &'a [NodeId],
    first: usize,
}

impl Pasted<'_> {
    /// The node of an id inside of the template.
    pub fn node(&self, inside: NodeId) -> NodeId {
        let i = inside.0 as usize;
        self.outside.get(i).copied().unwrap_or_else(|| NodeId((self.first + i - self.outside.len()) as u32))
    }
}

impl Template {
    /// The nodes of a graph from `first` on. `None` if they read others than those and `outside`. A label that starts
    /// with `place` is kept as one that starts with [`PLACE`].
    pub fn cut(g: &Graph, first: usize, outside: &[NodeId], place: &str) -> Option<Self> {
        let mut closed = true;
        let mut cut = |mut node: Node| {
            node.map_reads(&mut |x| {
                inside(x, first, outside).unwrap_or_else(|| {
                    closed = false;
                    x
                })
            });
            if let Some(rest) = node.label.strip_prefix(place) {
                node.label = format!("{PLACE}{rest}");
            }
            node
        };
        let nodes = g.nodes[first..].iter().cloned().map(&mut cut).collect();
        closed.then_some(Self { outside: outside.len(), nodes, updates: Vec::new() })
    }

    /// The same with the updates of a graph, all of which must be of its nodes.
    pub fn with_updates(mut self, g: &Graph, first: usize, outside: &[NodeId]) -> Option<Self> {
        for &(to, from) in &g.updates {
            self.updates.push((inside(to, first, outside)?, inside(from, first, outside)?));
        }
        Some(self)
    }

    /// Appends the nodes to a graph. `outside` has the nodes from outside; [`PLACE`] at the start of names and of labels
    /// becomes `name` and `label`.
    pub fn paste<'a>(&self, g: &mut Graph, outside: &'a [NodeId], name: &str, label: &str) -> Pasted<'a> {
        debug_assert_eq!(outside.len(), self.outside);
        let pasted = Pasted { outside, first: g.nodes.len() };
        let placed = |text: &str, place: &str| match text.strip_prefix(PLACE) {
            Some(rest) => [place, rest].concat(),
            None => text.to_owned(),
        };
        g.nodes.reserve(self.nodes.len());
        for node in &self.nodes {
            let mut kind = node.kind.clone();
            if let Kind::Input(i) = &mut kind {
                i.name = placed(&i.name, name);
            }
            let label = placed(&node.label, label);
            let mut node = Node { kind, shape: node.shape.clone(), dtype: node.dtype, example: node.example, label };
            node.map_reads(&mut |x| pasted.node(x));
            g.nodes.push(node);
        }
        g.updates.extend(self.updates.iter().map(|&(to, from)| (pasted.node(to), pasted.node(from))));
        pasted
    }
}

/// The id inside of a template of the nodes from `first` on.
pub fn inside(id: NodeId, first: usize, outside: &[NodeId]) -> Option<NodeId> {
    match (id.0 as usize).checked_sub(first) {
        Some(k) => Some(NodeId((outside.len() + k) as u32)),
        None => outside.iter().position(|&x| x == id).map(|k| NodeId(k as u32)),
    }
}

/// The number of a node among those that were met before, in the order in which they were.
pub fn number(met: &mut Vec<NodeId>, id: NodeId) -> u32 {
    let at = met.iter().position(|&x| x == id).unwrap_or_else(|| {
        met.push(id);
        met.len() - 1
    });
    at as u32
}

/// How nodes are computed instead, in a pass: `None` where they stay as they are. What they read is numbered.
pub type Kinds = Memo<Option<Rc<Kind>>>;

/// What a pass makes of a node, found under a key or made. `met` are the nodes behind the numbers of the key.
pub fn remembered(
    memo: &'static LocalKey<RefCell<Kinds>>,
    key: &Mixer,
    met: &[NodeId],
    make: impl FnOnce() -> Option<Kind>,
) -> Option<Kind> {
    let key = key.key();
    if let Some(known) = memo.with_borrow(|all| all.get(key)) {
        let mut kind = Kind::clone(known.as_deref()?);
        kind.map_reads(&mut |x| met[x.0 as usize]);
        return Some(kind);
    }
    let made = make();
    let mut closed = true;
    let inner = made.clone().map(|mut kind| {
        kind.map_reads(&mut |x| {
            let at = met.iter().position(|&y| x == y);
            closed &= at.is_some();
            NodeId(at.unwrap_or(0) as u32)
        });
        Rc::new(kind)
    });
    if closed {
        memo.with_borrow_mut(|all| all.put(key, inner));
    }
    made
}

/// All that what is computed of a tensor depends on but for how it is computed.
pub fn describe(node: &Node, to: &mut Mixer) {
    (&node.shape, node.dtype, node.example).hash(to);
}

/// All that decides what a node is, its label left out, with what it reads by numbers. Gives whether that is all of it:
/// nodes from which indices are loaded are written down as they are.
pub fn structure(node: &Node, to: &mut Mixer, number: &mut impl FnMut(NodeId) -> u32) -> bool {
    describe(node, to);
    std::mem::discriminant(&node.kind).hash(to);
    let (guards, body) = match &node.kind {
        Kind::Input(i) => {
            i.name.hash(to);
            return true;
        }
        Kind::Equation(e) | Kind::Arg(e) => {
            e.reduce.as_ref().map(|r| (r.op, &r.extents)).hash(to);
            (&e.guards, &e.body)
        }
        Kind::Scatter(s) => {
            (&s.extents, &s.target).hash(to);
            (&s.guards, &s.body)
        }
        Kind::Concat { inputs, axis } => {
            axis.hash(to);
            inputs.iter().for_each(|&x| number(x).hash(to));
            return true;
        }
        Kind::Reshape(x) => {
            number(*x).hash(to);
            return true;
        }
        Kind::Random { stream } => {
            stream.hash(to);
            return true;
        }
    };
    let mut plain = true;
    if let Kind::Scatter(s) = &node.kind {
        plain &= !s.target.iter().any(Index::has_load);
    }
    guards.len().hash(to);
    for g in guards {
        plain &= !g.index().has_load();
        g.hash(to);
    }
    for op in body {
        std::mem::discriminant(op).hash(to);
        match op {
            Op::Const(c) => c.to_bits().hash(to),
            Op::Read(t, at) => {
                plain &= at.is_affine() || !at.iter().any(Index::has_load);
                (number(*t), at).hash(to);
            }
            Op::Index(i) => {
                plain &= !i.has_load();
                i.hash(to);
            }
            Op::Test(g) => {
                plain &= !g.index().has_load();
                g.hash(to);
            }
            Op::Unary(op, a) => (op, a).hash(to),
            Op::Binary(op, a, b) => (op, a, b).hash(to),
            Op::Compare(op, a, b) => (op, a, b).hash(to),
            Op::Select(a, b, c) => (a, b, c).hash(to),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::{BinaryOp, text};
    use super::*;

    #[test]
    fn what_is_cut_is_pasted_elsewhere() {
        let mut g = Graph::default();
        let (x, y) = (data(&mut g, "x", &[2, 3]), data(&mut g, "y", &[2, 3]));
        let first = g.nodes.len();
        let make = |g: &mut Graph, x: NodeId, y: NodeId, label: &str| {
            let a = g.map(label, &[x, y], |b, v| b.binary(BinaryOp::Max, v[0], v[1]));
            g.map(&format!("{label}/double"), &[a, x], |b, v| b.add(v[0], v[1]))
        };
        make(&mut g, x, y, "here");
        let t = Template::cut(&g, first, &[x, y], "here").unwrap();
        assert!(Template::cut(&g, first, &[x], "here").is_none());
        let mut h = g.clone();
        let pasted = t.paste(&mut g, &[y, x], "", "there").node(NodeId(3));
        let made = make(&mut h, y, x, "there");
        assert_eq!(pasted, made);
        assert_eq!(text::print(&g), text::print(&h));
    }

    #[test]
    fn structures_differ_where_graphs_do() {
        let mut g = Graph::default();
        let (x, y) = (data(&mut g, "x", &[2, 3]), data(&mut g, "y", &[2, 3]));
        let sums = [(x, y), (y, x), (x, x)].map(|(a, b)| g.map("l", &[a, b], |e, v| e.mul(v[0], v[1])));
        let key = |id: NodeId| {
            let (mut to, mut met) = (Mixer::default(), Vec::new());
            assert!(structure(g.node(id), &mut to, &mut |x| number(&mut met, x)));
            to.key()
        };
        assert_eq!(key(sums[0]), key(sums[1]));
        assert_ne!(key(sums[0]), key(sums[2]));
    }
}
