//! What is known about integer expressions: intervals of loop variables, narrowed by guards.
//!
//! A guard `0 <= e < n` narrows a variable where `e` is `a*v + c`, and bounds every index that is a multiple of `e`
//! plus something bounded. That decides all reads that primitives and their gradients make, but for loaded integers.

use super::{At, Atom, BinaryOp, Guard, Index, Op, UnaryOp, Val};

/// Intervals of the loop variables and of the indices of guards that are known to hold.
#[derive(Clone, Debug)]
pub struct Facts {
    ranges: Vec<(i64, i64)>,
    known: Vec<(Index, i64, i64)>,
    /// Indices that a number is known to divide.
    divisible: Vec<(Index, i64)>,
}

impl Facts {
    /// Loop variable `v` runs over `0..extents[v]` and all of `guards` hold.
    pub fn new<'a>(extents: &[usize], guards: impl IntoIterator<Item = &'a Guard>) -> Self {
        let ranges = extents.iter().map(|&n| (0, n as i64 - 1)).collect();
        let mut facts = Self { ranges, known: Vec::new(), divisible: Vec::new() };
        for g in guards {
            facts.assume(g);
        }
        facts
    }

    /// One more guard holds.
    pub fn assume(&mut self, guard: &Guard) {
        let (index, lo, hi) = match guard {
            Guard::InRange(i, n) => (i, 0, *n as i64 - 1),
            Guard::Zero(i) => (i, 0, 0),
        };
        if let [(Atom::Var(v), c)] = index.terms.as_slice() {
            // lo <= c*v + k <= hi
            let (a, b) = (lo - index.constant, hi - index.constant);
            let (a, b) =
                if *c > 0 { (ceil_div(a, *c), b.div_euclid(*c)) } else { (ceil_div(-b, -c), (-a).div_euclid(-c)) };
            if let Some(r) = self.ranges.get_mut(*v as usize) {
                *r = (r.0.max(a), r.1.min(b));
            }
        }
        if let (Guard::Zero(_), 0, [(Atom::Mod(i, n), _)]) = (guard, index.constant, index.terms.as_slice()) {
            self.divisible.push(((**i).clone(), *n));
        }
        self.known.push((index.clone(), lo, hi));
    }

    /// The least and the greatest value that the index can have. Of a loaded integer nothing is known.
    pub fn bounds(&self, index: &Index) -> (i64, i64) {
        let (mut lo, mut hi) = self.plain(index);
        for (known, a, b) in &self.known {
            let Some((atom, d)) = known.terms.first() else { continue };
            let Some((_, c)) = index.terms.iter().find(|(x, _)| x == atom) else { continue };
            if c % d != 0 {
                continue;
            }
            let k = c / d;
            let (x, y) = self.plain(&index.plus(known, -k));
            let (p, q) = (k * a, k * b);
            lo = lo.max(x.saturating_add(p.min(q)));
            hi = hi.min(y.saturating_add(p.max(q)));
        }
        (lo, hi)
    }

    /// From the variables alone; the guards' indices must not be used here, they may hold the same divisions.
    fn plain(&self, index: &Index) -> (i64, i64) {
        let (mut lo, mut hi) = (index.constant, index.constant);
        for (atom, c) in &index.terms {
            let (a, b) = match atom {
                Atom::Var(v) => self.ranges.get(*v as usize).copied().unwrap_or((0, i64::from(i32::MAX))),
                Atom::Div(i, n) => {
                    let (a, b) = self.plain(i);
                    (a.div_euclid(*n), b.div_euclid(*n))
                }
                Atom::Mod(i, n) => {
                    let (a, b) = self.plain(i);
                    if a >= 0 && b < *n { (a, b) } else { (0, n - 1) }
                }
                Atom::Load(..) => (i64::from(i32::MIN), i64::from(i32::MAX)),
            };
            let (x, y) = (a.saturating_mul(*c), b.saturating_mul(*c));
            lo = lo.saturating_add(x.min(y));
            hi = hi.saturating_add(x.max(y));
        }
        (lo, hi)
    }

    /// Whether `0 <= index < extent` everywhere.
    pub fn inside(&self, index: &Index, extent: usize) -> bool {
        let (lo, hi) = self.bounds(index);
        lo >= 0 && hi < extent as i64
    }

    /// Whether a guard holds everywhere (`Some(true)`), nowhere (`Some(false)`), or depends.
    pub fn decided(&self, guard: &Guard) -> Option<bool> {
        let (lo, hi) = self.bounds(guard.index());
        match guard {
            _ if lo > hi => None,
            Guard::InRange(_, n) if lo >= 0 && hi < *n as i64 => Some(true),
            Guard::InRange(_, n) if hi < 0 || lo >= *n as i64 => Some(false),
            Guard::Zero(_) if lo == 0 && hi == 0 => Some(true),
            Guard::Zero(_) if lo > 0 || hi < 0 => Some(false),
            Guard::InRange(..) | Guard::Zero(_) => None,
        }
    }

    /// The same index with divisions and remainders resolved where the intervals allow it.
    #[must_use]
    pub fn tidy(&self, index: &Index) -> Index {
        if index.terms.iter().all(|(a, _)| matches!(a, Atom::Var(_))) {
            return index.clone();
        }
        let mut out = Index::constant(index.constant);
        for (atom, c) in &index.terms {
            let value = match atom {
                Atom::Var(_) => Index::atom(atom.clone()),
                Atom::Div(i, n) if c % n == 0 && self.divisible.iter().any(|(j, m)| **i == *j && n == m) => {
                    out = out.plus(i, c / n);
                    continue;
                }
                Atom::Div(i, n) => self.divide(&self.tidy(i), *n).0,
                Atom::Mod(i, n) => self.divide(&self.tidy(i), *n).1,
                Atom::Load(t, at) => Index::atom(Atom::Load(*t, at.iter().map(|i| self.tidy(i)).collect())),
            };
            out = out.plus(&value, *c);
        }
        out
    }

    /// [`Facts::tidy`] of all indices.
    #[must_use]
    pub fn tidy_at(&self, at: &At) -> At {
        if at.is_affine() { at.clone() } else { at.iter().map(|i| self.tidy(i)).collect() }
    }

    /// Quotient and remainder by `n`.
    fn divide(&self, i: &Index, n: i64) -> (Index, Index) {
        // (b*x + y) / (a*b) is x / a where 0 <= y < b, and the remainder is b * (x % a) + y.
        let mut steps: Vec<i64> = i.terms.iter().map(|&(_, c)| gcd(c.abs(), n)).filter(|&b| b > 1).collect();
        steps.sort_unstable();
        steps.dedup();
        for b in steps {
            let (mut x, mut y) = (Index::constant(i.constant.div_euclid(b)), Index::constant(i.constant.rem_euclid(b)));
            for (atom, c) in &i.terms {
                let to = if c % b == 0 { &mut x } else { &mut y };
                to.terms.push((atom.clone(), if c % b == 0 { c / b } else { *c }));
            }
            if self.inside(&y, b as usize) {
                return (self.small(&x, n / b).0, self.small(&x, n / b).1.times(b).plus(&y, 1));
            }
        }
        self.small(i, n)
    }

    fn small(&self, i: &Index, n: i64) -> (Index, Index) {
        let (lo, hi) = self.bounds(i);
        let q = lo.div_euclid(n);
        if lo <= hi && q == hi.div_euclid(n) {
            return (Index::constant(q), i.plus(&Index::constant(q * n), -1));
        }
        (i.div(n), i.rem(n))
    }

    /// [`Facts::tidy`] inside of a guard.
    #[must_use]
    pub fn tidy_guard(&self, guard: &Guard) -> Guard {
        match guard {
            Guard::InRange(i, n) => Guard::InRange(self.tidy(i), *n),
            Guard::Zero(i) => Guard::Zero(self.tidy(i)),
        }
    }
}

