//! The boundary between programs and the runtime: values, and the calls that the runtime serves.

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::base::Span;
use crate::diag::Diagnostic;

pub use super::contract::HostFn;
use super::heap::Heap;
use super::types::{Tag, Type};

/// A value on the runtime's side of the boundary. `none` and the absence of a result are both `None`.
#[derive(Clone, Debug)]
pub enum Value {
    /// `none`, or nothing.
    None,
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Text.
    Str(Arc<str>),
    /// A list or queue, oldest first.
    List(Arc<Vec<Value>>),
    /// A tuple.
    Tuple(Arc<Vec<Value>>),
    /// A record, sorted by field.
    Record(Arc<Vec<(String, Value)>>),
    /// A runtime object.
    Opaque(Opaque),
    /// An architecture item with arguments.
    Op(OpRef),
}

/// A runtime object. Programs see its identity, never its inside: two are equal if tag and key are.
#[derive(Clone)]
pub struct Opaque {
    /// Its type.
    pub tag: Tag,
    /// Its identity among objects of its type, stable across runs: a trial's number, a candidate's canonical key.
    pub key: Arc<str>,
    /// The object.
    pub data: Arc<dyn Any + Send + Sync>,
}

impl Opaque {
    /// Wraps `data`.
    pub fn new<T: Any + Send + Sync>(tag: Tag, key: impl Into<Arc<str>>, data: T) -> Self {
        Self { tag, key: key.into(), data: Arc::new(data) }
    }

    /// The object, if it is a `T`.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.data.downcast_ref()
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} {}>", self.tag.name(), self.key)
    }
}

/// An architecture item named in a program (`sgd(0.1, momentum = 0.9)`, `accuracy`) with the scalar arguments that
/// were given, each under its parameter's name, in the order of the parameters. Defaults are not filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct OpRef {
    /// The name under which the item is known in the scope where it was written.
    pub item: String,
    /// The index of that scope in the [`Env`](super::env::Env).
    pub scope: usize,
    /// The arguments.
    pub args: Vec<(String, Value)>,
}

impl OpRef {
    /// The argument of this name.
    pub fn arg(&self, name: &str) -> Option<&Value> {
        self.args.iter().find(|a| a.0 == name).map(|a| &a.1)
    }
}

/// Why a program ended before its last line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The budget is spent, or the user interrupted: not an error.
    Finished,
    /// It failed, and this says where and why.
    Failed(Box<Diagnostic>),
}

/// What serves a program's calls. `args` are in the order of the call's parameters (the receiver first), with
/// defaults filled in; `span` is the call.
pub trait Host {
    /// Serves one call. The result must have the type of the contract's table, with `none` for "nothing".
    fn call(&mut self, f: HostFn, args: &[Value], span: Span) -> Result<Value, Stop>;

    /// Serves one call on the heap itself, without making values of its arguments and result, if the host has a way: the
    /// arguments are borrowed slots, the result an owned one of the call's type.
    fn quick(&mut self, _f: HostFn, _heap: &mut Heap, _args: &[u64], _span: Span) -> Option<Result<u64, Stop>> {
        None
    }
}

impl Value {
    /// Text.
    pub fn str(text: impl Into<Arc<str>>) -> Value {
        Value::Str(text.into())
    }

