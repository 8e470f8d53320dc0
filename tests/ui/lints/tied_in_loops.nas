use std.ops.*

block b(x[..], c: int) {
  let f = choose op { conv_bn(c, 1) | conv_bn(c, 3) }
  let g = relu >> choose act { relu | tanh }
  let once = choose last { relu | tanh }
  let k = choose k from [1, 3]
  var y = x
  for i in 0..3 { y = y >> f } //~ W0505 "every use of `f` shares the one decision `op`"
  // One or the other.
  let z = if c > 8 { y >> once } else { once(y) }
  z >> repeat 3 { g } >> conv(c, k) >> conv(c, k) //~ W0505 "every use of `g` shares the one decision `act`"
}
