//! Fixes that need the tree: an adapter where shapes differ, `block` where a motif depends on its arguments.

use gen_lsp_types::TextEdit;

use super::actions::import;
use super::analysis::Analysis;
use crate::base::{FileId, Span};
use crate::diag::{Diagnostic, codes};
use crate::sema::names::visit;
use crate::syntax::ast::{Arch, ArchKind, BinOp, Expr, ExprKind, Item, ItemKind};

/// A way out.
pub struct Mend {
    /// What it does, as an imperative.
    pub title: String,
    /// In the file itself.
    pub edits: Vec<TextEdit>,
    /// Whether it is what was most likely meant.
    pub preferred: bool,
}

/// The ways out of a diagnostic of the file itself.
pub fn mends(a: &Analysis, d: &Diagnostic) -> Vec<Mend> {
    let Some(at) = d.labels.first().map(|l| l.span).filter(|s| s.file == FileId(0)) else { return Vec::new() };
    if d.code == &codes::MOTIF_DEPENDS { block(a, at).into_iter().collect() } else { adapter(a, d, at) }
}

/// `block` for the innermost `motif` around a decision.
fn block(a: &Analysis, at: Span) -> Option<Mend> {
    let mut motif: Option<(&Item, &Arch)> = None;
    for top in a.items() {
        visit::items(top, &mut |i| {
            if let ItemKind::Arch(x) = &i.kind
                && x.kind == ArchKind::Motif
                && i.span.start <= at.start
                && at.end <= i.span.end
                && motif.is_none_or(|m| m.0.span.start <= i.span.start)
            {
                motif = Some((i, x));
            }
        });
    }
    // `motif m[6]` is six designs, which a block cannot be.
    let (item, arch) = motif.filter(|m| m.1.count.is_none())?;
    let keyword = Span { end: item.span.start + "motif".len() as u32, ..item.span };
    (a.sources().slice(keyword) == "motif").then(|| Mend {
        title: format!("make `{}` a `block`, which decides anew at every use", arch.name.name),
        edits: vec![replace(a, keyword, "block")],
        preferred: true,
    })
}

/// An adapter between two tensors of different shapes.
fn adapter(a: &Analysis, d: &Diagnostic, at: Span) -> Vec<Mend> {
    let Some(axis) = d.labels[0].text.strip_prefix("the shapes differ in dimension ") else { return Vec::new() };
    let Some(e) = expression(a, at) else { return Vec::new() };
    let text = |e: &Expr| a.sources().slice(e.span).to_string();
    match (&e.kind, axis) {
        (ExprKind::Binary(BinOp::Add, l, r), "1") => {
            let (mut change, what) = match (&l.kind, &r.kind) {
                (ExprKind::Name(n), _) => {
                    let c = format!("shape({})[1]", n.ident.name);
                    (vec![replace(a, r.span, &format!("fit({}, {c})", text(r)))], c)
                }
                (_, ExprKind::Name(n)) => {
                    let c = format!("shape({})[1]", n.ident.name);
                    (vec![replace(a, l.span, &format!("fit({}, {c})", text(l)))], c)
                }
                // Neither can be written twice without making its weights twice.
                _ => match channels(&d.message) {
                    Some(c) => (vec![replace(a, r.span, &format!("fit({}, {c})", text(r)))], c),
                    None => return Vec::new(),
                },
            };
            change.extend(import(a, "std.ops", "fit"));
            let title = format!("adapt the channels by a 1x1 convolution where they differ: `fit(.., {what})`");
            vec![Mend { title, edits: change, preferred: true }]
        }
        (ExprKind::Binary(BinOp::Add, l, r), "2" | "3") => {
            pad(a, e.span, &format!("sum(pad_to_largest([{}, {}]))", text(l), text(r)))
        }
        (ExprKind::Call { callee, args }, "2" | "3") => match (&callee.kind, args.as_slice()) {
            (ExprKind::Name(n), [x]) if matches!(n.ident.name.as_str(), "sum" | "concat") => {
                pad(a, x.value.span, &format!("pad_to_largest({})", text(&x.value)))
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn pad(a: &Analysis, at: Span, new: &str) -> Vec<Mend> {
    let mut edits = vec![replace(a, at, new)];
    edits.extend(import(a, "std.adapters", "pad_to_largest"));
    let title = "pad the smaller with zeros: `pad_to_largest`".to_string();
    vec![Mend { title, edits, preferred: true }]
}

/// The number of channels of the first shape in a message: `.. [N, 16, 8, 8] and ..`.
fn channels(message: &str) -> Option<String> {
    let shape = message.split_once('[')?.1.split_once(']')?.0;
    let c = shape.split(", ").nth(1)?;
    c.bytes().all(|b| b.is_ascii_digit()).then(|| c.to_string())
}

/// The expression that stands exactly at a place.
fn expression(a: &Analysis, at: Span) -> Option<&Expr> {
    let mut found = None;
    visit::item(a.item_at(at.start)?, &mut |e| {
        if e.span == at {
            found = found.or(Some(e));
        }
    });
    found
}

fn replace(a: &Analysis, at: Span, new: &str) -> TextEdit {
    let range = a.lines().range(a.text(), at.start as usize, at.end as usize);
    TextEdit { range, new_text: new.to_string() }
}
