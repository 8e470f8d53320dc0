//! Expressions, statements and bodies.

mod pipes;

use crate::syntax::ast::{
    Alternative, Amount, Arg, Assemble, BinOp, Body, Choose, Domain, Expr, ExprKind, IndexDecl, Pattern, Reducer, Stmt,
    StmtKind, UnOp, Unit,
};
use crate::syntax::parse::{UNITS, in_base};

use super::Printer;
use super::doc::{Doc, all, group, nest, text};

/// How tightly a form holds together; an operand that holds less tightly than its place asks for is put in parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Reaches as far as it can: lambdas
    Any,
    Pipe,
    /// `choose .. from e`, ranges
    Range,
    Or,
    And,
    Compare,
    Add,
    /// Reducers: they take the product to their right
    Reduce,
    Mul,
    Unary,
    Pow,
    /// Has an end of its own, but takes no call: `if`, braces
    Closed,
    Postfix,
}

fn op_level(op: BinOp) -> Level {
    match op {
        BinOp::Pipe => Level::Pipe,
        BinOp::Or => Level::Or,
        BinOp::And => Level::And,
        BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge => Level::Compare,
        BinOp::Add | BinOp::Sub => Level::Add,
        BinOp::Mul | BinOp::Div | BinOp::Rem => Level::Mul,
        BinOp::Pow => Level::Pow,
    }
}

pub(super) fn op_text(op: BinOp) -> &'static str {
    match op {
        BinOp::Pipe => ">>",
        BinOp::Or => "||",
        BinOp::And => "&&",
        BinOp::Eq => "==",
        BinOp::Ne => "!=",
        BinOp::Lt => "<",
        BinOp::Le => "<=",
        BinOp::Gt => ">",
        BinOp::Ge => ">=",
        BinOp::Add => "+",
        BinOp::Sub => "-",
        BinOp::Mul => "*",
        BinOp::Div => "/",
        BinOp::Rem => "%",
        BinOp::Pow => "^",
    }
}

fn level(e: &Expr) -> Level {
    match &e.kind {
        ExprKind::Lambda { .. } => Level::Any,
        ExprKind::Range { .. } => Level::Range,
        ExprKind::Choose(c) if c.given.is_some() || !matches!(c.domain, Domain::Alternatives(_)) => Level::Range,
        ExprKind::Binary(op, ..) => op_level(*op),
        ExprKind::Reduce { .. } => Level::Reduce,
        ExprKind::Unary(..) => Level::Unary,
        ExprKind::If { .. }
        | ExprKind::Body(_)
        | ExprKind::Record(_)
        | ExprKind::Map(_)
        | ExprKind::Choose(_)
        | ExprKind::Assemble(_)
        | ExprKind::Repeat { .. }
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Quantity(..) => Level::Closed,
        ExprKind::Str(_)
        | ExprKind::Bool(_)
        | ExprKind::None
        | ExprKind::Name(_)
        | ExprKind::List(_)
        | ExprKind::Tuple(_)
        | ExprKind::Comprehension { .. }
        | ExprKind::Call { .. }
        | ExprKind::Index { .. }
        | ExprKind::Field { .. }
        | ExprKind::Error => Level::Postfix,
    }
}

/// The character that an expression starts with, as far as it matters: `-`, `.`, `{`, a letter, or another.
fn first_char(e: &Expr) -> char {
    match &e.kind {
        ExprKind::Binary(_, a, _) => first_char(a),
        ExprKind::Call { callee: a, .. } | ExprKind::Index { base: a, .. } | ExprKind::Field { base: a, .. } => {
            first_char(a)
        }
        ExprKind::Range { lo, .. } => lo.as_ref().map_or('.', |a| first_char(a)),
        ExprKind::Unary(UnOp::Neg, _) => '-',
        ExprKind::Record(_) | ExprKind::Map(_) | ExprKind::Body(_) => '{',
        ExprKind::Name(_) | ExprKind::Reduce { .. } => 'a',
        ExprKind::Choose(_) => 'c',
        ExprKind::Lambda { params, .. } if params.len() == 1 => 'a',
        _ => '?',
    }
}

