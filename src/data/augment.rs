//! Augmentation, drawn for each (seed, epoch, example): the same whatever batch an example is in.

use super::dataset::Dataset;
use crate::base::Span;
use crate::base::hash::hash64;
use crate::diag::{Diagnostic, codes};

/// What is done to images `[C, H, W]` in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Pad by this many black pixels (raw value 0) on each side, and cut an image of the old size at random.
    pub crop: usize,
    /// Mirror left and right with probability one half.
    pub flip: bool,
    /// Side of a square of zeros (after normalization), its centre anywhere in the image, clipped at the border
    /// (`DeVries` & Taylor 2017, section 3.2). 0 for none.
    pub cutout: usize,
}

impl Augment {
    /// Whether nothing is done.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Augmentation needs images; anything else is an error at `span`.
    pub fn check(&self, data: &Dataset, span: Span) -> Result<(), Diagnostic> {
        let field = &data.inputs[0];
        let [_, h, w] = field.shape[..] else {
            if self.is_none() {
                return Ok(());
            }
            return Err(Diagnostic::new(
                &codes::DATA_AUGMENT,
                span,
                format!("`{}` has no images to augment", data.name),
            )
            .here(format!(
                "crop, flip and cutout need inputs of [channels, height, width]; these are {:?}",
                field.shape
            ))
            .help("leave the augmentation out"));
        };
        for (what, n, most) in [("crop padding", self.crop, h.min(w)), ("cutout square", self.cutout, 2 * h.min(w))] {
            if n > most {
                return Err(Diagnostic::new(
                    &codes::DATA_AUGMENT,
                    span,
                    format!("a {what} of {n} is too large for images of {h}×{w}"),
                )
                .help(format!("use at most {most}; half of the image is common for cutout, an eighth for crop")));
            }
        }
        Ok(())
    }

    /// This augmentation as it falls in one epoch.
    pub fn epoch(self, seed: u64, epoch: u64) -> Augmented {
        Augmented { augment: self, seed, epoch }
    }
}

/// An augmentation with its draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Augmented {
    /// What is done.
    pub augment: Augment,
    /// Seed of the training.
    pub seed: u64,
    /// Counted from 0.
    pub epoch: u64,
}

/// What happens to one image: output pixel (y, x) before mirroring is input pixel (y + dy, x + dx).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub dy: isize,
    pub dx: isize,
    pub mirror: bool,
    /// Rows `[0]..[1]` and columns `[2]..[3]` of the output.
    pub hole: Option<[usize; 4]>,
}

impl Augmented {
    /// The draws for example `i`, an image of h × w.
    pub(super) fn view(&self, h: usize, w: usize, i: u32) -> View {
        let draw = |what: u8, n: usize| {
            let mut key = [0; 13];
            key[..8].copy_from_slice(&self.epoch.to_le_bytes());
            key[8..12].copy_from_slice(&i.to_le_bytes());
            key[12] = what;
            // The high bits of a product with n: uniform up to n / 2^64, without a division.
            ((u128::from(hash64(&key, self.seed)) * n as u128) >> 64) as usize
        };
        let Augment { crop, flip, cutout } = self.augment;
        let shift = |what| draw(what, 2 * crop + 1) as isize - crop as isize;
        let span = |what, extent: usize| {
            let start = draw(what, extent) as isize - (cutout / 2) as isize;
            let clip = |x: isize| x.clamp(0, extent as isize) as usize;
            (clip(start), clip(start + cutout as isize))
        };
        let hole = (cutout > 0).then(|| {
            let ((y0, y1), (x0, x1)) = (span(3, h), span(4, w));
            [y0, y1, x0, x1]
        });
        View { dy: shift(0), dx: shift(1), mirror: flip && draw(2, 2) == 1, hole }
    }
}
