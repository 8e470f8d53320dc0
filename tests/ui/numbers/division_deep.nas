use std.ops.*

block inner(x[..], c: int) {
  let n = choose n in 0..=2
  x >> conv(c % n + 1, 3) //~ E0306 "division by zero"
}

block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
