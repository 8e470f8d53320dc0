//! Rows to columns: the channels of one example side by side, for sums of outer products.

macro_rules! turn {
    ($(#[$feature:meta])*) => {
        /// For each position, the rows of some channels turned: the channels of one example side by side, `pitch`
        /// elements for each example, zeros where there are fewer channels.
        ///
        /// # Safety
        /// The machine has the instructions; the rest is as for [`super::super::dots`]. Rows can be read up to their padding.
        $(#[$feature])*
        pub unsafe fn turn(
            from: *const f32,
            rows: &[(i64, u32)],
            channels: &[(i64, i64)],
            len: usize,
            to: *mut f32,
            pitch: usize,
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                for c in (0..pitch).step_by(LANES) {
                    let some = &channels[c.min(channels.len())..(c + LANES).min(channels.len())];
                    for (row, place) in rows {
                        let to = to.add(*place as usize * len * pitch + c);
                        for n in (0..len).step_by(LANES) {
                            let mut x = [zero(); LANES];
                            for (x, channel) in x.iter_mut().zip(some) {
                                *x = load(from.offset((row + channel.0) as isize + n as isize));
                            }
                            for (i, y) in transpose(x).into_iter().enumerate().take(len - n) {
                                store(to.add((n + i) * pitch), y);
                            }
                        }
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
pub mod avx2 {
    use std::arch::x86_64::{_mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps};

    use super::super::super::lanes::avx2::{LANES, V, load, store, zero};

    turn!(#[target_feature(enable = "avx2,fma")]);

    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn transpose(x: [V; 8]) -> [V; 8] {
        let pair = |a, b| (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (a0, a1) = pair(x[0], x[1]);
        let (a2, a3) = pair(x[2], x[3]);
        let (a4, a5) = pair(x[4], x[5]);
        let (a6, a7) = pair(x[6], x[7]);
        let quad = |a, b| (_mm256_shuffle_ps::<0x44>(a, b), _mm256_shuffle_ps::<0xee>(a, b));
        let (b0, b1) = quad(a0, a2);
        let (b2, b3) = quad(a1, a3);
        let (b4, b5) = quad(a4, a6);
        let (b6, b7) = quad(a5, a7);
        let low = |a, b| _mm256_permute2f128_ps::<0x20>(a, b);
        let high = |a, b| _mm256_permute2f128_ps::<0x31>(a, b);
        [low(b0, b4), low(b1, b5), low(b2, b6), low(b3, b7), high(b0, b4), high(b1, b5), high(b2, b6), high(b3, b7)]
    }
}

#[cfg(target_arch = "aarch64")]
pub mod neon {
    use super::super::super::lanes::neon::{LANES, load, store, transpose, zero};

    turn!(#[target_feature(enable = "neon")]);
}

#[allow(unused_unsafe, reason = "most of the portable operations are safe")]
pub mod portable {
    use super::super::super::lanes::portable::{LANES, V, load, store, zero};

    turn!();

    fn transpose(x: [V; LANES]) -> [V; LANES] {
        std::array::from_fn(|i| x.map(|row| row[i]))
    }
}
