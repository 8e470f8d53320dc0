//@ snapshot
use std.ops.*

space s(image[N, C, H, W], classes: int) {
  let f = choose op { conv_bn(16, 1) | conv_bn(16, 3) }
  image >> conv(16, 3) >> f >> f >> global_avg_pool >> linear(classes) //~ W0505 "every use of `f` shares the one decision `op`"
}
