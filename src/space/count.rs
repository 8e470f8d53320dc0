//! How many candidates a space has, exactly where that is finite and the dependencies are simple enough.
//!
//! A decision that exists only under one option of another is its child; then the number of ways below a decision is
//! a sum over its options of the products of the children's numbers, and for a subset a sum over subsets, computed by
//! elementary symmetric polynomials. Decisions that hang together in other ways (by `forbid`, by conditions over
//! several decisions) are counted together by enumerating those that something depends on.

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigUint;

use crate::sema::sym::{Num, Syms, Var};

use super::decision::Domain;
use super::elab::CheckedDecision;

/// Most combinations that are enumerated for one group of decisions.
const MAX_ENUMERATED: u64 = 1 << 18;

/// The number of candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    /// Exactly so many.
    Exact(BigUint),
    /// At most so many: conditions across many decisions exclude some.
    AtMost(BigUint),
}

/// The size of a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// Combinations of the discrete decisions.
    pub discrete: Count,
    /// How many decisions take a real number; with one the space is infinite.
    pub real: usize,
}

impl Size {
    /// As people read it: `15,625 architectures`, `1.6·10^29 architectures`.
    pub fn describe(&self) -> String {
        let (n, most) = match &self.discrete {
            Count::Exact(n) => (n, ""),
            Count::AtMost(n) => (n, "at most "),
        };
        let real = match self.real {
            0 => String::new(),
            1 => ", times a real number".to_string(),
            k => format!(", times {k} real numbers"),
        };
        format!("{most}{}{real}", grouped(n))
    }
}

/// Up to 15 digits with separators, else three digits and the power of ten.
pub fn grouped(n: &BigUint) -> String {
    let digits = n.to_string();
    if digits.len() > 15 {
        return format!("{}.{}e{}", &digits[..1], &digits[1..3], digits.len() - 1);
    }
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Counts the candidates of a checked space.
pub fn size(decisions: &[CheckedDecision], forbidden: &[Num], syms: &Syms) -> Size {
    let real = decisions.iter().filter(|d| matches!(d.decision.domain, Domain::Real { .. })).count();
    if forbidden.contains(&Num::Bool(true)) {
        return Size { discrete: Count::Exact(BigUint::ZERO), real };
    }
    let mut c = Counter { decisions, syms, children: vec![Vec::new(); decisions.len()] };
    let mut roots = Vec::new();
    let mut complex: BTreeSet<usize> = BTreeSet::new();
    for (i, d) in decisions.iter().enumerate() {
        if d.available.iter().any(|&a| a != Num::Bool(true)) {
            complex.insert(i);
        }
        match c.parent(i) {
            Parent::Root => roots.push(i),
            Parent::Of(p, literal) => c.children[p].push((i, literal)),
            Parent::Complex => {
                complex.insert(i);
            }
        }
    }
    if complex.is_empty() && forbidden.is_empty() {
        let n = roots.iter().map(|&r| c.ways(r)).product();
        return Size { discrete: Count::Exact(n), real };
    }
    Size { discrete: c.by_groups(forbidden), real }
}

enum Parent {
    Root,
    Of(usize, Literal),
    Complex,
}

#[derive(Clone)]
enum Literal {
    Options(Vec<bool>),
    Member(u32),
}

struct Counter<'a> {
    decisions: &'a [CheckedDecision],
    syms: &'a Syms,
    children: Vec<Vec<(usize, Literal)>>,
}

