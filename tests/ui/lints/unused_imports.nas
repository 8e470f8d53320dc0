use std.ops.{conv, relu} //~ W0507 "nothing here uses `std.ops.relu`"
use std.strategies.random_search //~ W0507 "nothing here uses `std.strategies.random_search`"
use std.search.* //~ W0507 "nothing here uses `std.search`"

block b(x[..]) = x >> conv(8, 3)
