//! The inner loops of contractions, for AVX-512, for AVX2 with FMA, and for any machine.
//!
//! *Rows*: a block of output channels times a block of lanes stays in registers while the terms of a position are
//! summed; each term loads one row of `x` and broadcasts packed weights. *Dots*: a block of rows of `a` times a block
//! of rows of `b`; each lane is one accumulator, summed at the end, so that the error grows with the number of rows,
//! not of elements.

use super::contract::{Dots, Rows};
use super::layout::ROW;

/// Lets a contraction run on packed weights in `scratch`.
///
/// # Safety
/// All places in the tables must lie inside of the operands, which must not overlap; `scratch` has room for the
/// packed weights.
pub unsafe fn rows(plan: &Rows, out: *mut f32, x: *const f32, w: *const f32, scratch: *mut f32) {
    // SAFETY: the features were detected; the rest is the caller's promise.
    unsafe {
        match isa() {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::rows(plan, out, x, w, scratch),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::rows(plan, out, x, w, scratch),
            Isa::Portable => portable::rows(plan, out, x, w, scratch),
        }
    }
}

/// See [`rows`].
///
/// # Safety
/// All places in the tables must lie inside of the operands, which must not overlap; `scratch` has room for the
/// packed rows.
pub unsafe fn dots(plan: &Dots, out: *mut f32, b: *const f32, a: *const f32, scratch: *mut f32) {
    // SAFETY: as above.
    unsafe {
        match isa() {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::dots(plan, out, b, a, scratch),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::dots(plan, out, b, a, scratch),
            Isa::Portable => portable::dots(plan, out, b, a, scratch),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

#[cfg(test)]
thread_local! {
    /// What tests choose in place of the best.
    static CHOSEN: std::cell::Cell<Option<Isa>> = const { std::cell::Cell::new(None) };
}

fn isa() -> Isa {
    #[cfg(test)]
    if let Some(isa) = CHOSEN.get() {
        return isa;
    }
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f") {
            return Isa::Avx512;
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            return Isa::Avx2;
        }
    }
    Isa::Portable
}

/// `n` in blocks of at most `most`, as equal as possible.
fn blocks(n: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = n.div_ceil(most).max(1);
    let (small, larger) = (n / count, n % count);
    (0..count).scan(0, move |at, i| {
        let len = small + usize::from(i < larger);
        *at += len;
        Some((*at - len, len))
    })
}

/// Weights by output block: those of one term lie side by side.
///
/// # Safety
/// As [`rows`].
unsafe fn pack(plan: &Rows, w: *const f32, to: *mut f32, most: usize) {
    let mut at = 0;
    for (start, len) in blocks(plan.channels.len(), most) {
        for (j, channel) in plan.channels[start..start + len].iter().enumerate() {
            for (t, weight) in plan.weights.iter().enumerate() {
                // SAFETY: the tables are in bounds, by the caller's promise.
                unsafe { *to.add(at + t * len + j) = *w.offset((channel.0 + weight) as isize) };
            }
        }
        at += len * plan.weights.len();
    }
}

/// The rows of a chunk, by blocks of channels: those of one position lie side by side, padded with zeros. Channels lie
/// far apart in tensors, often at multiples of 4096 bytes, where they would compete for the same lines of the cache.
///
/// # Safety
/// As [`dots`].
unsafe fn pack_rows(from: *const f32, rows: &[i64], channels: &[(i64, i64)], most: usize, len: usize, to: *mut f32) {
    let row = len.next_multiple_of(ROW);
    let mut to = to;
    for (start, block) in blocks(channels.len(), most) {
        for r in rows {
            for channel in &channels[start..start + block] {
                // SAFETY: the tables are in bounds, by the caller's promise.
                unsafe {
                    std::ptr::copy_nonoverlapping(from.offset((r + channel.0) as isize), to, len);
                    std::ptr::write_bytes(to.add(len), 0, row - len);
                    to = to.add(row);
                }
            }
        }
    }
}

macro_rules! kernels {
    ($(#[$feature:meta])* $channels:literal, $left:literal, $right:literal) => {
        /// # Safety
        /// As the function of the same name outside.
        $(#[$feature])*
        pub unsafe fn rows(plan: &Rows, out: *mut f32, x: *const f32, w: *const f32, scratch: *mut f32) {
            for &(x_at, w_at, out_at) in &plan.outer {
                // SAFETY: the caller's promise, here and below.
                let (x, w, out) = unsafe { (x.offset(x_at as isize), w.offset(w_at as isize), out.offset(out_at as isize)) };
                unsafe { pack(plan, w, scratch, $channels) };
                for p in &plan.positions {
                    let taps = &plan.taps[p.taps.0..p.taps.1];
                    let mut lane = 0;
                    while lane < plan.row {
                        let left = (plan.row - lane) / LANES;
                        let few = plan.channels.len() <= 2;
                        let vectors = if few && left >= 4 { 4 } else if left >= 2 { 2 } else { 1 };
                        let mut packed = scratch.cast_const();
                        unsafe {
                            let x = x.offset(p.x as isize + lane as isize);
                            let out = out.offset(p.out as isize + lane as isize);
                            for (start, len) in blocks(plan.channels.len(), $channels) {
                                let to = plan.channels.as_ptr().add(start);
                                match (len, vectors) {
                                    (1, 4) => tile::<1, 4>(taps, x, packed, out, to),
                                    (2, 4) => tile::<2, 4>(taps, x, packed, out, to),
                                    (1, 2) => tile::<1, 2>(taps, x, packed, out, to),
                                    (2, 2) => tile::<2, 2>(taps, x, packed, out, to),
                                    (3, 2) => tile::<3, 2>(taps, x, packed, out, to),
                                    (4, 2) => tile::<4, 2>(taps, x, packed, out, to),
                                    (5, 2) => tile::<5, 2>(taps, x, packed, out, to),
                                    (6, 2) => tile::<6, 2>(taps, x, packed, out, to),
                                    (7, 2) => tile::<7, 2>(taps, x, packed, out, to),
                                    (8, 2) => tile::<8, 2>(taps, x, packed, out, to),
                                    (1, _) => tile::<1, 1>(taps, x, packed, out, to),
                                    (2, _) => tile::<2, 1>(taps, x, packed, out, to),
                                    (3, _) => tile::<3, 1>(taps, x, packed, out, to),
                                    (4, _) => tile::<4, 1>(taps, x, packed, out, to),
                                    (5, _) => tile::<5, 1>(taps, x, packed, out, to),
                                    (6, _) => tile::<6, 1>(taps, x, packed, out, to),
                                    (7, _) => tile::<7, 1>(taps, x, packed, out, to),
                                    _ => tile::<8, 1>(taps, x, packed, out, to),
                                }
                                packed = packed.add(len * plan.weights.len());
                            }
                        }
                        lane += vectors * LANES;
                    }
                }
            }
        }

        $(#[$feature])*
        #[inline]
        unsafe fn tile<const O: usize, const V: usize>(
            taps: &[Tap],
            x: *const f32,
            w: *const f32,
            out: *mut f32,
            channels: *const (i64, i64),
        ) {
            unsafe {
                let mut acc = [[zero(); V]; O];
                for tap in taps {
                    let row = x.offset(tap.x as isize);
                    let w = w.add(tap.t as usize * O);
                    let mut xs = [zero(); V];
                    for v in 0..V {
                        xs[v] = load(row.add(v * LANES));
                    }
                    for o in 0..O {
                        let weight = splat(*w.add(o));
                        for v in 0..V {
                            acc[o][v] = fma(weight, xs[v], acc[o][v]);
                        }
                    }
                }
                for o in 0..O {
                    let to = out.offset((*channels.add(o)).1 as isize);
                    for v in 0..V {
                        store(to.add(v * LANES), acc[o][v]);
                    }
                }
            }
        }

        /// # Safety
        /// As the function of the same name outside.
        $(#[$feature])*
        pub unsafe fn dots(plan: &Dots, out: *mut f32, b: *const f32, a: *const f32, scratch: *mut f32) {
            let row = plan.row.next_multiple_of(ROW);
            for &(b_at, a_at, out_at) in &plan.outer {
                // SAFETY: the caller's promise, here and below.
                let (b, a, out) = unsafe { (b.offset(b_at as isize), a.offset(a_at as isize), out.offset(out_at as isize)) };
                let mut first = true;
                for chunk in &plan.chunks {
                    let xs = scratch;
                    let ys = unsafe { scratch.add(chunk.a.len() * plan.left.len() * row) };
                    unsafe {
                        pack_rows(a, &chunk.a, &plan.left, $left, plan.row, xs);
                        pack_rows(b, &chunk.b, &plan.right, $right, plan.row, ys);
                    }
                    let mut start = 0;
                    for (&tap, &end) in plan.taps.iter().zip(&chunk.ends) {
                        let terms = &chunk.terms[start..end];
                        start = end;
                        if terms.is_empty() && !first {
                            continue;
                        }
                        for (r, right) in blocks(plan.right.len(), $right) {
                            for (l, left) in blocks(plan.left.len(), $left) {
                                // SAFETY: offsets, taps and packed operands were laid out for these buffers when the
                                // plan was made; a block never reaches past the channels that the plan has.
                                unsafe {
                                    let out = out.offset(tap as isize);
                                    let x = xs.add(l * chunk.a.len() * row).cast_const();
                                    let y = ys.add(r * chunk.b.len() * row).cast_const();
                                    let ls = plan.left.as_ptr().add(l);
                                    let rs = plan.right.as_ptr().add(r);
                                    match (left, right) {
                                        (1, 1) => dot::<1, 1, 4>(terms, row, x, y, out, ls, rs, first),
                                        (1, 2) => dot::<1, 2, 2>(terms, row, x, y, out, ls, rs, first),
                                        (1, 3) => dot::<1, 3, 2>(terms, row, x, y, out, ls, rs, first),
                                        (1, 4) => dot::<1, 4, 2>(terms, row, x, y, out, ls, rs, first),
                                        (2, 1) => dot::<2, 1, 2>(terms, row, x, y, out, ls, rs, first),
                                        (2, 2) => dot::<2, 2, 2>(terms, row, x, y, out, ls, rs, first),
                                        (2, 3) => dot::<2, 3, 1>(terms, row, x, y, out, ls, rs, first),
                                        (2, 4) => dot::<2, 4, 1>(terms, row, x, y, out, ls, rs, first),
                                        (3, 1) => dot::<3, 1, 2>(terms, row, x, y, out, ls, rs, first),
                                        (3, 2) => dot::<3, 2, 1>(terms, row, x, y, out, ls, rs, first),
                                        (3, 3) => dot::<3, 3, 1>(terms, row, x, y, out, ls, rs, first),
                                        (3, 4) => dot::<3, 4, 1>(terms, row, x, y, out, ls, rs, first),
                                        (4, 1) => dot::<4, 1, 2>(terms, row, x, y, out, ls, rs, first),
                                        (4, 2) => dot::<4, 2, 1>(terms, row, x, y, out, ls, rs, first),
                                        (4, 3) => dot::<4, 3, 1>(terms, row, x, y, out, ls, rs, first),
                                        (4, 4) => dot::<4, 4, 1>(terms, row, x, y, out, ls, rs, first),
                                        (5, 1) => dot::<5, 1, 1>(terms, row, x, y, out, ls, rs, first),
                                        (5, 2) => dot::<5, 2, 1>(terms, row, x, y, out, ls, rs, first),
                                        (5, 3) => dot::<5, 3, 1>(terms, row, x, y, out, ls, rs, first),
                                        (5, 4) => dot::<5, 4, 1>(terms, row, x, y, out, ls, rs, first),
                                        (6, 1) => dot::<6, 1, 1>(terms, row, x, y, out, ls, rs, first),
                                        (6, 2) => dot::<6, 2, 1>(terms, row, x, y, out, ls, rs, first),
                                        (6, 3) => dot::<6, 3, 1>(terms, row, x, y, out, ls, rs, first),
                                        _ => dot::<6, 4, 1>(terms, row, x, y, out, ls, rs, first),
                                    }
                                }
                            }
                        }
                    }
                    first = false;
                }
            }
        }

        /// Adds the dot products of `L` by `R` packed rows to `out`, or stores them the first time.
        $(#[$feature])*
        #[inline]
        #[allow(clippy::too_many_arguments, reason = "an inner loop with all that it needs")]
        unsafe fn dot<const L: usize, const R: usize, const U: usize>(
            terms: &[(u32, u32)],
            row: usize,
            x: *const f32,
            y: *const f32,
            out: *mut f32,
            left: *const (i64, i64),
            right: *const (i64, i64),
            first: bool,
        ) {
            unsafe {
                let mut acc = [[[zero(); U]; R]; L];
                let whole = row / (LANES * U) * (LANES * U);
                for &(i, j) in terms {
                    let (x, y) = (x.add(i as usize * L * row), y.add(j as usize * R * row));
                    let mut n = 0;
                    while n < whole {
                        for u in 0..U {
                            let mut ys = [zero(); R];
                            for r in 0..R {
                                ys[r] = load(y.add(r * row + n + u * LANES));
                            }
                            for l in 0..L {
                                let x = load(x.add(l * row + n + u * LANES));
                                for r in 0..R {
                                    acc[l][r][u] = fma(x, ys[r], acc[l][r][u]);
                                }
                            }
                        }
                        n += LANES * U;
                    }
                    while n < row {
                        for l in 0..L {
                            let x = load(x.add(l * row + n));
                            for r in 0..R {
                                acc[l][r][0] = fma(x, load(y.add(r * row + n)), acc[l][r][0]);
                            }
                        }
                        n += LANES;
                    }
                }
                for l in 0..L {
                    for r in 0..R {
                        let mut s = acc[l][r][0];
                        for u in 1..U {
                            s = add(s, acc[l][r][u]);
                        }
                        let to = out.offset((*left.add(l)).1 as isize + (*right.add(r)).1 as isize);
                        let s = sum(s);
                        *to = if first { s } else { *to + s };
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::needless_range_loop, reason = "the loops are unrolled by their constant bounds")]
#[allow(clippy::wildcard_imports, reason = "a table of intrinsics follows")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::super::contract::{Dots, Rows, Tap};
    use super::{ROW, blocks, pack, pack_rows};

    const LANES: usize = 16;
    type V = __m512;

    macro_rules! primitive {
        ($name:ident($($a:ident: $t:ty),*) -> $r:ty, $e:expr) => {
            #[target_feature(enable = "avx512f,avx2,fma")]
            #[inline]
            unsafe fn $name($($a: $t),*) -> $r {
                // SAFETY: called with pointers to whole vectors, or to as many elements as are loaded.
                #[allow(unused_unsafe, reason = "some intrinsics are safe")]
                unsafe { $e }
            }
        };
    }
    primitive!(zero() -> V, _mm512_setzero_ps());
    primitive!(load(p: *const f32) -> V, _mm512_loadu_ps(p));
    primitive!(store(p: *mut f32, x: V) -> (), _mm512_storeu_ps(p, x));
    primitive!(splat(x: f32) -> V, _mm512_set1_ps(x));
    primitive!(fma(a: V, b: V, c: V) -> V, _mm512_fmadd_ps(a, b, c));
    primitive!(add(a: V, b: V) -> V, _mm512_add_ps(a, b));
    primitive!(sum(a: V) -> f32, _mm512_reduce_add_ps(a));

    kernels!(
        #[target_feature(enable = "avx512f,avx2,fma")]
        8,
        6,
        4
    );
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::needless_range_loop, reason = "the loops are unrolled by their constant bounds")]
#[allow(clippy::wildcard_imports, reason = "a table of intrinsics follows")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::super::contract::{Dots, Rows, Tap};
    use super::{ROW, blocks, pack, pack_rows};

    const LANES: usize = 8;
    type V = __m256;

    macro_rules! primitive {
        ($name:ident($($a:ident: $t:ty),*) -> $r:ty, $e:expr) => {
            #[target_feature(enable = "avx2,fma")]
            #[inline]
            unsafe fn $name($($a: $t),*) -> $r {
                // SAFETY: called with pointers to whole vectors, or to as many elements as are loaded.
                #[allow(unused_unsafe, reason = "some intrinsics are safe")]
                unsafe { $e }
            }
        };
    }
    primitive!(zero() -> V, _mm256_setzero_ps());
    primitive!(load(p: *const f32) -> V, _mm256_loadu_ps(p));
    primitive!(store(p: *mut f32, x: V) -> (), _mm256_storeu_ps(p, x));
    primitive!(splat(x: f32) -> V, _mm256_set1_ps(x));
    primitive!(fma(a: V, b: V, c: V) -> V, _mm256_fmadd_ps(a, b, c));
    primitive!(add(a: V, b: V) -> V, _mm256_add_ps(a, b));
    primitive!(sum(a: V) -> f32, {
        let s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
        let s = _mm_add_ps(s, _mm_movehl_ps(s, s));
        _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps::<1>(s, s)))
    });

    kernels!(
        #[target_feature(enable = "avx2,fma")]
        6,
        4,
        3
    );
}

#[allow(clippy::needless_range_loop, reason = "the loops are unrolled by their constant bounds")]
mod portable {
    use super::super::contract::{Dots, Rows, Tap};
    use super::{ROW, blocks, pack, pack_rows};

    const LANES: usize = 4;
    type V = [f32; 4];

    fn zero() -> V {
        [0.0; 4]
    }
    /// # Safety
    /// `p` points to a vector.
    unsafe fn load(p: *const f32) -> V {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<V>().read_unaligned() }
    }
    /// # Safety
    /// `p` points to a vector.
    unsafe fn store(p: *mut f32, x: V) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<V>().write_unaligned(x) }
    }
    fn splat(x: f32) -> V {
        [x; 4]
    }
    fn fma(a: V, b: V, c: V) -> V {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    fn add(a: V, b: V) -> V {
        std::array::from_fn(|i| a[i] + b[i])
    }
    fn sum(a: V) -> f32 {
        (a[0] + a[2]) + (a[1] + a[3])
    }
    kernels!(4, 3, 2);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{G, agree};
    use super::*;
    use crate::graph::ReduceOp;

    #[test]
    fn every_instruction_set_agrees() {
        let mut all = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                all.push(Isa::Avx2);
            }
            if std::is_x86_feature_detected!("avx512f") {
                all.push(Isa::Avx512);
            }
        }
        for isa in all {
            CHOSEN.set(Some(isa));
            // Block sizes of one to eight channels, one group and several, whole rows and parts.
            for (n, i, o, groups) in
                [(3, 1, 1, 1), (29, 2, 3, 1), (64, 3, 7, 1), (40, 6, 12, 2), (16, 7, 7, 7), (96, 2, 13, 1)]
            {
                let mut g = G::default();
                let x = g.data("x", &[n, i, 5, 4]);
                let w = g.param("w", &[o, i / groups, 3, 3]);
                let y = g.conv(x, w, 1, 1, groups);
                let squares = g.0.mul(y, y);
                let loss = g.0.reduce_all(ReduceOp::Mean, squares);
                for d in crate::graph::gradients(&mut g.0, loss, &[x, w]) {
                    g.out(d);
                }
                g.out(y);
                agree(&g.0);
            }
        }
        CHOSEN.set(None);
    }

    #[test]
    fn blocks_cover_everything_evenly() {
        for n in 1..40 {
            for most in 1..9 {
                let all: Vec<_> = blocks(n, most).collect();
                assert_eq!(all.iter().map(|b| b.1).sum::<usize>(), n);
                assert!(all.iter().all(|b| b.1 <= most && b.1 >= 1 && b.1 + 1 >= all[0].1));
                assert!(all.windows(2).all(|w| w[0].0 + w[0].1 == w[1].0));
            }
        }
    }
}
