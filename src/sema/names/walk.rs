//! The walk over one declaration: every name is looked up as elaboration would, and what happens to it is noted.

mod exprs;

use std::collections::BTreeMap;

use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::sema::builtins::Builtin;
use crate::sema::modules::{ModuleId, Program};
use crate::sema::prim;
use crate::syntax::ast::{
    Arg, Body, Dim, Environment, Expr, ExprKind, Ident, Item, ItemKind, Param, ParamKind, Pattern, Stmt, StmtKind,
    TypeKind,
};

use super::recursion::{Decl, Graph};
use super::resolve::{Binding, Names, Target};
use super::scope::{Bound, Kind, Local};
use super::{holds, visit, wording};

/// The types of parameters in the architecture half.
const TYPES: &[&str] = &["int", "float", "bool", "string", "list", "op"];

/// Walks over a block, motif, space or function of a module.
pub fn item<'a>(program: &'a Program, module: ModuleId, item: &'a Item, graph: &mut Graph, out: &mut Vec<Diagnostic>) {
    Walker::new(program, module, out, graph).declaration(item);
}

/// What the names of an item mean; nothing is reported. Programs are walked over as well: their local names follow the
/// same rules.
pub fn names(program: &Program, module: ModuleId, item: &Item) -> Names {
    let (mut graph, mut out) = (Graph::default(), Vec::new());
    let mut w = Walker::new(program, module, &mut out, &mut graph);
    w.names = Some(Names::default());
    match &item.kind {
        ItemKind::Primitive(_) | ItemKind::Arch(_) | ItemKind::Fun(_) => w.declaration(item),
        ItemKind::Search(s) => s.fields.iter().for_each(|(_, e)| w.expr(e)),
        ItemKind::SpaceAlias { value, .. } => w.expr(value),
        ItemKind::Environment(e) => w.environment(e, item.span),
        ItemKind::Use(_) | ItemKind::Algorithm(_) => {}
    }
    w.names.unwrap_or_default()
}

