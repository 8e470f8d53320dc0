// The library of search programs, always in scope: what strategies are written with.
// Nothing here is known to the compiler. Every function may be called as `f(x, ..)` or as `x.f(..)`.
//
// A trial that failed has no reward. In comparisons `none` is less than every number, so a failed trial
// loses; sums and means leave it out; arithmetic with it gives `none`.

// ---- Lists -------------------------------------------------------------------------------------------------------

// One element, drawn uniformly.
fn draw(xs: list<T>) -> T { xs[below(len(xs))] }

// n elements, drawn uniformly with replacement.
fn draw(xs: list<T>, n: int) -> list<T> { [xs[below(len(xs))] for _ in 0..n] }

// One element, drawn with a probability in proportion to `by`.
fn draw_by(xs: list<T>, by: fn(T) -> float) -> T {
  let weights = [by(x) for x in xs]
  var left = uniform() * sum(weights)
  for i in 0..len(xs) {
    left -= weights[i]
    if left < 0 { return xs[i] }
  }
  xs[len(xs) - 1]
}

// n different elements, in random order; all of them if there are fewer.
fn sample(xs: list<T>, n: int) -> list<T> { shuffled(xs)[..min(n, len(xs))] }

// All elements, in random order.
fn shuffled(xs: list<T>) -> list<T> {
  var out = xs
  for k in 1..len(out) {
    let i = len(out) - k
    let j = below(i + 1)
    (out[i], out[j]) = (out[j], out[i])
  }
  out
}

// In ascending order of `key`; equals keep their order.
fn sort_by(xs: list<T>, key: fn(T) -> K) -> list<T> {
  let keys = [key(x) for x in xs]
  [xs[i] for i in order(keys)]
}

// The n elements with the largest `key`, best first.
fn top(xs: list<T>, n: int, key: fn(T) -> K) -> list<T> {
  let best = reversed(sort_by(reversed(xs), key))
  best[..min(n, len(best))]
}

fn max_by(xs: list<T>, key: fn(T) -> K) -> T { xs[arg_max([key(x) for x in xs])] }

fn min_by(xs: list<T>, key: fn(T) -> K) -> T { xs[arg_min([key(x) for x in xs])] }

// Candidates whose networks differ, the first of each kind.
fn unique(xs: list<candidate>) -> list<candidate> { unique_by(xs, c => c.key()) }

fn unique_by(xs: list<T>, key: fn(T) -> K) -> list<T> { [xs[i] for i in firsts([key(x) for x in xs])] }

// The first element for which `test` holds.
fn find(xs: list<T>, test: fn(T) -> bool) -> T? {
  for x in xs { if test(x) { return x } }
  none
}

fn filter(xs: list<T>, test: fn(T) -> bool) -> list<T> { [x for x in xs if test(x)] }

fn map(xs: list<T>, f: fn(T) -> U) -> list<U> { [f(x) for x in xs] }

fn any(xs: list<T>, test: fn(T) -> bool) -> bool {
  for x in xs { if test(x) { return true } }
  false
}

fn all(xs: list<T>, test: fn(T) -> bool) -> bool {
  for x in xs { if !test(x) { return false } }
  true
}

fn count(xs: list<T>, test: fn(T) -> bool) -> int {
  var n = 0
  for x in xs { if test(x) { n += 1 } }
  n
}

// The elements by `key`: each key with its elements, in the order in which the keys first appear.
fn group_by(xs: list<T>, key: fn(T) -> K) -> list<(K, list<T>)> {
  let keys = [key(x) for x in xs]
  [(keys[i], [xs[j] for j in 0..len(xs) if keys[j] == keys[i]]) for i in firsts(keys)]
}

fn zip(xs: list<T>, ys: list<U>) -> list<(T, U)> { [(xs[i], ys[i]) for i in 0..min(len(xs), len(ys))] }

fn enumerate(xs: list<T>) -> list<(int, T)> { [(i, xs[i]) for i in 0..len(xs)] }

fn reversed(xs: list<T>) -> list<T> { [xs[len(xs) - 1 - i] for i in 0..len(xs)] }

fn flatten(xss: list<list<T>>) -> list<T> { [x for xs in xss for x in xs] }

fn first(xs: list<T>) -> T { xs[0] }

fn last(xs: list<T>) -> T { xs[len(xs) - 1] }

// Every way to take one element of each list, the last changing fastest.
fn product(xss: list<list<T>>) -> list<list<T>> {
  var out: list<list<T>> = [[]]
  for xs in xss { out = [row + [x] for row in out for x in xs] }
  out
}

// ---- Numbers -----------------------------------------------------------------------------------------------------

fn mean(xs: list<T>) -> float { float(sum(xs)) / float(len(present(xs))) }

fn median(xs: list<T>) -> float {
  let ys = sort_by(present(xs), x => x)
  let n = len(ys)
  if n == 0 { return 0.0 / 0.0 }
  (float(ys[(n - 1) / 2]) + float(ys[n / 2])) / 2
}

// The standard deviation of the elements themselves, not of a population that they are drawn from.
fn deviation(xs: list<T>) -> float {
  let m = mean(xs)
  sqrt(mean([(x - m)^2 for x in present(xs)]))
}

// Kendall's rank correlation (tau-a): 1 where both orders agree, -1 where they are opposite.
fn kendall(xs: list<float>, ys: list<float>) -> float {
  var agree = 0
  let n = len(xs)
  for i in 0..n {
    for j in 0..i {
      let d = (xs[i] - xs[j]) * (ys[i] - ys[j])
      if d > 0 { agree += 1 } else { if d < 0 { agree -= 1 } }
    }
  }
  float(agree) / (float(n) * float(n - 1) / 2)
}

