//! Every source on small files, and on the published ones where `NASC_TEST_DATA` names their folder.

use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::{Array, Array1, Array2, Array4, ShapeBuilder};
use ndarray_npy::{NpzWriter, WriteNpyExt};
use tempfile::TempDir;

use super::*;

pub(super) fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

pub(super) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut e = GzEncoder::new(Vec::new(), Compression::default());
    e.write_all(bytes).expect("memory");
    e.finish().expect("memory")
}

/// An IDX file of bytes.
pub(super) fn idx(shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, 8, shape.len() as u8];
    out.extend(shape.iter().flat_map(|e| e.to_be_bytes()));
    out.extend(values);
    out
}

pub(super) fn cifar_records(n: usize, header: &[u8]) -> Vec<u8> {
    (0..n).flat_map(|i| header.iter().copied().chain((0..3072).map(move |p| (i * 31 + p) as u8))).collect()
}

pub(super) fn npy<T: WriteNpyExt>(array: &T) -> Vec<u8> {
    let mut out = Vec::new();
    array.write_npy(&mut out).expect("memory");
    out
}

pub(super) fn npz(deflate: bool) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let mut w = if deflate { NpzWriter::new_compressed(&mut out) } else { NpzWriter::new(&mut out) };
    w.add_array("x_train", &Array4::from_shape_fn((4, 1, 2, 3), |(n, _, y, x)| (n * 6 + y * 3 + x) as u8)).expect("x");
    w.add_array("y_train", &Array1::from(vec![0i64, 1, 2, 1])).expect("y");
    w.add_array("x_test", &Array4::from_elem((2, 1, 2, 3), 9u8)).expect("x");
    w.add_array("y_test", &Array1::from(vec![2i64, 0])).expect("y");
    w.finish().expect("memory");
    out.into_inner()
}

fn message(r: Result<Dataset, Diagnostic>) -> String {
    let d = r.map(|d| d.describe()).expect_err("refused");
    format!("{} {} / {}", d.code.id, d.message, d.help.unwrap_or_default())
}

fn says(r: Result<Dataset, Diagnostic>, parts: &[&str]) {
    let m = message(r);
    for p in parts {
        assert!(m.contains(p), "`{p}` is not in: {m}");
    }
}

#[test]
fn idx_folders_and_files() {
    let dir = folder();
    let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).expect("write");
    let open = |name: &str| call(name, dir.path(), vec![(None, text("."))]);
    says(open("mnist"), &["E0903", "has no file `train-images-idx3-ubyte`"]);
    put("train-images-idx3-ubyte.gz", &gz(&idx(&[3, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])));
    says(open("mnist"), &["E0903", "has no file `train-labels-idx1-ubyte`"]);
    put("train-labels-idx1-ubyte", &idx(&[3], &[7, 0, 9]));
    let d = open("mnist").expect("no test part");
    assert_eq!((d.len(), d.classes(), d.test_from, &d.inputs[0].shape[..]), (3, 10, None, &[1, 2, 2][..]));
    assert_eq!(d.labels(), Some(&[7, 0, 9][..]));
    assert_eq!(d.inputs[0].values, Values::U8((1..=12).collect()));
    put("t10k-images.idx3-ubyte", &idx(&[1, 2, 2], &[0; 4]));
    says(open("mnist"), &["E0903", "has no file `t10k-labels-idx1-ubyte`"]);
    put("t10k-labels.idx1-ubyte", &idx(&[1], &[5]));
    let d = open("fashion_mnist").expect("with test part");
    assert_eq!((d.len(), d.test_from), (4, Some(3)));
    let Target::Classes { names, .. } = &d.target else { panic!("classes") };
    assert_eq!(names[5], "sandal");
    put("train-labels-idx1-ubyte", &idx(&[3], &[7, 0, 10]));
    says(open("mnist"), &["E0906", "train-labels-idx1-ubyte`, byte 10: label 10 is outside the 10 classes"]);
    assert_eq!(open("idx").expect("any number of classes").classes(), 11);
    put("train-labels-idx1-ubyte", &idx(&[2], &[7, 0]));
    says(open("mnist"), &["E0905", "has 3 examples but", "has 2 labels"]);
    put("train-labels-idx1-ubyte", &idx(&[3, 1, 1], &[1, 2, 3]));
    says(open("mnist"), &["E0905", "one label for each example", "swapped"]);
    put("train-labels-idx1-ubyte", b"hello, world");
    says(open("mnist"), &["E0904", "byte 0: an IDX file starts with 00 00, this one with 68 65"]);
    put("train-labels-idx1-ubyte", &idx(&[3], &[1, 2]));
    says(open("mnist"), &["E0904", "cut short: it has 10 bytes, and 11 are needed"]);
    put("train-labels-idx1-ubyte", &idx(&[3], &[1, 2, 3, 4]));
    says(open("mnist"), &["E0904", "byte 11", "1 bytes follow"]);
    put("train-labels-idx1-ubyte", &idx(&[u32::MAX, u32::MAX, u32::MAX], &[]));
    says(open("mnist"), &["E0904", "impossible"]);
    put("a", &idx(&[2, 3], &[1, 2, 3, 4, 5, 6]));
    put("b", &idx(&[2], &[0, 1]));
    let d = call("idx", dir.path(), vec![(None, text("a")), (Some("labels"), text("b"))]).expect("files");
    assert_eq!((d.inputs[0].shape.as_slice(), d.inputs[0].name.as_str()), (&[3][..], "features"));
    says(call("idx", dir.path(), vec![(None, text("a"))]), &["E0902", "`labels` is not given"]);
    put("a", &idx(&[0, 3], &[]));
    put("b", &idx(&[0], &[]));
    says(call("idx", dir.path(), vec![(None, text("a")), (None, text("b"))]), &["E0907", "no examples"]);
    put("a", &idx(&[2, 0], &[]));
    put("b", &idx(&[2], &[0, 1]));
    says(
        call("idx", dir.path(), vec![(None, text("a")), (None, text("b"))]),
        &["E0907", "each example of `a` is empty"],
    );
}

