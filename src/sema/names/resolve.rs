//! What each name of a module means, for editors: the same walk that checks names, its findings left out.
//!
//! A name that means nothing, and a built-in, has no entry. A broken part of a file costs only its own names.

use crate::base::Span;
use crate::sema::modules::{ItemRef, ModuleId, Program, item_name};
use crate::syntax::ast::{Dim, Expr, ExprKind, Ident, IndexDecl, ItemKind, ParamKind, PrimStmt, Primitive, UseWhat};

use super::scope::{self, Local};
use super::{visit, walk};

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The parameter or local name that is bound there.
    Local(Span),
    /// A declaration of a module.
    Item(ItemRef),
}

/// What was bound, for those who list it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A parameter.
    Param,
    /// By `let`, `share`, a loop, a lambda or a construct.
    Value,
    /// By `var`.
    Variable,
    /// A declaration in a body.
    Item,
    /// A tensor of a primitive.
    Tensor,
    /// An index of an equation.
    Index,
}

/// A parameter or local name.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The name.
    pub name: String,
    /// Where it is bound; where the construct stands if it binds names that are not written.
    pub span: Span,
    /// What it is.
    pub role: Role,
    /// The code in which it can be used.
    pub scope: Span,
    /// Whether it can be used in all of its scope, or only after its binding.
    pub whole: bool,
}

impl Binding {
    pub(super) fn of(l: &Local<'_>, scope: Span) -> Self {
        let role = match l.bound {
            scope::Bound::Param => Role::Param,
            scope::Bound::Let | scope::Bound::Loop => Role::Value,
            scope::Bound::Var => Role::Variable,
            scope::Bound::Item => Role::Item,
        };
        let whole = !matches!(l.bound, scope::Bound::Let | scope::Bound::Var);
        Self { name: l.name.to_string(), span: l.span, role, scope, whole }
    }

    /// Whether code at a byte of its file can use it.
    pub fn visible(&self, at: u32) -> bool {
        self.scope.start <= at && at <= self.scope.end && (self.whole || self.span.end <= at)
    }
}

/// The names of a module.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Every use of a name, with what it means.
    pub uses: Vec<(Span, Target)>,
    /// Every parameter and local name, in the order of their places.
    pub bindings: Vec<Binding>,
}

impl Names {
    /// What is known of the name that is bound at a place.
    pub fn binding(&self, span: Span) -> Option<&Binding> {
        let first = self.bindings.partition_point(|b| b.span < span);
        self.bindings.get(first).filter(|b| b.span == span)
    }

    /// What the name at a byte means, used or bound there, and where it stands. The byte after a name counts, too.
    pub fn at(&self, byte: u32) -> Option<(Span, Target)> {
        let hit = |s: Span| s.start <= byte && byte <= s.end;
        let used = self.uses.iter().filter(|(s, _)| hit(*s)).min_by_key(|(s, _)| s.end - s.start);
        used.copied().or_else(|| {
            self.bindings.iter().find(|b| b.written() && hit(b.span)).map(|b| (b.span, Target::Local(b.span)))
        })
    }
}

impl Binding {
    /// Whether its name stands where it is bound: the numbers of an `assemble`'s nodes are not written.
    pub fn written(&self) -> bool {
        (self.span.end - self.span.start) as usize == self.name.len()
    }
}

/// The names of a module.
pub fn names(program: &Program, module: ModuleId) -> Names {
    let mut all = Names::default();
    for (i, item) in program.module(module).ast.items.iter().enumerate() {
        if let ItemKind::Use(_) = item.kind {
            imported(program, module, i, &mut all);
            continue;
        }
        if let Some(n) = item_name(item) {
            all.uses.push((n.span, Target::Item(ItemRef { module, item: i as u32 })));
        }
        let own = walk::names(program, module, item);
        all.uses.extend(own.uses);
        all.bindings.extend(own.bindings);
    }
    // `x += 1` reads and assigns.
    all.uses.sort_by_key(|(s, _)| (s.start, s.end));
    all.uses.dedup_by_key(|(s, _)| *s);
    all.bindings.sort_by_key(|b| b.span);
    all
}

/// The items that a `use` names.
fn imported(program: &Program, module: ModuleId, item: usize, out: &mut Names) {
    let m = program.module(module);
    let ItemKind::Use(u) = &m.ast.items[item].kind else { return };
    let listed: Vec<&Ident> = match &u.what {
        UseWhat::All => Vec::new(),
        UseWhat::Last => u.path.last().into_iter().collect(),
        UseWhat::Names(names) => names.iter().collect(),
    };
    for n in listed {
        if let Some(r) = m.scope.get(&n.name)
            && r.module != module
        {
            out.uses.push((n.span, Target::Item(*r)));
        }
    }
}

