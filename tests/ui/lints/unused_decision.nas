//@ snapshot
use std.ops.*

block b(x[..], c: int) {
  let k = choose kernel from [1, 3, 5]
  choose op { conv(c, 3) | conv(c, 5) }
  let pair = (choose first from [1, 2], 3)
  let _ok = choose silent from [1, 2]
  x >> conv(c, 3)
}
