//! The body of one equation while it is built: operations in SSA form, folded and shared as they are pushed, and
//! index arithmetic simplified by the ranges of the loop variables.

use crate::graph::{BinaryOp, CompareOp, Guard, Index, Op, UnaryOp, Val};

/// A loop variable.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// The index's name; `..0`, `..1` for the axes of `..`.
    pub name: String,
    /// Its range is `0..extent`.
    pub extent: usize,
    /// Whether it runs over the examples of a batch.
    pub example: bool,
}

impl Axis {
    /// Whether it belongs to `..`.
    pub fn is_rest(&self) -> bool {
        self.name.starts_with("..")
    }
}

/// What becomes of a read outside its tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    /// The whole term is dropped: in reductions, and for an equation that is just a read.
    Drop,
    /// The read is 0.
    Zero,
}

/// A value while an expression is lowered.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A known number.
    Num(f64),
    /// A known truth value.
    Bool(bool),
    /// An integer expression over loop variables.
    Idx(Index),
    /// A number.
    Val(Val),
    /// A truth value.
    Cond(Val),
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Frame {
    /// Output axes, then reduction axes.
    pub axes: Vec<Axis>,
    /// Their extents.
    pub extents: Vec<usize>,
    pub ops: Vec<Op>,
    pub guards: Vec<Guard>,
    pub outside: Outside,
    /// Conditions under which the reads in the branches being lowered stay inside, innermost branch last. Only with
    /// [`Outside::Drop`].
    pub branches: Vec<Vec<Val>>,
    /// The same for branches that are done: what a term needs in order to count.
    pub valid: Vec<Val>,
}

impl Frame {
    pub fn new(axes: Vec<Axis>, outside: Outside) -> Self {
        let extents = axes.iter().map(|a| a.extent).collect();
        Self { axes, extents, ops: Vec::new(), guards: Vec::new(), outside, branches: Vec::new(), valid: Vec::new() }
    }

    pub fn push(&mut self, op: Op) -> Val {
        let at = self.ops.iter().position(|o| *o == op).unwrap_or_else(|| {
            self.ops.push(op);
            self.ops.len() - 1
        });
        Val(at as u32)
    }

    pub fn constant(&mut self, c: f64) -> Val {
        // `0.0 == -0.0`, so the negative one must not be shared with the positive.
        if c == 0.0 && c.is_sign_negative() {
            self.ops.push(Op::Const(c));
            return Val(self.ops.len() as u32 - 1);
        }
        self.push(Op::Const(c))
    }

    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.axes.iter().position(|a| a.name == name)
    }

    /// A number as an operation; a truth value is given back.
    pub fn number(&mut self, v: Value) -> Result<Val, Value> {
        match v {
            Value::Num(x) => Ok(self.constant(x)),
            Value::Idx(i) => Ok(match i.as_constant() {
                Some(c) => self.constant(c as f64),
                None => self.push(Op::Index(i)),
            }),
            Value::Val(v) => Ok(v),
            Value::Bool(_) | Value::Cond(_) => Err(v),
        }
    }

    pub fn unary(&mut self, op: UnaryOp, a: Val) -> Value {
        Value::Val(self.push(Op::Unary(op, a)))
    }

    /// `a op b` of numbers, folded where that is exact.
    #[allow(clippy::float_cmp, reason = "neutral elements are exact")]
    pub fn arithmetic(&mut self, op: BinaryOp, a: Value, b: Value) -> Result<Value, Value> {
        if let (Value::Num(x), Value::Num(y)) = (&a, &b) {
            return Ok(Value::Num(match op {
                BinaryOp::Add => x + y,
                BinaryOp::Sub => x - y,
                BinaryOp::Mul => x * y,
                BinaryOp::Div => x / y,
                BinaryOp::Pow => x.powf(*y),
                BinaryOp::Max => x.max(*y),
                BinaryOp::Min => x.min(*y),
                BinaryOp::And | BinaryOp::Or => return Err(a),
            }));
        }
        if let Some(i) = indices(op, &a, &b) {
            return Ok(Value::Idx(i));
        }
        let is = |v: &Value, c: f64| matches!(v, Value::Num(x) if *x == c);
        match op {
            BinaryOp::Add if is(&a, 0.0) => return Ok(b),
            BinaryOp::Add | BinaryOp::Sub if is(&b, 0.0) => return Ok(a),
            BinaryOp::Mul if is(&a, 1.0) => return Ok(b),
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Pow if is(&b, 1.0) => return Ok(a),
            BinaryOp::Pow if is(&b, 2.0) => {
                let x = self.number(a)?;
                return Ok(Value::Val(self.push(Op::Binary(BinaryOp::Mul, x, x))));
            }
            _ => {}
        }
        let (x, y) = (self.number(a)?, self.number(b)?);
        Ok(Value::Val(self.push(Op::Binary(op, x, y))))
    }

    /// `a op b` of numbers as a truth value.
    #[allow(clippy::float_cmp, reason = "the language's `==` is exact")]
    pub fn compare(&mut self, op: CompareOp, a: Value, b: Value) -> Result<Value, Value> {
        if let (Value::Num(x), Value::Num(y)) = (&a, &b) {
            return Ok(Value::Bool(match op {
                CompareOp::Lt => x < y,
                CompareOp::Le => x <= y,
                CompareOp::Eq => x == y,
                CompareOp::Ne => x != y,
            }));
        }
        let (x, y) = (self.number(a)?, self.number(b)?);
        Ok(Value::Cond(self.push(Op::Compare(op, x, y))))
    }

    /// The conjunction of conditions; `None` for none.
    pub fn all(&mut self, conditions: &[Val]) -> Option<Val> {
        let (&first, rest) = conditions.split_first()?;
        Some(rest.iter().fold(first, |a, &b| if a == b { a } else { self.push(Op::Binary(BinaryOp::And, a, b)) }))
    }

    /// The operations that `result` needs, it being the last.
    pub fn finish(self, result: Val) -> (Vec<Guard>, Vec<Op>) {
        let mut needed = vec![false; self.ops.len()];
        needed[result.0 as usize] = true;
        for i in (0..self.ops.len()).rev() {
            if needed[i] {
                operands(&self.ops[i], |v| needed[v.0 as usize] = true);
            }
        }
        let mut place = vec![Val(0); self.ops.len()];
        let mut out = Vec::new();
        for (i, mut op) in self.ops.into_iter().enumerate() {
            if needed[i] {
                for_operands(&mut op, |v| *v = place[v.0 as usize]);
                place[i] = Val(out.len() as u32);
                out.push(op);
            }
        }
        (self.guards, out)
    }
}