    /// A list.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Value {
        Value::List(Arc::new(items.into_iter().collect()))
    }

    /// A record; the fields are put in order.
    pub fn record(fields: impl IntoIterator<Item = (String, Value)>) -> Value {
        let mut fields: Vec<_> = fields.into_iter().collect();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        Value::Record(Arc::new(fields))
    }

    /// A number as a float.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Float(x) => Some(*x),
            Value::Int(i) => Some(*i as f64),
            _ => None,
        }
    }

    /// A whole number.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// Text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The elements of a list or tuple.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(xs) | Value::Tuple(xs) => Some(xs),
            _ => None,
        }
    }

    /// A record's field.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Record(fs) => fs.iter().find(|f| f.0 == name).map(|f| &f.1),
            _ => None,
        }
    }

    /// The runtime object of type `T` inside.
    pub fn object<T: Any + Send + Sync>(&self) -> Option<&T> {
        match self {
            Value::Opaque(o) => o.get(),
            _ => None,
        }
    }

    /// Whether it is a value of type `t`, whole numbers standing for floats included.
    pub fn fits(&self, t: &Type) -> bool {
        match (self, t) {
            (Value::None, Type::Unit | Type::Optional(_))
            | (Value::Int(_), Type::Int | Type::Float)
            | (Value::Float(_), Type::Float)
            | (Value::Bool(_), Type::Bool)
            | (Value::Str(_), Type::Str | Type::Selector)
            | (Value::Op(_), Type::Op)
            | (_, Type::Option) => true,
            (Value::Opaque(o), Type::Selector) => o.tag == Tag::Decision,
            (Value::Opaque(o), Type::Opaque(tag)) => o.tag == *tag,
            // The runtime makes streams; what they yield is checked one by one.
            (Value::Opaque(_), Type::Stream(_)) => true,
            (Value::List(xs), Type::List(t)) => xs.iter().all(|x| x.fits(t)),
            (Value::Tuple(xs), Type::Tuple(ts)) => xs.len() == ts.len() && xs.iter().zip(ts).all(|(x, t)| x.fits(t)),
            (Value::Record(xs), Type::Record(ts)) => {
                xs.len() == ts.len() && xs.iter().zip(ts).all(|(x, t)| x.0 == t.0 && x.1.fits(&t.1))
            }
            (v, Type::Optional(t)) => v.fits(t),
            _ => false,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Value::None => 0,
            Value::Bool(_) => 1,
            Value::Int(_) | Value::Float(_) => 2,
            Value::Str(_) => 3,
            Value::List(_) => 4,
            Value::Tuple(_) => 5,
            Value::Record(_) => 6,
            Value::Opaque(_) => 7,
            Value::Op(_) => 8,
        }
    }
}

/// The order of floats in this language: numbers as usual, NaN least and equal to itself.
pub fn order_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Str(a), Value::Str(b)) => a.cmp(b),
            (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => a.cmp(b),
            (Value::Record(a), Value::Record(b)) => a.cmp(b),
            (Value::Opaque(a), Value::Opaque(b)) => (a.tag, &a.key).cmp(&(b.tag, &b.key)),
            (Value::Op(a), Value::Op(b)) => (&a.item, a.scope, &a.args).cmp(&(&b.item, b.scope, &b.args)),
            (a, b) => match (a.as_float(), b.as_float()) {
                (Some(a), Some(b)) => order_floats(a, b),
                _ => a.rank().cmp(&b.rank()),
            },
        }
    }
}
impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Value {}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = |f: &mut fmt::Formatter<'_>, xs: &[Value]| {
            for (i, x) in xs.iter().enumerate() {
                write!(f, "{}{x}", if i > 0 { ", " } else { "" })?;
            }
            Ok(())
        };
        let fields = |f: &mut fmt::Formatter<'_>, xs: &[(String, Value)], sign: &str| {
            for (i, (n, x)) in xs.iter().enumerate() {
                write!(f, "{}{n}{sign}{x}", if i > 0 { ", " } else { "" })?;
            }
            Ok(())
        };
        match self {
            Value::None => f.write_str("none"),
            Value::Int(i) => write!(f, "{i}"),
            Value::Float(x) => write!(f, "{x:?}"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Str(s) => f.write_str(s),
            Value::List(xs) => {
                f.write_str("[")?;
                items(f, xs)?;
                f.write_str("]")
            }
            Value::Tuple(xs) => {
                f.write_str("(")?;
                items(f, xs)?;
                f.write_str(")")
            }
            Value::Record(xs) => {
                f.write_str("{ ")?;
                fields(f, xs, ": ")?;
                f.write_str(" }")
            }
            Value::Opaque(o) => write!(f, "{o:?}"),
            Value::Op(o) => {
                f.write_str(&o.item)?;
                if o.args.is_empty() {
                    return Ok(());
                }
                f.write_str("(")?;
                fields(f, &o.args, " = ")?;
                f.write_str(")")
            }
        }
    }
}