#[test]
fn idx_of_other_types() {
    let dir = folder();
    let mut x = vec![0, 0, 0x0d, 2, 0, 0, 0, 2, 0, 0, 0, 1];
    x.extend([1.5f32, -2.0].iter().flat_map(|v| v.to_be_bytes()));
    fs::write(dir.path().join("x"), x).expect("write");
    let mut y = vec![0, 0, 0x0b, 1, 0, 0, 0, 2];
    y.extend([1i16, 300].iter().flat_map(|v| v.to_be_bytes()));
    fs::write(dir.path().join("y"), y).expect("write");
    let d = call("idx", dir.path(), vec![(None, text("x")), (None, text("y"))]).expect("typed");
    assert_eq!(d.inputs[0].values, Values::F32(vec![1.5, -2.0]));
    assert_eq!((d.labels(), d.classes()), (Some(&[1, 300][..]), 301));
}

#[test]
fn cifar_folders_and_batches() {
    let dir = folder();
    let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).expect("write");
    let open = |name: &str, path: &str| call(name, dir.path(), vec![(None, text(path))]);
    for i in 1..=4 {
        put(&format!("data_batch_{i}.bin"), &cifar_records(i, &[i as u8]));
    }
    says(open("cifar10", "."), &["E0903", "has no file `data_batch_5.bin`"]);
    put("data_batch_5.bin.gz", &gz(&cifar_records(1, &[9])));
    says(open("cifar10", "."), &["E0903", "has no file `test_batch.bin`"]);
    put("test_batch.bin", &cifar_records(2, &[0]));
    let d = open("cifar10", ".").expect("cifar");
    assert_eq!((d.len(), d.test_from, d.classes()), (13, Some(11), 10));
    assert_eq!(d.labels(), Some(&[1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 9, 0, 0][..]));
    assert_eq!(d.inputs[0].values.len(), 13 * 3072);
    assert_eq!(open("cifar10", "data_batch_3.bin").expect("one batch").len(), 3);
    put("bad.bin", &cifar_records(2, &[10]));
    says(open("cifar10", "bad.bin"), &["E0906", "byte 0 (record 0): label 10 is outside the 10 classes"]);
    put("bad.bin", &cifar_records(2, &[1])[..6000]);
    says(open("cifar10", "bad.bin"), &["E0904", "it has 6000 bytes, and 6146 are needed for 2 records"]);
    put("bad.bin", &[]);
    says(open("cifar10", "bad.bin"), &["E0907", "empty"]);
    put("train.bin", &cifar_records(3, &[4, 57]));
    put("test.bin", &cifar_records(1, &[19, 99]));
    let d = open("cifar100", ".").expect("fine");
    assert_eq!((d.classes(), d.labels()), (100, Some(&[57, 57, 57, 99][..])));
    let coarse =
        call("cifar100", dir.path(), vec![(None, text(".")), (Some("labels"), text("coarse"))]).expect("coarse");
    assert_eq!((coarse.classes(), coarse.labels()), (20, Some(&[4, 4, 4, 19][..])));
    says(
        call("cifar100", dir.path(), vec![(None, text(".")), (None, text("rough"))]),
        &["E0902", "`fine` or `coarse`"],
    );
}

