//! The three parts of a search.

use std::fmt::Write as _;

use super::dataset::{Dataset, Target};
use super::fault::{Fault, count, grouped};
use super::part::{Normalization, Part};
use crate::base::Span;
use crate::base::rng::Stream;
use crate::diag::{Diagnostic, codes};

/// What a part is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Weights are trained on it (`data.train`).
    Search,
    /// Candidates are scored on it, architecture parameters learn from it (`data.valid`).
    Select,
    /// Read once, by the final report.
    Test,
}

impl Role {
    /// `search`, `select` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Search => "search",
            Role::Select => "select",
            Role::Test => "test",
        }
    }
}

/// How examples are divided, as fractions of 1. What they leave over is not used.
///
/// With a `test` fraction all examples are pooled and divided anew. Without one, the source's own test part is the test
/// part and the fractions are of the rest; a source that has none gives what `search` and `select` leave over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fractions {
    /// Share of the search part, above 0.
    pub search: f64,
    /// Share of the select part, above 0.
    pub select: f64,
    /// Share of the test part; 0 for no test part.
    pub test: Option<f64>,
}

impl Fractions {
    /// What is used where the program does not say: 80 % and 20 % beside the source's own test part, else 60 %, 20 %
    /// and 20 %.
    pub fn standard(data: &Dataset) -> Self {
        if data.test_from.is_some() {
            Self { search: 0.8, select: 0.2, test: None }
        } else {
            Self { search: 0.6, select: 0.2, test: Some(0.2) }
        }
    }
}

/// A data set in its three parts, disjoint, each with every class in proportion.
#[derive(Clone, Debug)]
pub struct Split {
    /// Weights are trained on it.
    pub search: Part,
    /// Candidates are scored on it.
    pub select: Part,
    /// Read once; may be empty if so asked.
    pub test: Part,
    /// Whether `test` is the source's own.
    pub own_test: bool,
}

impl Split {
    /// Divides `data`; equal (data, fractions, seed) give equal parts on every machine.
    ///
    /// Every class that is there has at least one example in every part; a class with fewer examples than parts is an
    /// error. `span` is the place of the fractions, or of the data where the program gives none.
    pub fn new(data: &Dataset, fractions: Fractions, seed: u64, span: Span) -> Result<Self, Diagnostic> {
        divide(data, fractions, seed).map_err(|f| f.at(span))
    }

    /// The part with a role.
    pub fn part(&self, role: Role) -> &Part {
        match role {
            Role::Search => &self.search,
            Role::Select => &self.select,
            Role::Test => &self.test,
        }
    }

    /// Some lines for people: examples, shapes, classes, parts, means and deviations.
    pub fn describe(&self) -> String {
        let mut out = self.search.data().describe();
        let own = if self.own_test { " (the source's own)" } else { "" };
        let _ = write!(
            out,
            "\n  search {} · select {} · test {}{own}",
            grouped(self.search.len()),
            grouped(self.select.len()),
            grouped(self.test.len())
        );
        for (field, norm) in self.search.data().inputs.iter().zip(self.search.normalization()) {
            let shown = norm.channels.len().min(4);
            for (c, channel) in norm.channels[..shown].iter().enumerate() {
                let _ = write!(
                    out,
                    "\n  {} channel {c}: mean {:.4}, deviation {:.4}",
                    field.name, channel.mean, channel.deviation
                );
            }
            if norm.channels.len() > shown {
                let _ = write!(out, "\n  {}: {} more channels", field.name, norm.channels.len() - shown);
            }
        }
        out
    }
}

fn divide(data: &Dataset, f: Fractions, seed: u64) -> Result<Split, Fault> {
    let wrong = |message: String, help: &str| Err(Fault::new(&codes::DATA_SPLIT, message).help(help.to_string()));
    let given = [("search", f.search), ("select", f.select), ("test", f.test.unwrap_or(0.0))];
    for (name, x) in given {
        if !(0.0..=1.0).contains(&x) || (x == 0.0 && name != "test") {
            return wrong(
                format!("the {name} part is {}% of the examples", percent(x)),
                "write shares such as `split(60%, 20%, 20%)`",
            );
        }
    }
    let sum: f64 = given.iter().map(|g| g.1).sum();
    if sum > 1.0 + 1e-9 {
        return wrong(format!("the parts add up to {}%", percent(sum)), "make them add up to 100% at most");
    }
    let own = f.test.is_none().then_some(data.test_from).flatten();
    let test = f.test.unwrap_or(if own.is_some() { 0.0 } else { (1.0 - sum).max(0.0) });
    if f.test.is_none() && own.is_none() && test < 1e-9 {
        return wrong(
            format!("search and select take all of `{}`, which has no test part of its own", data.name),
            "leave some for the final report, such as `split(60%, 20%, 20%)`",
        );
    }
    let pool = own.unwrap_or(data.len());
    let shares = [f.search, f.select, test];
    let parts = stratify(data, pool, &shares, data.seed(seed))?;
    let [search, select, mut tested] = parts;
    if own.is_some() {
        tested = (pool as u32..data.len() as u32).collect();
    }
    let norm = std::sync::Arc::new(Normalization::of(data, &search));
    let part = |indices: Vec<u32>, role| Part::new(data.clone(), indices, norm.clone(), role);
    Ok(Split {
        search: part(search, Role::Search),
        select: part(select, Role::Select),
        test: part(tested, Role::Test),
        own_test: own.is_some(),
    })
}

