//! From a [`Nest`] to machine code: loops and addresses. What happens at a point is in [`super::point`].
//!
//! Addresses advance level by level: each access keeps the part of its address that the loops entered so far
//! decide, so that the innermost loop adds at most one term (and Cranelift moves what is invariant outwards). A guard
//! that is affine in the innermost of its variables clips that variable's loop and is never tested; another guard is
//! tested once, where its last variable becomes known.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{BlockArg, InstBuilder, MemFlagsData, Value, types};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, Variable};

use super::nest::{Fold, Nest, Use, dependence, innermost, level};
use crate::graph::{Atom, Guard, Index};

/// How many elements of the vector loop are computed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// One.
    Scalar,
    /// That many vectors of four.
    Vectors(usize),
}

/// The address of an access as far as it is known: in bytes with the base, or, where it is to be clamped, in
/// elements without.
#[derive(Clone, Debug)]
pub(super) enum Address {
    /// The same for all lanes, or that of the first of consecutive ones.
    One(Value),
    /// One for each lane.
    Lanes(Vec<Value>),
}

/// An end of a loop.
#[derive(Clone, Copy)]
enum Bound {
    Const(i64),
    Known(Value),
}

pub(super) struct Gen<'a, 'f> {
    pub b: FunctionBuilder<'f>,
    pub nest: &'a Nest,
    pub fma: bool,
    pub convention: CallConv,
    bases: Vec<Value>,
    vars: Vec<Option<Value>>,
    pub lanes: Vec<Value>,
    pub addresses: Vec<Address>,
    pub width: Width,
    /// Accumulators; of `Arg`, the best values and then their indices.
    pub vectors: Vec<Variable>,
    pub scalars: Vec<Variable>,
    pub count: Option<Variable>,
}

