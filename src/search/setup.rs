//! A `search` block: which data, space, evaluation, strategy and objective, and how long.
//!
//! Everything is checked and compiled here, so that nothing is left to fail after hours.

mod serve;
mod tasks;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::algo::task::Tasks;
use crate::base::Span;
use crate::data::{self, DataCall, Dataset, Fractions, Split};
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::learn::step::Target;
use crate::sema::modules::{ItemRef, ModuleId, Program, item_name};
use crate::space::{DataShape, InputShape, Space, has_choice};
use crate::syntax::ast::{self, Expr, ExprKind, ItemKind, Unit};

use super::engine::Budget;
use super::lang::env::{module_of, scope_of};
use super::lang::{self, Env, Item, Type, Value};

/// The fields of a `search` block.
pub const FIELDS: &[&str] =
    &["data", "space", "evaluate", "strategy", "objective", "budget", "workers", "seed", "deterministic", "memory"];

/// The kinds of budget.
const BUDGETS: &[&str] = &["trials", "seconds", "minutes", "hours", "days", "simulated", "epochs", "steps"];

/// A search, ready to run.
pub struct Search {
    /// The program.
    pub program: Arc<Program>,
    /// The block.
    pub item: ItemRef,
    /// Its name.
    pub name: String,
    /// The data in its parts.
    pub split: Split,
    /// The tasks of the data, if it has several, for programs.
    pub tasks: Option<Arc<Tasks>>,
    /// Tasks that choose among what the search found, and tasks that only the last report sees.
    pub held_out: Option<(Arc<Tasks>, Arc<Tasks>)>,
    /// What is predicted.
    pub target: Target,
    /// The space, checked for this data.
    pub space: Arc<Space>,
    /// What programs can name.
    pub env: Arc<Env>,
    /// The strategy and its arguments.
    pub strategy: (lang::Program, Vec<Value>),
    /// The evaluation and its arguments; those that are decisions are found among a candidate's extras by name.
    pub evaluation: (lang::Program, Vec<Argument>),
    /// The objectives, all to be maximized.
    pub objectives: Vec<Goal>,
    /// The metrics that the evaluation returns.
    pub metrics: Vec<String>,
    /// When it ends.
    pub budget: Budget,
    /// Evaluations at the same time; `None` is one for each core.
    pub workers: Option<usize>,
    /// The seed of everything.
    pub seed: u64,
    /// Whether it must be reproducible whatever the number of workers.
    pub deterministic: bool,
    /// Most bytes that one child may use.
    pub memory: Option<u64>,
    /// The configuration as stored with the run.
    pub config: Json,
}

/// An argument of the evaluation.
#[derive(Clone, Debug)]
pub enum Argument {
    /// A value.
    Value(Value),
    /// A decision of the candidate: the name under which it is found.
    Decided(String, Type),
}

/// One objective.
pub struct Goal {
    /// As it was written.
    pub text: String,
    /// From the metrics, in the order of [`Search::metrics`], to a number to be maximized.
    pub program: lang::Program,
    /// -1 for `minimize`.
    pub sign: f64,
}

/// What a run may change of a search block from the command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `--trials`
    pub trials: Option<u64>,
    /// `--time`, in seconds.
    pub seconds: Option<f64>,
    /// `--workers`
    pub workers: Option<usize>,
    /// `--seed`
    pub seed: Option<u64>,
}

/// Reads a data set, or takes it from where it is kept.
pub type Open<'a> = dyn Fn(&DataCall) -> Result<Dataset, Diagnostic> + 'a;

struct Reader<'a> {
    program: &'a Arc<Program>,
    module: ModuleId,
    scope: usize,
    env: &'a Env,
    open: &'a Open<'a>,
    errors: Vec<Diagnostic>,
    /// What the data calls gave besides a data set.
    tasks: Option<tasks::Sets>,
}

impl Search {
    /// Reads, checks and compiles a search. Relative paths of data start at `base`.
    pub fn new(
        program: &Arc<Program>,
        item: ItemRef,
        base: &Path,
        overrides: &Overrides,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        Self::with(program, &Arc::new(Env::of_program(program)), item, base, overrides, &data::open)
    }

