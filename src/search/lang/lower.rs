//! From typed function instances to IR: control flow, and who owns which reference.
//!
//! A variable of the program owns its value. An expression gives either an owned temporary, released at the end of
//! the statement (or of the branch in which it arose), or a variable's value, borrowed. A mutable variable is only
//! borrowed where nothing that follows in the same expression can change it. Binding, returning and storing take an
//! owned temporary over, or retain what is borrowed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::builtins::Builtin;
use super::check::{Checker, Instance};
use super::env::FunItem;
use super::infer::Infer;
use super::ir::{BinOp, Block, Code, Fail, Func, Inst, RtOp, Site, Term, Ty, UnOp, Var, slot};
use super::tree::{
    Local, LocalInfo, Place, Range, Step, TBody, TClause, TExpr, TIter, TKind, TLambda, TPattern, TStmt,
};
use super::types::Type;
use crate::base::Span;
use crate::syntax::ast;

/// Lowers all instances; the entry's becomes function 0.
pub fn lower(checker: &Checker<'_>, entry: usize) -> Code {
    let mut code = Code::default();
    let n = checker.instances.len();
    // Function numbers: the entry first, the other instances in their order, then lambdas as they are met.
    let number = |i: usize| if i == entry { 0 } else { i + usize::from(i < entry) };
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&i| number(i));
    let mut lambdas = Vec::new();
    for i in order {
        let func = FnLower::instance(checker, &mut code, &mut lambdas, &number, n, &checker.instances[i]);
        code.funcs.push(func);
    }
    code.funcs.extend(lambdas.into_iter().flatten());
    code
}

#[derive(Clone, Copy)]
struct Val {
    var: Var,
    owned: bool,
}

#[derive(Default)]
struct Frame {
    /// Owned variables and temporaries, released when the frame is left.
    owned: Vec<Var>,
}

struct Loop {
    exit: Block,
    next: Block,
    frames: usize,
}

struct FnLower<'a> {
    checker: &'a Checker<'a>,
    code: &'a mut Code,
    lambdas: &'a mut Vec<Option<Func>>,
    number: &'a dyn Fn(usize) -> usize,
    instances: usize,
    infer: &'a Infer,
    locals: &'a [LocalInfo],
    scope: usize,
    vars: Vec<Ty>,
    map: BTreeMap<Local, Var>,
    blocks: Vec<(Vec<Inst>, Option<Term>)>,
    at: usize,
    frames: Vec<Frame>,
    loops: Vec<Loop>,
    result: Option<Ty>,
}

impl<'a> FnLower<'a> {
    fn instance(
        checker: &'a Checker<'a>,
        code: &'a mut Code,
        lambdas: &'a mut Vec<Option<Func>>,
        number: &'a dyn Fn(usize) -> usize,
        instances: usize,
        inst: &'a Instance,
    ) -> Func {
        let result = (!matches!(inst.result, Type::Unit | Type::Never)).then(|| slot(&inst.result));
        let mut f = FnLower {
            checker,
            code,
            lambdas,
            number,
            instances,
            infer: &inst.infer,
            locals: &inst.locals,
            scope: inst.scope,
            vars: Vec::new(),
            map: BTreeMap::new(),
            blocks: vec![(Vec::new(), None)],
            at: 0,
            frames: vec![Frame::default()],
            loops: Vec::new(),
            result,
        };
        // Arguments are borrowed from the caller, which keeps them until the call returns.
        let params: Vec<Var> = inst.params.iter().map(|&l| f.local(l)).collect();
        let value = f.body(&inst.body);
        f.ret(value);
        f.finish(&inst.name, inst.span, params)
    }

    fn finish(self, name: &str, span: Span, params: Vec<Var>) -> Func {
        self.code.spans.push(span);
        let span = self.code.spans.len() as u32 - 1;
        let blocks = self.blocks.into_iter().map(|(i, t)| (i, t.unwrap_or(Term::Fail(Fail::Absent, span)))).collect();
        Func { name: name.to_string(), span, params, vars: self.vars, result: self.result, blocks }
    }

    // Variables, blocks, instructions.

    fn var(&mut self, ty: Ty) -> Var {
        self.vars.push(ty);
        Var(self.vars.len() as u32 - 1)
    }

    fn ty(&self, t: &Type) -> Type {
        self.infer.full(t)
    }

    fn local(&mut self, l: Local) -> Var {
        if let Some(v) = self.map.get(&l) {
            return *v;
        }
        let ty = slot(&self.ty(&self.locals[l.0 as usize].ty));
        let v = self.var(ty);
        self.map.insert(l, v);
        v
    }

    fn block(&mut self) -> Block {
        self.blocks.push((Vec::new(), None));
        Block(self.blocks.len() as u32 - 1)
    }

    fn open(&self) -> bool {
        self.blocks[self.at].1.is_none()
    }

    fn push(&mut self, i: Inst) {
        if self.open() {
            self.blocks[self.at].0.push(i);
        }
    }

    fn end(&mut self, t: Term) {
        if self.open() {
            self.blocks[self.at].1 = Some(t);
        }
    }

    fn go(&mut self, b: Block) {
        self.at = b.0 as usize;
    }

    fn span(&mut self, s: Span) -> u32 {
        if self.code.spans.last() != Some(&s) {
            self.code.spans.push(s);
        }
        self.code.spans.len() as u32 - 1
    }

