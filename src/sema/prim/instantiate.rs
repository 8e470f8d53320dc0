//! A use of a primitive with concrete extents: statement by statement into nodes.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::Span;
use crate::base::hash::Mixer;
use crate::base::memo::Memo;
use crate::diag::{Diagnostic, codes};
use crate::graph::template::{PLACE, Template, describe, number};
use crate::graph::{DType, Graph, Input, Kind, Node, NodeId, Role};
use crate::syntax::ast::{Dim, Expr, Ident, ParamKind, PrimStmt, Primitive, SlotKind, TypeKind};

use super::PrimCtx;
use super::equation::{Declared, Lowering};
use super::eval::{Numbers, Slash, eval};
use super::init;
use super::scalar::Scalar;
use super::shape::{self, used_here};
use super::uses::as_name;

/// Appends the nodes of one use of `p` and returns its outputs. `scalars` holds the arguments that were given;
/// defaults fill the others. `p` must have passed [`super::check`] (otherwise errors are found one at a time).
pub fn instantiate(
    p: &Primitive,
    inputs: &[NodeId],
    scalars: &BTreeMap<String, Scalar>,
    g: &mut Graph,
    ctx: &PrimCtx,
) -> Result<Vec<NodeId>, Diagnostic> {
    // A second use of a shared site looks for the weights of the first.
    let Some(known) = ctx.known.filter(|_| !ctx.shared) else { return instantiate_anew(p, inputs, scalars, g, ctx) };
    let mut outside: Vec<NodeId> = Vec::new();
    let mut key = Mixer::default();
    (p.name.span, ctx.training).hash(&mut key);
    inputs.iter().for_each(|&x| number(&mut outside, x).hash(&mut key));
    outside.iter().for_each(|&x| describe(g.node(x), &mut key));
    for (name, value) in scalars {
        (name, std::mem::discriminant(value)).hash(&mut key);
        match value {
            Scalar::Int(i) => i.hash(&mut key),
            Scalar::Float(x) => x.to_bits().hash(&mut key),
            Scalar::Bool(b) => b.hash(&mut key),
            Scalar::Str(s) => s.hash(&mut key),
        }
    }
    let key = key.key();
    let use_ = known.get(key).unwrap_or_else(|| {
        let made = Instance::new(p, inputs, &outside, scalars, g, ctx).map(Arc::new);
        known.put(key, made.clone());
        made
    });
    let Some(use_) = use_ else { return instantiate_anew(p, inputs, scalars, g, ctx) };
    let pasted = use_.template.paste(g, &outside, ctx.site, ctx.label);
    Ok(use_.results.iter().map(|&x| pasted.node(x)).collect())
}

/// A use of a primitive whose inputs and whose site are open, with its results.
struct Instance {
    template: Template,
    results: Vec<NodeId>,
}

/// The uses of a program's primitives that were met so far: those of equal shapes and arguments differ in what they
/// read and in the names of their weights only.
#[derive(Default)]
pub struct Instances(Mutex<Option<Memo<Option<Arc<Instance>>>>>);

/// So many are kept at a time.
const MOST_INSTANCES: usize = 4096;

impl Instances {
    /// What is known of a use: nothing, that it has to be made anew each time, or what it is.
    fn get(&self, key: u128) -> Option<Option<Arc<Instance>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.get(key)
    }

    fn put(&self, key: u128, use_: Option<Arc<Instance>>) {
        let mut memo = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memo.get_or_insert_with(|| Memo::new(MOST_INSTANCES)).put(key, use_);
    }
}

impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Instances")
    }
}

impl Instance {
    /// `None` for a use that fails, or draws: what it draws depends on its site.
    fn new(
        p: &Primitive,
        inputs: &[NodeId],
        outside: &[NodeId],
        scalars: &BTreeMap<String, Scalar>,
        g: &Graph,
        ctx: &PrimCtx,
    ) -> Option<Self> {
        let mut own = Graph::default();
        for &x in outside {
            let node = g.node(x);
            let kind = Kind::Input(Input { name: String::new(), role: Role::Data });
            own.push(Node {
                kind,
                shape: node.shape.clone(),
                dtype: node.dtype,
                example: node.example,
                label: String::new(),
            });
        }
        let place = PLACE.to_string();
        let inner: Vec<NodeId> = own.ids().collect();
        let local: Vec<NodeId> =
            inputs.iter().filter_map(|x| outside.iter().position(|y| x == y)).map(|i| inner[i]).collect();
        let ctx = PrimCtx { site: &place, label: &place, known: None, ..*ctx };
        let results = instantiate_anew(p, &local, scalars, &mut own, &ctx).ok()?;
        if own.nodes.iter().any(|n| matches!(n.kind, Kind::Random { .. })) {
            return None;
        }
        // Inside of the template they have the numbers that they have here.
        let template = Template::cut(&own, inner.len(), &inner, &place)?.with_updates(&own, inner.len(), &inner)?;
        Some(Self { template, results })
    }
}

