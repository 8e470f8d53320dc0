//! What can be folded: brackets over several lines, comments, and the `use`s at the top.

use gen_lsp_types::{FoldingRange, FoldingRangeKind};

use super::analysis::Analysis;
use crate::syntax::ast::ItemKind;

/// All foldable ranges, in the order of their lines.
pub fn ranges(a: &Analysis) -> Vec<FoldingRange> {
    let mut out = Vec::new();
    let mut add = |start: usize, end: usize, kind: Option<FoldingRangeKind>| {
        if end > start {
            out.push(FoldingRange { start_line: start as u32, end_line: end as u32, kind, ..FoldingRange::default() });
        }
    };
    for (i, t) in a.lexed.tokens.iter().enumerate() {
        let Some(partner) = t.partner.filter(|&p| p > i) else { continue };
        // The closing bracket stays visible.
        let end = a.lines().line(a.lexed.tokens[partner].start);
        add(a.lines().line(t.start), end.saturating_sub(1), None);
    }
    let comments: Vec<usize> = a.lexed.comments.iter().filter(|c| c.first).map(|c| a.lines().line(c.start)).collect();
    let uses = a.items().iter().filter(|i| matches!(i.kind, ItemKind::Use(_)));
    let uses: Vec<usize> = uses.map(|i| a.lines().line(i.span.start as usize)).collect();
    for (lines, kind) in [(comments, FoldingRangeKind::Comment), (uses, FoldingRangeKind::Imports)] {
        for run in lines.chunk_by(|x, y| *y == x + 1) {
            add(run[0], run[run.len() - 1], Some(kind.clone()));
        }
    }
    out.sort_by_key(|r| (r.start_line, std::cmp::Reverse(r.end_line)));
    out.dedup_by_key(|r| (r.start_line, r.end_line));
    out
}
