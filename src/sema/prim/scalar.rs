//! Numbers, truth values and texts that are known when a candidate is elaborated, and their arithmetic. Whole
//! numbers stay whole: `/` rounds down and `%` has the divisor's sign, as in Python; overflow is an error.

use std::fmt;

use crate::diag::codes::{self, Code};
use crate::syntax::ast::UnOp;

/// A value known at elaboration.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Str(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Int(i) => write!(f, "{i}"),
            Scalar::Float(x) => write!(f, "{x:?}"),
            Scalar::Bool(b) => write!(f, "{b}"),
            Scalar::Str(s) => write!(f, "{s:?}"),
        }
    }
}

impl Scalar {
    /// The type as it is written in a signature.
    pub fn type_name(&self) -> &'static str {
        match self {
            Scalar::Int(_) => "int",
            Scalar::Float(_) => "float",
            Scalar::Bool(_) => "bool",
            Scalar::Str(_) => "string",
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Scalar::Int(i) => Some(*i),
            Scalar::Float(_) | Scalar::Bool(_) | Scalar::Str(_) => None,
        }
    }

    /// The number, if it is one.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Scalar::Int(i) => Some(*i as f64),
            Scalar::Float(x) => Some(*x),
            Scalar::Bool(_) | Scalar::Str(_) => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Scalar::Bool(b) => Some(*b),
            Scalar::Int(_) | Scalar::Float(_) | Scalar::Str(_) => None,
        }
    }
}

/// Why an operation on values failed; becomes a diagnostic where the operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which error.
    pub code: Code,
    /// One sentence, lower case.
    pub message: String,
    /// What the user can do.
    pub help: Option<String>,
}

impl Fault {
    /// A fault without help.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None }
    }

    /// Says what the user can do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// Operations with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArithOp {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
    /// `a / b` of scalars: rounds down for whole numbers
    Div,
    /// `a / b` in an extent: must divide exactly
    DivExact,
    /// `floor(a / b)`
    FloorDiv,
    /// `ceil(a / b)`
    CeilDiv,
    /// `a % b`
    Rem,
    /// `a ^ b`
    Pow,
    /// `min(a, b)`
    Min,
    /// `max(a, b)`
    Max,
    /// `a == b`
    Eq,
    /// `a != b`
    Ne,
    /// `a < b`; `a > b` is `b < a`
    Lt,
    /// `a <= b`; `a >= b` is `b <= a`
    Le,
    /// `a && b`
    And,
    /// `a || b`
    Or,
}

impl ArithOp {
    fn sign(self) -> &'static str {
        match self {
            ArithOp::Add => "+",
            ArithOp::Sub => "-",
            ArithOp::Mul => "*",
            ArithOp::Div | ArithOp::DivExact | ArithOp::FloorDiv | ArithOp::CeilDiv => "/",
            ArithOp::Rem => "%",
            ArithOp::Pow => "^",
            ArithOp::Min => "min",
            ArithOp::Max => "max",
            ArithOp::Eq => "==",
            ArithOp::Ne => "!=",
            ArithOp::Lt => "<",
            ArithOp::Le => "<=",
            ArithOp::And => "&&",
            ArithOp::Or => "||",
        }
    }
}

/// The functions of equations and scalar expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is its name")]
pub enum Func {
    Exp,
    Log,
    Sqrt,
    Rsqrt,
    Tanh,
    Sigmoid,
    Erf,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Abs,
    Floor,
    Ceil,
    Pow,
    Min,
    Max,
}

