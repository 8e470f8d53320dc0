//! What programs read of candidates and decisions; strategies and evaluations alike.

use std::sync::Arc;

use crate::base::Span;
use crate::search::lang::{HostFn, Stop, Value};
use crate::space::Space;
use crate::space::decision::{Candidate, Choice, matches};

use super::objects::{DecisionObject, MetricsObject, decision, fail, from_choice};
use super::strategy::{failed, object, selector_of};

/// Most values of a decision that are listed.
pub const MAX_LISTED: u64 = 100_000;

/// Serves a call that only reads; `None` if it is another.
pub fn read(space: &Space, f: HostFn, args: &[Value], span: Span) -> Option<Result<Value, Stop>> {
    let reads = matches!(
        f,
        HostFn::Decisions
            | HostFn::Encoding
            | HostFn::Json
            | HostFn::CandidateKind
            | HostFn::DecisionName
            | HostFn::DecisionKind
            | HostFn::DecisionOwner
            | HostFn::DecisionLevel
            | HostFn::DecisionIndex
            | HostFn::DecisionValue
            | HostFn::DecisionOptions
            | HostFn::Others
            | HostFn::DecisionArity
            | HostFn::Next
    );
    reads.then(|| answer(space, f, args, span))
}

fn answer(space: &Space, f: HostFn, args: &[Value], span: Span) -> Result<Value, Stop> {
    match f {
        HostFn::Decisions => {
            let selector = selector_of(&args[1], span)?;
            Ok(Value::list(decisions(space, object::<Candidate>(&args[0], span)?, &selector, span)?))
        }
        HostFn::Encoding => {
            Ok(Value::list(space.encoding(object::<Candidate>(&args[0], span)?).into_iter().map(Value::Float)))
        }
        HostFn::Json => Ok(Value::str(object::<Candidate>(&args[0], span)?.to_json().to_string())),
        HostFn::CandidateKind => Ok(Value::str(if space.design().is_some() { "program" } else { "network" })),
        HostFn::DecisionName => Ok(Value::str(object::<DecisionObject>(&args[0], span)?.decision.name.as_str())),
        HostFn::DecisionKind => Ok(Value::str(object::<DecisionObject>(&args[0], span)?.decision.kind())),
        HostFn::DecisionOwner => Ok(Value::str(object::<DecisionObject>(&args[0], span)?.decision.owner.as_str())),
        HostFn::DecisionLevel => Ok(Value::Int(i64::from(object::<DecisionObject>(&args[0], span)?.decision.level))),
        HostFn::DecisionIndex => Ok(Value::Int(object::<DecisionObject>(&args[0], span)?.at as i64)),
        HostFn::DecisionValue => {
            let d = object::<DecisionObject>(&args[0], span)?;
            Ok(d.value.as_ref().map_or(Value::None, from_choice))
        }
        HostFn::DecisionOptions | HostFn::Others => {
            let d = object::<DecisionObject>(&args[0], span)?;
            let Some(values) = d.decision.domain.values(MAX_LISTED) else {
                return fail(
                    span,
                    format!("`{}` takes a real number or too many values to list them", d.decision.name),
                );
            };
            let keep = |v: &&Choice| f != HostFn::Others || !d.value.as_ref().is_some_and(|x| x.same(v));
            Ok(Value::list(values.iter().filter(keep).map(from_choice)))
        }
        HostFn::DecisionArity => {
            let n = object::<DecisionObject>(&args[0], span)?.decision.domain.size();
            Ok(Value::Int(n.and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX)))
        }
        HostFn::Next => {
            let d = object::<DecisionObject>(&args[0], span)?;
            let all = space.decisions_of(&d.of).map_err(|e| failed(e, span))?;
            Ok(all.get(d.at + 1).map_or(Value::None, |(next, v)| {
                decision(DecisionObject {
                    decision: next.clone(),
                    value: Some(v.clone()),
                    at: d.at + 1,
                    of: d.of.clone(),
                })
            }))
        }
        other => fail(span, format!("`{}` is not a reading call", other.row().name)),
    }
}

fn decisions(space: &Space, c: &Candidate, selector: &str, span: Span) -> Result<Vec<Value>, Stop> {
    let of = Arc::new(c.clone());
    let all = space.decisions_of(c).map_err(|e| failed(e, span))?;
    Ok(all
        .into_iter()
        .enumerate()
        .filter(|(_, (d, _))| matches(selector, &d.name))
        .map(|(at, (d, v))| decision(DecisionObject { decision: d, value: Some(v), at, of: of.clone() }))
        .collect())
}

/// Serves what is read of metrics.
pub fn metric(f: HostFn, args: &[Value], span: Span) -> Result<Value, Stop> {
    let m = object::<MetricsObject>(&args[0], span)?;
    match f {
        HostFn::MetricsNames => Ok(Value::list(m.0.iter().map(|(n, _)| Value::str(n.as_str())))),
        _ => {
            let name = args[1].as_str().unwrap_or("");
            Ok(m.0.iter().find(|(n, _)| n == name).map_or(Value::None, |m| Value::Float(m.1)))
        }
    }
}
