//@ snapshot
use std.ops.*

space s(image[N, C, H, W], classes: int) {
  let cell = assemble 3 nodes { //~ E0405 "cannot prove that this holds for every candidate: a sum of tensors with"
    edge = choose op { none | conv(8, 3) | down: max_pool(3, 2) }
    merge = sum
  }
  image >> conv(8, 3) >> cell >> global_avg_pool >> linear(classes)
}
