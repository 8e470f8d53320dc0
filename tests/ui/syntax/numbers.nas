use std.ops.*

block b(x[..]) = x >> conv(5parsecs, 3) //~ E0109 "there is no unit `parsecs`"
fn f() -> string { "\q" } //~ E0110 "`\q` has no meaning in a string"
