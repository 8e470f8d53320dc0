use std.ops.*

block b(x[..]) = x >> >> relu

// The rest is read all the same.
block c(x[..]) = x >> rleu
