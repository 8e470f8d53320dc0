use std.ops.*

block b(x[..], k: itn, name: strign = "a") = if name == "a" { x >> conv(8, k) } else { x }
