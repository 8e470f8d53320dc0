//! What every graph satisfies. Executors and passes rely on it; tests verify after each pass.
//!
//! - A node reads only nodes with smaller ids; outputs and updates name nodes that exist.
//! - Every read has one index for each axis of the tensor; every index uses only loop variables that exist.
//! - In a body an operation refers only to earlier ones; there is at least one.
//! - Values are `Float` or `Bool` as the operation wants them; the result of a body is a `Float`.
//! - Integers are loaded only from `Int` tensors.
//! - A reduction has at least one axis, each with at least one place. `Arg` nodes reduce by `Max` or `Min`, and are
//!   the only computed `Int` tensors but for concatenations and reshapes of such.
//! - Concatenated tensors have one type and equal extents but along the axis; a reshape keeps the number of elements.
//! - A scatter has one target index for each axis. Its target and its guards may leave the tensor, its reads not.
//! - Updates change only `Param` and `State` inputs, each at most once, by a value of equal shape.
//! - Names of inputs are unique; so are names of outputs.
//! - Reads stay inside their tensor given the guards (each may rely on those before it) and the select conditions
//!   around them. Where intervals do not decide it, that is accepted only of indices with a division, a remainder or
//!   a loaded integer; executors check those in debug builds.

use std::collections::BTreeSet;

use super::range::{Facts, conditions, implied};
use super::{Atom, BinaryOp, DType, Equation, Graph, Guard, Index, Kind, NodeId, Op, ReduceOp, Role, UnaryOp};

/// All violations of the list above, each with its node.
pub fn verify(g: &Graph) -> Result<(), Vec<String>> {
    let mut v = Verifier { g, at: NodeId(0), errors: Vec::new() };
    let mut names = BTreeSet::new();
    for id in g.ids() {
        v.at = id;
        v.node(&mut names);
    }
    let exists = |id: NodeId| (id.0 as usize) < g.nodes.len();
    let mut outputs = BTreeSet::new();
    for (name, id) in &g.outputs {
        if !exists(*id) {
            v.errors.push(format!("output {name:?} names {id}, which does not exist"));
        }
        if !outputs.insert(name) {
            v.errors.push(format!("two outputs are named {name:?}"));
        }
    }
    let mut updated = BTreeSet::new();
    for (to, from) in &g.updates {
        if !exists(*to) || !exists(*from) {
            v.errors.push(format!("update {to} <- {from} names a node that does not exist"));
            continue;
        }
        let persistent =
            matches!(&g.node(*to).kind, Kind::Input(i) if matches!(i.role, Role::Param(_) | Role::State(_)));
        if !persistent {
            v.errors.push(format!("{to} is updated but is no param or state"));
        }
        if !updated.insert(*to) {
            v.errors.push(format!("{to} is updated twice"));
        }
        if g.node(*to).shape != g.node(*from).shape || g.node(*to).dtype != g.node(*from).dtype {
            v.errors.push(format!("update {to} <- {from} changes the shape or the type"));
        }
    }
    if v.errors.is_empty() { Ok(()) } else { Err(v.errors) }
}

struct Verifier<'g> {
    g: &'g Graph,
    at: NodeId,
    errors: Vec<String>,
}

impl<'g> Verifier<'g> {
    fn error(&mut self, message: impl AsRef<str>) {
        let label = &self.g.node(self.at).label;
        self.errors.push(format!("{} ({label}): {}", self.at, message.as_ref()));
    }