impl Func {
    /// All functions with their names.
    pub const ALL: [(&'static str, Func); 19] = [
        ("exp", Func::Exp),
        ("log", Func::Log),
        ("sqrt", Func::Sqrt),
        ("rsqrt", Func::Rsqrt),
        ("tanh", Func::Tanh),
        ("sigmoid", Func::Sigmoid),
        ("erf", Func::Erf),
        ("sin", Func::Sin),
        ("cos", Func::Cos),
        ("tan", Func::Tan),
        ("asin", Func::Asin),
        ("acos", Func::Acos),
        ("atan", Func::Atan),
        ("abs", Func::Abs),
        ("floor", Func::Floor),
        ("ceil", Func::Ceil),
        ("pow", Func::Pow),
        ("min", Func::Min),
        ("max", Func::Max),
    ];

    /// The function of a name.
    pub fn find(name: &str) -> Option<Func> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|&(_, f)| f)
    }

    /// The fewest and the most arguments.
    pub fn arity(self) -> (usize, usize) {
        match self {
            Func::Pow => (2, 2),
            Func::Min | Func::Max => (2, usize::MAX),
            Func::Exp
            | Func::Log
            | Func::Sqrt
            | Func::Rsqrt
            | Func::Tanh
            | Func::Sigmoid
            | Func::Erf
            | Func::Sin
            | Func::Cos
            | Func::Tan
            | Func::Asin
            | Func::Acos
            | Func::Atan
            | Func::Abs
            | Func::Floor
            | Func::Ceil => (1, 1),
        }
    }
}

fn overflow() -> Fault {
    Fault::new(&codes::PRIM_ARITHMETIC, "the number is too large")
}

fn by_zero() -> Fault {
    Fault::new(&codes::PRIM_ARITHMETIC, "division by zero")
}

/// `a / b` rounding down.
pub fn floor_div(a: i64, b: i64) -> Result<i64, Fault> {
    if b == 0 {
        return Err(by_zero());
    }
    let q = a.checked_div(b).ok_or_else(overflow)?;
    Ok(if a % b != 0 && (a < 0) != (b < 0) { q - 1 } else { q })
}

/// `a / b` rounding up.
pub fn ceil_div(a: i64, b: i64) -> Result<i64, Fault> {
    if b == 0 {
        return Err(by_zero());
    }
    let q = a.checked_div(b).ok_or_else(overflow)?;
    Ok(if a % b != 0 && (a < 0) == (b < 0) { q + 1 } else { q })
}

/// The remainder that belongs to [`floor_div`]; it has the sign of `b`.
pub fn floor_rem(a: i64, b: i64) -> Result<i64, Fault> {
    let q = floor_div(a, b)?;
    Ok(a - q * b)
}

/// `a op b`.
#[allow(clippy::float_cmp, reason = "the language's `==` is exact")]
pub fn binary(op: ArithOp, a: &Scalar, b: &Scalar) -> Result<Scalar, Fault> {
    use Scalar::{Bool, Float, Int, Str};
    let mixed = || {
        Fault::new(
            &codes::PRIM_SCALAR,
            format!("`{}` does not work on {} and {}", op.sign(), a.type_name(), b.type_name()),
        )
    };
    match (op, a, b) {
        (ArithOp::And, Bool(a), Bool(b)) => return Ok(Bool(*a && *b)),
        (ArithOp::Or, Bool(a), Bool(b)) => return Ok(Bool(*a || *b)),
        (ArithOp::Eq, Bool(a), Bool(b)) => return Ok(Bool(a == b)),
        (ArithOp::Ne, Bool(a), Bool(b)) => return Ok(Bool(a != b)),
        (ArithOp::Eq, Str(a), Str(b)) => return Ok(Bool(a == b)),
        (ArithOp::Ne, Str(a), Str(b)) => return Ok(Bool(a != b)),
        (_, Int(a), Int(b)) => return ints(op, *a, *b, mixed),
        _ => {}
    }
    let (Some(x), Some(y)) = (a.as_float(), b.as_float()) else { return Err(mixed()) };
    Ok(match op {
        ArithOp::Add => Float(x + y),
        ArithOp::Sub => Float(x - y),
        ArithOp::Mul => Float(x * y),
        ArithOp::Div => Float(x / y),
        ArithOp::FloorDiv => whole((x / y).floor())?,
        ArithOp::CeilDiv => whole((x / y).ceil())?,
        ArithOp::DivExact => {
            return Err(Fault::new(&codes::PRIM_SCALAR, format!("an extent is a whole number; `{a} / {b}` is not"))
                .help("write `floor(a / b)` or `ceil(a / b)`"));
        }
        ArithOp::Rem if y == 0.0 => return Err(by_zero()),
        ArithOp::Rem => Float(x - y * (x / y).floor()),
        ArithOp::Pow => Float(x.powf(y)),
        ArithOp::Min => Float(x.min(y)),
        ArithOp::Max => Float(x.max(y)),
        ArithOp::Eq => Bool(x == y),
        ArithOp::Ne => Bool(x != y),
        ArithOp::Lt => Bool(x < y),
        ArithOp::Le => Bool(x <= y),
        ArithOp::And | ArithOp::Or => return Err(mixed()),
    })
}

