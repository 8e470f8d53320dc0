//! Recursion that cannot end: a cycle of calls that every path through its declarations takes.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::Span;
use crate::diag::Diagnostic;

use super::wording;

/// A declaration, known by the place of its name.
pub type Decl = Span;

/// The calls that declarations make whenever they run.
#[derive(Debug, Default)]
pub struct Graph {
    names: BTreeMap<Decl, String>,
    calls: BTreeMap<Decl, Vec<(Decl, Span)>>,
    /// Calls that were found to be endless by their arguments.
    unchanged: Vec<(Decl, Span)>,
}

impl Graph {
    /// Notes a declaration and the calls that it makes on every path.
    pub fn add(&mut self, decl: Decl, name: &str, always: Vec<(Decl, Span)>) {
        self.names.insert(decl, name.to_string());
        self.calls.insert(decl, always);
    }

    /// Notes a call of a declaration by itself, at `span`, whose arguments are those that it got.
    pub fn unchanged(&mut self, decl: Decl, span: Span) {
        self.unchanged.push((decl, span));
    }

    /// Reports each cycle once, at the call that starts it.
    pub fn endless(&self) -> Vec<Diagnostic> {
        let mut out = Vec::new();
        let mut reported: BTreeSet<Decl> = BTreeSet::new();
        for &decl in self.names.keys() {
            if reported.contains(&decl) {
                continue;
            }
            let Some(cycle) = self.cycle(decl) else { continue };
            reported.extend(cycle.iter().map(|c| c.0));
            let name = &self.names[&decl];
            let through: Vec<String> = cycle[1..].iter().map(|c| format!("`{}`", self.names[&c.0])).collect();
            let through = if through.is_empty() { String::new() } else { format!(" through {}", through.join(", ")) };
            let message = format!("`{name}` calls itself{through} on every path and never ends");
            let mut d = wording::endless_as(cycle[0].1, message).label(decl, "declared here");
            for (_, call) in &cycle[1..] {
                d = d.label(*call, "which calls this");
            }
            out.push(d);
        }
        for &(decl, span) in &self.unchanged {
            if !reported.contains(&decl)
                && let Some(name) = self.names.get(&decl)
            {
                out.push(wording::endless(name, span).label(decl, "declared here"));
            }
        }
        out
    }

    /// The shortest cycle through a declaration: each of its members with the call that it makes.
    fn cycle(&self, start: Decl) -> Option<Vec<(Decl, Span)>> {
        let mut from: BTreeMap<Decl, (Decl, Span)> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(d) = queue.pop_front() {
            for &(next, span) in self.calls.get(&d).into_iter().flatten() {
                if next == start {
                    let mut path = vec![(d, span)];
                    let mut at = d;
                    while at != start {
                        let (before, call) = from[&at];
                        path.push((before, call));
                        at = before;
                    }
                    path.reverse();
                    return Some(path);
                }
                if self.names.contains_key(&next) && next != d && !from.contains_key(&next) {
                    from.insert(next, (d, span));
                    queue.push_back(next);
                }
            }
        }
        None
    }
}
