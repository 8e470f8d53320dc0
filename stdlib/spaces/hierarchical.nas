// Levels of motifs (Liu et al. 2018, section 2): primitive operations on the edges of `motifs` level-2 designs of four nodes, and
// those on the edges of one level-3 design of five nodes, which is the cell of the network.
//
// Levels, nodes and primitives are the paper's, as are merging by concatenation and a 1x1 convolution, and the small network that
// it searches with (`width = 16`). `identity` on level-3 edges is ours: there `tournament` has a trivial design to start from.
use std.ops.*

block primitive_op(c: int) = choose op {
    none
  | identity
  | conv_1x1: conv_bn(c, 1)
  | depthwise_3x3: relu >> depthwise(3) >> batch_norm
  | sep_conv_3x3: sep_conv(c, 3)
  | max_pool_3x3: max_pool(3)
  | avg_pool_3x3: avg_pool(3)
}

space hierarchical(image[N, C, H, W], classes: int, width: int = 16, motifs: int = 6) {
  motif level2[motifs](c: int) = assemble 4 nodes { edge = primitive_op(c)  merge = concat >> conv_bn(c, 1) }
  motif level3(c: int) = assemble 5 nodes {
    edge  = choose inner { none | identity | motif_2: (choose which from level2)(c) }
    merge = concat >> conv_bn(c, 1)
  }

  image >> conv(width) >> batch_norm
        >> level3(width)     >> sep_conv(2 * width, 3, stride = 2)
        >> level3(2 * width) >> sep_conv(4 * width, 3, stride = 2)
        >> level3(4 * width) >> relu >> global_avg_pool >> linear(classes)
}
