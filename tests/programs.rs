//! `tests/programs/*.nas`: the programs that fix the look of the language. They check without a word, and their spaces give
//! candidates that build. `tests/programs/later/*.nas` need what this version does not have, and say so.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use nasc::base::Sources;
use nasc::base::rng::Stream;
use nasc::diag::{Diagnostic, Severity, render};
use nasc::graph::verify;
use nasc::search::lang::{self, Env};
use nasc::search::setup::{Overrides, Search};
use nasc::sema::modules::{ItemRef, Program};
use nasc::sema::names;
use nasc::space::{Space, Want};
use nasc::syntax::ast::{ArchKind, FunKind, ItemKind};

use super::ui;

/// Everything that `nasc check` says about a file.
pub fn check(name: &str, text: &str, dir: Option<&Path>) -> (Sources, Vec<Diagnostic>) {
    let (program, found, _) = checked(name, text, dir);
    (program.sources.clone(), found)
}

/// The program, what is wrong with it, and its spaces: those of its searches, and those that no search uses.
fn checked(name: &str, text: &str, dir: Option<&Path>) -> (Arc<Program>, Vec<Diagnostic>, Vec<Arc<Space>>) {
    let (program, mut found) = Program::load(name, text, dir);
    let program = Arc::new(program);
    let mut spaces = Vec::new();
    if found.iter().any(|d| d.severity == Severity::Error) {
        return (program, found, spaces);
    }
    found.extend(names::check_all(&program));
    let mut searched = BTreeSet::new();
    for (item, _) in program.searches() {
        match Search::new(&program, item, dir.unwrap_or(Path::new(".")), &Overrides::default()) {
            Ok((s, warnings)) => {
                found.extend(warnings);
                searched.insert(s.space.name().to_string());
                spaces.push(s.space.clone());
            }
            Err(errors) => found.extend(errors),
        }
    }
    let env = Env::of_program(&program);
    let scope = lang::scope_of(program.root());
    for (i, item) in program.module(program.root()).ast.items.iter().enumerate() {
        match &item.kind {
            ItemKind::Arch(a) if a.kind == ArchKind::Space && !searched.contains(&a.name.name) => {
                let (space, errors) = Space::of_item(&program, ItemRef { module: program.root(), item: i as u32 });
                found.extend(errors);
                spaces.push(Arc::new(space));
            }
            ItemKind::Fun(f) if f.kind != FunKind::Fn => {
                let Some(fun) = env.fun(scope, &f.name.name) else { continue };
                match lang::Program::compile(&env, fun) {
                    Ok(p) => found.extend(p.warnings().iter().cloned()),
                    Err(errors) => found.extend(errors),
                }
            }
            _ => {}
        }
    }
    for d in nasc::algo::design::check_all(&program, program.root()) {
        if !found.contains(&d) {
            found.push(d);
        }
    }
    (program, names::merged(found), spaces)
}

/// The reports as a terminal shows them.
pub fn shown(sources: &Sources, found: &[Diagnostic]) -> String {
    found.iter().map(|d| render::render(d, sources, false, 100)).collect()
}

#[test]
fn what_this_version_covers_is_accepted_and_its_spaces_build() {
    let dir = ui::root().join("tests/programs");
    let (mut seen, mut spaces_built) = (0, 0);
    for path in ui::files(&dir, "nas") {
        if path.components().any(|c| c.as_os_str() == "later") {
            continue;
        }
        seen += 1;
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("readable");
        let (program, found, spaces) = checked(&name, &text, path.parent());
        assert!(found.is_empty(), "{}", shown(&program.sources, &found));
        for space in spaces.iter().filter(|s| s.data().is_some()) {
            spaces_built += 1;
            let mut rng = Stream::new(1, &name);
            for _ in 0..3 {
                let c = space.random(&mut rng).unwrap_or_else(|e| panic!("{name}: {:#?}", e.diagnostic()));
                if space.design().is_some() {
                    assert!(space.program_of(&c).is_ok(), "{name}, {}", c.to_json());
                    continue;
                }
                let built = space
                    .build(&c, Want::Graph { batch: 2, training: true })
                    .unwrap_or_else(|e| panic!("{name}, {}: {:#?}", c.to_json(), e.diagnostic()));
                verify::verify(&built.graph).unwrap_or_else(|e| panic!("{name}, {}: {e:?}", c.to_json()));
            }
        }
    }
    assert!(seen >= 7 && spaces_built >= 6, "{seen} programs, {spaces_built} spaces");
}

#[test]
fn what_comes_later_says_what_it_needs() {
    let mut failures = String::new();
    let mut seen = 0;
    for path in ui::files(&ui::root().join("tests/programs/later"), "nas") {
        seen += 1;
        let text = std::fs::read_to_string(&path).expect("readable");
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let (sources, found) = check(&name, &text, path.parent());
        let wrong = ui::differences(&text, &sources, &found);
        if !wrong.is_empty() {
            let _ = writeln!(failures, "{name}:\n{wrong}");
        }
        let says = found
            .iter()
            .any(|d| ["E0790", "E0801"].contains(&d.code.id) && d.message.contains("needs") && !d.labels.is_empty());
        if !says {
            let _ = writeln!(failures, "{name} does not say what it needs:\n{}", shown(&sources, &found));
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    assert!(seen >= 8, "{seen} programs");
}
