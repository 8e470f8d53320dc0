//@ snapshot
use std.ops.*

block b(x[..], c: int) {
  let k = choose kernel from [1, 3, 5] //~ W0504 "nothing uses the decision in `k`"
  choose op { conv(c, 3) | conv(c, 5) } //~ W0504 "nothing uses this decision: its value is dropped"
  let pair = (choose first from [1, 2], 3) //~ W0504 "nothing uses the decision in `pair`"
  let _ok = choose silent from [1, 2]
  x >> conv(c, 3)
}
