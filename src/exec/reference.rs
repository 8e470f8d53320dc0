//! The reference executor: a direct reading of the IR's definition, in f64, that checks every read. What the other
//! executors are compared with, and what gradients are differenced on. Slow.

use std::any::Any;
use std::collections::BTreeMap;

use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn};

use super::{Data, ExecError, Executor, Feed, Memory, Program, Tensor, initial};
use crate::graph::ir::draw;
use crate::graph::{
    Atom, DType, Equation, Graph, Guard, Index, Init, Kind, Node, NodeId, Op, ReduceOp, Role, Scatter, text,
};

/// See the module documentation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl Executor for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn compile(&self, graph: &Graph) -> Result<Box<dyn Program>, ExecError> {
        Ok(Box::new(Interpreter { graph: graph.clone() }))
    }

    fn memory(&self) -> Box<dyn Memory> {
        Box::new(Tensors::default())
    }
}

/// Persistent tensors in f64, so that nothing is lost between the steps of a run.
#[derive(Debug, Default)]
struct Tensors(BTreeMap<String, (DType, ArrayD<f64>)>);

impl Memory for Tensors {
    fn ensure(&mut self, name: &str, shape: &[usize], init: &Init, seed: u64) -> Result<(), ExecError> {
        if let Some((_, old)) = self.0.get(name) {
            if old.shape() == shape {
                return Ok(());
            }
            return Err(ExecError::Input(format!("`{name}` has shape {:?}, not {shape:?}", old.shape())));
        }
        self.set(name, &Tensor::float(shape, initial(name, shape, init, seed)));
        Ok(())
    }

    fn get(&self, name: &str) -> Option<Tensor> {
        self.0.get(name).map(|(dtype, x)| to_host(*dtype, x))
    }

    fn set(&mut self, name: &str, value: &Tensor) {
        self.0.insert(name.to_string(), (value.dtype(), from_host(value)));
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

fn to_host(dtype: DType, x: &ArrayD<f64>) -> Tensor {
    match dtype {
        DType::Float => Tensor::float(x.shape(), x.iter().map(|&v| v as f32).collect()),
        DType::Int => Tensor::int(x.shape(), x.iter().map(|&v| v as i32).collect()),
    }
}

fn from_host(x: &Tensor) -> ArrayD<f64> {
    let data = match &x.data {
        Data::Float(v) => v.iter().map(|&v| f64::from(v)).collect(),
        Data::Int(v) => v.iter().map(|&v| f64::from(v)).collect(),
    };
    array(&x.shape, data)
}

fn array(shape: &[usize], data: Vec<f64>) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(shape), data).expect("one element for each place")
}

struct Interpreter {
    graph: Graph,
}

impl Program for Interpreter {
    fn run(&mut self, feed: &Feed, memory: &mut dyn Memory) -> Result<Vec<Tensor>, ExecError> {
        let memory = memory
            .as_any()
            .downcast_mut::<Tensors>()
            .ok_or_else(|| ExecError::Internal("memory of another executor".to_string()))?;
        let g = &self.graph;
        let values = compute(g, feed.seed, feed.step, |name, role, node| match role {
            Role::Data => {
                let (_, x) = feed.data.iter().find(|(n, _)| *n == name)?;
                (x.dtype() == node.dtype).then(|| from_host(x))
            }
            Role::Knob(default) => {
                let given = feed.knobs.iter().find(|(n, _)| *n == name);
                Some(array(&[], vec![given.map_or(*default, |(_, x)| *x)]))
            }
            Role::Param(_) | Role::State(_) => memory.0.get(name).map(|(_, x)| x.clone()),
        })?;
        let get = |id: &NodeId| values[id.0 as usize].as_ref().expect("outputs are computed");
        for (to, from) in &g.updates {
            if let Kind::Input(i) = &g.node(*to).kind {
                memory.0.insert(i.name.clone(), (g.node(*to).dtype, get(from).clone()));
            }
        }
        Ok(g.outputs.iter().map(|(_, id)| to_host(g.node(*id).dtype, get(id))).collect())
    }

    fn scratch_bytes(&self) -> u64 {
        let floats: usize = self.graph.nodes.iter().map(Node::len).sum();
        8 * floats as u64
    }

    fn describe(&self) -> String {
        text::print(&self.graph)
    }
}

