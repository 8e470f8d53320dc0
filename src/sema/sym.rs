//! Numbers under all decisions at once.
//!
//! While a space is checked, a number is not one value but a function of the decisions and of unknown extents. It is
//! kept as a node of a shared DAG in a normal form: sums of products with integer coefficients, sorted operands,
//! nested ceiling divisions joined. Two numbers that are equal by these rules have one id. What normal forms cannot
//! show is settled by enumerating the decisions that a condition depends on ([`Syms::prove`]).
//!
//! A constant never enters the DAG, so that elaboration of one concrete candidate costs plain arithmetic.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// A number, known or symbolic. Booleans are numbers here, so that conditions share the machinery.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Num {
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A node of the DAG.
    Sym(SymId),
}

/// A node of [`Syms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymId(u32);

/// What an enumeration varies: the option of a decision, or whether a subset has one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Var {
    /// Which option decision number `.0` takes.
    Option(u32),
    /// Whether the subset of decision `.0` has element `.1`.
    Member(u32, u32),
}

/// What the enumeration must know of a decision.
#[derive(Clone, Copy, Debug)]
pub enum VarInfo {
    /// So many options.
    Options(u32),
    /// A subset of so many elements with a size within bounds.
    Subset {
        /// How many there are to choose from.
        of: u32,
        /// The fewest that are chosen.
        lo: u32,
        /// The most that are chosen.
        hi: u32,
    },
    /// A real number: nothing to enumerate.
    Real,
}

/// Values for variables: an option's index, or 0 and 1 for membership.
pub type Assignment = BTreeMap<Var, u32>;

/// Two-operand functions that have no normal form of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fun {
    /// Division rounding down.
    FloorDiv,
    /// Division rounding up.
    CeilDiv,
    /// The remainder with the divisor's sign.
    Rem,
    /// Division of real numbers.
    Div,
    /// Power.
    Pow,
    /// The product of real numbers, or of anything with a real number.
    MulReal,
    /// The sum of real numbers.
    AddReal,
}

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is its name")]
pub enum Cmp {
    Eq,
    Lt,
    Le,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Leaf {
    Int(i64),
    Float(u64),
    Bool(bool),
    Sym(SymId),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Node {
    Extent(Arc<str>),
    /// One value for each option of a decision.
    Pick(u32, Arc<[Leaf]>),
    Member(u32, u32),
    /// The real number that a decision takes.
    Real(u32),
    Sum(i64, Vec<(SymId, i64)>),
    Product(Vec<SymId>),
    Fun(Fun, Leaf, Leaf),
    Max(Vec<Leaf>),
    Min(Vec<Leaf>),
    If(SymId, Leaf, Leaf),
    Cmp(Cmp, Leaf, Leaf),
    Not(SymId),
    And(Vec<SymId>),
    Or(Vec<SymId>),
}

/// How a proof ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Proof {
    /// The condition holds for every combination.
    Holds,
    /// It fails here.
    Fails(Assignment),
    /// It depends on these variables, whose combinations are too many, or on unknown extents.
    Unknown(Vec<Var>),
}

/// Most combinations that [`Syms::prove`] tries.
pub const MAX_COMBINATIONS: u64 = 1 << 16;

/// Most values of a number that are shown side by side.
const MOST_SHOWN: usize = 4;

/// Deepest formula that is shown.
const DEEPEST_SHOWN: usize = 8;

/// The DAG.
#[derive(Clone, Debug, Default)]
pub struct Syms {
    nodes: Vec<Node>,
    /// What each node depends on, sorted.
    support: Vec<Arc<[Var]>>,
    unknown: Vec<bool>,
    /// The decision of each node that is a pick of truth values.
    literals: Vec<Option<u32>>,
    index: HashMap<Node, Num, BuildHasherDefault<Mix>>,
    /// Conjunctions (`true`) and disjunctions of two nodes, the lesser first.
    junctions: HashMap<(bool, SymId, SymId), Num, BuildHasherDefault<Mix>>,
    intervals: Vec<(i64, i64)>,
    /// By decision number.
    pub vars: Vec<VarInfo>,
}

/// Hashes a few words. Only lookups use it, so that nothing but speed depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        for c in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..c.len()].copy_from_slice(c);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, x: u8) {
        self.write_u64(u64::from(x));
    }

    fn write_u32(&mut self, x: u32) {
        self.write_u64(u64::from(x));
    }

    fn write_u64(&mut self, x: u64) {
        self.0 = (self.0.rotate_left(5) ^ x).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, x: usize) {
        self.write_u64(x as u64);
    }
}

impl From<Num> for Leaf {
    fn from(n: Num) -> Self {
        match n {
            Num::Int(i) => Leaf::Int(i),
            Num::Float(f) => Leaf::Float(f.to_bits()),
            Num::Bool(b) => Leaf::Bool(b),
            Num::Sym(s) => Leaf::Sym(s),
        }
    }
}

impl From<Leaf> for Num {
    fn from(l: Leaf) -> Self {
        match l {
            Leaf::Int(i) => Num::Int(i),
            Leaf::Float(f) => Num::Float(f64::from_bits(f)),
            Leaf::Bool(b) => Num::Bool(b),
            Leaf::Sym(s) => Num::Sym(s),
        }
    }
}

impl Num {
    /// As a real number, if known.
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Num::Int(i) => Some(i as f64),
            Num::Float(f) => Some(f),
            Num::Bool(_) | Num::Sym(_) => None,
        }
    }

    /// As a whole number, if known and whole.
    pub fn as_int(self) -> Option<i64> {
        match self {
            Num::Int(i) => Some(i),
            _ => None,
        }
    }

    /// Two words that no other number has.
    pub(crate) fn words(self) -> [u64; 2] {
        match self {
            Num::Int(i) => [0, i as u64],
            Num::Float(f) => [1, f.to_bits()],
            Num::Bool(b) => [2, u64::from(b)],
            Num::Sym(s) => [3, u64::from(s.0)],
        }
    }

    /// Whether it is one known value.
    pub fn is_known(self) -> bool {
        !matches!(self, Num::Sym(_))
    }
}

/// Division rounding down.
pub fn floor_div(a: i64, b: i64) -> i64 {
    let q = a.wrapping_div(b);
    if a % b != 0 && (a < 0) != (b < 0) { q - 1 } else { q }
}

