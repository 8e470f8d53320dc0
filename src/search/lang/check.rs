//! Checking: from the syntax tree to typed function instances.
//!
//! Functions are templates. One is checked anew for each combination of argument types with which it is used, so
//! library code needs no constraints on its type variables: what the body does with a value must work for the
//! types at hand. Inside one instance, types flow by unification, and expected types flow into arguments, so
//! `xs.max_by(t => t.reward)` needs no annotation.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::contract::{self, HostFn};
use super::env::{Env, FunItem, LIBRARY};
use super::infer::Infer;
use super::tree::{Local, LocalInfo, Step, TBody, TExpr, TKind, TPattern, TStmt};
use super::types::{self, Type};
use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::syntax::ast::{self, Body, Expr, FunKind, Ident, ParamKind, Pattern, Stmt, StmtKind, TypeKind};

/// One checked function instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name, for listings.
    pub name: String,
    /// Its place.
    pub span: Span,
    /// Its parameters; their types are in `locals`.
    pub params: Vec<Local>,
    /// All variables.
    pub locals: Vec<LocalInfo>,
    /// What it does.
    pub body: TBody,
    /// Its result.
    pub result: Type,
    /// What its types' variables stand for.
    pub infer: Infer,
    /// The scope in which names were read.
    pub scope: usize,
}

/// The key of an instance: the function's identity and its parameter types.
pub type Key = (usize, Vec<Type>);

/// The identity of a function item within one compilation.
pub fn identity(item: &Arc<FunItem>) -> usize {
    Arc::as_ptr(item) as usize
}

enum State {
    Running,
    Done(usize),
}

/// The checker of one program: all instances that it reaches.
pub struct Checker<'e> {
    pub(super) env: &'e Env,
    states: BTreeMap<Key, State>,
    /// The instances, callees before or after their callers as they were met.
    pub instances: Vec<Instance>,
    /// What was found wrong.
    pub diags: Vec<Diagnostic>,
    /// Contract calls and where they first stand.
    pub uses: BTreeMap<HostFn, Span>,
    /// Whether a call names a trial whose weights are inherited.
    pub inherits: bool,
}

impl<'e> Checker<'e> {
    /// A checker with nothing checked.
    pub fn new(env: &'e Env) -> Self {
        Self {
            env,
            states: BTreeMap::new(),
            instances: Vec::new(),
            diags: Vec::new(),
            uses: BTreeMap::new(),
            inherits: false,
        }
    }

    /// The index of a finished instance.
    pub fn find(&self, item: &Arc<FunItem>, params: &[Type]) -> Option<usize> {
        match self.states.get(&(identity(item), params.to_vec()))? {
            State::Done(i) => Some(*i),
            State::Running => None,
        }
    }

    /// Checks the instance of `item` for these parameter types, and all that it calls. Returns its result type, or
    /// `None` where it is being checked already and has no written result.
    pub fn instance(&mut self, item: &Arc<FunItem>, params: &[Type], at: Span) -> Option<Type> {
        let key = (identity(item), params.to_vec());
        match self.states.get(&key) {
            Some(State::Done(i)) => return Some(self.instances[*i].result.clone()),
            Some(State::Running) => return None,
            None => {}
        }
        if params.iter().any(|p| p.any(&|t| *t == Type::Error)) {
            return Some(Type::Error);
        }
        self.states.insert(key.clone(), State::Running);
        let before = self.diags.len();
        let mut f = FnChecker::new(self, item.scope);
        let instance = f.function(item, params);
        let calls = std::mem::take(&mut f.calls);
        let infer = instance.infer.clone();
        // Where the text of the function is not the user's, the place to mend is the call.
        if item.fun.name.span.file != at.file {
            for d in &mut self.diags[before..] {
                d.labels
                    .push(crate::diag::Label { span: at, text: format!("in this use of `{}`", item.fun.name.name) });
            }
        }
        if self.diags[before..].iter().any(|d| d.code == &codes::PROG_LATER) {
            // What a missing mechanism leaves untyped would only be reported as follow-up errors.
            let mut i = 0;
            self.diags.retain(|d| {
                i += 1;
                i <= before || d.code == &codes::PROG_LATER
            });
        }
        let result = instance.result.clone();
        self.instances.push(instance);
        self.states.insert(key, State::Done(self.instances.len() - 1));
        for (callee, params, span) in calls {
            let params: Vec<Type> = params.iter().map(|t| infer.full(t)).collect();
            self.instance(&callee, &params, span);
        }
        Some(result)
    }

