// Jamieson and Talwalkar 2016: many candidates train a little, the best part of them goes on `eta` times as long, until
// few train in full. Training continues where it stopped.
strategy successive_halving(candidates: int = 27, eta: int = 3, first: int = 1, full: int = 27) {
  loop { halve([random() for _ in 0..candidates], eta, first, full) }
}

// One bracket: the trials of its last rung, best first.
fn halve(cs: list<candidate>, eta: int, first: int, full: int) -> list<trial> {
  var epochs = first
  var rung = evaluate_all(cs, until = epochs)
  while epochs < full && len(rung) > 1 {
    epochs = min(epochs * eta, full)
    rung = resume_all(top(rung, max(len(rung) / eta, 1), t => t.reward), until = epochs)
  }
  top(rung, len(rung), t => t.reward)
}
