//! The graphs of a candidate: a training step, the forward pass, a metric.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::{Diagnostic, codes};
use crate::graph::grad::gradients;
use crate::graph::{DType, Graph, Init, Input, Kind, Node, NodeId, Op, ReduceOp, Role, Val};
use crate::sema::modules::Program;
use crate::space::apply::{OpUse, apply};
use crate::space::decision::Candidate;
use crate::space::{Space, Want};

/// The name of the input that holds class labels or the numbers to predict.
pub const TARGET: &str = "target";

/// The knob that bounds the global norm of the gradient.
pub const CLIP: &str = "clip";

/// What is to be predicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One class for each example.
    Classes,
    /// Numbers of these extents for each example.
    Numbers(Vec<usize>),
}

/// How a training step is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Examples.
    pub batch: usize,
    /// From output and target to a scalar.
    pub loss: OpUse,
    /// From a weight and its gradient to the next weight.
    pub optimizer: OpUse,
    /// Whether the gradient's global norm is bounded by the knob [`CLIP`].
    pub clip: bool,
}

fn target_input(g: &mut Graph, target: &Target, batch: usize) -> NodeId {
    let (shape, dtype) = match target {
        Target::Classes => (vec![batch], DType::Int),
        Target::Numbers(dims) => (std::iter::once(batch).chain(dims.iter().copied()).collect(), DType::Float),
    };
    let kind = Kind::Input(Input { name: TARGET.to_string(), role: Role::Data });
    g.push(Node { kind, shape, dtype, example: Some(0), label: TARGET.to_string() })
}

/// One step: forward, loss, gradients, and the optimizer's updates. Its only output is the loss.
pub fn training(space: &Space, c: &Candidate, target: &Target, r: &Recipe) -> Result<Graph, Diagnostic> {
    let built =
        space.build(c, Want::Graph { batch: r.batch, training: true }).map_err(crate::space::BuildError::diagnostic)?;
    let mut g = built.graph;
    g.outputs.clear();
    let Some(output) = built.output else {
        return Err(Diagnostic::new(&codes::WRONG_TYPE, r.loss.span, "the space has no output"));
    };
    let label = target_input(&mut g, target, r.batch);
    let (mut g, results) = apply(space.program(), &r.loss, &[output, label], g, true, "loss")?;
    let loss = scalar(&g, &results, &r.loss)?;
    let weights: Vec<NodeId> = g.inputs().filter(|(_, i)| matches!(i.role, Role::Param(_))).map(|(id, _)| id).collect();
    let folded = g.nodes.len();
    let mut grads = gradients(&mut g, loss, &weights);
    if r.clip {
        clip_gradients(&mut g, &mut grads);
    }
    UPDATES.with_borrow_mut(|updates| {
        updates.of(space.program(), &r.optimizer);
        weights.into_iter().zip(grads).try_for_each(|(w, grad)| updates.append(&mut g, space, r, w, grad))
    })?;
    g.outputs = vec![("loss".to_string(), loss)];
    share_knobs(&mut g);
    let all = g.nodes.len();
    Ok(finish(g, folded..all))
}

/// The optimizer's update of a weight, once for each shape: a network has many weights, but few shapes, and so have the
/// children of a space together.
#[derive(Default)]
struct Updates {
    of: Option<(Arc<Program>, OpUse)>,
    known: BTreeMap<Vec<usize>, Template>,
}

thread_local! {
    /// Of the optimizer that this thread used last; what is in it follows from the optimizer and the shapes alone.
    static UPDATES: RefCell<Updates> = RefCell::default();
}

/// Spaces with endlessly many shapes must not fill the memory.
const MOST_SHAPES: usize = 1000;

/// An update with inputs in place of the weight and its gradient.
struct Template {
    graph: Graph,
    weight: NodeId,
    gradient: NodeId,
}

/// Stands for the weight's site in the names of a [`Template`]; no site begins with it.
const SITE: char = '@';

