//! Diagnostics for terminals.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;

use ariadne::{Cache, Color, Config, Fmt, IndexType, Label, Report, ReportKind, Source};

use super::{Diagnostic, Severity};
use crate::base::{FileId, Sources, Span};

/// The report as text that ends with a line end: no trailing spaces, notes wrapped at `width` columns, with terminal
/// colours if `color`. Spans that lie outside their file or inside a character are moved to the nearest place that is.
pub fn render(d: &Diagnostic, sources: &Sources, color: bool, width: usize) -> String {
    let mut files = Files { sources, parsed: BTreeMap::new() };
    let (kind, main) = match d.severity {
        Severity::Error => (ReportKind::Error, Color::Red),
        Severity::Warning => (ReportKind::Warning, Color::Yellow),
    };
    let place = |span: Span| (span.file, char_range(sources, span));
    // Counted in characters: with bytes, ariadne gives wrong columns in headings of further files.
    let config = Config::default().with_color(color).with_index_type(IndexType::Char);
    let text_width = width.saturating_sub(12).max(30);
    let primary = d.labels.first().map_or_else(Span::default, |l| l.span);
    let mut report =
        Report::build(kind, place(primary)).with_config(config).with_code(d.code.id).with_message(&d.message);
    for (i, l) in d.labels.iter().enumerate().filter(|(_, l)| exists(sources, l.span)) {
        let colour = if i == 0 { main } else { Color::Blue };
        let mut label = Label::new(place(l.span)).with_color(colour).with_order(i as i32);
        if !l.text.is_empty() {
            label = label.with_message(&l.text);
        }
        report = report.with_label(label);
    }
    for note in &d.notes {
        report = report.with_note(wrap(note, text_width));
    }
    let mut help = d.help.as_ref().map(|h| wrap(h, text_width));
    if let Some(fix) = d.fix.as_ref().filter(|f| exists(sources, f.span)) {
        let change = changed_line(sources, fix.span, &fix.text);
        let lines = change.map_or_else(String::new, |(before, after)| format!("\n- {before}\n+ {after}"));
        // "did you mean `x`?" and "write `x`" are one thing.
        help = Some(match help {
            Some(h) if d.help.as_ref().is_some_and(|h| h.starts_with("did you mean")) => h + &lines,
            Some(h) => {
                report = report.with_help(h);
                let colon = if lines.is_empty() { "" } else { ":" };
                format!("{}{colon}{lines}", wrap(&fix.title, text_width))
            }
            None => {
                let colon = if lines.is_empty() { "" } else { ":" };
                format!("{}{colon}{lines}", wrap(&fix.title, text_width))
            }
        });
    }
    if let Some(help) = help {
        report = report.with_help(help);
    }
    let mut out = Vec::new();
    if !d.labels.is_empty() && exists(sources, primary) && report.finish().write(&mut files, &mut out).is_ok() {
        let text = String::from_utf8_lossy(&out);
        return text.lines().fold(String::new(), |all, line| all + line.trim_end() + "\n");
    }
    // No file to show: the words alone.
    let word = if d.severity == Severity::Error { "Error" } else { "Warning" };
    let mut head = format!("[{}] {word}:", d.code.id);
    if color {
        head = head.fg(main).to_string();
    }
    let mut text = format!("{head} {}\n", d.message);
    for note in d.notes.iter().chain(&d.help) {
        text = format!("{text}  {}\n", wrap(note, text_width).replace('\n', "\n  "));
    }
    text
}

/// The line around a fix, before and after; only for fixes within one line.
fn changed_line(sources: &Sources, span: Span, new: &str) -> Option<(String, String)> {
    let text = &sources.get(span.file).text;
    let Range { start, end } = byte_range(sources, span);
    let from = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let to = text[end..].find('\n').map_or(text.len(), |i| end + i);
    if text[start..end].contains('\n') || new.contains('\n') || to - from > 200 {
        return None;
    }
    let after = format!("{}{new}{}", &text[from..start], &text[end..to]);
    Some((text[from..to].trim().to_owned(), after.trim().to_owned()))
}

