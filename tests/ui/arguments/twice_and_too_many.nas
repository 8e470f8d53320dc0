use std.ops.*

block b(x[..], c: int) = x >> conv(c, out = c) >> relu(c) >> conv(c, 3, 1, 1, 1, 7) //~ E0302 "the argument `out` is given twice" //~ E0302 "`relu` takes no arguments here, this is one more" //~ E0302 "`conv` takes 5 arguments here, this is one more"
block d(x[..], c: int) = b(x, c, c) //~ E0302 "`b` takes 2 arguments here, this is one more"
block e(x[..], y[..]) = x + y
block f(x[..]) = e(x) //~ E0302 "`e` also needs the tensor `y`"
block g(x[..], c: int) = x >> d(c) >> f >> h(x) //~ E0302 "`h` also needs the tensor `y`" //~ E0303 "`h` needs the argument `c`"
block h(x[..], y[..], c: int) = e(x, y) >> conv(c, 3)
