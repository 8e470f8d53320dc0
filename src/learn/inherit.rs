//! Saved weights, and how weights follow edits of a candidate.
//!
//! A weight goes to the weight of the same site. Where its extents differ:
//! - outputs (axis 0) keep their first rows; further rows start fresh;
//! - inputs (axis 1) keep the channels that they came from, through concatenations; weights of new input channels are 0,
//!   so that what is new upstream does not change the function;
//! - kernels (axes 2 and up) keep their centre, with zeros around.
//!
//! Layers that were inserted into a `repeat` start as the identity where they can: square convolutions and linear
//! layers (Chen et al. 2016, `Net2Net`; Wei et al. 2016). What cannot be kept exactly is reported.

use std::collections::BTreeMap;

use crate::exec::{Data, Memory, Tensor};
use crate::graph::{Graph, Index, Init, Kind, NodeId, Op, Role};
use crate::space::decision::{Candidate, Lineage};

/// A saved state.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// Weights, statistics and optimizer memory by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Training steps so far.
    pub step: u64,
    /// Passes over data so far.
    pub passes: u64,
}

const MAGIC: &[u8; 8] = b"nascwts1";

/// All tensors of a memory as bytes.
pub fn write(memory: &dyn Memory, step: u64, passes: u64) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let names = memory.names();
    for n in [step, passes, names.len() as u64] {
        out.extend(n.to_le_bytes());
    }
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
    Ok(Saved { tensors, step, passes })
}

/// Puts a relative's weights into `memory`, whose tensors for the graph `g` exist. Says what could not be kept exactly.
pub fn adopt(g: &Graph, c: &Candidate, saved: &Saved, memory: &mut dyn Memory) -> Vec<String> {
    let mut lost = Vec::new();
    let sources = channel_sources(g);
    for (id, input) in g.inputs() {
        if !matches!(input.role, Role::Param(_) | Role::State(_)) {
            continue;
        }
        let Some(fresh) = memory.get(&input.name) else { continue };
        let Some(old) = saved.tensors.get(&input.name) else {
            let inserted = c.lineage.iter().any(|l| match l {
                Lineage::Inserted(path, copy) => stands_in(&input.name, &format!("{path}({copy})")),
                Lineage::Removed(..) | Lineage::Expanded(..) => false,
            });
            if inserted {
                insert_identity(&input.name, &fresh, memory, &mut lost);
            }
            continue;
        };
        if old.shape == fresh.shape {
            memory.set(&input.name, old);
        } else if old.shape.len() == fresh.shape.len() {
            let from = sources.get(&id).map(|s| segments_in(s, saved, g));
            let grown = grow(old, &fresh, from.as_deref(), &input.role);
            memory.set(&input.name, &grown);
        } else {
            lost.push(format!("`{}` has another rank and starts fresh", input.name));
        }
        if old.shape.iter().zip(&fresh.shape).any(|(a, b)| b < a) {
            lost.push(format!("`{}` shrinks from {:?} to {:?}", input.name, old.shape, fresh.shape));
        }
    }
    lost
}

