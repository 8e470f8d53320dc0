use std.ops.*

block b(x[..], k: itn, name: strign = "a") = if name == "a" { x >> conv(8, k) } else { x } //~ E0203 "there is no type `itn`" //~ E0203 "there is no type `strign`"