    /// The same, where the program's environment is there already, and `open` reads the data.
    pub fn with(
        program: &Arc<Program>,
        env: &Arc<Env>,
        item: ItemRef,
        base: &Path,
        overrides: &Overrides,
        open: &Open,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let ItemKind::Search(block) = &program.item(item).kind else { return Err(Vec::new()) };
        let scope = scope_of(item.module);
        let mut r = Reader { program, module: item.module, scope, env, open, errors: Vec::new(), tasks: None };
        r.known_fields(block);
        let field = |name: &str| block.fields.iter().find(|f| f.0.name == name).map(|f| &f.1);

        let seed = overrides.seed.or_else(|| field("seed").and_then(|e| r.int(e)).map(|i| i as u64)).unwrap_or(0);
        let workers = overrides.workers.or_else(|| {
            let e = field("workers")?;
            let n = r.int(e)?;
            if n < 1 {
                r.errors.push(Diagnostic::new(&codes::SEARCH_FIELD, e.span, "a search needs at least one worker"));
            }
            Some(n.max(1) as usize)
        });
        let deterministic = field("deterministic").and_then(|e| r.boolean(e)).unwrap_or(false);
        let memory = field("memory").and_then(|e| r.bytes(e));
        let mut budget = field("budget").map(|e| r.budget(e)).unwrap_or_default();
        if overrides.trials.is_some() || overrides.seconds.is_some() {
            budget = Budget { trials: overrides.trials, seconds: overrides.seconds, ..Budget::default() };
        }
        if budget == Budget::default() {
            budget.trials = Some(100);
        }

        let data = r.data(block, field("data"), base, seed);
        let shape = data.as_ref().map(|(d, _)| data_shape(d));
        let space = shape.and_then(|(shape, target)| {
            let (space, errors) = Space::of_search(program, item, shape);
            r.errors.extend(errors);
            Some((Arc::new(space?), target))
        });

        let evaluation = r.call(field("evaluate"), "evaluate", "train", ast::FunKind::Evaluation);
        let strategy = r.call(field("strategy"), "strategy", "random_search", ast::FunKind::Strategy);
        let metrics = evaluation.as_ref().map(|e| e.metrics.clone()).unwrap_or_default();
        let objectives = match (field("objective"), &evaluation) {
            (Some(e), Some(_)) => r.objectives(e, &metrics),
            (None, Some(_)) => r.default_objective(block, &metrics),
            (_, None) => Vec::new(),
        };
        if let (Some(e), Some(call)) = (&evaluation, field("evaluate")) {
            r.measured(e, &objectives, call.span);
        }
        if let (Some(s), Some((space, _))) = (&strategy, &space) {
            r.servable(s, space);
        }
        if let (Some(e), Some((space, _)), Some(at)) = (&evaluation, &space, field("space")) {
            r.scorable(e, space, field("data").map_or(at.span, |d| d.span));
        }
        let tasks = r.tasks.take();
        let mut all = std::mem::take(&mut r.errors);
        if all.iter().any(|d| d.severity == crate::diag::Severity::Error) {
            return Err(all);
        }
        let (Some((dataset, split)), Some((space, target)), Some(evaluation), Some(strategy)) =
            (data, space, evaluation, strategy)
        else {
            return Err(all);
        };
        let extras: Vec<Argument> = evaluation.args;
        let plain: Vec<Value> = strategy
            .args
            .into_iter()
            .map(|a| match a {
                Argument::Value(v) => v,
                Argument::Decided(..) => Value::None,
            })
            .collect();
        all.extend(evaluation.program.warnings().iter().cloned());
        all.extend(strategy.program.warnings().iter().cloned());
        let config = json!({
            "search": block.name.name,
            "data": { "name": dataset.name, "hash": crate::base::hash::hex(dataset.hash()) },
            "seed": seed,
            "deterministic": deterministic,
            "memory": memory,
            "workers": workers,
            "budget": { "trials": budget.trials, "seconds": budget.seconds, "simulated": budget.simulated, "epochs": budget.epochs, "steps": budget.steps },
            "objectives": objectives.iter().map(|g| g.text.clone()).collect::<Vec<_>>(),
        });
        let search = Search {
            program: program.clone(),
            item,
            name: block.name.name.clone(),
            split,
            held_out: tasks.as_ref().map(|t| (t.select.clone(), t.test.clone())),
            tasks: tasks.map(|t| t.search),
            target,
            space,
            strategy: (strategy.program, plain),
            evaluation: (evaluation.program, extras),
            objectives,
            metrics,
            budget,
            workers,
            seed,
            deterministic,
            memory,
            config,
            env: env.clone(),
        };
        Ok((search, all))
    }
}

