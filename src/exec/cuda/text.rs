//! Indices and bodies of nests as CUDA C.

use std::fmt::Write;

use crate::exec::cpu::nest::{Access, Expr, Nest};
use crate::graph::{Atom, BinaryOp, CompareOp, Guard, Index, UnaryOp};

/// Writes the expressions of one nest.
pub struct Text<'a> {
    /// The nest.
    pub nest: &'a Nest,
    /// Whether indices need 64 bits.
    pub wide: bool,
}

/// Tensors of more elements than this are indexed with 64 bits.
const NARROW: i64 = 1 << 30;

impl<'a> Text<'a> {
    /// Chooses the width of indices.
    pub fn new(nest: &'a Nest) -> Self {
        let large = |i: &Index| {
            let (lo, hi) = i.bounds(&nest.extents);
            i.has_load() || lo < -NARROW || hi > NARROW
        };
        let points = nest.extents.iter().try_fold(1i64, |n, &e| n.checked_mul(e as i64)).unwrap_or(i64::MAX);
        let wide = points > NARROW
            || nest.accesses.iter().any(|a| large(&a.offset))
            || nest.guards.iter().any(|g| large(g.index()))
            || nest.body.iter().any(|e| match e {
                Expr::Index(i) | Expr::Test(Guard::InRange(i, _) | Guard::Zero(i)) => large(i),
                _ => false,
            });
        Self { nest, wide }
    }

