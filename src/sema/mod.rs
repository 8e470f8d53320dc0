//! From the tree to meaning: modules and names, symbolic numbers, primitives.

pub mod modules;
pub mod prim;
pub mod stdlib;
pub mod sym;
