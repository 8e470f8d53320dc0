//! Signatures of everything that can be named, as one line and by parameter.

use gen_lsp_types::{
    ActiveParameter, Documentation, MarkupContent, MarkupKind, ParameterInformation, ParameterInformationLabel,
    SignatureHelp, SignatureInformation,
};

use super::analysis::Analysis;
use super::context::open_call;
use crate::base::{Sources, Span};
use crate::data::known;
use crate::search::lang::contract::{self, Form, Row, RowParam};
use crate::search::lang::{Sig, builtins};
use crate::sema::builtins::Builtin;
use crate::syntax::ast::{Dim, FunKind, Item, ItemKind, Param, ParamKind};

/// What a hover, a completion and a signature help show of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// `block conv_bn(c: int, k: int = 3)`
    pub label: String,
    /// Name and text of each parameter.
    pub params: Vec<(String, String)>,
    /// Documentation as plain text.
    pub doc: String,
    /// Whether it can be called.
    pub callable: bool,
}

impl Signature {
    /// As Markdown.
    pub fn markdown(&self) -> String {
        let doc = if self.doc.is_empty() { String::new() } else { format!("\n\n---\n\n{}", self.doc) };
        format!("```nas\n{}\n```{doc}", self.label)
    }
}

/// Markdown for the protocol.
pub fn markup(value: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value }
}