impl Syms {
    fn intern(&mut self, node: Node) -> Num {
        if let Some(&n) = self.index.get(&node) {
            return n;
        }
        let mut support = Vec::new();
        let mut unknown = false;
        let mut from = |l: &Leaf| {
            if let Leaf::Sym(s) = l {
                support.extend(self.support[s.0 as usize].iter().copied());
                unknown |= self.unknown[s.0 as usize];
            }
        };
        match &node {
            Node::Extent(_) => unknown = true,
            Node::Real(_) => unknown = true,
            Node::Pick(d, xs) => {
                xs.iter().for_each(&mut from);
                support.push(Var::Option(*d));
            }
            Node::Member(d, i) => {
                support.push(Var::Member(*d, *i));
            }
            Node::Sum(_, ts) => ts.iter().for_each(|(s, _)| from(&Leaf::Sym(*s))),
            Node::Product(xs) | Node::And(xs) | Node::Or(xs) => xs.iter().for_each(|s| from(&Leaf::Sym(*s))),
            Node::Fun(_, a, b) | Node::Cmp(_, a, b) => {
                from(a);
                from(b);
            }
            Node::Max(xs) | Node::Min(xs) => xs.iter().for_each(from),
            Node::If(c, a, b) => {
                from(&Leaf::Sym(*c));
                from(a);
                from(b);
            }
            Node::Not(s) => from(&Leaf::Sym(*s)),
        }
        let id = SymId(self.nodes.len() as u32);
        let interval = self.interval_of(&node);
        self.intervals.push(interval);
        let literal = match &node {
            Node::Pick(d, xs) if xs.iter().all(|x| matches!(x, Leaf::Bool(_))) => Some(*d),
            _ => None,
        };
        self.literals.push(literal);
        self.nodes.push(node.clone());
        support.sort_unstable();
        support.dedup();
        let only = if let [Var::Option(d)] = support[..] { Some(d) } else { None };
        self.support.push(support.into());
        self.unknown.push(unknown);
        // What depends on one decision alone is its value for each option.
        let n = match only {
            Some(d) if !self.is_plain_pick(&node, d) && self.width(Var::Option(d)) <= 64 => {
                let options = 0..self.width(Var::Option(d));
                let values: Option<Vec<Num>> = if unknown {
                    Some(options.map(|o| self.restrict(Num::Sym(id), d, o)).collect())
                } else {
                    options.map(|o| self.eval(Num::Sym(id), &[(Var::Option(d), o)].into())).collect()
                };
                values.map_or(Num::Sym(id), |v| self.pick(d, &v))
            }
            _ => Num::Sym(id),
        };
        self.index.insert(node, n);
        n
    }

    /// A pick of decision `d` among values that do not depend on it.
    fn is_plain_pick(&self, node: &Node, d: u32) -> bool {
        let free = |l: &Leaf| match l {
            Leaf::Sym(s) => self.support[s.0 as usize].is_empty(),
            _ => true,
        };
        matches!(node, Node::Pick(e, xs) if *e == d && xs.iter().all(free))
    }

    /// The number when decision `d` takes option `o`.
    fn restrict(&mut self, n: Num, d: u32, o: u32) -> Num {
        let Num::Sym(s) = n else { return n };
        if self.support[s.0 as usize].binary_search(&Var::Option(d)).is_err() {
            return n;
        }
        let node = self.nodes[s.0 as usize].clone();
        let mut go = |x: Leaf| self.restrict(x.into(), d, o);
        match node {
            Node::Extent(_) | Node::Real(_) | Node::Member(..) => n,
            Node::Pick(e, xs) if e == d => xs.get(o as usize).map_or(n, |x| go(*x)),
            Node::Pick(e, xs) => {
                let xs: Vec<Num> = xs.iter().map(|x| go(*x)).collect();
                self.pick(e, &xs)
            }
            Node::Sum(c, ts) => {
                let parts: Vec<(Num, i64)> = ts.iter().map(|&(t, k)| (go(Leaf::Sym(t)), k)).collect();
                parts.into_iter().fold(Num::Int(c), |sum, (p, k)| {
                    let term = self.mul(p, Num::Int(k));
                    self.add(sum, term)
                })
            }
            Node::Product(xs) => {
                let parts: Vec<Num> = xs.iter().map(|&x| go(Leaf::Sym(x))).collect();
                parts.into_iter().fold(Num::Int(1), |p, x| self.mul(p, x))
            }
            Node::Fun(f, a, b) => {
                let (a, b) = (go(a), go(b));
                match f {
                    Fun::AddReal => self.add(a, b),
                    Fun::MulReal => self.mul(a, b),
                    f => self.fun(f, a, b),
                }
            }
            Node::Max(xs) => {
                let xs: Vec<Num> = xs.iter().map(|x| go(*x)).collect();
                self.extremum(true, &xs)
            }
            Node::Min(xs) => {
                let xs: Vec<Num> = xs.iter().map(|x| go(*x)).collect();
                self.extremum(false, &xs)
            }
            Node::If(c, a, b) => {
                let (c, a, b) = (go(Leaf::Sym(c)), go(a), go(b));
                self.select(c, a, b)
            }
            Node::Cmp(op, a, b) => {
                let (a, b) = (go(a), go(b));
                self.cmp(op, a, b)
            }
            Node::Not(x) => {
                let x = go(Leaf::Sym(x));
                self.not(x)
            }
            Node::And(xs) | Node::Or(xs) => {
                let and = matches!(self.nodes[s.0 as usize], Node::And(_));
                let xs: Vec<Num> = xs.iter().map(|&x| self.restrict(Num::Sym(x), d, o)).collect();
                xs.into_iter().fold(Num::Bool(and), |a, b| self.junction(and, a, b))
            }
        }
    }

    /// An unknown extent of at least 1.
    pub fn extent(&mut self, name: &str) -> Num {
        self.intern(Node::Extent(name.into()))
    }

    /// The value that decision `d` selects among one for each option.
    pub fn pick(&mut self, d: u32, values: &[Num]) -> Num {
        if values.iter().all(|v| *v == values[0]) {
            return values[0];
        }
        let leaves: Arc<[Leaf]> = values.iter().map(|&v| v.into()).collect();
        self.intern(Node::Pick(d, leaves))
    }

