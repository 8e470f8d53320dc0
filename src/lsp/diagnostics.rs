//! Diagnostics as editors show them.

use std::collections::BTreeMap;

use gen_lsp_types::{
    Diagnostic as Shown, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, Message, Range,
};

use super::checker::Report;
use super::world::World;
use crate::base::Sources;
use crate::diag::{Code, Diagnostic, Severity, codes};

/// Findings that say that something may be deleted.
const UNNECESSARY: &[Code] = &[&codes::UNUSED_NAME, &codes::UNUSED_USE, &codes::UNUSED_DECISION];

/// The diagnostics of a report by the URI of the file in which each is shown. The checked file is among them.
pub fn by_file(world: &World, report: &Report, uri: &str) -> BTreeMap<String, Vec<Shown>> {
    let sources = &report.program.sources;
    let mut out: BTreeMap<String, Vec<Shown>> = BTreeMap::from([(uri.to_string(), Vec::new())]);
    for d in &report.facts.diagnostics {
        let file = d.labels.first().and_then(|l| world.uri_of(sources, l.span.file));
        out.entry(file.unwrap_or_else(|| uri.to_string())).or_default().push(shown(world, sources, d));
    }
    out
}

/// One diagnostic in the range of its first label.
pub fn shown(world: &World, sources: &Sources, d: &Diagnostic) -> Shown {
    let known = |l: &&crate::diag::Label| (l.span.file.0 as usize) < sources.iter().count();
    let range = d.labels.first().filter(known).map_or_else(Range::default, |l| world.range(sources, l.span));
    let related: Vec<DiagnosticRelatedInformation> = d
        .labels
        .iter()
        .skip(1)
        .filter_map(|l| {
            let message = if l.text.is_empty() { "here".to_string() } else { l.text.clone() };
            Some(DiagnosticRelatedInformation { location: world.location(sources, l.span)?, message })
        })
        .collect();
    let mut message = d.message.clone();
    for note in &d.notes {
        message.push_str(&format!("\nnote: {note}"));
    }
    if let Some(help) = &d.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    Shown {
        range,
        severity: Some(match d.severity {
            Severity::Error => DiagnosticSeverity::Error,
            Severity::Warning => DiagnosticSeverity::Warning,
        }),
        code: Some(gen_lsp_types::Code::String(d.code.id.to_string())),
        source: Some("nasc".to_string()),
        message: Message::String(message),
        related_information: (!related.is_empty()).then_some(related),
        tags: UNNECESSARY.contains(&d.code).then(|| vec![DiagnosticTag::Unnecessary]),
        ..Shown::default()
    }
}