    fn int(&mut self, i: i64) -> Var {
        let v = self.var(Ty::Int);
        self.push(Inst::Const(v, i as u64));
        v
    }

    fn bin(&mut self, op: BinOp, a: Var, b: Var, span: Span) -> Var {
        let d = self.var(if op.gives_float() { Ty::Float } else { Ty::Int });
        let s = self.span(span);
        self.push(Inst::Bin(d, op, a, b, s));
        d
    }

    fn un(&mut self, op: UnOp, a: Var, span: Span) -> Var {
        let float = matches!(op, UnOp::FNeg | UnOp::FAbs | UnOp::Sqrt | UnOp::ToFloat);
        let d = self.var(if float { Ty::Float } else { Ty::Int });
        let s = self.span(span);
        self.push(Inst::Un(d, op, a, s));
        d
    }

    /// An operation of the runtime whose result, if it is a reference, becomes an owned temporary.
    fn rt(&mut self, op: RtOp, args: &[(Var, Type)], result: Type, span: Span) -> Val {
        let owned = result.is_ref();
        let v = self.rt_raw(op, args, result, span);
        if owned {
            self.own(v);
        }
        Val { var: v, owned }
    }

    /// The same; a reference belongs to whoever called.
    fn rt_raw(&mut self, op: RtOp, args: &[(Var, Type)], result: Type, span: Span) -> Var {
        let none = matches!(result, Type::Unit | Type::Never);
        let d = self.var(slot(&result));
        let types = args.iter().map(|a| a.1.clone()).collect();
        self.code.sites.push(Site { op, args: types, result, span });
        let site = self.code.sites.len() as u32 - 1;
        self.push(Inst::Rt((!none).then_some(d), site, args.iter().map(|a| a.0).collect()));
        d
    }

    // Ownership.

    fn own(&mut self, v: Var) {
        if let Some(f) = self.frames.last_mut() {
            f.owned.push(v);
        }
    }

    /// Makes the caller the owner of a value.
    fn take(&mut self, v: Val) -> Var {
        if self.vars[v.var.0 as usize] != Ty::Ref {
            return v.var;
        }
        if v.owned
            && let Some(f) = self.frames.last_mut()
            && let Some(i) = f.owned.iter().rposition(|&o| o == v.var)
        {
            f.owned.swap_remove(i);
            return v.var;
        }
        self.push(Inst::Retain(v.var));
        v.var
    }

    fn enter(&mut self) {
        self.frames.push(Frame::default());
    }

    fn leave(&mut self) {
        let Some(f) = self.frames.pop() else { return };
        for v in f.owned {
            self.push(Inst::Release(v));
        }
    }

    fn release_down_to(&mut self, frames: usize) {
        let all: Vec<Var> = self.frames[frames..].iter().rev().flat_map(|f| f.owned.iter().copied()).collect();
        for v in all {
            self.push(Inst::Release(v));
        }
    }

    fn ret(&mut self, value: Option<Val>) {
        let v = match (value, self.result) {
            (Some(v), Some(ty)) => {
                // Not `take`: on other paths the temporary still belongs to its frame.
                let d = self.var(ty);
                self.push(Inst::Move(d, v.var));
                if ty == Ty::Ref {
                    self.push(Inst::Retain(d));
                }
                Some(d)
            }
            (None, Some(ty)) => {
                // Only unreachable code gets here.
                let d = self.var(ty);
                self.push(Inst::Const(d, 0));
                Some(d)
            }
            _ => None,
        };
        self.release_down_to(0);
        self.end(Term::Return(v));
    }

    // Statements.

    /// Lowers a body in the current frame and gives its value, if it has one.
    fn body(&mut self, b: &TBody) -> Option<Val> {
        for s in &b.stmts {
            self.stmt(s);
        }
        b.value.as_ref().map(|v| self.expr(v))
    }

    fn scoped(&mut self, b: &TBody) {
        self.enter();
        self.body(b);
        self.leave();
    }

    /// A declaration in the frame outside of the statement's own.
    fn bind(&mut self, p: &TPattern, v: Val, ty: &Type, span: Span) {
        match p {
            TPattern::Skip => {}
            TPattern::Local(l) => {
                let d = self.local(*l);
                let owned = self.take(v);
                self.push(Inst::Move(d, owned));
                if self.vars[d.0 as usize] == Ty::Ref {
                    let n = self.frames.len();
                    // The variable outlives the statement's temporaries.
                    self.frames[n - 2].owned.push(d);
                }
            }
            TPattern::Tuple(ps) => {
                let Type::Tuple(ts) = self.ty(ty) else { return };
                for (i, (p, t)) in ps.iter().zip(&ts).enumerate() {
                    if matches!(p, TPattern::Skip) {
                        continue;
                    }
                    let part = self.rt(RtOp::Field(i as u32), &[(v.var, Type::Tuple(ts.clone()))], t.clone(), span);
                    self.bind(p, part, t, span);
                }
            }
        }
    }

