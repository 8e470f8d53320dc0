//! NPZ: NPY files in a ZIP archive, stored or deflated, as `numpy.savez` and `numpy.savez_compressed` write them.
//!
//! Only what those write is read: no encryption, no other compression, no archive in several volumes.

use std::io::Read;
use std::path::Path;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::dataset::Dataset;
use super::fault::Fault;
use super::npy::{self, Array};
use super::read::{self, Raw};
use crate::diag::{codes, did_you_mean};

/// One file in the archive, from the central directory.
struct Member {
    name: String,
    method: u16,
    crc: u32,
    packed: usize,
    size: usize,
    /// Where its local header begins.
    at: usize,
}

/// Reads the named arrays, or those with the usual names.
pub(super) fn open(path: &Path, inputs: Option<&str>, targets: Option<&str>) -> Result<Dataset, Fault> {
    let raw = read::file(path)?;
    let members = directory(&raw)?;
    let has = |name: &str| members.iter().any(|m| m.name == name);
    let usual = |given: Option<&str>, long: &str, short: &str| {
        given.map_or_else(|| if has(long) { long.to_string() } else { short.to_string() }, str::to_string)
    };
    let (x, y) = (usual(inputs, "x_train", "x"), usual(targets, "y_train", "y"));
    let get = |name: &str, param: &'static str| array(&raw, &members, name).map_err(|f| f.param(param));
    let train = (
        get(&x, if inputs.is_some() { "inputs" } else { "path" })?,
        get(&y, if targets.is_some() { "targets" } else { "path" })?,
    );
    let test = if x == "x_train" && y == "y_train" && has("x_test") && has("y_test") {
        Some((get("x_test", "path")?, get("y_test", "path")?))
    } else {
        None
    };
    npy::build(&read::last(path), train, test)
}

fn array(raw: &Raw, members: &[Member], name: &str) -> Result<Array, Fault> {
    let Some(m) = members.iter().find(|m| m.name == name) else {
        let names: Vec<&str> = members.iter().map(|m| m.name.as_str()).collect();
        let f = Fault::new(&codes::DATA_COLUMN, format!("`{}` has no array `{name}`", raw.name));
        return Err(match did_you_mean(name, names.iter().copied()) {
            Some(near) => f.help(format!("did you mean `{near}`?")),
            None => f.help(format!("it has {}", names.join(", "))),
        });
    };
    let local = raw.take(m.at, 30, "the header of a member")?;
    if local[..4] != *b"PK\x03\x04" {
        return Err(raw.corrupt(m.at, format!("no header of `{name}` here")));
    }
    let start = m.at + 30 + le16(local, 26) + le16(local, 28);
    let packed = raw.take(start, m.packed, &format!("the array `{name}`"))?;
    let bytes = match m.method {
        0 => packed.to_vec(),
        8 => {
            let mut out = Vec::new();
            DeflateDecoder::new(packed)
                .take(m.size as u64 + 1)
                .read_to_end(&mut out)
                .map_err(|e| raw.corrupt(start, format!("the array `{name}` cannot be unpacked ({e})")))?;
            out
        }
        other => {
            return Err(raw
                .corrupt(m.at + 8, format!("compression method {other} of `{name}` is not known"))
                .help("save with `numpy.savez_compressed`"));
        }
    };
    if bytes.len() != m.size {
        return Err(
            raw.corrupt(start, format!("the array `{name}` unpacks to {} bytes instead of {}", bytes.len(), m.size))
        );
    }
    let mut crc = Crc::new();
    crc.update(&bytes);
    if crc.sum() != m.crc {
        return Err(raw.corrupt(start, format!("the checksum of the array `{name}` is wrong")));
    }
    npy::parse(&Raw { name: format!("{}:{name}", raw.name), bytes, packed: true })
}

/// Reads the central directory (APPNOTE 4.3.12), found by the end record in the last 64 KiB.
fn directory(raw: &Raw) -> Result<Vec<Member>, Fault> {
    let b = &raw.bytes;
    let from = b.len().saturating_sub(22 + 65_535);
    let Some(end) = (from..(b.len() + 1).saturating_sub(22)).rev().find(|&i| b[i..].starts_with(b"PK\x05\x06")) else {
        return Err(raw
            .corrupt(b.len(), "no end of a ZIP archive: the file is cut short, or is no NPZ")
            .help("save the arrays with `numpy.savez`"));
    };
    let entries = le16(b, end + 10);
    let mut at = le32(b, end + 16);
    let mut out = Vec::new();
    for _ in 0..entries {
        let h = raw.take(at, 46, "the archive's directory")?;
        if h[..4] != *b"PK\x01\x02" {
            return Err(raw.corrupt(at, "no entry of the archive's directory here"));
        }
        let (name, extra, comment) = (le16(h, 28), le16(h, 30), le16(h, 32));
        let member = Member {
            method: le16(h, 10) as u16,
            crc: le32(h, 16) as u32,
            packed: le32(h, 20),
            size: le32(h, 24),
            at: le32(h, 42),
            name: String::from_utf8_lossy(raw.take(at + 46, name, "the name of a member")?)
                .trim_end_matches(".npy")
                .to_string(),
        };
        if [member.packed, member.size, member.at].contains(&0xffff_ffff) {
            return Err(raw
                .corrupt(at, "arrays of 4 GiB and more cannot be read from an archive")
                .help("save them with `numpy.save`, one file each"));
        }
        out.push(member);
        at += 46 + name + extra + comment;
    }
    Ok(out)
}

fn le16(b: &[u8], at: usize) -> usize {
    u16::from_le_bytes([b[at], b[at + 1]]) as usize
}

fn le32(b: &[u8], at: usize) -> usize {
    u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]) as usize
}
