// Finds gradient descent for linear regression from random programs: `nasc run examples/automl_zero_from_nothing.nas`.
//
// The demonstration of AutoML-Zero (Real et al. 2020): ten lines to set up, two to predict and eight to learn, from six
// instructions, and nothing else is given. Some seeds need a few hundred thousand programs, others millions.
use std.instructions.*
use std.strategies.aging_evolution
use std.evaluations.programs

fn few() = [constant, dot, add, sub, mul, scale]

space rules = algorithms(
  scalars = 4,
  vectors = 3,
  matrices = 0,
  setup = instructions(10, few),
  predict = instructions(2, few),
  learn = instructions(8, few),
)

search from_nothing {
  data      = scalar_linear_regression(features = 4, tasks = 10, train = 100, valid = 100)
  space     = rules
  evaluate  = programs()
  strategy  = aging_evolution(population = 1000, sample = 10)
  objective = fitness
  budget    = trials(3M)
  seed      = 1
}
