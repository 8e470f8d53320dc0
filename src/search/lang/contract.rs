//! The contract between programs and the runtime, as one table: what a strategy and an evaluation may ask for.
//! Everything published is written on these calls; what a method needs beyond them is library code in `.nas`.

use std::sync::OnceLock;

use super::host::Value;
use super::types::{Tag, Type};

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Programs that move a search.
    Strategy,
    /// Programs that score one candidate.
    Evaluation,
    /// Both.
    Both,
}

/// How a row is written in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `f(..)`
    Free,
    /// A bare name.
    Global,
    /// `receiver.f(..)`
    Method,
    /// `receiver.f(..)` that also gives the receiver its new value where the receiver is a variable.
    Update,
    /// `receiver.f`
    Field,
}

/// One row of the table. `params` includes the receiver, named `self`.
#[derive(Clone, Debug)]
pub struct Row {
    /// The call.
    pub f: HostFn,
    /// Its name in programs.
    pub name: &'static str,
    /// Its form.
    pub form: Form,
    /// Its parameters, the receiver first.
    pub params: Vec<RowParam>,
    /// Its result.
    pub result: Type,
    /// Who may call it.
    pub who: Who,
    /// One line of documentation.
    pub doc: &'static str,
}

/// A parameter of a call.
#[derive(Clone, Debug)]
pub struct RowParam {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// What it is when left out.
    pub default: Option<Value>,
}

