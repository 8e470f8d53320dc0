use std.ops.*

block b(x[..], c: int, stride: int = 1, _reserved: int = 0) {
  let a = x >> relu
  var count = 0
  count = c
  let (p, q) = (a, c)
  block never(y[..]) = y
  for i in 0..3 { let h = i }
  p >> conv(c, 3)
}

// An extent is a use of the tensor that has it.
block like(x[..], y[N, C, H, W]) = x >> conv(C, 3)
