//! Spaces: what a `space` item means for one data set, and the operations on its candidates.

pub mod algorithms;
pub mod apply;
pub mod count;
pub mod decision;
pub mod edit;
pub mod elab;
mod flat;
pub mod sample;
pub mod value;

#[cfg(test)]
mod std_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::algo::{Design, design};
use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::graph::{DType, Graph, Input, Kind, Node, NodeId, Role};
use crate::sema::modules::{ItemRef, Program};
use crate::sema::names::wording;
use crate::sema::sym::{Num, Syms};
use crate::syntax::ast::{self, ArchKind, Dim, Expr, ExprKind, ItemKind, ParamKind};

use count::Size;
use decision::{Candidate, Choice, Decision};
use elab::{Arg, CheckedDecision, CheckedRepeat, Elab, Halt, Mode, Oracle, R, Stamp, Template};
use value::{Decl, Item, Scope, Value};

/// One tensor input of a space: what one example looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputShape {
    /// Extents of one example.
    pub dims: Vec<usize>,
    /// Whether it holds integers, such as tokens.
    pub int: bool,
}

/// What a space is instantiated for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataShape {
    /// One for each tensor parameter of the space.
    pub inputs: Vec<InputShape>,
    /// The number of classes (or of outputs, for regression).
    pub classes: usize,
}

/// A space with its arguments, checked for one kind of data.
#[derive(Debug)]
pub struct Space {
    program: Arc<Program>,
    item: ItemRef,
    /// The arguments as written, in a scope of the root module, if it comes from a search.
    search: Option<ItemRef>,
    data: Option<DataShape>,
    checked: Checked,
    /// What programs are made of, where candidates are programs and not networks.
    design: Option<Box<Design>>,
}

/// What the check found out.
#[derive(Debug, Default)]
struct Checked {
    decisions: Vec<CheckedDecision>,
    by_name: BTreeMap<String, u32>,
    syms: Syms,
    levels: BTreeMap<String, u32>,
    templates: BTreeMap<String, Template>,
    repeats: Vec<CheckedRepeat>,
    forbidden: Vec<(Num, Span)>,
    size: Option<Size>,
    output: Vec<Num>,
    shapes: BTreeMap<Span, Vec<Vec<Num>>>,
    flat: bool,
}

/// One candidate, elaborated.
#[derive(Debug)]
pub struct Built {
    /// The forward graph, if one was asked for; its only output is `output`.
    pub graph: Graph,
    /// The network's output, if a graph was asked for.
    pub output: Option<NodeId>,
    /// What was decided, in order.
    pub decided: Vec<(Decision, Choice)>,
    /// Every use of a motif.
    pub stamps: Vec<Stamp>,
    /// Values of the search block's other fields that hold decisions: `evaluate.lr`.
    pub extras: BTreeMap<String, f64>,
}

/// Why a candidate could not be built.
#[derive(Debug)]
pub enum BuildError {
    /// A message with a place.
    Error(Box<Diagnostic>),
    /// It is excluded by the `forbid` there.
    Forbidden(Span),
    /// It has no value for this decision.
    Open(Box<Decision>),
    /// Its value for this decision is not one of the options.
    Illegal(Box<Decision>, Choice),
}

impl From<Halt> for BuildError {
    fn from(h: Halt) -> Self {
        match h {
            Halt::Error(d) => BuildError::Error(d),
            Halt::Forbidden(s) => BuildError::Forbidden(s),
            Halt::Open(d) => BuildError::Open(d),
            Halt::Illegal(d, c) => BuildError::Illegal(d, c),
            Halt::Return | Halt::Break | Halt::Continue | Halt::Nowhere => {
                BuildError::Error(Box::new(Diagnostic::new(
                    &codes::WRONG_PLACE,
                    Span::default(),
                    "`return`, `break` or `continue` outside of a function or loop",
                )))
            }
        }
    }
}