/// A weight of an inserted layer becomes the identity where it can.
fn insert_identity(name: &str, fresh: &Tensor, memory: &mut dyn Memory, lost: &mut Vec<String>) {
    let square = fresh.shape.len() >= 2 && fresh.shape[0] == fresh.shape[1];
    if square {
        let v = crate::exec::initial(name, &fresh.shape, &Init::Identity, 0);
        memory.set(name, &Tensor::float(&fresh.shape, v));
    } else if fresh.shape.len() >= 2 {
        lost.push(format!(
            "`{name}` of an inserted layer changes the number of channels, so the layer cannot be the identity"
        ));
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

/// Which channels of a weight's input come from where: widths in order, each of the weight that makes them.
type Segments = Vec<(Option<String>, usize)>;

/// For each weight of rank 2 or more: the segments of the tensor that it is multiplied with, along the channel axis.
fn channel_sources(g: &Graph) -> BTreeMap<NodeId, Segments> {
    let mut made: Vec<Segments> = Vec::with_capacity(g.nodes.len());
    let mut out = BTreeMap::new();
    for id in g.ids() {
        let n = g.node(id);
        let whole = |name: Option<String>| vec![(name, n.shape.get(1).copied().unwrap_or(1))];
        let s = match &n.kind {
            Kind::Input(_) | Kind::Random { .. } | Kind::Scatter(_) | Kind::Arg(_) => whole(None),
            Kind::Concat { inputs, axis: 1 } => inputs.iter().flat_map(|x| made[x.0 as usize].clone()).collect(),
            Kind::Concat { inputs, .. } => made[inputs[0].0 as usize].clone(),
            Kind::Reshape(x) => {
                if g.node(*x).shape.get(1) == n.shape.get(1) {
                    made[x.0 as usize].clone()
                } else {
                    whole(None)
                }
            }
            Kind::Equation(e) => {
                let reads: Vec<(NodeId, &Vec<Index>)> = e
                    .body
                    .iter()
                    .filter_map(|op| match op {
                        Op::Read(t, at) => Some((*t, at)),
                        _ => None,
                    })
                    .collect();
                let weight = reads.iter().find(|(t, _)| is_weight(g, *t) && g.node(*t).shape.len() >= 2);
                let data = reads.iter().find(|(t, at)| at.len() >= 2 && at[0].as_var() == Some(0) && !is_weight(g, *t));
                match (weight, data) {
                    (Some((w, wat)), Some((x, xat))) => {
                        // The weight's axis 1 runs along the data's channels: it sums over them.
                        if wat
                            .get(1)
                            .and_then(Index::as_var)
                            .is_some_and(|v| v >= n.shape.len() && xat[1].as_var() == Some(v))
                        {
                            out.insert(*w, made[x.0 as usize].clone());
                        }
                        let made_by_rows = wat[0].as_var() == Some(1);
                        whole(made_by_rows.then(|| g_name(g, *w)).flatten())
                    }
                    // Channel by channel: the channels are the input's.
                    (_, Some((x, xat))) if n.shape.len() >= 2 && xat[1].as_var() == Some(1) => {
                        made[x.0 as usize].clone()
                    }
                    _ => whole(None),
                }
            }
        };
        made.push(s);
    }
    out
}

fn is_weight(g: &Graph, id: NodeId) -> bool {
    matches!(&g.node(id).kind, Kind::Input(i) if matches!(i.role, Role::Param(_)))
}

fn g_name(g: &Graph, id: NodeId) -> Option<String> {
    match &g.node(id).kind {
        Kind::Input(i) => Some(i.name.clone()),
        _ => None,
    }
}

/// For each segment: where it starts now, and how many channels it had before.
fn segments_in(s: &Segments, saved: &Saved, _: &Graph) -> Vec<(usize, usize)> {
    let mut at = 0;
    s.iter()
        .map(|(name, width)| {
            let before = name.as_ref().map_or(Some(*width), |n| saved.tensors.get(n).map(|t| t.shape[0]));
            let here = (at, before.unwrap_or(0));
            at += width;
            here
        })
        .collect()
}

/// The old values in a tensor of the new extents; see the module's rules.
fn grow(old: &Tensor, fresh: &Tensor, segments: Option<&[(usize, usize)]>, role: &Role) -> Tensor {
    let rank = fresh.shape.len();
    let (Data::Float(from), Data::Float(base)) = (&old.data, &fresh.data) else { return fresh.clone() };
    let mut out = base.clone();
    // Old position of a new index along each axis.
    let place = |axis: usize, i: usize| -> Option<usize> {
        let (o, n) = (old.shape[axis], fresh.shape[axis]);
        match axis {
            0 => (i < o).then_some(i),
            1 => match segments {
                Some(segments) if segments.iter().map(|s| s.1).sum::<usize>() == o => {
                    let mut before = 0;
                    for (k, &(start, was)) in segments.iter().enumerate() {
                        let end = segments.get(k + 1).map_or(n, |s| s.0);
                        if start <= i && i < end {
                            return (i - start < was).then_some(before + i - start);
                        }
                        before += was;
                    }
                    None
                }
                _ => (i < o).then_some(i),
            },
            _ => (i + o / 2).checked_sub(n / 2).filter(|&j| j < o),
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
        let new = grow(&old, &fresh, None, &role);
        let mut expected = vec![0.0; 9];
        expected[1] = 5.0;
        expected[4] = 6.0;
        assert_eq!(new.floats()[..9], expected);
        assert_eq!(new.floats()[9..], [9.0; 9]);
        // Two sources of one channel each; the first has two now.
        let new = grow(&old, &Tensor::float(&[1, 3, 1, 1], vec![9.0; 3]), Some(&[(0, 1), (2, 1)]), &role);
        assert_eq!(new.floats(), [5.0, 0.0, 6.0]);
    }

    #[test]
    fn sites_in_copies() {
        assert!(stands_in("layer(2).conv_bn.conv.w", "layer(2)"));
        assert!(!stands_in("layer(1).conv_bn.conv.w", "layer(2)"));
        assert!(stands_in("net.body.layer(2).conv.w", "body.layer(2)"));
    }
}
