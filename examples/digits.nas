// Searches a cell for handwritten digits: `nasc run examples/digits.nas`.
use std.spaces.nasbench201
use std.strategies.aging_evolution
use std.evaluations.train

search digits {
  data      = digits()
  space     = nasbench201(width = 12, cells = 1)
  evaluate  = train(epochs = 12, lr = 0.1, nesterov = true, crop = 1)
  strategy  = aging_evolution(population = 12, sample = 4)
  objective = accuracy
  budget    = trials(40)
  seed      = 7
}