/// The outputs for inputs in f64. Persistent inputs that are not given have their initial values under the seed,
/// knobs theirs. For differences and tests.
pub fn evaluate_f64(
    g: &Graph,
    inputs: &BTreeMap<String, Vec<f64>>,
    seed: u64,
    step: u64,
) -> Result<Vec<Vec<f64>>, ExecError> {
    let values = compute(g, seed, step, |name, role, node| {
        if let Some(x) = inputs.get(name) {
            return (x.len() == node.len()).then(|| array(&node.shape, x.clone()));
        }
        match role {
            Role::Data => None,
            Role::Knob(x) => Some(array(&[], vec![*x])),
            Role::Param(init) | Role::State(init) => {
                let data = initial(name, &node.shape, init, seed).into_iter().map(f64::from).collect();
                Some(array(&node.shape, data))
            }
        }
    })?;
    let value = |id: &NodeId| values[id.0 as usize].as_ref().expect("outputs are computed");
    Ok(g.outputs.iter().map(|(_, id)| value(id).iter().copied().collect()).collect())
}

/// All nodes that outputs and updates need.
fn compute(
    g: &Graph,
    seed: u64,
    step: u64,
    input: impl Fn(&str, &Role, &Node) -> Option<ArrayD<f64>>,
) -> Result<Vec<Option<ArrayD<f64>>>, ExecError> {
    let mut needed = vec![false; g.nodes.len()];
    g.outputs.iter().for_each(|(_, id)| needed[id.0 as usize] = true);
    g.updates.iter().for_each(|(_, id)| needed[id.0 as usize] = true);
    for id in g.ids().rev().filter(|id| needed[id.0 as usize]).collect::<Vec<_>>() {
        mark(g, id, &mut needed);
    }
    let mut values: Vec<Option<ArrayD<f64>>> = vec![None; g.nodes.len()];
    for id in g.ids().filter(|id| needed[id.0 as usize]) {
        let node = g.node(id);
        let get = |x: &NodeId| values[x.0 as usize].as_ref().expect("nodes are in topological order");
        let value = match &node.kind {
            Kind::Input(i) => {
                let x = input(&i.name, &i.role, node)
                    .ok_or_else(|| ExecError::Input(format!("`{}` is missing, or of another type", i.name)))?;
                if x.shape() != node.shape {
                    let shape = x.shape();
                    return Err(ExecError::Input(format!("`{}` has shape {shape:?}, not {:?}", i.name, node.shape)));
                }
                x
            }
            Kind::Random { stream } => {
                let data = (0..node.len() as u64).map(|i| f64::from(draw(seed, *stream, step, i))).collect();
                array(&node.shape, data)
            }
            Kind::Reshape(x) => array(&node.shape, get(x).iter().copied().collect()),
            Kind::Concat { inputs, axis } => {
                let views: Vec<ArrayViewD<f64>> = inputs.iter().map(|x| get(x).view()).collect();
                let joined =
                    ndarray::concatenate(Axis(*axis), &views).map_err(|e| ExecError::Internal(format!("{id}: {e}")))?;
                array(&node.shape, joined.iter().copied().collect())
            }
            Kind::Equation(e) => equation(&values, node, e, false).map_err(|e| failed(id, node, &e))?,
            Kind::Arg(e) => equation(&values, node, e, true).map_err(|e| failed(id, node, &e))?,
            Kind::Scatter(s) => scatter(&values, node, s).map_err(|e| failed(id, node, &e))?,
        };
        values[id.0 as usize] = Some(value);
    }
    Ok(values)
}

fn failed(id: NodeId, node: &Node, why: &str) -> ExecError {
    ExecError::Internal(format!("{id} ({}): {why}", node.label))
}

fn mark(g: &Graph, id: NodeId, needed: &mut [bool]) {
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        g.node(id).reads(|x| {
            if !std::mem::replace(&mut needed[x.0 as usize], true) {
                open.push(x);
            }
        });
    }
}

