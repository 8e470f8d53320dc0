environment pole(max_steps: int = 1000) {
  state x = 0.0
  fn observe() { [x] }
  fn step(action: list<float>) { x += action[0] }
  fn failed() { abs(x) > 2.4 }
}

space controller = topology(inputs = 1, outputs = 1, activation = sigmoid)

search balance {
  data  = pole() //~ E0801 "needs environments"
  space = controller
}
