use std.ops.*

space s(image[N, C, H, W], classes: int, width: int) =
  image >> conv(width, 3) >> global_avg_pool >> linear(classes)

search a { space = s(widht = 8) }
search b { space = s }
search c { space = s(width = 8) }
search d { space = z }
search e { space = std_conv }

block std_conv(x[..]) = x >> conv(8, 3)
