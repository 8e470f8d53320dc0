//! NPY (NEP 1, versions 1 to 3): a text header with type, order and shape, then the values.
//!
//! The extents are compared with the file's length before anything is allocated, so that a corrupt header is an error
//! and not an exhausted memory.

use std::path::Path;

use super::dataset::{Contents, Dataset, Field, Target, Values};
use super::fault::{Fault, count};
use super::read::{self, Raw};
use crate::diag::codes;

/// One array in row-major order. Bytes and booleans stay bytes, other integers become `i32`, real numbers `f32`.
pub(super) struct Array {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Values,
}

/// What the header says.
struct Header {
    big: bool,
    kind: u8,
    width: usize,
    columns_first: bool,
    shape: Vec<usize>,
    start: usize,
}

/// Two files.
pub(super) fn open(inputs: &Path, targets: &Path) -> Result<Dataset, Fault> {
    let x = parse(&read::file(inputs).map_err(|f| f.param("inputs"))?).map_err(|f| f.param("inputs"))?;
    let y = parse(&read::file(targets).map_err(|f| f.param("targets"))?).map_err(|f| f.param("targets"))?;
    build(&read::last(inputs), (x, y), None)
}

/// A data set of arrays; the second pair is the test part.
pub(super) fn build(name: &str, train: (Array, Array), test: Option<(Array, Array)>) -> Result<Dataset, Fault> {
    let (mut x, mut y) = matched(train)?;
    let mut test_from = None;
    if let Some(pair) = test {
        let (tx, ty) = matched(pair)?;
        test_from = Some(x.shape[0]);
        x = joined(x, tx)?;
        y = joined(y, ty)?;
    }
    let shape = match x.shape[1..] {
        [] => vec![1],
        [h, w] if matches!(x.values, Values::U8(_)) => vec![1, h, w],
        ref other => other.to_vec(),
    };
    let ints = |v: Vec<i32>| -> Result<Target, Fault> {
        if y.shape.iter().skip(1).any(|&e| e != 1) {
            return Err(Fault::new(
                &codes::DATA_COUNTS,
                format!("`{}` has integers of shape {:?}; labels are one for each example", y.name, y.shape),
            )
            .help("save class indices, or convert the targets to floating-point numbers"));
        }
        if let Some(i) = v.iter().position(|&l| !(0..1 << 20).contains(&l)) {
            return Err(Fault::new(
                &codes::DATA_LABEL,
                format!("`{}`: label {} of example {i} is not the index of a class", y.name, v[i]),
            ));
        }
        let most = v.iter().max().copied().unwrap_or(0);
        Ok(Target::Classes { labels: v, names: (0..=most).map(|c| c.to_string()).collect() })
    };
    let target = match y.values {
        Values::U8(v) => ints(v.into_iter().map(i32::from).collect())?,
        Values::I32(v) => ints(v)?,
        Values::F32(v) => {
            let shape = if y.shape.len() == 1 { vec![1] } else { y.shape[1..].to_vec() };
            Target::Numbers(Field { name: "target".into(), shape, values: Values::F32(v) })
        }
    };
    let field = match (&x.values, shape.len()) {
        (_, 3) => "image",
        (Values::I32(_), _) => "tokens",
        _ => "features",
    };
    Dataset::new(Contents {
        name: name.to_string(),
        inputs: vec![Field { name: field.into(), shape, values: x.values }],
        target,
        test_from,
    })
}

fn matched((x, y): (Array, Array)) -> Result<(Array, Array), Fault> {
    for a in [&x, &y] {
        if a.shape.is_empty() {
            return Err(Fault::new(
                &codes::DATA_COUNTS,
                format!("`{}` is a single number, not one for each example", a.name),
            ));
        }
    }
    if x.shape[0] != y.shape[0] {
        return Err(Fault::new(
            &codes::DATA_COUNTS,
            format!(
                "`{}` has {} but `{}` has {}",
                x.name,
                count(x.shape[0], "example"),
                y.name,
                count(y.shape[0], "target")
            ),
        ));
    }
    if x.values.is_empty() {
        return Err(Fault::new(
            &codes::DATA_EMPTY,
            format!("`{}` has no examples: its shape is {:?}", x.name, x.shape),
        ));
    }
    Ok((x, y))
}

