//! Which steps several threads run part by part.
//!
//! In memory a tensor of images is one channel after the other, and most steps compute a channel of their result from
//! that channel of what they read: elementwise chains, depthwise windows, pooling, the sums of batch norm and all of
//! their gradients. Neighbours of this kind become a *block*: each thread runs all of its steps for some channels, and
//! need not wait for the others before the end. This is decided by how the loop over channels occurs in the indices,
//! not by what the steps are.
//!
//! (The same blocks were tried on one thread, with as many channels at a time as a second-level cache holds. It made
//! separable convolutions up to a fifth slower: the caches beyond are as fast for these loops, and a part costs a call.)

use std::collections::VecDeque;
use std::ops::Range;

use super::layout::Layout;
use super::schedule::{BufferId, Scheduler, Step};
use crate::graph::{Atom, Equation, Guard, Index, Kind, NodeId, Op};

/// A part of a tensor with fewer elements is not worth a launch of its own.
const WORTHWHILE: usize = 64;

/// How many steps ahead one is looked for that a block can take in.
const AHEAD: usize = 64;

/// Neighbouring steps that run part by part.
#[derive(Clone, Debug)]
pub struct Block {
    /// The steps.
    pub steps: Range<usize>,
    /// How many parts there are, at least one for each thread.
    pub parts: usize,
    /// Channels of a part.
    pub channels: usize,
}

/// A buffer in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Which one.
    pub buffer: BufferId,
    written: bool,
    /// The distance between channels, where the step touches it by channels; none if each channel may need all of it.
    pub apart: Option<usize>,
}

/// What a step touches.
#[derive(Clone, Debug)]
struct Reach {
    touches: Vec<Touch>,
    /// The number of channels, if it can run by channels.
    channels: Option<usize>,
}

/// The outermost axis in memory, its extent and the distance between its places, if there is one that all others lie inside.
fn outermost(layout: &Layout) -> Option<(usize, usize, usize)> {
    let axes = || (0..layout.shape.len()).filter(|&a| layout.shape[a] > 1);
    let axis = axes().max_by_key(|&a| layout.strides[a])?;
    let stride = layout.strides[axis];
    let inside: i64 = axes().filter(|&a| a != axis).map(|a| (layout.shape[a] as i64 - 1) * layout.strides[a]).sum();
    (inside < stride).then_some((axis, layout.shape[axis], stride as usize))
}

/// How the indices of an equation use the loop over channels.
struct Uses<'a, 'g> {
    scheduler: &'a Scheduler<'g>,
    channel: usize,
    extent: usize,
    touches: Vec<Touch>,
}

impl Uses<'_, '_> {
    fn touch(&mut self, t: Touch) {
        if !self.touches.contains(&t) {
            self.touches.push(t);
        }
    }

    /// Whether an index says nothing of the channel but where it loads from.
    fn free(&mut self, index: &Index) -> bool {
        index.terms.iter().all(|(atom, _)| match atom {
            Atom::Var(v) => usize::from(*v) != self.channel,
            Atom::Div(i, _) | Atom::Mod(i, _) => self.free(i),
            Atom::Load(t, at) => self.read(*t, at),
        })
    }

    /// Whether a read is of the same channel, or of the same places for all channels.
    fn read(&mut self, t: NodeId, at: &[Index]) -> bool {
        let (buffer, layout) = self.scheduler.place(t).clone();
        let axis = (0..at.len()).find(|&a| at[a].as_var() == Some(self.channel));
        let others = at.iter().enumerate().all(|(a, i)| Some(a) == axis || self.free(i));
        let apart = match axis {
            Some(axis) => match outermost(&layout) {
                Some((a, n, apart)) if a == axis && n == self.extent => Some(apart),
                _ => return false,
            },
            None => None,
        };
        self.touch(Touch { buffer, written: false, apart });
        others
    }

