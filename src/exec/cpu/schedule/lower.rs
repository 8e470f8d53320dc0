//! From steps to launches.

use std::sync::Arc;

use super::super::contract::{Contraction, Product};
use super::super::layout::Layout;
use super::super::nest::{Builder, Fold, Source};
use super::super::parts::{self, Block};
use super::super::windows::{self, Window};
use super::{
    Buffer, BufferId, Home, Launch, Place, Schedule, Scheduler, Step, Target, Work, elementwise, slot, threads,
};
use crate::exec::ExecError;
use crate::graph::{At, BinaryOp, DType, Equation, Guard, Index, Kind, NodeId, Op, ReduceOp};

impl Scheduler<'_> {
    pub(super) fn lower(mut self, needed: &[bool], blocks: &[Block]) -> Result<Schedule, ExecError> {
        let mut launches = Vec::new();
        let mut starts = Vec::with_capacity(self.steps.len() + 1);
        let steps = std::mem::take(&mut self.steps);
        for (i, step) in steps.iter().enumerate() {
            starts.push(launches.len());
            match blocks.iter().find(|b| b.steps.contains(&i)) {
                Some(block) => self.lower_part(step, needed, block.channels, &mut launches)?,
                None => self.lower_step(step, needed, &mut launches)?,
            }
        }
        starts.push(launches.len());
        let Self { mut buffers, places, outputs, .. } = self;
        for b in &mut buffers {
            if b.first != usize::MAX {
                b.first = starts[b.first];
                b.last = starts.get(b.last + 1).map_or(launches.len(), |&s| s.saturating_sub(1).max(b.first));
            }
        }
        let blocks: Vec<_> = blocks.iter().map(|b| (starts[b.steps.start]..starts[b.steps.end], b.parts)).collect();
        for (i, launch) in launches.iter_mut().enumerate() {
            if let Work::Contract(_) = &launch.work {
                launch.slots.push(buffers.len());
                let block = blocks.iter().map(|b| &b.0).find(|b| b.contains(&i));
                let (first, last) = block.map_or((i, i), |b| (b.start, b.end - 1));
                // Its size is known when the kernel is.
                buffers.push(Buffer { size: 0, home: Home::Arena, first, last });
            }
            launch.strides.resize(launch.slots.len(), 0);
        }
        Ok(Schedule { launches, blocks, buffers, places, outputs })
    }

    /// Lowers a step of a block, as if there were no other channels than those of a part.
    fn lower_part(
        &mut self,
        step: &Step,
        needed: &[bool],
        channels: usize,
        launches: &mut Vec<Launch>,
    ) -> Result<(), ExecError> {
        let members: &[NodeId] = match step {
            Step::Group(members) => members,
            Step::Node(id) => std::slice::from_ref(id),
            Step::Copy { .. } => &[],
        };
        let touches = self.touches(step);
        let apart = |b: BufferId| touches.iter().find(|t| t.buffer == b).and_then(|t| t.apart);
        let mut seen: Vec<NodeId> = members.iter().flat_map(|&m| self.reads(m)).chain(members).copied().collect();
        seen.sort_unstable();
        seen.dedup();
        let mut whole = Vec::new();
        for id in seen {
            let Some((buffer, layout)) = &mut self.places[id.0 as usize] else { continue };
            if apart(*buffer).is_some()
                && let Some(part) = parts::part(layout, channels)
            {
                whole.push((id, std::mem::replace(layout, Arc::new(part))));
            }
        }
        let first = launches.len();
        self.lower_step(step, needed, launches)?;
        for launch in &mut launches[first..] {
            launch.strides = launch.slots.iter().map(|&b| apart(b).map_or(0, |a| a * channels)).collect();
        }
        for (id, layout) in whole {
            if let Some(place) = &mut self.places[id.0 as usize] {
                place.1 = layout;
            }
        }
        Ok(())
    }

    fn lower_step(&self, step: &Step, needed: &[bool], launches: &mut Vec<Launch>) -> Result<(), ExecError> {
        match step {
            Step::Group(members) => {
                let stored: Vec<NodeId> = members.iter().copied().filter(|m| needed[m.0 as usize]).collect();
                self.remember(members, &stored, launches, |launches| {
                    launches.push(self.lower_group(members, &stored));
                    Ok(())
                })
            }
            Step::Node(id) => self.remember(&[*id], &[], launches, |launches| self.lower_node(*id, launches)),
            Step::Copy { from, to, label } => {
                launches.push(lower_copy(self.target, from, to, label));
                Ok(())
            }
        }
    }

    fn builder<'b>(
        &'b self,
        extents: Vec<usize>,
        outputs: usize,
        slots: &'b mut Vec<BufferId>,
    ) -> Builder<'b, impl FnMut(NodeId) -> Source<'b>> {
        let b = Builder::new(extents, outputs, move |t| {
            let (buffer, layout) = self.place(t);
            Source { layout, dtype: self.graph.node(t).dtype, slot: slot(slots, *buffer) }
        });
        if self.target == Target::Threads { b.for_threads() } else { b }
    }

    fn lower_group(&self, members: &[NodeId], stored: &[NodeId]) -> Launch {
        let shape = &self.place(members[0]).1.shape;
        let at = At::identity(shape.len());
        // Written buffers come first, so that the closures below need no second borrow of the table.
        let mut slots: Vec<BufferId> = Vec::new();
        for m in stored {
            slot(&mut slots, self.place(*m).0);
        }
        let outs: Vec<usize> = stored.iter().map(|m| slot(&mut slots, self.place(*m).0)).collect();
        let mut b = self.builder(shape.clone(), shape.len(), &mut slots);
        let mut known: Vec<(NodeId, u32)> = Vec::new();
        for &m in members {
            let e = elementwise(self.graph, m).expect("groups are of elementwise equations");
            let value = b.append(&e.body, &[], &|t| known.iter().find(|k| k.0 == t).map(|k| k.1));
            let value = b.mask(&e.guards, value);
            known.push((m, value));
        }
        for (m, out) in stored.iter().zip(outs) {
            let value = known.iter().find(|k| k.0 == *m).expect("a member").1;
            b.store(out, &self.place(*m).1, self.graph.node(*m).dtype, &at, 0, value);
        }
        let nest = b.finish(Fold::None);
        let label = self.graph.node(members[members.len() - 1]).label.clone();
        Launch::new(Work::Nest(Arc::new(nest)), slots, label)
    }

    /// The launch of a sum of products of two floats.
    fn contraction(&self, id: NodeId, e: &Equation) -> Option<Launch> {
        let node = self.graph.node(id);
        let [Op::Read(a, a_at), Op::Read(b, b_at), Op::Binary(BinaryOp::Mul, x, y)] = e.body.as_slice() else {
            return None;
        };
        let floats = [id, *a, *b].iter().all(|&t| self.graph.node(t).dtype == DType::Float);
        if !floats || x == y {
            return None;
        }
        let places = [self.place(*a), self.place(*b)];
        let (buffer, out) = self.place(id);
        let (contraction, [x, w]) = Contraction::recognize(&Product {
            extents: e.extents(&out.shape),
            outputs: node.shape.len(),
            guards: e.guards.clone(),
            out,
            at: At::identity(node.shape.len()).to_vec(),
            factors: [(&places[0].1, a_at.to_vec()), (&places[1].1, b_at.to_vec())],
        })?;
        let slots = vec![*buffer, places[x].0, places[w].0];
        Some(Launch::new(Work::Contract(Arc::new(contraction)), slots, node.label.clone()))
    }

    /// Whether the tensors of a window reduction have the elements that its kernel takes them for.
    fn types_fit(&self, window: &Window, id: NodeId, reads: &[NodeId]) -> bool {
        let int = |t: NodeId| self.graph.node(t).dtype == DType::Int;
        let arg = matches!(window.fold, windows::Fold::ArgMax | windows::Fold::ArgMin);
        int(id) == arg && !int(reads[0]) && reads.get(1).is_none_or(|&t| int(t))
    }

    fn lower_node(&self, id: NodeId, launches: &mut Vec<Launch>) -> Result<(), ExecError> {
        let node = self.graph.node(id);
        let (buffer, layout) = self.place(id);
        let label = node.label.clone();
        let at = At::identity(node.shape.len());
        match &node.kind {
            Kind::Input(_) => {}
            Kind::Equation(e) | Kind::Arg(e) => {
                let Some(reduce) = &e.reduce else {
                    return Err(ExecError::Internal(format!("{id} has nothing to reduce")));
                };
                let fold = match (&node.kind, reduce.op) {
                    (Kind::Arg(_), ReduceOp::Max | ReduceOp::Min) => {
                        let mut linear = Index::constant(0);
                        for (a, n) in reduce.extents.iter().enumerate() {
                            linear = linear.times(*n as i64).plus(&Index::var(node.shape.len() + a), 1);
                        }
                        Fold::Arg(reduce.op == ReduceOp::Max, linear)
                    }
                    (Kind::Arg(_), _) => return Err(ExecError::Internal(format!("{id} is an index of no maximum"))),
                    (_, op) => Fold::Reduce(op),
                };
                if self.target != Target::Threads
                    && fold == Fold::Reduce(ReduceOp::Sum)
                    && let Some(launch) = self.contraction(id, e)
                {
                    launches.push(launch);
                    return Ok(());
                }
                let recognize = || {
                    let arg = matches!(node.kind, Kind::Arg(_));
                    Window::recognize(e, arg, &layout.shape, layout, |t| &self.place(t).1)
                };
                if self.target != Target::Threads
                    && let Some((window, reads)) = recognize()
                    && self.types_fit(&window, id, &reads)
                {
                    let slots = std::iter::once(*buffer).chain(reads.iter().map(|&t| self.place(t).0)).collect();
                    launches.push(Launch::new(Work::Window(Arc::new(window)), slots, label));
                    return Ok(());
                }
                let mut slots = vec![*buffer];
                let mut b = self.builder(e.extents(&layout.shape), node.shape.len(), &mut slots);
                e.guards.iter().for_each(|g| b.guard(g));
                let value = b.append(&e.body, &e.guards, &|_| None);
                b.store(0, layout, node.dtype, &at, 0, value);
                let nest = b.finish(fold);
                launches.push(Launch::new(Work::Nest(Arc::new(nest)), slots, label));
            }
            Kind::Scatter(s) => {
                launches.push(Launch::new(Work::Zero, vec![*buffer], label.clone()));
                let mut slots = vec![*buffer];
                let (s, parallel) = match self.target {
                    Target::Lanes(_) => (s.clone(), 0),
                    Target::Threads => threads::apart(s),
                };
                let mut b = self.builder(s.extents.clone(), parallel, &mut slots);
                let mut guards = s.guards.clone();
                guards.extend(s.target.iter().zip(&node.shape).map(|(i, n)| Guard::InRange(i.clone(), *n)));
                for g in &guards {
                    b.guard(g);
                }
                let value = b.append(&s.body, &guards, &|_| None);
                b.store(0, layout, node.dtype, &s.target, 0, value);
                let nest = b.finish(Fold::Scatter);
                launches.push(Launch::new(Work::Nest(Arc::new(nest)), slots, label));
            }
            Kind::Concat { inputs, axis } => {
                let mut start = 0;
                let mut to = Layout::clone(layout);
                if to.padded == Some(*axis) {
                    to.padded = None;
                }
                for input in inputs {
                    let part = self.graph.node(*input);
                    let mut slots = vec![*buffer];
                    let mut b = self.builder(part.shape.clone(), part.shape.len(), &mut slots);
                    let value = b.append(&[Op::Read(*input, at.clone())], &[], &|_| None);
                    b.store(0, &to, node.dtype, &at, start * to.strides[*axis], value);
                    let nest = b.finish(Fold::None);
                    launches.push(Launch::new(Work::Nest(Arc::new(nest)), slots, label.clone()));
                    start += part.shape[*axis] as i64;
                }
            }
            Kind::Reshape(x) => {
                let from = &self.graph.node(*x).shape;
                let mut linear = Index::constant(0);
                for (a, n) in node.shape.iter().enumerate() {
                    linear = linear.times(*n as i64).plus(&Index::var(a), 1);
                }
                let mut there = Vec::new();
                let mut below: i64 = 1;
                for (a, &n) in from.iter().enumerate().rev() {
                    let i = linear.div(below);
                    there.push(if a == 0 { i } else { i.rem(n as i64) });
                    below *= n as i64;
                }
                there.reverse();
                let mut slots = vec![*buffer];
                let mut b = self.builder(node.shape.clone(), node.shape.len(), &mut slots);
                let value = b.append(&[Op::Read(*x, there.into())], &[], &|_| None);
                b.store(0, layout, node.dtype, &at, 0, value);
                let nest = b.finish(Fold::None);
                launches.push(Launch::new(Work::Nest(Arc::new(nest)), slots, label));
            }
            Kind::Random { stream } => {
                let work = Work::Random { stream: *stream, layout: Layout::clone(layout) };
                launches.push(Launch::new(work, vec![*buffer], label));
            }
        }
        Ok(())
    }
}

/// A launch that copies a tensor to another place of the same shape.
pub fn lower_copy(target: Target, from: &(BufferId, Arc<Layout>, DType), to: &Place, label: &str) -> Launch {
    let shape = &to.1.shape;
    let at = At::identity(shape.len());
    let slots = vec![to.0, from.0];
    let b = Builder::new(shape.clone(), shape.len(), |_| Source { layout: &from.1, dtype: from.2, slot: 1 });
    let mut b = if target == Target::Threads { b.for_threads() } else { b };
    let value = b.append(&[Op::Read(NodeId(0), at.clone())], &[], &|_| None);
    b.store(0, &to.1, from.2, &at, 0, value);
    let nest = b.finish(Fold::None);
    Launch::new(Work::Nest(Arc::new(nest)), slots, label.to_owned())
}
