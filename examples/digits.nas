// Searches a cell for handwritten digits: `nasc run examples/digits.nas`.
use std.spaces.nasbench201
use std.strategies.aging_evolution
use std.evaluations.train

search digits {
  data      = digits()
  space     = nasbench201(width = 8, cells = 1)
  evaluate  = train(epochs = 8, lr = 0.1, nesterov = true)
  strategy  = aging_evolution(population = 10, sample = 4)
  objective = accuracy
  budget    = trials(30)
  seed      = 7
}
