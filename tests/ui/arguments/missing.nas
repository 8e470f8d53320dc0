use std.ops.*

block b(x[..]) = x >> conv() >> linear //~ E0303 "`conv` needs the argument `out`" //~ E0303 "`linear` needs the argument `out`"
block c(x[..]) = x >> choose { conv | linear(8) } //~ E0303 "`conv` needs the argument `out`"

space s(image[N, C, H, W], classes: int) = image >> b >> c >> global_avg_pool >> linear(classes)
