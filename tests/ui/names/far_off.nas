use std.ops.*

block b(x[..]) = x >> entirely_unknown_operation
