//! `nasc` compiles `.nas`, a language for neural architecture search.
//!
//! # Stages are types
//!
//! ```text
//! .nas text ─ syntax ─▶ ast ─ sema ─▶ modules, names, primitives
//!                                      │
//!              ┌───────────────────────┴──────────────────┐
//!           space: decisions, candidates             search: strategies, evaluations,
//!              │ elaborate(candidate)                   objectives
//!           tensor graph ─ grad, simplify, fuse ─▶         │ typed tree ─ IR ─ Cranelift
//!              │ plan: kernels, buffers, launches          ▼
//!           executor: reference | cpu  ◀── learn ◀── runtime calls ── native code
//! ```
//!
//! A stage takes the verified type of the one before: no executor sees a graph that [`graph::verify`] would refuse, no
//! search is run that [`search::setup`] has not checked and compiled whole. Text is only read, checked and printed;
//! a candidate is a map from decision names to values ([`space::decision`]); a graph is equations over indices
//! ([`graph::ir`]), and nothing after it knows what a convolution is.
//!
//! # Modules
//!
//! What each is, which others it may use, and which crates only it (and those of the same row) may name. A test holds the
//! sources to this table. Nothing uses a module further down.
//!
//! | module | what it is | uses | only it may name |
//! | --- | --- | --- | --- |
//! | `base` | places in texts, stable hashes, seeded random streams | | rand, rand_chacha, xxhash_rust |
//! | `diag` | diagnostics as data with stable codes; rendered by ariadne, or as JSON | base | ariadne, unicode_width |
//! | `syntax` | grammar, tree, printer: the formatter, for which print ∘ parse is the identity | base, diag | pest, pest_derive |
//! | `graph` | the tensor IR, its text format, verifier, gradients, simplification, fusion | base | |
//! | `sema` | files and names, symbolic numbers and proofs over them, primitives from equations to nodes | base, diag, graph, syntax | |
//! | `algo` | algorithms as programs over typed memory: instructions from primitives, execution in lockstep, tasks | base, diag, graph, sema, syntax | |
//! | `space` | decisions, candidates, elaboration into graphs, counting, sampling, edits | algo, base, diag, graph, sema, syntax | stacker, num_bigint |
//! | `exec` | executors: `reference` (slow, obviously right), `cpu` (kernels, compiled) | base, graph | cranelift, ndarray |
//! | `data` | data sets, splits, normalization, augmentation, tables of results | base, diag | flate2, csv, ndarray_npy, image |
//! | `store` | runs and trials in a SQLite file | diag | rusqlite |
//! | `learn` | models: building, training steps, inherited weights, costs | base, data, diag, exec, graph, sema, space | |
//! | `search` | the compiler and the runtime of search programs; search blocks; trials, workers, budgets, replay | algo, base, data, diag, exec, graph, learn, sema, space, store, syntax | cranelift, stacker |
//! | `report` | progress, tables, curves, pictures of architectures and of programs | algo, diag, graph, search, sema, space, syntax | indicatif, unicode_width |
//! | `lsp` | the language server, over the same parser, names and check | base, data, diag, search, sema, space, syntax | gen_lsp_types |
//! | `cli` | the commands; only here is printed, the environment read, the process ended | base, diag, exec, graph, learn, lsp, report, search, sema, space, store, syntax | clap, clap_complete, console, ctrlc, indicatif, num_bigint, sysinfo |
//!
//! # What holds everywhere
//!
//! * **No executor knows a primitive and no strategy is written in Rust.** What is special about a convolution, or about
//!   aging evolution, is in `stdlib/`.
//! * **Text, hashes and cache keys do not depend on the order of hash maps, on time, or on threads.** Random streams are
//!   keyed by what they are for ([`base::rng`]), so that a draw does not move when another is added.
//! * **A space is checked by the code that builds it.** [`space::elab`] is one evaluator: abstract under all decisions for
//!   the check, concrete for a candidate.
//! * **A strategy is a deterministic function** of its source, the seed and the log of what the runtime answered; resuming
//!   a run replays it ([`search::engine`], [`store`]).
//! * **User errors are values** ([`diag::Diagnostic`]), several per run, each with a place, and each code with a page that
//!   a test reads. No input makes the compiler panic; fuzz tests look for one that does.
//! * `unsafe` stands only where machine code is made or run, and says why it is sound.
//!
//! Which calls a program may make of the runtime is one table, [`search::lang::contract`]; `docs/language.md` prints it.

pub mod algo;
pub mod base;
pub mod cli;
pub mod data;
pub mod diag;
pub mod exec;
pub mod graph;
pub mod learn;
pub mod lsp;
pub mod report;
pub mod search;
pub mod sema;
pub mod space;
pub mod store;
pub mod syntax;