/// Is it a range without an upper end, which would swallow what follows?
fn is_open_range(e: &Expr) -> bool {
    matches!(&e.kind, ExprKind::Range { hi: None, .. })
}

pub(super) fn reducer(op: Reducer) -> &'static str {
    match op {
        Reducer::Sum => "sum",
        Reducer::Max => "max",
        Reducer::Min => "min",
        Reducer::Mean => "mean",
        Reducer::Prod => "prod",
    }
}

impl Printer<'_> {
    /// An expression where any may stand and something closes it: in brackets, after a comma.
    pub(super) fn element(&mut self, e: &Expr) -> Doc {
        let lead = self.lead(e.span.start, false);
        all([lead, self.bare(e)])
    }

    /// An expression where any may stand.
    pub(super) fn expr(&mut self, e: &Expr) -> Doc {
        if is_open_range(e) { self.parens(e) } else { self.element(e) }
    }

    fn parens(&mut self, e: &Expr) -> Doc {
        let lead = self.lead(e.span.start, false);
        all([lead, text("("), self.bare(e), text(")")])
    }

    /// An operand that must hold at least as tightly as `least`.
    fn at_least(&mut self, e: &Expr, least: Level) -> Doc {
        let blurred = matches!(e.kind, ExprKind::If { .. });
        if level(e) < least || is_open_range(e) || blurred { self.parens(e) } else { self.element(e) }
    }

    /// `= e`, on the next line if the author put it there.
    pub(super) fn after_sign(&mut self, sign: &str, e: &Expr) -> Doc {
        let sign_at = self.before(e.span.start);
        let broken = self.line_between(sign_at, e.span.start);
        if broken
            && !self.has_comment(e.span.start)
            && matches!(e.kind, ExprKind::Binary(..) | ExprKind::If { .. } | ExprKind::Reduce { .. })
        {
            return all([text(format!(" {sign}")), Doc::Nest(2, Box::new(all([Doc::Hard, self.expr(e)])))]);
        }
        all([text(format!(" {sign} ")), self.expr(e)])
    }

    fn bare(&mut self, e: &Expr) -> Doc {
        match &e.kind {
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Quantity(..) => text(self.number(e)),
            ExprKind::Str(s) => text(quoted(s)),
            ExprKind::Bool(b) => text(if *b { "true" } else { "false" }),
            ExprKind::None => text("none"),
            ExprKind::Name(n) => text(n.ident.name.clone()),
            ExprKind::List(xs) => {
                let broken = self.broken_after(e.span.start, "[");
                self.bracketed("[", xs, "]", e.span.end, broken, Self::element)
            }
            ExprKind::Tuple(xs) => {
                if let [x] = xs.as_slice() {
                    return all([text("("), self.element(x), text(",)")]);
                }
                self.bracketed("(", xs, ")", e.span.end, false, Self::element)
            }
            ExprKind::Record(fields) => {
                let broken = self.broken_after(e.span.start, "{");
                self.braced(fields, e.span.end, broken, |p, (name, value)| {
                    all([p.lead(name.span.start, false), text(format!("{}: ", name.name)), p.expr(value)])
                })
            }
            ExprKind::Map(entries) => {
                let broken = self.broken_after(e.span.start, "{");
                self.braced(entries, e.span.end, broken, |p, (key, value)| {
                    let word = matches!(key.kind, ExprKind::Name(_) | ExprKind::None | ExprKind::Bool(_));
                    let key = if word { p.parens(key) } else { p.expr(key) };
                    all([key, text(": "), p.expr(value)])
                })
            }
            ExprKind::Comprehension { element, clauses } => {
                let mut parts = vec![Doc::Soft, self.expr(element)];
                for c in clauses {
                    parts.extend([Doc::Line, text("for "), pattern(&c.pattern), text(" in "), self.expr(&c.iter)]);
                    if let Some(cond) = &c.cond {
                        parts.extend([text(" if "), self.expr(cond)]);
                    }
                }
                let close = self.lead(e.span.end.saturating_sub(1), false);
                group(all([text("["), nest(all([all(parts), close])), Doc::Soft, text("]")]))
            }
            ExprKind::Unary(op, x) => {
                let sign = text(if *op == UnOp::Neg { "-" } else { "!" });
                let x = if level(x) == Level::Reduce { self.parens(x) } else { self.at_least(x, Level::Unary) };
                all([sign, x])
            }
            ExprKind::Binary(BinOp::Pipe, ..) => self.pipeline(e),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, 4),
            ExprKind::Range { lo, hi, inclusive } => {
                let mut parts = Vec::new();
                if let Some(lo) = lo {
                    parts.push(self.at_least(lo, Level::Or));
                }
                parts.push(text(if *inclusive { "..=" } else { ".." }));
                if let Some(hi) = hi {
                    parts.push(if first_char(hi) == '{' { self.parens(hi) } else { self.at_least(hi, Level::Or) });
                }
                all(parts)
            }
            ExprKind::If { .. } => {
                let broken = self.if_breaks(e);
                group(self.if_expr(e, broken))
            }
            ExprKind::Body(b) => {
                let broken = self.broken_after(b.span.start, "{");
                group(self.body(b, broken))
            }
            ExprKind::Call { callee, args } => {
                let callee_doc = self.at_least(callee, Level::Postfix);
                let broken = self.broken_after(callee.span.end, "(") && !args.is_empty();
                let args = self.args(args, e.span.end, broken);
                all([callee_doc, args])
            }
            ExprKind::Index { base, indices } => {
                let word = matches!(&base.kind, ExprKind::Name(n) if is_reducer(&n.ident.name));
                let base = if word { self.parens(base) } else { self.at_least(base, Level::Postfix) };
                let indices = self.bracketed("[", indices, "]", e.span.end, false, Self::element);
                all([base, indices])
            }
            ExprKind::Field { base, name } => {
                let base = self.at_least(base, Level::Postfix);
                all([base, self.lead(name.span.start, false), text(format!(".{}", name.name))])
            }
            ExprKind::Choose(c) => self.choose(c, e.span.end),
            ExprKind::Assemble(a) => self.assemble(a, e.span.end),
            ExprKind::Repeat { count, label, body } => {
                let count = self.at_least(count, Level::Or);
                let label = label.as_ref().map_or_else(String::new, |l| format!(" as {}", l.name));
                let broken = self.broken_after(body.span.start, "{");
                let body = self.body(body, broken);
                group(all([text("repeat "), count, text(label + " "), body]))
            }
            ExprKind::Lambda { params, body } => {
                let params = match params.as_slice() {
                    [one @ (Pattern::Name(_) | Pattern::Skip(_))] => pattern(one),
                    many => text(format!("({})", many.iter().map(pattern_text).collect::<Vec<_>>().join(", "))),
                };
                all([params, text(" => "), self.expr(body)])
            }
            ExprKind::Reduce { op, indices, body, .. } => {
                let indices = self.index_decls(indices);
                let body = match &body.kind {
                    // Its operators go below its first factor.
                    ExprKind::Binary(op, a, b) if op_level(*op) == Level::Mul => {
                        let lead = self.lead(body.span.start, false);
                        all([lead, self.binary(*op, a, b, 0)])
                    }
                    _ => self.at_least(body, Level::Reduce),
                };
                let body = Doc::Nest(4, Box::new(all([Doc::Line, body])));
                group(all([text(reducer(*op)), indices, body]))
            }
            ExprKind::Error => text("<error>"),
        }
    }

    fn number(&self, e: &Expr) -> String {
        let source = self.text.get(e.span.start as usize..e.span.end as usize).unwrap_or("");
        let source = source.trim_matches(|c: char| c.is_whitespace() || c == '(' || c == ')');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '%' | '+' | '-');
        if source.starts_with(|c: char| c.is_ascii_digit()) && source.chars().all(plain) {
            return source.to_owned();
        }
        match e.kind {
            ExprKind::Int(n) => n.to_string(),
            ExprKind::Quantity(v, unit) => quantity(v, unit),
            ExprKind::Float(v) => format!("{v:?}"),
            _ => String::new(),
        }
    }

    /// A comma-separated list in brackets.
    pub(super) fn bracketed<T>(
        &mut self,
        open: &'static str,
        items: &[T],
        close: &'static str,
        end: u32,
        broken: bool,
        mut one: impl FnMut(&mut Self, &T) -> Doc,
    ) -> Doc {
        let close_at = end.saturating_sub(1);
        if items.is_empty() && !self.has_comment(close_at) {
            return text(format!("{open}{close}"));
        }
        let mut parts = vec![if broken { Doc::Hard } else { Doc::Soft }];
        for (i, x) in items.iter().enumerate() {
            let x = one(self, x);
            parts.push(x);
            parts.push(if i + 1 < items.len() { all([text(","), Doc::Line]) } else { Doc::Either("", ",") });
        }
        if items.is_empty() {
            parts.clear();
        }
        parts.push(self.lead(close_at, false));
        group(all([text(open), nest(all(parts)), Doc::Soft, text(close)]))
    }

    /// `{ a, b }`
    fn braced<T>(&mut self, items: &[T], end: u32, broken: bool, mut one: impl FnMut(&mut Self, &T) -> Doc) -> Doc {
        let close_at = end.saturating_sub(1);
        if items.is_empty() && !self.has_comment(close_at) {
            return text("{}");
        }
        let mut parts = vec![if broken { Doc::Hard } else { Doc::Line }];
        for (i, x) in items.iter().enumerate() {
            let x = one(self, x);
            parts.push(x);
            parts.push(if i + 1 < items.len() { all([text(","), Doc::Line]) } else { Doc::Either("", ",") });
        }
        parts.push(self.lead(close_at, false));
        group(all([text("{"), nest(all(parts)), Doc::Line, text("}")]))
    }

    fn args(&mut self, args: &[Arg], end: u32, broken: bool) -> Doc {
        if let ([Arg { name: None, value }], false) = (args, broken) {
            let hugs = matches!(
                value.kind,
                ExprKind::List(_)
                    | ExprKind::Record(_)
                    | ExprKind::Map(_)
                    | ExprKind::Comprehension { .. }
                    | ExprKind::If { .. }
                    | ExprKind::Lambda { .. }
                    | ExprKind::Body(_)
                    | ExprKind::Call { .. }
            );
            if hugs {
                let value = self.element(value);
                return all([text("("), value, self.lead(end.saturating_sub(1), false), text(")")]);
            }
        }
        self.bracketed("(", args, ")", end, broken, |p, a| match &a.name {
            Some(n) => all([p.lead(n.span.start, false), text(format!("{} = ", n.name)), p.element(&a.value)]),
            None => p.element(&a.value),
        })
    }

    fn binary(&mut self, op: BinOp, a: &Expr, b: &Expr, deeper: usize) -> Doc {
        let here = op_level(op);
        // Operators of one level in a row are laid out together.
        let mut chain = vec![(op, b)];
        let mut head = a;
        while let ExprKind::Binary(o, a, b) = &head.kind {
            if op_level(*o) != here || op == BinOp::Pow || unclear(chain[chain.len() - 1].0, *o) {
                break;
            }
            chain.push((*o, b.as_ref()));
            head = a.as_ref();
        }
        let chain_end = chain[chain.len() - 1].0;
        let operand = |p: &mut Self, e: &Expr, right: bool| {
            let least = level(e);
            let fine = match (op, least) {
                // Binds tighter than a sign on its left, looser than one on its right.
                (BinOp::Pow, Level::Unary | Level::Pow) => right,
                (_, l) if l == here => !right && !matches!(&e.kind, ExprKind::Binary(o, ..) if unclear(chain_end, *o)),
                (_, l) => l > here,
            };
            if fine && !matches!(e.kind, ExprKind::If { .. }) { p.element(e) } else { p.parens(e) }
        };
        let first = operand(self, head, false);
        if op == BinOp::Pow {
            return all([first, text("^"), operand(self, b, true)]);
        }
        let mut parts = Vec::new();
        for (o, e) in chain.into_iter().rev() {
            parts.extend([Doc::Line, text(format!("{} ", op_text(o))), operand(self, e, true)]);
        }
        group(all([first, Doc::Nest(deeper, Box::new(all(parts)))]))
    }

    /// Did the author break one of the bodies of an `if`?
    fn if_breaks(&self, e: &Expr) -> bool {
        let ExprKind::If { then, otherwise, .. } = &e.kind else { return false };
        self.broken_after(then.span.start, "{")
            || otherwise.as_ref().is_some_and(|o| match else_if(o) {
                Some(e) => self.if_breaks(e),
                None => self.broken_after(o.span.start, "{"),
            })
    }

    fn if_expr(&mut self, e: &Expr, broken: bool) -> Doc {
        let ExprKind::If { cond, then, otherwise } = &e.kind else { return self.bare(e) };
        let mut parts = vec![text("if "), self.expr(cond), text(" "), self.body(then, broken)];
        if let Some(o) = otherwise {
            parts.push(text(" else "));
            parts.push(match else_if(o) {
                Some(e) => all([self.lead(e.span.start, false), self.if_expr(e, broken)]),
                None => self.body(o, broken),
            });
        }
        all(parts)
    }

    /// `{ .. }`, to be grouped by the caller.
    pub(super) fn body(&mut self, b: &Body, broken: bool) -> Doc {
        let close_at = b.span.end.saturating_sub(1);
        let lead = self.lead(b.span.start, false);
        let count = b.stmts.len() + usize::from(b.value.is_some());
        if count == 0 && !self.has_comment(close_at) {
            return all([lead, text("{}")]);
        }
        let mut parts = vec![if broken || count > 1 { Doc::Hard } else { Doc::Line }];
        for (i, s) in b.stmts.iter().enumerate() {
            parts.push(self.lead(s.span.start, true));
            if i > 0 {
                parts.push(Doc::Hard);
            }
            parts.push(self.stmt(s, i == 0));
        }
        if let Some(e) = &b.value {
            parts.push(self.lead(e.span.start, true));
            if !b.stmts.is_empty() {
                parts.push(Doc::Hard);
            }
            parts.push(self.stmt_expr(e, b.stmts.is_empty()));
        }
        parts.push(self.lead(close_at, true));
        all([lead, text("{"), nest(all(parts)), Doc::Line, text("}")])
    }

    /// An expression as a statement: one that starts with a sign would go on with the statement before it.
    fn stmt_expr(&mut self, e: &Expr, first: bool) -> Doc {
        if !first && matches!(first_char(e), '-' | '.') { self.parens(e) } else { self.expr(e) }
    }

    pub(super) fn stmt(&mut self, s: &Stmt, first: bool) -> Doc {
        match &s.kind {
            StmtKind::Let { mutable, pattern: p, ty, value } => {
                let word = text(if *mutable { "var " } else { "let " });
                let ty = ty.as_ref().map_or_else(String::new, |t| format!(": {}", super::items::ty(t)));
                all([word, pattern(p), text(ty), self.after_sign("=", value)])
            }
            StmtKind::Share { name, value } => all([text(format!("share {}", name.name)), self.after_sign("=", value)]),
            StmtKind::Assign { target, op, value } => {
                let target = self.stmt_expr(target, first);
                let sign = op.map_or_else(|| "=".to_owned(), |o| format!("{}=", op_text(o)));
                all([target, self.after_sign(&sign, value)])
            }
            StmtKind::Expr(e) => self.stmt_expr(e, first),
            StmtKind::For { pattern: p, iter, body } => {
                let head = all([text("for "), pattern(p), text(" in "), self.expr(iter), text(" ")]);
                self.headed(head, body)
            }
            StmtKind::While { cond, body } => {
                let head = match cond {
                    Some(c) => all([text("while "), self.expr(c), text(" ")]),
                    None => text("loop "),
                };
                self.headed(head, body)
            }
            StmtKind::Return(e) => match e {
                Some(e) => all([text("return "), self.expr(e)]),
                None => text("return"),
            },
            StmtKind::Break => text("break"),
            StmtKind::Continue => text("continue"),
            StmtKind::Forbid(e) => all([text("forbid "), self.expr(e)]),
            StmtKind::Item(i) => self.item(i),
        }
    }

    fn headed(&mut self, head: Doc, body: &Body) -> Doc {
        let broken = self.broken_after(body.span.start, "{");
        group(all([head, self.body(body, broken)]))
    }

    fn choose(&mut self, c: &Choose, end: u32) -> Doc {
        let mut parts = vec![text("choose")];
        if let Some(n) = &c.name {
            parts.push(text(format!(" {}", n.name)));
        }
        // Without a name, an amount that starts with a word would be taken for it.
        let amount = |p: &mut Self, e: &Expr| {
            let unclear = c.name.is_none() && first_char(e) == 'a' || matches!(first_char(e), '{' | 'c');
            if unclear { p.parens(e) } else { p.at_least(e, Level::Or) }
        };
        match &c.amount {
            Amount::One => {}
            Amount::Exactly(e) => parts.extend([text(" "), amount(self, e)]),
            Amount::Between { lo, hi, inclusive } => {
                parts.push(text(" "));
                if let Some(lo) = lo {
                    parts.push(amount(self, lo));
                }
                parts.push(text(if *inclusive { "..=" } else { ".." }));
                if let Some(hi) = hi {
                    parts.push(if first_char(hi) == '{' { self.parens(hi) } else { self.at_least(hi, Level::Or) });
                }
            }
        }
        // What may be followed by more words of the same choice.
        let given = c.given.is_some();
        let inner = |p: &mut Self, e: &Expr| match (&e.kind, level(e)) {
            (ExprKind::Choose(_), Level::Range) | (_, Level::Any | Level::Pipe) => p.parens(e),
            _ if given && ends_in_choice(e) => p.parens(e),
            _ => p.expr(e),
        };
        match &c.domain {
            Domain::Alternatives(alternatives) => {
                parts.push(text(" "));
                parts.push(self.alternatives(alternatives, if c.given.is_some() { 0 } else { end }));
            }
            Domain::From(e) => parts.extend([text(" from "), inner(self, e)]),
            Domain::In { range, step, log } => {
                parts.extend([text(" in "), inner(self, range)]);
                if let Some(step) = step {
                    let closed = given && ends_in_choice(step);
                    let step = if closed { self.parens(step) } else { self.at_least(step, Level::Or) };
                    parts.extend([text(" step "), step]);
                }
                if *log {
                    parts.push(text(" log"));
                }
            }
        }
        if let Some(g) = &c.given {
            parts.extend([text(" given "), inner(self, g)]);
        }
        all(parts)
    }

    fn alternatives(&mut self, alternatives: &[Alternative], end: u32) -> Doc {
        let broken = alternatives.first().is_some_and(|a| {
            let first = self.token_at(a.span.start);
            let open = (0..first).rev().find(|&i| self.word(i) != "|");
            open.is_some_and(|i| self.tokens().get(i + 1).is_some_and(|t| t.first))
        });
        let mut parts = Vec::new();
        for (i, a) in alternatives.iter().enumerate() {
            parts.push(self.lead(a.span.start, true));
            parts.push(if broken { Doc::Hard } else { Doc::Line });
            parts.push(if i == 0 { Doc::Either("", "  ") } else { text("| ") });
            let mut head = String::new();
            if let Some(w) = &a.weight {
                head += &self.number(w);
            }
            if let Some(l) = &a.label {
                head += if head.is_empty() { "" } else { " " };
                head += &l.name;
            }
            if !head.is_empty() {
                head += ": ";
            }
            let value = self.expr(&a.value);
            parts.push(all([text(head), Doc::Nest(2, Box::new(value))]));
        }
        let close = self.lead(end.saturating_sub(1), true);
        group(all([text("{"), nest(all([all(parts), close])), Doc::Line, text("}")]))
    }

    fn assemble(&mut self, a: &Assemble, end: u32) -> Doc {
        let nodes = self.at_least(&a.nodes, Level::Or);
        let fields = [("edge", &a.edge), ("edges", &a.edges), ("merge", &a.merge)];
        let mut fields: Vec<(&str, &Expr)> = fields.into_iter().filter_map(|(n, e)| Some((n, e.as_ref()?))).collect();
        fields.sort_by_key(|(_, e)| e.span.start);
        if fields.is_empty() {
            return all([text("assemble "), nodes, text(" nodes {}")]);
        }
        // The name and its `=` stand before the value.
        let starts: Vec<u32> = fields.iter().map(|(_, e)| self.before(self.before(e.span.start))).collect();
        let broken = self.lexed.is_some() && self.broken_after(self.before(starts[0]), "{");
        let width = fields.iter().map(|(n, _)| n.len()).max().unwrap_or(0);
        let mut parts = vec![if broken { Doc::Hard } else { Doc::Line }];
        for (i, (name, value)) in fields.iter().enumerate() {
            parts.push(self.lead(starts[i], true));
            if i > 0 {
                parts.extend([Doc::Either(" ", ""), Doc::Line]);
            }
            parts.extend([text(*name), Doc::Either("", &"    "[..width - name.len()])]);
            parts.push(self.after_sign("=", value));
        }
        parts.push(self.lead(end.saturating_sub(1), true));
        group(all([text("assemble "), nodes, text(" nodes {"), nest(all(parts)), Doc::Line, text("}")]))
    }

    pub(super) fn index_decls(&mut self, indices: &[IndexDecl]) -> Doc {
        let mut parts = vec![text("[")];
        for (i, index) in indices.iter().enumerate() {
            if i > 0 {
                parts.push(text(", "));
            }
            match index {
                IndexDecl::Rest(_) => parts.push(text("..")),
                IndexDecl::Index(name, None) => parts.push(text(name.name.clone())),
                IndexDecl::Index(name, Some(e)) => parts.extend([text(format!("{}: ", name.name)), self.element(e)]),
            }
        }
        parts.push(text("]"));
        all(parts)
    }
}

