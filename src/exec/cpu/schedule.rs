//! From a graph to the list of its launches and the buffers between them.
//!
//! Elementwise equations over the same places are grouped into one loop nest where they share operands; what only
//! the group itself reads is never stored. An update whose value is elementwise in the updated input is computed in
//! place, if nobody reads the old value later; the others are copied after all nodes are computed.

mod remember;
mod threads;

use std::sync::Arc;

use super::contract::{Contraction, Product};
use super::layout::Layout;
use super::nest::{Builder, Fold, Nest, Source};
use super::windows::{self, Window};
use crate::exec::ExecError;
use crate::graph::{At, BinaryOp, DType, Equation, Graph, Guard, Index, Kind, NodeId, Op, ReduceOp, Role};

/// An index into [`Schedule::buffers`].
pub type BufferId = usize;

/// Where a buffer lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In the program's arena.
    Arena,
    /// It is the persistent tensor of this node.
    Persistent(NodeId),
}

/// Where a tensor is.
pub type Place = (BufferId, Arc<Layout>);

/// Storage of one or more tensors.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// Elements.
    pub size: usize,
    /// Where.
    pub home: Home,
    /// The first launch that needs it.
    pub first: usize,
    /// The last one.
    pub last: usize,
}

/// What a launch does.
#[derive(Clone, Debug)]
pub enum Work {
    /// Generated loops.
    Nest(Arc<Nest>),
    /// A sum of products: its result, the factors in the order of the contraction, scratch.
    Contract(Arc<Contraction>),
    /// A reduction over windows of rows: its result, what is reduced, for some also the numbers of rows.
    Window(Arc<Window>),
    /// Zeros in the only slot.
    Zero,
    /// Draws in the only slot.
    Random {
        /// See [`Kind::Random`].
        stream: u64,
        /// Where the elements are.
        layout: Layout,
    },
}

impl Work {
    /// Of the kernel, if it has one: the hash of all that decides it.
    fn key(&self) -> u128 {
        match self {
            Work::Nest(nest) => nest.key(),
            Work::Contract(c) => c.key(),
            Work::Window(w) => w.key(),
            Work::Zero | Work::Random { .. } => 0,
        }
    }
}

/// One step of a run.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What is done.
    pub work: Work,
    /// See [`Work::key`].
    pub key: u128,
    /// The buffer of each slot.
    pub slots: Vec<BufferId>,
    /// Of the node that it computes, the last of a group.
    pub label: String,
}

impl Launch {
    fn new(work: Work, slots: Vec<BufferId>, label: String) -> Self {
        Self { key: work.key(), work, slots, label }
    }
}

/// A graph in the order in which it runs.
#[derive(Debug)]
pub struct Schedule {
    /// In order.
    pub launches: Vec<Launch>,
    /// All of them.
    pub buffers: Vec<Buffer>,
    /// Of each node that is computed or given.
    pub places: Vec<Option<Place>>,
    /// Of each output of the graph, at the end of a run.
    pub outputs: Vec<Place>,
}

/// A node or a group of nodes that is computed at once.
enum Step {
    Group(Vec<NodeId>),
    Node(NodeId),
    /// `to` takes the elements of `from`.
    Copy {
        from: (BufferId, Arc<Layout>, DType),
        to: Place,
        label: String,
    },
}

/// What the loops are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Vectors of one core; sums of products and windows have kernels of their own.
    Lanes,
    /// Threads of a GPU; every launch is a nest, of which the code generator sees what it is.
    Threads,
}

struct Scheduler<'a> {
    graph: &'a Graph,
    target: Target,
    live: Vec<bool>,
    steps: Vec<Step>,
    /// The step that computes a node; none for inputs, and that of its source for a view.
    step_of: Vec<Option<usize>>,
    buffers: Vec<Buffer>,
    places: Vec<Option<Place>>,
    /// The layouts of fresh tensors so far.
    layouts: Vec<Arc<Layout>>,
    /// What each node reads: ranges of `read`, each node once.
    reads: Vec<(usize, usize)>,
    read: Vec<NodeId>,
    /// Of each buffer, before any sharing: the node that it was made for.
    owner: Vec<NodeId>,
    outputs: Vec<Place>,
}

/// Larger groups would not fit the registers.
const GROUP_OPS: usize = 48;