#[test]
fn npy_of_many_types() {
    let dir = folder();
    let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).expect("write");
    let open = || call("npy", dir.path(), vec![(None, text("x.npy")), (None, text("y.npy"))]);
    put("x.npy", &npy(&Array4::from_shape_fn((5, 3, 2, 2), |(n, c, y, x)| (n * 12 + c * 4 + y * 2 + x) as f64)));
    put("y.npy", &npy(&Array1::from(vec![0i64, 1, 1, 0, 2])));
    let d = open().expect("npy");
    assert_eq!((d.len(), d.classes(), &d.inputs[0].shape[..]), (5, 3, &[3, 2, 2][..]));
    assert_eq!(d.inputs[0].values, Values::F32((0..60).map(|x| x as f32).collect()));
    // Column-major arrays are the same arrays.
    let mut f = Array::zeros((5, 4).f());
    f.indexed_iter_mut().for_each(|((i, j), v)| *v = (i * 4 + j) as f32);
    put("x.npy", &npy(&f));
    assert_eq!(open().expect("columns first").inputs[0].values, Values::F32((0..20).map(|x| x as f32).collect()));
    put("x.npy", &npy(&Array2::from_shape_fn((5, 4), |(i, j)| (i * 4 + j) as i64)));
    let d = open().expect("tokens");
    assert_eq!((d.inputs[0].name.as_str(), &d.inputs[0].values), ("tokens", &Values::I32((0..20).collect())));
    put("y.npy", &npy(&Array2::from_elem((5, 2), 0.5f32)));
    let Target::Numbers(y) = &open().expect("numbers").target else { panic!("numbers") };
    assert_eq!(y.shape, [2]);
    put("y.npy", &npy(&Array1::from(vec![0i64, 1])));
    says(open(), &["E0905", "has 5 examples but", "has 2 targets"]);
    put("y.npy", &npy(&Array1::from(vec![0i64, 1, 5_000_000_000, 0, 0])));
    says(open(), &["E0904", "y.npy`, byte 144: an integer does not fit into 32 bits"]);
    put("y.npy", &npy(&Array1::from(vec![0i32, 1, -4, 0, 0])));
    says(open(), &["E0906", "label -4 of example 2"]);
    put("y.npy", &npy(&Array1::from(vec![0.0f32, f32::NAN, 0.0, 0.0, 0.0])));
    says(open(), &["E0908", "example 1 of", "NaN"]);
    let mut big = b"\x93NUMPY\x01\x00\x46\x00{'descr': '>f2', 'fortran_order': False, 'shape': (5,), }".to_vec();
    big.resize(10 + 0x46, b' ');
    big.extend([0x3c, 0x00, 0xc0, 0x00, 0x00, 0x01, 0x7b, 0xff, 0x35, 0x55]);
    put("y.npy", &big);
    let Target::Numbers(y) = &open().expect("halves").target else { panic!("numbers") };
    assert_eq!(y.values, Values::F32(vec![1.0, -2.0, 2f32.powi(-24), 65504.0, 0.333_251_95]));
    for (shape, what) in [("9999999999999999999, 3", "impossible"), ("999999999999", "cut short")] {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
        let prefix = [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes()].concat();
        put("y.npy", &[prefix, header.into_bytes()].concat());
        says(open(), &["E0904", what]);
    }
    put("y.npy", b"PK\x03\x04.........");
    says(open(), &["E0904", "byte 0: an NPY file starts with"]);
}

