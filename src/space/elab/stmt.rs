//! Statements and bodies.

use std::rc::Rc;

use crate::diag::{Diagnostic, codes};
use crate::sema::names::wording;
use crate::sema::sym::Num;
use crate::syntax::ast::{self, Body, Expr, ExprKind, ItemKind, Pattern, Stmt, StmtKind};

use super::super::value::{Decl, Element, Home, OpKind, Scope, Value};
use super::expr::{declared_at, element_name};
use super::merge::Split;
use super::{Elab, Halt, MAX_TURNS, R};

impl<'a> Elab<'a, '_> {
    /// Runs a body in a scope of its own; its value is that of its last expression.
    pub(crate) fn body(&mut self, b: &'a Body, s: &mut Scope<'a>) -> R<Value<'a>> {
        let mark = s.vars.len();
        let r = self.body_open(b, s);
        s.vars.truncate(mark);
        r
    }

    fn body_open(&mut self, b: &'a Body, s: &mut Scope<'a>) -> R<Value<'a>> {
        // Declarations are visible in the whole body, so that they may refer to each other.
        let declarations = b.stmts.iter().filter(|s| matches!(s.kind, StmtKind::Item(_))).count();
        let (within, before, first) = (self.place.path.clone(), s.clone(), s.vars.len());
        if declarations > 0 {
            self.declare_all(&b.stmts, &within, &before, s)?;
        }
        let mut passed = 0;
        for stmt in &b.stmts {
            match self.stmt(stmt, s) {
                Err(halt @ (Halt::Error(_) | Halt::Nowhere)) if self.checking() => {
                    if let Halt::Error(d) = halt {
                        self.report(*d);
                    }
                    // What the statement would have bound stands for anything.
                    if let StmtKind::Let { pattern, mutable, .. } = &stmt.kind {
                        self.bind(pattern, Value::Poison, *mutable, s)?;
                    }
                }
                r => r?,
            }
            if passed < declarations {
                passed += usize::from(matches!(stmt.kind, StmtKind::Item(_)));
                self.declare_again(&b.stmts, &within, first, stmt, passed, s)?;
            }
        }
        match &b.value {
            Some(e) => self.eval(e, s),
            None => Ok(Value::Tuple(Rc::default())),
        }
    }

    /// Binds the declarations among `stmts`, which see each other and `outer`.
    pub(crate) fn declare_all(
        &mut self,
        stmts: &'a [Stmt],
        within: &Rc<str>,
        outer: &Scope<'a>,
        s: &mut Scope<'a>,
    ) -> R<()> {
        for stmt in stmts {
            if let StmtKind::Item(item) = &stmt.kind {
                let decl = self.declarable(item)?;
                let name = decl.name().name.as_str();
                let home = Home::Ahead(stmts, within.clone());
                let v = self.declare(decl, outer.clone(), &declared_at(within, name), &home)?;
                s.bind(name, v, false);
            }
        }
        Ok(())
    }

    /// After a statement, declarations see what it bound: the one that it is from now on, and those that come after it.
    /// `passed` of them have been met; their names stand in the scope from `first` on.
    fn declare_again(
        &mut self,
        stmts: &'a [Stmt],
        within: &Rc<str>,
        first: usize,
        stmt: &'a Stmt,
        passed: usize,
        s: &mut Scope<'a>,
    ) -> R<()> {
        let items = stmts.iter().filter_map(|s| match &s.kind {
            StmtKind::Item(i) => Some(&**i),
            _ => None,
        });
        let here = usize::from(matches!(stmt.kind, StmtKind::Item(_)));
        for (k, item) in items.enumerate().skip(passed - here) {
            let home = if k < passed { Home::Here } else { Home::Ahead(stmts, within.clone()) };
            let decl = self.declarable(item)?;
            let path = declared_at(within, &decl.name().name);
            s.vars[first + k].value = self.declare(decl, s.clone(), &path, &home)?;
        }
        Ok(())
    }

    fn declarable(&self, item: &'a ast::Item) -> R<Decl<'a>> {
        match &item.kind {
            ItemKind::Primitive(p) => Ok(Decl::Primitive(p)),
            ItemKind::Arch(a) => Ok(Decl::Arch(a)),
            ItemKind::Fun(f) => Ok(Decl::Fun(f)),
            _ => self.fail(wording::not_in_a_body(item.span)),
        }
    }

    fn stmt(&mut self, stmt: &'a Stmt, s: &mut Scope<'a>) -> R<()> {
        match &stmt.kind {
            StmtKind::Let { mutable, pattern, value, .. } => {
                let v = self.eval(value, s)?;
                self.bind(pattern, v, *mutable, s)
            }
            StmtKind::Share { name, value } => {
                let v = self.eval(value, s)?;
                let site = self.fresh_site(&name.name);
                let op = self.op(OpKind::Shared(v, site.into()), value.span);
                s.bind(&name.name, op, false);
                Ok(())
            }
            StmtKind::Assign { target, op, value } => {
                let mut v = self.eval(value, s)?;
                if let Some(op) = op {
                    let old = self.eval(target, s)?;
                    v = self.arithmetic(*op, &old, &v, stmt.span)?;
                }
                self.assign(target, v, s)
            }
            StmtKind::Expr(e) => self.eval(e, s).map(|_| ()),
            StmtKind::For { pattern, iter, body } => {
                let xs = self.eval(iter, s)?;
                let Some(xs) = self.elements(&xs, iter.span)? else { return Ok(()) };
                for (i, x) in xs.iter().enumerate() {
                    match self.turn(pattern, x, i, body, s) {
                        Err(Halt::Break) => break,
                        Ok(()) | Err(Halt::Continue) => {}
                        Err(h) => return Err(h),
                    }
                }
                Ok(())
            }
            StmtKind::While { cond, body } => {
                for turn in 0..MAX_TURNS {
                    let c = match cond {
                        Some(c) => self.condition(c, s)?,
                        None => Num::Bool(true),
                    };
                    let path = self.cond;
                    let impossible = self.syms.not(c);
                    if c == Num::Bool(false) || self.syms.prove(path, impossible) == crate::sema::sym::Proof::Holds {
                        return Ok(());
                    }
                    let name = format!("turn({turn})");
                    let r = self.inside(&name, |el| {
                        el.at_site(&name, |el| {
                            el.branch(c, s, stmt.span, |el, s| el.body(body, s), |_, _| Ok(Value::Tuple(Rc::default())))
                        })
                    });
                    match r {
                        Err(Halt::Break) => return Ok(()),
                        Ok(_) | Err(Halt::Continue) => {}
                        Err(h) => return Err(h),
                    }
                }
                self.error(&codes::ENDLESS, stmt.span, format!("this loop does not end within {MAX_TURNS} turns"))
            }
            StmtKind::Return(e) => {
                let v = match e {
                    Some(e) => self.eval(e, s)?,
                    None => Value::Tuple(Rc::default()),
                };
                self.returned = Some(v);
                Err(Halt::Return)
            }
            StmtKind::Break => Err(Halt::Break),
            StmtKind::Continue => Err(Halt::Continue),
            StmtKind::Forbid(e) => {
                let c = self.condition(e, s)?;
                // A motif that is not used excludes nothing.
                if self.dry || self.silent {
                    return Ok(());
                }
                if self.checking() {
                    let c = self.syms.and(self.cond, c);
                    self.forbidden.push((c, e.span));
                    let ok = self.syms.not(c);
                    self.cond = self.syms.and(self.cond, ok);
                    return Ok(());
                }
                if c == Num::Bool(true) { Err(Halt::Forbidden(e.span)) } else { Ok(()) }
            }
            // Declared with the body.
            StmtKind::Item(_) => Ok(()),
        }
    }

    fn turn(&mut self, p: &'a Pattern, x: &Element<'a>, i: usize, body: &'a Body, s: &mut Scope<'a>) -> R<()> {
        let name = element_name(p, &x.value, if x.index == 0 { i } else { x.index });
        self.inside(&name, |el| {
            el.at_site(&name, |el| {
                el.branch(
                    x.when,
                    s,
                    body.span,
                    |el, s| {
                        let mark = s.vars.len();
                        el.bind(p, x.value.clone(), false, s)?;
                        let r = el.body(body, s);
                        s.vars.truncate(mark);
                        r
                    },
                    |_, _| Ok(Value::Tuple(Rc::default())),
                )
            })
        })
        .map(|_| ())
    }

    /// Binds the names of a pattern.
    pub(crate) fn bind(&mut self, p: &'a Pattern, v: Value<'a>, mutable: bool, s: &mut Scope<'a>) -> R<()> {
        match p {
            Pattern::Name(n) => s.bind(&n.name, v, mutable),
            Pattern::Skip(_) => {}
            Pattern::Tuple(ps, span) => {
                if let Value::Poison = v {
                    for p in ps {
                        self.bind(p, Value::Poison, mutable, s)?;
                    }
                    return Ok(());
                }
                let Some(xs) = self.elements(&v, *span)? else { return Ok(()) };
                if xs.len() != ps.len() || xs.iter().any(|x| x.when != Num::Bool(true)) {
                    return self.error(
                        &codes::WRONG_TYPE,
                        *span,
                        format!("this binds {} names, but the value has {} parts", ps.len(), xs.len()),
                    );
                }
                for (p, x) in ps.iter().zip(xs.iter()) {
                    self.bind(p, x.value.clone(), mutable, s)?;
                }
            }
        }
        Ok(())
    }

    /// Writes a place: a name, an element of a list, a field, or a tuple of places.
    pub(crate) fn assign(&mut self, target: &'a Expr, v: Value<'a>, s: &mut Scope<'a>) -> R<()> {
        match &target.kind {
            ExprKind::Name(n) => {
                if s.find(&n.ident.name).is_none() {
                    return self.fail(wording::unknown_variable(&n.ident, s.vars.iter().map(|v| v.name)));
                }
                let Some(var) = s.find_mut(&n.ident.name) else { return Ok(()) };
                if !var.mutable {
                    return self.fail(wording::immutable(&n.ident));
                }
                var.value = v;
                Ok(())
            }
            ExprKind::Tuple(ts) => {
                let Some(xs) = self.elements(&v, target.span)? else { return Ok(()) };
                if xs.len() != ts.len() {
                    return self.error(
                        &codes::WRONG_TYPE,
                        target.span,
                        format!("{} places are assigned, but the value has {} parts", ts.len(), xs.len()),
                    );
                }
                for (t, x) in ts.iter().zip(xs.iter()) {
                    self.assign(t, x.value.clone(), s)?;
                }
                Ok(())
            }
            ExprKind::Index { base, indices } => {
                let [ix] = indices.as_slice() else {
                    return self.error(&codes::WRONG_TYPE, target.span, "a list has one index");
                };
                let list = self.eval(base, s)?;
                let i = self.number(ix, s)?;
                let Some(xs) = self.elements(&list, base.span)? else { return Ok(()) };
                // The read checks the index.
                self.element_at(&xs, i, ix.span)?;
                let mut new = (*xs).clone();
                let mut at = Num::Int(0);
                for x in &mut new {
                    let here = self.syms.cmp(crate::sema::sym::Cmp::Eq, at, i);
                    let here = self.syms.and(x.when, here);
                    let other = self.syms.not(here);
                    x.value =
                        self.merge(Split::Conditions, vec![(here, v.clone()), (other, x.value.clone())], target.span)?;
                    let one = self.syms.select(x.when, Num::Int(1), Num::Int(0));
                    at = self.syms.add(at, one);
                }
                self.assign(base, Value::List(Rc::new(new)), s)
            }
            ExprKind::Field { base, name } => {
                let Value::Record(fs) = self.eval(base, s)? else {
                    return self.error(&codes::WRONG_TYPE, name.span, "only records have fields that can be assigned");
                };
                let mut fs = (*fs).clone();
                match fs.iter_mut().find(|(n, _)| *n == name.name) {
                    Some((_, old)) => *old = v,
                    None => {
                        return self.error(
                            &codes::UNKNOWN_NAME,
                            name.span,
                            format!("the record has no field `{}`", name.name),
                        );
                    }
                }
                self.assign(base, Value::Record(Rc::new(fs)), s)
            }
            _ => self.fail(
                Diagnostic::new(&codes::WRONG_PLACE, target.span, "this cannot be assigned")
                    .help("a variable, an element `xs[i]`, a field `r.name` or a tuple of these can"),
            ),
        }
    }

    /// The place named by a method's receiver gets a new value (`xs.push(x)`).
    pub(crate) fn write_back(&mut self, target: &'a ast::Expr, v: Value<'a>, s: &mut Scope<'a>) -> R<()> {
        self.assign(target, v, s)
    }
}
