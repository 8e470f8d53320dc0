//! Cross coordinates: straight long edges, short others, exact gaps.

use super::{EDGE_GAP, Input, Item, Level, NODE_GAP, Point, Thing, entry_offset, exit_offset};

/// Sets all cross coordinates, the level's extent, and where its entries and exits are.
pub(super) fn positions(level: &mut Level, order: &[Vec<usize>], input: &Input) {
    // Springs between neighbouring ranks: (upper, lower, lower - upper where the link is straight, weight).
    let mut springs: Vec<(usize, usize, f64, f64)> = Vec::new();
    for link in &level.links {
        for pair in link.chain.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let mut shift = exit_offset(level, a, link.source) - entry_offset(level, b, link.source);
            if link.on_spine {
                // Boxes that follow each other stand in one column, wherever their ports are.
                shift = 0.0;
            }
            let dummies = [a, b].iter().filter(|&&i| level.items[i].thing == Thing::Dummy).count();
            let weight = if link.on_spine { 12.0 } else { [1.0, 2.0, 8.0][dummies] };
            springs.push((a, b, shift, weight));
        }
    }
    let mut touching: Vec<Vec<(usize, f64, f64, bool)>> = vec![Vec::new(); level.items.len()];
    for &(a, b, shift, weight) in &springs {
        touching[a].push((b, -shift, weight, true));
        touching[b].push((a, shift, weight, false));
    }
    let on_spine = spine_items(level);
    for rank in order {
        let mut x = 0.0;
        for (k, &i) in rank.iter().enumerate() {
            if k > 0 {
                x += separation(level, rank[k - 1], i);
            }
            level.items[i].at.cross = x;
        }
        let half = x / 2.0;
        for &i in rank {
            level.items[i].at.cross -= half;
        }
    }
    for sweep in 0..80 {
        let down = sweep % 2 == 0;
        let both = sweep >= 40;
        if sweep == 60 {
            straighten_spine(level, order);
        }
        let ranks: Vec<usize> = if down { (0..order.len()).collect() } else { (0..order.len()).rev().collect() };
        for r in ranks {
            let rank = &order[r];
            let mut wish = Vec::with_capacity(rank.len());
            for &i in rank {
                let (mut sum, mut weights) = (0.0, 0.0);
                for &(other, shift, weight, below) in &touching[i] {
                    if both || below != down {
                        sum += weight * (level.items[other].at.cross + shift);
                        weights += weight;
                    }
                }
                if sweep >= 60 && on_spine[i] {
                    wish.push((level.items[i].at.cross, 1e6));
                } else if weights > 0.0 {
                    wish.push((sum / weights, weights));
                } else {
                    wish.push((level.items[i].at.cross, 0.05));
                }
            }
            let gaps: Vec<f64> = rank.windows(2).map(|p| separation(level, p[0], p[1])).collect();
            for (&i, x) in rank.iter().zip(separated(&wish, &gaps)) {
                level.items[i].at.cross = x;
            }
        }
    }
    for _ in 0..3 {
        straighten_links(level, order);
    }
    let (before, after) = if level.path.is_empty() { (Point::default(), Point::default()) } else { input.padding };
    let low = level.items.iter().map(|i| i.at.cross - i.size.cross / 2.0).fold(f64::INFINITY, f64::min);
    let high = level.items.iter().map(|i| i.at.cross + i.size.cross / 2.0).fold(f64::NEG_INFINITY, f64::max);
    let least = level.path.last().map_or(0.0, |name| (input.least)(name).cross);
    let content = if high > low { high - low } else { 0.0 };
    let extra = (least - content - before.cross - after.cross).max(0.0);
    for i in &mut level.items {
        i.at.cross += before.cross + extra / 2.0 - low;
    }
    level.size.cross = content + before.cross + after.cross + extra;
    for i in &level.items {
        match i.thing {
            Thing::Entry(s) => {
                level.entries.insert(s, i.at.cross);
            }
            Thing::Exit(s) => {
                level.exits.insert(s, i.at.cross);
            }
            Thing::Node(_) | Thing::Group(_) | Thing::Dummy => {}
        }
    }
}

fn separation(level: &Level, a: usize, b: usize) -> f64 {
    let (a, b) = (&level.items[a], &level.items[b]);
    let thin = |i: &Item| i.size.cross == 0.0;
    let gap = if thin(a) && thin(b) { EDGE_GAP } else { NODE_GAP };
    gap + f64::midpoint(a.size.cross, b.size.cross)
}