    /// Checks a single expression whose free names are `params`; `expected` is the type that it must have.
    pub fn expression(
        &mut self,
        scope: usize,
        expr: &Expr,
        params: &[(String, Type)],
        expected: Option<&Type>,
    ) -> usize {
        let mut f = FnChecker::new(self, scope);
        let params: Vec<Local> = params.iter().map(|(n, t)| f.declare(n, expr.span, t.clone(), false)).collect();
        let mut value = f.expr(expr, expected);
        if let Some(t) = expected {
            value = f.coerce(value, t);
        }
        let calls = std::mem::take(&mut f.calls);
        let (locals, infer) = (std::mem::take(&mut f.locals), std::mem::take(&mut f.infer));
        let result = infer.full(&value.ty);
        for (callee, params, span) in calls {
            let params: Vec<Type> = params.iter().map(|t| infer.full(t)).collect();
            self.instance(&callee, &params, span);
        }
        let body = TBody { stmts: Vec::new(), value: Some(value) };
        self.instances.push(Instance {
            name: "expression".into(),
            span: expr.span,
            params,
            locals,
            body,
            result,
            infer,
            scope,
        });
        self.instances.len() - 1
    }

    /// Sorts what was found and leaves out repetitions.
    pub fn take_diags(&mut self) -> Vec<Diagnostic> {
        let mut diags = std::mem::take(&mut self.diags);
        diags.sort_by(|a, b| (a.labels[0].span, a.code.id, &a.message).cmp(&(b.labels[0].span, b.code.id, &b.message)));
        diags.dedup_by(|a, b| a.labels[0].span == b.labels[0].span && a.code == b.code && a.message == b.message);
        diags
    }
}

/// The checker of one instance.
pub(super) struct FnChecker<'c, 'e> {
    pub cx: &'c mut Checker<'e>,
    pub infer: Infer,
    pub locals: Vec<LocalInfo>,
    pub names: Vec<BTreeMap<String, Local>>,
    /// The scope for names that are not local.
    pub scope: usize,
    /// What the signature's type variables stand for.
    pub params: BTreeMap<String, Type>,
    /// The result, and whether it was written down.
    pub result: Type,
    result_written: bool,
    /// For each enclosing loop of this function or lambda, whether a `break` leaves it.
    loops: Vec<bool>,
    /// For each enclosing lambda, what it captures.
    pub captures: Vec<Vec<Local>>,
    /// Functions that are called, to be checked when their types are known.
    pub calls: Vec<(Arc<FunItem>, Vec<Type>, Span)>,
}

impl<'c, 'e> FnChecker<'c, 'e> {
    pub fn new(cx: &'c mut Checker<'e>, scope: usize) -> Self {
        Self {
            cx,
            infer: Infer::default(),
            locals: Vec::new(),
            names: vec![BTreeMap::new()],
            scope,
            params: BTreeMap::new(),
            result: Type::Unit,
            result_written: false,
            loops: Vec::new(),
            captures: Vec::new(),
            calls: Vec::new(),
        }
    }

