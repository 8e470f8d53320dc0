//! Decisions, what they choose among, and candidates: maps from decision names to values.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

use crate::base::{Span, hash};

/// The value of a decision, as it is printed and read.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// A whole number: an element that is one, or the index of an element that is a tensor or an operation.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// An alternative's label, or a string.
    Text(String),
    /// A subset, in the order of the elements.
    Many(Vec<Choice>),
}

impl Choice {
    /// As JSON.
    pub fn to_json(&self) -> Json {
        match self {
            Choice::Int(i) => Json::from(*i),
            Choice::Float(f) => Json::from(*f),
            Choice::Bool(b) => Json::from(*b),
            Choice::Text(s) => Json::from(s.as_str()),
            Choice::Many(v) => Json::Array(v.iter().map(Choice::to_json).collect()),
        }
    }

    /// From JSON; `None` for objects and null.
    pub fn from_json(v: &Json) -> Option<Self> {
        Some(match v {
            Json::Bool(b) => Choice::Bool(*b),
            Json::Number(n) => match n.as_i64() {
                Some(i) => Choice::Int(i),
                None => Choice::Float(n.as_f64()?),
            },
            Json::String(s) => Choice::Text(s.clone()),
            Json::Array(a) => Choice::Many(a.iter().map(Choice::from_json).collect::<Option<_>>()?),
            Json::Null | Json::Object(_) => return None,
        })
    }

    /// Equal, where a whole float equals the integer.
    pub fn same(&self, other: &Choice) -> bool {
        match (self, other) {
            (Choice::Int(a), Choice::Float(b)) | (Choice::Float(b), Choice::Int(a)) => (*a as f64 - *b).abs() == 0.0,
            (Choice::Many(a), Choice::Many(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.same(y)),
            _ => self == other,
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Int(i) => write!(f, "{i}"),
            Choice::Float(x) => write!(f, "{x}"),
            Choice::Bool(b) => write!(f, "{b}"),
            Choice::Text(s) => f.write_str(s),
            Choice::Many(v) => {
                let parts: Vec<String> = v.iter().map(Choice::to_string).collect();
                write!(f, "[{}]", parts.join(", "))
            }
        }
    }
}

/// Among what a decision chooses.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// One of these.
    One {
        /// In their order.
        options: Vec<Choice>,
        /// Relative probabilities in `random()`; equal if absent.
        weights: Option<Vec<f64>>,
    },
    /// Several of these.
    Subset {
        /// In their order.
        options: Vec<Choice>,
        /// The fewest.
        lo: usize,
        /// The most.
        hi: usize,
    },
    /// A real number.
    Real {
        /// The least.
        lo: f64,
        /// The greatest.
        hi: f64,
        /// Uniform in the logarithm.
        log: bool,
    },
}

impl Domain {
    /// How many values there are; `None` for real numbers or past 2^64.
    pub fn size(&self) -> Option<u64> {
        match self {
            Domain::One { options, .. } => Some(options.len() as u64),
            Domain::Subset { options, lo, hi } => {
                (*lo..=*hi).try_fold(0u64, |sum, k| sum.checked_add(binomial(options.len() as u64, k as u64)?))
            }
            Domain::Real { .. } => None,
        }
    }

    /// The index of a value among the options of [`Domain::One`].
    pub fn index_of(&self, value: &Choice) -> Option<usize> {
        match self {
            Domain::One { options, .. } => options.iter().position(|o| o.same(value)),
            _ => None,
        }
    }

    /// The indices of a subset's elements, ascending, if the value is a legal one.
    pub fn indices_of(&self, value: &Choice) -> Option<Vec<usize>> {
        let (Domain::Subset { options, lo, hi }, Choice::Many(v)) = (self, value) else { return None };
        let mut out: Vec<usize> = v.iter().map(|x| options.iter().position(|o| o.same(x))).collect::<Option<_>>()?;
        out.sort_unstable();
        let n = out.len();
        out.dedup();
        (out.len() == n && *lo <= n && n <= *hi).then_some(out)
    }

    /// Whether it is a legal value.
    pub fn contains(&self, value: &Choice) -> bool {
        match self {
            Domain::One { .. } => self.index_of(value).is_some(),
            Domain::Subset { .. } => self.indices_of(value).is_some(),
            Domain::Real { lo, hi, .. } => match value {
                Choice::Float(x) => lo <= x && x <= hi,
                Choice::Int(i) => *lo <= *i as f64 && *i as f64 <= *hi,
                _ => false,
            },
        }
    }