impl BuildError {
    /// As a message.
    pub fn diagnostic(self) -> Diagnostic {
        match self {
            BuildError::Error(d) => *d,
            BuildError::Forbidden(s) => {
                Diagnostic::new(&codes::BAD_CANDIDATE, s, "the candidate is excluded by a `forbid`")
                    .here("this holds for it")
            }
            BuildError::Open(d) => Diagnostic::new(
                &codes::BAD_CANDIDATE,
                d.span,
                format!("the candidate has no value for the decision `{}`", d.name),
            )
            .here(format!("its options are {}", d.domain.describe())),
            BuildError::Illegal(d, c) => Diagnostic::new(
                &codes::BAD_CANDIDATE,
                d.span,
                format!("`{c}` is not an option of the decision `{}`", d.name),
            )
            .here(format!("its options are {}", d.domain.describe())),
        }
    }
}

/// What to build of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Decisions only.
    Decisions,
    /// A graph for so many examples, for training or for inference.
    Graph {
        /// Examples.
        batch: usize,
        /// `if training`
        training: bool,
    },
}

/// Answers from a candidate.
struct Given<'c>(&'c Candidate);

impl Oracle for Given<'_> {
    fn choose(&mut self, d: &Decision) -> R<Choice> {
        self.0.values.get(&d.name).cloned().ok_or_else(|| Halt::Open(Box::new(d.clone())))
    }

    fn copies(&self, path: &str) -> Option<Vec<u32>> {
        self.0.copies.get(path).cloned()
    }

    fn fixed(&self, name: &str) -> Option<Choice> {
        self.0.values.get(name).cloned()
    }
}

impl Space {
    /// Checks the space of a search for its data.
    pub fn of_search(program: &Arc<Program>, search: ItemRef, data: DataShape) -> (Option<Self>, Vec<Diagnostic>) {
        let ItemKind::Search(s) = &program.item(search).kind else { return (None, Vec::new()) };
        let Some((field, e)) = s.fields.iter().find(|f| f.0.name == "space") else {
            let d = Diagnostic::new(
                &codes::MISSING_ARGUMENT,
                s.name.span,
                format!("search `{}` has no `space`", s.name.name),
            );
            return (None, vec![d.help("add `space = name(..)`")]);
        };
        let _ = field;
        let name = match &e.kind {
            ExprKind::Name(n) => Some(&n.ident),
            ExprKind::Call { callee, .. } => match &callee.kind {
                ExprKind::Name(n) => Some(&n.ident),
                _ => None,
            },
            _ => None,
        };
        let Some(name) = name else {
            return (
                None,
                vec![Diagnostic::new(
                    &codes::WRONG_TYPE,
                    e.span,
                    "`space` must be a space, with its arguments if it has some",
                )],
            );
        };
        let Some(item) = program.lookup(search.module, &name.name) else {
            let known: Vec<&str> = program.module(search.module).scope.keys().map(String::as_str).collect();
            let mut d =
                Diagnostic::new(&codes::UNKNOWN_NAME, name.span, format!("there is no space `{}` here", name.name));
            if let Some(k) = crate::diag::did_you_mean(&name.name, known) {
                d = d.help(format!("did you mean `{k}`?")).fix(name.span, k, format!("write `{k}`"));
            } else if let Some(m) = crate::sema::stdlib::module_of(&name.name) {
                d = d.help(format!("it is in the standard library: `use {m}`"));
            }
            return (None, vec![d]);
        };
        match &program.item(item).kind {
            ItemKind::Arch(a) if a.kind == ArchKind::Space => {}
            ItemKind::SpaceAlias { value, .. } if design::is_algorithms(value) => {
                return Self::algorithms(program, item, search, data, e);
            }
            ItemKind::SpaceAlias { .. } => {
                return (
                    None,
                    vec![
                        Diagnostic::new(
                            &codes::NEEDS_LATER,
                            name.span,
                            format!("`{}` needs spaces of topologies, which this version does not have", name.name),
                        )
                        .here("not a space of networks"),
                    ],
                );
            }
            _ => {
                let d = Diagnostic::new(&codes::WRONG_TYPE, name.span, format!("`{}` is not a space", name.name));
                return (None, vec![d.help("declare it with `space` instead of `block` or `motif`")]);
            }
        }
        let (s, errors) = Self::new(program, item, Some(search), Some(data));
        (Some(s), errors)
    }

