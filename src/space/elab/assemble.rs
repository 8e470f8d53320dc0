//! `assemble`: the directed acyclic graph of Liu et al. 2017, section 2.

use std::rc::Rc;

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::sema::sym::Num;
use crate::syntax::ast;

use super::super::value::{Builtin, Element, Scope, Value};
use super::{Elab, R};

/// The most nodes of an assembly, which has an edge for every two of them.
const MAX_NODES: i64 = 256;

impl<'a> Elab<'a, '_> {
    /// Node 0 is the input; node j merges the edges from all earlier nodes; the last node is the output.
    pub(crate) fn assemble(
        &mut self,
        n: &Value<'a>,
        a: &'a ast::Assemble,
        scope: &Rc<Scope<'a>>,
        mut inputs: Vec<Value<'a>>,
        span: Span,
    ) -> R<Value<'a>> {
        let Value::Num(Num::Int(n)) = n else {
            return self.error(
                &codes::WRONG_TYPE,
                a.nodes.span,
                format!("the number of nodes must be a known whole number, not {}", n.kind()),
            );
        };
        let n = *n;
        if n < 2 {
            return self.error(
                &codes::WRONG_TYPE,
                a.nodes.span,
                format!("an assembly needs at least 2 nodes, the input and the output, not {n}"),
            );
        }
        if n > MAX_NODES {
            return self.error(
                &codes::WRONG_TYPE,
                a.nodes.span,
                format!("an assembly of {n} nodes is too large: {MAX_NODES} at most"),
            );
        }
        if inputs.len() != 1 {
            return self.error(
                &codes::WRONG_ARGUMENT,
                span,
                format!("an assembly takes one tensor, but gets {}", inputs.len()),
            );
        }
        let literal = match &a.edges {
            Some(e) => Some(self.literal_edges(e, n, scope)?),
            None => None,
        };
        let mut nodes = vec![inputs.remove(0)];
        for j in 1..n {
            let mut incoming = Vec::new();
            for i in 0..j {
                let name = format!("edge({i},{j})");
                let given =
                    literal.as_ref().and_then(|l| l.iter().find(|(at, _)| *at == (i, j)).map(|(_, v)| v.clone()));
                if literal.is_some() && given.is_none() {
                    continue;
                }
                let source = nodes[i as usize].clone();
                let r = self.inside(&name, |el| {
                    el.at_site(&name, |el| {
                        let f = match given {
                            Some(f) => f,
                            None => el.edge(a, i, j, scope, span)?,
                        };
                        el.apply(&f, vec![source], span)
                    })
                });
                let value = self.recover(r)?;
                incoming.push(Element { when: Num::Bool(true), value, index: i as usize });
            }
            if incoming.is_empty() {
                return self.error(
                    &codes::EMPTY_CHOICE,
                    span,
                    format!("node {j} of the assembly has no incoming edge"),
                );
            }
            let list = Value::List(Rc::new(incoming));
            let name = format!("node({j})");
            let merged = self.inside(&name, |el| {
                el.at_site(&name, |el| {
                    let f = match &a.merge {
                        Some(e) => {
                            let mut s = (**scope).clone();
                            s.bind("j", Value::int(j), false);
                            el.eval(e, &mut s)?
                        }
                        None => Value::Builtin(Builtin::Sum),
                    };
                    el.apply(&f, vec![list], span)
                })
            });
            nodes.push(self.recover(merged)?);
        }
        Ok(nodes.pop().unwrap_or(Value::Poison))
    }

    /// The operation on edge (i, j); both numbers are in scope, so are blocks by their bare name.
    fn edge(&mut self, a: &'a ast::Assemble, i: i64, j: i64, scope: &Rc<Scope<'a>>, span: Span) -> R<Value<'a>> {
        let Some(e) = &a.edge else {
            return self.fail(
                Diagnostic::new(&codes::MISSING_ARGUMENT, a.keyword, "this assembly has no edges")
                    .here("neither `edge` nor `edges` is given")
                    .help("write `edge = choose op { .. }` for every pair of nodes, or `edges = { (0, 1): op, .. }`"),
            );
        };
        let mut s = (**scope).clone();
        s.bind("i", Value::int(i), false);
        s.bind("j", Value::int(j), false);
        let f = self.eval(e, &mut s)?;
        match &f {
            Value::Tensor(_) | Value::List(_) | Value::Num(_) => {
                self.error(&codes::WRONG_TYPE, span, format!("an edge must be an operation, not {}", f.kind()))
            }
            _ => Ok(f),
        }
    }

    fn literal_edges(&mut self, e: &'a ast::Expr, n: i64, scope: &Rc<Scope<'a>>) -> R<Vec<((i64, i64), Value<'a>)>> {
        let mut s = (**scope).clone();
        let Value::Map(pairs) = self.eval(e, &mut s)? else {
            return self.error(&codes::WRONG_TYPE, e.span, "edges are given as a map: `{ (0, 1): conv(c, 3), .. }`");
        };
        let mut out = Vec::new();
        for (k, v) in pairs.iter() {
            let at = match k {
                Value::Tuple(t) => match t.as_slice() {
                    [Value::Num(Num::Int(i)), Value::Num(Num::Int(j))] => Some((*i, *j)),
                    _ => None,
                },
                _ => None,
            };
            match at {
                Some((i, j)) if 0 <= i && i < j && j < n => out.push(((i, j), v.clone())),
                Some((i, j)) => {
                    return self.error(
                        &codes::OUT_OF_RANGE,
                        e.span,
                        format!("edge ({i}, {j}) does not go from an earlier to a later one of {n} nodes"),
                    );
                }
                None => return self.error(&codes::WRONG_TYPE, e.span, "the key of an edge is a pair of node numbers"),
            }
        }
        Ok(out)
    }
}
