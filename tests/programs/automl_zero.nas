use std.strategies.aging_evolution
use std.evaluations.programs
use std.instructions.*
use std.ops.relu

space regressor = algorithms(
  scalars = 4,
  vectors = 3,
  matrices = 1,
  setup = instructions(1..=10, [constant, gaussian]),
  predict = instructions(1..=10, [dot, add, sub, mul, relu]),
  learn = instructions(1..=20, arithmetic),
)

// The gradient-descent linear regressor, written by hand.
algorithm linear_regressor {
  setup { s2 = 0.01 }
  predict { s1 = dot(v0, v1) }
  learn {
    s3 = s0 - s1
    s4 = s2 * s3
    v2 = s4 * v0
    v1 = v1 + v2
  }
}

search linear {
  data      = scalar_linear_regression(features = 4, tasks = 10, train = 1000, valid = 100)
  space     = regressor
  evaluate  = programs(max_examples = 1000)
  strategy  = aging_evolution(population = 1000, sample = 10)
  objective = fitness
  budget    = trials(1e6)
}
