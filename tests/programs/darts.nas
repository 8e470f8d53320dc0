// The space of Liu et al. 2019, searched by sampling; `later/darts.nas` searches it as they did.
use std.ops.*
use std.adapters.stem
use std.strategies.random_search
use std.evaluations.train

block mixed(c: int, stride: int) = choose op {
    none
  | max_pool_3x3: max_pool(3, stride) >> batch_norm
  | avg_pool_3x3: avg_pool(3, stride) >> batch_norm
  | skip_connect: if stride == 1 { identity } else { factorized_reduce(c) }
  | sep_conv_3x3: sep_conv(c, 3, stride)
  | sep_conv_5x5: sep_conv(c, 5, stride)
  | dil_conv_3x3: dil_conv(c, 3, stride)
  | dil_conv_5x5: dil_conv(c, 5, stride)
}

block darts_cell(h0[..], h1[..], c: int, stride: int = 1, nodes: int = 4) {
  var states = [h0, h1]
  for node in 0..nodes {
    let inputs = choose inputs 2 from 0..len(states)
    states.push(sum([states[i] >> mixed(c, if i < 2 { stride } else { 1 }) for i in inputs]))
  }
  concat(states[2..])
}

space darts(image[N, C, H, W], classes: int, width: int = 16, cells: int = 8) {
  motif normal(h0[..], h1[..], c: int) = darts_cell(h0, h1, c)
  motif reduction(h0[..], h1[..], c: int) = darts_cell(h0, h1, c, stride = 2)

  var c = width
  var (h0, h1) = stem(image, 3 * width)
  for i in 0..cells {
    let reduces = i == cells / 3 || i == 2 * cells / 3
    if reduces { c = 2 * c }
    let a = fit_like(h0, h1, c)
    let b = h1 >> conv_bn(c, 1)
    (h0, h1) = (h1, if reduces { reduction(a, b, c) } else { normal(a, b, c) })
  }
  h1 >> global_avg_pool >> linear(classes)
}

search darts_digits {
  data     = digits()
  space    = darts(width = 8, cells = 4)
  evaluate = train(epochs = 25, drop_path = 0.2)
  strategy = random_search()
  budget   = hours(1)
}
