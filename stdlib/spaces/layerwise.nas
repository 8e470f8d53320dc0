// A layer at a time (Zoph and Le 2017, sections 3.1, 3.3 and 4.1): each chooses its window, its number of filters, its stride, and
// which earlier layers feed it. Four rules of section 3.3 keep every network valid:
//
//   1. a layer that no layer feeds reads the image;
//   2. several inputs of a layer are concatenated along the channels;
//   3. inputs of different sizes are padded with zeros to the largest;
//   4. the outputs that no layer reads are concatenated and go to the classifier.
//
// Windows and filters are the paper's. `strides = 1` is its first experiment on CIFAR-10, `strides = 3` its second.
use std.ops.*
use std.adapters.pad_to_largest

space layerwise(image[N, C, H, W], classes: int, layers: int = 8, strides: int = 3) {
  var outputs = []
  for layer in 0..layers {
    let skips = choose skips 0.. from outputs
    let input = if len(skips) == 0 { image } else { concat(pad_to_largest(skips)) }
    let height = choose filter_height from [1, 3, 5, 7]
    let width = choose filter_width from [1, 3, 5, 7]
    let down = choose stride_height in 1..=strides
    let across = choose stride_width in 1..=strides
    let filters = choose filters from [24, 36, 48, 64]
    outputs.push(input >> conv_rect(filters, height, width, down, across) >> batch_norm >> relu)
  }
  concat(pad_to_largest(unused(outputs))) >> global_avg_pool >> linear(classes)
}