fn ceil_div(a: i64, b: i64) -> i64 {
    -((-a).div_euclid(b))
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// An operation of type `Bool` that has this value.
pub type Literal = (Val, bool);

/// For each operation of a body the select conditions under which alone it has an effect: what holds at all its uses.
/// `None` where nothing uses it.
pub fn conditions(body: &[Op]) -> Vec<Option<Vec<Literal>>> {
    let mut conds: Vec<Option<Vec<Literal>>> = vec![None; body.len()];
    if let Some(last) = conds.last_mut() {
        *last = Some(Vec::new());
    }
    for i in (0..body.len()).rev() {
        let Some(own) = conds[i].clone() else { continue };
        let mut used = |v: Val, extra: Option<Literal>| {
            let mut c = own.clone();
            c.extend(extra);
            let slot = &mut conds[v.0 as usize];
            *slot = Some(match slot.take() {
                None => c,
                Some(old) => old.into_iter().filter(|l| c.contains(l)).collect(),
            });
        };
        match &body[i] {
            Op::Select(c, a, b) => {
                used(*a, Some((*c, true)));
                used(*b, Some((*c, false)));
                used(*c, None);
            }
            op => op.operands(&mut |v| used(v, None)),
        }
    }
    conds
}

/// The guards that hold where all the literals do.
pub fn implied(body: &[Op], literals: &[Literal]) -> Vec<Guard> {
    let mut out = Vec::new();
    let mut open = literals.to_vec();
    while let Some((v, truth)) = open.pop() {
        match (&body[v.0 as usize], truth) {
            (Op::Test(g), true) => out.push(g.clone()),
            (Op::Unary(UnaryOp::Not, a), t) => open.push((*a, !t)),
            (Op::Binary(BinaryOp::And, a, b), true) | (Op::Binary(BinaryOp::Or, a, b), false) => {
                open.extend([(*a, truth), (*b, truth)]);
            }
            _ => {}
        }
    }
    out
}

impl Op {
    /// Calls `f` with each operand.
    pub fn operands(&self, f: &mut impl FnMut(Val)) {
        match self {
            Op::Const(_) | Op::Read(..) | Op::Index(_) | Op::Test(_) => {}
            Op::Unary(_, a) => f(*a),
            Op::Binary(_, a, b) | Op::Compare(_, a, b) => {
                f(*a);
                f(*b);
            }
            Op::Select(c, a, b) => {
                f(*c);
                f(*a);
                f(*b);
            }
        }
    }

    /// The same operation on other operands.
    #[must_use]
    pub fn with_operands(&self, f: &mut impl FnMut(Val) -> Val) -> Op {
        match self {
            Op::Const(_) | Op::Read(..) | Op::Index(_) | Op::Test(_) => self.clone(),
            Op::Unary(o, a) => Op::Unary(*o, f(*a)),
            Op::Binary(o, a, b) => Op::Binary(*o, f(*a), f(*b)),
            Op::Compare(o, a, b) => Op::Compare(*o, f(*a), f(*b)),
            Op::Select(c, a, b) => Op::Select(f(*c), f(*a), f(*b)),
        }
    }

    /// Every loop variable replaced.
    #[must_use]
    pub fn substitute(&self, var: &mut impl FnMut(usize) -> Index) -> Op {
        match self {
            Op::Read(t, at) => Op::Read(*t, at.iter().map(|i| i.substitute(var)).collect()),
            Op::Index(i) => Op::Index(i.substitute(var)),
            Op::Test(g) => Op::Test(g.substitute(var)),
            Op::Const(_) | Op::Unary(..) | Op::Binary(..) | Op::Compare(..) | Op::Select(..) => self.clone(),
        }
    }

    /// Whether the value is a `Bool`.
    pub fn is_bool(&self, body: &[Op]) -> bool {
        match self {
            Op::Test(_)
            | Op::Compare(..)
            | Op::Unary(UnaryOp::Not, _)
            | Op::Binary(BinaryOp::And | BinaryOp::Or, ..) => true,
            Op::Select(_, a, _) => body.get(a.0 as usize).is_some_and(|op| op.is_bool(body)),
            Op::Const(_) | Op::Read(..) | Op::Index(_) | Op::Unary(..) | Op::Binary(..) => false,
        }
    }
}

impl Index {
    /// Whether a loop variable occurs, at any depth.
    pub fn mentions(&self, v: usize) -> bool {
        self.terms.iter().any(|(atom, _)| match atom {
            Atom::Var(w) => *w as usize == v,
            Atom::Div(i, _) | Atom::Mod(i, _) => i.mentions(v),
            Atom::Load(_, at) => at.iter().any(|i| i.mentions(v)),
        })
    }

    /// Whether it is a constant plus multiples of loop variables.
    pub fn is_affine(&self) -> bool {
        self.terms.iter().all(|(a, _)| matches!(a, Atom::Var(_)))
    }

    /// Whether an element of a tensor occurs in it.
    pub fn has_load(&self) -> bool {
        let mut found = false;
        self.loads(&mut |_| found = true);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(i: usize) -> Index {
        Index::var(i)
    }

    #[test]
    fn guards_narrow() {
        // i in 0..8, u in 0..3; 0 <= i + u - 1 < 8
        let e = v(0).plus(&v(1), 1).plus(&Index::constant(1), -1);
        let facts = Facts::new(&[8, 3], &[Guard::InRange(e.clone(), 8)]);
        assert!(facts.inside(&e, 8));
        assert!(facts.inside(&e.times(2).plus(&v(1), 1), 17));
        assert!(!facts.inside(&e.times(2).plus(&v(1), 1), 16));
        assert!(!Facts::new(&[8, 3], []).inside(&e, 8));
        let facts = Facts::new(&[8], &[Guard::InRange(v(0).times(-2).plus(&Index::constant(9), 1), 4)]);
        assert_eq!(facts.bounds(&v(0)), (3, 4));
    }

    #[test]
    fn exact_division_is_undone() {
        let e = v(0).plus(&v(1), -1);
        let facts = Facts::new(&[8, 3], &[Guard::Zero(e.rem(2))]);
        assert_eq!(facts.tidy(&e.div(2).times(2).plus(&v(1), 1)), v(0));
        assert_eq!(Facts::new(&[8, 3], []).tidy(&e.div(2).times(2)), e.div(2).times(2));
    }

    #[test]
    fn division_of_digits() {
        // v = 6*q + 2*r + s
        let i = v(0).times(6).plus(&v(1), 2).plus(&v(2), 1);
        let facts = Facts::new(&[5, 3, 2], []);
        assert_eq!(facts.tidy(&i.div(6)), v(0));
        assert_eq!(facts.tidy(&i.div(2).rem(3)), v(1));
        assert_eq!(facts.tidy(&i.rem(2)), v(2));
        assert_eq!(facts.tidy(&i.rem(6)), v(1).times(2).plus(&v(2), 1));
    }
}
