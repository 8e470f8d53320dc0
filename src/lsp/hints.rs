//! What stands between the lines: the sizes of spaces, and the shapes that the check inferred.

use gen_lsp_types::{InlayHint, Label, Position};

use super::analysis::Analysis;
use super::checker::Report;
use crate::base::FileId;
use crate::sema::names::visit;
use crate::syntax::ast::{BinOp, Expr, ExprKind, StmtKind};

/// The hints on some lines. The report must be of the same text.
pub fn hints(a: &Analysis, report: &Report, from: u32, to: u32) -> Vec<InlayHint> {
    let mut out: Vec<(Position, String)> = Vec::new();
    for (span, size) in &report.facts.sizes {
        if span.file == FileId(0) {
            let end = a.lines().end(a.text(), a.lines().line(span.start as usize));
            out.push((a.lines().position(a.text(), end), size.clone()));
        }
    }
    for item in a.items() {
        visit::item(item, &mut |e| {
            if let ExprKind::Binary(BinOp::Pipe, first, _) = &e.kind {
                // The shape before a stage: where it stays, nothing is said.
                let same = report.facts.shapes.get(&first.span) == report.facts.shapes.get(&e.span);
                shape(a, report, e, !same, &mut out);
            }
        });
        visit::statements(item, &mut |s| {
            if let StmtKind::Let { value, .. } = &s.kind {
                shape(a, report, value, true, &mut out);
            }
        });
    }
    out.retain(|(p, _)| from <= p.line && p.line <= to);
    out.sort_by_key(|hint| hint.0);
    out.dedup_by(|x, y| x.0 == y.0);
    out.into_iter().map(|(position, label)| hint(position, label)).collect()
}

/// The shape after an expression: that of a whole pipeline, and of the stage that ends there where an operation is
/// composed only.
fn shape(a: &Analysis, report: &Report, e: &Expr, changed: bool, out: &mut Vec<(Position, String)>) {
    let stage = match &e.kind {
        ExprKind::Binary(BinOp::Pipe, _, last) => report.facts.shapes.get(&last.span),
        _ => None,
    };
    if let Some(text) = report.facts.shapes.get(&e.span).or(stage).filter(|_| changed) {
        out.push((a.lines().position(a.text(), e.span.end as usize), text.clone()));
    }
}

fn hint(position: Position, label: String) -> InlayHint {
    InlayHint {
        position,
        label: Label::String(label),
        kind: None,
        text_edits: None,
        tooltip: None,
        padding_left: Some(true),
        padding_right: Some(false),
        data: None,
    }
}
