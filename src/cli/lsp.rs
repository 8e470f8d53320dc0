//! `nasc lsp`: the language server on standard input and output.

use std::path::PathBuf;

use super::term::Outcome;
use super::{ERRORS, OK};
use crate::diag::{Diagnostic, codes};
use crate::lsp::{Options, serve};

/// Where texts are written that an editor opens: the user's cache, or what is there for a short time.
fn cache() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || set("HOME").map(|h| h.join(".cache"));
    let base = set("XDG_CACHE_HOME").or_else(|| set("LOCALAPPDATA")).or_else(home).unwrap_or_else(std::env::temp_dir);
    base.join("nasc").join(env!("CARGO_PKG_VERSION"))
}

/// `nasc lsp`
pub fn command() -> Outcome {
    match serve(std::io::stdin(), std::io::stdout(), Options { cache: cache() }) {
        Ok(true) => Ok(OK),
        Ok(false) => Ok(ERRORS),
        Err(e) => {
            let d = Diagnostic::unplaced(&codes::FILE_UNWRITABLE, format!("the language server stopped: {e}"));
            Err(d.help("the editor closed its side of the connection; start it again from there").into())
        }
    }
}
