//! `space x = algorithms(..)`: which memory, which instructions, and how many of them.

use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::sema::modules::{ItemRef, ModuleId, Program as Source};
use crate::syntax::ast::{self, Expr, ExprKind, ItemKind};

use super::program::{PARTS, Program};
use super::read;
use super::set::{Rank, Set, listed};

/// The arguments of `algorithms`.
const ARGUMENTS: [&str; 7] = ["scalars", "vectors", "matrices", "setup", "predict", "learn", "start"];

/// What one part may be made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// The fewest instructions.
    pub least: usize,
    /// The most.
    pub most: usize,
    /// Which instructions of the set.
    pub ops: Vec<usize>,
    /// Where it is declared.
    pub span: Span,
}

/// A space of algorithms for one number of features.
#[derive(Clone, Debug)]
pub struct Design {
    /// The instructions.
    pub set: Set,
    /// How many scalars, vectors and matrices memory has.
    pub counts: [u16; 3],
    /// `setup`, `predict`, `learn`.
    pub parts: [Part; 3],
    /// The program that `random()` gives, if one is named.
    pub start: Option<Program>,
}

/// Whether a space's value is a call of `algorithms`.
pub fn is_algorithms(value: &Expr) -> bool {
    callee(value).is_some_and(|n| n.name == "algorithms")
}

fn callee(value: &Expr) -> Option<&ast::Ident> {
    match &value.kind {
        ExprKind::Call { callee, .. } => match &callee.kind {
            ExprKind::Name(n) => Some(&n.ident),
            _ => None,
        },
        _ => None,
    }
}

fn wrong(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(&codes::ALGORITHM, span, message)
}

/// A whole number as it is written.
fn whole(e: &Expr, least: i64, most: i64) -> Result<i64, Diagnostic> {
    match &e.kind {
        ExprKind::Int(i) if (least..=most).contains(i) => Ok(*i),
        _ => Err(wrong(e.span, format!("a whole number from {least} to {most} is needed here"))),
    }
}

impl Design {
    /// Reads `algorithms(..)` for so many features.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn new(source: &Source, module: ModuleId, value: &Expr, features: usize) -> Result<Self, Vec<Diagnostic>> {
        let ExprKind::Call { args, .. } = &value.kind else {
            return Err(vec![wrong(value.span, "a space of algorithms is made by `algorithms(..)`")]);
        };
        let mut d = Self { set: Set::new(features), counts: [4, 3, 1], parts: Default::default(), start: None };
        let mut errors = Vec::new();
        if features < 2 {
            errors.push(Diagnostic::new(
                &codes::DATA_MISFIT,
                value.span,
                "algorithms need data with at least two features",
            ));
        }
        let mut start = None;
        for a in args {
            let Some(n) = &a.name else {
                errors.push(
                    wrong(a.value.span, "the arguments of `algorithms` have names")
                        .help(format!("they are {}", ARGUMENTS.join(", "))),
                );
                continue;
            };
            let result = match n.name.as_str() {
                "scalars" => whole(&a.value, 2, 256).map(|k| d.counts[0] = k as u16),
                "vectors" => whole(&a.value, 1, 256).map(|k| d.counts[1] = k as u16),
                "matrices" => whole(&a.value, 0, 256).map(|k| d.counts[2] = k as u16),
                "start" => {
                    start = Some(&a.value);
                    Ok(())
                }
                name => match PARTS.iter().position(|p| *p == name) {
                    Some(k) => part(source, module, &a.value, &mut d.set).map(|p| d.parts[k] = p),
                    None => {
                        let e = wrong(n.span, format!("`algorithms` has no argument `{name}`"));
                        Err(match did_you_mean(name, ARGUMENTS) {
                            Some(k) => e.help(format!("did you mean `{k}`?")).fix(n.span, k, format!("write `{k}`")),
                            None => e.help(format!("they are {}", ARGUMENTS.join(", "))),
                        })
                    }
                },
            };
            errors.extend(result.err());
        }
        if errors.is_empty() {
            errors.extend(d.unusable(value.span));
        }
        if let (Some(e), true) = (start, errors.is_empty()) {
            match d.written(source, module, e) {
                Ok(p) => d.start = Some(p),
                Err(ds) => errors.extend(ds),
            }
        }
        if errors.is_empty() { Ok(d) } else { Err(errors) }
    }

    /// Whether an instruction has an address for each operand and for its result.
    fn fits(&self, op: usize) -> bool {
        let i = &self.set.instructions[op];
        let there = |r: &Rank| self.counts[*r as usize] > 0;
        i.operands.iter().all(there) && self.counts[i.output as usize] > i.output.first_writable()
    }

    /// Instructions that memory cannot hold are dropped; a part that is left without any is an error.
    fn unusable(&mut self, span: Span) -> Vec<Diagnostic> {
        let mut out = Vec::new();
        for (k, name) in PARTS.iter().enumerate() {
            let ops: Vec<usize> = self.parts[k].ops.iter().copied().filter(|&o| self.fits(o)).collect();
            let part = &mut self.parts[k];
            part.ops = ops;
            if part.ops.is_empty() && part.most > 0 {
                let d = wrong(part.span, format!("no instruction can fill `{name}`"))
                    .here("each of these needs an address that memory does not have");
                out.push(
                    d.help("give the space more `scalars`, `vectors` or `matrices`, or the part other instructions"),
                );
            }
        }
        if self.parts[1].most == 0 {
            out.push(
                wrong(span, "the space has no `predict`, so that no program could predict anything")
                    .help("write `predict = instructions(1..=4, [dot, ..])`"),
            );
        }
        out
    }

    /// The program of an `algorithm` item, which must be one of the space.
    fn written(&mut self, source: &Source, module: ModuleId, e: &Expr) -> Result<Program, Vec<Diagnostic>> {
        let item = match &e.kind {
            ExprKind::Name(n) => source.lookup(module, &n.ident.name),
            _ => None,
        };
        let Some((r, a)) = item.and_then(|r| match &source.item(r).kind {
            ItemKind::Algorithm(a) => Some((r, a)),
            _ => None,
        }) else {
            return Err(vec![wrong(e.span, "`start` names an `algorithm`")]);
        };
        let program = read::algorithm(source, r.module, a, &mut self.set)?;
        self.holds(&program, &a.name.name).map_err(|m| vec![wrong(e.span, m).label(a.name.span, "declared here")])?;
        Ok(program)
    }

    /// Whether a program belongs to the space; the error is a sentence.
    fn holds(&self, p: &Program, name: &str) -> Result<(), String> {
        for ((part, limits), what) in p.parts.iter().zip(&self.parts).zip(PARTS) {
            if !(limits.least..=limits.most).contains(&part.len()) {
                return Err(format!(
                    "`{name}` has {} instructions in `{what}`, but the space has {} to {}",
                    part.len(),
                    limits.least,
                    limits.most
                ));
            }
            if let Some(i) = part.iter().find(|i| !limits.ops.contains(&i.op)) {
                return Err(format!(
                    "`{name}` uses `{}` in `{what}`, which the space does not",
                    self.set.instructions[i.op].label
                ));
            }
        }
        for (rank, (used, there)) in Rank::ALL.iter().zip(p.counts(&self.set).iter().zip(self.counts)) {
            if *used > there {
                return Err(format!(
                    "`{name}` uses `{}{}`, but the space has only {there} of that type",
                    rank.letter(),
                    used - 1
                ));
            }
        }
        Ok(())
    }
}

