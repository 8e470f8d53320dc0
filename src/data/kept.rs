//! Data sets that stay open between checks, each as long as its files stay as they are.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::call::{self, DataCall, Value};
use super::dataset::Dataset;
use crate::base::hash::hash128;
use crate::diag::Diagnostic;

/// Most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 1000;

/// What the files under a path are like: their names, sizes and times of change, folders one level deep. Another value
/// when something changed; reads no file.
pub fn stamp(path: &Path) -> u128 {
    let mut bytes = Vec::new();
    let Ok(m) = path.metadata() else { return 0 };
    let mut add = |m: &std::fs::Metadata| {
        let time = m.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_nanos());
        bytes.extend(time.to_le_bytes());
        bytes.extend(m.len().to_le_bytes());
    };
    add(&m);
    if let Some(entries) = m.is_dir().then(|| std::fs::read_dir(path).ok()).flatten() {
        let mut entries: Vec<_> = entries.flatten().take(MAX_ENTRIES).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        entries.iter().filter_map(|e| e.metadata().ok()).for_each(|m| add(&m));
    }
    hash128(&bytes)
}

/// Opened data sets.
#[derive(Debug, Default)]
pub struct Kept {
    all: BTreeMap<String, (u128, Dataset)>,
}

impl Kept {
    /// What [`super::open`] gives, from memory where the files are as they were.
    pub fn open(&mut self, call: &DataCall) -> Result<Dataset, Diagnostic> {
        let paths = call.args.iter().filter_map(|a| match &a.value {
            Value::Text(t) => Some(call.base.join(t)),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => None,
        });
        let now = paths.fold(0u128, |all, p| all.rotate_left(1) ^ stamp(&p));
        let args: Vec<_> = call.args.iter().map(|a| (&a.name, &a.value)).collect();
        let key = format!("{} {args:?} {}", call.name, call.base.display());
        if let Some((then, data)) = self.all.get(&key)
            && *then == now
        {
            return Ok(data.clone());
        }
        // The old one goes first: both at once may be too much.
        self.all.remove(&key);
        let data = call::open(call)?;
        self.all.insert(key, (now, data.clone()));
        Ok(data)
    }

    /// Closes all.
    pub fn clear(&mut self) {
        self.all.clear();
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::data::Arg;

    #[test]
    fn a_data_set_is_read_again_when_its_file_changes() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("d.csv");
        let rows = |n: usize| (0..n).map(|i| format!("{i},{}", i % 2)).collect::<Vec<_>>().join("\n");
        std::fs::write(&path, format!("a,class\n{}", rows(20))).expect("written");
        let arg = Arg { name: None, value: Value::Text("d.csv".into()), span: Span::default() };
        let call = DataCall { name: "csv".into(), args: vec![arg], span: Span::default(), base: dir.path().into() };
        let mut kept = Kept::default();
        let first = kept.open(&call).expect("read");
        let again = kept.open(&call).expect("kept");
        assert!(std::ptr::eq(&raw const *first, &raw const *again), "the same, not a second reading");
        std::fs::write(&path, format!("a,class\n{}", rows(30))).expect("written");
        assert_eq!(kept.open(&call).expect("read").len(), 30);
        std::fs::remove_file(&path).expect("gone");
        assert!(kept.open(&call).is_err());
        std::fs::write(&path, format!("a,class\n{}", rows(30))).expect("written");
        assert_eq!(kept.open(&call).expect("read").len(), 30);
        kept.clear();
        assert!(kept.is_empty());
    }
}
