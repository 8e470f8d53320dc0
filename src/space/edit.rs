//! Edits of candidates that keep what they do not touch: setting, inserting and removing layers, widening, crossing.

use std::collections::BTreeSet;

use crate::base::rng::Stream;
use crate::diag::{Diagnostic, codes};

use super::decision::{Candidate, Choice, Domain, Lineage, matches, split_path};
use super::{BuildError, Space, Want};

/// A place where a copy can be inserted: before copy `at` of a repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The path of the repeat: `normal.layer`.
    pub repeat: String,
    /// The decision that counts its copies.
    pub count: String,
    /// Between 0 and the number of copies.
    pub at: usize,
}

fn wrong(message: String) -> BuildError {
    BuildError::Error(Box::new(Diagnostic::new(&codes::BAD_CANDIDATE, crate::base::Span::default(), message)))
}

impl Candidate {
    /// Forgets identities of copies whose number the counting decision no longer gives.
    pub(super) fn prune_copies(&mut self, space: &Space) {
        let values = &self.values;
        self.copies.retain(|path, ids| {
            let count = space.repeats().iter().find(|r| r.path == *path).and_then(|r| r.count.as_ref());
            matches!(count.and_then(|c| values.get(c)), Some(Choice::Int(n)) if *n == ids.len() as i64)
        });
    }
}

impl Space {
    /// The candidate with other values for all decisions that match the selector. What depends on them is decided by
    /// [`Space::fill`].
    pub fn set(&self, c: &Candidate, selector: &str, value: &Choice) -> Result<Candidate, BuildError> {
        let mut out = c.clone();
        let names: BTreeSet<String> = c
            .values
            .keys()
            .chain(self.decisions().iter().map(|d| &d.decision.name))
            .filter(|n| matches(selector, n))
            .cloned()
            .collect();
        if names.is_empty() {
            return Err(wrong(format!("no decision matches `{selector}`")));
        }
        for n in names {
            out.values.insert(n, value.clone());
        }
        out.prune_copies(self);
        Ok(out)
    }

    /// The places where copies can be inserted into repeats that match the selector.
    pub fn gaps(&self, c: &Candidate, selector: &str) -> Vec<Gap> {
        let mut out = Vec::new();
        for r in self.repeats() {
            let Some(count) = r.count.as_ref().filter(|_| matches(selector, &r.path)) else { continue };
            let Some(Choice::Int(n)) = c.values.get(count) else { continue };
            let more = self.checked(count).is_some_and(|d| d.decision.domain.contains(&Choice::Int(n + 1)));
            if more {
                out.extend((0..=*n as usize).map(|at| Gap { repeat: r.path.clone(), count: count.clone(), at }));
            }
        }
        out
    }

    fn ids(&self, c: &Candidate, repeat: &str, n: usize) -> Vec<u32> {
        c.copies.get(repeat).cloned().unwrap_or_else(|| (0..n as u32).collect())
    }

    /// Inserts a copy with a new identity; its decisions are open. The other copies keep theirs, and their weights.
    pub fn insert(&self, c: &Candidate, gap: &Gap) -> Result<Candidate, BuildError> {
        let Some(Choice::Int(n)) = c.values.get(&gap.count).cloned() else {
            return Err(wrong(format!("the candidate has no decision `{}`", gap.count)));
        };
        let mut ids = self.ids(c, &gap.repeat, n as usize);
        let new = ids.iter().max().map_or(0, |m| m + 1);
        if gap.at > ids.len() {
            return Err(wrong(format!("`{}` has no gap {}", gap.repeat, gap.at)));
        }
        ids.insert(gap.at, new);
        let mut out = c.clone();
        let inside = format!("{}({new})", gap.repeat);
        out.values.retain(|name, _| !starts_with(name, &inside));
        out.values.insert(gap.count.clone(), Choice::Int(n + 1));
        out.copies.insert(gap.repeat.clone(), ids);
        out.lineage.push(Lineage::Inserted(gap.repeat.clone(), new));
        Ok(out)
    }