/// The examples `0..pool` of each class, ascending; one group where numbers are predicted.
fn groups(data: &Dataset, pool: impl Iterator<Item = u32>) -> Vec<Vec<u32>> {
    match &data.target {
        Target::Classes { labels, names } => {
            let mut out = vec![Vec::new(); names.len()];
            for i in pool {
                out[labels[i as usize] as usize].push(i);
            }
            out
        }
        Target::Numbers(_) => vec![pool.collect()],
    }
}

/// Divides each class by `shares`, and carries what rounding gives or takes to the next class, so that the parts have
/// their share of the whole as well.
fn stratify(data: &Dataset, pool: usize, shares: &[f64; 3], seed: u64) -> Result<[Vec<u32>; 3], Fault> {
    let rest = (1.0 - shares.iter().sum::<f64>()).max(0.0);
    let rest = if rest < 1e-9 { 0.0 } else { rest };
    let shares = [shares[0], shares[1], shares[2], rest];
    let needed = shares[..3].iter().filter(|&&s| s > 0.0).count();
    let mut owed = [0.0; 4];
    let mut out: [Vec<u32>; 3] = [vec![], vec![], vec![]];
    for (class, mut members) in groups(data, 0..pool as u32).into_iter().enumerate() {
        let n = members.len();
        if n == 0 {
            continue;
        }
        if n < needed {
            let what = match &data.target {
                Target::Classes { names, .. } => format!("class `{}` of `{}`", names[class], data.name),
                Target::Numbers(_) => format!("`{}`", data.name),
            };
            return Err(Fault::new(
                &codes::DATA_SPLIT,
                format!("{what} has {} to divide into {needed} parts", count(n, "example")),
            )
            .help("every part needs one example of every class: merge or drop rare classes, or add examples"));
        }
        Stream::new(seed, &format!("split {class}")).shuffle(&mut members);
        let want: [f64; 4] = std::array::from_fn(|k| shares[k] * n as f64 + owed[k]);
        let mut got: [usize; 4] = want.map(|w| w.max(0.0).floor() as usize);
        for k in 0..3 {
            if shares[k] > 0.0 && got[k] == 0 {
                got[k] = 1;
            }
        }
        // The part that is furthest from its share gives or takes; the first one where several are.
        let furthest = |got: &[usize; 4], sign: f64, may: &dyn Fn(usize) -> bool| {
            (0..4).filter(|&k| shares[k] > 0.0 && may(k)).fold(None, |best: Option<(usize, f64)>, k| {
                let gap = sign * (want[k] - got[k] as f64);
                if best.is_none_or(|b| gap > b.1 + 1e-9) { Some((k, gap)) } else { best }
            })
        };
        while got.iter().sum::<usize>() < n {
            let Some((k, _)) = furthest(&got, 1.0, &|_| true) else { break };
            got[k] += 1;
        }
        while got.iter().sum::<usize>() > n {
            let may = |k: usize| got[k] > usize::from(k < 3);
            let Some((k, _)) = furthest(&got, -1.0, &may) else { break };
            got[k] -= 1;
        }
        let mut from = members.as_slice();
        for k in 0..4 {
            owed[k] = want[k] - got[k] as f64;
            let (mine, left) = from.split_at(got[k]);
            if k < 3 {
                out[k].extend(mine);
            }
            from = left;
        }
    }
    for part in &mut out {
        part.sort_unstable();
    }
    Ok(out)
}

/// A share of every class, at least one example of each that is there: the first in an order that does not depend on
/// the fraction, so that smaller parts lie in larger ones.
pub(super) fn fraction(data: &Dataset, indices: &[u32], f: f64, seed: u64) -> Vec<u32> {
    let mut out = Vec::new();
    for (class, mut members) in groups(data, indices.iter().copied()).into_iter().enumerate() {
        Stream::new(data.seed(seed), &format!("fraction {class}")).shuffle(&mut members);
        let keep = ((f.clamp(0.0, 1.0) * members.len() as f64 + 0.5).floor() as usize)
            .clamp(1.min(members.len()), members.len());
        out.extend(&members[..keep]);
    }
    out.sort_unstable();
    out
}

fn percent(x: f64) -> f64 {
    (x * 1e4).round() / 1e2
}
