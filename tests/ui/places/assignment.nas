use std.ops.*

block b(x[..], c: int) {
  let a = c
  a = 2 * c //~ E0304 "`a` cannot be assigned"
  c += 1 //~ E0304 "`c` cannot be assigned"
  x = x >> relu //~ E0304 "`x` cannot be assigned"
  for i in 0..3 { i = 2 } //~ E0304 "`i` cannot be assigned"
  let xs = [x]
  xs.push(x) //~ E0304 "`xs` cannot be assigned"
  xs[0] = x //~ E0304 "`xs` cannot be assigned"
  var ys = [x]
  ys.push(x)
  ys[0] = x >> conv(a, 3)
  var z = c
  (z, a) = (1, 2) //~ E0304 "`a` cannot be assigned"
  sum(xs) + sum(ys) >> conv(z, 3)
}
