//! Names, symbolic numbers and primitives: what elaboration needs to know about a program before it walks it.

pub mod sym;
