use std.ops.*

block b(x[..]) = x >> s
block c(x[..]) = x >> digits

search s { space = digits }

space digits(image[N, C, H, W], classes: int) = image >> conv(8, 3) >> global_avg_pool >> linear(classes)
