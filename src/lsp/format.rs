//! Formatting as few edits as it takes, so that cursors and folds stay where they are.

use gen_lsp_types::{Position, Range, TextEdit};

use super::analysis::Analysis;
use crate::base::FileId;
use crate::syntax::print::format;

/// Most pairs of lines that are compared; past that, everything between the first and the last difference is replaced.
const MAX_PAIRS: usize = 4_000_000;

/// What formatting changes; nothing if the file does not parse. With a range, only what lies wholly inside it.
pub fn edits(a: &Analysis, within: Option<Range>) -> Vec<TextEdit> {
    let Ok(new) = format(a.text(), FileId(0)) else { return Vec::new() };
    let all = hunks(a.text(), &new);
    all.into_iter()
        .map(|(from, to, text)| TextEdit { range: Range::new(position(a, from), position(a, to)), new_text: text })
        .filter(|e| within.is_none_or(|w| w.start.line <= e.range.start.line && e.range.end <= after(w)))
        .collect()
}

/// The start of the line after a range; a range that ends where a line begins does not reach into it.
fn after(w: Range) -> Position {
    if w.end.character == 0 && w.end > w.start { w.end } else { Position::new(w.end.line + 1, 0) }
}

fn position(a: &Analysis, line: usize) -> Position {
    match a.lines().start(line) {
        Some(_) => Position::new(line as u32, 0),
        None => a.lines().position(a.text(), a.text().len()),
    }
}

/// Runs of lines that differ: first line, line after the last, new text.
fn hunks(old: &str, new: &str) -> Vec<(usize, usize, String)> {
    let (a, b): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let tail = a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (x, y) = (&a[head..a.len() - tail], &b[head..b.len() - tail]);
    if x.is_empty() && y.is_empty() {
        return Vec::new();
    }
    if x.len() * y.len() > MAX_PAIRS {
        return vec![(head, head + x.len(), y.concat())];
    }
    // The longest common subsequence, from the end.
    let width = y.len() + 1;
    let mut common = vec![0u32; (x.len() + 1) * width];
    for i in (0..x.len()).rev() {
        for j in (0..y.len()).rev() {
            common[i * width + j] = if x[i] == y[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let mut out: Vec<(usize, usize, String)> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < x.len() || j < y.len() {
        if i < x.len() && j < y.len() && x[i] == y[j] {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        if out.last().is_none_or(|h| h.1 != head + i) {
            out.push((head + i, head + i, String::new()));
        }
        let Some(hunk) = out.last_mut() else { break };
        let drop = j == y.len() || i < x.len() && common[(i + 1) * width + j] >= common[i * width + j + 1];
        if drop {
            i += 1;
            hunk.1 = head + i;
        } else {
            hunk.2.push_str(y[j]);
            j += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(old: &str, new: &str) -> (usize, String) {
        let hunks = hunks(old, new);
        let mut lines: Vec<String> = old.split_inclusive('\n').map(str::to_string).collect();
        for (from, to, text) in hunks.iter().rev() {
            lines.splice(from..to, [text.clone()]);
        }
        (hunks.len(), lines.concat())
    }

    #[test]
    fn hunks_give_the_new_text() {
        for (old, new, n) in [
            ("a\nb\nc\n", "a\nb\nc\n", 0),
            ("a\nb\nc\n", "a\nX\nc\n", 1),
            ("a\nb\nc\nd\ne\n", "A\nb\nc\nd\nE\n", 2),
            ("a\n\n\nb\n", "a\n\nb\n", 1),
            ("a", "a\n", 1),
            ("", "a\n", 1),
            ("a\nb\n", "", 1),
        ] {
            assert_eq!(applied(old, new), (n, new.to_string()), "{old:?} to {new:?}");
        }
    }
}