    fn stmt(&mut self, s: &TStmt) {
        self.enter();
        match s {
            TStmt::Let(p, e) => {
                let v = self.expr(e);
                self.bind(p, v, &e.ty, e.span);
            }
            TStmt::Assign(place, e) => {
                let v = self.expr(e);
                let v = self.take(v);
                self.store(place, v, e.span);
            }
            TStmt::AssignTuple(places, e) => {
                let v = self.expr(e);
                let Type::Tuple(ts) = self.ty(&e.ty) else {
                    self.leave();
                    return;
                };
                let parts: Vec<Var> = ts
                    .iter()
                    .enumerate()
                    .map(|(i, t)| {
                        self.rt_raw(RtOp::Field(i as u32), &[(v.var, Type::Tuple(ts.clone()))], t.clone(), e.span)
                    })
                    .collect();
                for (place, part) in places.iter().zip(parts) {
                    self.store(place, part, e.span);
                }
            }
            TStmt::Expr(e) => {
                self.expr(e);
            }
            TStmt::For(p, iter, body) => self.for_loop(p, iter, &mut |s| s.scoped(body)),
            TStmt::While(cond, body) => {
                let (head, inside, exit) = (self.block(), self.block(), self.block());
                self.end(Term::Jump(head));
                self.go(head);
                self.push(Inst::Poll);
                if let Some(c) = cond {
                    self.enter();
                    let c = self.expr(c).var;
                    self.leave();
                    self.end(Term::Branch(c, inside, exit));
                } else {
                    self.end(Term::Jump(inside));
                }
                self.go(inside);
                self.loops.push(Loop { exit, next: head, frames: self.frames.len() });
                self.scoped(body);
                self.loops.pop();
                self.end(Term::Jump(head));
                self.go(exit);
            }
            TStmt::Return(e) => {
                let v = e.as_ref().map(|e| self.expr(e));
                self.ret(v);
                self.dead();
            }
            TStmt::Break | TStmt::Continue => {
                if let Some(l) = self.loops.last() {
                    let to = if matches!(s, TStmt::Break) { l.exit } else { l.next };
                    self.release_down_to(l.frames);
                    self.end(Term::Jump(to));
                    self.dead();
                }
            }
        }
        self.leave();
    }

    /// What follows is unreachable; it is lowered into a block of its own.
    fn dead(&mut self) {
        let b = self.block();
        self.go(b);
    }

    fn for_loop(&mut self, p: &TPattern, iter: &TIter, body: &mut dyn FnMut(&mut Self)) {
        let (head, inside, next, exit) = (self.block(), self.block(), self.block(), self.block());
        let frames = self.frames.len();
        match iter {
            TIter::Range(r) => {
                let (lo, hi) = self.bounds(r);
                let i = self.var(Ty::Int);
                self.push(Inst::Move(i, lo));
                self.end(Term::Jump(head));
                self.go(head);
                self.push(Inst::Poll);
                let more = self.bin(BinOp::Lt, i, hi, r.lo.span);
                self.end(Term::Branch(more, inside, exit));
                self.go(inside);
                self.loops.push(Loop { exit, next, frames });
                self.enter();
                self.enter();
                self.bind(p, Val { var: i, owned: false }, &Type::Int, r.lo.span);
                self.leave();
                body(self);
                self.leave();
                self.loops.pop();
                self.end(Term::Jump(next));
                self.go(next);
                let one = self.int(1);
                let more = self.bin(BinOp::Add, i, one, r.lo.span);
                self.push(Inst::Move(i, more));
                self.end(Term::Jump(head));
            }
            TIter::List(e) => {
                let xs = self.stable(e);
                let ty = self.ty(&e.ty);
                let Type::List(of) = ty.clone() else {
                    self.end(Term::Jump(exit));
                    self.go(exit);
                    return;
                };
                let n = self.rt(RtOp::Builtin(Builtin::Len), &[(xs.var, ty.clone())], Type::Int, e.span).var;
                let i = self.var(Ty::Int);
                let zero = self.int(0);
                self.push(Inst::Move(i, zero));
                self.end(Term::Jump(head));
                self.go(head);
                self.push(Inst::Poll);
                let more = self.bin(BinOp::Lt, i, n, e.span);
                self.end(Term::Branch(more, inside, exit));
                self.go(inside);
                self.loops.push(Loop { exit, next, frames });
                self.enter();
                self.enter();
                let x = self.rt(RtOp::Get, &[(xs.var, ty), (i, Type::Int)], (*of).clone(), e.span);
                self.bind(p, x, &of, e.span);
                self.leave();
                body(self);
                self.leave();
                self.loops.pop();
                self.end(Term::Jump(next));
                self.go(next);
                let one = self.int(1);
                let more = self.bin(BinOp::Add, i, one, e.span);
                self.push(Inst::Move(i, more));
                self.end(Term::Jump(head));
            }
            TIter::Stream(e) => {
                let s = self.stable(e);
                let ty = self.ty(&e.ty);
                let Type::Stream(of) = ty.clone() else {
                    self.end(Term::Jump(exit));
                    self.go(exit);
                    return;
                };
                self.end(Term::Jump(head));
                self.go(head);
                self.push(Inst::Poll);
                let x = self.rt_raw(RtOp::Next, &[(s.var, ty)], Type::optional((*of).clone()), e.span);
                let more = self.rt_raw(RtOp::IsPresent, &[(x, Type::optional((*of).clone()))], Type::Int, e.span);
                self.end(Term::Branch(more, inside, exit));
                self.go(inside);
                self.loops.push(Loop { exit, next, frames });
                self.enter();
                self.enter();
                self.own(x);
                let v = self.unwrapped(Val { var: x, owned: true }, &of, e.span);
                self.bind(p, v, &of, e.span);
                self.leave();
                body(self);
                self.leave();
                self.loops.pop();
                self.end(Term::Jump(next));
                self.go(next);
                self.end(Term::Jump(head));
            }
        }
        self.go(exit);
    }

