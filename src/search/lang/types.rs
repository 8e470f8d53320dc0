//! The types of search programs.
//!
//! `queue<T>` is another word for `list<T>`: a list has an oldest end. Times, sizes and shares are plain floats
//! (seconds, bytes, fractions). Records are structural; their fields are kept sorted by name, so that two
//! spellings of one record are one type. `T??` is `T?`.

use std::fmt;

/// Kinds of runtime objects that programs hold but do not look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is the type of its name")]
pub enum Tag {
    Candidate,
    Decision,
    Draft,
    Trial,
    Model,
    Data,
    Batch,
    Gap,
    Metrics,
    Episode,
    Policy,
    Supernet,
    Costs,
    Surrogate,
    Table,
    Environment,
}

impl Tag {
    /// All of them with their names in programs.
    pub const ALL: [(Tag, &'static str); 16] = [
        (Tag::Candidate, "candidate"),
        (Tag::Decision, "decision"),
        (Tag::Draft, "draft"),
        (Tag::Trial, "trial"),
        (Tag::Model, "model"),
        (Tag::Data, "data"),
        (Tag::Batch, "batch"),
        (Tag::Gap, "gap"),
        (Tag::Metrics, "metrics"),
        (Tag::Episode, "episode"),
        (Tag::Policy, "policy"),
        (Tag::Supernet, "supernet"),
        (Tag::Costs, "costs"),
        (Tag::Surrogate, "surrogate"),
        (Tag::Table, "table"),
        (Tag::Environment, "environment"),
    ];

    /// The type's name in the language.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The tag of a type name.
    pub fn find(name: &str) -> Option<Tag> {
        Self::ALL.iter().find(|t| t.1 == name).map(|t| t.0)
    }
}

/// A type. `Var` stands for one that inference has not found yet and never leaves the checker; `Param` is a type
/// variable of a written signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    /// No value.
    Unit,
    /// 64 bits, overflow is an error.
    Int,
    /// IEEE double.
    Float,
    /// `true` or `false`
    Bool,
    /// Text.
    Str,
    /// A decision's value, of whatever type: `option`
    Option,
    /// A decision, or a selector such as `"**.op"`
    Selector,
    /// An architecture item with scalar arguments: a loss, an optimizer, a block
    Op,
    /// `list<T>`, `queue<T>`
    List(Box<Type>),
    /// `stream<T>`: elements that come one by one
    Stream(Box<Type>),
    /// `(A, B)`
    Tuple(Vec<Type>),
    /// `{ a: A }`, sorted by name
    Record(Vec<(String, Type)>),
    /// `T?`
    Optional(Box<Type>),
    /// `fn(A) -> R`
    Fn(Vec<Type>, Box<Type>),
    /// A runtime object.
    Opaque(Tag),
    /// `T` in a signature.
    Param(String),
    /// Not known yet.
    Var(u32),
    /// The type of what does not return a value because control went elsewhere.
    Never,
    /// Something was reported here; fits everything.
    Error,
}

impl Type {
    /// `list<T>`
    pub fn list(of: Type) -> Type {
        Type::List(Box::new(of))
    }

    /// `T?`; an optional of an optional is the same optional.
    pub fn optional(of: Type) -> Type {
        if matches!(of, Type::Optional(_) | Type::Error) { of } else { Type::Optional(Box::new(of)) }
    }

    /// Whether a value is a counted reference at run time.
    pub fn is_ref(&self) -> bool {
        !matches!(self, Type::Unit | Type::Int | Type::Float | Type::Bool | Type::Never | Type::Error | Type::Var(_))
    }

    /// Whether any part satisfies `f`.
    pub fn any(&self, f: &dyn Fn(&Type) -> bool) -> bool {
        f(self)
            || match self {
                Type::List(t) | Type::Stream(t) | Type::Optional(t) => t.any(f),
                Type::Tuple(ts) => ts.iter().any(|t| t.any(f)),
                Type::Record(fs) => fs.iter().any(|(_, t)| t.any(f)),
                Type::Fn(ps, r) => ps.iter().any(|t| t.any(f)) || r.any(f),
                _ => false,
            }
    }

    /// The same type with `f` applied to its leaves.
    #[must_use]
    pub fn map(&self, f: &mut dyn FnMut(&Type) -> Option<Type>) -> Type {
        if let Some(t) = f(self) {
            return t;
        }
        match self {
            Type::List(t) => Type::list(t.map(f)),
            Type::Stream(t) => Type::Stream(Box::new(t.map(f))),
            Type::Optional(t) => Type::optional(t.map(f)),
            Type::Tuple(ts) => Type::Tuple(ts.iter().map(|t| t.map(f)).collect()),
            Type::Record(fs) => Type::Record(fs.iter().map(|(n, t)| (n.clone(), t.map(f))).collect()),
            Type::Fn(ps, r) => Type::Fn(ps.iter().map(|t| t.map(f)).collect(), Box::new(r.map(f))),
            other => other.clone(),
        }
    }

