//! The integration tests, in one binary.

mod pages;
mod spaces;
mod ui;
