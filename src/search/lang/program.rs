//! Compiled programs: what `search` blocks hold and run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::builtins::Builtin;
use super::check::Checker;
use super::contract::{self, Form, Who};
use super::env::{Env, FunItem};
use super::heap::Heap;
use super::host::{Host, HostFn, Stop, Value};
use super::interp;
use super::ir::{self, Code, RtOp};
use super::jit::Native;
use super::lower::lower;
use super::runtime::Ctx;
use super::types::{Tag, Type};
use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::syntax::ast::{Expr, FunKind, ParamKind};

/// A compiled program. It keeps no state between runs and may run on several threads at once.
pub struct Program {
    code: Code,
    native: Native,
    params: Vec<(String, Type)>,
    result: Type,
    uses: BTreeSet<HostFn>,
    inherits: bool,
    warnings: Vec<Diagnostic>,
}

/// What a strategy, an evaluation or a function takes and gives.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub span: Span,
    /// Its parameters.
    pub params: Vec<SigParam>,
    /// Its result; a record of metrics for an evaluation.
    pub result: Type,
}

/// One parameter.
#[derive(Clone, Debug)]
pub struct SigParam {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub span: Span,
    /// Its type.
    pub ty: Type,
    /// Its value where no argument is given.
    pub default: Option<Value>,
}

/// A host for expressions that may not call the runtime.
struct NoHost;

impl Host for NoHost {
    fn call(&mut self, f: HostFn, _: &[Value], span: Span) -> Result<Value, Stop> {
        let d = Diagnostic::new(&codes::PROG_WHO, span, format!("`{}` is not available here", f.row().name))
            .here("this must be known before anything runs")
            .help("move the call into a strategy or an evaluation");
        Err(Stop::Failed(Box::new(d)))
    }
}

impl Program {
    /// Compiles a strategy, an evaluation or a function for the parameter types of its signature.
    pub fn compile(env: &Env, item: &Arc<FunItem>) -> Result<Program, Vec<Diagnostic>> {
        let mut checker = Checker::new(env);
        let params = param_types(env, &mut checker, item);
        let types: Vec<Type> = params.iter().map(|p| p.1.clone()).collect();
        checker.instance(item, &types, item.fun.name.span);
        let who = match item.fun.kind {
            FunKind::Strategy => Some(Who::Strategy),
            FunKind::Evaluation => Some(Who::Evaluation),
            FunKind::Fn => None,
        };
        let entry = checker.find(item, &types);
        Self::finish(checker, entry, params, who)
    }

    /// Compiles an expression such as an objective. `params` are its free names, `expected` the type of its value.
    pub fn expression(
        env: &Env,
        scope: usize,
        expr: &Expr,
        params: &[(String, Type)],
        expected: Option<&Type>,
    ) -> Result<Program, Vec<Diagnostic>> {
        let mut checker = Checker::new(env);
        let entry = checker.expression(scope, expr, params, expected);
        Self::finish(checker, Some(entry), params.to_vec(), None)
    }

