//! Saved weights, and how weights follow edits of a candidate.
//!
//! A weight goes to the weight of the same site. Where its extents differ:
//! - rows (axis 0) keep their first ones and new rows start fresh; the rows of a weight that has one value or filter for
//!   each channel keep the channels that they belonged to;
//! - columns (axis 1) keep the channels that they came from, through concatenations; weights of new input channels are 0,
//!   so that what is new upstream does not change the function;
//! - kernels (axes 2 and up) keep their centre, with zeros around.
//!
//! Layers that were inserted into a `repeat` start as the identity where they can: square convolutions and linear
//! layers, and convolutions channel by channel (Chen et al. 2016, `Net2Net`; Wei et al. 2016). What could not be kept is
//! reported; whether the function is the parent's is measured (see [`Model::inheriting`](super::Model::inheriting)).

use std::collections::BTreeMap;

use crate::exec::{Data, Memory, Tensor};
use crate::graph::canonical::canonical;
use crate::graph::{Graph, Init, Role};
use crate::space::decision::{Candidate, Lineage};
use crate::space::{Space, Want};

use super::channels::{Segment, Unit, axes};

/// A saved state.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// Weights, statistics and optimizer memory by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Training steps so far.
    pub step: u64,
    /// Passes over data so far.
    pub passes: u64,
    /// Whose they are.
    pub candidate: Candidate,
}

const MAGIC: &[u8; 8] = b"nascwts2";

/// All tensors of a candidate's memory as bytes.
pub fn write(candidate: &Candidate, memory: &dyn Memory, step: u64, passes: u64) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let names = memory.names();
    for n in [step, passes, names.len() as u64] {
        out.extend(n.to_le_bytes());
    }
    let whose = candidate.to_json().to_string();
    out.extend((whose.len() as u64).to_le_bytes());
    out.extend(whose.as_bytes());
    for name in names {
        let Some(t) = memory.get(&name) else { continue };
        out.extend((name.len() as u64).to_le_bytes());
        out.extend(name.as_bytes());
        out.extend((t.shape.len() as u64).to_le_bytes());
        for &d in &t.shape {
            out.extend((d as u64).to_le_bytes());
        }
        match &t.data {
            Data::Float(v) => {
                out.push(0);
                v.iter().for_each(|x| out.extend(x.to_le_bytes()));
            }
            Data::Int(v) => {
                out.push(1);
                v.iter().for_each(|x| out.extend(x.to_le_bytes()));
            }
        }
    }
    out
}

/// Reads what [`write`] wrote.
pub fn read(bytes: &[u8]) -> Result<Saved, String> {
    let damaged = || "the saved weights are damaged".to_string();
    let mut rest = bytes.strip_prefix(MAGIC.as_slice()).ok_or_else(damaged)?;
    let mut take = |n: usize| -> Result<&[u8], String> {
        if rest.len() < n {
            return Err(damaged());
        }
        let (head, tail) = rest.split_at(n);
        rest = tail;
        Ok(head)
    };
    let number = |b: &[u8]| b.try_into().map(u64::from_le_bytes).map_err(|_| damaged());
    let step = number(take(8)?)?;
    let passes = number(take(8)?)?;
    let count = number(take(8)?)?;
    let len = number(take(8)?)? as usize;
    let candidate = serde_json::from_slice(take(len)?).map_err(|_| damaged())?;
    let candidate = Candidate::from_json(&candidate).map_err(|_| damaged())?;
    let mut tensors = BTreeMap::new();
    for _ in 0..count {
        let len = number(take(8)?)? as usize;
        let name = String::from_utf8(take(len)?.to_vec()).map_err(|_| damaged())?;
        let rank = number(take(8)?)? as usize;
        if rank > 16 {
            return Err(damaged());
        }
        let shape: Vec<usize> = (0..rank).map(|_| Ok(number(take(8)?)? as usize)).collect::<Result<_, String>>()?;
        let elements = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).ok_or_else(damaged)?;
        let kind = take(1)?[0];
        let raw = take(elements.checked_mul(4).ok_or_else(damaged)?)?;
        let words = raw.chunks_exact(4).map(|c| [c[0], c[1], c[2], c[3]]);
        let t = match kind {
            0 => Tensor::float(&shape, words.map(f32::from_le_bytes).collect()),
            1 => Tensor::int(&shape, words.map(i32::from_le_bytes).collect()),
            _ => return Err(damaged()),
        };
        tensors.insert(name, t);
    }
    Ok(Saved { tensors, step, passes, candidate })
}

