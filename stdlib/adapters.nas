// Blocks that make tensors fit together.
use std.ops.*

// Images of one size: each is padded with zeros to the largest height and width, and stays in the middle
// (Zoph and Le 2017, section 3.3).
block pad_to_largest(xs) {
  let h = max([shape(x)[2] for x in xs])
  let w = max([shape(x)[3] for x in xs])
  [x >> pad_to(shape(x)[1], h, w) for x in xs]
}

// The two inputs of the first cell of a network (NASNet, AmoebaNet, DARTS): the image after one convolution.
block stem(image[N, C, H, W], c: int) {
  let y = image >> conv(c, 3) >> batch_norm
  (y, y)
}
