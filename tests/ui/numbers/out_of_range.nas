use std.ops.*

space s(image[N, C, H, W], classes: int) {
  let widths = [8, 16]
  let i = choose i in 0..=2
  image >> conv(widths[i], 3) >> conv(widths[-3], 3) >> global_avg_pool >> linear(classes) //~ E0307 "index 2 is outside of a list of 2" //~ E0307 "index -3 is outside of a list of 2"
}
