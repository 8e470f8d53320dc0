// Scores a program of an algorithm space: it learns each task, and predicts what it has not seen.
//
// Programs that predict the same are one candidate (AutoML-Zero's functional equivalence cache), so that each is scored
// once. With a `hurdle`, what does not reach that fitness on the first `first` tasks goes no further.
evaluation programs(
  max_examples: int = 1000000, // to learn from, of each task
  max_valid: int = 1000000,    // to be scored on
  epochs: int = 1,             // the best score after one counts
  worst: float = 100.0,        // an error above it ends the task
  loss: string = "squared",    // squared, wrong (side of one half) or log
  combine: string = "mean",    // mean or median over tasks
  hurdle: float = 0.0,
  first: int = 1,              // tasks before the hurdle
) {
  if hurdle > 0.0 && first < tasks() {
    let early = [fitness(x, loss) for x in run_tasks(candidate, 0, first, max_examples, max_valid, epochs, worst, loss)]
    if mean(early) < hurdle { return { fitness: mean(early) * 0.5, passed: 0.0 } }
  }
  let scores = [
    fitness(x, loss)
    for x in run_tasks(candidate, 0, tasks(), max_examples, max_valid, epochs, worst, loss)
  ]
  return { fitness: if combine == "median" { median(scores) } else { mean(scores) }, passed: 1.0 }
}

// From 0 for the worst to 1 for the best.
fn fitness(x: float, loss: string) -> float {
  if x == 1.0 / 0.0 { return 0.0 }
  if loss == "wrong" { 1.0 - x } else { if loss == "log" { exp(-x) } else { 1.0 - 0.6366197723675814 * atan(sqrt(x)) } }
}
