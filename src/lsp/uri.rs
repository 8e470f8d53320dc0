//! Paths as the protocol names them.

use std::path::{Path, PathBuf};

/// The path of a `file:` URI.
pub fn to_path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    // `file://host/path`: other machines are not reached.
    let path = rest.find('/').map(|i| &rest[i..])?;
    let mut bytes = Vec::with_capacity(path.len());
    let mut it = path.bytes();
    while let Some(b) = it.next() {
        if b != b'%' {
            bytes.push(b);
            continue;
        }
        let hex = |b: Option<u8>| b.and_then(|b| (b as char).to_digit(16));
        bytes.push((hex(it.next())? * 16 + hex(it.next())?) as u8);
    }
    let text = String::from_utf8(bytes).ok()?;
    // `/c:/x`
    let drive = text.len() > 2 && text.as_bytes()[2] == b':' && text.as_bytes()[1].is_ascii_alphabetic();
    Some(PathBuf::from(if drive && cfg!(windows) { &text[1..] } else { &text }))
}

/// The URI of a path, made absolute if it is not.
pub fn of_path(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let text = path.to_string_lossy().replace('\\', "/");
    let mut out = String::from(if text.starts_with('/') { "file://" } else { "file:///" });
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(b as char),
            b':' if cfg!(windows) => out.push(':'),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

/// One and the same text for all spellings of a file's URI.
pub fn canonical(uri: &str) -> String {
    to_path(uri).map_or_else(|| uri.to_string(), |p| of_path(&p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive() {
        for path in ["/a/b.nas", "/with space/ä%20.nas", "/p[1]/c:d.nas"] {
            let uri = of_path(Path::new(path));
            assert_eq!(to_path(&uri), Some(PathBuf::from(path)), "{uri}");
        }
        assert_eq!(canonical("file:///a%62c.nas"), "file:///abc.nas");
        assert_eq!(to_path("untitled:Untitled-1"), None);
        assert_eq!(to_path("file:///a%2"), None);
    }
}