fn equation(values: &[Option<ArrayD<f64>>], node: &Node, e: &Equation, arg: bool) -> Result<ArrayD<f64>, String> {
    let extents = e.extents(&node.shape);
    let mut points = Points::new(values, &extents, &e.guards, &e.body);
    let inner: usize = extents[node.shape.len()..].iter().product();
    let op = e.reduce.as_ref().map(|r| r.op);
    let mut out = Vec::with_capacity(node.len());
    for _ in 0..node.len() {
        let (mut acc, mut count, mut place) = (0.0, 0u64, -1.0);
        for p in 0..inner {
            if points.guarded()? {
                let x = points.body()?;
                let first = count == 0;
                // A NaN, once seen, stays.
                let better = |acc: f64, than: bool| first || (!acc.is_nan() && (x.is_nan() || than));
                match op {
                    None => acc = x,
                    Some(ReduceOp::Sum | ReduceOp::Mean) => acc += x,
                    Some(ReduceOp::Prod) => acc = if first { x } else { acc * x },
                    Some(ReduceOp::Max) if better(acc, x > acc) => (acc, place) = (x, p as f64),
                    Some(ReduceOp::Min) if better(acc, x < acc) => (acc, place) = (x, p as f64),
                    Some(ReduceOp::Max | ReduceOp::Min) => {}
                }
                count += 1;
            }
            points.advance();
        }
        if op == Some(ReduceOp::Mean) && count > 0 {
            acc /= count as f64;
        }
        out.push(if arg { place } else { acc });
    }
    Ok(array(&node.shape, out))
}

fn scatter(values: &[Option<ArrayD<f64>>], node: &Node, s: &Scatter) -> Result<ArrayD<f64>, String> {
    let mut out = ArrayD::zeros(IxDyn(&node.shape));
    let mut points = Points::new(values, &s.extents, &s.guards, &s.body);
    for _ in 0..s.extents.iter().product::<usize>() {
        if points.guarded()? {
            let x = points.body()?;
            let at: Vec<i64> = s.target.iter().map(|i| lookup(i, &points.vars, values)).collect::<Result<_, _>>()?;
            if at.iter().zip(&node.shape).all(|(&i, &n)| i >= 0 && i < n as i64) {
                out[IxDyn(&at.iter().map(|&i| i as usize).collect::<Vec<_>>())] += x;
            }
        }
        points.advance();
    }
    Ok(out)
}

/// An index at a point.
fn lookup(i: &Index, vars: &[i64], values: &[Option<ArrayD<f64>>]) -> Result<i64, String> {
    let mut sum = i.constant;
    for (atom, c) in &i.terms {
        sum += c * match atom {
            Atom::Var(v) => vars[*v as usize],
            Atom::Div(i, n) => lookup(i, vars, values)?.div_euclid(*n),
            Atom::Mod(i, n) => lookup(i, vars, values)?.rem_euclid(*n),
            Atom::Load(t, at) => {
                let at: Vec<i64> = at.iter().map(|i| lookup(i, vars, values)).collect::<Result<_, _>>()?;
                let tensor = values[t.0 as usize].as_ref().expect("nodes are in topological order");
                let place: Vec<usize> = at.iter().map(|&i| usize::try_from(i).unwrap_or(usize::MAX)).collect();
                *tensor.get(IxDyn(&place)).ok_or_else(|| format!("loads {t} at {at:?}, outside of it"))? as i64
            }
        };
    }
    Ok(sum)
}

/// An index in a form that is quick to step: affine ones are kept up to date, the others looked up.
enum Stepped {
    Affine(usize),
    Other(Index),
}

enum Step<'v> {
    Const(f64),
    Read { tensor: &'v ArrayD<f64>, data: &'v [f64], at: Vec<Stepped> },
    Index(Stepped),
    Test(Stepped, Option<i64>),
    Other(&'v Op),
}

/// All points of the loop variables in row-major order.
struct Points<'v> {
    values: &'v [Option<ArrayD<f64>>],
    extents: Vec<i64>,
    vars: Vec<i64>,
    /// Affine indices at this point, and by how much each variable changes them.
    slots: Vec<i64>,
    by: Vec<Vec<i64>>,
    guards: Vec<(Stepped, Option<i64>)>,
    steps: Vec<Step<'v>>,
    results: Vec<f64>,
    /// Whether a result came from a read outside of its tensor.
    outside: Vec<bool>,
}

impl<'v> Points<'v> {
    fn new(values: &'v [Option<ArrayD<f64>>], extents: &[usize], guards: &[Guard], body: &'v [Op]) -> Self {
        let mut p = Self {
            values,
            extents: extents.iter().map(|&n| n as i64).collect(),
            vars: vec![0; extents.len()],
            slots: Vec::new(),
            by: vec![Vec::new(); extents.len()],
            guards: Vec::new(),
            steps: Vec::new(),
            results: vec![0.0; body.len()],
            outside: vec![false; body.len()],
        };
        for g in guards {
            let (i, n) = p.guard(g);
            p.guards.push((i, n));
        }
        for op in body {
            let step = match op {
                Op::Const(c) => Step::Const(*c),
                Op::Read(t, at) => {
                    let tensor = values[t.0 as usize].as_ref().expect("nodes are in topological order");
                    let data = tensor.as_slice().expect("row-major");
                    Step::Read { tensor, data, at: at.iter().map(|i| p.stepped(i)).collect() }
                }
                Op::Index(i) => Step::Index(p.stepped(i)),
                Op::Test(g) => {
                    let (i, n) = p.guard(g);
                    Step::Test(i, n)
                }
                op => Step::Other(op),
            };
            p.steps.push(step);
        }
        p
    }