fn ints(op: ArithOp, a: i64, b: i64, mixed: impl Fn() -> Fault) -> Result<Scalar, Fault> {
    use Scalar::{Bool, Float, Int};
    Ok(match op {
        ArithOp::Add => Int(a.checked_add(b).ok_or_else(overflow)?),
        ArithOp::Sub => Int(a.checked_sub(b).ok_or_else(overflow)?),
        ArithOp::Mul => Int(a.checked_mul(b).ok_or_else(overflow)?),
        ArithOp::Div | ArithOp::FloorDiv => Int(floor_div(a, b)?),
        ArithOp::CeilDiv => Int(ceil_div(a, b)?),
        ArithOp::DivExact => {
            if floor_rem(a, b)? != 0 {
                return Err(Fault::new(&codes::PRIM_INEXACT, format!("{a} is not a multiple of {b}"))
                    .help("a `/` in an extent must divide exactly; write `floor(a / b)` or `ceil(a / b)` to round"));
            }
            Int(floor_div(a, b)?)
        }
        ArithOp::Rem => Int(floor_rem(a, b)?),
        ArithOp::Pow => match u32::try_from(b) {
            Ok(e) => Int(a.checked_pow(e).ok_or_else(overflow)?),
            Err(_) => Float((a as f64).powf(b as f64)),
        },
        ArithOp::Min => Int(a.min(b)),
        ArithOp::Max => Int(a.max(b)),
        ArithOp::Eq => Bool(a == b),
        ArithOp::Ne => Bool(a != b),
        ArithOp::Lt => Bool(a < b),
        ArithOp::Le => Bool(a <= b),
        ArithOp::And | ArithOp::Or => return Err(mixed()),
    })
}

fn whole(x: f64) -> Result<Scalar, Fault> {
    if x.abs() < 9.0e15 { Ok(Scalar::Int(x as i64)) } else { Err(overflow()) }
}

/// `-a`, `!a`.
pub fn unary(op: UnOp, a: &Scalar) -> Result<Scalar, Fault> {
    match (op, a) {
        (UnOp::Neg, Scalar::Int(i)) => i.checked_neg().map(Scalar::Int).ok_or_else(overflow),
        (UnOp::Neg, Scalar::Float(x)) => Ok(Scalar::Float(-x)),
        (UnOp::Not, Scalar::Bool(b)) => Ok(Scalar::Bool(!b)),
        (UnOp::Neg, _) => Err(Fault::new(&codes::PRIM_SCALAR, format!("`-` needs a number, not a {}", a.type_name()))),
        (UnOp::Not, _) => Err(Fault::new(&codes::PRIM_SCALAR, format!("`!` needs a bool, not a {}", a.type_name()))),
    }
}

/// `f(args)`; the number of arguments fits [`Func::arity`].
pub fn call(f: Func, args: &[Scalar]) -> Result<Scalar, Fault> {
    match f {
        Func::Min | Func::Max => {
            let op = if f == Func::Min { ArithOp::Min } else { ArithOp::Max };
            let mut best = args[0].clone();
            for a in &args[1..] {
                best = binary(op, &best, a)?;
            }
            return Ok(best);
        }
        Func::Pow => return binary(ArithOp::Pow, &args[0], &args[1]),
        Func::Floor | Func::Ceil | Func::Abs => {
            if let Scalar::Int(i) = args[0] {
                return Ok(Scalar::Int(if f == Func::Abs { i.checked_abs().ok_or_else(overflow)? } else { i }));
            }
        }
        Func::Exp
        | Func::Log
        | Func::Sqrt
        | Func::Rsqrt
        | Func::Tanh
        | Func::Sigmoid
        | Func::Erf
        | Func::Sin
        | Func::Cos
        | Func::Tan
        | Func::Asin
        | Func::Acos
        | Func::Atan => {}
    }
    let Some(x) = args[0].as_float() else {
        return Err(Fault::new(&codes::PRIM_SCALAR, format!("a number is expected, not a {}", args[0].type_name())));
    };
    Ok(match f {
        Func::Floor => whole(x.floor())?,
        Func::Ceil => whole(x.ceil())?,
        Func::Abs => Scalar::Float(x.abs()),
        _ => Scalar::Float(real(f, x)),
    })
}