fn exists(sources: &Sources, span: Span) -> bool {
    (span.file.0 as usize) < sources.iter().count()
}

/// The bytes of a span, inside the file and on character boundaries.
pub(super) fn byte_range(sources: &Sources, span: Span) -> Range<usize> {
    if !exists(sources, span) {
        return 0..0;
    }
    let text = &sources.get(span.file).text;
    let start = text.floor_char_boundary((span.start as usize).min(text.len()));
    let end = text.ceil_char_boundary((span.end as usize).min(text.len()));
    start..end.max(start)
}

/// The same in characters.
fn char_range(sources: &Sources, span: Span) -> Range<usize> {
    let bytes = byte_range(sources, span);
    if !exists(sources, span) {
        return bytes;
    }
    let text = &sources.get(span.file).text;
    let start = text[..bytes.start].chars().count();
    start..start + text[bytes].chars().count()
}

/// Breaks between words so that lines stay within `width` columns.
fn wrap(text: &str, width: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if !out.is_empty() {
            out.push('\n');
        }
        let mut column = 0;
        for word in line.split(' ') {
            let w = unicode_width::UnicodeWidthStr::width(word);
            if column > 0 && column + 1 + w > width {
                out.push('\n');
                column = 0;
            } else if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += w;
        }
    }
    out
}

/// The sources in the form that ariadne reads.
struct Files<'a> {
    sources: &'a Sources,
    parsed: BTreeMap<FileId, Source<String>>,
}

impl Cache<FileId> for &mut Files<'_> {
    type Storage = String;

    fn fetch(&mut self, id: &FileId) -> Result<&Source<String>, impl std::fmt::Debug> {
        let sources = self.sources;
        let parsed = self.parsed.entry(*id).or_insert_with(|| Source::from(sources.get(*id).text.to_string()));
        Ok::<&Source<String>, std::convert::Infallible>(parsed)
    }

    fn display<'b>(&self, id: &'b FileId) -> Option<impl Display + 'b> {
        Some(self.sources.get(*id).name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::codes;

    #[test]
    fn a_report_shows_places_notes_and_the_fix() {
        let mut sources = Sources::default();
        let a = sources.add("a.nas", "block f() = g\nif a = b { c }\n");
        let b = sources.add("b.nas", "// größe\nblock g() = 1\n");
        let d = Diagnostic::new(&codes::SYNTAX, Span::new(a, 19, 20), "one `=`")
            .here("assigns")
            .label(Span::new(b, 17, 18), "defined here")
            .note("a fact")
            .help("write two")
            .fix(Span::new(a, 19, 20), "==", "write `==`");
        let text = render(&d, &sources, false, 100);
        for part in
            ["[E0101] Error: one `=`", "a.nas:2:6", "b.nas:2:7", "assigns", "defined here", "a fact", "write two"]
        {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(text.contains("+ if a == b { c }"), "{text}");
        assert!(text.lines().all(|l| l == l.trim_end()), "{text}");
    }

    #[test]
    fn spans_inside_characters_and_outside_files_are_moved() {
        let mut sources = Sources::default();
        let f = sources.add("a.nas", "äöü");
        for (start, end) in [(1, 3), (0, 1), (5, 99), (99, 100), (6, 6)] {
            let text = render(&Diagnostic::new(&codes::SYNTAX, Span::new(f, start, end), "x"), &sources, true, 10);
            assert!(text.contains("E0101"), "{text}");
        }
        let nowhere = Span::new(FileId(7), 0, 1);
        let text = render(&Diagnostic::new(&codes::SYNTAX, nowhere, "x").help("y"), &sources, false, 80);
        assert_eq!(text, "[E0101] Error: x\n  y\n");
    }

    #[test]
    fn notes_are_wrapped() {
        assert_eq!(wrap("aa bb cc\ndd", 5), "aa bb\ncc\ndd");
    }
}
