//! Where the elements of a tensor lie.
//!
//! A tensor with an example axis is stored with that axis innermost, its rows padded to [`ROW`] floats; the other
//! axes keep their order. A tensor without one is row-major. So every tensor is a base and strides, most reshapes are
//! free, and any affine window of a batch is a table of row offsets. What the padding of a row holds is never
//! looked at: reductions over examples run over the true extent only.

use crate::exec::{Data, Tensor};
use crate::graph::DType;

/// Rows of examples are padded to a multiple of this many elements: 64 bytes.
pub const ROW: usize = 16;

/// Every allocation can be read this many elements past its end, so that a vector loop may load a whole block of a
/// row that is shorter.
pub const SLACK: usize = 16;

/// Channels a multiple of so many elements apart (4096 bytes) would compete for the same lines of the cache, where a
/// window reads the same place of all of them.
const PAGE: usize = 1024;

/// By so many elements they are moved apart: an odd number of cache lines.
const SHIFT: usize = 80;

/// The place of each element of a tensor, in elements (of 4 bytes) from its base.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Logical extents.
    pub shape: Vec<usize>,
    /// Distance between neighbours along each axis.
    pub strides: Vec<i64>,
    /// The axis that has rows of a multiple of [`ROW`] elements to itself, with stride 1.
    pub padded: Option<usize>,
    /// Elements of the storage, padding included.
    pub size: usize,
}

impl Layout {
    /// The layout of a fresh tensor.
    pub fn new(shape: &[usize], example: Option<usize>) -> Self {
        let mut strides = vec![0; shape.len()];
        let mut size = 1;
        if let Some(e) = example {
            strides[e] = 1;
            size = shape[e].next_multiple_of(ROW);
        }
        let outermost = (0..shape.len()).find(|&a| Some(a) != example);
        for axis in (0..shape.len()).rev().filter(|&a| Some(a) != example) {
            if example.is_some() && Some(axis) == outermost && size.is_multiple_of(PAGE) && shape[axis] > 1 {
                size += SHIFT;
            }
            strides[axis] = size as i64;
            size *= shape[axis];
        }
        Self { shape: shape.to_vec(), strides, padded: example, size }
    }

    /// Whether two tensors of one shape have each element at the same offset.
    pub fn same_places(&self, other: &Layout) -> bool {
        self.shape == other.shape
            && self.size == other.size
            && (0..self.shape.len()).all(|a| self.shape[a] == 1 || self.strides[a] == other.strides[a])
    }

    /// The same storage under another shape with the same row-major order, if strides can express it.
    pub fn reshape(&self, shape: &[usize]) -> Option<Layout> {
        let old: Vec<usize> = (0..self.shape.len()).filter(|&a| self.shape[a] != 1).collect();
        let mut strides = vec![0; shape.len()];
        let mut padded = None;
        let mut taken = 0;
        let mut axis = 0;
        while axis < shape.len() {
            if shape[axis] == 1 {
                axis += 1;
                continue;
            }
            // The shortest runs of old and new axes with equal products, from here on.
            let (first_new, first_old) = (axis, taken);
            let (mut new_len, mut old_len) = (shape[axis], 1);
            axis += 1;
            while new_len != old_len {
                if old_len < new_len {
                    old_len *= self.shape[*old.get(taken)?];
                    taken += 1;
                } else {
                    new_len *= *shape.get(axis)?;
                    axis += 1;
                }
            }
            let run = &old[first_old..taken];
            if run.windows(2).any(|w| self.strides[w[0]] != self.strides[w[1]] * self.shape[w[1]] as i64) {
                return None;
            }
            let mut stride = self.strides[*run.last()?];
            for a in (first_new..axis).rev() {
                strides[a] = stride;
                stride *= shape[a] as i64;
            }
            if run.len() == 1 && Some(run[0]) == self.padded {
                padded = (first_new..axis).find(|&a| shape[a] == self.shape[run[0]]);
            }
        }
        Some(Layout { shape: shape.to_vec(), strides, padded, size: self.size })
    }

    /// Calls `f(linear, offset)` with the row-major index and the place of every element, in row-major order.
    pub fn each(&self, mut f: impl FnMut(usize, usize)) {
        let n: usize = self.shape.iter().product();
        let mut at = vec![0; self.shape.len()];
        let mut offset = 0;
        for i in 0..n {
            f(i, offset as usize);
            for a in (0..at.len()).rev() {
                at[a] += 1;
                offset += self.strides[a];
                if at[a] < self.shape[a] {
                    break;
                }
                offset -= self.strides[a] * self.shape[a] as i64;
                at[a] = 0;
            }
        }
    }

    fn row_major(&self) -> bool {
        self.same_places(&Layout { size: self.size, ..Layout::new(&self.shape, None) })
    }

    /// Where examples are the first axis and the rest lies in order, but for a gap between the parts of the second axis.
    fn transposed(&self) -> Option<Transposed> {
        let fresh = Layout::new(&self.shape, Some(0));
        let fits = self.shape.len() > 1 && self.padded == Some(0) && self.same_places(&fresh);
        fits.then(|| {
            let n = self.shape[0];
            let apart = if self.shape[1] == 1 { self.size } else { self.strides[1] as usize };
            let (parts, inner) = (self.shape[1], self.shape[2..].iter().product());
            let row = n.next_multiple_of(ROW);
            let (parts, inner) = if apart == inner * row { (1, parts * inner) } else { (parts, inner) };
            Transposed { n, parts, inner, row, apart }
        })
    }

