//! Instructions: primitives for one combination of operand types each.

use std::collections::BTreeMap;

use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::graph::{DType, Graph, Input, Kind, Node, NodeId, Role};
use crate::sema::modules::{ItemRef, ModuleId, Program as Source};
use crate::sema::prim::{PrimCtx, check, instantiate};
use crate::syntax::ast::{Expr, ExprKind, ItemKind, ParamKind, Primitive};

use super::plan::{self, Plan};

/// Most operands of an instruction, and most constants.
pub const MOST: usize = 3;

/// The name of the input that is what the result's place held before.
const OLD: &str = "old";

/// The module of the operators' instructions.
const STANDARD: &str = "std.instructions";

/// What a memory address holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// A number.
    Scalar,
    /// As many as there are features.
    Vector,
    /// Features by features, row-major.
    Matrix,
}

impl Rank {
    /// All, by the number of axes.
    pub const ALL: [Rank; 3] = [Rank::Scalar, Rank::Vector, Rank::Matrix];

    /// How its addresses begin.
    pub fn letter(self) -> char {
        match self {
            Rank::Scalar => 's',
            Rank::Vector => 'v',
            Rank::Matrix => 'm',
        }
    }

    /// The rank of an address's first letter.
    pub fn of_letter(c: char) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.letter() == c)
    }

    /// The extents for so many features.
    pub fn shape(self, features: usize) -> Vec<usize> {
        vec![features; self as usize]
    }

    /// The first address that an instruction may write: the label and the features are read only.
    pub fn first_writable(self) -> u16 {
        match self {
            Rank::Scalar | Rank::Vector => 1,
            Rank::Matrix => 0,
        }
    }

    fn of_shape(shape: &[usize], features: usize) -> Option<Self> {
        let all = shape.iter().all(|&e| e == features);
        Self::ALL.into_iter().find(|r| all && *r as usize == shape.len())
    }
}

/// A constant of an instruction.
#[derive(Clone, Debug, PartialEq)]
pub struct Knob {
    /// Its name in the primitive.
    pub name: String,
    /// Where the text does not give it.
    pub default: f64,
    /// The input of the graph.
    pub node: NodeId,
}

/// A primitive for one combination of operand types.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// The primitive's name.
    pub name: String,
    /// Unique in a set: `add(v, v)`, and `broadcast(s) -> v` where the operands do not tell.
    pub label: String,
    /// The primitive.
    pub item: ItemRef,
    /// The first sentence of its documentation.
    pub doc: String,
    /// What it takes, without `old`.
    pub operands: Vec<Rank>,
    /// Whether its equations read each operand.
    pub read: Vec<bool>,
    /// The graph's input for `old`, if it has one and reads it.
    pub old: Option<NodeId>,
    /// The graph's inputs for the operands.
    pub inputs: Vec<NodeId>,
    /// What it gives.
    pub output: Rank,
    /// Its constants.
    pub knobs: Vec<Knob>,
    /// Whether it draws at random.
    pub random: bool,
    /// Its equations.
    pub graph: Graph,
    /// The graph's node that is the result.
    pub result: NodeId,
    /// Its equations as loops.
    pub plan: Plan,
}

impl Instruction {
    /// `+`, `-`, `*` or `/` if that is how it is written.
    pub fn operator(&self) -> Option<char> {
        match (self.name.as_str(), self.operands.len()) {
            ("add", 2) => Some('+'),
            ("sub", 2) => Some('-'),
            ("mul" | "scale", 2) => Some('*'),
            ("div", 2) => Some('/'),
            _ => None,
        }
    }

    /// Whether it is a plain number: `s2 = 0.5`.
    pub fn is_number(&self) -> bool {
        self.name == "constant" && self.operands.is_empty() && self.knobs.len() == 1 && self.output == Rank::Scalar
    }
}

/// Instructions for one number of features.
#[derive(Clone, Debug, Default)]
pub struct Set {
    /// The length of every axis.
    pub features: usize,
    /// In the order in which they were added; an instruction's number is its place.
    pub instructions: Vec<Instruction>,
    known: BTreeMap<(ItemRef, Vec<Rank>, Rank), usize>,
}

impl Set {
    /// An empty set.
    pub fn new(features: usize) -> Self {
        Self { features, ..Self::default() }
    }

