//! The inner loops of contractions, for AVX-512, for AVX2 with FMA, for NEON, and for any machine.
//!
//! *Rows*: a block of output channels times a block of lanes stays in registers while the terms of a position are
//! summed; each term loads one row of `x` and broadcasts packed weights. *Dots* with enough channels on both sides are
//! sums of outer products: rows are turned so that channels lie side by side, and a block of them times a block of
//! the other side's stays in registers while examples and places are summed; nothing is added across lanes. With few
//! channels a row of `a` meets the rows of `b` that belong to it, and lanes are added in the end.

mod turn;

use std::ops::Range;

use super::contract::{Dots, Rows};
use super::isa::{Isa, isa};
use super::team::Share;

/// Lets a share of a contraction run on packed weights in `scratch`, which no other thread has.
///
/// # Safety
/// The machine has the instructions. All places in the tables must lie inside of the operands, which must not overlap;
/// `scratch` has room for the packed weights.
pub unsafe fn rows(
    isa: Isa,
    plan: &Rows,
    share: Share,
    out: *mut f32,
    x: *const f32,
    w: *const f32,
    scratch: *mut f32,
) {
    // SAFETY: the features were detected; the rest is the caller's promise.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::rows(plan, share, out, x, w, scratch),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::rows(plan, share, out, x, w, scratch),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::rows(plan, share, out, x, w, scratch),
            Isa::Portable => portable::rows(plan, share, out, x, w, scratch),
        }
    }
}

/// See [`rows`].
///
/// # Safety
/// The machine has the instructions. All places in the tables must lie inside of the operands, which must not overlap;
/// `scratch` has room for the packed rows.
pub unsafe fn dots(
    isa: Isa,
    plan: &Dots,
    share: Share,
    out: *mut f32,
    b: *const f32,
    a: *const f32,
    scratch: *mut f32,
) {
    let (b, a) = if plan.swapped { (a, b) } else { (b, a) };
    // SAFETY: as above.
    unsafe {
        match (&plan.products, isa) {
            #[cfg(target_arch = "x86_64")]
            (Some(p), Isa::Avx512) => avx512::products(plan, share, p, out, b, a, scratch),
            #[cfg(target_arch = "x86_64")]
            (Some(p), Isa::Avx2) => avx2::products(plan, share, p, out, b, a, scratch),
            #[cfg(target_arch = "aarch64")]
            (Some(p), Isa::Neon) => neon::products(plan, share, p, out, b, a, scratch),
            (Some(p), Isa::Portable) => portable::products(plan, share, p, out, b, a, scratch),
            #[cfg(target_arch = "x86_64")]
            (None, Isa::Avx512) => avx512::sums(plan, share, out, b, a, scratch),
            #[cfg(target_arch = "x86_64")]
            (None, Isa::Avx2) => avx2::sums(plan, share, out, b, a, scratch),
            #[cfg(target_arch = "aarch64")]
            (None, Isa::Neon) => neon::sums(plan, share, out, b, a, scratch),
            (None, Isa::Portable) => portable::sums(plan, share, out, b, a, scratch),
        }
    }
}

/// GFLOP/s of multiply-adds in registers.
pub fn peak() -> f64 {
    const ROUNDS: usize = 200_000;
    let start = std::time::Instant::now();
    // SAFETY: the features were detected.
    let done = unsafe {
        match isa() {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::peak(ROUNDS),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::peak(ROUNDS),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::peak(ROUNDS),
            Isa::Portable => portable::peak(ROUNDS),
        }
    };
    done as f64 / start.elapsed().as_secs_f64() / 1e9
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

/// `n` lanes in blocks of two vectors and at last one.
fn wide_blocks(n: usize, lanes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).step_by(2 * lanes).map(move |at| (at, (n - at).min(2 * lanes)))
}