#[test]
fn npz_stored_and_deflated() {
    let dir = folder();
    for deflate in [false, true] {
        fs::write(dir.path().join("d.npz"), npz(deflate)).expect("write");
        let d = call("npz", dir.path(), vec![(None, text("d.npz"))]).expect("npz");
        assert_eq!((d.len(), d.test_from, d.labels()), (6, Some(4), Some(&[0, 1, 2, 1, 2, 0][..])));
        assert_eq!(d.inputs[0].shape, [1, 2, 3]);
        let named = |x: &str, y: &str| {
            call("npz", dir.path(), vec![(None, text("d.npz")), (Some("inputs"), text(x)), (Some("targets"), text(y))])
        };
        assert_eq!(named("x_test", "y_test").expect("named").len(), 2);
        says(named("x_tset", "y_test"), &["E0912", "has no array `x_tset`", "did you mean `x_test`?"]);
        says(named("x_test", "nothing"), &["E0912", "it has x_train, y_train, x_test, y_test"]);
    }
    fs::write(dir.path().join("d.npz"), b"not a zip").expect("write");
    says(call("npz", dir.path(), vec![(None, text("d.npz"))]), &["E0904", "no end of a ZIP archive"]);
}

#[test]
fn csv_tables() {
    let dir = folder();
    let open = |table: &str, args: Vec<(Option<&str>, Value)>| {
        fs::write(dir.path().join("t.csv"), table).expect("write");
        call("csv", dir.path(), [vec![(None, text("t.csv"))], args].concat())
    };
    let target = |v: Value| vec![(Some("target"), v)];
    let flowers = "length,width,kind\n1.5,2,rose\n3,4.25,tulip\n5,6,rose\n";
    let d = open(flowers, vec![]).expect("the last column");
    assert_eq!((d.len(), d.classes(), d.labels()), (3, 2, Some(&[0, 1, 0][..])));
    assert_eq!(d.inputs[0].values, Values::F32(vec![1.5, 2.0, 3.0, 4.25, 5.0, 6.0]));
    assert_eq!(open(flowers, target(text("kind"))).expect("by name").hash(), d.hash());
    assert_eq!(
        open("\u{feff}1.5;2;rose\r\n3;4.25;tulip\r\n5;6;rose\r\n", target(Value::Int(2))).expect("bare").hash(),
        d.hash()
    );
    says(open(flowers, target(text("kinds"))), &["E0912", "no column is called `kinds`", "did you mean `kind`?"]);
    says(open(flowers, target(Value::Int(3))), &["E0912", "has 3 columns, so there is no column 3"]);
    says(open(flowers, target(text("width"))), &["E0908", "t.csv`, line 2, column 3 (`kind`): `rose` is not a number"]);
    says(open("a,b\n1,2\n,3\n", vec![]), &["E0908", "line 3, column 1 (`a`): the value is missing"]);
    says(open("a,b\n1,2\n1,2,3\n", vec![]), &["E0905", "line 3: 3 columns instead of 2"]);
    says(open("a,b\nnan,3\n", vec![]), &["E0908", "line 2, column 1 (`a`): `nan` is not a number"]);
    says(open("", vec![]), &["E0907", "empty"]);
    says(open("a,b\n", vec![]), &["E0907", "only a header"]);
    says(open("a\n1\n", vec![]), &["E0905", "one column only"]);
    let d = open("x,y\n1,0.5\n2,0.75\n", vec![]).expect("numbers");
    let Target::Numbers(y) = &d.target else { panic!("numbers") };
    assert_eq!((y.name.as_str(), &y.values), ("y", &Values::F32(vec![0.5, 0.75])));
    let d = open("x,y\n1,10\n2,9\n3,10\n", vec![]).expect("integers are classes");
    let Target::Classes { labels, names } = &d.target else { panic!("classes") };
    assert_eq!((labels.as_slice(), names.join(" ").as_str()), (&[1, 0, 1][..], "9 10"));
    assert_eq!(open("x,y\n1,10\n2,9\n", vec![(Some("kind"), text("numbers"))]).expect("numbers").classes(), 0);
    let mut ages: String = (0..40).fold("x,age\n".into(), |t, i| format!("{t}{i},{i}\n"));
    ages += "1,unknown\n";
    says(open(&ages, vec![]), &["E0908", "line 42: the target `unknown` is not a number", "kind = \"classes\""]);
    assert_eq!(open(&ages, vec![(Some("kind"), text("classes"))]).expect("classes").classes(), 41);
    fs::write(dir.path().join("u.csv"), "1,2,tulip\n").expect("write");
    let d = open(flowers, vec![(Some("test"), text("u.csv"))]).expect("with a test part");
    assert_eq!((d.test_from, d.labels()), (Some(3), Some(&[0, 1, 0, 1][..])));
    fs::write(dir.path().join("u.csv"), "1,2,oak\n").expect("write");
    says(open(flowers, vec![(Some("test"), text("u.csv"))]), &["E0906", "line 1 of the test table has class `oak`"]);
    fs::write(dir.path().join("t.csv.gz"), gz(flowers.as_bytes())).expect("write");
    assert_eq!(call("csv", dir.path(), vec![(None, text("t.csv.gz"))]).expect("gz").len(), 3);
}

