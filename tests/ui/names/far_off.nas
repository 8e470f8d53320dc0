use std.ops.*

block b(x[..]) = x >> entirely_unknown_operation //~ E0203 "there is no `entirely_unknown_operation` here"
