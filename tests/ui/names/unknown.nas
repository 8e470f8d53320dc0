//@ snapshot
use std.ops.*

// Nothing uses this block, and its names are checked all the same.
block unreached(x[..], c: int) = x >> convv(c, 3) >> relu //~ E0203 "there is no `convv` here"

space s(image[N, C, H, W], classes: int) {
  let width = 16
  image >> conv(widht, 3) >> sep_konv(width, 3) >> global_avg_pool >> linear(classes) //~ E0203 "there is no `widht` here" //~ E0203 "there is no `sep_konv` here"
}
