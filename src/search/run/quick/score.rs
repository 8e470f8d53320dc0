//! One evaluation after the other: the evaluation's program on a heap that stays, over a machine that stays.

use std::sync::atomic::AtomicBool;

use crate::algo::runner::Runner;
use crate::algo::task::{Loss, Schedule, Tasks};
use crate::algo::{Program, Set};
use crate::base::Span;
use crate::search::engine::{Failure, FailureKind};
use crate::search::lang::{Handle, Heap, Host, HostFn, Obj, Stop, Tag, Type, Value};
use crate::search::run::objects::{NoCalls, fail};
use crate::search::setup::{Argument, Search};

use super::cache::Cache;

/// What came of an evaluation, in places that are used again.
#[derive(Debug, Default)]
pub struct Scored {
    /// The objectives; empty where it failed.
    pub rewards: Vec<f64>,
    /// In the order of the search's metrics.
    pub metrics: Vec<f64>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What was looked for in the cache, and found.
    pub looked: Vec<(u64, Option<u64>)>,
    /// What is to be remembered once the result is seen.
    pub remembered: Vec<(u64, u64)>,
    /// Examples that were learned from, over all tasks.
    pub steps: u64,
}

impl Scored {
    fn clear(&mut self) {
        self.rewards.clear();
        self.metrics.clear();
        self.looked.clear();
        self.remembered.clear();
        self.failure = None;
        self.steps = 0;
    }
}

/// How an objective is computed.
enum Goal {
    /// It is a metric as it is, by its place.
    Metric(usize),
    /// Its program.
    Program(Heap),
}

/// Scores programs on one thread.
pub struct Scorer<'s> {
    search: &'s Search,
    tasks: &'s Tasks,
    set: &'s Set,
    runner: Runner,
    heap: Heap,
    args: Vec<u64>,
    goals: Vec<Goal>,
    /// Where the evaluation's record has each metric, and its type.
    fields: Vec<(usize, Type)>,
    stop: AtomicBool,
}

impl<'s> Scorer<'s> {
    /// For a search that [`super::fits`].
    pub fn new(search: &'s Search) -> Option<Self> {
        Self::on(search, search.tasks.as_deref()?)
    }

    /// The same on other tasks.
    pub fn on(search: &'s Search, tasks: &'s Tasks) -> Option<Self> {
        let design = search.space.design()?;
        let Type::Record(fields) = search.evaluation.0.result() else { return None };
        let place = |name: &String| {
            let at = fields.iter().position(|f| f.0 == *name)?;
            Some((at, fields[at].1.clone()))
        };
        let goals = search.objectives.iter().map(|g| {
            let known = search.metrics.iter().position(|m| *m == g.text);
            known.map_or_else(|| Goal::Program(Heap::new()), Goal::Metric)
        });
        let mut s = Self {
            search,
            tasks,
            set: &design.set,
            runner: Runner::default(),
            heap: Heap::new(),
            args: Vec::new(),
            goals: goals.collect(),
            fields: search.metrics.iter().filter_map(place).collect(),
            stop: AtomicBool::new(false),
        };
        s.renew();
        Some(s)
    }

    fn renew(&mut self) {
        let values: Vec<Value> = self.search.evaluation.1.iter().map(given).collect();
        (self.heap, self.args) = self.search.evaluation.0.heap(&values);
    }

    /// Evaluates a program.
    pub fn score(&mut self, program: &Program, cache: &Cache, out: &mut Scored) {
        out.clear();
        self.runner.load(self.set, program);
        let mut host = EvaluationHost {
            tasks: self.tasks,
            set: self.set,
            runner: &mut self.runner,
            program,
            cache,
            out,
            print: None,
        };
        let result = self.search.evaluation.0.again(&mut self.heap, &self.args, &mut host, &self.stop);
        out.steps = self.runner.steps;
        match result {
            Ok(slot) => {
                for (at, ty) in &self.fields {
                    let x = self.heap.items(slot).get(*at).copied().unwrap_or(0);
                    out.metrics.push(number(&self.heap, x, ty));
                }
                self.heap.release(slot);
                self.heap.dropped.clear();
                if let Some(k) = out.metrics.iter().position(|x| x.is_nan()) {
                    let name = &self.search.metrics[k];
                    out.failure = Some(Failure::new(FailureKind::Nan, format!("the metric `{name}` is not a number")));
                    return;
                }
                self.rewards(out);
            }
            Err(stop) => {
                let reason = match stop {
                    Stop::Failed(d) => d.message,
                    Stop::Finished => "the evaluation was stopped".to_string(),
                };
                out.failure = Some(Failure::new(FailureKind::Other, reason));
                self.renew();
            }
        }
    }

