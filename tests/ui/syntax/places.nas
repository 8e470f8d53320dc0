use std.ops.*

block b(x[..]) {
  var y = x
  y >> relu = x //~ E0112 "this cannot be assigned to"
  y
}
