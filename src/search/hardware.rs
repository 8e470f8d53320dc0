//! `executor` and `precision` of a search: what its children are trained on.

use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::exec::cuda::Precision;
use crate::syntax::ast::{Expr, ExprKind};

/// What runs the children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Executor {
    /// The GPU if there is one that can be used, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU.
    Cuda,
}

/// See the module documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hardware {
    /// `executor = cpu`
    pub executor: Executor,
    /// `precision = f32`: of products on a GPU.
    pub precision: Precision,
}

/// Reads both fields, where they are given.
pub fn read(executor: Option<&Expr>, precision: Option<&Expr>, errors: &mut Vec<Diagnostic>) -> Hardware {
    let mut of = |e: Option<&Expr>, what: &str, known: &[&str]| {
        let e = e?;
        let name = match &e.kind {
            ExprKind::Name(n) => n.ident.name.as_str(),
            _ => "",
        };
        let found = known.iter().position(|k| *k == name);
        if found.is_none() {
            let d = Diagnostic::new(&codes::SEARCH_FIELD, e.span, format!("there is no {what} like this"));
            let close = if name == "gpu" { Some("cuda") } else { did_you_mean(name, known.iter().copied()) };
            errors.push(match close {
                Some(k) => d.help(format!("did you mean `{k}`?")).fix(e.span, k, format!("write `{k}`")),
                None => d.help(format!("write one of {}", known.join(", "))),
            });
        }
        found
    };
    let executor = match of(executor, "executor", &["auto", "cpu", "cuda"]) {
        Some(1) => Executor::Cpu,
        Some(2) => Executor::Cuda,
        _ => Executor::Auto,
    };
    let precision = match of(precision, "precision", &["f32", "tf32", "bf16"]) {
        Some(0) => Precision::F32,
        Some(2) => Precision::Bf16,
        _ => Precision::Tf32,
    };
    Hardware { executor, precision }
}
