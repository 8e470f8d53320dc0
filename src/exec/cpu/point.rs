//! What the generated code does at a point of the loops: evaluate the body, accumulate, store.
//!
//! Sums along the vector loop have as many accumulators as the loop has lanes per iteration (4 to 16), combined in
//! pairs at the end, so their error grows with the length over the lanes, not with the length. Sums of other loops
//! have one accumulator for each output.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use cranelift_frontend::Variable;

use super::codegen::{Address, Gen, Width};
use super::math::{self, Math};
use super::nest::{Expr, Fold, Use, dependence};
use crate::graph::{Atom, BinaryOp, CompareOp, Guard, Index, ReduceOp, UnaryOp};

/// The value of an operation.
#[derive(Clone, Debug)]
enum Eval {
    /// Equal in all lanes, as a scalar; a `Bool` is an `I8`.
    Same(Value),
    /// One vector after the other; a `Bool` is a mask.
    Vectors(Vec<Value>),
}

/// The slot of the integers that a guard compares, their place, which lies along the loop `v`, and the number that they
/// are compared with, which does not depend on it.
pub fn compared(g: &Guard, v: usize) -> Option<(usize, &Index, Index)> {
    let Guard::Zero(i) = g else { return None };
    let mut found = None;
    let mut rest = Index::constant(i.constant);
    for (atom, c) in &i.terms {
        match atom {
            Atom::Load(slot, at) if found.is_none() && at.len() == 1 && c.abs() == 1 => {
                found = Some((slot.0 as usize, &at[0], *c));
            }
            _ => rest = rest.plus(&Index::atom(atom.clone()), *c),
        }
    }
    let (slot, at, c) = found?;
    let fits = dependence(at, v) == Use::Linear(1) && dependence(&rest, v) == Use::None;
    fits.then(|| (slot, at, rest.times(-c)))
}

