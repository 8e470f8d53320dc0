//! Loop nests: what the code generator compiles, and the key under which kernels are shared.
//!
//! A nest names no node and no tensor, only *slots* (entries of the table of base pointers that a launch passes) and
//! offsets into them, so the same layer at two places of a network, or in two networks, is one kernel.
//! Variable `k` is loop level `k`: first the output loops, outermost first, then the reduction loops. In indices,
//! an [`Atom::Load`] names a slot in place of a node, with one index: the element's offset, and a second, constant
//! one (its greatest legal value) where the offset may be illegal and has to be clamped.

use std::hash::Hash;

use crate::exec::cpu::layout::{Layout, ROW};
use crate::graph::{Atom, BinaryOp, CompareOp, DType, Guard, Index, NodeId, Op, ReduceOp, UnaryOp};

/// A compiled unit: loops around one body.
#[derive(Clone, Debug, Hash)]
pub struct Nest {
    /// The extent of each loop.
    pub extents: Vec<usize>,
    /// How many of the loops are output loops.
    pub outputs: usize,
    /// The loop whose iterations are taken as vectors: the last output loop or the last reduction loop.
    pub vector: Option<usize>,
    /// Vectors per iteration of the vector loop.
    pub unroll: usize,
    /// What is behind each base pointer.
    pub slots: Vec<Slot>,
    /// All places read or written.
    pub accesses: Vec<Access>,
    /// All must hold for a point to take part in the reduction.
    pub guards: Vec<Guard>,
    /// In SSA form; an operand is the number of an earlier operation.
    pub body: Vec<Expr>,
    /// How points combine.
    pub fold: Fold,
    /// `(access, value)`; the value is the folded one where there is a fold.
    pub stores: Vec<(usize, u32)>,
}

/// A base pointer of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Elements are `i32`, else `f32`.
    pub int: bool,
    /// The kernel stores to it, so loads from it must not move.
    pub written: bool,
}

/// A place in memory as a function of the loops.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// Which base pointer.
    pub slot: usize,
    /// Elements from the base.
    pub offset: Index,
    /// The greatest legal offset, where the access may be evaluated at an illegal one (its value is then not used).
    pub clamp: Option<i64>,
    /// The variables on which it depends whether the offset is legal.
    pub doubtful: Vec<bool>,
}

/// An operation of the body.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// The bits of an `f32`.
    Const(u32),
    /// An element.
    Read(usize),
    /// An integer expression as a number.
    Index(Index),
    /// A condition on loop variables.
    Test(Guard),
    /// One operand.
    Unary(UnaryOp, u32),
    /// Two operands.
    Binary(BinaryOp, u32, u32),
    /// A comparison.
    Compare(CompareOp, u32, u32),
    /// The second if the first holds, else the third.
    Select(u32, u32, u32),
}

/// How the points of the reduction loops combine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    /// There are none.
    None,
    /// By a reducer.
    Reduce(ReduceOp),
    /// The index of the first greatest (or least) value; the linear index is given.
    Arg(bool, Index),
    /// Added to memory at the store's place, which depends on the reduction loops.
    Scatter,
}

/// How an offset depends on a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Not at all.
    None,
    /// As `coefficient * variable`.
    Linear(i64),
    /// In another way.
    Other,
}

/// Whether the atom depends on the variable.
fn mentions(atom: &Atom, v: usize) -> bool {
    match atom {
        Atom::Var(x) => *x as usize == v,
        Atom::Div(i, _) | Atom::Mod(i, _) => i.terms.iter().any(|(a, _)| mentions(a, v)),
        Atom::Load(_, at) => at.iter().any(|i| i.terms.iter().any(|(a, _)| mentions(a, v))),
    }
}

/// How an index depends on a variable.
pub fn dependence(index: &Index, v: usize) -> Use {
    let mut found = Use::None;
    for (atom, c) in &index.terms {
        match atom {
            Atom::Var(x) if *x as usize == v => found = Use::Linear(*c),
            _ if mentions(atom, v) => return Use::Other,
            _ => {}
        }
    }
    found
}

/// The innermost variable of an atom; `None` if it is constant.
pub fn innermost(atom: &Atom) -> Option<usize> {
    match atom {
        Atom::Var(v) => Some(*v as usize),
        Atom::Div(i, _) | Atom::Mod(i, _) => level(i),
        Atom::Load(_, at) => at.iter().filter_map(level).max(),
    }
}