    fn bounds(&mut self, r: &Range) -> (Var, Var) {
        let lo = self.expr(&r.lo).var;
        let lo_now = self.var(Ty::Int);
        self.push(Inst::Move(lo_now, lo));
        let mut hi = self.expr(&r.hi).var;
        let hi_now = self.var(Ty::Int);
        if r.inclusive {
            let one = self.int(1);
            hi = self.bin(BinOp::Add, hi, one, r.hi.span);
        }
        self.push(Inst::Move(hi_now, hi));
        (lo_now, hi_now)
    }

    // Places.

    fn store(&mut self, place: &Place, v: Var, span: Span) {
        let root = self.local(place.root);
        if place.path.is_empty() {
            if self.vars[root.0 as usize] == Ty::Ref {
                self.push(Inst::Release(root));
            }
            self.push(Inst::Move(root, v));
            return;
        }
        self.update(place, span, &mut |s, _, old| {
            if let Some(old) = old
                && s.vars[old.0 as usize] == Ty::Ref
            {
                s.push(Inst::Release(old));
            }
            v
        });
    }

    /// Replaces the value of a place by what `f` makes of it. `f` takes the old value over and gives an owned one.
    fn update(&mut self, place: &Place, span: Span, f: &mut dyn FnMut(&mut Self, &Type, Option<Var>) -> Var) {
        let steps: Vec<(Option<Var>, usize, Span)> = place
            .path
            .iter()
            .map(|s| match s {
                Step::Index(i) => (Some(self.expr(i).var), 0, i.span),
                Step::Field(i) => (None, *i, span),
            })
            .collect();
        let root = self.local(place.root);
        let ty = self.ty(&self.locals[place.root.0 as usize].ty);
        let new = self.update_in(root, &ty, &steps, f);
        self.push(Inst::Move(root, new));
    }

    fn update_in(
        &mut self,
        v: Var,
        ty: &Type,
        steps: &[(Option<Var>, usize, Span)],
        f: &mut dyn FnMut(&mut Self, &Type, Option<Var>) -> Var,
    ) -> Var {
        let Some((&(index, field, span), rest)) = steps.split_first() else {
            return f(self, ty, Some(v));
        };
        let own = self.rt_raw(RtOp::Unique, &[(v, ty.clone())], ty.clone(), span);
        let inner = match ty {
            Type::List(t) => (**t).clone(),
            Type::Tuple(ts) => ts[field].clone(),
            Type::Record(fs) => fs[field].1.clone(),
            _ => return own,
        };
        let whole = (own, ty.clone());
        let part = match index {
            Some(i) => self.rt_raw(RtOp::TakeElement, &[whole.clone(), (i, Type::Int)], inner.clone(), span),
            None => self.rt_raw(RtOp::TakeField(field as u32), std::slice::from_ref(&whole), inner.clone(), span),
        };
        let new = if rest.is_empty() { f(self, &inner, Some(part)) } else { self.update_in(part, &inner, rest, f) };
        match index {
            Some(i) => self.rt_raw(RtOp::PutElement, &[whole, (i, Type::Int), (new, inner)], Type::Unit, span),
            None => self.rt_raw(RtOp::PutField(field as u32), &[whole, (new, inner)], Type::Unit, span),
        };
        own
    }

    fn change(&mut self, op: Builtin, place: &Place, args: &[TExpr], result: &Type, span: Span) -> Val {
        let args: Vec<(Var, Type)> = args.iter().map(|a| (self.expr(a).var, self.ty(&a.ty))).collect();
        let result = self.ty(result);
        let mut out = None;
        self.update(place, span, &mut |s, ty, old| {
            let Some(old) = old else { return Var(0) };
            let own = s.rt_raw(RtOp::Unique, &[(old, ty.clone())], ty.clone(), span);
            let mut all = vec![(own, ty.clone())];
            all.extend(args.iter().cloned());
            out = Some(s.rt_raw(RtOp::Builtin(op), &all, result.clone(), span));
            own
        });
        let var = out.unwrap_or(Var(0));
        if result.is_ref() {
            self.own(var);
        }
        Val { var, owned: result.is_ref() }
    }

    // Expressions.

    /// A value that stays what it is while other code runs: a mutable variable's is retained.
    fn stable(&mut self, e: &TExpr) -> Val {
        let v = self.expr(e);
        if let TKind::Local(l) = e.kind
            && self.locals[l.0 as usize].mutable
        {
            let ty = self.vars[v.var.0 as usize];
            let d = self.var(ty);
            self.push(Inst::Move(d, v.var));
            if ty == Ty::Ref {
                self.push(Inst::Retain(d));
                self.own(d);
            }
            return Val { var: d, owned: ty == Ty::Ref };
        }
        v
    }

    /// Operands from left to right.
    fn operands(&mut self, es: &[TExpr]) -> Vec<(Var, Type)> {
        let mut out = Vec::new();
        for (i, e) in es.iter().enumerate() {
            let v = if es[i + 1..].iter().all(quiet) { self.expr(e) } else { self.stable(e) };
            out.push((v.var, self.ty(&e.ty)));
        }
        out
    }

