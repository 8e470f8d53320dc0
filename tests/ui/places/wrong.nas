use std.ops.*

block b(x[..], c: int) {
  space nested(y[..]) = y
  search inner { space = b }
  let total = sum[i] c
  x >> nested >> conv(total, 3)
}
