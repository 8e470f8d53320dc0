//! The syntax tree: what was written, nothing resolved. One tree serves both halves of the language, since
//! architecture code and search code share their expressions; which constructs are legal where is for `sema`.
//!
//! Invariants that the parser establishes: every span lies in the node's file on character boundaries; a
//! [`Name::occurrence`] counts equal names in one scope (see there); nesting is bounded by [`MAX_DEPTH`].

use crate::base::{FileId, Span};

/// Deepest nesting of expressions and bodies that the parser accepts.
pub const MAX_DEPTH: usize = 200;

/// One file.
#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    /// The file.
    pub file: FileId,
    /// Items in their order.
    pub items: Vec<Item>,
}

/// An identifier where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ident {
    /// The text.
    pub name: String,
    /// Where.
    pub span: Span,
}

/// A declaration.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The whole declaration, documentation excluded.
    pub span: Span,
    /// The `//` comment lines directly above it, without the slashes; empty if there are none.
    pub doc: String,
    /// What is declared.
    pub kind: ItemKind,
}

/// The kinds of declaration.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `use std.ops.*`
    Use(Use),
    /// `primitive conv(x[N, C, H, W], ..) -> y[..] { .. }`
    Primitive(Primitive),
    /// `block`, `motif` and `space`
    Arch(Arch),
    /// `fn`, `strategy` and `evaluation`
    Fun(Fun),
    /// `search name { .. }`
    Search(Search),
    /// `space name = algorithms(..)` / `topology(..)`: the other kinds of space
    SpaceAlias {
        /// The name of the space.
        name: Ident,
        /// The call that makes it.
        value: Expr,
    },
    /// `environment name(..) { .. }`; parsed, served by a later compiler
    Environment(Environment),
    /// `algorithm name { setup {..} predict {..} learn {..} }`; parsed, served by a later compiler
    Algorithm(Algorithm),
}

/// `use a.b.c`, `use a.b.*`, `use a.b.{c, d}`; the last segment of the first form is the item or module.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// The dotted path; without the names in braces.
    pub path: Vec<Ident>,
    /// What of it comes into scope.
    pub what: UseWhat,
}

/// What a `use` brings into scope.
#[derive(Clone, Debug, PartialEq)]
pub enum UseWhat {
    /// The last segment of the path.
    Last,
    /// Every item of the module: `.*`
    All,
    /// The listed items: `.{a, b}`
    Names(Vec<Ident>),
}

/// A formal parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: Ident,
    /// Tensor with dimensions, or a scalar with a type.
    pub kind: ParamKind,
    /// The value if the argument is left out.
    pub default: Option<Expr>,
}

/// What a parameter accepts.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamKind {
    /// `x[N, C, H, W]`, `x[..]`, `x[N, ..]`; a dimension that is one upper-case name binds that extent, any other
    /// expression must equal the extent.
    Tensor(Vec<Dim>),
    /// `k: int`
    Typed(Type),
    /// `k = 3` or a bare name in a lambda
    Untyped,
}

/// One place in a list of dimensions or of indices.
#[derive(Clone, Debug, PartialEq)]
pub enum Dim {
    /// `..`: any number of dimensions
    Rest(Span),
    /// One dimension.
    Expr(Expr),
}

/// A written type: `int`, `list<T>`, `fn(T) -> float`, `(int, float)`, `{ mean: float, std: float }`, `T?`.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: TypeKind,
}

/// The forms of a written type.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// `int`, `candidate`, `list<trial>`; a single upper-case letter is a type variable
    Named(Ident, Vec<Type>),
    /// `(int, float)`
    Tuple(Vec<Type>),
    /// `{ mean: float }`
    Record(Vec<(Ident, Type)>),
    /// `fn(T) -> float`
    Fn(Vec<Type>, Box<Type>),
    /// `trial?`
    Optional(Box<Type>),
}

/// A primitive operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Primitive {
    /// Its name.
    pub name: Ident,
    /// Tensor inputs first, then scalars.
    pub params: Vec<Param>,
    /// Results with their extents.
    pub outputs: Vec<Output>,
    /// The equations.
    pub body: Vec<PrimStmt>,
}