/// Reads `a: int, b: trial? = none` of a table; `None` where it is not well formed.
pub fn read_params(text: &str) -> Option<Vec<RowParam>> {
    let mut out = Vec::new();
    let (mut depth, mut start) = (0, 0);
    let mut parts = Vec::new();
    for (i, c) in text.char_indices() {
        match c {
            '(' | '{' | '<' => depth += 1,
            ')' | '}' => depth -= 1,
            '>' if !text[..i].ends_with('-') => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    for part in parts.iter().map(|p| p.trim()).filter(|p| !p.is_empty()) {
        let (name, rest) = part.split_once(':')?;
        let (ty, default) = match rest.split_once('=') {
            Some((ty, value)) => (ty, Some(read_value(value.trim())?)),
            None => (rest, None),
        };
        out.push(RowParam { name: name.trim().into(), ty: Type::parse(ty)?, default });
    }
    Some(out)
}

fn read_value(text: &str) -> Option<Value> {
    Some(match text {
        "none" => Value::None,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if text.starts_with('"') => Value::str(text.trim_matches('"')),
        _ if text.contains('.') => Value::Float(text.parse().ok()?),
        _ => Value::Int(text.parse().ok()?),
    })
}

macro_rules! contract {
    ($($f:ident $who:ident $form:ident $(on $on:literal)? $name:literal ($params:literal) -> $result:literal, $doc:literal;)*) => {
        /// Every call that the runtime serves. The table in this file's source says what each takes and gives.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum HostFn {
            $(#[doc = $doc] $f,)*
        }
        const TABLE: &[(HostFn, Who, Form, &str, &str, &str, &str, &str)] = &[
            $((HostFn::$f, Who::$who, Form::$form, concat!($($on)?), $name, $params, $result, $doc),)*
        ];
    };
}

contract! {
    // Candidates from nothing.
    Random Strategy Free "random" ("") -> "candidate", "A candidate drawn decision by decision, uniformly over what can be completed.";
    Begin Strategy Free "begin" ("fixed: F = none") -> "draft", "A draft with nothing decided but the decisions named by the fields of `fixed`.";
    Decided Strategy Free "candidate_of" ("values: list<(string, option)>") -> "candidate", "The candidate with these decisions; the rest is drawn.";
    SpaceSize Strategy Free "space_size" ("") -> "float", "How many candidates the space has; infinite where it is.";
    Objectives Strategy Free "objectives" ("") -> "int", "How many objectives the search has.";
    Budget Strategy Free "budget_left" ("") -> "float", "The share of the budget that is left, from 1 to 0.";

    // Trials.
    Submit Strategy Free "submit" ("c: candidate, inherit: trial? = none, until: int? = none, repeat: int = 1") -> "()", "Has a candidate evaluated; its trial comes out of `results()`.";
    Results Strategy Free "results" ("") -> "stream<trial>", "Finished trials, as they come; it does not end before the budget does.";
    Evaluate Strategy Free "evaluate" ("c: candidate, inherit: trial? = none, until: int? = none, repeat: int = 1") -> "trial", "Evaluates a candidate and waits for it.";
    EvaluateAll Strategy Free "evaluate_all" ("cs: list<candidate>, until: int? = none, repeat: int = 1") -> "list<trial>", "Evaluates a round in parallel; the trials in the order of the candidates.";
    ResumeAll Strategy Free "resume_all" ("ts: list<trial>, until: int? = none") -> "list<trial>", "Continues a round in parallel; the trials in the same order.";
    History Strategy Free "history" ("") -> "list<trial>", "All trials so far, oldest first.";
    Best Strategy Free "best" ("") -> "trial?", "The best trial so far, if one has a reward.";
    Resume Strategy Method on "trial" "resume" ("until: int? = none") -> "trial", "Continues a trial that stopped early and waits for it.";
    Fittest Strategy Free "fittest" ("ts: list<trial>, among: int = 0") -> "trial", "The one with the greatest reward, the first of equals, of so many drawn with replacement, or of all; a failed one is the least.";
    TrialReward Strategy Field on "trial" "reward" ("") -> "float?", "The objective's value; absent where the trial failed.";
    TrialObjectives Strategy Field on "trial" "objectives" ("") -> "list<float>", "All objectives, each turned so that more is better; minus infinity where the trial failed.";
    TrialMetrics Strategy Field on "trial" "metrics" ("") -> "metrics", "What the evaluation returned; `t.metrics.accuracy` is absent where there is none.";
    TrialCurve Strategy Field on "trial" "curve" ("") -> "list<float>", "The values that the evaluation reported, in order.";
    TrialStatus Strategy Field on "trial" "status" ("") -> "string", "`ok`, `stopped` or `failed`.";
    TrialCandidate Strategy Field on "trial" "candidate" ("") -> "candidate", "What was evaluated.";
    TrialId Strategy Field on "trial" "id" ("") -> "int", "Its number, from 0 in the order of submission.";
    TrialEpochs Strategy Field on "trial" "epochs" ("") -> "int", "How many steps were reported.";
    TrialPath Strategy Method on "trial" "path" ("") -> "list<(option, option, { options: list<option>, state: option, terminal: bool })>", "The decisions in their order: state, choice, and what came next.";
    MetricsGet Strategy Method on "metrics" "get" ("name: string") -> "float?", "A metric by name.";
    MetricsNames Strategy Method on "metrics" "names" ("") -> "list<string>", "The names of the metrics.";

    // Candidates and their decisions.
    Decisions Both Method on "candidate" "decisions" ("at: selector = \"**\"") -> "list<decision>", "The decisions that a selector names, in the order in which they are made.";
    Set Strategy Method on "candidate" "set" ("at: selector, value: option") -> "draft", "The candidate with other values there; decisions that open up are undecided.";
    Gaps Strategy Method on "candidate" "gaps" ("at: selector = \"**\"") -> "list<gap>", "The places where an element may be inserted.";
    Insert Strategy Method on "candidate" "insert" ("at: gap") -> "draft", "The candidate with a new element there.";
    Remove Strategy Method on "candidate" "remove" ("at: decision") -> "draft", "The candidate without the element of a decision.";
    Expand Strategy Method on "candidate" "expand" ("at: decision, value: option") -> "draft", "The candidate with a part replaced by a deeper one.";
    Fill Strategy Method on "candidate" "fill" ("") -> "candidate", "The candidate itself: nothing is open.";
    Crossover Strategy Free "crossover" ("fitter: candidate, other: candidate") -> "candidate", "Each decision from one of the two; what only the fitter has is kept.";
    Vary Strategy Method on "candidate" "vary" ("argument: float, instruction: float, part: float, insert: float, remove: float, trade: float") -> "candidate", "A program with one random change; the numbers are the relative probabilities of its kinds.";
    Distance Strategy Free "distance" ("a: candidate, b: candidate") -> "float", "In how many decisions they differ.";
    Key Strategy Method on "candidate" "key" ("") -> "string", "The canonical form: equal for candidates with the same network.";
    Encoding Both Method on "candidate" "encoding" ("") -> "list<float>", "A vector of fixed length for predictors.";
    CandidateKind Both Field on "candidate" "kind" ("") -> "string", "What it is: `network` or `program`.";
    Json Both Method on "candidate" "json" ("") -> "string", "The candidate as it is stored.";
    DecisionName Both Field on "decision" "name" ("") -> "string", "Its full name, `cell.edge(0,1).op`.";
    DecisionKind Both Field on "decision" "kind" ("") -> "string", "Its name without indices, `cell.edge.op`.";
    DecisionOwner Both Field on "decision" "owner" ("") -> "string", "The motif or block that it belongs to.";
    DecisionLevel Both Field on "decision" "level" ("") -> "int", "How deep it is nested.";
    DecisionIndex Both Field on "decision" "index" ("") -> "int", "Its place among the candidate's decisions.";
    DecisionValue Both Field on "decision" "value" ("") -> "option", "What was decided.";
    DecisionOptions Both Field on "decision" "options" ("") -> "list<option>", "All its values.";
    DecisionArity Both Field on "decision" "arity" ("") -> "int", "How many values it has.";
    Redraw Strategy Method on "decision" "redraw" ("") -> "option", "Another value, drawn by the space's probabilities; for real numbers as well.";
    Others Both Method on "decision" "others" ("") -> "list<option>", "Its values but the present one.";
    Next Both Method on "decision" "next" ("") -> "decision?", "The decision after it.";

    // Drafts.
    DraftOpen Strategy Method on "draft" "open" ("") -> "bool", "Whether something is undecided.";
    DraftDecision Strategy Method on "draft" "decision" ("") -> "decision", "The first undecided decision.";
    DraftOptions Strategy Method on "draft" "options" ("") -> "list<option>", "Its values that can be completed.";
    DraftState Strategy Method on "draft" "state" ("") -> "option", "What it may be decided by (`given`), or its name.";
    DraftPick Strategy Update on "draft" "pick" ("value: option") -> "draft", "Decides the first undecided decision.";
    DraftSet Strategy Method on "draft" "set" ("at: selector, value: option") -> "draft", "The draft with other values there.";
    DraftFill Strategy Method on "draft" "fill" ("") -> "candidate", "The rest drawn uniformly.";
    DraftAll Strategy Method on "draft" "all" ("") -> "list<candidate>", "Every way to decide the rest.";
    DraftFinish Strategy Method on "draft" "finish" ("") -> "candidate", "The candidate; it is an error if something is undecided.";

    // Chance: draws from the program's own random stream.
    Flip Both Free "flip" ("p: float") -> "bool", "True with probability p.";
    Uniform Both Free "uniform" ("lo: float = 0.0, hi: float = 1.0") -> "float", "A number of an interval.";
    Normal Both Free "normal" ("") -> "float", "A standard normal number.";
    Below Both Free "below" ("n: int") -> "int", "One of 0, 1, .., n - 1.";

    // Progress.
    Report Both Free "report" ("step: int, value: float") -> "()", "A point of the learning curve; a trial may be stopped here.";
    Log Both Free "log" ("value: T") -> "()", "Writes to the run's log.";
    Fail Both Free "fail" ("reason: string") -> "()", "Ends the evaluation, which fails for this reason, or the strategy's search.";

    // Evaluations.
    Candidate Evaluation Global "candidate" ("") -> "candidate", "What is to be scored.";
    Data Both Global "data" ("") -> "data", "The search's data.";
    Until Evaluation Global "until" ("") -> "int?", "The step at which this evaluation stops, if it was asked to.";
    Build Evaluation Free "build" ("c: candidate, inherit: model? = none, scale: float = 1.0") -> "model", "The candidate's network with fresh weights, or those that it inherits.";
    ModelFit Evaluation Method on "model" "fit" ("data: data, batch: int, optimizer: op, knobs: K = none, loss: op? = none, clip: float? = none") -> "float", "Trains for one pass over the data; the mean loss.";
    ModelScore Evaluation Method on "model" "score" ("data: data, metric: op? = none") -> "float", "A metric on data; by default that of the data's task.";
    ModelParams Evaluation Method on "model" "params" ("") -> "float", "How many weights it has.";
    ModelFlops Evaluation Method on "model" "flops" ("") -> "float", "Multiplications and additions for one example.";
    ModelLatency Evaluation Method on "model" "latency" ("batch: int = 1") -> "float", "Measured seconds for one batch.";
    ModelMemory Evaluation Method on "model" "memory" ("") -> "float", "Bytes of activations and weights.";
    DataTrain Both Field on "data" "train" ("") -> "data", "The part that weights are fitted on.";
    DataValid Both Field on "data" "valid" ("") -> "data", "The part that candidates are compared on.";
    DataPart Both Method on "data" "part" ("fraction: float") -> "data", "A fixed random part.";
    DataAugment Both Method on "data" "augment" ("crop: int = 0, flip: bool = false, cutout: int = 0") -> "data", "The same data, changed at random each time it is read.";
    DataBatches Both Method on "data" "batches" ("batch: int") -> "stream<batch>", "All examples once, in random order.";
    DataNext Both Method on "data" "next" ("batch: int") -> "batch", "The next batch, without end.";
    DataLen Both Method on "data" "len" ("") -> "int", "How many examples.";
    DataClasses Both Method on "data" "classes" ("") -> "int", "How many classes.";
    TableLookup Evaluation Free "lookup" ("c: candidate, file: string, column: string, key: string = \"\"") -> "metrics", "The row of a file of results whose column holds the key, in which `{decision}` stands for the candidate's value; without a key its JSON.";
    TableMetric Evaluation Method on "metrics" "metric" ("name: string") -> "float", "A column of the row; it is an error if there is none.";

    Tasks Evaluation Free "tasks" ("") -> "int", "How many tasks the data has, in searches for algorithms.";
    RunTasks Evaluation Free "run_tasks" ("c: candidate, first: int, count: int, train: int, valid: int, epochs: int = 1, worst: float = 100.0, loss: string = \"squared\"") -> "list<float>", "A program learns `count` tasks from the `first` on: its best mean loss on each, infinite where an error passed `worst`. The loss is `squared`, `wrong` or `log`.";

    TaskFitness Evaluation Free "task_fitness" ("c: candidate, first: int, count: int, train: int, valid: int, epochs: int = 1, worst: float = 100.0, loss: string = \"squared\", combine: string = \"mean\"") -> "float", "The same as a fitness from 0 to 1, the mean or the median over tasks: of the squared error `1 - 2 atan(sqrt(x)) / pi`, of `wrong` its rest, of `log` `exp(-x)`.";
    Recall Evaluation Free "recall" ("c: candidate, examples: int, worst: float = 100.0") -> "float?", "What was remembered last of a program that predicts the same as this one, bit for bit, for the first examples of the first tasks.";
    Remember Evaluation Free "remember" ("value: float") -> "()", "Remembers it for programs that predict the same as the one that was asked for last.";
    Instructions Evaluation Free "instructions" ("c: candidate") -> "int", "How many of a program's instructions matter for what it predicts.";

    // Streams.
    StreamNext Both Method on "stream<T>" "take_one" ("") -> "T?", "The next element, or none at the end.";
}

/// The whole table, parsed.
pub fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        TABLE
            .iter()
            .filter_map(|&(f, who, form, on, name, params, result, doc)| {
                let mut all = Vec::new();
                if !on.is_empty() {
                    all.push(RowParam { name: "self".into(), ty: Type::parse(on)?, default: None });
                }
                all.extend(read_params(params)?);
                Some(Row { f, name, form, params: all, result: Type::parse(result)?, who, doc })
            })
            .collect()
    })
}