#[test]
fn image_folders() {
    let dir = folder();
    let put = |path: &str, w: u32, h: u32, colour: bool| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        if colour {
            image::RgbImage::from_fn(w, h, |x, y| image::Rgb([x as u8, y as u8, 7])).save(path).expect("save");
        } else {
            image::GrayImage::from_fn(w, h, |x, y| image::Luma([(x * 10 + y) as u8])).save(path).expect("save");
        }
    };
    let open =
        |args: Vec<(Option<&str>, Value)>| call("images", dir.path(), [vec![(None, text("photos"))], args].concat());
    says(open(vec![]), &["E0903", "there is no `", "photos`"]);
    fs::create_dir(dir.path().join("photos")).expect("folder");
    says(open(vec![]), &["E0907", "the folders are the classes"]);
    put("photos/cat/2.png", 3, 2, false);
    put("photos/cat/10.png", 3, 2, false);
    put("photos/ant/a.png", 3, 2, false);
    let d = open(vec![]).expect("gray");
    assert_eq!((&d.inputs[0].shape[..], d.labels()), (&[1, 2, 3][..], Some(&[0, 1, 1][..])));
    let Values::U8(v) = &d.inputs[0].values else { panic!("bytes") };
    assert_eq!(v[..6], [0, 10, 20, 1, 11, 21]);
    put("photos/cat/3.png", 3, 2, true);
    let d = open(vec![]).expect("colour");
    let Values::U8(v) = &d.inputs[0].values else { panic!("bytes") };
    assert_eq!(d.inputs[0].shape, [3, 2, 3]);
    assert_eq!(v[54..], [0, 1, 2, 0, 1, 2, 0, 0, 0, 1, 1, 1, 7, 7, 7, 7, 7, 7], "planes of the last file, 3.png");
    assert_eq!(open(vec![(Some("gray"), Value::Bool(true))]).expect("gray").inputs[0].shape, [1, 2, 3]);
    put("photos/cat/4.jpg", 5, 5, true);
    says(open(vec![]), &["E0909", "4.jpg` has 5×5", "size = 32"]);
    assert_eq!(open(vec![(Some("size"), Value::Int(4))]).expect("resized").inputs[0].shape, [3, 4, 4]);
    fs::write(dir.path().join("photos/cat/5.png"), b"\x89PNG\r\n\x1a\nrubbish").expect("write");
    says(open(vec![(Some("size"), Value::Int(4))]), &["E0904", "5.png` of 15 bytes cannot be decoded"]);
    fs::remove_file(dir.path().join("photos/cat/5.png")).expect("remove");
    fs::write(dir.path().join("photos/cat/notes.txt"), "x").expect("write");
    says(open(vec![]), &["E0904", "notes.txt` is no PNG or JPEG file"]);
    fs::remove_dir_all(dir.path().join("photos")).expect("remove");
    put("photos/train/a/1.png", 2, 2, false);
    put("photos/train/b/1.png", 2, 2, false);
    put("photos/test/b/1.png", 2, 2, false);
    let d = open(vec![]).expect("divided");
    assert_eq!((d.test_from, d.labels()), (Some(2), Some(&[0, 1, 1][..])));
    put("photos/test/c/1.png", 2, 2, false);
    says(open(vec![]), &["E0906", "class `c` is in"]);
}

#[test]
fn calls_are_checked() {
    let here = PathBuf::new();
    let go = |name: &str, args| call(name, &here, args);
    says(go("digit", vec![]), &["E0901", "no data source `digit`", "did you mean `digits`?"]);
    says(go("imagenet", vec![]), &["E0901", "there are digits, mnist,"]);
    says(go("digits", vec![(None, text("x"))]), &["E0902", "`digits` takes 0 arguments, not 1"]);
    says(go("mnist", vec![]), &["E0902", "`mnist` needs `dir`: the folder", "it is `mnist(dir)`"]);
    says(go("mnist", vec![(None, Value::Float(1.5))]), &["E0902", "`dir` of `mnist` is a path as text"]);
    says(go("mnist", vec![(None, text(""))]), &["E0902", "the path `dir` is empty"]);
    says(
        go("csv", vec![(None, text("a")), (Some("tarfet"), text("b"))]),
        &["E0902", "no parameter `tarfet`", "did you mean `target`?"],
    );
    says(go("csv", vec![(None, text("a")), (Some("path"), text("b"))]), &["E0902", "`path` is given twice"]);
    says(
        go("images", vec![(None, text("a")), (Some("size"), Value::Int(-3))]),
        &["E0902", "`size` of `images` is a whole number"],
    );
    let d = go("mnist", vec![(None, text("no/such/folder"))]).map(|_| ()).expect_err("missing");
    assert_eq!(d.labels[0].span.start, 1, "the argument is to blame");
    assert_eq!(
        known().iter().find(|s| s.name == "csv").expect("csv").show(),
        "csv(path, target = -1, kind = \"auto\", test = \"\")"
    );
}

