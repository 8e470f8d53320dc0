// Scores a program of an algorithm space: it learns each task, and predicts what it has not seen (AutoML-Zero, Real et al.
// 2020, sections 3 and 4.1).
//
// A program whose predictions are those of an earlier one, bit for bit, while both learn the first `cache` examples, has its
// fitness, so that each is scored once; 0 scores all. With a `hurdle`, what does not reach that fitness on the first
// `first` tasks goes no further, and with `most` what has more instructions that matter is not run at all.
evaluation programs(
  max_examples: int = 1000000, // to learn from, of each task
  max_valid: int = 1000000,    // to be scored on
  epochs: int = 1,             // the best score after one counts
  worst: float = 100.0,        // an error above it ends the task
  loss: string = "squared",    // squared, wrong (side of one half) or log
  combine: string = "mean",    // mean or median over tasks
  cache: int = 16,
  hurdle: float = 0.0,
  first: int = 1,              // tasks before the hurdle
  most: int = 0,
) {
  if most > 0 && instructions(candidate) > most { return { fitness: 0.0 } }
  if cache > 0 {
    let known = recall(candidate, cache, worst)
    if known != none { return { fitness: unwrap(known) } }
  }
  if hurdle > 0.0 && first < tasks() {
    let early = task_fitness(candidate, 0, first, max_examples, max_valid, epochs, worst, loss, combine)
    if early < hurdle { return { fitness: early * 0.5 } }
  }
  let all = task_fitness(candidate, 0, tasks(), max_examples, max_valid, epochs, worst, loss, combine)
  if cache > 0 { remember(all) }
  return { fitness: all }
}
