// Zoph & Le 2017
strategy reinforce(hidden: int = 64, lr: float = 1e-3, batch: int = 8, decay: float = 0.95, entropy: float = 1e-4) {
  let controller = policy("lstm", hidden = hidden) //~ E0790 "needs controllers"
  var baseline = 0.0
  loop {
    let trials = evaluate_all([controller.sample() for _ in 0..batch])
    for t in trials { controller.reinforce(t, advantage = t.reward - baseline, entropy = entropy) }
    controller.step(lr)
    baseline = decay * baseline + (1 - decay) * mean([t.reward for t in trials])
  }
}
