//! Checking of calls: of programs, function values, builtins, the runtime's contract and architecture items.
//!
//! `x.f(a)` is the contract's method of `x`'s type, else a builtin, else the function `f(x, a)`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::builtins::{self, Builtin, Sig};
use super::check::FnChecker;
use super::check_expr::{error, texpr};
use super::contract::{self, Form, HostFn, Row, RowParam};
use super::env::{FunItem, Item, OpItem};
use super::host::Value;
use super::tree::{Place, TExpr, TKind};
use super::types::{Tag, Type};
use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident, ParamKind};

/// One formal parameter of whatever is called.
struct Formal<'a> {
    name: &'a str,
    optional: bool,
}

/// For each parameter, where its value comes from.
#[derive(Clone, Copy)]
enum Source<'a> {
    Receiver,
    Arg(&'a Arg),
    Default,
    Missing,
}

impl FnChecker<'_, '_> {
    pub fn call(&mut self, e: &Expr, callee: &Expr, args: &[Arg], hint: Option<&Type>, discard: bool) -> TExpr {
        match &callee.kind {
            ExprKind::Name(n) => self.call_name(e.span, &n.ident, args, hint, discard),
            ExprKind::Field { base, name } => self.call_method(e.span, base, name, args),
            _ => {
                let f = self.expr(callee, None);
                self.call_value(f, args, e.span)
            }
        }
    }

    fn skip(&mut self, args: &[Arg]) {
        for a in args {
            if !matches!(a.value.kind, ExprKind::Lambda { .. }) {
                self.expr(&a.value, None);
            }
        }
    }

    fn call_name(&mut self, span: Span, n: &Ident, args: &[Arg], hint: Option<&Type>, discard: bool) -> TExpr {
        if let Some(l) = self.local(&n.name) {
            let f = texpr(self.locals[l.0 as usize].ty.clone(), n.span, TKind::Local(l));
            return self.call_value(f, args, span);
        }
        let env = self.cx.env;
        match env.item(self.scope, &n.name) {
            Some(Item::Fun(funs)) => return self.call_fun(funs, None, args, n, span, hint),
            Some(Item::Op(op)) => return self.call_op(op, args, n, span),
            None => {}
        }
        // `log(x)` is the logarithm where its value is used, and writes to the log where it is not.
        let math =
            n.name == "log" && !discard && !matches!(args, [Arg { value: Expr { kind: ExprKind::Str(_), .. }, .. }]);
        if let Some(row) = contract::free(&n.name)
            && !math
        {
            if row.form == Form::Global {
                self.skip(args);
                let d = Diagnostic::new(&codes::PROG_TYPE, n.span, format!("`{}` is not a function", n.name))
                    .help(format!("write `{}`", n.name));
                self.report(d);
                return error(span);
            }
            return self.call_row(row, None, args, n, span);
        }
        if let Some(sig) = builtins::find(&n.name) {
            return self.call_builtin(sig, None, args, n, span, hint);
        }
        self.skip(args);
        self.unknown_name(n);
        error(span)
    }