impl HostFn {
    /// Its row.
    pub fn row(self) -> &'static Row {
        &rows()[self as usize]
    }
}

/// The free call or global of this name.
pub fn free(name: &str) -> Option<&'static Row> {
    rows().iter().find(|r| r.name == name && matches!(r.form, Form::Free | Form::Global))
}

/// The method or field of this name on a type.
pub fn member(on: &Type, name: &str) -> Option<&'static Row> {
    rows().iter().find(|r| {
        r.name == name
            && matches!(r.form, Form::Method | Form::Update | Form::Field)
            && match (&r.params[0].ty, on) {
                (Type::Stream(_), Type::Stream(_)) => true,
                (a, b) => a == b,
            }
    })
}

/// The names of a type's methods and fields.
pub fn members(on: &Type) -> Vec<&'static str> {
    rows()
        .iter()
        .filter(|r| matches!(r.form, Form::Method | Form::Update | Form::Field) && r.params[0].ty == *on)
        .map(|r| r.name)
        .collect()
}

/// Names of the contract that this version does not serve, and what each needs.
pub const LATER: &[(&str, &str)] = &[
    ("policy", "controllers"),
    ("strongest", "controllers"),
    ("supernet", "weight sharing"),
    ("hypernet", "weight sharing"),
    ("costs", "differentiable costs"),
    ("surrogate", "predictors"),
    ("table", "value tables"),
    ("episode", "controllers"),
    ("episodes", "environments"),
    ("environment", "environments"),
    ("topology", "topology spaces"),
];