impl Counter<'_> {
    /// The decision under which another exists, if that is all there is to it.
    fn parent(&self, i: usize) -> Parent {
        let conjuncts = self.syms.conjuncts(self.decisions[i].presence);
        if conjuncts.is_empty() {
            return Parent::Root;
        }
        let mut literals: Vec<(usize, Literal, Num)> = Vec::new();
        for n in conjuncts {
            if let Some((d, v)) = self.syms.literal(n) {
                literals.push((d as usize, Literal::Options(v), n));
            } else if let Some((d, k)) = self.syms.membership(n) {
                literals.push((d as usize, Literal::Member(k), n));
            } else {
                return Parent::Complex;
            }
        }
        // The parent is the latest of them; it must itself exist under exactly the others.
        let Some(at) = (0..literals.len()).max_by_key(|&k| literals[k].0) else { return Parent::Root };
        let (p, literal, n) = literals[at].clone();
        let others: Vec<Num> = literals.iter().map(|l| l.2).filter(|m| *m != n).collect();
        let inherited = self.syms.conjuncts(self.decisions[p].presence);
        let equal = others.len() == inherited.len() && others.iter().all(|o| inherited.contains(o));
        if equal { Parent::Of(p, literal) } else { Parent::Complex }
    }

    fn ways(&self, i: usize) -> BigUint {
        match &self.decisions[i].decision.domain {
            Domain::Real { .. } => BigUint::from(1u32),
            Domain::One { options, .. } => (0..options.len())
                .map(|o| {
                    self.children[i]
                        .iter()
                        .filter(|(_, l)| matches!(l, Literal::Options(v) if v.get(o) == Some(&true)))
                        .map(|&(c, _)| self.ways(c))
                        .product::<BigUint>()
                })
                .sum(),
            Domain::Subset { options, lo, hi } => {
                // by[k]: the ways to choose k elements, each with the ways below it.
                let mut by = vec![BigUint::ZERO; hi + 1];
                by[0] = BigUint::from(1u32);
                for e in 0..options.len() {
                    let w: BigUint = self.children[i]
                        .iter()
                        .filter(|(_, l)| matches!(l, Literal::Member(k) if *k as usize == e))
                        .map(|&(c, _)| self.ways(c))
                        .product();
                    for k in (1..=*hi).rev() {
                        let more = &by[k - 1] * &w;
                        by[k] += more;
                    }
                }
                by[*lo..].iter().sum()
            }
        }
    }

    /// Groups of decisions that hang together, each counted by enumeration.
    fn by_groups(&self, forbidden: &[Num]) -> Count {
        let n = self.decisions.len();
        let mut group: Vec<usize> = (0..n).collect();
        let decision_of = |v: &Var| match *v {
            Var::Option(d) | Var::Member(d, _) => d as usize,
        };
        let join = |group: &mut Vec<usize>, xs: &BTreeSet<usize>| {
            if let Some(&first) = xs.first() {
                let to = group[first];
                for &x in xs {
                    let from = group[x];
                    group.iter_mut().filter(|g| **g == from).for_each(|g| *g = to);
                }
            }
        };
        let mut control: BTreeSet<Var> = BTreeSet::new();
        for (i, d) in self.decisions.iter().enumerate() {
            let mut members = BTreeSet::from([i]);
            for &n in d.available.iter().chain([&d.presence]) {
                let s = self.syms.support(n);
                members.extend(s.iter().map(decision_of));
                control.extend(s);
            }
            join(&mut group, &members);
        }
        for &f in forbidden {
            let s = self.syms.support(f);
            join(&mut group, &s.iter().map(decision_of).collect());
            control.extend(s);
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, g) in group.iter().enumerate() {
            groups.entry(*g).or_default().push(i);
        }
        let (mut total, mut exact) = (BigUint::from(1u32), true);
        for members in groups.values() {
            match self.enumerate(members, &control, forbidden) {
                Some(n) => total *= n,
                None => {
                    exact = false;
                    for &i in members {
                        total *= self.decisions[i].decision.domain.size().unwrap_or(1).max(1);
                    }
                }
            }
        }
        if exact { Count::Exact(total) } else { Count::AtMost(total) }
    }

    fn enumerate(&self, members: &[usize], control: &BTreeSet<Var>, forbidden: &[Num]) -> Option<BigUint> {
        let of = |v: &Var| match *v {
            Var::Option(d) | Var::Member(d, _) => d as usize,
        };
        let mut vars: Vec<Var> = control.iter().filter(|v| members.contains(&of(v))).copied().collect();
        // A subset of which one element matters is enumerated as a whole, and so is one that is not always full.
        for &i in members {
            let d = &self.decisions[i];
            let involved = vars.iter().any(|v| of(v) == i) || d.available.iter().any(|&a| a != Num::Bool(true));
            match &d.decision.domain {
                Domain::Subset { options, .. } if involved => {
                    vars.retain(|v| of(v) != i);
                    vars.extend((0..options.len() as u32).map(|k| Var::Member(i as u32, k)));
                }
                Domain::One { .. } if involved && !vars.contains(&Var::Option(i as u32)) => {
                    vars.push(Var::Option(i as u32));
                }
                _ => {}
            }
        }
        let combinations = vars.iter().fold(1u64, |t, v| t.saturating_mul(u64::from(self.syms.width(*v))));
        if combinations > MAX_ENUMERATED {
            return None;
        }
        let relevant: Vec<Num> = forbidden
            .iter()
            .copied()
            .filter(|&f| self.syms.support(f).iter().any(|v| members.contains(&of(v))))
            .collect();
        let holds = |n: Num, a: &BTreeMap<Var, u32>| self.syms.eval(n, a) == Some(Num::Bool(true));
        let mut total = BigUint::ZERO;
        let mut a: BTreeMap<Var, u32> = vars.iter().map(|&v| (v, 0)).collect();
        loop {
            let mut ways = BigUint::from(u32::from(!relevant.iter().any(|&f| holds(f, &a))));
            for &i in members {
                if ways == BigUint::ZERO {
                    break;
                }
                let d = &self.decisions[i];
                let mine: Vec<(Var, u32)> = vars.iter().filter(|v| of(v) == i).map(|v| (*v, a[v])).collect();
                let present = d.presence == Num::Bool(true) || holds(d.presence, &a);
                if !present {
                    // A decision that does not exist has one value.
                    if mine.iter().any(|&(_, x)| x != 0) {
                        ways = BigUint::ZERO;
                    }
                    continue;
                }
                let there = |k: usize| d.available.get(k).is_none_or(|&n| n == Num::Bool(true) || holds(n, &a));
                match &d.decision.domain {
                    _ if mine.is_empty() => ways *= d.decision.domain.size().unwrap_or(1),
                    Domain::One { .. } => ways *= u32::from(there(mine[0].1 as usize)),
                    Domain::Subset { lo, hi, .. } => {
                        let chosen: Vec<usize> =
                            mine.iter().enumerate().filter(|(_, m)| m.1 == 1).map(|(k, _)| k).collect();
                        ways *=
                            u32::from(*lo <= chosen.len() && chosen.len() <= *hi && chosen.iter().all(|&k| there(k)));
                    }
                    Domain::Real { .. } => {}
                }
            }
            total += ways;
            if !self.syms.advance(&vars, &mut a) {
                return Some(total);
            }
        }
    }
}
