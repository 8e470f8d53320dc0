//! Local names and what happened to them.

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::syntax::ast::Item;

/// What a local name stands for, as far as the text shows.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// A tensor parameter.
    Tensor,
    /// A tensor, or what a pipeline makes of one.
    Data,
    /// A number, truth value or text.
    Scalar,
    /// An extent that a tensor parameter binds.
    Extent,
    /// A declaration.
    Item(&'a Item),
    /// Anything.
    Other,
}

/// How it was bound, for lints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// As a parameter of a declaration.
    Param,
    /// By `let` or `share`.
    Let,
    /// By `var`.
    Var,
    /// By a declaration in a body.
    Item,
    /// By a loop, a lambda or a construct; it names places, so nobody has to read it.
    Loop,
}

/// The decisions that an operation holds.
#[derive(Clone, Debug)]
pub enum Held {
    /// A choice among operations, named so and standing there.
    Choice(String, Span),
    /// A use, there, of a block that contains decisions.
    Block(String, Span),
}

/// A place where an operation is applied.
#[derive(Clone, Debug)]
pub struct Applied {
    pub span: Span,
    /// The arms of branches and alternatives around it: number of the branch, number of the arm.
    pub arms: Vec<(u32, u32)>,
    /// In a loop that the binding is outside of.
    pub looped: bool,
}

/// A local name.
#[derive(Clone, Debug)]
pub struct Local<'a> {
    pub name: &'a str,
    pub span: Span,
    pub kind: Kind<'a>,
    pub bound: Bound,
    pub read: bool,
    /// A choice in its value.
    pub decision: Option<Span>,
    pub held: Option<Held>,
    pub applied: Vec<Applied>,
    /// How many loops were around its binding.
    pub loops: u32,
}

impl<'a> Local<'a> {
    pub fn new(name: &'a str, span: Span, kind: Kind<'a>, bound: Bound) -> Self {
        Self { name, span, kind, bound, read: false, decision: None, held: None, applied: Vec::new(), loops: 0 }
    }

    /// What is to be said when its scope ends.
    pub fn findings(&self, out: &mut Vec<Diagnostic>) {
        if !self.read && !self.name.starts_with('_') {
            out.extend(self.unread());
        }
        out.extend(self.tied());
    }

    fn unread(&self) -> Option<Diagnostic> {
        let name = self.name;
        if let Some(at) = self.decision {
            return Some(
                Diagnostic::new(&codes::UNUSED_DECISION, self.span, format!("nothing uses the decision in `{name}`"))
                    .here("never read")
                    .label(at, "decided here")
                    .help("use the value, or delete the choice: it makes the space larger, not richer"),
            );
        }
        let (what, help) = match self.bound {
            Bound::Param => ("the parameter", format!("use it or delete it; `_{name}` says that it stays unused")),
            Bound::Let | Bound::Var => ("the variable", format!("delete it, or call it `_{name}` if it stays unused")),
            Bound::Item => ("the declaration", "use it or delete it".to_string()),
            Bound::Loop => return None,
        };
        Some(
            Diagnostic::new(&codes::UNUSED_NAME, self.span, format!("nothing uses {what} `{name}`"))
                .here("never read")
                .help(help),
        )
    }

    fn tied(&self) -> Option<Diagnostic> {
        let held = self.held.as_ref()?;
        let exclusive = |a: &Applied, b: &Applied| {
            a.arms.iter().any(|(branch, arm)| b.arms.iter().any(|(other, arm2)| branch == other && arm != arm2))
        };
        let pair = || {
            self.applied
                .iter()
                .enumerate()
                .find_map(|(i, a)| self.applied[i + 1..].iter().find(|b| !exclusive(a, b)).map(|b| (a.span, b.span)))
        };
        let (first, again) = match pair() {
            Some((a, b)) => (Some(a), b),
            None => (None, self.applied.iter().find(|a| a.looped)?.span),
        };
        let name = self.name;
        let (message, at, what, help) = match held {
            Held::Choice(decision, at) => (
                format!("every use of `{name}` shares the one decision `{decision}`"),
                *at,
                "decided here, once",
                "if the uses should share one design, declare it as a `motif`, which says so; if each should decide for itself, write the choice at each use, or make it a `block`",
            ),
            Held::Block(block, at) => (
                format!("every use of `{name}` makes the decisions of this one use of `{block}`"),
                *at,
                "one use of the block",
                "if the uses should share one design, declare it as a `motif`, which says so; if each should decide for itself, use the block at each place",
            ),
        };
        let d = Diagnostic::new(&codes::TIED_USES, again, message);
        let d = match first {
            Some(first) => d.here("applied again here").label(first, "first applied here"),
            None => d.here("applied in every turn of a loop"),
        };
        Some(d.label(at, what).help(help))
    }
}
