//! Contractions: sums of a product of two reads, which are most of the arithmetic of any network.
//!
//! Two forms are recognized, both by how the loops' variables occur, not by any name of a layer:
//!
//! - *Rows*: `out[o, p, n] = sum[t] w[o, weight(p, t)] * x[place(p, t), n]`, where `n` is contiguous. Dense, strided,
//!   dilated and grouped convolution, linear layers, and all data gradients: weight and place may be any functions of
//!   `p` and `t`, and guards may drop any pairs of them.
//! - *Dots*: `out[o, c, t] = sum[p, n] a[o, p, n] * b[c, place(p, t), n]`: all weight gradients.
//!
//! Either may have further output loops around it, on which all operands depend (groups, depthwise channels). The
//! places are tabulated when the kernel is made. Positions whose table is the same up to its start share it:
//! a padded 3×3 window has nine tables, and no test is left in the loops.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::ops::Range;

use super::layout::{Layout, ROW};
use super::nest::{Use, dependence, hash_key};
use super::team::Share;
use crate::graph::{Atom, Guard, Index};

/// The loops of a contraction: all that its tables depend on.
#[derive(Clone, Debug, Hash)]
pub struct Contraction {
    form: Form,
    /// Output axes, then reduction axes.
    extents: Vec<usize>,
    outputs: usize,
    /// The loop over examples.
    lane: usize,
    /// Of `out`, of `x` or `b`, and of `w` or `a`.
    offsets: [Index; 3],
    guards: Vec<Guard>,
    /// Elements of a row, without and with its padding.
    row: (usize, usize),
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
enum Form {
    Rows,
    Dots,
    Windows,
}

/// A sum of products as the scheduler sees it.
#[derive(Clone)]
pub struct Product<'a> {
    /// Extents of the output axes and of the reduction axes.
    pub extents: Vec<usize>,
    /// How many of them are output axes.
    pub outputs: usize,
    /// All must hold.
    pub guards: Vec<Guard>,
    /// The result.
    pub out: &'a Layout,
    /// Where it is written.
    pub at: Vec<Index>,
    /// The factors and where they are read.
    pub factors: [(&'a Layout, Vec<Index>); 2],
}

impl Product<'_> {
    /// A variable that is divided in an index becomes two: `v = d * g + o`, where `v / d` is `g`.
    fn split(mut self) -> Option<Self> {
        let divided = |i: &Index| {
            i.terms.iter().find_map(|(atom, _)| match atom {
                Atom::Div(j, d) | Atom::Mod(j, d) => j.as_var().map(|v| (v, *d as usize)),
                Atom::Var(_) | Atom::Load(..) => None,
            })
        };
        let (v, d) =
            self.factors.iter().flat_map(|f| &f.1).chain(self.guards.iter().map(Guard::index)).find_map(divided)?;
        if !self.extents[v].is_multiple_of(d) {
            return None;
        }
        self.extents[v] /= d;
        self.extents.insert(v + 1, d);
        self.outputs += usize::from(v < self.outputs);
        let mut map = |x: usize| match x.cmp(&v) {
            std::cmp::Ordering::Less => Index::var(x),
            std::cmp::Ordering::Equal => Index::var(v).times(d as i64).plus(&Index::var(v + 1), 1),
            std::cmp::Ordering::Greater => Index::var(x + 1),
        };
        let mut sub = |i: &Index| tidy(&i.substitute(&mut map), &self.extents);
        self.at = self.at.iter().map(&mut sub).collect();
        self.factors = self.factors.map(|(layout, at)| (layout, at.iter().map(&mut sub).collect()));
        self.guards = self
            .guards
            .iter()
            .map(|g| match g {
                Guard::InRange(i, n) => Guard::InRange(sub(i), *n),
                Guard::Zero(i) => Guard::Zero(sub(i)),
            })
            .collect();
        Some(self)
    }
}

/// Divisions that the extents decide are carried out.
fn tidy(index: &Index, extents: &[usize]) -> Index {
    let mut out = Index::constant(index.constant);
    for (atom, c) in &index.terms {
        let value = match atom {
            Atom::Div(i, n) | Atom::Mod(i, n) => {
                let i = tidy(i, extents);
                let (lo, hi) = i.bounds(extents);
                let q = lo.div_euclid(*n);
                match atom {
                    Atom::Div(..) if q == hi.div_euclid(*n) => Index::constant(q),
                    Atom::Div(..) => i.div(*n),
                    _ if q == hi.div_euclid(*n) => i.plus(&Index::constant(q * n), -1),
                    _ => i.rem(*n),
                }
            }
            Atom::Var(_) | Atom::Load(..) => Index::atom(atom.clone()),
        };
        out = out.plus(&value, *c);
    }
    out
}

/// One term of a sum of rows: from the position's first element, and the number of its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tap {
    /// Elements.
    pub x: i32,
    /// Number of the weight.
    pub t: u32,
}