    fn place<T: Copy>(&self, from: &[T], to: &mut [T]) {
        if self.row_major() {
            to[..from.len()].copy_from_slice(from);
        } else if let Some(t) = self.transposed() {
            t.each(|i, o| to[o] = from[i]);
        } else {
            self.each(|i, o| to[o] = from[i]);
        }
    }

    fn collect<T: Copy + Default>(&self, from: &[T]) -> Vec<T> {
        let len = self.shape.iter().product();
        if self.row_major() {
            return from[..len].to_vec();
        }
        let mut to = vec![T::default(); len];
        if let Some(t) = self.transposed() {
            t.each(|i, o| to[i] = from[o]);
        } else {
            self.each(|i, o| to[i] = from[o]);
        }
        to
    }

    /// Writes a tensor to its place.
    ///
    /// # Safety
    /// `base` must be aligned to 4 bytes and valid for writes of `self.size` elements that nothing else refers to.
    pub unsafe fn write(&self, tensor: &Tensor, base: *mut u8) {
        match &tensor.data {
            // SAFETY: the caller's promise; f32 and i32 have 4 bytes.
            Data::Float(v) => self.place(v, unsafe { std::slice::from_raw_parts_mut(base.cast(), self.size) }),
            // SAFETY: as above.
            Data::Int(v) => self.place(v, unsafe { std::slice::from_raw_parts_mut(base.cast(), self.size) }),
        }
    }

    /// Reads a tensor from its place.
    ///
    /// # Safety
    /// `base` must be aligned to 4 bytes and valid for reads of `self.size` initialized elements.
    pub unsafe fn read(&self, dtype: DType, base: *const u8) -> Tensor {
        let data = match dtype {
            // SAFETY: the caller's promise; f32 and i32 have 4 bytes.
            DType::Float => Data::Float(self.collect(unsafe { std::slice::from_raw_parts(base.cast(), self.size) })),
            // SAFETY: as above.
            DType::Int => Data::Int(self.collect(unsafe { std::slice::from_raw_parts(base.cast(), self.size) })),
        };
        Tensor { shape: self.shape.clone(), data }
    }
}

/// A matrix for each part of the second axis, turned.
struct Transposed {
    n: usize,
    parts: usize,
    inner: usize,
    row: usize,
    apart: usize,
}

impl Transposed {
    /// Calls `f` with the row-major index and the place of every element, in tiles, so that it stays in the cache.
    fn each(&self, mut f: impl FnMut(usize, usize)) {
        for part in 0..self.parts {
            for j0 in (0..self.inner).step_by(16) {
                for i0 in (0..self.n).step_by(16) {
                    for j in j0..(j0 + 16).min(self.inner) {
                        for i in i0..(i0 + 16).min(self.n) {
                            f((i * self.parts + part) * self.inner + j, part * self.apart + j * self.row + i);
                        }
                    }
                }
            }
        }
    }
}

/// Zeroed memory aligned to 64 bytes, readable [`SLACK`] elements past its length.
pub struct Aligned {
    lines: Vec<Line>,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

impl Aligned {
    /// Room for `elements` of 4 bytes.
    pub fn new(elements: usize) -> Self {
        Self { lines: vec![Line([0.0; 16]); (elements + SLACK).div_ceil(16)] }
    }

    /// How many elements there is room for.
    pub fn len(&self) -> usize {
        self.lines.len() * 16 - SLACK
    }

    /// The first byte.
    pub fn base(&mut self) -> *mut u8 {
        self.lines.as_mut_ptr().cast()
    }

    /// All elements, slack included.
    pub fn floats(&self) -> &[f32] {
        // SAFETY: a line is 16 floats without padding.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * 16) }
    }

    /// All elements, slack included.
    pub fn floats_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * 16) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_lie_innermost_in_padded_rows() {
        let l = Layout::new(&[29, 3, 4], Some(0));
        assert_eq!((l.strides, l.size), (vec![1, 128, 32], 384));
        let l = Layout::new(&[2, 3], None);
        assert_eq!((l.strides, l.size), (vec![3, 1], 6));
        // 4096 bytes apart would be too regular.
        let l = Layout::new(&[32, 3, 2, 16], Some(0));
        assert_eq!((l.strides, l.size), (vec![1, 1104, 512, 32], 3312));
    }

    #[test]
    fn reshapes_are_free_where_strides_allow() {
        let l = Layout::new(&[29, 3, 4, 5], Some(0));
        assert_eq!(l.reshape(&[29, 60]).unwrap(), Layout::new(&[29, 60], Some(0)));
        assert_eq!(l.reshape(&[29, 6, 10]).unwrap(), Layout::new(&[29, 6, 10], Some(0)));
        assert_eq!(l.reshape(&[1, 29, 60, 1]).unwrap().padded, Some(1));
        assert_eq!(l.reshape(&[29 * 3, 20]), None);
        let w = Layout::new(&[6, 4], None);
        assert_eq!(w.reshape(&[2, 12]).unwrap(), Layout::new(&[2, 12], None));
    }

    #[test]
    fn tensors_survive_the_way_in_and_out() {
        for (shape, example) in [
            (vec![29, 3, 20], Some(0)),
            (vec![32, 3, 2, 16], Some(0)),
            (vec![64, 1, 4, 4], Some(0)),
            (vec![4, 7, 3], Some(1)),
            (vec![5, 6], None),
            (vec![], None),
        ] {
            let l = Layout::new(&shape, example);
            let t = Tensor::float(&shape, (0..shape.iter().product()).map(|i: usize| i as f32).collect());
            let mut a = Aligned::new(l.size);
            // SAFETY: `a` has `l.size` elements.
            let back = unsafe {
                l.write(&t, a.base());
                l.read(DType::Float, a.base())
            };
            assert_eq!(back, t);
        }
    }
}