    /// Whether decision `d` takes option `i` of `n`.
    pub fn is_option(&mut self, d: u32, i: u32, n: u32) -> Num {
        let values: Vec<Num> = (0..n).map(|k| Num::Bool(k == i)).collect();
        self.pick(d, &values)
    }

    /// Whether the subset of decision `d` has element `i`.
    pub fn member(&mut self, d: u32, i: u32) -> Num {
        if let Some(&VarInfo::Subset { of, lo, .. }) = self.vars.get(d as usize)
            && lo == of
        {
            return Num::Bool(true);
        }
        self.intern(Node::Member(d, i))
    }

    /// The real number of decision `d`.
    pub fn real(&mut self, d: u32) -> Num {
        self.intern(Node::Real(d))
    }

    fn as_sum(&self, n: Num) -> Option<(i64, Vec<(SymId, i64)>)> {
        match n {
            Num::Int(c) => Some((c, Vec::new())),
            Num::Bool(b) => Some((i64::from(b), Vec::new())),
            Num::Float(_) => None,
            Num::Sym(s) => match &self.nodes[s.0 as usize] {
                Node::Sum(c, ts) => Some((*c, ts.clone())),
                _ => Some((0, vec![(s, 1)])),
            },
        }
    }

    fn sum_of(&mut self, c: i64, mut ts: Vec<(SymId, i64)>) -> Num {
        ts.sort_unstable();
        let mut out: Vec<(SymId, i64)> = Vec::new();
        for (s, k) in ts {
            match out.last_mut() {
                Some((t, m)) if *t == s => *m += k,
                _ => out.push((s, k)),
            }
        }
        out.retain(|&(_, k)| k != 0);
        match (c, out.as_slice()) {
            (_, []) => Num::Int(c),
            (0, [(s, 1)]) => Num::Sym(*s),
            _ => self.intern(Node::Sum(c, out)),
        }
    }

    /// `a + b`
    pub fn add(&mut self, a: Num, b: Num) -> Num {
        match (a, b) {
            (Num::Int(x), Num::Int(y)) => Num::Int(x.saturating_add(y)),
            (Num::Float(_), Num::Float(_) | Num::Int(_)) | (Num::Int(_), Num::Float(_)) => {
                Num::Float(a.as_f64().unwrap_or(0.0) + b.as_f64().unwrap_or(0.0))
            }
            _ => match (self.as_sum(a), self.as_sum(b)) {
                (Some((c, mut ts)), Some((d, us))) => {
                    ts.extend(us);
                    self.sum_of(c.saturating_add(d), ts)
                }
                _ => self.fun(Fun::AddReal, a, b),
            },
        }
    }

    /// `-a`
    pub fn neg(&mut self, a: Num) -> Num {
        match a {
            Num::Float(x) => Num::Float(-x),
            _ => self.mul(a, Num::Int(-1)),
        }
    }

    /// `a - b`
    pub fn sub(&mut self, a: Num, b: Num) -> Num {
        let n = self.neg(b);
        self.add(a, n)
    }

    /// `a * b`
    pub fn mul(&mut self, a: Num, b: Num) -> Num {
        match (a, b) {
            (Num::Int(x), Num::Int(y)) => Num::Int(x.saturating_mul(y)),
            (Num::Float(_), Num::Float(_) | Num::Int(_)) | (Num::Int(_), Num::Float(_)) => {
                Num::Float(a.as_f64().unwrap_or(0.0) * b.as_f64().unwrap_or(0.0))
            }
            _ => match (self.as_sum(a), self.as_sum(b)) {
                (Some((c, ts)), Some((d, us))) => {
                    let mut out: Vec<(SymId, i64)> = Vec::new();
                    let mut whole = c.saturating_mul(d);
                    out.extend(ts.iter().map(|&(s, k)| (s, k * d)));
                    out.extend(us.iter().map(|&(s, k)| (s, k * c)));
                    for &(s, k) in &ts {
                        for &(u, m) in &us {
                            let mut factors = self.factors(s);
                            factors.extend(self.factors(u));
                            factors.sort_unstable();
                            match self.intern(Node::Product(factors)) {
                                Num::Sym(p) => out.push((p, k * m)),
                                Num::Int(i) => whole = whole.saturating_add(i.saturating_mul(k * m)),
                                Num::Float(_) | Num::Bool(_) => {}
                            }
                        }
                    }
                    self.sum_of(whole, out)
                }
                _ => self.fun(Fun::MulReal, a, b),
            },
        }
    }

    fn factors(&self, s: SymId) -> Vec<SymId> {
        match &self.nodes[s.0 as usize] {
            Node::Product(f) => f.clone(),
            _ => vec![s],
        }
    }

    /// A function of two numbers. A division by 0 is the caller's to exclude; here it gives 0.
    pub fn fun(&mut self, f: Fun, a: Num, b: Num) -> Num {
        if let (true, true) = (a.is_known(), b.is_known()) {
            return apply(f, a, b);
        }
        match (f, b) {
            (Fun::FloorDiv | Fun::CeilDiv, Num::Int(1)) => return a,
            (Fun::FloorDiv | Fun::CeilDiv | Fun::Rem, Num::Int(n)) if n > 0 => {
                if let Some((c, ts)) = self.as_sum(a)
                    && c % n == 0
                    && ts.iter().all(|&(_, k)| k % n == 0)
                {
                    if f == Fun::Rem {
                        return Num::Int(0);
                    }
                    return self.sum_of(c / n, ts.into_iter().map(|(s, k)| (s, k / n)).collect());
                }
                // ceil(ceil(x / m) / n) = ceil(x / (m n)), and the same for floor.
                if let Num::Sym(s) = a
                    && let Node::Fun(g, x, Leaf::Int(m)) = self.nodes[s.0 as usize]
                    && g == f
                    && f != Fun::Rem
                    && m > 0
                {
                    return self.fun(f, x.into(), Num::Int(m * n));
                }
            }
            _ => {}
        }
        self.intern(Node::Fun(f, a.into(), b.into()))
    }

