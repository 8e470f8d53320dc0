//! What is wrong with a name or an argument, in one wording for the static walk and for elaboration.

use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::sema::builtins::Builtin;
use crate::sema::modules::{ModuleId, Program};
use crate::sema::stdlib;
use crate::syntax::ast::{Ident, Param, ParamKind};

/// Nothing in scope has this name; `locals` are the local names there.
pub fn unknown_name<'a>(
    program: &'a Program,
    module: ModuleId,
    n: &Ident,
    locals: impl Iterator<Item = &'a str>,
) -> Diagnostic {
    let d =
        Diagnostic::new(&codes::UNKNOWN_NAME, n.span, format!("there is no `{}` here", n.name)).here("unknown name");
    suggest(d, program, module, n, locals)
}

/// No function of this name can be called as `x.name(..)`.
pub fn unknown_method<'a>(
    program: &'a Program,
    module: ModuleId,
    n: &Ident,
    locals: impl Iterator<Item = &'a str>,
) -> Diagnostic {
    let message = format!("there is no function `{}` that could be called as a method", n.name);
    let d = Diagnostic::new(&codes::UNKNOWN_NAME, n.span, message).here("unknown method");
    suggest(d, program, module, n, locals.chain(["push", "pop"]))
}

fn suggest<'a>(
    d: Diagnostic,
    program: &'a Program,
    module: ModuleId,
    n: &Ident,
    locals: impl Iterator<Item = &'a str>,
) -> Diagnostic {
    let known =
        locals.chain(program.module(module).scope.keys().map(String::as_str)).chain(Builtin::ALL.iter().map(|b| b.0));
    // What has exactly this name is a better guess than what has almost this name.
    if let Some(m) = stdlib::module_of(&n.name) {
        return d.help(format!("it is in the standard library: `use {m}.*`"));
    }
    match did_you_mean(&n.name, known) {
        Some(k) => d.help(format!("did you mean `{k}`?")).fix(n.span, k, format!("write `{k}`")),
        None => d,
    }
}

/// An assignment to a name that is not there.
pub fn unknown_variable<'a>(n: &Ident, locals: impl Iterator<Item = &'a str>) -> Diagnostic {
    let d = Diagnostic::new(&codes::UNKNOWN_NAME, n.span, format!("there is no variable `{}`", n.name))
        .here("nothing of this name can be assigned");
    match did_you_mean(&n.name, locals) {
        Some(k) => d.help(format!("did you mean `{k}`?")).fix(n.span, k, format!("write `{k}`")),
        None => d.help(format!("declare it first: `var {} = ..`", n.name)),
    }
}

/// An assignment to a name that keeps its value.
pub fn immutable(n: &Ident) -> Diagnostic {
    Diagnostic::new(&codes::IMMUTABLE, n.span, format!("`{}` cannot be assigned", n.name))
        .here("bound by `let`, by a loop or as a parameter")
        .help("declare it with `var`")
}

/// An item that only programs or commands can use.
pub fn not_for_architectures(n: &Ident) -> Diagnostic {
    Diagnostic::new(&codes::WRONG_TYPE, n.span, format!("`{}` is not something that an architecture can use", n.name))
        .here("not a primitive, block, motif or function")
}

/// A named argument of a built-in that takes none of that name.
pub fn unknown_builtin_argument(builtin: &str, doc: &str, n: &Ident) -> Diagnostic {
    Diagnostic::new(&codes::WRONG_ARGUMENT, n.span, format!("`{builtin}` has no parameter `{}`", n.name))
        .here("unknown argument")
        .help(doc)
}

