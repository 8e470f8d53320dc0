//! Reductions over windows of rows: pooling and its gradients, averages over places. Each lane is an example, and the
//! rows of a window come from the tables that sums of products have ([`super::contract`]), without weights.

use super::contract::{Contraction, Position, Rows, Tap};
use super::kernels::{Isa, isa};
use super::layout::Layout;
use crate::graph::{Atom, Equation, Guard, Index, NodeId, Op, ReduceOp};

/// How the rows of a window combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    /// Added.
    Sum,
    /// Their average.
    Mean,
    /// The greatest, or NaN.
    Max,
    /// The least, or NaN.
    Min,
    /// The number of the first greatest row, or of the first NaN.
    ArgMax,
    /// The number of the first least row, or of the first NaN.
    ArgMin,
    /// Those rows are added whose number is that in a tensor of integers, lane by lane: the gradient of an extreme.
    Pick,
}

/// A reduction over windows: its tables, and what is done with their rows.
#[derive(Clone, Debug)]
pub struct Window {
    /// Which rows belong to which window, with their numbers as weights.
    pub tables: Contraction,
    /// How they combine.
    pub fold: Fold,
}

/// The integer tensor that a guard `load == number` reads, where it reads it, and the number.
fn compared(g: &Guard) -> Option<(NodeId, &[Index], Index)> {
    let Guard::Zero(i) = g else { return None };
    let (mut load, mut rest) = (None, Index::constant(i.constant));
    for (atom, c) in &i.terms {
        match atom {
            Atom::Load(t, at) if load.is_none() && c.abs() == 1 => load = Some((*t, at.as_slice(), *c)),
            _ => rest = rest.plus(&Index::atom(atom.clone()), *c),
        }
    }
    let (t, at, c) = load?;
    Some((t, at, rest.times(-c)))
}

impl Window {
    /// The window reduction that an equation is, and the tensors that it reads: one, or two for [`Fold::Pick`].
    /// `arg` says that the number of the row is wanted.
    pub fn recognize<'a>(
        e: &Equation,
        arg: bool,
        shape: &[usize],
        out: &Layout,
        layout: impl Fn(NodeId) -> &'a Layout,
    ) -> Option<(Window, Vec<NodeId>)> {
        let reduce = e.reduce.as_ref()?;
        let [Op::Read(x, at)] = e.body.as_slice() else { return None };
        let extents = e.extents(shape);
        let mut number = Index::constant(0);
        for (a, n) in reduce.extents.iter().enumerate() {
            number = number.times(*n as i64).plus(&Index::var(shape.len() + a), 1);
        }
        let mut guards = e.guards.clone();
        let mut reads = vec![*x];
        let fold = match (reduce.op, arg) {
            (ReduceOp::Sum, false) => match guards.iter().position(|g| compared(g).is_some()) {
                Some(k) => {
                    let g = guards.remove(k);
                    let (t, at_t, n) = compared(&g)?;
                    // The number lies where the row lies.
                    if layout(t).strides != layout(*x).strides || at_t[..] != **at {
                        return None;
                    }
                    number = n;
                    reads.push(t);
                    Fold::Pick
                }
                None => Fold::Sum,
            },
            (ReduceOp::Mean, false) => Fold::Mean,
            (ReduceOp::Max, false) => Fold::Max,
            (ReduceOp::Min, false) => Fold::Min,
            (ReduceOp::Max, true) => Fold::ArgMax,
            (ReduceOp::Min, true) => Fold::ArgMin,
            (ReduceOp::Prod, _) | (_, true) => return None,
        };
        let tables = Contraction::window(extents, shape.len(), guards, out, (layout(*x), at), number)?;
        Some((Window { tables, fold }, reads))
    }

    /// The hash of all that its kernel depends on.
    pub fn key(&self) -> u128 {
        crate::exec::cpu::nest::hash_key(&(&self.tables, self.fold))
    }

    /// For people.
    pub fn describe(&self) -> String {
        self.tables.describe().replacen("rows", &format!("{:?}", self.fold).to_lowercase(), 1)
    }
}

/// Runs a window reduction.
///
/// # Safety
/// All places in the tables must lie inside of the operands, rows with their padding; `out` must not overlap them.
pub unsafe fn run(plan: &Rows, fold: Fold, out: *mut f32, x: *const f32, numbers: *const f32) {
    // SAFETY: the features were detected; the rest is the caller's promise.
    unsafe {
        match isa() {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::run(plan, fold, out, x, numbers),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::run(plan, fold, out, x, numbers),
            Isa::Portable => portable::run(plan, fold, out, x, numbers),
        }
    }
}

