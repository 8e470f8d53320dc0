use std.spaces.layerwise
use std.strategies.reinforce //~ E0801 "`std.strategies.reinforce` needs controllers"
use std.evaluations.train

search layers {
  data      = mnist("data/mnist")
  space     = layerwise(layers = 6)
  evaluate  = train(epochs = 5, lr = choose lr in 1e-3..1e-1 log)
  strategy  = reinforce(hidden = 35, batch = 8)
  objective = accuracy^3
  budget    = trials(400)
}
