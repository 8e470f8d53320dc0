//! What is wrong with a primitive whatever its arguments are. All findings of a declaration are reported at once.

mod exprs;

use std::collections::{BTreeMap, BTreeSet};

use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::syntax::ast::{
    BinOp, Dim, Expr, ExprKind, Ident, IndexDecl, ParamKind, PrimStmt, Primitive, SlotKind, UnOp,
};

use super::equation::unbound;
use super::init;
use super::shape::{count, extent_name};
use super::uses::{self, Place, Use, as_name};

/// Reports what is wrong with `p`, independently of its arguments.
pub fn check(p: &Primitive) -> Vec<Diagnostic> {
    let mut c = Check {
        p,
        scalars: BTreeMap::new(),
        tensors: BTreeMap::new(),
        defined: BTreeMap::new(),
        partly: BTreeMap::new(),
        updated: BTreeMap::new(),
        read: BTreeSet::new(),
        has_rest: false,
        training: false,
        diags: Vec::new(),
    };
    c.signature();
    c.block(&p.body);
    c.leftovers();
    c.diags
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Input,
    Param,
    State,
    Knob,
    Output,
    Local,
}

impl Role {
    fn words(self) -> &'static str {
        match self {
            Role::Input => "an input",
            Role::Param => "a weight",
            Role::State => "a state",
            Role::Knob => "a knob",
            Role::Output => "an output",
            Role::Local => "an intermediate tensor",
        }
    }
}

/// One dimension of a tensor.
#[derive(Clone, Debug)]
enum Extent {
    Rest,
    /// As it is written.
    One(Expr),
    /// Known only with arguments.
    Unknown,
}

#[derive(Clone, Debug)]
struct Tensor {
    span: Span,
    dims: Vec<Extent>,
    role: Role,
}

/// An index in scope.
struct Index {
    name: String,
    used: bool,
}

struct Check<'a> {
    p: &'a Primitive,
    /// Extents, scalar arguments, `let`s.
    scalars: BTreeMap<String, Span>,
    tensors: BTreeMap<String, Tensor>,
    /// Outputs and intermediates that are defined on every path up to here.
    defined: BTreeMap<String, Span>,
    /// Those that are defined on some paths only.
    partly: BTreeMap<String, Span>,
    updated: BTreeMap<String, Span>,
    read: BTreeSet<String>,
    has_rest: bool,
    training: bool,
    diags: Vec<Diagnostic>,
}

impl<'a> Check<'a> {
    fn report(&mut self, d: Diagnostic) {
        if !self.diags.contains(&d) {
            self.diags.push(d);
        }
    }

    fn signature(&mut self) {
        for q in &self.p.params {
            let id = &q.name;
            if self.scalars.contains_key(&id.name) || self.tensors.contains_key(&id.name) {
                self.report(
                    Diagnostic::new(&codes::PRIM_ROLE, id.span, format!("`{}` is declared twice", id.name))
                        .help("give one of them another name"),
                );
            }
            match &q.kind {
                ParamKind::Tensor(dims) => {
                    for d in dims {
                        if let Dim::Expr(e) = d
                            && let Some(name) = extent_name(e)
                        {
                            self.scalars.entry(name.to_owned()).or_insert(e.span);
                        }
                    }
                    let dims = self.dims(dims, true);
                    self.tensors.insert(id.name.clone(), Tensor { span: id.span, dims, role: Role::Input });
                }
                ParamKind::Typed(_) | ParamKind::Untyped => {
                    self.scalars.insert(id.name.clone(), id.span);
                }
            }
        }
        for q in &self.p.params {
            match &q.kind {
                ParamKind::Tensor(dims) => {
                    for d in dims {
                        if let Dim::Expr(e) = d {
                            self.dimension(e);
                        }
                    }
                }
                ParamKind::Typed(_) | ParamKind::Untyped => {
                    if let Some(d) = &q.default {
                        self.scalar(d);
                    }
                }
            }
        }
        for o in &self.p.outputs {
            for d in &o.dims {
                if let Dim::Expr(e) = d {
                    self.dimension(e);
                }
            }
            let dims = self.dims(&o.dims, false);
            if let Some(t) = self.tensors.get(&o.name.name) {
                let d = Diagnostic::new(&codes::PRIM_ROLE, o.name.span, format!("`{}` is declared twice", o.name.name))
                    .label(t.span, format!("it is {} here", t.role.words()));
                self.report(d);
                continue;
            }
            self.tensors.insert(o.name.name.clone(), Tensor { span: o.name.span, dims, role: Role::Output });
        }
    }

