//! The tensor IR. A node is one equation; that is nearly all. Convolution, pooling, normalization, attention,
//! losses, optimizer updates and every gradient are equations.
//!
//! # What an equation means
//!
//! The *loop variables* of an equation are its output axes `0..rank`, then its reduction axes `rank..`. For each
//! point of the output, the reducer combines the body over all points of the reduction axes for which every guard
//! holds. With no point left the result is 0. Without a reducer the body is evaluated once, and is 0 where a guard
//! fails. `mean` divides by the number of points left. `max` and `min` of values with a NaN are NaN.
//!
//! A read is legal only where it stays inside its tensor; the *builder* of an equation adds guards (for reductions)
//! or selects (outside of them, or for the untaken side of a select, which is not evaluated in effect: a read under
//! a false [`Op::Select`] condition or failed guard never touches memory). So "a term with a read outside its tensor
//! is dropped" is explicit in the IR, and an executor needs no bounds rule of its own.
//!
//! # What is deliberately impossible
//!
//! No operation names (no "conv"), no layout (an executor owns it; shapes are logical, row-major order defines
//! [`Kind::Reshape`] and the linear index of [`Kind::Arg`]), no aliasing and no in-place updates except the list
//! [`Graph::updates`], which happens after all nodes were computed. No dynamic shapes. Nodes are in topological
//! order by construction: a node reads only nodes with smaller ids.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A node of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

/// The element type of a tensor. `Float` is f32 on the CPU and on GPUs, f64 in the reference executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// Real numbers.
    Float,
    /// Integers: labels, tokens, positions of maxima.
    Int,
}

/// A tensor computation with its outputs and its updates of persistent inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// In topological order.
    pub nodes: Vec<Node>,
    /// Named results, in order.
    pub outputs: Vec<(String, NodeId)>,
    /// `(input, value)`: after all nodes are computed, the persistent input takes the value. Each input at most once.
    pub updates: Vec<(NodeId, NodeId)>,
}

/// One tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// How it is computed.
    pub kind: Kind,
    /// Its extents; empty for a scalar.
    pub shape: Vec<usize>,
    /// Its element type.
    pub dtype: DType,
    /// The axis along which examples of a batch lie, if it has one. Executors may lay that axis out innermost.
    pub example: Option<u8>,
    /// Where it comes from, for profiles and pictures: `cell@2.edge(0,1)/nor_conv_3x3/conv`. No meaning.
    pub label: String,
}

/// How a tensor is computed.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Given from outside under a name.
    Input(Input),
    /// See the module documentation.
    Equation(Equation),
    /// `Arg` of a `max` or `min` equation: the row-major linear index, over the reduction axes, of the first point
    /// that attains it (the first NaN if there is one); -1 where no point is left. An `Int` tensor.
    Arg(Equation),
    /// Sums the body into a zero tensor, at computed places, in row-major order of the loop variables (so that the
    /// result does not depend on threads). The adjoint of a gather.
    Scatter(Scatter),
    /// The inputs one after the other along an axis.
    Concat {
        /// At least one; equal extents but for the axis.
        inputs: Vec<NodeId>,
        /// Which axis.
        axis: usize,
    },
    /// The same elements in row-major order under another shape.
    Reshape(NodeId),
    /// Independent uniform draws in [0, 1): element `i` (row-major) is a pure function of the run's seed, the step
    /// number, the stream, and `i`; see [`draw`]. Not of its place in memory, nor of threads.
    Random {
        /// Tells the draws of one graph apart.
        stream: u64,
    },
}

/// What an input is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Unique among the graph's inputs: a site for weights (`cell@0.edge(0,1)/conv.w`), a name for the others.
    pub name: String,
    /// What it is.
    pub role: Role,
}

/// The roles of inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// Differs in every run: images, labels.
    Data,
    /// A weight, learned.
    Param(Init),
    /// A running statistic or an optimizer's memory; persistent, not differentiated.
    State(Init),
    /// A scalar set at run time: a learning rate, a drop probability. With its initial value.
    Knob(f64),
}

