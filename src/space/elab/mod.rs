//! Elaboration: a space's body is run, and what it does depends on the mode.
//!
//! *Check*: once, abstractly, under all decisions. A choice gives a value that is a function of the decision; branches
//! and alternatives are all run, each under its condition; every obligation (equal extents, exact divisions, at least
//! one element) is proved or reported. *Build*: for one candidate. An [`Oracle`] answers every choice, only what was
//! chosen is run, and a tensor graph can be emitted.
//!
//! It is one evaluator, so that the two cannot disagree about what a program means.

mod apply;
mod assemble;
mod builtins;
mod call;
mod choose;
mod emit;
mod expr;
mod merge;
mod stmt;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use crate::base::{FileId, Span};
use crate::diag::{Code, Diagnostic, codes};
use crate::graph::{Graph, NodeId};
use crate::sema::modules::{ItemRef, Program};
use crate::sema::sym::{Assignment, Cmp, MAX_COMBINATIONS, Mix, Num, Proof, Syms, Var as SymVar, VarInfo};

use super::decision::{Choice, Decision, Domain};
use super::value::{Item, Op, Origin, Place, Tensor, Value};

/// Deepest nesting of calls.
pub(crate) const MAX_CALLS: usize = 160;

/// Most turns of a `while` or elements of a range.
pub(crate) const MAX_TURNS: i64 = 100_000;

/// Why elaboration stopped.
#[derive(Debug)]
pub enum Halt {
    /// Something is wrong with the program.
    Error(Box<Diagnostic>),
    /// No candidate comes here: nothing that is wrong from here on matters.
    Nowhere,
    /// A `forbid` excludes this candidate.
    Forbidden(Span),
    /// The oracle has no answer: the next open decision.
    Open(Box<Decision>),
    /// The oracle's answer does not belong to the decision.
    Illegal(Box<Decision>, Choice),
    /// `return` on its way to the function.
    Return,
    /// `break` on its way to the loop.
    Break,
    /// `continue` on its way to the loop.
    Continue,
}

/// The result of an evaluation.
pub type R<T> = Result<T, Halt>;

/// Answers decisions while a candidate is built.
pub trait Oracle {
    /// The value of a decision, which must be of its domain.
    fn choose(&mut self, d: &Decision) -> R<Choice>;
    /// The identities of the copies of a repeat (by its path), if they are not `0..n`.
    fn copies(&self, path: &str) -> Option<Vec<u32>>;
    /// The value that a candidate has for a decision, legal or not.
    fn fixed(&self, _name: &str) -> Option<Choice> {
        None
    }
}

/// What a check found out about a decision.
#[derive(Clone, Debug)]
pub struct CheckedDecision {
    /// Name, owner, domain, span.
    pub decision: Decision,
    /// Under which decisions of its owner it exists.
    pub presence: Num,
    /// The condition under which each option is there.
    pub available: Vec<Num>,
    /// The sites at which it is used.
    pub places: Vec<String>,
    /// The stamp of the owner that made it first.
    stamp: u32,
}

impl CheckedDecision {
    /// A decision that every candidate has, each of its options being there.
    pub(crate) fn always(decision: Decision, options: usize) -> Self {
        let available = vec![Num::Bool(true); options];
        Self { decision, presence: Num::Bool(true), available, places: Vec::new(), stamp: 0 }
    }
}

/// A repeat with its path and, if a decision is its count, that decision.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedRepeat {
    /// `normal.layer`
    pub path: String,
    /// The name of the decision.
    pub count: Option<String>,
}

/// How a motif was first stamped, so that one that a candidate does not reach can still be visited. What depends on
/// decisions is as in one candidate that comes there; a motif's own decisions do not depend on it.
#[derive(Clone, Debug)]
pub struct Template {
    /// The motif, if a module declares it; another is met where its body is.
    pub item: Option<ItemRef>,
    /// Arguments that are numbers or texts, by name.
    pub args: Vec<(String, Arg)>,
    /// The shapes of its tensor inputs.
    pub inputs: Vec<Vec<i64>>,
    /// The shapes to which the operation that it gives was first applied.
    pub applied: Option<Vec<Vec<i64>>>,
    /// Whether its decisions are there in every candidate. Not if it can only be visited where it is used, since an
    /// argument is an operation or a list, say.
    pub lasting: bool,
}