fn instantiate_anew(
    p: &Primitive,
    inputs: &[NodeId],
    scalars: &BTreeMap<String, Scalar>,
    g: &mut Graph,
    ctx: &PrimCtx,
) -> Result<Vec<NodeId>, Diagnostic> {
    let mut given = BTreeMap::new();
    for (name, value) in scalars {
        given.insert(name.clone(), typed(p, name, value.clone(), ctx)?);
    }
    let shapes: Vec<Vec<Scalar>> =
        inputs.iter().map(|&i| g.node(i).shape.iter().map(|&e| Scalar::Int(e as i64)).collect()).collect();
    let shapes = shape::infer(p, ctx.call, &shapes, &given, &mut Numbers)?;
    let mut names = BTreeMap::new();
    for (name, value) in shapes.names {
        let value = typed(p, &name, value, ctx)?;
        names.insert(name, value);
    }
    names.insert("training".to_owned(), Scalar::Bool(ctx.training));

    let sizes = |v: &[Scalar]| -> Vec<usize> { v.iter().filter_map(Scalar::as_int).map(|i| i as usize).collect() };
    let mut tensors = BTreeMap::new();
    let (mut example, mut example_rest) = (None, None);
    for ((param, dims), &id) in shape::inputs(p).zip(inputs) {
        tensors.insert(param.name.name.clone(), id);
        let node = g.node(id);
        if let Some(axis) = node.example {
            match dim_at(dims, axis as usize, node.shape.len()) {
                Some(At::Rest(k)) => example_rest = example_rest.or(Some(k)),
                Some(At::Dim(e)) => example = example.or_else(|| as_name(e).map(|n| n.name.clone())),
                None => {}
            }
        }
    }
    let outputs = p.outputs.iter().zip(&shapes.outputs).map(|(o, s)| (o.name.name.as_str(), sizes(s))).collect();
    let mut use_ = Use {
        outputs,
        states: BTreeMap::new(),
        slots: BTreeMap::new(),
        low: Lowering {
            p,
            first: g.nodes.len(),
            g,
            ctx,
            scalars: names,
            rest: sizes(&shapes.rest),
            tensors,
            example,
            example_rest,
            draws: 0,
        },
    };
    use_.block(&p.body).map_err(|d| used_here(d, p, ctx.call))?;
    p.outputs
        .iter()
        .map(|o| {
            use_.low.tensors.get(&o.name.name).copied().ok_or_else(|| {
                Diagnostic::new(&codes::PRIM_DEFINED, o.name.span, format!("`{}` is never defined", o.name.name))
            })
        })
        .collect()
}

/// The value as the parameter's type.
fn typed(p: &Primitive, name: &str, value: Scalar, ctx: &PrimCtx) -> Result<Scalar, Diagnostic> {
    let Some(q) = p.params.iter().find(|q| q.name.name == name) else { return Ok(value) };
    let ParamKind::Typed(ty) = &q.kind else { return Ok(value) };
    let TypeKind::Named(ty_name, _) = &ty.kind else { return Ok(value) };
    match (ty_name.name.as_str(), value) {
        ("float", Scalar::Int(i)) => Ok(Scalar::Float(i as f64)),
        (t, v) if t == v.type_name() => Ok(v),
        (t, v) => Err(Diagnostic::new(
            &codes::PRIM_SCALAR,
            ctx.call,
            format!("`{name}` of `{}` is a {t}, but {v} is a {}", p.name.name, v.type_name()),
        )
        .label(ty.span, "declared here")),
    }
}

/// What a dimension is in a list with `..`.
enum At<'a> {
    /// The axis of `..` with this number.
    Rest(usize),
    Dim(&'a Expr),
}

fn dim_at(dims: &[Dim], axis: usize, rank: usize) -> Option<At<'_>> {
    let before = dims.iter().position(|d| matches!(d, Dim::Rest(_)));
    let at = match before {
        Some(r) if axis >= r => {
            let rest = (rank + 1).checked_sub(dims.len())?;
            if axis < r + rest {
                return Some(At::Rest(axis - r));
            }
            axis + 1 - rest
        }
        _ => axis,
    };
    match dims.get(at)? {
        Dim::Expr(e) => Some(At::Dim(e)),
        Dim::Rest(_) => None,
    }
}

struct Use<'a> {
    low: Lowering<'a>,
    outputs: BTreeMap<&'a str, Vec<usize>>,
    /// The inputs of the states.
    states: BTreeMap<String, NodeId>,
    /// The dimensions of the slots as written.
    slots: BTreeMap<String, &'a [Dim]>,
}