/// One position of a sum of rows.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Start of the table in `x`.
    pub x: i64,
    /// Place in `out`.
    pub out: i64,
    /// The table: a range of [`Rows::taps`].
    pub taps: (usize, usize),
}

/// Tables of a *rows* contraction; all offsets are in elements.
#[derive(Debug)]
pub struct Rows {
    /// Of each outer iteration: in `x`, in `w`, in `out`.
    pub outer: Vec<(i64, i64, i64)>,
    /// Of each output channel: in `w`, in `out`.
    pub channels: Vec<(i64, i64)>,
    /// Of each weight of a channel: in `w`.
    pub weights: Vec<i64>,
    /// Tables of terms.
    pub taps: Vec<Tap>,
    /// All positions.
    pub positions: Vec<Position>,
    /// Elements of a row, with padding.
    pub row: usize,
    /// Whether each row of `x` belongs to one position: as many streams through memory as there are terms.
    pub streams: bool,
}

impl Rows {
    /// Elements that the packed weights of one outer iteration take.
    pub fn packed(&self) -> usize {
        self.channels.len() * self.weights.len()
    }

    /// What a thread does of the outer iterations and of the positions.
    pub fn shares(&self, share: Share) -> (Range<usize>, Range<usize>) {
        if share.divides(self.outer.len(), 1) {
            (share.of(self.outer.len(), 1), 0..self.positions.len())
        } else {
            (0..self.outer.len(), share.of(self.positions.len(), 1))
        }
    }

    /// Multiplications and additions, those in the padding of rows included.
    pub fn flops(&self) -> u64 {
        let terms: usize = self.positions.iter().map(|p| p.taps.1 - p.taps.0).sum();
        2 * (terms * self.outer.len() * self.channels.len() * self.row) as u64
    }
}

/// How a *dots* contraction runs as sums of outer products: lanes lie along `left`, and what is summed has no lanes.
#[derive(Debug)]
pub struct Outer {
    /// Of each `c`, from the result's first lane: in `out` where the `left` channels are neighbours there and fill whole
    /// vectors, else in the part of the scratch that is rearranged in the end.
    pub columns: Vec<i64>,
    /// Elements of a row of the scratch; 0 where results go to `out` at once.
    pub width: usize,
}

/// Tables of a *dots* contraction.
#[derive(Debug)]
pub struct Dots {
    /// Whether `a` and `b` changed places, so that lanes lie along what was `right`.
    pub swapped: bool,
    /// Given where there are enough channels on both sides.
    pub products: Option<Outer>,
    /// Where there are not: positions by the rows of `b` that they need.
    pub classes: Vec<Class>,
    /// Of each result of a channel of `left`: in `out`.
    pub places: Vec<i64>,
    /// So many positions are summed before the next channels' turn: their rows fit the first-level cache.
    pub together: usize,
    /// Of each outer iteration: in `b`, in `a`, in `out`.
    pub outer: Vec<(i64, i64, i64)>,
    /// Of each `o`: in `a`, in `out`.
    pub left: Vec<(i64, i64)>,
    /// Of each `c`: in `b`, in `out`.
    pub right: Vec<(i64, i64)>,
    /// Of each `t`: in `out`.
    pub taps: Vec<i64>,
    /// Parts of the sum whose rows fit the cache together.
    pub chunks: Vec<Chunk>,
    /// Places for packed rows of `a` and of `b`.
    pub packed_rows: (usize, usize),
    /// Elements of a row, without padding.
    pub row: usize,
}

