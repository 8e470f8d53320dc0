//! The scalar IR of programs.
//!
//! A function has typed variables and basic blocks; variables are assigned freely (the code generator makes SSA of
//! them). A slot is 64 bits: an int, a float's bits, or a reference into the run's heap, where reference 0 is `none`.
//! Truth values are ints 0 and 1.
//!
//! Everything on the heap happens in runtime operations ([`RtOp`]). They *borrow* their arguments and return an owned
//! reference; `Retain` and `Release` are explicit. An operation that fails ends the whole program, and the heap with
//! it, so failing paths release nothing.
//!
//! Deliberately impossible: pointers, undefined behaviour, unwinding, an operation without a place in the source
//! where it may fail.

use std::fmt;
use std::sync::Arc;

use super::builtins::Builtin;
use super::host::HostFn;
use super::types::Type;
use crate::base::Span;

/// A variable of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Var(pub u32);

/// A basic block of a function; block 0 is the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block(pub u32);

/// The type of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    /// An int or truth value.
    Int,
    /// A float.
    Float,
    /// A counted reference.
    Ref,
}

/// Operators on one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnOp {
    /// Negation of an int; fails where it overflows.
    Neg,
    /// Negation of a float.
    FNeg,
    /// Of a truth value.
    Not,
    /// Absolute value of an int; fails where it overflows.
    Abs,
    /// Absolute value of a float.
    FAbs,
    /// Square root.
    Sqrt,
    /// An int as a float.
    ToFloat,
    /// A float as an int, rounded toward zero; fails where it does not fit.
    ToInt,
    /// Whether a float is NaN.
    IsNan,
}

/// Operators on two operands. Int arithmetic fails on overflow, division by zero included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is its sign; F for floats; comparisons give 0 or 1; Div and Rem round down")]
pub enum BinOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
    FAdd,
    FSub,
    FMul,
    FDiv,
    FRem,
    FMin,
    FMax,
    Min,
    Max,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    FEq,
    FNe,
    FLt,
    FLe,
    FGt,
    FGe,
}

impl BinOp {
    /// Whether it takes floats.
    pub fn takes_floats(self) -> bool {
        use BinOp::{FAdd, FDiv, FEq, FGe, FGt, FLe, FLt, FMax, FMin, FMul, FNe, FRem, FSub};
        matches!(self, FAdd | FSub | FMul | FDiv | FRem | FMin | FMax | FEq | FNe | FLt | FLe | FGt | FGe)
    }

    /// Whether it gives a float.
    pub fn gives_float(self) -> bool {
        use BinOp::{FAdd, FDiv, FMax, FMin, FMul, FRem, FSub};
        matches!(self, FAdd | FSub | FMul | FDiv | FRem | FMin | FMax)
    }
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs, reason = "each is its diagnostic")]
pub enum Fail {
    Overflow,
    Zero,
    Bounds,
    Depth,
    Absent,
    Empty,
    Convert,
}

impl Fail {
    /// The failure of a number that generated code passes.
    pub fn from_u32(n: u32) -> Fail {
        match n {
            0 => Fail::Overflow,
            1 => Fail::Zero,
            2 => Fail::Bounds,
            3 => Fail::Depth,
            4 => Fail::Absent,
            5 => Fail::Empty,
            _ => Fail::Convert,
        }
    }
}

