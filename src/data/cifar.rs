//! CIFAR-10 and CIFAR-100 in their binary version (A. Krizhevsky 2009): records of one or two label bytes and
//! 3 × 32 × 32 pixels, plane after plane, without a header.

use std::path::{Path, PathBuf};

use super::dataset::{Contents, Dataset, Field, Target, Values};
use super::fault::{Fault, count};
use super::read;
use crate::diag::codes;

const PIXELS: usize = 3 * 32 * 32;
const TEN: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Where the label stands and how many classes there are.
struct Form {
    header: usize,
    label: usize,
    names: Vec<String>,
}

/// A folder of five batches and a test batch, or one file.
pub(super) fn cifar10(path: &Path) -> Result<Dataset, Fault> {
    let form = Form { header: 1, label: 0, names: TEN.iter().map(ToString::to_string).collect() };
    if path.is_file() {
        return build(path, &[path.to_path_buf()], &[], &form);
    }
    let dir = inner(path, "cifar-10-batches-bin");
    let train: Vec<PathBuf> = (1..=5).map(|i| batch(&dir, &format!("data_batch_{i}.bin"))).collect::<Result<_, _>>()?;
    build(path, &train, &[batch(&dir, "test_batch.bin")?], &form)
}

/// A folder with `train.bin` and `test.bin`, or one file; coarse labels have 20 classes, fine ones 100.
pub(super) fn cifar100(path: &Path, coarse: bool) -> Result<Dataset, Fault> {
    let (label, classes, list) =
        if coarse { (0, 20, "coarse_label_names.txt") } else { (1, 100, "fine_label_names.txt") };
    let dir = if path.is_file() {
        path.parent().unwrap_or(Path::new("")).to_path_buf()
    } else {
        inner(path, "cifar-100-binary")
    };
    let numbers = || (0..classes).map(|c| c.to_string()).collect();
    let names: Vec<String> = match std::fs::read_to_string(dir.join(list)) {
        Ok(text) => text.lines().filter(|l| !l.trim().is_empty()).map(|l| l.trim().to_string()).collect(),
        Err(_) => numbers(),
    };
    let form = Form { header: 2, label, names: if names.len() == classes { names } else { numbers() } };
    if path.is_file() {
        return build(path, &[path.to_path_buf()], &[], &form);
    }
    build(path, &[batch(&dir, "train.bin")?], &[batch(&dir, "test.bin")?], &form)
}

/// The folder that the archive unpacks to, where `path` holds it.
fn inner(path: &Path, name: &str) -> PathBuf {
    let dir = path.join(name);
    if dir.is_dir() { dir } else { path.to_path_buf() }
}

fn batch(dir: &Path, name: &str) -> Result<PathBuf, Fault> {
    let plain = dir.join(name);
    let packed = dir.join(format!("{name}.gz"));
    if plain.exists() {
        return Ok(plain);
    }
    if packed.exists() {
        return Ok(packed);
    }
    read::folder(dir)?;
    Err(Fault::new(&codes::DATA_MISSING, format!("`{}` has no file `{name}`", dir.display()))
        .help("the binary version of CIFAR is needed (not the one for Python or MATLAB); a single batch may be named as a file"))
}

fn build(path: &Path, train: &[PathBuf], test: &[PathBuf], form: &Form) -> Result<Dataset, Fault> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for file in train {
        append(file, form, &mut pixels, &mut labels)?;
    }
    let test_from = (!test.is_empty()).then_some(labels.len());
    for file in test {
        append(file, form, &mut pixels, &mut labels)?;
    }
    Dataset::new(Contents {
        name: read::last(path),
        inputs: vec![Field { name: "image".into(), shape: vec![3, 32, 32], values: Values::U8(pixels) }],
        target: Target::Classes { labels, names: form.names.clone() },
        test_from,
    })
}

fn append(path: &Path, form: &Form, pixels: &mut Vec<u8>, labels: &mut Vec<i32>) -> Result<(), Fault> {
    let raw = read::file(path)?;
    let record = form.header + PIXELS;
    if raw.bytes.is_empty() {
        return Err(Fault::new(&codes::DATA_EMPTY, format!("`{}` has no examples: the file is empty", raw.name)));
    }
    let whole = raw.bytes.len() / record;
    if raw.bytes.len() % record != 0 {
        return Err(raw.short((whole + 1) * record, &format!("{} of {record} bytes each", count(whole + 1, "record"))));
    }
    for (i, bytes) in raw.bytes.chunks_exact(record).enumerate() {
        let label = bytes[form.label];
        if usize::from(label) >= form.names.len() {
            let byte = i * record + form.label;
            let what = format!(
                "`{}`, byte {byte} (record {i}): label {label} is outside the {}",
                raw.name,
                count(form.names.len(), "class")
            );
            return Err(Fault::new(&codes::DATA_LABEL, what).help("is this the binary version of the right data set? CIFAR-10 has records of 3,073 bytes, CIFAR-100 of 3,074"));
        }
        labels.push(i32::from(label));
        pixels.extend(&bytes[form.header..]);
    }
    Ok(())
}