    fn function(&mut self, item: &Arc<FunItem>, params: &[Type]) -> Instance {
        let fun = &item.fun;
        let mut locals = Vec::new();
        for (p, ty) in fun.params.iter().zip(params) {
            if let ParamKind::Typed(written) = &p.kind {
                // Binds the signature's type variables.
                let written = self.written(written);
                self.infer.unify(&written, ty);
            }
            if self.names[0].contains_key(&p.name.name) {
                self.twice(&p.name, "parameter");
            }
            locals.push(self.declare(&p.name.name, p.name.span, ty.clone(), false));
        }
        let written = fun.result.as_ref().map(|t| self.written(t));
        self.result_written = written.is_some() || fun.kind == FunKind::Strategy;
        self.result = match (written, fun.kind) {
            (Some(t), _) => t,
            (None, FunKind::Strategy) => Type::Unit,
            (None, _) => self.infer.fresh(),
        };
        self.names.push(BTreeMap::new());
        let wants = self.result.clone();
        let (mut body, diverges) = if wants == Type::Unit && fun.kind == FunKind::Strategy {
            self.body(&fun.body, None, false)
        } else {
            self.body(&fun.body, Some(&wants), true)
        };
        if let Some(v) = body.value.take() {
            let have = self.infer.shallow(&v.ty);
            if have == Type::Unit || have == Type::Never {
                body.stmts.push(TStmt::Expr(v));
                if have == Type::Unit {
                    self.finish_without_value(fun, diverges);
                }
            } else if wants == Type::Unit {
                body.stmts.push(TStmt::Expr(v));
            } else {
                body.value = Some(self.coerce(v, &wants));
            }
        } else {
            self.finish_without_value(fun, diverges);
        }
        let result = self.infer.full(&self.result);
        let result = if matches!(self.infer.shallow(&self.result), Type::Var(_)) { Type::Unit } else { result };
        Instance {
            name: fun.name.name.clone(),
            span: fun.name.span,
            params: locals,
            locals: std::mem::take(&mut self.locals),
            body,
            result,
            infer: std::mem::take(&mut self.infer),
            scope: self.scope,
        }
    }

    fn finish_without_value(&mut self, fun: &ast::Fun, diverges: bool) {
        if diverges {
            return;
        }
        match self.infer.shallow(&self.result) {
            Type::Var(_) if !self.result_written => {
                self.result = Type::Unit;
            }
            Type::Unit | Type::Error => {}
            t => {
                let end = Span { start: fun.body.span.end.saturating_sub(1).max(fun.body.span.start), ..fun.body.span };
                let d = Diagnostic::new(
                    &codes::PROG_RETURN,
                    end,
                    format!("`{}` may end here without a result", fun.name.name),
                )
                .here("no value is returned on this path")
                .label(
                    fun.result.as_ref().map_or(fun.name.span, |r| r.span),
                    format!("it returns `{}`", self.infer.deep(&t)),
                )
                .help("return a value on every path, or end the body with one");
                self.report(d);
            }
        }
    }

    pub fn report(&mut self, d: Diagnostic) {
        self.cx.diags.push(d);
    }

    fn twice(&mut self, name: &Ident, what: &str) {
        self.report(
            Diagnostic::new(&codes::PROG_TWICE, name.span, format!("the {what} `{}` stands twice", name.name))
                .help("rename one of them"),
        );
    }

    pub fn declare(&mut self, name: &str, span: Span, ty: Type, mutable: bool) -> Local {
        let local = Local(self.locals.len() as u32);
        let depth = self.captures.len() as u32;
        self.locals.push(LocalInfo { name: name.to_string(), ty, mutable, span, depth });
        if let Some(names) = self.names.last_mut() {
            names.insert(name.to_string(), local);
        }
        local
    }

    /// The type that a written type stands for; type variables by `self.params`.
    pub fn written(&mut self, t: &ast::Type) -> Type {
        match &t.kind {
            TypeKind::Named(name, args) => {
                let args: Vec<Type> = args.iter().map(|a| self.written(a)).collect();
                let n = args.len();
                match types::named(&name.name, args) {
                    Some(Type::Param(p)) => {
                        let infer = &mut self.infer;
                        self.params.entry(p).or_insert_with(|| infer.fresh()).clone()
                    }
                    Some(ty) => ty,
                    None => {
                        let known = types::names().any(|k| k == name.name);
                        let d = if known {
                            let wants = usize::from(matches!(name.name.as_str(), "list" | "queue" | "stream"));
                            Diagnostic::new(
                                &codes::PROG_TYPE,
                                t.span,
                                format!("`{}` takes {wants} type argument(s), not {n}", name.name),
                            )
                            .help(if wants == 1 {
                                format!("write `{}<int>` for one of ints", name.name)
                            } else {
                                "leave the arguments out".into()
                            })
                        } else {
                            unknown("type", name, types::names())
                        };
                        self.report(d);
                        Type::Error
                    }
                }
            }
            TypeKind::Tuple(ts) if ts.is_empty() => Type::Unit,
            TypeKind::Tuple(ts) => Type::Tuple(ts.iter().map(|t| self.written(t)).collect()),
            TypeKind::Record(fs) => {
                let mut fields: Vec<(String, Type)> =
                    fs.iter().map(|(n, t)| (n.name.clone(), self.written(t))).collect();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                Type::Record(fields)
            }
            TypeKind::Fn(ps, r) => Type::Fn(ps.iter().map(|t| self.written(t)).collect(), Box::new(self.written(r))),
            TypeKind::Optional(t) => Type::optional(self.written(t)),
        }
    }