/// An operation of the runtime; see [`Site`] for the types that it works on.
#[derive(Clone, Debug)]
pub enum RtOp {
    /// This text.
    Str(Arc<str>),
    /// A list of the arguments.
    List,
    /// A tuple or record of the arguments.
    Tuple,
    /// A function value: the function's number; the arguments are what it captures.
    Closure(u32),
    /// The captured value of this number.
    Captured(u32),
    /// A scalar as an optional.
    Box,
    /// The scalar in an optional; fails where it is absent.
    Unbox,
    /// Whether an optional has a value.
    IsPresent,
    /// The reference itself, retained; fails where it is absent.
    Present,
    /// A value as an `option`.
    ToOption,
    /// A field of a tuple or record.
    Field(u32),
    /// An element.
    Get,
    /// The list, or tuple, alone: a copy where it is shared. Takes the reference over.
    Unique,
    /// Moves an element out of a unique list and leaves nothing.
    TakeElement,
    /// Moves a field out of a unique tuple and leaves nothing.
    TakeField(u32),
    /// Stores an element in a unique list and takes it over.
    PutElement,
    /// Stores a field in a unique tuple and takes it over.
    PutField(u32),
    /// Appends to a unique list, for comprehensions.
    Append,
    /// `lo..hi` as a list.
    Range,
    /// `xs[lo..hi]`
    Slice,
    /// Two lists or texts joined.
    Concat,
    /// -1, 0 or 1.
    Compare,
    /// A builtin on heap values.
    Builtin(Builtin),
    /// A call of the host.
    Host(HostFn),
    /// The next element of a stream, or none.
    Next,
    /// An architecture item; the arguments' names.
    Op(String, usize, Vec<String>),
}

/// One place where an operation of the runtime stands.
#[derive(Clone, Debug)]
pub struct Site {
    /// Which.
    pub op: RtOp,
    /// The types of its arguments.
    pub args: Vec<Type>,
    /// The type of its result.
    pub result: Type,
    /// Where.
    pub span: Span,
}

/// An instruction.
#[derive(Clone, Debug)]
pub enum Inst {
    /// A constant's bits.
    Const(Var, u64),
    /// A copy.
    Move(Var, Var),
    /// `dst = op a`; the span's index
    Un(Var, UnOp, Var, u32),
    /// `dst = a op b`; the span's index
    Bin(Var, BinOp, Var, Var, u32),
    /// A function of floats.
    Math(Var, Builtin, Var, Var),
    /// An operation of the runtime.
    Rt(Option<Var>, u32, Vec<Var>),
    /// A call of a function.
    Call(Option<Var>, u32, Vec<Var>),
    /// A call of a function value with arguments; the value is also the callee's first parameter.
    CallValue(Option<Var>, Var, Vec<Var>),
    /// One more owner.
    Retain(Var),
    /// One owner less.
    Release(Var),
    /// Ends the program where the stop flag is set.
    Poll,
}

/// The end of a block.
#[derive(Clone, Debug)]
pub enum Term {
    /// To a block.
    Jump(Block),
    /// To the first block if the variable is not 0.
    Branch(Var, Block, Block),
    /// To the caller, which owns the value.
    Return(Option<Var>),
    /// Ends the program.
    Fail(Fail, u32),
}

/// A function.
#[derive(Clone, Debug)]
pub struct Func {
    /// Its name, for listings.
    pub name: String,
    /// Where it is declared.
    pub span: u32,
    /// Its parameters.
    pub params: Vec<Var>,
    /// The types of its variables.
    pub vars: Vec<Ty>,
    /// What it returns.
    pub result: Option<Ty>,
    /// Its blocks.
    pub blocks: Vec<(Vec<Inst>, Term)>,
}

/// A whole program; function 0 is the entry.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// Its functions.
    pub funcs: Vec<Func>,
    /// Its operations of the runtime.
    pub sites: Vec<Site>,
    /// Spans of operations that may fail.
    pub spans: Vec<Span>,
}

/// Checks what code generation relies on: variables and blocks exist, operand types are those of the operators,
/// calls fit their callees. The message names the function.
pub fn verify(code: &Code) -> Result<(), String> {
    for f in &code.funcs {
        verify_func(code, f).map_err(|e| format!("{}: {e}", f.name))?;
    }
    Ok(())
}