impl<'a> Use<'a> {
    fn block(&mut self, stmts: &'a [PrimStmt]) -> Result<(), Diagnostic> {
        for s in stmts {
            match s {
                PrimStmt::Slot { kind, name, dims, init, span } => self.slot(*kind, name, dims, init, *span)?,
                PrimStmt::Let { name, value } => {
                    let v = self.scalar(value)?;
                    self.low.scalars.insert(name.name.clone(), v);
                }
                PrimStmt::If { cond, then, otherwise } => {
                    let v = self.scalar(cond)?;
                    let Some(c) = v.as_bool() else {
                        return Err(Diagnostic::new(
                            &codes::PRIM_SCALAR,
                            cond.span,
                            format!("a condition is a bool, not a {}", v.type_name()),
                        ));
                    };
                    self.block(if c { then } else { otherwise })?;
                }
                PrimStmt::Equation { name, update: true, .. } if !self.low.ctx.training => {
                    let _ = name;
                }
                PrimStmt::Equation { name, indices, update, value, .. } => {
                    let declared = self.declared(name, *update);
                    let node = self.low.equation(name, indices, declared.as_deref(), value)?;
                    if *update {
                        self.update(name, node)?;
                    } else {
                        self.low.tensors.insert(name.name.clone(), node);
                    }
                }
            }
        }
        Ok(())
    }

    fn scalar(&self, e: &Expr) -> Result<Scalar, Diagnostic> {
        eval(e, Slash::Floor, &|n| self.low.scalars.get(n).cloned(), &mut Numbers)
    }

    /// The extents of an output or of a state.
    fn declared(&self, name: &Ident, update: bool) -> Option<Vec<Declared>> {
        let (dims, shape): (&[Dim], Vec<usize>) = if update {
            let node = *self.states.get(&name.name)?;
            (self.slots.get(&name.name)?, self.low.g.node(node).shape.clone())
        } else {
            let o = self.low.p.outputs.iter().find(|o| o.name.name == name.name)?;
            (&o.dims, self.outputs.get(name.name.as_str())?.clone())
        };
        let declared = shape.iter().enumerate().map(|(axis, &extent)| match dim_at(dims, axis, shape.len()) {
            Some(At::Dim(e)) => {
                let named = as_name(e).map(|n| &n.name);
                Declared { extent, span: e.span, example: named.is_some() && named == self.low.example.as_ref() }
            }
            Some(At::Rest(k)) => Declared { extent, span: name.span, example: self.low.example_rest == Some(k) },
            None => Declared { extent, span: name.span, example: false },
        });
        Some(declared.collect())
    }

    fn slot(
        &mut self,
        kind: SlotKind,
        name: &Ident,
        dims: &'a [Dim],
        init: &Expr,
        span: Span,
    ) -> Result<(), Diagnostic> {
        let mut shape = Vec::new();
        for d in dims {
            match d {
                Dim::Rest(_) => shape.extend(&self.low.rest),
                Dim::Expr(e) => shape.push(self.low.extent(e)?),
            }
        }
        if shape.iter().try_fold(1_usize, |n, &e| n.checked_mul(e)).is_none_or(|n| n > 1 << 40) {
            return Err(Diagnostic::new(
                &codes::PRIM_ARITHMETIC,
                span,
                format!("`{}` is too large: {shape:?}", name.name),
            ));
        }
        let role = match kind {
            SlotKind::Param => Role::Param(init::initializer(init, &self.low.scalars, shape.len())?),
            SlotKind::State => Role::State(init::initializer(init, &self.low.scalars, shape.len())?),
            SlotKind::Knob => Role::Knob(init::number(init, &self.low.scalars)?),
        };
        let full = format!("{}.{}", self.low.ctx.site, name.name);
        let known = if self.low.ctx.shared {
            self.low.g.inputs().find(|(_, i)| i.name == full).map(|(id, _)| id)
        } else {
            None
        };
        let node = match known {
            Some(id) if self.low.g.node(id).shape != shape => {
                return Err(Diagnostic::new(
                    &codes::PRIM_SHAPE,
                    self.low.ctx.call,
                    format!(
                        "shared weights must have one shape, but `{}` is {:?} at one use and {:?} at another",
                        name.name,
                        self.low.g.node(id).shape,
                        shape
                    ),
                )
                .label(span, "declared here"));
            }
            Some(id) => id,
            None => self.low.g.push(Node {
                kind: Kind::Input(Input { name: full, role }),
                shape,
                dtype: DType::Float,
                example: None,
                label: format!("{}.{}", self.low.ctx.label, name.name),
            }),
        };
        let mut value = node;
        if kind == SlotKind::State {
            self.states.insert(name.name.clone(), node);
            // A second use of the same site goes on from what the first one left.
            if let Some((_, v)) = self.low.g.updates.iter().find(|(i, _)| *i == node) {
                value = *v;
            }
        }
        self.slots.insert(name.name.clone(), dims);
        self.low.tensors.insert(name.name.clone(), value);
        Ok(())
    }

    fn update(&mut self, name: &Ident, node: NodeId) -> Result<(), Diagnostic> {
        let Some(&state) = self.states.get(&name.name) else {
            return Err(Diagnostic::new(&codes::PRIM_STATE, name.span, format!("`{}` is not a state", name.name)));
        };
        match self.low.g.updates.iter_mut().find(|(i, _)| *i == state) {
            Some(u) => u.1 = node,
            None => self.low.g.updates.push((state, node)),
        }
        Ok(())
    }
}
