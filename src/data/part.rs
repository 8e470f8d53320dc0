//! A part of a data set, and the gathering of its examples into a network's input.

use std::sync::Arc;

use super::augment::{Augmented, View};
use super::dataset::{Dataset, Field, Target, Values};
use super::split::{self, Role};

/// Mean and standard deviation of one channel over the search part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channel {
    /// Mean of the raw values.
    pub mean: f32,
    /// Standard deviation (over all values, divided by their number); 0 where they are all equal.
    pub deviation: f32,
    /// What centred values are multiplied by: 1 / deviation, or 1 where that is 0.
    pub scale: f32,
}

/// The channels of one field: one for each index of the first axis (a colour, or a column of a table).
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// In order; integers that stand for something have mean 0 and scale 1.
    pub channels: Vec<Channel>,
}

impl Normalization {
    /// One for each field of `data`, from the examples of `indices` only.
    pub(super) fn of(data: &Dataset, indices: &[u32]) -> Vec<Self> {
        data.inputs
            .iter()
            .map(|field| {
                let channels = field.shape.first().copied().unwrap_or(1);
                let one = |c| match &field.values {
                    Values::U8(v) => channel(indices, field, c, |i| f64::from(v[i])),
                    Values::F32(v) => channel(indices, field, c, |i| f64::from(v[i])),
                    Values::I32(_) => Channel { mean: 0.0, deviation: 1.0, scale: 1.0 },
                };
                Self { channels: (0..channels).map(one).collect() }
            })
            .collect()
    }
}

/// Two passes in `f64`, in the order of the indices.
fn channel(indices: &[u32], field: &Field, c: usize, at: impl Fn(usize) -> f64) -> Channel {
    let size = field.size();
    let per = size / field.shape.first().copied().unwrap_or(1);
    let all = || indices.iter().flat_map(|&i| (0..per).map(move |j| i as usize * size + c * per + j));
    let n = (indices.len() * per).max(1) as f64;
    let first = all().next().map_or(0.0, &at);
    #[expect(clippy::float_cmp, reason = "a constant feature has equal values, not near ones")]
    let constant = all().all(|i| at(i) == first);
    if constant {
        return Channel { mean: first as f32, deviation: 0.0, scale: 1.0 };
    }
    let mean = all().map(&at).sum::<f64>() / n;
    let var = all().map(|i| (at(i) - mean).powi(2)).sum::<f64>() / n;
    let deviation = var.sqrt() as f32;
    // A spread below the smallest f32 would scale to infinity.
    let scale = if deviation > f32::MIN_POSITIVE { 1.0 / deviation } else { 1.0 };
    Channel { mean: mean as f32, deviation, scale }
}

/// Where the example axis stands in a gathered batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[N, C, H, W]`.
    ExampleFirst,
    /// `[C, H, W, N]`, each row of N padded with zeros to this length, at least N.
    ExampleLast(usize),
}

/// Some examples of a data set; cheap to clone.
#[derive(Clone, Debug)]
pub struct Part {
    data: Dataset,
    indices: Arc<[u32]>,
    norm: Arc<Vec<Normalization>>,
    role: Role,
}

impl Part {
    pub(super) fn new(data: Dataset, indices: Vec<u32>, norm: Arc<Vec<Normalization>>, role: Role) -> Self {
        Self { data, indices: indices.into(), norm, role }
    }

    /// The data set that the indices count in.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// Indices of the part's examples, ascending.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are none: possible for a test part only.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// What the part is for; a fraction or a union keeps the role of what it was made from.
    pub fn role(&self) -> Role {
        self.role
    }

    /// For each field, the channels' means and deviations over the search part.
    pub fn normalization(&self) -> &[Normalization] {
        &self.norm
    }

    /// A proxy for this part: the share `f` of every class, at least one example of each. Smaller fractions lie in
    /// larger ones of the same seed. The normalization stays.
    #[must_use]
    pub fn fraction(&self, f: f64, seed: u64) -> Part {
        let indices = split::fraction(&self.data, &self.indices, f, seed);
        Part { indices: indices.into(), ..self.clone() }
    }

