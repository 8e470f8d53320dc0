use std.ops.*

block b(x[..]) {
  var state = x
  stat = state >> relu
  state
}
