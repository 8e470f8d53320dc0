//! Four numbers at a time. Both kinds give the same bits: each operation is rounded as the processor rounds one number's.

#![allow(clippy::inline_always, reason = "they must be compiled with the features of the function that they stand in")]

/// Four numbers.
pub trait Four: Copy {
    /// Reads four.
    ///
    /// # Safety
    /// They are there.
    unsafe fn load(from: *const f64) -> Self;

    /// Writes four.
    ///
    /// # Safety
    /// There is room.
    unsafe fn store(self, to: *mut f64);

    /// One number four times.
    fn splat(x: f64) -> Self;

    /// Sums.
    fn add(self, other: Self) -> Self;

    /// Differences.
    fn sub(self, other: Self) -> Self;

    /// Products.
    fn mul(self, other: Self) -> Self;

    /// Quotients.
    fn div(self, other: Self) -> Self;

    /// Where it is less than the other, `yes`, else `no`.
    fn less(self, other: Self, yes: Self, no: Self) -> Self;

    /// A bit for each whose size is at most the other's number.
    fn within(self, other: Self) -> u32;
}

/// Any processor's.
#[derive(Clone, Copy)]
pub struct Plain([f64; 4]);

impl Plain {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self(std::array::from_fn(|k| f(self.0[k], other.0[k])))
    }
}

impl Four for Plain {
    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { from.cast::<[f64; 4]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the caller's.
        unsafe { to.cast::<[f64; 4]>().write(self.0) }
    }

    #[inline(always)]
    fn splat(x: f64) -> Self {
        Self([x; 4])
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    fn less(self, other: Self, yes: Self, no: Self) -> Self {
        Self(std::array::from_fn(|k| if self.0[k] < other.0[k] { yes.0[k] } else { no.0[k] }))
    }

    #[inline(always)]
    fn within(self, other: Self) -> u32 {
        (0..4).map(|k| u32::from(self.0[k].abs() <= other.0[k]) << k).sum()
    }
}

#[cfg(target_arch = "x86_64")]
pub use avx::Avx;

#[cfg(target_arch = "x86_64")]
mod avx {
    use std::arch::x86_64::{
        __m256d, _CMP_LE_OQ, _CMP_LT_OQ, _mm256_add_pd, _mm256_andnot_pd, _mm256_blendv_pd, _mm256_cmp_pd,
        _mm256_div_pd, _mm256_loadu_pd, _mm256_movemask_pd, _mm256_mul_pd, _mm256_set1_pd, _mm256_storeu_pd,
        _mm256_sub_pd,
    };

    use super::Four;

    /// Those of a processor with AVX2: only used within functions that are compiled for it, after it was found to have it.
    #[derive(Clone, Copy)]
    pub struct Avx(__m256d);

    impl Four for Avx {
        #[inline(always)]
        unsafe fn load(from: *const f64) -> Self {
            // SAFETY: the caller's, and the type's.
            Self(unsafe { _mm256_loadu_pd(from) })
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f64) {
            // SAFETY: the caller's, and the type's.
            unsafe { _mm256_storeu_pd(to, self.0) }
        }

        #[inline(always)]
        fn splat(x: f64) -> Self {
            // SAFETY: the type's.
            Self(unsafe { _mm256_set1_pd(x) })
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            // SAFETY: the type's.
            Self(unsafe { _mm256_add_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            // SAFETY: the type's.
            Self(unsafe { _mm256_sub_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            // SAFETY: the type's.
            Self(unsafe { _mm256_mul_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn div(self, other: Self) -> Self {
            // SAFETY: the type's.
            Self(unsafe { _mm256_div_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn less(self, other: Self, yes: Self, no: Self) -> Self {
            // SAFETY: the type's.
            Self(unsafe { _mm256_blendv_pd(no.0, yes.0, _mm256_cmp_pd::<_CMP_LT_OQ>(self.0, other.0)) })
        }

        #[inline(always)]
        fn within(self, other: Self) -> u32 {
            // SAFETY: the type's.
            unsafe {
                let size = _mm256_andnot_pd(_mm256_set1_pd(-0.0), self.0);
                _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LE_OQ>(size, other.0)) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<S: Four>(a: [f64; 4], b: [f64; 4]) -> Vec<u64> {
        // SAFETY: four numbers each.
        let (x, y) = unsafe { (S::load(a.as_ptr()), S::load(b.as_ptr())) };
        let mut out = vec![u64::from(x.within(y))];
        for z in [x.add(y), x.sub(y), x.mul(y), x.div(y), x.less(y, S::splat(1.0), S::splat(2.0))] {
            let mut to = [0.0; 4];
            // SAFETY: room for four.
            unsafe { z.store(to.as_mut_ptr()) };
            out.extend(to.iter().map(|x| if x.is_nan() { 1 } else { x.to_bits() }));
        }
        out
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn fast(a: [f64; 4], b: [f64; 4]) -> Vec<u64> {
        all::<Avx>(a, b)
    }

    #[test]
    fn processors_agree() {
        let odd = [0.0, -0.0, 1.0, -1.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-310, 0.1, 1e300];
        for (i, x) in odd.iter().enumerate() {
            for (j, y) in odd.iter().enumerate() {
                let (a, b) = ([*x, *y, odd[(i + 3) % 10], 0.3], [*y, *x, odd[(j + 7) % 10], -0.7]);
                let plain = all::<Plain>(a, b);
                assert_eq!(plain[0] & 1, u64::from(x.abs() <= *y));
                #[cfg(target_arch = "x86_64")]
                if std::is_x86_feature_detected!("avx2") {
                    // SAFETY: it has AVX2.
                    assert_eq!(plain, unsafe { fast(a, b) }, "{a:?} {b:?}");
                }
            }
        }
    }
}
