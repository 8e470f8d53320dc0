use std.ops.*

block b(x[..], n: int) {
  var states = [x]
  for _ in 0..n { states.psuh(states[-1] >> relu) } //~ E0203 "there is no function `psuh` that could be called as a method"
  sum(states)
}
