use std.ops.*

block inner(x[..], c: int) = x >> conv(c, kernel = 3) //~ E0302 "`conv` has no parameter `kernel`"

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