    /// Dimensions as they are written; `..` is declared by inputs only.
    fn dims(&mut self, dims: &[Dim], input: bool) -> Vec<Extent> {
        let mut seen = false;
        let mut out = Vec::new();
        for d in dims {
            match d {
                Dim::Rest(span) => {
                    if seen {
                        self.report(Diagnostic::new(
                            &codes::PRIM_REST,
                            *span,
                            "`..` may stand once in a list of dimensions",
                        ));
                        continue;
                    }
                    seen = true;
                    if input {
                        self.has_rest = true;
                    } else if !self.has_rest {
                        self.report(
                            Diagnostic::new(&codes::PRIM_REST, *span, "no input has `..`")
                                .here("so these dimensions are not known")
                                .help("write an input with `..`, such as `x[..]` or `x[N, ..]`"),
                        );
                    }
                    out.push(Extent::Rest);
                }
                Dim::Expr(e) => out.push(Extent::One(e.clone())),
            }
        }
        out
    }

    /// An extent: numbers, extents and scalar arguments.
    fn dimension(&mut self, e: &Expr) {
        if let Some(n) = as_name(e)
            && !self.scalars.contains_key(&n.name)
        {
            let upper = n.name.to_uppercase();
            let known: Vec<String> = self.scalars.keys().cloned().collect();
            let d = if n.name.starts_with(|c: char| c.is_uppercase()) {
                Diagnostic::new(&codes::PRIM_UNBOUND, n.span, format!("no input binds the extent `{}`", n.name))
            } else {
                Diagnostic::new(&codes::PRIM_CASE, n.span, format!("`{}` is not an extent", n.name))
                    .here("extents have upper-case names, indices lower-case ones")
            };
            let d = match did_you_mean(&n.name, known.iter().map(String::as_str)) {
                Some(k) => d.help(format!("did you mean `{k}`?")).fix(n.span, k, format!("write `{k}`")),
                None if d.code == &codes::PRIM_CASE => {
                    d.help(format!("write `{upper}`")).fix(n.span, upper.clone(), format!("write `{upper}`"))
                }
                None => d.help(format!("an input with a dimension `{}` binds it; a number can be an argument", n.name)),
            };
            self.report(d);
            return;
        }
        self.scalar(e);
    }

    fn block(&mut self, stmts: &'a [PrimStmt]) {
        for s in stmts {
            match s {
                PrimStmt::Slot { kind, name, dims, init, .. } => self.slot(*kind, name, dims, init),
                PrimStmt::Let { name, value } => {
                    self.scalar(value);
                    self.fresh(name);
                    self.scalars.insert(name.name.clone(), name.span);
                }
                PrimStmt::If { cond, then, otherwise } => {
                    self.scalar(cond);
                    let (outer, updated, training) = (self.defined.clone(), self.updated.clone(), self.training);
                    self.training = training || implies_training(cond, true);
                    self.block(then);
                    let first = std::mem::replace(&mut self.defined, outer);
                    let first_updated = std::mem::replace(&mut self.updated, updated);
                    self.training = training || implies_training(cond, false);
                    self.block(otherwise);
                    self.training = training;
                    self.updated.extend(first_updated);
                    let second = std::mem::take(&mut self.defined);
                    for (name, span) in first.iter().chain(&second) {
                        if first.contains_key(name) && second.contains_key(name) {
                            self.defined.insert(name.clone(), *span);
                        } else {
                            self.partly.insert(name.clone(), *span);
                        }
                    }
                }
                PrimStmt::Equation { name, indices, update, value, span: _ } => {
                    self.equation(name, indices, *update, value);
                }
            }
        }
    }