impl<'f> Gen<'_, 'f> {
    fn vector_count(&self) -> usize {
        match self.width {
            Width::Scalar => 0,
            Width::Vectors(n) => n,
        }
    }

    fn math(&mut self, vector: bool) -> Math<'_, 'f> {
        let ty = if vector { types::F32X4 } else { types::F32 };
        Math { ty, fma: self.fma, convention: self.convention, b: &mut self.b }
    }

    fn lanes_of(&mut self, e: &Eval) -> Vec<Value> {
        match e {
            Eval::Vectors(v) => v.clone(),
            Eval::Same(x) => {
                let x = *x;
                let v = if self.b.func.dfg.value_type(x) == types::I8 {
                    self.math(true).mask(x)
                } else {
                    self.b.ins().splat(types::F32X4, x)
                };
                vec![v; self.vector_count()]
            }
        }
    }

    /// The values of all operations of the body.
    fn evaluate(&mut self) -> Vec<Eval> {
        let mut vals: Vec<Eval> = Vec::with_capacity(self.nest.body.len());
        let nest = self.nest;
        for e in &nest.body {
            let v = match e {
                Expr::Const(bits) => Eval::Same(self.b.ins().f32const(f32::from_bits(*bits))),
                Expr::Read(a) => self.read(*a),
                Expr::Index(i) => self.number(i),
                Expr::Test(g) => self.condition(g),
                Expr::Unary(op, a) => {
                    let op = *op;
                    self.map(&[&vals[*a as usize]], |g, vector, x| g.unary(op, vector, x[0]))
                }
                Expr::Binary(BinaryOp::Pow, a, b) => {
                    let power = match nest.body[*b as usize] {
                        Expr::Const(bits) => Some(f32::from_bits(bits)).filter(|p| p.fract() == 0.0 && p.abs() <= 64.0),
                        _ => None,
                    };
                    self.map(&[&vals[*a as usize], &vals[*b as usize]], |g, vector, x| {
                        let mut m = g.math(vector);
                        match power {
                            None => m.call(math::pow as *const () as usize, &[x[0], x[1]]),
                            Some(p) => {
                                let y = m.power(x[0], p.abs() as u32);
                                if p < 0.0 {
                                    let one = m.num(1.0);
                                    m.b.ins().fdiv(one, y)
                                } else {
                                    y
                                }
                            }
                        }
                    })
                }
                Expr::Binary(op, a, b) => {
                    let op = *op;
                    self.map(&[&vals[*a as usize], &vals[*b as usize]], |g, vector, x| g.binary(op, vector, x[0], x[1]))
                }
                Expr::Compare(op, a, b) => {
                    let cc = match op {
                        CompareOp::Lt => FloatCC::LessThan,
                        CompareOp::Le => FloatCC::LessThanOrEqual,
                        CompareOp::Eq => FloatCC::Equal,
                        CompareOp::Ne => FloatCC::NotEqual,
                    };
                    self.map(&[&vals[*a as usize], &vals[*b as usize]], |g, vector, x| {
                        g.math(vector).compare(cc, x[0], x[1])
                    })
                }
                Expr::Select(c, a, b) => {
                    let all = [&vals[*c as usize], &vals[*a as usize], &vals[*b as usize]];
                    self.map(&all, |g, vector, x| g.math(vector).select(x[0], x[1], x[2]))
                }
            };
            vals.push(v);
        }
        vals
    }

    /// Applies an operation once if all operands are equal in all lanes, else to each vector.
    fn map(&mut self, args: &[&Eval], mut f: impl FnMut(&mut Self, bool, &[Value]) -> Value) -> Eval {
        let same: Option<Vec<Value>> = args
            .iter()
            .map(|e| match e {
                Eval::Same(v) => Some(*v),
                Eval::Vectors(_) => None,
            })
            .collect();
        if let Some(x) = same {
            return Eval::Same(f(self, false, &x));
        }
        let all: Vec<Vec<Value>> = args.iter().map(|e| self.lanes_of(e)).collect();
        Eval::Vectors(
            (0..self.vector_count())
                .map(|u| {
                    let x: Vec<Value> = all.iter().map(|v| v[u]).collect();
                    f(self, true, &x)
                })
                .collect(),
        )
    }

    fn unary(&mut self, op: UnaryOp, vector: bool, x: Value) -> Value {
        let mut m = self.math(vector);
        match op {
            UnaryOp::Neg => m.b.ins().fneg(x),
            UnaryOp::Exp => m.exp(x),
            UnaryOp::Log => m.log(x),
            UnaryOp::Sqrt => m.b.ins().sqrt(x),
            UnaryOp::Rsqrt => {
                let one = m.num(1.0);
                let r = m.b.ins().sqrt(x);
                m.b.ins().fdiv(one, r)
            }
            UnaryOp::Tanh => m.tanh(x),
            UnaryOp::Sigmoid => m.sigmoid(x),
            UnaryOp::Erf => m.erf(x),
            UnaryOp::Sin => m.call(math::sin as *const () as usize, &[x]),
            UnaryOp::Cos => m.call(math::cos as *const () as usize, &[x]),
            UnaryOp::Tan => m.call(math::tan as *const () as usize, &[x]),
            UnaryOp::Asin => m.call(math::asin as *const () as usize, &[x]),
            UnaryOp::Acos => m.call(math::acos as *const () as usize, &[x]),
            UnaryOp::Atan => m.call(math::atan as *const () as usize, &[x]),
            UnaryOp::Abs => m.b.ins().fabs(x),
            UnaryOp::Floor => m.b.ins().floor(x),
            UnaryOp::Not if vector => m.b.ins().bnot(x),
            UnaryOp::Not => m.b.ins().icmp_imm_s(IntCC::Equal, x, 0),
        }
    }

    fn binary(&mut self, op: BinaryOp, vector: bool, x: Value, y: Value) -> Value {
        let mut m = self.math(vector);
        match op {
            BinaryOp::Add => m.b.ins().fadd(x, y),
            BinaryOp::Sub => m.b.ins().fsub(x, y),
            BinaryOp::Mul => m.b.ins().fmul(x, y),
            BinaryOp::Div => m.b.ins().fdiv(x, y),
            BinaryOp::Max => m.max(x, y),
            BinaryOp::Min => m.min(x, y),
            BinaryOp::And => m.b.ins().band(x, y),
            BinaryOp::Or => m.b.ins().bor(x, y),
            BinaryOp::Pow => unreachable!("powers are handled where the exponent is known"),
        }
    }

    fn read(&mut self, access: usize) -> Eval {
        let a = &self.nest.accesses[access];
        let slot = a.slot;
        let int = self.nest.slots[slot].int;
        let flags = self.load_flags(slot);
        match self.addresses[access].clone() {
            Address::Lanes(all) => {
                let mut vectors = Vec::new();
                for four in all.chunks(4) {
                    let lanes: Vec<Value> = four
                        .iter()
                        .map(|&at| {
                            let p = self.pointer(access, at);
                            self.b.ins().load(if int { types::I32 } else { types::F32 }, flags, p, 0)
                        })
                        .collect();
                    let v = self.gather(&lanes, if int { types::I32X4 } else { types::F32X4 });
                    vectors.push(if int { self.b.ins().fcvt_from_sint(types::F32X4, v) } else { v });
                }
                Eval::Vectors(vectors)
            }
            Address::One(at) => {
                let p = self.pointer(access, at);
                if self.along().is_none_or(|v| dependence(&a.offset, v) == Use::None) {
                    let x = self.b.ins().load(if int { types::I32 } else { types::F32 }, flags, p, 0);
                    return Eval::Same(if int { self.b.ins().fcvt_from_sint(types::F32, x) } else { x });
                }
                let vectors = (0..self.vector_count())
                    .map(|u| {
                        let ty = if int { types::I32X4 } else { types::F32X4 };
                        let v = self.b.ins().load(ty, flags, p, u as i32 * 16);
                        if int { self.b.ins().fcvt_from_sint(types::F32X4, v) } else { v }
                    })
                    .collect();
                Eval::Vectors(vectors)
            }
        }
    }

    fn gather(&mut self, lanes: &[Value], ty: Type) -> Value {
        let mut v = self.b.ins().splat(ty, lanes[0]);
        for (lane, &x) in lanes.iter().enumerate().skip(1) {
            v = self.b.ins().insertlane(v, x, lane as u8);
        }
        v
    }

    fn varies(&self, i: &Index) -> bool {
        self.along().is_some_and(|v| dependence(i, v) != Use::None)
    }

    fn number(&mut self, i: &Index) -> Eval {
        if !self.varies(i) {
            let x = self.index(i, None);
            return Eval::Same(self.b.ins().fcvt_from_sint(types::F32, x));
        }
        let mut vectors = Vec::new();
        for u in 0..self.vector_count() {
            let lanes: Vec<Value> = (0..4)
                .map(|l| {
                    let x = self.index(i, Some(4 * u + l));
                    self.b.ins().ireduce(types::I32, x)
                })
                .collect();
            let v = self.gather(&lanes, types::I32X4);
            vectors.push(self.b.ins().fcvt_from_sint(types::F32X4, v));
        }
        Eval::Vectors(vectors)
    }

    fn condition(&mut self, g: &Guard) -> Eval {
        if !self.varies(g.index()) {
            return Eval::Same(self.test(g, None));
        }
        if let Some((slot, at, rest)) = self.along().and_then(|v| compared(g, v)) {
            // A row of integers against one number.
            let number = self.index(&rest, None);
            let number = self.b.ins().ireduce(types::I32, number);
            let number = self.b.ins().splat(types::I32X4, number);
            let vectors = (0..self.vector_count())
                .map(|u| {
                    let row = self.load_integers(slot, at, 4 * u);
                    self.b.ins().icmp(IntCC::Equal, row, number)
                })
                .collect();
            return Eval::Vectors(vectors);
        }
        let mut vectors = Vec::new();
        for u in 0..self.vector_count() {
            let lanes: Vec<Value> = (0..4)
                .map(|l| {
                    let x = self.test(g, Some(4 * u + l));
                    let x = self.b.ins().uextend(types::I32, x);
                    self.b.ins().ineg(x)
                })
                .collect();
            vectors.push(self.gather(&lanes, types::I32X4));
        }
        Eval::Vectors(vectors)
    }

    pub fn elementwise(&mut self) {
        let vals = self.evaluate();
        let nest = self.nest;
        for (access, value) in &nest.stores {
            self.store(*access, &vals[*value as usize]);
        }
    }

    fn store(&mut self, access: usize, value: &Eval) {
        let slot = self.nest.accesses[access].slot;
        let int = self.nest.slots[slot].int;
        let Address::One(at) = self.addresses[access] else { unreachable!("stores are contiguous along vectors") };
        let flags = self.load_flags(slot);
        let values = if self.width == Width::Scalar {
            match value {
                Eval::Same(v) => vec![*v],
                Eval::Vectors(_) => unreachable!("no vectors in a scalar loop"),
            }
        } else {
            self.lanes_of(value)
        };
        for (u, mut v) in values.into_iter().enumerate() {
            let ty = self.b.func.dfg.value_type(v);
            if int && ty.lane_type() == types::F32 {
                let to = if ty.is_vector() { types::I32X4 } else { types::I32 };
                v = self.b.ins().fcvt_to_sint_sat(to, v);
            }
            self.b.ins().store(flags, v, at, u as i32 * 16);
        }
    }

    fn variable(&mut self, ty: Type, start: Value) -> Variable {
        let v = self.b.declare_var(ty);
        self.b.def_var(v, start);
        v
    }

    /// Declares the accumulators.
    pub fn begin(&mut self, vector_inside: bool) {
        let start = match &self.nest.fold {
            Fold::Reduce(ReduceOp::Sum | ReduceOp::Mean) => 0.0,
            Fold::Reduce(ReduceOp::Prod) => 1.0,
            Fold::Reduce(ReduceOp::Max) | Fold::Arg(true, _) => f32::NEG_INFINITY,
            Fold::Reduce(ReduceOp::Min) | Fold::Arg(false, _) => f32::INFINITY,
            Fold::None | Fold::Scatter => return,
        };
        let arg = matches!(self.nest.fold, Fold::Arg(..));
        self.vectors.clear();
        self.scalars.clear();
        let n = if vector_inside { self.nest.unroll } else { self.vector_count() };
        if n > 0 {
            let x = self.math(true).num(start);
            self.vectors = (0..n).map(|_| self.variable(types::F32X4, x)).collect();
            if arg {
                let none = self.b.ins().iconst(types::I32, -1);
                let none = self.b.ins().splat(types::I32X4, none);
                let indices: Vec<Variable> = (0..n).map(|_| self.variable(types::I32X4, none)).collect();
                self.vectors.extend(indices);
            }
        }
        if n == 0 || vector_inside {
            let x = self.b.ins().f32const(start);
            self.scalars = vec![self.variable(types::F32, x)];
            if arg {
                let none = self.b.ins().iconst(types::I32, -1);
                let index = self.variable(types::I32, none);
                self.scalars.push(index);
            }
        }
        let counted = match self.nest.fold {
            Fold::Reduce(ReduceOp::Sum) | Fold::Arg(..) => false,
            _ => self.nest.guarded(),
        };
        self.count = counted.then(|| {
            let zero = self.b.ins().iconst(types::I64, 0);
            self.variable(types::I64, zero)
        });
    }

    /// Takes the point, or the lanes of points, into the accumulators.
    pub fn accumulate(&mut self) {
        let vals = self.evaluate();
        let nest = self.nest;
        let (access, result) = nest.stores[0];
        let value = vals[result as usize].clone();
        if let Some(count) = self.count {
            let inside = nest.vector.is_some_and(|v| v >= nest.outputs);
            let n = if inside { self.lane_count() } else { 1 };
            let c = self.b.use_var(count);
            let c = self.b.ins().iadd_imm_s(c, n as i64);
            self.b.def_var(count, c);
        }
        match &nest.fold {
            Fold::None => unreachable!("no accumulators without a fold"),
            Fold::Scatter => {
                let Eval::Same(v) = value else { unreachable!("scatters are scalar") };
                let Address::One(at) = self.addresses[access] else { unreachable!("scatters are scalar") };
                let flags = self.load_flags(nest.accesses[access].slot);
                let old = self.b.ins().load(types::F32, flags, at, 0);
                let new = self.b.ins().fadd(old, v);
                self.b.ins().store(flags, new, at, 0);
            }
            Fold::Reduce(op) => {
                // A product that is only summed is multiplied and added at once.
                let factors = match nest.body[result as usize] {
                    Expr::Binary(BinaryOp::Mul, a, b) if self.fma && matches!(op, ReduceOp::Sum | ReduceOp::Mean) => {
                        Some((vals[a as usize].clone(), vals[b as usize].clone()))
                    }
                    _ => None,
                };
                let (vector, variables) = match self.width {
                    Width::Scalar => (false, self.scalars.clone()),
                    Width::Vectors(n) => (true, self.vectors[..n].to_vec()),
                };
                let spread = |g: &mut Self, e: &Eval| match e {
                    Eval::Same(x) if !vector => vec![*x],
                    e => g.lanes_of(e),
                };
                let terms = spread(self, &value);
                let pairs = factors.map(|(a, b)| (spread(self, &a), spread(self, &b)));
                for (u, variable) in variables.into_iter().enumerate() {
                    let acc = self.b.use_var(variable);
                    let new = match &pairs {
                        Some((a, b)) => self.math(vector).mul_add(a[u], b[u], acc),
                        None => self.combine(*op, vector, acc, terms[u]),
                    };
                    self.b.def_var(variable, new);
                }
            }
            Fold::Arg(max, linear) => {
                let at = self.index(linear, None);
                let at = self.b.ins().ireduce(types::I32, at);
                let (vector, all) = match self.width {
                    Width::Scalar => (false, self.scalars.clone()),
                    Width::Vectors(_) => (true, self.vectors.clone()),
                };
                let xs = match &value {
                    Eval::Same(x) if !vector => vec![*x],
                    e => self.lanes_of(e),
                };
                let at = if vector { self.b.ins().splat(types::I32X4, at) } else { at };
                let (best, index) = all.split_at(all.len() / 2);
                for (u, x) in xs.into_iter().enumerate() {
                    let (old, old_at) = (self.b.use_var(best[u]), self.b.use_var(index[u]));
                    let mut m = self.math(vector);
                    let cc = if *max { FloatCC::GreaterThan } else { FloatCC::LessThan };
                    let better = m.compare(cc, x, old);
                    let nan = m.compare(FloatCC::NotEqual, x, x);
                    let sane = m.compare(FloatCC::Equal, old, old);
                    let nan = m.b.ins().band(nan, sane);
                    let better = m.b.ins().bor(better, nan);
                    let first = if vector {
                        let none = m.b.ins().iconst(types::I32, -1);
                        let none = m.b.ins().splat(types::I32X4, none);
                        m.b.ins().icmp(IntCC::Equal, old_at, none)
                    } else {
                        m.b.ins().icmp_imm_s(IntCC::Equal, old_at, -1)
                    };
                    let better = m.b.ins().bor(better, first);
                    let new = m.select(better, x, old);
                    let new_at = m.select(better, at, old_at);
                    self.b.def_var(best[u], new);
                    self.b.def_var(index[u], new_at);
                }
            }
        }
    }

    fn combine(&mut self, op: ReduceOp, vector: bool, acc: Value, x: Value) -> Value {
        let mut m = self.math(vector);
        match op {
            ReduceOp::Sum | ReduceOp::Mean => m.b.ins().fadd(acc, x),
            ReduceOp::Prod => m.b.ins().fmul(acc, x),
            ReduceOp::Max => m.max(acc, x),
            ReduceOp::Min => m.min(acc, x),
        }
    }

    /// Finishes the accumulators and stores them.
    pub fn end(&mut self, vector_inside: bool) {
        let nest = self.nest;
        let op = match &nest.fold {
            Fold::None | Fold::Scatter => return,
            Fold::Reduce(op) => Some(*op),
            Fold::Arg(..) => None,
        };
        let access = nest.stores[0].0;
        let Some(op) = op else {
            let all = if self.width == Width::Scalar { &self.scalars } else { &self.vectors };
            let index = all[all.len() / 2..].to_vec();
            let values: Vec<Value> = index.into_iter().map(|v| self.b.use_var(v)).collect();
            let value = if self.width == Width::Scalar { Eval::Same(values[0]) } else { Eval::Vectors(values) };
            return self.store(access, &value);
        };
        let mut values: Vec<Value>;
        let vector = !vector_inside && self.width != Width::Scalar;
        if vector_inside {
            values = self.vectors.clone().into_iter().map(|v| self.b.use_var(v)).collect();
            while values.len() > 1 {
                values = values.chunks(2).map(|p| self.combine(op, true, p[0], p[1])).collect();
            }
            let mut lanes: Vec<Value> = (0..4u8).map(|l| self.b.ins().extractlane(values[0], l)).collect();
            while lanes.len() > 1 {
                lanes = (0..lanes.len() / 2)
                    .map(|i| self.combine(op, false, lanes[i], lanes[i + lanes.len() / 2]))
                    .collect();
            }
            let tail = self.b.use_var(self.scalars[0]);
            values = vec![self.combine(op, false, lanes[0], tail)];
        } else {
            let all = if vector { self.vectors.clone() } else { self.scalars.clone() };
            values = all.into_iter().map(|v| self.b.use_var(v)).collect();
        }
        if op == ReduceOp::Mean {
            let count = if let Some(count) = self.count {
                let c = self.b.use_var(count);
                let one = self.b.ins().iconst(types::I64, 1);
                let c = self.b.ins().smax(c, one);
                self.b.ins().fcvt_from_sint(types::F32, c)
            } else {
                let n: usize = nest.extents[nest.outputs..].iter().product();
                self.b.ins().f32const(n as f32)
            };
            let count = if vector { self.b.ins().splat(types::F32X4, count) } else { count };
            for v in &mut values {
                *v = self.b.ins().fdiv(*v, count);
            }
        } else if let (Some(count), ReduceOp::Max | ReduceOp::Min | ReduceOp::Prod) = (self.count, op) {
            let c = self.b.use_var(count);
            let some = self.b.ins().icmp_imm_s(IntCC::NotEqual, c, 0);
            let some = if vector { self.math(true).mask(some) } else { some };
            for v in &mut values {
                let zero = self.math(vector).num(0.0);
                *v = self.math(vector).select(some, *v, zero);
            }
        }
        let value = if vector { Eval::Vectors(values) } else { Eval::Same(values[0]) };
        self.store(access, &value);
    }
}