    /// Checks a body. With `used`, its value counts and `expected` is a hint; otherwise the value is only evaluated.
    /// The flag says whether control never reaches the end.
    pub fn body(&mut self, body: &Body, expected: Option<&Type>, used: bool) -> (TBody, bool) {
        self.names.push(BTreeMap::new());
        let mut stmts = Vec::new();
        let mut diverges = false;
        for s in &body.stmts {
            diverges |= self.stmt(s, &mut stmts);
        }
        let mut value = None;
        if let Some(v) = &body.value {
            if used {
                let e = self.expr(v, expected);
                diverges |= self.infer.shallow(&e.ty) == Type::Never;
                value = Some(e);
            } else {
                diverges |= self.discard(v, &mut stmts);
            }
        }
        self.names.pop();
        (TBody { stmts, value }, diverges)
    }

    /// An expression for its effect: branches need no common type.
    fn discard(&mut self, e: &Expr, out: &mut Vec<TStmt>) -> bool {
        let t = match &e.kind {
            ast::ExprKind::If { cond, then, otherwise } => {
                let cond = self.expr_as(cond, &Type::Bool);
                let (mut then, a) = self.body(then, None, false);
                let (mut other, b) = match otherwise {
                    Some(o) => self.body(o, None, false),
                    None => (TBody { stmts: Vec::new(), value: None }, false),
                };
                then.value = None;
                other.value = None;
                let ty = if a && b { Type::Never } else { Type::Unit };
                TExpr { ty, span: e.span, kind: TKind::If(Box::new(cond), Box::new(then), Box::new(other)) }
            }
            ast::ExprKind::Body(b) => {
                let (b, d) = self.body(b, None, false);
                TExpr { ty: if d { Type::Never } else { Type::Unit }, span: e.span, kind: TKind::Body(Box::new(b)) }
            }
            ast::ExprKind::Call { callee, args } => self.call(e, callee, args, None, true),
            _ => self.expr(e, None),
        };
        let never = self.infer.shallow(&t.ty) == Type::Never;
        out.push(TStmt::Expr(t));
        never
    }

    fn stmt(&mut self, s: &Stmt, out: &mut Vec<TStmt>) -> bool {
        match &s.kind {
            StmtKind::Let { mutable, pattern, ty, value } => {
                let written = ty.as_ref().map(|t| self.written(t));
                let mut v = self.expr(value, written.as_ref());
                if let Some(t) = &written {
                    v = self.coerce(v, t);
                }
                let t = self.infer.shallow(&v.ty);
                if t == Type::Unit {
                    let d = Diagnostic::new(&codes::PROG_TYPE, v.span, "this has no value")
                        .help("call it as a statement of its own");
                    self.report(d);
                }
                let ty = written.unwrap_or(t);
                let p = self.pattern(pattern, &ty, *mutable);
                out.push(TStmt::Let(p, v));
                false
            }
            StmtKind::Assign { target, op, value } => {
                self.assign(target, *op, value, out);
                false
            }
            StmtKind::Expr(e) => self.discard(e, out),
            StmtKind::For { pattern, iter, body } => {
                let (iter, ty) = self.elements(iter);
                self.names.push(BTreeMap::new());
                let p = self.pattern(pattern, &ty, false);
                self.loops.push(false);
                let (body, _) = self.body(body, None, false);
                self.loops.pop();
                self.names.pop();
                out.push(TStmt::For(p, iter, body));
                false
            }
            StmtKind::While { cond, body } => {
                let cond = cond.as_ref().map(|c| self.expr_as(c, &Type::Bool));
                self.loops.push(false);
                let (body, _) = self.body(body, None, false);
                let left = self.loops.pop().unwrap_or(true);
                let endless = cond.is_none() && !left;
                out.push(TStmt::While(cond, body));
                endless
            }
            StmtKind::Return(e) => {
                if !self.captures.is_empty() {
                    let d = Diagnostic::new(&codes::PROG_JUMP, s.span, "`return` inside a function value")
                        .help("its result is the value of its expression");
                    self.report(d);
                    return true;
                }
                let wants = self.result.clone();
                let v = match e {
                    Some(e) => {
                        let v = self.expr(e, Some(&wants));
                        Some(self.coerce(v, &wants))
                    }
                    None => {
                        if !self.infer.unify(&wants, &Type::Unit) {
                            let d = Diagnostic::new(
                                &codes::PROG_RETURN,
                                s.span,
                                format!("`return` without a value, where `{}` is due", self.infer.deep(&wants)),
                            )
                            .help("write `return` with a value");
                            self.report(d);
                        }
                        None
                    }
                };
                out.push(TStmt::Return(v));
                true
            }
            StmtKind::Break | StmtKind::Continue => {
                let is_break = matches!(s.kind, StmtKind::Break);
                match self.loops.last_mut() {
                    Some(left) => {
                        *left |= is_break;
                        out.push(if is_break { TStmt::Break } else { TStmt::Continue });
                    }
                    None => {
                        let word = if is_break { "break" } else { "continue" };
                        let d = Diagnostic::new(&codes::PROG_JUMP, s.span, format!("`{word}` outside of a loop"))
                            .here("no loop of this function encloses this")
                            .help("use `return` to leave a function");
                        self.report(d);
                    }
                }
                true
            }
            StmtKind::Share { .. } | StmtKind::Forbid(_) | StmtKind::Item(_) => {
                let what = match &s.kind {
                    StmtKind::Share { .. } => "`share`",
                    StmtKind::Forbid(_) => "`forbid`",
                    _ => "a declaration",
                };
                self.architecture(s.span, what);
                false
            }
        }
    }