/// An argument of a motif.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// A number or a truth value.
    Num(Num),
    /// A text.
    Text(String),
}

/// A use of a motif, for pictures and listings.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamp {
    /// `level2[3]`
    pub motif: String,
    /// The site.
    pub site: String,
}

pub(crate) enum Mode<'o> {
    Check,
    Build { oracle: &'o mut dyn Oracle, graph: Option<Graph>, training: bool },
}

/// One run of a space's body.
pub struct Elab<'a, 'o> {
    pub(crate) program: &'a Program,
    pub(crate) mode: Mode<'o>,
    /// The numbers of this run.
    pub syms: Syms,
    /// What is wrong, in check mode.
    pub errors: Vec<Diagnostic>,
    seen_errors: BTreeSet<(&'static str, Span)>,
    pub(crate) place: Place,
    /// The full condition under which the current code runs.
    pub(crate) cond: Num,
    /// Sites: path of the frame, and how often each name was used in it.
    pub(crate) sites: Vec<(String, BTreeMap<String, u32>)>,
    pub(crate) calls: Vec<Call<'a>>,
    pub(crate) returned: Option<Value<'a>>,
    next_tensor: u32,
    next_stamp: u32,
    /// The circumstances in which each tensor is read.
    reads: HashMap<u32, Vec<Num>>,
    /// The tensors that are one of several, of which each tensor is one, and when they are it.
    pub(crate) within: HashMap<u32, Vec<(Num, u32)>>,
    /// Set while shapes only are wanted: nothing is emitted or recorded.
    pub(crate) dry: bool,
    /// Owners in which the dry runs that are under way began: what they would decide there does not exist.
    pub(crate) dry_in: Vec<Rc<str>>,
    /// Build mode: what the check knows of motifs.
    pub(crate) known: Option<&'a BTreeMap<String, Template>>,
    /// Set while decisions only are wanted: they are made, but nothing is emitted.
    pub(crate) silent: bool,
    /// Set while extents are evaluated: a division must be exact.
    pub(crate) exact: bool,
    /// The shapes that primitives give, by [`Elab::primitive_key`], where nothing had to be proved for them.
    pub(crate) shapes: HashMap<Vec<u64>, Vec<Vec<Num>>, BuildHasherDefault<Mix>>,
    /// How many conditions were required that do not hold by their form.
    pub(crate) required: usize,
    /// Check mode: by number of the decision in `syms`.
    pub decisions: Vec<CheckedDecision>,
    pub(crate) by_name: BTreeMap<String, u32>,
    /// Build mode: what was decided, in order.
    pub decided: Vec<(Decision, Choice)>,
    pub(crate) decided_at: BTreeMap<String, (usize, u32)>,
    /// Motifs in order of declaration.
    pub(crate) motifs: Vec<(Rc<str>, Rc<Item<'a>>)>,
    /// How motifs were first stamped.
    pub templates: BTreeMap<String, Template>,
    /// Which motif stamps which.
    pub stamps_of: BTreeMap<String, BTreeSet<String>>,
    /// Every use of a motif.
    pub stamps: Vec<Stamp>,
    /// Stamps that gave an operation which was not applied yet, by their number, with their place in `stamps`.
    pub(crate) pending: BTreeMap<u32, usize>,
    /// All repeats.
    pub repeats: Vec<CheckedRepeat>,
    /// Conditions that no candidate may satisfy.
    pub forbidden: Vec<(Num, Span)>,
    /// Levels of owners, from an earlier check.
    pub(crate) levels: BTreeMap<String, u32>,
    /// Circumstances in which something failed that was reported: nothing is known of values there.
    pub(crate) failed: Num,
    /// Set inside an operation that was declared with `share`.
    pub(crate) sharing: bool,
    /// Check mode: shapes of the tensors that expressions of the root file gave, different ones up to
    /// [`MAX_SHAPES`], in their order.
    pub observed: BTreeMap<Span, Vec<Vec<Num>>>,
}

/// Most shapes that are kept for one expression; one more says that there are more.
pub(crate) const MAX_SHAPES: usize = 3;

/// An active call.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub span: Span,
    pub name: &'a str,
    pub key: String,
}

impl<'a, 'o> Elab<'a, 'o> {
    pub(crate) fn new(program: &'a Program, mode: Mode<'o>, owner: &str) -> Self {
        Self {
            program,
            mode,
            syms: Syms::default(),
            errors: Vec::new(),
            seen_errors: BTreeSet::new(),
            place: Place { path: "".into(), owner: owner.into(), stamp: 0, presence: Num::Bool(true) },
            cond: Num::Bool(true),
            sites: vec![(String::new(), BTreeMap::new())],
            calls: Vec::new(),
            returned: None,
            next_tensor: 0,
            next_stamp: 1,
            reads: HashMap::new(),
            within: HashMap::new(),
            dry: false,
            dry_in: Vec::new(),
            known: None,
            silent: false,
            exact: false,
            shapes: HashMap::default(),
            required: 0,
            decisions: Vec::new(),
            by_name: BTreeMap::new(),
            decided: Vec::new(),
            decided_at: BTreeMap::new(),
            motifs: Vec::new(),
            templates: BTreeMap::new(),
            stamps_of: BTreeMap::new(),
            stamps: Vec::new(),
            pending: BTreeMap::new(),
            repeats: Vec::new(),
            forbidden: Vec::new(),
            levels: BTreeMap::new(),
            failed: Num::Bool(false),
            sharing: false,
            observed: BTreeMap::new(),
        }
    }

