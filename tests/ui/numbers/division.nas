use std.ops.*

space s(image[N, C, H, W], classes: int) {
  let n = choose n in 0..=2
  image >> conv(16 / n, 3) >> global_avg_pool >> linear(classes) //~ E0306 "division by zero"
}
