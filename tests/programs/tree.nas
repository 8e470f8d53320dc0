// Path-level transformation (Cai et al. 2018): a tree that splits, transforms and merges.
use std.ops.*
use std.strategies.local_search

block tree(x[..], c: int, depth: int) =
  if depth == 0 { x >> conv_bn(c, 3) }
  else {
    choose scheme {
        leaf: x >> choose op { conv_bn(c, 3) | sep_conv(c, 3) | identity | avg_pool(3) }
      | replicate_add: tree(x, c, depth - 1) + tree(x, c, depth - 1)
      | split_concat: concat([tree(half, c / 2, depth - 1) for half in split(x, 2)])
    }
  }

space trees(image[N, C, H, W], classes: int, width: int = 16) {
  image >> conv(width) >> batch_norm >> tree(width, 2) >> relu >> global_avg_pool >> linear(classes)
}

search branching {
  data     = digits()
  space    = trees(width = 8)
  strategy = local_search()
  budget   = trials(50)
}
