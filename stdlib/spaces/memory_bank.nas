// The memory banks of SMASH (Brock et al. 2018, section 3.2): each layer reads some banks, works, and writes one, over what was there
// or added to it. Between blocks all banks are halved in size.
//
// What a layer computes is simpler than in the paper, which runs up to four gated convolutions side by side; banks here have one
// width. Weights are trained for each candidate, where SMASH's hypernetwork would write them.
use std.ops.*

space memory_bank(image[N, C, H, W], classes: int, banks: int = 4, blocks: int = 3, layers: int = 3, width: int = 16) {
  var bank = [image >> conv(width, 3) for _ in 0..banks]
  for stage in 0..blocks {
    if stage > 0 { bank = [b >> conv_bn(width, 1) >> avg_pool(2, 2) for b in bank] }
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
  }
  sum(bank) >> batch_norm >> relu >> global_avg_pool >> linear(classes)
}
