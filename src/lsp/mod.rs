//! The language server, `nasc lsp`: the compiler's own parser, names and check, spoken in the Language Server Protocol.
//!
//! One thread reads messages ([`wire`]), one checks files ([`checker`]), and this one answers. A request is answered from
//! the newest text: the file is parsed and its names are looked up ([`analysis`]), which takes milliseconds. What takes
//! longer, the check of spaces and programs, runs beside it and brings diagnostics, sizes and shapes when it is done;
//! only the newest text of a file is checked. Nothing is parsed, resolved or checked in a second way.
//!
//! A message that is not well formed is answered with an error, a request that makes the server panic with another; the
//! server goes on in both cases. Only the protocol is written to the output.

mod actions;
mod analysis;
mod checker;
mod complete;
mod context;
mod diagnostics;
mod folding;
mod format;
mod hints;
mod hover;
mod lens;
mod mend;
mod navigate;
mod rename;
mod reuse;
mod selection;
mod server;
mod signature;
mod symbols;
mod text;
mod tokens;
mod uri;
mod wire;
mod world;

pub use server::{Options, serve};