fn joined(a: Array, b: Array) -> Result<Array, Fault> {
    if a.shape[1..] != b.shape[1..] {
        return Err(Fault::new(
            &codes::DATA_COUNTS,
            format!("`{}` has shape {:?} but `{}` has {:?}", a.name, a.shape, b.name, b.shape),
        ));
    }
    let values = match (a.values, b.values) {
        (Values::U8(x), Values::U8(y)) => Values::U8([x, y].concat()),
        (Values::I32(x), Values::I32(y)) => Values::I32([x, y].concat()),
        (Values::F32(x), Values::F32(y)) => Values::F32([x, y].concat()),
        (x, y) => {
            return Err(Fault::new(
                &codes::DATA_COUNTS,
                format!("`{}` holds {} but `{}` holds {}", a.name, x.kind(), b.name, y.kind()),
            ));
        }
    };
    let mut shape = a.shape;
    shape[0] += b.shape[0];
    Ok(Array { name: a.name, shape, values })
}

/// Reads one array.
pub(super) fn parse(raw: &Raw) -> Result<Array, Fault> {
    let h = header(raw)?;
    let n = h.shape.iter().try_fold(1usize, |n, &e| n.checked_mul(e));
    let bytes = n
        .and_then(|n| n.checked_mul(h.width))
        .ok_or_else(|| raw.corrupt(10, format!("the shape {:?} is impossible", h.shape)))?;
    let data = raw.take(h.start, bytes, &format!("the values of shape {:?}", h.shape))?;
    if raw.bytes.len() > h.start + bytes {
        return Err(
            raw.corrupt(h.start + bytes, format!("the values of shape {:?} end here, but more follows", h.shape))
        );
    }
    let mut values = decode(raw, &h, data)?;
    if h.columns_first && h.shape.len() > 1 {
        values = match values {
            Values::U8(v) => Values::U8(rows_first(&v, &h.shape)),
            Values::I32(v) => Values::I32(rows_first(&v, &h.shape)),
            Values::F32(v) => Values::F32(rows_first(&v, &h.shape)),
        };
    }
    Ok(Array { name: raw.name.clone(), shape: h.shape, values })
}

