//! Spaces of algorithms: a program is a candidate like any other, a map from decisions to values.
//!
//! `predict.size` counts the instructions of a part; `predict.instruction(2).op` is what one does, `.in1`, `.in2`, .. and
//! `.out` are its addresses, and its constants go by the names of the knobs. Parts are repeats with a decided number of
//! copies, so that instructions are inserted and removed as layers are.

use std::collections::BTreeMap;

use num_bigint::BigUint;

use crate::algo::set::MOST;
use crate::algo::{Design, Instr, Instruction, PARTS, Program, Rank};
use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::syntax::ast::ItemKind;

use super::count::{Count, Size};
use super::decision::{Candidate, Choice, Decision, Domain};
use super::elab::{CheckedDecision, CheckedRepeat, Elab, Halt, Mode, Oracle, R};
use super::value::Scope;
use super::{BuildError, Built, Checked, Space, Want, has_choice};

/// A new constant is drawn from -1 to 1; edits may take it anywhere.
const DRAWN: Domain = Domain::Real { lo: -1.0, hi: 1.0, log: false };

fn addresses(rank: Rank, from: u16, count: u16) -> Domain {
    let options = (from..count).map(|k| Choice::Text(format!("{}{k}", rank.letter()))).collect();
    Domain::One { options, weights: None }
}

fn labels(d: &Design, part: usize) -> Domain {
    let ops = &d.parts[part].ops;
    let options = ops.iter().map(|&o| Choice::Text(d.set.instructions[o].label.clone())).collect();
    Domain::One { options, weights: None }
}

fn sizes(d: &Design, part: usize) -> Domain {
    let p = &d.parts[part];
    Domain::One { options: (p.least..=p.most).map(|n| Choice::Int(n as i64)).collect(), weights: None }
}

fn decision(name: String, owner: &str, domain: Domain, span: Span) -> Decision {
    Decision { name, owner: owner.to_string(), level: 1, domain, span, given: Vec::new() }
}

fn path(part: usize) -> String {
    format!("{}.instruction", PARTS[part])
}

fn size_name(part: usize) -> String {
    format!("{}.size", PARTS[part])
}

fn wrong(message: String) -> BuildError {
    BuildError::Error(Box::new(Diagnostic::new(&codes::BAD_CANDIDATE, Span::default(), message)))
}

/// How many ways there are to write one instruction of a part.
fn ways(d: &Design, part: usize) -> BigUint {
    let one = |o: &usize| {
        let i = &d.set.instructions[*o];
        let places = i.operands.iter().map(|r| BigUint::from(d.counts[*r as usize])).product::<BigUint>();
        places * BigUint::from(d.counts[i.output as usize] - i.output.first_writable())
    };
    d.parts[part].ops.iter().map(one).sum()
}

/// What a check of a space of algorithms finds: its decisions and its size.
pub(super) fn checked(d: &Design) -> Checked {
    let mut out = Checked::default();
    let mut total = BigUint::from(1u32);
    let mut real = 0;
    let add = |out: &mut Checked, made: Decision, options: usize| {
        out.by_name.insert(made.name.clone(), out.decisions.len() as u32);
        out.decisions.push(CheckedDecision::always(made, options));
    };
    for (k, part) in d.parts.iter().enumerate() {
        if part.most == 0 {
            continue;
        }
        add(&mut out, decision(size_name(k), PARTS[k], sizes(d, k), part.span), part.most - part.least + 1);
        out.repeats.push(CheckedRepeat { path: path(k), count: Some(size_name(k)) });
        for i in 0..part.most {
            let owner = format!("{}({i})", path(k));
            add(&mut out, decision(format!("{owner}.op"), &owner, labels(d, k), part.span), part.ops.len());
        }
        let one = ways(d, k);
        let (mut all, mut power) = (BigUint::ZERO, one.pow(part.least as u32));
        for _ in part.least..=part.most {
            all += &power;
            power *= &one;
        }
        total *= all;
        if part.ops.iter().any(|o| !d.set.instructions[*o].knobs.is_empty()) {
            real += part.most;
        }
    }
    out.size = Some(Size { discrete: Count::Exact(total), real });
    out
}