/// The text of a parameter as it is written.
fn param_text(sources: &Sources, p: &Param) -> String {
    let text = &sources.get(p.name.span.file).text;
    let mut end = p.name.span.end;
    match &p.kind {
        ParamKind::Tensor(dims) => {
            let last = dims.iter().map(|d| match d {
                Dim::Rest(s) => s.end,
                Dim::Expr(e) => e.span.end,
            });
            let from = last.max().unwrap_or(end) as usize;
            end = text.get(from..).and_then(|t| t.find(']')).map_or(end, |i| (from + i + 1) as u32);
        }
        ParamKind::Typed(t) => end = t.span.end,
        ParamKind::Untyped => {}
    }
    if let Some(d) = &p.default {
        end = end.max(d.span.end);
    }
    one_line(sources.slice(Span { end, ..p.name.span }))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The signature of a declaration.
pub fn of_item(sources: &Sources, item: &Item) -> Signature {
    let mut s = Signature { doc: item.doc.clone(), callable: true, ..Signature::default() };
    let params = |ps: &[Param]| -> Vec<(String, String)> {
        ps.iter().map(|p| (p.name.name.clone(), param_text(sources, p))).collect()
    };
    let upto = |end: u32| {
        let head = one_line(sources.slice(Span { end: end.max(item.span.start), ..item.span }));
        head.trim_end_matches(['=', '{', ' ']).to_string()
    };
    match &item.kind {
        ItemKind::Use(_) => s.callable = false,
        ItemKind::Primitive(p) => {
            s.params = params(&p.params);
            // Extents may have any form, but no braces.
            let from = p.outputs.last().map_or(p.name.span.end, |o| o.name.span.end) as usize;
            let text = &sources.get(item.span.file).text;
            let end = text.get(from..).and_then(|t| t.find('{')).map_or(from, |i| from + i);
            s.label = upto(end as u32);
        }
        ItemKind::Arch(a) => {
            s.params = params(&a.params);
            s.label = upto(a.body.span.start);
        }
        ItemKind::Fun(f) => {
            s.params = params(&f.params);
            s.label = upto(f.body.span.start);
        }
        ItemKind::Search(x) => {
            s.label = format!("search {}", x.name.name);
            s.callable = false;
        }
        ItemKind::SpaceAlias { name, .. } => {
            s.label = one_line(sources.slice(item.span));
            s.callable = false;
            if s.label.len() > 100 {
                s.label = format!("space {}", name.name);
            }
        }
        ItemKind::Environment(e) => {
            s.params = params(&e.params);
            s.label = format!("environment {}", e.name.name);
        }
        ItemKind::Algorithm(a) => {
            s.label = format!("algorithm {}", a.name.name);
            s.callable = false;
        }
    }
    s
}

fn row_params(params: &[RowParam]) -> Vec<(String, String)> {
    let default = |p: &RowParam| p.default.as_ref().map_or(String::new(), |d| format!(" = {d}"));
    params.iter().map(|p| (p.name.clone(), format!("{}: {}{}", p.name, p.ty, default(p)))).collect()
}

/// A call of the runtime's contract.
pub fn of_row(row: &Row) -> Signature {
    let mut params = row_params(&row.params);
    let member = !matches!(row.form, Form::Free | Form::Global);
    let on = if member { format!("{}.", row.params[0].ty) } else { String::new() };
    if member {
        params.remove(0);
    }
    let inner: Vec<&str> = params.iter().map(|p| p.1.as_str()).collect();
    let callable = !matches!(row.form, Form::Global | Form::Field);
    let label = if callable {
        format!("{on}{}({}) -> {}", row.name, inner.join(", "), row.result)
    } else {
        format!("{on}{}: {}", row.name, row.result)
    };
    Signature { label, params, doc: row.doc.to_string(), callable }
}

/// A built-in function of programs.
pub fn of_program_builtin(b: &Sig) -> Signature {
    let params = row_params(&b.params);
    let inner: Vec<&str> = params.iter().map(|p| p.1.as_str()).collect();
    let label = format!("{}({}) -> {}", b.name, inner.join(", "), b.result);
    Signature { label, params, doc: String::new(), callable: true }
}

/// A built-in function of architectures; its documentation begins with how it is called.
pub fn of_builtin(doc: &str) -> Signature {
    let label = doc.split('`').nth(1).unwrap_or(doc).to_string();
    let inner = label.split_once('(').and_then(|(_, r)| r.strip_suffix(')')).unwrap_or("");
    let params = inner.split(',').map(str::trim).filter(|p| !p.is_empty());
    let params = params.map(|p| (p.split(['=', ' ']).next().unwrap_or(p).to_string(), p.to_string())).collect();
    Signature { label, params, doc: doc.to_string(), callable: true }
}

/// A source of data.
pub fn of_data(name: &str) -> Option<Signature> {
    let s = known().iter().find(|s| s.name == name)?;
    let show = |p: &crate::data::Param| match p.default {
        Some(d) => format!("{} = {d}", p.name),
        None => p.name.to_string(),
    };
    let params = s.params.iter().map(|p| (p.name.to_string(), show(p))).collect();
    let docs: Vec<String> = s.params.iter().map(|p| format!("- `{}`: {} ({})", p.name, p.doc, p.ty.words())).collect();
    Some(Signature { label: s.show(), params, doc: format!("{}\n\n{}", s.doc, docs.join("\n")), callable: true })
}

/// What a name means that nothing declares: the runtime's calls, built-in functions, sources of data. `program` says
/// whether it stands in a program or in an architecture.
pub fn of_undeclared(name: &str, program: bool) -> Option<Signature> {
    let architecture = || Builtin::ALL.iter().find(|b| b.0 == name).map(|b| of_builtin(b.2));
    let programs = || {
        let free = contract::free(name).map(of_row);
        free.or_else(|| builtins().iter().find(|b| b.name == name).map(of_program_builtin)).or_else(|| of_data(name))
    };
    if program { programs().or_else(architecture) } else { architecture().or_else(programs) }
}

/// The members of all types that have this name.
pub fn members(name: &str) -> Vec<Signature> {
    let rows = contract::rows().iter().filter(|r| r.name == name);
    rows.filter(|r| !matches!(r.form, Form::Free | Form::Global)).map(of_row).collect()
}

/// What a name at a place means.
pub fn of_name(a: &Analysis, at: u32, name: &str, method: bool) -> Option<Signature> {
    if let Some(item) = a.item_named(at, name) {
        return Some(of_item(a.sources(), item));
    }
    if method && let Some(s) = members(name).into_iter().next() {
        return Some(s);
    }
    of_undeclared(name, a.in_program(at))
}

/// The signature of the call around a byte, with the parameter there.
pub fn help(a: &Analysis, at: usize) -> Option<SignatureHelp> {
    let call = open_call(a, at)?;
    let s = of_name(a, call.at as u32, &call.name, call.method).filter(|s| s.callable)?;
    let declared = a.item_named(call.at as u32, &call.name);
    // The receiver is the first argument of a declared function; tensors are not among the arguments of an operation
    // that waits for them.
    let piped = match declared.map(|i| &i.kind) {
        Some(ItemKind::Fun(f)) => usize::from(call.method && f.kind == FunKind::Fn),
        Some(ItemKind::Primitive(p)) => waiting(&p.params, &call.name, a, at),
        Some(ItemKind::Arch(x)) => waiting(&x.params, &call.name, a, at),
        _ => 0,
    };
    let active = match &call.named {
        Some(n) => s.params.iter().position(|p| p.0 == *n),
        None => Some(call.argument + piped),
    };
    let parameters = s
        .params
        .iter()
        .map(|p| ParameterInformation { label: ParameterInformationLabel::String(p.1.clone()), documentation: None })
        .collect();
    let information = SignatureInformation {
        label: s.label.clone(),
        documentation: (!s.doc.is_empty()).then(|| Documentation::MarkupContent(markup(s.doc.clone()))),
        parameters: Some(parameters),
        active_parameter: active.filter(|&i| i < s.params.len()).map(|i| ActiveParameter::Int(i as u32)),
    };
    Some(SignatureHelp {
        active_parameter: information.active_parameter,
        signatures: vec![information],
        active_signature: Some(0),
    })
}

/// How many tensors an operation takes that stands after `>>`, or anywhere but in a call with tensors: those are not
/// written among its arguments. Where it begins a statement, they are.
fn waiting(params: &[Param], name: &str, a: &Analysis, at: usize) -> usize {
    let tensors = params.iter().filter(|p| matches!(p.kind, ParamKind::Tensor(_))).count();
    let tokens = &a.lexed.tokens;
    let i = tokens.partition_point(|t| t.end <= at);
    let call = (0..i).rev().find(|&k| a.token(k) == name);
    let before = call.and_then(|k| k.checked_sub(1)).map_or("", |k| a.token(k));
    if matches!(before, ">>" | ":" | "|" | "{" | "=" | "=>") && tensors == 1 { tensors } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_declares() {
        let s = of_undeclared("concat", false).expect("a built-in");
        assert_eq!(s.label, "concat(xs, axis = 1)");
        assert_eq!(s.params[1], ("axis".to_string(), "axis = 1".to_string()));
        let s = of_undeclared("evaluate_all", true).expect("a call of the runtime");
        assert_eq!(s.label, "evaluate_all(cs: list<candidate>, until: int? = none, repeat: int = 1) -> list<trial>");
        assert!(of_undeclared("digits", true).is_some_and(|s| s.label == "digits()"));
        assert!(of_undeclared("nothing", true).is_none());
        assert!(members("reward").iter().any(|s| s.label == "trial.reward: float?"));
    }
}