/// `-> y[N, out]`
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The tensor's name in the equations.
    pub name: Ident,
    /// Its extents.
    pub dims: Vec<Dim>,
}

/// A statement of a primitive.
#[derive(Clone, Debug, PartialEq)]
pub enum PrimStmt {
    /// `param w[out, F] = he_normal(fan_in = F)`, `state m[C] = 0`, `knob p = 0.0`
    Slot {
        /// Which of the three.
        kind: SlotKind,
        /// Its name.
        name: Ident,
        /// Its extents; none for a scalar.
        dims: Vec<Dim>,
        /// An initializer call or a number.
        init: Expr,
        /// The whole statement.
        span: Span,
    },
    /// `y[n, o] = ..` or `m[c] <- ..`
    Equation {
        /// The tensor that is defined, or the state that is updated.
        name: Ident,
        /// Its indices; a range may be given where an index first stands.
        indices: Vec<IndexDecl>,
        /// True for `<-`.
        update: bool,
        /// The right-hand side.
        value: Expr,
        /// The whole statement.
        span: Span,
    },
    /// `let a = C / 2`: a number
    Let {
        /// Its name.
        name: Ident,
        /// Its value.
        value: Expr,
    },
    /// `if training { .. } else { .. }`, or `if` over scalar arguments
    If {
        /// `training`, or an expression over scalar arguments
        cond: Expr,
        /// Statements if it holds.
        then: Vec<PrimStmt>,
        /// Statements otherwise.
        otherwise: Vec<PrimStmt>,
    },
}

/// The scalars and tensors that a primitive owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// A weight.
    Param,
    /// A running statistic.
    State,
    /// A scalar set at run time.
    Knob,
}

/// An index on the left of an equation or in a reducer: `n`, `h: heads`, `..`.
#[derive(Clone, Debug, PartialEq)]
pub enum IndexDecl {
    /// All remaining dimensions, matched with the `..` of the reads.
    Rest(Span),
    /// A named index with its range, if given.
    Index(Ident, Option<Expr>),
}

/// A `block`, `motif` or `space`.
#[derive(Clone, Debug, PartialEq)]
pub struct Arch {
    /// Which of the three.
    pub kind: ArchKind,
    /// Its name.
    pub name: Ident,
    /// `motif level2[6]`: how many designs.
    pub count: Option<Expr>,
    /// Tensor inputs first, then scalars.
    pub params: Vec<Param>,
    /// The value is the result.
    pub body: Body,
}

/// See property 3 of the language: tied or fresh is said at the declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchKind {
    /// A template; every use makes its own decisions.
    Block,
    /// One design, decided once, stamped with fresh weights.
    Motif,
    /// The top: its tensor inputs are the data.
    Space,
}

/// `fn`, `strategy`, `evaluation`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fun {
    /// Which of the three.
    pub kind: FunKind,
    /// Its name.
    pub name: Ident,
    /// Parameters.
    pub params: Vec<Param>,
    /// `-> candidate`
    pub result: Option<Type>,
    /// The program.
    pub body: Body,
}

/// The kinds of program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunKind {
    /// A function of either half of the language.
    Fn,
    /// Moves the search.
    Strategy,
    /// Scores one candidate.
    Evaluation,
}

/// `search name { data = .. space = .. }`
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Its name.
    pub name: Ident,
    /// The fields in their order.
    pub fields: Vec<(Ident, Expr)>,
}

/// `environment double_pole(..) { state x = 0.0  fn observe() { .. } .. }`
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    /// Its name.
    pub name: Ident,
    /// Parameters.
    pub params: Vec<Param>,
    /// State variables with their initial values.
    pub state: Vec<(Ident, Expr)>,
    /// Its functions.
    pub funs: Vec<Fun>,
}

/// `algorithm name { setup { s2 = 0.01 } .. }`
#[derive(Clone, Debug, PartialEq)]
pub struct Algorithm {
    /// Its name.
    pub name: Ident,
    /// `setup`, `predict`, `learn`: assignments in order.
    pub parts: Vec<(Ident, Vec<Stmt>)>,
}

