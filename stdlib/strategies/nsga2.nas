// Deb et al. 2002, NSGA-II, for searches with several objectives: parents and children together, the better half by
// front and, within a front, by how much room a point has around it.
strategy nsga2(population: int = 20, crossed: float = 0.9) {
  var alive = evaluate_all([random() for _ in 0..population])
  loop {
    alive = nondominated(alive, population)
    let children = evaluate_all([offspring(alive, crossed) for _ in 0..population])
    alive = alive + children
  }
}

// Binary tournaments choose the parents: `alive` stands best first, so the earlier of two is the better one.
fn offspring(alive: list<trial>, crossed: float) -> candidate {
  let a = alive[min(below(len(alive)), below(len(alive)))].candidate
  let b = alive[min(below(len(alive)), below(len(alive)))].candidate
  mutate(if flip(crossed) { crossover(a, b) } else { a })
}
