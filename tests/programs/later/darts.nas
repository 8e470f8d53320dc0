use std.spaces.darts
use std.strategies.darts //~ E0801 "`std.strategies.darts` needs weight sharing"

search darts_digits {
  data     = digits()
  space    = darts(width = 8, cells = 4)
  strategy = darts(epochs = 25, batch = 64, xi = 0.025)
  budget   = hours(1)
  seed     = 0
}
