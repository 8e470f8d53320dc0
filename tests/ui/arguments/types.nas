use std.ops.*

block b(x[..], c: int, wide: bool = 1, rate: float = 1) =
  if wide { x >> conv("wide", 3) >> conv(c, 0.5) } else { x >> dropout(rate) >> conv([1], 3) }
block d(x[..]) = x >> b(2.5) >> b(8, wide = 3, rate = true)