    fn call_method(&mut self, span: Span, base: &Expr, name: &Ident, args: &[Arg]) -> TExpr {
        let mut b = self.expr(base, None);
        let mut t = self.infer.shallow(&b.ty);
        if matches!(t, Type::Error | Type::Never) {
            self.skip(args);
            return error(span);
        }
        let on_optional = matches!(name.name.as_str(), "or" | "unwrap");
        if let Type::Optional(inner) = &t
            && !on_optional
        {
            t = self.infer.shallow(inner);
            b = texpr(t.clone(), b.span, TKind::Unwrap(Box::new(b)));
        }
        if let Type::Record(fs) = &t
            && let Some(i) = fs.iter().position(|f| f.0 == name.name)
        {
            let f = texpr(fs[i].1.clone(), span, TKind::Field(Box::new(b), i));
            return self.call_value(f, args, span);
        }
        if let Some(row) = contract::member(&t, &name.name) {
            if row.form == Form::Field {
                self.skip(args);
                let d = Diagnostic::new(
                    &codes::PROG_MEMBER,
                    name.span,
                    format!("`{}` is a field, not a method", name.name),
                )
                .help(format!("leave the parentheses out: `.{}`", name.name));
                self.report(d);
                return error(span);
            }
            return self.call_row(row, Some(b), args, name, span);
        }
        if let Type::Opaque(tag) = &t
            && let Some(what) = contract::later_type(*tag)
        {
            self.skip(args);
            self.later(name.span, tag.name(), what);
            return error(span);
        }
        let env = self.cx.env;
        if let Some(Item::Fun(funs)) = env.item(self.scope, &name.name) {
            return self.call_fun(funs, Some(b), args, name, span, None);
        }
        if let Some(row) = contract::free(&name.name)
            && row.form == Form::Free
            && row.params.first().is_some_and(|p| p.ty == t)
        {
            return self.call_row(row, Some(b), args, name, span);
        }
        if let Some(sig) = builtins::find(&name.name)
            && (matches!(t, Type::List(_) | Type::Var(_))
                || !matches!(sig.params[0].ty, Type::List(_))
                || sig.op == Builtin::Len && t == Type::Str)
            && !matches!(t, Type::Opaque(_))
        {
            return self.call_builtin(sig, Some(b), args, name, span, None);
        }
        self.skip(args);
        self.no_member(&b, &t, name)
    }

    fn call_value(&mut self, f: TExpr, args: &[Arg], span: Span) -> TExpr {
        let t = self.infer.shallow(&f.ty);
        let (ps, r) = match t {
            Type::Fn(ps, r) => (ps, *r),
            Type::Var(_) => {
                let ps: Vec<Type> = args.iter().map(|_| self.infer.fresh()).collect();
                let r = self.infer.fresh();
                self.infer.unify(&f.ty, &Type::Fn(ps.clone(), Box::new(r.clone())));
                (ps, r)
            }
            _ => {
                self.skip(args);
                return self.wrong(&f, "a function");
            }
        };
        if ps.len() != args.len() || args.iter().any(|a| a.name.is_some()) {
            self.skip(args);
            let d = Diagnostic::new(
                &codes::PROG_ARGUMENT,
                span,
                format!("this function value takes {} unnamed argument(s), not {}", ps.len(), args.len()),
            );
            self.report(d);
            return error(span);
        }
        let args = args.iter().zip(&ps).map(|(a, t)| self.expr_as(&a.value, t)).collect();
        texpr(r, span, TKind::CallValue(Box::new(f), args))
    }

