use std.ops.*

block b(x[..]) = x >> conv() >> linear
block c(x[..]) = x >> choose { conv | linear(8) }

space s(image[N, C, H, W], classes: int) = image >> b >> c >> global_avg_pool >> linear(classes)