    /// The greatest (or, if not `max`, the least) of at least one number.
    pub fn extremum(&mut self, max: bool, xs: &[Num]) -> Num {
        let mut known: Option<Num> = None;
        let mut leaves: BTreeSet<Leaf> = BTreeSet::new();
        for &x in xs {
            if let Num::Sym(s) = x {
                match (&self.nodes[s.0 as usize], max) {
                    (Node::Max(ys), true) | (Node::Min(ys), false) => leaves.extend(ys.iter().copied()),
                    _ => {
                        leaves.insert(x.into());
                    }
                }
            } else {
                known = Some(match known {
                    Some(k) => {
                        let (a, b) = (k.as_f64().unwrap_or(0.0), x.as_f64().unwrap_or(0.0));
                        if (a < b) == max { x } else { k }
                    }
                    None => x,
                });
            }
        }
        if let Some(k) = known {
            leaves.insert(k.into());
        }
        if leaves.len() == 1 {
            return leaves.into_iter().next().map_or(Num::Int(0), Num::from);
        }
        let xs: Vec<Leaf> = leaves.into_iter().collect();
        self.intern(if max { Node::Max(xs) } else { Node::Min(xs) })
    }

    /// `if c { a } else { b }`
    pub fn select(&mut self, c: Num, a: Num, b: Num) -> Num {
        match c {
            Num::Bool(true) => a,
            Num::Bool(false) => b,
            _ if a == b => a,
            Num::Sym(s) => {
                if let (Num::Bool(true), Num::Bool(false)) = (a, b) {
                    return c;
                }
                // `if x == y { x } else { y }` is y, whatever else the condition demands.
                let (x, y): (Leaf, Leaf) = (a.into(), b.into());
                let equal = |n: &Num| {
                    let Num::Sym(e) = *n else { return false };
                    matches!(self.nodes[e.0 as usize], Node::Cmp(Cmp::Eq, p, q) if (p, q) == (x, y) || (q, p) == (x, y))
                };
                if self.conjuncts(c).iter().any(equal) {
                    return b;
                }
                self.intern(Node::If(s, a.into(), b.into()))
            }
            Num::Int(_) | Num::Float(_) => a,
        }
    }

    /// A comparison.
    pub fn cmp(&mut self, op: Cmp, a: Num, b: Num) -> Num {
        if a == b {
            return Num::Bool(op != Cmp::Lt);
        }
        if a.is_known() && b.is_known() {
            return Num::Bool(compare(op, a, b));
        }
        // A decision's pick against a constant becomes a pick of truth values: a literal.
        for (x, y, swapped) in [(a, b, false), (b, a, true)] {
            if let Num::Sym(s) = x
                && y.is_known()
                && let Node::Pick(d, xs) = self.nodes[s.0 as usize].clone()
                && xs.iter().all(|l| !matches!(l, Leaf::Sym(_)))
            {
                let values: Vec<Num> = xs
                    .iter()
                    .map(|&l| Num::Bool(if swapped { compare(op, y, l.into()) } else { compare(op, l.into(), y) }))
                    .collect();
                return self.pick(d, &values);
            }
        }
        let ((alo, ahi), (blo, bhi)) = (self.interval(a), self.interval(b));
        match op {
            Cmp::Lt if ahi < blo => return Num::Bool(true),
            Cmp::Lt if alo >= bhi => return Num::Bool(false),
            Cmp::Le if ahi <= blo => return Num::Bool(true),
            Cmp::Le if alo > bhi => return Num::Bool(false),
            Cmp::Eq if ahi < blo || bhi < alo => return Num::Bool(false),
            _ => {}
        }
        if op == Cmp::Eq {
            // x == y is decided by the difference if that is constant.
            if self.as_sum(a).is_some() && self.as_sum(b).is_some() {
                let d = self.sub(a, b);
                if let Num::Int(k) = d {
                    return Num::Bool(k == 0);
                }
            }
            let (x, y): (Leaf, Leaf) = (a.into(), b.into());
            let (x, y) = if x <= y { (x, y) } else { (y, x) };
            return self.intern(Node::Cmp(op, x, y));
        }
        self.intern(Node::Cmp(op, a.into(), b.into()))
    }

    /// `!a`
    pub fn not(&mut self, a: Num) -> Num {
        match a {
            Num::Bool(b) => Num::Bool(!b),
            Num::Sym(s) => match self.nodes[s.0 as usize].clone() {
                Node::Not(t) => Num::Sym(t),
                Node::Pick(d, xs) if xs.iter().all(|x| matches!(x, Leaf::Bool(_))) => {
                    let v: Vec<Num> = xs.iter().map(|x| Num::Bool(matches!(x, Leaf::Bool(false)))).collect();
                    self.pick(d, &v)
                }
                _ => self.intern(Node::Not(s)),
            },
            other => other,
        }
    }

    /// `a && b`
    pub fn and(&mut self, a: Num, b: Num) -> Num {
        self.junction(true, a, b)
    }

    /// `a || b`
    pub fn or(&mut self, a: Num, b: Num) -> Num {
        self.junction(false, a, b)
    }

    fn junction(&mut self, and: bool, a: Num, b: Num) -> Num {
        match (a, b) {
            (Num::Bool(x), y) | (y, Num::Bool(x)) => {
                if x == and {
                    y
                } else {
                    Num::Bool(x)
                }
            }
            (Num::Sym(x), Num::Sym(y)) => {
                let key = (and, x.min(y), x.max(y));
                if let Some(&n) = self.junctions.get(&key) {
                    return n;
                }
                let n = self.joined(and, &[x, y]);
                self.junctions.insert(key, n);
                n
            }
            (x, _) => x,
        }
    }

    /// `a || b || ..`
    pub fn any(&mut self, xs: &[Num]) -> Num {
        if xs.contains(&Num::Bool(true)) {
            return Num::Bool(true);
        }
        let open = xs.iter().filter_map(|n| match n {
            Num::Sym(s) => Some(*s),
            _ => None,
        });
        let open: Vec<SymId> = open.collect();
        self.joined(false, &open)
    }