/// The innermost variable of an index; `None` if it is constant.
pub fn level(index: &Index) -> Option<usize> {
    index.terms.iter().filter_map(|(a, _)| innermost(a)).max()
}

impl Nest {
    /// The hash of all that decides the generated code.
    pub fn key(&self) -> u128 {
        hash_key(self)
    }

    /// Operations of the body over all points, those that guards leave out included.
    pub fn flops(&self) -> u64 {
        let counts = |e: &&Expr| matches!(e, Expr::Unary(..) | Expr::Binary(..) | Expr::Compare(..) | Expr::Select(..));
        let each = self.body.iter().filter(counts).count() + usize::from(self.fold != Fold::None);
        (self.extents.iter().product::<usize>() * each) as u64
    }

    /// Elements that come from memory and that go there where nothing is cached, by the elements of each slot: a tensor
    /// that is overwritten counts twice.
    pub fn traffic(&self, sizes: &[usize]) -> u64 {
        let stored = |a: usize| self.stores.iter().any(|s| s.0 == a);
        // No more places than loops on which the place depends have.
        let places = |a: &Access| {
            let turns = (0..self.extents.len()).filter(|&v| dependence(&a.offset, v) != Use::None);
            turns.map(|v| self.extents[v]).product::<usize>()
        };
        let most = |slot: usize, written: bool| {
            let of = self.accesses.iter().enumerate().filter(|(i, a)| a.slot == slot && stored(*i) == written);
            of.map(|(_, a)| places(a)).max()
        };
        let slot = |(k, &size): (usize, &usize)| {
            let (read, written) = (most(k, false), most(k, true));
            // A table of indices is in no access.
            let read = if read.is_none() && written.is_none() { Some(size) } else { read };
            let again = if self.fold == Fold::Scatter { 2 } else { 1 };
            (read.map_or(0, |n| n.min(size)) + again * written.map_or(0, |n| n.min(size))) as u64
        };
        sizes.iter().enumerate().map(slot).sum()
    }

    /// Whether some guard is left, so that a reduction may have no point.
    pub fn guarded(&self) -> bool {
        !self.guards.is_empty()
    }
}

/// 128 bits of all that a value hashes.
pub fn hash_key(x: &impl Hash) -> u128 {
    crate::base::hash::of(x)
}

/// A tensor that a nest reads: its place and type, and the slot under which it is passed.
pub struct Source<'a> {
    /// Where its elements are.
    pub layout: &'a Layout,
    /// Its type.
    pub dtype: DType,
    /// Which base pointer.
    pub slot: usize,
}

/// Builds a nest in logical variables (output axes, then reduction axes) and then orders its loops.
pub struct Builder<'a, F: FnMut(NodeId) -> Source<'a>> {
    /// Finds the tensors.
    pub source: F,
    extents: Vec<usize>,
    outputs: usize,
    accesses: Vec<Access>,
    guards: Vec<Guard>,
    body: Vec<Expr>,
    slots: Vec<Slot>,
    stores: Vec<(usize, u32)>,
    padded: Option<usize>,
    limits: Vec<i64>,
    lanes: bool,
}