/// Which parameter each argument of a call is for. `direct` calls give their tensors, in front or by name; others leave
/// all of them out and are operations. Fails with everything that is wrong with the arguments.
pub fn match_arguments(
    name: &Ident,
    params: &[Param],
    args: &[(Option<&Ident>, Span)],
    direct: bool,
    call: Span,
) -> Result<Vec<usize>, Vec<Diagnostic>> {
    let is_tensor = |p: &Param| matches!(p.kind, ParamKind::Tensor(_));
    let mut positional = (0..params.len()).filter(|&i| direct || !is_tensor(&params[i]));
    let takes = positional.clone().count();
    let mut out = Vec::with_capacity(args.len());
    let mut wrong = Vec::new();
    for (i, &(named, span)) in args.iter().enumerate() {
        let at = match named {
            None => positional.next(),
            Some(n) => params.iter().position(|p| p.name.name == n.name),
        };
        match (at, named) {
            (Some(at), _) if out.contains(&at) => wrong.push(
                Diagnostic::new(
                    &codes::WRONG_ARGUMENT,
                    span,
                    format!("the argument `{}` is given twice", params[at].name.name),
                )
                .here("given again here")
                .label(args[out.iter().position(|&o| o == at).unwrap_or(i)].1, "first given here"),
            ),
            (Some(at), _) => {
                out.push(at);
                continue;
            }
            (None, Some(n)) => wrong.push(unknown_argument(name, params, n)),
            (None, None) => {
                wrong.push(
                    Diagnostic::new(
                        &codes::WRONG_ARGUMENT,
                        span,
                        format!("`{}` takes {} here, this is one more", name.name, counted(takes)),
                    )
                    .here("too many arguments")
                    .label(name.span, "declared here"),
                );
                break;
            }
        }
        // Keeps the places of `out` those of `args`.
        out.push(usize::MAX);
    }
    // With a misspelled name a missing argument would be said twice.
    if !wrong.is_empty() {
        return Err(wrong);
    }
    if direct {
        let lacking: Vec<String> = (0..params.len())
            .filter(|&i| is_tensor(&params[i]) && !out.contains(&i))
            .map(|i| format!("`{}`", params[i].name.name))
            .collect();
        if !lacking.is_empty() {
            let tensors = if lacking.len() == 1 { "tensor" } else { "tensors" };
            wrong.push(
                Diagnostic::new(
                    &codes::WRONG_ARGUMENT,
                    call,
                    format!("`{}` also needs the {tensors} {}", name.name, lacking.join(", ")),
                )
                .here("some tensors are given, but not all")
                .label(name.span, "declared here")
                .help("give all tensors first, or none to get an operation"),
            );
        }
    }
    for (i, p) in params.iter().enumerate() {
        if !is_tensor(p) && p.default.is_none() && !out.contains(&i) {
            wrong.push(
                Diagnostic::new(
                    &codes::MISSING_ARGUMENT,
                    call,
                    format!("`{}` needs the argument `{}`", name.name, p.name.name),
                )
                .here(format!("`{}` is missing", p.name.name))
                .label(p.name.span, "declared here, without a default"),
            );
            // One message says what to do; the next one comes after it.
            break;
        }
    }
    if wrong.is_empty() { Ok(out) } else { Err(wrong) }
}

fn counted(n: usize) -> String {
    match n {
        0 => "no arguments".to_string(),
        1 => "1 argument".to_string(),
        n => format!("{n} arguments"),
    }
}

/// A named argument of no parameter.
pub fn unknown_argument(name: &Ident, params: &[Param], n: &Ident) -> Diagnostic {
    let known: Vec<&str> = params.iter().map(|p| p.name.name.as_str()).collect();
    let d = Diagnostic::new(&codes::WRONG_ARGUMENT, n.span, format!("`{}` has no parameter `{}`", name.name, n.name))
        .here("unknown argument")
        .label(name.span, "declared here");
    match did_you_mean(&n.name, known.iter().copied()) {
        Some(k) => d.help(format!("did you mean `{k}`?")).fix(n.span, k, format!("write `{k}`")),
        None if known.is_empty() => d.help("it has no parameters"),
        None => d.help(format!("its parameters are {}", known.join(", "))),
    }
}

/// A recursion without an end.
pub fn endless(name: &str, span: Span) -> Diagnostic {
    endless_as(span, format!("`{name}` calls itself with the same arguments and never ends"))
}

/// A recursion without an end, described by `message`.
pub fn endless_as(span: Span, message: String) -> Diagnostic {
    Diagnostic::new(&codes::ENDLESS, span, message).here("recursive call").help(
        "let an argument decrease towards a case without recursion: `if depth == 0 { .. } else { .. depth - 1 .. }`",
    )
}

/// Two choices of one name in one place.
pub fn duplicate_decision(name: &str, first: Span, again: Span) -> Diagnostic {
    Diagnostic::new(&codes::DUPLICATE_DECISION, again, format!("the decision `{name}` is made twice"))
        .here("made again here")
        .label(first, "first made here")
        .help("give the two choices different names")
}

/// Two alternatives of one label.
pub fn duplicate_alternative(label: &str, first: Span, again: Span) -> Diagnostic {
    Diagnostic::new(&codes::DUPLICATE_DECISION, again, format!("two alternatives are both called `{label}`"))
        .here("again here")
        .label(first, "first here")
        .help("label them: `name: alternative`")
}

/// A value of another kind than its parameter declares; `found` is what it is, in words.
pub fn wrong_type(p: &Param, declared: &str, found: &str, span: Span) -> Diagnostic {
    let wanted = match declared {
        "int" => "a whole number".to_string(),
        "float" => "a real number".to_string(),
        "bool" => "a truth value".to_string(),
        "string" => "a text".to_string(),
        "op" => "an operation".to_string(),
        other => format!("a {other}"),
    };
    Diagnostic::new(&codes::WRONG_TYPE, span, format!("`{}` must be {wanted}, not {found}", p.name.name))
        .here(format!("this is {found}"))
        .label(p.name.span, format!("declared as `{declared}`"))
}

/// A declaration that only a module can have.
pub fn not_in_a_body(span: Span) -> Diagnostic {
    Diagnostic::new(&codes::WRONG_PLACE, span, "this cannot be declared inside a body")
        .here("blocks, motifs, primitives and functions can")
        .help("declare it in the file, outside of the body")
}

/// `sum[i] ..` outside of a primitive.
pub fn reduction(keyword: Span) -> Diagnostic {
    Diagnostic::new(&codes::WRONG_PLACE, keyword, "a reduction over indices stands only in a `primitive`")
        .here("not an equation")
        .help("call a function, such as `sum(xs)`, or declare a primitive with this equation")
}