/// Takes every decision of a program from an oracle.
fn walk(d: &Design, oracle: &mut dyn Oracle, decided: &mut Vec<(Decision, Choice)>) -> R<()> {
    let mut ask = |oracle: &mut dyn Oracle, made: Decision| -> R<Choice> {
        let free = matches!(made.domain, Domain::Real { .. });
        let value = match oracle.fixed(&made.name) {
            Some(Choice::Float(x)) if free && x.is_finite() => Choice::Float(x),
            Some(Choice::Int(x)) if free => Choice::Float(x as f64),
            _ => oracle.choose(&made)?,
        };
        if !free && !made.domain.contains(&value) {
            return Err(Halt::Illegal(Box::new(made), value));
        }
        decided.push((made, value.clone()));
        Ok(value)
    };
    for (k, part) in d.parts.iter().enumerate() {
        if part.most == 0 {
            continue;
        }
        let size = ask(oracle, decision(size_name(k), PARTS[k], sizes(d, k), part.span))?;
        let Choice::Int(size) = size else { continue };
        let size = size as u32;
        let ids = oracle.copies(&path(k)).filter(|ids| ids.len() == size as usize);
        for id in ids.unwrap_or_else(|| (0..size).collect()) {
            let owner = format!("{}({id})", path(k));
            let made = |field: &str, domain: Domain| decision(format!("{owner}.{field}"), &owner, domain, part.span);
            let op = ask(oracle, made("op", labels(d, k)))?;
            let Some(i) = find(d, k, &op) else { continue };
            for (n, rank) in i.operands.iter().enumerate() {
                ask(oracle, made(&format!("in{}", n + 1), addresses(*rank, 0, d.counts[*rank as usize])))?;
            }
            let count = d.counts[i.output as usize];
            ask(oracle, made("out", addresses(i.output, i.output.first_writable(), count)))?;
            for knob in &i.knobs {
                ask(oracle, made(&knob.name, DRAWN))?;
            }
        }
    }
    Ok(())
}

fn find<'d>(d: &'d Design, part: usize, label: &Choice) -> Option<&'d Instruction> {
    let Choice::Text(label) = label else { return None };
    d.parts[part].ops.iter().map(|&o| &d.set.instructions[o]).find(|i| i.label == *label)
}

impl Space {
    /// What its programs are made of, if it is a space of algorithms.
    pub fn design(&self) -> Option<&Design> {
        self.design.as_deref()
    }

    /// Decisions in the fields of the search block, for the check.
    pub(super) fn check_fields(&self, checked: &mut Checked) -> Vec<Diagnostic> {
        if !self.chooses_in_fields() {
            return Vec::new();
        }
        let mut el = Elab::new(&self.program, Mode::Check, self.name());
        if let Err(h) = self.fields(&mut el) {
            el.report(BuildError::from(h).diagnostic());
        }
        for d in std::mem::take(&mut el.decisions) {
            checked.by_name.insert(d.decision.name.clone(), checked.decisions.len() as u32);
            checked.decisions.push(d);
        }
        std::mem::take(&mut el.errors)
    }

    /// Whether the search block itself has decisions.
    pub fn chooses_in_fields(&self) -> bool {
        self.search.is_some_and(|s| match &self.program.item(s).kind {
            ItemKind::Search(s) => s.fields.iter().any(|(n, e)| n.name != "space" && has_choice(e)),
            _ => false,
        })
    }