    /// The instruction of this label.
    pub fn find(&self, label: &str) -> Option<usize> {
        self.instructions.iter().position(|i| i.label == label)
    }

    /// Adds every instruction that a primitive is, and gives their numbers.
    ///
    /// # Errors
    /// Where it has weights, too many operands, or fits no combination of operand types.
    pub fn add(&mut self, source: &Source, item: ItemRef, used: Span) -> Result<Vec<usize>, Diagnostic> {
        let p = primitive(source, item, used)?;
        let given = operands(p).count();
        if given > MOST {
            return Err(refuse(
                p,
                used,
                format!("`{}` has {given} operands; an instruction has at most {MOST}", p.name.name),
            ));
        }
        let mut out = Vec::new();
        let mut last = None;
        for n in 0..3_usize.pow(given as u32) {
            let ranks: Vec<Rank> = (0..given as u32).map(|k| Rank::ALL[n / 3_usize.pow(k) % 3]).collect();
            match self.instances(source, item, &ranks, used) {
                Ok(found) => out.extend(found),
                Err(d) => last = Some(d),
            }
        }
        match (out.is_empty(), last) {
            (true, Some(d)) => Err(refuse(
                p,
                used,
                format!("`{}` is not an instruction for scalars, vectors and matrices", p.name.name),
            )
            .note(d.message)),
            (true, None) => {
                Err(refuse(p, used, format!("`{}` gives neither a scalar nor a vector nor a matrix", p.name.name)))
            }
            (false, _) => Ok(out),
        }
    }

    /// The instruction that a primitive is for these operands and this result.
    ///
    /// # Errors
    /// Where it is none.
    pub fn resolve(
        &mut self,
        source: &Source,
        item: ItemRef,
        ranks: &[Rank],
        output: Rank,
        used: Span,
    ) -> Result<usize, Diagnostic> {
        if let Some(&k) = self.known.get(&(item, ranks.to_vec(), output)) {
            return Ok(k);
        }
        let p = primitive(source, item, used)?;
        let want = operands(p).count();
        if want != ranks.len() {
            let d = Diagnostic::new(
                &codes::ALGORITHM,
                used,
                format!("`{}` takes {want} operands, not {}", p.name.name, ranks.len()),
            );
            return Err(d.label(p.name.span, "declared here"));
        }
        let found = self.instances(source, item, ranks, used)?;
        found.iter().copied().find(|&k| self.instructions[k].output == output).ok_or_else(|| {
            let gives: Vec<String> = found.iter().map(|&k| self.instructions[k].output.letter().to_string()).collect();
            let d = Diagnostic::new(
                &codes::ALGORITHM,
                used,
                format!("`{}` of these operands does not give a value for `{}`", p.name.name, output.letter()),
            );
            d.here(if gives.is_empty() {
                "it gives nothing that memory holds".into()
            } else {
                format!("it gives {}", gives.join(" or "))
            })
            .label(p.name.span, "declared here")
        })
    }

    /// The instructions of a primitive with these operands: one, or one for each type of `old`.
    fn instances(
        &mut self,
        source: &Source,
        item: ItemRef,
        ranks: &[Rank],
        used: Span,
    ) -> Result<Vec<usize>, Diagnostic> {
        let p = primitive(source, item, used)?;
        let has_old = tensors(p).any(|n| n == OLD);
        let tries: &[Option<Rank>] =
            if has_old { &[Some(Rank::Scalar), Some(Rank::Vector), Some(Rank::Matrix)] } else { &[None] };
        let (mut out, mut last) = (Vec::new(), None);
        for &old in tries {
            match instance(p, item, &source.item(item).doc, ranks, old, self.features, used) {
                Ok(i) if old.is_none_or(|o| o == i.output) => out.push(self.keep(i)),
                Ok(_) => {}
                Err(d) => last = Some(d),
            }
        }
        match last {
            Some(d) if out.is_empty() => Err(d),
            _ => Ok(out),
        }
    }