/// Offsets with the numbers of results.
pub type Columns = Vec<(i64, u32)>;

/// Positions that need the same rows of `b`, seen from where they are.
#[derive(Debug)]
pub struct Class {
    /// Of each product: the row of `b` from the position's start, and the number of the result that it is added to.
    pub columns: Columns,
    /// Starts in `a` and in `b`.
    pub positions: Vec<(i64, i64)>,
}

/// A part of the sum of a *dots* contraction.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Starts of the rows of `a` that it reads and the part before it did not, and the places that they are packed to.
    pub a: Vec<(i64, u32)>,
    /// The same of `b`.
    pub b: Vec<(i64, u32)>,
    /// Which rows are multiplied, by their places.
    pub terms: Vec<(u32, u32)>,
    /// Of each `t`, where its terms end; they start where those before end.
    pub ends: Vec<usize>,
}

impl Dots {
    /// Multiplications and additions.
    pub fn flops(&self) -> u64 {
        let terms: usize = self.chunks.iter().map(|c| c.terms.len() * self.right.len()).sum();
        let products: usize = self.classes.iter().map(|c| c.positions.len() * c.columns.len()).sum();
        2 * ((terms + products) * self.outer.len() * self.left.len() * self.row) as u64
    }

    /// Elements that the packed rows of the largest chunk take, and the results that are not stored at once.
    pub fn packed(&self) -> usize {
        if let Some(p) = &self.products {
            // The widest of all instruction sets' blocks.
            let (left, right) = (self.left.len().next_multiple_of(32), self.right.len());
            let right = (right.div_ceil(4) * 8).max(right.next_multiple_of(16));
            return (self.packed_rows.0 * left + self.packed_rows.1 * right) * self.row
                + self.taps.len() * self.right.len() * p.width
                + 64;
        }
        self.left.len() * self.places.len() * ROW
    }
}

/// The packed rows of a chunk should stay in the second-level cache, with about half of it to spare.
const CHUNK_BYTES: usize = 400 << 10;

/// What rows that are needed again soon may take of the first-level cache.
const L1_BYTES: usize = 24 << 10;

/// Tables larger than this are not worth their memory traffic.
const MAX_TABLE: usize = 1 << 22;

fn offset(layout: &Layout, at: &[Index]) -> Index {
    at.iter().zip(&layout.strides).fold(Index::constant(0), |sum, (i, &s)| sum.plus(i, s))
}

fn loads(i: &Index) -> bool {
    let mut any = false;
    i.loads(&mut |_| any = true);
    any
}

impl Contraction {
    /// The contraction that a product is, with the numbers of its factors `x` (or `b`) and `w` (or `a`).
    pub fn recognize(p: &Product) -> Option<(Contraction, [usize; 2])> {
        let (c, factors) = Self::direct(p).or_else(|| Self::direct(&p.clone().split()?))?;
        Some((c, factors))
    }

    fn direct(p: &Product) -> Option<(Contraction, [usize; 2])> {
        let guards: Vec<Guard> = p.guards.iter().filter(|g| g.decided(&p.extents) != Some(true)).cloned().collect();
        let all = p.factors.iter().flat_map(|f| &f.1).chain(guards.iter().map(Guard::index));
        if all.into_iter().any(loads) {
            return None;
        }
        let inside = |(layout, at): &(&Layout, Vec<Index>)| {
            at.iter().zip(&layout.shape).all(|(i, &n)| {
                let (lo, hi) = i.bounds(&p.extents);
                (lo >= 0 && hi < n as i64)
                    || p.guards.iter().any(|g| matches!(g, Guard::InRange(j, m) if i == j && *m <= n))
            })
        };
        if !p.factors.iter().all(inside) {
            return None;
        }
        let places = [0, 1].map(|f| offset(p.factors[f].0, &p.factors[f].1));
        // The axis of examples of a factor, if it is read there at one loop's variable.
        let lane = |f: usize| {
            let (layout, at) = &p.factors[f];
            let axis = layout.padded?;
            at[axis]
                .as_var()
                .filter(|&v| p.extents[v] == layout.shape[axis] && dependence(&places[f], v) == Use::Linear(1))
        };
        let lanes = [lane(0), lane(1)];
        let out = offset(p.out, &p.at);
        for x in [0, 1] {
            let w = 1 - x;
            let Some(v) = lanes[x] else { continue };
            let form = if v < p.outputs {
                if p.out.padded.is_none_or(|a| p.at[a].as_var() != Some(v)) || dependence(&places[w], v) != Use::None {
                    continue;
                }
                Form::Rows
            } else if lanes[w] == Some(v) {
                Form::Dots
            } else {
                continue;
            };
            let n = p.extents[v];
            let c = Contraction {
                form,
                extents: p.extents.clone(),
                outputs: p.outputs,
                lane: v,
                offsets: [out.clone(), places[x].clone(), places[w].clone()],
                guards: guards.clone(),
                row: (n, n.next_multiple_of(ROW)),
            };
            if c.classes().is_some() {
                return Some((c, [x, w]));
            }
        }
        None
    }

