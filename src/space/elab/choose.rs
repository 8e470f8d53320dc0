//! Decisions.

use std::rc::Rc;

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::sema::names::wording;
use crate::sema::sym::{Num, VarInfo};
use crate::syntax::ast::{self, Alternative, Amount, Choose, ExprKind};

use super::super::decision::{Choice, Decision, Domain};
use super::super::value::{Element, OpKind, Scope, Value};
use super::merge::Split;
use super::{CheckedDecision, Elab, Halt, Mode, R, join};

/// Most options of one decision.
const MAX_OPTIONS: i64 = 4096;

/// What a decision turned out to be in this run.
enum Made {
    /// Check mode: the number of the decision.
    Open(u32),
    /// Build mode: its value.
    Taken(Choice),
}

impl<'a> Elab<'a, '_> {
    pub(crate) fn choose(&mut self, c: &'a Choose, span: Span, s: &mut Scope<'a>) -> R<Value<'a>> {
        let default = match &c.domain {
            ast::Domain::Alternatives(_) => "op",
            ast::Domain::From(_) => "item",
            ast::Domain::In { .. } => "number",
        };
        let short = c.name.as_ref().map_or(default, |n| n.name.as_str());
        let given = match &c.given {
            Some(e) => {
                let v = self.eval(e, s)?;
                self.given(&v)
            }
            None => Vec::new(),
        };
        let at = c.name.as_ref().map_or(c.keyword, |n| n.span);
        match (&c.domain, &c.amount) {
            (ast::Domain::Alternatives(alts), Amount::One) => self.choose_alternative(alts, short, at, given, s),
            (ast::Domain::Alternatives(alts), amount) => {
                let labels: Vec<Choice> = labels(alts).into_iter().map(Choice::Text).collect();
                let elements: Vec<Element<'a>> = (0..alts.len())
                    .map(|index| Element { when: Num::Bool(true), value: Value::int(index as i64), index })
                    .collect();
                let chosen = self.choose_subset(&elements, labels.clone(), amount, short, at, span, given, s)?;
                let Some(xs) = self.elements(&chosen, span)? else { return Ok(Value::Poison) };
                let mut out = Vec::new();
                for x in xs.iter() {
                    let alt = &alts[x.index];
                    let label = labels[x.index].to_string();
                    let value = self.under(x.when, |el| el.alternative(alt, short, &label, s))?;
                    out.push(Element { when: x.when, value, index: x.index });
                }
                Ok(Value::List(Rc::new(out)))
            }
            (ast::Domain::From(list), amount) => {
                let v = self.eval(list, s)?;
                let Some(xs) = self.elements(&v, list.span)? else { return Ok(Value::Poison) };
                let options = options(&xs);
                if let Amount::One = amount {
                    self.choose_element(&xs, options, short, at, list.span, given)
                } else {
                    self.choose_subset(&xs, options, amount, short, at, list.span, given, s)
                }
            }
            (ast::Domain::In { range, step, log }, Amount::One) => {
                let domain = self.number_domain(range, step.as_ref(), *log, s)?;
                self.choose_number(&domain, short, at, given)
            }
            (ast::Domain::In { .. }, _) => {
                self.error(&codes::WRONG_TYPE, span, "several numbers are chosen `from` a list, not `in` a range")
            }
        }
    }

    fn given(&self, v: &Value<'a>) -> Vec<String> {
        match v {
            Value::Tuple(t) => t.iter().flat_map(|v| self.given(v)).collect(),
            Value::Num(n) => vec![self.syms.show(*n)],
            Value::Str(s) => vec![s.to_string()],
            Value::None | Value::Zeros => vec!["none".to_string()],
            other => vec![other.kind().to_string()],
        }
    }

    // ---- making a decision ----

    fn make(&mut self, short: &str, domain: Domain, available: Vec<Num>, span: Span, given: Vec<String>) -> R<Made> {
        let name = join(&self.place.path, short);
        let owner = self.place.owner.to_string();
        let level = self.levels.get(&owner).copied().unwrap_or(1);
        let d = Decision { name, owner, level, domain, span, given };
        if self.checking() { self.register(d, available).map(Made::Open) } else { self.decide(d).map(Made::Taken) }
    }

    fn duplicate(&self, name: &str, first: Span, again: Span) -> Diagnostic {
        if first != again {
            return wording::duplicate_decision(name, first, again);
        }
        let mut d =
            Diagnostic::new(&codes::DUPLICATE_DECISION, again, format!("the decision `{name}` is made twice"))
                .here("this choice is reached twice under one name")
                .help("declare what it belongs to as a `motif` if both uses share one design, or use the block anew at each place for decisions of their own");
        if let Some(call) = self.calls.last().filter(|c| c.span != again) {
            d = d.label(call.span, "the use that reaches it again");
        }
        d
    }

    fn register(&mut self, d: Decision, available: Vec<Num>) -> R<u32> {
        let place = self.sites.last().map_or_else(String::new, |s| s.0.clone());
        if let Some(&id) = self.by_name.get(&d.name) {
            let old = &self.decisions[id as usize];
            if self.dry {
                return Ok(id);
            }
            if old.stamp == self.place.stamp {
                return self.fail(self.duplicate(&d.name, old.decision.span, d.span));
            }
            if old.decision.domain != d.domain || old.decision.span != d.span {
                let (was, first) = (old.decision.domain.describe(), old.decision.span);
                let mut e = Diagnostic::new(
                    &codes::MOTIF_DEPENDS,
                    d.span,
                    format!("the decision `{}` of motif `{}` depends on the motif's arguments", d.name, d.owner),
                )
                .here(format!("here the options are {}", d.domain.describe()))
                .note(format!("at another use of the motif they are {was}"))
                .help("a motif is decided once, for all its uses: let its options not depend on its arguments, or make it a `block`, which decides anew at every use");
                if first != d.span {
                    e = e.label(first, "the other decision");
                }
                if let Some(call) = self.calls.iter().rev().find(|c| c.name == d.owner) {
                    e = e.label(call.span, "at this use of the motif");
                }
                return self.fail(e);
            }
            let presence = self.syms.or(old.presence, self.place.presence);
            let old = &mut self.decisions[id as usize];
            old.presence = presence;
            if !old.places.contains(&place) {
                old.places.push(place);
            }
            return Ok(id);
        }
        let id = self.decisions.len() as u32;
        self.syms.vars.push(match &d.domain {
            Domain::One { options, .. } => VarInfo::Options(options.len() as u32),
            Domain::Subset { options, lo, hi } => {
                VarInfo::Subset { of: options.len() as u32, lo: *lo as u32, hi: *hi as u32 }
            }
            Domain::Real { .. } => VarInfo::Real,
        });
        self.by_name.insert(d.name.clone(), id);
        self.decisions.push(CheckedDecision {
            decision: d,
            presence: self.place.presence,
            available,
            places: vec![place],
            stamp: self.place.stamp,
        });
        Ok(id)
    }

    fn decide(&mut self, d: Decision) -> R<Choice> {
        if let Some(&(at, stamp)) = self.decided_at.get(&d.name) {
            let (old, value) = &self.decided[at];
            if !self.dry && stamp == self.place.stamp {
                return self.fail(self.duplicate(&d.name, old.span, d.span));
            }
            return Ok(value.clone());
        }
        if self.dry && !self.lasts(&d.owner) {
            return Ok(first_of(&d.domain));
        }
        let Mode::Build { oracle, .. } = &mut self.mode else { unreachable!("decisions are taken in build mode") };
        let value = oracle.choose(&d)?;
        if !d.domain.contains(&value) {
            return Err(Halt::Illegal(Box::new(d), value));
        }
        // A dry run is not a use.
        let stamp = if self.dry { u32::MAX } else { self.place.stamp };
        self.decided_at.insert(d.name.clone(), (self.decided.len(), stamp));
        self.decided.push((d, value.clone()));
        Ok(value)
    }

    /// Whether decisions of an owner that a dry run comes to are there in every candidate: those of a motif are, if it is
    /// declared outside.
    fn lasts(&self, owner: &str) -> bool {
        !self.dry_in.iter().any(|o| **o == *owner)
            && self.known.and_then(|known| known.get(owner)).is_some_and(|t| {
                t.lasting && (t.item.is_some() || self.motifs.iter().any(|(path, _)| **path == *owner))
            })
    }

    // ---- alternatives ----

    fn choose_alternative(
        &mut self,
        alts: &'a [Alternative],
        short: &str,
        span: Span,
        given: Vec<String>,
        s: &mut Scope<'a>,
    ) -> R<Value<'a>> {
        let labels = labels(alts);
        for (i, l) in labels.iter().enumerate() {
            if let Some(j) = labels[..i].iter().position(|m| m == l) {
                return self.fail(wording::duplicate_alternative(l, alts[j].span, alts[i].span));
            }
        }
        let weights = self.weights(alts, s)?;
        let domain = Domain::One { options: labels.iter().cloned().map(Choice::Text).collect(), weights };
        match self.make(short, domain.clone(), vec![Num::Bool(true); alts.len()], span, given)? {
            Made::Open(d) => {
                let mut cases = Vec::new();
                for (i, alt) in alts.iter().enumerate() {
                    let c = self.syms.is_option(d, i as u32, alts.len() as u32);
                    let v = self.under(c, |el| {
                        if el.cond == Num::Bool(false) {
                            return Ok(Value::Poison);
                        }
                        let r = el.alternative(alt, short, &labels[i], s);
                        el.recover(r)
                    })?;
                    cases.push((c, v));
                }
                if cases.iter().any(|(_, v)| !matches!(v, Value::None | Value::Poison)) {
                    for (_, v) in cases.iter_mut().filter(|(_, v)| matches!(v, Value::None)) {
                        *v = Value::Zeros;
                    }
                }
                self.merge(Split::Options(d), cases, span)
            }
            Made::Taken(choice) => {
                let i = domain.index_of(&choice).unwrap_or(0);
                let v = self.alternative(&alts[i], short, &labels[i], s)?;
                if !matches!(v, Value::None) {
                    return Ok(v);
                }
                // `none` has the shape of the first sibling that has one.
                for (j, sibling) in alts.iter().enumerate().filter(|(_, a)| !matches!(a.value.kind, ExprKind::None)) {
                    match self.dry_run(|el| el.alternative(sibling, short, &labels[j], s))? {
                        Value::None => {}
                        op @ (Value::Op(_) | Value::Item(_) | Value::Builtin(_) | Value::Lambda(_)) => {
                            return Ok(self.op(OpKind::ZerosLike(op), alts[i].span));
                        }
                        other => return self.zeros_like(&other, alts[i].span),
                    }
                }
                Ok(v)
            }
        }
    }

    /// The value of an alternative; the decisions in it stand under its label.
    fn alternative(&mut self, alt: &'a Alternative, short: &str, label: &str, s: &mut Scope<'a>) -> R<Value<'a>> {
        let mark = s.vars.len();
        let mut inner = s.clone();
        let r = self.inside(&format!("{short}.{label}"), |el| {
            el.at_site(label, |el| {
                let v = el.eval(&alt.value, &mut inner)?;
                // A declaration by its name is an operation made here.
                Ok(match v {
                    Value::Item(item) => {
                        let ExprKind::Name(n) = &alt.value.kind else { return Ok(Value::Item(item)) };
                        el.in_use(n, &item, |el| el.call_item(&item, Vec::new(), alt.value.span))?
                    }
                    v => v,
                })
            })
        });
        s.vars.truncate(mark);
        r
    }

    fn weights(&mut self, alts: &'a [Alternative], s: &mut Scope<'a>) -> R<Option<Vec<f64>>> {
        if alts.iter().all(|a| a.weight.is_none()) {
            return Ok(None);
        }
        let mut out = Vec::new();
        for a in alts {
            out.push(match &a.weight {
                None => 1.0,
                Some(e) => match self.number(e, s)?.as_f64() {
                    Some(w) if w > 0.0 && w.is_finite() => w,
                    _ => return self.error(&codes::WRONG_TYPE, e.span, "a weight must be a known positive number"),
                },
            });
        }
        Ok(Some(out))
    }

    // ---- elements ----

    fn choose_element(
        &mut self,
        xs: &Rc<Vec<Element<'a>>>,
        options: Vec<Choice>,
        short: &str,
        span: Span,
        list: Span,
        given: Vec<String>,
    ) -> R<Value<'a>> {
        let mut any = Num::Bool(false);
        for x in xs.iter() {
            any = self.syms.or(any, x.when);
        }
        self.require(any, list, |_, _| {
            Diagnostic::new(&codes::EMPTY_CHOICE, span, "there is nothing to choose from")
                .here("a choice among no elements")
                .label(list, "this list is empty")
        })?;
        let domain = Domain::One { options, weights: None };
        let available: Vec<Num> = xs.iter().map(|x| x.when).collect();
        match self.make(short, domain.clone(), available, span, given)? {
            Made::Open(d) => {
                let n = xs.len() as u32;
                let mut cases = Vec::new();
                for (i, x) in xs.iter().enumerate() {
                    let c = self.syms.is_option(d, i as u32, n);
                    if x.when != Num::Bool(true) {
                        // Only elements that are there are chosen.
                        let there = self.syms.not(c);
                        let there = self.syms.or(there, x.when);
                        self.cond = self.syms.and(self.cond, there);
                    }
                    cases.push((c, x.value.clone()));
                }
                self.merge(Split::Options(d), cases, span)
            }
            Made::Taken(choice) => Ok(xs[domain.index_of(&choice).unwrap_or(0)].value.clone()),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one decision")]
    fn choose_subset(
        &mut self,
        xs: &[Element<'a>],
        options: Vec<Choice>,
        amount: &'a Amount,
        short: &str,
        span: Span,
        list: Span,
        given: Vec<String>,
        s: &mut Scope<'a>,
    ) -> R<Value<'a>> {
        let n = xs.len() as i64;
        let (lo, hi) = match amount {
            Amount::One => (1, 1),
            Amount::Exactly(e) => {
                let k = self.known_int(e, s)?;
                (k, k)
            }
            Amount::Between { lo, hi, inclusive } => {
                let lo = lo.as_ref().map_or(Ok(0), |e| self.known_int(e, s))?;
                let hi = match hi {
                    Some(e) => self.known_int(e, s)? - i64::from(!inclusive),
                    None => n,
                };
                (lo, hi.min(n))
            }
        };
        if lo < 0 || lo > hi || lo > n {
            return self.fail(
                Diagnostic::new(
                    &codes::EMPTY_CHOICE,
                    span,
                    format!(
                        "{} elements cannot be chosen from {n}",
                        if lo == hi { lo.to_string() } else { format!("{lo} to {hi}") }
                    ),
                )
                .here("no such subset")
                .label(list, format!("{n} elements")),
            );
        }
        let domain = Domain::Subset { options, lo: lo as usize, hi: hi as usize };
        let available: Vec<Num> = xs.iter().map(|x| x.when).collect();
        match self.make(short, domain.clone(), available, span, given)? {
            Made::Open(d) => {
                let mut out = Vec::new();
                for (i, x) in xs.iter().enumerate() {
                    let m = self.syms.member(d, i as u32);
                    if x.when != Num::Bool(true) {
                        let there = self.syms.not(m);
                        let there = self.syms.or(there, x.when);
                        self.cond = self.syms.and(self.cond, there);
                    }
                    let when = self.syms.and(m, x.when);
                    out.push(Element { when, value: x.value.clone(), index: x.index });
                }
                Ok(Value::List(Rc::new(out)))
            }
            Made::Taken(choice) => {
                let ix = domain.indices_of(&choice).unwrap_or_default();
                Ok(Value::List(Rc::new(ix.into_iter().map(|i| xs[i].clone()).collect())))
            }
        }
    }

    fn known_int(&mut self, e: &'a ast::Expr, s: &mut Scope<'a>) -> R<i64> {
        match self.number(e, s)? {
            Num::Int(i) => Ok(i),
            _ => self.error(&codes::WRONG_TYPE, e.span, "how many are chosen must be a known whole number"),
        }
    }

    // ---- numbers ----

    fn number_domain(
        &mut self,
        range: &'a ast::Expr,
        step: Option<&'a ast::Expr>,
        log: bool,
        s: &mut Scope<'a>,
    ) -> R<Domain> {
        let ExprKind::Range { lo: Some(lo), hi: Some(hi), inclusive } = &range.kind else {
            return self.error(&codes::WRONG_TYPE, range.span, "a number is chosen in a range with two ends: `1..=8`");
        };
        let (a, b) = (self.number(lo, s)?, self.number(hi, s)?);
        let step = step.map(|e| self.number(e, s)).transpose()?;
        let ends = |el: &Self| {
            el.fail(
                Diagnostic::new(&codes::EMPTY_CHOICE, range.span, "this range has no numbers to choose from")
                    .here("the lower end must come first"),
            )
        };
        if let (Num::Int(a), Num::Int(b), None | Some(Num::Int(_))) = (a, b, step) {
            let step = match step {
                Some(Num::Int(k)) => k,
                _ => 1,
            };
            let last = if *inclusive { b } else { b - 1 };
            if step <= 0 || last < a || (log && a <= 0) {
                return ends(self);
            }
            if (last - a) / step >= MAX_OPTIONS {
                return self.fail(
                    Diagnostic::new(
                        &codes::EMPTY_CHOICE,
                        range.span,
                        format!("more than {MAX_OPTIONS} numbers to choose from"),
                    )
                    .here("too many options")
                    .help("give a `step`, or choose a real number: `1.0..1e6 log`"),
                );
            }
            let numbers: Vec<i64> = (0..=(last - a) / step).map(|i| a + i * step).collect();
            let weights = log.then(|| numbers.iter().map(|&x| 1.0 / x as f64).collect());
            return Ok(Domain::One { options: numbers.into_iter().map(Choice::Int).collect(), weights });
        }
        let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) else {
            return self.error(&codes::WRONG_TYPE, range.span, "the ends of this range must be known numbers");
        };
        if !(a < b && a.is_finite() && b.is_finite()) || (log && a <= 0.0) {
            return ends(self);
        }
        match step.and_then(Num::as_f64) {
            None => Ok(Domain::Real { lo: a, hi: b, log }),
            Some(k) if k > 0.0 && (b - a) / k < MAX_OPTIONS as f64 => {
                let n = ((b - a) / k + 1e-9).floor() as i64;
                Ok(Domain::One { options: (0..=n).map(|i| Choice::Float(a + i as f64 * k)).collect(), weights: None })
            }
            Some(_) => ends(self),
        }
    }

    fn choose_number(&mut self, domain: &Domain, short: &str, span: Span, given: Vec<String>) -> R<Value<'a>> {
        let n = domain.size().unwrap_or(0) as usize;
        match self.make(short, domain.clone(), vec![Num::Bool(true); n], span, given)? {
            Made::Open(d) => Ok(Value::Num(match domain {
                Domain::One { options, .. } => {
                    let values: Vec<Num> = options.iter().map(|o| as_num(o).unwrap_or(Num::Int(0))).collect();
                    self.syms.pick(d, &values)
                }
                _ => self.syms.real(d),
            })),
            Made::Taken(c) => Ok(Value::Num(match (domain, as_num(&c)) {
                (Domain::Real { .. }, Some(Num::Int(i))) => Num::Float(i as f64),
                (_, Some(n)) => n,
                (_, None) => Num::Int(0),
            })),
        }
    }
}

