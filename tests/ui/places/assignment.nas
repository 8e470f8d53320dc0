use std.ops.*

block b(x[..], c: int) {
  let a = c
  a = 2 * c
  c += 1
  x = x >> relu
  for i in 0..3 { i = 2 }
  let xs = [x]
  xs.push(x)
  xs[0] = x
  var ys = [x]
  ys.push(x)
  ys[0] = x >> conv(a, 3)
  var z = c
  (z, a) = (1, 2)
  sum(xs) + sum(ys) >> conv(z, 3)
}