/// Weights by output block: those of one term lie side by side.
///
/// # Safety
/// As [`rows`].
unsafe fn pack(plan: &Rows, all: &[(i64, i64)], w: *const f32, to: *mut f32, most: usize) {
    let apart = plan.channels.get(1).map_or(i64::MAX, |c| (c.0 - plan.channels[0].0).abs());
    // The inner loop is the one that stays closer together in `w`.
    let across = apart < plan.weights.len() as i64;
    let mut at = 0;
    for (start, len) in blocks(all.len(), most) {
        let channels = &all[start..start + len];
        let copy = |t: usize, weight: &i64, j: usize, channel: &(i64, i64)| {
            // SAFETY: the tables are in bounds, by the caller's promise.
            unsafe { *to.add(at + t * len + j) = *w.offset((channel.0 + weight) as isize) };
        };
        if across {
            for (t, weight) in plan.weights.iter().enumerate() {
                for (j, channel) in channels.iter().enumerate() {
                    copy(t, weight, j, channel);
                }
            }
        } else {
            for (j, channel) in channels.iter().enumerate() {
                for (t, weight) in plan.weights.iter().enumerate() {
                    copy(t, weight, j, channel);
                }
            }
        }
        at += len * plan.weights.len();
    }
}

/// What a block of a sum of products is about.
struct Patch<'a> {
    /// Examples.
    row: usize,
    /// Starts in `a` and in `b`.
    positions: &'a [(i64, i64)],
    /// Rows of `b`, with the numbers of their results.
    columns: &'a [(i64, u32)],
    /// Rows of `a`.
    lefts: *const (i64, i64),
    /// Results of each row of `a`.
    slots: usize,
}

/// The results that [`Outer`] keeps in scratch, to their places.
///
/// # Safety
/// As [`dots`].
unsafe fn rearrange(plan: &Dots, rights: Range<usize>, width: usize, from: *const f32, out: *mut f32) {
    // Neighbours in the scratch go to as many streams of writes.
    for (block, left) in plan.left.chunks(16).enumerate() {
        for (r, right) in plan.right.iter().enumerate().take(rights.end).skip(rights.start) {
            for (t, tap) in plan.taps.iter().enumerate() {
                // SAFETY: the tables are in bounds, by the caller's promise.
                unsafe {
                    let from = from.add((t * plan.right.len() + r) * width + block * 16);
                    let out = out.offset((right.1 + tap) as isize);
                    for (l, left) in left.iter().enumerate() {
                        *out.offset(left.1 as isize) = *from.add(l);
                    }
                }
            }
        }
    }
}

