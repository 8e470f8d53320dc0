use std.ops.*

block b(x[..]) {
  var y = x
  y >> relu = x
  y
}