    /// All values in order, if there are at most `limit`.
    pub fn values(&self, limit: u64) -> Option<Vec<Choice>> {
        if self.size()? > limit {
            return None;
        }
        Some(match self {
            Domain::One { options, .. } => options.clone(),
            Domain::Subset { options, lo, hi } => (*lo..=*hi)
                .flat_map(|k| combinations(options.len(), k))
                .map(|ix| Choice::Many(ix.into_iter().map(|i| options[i].clone()).collect()))
                .collect(),
            Domain::Real { .. } => Vec::new(),
        })
    }

    /// In words: `none | conv`, `2 of 0 1 2`, `0.0001 .. 0.1 log`.
    pub fn describe(&self) -> String {
        let list = |o: &[Choice], sep: &str| o.iter().map(Choice::to_string).collect::<Vec<_>>().join(sep);
        match self {
            Domain::One { options, .. } if options.len() > 24 => {
                format!("{} .. {} ({} options)", options[0], options[options.len() - 1], options.len())
            }
            Domain::One { options, .. } => list(options, " | "),
            Domain::Subset { options, lo, hi } if lo == hi => format!("{lo} of {}", list(options, " ")),
            Domain::Subset { options, lo, hi } => format!("{lo} to {hi} of {}", list(options, " ")),
            Domain::Real { lo, hi, log } => format!("{lo} .. {hi}{}", if *log { " log" } else { "" }),
        }
    }
}

/// `n` over `k`, if it fits.
pub fn binomial(n: u64, k: u64) -> Option<u64> {
    if k > n {
        return Some(0);
    }
    let k = k.min(n - k);
    let mut out: u128 = 1;
    for i in 0..k {
        out = out * u128::from(n - i) / u128::from(i + 1);
        if out > u128::from(u64::MAX) {
            return None;
        }
    }
    Some(out as u64)
}

/// All `k`-subsets of `0..n`, each ascending, in lexicographic order.
pub fn combinations(n: usize, k: usize) -> Vec<Vec<usize>> {
    let mut out = Vec::new();
    if k > n {
        return out;
    }
    let mut ix: Vec<usize> = (0..k).collect();
    loop {
        out.push(ix.clone());
        let Some(i) = (0..k).rev().find(|&i| ix[i] != i + n - k) else { return out };
        ix[i] += 1;
        for j in i + 1..k {
            ix[j] = ix[j - 1] + 1;
        }
    }
}

/// A decision as one elaboration meets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Its full name: `cell.edge(0,1).op`.
    pub name: String,
    /// The motif (or space) that makes it: `level2[3]`.
    pub owner: String,
    /// 1 for owners that stamp no other motif, 1 more than the highest motif that they stamp for others.
    pub level: u32,
    /// Among what.
    pub domain: Domain,
    /// The expression that makes it.
    pub span: Span,
    /// What `draft.state()` returns: the values after `given`, printed.
    pub given: Vec<String>,
}

impl Decision {
    /// The name without its indices: `cell.edge.op`.
    pub fn kind(&self) -> String {
        strip_indices(&self.name)
    }

    /// The numbers in the name's last element that has some: `edge(0,1)` gives `[0, 1]`.
    pub fn index(&self) -> Vec<i64> {
        self.name.rsplit('.').find_map(element_index).unwrap_or_default()
    }
}

fn element_index(element: &str) -> Option<Vec<i64>> {
    let open = element.find(['(', '['])?;
    let inner = element[open + 1..].trim_end_matches([')', ']']);
    inner.split(',').map(|x| x.trim().parse().ok()).collect()
}

