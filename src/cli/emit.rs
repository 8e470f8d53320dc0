//! `nasc build --emit`: the stages of the compiler as text.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use super::build::executor;
use super::term::{Outcome, Terminal};
use super::{BuildArgs, OK, Stage, ahead, check};
use crate::base::rng::Stream;
use crate::diag::{Diagnostic, codes};
use crate::exec::Executor;
use crate::search::setup::Search;
use crate::sema::modules::Program;
use crate::space::decision::Candidate;
use crate::space::{BuildError, Want};

/// The syntax tree of the file, without positions.
pub fn ast(program: &Program) -> String {
    let text = format!("{:#?}\n", program.module(program.root()).ast);
    let mut out = String::new();
    let mut skip: Option<usize> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        match skip {
            Some(at) => {
                if indent == at {
                    skip = None;
                }
            }
            None if line.trim_start().ends_with("Span {") => skip = Some(indent),
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

/// The checked space: decisions with the conditions under which they exist, what they reach, and the output.
fn hir(search: &Search) -> String {
    let space = &search.space;
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = writeln!(out, "search {} over {}: {}", search.name, space.name(), check::describe(space));
    if let Some(data) = space.data() {
        for i in &data.inputs {
            let dims: Vec<String> = i.dims.iter().map(usize::to_string).collect();
            let _ = writeln!(out, "input [N, {}]{}", dims.join(", "), if i.int { " int" } else { "" });
        }
    }
    let _ = writeln!(out, "output {}", space.output_shape());
    for r in space.repeats() {
        let _ = match &r.count {
            Some(c) => writeln!(out, "repeat {} as often as {c} says", r.path),
            None => writeln!(out, "repeat {}", r.path),
        };
    }
    let mut owner = "";
    for d in space.decisions() {
        if d.decision.owner != owner {
            owner = &d.decision.owner;
            let _ = writeln!(out, "\n{owner} (level {})", d.decision.level);
        }
        let _ = writeln!(out, "  {} in {}", d.decision.name, d.decision.domain.describe());
        for p in &d.places {
            let _ = writeln!(out, "    at {}", if p.is_empty() { "the top" } else { p });
        }
    }
    let _ = writeln!(out, "\nobjectives");
    for g in &search.objectives {
        let _ = writeln!(out, "  maximize {}{}", if g.sign < 0.0 { "-" } else { "" }, g.text);
    }
    let _ = writeln!(out, "\nstrategy\n{}", search.strategy.0.ir());
    let _ = writeln!(out, "evaluation\n{}", search.evaluation.0.ir());
    out
}

/// A candidate given as JSON or as a file, checked against the space.
fn candidate(search: &Search, args: &BuildArgs) -> Result<Candidate, Diagnostic> {
    let Some(given) = &args.candidate else {
        return search.space.random(&mut Stream::new(args.seed, "emit")).map_err(BuildError::diagnostic);
    };
    let text = if given.trim_start().starts_with('{') { given.clone() } else { super::load::read(Path::new(given))? };
    let wrong = |m: String| Diagnostic::unplaced(&codes::BAD_CANDIDATE, m);
    let json = serde_json::from_str(&text).map_err(|e| wrong(format!("the candidate is not JSON: {e}")))?;
    let c = Candidate::from_json(&json).map_err(wrong)?;
    search.space.build(&c, Want::Decisions).map_err(BuildError::diagnostic)?;
    Ok(c)
}

/// Prints a stage.
pub fn command(term: &Terminal, search: &Arc<Search>, stage: Stage, args: &BuildArgs) -> Outcome {
    let sources = |d: Diagnostic| super::term::Trouble::new(vec![d], &search.program.sources);
    match stage {
        Stage::Ast => term.out(&ast(&search.program)),
        Stage::Hir => term.out(&hir(search)),
        Stage::Graph | Stage::Plan | Stage::Clif | Stage::Cuda => {
            let c = candidate(search, args).map_err(sources)?;
            let cpu = executor(search, 1);
            let failed = |m: String| Diagnostic::unplaced(&codes::BUILD_FAILED, m);
            let needs = ahead::compile(search, &cpu, &c).map_err(failed)?;
            let graph = needs.training.unwrap_or(needs.forward);
            let failed = |e: crate::exec::ExecError| failed(e.to_string());
            term.out(&match stage {
                Stage::Plan => cpu.compile(&graph).map_err(failed)?.describe(),
                Stage::Clif => cpu.clif(&graph).map_err(failed)?,
                Stage::Cuda => super::gpu::source(&graph, search, args).map_err(failed)?,
                Stage::Ast | Stage::Hir | Stage::Graph => {
                    format!("// {}\n{}", c.to_json(), crate::graph::text::print(&graph))
                }
            });
        }
    }
    Ok(OK)
}
