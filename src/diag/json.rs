//! Diagnostics for machines.

use serde_json::{Value, json};

use super::render::byte_range;
use super::{Diagnostic, Severity};
use crate::base::{Sources, Span};

/// `{ code, title, severity, message, labels, notes, help, fix }`; a place is
/// `{ file, start, end }` with `start` and `end` as `{ byte, line, column }`: bytes from 0, lines and columns from 1,
/// columns in characters. The first label is the primary place; `help` and `fix` may be null.
pub fn to_json(d: &Diagnostic, sources: &Sources) -> Value {
    let labels: Vec<Value> = d
        .labels
        .iter()
        .map(|l| {
            let mut v = place(l.span, sources);
            v["text"] = json!(l.text);
            v
        })
        .collect();
    let fix = d.fix.as_ref().map(|f| {
        let mut v = place(f.span, sources);
        v["title"] = json!(f.title);
        v["replacement"] = json!(f.text);
        v
    });
    json!({
        "code": d.code.id,
        "title": d.code.title,
        "severity": match d.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "message": d.message,
        "labels": labels,
        "notes": d.notes,
        "help": d.help,
        "fix": fix,
    })
}

fn place(span: Span, sources: &Sources) -> Value {
    if span.file.0 as usize >= sources.iter().count() {
        return json!({ "file": null });
    }
    let range = byte_range(sources, span);
    let point = |byte: usize| {
        let (line, column) = sources.line_col(span.file, byte as u32);
        json!({ "byte": byte, "line": line, "column": column })
    };
    json!({ "file": sources.get(span.file).name, "start": point(range.start), "end": point(range.end) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::codes;

    #[test]
    fn places_have_bytes_lines_and_columns() {
        let mut sources = Sources::default();
        let f = sources.add("a.nas", "// ä\nlet = 1\n");
        let span = Span::new(f, 10, 11);
        let d = Diagnostic::new(&codes::SYNTAX, span, "no name").here("here").fix(span, "x =", "name it");
        let v = to_json(&d, &sources);
        assert_eq!(v["code"], "E0101");
        assert_eq!(v["severity"], "error");
        assert_eq!(v["labels"][0]["file"], "a.nas");
        assert_eq!(v["labels"][0]["start"], json!({ "byte": 10, "line": 2, "column": 5 }));
        assert_eq!(v["labels"][0]["end"]["byte"], 11);
        assert_eq!(v["fix"]["replacement"], "x =");
        assert_eq!(v["help"], Value::Null);
    }
}
