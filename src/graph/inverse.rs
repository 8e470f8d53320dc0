//! The adjoint of a read: at which loop points is element `t` of a tensor read?
//!
//! For each axis `k` of the tensor that is the set of points where `index_k(point) == t_k`. Each such equation is
//! solved for a loop variable: the one with the largest extent, since the others remain to be summed over. With
//! coefficient ±1 that is a substitution, with another one a divisibility guard joins. So the data gradient of a
//! stride-1 convolution is a convolution with the kernel flipped, and its weight gradient is a plain reduction.
//! An axis whose index spells a number in digits (`8*q + r` with `r < 8`) needs no solving: the digits become axes
//! of the adjoint, which a reshape joins.

use super::range::Facts;
use super::{Atom, Guard, Index, Op};

/// Loop points, what is computed at each, and where its result goes.
#[derive(Clone, Debug)]
pub(super) struct Points {
    /// Extents of the loop variables.
    pub extents: Vec<usize>,
    /// All hold at a point.
    pub guards: Vec<Guard>,
    /// The element of the result.
    pub at: Vec<Index>,
    /// What is computed.
    pub body: Vec<Op>,
}

impl Points {
    /// Splits each variable `v` that stands under `v / d` or `v % d` into `d*q + r`, so that grouped convolution
    /// differentiates into dense loops and not into masks.
    pub fn split(&mut self) {
        // A variable has few divisors, each step removes one; the bound only guards against a cycle.
        for _ in 0..32 {
            let Some((v, d)) = self.divided() else { return };
            let (n, r) = (self.extents[v], self.extents.len());
            let whole = Index::var(v).times(d).plus(&Index::var(r), 1);
            self.extents[v] = n.div_ceil(d as usize);
            self.extents.push(d as usize);
            let mut sub = |w: usize| if w == v { whole.clone() } else { Index::var(w) };
            let exact = n.is_multiple_of(d as usize);
            let guard = (!exact).then(|| Guard::InRange(whole.clone(), n));
            let guards: Vec<Guard> = self.guards.iter().map(|g| g.substitute(&mut sub)).collect();
            let facts = Facts::new(&self.extents, guard.iter());
            self.guards = guard.into_iter().chain(guards.iter().map(|g| facts.tidy_guard(g))).collect();
            for i in &mut self.at {
                *i = facts.tidy(&i.substitute(&mut sub));
            }
            for op in &mut self.body {
                *op = match op.substitute(&mut sub) {
                    Op::Read(t, at) => Op::Read(t, facts.tidy_at(&at)),
                    Op::Index(i) => Op::Index(facts.tidy(&i)),
                    Op::Test(g) => Op::Test(facts.tidy_guard(&g)),
                    op => op,
                };
            }
        }
    }

    /// A variable that is divided in the index of a read, with the smallest divisor it has there.
    fn divided(&self) -> Option<(usize, i64)> {
        fn search(i: &Index, found: &mut Option<(usize, i64)>) {
            for (atom, _) in &i.terms {
                if let Atom::Div(i, n) | Atom::Mod(i, n) = atom {
                    match i.as_var() {
                        Some(v) if found.is_none_or(|(w, m)| v == w && *n < m) => *found = Some((v, *n)),
                        Some(_) => {}
                        None => search(i, found),
                    }
                }
            }
        }
        if self.extents.len() > 100 {
            return None;
        }
        let mut found = None;
        for op in &self.body {
            if let Op::Read(_, at) = op {
                for i in at {
                    search(i, &mut found);
                }
            }
        }
        found
    }
}

/// How the adjoint of a read is computed.
#[derive(Clone, Debug)]
pub(super) enum Inverse {
    /// Element by element.
    Gather {
        /// Axes of the adjoint; row-major it has the elements of the tensor that is read.
        shape: Vec<usize>,
        /// Extents of what remains to be summed over; these loop variables follow the axes.
        sum: Vec<usize>,
        /// The old loop variables by the new ones.
        vars: Vec<Index>,
        /// Where they are points that read the element.
        guards: Vec<Guard>,
    },
    /// The place is loaded from a tensor and many points may share it.
    Scatter,
}