    fn guard(&mut self, g: &Guard) -> (Stepped, Option<i64>) {
        match g {
            Guard::InRange(i, n) => (self.stepped(i), Some(*n as i64)),
            Guard::Zero(i) => (self.stepped(i), None),
        }
    }

    fn stepped(&mut self, i: &Index) -> Stepped {
        if !i.is_affine() {
            return Stepped::Other(i.clone());
        }
        self.slots.push(i.constant);
        self.by.iter_mut().for_each(|b| b.push(0));
        let slot = self.slots.len() - 1;
        for (atom, c) in &i.terms {
            if let Atom::Var(v) = atom {
                self.by[*v as usize][slot] = *c;
            }
        }
        Stepped::Affine(slot)
    }

    fn advance(&mut self) {
        for v in (0..self.extents.len()).rev() {
            self.vars[v] += 1;
            if self.vars[v] < self.extents[v] {
                self.slots.iter_mut().zip(&self.by[v]).for_each(|(s, b)| *s += b);
                return;
            }
            let back = self.extents[v] - 1;
            self.vars[v] = 0;
            self.slots.iter_mut().zip(&self.by[v]).for_each(|(s, b)| *s -= b * back);
        }
    }

    fn index(&self, i: &Stepped) -> Result<i64, String> {
        match i {
            Stepped::Affine(s) => Ok(self.slots[*s]),
            Stepped::Other(i) => lookup(i, &self.vars, self.values),
        }
    }

    fn holds(&self, i: &Stepped, n: Option<i64>) -> Result<bool, String> {
        let i = self.index(i)?;
        Ok(n.map_or(i == 0, |n| i >= 0 && i < n))
    }

    /// Whether all guards hold; a later one is looked at only where the earlier ones do.
    fn guarded(&self) -> Result<bool, String> {
        for (i, n) in &self.guards {
            if !self.holds(i, *n)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn body(&mut self) -> Result<f64, String> {
        for k in 0..self.steps.len() {
            let (value, outside) = match &self.steps[k] {
                Step::Const(c) => (*c, false),
                Step::Index(i) => self.index(i).map_or((f64::NAN, true), |i| (i as f64, false)),
                Step::Test(i, n) => self.holds(i, *n).map_or((0.0, true), |b| (f64::from(b), false)),
                Step::Read { tensor, data, at } => self.read(tensor, data, at),
                Step::Other(op) => {
                    let (x, bad) = (&self.results, &self.outside);
                    match op {
                        Op::Unary(o, a) => (o.apply(x[a.0 as usize]), bad[a.0 as usize]),
                        Op::Binary(o, a, b) => {
                            let (a, b) = (a.0 as usize, b.0 as usize);
                            (o.apply(x[a], x[b]), bad[a] || bad[b])
                        }
                        Op::Compare(o, a, b) => {
                            let (a, b) = (a.0 as usize, b.0 as usize);
                            (f64::from(o.apply(x[a], x[b])), bad[a] || bad[b])
                        }
                        Op::Select(c, a, b) => {
                            let chosen = if x[c.0 as usize] == 0.0 { b } else { a }.0 as usize;
                            (x[chosen], bad[c.0 as usize] || bad[chosen])
                        }
                        Op::Const(_) | Op::Read(..) | Op::Index(_) | Op::Test(_) => (0.0, true),
                    }
                }
            };
            self.results[k] = value;
            self.outside[k] = outside;
        }
        if self.outside.last() == Some(&true) {
            return Err(format!("reads outside of a tensor at {:?}", self.vars));
        }
        Ok(self.results.last().copied().unwrap_or(0.0))
    }

    fn read(&self, tensor: &ArrayD<f64>, data: &[f64], at: &[Stepped]) -> (f64, bool) {
        let mut place = 0;
        for (i, &n) in at.iter().zip(tensor.shape()) {
            match self.index(i) {
                Ok(i) if i >= 0 && (i as usize) < n => place = place * n + i as usize,
                _ => return (f64::NAN, true),
            }
        }
        (data[place], false)
    }
}
