//! Inference variables and unification.

use std::collections::BTreeMap;

use super::types::Type;

/// The variables of one function instance.
#[derive(Clone, Debug, Default)]
pub struct Infer {
    vars: Vec<Option<Type>>,
}

impl Infer {
    /// A fresh unknown type.
    pub fn fresh(&mut self) -> Type {
        self.vars.push(None);
        Type::Var(self.vars.len() as u32 - 1)
    }

    /// The type with its outermost variable replaced, as far as it is known.
    pub fn shallow(&self, t: &Type) -> Type {
        let mut t = t;
        while let Type::Var(v) = t {
            match &self.vars[*v as usize] {
                Some(known) => t = known,
                None => break,
            }
        }
        t.clone()
    }

    /// The type with all known variables replaced.
    pub fn deep(&self, t: &Type) -> Type {
        t.map(&mut |t| match t {
            Type::Var(v) => Some(self.vars[*v as usize].as_ref().map_or_else(|| t.clone(), |k| self.deep(k))),
            _ => None,
        })
    }

    /// The type for code generation: what nothing determines has no values, so any type does.
    pub fn full(&self, t: &Type) -> Type {
        self.deep(t).map(&mut |t| matches!(t, Type::Var(_)).then_some(Type::Int))
    }

    /// Whether all of it is known.
    pub fn known(&self, t: &Type) -> bool {
        !self.deep(t).any(&|t| matches!(t, Type::Var(_)))
    }

    /// Makes the two equal if that is possible.
    pub fn unify(&mut self, a: &Type, b: &Type) -> bool {
        let (a, b) = (self.shallow(a), self.shallow(b));
        match (&a, &b) {
            (Type::Var(x), Type::Var(y)) if x == y => true,
            (Type::Var(v), t) | (t, Type::Var(v)) => {
                if self.deep(t).any(&|t| *t == Type::Var(*v)) {
                    return false;
                }
                self.vars[*v as usize] = Some(t.clone());
                true
            }
            (Type::Error | Type::Never, _) | (_, Type::Error | Type::Never) => true,
            (Type::List(x), Type::List(y))
            | (Type::Stream(x), Type::Stream(y))
            | (Type::Optional(x), Type::Optional(y)) => self.unify(x, y),
            (Type::Tuple(xs), Type::Tuple(ys)) => {
                xs.len() == ys.len() && xs.iter().zip(ys).all(|(x, y)| self.unify(x, y))
            }
            (Type::Record(xs), Type::Record(ys)) => {
                xs.len() == ys.len() && xs.iter().zip(ys).all(|(x, y)| x.0 == y.0 && self.unify(&x.1, &y.1))
            }
            (Type::Fn(xs, r), Type::Fn(ys, s)) => {
                xs.len() == ys.len() && xs.iter().zip(ys).all(|(x, y)| self.unify(x, y)) && self.unify(r, s)
            }
            _ => a == b,
        }
    }

    /// A signature's type with a fresh variable for each of its type variables, the same in every type that is
    /// read with the same `names`.
    pub fn open(&mut self, t: &Type, names: &mut BTreeMap<String, Type>) -> Type {
        t.map(&mut |t| match t {
            Type::Param(n) => Some(names.entry(n.clone()).or_insert_with(|| self.fresh()).clone()),
            _ => None,
        })
    }
}
