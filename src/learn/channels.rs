//! Which channels the rows and columns of a weight stand for, so that a wider child can take its parent's weights over:
//! through concatenations and flattening, and for weights that have one value (or one filter) for each channel.

use std::collections::BTreeMap;

use crate::graph::{Graph, Index, Kind, NodeId, Op, ReduceOp, Role};

/// Channels that lie side by side and are made by one weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The weight whose rows they are; none for data.
    pub maker: Option<String>,
    /// How many places: channels, times places for each channel.
    pub places: usize,
    /// Places for each channel; more than 1 after flattening.
    pub each: usize,
}

/// How a weight makes its operation the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// 1 where row and column agree, at the kernel's centre.
    Dense,
    /// 1 at the kernel's centre of each channel.
    PerChannel,
}

/// What the axes of one weight or statistic stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Axes {
    /// Axis 0, if it follows the channels of a tensor; else the rows are new channels.
    pub rows: Option<Vec<Segment>>,
    /// Axis 1, if it is summed over with the channels of a tensor.
    pub columns: Option<Vec<Segment>>,
    /// How it is the identity, if it can be.
    pub unit: Option<Unit>,
}

/// A tensor's axis of channels and what lies along it.
type Channels = Option<(usize, Vec<Segment>)>;

/// The axes of all persistent inputs of a simplified forward graph, by name.
pub fn axes(g: &Graph) -> BTreeMap<String, Axes> {
    let mut walk = Walk { g, channels: Vec::new(), vectors: BTreeMap::new(), found: BTreeMap::new() };
    for id in g.ids() {
        let c = walk.node(id);
        walk.channels.push(c);
    }
    walk.found
}

struct Walk<'g> {
    g: &'g Graph,
    channels: Vec<Channels>,
    /// Tensors of one axis that are computed from persistent ones place by place, such as a normalization's scale.
    vectors: BTreeMap<NodeId, Vec<NodeId>>,
    found: BTreeMap<String, Axes>,
}

fn whole(maker: Option<String>, shape: &[usize], axis: usize) -> Channels {
    Some((axis, vec![Segment { maker, places: *shape.get(axis)?, each: 1 }]))
}

impl Walk<'_> {
    fn name(&self, id: NodeId) -> Option<&str> {
        match &self.g.node(id).kind {
            Kind::Input(i) if matches!(i.role, Role::Param(_) | Role::State(_)) => Some(&i.name),
            _ => None,
        }
    }

    fn entry(&mut self, id: NodeId) -> Option<&mut Axes> {
        let name = self.name(id)?.to_string();
        Some(self.found.entry(name).or_default())
    }

    fn of(&self, id: NodeId) -> Channels {
        self.channels[id.0 as usize].clone()
    }

    fn node(&mut self, id: NodeId) -> Channels {
        let n = self.g.node(id);
        match &n.kind {
            Kind::Input(i) if i.role == Role::Data => whole(None, &n.shape, 1),
            Kind::Input(_) => None,
            Kind::Random { .. } | Kind::Scatter(_) | Kind::Arg(_) => whole(None, &n.shape, 1),
            Kind::Concat { inputs, axis } => {
                let parts: Vec<Channels> = inputs.iter().map(|&x| self.of(x)).collect();
                if parts.iter().flatten().count() == inputs.len() && parts.iter().flatten().all(|p| p.0 == *axis) {
                    Some((*axis, parts.into_iter().flatten().flat_map(|p| p.1).collect()))
                } else {
                    parts.into_iter().next().flatten()
                }
            }
            Kind::Reshape(x) => self.flattened(*x, &n.shape).or_else(|| whole(None, &n.shape, 1)),
            Kind::Equation(e) => {
                let reads: Vec<(NodeId, &[Index])> = e
                    .body
                    .iter()
                    .filter_map(|op| match op {
                        Op::Read(t, at) => Some((*t, &**at)),
                        _ => None,
                    })
                    .collect();
                let sums = e.reduce.as_ref().is_some_and(|r| r.op == ReduceOp::Sum);
                self.equation(id, &reads, sums)
            }
        }
    }

    /// A tensor whose channels, each with all its places, lie in one row.
    fn flattened(&self, x: NodeId, shape: &[usize]) -> Channels {
        let from = &self.g.node(x).shape;
        let (axis, segments) = self.of(x)?;
        let each: usize = from.get(2..)?.iter().product();
        let whole = axis == 1 && shape.len() == 2 && shape[0] == from[0] && shape[1] == from[1] * each;
        let scaled = |s: Segment| Segment { places: s.places * each, each: s.each * each, ..s };
        whole.then(|| (1, segments.into_iter().map(scaled).collect()))
    }

    fn equation(&mut self, id: NodeId, reads: &[(NodeId, &[Index])], sums: bool) -> Channels {
        let shape = self.g.node(id).shape.clone();
        let rank = shape.len();
        let data: Vec<(&[Index], usize, Vec<Segment>)> =
            reads.iter().filter_map(|(x, at)| self.of(*x).map(|(axis, s)| (*at, axis, s))).collect();
        if data.is_empty() {
            let by_place = rank == 1 && reads.iter().all(|(_, at)| at.len() == 1 && at[0].as_var() == Some(0));
            let from = reads.iter().flat_map(|(t, _)| self.persistent(*t)).collect::<Vec<_>>();
            if by_place && !from.is_empty() {
                self.vectors.insert(id, from);
                return None;
            }
        }
        // Along which variable the channels of a tensor that is read lie.
        let along = |(at, axis, _): &(&[Index], usize, Vec<Segment>)| at.get(*axis).and_then(Index::as_var);
        let mut result: Channels = None;
        for (t, at) in reads {
            let Some(row) = at.first().and_then(Index::as_var) else { continue };
            for w in self.persistent(*t) {
                if row < rank
                    && let Some(d) = data.iter().find(|d| along(d) == Some(row))
                {
                    let Some(axes) = self.entry(w) else { continue };
                    axes.rows = Some(d.2.clone());
                    axes.unit = (sums && at.len() > 1).then_some(Unit::PerChannel);
                    result = Some((row, d.2.clone()));
                    continue;
                }
                let column = at.get(1).and_then(Index::as_var).filter(|&v| v >= rank && sums);
                if let Some(d) = column.and_then(|v| data.iter().find(|d| along(d) == Some(v))) {
                    let Some(axes) = self.entry(w) else { continue };
                    axes.columns = Some(d.2.clone());
                    axes.unit = Some(Unit::Dense);
                }
                if row < rank && at.len() > 1 {
                    result = whole(self.name(w).map(str::to_string), &shape, row);
                }
            }
        }
        if result.is_some() {
            return result;
        }
        let kept = data.iter().find_map(|d| Some((along(d).filter(|&v| v < rank)?, d.2.clone())));
        kept.or_else(|| match reads {
            [(x, at)] if at.len() > rank => self.flattened(*x, &shape),
            _ => None,
        })
        .or_else(|| whole(None, &shape, 1))
    }

    /// The persistent tensors that a tensor is, or is computed from place by place.
    fn persistent(&self, t: NodeId) -> Vec<NodeId> {
        match self.name(t) {
            Some(_) => vec![t],
            None => self.vectors.get(&t).cloned().unwrap_or_default(),
        }
    }
}
