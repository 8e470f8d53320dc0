//! Expressions.

use std::sync::LazyLock;

use pest::pratt_parser::{Assoc, Op, PrattParser};

use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::syntax::ast::{
    Alternative, Amount, Arg, Assemble, BinOp, Body, Choose, Clause, Domain, Expr, ExprKind, Name, Reducer, UnOp, Unit,
};

use super::{Builder, P, Rule, must, stmts};

/// Precedence, loosest first; pipes and ranges are looser still, and rules of their own.
static PRATT: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    let left = |r| Op::infix(r, Assoc::Left);
    PrattParser::new()
        .op(left(Rule::or))
        .op(left(Rule::and))
        .op(left(Rule::eq) | left(Rule::ne) | left(Rule::lt) | left(Rule::le) | left(Rule::gt) | left(Rule::ge))
        .op(left(Rule::add) | left(Rule::sub))
        .op(left(Rule::mul) | left(Rule::div) | left(Rule::rem))
        .op(Op::prefix(Rule::neg) | Op::prefix(Rule::not))
        .op(Op::infix(Rule::pow, Assoc::Right))
});

/// A piece of an operator expression.
fn binop(rule: Rule) -> BinOp {
    match rule {
        Rule::or => BinOp::Or,
        Rule::and => BinOp::And,
        Rule::eq => BinOp::Eq,
        Rule::ne => BinOp::Ne,
        Rule::lt => BinOp::Lt,
        Rule::le => BinOp::Le,
        Rule::gt => BinOp::Gt,
        Rule::ge => BinOp::Ge,
        Rule::add => BinOp::Add,
        Rule::sub => BinOp::Sub,
        Rule::mul => BinOp::Mul,
        Rule::div => BinOp::Div,
        Rule::rem => BinOp::Rem,
        Rule::pow => BinOp::Pow,
        _ => BinOp::Pipe,
    }
}

fn binary(op: BinOp, a: Expr, b: Expr) -> Expr {
    Expr { span: a.span.to(b.span), kind: ExprKind::Binary(op, Box::new(a), Box::new(b)) }
}

impl<'a> Builder<'a> {
    pub(super) fn expr(&mut self, pair: P<'a>) -> Expr {
        let mut stages = pair.into_inner().filter(|p| p.as_rule() == Rule::range);
        let first = self.range(must(&mut stages));
        stages.fold(first, |x, f| binary(BinOp::Pipe, x, self.range(f)))
    }

    /// A condition; reports `=` where `==` was meant and goes on as if it stood there.
    pub(super) fn cond(&mut self, pair: P<'a>) -> Expr {
        let mut parts = pair.into_inner();
        let mut left = self.expr(must(&mut parts));
        while let Some(sign) = parts.next() {
            let span = self.span(&sign);
            let d = Diagnostic::new(&codes::ASSIGN_IN_CONDITION, span, "`=` in a condition")
                .here("this assigns")
                .help("a comparison is written `==`")
                .fix(span, "==", "compare with `==`");
            self.report(d);
            let right = self.expr(must(&mut parts));
            left = binary(BinOp::Eq, left, right);
        }
        left
    }

