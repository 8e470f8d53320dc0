//! Keyed random streams: the same (seed, key) gives the same numbers, whatever was drawn elsewhere.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::hash::hash64;

/// A stream of random numbers for one purpose.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `seed` for `key`, such as `"trial 7/init"`.
    pub fn new(seed: u64, key: &str) -> Self {
        Self(ChaCha8Rng::seed_from_u64(hash64(key.as_bytes(), seed)))
    }

    /// Uniform in `0..n`. `n` must be positive.
    pub fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    /// True with probability `p`.
    pub fn flip(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let u = 1.0 - self.unit();
        let v = self.unit();
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Puts `xs` in a uniformly random order.
    pub fn shuffle<T>(&mut self, xs: &mut [T]) {
        for i in (1..xs.len()).rev() {
            xs.swap(i, self.below(i + 1));
        }
    }

    /// The next draws of 64 random bits each, all at once.
    pub fn fill(&mut self, bits: &mut [u64]) {
        let mut bytes = [0_u8; 1024];
        for part in bits.chunks_mut(bytes.len() / 8) {
            let bytes = &mut bytes[..part.len() * 8];
            self.0.fill_bytes(bytes);
            let (words, _) = bytes.as_chunks::<8>();
            part.iter_mut().zip(words).for_each(|(x, b)| *x = u64::from_le_bytes(*b));
        }
    }

    /// 64 random bits, for instance as the seed of another stream.
    pub fn bits(&mut self) -> u64 {
        self.0.random::<u64>()
    }
}
