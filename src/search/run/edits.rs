//! What strategies do with candidates: drawing, changing and completing them.

use std::sync::Arc;

use crate::algo::vary::Kinds;
use crate::base::Span;
use crate::base::rng::Stream;
use crate::search::lang::{HostFn, Opaque, Stop, Tag, Value};
use crate::space::decision::{Candidate, Choice, Decision, matches};
use crate::space::{BuildError, Space};

use super::candidates::MAX_LISTED;
use super::objects::{DecisionObject, GapObject, candidate, decision, draft, fail, from_choice, to_choice};
use super::strategy::{failed, object, selector_of, state_of};

/// Most candidates that `all()` gives.
const MAX_ALL: usize = 1_000_000;

/// Serves a call that makes a candidate or a draft of one; `None` if it is another.
pub fn serve(space: &Space, rng: &mut Stream, f: HostFn, args: &[Value], span: Span) -> Option<Result<Value, Stop>> {
    let edits = matches!(
        f,
        HostFn::Random
            | HostFn::Begin
            | HostFn::Decided
            | HostFn::SpaceSize
            | HostFn::Set
            | HostFn::Gaps
            | HostFn::Insert
            | HostFn::Remove
            | HostFn::Expand
            | HostFn::Fill
            | HostFn::Vary
            | HostFn::Crossover
            | HostFn::Distance
            | HostFn::Redraw
            | HostFn::DraftOpen
            | HostFn::DraftDecision
            | HostFn::DraftState
            | HostFn::DraftOptions
            | HostFn::DraftPick
            | HostFn::DraftSet
            | HostFn::DraftFill
            | HostFn::DraftAll
            | HostFn::DraftFinish
    );
    edits.then(|| answer(space, rng, f, args, span))
}

