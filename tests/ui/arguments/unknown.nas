//@ snapshot
use std.ops.*

block b(x[..]) = x >> conv(8, kernel = 3) >> conv(8, strides = 2) >> concat(axes = 1) //~ E0302 "`conv` has no parameter `kernel`" //~ E0302 "`conv` has no parameter `strides`" //~ E0302 "`concat` has no parameter `axes`"

space s(image[N, C, H, W], classes: int) =
  image >> b >> conv(16, kk = 3) >> global_avg_pool >> linear(classes) //~ E0302 "`conv` has no parameter `kk`"
