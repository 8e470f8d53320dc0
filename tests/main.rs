//! The integration tests, in one binary.

mod cli;
mod cuda;
mod docs;
mod editors;
mod fuzz;
mod lsp;
mod pages;
mod programs;
mod spaces;
mod tidy;
mod ui;