/// How a persistent input starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Init {
    /// All elements equal.
    Constant(f64),
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// Uniform in `[-a, a)`.
    Uniform(f64),
    /// The identity operation for function-preserving growth (Chen et al. 2016, Net2DeeperNet): element
    /// `(o, c, u, v)` is 1 where `o == c` and every further index is at its centre, else 0.
    Identity,
}

/// See the module documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Equation {
    /// The reducer and the extents of its axes; `None` for an elementwise equation.
    pub reduce: Option<Reduce>,
    /// All must hold for a point to take part.
    pub guards: Vec<Guard>,
    /// The body in SSA form: an operation refers to earlier ones. The last one is the result.
    pub body: Vec<Op>,
}

/// A reducer over axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// How points combine.
    pub op: ReduceOp,
    /// The extents of the reduction axes; not empty, each at least 1.
    pub extents: Vec<usize>,
}

/// How points combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is its name")]
pub enum ReduceOp {
    Sum,
    Max,
    Min,
    Mean,
    Prod,
}

/// See [`Kind::Scatter`]. All loop variables `0..extents.len()` are reduced.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter {
    /// The extents of the loop variables.
    pub extents: Vec<usize>,
    /// All must hold for a point to take part.
    pub guards: Vec<Guard>,
    /// Where a point is added: one index for each axis of the node's shape. Points outside are dropped.
    pub target: Vec<Index>,
    /// What is added.
    pub body: Vec<Op>,
}

/// A condition on loop variables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Guard {
    /// `0 <= index < extent`
    InRange(Index, usize),
    /// `index == 0`; `Index % n == 0` is written with an [`Atom::Mod`].
    Zero(Index),
}

/// An integer expression over loop variables: `constant + sum(coefficient * atom)`. Kept in normal form: atoms in
/// their order, each once, no coefficient 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Index {
    /// The constant term.
    pub constant: i64,
    /// The other terms.
    pub terms: Vec<(Atom, i64)>,
}

/// What an index is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    /// A loop variable.
    Var(u8),
    /// Division rounding down, by a positive number.
    Div(Box<Index>, i64),
    /// The remainder that belongs to it, in `0..n`.
    Mod(Box<Index>, i64),
    /// An element of an `Int` tensor.
    Load(NodeId, Vec<Index>),
}

/// The place of an element: one index for each axis of a tensor. Equations that are alike share it, so a copy costs
/// nothing, and equal ones are mostly told by their address or their hash.
#[derive(Clone)]
pub struct At(Arc<Place>);

struct Place {
    hash: u128,
    affine: bool,
    indices: Vec<Index>,
}

impl At {
    /// The point of an output of this rank itself.
    pub fn identity(rank: usize) -> Self {
        thread_local! {
            static KNOWN: [At; 8] = std::array::from_fn(|rank| (0..rank).map(Index::var).collect());
        }
        KNOWN.with(|known| known.get(rank).cloned()).unwrap_or_else(|| (0..rank).map(Index::var).collect())
    }

    /// Whether all indices are constants plus multiples of loop variables.
    pub fn is_affine(&self) -> bool {
        self.0.affine
    }

    /// Whether it is the point of the output itself.
    pub fn is_identity(&self) -> bool {
        self.0.affine && self.iter().enumerate().all(|(a, i)| i.as_var() == Some(a))
    }

    /// Replaces every node that is read.
    pub fn map_reads(&mut self, f: &mut impl FnMut(NodeId) -> NodeId) {
        if !self.is_affine() {
            *self = self
                .iter()
                .map(|i| {
                    let mut i = i.clone();
                    i.map_reads(f);
                    i
                })
                .collect();
        }
    }
}