    /// A new name must not hide another.
    fn fresh(&mut self, id: &Ident) {
        let before = self.scalars.get(&id.name).copied().or_else(|| self.tensors.get(&id.name).map(|t| t.span));
        if let Some(before) = before.filter(|b| *b != id.span) {
            self.report(
                Diagnostic::new(&codes::PRIM_ROLE, id.span, format!("`{}` is declared twice", id.name))
                    .label(before, "first here"),
            );
        }
        if id.name == "training" {
            self.report(Diagnostic::new(&codes::PRIM_ROLE, id.span, "`training` has a meaning of its own"));
        }
    }

    fn slot(&mut self, kind: SlotKind, name: &Ident, dims: &[Dim], init: &Expr) {
        self.fresh(name);
        for d in dims {
            if let Dim::Expr(e) = d {
                self.dimension(e);
            }
        }
        let extents = self.dims(dims, false);
        if kind == SlotKind::Knob && !dims.is_empty() {
            self.report(
                Diagnostic::new(&codes::PRIM_INIT, name.span, "a knob is a single number")
                    .help("a tensor that changes from run to run is an input"),
            );
        }
        match init::distribution(init) {
            Some(Ok((_, args))) if kind != SlotKind::Knob => args.into_iter().for_each(|a| self.scalar(a)),
            Some(Ok(_)) => self.report(Diagnostic::new(&codes::PRIM_INIT, init.span, "a knob starts as a number")),
            Some(Err(d)) => self.report(d),
            None if as_name(init).is_some_and(|n| n.name == "identity") && kind != SlotKind::Knob => {}
            None => self.scalar(init),
        }
        let role = match kind {
            SlotKind::Param => Role::Param,
            SlotKind::State => Role::State,
            SlotKind::Knob => Role::Knob,
        };
        self.tensors.insert(name.name.clone(), Tensor { span: name.span, dims: extents, role });
    }

    fn equation(&mut self, name: &Ident, indices: &[IndexDecl], update: bool, value: &Expr) {
        let known = self.tensors.get(&name.name).cloned();
        self.target(name, indices, update, known.as_ref());
        let mut scope = Vec::new();
        self.bind(indices, &mut scope);
        self.value(value, &mut scope);

        let declared: Option<&Tensor> = known.as_ref().filter(|t| t.role == Role::Output || t.role == Role::State);
        let mut dims = Vec::new();
        for (k, i) in indices.iter().enumerate() {
            let IndexDecl::Index(id, explicit) = i else {
                dims.push(Extent::Rest);
                continue;
            };
            let from = declared.and_then(|t| match side(&t.dims, place_of(indices, k)) {
                Some(Extent::One(e)) => Some(e),
                _ => None,
            });
            let extent = self.range(id, explicit.as_ref(), from.as_ref(), value);
            let used = scope.iter().any(|s| s.name == id.name && s.used);
            // An index without a meaning on the right is likely a slip; a range given on purpose says it is not.
            if !used && explicit.is_none() && matches!(extent, Some(Extent::One(_))) {
                let d = Diagnostic::new(
                    &codes::PRIM_UNUSED_INDEX,
                    id.span,
                    format!("the index `{}` does not occur on the right", id.name),
                );
                let d = match &from {
                    Some(e) => d.here("the same value is repeated along it").help(format!(
                        "if that is meant, give its range here: `{}: {}`",
                        id.name,
                        short(e)
                    )),
                    None => d.here("the same value is repeated along it"),
                };
                self.report(d);
            }
            dims.push(extent.unwrap_or(Extent::Unknown));
        }
        if update {
            self.updated.insert(name.name.clone(), name.span);
            return;
        }
        if known.is_none_or(|t| t.role == Role::Local) {
            self.tensors.insert(name.name.clone(), Tensor { span: name.span, dims, role: Role::Local });
        }
        self.defined.insert(name.name.clone(), name.span);
        self.partly.remove(&name.name);
    }

