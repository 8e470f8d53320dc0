use std.ops.*

// Trains a candidate and scores it on the part of the data that candidates are compared on.
//
// Proxies are arguments: fewer `epochs`, a `fraction` of the data; fewer channels or cells are arguments of the space.
// A strategy that stops a candidate early (`until`) ends the loop below, not the schedule, so that going on later
// continues the same training.
evaluation train(
  epochs: int = 20,
  batch: int = 64,
  fraction: float = 1.0,       // of the training data
  optimizer: string = "sgd",   // sgd, adam or adamw
  lr: float = 0.05,
  momentum: float = 0.9,       // sgd only
  nesterov: bool = false,      // sgd only
  decay: float = 3e-4,         // weight decay; decoupled in adamw
  schedule: string = "cosine", // cosine, step or constant
  step_every: int = 10,        // epochs, for step
  step_factor: float = 0.1,
  warmup_epochs: int = 0,
  clip: float? = none,         // largest norm of the gradient
  smoothing: float = 0.0,      // of the labels
  crop: int = 0,               // pixels of padding around a random crop
  flip: bool = false,
  cutout: int = 0,             // edge of the square in pixels
  drop_path: float = 0.0,      // reached at the end, rising in a line (ScheduledDropPath)
  patience: int = 0,           // epochs without a better score before stopping; 0 never stops
  latency: bool = false,       // whether to measure it
) {
  if !["sgd", "adam", "adamw"].contains(optimizer) {
    fail("no optimizer is called `" + optimizer + "`; there are sgd, adam and adamw")
  }
  if !["cosine", "step", "constant"].contains(schedule) {
    fail("no schedule is called `" + schedule + "`; there are cosine, step and constant")
  }
  let net = build(candidate)
  let part = if fraction < 1.0 { data.train.part(fraction) } else { data.train }
  let train = part.augment(crop, flip, cutout)
  let last = min(epochs, until.or(epochs))
  var score = -1.0 / 0.0
  var best = score
  var waited = 0
  for epoch in 0..last {
    let planned = if schedule == "cosine" {
      cosine(epoch, epochs, lr, 0.0)
    } else if schedule == "step" {
      step(epoch, step_every, lr, step_factor)
    } else {
      lr
    }
    let rate = warmup(epoch, warmup_epochs, planned)
    let update = if optimizer == "adam" {
      adam(rate, decay = decay)
    } else if optimizer == "adamw" {
      adamw(rate, decay = decay)
    } else {
      sgd(rate, momentum, decay, if nesterov { 1.0 } else { 0.0 })
    }
    let loss = if smoothing > 0.0 { label_smoothing(smoothing) } else { cross_entropy }
    net.fit(train, batch, update, { drop_path: drop_path * epoch / epochs }, loss, clip)
    score = net.score(data.valid)
    report(epoch + 1, score)
    if score > best {
      best = score
      waited = 0
    } else {
      waited += 1
    }
    if patience > 0 && waited >= patience { break }
  }
  return {
    accuracy: if last > 0 { score } else { net.score(data.valid) },
    params: net.params(),
    flops: net.flops(),
    memory: net.memory(),
    latency: if latency { net.latency() } else { none },
  }
}