    fn range(&mut self, pair: P<'a>) -> Expr {
        let span = self.span(&pair);
        let (mut lo, mut hi, mut op) = (None, None, None);
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::arith => lo = Some(self.arith(p)),
                Rule::range_op => op = Some(p.as_str() == "..="),
                _ => hi = Some(Box::new(self.arith(must(&mut p.into_inner())))),
            }
        }
        match (lo, op) {
            (Some(e), None) => e,
            (lo, op) => {
                let kind = ExprKind::Range { lo: lo.map(Box::new), hi, inclusive: op.unwrap_or(false) };
                Expr { span, kind }
            }
        }
    }

    fn arith(&mut self, pair: P<'a>) -> Expr {
        // The closures cannot share `self`; each piece is built first, in order.
        let mut built: Vec<Option<Expr>> = Vec::new();
        let mut pieces: Vec<P<'a>> = Vec::new();
        let mut spans: Vec<Span> = Vec::new();
        for p in pair.into_inner() {
            spans.push(self.span(&p));
            built.push((p.as_rule() == Rule::term).then(|| self.term(p.clone())));
            pieces.push(p);
        }
        if let [Some(_)] = built.as_slice() {
            return built.remove(0).unwrap_or_else(|| error(spans[0]));
        }
        let starts: Vec<usize> = pieces.iter().map(|p| p.as_span().start()).collect();
        let place = |p: &P<'a>| starts.binary_search(&p.as_span().start()).unwrap_or(0);
        PRATT
            .map_primary(|p| {
                let i = place(&p);
                built[i].take().unwrap_or_else(|| error(spans[i]))
            })
            .map_prefix(|op, e| {
                let sign = if op.as_rule() == Rule::neg { UnOp::Neg } else { UnOp::Not };
                Expr { span: spans[place(&op)].to(e.span), kind: ExprKind::Unary(sign, Box::new(e)) }
            })
            .map_infix(|a, op, b| binary(binop(op.as_rule()), a, b))
            .parse(pieces.iter().cloned())
    }

    fn term(&mut self, pair: P<'a>) -> Expr {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let first = must(&mut parts);
        let at = self.span(&first);
        let e = match first.as_rule() {
            Rule::reduce => return self.reduce(first),
            Rule::lambda => {
                let mut inner = first.into_inner();
                let name = self.ident(&must(&mut inner));
                let param = Expr { span: name.span, kind: ExprKind::Name(Name { ident: name, occurrence: 0 }) };
                let params = vec![self.pattern_of(param)];
                let body = Box::new(self.expr(must(&mut inner.skip(1))));
                return Expr { span, kind: ExprKind::Lambda { params, body } };
            }
            Rule::paren => {
                let mut trailing = false;
                let mut parts_in = Vec::new();
                for p in first.into_inner() {
                    match p.as_rule() {
                        Rule::comma => trailing = true,
                        Rule::expr => parts_in.push(self.expr(p)),
                        _ => {}
                    }
                }
                if let Some(b) = parts.clone().next().filter(|p| p.as_rule() == Rule::lambda_body) {
                    let params = parts_in.into_iter().map(|e| self.pattern_of(e)).collect();
                    let e = b.into_inner().find(|p| p.as_rule() == Rule::expr).expect("a lambda has a body");
                    let body = Box::new(self.expr(e));
                    return Expr { span, kind: ExprKind::Lambda { params, body } };
                }
                if parts_in.len() == 1 && !trailing {
                    let inner = parts_in.remove(0);
                    Expr { span: at, kind: inner.kind }
                } else {
                    Expr { span: at, kind: ExprKind::Tuple(parts_in) }
                }
            }
            Rule::number => self.number(at, first.as_str()),
            Rule::string => {
                let text = self.string(at, first.as_str());
                Expr { span: at, kind: ExprKind::Str(text) }
            }
            Rule::literal => {
                let kind = match first.as_str() {
                    "true" => ExprKind::Bool(true),
                    "false" => ExprKind::Bool(false),
                    _ => ExprKind::None,
                };
                Expr { span: at, kind }
            }
            Rule::list => self.list(first),
            Rule::name => {
                let ident = self.ident(&first);
                Expr { span: at, kind: ExprKind::Name(Name { ident, occurrence: 0 }) }
            }
            Rule::if_expr => return self.if_expr(first),
            Rule::choose => return self.choose(first),
            Rule::assemble => return self.assemble(first),
            Rule::repeat => {
                let mut inner = first.into_inner().skip(1);
                let count = Box::new(self.arith(must(&mut inner)));
                let mut label = None;
                let mut next = must(&mut inner);
                if next.as_rule() == Rule::kw_as {
                    label = Some(self.ident(&must(&mut inner)));
                    next = must(&mut inner);
                }
                let body = Box::new(self.body(next));
                return Expr { span, kind: ExprKind::Repeat { count, label, body } };
            }
            _ => return self.braces(first),
        };
        parts.fold(e, |base, p| self.postfix(base, p))
    }

    fn postfix(&mut self, base: Expr, pair: P<'a>) -> Expr {
        let span = base.span.to(self.span(&pair));
        let base = Box::new(base);
        let kind = match pair.as_rule() {
            Rule::args => {
                let args = pair.into_inner().filter(|p| p.as_rule() == Rule::arg).map(|p| self.arg(p)).collect();
                ExprKind::Call { callee: base, args }
            }
            Rule::index => {
                let indices = pair.into_inner().filter(|p| p.as_rule() == Rule::expr).map(|p| self.expr(p)).collect();
                ExprKind::Index { base, indices }
            }
            _ => {
                let word = pair.into_inner().find(|p| p.as_rule() == Rule::word).expect("a field has a name");
                ExprKind::Field { base, name: self.ident(&word) }
            }
        };
        Expr { span, kind }
    }

    fn arg(&mut self, pair: P<'a>) -> Arg {
        let mut parts = pair.into_inner();
        let first = must(&mut parts);
        if first.as_rule() == Rule::arg_name {
            let name = self.ident(&must(&mut first.into_inner()));
            return Arg { name: Some(name), value: self.expr(must(&mut parts)) };
        }
        Arg { name: None, value: self.expr(first) }
    }

    fn list(&mut self, pair: P<'a>) -> Expr {
        let span = self.span(&pair);
        let mut elements = Vec::new();
        let mut clauses = Vec::new();
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::expr => elements.push(self.expr(p)),
                Rule::clause => {
                    let mut parts = p.into_inner().skip(1);
                    let pattern = self.pattern(must(&mut parts));
                    let mut parts = parts.skip(1);
                    let iter = self.expr(must(&mut parts));
                    let cond = parts.nth(1).map(|c| self.cond(c));
                    clauses.push(Clause { pattern, iter, cond });
                }
                _ => {}
            }
        }
        let kind = if clauses.is_empty() {
            ExprKind::List(elements)
        } else {
            ExprKind::Comprehension { element: Box::new(elements.remove(0)), clauses }
        };
        Expr { span, kind }
    }

    fn if_expr(&mut self, pair: P<'a>) -> Expr {
        let span = self.span(&pair);
        let mut parts = pair.into_inner().skip(1);
        let cond = Box::new(self.cond(must(&mut parts)));
        let then = Box::new(self.body(must(&mut parts)));
        let otherwise = parts.nth(1).map(|p| {
            if p.as_rule() == Rule::if_expr {
                let e = self.if_expr(p);
                Box::new(Body { span: e.span, stmts: Vec::new(), value: Some(Box::new(e)) })
            } else {
                Box::new(self.body(p))
            }
        });
        Expr { span, kind: ExprKind::If { cond, then, otherwise } }
    }

    /// `{ .. }`: a record, a map, or a body.
    fn braces(&mut self, pair: P<'a>) -> Expr {
        let span = self.span(&pair);
        let parts: Vec<P<'a>> = pair.clone().into_inner().collect();
        if let [_, _] = parts.as_slice() {
            return Expr { span, kind: ExprKind::Record(Vec::new()) };
        }
        if parts.iter().any(|p| p.as_rule() == Rule::entry) {
            let entries = parts.into_iter().filter(|p| p.as_rule() == Rule::entry);
            let fields = entries
                .map(|p| {
                    let mut inner = p.into_inner();
                    let name = self.ident(&must(&mut inner));
                    (name, self.expr(must(&mut inner.skip(1))))
                })
                .collect();
            return Expr { span, kind: ExprKind::Record(fields) };
        }
        let stmts: Vec<P<'a>> = parts.into_iter().filter(|p| p.as_rule() == Rule::stmt).collect();
        if !stmts.iter().all(|p| stmts::map_value(p).is_some()) {
            return Expr { span, kind: ExprKind::Body(Box::new(self.body(pair))) };
        }
        let entries = stmts
            .into_iter()
            .map(|p| {
                let mut inner = must(&mut p.into_inner()).into_inner();
                let key = self.expr(must(&mut inner));
                (key, self.expr(must(&mut must(&mut inner).into_inner().skip(1))))
            })
            .collect();
        Expr { span, kind: ExprKind::Map(entries) }
    }

    fn choose(&mut self, pair: P<'a>) -> Expr {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let keyword = self.span(&must(&mut parts));
        let mut choose =
            Choose { keyword, name: None, amount: Amount::One, domain: Domain::Alternatives(Vec::new()), given: None };
        for p in parts {
            match p.as_rule() {
                Rule::ident => choose.name = Some(self.ident(&p)),
                Rule::amount => {
                    let e = self.range(must(&mut p.into_inner()));
                    choose.amount = match e.kind {
                        ExprKind::Range { lo, hi, inclusive } => {
                            Amount::Between { lo: lo.map(|e| *e), hi: hi.map(|e| *e), inclusive }
                        }
                        _ => Amount::Exactly(e),
                    };
                }
                Rule::alternatives => {
                    let all = p.into_inner().filter(|p| p.as_rule() == Rule::alternative);
                    choose.domain = Domain::Alternatives(all.map(|p| self.alternative(p)).collect());
                }
                Rule::from => choose.domain = Domain::From(self.range(must(&mut p.into_inner().skip(1)))),
                Rule::within => {
                    let mut inner = p.into_inner().skip(1);
                    let range = self.range(must(&mut inner));
                    let (mut step, mut log) = (None, false);
                    for p in inner {
                        if p.as_rule() == Rule::step {
                            step = Some(self.arith(must(&mut p.into_inner().skip(1))));
                        } else {
                            log = true;
                        }
                    }
                    choose.domain = Domain::In { range, step, log };
                }
                _ => choose.given = Some(self.range(must(&mut p.into_inner().skip(1)))),
            }
        }
        Expr { span, kind: ExprKind::Choose(Box::new(choose)) }
    }

    fn alternative(&mut self, pair: P<'a>) -> Alternative {
        let span = self.span(&pair);
        let (mut label, mut weight, mut value) = (None, None, None);
        for p in pair.into_inner() {
            if p.as_rule() == Rule::alt_head {
                for h in p.into_inner() {
                    match h.as_rule() {
                        Rule::number => weight = Some(self.number(self.span(&h), h.as_str())),
                        Rule::word => label = Some(self.ident(&h)),
                        _ => {}
                    }
                }
            } else {
                value = Some(self.expr(p));
            }
        }
        Alternative { label, weight, value: value.unwrap_or_else(|| error(span)), span }
    }

    fn assemble(&mut self, pair: P<'a>) -> Expr {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let keyword = self.span(&must(&mut parts));
        let nodes = self.arith(must(&mut parts));
        let mut a = Assemble { keyword, nodes, edge: None, edges: None, merge: None };
        let mut seen = Vec::new();
        for (name, value) in self.fields(must(&mut parts.skip(1))) {
            if self.known_field(&name, &["edge", "edges", "merge"], seen.iter(), "`assemble`") {
                match name.name.as_str() {
                    "edge" => a.edge = Some(value),
                    "edges" => a.edges = Some(value),
                    _ => a.merge = Some(value),
                }
                seen.push(name);
            }
        }
        Expr { span, kind: ExprKind::Assemble(Box::new(a)) }
    }

    fn reduce(&mut self, pair: P<'a>) -> Expr {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let first = must(&mut parts);
        let keyword = self.span(&first);
        let op = match first.as_str() {
            "sum" => Reducer::Sum,
            "max" => Reducer::Max,
            "min" => Reducer::Min,
            "mean" => Reducer::Mean,
            _ => Reducer::Prod,
        };
        let indices = self.index_decls(must(&mut parts));
        let body = Box::new(self.arith(must(&mut parts)));
        Expr { span, kind: ExprKind::Reduce { op, keyword, indices, body } }
    }

    fn number(&mut self, span: Span, text: &str) -> Expr {
        let plain: String = text.chars().filter(|&c| c != '_').collect();
        let (value, unit) = split_unit(&plain);
        let fractional = value.contains(['.', 'e', 'E']);
        let kind = if unit.is_empty() && !fractional {
            value.parse().ok().map(ExprKind::Int)
        } else {
            let number = value.parse::<f64>().ok().filter(|v| v.is_finite());
            match (number, unit) {
                (None, _) => None,
                (Some(v), "") => Some(ExprKind::Float(v)),
                (Some(v), _) => {
                    let Some(&(_, factor, kind)) = UNITS.iter().find(|u| u.0 == unit) else {
                        let at = Span::new(self.file, span.end as usize - unit.len(), span.end as usize);
                        let mut d = Diagnostic::new(&codes::NUMBER, span, format!("there is no unit `{unit}`"))
                            .here("a number and its unit")
                            .help("units are ns us ms s min h d, k M G T, B KB MB GB and %; a name cannot start with a digit");
                        let cased = UNITS.iter().map(|u| u.0).find(|u| u.eq_ignore_ascii_case(unit));
                        let near = || did_you_mean(unit, UNITS.iter().map(|u| u.0));
                        // Minutes are `min`, so that they are not millions.
                        if let Some(u) = if unit == "m" { Some("min") } else { cased.or_else(near) } {
                            d = d.fix(at, u, format!("write the unit `{u}`"));
                        }
                        self.report(d);
                        return error(span);
                    };
                    Some(ExprKind::Quantity(in_base(v, factor), kind))
                }
            }
        };
        let Some(kind) = kind else {
            let d = Diagnostic::new(&codes::NUMBER, span, "this number is too large")
                .here("does not fit into 64 bits")
                .help("integers reach 9223372036854775807; write a larger number as a float: `1e20`");
            self.report(d);
            return error(span);
        };
        Expr { span, kind }
    }

    fn string(&mut self, span: Span, text: &str) -> String {
        let inner = &text[1..text.len() - 1];
        let mut out = String::with_capacity(inner.len());
        let mut chars = inner.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            let escape = chars.next().map_or('\\', |(_, c)| c);
            let known = match escape {
                'n' => Some('\n'),
                't' => Some('\t'),
                'r' => Some('\r'),
                '0' => Some('\0'),
                '"' | '\\' => Some(escape),
                'u' => inner[at + 2..].strip_prefix('{').and_then(|r| r.split_once('}')).and_then(|(hex, _)| {
                    let c = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)?;
                    for _ in 0..hex.len() + 2 {
                        chars.next();
                    }
                    Some(c)
                }),
                _ => None,
            };
            if let Some(c) = known {
                out.push(c);
            } else {
                let start = span.start as usize + 1 + at;
                let at = Span::new(self.file, start, start + 1 + escape.len_utf8());
                let d = Diagnostic::new(
                    &codes::ESCAPE,
                    at,
                    format!("`\\{}` has no meaning in a string", escape.escape_debug()),
                )
                .here("not an escape")
                .help("the escapes are \\n \\t \\r \\0 \\\" \\\\ and \\u{..}; a backslash itself is written `\\\\`");
                self.report(d);
            }
        }
        out
    }
}

