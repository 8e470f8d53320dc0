use std.ops.*

block inner(x[..], c: int) = x >> global_avg_pool >> conv(c, 3) //~ E0402 "`conv` takes a tensor of 4 dimensions, but gets [N, C] of 2"

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) //~ W0506 "nothing uses the parameter `classes`"
