//! A benchmark's results as a table: one row for each architecture, found by its text, numbers in the columns
//! (NAS-Bench-201, Dong & Yang 2020, has 15,625).

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::csv::{body, cell, number, separator};
use super::fault::{Fault, count};
use super::read;
use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};

/// Rows by the text in the key column, all other columns as numbers where they are numbers.
#[derive(Clone, Debug)]
pub struct Table {
    file: String,
    key: String,
    columns: Vec<String>,
    keys: Vec<String>,
    /// Row numbers in the order of the keys.
    order: Vec<u32>,
    /// Each row's line in the file.
    lines: Vec<u32>,
    /// Row-major; NaN where the cell is empty or text.
    cells: Vec<f64>,
}

impl Table {
    /// Reads a CSV file with a header, plain or gzipped; `key` names the column of architectures, which must differ.
    /// Faults blame the parameter `path` or `key`.
    pub fn read(path: &Path, key: &str) -> Result<Self, Fault> {
        let raw = read::file(path).map_err(|f| f.param("path"))?;
        let text = body(&raw);
        let mut reader =
            ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator(text)).from_reader(text);
        let mut record = ByteRecord::new();
        let broken = |e: &csv::Error| {
            Fault::new(&codes::DATA_CORRUPT, format!("`{}` is not a table: {e}", raw.name)).param("path")
        };
        let empty =
            || Fault::new(&codes::DATA_EMPTY, format!("`{}` has no rows below its header", raw.name)).param("path");
        if !reader.read_byte_record(&mut record).map_err(|e| broken(&e))? {
            return Err(empty());
        }
        let columns: Vec<String> = (0..record.len()).map(|i| cell(&record, i)).collect();
        let at = named(&raw.name, &columns, key).map_err(|f| f.param("key"))?;
        let mut table = Self {
            file: raw.name.clone(),
            key: key.into(),
            columns,
            keys: vec![],
            order: vec![],
            lines: vec![],
            cells: vec![],
        };
        while reader.read_byte_record(&mut record).map_err(|e| broken(&e))? {
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() != table.columns.len() {
                let have = count(record.len(), "column");
                let what = format!("`{}`, line {line}: {have} instead of {}", raw.name, table.columns.len());
                return Err(Fault::new(&codes::DATA_COUNTS, what).param("path"));
            }
            for (i, bytes) in record.iter().enumerate() {
                let x = if i == at { None } else { std::str::from_utf8(bytes).ok().and_then(|t| number(t.trim())) };
                table.cells.push(x.unwrap_or(f64::NAN));
            }
            table.keys.push(cell(&record, at));
            table.lines.push(line as u32);
        }
        if table.keys.is_empty() {
            return Err(empty());
        }
        table.order = (0..table.keys.len() as u32).collect();
        table.order.sort_by(|&a, &b| table.keys[a as usize].cmp(&table.keys[b as usize]));
        for pair in table.order.windows(2) {
            let (a, b) = (pair[0] as usize, pair[1] as usize);
            if table.keys[a] == table.keys[b] {
                let what = format!(
                    "`{}`, lines {} and {}, both hold `{}`",
                    raw.name, table.lines[a], table.lines[b], table.keys[a]
                );
                return Err(Fault::new(&codes::DATA_ROW, what)
                    .help("every architecture has one row: is this the column that tells them apart?")
                    .param("key"));
            }
        }
        Ok(table)
    }

    /// As [`Table::read`], with the fault at `span`.
    pub fn open(path: &Path, key: &str, span: Span) -> Result<Self, Diagnostic> {
        Self::read(path, key).map_err(|f| f.at(span))
    }

    /// How many rows there are, at least one.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Never: a table has at least one row.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The header.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The architectures, row by row.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The number of a column.
    pub fn column(&self, name: &str, span: Span) -> Result<usize, Diagnostic> {
        named(&self.file, &self.columns, name).map_err(|f| f.at(span))
    }

    /// The row of an architecture, if there is one.
    pub fn find(&self, key: &str) -> Option<usize> {
        self.order.binary_search_by(|&r| self.keys[r as usize].as_str().cmp(key)).ok().map(|i| self.order[i] as usize)
    }

    /// The row of an architecture.
    pub fn row(&self, key: &str, span: Span) -> Result<usize, Diagnostic> {
        self.find(key).ok_or_else(|| {
            let what = format!("`{}` has no row whose `{}` is `{key}`", self.file, self.key);
            Diagnostic::new(&codes::DATA_ROW, span, what)
                .note(format!("it has {}; the first is `{}`", count(self.len(), "row"), self.keys[0]))
                .help("the table's keys must be written as the space prints its candidates")
        })
    }

    /// The number in a row and column, if there is one.
    pub fn get(&self, row: usize, column: usize) -> Option<f64> {
        self.cells.get(row * self.columns.len() + column).copied().filter(|x| !x.is_nan())
    }

    /// The number in a row and column.
    pub fn number(&self, row: usize, column: usize, span: Span) -> Result<f64, Diagnostic> {
        self.get(row, column).ok_or_else(|| {
            let (line, name) = (self.lines[row], &self.columns[column]);
            Diagnostic::new(
                &codes::DATA_ROW,
                span,
                format!("`{}`, line {line}: no number in column `{name}`", self.file),
            )
            .help(format!("columns of numbers are {}", self.numeric().join(", ")))
        })
    }

    /// The least and the largest number of a column.
    pub fn range(&self, column: usize) -> Option<(f64, f64)> {
        (0..self.len())
            .filter_map(|r| self.get(r, column))
            .fold(None, |best, x| Some(best.map_or((x, x), |(lo, hi): (f64, f64)| (lo.min(x), hi.max(x)))))
    }

    /// The columns that hold a number in every row.
    pub fn numeric(&self) -> Vec<String> {
        let whole = |c: &usize| (0..self.len()).all(|r| self.get(r, *c).is_some());
        (0..self.columns.len()).filter(whole).map(|c| self.columns[c].clone()).collect()
    }
}

fn named(file: &str, columns: &[String], name: &str) -> Result<usize, Fault> {
    columns.iter().position(|c| c == name).ok_or_else(|| {
        let f = Fault::new(&codes::DATA_COLUMN, format!("`{file}` has no column `{name}`"));
        match did_you_mean(name, columns.iter().map(String::as_str)) {
            Some(near) => f.help(format!("did you mean `{near}`?")),
            None => f.help(format!("it has {}", columns.join(", "))),
        }
    })
}
