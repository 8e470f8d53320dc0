// Steps on single batches belong to supernets; an evaluation trains by whole passes.
evaluation by_steps(steps: int = 10) {
  let net = build(candidate)
  for step in 0..steps {
    let b = data.train.next(64) //~ E0790 "`.next` needs weight sharing"
    log(step)
  }
  return { accuracy: net.score(data.valid) }
}
