use std.opss.* //~ E0202 "there is no module `std.opss`"
use std.ops.{conv, rleu} //~ E0203 "module `std.ops` has no item `rleu`"
use nowhere.to_be_found //~ E0202 "there is no module `nowhere.to_be_found`"

block b(x[..]) = x >> conv(8, 3)