impl Template {
    fn new(space: &Space, r: &Recipe, shape: &[usize]) -> Result<Self, Diagnostic> {
        let mut g = Graph::default();
        // Given in every run, as far as the template knows, so that simplification leaves them.
        let mut input = |name: &str| {
            let kind = Kind::Input(Input { name: name.to_string(), role: Role::Data });
            g.push(Node { kind, shape: shape.to_vec(), dtype: DType::Float, example: None, label: name.to_string() })
        };
        let (weight, gradient) = (input("weight"), input("gradient"));
        let (mut graph, next) = apply(space.program(), &r.optimizer, &[weight, gradient], g, true, &SITE.to_string())?;
        if graph.node(next[0]).shape != shape {
            return Err(Diagnostic::new(
                &codes::SHAPE,
                r.optimizer.span,
                "an optimizer must give a weight of the shape that it takes",
            ));
        }
        graph.updates.push((weight, next[0]));
        crate::graph::simplify(&mut graph);
        Ok(Self { graph, weight, gradient })
    }
}

impl Updates {
    /// Forgets what belongs to another optimizer.
    fn of(&mut self, program: &Arc<Program>, op: &OpUse) {
        if !self.of.as_ref().is_some_and(|(p, o)| Arc::ptr_eq(p, program) && o == op) {
            self.known.clear();
            self.of = Some((program.clone(), op.clone()));
        }
    }

    /// Appends the update of one weight.
    fn append(
        &mut self,
        g: &mut Graph,
        space: &Space,
        r: &Recipe,
        weight: NodeId,
        gradient: NodeId,
    ) -> Result<(), Diagnostic> {
        let (node, Kind::Input(input)) = (g.node(weight), &g.node(weight).kind) else { return Ok(()) };
        let (shape, site) = (node.shape.clone(), input.name.clone());
        if !self.known.contains_key(&shape) {
            if self.known.len() == MOST_SHAPES {
                self.known.clear();
            }
            self.known.insert(shape.clone(), Template::new(space, r, &shape)?);
        }
        let t = &self.known[&shape];
        let named = |name: &str| match name.strip_prefix(SITE) {
            Some(rest) => format!("{site}{rest}"),
            None => name.to_string(),
        };
        let mut map: Vec<NodeId> = Vec::with_capacity(t.graph.nodes.len());
        for (id, node) in t.graph.ids().zip(&t.graph.nodes) {
            if id == t.weight || id == t.gradient {
                map.push(if id == t.weight { weight } else { gradient });
                continue;
            }
            let mut node = node.clone();
            node.label = named(&node.label);
            if let Kind::Input(i) = &mut node.kind {
                i.name = named(&i.name);
            }
            node.map_reads(&mut |x| map[x.0 as usize]);
            map.push(g.push(node));
        }
        g.updates.extend(t.graph.updates.iter().map(|(to, from)| (map[to.0 as usize], map[from.0 as usize])));
        Ok(())
    }
}

/// The forward pass in inference. Its only output is the network's.
pub fn forward(space: &Space, c: &Candidate, batch: usize) -> Result<Graph, Diagnostic> {
    let built = space.build(c, Want::Graph { batch, training: false }).map_err(crate::space::BuildError::diagnostic)?;
    let mut g = built.graph;
    share_knobs(&mut g);
    Ok(finish(g, 0..0))
}

/// A metric of outputs against targets; the inputs are called `output` and [`TARGET`].
pub fn metric(space: &Space, op: &OpUse, target: &Target, output: &[usize]) -> Result<Graph, Diagnostic> {
    let mut g = Graph::default();
    let kind = Kind::Input(Input { name: "output".to_string(), role: Role::Data });
    let out = g.push(Node {
        kind,
        shape: output.to_vec(),
        dtype: DType::Float,
        example: Some(0),
        label: "output".to_string(),
    });
    let label = target_input(&mut g, target, output[0]);
    let (mut g, results) = apply(space.program(), op, &[out, label], g, false, "metric")?;
    let value = scalar(&g, &results, op)?;
    g.outputs = vec![("value".to_string(), value)];
    Ok(finish(g, 0..0))
}

