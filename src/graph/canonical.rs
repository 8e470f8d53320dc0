//! A text in which isomorphic graphs are equal: what duplicates are found by.
//!
//! Nodes are numbered in the order of a traversal from the outputs; weights and statistics are numbered in that order
//! too, instead of named, so that shape, initializer and sharing remain. Operands of sums, products, `max`, `min`,
//! `and`, `or` are ordered by a hash of what they are. Labels are dropped. Between operands of equal hash (copies of
//! one structure with other weights) the hash of what uses them decides, as in one round of the refinement of
//! Weisfeiler and Leman (1968).

use super::build::compact;
use super::{Atom, BinaryOp, Graph, Guard, Index, Kind, Node, NodeId, Op, Role, Val, text};
use crate::base::hash::hash128;

/// See the module documentation. Names of outputs, data and knobs are kept.
pub fn canonical_text(g: &Graph) -> String {
    canonical(g).0
}

/// The canonical text, and the names of weights and statistics in the order of their numbers: where the texts of two
/// graphs are equal, weights of one number correspond.
pub fn canonical(g: &Graph) -> (String, Vec<String>) {
    let mut keys = upward(g, &vec![0; g.nodes.len()]);
    keys = upward(g, &downward(g, &keys));
    let mut updates: Vec<(NodeId, NodeId)> = g.updates.clone();
    updates.sort_by_key(|(to, from)| (keys[to.0 as usize], keys[from.0 as usize]));
    let roots = g.outputs.iter().map(|(_, id)| *id).chain(updates.iter().flat_map(|&(to, from)| [to, from]));
    let mut out = Graph::default();
    let mut number: Vec<Option<NodeId>> = vec![None; g.nodes.len()];
    let mut weights = Vec::new();
    for root in roots {
        // Postorder without recursion: a node is entered, then left once all that it reads is numbered.
        let mut open = vec![root];
        while let Some(&id) = open.last() {
            if number[id.0 as usize].is_some() {
                open.pop();
                continue;
            }
            let mut node = ordered(g.node(id), &keys);
            let mut reads = Vec::new();
            node.reads(|x| reads.push(x));
            reads.retain(|x| number[x.0 as usize].is_none());
            if !reads.is_empty() {
                open.extend(reads.into_iter().rev());
                continue;
            }
            open.pop();
            node.map_reads(&mut |x| number[x.0 as usize].unwrap_or(x));
            node.label.clear();
            if let Kind::Input(i) = &mut node.kind
                && matches!(i.role, Role::Param(_) | Role::State(_))
            {
                let number = format!("w{}", weights.len());
                weights.push(std::mem::replace(&mut i.name, number));
            }
            number[id.0 as usize] = Some(out.push(node));
        }
    }
    let new = |id: NodeId| number[id.0 as usize].unwrap_or(id);
    out.outputs = g.outputs.iter().map(|(name, id)| (name.clone(), new(*id))).collect();
    out.updates = updates.iter().map(|&(to, from)| (new(to), new(from))).collect();
    out.updates.sort();
    (text::print(&out), weights)
}

fn hash(s: &str) -> u128 {
    hash128(s.as_bytes())
}

/// A hash of each node from what it reads and its own context.
fn upward(g: &Graph, context: &[u128]) -> Vec<u128> {
    let mut keys: Vec<u128> = Vec::with_capacity(g.nodes.len());
    for id in g.ids() {
        let node = ordered(g.node(id), &keys);
        let own = match &node.kind {
            Kind::Input(i) => {
                let mut node = node.clone();
                if let (Kind::Input(j), Role::Param(_) | Role::State(_)) = (&mut node.kind, &i.role) {
                    j.name.clear();
                }
                text::node(&Node { label: String::new(), ..node })
            }
            _ => anonymous(&node, &keys),
        };
        keys.push(hash(&format!("{own} {}", context[id.0 as usize])));
    }
    keys
}

/// A hash of each node from its key and all that uses it.
fn downward(g: &Graph, keys: &[u128]) -> Vec<u128> {
    let mut uses: Vec<Vec<u128>> = vec![Vec::new(); g.nodes.len()];
    for (name, id) in &g.outputs {
        uses[id.0 as usize].push(hash(name));
    }
    for (to, from) in &g.updates {
        uses[from.0 as usize].push(keys[to.0 as usize]);
        uses[to.0 as usize].push(keys[from.0 as usize]);
    }
    let mut context = vec![0; g.nodes.len()];
    for id in g.ids().rev() {
        let i = id.0 as usize;
        uses[i].sort_unstable();
        context[i] = hash(&format!("{} {:?}", keys[i], uses[i]));
        let own = context[i];
        g.node(id).reads(|x| uses[x.0 as usize].push(own));
    }
    context
}