fn answer(space: &Space, rng: &mut Stream, f: HostFn, args: &[Value], span: Span) -> Result<Value, Stop> {
    match f {
        HostFn::Random => Ok(candidate(space.random(rng).map_err(|e| failed(e, span))?)),
        HostFn::Begin => {
            let mut c = Candidate::default();
            if let Value::Record(fields) = &args[0] {
                for (name, v) in fields.iter() {
                    let selector = format!("**.{name}");
                    c = set(space, &c, &Value::str(selector), v, span)?;
                }
            }
            Ok(draft(c))
        }
        HostFn::Decided => {
            let mut c = Candidate::default();
            for pair in args[0].as_list().unwrap_or_default() {
                if let Some([name, v]) = pair.as_list() {
                    let (Some(name), Some(v)) = (name.as_str(), to_choice(v)) else { continue };
                    c.values.insert(name.to_string(), v);
                }
            }
            Ok(candidate(space.fill(&c, rng).map_err(|e| failed(e, span))?))
        }
        HostFn::SpaceSize => {
            let infinite = space.size().is_none_or(|s| s.real > 0);
            let n = space.size().map(|s| match &s.discrete {
                crate::space::count::Count::Exact(n) | crate::space::count::Count::AtMost(n) => {
                    n.to_string().parse().unwrap_or(f64::INFINITY)
                }
            });
            Ok(Value::Float(if infinite { f64::INFINITY } else { n.unwrap_or(f64::INFINITY) }))
        }
        HostFn::Set | HostFn::DraftSet => {
            Ok(draft(set(space, object::<Candidate>(&args[0], span)?, &args[1], &args[2], span)?))
        }
        HostFn::Gaps => {
            let selector = selector_of(&args[1], span)?;
            let gaps = space.gaps(object::<Candidate>(&args[0], span)?, &selector);
            Ok(Value::list(gaps.into_iter().map(|g| {
                let key = format!("{}/{}", g.repeat, g.at);
                Value::Opaque(Opaque::new(Tag::Gap, key, GapObject(g)))
            })))
        }
        HostFn::Insert => {
            let gap = &object::<GapObject>(&args[1], span)?.0;
            Ok(draft(space.insert(object::<Candidate>(&args[0], span)?, gap).map_err(|e| failed(e, span))?))
        }
        HostFn::Remove => {
            let name = selector_of(&args[1], span)?;
            Ok(draft(space.remove(object::<Candidate>(&args[0], span)?, &name).map_err(|e| failed(e, span))?))
        }
        HostFn::Expand => {
            let name = selector_of(&args[1], span)?;
            let Some(v) = to_choice(&args[2]) else { return fail(span, "this is not a value of a decision") };
            Ok(draft(space.expand(object::<Candidate>(&args[0], span)?, &name, &v).map_err(|e| failed(e, span))?))
        }
        HostFn::Fill => Ok(args[0].clone()),
        HostFn::Crossover => {
            let (a, b) = (object::<Candidate>(&args[0], span)?, object::<Candidate>(&args[1], span)?);
            Ok(candidate(space.crossover(a, b, rng).map_err(|e| failed(e, span))?))
        }
        HostFn::Distance => {
            let (a, b) = (object::<Candidate>(&args[0], span)?, object::<Candidate>(&args[1], span)?);
            Ok(Value::Float(space.distance(a, b) as f64))
        }
        HostFn::Redraw => {
            let d = object::<DecisionObject>(&args[0], span)?;
            let not: Vec<Choice> = d.value.iter().cloned().collect();
            Ok(from_choice(&crate::space::sample::draw(&d.decision.domain, &not, rng)))
        }
        HostFn::DraftOpen => Ok(Value::Bool(open(space, object::<Candidate>(&args[0], span)?, span)?.is_some())),
        HostFn::DraftDecision | HostFn::DraftState | HostFn::DraftOptions | HostFn::DraftPick => {
            let Some((d, c)) = open(space, object::<Candidate>(&args[0], span)?, span)? else {
                return fail(span, "nothing of this draft is open");
            };
            match f {
                HostFn::DraftState => Ok(state_of(&d)),
                HostFn::DraftDecision => {
                    Ok(decision(DecisionObject { decision: d, value: None, at: c.values.len(), of: Arc::new(c) }))
                }
                HostFn::DraftOptions => {
                    let options = space.open_options(&c, &d, MAX_LISTED).map_err(|e| failed(e, span))?;
                    Ok(Value::list(options.iter().map(from_choice)))
                }
                _ => {
                    let Some(v) = to_choice(&args[1]).filter(|v| d.domain.contains(v)) else {
                        return fail(
                            span,
                            format!(
                                "`{}` is not an option of `{}`: its options are {}",
                                args[1],
                                d.name,
                                d.domain.describe()
                            ),
                        );
                    };
                    let mut c = c;
                    c.values.insert(d.name, v);
                    Ok(draft(c))
                }
            }
        }
        HostFn::DraftFill => {
            Ok(candidate(space.fill(object::<Candidate>(&args[0], span)?, rng).map_err(|e| failed(e, span))?))
        }
        HostFn::DraftAll => {
            match space.completions(object::<Candidate>(&args[0], span)?, MAX_ALL).map_err(|e| failed(e, span))? {
                Some(all) => Ok(Value::list(all.into_iter().map(candidate))),
                None => fail(span, format!("there are more than {MAX_ALL} ways to decide the rest")),
            }
        }
        HostFn::DraftFinish => match open(space, object::<Candidate>(&args[0], span)?, span)? {
            None => {
                let c = space.fill(object::<Candidate>(&args[0], span)?, rng).map_err(|e| failed(e, span))?;
                Ok(candidate(c))
            }
            Some((d, _)) => fail(span, format!("the draft is not finished: `{}` is open", d.name)),
        },

        HostFn::Vary => {
            let Some(d) = space.design() else {
                return fail(span, "this varies programs, and the candidate is a network");
            };
            let mut p = space.program_of(object::<Candidate>(&args[0], span)?).map_err(|e| failed(e, span))?;
            let x = |k: usize| args[k].as_float().unwrap_or(0.0);
            let kinds =
                Kinds { argument: x(1), instruction: x(2), part: x(3), insert: x(4), remove: x(5), trade: x(6) };
            d.vary(&kinds, rng, &mut p);
            let mut c = space.candidate_of(d, &p);
            // What else the search decides stays.
            for (name, value) in &object::<Candidate>(&args[0], span)?.values {
                if !crate::algo::PARTS.iter().any(|part| name.starts_with(&format!("{part}."))) {
                    c.values.insert(name.clone(), value.clone());
                }
            }
            Ok(candidate(c))
        }
        other => fail(span, format!("`{}` makes no candidate", other.row().name)),
    }
}

fn open(space: &Space, c: &Candidate, span: Span) -> Result<Option<(Decision, Candidate)>, Stop> {
    let mut c = c.clone();
    for _ in 0..10_000 {
        match space.next_open(&c) {
            Ok(None) => return Ok(None),
            Ok(Some(d)) => return Ok(Some((d, c))),
            // What an earlier choice made impossible is open again.
            Err(BuildError::Illegal(d, _)) => {
                c.values.remove(&d.name);
            }
            Err(e) => return Err(failed(e, span)),
        }
    }
    fail(span, "the draft's decisions contradict each other")
}

fn set(space: &Space, c: &Candidate, at: &Value, value: &Value, span: Span) -> Result<Candidate, Stop> {
    let Some(choice) = to_choice(value) else {
        return fail(span, format!("`{value}` is not a value of a decision"));
    };
    let selector = selector_of(at, span)?;
    for d in space.decisions().iter().filter(|d| matches(&selector, &d.decision.name)) {
        let all_there = d.available.iter().all(|&a| a == crate::sema::sym::Num::Bool(true));
        if all_there && !d.decision.domain.contains(&choice) {
            return fail(
                span,
                format!(
                    "`{choice}` is not an option of `{}`: its options are {}",
                    d.decision.name,
                    d.decision.domain.describe()
                ),
            );
        }
    }
    space.set(c, &selector, &choice).map_err(|e| failed(e, span))
}
