// White et al. 2020, "Local search is state of the art for NAS benchmarks": from a random candidate go to the best
// neighbour, one decision away, as long as it is better; then start again.
strategy local_search() {
  loop {
    var here = evaluate(random())
    var climbing = true
    while climbing {
      let best = evaluate_all(neighbours(here.candidate)).max_by(t => t.reward)
      climbing = best.reward > here.reward
      if climbing { here = best }
    }
  }
}
