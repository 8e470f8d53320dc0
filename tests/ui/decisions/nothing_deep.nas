use std.ops.*

block inner(x[..], c: int) = concat(choose parts 0.. from [x >> conv(c, 1), x >> conv(c, 3)]) //~ E0503 "a concatenation of no tensors"

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