    /// The conjunction or disjunction of all.
    fn joined(&mut self, and: bool, of: &[SymId]) -> Num {
        let mut all: Vec<SymId> = Vec::new();
        for s in of {
            match (&self.nodes[s.0 as usize], and) {
                (Node::And(xs), true) | (Node::Or(xs), false) => all.extend(xs),
                _ => all.push(*s),
            }
        }
        all.sort_unstable();
        all.dedup();
        // Literals of one decision combine into one.
        let mut picks: Vec<(u32, SymId)> =
            all.iter().filter_map(|s| Some((self.literals[s.0 as usize]?, *s))).collect();
        picks.sort_unstable();
        if picks.windows(2).any(|w| w[0].0 == w[1].0) {
            all.retain(|s| self.literals[s.0 as usize].is_none());
            for of_one in picks.chunk_by(|x, y| x.0 == y.0) {
                let mut v: Vec<Num> = Vec::new();
                for (_, s) in of_one {
                    let Node::Pick(_, xs) = &self.nodes[s.0 as usize] else { continue };
                    let more = xs.iter().map(|x| *x == Leaf::Bool(true));
                    if v.is_empty() {
                        v = more.map(Num::Bool).collect();
                        continue;
                    }
                    for (p, q) in v.iter_mut().zip(more) {
                        if q != and {
                            *p = Num::Bool(q);
                        }
                    }
                }
                match self.pick(of_one[0].0, &v) {
                    Num::Bool(x) if x == and => {}
                    Num::Bool(x) => return Num::Bool(x),
                    Num::Sym(s) => all.push(s),
                    Num::Int(_) | Num::Float(_) => {}
                }
            }
            all.sort_unstable();
        }
        // How many elements of a subset it must have, and how many not, if all parts are to agree with the junction.
        let mut of_subsets: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        for s in &all {
            match self.nodes[s.0 as usize] {
                Node::Not(t) if all.binary_search(&t).is_ok() => return Num::Bool(!and),
                Node::Not(t) => {
                    if let Node::Member(d, _) = self.nodes[t.0 as usize] {
                        of_subsets.entry(d).or_default().1 += 1;
                    }
                }
                Node::Member(d, _) => of_subsets.entry(d).or_default().0 += 1,
                _ => {}
            }
        }
        for (d, (has, lacks)) in of_subsets {
            let Some(&VarInfo::Subset { of, lo, hi }) = self.vars.get(d as usize) else { continue };
            // A conjunction fails if the subset would be too large or too small; a disjunction fails if it had none of
            // these and all of those.
            let (has, lacks) = if and { (has, lacks) } else { (lacks, has) };
            if has > hi || lacks > of - lo {
                return Num::Bool(!and);
            }
        }
        match all.as_slice() {
            [] => Num::Bool(and),
            [s] => Num::Sym(*s),
            _ => self.intern(if and { Node::And(all) } else { Node::Or(all) }),
        }
    }

    /// Whole numbers between which the value lies; conservative, and known without enumeration. Truth values are 0 and 1.
    pub fn interval(&self, n: Num) -> (i64, i64) {
        match n {
            Num::Int(i) => (i, i),
            Num::Bool(b) => (i64::from(b), i64::from(b)),
            Num::Float(_) => (i64::MIN, i64::MAX),
            Num::Sym(s) => self.intervals[s.0 as usize],
        }
    }

    fn interval_of(&self, node: &Node) -> (i64, i64) {
        const ALL: (i64, i64) = (i64::MIN, i64::MAX);
        let at = |l: &Leaf| self.interval((*l).into());
        let product = |a: (i64, i64), b: (i64, i64)| {
            let ps =
                [a.0.saturating_mul(b.0), a.0.saturating_mul(b.1), a.1.saturating_mul(b.0), a.1.saturating_mul(b.1)];
            (ps.iter().copied().min().unwrap_or(i64::MIN), ps.iter().copied().max().unwrap_or(i64::MAX))
        };
        let hull = |xs: &[Leaf]| xs.iter().map(at).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or(ALL);
        match node {
            Node::Extent(_) => (1, i64::MAX),
            Node::Real(_) => ALL,
            Node::Pick(_, xs) => hull(xs),
            Node::Member(..) | Node::Cmp(..) | Node::Not(_) | Node::And(_) | Node::Or(_) => (0, 1),
            Node::Sum(c, ts) => ts.iter().fold((*c, *c), |sum, (t, k)| {
                let p = product(self.intervals[t.0 as usize], (*k, *k));
                (sum.0.saturating_add(p.0), sum.1.saturating_add(p.1))
            }),
            Node::Product(xs) => xs.iter().fold((1, 1), |p, x| product(p, self.intervals[x.0 as usize])),
            Node::Fun(Fun::FloorDiv | Fun::CeilDiv, a, b) => {
                let ((lo, hi), (dlo, dhi)) = (at(a), at(b));
                if dlo < 1 {
                    return ALL;
                }
                let div = |x: i64, d: i64| {
                    let up = matches!(node, Node::Fun(Fun::CeilDiv, ..));
                    if x == i64::MIN || x == i64::MAX {
                        x
                    } else if up {
                        -floor_div(-x, d)
                    } else {
                        floor_div(x, d)
                    }
                };
                let q = [div(lo, dlo), div(lo, dhi), div(hi, dlo), div(hi, dhi)];
                (q.iter().copied().min().unwrap_or(i64::MIN), q.iter().copied().max().unwrap_or(i64::MAX))
            }
            Node::Fun(Fun::Rem, _, b) => {
                let (dlo, dhi) = at(b);
                if dlo >= 1 { (0, dhi - 1) } else { ALL }
            }
            Node::Fun(..) => ALL,
            Node::Max(xs) => xs.iter().map(at).reduce(|a, b| (a.0.max(b.0), a.1.max(b.1))).unwrap_or(ALL),
            Node::Min(xs) => xs.iter().map(at).reduce(|a, b| (a.0.min(b.0), a.1.min(b.1))).unwrap_or(ALL),
            Node::If(_, a, b) => hull(&[*a, *b]),
        }
    }

    /// The variables that a number depends on.
    pub fn support(&self, n: Num) -> BTreeSet<Var> {
        match n {
            Num::Sym(s) => self.support[s.0 as usize].iter().copied().collect(),
            _ => BTreeSet::new(),
        }
    }

