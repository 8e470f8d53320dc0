//! Where results and messages go, with the colours and the width that fit there.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use console::{Style, Term};

use super::When;
use crate::base::Sources;
use crate::diag::render::render;
use crate::diag::{Diagnostic, Severity};

/// The width of text that goes to no terminal.
const PLAIN_WIDTH: usize = 120;

/// Standard output and standard error.
pub struct Terminal {
    out_color: bool,
    err_color: bool,
    width: usize,
    err_width: Option<u16>,
    failed: AtomicBool,
}

/// What stopped a command: diagnostics with the sources that they speak of.
#[derive(Debug)]
pub struct Trouble {
    /// At least one.
    pub diagnostics: Vec<Diagnostic>,
    /// Their files.
    pub sources: Arc<Sources>,
}

impl From<Diagnostic> for Trouble {
    fn from(d: Diagnostic) -> Self {
        Trouble { diagnostics: vec![d], sources: Arc::default() }
    }
}

impl Trouble {
    /// Diagnostics about these sources.
    pub fn new(diagnostics: Vec<Diagnostic>, sources: &Sources) -> Self {
        Trouble { diagnostics, sources: Arc::new(sources.clone()) }
    }
}

/// What a command returns: its exit code.
pub type Outcome = Result<u8, Trouble>;

impl Terminal {
    pub fn new(when: When) -> Self {
        let set = |auto: bool| match when {
            When::Auto => auto && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
            When::Always => true,
            When::Never => false,
        };
        let (out_color, err_color) = (set(console::colors_enabled()), set(console::colors_enabled_stderr()));
        console::set_colors_enabled(out_color);
        console::set_colors_enabled_stderr(err_color);
        // A terminal without cursor movements shows plain lines.
        let dumb = std::env::var("TERM").is_ok_and(|t| t == "dumb");
        let err = Term::stderr();
        let err_width = (err.is_term() && !dumb).then(|| err.size().1);
        Self { out_color, err_color, width: width(&Term::stdout()), err_width, failed: AtomicBool::new(false) }
    }

    /// Writes results to standard output. Whoever reads them may stop reading; other failures end in exit code 1.
    pub fn out(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        if let Err(e) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
            && e.kind() != std::io::ErrorKind::BrokenPipe
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            say(&format!("cannot write to standard output: {e}"));
        }
    }

    /// Writing results failed.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The width of standard output.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The width of standard error; none where it is no terminal.
    pub fn err_width(&self) -> Option<u16> {
        self.err_width
    }

    /// A style for standard output.
    pub fn style(&self) -> Style {
        Style::new().for_stdout().force_styling(self.out_color)
    }

    /// A style for standard error.
    pub fn err_style(&self) -> Style {
        Style::new().for_stderr().force_styling(self.err_color)
    }

    /// Renders diagnostics on standard error.
    pub fn diagnostics(&self, all: &[Diagnostic], sources: &Sources) {
        let width = width(&Term::stderr());
        for d in all {
            let text = render(d, sources, self.err_color, width);
            say(&text);
        }
    }
}

/// Writes a line to standard error.
pub fn say(line: &str) {
    // Nobody is left to be told of a failure.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn width(term: &Term) -> usize {
    if term.is_term() {
        return usize::from(term.size().1).max(20);
    }
    std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok()).filter(|&c: &usize| c >= 20).unwrap_or(PLAIN_WIDTH)
}

/// `2 errors, 1 warning`; none where there is neither.
pub fn counted(all: &[Diagnostic]) -> Option<String> {
    let errors = all.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = all.len() - errors;
    let word = |n: usize, what: &str| match n {
        0 => None,
        1 => Some(format!("1 {what}")),
        n => Some(format!("{n} {what}s")),
    };
    let parts: Vec<String> = [word(errors, "error"), word(warnings, "warning")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Whether there is an error among them.
pub fn has_errors(all: &[Diagnostic]) -> bool {
    all.iter().any(|d| d.severity == Severity::Error)
}