/// What a name means.
#[derive(Clone, Copy, Debug)]
enum Meaning<'a> {
    /// The local at this place.
    Local(usize),
    /// An item of the module, or one that it uses, and the module that declares it.
    Item(&'a Item, ModuleId),
    /// A built-in, with its documentation.
    Builtin(Builtin, &'static str),
    Unknown,
}

/// What is known about the declaration that is walked over.
#[derive(Default)]
struct Frame<'a> {
    /// Where its name stands, its parameters, and where its locals begin.
    decl: Option<(Decl, &'a [Param], usize)>,
    /// Decisions of the current naming scope: a body, a loop's or an alternative's.
    made: BTreeMap<&'a str, Span>,
    /// The branches around the current place, see [`super::scope::Applied`].
    arms: Vec<(u32, u32)>,
    loops: u32,
    /// Above 0 where code may not run.
    uncertain: u32,
    /// Calls that every path so far makes.
    always: Vec<(Decl, Span)>,
    /// After a `return` nothing is certain.
    left: bool,
    /// Calls of itself with its own arguments.
    unchanged: Vec<Span>,
    /// Which path is taken may depend on the shapes of its tensors.
    shapes_matter: bool,
}

struct Walker<'a, 'o> {
    program: &'a Program,
    module: ModuleId,
    out: &'o mut Vec<Diagnostic>,
    graph: &'o mut Graph,
    locals: Vec<Local<'a>>,
    branches: u32,
    frame: Frame<'a>,
    /// What names mean, where that is asked for.
    names: Option<Names>,
}

impl<'a, 'o> Walker<'a, 'o> {
    fn new(program: &'a Program, module: ModuleId, out: &'o mut Vec<Diagnostic>, graph: &'o mut Graph) -> Self {
        let frame = Frame::default();
        Self { program, module, out, graph, locals: Vec::new(), branches: 0, frame, names: None }
    }
}

impl<'a> Walker<'a, '_> {
    fn report(&mut self, d: Diagnostic) {
        self.out.push(d);
    }

    // ---- declarations ----

    fn declaration(&mut self, item: &'a Item) {
        match &item.kind {
            ItemKind::Primitive(p) => match &mut self.names {
                Some(names) => super::resolve::primitive(p, item.span, names),
                None => self.out.extend(prim::check(p)),
            },
            ItemKind::Arch(a) => {
                if let Some(n) = &a.count {
                    self.expr(n);
                }
                self.callable(&a.name, &a.params, &a.body);
            }
            ItemKind::Fun(f) => self.callable(&f.name, &f.params, &f.body),
            _ => self.report(wording::not_in_a_body(item.span)),
        }
    }

    fn callable(&mut self, name: &'a Ident, params: &'a [Param], body: &'a Body) {
        let mark = self.locals.len();
        let outer = std::mem::take(&mut self.frame);
        self.frame.decl = Some((name.span, params, mark));
        for p in params {
            if let Some(d) = &p.default {
                self.expr(d);
            }
            let kind = match &p.kind {
                ParamKind::Tensor(_) => Kind::Tensor,
                ParamKind::Typed(ty) => match &ty.kind {
                    TypeKind::Named(n, _) if matches!(n.name.as_str(), "int" | "float" | "bool" | "string") => {
                        Kind::Scalar
                    }
                    TypeKind::Named(n, _) => {
                        self.known_type(n);
                        Kind::Other
                    }
                    _ => Kind::Other,
                },
                ParamKind::Untyped => Kind::Other,
            };
            self.bind(Local::new(&p.name.name, p.name.span, kind, Bound::Param));
        }
        for p in params {
            let ParamKind::Tensor(dims) = &p.kind else { continue };
            for d in dims {
                let Dim::Expr(e) = d else { continue };
                match &e.kind {
                    ExprKind::Name(n) if n.ident.name.starts_with(|c: char| c.is_uppercase()) => {
                        if !self.locals[mark..].iter().any(|l| l.name == n.ident.name) {
                            self.bind(Local::new(&n.ident.name, n.ident.span, Kind::Extent, Bound::Loop));
                        }
                    }
                    _ => self.expr(e),
                }
            }
        }
        self.body(body);
        self.extents_use_tensors(params, mark);
        self.close(mark, body.span);
        let frame = std::mem::replace(&mut self.frame, outer);
        self.graph.add(name.span, &name.name, frame.always);
        if !frame.shapes_matter {
            for call in frame.unchanged {
                self.graph.unchanged(name.span, call);
            }
        }
    }

    /// Its functions see its parameters and its state.
    fn environment(&mut self, e: &'a Environment, span: Span) {
        let mark = self.locals.len();
        for p in &e.params {
            self.bind(Local::new(&p.name.name, p.name.span, Kind::Other, Bound::Param));
        }
        for (name, value) in &e.state {
            self.expr(value);
            self.bind(Local::new(&name.name, name.span, Kind::Other, Bound::Var));
        }
        for f in &e.funs {
            self.callable(&f.name, &f.params, &f.body);
        }
        self.close(mark, span);
    }

    /// A tensor is used if an extent is that its parameter binds.
    fn extents_use_tensors(&mut self, params: &[Param], mark: usize) {
        for p in params {
            let ParamKind::Tensor(dims) = &p.kind else { continue };
            let read = dims.iter().any(|d| match d {
                Dim::Expr(Expr { kind: ExprKind::Name(n), .. }) => self.locals[mark..]
                    .iter()
                    .any(|l| l.read && matches!(l.kind, Kind::Extent) && l.name == n.ident.name),
                _ => false,
            });
            if read && let Some(at) = self.locals[mark..].iter().position(|l| l.span == p.name.span) {
                self.locals[mark + at].read = true;
            }
        }
    }

    /// Types of programs are not the architecture half's, but a block may be called from one.
    fn known_type(&mut self, n: &Ident) {
        if self.names.is_none()
            && let Some(k) = did_you_mean(&n.name, TYPES.iter().copied())
            && !TYPES.contains(&n.name.as_str())
        {
            self.report(
                Diagnostic::new(&codes::UNKNOWN_NAME, n.span, format!("there is no type `{}`", n.name))
                    .here("unknown type")
                    .help(format!("did you mean `{k}`?"))
                    .fix(n.span, k, format!("write `{k}`")),
            );
        }
    }

    // ---- names ----

    fn bind(&mut self, mut l: Local<'a>) {
        l.loops = self.frame.loops;
        self.locals.push(l);
    }

    /// Ends the scope of the locals from `mark` on: the code in which they could be used.
    fn close(&mut self, mark: usize, scope: Span) {
        for l in self.locals.split_off(mark) {
            match &mut self.names {
                Some(names) => names.bindings.push(Binding::of(&l, scope)),
                None => l.findings(self.out),
            }
        }
    }

    /// Notes what a name means.
    fn note(&mut self, at: Span, target: Target) {
        if let Some(names) = &mut self.names {
            names.uses.push((at, target));
        }
    }

    /// Notes which parameters the named arguments of a call are for.
    fn note_arguments(&mut self, params: &[Param], args: &[Arg]) {
        for n in args.iter().filter_map(|a| a.name.as_ref()) {
            if let Some(p) = params.iter().find(|p| p.name.name == n.name) {
                self.note(n.span, Target::Local(p.name.span));
            }
        }
    }

    fn bind_pattern(&mut self, p: &'a Pattern, bound: Bound) {
        match p {
            Pattern::Name(n) => self.bind(Local::new(&n.name, n.span, Kind::Other, bound)),
            Pattern::Skip(_) => {}
            Pattern::Tuple(ps, _) => ps.iter().for_each(|p| self.bind_pattern(p, bound)),
        }
    }

    fn local(&self, name: &str) -> Option<usize> {
        self.locals.iter().rposition(|l| l.name == name)
    }

    fn meaning(&self, name: &str) -> Meaning<'a> {
        if let Some(at) = self.local(name) {
            return Meaning::Local(at);
        }
        if let Some(r) = self.program.lookup(self.module, name) {
            return Meaning::Item(self.program.item(r), r.module);
        }
        match Builtin::ALL.iter().find(|b| b.0 == name) {
            Some((_, b, doc)) => Meaning::Builtin(*b, doc),
            None => Meaning::Unknown,
        }
    }

    fn note_meaning(&mut self, n: &Ident) {
        let target = match self.local(&n.name) {
            Some(at) => Some(Target::Local(self.locals[at].span)),
            None => self.program.lookup(self.module, &n.name).map(Target::Item),
        };
        if let Some(target) = target {
            self.note(n.span, target);
        }
    }

    /// Looks a name up, notes that it is read, and reports it if it is unknown or cannot be used.
    fn read(&mut self, n: &Ident) -> Meaning<'a> {
        let m = self.meaning(&n.name);
        self.note_meaning(n);
        match m {
            Meaning::Local(at) => {
                self.locals[at].read = true;
                if matches!(self.locals[at].kind, Kind::Extent) {
                    self.frame.shapes_matter = true;
                }
            }
            Meaning::Item(item, _) => {
                if !matches!(item.kind, ItemKind::Primitive(_) | ItemKind::Arch(_) | ItemKind::Fun(_)) {
                    self.report(wording::not_for_architectures(n));
                }
            }
            Meaning::Builtin(b, _) => self.frame.shapes_matter |= b == Builtin::Shape,
            // Looking for what was meant takes time.
            Meaning::Unknown if self.names.is_some() => {}
            Meaning::Unknown => {
                let locals: Vec<&str> = self.locals.iter().map(|l| l.name).collect();
                let d = wording::unknown_name(self.program, self.module, n, locals.into_iter());
                self.report(d);
            }
        }
        m
    }

    // ---- bodies and statements ----

    fn body(&mut self, b: &'a Body) {
        let mark = self.locals.len();
        // Declarations are visible in the whole body.
        for s in &b.stmts {
            if let StmtKind::Item(i) = &s.kind
                && matches!(i.kind, ItemKind::Primitive(_) | ItemKind::Arch(_) | ItemKind::Fun(_))
                && let Some(name) = crate::sema::modules::item_name(i)
            {
                self.bind(Local::new(&name.name, name.span, Kind::Item(i), Bound::Item));
            }
        }
        for s in &b.stmts {
            self.stmt(s);
        }
        if let Some(e) = &b.value {
            self.expr(e);
        }
        self.close(mark, b.span);
    }

    fn stmt(&mut self, s: &'a Stmt) {
        match &s.kind {
            StmtKind::Let { mutable, pattern, value, .. } => {
                self.expr(value);
                let bound = if *mutable { Bound::Var } else { Bound::Let };
                let Pattern::Name(n) = pattern else { return self.bind_pattern(pattern, bound) };
                let kind = if !mutable && self.is_data(value) { Kind::Data } else { Kind::Other };
                let mut l = Local::new(&n.name, n.span, kind, bound);
                l.decision = first_choice(value);
                if !mutable {
                    l.held = self.held(value);
                }
                self.bind(l);
            }
            StmtKind::Share { name, value } => {
                self.expr(value);
                self.bind(Local::new(&name.name, name.span, Kind::Other, Bound::Let));
            }
            StmtKind::Assign { target, op, value } => {
                self.expr(value);
                if op.is_some() {
                    self.expr(target);
                }
                self.assign(target);
            }
            StmtKind::Expr(e) => {
                self.expr(e);
                self.dropped(e);
            }
            StmtKind::For { pattern, iter, body } => {
                self.expr(iter);
                self.condition(iter);
                self.in_loop(|w| {
                    let mark = w.locals.len();
                    w.bind_pattern(pattern, Bound::Loop);
                    w.body(body);
                    w.close(mark, body.span);
                });
            }
            StmtKind::While { cond, body } => {
                if let Some(c) = cond {
                    self.expr(c);
                    self.condition(c);
                }
                self.in_loop(|w| w.body(body));
            }
            StmtKind::Return(e) => {
                if let Some(e) = e {
                    self.expr(e);
                }
                self.frame.left = true;
            }
            StmtKind::Break | StmtKind::Continue => {}
            StmtKind::Forbid(e) => self.expr(e),
            StmtKind::Item(i) => self.declaration(i),
        }
    }

    /// A choice whose value goes nowhere.
    fn dropped(&mut self, e: &'a Expr) {
        let plain = matches!(
            e.kind,
            ExprKind::Choose(_) | ExprKind::Binary(..) | ExprKind::Unary(..) | ExprKind::List(_) | ExprKind::Tuple(_)
        );
        if plain && let Some(at) = first_choice(e) {
            self.report(
                Diagnostic::new(&codes::UNUSED_DECISION, at, "nothing uses this decision: its value is dropped")
                    .here("decided here")
                    .help("use the value, or delete the choice: it makes the space larger, not richer"),
            );
        }
    }

    /// The target of an assignment, which is not read by it.
    fn assign(&mut self, target: &'a Expr) {
        match &target.kind {
            ExprKind::Name(n) => match self.local(&n.ident.name) {
                None if self.names.is_some() => {}
                None => {
                    let d = wording::unknown_variable(&n.ident, self.locals.iter().map(|l| l.name));
                    self.report(d);
                }
                Some(at) if self.locals[at].bound != Bound::Var => {
                    self.note_meaning(&n.ident);
                    self.report(wording::immutable(&n.ident));
                }
                Some(_) => self.note_meaning(&n.ident),
            },
            ExprKind::Tuple(ts) => ts.iter().for_each(|t| self.assign(t)),
            ExprKind::Index { base, indices } => {
                for e in indices {
                    self.expr(e);
                }
                self.assign(base);
            }
            ExprKind::Field { base, .. } => self.assign(base),
            _ => {}
        }
    }

    // ---- where code runs ----

    /// Notes that the path through the code depends on `e`.
    fn condition(&mut self, e: &'a Expr) {
        // What other declarations compute may depend on the shapes of what they get.
        let mut calls = false;
        visit::expr(e, &mut |e| {
            calls |= match &e.kind {
                ExprKind::Call { callee, .. } => match &callee.kind {
                    ExprKind::Name(n) => !matches!(self.meaning(&n.ident.name), Meaning::Builtin(..)),
                    _ => true,
                },
                _ => false,
            };
        });
        self.frame.shapes_matter |= calls;
    }

    /// Code that may run several times or never, with names of decisions of its own.
    fn in_loop(&mut self, f: impl FnOnce(&mut Self)) {
        self.frame.loops += 1;
        self.maybe(|w| w.naming(f));
        self.frame.loops -= 1;
    }

    /// Code that may not run.
    fn maybe(&mut self, f: impl FnOnce(&mut Self)) {
        self.frame.uncertain += 1;
        f(self);
        self.frame.uncertain -= 1;
    }

    /// Code whose decisions have names of their own.
    fn naming(&mut self, f: impl FnOnce(&mut Self)) {
        let outer = std::mem::take(&mut self.frame.made);
        f(self);
        self.frame.made = outer;
    }

    /// Exactly one of `arms` runs. Their decisions may have equal names if `one_scope` is not set; calls are certain if
    /// all arms make them.
    fn arms<T>(&mut self, arms: impl IntoIterator<Item = T>, mut f: impl FnMut(&mut Self, T)) {
        self.branches += 1;
        let branch = self.branches;
        let before = std::mem::take(&mut self.frame.always);
        let made = self.frame.made.clone();
        let mut all_made = made.clone();
        let mut common: Option<Vec<(Decl, Span)>> = None;
        for (i, arm) in arms.into_iter().enumerate() {
            self.frame.made.clone_from(&made);
            self.frame.arms.push((branch, i as u32));
            f(self, arm);
            self.frame.arms.pop();
            let made_here = std::mem::take(&mut self.frame.made);
            all_made.extend(made_here);
            let calls = std::mem::take(&mut self.frame.always);
            common = Some(match common {
                None => calls,
                Some(c) => c.into_iter().filter(|(d, _)| calls.iter().any(|(e, _)| d == e)).collect(),
            });
        }
        self.frame.made = all_made;
        self.frame.always = before;
        self.frame.always.extend(common.into_iter().flatten());
    }

    /// Notes a call that runs the callee here.
    fn calls(&mut self, decl: Decl, call: Span) {
        if self.frame.uncertain == 0 && !self.frame.left {
            self.frame.always.push((decl, call));
        }
    }

    /// A decision is made here; one name stands for one decision.
    fn decides(&mut self, name: &'a str, at: Span) {
        match self.frame.made.get(name) {
            Some(&first) => self.report(wording::duplicate_decision(name, first, at)),
            None => {
                self.frame.made.insert(name, at);
            }
        }
    }
}

/// The place of the first choice in an expression.
fn first_choice(e: &Expr) -> Option<Span> {
    let mut found = None;
    visit::expr(e, &mut |e| {
        if let ExprKind::Choose(c) = &e.kind {
            found.get_or_insert(c.name.as_ref().map_or(c.keyword, |n| n.span));
        }
    });
    found
}

/// Whether a use of this declaration makes decisions of its own.
fn decides(program: &Program, module: ModuleId, item: &Item) -> bool {
    match &item.kind {
        ItemKind::Arch(a) => holds::decides(program, module, a),
        _ => false,
    }
}
