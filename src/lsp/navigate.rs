//! Where a name is declared, and where it is used.

use gen_lsp_types::{DocumentHighlight, DocumentHighlightKind, Location};

use super::analysis::Analysis;
use super::world::World;
use crate::base::{FileId, Sources, Span};
use crate::sema::modules::ModuleId;
use crate::sema::names::resolve::{Role, Target, names};
use crate::sema::names::visit;
use crate::sema::stdlib;
use crate::syntax::ast::{ExprKind, ItemKind, UseWhat};

/// The declaration of the name at a byte, or the module that a `use` names there.
pub fn definition(world: &World, a: &Analysis, at: u32) -> Option<Location> {
    if let Some((_, target)) = a.names.at(at)
        && let Some(span) = a.declaration(target)
    {
        return world.location(a.sources(), span);
    }
    if let Some(span) = method(a, at) {
        return world.location(a.sources(), span);
    }
    module(world, a, at)
}

/// A function that is called as `x.f(..)`, which the walk over names may not have resolved.
fn method(a: &Analysis, at: u32) -> Option<Span> {
    let mut found = None;
    for item in a.items() {
        visit::item(item, &mut |e| {
            if let ExprKind::Field { name, .. } = &e.kind
                && name.span.start <= at
                && at <= name.span.end
            {
                found = Some(&name.name);
            }
        });
    }
    let r = a.program.lookup(a.program.root(), found?)?;
    a.declaration(Target::Item(r))
}

/// The start of the module whose path stands at a byte.
fn module(world: &World, a: &Analysis, at: u32) -> Option<Location> {
    for item in a.items() {
        let ItemKind::Use(u) = &item.kind else { continue };
        let path: Vec<&str> = u.path.iter().map(|i| i.name.as_str()).collect();
        let hit = u.path.iter().position(|i| i.span.start <= at && at <= i.span.end);
        let mut wanted = match (hit, &u.what) {
            (Some(k), _) => path[..=k].join("."),
            (None, UseWhat::Names(names)) => {
                let n = names.iter().find(|n| n.span.start <= at && at <= n.span.end)?;
                format!("{}.{}", path.join("."), n.name)
            }
            (None, _) => continue,
        };
        loop {
            let found = a.program.modules.iter().skip(1).find(|m| m.name == wanted);
            if let Some(m) = found {
                let start = Span::new(m.ast.file, 0, 0);
                return world.location(a.sources(), start);
            }
            // `std.strategies` is a folder; its first module would be a guess.
            wanted = wanted.rsplit_once('.')?.0.to_string();
            if stdlib::text(&wanted).is_none() && !a.program.modules.iter().any(|m| m.name == wanted) {
                return None;
            }
        }
    }
    None
}

/// Tells declarations apart across programs: the file and the byte.
pub fn key(world: &World, sources: &Sources, span: Span) -> (String, u32) {
    let name = &sources.get(span.file).name;
    let inner = std::path::Path::new(name).strip_prefix(&world.cache);
    (inner.map_or_else(|_| name.clone(), |p| p.to_string_lossy().into_owned()), span.start)
}

/// Every place where the name at a byte is used or declared, over all files of the workspace and the modules of the
/// standard library that the file uses. Each place once; the declaration is first.
pub fn references(world: &mut World, a: &Analysis, at: u32) -> Option<Vec<Location>> {
    let (_, target) = a.names.at(at)?;
    let declared = a.declaration(target)?;
    let wanted = key(world, a.sources(), declared);
    let mut out: Vec<Location> = world.location(a.sources(), declared).into_iter().collect();
    let mut add = |l: Option<Location>| out.extend(l);
    let local = matches!(target, Target::Local(s) if s.file == FileId(0))
        && a.binding(declared).is_some_and(|b| b.role != Role::Param);
    if local {
        for (span, t) in &a.names.uses {
            if *t == target {
                add(world.location(a.sources(), *span));
            }
        }
    } else {
        for other in world.everything() {
            for (span, t) in &other.names.uses {
                if other.declaration(*t).is_some_and(|s| key(world, other.sources(), s) == wanted) {
                    add(world.location(other.sources(), *span));
                }
            }
        }
        for (m, module) in a.program.modules.iter().enumerate().filter(|(_, m)| m.name.starts_with("std.")) {
            let _ = module;
            for (span, t) in names(&a.program, ModuleId(m as u32)).uses {
                if a.declaration(t).is_some_and(|s| key(world, a.sources(), s) == wanted) {
                    add(world.location(a.sources(), span));
                }
            }
        }
    }
    let mut seen: Vec<Location> = Vec::new();
    for l in out {
        if !seen.contains(&l) {
            seen.push(l);
        }
    }
    Some(seen)
}

/// The same within the file.
pub fn highlights(world: &World, a: &Analysis, at: u32) -> Option<Vec<DocumentHighlight>> {
    let (_, target) = a.names.at(at)?;
    let declared = a.declaration(target)?;
    let same = a.names.uses.iter().filter(|(_, t)| a.declaration(*t) == Some(declared)).map(|(s, _)| *s);
    let mut spans: Vec<Span> = same.chain([declared]).filter(|s| s.file == FileId(0)).collect();
    spans.sort_unstable();
    spans.dedup();
    let kind = |s: Span| if s == declared { DocumentHighlightKind::Write } else { DocumentHighlightKind::Read };
    let shown = |s: Span| DocumentHighlight { range: world.range(a.sources(), s), kind: Some(kind(s)) };
    Some(spans.into_iter().map(shown).collect())
}
