// The cells of NASNet (Zoph et al. 2018, section 3) with the eight operations of AmoebaNet (Real et al. 2018): each of `blocks`
// blocks chooses two hidden states and an operation for each, and adds the results; the hidden states that nothing
// reads are the output. `repeats` normal cells stand between reduction cells.
//
// NASNet itself has five more operations and may concatenate the two results, which its best cells never do. The papers
// search with `repeats = 2` and train with 6; `train(.., drop_path = 0.3)` is ScheduledDropPath. `aging_evolution(amoeba =
// true)` moves in this space as AmoebaNet did.
use std.ops.*
use std.adapters.stem

block operation(c: int, stride: int) = choose op {
    identity: if stride == 1 { identity } else { factorized_reduce(c) >> drop_path }
  | sep_conv_3x3: sep_conv(c, 3, stride) >> drop_path
  | sep_conv_5x5: sep_conv(c, 5, stride) >> drop_path
  | sep_conv_7x7: sep_conv(c, 7, stride) >> drop_path
  | avg_pool_3x3: avg_pool(3, stride) >> drop_path
  | max_pool_3x3: max_pool(3, stride) >> drop_path
  | dil_conv_3x3: dil_conv(c, 3, stride) >> drop_path
  | conv_1x7_7x1: relu >> conv_rect(c, 1, 7, across = stride) >> batch_norm
                       >> relu >> conv_rect(c, 7, 1, down = stride) >> batch_norm >> drop_path
}

// One of the two halves of a block: which hidden state, and what happens to it.
block one_side(states, c: int, stride: int) {
  let input = choose input from 0..len(states)
  states[input] >> operation(c, if input < 2 { stride } else { 1 })
}

block nasnet_cell(h0[..], h1[..], c: int, stride: int = 1, blocks: int = 5) {
  var states = [h0, h1]
  for pair in 2..blocks + 2 {
    states.push(sum([one_side(states, c, stride) for side in ["left", "right"]]))
  }
  // The inputs, too, go to the output where nothing reads them; a reduction cell halves them first.
  let inputs = unused([h0, h1])
  let kept = if stride == 1 { inputs } else { [h >> factorized_reduce(c) for h in inputs] }
  concat(kept + unused(states[2..]))
}

space nasnet(image[N, C, H, W], classes: int, width: int = 16, repeats: int = 2, blocks: int = 5) {
  motif normal(h0[..], h1[..], c: int) = nasnet_cell(h0, h1, c, blocks = blocks)
  motif reduction(h0[..], h1[..], c: int) = nasnet_cell(h0, h1, c, stride = 2, blocks = blocks)

  var c = width
  var (h0, h1) = stem(image, width)
  for stage in 0..3 {
    if stage > 0 {
      c = 2 * c
      (h0, h1) = (h1, reduction(fit_like(h0, h1, c), h1 >> conv_bn(c, 1), c))
    }
    for cell in 0..repeats {
      (h0, h1) = (h1, normal(fit_like(h0, h1, c), h1 >> conv_bn(c, 1), c))
    }
  }
  h1 >> relu >> global_avg_pool >> linear(classes)
}
