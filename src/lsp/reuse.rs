//! What a check may take from the check of a former text.
//!
//! A part of a file (a search, a space, a program) means the same as before if it, and every declaration that it can reach
//! by names, reads as before and the names mean declarations that do. That is its [`Key`]. What was found out about it is
//! then as true as it was, and only stands elsewhere: [`Moves`] says where.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use super::checker::Facts;
use crate::base::hash::hash128;
use crate::base::{FileId, Span};
use crate::data::stamp;
use crate::sema::modules::{ItemRef, ModuleId, Program, item_name};
use crate::syntax::ast::Item;

/// All that the meaning of a part depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u128);

/// The names in a declaration that mean declarations, and the texts that may be paths.
struct Reach {
    names: Vec<(String, Vec<ItemRef>)>,
    texts: Vec<String>,
}

/// Keys of the parts of one program.
pub struct Keys<'a> {
    program: &'a Program,
    base: &'a Path,
    reach: BTreeMap<ItemRef, Reach>,
    stamps: BTreeMap<String, u128>,
}

impl<'a> Keys<'a> {
    /// Relative paths start at `base`.
    pub fn new(program: &'a Program, base: &'a Path) -> Self {
        Self { program, base, reach: BTreeMap::new(), stamps: BTreeMap::new() }
    }

    /// The key of the part that starts at a declaration.
    pub fn key(&mut self, start: ItemRef) -> Key {
        let mut number: BTreeMap<ItemRef, u32> = BTreeMap::from([(start, 0)]);
        let mut open = VecDeque::from([start]);
        let mut bytes = Vec::new();
        while let Some(r) = open.pop_front() {
            let text = text(self.program, r);
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
            if !self.reach.contains_key(&r) {
                let found = reach(self.program, r);
                self.reach.insert(r, found);
            }
            let found = &self.reach[&r];
            for (name, targets) in &found.names {
                bytes.push(0);
                bytes.extend(name.as_bytes());
                for &t in targets {
                    let module = self.program.module(t.module);
                    if library(&module.name) {
                        // It never changes, and reaches nothing that does.
                        bytes.extend(module.name.as_bytes());
                        bytes.extend(t.item.to_le_bytes());
                        continue;
                    }
                    let next = number.len() as u32;
                    let n = *number.entry(t).or_insert_with(|| {
                        open.push_back(t);
                        next
                    });
                    bytes.extend(n.to_le_bytes());
                }
            }
            for t in &found.texts {
                if !self.stamps.contains_key(t) {
                    self.stamps.insert(t.clone(), stamp(&self.base.join(t)));
                }
                bytes.extend(self.stamps[t].to_le_bytes());
            }
        }
        Key(hash128(&bytes))
    }
}

fn library(module: &str) -> bool {
    module.starts_with("std.")
}

fn text(program: &Program, r: ItemRef) -> &str {
    program.sources.slice(program.item(r).span)
}

/// More than the names that are used: words in comments and texts are harmless.
fn reach(program: &Program, r: ItemRef) -> Reach {
    let text = text(program, r);
    let scope = &program.module(r.module).scope;
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for w in words.filter(|w| w.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')) {
        if !seen.insert(w) {
            continue;
        }
        if let Some(&target) = scope.get(w) {
            names.push((w.to_string(), overloads(program, target, w)));
        }
    }
    let texts = text.split('"').skip(1).step_by(2).filter(|t| !t.is_empty() && !t.contains('\n'));
    Reach { names, texts: texts.map(str::to_string).collect() }
}

/// The declarations of one name in a module: functions may be told apart by their parameters.
fn overloads(program: &Program, target: ItemRef, name: &str) -> Vec<ItemRef> {
    let module = program.module(target.module);
    if library(&module.name) {
        return vec![target];
    }
    let all = module.ast.items.iter().enumerate();
    let same = all.filter(|(_, i)| item_name(i).is_some_and(|n| n.name == name));
    same.map(|(i, _)| ItemRef { module: target.module, item: i as u32 }).collect()
}

/// The names in the root's scope: messages about what is not among them depend on all.
pub fn scope(program: &Program) -> u128 {
    let names: Vec<&str> = program.module(program.root()).scope.keys().map(String::as_str).collect();
    hash128(names.join(" ").as_bytes())
}

/// Where the declarations of a former program stand now, for those that read the same.
pub struct Moves {
    /// By the old place.
    items: BTreeMap<(FileId, u32), (Span, Span)>,
    /// Embedded texts never change; their numbers do.
    files: BTreeMap<FileId, FileId>,
}

impl Moves {
    pub fn new(old: &Program, new: &Program) -> Self {
        let mut files = BTreeMap::new();
        let mut items = BTreeMap::new();
        for (id, source) in old.sources.iter() {
            let Some((now, other)) = new.sources.iter().find(|(_, s)| s.name == source.name) else { continue };
            if source.text == other.text {
                files.insert(id, now);
                continue;
            }
            let find = |p: &Program, id: FileId| {
                let m = p.modules.iter().position(|m| m.ast.file == id)?;
                Some(ModuleId(m as u32))
            };
            let (Some(a), Some(b)) = (find(old, id), find(new, now)) else { continue };
            let mut by_text: BTreeMap<&str, &Item> = BTreeMap::new();
            for i in &new.module(b).ast.items {
                by_text.entry(new.sources.slice(i.span)).or_insert(i);
            }
            for i in &old.module(a).ast.items {
                if let Some(n) = by_text.get(old.sources.slice(i.span)) {
                    items.insert((id, i.span.start), (i.span, n.span));
                }
            }
        }
        Self { items, files }
    }

    /// Where a place is now.
    pub fn span(&self, s: Span) -> Option<Span> {
        if let Some(&file) = self.files.get(&s.file) {
            return Some(Span { file, ..s });
        }
        if s == Span::default() {
            return Some(s);
        }
        let ((file, _), (old, new)) = self.items.range(..=(s.file, s.start)).next_back()?;
        let inside = *file == s.file && s.end <= old.end;
        inside.then(|| Span {
            file: new.file,
            start: s.start - old.start + new.start,
            end: s.end - old.start + new.start,
        })
    }

    /// What was found out, with all its places as they are now. `None` if one is gone.
    pub fn all(&self, facts: &Facts) -> Option<Facts> {
        let moved = self.rest(facts);
        (moved.count() == facts.count()).then_some(moved)
    }

    /// The part of what was found out whose places are still there.
    pub fn rest(&self, facts: &Facts) -> Facts {
        let diagnostics = facts.diagnostics.iter().filter_map(|d| {
            let mut d = d.clone();
            for l in &mut d.labels {
                l.span = self.span(l.span)?;
            }
            if let Some(f) = &mut d.fix {
                f.span = self.span(f.span)?;
            }
            Some(d)
        });
        let decisions = facts.decisions.iter().filter_map(|d| {
            let mut d = d.clone();
            d.span = self.span(d.span)?;
            Some(d)
        });
        let place = |(s, t): (&Span, &String)| Some((self.span(*s)?, t.clone()));
        Facts {
            diagnostics: diagnostics.collect(),
            sizes: facts.sizes.iter().filter_map(place).collect(),
            shapes: facts.shapes.iter().filter_map(place).collect(),
            decisions: decisions.collect(),
        }
    }
}
