//! Files, `use`, and which item a name means in which module.
//!
//! A module is a file. `std.…` is embedded in the program; any other path is a file beside the one that uses it.
//! `use a.b.c` looks for the longest prefix that is a module; what is left is an item of it. If the whole path is a
//! module, the item of the module's own name comes into scope (`use std.strategies.aging_evolution`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::prim::Instances;
use crate::base::{FileId, Sources, Span};
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::syntax::ast::{self, Ident, Item, ItemKind, UseWhat};
use crate::syntax::parse::{Former, parse_again};

use super::stdlib;

/// A module of a [`Program`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub u32);

/// An item: its module and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemRef {
    /// The module that declares it.
    pub module: ModuleId,
    /// Its place among the module's items.
    pub item: u32,
}

/// One module with its scope.
#[derive(Debug)]
pub struct Module {
    /// `std.ops`, or the file's stem.
    pub name: String,
    /// What was parsed.
    pub ast: Arc<ast::Module>,
    /// Items by the names that the module's code may use, its own first.
    pub scope: BTreeMap<String, ItemRef>,
    /// Where relative paths start; none for embedded modules.
    pub dir: Option<PathBuf>,
}

/// All modules that a file needs.
#[derive(Debug, Default)]
pub struct Program {
    /// All texts.
    pub sources: Sources,
    /// The root is the first.
    pub modules: Vec<Module>,
    /// Uses of the modules' primitives; what is in it follows from them.
    pub instances: Instances,
}

/// The name of an item, if it has one.
pub fn item_name(item: &Item) -> Option<&Ident> {
    match &item.kind {
        ItemKind::Use(_) => None,
        ItemKind::Primitive(p) => Some(&p.name),
        ItemKind::Arch(a) => Some(&a.name),
        ItemKind::Fun(f) => Some(&f.name),
        ItemKind::Search(s) => Some(&s.name),
        ItemKind::SpaceAlias { name, .. } => Some(name),
        ItemKind::Environment(e) => Some(&e.name),
        ItemKind::Algorithm(a) => Some(&a.name),
    }
}

impl Program {
    /// The module of an id.
    pub fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0 as usize]
    }

    /// The item of a reference.
    pub fn item(&self, r: ItemRef) -> &Item {
        &self.module(r.module).ast.items[r.item as usize]
    }

    /// The item that a name means in a module.
    pub fn lookup(&self, module: ModuleId, name: &str) -> Option<ItemRef> {
        self.module(module).scope.get(name).copied()
    }

    /// The root module.
    pub fn root(&self) -> ModuleId {
        ModuleId(0)
    }

    /// The root's searches in their order.
    pub fn searches(&self) -> impl Iterator<Item = (ItemRef, &ast::Search)> {
        self.modules[0].ast.items.iter().enumerate().filter_map(|(i, item)| match &item.kind {
            ItemKind::Search(s) => Some((ItemRef { module: ModuleId(0), item: i as u32 }, s)),
            _ => None,
        })
    }

    /// Loads a text and everything that it uses. Problems are gathered; what could be read is there.
    pub fn load(name: &str, text: &str, dir: Option<&Path>) -> (Self, Vec<Diagnostic>) {
        Self::load_with(name, text, dir, &|_| None, None)
    }

    /// The same, where some files have another text than on disk: what an editor has not saved yet. `former` is what
    /// loading a former text of the file gave: what is the same in both is not parsed again.
    pub fn load_with(
        name: &str,
        text: &str,
        dir: Option<&Path>,
        opened: &dyn Fn(&Path) -> Option<String>,
        former: Option<(&Program, &[Diagnostic])>,
    ) -> (Self, Vec<Diagnostic>) {
        let mut loader =
            Loader { program: Program::default(), known: BTreeMap::new(), errors: Vec::new(), opened, former };
        loader.add(
            Key::File(PathBuf::from(name)),
            name,
            name.trim_end_matches(".nas"),
            text,
            dir.map(Path::to_path_buf),
        );
        for (name, text) in stdlib::PRELUDE.iter().chain(stdlib::LOADED).filter_map(|m| Some((*m, stdlib::text(m)?))) {
            loader.module(&Key::Std(name.to_string()), name, text);
        }
        // Modules are appended while this runs.
        let mut next = 0;
        while next < loader.program.modules.len() {
            loader.uses(next);
            next += 1;
        }
        (loader.program, loader.errors)
    }
}

/// Functions of one name are told apart by how many parameters they have.
fn overloads(a: &Item, b: &Item) -> bool {
    matches!((&a.kind, &b.kind), (ItemKind::Fun(f), ItemKind::Fun(g)) if f.params.len() != g.params.len())
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Std(String),
    File(PathBuf),
}