    fn rewards(&mut self, out: &mut Scored) {
        for (goal, g) in self.goals.iter_mut().zip(&self.search.objectives) {
            let x = match goal {
                Goal::Metric(k) => out.metrics[*k],
                Goal::Program(heap) => {
                    let slots: Vec<u64> = out.metrics.iter().map(|x| x.to_bits()).collect();
                    match g.program.again(heap, &slots, &mut NoCalls, &self.stop) {
                        Ok(x) if *g.program.result() == Type::Int => x as i64 as f64,
                        Ok(x) => f64::from_bits(x),
                        Err(_) => {
                            *heap = Heap::new();
                            f64::NAN
                        }
                    }
                }
            };
            out.rewards.push(x * g.sign);
        }
        if let Some(k) = out.rewards.iter().position(|x| !x.is_finite()) {
            let text = &self.search.objectives[k].text;
            out.failure =
                Some(Failure::new(FailureKind::Nan, format!("the objective `{text}` is not a finite number")));
            out.rewards.clear();
        }
    }
}

fn given(a: &Argument) -> Value {
    match a {
        Argument::Value(v) => v.clone(),
        Argument::Decided(..) => Value::None,
    }
}

fn number(heap: &Heap, slot: u64, ty: &Type) -> f64 {
    match ty {
        Type::Int | Type::Bool => slot as i64 as f64,
        Type::Optional(_) if slot == 0 => f64::NAN,
        Type::Optional(t) => heap.items(slot).first().map_or(f64::NAN, |x| number(heap, *x, t)),
        _ => f64::from_bits(slot),
    }
}

/// Serves one evaluation.
struct EvaluationHost<'a> {
    tasks: &'a Tasks,
    set: &'a Set,
    runner: &'a mut Runner,
    program: &'a Program,
    cache: &'a Cache,
    out: &'a mut Scored,
    print: Option<u64>,
}

impl EvaluationHost<'_> {
    /// The tasks' losses of a call's arguments.
    fn run(&mut self, heap: &Heap, a: &[u64], span: Span) -> Result<Schedule, Stop> {
        let whole = |k: usize| (a[k] as i64).max(0) as usize;
        let loss = match heap.get(a[7]) {
            Obj::Str(s) => Loss::named(s),
            _ => None,
        };
        let Some(loss) = loss else { return fail(span, "a loss is squared, wrong or log") };
        let (first, count) = (whole(1), whole(2));
        let there = self.tasks.tasks.len();
        if first + count > there {
            return fail(span, format!("there are {there} tasks, not {}", first + count));
        }
        let s = Schedule {
            first,
            count,
            train: whole(3),
            valid: whole(4),
            epochs: whole(5).max(1),
            worst: f64::from_bits(a[6]),
            loss,
        };
        self.runner.losses(self.tasks, self.set, self.program, &s);
        Ok(s)
    }
}

impl Host for EvaluationHost<'_> {
    fn call(&mut self, f: HostFn, args: &[Value], span: Span) -> Result<Value, Stop> {
        match f {
            HostFn::Fail => fail(span, args[0].as_str().unwrap_or("it failed")),
            f => fail(span, format!("`{}` cannot be used here", f.row().name)),
        }
    }

    fn quick(&mut self, f: HostFn, heap: &mut Heap, a: &[u64], span: Span) -> Option<Result<u64, Stop>> {
        Some(match f {
            HostFn::Candidate => Ok(heap.add(Obj::Handle(Tag::Candidate, 0))),
            HostFn::Tasks => Ok(self.tasks.tasks.len() as u64),
            HostFn::Instructions => Ok(self.runner.instructions() as u64),
            HostFn::RunTasks => self.run(heap, a, span).map(|_| {
                let items = self.runner.found().iter().map(|x| x.to_bits()).collect();
                heap.list(items, &Type::Float)
            }),
            HostFn::TaskFitness => match self.run(heap, a, span) {
                Ok(s) => match heap.get(a[8]) {
                    Obj::Str(c) if **c == *"mean" => Ok(self.runner.fitness(s.loss, false).to_bits()),
                    Obj::Str(c) if **c == *"median" => Ok(self.runner.fitness(s.loss, true).to_bits()),
                    _ => fail(span, "tasks are combined by `mean` or `median`"),
                },
                Err(e) => Err(e),
            },
            HostFn::Recall => {
                let (examples, worst) = ((a[1] as i64).max(0) as usize, f64::from_bits(a[2]));
                let print = self.runner.print(self.tasks, self.set, self.program, examples, worst);
                self.print = Some(print);
                let found = self.cache.get(print);
                self.out.looked.push((print, found));
                Ok(found.map_or(0, |x| heap.add(Obj::Boxed(x))))
            }
            HostFn::Remember => {
                match self.print {
                    Some(print) => self.out.remembered.push((print, a[0])),
                    None => return Some(fail(span, "there is nothing to remember it by: ask with `recall(..)` first")),
                }
                Ok(0)
            }
            _ => return None,
        })
    }
}

/// Whether a value is a handle of this arena's kind.
pub fn handle_of(v: &Value) -> Option<u64> {
    v.object::<Handle>().map(|h| h.0)
}