/// Fills the function under construction with the code of the nest. It takes one argument, a table of base pointers.
pub fn generate(
    b: FunctionBuilder<'_>,
    nest: &Nest,
    fma: bool,
    convention: CallConv,
    finish: impl FnOnce(FunctionBuilder<'_>),
) {
    let mut g = Gen {
        b,
        nest,
        fma,
        convention,
        bases: Vec::new(),
        vars: vec![None; nest.extents.len()],
        lanes: Vec::new(),
        addresses: Vec::new(),
        width: Width::Scalar,
        vectors: Vec::new(),
        scalars: Vec::new(),
        count: None,
    };
    let entry = g.b.create_block();
    g.b.append_block_params_for_function_params(entry);
    g.b.switch_to_block(entry);
    g.b.seal_block(entry);
    let table = g.b.block_params(entry)[0];
    let flags = MemFlagsData::trusted().with_readonly().with_can_move();
    for slot in 0..nest.slots.len() {
        let base = g.b.ins().load(types::I64, flags, table, slot as i32 * 8);
        g.bases.push(base);
    }
    for a in &nest.accesses {
        let mut at = if a.clamp.is_some() {
            g.b.ins().iconst(types::I64, a.offset.constant)
        } else {
            let base = g.bases[a.slot];
            g.add(base, a.offset.constant * 4)
        };
        for (atom, c) in a.offset.terms.iter().filter(|(t, _)| innermost(t).is_none()) {
            let x = g.atom(atom, None);
            at = g.add_scaled(at, x, if a.clamp.is_some() { *c } else { *c * 4 });
        }
        g.addresses.push(Address::One(at));
    }
    g.output_loops(0);
    g.b.ins().return_(&[]);
    finish(g.b);
}

impl Gen<'_, '_> {
    /// Lanes of the current width.
    pub fn lane_count(&self) -> usize {
        match self.width {
            Width::Scalar => 1,
            Width::Vectors(n) => 4 * n,
        }
    }

    /// The loop variable along which lanes lie now.
    pub fn along(&self) -> Option<usize> {
        match self.width {
            Width::Scalar => None,
            Width::Vectors(_) => self.nest.vector,
        }
    }

    fn output_loops(&mut self, k: usize) {
        if k < self.nest.outputs {
            self.a_loop(k, &mut |g| g.output_loops(k + 1));
        } else if self.nest.fold == Fold::None {
            self.elementwise();
        } else {
            self.reduction();
        }
    }

    fn reduction(&mut self) {
        let vector_inside = self.nest.vector.is_some_and(|v| v >= self.nest.outputs);
        self.begin(vector_inside);
        let done = self.b.create_block();
        let nest = self.nest;
        for g in nest.guards.iter().filter(|g| level(g.index()).is_none_or(|l| l < nest.outputs)) {
            let holds = self.test(g, None);
            let next = self.b.create_block();
            self.b.ins().brif(holds, next, &[], done, &[]);
            self.b.switch_to_block(next);
            self.b.seal_block(next);
        }
        self.reduction_loops(self.nest.outputs);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.b.seal_block(done);
        self.end(vector_inside);
    }

    fn reduction_loops(&mut self, k: usize) {
        if k < self.nest.extents.len() {
            self.a_loop(k, &mut |g| g.reduction_loops(k + 1));
        } else {
            self.accumulate();
        }
    }

    /// The loop of level `k` around `inner`.
    fn a_loop(&mut self, k: usize, inner: &mut dyn FnMut(&mut Self)) {
        let extent = self.nest.extents[k] as i64;
        if self.nest.vector == Some(k) {
            let outer = self.width;
            let block = 4 * self.nest.unroll as i64;
            let (blocks, vectors) = (extent / block * block, extent / 4 * 4);
            if blocks > 0 {
                self.width = Width::Vectors(self.nest.unroll);
                self.counted(k, Bound::Const(0), Bound::Const(blocks), block, &[], inner);
            }
            if vectors > blocks {
                self.width = Width::Vectors(1);
                self.counted(k, Bound::Const(blocks), Bound::Const(vectors), 4, &[], inner);
            }
            self.width = Width::Scalar;
            if extent > vectors {
                self.counted(k, Bound::Const(vectors), Bound::Const(extent), 1, &[], inner);
            }
            self.width = outer;
            return;
        }
        let (mut lo, mut hi) = (Bound::Const(0), Bound::Const(extent));
        let mut tests = Vec::new();
        let nest = self.nest;
        if k >= nest.outputs {
            for g in nest.guards.iter().filter(|g| level(g.index()) == Some(k)) {
                if !self.clip(k, g, &mut lo, &mut hi) {
                    tests.push(g);
                }
            }
        }
        self.counted(k, lo, hi, 1, &tests, inner);
    }

    /// Narrows a loop to where the guard holds, if it is affine in the loop's variable.
    fn clip(&mut self, k: usize, guard: &Guard, lo: &mut Bound, hi: &mut Bound) -> bool {
        let (mut index, mut first, mut end) = match guard {
            Guard::InRange(i, n) => (i, 0, *n as i64),
            Guard::Zero(i) => (i, 0, 1),
        };
        // first <= j / n + c < end is (first - c) * n <= j < (end - c) * n.
        while let [(Atom::Div(j, n), 1)] = index.terms.as_slice() {
            (first, end) = ((first - index.constant) * n, (end - index.constant) * n);
            index = j;
        }
        let Use::Linear(c) = dependence(index, k) else { return false };
        let rest = index.plus(&Index::var(k), -c);
        // The first x with c * x + rest >= m, for positive c; and the first with c * x + rest < m, else.
        let (from, to) = if c > 0 { (first, end) } else { (end - 1, first - 1) };
        let bound = |g: &mut Self, m: i64| match rest.as_constant() {
            Some(r) if c > 0 => Bound::Const((m - r + c - 1).div_euclid(c)),
            Some(r) => Bound::Const((r - m - c - 1).div_euclid(-c)),
            None => {
                let x = if c > 0 {
                    rest.times(-1).plus(&Index::constant(m + c - 1), 1)
                } else {
                    rest.plus(&Index::constant(-m - c - 1), 1)
                };
                let lowest = x.bounds(&g.nest.extents).0;
                let x = g.index(&x, None);
                Bound::Known(g.floor_div(x, c.abs(), lowest))
            }
        };
        let (from, to) = (bound(self, from), bound(self, to));
        *lo = self.later(*lo, from, true);
        *hi = self.later(*hi, to, false);
        true
    }

    fn later(&mut self, a: Bound, b: Bound, max: bool) -> Bound {
        if let (Bound::Const(x), Bound::Const(y)) = (a, b) {
            return Bound::Const(if max { x.max(y) } else { x.min(y) });
        }
        let (a, b) = (self.bound(a), self.bound(b));
        Bound::Known(if max { self.b.ins().smax(a, b) } else { self.b.ins().smin(a, b) })
    }

    fn bound(&mut self, b: Bound) -> Value {
        match b {
            Bound::Const(c) => self.b.ins().iconst(types::I64, c),
            Bound::Known(v) => v,
        }
    }

    /// `for k in (lo..hi).step_by(step)` around `inner`, where all tests hold.
    fn counted(
        &mut self,
        k: usize,
        lo: Bound,
        hi: Bound,
        step: i64,
        tests: &[&Guard],
        inner: &mut dyn FnMut(&mut Self),
    ) {
        let trips = match (lo, hi) {
            (Bound::Const(a), Bound::Const(b)) if b <= a => return,
            (Bound::Const(a), Bound::Const(b)) => Some((b - a + step - 1) / step),
            _ => None,
        };
        let start = self.bound(lo);
        if trips == Some(1) {
            self.iteration(k, start, tests, inner);
            return;
        }
        let (body, exit) = (self.b.create_block(), self.b.create_block());
        let i = self.b.append_block_param(body, types::I64);
        let end = self.bound(hi);
        if trips.is_some() {
            self.b.ins().jump(body, &[BlockArg::Value(start)]);
        } else {
            let some = self.b.ins().icmp(IntCC::SignedLessThan, start, end);
            self.b.ins().brif(some, body, &[BlockArg::Value(start)], exit, &[]);
        }
        self.b.switch_to_block(body);
        self.iteration(k, i, tests, inner);
        let next = self.b.ins().iadd_imm_s(i, step);
        let more = self.b.ins().icmp(IntCC::SignedLessThan, next, end);
        self.b.ins().brif(more, body, &[BlockArg::Value(next)], exit, &[]);
        self.b.seal_block(body);
        self.b.switch_to_block(exit);
        self.b.seal_block(exit);
    }

    fn iteration(&mut self, k: usize, i: Value, tests: &[&Guard], inner: &mut dyn FnMut(&mut Self)) {
        self.vars[k] = Some(i);
        let outer_lanes = self.lanes.len();
        if self.along() == Some(k) {
            for lane in 0..self.lane_count() {
                let x = self.add(i, lane as i64);
                self.lanes.push(x);
            }
        }
        let skip = (!tests.is_empty()).then(|| self.b.create_block());
        for g in tests {
            let holds = self.test(g, None);
            let next = self.b.create_block();
            self.b.ins().brif(holds, next, &[], skip.expect("made above"), &[]);
            self.b.switch_to_block(next);
            self.b.seal_block(next);
        }
        let outer = self.addresses.clone();
        self.advance(k);
        inner(self);
        self.addresses = outer;
        if let Some(skip) = skip {
            self.b.ins().jump(skip, &[]);
            self.b.switch_to_block(skip);
            self.b.seal_block(skip);
        }
        self.lanes.truncate(outer_lanes);
        self.vars[k] = None;
    }

    /// Adds the terms that variable `k` decides to all addresses.
    fn advance(&mut self, k: usize) {
        let nest = self.nest;
        for (n, a) in nest.accesses.iter().enumerate() {
            if self.lanewise(n) && self.along() == Some(k) {
                let Address::One(at) = self.addresses[n] else { unreachable!("lanes begin at the vector loop") };
                self.addresses[n] = Address::Lanes(vec![at; self.lane_count()]);
            }
            let scale = if a.clamp.is_some() { 1 } else { 4 };
            for (atom, c) in a.offset.terms.iter().filter(|(t, _)| innermost(t) == Some(k)) {
                let per_lane = self.along().is_some_and(|v| dependence(&Index::atom(atom.clone()), v) != Use::None);
                self.addresses[n] = match self.addresses[n].clone() {
                    Address::One(at) => {
                        let x = self.atom(atom, None);
                        Address::One(self.add_scaled(at, x, c * scale))
                    }
                    Address::Lanes(mut all) => {
                        let shared = (!per_lane).then(|| {
                            let x = self.atom(atom, None);
                            self.scaled(x, c * scale)
                        });
                        for (lane, at) in all.iter_mut().enumerate() {
                            let x = shared.unwrap_or_else(|| {
                                let x = self.atom(atom, Some(lane));
                                self.scaled(x, c * scale)
                            });
                            *at = self.b.ins().iadd(*at, x);
                        }
                        Address::Lanes(all)
                    }
                };
            }
        }
    }

    /// Whether an access has an address of its own for every lane.
    pub fn lanewise(&self, access: usize) -> bool {
        let a = &self.nest.accesses[access];
        self.along().is_some_and(|v| match dependence(&a.offset, v) {
            Use::None => false,
            Use::Linear(1) => a.clamp.is_some() && a.doubtful[v],
            Use::Linear(_) | Use::Other => true,
        })
    }

    /// The final address of an access, of one lane or of all.
    pub fn pointer(&mut self, access: usize, at: Value) -> Value {
        let a = &self.nest.accesses[access];
        match a.clamp {
            None => at,
            Some(limit) => self.clamped(a.slot, at, limit),
        }
    }

    fn clamped(&mut self, slot: usize, offset: Value, limit: i64) -> Value {
        let zero = self.b.ins().iconst(types::I64, 0);
        let limit = self.b.ins().iconst(types::I64, limit);
        let offset = self.b.ins().smax(offset, zero);
        let offset = self.b.ins().smin(offset, limit);
        let base = self.bases[slot];
        self.add_scaled(base, offset, 4)
    }

    /// Loads from a slot that the kernel does not write are pure, and move freely.
    pub fn load_flags(&self, slot: usize) -> MemFlagsData {
        let flags = MemFlagsData::new().with_notrap();
        if self.nest.slots[slot].written { flags } else { flags.with_readonly().with_can_move() }
    }

    fn add(&mut self, a: Value, c: i64) -> Value {
        if c == 0 { a } else { self.b.ins().iadd_imm_s(a, c) }
    }

    fn scaled(&mut self, x: Value, c: i64) -> Value {
        match c {
            1 => x,
            c if c > 0 && c.count_ones() == 1 => {
                let shift = self.b.ins().iconst(types::I64, i64::from(c.trailing_zeros()));
                self.b.ins().ishl(x, shift)
            }
            c => self.b.ins().imul_imm_s(x, c),
        }
    }

    fn add_scaled(&mut self, a: Value, x: Value, c: i64) -> Value {
        let x = self.scaled(x, c);
        self.b.ins().iadd(a, x)
    }

    /// `floor(x / n)`, where `x >= lowest`.
    fn floor_div(&mut self, x: Value, n: i64, lowest: i64) -> Value {
        if n.count_ones() == 1 {
            let shift = self.b.ins().iconst(types::I64, i64::from(n.trailing_zeros()));
            return self.b.ins().sshr(x, shift);
        }
        let up = if lowest < 0 { (-lowest + n - 1) / n } else { 0 };
        let x = self.add(x, up * n);
        let q = self.b.ins().udiv_imm_s(x, n);
        self.add(q, -up)
    }

    fn floor_mod(&mut self, x: Value, n: i64, lowest: i64) -> Value {
        if n.count_ones() == 1 {
            let mask = self.b.ins().iconst(types::I64, n - 1);
            return self.b.ins().band(x, mask);
        }
        let up = if lowest < 0 { (-lowest + n - 1) / n } else { 0 };
        let x = self.add(x, up * n);
        self.b.ins().urem_imm_s(x, n)
    }

    /// The value of an index, in one lane or outside of lanes.
    pub fn index(&mut self, index: &Index, lane: Option<usize>) -> Value {
        let mut sum = None;
        for (atom, c) in &index.terms {
            let x = self.atom(atom, lane);
            let x = self.scaled(x, *c);
            sum = Some(match sum {
                None => x,
                Some(s) => self.b.ins().iadd(s, x),
            });
        }
        match sum {
            None => self.b.ins().iconst(types::I64, index.constant),
            Some(s) => self.add(s, index.constant),
        }
    }

    fn atom(&mut self, atom: &Atom, lane: Option<usize>) -> Value {
        match atom {
            Atom::Var(v) => {
                let v = *v as usize;
                match lane {
                    Some(l) if self.along() == Some(v) => self.lanes[l],
                    _ => self.vars[v].expect("a variable is used inside of its loop"),
                }
            }
            Atom::Div(i, n) => {
                let lowest = i.bounds(&self.nest.extents).0;
                let x = self.index(i, lane);
                self.floor_div(x, *n, lowest)
            }
            Atom::Mod(i, n) => {
                let lowest = i.bounds(&self.nest.extents).0;
                let x = self.index(i, lane);
                self.floor_mod(x, *n, lowest)
            }
            Atom::Load(slot, at) => {
                let slot = slot.0 as usize;
                let offset = self.index(&at[0], lane);
                let place = if let Some(limit) = at.get(1) {
                    self.clamped(slot, offset, limit.constant)
                } else {
                    let base = self.bases[slot];
                    self.add_scaled(base, offset, 4)
                };
                let flags = self.load_flags(slot);
                let x = self.b.ins().load(types::I32, flags, place, 0);
                self.b.ins().sextend(types::I64, x)
            }
        }
    }

    /// Four integers side by side, the first of them at a lane's place.
    pub fn load_integers(&mut self, slot: usize, at: &Index, lane: usize) -> Value {
        let offset = self.index(at, Some(lane));
        let base = self.bases[slot];
        let place = self.add_scaled(base, offset, 4);
        let flags = self.load_flags(slot);
        self.b.ins().load(types::I32X4, flags, place, 0)
    }

    /// Whether a guard holds, as an `I8`.
    pub fn test(&mut self, guard: &Guard, lane: Option<usize>) -> Value {
        match guard {
            Guard::InRange(i, n) => {
                let x = self.index(i, lane);
                self.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, x, *n as i64)
            }
            Guard::Zero(i) => {
                let x = self.index(i, lane);
                self.b.ins().icmp_imm_s(IntCC::Equal, x, 0)
            }
        }
    }
}
