// Liu et al. 2018: levels of motifs.
use std.ops.*
use std.strategies.tournament
use std.evaluations.train

space hierarchical(image[N, C, H, W], classes: int, width: int = 16) {
  block primitive_op(c: int) = choose op {
      none | identity
    | conv_1x1: conv_bn(c, 1)
    | depthwise_3x3: relu >> depthwise(3) >> batch_norm
    | sep_conv_3x3: sep_conv(c, 3)
    | max_pool(3) | avg_pool(3)
  }
  motif level2[6](c: int) = assemble 4 nodes { edge = primitive_op(c)  merge = concat >> conv_bn(c, 1) }
  motif level3(c: int)    = assemble 5 nodes {
    edge  = choose inner { none | motif_2: (choose which from level2)(c) }
    merge = concat >> conv_bn(c, 1)
  }
  image >> conv(width) >> batch_norm
        >> level3(width)     >> sep_conv(2 * width, 3, stride = 2)
        >> level3(2 * width) >> sep_conv(4 * width, 3, stride = 2)
        >> level3(4 * width) >> relu >> global_avg_pool >> linear(classes)
}

search levels {
  data     = digits()
  space    = hierarchical(width = 8)
  evaluate = train(epochs = 5)
  strategy = tournament(population = 20, spread = 100)
  budget   = hours(1)
}
