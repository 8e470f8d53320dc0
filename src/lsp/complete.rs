//! Completion.

use std::collections::BTreeSet;

use gen_lsp_types::{Command, CompletionItem, CompletionItemKind as Kind, Documentation, InsertTextFormat, TextEdit};

use super::actions::import;
use super::analysis::Analysis;
use super::checker::Report;
use super::context::{self, Place};
use super::signature::{self, Signature, markup};
use super::world::World;
use crate::data::known;
use crate::search::lang::builtins;
use crate::search::lang::contract::{self, Form};
use crate::search::lang::types::Tag;
use crate::search::setup::FIELDS;
use crate::sema::builtins::Builtin;
use crate::sema::modules::{Program, item_name};
use crate::sema::names::resolve::Role;
use crate::sema::names::visit;
use crate::sema::stdlib;
use crate::syntax::KEYWORDS;
use crate::syntax::ast::{ExprKind, FunKind, Item, ItemKind};
use crate::syntax::lex::Kind as Token;

/// Types that are written with names of the language.
const TYPES: &[&str] = &["int", "float", "bool", "string", "list", "queue", "stream", "op", "fn"];

/// What may stand at a byte, best first. The editor matches what is typed.
pub fn complete(world: &World, a: &Analysis, report: Option<&Report>, at: usize) -> Vec<CompletionItem> {
    let mut c = Completer { world, a, at, items: Vec::new(), names: BTreeSet::new() };
    match context::place(a, at) {
        Place::Comment => {}
        Place::Text(before) => c.selectors(report, &before),
        Place::Use(path) => c.modules(&path),
        Place::Member => c.members(),
        Place::Type => c.types(),
        Place::Field(given) => c.fields(&given),
        Place::Value(field) => {
            c.values(&field);
            c.code();
        }
        Place::Code => {
            c.arguments();
            c.code();
        }
    }
    c.items
}

struct Completer<'a> {
    world: &'a World,
    a: &'a Analysis,
    at: usize,
    items: Vec<CompletionItem>,
    names: BTreeSet<String>,
}

