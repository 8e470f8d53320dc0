//! From the tree to meaning: names, types, shapes.

pub mod prim;