    fn fields<'a>(&'a self, el: &mut Elab<'a, '_>) -> R<BTreeMap<String, f64>> {
        let mut extras = BTreeMap::new();
        if let Some(search) = self.search
            && let ItemKind::Search(s) = &self.program.item(search).kind
        {
            let mut scope = Scope::new(search.module);
            for (field, e) in s.fields.iter().filter(|f| f.0.name != "space") {
                self.extra_decisions(el, &field.name, e, &mut scope, &mut extras)?;
            }
        }
        Ok(extras)
    }

    /// [`Space::build_with`] for programs, which have decisions and no graph.
    pub(super) fn build_program(&self, d: &Design, oracle: &mut dyn Oracle, want: Want) -> Result<Built, BuildError> {
        if want != Want::Decisions {
            let e = Diagnostic::new(
                &codes::CANNOT_SERVE,
                self.program.item(self.item).span,
                format!("the candidates of `{}` are programs, not networks", self.name()),
            );
            return Err(BuildError::Error(Box::new(
                e.help("score them with `evaluate = programs()` of `std.evaluations.programs`"),
            )));
        }
        let (mut decided, mut extras) = (Vec::new(), BTreeMap::new());
        if self.chooses_in_fields() {
            let mode = Mode::Build { oracle: &mut *oracle, graph: None, training: false };
            let mut el = Elab::new(&self.program, mode, self.name());
            extras = self.fields(&mut el)?;
            decided = std::mem::take(&mut el.decided);
        }
        walk(d, oracle, &mut decided)?;
        Ok(Built { graph: crate::graph::Graph::default(), output: None, decided, stamps: Vec::new(), extras })
    }

    /// The program that a candidate of a space of algorithms is.
    ///
    /// # Errors
    /// Where the space has networks, or the candidate is of another one.
    pub fn program_of(&self, c: &Candidate) -> Result<Program, BuildError> {
        let Some(d) = self.design() else {
            return Err(wrong(format!("the candidates of `{}` are networks, not programs", self.name())));
        };
        let mut out = Program::default();
        let lacks = |name: &str| wrong(format!("the candidate has no value for `{name}` that the space knows"));
        let address = |name: String| match c.values.get(&name) {
            Some(Choice::Text(t)) => t[1..].parse::<u16>().map_err(|_| lacks(&name)),
            _ => Err(lacks(&name)),
        };
        for k in 0..3 {
            let size = match c.values.get(&size_name(k)) {
                Some(Choice::Int(n)) => *n as u32,
                _ if d.parts[k].most == 0 => 0,
                _ => return Err(lacks(&size_name(k))),
            };
            let ids = c.copies.get(&path(k)).filter(|ids| ids.len() == size as usize).cloned();
            for id in ids.unwrap_or_else(|| (0..size).collect()) {
                let owner = format!("{}({id})", path(k));
                let name = format!("{owner}.op");
                let label = c.values.get(&name).ok_or_else(|| lacks(&name))?;
                let Choice::Text(label) = label else { return Err(lacks(&name)) };
                let op = d.set.find(label).ok_or_else(|| lacks(&name))?;
                let i = &d.set.instructions[op];
                let (mut inputs, mut knobs) = ([0; MOST], [0.0; MOST]);
                for (n, slot) in inputs.iter_mut().enumerate().take(i.operands.len()) {
                    *slot = address(format!("{owner}.in{}", n + 1))?;
                }
                for (slot, knob) in knobs.iter_mut().zip(&i.knobs) {
                    let name = format!("{owner}.{}", knob.name);
                    *slot = match c.values.get(&name) {
                        Some(Choice::Float(x)) => *x,
                        Some(Choice::Int(x)) => *x as f64,
                        _ => return Err(lacks(&name)),
                    };
                }
                out.parts[k].push(Instr { op, inputs, out: address(format!("{owner}.out"))?, knobs });
            }
        }
        Ok(out)
    }

    /// The candidate that a program is.
    pub fn candidate_of(&self, d: &Design, p: &Program) -> Candidate {
        let mut c = Candidate::default();
        for (k, body) in p.parts.iter().enumerate() {
            if d.parts[k].most > 0 {
                c.values.insert(size_name(k), Choice::Int(body.len() as i64));
            }
            for (id, i) in body.iter().enumerate() {
                let owner = format!("{}({id})", path(k));
                let op = &d.set.instructions[i.op];
                let place = |r: Rank, at: u16| Choice::Text(format!("{}{at}", r.letter()));
                c.values.insert(format!("{owner}.op"), Choice::Text(op.label.clone()));
                for (n, (r, at)) in op.operands.iter().zip(i.inputs).enumerate() {
                    c.values.insert(format!("{owner}.in{}", n + 1), place(*r, at));
                }
                c.values.insert(format!("{owner}.out"), place(op.output, i.out));
                for (knob, x) in op.knobs.iter().zip(i.knobs) {
                    c.values.insert(format!("{owner}.{}", knob.name), Choice::Float(x));
                }
            }
        }
        c
    }

    /// A candidate of a space of algorithms as an `algorithm` item, simplified, each line explained; none for networks.
    ///
    /// # Errors
    /// Where the candidate is of another space.
    pub fn listing(&self, c: &Candidate, name: &str) -> Result<Option<String>, BuildError> {
        match self.design() {
            Some(d) => Ok(Some(self.program_of(c)?.simplified(&d.set).text(&d.set, name, true))),
            None => Ok(None),
        }
    }
}
