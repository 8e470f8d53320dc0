//! What is wrong with data, before it is placed in the user's program.

use std::fmt;

use crate::base::Span;
use crate::diag::{Code, Diagnostic};

/// A problem found in a file or an argument: readers know the file and the byte, not the place in the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable identity.
    pub code: Code,
    /// One sentence; names the file and the byte or line where there is one.
    pub message: String,
    /// What the user can do.
    pub help: Option<String>,
    /// The parameter whose argument is to blame; without one, the whole call.
    pub param: Option<&'static str>,
}

impl Fault {
    /// A problem without help.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, param: None }
    }

    /// Says what the user can do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Blames the argument of a parameter, unless one is blamed already.
    #[must_use]
    pub fn param(mut self, name: &'static str) -> Self {
        self.param = self.param.or(Some(name));
        self
    }

    /// The diagnostic at `span`.
    pub fn at(self, span: Span) -> Diagnostic {
        let d = Diagnostic::new(self.code, span, self.message);
        match self.help {
            Some(help) => d.help(help),
            None => d,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.id, self.message)
    }
}

/// `1 example`, `1,797 examples`.
pub(crate) fn count(n: usize, one: &str) -> String {
    let many = if one.ends_with("ss") { "es" } else { "s" };
    format!("{} {one}{}", grouped(n), if n == 1 { "" } else { many })
}

/// Digits in groups of three: `1,797`.
pub(crate) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}
