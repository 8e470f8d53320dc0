//! What is known of a file at once: its tree, the modules that it uses, and what its names mean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checker::Loaded;
use super::text::{Encoding, Lines};
use crate::base::{FileId, Sources, Span};
use crate::sema::modules::{ItemRef, Program, item_name};
use crate::sema::names::resolve::{Binding, Names, Target, names};
use crate::sema::names::visit;
use crate::syntax::ast::{Item, ItemKind};
use crate::syntax::lex::{Lexed, scan};

/// A file, parsed, with what its names mean.
#[derive(Debug)]
pub struct Analysis {
    /// Its path.
    pub path: PathBuf,
    /// It and all that it uses; it is the root.
    pub program: Arc<Program>,
    /// Its tokens and comments.
    pub lexed: Lexed,
    /// Its names.
    pub names: Names,
    encoding: Encoding,
}

/// Loads a file from a text; of the files that it uses, those that are open are read from the editor. What a former text
/// has in common with it is not parsed again.
pub fn load(path: &Path, text: &str, opened: &BTreeMap<PathBuf, Arc<str>>, former: Option<&Loaded>) -> Loaded {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.display().to_string();
    let other = |p: &Path| opened.get(p).map(ToString::to_string);
    let former = former.map(|f| (&*f.program, &*f.diagnostics));
    let (program, diagnostics) = Program::load_with(&name, text, Some(dir), &other, former);
    Loaded { program: Arc::new(program), diagnostics: diagnostics.into() }
}

impl Analysis {
    pub fn new(path: &Path, loaded: &Loaded, encoding: Encoding) -> Self {
        let program = loaded.program.clone();
        let names = names(&program, program.root());
        let lexed = scan(FileId(0), &program.sources.get(FileId(0)).text);
        Self { path: path.to_path_buf(), program, lexed, names, encoding }
    }

    /// Its lines.
    pub fn lines(&self) -> Lines<'_> {
        Lines::of(self.sources().get(FileId(0)), self.encoding)
    }

    /// All texts.
    pub fn sources(&self) -> &Sources {
        &self.program.sources
    }

    /// The file's text.
    pub fn text(&self) -> &str {
        &self.program.sources.get(FileId(0)).text
    }

    /// The text of a token of the file.
    pub fn token(&self, i: usize) -> &str {
        let t = &self.lexed.tokens[i];
        &self.text()[t.start..t.end]
    }

    /// The file's items.
    pub fn items(&self) -> &[Item] {
        &self.program.module(self.program.root()).ast.items
    }

    /// The item around a byte.
    pub fn item_at(&self, at: u32) -> Option<&Item> {
        self.items().iter().find(|i| i.span.start <= at && at <= i.span.end)
    }

    /// Whether a byte lies in a search, strategy, evaluation, or in nothing: where programs are written.
    pub fn in_program(&self, at: u32) -> bool {
        match self.item_at(at).map(|i| &i.kind) {
            Some(ItemKind::Fun(_) | ItemKind::Search(_) | ItemKind::Environment(_)) => true,
            Some(_) => false,
            None => true,
        }
    }

    /// Where what a name means is declared.
    pub fn declaration(&self, target: Target) -> Option<Span> {
        match target {
            Target::Local(span) => {
                // The numbers of an `assemble`'s nodes are written nowhere.
                let hidden = span.file == FileId(0) && self.binding(span).is_some_and(|b| !b.written());
                (!hidden).then_some(span)
            }
            Target::Item(r) => item_name(self.program.item(r)).map(|n| n.span),
        }
    }

    /// What is known of a local name of this file.
    pub fn binding(&self, span: Span) -> Option<&Binding> {
        self.names.binding(span)
    }

    /// The item or nested item whose name stands at a place, in any module.
    pub fn declared_at(&self, span: Span) -> Option<&Item> {
        let module = self.program.modules.iter().find(|m| m.ast.file == span.file)?;
        let mut found = None;
        for item in &module.ast.items {
            visit::items(item, &mut |i| {
                if item_name(i).is_some_and(|n| n.span == span) {
                    found = Some(i);
                }
            });
        }
        found
    }

    /// The declaration of a name at a byte: an item, or a local name that may be a nested item.
    pub fn item_named(&self, at: u32, name: &str) -> Option<&Item> {
        let local = self.names.bindings.iter().filter(|b| b.name == name && b.visible(at));
        match local.max_by_key(|b| b.scope.start) {
            Some(b) => self.declared_at(b.span),
            None => self.program.lookup(self.program.root(), name).map(|r: ItemRef| self.program.item(r)),
        }
    }
}