    /// The tables of a reduction over windows of rows: of which rows, and of each its `number`.
    pub fn window(
        extents: Vec<usize>,
        outputs: usize,
        mut guards: Vec<Guard>,
        out: &Layout,
        (layout, at): (&Layout, &[Index]),
        number: Index,
    ) -> Option<Self> {
        let facts = guards.clone();
        guards.retain(|g| g.decided(&extents) != Some(true));
        if at.iter().chain(guards.iter().map(Guard::index)).any(loads) || loads(&number) {
            return None;
        }
        let inside = at.iter().zip(&layout.shape).all(|(i, &n)| {
            let (lo, hi) = i.bounds(&extents);
            (lo >= 0 && hi < n as i64) || facts.iter().any(|g| matches!(g, Guard::InRange(j, m) if i == j && *m <= n))
        });
        let place = offset(layout, at);
        let axis = layout.padded?;
        let lane = at[axis].as_var().filter(|&v| v < outputs && extents[v] == layout.shape[axis])?;
        if !inside
            || dependence(&place, lane) != Use::Linear(1)
            || dependence(&number, lane) != Use::None
            || out.padded != Some(lane)
        {
            return None;
        }
        let to: Vec<Index> = (0..outputs).map(Index::var).collect();
        let row = extents[lane];
        let offsets = [offset(out, &to), place, number];
        let row = (row, row.next_multiple_of(ROW));
        let c = Self { form: Form::Windows, extents, outputs, lane, offsets, guards, row };
        c.classes().map(|_| c)
    }

    /// What decides the tables.
    pub fn key(&self) -> u128 {
        hash_key(self)
    }

    /// The sums of rows form.
    pub fn is_rows(&self) -> bool {
        self.form == Form::Rows
    }

    /// For people.
    pub fn describe(&self) -> String {
        let form = if self.form == Form::Dots { "dots" } else { "rows" };
        format!(
            "{form} {:?} over {:?}, lanes along {}",
            &self.extents[..self.outputs],
            &self.extents[self.outputs..],
            self.lane
        )
    }

    /// The roles of the variables, if the form fits.
    fn classes(&self) -> Option<Classes> {
        let [out, x, w] = &self.offsets;
        let mut c = Classes::default();
        for v in (0..self.extents.len()).filter(|&v| v != self.lane && self.extents[v] > 1) {
            let guarded = self.guards.iter().any(|g| dependence(g.index(), v) != Use::None);
            let (in_x, in_w) = (dependence(x, v), dependence(w, v));
            let linear = |u| matches!(u, Use::Linear(_));
            let output = v < self.outputs;
            if output && !linear(dependence(out, v)) {
                return None;
            }
            if self.form == Form::Windows {
                // The order of a window's rows is that of the loops: the first of equals counts.
                let list = match (output, in_x, in_w) {
                    (true, Use::Linear(_), Use::None) if !guarded => &mut c.outer,
                    (true, ..) => &mut c.tabled_outer,
                    (false, ..) => &mut c.tabled_inner,
                };
                list.push(v);
                continue;
            }
            match (output, in_x, in_w) {
                (true, Use::None, Use::Linear(_)) if !guarded => c.single.push(v),
                (true, Use::Linear(_), Use::Linear(_)) if !guarded => c.outer.push(v),
                (true, Use::Linear(_), Use::None) if !guarded && self.form == Form::Dots => c.dense.push(v),
                (true, ..) => c.tabled_outer.push(v),
                (false, a, b) if self.form == Form::Rows && !guarded && linear(a) && linear(b) => c.dense.push(v),
                (false, ..) => c.tabled_inner.push(v),
            }
        }
        if self.guards.iter().any(|g| dependence(g.index(), self.lane) != Use::None) {
            return None;
        }
        let size = |vs: &[usize]| vs.iter().map(|&v| self.extents[v]).product::<usize>();
        (size(&c.tabled_outer) * size(&c.tabled_inner) <= MAX_TABLE && size(&c.dense) <= MAX_TABLE).then_some(c)
    }

