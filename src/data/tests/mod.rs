//! Tests of the data module, by subject.

mod gather;
mod parts;
mod robust;
mod sources;

use std::path::Path;

use super::*;
use crate::base::Span;
use crate::diag::Diagnostic;

/// The digits, which need no file.
fn digits() -> Dataset {
    call("digits", Path::new(""), vec![]).expect("embedded")
}

/// Opens a source with positional (`None`) and named arguments.
fn call(name: &str, base: &Path, args: Vec<(Option<&str>, Value)>) -> Result<Dataset, Diagnostic> {
    let args = args
        .into_iter()
        .enumerate()
        .map(|(i, (name, value))| Arg {
            name: name.map(str::to_string),
            value,
            span: Span { start: i as u32 + 1, ..Span::default() },
        })
        .collect();
    open(&DataCall { name: name.into(), args, span: Span::default(), base: base.into() })
}

fn text(s: &str) -> Value {
    Value::Text(s.into())
}

/// A data set of `sizes[c]` examples of class c, in turns, with one feature that counts.
fn made(sizes: &[usize]) -> Dataset {
    let mut left = sizes.to_vec();
    let mut labels = vec![];
    while left.iter().any(|&n| n > 0) {
        for (c, n) in left.iter_mut().enumerate().filter(|(_, n)| **n > 0) {
            labels.push(c as i32);
            *n -= 1;
        }
    }
    Dataset::new(Contents {
        name: "made".into(),
        inputs: vec![Field {
            name: "x".into(),
            shape: vec![1],
            values: Values::F32((0..labels.len()).map(|i| i as f32).collect()),
        }],
        target: Target::Classes { labels, names: (0..sizes.len()).map(|c| format!("c{c}")).collect() },
        test_from: None,
    })
    .expect("made")
}

fn split(data: &Dataset, f: [f64; 3], seed: u64) -> Result<Split, Diagnostic> {
    Split::new(data, Fractions { search: f[0], select: f[1], test: Some(f[2]) }, seed, Span::default())
}

/// The parts where nothing is asked for.
fn standard(data: &Dataset) -> Split {
    Split::new(data, Fractions::standard(data), 0, Span::default()).expect("split")
}
