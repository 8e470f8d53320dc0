use std.ops.*

block inner(x[..], c: int) = x >> global_avg_pool >> conv(c, 3)

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8)
