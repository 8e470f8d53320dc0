use std.ops.*

block b(x[..]) = x >> conv(5parsecs, 3)
fn f() -> string { "\q" }