    fn node(&mut self, names: &mut BTreeSet<&'g str>) {
        let g = self.g;
        let node = g.node(self.at);
        let mut later = None;
        node.reads(|x| {
            if x >= self.at {
                later = Some(x);
            }
        });
        if let Some(x) = later {
            return self.error(format!("reads {x}, which does not come before it"));
        }
        if node.example.is_some_and(|e| e as usize >= node.shape.len()) {
            self.error("has no such example axis");
        }
        if node.shape.contains(&0) {
            self.error("has an axis without places");
        }
        match &node.kind {
            Kind::Input(i) => {
                if !names.insert(&i.name) {
                    self.error(format!("a second input is named {:?}", i.name));
                }
                match i.role {
                    Role::Data => {}
                    Role::Param(_) | Role::State(_) if node.dtype == DType::Float => {}
                    Role::Knob(_) if node.dtype == DType::Float && node.shape.is_empty() => {}
                    Role::Param(_) | Role::State(_) => self.error("a persistent input is a float tensor"),
                    Role::Knob(_) => self.error("a knob is a float scalar"),
                }
            }
            Kind::Random { .. } => self.expect_type(DType::Float),
            Kind::Equation(e) => {
                self.expect_type(DType::Float);
                self.equation(e);
            }
            Kind::Arg(e) => {
                self.expect_type(DType::Int);
                if !e.reduce.as_ref().is_some_and(|r| matches!(r.op, ReduceOp::Max | ReduceOp::Min)) {
                    self.error("the place is asked of something that is no max or min");
                }
                self.equation(e);
            }
            Kind::Scatter(s) => {
                self.expect_type(DType::Float);
                if s.target.len() != node.shape.len() {
                    self.error("needs one target index for each axis");
                }
                if s.extents.is_empty() || s.extents.contains(&0) {
                    self.error("needs loop variables, each with a place");
                }
                let facts = self.body(&s.extents, &s.guards, &s.body);
                for i in &s.target {
                    self.index(&facts, i, s.extents.len());
                }
            }
            Kind::Concat { inputs, axis } => {
                let Some(first) = inputs.first() else { return self.error("concatenates nothing") };
                if *axis >= node.shape.len() {
                    return self.error("has no such axis");
                }
                let mut total = 0;
                for x in inputs {
                    let x = g.node(*x);
                    let equal = x.shape.len() == node.shape.len()
                        && x.shape.iter().zip(&node.shape).enumerate().all(|(a, (p, q))| a == *axis || p == q);
                    if !equal {
                        return self.error(format!("{:?} does not fit into {:?}", x.shape, node.shape));
                    }
                    if x.dtype != g.node(*first).dtype || x.dtype != node.dtype {
                        self.error("concatenates several types");
                    }
                    total += x.shape[*axis];
                }
                if total != node.shape[*axis] {
                    self.error(format!("has extent {} where its parts have {total}", node.shape[*axis]));
                }
            }
            Kind::Reshape(x) => {
                if g.node(*x).len() != node.len() {
                    self.error(format!("{:?} and {:?} differ in size", g.node(*x).shape, node.shape));
                }
                self.expect_type(g.node(*x).dtype);
            }
        }
    }

    fn expect_type(&mut self, dtype: DType) {
        if self.g.node(self.at).dtype != dtype {
            self.error(format!("should be {dtype:?}"));
        }
    }

    fn equation(&mut self, e: &Equation) {
        if let Some(r) = &e.reduce
            && (r.extents.is_empty() || r.extents.contains(&0))
        {
            self.error("a reduction needs axes, each with a place");
        }
        let extents = e.extents(&self.g.node(self.at).shape);
        self.body(&extents, &e.guards, &e.body);
    }

    fn body(&mut self, extents: &[usize], guards: &[Guard], body: &[Op]) -> Facts {
        let mut facts = Facts::new(extents, []);
        for guard in guards {
            self.index(&facts, guard.index(), extents.len());
            facts.assume(guard);
        }
        if body.is_empty() {
            self.error("the body is empty");
            return facts;
        }
        let mut bools: Vec<bool> = Vec::with_capacity(body.len());
        for (i, op) in body.iter().enumerate() {
            let mut ordered = true;
            op.operands(&mut |v| ordered &= (v.0 as usize) < i);
            if !ordered {
                self.error(format!("operation {i} refers to one that does not come before it"));
                return facts;
            }
            let wrong = {
                let is = |v: &super::Val| bools[v.0 as usize];
                match op {
                    Op::Const(_) | Op::Read(..) | Op::Index(_) | Op::Test(_) => false,
                    Op::Unary(UnaryOp::Not, a) => !is(a),
                    Op::Unary(_, a) => is(a),
                    Op::Binary(BinaryOp::And | BinaryOp::Or, a, b) => !is(a) || !is(b),
                    Op::Binary(_, a, b) | Op::Compare(_, a, b) => is(a) || is(b),
                    Op::Select(c, a, b) => !is(c) || is(a) != is(b),
                }
            };
            if wrong {
                self.error(format!("operation {i} mixes numbers and conditions"));
            }
            bools.push(op.is_bool(body));
        }
        if bools.last() == Some(&true) {
            self.error("the result is a condition");
        }
        for (i, conds) in conditions(body).into_iter().enumerate() {
            // What nothing uses is still well-formed, but need not stay inside.
            let mut here = facts.clone();
            for guard in implied(body, conds.as_deref().unwrap_or(&[])) {
                here.assume(&guard);
            }
            match &body[i] {
                Op::Read(t, at) => self.read(&here, *t, at, extents.len(), conds.is_some()),
                Op::Index(x) => self.index(&here, x, extents.len()),
                Op::Test(x) => self.index(&here, x.index(), extents.len()),
                Op::Const(_) | Op::Unary(..) | Op::Binary(..) | Op::Compare(..) | Op::Select(..) => {}
            }
        }
        facts
    }

