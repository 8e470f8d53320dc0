use std.ops.*

block inner(x[..], c: int) = x >> conv(k = c) //~ E0303 "`conv` needs the argument `out`"

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
