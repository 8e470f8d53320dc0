use std.ops.*

space s(image[N, C, H, W], classes: int) {
  let groups = choose groups from [2, 3, 4]
  image >> conv(16, 3) >> conv(16, 3, groups = groups) >> global_avg_pool >> linear(classes) //~ E0403 "16 is not divisible by 3"
}
