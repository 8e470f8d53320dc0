use std.ops.*

space s(image[N, C, H, W], classes: int) {
  block inner(x[..]) {
    primitive twice(x[N, C, H, W]) -> y[N, C, H, W] {
      y[n, c, i, j] = 2 * x[n, c, i, k] //~ W0601 "the index `j` does not occur on the right" //~ E0601 "unknown index `k`"
    }
    x >> twice
  }
  block outer(x[..]) = x >> inner
  image >> conv(8, 3) >> outer >> global_avg_pool >> linear(classes)
}
