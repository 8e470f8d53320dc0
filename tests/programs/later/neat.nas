use std.strategies.neat //~ E0801 "needs topology spaces"
environment double_pole(velocities: bool = true, max_steps: int = 100000) {
  state x = 0.0
  state dx = 0.0
  state a1 = 0.07
  state da1 = 0.0
  state a2 = 0.0
  state da2 = 0.0
  fn observe() { if velocities { [x, dx, a1, da1, a2, da2] } else { [x, a1, a2] } }
  fn step(action: list<float>) {
    let force = (action[0] - 0.5) * 20
    for _ in 0..2 { rk4(0.01, force) }
  }
  fn failed() { abs(x) > 2.4 || abs(a1) > 0.628 || abs(a2) > 0.628 }
}
space controller = topology(inputs = 6, outputs = 1, activation = sigmoid)
search poles {
  data     = double_pole()
  space    = controller
  evaluate = episodes(1)
  strategy = neat(population = 150)
  budget   = trials(100000)
}