impl From<Vec<Index>> for At {
    fn from(indices: Vec<Index>) -> Self {
        let affine = indices.iter().all(Index::is_affine);
        Self(Arc::new(Place { hash: crate::base::hash::of(&indices), affine, indices }))
    }
}

impl FromIterator<Index> for At {
    fn from_iter<I: IntoIterator<Item = Index>>(indices: I) -> Self {
        Self::from(indices.into_iter().collect::<Vec<Index>>())
    }
}

impl Deref for At {
    type Target = [Index];
    fn deref(&self) -> &[Index] {
        &self.0.indices
    }
}

impl<'a> IntoIterator for &'a At {
    type Item = &'a Index;
    type IntoIter = std::slice::Iter<'a, Index>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for At {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.hash == other.0.hash && self.0.indices == other.0.indices)
    }
}

impl Hash for At {
    fn hash<H: Hasher>(&self, to: &mut H) {
        to.write_u128(self.0.hash);
    }
}

impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.indices.fmt(f)
    }
}

/// The number of an operation in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Val(pub u32);

/// A scalar operation of a body. Values are `Float` or `Bool`; an `Int` tensor is read as `Float`.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A number.
    Const(f64),
    /// An element of a tensor; one index for each of its axes.
    Read(NodeId, At),
    /// An integer expression as a number.
    Index(Index),
    /// A condition on loop variables, as a `Bool`.
    Test(Guard),
    /// One operand.
    Unary(UnaryOp, Val),
    /// Two operands.
    Binary(BinaryOp, Val, Val),
    /// A comparison, as a `Bool`. False if an operand is NaN, but for `Ne`.
    Compare(CompareOp, Val, Val),
    /// The second if the first (a `Bool`) holds, else the third.
    Select(Val, Val, Val),
}

/// Operations with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is its name")]
pub enum UnaryOp {
    Neg,
    Exp,
    Log,
    Sqrt,
    Rsqrt,
    Tanh,
    Sigmoid,
    Erf,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Abs,
    Floor,
    /// Of a `Bool`.
    Not,
}

/// Operations with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is its name")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    /// `pow(a, b)`; by a constant whole number it is repeated multiplication.
    Pow,
    /// NaN if an operand is.
    Max,
    /// NaN if an operand is.
    Min,
    /// Of two `Bool`s.
    And,
    /// Of two `Bool`s.
    Or,
}

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is its name")]
pub enum CompareOp {
    Lt,
    Le,
    Eq,
    Ne,
}

