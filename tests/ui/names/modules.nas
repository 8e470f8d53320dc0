use std.opss.*
use std.ops.{conv, rleu}
use nowhere.to_be_found

block b(x[..]) = x >> conv(8, 3)
