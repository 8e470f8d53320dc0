//@ snapshot
use std.ops.*

space s(image[N, C, H, W], classes: int) {
  let a = image >> conv(16, 3)
  let b = image >> choose op { narrow: conv(16, 1) | wide: conv(32, 1) }
  a + b >> global_avg_pool >> linear(classes) //~ E0401 "a sum of tensors with different shapes: [N, 16, H, W] and [N, 32, H, W]"
}