    fn keep(&mut self, mut i: Instruction) -> usize {
        let key = (i.item, i.operands.clone(), i.output);
        if let Some(&k) = self.known.get(&key) {
            return k;
        }
        let letters: Vec<String> = i.operands.iter().map(|r| r.letter().to_string()).collect();
        i.label = format!("{}({})", i.name, letters.join(", "));
        let wider = i.operands.iter().max().is_none_or(|r| *r < i.output);
        if wider && !i.is_number() || self.find(&i.label).is_some() {
            i.label = format!("{} -> {}", i.label, i.output.letter());
        }
        while self.find(&i.label).is_some() {
            i.label.push('\'');
        }
        self.instructions.push(i);
        self.known.insert(key, self.instructions.len() - 1);
        self.instructions.len() - 1
    }

    /// The primitive of an operator, from the module's scope or from the standard instructions.
    pub fn operator(source: &Source, module: ModuleId, name: &str) -> Option<ItemRef> {
        source.lookup(module, name).or_else(|| {
            let m = source.modules.iter().position(|m| m.name == STANDARD)?;
            source.lookup(ModuleId(m as u32), name)
        })
    }
}

fn refuse(p: &Primitive, used: Span, message: String) -> Diagnostic {
    Diagnostic::new(&codes::INSTRUCTION, used, message)
        .here("used as an instruction")
        .label(p.name.span, "declared here")
}

fn primitive(source: &Source, item: ItemRef, used: Span) -> Result<&Primitive, Diagnostic> {
    match &source.item(item).kind {
        ItemKind::Primitive(p) => Ok(p),
        _ => Err(Diagnostic::new(&codes::INSTRUCTION, used, "an instruction is a primitive, and this is none")
            .help("declare it with `primitive`, or take one of `std.instructions`")),
    }
}

fn tensors(p: &Primitive) -> impl Iterator<Item = &str> {
    p.params.iter().filter(|q| matches!(q.kind, ParamKind::Tensor(_))).map(|q| q.name.name.as_str())
}

fn operands(p: &Primitive) -> impl Iterator<Item = &str> {
    tensors(p).filter(|n| *n != OLD)
}

/// The primitive on tensors of these types.
fn instance(
    p: &Primitive,
    item: ItemRef,
    doc: &str,
    ranks: &[Rank],
    old: Option<Rank>,
    features: usize,
    used: Span,
) -> Result<Instruction, Diagnostic> {
    if let Some(d) = check(p).into_iter().find(|d| d.severity == crate::diag::Severity::Error) {
        return Err(d);
    }
    let mut graph = Graph::default();
    let mut given = ranks.iter();
    let (mut all, mut inputs, mut old_node) = (Vec::new(), Vec::new(), None);
    for name in tensors(p) {
        let rank = if name == OLD { old } else { given.next().copied() };
        let Some(rank) = rank else { continue };
        let kind = Kind::Input(Input { name: name.to_string(), role: Role::Data });
        let node =
            Node { kind, shape: rank.shape(features), dtype: DType::Float, example: None, label: name.to_string() };
        let id = graph.push(node);
        all.push(id);
        if name == OLD {
            old_node = Some(id);
        } else {
            inputs.push(id);
        }
    }
    let ctx =
        PrimCtx { site: &p.name.name, label: &p.name.name, training: true, shared: false, call: used, known: None };
    let results = instantiate(p, &all, &BTreeMap::new(), &mut graph, &ctx)?;
    let &[result] = results.as_slice() else {
        return Err(refuse(
            p,
            used,
            format!("`{}` has {} results; an instruction has one", p.name.name, results.len()),
        ));
    };
    let Some(output) = Rank::of_shape(&graph.node(result).shape, features) else {
        let shape = &graph.node(result).shape;
        return Err(refuse(
            p,
            used,
            format!("`{}` gives the shape {shape:?}, which memory does not hold", p.name.name),
        ));
    };
    let mut needed = vec![false; graph.nodes.len()];
    needed[result.0 as usize] = true;
    for id in graph.ids().rev() {
        if needed[id.0 as usize] {
            graph.node(id).reads(|r| needed[r.0 as usize] = true);
        }
    }
    let mut knobs = Vec::new();
    for (node, input) in graph.inputs() {
        match &input.role {
            Role::Data => {}
            Role::Knob(default) => {
                let name = input.name.rsplit('.').next().unwrap_or_default().to_string();
                knobs.push(Knob { name, default: *default, node });
            }
            Role::Param(_) | Role::State(_) => {
                return Err(refuse(
                    p,
                    used,
                    format!("`{}` has weights or a state, which an instruction cannot have", p.name.name),
                )
                .help("give it an operand instead"));
            }
        }
    }
    if knobs.len() > MOST {
        return Err(refuse(
            p,
            used,
            format!("`{}` has {} knobs; an instruction has at most {MOST}", p.name.name, knobs.len()),
        ));
    }
    let odd = |k: &Kind| matches!(k, Kind::Arg(_) | Kind::Scatter(_) | Kind::Concat { .. });
    if graph.nodes.iter().any(|n| odd(&n.kind)) {
        return Err(refuse(p, used, format!("`{}` indexes by values, which an instruction cannot do", p.name.name)));
    }
    let random = graph.ids().any(|id| needed[id.0 as usize] && matches!(graph.node(id).kind, Kind::Random { .. }));
    let doc = doc.trim().split_inclusive(['.', ';']).next().unwrap_or_default();
    let doc = doc.trim_end_matches(['.', ';']).split_whitespace().collect::<Vec<_>>().join(" ");
    let old = old_node.filter(|i| needed[i.0 as usize]);
    let plan = Plan::new(&plan::Source { graph: &graph, inputs: &inputs, old, knobs: &knobs, result });
    Ok(Instruction {
        name: p.name.name.clone(),
        label: String::new(),
        item,
        doc,
        operands: ranks.to_vec(),
        read: inputs.iter().map(|i| needed[i.0 as usize]).collect(),
        old,
        inputs,
        output,
        knobs,
        random,
        graph,
        result,
        plan,
    })
}

