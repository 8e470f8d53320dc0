//! Selections that grow along the tree.

use gen_lsp_types::SelectionRange;

use super::analysis::Analysis;
use super::world::World;
use crate::base::{FileId, Span};
use crate::sema::names::visit;

/// The smallest part of the file around a byte, with what is around it.
pub fn around(world: &World, a: &Analysis, at: u32) -> SelectionRange {
    let mut spans: Vec<Span> = vec![Span::new(FileId(0), 0, a.text().len())];
    let mut add = |s: Span| {
        if s.start <= at && at <= s.end {
            spans.push(s);
        }
    };
    for (i, t) in a.lexed.tokens.iter().enumerate() {
        add(Span::new(FileId(0), t.start, t.end));
        if let Some(p) = t.partner.filter(|&p| p > i) {
            let end = &a.lexed.tokens[p];
            add(Span::new(FileId(0), t.start, end.end));
            // What is between brackets, too.
            add(Span::new(FileId(0), t.end, end.start));
        }
    }
    for item in a.items() {
        add(item.span);
        visit::item(item, &mut |e| add(e.span));
        visit::statements(item, &mut |s| add(s.span));
    }
    spans.sort_by_key(|s| (std::cmp::Reverse(s.end - s.start), s.start));
    spans.dedup();
    let mut out: Option<SelectionRange> = None;
    let mut last = spans[0];
    for s in spans {
        // Overlaps that are no nesting are left out.
        if s.start < last.start || s.end > last.end {
            continue;
        }
        last = s;
        out = Some(SelectionRange { range: world.range(a.sources(), s), parent: out.map(Box::new) });
    }
    out.unwrap_or(SelectionRange { range: gen_lsp_types::Range::default(), parent: None })
}