    /// Checks a space with unknown extents, as a library offers it.
    pub fn of_item(program: &Arc<Program>, item: ItemRef) -> (Self, Vec<Diagnostic>) {
        Self::new(program, item, None, None)
    }

    /// A space of algorithms, for data whose examples are vectors.
    fn algorithms(
        program: &Arc<Program>,
        item: ItemRef,
        search: ItemRef,
        data: DataShape,
        used: &Expr,
    ) -> (Option<Self>, Vec<Diagnostic>) {
        let ItemKind::SpaceAlias { value, name } = &program.item(item).kind else { return (None, Vec::new()) };
        if let ExprKind::Call { args, .. } = &used.kind
            && let Some(a) = args.first()
        {
            let d =
                Diagnostic::new(&codes::WRONG_ARGUMENT, a.value.span, format!("`{}` takes no arguments", name.name));
            return (None, vec![d.label(name.span, "declared here")]);
        }
        let features = data.inputs.iter().map(|i| i.dims.iter().product::<usize>()).sum();
        let design = match Design::new(program, item.module, value, features) {
            Ok(d) => d,
            Err(errors) => return (None, errors),
        };
        let mut space = Self {
            program: program.clone(),
            item,
            search: Some(search),
            data: Some(data),
            checked: Checked::default(),
            design: Some(Box::new(design)),
        };
        let mut checked = space.design().map(algorithms::checked).unwrap_or_default();
        let errors = space.check_fields(&mut checked);
        space.checked = checked;
        (Some(space), errors)
    }

    fn new(
        program: &Arc<Program>,
        item: ItemRef,
        search: Option<ItemRef>,
        data: Option<DataShape>,
    ) -> (Self, Vec<Diagnostic>) {
        let mut space =
            Self { program: program.clone(), item, search, data, checked: Checked::default(), design: None };
        let (checked, errors) = space.check();
        space.checked = checked;
        space.checked.flat = errors.is_empty() && space.is_flat(&space.checked);
        (space, errors)
    }

    fn arch(&self) -> &ast::Arch {
        match &self.program.item(self.item).kind {
            ItemKind::Arch(a) => a,
            _ => unreachable!("a space is built from a `space` item"),
        }
    }

    /// The name of the space.
    pub fn name(&self) -> &str {
        match &self.program.item(self.item).kind {
            ItemKind::SpaceAlias { name, .. } => &name.name,
            _ => &self.arch().name.name,
        }
    }

    /// The program that declares it.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The data that it is checked for; none for a library's space.
    pub fn data(&self) -> Option<&DataShape> {
        self.data.as_ref()
    }

    /// All decisions, in the order in which the check met them.
    pub fn decisions(&self) -> &[CheckedDecision] {
        &self.checked.decisions
    }

    /// Repeats and the decisions that count their copies.
    pub fn repeats(&self) -> &[CheckedRepeat] {
        &self.checked.repeats
    }

    /// How many candidates it has.
    pub fn size(&self) -> Option<&Size> {
        self.checked.size.as_ref()
    }

    /// Whether some `forbid` excludes candidates.
    pub fn has_forbidden(&self) -> bool {
        !self.checked.forbidden.is_empty()
    }

    /// The extents of the output, printed: `[N, 10]`.
    pub fn output_shape(&self) -> String {
        let parts: Vec<String> = self.checked.output.iter().map(|&d| self.checked.syms.show(d)).collect();
        format!("[{}]", parts.join(", "))
    }

