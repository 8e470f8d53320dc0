//! Going on after errors.

use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::syntax::KEYWORDS;
use crate::syntax::ast::{
    Arch, ArchKind, Body, Expr, ExprKind, Fun, FunKind, Ident, Item, ItemKind, Primitive, Search, Stmt, StmtKind,
};
use crate::syntax::lex::{self, ITEM_WORDS};

use super::explain::{Failure, listed, other_languages};
use super::{Builder, P, Rule, stmts};

/// Words before a brace that show that statements follow in it.
const BODY_WORDS: &[&str] =
    &["for", "while", "loop", "if", "else", "repeat", "fn", "block", "motif", "space", "strategy", "evaluation"];

impl<'a> Builder<'a> {
    /// All declarations of the file.
    pub(super) fn module(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        let mut i = 0;
        let lexed = self.lexed;
        while let Some(token) = lexed.tokens.get(i) {
            let next = self.next_item(i + 1);
            let end = lexed.tokens.get(next).map_or(self.text().len(), |t| t.start);
            if !ITEM_WORDS.contains(&self.word(i)) {
                self.not_an_item(i, next);
                i = next;
                continue;
            }
            if let Some(item) = self.unchanged(token.start, end) {
                items.push(item);
                i = next;
                continue;
            }
            match self.run(Rule::item_entry, token.start, end) {
                Ok(pair) => {
                    let item = self.item(pair);
                    let rest = lexed.token_from(item.span.end as usize).max(i + 1);
                    items.push(item);
                    if rest < next && !ITEM_WORDS.contains(&self.word(rest)) && !self.reported(token.start, end) {
                        if let Err(failure) = self.run(Rule::item_only, token.start, end) {
                            let d = self.explain(&failure, token.start);
                            self.report(d);
                        }
                        i = next;
                    } else {
                        i = rest;
                    }
                }
                Err(failure) => {
                    items.extend(self.broken_item(i, end, &failure));
                    i = next;
                }
            }
        }
        items
    }

    /// The declaration between two places, if a former text had it. What is known of it depends on nothing else: its
    /// tokens are the same and have their partners in it.
    fn unchanged(&self, start: usize, end: usize) -> Option<Item> {
        if self.reported(start, end) {
            return None;
        }
        let text = &self.source[start..self.lexed.last_end(end)];
        let mut item = self.former.moved(text, self.file, start)?;
        item.doc = self.doc(start);
        Some(item)
    }