/// The positions nearest to the wishes (position, weight) with at least these gaps between neighbours: least squares by
/// pooling adjacent violators (Ayer et al. 1955).
pub(super) fn separated(wish: &[(f64, f64)], gaps: &[f64]) -> Vec<f64> {
    let mut before = Vec::with_capacity(wish.len());
    let mut sum = 0.0;
    for k in 0..wish.len() {
        if k > 0 {
            sum += gaps[k - 1];
        }
        before.push(sum);
    }
    // (mean, weight, count)
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (k, &(x, w)) in wish.iter().enumerate() {
        pools.push((x - before[k], w, 1));
        while pools.len() > 1 && pools[pools.len() - 2].0 > pools[pools.len() - 1].0 {
            let (Some(b), Some(a)) = (pools.pop(), pools.pop()) else { break };
            pools.push(((a.0 * a.1 + b.0 * b.1) / (a.1 + b.1), a.1 + b.1, a.2 + b.2));
        }
    }
    let means = pools.iter().flat_map(|&(mean, _, count)| std::iter::repeat_n(mean, count));
    means.zip(before).map(|(m, b)| m + b).collect()
}

fn spine_items(level: &Level) -> Vec<bool> {
    let mut on = vec![false; level.items.len()];
    for &i in level.links.iter().filter(|l| l.on_spine).flat_map(|l| &l.chain) {
        on[i] = true;
    }
    on
}

/// Puts the whole spine at one cross coordinate and pushes aside what stands in the way.
fn straighten_spine(level: &mut Level, order: &[Vec<usize>]) {
    let on = spine_items(level);
    let (sum, count) =
        (0..on.len()).filter(|&i| on[i]).fold((0.0, 0.0), |(s, n), i| (s + level.items[i].at.cross, n + 1.0));
    if count == 0.0 {
        return;
    }
    for rank in order {
        // A rank holds one item of the spine at most, so that it can stand where it should.
        let wish: Vec<(f64, f64)> =
            rank.iter().map(|&i| if on[i] { (sum / count, 1e6) } else { (level.items[i].at.cross, 1.0) }).collect();
        let gaps: Vec<f64> = rank.windows(2).map(|p| separation(level, p[0], p[1])).collect();
        for (&i, x) in rank.iter().zip(separated(&wish, &gaps)) {
            level.items[i].at.cross = if on[i] { sum / count } else { x };
        }
    }
}

/// Takes the steps out of long edges: stretches of bends that can stand in one line do.
fn straighten_links(level: &mut Level, order: &[Vec<usize>]) {
    let mut slot = vec![(0, 0); level.items.len()];
    for (r, rank) in order.iter().enumerate() {
        for (k, &i) in rank.iter().enumerate() {
            slot[i] = (r, k);
        }
    }
    for l in 0..level.links.len() {
        let link = &level.links[l];
        let n = link.chain.len();
        if n < 4 {
            continue;
        }
        let ends = [
            level.items[link.chain[n - 1]].at.cross + entry_offset(level, link.chain[n - 1], link.source),
            level.items[link.chain[0]].at.cross + exit_offset(level, link.chain[0], link.source),
        ];
        let bends: Vec<usize> = link.chain[1..n - 1].to_vec();
        let room = |level: &Level, i: usize| -> (f64, f64) {
            let (r, k) = slot[i];
            let rank = &order[r];
            let low = if k > 0 {
                level.items[rank[k - 1]].at.cross + separation(level, rank[k - 1], i)
            } else {
                f64::NEG_INFINITY
            };
            let high = rank.get(k + 1).map_or(f64::INFINITY, |&j| level.items[j].at.cross - separation(level, i, j));
            (low, high)
        };
        let mut from = 0;
        while from < bends.len() {
            let (mut low, mut high) = room(level, bends[from]);
            let mut to = from + 1;
            while to < bends.len() {
                let (a, b) = room(level, bends[to]);
                if a.max(low) > b.min(high) {
                    break;
                }
                (low, high) = (low.max(a), high.min(b));
                to += 1;
            }
            let mean = bends[from..to].iter().map(|&i| level.items[i].at.cross).sum::<f64>() / (to - from) as f64;
            let fits = |x: f64| (low..=high).contains(&x);
            // In line with an end there is one bend less.
            let x = ends.into_iter().find(|&x| fits(x)).unwrap_or_else(|| mean.max(low).min(high));
            for &i in &bends[from..to] {
                level.items[i].at.cross = x;
            }
            from = to;
        }
    }
}
