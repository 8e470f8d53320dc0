//! Ranks and the order within them.

use std::collections::BTreeSet;

use super::{Level, entry_offset, exit_offset};

/// The length of the longest path to each node; the nodes on cycles and behind them if there are any.
pub(super) fn longest_path(n: usize, edges: &[(usize, usize)]) -> Result<Vec<usize>, BTreeSet<usize>> {
    let mut rank = vec![0; n];
    let mut waiting = vec![0; n];
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); n];
    for &(a, b) in edges {
        waiting[b] += 1;
        out[a].push(b);
    }
    let mut free: Vec<usize> = (0..n).filter(|&i| waiting[i] == 0).collect();
    let mut done = 0;
    while let Some(i) = free.pop() {
        done += 1;
        for &j in &out[i] {
            rank[j] = rank[j].max(rank[i] + 1);
            waiting[j] -= 1;
            if waiting[j] == 0 {
                free.push(j);
            }
        }
    }
    if done == n { Ok(rank) } else { Err((0..n).filter(|&i| waiting[i] > 0).collect()) }
}

/// The links of one longest path: they are kept straight.
pub(super) fn mark_spine(level: &mut Level) {
    let n = level.items.len();
    let mut by_rank: Vec<usize> = (0..n).collect();
    by_rank.sort_by_key(|&i| level.items[i].rank);
    let mut best: Vec<(usize, Option<usize>)> = vec![(0, None); n];
    for &i in &by_rank {
        for (l, link) in level.links.iter().enumerate() {
            // Of parallel links the one from the latest source: where boxes follow each other, the main stream.
            let now = best[link.chain[1]];
            let later = |l: usize| level.links[l].source < link.source && level.links[l].chain[0] == i;
            if link.chain[0] == i && (best[i].0 + 1 > now.0 || best[i].0 + 1 == now.0 && now.1.is_some_and(later)) {
                best[link.chain[1]] = (best[i].0 + 1, Some(l));
            }
        }
    }
    let mut at = (0..n).rev().max_by_key(|&i| best[i].0);
    while let Some(i) = at {
        let Some(l) = best[i].1 else { break };
        level.links[l].on_spine = true;
        at = Some(level.links[l].chain[0]);
    }
}

/// Ranks filled in depth-first order, so that what belongs together starts out together.
pub(super) fn initial_order(level: &Level, ranks: usize) -> Vec<Vec<usize>> {
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); level.items.len()];
    let mut is_target = vec![false; level.items.len()];
    for link in &level.links {
        for pair in link.chain.windows(2) {
            next[pair[0]].push(pair[1]);
            is_target[pair[1]] = true;
        }
    }
    let mut order = vec![Vec::new(); ranks];
    let mut seen = vec![false; level.items.len()];
    let mut stack: Vec<usize> = (0..level.items.len()).filter(|&i| !is_target[i]).rev().collect();
    while let Some(i) = stack.pop() {
        if std::mem::replace(&mut seen[i], true) {
            continue;
        }
        order[level.items[i].rank].push(i);
        stack.extend(next[i].iter().rev());
    }
    order
}

/// Reorders ranks so that few links cross.
pub(super) fn order_by_barycenter(level: &Level, order: &mut Vec<Vec<usize>>) {
    // (item above, item below, offset above, offset below): offsets tell apart the ports of one group.
    let mut pairs: Vec<Vec<(usize, usize, f64, f64)>> = vec![Vec::new(); order.len()];
    for link in &level.links {
        for p in link.chain.windows(2) {
            let a = exit_offset(level, p[0], link.source) / level.items[p[0]].size.cross.max(1.0);
            let b = entry_offset(level, p[1], link.source) / level.items[p[1]].size.cross.max(1.0);
            pairs[level.items[p[0]].rank].push((p[0], p[1], a * 0.9, b * 0.9));
        }
    }
    let mut place = vec![0.0; level.items.len()];
    let settle = |order: &[Vec<usize>], place: &mut [f64]| {
        for rank in order {
            for (k, &i) in rank.iter().enumerate() {
                place[i] = k as f64;
            }
        }
    };
    let between = |r: usize, place: &[f64]| -> usize {
        let p = &pairs[r];
        let mut count = 0;
        for (k, a) in p.iter().enumerate() {
            for b in &p[k + 1..] {
                let upper = place[a.0] + a.2 - place[b.0] - b.2;
                let lower = place[a.1] + a.3 - place[b.1] - b.3;
                count += usize::from(upper * lower < 0.0);
            }
        }
        count
    };
    let crossings = |place: &[f64]| -> usize { (0..pairs.len()).map(|r| between(r, place)).sum() };
    settle(order, &mut place);
    let mut best = (crossings(&place), order.clone());
    for sweep in 0..24 {
        let down = sweep % 2 == 0;
        let ranks: Vec<usize> =
            if down { (1..order.len()).collect() } else { (0..order.len().saturating_sub(1)).rev().collect() };
        for r in ranks {
            let mut keys: Vec<(f64, usize)> = Vec::new();
            for (k, &i) in order[r].iter().enumerate() {
                let seen: Vec<f64> = if down {
                    pairs[r - 1].iter().filter(|p| p.1 == i).map(|p| place[p.0] + p.2).collect()
                } else {
                    pairs[r].iter().filter(|p| p.0 == i).map(|p| place[p.1] + p.3).collect()
                };
                let key = if seen.is_empty() { k as f64 } else { seen.iter().sum::<f64>() / seen.len() as f64 };
                keys.push((key, i));
            }
            // Alternate sweeps break ties from the other side, which gets out of symmetric traps.
            if sweep % 4 >= 2 {
                keys.reverse();
            }
            keys.sort_by(|a, b| a.0.total_cmp(&b.0));
            order[r] = keys.into_iter().map(|(_, i)| i).collect();
            for (k, &i) in order[r].iter().enumerate() {
                place[i] = k as f64;
            }
        }
        // Exchange neighbours while that helps.
        let mut better = true;
        while better {
            better = false;
            for (r, rank) in order.iter_mut().enumerate() {
                for k in 1..rank.len() {
                    let near = |place: &[f64]| between(r, place) + if r > 0 { between(r - 1, place) } else { 0 };
                    let now = near(&place);
                    let (a, b) = (rank[k - 1], rank[k]);
                    (place[a], place[b]) = (place[b], place[a]);
                    if near(&place) < now {
                        rank.swap(k - 1, k);
                        better = true;
                    } else {
                        (place[a], place[b]) = (place[b], place[a]);
                    }
                }
            }
        }
        let count = crossings(&place);
        if count < best.0 {
            best = (count, order.clone());
        }
        if best.0 == 0 {
            break;
        }
    }
    *order = best.1;
}
