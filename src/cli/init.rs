//! `nasc new`: a search to start from.

use std::path::{Path, PathBuf};

use super::OK;
use super::load;
use super::term::{Outcome, Terminal, say};
use crate::diag::{Diagnostic, codes};

/// The starter; `NAME` is replaced.
const STARTER: &str = include_str!("starter.nas");

/// `nasc new`
pub fn command(term: &Terminal, name: &str) -> Outcome {
    let folder = PathBuf::from(name);
    let last = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let word = identifier(&last);
    let Some(word) = word else {
        return Err(Diagnostic::unplaced(&codes::FILE_UNWRITABLE, format!("`{name}` cannot be the name of a search"))
            .help("a name has letters, digits, `_` and `-`, and starts with a letter")
            .into());
    };
    if folder.exists() {
        return Err(Diagnostic::unplaced(&codes::FILE_UNWRITABLE, format!("there is a `{name}` already"))
            .help("choose another name; nothing was changed")
            .into());
    }
    std::fs::create_dir_all(&folder).map_err(|e| load::unwritable(&folder, &e))?;
    let file = folder.join(Path::new(&last).with_extension("nas"));
    load::write(&file, STARTER.replace("NAME", &word).as_bytes())?;
    load::write(&folder.join(".gitignore"), b"*.run/\n*.build/\n")?;
    term.out(&format!("{}\n", file.display()));
    say(&format!("now: cd {name} && nasc run"));
    Ok(OK)
}

/// The name as the language writes names.
fn identifier(name: &str) -> Option<String> {
    let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let word = name.replace('-', "_").to_lowercase();
    // A keyword cannot name a search.
    let file = crate::base::FileId(0);
    let parses = crate::syntax::parse::parse(file, &format!("search {word} {{ data = x() }}")).1.is_empty();
    (good && parses).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(identifier("digits"), Some("digits".into()));
        assert_eq!(identifier("My-Search_2"), Some("my_search_2".into()));
        for wrong in ["", "2fast", "a.b", "für", "space", "a b"] {
            assert_eq!(identifier(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_starter_is_formatted() {
        let text = STARTER.replace("NAME", "digits");
        let mut sources = crate::base::Sources::default();
        let file = sources.add("digits.nas", text.as_str());
        assert_eq!(crate::syntax::print::format(&text, file).expect("it parses"), text);
    }
}
