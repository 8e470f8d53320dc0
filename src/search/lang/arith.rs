//! Arithmetic whose meaning both back ends must share.

#![allow(clippy::float_cmp, reason = "the language's `==` on floats is exact")]

use super::ir::{BinOp, Fail, UnOp};

/// `a op b` on slots.
pub fn bin(op: BinOp, a: u64, b: u64) -> Result<u64, Fail> {
    let (i, j) = (a as i64, b as i64);
    let (x, y) = (f64::from_bits(a), f64::from_bits(b));
    let int = |v: Option<i64>| v.map(|v| v as u64).ok_or(Fail::Overflow);
    let float = |v: f64| Ok(v.to_bits());
    let truth = |v: bool| Ok(u64::from(v));
    match op {
        BinOp::Add => int(i.checked_add(j)),
        BinOp::Sub => int(i.checked_sub(j)),
        BinOp::Mul => int(i.checked_mul(j)),
        BinOp::Div | BinOp::Rem if j == 0 => Err(Fail::Zero),
        BinOp::Div => int(i.checked_div(j).map(|q| q - i64::from(i % j != 0 && (i < 0) != (j < 0)))),
        BinOp::Rem => Ok(if j == -1 { 0 } else { ((i % j + j) % j) as u64 }),
        BinOp::Pow => power(i, j).map(|v| v as u64),
        BinOp::FAdd => float(x + y),
        BinOp::FSub => float(x - y),
        BinOp::FMul => float(x * y),
        BinOp::FDiv => float(x / y),
        BinOp::FRem => float(remainder(x, y)),
        BinOp::FMin => float(if y < x || x.is_nan() { y } else { x }),
        BinOp::FMax => float(if y > x || x.is_nan() { y } else { x }),
        BinOp::Min => Ok(i.min(j) as u64),
        BinOp::Max => Ok(i.max(j) as u64),
        BinOp::Eq => truth(i == j),
        BinOp::Ne => truth(i != j),
        BinOp::Lt => truth(i < j),
        BinOp::Le => truth(i <= j),
        BinOp::Gt => truth(i > j),
        BinOp::Ge => truth(i >= j),
        BinOp::FEq => truth(x == y),
        BinOp::FNe => truth(x != y),
        BinOp::FLt => truth(x < y),
        BinOp::FLe => truth(x <= y),
        BinOp::FGt => truth(x > y),
        BinOp::FGe => truth(x >= y),
    }
}

/// The remainder with the divisor's sign.
pub fn remainder(x: f64, y: f64) -> f64 {
    x - y * (x / y).floor()
}

/// `i ^ j`; a negative power of an int is no int.
pub fn power(i: i64, j: i64) -> Result<i64, Fail> {
    let j = u32::try_from(j).map_err(|_| if j < 0 { Fail::Convert } else { Fail::Overflow })?;
    i.checked_pow(j).ok_or(Fail::Overflow)
}

/// `op a` on a slot.
pub fn un(op: UnOp, a: u64) -> Result<u64, Fail> {
    let (i, x) = (a as i64, f64::from_bits(a));
    match op {
        UnOp::Neg => i.checked_neg().map(|v| v as u64).ok_or(Fail::Overflow),
        UnOp::Abs => i.checked_abs().map(|v| v as u64).ok_or(Fail::Overflow),
        UnOp::FNeg => Ok((-x).to_bits()),
        UnOp::FAbs => Ok(x.abs().to_bits()),
        UnOp::Sqrt => Ok(x.sqrt().to_bits()),
        UnOp::Not => Ok(u64::from(i == 0)),
        UnOp::ToFloat => Ok((i as f64).to_bits()),
        UnOp::ToInt if x.abs() < 9.2e18 => Ok(x as i64 as u64),
        UnOp::ToInt => Err(Fail::Convert),
        UnOp::IsNan => Ok(u64::from(x.is_nan())),
    }
}
