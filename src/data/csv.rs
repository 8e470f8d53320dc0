//! Tables of examples as text: one row an example, one column the target, all others numbers.

use std::collections::BTreeMap;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::dataset::{Contents, Dataset, Field, Target, Values};
use super::fault::{Fault, count};
use super::read::{self, Raw};
use crate::diag::{codes, did_you_mean};

/// A column by name, or by number: from 0, or from the end when negative.
pub(super) enum Column {
    Name(String),
    Number(i64),
}

/// What the target is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Auto,
    Classes,
    Numbers,
}

/// As many different integers as `auto` takes for classes.
const CLASSES: usize = 100;

struct Rows {
    file: String,
    /// The target's name, where there is a header.
    target: String,
    width: usize,
    features: Vec<f32>,
    /// The line and the text of each target.
    targets: Vec<(u64, String)>,
}

/// Reads a table, and perhaps a second one as the test part.
pub(super) fn open(path: &Path, test: Option<&Path>, target: &Column, kind: Kind) -> Result<Dataset, Fault> {
    let mut rows = parse(&read::file(path)?, target)?;
    let mut test_from = None;
    if let Some(test) = test {
        let more = read::file(test).and_then(|raw| parse(&raw, target)).map_err(|f| f.param("test"))?;
        if more.width != rows.width {
            return Err(Fault::new(
                &codes::DATA_COUNTS,
                format!("`{}` has {} but `{}` has {}", rows.file, count(rows.width, "feature"), more.file, more.width),
            )
            .param("test"));
        }
        test_from = Some(rows.targets.len());
        rows.features.extend(more.features);
        rows.targets.extend(more.targets);
    }
    let train = test_from.unwrap_or(rows.targets.len());
    let target = predict(&rows, train, kind)?;
    Dataset::new(Contents {
        name: read::last(path),
        inputs: vec![Field { name: "features".into(), shape: vec![rows.width], values: Values::F32(rows.features) }],
        target,
        test_from,
    })
}

/// The separator that is most frequent in the first line.
pub(super) fn separator(bytes: &[u8]) -> u8 {
    let line = bytes.split(|&b| b == b'\n').next().unwrap_or(&[]);
    let many = |s: u8| line.split(|&b| b == s).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|&s| many(s)).unwrap_or(b',')
}

/// A cell as text without surrounding blanks.
pub(super) fn cell(record: &ByteRecord, i: usize) -> String {
    String::from_utf8_lossy(record.get(i).unwrap_or(&[])).trim().to_string()
}

pub(super) fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|x| x.is_finite())
}

/// The text without a byte-order mark.
pub(super) fn body(raw: &Raw) -> &[u8] {
    raw.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&raw.bytes)
}

