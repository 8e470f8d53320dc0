//! The commands of `nasc`. Only this module prints, reads the environment, or exits.

mod ahead;
mod build;
mod check;
mod doctor;
mod emit;
mod explain;
mod fmt;
mod gpu;
mod init;
mod load;
mod lsp;
mod outcome;
mod profile;
mod run;
mod sample;
mod show;
mod term;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use term::Terminal;

/// Success.
const OK: u8 = 0;
/// The program or the run has errors.
const ERRORS: u8 = 1;
/// Stopped by Ctrl-C or a signal.
const INTERRUPTED: u8 = 130;

const AFTER_HELP: &str = "\
Examples:
  nasc new digits          a search to start from, in a new folder
  nasc run digits.nas      search; stop with Ctrl-C, go on with `nasc run digits.nas --resume`
  nasc show digits.run     what was found

Exit codes:
  0    all is well
  1    the program or the run has errors; they are on standard error
  2    wrong usage of the command line
  130  interrupted; a run can be resumed

Results go to standard output, progress and messages to standard error. NO_COLOR is honoured.";

/// A compiler for .nas, a language for neural architecture search.
///
/// A .nas file says what networks are possible (a space), how one is scored (an evaluation) and how the search moves (a
/// strategy). nasc checks it, compiles it to native code and runs the search.
#[derive(Parser, Debug)]
#[command(name = "nasc", version, after_help = AFTER_HELP, propagate_version = false, max_term_width = 100)]
struct Cli {
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN", hide_possible_values = false)]
    color: When,
    #[command(subcommand)]
    command: Command,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Check a file: every search, every space, for all candidates at once.
    #[command(after_help = "\
Examples:
  nasc check digits.nas                all errors and warnings, and how large each space is
  nasc check digits.nas --decisions    every decision, its options and the places that it reaches
  nasc check digits.nas --json         the same for other programs")]
    Check(CheckArgs),
    /// Check, then compile ahead: kernels, ranges of size and memory, the tensor programs.
    #[command(after_help = "\
Examples:
  nasc build digits.nas                     compiles, prints a summary, writes digits.build/
  nasc build digits.nas --emit graph        the training step of a random candidate as text
  nasc build digits.nas --target cuda --arch sm_90
  nasc build digits.nas --emit clif --candidate '{\"cell.edge(0,1).op\": \"none\", ..}'

Every candidate is compiled where there are at most as many as `--exhaustive` says, else a sample in which every option
of every decision occurs.")]
    Build(BuildArgs),
    /// Run a search, or go on with one.
    #[command(after_help = "\
Examples:
  nasc run digits.nas                    writes digits.run/
  nasc run digits.nas --trials 200       another budget
  nasc run digits.nas --time 2h --workers 8
  nasc run digits.nas --resume           goes on with the last run of this search
  nasc run --resume=digits-2.run         goes on with this one
  nasc run digits.nas --json | jq .reward

Ctrl-C stops cleanly: what is finished is stored, and `--resume` goes on from there. A second Ctrl-C leaves at once;
nothing that was finished is lost then, either.")]
    Run(RunArgs),
    /// Draw random candidates, one JSON object on a line.
    #[command(after_help = "\
Examples:
  nasc sample digits.nas                 five candidates
  nasc sample digits.nas -n 1000 --seed 3 > candidates.jsonl
  nasc sample digits.nas -n 1 --svg one.svg   the picture of one")]
    Sample(SampleArgs),
    /// Show a run: the best candidate, tables, curves, pictures.
    #[command(after_help = "\
Examples:
  nasc show digits.run                      what was searched, and the best
  nasc show digits.run --table              all trials
  nasc show digits.run --trial 12           one of them
  nasc show digits.run --svg best.svg       the best network and its cells as a picture
  nasc show digits.run --curves curves.svg  all learning curves
  nasc show digits.run --json               for other programs

A run may be shown while it goes on.")]
    Show(ShowArgs),
    /// Format files in place.
    #[command(after_help = "\
Examples:
  nasc fmt *.nas
  nasc fmt --check *.nas      changes nothing; exit code 1 if something would change
  nasc fmt - < a.nas          standard input to standard output")]
    Fmt(FmtArgs),
    /// Serve an editor: the language server, on standard input and output.
    #[command(after_help = "\
Examples:
  nasc lsp          as an editor starts it; editors/ in the sources has what each editor needs")]
    Lsp {
        /// What some editors add; there is no other way.
        #[arg(long, hide = true)]
        stdio: bool,
    },
    /// Explain an error or warning by its code.
    #[command(after_help = "\
Examples:
  nasc explain E0401
  nasc explain                all codes")]
    Explain {
        /// The code, such as E0401; without one, all are listed.
        code: Option<String>,
    },
    /// Say what this machine has: processor, GPUs, drivers, compilers, caches.
    #[command(after_help = "\
Examples:
  nasc doctor          what is there, what is missing, and how to get it")]
    Doctor,
    /// Make a folder with a small search that runs as it is.
    #[command(after_help = "\
Examples:
  nasc new digits && cd digits && nasc run")]
    New {
        /// The name of the folder and of the search.
        name: String,
    },
    /// Print completions for a shell.
    #[command(after_help = "\
Examples:
  nasc completions bash > ~/.local/share/bash-completion/completions/nasc
  nasc completions zsh > ~/.zfunc/_nasc
  nasc completions fish > ~/.config/fish/completions/nasc.fish")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Args, Debug)]
struct CheckArgs {
    /// The .nas file; without one, the only file here that has a search.
    file: Option<PathBuf>,
    /// List every decision with its options and the places that it reaches.
    #[arg(long)]
    decisions: bool,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// A stage of the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// The syntax tree.
    Ast,
    /// The space as checked: decisions, when they exist, what they reach; shapes.
    Hir,
    /// The tensor program of a candidate's training step.
    Graph,
    /// Its kernels, buffers and launches.
    Plan,
    /// Its kernels in Cranelift's intermediate language.
    Clif,
    /// Its kernels for a GPU, in CUDA C.
    Cuda,
}

/// What kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BuildTarget {
    /// This machine's processor.
    Cpu,
    /// GPUs of NVIDIA; needs no GPU, and NVRTC only to go beyond CUDA C.
    Cuda,
}

