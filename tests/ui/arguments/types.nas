use std.ops.*

block b(x[..], c: int, wide: bool = 1, rate: float = 1) =
  if wide { x >> conv("wide", 3) >> conv(c, 0.5) } else { x >> dropout(rate) >> conv([1], 3) } //~ E0301 "`out` must be a whole number, not a text" //~ E0301 "`k` must be a whole number, not a real number" //~ E0301 "`out` must be a whole number, not a list"
block d(x[..]) = x >> b(2.5) >> b(8, wide = 3, rate = true) //~ E0301 "`c` must be a whole number, not a real number" //~ E0301 "`wide` must be a truth value, not a whole number" //~ E0301 "`rate` must be a real number, not a truth value"
