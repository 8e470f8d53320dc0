//! The results of trials as they are stored: two bytes for one that was there not long ago, ten for a new one.

use crate::graph::ir::mix;

/// Recent numbers that are known by two bytes.
const RECENT: usize = 1 << 15;

/// Marks a number that is written whole.
const WHOLE: u16 = 1 << 15;

/// Writes numbers, or reads them: both know the same recent ones.
pub struct Coder {
    recent: Vec<u64>,
}

impl Coder {
    /// Knows no number.
    pub fn new() -> Self {
        Self { recent: vec![0; RECENT] }
    }

    fn at(bits: u64) -> usize {
        mix(bits) as usize % RECENT
    }

    /// Appends a number.
    pub fn write(&mut self, x: f64, out: &mut Vec<u8>) {
        let bits = x.to_bits();
        let at = Self::at(bits);
        if self.recent[at] == bits {
            out.extend((at as u16).to_le_bytes());
        } else {
            self.recent[at] = bits;
            out.extend(WHOLE.to_le_bytes());
            out.extend(bits.to_le_bytes());
        }
    }

    /// The next number; none at the end or where the bytes are no journal.
    pub fn read(&mut self, bytes: &[u8], pos: &mut usize) -> Option<f64> {
        let code = u16::from_le_bytes(bytes.get(*pos..*pos + 2)?.try_into().ok()?);
        *pos += 2;
        if code != WHOLE {
            return self.recent.get(usize::from(code)).map(|b| f64::from_bits(*b));
        }
        let bits = u64::from_le_bytes(bytes.get(*pos..*pos + 8)?.try_into().ok()?);
        *pos += 8;
        self.recent[Self::at(bits)] = bits;
        Some(f64::from_bits(bits))
    }
}
