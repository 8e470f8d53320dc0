use std.ops.*

block b(x[..], c: int) {
  space nested(y[..]) = y
  search inner { space = b } //~ E0305 "this cannot be declared inside a body"
  let total = sum[i] c //~ E0305 "a reduction over indices stands only in a `primitive`"
  x >> nested >> conv(total, 3)
}
