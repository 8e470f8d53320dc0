//! The integration tests, in one binary.

mod cli;
mod docs;
mod fuzz;
mod pages;
mod programs;
mod spaces;
mod tidy;
mod ui;
