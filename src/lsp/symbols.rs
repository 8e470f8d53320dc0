//! The outline of a file, and names across the workspace.

#![allow(deprecated, reason = "the protocol's types have a field that is deprecated and must be given")]

use gen_lsp_types::{
    BaseSymbolInformation, DocumentSymbol, Range, SymbolKind, WorkspaceSymbol, WorkspaceSymbolLocation,
};

use super::analysis::Analysis;
use super::signature;
use super::world::World;
use crate::base::Span;
use crate::sema::modules::item_name;
use crate::sema::names::visit;
use crate::syntax::ast::{ArchKind, ExprKind, FunKind, Ident, Item, ItemKind};

fn kind(item: &Item) -> SymbolKind {
    match &item.kind {
        ItemKind::Use(_) => SymbolKind::Module,
        ItemKind::Primitive(_) => SymbolKind::Operator,
        ItemKind::Arch(a) => match a.kind {
            ArchKind::Block => SymbolKind::Class,
            ArchKind::Motif => SymbolKind::Struct,
            ArchKind::Space => SymbolKind::Namespace,
        },
        ItemKind::Fun(f) => match f.kind {
            FunKind::Fn => SymbolKind::Function,
            FunKind::Strategy | FunKind::Evaluation => SymbolKind::Method,
        },
        ItemKind::Search(_) => SymbolKind::Object,
        ItemKind::SpaceAlias { .. } => SymbolKind::Namespace,
        ItemKind::Environment(_) => SymbolKind::Interface,
        ItemKind::Algorithm(_) => SymbolKind::Function,
    }
}

/// The items of a file, each with the items and the named decisions in it.
pub fn outline(world: &World, a: &Analysis) -> Vec<DocumentSymbol> {
    a.items().iter().filter_map(|i| symbol(world, a, i)).collect()
}

fn symbol(world: &World, a: &Analysis, item: &Item) -> Option<DocumentSymbol> {
    let name = item_name(item)?;
    let range = world.range(a.sources(), item.span);
    let detail = signature::of_item(a.sources(), item).label;
    let mut inner: Vec<Item> = Vec::new();
    visit::items(item, &mut |i| {
        if i.span != item.span {
            inner.push(i.clone());
        }
    });
    // Only those that stand in no other.
    let direct = inner.iter().filter(|i| !inner.iter().any(|o| o.span != i.span && within(i.span, o.span)));
    let mut children: Vec<DocumentSymbol> = direct.filter_map(|i| symbol(world, a, i)).collect();
    let mut fields = |n: &Ident, whole: Span, kind| {
        children.push(leaf(n, world.range(a.sources(), whole), world.range(a.sources(), n.span), kind));
    };
    if let ItemKind::Search(s) = &item.kind {
        for (n, e) in &s.fields {
            fields(n, n.span.to(e.span), SymbolKind::Field);
        }
    }
    visit::item(item, &mut |e| {
        if let ExprKind::Choose(c) = &e.kind
            && let Some(n) = &c.name
            && !inner.iter().any(|i| within(e.span, i.span))
        {
            fields(n, e.span, SymbolKind::Enum);
        }
    });
    children.sort_by_key(|c| (c.range.start, c.range.end));
    let selection = world.range(a.sources(), name.span);
    let mut out = leaf(name, range, selection, kind(item));
    out.detail = Some(detail);
    out.children = (!children.is_empty()).then_some(children);
    Some(out)
}

fn within(inner: Span, outer: Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn leaf(name: &Ident, range: Range, selection_range: Range, kind: SymbolKind) -> DocumentSymbol {
    DocumentSymbol {
        name: name.name.clone(),
        detail: None,
        kind,
        tags: None,
        deprecated: None,
        range,
        selection_range,
        children: None,
    }
}

/// The items of all files whose names have the letters of the query in their order.
pub fn workspace(world: &mut World, query: &str) -> Vec<WorkspaceSymbol> {
    let mut out = Vec::new();
    for a in world.everything() {
        for item in a.items() {
            let Some(name) = item_name(item).filter(|n| matches(query, &n.name)) else { continue };
            let Some(location) = world.location(a.sources(), name.span) else { continue };
            out.push(WorkspaceSymbol {
                base_symbol_information: BaseSymbolInformation {
                    name: name.name.clone(),
                    kind: kind(item),
                    tags: None,
                    container_name: a.path.file_stem().map(|s| s.to_string_lossy().into_owned()),
                },
                location: WorkspaceSymbolLocation::Location(location),
                data: None,
            });
        }
    }
    out
}

fn matches(query: &str, name: &str) -> bool {
    let mut rest = name.chars().map(|c| c.to_ascii_lowercase());
    query.chars().map(|c| c.to_ascii_lowercase()).all(|q| rest.any(|c| c == q))
}