/// The names that weights of one candidate have in another with the same network: a trial that was answered by an equal
/// one has its weights under the other's sites. `None` if the networks differ.
pub fn renamed(space: &Space, from: &Candidate, to: &Candidate) -> Option<BTreeMap<String, String>> {
    let parts = |c: &Candidate| {
        let mut g = space.build(c, Want::Graph { batch: 2, training: true }).ok()?.graph;
        crate::graph::simplify::simplify(&mut g);
        Some(canonical(&g))
    };
    let ((a, names), (b, others)) = (parts(from)?, parts(to)?);
    (a == b).then(|| names.into_iter().zip(others).collect())
}

/// Puts a relative's weights into `memory`, whose tensors for the simplified forward graph `g` exist. Says what could not
/// be kept.
pub fn adopt(g: &Graph, c: &Candidate, saved: &Saved, memory: &mut dyn Memory) -> Vec<String> {
    let mut lost = Vec::new();
    let mut without = Vec::new();
    let axes = axes(g);
    for (_, input) in g.inputs() {
        if !matches!(input.role, Role::Param(_) | Role::State(_)) {
            continue;
        }
        let Some(fresh) = memory.get(&input.name) else { continue };
        let axes = axes.get(&input.name).cloned().unwrap_or_default();
        let Some(old) = saved.tensors.get(&input.name) else {
            let inserted = c.lineage.iter().any(|l| match l {
                Lineage::Inserted(path, copy) => stands_in(&input.name, &format!("{path}({copy})")),
                Lineage::Removed(..) | Lineage::Expanded(..) => false,
            });
            if inserted {
                insert_identity(&input.name, &fresh, axes.unit, memory, &mut lost);
            } else {
                without.push(input.name.as_str());
            }
            continue;
        };
        if old.shape.len() != fresh.shape.len() {
            lost.push(format!("`{}` has another rank and starts fresh", input.name));
            continue;
        }
        if old.shape.iter().zip(&fresh.shape).any(|(a, b)| b < a) {
            lost.push(format!("`{}` shrinks from {:?} to {:?}", input.name, old.shape, fresh.shape));
        }
        if old.shape == fresh.shape {
            memory.set(&input.name, old);
        } else {
            let places = |s: &Option<Vec<Segment>>| s.as_ref().map(|s| places(s, saved));
            let grown = grow(old, &fresh, places(&axes.rows).as_deref(), places(&axes.columns).as_deref(), &input.role);
            memory.set(&input.name, &grown);
        }
    }
    match without.as_slice() {
        [] => {}
        [one] => lost.push(format!("`{one}` starts fresh")),
        [one, others @ ..] => lost.push(format!("`{one}` and {} more start fresh", others.len())),
    }
    lost
}

/// A weight of an inserted layer becomes the identity where it can.
fn insert_identity(name: &str, fresh: &Tensor, unit: Option<Unit>, memory: &mut dyn Memory, lost: &mut Vec<String>) {
    match unit {
        Some(Unit::Dense) if fresh.shape[0] == fresh.shape[1] => {
            let v = crate::exec::initial(name, &fresh.shape, &Init::Identity, 0);
            memory.set(name, &Tensor::float(&fresh.shape, v));
        }
        Some(Unit::Dense) => {
            lost.push(format!(
                "`{name}` of an inserted layer changes the number of channels, so the layer cannot be the identity"
            ));
        }
        Some(Unit::PerChannel) => {
            let size: usize = fresh.shape[1..].iter().product();
            let centre = fresh.shape[1..].iter().fold(0, |at, &k| at * k + (k - 1) / 2);
            let v = (0..size * fresh.shape[0]).map(|i| f32::from(u8::from(i % size == centre))).collect();
            memory.set(name, &Tensor::float(&fresh.shape, v));
        }
        // Scales and offsets start as 1 and 0.
        None => {}
    }
}

