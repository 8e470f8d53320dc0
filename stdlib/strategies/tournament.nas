// Liu et al. 2018, "Hierarchical representations for efficient architecture search", section 3: tournament selection among
// a growing population. It starts from the trivial design, in which every operation that can be `trivial` is, spread by
// random mutations, so that evolution has to find structure itself.
strategy tournament(
  population: int = 200,
  part: float = 0.05,
  spread: int = 1000,
  trivial: string = "identity",
  ahead: int = 4,
) {
  var alive = evaluate_all([spread_out(trivial_design(random(), trivial), spread) for _ in 0..population])
  for _ in 0..ahead { submit(winner(alive, part)) }
  for t in results() {
    alive.push(t)
    submit(winner(alive, part))
  }
}

fn winner(alive: list<trial>, part: float) -> candidate {
  mutate_level(tournament_pick(alive, max(int(part * float(len(alive))), 2)).candidate)
}

fn trivial_design(c: candidate, option: string) -> candidate {
  var out = c
  for d in c.decisions() { if d.arity < 1000000 && d.options.contains(option) { out = out.set(d.name, option).fill() } }
  out
}

fn spread_out(c: candidate, times: int) -> candidate {
  var out = c
  for _ in 0..times { out = mutate_level(out) }
  out
}

// A level of the hierarchy, then a motif of it, then a decision of that motif.
fn mutate_level(c: candidate) -> candidate {
  let level = draw(group_by(c.decisions(), d => d.level))
  let design = draw(group_by(level[1], d => d.owner))
  let open = [d for d in design[1] if d.arity > 1]
  if len(open) == 0 { return c }
  let d = draw(open)
  c.set(d, d.redraw()).fill()
}
