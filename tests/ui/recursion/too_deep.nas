use std.ops.*

block tree(x[..], depth: int) = if depth == 0 { x } else { x >> relu >> tree(depth + 1) } //~ E0308 "calls are nested more than 160 deep in `tree`"

space s(image[N, C, H, W], classes: int) = image >> tree(1) >> global_avg_pool >> linear(classes)
