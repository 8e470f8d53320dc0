use std.ops.*
use std.adapters.pad_to_largest
use std.strategies.aging_evolution
use std.evaluations.train

// Zoph & Le 2017: a layer at a time, each choosing its hyperparameters and which earlier layers feed it.
space layerwise(image[N, C, H, W], classes: int, layers: int = 8) {
  var outputs = []
  for layer in 0..layers {
    let skips  = choose skips 0.. from outputs
    let input  = if len(skips) == 0 { image } else { concat(pad_to_largest(skips)) }
    let k      = choose kernel from [1, 3, 5, 7]
    let f      = choose filters from [24, 36, 48, 64]
    let stride = choose stride in 1..=2
    outputs.push(input >> conv(f, k, stride) >> batch_norm >> relu)
  }
  concat(pad_to_largest(unused(outputs))) >> global_avg_pool >> linear(classes)
}

search layers {
  data      = digits()
  space     = layerwise(layers = 6)
  evaluate  = train(epochs = 5, lr = choose lr in 1e-3..1e-1 log)
  strategy  = aging_evolution(population = 20, sample = 5)
  objective = accuracy^3
  budget    = [trials(400), 2h]
}