/// `sm_90`
fn parse_arch(s: &str) -> Result<u32, String> {
    let wrong = || "an architecture is written like sm_80 or sm_90; the oldest is sm_70".to_string();
    let n: u32 = s.strip_prefix("sm_").unwrap_or(s).parse().map_err(|_| wrong())?;
    if (70..1000).contains(&n) { Ok(n) } else { Err(wrong()) }
}

#[derive(Args, Debug)]
struct BuildArgs {
    /// The .nas file; without one, the only file here that has a search.
    file: Option<PathBuf>,
    /// The search, if the file has several.
    #[arg(long, value_name = "NAME")]
    search: Option<String>,
    /// Print a stage of the compiler instead of building.
    #[arg(long, value_enum, value_name = "STAGE")]
    emit: Option<Stage>,
    /// The candidate of `--emit`, as JSON or as a file with JSON; random if not given.
    #[arg(long, value_name = "JSON", requires = "emit")]
    candidate: Option<String>,
    /// The folder to write; NAME.build here if not given.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Compile all candidates if there are at most so many.
    #[arg(long, value_name = "N", default_value_t = 200)]
    exhaustive: usize,
    /// Else compile about so many, every option of every decision among them.
    #[arg(long, value_name = "N", default_value_t = 32)]
    sample: usize,
    /// Threads; one for each core if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// Of the sample.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Measure the training step of the largest compiled candidate, kernel by kernel.
    #[arg(long, conflicts_with_all = ["emit", "target"])]
    timings: bool,
    /// Compile for this instead.
    #[arg(long, value_enum, value_name = "TARGET", default_value_t = BuildTarget::Cpu)]
    target: BuildTarget,
    /// The GPUs' architecture; that of the GPU here, or sm_80, if not given.
    #[arg(long, value_name = "ARCH", value_parser = parse_arch)]
    arch: Option<u32>,
}

#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct RunArgs {
    /// The .nas file; without one, the only file here that has a search.
    file: Option<PathBuf>,
    /// The search, if the file has several.
    #[arg(long, value_name = "NAME")]
    search: Option<String>,
    /// Stop after so many trials instead of what the search says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    trials: Option<u64>,
    /// Stop after this time instead: 90s, 15m, 2h, 1h30m.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    time: Option<f64>,
    /// Candidates trained at the same time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// The seed of everything.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Go on with a run: the last of this search, or the one named.
    #[arg(long, value_name = "RUN", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    resume: Option<OsString>,
    /// The run's name; its folder is NAME.run.
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    name: Option<String>,
    /// The run's folder.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["resume", "name"])]
    out: Option<PathBuf>,
    /// One JSON object for each trial on standard output, and one for the result at the end.
    #[arg(long)]
    json: bool,
    /// Score the best candidate on the test data at the end (the default).
    #[arg(long, overrides_with = "no_test")]
    test: bool,
    /// Leave the test data alone.
    #[arg(long, overrides_with = "test")]
    no_test: bool,
    /// Say at the end where the time of the children went, kernel by kernel.
    #[arg(long)]
    profile: bool,
}

