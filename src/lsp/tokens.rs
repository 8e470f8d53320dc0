//! Colours by meaning.

use std::collections::BTreeMap;

use gen_lsp_types::{SemanticToken, SemanticTokenModifiers, SemanticTokenTypes, SemanticTokensLegend};

use super::analysis::Analysis;
use super::signature::of_undeclared;
use crate::base::FileId;
use crate::sema::modules::item_name;
use crate::sema::names::resolve::{Role, Target};
use crate::sema::names::visit;
use crate::syntax::KEYWORDS;
use crate::syntax::ast::{Domain, ExprKind, FunKind, Item, ItemKind};
use crate::syntax::lex::{Kind, Token};

/// Kinds of token; each is its place in the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Color {
    Keyword,
    Comment,
    Text,
    Number,
    Function,
    Operation,
    Space,
    Parameter,
    Variable,
    Property,
    Option,
    Decision,
    Type,
}

const DECLARATION: u32 = 1;
const LIBRARY: u32 = 2;

/// What the numbers in the tokens mean.
pub fn legend() -> SemanticTokensLegend {
    SemanticTokensLegend {
        token_types: vec![
            SemanticTokenTypes::Keyword.to_string(),
            SemanticTokenTypes::Comment.to_string(),
            SemanticTokenTypes::String.to_string(),
            SemanticTokenTypes::Number.to_string(),
            SemanticTokenTypes::Function.to_string(),
            SemanticTokenTypes::Class.to_string(),
            SemanticTokenTypes::Namespace.to_string(),
            SemanticTokenTypes::Parameter.to_string(),
            SemanticTokenTypes::Variable.to_string(),
            SemanticTokenTypes::Property.to_string(),
            SemanticTokenTypes::EnumMember.to_string(),
            SemanticTokenTypes::Enum.to_string(),
            SemanticTokenTypes::Type.to_string(),
        ],
        token_modifiers: vec![
            SemanticTokenModifiers::Declaration.to_string(),
            SemanticTokenModifiers::DefaultLibrary.to_string(),
        ],
    }
}

/// All tokens of a file, or those on some lines, each relative to the one before.
pub fn tokens(a: &Analysis, lines: Option<(u32, u32)>) -> Vec<SemanticToken> {
    let known = colors(a);
    let mut all: Vec<(&Token, Color, u32)> = a.lexed.comments.iter().map(|t| (t, Color::Comment, 0)).collect();
    for (i, t) in a.lexed.tokens.iter().enumerate() {
        let color = match t.kind {
            Kind::Text => Some((Color::Text, 0)),
            Kind::Number => Some((Color::Number, 0)),
            Kind::Sign => None,
            Kind::Word => known.get(&(t.start as u32)).copied().or_else(|| word(a, i)),
        };
        all.extend(color.map(|(c, m)| (t, c, m)));
    }
    all.sort_by_key(|(t, ..)| t.start);
    let mut out = Vec::new();
    let (mut line, mut column) = (0, 0);
    for (t, color, modifiers) in all {
        let range = a.lines().range(a.text(), t.start, t.end);
        if lines.is_some_and(|(from, to)| range.start.line < from || range.start.line > to) {
            continue;
        }
        let delta_line = range.start.line - line;
        let delta_start = if delta_line == 0 { range.start.character - column } else { range.start.character };
        (line, column) = (range.start.line, range.start.character);
        out.push(SemanticToken {
            delta_line,
            delta_start,
            length: range.end.character - range.start.character,
            token_type: color as u32,
            token_modifiers_bitset: modifiers,
        });
    }
    out
}

fn of_item(item: &Item) -> Color {
    match &item.kind {
        ItemKind::Primitive(_) | ItemKind::Arch(_) => Color::Operation,
        ItemKind::Fun(f) if f.kind == FunKind::Fn => Color::Function,
        ItemKind::Fun(_) => Color::Function,
        ItemKind::Search(_) | ItemKind::SpaceAlias { .. } => Color::Space,
        ItemKind::Environment(_) | ItemKind::Algorithm(_) | ItemKind::Use(_) => Color::Space,
    }
}

/// The colours of what is known by its place.
fn colors(a: &Analysis) -> BTreeMap<u32, (Color, u32)> {
    let mut out = BTreeMap::new();
    for item in a.items() {
        if let ItemKind::Use(u) = &item.kind {
            out.extend(u.path.iter().map(|n| (n.span.start, (Color::Space, 0))));
        }
        if let ItemKind::Search(s) = &item.kind {
            out.extend(s.fields.iter().map(|(n, _)| (n.span.start, (Color::Property, 0))));
        }
        visit::item(item, &mut |e| match &e.kind {
            ExprKind::Choose(c) => {
                if let Some(n) = &c.name {
                    out.insert(n.span.start, (Color::Decision, DECLARATION));
                }
                if let Domain::Alternatives(alts) = &c.domain {
                    out.extend(
                        alts.iter().filter_map(|a| a.label.as_ref()).map(|l| (l.span.start, (Color::Option, 0))),
                    );
                }
            }
            ExprKind::Call { args, .. } => {
                out.extend(args.iter().filter_map(|a| a.name.as_ref()).map(|n| (n.span.start, (Color::Property, 0))));
            }
            ExprKind::Field { name, .. } => {
                out.insert(name.span.start, (Color::Property, 0));
            }
            ExprKind::Record(fields) => {
                out.extend(fields.iter().map(|(n, _)| (n.span.start, (Color::Property, 0))));
            }
            _ => {}
        });
        visit::items(item, &mut |i| {
            if let Some(n) = item_name(i) {
                out.insert(n.span.start, (of_item(i), DECLARATION));
            }
        });
    }
    for b in a.names.bindings.iter().filter(|b| b.written() && b.role != Role::Item) {
        out.insert(b.span.start, (of_role(b.role), DECLARATION));
    }
    for (span, target) in &a.names.uses {
        if out.contains_key(&span.start) && out[&span.start].0 != Color::Space {
            continue;
        }
        let color = match target {
            Target::Item(r) => {
                let library = a.program.module(r.module).name.starts_with("std.");
                (of_item(a.program.item(*r)), if library { LIBRARY } else { 0 })
            }
            Target::Local(s) if s.file == FileId(0) => match a.binding(*s) {
                Some(b) if b.role == Role::Item => (a.declared_at(*s).map_or(Color::Operation, of_item), 0),
                Some(b) => (of_role(b.role), 0),
                None => (Color::Variable, 0),
            },
            Target::Local(_) => (Color::Property, 0),
        };
        out.insert(span.start, color);
    }
    out
}

fn of_role(role: Role) -> Color {
    match role {
        Role::Param | Role::Tensor => Color::Parameter,
        Role::Value | Role::Variable | Role::Index => Color::Variable,
        Role::Item => Color::Operation,
    }
}

/// A word that nothing declares.
fn word(a: &Analysis, i: usize) -> Option<(Color, u32)> {
    let text = a.token(i);
    if KEYWORDS.contains(&text) {
        return Some((Color::Keyword, 0));
    }
    let before = i.checked_sub(1).map_or("", |k| a.token(k));
    let at = a.lexed.tokens[i].start as u32;
    if matches!(before, ":" | "<" | "->") && matches!(text, "int" | "float" | "bool" | "string" | "list" | "op") {
        return Some((Color::Type, LIBRARY));
    }
    of_undeclared(text, a.in_program(at)).map(|_| (Color::Function, LIBRARY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_legend() {
        assert_eq!(legend().token_types.len(), Color::Type as usize + 1);
        assert_eq!(legend().token_types[Color::Decision as usize], SemanticTokenTypes::Enum.to_string());
    }
}
