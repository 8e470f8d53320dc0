use std.ops.*
use std.strategies.aging_evolution
use std.evaluations.train

space nasbench201(image[N, C, H, W], classes: int, width: int = 16, cells: int = 5) {
  // A motif is one design: decided once, stamped wherever it is used, with fresh weights each time.
  motif cell(c: int) = assemble 4 nodes {
    edge = choose op {
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

search digits {
  data      = digits()
  space     = nasbench201(width = 8, cells = 1)
  evaluate  = train(epochs = 10, batch = 64, latency = true)
  strategy  = aging_evolution(population = 20, sample = 5)
  objective = accuracy - 0.02 * log2(latency / 1ms)
  budget    = trials(100)
  seed      = 7
}
