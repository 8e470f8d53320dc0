//! Expressions.

use crate::base::Span;
use crate::sema::builtins::Builtin;
use crate::sema::modules::ModuleId;
use crate::syntax::ast::{
    Alternative, Amount, Arch, Arg, Assemble, BinOp, Choose, Domain, Expr, ExprKind, Fun, Ident, Item, ItemKind,
    Primitive, UnOp,
};

use super::super::calls::{Callee, is_tensor};
use super::super::scope::{Applied, Bound, Held, Kind, Local};
use super::super::{visit, wording};
use super::{Meaning, Walker, decides, first_choice};

impl<'a> Walker<'a, '_> {
    pub(super) fn expr(&mut self, e: &'a Expr) {
        match &e.kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Quantity(..)
            | ExprKind::Str(_)
            | ExprKind::Bool(_)
            | ExprKind::None
            | ExprKind::Error => {}
            ExprKind::Name(n) => {
                self.read(&n.ident);
            }
            ExprKind::List(xs) | ExprKind::Tuple(xs) => xs.iter().for_each(|x| self.expr(x)),
            ExprKind::Record(fs) => fs.iter().for_each(|(_, x)| self.expr(x)),
            ExprKind::Map(ps) => {
                for (k, v) in ps {
                    self.expr(k);
                    self.expr(v);
                }
            }
            ExprKind::Comprehension { element, clauses } => {
                let mark = self.locals.len();
                let (loops, uncertain) = (self.frame.loops, self.frame.uncertain);
                self.naming(|w| {
                    for c in clauses {
                        w.expr(&c.iter);
                        w.frame.loops += 1;
                        w.frame.uncertain += 1;
                        w.bind_pattern(&c.pattern, Bound::Loop);
                        if let Some(c) = &c.cond {
                            w.expr(c);
                        }
                    }
                    w.expr(element);
                });
                (self.frame.loops, self.frame.uncertain) = (loops, uncertain);
                self.close(mark, e.span);
            }
            ExprKind::Unary(_, x) => self.expr(x),
            ExprKind::Field { base, .. } => self.expr(base),
            ExprKind::Binary(BinOp::Pipe, ..) => self.pipe(e),
            ExprKind::Binary(op, a, b) => {
                self.expr(a);
                match op {
                    BinOp::And | BinOp::Or => self.maybe(|w| w.expr(b)),
                    _ => self.expr(b),
                }
            }
            ExprKind::Range { lo, hi, .. } => lo.iter().chain(hi).for_each(|x| self.expr(x)),
            ExprKind::If { cond, then, otherwise } => {
                self.expr(cond);
                self.condition(cond);
                self.arms([Some(then), otherwise.as_ref()], |w, b| {
                    if let Some(b) = b {
                        w.body(b);
                    }
                });
            }
            ExprKind::Body(b) => self.body(b),
            ExprKind::Call { callee, args } => self.call(callee, args, e.span, false),
            ExprKind::Index { base, indices } => {
                self.expr(base);
                for x in indices {
                    self.expr(x);
                }
            }
            ExprKind::Choose(c) => self.choose(c),
            ExprKind::Assemble(a) => self.assemble(a),
            ExprKind::Repeat { count, label, body } => {
                self.expr(count);
                self.in_loop(|w| {
                    let mark = w.locals.len();
                    if let Some(l) = label {
                        w.bind(Local::new(&l.name, l.span, Kind::Scalar, Bound::Loop));
                    }
                    if let Some(e) = body.value.as_ref().filter(|_| body.stmts.is_empty()) {
                        w.note_applied(e);
                    }
                    w.body(body);
                    w.close(mark, body.span);
                });
            }
            ExprKind::Lambda { params, body } => self.maybe(|w| {
                w.naming(|w| {
                    let mark = w.locals.len();
                    for p in params {
                        w.bind_pattern(p, Bound::Loop);
                    }
                    w.expr(body);
                    w.close(mark, body.span);
                });
            }),
            ExprKind::Reduce { keyword, .. } => {
                self.report(wording::reduction(*keyword));
                visit::expr(e, &mut |e| {
                    if let ExprKind::Name(n) = &e.kind
                        && let Some(at) = self.local(&n.ident.name)
                    {
                        self.locals[at].read = true;
                    }
                });
            }
        }
    }

    // ---- pipelines ----

    fn pipe(&mut self, e: &'a Expr) {
        let mut stages = Vec::new();
        flatten(e, &mut stages);
        let data = self.is_data(stages[0]);
        for (i, stage) in stages.into_iter().enumerate() {
            match &stage.kind {
                ExprKind::Name(n) => self.used_by_name(&n.ident, stage.span, i > 0 && data),
                ExprKind::Call { callee, args } => self.call(callee, args, stage.span, i > 0 && data),
                _ => self.expr(stage),
            }
            if i > 0 {
                self.note_applied(stage);
            }
        }
    }

    /// A name where an operation stands: a declaration is used without arguments. `runs` says that it is applied here.
    fn used_by_name(&mut self, n: &'a Ident, span: Span, runs: bool) {
        let meaning = self.read(n);
        if let Some((item, module)) = self.declared(meaning) {
            self.check_call(item, module, None, &[], span, runs);
        }
    }

    /// Notes that the operation of this name, if it is one, is applied here.
    fn note_applied(&mut self, e: &'a Expr) {
        if let ExprKind::Name(n) = &e.kind {
            self.apply_local(&n.ident);
        }
    }

    fn apply_local(&mut self, n: &Ident) {
        let Some(at) = self.local(&n.name) else { return };
        let looped = self.frame.loops > self.locals[at].loops;
        let arms = self.frame.arms.clone();
        self.locals[at].applied.push(Applied { span: n.span, arms, looped });
    }

    /// The declaration that a name means, with the module whose names it sees.
    fn declared(&self, m: Meaning<'a>) -> Option<(&'a Item, ModuleId)> {
        match m {
            Meaning::Local(at) => match self.locals[at].kind {
                Kind::Item(i) => Some((i, self.module)),
                _ => None,
            },
            Meaning::Item(i, m) => Some((i, m)),
            Meaning::Builtin(..) | Meaning::Unknown => None,
        }
    }

    // ---- calls ----

    fn call(&mut self, callee: &'a Expr, args: &'a [Arg], span: Span, runs: bool) {
        match &callee.kind {
            ExprKind::Field { base, name } => self.method(base, name, args, span),
            ExprKind::Name(n) => {
                let meaning = self.read(&n.ident);
                if let Some((item, module)) = self.declared(meaning) {
                    self.check_call(item, module, None, args, span, runs);
                }
                match meaning {
                    Meaning::Local(_) => self.apply_local(&n.ident),
                    Meaning::Builtin(b, doc) => self.builtin(b, &n.ident, doc, args),
                    Meaning::Item(..) | Meaning::Unknown => {}
                }
            }
            _ => self.expr(callee),
        }
        for a in args {
            self.expr(&a.value);
        }
    }

    fn method(&mut self, base: &'a Expr, name: &'a Ident, args: &'a [Arg], span: Span) {
        self.expr(base);
        if matches!((name.name.as_str(), args.len()), ("push", 1) | ("pop", 0)) {
            self.assign(base);
            return;
        }
        let meaning = self.meaning(&name.name);
        if let (Meaning::Unknown, None) = (meaning, &self.names) {
            let locals: Vec<&str> = self.locals.iter().map(|l| l.name).collect();
            let d = wording::unknown_method(self.program, self.module, name, locals.into_iter());
            return self.report(d);
        }
        self.read(name);
        if let Some((item, module)) = self.declared(meaning) {
            self.check_call(item, module, Some(base), args, span, false);
        }
        if let Meaning::Local(_) = meaning {
            self.apply_local(name);
        }
    }

    fn builtin(&mut self, b: Builtin, name: &Ident, doc: &str, args: &'a [Arg]) {
        for n in args.iter().filter_map(|a| a.name.as_ref()) {
            if n.name != "axis" || !matches!(b, Builtin::Concat | Builtin::Split) {
                self.report(wording::unknown_builtin_argument(&name.name, doc, n));
            }
        }
        if let (Builtin::Map, [_, f]) = (b, args) {
            self.in_loop(|w| w.note_applied(&f.value));
        }
    }

    /// The arguments of a call or use of a declaration; `runs` says that what it gives is applied to a tensor here.
    fn check_call(
        &mut self,
        item: &'a Item,
        module: ModuleId,
        receiver: Option<&'a Expr>,
        args: &'a [Arg],
        span: Span,
        runs: bool,
    ) {
        match &item.kind {
            ItemKind::Primitive(Primitive { params, .. })
            | ItemKind::Arch(Arch { params, .. })
            | ItemKind::Fun(Fun { params, .. }) => self.note_arguments(params, args),
            _ => {}
        }
        let callee = match &item.kind {
            ItemKind::Primitive(p) => Callee { name: &p.name, params: &p.params },
            // A list of designs is not called; one of them is.
            ItemKind::Arch(a) if a.count.is_some() => return,
            ItemKind::Arch(a) => Callee { name: &a.name, params: &a.params },
            ItemKind::Fun(f) => {
                let same = self.program.module(module).ast.items.iter();
                if same.filter(|i| matches!(&i.kind, ItemKind::Fun(g) if g.name.name == f.name.name)).count() > 1 {
                    return;
                }
                Callee { name: &f.name, params: &f.params }
            }
            _ => return,
        };
        let first = match (receiver, args.first()) {
            (Some(e), _) => self.is_tensor(e),
            (None, Some(Arg { name: None, value })) => self.is_tensor(value),
            (None, _) => Some(false),
        };
        let direct = callee.direct(first, args);
        let places = match callee.matched(receiver, args, direct, span) {
            Ok(places) => places,
            Err(wrong) => return self.out.extend(wrong),
        };
        let skip = usize::from(receiver.is_some());
        self.out.extend(callee.literals(args, &places[skip..]));
        // Does the callee's body run here?
        if runs || direct == Some(true) {
            self.calls(callee.name.span, span);
        }
        if let Some((own, params, mark)) = self.frame.decl
            && own == callee.name.span
        {
            let unchanged = params.iter().enumerate().filter(|(_, p)| !is_tensor(p)).all(|(i, p)| {
                let Some(k) = places.iter().position(|&at| at == i) else { return false };
                let Some(value) = (k >= skip).then(|| &args[k - skip].value).or(receiver) else { return false };
                match &value.kind {
                    ExprKind::Name(n) => {
                        n.ident.name == p.name.name
                            && self
                                .local(&n.ident.name)
                                .is_some_and(|at| at >= mark && self.locals[at].bound == Bound::Param)
                    }
                    _ => false,
                }
            });
            if unchanged {
                self.frame.unchanged.push(span);
            }
        }
    }

    // ---- decisions ----

    fn choose(&mut self, c: &'a Choose) {
        let default = match &c.domain {
            Domain::Alternatives(_) => "op",
            Domain::From(_) => "item",
            Domain::In { .. } => "number",
        };
        if let Some(e) = &c.given {
            self.expr(e);
        }
        match &c.amount {
            Amount::One => {}
            Amount::Exactly(e) => self.expr(e),
            Amount::Between { lo, hi, .. } => lo.iter().chain(hi).for_each(|e| self.expr(e)),
        }
        match &c.domain {
            Domain::Alternatives(alts) => {
                self.labels(alts);
                for a in alts {
                    if let Some(w) = &a.weight {
                        self.expr(w);
                    }
                }
                if let Amount::One = c.amount {
                    self.arms(alts, |w, a| w.naming(|w| w.alternative(a)));
                } else {
                    for a in alts {
                        self.maybe(|w| w.naming(|w| w.alternative(a)));
                    }
                }
            }
            Domain::From(e) => self.expr(e),
            Domain::In { range, step, .. } => {
                self.expr(range);
                if let Some(s) = step {
                    self.expr(s);
                }
            }
        }
        let (name, at) = match &c.name {
            Some(n) => (n.name.as_str(), n.span),
            None => (default, c.keyword),
        };
        self.decides(name, at);
    }

    fn alternative(&mut self, a: &'a Alternative) {
        match &a.value.kind {
            ExprKind::Name(n) => self.used_by_name(&n.ident, a.value.span, false),
            _ => self.expr(&a.value),
        }
    }

    /// Alternatives are recorded by their labels, so these must differ.
    fn labels(&mut self, alts: &'a [Alternative]) {
        let texts: Vec<String> = alts
            .iter()
            .map(|a| match &a.label {
                Some(l) => l.name.clone(),
                None => crate::syntax::print::expr_text(&a.value),
            })
            .collect();
        for (i, t) in texts.iter().enumerate() {
            if let Some(j) = texts[..i].iter().position(|u| u == t) {
                self.report(wording::duplicate_alternative(t, alts[j].span, alts[i].span));
                return;
            }
        }
    }

    fn assemble(&mut self, a: &'a Assemble) {
        self.expr(&a.nodes);
        if let Some(e) = &a.edges {
            self.maybe(|w| w.naming(|w| w.expr(e)));
        }
        if let Some(e) = &a.edge {
            self.at_nodes(e, &["i", "j"]);
        }
        if let Some(e) = &a.merge {
            self.at_nodes(e, &["j"]);
        }
    }

    /// What is evaluated for every edge or node, with their numbers in scope.
    fn at_nodes(&mut self, e: &'a Expr, names: &[&'static str]) {
        self.in_loop(|w| {
            let mark = w.locals.len();
            for name in names {
                w.bind(Local::new(name, e.span, Kind::Scalar, Bound::Loop));
            }
            w.note_applied(e);
            w.expr(e);
            w.close(mark, e.span);
        });
    }

    // ---- what a value is ----

    /// Whether an argument is a tensor, where that is evident.
    fn is_tensor(&self, e: &Expr) -> Option<bool> {
        match &e.kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Quantity(..)
            | ExprKind::Str(_)
            | ExprKind::Bool(_)
            | ExprKind::List(_)
            | ExprKind::Lambda { .. }
            | ExprKind::Unary(UnOp::Not, _) => Some(false),
            ExprKind::None => Some(true),
            ExprKind::Unary(UnOp::Neg, x) => self.is_tensor(x),
            ExprKind::Binary(BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Div | BinOp::Rem | BinOp::Pow, a, b) => {
                (self.is_tensor(a) == Some(false) && self.is_tensor(b) == Some(false)).then_some(false)
            }
            ExprKind::Name(n) => match self.meaning(&n.ident.name) {
                Meaning::Local(at) => match self.locals[at].kind {
                    Kind::Tensor => Some(true),
                    Kind::Scalar | Kind::Extent | Kind::Item(_) => Some(false),
                    Kind::Data | Kind::Other => None,
                },
                Meaning::Item(..) | Meaning::Builtin(..) => Some(false),
                Meaning::Unknown => None,
            },
            _ => None,
        }
    }

    /// Whether an expression certainly is a tensor or what a pipeline makes of one.
    pub(super) fn is_data(&self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Name(n) => match self.meaning(&n.ident.name) {
                Meaning::Local(at) => matches!(self.locals[at].kind, Kind::Tensor | Kind::Data),
                _ => false,
            },
            ExprKind::Binary(BinOp::Pipe, a, _) => self.is_data(a),
            _ => false,
        }
    }

    /// The decisions that an operation holds, if it is one.
    pub(super) fn held(&self, e: &'a Expr) -> Option<Held> {
        match &e.kind {
            ExprKind::Choose(c) => {
                let (Domain::Alternatives(_), Amount::One) = (&c.domain, &c.amount) else { return None };
                let at = first_choice(e)?;
                Some(Held::Choice(c.name.as_ref().map_or("op", |n| n.name.as_str()).to_string(), at))
            }
            ExprKind::Binary(BinOp::Pipe, a, b) => {
                if self.is_data(a) {
                    return None;
                }
                self.held(a).or_else(|| self.held(b))
            }
            ExprKind::Name(n) => self.held_by_use(&n.ident, e.span),
            ExprKind::Call { callee, args } => {
                let ExprKind::Name(n) = &callee.kind else { return None };
                let first = args.first().filter(|a| a.name.is_none()).map(|a| self.is_tensor(&a.value));
                if matches!(first, Some(Some(true) | None)) {
                    return None;
                }
                self.held_by_use(&n.ident, e.span)
            }
            ExprKind::Body(b) if b.stmts.is_empty() => self.held(b.value.as_ref()?),
            _ => None,
        }
    }

    fn held_by_use(&self, n: &Ident, span: Span) -> Option<Held> {
        let (item, module) = self.declared(self.meaning(&n.name))?;
        decides(self.program, module, item).then(|| Held::Block(n.name.clone(), span))
    }
}

/// The stages of a pipeline in their order.
fn flatten<'a>(e: &'a Expr, out: &mut Vec<&'a Expr>) {
    match &e.kind {
        ExprKind::Binary(BinOp::Pipe, a, b) => {
            flatten(a, out);
            flatten(b, out);
        }
        _ => out.push(e),
    }
}