    /// All points of some loops, the last one fastest.
    fn points(&self, vars: &[usize]) -> Vec<Vec<i64>> {
        let mut all = vec![vec![0; self.extents.len()]];
        for &v in vars {
            all = all
                .into_iter()
                .flat_map(|p| {
                    (0..self.extents[v] as i64).map(move |i| {
                        let mut p = p.clone();
                        p[v] = i;
                        p
                    })
                })
                .collect();
        }
        all
    }

    fn holds(&self, at: &[i64]) -> bool {
        self.guards.iter().all(|g| {
            let i = value(g.index(), at);
            match g {
                Guard::InRange(_, n) => i >= 0 && i < *n as i64,
                Guard::Zero(_) => i == 0,
            }
        })
    }

    /// The part of an offset that some loops decide linearly.
    fn part(index: &Index, at: &[i64]) -> i64 {
        value(index, at) - value(index, &vec![0; at.len()])
    }

    fn outer(&self, c: &Classes) -> Vec<(i64, i64, i64)> {
        let [out, x, w] = &self.offsets;
        self.points(&c.outer).iter().map(|p| (Self::part(x, p), Self::part(w, p), Self::part(out, p))).collect()
    }

    /// The tables of a *rows* contraction.
    pub fn rows(&self) -> Rows {
        let c = self.classes().unwrap_or_default();
        let [out, x, w] = &self.offsets;
        let channels: Vec<(i64, i64)> =
            self.points(&c.single).iter().map(|p| (Self::part(w, p), Self::part(out, p))).collect();
        let dense: Vec<(i64, i64)> =
            self.points(&c.dense).iter().map(|p| (Self::part(x, p), Self::part(w, p))).collect();
        let inner = self.points(&c.tabled_inner);
        let mut numbers: BTreeMap<i64, u32> = BTreeMap::new();
        let mut weights = Vec::new();
        let mut taps = Vec::new();
        let mut tables: BTreeMap<Vec<Tap>, (usize, usize)> = BTreeMap::new();
        let mut positions = Vec::new();
        let mut at = vec![0; self.extents.len()];
        for p in self.points(&c.tabled_outer) {
            let mut start = None;
            let mut table = Vec::new();
            for q in &inner {
                for (sum, (a, b)) in at.iter_mut().zip(p.iter().zip(q)) {
                    *sum = a + b;
                }
                if self.holds(&at) {
                    let place = value(x, &at);
                    let start = *start.get_or_insert(place);
                    let t = *numbers.entry(value(w, &at)).or_insert_with_key(|at| {
                        weights.extend(dense.iter().map(|d| at + d.1));
                        (weights.len() / dense.len() - 1) as u32
                    });
                    table.push(Tap { x: (place - start) as i32, t });
                }
            }
            let range = *tables.entry(table).or_insert_with_key(|table| {
                let first = taps.len();
                for tap in table {
                    for (d, (x, _)) in dense.iter().enumerate() {
                        taps.push(Tap { x: tap.x + *x as i32, t: tap.t * dense.len() as u32 + d as u32 });
                    }
                }
                (first, taps.len())
            });
            positions.push(Position { x: start.unwrap_or(0), out: value(out, &p), taps: range });
        }
        let streams = inner.len() == 1 && dense.len() > 4;
        Rows { outer: self.outer(&c), channels, weights, taps, positions, row: self.row.1, streams }
    }

