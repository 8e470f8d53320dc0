use std.ops.*

block inner(x[..], c: int) = x >> conv(if c > 4 { "wide" } else { "narrow" }, 3) //~ E0301 "`out` must be a whole number, not a text"

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