/// Statements and a value: `{ let a = 1  a + 1 }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// From `{` to `}`, or the expression after `=`.
    pub span: Span,
    /// In order.
    pub stmts: Vec<Stmt>,
    /// A last expression without anything after it.
    pub value: Option<Box<Expr>>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: StmtKind,
}

/// The forms of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// `let p = e` (immutable) and `var p: t = e` (mutable)
    Let {
        /// True for `var`.
        mutable: bool,
        /// What is bound.
        pattern: Pattern,
        /// `: list<trial>`
        ty: Option<Type>,
        /// Its value.
        value: Expr,
    },
    /// `share f = linear(d)`: one set of weights, used several times
    Share {
        /// Its name.
        name: Ident,
        /// The operation.
        value: Expr,
    },
    /// `x = e`, `bank[i] = e`, `x += e`, `(h0, h1) = ..`
    Assign {
        /// A place: name, index, field or tuple of places.
        target: Expr,
        /// The operator of `+=` and the like.
        op: Option<BinOp>,
        /// The new value.
        value: Expr,
    },
    /// Evaluated for its effect.
    Expr(Expr),
    /// `for p in e { .. }`
    For {
        /// Bound to each element.
        pattern: Pattern,
        /// The list, range, queue or stream.
        iter: Expr,
        /// Run for each.
        body: Body,
    },
    /// `while c { .. }`; `loop { .. }` has no condition
    While {
        /// Checked before each turn.
        cond: Option<Expr>,
        /// Run while it holds.
        body: Body,
    },
    /// `return e`
    Return(Option<Expr>),
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `forbid e`: removes the combinations for which e holds
    Forbid(Expr),
    /// A declaration inside a body.
    Item(Box<Item>),
}

/// What a `let`, `for` or lambda binds.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// `x`
    Name(Ident),
    /// `_`
    Skip(Span),
    /// `(a, b)`
    Tuple(Vec<Pattern>, Span),
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: ExprKind,
}

/// A use of a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The name.
    pub ident: Ident,
    /// How many uses of the same name stand before this one in the same *naming scope*: an item's body, or one
    /// alternative of a `choose`. It tells apart the decisions of two uses of one block (`tree(1)`).
    pub occurrence: u32,
}

/// Units of numeric literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `ns us ms s min h d`: a time, kept in seconds
    Time,
    /// `k M G T`: a plain multiplier
    Count,
    /// `%`: a hundredth
    Percent,
    /// `B KB MB GB`: a size, kept in bytes
    Bytes,
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `3`
    Int(i64),
    /// `0.5`, `1e-3`
    Float(f64),
    /// `5ms`: the value in the unit's base, and the unit. The text is in the source.
    Quantity(f64, Unit),
    /// `"text"`, escapes resolved
    Str(String),
    /// `true`, `false`
    Bool(bool),
    /// `none`: the zero operation in architectures, the absent value in searches
    None,
    /// A name.
    Name(Name),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `(a, b)`
    Tuple(Vec<Expr>),
    /// `{ name: value }`
    Record(Vec<(Ident, Expr)>),
    /// `{ (0, 1): value }`
    Map(Vec<(Expr, Expr)>),
    /// `[e for p in xs if c]`
    Comprehension {
        /// The element.
        element: Box<Expr>,
        /// `for p in xs if c`, outermost first.
        clauses: Vec<Clause>,
    },
    /// `-e`, `!e`
    Unary(UnOp, Box<Expr>),
    /// `a + b`, `x >> f`
    Binary(BinOp, Box<Expr>, Box<Expr>),
    /// `a..b`, `a..=b`, `a..`, `..b`, `..`
    Range {
        /// The lower end.
        lo: Option<Box<Expr>>,
        /// The upper end.
        hi: Option<Box<Expr>>,
        /// True for `..=`.
        inclusive: bool,
    },
    /// `if c { a } else { b }`
    If {
        /// The condition.
        cond: Box<Expr>,
        /// Its value if it holds.
        then: Box<Body>,
        /// The value otherwise: a body, or another `if` as the body's value.
        otherwise: Option<Box<Body>>,
    },
    /// `{ .. }` as an expression
    Body(Box<Body>),
    /// `f(a, name = b)`
    Call {
        /// What is called.
        callee: Box<Expr>,
        /// The arguments.
        args: Vec<Arg>,
    },
    /// `xs[i]`, `x[n, .., c]`, `q[s, a]`, `states[2..]`
    Index {
        /// What is indexed.
        base: Box<Expr>,
        /// The indices.
        indices: Vec<Expr>,
    },
    /// `t.reward`
    Field {
        /// Of what.
        base: Box<Expr>,
        /// Which.
        name: Ident,
    },
    /// `choose ..`
    Choose(Box<Choose>),
    /// `assemble n nodes { .. }`
    Assemble(Box<Assemble>),
    /// `repeat n as layer { f }`
    Repeat {
        /// How often.
        count: Box<Expr>,
        /// The name of the copy's number inside the body.
        label: Option<Ident>,
        /// The operation.
        body: Box<Body>,
    },
    /// `x => e`, `(a, b) => e`
    Lambda {
        /// Parameters.
        params: Vec<Pattern>,
        /// The result.
        body: Box<Expr>,
    },
    /// `sum[c, u: k] e`
    Reduce {
        /// Which reducer.
        op: Reducer,
        /// The keyword.
        keyword: Span,
        /// What it runs over.
        indices: Vec<IndexDecl>,
        /// The product to its right.
        body: Box<Expr>,
    },
    /// A part that did not parse; an error was reported there.
    Error,
}

