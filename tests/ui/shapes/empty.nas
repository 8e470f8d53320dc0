use std.ops.*

space s(image[N, C, H, W], classes: int) {
  let c = choose c in 0..=16 step 8
  image >> conv(c, 3) >> global_avg_pool >> linear(classes) //~ E0404 "`conv.w` gives a tensor without elements"
}