    pub fn architecture(&mut self, span: Span, what: &str) {
        let d = Diagnostic::new(&codes::PROG_ARCH, span, format!("{what} belongs to architectures, not to programs"))
            .help("write it in a `space`, `block` or `motif`, or beside the program at the top of the file");
        self.report(d);
    }

    /// Binds a pattern to a value of this type.
    pub fn pattern(&mut self, p: &Pattern, ty: &Type, mutable: bool) -> TPattern {
        match p {
            Pattern::Name(n) => TPattern::Local(self.declare(&n.name, n.span, ty.clone(), mutable)),
            Pattern::Skip(_) => TPattern::Skip,
            Pattern::Tuple(ps, span) => {
                let ts = match self.infer.shallow(ty) {
                    Type::Tuple(ts) if ts.len() == ps.len() => ts,
                    Type::Var(_) => {
                        let ts: Vec<Type> = ps.iter().map(|_| self.infer.fresh()).collect();
                        self.infer.unify(ty, &Type::Tuple(ts.clone()));
                        ts
                    }
                    Type::Error | Type::Never => vec![Type::Error; ps.len()],
                    t => {
                        let d = Diagnostic::new(
                            &codes::PROG_TYPE,
                            *span,
                            format!("a pattern of {} parts does not fit `{}`", ps.len(), self.infer.deep(&t)),
                        )
                        .here("this takes a tuple apart");
                        self.report(d);
                        vec![Type::Error; ps.len()]
                    }
                };
                TPattern::Tuple(ps.iter().zip(ts).map(|(p, t)| self.pattern(p, &t, mutable)).collect())
            }
        }
    }

    /// The place that an expression names, if it can be changed; reports otherwise.
    pub fn place(&mut self, e: &TExpr, what: &str) -> Option<super::tree::Place> {
        let mut path = Vec::new();
        let mut at = e;
        let root = loop {
            match &at.kind {
                TKind::Local(l) => break *l,
                TKind::Index(base, i) => {
                    path.push(Step::Index((**i).clone()));
                    at = base;
                }
                TKind::Field(base, i) => {
                    path.push(Step::Field(*i));
                    at = base;
                }
                TKind::Error => return None,
                _ => {
                    let d = Diagnostic::new(&codes::PROG_CONST, e.span, format!("{what} needs a variable"))
                        .here("this value has no name")
                        .help("give it a name first: `var xs = ..`");
                    self.report(d);
                    return None;
                }
            }
        };
        let info = &self.locals[root.0 as usize];
        if (info.depth as usize) < self.captures.len() {
            let d =
                Diagnostic::new(&codes::PROG_CONST, e.span, format!("a function value cannot change `{}`", info.name))
                    .here("it has a copy of the variable")
                    .label(info.span, "declared outside of it")
                    .help("return the new value instead");
            self.report(d);
            return None;
        }
        if !info.mutable {
            let d = Diagnostic::new(&codes::PROG_CONST, e.span, format!("`{}` cannot be changed", info.name))
                .here(format!("{what} changes it"))
                .label(info.span, "declared here, without `var`")
                .help(format!("declare it with `var {}`; a parameter is copied first: `var {0} = {0}`", info.name));
            self.report(d);
            return None;
        }
        path.reverse();
        Some(super::tree::Place { root, path })
    }