/// Whether a site lies in a copy of a repeat: its path is a part of the site, apart from blocks between.
fn stands_in(site: &str, copy: &str) -> bool {
    let site: Vec<&str> = crate::space::decision::split_path(site);
    let mut wanted = crate::space::decision::split_path(copy).into_iter().peekable();
    for element in site {
        if wanted.peek().is_some_and(|w| *w == element) {
            wanted.next();
        }
    }
    wanted.peek().is_none()
}

/// For each segment: where it starts now, and how many places it had before.
fn places(s: &[Segment], saved: &Saved) -> Vec<(usize, usize)> {
    let mut at = 0;
    s.iter()
        .map(|s| {
            let before = s.maker.as_ref().and_then(|n| saved.tensors.get(n)).map(|t| t.shape[0] * s.each);
            let here = (at, before.unwrap_or(s.places));
            at += s.places;
            here
        })
        .collect()
}

/// The old values in a tensor of the new extents; see the module's rules.
fn grow(
    old: &Tensor,
    fresh: &Tensor,
    rows: Option<&[(usize, usize)]>,
    columns: Option<&[(usize, usize)]>,
    role: &Role,
) -> Tensor {
    let rank = fresh.shape.len();
    let (Data::Float(from), Data::Float(base)) = (&old.data, &fresh.data) else { return fresh.clone() };
    let mut out = base.clone();
    // Old position of a new index along an axis of channels: by segments where they account for all, else the first ones.
    let follow = |axis: usize, segments: Option<&[(usize, usize)]>, i: usize| -> Option<usize> {
        let (o, n) = (old.shape[axis], fresh.shape[axis]);
        let Some(segments) = segments.filter(|s| s.iter().map(|s| s.1).sum::<usize>() == o) else {
            return (i < o).then_some(i);
        };
        let mut before = 0;
        for (k, &(start, was)) in segments.iter().enumerate() {
            let end = segments.get(k + 1).map_or(n, |s| s.0);
            if start <= i && i < end {
                return (i - start < was).then_some(before + i - start);
            }
            before += was;
        }
        None
    };
    let place = |axis: usize, i: usize| -> Option<usize> {
        match axis {
            0 => follow(0, rows, i),
            1 if rows.is_none() => follow(1, columns, i),
            _ => {
                let (o, n) = (old.shape[axis], fresh.shape[axis]);
                (i + (o - 1) / 2).checked_sub((n - 1) / 2).filter(|&j| j < o)
            }
        }
    };
    let weight = matches!(role, Role::Param(_)) && rank >= 2;
    let mut at = vec![0; rank];
    for slot in &mut out {
        let was: Vec<Option<usize>> = at.iter().enumerate().map(|(a, &i)| place(a, i)).collect();
        if let Some(was) = was.iter().copied().collect::<Option<Vec<usize>>>() {
            let flat = was.iter().zip(&old.shape).fold(0, |f, (&i, &d)| f * d + i);
            *slot = from[flat];
        } else if weight && was[0].is_some() {
            // An old output reads nothing from new inputs and new taps.
            *slot = 0.0;
        }
        for axis in (0..rank).rev() {
            at[axis] += 1;
            if at[axis] < fresh.shape[axis] {
                break;
            }
            at[axis] = 0;
        }
    }
    Tensor::float(&fresh.shape, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_keeps_rows_channels_and_centres() {
        let old = Tensor::float(&[1, 2, 1, 1], vec![5.0, 6.0]);
        let fresh = Tensor::float(&[2, 3, 3, 1], vec![9.0; 18]);
        let role = Role::Param(Init::Constant(0.0));
        let new = grow(&old, &fresh, None, None, &role);
        let mut expected = vec![0.0; 9];
        expected[1] = 5.0;
        expected[4] = 6.0;
        assert_eq!(new.floats()[..9], expected);
        assert_eq!(new.floats()[9..], [9.0; 9]);
        // Two sources of one channel each; the first has two now.
        let new = grow(&old, &Tensor::float(&[1, 3, 1, 1], vec![9.0; 3]), None, Some(&[(0, 1), (2, 1)]), &role);
        assert_eq!(new.floats(), [5.0, 0.0, 6.0]);
    }

    #[test]
    fn sites_in_copies() {
        assert!(stands_in("layer(2).conv_bn.conv.w", "layer(2)"));
        assert!(!stands_in("layer(1).conv_bn.conv.w", "layer(2)"));
        assert!(stands_in("net.body.layer(2).conv.w", "body.layer(2)"));
    }
}