    /// What may stand on the left.
    fn target(&mut self, name: &Ident, indices: &[IndexDecl], update: bool, known: Option<&Tensor>) {
        if let Some(s) = self.scalars.get(&name.name) {
            let d =
                Diagnostic::new(&codes::PRIM_STATE, name.span, format!("`{}` is a number, not a tensor", name.name))
                    .label(*s, "declared here");
            self.report(d);
            return;
        }
        let Some(t) = known else {
            if update {
                let states: Vec<String> = self.names_of(|t| t.role == Role::State);
                let d = Diagnostic::new(&codes::PRIM_STATE, name.span, format!("`{}` is not a state", name.name))
                    .here("`<-` updates a state");
                let d = match did_you_mean(&name.name, states.iter().map(String::as_str)) {
                    Some(k) => d.help(format!("did you mean `{k}`?")).fix(name.span, k, format!("write `{k}`")),
                    None => d.help(format!("declare it: `state {}[..] = 0`, or define a tensor with `=`", name.name)),
                };
                self.report(d);
            }
            return;
        };
        match (t.role, update) {
            (Role::State, true) => {
                if let Some(before) = self.updated.get(&name.name) {
                    let d = Diagnostic::new(
                        &codes::PRIM_STATE,
                        name.span,
                        format!("the state `{}` is updated twice", name.name),
                    )
                    .label(*before, "first here");
                    self.report(d);
                }
            }
            (Role::Output | Role::Local, false) => {
                if let Some(before) = self.defined.get(&name.name) {
                    let d =
                        Diagnostic::new(&codes::PRIM_DEFINED, name.span, format!("`{}` is defined twice", name.name))
                            .label(*before, "first here")
                            .help("give the intermediate tensor another name");
                    self.report(d);
                }
            }
            (role, true) => {
                let d = Diagnostic::new(
                    &codes::PRIM_STATE,
                    name.span,
                    format!("`<-` updates a state, but `{}` is {}", name.name, role.words()),
                )
                .label(t.span, "declared here");
                let d = if role == Role::Param { d.help("weights are changed by the optimizer only") } else { d };
                self.report(d);
            }
            (Role::State, false) => {
                let d = Diagnostic::new(
                    &codes::PRIM_STATE,
                    name.span,
                    format!("the state `{}` is updated with `<-`, not defined with `=`", name.name),
                )
                .label(t.span, "declared here");
                self.report(d);
            }
            (role, false) => {
                let d = Diagnostic::new(
                    &codes::PRIM_DEFINED,
                    name.span,
                    format!("`{}` is {} and cannot be defined by an equation", name.name, role.words()),
                )
                .label(t.span, "declared here");
                self.report(d);
            }
        }
        let rest = indices.iter().position(|i| matches!(i, IndexDecl::Rest(_)));
        self.rank(name, t, indices.len(), rest);
    }

    /// The number of indices and the place of `..` must fit the tensor.
    fn rank(&mut self, name: &Ident, t: &Tensor, given: usize, rest: Option<usize>) {
        let wanted_rest = t.dims.iter().position(|d| matches!(d, Extent::Rest));
        if t.dims.len() == given && wanted_rest == rest {
            return;
        }
        let shape = |n: usize, rest: Option<usize>| match (n, rest) {
            (0, _) => "no indices".to_owned(),
            (n, None) => count(n, if n == 1 { "index" } else { "indice" }),
            (n, Some(r)) => format!("{} and `..`", places(n - 1, r)),
        };
        let d = Diagnostic::new(
            &codes::PRIM_RANK,
            name.span,
            format!("`{}` has {}, but {} stand here", name.name, shape(t.dims.len(), wanted_rest), shape(given, rest)),
        )
        .label(t.span, format!("{} has {}", t.role.words(), shape(t.dims.len(), wanted_rest)));
        self.report(d);
    }