/// The text of a node with hashes in the place of the nodes that it reads.
fn anonymous(node: &Node, keys: &[u128]) -> String {
    let mut reads = Vec::new();
    node.reads(|x| reads.push(keys[x.0 as usize]));
    let mut node = node.clone();
    node.label.clear();
    // Equal reads share a number: which of them are equal is part of the structure.
    let mut distinct = reads.clone();
    distinct.dedup();
    node.map_reads(&mut |x| {
        let key = keys[x.0 as usize];
        NodeId(distinct.iter().position(|&k| k == key).unwrap_or(0) as u32)
    });
    format!("{} {distinct:?}", text::node(&node))
}

/// The same node with guards and operands in an order that depends on hashes only.
fn ordered(node: &Node, keys: &[u128]) -> Node {
    let mut node = node.clone();
    let (guards, body) = match &mut node.kind {
        Kind::Equation(e) | Kind::Arg(e) => (&mut e.guards, &mut e.body),
        Kind::Scatter(s) => (&mut s.guards, &mut s.body),
        Kind::Input(_) | Kind::Concat { .. } | Kind::Reshape(_) | Kind::Random { .. } => return node,
    };
    // Guards that load rely on those before them.
    guards.sort_by_key(|g| (g.index().has_load(), guard_key(g, keys)));
    *body = Ordering::new(body, keys).emit();
    node
}

fn index_key(i: &Index, keys: &[u128]) -> u128 {
    let mut terms: Vec<(u128, i64)> = i
        .terms
        .iter()
        .map(|(atom, c)| {
            let key = match atom {
                Atom::Var(v) => hash(&format!("var {v}")),
                Atom::Div(i, n) => hash(&format!("div {} {n}", index_key(i, keys))),
                Atom::Mod(i, n) => hash(&format!("mod {} {n}", index_key(i, keys))),
                Atom::Load(t, at) => {
                    let at: Vec<u128> = at.iter().map(|i| index_key(i, keys)).collect();
                    hash(&format!("load {} {at:?}", keys[t.0 as usize]))
                }
            };
            (key, *c)
        })
        .collect();
    terms.sort_unstable();
    hash(&format!("{} {terms:?}", i.constant))
}

fn guard_key(g: &Guard, keys: &[u128]) -> u128 {
    match g {
        Guard::InRange(i, n) => hash(&format!("in {} {n}", index_key(i, keys))),
        Guard::Zero(i) => hash(&format!("zero {}", index_key(i, keys))),
    }
}

fn commutes(op: BinaryOp) -> bool {
    use BinaryOp::{Add, And, Div, Max, Min, Mul, Or, Pow, Sub};
    match op {
        Add | Mul | Max | Min | And | Or => true,
        Sub | Div | Pow => false,
    }
}

struct Ordering<'a> {
    ops: &'a [Op],
    keys: Vec<u128>,
}

impl<'a> Ordering<'a> {
    fn new(ops: &'a [Op], nodes: &[u128]) -> Self {
        let mut this = Self { ops, keys: Vec::with_capacity(ops.len()) };
        for op in ops {
            let key = match op {
                Op::Const(c) => format!("const {:x}", c.to_bits()),
                Op::Read(t, at) => {
                    let at: Vec<u128> = at.iter().map(|i| index_key(i, nodes)).collect();
                    format!("read {} {at:?}", nodes[t.0 as usize])
                }
                Op::Index(i) => format!("index {}", index_key(i, nodes)),
                Op::Test(g) => format!("test {}", guard_key(g, nodes)),
                Op::Binary(o, a, b) if commutes(*o) => {
                    let leaves: Vec<u128> = this.leaves(*o, &[*a, *b]).iter().map(|v| this.key(*v)).collect();
                    format!("{} {leaves:?}", o.name())
                }
                Op::Unary(..) | Op::Binary(..) | Op::Compare(..) | Op::Select(..) => {
                    let mut operands = Vec::new();
                    op.operands(&mut |v| operands.push(this.key(v)));
                    format!("{} {operands:?}", text::operation(&op.with_operands(&mut |_| Val(0))))
                }
            };
            this.keys.push(hash(&key));
        }
        this
    }