/// Element `i` of stream `stream` at step `step` under `seed`: uniform in [0, 1), with 24 random bits.
/// Two rounds of the finalizer of `MurmurHash3` over a Weyl sequence; the same arithmetic in every executor.
pub fn draw(seed: u64, stream: u64, step: u64, i: u64) -> f32 {
    let key = mix(seed ^ mix(stream ^ mix(step.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
    let bits = mix(key.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    (bits >> 40) as f32 * (1.0 / 16_777_216.0)
}

/// A bijection of 64 bits in which every input bit reaches every output bit.
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

impl Index {
    /// A constant.
    pub fn constant(c: i64) -> Self {
        Self { constant: c, terms: Vec::new() }
    }

    /// A loop variable.
    pub fn var(v: usize) -> Self {
        Self::atom(Atom::Var(v as u8))
    }

    /// One atom.
    pub fn atom(a: Atom) -> Self {
        Self { constant: 0, terms: vec![(a, 1)] }
    }

    /// The value if it depends on nothing.
    pub fn as_constant(&self) -> Option<i64> {
        self.terms.is_empty().then_some(self.constant)
    }

    /// The variable if it is just that.
    pub fn as_var(&self) -> Option<usize> {
        match (self.constant, self.terms.as_slice()) {
            (0, [(Atom::Var(v), 1)]) => Some(*v as usize),
            _ => None,
        }
    }

    /// `self + k * other`
    #[must_use]
    pub fn plus(&self, other: &Index, k: i64) -> Self {
        let mut terms = self.terms.clone();
        for (a, c) in &other.terms {
            match terms.binary_search_by(|(b, _)| b.cmp(a)) {
                Ok(i) => terms[i].1 += c * k,
                Err(i) => terms.insert(i, (a.clone(), c * k)),
            }
        }
        terms.retain(|&(_, c)| c != 0);
        Self { constant: self.constant + other.constant * k, terms }
    }

    /// `self * k`
    #[must_use]
    pub fn times(&self, k: i64) -> Self {
        Self::constant(0).plus(self, k)
    }

    /// `floor(self / n)` for positive `n`; multiples of `n` leave the division.
    #[must_use]
    pub fn div(&self, n: i64) -> Self {
        assert!(n > 0, "division of an index by {n}");
        let (whole, rest) = self.split_multiples(n);
        match rest.as_constant() {
            Some(c) => whole.plus(&Self::constant(c.div_euclid(n)), 1),
            None if n == 1 => whole.plus(&rest, 1),
            None => whole.plus(&Self::atom(Atom::Div(Box::new(rest), n)), 1),
        }
    }

    /// `self - n * floor(self / n)` for positive `n`.
    #[must_use]
    pub fn rem(&self, n: i64) -> Self {
        assert!(n > 0, "remainder of an index by {n}");
        let (_, rest) = self.split_multiples(n);
        match rest.as_constant() {
            Some(c) => Self::constant(c.rem_euclid(n)),
            None if n == 1 => Self::constant(0),
            None => Self::atom(Atom::Mod(Box::new(rest), n)),
        }
    }

    /// `(a, b)` with `self == n * a + b`, where `a` takes all terms that are multiples of `n`.
    fn split_multiples(&self, n: i64) -> (Self, Self) {
        let (mut a, mut b) = (Self::default(), Self::default());
        for (atom, c) in &self.terms {
            if c % n == 0 {
                a.terms.push((atom.clone(), c / n));
            } else {
                b.terms.push((atom.clone(), *c));
            }
        }
        a.constant = self.constant.div_euclid(n);
        b.constant = self.constant.rem_euclid(n);
        (a, b)
    }

    /// Every variable replaced.
    #[must_use]
    pub fn substitute(&self, var: &mut impl FnMut(usize) -> Index) -> Self {
        let mut out = Self::constant(self.constant);
        for (atom, c) in &self.terms {
            let value = match atom {
                Atom::Var(v) => var(*v as usize),
                Atom::Div(i, n) => i.substitute(var).div(*n),
                Atom::Mod(i, n) => i.substitute(var).rem(*n),
                Atom::Load(t, at) => Self::atom(Atom::Load(*t, at.iter().map(|i| i.substitute(var)).collect())),
            };
            out = out.plus(&value, *c);
        }
        out
    }

    /// The least and the greatest value, where loop variable `v` runs over `0..extents[v]`. A loaded integer may be
    /// anything; it is taken as `0..=i32::MAX`.
    pub fn bounds(&self, extents: &[usize]) -> (i64, i64) {
        let (mut lo, mut hi) = (self.constant, self.constant);
        for (atom, c) in &self.terms {
            let (a, b) = match atom {
                Atom::Var(v) => (0, extents[*v as usize] as i64 - 1),
                Atom::Div(i, n) => {
                    let (a, b) = i.bounds(extents);
                    (a.div_euclid(*n), b.div_euclid(*n))
                }
                Atom::Mod(i, n) => {
                    let (a, b) = i.bounds(extents);
                    if a >= 0 && b < *n { (a, b) } else { (0, n - 1) }
                }
                Atom::Load(..) => (0, i64::from(i32::MAX)),
            };
            let (x, y) = (a.saturating_mul(*c), b.saturating_mul(*c));
            lo = lo.saturating_add(x.min(y));
            hi = hi.saturating_add(x.max(y));
        }
        (lo, hi)
    }

    /// Calls `f` with every tensor that the index loads from.
    pub fn loads(&self, f: &mut impl FnMut(NodeId)) {
        for (atom, _) in &self.terms {
            match atom {
                Atom::Var(_) => {}
                Atom::Div(i, _) | Atom::Mod(i, _) => i.loads(f),
                Atom::Load(t, at) => {
                    f(*t);
                    for i in at {
                        i.loads(f);
                    }
                }
            }
        }
    }
}

impl Op {
    /// An element of a tensor.
    pub fn read(tensor: NodeId, at: impl Into<At>) -> Self {
        Op::Read(tensor, at.into())
    }
}

impl Guard {
    /// The index that is tested.
    pub fn index(&self) -> &Index {
        match self {
            Guard::InRange(i, _) | Guard::Zero(i) => i,
        }
    }

    /// Every variable replaced.
    #[must_use]
    pub fn substitute(&self, var: &mut impl FnMut(usize) -> Index) -> Self {
        match self {
            Guard::InRange(i, n) => Guard::InRange(i.substitute(var), *n),
            Guard::Zero(i) => Guard::Zero(i.substitute(var)),
        }
    }

    /// Whether it holds everywhere (`Some(true)`), nowhere (`Some(false)`), or depends.
    pub fn decided(&self, extents: &[usize]) -> Option<bool> {
        let (lo, hi) = self.index().bounds(extents);
        match self {
            Guard::InRange(_, n) if lo >= 0 && hi < *n as i64 => Some(true),
            Guard::InRange(_, n) if hi < 0 || lo >= *n as i64 => Some(false),
            Guard::Zero(_) if lo == 0 && hi == 0 => Some(true),
            Guard::Zero(_) if lo > 0 || hi < 0 => Some(false),
            _ => None,
        }
    }
}

impl Equation {
    /// The extents of all loop variables for an output of this shape.
    pub fn extents(&self, shape: &[usize]) -> Vec<usize> {
        let mut e = shape.to_vec();
        if let Some(r) = &self.reduce {
            e.extend(&r.extents);
        }
        e
    }
}

impl Graph {
    /// The node of an id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// All ids in topological order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// Appends a node.
    pub fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// The inputs, in order.
    pub fn inputs(&self) -> impl Iterator<Item = (NodeId, &Input)> {
        self.ids().filter_map(|id| match &self.node(id).kind {
            Kind::Input(i) => Some((id, i)),
            _ => None,
        })
    }

    /// Bytes of what outlives a run: weights and states, of four bytes each.
    pub fn lasting_bytes(&self) -> u64 {
        let lasting = self.inputs().filter(|(_, i)| matches!(i.role, Role::Param(_) | Role::State(_)));
        lasting.map(|(id, _)| self.node(id).shape.iter().map(|&d| d as u64).product::<u64>() * 4).sum()
    }
}

impl Node {
    /// Calls `f` with every node that this one reads, once for each read.
    pub fn reads(&self, mut f: impl FnMut(NodeId)) {
        let (guards, body, target): (&[Guard], &[Op], &[Index]) = match &self.kind {
            Kind::Input(_) | Kind::Random { .. } => return,
            Kind::Reshape(x) => return f(*x),
            Kind::Concat { inputs, .. } => return inputs.iter().for_each(|&x| f(x)),
            Kind::Equation(e) | Kind::Arg(e) => (&e.guards, &e.body, &[]),
            Kind::Scatter(s) => (&s.guards, &s.body, &s.target),
        };
        for g in guards {
            g.index().loads(&mut f);
        }
        for i in target {
            i.loads(&mut f);
        }
        for op in body {
            match op {
                Op::Read(t, at) => {
                    f(*t);
                    if !at.is_affine() {
                        at.iter().for_each(|i| i.loads(&mut f));
                    }
                }
                Op::Index(i) => i.loads(&mut f),
                Op::Test(g) => g.index().loads(&mut f),
                _ => {}
            }
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
