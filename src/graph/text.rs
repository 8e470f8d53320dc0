//! The text format of graphs: what tests of passes are written in, and what `--emit graph` prints.
//!
//! ```text
//! %0 = input data "x" : float[8, 3, 4, 4] example 0
//! %1 = input param normal(0.1) "w" : float[6, 3, 3, 3]
//! %2 = sum[3, 3, 3] : float[8, 6, 4, 4] example 0 label "conv"
//!   where 0 <= i2 + i5 - 1 < 4
//!   t0 = %0[i0, i4, i2 + i5 - 1, i3 + i6 - 1]
//!   t1 = %1[i1, i4, i5, i6]
//!   t2 = mul t0 t1
//! output "y" %2
//! ```
//!
//! Parsing what was printed gives the same graph.

use std::fmt::Write;

use super::{
    Atom, BinaryOp, CompareOp, DType, Equation, Graph, Guard, Index, Init, Input, Kind, Node, NodeId, Op, Reduce,
    ReduceOp, Role, Scatter, UnaryOp, Val,
};

const UNARY: [(&str, UnaryOp); 17] = [
    ("neg", UnaryOp::Neg),
    ("exp", UnaryOp::Exp),
    ("log", UnaryOp::Log),
    ("sqrt", UnaryOp::Sqrt),
    ("rsqrt", UnaryOp::Rsqrt),
    ("tanh", UnaryOp::Tanh),
    ("sigmoid", UnaryOp::Sigmoid),
    ("erf", UnaryOp::Erf),
    ("sin", UnaryOp::Sin),
    ("cos", UnaryOp::Cos),
    ("tan", UnaryOp::Tan),
    ("asin", UnaryOp::Asin),
    ("acos", UnaryOp::Acos),
    ("atan", UnaryOp::Atan),
    ("abs", UnaryOp::Abs),
    ("floor", UnaryOp::Floor),
    ("not", UnaryOp::Not),
];

const BINARY: [(&str, BinaryOp); 9] = [
    ("add", BinaryOp::Add),
    ("sub", BinaryOp::Sub),
    ("mul", BinaryOp::Mul),
    ("div", BinaryOp::Div),
    ("pow", BinaryOp::Pow),
    ("max", BinaryOp::Max),
    ("min", BinaryOp::Min),
    ("and", BinaryOp::And),
    ("or", BinaryOp::Or),
];

const COMPARE: [(&str, CompareOp); 4] =
    [("lt", CompareOp::Lt), ("le", CompareOp::Le), ("eq", CompareOp::Eq), ("ne", CompareOp::Ne)];

const REDUCE: [(&str, ReduceOp); 5] = [
    ("sum", ReduceOp::Sum),
    ("max", ReduceOp::Max),
    ("min", ReduceOp::Min),
    ("mean", ReduceOp::Mean),
    ("prod", ReduceOp::Prod),
];

fn name_of<T: PartialEq>(table: &[(&'static str, T)], x: &T) -> &'static str {
    // Each table lists all values of its type.
    table.iter().find(|(_, y)| y == x).map_or("?", |(n, _)| n)
}

fn named<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(n, _)| *n == name).map(|(_, x)| *x)
}

impl UnaryOp {
    /// Its name in the text format.
    pub fn name(self) -> &'static str {
        name_of(&UNARY, &self)
    }
}

impl BinaryOp {
    /// Its name in the text format.
    pub fn name(self) -> &'static str {
        name_of(&BINARY, &self)
    }
}

impl CompareOp {
    /// Its name in the text format.
    pub fn name(self) -> &'static str {
        name_of(&COMPARE, &self)
    }
}

impl ReduceOp {
    /// Its name in the text format.
    pub fn name(self) -> &'static str {
        name_of(&REDUCE, &self)
    }
}

