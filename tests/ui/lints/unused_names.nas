use std.ops.*

block b(x[..], c: int, stride: int = 1, _reserved: int = 0) { //~ W0506 "nothing uses the parameter `stride`"
  let a = x >> relu
  var count = 0 //~ W0506 "nothing uses the variable `count`"
  count = c
  let (p, q) = (a, c) //~ W0506 "nothing uses the variable `q`"
  block never(y[..]) = y //~ W0506 "nothing uses the declaration `never`"
  for i in 0..3 { let h = i } //~ W0506 "nothing uses the variable `h`"
  p >> conv(c, 3)
}

// An extent is a use of the tensor that has it.
block like(x[..], y[N, C, H, W]) = x >> conv(C, 3)