/// What a space sees of a data set.
pub fn data_shape(d: &Dataset) -> (DataShape, Target) {
    let inputs = d
        .inputs
        .iter()
        .map(|f| InputShape { dims: f.shape.clone(), int: matches!(f.values, data::Values::I32(_)) })
        .collect();
    match &d.target {
        data::Target::Classes { names, .. } => (DataShape { inputs, classes: names.len() }, Target::Classes),
        data::Target::Numbers(f) => {
            (DataShape { inputs, classes: f.shape.iter().product() }, Target::Numbers(f.shape.clone()))
        }
    }
}

struct Called {
    program: lang::Program,
    args: Vec<Argument>,
    metrics: Vec<String>,
    name: String,
    span: Span,
}

impl Reader<'_> {
    fn push(&mut self, d: Diagnostic) {
        self.errors.push(d);
    }

    fn known_fields(&mut self, block: &ast::Search) {
        for (i, (name, _)) in block.fields.iter().enumerate() {
            if !FIELDS.contains(&name.name.as_str()) {
                let mut d =
                    Diagnostic::new(&codes::SEARCH_FIELD, name.span, format!("a search has no field `{}`", name.name))
                        .here("unknown field");
                d = match did_you_mean(&name.name, FIELDS.iter().copied()) {
                    Some(k) => d.help(format!("did you mean `{k}`?")).fix(name.span, k, format!("write `{k}`")),
                    None => d.help(format!("its fields are {}", FIELDS.join(", "))),
                };
                self.push(d);
            }
            if let Some((first, _)) = block.fields[..i].iter().find(|f| f.0.name == name.name) {
                let d = Diagnostic::new(
                    &codes::SEARCH_FIELD,
                    name.span,
                    format!("the field `{}` is given twice", name.name),
                );
                self.push(d.here("again here").label(first.span, "first here"));
            }
        }
    }

    fn constant(&mut self, e: &Expr, expected: Option<&Type>) -> Option<Value> {
        match lang::constant(self.env, self.scope, e, expected) {
            Ok((v, _)) => Some(v),
            Err(ds) => {
                self.errors.extend(ds);
                None
            }
        }
    }

    fn int(&mut self, e: &Expr) -> Option<i64> {
        self.constant(e, Some(&Type::Int))?.as_int()
    }

    fn boolean(&mut self, e: &Expr) -> Option<bool> {
        match self.constant(e, Some(&Type::Bool))? {
            Value::Bool(b) => Some(b),
            _ => None,
        }
    }

    fn bytes(&mut self, e: &Expr) -> Option<u64> {
        let v = self.constant(e, Some(&Type::Float))?.as_float()?;
        if v < 1.0 {
            self.push(
                Diagnostic::new(&codes::SEARCH_FIELD, e.span, "the memory of a child must be positive")
                    .help("write a size, such as `2GB`"),
            );
            return None;
        }
        Some(v as u64)
    }

    /// `trials(100)`, `hours(2)`, `2h`, `simulated(12000s)`, `epochs(500)`, or a list of these.
    fn budget(&mut self, e: &Expr) -> Budget {
        let mut b = Budget::default();
        self.budget_part(e, &mut b);
        b
    }

    fn budget_part(&mut self, e: &Expr, b: &mut Budget) {
        match &e.kind {
            ExprKind::List(xs) => xs.iter().for_each(|x| self.budget_part(x, b)),
            ExprKind::Quantity(s, Unit::Time) => b.seconds = Some(*s),
            ExprKind::Call { callee, args } => {
                let name = match &callee.kind {
                    ExprKind::Name(n) => n.ident.name.as_str(),
                    _ => "",
                };
                let [ast::Arg { name: None, value }] = args.as_slice() else {
                    self.push(Diagnostic::new(
                        &codes::SEARCH_FIELD,
                        e.span,
                        "a budget takes one number: `trials(100)`, `hours(2)`",
                    ));
                    return;
                };
                if !BUDGETS.contains(&name) {
                    let mut d =
                        Diagnostic::new(&codes::SEARCH_FIELD, callee.span, format!("there is no budget `{name}`"));
                    d = match did_you_mean(name, BUDGETS.iter().copied()) {
                        Some(k) => d.help(format!("did you mean `{k}`?")).fix(callee.span, k, format!("write `{k}`")),
                        None => {
                            d.help(format!("a budget is {}", BUDGETS.join("(n), ") + "(n), or a time such as `2h`"))
                        }
                    };
                    self.push(d);
                    return;
                }
                let Some(n) = self.constant(value, Some(&Type::Float)).and_then(|v| v.as_float()) else { return };
                if !(n > 0.0 && n.is_finite()) {
                    self.push(Diagnostic::new(&codes::SEARCH_FIELD, value.span, "a budget must be positive"));
                    return;
                }
                match name {
                    "trials" => b.trials = Some(n as u64),
                    "seconds" => b.seconds = Some(n),
                    "minutes" => b.seconds = Some(60.0 * n),
                    "hours" => b.seconds = Some(3600.0 * n),
                    "days" => b.seconds = Some(86400.0 * n),
                    "simulated" => b.simulated = Some(n),
                    "steps" => b.steps = Some(n as u64),
                    _ => b.epochs = Some(n as u64),
                }
            }
            _ => {
                let d = Diagnostic::new(&codes::SEARCH_FIELD, e.span, "this is not a budget");
                self.push(d.help("write `trials(100)`, `hours(2)`, a time such as `2h`, or a list of several limits"));
            }
        }
    }

    fn data(&mut self, block: &ast::Search, e: Option<&Expr>, base: &Path, seed: u64) -> Option<(Dataset, Split)> {
        let Some(e) = e else {
            self.push(
                Diagnostic::new(
                    &codes::SEARCH_FIELD,
                    block.name.span,
                    format!("search `{}` has no `data`", block.name.name),
                )
                .help("add `data = digits()`"),
            );
            return None;
        };
        let (name, span, args): (&str, Span, &[ast::Arg]) = match &e.kind {
            ExprKind::Call { callee, args } => match &callee.kind {
                ExprKind::Name(n) => (&n.ident.name, callee.span, args),
                _ => ("", callee.span, args),
            },
            ExprKind::Name(n) => (&n.ident.name, e.span, &[]),
            _ => ("", e.span, &[]),
        };
        if let Some(r) = self.program.lookup(self.module, name)
            && matches!(self.program.item(r).kind, ItemKind::Environment(_))
        {
            let d = Diagnostic::new(
                &codes::NEEDS_LATER,
                span,
                format!("`{name}` needs environments, which this version does not have"),
            );
            self.push(d.here("an environment as data"));
            return None;
        }
        if tasks::NAMES.contains(&name) {
            return self.task_data(name, e.span, args, base, seed);
        }
        let mut call = DataCall { name: name.to_string(), args: Vec::new(), span, base: base.to_path_buf() };
        let mut fractions = None;
        for a in args {
            if a.name.as_ref().is_some_and(|n| n.name == "split") {
                fractions = self.fractions(&a.value);
                continue;
            }
            let value = match self.constant(&a.value, None)? {
                Value::Str(s) => data::Value::Text(s.to_string()),
                Value::Int(i) => data::Value::Int(i),
                Value::Float(x) => data::Value::Float(x),
                Value::Bool(b) => data::Value::Bool(b),
                _ => {
                    self.push(Diagnostic::new(
                        &codes::SEARCH_FIELD,
                        a.value.span,
                        "data takes texts, numbers and truth values",
                    ));
                    return None;
                }
            };
            call.args.push(data::Arg { name: a.name.as_ref().map(|n| n.name.clone()), value, span: a.value.span });
        }
        let dataset = match (self.open)(&call) {
            Ok(d) => d,
            Err(d) => {
                self.push(d);
                return None;
            }
        };
        let fractions = fractions.unwrap_or_else(|| Fractions::standard(&dataset));
        match Split::new(&dataset, fractions, seed, e.span) {
            Ok(s) => Some((dataset, s)),
            Err(d) => {
                self.push(d);
                None
            }
        }
    }

    /// `split = (80%, 20%)` beside an own test part, or `(60%, 20%, 20%)`.
    fn fractions(&mut self, e: &Expr) -> Option<Fractions> {
        let parts: Vec<&Expr> = match &e.kind {
            ExprKind::Tuple(xs) | ExprKind::List(xs) => xs.iter().collect(),
            _ => Vec::new(),
        };
        let numbers: Vec<f64> = parts.iter().filter_map(|x| self.constant(x, Some(&Type::Float))?.as_float()).collect();
        match numbers.as_slice() {
            [search, select] => Some(Fractions { search: *search, select: *select, test: None }),
            [search, select, test] => Some(Fractions { search: *search, select: *select, test: Some(*test) }),
            _ => {
                let d = Diagnostic::new(&codes::SEARCH_FIELD, e.span, "a split has two or three shares");
                self.push(d.help("write `split = (60%, 20%, 20%)` for search, select and test, or `(80%, 20%)` beside an own test part"));
                None
            }
        }
    }

    /// The program that a field names, with its arguments.
    fn call(&mut self, e: Option<&Expr>, field: &str, default: &str, kind: ast::FunKind) -> Option<Called> {
        let what = if kind == ast::FunKind::Strategy { "strategy" } else { "evaluation" };
        let (name, span, args): (String, Span, &[ast::Arg]) = match e.map(|e| (&e.kind, e.span)) {
            None => (default.to_string(), Span::default(), &[]),
            Some((ExprKind::Name(n), s)) => (n.ident.name.clone(), s, &[]),
            Some((ExprKind::Call { callee, args }, _)) => match &callee.kind {
                ExprKind::Name(n) => (n.ident.name.clone(), callee.span, args),
                _ => (String::new(), callee.span, args),
            },
            Some((_, s)) => (String::new(), s, &[]),
        };
        let found = match e {
            Some(_) => self.env.item(self.scope, &name).cloned(),
            None => self.default_item(default),
        };
        let fun = match found {
            Some(Item::Fun(fs)) if fs.first().is_some_and(|f| f.fun.kind == kind) => fs[0].clone(),
            Some(_) => {
                self.push(
                    Diagnostic::new(
                        &codes::SEARCH_FIELD,
                        span,
                        format!("`{name}` is not {} {what}", if what == "strategy" { "a" } else { "an" }),
                    )
                    .here(format!("`{field}` needs one")),
                );
                return None;
            }
            None => {
                let later = lang::contract::LATER.iter().find(|l| l.0 == name);
                let mut d = match later {
                    Some((_, needs)) => Diagnostic::new(
                        &codes::NEEDS_LATER,
                        span,
                        format!("`{name}` needs {needs}, which this version does not have"),
                    ),
                    None => Diagnostic::new(&codes::UNKNOWN_NAME, span, format!("there is no {what} `{name}` here")),
                };
                let known: Vec<&str> = self.env.scopes[self.scope].names.keys().map(String::as_str).collect();
                if let Some(k) = did_you_mean(&name, known) {
                    d = d.help(format!("did you mean `{k}`?")).fix(span, k, format!("write `{k}`"));
                } else if let Some(m) = crate::sema::stdlib::module_of(&name) {
                    d = d.help(format!("it is in the standard library: `use {m}`"));
                }
                self.push(d);
                return None;
            }
        };
        let signature = match lang::signature(self.env, &fun) {
            Ok(s) => s,
            Err(ds) => {
                self.errors.extend(ds);
                return None;
            }
        };
        let given: Vec<(Option<(&str, Span)>, Span)> =
            args.iter().map(|a| (a.name.as_ref().map(|n| (n.name.as_str(), n.span)), a.value.span)).collect();
        let places = match signature.place(&given, span) {
            Ok(p) => p,
            Err(ds) => {
                self.errors.extend(ds);
                return None;
            }
        };
        let mut values: Vec<Option<Argument>> =
            signature.params.iter().map(|p| p.default.clone().map(Argument::Value)).collect();
        for (a, at) in args.iter().zip(places) {
            let p = &signature.params[at];
            if has_choice(&a.value) {
                if kind == ast::FunKind::Strategy {
                    let d = Diagnostic::new(
                        &codes::SEARCH_FIELD,
                        a.value.span,
                        "a strategy's arguments cannot be decisions of its own candidates",
                    );
                    self.push(d.help("decisions may stand in `space` and `evaluate`"));
                    return None;
                }
                let Some(n) = &a.name else {
                    self.push(Diagnostic::new(
                        &codes::SEARCH_FIELD,
                        a.value.span,
                        "name this argument, so that the decision belongs to it",
                    ));
                    return None;
                };
                values[at] = Some(Argument::Decided(format!("{field}.{}", n.name), p.ty.clone()));
            } else {
                let v = self.constant(&a.value, Some(&p.ty))?;
                values[at] = Some(Argument::Value(v));
            }
        }
        let metrics = lang::metrics(&signature);
        if kind == ast::FunKind::Evaluation && metrics.is_empty() {
            let d = Diagnostic::new(
                &codes::SEARCH_FIELD,
                fun.fun.name.span,
                format!("the evaluation `{name}` returns no metrics"),
            );
            self.push(d.help("let it end in `return { accuracy: .., .. }`"));
            return None;
        }
        match lang::Program::compile(self.env, &fun) {
            Ok(program) => {
                let args = values.into_iter().map(|v| v.unwrap_or(Argument::Value(Value::None))).collect();
                Some(Called { program, args, metrics, name, span })
            }
            Err(ds) => {
                self.errors.extend(ds);
                None
            }
        }
    }

    /// The standard library's evaluation or strategy, for a search that names none.
    fn default_item(&self, name: &str) -> Option<Item> {
        let at = self
            .program
            .modules
            .iter()
            .position(|m| m.name.starts_with("std.") && m.name.ends_with(&format!(".{name}")))?;
        let r = *self.program.modules[at].scope.get(name)?;
        match &self.program.item(r).kind {
            ItemKind::Fun(f) => {
                Some(Item::Fun(vec![Arc::new(lang::FunItem { fun: f.clone(), scope: scope_of(r.module) })]))
            }
            _ => None,
        }
    }

    fn objectives(&mut self, e: &Expr, metrics: &[String]) -> Vec<Goal> {
        match &e.kind {
            ExprKind::List(xs) => xs.iter().filter_map(|x| self.goal(x, metrics)).collect(),
            _ => self.goal(e, metrics).into_iter().collect(),
        }
    }

    fn goal(&mut self, e: &Expr, metrics: &[String]) -> Option<Goal> {
        let (inner, sign) = match &e.kind {
            ExprKind::Call { callee, args } if args.len() == 1 => match &callee.kind {
                ExprKind::Name(n) if n.ident.name == "maximize" => (&args[0].value, 1.0),
                ExprKind::Name(n) if n.ident.name == "minimize" => (&args[0].value, -1.0),
                _ => (e, 1.0),
            },
            _ => (e, 1.0),
        };
        let params: Vec<(String, Type)> = metrics.iter().map(|m| (m.clone(), Type::Float)).collect();
        match lang::Program::expression(self.env, self.scope, inner, &params, Some(&Type::Float)) {
            Ok(program) => {
                let text = self.program.sources.slice(e.span).split_whitespace().collect::<Vec<_>>().join(" ");
                Some(Goal { text, program, sign })
            }
            Err(ds) => {
                for mut d in ds {
                    if d.code == &codes::PROG_NAME {
                        d.code = &codes::UNKNOWN_METRIC;
                        d.help = d.help.or_else(|| Some(format!("the evaluation returns {}", metrics.join(", "))));
                    }
                    self.push(d);
                }
                None
            }
        }
    }

    fn default_objective(&mut self, block: &ast::Search, metrics: &[String]) -> Vec<Goal> {
        let chosen = ["accuracy", "score", "reward"].into_iter().find(|m| metrics.iter().any(|n| n == m));
        let Some(name) = chosen.map(str::to_string).or_else(|| (metrics.len() == 1).then(|| metrics[0].clone())) else {
            let d = Diagnostic::new(
                &codes::SEARCH_FIELD,
                block.name.span,
                format!("search `{}` has no `objective`", block.name.name),
            );
            self.push(d.help(format!(
                "the evaluation returns {}: write `objective = {}`",
                metrics.join(", "),
                metrics[0]
            )));
            return Vec::new();
        };
        let ident = ast::Ident { name: name.clone(), span: block.name.span };
        let e = Expr { span: block.name.span, kind: ExprKind::Name(ast::Name { ident, occurrence: 0 }) };
        let mut goal = self.goal(&e, metrics);
        if let Some(g) = &mut goal {
            g.text = name;
        }
        goal.into_iter().collect()
    }
}

/// Whether an expression's text uses a name.
pub fn mentions(text: &str, name: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|w| w == name)
}

/// The item that an operation of a program names.
pub fn resolve(program: &Program, scope: usize, name: &str) -> Option<ItemRef> {
    program.lookup(module_of(scope)?, name)
}

/// The item of the standard operations with this name.
pub fn standard(program: &Program, name: &str) -> Option<ItemRef> {
    let at = program.modules.iter().position(|m| m.name == "std.ops")?;
    let item = program.modules[at].ast.items.iter().position(|i| item_name(i).is_some_and(|n| n.name == name))?;
    Some(ItemRef { module: ModuleId(at as u32), item: item as u32 })
}
