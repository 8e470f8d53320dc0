// A plain chain of convolutions with a decided number of layers, each with a decided width and kernel: the space that network
// morphism grows in (Cai et al. 2018, "Efficient architecture search by network transformation").
use std.ops.*

space chain(image[N, C, H, W], classes: int, width: int = 16, deepest: int = 8) {
  let depth = choose depth in 1..=deepest
  let first = choose width from [width / 2, width, 3 * width / 2, 2 * width]
  image >> conv(first, 3) >> relu
        >> repeat depth as layer { conv(first, choose kernel from [1, 3, 5]) >> relu }
        >> global_avg_pool >> linear(classes)
}
