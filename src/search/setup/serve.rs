//! Whether space, strategy and evaluation of a search go together.

use crate::base::Span;
use crate::diag::{Diagnostic, codes};
use crate::sema::names::visit;
use crate::space::Space;
use crate::space::decision::matches;
use crate::syntax::ast::ExprKind;

use super::super::lang::{HostFn, Value};
use super::{Argument, Called, Goal, Reader, mentions};

impl Reader<'_> {
    /// The selectors that a strategy, and the functions of its module that it calls, write as texts: in which method, which,
    /// and where.
    fn selectors(&self, strategy: &str) -> Vec<(String, String, Span)> {
        self.calls(strategy).into_iter().filter_map(|(method, text, span)| Some((method, text?, span))).collect()
    }

    /// The calls of methods on candidates in a strategy and the functions of its module that it calls, with the text that is
    /// their first argument, if one is.
    fn calls(&self, strategy: &str) -> Vec<(String, Option<String>, Span)> {
        let Some(item) = self.program.lookup(self.module, strategy) else { return Vec::new() };
        let mut out = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut todo = vec![item];
        while let Some(r) = todo.pop() {
            if !seen.insert(r) {
                continue;
            }
            visit::item(self.program.item(r), &mut |e| {
                let ExprKind::Call { callee, args } = &e.kind else { return };
                match &callee.kind {
                    ExprKind::Name(n) => {
                        todo.extend(self.program.lookup(r.module, &n.ident.name).filter(|f| f.module == r.module));
                    }
                    ExprKind::Field { name, .. }
                        if ["decisions", "set", "gaps", "insert"].contains(&name.name.as_str()) =>
                    {
                        let text = match args.first().map(|a| &a.value.kind) {
                            Some(ExprKind::Str(s)) if name.name != "insert" => Some(s.clone()),
                            _ => None,
                        };
                        out.push((name.name.clone(), text, args.first().map_or(name.span, |a| a.value.span)));
                    }
                    _ => {}
                }
            });
        }
        out
    }

    /// A metric that an evaluation measures only if a parameter of its name says so.
    pub(super) fn measured(&mut self, e: &Called, objectives: &[Goal], span: Span) {
        for ((name, _), value) in e.program.params().iter().zip(&e.args) {
            let off = matches!(value, Argument::Value(Value::Bool(false)));
            if off && e.metrics.contains(name) && objectives.iter().any(|g| mentions(&g.text, name)) {
                let d = Diagnostic::new(
                    &codes::UNKNOWN_METRIC,
                    span,
                    format!("the objective is over `{name}`, which this evaluation does not measure"),
                );
                self.push(d.here(format!("`{name}` is off")).help(format!("write `{}(.., {name} = true)`", e.name)));
            }
        }
    }

    /// Whether the evaluation is for candidates of the space's kind.
    pub(super) fn scorable(&mut self, e: &Called, space: &Space, data: Span) {
        let uses = e.program.uses();
        let programs = space.design().is_some();
        if programs && self.tasks.is_none() {
            let d = Diagnostic::new(
                &codes::DATA_MISFIT,
                data,
                "a search for algorithms needs tasks, and this is one data set",
            );
            self.push(d.help("write `scalar_linear_regression()`, or `projected_binary_classification(digits())`"));
        }
        let (f, wanted, help) = if programs {
            (HostFn::Build, "programs", "use `programs()` of `std.evaluations.programs`")
        } else {
            (HostFn::RunTasks, "networks", "use `train()` of `std.evaluations.train`")
        };
        if uses.contains(&f) {
            let d = Diagnostic::new(
                &codes::CANNOT_SERVE,
                if e.span == Span::default() { data } else { e.span },
                format!(
                    "the evaluation `{}` cannot score the candidates of `{}`, which are {wanted}",
                    e.name,
                    space.name()
                ),
            );
            self.push(d.help(help));
        }
    }

    /// Whether the space offers what the strategy asks for.
    pub(super) fn servable(&mut self, s: &Called, space: &Space) {
        let uses = s.program.uses();
        let real: Vec<&str> = space
            .decisions()
            .iter()
            .filter(|d| matches!(d.decision.domain, crate::space::decision::Domain::Real { .. }))
            .map(|d| d.decision.name.as_str())
            .collect();
        if uses.contains(&HostFn::DraftAll) && !real.is_empty() {
            let d = Diagnostic::new(
                &codes::CANNOT_SERVE,
                s.span,
                format!("the strategy `{}` needs a finite space", s.name),
            )
            .here("it goes over all candidates")
            .note(format!(
                "{} a real number",
                if real.len() == 1 { format!("`{}` takes", real[0]) } else { format!("`{}` take", real.join("`, `")) }
            ));
            self.push(d.help("give those decisions a `step`, or use a strategy that samples"));
        }
        let grows = self.calls(&s.name).iter().any(|m| ["gaps", "insert"].contains(&m.0.as_str()));
        if grows && !space.repeats().iter().any(|r| r.count.is_some()) {
            let d = Diagnostic::new(
                &codes::CANNOT_SERVE,
                s.span,
                format!("the strategy `{}` inserts layers, but the space has no place for them", s.name),
            )
            .here("it needs a `repeat` with a decided number of copies");
            self.push(d.help("write `repeat depth as layer { .. }` with `let depth = choose depth in 1..=8`"));
        }
        for (method, selector, span) in self.selectors(&s.name) {
            let found = match method.as_str() {
                "gaps" => space.repeats().iter().any(|r| matches(&selector, &r.path)),
                _ => space.decisions().iter().any(|d| matches(&selector, &d.decision.name)),
            };
            if !found {
                let kinds: std::collections::BTreeSet<String> =
                    space.decisions().iter().map(|d| d.decision.kind()).collect();
                let d = Diagnostic::new(
                    &codes::CANNOT_SERVE,
                    span,
                    format!("the selector \"{selector}\" matches nothing in the space `{}`", space.name()),
                )
                .here("no such decision")
                .label(s.span, "the strategy is used here");
                self.push(d.help(format!("its decisions are {}", kinds.into_iter().collect::<Vec<_>>().join(", "))));
            }
        }
        if space.decisions().is_empty() {
            let d = Diagnostic::new(
                &codes::CANNOT_SERVE,
                s.span,
                format!("there is nothing to search: the space `{}` has no decisions", space.name()),
            );
            self.push(d.help("write `choose` where candidates may differ"));
        }
    }
}