#[derive(Args, Debug)]
struct SampleArgs {
    /// The .nas file; without one, the only file here that has a search.
    file: Option<PathBuf>,
    /// How many.
    #[arg(short, long, value_name = "N", default_value_t = 5)]
    number: usize,
    /// Of the draws.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The search, if the file has several.
    #[arg(long, value_name = "NAME")]
    search: Option<String>,
    /// Draw the last one's network and its cells; `-` writes the picture to standard output, and no JSON.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct ShowArgs {
    /// The run's folder.
    run: PathBuf,
    /// The best candidate only.
    #[arg(long)]
    best: bool,
    /// All trials.
    #[arg(long)]
    table: bool,
    /// The trials that no other beats in every objective.
    #[arg(long)]
    pareto: bool,
    /// One trial.
    #[arg(long, value_name = "N")]
    trial: Option<u64>,
    /// Draw the candidate's network and its cells.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Draw all learning curves.
    #[arg(long, value_name = "FILE")]
    curves: Option<PathBuf>,
    /// Draw the rewards over the trials.
    #[arg(long, value_name = "FILE")]
    rewards: Option<PathBuf>,
    /// JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct FmtArgs {
    /// Files; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; say which files would change.
    #[arg(long)]
    check: bool,
}

/// `90s`, `15m`, `2h`, `1h30m`, `1d`; a plain number is seconds.
fn parse_time(s: &str) -> Result<f64, String> {
    let wrong = || "a time is written like 90s, 15m, 2h or 1h30m".to_string();
    let (mut total, mut number) = (0.0, String::new());
    for c in s.chars() {
        let unit = match c {
            '0'..='9' | '.' => {
                number.push(c);
                continue;
            }
            's' => 1.0,
            'm' => 60.0,
            'h' => 3600.0,
            'd' => 86400.0,
            _ => return Err(wrong()),
        };
        total += number.parse::<f64>().map_err(|_| wrong())? * unit;
        number.clear();
    }
    if !number.is_empty() {
        total += number.parse::<f64>().map_err(|_| wrong())?;
    }
    if total > 0.0 { Ok(total) } else { Err("a time must be longer than nothing".to_string()) }
}

/// Runs the command line. Exit codes are those of `nasc --help`.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let term = Terminal::new(cli.color);
    quiet_workers();
    let result = match &cli.command {
        Command::Check(a) => check::command(&term, a),
        Command::Build(a) => build::command(&term, a),
        Command::Run(a) => run::command(&term, a),
        Command::Sample(a) => sample::command(&term, a),
        Command::Show(a) => show::command(&term, a),
        Command::Fmt(a) => Ok(fmt::command(&term, a)),
        Command::Lsp { stdio: _ } => lsp::command(),
        Command::Explain { code } => explain::command(&term, code.as_deref()),
        Command::Doctor => Ok(doctor::command(&term)),
        Command::New { name } => init::command(&term, name),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "nasc", &mut text);
            term.out(&String::from_utf8_lossy(&text));
            Ok(OK)
        }
    };
    let code = match result {
        Ok(code) => code,
        Err(trouble) => {
            term.diagnostics(&trouble.diagnostics, &trouble.sources);
            ERRORS
        }
    };
    ExitCode::from(if code == OK && term.failed() { ERRORS } else { code })
}

/// A crash in an evaluation becomes a failed trial with its reason; the runtime's own message would only break the
/// progress display.
fn quiet_workers() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !std::thread::current().name().is_some_and(|n| n.starts_with("worker")) {
            usual(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn architectures() {
        assert_eq!((parse_arch("sm_90"), parse_arch("80")), (Ok(90), Ok(80)));
        assert!(parse_arch("sm_60").is_err() && parse_arch("sm_x").is_err());
    }

    #[test]
    fn times() {
        assert_eq!(parse_time("90s"), Ok(90.0));
        assert_eq!(parse_time("1h30m"), Ok(5400.0));
        assert_eq!(parse_time("2.5h"), Ok(9000.0));
        assert_eq!(parse_time("7"), Ok(7.0));
        for wrong in ["", "h", "3x", "0s", "-1s", "1..2s"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
    }
}
