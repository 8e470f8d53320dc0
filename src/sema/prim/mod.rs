//! Primitives: operations given by equations over indices, checked once and lowered to the tensor IR for each use.
//!
//! [`check`] looks at a declaration alone. [`infer`] gives the shapes of a use, in numbers or in any other
//! [`Algebra`]. [`instantiate`] appends the nodes of a use to a graph.
//!
//! # What an equation means
//!
//! Numbers in equations are real: `/` divides. In indices, extents, `let`s and arguments whole numbers stay whole:
//! `/` rounds down there (in extents it must divide exactly), `floor(a / b)` and `ceil(a / b)` say the rounding.
//! An index that is used as a number is real too; `floor(i / 2)` is the whole quotient.
//!
//! A read outside its tensor drops the whole term of the innermost reduction around it, and is 0 outside of any.
//! All reads of a state see its value from before this use; `<-` takes effect after it, and only in training.
//! `uniform()` draws anew for each point of the equation's loop.

mod check;
mod equation;
pub mod eval;
mod frame;
mod init;
mod instantiate;
pub mod scalar;
pub mod shape;
mod uses;

#[cfg(test)]
#[allow(
    clippy::float_cmp,
    clippy::needless_range_loop,
    clippy::type_complexity,
    reason = "expected values, as in formulas"
)]
mod tests;

use crate::base::Span;

pub use check::check;
pub use eval::{Algebra, Numbers, Slash, eval, eval_extent};
pub use instantiate::{Instances, instantiate};
pub use scalar::{ArithOp, Fault, Func, Scalar};
pub use shape::{Extents, Shapes, infer, inputs, output_dims};

/// Where and how a primitive is used.
#[derive(Clone, Copy, Debug)]
pub struct PrimCtx<'a> {
    /// Weights are named `{site}.{name}`, and draws are keyed by the site.
    pub site: &'a str,
    /// What profiles and pictures call the nodes.
    pub label: &'a str,
    /// Whether a training step is built: `if training`, `<-` and `uniform()`.
    pub training: bool,
    /// Whether the site may have been instantiated in this graph before; then its weights are found by name.
    pub shared: bool,
    /// The use in the source.
    pub call: Span,
    /// Uses that were met before, of primitives of the same program.
    pub known: Option<&'a Instances>,
}
