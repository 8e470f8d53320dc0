use std.ops.*

space s(image[N, C, H, W], classes: int, width: int = 16, _depth: int = 2) = //~ W0506 "nothing uses the parameter `classes`" //~ W0506 "nothing uses the parameter `width`"
  image >> conv(C * 8, 3) >> global_avg_pool >> linear(10)