    /// The type of indices.
    pub fn int(&self) -> &'static str {
        if self.wide { "long long" } else { "int" }
    }

    /// An index; variable `v` is written `{prefix}{v}`.
    pub fn index(&self, i: &Index, prefix: &dyn Fn(usize) -> String) -> String {
        let mut out = String::new();
        for (atom, c) in &i.terms {
            let a = self.atom(atom, prefix);
            let _ = match (out.is_empty(), *c) {
                (true, 1) => write!(out, "{a}"),
                (true, c) => write!(out, "{a} * {c}"),
                (false, 1) => write!(out, " + {a}"),
                (false, -1) => write!(out, " - {a}"),
                (false, c) if c < 0 => write!(out, " - {a} * {}", -c),
                (false, c) => write!(out, " + {a} * {c}"),
            };
        }
        let _ = match (out.is_empty(), i.constant) {
            (true, c) => write!(out, "{c}"),
            (false, 0) => Ok(()),
            (false, c) if c < 0 => write!(out, " - {}", -c),
            (false, c) => write!(out, " + {c}"),
        };
        out
    }

    fn atom(&self, atom: &Atom, prefix: &dyn Fn(usize) -> String) -> String {
        let int = self.int();
        match atom {
            Atom::Var(v) => prefix(usize::from(*v)),
            Atom::Div(i, n) if self.never_negative(i) => format!("(({}) / {n})", self.index(i, prefix)),
            Atom::Mod(i, n) if self.never_negative(i) => format!("(({}) % {n})", self.index(i, prefix)),
            Atom::Div(i, n) => format!("floor_div(({int})({}), ({int}){n})", self.index(i, prefix)),
            Atom::Mod(i, n) => {
                let i = self.index(i, prefix);
                format!("(({i}) - floor_div(({int})({i}), ({int}){n}) * {n})")
            }
            Atom::Load(slot, at) => {
                let place = self.index(&at[0], prefix);
                match at.get(1) {
                    Some(last) => {
                        format!("({int})p{}[between<{int}>({place}, {})]", slot.0, last.constant)
                    }
                    None => format!("({int})p{}[{place}]", slot.0),
                }
            }
        }
    }

    fn never_negative(&self, i: &Index) -> bool {
        !i.has_load() && i.bounds(&self.nest.extents).0 >= 0
    }

    /// The offset of an access, clamped where it has to be.
    pub fn offset(&self, a: &Access, prefix: &dyn Fn(usize) -> String) -> String {
        let offset = self.index(&a.offset, prefix);
        match a.clamp {
            Some(last) => format!("between<{}>({offset}, {last})", self.int()),
            None => offset,
        }
    }

    /// A condition.
    pub fn guard(&self, g: &Guard, prefix: &dyn Fn(usize) -> String) -> String {
        match g {
            // One comparison: a negative number is a large unsigned one.
            Guard::InRange(i, n) => {
                let unsigned = if self.wide { "u64" } else { "unsigned" };
                format!("({unsigned})({}) < {n}u", self.index(i, prefix))
            }
            Guard::Zero(i) => format!("({}) == 0", self.index(i, prefix)),
        }
    }

    /// All operations of the body as declarations of `x0`, `x1`, ..
    pub fn body(&self, prefix: &dyn Fn(usize) -> String, indent: &str) -> String {
        let mut out = String::new();
        for (k, e) in self.nest.body.iter().enumerate() {
            let ty = if self.is_bool(k) { "bool" } else { "float" };
            let _ = writeln!(out, "{indent}const {ty} x{k} = {};", self.expr(e, prefix));
        }
        out
    }

    fn is_bool(&self, k: usize) -> bool {
        match &self.nest.body[k] {
            Expr::Test(_) | Expr::Compare(..) | Expr::Unary(UnaryOp::Not, _) => true,
            Expr::Binary(BinaryOp::And | BinaryOp::Or, ..) => true,
            Expr::Select(_, a, _) => self.is_bool(*a as usize),
            Expr::Const(_) | Expr::Read(_) | Expr::Index(_) | Expr::Unary(..) | Expr::Binary(..) => false,
        }
    }

    fn expr(&self, e: &Expr, prefix: &dyn Fn(usize) -> String) -> String {
        match e {
            Expr::Const(bits) => number(*bits),
            Expr::Read(a) => {
                let a = &self.nest.accesses[*a];
                let cast = if self.nest.slots[a.slot].int { "(float)" } else { "" };
                format!("{cast}p{}[{}]", a.slot, self.offset(a, prefix))
            }
            Expr::Index(i) => format!("(float)({})", self.index(i, prefix)),
            Expr::Test(g) => self.guard(g, prefix),
            Expr::Unary(op, a) => match op {
                UnaryOp::Neg => format!("-x{a}"),
                UnaryOp::Exp => format!("expf(x{a})"),
                UnaryOp::Log => format!("logf(x{a})"),
                UnaryOp::Sqrt => format!("sqrtf(x{a})"),
                UnaryOp::Rsqrt => format!("rsqrtf(x{a})"),
                UnaryOp::Tanh => format!("tanhf(x{a})"),
                UnaryOp::Sigmoid => format!("sigmoid(x{a})"),
                UnaryOp::Erf => format!("erff(x{a})"),
                UnaryOp::Sin => format!("sinf(x{a})"),
                UnaryOp::Cos => format!("cosf(x{a})"),
                UnaryOp::Tan => format!("tanf(x{a})"),
                UnaryOp::Asin => format!("asinf(x{a})"),
                UnaryOp::Acos => format!("acosf(x{a})"),
                UnaryOp::Atan => format!("atanf(x{a})"),
                UnaryOp::Abs => format!("fabsf(x{a})"),
                UnaryOp::Floor => format!("floorf(x{a})"),
                UnaryOp::Not => format!("!x{a}"),
            },
            Expr::Binary(op, a, b) => match op {
                BinaryOp::Add => format!("x{a} + x{b}"),
                BinaryOp::Sub => format!("x{a} - x{b}"),
                BinaryOp::Mul => format!("x{a} * x{b}"),
                BinaryOp::Div => format!("x{a} / x{b}"),
                BinaryOp::Max => format!("max2(x{a}, x{b})"),
                BinaryOp::Min => format!("min2(x{a}, x{b})"),
                BinaryOp::And => format!("x{a} && x{b}"),
                BinaryOp::Or => format!("x{a} || x{b}"),
                BinaryOp::Pow => match whole(&self.nest.body[*b as usize]) {
                    Some(n) if n < 0 => format!("1.0f / power<{}>(x{a})", -n),
                    Some(n) => format!("power<{n}>(x{a})"),
                    None => format!("powf(x{a}, x{b})"),
                },
            },
            Expr::Compare(op, a, b) => match op {
                CompareOp::Lt => format!("x{a} < x{b}"),
                CompareOp::Le => format!("x{a} <= x{b}"),
                CompareOp::Eq => format!("x{a} == x{b}"),
                CompareOp::Ne => format!("x{a} != x{b}"),
            },
            Expr::Select(c, a, b) => format!("x{c} ? x{a} : x{b}"),
        }
    }

    /// Declares variables from a linear number, the last fastest: `const int {prefix(v)} = ..;` for each of `vars`.
    pub fn split(&self, vars: &[usize], linear: &str, prefix: &dyn Fn(usize) -> String, indent: &str) -> String {
        let mut out = String::new();
        let mut below: usize = 1;
        for (k, &v) in vars.iter().enumerate().rev() {
            let n = self.nest.extents[v];
            let whole = if below == 1 { linear.to_owned() } else { format!("{linear} / {below}") };
            let part = if k == 0 { whole } else { format!("({whole}) % {n}") };
            let _ = writeln!(out, "{indent}const {} {} = {part};", self.int(), prefix(v));
            below *= n;
        }
        out
    }

    /// A value as an element of a slot.
    pub fn element(&self, slot: usize, value: &str) -> String {
        if self.nest.slots[slot].int { format!("__float2int_rz({value})") } else { value.to_owned() }
    }
}

fn whole(e: &Expr) -> Option<i32> {
    match e {
        Expr::Const(bits) => {
            Some(f32::from_bits(*bits)).filter(|p| p.fract() == 0.0 && p.abs() <= 64.0).map(|p| p as i32)
        }
        _ => None,
    }
}

/// A number of these bits.
pub fn number(bits: u32) -> String {
    let x = f32::from_bits(bits);
    if x.is_finite() { format!("{x:e}f") } else { format!("__uint_as_float({bits:#x}u)") }
}