/// The primitives that an expression lists: a name of one, a function without parameters that lists some, `[..]`, `a + b`.
///
/// # Errors
/// Where a name means something else or nothing.
pub fn listed(source: &Source, module: ModuleId, e: &Expr, depth: usize) -> Result<Vec<(ItemRef, Span)>, Diagnostic> {
    use crate::syntax::ast::BinOp;
    let wrong = |what: &str| {
        Diagnostic::new(&codes::INSTRUCTION, e.span, format!("{what} does not list instructions")).help(
            "write names of primitives: `[add, dot, gaussian]`, or a list of `std.instructions`, such as `arithmetic`",
        )
    };
    if depth > 20 {
        return Err(wrong("a function that calls itself"));
    }
    match &e.kind {
        ExprKind::List(xs) => {
            let parts: Result<Vec<_>, _> = xs.iter().map(|x| listed(source, module, x, depth)).collect();
            Ok(parts?.into_iter().flatten().collect())
        }
        ExprKind::Binary(BinOp::Add, a, b) => {
            let mut out = listed(source, module, a, depth)?;
            out.extend(listed(source, module, b, depth)?);
            Ok(out)
        }
        ExprKind::Call { callee, args } if args.is_empty() => listed(source, module, callee, depth),
        ExprKind::Name(n) => {
            let name = &n.ident.name;
            let Some(item) = source.lookup(module, name) else {
                let d = Diagnostic::new(&codes::UNKNOWN_NAME, e.span, format!("there is no instruction `{name}` here"));
                let known = source.module(module).scope.keys().map(String::as_str);
                return Err(match (did_you_mean(name, known), crate::sema::stdlib::module_of(name)) {
                    (Some(k), _) => d.help(format!("did you mean `{k}`?")).fix(e.span, k, format!("write `{k}`")),
                    (None, Some(m)) => d.help(format!("it is in the standard library: `use {m}.*`")),
                    (None, None) => d.help("`use std.instructions.*` brings AutoML-Zero's into scope"),
                });
            };
            match &source.item(item).kind {
                ItemKind::Primitive(_) => Ok(vec![(item, e.span)]),
                ItemKind::Fun(f) if f.params.is_empty() && f.body.stmts.is_empty() => match &f.body.value {
                    Some(v) => {
                        let inner = listed(source, item.module, v, depth + 1)?;
                        Ok(inner.into_iter().map(|(i, _)| (i, e.span)).collect())
                    }
                    None => Err(wrong(&format!("`{name}`"))),
                },
                _ => Err(wrong(&format!("`{name}`"))),
            }
        }
        _ => Err(wrong("this")),
    }
}
