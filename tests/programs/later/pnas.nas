// Liu et al. 2018: `blocks` is an ordinary decision of the space; growing is raising it.
strategy pnas(keep: int = 256, ensemble: int = 5) {
  let predictor = surrogate("rnn", ensemble = ensemble) //~ E0790 "needs predictors"
  var beam = evaluate_all(begin({ blocks: 1 }).all())
  for b in 2..=5 {
    predictor.fit(history(), t => t.reward)
    let grown = flatten([t.candidate.set("**.blocks", b).all() for t in beam])
    beam = evaluate_all(top(unique(grown), keep, c => predictor.predict(c).mean))
  }
}
