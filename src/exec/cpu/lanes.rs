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

#[cfg(target_arch = "aarch64")]
#[allow(clippy::wildcard_imports, reason = "a table of intrinsics follows")]
pub mod neon {
    use std::arch::aarch64::*;

    /// Floats of a vector.
    pub const LANES: usize = 4;
    /// A vector.
    pub type V = float32x4_t;
    /// One truth for each lane.
    pub type M = uint32x4_t;

    macro_rules! primitive {
        ($name:ident($($a:ident: $t:ty),*) -> $r:ty, $e:expr) => {
            /// # Safety
            /// Pointers are to whole vectors, or to as many elements as are loaded.
            #[target_feature(enable = "neon")]
            #[inline]
            pub unsafe fn $name($($a: $t),*) -> $r {
                // SAFETY: the caller's promise.
                #[allow(unused_unsafe, reason = "some intrinsics are safe")]
                unsafe { $e }
            }
        };
    }
    primitive!(zero() -> V, vdupq_n_f32(0.0));
    primitive!(load(p: *const f32) -> V, vld1q_f32(p));
    primitive!(store(p: *mut f32, x: V) -> (), vst1q_f32(p, x));
    // There is no stable intrinsic for it.
    primitive!(prefetch(_p: *const f32) -> (), ());
    primitive!(splat(x: f32) -> V, vdupq_n_f32(x));
    primitive!(fma(a: V, b: V, c: V) -> V, vfmaq_f32(c, a, b));
    primitive!(add(a: V, b: V) -> V, vaddq_f32(a, b));
    primitive!(sum(a: V) -> f32, vaddvq_f32(a));
    // The first elements of a vector that are fewer than its lanes, then zeros.
    primitive!(part(p: *const f32, n: usize) -> V, {
        let all: [f32; 4] = std::array::from_fn(|i| if i < n { *p.add(i) } else { 0.0 });
        vld1q_f32(all.as_ptr())
    });
    primitive!(div(a: V, b: V) -> V, vdivq_f32(a, b));
    primitive!(less(a: V, b: V) -> M, vcltq_f32(a, b));
    primitive!(nan(a: V) -> M, vmvnq_u32(vceqq_f32(a, a)));
    primitive!(or(a: M, b: M) -> M, vorrq_u32(a, b));
    primitive!(and_not(a: M, b: M) -> M, vbicq_u32(b, a));
    primitive!(blend(m: M, a: V, b: V) -> V, vbslq_f32(m, b, a));
    primitive!(same_bits(a: V, b: V) -> M, vceqq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
    // Lane `i` of vector `k` becomes lane `k` of vector `i`.
    primitive!(transpose(x: [V; 4]) -> [V; 4], {
        let wide = |a: V| vreinterpretq_f64_f32(a);
        let (a, b) = (wide(vtrn1q_f32(x[0], x[1])), wide(vtrn2q_f32(x[0], x[1])));
        let (c, d) = (wide(vtrn1q_f32(x[2], x[3])), wide(vtrn2q_f32(x[2], x[3])));
        [vtrn1q_f64(a, c), vtrn1q_f64(b, d), vtrn2q_f64(a, c), vtrn2q_f64(b, d)].map(|y| vreinterpretq_f32_f64(y))
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

#[cfg(test)]
mod tests {
    use crate::base::rng::Stream;

    /// Each operation on vectors of `$isa` against what it means.
    macro_rules! agree {
        ($isa:ident) => {
            #[allow(unused_unsafe, reason = "some operations are safe")]
            #[allow(clippy::float_cmp, reason = "equal operations give equal results")]
            fn $isa() {
                use super::$isa::*;
                let mut rng = Stream::new(1, "lanes");
                for k in 0..500 {
                    // Numbers, some of them equal, some not a number.
                    let mut vector = || -> [f32; LANES] {
                        std::array::from_fn(|_| match rng.below(8) {
                            0 => f32::NAN,
                            1..4 => 0.25,
                            _ => rng.normal() as f32,
                        })
                    };
                    let (a, b, c) = (vector(), vector(), vector());
                    let n = k % (LANES + 1);
                    // SAFETY: the caller checked the features; pointers are to whole vectors.
                    unsafe {
                        let v = |x: &[f32; LANES]| load(x.as_ptr());
                        let back = |x: V| {
                            let mut out = [0.0; LANES];
                            store(out.as_mut_ptr(), x);
                            out
                        };
                        let same = |x: V, f: &dyn Fn(usize) -> f32, what: &str| {
                            for (i, x) in back(x).into_iter().enumerate() {
                                let y = f(i);
                                let close = (x - y).abs() <= 1e-6 * (1.0 + y.abs());
                                assert!(close || x == y || (x.is_nan() && y.is_nan()), "{what}: {x} {y}");
                            }
                        };
                        same(zero(), &|_| 0.0, "zero");
                        same(splat(a[0]), &|_| a[0], "splat");
                        same(add(v(&a), v(&b)), &|i| a[i] + b[i], "add");
                        same(div(v(&a), v(&b)), &|i| a[i] / b[i], "div");
                        same(fma(v(&a), v(&b), v(&c)), &|i| a[i].mul_add(b[i], c[i]), "fma");
                        same(
                            part(a.as_ptr(), n.min(LANES - 1)),
                            &|i| if i < n.min(LANES - 1) { a[i] } else { 0.0 },
                            "part",
                        );
                        let (x, y) = (sum(v(&a)), a.iter().sum::<f32>());
                        assert!((x.is_nan() && y.is_nan()) || (x - y).abs() <= 1e-4, "sum: {x} {y}");
                        let chosen = |m: M, f: &dyn Fn(usize) -> bool, what: &str| {
                            same(blend(m, v(&b), v(&c)), &|i| if f(i) { c[i] } else { b[i] }, what);
                        };
                        let (l, n) = (less(v(&a), v(&b)), nan(v(&a)));
                        let (lt, na) = (|i: usize| a[i] < b[i], |i: usize| a[i].is_nan());
                        chosen(l, &lt, "less");
                        chosen(n, &na, "nan");
                        chosen(or(l, n), &|i| lt(i) || na(i), "or");
                        chosen(and_not(l, n), &|i| !lt(i) && na(i), "and_not");
                        chosen(same_bits(v(&a), v(&b)), &|i| a[i].to_bits() == b[i].to_bits(), "same_bits");
                    }
                }
            }
        };
    }

    #[test]
    fn vectors_are_their_lanes() {
        agree!(portable);
        portable();
        #[cfg(target_arch = "x86_64")]
        {
            agree!(avx2);
            agree!(avx512);
            if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                avx2();
            }
            if std::is_x86_feature_detected!("avx512f") {
                avx512();
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            agree!(neon);
            neon();
        }
    }
}