    /// If the condition is a literal, i.e. depends on the option of one decision only: that decision and for each of its
    /// options whether it holds.
    pub fn literal(&self, n: Num) -> Option<(u32, Vec<bool>)> {
        let Num::Sym(s) = n else { return None };
        match &self.nodes[s.0 as usize] {
            Node::Pick(d, xs) => xs
                .iter()
                .map(|x| match x {
                    Leaf::Bool(b) => Some(*b),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()
                .map(|v| (*d, v)),
            _ => None,
        }
    }

    /// If the number is one known whole number for each option of a decision: that decision.
    pub fn literal_numbers(&self, n: Num) -> Option<u32> {
        let Num::Sym(s) = n else { return None };
        match &self.nodes[s.0 as usize] {
            Node::Pick(d, xs) if xs.iter().all(|x| matches!(x, Leaf::Int(_))) => Some(*d),
            _ => None,
        }
    }

    /// If the condition is membership of one element: the decision and the element.
    pub fn membership(&self, n: Num) -> Option<(u32, u32)> {
        let Num::Sym(s) = n else { return None };
        match self.nodes[s.0 as usize] {
            Node::Member(d, i) => Some((d, i)),
            _ => None,
        }
    }

    /// The parts of a conjunction.
    pub fn conjuncts(&self, n: Num) -> Vec<Num> {
        match n {
            Num::Sym(s) => match &self.nodes[s.0 as usize] {
                Node::And(xs) => xs.iter().map(|&x| Num::Sym(x)).collect(),
                _ => vec![n],
            },
            Num::Bool(true) => Vec::new(),
            other => vec![other],
        }
    }

    /// Whether `path` implies `condition`. Where unknown extents matter, it is enough that this holds for generic ones
    /// ([`Syms::generic`]): a search checks it again with those of its data.
    pub fn prove(&mut self, path: Num, condition: Num) -> Proof {
        let wrong = self.not(condition);
        let wrong = self.and(path, wrong);
        match wrong {
            Num::Bool(false) => return Proof::Holds,
            Num::Bool(true) => return Proof::Fails(Assignment::new()),
            _ => {}
        }
        let vars: Vec<Var> = self.support(wrong).into_iter().collect();
        let unknown = matches!(wrong, Num::Sym(s) if self.unknown[s.0 as usize]);
        match self.find(&vars, wrong) {
            Some(Some(_)) if unknown => Proof::Unknown(vars),
            Some(Some(a)) => Proof::Fails(a),
            Some(None) => Proof::Holds,
            None => Proof::Unknown(vars),
        }
    }

    /// What stands for an unknown extent: large, different for each, divisible by all small numbers; but the batch, on
    /// which nothing may depend, is a prime.
    fn generic(&self, name: &str) -> i64 {
        if name == "N" {
            return 1_000_003;
        }
        let index = self.nodes.iter().position(|n| matches!(n, Node::Extent(e) if **e == *name)).unwrap_or(0);
        720_720 * 64 * (index as i64 + 1)
    }

    /// The first assignment of `vars` for which `condition` holds; `None` if there are too many to try.
    pub fn find(&self, vars: &[Var], condition: Num) -> Option<Option<Assignment>> {
        let mut combinations: u64 = 1;
        for v in vars {
            combinations = combinations.saturating_mul(u64::from(self.width(*v)));
        }
        if combinations > MAX_COMBINATIONS {
            return None;
        }
        let mut a: Assignment = vars.iter().map(|&v| (v, 0)).collect();
        loop {
            if self.feasible(&a) && self.eval_memo(condition, &a, true, &mut HashMap::new()) == Some(Num::Bool(true)) {
                return Some(Some(a));
            }
            if !self.advance(vars, &mut a) {
                return Some(None);
            }
        }
    }

    /// The next assignment in counting order; false after the last.
    pub fn advance(&self, vars: &[Var], a: &mut Assignment) -> bool {
        for v in vars {
            let x = a.entry(*v).or_insert(0);
            *x += 1;
            if *x < self.width(*v) {
                return true;
            }
            *x = 0;
        }
        false
    }

    /// How many values a variable has.
    pub fn width(&self, v: Var) -> u32 {
        match v {
            Var::Member(..) => 2,
            Var::Option(d) => match self.vars.get(d as usize) {
                Some(VarInfo::Options(n)) => *n,
                _ => 1,
            },
        }
    }

    /// Whether an assignment of some members can be completed to a subset of allowed size.
    pub fn feasible(&self, a: &Assignment) -> bool {
        let mut seen: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        for (v, &x) in a {
            if let Var::Member(d, _) = v {
                let e = seen.entry(*d).or_default();
                e.0 += x;
                e.1 += 1;
            }
        }
        seen.into_iter().all(|(d, (chosen, known))| match self.vars.get(d as usize) {
            Some(&VarInfo::Subset { of, lo, hi }) => chosen <= hi && chosen + (of - known) >= lo,
            _ => true,
        })
    }

    /// The value under an assignment; `None` if it depends on something that has no value there.
    pub fn eval(&self, n: Num, a: &Assignment) -> Option<Num> {
        self.eval_memo(n, a, false, &mut HashMap::new())
    }

    fn eval_memo(&self, n: Num, a: &Assignment, generic: bool, memo: &mut HashMap<SymId, Option<Num>>) -> Option<Num> {
        let Num::Sym(s) = n else { return Some(n) };
        if let Some(v) = memo.get(&s) {
            return *v;
        }
        let mut go = |x: Leaf| self.eval_memo(x.into(), a, generic, memo);
        let int = |n: Num| match n {
            Num::Int(i) => Some(i),
            Num::Bool(b) => Some(i64::from(b)),
            _ => None,
        };
        let value = (|| match &self.nodes[s.0 as usize] {
            Node::Extent(name) => generic.then(|| Num::Int(self.generic(name))),
            Node::Real(_) => None,
            Node::Pick(d, xs) => go(*xs.get(*a.get(&Var::Option(*d))? as usize)?),
            Node::Member(d, i) => Some(Num::Bool(*a.get(&Var::Member(*d, *i))? == 1)),
            Node::Sum(c, ts) => {
                let mut whole = *c;
                for (t, k) in ts {
                    whole += int(go(Leaf::Sym(*t))?)? * k;
                }
                Some(Num::Int(whole))
            }
            Node::Product(xs) => {
                let mut p = 1;
                for x in xs {
                    p *= int(go(Leaf::Sym(*x))?)?;
                }
                Some(Num::Int(p))
            }
            Node::Fun(f, x, y) => {
                let (x, y) = (go(*x)?, go(*y)?);
                Some(apply(*f, x, y))
            }
            Node::Max(xs) | Node::Min(xs) => {
                let max = matches!(self.nodes[s.0 as usize], Node::Max(_));
                let mut best: Option<Num> = None;
                for x in xs {
                    let x = go(*x)?;
                    let better = best.is_none_or(|b| {
                        let (b, x) = (b.as_f64().unwrap_or(0.0), x.as_f64().unwrap_or(0.0));
                        if max { x > b } else { x < b }
                    });
                    if better {
                        best = Some(x);
                    }
                }
                best
            }
            Node::If(c, x, y) => match go(Leaf::Sym(*c))? {
                Num::Bool(true) => go(*x),
                Num::Bool(false) => go(*y),
                _ => None,
            },
            Node::Cmp(op, x, y) => {
                let (x, y) = (go(*x)?, go(*y)?);
                Some(Num::Bool(compare(*op, x, y)))
            }
            Node::Not(x) => match go(Leaf::Sym(*x))? {
                Num::Bool(b) => Some(Num::Bool(!b)),
                _ => None,
            },
            // A junction is decided by one part, even where another has no value.
            Node::And(xs) | Node::Or(xs) => {
                let and = matches!(self.nodes[s.0 as usize], Node::And(_));
                let mut open = false;
                for x in xs {
                    match go(Leaf::Sym(*x)) {
                        Some(Num::Bool(b)) if b != and => return Some(Num::Bool(b)),
                        Some(Num::Bool(_)) => {}
                        _ => open = true,
                    }
                }
                (!open).then_some(Num::Bool(and))
            }
        })();
        memo.insert(s, value);
        value
    }

    /// As people read it, with unknown extents by their names; values that decisions choose among are joined by "or".
    pub fn show(&self, n: Num) -> String {
        self.show_under(n, &Assignment::new())
    }

    /// [`Syms::show`] where some decisions are taken.
    pub fn show_under(&self, n: Num, a: &Assignment) -> String {
        self.show_to(n, a, DEEPEST_SHOWN)
    }

    fn show_to(&self, n: Num, a: &Assignment, depth: usize) -> String {
        if let Num::Sym(_) = n
            && let Some(v) = self.eval(n, a)
        {
            return self.show(v);
        }
        let mut all = Vec::new();
        self.alternatives(n, a, depth, &mut all);
        if all.len() > MOST_SHOWN {
            all.truncate(MOST_SHOWN);
            all.push("..".to_string());
        }
        all.join(" or ")
    }

    /// The different values, in words, that open decisions leave.
    fn alternatives(&self, n: Num, a: &Assignment, depth: usize, out: &mut Vec<String>) {
        if out.len() > MOST_SHOWN {
            return;
        }
        let text = match n {
            Num::Int(i) => i.to_string(),
            Num::Float(f) => f.to_string(),
            Num::Bool(b) => b.to_string(),
            // The DAG shares what a text would repeat.
            Num::Sym(_) if depth == 0 => "..".to_string(),
            Num::Sym(s) => match &self.nodes[s.0 as usize] {
                Node::Pick(d, xs) => {
                    return match a.get(&Var::Option(*d)).and_then(|&o| xs.get(o as usize)) {
                        Some(x) => self.alternatives((*x).into(), a, depth - 1, out),
                        None => xs.iter().for_each(|x| self.alternatives((*x).into(), a, depth - 1, out)),
                    };
                }
                Node::If(c, x, y) => {
                    let c = self.eval(Num::Sym(*c), a);
                    if c != Some(Num::Bool(false)) {
                        self.alternatives((*x).into(), a, depth - 1, out);
                    }
                    if c != Some(Num::Bool(true)) {
                        self.alternatives((*y).into(), a, depth - 1, out);
                    }
                    return;
                }
                node => self.formula(node, a, depth - 1),
            },
        };
        if !out.contains(&text) {
            out.push(text);
        }
    }

    fn formula(&self, node: &Node, a: &Assignment, depth: usize) -> String {
        let part = |n: Num| {
            let text = self.show_to(n, a, depth);
            if text.contains(" or ") || text.contains(" + ") { format!("({text})") } else { text }
        };
        let leaf = |l: &Leaf| self.show_to((*l).into(), a, depth);
        match node {
            Node::Extent(name) => name.to_string(),
            Node::Sum(c, ts) => {
                // Terms of different decisions may read alike.
                let mut terms: Vec<(String, i64)> = Vec::new();
                for (t, k) in ts {
                    let text = part(Num::Sym(*t));
                    match terms.iter_mut().find(|(u, _)| *u == text) {
                        Some((_, n)) => *n += k,
                        None => terms.push((text, *k)),
                    }
                }
                let mut parts: Vec<String> =
                    terms.into_iter().map(|(t, k)| if k == 1 { t } else { format!("{k}*{t}") }).collect();
                if *c != 0 {
                    parts.push(c.to_string());
                }
                parts.join(" + ")
            }
            Node::Product(xs) => xs.iter().map(|x| part(Num::Sym(*x))).collect::<Vec<_>>().join("*"),
            Node::Fun(Fun::CeilDiv | Fun::FloorDiv, x, y) if self.eval((*y).into(), a) == Some(Num::Int(1)) => leaf(x),
            Node::Fun(Fun::CeilDiv, x, y) => format!("ceil({} / {})", part((*x).into()), part((*y).into())),
            Node::Fun(Fun::Rem, x, y) => format!("({} % {})", part((*x).into()), part((*y).into())),
            Node::Fun(_, x, y) => format!("({} / {})", part((*x).into()), part((*y).into())),
            Node::Max(xs) => format!("max({})", xs.iter().map(leaf).collect::<Vec<_>>().join(", ")),
            Node::Min(xs) => format!("min({})", xs.iter().map(leaf).collect::<Vec<_>>().join(", ")),
            Node::Pick(..)
            | Node::If(..)
            | Node::Member(..)
            | Node::Real(_)
            | Node::Cmp(..)
            | Node::Not(_)
            | Node::And(_)
            | Node::Or(_) => "a decided value".to_string(),
        }
    }
}

fn compare(op: Cmp, a: Num, b: Num) -> bool {
    match (a, b) {
        (Num::Int(x), Num::Int(y)) => match op {
            Cmp::Eq => x == y,
            Cmp::Lt => x < y,
            Cmp::Le => x <= y,
        },
        (Num::Bool(x), Num::Bool(y)) => match op {
            Cmp::Eq => x == y,
            Cmp::Lt => !x & y,
            Cmp::Le => x <= y,
        },
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(x), Some(y)) => match op {
                Cmp::Eq => x.to_bits() == y.to_bits() || (x - y).abs() == 0.0,
                Cmp::Lt => x < y,
                Cmp::Le => x <= y,
            },
            _ => false,
        },
    }
}

