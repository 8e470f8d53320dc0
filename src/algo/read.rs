//! From an `algorithm` item to a program.

use std::collections::BTreeMap;

use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::sema::modules::{ModuleId, Program as Source};
use crate::syntax::ast::{self, BinOp, Expr, ExprKind, Stmt, StmtKind, UnOp};

use super::program::{Instr, PARTS, Program};
use super::set::{MOST, Rank, Set};

/// The greatest address of a type.
const LAST: u16 = 255;

/// An address as it is written: `s3`.
fn address(name: &str) -> Option<(Rank, u16)> {
    let rank = Rank::of_letter(name.chars().next()?)?;
    let digits = &name[1..];
    let plain =
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    plain.then(|| digits.parse().ok().map(|at| (rank, at))).flatten()
}

fn wrong(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(&codes::ALGORITHM, span, message)
}

/// Reads a program; instructions that the set lacks are added to it.
///
/// # Errors
/// All lines that are not instructions over memory.
pub fn algorithm(
    source: &Source,
    module: ModuleId,
    a: &ast::Algorithm,
    set: &mut Set,
) -> Result<Program, Vec<Diagnostic>> {
    let (mut out, mut errors) = (Program::default(), Vec::new());
    for (name, stmts) in &a.parts {
        // The parser accepts no other parts.
        let Some(part) = PARTS.iter().position(|p| *p == name.name) else { continue };
        for s in stmts {
            match line(source, module, s, set) {
                Ok(i) => out.parts[part].push(i),
                Err(d) => errors.push(*d),
            }
        }
    }
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

fn line(source: &Source, module: ModuleId, s: &Stmt, set: &mut Set) -> Result<Instr, Box<Diagnostic>> {
    let form = || {
        wrong(s.span, "a line of an algorithm gives an address of memory a value")
            .help("write `s2 = 0.1`, `s3 = s0 - s1`, `s1 = dot(v0, v1)`")
    };
    let StmtKind::Assign { target, op: None, value } = &s.kind else { return Err(form().into()) };
    let (output, out) = match &target.kind {
        ExprKind::Name(n) => place(&n.ident)?,
        _ => return Err(form().into()),
    };
    if out < output.first_writable() {
        let what = if output == Rank::Scalar { "the label" } else { "the features" };
        return Err(wrong(target.span, format!("`{}{out}` holds {what} and cannot be written", output.letter())).into());
    }
    let (name, operands, knobs): (&str, Vec<&Expr>, Vec<&ast::Arg>) = match &value.kind {
        ExprKind::Binary(op @ (BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Div), a, b) => {
            let mixed = matches!((rank_of(a), rank_of(b)), (Some(Rank::Scalar), Some(Rank::Vector | Rank::Matrix)));
            let name = match op {
                BinOp::Add => "add",
                BinOp::Sub => "sub",
                BinOp::Mul if mixed => "scale",
                BinOp::Mul => "mul",
                _ => "div",
            };
            (name, vec![a, b], Vec::new())
        }
        ExprKind::Call { callee, args } => match &callee.kind {
            ExprKind::Name(n) => {
                let operands = args.iter().filter(|a| a.name.is_none()).map(|a| &a.value).collect();
                (n.ident.name.as_str(), operands, args.iter().filter(|a| a.name.is_some()).collect())
            }
            _ => return Err(form().into()),
        },
        _ if number(value).is_some() => ("constant", Vec::new(), Vec::new()),
        ExprKind::Name(_) => {
            return Err(wrong(value.span, "memory is not copied by `=` alone")
                .help("name an instruction: `s2 = s1 + s3`, or `identity(s1)` with `use std.ops.identity`")
                .into());
        }
        _ => return Err(form().into()),
    };
    let (mut ranks, mut inputs) = (Vec::new(), [0; MOST]);
    for (k, e) in operands.iter().enumerate() {
        let ExprKind::Name(n) = &e.kind else {
            return Err(wrong(e.span, "an operand is an address of memory")
                .help("constants have names (`gaussian(mean = 0.0)`) or lines of their own (`s2 = 0.1`); one line is one instruction")
                .into());
        };
        let (rank, at) = place(&n.ident)?;
        ranks.push(rank);
        if let Some(slot) = inputs.get_mut(k) {
            *slot = at;
        }
    }
    let Some(item) = Set::operator(source, module, name) else {
        let span = match &value.kind {
            ExprKind::Call { callee, .. } => callee.span,
            _ => value.span,
        };
        let d = Diagnostic::new(&codes::UNKNOWN_NAME, span, format!("there is no instruction `{name}` here"));
        let known = source.module(module).scope.keys().map(String::as_str);
        let d = match did_you_mean(name, known) {
            Some(k) if matches!(value.kind, ExprKind::Call { .. }) => {
                d.help(format!("did you mean `{k}`?")).fix(span, k, format!("write `{k}`"))
            }
            _ => d.help("`use std.instructions.*` brings AutoML-Zero's into scope"),
        };
        return Err(d.into());
    };
    let op = set.resolve(source, item, &ranks, output, value.span)?;
    let given: BTreeMap<&str, &ast::Arg> =
        knobs.iter().filter_map(|a| Some((a.name.as_ref()?.name.as_str(), *a))).collect();
    let declared = &set.instructions[op].knobs;
    if let Some((name, a)) = given.iter().find(|(n, _)| !declared.iter().any(|k| k.name == **n)) {
        let known: Vec<&str> = declared.iter().map(|k| k.name.as_str()).collect();
        let d = wrong(
            a.name.as_ref().map_or(a.value.span, |n| n.span),
            format!("this instruction has no constant `{name}`"),
        );
        return Err(d
            .help(if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) })
            .into());
    }
    let mut constants = [0.0; MOST];
    for (slot, k) in constants.iter_mut().zip(declared) {
        *slot = match given.get(k.name.as_str()) {
            Some(a) => {
                number(&a.value).ok_or_else(|| wrong(a.value.span, "a constant of an instruction is a number"))?
            }
            None => k.default,
        };
    }
    if let (Some(x), "constant") = (number(value), name) {
        constants[0] = x;
    }
    Ok(Instr { op, inputs, out, knobs: constants })
}

fn place(n: &ast::Ident) -> Result<(Rank, u16), Box<Diagnostic>> {
    match address(&n.name) {
        Some((_, at)) if at > LAST => {
            Err(wrong(n.span, format!("memory has no more than {} addresses of a type", LAST + 1)).into())
        }
        Some(p) => Ok(p),
        None => Err(wrong(n.span, format!("`{}` is not an address of memory", n.name))
            .help("scalars are `s0`, `s1`, .., vectors `v0`, .., matrices `m0`, ..")
            .into()),
    }
}

fn rank_of(e: &Expr) -> Option<Rank> {
    match &e.kind {
        ExprKind::Name(n) => address(&n.ident.name).map(|p| p.0),
        _ => None,
    }
}

/// A number as it is written, finite.
fn number(e: &Expr) -> Option<f64> {
    match &e.kind {
        ExprKind::Int(i) => Some(*i as f64),
        ExprKind::Float(x) | ExprKind::Quantity(x, _) => Some(*x).filter(|x| x.is_finite()),
        ExprKind::Unary(UnOp::Neg, e) => Some(-number(e)?),
        _ => None,
    }
}