/// Inverts a read at `at` of a tensor of shape `shape`, by points of these extents.
pub(super) fn invert(extents: &[usize], at: &[Index], shape: &[usize]) -> Inverse {
    let n = extents.len();
    // Symbols: old variables keep their number, the axis `k` of the tensor is `n + k`.
    let mut digits: Vec<Option<Vec<usize>>> = vec![None; shape.len()];
    let mut is_axis = vec![false; n];
    for (k, i) in at.iter().enumerate() {
        if let Some(vars) = spelled(i, extents, shape[k])
            && vars.iter().all(|&v| !is_axis[v])
        {
            for &v in &vars {
                is_axis[v] = true;
            }
            digits[k] = Some(vars);
        }
    }
    let mut solved: Vec<Option<Index>> = vec![None; n];
    let mut guards: Vec<Guard> = Vec::new();
    let mut late: Vec<Guard> = Vec::new();
    let mut loaded = false;
    for (k, i) in at.iter().enumerate().filter(|(k, _)| digits[*k].is_none()) {
        let i = i.substitute(&mut |v| solved[v].clone().unwrap_or_else(|| Index::var(v)));
        let free = |v: usize| v < n && !is_axis[v] && solved[v].is_none();
        let choice = i
            .terms
            .iter()
            .filter_map(|(atom, c)| match atom {
                Atom::Var(v) if free(*v as usize) => Some((*v as usize, *c)),
                _ => None,
            })
            .filter(|&(v, c)| !i.plus(&Index::var(v), -c).mentions(v))
            .max_by_key(|&(v, c)| (extents[v], -c.abs()));
        let place = Index::var(n + k);
        let Some((v, c)) = choice else {
            loaded |= i.has_load();
            late.push(Guard::Zero(place.plus(&i, -1)));
            continue;
        };
        let numerator = place.plus(&i.plus(&Index::var(v), -c), -1).times(c.signum());
        let value = numerator.div(c.abs());
        let mut new = Vec::new();
        if c.abs() != 1 {
            new.push(Guard::Zero(numerator.rem(c.abs())));
        }
        new.push(Guard::InRange(value.clone(), extents[v]));
        let mut sub = |w: usize| if w == v { value.clone() } else { Index::var(w) };
        for s in solved.iter_mut().flatten() {
            *s = s.substitute(&mut sub);
        }
        guards = guards.iter().map(|g| g.substitute(&mut sub)).collect();
        late = late.iter().map(|g| g.substitute(&mut sub)).collect();
        guards.extend(new);
        solved[v] = Some(value);
    }
    let rest: Vec<usize> = (0..n).filter(|&v| !is_axis[v] && solved[v].is_none()).collect();
    if loaded && !rest.is_empty() {
        return Inverse::Scatter;
    }
    let mut number = vec![Index::default(); n + shape.len()];
    let mut out = Vec::new();
    for (k, d) in digits.iter().enumerate() {
        if let Some(vars) = d {
            for &v in vars {
                number[v] = Index::var(out.len());
                out.push(extents[v]);
            }
        } else {
            number[n + k] = Index::var(out.len());
            out.push(shape[k]);
        }
    }
    for (j, &v) in rest.iter().enumerate() {
        number[v] = Index::var(out.len() + j);
    }
    let mut rename = |v: usize| number[v].clone();
    Inverse::Gather {
        vars: (0..n).map(|v| solved[v].clone().unwrap_or_else(|| Index::var(v)).substitute(&mut rename)).collect(),
        guards: guards.iter().chain(&late).map(|g| g.substitute(&mut rename)).collect(),
        sum: rest.iter().map(|&v| extents[v]).collect(),
        shape: out,
    }
}

/// The variables, most significant first, if the index spells each of `0..extent` exactly once.
fn spelled(i: &Index, extents: &[usize], extent: usize) -> Option<Vec<usize>> {
    if i.constant != 0 || !i.is_affine() {
        return None;
    }
    let mut digits = Vec::new();
    for (atom, c) in &i.terms {
        if let Atom::Var(v) = atom {
            digits.push((*c, *v as usize));
        }
    }
    digits.sort_unstable();
    let mut stride = 1;
    for &(c, v) in &digits {
        // A variable with one place would be an axis of its own for nothing.
        if c != stride || (extents[v] == 1 && digits.len() > 1) {
            return None;
        }
        stride *= extents[v] as i64;
    }
    (stride == extent as i64 && !digits.is_empty()).then(|| digits.iter().rev().map(|&(_, v)| v).collect())
}