/// Unit, factor to the base, and kind.
pub const UNITS: &[(&str, f64, Unit)] = &[
    ("ns", 1e-9, Unit::Time),
    ("us", 1e-6, Unit::Time),
    ("ms", 1e-3, Unit::Time),
    ("s", 1.0, Unit::Time),
    ("min", 60.0, Unit::Time),
    ("h", 3600.0, Unit::Time),
    ("d", 86400.0, Unit::Time),
    ("k", 1e3, Unit::Count),
    ("M", 1e6, Unit::Count),
    ("G", 1e9, Unit::Count),
    ("T", 1e12, Unit::Count),
    ("%", 1e-2, Unit::Percent),
    ("B", 1.0, Unit::Bytes),
    ("KB", 1e3, Unit::Bytes),
    ("MB", 1e6, Unit::Bytes),
    ("GB", 1e9, Unit::Bytes),
];

/// A number of some unit in the unit's base. Parts of the base divide, so that `1ms` is exactly the float `0.001`.
pub fn in_base(v: f64, factor: f64) -> f64 {
    if factor < 1.0 { v / (1.0 / factor).round() } else { v * factor }
}

/// Where the number ends and its unit starts.
fn split_unit(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let get = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let mut at = 0;
    while get(at).is_ascii_digit() || get(at) == b'.' {
        at += 1;
    }
    if matches!(get(at), b'e' | b'E') {
        let digits = if matches!(get(at + 1), b'+' | b'-') { at + 2 } else { at + 1 };
        if get(digits).is_ascii_digit() {
            at = digits;
            while get(at).is_ascii_digit() {
                at += 1;
            }
        }
    }
    text.split_at(at)
}

fn error(span: Span) -> Expr {
    Expr { span, kind: ExprKind::Error }
}