fn scalar(g: &Graph, results: &[NodeId], op: &OpUse) -> Result<NodeId, Diagnostic> {
    match results {
        [one] if g.node(*one).shape.is_empty() => Ok(*one),
        _ => Err(Diagnostic::new(&codes::WRONG_TYPE, op.span, "a loss or a metric must give one number")
            .here("this does not")
            .help("take the mean over the examples: `loss = mean[n] ..`")),
    }
}

/// `folded` are nodes whose bodies are simple already.
fn finish(mut g: Graph, folded: std::ops::Range<usize>) -> Graph {
    crate::graph::fuse::optimize_folded(&mut g, folded);
    debug_assert_eq!(crate::graph::verify::verify(&g), Ok(()));
    g
}

/// Scales all gradients so that the norm of all of them together is at most the knob (Pascanu et al. 2013).
fn clip_gradients(g: &mut Graph, grads: &mut [NodeId]) {
    let kind = Kind::Input(Input { name: CLIP.to_string(), role: Role::Knob(1.0) });
    let limit = g.push(Node { kind, shape: Vec::new(), dtype: DType::Float, example: None, label: CLIP.to_string() });
    let squares: Vec<NodeId> = grads
        .iter()
        .map(|&x| {
            let sq = g.map("clip", &[x], |b, v| b.mul(v[0], v[0]));
            g.reduce_all(ReduceOp::Sum, sq)
        })
        .collect();
    let total = g.sum("clip", &squares);
    let scale = g.map("clip", &[total, limit], |b, v| {
        let norm = b.unary(crate::graph::UnaryOp::Sqrt, v[0]);
        let small = b.compare(crate::graph::CompareOp::Le, norm, v[1]);
        let ratio = b.div(v[1], norm);
        let one = b.constant(1.0);
        b.select(small, one, ratio)
    });
    for x in grads.iter_mut() {
        let shape = g.node(*x).shape.clone();
        let at = crate::graph::At::identity(shape.len());
        let body = vec![
            Op::Read(*x, at),
            Op::Read(scale, crate::graph::At::identity(0)),
            Op::Binary(crate::graph::BinaryOp::Mul, Val(0), Val(1)),
        ];
        let example = g.node(*x).example;
        *x = g.push(Node {
            kind: Kind::Equation(crate::graph::Equation { reduce: None, guards: Vec::new(), body }),
            shape,
            dtype: DType::Float,
            example,
            label: "clip".to_string(),
        });
    }
}

/// A knob's name without its site: `cell@0.drop_path#2.p` is `drop_path.p`.
pub fn knob_name(name: &str) -> String {
    let mut parts: Vec<&str> = name.rsplitn(3, '.').take(2).map(|p| p.split('#').next().unwrap_or(p)).collect();
    parts.reverse();
    parts.join(".")
}

/// Knobs of one primitive and name are one input: all drop paths of a network, all weights' learning rates.
fn share_knobs(g: &mut Graph) {
    let mut first: BTreeMap<String, NodeId> = BTreeMap::new();
    let mut to: Vec<NodeId> = g.ids().collect();
    for id in g.ids() {
        let Kind::Input(Input { name, role: Role::Knob(_) }) = &g.node(id).kind else { continue };
        let short = knob_name(name);
        to[id.0 as usize] = *first.entry(short.clone()).or_insert(id);
        if let Kind::Input(i) = &mut g.nodes[id.0 as usize].kind
            && to[id.0 as usize] == id
        {
            i.name = short;
        }
    }
    for n in &mut g.nodes {
        n.map_reads(&mut |x| to[x.0 as usize]);
    }
}

/// The initializer of a weight or state; data and knobs have none.
pub fn initializer(role: &Role) -> Option<&Init> {
    match role {
        Role::Param(i) | Role::State(i) => Some(i),
        Role::Data | Role::Knob(_) => None,
    }
}