fn parse(raw: &Raw, target: &Column) -> Result<Rows, Fault> {
    let text = body(raw);
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator(text)).from_reader(text);
    let mut record = ByteRecord::new();
    let broken = |e: &csv::Error| Fault::new(&codes::DATA_CORRUPT, format!("`{}` is not a table: {e}", raw.name));
    if !reader.read_byte_record(&mut record).map_err(|e| broken(&e))? {
        return Err(Fault::new(&codes::DATA_EMPTY, format!("`{}` has no examples: the file is empty", raw.name)));
    }
    let width = record.len();
    let first: Vec<String> = (0..width).map(|i| cell(&record, i)).collect();
    let column = match target {
        Column::Name(name) => first.iter().position(|c| c == name).ok_or_else(|| {
            let f = Fault::new(&codes::DATA_COLUMN, format!("`{}`, line 1: no column is called `{name}`", raw.name))
                .param("target");
            match did_you_mean(name, first.iter().map(String::as_str)) {
                Some(near) => f.help(format!("did you mean `{near}`?")),
                None => f.help(format!(
                    "the first line has {}; without a header, give the column's number",
                    first.join(", ")
                )),
            }
        })?,
        Column::Number(n) => {
            let at = if *n < 0 { width as i64 + n } else { *n };
            usize::try_from(at).ok().filter(|&at| at < width).ok_or_else(|| {
                Fault::new(
                    &codes::DATA_COLUMN,
                    format!("`{}` has {}, so there is no column {n}", raw.name, count(width, "column")),
                )
                .param("target")
                .help("columns count from 0, or from the end with -1")
            })?
        }
    };
    if width < 2 {
        return Err(Fault::new(
            &codes::DATA_COUNTS,
            format!("`{}` has one column only, so nothing is left to predict it from", raw.name),
        ));
    }
    let named = matches!(target, Column::Name(_))
        || (0..width).all(|i| i == column || number(&first[i]).is_none() && !first[i].is_empty());
    let place = |line: u64, i: usize| {
        let called = if named { format!(" (`{}`)", first[i]) } else { String::new() };
        format!("`{}`, line {line}, column {}{called}", raw.name, i + 1)
    };
    let mut rows = Rows {
        file: raw.name.clone(),
        target: if named { first[column].clone() } else { "target".into() },
        width: width - 1,
        features: vec![],
        targets: vec![],
    };
    let mut more = !named || reader.read_byte_record(&mut record).map_err(|e| broken(&e))?;
    while more {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != width {
            return Err(Fault::new(
                &codes::DATA_COUNTS,
                format!("`{}`, line {line}: {} instead of {width}", raw.name, count(record.len(), "column")),
            ));
        }
        for i in 0..width {
            let text = cell(&record, i);
            if text.is_empty() {
                return Err(Fault::new(&codes::DATA_VALUE, format!("{}: the value is missing", place(line, i)))
                    .help("fill in or drop missing values first"));
            }
            if i == column {
                rows.targets.push((line, text));
                continue;
            }
            match number(&text).map(|x| x as f32).filter(|x| x.is_finite()) {
                Some(x) => rows.features.push(x),
                None => {
                    return Err(Fault::new(
                        &codes::DATA_VALUE,
                        format!("{}: `{text}` is not a number", place(line, i)),
                    )
                    .help(
                        "features are numbers: write categories as columns of 0 and 1, fill in or drop missing values",
                    ));
                }
            }
        }
        more = reader.read_byte_record(&mut record).map_err(|e| broken(&e))?;
    }
    if rows.targets.is_empty() {
        return Err(Fault::new(&codes::DATA_EMPTY, format!("`{}` has no examples: only a header", raw.name)));
    }
    Ok(rows)
}

/// Classes are those of the first `train` rows.
fn predict(rows: &Rows, train: usize, kind: Kind) -> Result<Target, Fault> {
    let parsed: Vec<Option<f64>> = rows.targets.iter().map(|(_, t)| number(t)).collect();
    let numbers = parsed.iter().flatten().count();
    let odd = parsed.iter().position(Option::is_none);
    let lonely = odd.is_some() && numbers * 10 >= parsed.len() * 9;
    if let Some(i) = odd
        && (kind == Kind::Numbers || kind == Kind::Auto && lonely)
    {
        let (line, text) = &rows.targets[i];
        return Err(Fault::new(
            &codes::DATA_VALUE,
            format!("`{}`, line {line}: the target `{text}` is not a number", rows.file),
        )
        .help("if it is a class, write `kind = \"classes\"`"));
    }
    let whole = parsed.iter().flatten().all(|x| x.fract() == 0.0);
    let mut classes: BTreeMap<(bool, i64, &str), i32> = BTreeMap::new();
    for ((_, text), x) in rows.targets[..train].iter().zip(&parsed) {
        // Integers in the order of their values, then all others in the order of their text.
        let key = x.filter(|x| x.fract() == 0.0 && x.abs() < 9e15).map_or((true, 0), |x| (false, x as i64));
        classes.insert((key.0, key.1, text), 0);
    }
    if kind == Kind::Numbers || kind == Kind::Auto && odd.is_none() && (!whole || classes.len() > CLASSES) {
        let values = parsed.iter().flatten().map(|&x| x as f32).collect();
        return Ok(Target::Numbers(Field { name: rows.target.clone(), shape: vec![1], values: Values::F32(values) }));
    }
    for (i, label) in classes.values_mut().enumerate() {
        *label = i as i32;
    }
    let by_text: BTreeMap<&str, i32> = classes.iter().map(|(k, &v)| (k.2, v)).collect();
    let mut labels = Vec::with_capacity(rows.targets.len());
    for (line, text) in &rows.targets {
        let Some(&label) = by_text.get(text.as_str()) else {
            return Err(Fault::new(
                &codes::DATA_LABEL,
                format!("line {line} of the test table has class `{text}`, which is not in `{}`", rows.file),
            )
            .param("test"));
        };
        labels.push(label);
    }
    Ok(Target::Classes { labels, names: classes.keys().map(|k| k.2.to_string()).collect() })
}