    /// Notes the shape of what an expression gave, for editors.
    pub(crate) fn observe(&mut self, span: Span, v: &Value<'a>) {
        let Value::Tensor(t) = v else { return };
        if span.file != FileId(0) || self.dry || !self.checking() {
            return;
        }
        let known = self.observed.entry(span).or_default();
        if known.len() <= MAX_SHAPES && !known.contains(&t.dims) {
            known.push(t.dims.clone());
        }
    }

    /// Whether all decisions are open.
    pub(crate) fn checking(&self) -> bool {
        matches!(self.mode, Mode::Check)
    }

    /// Whether nodes are emitted.
    pub(crate) fn emitting(&self) -> bool {
        !self.dry && !self.silent && matches!(self.mode, Mode::Build { graph: Some(_), .. })
    }

    /// The graph that is built. Only where [`Elab::emitting`].
    pub(crate) fn graph(&mut self) -> &mut Graph {
        match &mut self.mode {
            Mode::Build { graph: Some(g), .. } => g,
            _ => unreachable!("nodes are emitted only while a graph is built"),
        }
    }

    pub(crate) fn training(&self) -> bool {
        matches!(self.mode, Mode::Build { training: true, .. })
    }

    // ---- errors ----

    pub(crate) fn error<T>(&self, code: Code, span: Span, message: impl Into<String>) -> R<T> {
        self.fail(Diagnostic::new(code, span, message))
    }

    /// An error wherever the current code runs.
    pub(crate) fn fail<T>(&self, d: Diagnostic) -> R<T> {
        if self.checking() && self.nowhere() {
            return Err(Halt::Nowhere);
        }
        Err(Halt::Error(Box::new(d)))
    }

    /// Whether certainly no candidate comes to the current code.
    fn nowhere(&self) -> bool {
        let vars: Vec<SymVar> = self.syms.support(self.cond).into_iter().collect();
        self.cond == Num::Bool(false) || (!vars.is_empty() && self.syms.find(&vars, self.cond) == Some(None))
    }

