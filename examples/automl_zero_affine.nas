// Finds affine regression: `nasc run examples/automl_zero_affine.nas`.
//
// The labels are `w . x + b`. Evolution begins with gradient descent for `w . x` alone, and has to find that an offset can be
// learned in the same way, from the same error.
use std.instructions.*
use std.strategies.aging_evolution
use std.evaluations.programs

space rules = algorithms(
  scalars = 6,
  vectors = 3,
  matrices = 0,
  setup = instructions(1..=3, [constant]),
  predict = instructions(1..=3, [dot, add]),
  learn = instructions(4..=8, arithmetic),
  start = linear,
)

algorithm linear {
  setup { s2 = 0.01 }
  predict { s1 = dot(v0, v1) }
  learn {
    s3 = s0 - s1
    s4 = s2 * s3
    v2 = s4 * v0
    v1 = v1 + v2
  }
}

search affine {
  data      = scalar_affine_regression(features = 4, tasks = 10, train = 1000, valid = 100)
  space     = rules
  evaluate  = programs()
  strategy  = aging_evolution(population = 500, sample = 10)
  objective = fitness
  budget    = trials(20k)
  seed      = 1
}
