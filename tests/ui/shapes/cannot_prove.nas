use std.ops.*

space s(image[N, C, H, W], classes: int) {
  var c = 0
  for i in 0..20 { c += choose w from [8, 16, 24] }
  (image >> conv(c, 3)) + (image >> conv(160, 3)) >> global_avg_pool >> linear(classes) //~ E0405 "cannot prove that this holds for every candidate: a sum of tensors with"
}