    /// The text of a token.
    pub(super) fn word(&self, i: usize) -> &'a str {
        self.lexed.tokens.get(i).map_or("", |t| &self.text()[t.start..t.end])
    }

    pub(super) fn token_span(&self, i: usize) -> Span {
        let end = self.source.len();
        self.lexed.tokens.get(i).map_or(Span::new(self.file, end, end), |t| Span::new(self.file, t.start, t.end))
    }

    fn next_item(&self, from: usize) -> usize {
        let tokens = &self.lexed.tokens;
        (from..tokens.len())
            .find(|&j| tokens[j].depth == 0 && tokens[j].first && ITEM_WORDS.contains(&self.word(j)))
            .unwrap_or(tokens.len())
    }

    /// Was something reported between two places of the text already?
    fn reported(&self, from: usize, to: usize) -> bool {
        self.lexed.errors.iter().any(|d| (from..=to).contains(&(d.labels[0].span.start as usize)))
    }

    fn not_an_item(&mut self, i: usize, next: usize) {
        let span = self.token_span(i);
        let end = self.lexed.tokens.get(next).map_or(self.text().len(), |t| t.start);
        if self.reported(span.start as usize, end) {
            return;
        }
        let word = self.word(i).to_owned();
        let after = i > 0 && !self.lexed.tokens[i].first;
        let d = if let Some(m) = did_you_mean(&word, ITEM_WORDS.iter().copied()).or(other_languages(&word)) {
            Diagnostic::new(&codes::UNKNOWN_KEYWORD, span, format!("there is no declaration `{word}`"))
                .here("unknown keyword")
                .help(format!("did you mean `{m}`?"))
                .fix(span, m, format!("write `{m}`"))
        } else if after {
            Diagnostic::new(&codes::SYNTAX, span, format!("unexpected `{word}` after the end of a declaration"))
                .here("does not belong to what stands before it")
        } else {
            Diagnostic::new(&codes::SYNTAX, span, format!("expected a declaration, found `{word}`"))
                .here("not the start of a declaration")
                .help(format!("a declaration starts with {}", listed(ITEM_WORDS, "or")))
        };
        self.report(d);
    }

    /// Reports why a declaration does not parse and keeps what can be kept of it.
    fn broken_item(&mut self, i: usize, end: usize, failure: &Failure) -> Option<Item> {
        let start = self.lexed.tokens[i].start;
        let bracket = self
            .lexed
            .errors
            .iter()
            .any(|d| d.code == &codes::BRACKET && (start..end).contains(&(d.labels[0].span.start as usize)));
        if !bracket {
            let d = self.explain(failure, start);
            self.report(d);
        }
        let Ok(pair) = self.run(Rule::head_entry, start, end) else { return self.named(i, end) };
        let head_end = self.span(&pair).end as usize;
        let mut kind = self.head(pair);
        let span = Span::new(self.file, start, self.lexed.last_end(end));
        let brace = self.lexed.token_from(head_end);
        let body = self.lexed.tokens.get(brace).filter(|t| t.start < end).copied();
        let inside = body.filter(|_| self.word(brace) == "{").and_then(|b| {
            let close = self.lexed.tokens[b.partner?];
            Some((b.end, close.start, Span::new(self.file, b.start, close.end)))
        });
        match (&mut kind, inside) {
            (ItemKind::Primitive(p), Some((from, to, _))) if !bracket => {
                let mut all = Vec::new();
                self.entries(Rule::prim_stmt_entry, from, to, failure.at, &mut |b, p| {
                    all.extend(p.ok().map(|p| b.prim_stmt(p)));
                });
                p.body = all;
            }
            (ItemKind::Search(s), Some((from, to, _))) if !bracket => {
                let mut all = Vec::new();
                self.entries(Rule::field_entry, from, to, failure.at, &mut |b, p| {
                    all.extend(p.ok().map(|p| b.field(p)));
                });
                s.fields = all;
            }
            (ItemKind::Environment(e), Some((from, to, _))) if !bracket => {
                self.entries(Rule::member_entry, from, to, failure.at, &mut |b, p| {
                    if let Ok(p) = p {
                        b.member(p, e);
                    }
                });
            }
            (ItemKind::Arch(Arch { body, .. }) | ItemKind::Fun(Fun { body, .. }), Some((from, to, whole)))
                if !bracket =>
            {
                *body = self.broken_body(from, to, whole, failure.at);
            }
            (ItemKind::Arch(Arch { body, .. }) | ItemKind::Fun(Fun { body, .. }), _) => {
                let span = Span::new(self.file, head_end, span.end as usize);
                let value = Box::new(Expr { span, kind: ExprKind::Error });
                *body = Body { span, stmts: Vec::new(), value: Some(value) };
            }
            _ => {}
        }
        Some(Item { span, doc: self.doc(start), kind })
    }

    /// A declaration of whose head nothing but the name is known.
    fn named(&self, i: usize, end: usize) -> Option<Item> {
        let token = self.lexed.tokens.get(i + 1).filter(|t| t.kind == lex::Kind::Word && t.start < end)?;
        let name = Ident { name: self.word(i + 1).to_owned(), span: self.token_span(i + 1) };
        if KEYWORDS.contains(&name.name.as_str()) {
            return None;
        }
        let start = self.lexed.tokens[i].start;
        let span = Span::new(self.file, start, self.lexed.last_end(end));
        let rest = Span::new(self.file, token.end, span.end as usize);
        let value = Some(Box::new(Expr { span: rest, kind: ExprKind::Error }));
        let body = Body { span: rest, stmts: Vec::new(), value };
        let params = Vec::new();
        let arch = |kind, name, params, body| ItemKind::Arch(Arch { kind, name, count: None, params, body });
        let fun = |kind, name, params, body| ItemKind::Fun(Fun { kind, name, params, result: None, body });
        let kind = match self.word(i) {
            "primitive" => ItemKind::Primitive(Primitive { name, params, outputs: Vec::new(), body: Vec::new() }),
            "block" => arch(ArchKind::Block, name, params, body),
            "motif" => arch(ArchKind::Motif, name, params, body),
            "space" => arch(ArchKind::Space, name, params, body),
            "fn" => fun(FunKind::Fn, name, params, body),
            "strategy" => fun(FunKind::Strategy, name, params, body),
            "evaluation" => fun(FunKind::Evaluation, name, params, body),
            "search" => ItemKind::Search(Search { name, fields: Vec::new() }),
            _ => return None,
        };
        Some(Item { span, doc: self.doc(start), kind })
    }

    fn broken_body(&mut self, from: usize, to: usize, span: Span, known: usize) -> Body {
        let mut all = Vec::new();
        self.entries(Rule::stmt_entry, from, to, known, &mut |b, p| {
            all.push(match p {
                Ok(p) => b.stmt(p),
                Err(span) => Stmt { span, kind: StmtKind::Expr(Expr { span, kind: ExprKind::Error }) },
            });
        });
        stmts::finish(span, all)
    }

    /// Parses the entries of a body one by one by `rule`; the error at `known` was reported already.
    fn entries(
        &mut self,
        rule: Rule,
        from: usize,
        to: usize,
        known: usize,
        take: &mut dyn FnMut(&mut Self, Result<P<'a>, Span>),
    ) {
        let lexed = self.lexed;
        let mut i = lexed.token_from(from);
        let only = match rule {
            Rule::prim_stmt_entry => Rule::prim_stmt_only,
            Rule::field_entry => Rule::field_only,
            Rule::member_entry => Rule::member_only,
            _ => Rule::stmt_only,
        };
        let mut before = None;
        while let Some(token) = lexed.tokens.get(i).filter(|t| t.start < to) {
            let mut result = self.run(rule, token.start, to);
            if let (Err(failure), Some(start)) = (&result, before) {
                // Nothing can start here: the entry before did not go on.
                if failure.at == token.start
                    && let Err(further) = self.run(only, start, to)
                    && further.at >= failure.at
                {
                    result = Err(further);
                }
            }
            before = result.is_ok().then_some(token.start);
            match result {
                Ok(pair) => {
                    let end = self.span(&pair).end as usize;
                    take(self, Ok(pair));
                    i = lexed.token_from(end).max(i + 1);
                }
                Err(failure) => {
                    if failure.at != known {
                        let d = self.explain(&failure, token.start);
                        self.report(d);
                    }
                    if let Some((from, to)) = self.body_around(i, failure.at, to) {
                        self.entries(rule, from, to, usize::MAX, &mut |b, p| {
                            // Only what is reported while building matters; the tree has no place for it.
                            match (p, rule) {
                                (Ok(p), Rule::stmt_entry) => drop(b.stmt(p)),
                                (Ok(p), Rule::prim_stmt_entry) => drop(b.prim_stmt(p)),
                                _ => {}
                            }
                        });
                    }
                    let next = self.statement_after(i, failure.at, to);
                    let end = lexed.last_end(lexed.tokens.get(next).map_or(to, |t| t.start.min(to)));
                    take(self, Err(Span::new(self.file, token.start, end.max(token.end))));
                    i = next;
                }
            }
        }
    }

    /// The first token after the place `at` that starts a statement beside the one that starts at token `i`.
    fn statement_after(&self, i: usize, at: usize, to: usize) -> usize {
        let tokens = &self.lexed.tokens;
        let depth = tokens[i].depth;
        (i + 1..tokens.len())
            .find(|&j| {
                let t = tokens[j];
                t.start >= to || t.start > at && t.first && t.depth <= depth && !continues(self.word(j))
            })
            .unwrap_or(tokens.len())
    }

    /// If the error at `at` lies in a nested body of the statement at token `i`: the rest of that body, from the line
    /// after the error.
    fn body_around(&self, i: usize, at: usize, to: usize) -> Option<(usize, usize)> {
        let tokens = &self.lexed.tokens;
        let last = self.lexed.token_from(at);
        let open = (i..last).rev().find(|&j| {
            self.word(j) == "{" && tokens[j].partner.is_some_and(|c| tokens[c].start >= at && tokens[c].end <= to)
        })?;
        let head = (i..open).rev().take_while(|&j| !matches!(self.word(j), "choose" | "assemble"));
        let mut head = head.filter(|&j| tokens[j].depth == tokens[open].depth);
        head.find(|&j| BODY_WORDS.contains(&self.word(j)))?;
        let close = tokens[tokens[open].partner?];
        let depth = tokens[open].depth + 1;
        let resume = (last..tokens.len()).find(|&j| {
            let t = tokens[j];
            t.start > at && t.first && t.depth == depth && !continues(self.word(j))
        })?;
        (tokens[resume].start < close.start).then_some((tokens[resume].start, close.start))
    }
}

/// Does a line that starts so go on with the statement of the line before?
fn continues(word: &str) -> bool {
    matches!(
        word,
        ">>" | "+"
            | "-"
            | "*"
            | "/"
            | "%"
            | "^"
            | "|"
            | "||"
            | "&&"
            | "=="
            | "!="
            | "<"
            | ">"
            | "<="
            | ">="
            | "."
            | ".."
            | ","
            | ")"
            | "]"
            | "}"
            | "="
            | "=>"
            | "->"
            | ":"
            | "else"
            | "from"
            | "in"
            | "as"
            | "{"
    )
}