    /// The shapes of the tensors that expressions of the root file give, where the check knows them, printed:
    /// `[N, 16, 8, 8]`, several where they differ from use to use.
    pub fn shapes(&self) -> BTreeMap<Span, String> {
        let syms = &self.checked.syms;
        let shape = |dims: &Vec<Num>| {
            let parts: Vec<String> = dims.iter().map(|&d| syms.show(d)).collect();
            format!("[{}]", parts.join(", "))
        };
        let all = self.checked.shapes.iter();
        all.map(|(span, shapes)| {
            let mut texts: Vec<String> = shapes.iter().take(elab::MAX_SHAPES).map(shape).collect();
            texts.dedup();
            if shapes.len() > elab::MAX_SHAPES {
                texts.push("..".to_string());
            }
            (*span, texts.join(" or "))
        })
        .collect()
    }

    fn check(&self) -> (Checked, Vec<Diagnostic>) {
        let program = &*self.program;
        let mut el = Elab::new(program, Mode::Check, self.name());
        let (value, _) = match self.run(&mut el, None) {
            Ok(v) => v,
            Err(h) => {
                let d = BuildError::from(h).diagnostic();
                el.report(d);
                (Value::Poison, BTreeMap::new())
            }
        };
        let mut output = Vec::new();
        match &value {
            Value::Tensor(t) => output.clone_from(&t.dims),
            Value::Poison => {}
            v => {
                let d = Diagnostic::new(
                    &codes::WRONG_TYPE,
                    self.arch().body.span,
                    format!("a space must end in one tensor, not {}", v.kind()),
                );
                el.report(d.here("this is the network's output"));
            }
        }
        // Motifs that nothing stamps have decisions all the same, but nobody could tell their arguments.
        let levels = levels(&el.stamps_of);
        let forbidden: Vec<Num> = el.forbidden.iter().map(|f| f.0).collect();
        let size = count::size(&el.decisions, &forbidden, &el.syms);
        if size.discrete == count::Count::Exact(num_bigint::BigUint::ZERO)
            && let Some((_, span)) = el.forbidden.first()
        {
            let d = Diagnostic::new(&codes::ALL_FORBIDDEN, *span, "no candidate is left")
                .here("this excludes what remains");
            el.report(d.help("loosen the condition"));
        }
        for d in &mut el.decisions {
            d.decision.level = levels.get(&d.decision.owner).copied().unwrap_or(1);
        }
        let errors = std::mem::take(&mut el.errors);
        let checked = Checked {
            decisions: el.decisions,
            by_name: el.by_name,
            levels,
            templates: el.templates,
            repeats: el.repeats,
            forbidden: el.forbidden,
            size: Some(size),
            output,
            shapes: el.observed,
            flat: false,
            syms: el.syms,
        };
        (checked, errors)
    }

