use std.ops.*

block mixed(c: int) = choose op { conv_bn(c, 1) | conv_bn(c, 3) }
block inner(x[..], c: int) {
  let f = mixed(c)
  x >> f >> relu >> f //~ W0505 "every use of `f` makes the decisions of this one use of `mixed`"
}

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
