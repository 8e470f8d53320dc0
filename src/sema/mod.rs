//! From the tree to meaning: modules and names, symbolic numbers, primitives.

pub mod builtins;
pub mod modules;
pub mod names;
pub mod prim;
pub mod stdlib;
pub mod sym;