    fn key(&self, v: Val) -> u128 {
        self.keys[v.0 as usize]
    }

    /// The operands of a chain of one commutative operation, in their order.
    fn leaves(&self, op: BinaryOp, of: &[Val]) -> Vec<Val> {
        let (mut open, mut leaves) = (of.to_vec(), Vec::new());
        while let Some(v) = open.pop() {
            match self.ops[v.0 as usize] {
                Op::Binary(o, a, b) if o == op && leaves.len() + open.len() < 64 => open.extend([a, b]),
                _ => leaves.push(v),
            }
        }
        leaves.sort_by_key(|v| self.key(*v));
        leaves
    }

    fn emit(&self) -> Vec<Op> {
        let mut out: Vec<Op> = Vec::new();
        let mut done: Vec<Option<Val>> = vec![None; self.ops.len()];
        let last = Val(self.ops.len() as u32 - 1);
        let result = self.visit(last, &mut done, &mut out);
        compact(&out, result)
    }

    /// Bodies are small (see the limit of fusion), so recursion is no danger.
    fn visit(&self, v: Val, done: &mut Vec<Option<Val>>, out: &mut Vec<Op>) -> Val {
        if let Some(val) = done[v.0 as usize] {
            return val;
        }
        let insert = |op: Op, out: &mut Vec<Op>| {
            let at = out.iter().position(|o| *o == op).unwrap_or_else(|| {
                out.push(op);
                out.len() - 1
            });
            Val(at as u32)
        };
        let op = &self.ops[v.0 as usize];
        let val = match op {
            Op::Binary(o, a, b) if commutes(*o) => {
                let leaves: Vec<Val> =
                    self.leaves(*o, &[*a, *b]).into_iter().map(|l| self.visit(l, done, out)).collect();
                leaves[1..].iter().fold(leaves[0], |a, &b| insert(Op::Binary(*o, a, b), out))
            }
            op => {
                let op = op.with_operands(&mut |x| self.visit(x, done, out));
                insert(op, out)
            }
        };
        done[v.0 as usize] = Some(val);
        val
    }
}

#[cfg(test)]
mod tests {
    use super::super::Graph;
    use super::super::testing::*;
    use super::canonical_text;

    /// `conv(x, w0) + relu(conv(x, w1))`, built in one order or the other.
    fn two_branches(swapped: bool, shared: bool) -> Graph {
        let mut g = Graph::default();
        let x = data(&mut g, "x", &[2, 3, 4, 4]);
        let names = if swapped { ["b", "a"] } else { ["p", "q"] };
        let weights =
            [0, 1].map(|k| if shared && k == 1 { None } else { Some(param(&mut g, names[k], &[3, 3, 3, 3])) });
        let (first, second) = (weights[0].unwrap(), weights[1].or(weights[0]).unwrap());
        let (p, q) = if swapped {
            let q = conv(&mut g, x, second, Conv::default());
            let q = relu(&mut g, q);
            (conv(&mut g, x, first, Conv::default()), q)
        } else {
            let p = conv(&mut g, x, first, Conv::default());
            let q = conv(&mut g, x, second, Conv::default());
            (p, relu(&mut g, q))
        };
        let y = if swapped { g.add(q, p) } else { g.add(p, q) };
        g.outputs.push(("y".to_string(), y));
        g
    }

    #[test]
    fn order_and_names_do_not_matter_but_sharing_does() {
        let a = canonical_text(&two_branches(false, false));
        assert_eq!(a, canonical_text(&two_branches(true, false)));
        assert_ne!(a, canonical_text(&two_branches(false, true)));
        assert_eq!(canonical_text(&two_branches(false, true)), canonical_text(&two_branches(true, true)));
    }

    #[test]
    fn structure_matters() {
        let mut g = two_branches(false, false);
        let a = canonical_text(&g);
        let y = g.outputs[0].1;
        let z = relu(&mut g, y);
        g.outputs[0].1 = z;
        assert_ne!(a, canonical_text(&g));
    }

    #[test]
    fn dead_nodes_do_not_matter() {
        let mut g = two_branches(false, false);
        let a = canonical_text(&g);
        let y = g.outputs[0].1;
        relu(&mut g, y);
        assert_eq!(a, canonical_text(&g));
    }
}