/// The names of a primitive: extents, tensors, numbers, and the indices of each equation.
pub(super) fn primitive(p: &Primitive, span: Span, out: &mut Names) {
    let mut w = Equations { scope: Vec::new(), out };
    for param in &p.params {
        if let Some(d) = &param.default {
            w.expr(d);
        }
        let tensor = matches!(param.kind, ParamKind::Tensor(_));
        w.bind(&param.name, if tensor { Role::Tensor } else { Role::Param }, span, true);
    }
    for param in &p.params {
        if let ParamKind::Tensor(dims) = &param.kind {
            w.extents(dims, span);
        }
    }
    for o in &p.outputs {
        w.extents(&o.dims, span);
        w.bind(&o.name, Role::Tensor, span, true);
    }
    w.statements(&p.body, span);
}

struct Equations<'n> {
    scope: Vec<(String, Span)>,
    out: &'n mut Names,
}

impl Equations<'_> {
    fn bind(&mut self, n: &Ident, role: Role, scope: Span, whole: bool) {
        self.scope.push((n.name.clone(), n.span));
        self.out.bindings.push(Binding { name: n.name.clone(), span: n.span, role, scope, whole });
    }

    fn name(&mut self, n: &Ident) -> bool {
        let found = self.scope.iter().rfind(|(name, _)| *name == n.name).map(|f| f.1);
        if let Some(span) = found {
            self.out.uses.push((n.span, Target::Local(span)));
        }
        found.is_some()
    }

    /// Dimensions of a parameter: an upper-case name that is new binds the extent.
    fn extents(&mut self, dims: &[Dim], scope: Span) {
        for d in dims {
            let Dim::Expr(e) = d else { continue };
            match &e.kind {
                ExprKind::Name(n) if n.ident.name.starts_with(|c: char| c.is_uppercase()) => {
                    if !self.name(&n.ident) {
                        self.bind(&n.ident, Role::Value, scope, true);
                    }
                }
                _ => self.expr(e),
            }
        }
    }

    fn statements(&mut self, stmts: &[PrimStmt], scope: Span) {
        for s in stmts {
            match s {
                PrimStmt::Slot { name, dims, init, .. } => {
                    for d in dims {
                        if let Dim::Expr(e) = d {
                            self.expr(e);
                        }
                    }
                    self.expr(init);
                    self.bind(name, Role::Tensor, scope, false);
                }
                PrimStmt::Equation { name, indices, value, span, .. } => {
                    if !self.name(name) {
                        self.bind(name, Role::Tensor, scope, false);
                    }
                    let mark = self.scope.len();
                    self.indices(indices, *span);
                    self.expr(value);
                    self.scope.truncate(mark);
                }
                PrimStmt::Let { name, value } => {
                    self.expr(value);
                    self.bind(name, Role::Value, scope, false);
                }
                PrimStmt::If { cond, then, otherwise } => {
                    self.expr(cond);
                    self.statements(then, scope);
                    self.statements(otherwise, scope);
                }
            }
        }
    }

    fn indices(&mut self, indices: &[IndexDecl], scope: Span) {
        for i in indices {
            let IndexDecl::Index(n, range) = i else { continue };
            if let Some(e) = range {
                self.expr(e);
            }
            self.bind(n, Role::Index, scope, true);
        }
    }

    fn expr(&mut self, e: &Expr) {
        // The indices of a reduction are bound inside it; nested ones are found by their own turn.
        let mut reductions: Vec<(&[IndexDecl], Span)> = Vec::new();
        visit::expr(e, &mut |e| {
            if let ExprKind::Reduce { indices, .. } = &e.kind {
                reductions.push((indices, e.span));
            }
        });
        let outer = self.scope.clone();
        let mut bound: Vec<(&str, Span, Span)> = Vec::new();
        for (indices, span) in &reductions {
            for i in *indices {
                let IndexDecl::Index(n, _) = i else { continue };
                bound.push((&n.name, n.span, *span));
                let binding =
                    Binding { name: n.name.clone(), span: n.span, role: Role::Index, scope: *span, whole: true };
                self.out.bindings.push(binding);
            }
        }
        visit::expr(e, &mut |e| {
            let ExprKind::Name(n) = &e.kind else { return };
            // The innermost reduction around the name that binds it.
            let inner = bound
                .iter()
                .filter(|(name, _, scope)| {
                    *name == n.ident.name && scope.start <= e.span.start && e.span.end <= scope.end
                })
                .min_by_key(|(_, _, scope)| scope.end - scope.start);
            match inner {
                Some((_, at, _)) => self.out.uses.push((n.ident.span, Target::Local(*at))),
                None => {
                    self.name(&n.ident);
                }
            }
        });
        self.scope = outer;
    }
}
