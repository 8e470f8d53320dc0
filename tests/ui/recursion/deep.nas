use std.ops.*

block tree(x[..], depth: int) = x >> choose op { leaf: relu | deeper: tree(depth) } //~ E0308 "`tree` calls itself with the same arguments and never ends"
block inner(x[..], c: int) = x >> conv(c, 3) >> tree(c)
block outer(x[..], c: int) = x >> relu >> inner(c)

space s(image[N, C, H, W], classes: int) = image >> outer(8) >> global_avg_pool >> linear(classes)