impl Completer<'_> {
    /// Adds an item; the first of a name wins. `rank` orders groups.
    fn add(&mut self, rank: u8, name: &str, kind: Kind, detail: &str, doc: &str) -> Option<&mut CompletionItem> {
        if !self.names.insert(name.to_string()) {
            return None;
        }
        self.items.push(CompletionItem {
            label: name.to_string(),
            kind: Some(kind),
            detail: (!detail.is_empty()).then(|| detail.to_string()),
            documentation: (!doc.is_empty()).then(|| Documentation::MarkupContent(markup(doc.to_string()))),
            sort_text: Some(format!("{rank}{name}")),
            ..CompletionItem::default()
        });
        self.items.last_mut()
    }

    /// Adds something with a signature; what is called gets its parentheses.
    fn signed(&mut self, rank: u8, name: &str, kind: Kind, s: &Signature, calls: bool) {
        // Parentheses may be there already.
        let rest = &self.a.text()[self.at..];
        let word = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let open = rest[word..].starts_with('(');
        let snippets = self.world.snippets;
        let Some(item) = self.add(rank, name, kind, &s.label, &s.doc) else { return };
        if calls && s.callable && !open && snippets {
            let inner = if s.params.is_empty() { "" } else { "$0" };
            item.insert_text = Some(format!("{name}({inner})"));
            item.insert_text_format = Some(InsertTextFormat::Snippet);
            if !s.params.is_empty() {
                item.command = Some(Command {
                    title: "parameters".to_string(),
                    tooltip: None,
                    command: "editor.action.triggerParameterHints".to_string(),
                    arguments: None,
                });
            }
        }
    }

    fn item(&mut self, rank: u8, item: &Item) {
        let Some(name) = item_name(item) else { return };
        let s = signature::of_item(self.a.sources(), item);
        let kind = match &item.kind {
            ItemKind::Primitive(_) | ItemKind::Arch(_) => Kind::Class,
            ItemKind::Fun(f) if f.kind == FunKind::Fn => Kind::Function,
            ItemKind::Fun(_) => Kind::Method,
            _ => Kind::Module,
        };
        self.signed(rank, &name.name, kind, &s, needs_arguments(item));
    }

    fn code(&mut self) {
        let a = self.a;
        let at = self.at as u32;
        let mut locals: Vec<_> = a.names.bindings.iter().filter(|b| b.visible(at)).collect();
        locals.sort_by_key(|b| (std::cmp::Reverse(b.scope.start), &b.name));
        for b in locals {
            match a.declared_at(b.span).filter(|_| b.role == Role::Item) {
                Some(i) => self.item(1, i),
                None => {
                    self.add(1, &b.name, Kind::Variable, "", "");
                }
            }
        }
        for name in written(a, self.at) {
            self.add(1, name, Kind::Variable, "", "");
        }
        let program = a.in_program(at);
        let root = a.program.module(a.program.root());
        for (name, r) in &root.scope {
            let item = a.program.item(*r);
            // Strategies and evaluations are named by searches only.
            let rank = if r.module == a.program.root() { 2 } else { 3 };
            let elsewhere = matches!(item.kind, ItemKind::Search(_));
            if item_name(item).is_some_and(|n| n.name == *name) && !elsewhere {
                self.item(rank, item);
            }
        }
        if program {
            for r in contract::rows().iter().filter(|r| matches!(r.form, Form::Free | Form::Global)) {
                self.signed(4, r.name, Kind::Function, &signature::of_row(r), true);
            }
            for b in builtins() {
                self.signed(5, b.name, Kind::Function, &signature::of_program_builtin(b), true);
            }
        } else {
            for (name, _, doc) in Builtin::ALL {
                self.signed(4, name, Kind::Function, &signature::of_builtin(doc), true);
            }
        }
        for k in KEYWORDS {
            self.add(6, k, Kind::Keyword, "", "");
        }
        self.importable();
    }

    /// What the standard library has that is not in scope: it comes with its `use`.
    fn importable(&mut self) {
        for module in stdlib::names() {
            let Some(text) = stdlib::text(&module) else { continue };
            for line in text.lines() {
                let words = ["primitive ", "block ", "motif ", "space ", "strategy ", "evaluation "];
                let Some((keyword, rest)) = words.iter().find_map(|k| Some((*k, line.strip_prefix(k)?))) else {
                    continue;
                };
                let name = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or_default();
                let Some(edit) = import(self.a, &module, name) else { continue };
                let detail = format!("use {module}: {}", line.trim_end_matches(['{', '=', ' ']));
                let kind = if keyword == "strategy " || keyword == "evaluation " { Kind::Method } else { Kind::Class };
                if let Some(item) = self.add(8, name, kind, &detail, "") {
                    item.additional_text_edits = Some(vec![edit]);
                }
            }
        }
    }

    /// The parameters of the call around the place that have no argument yet.
    fn arguments(&mut self) {
        let Some(call) = context::open_call(self.a, self.at) else { return };
        // After `name =` a value stands.
        if call.named.is_some() {
            return;
        }
        let Some(s) = signature::of_name(self.a, call.at as u32, &call.name, call.method) else { return };
        for (name, text) in s.params.iter().filter(|p| !call.given.contains(&p.0)) {
            // Tensors are given by place.
            if text.starts_with(&format!("{name}[")) {
                continue;
            }
            if let Some(item) = self.add(0, name, Kind::Property, text, "") {
                item.insert_text = Some(format!("{name} = "));
            }
        }
    }

    fn members(&mut self) {
        for r in contract::rows().iter().filter(|r| !matches!(r.form, Form::Free | Form::Global)) {
            let kind = if r.form == Form::Field { Kind::Field } else { Kind::Method };
            self.signed(1, r.name, kind, &signature::of_row(r), true);
        }
        let root = self.a.program.module(self.a.program.root());
        for r in root.scope.values() {
            let item = self.a.program.item(*r);
            if let ItemKind::Fun(f) = &item.kind
                && f.kind == FunKind::Fn
            {
                self.item(2, item);
            }
        }
        for b in builtins() {
            self.signed(3, b.name, Kind::Method, &signature::of_program_builtin(b), true);
        }
    }

    fn types(&mut self) {
        for t in TYPES {
            self.add(1, t, Kind::Keyword, "", "");
        }
        for (_, name) in Tag::ALL {
            self.add(2, name, Kind::Struct, "", "");
        }
    }

    fn fields(&mut self, given: &[String]) {
        for f in FIELDS.iter().filter(|f| !given.iter().any(|g| g == *f)) {
            if let Some(item) = self.add(1, f, Kind::Property, "", "") {
                item.insert_text = Some(format!("{f} = "));
            }
        }
    }

    /// What is likely meant for a field of a search.
    fn values(&mut self, field: &str) {
        if field == "data" {
            for s in known() {
                if let Some(sig) = signature::of_data(s.name) {
                    self.signed(0, s.name, Kind::Function, &sig, true);
                }
            }
        }
        if field == "budget" {
            for b in ["trials", "seconds", "minutes", "hours", "days", "simulated", "epochs"] {
                let s = Signature { label: format!("{b}(n)"), callable: true, ..Signature::default() };
                self.signed(0, b, Kind::Function, &s, true);
            }
        }
        let wanted = |i: &Item| match (&i.kind, field) {
            (ItemKind::Fun(f), "strategy") => f.kind == FunKind::Strategy,
            (ItemKind::Fun(f), "evaluate") => f.kind == FunKind::Evaluation,
            (ItemKind::Arch(x), "space") => x.kind == crate::syntax::ast::ArchKind::Space,
            _ => false,
        };
        let root = self.a.program.module(self.a.program.root());
        for r in root.scope.values() {
            let item = self.a.program.item(*r);
            if wanted(item) {
                self.item(0, item);
            }
        }
    }

    fn modules(&mut self, path: &[String]) {
        let prefix = format!("{}.", path.join("."));
        if path.is_empty() {
            self.add(1, "std", Kind::Module, "the standard library", "");
            for name in siblings(self.a) {
                self.add(2, &name, Kind::Module, "a file beside this one", "");
            }
            return;
        }
        let module = prefix.trim_end_matches('.');
        if stdlib::text(module).is_some() {
            self.add(1, "*", Kind::Operator, "everything", "");
            let (program, _) = Program::load("module", &format!("use {module}.*"), None);
            if let Some(m) = program.modules.iter().find(|m| m.name == module) {
                for i in &m.ast.items {
                    let Some(n) = item_name(i) else { continue };
                    let s = signature::of_item(&program.sources, i);
                    self.add(2, &n.name, Kind::Class, &s.label, &s.doc);
                }
            }
        }
        for m in stdlib::names() {
            if let Some(rest) = m.strip_prefix(&prefix) {
                let next = rest.split('.').next().unwrap_or(rest);
                self.add(1, next, Kind::Module, &format!("{prefix}{next}"), "");
            }
        }
    }

    /// Decisions of the checked spaces, as selectors name them.
    fn selectors(&mut self, report: Option<&Report>, before: &str) {
        let Some(report) = report else { return };
        let start = self.at - before.len();
        let range = self.a.lines().range(self.a.text(), start, self.at);
        let last = |n: &str| n.rsplit('.').next().unwrap_or(n).to_string();
        let mut all: BTreeSet<String> = BTreeSet::new();
        for d in &report.facts.decisions {
            all.insert(d.name.clone());
            all.insert(format!("**.{}", last(&d.name)));
        }
        for name in all {
            let options =
                report.facts.decisions.iter().find(|d| d.name == name).map_or("", |d| d.options.as_str()).to_string();
            let rank = if name.starts_with("**") { 1 } else { 2 };
            if let Some(item) = self.add(rank, &name, Kind::EnumMember, &options, "") {
                // Dots end words for editors: the whole text is replaced.
                item.text_edit = Some(TextEdit { range, new_text: name.clone() }.into());
                item.filter_text = Some(name.clone());
            }
        }
    }
}

