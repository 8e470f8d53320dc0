// Baker et al. 2018: a child goes on only if its learning curve may still beat the best.
strategy early_stopping(first: int = 10, full: int = 60, known: int = 100, chance: float = 0.05) {
  let curves = surrogate("svr") //~ E0790 "needs predictors"
  var done: list<trial> = []
  loop {
    let t = evaluate(random(), until = first)
    if len(done) < known || curves.chance_above(t, best().reward) > chance {
      done.push(t.resume(until = full))
      curves.fit(done, t => t.reward)
    }
  }
}