    fn pair(&mut self, a: &TExpr, b: &TExpr) -> (Var, Var) {
        let x = if quiet(b) { self.expr(a) } else { self.stable(a) };
        let y = self.expr(b);
        (x.var, y.var)
    }

    fn plain(var: Var) -> Val {
        Val { var, owned: false }
    }

    fn expr(&mut self, e: &TExpr) -> Val {
        let ty = self.ty(&e.ty);
        let span = e.span;
        match &e.kind {
            TKind::Int(i) => Self::plain(self.int(*i)),
            TKind::Bool(b) => Self::plain(self.int(i64::from(*b))),
            TKind::Float(x) => {
                let v = self.var(Ty::Float);
                self.push(Inst::Const(v, x.to_bits()));
                Self::plain(v)
            }
            TKind::Str(s) => self.rt(RtOp::Str(s.clone()), &[], Type::Str, span),
            TKind::None => {
                let v = self.var(Ty::Ref);
                self.push(Inst::Const(v, 0));
                Self::plain(v)
            }
            TKind::Unit | TKind::Error => {
                let v = self.var(slot(&ty));
                self.push(Inst::Const(v, 0));
                Self::plain(v)
            }
            TKind::Local(l) => Self::plain(self.local(*l)),
            TKind::List(xs) => {
                let args = self.operands(xs);
                self.rt(RtOp::List, &args, ty, span)
            }
            TKind::Tuple(xs) => {
                let args = self.operands(xs);
                self.rt(RtOp::Tuple, &args, ty, span)
            }
            TKind::Range(r) => {
                let (lo, hi) = self.bounds(r);
                self.rt(RtOp::Range, &[(lo, Type::Int), (hi, Type::Int)], ty, span)
            }
            TKind::Comprehension(element, clauses) => {
                let out = self.rt(RtOp::List, &[], ty.clone(), span);
                self.clauses(clauses, element, out.var, &ty);
                out
            }
            TKind::Unary(op, x) => {
                let v = self.expr(x).var;
                let op = match (op, slot(&ty)) {
                    (ast::UnOp::Not, _) => UnOp::Not,
                    (ast::UnOp::Neg, Ty::Float) => UnOp::FNeg,
                    (ast::UnOp::Neg, _) => UnOp::Neg,
                };
                Self::plain(self.un(op, v, span))
            }
            TKind::Binary(op @ (ast::BinOp::And | ast::BinOp::Or), a, b) => {
                let d = self.var(Ty::Int);
                let a = self.expr(a).var;
                self.push(Inst::Move(d, a));
                let (more, done) = (self.block(), self.block());
                let (t, f) = if *op == ast::BinOp::And { (more, done) } else { (done, more) };
                self.end(Term::Branch(d, t, f));
                self.go(more);
                self.enter();
                let b = self.expr(b).var;
                self.push(Inst::Move(d, b));
                self.leave();
                self.end(Term::Jump(done));
                self.go(done);
                Self::plain(d)
            }
            TKind::Binary(op, a, b) => self.binary(*op, a, b, &ty, span),
            TKind::Lifted(op, a, b) => self.lifted(*op, a, b, &ty, span),
            TKind::If(cond, then, other) => {
                self.enter();
                let c = self.expr(cond).var;
                self.leave();
                let (t, f, done) = (self.block(), self.block(), self.block());
                let has = !matches!(ty, Type::Unit | Type::Never);
                let d = self.var(slot(&ty));
                self.end(Term::Branch(c, t, f));
                for (block, body) in [(t, then), (f, other)] {
                    self.go(block);
                    self.enter();
                    let v = self.body(body);
                    if let (true, Some(v)) = (has, v)
                        && self.vars[v.var.0 as usize] == self.vars[d.0 as usize]
                    {
                        let v = self.take(v);
                        self.push(Inst::Move(d, v));
                    }
                    self.leave();
                    self.end(Term::Jump(done));
                }
                self.go(done);
                let owned = has && ty.is_ref();
                if owned {
                    self.own(d);
                }
                Val { var: d, owned }
            }
            TKind::Body(b) => {
                let d = self.var(slot(&ty));
                self.enter();
                let v = self.body(b);
                let has = !matches!(ty, Type::Unit | Type::Never);
                if let (true, Some(v)) = (has, v)
                    && self.vars[v.var.0 as usize] == self.vars[d.0 as usize]
                {
                    let v = self.take(v);
                    self.push(Inst::Move(d, v));
                }
                self.leave();
                let owned = has && ty.is_ref();
                if owned {
                    self.own(d);
                }
                Val { var: d, owned }
            }
            TKind::Call(item, params, args) => {
                let args: Vec<Var> = self.operands(args).into_iter().map(|a| a.0).collect();
                let func = self.function(item, params);
                self.result(&ty, |d| Inst::Call(d, func, args))
            }
            TKind::CallValue(f, args) => {
                let f = self.stable(f).var;
                let args: Vec<Var> = self.operands(args).into_iter().map(|a| a.0).collect();
                self.result(&ty, |d| Inst::CallValue(d, f, args))
            }
            TKind::Builtin(op, args) => self.builtin(*op, args, ty, span),
            TKind::Change(op, place, args) => self.change(*op, place, args, &e.ty, span),
            TKind::Host(f, args, place) => {
                let args = self.operands(args);
                let v = self.rt(RtOp::Host(*f), &args, ty, span);
                if let Some(place) = place {
                    self.push(Inst::Retain(v.var));
                    self.store(place, v.var, span);
                }
                v
            }
            TKind::Op(name, args) => {
                let names = args.iter().map(|a| a.0.clone()).collect();
                let values: Vec<TExpr> = args.iter().map(|a| a.1.clone()).collect();
                let args = self.operands(&values);
                self.rt(RtOp::Op(name.clone(), self.scope, names), &args, Type::Op, span)
            }
            TKind::Index(b, i) => {
                let (b_ty, quiet_index) = (self.ty(&b.ty), quiet(i));
                let b = if quiet_index { self.expr(b) } else { self.stable(b) };
                let i = self.expr(i).var;
                self.rt(RtOp::Get, &[(b.var, b_ty), (i, Type::Int)], ty, span)
            }
            TKind::Slice(b, lo, hi) => {
                let b_ty = self.ty(&b.ty);
                let b = self.stable(b);
                let lo = match lo {
                    Some(e) => self.expr(e).var,
                    None => self.int(0),
                };
                let hi = match hi {
                    Some(e) => self.expr(e).var,
                    None => self.rt(RtOp::Builtin(Builtin::Len), &[(b.var, b_ty.clone())], Type::Int, span).var,
                };
                self.rt(RtOp::Slice, &[(b.var, b_ty), (lo, Type::Int), (hi, Type::Int)], ty, span)
            }
            TKind::Field(b, i) => {
                let b_ty = self.ty(&b.ty);
                let b = self.expr(b);
                self.rt(RtOp::Field(*i as u32), &[(b.var, b_ty)], ty, span)
            }
            TKind::ToFloat(x) => {
                let v = self.expr(x).var;
                Self::plain(self.un(UnOp::ToFloat, v, span))
            }
            TKind::Some(x) => {
                let t = self.ty(&x.ty);
                let v = self.expr(x);
                if t.is_ref() { v } else { self.rt(RtOp::Box, &[(v.var, t)], ty, span) }
            }
            TKind::ToOption(x) => {
                let t = self.ty(&x.ty);
                let v = self.expr(x);
                self.rt(RtOp::ToOption, &[(v.var, t)], ty, span)
            }
            TKind::Unwrap(x) => {
                let v = self.expr(x);
                self.unwrapped(v, &ty, span)
            }
            TKind::Lambda(l) => self.lambda(l, &ty, span),
            TKind::Fun(item) => self.function_value(item, &ty, span),
        }
    }

