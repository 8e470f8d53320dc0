use std.strategies.successive_halving.halve

// Li et al. 2018, "Hyperband", algorithm 1: brackets of successive halving, from many candidates that start with little to
// few that train in full, so that nobody has to know how much a first look needs.
strategy hyperband(full: int = 27, eta: int = 3) {
  loop {
    var rungs = 0
    while eta^(rungs + 1) <= full { rungs += 1 }
    for i in 0..=rungs {
      let s = rungs - i
      let candidates = ceil(float((rungs + 1) * eta^s) / float(s + 1))
      halve([random() for _ in 0..candidates], eta, max(full / eta^s, 1), full)
    }
  }
}
