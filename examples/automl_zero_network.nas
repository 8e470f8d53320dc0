// Finds back-propagation for a network of two layers: `nasc run examples/automl_zero_network.nas`.
//
// The labels are `w . relu(m x)`. Evolution begins with a network whose last layer learns by gradient descent and whose
// first stays as it was drawn. It has to find how the error goes back through the last layer and the rectifier into the first:
// AutoML-Zero (Real et al. 2020, section 4.2) needed the same lines, from nothing and on many machines.
use std.instructions.*
use std.strategies.aging_evolution
use std.evaluations.programs

space rules = algorithms(
  scalars = 5,
  vectors = 7,
  matrices = 2,
  setup = instructions(3, constants),
  predict = instructions(3..=5, [matvec, dot, maximum, add]),
  learn = instructions(4..=10, [sub, add, mul, scale, outer, positive]),
  start = half,
)

algorithm half {
  setup {
    s3 = 0.01
    m0 = gaussian(mean = 0.0, deviation = 0.5)
    v1 = gaussian(mean = 0.0, deviation = 0.5)
  }
  predict {
    v2 = matvec(m0, v0)
    v3 = maximum(v2, v5)
    s1 = dot(v3, v1)
  }
  learn {
    s4 = s0 - s1
    s4 = s3 * s4
    v4 = s4 * v3
    v1 = v1 + v4
  }
}

search network {
  data      = scalar_network_regression(features = 4, tasks = 10, train = 2000, valid = 100)
  space     = rules
  evaluate  = programs(hurdle = 0.3, worst = 1000.0)
  strategy  = aging_evolution(population = 1000, sample = 10)
  objective = fitness
  budget    = trials(300k)
  seed      = 1
}