/// `for p in xs if c` of a comprehension.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// Bound to each element.
    pub pattern: Pattern,
    /// The elements.
    pub iter: Expr,
    /// Only those for which it holds.
    pub cond: Option<Expr>,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// `name = `
    pub name: Option<Ident>,
    /// Its value.
    pub value: Expr,
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnOp {
    /// `-`
    Neg,
    /// `!`
    Not,
}

/// Infix operators, loosest first: `>>`, `||`, `&&`, comparisons, `+ -`, `* / %`, `^` (right associative).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is its sign")]
pub enum BinOp {
    Pipe,
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
}

/// The reducers of equations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is its name")]
pub enum Reducer {
    Sum,
    Max,
    Min,
    Mean,
    Prod,
}

/// A decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Choose {
    /// The word `choose`.
    pub keyword: Span,
    /// The decision's name; without one it is named after what it chooses (`op`, `item`, `number`).
    pub name: Option<Ident>,
    /// How many: one element, or a subset.
    pub amount: Amount,
    /// Among what.
    pub domain: Domain,
    /// `given (last, i)`: what `draft.state()` returns
    pub given: Option<Expr>,
}

/// How many elements are chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Amount {
    /// One, and the value is the element.
    One,
    /// `choose 2 from`: exactly so many, and the value is a list
    Exactly(Expr),
    /// `choose 0.. from`, `choose 1..=3 from`: a bounded subset, and the value is a list
    Between {
        /// The fewest.
        lo: Option<Expr>,
        /// The most.
        hi: Option<Expr>,
        /// True for `..=`.
        inclusive: bool,
    },
}

/// Among what a decision chooses.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// `{ none | skip: identity | 2: conv_bn(c, 3) }`
    Alternatives(Vec<Alternative>),
    /// `from xs`
    From(Expr),
    /// `in 16..=64 step 16`, `in 1e-4..1e-1 log`
    In {
        /// The range.
        range: Expr,
        /// The distance of the numbers.
        step: Option<Expr>,
        /// Uniform in the logarithm.
        log: bool,
    },
}

/// One alternative.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// Its label; without one the printer's canonical text of its value.
    pub label: Option<Ident>,
    /// Its relative probability in `random()`: `2: conv`.
    pub weight: Option<Expr>,
    /// Its value.
    pub value: Expr,
    /// All of it.
    pub span: Span,
}

/// The DAG of Liu et al. 2017.
#[derive(Clone, Debug, PartialEq)]
pub struct Assemble {
    /// The word `assemble`.
    pub keyword: Span,
    /// How many nodes, input and output included.
    pub nodes: Expr,
    /// `edge = e`: elaborated for every pair `i < j`, both in scope
    pub edge: Option<Expr>,
    /// `edges = {(0, 1): e}`: a fixed adjacency
    pub edges: Option<Expr>,
    /// `merge = sum`; `sum` if absent
    pub merge: Option<Expr>,
}