/// A function of one real number.
pub(super) fn real(f: Func, x: f64) -> f64 {
    match f {
        Func::Exp => x.exp(),
        Func::Log => x.ln(),
        Func::Sqrt => x.sqrt(),
        Func::Rsqrt => 1.0 / x.sqrt(),
        Func::Tanh => x.tanh(),
        Func::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Func::Erf => erf(x),
        Func::Sin => x.sin(),
        Func::Cos => x.cos(),
        Func::Tan => x.tan(),
        Func::Asin => x.asin(),
        Func::Acos => x.acos(),
        Func::Atan => x.atan(),
        Func::Abs => x.abs(),
        Func::Floor => x.floor(),
        Func::Ceil => x.ceil(),
        Func::Pow | Func::Min | Func::Max => x,
    }
}

/// The error function to about 1e-15: its series near 0, the continued fraction of `erfc` beyond (Abramowitz and
/// Stegun 1964, 7.1.5 and 7.1.14).
fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a < 2.5 {
        let (mut term, mut sum) = (a, a);
        for n in 1..60 {
            term *= -a * a / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return (sum * 2.0 / std::f64::consts::PI.sqrt()).copysign(x);
    }
    let mut t = 0.0;
    for k in (1..80).rev() {
        t = f64::from(k) / 2.0 / (a + t);
    }
    let erfc = (-a * a).exp() / std::f64::consts::PI.sqrt() / (a + t);
    (1.0 - erfc).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_round_down_and_remainders_follow_the_divisor() {
        for (a, b, q, r) in [(7, 2, 3, 1), (-7, 2, -4, 1), (7, -2, -4, -1), (-7, -2, 3, -1), (6, 3, 2, 0)] {
            assert_eq!(floor_div(a, b), Ok(q));
            assert_eq!(floor_rem(a, b), Ok(r));
        }
        assert_eq!(ceil_div(7, 2), Ok(4));
        assert_eq!(ceil_div(-7, 2), Ok(-3));
        assert_eq!(ceil_div(8, 2), Ok(4));
    }

    #[test]
    fn faults_are_values() {
        assert_eq!(floor_div(1, 0).unwrap_err().message, "division by zero");
        let max = Scalar::Int(i64::MAX);
        assert!(binary(ArithOp::Add, &max, &Scalar::Int(1)).is_err());
        assert!(binary(ArithOp::Mul, &max, &max).is_err());
        assert!(floor_div(i64::MIN, -1).is_err());
        let e = binary(ArithOp::DivExact, &Scalar::Int(7), &Scalar::Int(2)).unwrap_err();
        assert_eq!(e.code.id, "E0612");
        assert!(binary(ArithOp::Add, &Scalar::Bool(true), &Scalar::Int(1)).is_err());
    }

    #[test]
    fn reals_mix_with_whole_numbers() {
        assert_eq!(binary(ArithOp::Div, &Scalar::Int(1), &Scalar::Float(4.0)), Ok(Scalar::Float(0.25)));
        assert_eq!(binary(ArithOp::Div, &Scalar::Int(1), &Scalar::Int(4)), Ok(Scalar::Int(0)));
        assert_eq!(call(Func::Floor, &[Scalar::Float(2.7)]), Ok(Scalar::Int(2)));
        assert_eq!(call(Func::Max, &[Scalar::Int(1), Scalar::Int(5), Scalar::Int(3)]), Ok(Scalar::Int(5)));
    }

    #[test]
    fn erf_matches_known_values() {
        for (x, y) in [(0.5, 0.520_499_877_813_046_5), (1.0, 0.842_700_792_949_714_9), (3.0, 0.999_977_909_503_001_4)] {
            assert!((erf(x) - y).abs() < 1e-13, "{x}");
            assert!((erf(-x) + y).abs() < 1e-13, "{x}");
        }
    }
}
