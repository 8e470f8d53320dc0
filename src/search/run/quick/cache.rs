//! What evaluations remember of programs, for those that behave alike: a table of fixed size in which a new entry takes the
//! place of an old one. Only the strategy's thread writes; helpers may read at any time, since what they read is compared
//! with what is there when their result is seen.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of entries, as a power of two.
const BITS: u32 = 17;

/// The table.
pub struct Cache(Vec<[AtomicU64; 2]>);

impl Cache {
    /// Empty.
    pub fn new() -> Self {
        Self((0..1 << BITS).map(|_| [AtomicU64::new(0), AtomicU64::new(0)]).collect())
    }

    fn at(key: u64) -> usize {
        (key >> (64 - BITS)) as usize
    }

    /// The bits that are remembered under a key.
    pub fn get(&self, key: u64) -> Option<u64> {
        let [k, v] = &self.0[Self::at(key)];
        let found = k.load(Ordering::Acquire) == key | 1;
        found.then(|| v.load(Ordering::Acquire))
    }

    /// Remembers.
    pub fn put(&self, key: u64, bits: u64) {
        let [k, v] = &self.0[Self::at(key)];
        k.store(0, Ordering::Release);
        v.store(bits, Ordering::Release);
        k.store(key | 1, Ordering::Release);
    }

    /// As bytes.
    pub fn save(&self) -> Vec<u8> {
        self.0.iter().flatten().flat_map(|x| x.load(Ordering::Relaxed).to_le_bytes()).collect()
    }

    /// From bytes.
    pub fn restore(&self, bytes: &[u8]) {
        for (x, b) in self.0.iter().flatten().zip(bytes.chunks_exact(8)) {
            x.store(u64::from_le_bytes(b.try_into().unwrap_or_default()), Ordering::Relaxed);
        }
    }
}
