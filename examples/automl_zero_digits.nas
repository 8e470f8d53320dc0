// Finds a classifier of pairs of digits: `nasc run examples/automl_zero_digits.nas`.
//
// Each task is a pair of digits, seen through a random projection to eight numbers. Evolution begins with logistic regression.
// What it finds is chosen by pairs that it has not seen and scored on yet others. (Logistic regression itself, on those: let the
// budget be `trials(1)`.)
use std.instructions.*
use std.strategies.aging_evolution
use std.evaluations.programs

space rules = algorithms(
  scalars = 6,
  vectors = 6,
  matrices = 2,
  setup = instructions(1..=5, constants),
  predict = instructions(1..=6, linear_algebra + arithmetic + [maximum, minimum, positive, absolute]),
  learn = instructions(4..=12, linear_algebra + arithmetic + [maximum, minimum, positive, absolute]),
  start = logistic,
)

algorithm logistic {
  setup { s2 = 0.05 }
  predict { s1 = dot(v0, v1) }
  learn {
    s3 = s0 - s1
    s3 = s2 * s3
    v2 = s3 * v0
    v1 = v1 + v2
  }
}

search digits {
  data      = projected_binary_classification(
    digits(),
    features = 8,
    tasks = 20,
    train = 400,
    valid = 200,
    select = 20,
    test = 50,
  )
  space     = rules
  evaluate  = programs(loss = "wrong", worst = 1000.0)
  strategy  = aging_evolution(population = 500, sample = 10)
  objective = fitness
  budget    = trials(100k)
  seed      = 1
}
