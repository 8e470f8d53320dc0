//! Expressions in the check: scalars, values of equations, indices.

use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::syntax::ast::{BinOp, Body, Expr, ExprKind, Ident, IndexDecl, UnOp};

use super::super::equation::{cannot_stand, non_affine};
use super::super::eval::{function_call, only_value};
use super::super::scalar::Func;
use super::super::uses::{self, as_read, is_rest};
use super::{Check, Index, Role, Tensor};

/// Whether an index expression depends on loop variables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Varies {
    Constant,
    Index,
}

impl Check<'_> {
    /// A scalar expression: literals, extents, arguments, `let`s.
    pub(super) fn scalar(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Name(n) => {
                let name = &n.ident.name;
                if name == "training" {
                    return;
                }
                if self.scalars.contains_key(name) {
                    self.read.insert(name.clone());
                    return;
                }
                if let Some(t) = self.tensors.get(name) {
                    let d = Diagnostic::new(
                        &codes::PRIM_FORM,
                        e.span,
                        format!("`{name}` is {}, which is not known before the network runs", t.role.words()),
                    )
                    .label(t.span, "declared here");
                    let d = if t.role == Role::Knob {
                        d.help("a knob may stand in equations, `if` in an equation included")
                    } else {
                        d
                    };
                    self.report(d);
                    return;
                }
                let known: Vec<String> = self.scalars.keys().cloned().collect();
                self.unknown(&n.ident, "name", known.iter().map(String::as_str));
            }
            ExprKind::Call { .. } => self.call(e, Self::scalar),
            ExprKind::If { cond, then, otherwise } => {
                self.scalar(cond);
                self.branches(then, otherwise.as_deref(), e, Self::scalar);
            }
            ExprKind::Body(b) => self.body(b, Self::scalar),
            ExprKind::Unary(..) | ExprKind::Binary(..) => {
                if let ExprKind::Binary(BinOp::Pipe, ..) = e.kind {
                    self.report(cannot_stand(e));
                }
                uses::parts(e, &mut |p| self.scalar(p));
            }
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Quantity(..)
            | ExprKind::Bool(_)
            | ExprKind::Str(_)
            | ExprKind::Error => {}
            ExprKind::Index { .. } | ExprKind::Reduce { .. } => self.report(
                Diagnostic::new(&codes::PRIM_FORM, e.span, "tensors are not known before the network runs")
                    .here("a number is expected here")
                    .help("give an intermediate tensor an equation instead"),
            ),
            _ => self.report(cannot_stand(e)),
        }
    }

    fn call(&mut self, e: &Expr, mut each: impl FnMut(&mut Self, &Expr)) {
        match function_call(e) {
            Ok((_, args)) => args.into_iter().for_each(|a| each(self, a)),
            Err(d) => self.report(d),
        }
    }

    fn branches(&mut self, then: &Body, otherwise: Option<&Body>, e: &Expr, mut each: impl FnMut(&mut Self, &Expr)) {
        self.body(then, &mut each);
        match otherwise {
            Some(o) => self.body(o, each),
            None => self.report(
                Diagnostic::new(&codes::PRIM_FORM, e.span, "an `if` that gives a value needs an `else`")
                    .help("write `else { 0 }` if that is meant"),
            ),
        }
    }

    fn body(&mut self, b: &Body, each: impl FnOnce(&mut Self, &Expr)) {
        match only_value(b) {
            Ok(v) => each(self, v),
            Err(d) => self.report(d),
        }
    }

    /// An expression of an equation.
    pub(super) fn value(&mut self, e: &Expr, scope: &mut Vec<Index>) {
        match &e.kind {
            ExprKind::Name(n) => self.bare(&n.ident, scope),
            ExprKind::Index { .. } => match as_read(e) {
                Some((t, indices)) => {
                    self.read(t, indices, scope);
                }
                None => self.report(cannot_stand(e)),
            },
            ExprKind::Call { callee, args } if uses::is_draw(e) => {
                if !args.is_empty() {
                    self.report(
                        Diagnostic::new(&codes::PRIM_UNIFORM, e.span, "`uniform()` takes no arguments")
                            .help("it draws from 0..1; scale the result: `a + (b - a) * uniform()`"),
                    );
                }
                if !self.training {
                    self.report(
                        Diagnostic::new(&codes::PRIM_UNIFORM, callee.span, "`uniform()` draws in training only")
                            .here("this is evaluated in inference too")
                            .help("put it under `if training { .. } else { .. }`"),
                    );
                }
            }
            ExprKind::Call { .. } => self.call(e, |c, a| c.value(a, scope)),
            ExprKind::If { cond, then, otherwise } => {
                self.value(cond, scope);
                self.branches(then, otherwise.as_deref(), e, |c, b| c.value(b, scope));
            }
            ExprKind::Body(b) => self.body(b, |c, v| c.value(v, scope)),
            ExprKind::Reduce { indices, body, keyword, .. } => {
                if indices.is_empty() {
                    self.report(
                        Diagnostic::new(&codes::PRIM_REDUCE, *keyword, "a reduction over nothing")
                            .help("name the indices that it runs over: `sum[c, u]`"),
                    );
                }
                let depth = scope.len();
                self.bind(indices, scope);
                self.value(body, scope);
                for (i, s) in indices.iter().zip(scope.split_off(depth)) {
                    match i {
                        IndexDecl::Index(id, explicit) => {
                            if s.used {
                                self.range(id, explicit.as_ref(), None, body);
                            } else {
                                self.report(
                                    Diagnostic::new(
                                        &codes::PRIM_REDUCE,
                                        id.span,
                                        format!("the index `{}` does not occur in what is reduced", id.name),
                                    )
                                    .here("a reduction over nothing")
                                    .label(body.span, "the reducer extends over this product")
                                    .help("leave the index out; parentheses extend a reduction over a sum: `sum[i] (a[i] + b[i])`"),
                                );
                            }
                        }
                        IndexDecl::Rest(span) => {
                            if !s.used {
                                self.report(
                                    Diagnostic::new(
                                        &codes::PRIM_REDUCE,
                                        *span,
                                        "`..` does not occur in what is reduced",
                                    )
                                    .label(body.span, "the reducer extends over this product"),
                                );
                            }
                        }
                    }
                }
            }
            ExprKind::Unary(UnOp::Neg | UnOp::Not, _) | ExprKind::Binary(..) => {
                if let ExprKind::Binary(BinOp::Pipe, ..) = e.kind {
                    self.report(cannot_stand(e));
                    return;
                }
                uses::parts(e, &mut |p| self.value(p, scope));
            }
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Quantity(..) | ExprKind::Bool(_) | ExprKind::Error => {}
            _ => self.report(cannot_stand(e)),
        }
    }

    /// A name without brackets in an equation.
    fn bare(&mut self, id: &Ident, scope: &mut [Index]) {
        if let Some(i) = scope.iter_mut().find(|i| i.name == id.name) {
            i.used = true;
        } else if id.name == "training" {
        } else if self.scalars.contains_key(&id.name) {
            self.read.insert(id.name.clone());
        } else if let Some(t) = self.tensors.get(&id.name).cloned() {
            self.read.insert(id.name.clone());
            if !t.dims.is_empty() {
                self.rank(id, &t, 0, None);
            }
            self.must_be_defined(id, &t);
        } else {
            let known: Vec<String> = self
                .scalars
                .keys()
                .cloned()
                .chain(scope.iter().map(|i| i.name.clone()))
                .chain(self.names_of(|t| t.dims.is_empty()))
                .collect();
            self.unknown(id, "name", known.iter().map(String::as_str));
        }
    }

    fn read(&mut self, t: &Ident, indices: &[Expr], scope: &mut Vec<Index>) {
        let rest = indices.iter().position(is_rest);
        for i in indices {
            if is_rest(i) {
                match scope.iter_mut().find(|s| s.name == "..") {
                    Some(s) => s.used = true,
                    None => self.report(
                        Diagnostic::new(&codes::PRIM_REST, i.span, "nothing binds `..` here")
                            .help("write `..` on the left as well, or reduce over it: `sum[..] ..`"),
                    ),
                }
            } else {
                self.index(i, scope);
            }
        }
        if let Some(tensor) = self.tensors.get(&t.name).cloned() {
            self.read.insert(t.name.clone());
            self.rank(t, &tensor, indices.len(), rest);
            self.must_be_defined(t, &tensor);
        } else if let Some(s) = self.scalars.get(&t.name) {
            let d = Diagnostic::new(&codes::PRIM_ROLE, t.span, format!("`{}` is a number and has no indices", t.name))
                .label(*s, "declared here");
            self.report(d);
        } else {
            let known = self.names_of(|_| true);
            self.unknown(t, "tensor", known.iter().map(String::as_str));
        }
    }

    /// An index expression; whether it depends on loop variables.
    fn index(&mut self, e: &Expr, scope: &mut Vec<Index>) -> Varies {
        match &e.kind {
            ExprKind::Name(n) => {
                if let Some(i) = scope.iter_mut().find(|i| i.name == n.ident.name) {
                    i.used = true;
                    return Varies::Index;
                }
                if let Some(t) = self.tensors.get(&n.ident.name) {
                    let d = Diagnostic::new(
                        &codes::PRIM_AFFINE,
                        e.span,
                        format!("`{}` is {}, so it cannot be an index", n.ident.name, t.role.words()),
                    )
                    .label(t.span, "declared here");
                    self.report(d);
                    return Varies::Constant;
                }
                if !self.scalars.contains_key(&n.ident.name) {
                    let known: Vec<String> =
                        self.scalars.keys().cloned().chain(scope.iter().map(|i| i.name.clone())).collect();
                    let d = unknown(&n.ident, "index", known.iter().map(String::as_str));
                    let d = if d.help.is_some() {
                        d
                    } else {
                        d.help(format!("bind it on the left, or reduce over it: `sum[{}] ..`", n.ident.name))
                    };
                    self.report(d);
                    return Varies::Index;
                }
                self.read.insert(n.ident.name.clone());
                Varies::Constant
            }
            ExprKind::Unary(UnOp::Neg, a) => self.index(a, scope),
            ExprKind::Binary(op, a, b) => {
                let (x, y) = (self.index(a, scope), self.index(b, scope));
                let fine = match op {
                    BinOp::Add | BinOp::Sub => true,
                    BinOp::Mul => x == Varies::Constant || y == Varies::Constant,
                    BinOp::Div | BinOp::Rem => y == Varies::Constant,
                    _ => x == Varies::Constant && y == Varies::Constant,
                };
                if !fine {
                    let what = match op {
                        BinOp::Mul => "a product of two indices",
                        BinOp::Div | BinOp::Rem => "a division by an index",
                        _ => "this depends on an index in another way",
                    };
                    self.report(non_affine(e).here(what));
                }
                if x == y { x } else { Varies::Index }
            }
            ExprKind::Body(b) => match only_value(b) {
                Ok(v) => self.index(v, scope),
                Err(d) => {
                    self.report(d);
                    Varies::Constant
                }
            },
            ExprKind::Call { .. } => match function_call(e) {
                Ok((f, args)) => {
                    let varies = args.iter().fold(Varies::Constant, |v, a| {
                        if self.index(a, scope) == Varies::Index { Varies::Index } else { v }
                    });
                    let rounded = matches!(f, Func::Floor | Func::Ceil)
                        && matches!(args[0].kind, ExprKind::Binary(BinOp::Div, ..));
                    if varies == Varies::Index && !rounded {
                        self.report(non_affine(e));
                    }
                    varies
                }
                Err(d) => {
                    self.report(d);
                    Varies::Constant
                }
            },
            ExprKind::Index { .. } => {
                let Some((t, indices)) = as_read(e) else {
                    self.report(cannot_stand(e));
                    return Varies::Index;
                };
                self.read(t, indices, scope);
                if let Some(tensor) = self.tensors.get(&t.name)
                    && tensor.role != Role::Input
                {
                    let d = Diagnostic::new(
                        &codes::PRIM_AFFINE,
                        e.span,
                        format!("`{}` holds real numbers, so it cannot be an index", t.name),
                    )
                    .label(tensor.span, format!("{} is real", tensor.role.words()))
                    .help("labels and tokens (integer inputs) can");
                    self.report(d);
                }
                Varies::Index
            }
            ExprKind::If { cond, then, otherwise } => {
                self.scalar(cond);
                let mut varies = Varies::Constant;
                self.branches(then, otherwise.as_deref(), e, |c, b| {
                    if c.index(b, scope) == Varies::Index {
                        varies = Varies::Index;
                    }
                });
                varies
            }
            ExprKind::Int(_) | ExprKind::Error => Varies::Constant,
            ExprKind::Float(_) | ExprKind::Quantity(..) => {
                self.report(Diagnostic::new(&codes::PRIM_AFFINE, e.span, "an index is a whole number"));
                Varies::Constant
            }
            _ => {
                self.report(non_affine(e));
                Varies::Constant
            }
        }
    }

    fn must_be_defined(&mut self, id: &Ident, t: &Tensor) {
        if let Some(at) = self.updated.get(&id.name).filter(|_| t.role == Role::State) {
            let d = Diagnostic::new(
                &codes::PRIM_OLD_STATE,
                id.span,
                format!("this reads `{}` as it was before the update", id.name),
            )
            .label(*at, "updated here, after this step")
            .help("give the new value an equation of its own, and read that");
            self.report(d);
        }
        if !matches!(t.role, Role::Output | Role::Local) || self.defined.contains_key(&id.name) {
            return;
        }
        let d = match self.partly.get(&id.name) {
            Some(s) => Diagnostic::new(
                &codes::PRIM_DEFINED,
                id.span,
                format!("`{}` is defined in one branch of an `if` only", id.name),
            )
            .label(*s, "here")
            .help("define it in the other branch too"),
            None => {
                Diagnostic::new(&codes::PRIM_DEFINED, id.span, format!("`{}` is used before it is defined", id.name))
                    .label(t.span, "declared here")
            }
        };
        self.report(d);
    }

    fn unknown<'k>(&mut self, id: &Ident, what: &str, known: impl Iterator<Item = &'k str>) {
        let d = unknown(id, what, known);
        self.report(d);
    }
}

fn unknown<'k>(id: &Ident, what: &str, known: impl Iterator<Item = &'k str>) -> Diagnostic {
    let d = Diagnostic::new(&codes::PRIM_NAME, id.span, format!("unknown {what} `{}`", id.name));
    match did_you_mean(&id.name, known) {
        Some(k) => d.help(format!("did you mean `{k}`?")).fix(id.span, k, format!("write `{k}`")),
        None => d,
    }
}