/// A name without what stands in parentheses and brackets.
pub fn strip_indices(name: &str) -> String {
    let mut depth = 0;
    name.chars()
        .filter(|&c| {
            match c {
                '(' | '[' => depth += 1,
                ')' | ']' => {
                    depth -= 1;
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

/// Whether a decision's name matches a selector: elements separated by dots, `*` for any characters of one element,
/// `**` for any number of elements. An element without indices matches with any indices.
pub fn matches(selector: &str, name: &str) -> bool {
    fn go(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern.first(), name.first()) {
            (None, None) => true,
            (Some(&"**"), _) => go(&pattern[1..], name) || (!name.is_empty() && go(pattern, &name[1..])),
            (Some(p), Some(n)) => element(p, n) && go(&pattern[1..], &name[1..]),
            _ => false,
        }
    }
    fn element(p: &str, n: &str) -> bool {
        // `level**` is `level*` and everything below it; the tail is handled by the caller's split.
        glob(p, n) || (!p.contains(['(', '[']) && glob(p, &strip_indices(n)))
    }
    fn glob(p: &str, n: &str) -> bool {
        match p.split_once('*') {
            None => p == n,
            Some((head, tail)) => {
                n.len() >= head.len()
                    && n.starts_with(head)
                    && (head.len()..=n.len()).filter(|&i| n.is_char_boundary(i)).any(|i| glob(tail, &n[i..]))
            }
        }
    }
    let expanded: Vec<String> = split_path(selector)
        .into_iter()
        .flat_map(|p| match p.strip_suffix("**") {
            Some("") | None => vec![p.to_string()],
            Some(head) => vec![format!("{head}*"), "**".to_string()],
        })
        .collect();
    let pattern: Vec<&str> = expanded.iter().map(String::as_str).collect();
    go(&pattern, &split_path(name))
}

/// The elements of a name: split at dots outside of parentheses.
pub fn split_path(name: &str) -> Vec<&str> {
    let (mut out, mut depth, mut start) = (Vec::new(), 0, 0);
    for (i, c) in name.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '.' if depth == 0 => {
                out.push(&name[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    out.push(&name[start..]);
    out
}

/// One architecture (with the search's hyperparameters): a value for every decision that it has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// By decision name.
    pub values: BTreeMap<String, Choice>,
    /// Identities of the copies of a `repeat n as layer` with a decided `n`, by the decision's name, where they are
    /// not `0..n`: what insertion and removal leave.
    pub copies: BTreeMap<String, Vec<u32>>,
    /// Where edits came from: the site of a new weight, and the sites that it continues.
    pub lineage: Vec<Lineage>,
}

/// One step of an edit's history.
#[derive(Clone, Debug, PartialEq)]
pub enum Lineage {
    /// A copy with this identity was inserted into the repeat of this decision.
    Inserted(String, u32),
    /// A copy was removed.
    Removed(String, u32),
    /// A decision's value was expanded from the first to the second.
    Expanded(String, Choice, Choice),
}

/// The key under which a candidate's JSON keeps the identities of copies.
const COPIES: &str = "$copies";

/// The key under which a stored candidate keeps its lineage.
pub const LINEAGE: &str = "$lineage";

impl Lineage {
    fn to_json(&self) -> Json {
        match self {
            Lineage::Inserted(path, copy) => serde_json::json!(["inserted", path, copy]),
            Lineage::Removed(path, copy) => serde_json::json!(["removed", path, copy]),
            Lineage::Expanded(name, from, to) => serde_json::json!(["expanded", name, from.to_json(), to.to_json()]),
        }
    }

    fn from_json(v: &Json) -> Option<Self> {
        let copy = |v: &Json| u32::try_from(v.as_u64()?).ok();
        Some(match v.as_array()?.as_slice() {
            [kind, path, c] if kind == "inserted" => Lineage::Inserted(path.as_str()?.to_string(), copy(c)?),
            [kind, path, c] if kind == "removed" => Lineage::Removed(path.as_str()?.to_string(), copy(c)?),
            [kind, name, from, to] if kind == "expanded" => {
                Lineage::Expanded(name.as_str()?.to_string(), Choice::from_json(from)?, Choice::from_json(to)?)
            }
            _ => return None,
        })
    }
}

impl Candidate {
    /// As JSON: an object of decisions, sorted by name.
    pub fn to_json(&self) -> Json {
        let mut out: serde_json::Map<String, Json> =
            self.values.iter().map(|(k, v)| (k.clone(), v.to_json())).collect();
        if !self.copies.is_empty() {
            let copies = self.copies.iter().map(|(k, v)| (k.clone(), Json::from(v.clone()))).collect();
            out.insert(COPIES.to_string(), Json::Object(copies));
        }
        Json::Object(out)
    }

    /// As JSON with the lineage, which says how weights follow: what a store keeps.
    pub fn to_stored_json(&self) -> Json {
        let mut out = self.to_json();
        if let (Json::Object(map), false) = (&mut out, self.lineage.is_empty()) {
            map.insert(LINEAGE.to_string(), self.lineage.iter().map(Lineage::to_json).collect());
        }
        out
    }

    /// From JSON. The message says what is wrong; names and values are checked when the candidate is elaborated.
    pub fn from_json(v: &Json) -> Result<Self, String> {
        let Json::Object(map) = v else { return Err("a candidate is a JSON object of decisions".to_string()) };
        let mut out = Candidate::default();
        for (name, value) in map {
            if name == COPIES {
                out.copies = serde_json::from_value(value.clone())
                    .map_err(|e| format!("`{COPIES}` must map decisions to lists of numbers: {e}"))?;
                continue;
            }
            if name == LINEAGE {
                let steps = value.as_array().and_then(|v| v.iter().map(Lineage::from_json).collect());
                out.lineage = steps.ok_or_else(|| format!("`{LINEAGE}` must be a list of edits"))?;
                continue;
            }
            let choice = Choice::from_json(value)
                .ok_or_else(|| format!("decision `{name}` has a value that is neither a number, a text nor a list"))?;
            out.values.insert(name.clone(), choice);
        }
        Ok(out)
    }

    /// A key of the genotype: equal for equal decisions, whatever the lineage.
    pub fn genotype_key(&self) -> String {
        hash::hex(hash::hash128(self.to_json().to_string().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors() {
        assert!(matches("**.op", "cell.edge(0,1).op"));
        assert!(matches("**.op", "op"));
        assert!(!matches("**.op", "cell.edge(0,1).stop"));
        assert!(matches("cell.edge.op", "cell.edge(0,1).op"));
        assert!(matches("cell.edge(0,1).op", "cell.edge(0,1).op"));
        assert!(!matches("cell.edge(0,2).op", "cell.edge(0,1).op"));
        assert!(matches("level**", "level2[3].edge(0,1).op"));
        assert!(matches("level2[3].**", "level2[3].edge(0,1).op"));
        assert!(matches("**", "x"));
        assert!(!matches("level**", "x.level"));
    }

    #[test]
    fn kinds_and_indices() {
        let d = Decision {
            name: "level2[3].edge(0,1).op".into(),
            owner: String::new(),
            level: 1,
            domain: Domain::Real { lo: 0.0, hi: 1.0, log: false },
            span: Span::default(),
            given: Vec::new(),
        };
        assert_eq!(d.kind(), "level2.edge.op");
        assert_eq!(d.index(), [0, 1]);
    }

    #[test]
    fn subsets() {
        let options: Vec<Choice> = (0..4).map(Choice::Int).collect();
        let d = Domain::Subset { options, lo: 1, hi: 2 };
        assert_eq!(d.size(), Some(10));
        assert_eq!(d.values(100).map(|v| v.len()), Some(10));
        assert!(d.contains(&Choice::Many(vec![Choice::Int(3), Choice::Int(0)])));
        assert!(!d.contains(&Choice::Many(vec![])));
        assert!(!d.contains(&Choice::Many(vec![Choice::Int(1), Choice::Int(1)])));
        assert_eq!(binomial(60, 30), Some(118_264_581_564_861_424));
    }

    #[test]
    fn candidates_survive_json() {
        let mut c = Candidate::default();
        c.values.insert("k".into(), Choice::Int(3));
        c.values.insert("lr".into(), Choice::Float(0.1 + 0.2));
        c.values.insert("op".into(), Choice::Text("none".into()));
        c.values.insert("in".into(), Choice::Many(vec![Choice::Int(0), Choice::Int(2)]));
        c.copies.insert("depth".into(), vec![0, 2, 1]);
        let text = c.to_json().to_string();
        let back = Candidate::from_json(&serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(back, c);
        assert_eq!(back.genotype_key(), c.genotype_key());
        c.lineage = vec![
            Lineage::Inserted("net.layer".into(), 2),
            Lineage::Removed("net.layer".into(), 1),
            Lineage::Expanded("k".into(), Choice::Int(1), Choice::Int(3)),
        ];
        assert_eq!(c.to_json().to_string(), text);
        let stored = c.to_stored_json().to_string();
        let back = Candidate::from_json(&serde_json::from_str(&stored).unwrap()).unwrap();
        assert_eq!(back, c);
        assert_eq!(back.genotype_key(), hash::hex(hash::hash128(text.as_bytes())));
    }
}
