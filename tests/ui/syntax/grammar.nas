use std.ops.*

block b(x[..]) = x >> >> relu //~ E0101 "expected an expression, found `>>`"

// The rest is read all the same.
block c(x[..]) = x >> rleu //~ E0203 "there is no `rleu` here"