    /// The tables of a *dots* contraction.
    pub fn dots(&self) -> Dots {
        let c = self.classes().unwrap_or_default();
        let [out, b, a] = &self.offsets;
        let taps = self.points(&c.tabled_outer);
        let mut dots = Dots {
            swapped: false,
            products: None,
            classes: Vec::new(),
            places: Vec::new(),
            together: usize::MAX,
            outer: self.outer(&c),
            left: self.points(&c.single).iter().map(|p| (Self::part(a, p), Self::part(out, p))).collect(),
            right: self.points(&c.dense).iter().map(|p| (Self::part(b, p), Self::part(out, p))).collect(),
            taps: taps.iter().map(|p| value(out, p)).collect(),
            chunks: Vec::new(),
            packed_rows: (0, 0),
            row: self.row.0,
        };
        let inner = self.points(&c.tabled_inner);
        let (l, r) = (dots.left.len(), dots.right.len());
        // Turning rows pays where each is needed several times, or sums are so short that adding lanes would count.
        let few = taps.len() == 1 && inner.len() >= 32 && l * r <= 4096;
        if l.min(r) >= 4 && l.max(r) >= 8 && !few {
            (dots.chunks, dots.packed_rows) = self.chunks(&inner, &taps, l, r);
            dots.choose();
        } else {
            // The side that windows move over is `b`.
            let moves = |o: &Index| c.tabled_outer.iter().any(|&v| dependence(o, v) != Use::None);
            if moves(a) && !moves(b) {
                dots.swap();
            }
            if dots.left.len() > 1 {
                dots.together = (L1_BYTES / ((l + r) * self.row.1 * 4)).max(2);
            }
            self.sums(&inner, &taps, &mut dots);
        }
        dots
    }

    /// The sum over `inner` in parts, and how many packed rows there are at once.
    fn chunks(&self, inner: &[Vec<i64>], taps: &[Vec<i64>], l: usize, r: usize) -> (Vec<Chunk>, (usize, usize)) {
        let [_, b, a] = &self.offsets;
        // Windows overlap: a position reads about two new rows of `b`.
        let bytes = (l + 2 * r) * self.row.1 * 4;
        let positions = (CHUNK_BYTES / bytes).clamp(8, inner.len().max(8));
        let mut at = vec![0; self.extents.len()];
        let (mut places_a, mut places_b) = (Places::default(), Places::default());
        let mut chunks = Vec::new();
        for part in inner.chunks(positions) {
            let mut chunk = Chunk::default();
            let mut terms = Vec::new();
            for p in taps {
                for q in part {
                    for (sum, (a, b)) in at.iter_mut().zip(p.iter().zip(q)) {
                        *sum = a + b;
                    }
                    if self.holds(&at) {
                        terms.push((value(a, &at), value(b, &at)));
                    }
                }
                chunk.ends.push(terms.len());
            }
            chunk.a = places_a.need(terms.iter().map(|t| t.0));
            chunk.b = places_b.need(terms.iter().map(|t| t.1));
            chunk.terms = terms.into_iter().map(|(x, y)| (places_a.known[&x], places_b.known[&y])).collect();
            chunks.push(chunk);
        }
        (chunks, (places_a.count as usize, places_b.count as usize))
    }

    /// Positions by what they need.
    fn sums(&self, inner: &[Vec<i64>], taps: &[Vec<i64>], dots: &mut Dots) {
        let [_, b, a] = &self.offsets;
        let mut classes: BTreeMap<Columns, Vec<(i64, i64)>> = BTreeMap::new();
        let mut at = vec![0; self.extents.len()];
        for q in inner {
            // The rows of `b` for each row of `a`; there is one, but for unusual windows.
            let mut rows: BTreeMap<i64, Columns> = BTreeMap::new();
            for (t, p) in taps.iter().enumerate() {
                for (sum, (a, b)) in at.iter_mut().zip(p.iter().zip(q)) {
                    *sum = a + b;
                }
                if self.holds(&at) {
                    let (x, y) = if dots.swapped { (b, a) } else { (a, b) };
                    rows.entry(value(x, &at)).or_default().push((value(y, &at), t as u32));
                }
            }
            for (a, mut list) in rows {
                let start = list[0].0;
                list.iter_mut().for_each(|x| x.0 -= start);
                classes.entry(list).or_default().push((a, start));
            }
        }
        let results = |(offset, t): (i64, u32)| {
            let place = move |(r, c): (usize, &(i64, i64))| (offset + c.0, (r * taps.len()) as u32 + t);
            dots.right.iter().enumerate().map(place)
        };
        dots.classes = classes
            .into_iter()
            .map(|(list, positions)| Class { columns: list.into_iter().flat_map(results).collect(), positions })
            .collect();
        dots.places = dots.right.iter().flat_map(|r| dots.taps.iter().map(|t| t + r.1)).collect();
    }
}

