//! Runtime objects that programs hold, and conversions.

use std::sync::Arc;

use crate::base::Span;
use crate::data::{Augment, Part, Split};
use crate::diag::{Diagnostic, codes};
use crate::search::engine::Trial;
use crate::search::lang::{Host, HostFn, Opaque, Stop, Tag, Value};
use crate::space::decision::{Candidate, Choice, Decision};

/// Serves nothing: for expressions.
pub struct NoCalls;

impl Host for NoCalls {
    fn call(&mut self, f: HostFn, _: &[Value], span: Span) -> Result<Value, Stop> {
        fail(span, format!("`{}` cannot be used here", f.row().name))
    }
}

/// A failed call.
pub fn fail<T>(span: Span, message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(Box::new(Diagnostic::new(&codes::CALL_FAILED, span, message).here("in this call"))))
}

/// A decision of a candidate.
pub struct DecisionObject {
    pub decision: Decision,
    pub value: Option<Choice>,
    pub at: usize,
    pub of: Arc<Candidate>,
}

/// Data that programs read.
pub struct DataObject {
    pub split: Arc<Split>,
    /// The part; none for the data as a whole.
    pub part: Option<Part>,
    pub augment: Augment,
}

/// A place where a layer may be inserted.
pub struct GapObject(pub crate::space::edit::Gap);

/// Named numbers.
pub struct MetricsObject(pub Vec<(String, f64)>);

/// The endless stream of results.
pub struct ResultsObject;

pub fn candidate(c: Candidate) -> Value {
    let key = c.genotype_key();
    Value::Opaque(Opaque::new(Tag::Candidate, key, c))
}

pub fn draft(c: Candidate) -> Value {
    let key = c.genotype_key();
    Value::Opaque(Opaque::new(Tag::Draft, key, c))
}

pub fn trial(t: Arc<Trial>) -> Value {
    let key = t.id.to_string();
    Value::Opaque(Opaque::new(Tag::Trial, key, t))
}

pub fn decision(d: DecisionObject) -> Value {
    let key = d.decision.name.clone();
    Value::Opaque(Opaque::new(Tag::Decision, key, d))
}

/// Numbers, under a key that tells where they come from.
pub fn metrics(key: String, m: Vec<(String, f64)>) -> Value {
    Value::Opaque(Opaque::new(Tag::Metrics, key, MetricsObject(m)))
}

pub fn data(d: DataObject) -> Value {
    let role = d.part.as_ref().map_or("all", |p| p.role().name());
    let key = format!("{role}/{}/{:?}", d.part.as_ref().map_or(0, Part::len), d.augment);
    Value::Opaque(Opaque::new(Tag::Data, key, d))
}

/// A decision's value in a program.
pub fn from_choice(c: &Choice) -> Value {
    match c {
        Choice::Int(i) => Value::Int(*i),
        Choice::Float(x) => Value::Float(*x),
        Choice::Bool(b) => Value::Bool(*b),
        Choice::Text(s) => Value::str(s.as_str()),
        Choice::Many(v) => Value::list(v.iter().map(from_choice)),
    }
}

/// A program's value as a decision's.
pub fn to_choice(v: &Value) -> Option<Choice> {
    Some(match v {
        Value::Int(i) => Choice::Int(*i),
        Value::Float(x) => Choice::Float(*x),
        Value::Bool(b) => Choice::Bool(*b),
        Value::Str(s) => Choice::Text(s.to_string()),
        Value::None => Choice::Text("none".to_string()),
        Value::List(xs) | Value::Tuple(xs) => Choice::Many(xs.iter().map(to_choice).collect::<Option<_>>()?),
        Value::Record(_) | Value::Opaque(_) | Value::Op(_) => return None,
    })
}
