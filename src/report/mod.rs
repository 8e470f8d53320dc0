//! Pictures, tables and progress for people. Everything returns text or implements the engine's observer; nothing here
//! decides anything.

pub mod chart;
mod flow;
pub mod layout;
pub mod network;
pub mod progress;
pub mod svg;
pub mod table;