fn as_num(c: &Choice) -> Option<Num> {
    match c {
        Choice::Int(i) => Some(Num::Int(*i)),
        Choice::Float(f) => Some(Num::Float(*f)),
        Choice::Bool(b) => Some(Num::Bool(*b)),
        Choice::Text(_) | Choice::Many(_) => None,
    }
}

fn labels(alts: &[Alternative]) -> Vec<String> {
    alts.iter()
        .map(|a| a.label.as_ref().map_or_else(|| crate::syntax::print::expr_text(&a.value), |l| l.name.clone()))
        .collect()
}

/// Elements that are numbers or texts are recorded as such, all others by their index.
fn options(xs: &[Element]) -> Vec<Choice> {
    let scalars: Option<Vec<Choice>> = xs
        .iter()
        .map(|x| match &x.value {
            Value::Num(Num::Int(i)) => Some(Choice::Int(*i)),
            Value::Num(Num::Float(f)) => Some(Choice::Float(*f)),
            Value::Num(Num::Bool(b)) => Some(Choice::Bool(*b)),
            Value::Str(s) => Some(Choice::Text(s.to_string())),
            _ => None,
        })
        .collect();
    let distinct = |v: &[Choice]| v.iter().enumerate().all(|(i, c)| !v[..i].iter().any(|d| d.same(c)));
    if let Some(v) = scalars
        && distinct(&v)
    {
        return v;
    }
    let by_index: Vec<Choice> = xs.iter().map(|x| Choice::Int(x.index as i64)).collect();
    if distinct(&by_index) { by_index } else { (0..xs.len()).map(|i| Choice::Int(i as i64)).collect() }
}

/// The value of a decision that only a shape depends on: the first that is not `none`.
pub(super) fn first_of(d: &Domain) -> Choice {
    match d {
        Domain::One { options, .. } => options
            .iter()
            .find(|o| **o != Choice::Text("none".to_string()))
            .or(options.first())
            .cloned()
            .unwrap_or(Choice::Int(0)),
        Domain::Subset { options, lo, .. } => Choice::Many(options.iter().take(*lo).cloned().collect()),
        Domain::Real { lo, .. } => Choice::Float(*lo),
    }
}
