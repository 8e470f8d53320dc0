//! Initializers of weights, states and knobs.
//!
//! | written | distribution |
//! | --- | --- |
//! | a number | constant |
//! | `he_normal(fan_in = n)` | normal, variance `2 / n` (He et al. 2015, for ReLU) |
//! | `he_uniform(fan_in = n)` | uniform with that variance: `±sqrt(6 / n)` |
//! | `xavier_normal(fan_in = n, fan_out = m)` | normal, variance `2 / (n + m)` (Glorot and Bengio 2010) |
//! | `xavier_uniform(fan_in = n, fan_out = m)` | uniform with that variance: `±sqrt(6 / (n + m))` |
//! | `normal(sd)` | normal with this standard deviation |
//! | `uniform(a)` | uniform in `[-a, a)` |
//! | `identity` | the identity operation, for function-preserving growth |

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::graph::Init;
use crate::syntax::ast::{Arg, Expr, ExprKind};

use super::eval::{Numbers, Slash, eval};
use super::scalar::Scalar;
use super::uses::as_name;

/// The distributions with their arguments.
pub(super) const DISTRIBUTIONS: [(&str, &[&str]); 6] = [
    ("he_normal", &["fan_in"]),
    ("he_uniform", &["fan_in"]),
    ("xavier_normal", &["fan_in", "fan_out"]),
    ("xavier_uniform", &["fan_in", "fan_out"]),
    ("normal", &["sd"]),
    ("uniform", &["a"]),
];

/// The arguments of a distribution in the order of the table, or what is wrong with the call. `None` if `e` is not a
/// call of a distribution.
pub(super) fn distribution(e: &Expr) -> Option<Result<(&'static str, Vec<&Expr>), Diagnostic>> {
    let ExprKind::Call { callee, args } = &e.kind else { return None };
    let name = as_name(callee)?;
    let Some(&(id, wanted)) = DISTRIBUTIONS.iter().find(|(n, _)| *n == name.name) else {
        let guess = did_you_mean(&name.name, DISTRIBUTIONS.iter().map(|(n, _)| *n))?;
        let d = Diagnostic::new(&codes::PRIM_INIT, name.span, format!("unknown initializer `{}`", name.name));
        return Some(Err(d.help(format!("did you mean `{guess}`?")).fix(name.span, guess, format!("write `{guess}`"))));
    };
    let usage = || {
        let list: Vec<String> = wanted.iter().map(|w| format!("{w} = ..")).collect();
        format!("write `{id}({})`", list.join(", "))
    };
    let mut found: Vec<Option<&Expr>> = vec![None; wanted.len()];
    for (i, Arg { name, value }) in args.iter().enumerate() {
        let at = match name {
            Some(n) => wanted.iter().position(|w| *w == n.name),
            None => (i < wanted.len()).then_some(i),
        };
        match at {
            Some(at) if found[at].is_none() => found[at] = Some(value),
            _ => {
                let span = name.as_ref().map_or(value.span, |n| n.span);
                return Some(Err(
                    Diagnostic::new(&codes::PRIM_INIT, span, format!("`{id}` has no such argument")).help(usage())
                ));
            }
        }
    }
    let all: Option<Vec<&Expr>> = found.into_iter().collect();
    Some(match all {
        Some(args) => Ok((id, args)),
        None => {
            Err(Diagnostic::new(&codes::PRIM_INIT, e.span, format!("an argument of `{id}` is missing")).help(usage()))
        }
    })
}

/// The initializer of a weight or state.
pub(super) fn initializer(e: &Expr, names: &BTreeMap<String, Scalar>, rank: usize) -> Result<Init, Diagnostic> {
    if as_name(e).is_some_and(|n| n.name == "identity") {
        if rank == 0 {
            return Err(Diagnostic::new(&codes::PRIM_INIT, e.span, "`identity` needs a tensor with dimensions"));
        }
        return Ok(Init::Identity);
    }
    let Some(call) = distribution(e) else { return Ok(Init::Constant(number(e, names)?)) };
    let (id, args) = call?;
    let mut values = Vec::new();
    for a in args {
        let v = number(a, names)?;
        if v <= 0.0 || !v.is_finite() {
            return Err(Diagnostic::new(&codes::PRIM_INIT, a.span, format!("`{id}` needs a positive number, not {v}")));
        }
        values.push(v);
    }
    Ok(match id {
        "he_normal" => Init::Normal((2.0 / values[0]).sqrt()),
        "he_uniform" => Init::Uniform((6.0 / values[0]).sqrt()),
        "xavier_normal" => Init::Normal((2.0 / (values[0] + values[1])).sqrt()),
        "xavier_uniform" => Init::Uniform((6.0 / (values[0] + values[1])).sqrt()),
        "normal" => Init::Normal(values[0]),
        _ => Init::Uniform(values[0]),
    })
}

/// A number, for constants and knobs.
pub(super) fn number(e: &Expr, names: &BTreeMap<String, Scalar>) -> Result<f64, Diagnostic> {
    let v = eval(e, Slash::Floor, &|n| names.get(n).cloned(), &mut Numbers)?;
    v.as_float().ok_or_else(|| {
        Diagnostic::new(&codes::PRIM_INIT, e.span, format!("a number is expected, not a {}", v.type_name()))
    })
}