struct Loader<'o> {
    program: Program,
    known: BTreeMap<Key, ModuleId>,
    errors: Vec<Diagnostic>,
    opened: &'o dyn Fn(&Path) -> Option<String>,
    former: Option<(&'o Program, &'o [Diagnostic])>,
}

/// The trees of embedded modules, each parsed once for each number that its file may have.
static EMBEDDED: Mutex<BTreeMap<(String, FileId), Arc<ast::Module>>> = Mutex::new(BTreeMap::new());

impl Loader<'_> {
    fn add(&mut self, key: Key, file_name: &str, name: &str, text: &str, dir: Option<PathBuf>) -> ModuleId {
        let file: FileId = self.program.sources.add(file_name, text);
        let ast = self.parse(&key, file, text);
        let id = ModuleId(self.program.modules.len() as u32);
        let mut scope: BTreeMap<String, ItemRef> = BTreeMap::new();
        for (i, item) in ast.items.iter().enumerate() {
            let Some(ident) = item_name(item) else { continue };
            if let Some(old) = scope.insert(ident.name.clone(), ItemRef { module: id, item: i as u32 })
                && !overloads(&ast.items[old.item as usize], item)
            {
                let first = item_name(&ast.items[old.item as usize]).map_or(ident.span, |n| n.span);
                self.errors.push(
                    Diagnostic::new(&codes::DUPLICATE_ITEM, ident.span, format!("`{}` is declared twice", ident.name))
                        .here("declared again here")
                        .label(first, "first declared here")
                        .help("rename one of the two"),
                );
            }
        }
        self.known.insert(key, id);
        self.program.modules.push(Module { name: name.to_string(), ast, scope, dir });
        id
    }

    fn parse(&mut self, key: &Key, file: FileId, text: &str) -> Arc<ast::Module> {
        let embedded = match key {
            Key::Std(name) => Some((name.clone(), file)),
            Key::File(_) => None,
        };
        if let Some(k) = &embedded
            && let Some(ast) = EMBEDDED.lock().unwrap_or_else(PoisonError::into_inner).get(k)
        {
            return ast.clone();
        }
        let former = self.former.filter(|_| file == FileId(0)).map_or_else(Former::default, |(program, errors)| {
            Former::new(&program.sources.get(file).text, &program.module(program.root()).ast, errors)
        });
        let (ast, errors) = parse_again(file, text, &former);
        let ast = Arc::new(ast);
        match embedded {
            Some(k) if errors.is_empty() => {
                EMBEDDED.lock().unwrap_or_else(PoisonError::into_inner).insert(k, ast.clone());
            }
            _ => self.errors.extend(errors),
        }
        ast
    }

    fn module(&mut self, key: &Key, name: &str, text: &str) -> ModuleId {
        match self.known.get(key) {
            Some(&id) => id,
            None => self.add(key.clone(), &format!("{}.nas", name.replace('.', "/")), name, text, None),
        }
    }

    /// The module of a dotted path, seen from module `from`; `Ok(None)` if there is no such file.
    fn find(&mut self, from: usize, path: &[&str]) -> Result<Option<ModuleId>, String> {
        let dotted = path.join(".");
        if path[0] == "std" {
            return Ok(stdlib::text(&dotted).map(|t| self.module(&Key::Std(dotted.clone()), &dotted, t)));
        }
        let Some(dir) = self.program.modules[from].dir.clone() else { return Ok(None) };
        let file = dir.join(path.join("/")).with_extension("nas");
        let opened = (self.opened)(&file);
        if opened.is_none() && !file.is_file() {
            return Ok(None);
        }
        let key = Key::File(file.clone());
        if let Some(&id) = self.known.get(&key) {
            return Ok(Some(id));
        }
        let text = match opened {
            Some(text) => text,
            None => std::fs::read_to_string(&file).map_err(|e| format!("cannot read `{}`: {e}", file.display()))?,
        };
        let parent = file.parent().map(Path::to_path_buf);
        Ok(Some(self.add(key, &file.display().to_string(), &dotted, &text, parent)))
    }

    fn uses(&mut self, module: usize) {
        let uses: Vec<ast::Use> = self.program.modules[module]
            .ast
            .items
            .iter()
            .filter_map(|i| match &i.kind {
                ItemKind::Use(u) => Some(u.clone()),
                _ => None,
            })
            .collect();
        for u in &uses {
            if let Err(d) = self.one_use(module, u) {
                self.errors.push(*d);
            }
        }
        // The library that is always in scope comes last: a module's own names win.
        for name in stdlib::PRELUDE {
            if let Some(&id) = self.known.get(&Key::Std((*name).to_string()))
                && id.0 as usize != module
            {
                self.import_all(module, id);
            }
        }
    }

    fn one_use(&mut self, module: usize, u: &ast::Use) -> Result<(), Box<Diagnostic>> {
        let path: Vec<&str> = u.path.iter().map(|i| i.name.as_str()).collect();
        let span = u.path.iter().map(|i| i.span).reduce(Span::to).unwrap_or_default();
        let unreadable = |m: String| Box::new(Diagnostic::new(&codes::UNKNOWN_MODULE, span, m));
        match &u.what {
            UseWhat::All => {
                let id = self.find(module, &path).map_err(unreadable)?.ok_or_else(|| self.no_module(&path, span))?;
                self.import_all(module, id);
            }
            UseWhat::Last => self.import_one(module, &path, span)?,
            UseWhat::Names(names) => {
                for n in names {
                    let mut full = path.clone();
                    full.push(&n.name);
                    self.import_one(module, &full, n.span)?;
                }
            }
        }
        Ok(())
    }

    fn import_one(&mut self, module: usize, path: &[&str], span: Span) -> Result<(), Box<Diagnostic>> {
        let unreadable = |m: String| Box::new(Diagnostic::new(&codes::UNKNOWN_MODULE, span, m));
        let last = path[path.len() - 1];
        if let Some(id) = self.find(module, path).map_err(unreadable)? {
            return if self.import_name(module, id, last) {
                Ok(())
            } else {
                self.import_all(module, id);
                Ok(())
            };
        }
        let parent = &path[..path.len() - 1];
        if parent.is_empty() {
            return Err(self.no_module(path, span));
        }
        let Some(id) = self.find(module, parent).map_err(unreadable)? else {
            return Err(self.no_module(path, span));
        };
        if self.import_name(module, id, last) {
            return Ok(());
        }
        let m = self.program.module(id);
        let names: Vec<&str> = m.ast.items.iter().filter_map(item_name).map(|n| n.name.as_str()).collect();
        let mut d =
            Diagnostic::new(&codes::UNKNOWN_NAME, span, format!("module `{}` has no item `{last}`", parent.join(".")));
        if let Some(s) = did_you_mean(last, names.iter().copied()) {
            d = d.help(format!("did you mean `{s}`?"));
        } else {
            d = d.help(format!("it has {}", names.join(", ")));
        }
        Err(Box::new(d))
    }

    fn import_name(&mut self, module: usize, from: ModuleId, name: &str) -> bool {
        let m = self.program.module(from);
        let found = m.ast.items.iter().position(|i| item_name(i).is_some_and(|n| n.name == name));
        if let Some(i) = found {
            self.bind(module, name.to_string(), ItemRef { module: from, item: i as u32 });
        }
        found.is_some()
    }

    fn import_all(&mut self, module: usize, from: ModuleId) {
        let names: Vec<(String, ItemRef)> = (self.program.module(from).ast.items.iter().enumerate())
            .filter_map(|(i, item)| Some((item_name(item)?.name.clone(), ItemRef { module: from, item: i as u32 })))
            .collect();
        for (name, r) in names {
            self.bind(module, name, r);
        }
    }

    /// A module's own items win over imported ones, and earlier imports over later ones.
    fn bind(&mut self, module: usize, name: String, r: ItemRef) {
        self.program.modules[module].scope.entry(name).or_insert(r);
    }

    fn no_module(&self, path: &[&str], span: Span) -> Box<Diagnostic> {
        let dotted = path.join(".");
        let later = stdlib::LATER
            .iter()
            .find(|l| dotted == l.0 || dotted.strip_prefix(l.0).is_some_and(|r| r.starts_with('.')));
        if let Some((name, needs)) = later {
            let d = format!("`{name}` needs {needs}, which this version does not have");
            return Box::new(Diagnostic::new(&codes::NEEDS_LATER, span, d).here("comes later"));
        }
        let d = Diagnostic::new(&codes::UNKNOWN_MODULE, span, format!("there is no module `{dotted}`"));
        Box::new(if path[0] == "std" {
            let known: Vec<String> = stdlib::names().collect();
            match did_you_mean(&dotted, known.iter().map(String::as_str)) {
                Some(s) => d.help(format!("did you mean `{s}`?")),
                None => d.help(format!("the standard library has {}", known.join(", "))),
            }
        } else {
            d.help(format!("expected a file `{}.nas` beside this one", path.join("/")))
        })
    }
}
