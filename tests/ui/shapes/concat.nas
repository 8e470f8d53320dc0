use std.ops.*

space s(image[N, C, H, W], classes: int) {
  let parts = [image >> conv(8, 3), image >> conv(8, 3, choose stride in 1..=2)]
  concat(parts) >> global_avg_pool >> linear(classes) //~ E0405 "cannot prove that this holds for every candidate: a concatenation of"
}