/// `instructions(1..=10, [..])`
fn part(source: &Source, module: ModuleId, e: &Expr, set: &mut Set) -> Result<Part, Diagnostic> {
    let form = || {
        wrong(e.span, "a part of an algorithm is made of instructions")
            .help("write `instructions(1..=10, [add, dot])`, or `instructions(8, arithmetic)`")
    };
    let ExprKind::Call { args, .. } = &e.kind else { return Err(form()) };
    let (true, [count, ops]) = (callee(e).is_some_and(|n| n.name == "instructions"), args.as_slice()) else {
        return Err(form());
    };
    let (least, most) = match &count.value.kind {
        ExprKind::Range { lo, hi: Some(hi), inclusive } => {
            let lo = lo.as_ref().map_or(Ok(0), |e| whole(e, 0, 1000))?;
            (lo, whole(hi, 0, 1000)? - i64::from(!inclusive))
        }
        _ => whole(&count.value, 0, 1000).map(|n| (n, n))?,
    };
    if most < least {
        return Err(wrong(count.value.span, "this range has no number"));
    }
    let mut all: Vec<usize> = Vec::new();
    for (item, span) in listed(source, module, &ops.value, 0)? {
        for op in set.add(source, item, span)? {
            if !all.contains(&op) {
                all.push(op);
            }
        }
    }
    Ok(Part { least: least as usize, most: most as usize, ops: all, span: ops.value.span })
}

/// Checks an `algorithm` item by itself, as if there were four features.
pub fn check(source: &Source, item: ItemRef) -> Vec<Diagnostic> {
    match &source.item(item).kind {
        ItemKind::Algorithm(a) => read::algorithm(source, item.module, a, &mut Set::new(4)).err().unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Checks the algorithms of a module, and its spaces of them, as if there were four features: what no search checks for its
/// data is right or wrong all the same.
pub fn check_all(source: &Source, module: ModuleId) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (k, item) in source.module(module).ast.items.iter().enumerate() {
        match &item.kind {
            ItemKind::Algorithm(_) => out.extend(check(source, ItemRef { module, item: k as u32 })),
            ItemKind::SpaceAlias { value, .. } if is_algorithms(value) => {
                out.extend(Design::new(source, module, value, 4).err().unwrap_or_default());
            }
            _ => {}
        }
    }
    out
}