/// How far back a group may be that an equation joins.
const REACH: usize = 24;

/// Schedules a verified graph.
pub fn schedule(graph: &Graph, target: Target) -> Result<Schedule, ExecError> {
    let n = graph.nodes.len();
    let mut s = Scheduler {
        graph,
        target,
        live: live(graph),
        steps: Vec::new(),
        step_of: vec![None; n],
        buffers: Vec::new(),
        places: vec![None; n],
        layouts: Vec::new(),
        reads: Vec::with_capacity(n),
        read: Vec::new(),
        owner: Vec::new(),
        outputs: Vec::new(),
    };
    for node in &graph.nodes {
        let start = s.read.len();
        node.reads(|r| {
            if !s.read[start..].contains(&r) {
                s.read.push(r);
            }
        });
        s.reads.push((start, s.read.len()));
    }
    for id in graph.ids().filter(|id| s.live[id.0 as usize]).collect::<Vec<_>>() {
        s.add(id);
    }
    s.updates();
    let uses = s.uses();
    s.reuse(&uses);
    let uses = s.uses();
    s.lifetimes(&uses);
    s.lower()
}

fn live(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.nodes.len()];
    for (_, id) in &graph.outputs {
        live[id.0 as usize] = true;
    }
    for (input, value) in &graph.updates {
        live[input.0 as usize] = true;
        live[value.0 as usize] = true;
    }
    for id in graph.ids().rev() {
        if live[id.0 as usize] {
            graph.node(id).reads(|r| live[r.0 as usize] = true);
        }
    }
    live
}

fn elementwise(graph: &Graph, id: NodeId) -> Option<&Equation> {
    match &graph.node(id).kind {
        Kind::Equation(e) if e.reduce.is_none() => Some(e),
        _ => None,
    }
}

/// Whether all reads of `t` in the equation are at the point of the output itself.
fn reads_in_place(e: &Equation, is_t: &dyn Fn(NodeId) -> bool) -> bool {
    let loads = |i: &Index| {
        let mut found = false;
        i.loads(&mut |l| found |= is_t(l));
        found
    };
    let guards = e.guards.iter().any(|g| loads(g.index()));
    let ops = e.body.iter().all(|op| match op {
        Op::Read(r, at) => (!is_t(*r) || at.is_identity()) && (at.is_affine() || !at.iter().any(loads)),
        Op::Index(i) => !loads(i),
        Op::Test(g) => !loads(g.index()),
        _ => true,
    });
    !guards && ops
}

