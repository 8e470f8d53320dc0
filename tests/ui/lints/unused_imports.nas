use std.ops.{conv, relu}
use std.strategies.random_search
use std.search.*

block b(x[..]) = x >> conv(8, 3)