    fn finish(
        mut checker: Checker<'_>,
        entry: Option<usize>,
        params: Vec<(String, Type)>,
        who: Option<Who>,
    ) -> Result<Program, Vec<Diagnostic>> {
        for (f, span) in &checker.uses {
            let row = f.row();
            if let Some((_, needs)) = contract::UNSERVED.iter().find(|u| u.0 == *f) {
                let text = format!("`.{}` needs {needs}, which this version does not have yet", row.name);
                let d = Diagnostic::new(&codes::PROG_LATER, *span, text);
                checker.diags.push(d.help("train by whole passes: `net.fit(data.train, batch, optimizer)`"));
            }
            if let Some(who) = who
                && row.who != Who::Both
                && row.who != who
            {
                let (home, here) = if row.who == Who::Strategy {
                    ("strategies", "an evaluation")
                } else {
                    ("evaluations", "a strategy")
                };
                let name = if row.form == Form::Free || row.form == Form::Global {
                    row.name.to_string()
                } else {
                    format!(".{}", row.name)
                };
                let d = Diagnostic::new(&codes::PROG_WHO, *span, format!("`{name}` is only available in {home}"))
                    .here(format!("used by {here}"))
                    .help("what an evaluation returns reaches the strategy as `t.metrics` and `t.reward`");
                checker.diags.push(d);
            }
        }
        let diags = checker.take_diags();
        let errors = diags.iter().any(|d| d.severity == crate::diag::Severity::Error);
        let Some(entry) = entry.filter(|_| !errors) else {
            return Err(diags);
        };
        let code = lower(&checker, entry);
        let span = checker.instances[entry].span;
        let broken = |what: &str, e: String| {
            let d = Diagnostic::new(&codes::PROG_HOST, span, format!("the compiler produced invalid {what}")).note(e);
            vec![d.help("please report this with the program that shows it")]
        };
        ir::verify(&code).map_err(|e| broken("intermediate code", e))?;
        let native = Native::new(&code).map_err(|e| broken("machine code", e))?;
        let result = checker.instances[entry].result.clone();
        let (uses, inherits) = (checker.uses.keys().copied().collect(), checker.inherits);
        Ok(Program { code, native, params, result, uses, inherits, warnings: diags })
    }

    /// Its parameters, in order.
    pub fn params(&self) -> &[(String, Type)] {
        &self.params
    }

    /// The type of its result.
    pub fn result(&self) -> &Type {
        &self.result
    }

    /// The calls of the runtime that it, or anything that it calls, may make.
    pub fn uses(&self) -> &BTreeSet<HostFn> {
        &self.uses
    }

    /// Whether it submits candidates that inherit the weights of a trial.
    pub fn inherits(&self) -> bool {
        self.inherits
    }

    /// Whether it may ask if two objects of a type are equal, or which comes first.
    pub fn compares(&self, tag: Tag) -> bool {
        let within = |t: &Type| t.any(&|t| *t == Type::Opaque(tag));
        self.code.sites.iter().any(|s| match &s.op {
            RtOp::Compare
            | RtOp::Builtin(
                Builtin::Contains
                | Builtin::Order
                | Builtin::Firsts
                | Builtin::ArgMax
                | Builtin::ArgMin
                | Builtin::Max
                | Builtin::Min,
            ) => s.args.iter().any(within),
            _ => false,
        })
    }

    /// Warnings of the compilation.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Its IR as text.
    pub fn ir(&self) -> String {
        self.code.to_string()
    }

    /// Runs it natively. `args` are in the order of the parameters; the stop flag ends it at the next turn of a loop.
    pub fn run(&self, args: &[Value], host: &mut dyn Host, stop: &AtomicBool) -> Result<Value, Stop> {
        self.start(args, host, stop, false).0
    }

    /// Runs it in the reference interpreter, which gives the same.
    pub fn interpret(&self, args: &[Value], host: &mut dyn Host, stop: &AtomicBool) -> Result<Value, Stop> {
        self.start(args, host, stop, true).0
    }

    /// A heap for [`Program::again`], and the arguments on it.
    pub fn heap(&self, args: &[Value]) -> (Heap, Vec<u64>) {
        let mut heap = Heap::new();
        let slots = args.iter().zip(&self.params).map(|(a, p)| heap.slot(a, &p.1)).collect();
        (heap, slots)
    }

    /// Runs it natively on a heap of its own that stays from run to run. The result is an owned slot of that heap; after a
    /// failure the heap is to be made anew. The arguments are as [`Program::heap`] made them.
    pub fn again(&self, heap: &mut Heap, args: &[u64], host: &mut dyn Host, stop: &AtomicBool) -> Result<u64, Stop> {
        if args.len() != self.params.len() {
            return Err(Stop::Finished);
        }
        let own = std::mem::take(heap);
        let mut ctx = Ctx { ret: 0, stop, table: self.native.table(), code: &self.code, heap: own, host, ended: None };
        let ok = self.native.run(&mut ctx, args);
        let ended = ctx.ended.take();
        let ret = ctx.ret;
        *heap = ctx.heap;
        if ok { Ok(ret) } else { Err(ended.unwrap_or(Stop::Finished)) }
    }