    fn unwrapped(&mut self, v: Val, ty: &Type, span: Span) -> Val {
        let op = if ty.is_ref() { RtOp::Present } else { RtOp::Unbox };
        self.rt(op, &[(v.var, Type::optional(ty.clone()))], ty.clone(), span)
    }

    /// A call's result; references come owned.
    fn result(&mut self, ty: &Type, make: impl FnOnce(Option<Var>) -> Inst) -> Val {
        let has = !matches!(ty, Type::Unit | Type::Never);
        let d = self.var(slot(ty));
        self.push(make(has.then_some(d)));
        let owned = has && ty.is_ref();
        if owned {
            self.own(d);
        }
        Val { var: d, owned }
    }

    fn clauses(&mut self, clauses: &[TClause], element: &TExpr, out: Var, ty: &Type) {
        let Some((c, rest)) = clauses.split_first() else {
            self.enter();
            let v = self.expr(element).var;
            let of = self.ty(&element.ty);
            self.rt_raw(RtOp::Append, &[(out, ty.clone()), (v, of)], Type::Unit, element.span);
            self.leave();
            return;
        };
        self.for_loop(&c.pattern, &c.iter, &mut |s| {
            if let Some(cond) = &c.cond {
                s.enter();
                let v = s.expr(cond).var;
                s.leave();
                let (yes, no) = (s.block(), s.block());
                s.end(Term::Branch(v, yes, no));
                s.go(yes);
                s.enter();
                s.clauses(rest, element, out, ty);
                s.leave();
                s.end(Term::Jump(no));
                s.go(no);
            } else {
                s.enter();
                s.clauses(rest, element, out, ty);
                s.leave();
            }
        });
    }

    fn arithmetic(op: ast::BinOp, float: bool) -> BinOp {
        match (op, float) {
            (ast::BinOp::Add, false) => BinOp::Add,
            (ast::BinOp::Sub, false) => BinOp::Sub,
            (ast::BinOp::Mul, false) => BinOp::Mul,
            (ast::BinOp::Div, false) => BinOp::Div,
            (ast::BinOp::Rem, false) => BinOp::Rem,
            (ast::BinOp::Add, true) => BinOp::FAdd,
            (ast::BinOp::Sub, true) => BinOp::FSub,
            (ast::BinOp::Mul, true) => BinOp::FMul,
            (ast::BinOp::Div, true) => BinOp::FDiv,
            (ast::BinOp::Rem, true) => BinOp::FRem,
            (ast::BinOp::Eq, false) => BinOp::Eq,
            (ast::BinOp::Ne, false) => BinOp::Ne,
            (ast::BinOp::Lt, false) => BinOp::Lt,
            (ast::BinOp::Le, false) => BinOp::Le,
            (ast::BinOp::Gt, false) => BinOp::Gt,
            (ast::BinOp::Ge, false) => BinOp::Ge,
            (ast::BinOp::Eq, true) => BinOp::FEq,
            (ast::BinOp::Ne, true) => BinOp::FNe,
            (ast::BinOp::Lt, true) => BinOp::FLt,
            (ast::BinOp::Le, true) => BinOp::FLe,
            (ast::BinOp::Gt, true) => BinOp::FGt,
            (ast::BinOp::Ge, true) => BinOp::FGe,
            (ast::BinOp::Pow | ast::BinOp::Pipe | ast::BinOp::And | ast::BinOp::Or, _) => BinOp::Pow,
        }
    }

