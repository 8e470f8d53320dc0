use std.ops.*

block b(x[..], c: int) = x >> choose op { conv(c,3) | relu | conv(c,  3) } //~ E0501 "two alternatives are both called `conv(c, 3)`"
block d(x[..], c: int) = x >> choose op { a: conv(c, 3) | a: relu } //~ E0501 "two alternatives are both called `a`"

space s(image[N, C, H, W], classes: int) = image >> d(8) >> b(8) >> global_avg_pool >> linear(classes)