fn header(raw: &Raw) -> Result<Header, Fault> {
    if raw.take(0, 8, "the magic string")?[..6] != *b"\x93NUMPY" {
        return Err(raw.corrupt(0, "an NPY file starts with `\\x93NUMPY`").help("save the array with `numpy.save`"));
    }
    let (at, len) = match raw.bytes[6] {
        1 => {
            let b = raw.take(8, 2, "the header's length")?;
            (10, u16::from_le_bytes([b[0], b[1]]) as usize)
        }
        2 | 3 => {
            let b = raw.take(8, 4, "the header's length")?;
            (12, u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)
        }
        v => return Err(raw.corrupt(6, format!("version {v} of NPY is not known"))),
    };
    let text = String::from_utf8_lossy(raw.take(at, len, "the header")?).into_owned();
    let wrong = |what: &str| {
        raw.corrupt(at, format!("the header has no {what}: `{}`", text.trim().chars().take(120).collect::<String>()))
    };
    let after = |key: &str| {
        text.split_once(&format!("'{key}'")).and_then(|(_, t)| t.trim_start().strip_prefix(':')).map(str::trim_start)
    };
    let descr = after("descr").ok_or_else(|| wrong("`descr`"))?;
    let Some(ty) = descr.strip_prefix('\'').and_then(|t| t.split('\'').next()) else {
        return Err(raw
            .corrupt(at, "the array has records; only plain numbers can be read")
            .help("save each field as its own array"));
    };
    let columns_first = match after("fortran_order") {
        Some(t) if t.starts_with("True") => true,
        Some(t) if t.starts_with("False") => false,
        _ => return Err(wrong("`fortran_order`")),
    };
    let inside = after("shape")
        .and_then(|t| t.strip_prefix('('))
        .and_then(|t| t.split_once(')'))
        .ok_or_else(|| wrong("`shape`"))?
        .0;
    let shape = inside
        .split(',')
        .map(str::trim)
        .filter(|t| !t.is_empty())
        .map(|t| t.trim_end_matches('L').parse::<usize>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| wrong("readable `shape`"))?;
    let bytes = ty.as_bytes();
    let big = bytes.first() == Some(&b'>');
    let bare = ty.trim_start_matches(['<', '>', '|', '=']);
    let (kind, width) = match bare {
        "b1" | "u1" => (b'u', 1),
        "i1" => (b'i', 1),
        "u2" => (b'u', 2),
        "i2" => (b'i', 2),
        "u4" => (b'u', 4),
        "i4" => (b'i', 4),
        "u8" => (b'u', 8),
        "i8" => (b'i', 8),
        "f2" => (b'f', 2),
        "f4" => (b'f', 4),
        "f8" => (b'f', 8),
        _ => {
            return Err(raw
                .corrupt(at, format!("values of type `{ty}` cannot be read"))
                .help("convert the array first, for example with `.astype(\"float32\")`"));
        }
    };
    Ok(Header { big, kind, width, columns_first, shape, start: at + len })
}

fn decode(raw: &Raw, h: &Header, data: &[u8]) -> Result<Values, Fault> {
    // The value's bytes, least significant first, in the low end of 64 bits.
    let bits = |b: &[u8]| {
        let mut w = [0; 8];
        w[..b.len()].copy_from_slice(b);
        if h.big {
            w[..b.len()].reverse();
        }
        u64::from_le_bytes(w)
    };
    let each = data.chunks_exact(h.width);
    match (h.kind, h.width) {
        (b'u', 1) => Ok(Values::U8(data.to_vec())),
        (b'f', 2) => Ok(Values::F32(each.map(|b| half(bits(b) as u16)).collect())),
        (b'f', 4) => Ok(Values::F32(each.map(|b| f32::from_bits(bits(b) as u32)).collect())),
        (b'f', _) => Ok(Values::F32(each.map(|b| f64::from_bits(bits(b)) as f32).collect())),
        (kind, width) => {
            let unused = 64 - 8 * width as u32;
            let mut out = Vec::with_capacity(data.len() / width);
            for (i, b) in each.enumerate() {
                let value =
                    if kind == b'u' { i64::try_from(bits(b)).ok() } else { Some((bits(b) as i64) << unused >> unused) };
                let Some(v) = value.and_then(|v| i32::try_from(v).ok()) else {
                    return Err(raw.corrupt(h.start + i * width, "an integer does not fit into 32 bits"));
                };
                out.push(v);
            }
            Ok(Values::I32(out))
        }
    }
}

/// IEEE 754 half precision.
fn half(h: u16) -> f32 {
    let sign = if h >> 15 == 1 { -1.0 } else { 1.0 };
    let (exp, frac) = (i32::from(h >> 10 & 31), f32::from(h & 1023));
    sign * match exp {
        0 => frac * 2f32.powi(-24),
        31 if frac == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + frac / 1024.0) * 2f32.powi(exp - 15),
    }
}

/// From column-major to row-major order.
fn rows_first<T: Copy>(v: &[T], shape: &[usize]) -> Vec<T> {
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(v.len());
    for _ in 0..v.len() {
        let at = index.iter().zip(shape).rev().fold(0, |at, (&i, &e)| at * e + i);
        out.push(v[at]);
        for d in (0..shape.len()).rev() {
            index[d] += 1;
            if index[d] < shape[d] {
                break;
            }
            index[d] = 0;
        }
    }
    out
}
