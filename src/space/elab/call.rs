//! Calls: matching arguments with parameters, and running declarations.

use std::rc::Rc;

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::sema::names::wording;
use crate::sema::sym::{Assignment, Cmp, Num};
use crate::syntax::ast::{self, ArchKind, Dim, Expr, ExprKind, ParamKind, TypeKind};

use super::super::value::{Builtin, Decl, Home, Item, OpKind, Place, Scope, Value};
use super::{Arg, Call, Elab, Halt, MAX_CALLS, R, Stamp, Template};

/// An argument with its name and place.
#[derive(Clone, Debug)]
pub(crate) struct Argument<'a> {
    pub name: Option<&'a ast::Ident>,
    pub value: Value<'a>,
    pub span: Span,
}

impl<'a> Elab<'a, '_> {
    pub(crate) fn call_expr(
        &mut self,
        callee: &'a Expr,
        args: &'a [ast::Arg],
        span: Span,
        s: &mut Scope<'a>,
    ) -> R<Value<'a>> {
        if let ExprKind::Field { base, name } = &callee.kind {
            return self.method(base, name, args, span, s);
        }
        let f = self.eval(callee, s)?;
        // `ceil(a / b)` and `floor(a / b)` say how a division rounds.
        if let (Value::Builtin(b @ (Builtin::Ceil | Builtin::Floor)), [ast::Arg { name: None, value }]) = (&f, args)
            && let ExprKind::Binary(ast::BinOp::Div, x, y) = &value.kind
        {
            let (b, x, y) = (*b, self.number(x, s)?, self.number(y, s)?);
            return self.rounded_division(b, x, y, span);
        }
        let exact = std::mem::replace(&mut self.exact, false);
        let args = self.arguments(args, s);
        self.exact = exact;
        let args = args?;
        if let (ExprKind::Name(n), Value::Item(item)) = (&callee.kind, &f) {
            let item = item.clone();
            return self.in_use(n, &item, |el| el.call_item(&item, args, span));
        }
        self.call_value(&f, args, span)
    }

    fn arguments(&mut self, args: &'a [ast::Arg], s: &mut Scope<'a>) -> R<Vec<Argument<'a>>> {
        args.iter()
            .map(|a| {
                let r = self.eval(&a.value, s);
                let value = self.recover(r)?;
                Ok(Argument { name: a.name.as_ref(), value, span: a.value.span })
            })
            .collect()
    }

    /// `xs.push(x)` and `xs.pop()` write their receiver; any other method is a function of it.
    fn method(
        &mut self,
        base: &'a Expr,
        name: &'a ast::Ident,
        args: &'a [ast::Arg],
        span: Span,
        s: &mut Scope<'a>,
    ) -> R<Value<'a>> {
        let receiver = self.eval(base, s)?;
        let mut args = self.arguments(args, s)?;
        if let Value::Poison = receiver {
            return Ok(Value::Poison);
        }
        match name.name.as_str() {
            "push" if args.len() == 1 => {
                let Some(xs) = self.elements(&receiver, base.span)? else { return Ok(Value::Poison) };
                let mut xs = (*xs).clone();
                let index = xs.len();
                xs.push(super::super::value::Element { when: Num::Bool(true), value: args.remove(0).value, index });
                self.write_back(base, Value::List(Rc::new(xs)), s)?;
                Ok(Value::Tuple(Rc::default()))
            }
            "pop" if args.is_empty() => {
                let Some(xs) = self.elements(&receiver, base.span)? else { return Ok(Value::Poison) };
                let mut xs = (*xs).clone();
                let Some(last) = xs.pop().filter(|x| x.when == Num::Bool(true)) else {
                    return self.error(&codes::OUT_OF_RANGE, span, "there is no certain last element to pop");
                };
                self.write_back(base, Value::List(Rc::new(xs)), s)?;
                Ok(last.value)
            }
            _ => {
                let f = match s.find(&name.name).map(|v| v.value.clone()) {
                    Some(v) => Some(v),
                    None => match self.module_item(s, name)? {
                        Some(v) => Some(v),
                        None => Builtin::ALL.iter().find(|b| b.0 == name.name).map(|b| Value::Builtin(b.1)),
                    },
                };
                let Some(f) = f else {
                    return self.fail(wording::unknown_method(
                        self.program,
                        s.module,
                        name,
                        s.vars.iter().map(|v| v.name),
                    ));
                };
                args.insert(0, Argument { name: None, value: receiver, span: base.span });
                self.call_value(&f, args, span)
            }
        }
    }

    /// Calls a value.
    pub(crate) fn call_value(&mut self, f: &Value<'a>, args: Vec<Argument<'a>>, span: Span) -> R<Value<'a>> {
        match f {
            Value::Poison => Ok(Value::Poison),
            Value::Item(item) => self.call_item(item, args, span),
            Value::Builtin(b) => self.call_builtin(*b, args, span),
            Value::Lambda(l) => {
                let mut scope = l.scope.clone();
                if args.len() != l.params.len() {
                    return self.error(
                        &codes::WRONG_ARGUMENT,
                        span,
                        format!("this function takes {} arguments, not {}", l.params.len(), args.len()),
                    );
                }
                for (p, a) in l.params.iter().zip(args) {
                    self.bind(p, a.value, false, &mut scope)?;
                }
                self.deeper("a function", span, String::new(), |el| el.eval(l.body, &mut scope))
            }
            Value::Op(_) | Value::None | Value::Zeros => {
                let inputs = args.into_iter().map(|a| a.value).collect();
                self.apply(f, inputs, span)
            }
            Value::Case(_) => {
                let f = f.clone();
                self.each_case(&f, span, &mut |el, f| el.call_value(f, args.clone(), span))
            }
            _ => self.fail(
                Diagnostic::new(&codes::WRONG_TYPE, span, format!("{} cannot be called", f.kind()))
                    .here("not an operation or a function"),
            ),
        }
    }

    /// Calls a declaration. Without its tensors it is an operation that waits for them.
    pub(crate) fn call_item(&mut self, item: &Rc<Item<'a>>, args: Vec<Argument<'a>>, span: Span) -> R<Value<'a>> {
        // What was reported once is not reported again in other words.
        if args.iter().any(|a| matches!(a.value, Value::Poison)) {
            return Ok(Value::Poison);
        }
        let params = item.decl.params();
        let tensors: Vec<&'a ast::Param> = params.iter().filter(|p| matches!(p.kind, ParamKind::Tensor(_))).collect();
        let first_is_tensor = args.first().is_some_and(|a| {
            a.name.is_none() && (a.value.is_tensor_like() || matches!(a.value, Value::None | Value::Zeros))
        });
        let named_tensor = args.iter().any(|a| a.name.is_some_and(|n| tensors.iter().any(|t| t.name.name == n.name)));
        let direct = tensors.is_empty() || first_is_tensor || named_tensor;
        let places: Vec<(Option<&ast::Ident>, Span)> = args.iter().map(|a| (a.name, a.span)).collect();
        let places = match wording::match_arguments(item.decl.name(), params, &places, direct, span) {
            Ok(p) => p,
            Err(mut wrong) => {
                let Some(last) = wrong.pop() else { return Ok(Value::Poison) };
                if self.checking() {
                    for d in wrong {
                        self.report(d);
                    }
                }
                return self.fail(last);
            }
        };
        let mut inputs: Vec<Option<Value<'a>>> = vec![None; tensors.len()];
        let mut bound: Vec<(String, Value<'a>)> = Vec::new();
        for (a, at) in args.into_iter().zip(places) {
            let p = &params[at];
            if let Some(i) = tensors.iter().position(|t| t.name.name == p.name.name) {
                inputs[i] = Some(a.value);
                continue;
            }
            let value = self.typed(p, a.value, a.span)?;
            bound.push((p.name.name.clone(), value));
        }
        if !direct {
            return Ok(self.op(OpKind::Call(item.clone(), bound), span));
        }
        self.invoke(item, inputs.into_iter().flatten().collect(), bound, span)
    }

    /// The value as the parameter's type.
    pub(crate) fn typed(&mut self, p: &'a ast::Param, v: Value<'a>, span: Span) -> R<Value<'a>> {
        let ParamKind::Typed(ty) = &p.kind else { return Ok(v) };
        let TypeKind::Named(name, _) = &ty.kind else { return Ok(v) };
        let fits = match (&v, name.name.as_str()) {
            (Value::Poison | Value::Case(_), _) => true,
            (Value::Num(Num::Int(i)), "float") => return Ok(Value::Num(Num::Float(*i as f64))),
            (Value::Num(Num::Int(_) | Num::Sym(_)), "int") => true,
            (Value::Num(Num::Float(_) | Num::Sym(_)), "float") => true,
            (Value::Num(Num::Bool(_) | Num::Sym(_)), "bool") => true,
            (Value::Str(_), "string") | (Value::List(_), "list") => true,
            (Value::Op(_) | Value::Item(_) | Value::Builtin(_) | Value::Lambda(_), "op") => true,
            (Value::None | Value::Zeros, "op") => true,
            (_, "int" | "float" | "bool" | "string" | "list" | "op") => false,
            _ => true,
        };
        if fits {
            return Ok(v);
        }
        self.fail(wording::wrong_type(p, &name.name, v.kind(), span))
    }

    /// Runs `f` one call deeper. Equal calls inside each other never end.
    pub(crate) fn deeper<T>(
        &mut self,
        name: &'a str,
        span: Span,
        key: String,
        f: impl FnOnce(&mut Self) -> R<T>,
    ) -> R<T> {
        let endless = !key.is_empty() && self.calls.iter().any(|c| c.key == key);
        if endless || self.calls.len() >= MAX_CALLS {
            // What calls itself is what is active most often, not what happened to be called last.
            let often = |name: &str| self.calls.iter().filter(|c| c.name == name).count();
            let (name, span) = match self.calls.iter().max_by_key(|c| often(c.name)) {
                Some(c) if !endless => (c.name, c.span),
                _ => (name, span),
            };
            let first = self.calls.iter().find(|c| c.name == name).map(|c| c.span);
            let mut d = if endless {
                wording::endless(name, span)
            } else {
                wording::endless_as(span, format!("calls are nested more than {MAX_CALLS} deep in `{name}`"))
            };
            if let Some(f) = first.filter(|f| *f != span) {
                d = d.label(f, "first called here");
            }
            return self.fail(d);
        }
        self.calls.push(Call { span, name, key });
        let r = f(self);
        self.calls.pop();
        r
    }

    /// Runs a declaration on its inputs.
    pub(crate) fn invoke(
        &mut self,
        item: &Rc<Item<'a>>,
        inputs: Vec<Value<'a>>,
        bound: Vec<(String, Value<'a>)>,
        span: Span,
    ) -> R<Value<'a>> {
        if let Some(i) = inputs.iter().position(|v| matches!(v, Value::Case(_))) {
            let case = inputs[i].clone();
            return self.each_case(&case, span, &mut |el, v| {
                let mut inputs = inputs.clone();
                inputs[i] = v.clone();
                el.invoke(item, inputs, bound.clone(), span)
            });
        }
        if inputs.iter().any(|v| matches!(v, Value::Poison)) {
            return Ok(Value::Poison);
        }
        let remembered = self.primitive_key(item, &inputs, &bound);
        if let Some(shapes) = remembered.as_ref().and_then(|k| self.shapes.get(k)) {
            let shapes = shapes.clone();
            return Ok(self.primitive_again(&inputs, shapes, span));
        }
        let before = (self.required, self.decisions.len(), self.decided.len());
        let v = self.invoke_anew(item, inputs, bound, span)?;
        if let Some(key) = remembered
            && before == (self.required, self.decisions.len(), self.decided.len())
            && let Some(shapes) = shapes_of(&v)
        {
            self.shapes.insert(key, shapes);
        }
        Ok(v)
    }

    /// The primitive, the shapes of its inputs and its arguments: all that the shapes of its outputs depend on. `None` where
    /// they may depend on more, or more than shapes is wanted.
    fn primitive_key(&self, item: &Item<'a>, inputs: &[Value<'a>], bound: &[(String, Value<'a>)]) -> Option<Vec<u64>> {
        let (Decl::Primitive(p), Home::Module) = (item.decl, &item.home) else { return None };
        if self.emitting() || self.calls.len() >= MAX_CALLS {
            return None;
        }
        let mut key = vec![std::ptr::from_ref(p).addr() as u64];
        for v in inputs {
            let Value::Tensor(t) = v else { return None };
            key.push(t.dims.len() as u64);
            key.extend(t.dims.iter().flat_map(|d| d.words()));
        }
        for (name, v) in bound {
            let Value::Num(n) = v else { return None };
            key.push(p.params.iter().position(|q| q.name.name == *name)? as u64);
            key.extend(n.words());
        }
        Some(key)
    }

    fn primitive_again(&mut self, inputs: &[Value<'a>], shapes: Vec<Vec<Num>>, span: Span) -> Value<'a> {
        for v in inputs {
            if let Value::Tensor(t) = v {
                self.read(t, Num::Bool(true));
            }
        }
        let mut out: Vec<Value<'a>> =
            shapes.into_iter().map(|dims| Value::Tensor(self.tensor(dims, None, false, span))).collect();
        if out.len() == 1 { out.remove(0) } else { Value::Tuple(Rc::new(out)) }
    }

    fn invoke_anew(
        &mut self,
        item: &Rc<Item<'a>>,
        inputs: Vec<Value<'a>>,
        bound: Vec<(String, Value<'a>)>,
        span: Span,
    ) -> R<Value<'a>> {
        let name = item.decl.name().name.as_str();
        let key = self.call_key(item, &inputs, &bound);
        self.deeper(name, span, key, |el| {
            let r = el.invoke_inner(item, inputs, bound, span);
            // The call stack says where an error of the callee comes from.
            match r {
                Err(Halt::Error(d)) if el.checking() => {
                    el.report(*d);
                    Ok(Value::Poison)
                }
                Err(Halt::Error(d)) => {
                    let d = el.placed(*d);
                    Err(Halt::Error(Box::new(d)))
                }
                Err(Halt::Nowhere) => Ok(Value::Poison),
                r => r,
            }
        })
    }

    fn call_key(&self, item: &Item<'a>, inputs: &[Value<'a>], bound: &[(String, Value<'a>)]) -> String {
        if !self.calls.iter().any(|c| c.name == item.decl.name().name) {
            return format!("{}@{}", item.decl.name().name, self.calls.len());
        }
        let mut key = format!("{}/{:?}", item.decl.name().name, item.decl.name().span);
        for v in inputs {
            if let Value::Tensor(t) = v {
                key.push_str(&self.shape_text(&t.dims, &Assignment::new()));
            }
        }
        for (n, v) in bound {
            match v {
                Value::Num(x) => key.push_str(&format!(" {n}={x:?}")),
                Value::Str(x) => key.push_str(&format!(" {n}={x}")),
                // Other arguments are not compared: calls with them count as different.
                _ => key.push_str(&format!(" {n}#{}", self.calls.len())),
            }
        }
        key
    }

    fn invoke_inner(
        &mut self,
        item: &Rc<Item<'a>>,
        inputs: Vec<Value<'a>>,
        bound: Vec<(String, Value<'a>)>,
        span: Span,
    ) -> R<Value<'a>> {
        let mut scope = item.scope.clone();
        let name = item.decl.name();
        match &item.home {
            Home::Module => {}
            Home::Ahead(stmts, within) => self.declare_all(stmts, within, &item.scope, &mut scope)?,
            Home::Here if item.scope.find(&name.name).is_some_and(|v| matches!(v.value, Value::Item(_))) => {
                scope.bind(&name.name, Value::Item(item.clone()), false);
            }
            Home::Here => {}
        }
        let signature = scope.vars.len();
        let inputs = inputs.into_iter().map(|v| self.as_tensor(v, span)).collect::<R<Vec<_>>>()?;
        let mut given = bound.into_iter().collect::<std::collections::BTreeMap<_, _>>();
        let mut next = inputs.iter();
        let mut shapes = Vec::new();
        for p in item.decl.params() {
            if let ParamKind::Tensor(dims) = &p.kind {
                if let Some(v) = next.next() {
                    shapes.push((p, dims, v.clone()));
                    scope.bind(&p.name.name, v.clone(), false);
                }
            } else {
                let v = match (given.remove(&p.name.name), &p.default) {
                    (Some(v), _) => v,
                    (None, Some(d)) => {
                        let v = self.eval(d, &mut scope)?;
                        self.typed(p, v, d.span)?
                    }
                    (None, None) => Value::Poison,
                };
                scope.bind(&p.name.name, v, false);
            }
        }
        for (p, dims, v) in &shapes {
            let Value::Tensor(t) = v else { continue };
            self.match_dims(item, p, dims, &t.dims, span, &mut scope, signature)?;
        }
        match item.decl {
            Decl::Primitive(p) => self.run_primitive(p, &inputs, scope, span),
            Decl::Fun(f) => match self.body(&f.body, &mut scope) {
                Err(Halt::Return) => Ok(self.returned.take().unwrap_or(Value::Poison)),
                r => r,
            },
            Decl::Arch(a) if a.kind == ArchKind::Motif => self.stamp(item, a, &inputs, &mut scope),
            Decl::Arch(a) if a.kind == ArchKind::Space => self.body(&a.body, &mut scope),
            Decl::Arch(a) => self.at_site(&a.name.name, |el| match el.body(&a.body, &mut scope) {
                Err(Halt::Return) => Ok(el.returned.take().unwrap_or(Value::Poison)),
                r => r,
            }),
        }
    }

    /// One use of a motif: its decisions stand under its own path, its weights under the site.
    fn stamp(
        &mut self,
        item: &Rc<Item<'a>>,
        a: &'a ast::Arch,
        inputs: &[Value<'a>],
        scope: &mut Scope<'a>,
    ) -> R<Value<'a>> {
        let path = item.path.clone();
        let stamp = self.new_stamp();
        self.stamps_of.entry(self.place.owner.to_string()).or_default().insert(path.to_string());
        if self.checking() && !self.templates.contains_key(&*path) {
            let template = self.template(item, a, inputs, scope);
            self.templates.insert(path.to_string(), template);
        }
        let presence = match self.templates.get(&*path) {
            Some(t) if !t.lasting => self.cond,
            _ => item.presence,
        };
        let place = Place { path: path.clone(), owner: path.clone(), stamp, presence };
        let old = std::mem::replace(&mut self.place, place);
        let r = self.at_site(&path, |el| {
            if !el.dry {
                let site = el.sites.last().map_or_else(String::new, |s| s.0.clone());
                el.stamps.push(Stamp { motif: path.to_string(), site });
            }
            match el.body(&a.body, scope) {
                Err(Halt::Return) => Ok(el.returned.take().unwrap_or(Value::Poison)),
                r => r,
            }
        });
        self.place = old;
        if let Ok(Value::Op(_)) = &r
            && !self.dry
        {
            // Its weights will be where the operation is applied; that takes the site of this use.
            if let Some((_, counts)) = self.sites.last_mut()
                && let Some(n) = counts.get_mut(&*path)
            {
                *n -= 1;
            }
            self.pending.insert(stamp, self.stamps.len() - 1);
        }
        r
    }

    /// How a motif is stamped in a candidate that comes here.
    fn template(&mut self, item: &Item<'a>, a: &'a ast::Arch, inputs: &[Value<'a>], scope: &Scope<'a>) -> Template {
        let scalars: Vec<(&str, Value<'a>)> = a
            .params
            .iter()
            .filter(|p| !matches!(p.kind, ParamKind::Tensor(_)))
            .map(|p| (p.name.name.as_str(), scope.find(&p.name.name).map_or(Value::Poison, |v| v.value.clone())))
            .collect();
        let mut of = super::apply::dims_of(inputs);
        of.extend(scalars.iter().filter_map(|(_, v)| match v {
            Value::Num(n) => Some(*n),
            _ => None,
        }));
        let example = self.example(&of);
        let unknown = Assignment::new();
        let at = example.as_ref().unwrap_or(&unknown);
        let args = scalars.iter().filter_map(|(name, v)| {
            let arg = match v {
                Value::Num(n) => Arg::Num(self.syms.eval(*n, at)?),
                Value::Str(t) => Arg::Text(t.to_string()),
                _ => return None,
            };
            Some((name.to_string(), arg))
        });
        let item = match item.home {
            Home::Module => self.program.lookup(item.scope.module, &a.name.name),
            Home::Ahead(..) | Home::Here => None,
        };
        let simple = |v: &Value<'a>| matches!(v, Value::Num(_) | Value::Str(_) | Value::Poison);
        Template {
            item,
            args: args.collect(),
            inputs: self.example_shapes(inputs, at).unwrap_or_default(),
            applied: None,
            lasting: example.is_some() && scalars.iter().all(|(_, v)| simple(v)),
        }
    }

    /// The first use of an operation that a motif gave has the stamp's site; later ones are stamps of their own.
    pub(crate) fn stamped(&mut self, motif: &str, stamp: u32) {
        if self.dry {
            return;
        }
        let site = self.sites.last().map_or_else(String::new, |s| s.0.clone());
        match self.pending.remove(&stamp) {
            Some(at) => self.stamps[at].site = site,
            None => self.stamps.push(Stamp { motif: motif.to_string(), site }),
        }
    }

    /// Binds and compares the extents of a tensor parameter; the call's own names start at `signature` of the scope.
    #[allow(clippy::too_many_arguments, reason = "the parts of one signature")]
    fn match_dims(
        &mut self,
        item: &Item<'a>,
        p: &'a ast::Param,
        pattern: &'a [Dim],
        dims: &[Num],
        span: Span,
        scope: &mut Scope<'a>,
        signature: usize,
    ) -> R<()> {
        let rest = pattern.iter().position(|d| matches!(d, Dim::Rest(_)));
        let fixed = pattern.len() - usize::from(rest.is_some());
        if dims.len() < fixed || (rest.is_none() && dims.len() != fixed) {
            let shape = self.shape_text(dims, &Assignment::new());
            return self.fail(
                Diagnostic::new(
                    &codes::RANK,
                    span,
                    format!(
                        "`{}` takes a tensor of {fixed} dimensions, but gets {} of {}",
                        item.decl.name().name,
                        shape,
                        dims.len()
                    ),
                )
                .here(format!("the input has the shape {shape}"))
                .label(p.name.span, "declared here"),
            );
        }
        let after = rest.map_or(0, |r| pattern.len() - r - 1);
        let before = rest.unwrap_or(pattern.len());
        let pairs =
            (0..before).map(|i| (i, i)).chain((0..after).map(|i| (pattern.len() - after + i, dims.len() - after + i)));
        for (pi, di) in pairs {
            let Dim::Expr(e) = &pattern[pi] else { continue };
            let found = dims[di];
            if let ExprKind::Name(n) = &e.kind
                && n.ident.name.starts_with(|c: char| c.is_uppercase())
                && !scope.vars[signature..].iter().any(|v| v.name == n.ident.name)
            {
                scope.bind(&n.ident.name, Value::Num(found), false);
                continue;
            }
            let expected = self.number(e, scope)?;
            let whole = dims.to_vec();
            self.require_equal(expected, found, span, |el, a| {
                let show = |n| el.syms.show_under(n, a);
                Diagnostic::new(
                    &codes::SHAPE,
                    span,
                    format!(
                        "`{}` needs {} here, but the input has {}",
                        item.decl.name().name,
                        show(expected),
                        show(found)
                    ),
                )
                .here(format!("the input has the shape {}", el.shape_text(&whole, a)))
                .label(e.span, format!("must be {}", show(expected)))
            })?;
        }
        Ok(())
    }

    /// Requires at least one element in every extent.
    pub(crate) fn require_positive(&mut self, dims: &[Num], what: &str, span: Span) -> R<()> {
        for &d in dims {
            if matches!(d, Num::Int(i) if i >= 1) {
                continue;
            }
            let ok = self.syms.cmp(Cmp::Le, Num::Int(1), d);
            let dims = dims.to_vec();
            self.require(ok, span, |el, a| {
                Diagnostic::new(&codes::EMPTY_SHAPE, span, format!("`{what}` gives a tensor without elements"))
                    .here(format!("its shape would be {}", el.shape_text(&dims, a)))
                    .help("use fewer reductions, a smaller stride, or a larger input")
            })?;
        }
        Ok(())
    }
}

/// The shapes of a tensor or of a tuple of tensors.
fn shapes_of(v: &Value) -> Option<Vec<Vec<Num>>> {
    let shape = |v: &Value| match v {
        Value::Tensor(t) => Some(t.dims.clone()),
        _ => None,
    };
    match v {
        Value::Tuple(parts) => parts.iter().map(shape).collect(),
        v => Some(vec![shape(v)?]),
    }
}
