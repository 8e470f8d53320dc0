//! Stable hashes: equal on every machine and in every version that keeps the hashed bytes.

use std::cell::RefCell;
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
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    let mut bytes = Bytes(BUFFER.take());
    bytes.0.clear();
    x.hash(&mut bytes);
    let hash = hash128(&bytes.0);
    BUFFER.set(bytes.0);
    hash
}

/// A hasher that keeps what it is fed.
pub struct Bytes(pub Vec<u8>);

impl Default for Bytes {
    /// Empty, with room for most keys.
    fn default() -> Self {
        Self(Vec::with_capacity(2048))
    }
}

impl Hasher for Bytes {
    fn finish(&self) -> u64 {
        hash64(&self.0, 0)
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// A hash as 32 lower-case hexadecimal digits.
pub fn hex(hash: u128) -> String {
    format!("{hash:032x}")
}
