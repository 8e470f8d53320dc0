use std.ops.*

space s(image[N, C, H, W], classes: int, width: int) =
  image >> conv(width, 3) >> global_avg_pool >> linear(classes)

search a { space = s(widht = 8) } //~ E0302 "`s` has no parameter `widht`"
search b { space = s } //~ E0303 "the space `s` needs the argument `width`"
search c { space = s(width = 8) }
search d { space = z } //~ E0203 "there is no space `z` here"
search e { space = std_conv } //~ E0301 "`std_conv` is not a space"

block std_conv(x[..]) = x >> conv(8, 3)