    /// The result, and how many heap objects were left besides it.
    pub(super) fn start(
        &self,
        args: &[Value],
        host: &mut dyn Host,
        stop: &AtomicBool,
        interpret: bool,
    ) -> (Result<Value, Stop>, usize) {
        if args.len() != self.params.len() || !args.iter().zip(&self.params).all(|(a, p)| a.fits(&p.1)) {
            let span = self.code.spans.first().copied().unwrap_or_default();
            let wants: Vec<String> = self.params.iter().map(|p| format!("{}: {}", p.0, p.1)).collect();
            let d = Diagnostic::new(
                &codes::PROG_HOST,
                span,
                format!("the program was started with other arguments than ({})", wants.join(", ")),
            )
            .help("please report this with the program that shows it");
            return (Err(Stop::Failed(Box::new(d))), 0);
        }
        let mut heap = Heap::new();
        let slots: Vec<u64> = args.iter().zip(&self.params).map(|(a, p)| heap.slot(a, &p.1)).collect();
        let table = if interpret { &[] } else { self.native.table() };
        let mut ctx = Ctx { ret: 0, stop, table, code: &self.code, heap, host, ended: None };
        let ok = if interpret { interp::call(&mut ctx, 0, &slots, 0) } else { self.native.run(&mut ctx, &slots) };
        if !ok {
            return (Err(ctx.ended.take().unwrap_or(Stop::Finished)), ctx.heap.live());
        }
        let value = ctx.heap.value(ctx.ret, &self.result);
        if self.result.is_ref() {
            let r = ctx.ret;
            ctx.heap.release(r);
        }
        for (s, p) in slots.iter().zip(&self.params) {
            if p.1.is_ref() {
                ctx.heap.release(*s);
            }
        }
        (Ok(value), ctx.heap.live())
    }
}

/// The types of a function's parameters, from what is written or from the defaults.
fn param_types(env: &Env, checker: &mut Checker<'_>, item: &Arc<FunItem>) -> Vec<(String, Type)> {
    let mut out = Vec::new();
    for p in &item.fun.params {
        let ty = match &p.kind {
            ParamKind::Typed(t) => {
                let mut f = super::check::FnChecker::new(checker, item.scope);
                let t = f.written(t);
                f.infer.full(&t)
            }
            ParamKind::Untyped => match p.default.as_ref().map(|d| constant(env, item.scope, d, None)) {
                Some(Ok((_, t))) => t,
                Some(Err(ds)) => {
                    checker.diags.extend(ds);
                    Type::Error
                }
                None => {
                    let d = Diagnostic::new(
                        &codes::PROG_UNKNOWN_TYPE,
                        p.name.span,
                        format!("the type of `{}` cannot be told", p.name.name),
                    )
                    .help(format!("write it: `{}: float`", p.name.name));
                    checker.diags.push(d);
                    Type::Error
                }
            },
            ParamKind::Tensor(_) => {
                let mut f = super::check::FnChecker::new(checker, item.scope);
                f.architecture(p.name.span, "a tensor parameter");
                Type::Error
            }
        };
        out.push((p.name.name.clone(), ty));
    }
    out
}

/// The value of an expression that needs no runtime, and its type.
pub fn constant(
    env: &Env,
    scope: usize,
    expr: &Expr,
    expected: Option<&Type>,
) -> Result<(Value, Type), Vec<Diagnostic>> {
    let program = Program::expression(env, scope, expr, &[], expected)?;
    match program.interpret(&[], &mut NoHost, &AtomicBool::new(false)) {
        Ok(v) => Ok((v, program.result)),
        Err(Stop::Failed(d)) => Err(vec![*d]),
        Err(Stop::Finished) => Err(Vec::new()),
    }
}

