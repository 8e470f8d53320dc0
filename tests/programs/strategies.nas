// Strategies and evaluations are programs. Each reads like the algorithm box of its paper.
use std.ops.*
use std.spaces.nasbench201

strategy random_search() {
  loop { submit(random()) }
}

// Real et al. 2018: aging evolution. `mutate` is library code over decisions, see below.
strategy aging_evolution(population: int = 100, sample: int = 25) {
  var alive: queue<trial> = []
  for _ in 0..population { submit(random()) }
  for t in results() {
    alive.push(t)
    if len(alive) > population { alive.pop_oldest() }
    submit(mutate(alive.draw(sample).max_by(t => t.reward).candidate))
  }
}

// One decision, drawn uniformly, takes another value.
fn mutate(c: candidate, selector: string = "**") -> candidate {
  let d = draw(c.decisions(selector))
  c.set(d, draw(d.others())).fill()
}

// AmoebaNet: an op or a hidden state of one cell changes, or nothing does.
fn amoeba(c: candidate) -> candidate {
  if flip(0.05) { c } else { mutate(c, draw(["**.op", "**.inputs"])) }
}

strategy amoeba_search() {
  var best_of_all = evaluate(random())
  loop {
    let child = evaluate(amoeba(best_of_all.candidate))
    if child.reward > best_of_all.reward { best_of_all = child }
  }
}

evaluation train(epochs: int = 20, batch: int = 64, lr: float = 0.025, drop_path: float = 0.0) {
  let net = build(candidate)
  for epoch in 0..epochs {
    net.fit(data.train, batch, sgd(cosine(epoch, epochs, lr, 0.0), momentum = 0.9), knobs = { drop_path: drop_path * epoch / epochs })
    report(epoch, net.score(data.valid, accuracy))
  }
  return { accuracy: net.score(data.valid, accuracy), params: net.params(), flops: net.flops(), latency: net.latency() }
}

search evolved {
  data      = digits()
  space     = nasbench201(width = 8, cells = 1)
  evaluate  = train(epochs = 4)
  strategy  = aging_evolution(population = 10, sample = 3)
  objective = [maximize(accuracy), minimize(params)]
  budget    = 10min
}