    fn read(&mut self, facts: &Facts, t: NodeId, at: &[Index], vars: usize, used: bool) {
        let shape = &self.g.node(t).shape;
        if at.len() != shape.len() {
            return self.error(format!("reads {t} with {} indices, it has {} axes", at.len(), shape.len()));
        }
        for (axis, (i, &n)) in at.iter().zip(shape).enumerate() {
            self.index(facts, i, vars);
            let plain = i.terms.iter().all(|(a, _)| matches!(a, Atom::Var(_)));
            if used && plain && !facts.inside(i, n) {
                let (lo, hi) = facts.bounds(i);
                self.error(format!("index {axis} of {t} takes {lo}..={hi}, the axis has {n} places"));
            }
        }
    }

    fn index(&mut self, facts: &Facts, i: &Index, vars: usize) {
        for (atom, c) in &i.terms {
            if *c == 0 {
                self.error("an index is not in normal form");
            }
            match atom {
                Atom::Var(v) if (*v as usize) < vars => {}
                Atom::Var(v) => self.error(format!("uses loop variable {v} of {vars}")),
                Atom::Div(i, n) | Atom::Mod(i, n) => {
                    if *n < 1 {
                        self.error("divides by a number below 1");
                    }
                    self.index(facts, i, vars);
                }
                Atom::Load(t, at) => {
                    if self.g.node(*t).dtype != DType::Int {
                        self.error(format!("loads an integer from {t}, which has none"));
                    }
                    self.read(facts, *t, at, vars, true);
                }
            }
        }
        if !i.terms.is_sorted() {
            self.error("an index is not in normal form");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::parse;
    use super::*;

    fn complains(text: &str, about: &str) {
        let errors = verify(&parse(text).unwrap()).unwrap_err().join("\n");
        assert!(errors.contains(about), "{errors}");
    }

    #[test]
    fn a_read_outside_is_found() {
        complains("%0 = input data \"x\" : float[4]\n%1 = map : float[4]\n  t0 = %0[i0 + 1]\n", "takes 1..=4");
    }

    #[test]
    fn guards_and_selects_count() {
        let text = "%0 = input data \"x\" : float[4]\n%1 = sum[3] : float[4]\n  where 0 <= i0 + i1 - 1 < 4\n  \
                    t0 = %0[i0 + i1 - 1]\n%2 = map : float[4]\n  t0 = test 0 <= i0 + 1 < 4\n  t1 = %0[i0 + 1]\n  \
                    t2 = const 0.0\n  t3 = select t0 t1 t2\n";
        assert_eq!(verify(&parse(text).unwrap()), Ok(()));
        complains(&text.replace("select t0 t1 t2", "select t0 t2 t1"), "takes 1..=4");
    }

    #[test]
    fn kinds_order_and_updates() {
        complains("%0 = map : float[]\n  t0 = %1[]\n%1 = map : float[]\n  t0 = const 1.0\n", "does not come before");
        complains("%0 = map : float[2]\n  t0 = test i0 == 0\n", "the result is a condition");
        complains("%0 = map : float[2]\n  t0 = test i0 == 0\n  t1 = exp t0\n", "mixes numbers and conditions");
        complains("%0 = input data \"x\" : float[]\nupdate %0 <- %0\n", "no param or state");
        complains("%0 = input data \"x\" : float[4]\n%1 = reshape %0 : float[5]\n", "differ in size");
        complains("%0 = input data \"x\" : float[]\n%1 = input data \"x\" : float[]\n", "a second input");
    }
}