impl Scheduler<'_> {
    fn place(&self, id: NodeId) -> &Place {
        self.places[id.0 as usize].as_ref().expect("a read node was placed before its reader")
    }

    /// What a node reads, each once.
    fn reads(&self, id: NodeId) -> &[NodeId] {
        let (start, end) = self.reads[id.0 as usize];
        &self.read[start..end]
    }

    /// The layout of a fresh tensor. Most tensors of a network have one of few.
    fn layout(&mut self, shape: &[usize], example: Option<usize>) -> Arc<Layout> {
        let known = self.layouts.iter().find(|l| l.shape == shape && l.padded == example).cloned();
        known.unwrap_or_else(|| {
            self.layouts.push(Arc::new(Layout::new(shape, example)));
            self.layouts[self.layouts.len() - 1].clone()
        })
    }

    fn fresh(&mut self, id: NodeId, layout: Arc<Layout>, home: Home) {
        self.buffers.push(Buffer { size: layout.size, home, first: usize::MAX, last: 0 });
        self.owner.push(id);
        self.places[id.0 as usize] = Some((self.buffers.len() - 1, layout));
    }

    fn add(&mut self, id: NodeId) {
        let node = self.graph.node(id);
        let layout = self.layout(&node.shape, node.example.map(usize::from));
        match &node.kind {
            Kind::Input(input) => match input.role {
                Role::Param(_) | Role::State(_) => {
                    let layout = self.layout(&node.shape, None);
                    self.fresh(id, layout, Home::Persistent(id));
                }
                Role::Data | Role::Knob(_) => self.fresh(id, layout, Home::Arena),
            },
            Kind::Reshape(x) => {
                let (buffer, from) = self.place(*x);
                if let Some(view) = from.reshape(&node.shape) {
                    self.places[id.0 as usize] = Some((*buffer, Arc::new(view)));
                    self.step_of[id.0 as usize] = self.step_of[x.0 as usize];
                } else {
                    self.fresh(id, layout, Home::Arena);
                    self.step(id, Step::Node(id));
                }
            }
            Kind::Equation(e) => {
                self.fresh(id, layout, Home::Arena);
                if e.reduce.is_some() {
                    self.step(id, Step::Node(id));
                } else if let Some(g) = self.group_for(id, e) {
                    let Step::Group(members) = &mut self.steps[g] else { unreachable!("found as a group") };
                    members.push(id);
                    self.step_of[id.0 as usize] = Some(g);
                } else {
                    self.step(id, Step::Group(vec![id]));
                }
            }
            Kind::Arg(_) | Kind::Scatter(_) | Kind::Concat { .. } | Kind::Random { .. } => {
                self.fresh(id, layout, Home::Arena);
                self.step(id, Step::Node(id));
            }
        }
    }

    fn step(&mut self, id: NodeId, step: Step) {
        self.step_of[id.0 as usize] = Some(self.steps.len());
        self.steps.push(step);
    }

    /// The latest group that an elementwise equation can join with a gain.
    fn group_for(&self, id: NodeId, e: &Equation) -> Option<usize> {
        let reads = self.reads(id);
        let latest = reads.iter().filter_map(|r| self.step_of[r.0 as usize]).max().unwrap_or(0);
        for g in (latest.max(self.steps.len().saturating_sub(REACH))..self.steps.len()).rev() {
            let Step::Group(members) = &self.steps[g] else { continue };
            let first = self.place(members[0]);
            if first.1 != self.place(id).1 {
                continue;
            }
            let ops: usize = members.iter().filter_map(|&m| elementwise(self.graph, m)).map(|e| e.body.len()).sum();
            let inside = |r: NodeId| self.step_of[r.0 as usize] == Some(g);
            let legal = reads.iter().all(|&r| !inside(r) || (members.contains(&r) && reads_in_place(e, &|t| t == r)));
            let shares = reads.iter().any(|&r| {
                inside(r) || (self.graph.node(r).len() > 1 && members.iter().any(|&m| self.reads(m).contains(&r)))
            });
            if legal && shares && ops + e.body.len() <= GROUP_OPS {
                return Some(g);
            }
        }
        None
    }

    /// Whether a step reads a buffer, and whether only at the point that it computes.
    fn reads_buffer(&self, step: &Step, buffer: BufferId) -> (bool, bool) {
        let of = |t: NodeId| self.places[t.0 as usize].as_ref().is_some_and(|p| p.0 == buffer);
        match step {
            Step::Copy { from, .. } => (from.0 == buffer, false),
            Step::Node(id) => (self.reads(*id).iter().any(|&r| of(r)), false),
            Step::Group(members) => {
                let (mut any, mut local) = (false, true);
                for &m in members {
                    let mut reads = false;
                    for &r in self.reads(m) {
                        reads |= of(r);
                        local &= !of(r) || self.place(r).1 == self.place(m).1;
                    }
                    any |= reads;
                    local &= !reads || elementwise(self.graph, m).is_some_and(|e| reads_in_place(e, &of));
                }
                (any, local)
            }
        }
    }

    /// Of each buffer, the steps that read it.
    fn readers(&self) -> Vec<Vec<usize>> {
        let mut readers = vec![Vec::new(); self.buffers.len()];
        for (i, step) in self.steps.iter().enumerate() {
            let mut read = |id: NodeId| {
                for &r in self.reads(id) {
                    let list: &mut Vec<usize> = &mut readers[self.place(r).0];
                    if list.last() != Some(&i) {
                        list.push(i);
                    }
                }
            };
            match step {
                Step::Group(members) => members.iter().for_each(|&m| read(m)),
                Step::Node(id) => read(*id),
                Step::Copy { .. } => {}
            }
        }
        readers
    }

    /// Puts updates in place where that is legal, and appends copies for the others.
    fn updates(&mut self) {
        let mut copies = Vec::new();
        let mut readers = self.readers();
        for &(input, value) in &self.graph.updates {
            if input == value {
                continue;
            }
            let (target, layout) = self.place(input).clone();
            let (source, from) = self.place(value).clone();
            let home = self.buffers[source].home;
            let own = self.owner[source] == value && elementwise(self.graph, value).is_some();
            let wanted = self.graph.outputs.iter().any(|(_, o)| self.place(*o).0 == target)
                || self.graph.updates.iter().any(|&(_, v)| self.place(v).0 == target);
            if let Some(at) = self.step_of[value.0 as usize].filter(|_| {
                home == Home::Arena && own && !wanted && from == layout && self.buffers[source].size == layout.size
            }) {
                let legal =
                    readers[target].iter().all(|&i| i < at || (i == at && self.reads_buffer(&self.steps[i], target).1));
                if legal {
                    let moved = std::mem::take(&mut readers[source]);
                    readers[target].extend(moved);
                    for place in self.places.iter_mut().flatten().filter(|p| p.0 == source) {
                        place.0 = target;
                    }
                    continue;
                }
            }
            copies.push((input, value));
        }
        self.outputs = self.graph.outputs.iter().map(|(_, id)| self.place(*id).clone()).collect();
        for i in 0..self.outputs.len() {
            // The old value of an updated tensor.
            let (buffer, layout) = self.outputs[i].clone();
            if copies.iter().any(|(input, _)| self.place(*input).0 == buffer) {
                let id = self.graph.outputs[i].1;
                self.outputs[i] = self.set_aside(id, buffer, layout);
            }
        }
        // A value that is itself a persistent tensor is set aside, since its own update may come first.
        let mut last = Vec::new();
        for (input, value) in copies {
            let node = self.graph.node(value);
            let (mut source, mut from) = self.place(value).clone();
            let (target, layout) = self.place(input).clone();
            let label = node.label.clone();
            if let Home::Persistent(_) = self.buffers[source].home {
                (source, from) = self.set_aside(value, source, from);
            }
            last.push(Step::Copy { from: (source, from, node.dtype), to: (target, layout), label });
        }
        self.steps.extend(last);
    }

    fn set_aside(&mut self, id: NodeId, buffer: BufferId, layout: Arc<Layout>) -> Place {
        let node = self.graph.node(id);
        let aside = self.layout(&node.shape, None);
        self.buffers.push(Buffer { size: aside.size, home: Home::Arena, first: usize::MAX, last: 0 });
        self.owner.push(id);
        let to = (self.buffers.len() - 1, aside);
        let label = node.label.clone();
        self.steps.push(Step::Copy { from: (buffer, layout, node.dtype), to: to.clone(), label });
        to
    }

    /// Of each buffer: the first and the last step that touches it. Data lives from the start, outputs to the end.
    fn uses(&self) -> Vec<(usize, usize)> {
        let mut uses = vec![(usize::MAX, 0); self.buffers.len()];
        let mut touch = |b: BufferId, step: usize| {
            uses[b].0 = uses[b].0.min(step);
            uses[b].1 = uses[b].1.max(step);
        };
        for (i, step) in self.steps.iter().enumerate() {
            let node = |id: NodeId, touch: &mut dyn FnMut(BufferId, usize)| {
                touch(self.place(id).0, i);
                self.reads(id).iter().for_each(|&r| touch(self.place(r).0, i));
            };
            match step {
                Step::Group(members) => members.iter().for_each(|&m| node(m, &mut touch)),
                Step::Node(id) => node(*id, &mut touch),
                Step::Copy { from, to, .. } => {
                    touch(from.0, i);
                    touch(to.0, i);
                }
            }
        }
        for (id, _) in self.graph.inputs() {
            if let Some((b, _)) = &self.places[id.0 as usize] {
                touch(*b, 0);
            }
        }
        for (buffer, _) in &self.outputs {
            touch(*buffer, self.steps.len());
        }
        uses
    }

    /// Lets an elementwise result take the place of an operand that nobody reads afterwards.
    fn reuse(&mut self, uses: &[(usize, usize)]) {
        let mut last: Vec<usize> = uses.iter().map(|u| u.1).collect();
        for i in 0..self.steps.len() {
            let Step::Group(members) = &self.steps[i] else { continue };
            let members = members.clone();
            for m in members {
                let (mine, layout) = self.place(m).clone();
                if self.owner[mine] != m
                    || self.buffers[mine].home != Home::Arena
                    || uses[mine].0 != i
                    || last[mine] == i
                {
                    continue;
                }
                let free = self.reads(m).iter().copied().find(|&r| {
                    let (b, l) = self.place(r);
                    *l == layout
                        && last[*b] == i
                        && self.buffers[*b].home == Home::Arena
                        && self.buffers[*b].size == layout.size
                        && self.step_of[r.0 as usize] != Some(i)
                        && self.graph.node(r).dtype == self.graph.node(m).dtype
                        && self.reads_buffer(&self.steps[i], *b) == (true, true)
                });
                if let Some(r) = free {
                    let b = self.place(r).0;
                    for place in self.places.iter_mut().flatten().filter(|p| p.0 == mine) {
                        place.0 = b;
                    }
                    for output in self.outputs.iter_mut().filter(|p| p.0 == mine) {
                        output.0 = b;
                    }
                    last[b] = last[mine];
                }
            }
        }
    }

    fn lifetimes(&mut self, uses: &[(usize, usize)]) {
        for (b, u) in self.buffers.iter_mut().zip(uses) {
            (b.first, b.last) = *u;
        }
    }

    /// Whether somebody outside of its group needs a node.
    fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.graph.nodes.len()];
        let mut mark = |id: NodeId| {
            // Through views to the node that is computed.
            let mut id = id;
            needed[id.0 as usize] = true;
            while let Kind::Reshape(x) = self.graph.node(id).kind {
                id = x;
                needed[id.0 as usize] = true;
            }
        };
        for id in self.graph.ids().filter(|id| self.live[id.0 as usize]) {
            let at = self.step_of[id.0 as usize];
            for &r in self.reads(id) {
                let inside = elementwise(self.graph, id).is_some() && at == self.step_of[r.0 as usize];
                if !inside {
                    mark(r);
                }
            }
        }
        self.graph.outputs.iter().for_each(|(_, id)| mark(*id));
        self.graph.updates.iter().for_each(|(_, id)| mark(*id));
        needed
    }

    fn lower(self) -> Result<Schedule, ExecError> {
        let needed = self.needed();
        let mut launches = Vec::new();
        let mut starts = Vec::with_capacity(self.steps.len() + 1);
        for step in &self.steps {
            starts.push(launches.len());
            match step {
                Step::Group(members) => {
                    let stored: Vec<NodeId> = members.iter().copied().filter(|m| needed[m.0 as usize]).collect();
                    self.remember(members, &stored, &mut launches, |launches| {
                        launches.push(self.lower_group(members, &stored));
                        Ok(())
                    })?;
                }
                Step::Node(id) => {
                    self.remember(&[*id], &[], &mut launches, |launches| self.lower_node(*id, launches))?;
                }
                Step::Copy { from, to, label } => launches.push(lower_copy(self.target, from, to, label)),
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
        for (i, launch) in launches.iter_mut().enumerate() {
            if let Work::Contract(_) = &launch.work {
                launch.slots.push(buffers.len());
                // Its size is known when the kernel is.
                buffers.push(Buffer { size: 0, home: Home::Arena, first: i, last: i });
            }
        }
        Ok(Schedule { launches, buffers, places, outputs })
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
        let shape = &self.graph.node(members[0]).shape;
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
            extents: e.extents(&node.shape),
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
                if self.target == Target::Lanes
                    && fold == Fold::Reduce(ReduceOp::Sum)
                    && let Some(launch) = self.contraction(id, e)
                {
                    launches.push(launch);
                    return Ok(());
                }
                let found =
                    Window::recognize(e, matches!(node.kind, Kind::Arg(_)), &node.shape, layout, |t| &self.place(t).1);
                if self.target == Target::Lanes
                    && let Some((window, reads)) = found
                    && self.types_fit(&window, id, &reads)
                {
                    let slots = std::iter::once(*buffer).chain(reads.iter().map(|&t| self.place(t).0)).collect();
                    launches.push(Launch::new(Work::Window(Arc::new(window)), slots, label));
                    return Ok(());
                }
                let mut slots = vec![*buffer];
                let mut b = self.builder(e.extents(&node.shape), node.shape.len(), &mut slots);
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
                    Target::Lanes => (s.clone(), 0),
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

fn slot(slots: &mut Vec<BufferId>, buffer: BufferId) -> usize {
    slots.iter().position(|b| *b == buffer).unwrap_or_else(|| {
        slots.push(buffer);
        slots.len() - 1
    })
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
