// Liu et al. 2019
strategy darts(epochs: int = 50, batch: int = 64, second_order: bool = true) {
  let alpha = policy("logits") //~ E0790 "needs controllers"
  let net = supernet(alpha, mix = "softmax") //~ E0790 "needs weight sharing"
  for epoch in 0..epochs {
    let weights = sgd(cosine(epoch, epochs, 0.025, 0.001), momentum = 0.9, decay = 3e-4)
    for (a, b) in zip(data.train.batches(batch), data.valid.batches(batch)) { //~ E0790 "needs weight sharing"
      net.step(b, policy = adam(3e-4, beta1 = 0.5), unrolled = if second_order { (a, weights) } else { none })
      net.step(a, weights = weights)
    }
    report(epoch, net.score(data.valid))
  }
  submit(strongest(alpha, 2)) //~ E0790 "needs controllers"
}
