use std.ops.*

block inner(x[..], c: int) {
  let k = choose kernel from [1, 3, 5] //~ W0504 "nothing uses the decision in `k`"
  x >> conv(c, 3)
}

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
