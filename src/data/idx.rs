//! IDX, the format of MNIST (Y. `LeCun`, C. Cortes, C. Burges): `00 00 type rank`, extents as big-endian `u32`, values.

use std::path::{Path, PathBuf};

use super::dataset::{Contents, Dataset, Field, Target, Values};
use super::fault::{Fault, count};
use super::read::{self, Raw};
use crate::diag::codes;

/// One file: its extents, and the values in order.
pub(super) struct Array {
    pub name: String,
    /// Where the values begin, for messages.
    pub start: usize,
    /// Bytes a value.
    pub width: usize,
    pub shape: Vec<usize>,
    pub values: Values,
}

/// Reads one file.
pub(super) fn parse(raw: Raw) -> Result<Array, Fault> {
    let magic = raw.take(0, 4, "the magic number")?;
    if magic[0] != 0 || magic[1] != 0 {
        return Err(raw
            .corrupt(0, format!("an IDX file starts with 00 00, this one with {:02x} {:02x}", magic[0], magic[1]))
            .help("IDX is the format of the MNIST files `train-images-idx3-ubyte`, plain or gzipped"));
    }
    let (kind, rank) = (magic[2], magic[3] as usize);
    let width = match kind {
        0x08 | 0x09 => 1,
        0x0b => 2,
        0x0c | 0x0d => 4,
        0x0e => 8,
        _ => {
            return Err(
                raw.corrupt(2, format!("{kind:#04x} is not the type of an IDX file (08, 09, 0b, 0c, 0d or 0e)"))
            );
        }
    };
    if rank == 0 {
        return Err(raw.corrupt(3, "the file declares 0 dimensions"));
    }
    let mut shape = Vec::with_capacity(rank);
    for d in 0..rank {
        shape.push(raw.be32(4 + 4 * d, "the extents")? as usize);
    }
    let start = 4 + 4 * rank;
    let bytes = shape
        .iter()
        .try_fold(width, |n: usize, &e| n.checked_mul(e))
        .ok_or_else(|| raw.corrupt(4, format!("the extents {shape:?} are impossible")))?;
    let data = raw.take(start, bytes, &format!("the values of extents {shape:?}"))?;
    let end = start + bytes;
    if raw.bytes.len() > end {
        return Err(raw.corrupt(
            end,
            format!("the values of extents {shape:?} end here, but {} bytes follow", raw.bytes.len() - end),
        ));
    }
    let values = match kind {
        0x08 => Values::U8(data.to_vec()),
        0x09 => Values::I32(data.iter().map(|&b| i32::from(b as i8)).collect()),
        0x0b => Values::I32(data.as_chunks().0.iter().map(|&b| i32::from(i16::from_be_bytes(b))).collect()),
        0x0c => Values::I32(data.as_chunks().0.iter().map(|&b| i32::from_be_bytes(b)).collect()),
        0x0d => Values::F32(data.as_chunks().0.iter().map(|&b| f32::from_be_bytes(b)).collect()),
        _ => Values::F32(data.as_chunks().0.iter().map(|&b| f64::from_be_bytes(b) as f32).collect()),
    };
    Ok(Array { name: raw.name, start, width, shape, values })
}

/// Images and labels that belong together; `classes` is checked where it is given.
fn pair(images: Raw, labels: Raw, classes: Option<usize>) -> Result<(Array, Vec<i32>), Fault> {
    let images = parse(images)?;
    let array = parse(labels)?;
    if array.shape.len() != 1 {
        return Err(Fault::new(
            &codes::DATA_COUNTS,
            format!("`{}` should hold one label for each example, but its extents are {:?}", array.name, array.shape),
        )
        .help("are images and labels swapped?"));
    }
    let labels: Vec<i32> = match array.values {
        Values::U8(v) => v.into_iter().map(i32::from).collect(),
        Values::I32(v) => v,
        Values::F32(_) => {
            return Err(Fault::new(&codes::DATA_LABEL, format!("the labels in `{}` are not integers", array.name)));
        }
    };
    if images.shape[0] != labels.len() {
        return Err(Fault::new(
            &codes::DATA_COUNTS,
            format!(
                "`{}` has {} but `{}` has {}",
                images.name,
                count(images.shape[0], "example"),
                array.name,
                count(labels.len(), "label")
            ),
        )
        .help("the two files do not belong together"));
    }
    let limit = classes.unwrap_or(1 << 20);
    if let Some(i) = labels.iter().position(|&l| l < 0 || l as usize >= limit) {
        let byte = array.start + i * array.width;
        return Err(Fault::new(
            &codes::DATA_LABEL,
            format!("`{}`, byte {byte}: label {} is outside the {}", array.name, labels[i], count(limit, "class")),
        ));
    }
    Ok((images, labels))
}

