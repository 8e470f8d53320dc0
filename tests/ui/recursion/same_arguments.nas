use std.ops.*

block tree(x[..], depth: int) = if depth == 0 { x } else { tree(x >> relu, depth) } //~ E0308 "`tree` calls itself with the same arguments and never ends"
block forest(x[..], c: int, depth: int) = x >> choose { leaf: conv(c, 3) | deeper: forest(depth = depth, c = c) } //~ E0308 "`forest` calls itself with the same arguments and never ends"

// Ends: the image shrinks.
block pyramid(x[N, C, H, W], c: int) = if H < 2 { x } else { x >> conv(c, 3, stride = 2) >> pyramid(c) }