impl<'a, F: FnMut(NodeId) -> Source<'a>> Builder<'a, F> {
    /// Loops over `extents`, of which the first `outputs` are output loops.
    pub fn new(extents: Vec<usize>, outputs: usize, source: F) -> Self {
        Self {
            source,
            extents,
            outputs,
            accesses: Vec::new(),
            guards: Vec::new(),
            body: Vec::new(),
            slots: Vec::new(),
            stores: Vec::new(),
            padded: None,
            limits: Vec::new(),
            lanes: true,
        }
    }

    /// Without a loop of vectors: each point of the output loops is a thread of a GPU.
    #[must_use]
    pub fn for_threads(mut self) -> Self {
        self.lanes = false;
        self
    }

    /// Restricts the points of the reduction.
    pub fn guard(&mut self, guard: &Guard) {
        match guard.decided(&self.extents) {
            Some(true) => {}
            Some(false) => self.guards.push(Guard::Zero(Index::constant(1))),
            None => {
                let g = self.lower_guard(guard);
                if !self.guards.contains(&g) {
                    self.guards.push(g);
                }
            }
        }
    }

    /// Adds an operation, or finds it.
    pub fn push(&mut self, e: Expr) -> u32 {
        let at = self.body.iter().position(|x| *x == e).unwrap_or_else(|| {
            self.body.push(e);
            self.body.len() - 1
        });
        at as u32
    }

    /// Appends the body of an equation. `guards` are those under which it is evaluated; `known` are tensors whose
    /// element at this point was computed before.
    pub fn append(&mut self, ops: &[Op], guards: &[Guard], known: &dyn Fn(NodeId) -> Option<u32>) -> u32 {
        let mut vals: Vec<u32> = Vec::with_capacity(ops.len());
        for op in ops {
            let of = |v: &crate::graph::Val| vals[v.0 as usize];
            let e = match op {
                Op::Const(c) => Expr::Const((*c as f32).to_bits()),
                Op::Read(t, at) => {
                    if let Some(v) = known(*t) {
                        vals.push(v);
                        continue;
                    }
                    Expr::Read(self.access(*t, at, guards))
                }
                Op::Index(i) => Expr::Index(self.lower(i)),
                Op::Test(g) => match g.decided(&self.extents) {
                    Some(b) => Expr::Test(Guard::Zero(Index::constant(i64::from(!b)))),
                    None => Expr::Test(self.lower_guard(g)),
                },
                Op::Unary(o, a) => Expr::Unary(*o, of(a)),
                Op::Binary(o, a, b) => Expr::Binary(*o, of(a), of(b)),
                Op::Compare(o, a, b) => Expr::Compare(*o, of(a), of(b)),
                Op::Select(c, a, b) => Expr::Select(of(c), of(a), of(b)),
            };
            vals.push(self.push(e));
        }
        *vals.last().expect("a body has a last operation")
    }

    /// 0 where a guard fails: an equation without a reducer.
    pub fn mask(&mut self, guards: &[Guard], value: u32) -> u32 {
        let mut value = value;
        for g in guards {
            if g.decided(&self.extents) == Some(true) {
                continue;
            }
            let g = self.lower_guard(g);
            let test = self.push(Expr::Test(g));
            let zero = self.push(Expr::Const(0));
            value = self.push(Expr::Select(test, value, zero));
        }
        value
    }

    fn lower(&mut self, index: &Index) -> Index {
        let mut out = Index::constant(index.constant);
        for (atom, c) in &index.terms {
            let atom = match atom {
                Atom::Var(v) => Atom::Var(*v),
                Atom::Div(i, n) => Atom::Div(Box::new(self.lower(i)), *n),
                Atom::Mod(i, n) => Atom::Mod(Box::new(self.lower(i)), *n),
                Atom::Load(t, at) => {
                    let a = self.place(*t, at, &[]);
                    let mut index = vec![a.offset];
                    index.extend(a.clamp.map(Index::constant));
                    Atom::Load(NodeId(a.slot as u32), index)
                }
            };
            out = out.plus(&Index::atom(atom), *c);
        }
        out
    }

    fn lower_guard(&mut self, guard: &Guard) -> Guard {
        match guard {
            Guard::InRange(i, n) => Guard::InRange(self.lower(i), *n),
            Guard::Zero(i) => Guard::Zero(self.lower(i)),
        }
    }

    fn place(&mut self, t: NodeId, at: &[Index], guards: &[Guard]) -> Access {
        let source = (self.source)(t);
        let (layout, slot) = (source.layout, source.slot);
        self.declare(slot, source.dtype, false);
        self.limits[slot] = layout.size as i64 - 1;
        let mut offset = Index::constant(0);
        let mut doubtful = vec![false; self.extents.len()];
        let mut clamp = None;
        for (axis, index) in at.iter().enumerate() {
            let (lo, hi) = index.bounds(&self.extents);
            let extent = layout.shape[axis];
            let inside = lo >= 0 && hi < extent as i64;
            let guarded = guards.iter().any(|g| matches!(g, Guard::InRange(i, n) if i == index && *n <= extent));
            if !inside && !guarded {
                clamp = Some(layout.size as i64 - 1);
                for (v, d) in doubtful.iter_mut().enumerate() {
                    *d |= dependence(index, v) != Use::None;
                }
            }
            let index = self.lower(index);
            offset = offset.plus(&index, layout.strides[axis]);
        }
        Access { slot, offset, clamp, doubtful }
    }

    fn access(&mut self, t: NodeId, at: &[Index], guards: &[Guard]) -> usize {
        let a = self.place(t, at, guards);
        self.intern(a)
    }

    fn intern(&mut self, a: Access) -> usize {
        self.accesses.iter().position(|x| *x == a).unwrap_or_else(|| {
            self.accesses.push(a);
            self.accesses.len() - 1
        })
    }

    fn declare(&mut self, slot: usize, dtype: DType, written: bool) {
        while self.slots.len() <= slot {
            self.slots.push(Slot { int: false, written: false });
            self.limits.push(0);
        }
        self.slots[slot].int |= dtype == DType::Int;
        self.slots[slot].written |= written;
    }

    /// Stores a value at `at` of the tensor `layout`, which is passed as `slot`.
    pub fn store(&mut self, slot: usize, layout: &Layout, dtype: DType, at: &[Index], base: i64, value: u32) {
        self.declare(slot, dtype, true);
        self.limits[slot] = layout.size as i64 - 1;
        let mut offset = Index::constant(base);
        for (axis, index) in at.iter().enumerate() {
            let index = self.lower(index);
            offset = offset.plus(&index, layout.strides[axis]);
        }
        let doubtful = vec![false; self.extents.len()];
        self.accesses.push(Access { slot, offset, clamp: None, doubtful });
        self.stores.push((self.accesses.len() - 1, value));
        self.padded = layout.padded.filter(|&a| at[a].as_var() == Some(a) && a < self.outputs);
    }

    /// Orders, merges and vectorizes the loops.
    pub fn finish(mut self, mut fold: Fold) -> Nest {
        if !self.lanes {
            // Padding is left alone, and rows without a gap are as good as one long row.
            self.padded = None;
        }
        // Before vectors are chosen: three short axes may make a long one.
        let mut outputs = self.outputs;
        self.merge(&mut outputs, &mut None, &mut fold);
        self.outputs = outputs;
        let vector = if self.lanes { self.choose_vector(&fold) } else { None };
        if let (Some(v), Some(p)) = (vector, self.padded)
            && v == p
        {
            self.pad(v);
        }
        self.padded = None;
        let order = self.order(vector, &fold);
        self.renumber(&order, &mut fold);
        let mut outputs = order.iter().filter(|&&v| v < self.outputs).count();
        let mut vector = vector.and_then(|v| order.iter().position(|&x| x == v));
        self.merge(&mut outputs, &mut vector, &mut fold);
        let weight: usize = self.body.iter().map(weight).sum();
        let unroll = match weight {
            0..=14 => 4,
            15..=40 => 2,
            _ => 1,
        };
        let unroll = vector.map_or(1, |v| {
            let whole = self.extents[v].div_ceil(4).max(1);
            [unroll, 2, 1].into_iter().find(|&u| u <= unroll && whole >= u).unwrap_or(1)
        });
        Nest {
            extents: self.extents,
            outputs,
            vector,
            unroll,
            slots: self.slots,
            accesses: self.accesses,
            guards: self.guards,
            body: self.body,
            fold,
            stores: self.stores,
        }
    }

    fn in_guards(&self, v: usize) -> bool {
        self.guards.iter().any(|g| dependence(g.index(), v) != Use::None)
    }

    /// The variable along which vectors cost least, by a rough count of instructions for four elements.
    fn choose_vector(&self, fold: &Fold) -> Option<usize> {
        if *fold == Fold::Scatter {
            return None;
        }
        let cost = |v: usize| -> f64 {
            let reads: f64 = self
                .body
                .iter()
                .map(|e| match e {
                    Expr::Read(a) => {
                        let a = &self.accesses[*a];
                        match dependence(&a.offset, v) {
                            Use::None => 0.3,
                            Use::Linear(1) if a.clamp.is_none() || !a.doubtful[v] => 1.0,
                            Use::Linear(_) => 6.0,
                            Use::Other => 10.0,
                        }
                    }
                    Expr::Index(i) if dependence(i, v) != Use::None => 5.0,
                    Expr::Test(g) if super::point::compared(g, v).is_some() => 2.0,
                    Expr::Test(g) if dependence(g.index(), v) != Use::None => 10.0,
                    e => 0.5 * weight(e) as f64,
                })
                .sum();
            reads + 1.0
        };
        let mut best = (4.0 * self.body.iter().map(|e| 0.6 * weight(e).max(1) as f64).sum::<f64>() + 4.0, None);
        for v in 0..self.extents.len() {
            let extent = self.extents[v];
            if self.in_guards(v) {
                continue;
            }
            let c = if v < self.outputs {
                let contiguous =
                    self.stores.iter().all(|(a, _)| dependence(&self.accesses[*a].offset, v) == Use::Linear(1));
                if !contiguous || (extent < 4 && self.padded != Some(v)) {
                    continue;
                }
                cost(v)
            } else {
                if !matches!(fold, Fold::Reduce(_)) || extent < 4 {
                    continue;
                }
                cost(v) + 20.0 / (extent as f64 / 4.0)
            };
            if c < best.0 {
                best = (c, Some(v));
            }
        }
        best.1
    }

    /// Lets the vector loop run over the padding of its rows.
    fn pad(&mut self, v: usize) {
        let extent = self.extents[v];
        let padded = [4, 8].into_iter().find(|&p| extent <= p).unwrap_or(extent.next_multiple_of(ROW));
        if padded == extent {
            return;
        }
        self.extents[v] = padded;
        let sizes = std::mem::take(&mut self.limits);
        // Past the extent, whatever does not walk along a row may leave its tensor.
        for a in &mut self.accesses {
            if dependence(&a.offset, v) == Use::Other || matches!(dependence(&a.offset, v), Use::Linear(c) if c != 1) {
                a.clamp = a.clamp.or(Some(sizes[a.slot]));
                a.doubtful[v] = true;
            }
            clamp_loads(&mut a.offset, v, &sizes);
        }
        for e in &mut self.body {
            match e {
                Expr::Index(i) | Expr::Test(Guard::InRange(i, _) | Guard::Zero(i)) => clamp_loads(i, v, &sizes),
                _ => {}
            }
        }
    }

    /// The loops, outermost first; loops of one iteration are left out.
    fn order(&self, vector: Option<usize>, fold: &Fold) -> Vec<usize> {
        let keep = |v: &usize| self.extents[*v] > 1 || Some(*v) == vector;
        let stride = |a: &Access, v: usize| match dependence(&a.offset, v) {
            Use::Linear(c) => c.abs(),
            Use::None | Use::Other => 0,
        };
        let mut out: Vec<usize> = (0..self.outputs).filter(keep).collect();
        if let Some((a, _)) = self.stores.first() {
            out.sort_by_key(|&v| (Some(v) == vector, -stride(&self.accesses[*a], v)));
        }
        let mut inner: Vec<usize> = (self.outputs..self.extents.len()).filter(keep).collect();
        if matches!(fold, Fold::Reduce(_)) {
            let far = |v: usize| self.accesses.iter().map(|a| stride(a, v)).max().unwrap_or(0);
            inner.sort_by_key(|&v| (Some(v) == vector, -far(v)));
        }
        out.extend(inner);
        out
    }

    /// A variable is 0 everywhere, and those after it move up.
    fn drop_variable(&mut self, a: usize, fold: &mut Fold) {
        self.accesses.iter_mut().for_each(|x| without(&mut x.offset, a));
        for g in &mut self.guards {
            match g {
                Guard::InRange(i, _) | Guard::Zero(i) => without(i, a),
            }
        }
        for e in &mut self.body {
            match e {
                Expr::Index(i) | Expr::Test(Guard::InRange(i, _) | Guard::Zero(i)) => without(i, a),
                _ => {}
            }
        }
        if let Fold::Arg(_, i) = fold {
            without(i, a);
        }
    }

    /// Every index in terms of the new loop numbers.
    fn renumber(&mut self, order: &[usize], fold: &mut Fold) {
        if order.len() == self.extents.len() && order.iter().enumerate().all(|(k, &v)| k == v) {
            return;
        }
        let map: Vec<Index> = (0..self.extents.len())
            .map(|v| order.iter().position(|&x| x == v).map_or(Index::constant(0), Index::var))
            .collect();
        self.substitute(fold, &map);
        self.extents = order.iter().map(|&v| self.extents[v]).collect();
        for a in &mut self.accesses {
            a.doubtful = order.iter().map(|&v| a.doubtful[v]).collect();
        }
    }

    fn substitute(&mut self, fold: &mut Fold, map: &[Index]) {
        let sub = |i: &mut Index| *i = i.substitute(&mut |v| map[v].clone());
        self.accesses.iter_mut().for_each(|a| sub(&mut a.offset));
        for g in &mut self.guards {
            *g = g.substitute(&mut |v| map[v].clone());
        }
        for e in &mut self.body {
            match e {
                Expr::Index(i) => sub(i),
                Expr::Test(g) => *g = g.substitute(&mut |v| map[v].clone()),
                _ => {}
            }
        }
        if let Fold::Arg(_, i) = fold {
            sub(i);
        }
    }

    /// Makes one loop of neighbours that every access walks through as if they were one.
    fn merge(&mut self, outputs: &mut usize, vector: &mut Option<usize>, fold: &mut Fold) {
        let mut b = self.extents.len();
        while b > 1 {
            b -= 1;
            let a = b - 1;
            let rows = self.padded.is_some_and(|p| p == a || p == b);
            if b == *outputs || rows || self.rigid(a, fold) || self.rigid(b, fold) {
                continue;
            }
            let extent = self.extents[b] as i64;
            let coefficient = |x: &Access, v| match dependence(&x.offset, v) {
                Use::Linear(c) => c,
                Use::None | Use::Other => 0,
            };
            if self.accesses.iter().any(|x| coefficient(x, a) != coefficient(x, b) * extent) {
                continue;
            }
            self.drop_variable(a, fold);
            self.extents[b] *= self.extents[a];
            self.extents.remove(a);
            for x in &mut self.accesses {
                x.doubtful.remove(a);
            }
            *outputs -= usize::from(a < *outputs);
            self.padded = self.padded.map(|p| p - usize::from(p > a));
            if let Some(v) = vector
                && *v > a
            {
                *v -= 1;
            }
        }
    }

    /// Whether more than linear offsets depend on a variable.
    fn rigid(&self, v: usize, fold: &Fold) -> bool {
        self.in_guards(v)
            || matches!(fold, Fold::Arg(_, i) if dependence(i, v) != Use::None)
            || self.accesses.iter().any(|a| a.doubtful[v] || dependence(&a.offset, v) == Use::Other)
            || self.body.iter().any(|e| match e {
                Expr::Index(i) => dependence(i, v) != Use::None,
                Expr::Test(g) => dependence(g.index(), v) != Use::None,
                _ => false,
            })
    }
}

