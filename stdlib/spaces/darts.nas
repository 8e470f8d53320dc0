// The cells of DARTS (Liu et al. 2019, section 3.1): each of `nodes` states adds two edges from earlier states, with one of
// eight operations; the states together are the output. A normal cell keeps the image size, a reduction cell halves it
// and stands at a third and at two thirds of the network.
//
// Operations and cells are the paper's. It searches with 8 cells of width 16 and trains the winner with 20 of width 36, where
// paths are dropped: `train(.., drop_path = 0.2)`. Here every candidate is a network of its own, not a part of a mixture.
use std.ops.*
use std.adapters.stem

block mixed(c: int, stride: int) = choose op {
    none
  | max_pool_3x3: max_pool(3, stride) >> batch_norm >> drop_path
  | avg_pool_3x3: avg_pool(3, stride) >> batch_norm >> drop_path
  | skip_connect: if stride == 1 { identity } else { factorized_reduce(c) >> drop_path }
  | sep_conv_3x3: sep_conv(c, 3, stride) >> drop_path
  | sep_conv_5x5: sep_conv(c, 5, stride) >> drop_path
  | dil_conv_3x3: dil_conv(c, 3, stride) >> drop_path
  | dil_conv_5x5: dil_conv(c, 5, stride) >> drop_path
}

// States 0 and 1 are the outputs of the two cells before. Decisions about an edge are named after the state that it
// reads, so a cell of 4 nodes has 14 of them.
block darts_cell(h0[..], h1[..], c: int, stride: int = 1, nodes: int = 4) {
  var states = [h0, h1]
  for node in 2..nodes + 2 {
    let inputs = choose inputs 2 from 0..node
    states.push(sum([states[edge] >> mixed(c, if edge < 2 { stride } else { 1 }) for edge in inputs]))
  }
  concat(states[2..])
}

space darts(image[N, C, H, W], classes: int, width: int = 16, cells: int = 8, nodes: int = 4) {
  motif normal(h0[..], h1[..], c: int) = darts_cell(h0, h1, c, nodes = nodes)
  motif reduction(h0[..], h1[..], c: int) = darts_cell(h0, h1, c, stride = 2, nodes = nodes)

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
