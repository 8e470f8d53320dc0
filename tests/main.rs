//! The integration tests, in one binary.

mod cli;
mod pages;
mod spaces;
mod ui;