    fn number(&mut self, op: ast::BinOp, x: Var, y: Var, span: Span) -> Var {
        let float = self.vars[x.0 as usize] == Ty::Float;
        if op == ast::BinOp::Pow && float {
            let d = self.var(Ty::Float);
            self.push(Inst::Math(d, Builtin::Pow, x, y));
            return d;
        }
        self.bin(Self::arithmetic(op, float), x, y, span)
    }

    fn binary(&mut self, op: ast::BinOp, a: &TExpr, b: &TExpr, ty: &Type, span: Span) -> Val {
        let t = self.ty(&a.ty);
        let (x, y) = self.pair(a, b);
        match t {
            Type::Int | Type::Float | Type::Bool | Type::Unit => Self::plain(self.number(op, x, y, span)),
            t if op == ast::BinOp::Add => self.rt(RtOp::Concat, &[(x, t.clone()), (y, t)], ty.clone(), span),
            t => {
                let c = self.rt(RtOp::Compare, &[(x, t.clone()), (y, t)], Type::Int, span).var;
                let zero = self.int(0);
                Self::plain(self.bin(Self::arithmetic(op, false), c, zero, span))
            }
        }
    }

    fn lifted(&mut self, op: ast::BinOp, a: &TExpr, b: &TExpr, ty: &Type, span: Span) -> Val {
        let inner = |t: Type| if let Type::Optional(t) = t { *t } else { t };
        let (ta, tb, t) = (inner(self.ty(&a.ty)), inner(self.ty(&b.ty)), inner(ty.clone()));
        let (x, y) = self.pair(a, b);
        let d = self.var(Ty::Ref);
        self.push(Inst::Const(d, 0));
        let (one, both, done) = (self.block(), self.block(), self.block());
        let has = |s: &mut Self, v: Var, t: &Type| {
            s.rt_raw(RtOp::IsPresent, &[(v, Type::optional(t.clone()))], Type::Int, span)
        };
        let p = has(self, x, &ta);
        self.end(Term::Branch(p, one, done));
        self.go(one);
        let p = has(self, y, &tb);
        self.end(Term::Branch(p, both, done));
        self.go(both);
        let mut parts = Vec::new();
        for (v, from) in [(x, &ta), (y, &tb)] {
            let mut n = self.rt_raw(RtOp::Unbox, &[(v, Type::optional(from.clone()))], from.clone(), span);
            if *from == Type::Int && t == Type::Float {
                n = self.un(UnOp::ToFloat, n, span);
            }
            parts.push(n);
        }
        let n = self.number(op, parts[0], parts[1], span);
        let boxed = self.rt_raw(RtOp::Box, &[(n, t)], ty.clone(), span);
        self.push(Inst::Move(d, boxed));
        self.end(Term::Jump(done));
        self.go(done);
        self.own(d);
        Val { var: d, owned: true }
    }

    fn builtin(&mut self, op: Builtin, args: &[TExpr], ty: Type, span: Span) -> Val {
        let values = self.operands(args);
        let first = values.first().map_or(Type::Unit, |v| v.1.clone());
        let v = |i: usize| values[i].0;
        match op {
            Builtin::Sqrt => Self::plain(self.un(UnOp::Sqrt, v(0), span)),
            Builtin::IsNan => Self::plain(self.un(UnOp::IsNan, v(0), span)),
            Builtin::Abs => {
                let op = if first == Type::Float { UnOp::FAbs } else { UnOp::Abs };
                Self::plain(self.un(op, v(0), span))
            }
            Builtin::Min | Builtin::Max if values.len() == 2 => {
                let op = match (op, &first) {
                    (Builtin::Min, Type::Float) => BinOp::FMin,
                    (_, Type::Float) => BinOp::FMax,
                    (Builtin::Min, _) => BinOp::Min,
                    _ => BinOp::Max,
                };
                Self::plain(self.bin(op, v(0), v(1), span))
            }
            Builtin::Int if first == Type::Float => Self::plain(self.un(UnOp::ToInt, v(0), span)),
            Builtin::Int if first == Type::Bool => Self::plain(v(0)),
            Builtin::Floor | Builtin::Ceil | Builtin::Round => {
                let d = self.var(Ty::Float);
                self.push(Inst::Math(d, op, v(0), v(0)));
                Self::plain(self.un(UnOp::ToInt, d, span))
            }
            _ if op.math().is_some() => {
                let d = self.var(Ty::Float);
                let second = if values.len() > 1 { v(1) } else { v(0) };
                self.push(Inst::Math(d, op, v(0), second));
                Self::plain(d)
            }
            _ => self.rt(RtOp::Builtin(op), &values, ty, span),
        }
    }

