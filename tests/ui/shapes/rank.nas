use std.ops.*

space s(image[N, C, H, W], classes: int) {
  let flat = image >> conv(16, 3) >> global_avg_pool >> linear(classes)
  flat >> max_pool(3) >> conv(16, 3) //~ E0402 "`max_pool` takes a tensor of 4 dimensions, but gets [N, classes] of 2"
}