    /// The first `n` examples in the order of the indices, or all where there are fewer.
    #[must_use]
    pub fn take(&self, n: usize) -> Part {
        Part { indices: self.indices[..n.min(self.len())].into(), ..self.clone() }
    }

    /// The examples of both, as for the final training on search and select together. Role and normalization stay.
    #[must_use]
    pub fn union(&self, other: &Part) -> Part {
        let mut indices = [&self.indices[..], &other.indices[..]].concat();
        indices.sort_unstable();
        indices.dedup();
        Part { indices: indices.into(), ..self.clone() }
    }

    /// The first field of the examples `idx`, normalized, as `[N, C, H, W]`, and their labels (none where numbers are
    /// predicted). Both buffers are overwritten. `idx` holds indices of the data set, as [`Part::batches`] gives them.
    pub fn fill(&self, idx: &[u32], out: &mut Vec<f32>, labels: &mut Vec<i32>) {
        self.gather(0, idx, Layout::ExampleFirst, None, out);
        self.labels(idx, labels);
    }

    /// A field of the examples `idx`, normalized and perhaps augmented, in either layout. `out` is overwritten.
    /// Integers that stand for something come as numbers; see [`Part::gather_integers`].
    pub fn gather(&self, field: usize, idx: &[u32], layout: Layout, augmented: Option<Augmented>, out: &mut Vec<f32>) {
        let f = &self.data.inputs[field];
        match layout {
            Layout::ExampleFirst => out.resize(idx.len() * f.size(), 0.0),
            Layout::ExampleLast(stride) => out.resize(f.size() * stride, 0.0),
        }
        self.gather_into(field, idx, layout, augmented, out);
    }

    /// As [`Part::gather`], into exactly as many numbers as the layout has.
    pub fn gather_into(
        &self,
        field: usize,
        idx: &[u32],
        layout: Layout,
        augmented: Option<Augmented>,
        out: &mut [f32],
    ) {
        let f = &self.data.inputs[field];
        let channels = &self.norm[field].channels;
        match &f.values {
            Values::U8(v) => place(f, v, f32::from, channels, idx, layout, augmented, out),
            Values::F32(v) => place(f, v, |x| x, channels, idx, layout, augmented, out),
            Values::I32(v) => place(f, v, |x| x as f32, channels, idx, layout, augmented, out),
        }
    }

    /// A field of integers (tokens) of the examples `idx`, as they are; `None` where the field has measurements.
    pub fn gather_integers(&self, field: usize, idx: &[u32], layout: Layout, out: &mut Vec<i32>) -> Option<()> {
        let f = &self.data.inputs[field];
        let Values::I32(v) = &f.values else { return None };
        let size = f.size();
        match layout {
            Layout::ExampleFirst => {
                out.clear();
                for &i in idx {
                    out.extend(&v[i as usize * size..][..size]);
                }
            }
            Layout::ExampleLast(stride) => {
                assert!(stride >= idx.len(), "a row of {} examples does not fit into {stride}", idx.len());
                out.clear();
                out.resize(size * stride, 0);
                for (n, &i) in idx.iter().enumerate() {
                    for (e, &x) in v[i as usize * size..][..size].iter().enumerate() {
                        out[e * stride + n] = x;
                    }
                }
            }
        }
        Some(())
    }

    /// The labels of the examples `idx`; none where numbers are predicted. `out` is overwritten.
    pub fn labels(&self, idx: &[u32], out: &mut Vec<i32>) {
        out.clear();
        if let Target::Classes { labels, .. } = &self.data.target {
            out.extend(idx.iter().map(|&i| labels[i as usize]));
        }
    }