/// The names that a declaration whose brackets do not pair binds before a byte: its tree has no statements.
fn written(a: &Analysis, at: usize) -> Vec<&str> {
    let Some(item) = a.item_at(at as u32) else { return Vec::new() };
    let mut broken = false;
    visit::item(item, &mut |e| broken |= matches!(e.kind, ExprKind::Error));
    if !broken {
        return Vec::new();
    }
    let tokens = &a.lexed.tokens;
    let from = tokens.partition_point(|t| t.start < item.span.start as usize);
    let to = tokens.partition_point(|t| t.end <= at);
    let binds = ["let", "var", "share", "block", "motif", "fn"];
    let bound = (from + 1..to).filter(|&i| tokens[i].kind == Token::Word && binds.contains(&a.token(i - 1)));
    bound.map(|i| a.token(i)).collect()
}

/// Whether an item is written with parentheses: an operation whose parameters have defaults is a name.
fn needs_arguments(item: &Item) -> bool {
    use crate::syntax::ast::ParamKind;
    let scalars = |ps: &[crate::syntax::ast::Param]| {
        ps.iter().any(|p| !matches!(p.kind, ParamKind::Tensor(_)) && p.default.is_none())
    };
    match &item.kind {
        ItemKind::Primitive(p) => scalars(&p.params),
        ItemKind::Arch(a) => scalars(&a.params),
        ItemKind::Fun(_) => true,
        _ => false,
    }
}

/// The modules beside the file.
fn siblings(a: &Analysis) -> Vec<String> {
    let Some(entries) = a.path.parent().and_then(|d| std::fs::read_dir(d).ok()) else { return Vec::new() };
    let files = entries.flatten().map(|e| e.path()).filter(|p| *p != a.path);
    let nas = files.filter(|p| p.extension().is_some_and(|e| e == "nas"));
    let mut out: Vec<String> = nas.filter_map(|p| Some(p.file_stem()?.to_string_lossy().into_owned())).collect();
    out.sort();
    out
}
