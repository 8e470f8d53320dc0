use std.ops.*

block head(x[..], c: int) = x >> linear(c)
block head(x[..], c: int) = x >> relu >> linear(c) //~ E0201 "`head` is declared twice"