/// The whole graph.
pub fn print(g: &Graph) -> String {
    let mut s = String::new();
    for id in g.ids() {
        let _ = writeln!(s, "{id} = {}", node(g.node(id)));
    }
    for (name, id) in &g.outputs {
        let _ = writeln!(s, "output {} {id}", quoted(name));
    }
    for (to, from) in &g.updates {
        let _ = writeln!(s, "update {to} <- {from}");
    }
    s
}

/// One node, without its number; a body follows in lines of its own.
pub fn node(n: &Node) -> String {
    let mut s = match &n.kind {
        Kind::Input(i) => {
            let role = match &i.role {
                Role::Data => "data".to_string(),
                Role::Param(init) => format!("param {}", initializer(init)),
                Role::State(init) => format!("state {}", initializer(init)),
                Role::Knob(x) => format!("knob {x:?}"),
            };
            format!("input {role} {}", quoted(&i.name))
        }
        Kind::Equation(e) => reducer(e),
        Kind::Arg(e) => format!("arg {}", reducer(e)),
        Kind::Scatter(t) => format!("scatter{:?} at {}", t.extents, indices(&t.target)),
        Kind::Concat { inputs, axis } => {
            let xs: Vec<String> = inputs.iter().map(ToString::to_string).collect();
            format!("concat {axis} [{}]", xs.join(", "))
        }
        Kind::Reshape(x) => format!("reshape {x}"),
        Kind::Random { stream } => format!("random {stream}"),
    };
    let dtype = match n.dtype {
        DType::Float => "float",
        DType::Int => "int",
    };
    let _ = write!(s, " : {dtype}{:?}", n.shape);
    if let Some(e) = n.example {
        let _ = write!(s, " example {e}");
    }
    if !n.label.is_empty() {
        let _ = write!(s, " label {}", quoted(&n.label));
    }
    let (guards, body): (&[Guard], &[Op]) = match &n.kind {
        Kind::Equation(e) | Kind::Arg(e) => (&e.guards, &e.body),
        Kind::Scatter(t) => (&t.guards, &t.body),
        Kind::Input(_) | Kind::Concat { .. } | Kind::Reshape(_) | Kind::Random { .. } => (&[], &[]),
    };
    for g in guards {
        let _ = write!(s, "\n  where {}", guard(g));
    }
    for (i, op) in body.iter().enumerate() {
        let _ = write!(s, "\n  t{i} = {}", operation(op));
    }
    s
}

fn initializer(i: &Init) -> String {
    match i {
        Init::Constant(c) => format!("constant({c:?})"),
        Init::Normal(c) => format!("normal({c:?})"),
        Init::Uniform(c) => format!("uniform({c:?})"),
        Init::Identity => "identity".to_string(),
    }
}

fn reducer(e: &Equation) -> String {
    e.reduce.as_ref().map_or("map".to_string(), |r| format!("{}{:?}", r.op.name(), r.extents))
}

/// `0 <= i0 - 1 < 4` or `i0 == 0`
pub fn guard(g: &Guard) -> String {
    match g {
        Guard::InRange(i, n) => format!("0 <= {} < {n}", index(i)),
        Guard::Zero(i) => format!("{} == 0", index(i)),
    }
}

fn indices(at: &[Index]) -> String {
    let at: Vec<String> = at.iter().map(index).collect();
    format!("[{}]", at.join(", "))
}

/// `2*i0 + (i1)/3 - 1`
pub fn index(i: &Index) -> String {
    let mut s = String::new();
    for (atom, c) in &i.terms {
        s.push_str(match (s.is_empty(), *c < 0) {
            (true, true) => "-",
            (true, false) => "",
            (false, true) => " - ",
            (false, false) => " + ",
        });
        if c.abs() != 1 {
            let _ = write!(s, "{}*", c.unsigned_abs());
        }
        match atom {
            Atom::Var(v) => {
                let _ = write!(s, "i{v}");
            }
            Atom::Div(i, n) => {
                let _ = write!(s, "({})/{n}", index(i));
            }
            Atom::Mod(i, n) => {
                let _ = write!(s, "({})%{n}", index(i));
            }
            Atom::Load(t, at) => {
                let _ = write!(s, "{t}{}", indices(at));
            }
        }
    }
    if s.is_empty() {
        return i.constant.to_string();
    }
    if i.constant != 0 {
        let _ = write!(s, " {} {}", if i.constant < 0 { '-' } else { '+' }, i.constant.unsigned_abs());
    }
    s
}