fn indices(op: BinaryOp, a: &Value, b: &Value) -> Option<Index> {
    let whole = |v: &Value| match v {
        Value::Idx(i) if i.terms.iter().all(|(_, c)| c.abs() < 1 << 31) && i.constant.abs() < 1 << 31 => {
            Some(i.clone())
        }
        Value::Num(x) if x.fract() == 0.0 && x.abs() < 1e9 => Some(Index::constant(*x as i64)),
        _ => None,
    };
    let (a, b) = (whole(a)?, whole(b)?);
    match op {
        BinaryOp::Add => Some(a.plus(&b, 1)),
        BinaryOp::Sub => Some(a.plus(&b, -1)),
        BinaryOp::Mul => match (a.as_constant(), b.as_constant()) {
            (Some(c), _) => Some(b.times(c)),
            (_, Some(c)) => Some(a.times(c)),
            (None, None) => None,
        },
        _ => None,
    }
}

fn for_operands(op: &mut Op, mut f: impl FnMut(&mut Val)) {
    match op {
        Op::Const(_) | Op::Read(..) | Op::Index(_) | Op::Test(_) => {}
        Op::Unary(_, a) => f(a),
        Op::Binary(_, a, b) | Op::Compare(_, a, b) => {
            f(a);
            f(b);
        }
        Op::Select(a, b, c) => {
            f(a);
            f(b);
            f(c);
        }
    }
}

fn operands(op: &Op, mut f: impl FnMut(Val)) {
    for_operands(&mut op.clone(), |v| f(*v));
}

/// `i == n * a + b`, where `a` takes all that is a multiple of `n`.
fn split(i: &Index, n: i64) -> (Index, Index) {
    let (mut a, mut b) = (Index::constant(i.constant.div_euclid(n)), Index::constant(i.constant.rem_euclid(n)));
    for (atom, c) in &i.terms {
        if c % n == 0 {
            a.terms.push((atom.clone(), c / n));
        } else {
            b.terms.push((atom.clone(), *c));
        }
    }
    (a, b)
}

/// `floor(i / n)`, simplified by the ranges of the variables; `n` is positive.
pub(super) fn divide(i: &Index, n: i64, extents: &[usize]) -> Index {
    let (a, b) = split(i, n);
    let (lo, hi) = b.bounds(extents);
    if lo.div_euclid(n) == hi.div_euclid(n) { a.plus(&Index::constant(lo.div_euclid(n)), 1) } else { i.div(n) }
}

/// `i - n * floor(i / n)`, simplified by the ranges of the variables; `n` is positive.
pub(super) fn remainder(i: &Index, n: i64, extents: &[usize]) -> Index {
    let (_, b) = split(i, n);
    let (lo, hi) = b.bounds(extents);
    if lo.div_euclid(n) == hi.div_euclid(n) { b.plus(&Index::constant(-n * lo.div_euclid(n)), 1) } else { i.rem(n) }
}
