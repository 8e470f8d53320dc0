// The memory banks of SMASH (Brock et al. 2018, section 3.2): each layer reads some banks, works, and writes one, over what was
// there or added to it.
use std.ops.*

space memory_bank(image[N, C, H, W], classes: int, banks: int = 4, layers: int = 8, width: int = 16) {
  var bank = [image >> conv(width, 3) for _ in 0..banks]
  for layer in 0..layers {
    let read = choose read 1.. from bank
    let write = choose write in 0..banks
    let y = concat(read) >> conv_bn(width, 1) >> choose op {
        conv_3x3: conv_bn(width, 3)
      | conv_5x5: conv_bn(width, 5)
      | dil_conv_3x3: dil_conv(width, 3)
    }
    bank[write] = choose combine { overwrite: y | add: bank[write] + y }
  }
  sum(bank) >> batch_norm >> relu >> global_avg_pool >> linear(classes)
}
