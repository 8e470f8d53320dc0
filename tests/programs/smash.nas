// Brock et al. 2018: memory banks, searched by evolution; what SMASH adds, a hypernetwork, comes later.
use std.ops.*
use std.strategies.aging_evolution

space memory_bank(image[N, C, H, W], classes: int, banks: int = 4, layers: int = 8, width: int = 16) {
  var bank = [image >> conv(width, 3) for _ in 0..banks]
  for layer in 0..layers {
    let read  = choose read 1.. from bank
    let write = choose write in 0..banks
    let y = concat(read) >> conv_bn(width, 1) >> choose op { conv_bn(width, 3) | conv_bn(width, 5) | dil: dil_conv(width, 3) }
    bank[write] = choose combine { overwrite: y | add: bank[write] + y }
  }
  sum(bank) >> global_avg_pool >> linear(classes)
}

search banks {
  data     = digits()
  space    = memory_bank(layers = 4)
  strategy = aging_evolution(population = 20, sample = 5)
  budget   = trials(100)
}
