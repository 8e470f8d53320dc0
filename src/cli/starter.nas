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
    edge = choose op {
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

search NAME {
  data      = digits()                                         // 1,797 images of 8 × 8, built in
  space     = small()
  evaluate  = train(epochs = 8, lr = choose lr in 0.01..0.2 log) // the learning rate is searched, too
  strategy  = aging_evolution(population = 8, sample = 3)      // Real et al. 2018
  objective = accuracy                                         // or [maximize(accuracy), minimize(params)]
  budget    = trials(24)                                       // or a time, such as 10min
  seed      = 1
}