    fn assign(&mut self, target: &Expr, op: Option<ast::BinOp>, value: &Expr, out: &mut Vec<TStmt>) {
        if let (ast::ExprKind::Tuple(parts), None) = (&target.kind, op) {
            let targets: Vec<TExpr> = parts.iter().map(|p| self.expr(p, None)).collect();
            let ty = Type::Tuple(targets.iter().map(|t| t.ty.clone()).collect());
            let v = self.expr(value, Some(&ty));
            let v = self.coerce(v, &ty);
            let places: Vec<_> = targets.iter().filter_map(|t| self.place(t, "an assignment")).collect();
            if places.len() == targets.len() {
                out.push(TStmt::AssignTuple(places, v));
            }
            return;
        }
        let t = self.expr(target, None);
        let Some(place) = self.place(&t, "an assignment") else {
            self.expr(value, Some(&t.ty));
            return;
        };
        let v = match op {
            None => self.expr(value, Some(&t.ty)),
            Some(op) => {
                let right = self.expr(value, None);
                self.binary(op, t.clone(), right, target.span.to(value.span))
            }
        };
        let v = self.coerce(v, &t.ty);
        out.push(TStmt::Assign(place, v));
    }

    /// Checks a lambda's body away from the loops around it.
    pub fn apart<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let loops = std::mem::take(&mut self.loops);
        let r = f(self);
        self.loops = loops;
        r
    }

    /// The local of this name, recorded as captured where a lambda reads it from outside.
    pub fn local(&mut self, name: &str) -> Option<Local> {
        let local = *self.names.iter().rev().find_map(|n| n.get(name))?;
        let depth = self.locals[local.0 as usize].depth as usize;
        for captures in self.captures.iter_mut().skip(depth) {
            if !captures.contains(&local) {
                captures.push(local);
            }
        }
        Some(local)
    }

    /// Reports a name that nothing has, or that a later version brings.
    pub fn unknown_name(&mut self, name: &Ident) {
        if let Some((_, what)) = contract::LATER.iter().find(|l| l.0 == name.name) {
            self.later(name.span, &name.name, what);
            return;
        }
        let env = self.cx.env;
        let mut known: Vec<&str> = self.names.iter().flat_map(|n| n.keys().map(String::as_str)).collect();
        known.extend(env.scopes[self.scope].names.keys().map(String::as_str));
        known.extend(env.scopes[LIBRARY].names.keys().map(String::as_str));
        known.extend(
            contract::rows()
                .iter()
                .filter(|r| matches!(r.form, contract::Form::Free | contract::Form::Global))
                .map(|r| r.name),
        );
        known.extend(super::builtins::all().iter().map(|b| b.name));
        let d = unknown("name", name, known.into_iter());
        self.report(d);
    }

    pub fn later(&mut self, span: Span, name: &str, what: &str) {
        let d = Diagnostic::new(
            &codes::PROG_LATER,
            span,
            format!("`{name}` needs {what}, which this version does not have yet"),
        )
        .help("strategies over candidates and trials (evolution, tournaments, halving, Pareto search) work now");
        self.report(d);
    }
}

/// "unknown name `x`", with the nearest known one.
fn unknown<'a>(what: &str, name: &Ident, known: impl Iterator<Item = &'a str>) -> Diagnostic {
    let d = Diagnostic::new(&codes::PROG_NAME, name.span, format!("unknown {what} `{}`", name.name));
    match did_you_mean(&name.name, known) {
        Some(near) => {
            let d = d.help(format!("did you mean `{near}`?"));
            d.fix(name.span, near, format!("write `{near}`"))
        }
        None => d.here("nothing of this name is in scope").help("declare it, or bring it in with `use`"),
    }
}