    /// The type written in the contract's and the builtins' tables; `None` where it is not well formed.
    pub fn parse(text: &str) -> Option<Type> {
        let mut p = Reader { rest: text };
        let t = p.ty()?;
        p.rest.trim().is_empty().then_some(t)
    }
}

/// Reads the tables' types; the tables are part of this compiler, a test reads all of them.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn eat(&mut self, sign: &str) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.strip_prefix(sign).inspect(|r| self.rest = r).is_some()
    }

    fn word(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (w, r) = self.rest.split_at(end);
        self.rest = r;
        (!w.is_empty()).then(|| w.to_string())
    }

    fn many(&mut self, close: &str) -> Option<Vec<Type>> {
        let mut out = Vec::new();
        while !self.eat(close) {
            out.push(self.ty()?);
            self.eat(",");
        }
        Some(out)
    }

    fn ty(&mut self) -> Option<Type> {
        let mut t = if self.eat("(") {
            match self.many(")")? {
                ts if ts.is_empty() => Type::Unit,
                ts => Type::Tuple(ts),
            }
        } else if self.eat("{") {
            let mut fields = Vec::new();
            while !self.eat("}") {
                let name = self.word()?;
                self.eat(":").then_some(())?;
                fields.push((name, self.ty()?));
                self.eat(",");
            }
            fields.sort();
            Type::Record(fields)
        } else {
            let name = self.word()?;
            if name == "fn" {
                self.eat("(").then_some(())?;
                let params = self.many(")")?;
                let result = if self.eat("->") { self.ty()? } else { Type::Unit };
                Type::Fn(params, Box::new(result))
            } else {
                let args = if self.eat("<") { self.many(">")? } else { Vec::new() };
                named(&name, args)?
            }
        };
        while self.eat("?") {
            t = Type::optional(t);
        }
        Some(t)
    }
}

/// The type of a name with arguments.
pub fn named(name: &str, mut args: Vec<Type>) -> Option<Type> {
    let plain = match name {
        "int" => Some(Type::Int),
        "float" => Some(Type::Float),
        "bool" => Some(Type::Bool),
        "string" => Some(Type::Str),
        "option" => Some(Type::Option),
        "selector" => Some(Type::Selector),
        "op" => Some(Type::Op),
        _ if name.len() == 1 && name.chars().all(|c| c.is_ascii_uppercase()) => Some(Type::Param(name.into())),
        _ => Tag::find(name).map(Type::Opaque),
    };
    match (name, args.len()) {
        ("list" | "queue", 1) => Some(Type::list(args.remove(0))),
        ("stream", 1) => Some(Type::Stream(Box::new(args.remove(0)))),
        (_, 0) => plain,
        _ => None,
    }
}

/// Type names for "did you mean".
pub fn names() -> impl Iterator<Item = &'static str> {
    ["int", "float", "bool", "string", "option", "op", "list", "queue", "stream"]
        .into_iter()
        .chain(Tag::ALL.iter().map(|t| t.1))
}

fn commas<'a>(f: &mut fmt::Formatter<'_>, ts: impl Iterator<Item = &'a Type>) -> fmt::Result {
    for (i, t) in ts.enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{t}")?;
    }
    Ok(())
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Unit => f.write_str("nothing"),
            Type::Int => f.write_str("int"),
            Type::Float => f.write_str("float"),
            Type::Bool => f.write_str("bool"),
            Type::Str => f.write_str("string"),
            Type::Option => f.write_str("option"),
            Type::Selector => f.write_str("decision or selector"),
            Type::Op => f.write_str("op"),
            Type::List(t) => write!(f, "list<{t}>"),
            Type::Stream(t) => write!(f, "stream<{t}>"),
            Type::Tuple(ts) => {
                f.write_str("(")?;
                commas(f, ts.iter())?;
                f.write_str(")")
            }
            Type::Record(fs) => {
                f.write_str("{ ")?;
                for (i, (n, t)) in fs.iter().enumerate() {
                    write!(f, "{}{n}: {t}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str(" }")
            }
            Type::Optional(t) => match &**t {
                Type::Var(_) => f.write_str("none"),
                Type::Fn(..) => write!(f, "({t})?"),
                t => write!(f, "{t}?"),
            },
            Type::Fn(ps, r) => {
                f.write_str("fn(")?;
                commas(f, ps.iter())?;
                f.write_str(")")?;
                if **r == Type::Unit { Ok(()) } else { write!(f, " -> {r}") }
            }
            Type::Opaque(t) => f.write_str(t.name()),
            Type::Param(n) => f.write_str(n),
            Type::Var(_) | Type::Error => f.write_str("_"),
            Type::Never => f.write_str("never"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_types_read_and_print() {
        for text in [
            "int",
            "list<trial?>",
            "fn(T, int) -> float",
            "(int, list<float>)",
            "{ mean: float, std: float }",
            "stream<(batch, batch)>",
        ] {
            assert_eq!(Type::parse(text).map(|t| t.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Type::parse("queue<int>"), Some(Type::list(Type::Int)));
        assert_eq!(Type::parse("list<nothing>"), None);
        for (i, (tag, _)) in Tag::ALL.iter().enumerate() {
            assert_eq!(*tag as usize, i);
        }
    }
}