/// The signature of a program, with its defaults evaluated and its body checked.
pub fn signature(env: &Env, item: &Arc<FunItem>) -> Result<Signature, Vec<Diagnostic>> {
    let mut checker = Checker::new(env);
    let types = param_types(env, &mut checker, item);
    let mut diags = checker.take_diags();
    let mut params = Vec::new();
    for (p, (name, ty)) in item.fun.params.iter().zip(&types) {
        let mut default = None;
        if let Some(d) = &p.default
            && *ty != Type::Error
        {
            match constant(env, item.scope, d, Some(ty)) {
                Ok((v, _)) => default = Some(v),
                Err(ds) => diags.extend(ds),
            }
        }
        params.push(SigParam { name: name.clone(), span: p.name.span, ty: ty.clone(), default });
    }
    if !diags.is_empty() {
        return Err(diags);
    }
    let types: Vec<Type> = types.into_iter().map(|t| t.1).collect();
    let result = checker.instance(item, &types, item.fun.name.span).unwrap_or(Type::Error);
    let diags = checker.take_diags();
    if diags.iter().any(|d| d.severity == crate::diag::Severity::Error) {
        return Err(diags);
    }
    Ok(Signature { name: item.fun.name.name.clone(), span: item.fun.name.span, params, result })
}

/// The names of the metrics that an evaluation with this signature returns: the fields of its record that are
/// numbers, also such as may be absent. Empty if it returns something else.
pub fn metrics(signature: &Signature) -> Vec<String> {
    fn number(t: &Type) -> bool {
        match t {
            Type::Float | Type::Int => true,
            Type::Optional(t) => number(t),
            _ => false,
        }
    }
    match &signature.result {
        Type::Record(fs) => fs.iter().filter(|f| number(&f.1)).map(|f| f.0.clone()).collect(),
        _ => Vec::new(),
    }
}

impl Signature {
    /// The position of each argument's parameter: unnamed ones in order, named ones by name.
    pub fn place(&self, args: &[(Option<(&str, Span)>, Span)], callee: Span) -> Result<Vec<usize>, Vec<Diagnostic>> {
        let mut diags = Vec::new();
        let mut out: Vec<usize> = Vec::new();
        let mut next = 0;
        for (name, span) in args {
            let at = match name {
                None => {
                    next += 1;
                    next - 1
                }
                Some((n, s)) => match self.params.iter().position(|p| p.name == *n) {
                    Some(i) => i,
                    None => {
                        let mut d = Diagnostic::new(
                            &codes::PROG_ARGUMENT,
                            *s,
                            format!("`{}` has no parameter `{n}`", self.name),
                        )
                        .label(self.span, "declared here");
                        d = match did_you_mean(n, self.params.iter().map(|p| p.name.as_str())) {
                            Some(near) => {
                                d.help(format!("did you mean `{near}`?")).fix(*s, near, format!("write `{near}`"))
                            }
                            None => d.help(self.listing()),
                        };
                        diags.push(d);
                        continue;
                    }
                },
            };
            if at >= self.params.len() {
                let d = Diagnostic::new(
                    &codes::PROG_ARGUMENT,
                    *span,
                    format!("`{}` takes {} argument(s)", self.name, self.params.len()),
                )
                .here("one too many")
                .label(self.span, "declared here")
                .help(self.listing());
                diags.push(d);
                break;
            }
            if out.contains(&at) {
                diags.push(
                    Diagnostic::new(&codes::PROG_ARGUMENT, *span, format!("`{}` is given twice", self.params[at].name))
                        .help("leave one of them out"),
                );
            }
            out.push(at);
        }
        let missing: Vec<String> = self
            .params
            .iter()
            .enumerate()
            .filter(|(i, p)| p.default.is_none() && !out.contains(i))
            .map(|(_, p)| format!("`{}`", p.name))
            .collect();
        if !missing.is_empty() && diags.is_empty() {
            let d = Diagnostic::new(
                &codes::PROG_MISSING,
                callee,
                format!("`{}` needs {}", self.name, missing.join(" and ")),
            )
            .label(self.span, "declared here")
            .help(self.listing());
            diags.push(d);
        }
        if diags.is_empty() { Ok(out) } else { Err(diags) }
    }

    fn listing(&self) -> String {
        let names: Vec<String> = self.params.iter().map(|p| format!("`{}: {}`", p.name, p.ty)).collect();
        if names.is_empty() { "it takes none".into() } else { format!("its parameters are {}", names.join(", ")) }
    }
}
