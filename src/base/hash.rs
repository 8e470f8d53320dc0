//! Stable hashes: equal on every machine and in every version that keeps the hashed bytes.

use std::hash::{Hash, Hasher};

use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

/// 128 bits of `bytes`; for kernel keys and canonical architectures.
pub fn hash128(bytes: &[u8]) -> u128 {
    xxh3_128(bytes)
}

/// 64 bits of `bytes` under a seed; for random streams.
pub fn hash64(bytes: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(bytes, seed)
}

/// 128 bits of all that a value hashes.
pub fn of(x: &(impl Hash + ?Sized)) -> u128 {
    let mut to = Mixer::default();
    x.hash(&mut to);
    to.key()
}

/// A hasher of 128 bits that mixes each word as it comes: two chains of folded multiplications, as in wyhash.
#[derive(Clone, Copy, Debug)]
pub struct Mixer(u64, u64);

impl Default for Mixer {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f)
    }
}

impl Mixer {
    /// All that it was fed so far.
    pub fn key(&self) -> u128 {
        let mut last = *self;
        last.write_u64(0x1656_67b1_9e37_79f9);
        u128::from(last.0) << 64 | u128::from(last.1)
    }
}

/// The product's upper half over its lower half.
fn fold(a: u64, b: u64) -> u64 {
    let p = u128::from(a) * u128::from(b);
    (p >> 64) as u64 ^ p as u64
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.key() as u64
    }
    fn write_u64(&mut self, x: u64) {
        self.0 = fold(self.0 ^ x, 0xa076_1d64_78bd_642f) ^ self.1;
        self.1 = fold(self.1 ^ x.rotate_left(32), 0xe703_7ed1_a0b4_28db).wrapping_add(x);
    }
    fn write(&mut self, bytes: &[u8]) {
        self.write_u64(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|w| self.write_u64(u64::from_le_bytes(*w)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.write_u64(u64::from_le_bytes(last));
        }
    }
    fn write_u8(&mut self, x: u8) {
        self.write_u64(u64::from(x));
    }
    fn write_u16(&mut self, x: u16) {
        self.write_u64(u64::from(x));
    }
    fn write_u32(&mut self, x: u32) {
        self.write_u64(u64::from(x));
    }
    fn write_u128(&mut self, x: u128) {
        self.write_u64(x as u64);
        self.write_u64((x >> 64) as u64);
    }
    fn write_usize(&mut self, x: usize) {
        self.write_u64(x as u64);
    }
}

/// A hash as 32 lower-case hexadecimal digits.
pub fn hex(hash: u128) -> String {
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_of_neighbours_have_nothing_in_common() {
        let mut seen = BTreeSet::new();
        let (mut ones, mut n) = (0, 0);
        for a in 0..200_u64 {
            for b in 0..200_u32 {
                let key = of(&(a, b, "x"));
                assert!(seen.insert(key));
                ones += (key ^ of(&(a ^ 1, b, "x"))).count_ones();
                n += 128;
            }
        }
        let share = f64::from(ones) / f64::from(n);
        assert!((share - 0.5).abs() < 0.01, "{share}");
        assert_ne!(of(&("ab", "c")), of(&("a", "bc")));
        assert_ne!(of(&[0_u8; 8][..]), of(&[0_u8; 9][..]));
    }
}
