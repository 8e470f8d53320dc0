//! `nasc fmt`: files in the house style of the language.

use std::path::Path;

use super::term::{Terminal, say};
use super::{ERRORS, FmtArgs, OK, load};
use crate::base::Sources;
use crate::syntax::print::format;

/// `nasc fmt`
pub fn command(term: &Terminal, args: &FmtArgs) -> u8 {
    let mut code = OK;
    for path in &args.files {
        // One file that cannot be formatted does not keep the others from it.
        match one(term, path, args.check) {
            Ok(true) => {}
            Ok(false) => code = ERRORS,
            Err(trouble) => {
                term.diagnostics(&trouble.diagnostics, &trouble.sources);
                code = ERRORS;
            }
        }
    }
    code
}

/// Whether all is well.
fn one(term: &Terminal, path: &Path, check: bool) -> Result<bool, super::term::Trouble> {
    let text = load::read(path)?;
    let mut sources = Sources::default();
    let file = sources.add(path.display().to_string(), text.as_str());
    let new = format(&text, file).map_err(|d| super::term::Trouble::new(d, &sources))?;
    let standard = path == Path::new("-");
    if check {
        if new != text {
            term.out(&format!("{} would change\n", path.display()));
        }
        return Ok(new == text);
    }
    if standard {
        term.out(&new);
    } else if new != text {
        load::write(path, new.as_bytes())?;
        say(&format!("formatted {}", path.display()));
    }
    Ok(true)
}
