//! Results of pure functions, kept for the next time.

use std::collections::BTreeMap;

/// What a function gave, by a hash of all that it depends on. It must depend on nothing else, so that it does not matter
/// what is kept: neither for results nor across threads.
#[derive(Debug)]
pub struct Memo<V> {
    known: BTreeMap<u128, V>,
    most: usize,
}

impl<V: Clone> Memo<V> {
    /// Empty. It begins anew after `most` results: endlessly many must not fill the memory.
    pub const fn new(most: usize) -> Self {
        Self { known: BTreeMap::new(), most }
    }

    /// The result of this key, if it is known.
    pub fn get(&self, key: u128) -> Option<V> {
        self.known.get(&key).cloned()
    }

    /// Keeps a result.
    pub fn put(&mut self, key: u128, value: V) {
        if self.known.len() >= self.most {
            self.known.clear();
        }
        self.known.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded() {
        let mut memo = Memo::new(3);
        for k in 0..10 {
            memo.put(k, k * k);
            assert_eq!(memo.get(k), Some(k * k));
            assert!((0..=k).filter(|&k| memo.get(k).is_some()).count() <= 3);
        }
    }
}