    /// Brings indices into scope.
    fn bind(&mut self, indices: &[IndexDecl], scope: &mut Vec<Index>) {
        for i in indices {
            match i {
                IndexDecl::Rest(span) => {
                    if !self.has_rest {
                        self.report(
                            Diagnostic::new(&codes::PRIM_REST, *span, "no input has `..`")
                                .help("write an input with `..`, such as `x[..]` or `x[N, ..]`"),
                        );
                    }
                    if scope.iter().any(|s| s.name == "..") {
                        self.report(Diagnostic::new(&codes::PRIM_REST, *span, "`..` is bound twice"));
                    }
                    scope.push(Index { name: "..".to_owned(), used: false });
                }
                IndexDecl::Index(id, range) => {
                    if let Some(r) = range {
                        self.dimension(r);
                    }
                    self.index_name(id, scope);
                    scope.push(Index { name: id.name.clone(), used: false });
                }
            }
        }
    }

    fn index_name(&mut self, id: &Ident, scope: &[Index]) {
        if id.name.starts_with(|c: char| c.is_uppercase()) {
            let lower = id.name.to_lowercase();
            self.report(
                Diagnostic::new(&codes::PRIM_CASE, id.span, format!("`{}` is not an index", id.name))
                    .here("indices have lower-case names, extents upper-case ones")
                    .help(format!("write `{lower}`"))
                    .fix(id.span, lower.clone(), format!("write `{lower}`")),
            );
        } else if scope.iter().any(|s| s.name == id.name) {
            self.report(
                Diagnostic::new(&codes::PRIM_ROLE, id.span, format!("the index `{}` is bound twice", id.name))
                    .help("give the inner one another name"),
            );
        } else if let Some(s) = self
            .scalars
            .get(&id.name)
            .copied()
            .or_else(|| self.tensors.get(&id.name).filter(|t| t.dims.is_empty()).map(|t| t.span))
        {
            self.report(
                Diagnostic::new(
                    &codes::PRIM_ROLE,
                    id.span,
                    format!("`{}` is a number, so it cannot be an index", id.name),
                )
                .label(s, "declared here")
                .help("give the index another name"),
            );
        }
    }

    /// The range of an index as it is written; `None` if there is none, which is reported.
    fn range(&mut self, id: &Ident, explicit: Option<&Expr>, declared: Option<&Expr>, body: &Expr) -> Option<Extent> {
        if let Some(e) = explicit {
            return Some(Extent::One(e.clone()));
        }
        let mut known: Option<(Extent, Span)> = declared.map(|e| (Extent::One(e.clone()), e.span));
        let mut conflict = None;
        for Use { tensor, place, span } in uses::direct(body, &id.name) {
            let Some(t) = self.tensors.get(&tensor.name) else {
                // Reported as unknown; not a second time.
                return Some(Extent::Unknown);
            };
            let Some(extent) = side(&t.dims, place) else { continue };
            match (&known, &extent) {
                (Some((Extent::One(a), at)), Extent::One(b)) => {
                    let differ = match (extent_name(a), extent_name(b)) {
                        (Some(x), Some(y)) => x != y,
                        _ => matches!((&a.kind, &b.kind), (ExprKind::Int(x), ExprKind::Int(y)) if x != y),
                    };
                    if differ && conflict.is_none() {
                        conflict = Some(
                            Diagnostic::new(
                                &codes::PRIM_RANGES,
                                span,
                                format!("the index `{}` has two ranges: {} and {}", id.name, short(a), short(b)),
                            )
                            .here(format!("0..{} here", short(b)))
                            .label(*at, format!("0..{} here", short(a)))
                            .help(format!(
                                "if both are the same, use one name for them; if a part is meant, give the range: `{}: ..`",
                                id.name
                            )),
                        );
                    }
                }
                (Some((Extent::One(_), _)), _) => {}
                _ => known = Some((extent, span)),
            }
        }
        if let Some(d) = conflict {
            self.report(d);
        }
        if known.is_none() {
            let affine = uses::mention(body, &id.name);
            self.report(unbound(id, affine));
        }
        known.map(|k| k.0)
    }

