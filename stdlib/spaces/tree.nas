// The tree-structured cells of path-level network transformation (Cai et al. 2018, section 3.2): at each level the features are
// replicated and the results added, or split and the results concatenated, or a leaf operation ends the branch.
//
// The seven leaf operations are the paper's; nodes here have two branches, and the cells stand in a plain residual network
// instead of a DenseNet or PyramidNet. `width` must be a multiple of 2^depth, so that every split is even.
use std.ops.*

block leaf(c: int) = choose op {
    identity
  | conv_1x1: conv_bn(c, 1)
  | sep_conv_3x3: sep_conv(c, 3)
  | sep_conv_5x5: sep_conv(c, 5)
  | sep_conv_7x7: sep_conv(c, 7)
  | avg_pool_3x3: avg_pool(3)
  | max_pool_3x3: max_pool(3)
}

block branch(x[..], c: int, depth: int) =
  if depth == 0 {
    x >> leaf(c)
  } else {
    choose scheme {
        end: x >> leaf(c)
      | replicate_add: branch(x, c, depth - 1) + branch(x, c, depth - 1)
      | split_concat: concat([branch(half, c / 2, depth - 1) for half in split(x, 2)])
    }
  }

space tree(image[N, C, H, W], classes: int, width: int = 16, depth: int = 2, cells: int = 1) {
  motif cell(x[..], c: int) = branch(x, c, depth)

  var y = image >> conv(width, 3) >> batch_norm
  for stage in 0..3 {
    if stage > 0 { y = y >> residual(width * 2^stage, stride = 2) }
    for _ in 0..cells { y = cell(y, width * 2^stage) }
  }
  y >> batch_norm >> relu >> global_avg_pool >> linear(classes)
}
