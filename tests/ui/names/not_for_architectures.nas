use std.ops.*

block b(x[..]) = x >> s //~ E0301 "`s` is not something that an architecture can use"
block c(x[..]) = x >> digits //~ E0303 "`digits` needs the argument `classes`"

search s { space = digits }

space digits(image[N, C, H, W], classes: int) = image >> conv(8, 3) >> global_avg_pool >> linear(classes)