    fn names_of(&self, keep: impl Fn(&Tensor) -> bool) -> Vec<String> {
        self.tensors.iter().filter(|(_, t)| keep(t)).map(|(n, _)| n.clone()).collect()
    }

    /// What only the end of the body shows.
    fn leftovers(&mut self) {
        for o in &self.p.outputs {
            if self.defined.contains_key(&o.name.name) {
                continue;
            }
            let d = Diagnostic::new(
                &codes::PRIM_DEFINED,
                o.name.span,
                match self.partly.get(&o.name.name) {
                    Some(_) => format!("the output `{}` is defined in one branch of an `if` only", o.name.name),
                    None => format!("the output `{}` is never defined", o.name.name),
                },
            );
            let d = match self.partly.get(&o.name.name) {
                Some(s) => d.label(*s, "here"),
                None => d.help(format!("give it an equation: `{}[..] = ..`", o.name.name)),
            };
            self.report(d);
        }
        // A misspelled name is what reads it.
        if self.diags.iter().any(|d| d.code == &codes::PRIM_NAME) {
            return;
        }
        let slots: Vec<(String, Span, Role)> = self
            .tensors
            .iter()
            .filter(|(n, t)| matches!(t.role, Role::Param | Role::Knob | Role::Local) && !self.read.contains(*n))
            .map(|(n, t)| (n.clone(), t.span, t.role))
            .collect();
        for (name, span, role) in slots {
            self.report(Diagnostic::new(
                &codes::PRIM_UNUSED,
                span,
                format!("`{name}` is {} that no equation reads", role.words()),
            ));
        }
    }
}

/// Whether a branch is taken in training only.
fn implies_training(cond: &Expr, branch: bool) -> bool {
    match &cond.kind {
        ExprKind::Name(n) => branch && n.ident.name == "training",
        ExprKind::Unary(UnOp::Not, a) => implies_training(a, !branch),
        ExprKind::Binary(BinOp::And, a, b) if branch => implies_training(a, true) || implies_training(b, true),
        ExprKind::Binary(BinOp::Or, a, b) if !branch => implies_training(a, false) || implies_training(b, false),
        _ => false,
    }
}

/// The place of the `k`-th index in a list with `..`.
fn place_of(indices: &[IndexDecl], k: usize) -> Place {
    match indices.iter().position(|i| matches!(i, IndexDecl::Rest(_))) {
        Some(r) if k > r => Place::End(indices.len() - 1 - k),
        _ => Place::Start(k),
    }
}

/// The extent at a place; `None` where there is none.
fn side(dims: &[Extent], place: Place) -> Option<Extent> {
    let at = match place {
        Place::Start(i) => i,
        Place::End(i) => dims.len().checked_sub(i + 1)?,
    };
    dims.get(at).filter(|e| !matches!(e, Extent::Rest)).cloned()
}

fn places(named: usize, before: usize) -> String {
    match (before, named - before) {
        (0, 0) => "nothing".to_owned(),
        (a, 0) => count(a, if a == 1 { "index" } else { "indice" }),
        (0, b) => format!("{} at the end", count(b, if b == 1 { "index" } else { "indice" })),
        (a, b) => format!("{a} + {b} indices"),
    }
}

/// A short text for an extent.
fn short(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Int(i) => i.to_string(),
        ExprKind::Name(n) => n.ident.name.clone(),
        _ => "..".to_owned(),
    }
}