    fn function(&self, item: &Arc<FunItem>, params: &[Type]) -> u32 {
        let params: Vec<Type> = params.iter().map(|t| self.ty(t)).collect();
        // The checker made every instance that a tree without errors refers to.
        self.checker.find(item, &params).map_or(0, |i| (self.number)(i) as u32)
    }

    /// The number that the next lambda gets; it stands behind all instances.
    fn reserve(&mut self) -> usize {
        self.lambdas.push(None);
        self.lambdas.len() - 1
    }

    fn lambda(&mut self, l: &TLambda, ty: &Type, span: Span) -> Val {
        let captured: Vec<(Var, Type)> =
            l.captures.iter().map(|&c| (self.local(c), self.ty(&self.locals[c.0 as usize].ty))).collect();
        let Type::Fn(_, result) = ty else { return Self::plain(Var(0)) };
        let result = (!matches!(**result, Type::Unit | Type::Never)).then(|| slot(result));
        let at = self.reserve();
        let mut f = FnLower {
            checker: self.checker,
            code: &mut *self.code,
            lambdas: &mut *self.lambdas,
            number: self.number,
            instances: self.instances,
            infer: self.infer,
            locals: self.locals,
            scope: self.scope,
            vars: vec![Ty::Ref],
            map: BTreeMap::new(),
            blocks: vec![(Vec::new(), None)],
            at: 0,
            frames: vec![Frame::default()],
            loops: Vec::new(),
            result,
        };
        let this = Var(0);
        let mut params = vec![this];
        params.extend(l.params.iter().map(|&p| f.local(p)));
        for (i, (c, (_, t))) in l.captures.iter().zip(&captured).enumerate() {
            let v = f.rt_raw(RtOp::Captured(i as u32), &[(this, ty.clone())], t.clone(), span);
            if t.is_ref() {
                f.own(v);
            }
            f.map.insert(*c, v);
        }
        for (whole, p) in &l.patterns {
            let v = f.local(*whole);
            let t = f.locals[whole.0 as usize].ty.clone();
            f.enter();
            f.bind(p, Self::plain(v), &t, span);
            f.leave();
        }
        let v = f.expr(&l.body);
        let v = f.result.is_some().then_some(v);
        f.ret(v);
        let func = f.finish("lambda", span, params);
        self.lambdas[at] = Some(func);
        let number = (self.instances + at) as u32;
        self.rt(RtOp::Closure(number), &captured, ty.clone(), span)
    }

    fn function_value(&mut self, item: &Arc<FunItem>, ty: &Type, span: Span) -> Val {
        let Type::Fn(params, result) = ty else { return Self::plain(Var(0)) };
        let callee = self.function(item, params);
        let at = self.reserve();
        let result = (!matches!(**result, Type::Unit | Type::Never)).then(|| slot(result));
        let mut vars = vec![Ty::Ref];
        vars.extend(params.iter().map(slot));
        let args: Vec<Var> = (1..vars.len() as u32).map(Var).collect();
        let d = result.map(|t| {
            vars.push(t);
            Var(vars.len() as u32 - 1)
        });
        let s = self.span(span);
        let mut all = vec![Var(0)];
        all.extend(args.iter().copied());
        self.lambdas[at] = Some(Func {
            name: item.fun.name.name.clone(),
            span: s,
            params: all,
            vars,
            result,
            blocks: vec![(vec![Inst::Call(d, callee, args)], Term::Return(d))],
        });
        self.rt(RtOp::Closure((self.instances + at) as u32), &[], ty.clone(), span)
    }
}

/// Whether evaluating an expression cannot change a variable.
fn quiet(e: &TExpr) -> bool {
    match &e.kind {
        TKind::Change(..) | TKind::If(..) | TKind::Body(_) => false,
        TKind::Host(_, args, place) => place.is_none() && args.iter().all(quiet),
        TKind::List(xs) | TKind::Tuple(xs) | TKind::Call(_, _, xs) | TKind::Builtin(_, xs) => xs.iter().all(quiet),
        TKind::CallValue(f, xs) => quiet(f) && xs.iter().all(quiet),
        TKind::Op(_, xs) => xs.iter().all(|x| quiet(&x.1)),
        TKind::Range(r) => quiet(&r.lo) && quiet(&r.hi),
        TKind::Binary(_, a, b) | TKind::Lifted(_, a, b) | TKind::Index(a, b) => quiet(a) && quiet(b),
        TKind::Slice(a, b, c) => quiet(a) && [b, c].into_iter().flatten().all(|x| quiet(x)),
        TKind::Unary(_, x)
        | TKind::Field(x, _)
        | TKind::ToFloat(x)
        | TKind::Some(x)
        | TKind::ToOption(x)
        | TKind::Unwrap(x) => quiet(x),
        TKind::Comprehension(x, clauses) => {
            quiet(x)
                && clauses.iter().all(|c| {
                    c.cond.as_ref().is_none_or(quiet)
                        && match &c.iter {
                            TIter::Range(r) => quiet(&r.lo) && quiet(&r.hi),
                            TIter::List(e) | TIter::Stream(e) => quiet(e),
                        }
                })
        }
        _ => true,
    }
}