    fn equation(&mut self, e: &Equation) -> bool {
        let guard = |g: &Guard, uses: &mut Self| uses.free(g.index());
        e.guards.iter().all(|g| guard(g, self))
            && e.body.iter().all(|op| match op {
                Op::Read(t, at) => self.read(*t, at),
                Op::Index(i) => self.free(i),
                Op::Test(g) => guard(g, self),
                _ => true,
            })
    }
}

impl Scheduler<'_> {
    /// Reorders the steps so that those which go through the same channels are neighbours, and says which they are.
    pub(super) fn blocks(&mut self, threads: usize) -> Vec<Block> {
        if threads == 1 {
            return Vec::new();
        }
        let reaches: Vec<Reach> = self.steps.iter().map(|s| self.reach(s)).collect();
        let mut left: VecDeque<usize> = (0..self.steps.len()).collect();
        let mut order = Vec::with_capacity(left.len());
        let mut blocks = Vec::new();
        let mut taken = vec![false; reaches.len()];
        let mut gather = Gather::new(&reaches, self.buffers.len());
        while let Some(first) = left.pop_front() {
            if std::mem::replace(&mut taken[first], true) {
                continue;
            }
            if let Some(extent) = reaches[first].channels {
                let after = left.iter().copied().filter(|&s| !taken[s]).take(AHEAD);
                let members = gather.with(first, after);
                let parts = (threads..=4 * threads).find(|&p| extent.is_multiple_of(p));
                if let Some(parts) = parts.filter(|_| !members.is_empty()) {
                    let steps = order.len()..order.len() + members.len();
                    blocks.push(Block { steps, parts, channels: extent / parts });
                    members.iter().for_each(|&s| taken[s] = true);
                    if !members.contains(&first) {
                        taken[first] = false;
                        left.push_front(first);
                    }
                    order.extend(members);
                    continue;
                }
            }
            order.push(first);
        }
        let mut steps: Vec<Option<Step>> = std::mem::take(&mut self.steps).into_iter().map(Some).collect();
        let mut place = vec![0; order.len()];
        for (now, &before) in order.iter().enumerate() {
            place[before] = now;
            self.steps.extend(steps[before].take());
        }
        self.step_of.iter_mut().flatten().for_each(|s| *s = place[*s]);
        blocks
    }

    /// What a step touches, and by which channels.
    fn reach(&self, step: &Step) -> Reach {
        let members: &[NodeId] = match step {
            Step::Group(members) => members,
            Step::Node(id) => std::slice::from_ref(id),
            Step::Copy { from, to, .. } => {
                let touch = |buffer, written| Touch { buffer, written, apart: None };
                return Reach { touches: vec![touch(from.0, false), touch(to.0, true)], channels: None };
            }
        };
        self.by_channels(members).unwrap_or_else(|| {
            let mut touches = Vec::new();
            for &m in members {
                touches.push(Touch { buffer: self.place(m).0, written: true, apart: None });
                let read = |r: &NodeId| Touch { buffer: self.place(*r).0, written: false, apart: None };
                touches.extend(self.reads(m).iter().map(read));
            }
            Reach { touches, channels: None }
        })
    }

    /// What a step of a block touches.
    pub(super) fn touches(&self, step: &Step) -> Vec<Touch> {
        self.reach(step).touches
    }

    fn by_channels(&self, members: &[NodeId]) -> Option<Reach> {
        let (channel, extent, apart) = outermost(&self.place(members[0]).1)?;
        let mut uses = Uses { scheduler: self, channel, extent, touches: Vec::new() };
        for &m in members {
            let (Kind::Equation(e) | Kind::Arg(e)) = &self.graph.node(m).kind else { return None };
            let before = uses.touches.len();
            if !uses.equation(e) {
                return None;
            }
            // A sum that needs all channels of an operand would fetch all of it for each part.
            let all = |t: &Touch| t.apart.is_none() && self.buffers[t.buffer].size > 1024;
            if e.reduce.is_some() && uses.touches[before..].iter().any(all) {
                return None;
            }
            uses.touch(Touch { buffer: self.place(m).0, written: true, apart: Some(apart) });
        }
        let touches = uses.touches;
        let clear = |t: &Touch| touches.iter().all(|x| x.buffer != t.buffer || x.apart == t.apart);
        touches.iter().all(clear).then_some(Reach { channels: Some(extent), touches })
    }
}