impl Dots {
    /// `a` and `b` change places.
    fn swap(&mut self) {
        self.swapped = true;
        std::mem::swap(&mut self.left, &mut self.right);
        self.packed_rows = (self.packed_rows.1, self.packed_rows.0);
        for o in &mut self.outer {
            *o = (o.1, o.0, o.2);
        }
        for c in &mut self.chunks {
            std::mem::swap(&mut c.a, &mut c.b);
            for t in &mut c.terms {
                *t = (t.1, t.0);
            }
        }
    }

    /// Decides where the lanes of outer products lie.
    fn choose(&mut self) {
        let (l, r) = (self.left.len(), self.right.len());
        let neighbours = |side: &[(i64, i64)]| {
            side.len().is_multiple_of(ROW) && side.iter().enumerate().all(|(i, c)| c.1 == side[0].1 + i as i64)
        };
        // Padded lanes are lost work; storing at once saves a pass over the result.
        let cost = |lanes: usize, others: usize| lanes.next_multiple_of(ROW) * others;
        let swap = match (neighbours(&self.left), neighbours(&self.right)) {
            (true, false) => false,
            (false, true) => true,
            _ => cost(r, l) < cost(l, r),
        };
        if swap {
            self.swap();
        }
        let width = if neighbours(&self.left) { 0 } else { self.left.len().next_multiple_of(32) };
        let columns = self.right.iter().enumerate().map(|(i, c)| if width == 0 { c.1 } else { (i * width) as i64 });
        self.products = Some(Outer { columns: columns.collect(), width });
    }
}

/// Where packed rows are; those that overlapping windows need again stay.
#[derive(Default)]
struct Places {
    known: BTreeMap<i64, u32>,
    free: Vec<u32>,
    count: u32,
}

impl Places {
    /// Makes room for rows and forgets the others. Gives those that are new.
    fn need(&mut self, rows: impl Iterator<Item = i64>) -> Vec<(i64, u32)> {
        let rows: BTreeSet<i64> = rows.collect();
        let free = &mut self.free;
        self.known.retain(|row, place| {
            let stays = rows.contains(row);
            if !stays {
                free.push(*place);
            }
            stays
        });
        let mut new = Vec::new();
        for row in rows {
            if !self.known.contains_key(&row) {
                let place = self.free.pop().unwrap_or_else(|| {
                    self.count += 1;
                    self.count - 1
                });
                self.known.insert(row, place);
                new.push((row, place));
            }
        }
        new
    }
}

/// The loops by what they do.
#[derive(Debug, Default)]
struct Classes {
    /// Output loops on which all operands depend, linearly.
    outer: Vec<usize>,
    /// Output loops on which only `w` (or `a`) depends.
    single: Vec<usize>,
    /// Rows: unguarded reduction loops, linear in both operands. Dots: unguarded output loops, linear in `b` only.
    dense: Vec<usize>,
    /// The other output loops.
    tabled_outer: Vec<usize>,
    /// The other reduction loops.
    tabled_inner: Vec<usize>,
}

/// The value of an index without loads.
fn value(index: &Index, at: &[i64]) -> i64 {
    index.constant
        + index
            .terms
            .iter()
            .map(|(atom, c)| {
                c * match atom {
                    Atom::Var(v) => at[*v as usize],
                    Atom::Div(i, n) => value(i, at).div_euclid(*n),
                    Atom::Mod(i, n) => value(i, at).rem_euclid(*n),
                    Atom::Load(..) => unreachable!("contractions have no loads"),
                }
            })
            .sum::<i64>()
}