/// `a / b * c` reads like `a / (b * c)`, and division rounds: the quotient gets parentheses.
fn unclear(outer: BinOp, inner: BinOp) -> bool {
    matches!((outer, inner), (BinOp::Mul | BinOp::Rem, BinOp::Div) | (BinOp::Mul | BinOp::Div, BinOp::Rem))
}

/// Does its text end in a choice, which would take a `given` that follows?
fn ends_in_choice(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Choose(_) => true,
        ExprKind::Binary(_, _, x)
        | ExprKind::Unary(_, x)
        | ExprKind::Reduce { body: x, .. }
        | ExprKind::Range { hi: Some(x), .. } => ends_in_choice(x),
        _ => false,
    }
}

/// The `if` of `else if`.
fn else_if(body: &Body) -> Option<&Expr> {
    let value = body.value.as_deref().filter(|_| body.stmts.is_empty())?;
    (matches!(value.kind, ExprKind::If { .. }) && value.span == body.span).then_some(value)
}

fn is_reducer(name: &str) -> bool {
    matches!(name, "sum" | "max" | "min" | "mean" | "prod")
}

fn pattern(p: &Pattern) -> Doc {
    text(pattern_text(p))
}

fn pattern_text(p: &Pattern) -> String {
    match p {
        Pattern::Name(n) => n.name.clone(),
        Pattern::Skip(_) => "_".to_owned(),
        Pattern::Tuple(ps, _) => {
            let parts: Vec<String> = ps.iter().map(pattern_text).collect();
            if parts.len() == 1 { format!("({},)", parts[0]) } else { format!("({})", parts.join(", ")) }
        }
    }
}

fn quoted(s: &str) -> String {
    let mut out = String::from("\"");
    for c in s.chars() {
        match c {
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            '\r' => out += "\\r",
            '\0' => out += "\\0",
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out + "\""
}

/// The shortest text that reads back as the same quantity; the larger unit among equals.
fn quantity(v: f64, unit: Unit) -> String {
    let mut best: Option<String> = None;
    for &(name, factor, _) in UNITS.iter().rev().filter(|u| u.2 == unit) {
        let scaled = v / factor;
        let near = [scaled, scaled.round(), (scaled * 1e6).round() / 1e6];
        for n in near.into_iter().filter(|n| n.is_finite() && in_base(*n, factor).to_bits() == v.to_bits()) {
            let digits = format!("{n:?}");
            let s = digits.strip_suffix(".0").unwrap_or(&digits).to_owned() + name;
            if best.as_ref().is_none_or(|b| s.len() < b.len()) {
                best = Some(s);
            }
        }
    }
    best.unwrap_or_else(|| format!("{v:?}"))
}