/// Calls that type-check but that this version does not serve, and what each needs.
pub const UNSERVED: &[(HostFn, &str)] =
    &[(HostFn::DataBatches, "weight sharing"), (HostFn::DataNext, "weight sharing")];

/// Types whose values only later calls make.
pub fn later_type(tag: Tag) -> Option<&'static str> {
    match tag {
        Tag::Policy | Tag::Episode => Some("controllers"),
        Tag::Supernet => Some("weight sharing"),
        Tag::Costs => Some("differentiable costs"),
        Tag::Surrogate => Some("predictors"),
        Tag::Table => Some("value tables"),
        Tag::Environment => Some("environments"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_well_formed_and_in_its_place() {
        assert_eq!(rows().len(), TABLE.len(), "a row's parameters or result do not parse");
        for (i, row) in rows().iter().enumerate() {
            assert_eq!(row.f as usize, i);
            assert!(row.doc.ends_with('.'), "{}", row.name);
            let again = rows()
                .iter()
                .filter(|r| r.name == row.name && r.params.first().map(|p| &p.ty) == row.params.first().map(|p| &p.ty));
            assert_eq!(again.count(), 1, "{} stands twice", row.name);
        }
    }

    #[test]
    fn members_are_found_by_receiver() {
        assert_eq!(member(&Type::Opaque(Tag::Draft), "set").map(|r| r.f), Some(HostFn::DraftSet));
        assert_eq!(member(&Type::Opaque(Tag::Candidate), "set").map(|r| r.f), Some(HostFn::Set));
        assert_eq!(member(&Type::Int, "set").map(|r| r.f), None);
    }
}
