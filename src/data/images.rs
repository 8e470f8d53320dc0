//! PNG and JPEG files in a folder for each class.

use std::path::{Path, PathBuf};

use image::DynamicImage;
use image::imageops::FilterType;

use super::dataset::{Contents, Dataset, Field, Target, Values};
use super::fault::Fault;
use super::read;
use crate::diag::codes;

/// A file and its class.
type Listed = (PathBuf, i32);

/// Reads all images: class folders in `dir`, or in `train` and `test` below it. `size` 0 leaves images as they are.
/// Classes and files are in the order of their names.
pub(super) fn open(dir: &Path, size: usize, gray: bool) -> Result<Dataset, Fault> {
    if size > 4096 {
        return Err(Fault::new(
            &codes::DATA_ARGUMENT,
            format!("images of {size} pixels square are larger than any network here takes"),
        )
        .help("use at most 4096")
        .param("size"));
    }
    let (train, test) = (dir.join("train"), dir.join("test"));
    let divided = train.is_dir() && test.is_dir();
    let names = classes(if divided { &train } else { dir })?;
    let mut files = list(if divided { &train } else { dir }, &names)?;
    let test_from = divided.then_some(files.len());
    if divided {
        let there = classes(&test)?;
        if let Some(extra) = there.iter().find(|c| !names.contains(c)) {
            return Err(Fault::new(
                &codes::DATA_LABEL,
                format!("class `{extra}` is in `{}` but not in `{}`", test.display(), train.display()),
            ));
        }
        files.extend(list(&test, &names)?);
    }
    let mut images = Vec::with_capacity(files.len());
    for (path, _) in &files {
        let image = decode(path)?;
        let image = if size == 0 { image } else { image.resize_exact(size as u32, size as u32, FilterType::Triangle) };
        if size == 0
            && let Some(first) = images.first().map(|i: &DynamicImage| (i.width(), i.height()))
            && first != (image.width(), image.height())
        {
            return Err(Fault::new(
                &codes::DATA_SIZES,
                format!(
                    "`{}` has {}×{} pixels but `{}` has {}×{}",
                    files[0].0.display(),
                    first.0,
                    first.1,
                    path.display(),
                    image.width(),
                    image.height()
                ),
            )
            .help("give a size that all are brought to, such as `size = 32`"));
        }
        images.push(image);
    }
    let Some(first) = images.first() else {
        return Err(Fault::new(&codes::DATA_EMPTY, format!("`{}` has no images", dir.display())));
    };
    let (h, w) = (first.height() as usize, first.width() as usize);
    let colour = !gray && images.iter().any(|i| i.color().has_color());
    let channels = if colour { 3 } else { 1 };
    let mut pixels = Vec::with_capacity(images.len() * channels * h * w);
    for image in images {
        if colour {
            let rgb = image.into_rgb8().into_raw();
            for c in 0..3 {
                pixels.extend(rgb.iter().skip(c).step_by(3));
            }
        } else {
            pixels.extend(image.into_luma8().into_raw());
        }
    }
    Dataset::new(Contents {
        name: read::last(dir),
        inputs: vec![Field { name: "image".into(), shape: vec![channels, h, w], values: Values::U8(pixels) }],
        target: Target::Classes { labels: files.iter().map(|f| f.1).collect(), names },
        test_from,
    })
}

/// The folders in `dir`, by name.
fn classes(dir: &Path) -> Result<Vec<String>, Fault> {
    let names: Vec<String> = read::folder(dir)?.iter().filter(|p| p.is_dir()).map(|p| read::last(p)).collect();
    if names.is_empty() {
        return Err(Fault::new(
            &codes::DATA_EMPTY,
            format!("`{}` has no folders, and the folders are the classes", dir.display()),
        )
        .help("put the images of each class into a folder of its name"));
    }
    Ok(names)
}

fn list(dir: &Path, names: &[String]) -> Result<Vec<Listed>, Fault> {
    let mut out = Vec::new();
    for (label, name) in names.iter().enumerate() {
        let folder = dir.join(name);
        if !folder.exists() {
            continue;
        }
        let before = out.len();
        for path in read::folder(&folder)? {
            let ext = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
            if !matches!(ext.as_str(), "png" | "jpg" | "jpeg") {
                return Err(Fault::new(&codes::DATA_CORRUPT, format!("`{}` is no PNG or JPEG file", path.display()))
                    .help("convert it, or move it out of the class's folder"));
            }
            out.push((path, label as i32));
        }
        if out.len() == before {
            return Err(Fault::new(
                &codes::DATA_EMPTY,
                format!("class `{name}` has no images in `{}`", folder.display()),
            ));
        }
    }
    Ok(out)
}

/// The format is recognized by the contents, whatever the name says.
fn decode(path: &Path) -> Result<DynamicImage, Fault> {
    let raw = read::file(path)?;
    if raw.bytes.is_empty() {
        return Err(Fault::new(&codes::DATA_CORRUPT, format!("`{}` is empty", raw.name)));
    }
    image::load_from_memory(&raw.bytes).map_err(|e| {
        Fault::new(
            &codes::DATA_CORRUPT,
            format!("the image `{}` of {} bytes cannot be decoded: {e}", raw.name, raw.bytes.len()),
        )
    })
}