    /// The numbers to predict for the examples `idx`, `[N, ..]` as in the source; none where classes are. `out` is
    /// overwritten.
    pub fn numbers(&self, idx: &[u32], out: &mut Vec<f32>) {
        out.clear();
        if let Target::Numbers(Field { values: Values::F32(v), shape, .. }) = &self.data.target {
            let size: usize = shape.iter().product();
            for &i in idx {
                out.extend(&v[i as usize * size..][..size]);
            }
        }
    }
}

/// Examples that are transposed together: a cache line of the output.
const BLOCK: usize = 16;

#[expect(clippy::too_many_arguments, reason = "the one loop that all kinds of values and layouts share")]
fn place<T: Copy>(
    field: &Field,
    values: &[T],
    number: impl Fn(T) -> f32 + Copy,
    channels: &[Channel],
    idx: &[u32],
    layout: Layout,
    augmented: Option<Augmented>,
    out: &mut [f32],
) {
    let size = field.size();
    let write = |i: u32, row: &mut [f32]| {
        let source = &values[i as usize * size..][..size];
        match (augmented, &field.shape[..]) {
            (Some(a), &[_, h, w]) => a.view(h, w, i).write(source, number, channels, (h, w), row),
            _ => plain(source, number, channels, row),
        }
    };
    match layout {
        Layout::ExampleFirst => {
            assert_eq!(out.len(), idx.len() * size, "the buffer of a batch");
            for (&i, row) in idx.iter().zip(out.chunks_exact_mut(size)) {
                write(i, row);
            }
        }
        Layout::ExampleLast(stride) => {
            assert!(stride >= idx.len(), "a row of {} examples does not fit into {stride}", idx.len());
            assert_eq!(out.len(), stride * size, "the buffer of a batch");
            let mut rows = vec![0.0; BLOCK * size];
            for (b, block) in idx.chunks(BLOCK).enumerate() {
                for (&i, row) in block.iter().zip(rows.chunks_exact_mut(size)) {
                    write(i, row);
                }
                for (e, line) in out.chunks_exact_mut(stride).enumerate() {
                    for (n, x) in line[b * BLOCK..][..block.len()].iter_mut().enumerate() {
                        *x = rows[n * size + e];
                    }
                }
            }
            if stride > idx.len() {
                out.chunks_exact_mut(stride).for_each(|line| line[idx.len()..].fill(0.0));
            }
        }
    }
}

fn plain<T: Copy>(source: &[T], number: impl Fn(T) -> f32, channels: &[Channel], out: &mut [f32]) {
    let per = source.len() / channels.len();
    for ((c, from), to) in channels.iter().zip(source.chunks_exact(per)).zip(out.chunks_exact_mut(per)) {
        for (x, &v) in to.iter_mut().zip(from) {
            *x = (number(v) - c.mean) * c.scale;
        }
    }
}

impl View {
    /// One image through the view: shifted (black comes in), mirrored, with a hole of zeros.
    fn write<T: Copy>(
        &self,
        source: &[T],
        number: impl Fn(T) -> f32,
        channels: &[Channel],
        (h, w): (usize, usize),
        out: &mut [f32],
    ) {
        let planes = source.chunks_exact(h * w).zip(out.chunks_exact_mut(h * w));
        for (c, (from, to)) in channels.iter().zip(planes) {
            let black = -c.mean * c.scale;
            for (y, line) in to.chunks_exact_mut(w).enumerate() {
                let sy = y as isize + self.dy;
                line.fill(black);
                if (0..h as isize).contains(&sy) {
                    let row = &from[sy as usize * w..][..w];
                    let lo = (-self.dx).clamp(0, w as isize) as usize;
                    let hi = (w as isize - self.dx).clamp(0, w as isize) as usize;
                    for (x, v) in line.iter_mut().enumerate().take(hi).skip(lo) {
                        *v = (number(row[(x as isize + self.dx) as usize]) - c.mean) * c.scale;
                    }
                }
                if self.mirror {
                    line.reverse();
                }
                if let Some([y0, y1, x0, x1]) = self.hole
                    && (y0..y1).contains(&y)
                {
                    line[x0..x1].fill(0.0);
                }
            }
        }
    }
}