fn verify_func(code: &Code, f: &Func) -> Result<(), String> {
    let ty = |v: &Var| f.vars.get(v.0 as usize).copied().ok_or_else(|| format!("no variable v{}", v.0));
    let want = |v: &Var, t: Ty| if ty(v)? == t { Ok(()) } else { Err(format!("v{} is not {t:?}", v.0)) };
    let block = |b: &Block| if (b.0 as usize) < f.blocks.len() { Ok(()) } else { Err(format!("no block {}", b.0)) };
    let number = |floats: bool| if floats { Ty::Float } else { Ty::Int };
    for (insts, term) in &f.blocks {
        for i in insts {
            match i {
                Inst::Const(v, _) => ty(v).map(|_| ())?,
                Inst::Move(a, b) => want(a, ty(b)?)?,
                Inst::Un(d, op, a, _) => {
                    let (takes, gives) = match op {
                        UnOp::Neg | UnOp::Not | UnOp::Abs => (Ty::Int, Ty::Int),
                        UnOp::FNeg | UnOp::FAbs | UnOp::Sqrt => (Ty::Float, Ty::Float),
                        UnOp::ToFloat => (Ty::Int, Ty::Float),
                        UnOp::ToInt | UnOp::IsNan => (Ty::Float, Ty::Int),
                    };
                    want(a, takes)?;
                    want(d, gives)?;
                }
                Inst::Bin(d, op, a, b, _) => {
                    want(a, number(op.takes_floats()))?;
                    want(b, number(op.takes_floats()))?;
                    want(d, number(op.gives_float()))?;
                }
                Inst::Math(d, _, a, b) => {
                    for v in [d, a, b] {
                        want(v, Ty::Float)?;
                    }
                }
                Inst::Rt(d, site, args) => {
                    let site = code.sites.get(*site as usize).ok_or("no such site")?;
                    if site.args.len() != args.len() {
                        return Err(format!("{:?} has {} arguments", site.op, args.len()));
                    }
                    for (a, t) in args.iter().zip(&site.args) {
                        want(a, slot(t)).map_err(|e| format!("{:?}: {e}", site.op))?;
                    }
                    if let Some(d) = d {
                        want(d, slot(&site.result)).map_err(|e| format!("result of {:?}: {e}", site.op))?;
                    }
                }
                Inst::Call(d, callee, args) => {
                    let g = code.funcs.get(*callee as usize).ok_or("no such function")?;
                    if g.params.len() != args.len() {
                        return Err(format!("{} called with {} arguments", g.name, args.len()));
                    }
                    for (a, p) in args.iter().zip(&g.params) {
                        want(a, g.vars[p.0 as usize])?;
                    }
                    if let Some(d) = d {
                        want(d, g.result.ok_or("a call without a result")?)?;
                    }
                }
                Inst::CallValue(d, v, args) => {
                    want(v, Ty::Ref)?;
                    for a in args.iter().chain(d) {
                        ty(a)?;
                    }
                }
                Inst::Retain(v) | Inst::Release(v) => want(v, Ty::Ref)?,
                Inst::Poll => {}
            }
        }
        match term {
            Term::Jump(b) => block(b)?,
            Term::Branch(v, a, b) => {
                want(v, Ty::Int)?;
                block(a)?;
                block(b)?;
            }
            Term::Return(v) => match (v, f.result) {
                (Some(v), Some(t)) => want(v, t)?,
                (None, None) => {}
                _ => return Err("a return that does not fit the result".into()),
            },
            Term::Fail(..) => {}
        }
    }
    Ok(())
}

/// The slot type of a type.
pub fn slot(t: &Type) -> Ty {
    match t {
        Type::Float => Ty::Float,
        t if t.is_ref() => Ty::Ref,
        _ => Ty::Int,
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, func) in self.funcs.iter().enumerate() {
            let params: Vec<String> =
                func.params.iter().map(|v| format!("v{}: {:?}", v.0, func.vars[v.0 as usize])).collect();
            writeln!(f, "fn {i} {}({}) -> {:?} {{", func.name, params.join(", "), func.result)?;
            for (b, (insts, term)) in func.blocks.iter().enumerate() {
                writeln!(f, "b{b}:")?;
                for i in insts {
                    match i {
                        Inst::Rt(d, site, args) => {
                            let d = d.map(|d| format!("v{} = ", d.0)).unwrap_or_default();
                            let args: Vec<String> = args.iter().map(|v| format!("v{}", v.0)).collect();
                            writeln!(f, "  {d}{:?}({})", self.sites[*site as usize].op, args.join(", "))?;
                        }
                        i => writeln!(f, "  {i:?}")?,
                    }
                }
                writeln!(f, "  {term:?}")?;
            }
            writeln!(f, "}}")?;
        }
        Ok(())
    }
}