/// What some steps do with a buffer.
#[derive(Clone, Copy, Default)]
struct Mark {
    touched: bool,
    written: bool,
    apart: Option<usize>,
    /// By channels and as a whole, or by other channels.
    mixed: bool,
}

/// What some steps do with all buffers.
struct Marks {
    marks: Vec<Mark>,
    touched: Vec<BufferId>,
}

impl Marks {
    fn new(buffers: usize) -> Self {
        Self { marks: vec![Mark::default(); buffers], touched: Vec::new() }
    }

    fn clear(&mut self) {
        for b in self.touched.drain(..) {
            self.marks[b] = Mark::default();
        }
    }

    fn add(&mut self, reach: &Reach) {
        for t in &reach.touches {
            let m = &mut self.marks[t.buffer];
            let mixed = m.mixed || (m.touched && m.apart != t.apart);
            *m = Mark { touched: true, written: m.written || t.written, apart: t.apart, mixed };
            self.touched.push(t.buffer);
        }
    }

    /// Whether the order of these steps and of one more matters.
    fn conflict(&self, reach: &Reach) -> bool {
        reach.touches.iter().any(|t| {
            let m = self.marks[t.buffer];
            m.written || (m.touched && t.written)
        })
    }

    /// Whether what one of them writes is touched otherwise than by the same channels.
    fn cross(&self, reach: &Reach) -> bool {
        reach.touches.iter().any(|t| {
            let m = self.marks[t.buffer];
            (m.written || (m.touched && t.written)) && (m.mixed || m.apart != t.apart)
        })
    }
}

/// Finds the steps that can go with a first one.
struct Gather<'a> {
    reaches: &'a [Reach],
    inside: Marks,
    skipped: Marks,
    later: Marks,
}

impl<'a> Gather<'a> {
    fn new(reaches: &'a [Reach], buffers: usize) -> Self {
        let [inside, skipped, later] = std::array::from_fn(|_| Marks::new(buffers));
        Self { reaches, inside, skipped, later }
    }

    /// The first step and those after it that can go with it, in their order.
    fn with(&mut self, first: usize, after: impl Iterator<Item = usize>) -> Vec<usize> {
        let Self { reaches, inside, skipped, later } = self;
        [&mut *inside, &mut *skipped, &mut *later].into_iter().for_each(Marks::clear);
        let mut members = vec![first];
        inside.add(&reaches[first]);
        for s in after {
            let reach = &reaches[s];
            let fits = reach.channels == reaches[first].channels && !skipped.conflict(reach) && !inside.cross(reach);
            if fits {
                members.push(s);
            }
            if fits { &mut *inside } else { &mut *skipped }.add(reach);
        }
        // What is small and of no use to the others waits for its turn.
        let mut kept = Vec::with_capacity(members.len());
        for s in members.into_iter().rev() {
            let reach = &reaches[s];
            let worthwhile = reach.touches.iter().any(|t| t.apart.is_some_and(|a| a >= WORTHWHILE));
            if worthwhile || later.conflict(reach) {
                later.add(reach);
                kept.push(s);
            }
        }
        kept.reverse();
        kept
    }
}

/// A tensor as a step of a block sees it: some channels.
pub fn part(layout: &Layout, channels: usize) -> Option<Layout> {
    let (axis, _, apart) = outermost(layout)?;
    let mut part = layout.clone();
    part.shape[axis] = channels;
    part.size = apart * channels;
    Some(part)
}
