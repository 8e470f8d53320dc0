//! What may be done with a search or space, above its line.

use gen_lsp_types::{CodeLens, Command};
use serde_json::json;

use super::analysis::Analysis;
use super::world::World;
use crate::sema::modules::item_name;
use crate::syntax::ast::{ArchKind, Item, ItemKind};

/// The commands, which the editor's extension runs: what is shown, and the command of `nasc` that does it. Their argument
/// is `{ "file": path, "name": search or space }`.
const CHECK: (&str, &str) = ("check", "nas.check");
const RUN: (&str, &str) = ("run", "nas.run");
const SHOW: (&str, &str) = ("show candidate", "nas.show");

/// Every search can be checked, run, and have a candidate drawn; every space can be checked.
pub fn lenses(world: &World, a: &Analysis) -> Vec<CodeLens> {
    let mut out = Vec::new();
    for item in a.items() {
        let Some(name) = item_name(item) else { continue };
        for (title, command) in commands(item) {
            let argument = json!({ "file": a.path.display().to_string(), "name": name.name });
            out.push(CodeLens {
                range: world.range(a.sources(), name.span),
                command: Some(Command {
                    title: (*title).to_string(),
                    tooltip: None,
                    command: (*command).to_string(),
                    arguments: Some(vec![argument]),
                }),
                data: None,
            });
        }
    }
    out
}

fn commands(item: &Item) -> &'static [(&'static str, &'static str)] {
    match &item.kind {
        ItemKind::Search(_) => &[CHECK, RUN, SHOW],
        ItemKind::Arch(a) if a.kind == ArchKind::Space => &[CHECK],
        ItemKind::Arch(_)
        | ItemKind::Use(_)
        | ItemKind::Primitive(_)
        | ItemKind::Fun(_)
        | ItemKind::SpaceAlias { .. }
        | ItemKind::Environment(_)
        | ItemKind::Algorithm(_) => &[],
    }
}