/// The index where variable `a` is 0 and those after it have moved up.
fn without(index: &mut Index, a: usize) {
    index.terms.retain_mut(|(atom, _)| match atom {
        Atom::Var(v) if usize::from(*v) == a => false,
        Atom::Var(v) => {
            *v -= u8::from(usize::from(*v) > a);
            true
        }
        Atom::Div(i, _) | Atom::Mod(i, _) => {
            without(i, a);
            true
        }
        Atom::Load(_, at) => {
            at.iter_mut().for_each(|i| without(i, a));
            true
        }
    });
}

/// Clamps integer loads that depend on a variable whose loop leaves its extent.
fn clamp_loads(index: &mut Index, v: usize, limits: &[i64]) {
    let mut out = Index::constant(index.constant);
    for (atom, c) in &index.terms {
        let mut atom = atom.clone();
        match &mut atom {
            Atom::Var(_) => {}
            Atom::Div(i, _) | Atom::Mod(i, _) => clamp_loads(i, v, limits),
            Atom::Load(slot, at) => {
                for i in at.iter_mut() {
                    clamp_loads(i, v, limits);
                }
                if at.len() == 1 && dependence(&at[0], v) != Use::None {
                    at.push(Index::constant(limits[slot.0 as usize]));
                }
            }
        }
        out = out.plus(&Index::atom(atom), *c);
    }
    *index = out;
}

/// Roughly how many instructions an operation is, which bounds how far a loop is unrolled.
fn weight(e: &Expr) -> usize {
    match e {
        Expr::Const(_) => 0,
        Expr::Read(_) | Expr::Index(_) => 1,
        Expr::Test(_) | Expr::Select(..) | Expr::Compare(..) => 2,
        Expr::Unary(op, _) => match op {
            UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Not | UnaryOp::Floor => 1,
            UnaryOp::Sqrt | UnaryOp::Rsqrt => 4,
            UnaryOp::Exp | UnaryOp::Sigmoid => 15,
            UnaryOp::Log | UnaryOp::Tanh => 25,
            UnaryOp::Erf => 35,
            UnaryOp::Sin | UnaryOp::Cos | UnaryOp::Tan | UnaryOp::Asin | UnaryOp::Acos | UnaryOp::Atan => 60,
        },
        Expr::Binary(op, ..) => match op {
            BinaryOp::Pow => 20,
            BinaryOp::Max | BinaryOp::Min | BinaryOp::Div => 3,
            _ => 1,
        },
    }
}
