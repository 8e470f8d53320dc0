// A plain chain of convolutions with a decided width and number of layers, each with a decided kernel: where networks grow by
// morphism, wider and deeper with what they have learned (Chen et al. 2016, Net2Net; Cai et al. 2018, EAS, section 3).
//
// Without normalization a new layer can start as the identity, so a deeper network computes what the old one did. Widths and
// kernels are parameters of ours; EAS starts from a small network and chooses what to widen or insert.
use std.ops.*

space chain(image[N, C, H, W], classes: int, width: int = 16, deepest: int = 8) {
  let depth = choose depth in 1..=deepest
  let first = choose width from [width / 2, width, 3 * width / 2, 2 * width]
  image >> conv(first, 3) >> relu
        >> repeat depth as layer { conv(first, choose kernel from [1, 3, 5]) >> relu }
        >> global_avg_pool >> linear(classes)
}
