//! Damaged files: cut at every byte, flipped at random. Errors are diagnostics; nothing panics or takes all memory.

use std::fs;
use std::path::Path;

use ndarray::{Array1, Array2};

use super::sources::{cifar_records, folder, gz, idx, npy, npz};
use super::*;
use crate::base::rng::Stream;

/// Cuts and flips `file` while the rest of the folder stays good. Cut files are errors unless `ends` allows the length.
fn damage(dir: &Path, file: &str, source: &str, args: &[&str], ends: impl Fn(usize) -> bool) {
    let path = dir.join(file);
    let good = fs::read(&path).expect("read");
    let open = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("write");
        call(source, dir, args.iter().map(|a| (None, text(a))).collect())
    };
    open(&good).expect("the undamaged file");
    // Every byte of headers, then steps that reach every kind of place.
    let step = |n: usize| if n < 600 { 1 } else { 97 };
    let mut n = 0;
    while n < good.len() {
        let result = open(&good[..n]);
        if !ends(n) {
            let d = result.map(|d| d.describe()).expect_err(&format!("{file} cut to {n} of {}", good.len()));
            assert!(d.message.contains(file), "names the file: {}", d.message);
        }
        n += step(n);
    }
    let mut r = Stream::new(1, file);
    for _ in 0..600 {
        let mut bad = good.clone();
        for _ in 0..=r.below(3) {
            let at = if r.flip(0.5) { r.below(bad.len().min(200)) } else { r.below(bad.len()) };
            bad[at] = if r.flip(0.3) { 0xff } else { r.below(256) as u8 };
        }
        let _ = open(&bad);
    }
    open(&good).expect("the undamaged file again");
}

#[test]
fn damaged_idx() {
    let dir = folder();
    fs::write(dir.path().join("x"), idx(&[3, 2, 2], &[7; 12])).expect("write");
    fs::write(dir.path().join("y"), idx(&[3], &[0, 1, 1])).expect("write");
    damage(dir.path(), "x", "idx", &["x", "y"], |_| false);
    damage(dir.path(), "y", "idx", &["x", "y"], |_| false);
    fs::write(dir.path().join("x"), gz(&idx(&[3, 2, 2], &[7; 12]))).expect("write");
    damage(dir.path(), "x", "idx", &["x", "y"], |_| false);
}

#[test]
fn damaged_cifar() {
    let dir = folder();
    fs::write(dir.path().join("b.bin"), cifar_records(2, &[3])).expect("write");
    damage(dir.path(), "b.bin", "cifar10", &["b.bin"], |n| n == 3073);
    fs::write(dir.path().join("b.bin"), gz(&cifar_records(2, &[3]))).expect("write");
    damage(dir.path(), "b.bin", "cifar10", &["b.bin"], |_| false);
}

#[test]
fn damaged_npy_and_npz() {
    let dir = folder();
    fs::write(dir.path().join("x.npy"), npy(&Array2::from_elem((4, 3), 1.5f32))).expect("write");
    fs::write(dir.path().join("y.npy"), npy(&Array1::from(vec![0i64, 1, 0, 1]))).expect("write");
    damage(dir.path(), "x.npy", "npy", &["x.npy", "y.npy"], |_| false);
    damage(dir.path(), "y.npy", "npy", &["x.npy", "y.npy"], |_| false);
    for deflate in [false, true] {
        fs::write(dir.path().join("d.npz"), npz(deflate)).expect("write");
        damage(dir.path(), "d.npz", "npz", &["d.npz"], |_| false);
    }
}

#[test]
fn damaged_csv_and_png() {
    let dir = folder();
    fs::write(dir.path().join("t.csv"), "a,b,\"c d\"\n1,2,\"x\ny\"\n3,4,z\n5,6,z\n").expect("write");
    damage(dir.path(), "t.csv", "csv", &["t.csv"], |_| true);
    fs::create_dir(dir.path().join("one")).expect("folder");
    let png = dir.path().join("one/p.png");
    image::RgbImage::from_fn(9, 9, |x, y| image::Rgb([x as u8 * 20, y as u8 * 9, 7])).save(&png).expect("save");
    // A PNG without its last chunk has all pixels.
    let whole = fs::metadata(&png).expect("size").len() as usize;
    damage(dir.path(), "one/p.png", "images", &["."], |n| n + 16 >= whole);
}