fn clamp(x: T, least: T, most: T) -> T { min(max(x, least), most) }

// Marks objectives, so that more is better.
fn maximize(x: float) -> float { x }

fn minimize(x: float) -> float { -x }

// ---- Schedules ---------------------------------------------------------------------------------------------------

// Half a cosine from `start` to `end` (Loshchilov & Hutter 2017).
fn cosine(epoch: int, epochs: int, start: float, end: float) -> float {
  end + (start - end) * (1 + cos(3.141592653589793 * epoch / epochs)) / 2
}

// `start`, times `factor` after every `every` epochs.
fn step(epoch: int, every: int, start: float, factor: float = 0.1) -> float { start * factor^float(epoch / every) }

// Rises in a line to `rate` over the first `over` epochs.
fn warmup(epoch: int, over: int, rate: float) -> float {
  if epoch < over { rate * float(epoch + 1) / float(over) } else { rate }
}

// In a line from `start` to `end`.
fn linear_schedule(epoch: int, epochs: int, start: float, end: float) -> float {
  start + (end - start) * epoch / epochs
}

// ---- Moves -------------------------------------------------------------------------------------------------------

// One decision that a selector names, drawn uniformly, takes another value. A candidate without choices stays. A program
// changes as in AutoML-Zero, unless a selector is given.
fn mutate(c: candidate, selector: string = "**") -> candidate {
  if c.kind == "program" && selector == "**" { return mutate_program(c) }
  let open = [d for d in c.decisions(selector) if d.arity > 1]
  if len(open) == 0 { return c }
  let d = draw(open)
  c.set(d, d.redraw()).fill()
}

// AutoML-Zero (Real et al. 2020, section 3.1): one of these happens to a program, with a probability in proportion to its
// number. An argument of an instruction changes, an instruction is drawn anew, or all of a part; an instruction is
// inserted or removed, or one and then the other. What the sizes do not allow does not happen.
fn mutate_program(
  c: candidate,
  argument: float = 1.0,
  instruction: float = 1.0,
  part: float = 1.0,
  insert: float = 1.0,
  remove: float = 1.0,
  trade: float = 0.0,
) -> candidate {
  c.vary(argument, instruction, part, insert, remove, trade)
}

// AmoebaNet (Real et al. 2018, section 3.2): an operation or a hidden state changes, or, one time in twenty, nothing does. A
// space without one of the two has mutations of the other kind only.
fn amoeba(c: candidate) -> candidate {
  if flip(0.05) { return c }
  let kinds = [kind for kind in ["**.op", "**.input*"] if len(c.decisions(kind)) > 0]
  if len(kinds) == 0 { mutate(c) } else { mutate(c, draw(kinds)) }
}

// Every candidate that differs in one decision.
fn neighbours(c: candidate, selector: string = "**") -> list<candidate> {
  [c.set(d, v).fill() for d in c.decisions(selector) for v in d.others()]
}

// The best of a few, drawn with replacement (Goldberg & Deb 1991).
fn tournament_pick(trials: list<trial>, size: int) -> trial { fittest(trials, size) }

// ---- Several objectives ------------------------------------------------------------------------------------------

// Whether a is no worse than b everywhere and better somewhere; more is better.
fn dominates(a: list<float>, b: list<float>) -> bool {
  var better = false
  for i in 0..len(a) {
    if a[i] < b[i] { return false }
    if a[i] > b[i] { better = true }
  }
  better
}

// Fast non-dominated sorting (Deb et al. 2002): the fronts, best first, as positions in `points`.
fn fronts(points: list<list<float>>) -> list<list<int>> {
  let n = len(points)
  var losses = [0 for _ in 0..n]
  var wins: list<list<int>> = [[] for _ in 0..n]
  for i in 0..n {
    for j in 0..n {
      if dominates(points[i], points[j]) {
        wins[i].push(j)
        losses[j] += 1
      }
    }
  }
  var out: list<list<int>> = []
  var front = [i for i in 0..n if losses[i] == 0]
  while len(front) > 0 {
    out.push(front)
    var below_it: list<int> = []
    for i in front {
      for j in wins[i] {
        losses[j] -= 1
        if losses[j] == 0 { below_it.push(j) }
      }
    }
    front = below_it
  }
  out
}

// The crowding distance of each point of a front (Deb et al. 2002); the extremes are infinitely far.
fn crowding(points: list<list<float>>) -> list<float> {
  let n = len(points)
  var out = [0.0 for _ in 0..n]
  if n == 0 { return out }
  for k in 0..len(points[0]) {
    let by = order([p[k] for p in points])
    let span = points[by[n - 1]][k] - points[by[0]][k]
    out[by[0]] = 1.0 / 0.0
    out[by[n - 1]] = 1.0 / 0.0
    for i in 1..n - 1 {
      if span > 0 { out[by[i]] += (points[by[i + 1]][k] - points[by[i - 1]][k]) / span }
    }
  }
  out
}

// The n best trials by front, and within a front by crowding distance: NSGA-II's survivors.
fn nondominated(trials: list<trial>, n: int) -> list<trial> {
  var out: list<trial> = []
  for front in fronts([t.objectives for t in trials]) {
    let distances = crowding([trials[i].objectives for i in front])
    let ranked = reversed(order(distances))
    for k in ranked {
      if len(out) < n { out.push(trials[front[k]]) }
    }
  }
  out
}
