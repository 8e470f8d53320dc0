//@ snapshot
use std.ops.*

block unreached(x[..], c: int) {
  let a = choose k from [1, 3]
  let b = choose k from [1, 3] //~ E0501 "the decision `k` is made twice"
  x >> conv(c, a) >> conv(c, b) >> choose { relu | tanh } >> choose { relu | tanh } //~ E0501 "the decision `op` is made twice"
}

// In different alternatives, loops and branches names may be equal.
block fine(x[..], c: int, wide: bool) {
  var y = x
  for i in 0..3 { y = y >> conv(c, choose k from [1, 3]) }
  y >> choose k { a: conv(c, choose k from [1, 3]) | b: conv(c, choose k from [5, 7]) }
    >> (if wide { choose width { relu | tanh } } else { choose width { relu | sigmoid } })
}

space s(image[N, C, H, W], classes: int) =
  image >> unreached(8) >> fine(8, true) >> global_avg_pool >> linear(classes)
