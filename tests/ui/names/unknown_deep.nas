use std.ops.*

block inner(x[..], c: int) = x >> conv(c, 3) >> rleu //~ E0203 "there is no `rleu` here"

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