    /// Removes the copy of a repeat in which a decision stands.
    pub fn remove(&self, c: &Candidate, decision: &str) -> Result<Candidate, BuildError> {
        let parts = split_path(decision);
        for r in self.repeats() {
            let Some(count) = &r.count else { continue };
            let depth = split_path(&r.path).len();
            if parts.len() < depth {
                continue;
            }
            let prefix = parts[..depth].join(".");
            let Some(id) =
                prefix.strip_prefix(&r.path).and_then(|t| t.strip_prefix('(')?.strip_suffix(')')?.parse::<u32>().ok())
            else {
                continue;
            };
            let Some(Choice::Int(n)) = c.values.get(count).cloned() else { continue };
            let mut ids = self.ids(c, &r.path, n as usize);
            let Some(at) = ids.iter().position(|&i| i == id) else { continue };
            ids.remove(at);
            let mut out = c.clone();
            out.values.retain(|name, _| !starts_with(name, &prefix));
            out.values.insert(count.clone(), Choice::Int(n - 1));
            out.copies.insert(r.path.clone(), ids);
            out.lineage.push(Lineage::Removed(r.path.clone(), id));
            return Ok(out);
        }
        Err(wrong(format!("`{decision}` does not stand in a repeat with a decided number of copies")))
    }

    /// A number takes a greater value: the child computes the same where weights can follow (see `inherit`).
    pub fn expand(&self, c: &Candidate, decision: &str, value: &Choice) -> Result<Candidate, BuildError> {
        let Some(old) = c.values.get(decision).cloned() else {
            return Err(wrong(format!("the candidate has no decision `{decision}`")));
        };
        let mut out = c.clone();
        out.values.insert(decision.to_string(), value.clone());
        out.lineage.push(Lineage::Expanded(decision.to_string(), old, value.clone()));
        Ok(out)
    }

    /// Each decision that both parents have from one of them, by a fair coin; what only the fitter one has from it.
    pub fn crossover(&self, fitter: &Candidate, other: &Candidate, rng: &mut Stream) -> Result<Candidate, BuildError> {
        let mut mixed = fitter.clone();
        for (name, v) in &mut mixed.values {
            if let Some(w) = other.values.get(name)
                && rng.flip(0.5)
            {
                *v = w.clone();
            }
        }
        mixed.prune_copies(self);
        self.fill(&mixed, rng)
    }

    /// The number of decisions that differ or that only one of the two has.
    pub fn distance(&self, a: &Candidate, b: &Candidate) -> usize {
        let names: BTreeSet<&String> = a.values.keys().chain(b.values.keys()).collect();
        names
            .into_iter()
            .filter(|n| !matches!((a.values.get(*n), b.values.get(*n)), (Some(x), Some(y)) if x.same(y)))
            .count()
    }

    /// A vector of fixed length for surrogates: for every decision of the space one number for each option (one-hot; a
    /// subset's membership), or the position of a real number in its range. Decisions that the candidate lacks are 0.
    pub fn encoding(&self, c: &Candidate) -> Vec<f64> {
        let mut out = Vec::new();
        for d in self.decisions() {
            let value = c.values.get(&d.decision.name);
            match &d.decision.domain {
                Domain::One { options, .. } => {
                    out.extend(options.iter().map(|o| f64::from(u8::from(value.is_some_and(|v| v.same(o))))));
                }
                Domain::Subset { options, .. } => {
                    let chosen: &[Choice] = match value {
                        Some(Choice::Many(v)) => v,
                        _ => &[],
                    };
                    out.extend(options.iter().map(|o| f64::from(u8::from(chosen.iter().any(|v| v.same(o))))));
                }
                Domain::Real { lo, hi, log } => out.push(match value {
                    Some(Choice::Float(x)) if *log => (x / lo).ln() / (hi / lo).ln(),
                    Some(Choice::Float(x)) => (x - lo) / (hi - lo),
                    Some(Choice::Int(i)) => (*i as f64 - lo) / (hi - lo),
                    _ => 0.0,
                }),
            }
        }
        out
    }

    /// The candidate with the copies of every repeat numbered in their order: the canonical form of what insertions and
    /// removals leave.
    pub fn renumbered(&self, c: &Candidate) -> Result<Candidate, BuildError> {
        let mut out = c.clone();
        for (path, ids) in &c.copies {
            let mut values = std::collections::BTreeMap::new();
            for (name, v) in out.values {
                let mut renamed = name.clone();
                for (at, id) in ids.iter().enumerate() {
                    let from = format!("{path}({id})");
                    if starts_with(&name, &from) {
                        renamed = format!("{path}({at}){}", &name[from.len()..]);
                        break;
                    }
                }
                values.insert(renamed, v);
            }
            out.values = values;
        }
        out.copies.clear();
        out.lineage.clear();
        self.build(&out, Want::Decisions)?;
        Ok(out)
    }
}

/// Whether a decision stands at or below a path.
fn starts_with(name: &str, path: &str) -> bool {
    name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
