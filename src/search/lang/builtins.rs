//! Functions that the compiler itself provides: arithmetic, and the few list operations that library code is
//! written on.

use std::sync::OnceLock;

use super::contract::{RowParam, read_params};
use super::types::Type;

/// A builtin. `math` functions take and give a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the table below says what each does")]
pub enum Builtin {
    Len,
    Push,
    Pop,
    PopOldest,
    InsertAt,
    RemoveAt,
    Clear,
    Contains,
    Order,
    Firsts,
    ArgMax,
    ArgMin,
    Present,
    Sum,
    Min,
    Max,
    Abs,
    Int,
    Float,
    String,
    Floor,
    Ceil,
    Round,
    Exp,
    Log,
    Log2,
    Log10,
    Sqrt,
    Pow,
    Sin,
    Cos,
    Tan,
    Atan,
    Tanh,
    Unwrap,
    Or,
    Join,
    IsNan,
}

/// One builtin's row.
#[derive(Clone, Debug)]
pub struct Sig {
    /// Which.
    pub op: Builtin,
    /// Its name in programs.
    pub name: &'static str,
    /// Its parameters. Those that take several types (`min`, `len`, ..) name the most usual.
    pub params: Vec<RowParam>,
    /// Its result.
    pub result: Type,
    /// Whether its first argument is a variable that it changes.
    pub changes: bool,
}

const TABLE: &[(Builtin, &str, &str, &str)] = &[
    (Builtin::Len, "len", "xs: list<T>", "int"),
    (Builtin::Push, "push", "xs: list<T>, x: T", "()"),
    (Builtin::Pop, "pop", "xs: list<T>", "T"),
    (Builtin::PopOldest, "pop_oldest", "xs: list<T>", "T"),
    (Builtin::InsertAt, "insert", "xs: list<T>, at: int, x: T", "()"),
    (Builtin::RemoveAt, "remove", "xs: list<T>, at: int", "T"),
    (Builtin::Clear, "clear", "xs: list<T>", "()"),
    (Builtin::Contains, "contains", "xs: list<T>, x: T", "bool"),
    (Builtin::Order, "order", "keys: list<T>", "list<int>"),
    (Builtin::Firsts, "firsts", "keys: list<T>", "list<int>"),
    (Builtin::ArgMax, "arg_max", "keys: list<T>", "int"),
    (Builtin::ArgMin, "arg_min", "keys: list<T>", "int"),
    (Builtin::Present, "present", "xs: list<T>", "list<T>"),
    (Builtin::Sum, "sum", "xs: list<T>", "T"),
    (Builtin::Min, "min", "a: T, b: T", "T"),
    (Builtin::Max, "max", "a: T, b: T", "T"),
    (Builtin::Abs, "abs", "x: T", "T"),
    (Builtin::Int, "int", "x: float", "int"),
    (Builtin::Float, "float", "x: int", "float"),
    (Builtin::String, "string", "x: T", "string"),
    (Builtin::Floor, "floor", "x: float", "int"),
    (Builtin::Ceil, "ceil", "x: float", "int"),
    (Builtin::Round, "round", "x: float", "int"),
    (Builtin::Exp, "exp", "x: float", "float"),
    (Builtin::Log, "log", "x: float", "float"),
    (Builtin::Log2, "log2", "x: float", "float"),
    (Builtin::Log10, "log10", "x: float", "float"),
    (Builtin::Sqrt, "sqrt", "x: float", "float"),
    (Builtin::Pow, "pow", "x: float, y: float", "float"),
    (Builtin::Sin, "sin", "x: float", "float"),
    (Builtin::Cos, "cos", "x: float", "float"),
    (Builtin::Tan, "tan", "x: float", "float"),
    (Builtin::Atan, "atan", "x: float", "float"),
    (Builtin::Tanh, "tanh", "x: float", "float"),
    (Builtin::Unwrap, "unwrap", "x: T?", "T"),
    (Builtin::Or, "or", "x: T?, otherwise: T", "T"),
    (Builtin::Join, "join", "xs: list<string>, between: string = \"\"", "string"),
    (Builtin::IsNan, "is_nan", "x: float", "bool"),
];

/// All builtins.
pub fn all() -> &'static [Sig] {
    static ALL: OnceLock<Vec<Sig>> = OnceLock::new();
    ALL.get_or_init(|| {
        TABLE
            .iter()
            .filter_map(|&(op, name, params, result)| {
                let changes = matches!(
                    op,
                    Builtin::Push
                        | Builtin::Pop
                        | Builtin::PopOldest
                        | Builtin::InsertAt
                        | Builtin::RemoveAt
                        | Builtin::Clear
                );
                Some(Sig { op, name, params: read_params(params)?, result: Type::parse(result)?, changes })
            })
            .collect()
    })
}

/// The builtin of this name. `log` of something that is not a number is the contract's.
pub fn find(name: &str) -> Option<&'static Sig> {
    all().iter().find(|s| s.name == name)
}

impl Builtin {
    /// Its value for functions of floats; `None` for the others. Both back ends use this one definition.
    pub fn math(self) -> Option<extern "C" fn(f64, f64) -> f64> {
        extern "C" fn exp(x: f64, _: f64) -> f64 {
            x.exp()
        }
        extern "C" fn log(x: f64, _: f64) -> f64 {
            x.ln()
        }
        extern "C" fn log2(x: f64, _: f64) -> f64 {
            x.log2()
        }
        extern "C" fn log10(x: f64, _: f64) -> f64 {
            x.log10()
        }
        extern "C" fn sqrt(x: f64, _: f64) -> f64 {
            x.sqrt()
        }
        extern "C" fn pow(x: f64, y: f64) -> f64 {
            x.powf(y)
        }
        extern "C" fn sin(x: f64, _: f64) -> f64 {
            x.sin()
        }
        extern "C" fn cos(x: f64, _: f64) -> f64 {
            x.cos()
        }
        extern "C" fn tan(x: f64, _: f64) -> f64 {
            x.tan()
        }
        extern "C" fn atan(x: f64, _: f64) -> f64 {
            x.atan()
        }
        extern "C" fn tanh(x: f64, _: f64) -> f64 {
            x.tanh()
        }
        extern "C" fn floor(x: f64, _: f64) -> f64 {
            x.floor()
        }
        extern "C" fn ceil(x: f64, _: f64) -> f64 {
            x.ceil()
        }
        extern "C" fn round(x: f64, _: f64) -> f64 {
            x.round()
        }
        Some(match self {
            Builtin::Exp => exp,
            Builtin::Log => log,
            Builtin::Log2 => log2,
            Builtin::Log10 => log10,
            Builtin::Sqrt => sqrt,
            Builtin::Pow => pow,
            Builtin::Sin => sin,
            Builtin::Cos => cos,
            Builtin::Tan => tan,
            Builtin::Atan => atan,
            Builtin::Tanh => tanh,
            Builtin::Floor => floor,
            Builtin::Ceil => ceil,
            Builtin::Round => round,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_well_formed() {
        assert_eq!(all().len(), TABLE.len());
        assert!(find("push").is_some_and(|s| s.changes));
        assert!(find("len").is_some_and(|s| !s.changes));
    }
}