#[test]
fn tables_of_results() {
    let dir = folder();
    let path = dir.path().join("r.csv");
    let span = Span::default();
    fs::write(&path, "index,arch,acc,note\n0,|a~0|+|b~1|,91.5,fast\n1,|c~0|,,slow\n").expect("write");
    let t = Table::open(&path, "arch", span).expect("table");
    let acc = t.column("acc", span).expect("column");
    assert_eq!((t.len(), t.row("|c~0|", span).expect("row"), t.find("|d~0|")), (2, 1, None));
    assert_eq!(t.number(0, acc, span), Ok(91.5));
    assert_eq!(t.range(0), Some((0.0, 1.0)));
    assert_eq!(t.numeric(), ["index"]);
    let say = |d: Diagnostic| format!("{} {} / {:?}", d.code.id, d.message, d.help);
    assert!(say(t.number(1, acc, span).expect_err("empty")).contains("E0913 `") && t.get(1, acc).is_none());
    assert!(say(t.number(1, acc, span).expect_err("empty")).contains("line 3: no number in column `acc`"));
    assert!(say(t.row("|d~0|", span).expect_err("absent")).contains("no row whose `arch` is `|d~0|`"));
    assert!(say(t.column("accu", span).expect_err("typo")).contains("did you mean `acc`?"));
    assert!(say(Table::open(&path, "key", span).map(|_| ()).expect_err("key")).contains("E0912"));
    fs::write(&path, "arch,acc\na,1\nb,2\na,3\n").expect("write");
    assert!(
        say(Table::open(&path, "arch", span).map(|_| ()).expect_err("twice")).contains("lines 2 and 4, both hold `a`")
    );
    fs::write(&path, "arch,acc\na,1,2\n").expect("write");
    assert!(
        say(Table::open(&path, "arch", span).map(|_| ()).expect_err("wide")).contains("line 2: 3 columns instead of 2")
    );
    fs::write(&path, "arch,acc\n").expect("write");
    assert!(say(Table::open(&path, "arch", span).map(|_| ()).expect_err("none")).contains("E0907"));
}

/// The published data sets, where they are at hand.
#[test]
fn published_files() {
    let Some(dir) = std::env::var_os("NASC_TEST_DATA").map(PathBuf::from) else { return };
    let open = |name: &str, path: &str| call(name, &dir, vec![(None, text(path))]).expect(path);
    let embedded = digits();
    assert_eq!(open("mnist", "digits8x8").hash(), embedded.hash());
    for (name, path) in [("mnist", "mnist_5k"), ("fashion_mnist", "fashion_5k")] {
        let d = open(name, path);
        assert_eq!((d.len(), d.test_from, &d.inputs[0].shape[..]), (6000, Some(5000), &[1, 28, 28][..]));
        let s = standard(&d);
        assert_eq!((s.search.len(), s.select.len()), (4000, 1000), "balanced classes divide evenly");
        println!("{}", s.describe());
    }
    let d = open("cifar10", "cifar10_first4000.bin.gz");
    println!("{}", standard(&d).describe());
    assert_eq!((d.len(), d.classes()), (4000, 10));
    let start = std::time::Instant::now();
    let t = Table::open(&dir.join("nasbench201.csv.gz"), "arch_str", Span::default()).expect("table");
    println!("{} rows in {:?}", t.len(), start.elapsed());
    assert_eq!(t.len(), 15_625);
    let best = t.column("c10_test_200ep", Span::default()).expect("column");
    let (_, most) = t.range(best).expect("numbers");
    assert!((most - 94.37).abs() < 0.01, "the best cell on CIFAR-10 has 94.37 %: {most}");
}
