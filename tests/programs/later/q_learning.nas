// Baker et al. 2017
strategy q_learning(alpha: float = 0.01, gamma: float = 1.0, replay: int = 100) {
  let q = table(0.5) //~ E0790 "needs value tables"
  var memory: list<trial> = []
  for epsilon in [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1] {
    for _ in 0..(if epsilon == 1.0 { 1500 } else { 150 }) {
      var d = begin()
      while d.open() {
        d.pick(if flip(epsilon) { draw(d.options()) } else { q.argmax(d.state(), d.options()) })
      }
      memory.push(evaluate(d.finish()))
      for t in draw(memory, replay) {
        for (s, a, next) in reversed(t.path()) {
          let target = if next.terminal { t.reward } else { gamma * q.max(next.state, next.options) }
          q[s, a] = (1 - alpha) * q[s, a] + alpha * target
        }
      }
    }
  }
}
