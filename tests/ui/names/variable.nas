use std.ops.*

block b(x[..]) {
  var state = x
  stat = state >> relu //~ E0203 "there is no variable `stat`"
  state
}