macro_rules! kernels {
    ($(#[$feature:meta])* $channels:literal, [$($tall:literal)*], $side:literal, $few:literal, $many:literal, $pitch:literal) => {
        /// # Safety
        /// As the function of the same name outside.
        $(#[$feature])*
        pub unsafe fn rows(plan: &Rows, share: Share, out: *mut f32, x: *const f32, w: *const f32, scratch: *mut f32) {
            // A row that no other position needs is best read once, for all channels; the weights of larger windows would
            // fill the first-level cache.
            let tallest = [0usize, $($tall),*].into_iter().max().unwrap_or(0);
            let tall = plan.streams && plan.channels.len() > $channels && tallest > 0;
            let most = if tall { tallest } else { $channels };
            let (mut outer, mut positions) = plan.shares(share);
            let mut channels = &plan.channels[..];
            if plan.outer.len() < share.of && share.divides(channels.len(), most) {
                channels = &channels[share.of(channels.len(), most)];
                (outer, positions) = (0..plan.outer.len(), 0..plan.positions.len());
            }
            if positions.is_empty() || channels.is_empty() {
                return;
            }
            let positions = &plan.positions[positions];
            for &(x_at, w_at, out_at) in &plan.outer[outer] {
                // SAFETY: the caller's promise, here and below.
                let (x, w, out) = unsafe { (x.offset(x_at as isize), w.offset(w_at as isize), out.offset(out_at as isize)) };
                unsafe { pack(plan, channels, w, scratch, most) };
                let mut i = 0;
                while let Some(p) = positions.get(i) {
                    let taps = &plan.taps[p.taps.0..p.taps.1];
                    if channels.len() == 1 && taps.len() == 9 {
                        let run = positions[i..].iter().take_while(|q| q.taps == p.taps).count();
                        unsafe {
                            let out = out.offset(channels[0].1 as isize);
                            line(plan.row, taps, &positions[i..i + run], x, scratch, out);
                        }
                        i += run;
                        continue;
                    }
                    // Too many streams for the machine to foresee.
                    let soon = if plan.streams { positions.get(i + 2).map_or(0, |q| (q.x - p.x) as isize) } else { 0 };
                    let mut lane = 0;
                    while lane < plan.row {
                        let left = (plan.row - lane) / LANES;
                        let few = channels.len() <= 2;
                        let vectors = if few && left >= 4 { 4 } else if left >= 2 && !tall { 2 } else { 1 };
                        let mut packed = scratch.cast_const();
                        // SAFETY: as above.
                        unsafe {
                            let x = x.offset(p.x as isize + lane as isize);
                            let out = out.offset(p.out as isize + lane as isize);
                            for (start, len) in blocks(channels.len(), most) {
                                let to = channels.as_ptr().add(start);
                                let soon = if start == 0 { soon } else { 0 };
                                match (len, vectors) {
                                    (1, 4) => tile::<1, 4>(taps, x, packed, out, to, soon),
                                    (2, 4) => tile::<2, 4>(taps, x, packed, out, to, soon),
                                    (1, 2) => tile::<1, 2>(taps, x, packed, out, to, soon),
                                    (2, 2) => tile::<2, 2>(taps, x, packed, out, to, soon),
                                    (3, 2) => tile::<3, 2>(taps, x, packed, out, to, soon),
                                    (4, 2) => tile::<4, 2>(taps, x, packed, out, to, soon),
                                    (5, 2) => tile::<5, 2>(taps, x, packed, out, to, soon),
                                    (6, 2) => tile::<6, 2>(taps, x, packed, out, to, soon),
                                    (7, 2) => tile::<7, 2>(taps, x, packed, out, to, soon),
                                    (8, 2) => tile::<8, 2>(taps, x, packed, out, to, soon),
                                    (1, _) => tile::<1, 1>(taps, x, packed, out, to, soon),
                                    (2, _) => tile::<2, 1>(taps, x, packed, out, to, soon),
                                    (3, _) => tile::<3, 1>(taps, x, packed, out, to, soon),
                                    (4, _) => tile::<4, 1>(taps, x, packed, out, to, soon),
                                    (5, _) => tile::<5, 1>(taps, x, packed, out, to, soon),
                                    (6, _) => tile::<6, 1>(taps, x, packed, out, to, soon),
                                    (7, _) => tile::<7, 1>(taps, x, packed, out, to, soon),
                                    $(($tall, _) => tile::<$tall, 1>(taps, x, packed, out, to, soon),)*
                                    _ => tile::<8, 1>(taps, x, packed, out, to, soon),
                                }
                                packed = packed.add(len * plan.weights.len());
                            }
                        }
                        lane += vectors * LANES;
                    }
                    i += 1;
                }
            }
        }

        /// One channel of positions with the same nine taps, whose weights stay in registers.
        $(#[$feature])*
        #[inline]
        unsafe fn line(
            row: usize,
            taps: &[Tap],
            positions: &[Position],
            x: *const f32,
            w: *const f32,
            out: *mut f32,
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                let (mut ws, mut at) = ([zero(); 9], [0isize; 9]);
                for t in 0..9 {
                    ws[t] = splat(*w.add(taps[t].t as usize));
                    at[t] = taps[t].x as isize;
                }
                for (i, p) in positions.iter().enumerate() {
                    let (x, out) = (x.offset(p.x as isize), out.offset(p.out as isize));
                    // The last row of a window is the one that no position before it had.
                    let soon = positions.get(i + 4).map_or(0, |q| (q.x - p.x) as isize);
                    let mut lane = 0;
                    while lane < row {
                        let (x, out) = (x.add(lane), out.add(lane));
                        if (row - lane) / LANES >= 4 {
                            for v in 0..4 {
                                prefetch(x.wrapping_offset(at[8] + soon).wrapping_add(v * LANES));
                            }
                            nine::<4>(&ws, &at, x, out);
                            lane += 4 * LANES;
                        } else {
                            nine::<1>(&ws, &at, x, out);
                            lane += LANES;
                        }
                    }
                }
            }
        }

        $(#[$feature])*
        #[inline]
        unsafe fn nine<const V: usize>(ws: &[Vector; 9], at: &[isize; 9], x: *const f32, out: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe {
                let mut acc = [zero(); V];
                for t in 0..9 {
                    for v in 0..V {
                        acc[v] = fma(ws[t], load(x.offset(at[t]).add(v * LANES)), acc[v]);
                    }
                }
                for v in 0..V {
                    store(out.add(v * LANES), acc[v]);
                }
            }
        }

        /// Multiplies and adds without memory. Gives the number of operations.
        ///
        /// # Safety
        /// The machine has the features.
        $(#[$feature])*
        #[allow(unused_unsafe, reason = "the portable operations are safe")]
        pub unsafe fn peak(rounds: usize) -> u64 {
            // SAFETY: the caller's promise.
            unsafe {
                let (x, y) = (splat(std::hint::black_box(1e-9)), splat(std::hint::black_box(0.999)));
                let mut acc = [x; 10];
                for _ in 0..rounds {
                    for a in &mut acc {
                        *a = fma(*a, y, x);
                    }
                }
                let mut total = x;
                for a in acc {
                    total = add(total, a);
                }
                std::hint::black_box(sum(total));
            }
            (rounds * 10 * LANES * 2) as u64
        }

        $(#[$feature])*
        #[inline]
        unsafe fn tile<const O: usize, const V: usize>(
            taps: &[Tap],
            x: *const f32,
            w: *const f32,
            out: *mut f32,
            channels: *const (i64, i64),
            soon: isize,
        ) {
            unsafe {
                let mut acc = [[zero(); V]; O];
                for tap in taps {
                    let row = x.offset(tap.x as isize);
                    if soon != 0 {
                        for v in 0..V {
                            prefetch(row.wrapping_offset(soon).wrapping_add(v * LANES));
                        }
                    }
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

        /// Sums of products of rows as they lie: a few rows of `a` meet a few rows of `b`.
        ///
        /// # Safety
        /// As [`dots`].
        $(#[$feature])*
        pub unsafe fn sums(plan: &Dots, share: Share, out: *mut f32, b: *const f32, a: *const f32, scratch: *mut f32) {
            let slots = plan.places.len();
            // One row of `a` leaves room for more of `b`.
            let most = if plan.left.len() == 1 { 9 } else { $side };
            // Where neither can be divided, the first thread does it all.
            let (mut outer, mut lefts) = (0..plan.outer.len(), &plan.left[..]);
            if share.divides(plan.outer.len(), 1) {
                outer = share.of(plan.outer.len(), 1);
            } else if share.divides(lefts.len(), 1) {
                lefts = &lefts[share.of(lefts.len(), 1)];
            } else if share.index > 0 {
                return;
            }
            for &(b_at, a_at, out_at) in &plan.outer[outer] {
                // SAFETY: the caller's promise, here and below.
                unsafe {
                    let (b, a, out) = (b.offset(b_at as isize), a.offset(a_at as isize), out.offset(out_at as isize));
                    std::ptr::write_bytes(scratch, 0, lefts.len() * slots * LANES);
                    for class in &plan.classes {
                        for positions in class.positions.chunks(plan.together) {
                            for (l, left) in blocks(lefts.len(), 4) {
                                let lefts = lefts.as_ptr().add(l);
                                let sums = scratch.add(l * slots * LANES);
                                for (start, len) in blocks(class.columns.len(), most) {
                                    let columns = &class.columns[start..start + len];
                                    let p = Patch { row: plan.row, positions, columns, lefts, slots };
                                    match (left, len) {
                                        (1, 1) => patch::<1, 1>(&p, a, b, sums),
                                        (1, 2) => patch::<1, 2>(&p, a, b, sums),
                                        (1, 3) => patch::<1, 3>(&p, a, b, sums),
                                        (1, 4) => patch::<1, 4>(&p, a, b, sums),
                                        (1, 5) => patch::<1, 5>(&p, a, b, sums),
                                        (1, 6) => patch::<1, 6>(&p, a, b, sums),
                                        (1, 7) => patch::<1, 7>(&p, a, b, sums),
                                        (1, 8) => patch::<1, 8>(&p, a, b, sums),
                                        (1, _) => patch::<1, 9>(&p, a, b, sums),
                                        (2, 1) => patch::<2, 1>(&p, a, b, sums),
                                        (2, 2) => patch::<2, 2>(&p, a, b, sums),
                                        (2, 3) => patch::<2, 3>(&p, a, b, sums),
                                        (2, _) => patch::<2, 4>(&p, a, b, sums),
                                        (3, 1) => patch::<3, 1>(&p, a, b, sums),
                                        (3, 2) => patch::<3, 2>(&p, a, b, sums),
                                        (3, 3) => patch::<3, 3>(&p, a, b, sums),
                                        (3, _) => patch::<3, 4>(&p, a, b, sums),
                                        (_, 1) => patch::<4, 1>(&p, a, b, sums),
                                        (_, 2) => patch::<4, 2>(&p, a, b, sums),
                                        (_, 3) => patch::<4, 3>(&p, a, b, sums),
                                        _ => patch::<4, 4>(&p, a, b, sums),
                                    }
                                }
                            }
                        }
                    }
                    for (l, left) in lefts.iter().enumerate() {
                        for (slot, place) in plan.places.iter().enumerate() {
                            let s = sum(load(scratch.add((l * slots + slot) * LANES)));
                            *out.offset((left.1 + place) as isize) = s;
                        }
                    }
                }
            }
        }

        /// Adds the products of `L` rows of `a` and `G` rows of `b` at each position, lane by lane, to vectors at `sums`.
        $(#[$feature])*
        #[inline]
        unsafe fn patch<const L: usize, const G: usize>(p: &Patch, a: *const f32, b: *const f32, sums: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe {
                let (mut rows, mut offsets) = ([0isize; L], [0isize; G]);
                for l in 0..L {
                    rows[l] = (*p.lefts.add(l)).0 as isize;
                }
                for g in 0..G {
                    offsets[g] = p.columns[g].0 as isize;
                }
                let mut acc = [[zero(); G]; L];
                let whole = p.row / LANES * LANES;
                for &(at_a, at_b) in p.positions {
                    let (a, b) = (a.offset(at_a as isize), b.offset(at_b as isize));
                    let mut n = 0;
                    while n < whole {
                        let mut ys = [zero(); G];
                        for g in 0..G {
                            ys[g] = load(b.offset(offsets[g]).add(n));
                        }
                        for l in 0..L {
                            let x = load(a.offset(rows[l]).add(n));
                            for g in 0..G {
                                acc[l][g] = fma(x, ys[g], acc[l][g]);
                            }
                        }
                        n += LANES;
                    }
                    if n < p.row {
                        for l in 0..L {
                            let x = part(a.offset(rows[l]).add(n), p.row - n);
                            for g in 0..G {
                                acc[l][g] = fma(x, part(b.offset(offsets[g]).add(n), p.row - n), acc[l][g]);
                            }
                        }
                    }
                }
                for l in 0..L {
                    for g in 0..G {
                        let to = sums.add((l * p.slots + p.columns[g].1 as usize) * LANES);
                        store(to, add(load(to), acc[l][g]));
                    }
                }
            }
        }

        /// # Safety
        /// As [`dots`].
        $(#[$feature])*
        pub unsafe fn products(
            plan: &Dots,
            share: Share,
            p: &Outer,
            out: *mut f32,
            b: *const f32,
            a: *const f32,
            scratch: *mut f32,
        ) {
            let one = plan.left.len() <= LANES;
            let (most, pitch): (usize, usize) = if one { ($many, $pitch) } else { ($few, 8) };
            let row = plan.row;
            let (mut around, mut rights) = (0..plan.outer.len(), 0..plan.right.len());
            if share.divides(plan.outer.len(), 1) {
                around = share.of(plan.outer.len(), 1);
            } else {
                rights = share.of(plan.right.len(), 1);
            }
            if rights.is_empty() {
                return;
            }
            let right = &plan.right[rights.clone()];
            for &(b_at, a_at, out_at) in &plan.outer[around] {
                // SAFETY: the caller's promise, here and below.
                unsafe {
                    let (b, a, out) = (b.offset(b_at as isize), a.offset(a_at as isize), out.offset(out_at as isize));
                    let aside = scratch;
                    let xs = scratch.add(plan.taps.len() * plan.right.len() * p.width);
                    let mut first = true;
                    for chunk in &plan.chunks {
                        let mut ys = xs;
                        for (start, len) in wide_blocks(plan.left.len(), LANES) {
                            let width = len.next_multiple_of(LANES);
                            turn(a, &chunk.a, &plan.left[start..start + len], row, ys, width);
                            ys = ys.add(plan.packed_rows.0 * row * width);
                        }
                        let mut y = ys;
                        for (start, len) in blocks(right.len(), most) {
                            turn(b, &chunk.b, &right[start..start + len], row, y, pitch);
                            y = y.add(plan.packed_rows.1 * row * pitch);
                        }
                        let mut start = 0;
                        for (t, &end) in chunk.ends.iter().enumerate() {
                            let terms = &chunk.terms[start..end];
                            start = end;
                            if terms.is_empty() && !first {
                                continue;
                            }
                            let to = if p.width == 0 {
                                out.offset((plan.taps[t] + plan.left[0].1) as isize)
                            } else {
                                aside.add(t * plan.right.len() * p.width)
                            };
                            let mut x = xs.cast_const();
                            for (l, len) in wide_blocks(plan.left.len(), LANES) {
                                let mut y = ys.cast_const();
                                for (r, columns) in blocks(right.len(), most) {
                                    let to = to.add(l);
                                    let at = p.columns.as_ptr().add(rights.start + r);
                                    match (len.div_ceil(LANES), columns) {
                                        (1, 1) => outer::<1, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 2) => outer::<2, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 3) => outer::<3, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 4) => outer::<4, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 5) => outer::<5, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 6) => outer::<6, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 7) => outer::<7, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 8) => outer::<8, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 9) => outer::<9, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 10) => outer::<10, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 11) => outer::<11, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 12) => outer::<12, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 13) => outer::<13, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 14) => outer::<14, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, 15) => outer::<15, 1>(terms, row, x, y, pitch, to, at, first),
                                        (1, _) => outer::<16, 1>(terms, row, x, y, pitch, to, at, first),
                                        (_, 1) => outer::<1, 2>(terms, row, x, y, pitch, to, at, first),
                                        (_, 2) => outer::<2, 2>(terms, row, x, y, pitch, to, at, first),
                                        (_, 3) => outer::<3, 2>(terms, row, x, y, pitch, to, at, first),
                                        (_, 4) => outer::<4, 2>(terms, row, x, y, pitch, to, at, first),
                                        (_, 5) => outer::<5, 2>(terms, row, x, y, pitch, to, at, first),
                                        (_, 6) => outer::<6, 2>(terms, row, x, y, pitch, to, at, first),
                                        (_, 7) => outer::<7, 2>(terms, row, x, y, pitch, to, at, first),
                                        _ => outer::<8, 2>(terms, row, x, y, pitch, to, at, first),
                                    }
                                    y = y.add(plan.packed_rows.1 * row * pitch);
                                }
                                x = x.add(plan.packed_rows.0 * row * len.next_multiple_of(LANES));
                            }
                        }
                        first = false;
                    }
                    if p.width > 0 {
                        rearrange(plan, rights.clone(), p.width, aside, out);
                    }
                }
            }
        }

        /// Adds the sum of outer products, `V` vectors of `x` by `J` elements of `y`, to rows at `to`, or stores it the
        /// first time.
        $(#[$feature])*
        #[inline]
        #[allow(clippy::too_many_arguments, reason = "an inner loop with all that it needs")]
        unsafe fn outer<const J: usize, const V: usize>(
            terms: &[(u32, u32)],
            row: usize,
            x: *const f32,
            y: *const f32,
            pitch: usize,
            to: *mut f32,
            columns: *const i64,
            first: bool,
        ) {
            unsafe {
                let mut acc = [[zero(); V]; J];
                for &(i, j) in terms {
                    let mut x = x.add(i as usize * row * V * LANES);
                    let mut y = y.add(j as usize * row * pitch);
                    for _ in 0..row {
                        let mut xs = [zero(); V];
                        for v in 0..V {
                            xs[v] = load(x.add(v * LANES));
                        }
                        for j in 0..J {
                            let weight = splat(*y.add(j));
                            for v in 0..V {
                                acc[j][v] = fma(weight, xs[v], acc[j][v]);
                            }
                        }
                        x = x.add(V * LANES);
                        y = y.add(pitch);
                    }
                }
                for j in 0..J {
                    let to = to.offset(*columns.add(j) as isize);
                    for v in 0..V {
                        let to = to.add(v * LANES);
                        let s = acc[j][v];
                        store(to, if first { s } else { add(load(to), s) });
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::needless_range_loop, reason = "the loops are unrolled by their constant bounds")]
mod avx512 {
    use super::super::contract::{Dots, Outer, Position, Rows, Tap};
    use super::super::lanes::avx512::{LANES, V as Vector, add, fma, load, part, prefetch, splat, store, sum, zero};
    use super::{Patch, Share, blocks, pack, rearrange, wide_blocks};

    kernels!(
        #[target_feature(enable = "avx512f,avx2,fma")]
        8,
        [9 10 11 12 13 14 15 16],
        4,
        8,
        16,
        16
    );

    use super::turn::avx2::turn;
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::needless_range_loop, reason = "the loops are unrolled by their constant bounds")]
mod avx2 {
    use super::super::lanes::avx2::{LANES, V as Vector, add, fma, load, part, prefetch, splat, store, sum, zero};

    use super::super::contract::{Dots, Outer, Position, Rows, Tap};
    use super::{Patch, Share, blocks, pack, rearrange, wide_blocks};

    kernels!(
        #[target_feature(enable = "avx2,fma")]
        6,
        [],
        3,
        6,
        8,
        8
    );

    use super::turn::avx2::turn;
}

#[cfg(target_arch = "aarch64")]
#[allow(clippy::needless_range_loop, reason = "the loops are unrolled by their constant bounds")]
mod neon {
    use super::super::contract::{Dots, Outer, Position, Rows, Tap};
    use super::super::lanes::neon::{LANES, V as Vector, add, fma, load, part, prefetch, splat, store, sum, zero};
    use super::{Patch, Share, blocks, pack, rearrange, wide_blocks};

    kernels!(
        #[target_feature(enable = "neon")]
        8,
        [],
        4,
        8,
        8,
        8
    );

    use super::turn::neon::turn;
}

#[allow(clippy::needless_range_loop, reason = "the loops are unrolled by their constant bounds")]
mod portable {
    use super::super::contract::{Dots, Outer, Position, Rows, Tap};
    use super::super::lanes::portable::{LANES, V as Vector, add, fma, load, part, prefetch, splat, store, sum, zero};
    use super::{Patch, Share, blocks, pack, rearrange, wide_blocks};

    kernels!(4, [], 2, 4, 8, 8);

    use super::turn::portable::turn;
}

#[cfg(test)]
mod tests;