fn apply(f: Fun, a: Num, b: Num) -> Num {
    let reals = || (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
    match (f, a, b) {
        (Fun::FloorDiv | Fun::CeilDiv | Fun::Rem, Num::Int(_), Num::Int(0)) => Num::Int(0),
        (Fun::FloorDiv, Num::Int(x), Num::Int(y)) => Num::Int(floor_div(x, y)),
        (Fun::CeilDiv, Num::Int(x), Num::Int(y)) => Num::Int(-floor_div(-x, y)),
        (Fun::Rem, Num::Int(x), Num::Int(y)) => Num::Int(x - y * floor_div(x, y)),
        (Fun::Pow, Num::Int(x), Num::Int(y)) if y >= 0 => {
            Num::Int(u32::try_from(y).map_or(i64::MAX, |y| x.saturating_pow(y)))
        }
        (Fun::FloorDiv, ..) => Num::Float((reals().0 / reals().1).floor()),
        (Fun::CeilDiv, ..) => Num::Float((reals().0 / reals().1).ceil()),
        (Fun::Rem, ..) => Num::Float(reals().0.rem_euclid(reals().1)),
        (Fun::Div, ..) => Num::Float(reals().0 / reals().1),
        (Fun::Pow, ..) => Num::Float(reals().0.powf(reals().1)),
        (Fun::MulReal, ..) => Num::Float(reals().0 * reals().1),
        (Fun::AddReal, ..) => Num::Float(reals().0 + reals().1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(vars: &[VarInfo]) -> Syms {
        Syms { vars: vars.to_vec(), ..Syms::default() }
    }

    #[test]
    fn polynomials_have_one_form() {
        let mut s = Syms::default();
        let (c, h) = (s.extent("C"), s.extent("H"));
        let a = s.add(c, h);
        let b = s.mul(a, a);
        let cc = s.mul(c, c);
        let hh = s.mul(h, h);
        let ch = s.mul(h, c);
        let two = s.mul(ch, Num::Int(2));
        let sum = s.add(cc, hh);
        let sum = s.add(sum, two);
        assert_eq!(b, sum);
        let zero = s.sub(b, sum);
        assert_eq!(zero, Num::Int(0));
    }

    #[test]
    fn ceiling_divisions_join() {
        let mut s = Syms::default();
        let h = s.extent("H");
        let a = s.fun(Fun::CeilDiv, h, Num::Int(2));
        let a = s.fun(Fun::CeilDiv, a, Num::Int(2));
        assert_eq!(a, s.fun(Fun::CeilDiv, h, Num::Int(4)));
        let e = s.mul(h, Num::Int(4));
        assert_eq!(s.fun(Fun::FloorDiv, e, Num::Int(4)), h);
        assert_eq!(s.fun(Fun::Rem, e, Num::Int(2)), Num::Int(0));
    }

    #[test]
    fn enumeration_finds_the_counterexample() {
        let mut s = with(&[VarInfo::Options(3), VarInfo::Options(2)]);
        let k = s.pick(0, &[Num::Int(1), Num::Int(2), Num::Int(3)]);
        let m = s.pick(1, &[Num::Int(1), Num::Int(4)]);
        let p = s.mul(k, m);
        let small = s.cmp(Cmp::Le, p, Num::Int(12));
        assert_eq!(s.prove(Num::Bool(true), small), Proof::Holds);
        let small = s.cmp(Cmp::Le, p, Num::Int(8));
        let Proof::Fails(a) = s.prove(Num::Bool(true), small) else { panic!() };
        assert_eq!(a, [(Var::Option(0), 2), (Var::Option(1), 1)].into());
        let not_last = s.cmp(Cmp::Lt, k, Num::Int(3));
        assert_eq!(s.prove(not_last, small), Proof::Holds);
    }

    #[test]
    fn subsets_respect_their_size() {
        let mut s = with(&[VarInfo::Subset { of: 3, lo: 1, hi: 2 }]);
        let m: Vec<Num> = (0..3).map(|i| s.member(0, i)).collect();
        let any = m.iter().fold(Num::Bool(false), |a, &b| s.or(a, b));
        assert_eq!(s.prove(Num::Bool(true), any), Proof::Holds);
        let count = m.iter().fold(Num::Int(0), |a, &b| s.add(a, b));
        let three = s.cmp(Cmp::Lt, count, Num::Int(3));
        assert_eq!(s.prove(Num::Bool(true), three), Proof::Holds);
        // The size alone tells, however many elements there are.
        assert_eq!(any, Num::Bool(true));
        assert!(matches!(s.any(&m[1..]), Num::Sym(_)));
        let all = m.iter().fold(Num::Bool(true), |a, &b| s.and(a, b));
        assert_eq!(all, Num::Bool(false));
        let two = s.cmp(Cmp::Lt, count, Num::Int(2));
        assert!(matches!(s.prove(Num::Bool(true), two), Proof::Fails(_)));
    }

    #[test]
    fn unknown_extents_are_not_guessed() {
        let mut s = Syms::default();
        let h = s.extent("H");
        let c = s.cmp(Cmp::Eq, h, Num::Int(8));
        assert!(matches!(s.prove(Num::Bool(true), c), Proof::Unknown(_)));
        let rem = s.fun(Fun::Rem, h, Num::Int(4));
        let divides = s.cmp(Cmp::Eq, rem, Num::Int(0));
        assert_eq!(s.prove(Num::Bool(true), divides), Proof::Holds);
    }

    #[test]
    fn literals_of_one_decision_combine() {
        let mut s = with(&[VarInfo::Options(3)]);
        let a = s.is_option(0, 0, 3);
        let b = s.is_option(0, 1, 3);
        assert_eq!(s.and(a, b), Num::Bool(false));
        let either = s.or(a, b);
        let last = s.is_option(0, 2, 3);
        assert_eq!(s.not(either), last);
        assert_eq!(s.or(either, last), Num::Bool(true));
    }
}
