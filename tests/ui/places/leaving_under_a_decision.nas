use std.ops.*

space s(image[N, C, H, W], classes: int) {
  let k = choose k from [3, 5]
  for _ in 0..3 { if k == 3 { break } } //~ E0305 "a branch that depends on a decision cannot leave its loop or function"
  image >> conv(16, k) >> global_avg_pool >> linear(classes)
}
