//@ snapshot
use std.ops.*

space s(image[N, C, H, W], classes: int) {
  motif stage(c: int) = conv(choose width from [c, 2 * c], 3) //~ E0502 "the decision `stage.width` of motif `stage` depends on the motif's"
  image >> stage(8) >> stage(16) >> global_avg_pool >> linear(classes)
}
