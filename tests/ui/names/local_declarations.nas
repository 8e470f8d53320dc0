use std.ops.*

// Declarations in a body see each other, themselves, and what stands before them.
space s(image[N, C, H, W], classes: int) {
  let width = 8
  block pair(x[..], depth: int) = x >> single >> tree(depth)
  block single(x[..]) = x >> conv(8, choose kernel from [1, 3])
  block tree(x[..], depth: int) = if depth == 0 { x } else { x >> conv(width, 3) >> tree(depth - 1) }
  motif cell(x[..]) = x >> conv(width, choose cell_kernel from [1, 3])
  image >> pair(2) >> cell >> cell >> global_avg_pool >> linear(classes)
}