    /// Matches arguments with parameters; reports what does not fit.
    fn bind<'a>(
        &mut self,
        formals: &[Formal<'_>],
        receiver: bool,
        args: &'a [Arg],
        callee: &Ident,
        declared: Option<Span>,
    ) -> Option<Vec<Source<'a>>> {
        let mut out: Vec<Source<'a>> = vec![Source::Missing; formals.len()];
        let mut ok = true;
        let mut at = 0;
        if receiver {
            if formals.is_empty() {
                let d = Diagnostic::new(
                    &codes::PROG_ARGUMENT,
                    callee.span,
                    format!("`{}` takes no arguments, so it is no method", callee.name),
                );
                self.report(d);
                return None;
            }
            out[0] = Source::Receiver;
            at = 1;
        }
        let given = args.iter().filter(|a| a.name.is_none()).count() + usize::from(receiver);
        let mut too_many = false;
        for a in args {
            let slot = match &a.name {
                None => {
                    at += 1;
                    at - 1
                }
                Some(n) => match formals.iter().position(|f| f.name == n.name) {
                    Some(i) => i,
                    None => {
                        ok = false;
                        let mut d = Diagnostic::new(
                            &codes::PROG_ARGUMENT,
                            n.span,
                            format!("`{}` has no parameter `{}`", callee.name, n.name),
                        );
                        d = match did_you_mean(&n.name, formals.iter().map(|f| f.name)) {
                            Some(near) => {
                                d.help(format!("did you mean `{near}`?")).fix(n.span, near, format!("write `{near}`"))
                            }
                            None => d.help(parameters(formals)),
                        };
                        if let Some(s) = declared {
                            d = d.label(s, "declared here");
                        }
                        self.report(d);
                        continue;
                    }
                },
            };
            match out.get_mut(slot) {
                None => {
                    ok = false;
                    if !too_many {
                        too_many = true;
                        let mut d = Diagnostic::new(
                            &codes::PROG_ARGUMENT,
                            a.value.span,
                            format!("`{}` takes {} argument(s), {given} are given", callee.name, formals.len()),
                        )
                        .here("one too many")
                        .help(parameters(formals));
                        if let Some(s) = declared {
                            d = d.label(s, "declared here");
                        }
                        self.report(d);
                    }
                }
                Some(Source::Receiver | Source::Arg(_)) => {
                    ok = false;
                    let d = Diagnostic::new(
                        &codes::PROG_ARGUMENT,
                        a.value.span,
                        format!("`{}` is given twice", formals[slot].name),
                    )
                    .help("leave one of them out");
                    self.report(d);
                }
                Some(s) => *s = Source::Arg(a),
            }
        }
        let mut missing = Vec::new();
        for (s, f) in out.iter_mut().zip(formals) {
            if matches!(s, Source::Missing) {
                *s = Source::Default;
                if !f.optional {
                    missing.push(format!("`{}`", f.name));
                }
            }
        }
        if !missing.is_empty() && ok {
            let mut d = Diagnostic::new(
                &codes::PROG_MISSING,
                callee.span,
                format!("`{}` needs {}", callee.name, missing.join(" and ")),
            )
            .help(parameters(formals));
            if let Some(s) = declared {
                d = d.label(s, "declared here");
            }
            self.report(d);
        }
        if ok && missing.is_empty() {
            return Some(out);
        }
        self.skip(args);
        None
    }

    /// Checks bound arguments against opened types: lambdas last, since the others tell their parameters' types.
    fn arguments(
        &mut self,
        sources: &[Source<'_>],
        types: &[Type],
        receiver: &mut Option<TExpr>,
    ) -> Vec<Option<TExpr>> {
        let mut out: Vec<Option<TExpr>> = sources.iter().map(|_| None).collect();
        for late in [false, true] {
            for (i, s) in sources.iter().enumerate() {
                match s {
                    Source::Receiver if !late => {
                        out[i] = receiver.take().map(|r| self.coerce(r, &types[i]));
                    }
                    Source::Arg(a) if late == self.is_function(&a.value) => {
                        out[i] = Some(self.expr_as(&a.value, &types[i]));
                    }
                    _ => {}
                }
            }
        }
        out
    }

    fn is_function(&self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Lambda { .. } => true,
            ExprKind::Name(n) => {
                !self.names.iter().any(|s| s.contains_key(&n.ident.name))
                    && matches!(self.cx.env.item(self.scope, &n.ident.name), Some(Item::Fun(_)))
            }
            _ => false,
        }
    }

    fn call_fun(
        &mut self,
        funs: &[Arc<FunItem>],
        mut receiver: Option<TExpr>,
        args: &[Arg],
        n: &Ident,
        span: Span,
        hint: Option<&Type>,
    ) -> TExpr {
        let given = args.len() + usize::from(receiver.is_some());
        let item = funs
            .iter()
            .find(|f| {
                given <= f.fun.params.len() && given >= f.fun.params.iter().filter(|p| p.default.is_none()).count()
            })
            .unwrap_or(&funs[0])
            .clone();
        let fun = &item.fun;
        let formals: Vec<Formal<'_>> =
            fun.params.iter().map(|p| Formal { name: &p.name.name, optional: p.default.is_some() }).collect();
        let Some(sources) = self.bind(&formals, receiver.is_some(), args, n, Some(fun.name.span)) else {
            return error(span);
        };
        // The callee's type variables, read in the callee's scope.
        let outer = std::mem::take(&mut self.params);
        let types: Vec<Type> = fun
            .params
            .iter()
            .map(|p| match &p.kind {
                ParamKind::Typed(t) => self.written(t),
                ParamKind::Untyped => self.infer.fresh(),
                ParamKind::Tensor(_) => {
                    self.architecture(p.name.span, "a tensor parameter");
                    Type::Error
                }
            })
            .collect();
        let result = fun.result.as_ref().map(|t| self.written(t));
        self.params = outer;
        // What is expected of the result may settle a type variable (`var xs: list<int> = id([])`), but only where nothing converts.
        if let (Some(r @ (Type::List(_) | Type::Tuple(_))), Some(h @ (Type::List(_) | Type::Tuple(_)))) =
            (&result, hint)
            && self.infer.known(h)
            && fun.params.iter().all(|p| p.default.is_none())
            && given == 0
        {
            self.infer.unify(r, h);
        }
        let mut values = self.arguments(&sources, &types, &mut receiver);
        for (i, p) in fun.params.iter().enumerate() {
            if values[i].is_none()
                && let Some(d) = &p.default
            {
                values[i] = Some(self.default_of(&item, d, &types[i]));
            }
        }
        let values: Vec<TExpr> = values.into_iter().map(|v| v.unwrap_or_else(|| error(span))).collect();
        if values.iter().any(|v| matches!(v.kind, TKind::Error)) {
            return texpr(
                result.map_or(Type::Error, |r| if self.infer.known(&r) { r } else { Type::Error }),
                span,
                TKind::Error,
            );
        }
        let result = match result {
            Some(r) => r,
            None => {
                let full: Vec<Type> = types.iter().map(|t| self.infer.deep(t)).collect();
                if let Some(i) = full.iter().position(|t| t.any(&|t| matches!(t, Type::Var(_)))) {
                    return self.wrong(&values[i], "a value of a known type");
                }
                match self.cx.instance(&item, &full, span) {
                    Some(r) => r,
                    None => {
                        let d = Diagnostic::new(
                            &codes::PROG_RECURSION,
                            span,
                            format!("`{}` calls itself, so its result must be written down", n.name),
                        )
                        .here("the type of this call is not known yet")
                        .label(fun.name.span, "declared here without a result type")
                        .help("add one: `-> float`");
                        self.report(d);
                        return error(span);
                    }
                }
            }
        };
        self.calls.push((item.clone(), types.clone(), span));
        texpr(result, span, TKind::Call(item, types, values))
    }

    /// A default value, which is read in the scope of the function that it belongs to.
    fn default_of(&mut self, item: &Arc<FunItem>, e: &Expr, ty: &Type) -> TExpr {
        let names = std::mem::replace(&mut self.names, vec![BTreeMap::new()]);
        let scope = std::mem::replace(&mut self.scope, item.scope);
        let v = self.expr_as(e, ty);
        self.names = names;
        self.scope = scope;
        v
    }

    pub fn function_value(&mut self, item: &Arc<FunItem>, params: &[Type], span: Span) -> TExpr {
        let fun = &item.fun;
        if fun.params.len() != params.len() {
            let d = Diagnostic::new(
                &codes::PROG_TYPE,
                span,
                format!(
                    "a function of {} parameter(s) is needed, `{}` has {}",
                    params.len(),
                    fun.name.name,
                    fun.params.len()
                ),
            )
            .label(fun.name.span, "declared here");
            self.report(d);
            return error(span);
        }
        let outer = std::mem::take(&mut self.params);
        let mut types = Vec::new();
        for (p, want) in fun.params.iter().zip(params) {
            let t = match &p.kind {
                ParamKind::Typed(t) => self.written(t),
                _ => want.clone(),
            };
            types.push(t);
        }
        let result = fun.result.as_ref().map(|t| self.written(t));
        self.params = outer;
        for (t, want) in types.iter().zip(params) {
            if !self.infer.unify(t, want) {
                let (a, b) = (self.infer.deep(t), self.infer.deep(want));
                let d = Diagnostic::new(
                    &codes::PROG_TYPE,
                    span,
                    format!("`{}` takes `{a}`, where it is given `{b}`", fun.name.name),
                );
                self.report(d);
                return error(span);
            }
        }
        let full: Vec<Type> = types.iter().map(|t| self.infer.full(t)).collect();
        let result = result.or_else(|| self.cx.instance(item, &full, span)).unwrap_or(Type::Error);
        self.calls.push((item.clone(), types.clone(), span));
        texpr(Type::Fn(types, Box::new(result)), span, TKind::Fun(item.clone()))
    }

    fn call_op(&mut self, op: &Arc<OpItem>, args: &[Arg], n: &Ident, span: Span) -> TExpr {
        let scalars: Vec<_> = op.params.iter().filter(|p| !matches!(p.kind, ParamKind::Tensor(_))).collect();
        // Whether all arguments that the item needs are there is decided where it is elaborated: some are given by the data.
        let formals: Vec<Formal<'_>> = scalars.iter().map(|p| Formal { name: &p.name.name, optional: true }).collect();
        let Some(sources) = self.bind(&formals, false, args, n, None) else {
            return error(span);
        };
        let mut out = Vec::new();
        for (p, s) in scalars.iter().zip(&sources) {
            let Source::Arg(a) = s else { continue };
            let v = match &p.kind {
                ParamKind::Typed(t) => {
                    let t = self.written(t);
                    self.expr_as(&a.value, &t)
                }
                _ => {
                    let t = match p.default.as_ref().map(|d| &d.kind) {
                        Some(ExprKind::Float(_) | ExprKind::Quantity(..)) => Some(Type::Float),
                        _ => None,
                    };
                    match t {
                        Some(t) => self.expr_as(&a.value, &t),
                        None => self.expr(&a.value, None),
                    }
                }
            };
            out.push((p.name.name.clone(), v));
        }
        texpr(Type::Op, span, TKind::Op(n.name.clone(), out))
    }

    /// A constant of the contract's table.
    fn constant(&mut self, v: &Value, ty: &Type, span: Span) -> TExpr {
        let e = match v {
            Value::Int(i) => texpr(Type::Int, span, TKind::Int(*i)),
            Value::Float(x) => texpr(Type::Float, span, TKind::Float(*x)),
            Value::Bool(b) => texpr(Type::Bool, span, TKind::Bool(*b)),
            Value::Str(s) => texpr(Type::Str, span, TKind::Str(s.clone())),
            _ => {
                let t = self.infer.fresh();
                texpr(Type::optional(t), span, TKind::None)
            }
        };
        self.coerce(e, ty)
    }

    fn with_defaults(
        &mut self,
        params: &[RowParam],
        values: Vec<Option<TExpr>>,
        types: &[Type],
        span: Span,
    ) -> Vec<TExpr> {
        values
            .into_iter()
            .enumerate()
            .map(|(i, v)| match (v, &params[i].default) {
                (Some(v), _) => v,
                (None, Some(d)) => self.constant(d, &types[i], span),
                (None, None) => error(span),
            })
            .collect()
    }

    fn call_row(&mut self, row: &'static Row, receiver: Option<TExpr>, args: &[Arg], n: &Ident, span: Span) -> TExpr {
        let formals: Vec<Formal<'_>> =
            row.params.iter().map(|p| Formal { name: &p.name, optional: p.default.is_some() }).collect();
        let Some(sources) = self.bind(&formals, receiver.is_some(), args, n, None) else {
            return texpr(
                if row.result.any(&|t| matches!(t, Type::Param(_))) { Type::Error } else { row.result.clone() },
                span,
                TKind::Error,
            );
        };
        let mut place = None;
        if let (Form::Update, Some(r)) = (row.form, &receiver)
            && matches!(r.kind, TKind::Local(_) | TKind::Index(..) | TKind::Field(..))
        {
            place = self.place(r, &format!("`{}`", row.name));
            if place.is_none() {
                return texpr(row.result.clone(), span, TKind::Error);
            }
        }
        let mut names = BTreeMap::new();
        let types: Vec<Type> = row.params.iter().map(|p| self.infer.open(&p.ty, &mut names)).collect();
        let result = self.infer.open(&row.result, &mut names);
        let mut receiver = receiver;
        let values = self.arguments(&sources, &types, &mut receiver);
        let inherits = row
            .params
            .iter()
            .position(|p| p.name == "inherit" && p.ty == Type::Optional(Box::new(Type::Opaque(Tag::Trial))));
        self.cx.inherits |= inherits.is_some_and(|i| values[i].is_some());
        let values = self.with_defaults(&row.params, values, &types, span);
        self.host(row.f, values, place, result, span)
    }

    pub fn host(&mut self, f: HostFn, args: Vec<TExpr>, place: Option<Place>, result: Type, span: Span) -> TExpr {
        self.cx.uses.entry(f).or_insert(span);
        if args.iter().any(|a| matches!(a.kind, TKind::Error)) {
            return texpr(result, span, TKind::Error);
        }
        for a in &args {
            let t = self.infer.deep(&a.ty);
            if t.any(&|t| matches!(t, Type::Fn(..))) {
                return self.wrong(a, "a value without functions in it");
            }
        }
        texpr(result, span, TKind::Host(f, args, place))
    }

    fn call_builtin(
        &mut self,
        sig: &'static Sig,
        receiver: Option<TExpr>,
        args: &[Arg],
        n: &Ident,
        span: Span,
        hint: Option<&Type>,
    ) -> TExpr {
        // Functions of one list or of several numbers.
        if matches!(sig.op, Builtin::Min | Builtin::Max) {
            return self.extremum(sig, receiver, args, n, span, hint);
        }
        let formals: Vec<Formal<'_>> =
            sig.params.iter().map(|p| Formal { name: &p.name, optional: p.default.is_some() }).collect();
        let Some(sources) = self.bind(&formals, receiver.is_some(), args, n, None) else {
            return error(span);
        };
        if matches!(
            sig.op,
            Builtin::Len
                | Builtin::Present
                | Builtin::Sum
                | Builtin::Abs
                | Builtin::Int
                | Builtin::Float
                | Builtin::String
                | Builtin::Floor
                | Builtin::Ceil
                | Builtin::Round
        ) {
            let x = match (receiver, sources.first()) {
                (Some(r), _) => r,
                (None, Some(Source::Arg(a))) => self.expr(&a.value, None),
                _ => return error(span),
            };
            return self.conversion(sig, x, span);
        }
        let mut names = BTreeMap::new();
        let types: Vec<Type> = sig.params.iter().map(|p| self.infer.open(&p.ty, &mut names)).collect();
        let result = self.infer.open(&sig.result, &mut names);
        let mut receiver = receiver;
        let mut place = None;
        let values = self.arguments(&sources, &types, &mut receiver);
        let mut values = self.with_defaults(&sig.params, values, &types, span);
        if values.iter().any(|v| matches!(v.kind, TKind::Error)) {
            return texpr(result, span, TKind::Error);
        }
        if sig.changes {
            place = self.place(&values[0], &format!("`{}`", sig.name));
            if place.is_none() {
                return texpr(result, span, TKind::Error);
            }
        }
        match (sig.op, place) {
            (op, Some(place)) => {
                values.remove(0);
                texpr(result, span, TKind::Change(op, place, values))
            }
            (Builtin::Unwrap, None) => texpr(result, span, TKind::Unwrap(Box::new(values.remove(0)))),
            (op, None) => texpr(result, span, TKind::Builtin(op, values)),
        }
    }

    /// Builtins whose type depends on that of their one argument.
    fn conversion(&mut self, sig: &'static Sig, x: TExpr, span: Span) -> TExpr {
        let t = self.infer.shallow(&x.ty);
        let make = |ty: Type, x: TExpr| texpr(ty, span, TKind::Builtin(sig.op, vec![x]));
        match (sig.op, &t) {
            (_, Type::Error | Type::Never) => error(span),
            (Builtin::Len, Type::List(_) | Type::Str) => make(Type::Int, x),
            (Builtin::Len | Builtin::Sum, Type::Optional(_)) => {
                let inner = texpr(self.infer.shallow(&unwrapped(&t)), span, TKind::Unwrap(Box::new(x)));
                self.conversion(sig, inner, span)
            }
            (Builtin::Present, Type::List(e)) => match self.infer.shallow(e) {
                Type::Optional(inner) => make(Type::List(inner), x),
                _ => x,
            },
            (Builtin::Sum, Type::List(e)) => match self.infer.shallow(e) {
                Type::Int => make(Type::Int, x),
                Type::Float => make(Type::Float, x),
                Type::Var(_) => {
                    self.infer.unify(e, &Type::Float);
                    make(Type::Float, x)
                }
                Type::Optional(inner) => {
                    let present = texpr(Type::List(inner), span, TKind::Builtin(Builtin::Present, vec![x]));
                    self.conversion(sig, present, span)
                }
                _ => self.wrong(&x, "a list of numbers"),
            },
            (Builtin::Abs, Type::Int | Type::Float) => make(t, x),
            (Builtin::Int | Builtin::Floor | Builtin::Ceil | Builtin::Round, Type::Int)
            | (Builtin::Float, Type::Float) => x,
            (Builtin::Int, Type::Option | Type::Bool | Type::Str)
            | (Builtin::Int | Builtin::Floor | Builtin::Ceil | Builtin::Round, Type::Float) => make(Type::Int, x),
            (Builtin::Float, Type::Int) => self.coerce(x, &Type::Float),
            (Builtin::Float, Type::Option | Type::Str) => make(Type::Float, x),
            (Builtin::String, Type::Fn(..) | Type::Unit | Type::Var(_)) => {
                self.wrong(&x, "a value that can be printed")
            }
            (Builtin::String, _) => make(Type::Str, x),
            (Builtin::Len | Builtin::Present, _) => self.wrong(&x, "a list"),
            _ => self.wrong(&x, "a number"),
        }
    }

    fn extremum(
        &mut self,
        sig: &'static Sig,
        receiver: Option<TExpr>,
        args: &[Arg],
        n: &Ident,
        span: Span,
        hint: Option<&Type>,
    ) -> TExpr {
        if let Some(a) = args.iter().find_map(|a| a.name.as_ref()) {
            let d =
                Diagnostic::new(&codes::PROG_ARGUMENT, a.span, format!("`{}` has no parameter `{}`", n.name, a.name))
                    .help("it takes numbers, or one list");
            self.report(d);
            return error(span);
        }
        let hint = hint.filter(|t| matches!(t, Type::Float));
        let mut values: Vec<TExpr> = receiver.into_iter().collect();
        for a in args {
            values.push(self.expr(&a.value, hint));
        }
        if values.iter().any(|v| matches!(self.infer.shallow(&v.ty), Type::Error | Type::Never)) {
            return error(span);
        }
        if values.is_empty() {
            let d = Diagnostic::new(&codes::PROG_MISSING, span, format!("`{}` needs arguments", n.name))
                .help("it takes numbers, or one list");
            self.report(d);
            return error(span);
        }
        if values.len() == 1 {
            let xs = values.remove(0);
            let Type::List(e) = self.infer.shallow(&xs.ty) else {
                return self.wrong(&xs, "a list, or several numbers");
            };
            return texpr(*e, span, TKind::Builtin(sig.op, vec![xs]));
        }
        let mut ty = Type::Int;
        for v in &values {
            match self.infer.shallow(&v.ty) {
                Type::Int => {}
                Type::Float => ty = Type::Float,
                _ => return self.wrong(v, "a number"),
            }
        }
        let mut it = values.into_iter();
        let Some(first) = it.next() else { return error(span) };
        let mut acc = self.coerce(first, &ty);
        for v in it {
            let v = self.coerce(v, &ty);
            acc = texpr(ty.clone(), span, TKind::Builtin(sig.op, vec![acc, v]));
        }
        acc
    }
}

fn unwrapped(t: &Type) -> Type {
    match t {
        Type::Optional(t) => (**t).clone(),
        t => t.clone(),
    }
}

fn parameters(formals: &[Formal<'_>]) -> String {
    let names: Vec<String> = formals
        .iter()
        .filter(|f| f.name != "self")
        .map(|f| format!("`{}`{}", f.name, if f.optional { "?" } else { "" }))
        .collect();
    if names.is_empty() { "it takes none".into() } else { format!("its parameters are {}", names.join(", ")) }
}