/// A data set of a training pair and perhaps a test pair of (images, labels).
pub(super) fn build(
    name: &str,
    train: (Raw, Raw),
    test: Option<(Raw, Raw)>,
    names: Option<&[&str]>,
) -> Result<Dataset, Fault> {
    let limit = names.map(<[_]>::len);
    let (images, mut labels) = pair(train.0, train.1, limit)?;
    let (mut values, mut test_from) = (images.values, None);
    let shape = match images.shape[1..] {
        [] => vec![1],
        [h, w] => vec![1, h, w],
        ref other => other.to_vec(),
    };
    if let Some((x, y)) = test {
        let (more, also) = pair(x, y, limit)?;
        if more.shape[1..] != images.shape[1..] {
            return Err(Fault::new(
                &codes::DATA_COUNTS,
                format!(
                    "examples have extents {:?} in `{}` but {:?} in `{}`",
                    &images.shape[1..],
                    images.name,
                    &more.shape[1..],
                    more.name
                ),
            ));
        }
        test_from = Some(labels.len());
        labels.extend(also);
        values = match (values, more.values) {
            (Values::U8(mut a), Values::U8(b)) => {
                a.extend(b);
                Values::U8(a)
            }
            (Values::I32(mut a), Values::I32(b)) => {
                a.extend(b);
                Values::I32(a)
            }
            (Values::F32(mut a), Values::F32(b)) => {
                a.extend(b);
                Values::F32(a)
            }
            (a, b) => {
                return Err(Fault::new(
                    &codes::DATA_COUNTS,
                    format!("`{}` holds {} but `{}` holds {}", images.name, a.kind(), more.name, b.kind()),
                ));
            }
        };
    }
    let names = match names {
        Some(names) => names.iter().map(ToString::to_string).collect(),
        None => (0..=labels.iter().max().copied().unwrap_or(0)).map(|c| c.to_string()).collect(),
    };
    let field = if shape.len() == 3 { "image" } else { "features" };
    Dataset::new(Contents {
        name: name.to_string(),
        inputs: vec![Field { name: field.to_string(), shape, values }],
        target: Target::Classes { labels, names },
        test_from,
    })
}

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CLOTHES: [&str; 10] =
    ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

/// The embedded digits: 1,437 and 360 of 8×8, pixels 0 to 16.
pub(super) fn digits() -> Result<Dataset, Fault> {
    macro_rules! part {
        ($file:literal) => {
            read::unpack(
                concat!("digits/", $file).to_string(),
                include_bytes!(concat!("../../stdlib/data/digits/", $file, ".gz")).to_vec(),
            )?
        };
    }
    build(
        "digits",
        (part!("train-images-idx3-ubyte"), part!("train-labels-idx1-ubyte")),
        Some((part!("t10k-images-idx3-ubyte"), part!("t10k-labels-idx1-ubyte"))),
        Some(&DIGITS),
    )
}

/// MNIST in a folder.
pub(super) fn mnist(dir: &Path) -> Result<Dataset, Fault> {
    folder(dir, Some(&DIGITS))
}

/// Fashion-MNIST (Xiao et al. 2017) in a folder: the same files, other pictures.
pub(super) fn fashion(dir: &Path) -> Result<Dataset, Fault> {
    folder(dir, Some(&CLOTHES))
}

/// Any IDX files in a folder, named as those of MNIST.
pub(super) fn folder(dir: &Path, names: Option<&[&str]>) -> Result<Dataset, Fault> {
    let files = read::folder(dir)?;
    let train = (one(dir, &files, &["train"], "images")?, one(dir, &files, &["train"], "labels")?);
    let test = (one(dir, &files, &["t10k", "test"], "images")?, one(dir, &files, &["t10k", "test"], "labels")?);
    let need = |found: Option<PathBuf>, what: &str| {
        let file = found.ok_or_else(|| {
            Fault::new(&codes::DATA_MISSING, format!("`{}` has no file `{what}`", dir.display()))
                .help("a folder of IDX files has `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and, for testing, the same with `t10k`; each may be gzipped")
        })?;
        read::file(&file)
    };
    let name = read::last(dir);
    let pair = (need(train.0, "train-images-idx3-ubyte")?, need(train.1, "train-labels-idx1-ubyte")?);
    let tested = match test {
        (None, None) => None,
        (x, y) => Some((need(x, "t10k-images-idx3-ubyte")?, need(y, "t10k-labels-idx1-ubyte")?)),
    };
    build(&name, pair, tested, names)
}

/// The file for one role; a plain file goes before its gzipped copy.
fn one(dir: &Path, files: &[PathBuf], parts: &[&str], what: &str) -> Result<Option<PathBuf>, Fault> {
    let fits = |p: &&PathBuf| {
        let name = read::last(p);
        name.contains("idx") && name.contains(what) && parts.iter().any(|part| name.contains(part))
    };
    let mut found: Vec<&PathBuf> = files.iter().filter(fits).collect();
    found.dedup_by_key(|p| read::last(p).trim_end_matches(".gz").to_string());
    match found[..] {
        [] => Ok(None),
        [file] => Ok(Some(file.clone())),
        [a, b, ..] => Err(Fault::new(
            &codes::DATA_COUNTS,
            format!(
                "`{}` has two files for the {} {what}: `{}` and `{}`",
                dir.display(),
                parts[0],
                read::last(a),
                read::last(b)
            ),
        )
        .help("keep one data set in a folder")),
    }
}

/// Two files, named one by one.
pub(super) fn files(images: &Path, labels: &Path) -> Result<Dataset, Fault> {
    build(&read::last(images), (read::file(images)?, read::file(labels).map_err(|f| f.param("labels"))?), None, None)
}
