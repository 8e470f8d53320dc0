// Finds linear regression by gradient descent: `nasc run examples/automl_zero_linear.nas`.
//
// Programs over a few numbers and vectors (AutoML-Zero, Real et al. 2020) predict, see the label, and learn. This search
// starts from a program that predicts with the wrong vector, so that what it learns is of no use. Evolution has to find that
// the sum of all corrections is what predicts, and a good rate: the rule of Widrow and Hoff (1960).
//
// `automl_zero_from_nothing.nas` begins with random programs instead, and needs millions of them.
use std.instructions.*
use std.strategies.aging_evolution
use std.evaluations.programs

space rules = algorithms(
  scalars = 5,
  vectors = 3,
  matrices = 0,
  setup = instructions(1, [constant]),
  predict = instructions(1, [dot]),
  learn = instructions(3..=5, [add, sub, mul, scale]),
  start = confused,
)

algorithm confused {
  setup { s2 = 0.01 }
  predict { s1 = dot(v0, v2) }
  learn {
    s3 = s0 - s1
    s4 = s2 * s3
    v2 = s4 * v0
    v1 = v1 + v2
  }
}

search linear {
  data      = scalar_linear_regression(features = 4, tasks = 10, train = 1000, valid = 100)
  space     = rules
  evaluate  = programs()
  strategy  = aging_evolution(population = 500, sample = 10)
  objective = fitness
  budget    = trials(5000)
  seed      = 1
}
