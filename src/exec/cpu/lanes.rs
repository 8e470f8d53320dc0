//! Vectors of floats as each instruction set has them: what the kernels are written in.

#[cfg(target_arch = "x86_64")]
#[allow(clippy::wildcard_imports, reason = "a table of intrinsics follows")]
pub mod avx512 {
    use std::arch::x86_64::*;

    /// Floats of a vector.
    pub const LANES: usize = 16;
    /// A vector.
    pub type V = __m512;
    /// One truth for each lane.
    pub type M = __mmask16;

    macro_rules! primitive {
        ($name:ident($($a:ident: $t:ty),*) -> $r:ty, $e:expr) => {
            /// # Safety
            /// The processor has the features; pointers are to whole vectors, or to as many elements as are loaded.
            #[target_feature(enable = "avx512f,avx2,fma")]
            #[inline]
            pub unsafe fn $name($($a: $t),*) -> $r {
                // SAFETY: the caller's promise.
                #[allow(unused_unsafe, reason = "some intrinsics are safe")]
                unsafe { $e }
            }
        };
    }
    primitive!(zero() -> V, _mm512_setzero_ps());
    primitive!(load(p: *const f32) -> V, _mm512_loadu_ps(p));
    primitive!(store(p: *mut f32, x: V) -> (), _mm512_storeu_ps(p, x));
    primitive!(prefetch(p: *const f32) -> (), _mm_prefetch::<_MM_HINT_T0>(p.cast()));
    primitive!(splat(x: f32) -> V, _mm512_set1_ps(x));
    primitive!(fma(a: V, b: V, c: V) -> V, _mm512_fmadd_ps(a, b, c));
    primitive!(add(a: V, b: V) -> V, _mm512_add_ps(a, b));
    primitive!(sum(a: V) -> f32, _mm512_reduce_add_ps(a));
    // The first elements of a vector that are fewer than its lanes, then zeros.
    primitive!(part(p: *const f32, n: usize) -> V, _mm512_maskz_loadu_ps((1u16 << n) - 1, p));
    primitive!(div(a: V, b: V) -> V, _mm512_div_ps(a, b));
    primitive!(less(a: V, b: V) -> M, _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b));
    primitive!(nan(a: V) -> M, _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a));
    primitive!(or(a: M, b: M) -> M, a | b);
    primitive!(and_not(a: M, b: M) -> M, !a & b);
    primitive!(blend(m: M, a: V, b: V) -> V, _mm512_mask_blend_ps(m, a, b));
    primitive!(same_bits(a: V, b: V) -> M, _mm512_cmpeq_epi32_mask(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::wildcard_imports, reason = "a table of intrinsics follows")]
pub mod avx2 {
    use std::arch::x86_64::*;

    /// Floats of a vector.
    pub const LANES: usize = 8;
    /// A vector.
    pub type V = __m256;
    /// One truth for each lane.
    pub type M = __m256;

    macro_rules! primitive {
        ($name:ident($($a:ident: $t:ty),*) -> $r:ty, $e:expr) => {
            /// # Safety
            /// The processor has the features; pointers are to whole vectors, or to as many elements as are loaded.
            #[target_feature(enable = "avx2,fma")]
            #[inline]
            pub unsafe fn $name($($a: $t),*) -> $r {
                // SAFETY: the caller's promise.
                #[allow(unused_unsafe, reason = "some intrinsics are safe")]
                unsafe { $e }
            }
        };
    }
    primitive!(zero() -> V, _mm256_setzero_ps());
    primitive!(load(p: *const f32) -> V, _mm256_loadu_ps(p));
    primitive!(store(p: *mut f32, x: V) -> (), _mm256_storeu_ps(p, x));
    primitive!(prefetch(p: *const f32) -> (), _mm_prefetch::<_MM_HINT_T0>(p.cast()));
    primitive!(splat(x: f32) -> V, _mm256_set1_ps(x));
    primitive!(fma(a: V, b: V, c: V) -> V, _mm256_fmadd_ps(a, b, c));
    primitive!(add(a: V, b: V) -> V, _mm256_add_ps(a, b));
    primitive!(sum(a: V) -> f32, {
        let s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
        let s = _mm_add_ps(s, _mm_movehl_ps(s, s));
        _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps::<1>(s, s)))
    });
    // The first elements of a vector that are fewer than its lanes, then zeros.
    primitive!(part(p: *const f32, n: usize) -> V, {
        let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lanes))
    });
    primitive!(div(a: V, b: V) -> V, _mm256_div_ps(a, b));
    primitive!(less(a: V, b: V) -> M, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b));
    primitive!(nan(a: V) -> M, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a));
    primitive!(or(a: M, b: M) -> M, _mm256_or_ps(a, b));
    primitive!(and_not(a: M, b: M) -> M, _mm256_andnot_ps(a, b));
    primitive!(blend(m: M, a: V, b: V) -> V, _mm256_blendv_ps(a, b, m));
    primitive!(same_bits(a: V, b: V) -> M, {
        _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)))
    });
}

pub mod portable {
    /// Floats of a vector.
    pub const LANES: usize = 4;
    /// A vector.
    pub type V = [f32; 4];
    /// One truth for each lane.
    pub type M = [bool; 4];

    #[inline]
    pub fn zero() -> V {
        [0.0; 4]
    }
    /// # Safety
    /// `p` points to a vector.
    #[inline]
    pub unsafe fn load(p: *const f32) -> V {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<V>().read_unaligned() }
    }
    /// # Safety
    /// `p` points to a vector.
    #[inline]
    pub unsafe fn store(p: *mut f32, x: V) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<V>().write_unaligned(x) }
    }
    /// # Safety
    /// `p` points to `n` elements.
    #[inline]
    pub unsafe fn part(p: *const f32, n: usize) -> V {
        // SAFETY: the caller's promise.
        std::array::from_fn(|i| if i < n { unsafe { *p.add(i) } } else { 0.0 })
    }
    /// Nothing here asks for memory ahead of its use.
    #[inline]
    pub fn prefetch(_: *const f32) {}
    #[inline]
    pub fn splat(x: f32) -> V {
        [x; 4]
    }
    #[inline]
    pub fn fma(a: V, b: V, c: V) -> V {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline]
    pub fn add(a: V, b: V) -> V {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline]
    pub fn sum(a: V) -> f32 {
        (a[0] + a[2]) + (a[1] + a[3])
    }
    #[inline]
    pub fn div(a: V, b: V) -> V {
        std::array::from_fn(|i| a[i] / b[i])
    }
    #[inline]
    pub fn less(a: V, b: V) -> M {
        std::array::from_fn(|i| a[i] < b[i])
    }
    #[inline]
    pub fn nan(a: V) -> M {
        a.map(f32::is_nan)
    }
    #[inline]
    pub fn or(a: M, b: M) -> M {
        std::array::from_fn(|i| a[i] | b[i])
    }
    #[inline]
    pub fn and_not(a: M, b: M) -> M {
        std::array::from_fn(|i| !a[i] & b[i])
    }
    #[inline]
    pub fn blend(m: M, a: V, b: V) -> V {
        std::array::from_fn(|i| if m[i] { b[i] } else { a[i] })
    }
    #[inline]
    pub fn same_bits(a: V, b: V) -> M {
        std::array::from_fn(|i| a[i].to_bits() == b[i].to_bits())
    }
}
