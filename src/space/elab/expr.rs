//! Expressions.

use std::rc::Rc;

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::sema::names::wording;
use crate::sema::sym::{Cmp, Fun, Num};
use crate::syntax::ast::{self, BinOp, Expr, ExprKind, UnOp, Unit};

use super::super::value::{Builtin, Decl, Element, Home, Item, Lambda, Op, OpKind, Scope, Value};
use super::merge::Split;
use super::{Elab, MAX_TURNS, R, join};

impl<'a> Elab<'a, '_> {
    /// The value of an expression.
    pub(crate) fn eval(&mut self, e: &'a Expr, s: &mut Scope<'a>) -> R<Value<'a>> {
        let v = match &e.kind {
            ExprKind::Int(_) | ExprKind::Name(_) => self.eval_here(e, s),
            // Programs nest as deep as they like; the limits on calls and nesting are what ends them.
            _ => stacker::maybe_grow(256 << 10, 4 << 20, || self.eval_here(e, s)),
        }?;
        self.observe(e.span, &v);
        Ok(v)
    }

    fn eval_here(&mut self, e: &'a Expr, s: &mut Scope<'a>) -> R<Value<'a>> {
        match &e.kind {
            ExprKind::Int(i) => Ok(Value::int(*i)),
            ExprKind::Float(f) => Ok(Value::Num(Num::Float(*f))),
            ExprKind::Quantity(x, unit) => Ok(Value::Num(match unit {
                Unit::Count | Unit::Bytes if x.fract() == 0.0 && x.abs() < 9e15 => Num::Int(*x as i64),
                _ => Num::Float(*x),
            })),
            ExprKind::Str(t) => Ok(Value::Str(t.as_str().into())),
            ExprKind::Bool(b) => Ok(Value::Num(Num::Bool(*b))),
            ExprKind::None => Ok(Value::None),
            ExprKind::Name(n) => self.name(n, s),
            ExprKind::List(xs) => {
                let mut out = Vec::with_capacity(xs.len());
                for (index, x) in xs.iter().enumerate() {
                    out.push(Element { when: Num::Bool(true), value: self.eval(x, s)?, index });
                }
                Ok(Value::List(Rc::new(out)))
            }
            ExprKind::Tuple(xs) => Ok(Value::Tuple(Rc::new(xs.iter().map(|x| self.eval(x, s)).collect::<R<_>>()?))),
            ExprKind::Record(fs) => Ok(Value::Record(Rc::new(
                fs.iter().map(|(n, x)| Ok((n.name.clone(), self.eval(x, s)?))).collect::<R<_>>()?,
            ))),
            ExprKind::Map(ps) => Ok(Value::Map(Rc::new(
                ps.iter().map(|(k, v)| Ok((self.eval(k, s)?, self.eval(v, s)?))).collect::<R<_>>()?,
            ))),
            ExprKind::Comprehension { element, clauses } => {
                let mut out = Vec::new();
                self.clauses(element, clauses, s, Num::Bool(true), &mut out)?;
                for (i, x) in out.iter_mut().enumerate() {
                    x.index = i;
                }
                Ok(Value::List(Rc::new(out)))
            }
            ExprKind::Unary(op, x) => {
                let v = self.eval(x, s)?;
                self.unary(*op, &v, e.span)
            }
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, e.span, s),
            ExprKind::Range { lo, hi, inclusive } => self.range(lo.as_deref(), hi.as_deref(), *inclusive, e.span, s),
            ExprKind::If { cond, then, otherwise } => {
                let c = self.condition(cond, s)?;
                self.branch(
                    c,
                    s,
                    e.span,
                    |el, s| el.body(then, s),
                    |el, s| match otherwise {
                        Some(b) => el.body(b, s),
                        None => Ok(Value::Tuple(Rc::default())),
                    },
                )
            }
            ExprKind::Body(b) => self.body(b, s),
            ExprKind::Call { callee, args } => self.call_expr(callee, args, e.span, s),
            ExprKind::Index { base, indices } => {
                let b = self.eval(base, s)?;
                self.index(&b, indices, e.span, s)
            }
            ExprKind::Field { base, name } => {
                let b = self.eval(base, s)?;
                self.each_case(&b, e.span, &mut |el, b| el.field(b, name))
            }
            ExprKind::Choose(c) => self.choose(c, e.span, s),
            ExprKind::Assemble(a) => {
                let n = self.eval(&a.nodes, s)?;
                Ok(self.op(OpKind::Assemble(n, a, Rc::new(s.clone())), e.span))
            }
            ExprKind::Repeat { count, label, body } => {
                let n = self.eval(count, s)?;
                let label = label.as_ref().map_or("copy", |l| l.name.as_str());
                Ok(self.op(OpKind::Repeat(n, label, body, Rc::new(s.clone())), e.span))
            }
            ExprKind::Lambda { params, body } => Ok(Value::Lambda(Rc::new(Lambda { params, body, scope: s.clone() }))),
            ExprKind::Reduce { keyword, .. } => self.fail(wording::reduction(*keyword)),
            ExprKind::Error => Ok(Value::Poison),
        }
    }

    /// An operation created here.
    pub(crate) fn op(&self, kind: OpKind<'a>, span: Span) -> Value<'a> {
        Value::Op(Rc::new(Op { kind, place: self.place.clone(), span }))
    }

    fn name(&mut self, n: &'a ast::Name, s: &Scope<'a>) -> R<Value<'a>> {
        let name = n.ident.name.as_str();
        if let Some(v) = s.find(name) {
            return Ok(v.value.clone());
        }
        if let Some(v) = self.module_item(s, &n.ident)? {
            return Ok(v);
        }
        if let Some((_, b, _)) = Builtin::ALL.iter().find(|(b, ..)| *b == name) {
            return Ok(Value::Builtin(*b));
        }
        self.fail(wording::unknown_name(self.program, s.module, &n.ident, s.vars.iter().map(|v| v.name)))
    }

    /// The item that a name means in the scope's module, as a value.
    pub(crate) fn module_item(&mut self, s: &Scope<'a>, name: &ast::Ident) -> R<Option<Value<'a>>> {
        let Some(r) = self.program.lookup(s.module, &name.name) else { return Ok(None) };
        let program = self.program;
        let decl = match &program.item(r).kind {
            ast::ItemKind::Primitive(p) => Decl::Primitive(p),
            ast::ItemKind::Arch(a) => Decl::Arch(a),
            ast::ItemKind::Fun(f) => Decl::Fun(f),
            _ => return self.fail(wording::not_for_architectures(name)),
        };
        self.declare(decl, Scope::new(r.module), decl.name().name.as_str(), &Home::Module).map(Some)
    }

    /// A declaration as a value: an item, or a list of items for `motif m[6]`.
    pub(crate) fn declare(&mut self, decl: Decl<'a>, scope: Scope<'a>, path: &str, home: &Home<'a>) -> R<Value<'a>> {
        let presence = match home {
            Home::Module => Num::Bool(true),
            Home::Ahead(..) | Home::Here => self.place.presence,
        };
        let Decl::Arch(ast::Arch { count: Some(count), kind: ast::ArchKind::Motif, .. }) = decl else {
            let item = Rc::new(Item { decl, scope, path: path.into(), home: home.clone(), presence });
            self.note_motif(&item);
            return Ok(Value::Item(item));
        };
        let mut inner = scope.clone();
        let n = self.eval(count, &mut inner)?;
        let Value::Num(Num::Int(n)) = n else {
            return self.error(
                &codes::WRONG_TYPE,
                count.span,
                format!("the number of designs must be a known whole number, not {}", n.kind()),
            );
        };
        let designs = (0..n.max(0) as usize)
            .map(|index| {
                let path = format!("{path}[{index}]").into();
                let item = Rc::new(Item { decl, scope: scope.clone(), path, home: home.clone(), presence });
                self.note_motif(&item);
                Element { when: Num::Bool(true), value: Value::Item(item), index }
            })
            .collect();
        Ok(Value::List(Rc::new(designs)))
    }

    fn note_motif(&mut self, item: &Rc<Item<'a>>) {
        let is_motif = matches!(item.decl, Decl::Arch(ast::Arch { kind: ast::ArchKind::Motif, .. }));
        if !is_motif || self.dry {
            return;
        }
        match self.motifs.iter_mut().find(|(p, _)| *p == item.path) {
            // It sees more than it did when its body began.
            Some((_, old)) if matches!(item.home, Home::Here) => *old = item.clone(),
            Some(_) => {}
            None => self.motifs.push((item.path.clone(), item.clone())),
        }
    }

    fn clauses(
        &mut self,
        element: &'a Expr,
        clauses: &'a [ast::Clause],
        s: &mut Scope<'a>,
        when: Num,
        out: &mut Vec<Element<'a>>,
    ) -> R<()> {
        let Some((first, rest)) = clauses.split_first() else {
            let value = self.eval(element, s)?;
            out.push(Element { when, value, index: 0 });
            return Ok(());
        };
        let xs = self.eval(&first.iter, s)?;
        let Some(xs) = self.elements(&xs, first.iter.span)? else { return Ok(()) };
        for (i, x) in xs.iter().enumerate() {
            let mark = s.vars.len();
            let name = element_name(&first.pattern, &x.value, if x.index == 0 { i } else { x.index });
            let both = self.syms.and(when, x.when);
            let r = self.under(x.when, |el| {
                if el.cond == Num::Bool(false) {
                    return Ok(());
                }
                el.inside(&name, |el| {
                    el.at_site(&name, |el| {
                        el.bind(&first.pattern, x.value.clone(), false, s)?;
                        let Some(c) = &first.cond else { return el.clauses(element, rest, s, both, out) };
                        let c = el.condition(c, s)?;
                        let both = el.syms.and(both, c);
                        el.under(c, |el| {
                            if c == Num::Bool(false) { Ok(()) } else { el.clauses(element, rest, s, both, out) }
                        })
                    })
                })
            });
            s.vars.truncate(mark);
            r?;
        }
        Ok(())
    }

    /// The elements of something that can be iterated; `None` after an error.
    pub(crate) fn elements(&mut self, v: &Value<'a>, span: Span) -> R<Option<Rc<Vec<Element<'a>>>>> {
        match v {
            Value::List(l) => Ok(Some(l.clone())),
            Value::Tuple(t) => Ok(Some(Rc::new(
                t.iter()
                    .enumerate()
                    .map(|(index, v)| Element { when: Num::Bool(true), value: v.clone(), index })
                    .collect(),
            ))),
            Value::Poison => Ok(None),
            Value::Case(cases) => {
                // The elements of each case under its condition.
                let mut out = Vec::new();
                for (c, v) in cases.iter() {
                    if let Some(xs) = self.elements(v, span)? {
                        for x in xs.iter() {
                            let when = self.syms.and(*c, x.when);
                            out.push(Element { when, value: x.value.clone(), index: x.index });
                        }
                    }
                }
                Ok(Some(Rc::new(out)))
            }
            _ => self.error(&codes::WRONG_TYPE, span, format!("expected a list, found {}", v.kind())),
        }
    }

    /// A condition as a number.
    pub(crate) fn condition(&mut self, e: &'a Expr, s: &mut Scope<'a>) -> R<Num> {
        match self.eval(e, s)? {
            Value::Num(n @ (Num::Bool(_) | Num::Sym(_))) => Ok(n),
            Value::Poison => Ok(Num::Bool(true)),
            v => self.error(&codes::WRONG_TYPE, e.span, format!("a condition must be a truth value, not {}", v.kind())),
        }
    }

    /// Runs one branch, or both where the condition depends on decisions, and joins values and variables.
    pub(crate) fn branch(
        &mut self,
        c: Num,
        s: &mut Scope<'a>,
        span: Span,
        then: impl FnOnce(&mut Self, &mut Scope<'a>) -> R<Value<'a>>,
        otherwise: impl FnOnce(&mut Self, &mut Scope<'a>) -> R<Value<'a>>,
    ) -> R<Value<'a>> {
        match c {
            Num::Bool(true) => return then(self, s),
            Num::Bool(false) => return otherwise(self, s),
            _ => {}
        }
        let n = self.syms.not(c);
        let mut other = s.clone();
        let a = self.guarded(c, s, span, then)?;
        let b = self.guarded(n, &mut other, span, otherwise)?;
        for (x, y) in s.vars.iter_mut().zip(other.vars) {
            if !super::merge::same(&x.value, &y.value) {
                x.value = self.merge(Split::Conditions, vec![(c, x.value.clone()), (n, y.value)], span)?;
            }
        }
        self.merge(Split::Conditions, vec![(c, a), (n, b)], span)
    }

    /// Runs code under a condition that depends on decisions; it may not leave its loop or function.
    fn guarded(
        &mut self,
        c: Num,
        s: &mut Scope<'a>,
        span: Span,
        f: impl FnOnce(&mut Self, &mut Scope<'a>) -> R<Value<'a>>,
    ) -> R<Value<'a>> {
        let mark = s.vars.len();
        let r = self.under(c, |el| if el.cond == Num::Bool(false) { Ok(Value::Poison) } else { f(el, s) });
        s.vars.truncate(mark);
        match r {
            Err(super::Halt::Return | super::Halt::Break | super::Halt::Continue) => {
                let r = self.fail(
                    Diagnostic::new(
                        &codes::WRONG_PLACE,
                        span,
                        "a branch that depends on a decision cannot leave its loop or function",
                    )
                    .here("`return`, `break` or `continue` under a decision")
                    .help("let both branches give a value: `if c { a } else { b }`"),
                );
                self.recover(r)
            }
            r => self.recover(r),
        }
    }

    fn unary(&mut self, op: UnOp, v: &Value<'a>, span: Span) -> R<Value<'a>> {
        match (op, v) {
            (_, Value::Poison) => Ok(Value::Poison),
            (UnOp::Neg, Value::Num(n @ (Num::Int(_) | Num::Float(_) | Num::Sym(_)))) => {
                Ok(Value::Num(self.syms.neg(*n)))
            }
            (UnOp::Not, Value::Num(n @ (Num::Bool(_) | Num::Sym(_)))) => Ok(Value::Num(self.syms.not(*n))),
            (UnOp::Neg, Value::Tensor(_)) => self.arithmetic(BinOp::Sub, &Value::int(0), v, span),
            _ => self.error(&codes::WRONG_TYPE, span, format!("this operator does not apply to {}", v.kind())),
        }
    }

    fn binary(&mut self, op: BinOp, a: &'a Expr, b: &'a Expr, span: Span, s: &mut Scope<'a>) -> R<Value<'a>> {
        if op == BinOp::Pipe {
            let l = self.stage(a, s)?;
            let r = self.stage(b, s)?;
            return self.pipe(l, r, span);
        }
        if let BinOp::And | BinOp::Or = op {
            let x = self.condition(a, s)?;
            if x == Num::Bool(op == BinOp::Or) {
                return Ok(Value::Num(x));
            }
            let c = if op == BinOp::And { x } else { self.syms.not(x) };
            let y = self.under(c, |el| el.condition(b, s))?;
            return Ok(Value::Num(if op == BinOp::And { self.syms.and(x, y) } else { self.syms.or(x, y) }));
        }
        let x = self.eval(a, s)?;
        let y = self.eval(b, s)?;
        self.each_case(&x, span, &mut |el, x| {
            let x = x.clone();
            el.each_case(&y, span, &mut |el, y| el.arithmetic(op, &x, y, span))
        })
    }

    /// An operator on two values.
    pub(crate) fn arithmetic(&mut self, op: BinOp, x: &Value<'a>, y: &Value<'a>, span: Span) -> R<Value<'a>> {
        use Value::{List, None, Num as N, Poison, Str, Tensor};
        match (x, y) {
            (Poison, _) | (_, Poison) => Ok(Poison),
            (N(a), N(b)) => self.arithmetic_nums(op, *a, *b, span),
            (Str(a), Str(b)) => match op {
                BinOp::Add => Ok(Str(format!("{a}{b}").into())),
                BinOp::Eq => Ok(N(Num::Bool(a == b))),
                BinOp::Ne => Ok(N(Num::Bool(a != b))),
                _ => self.error(&codes::WRONG_TYPE, span, "this operator does not apply to texts"),
            },
            (Tensor(_) | None, Tensor(_) | None) if op == BinOp::Add => self.add_tensors(&[x.clone(), y.clone()], span),
            (Tensor(_), Tensor(_) | N(_)) | (N(_), Tensor(_)) => self.elementwise(op, x, y, span),
            (List(a), List(b)) if op == BinOp::Add => {
                let mut all = (**a).clone();
                all.extend(b.iter().cloned());
                for (i, e) in all.iter_mut().enumerate() {
                    e.index = i;
                }
                Ok(List(Rc::new(all)))
            }
            (None, None) if op == BinOp::Eq => Ok(N(Num::Bool(true))),
            (None, _) | (_, None) if op == BinOp::Eq => Ok(N(Num::Bool(false))),
            (None, _) | (_, None) if op == BinOp::Ne => Ok(N(Num::Bool(true))),
            _ => self.error(
                &codes::WRONG_TYPE,
                span,
                format!("this operator does not apply to {} and {}", x.kind(), y.kind()),
            ),
        }
    }

    pub(crate) fn arithmetic_nums(&mut self, op: BinOp, a: Num, b: Num, span: Span) -> R<Value<'a>> {
        let whole = |n: Num| !matches!(n, Num::Float(_));
        let both_whole = whole(a) && whole(b);
        if matches!(op, BinOp::Div | BinOp::Rem) && both_whole {
            let zero = self.syms.cmp(Cmp::Eq, b, Num::Int(0));
            let nonzero = self.syms.not(zero);
            self.require(nonzero, span, |_, _| {
                Diagnostic::new(&codes::DIVISION, span, "division by zero").here("the divisor is 0")
            })?;
        }
        Ok(Value::Num(match op {
            BinOp::Add => self.syms.add(a, b),
            BinOp::Sub => self.syms.sub(a, b),
            BinOp::Mul => self.syms.mul(a, b),
            BinOp::Div if both_whole => {
                if self.exact {
                    let rem = self.syms.fun(Fun::Rem, a, b);
                    self.require_equal(rem, Num::Int(0), span, |el, asg| {
                        let show = |n| el.syms.show_under(n, asg);
                        Diagnostic::new(&codes::INEXACT, span, format!("{} is not divisible by {}", show(a), show(b)))
                            .here("this division in an extent must be exact")
                            .help("choose sizes that divide, or write `ceil(a / b)` or `floor(a / b)`")
                    })?;
                }
                self.syms.fun(Fun::FloorDiv, a, b)
            }
            BinOp::Div => self.syms.fun(Fun::Div, a, b),
            BinOp::Rem => self.syms.fun(Fun::Rem, a, b),
            BinOp::Pow => self.syms.fun(Fun::Pow, a, b),
            BinOp::Eq => self.syms.cmp(Cmp::Eq, a, b),
            BinOp::Ne => {
                let c = self.syms.cmp(Cmp::Eq, a, b);
                self.syms.not(c)
            }
            BinOp::Lt => self.syms.cmp(Cmp::Lt, a, b),
            BinOp::Le => self.syms.cmp(Cmp::Le, a, b),
            BinOp::Gt => self.syms.cmp(Cmp::Lt, b, a),
            BinOp::Ge => self.syms.cmp(Cmp::Le, b, a),
            BinOp::And | BinOp::Or | BinOp::Pipe => {
                return self.error(&codes::WRONG_TYPE, span, "not an arithmetic operator");
            }
        }))
    }

    fn range(
        &mut self,
        lo: Option<&'a Expr>,
        hi: Option<&'a Expr>,
        inclusive: bool,
        span: Span,
        s: &mut Scope<'a>,
    ) -> R<Value<'a>> {
        let lo = match lo {
            Some(e) => self.number(e, s)?,
            None => Num::Int(0),
        };
        let Some(hi) = hi else {
            return self.error(&codes::WRONG_TYPE, span, "this range has no end");
        };
        let hi = self.number(hi, s)?;
        let hi = if inclusive { self.syms.add(hi, Num::Int(1)) } else { hi };
        let (Some((first, _)), Some((_, last))) = (self.int_bounds(lo), self.int_bounds(hi)) else {
            return self.fail(
                Diagnostic::new(
                    &codes::CANNOT_PROVE,
                    span,
                    "the ends of this range are not known while the space is checked",
                )
                .here("depends on an extent or on too many decisions"),
            );
        };
        if last - first > MAX_TURNS {
            return self.error(&codes::WRONG_TYPE, span, format!("a range of {} elements is too long", last - first));
        }
        let mut out = Vec::new();
        for i in first..last {
            let above = self.syms.cmp(Cmp::Le, lo, Num::Int(i));
            let below = self.syms.cmp(Cmp::Lt, Num::Int(i), hi);
            let when = self.syms.and(above, below);
            if when != Num::Bool(false) {
                out.push(Element { when, value: Value::int(i), index: (i - first) as usize });
            }
        }
        Ok(Value::List(Rc::new(out)))
    }

    /// The least and greatest value of a whole number under all decisions.
    pub(crate) fn int_bounds(&self, n: Num) -> Option<(i64, i64)> {
        if let Num::Int(i) = n {
            return Some((i, i));
        }
        let vars: Vec<_> = self.syms.support(n).into_iter().collect();
        if vars.is_empty() {
            let (lo, hi) = self.syms.interval(n);
            return (lo != i64::MIN && hi != i64::MAX).then_some((lo, hi));
        }
        let total = vars.iter().fold(1u64, |t, v| t.saturating_mul(u64::from(self.syms.width(*v))));
        if total > crate::sema::sym::MAX_COMBINATIONS {
            return None;
        }
        let mut a = vars.iter().map(|&v| (v, 0)).collect();
        let mut bounds: Option<(i64, i64)> = None;
        loop {
            if self.syms.feasible(&a) {
                let Some(Num::Int(i)) = self.syms.eval(n, &a) else { return None };
                bounds = Some(bounds.map_or((i, i), |(lo, hi)| (lo.min(i), hi.max(i))));
            }
            if !self.syms.advance(&vars, &mut a) {
                return bounds;
            }
        }
    }

    /// A number.
    pub(crate) fn number(&mut self, e: &'a Expr, s: &mut Scope<'a>) -> R<Num> {
        match self.eval(e, s)? {
            Value::Num(n @ (Num::Int(_) | Num::Float(_) | Num::Sym(_))) => Ok(n),
            Value::Poison => Ok(Num::Int(1)),
            v => self.error(&codes::WRONG_TYPE, e.span, format!("expected a number, found {}", v.kind())),
        }
    }

    fn index(&mut self, base: &Value<'a>, indices: &'a [Expr], span: Span, s: &mut Scope<'a>) -> R<Value<'a>> {
        if let Value::Poison = base {
            return Ok(Value::Poison);
        }
        let [ix] = indices else {
            return self.error(&codes::WRONG_TYPE, span, "only tensors in a `primitive` have several indices");
        };
        let Some(xs) = self.elements(base, span)? else { return Ok(Value::Poison) };
        if let ExprKind::Range { lo, hi, inclusive } = &ix.kind {
            let lo = lo.as_deref().map_or(Ok(Num::Int(0)), |e| self.number(e, s))?;
            let hi = hi.as_deref().map(|e| self.number(e, s)).transpose()?;
            let hi = hi.map(|h| if *inclusive { self.syms.add(h, Num::Int(1)) } else { h });
            let mut at = Num::Int(0);
            let mut out = Vec::new();
            for x in xs.iter() {
                let above = self.syms.cmp(Cmp::Le, lo, at);
                let below = hi.map_or(Num::Bool(true), |h| self.syms.cmp(Cmp::Lt, at, h));
                let inside = self.syms.and(above, below);
                let when = self.syms.and(x.when, inside);
                if when != Num::Bool(false) {
                    out.push(Element { when, value: x.value.clone(), index: out.len() });
                }
                at = self.count_up(at, x.when);
            }
            return Ok(Value::List(Rc::new(out)));
        }
        let i = self.number(ix, s)?;
        self.element_at(&xs, i, ix.span)
    }

    fn count_up(&mut self, at: Num, when: Num) -> Num {
        let one = self.syms.select(when, Num::Int(1), Num::Int(0));
        self.syms.add(at, one)
    }

    /// Element `i` of a list; a negative index counts from the end.
    pub(crate) fn element_at(&mut self, xs: &Rc<Vec<Element<'a>>>, i: Num, span: Span) -> R<Value<'a>> {
        let mut len = Num::Int(0);
        for x in xs.iter() {
            len = self.count_up(len, x.when);
        }
        let written = i;
        let i = match i {
            Num::Int(k) if k < 0 => self.syms.add(len, i),
            _ => i,
        };
        let above = self.syms.cmp(Cmp::Le, Num::Int(0), i);
        let below = self.syms.cmp(Cmp::Lt, i, len);
        let inside = self.syms.and(above, below);
        self.require(inside, span, |el, a| {
            let show = |n| el.syms.show_under(n, a);
            Diagnostic::new(
                &codes::OUT_OF_RANGE,
                span,
                format!("index {} is outside of a list of {}", show(written), show(len)),
            )
            .here("no such element")
        })?;
        let mut at = Num::Int(0);
        let mut cases = Vec::new();
        for x in xs.iter() {
            let here = self.syms.cmp(Cmp::Eq, at, i);
            let c = self.syms.and(x.when, here);
            if c == Num::Bool(true) {
                return Ok(x.value.clone());
            }
            if c != Num::Bool(false) {
                cases.push((c, x.value.clone()));
            }
            at = self.count_up(at, x.when);
        }
        self.merge(Split::Conditions, cases, span)
    }

    fn field(&mut self, base: &Value<'a>, name: &'a ast::Ident) -> R<Value<'a>> {
        match base {
            Value::Poison => Ok(Value::Poison),
            Value::Record(fs) => match fs.iter().find(|(n, _)| *n == name.name) {
                Some((_, v)) => Ok(v.clone()),
                None => {
                    let known: Vec<&str> = fs.iter().map(|(n, _)| n.as_str()).collect();
                    let d = Diagnostic::new(
                        &codes::UNKNOWN_NAME,
                        name.span,
                        format!("the record has no field `{}`", name.name),
                    );
                    self.fail(d.help(format!("it has {}", known.join(", "))))
                }
            },
            v => self.error(&codes::WRONG_TYPE, name.span, format!("{} has no field `{}`", v.kind(), name.name)),
        }
    }

    /// A stage of a pipeline: like any expression, but a name of a block is a use of it with its own place.
    fn stage(&mut self, e: &'a Expr, s: &mut Scope<'a>) -> R<Value<'a>> {
        let v = self.eval(e, s)?;
        match (&e.kind, &v) {
            (ExprKind::Name(n), Value::Item(item)) => {
                let item = item.clone();
                self.in_use(n, &item, |el| el.call_item(&item, Vec::new(), e.span))
            }
            _ => Ok(v),
        }
    }

    /// Runs `f` where the decisions of this use of an item stand.
    pub(crate) fn in_use<T>(&mut self, n: &ast::Name, item: &Item<'a>, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        match item.decl {
            Decl::Arch(ast::Arch { kind: ast::ArchKind::Block, .. }) if n.occurrence > 0 => {
                self.inside(&format!("{}({})", n.ident.name, n.occurrence), f)
            }
            _ => f(self),
        }
    }
}

/// The path element of one turn of a loop: `node(2)`, `edge(0,1)`; an element that is no number counts by its index.
pub(crate) fn element_name(p: &ast::Pattern, v: &Value, index: usize) -> String {
    fn part(v: &Value) -> Option<String> {
        match v {
            Value::Num(Num::Int(i)) => Some(i.to_string()),
            Value::Str(s) => Some(s.to_string()),
            _ => None,
        }
    }
    match (p, v) {
        (ast::Pattern::Name(n), v) => format!("{}({})", n.name, part(v).unwrap_or_else(|| index.to_string())),
        (ast::Pattern::Tuple(ps, _), Value::Tuple(vs)) => {
            let names: Vec<&str> = ps
                .iter()
                .filter_map(|p| match p {
                    ast::Pattern::Name(n) => Some(n.name.as_str()),
                    _ => None,
                })
                .collect();
            let parts: Vec<String> = vs.iter().filter_map(part).collect();
            let inner = if parts.is_empty() { index.to_string() } else { parts.join(",") };
            format!("{}({inner})", names.join("_"))
        }
        _ => format!("each({index})"),
    }
}

/// The path of a declaration made at a place.
pub(crate) fn declared_at(place: &str, name: &str) -> String {
    join(place, name)
}