    /// Evaluates the search's decisions, then the space on its inputs.
    fn run<'a>(&'a self, el: &mut Elab<'a, '_>, batch: Option<usize>) -> R<(Value<'a>, BTreeMap<String, f64>)> {
        let program: &'a Program = &self.program;
        let arch = self.arch();
        let mut extras = BTreeMap::new();
        let mut bound: Vec<(String, Value<'a>)> = Vec::new();
        if let Some(search) = self.search
            && let ItemKind::Search(s) = &program.item(search).kind
        {
            let mut scope = Scope::new(search.module);
            for (field, e) in &s.fields {
                if field.name == "space" {
                    if let ExprKind::Call { args, .. } = &e.kind {
                        for (i, a) in args.iter().enumerate() {
                            let value = el.eval(&a.value, &mut scope)?;
                            let scalars: Vec<&ast::Param> =
                                arch.params.iter().filter(|p| !matches!(p.kind, ParamKind::Tensor(_))).collect();
                            let p = match &a.name {
                                Some(n) => scalars.iter().find(|p| p.name.name == n.name).copied(),
                                None => scalars.get(i).copied(),
                            };
                            let Some(p) = p else {
                                let scalars: Vec<ast::Param> = scalars.into_iter().cloned().collect();
                                let d = match &a.name {
                                    Some(n) => wording::unknown_argument(&arch.name, &scalars, n),
                                    None => Diagnostic::new(
                                        &codes::WRONG_ARGUMENT,
                                        a.value.span,
                                        format!("the space `{}` takes {} arguments", arch.name.name, scalars.len()),
                                    )
                                    .here("one too many")
                                    .label(arch.name.span, "declared here"),
                                };
                                return el.fail(d);
                            };
                            let value = el.typed(p, value, a.value.span)?;
                            bound.push((p.name.name.clone(), value));
                        }
                    }
                    continue;
                }
                self.extra_decisions(el, &field.name, e, &mut scope, &mut extras)?;
            }
        }
        let has = |bound: &[(String, Value<'a>)], name: &str| bound.iter().any(|(n, _)| n == name);
        for p in &arch.params {
            if matches!(p.kind, ParamKind::Tensor(_)) || p.default.is_some() || has(&bound, &p.name.name) {
                continue;
            }
            let value = match (&self.data, p.name.name.as_str()) {
                (Some(d), "classes") => Num::Int(d.classes as i64),
                (None, name) => el.syms.extent(name),
                (Some(_), name) => {
                    let uses = self.search.and_then(|s| match &program.item(s).kind {
                        ItemKind::Search(s) => s.fields.iter().find(|(n, _)| n.name == "space").map(|(_, e)| e.span),
                        _ => None,
                    });
                    return el.fail(
                        Diagnostic::new(
                            &codes::MISSING_ARGUMENT,
                            uses.unwrap_or(p.name.span),
                            format!("the space `{}` needs the argument `{name}`", arch.name.name),
                        )
                        .here(format!("`{name}` is missing"))
                        .label(p.name.span, "declared here, without a default"),
                    );
                }
            };
            bound.push((p.name.name.clone(), Value::Num(value)));
        }
        let inputs = self.inputs(el, arch, batch)?;
        let scope = Scope::new(self.item.module);
        let item = Rc::new(Item {
            decl: Decl::Arch(arch),
            scope,
            path: "".into(),
            home: value::Home::Module,
            presence: Num::Bool(true),
        });
        let value = el.invoke(&item, inputs, bound, arch.name.span)?;
        Ok((value, extras))
    }

    /// Decisions elsewhere in the search block: `lr = choose lr in 1e-3..1e-1 log`.
    fn extra_decisions<'a>(
        &'a self,
        el: &mut Elab<'a, '_>,
        field: &str,
        e: &'a Expr,
        scope: &mut Scope<'a>,
        extras: &mut BTreeMap<String, f64>,
    ) -> R<()> {
        let ExprKind::Call { args, .. } = &e.kind else { return Ok(()) };
        for a in args {
            let Some(n) = &a.name else { continue };
            if !has_choice(&a.value) {
                continue;
            }
            let v = el.eval(&a.value, scope)?;
            let key = format!("{field}.{}", n.name);
            match v {
                Value::Num(x) => {
                    let value = match x {
                        Num::Bool(b) => Some(f64::from(u8::from(b))),
                        x => x.as_f64(),
                    };
                    extras.insert(key, value.unwrap_or(0.0));
                }
                Value::Poison => {}
                v => {
                    return el.error(
                        &codes::WRONG_TYPE,
                        a.value.span,
                        format!("a decision in a search block must give a number, not {}", v.kind()),
                    );
                }
            }
        }
        Ok(())
    }

    fn inputs<'a>(&'a self, el: &mut Elab<'a, '_>, arch: &'a ast::Arch, batch: Option<usize>) -> R<Vec<Value<'a>>> {
        let tensors: Vec<(&ast::Param, &Vec<Dim>)> = arch
            .params
            .iter()
            .filter_map(|p| match &p.kind {
                ParamKind::Tensor(d) => Some((p, d)),
                _ => None,
            })
            .collect();
        if let Some(d) = &self.data
            && d.inputs.len() != tensors.len()
        {
            return el.fail(
                Diagnostic::new(
                    &codes::DATA_MISFIT,
                    arch.name.span,
                    format!(
                        "the space `{}` takes {} tensors, but the data has {} inputs",
                        arch.name.name,
                        tensors.len(),
                        d.inputs.len()
                    ),
                )
                .here("declared here"),
            );
        }
        let mut out = Vec::new();
        for (i, (p, pattern)) in tensors.into_iter().enumerate() {
            let (dims, int) = match &self.data {
                Some(d) => {
                    let n = match batch {
                        Some(b) => Num::Int(b as i64),
                        None => el.syms.extent("N"),
                    };
                    let shape = &d.inputs[i];
                    let dims: Vec<Num> =
                        std::iter::once(n).chain(shape.dims.iter().map(|&k| Num::Int(k as i64))).collect();
                    if !pattern.iter().any(|d| matches!(d, Dim::Rest(_))) && pattern.len() != dims.len() {
                        let text = el.shape_text(&dims, &BTreeMap::new());
                        let mut e = Diagnostic::new(
                            &codes::DATA_MISFIT,
                            p.name.span,
                            format!(
                                "the data does not fit the space: `{}` has {} dimensions, but the data has {}, {text}",
                                p.name.name,
                                pattern.len(),
                                dims.len()
                            ),
                        )
                        .here("the space's input");
                        if let Some(s) = self.search {
                            e = e.label(self.program.item(s).span, "in this search");
                        }
                        return el.fail(e.help("use a data set of this rank, or a space whose input has the data's"));
                    }
                    (dims, shape.int)
                }
                None => {
                    let names = pattern.iter().filter_map(|d| match d {
                        Dim::Expr(Expr { kind: ExprKind::Name(n), .. }) => Some(n.ident.name.clone()),
                        _ => None,
                    });
                    let names: Vec<String> = names.collect();
                    (names.iter().map(|n| el.syms.extent(n)).collect(), false)
                }
            };
            let node = if el.emitting() {
                let shape = dims.iter().map(|d| d.as_int().unwrap_or(1) as usize).collect();
                let kind = Kind::Input(Input { name: p.name.name.clone(), role: Role::Data });
                let dtype = if int { DType::Int } else { DType::Float };
                Some(el.graph().push(Node { kind, shape, dtype, example: Some(0), label: p.name.name.clone() }))
            } else {
                None
            };
            out.push(Value::Tensor(el.tensor(dims, node, int, p.name.span)));
        }
        Ok(out)
    }

    /// Elaborates a candidate. Every decision that it has must have a legal value.
    pub fn build(&self, candidate: &Candidate, want: Want) -> Result<Built, BuildError> {
        self.build_with(&mut Given(candidate), want)
    }

    /// Elaborates with answers from an oracle.
    pub fn build_with(&self, oracle: &mut dyn Oracle, want: Want) -> Result<Built, BuildError> {
        if let Some(d) = self.design() {
            return self.build_program(d, oracle, want);
        }
        let (graph, training, batch) = match want {
            Want::Decisions => (None, false, 2),
            Want::Graph { batch, training } => (Some(Graph::default()), training, batch),
        };
        let mut el = Elab::new(&self.program, Mode::Build { oracle, graph, training }, self.name());
        el.levels.clone_from(&self.checked.levels);
        el.known = Some(&self.checked.templates);
        let (value, extras) = self.run(&mut el, Some(batch))?;
        self.unreached(&mut el)?;
        let output = match (&value, el.emitting()) {
            (Value::Tensor(t), true) => Some(el.node_of(t)),
            _ => None,
        };
        let (decided, stamps) = (std::mem::take(&mut el.decided), std::mem::take(&mut el.stamps));
        let graph = match el.mode {
            Mode::Build { graph: Some(mut g), .. } => {
                g.outputs = output.iter().map(|&n| ("output".to_string(), n)).collect();
                g
            }
            _ => Graph::default(),
        };
        Ok(Built { graph, output, decided, stamps, extras })
    }

    /// A motif that a candidate does not use keeps its decisions: they are visited with the arguments and shapes of a use
    /// that the check saw.
    fn unreached<'a>(&'a self, el: &mut Elab<'a, '_>) -> R<()> {
        for (path, t) in &self.checked.templates {
            let Some(r) = t.item.filter(|_| !el.motifs.iter().any(|(p, _)| **p == **path)) else { continue };
            let ItemKind::Arch(a) = &self.program.item(r).kind else { continue };
            let (scope, home) = (Scope::new(r.module), value::Home::Module);
            let path: Rc<str> = path.as_str().into();
            let item = Item { decl: Decl::Arch(a), scope, path: path.clone(), home, presence: Num::Bool(true) };
            el.motifs.push((path, Rc::new(item)));
        }
        let mut next = 0;
        while next < el.motifs.len() {
            let (path, item) = el.motifs[next].clone();
            next += 1;
            if el.stamps.iter().any(|s| s.motif == *path) {
                continue;
            }
            let Some(t) = self.checked.templates.get(&*path) else { continue };
            if !t.lasting || item.decl.params().len() != t.args.len() + t.inputs.len() {
                continue;
            }
            let args: Vec<(String, Value<'a>)> = (t.args.iter())
                .map(|(n, v)| {
                    let v = match v {
                        Arg::Num(n) => Value::Num(*n),
                        Arg::Text(t) => Value::Str(t.as_str().into()),
                    };
                    (n.clone(), v)
                })
                .collect();
            el.silently(|el| {
                let mut made = |dims: &[i64]| {
                    Value::Tensor(el.tensor(dims.iter().map(|&d| Num::Int(d)).collect(), None, false, Span::default()))
                };
                let inputs: Vec<Value<'a>> = t.inputs.iter().map(|d| made(d)).collect();
                let applied: Option<Vec<Value<'a>>> = t.applied.as_ref().map(|xs| xs.iter().map(|d| made(d)).collect());
                let span = item.decl.name().span;
                let v = el.invoke(&item, inputs, args, span)?;
                // A motif without tensor inputs gives an operation; its decisions are made when it is applied.
                if let (Value::Op(_), Some(inputs)) = (&v, applied) {
                    el.apply(&v, inputs, span)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The check's knowledge of a decision.
    pub fn checked(&self, name: &str) -> Option<&CheckedDecision> {
        self.checked.by_name.get(name).map(|&i| &self.checked.decisions[i as usize])
    }
}

/// Whether an expression contains a decision of its own.
pub fn has_choice(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Choose(_) => true,
        ExprKind::Unary(_, a) => has_choice(a),
        ExprKind::Binary(_, a, b) => has_choice(a) || has_choice(b),
        ExprKind::List(xs) | ExprKind::Tuple(xs) => xs.iter().any(has_choice),
        ExprKind::Call { callee, args } => has_choice(callee) || args.iter().any(|a| has_choice(&a.value)),
        ExprKind::If { cond, .. } => has_choice(cond),
        ExprKind::Index { base, indices } => has_choice(base) || indices.iter().any(has_choice),
        _ => false,
    }
}

/// 1 for owners that stamp no other motif, 1 more than the highest that they stamp for others.
fn levels(stamps_of: &BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, u32> {
    fn level(o: &str, of: &BTreeMap<String, BTreeSet<String>>, memo: &mut BTreeMap<String, u32>) -> u32 {
        if let Some(&l) = memo.get(o) {
            return l;
        }
        memo.insert(o.to_string(), 1);
        let l = of.get(o).map_or(1, |inner| inner.iter().map(|i| level(i, of, memo) + 1).max().unwrap_or(1));
        memo.insert(o.to_string(), l);
        l
    }
    let mut memo = BTreeMap::new();
    for (o, inner) in stamps_of {
        level(o, stamps_of, &mut memo);
        for i in inner {
            level(i, stamps_of, &mut memo);
        }
    }
    memo
}
