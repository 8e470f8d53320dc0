use std.ops.*

block inner(x[..], c: int) = x >> conv(c, 3) >> assemble 3 nodes { //~ E0401 "a sum of tensors with different shapes: [N, 8, H, W] and [N, 16, H, W]"
  edge = choose op { identity | conv(2 * c, 3) }
  merge = sum
}

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
