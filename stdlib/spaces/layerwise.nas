// A layer at a time (Zoph and Le 2017, sections 3.1 and 3.3): each chooses its hyperparameters and which earlier layers feed
// it. Four rules keep every network valid:
// 1. a layer without an input reads the image;
// 2. the outputs that no layer reads are concatenated and go to the classifier;
// 3. inputs of one layer are concatenated along the channels;
// 4. inputs of different sizes are padded with zeros to the largest.
use std.ops.*
use std.adapters.pad_to_largest

space layerwise(image[N, C, H, W], classes: int, layers: int = 8) {
  var outputs = []
  for layer in 0..layers {
    let skips = choose skips 0.. from outputs
    let input = if len(skips) == 0 { image } else { concat(pad_to_largest(skips)) }
    let k = choose kernel from [1, 3, 5, 7]
    let f = choose filters from [24, 36, 48, 64]
    let stride = choose stride in 1..=2
    outputs.push(input >> conv(f, k, stride) >> batch_norm >> relu)
  }
  concat(pad_to_largest(unused(outputs))) >> global_avg_pool >> linear(classes)
}
