use std.ops.*

block b(x[..], c: int) = x >> conv(c, out = c) >> relu(c) >> conv(c, 3, 1, 1, 1, 7)
block d(x[..], c: int) = b(x, c, c)
block e(x[..], y[..]) = x + y
block f(x[..]) = e(x)
block g(x[..], c: int) = x >> d(c) >> f >> h(x)
block h(x[..], y[..], c: int) = e(x, y) >> conv(c, 3)
