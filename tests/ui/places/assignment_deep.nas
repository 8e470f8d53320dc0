use std.ops.*

block inner(x[..], c: int) {
  c = 2 * c //~ E0304 "`c` cannot be assigned"
  x >> conv(c, 3)
}

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
