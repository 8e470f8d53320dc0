use std.ops.*

block down(x[..], c: int) = if c = 1 { x } else { x >> conv(c, 3) } //~ E0108 "`=` in a condition"
