//! Drawing candidates, completing partial ones, and walking over them decision by decision.

use crate::base::rng::Stream;
use crate::diag::{Diagnostic, codes};

use super::decision::{Candidate, Choice, Decision, Domain};
use super::elab::{Oracle, R};
use super::{BuildError, Space, Want};

/// Most elaborations that the search for a completion under `forbid` may take.
const MAX_TRIES: usize = 20_000;

/// One decision on the way to a complete candidate.
struct Step {
    name: String,
    value: Choice,
    /// Values that led nowhere.
    tried: Vec<Choice>,
    /// How many values it has, if few enough to exhaust.
    size: Option<u64>,
}

/// Keeps what is fixed, replays the trail, and draws what comes after it.
struct Drawer<'a> {
    fixed: &'a Candidate,
    trail: &'a mut Vec<Step>,
    at: usize,
    rng: &'a mut Stream,
}

impl Oracle for Drawer<'_> {
    fn choose(&mut self, d: &Decision) -> R<Choice> {
        if let Some(v) = self.fixed.values.get(&d.name)
            && d.domain.contains(v)
        {
            return Ok(v.clone());
        }
        let at = self.at;
        self.at += 1;
        if let Some(step) = self.trail.get(at).filter(|s| s.name == d.name && d.domain.contains(&s.value)) {
            return Ok(step.value.clone());
        }
        self.trail.truncate(at);
        let value = draw(&d.domain, &[], self.rng);
        self.trail.push(Step { name: d.name.clone(), value: value.clone(), tried: Vec::new(), size: d.domain.size() });
        Ok(value)
    }

    fn copies(&self, path: &str) -> Option<Vec<u32>> {
        self.fixed.copies.get(path).cloned()
    }

    fn fixed(&self, name: &str) -> Option<Choice> {
        self.fixed.values.get(name).cloned()
    }
}

/// A value of the domain, by its weights, but none of `not` where there are others.
pub fn draw(domain: &Domain, not: &[Choice], rng: &mut Stream) -> Choice {
    match domain {
        Domain::One { options, weights } => {
            let open: Vec<usize> = (0..options.len()).filter(|&i| !not.iter().any(|n| n.same(&options[i]))).collect();
            let open = if open.is_empty() { (0..options.len()).collect() } else { open };
            let weight = |i: usize| weights.as_ref().map_or(1.0, |w| w[i]);
            if weights.is_none() {
                return options[open[rng.below(open.len())]].clone();
            }
            let total: f64 = open.iter().map(|&i| weight(i)).sum();
            let mut x = rng.unit() * total;
            for &i in &open {
                x -= weight(i);
                if x < 0.0 {
                    return options[i].clone();
                }
            }
            options[open[open.len() - 1]].clone()
        }
        Domain::Subset { options, lo, hi } => draw_subset(options, *lo, *hi, rng),
        Domain::Real { lo, hi, log } => {
            let x = if *log { (lo.ln() + rng.unit() * (hi.ln() - lo.ln())).exp() } else { lo + rng.unit() * (hi - lo) };
            Choice::Float(x.clamp(*lo, *hi))
        }
    }
}

/// Uniform over all subsets of allowed size.
fn draw_subset(options: &[Choice], lo: usize, hi: usize, rng: &mut Stream) -> Choice {
    let n = options.len();
    // Sizes weighted by how many subsets they have; in floating point, since only ratios matter.
    let mut ways: Vec<f64> = Vec::new();
    let mut w = 1.0;
    for k in 0..=hi {
        ways.push(if k < lo { 0.0 } else { w });
        w = w * (n - k.min(n)) as f64 / (k + 1) as f64;
    }
    let mut x = rng.unit() * ways.iter().sum::<f64>();
    let mut size = hi;
    for (k, w) in ways.iter().enumerate() {
        x -= w;
        if x < 0.0 {
            size = k;
            break;
        }
    }
    let mut ix: Vec<usize> = (0..n).collect();
    rng.shuffle(&mut ix);
    ix.truncate(size);
    ix.sort_unstable();
    Choice::Many(ix.into_iter().map(|i| options[i].clone()).collect())
}

impl Space {
    /// A candidate drawn decision by decision, uniformly (or by the alternatives' weights) over the options that can
    /// still be completed under the space's `forbid`s; of a space of algorithms with a `start`, that program.
    pub fn random(&self, rng: &mut Stream) -> Result<Candidate, BuildError> {
        let start = self.design().and_then(|d| Some(self.candidate_of(d, d.start.as_ref()?)));
        self.fill(&start.unwrap_or_default(), rng)
    }

