// A search for a small network that reads handwritten digits. Run it: `nasc run`. Change anything: `nasc check` says
// what fits together, `nasc check --decisions` what is searched.
use std.ops.*
use std.strategies.aging_evolution
use std.evaluations.train

// What networks are possible. Every `choose` is a decision; a candidate is one answer to each.
space small(image[N, C, H, W], classes: int) {
  // How many channels the network starts with.
  let width = choose width from [8, 12, 16]

  // A motif is one design, decided once and used with fresh weights wherever it stands. This one is a graph of three
  // nodes: the input, one in between, the output; each edge chooses its operation, each node sums its inputs.
  motif cell(c: int) = assemble 3 nodes {
    edge  = choose op {
        none
      | skip: identity
      | conv_3x3: conv_bn(c, 3)
      | sep_conv_5x5: sep_conv(c, 5)
      | max_pool: max_pool(3)
    }
    merge = sum
  }

  // `>>` passes a tensor on. The cell stands twice; between, the image is halved and the channels doubled.
  image >> conv(width, 3) >> batch_norm >> cell(width) >> residual(2 * width, stride = 2) >> cell(2 * width)
        >> batch_norm >> relu >> global_avg_pool >> linear(classes)
}

// How it is searched.
search NAME {
  // 1,797 images of 8 × 8 pixels, built in. Your own: `idx("folder")`, `images("folder")`, `csv("file.csv", target = "y")`.
  data      = digits()
  space     = small()
  // Each candidate is trained this long. A `choose` here is one more decision: the learning rate is searched, too.
  evaluate  = train(epochs = 6, lr = choose lr in 0.02..0.2 log)
  // Of 3 candidates drawn from the last 8, the best gets a mutated child (Real et al. 2018).
  strategy  = aging_evolution(population = 8, sample = 3)
  // More is better; `[maximize(accuracy), minimize(params)]` looks for the best trade-offs.
  objective = accuracy
  // When to stop: trials, or a time such as `10min`.
  budget    = trials(24)
  seed      = 1
}