macro_rules! windows {
    ($(#[$feature:meta])*) => {
        /// # Safety
        /// As the function of the same name outside.
        $(#[$feature])*
        pub unsafe fn run(plan: &Rows, fold: Fold, out: *mut f32, x: *const f32, numbers: *const f32) {
            for &(x_at, _, out_at) in &plan.outer {
                for p in &plan.positions {
                    let mut lane = 0;
                    while lane < plan.row {
                        let from = p.x as isize + x_at as isize + lane as isize;
                        // SAFETY: the caller's promise. A place in the table of numbers is one in `x`.
                        unsafe {
                            let to = out.offset(p.out as isize + out_at as isize + lane as isize);
                            let (x, n) = (x.wrapping_offset(from), numbers.wrapping_offset(from));
                            if (plan.row - lane) / LANES >= 4 {
                                block::<4>(plan, p, fold, x, n, to);
                                lane += 4 * LANES;
                            } else {
                                block::<1>(plan, p, fold, x, n, to);
                                lane += LANES;
                            }
                        }
                    }
                }
            }
        }

        $(#[$feature])*
        #[inline]
        unsafe fn block<const N: usize>(
            plan: &Rows,
            p: &Position,
            fold: Fold,
            x: *const f32,
            n: *const f32,
            to: *mut f32,
        ) {
            let taps = &plan.taps[p.taps.0..p.taps.1];
            // SAFETY: the caller's promise.
            unsafe {
                match fold {
                    Fold::Sum => sum::<N>(taps, 1.0, x, to),
                    Fold::Mean => sum::<N>(taps, taps.len().max(1) as f32, x, to),
                    Fold::Max => extreme::<N, true>(taps, x, to),
                    Fold::Min => extreme::<N, false>(taps, x, to),
                    Fold::ArgMax => arg::<N, true>(plan, taps, x, to),
                    Fold::ArgMin => arg::<N, false>(plan, taps, x, to),
                    Fold::Pick => pick::<N>(plan, taps, x, n, to),
                }
            }
        }

        $(#[$feature])*
        #[inline]
        unsafe fn sum<const N: usize>(taps: &[Tap], count: f32, x: *const f32, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe {
                let mut acc = [splat(0.0); N];
                for tap in taps {
                    for v in 0..N {
                        acc[v] = add(acc[v], load(x.offset(tap.x as isize).add(v * LANES)));
                    }
                }
                for v in 0..N {
                    store(to.add(v * LANES), if count == 1.0 { acc[v] } else { div(acc[v], splat(count)) });
                }
            }
        }

        $(#[$feature])*
        #[inline]
        unsafe fn extreme<const N: usize, const MAX: bool>(taps: &[Tap], x: *const f32, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe {
                let mut acc = [splat(0.0); N];
                for (k, tap) in taps.iter().enumerate() {
                    for v in 0..N {
                        let x = load(x.offset(tap.x as isize).add(v * LANES));
                        let beyond = if MAX { less(acc[v], x) } else { less(x, acc[v]) };
                        acc[v] = if k == 0 { x } else { blend(or(beyond, nan(x)), acc[v], x) };
                    }
                }
                for v in 0..N {
                    store(to.add(v * LANES), acc[v]);
                }
            }
        }

        $(#[$feature])*
        #[inline]
        unsafe fn arg<const N: usize, const MAX: bool>(plan: &Rows, taps: &[Tap], x: *const f32, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe {
                let mut acc = [splat(0.0); N];
                let mut best = [splat(f32::from_bits(-1i32 as u32)); N];
                for (k, tap) in taps.iter().enumerate() {
                    let number = splat(f32::from_bits(plan.weights[tap.t as usize] as i32 as u32));
                    for v in 0..N {
                        let x = load(x.offset(tap.x as isize).add(v * LANES));
                        if k == 0 {
                            (acc[v], best[v]) = (x, number);
                            continue;
                        }
                        let beyond = if MAX { less(acc[v], x) } else { less(x, acc[v]) };
                        let better = or(beyond, and_not(nan(acc[v]), nan(x)));
                        acc[v] = blend(better, acc[v], x);
                        best[v] = blend(better, best[v], number);
                    }
                }
                for v in 0..N {
                    store(to.add(v * LANES), best[v]);
                }
            }
        }

        $(#[$feature])*
        #[inline]
        unsafe fn pick<const N: usize>(plan: &Rows, taps: &[Tap], x: *const f32, n: *const f32, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe {
                let mut acc = [splat(0.0); N];
                for tap in taps {
                    let number = splat(f32::from_bits(plan.weights[tap.t as usize] as i32 as u32));
                    for v in 0..N {
                        let at = tap.x as isize + (v * LANES) as isize;
                        let chosen = same_bits(load(n.offset(at)), number);
                        acc[v] = add(acc[v], blend(chosen, splat(0.0), load(x.offset(at))));
                    }
                }
                for v in 0..N {
                    store(to.add(v * LANES), acc[v]);
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::needless_range_loop, clippy::float_cmp, reason = "unrolled loops; a count is a whole number")]
mod avx512 {
    use super::super::lanes::avx512::{LANES, add, and_not, blend, div, less, load, nan, or, same_bits, splat, store};
    use super::{Fold, Position, Rows, Tap};

    windows!(#[target_feature(enable = "avx512f,avx2,fma")]);
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::needless_range_loop, clippy::float_cmp, reason = "unrolled loops; a count is a whole number")]
mod avx2 {
    use super::super::lanes::avx2::{LANES, add, and_not, blend, div, less, load, nan, or, same_bits, splat, store};
    use super::{Fold, Position, Rows, Tap};

    windows!(#[target_feature(enable = "avx2,fma")]);
}

#[allow(clippy::needless_range_loop, clippy::float_cmp, reason = "unrolled loops; a count is a whole number")]
#[allow(unused_unsafe, reason = "most of the portable operations are safe")]
mod portable {
    use super::super::lanes::portable::{
        LANES, add, and_not, blend, div, less, load, nan, or, same_bits, splat, store,
    };
    use super::{Fold, Position, Rows, Tap};

    windows!();
}