/// `mul t0 t1`
pub fn operation(op: &Op) -> String {
    match op {
        Op::Const(c) => format!("const {c:?}"),
        Op::Read(t, at) => format!("{t}{}", indices(at)),
        Op::Index(i) => format!("index {}", index(i)),
        Op::Test(g) => format!("test {}", guard(g)),
        Op::Unary(o, a) => format!("{} t{}", o.name(), a.0),
        Op::Binary(o, a, b) => format!("{} t{} t{}", o.name(), a.0, b.0),
        Op::Compare(o, a, b) => format!("{} t{} t{}", o.name(), a.0, b.0),
        Op::Select(c, a, b) => format!("select t{} t{} t{}", c.0, a.0, b.0),
    }
}

fn quoted(s: &str) -> String {
    let mut out = String::from("\"");
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Reads what [`print`] wrote. The error names the line.
pub fn parse(text: &str) -> Result<Graph, String> {
    let mut g = Graph::default();
    for (number, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            let mut p = Parser { rest: line.trim() };
            p.line(&mut g).map_err(|e| format!("line {}: {e}, at {:?}", number + 1, p.rest))?;
        }
    }
    Ok(g)
}

struct Parser<'a> {
    rest: &'a str,
}

type Parsed<T> = Result<T, String>;

impl<'a> Parser<'a> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip();
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        let word = |c: char| c.is_alphanumeric() || c == '_';
        if token.ends_with(word) && rest.starts_with(word) {
            return false;
        }
        self.rest = rest;
        true
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.take(token) { Ok(()) } else { Err(format!("expected `{token}`")) }
    }

    fn run(&mut self, pred: impl Fn(char) -> bool) -> &'a str {
        self.skip();
        let end = self.rest.find(|c| !pred(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn int<T: std::str::FromStr>(&mut self) -> Parsed<T> {
        self.run(|c| c.is_ascii_digit()).parse().map_err(|_| "expected a whole number".to_string())
    }

    fn float(&mut self) -> Parsed<f64> {
        self.run(|c| c.is_alphanumeric() || "+-.".contains(c)).parse().map_err(|_| "expected a number".to_string())
    }

    fn string(&mut self) -> Parsed<String> {
        self.expect("\"")?;
        let mut out = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[i + 1..];
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, c)) => out.push(c),
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err("a string without its end".to_string())
    }

    fn id(&mut self) -> Parsed<NodeId> {
        self.expect("%")?;
        self.int().map(NodeId)
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect("[")?;
        let mut out = Vec::new();
        if self.take("]") {
            return Ok(out);
        }
        loop {
            out.push(item(self)?);
            if self.take("]") {
                return Ok(out);
            }
            self.expect(",")?;
        }
    }

    fn line(&mut self, g: &mut Graph) -> Parsed<()> {
        if self.take("output") {
            let name = self.string()?;
            let id = self.id()?;
            g.outputs.push((name, id));
        } else if self.take("update") {
            let to = self.id()?;
            self.expect("<-")?;
            let from = self.id()?;
            g.updates.push((to, from));
        } else if self.rest.starts_with('%') {
            let id = self.id()?;
            if id.0 as usize != g.nodes.len() {
                return Err(format!("expected node %{}", g.nodes.len()));
            }
            self.expect("=")?;
            let node = self.node()?;
            g.push(node);
        } else {
            let (guards, body) = match g.nodes.last_mut().map(|n| &mut n.kind) {
                Some(Kind::Equation(e) | Kind::Arg(e)) => (&mut e.guards, &mut e.body),
                Some(Kind::Scatter(s)) => (&mut s.guards, &mut s.body),
                _ => return Err("a line of a body without an equation".to_string()),
            };
            if self.take("where") {
                guards.push(self.guard()?);
            } else {
                if self.val()?.0 as usize != body.len() {
                    return Err(format!("expected t{}", body.len()));
                }
                self.expect("=")?;
                body.push(self.op()?);
            }
        }
        self.skip();
        if self.rest.is_empty() { Ok(()) } else { Err("expected the end of the line".to_string()) }
    }

    fn node(&mut self) -> Parsed<Node> {
        let kind = if self.take("input") {
            let role = if self.take("data") {
                Role::Data
            } else if self.take("param") {
                Role::Param(self.init()?)
            } else if self.take("state") {
                Role::State(self.init()?)
            } else {
                self.expect("knob")?;
                Role::Knob(self.float()?)
            };
            Kind::Input(Input { name: self.string()?, role })
        } else if self.take("concat") {
            let axis = self.int()?;
            Kind::Concat { inputs: self.list(Self::id)?, axis }
        } else if self.take("reshape") {
            Kind::Reshape(self.id()?)
        } else if self.take("random") {
            Kind::Random { stream: self.int()? }
        } else if self.take("scatter") {
            let extents = self.list(Self::int)?;
            self.expect("at")?;
            let target = self.list(Self::index)?;
            Kind::Scatter(Scatter { extents, guards: Vec::new(), target, body: Vec::new() })
        } else if self.take("arg") {
            Kind::Arg(self.reducer()?)
        } else {
            Kind::Equation(self.reducer()?)
        };
        self.expect(":")?;
        let dtype = if self.take("float") {
            DType::Float
        } else {
            self.expect("int")?;
            DType::Int
        };
        let shape = self.list(Self::int)?;
        let example = if self.take("example") { Some(self.int()?) } else { None };
        let label = if self.take("label") { self.string()? } else { String::new() };
        Ok(Node { kind, shape, dtype, example, label })
    }

    fn init(&mut self) -> Parsed<Init> {
        if self.take("identity") {
            return Ok(Init::Identity);
        }
        let make = match self.run(char::is_alphabetic) {
            "constant" => Init::Constant,
            "normal" => Init::Normal,
            "uniform" => Init::Uniform,
            other => return Err(format!("unknown initializer {other}")),
        };
        self.expect("(")?;
        let x = self.float()?;
        self.expect(")")?;
        Ok(make(x))
    }

    fn reducer(&mut self) -> Parsed<Equation> {
        let name = self.run(char::is_alphabetic);
        let reduce = match named(&REDUCE, name) {
            Some(op) => Some(Reduce { op, extents: self.list(Self::int)? }),
            None if name == "map" => None,
            None => return Err(format!("unknown kind of node {name}")),
        };
        Ok(Equation { reduce, guards: Vec::new(), body: Vec::new() })
    }

    fn guard(&mut self) -> Parsed<Guard> {
        let start = self.rest;
        if self.take("0") && self.take("<=") {
            let i = self.index()?;
            self.expect("<")?;
            return Ok(Guard::InRange(i, self.int()?));
        }
        self.rest = start;
        let i = self.index()?;
        self.expect("==")?;
        self.expect("0")?;
        Ok(Guard::Zero(i))
    }

    fn index(&mut self) -> Parsed<Index> {
        let mut out = Index::default();
        let mut sign = if self.take("-") { -1 } else { 1 };
        loop {
            let (factor, atom) = if self.rest.trim_start().starts_with(|c: char| c.is_ascii_digit()) {
                let c = self.int::<i64>()?;
                (c, if self.take("*") { Some(self.atom()?) } else { None })
            } else {
                (1, Some(self.atom()?))
            };
            match atom {
                Some(a) => out = out.plus(&Index::atom(a), sign * factor),
                None => out.constant += sign * factor,
            }
            sign = if self.take("+") {
                1
            } else if self.take("-") {
                -1
            } else {
                return Ok(out);
            };
        }
    }

    fn atom(&mut self) -> Parsed<Atom> {
        if self.take("(") {
            let i = Box::new(self.index()?);
            self.expect(")")?;
            if self.take("/") {
                return Ok(Atom::Div(i, self.int()?));
            }
            self.expect("%")?;
            return Ok(Atom::Mod(i, self.int()?));
        }
        if self.rest.trim_start().starts_with('%') {
            let t = self.id()?;
            return Ok(Atom::Load(t, self.list(Self::index)?));
        }
        self.skip();
        self.rest = self.rest.strip_prefix('i').ok_or("expected a loop variable")?;
        self.int().map(Atom::Var)
    }

    fn val(&mut self) -> Parsed<Val> {
        self.skip();
        self.rest = self.rest.strip_prefix('t').ok_or("expected an operand")?;
        self.int().map(Val)
    }

    fn op(&mut self) -> Parsed<Op> {
        self.skip();
        if self.rest.starts_with('%') {
            let t = self.id()?;
            return Ok(Op::read(t, self.list(Self::index)?));
        }
        let name = self.run(char::is_alphabetic);
        match name {
            "const" => return self.float().map(Op::Const),
            "index" => return self.index().map(Op::Index),
            "test" => return self.guard().map(Op::Test),
            "select" => return Ok(Op::Select(self.val()?, self.val()?, self.val()?)),
            _ => {}
        }
        if let Some(o) = named(&UNARY, name) {
            Ok(Op::Unary(o, self.val()?))
        } else if let Some(o) = named(&BINARY, name) {
            Ok(Op::Binary(o, self.val()?, self.val()?))
        } else if let Some(o) = named(&COMPARE, name) {
            Ok(Op::Compare(o, self.val()?, self.val()?))
        } else {
            Err(format!("unknown operation {name}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn print_and_parse_are_inverse() {
        let text = "\
%0 = input data \"x\" : float[8, 3, 4, 4] example 0 label \"a \\\"b\\\"\"
%1 = input param normal(0.1) \"w\" : float[6, 3, 3, 3]
%2 = input knob 0.5 \"p\" : float[]
%3 = input data \"tokens\" : int[8]
%4 = input state identity \"s\" : float[]
%5 = sum[3, 3, 3] : float[8, 6, 4, 4] example 0 label \"conv\"
  where 0 <= i2 + i5 - 1 < 4
  where -2*i3 + (i6 + 1)%2 - 1 == 0
  t0 = %0[i0, i4, i2 + i5 - 1, (i3)/2]
  t1 = %1[i1, i4, i5, i6]
  t2 = mul t0 t1
  t3 = const -1e-5
  t4 = lt t2 t3
  t5 = not t4
  t6 = test 0 <= 2*i1 + %3[i0] < 4
  t7 = and t5 t6
  t8 = index 0
  t9 = select t7 t8 t3
%6 = arg max[4] : int[8]
  t0 = %0[i0, 0, 0, i1]
%7 = scatter[8, 2] at [%3[i0], i1] : float[9, 2]
  t0 = const inf
%8 = concat 0 [%7, %7] : float[18, 2]
%9 = reshape %8 : float[36]
%10 = random 7 : float[3]
%11 = map : float[]
  t0 = const 0.0
output \"y\" %5
update %4 <- %11
";
        let g = parse(text).unwrap();
        assert_eq!(print(&g), text);
        assert_eq!(parse(&print(&g)).unwrap(), g);
    }

    #[test]
    fn errors_name_the_line() {
        let e = parse("%0 = input data \"x\" : float[4]\n%1 = map : float[4]\n  t0 = sine t1\n").unwrap_err();
        assert!(e.starts_with("line 3: unknown operation sine"), "{e}");
    }
}
