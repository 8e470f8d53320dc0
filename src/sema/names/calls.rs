//! The arguments of calls, as far as the text shows which are tensors.

use crate::base::Span;
use crate::diag::Diagnostic;
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident, Param, ParamKind, TypeKind, UnOp};

use super::wording;

/// A declaration that can be called.
#[derive(Clone, Copy, Debug)]
pub struct Callee<'a> {
    pub name: &'a Ident,
    pub params: &'a [Param],
}

impl<'a> Callee<'a> {
    pub fn takes_tensors(&self) -> bool {
        self.params.iter().any(is_tensor)
    }

    /// Which parameter each argument is for; `direct` says whether tensors are among the arguments, if that is evident.
    pub fn matched(
        &self,
        receiver: Option<&Expr>,
        args: &'a [Arg],
        direct: Option<bool>,
        call: Span,
    ) -> Result<Vec<usize>, Vec<Diagnostic>> {
        let given: Vec<(Option<&Ident>, Span)> = (receiver.iter().map(|e| (None, e.span)))
            .chain(args.iter().map(|a| (a.name.as_ref(), a.value.span)))
            .collect();
        let under = |direct| wording::match_arguments(self.name, self.params, &given, direct, call);
        match direct {
            Some(d) => under(d),
            // What is wrong either way.
            None => match (under(true), under(false)) {
                (Err(a), Err(b)) => Err(a.into_iter().filter(|d| b.contains(d)).collect()),
                (Ok(m), _) | (_, Ok(m)) => Ok(m),
            },
        }
    }

    /// Whether tensors are among the arguments, where the kind of the first is known.
    pub fn direct(&self, first: Option<bool>, args: &[Arg]) -> Option<bool> {
        let named = args.iter().filter_map(|a| a.name.as_ref());
        let named_tensor = named.into_iter().any(|n| self.params.iter().any(|p| is_tensor(p) && p.name.name == n.name));
        if named_tensor || !self.takes_tensors() { Some(true) } else { first }
    }

    /// Literals of another type than their parameter's.
    pub fn literals(&self, args: &'a [Arg], places: &[usize]) -> Vec<Diagnostic> {
        args.iter()
            .zip(places)
            .filter_map(|(a, &at)| {
                let p = self.params.get(at)?;
                let ParamKind::Typed(ty) = &p.kind else { return None };
                let TypeKind::Named(declared, _) = &ty.kind else { return None };
                let found = literal(&a.value)?;
                let fits = match declared.name.as_str() {
                    "int" => found == "a whole number",
                    "float" => matches!(found, "a whole number" | "a real number"),
                    "bool" => found == "a truth value",
                    "string" => found == "a text",
                    "list" => found == "a list",
                    "op" => false,
                    _ => true,
                };
                (!fits).then(|| wording::wrong_type(p, &declared.name, found, a.value.span))
            })
            .collect()
    }
}

/// What a literal is, in words.
fn literal(e: &Expr) -> Option<&'static str> {
    match &e.kind {
        ExprKind::Int(_) => Some("a whole number"),
        ExprKind::Float(_) => Some("a real number"),
        ExprKind::Bool(_) => Some("a truth value"),
        ExprKind::Str(_) => Some("a text"),
        ExprKind::List(_) => Some("a list"),
        ExprKind::Unary(UnOp::Neg, x) => literal(x).filter(|k| k.ends_with("number")),
        _ => None,
    }
}

pub fn is_tensor(p: &Param) -> bool {
    matches!(p.kind, ParamKind::Tensor(_))
}