    /// In check mode an error is recorded and evaluation goes on with a value that stands for anything.
    pub(crate) fn recover(&mut self, r: R<Value<'a>>) -> R<Value<'a>> {
        match r {
            Err(Halt::Error(d)) if self.checking() => {
                self.report(*d);
                Ok(Value::Poison)
            }
            Err(Halt::Nowhere) => Ok(Value::Poison),
            other => other,
        }
    }

    /// Records a diagnostic once, placed where the user can do something about it.
    pub(crate) fn report(&mut self, d: Diagnostic) {
        if self.dry {
            return;
        }
        let d = self.placed(d);
        if self.seen_errors.insert((d.code.id, d.labels[0].span)) {
            self.errors.push(d);
        }
    }

    /// An error inside the standard library is shown at the user's call that led there.
    pub(crate) fn placed(&self, mut d: Diagnostic) -> Diagnostic {
        let embedded = |s: Span| self.program.sources.get(s.file).name.starts_with("std/");
        if !embedded(d.labels[0].span) {
            return d;
        }
        if let Some(call) = self.calls.iter().rev().find(|c| !embedded(c.span)) {
            let inner = d.labels[0].text.clone();
            d.labels.insert(
                0,
                crate::diag::Label {
                    span: call.span,
                    text: if inner.is_empty() { format!("in this use of `{}`", call.name) } else { inner },
                },
            );
        }
        d
    }

    // ---- obligations ----

    /// Requires a condition wherever the current code runs. `message` gets the counterexample.
    pub(crate) fn require(
        &mut self,
        condition: Num,
        span: Span,
        message: impl FnOnce(&mut Self, &Assignment) -> Diagnostic,
    ) -> R<()> {
        match condition {
            Num::Bool(true) => return Ok(()),
            _ => self.required += 1,
        }
        match condition {
            Num::Bool(false) if !self.checking() => {
                let d = message(self, &Assignment::new());
                return self.fail(d);
            }
            _ => {}
        }
        if !self.checking() {
            return Ok(());
        }
        let path = self.unfailed();
        match self.syms.prove(path, condition) {
            Proof::Holds => Ok(()),
            Proof::Fails(a) => {
                let a = match self.real_example(path, condition) {
                    Some(None) => return Ok(()),
                    Some(Some(real)) => real,
                    None => a,
                };
                let d = message(self, &a);
                let d = self.with_decisions(d, &a);
                self.fail(d)
            }
            Proof::Unknown(vars) => {
                // Where large extents are a counterexample, its decisions tell more than all of them at once.
                let example = self.real_example(path, condition).flatten();
                let shown = message(self, example.as_ref().unwrap_or(&Assignment::new()));
                let names: Vec<String> = vars
                    .iter()
                    .map(|v| format!("`{}`", self.var_name(*v)))
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect();
                let on = if example.is_some() || names.is_empty() {
                    "it depends on extents that are not known here".to_string()
                } else if self.few_combinations(&vars) {
                    format!("it depends on {}, and on extents that are not known here", names.join(", "))
                } else {
                    format!("it depends on {}, whose combinations are too many to try", names.join(", "))
                };
                let shown = self.with_decisions(shown, &example.unwrap_or_default());
                let mut d = Diagnostic::new(&codes::CANNOT_PROVE, span, format!("cannot prove that this holds for every candidate: {}", shown.message))
                    .here("for some candidate this may fail")
                    .note(on)
                    .help("make the shapes agree by construction (an adapter such as `fit` or `pad_to_largest`), or `forbid` the combinations that do not fit");
                d.labels.extend(shown.labels.into_iter().filter(|l| l.span != span));
                d.notes.extend(shown.notes);
                self.fail(d)
            }
        }
    }

    /// Whether these are few enough to be tried, so that it is not they who leave a proof open.
    fn few_combinations(&self, vars: &[SymVar]) -> bool {
        let size = |v: &SymVar| match *v {
            SymVar::Option(d) => match self.syms.vars.get(d as usize) {
                Some(VarInfo::Options(n)) => f64::from(*n),
                _ => f64::INFINITY,
            },
            SymVar::Member(..) => 2.0,
        };
        vars.iter().map(size).product::<f64>() <= MAX_COMBINATIONS as f64
    }

    /// The condition of the current code without what failed before; all of it if nothing would be left.
    fn unfailed(&mut self) -> Num {
        if self.failed == Num::Bool(false) {
            return self.cond;
        }
        let fine = self.syms.not(self.failed);
        match self.syms.and(self.cond, fine) {
            Num::Bool(false) => self.cond,
            narrower => narrower,
        }
    }

    /// A counterexample in which a decision that does not exist, since another excludes it, has the value that a dry run
    /// gives it ([`choose::first_of`]), so that there is a candidate for it. `Some(None)` if there is none; `None` if there
    /// are too many combinations to tell.
    fn real_example(&mut self, path: Num, condition: Num) -> Option<Option<Assignment>> {
        let wrong = self.syms.not(condition);
        let mut real = self.syms.and(path, wrong);
        let mut done: BTreeSet<u32> = BTreeSet::new();
        loop {
            let vars = self.syms.support(real);
            let open = vars.iter().map(|v| match *v {
                SymVar::Option(d) | SymVar::Member(d, _) => d,
            });
            let Some(d) = open.into_iter().find(|d| !done.contains(d)) else {
                let vars: Vec<SymVar> = vars.into_iter().collect();
                return self.syms.find(&vars, real);
            };
            done.insert(d);
            let Some(c) = self.decisions.get(d as usize) else { continue };
            if c.presence == Num::Bool(true) {
                continue;
            }
            let presence = c.presence;
            let Some(pinned) = self.pinned(d) else { continue };
            let exists = self.syms.or(presence, pinned);
            real = self.syms.and(real, exists);
        }
    }

    /// That a decision has the value which a dry run gives it: the first of what is there ([`choose::first_of`]).
    fn pinned(&mut self, d: u32) -> Option<Num> {
        let CheckedDecision { decision, available, .. } = &self.decisions[d as usize];
        let (domain, available) = (decision.domain.clone(), available.clone());
        match &domain {
            Domain::One { options, .. } => {
                // In order, with what `first_of` passes over last.
                let first = domain.index_of(&choose::first_of(&domain)).unwrap_or(0);
                let order = (first..options.len()).chain(0..first);
                let (mut pinned, mut none_yet) = (Num::Bool(false), Num::Bool(true));
                for k in order {
                    let there = self.syms.and(none_yet, available[k]);
                    let chosen = self.syms.is_option(d, k as u32, options.len() as u32);
                    let chosen = self.syms.and(there, chosen);
                    pinned = self.syms.or(pinned, chosen);
                    let absent = self.syms.not(available[k]);
                    none_yet = self.syms.and(none_yet, absent);
                }
                Some(pinned)
            }
            Domain::Subset { lo, .. } => {
                let (mut pinned, mut before) = (Num::Bool(true), Num::Int(0));
                for (k, there) in available.into_iter().enumerate() {
                    let early = self.syms.cmp(Cmp::Lt, before, Num::Int(*lo as i64));
                    let wanted = self.syms.and(early, there);
                    let m = self.syms.member(d, k as u32);
                    let other = self.syms.not(m);
                    let agrees = self.syms.select(wanted, m, other);
                    pinned = self.syms.and(pinned, agrees);
                    let one = self.syms.select(there, Num::Int(1), Num::Int(0));
                    before = self.syms.add(before, one);
                }
                Some(pinned)
            }
            Domain::Real { .. } => None,
        }
    }

    fn var_name(&self, v: SymVar) -> String {
        let d = match v {
            SymVar::Option(d) | SymVar::Member(d, _) => d,
        };
        self.decisions.get(d as usize).map_or_else(String::new, |c| c.decision.name.clone())
    }

    /// Adds the decisions that lead to a failure.
    fn with_decisions(&self, d: Diagnostic, a: &Assignment) -> Diagnostic {
        let mut lines = Vec::new();
        // What a subset has, and what it lacks, may both matter.
        let mut subsets: BTreeMap<u32, [Vec<String>; 2]> = BTreeMap::new();
        let exists = |c: &CheckedDecision| self.syms.eval(c.presence, a) != Some(Num::Bool(false));
        for (v, &x) in a {
            match *v {
                SymVar::Option(i) => {
                    if let Some(c) = self.decisions.get(i as usize).filter(|c| exists(c))
                        && let Domain::One { options, .. } = &c.decision.domain
                        && let Some(o) = options.get(x as usize)
                    {
                        lines.push(format!("{} = {o}", c.decision.name));
                    }
                }
                SymVar::Member(i, k) => {
                    if let Some(c) = self.decisions.get(i as usize).filter(|c| exists(c))
                        && let Domain::Subset { options, .. } = &c.decision.domain
                    {
                        subsets.entry(i).or_default()[usize::from(x == 0)].push(options[k as usize].to_string());
                    }
                }
            }
        }
        for (i, both) in subsets {
            let name = &self.decisions[i as usize].decision.name;
            for (members, verb) in both.iter().zip(["has", "lacks"]) {
                if !members.is_empty() {
                    lines.push(format!("{name} {verb} {}", members.join(", ")));
                }
            }
        }
        if lines.is_empty() { d } else { d.note(format!("it happens when {}", lines.join(", "))) }
    }

    /// Requires equal extents.
    pub(crate) fn require_equal(
        &mut self,
        a: Num,
        b: Num,
        span: Span,
        message: impl FnOnce(&mut Self, &Assignment) -> Diagnostic,
    ) -> R<()> {
        let c = self.syms.cmp(Cmp::Eq, a, b);
        self.require(c, span, message)
    }

    /// Runs `f` under a further condition. Code under a condition that cannot hold is not run.
    pub(crate) fn under<T>(&mut self, c: Num, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        let (cond, presence) = (self.cond, self.place.presence);
        self.cond = self.syms.and(cond, c);
        self.place.presence = self.syms.and(presence, c);
        let r = f(self);
        self.cond = cond;
        self.place.presence = presence;
        r
    }

    /// Runs `f` with a further element of the decision path.
    pub(crate) fn inside<T>(&mut self, element: &str, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        let old = self.place.path.clone();
        self.place.path = join(&old, element).into();
        let r = f(self);
        self.place.path = old;
        r
    }

    /// Runs `f` in a site below the current one.
    pub(crate) fn at_site<T>(&mut self, element: &str, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        if self.dry {
            return f(self);
        }
        let path = self.fresh_site(element);
        self.sites.push((path, BTreeMap::new()));
        let r = f(self);
        self.sites.pop();
        r
    }

    /// The path of a new site; the second of one name in a frame gets `#1`.
    pub(crate) fn fresh_site(&mut self, element: &str) -> String {
        let Some((path, counts)) = self.sites.last_mut() else { return element.to_string() };
        let n = counts.entry(element.to_string()).or_insert(0);
        let site = if *n == 0 { join(path, element) } else { join(path, &format!("{element}#{n}")) };
        *n += 1;
        site
    }

    // ---- tensors ----

    pub(crate) fn tensor(&mut self, dims: Vec<Num>, node: Option<NodeId>, int: bool, span: Span) -> Rc<Tensor> {
        self.next_tensor += 1;
        Rc::new(Tensor { id: self.next_tensor, dims, node, none: Num::Bool(false), int, origin: Origin::At(span) })
    }

    pub(crate) fn tensor_id(&mut self) -> u32 {
        self.next_tensor += 1;
        self.next_tensor
    }

    /// Notes that a tensor is read here, if `when` holds.
    pub(crate) fn read(&mut self, t: &Tensor, when: Num) {
        if self.dry {
            return;
        }
        let c = self.syms.and(self.cond, when);
        let reads = self.reads.entry(t.id).or_default();
        if c == Num::Bool(true) {
            *reads = vec![c];
        } else if reads.last().is_none_or(|r| *r != c && *r != Num::Bool(true)) {
            reads.push(c);
        }
    }

    /// When a tensor was read so far, by itself or as one of several. `known` is for those met on the way.
    pub(crate) fn when_read(&mut self, id: u32, known: &mut BTreeMap<u32, Num>) -> Num {
        if let Some(&n) = known.get(&id) {
            return n;
        }
        let mut reads = self.reads.get(&id).cloned().unwrap_or_default();
        for (c, whole) in self.within.get(&id).cloned().unwrap_or_default() {
            let read = self.when_read(whole, known);
            reads.push(self.syms.and(c, read));
        }
        let n = self.syms.any(&reads);
        known.insert(id, n);
        n
    }

    pub(crate) fn new_stamp(&mut self) -> u32 {
        self.next_stamp += 1;
        self.next_stamp
    }

    /// The shape as text: `[N, 16, 8, 8]`, under an assignment where one is given.
    pub(crate) fn shape_text(&self, dims: &[Num], a: &Assignment) -> String {
        let parts: Vec<String> = dims.iter().map(|&d| self.syms.show_under(d, a)).collect();
        format!("[{}]", parts.join(", "))
    }

    /// Where a tensor was made, under an assignment.
    pub(crate) fn origin(&self, t: &Tensor, a: &Assignment) -> Span {
        match &t.origin {
            Origin::At(s) => *s,
            Origin::OneOf(cases) => {
                let hit = cases.iter().find(|(c, _)| self.syms.eval(*c, a) == Some(Num::Bool(true)));
                match hit.or(cases.first()) {
                    Some((_, t)) => self.origin(t, a),
                    None => Span::default(),
                }
            }
        }
    }

    /// Runs `f` for shapes only.
    pub(crate) fn dry_run<T>(&mut self, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        let old = std::mem::replace(&mut self.dry, true);
        self.dry_in.push(self.place.owner.clone());
        let r = f(self);
        self.dry_in.pop();
        self.dry = old;
        r
    }

    /// Runs `f` for its decisions only.
    pub(crate) fn silently<T>(&mut self, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        let old = std::mem::replace(&mut self.silent, true);
        let r = f(self);
        self.silent = old;
        r
    }

    /// A candidate that comes to the current code, as far as `of` depends on decisions; `None` if none is found easily.
    pub(crate) fn example(&mut self, of: &[Num]) -> Option<Assignment> {
        let mut vars = self.syms.support(self.cond);
        for &n in of {
            vars.extend(self.syms.support(n));
        }
        let mut a = Assignment::new();
        for &v in &vars {
            let (SymVar::Option(d) | SymVar::Member(d, _)) = v;
            let domain = &self.decisions[d as usize].decision.domain;
            let value = match (v, domain) {
                (SymVar::Member(_, k), Domain::Subset { lo, .. }) => u32::from((k as usize) < *lo),
                _ => domain.index_of(&choose::first_of(domain)).unwrap_or(0) as u32,
            };
            a.insert(v, value);
        }
        for c in self.syms.conjuncts(self.cond) {
            if let Some((d, holds)) = self.syms.literal(c) {
                let at = holds.iter().position(|h| *h)?;
                let now = a.entry(SymVar::Option(d)).or_insert(0);
                if !holds[*now as usize] {
                    *now = at as u32;
                }
            } else if let Some((d, k)) = self.syms.membership(c) {
                a.insert(SymVar::Member(d, k), 1);
            }
        }
        let fits = |el: &Self, a: &Assignment| {
            el.syms.feasible(a) && matches!(el.syms.eval(el.cond, a), None | Some(Num::Bool(true)))
        };
        if fits(self, &a) {
            return Some(a);
        }
        let vars: Vec<SymVar> = self.syms.support(self.cond).into_iter().collect();
        a.extend(self.syms.find(&vars, self.cond)??);
        fits(self, &a).then_some(a)
    }

    /// The extents of tensors in a candidate that comes to the current code. A batch that is not known counts as 2; `None`
    /// if another extent is not known.
    pub(crate) fn example_shapes(&self, inputs: &[Value<'a>], a: &Assignment) -> Option<Vec<Vec<i64>>> {
        let known = |d: Num| self.syms.eval(d, a).and_then(Num::as_int);
        inputs
            .iter()
            .map(|v| match v {
                Value::Tensor(t) => {
                    let dims = t.dims.iter().enumerate();
                    dims.map(|(i, &d)| if i == 0 { Some(known(d).unwrap_or(2)) } else { known(d) }).collect()
                }
                _ => None,
            })
            .collect()
    }

    /// Puts the place of an operation in force while `f` runs.
    pub(crate) fn in_place<T>(&mut self, op: &Op<'a>, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        let mut place = op.place.clone();
        if place.owner == self.place.owner && place.stamp == self.place.stamp {
            place.presence = self.syms.and(place.presence, self.place.presence);
        }
        if self.sharing {
            // Every use of what is shared is a stamp of its own, so that its decisions are one.
            place.stamp = self.place.stamp;
        }
        let old = std::mem::replace(&mut self.place, place);
        let r = f(self);
        self.place = old;
        r
    }
}

/// `path.element`
pub(crate) fn join(path: &str, element: &str) -> String {
    if path.is_empty() { element.to_string() } else { format!("{path}.{element}") }
}
