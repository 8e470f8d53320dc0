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
    /// The most elements that are needed at once: no plan of these launches is smaller.
    pub live: usize,
}

/// A plan is good enough if it takes at most this share of what is needed at once more than that.
const WASTE: usize = 32;

/// The best of a few orders in which buffers are placed: as they are needed, which is quick and good for chains, else the
/// largest first (Pisarchyk and Lee 2020), or those that are in the way for longest.
pub fn plan(buffers: &[Buffer]) -> Plan {
    let live = live(buffers);
    let mut best = in_order(buffers, live);
    let key: [fn(&Buffer) -> usize; 2] = [|b| b.size, |b| b.size * (b.last + 1 - b.first)];
    for key in key {
        if best.size <= live + live / WASTE {
            break;
        }
        let other = by_weight(buffers, live, key);
        if other.size < best.size {
            best = other;
        }
    }
    best
}

/// Places the heaviest buffer first, each as low as those that are there at the same time let it.
fn by_weight(buffers: &[Buffer], live: usize, weight: fn(&Buffer) -> usize) -> Plan {
    let mut order: Vec<usize> =
        (0..buffers.len()).filter(|&b| buffers[b].home == Home::Arena && buffers[b].first != usize::MAX).collect();
    order.sort_by_key(|&b| (std::cmp::Reverse(weight(&buffers[b])), buffers[b].first, b));
    let mut offsets = vec![None; buffers.len()];
    // Start, end, first and last launch, by start.
    let mut placed: Vec<(usize, usize, usize, usize)> = Vec::with_capacity(order.len());
    let mut size = 0;
    for b in order {
        let (need, buffer) = (room(&buffers[b]), &buffers[b]);
        let mut at = 0;
        for &(start, end, first, last) in &placed {
            if first <= buffer.last && buffer.first <= last {
                if start >= at + need {
                    break;
                }
                at = at.max(end);
            }
        }
        let before = placed.partition_point(|p| p.0 < at);
        placed.insert(before, (at, at + need, buffer.first, buffer.last));
        offsets[b] = Some(at);
        size = size.max(at + need);
    }
    Plan { offsets, size, live }
}

/// Places buffers in the order in which they are needed, each in the smallest gap that holds it.
fn in_order(buffers: &[Buffer], live: usize) -> Plan {
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
    Plan { offsets, size, live }
}

/// The most room that is needed during a launch.
fn live(buffers: &[Buffer]) -> usize {
    let used = buffers.iter().filter(|b| b.home == Home::Arena && b.first != usize::MAX);
    let mut change = vec![0_i64; used.clone().map(|b| b.last + 2).max().unwrap_or(0)];
    for b in used {
        change[b.first] += room(b) as i64;
        change[b.last + 1] -= room(b) as i64;
    }
    let mut now = 0;
    let at = change.iter().map(|c| {
        now += c;
        now as usize
    });
    at.max().unwrap_or(0)
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
            let live = live(&buffers);
            let plans = [plan(&buffers), in_order(&buffers, live), by_weight(&buffers, live, |b| b.size)];
            assert!(plans[0].size <= plans[1].size);
            for p in plans {
                let span = |i: usize| (p.offsets[i].unwrap(), p.offsets[i].unwrap() + buffers[i].size);
                for i in 0..60 {
                    assert!(span(i).1 <= p.size && p.live <= p.size);
                    for j in 0..i {
                        let together = buffers[i].first <= buffers[j].last && buffers[j].first <= buffers[i].last;
                        assert!(!together || span(i).1 <= span(j).0 || span(j).1 <= span(i).0);
                    }
                }
            }
        }
    }

    #[test]
    fn a_chain_needs_two_buffers() {
        let buffers: Vec<Buffer> =
            (0..20).map(|i| Buffer { size: 64, home: Home::Arena, first: i, last: i + 1 }).collect();
        let p = plan(&buffers);
        assert_eq!((p.size, p.live), (128, 128));
    }
}
