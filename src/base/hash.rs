//! Stable hashes: equal on every machine and in every version that keeps the hashed bytes.

use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

/// 128 bits of `bytes`; for kernel keys and canonical architectures.
pub fn hash128(bytes: &[u8]) -> u128 {
    xxh3_128(bytes)
}

/// 64 bits of `bytes` under a seed; for random streams.
pub fn hash64(bytes: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(bytes, seed)
}

/// A hash as 32 lower-case hexadecimal digits.
pub fn hex(hash: u128) -> String {
    format!("{hash:032x}")
}
