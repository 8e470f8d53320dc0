//! The typed tree of one function instance: every name resolved, every conversion explicit. Types may hold
//! inference variables until [`Infer::full`](super::infer::Infer::full) replaces them.

use std::sync::Arc;

use super::builtins::Builtin;
use super::env::FunItem;
use super::host::HostFn;
use super::types::Type;
use crate::base::Span;
use crate::syntax::ast::{BinOp, UnOp};

/// A local variable of a function instance, its lambdas included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Local(pub u32);

/// What is known of a local.
#[derive(Clone, Debug)]
pub struct LocalInfo {
    /// Its name, for messages.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Whether it may be assigned.
    pub mutable: bool,
    /// Where it was declared.
    pub span: Span,
    /// How many lambdas enclose its declaration.
    pub depth: u32,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct TExpr {
    /// Its type.
    pub ty: Type,
    /// Where.
    pub span: Span,
    /// What.
    pub kind: TKind,
}

/// A place that can be changed: a variable and the way into it.
#[derive(Clone, Debug)]
pub struct Place {
    /// The variable.
    pub root: Local,
    /// The steps, outermost first.
    pub path: Vec<Step>,
}

/// One step into a value.
#[derive(Clone, Debug)]
pub enum Step {
    /// An element of a list.
    Index(TExpr),
    /// A field of a record or of a tuple, by position.
    Field(usize),
}

/// The forms of an expression.
#[derive(Clone, Debug)]
pub enum TKind {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Text.
    Str(Arc<str>),
    /// `none`
    None,
    /// Nothing.
    Unit,
    /// A variable.
    Local(Local),
    /// `[a, b]`
    List(Vec<TExpr>),
    /// A tuple, or a record in the order of its type.
    Tuple(Vec<TExpr>),
    /// `a..b` as a list
    Range(Box<Range>),
    /// `[e for ..]`
    Comprehension(Box<TExpr>, Vec<TClause>),
    /// `-x`, `!x`
    Unary(UnOp, Box<TExpr>),
    /// Arithmetic on two ints or two floats, `+` on strings and lists; comparisons of one type.
    Binary(BinOp, Box<TExpr>, Box<TExpr>),
    /// Arithmetic on optionals of one type: absent if one of them is.
    Lifted(BinOp, Box<TExpr>, Box<TExpr>),
    /// `if`
    If(Box<TExpr>, Box<TBody>, Box<TBody>),
    /// `{ .. }`
    Body(Box<TBody>),
    /// A call of the instance of a program for these parameter types.
    Call(Arc<FunItem>, Vec<Type>, Vec<TExpr>),
    /// A call of a function value.
    CallValue(Box<TExpr>, Vec<TExpr>),
    /// A builtin.
    Builtin(Builtin, Vec<TExpr>),
    /// A builtin that changes a place.
    Change(Builtin, Place, Vec<TExpr>),
    /// A call of the runtime; the result is also stored in the place.
    Host(HostFn, Vec<TExpr>, Option<Place>),
    /// An architecture item with arguments.
    Op(String, Vec<(String, TExpr)>),
    /// `xs[i]`
    Index(Box<TExpr>, Box<TExpr>),
    /// `xs[a..b]`
    Slice(Box<TExpr>, Option<Box<TExpr>>, Option<Box<TExpr>>),
    /// A field of a record or tuple.
    Field(Box<TExpr>, usize),
    /// An int as a float.
    ToFloat(Box<TExpr>),
    /// A value as an optional.
    Some(Box<TExpr>),
    /// A value as an `option` or selector.
    ToOption(Box<TExpr>),
    /// The value of an optional; it is a run-time error if it is absent.
    Unwrap(Box<TExpr>),
    /// `x => e`
    Lambda(Box<TLambda>),
    /// A program as a value of its function type.
    Fun(Arc<FunItem>),
    /// Something was reported here.
    Error,
}

/// The bounds of a range.
#[derive(Clone, Debug)]
pub struct Range {
    /// The first number.
    pub lo: TExpr,
    /// The bound.
    pub hi: TExpr,
    /// Whether the bound belongs to it.
    pub inclusive: bool,
}

/// A lambda.
#[derive(Clone, Debug)]
pub struct TLambda {
    /// One variable per parameter, then what the patterns bind.
    pub params: Vec<Local>,
    /// Destructuring of parameters.
    pub patterns: Vec<(Local, TPattern)>,
    /// The result.
    pub body: TExpr,
    /// Variables of enclosing functions that it reads.
    pub captures: Vec<Local>,
}

/// What is bound.
#[derive(Clone, Debug)]
pub enum TPattern {
    /// A variable.
    Local(Local),
    /// Nothing.
    Skip,
    /// The parts of a tuple.
    Tuple(Vec<TPattern>),
}

/// `for p in xs if c`
#[derive(Clone, Debug)]
pub struct TClause {
    /// Bound to each element.
    pub pattern: TPattern,
    /// The elements.
    pub iter: TIter,
    /// Only those for which it holds.
    pub cond: Option<TExpr>,
}

/// What a loop runs over.
#[derive(Clone, Debug)]
pub enum TIter {
    /// Numbers.
    Range(Range),
    /// A list.
    List(TExpr),
    /// A stream.
    Stream(TExpr),
}

/// Statements and a value.
#[derive(Clone, Debug)]
pub struct TBody {
    /// In order.
    pub stmts: Vec<TStmt>,
    /// The value, if it is used.
    pub value: Option<TExpr>,
}

/// A statement.
#[derive(Clone, Debug)]
pub enum TStmt {
    /// A declaration.
    Let(TPattern, TExpr),
    /// An assignment.
    Assign(Place, TExpr),
    /// `(a, b) = e`
    AssignTuple(Vec<Place>, TExpr),
    /// An expression for its effect.
    Expr(TExpr),
    /// `for`
    For(TPattern, TIter, TBody),
    /// `while`, `loop`
    While(Option<TExpr>, TBody),
    /// `return`
    Return(Option<TExpr>),
    /// `break`
    Break,
    /// `continue`
    Continue,
}
