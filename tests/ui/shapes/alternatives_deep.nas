use std.ops.*

block inner(x[..], c: int) {
  let y = x >> conv(c, 3)
  y + (y >> choose op { same: relu | wider: conv(2 * c, 3) }) //~ E0401 "a sum of tensors with different shapes: [N, 8, H, W] and [N, 16, H, W]"
}

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
