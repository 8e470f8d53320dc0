//! One arena for all tensors of a run: offsets by liveness, before anything runs.

use super::layout::ROW;
use super::schedule::{Buffer, Home};

/// The place of each buffer in the arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// In elements; none for what does not live in the arena, or is never used.
    pub offsets: Vec<Option<usize>>,
    /// Elements of the arena.
    pub size: usize,
}

/// Places buffers in the order in which they are needed, each in the smallest gap that holds it.
pub fn plan(buffers: &[Buffer]) -> Plan {
    let mut offsets = vec![None; buffers.len()];
    let mut order: Vec<usize> =
        (0..buffers.len()).filter(|&b| buffers[b].home == Home::Arena && buffers[b].first != usize::MAX).collect();
    order.sort_by_key(|&b| (buffers[b].first, std::cmp::Reverse(buffers[b].size), b));
    let mut ends: Vec<usize> = order.clone();
    ends.sort_by_key(|&b| (buffers[b].last, b));
    let mut ends = ends.into_iter().peekable();
    // Sorted by offset; no two of them touch.
    let mut gaps: Vec<(usize, usize)> = Vec::new();
    let mut size = 0;
    for b in order {
        while let Some(&dead) = ends.peek()
            && buffers[dead].last < buffers[b].first
        {
            ends.next();
            let start: usize = offsets[dead].expect("it was placed when it began");
            release(&mut gaps, start, start + room(&buffers[dead]));
        }
        let need = room(&buffers[b]);
        let best = (0..gaps.len()).filter(|&g| gaps[g].1 - gaps[g].0 >= need).min_by_key(|&g| gaps[g].1 - gaps[g].0);
        offsets[b] = Some(if let Some(g) = best {
            let at = gaps[g].0;
            gaps[g].0 += need;
            if gaps[g].0 == gaps[g].1 {
                gaps.remove(g);
            }
            at
        } else {
            // The last gap grows if it reaches the end.
            let at = gaps.pop_if(|gap| gap.1 == size).map_or(size, |gap| gap.0);
            size = at + need;
            at
        });
    }
    Plan { offsets, size }
}

fn room(b: &Buffer) -> usize {
    b.size.max(1).next_multiple_of(ROW)
}

fn release(gaps: &mut Vec<(usize, usize)>, start: usize, end: usize) {
    let at = gaps.partition_point(|g| g.0 < start);
    gaps.insert(at, (start, end));
    if at + 1 < gaps.len() && gaps[at].1 == gaps[at + 1].0 {
        gaps[at].1 = gaps.remove(at + 1).1;
    }
    if at > 0 && gaps[at - 1].1 == gaps[at].0 {
        gaps[at - 1].1 = gaps.remove(at).1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Stream;

    #[test]
    fn what_lives_together_does_not_overlap() {
        let mut s = Stream::new(3, "plan");
        for _ in 0..50 {
            let buffers: Vec<Buffer> = (0..60)
                .map(|_| {
                    let first = s.below(40);
                    Buffer { size: 1 + s.below(300), home: Home::Arena, first, last: first + s.below(8) }
                })
                .collect();
            let p = plan(&buffers);
            let span = |i: usize| (p.offsets[i].unwrap(), p.offsets[i].unwrap() + buffers[i].size);
            for i in 0..60 {
                assert!(span(i).1 <= p.size);
                for j in 0..i {
                    let together = buffers[i].first <= buffers[j].last && buffers[j].first <= buffers[i].last;
                    assert!(!together || span(i).1 <= span(j).0 || span(j).1 <= span(i).0);
                }
            }
        }
    }

    #[test]
    fn a_chain_needs_two_buffers() {
        let buffers: Vec<Buffer> =
            (0..20).map(|i| Buffer { size: 64, home: Home::Arena, first: i, last: i + 1 }).collect();
        assert_eq!(plan(&buffers).size, 128);
    }
}
