use std.ops.*

motif cell(x[..], n: int) {
  var y = x
  for i in 0..n { y = y >> conv(8, choose kernel from [n, n + 2]) } //~ E0502 "the decision `cell.i(0).kernel` of motif `cell` depends on the motif's"
  y
}
block inner(x[..], c: int) = x >> cell(1) >> cell(c / 4)

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
