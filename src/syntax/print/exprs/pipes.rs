//! Pipelines: on one line, or broken where the author broke them, in columns where neighbouring lines are alike.

use super::super::Printer;
use super::super::doc::{Doc, all, group, text};
use super::{Level, level};
use crate::syntax::ast::{BinOp, Expr, ExprKind};

/// Widest that a pipeline may be before a last stage that has lines of its own.
const HUGGED: usize = 60;

/// Widest stage to which others are padded.
const COLUMN: usize = 60;

impl Printer<'_> {
    fn pipeline_breaks(&self, e: &Expr) -> bool {
        let mut e = e;
        while let ExprKind::Binary(BinOp::Pipe, a, b) = &e.kind {
            if self.line_between(a.span.end, b.span.start) {
                return true;
            }
            e = a;
        }
        false
    }

    pub(super) fn pipeline(&mut self, e: &Expr) -> Doc {
        let mut stages: Vec<&Expr> = Vec::new();
        let mut head = e;
        while let ExprKind::Binary(BinOp::Pipe, a, b) = &head.kind {
            stages.push(b);
            head = a;
        }
        let keep = self.pipeline_breaks(e);
        // A pipeline on the left needs no parentheses; an open choice may stand beside `>>`. Arithmetic needs none, but people
        // read it more easily with them.
        let stage = |p: &mut Self, e: &Expr| {
            let dense = matches!(e.kind, ExprKind::Range { .. } | ExprKind::Binary(..));
            if dense || level(e) <= Level::Pipe { p.parens(e) } else { p.element(e) }
        };
        let first = stage(self, head);
        let mut end = head.span.end;
        // Each stage with whether the author began a line with it. A break before the first `>>` would align nothing.
        let mut docs: Vec<(bool, Doc)> = Vec::new();
        let mut heads: Vec<&str> = Vec::new();
        for (i, s) in stages.into_iter().rev().enumerate() {
            let here = keep && i > 0 && self.line_between(end, s.span.start);
            docs.push((here, stage(self, s)));
            heads.push(stage_head(s));
            end = s.span.end;
        }
        let long = first.forced() || first.flat_width(40) > 24;
        if !keep && !long && last_is_hugged(&docs, &heads) {
            // What has lines of its own ends the line that leads there.
            let parts = docs.into_iter().map(|(_, d)| all([text(" >> "), d]));
            return all([first, all(parts)]);
        }
        let pads = columns(&docs, &heads);
        let mut parts = Vec::new();
        for (i, ((here, d), pad)) in docs.into_iter().zip(pads).enumerate() {
            parts.push(match (keep, i) {
                (_, 0) => text(""),
                (false, _) => Doc::Line,
                (true, _) if here => Doc::Hard,
                (true, _) => text(" "),
            });
            parts.extend([text(">> "), d, text(" ".repeat(pad))]);
        }
        if long {
            return group(all([
                first,
                Doc::Nest(4, Box::new(all([if keep { Doc::Hard } else { Doc::Line }, all(parts)]))),
            ]));
        }
        group(all([first, text(" "), Doc::Align(Box::new(all(parts)))]))
    }
}

/// Whether a pipeline stays on one line up to the opening bracket of its last stage. That hangs on what the stages are, not on
/// how the author broke them, so that formatting what was formatted changes nothing.
fn last_is_hugged(stages: &[(bool, Doc)], heads: &[&str]) -> bool {
    let Some((_, before)) = stages.split_last() else { return false };
    let width: usize = before.iter().map(|(_, d)| d.flat_width(HUGGED) + 4).sum();
    let opens = before.is_empty() || matches!(heads.last(), Some(&("choose" | "assemble" | "repeat")));
    opens && width <= HUGGED && !before.iter().any(|(_, d)| d.forced())
}

/// What a stage begins with: two lines with the same operations are alike.
fn stage_head(e: &Expr) -> &str {
    match &e.kind {
        ExprKind::Name(n) => &n.ident.name,
        ExprKind::Call { callee, .. } => stage_head(callee),
        ExprKind::Repeat { .. } => "repeat",
        ExprKind::Choose(_) => "choose",
        ExprKind::Assemble(_) => "assemble",
        _ => "",
    }
}

/// The spaces after each stage of a broken pipeline that put the stages of neighbouring lines into columns, where these
/// lines have the same operations.
fn columns(stages: &[(bool, Doc)], heads: &[&str]) -> Vec<usize> {
    let mut lines: Vec<Vec<usize>> = Vec::new();
    for (i, (begins, _)) in stages.iter().enumerate() {
        match lines.last_mut() {
            Some(line) if !begins => line.push(i),
            _ => lines.push(vec![i]),
        }
    }
    let mut pads = vec![0; stages.len()];
    let alike = |a: &Vec<usize>, b: &Vec<usize>| a.iter().map(|&i| heads[i]).eq(b.iter().map(|&i| heads[i]));
    for run in lines.chunk_by(alike).filter(|r| r.len() > 1) {
        if run.iter().flatten().any(|&i| stages[i].1.forced()) {
            continue;
        }
        for column in 0..run[0].len() - 1 {
            let width = |line: &Vec<usize>| stages[line[column]].1.flat_width(COLUMN);
            let widest = run.iter().map(width).max().unwrap_or(0);
            for line in run {
                pads[line[column]] = widest - width(line);
            }
        }
    }
    pads
}
