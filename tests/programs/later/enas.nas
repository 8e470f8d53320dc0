// Pham et al. 2018
strategy enas(epochs: int = 150, samples: int = 2000, batch: int = 64) {
  let controller = policy("lstm", hidden = 100, temperature = 5.0, tanh = 2.5) //~ E0790 "needs controllers"
  let net = supernet(controller, mix = "single") //~ E0790 "needs weight sharing"
  var baseline = 0.0
  for epoch in 0..epochs {
    for b in data.train.batches(batch) { //~ E0790 "needs weight sharing"
      net.step(b, weights = sgd(cosine(epoch, epochs, 0.05, 0.001)), path = controller.sample())
    }
    for _ in 0..samples {
      let c = controller.sample()
      let r = net.score(data.valid.next(batch), path = c) //~ E0790 "needs weight sharing"
      controller.reinforce(c, advantage = r - baseline)
      controller.step(3.5e-4)
      baseline = 0.99 * baseline + 0.01 * r
    }
  }
  submit([controller.sample() for _ in 0..10].max_by(c => net.score(data.valid, path = c)))
}
