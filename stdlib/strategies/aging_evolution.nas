// Real et al. 2018, "Regularized evolution for image classifier architecture search", algorithm 1: of a few candidates
// drawn from the population the best has a mutated child, and the oldest dies.
//
// `amoeba = true` mutates as AmoebaNet does: an operation or a hidden state of a cell changes, or, one time in twenty,
// nothing does. `ahead` children are under way at a time; give it more than there are workers.
strategy aging_evolution(population: int = 100, sample: int = 25, amoeba: bool = false, ahead: int = 4) {
  var alive: queue<trial> = evaluate_all([random() for _ in 0..population])
  for _ in 0..ahead { submit(child(alive, sample, amoeba)) }
  for t in results() {
    alive.push(t)
    alive.pop_oldest()
    submit(child(alive, sample, amoeba))
  }
}

fn child(alive: list<trial>, sample: int, as_amoeba: bool) -> candidate {
  let parent = tournament_pick(alive, sample).candidate
  if as_amoeba { amoeba(parent) } else { mutate(parent) }
}
