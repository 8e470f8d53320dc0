//! What a name, a decision or an expression is.

use gen_lsp_types::{Contents, Hover};

use super::analysis::Analysis;
use super::checker::{Decision, Report};
use super::signature::{self, markup};
use super::world::World;
use crate::base::{FileId, Span};
use crate::sema::names::resolve::{Binding, Role, Target};
use crate::sema::names::visit;
use crate::syntax::ast::{Choose, ExprKind, Item};
use crate::syntax::lex::{Kind, Token};

/// Most places of a decision that are listed.
const MAX_PLACES: usize = 8;

/// What to show at a byte; shapes and decisions come from the report.
pub fn hover(world: &World, a: &Analysis, report: Option<&Report>, at: u32) -> Option<Hover> {
    // A cursor after a word is at the word.
    let covers = |t: &&Token| t.start as u32 <= at && at < t.end as u32;
    let ends = |t: &&Token| t.kind == Kind::Word && t.end as u32 == at;
    let token = a.lexed.tokens.iter().find(covers).or_else(|| a.lexed.tokens.iter().find(ends))?;
    let word = Span::new(FileId(0), token.start, token.end);
    let mut parts: Vec<String> = Vec::new();
    let shape = report.and_then(|r| r.shape_at(at));
    if let Some(c) = choice_at(a, at) {
        parts.extend(report.map(|r| decisions(r, c)).filter(|t| !t.is_empty()));
        if parts.is_empty() {
            parts.push("a decision".to_string());
        }
    } else if token.kind == Kind::Word {
        parts.extend(named(a, at, word));
    }
    if let Some((span, text)) = shape
        && (token.kind == Kind::Word || span == word || !parts.is_empty())
    {
        let what = a.sources().slice(span);
        let what = if what.len() > 60 || what.contains('\n') { String::new() } else { format!("`{what}`: ") };
        parts.push(format!("{what}shape `{text}`"));
    }
    if parts.is_empty() {
        return None;
    }
    let contents = Contents::MarkupContent(markup(parts.join("\n\n---\n\n")));
    Some(Hover { contents, range: Some(world.range(a.sources(), word)) })
}

/// What a name means.
fn named(a: &Analysis, at: u32, word: Span) -> Option<String> {
    let text = a.sources().slice(word);
    match a.names.at(at) {
        Some((_, Target::Item(r))) => Some(item(a, a.program.item(r), &a.program.module(r.module).name)),
        Some((_, Target::Local(span))) => {
            if let Some(i) = a.declared_at(span) {
                return Some(item(a, i, ""));
            }
            let binding = a.binding(span).filter(|_| span.file == FileId(0));
            Some(format!("```nas\n{}\n```", bound(a, span, binding)))
        }
        None => {
            let before = a.lexed.tokens.partition_point(|t| t.start < word.start as usize);
            let member = before > 0 && a.token(before - 1) == ".";
            if member {
                if let Some(i) = a.item_named(at, text) {
                    return Some(item(a, i, ""));
                }
                let all: Vec<String> = signature::members(text).iter().map(signature::Signature::markdown).collect();
                if !all.is_empty() {
                    return Some(all.join("\n\n"));
                }
            }
            if crate::syntax::KEYWORDS.contains(&text) {
                return None;
            }
            signature::of_undeclared(text, a.in_program(at)).map(|s| s.markdown())
        }
    }
}

fn item(a: &Analysis, item: &Item, module: &str) -> String {
    let s = signature::of_item(a.sources(), item);
    let from = if module.starts_with("std.") { format!("\n\n*{module}*") } else { String::new() };
    format!("{}{from}", s.markdown())
}

/// The line in which a name is bound, or the parameter.
fn bound(a: &Analysis, span: Span, binding: Option<&Binding>) -> String {
    let text = &a.sources().get(span.file).text;
    if let Some(b) = binding.filter(|b| !b.written()) {
        return format!("{} // the number of a node", b.name);
    }
    if binding.is_none_or(|b| matches!(b.role, Role::Param | Role::Tensor)) {
        // Up to the comma or bracket after it.
        let mut depth = 0;
        let rest = &text[span.start as usize..];
        let end = rest.char_indices().find(|(_, c)| {
            match c {
                '(' | '[' | '{' | '<' => depth += 1,
                ')' | ']' | '}' if depth == 0 => return true,
                ')' | ']' | '}' | '>' => depth -= 1,
                '\n' => return depth <= 0,
                _ => {}
            }
            depth == 0 && *c == ','
        });
        return rest[..end.map_or(rest.len(), |e| e.0)].trim().to_string();
    }
    let start = text[..span.start as usize].rfind('\n').map_or(0, |i| i + 1);
    let end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    text[start..end].trim().to_string()
}

/// The choice whose keyword or name stands at a byte.
fn choice_at(a: &Analysis, at: u32) -> Option<&Choose> {
    let mut found = None;
    for item in a.items() {
        visit::item(item, &mut |e| {
            if let ExprKind::Choose(c) = &e.kind {
                let hit = |s: Span| s.start <= at && at <= s.end;
                if hit(c.keyword) || c.name.as_ref().is_some_and(|n| hit(n.span)) {
                    found = Some(&**c);
                }
            }
        });
    }
    found
}

/// The decisions that a choice makes: their options and the places that they reach.
fn decisions(report: &Report, c: &Choose) -> String {
    let all: Vec<&Decision> = report.facts.decisions.iter().filter(|d| covers(d.span, c)).collect();
    let shown = all.iter().take(MAX_PLACES).map(|d| {
        let places = match d.places.len() {
            0 => String::new(),
            n if n <= MAX_PLACES => format!(", reaches {}", d.places.join(", ")),
            n => format!(", reaches {} and {} more", d.places[..MAX_PLACES].join(", "), n - MAX_PLACES),
        };
        format!("- `{}`: {}{places}", d.name, d.options)
    });
    let mut lines: Vec<String> = shown.collect();
    if all.len() > MAX_PLACES {
        lines.push(format!("- and {} more", all.len() - MAX_PLACES));
    }
    match all.len() {
        0 => String::new(),
        1 => format!("decision\n\n{}", lines.join("\n")),
        n => format!("{n} decisions\n\n{}", lines.join("\n")),
    }
}

fn covers(span: Span, c: &Choose) -> bool {
    span.file == c.keyword.file && span.start <= c.keyword.start && c.keyword.end <= span.end
        || c.name.as_ref().is_some_and(|n| n.span == span)
}
