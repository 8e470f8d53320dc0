//! One operation on the nodes of a graph: a loss, a metric, an optimizer's update.

use std::rc::Rc;

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::graph::{DType, Graph, NodeId};
use crate::sema::modules::{ItemRef, Program};
use crate::sema::sym::Num;
use crate::syntax::ast::ItemKind;

use super::BuildError;
use super::decision::{Choice, Decision};
use super::elab::{Elab, Halt, Mode, Oracle, R};
use super::value::{Decl, Home, Item, Scope, Value};

/// An operation that a program names: an item with scalar arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct OpUse {
    /// The primitive or block.
    pub item: ItemRef,
    /// Its scalar arguments by name.
    pub args: Vec<(String, Num)>,
    /// Where it was named.
    pub span: Span,
}

impl OpUse {
    /// Its name.
    pub fn name<'p>(&self, program: &'p Program) -> &'p str {
        crate::sema::modules::item_name(program.item(self.item)).map_or("", |n| n.name.as_str())
    }
}

/// Decisions have no place in a loss or an optimizer.
struct Undecided;

impl Oracle for Undecided {
    fn choose(&mut self, d: &Decision) -> R<Choice> {
        let e = Diagnostic::new(&codes::WRONG_PLACE, d.span, "a loss, a metric or an optimizer cannot make decisions");
        Err(Halt::Error(Box::new(e.here("a decision"))))
    }

    fn copies(&self, _: &str) -> Option<Vec<u32>> {
        None
    }
}

/// Appends an operation on `inputs` to a graph; weights and states are named after `site`. Gives the graph back with the
/// nodes of the results.
pub fn apply(
    program: &Program,
    op: &OpUse,
    inputs: &[NodeId],
    graph: Graph,
    training: bool,
    site: &str,
) -> Result<(Graph, Vec<NodeId>), Diagnostic> {
    let decl = match &program.item(op.item).kind {
        ItemKind::Primitive(p) => Decl::Primitive(p),
        ItemKind::Arch(a) => Decl::Arch(a),
        ItemKind::Fun(f) => Decl::Fun(f),
        _ => return Err(Diagnostic::new(&codes::WRONG_TYPE, op.span, "this is not an operation")),
    };
    let mut oracle = Undecided;
    let mut el = Elab::new(program, Mode::Build { oracle: &mut oracle, graph: Some(graph), training }, "");
    if !site.is_empty() {
        el.sites.push((site.to_string(), std::collections::BTreeMap::new()));
    }
    let item = Rc::new(Item {
        decl,
        scope: Scope::new(op.item.module),
        path: "".into(),
        home: Home::Module,
        presence: Num::Bool(true),
    });
    let tensors: Vec<Value> = inputs
        .iter()
        .map(|&n| {
            let node = el.graph().node(n).clone();
            let dims = node.shape.iter().map(|&d| Num::Int(d as i64)).collect();
            Value::Tensor(el.tensor(dims, Some(n), node.dtype == DType::Int, op.span))
        })
        .collect();
    let args = op.args.iter().map(|(n, v)| (n.clone(), Value::Num(*v))).collect();
    let value = el.invoke(&item, tensors, args, op.span).map_err(|h| BuildError::from(h).diagnostic())?;
    let mut out = Vec::new();
    let parts = match value {
        Value::Tuple(t) => (*t).clone(),
        v => vec![v],
    };
    for v in parts {
        match v {
            Value::Tensor(t) => out.push(el.node_of(&t)),
            v => {
                return Err(Diagnostic::new(
                    &codes::WRONG_TYPE,
                    op.span,
                    format!("this gives {}, not a tensor", v.kind()),
                ));
            }
        }
    }
    match el.mode {
        Mode::Build { graph: Some(g), .. } => Ok((g, out)),
        _ => unreachable!("the mode does not change"),
    }
}
