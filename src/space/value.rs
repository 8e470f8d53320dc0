//! What expressions of the architecture half evaluate to.

use std::rc::Rc;

use crate::base::Span;
use crate::graph::NodeId;
pub use crate::sema::builtins::Builtin;
use crate::sema::modules::ModuleId;
use crate::sema::sym::Num;
use crate::syntax::ast;

/// A value of elaboration. Cheap to clone; nothing aliases, since lists and scopes are copied when written.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// A number or a truth value, possibly under decisions.
    Num(Num),
    /// A text.
    Str(Rc<str>),
    /// `none`: the zero operation.
    None,
    /// `none` among alternatives, while all are open: zeros of the shape that the first of its siblings gives.
    Zeros,
    /// Elements, each with the condition under which it is there.
    List(Rc<Vec<Element<'a>>>),
    /// A tuple.
    Tuple(Rc<Vec<Value<'a>>>),
    /// A record.
    Record(Rc<Vec<(String, Value<'a>)>>),
    /// A map, such as the literal edges of an `assemble`.
    Map(Rc<Vec<(Value<'a>, Value<'a>)>>),
    /// A tensor.
    Tensor(Rc<Tensor>),
    /// An operation that waits for its tensors.
    Op(Rc<Op<'a>>),
    /// A closure.
    Lambda(Rc<Lambda<'a>>),
    /// An item by name.
    Item(Rc<Item<'a>>),
    /// A built-in function.
    Builtin(Builtin),
    /// One of these, by condition; the conditions exclude each other and one of them holds.
    Case(Rc<Vec<(Num, Value<'a>)>>),
    /// The result of something that was reported as an error.
    Poison,
}

/// An element of a list.
#[derive(Clone, Debug)]
pub struct Element<'a> {
    /// When it is there.
    pub when: Num,
    /// What it is.
    pub value: Value<'a>,
    /// Its index among what it was chosen from; names decisions about it.
    pub index: usize,
}

/// A tensor: its shape under all decisions and, when a graph is built, its node.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Tells tensors apart.
    pub id: u32,
    /// Extents.
    pub dims: Vec<Num>,
    /// The node that computes it, where a graph is built and it is not `none`.
    pub node: Option<NodeId>,
    /// When it is `none`: zeros that sums and concatenations leave out.
    pub none: Num,
    /// Whether it holds integers.
    pub int: bool,
    /// Where it was made.
    pub origin: Origin,
}

/// Where a tensor was made.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Here.
    At(Span),
    /// In one of these places.
    OneOf(Vec<(Num, Rc<Tensor>)>),
}

/// Where decisions are made: fixed when an operation is created, in force while it is applied.
#[derive(Clone, Debug)]
pub struct Place {
    /// The decision path, `cell.edge(0,1)`; empty at the top.
    pub path: Rc<str>,
    /// The motif or space that owns decisions made here.
    pub owner: Rc<str>,
    /// Which stamp of the owner this is.
    pub stamp: u32,
    /// Under which decisions of the owner this place is reached.
    pub presence: Num,
}

/// An operation that waits for its tensors.
#[derive(Clone, Debug)]
pub struct Op<'a> {
    /// What it does.
    pub kind: OpKind<'a>,
    /// Where it was created.
    pub place: Place,
    /// The expression that created it.
    pub span: Span,
}

/// The kinds of operation.
#[derive(Clone, Debug)]
pub enum OpKind<'a> {
    /// A primitive, block, motif or space with its scalar arguments.
    Call(Rc<Item<'a>>, Vec<(String, Value<'a>)>),
    /// A built-in with its further arguments.
    Builtin(Builtin, Vec<Value<'a>>),
    /// One after the other.
    Compose(Vec<Value<'a>>),
    /// `repeat n as label { body }`
    Repeat(Value<'a>, &'a str, &'a ast::Body, Rc<Scope<'a>>),
    /// `assemble n nodes { .. }`
    Assemble(Value<'a>, &'a ast::Assemble, Rc<Scope<'a>>),
    /// One set of weights for all uses, at this site.
    Shared(Value<'a>, Rc<str>),
    /// Zeros of the shape that this operation would give.
    ZerosLike(Value<'a>),
}

/// A closure with the values that it captured.
#[derive(Clone, Debug)]
pub struct Lambda<'a> {
    /// Its parameters.
    pub params: &'a [ast::Pattern],
    /// Its result.
    pub body: &'a ast::Expr,
    /// What it sees.
    pub scope: Scope<'a>,
}

/// A declaration with what it sees.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// The declaration.
    pub decl: Decl<'a>,
    /// What it sees; its module's names come after.
    pub scope: Scope<'a>,
    /// The path under which a motif's decisions stand, index included: `level2[3]`.
    pub path: Rc<str>,
    /// Where it is declared.
    pub home: Home<'a>,
    /// Under which decisions its declaration is reached.
    pub presence: Num,
}

/// Where a declaration stands, which says what it sees besides its scope.
#[derive(Clone, Debug)]
pub enum Home<'a> {
    /// In a module, whose items it sees.
    Module,
    /// In a body that has not come to it yet, at this decision path: it sees the declarations of the body.
    Ahead(&'a [ast::Stmt], Rc<str>),
    /// In a body that has come to it: its scope holds what stands before it, and it sees itself.
    Here,
}

/// The declarations that elaboration can call.
#[derive(Clone, Copy, Debug)]
pub enum Decl<'a> {
    /// A primitive.
    Primitive(&'a ast::Primitive),
    /// A block, motif or space.
    Arch(&'a ast::Arch),
    /// A function.
    Fun(&'a ast::Fun),
}

impl<'a> Decl<'a> {
    /// Its name.
    pub fn name(&self) -> &'a ast::Ident {
        match self {
            Decl::Primitive(p) => &p.name,
            Decl::Arch(a) => &a.name,
            Decl::Fun(f) => &f.name,
        }
    }

    /// Its parameters.
    pub fn params(&self) -> &'a [ast::Param] {
        match self {
            Decl::Primitive(p) => &p.params,
            Decl::Arch(a) => &a.params,
            Decl::Fun(f) => &f.params,
        }
    }
}

/// Local names, innermost last.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    /// The module whose items are visible.
    pub module: ModuleId,
    /// Local names.
    pub vars: Vec<Var<'a>>,
}

/// A local name.
#[derive(Clone, Debug)]
pub struct Var<'a> {
    /// The name.
    pub name: &'a str,
    /// Its value.
    pub value: Value<'a>,
    /// Whether it may be assigned.
    pub mutable: bool,
}

impl<'a> Scope<'a> {
    /// An empty scope of a module.
    pub fn new(module: ModuleId) -> Self {
        Self { module, vars: Vec::new() }
    }

    /// Declares a name.
    pub fn bind(&mut self, name: &'a str, value: Value<'a>, mutable: bool) {
        self.vars.push(Var { name, value, mutable });
    }

    /// The innermost variable of that name.
    pub fn find(&self, name: &str) -> Option<&Var<'a>> {
        self.vars.iter().rev().find(|v| v.name == name)
    }

    /// The innermost variable of that name, to be written.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut Var<'a>> {
        self.vars.iter_mut().rev().find(|v| v.name == name)
    }
}

impl Value<'_> {
    /// What kind of thing it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Num(Num::Int(_)) => "a whole number",
            Value::Num(Num::Float(_)) => "a real number",
            Value::Num(Num::Bool(_)) => "a truth value",
            Value::Num(Num::Sym(_)) => "a number",
            Value::Str(_) => "a text",
            Value::None | Value::Zeros => "`none`",
            Value::List(_) => "a list",
            Value::Tuple(_) => "a tuple",
            Value::Record(_) => "a record",
            Value::Map(_) => "a map",
            Value::Tensor(_) => "a tensor",
            Value::Op(_) => "an operation",
            Value::Lambda(_) => "a function",
            Value::Item(_) => "a declaration",
            Value::Builtin(_) => "a built-in function",
            Value::Case(_) => "one of several kinds of value",
            Value::Poison => "an erroneous value",
        }
    }

    /// A known whole number.
    pub fn int(i: i64) -> Self {
        Value::Num(Num::Int(i))
    }

    /// Whether it can stand where a tensor is expected.
    pub fn is_tensor_like(&self) -> bool {
        match self {
            Value::Tensor(_) | Value::Poison => true,
            Value::Case(cs) => cs.iter().any(|(_, v)| v.is_tensor_like()),
            _ => false,
        }
    }
}