    /// Keeps the values that the candidate has where they are legal, drops those of decisions that do not exist, and
    /// draws the others.
    pub fn fill(&self, partial: &Candidate, rng: &mut Stream) -> Result<Candidate, BuildError> {
        if let Some(c) = self.flat_fill(partial, rng) {
            return Ok(c);
        }
        // The trail in random order, with backtracking where a `forbid` holds: the first option, in a random order, that
        // can be completed is uniform over all that can.
        let mut trail: Vec<Step> = Vec::new();
        let mut last = None;
        for _ in 0..MAX_TRIES {
            let mut drawer = Drawer { fixed: partial, trail: &mut trail, at: 0, rng };
            match self.build_with(&mut drawer, Want::Decisions) {
                Ok(b) => {
                    let values = b.decided.into_iter().map(|(d, v)| (d.name, v)).collect();
                    let mut out = Candidate { values, ..partial.clone() };
                    out.prune_copies(self);
                    return Ok(out);
                }
                Err(BuildError::Forbidden(span)) => {
                    last = Some(span);
                    let at = drawer.at;
                    trail.truncate(at);
                    if !self.backtrack(&mut trail, rng) {
                        break;
                    }
                }
                Err(e) => return Err(e),
            }
        }
        let span = last.unwrap_or_default();
        let d = Diagnostic::new(&codes::ALL_FORBIDDEN, span, "no candidate was found that this `forbid` allows")
            .here("this holds for every completion that was tried")
            .help("loosen the condition, or fix fewer decisions");
        Err(BuildError::Error(Box::new(d)))
    }

    /// The last decision of the trail that has untried values takes one of them.
    fn backtrack(&self, trail: &mut Vec<Step>, rng: &mut Stream) -> bool {
        while let Some(mut step) = trail.pop() {
            step.tried.push(step.value.clone());
            let exhausted = step.size.is_some_and(|n| step.tried.len() as u64 >= n) || step.tried.len() >= 4096;
            if exhausted {
                continue;
            }
            let Some(d) = self.checked(&step.name) else { continue };
            // A fresh value; a domain that depends on other decisions is checked when it is used.
            for _ in 0..64 {
                let v = draw(&d.decision.domain, &step.tried, rng);
                if !step.tried.iter().any(|t| t.same(&v)) {
                    step.value = v;
                    trail.push(step);
                    return true;
                }
            }
        }
        false
    }

    /// The decisions of a complete candidate with their values, in order.
    pub fn decisions_of(&self, c: &Candidate) -> Result<Vec<(Decision, Choice)>, BuildError> {
        match self.flat_decisions(c) {
            Some(all) => Ok(all),
            None => Ok(self.build(c, Want::Decisions)?.decided),
        }
    }

    /// The first decision for which a partial candidate has no value; `None` if it is complete.
    pub fn next_open(&self, c: &Candidate) -> Result<Option<Decision>, BuildError> {
        if self.is_flat_for(c) {
            return Ok(self.flat_open(c).cloned());
        }
        match self.build(c, Want::Decisions) {
            Ok(_) => Ok(None),
            Err(BuildError::Open(d)) => Ok(Some(*d)),
            Err(e) => Err(e),
        }
    }

    /// The values of an open decision that can be completed.
    pub fn open_options(&self, c: &Candidate, d: &Decision, limit: u64) -> Result<Vec<Choice>, BuildError> {
        let Some(values) = d.domain.values(limit) else {
            let e = Diagnostic::new(
                &codes::WRONG_TYPE,
                d.span,
                format!("the decision `{}` has too many values to list", d.name),
            );
            return Err(BuildError::Error(Box::new(e)));
        };
        if !self.has_forbidden() {
            return Ok(values);
        }
        let mut rng = Stream::new(0, "completion");
        let mut out = Vec::new();
        for v in values {
            let mut next = c.clone();
            next.values.insert(d.name.clone(), v.clone());
            match self.fill(&next, &mut rng) {
                Ok(_) => out.push(v),
                Err(BuildError::Error(e)) if e.code == &codes::ALL_FORBIDDEN => {}
                Err(e) => return Err(e),
            }
        }
        Ok(out)
    }

    /// All completions of a partial candidate in order, at most `limit`; `None` if there are more.
    pub fn completions(&self, partial: &Candidate, limit: usize) -> Result<Option<Vec<Candidate>>, BuildError> {
        let mut out = Vec::new();
        let mut stack = vec![partial.clone()];
        while let Some(c) = stack.pop() {
            let built = match self.flat_open(&c).filter(|_| self.is_flat_for(&c)) {
                Some(d) => Err(BuildError::Open(Box::new(d.clone()))),
                None => self.decisions_of(&c),
            };
            match built {
                Ok(decided) => {
                    if out.len() == limit {
                        return Ok(None);
                    }
                    let values = decided.into_iter().map(|(d, v)| (d.name, v)).collect();
                    out.push(Candidate { values, ..c });
                }
                Err(BuildError::Open(d)) => {
                    let Some(values) = d.domain.values(limit as u64) else { return Ok(None) };
                    for v in values.into_iter().rev() {
                        let mut next = c.clone();
                        next.values.insert(d.name.clone(), v);
                        stack.push(next);
                    }
                    if stack.len() > limit.saturating_mul(64) {
                        return Ok(None);
                    }
                }
                Err(BuildError::Forbidden(_)) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Some(out))
    }
}
