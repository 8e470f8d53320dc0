// NAS-Bench-201 (Dong and Yang 2020, section 2.1): one cell of four nodes, the same everywhere, with one of five
// operations on each of its six edges; 15,625 architectures. Three stages of `cells` cells, and residual blocks
// between them that halve the image and double the channels. The defaults are the benchmark's networks.
use std.ops.*

space nasbench201(image[N, C, H, W], classes: int, width: int = 16, cells: int = 5) {
  // A motif is one design: decided once, stamped wherever it is used, with fresh weights each time.
  motif cell(c: int) = assemble 4 nodes {
    edge  = choose op {
        none
      | skip_connect: identity
      | nor_conv_1x1: conv_bn(c, 1)
      | nor_conv_3x3: conv_bn(c, 3)
      | avg_pool_3x3: avg_pool(3)
    }
    merge = sum
  }

  image >> conv(width, 3) >> batch_norm
        >> repeat cells { cell(width) }     >> residual(2 * width, stride = 2)
        >> repeat cells { cell(2 * width) } >> residual(4 * width, stride = 2)
        >> repeat cells { cell(4 * width) }
        >> batch_norm >> relu >> global_avg_pool >> linear(classes)
}
