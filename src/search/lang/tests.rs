//! Programs, run natively and in the reference interpreter.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::host::{Host, HostFn, Opaque, Stop, Value};
use super::types::{Tag, Type};
use super::{Env, LIBRARY, Program};
use crate::base::rng::Stream;
use crate::base::{FileId, Span};
use crate::diag::Diagnostic;
use crate::syntax::parse::parse;

const LIB: &str = include_str!("../../../stdlib/search.nas");

/// A space of four decisions with the values 0 to 3; the reward is their sum, and a candidate of zeros fails.
struct World {
    rng: Stream,
    budget: usize,
    trials: Vec<Value>,
    queue: Vec<Vec<i64>>,
    log: Vec<String>,
}

impl World {
    fn new(budget: usize) -> Self {
        Self { rng: Stream::new(1, "test"), budget, trials: Vec::new(), queue: Vec::new(), log: Vec::new() }
    }

    fn candidate(values: Vec<i64>) -> Value {
        let key = values.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        Value::Opaque(Opaque::new(Tag::Candidate, key, values))
    }

    fn evaluate(&mut self, values: Vec<i64>) -> Result<Value, Stop> {
        if self.budget == 0 {
            return Err(Stop::Finished);
        }
        self.budget -= 1;
        let id = self.trials.len();
        let t = Value::Opaque(Opaque::new(Tag::Trial, id.to_string(), values));
        self.trials.push(t.clone());
        Ok(t)
    }
}

impl Host for World {
    fn call(&mut self, f: HostFn, args: &[Value], _: Span) -> Result<Value, Stop> {
        let of = |i: usize| args[i].object::<Vec<i64>>().cloned().unwrap_or_default();
        Ok(match f {
            HostFn::Random => {
                let values = (0..4).map(|_| self.rng.below(4) as i64).collect();
                Self::candidate(values)
            }
            HostFn::Submit => {
                self.queue.push(of(0));
                Value::None
            }
            HostFn::Results => Value::Opaque(Opaque::new(Tag::Batch, "results", ())),
            HostFn::StreamNext => {
                if self.queue.is_empty() {
                    return Err(Stop::Finished);
                }
                let next = self.queue.remove(0);
                self.evaluate(next)?
            }
            HostFn::Evaluate => self.evaluate(of(0))?,
            HostFn::EvaluateAll => {
                let all: Vec<Vec<i64>> = args[0]
                    .as_list()
                    .unwrap_or_default()
                    .iter()
                    .map(|c| c.object::<Vec<i64>>().cloned().unwrap_or_default())
                    .collect();
                let trials = all.into_iter().map(|c| self.evaluate(c)).collect::<Result<Vec<_>, _>>()?;
                Value::list(trials)
            }
            HostFn::History => Value::list(self.trials.clone()),
            HostFn::Best => self
                .trials
                .iter()
                .max_by_key(|t| t.object::<Vec<i64>>().map(|v| v.iter().sum::<i64>()))
                .cloned()
                .unwrap_or(Value::None),
            HostFn::Fittest => {
                let all = args[0].as_list().unwrap_or_default();
                let drawn: Vec<Value> = match args[1].as_int().unwrap_or(0) {
                    0 => all.to_vec(),
                    n => (0..n).map(|_| all[self.rng.below(all.len())].clone()).collect(),
                };
                let sum = |t: &Value| t.object::<Vec<i64>>().map(|v| v.iter().sum::<i64>());
                let mut best = drawn[0].clone();
                for t in drawn {
                    if sum(&t) > sum(&best) {
                        best = t;
                    }
                }
                best
            }
            HostFn::TrialReward => match of(0).iter().sum::<i64>() {
                0 => Value::None,
                s => Value::Float(s as f64),
            },
            HostFn::TrialObjectives => Value::list(of(0)[..2].iter().map(|&x| Value::Float(x as f64))),
            HostFn::TrialCandidate => Self::candidate(of(0)),
            HostFn::CandidateKind => Value::str("network"),
            HostFn::Decisions => {
                let c = of(0);
                Value::list(
                    (0..4).map(|i| Value::Opaque(Opaque::new(Tag::Decision, i.to_string(), (i, c[i as usize])))),
                )
            }
            HostFn::Others => {
                let (_, v) = *args[0].object::<(i64, i64)>().unwrap_or(&(0, 0));
                Value::list((0..4).filter(|x| *x != v).map(Value::Int))
            }
            HostFn::DecisionArity => Value::Int(4),
            HostFn::Redraw => {
                let (_, v) = *args[0].object::<(i64, i64)>().unwrap_or(&(0, 0));
                Value::Int((v + 1 + self.rng.below(3) as i64) % 4)
            }
            HostFn::Set => {
                let mut c = of(0);
                let (i, _) = *args[1].object::<(i64, i64)>().unwrap_or(&(0, 0));
                c[i as usize] = args[2].as_int().unwrap_or(0);
                Value::Opaque(Opaque::new(Tag::Draft, "draft", c))
            }
            HostFn::DraftFill => Self::candidate(of(0)),
            HostFn::Key => Value::str(of(0).iter().map(i64::to_string).collect::<Vec<_>>().join(",")),
            HostFn::Flip => Value::Bool(self.rng.flip(args[0].as_float().unwrap_or(0.0))),
            HostFn::Uniform => {
                let (lo, hi) = (args[0].as_float().unwrap_or(0.0), args[1].as_float().unwrap_or(1.0));
                Value::Float(lo + (hi - lo) * self.rng.unit())
            }
            HostFn::Below => Value::Int(self.rng.below(args[0].as_int().unwrap_or(1).max(1) as usize) as i64),
            HostFn::Log => {
                self.log.push(args[0].to_string());
                Value::None
            }
            HostFn::Begin => {
                let n = args[0].field("a").and_then(Value::as_int).unwrap_or(0);
                Value::Opaque(Opaque::new(Tag::Draft, "draft", vec![n; 1]))
            }
            HostFn::DraftOpen => Value::Bool(of(0).len() < 4),
            HostFn::DraftOptions => Value::list((0..4).map(Value::Int)),
            HostFn::DraftPick => {
                let mut d = of(0);
                d.push(args[1].as_int().unwrap_or(0));
                Value::Opaque(Opaque::new(Tag::Draft, "draft", d))
            }
            HostFn::DraftFinish => Self::candidate(of(0)),
            HostFn::Candidate => Self::candidate(vec![1, 2, 3, 0]),
            HostFn::Build => Value::Opaque(Opaque::new(Tag::Model, "model", ())),
            HostFn::Data | HostFn::DataTrain | HostFn::DataValid => Value::Opaque(Opaque::new(Tag::Data, "data", ())),
            HostFn::ModelFit => {
                self.log.push(format!("fit {} {}", args[3], args[4]));
                Value::Float(0.5)
            }
            HostFn::ModelScore => Value::Float(0.75),
            HostFn::ModelParams => Value::Float(10.0),
            HostFn::MetricsGet => Value::Float(0.25),
            HostFn::TrialMetrics => Value::Opaque(Opaque::new(Tag::Metrics, "m", ())),
            HostFn::Report => Value::None,
            // A result of a wrong type is reported, so is a panic.
            HostFn::SpaceSize => Value::str("large"),
            HostFn::Objectives => panic!("the host broke"),
            _ => Value::None,
        })
    }
}

fn env(text: &str) -> Env {
    let (lib, errors) = parse(FileId(1), LIB);
    assert!(errors.is_empty(), "{errors:#?}");
    let (module, errors) = parse(FileId(0), text);
    assert!(errors.is_empty(), "{errors:#?}");
    let mut env = Env::new();
    env.add_module(LIBRARY, &lib);
    let scope = env.add_scope();
    env.add_module(scope, &module);
    env
}

fn compile(text: &str, name: &str) -> Result<Program, Vec<Diagnostic>> {
    let env = env(text);
    let item = env.fun(1, name).unwrap_or_else(|| panic!("no `{name}`")).clone();
    Program::compile(&env, &item)
}

fn good(text: &str, name: &str) -> Program {
    compile(text, name).unwrap_or_else(|ds| {
        let shown: Vec<String> = ds
            .iter()
            .map(|d| {
                let s = d.labels[0].span;
                let src = if s.file.0 == 1 { LIB } else { text };
                format!("{} {} at `{}`", d.code.id, d.message, &src[s.start as usize..s.end as usize])
            })
            .collect();
        panic!("{shown:#?}")
    })
}

/// Runs natively and interpreted; both must agree, and leave nothing on the heap.
fn both(p: &Program, args: &[Value], budget: usize) -> (Result<Value, Stop>, World) {
    let stop = AtomicBool::new(false);
    let (mut a, mut b) = (World::new(budget), World::new(budget));
    let (x, left) = p.start(args, &mut a, &stop, false);
    let (y, left_too) = p.start(args, &mut b, &stop, true);
    assert_eq!(x, y, "machine code and interpreter differ\n{}", p.ir());
    assert_eq!(a.log, b.log);
    assert_eq!(left, left_too);
    if x.is_ok() {
        assert_eq!(left, 0, "objects leak\n{}", p.ir());
    }
    (x, a)
}

fn run(text: &str) -> Value {
    let (r, _) = both(&good(text, "f"), &[], 1000);
    r.unwrap_or_else(|s| panic!("{s:?}"))
}

fn check(text: &str, expected: &str) {
    assert_eq!(run(text).to_string(), expected, "{text}");
}

fn fails(text: &str, code: &str) {
    match both(&good(text, "f"), &[], 1000).0 {
        Err(Stop::Failed(d)) => assert_eq!(d.code.id, code, "{}", d.message),
        other => panic!("{other:?}"),
    }
}

fn rejects(text: &str, code: &str, part: &str) {
    match compile(text, "f") {
        Ok(_) => panic!("accepted: {text}"),
        Err(ds) => assert!(
            ds.iter().any(|d| d.code.id == code
                && (d.message.contains(part) || d.help.as_ref().is_some_and(|h| h.contains(part)))),
            "{code} `{part}` not in {ds:#?}"
        ),
    }
}

#[test]
fn arithmetic_is_checked_and_rounds_down() {
    check("fn f() { 7 / 2 + -7 / 2 + -7 % 3 + 7 % -3 }", "-1");
    check("fn f() { (1.5 + 2) * 2 ^ 3 - 1 / 2.0 }", "27.5");
    check("fn f() { -7.5 % 2.0 }", "0.5");
    check("fn f() { if 1 < 2 && !(2.0 <= 1) || false { abs(-3) } else { 0 } }", "3");
    check("fn f() { [floor(-1.5), ceil(1.2), round(2.5), int(-1.9)] }", "[-2, 2, 3, -1]");
    check("fn f() { (max(1, 2.5), min(3, 2), max([3, 9, 4]), 2k, 40%, 5ms) }", "(2.5, 2, 9, 2000.0, 0.4, 0.005)");
    check("fn f() { log(exp(2.0)) + log2(8.0) + sqrt(9.0) + tanh(0.0) }", "8.0");
    fails("fn f() { 9223372036854775807 + 1 }", "E0720");
    fails("fn f() { let x = 0 - 9223372036854775807 - 1  x / (0 - 1) }", "E0720");
    check("fn f() { let x = 0 - 9223372036854775807 - 1  x % (0 - 1) }", "0");
    fails("fn f() { let z = 0  1 / z }", "E0721");
    fails("fn f() { let z = 0  1 % z }", "E0721");
    fails("fn f() { int(1e30) }", "E0726");
    fails("fn f() { 10 ^ 30 }", "E0720");
    fails("fn f(){ f2(0) } fn f2(n: int) -> int { f2(n + 1) }", "E0723");
}

#[test]
fn loops_lists_and_values() {
    check("fn f() { var s = 0  for i in 0..=10 { if i == 3 { continue }  if i == 8 { break }  s += i }  s }", "25");
    check("fn f() { var n = 0  loop { n += 1  if n > 4 { return n } } }", "5");
    check("fn f() { var xs = [1, 2]  let ys = xs  xs.push(3)  xs[0] = 9  (xs, ys) }", "([9, 2, 3], [1, 2])");
    check(
        "fn f() { var xs = [[1], [2]]  let ys = xs  xs[0].push(5)  xs[1][0] = 7  (xs, ys) }",
        "([[1, 5], [7]], [[1], [2]])",
    );
    check(
        "fn f() { var r = { a: 1, b: [1] }  let s = r  r.b.push(2)  r.a += 5  (r, s) }",
        "({ a: 6, b: [1, 2] }, { a: 1, b: [1] })",
    );
    check(
        "fn f() { var q: queue<int> = []  for i in 0..100 { q.push(i)  if len(q) > 3 { q.pop_oldest() } }  (q, q.pop(), q[1..], len(q)) }",
        "([97, 98, 99], 99, [98], 2)",
    );
    check("fn f() { var (a, b) = (1, 2)  (a, b) = (b, a + b)  (a, b) }", "(2, 3)");
    check("fn f() { [(i, j) for i in 0..3 for j in 0..i if i + j > 1] }", "[(2, 0), (2, 1)]");
    check(
        "fn f() { let xs = [1, 2, 3]  var out: list<int> = []  for x in xs { out.push(x * x) }  out + [0] }",
        "[1, 4, 9, 0]",
    );
    check("fn f() { var xs = [1, 2]  for x in xs { xs.push(x) }  xs }", "[1, 2, 1, 2]");
    check("fn f() { var xs = [3]  (xs, xs.pop(), xs) }", "([3], 3, [])");
    check("fn f() { \"a\" + string(1) + string([1.5, 2.0]) + join([\"x\", \"y\"], \"-\") }", "a1[1.5, 2.0]x-y");
    check(
        "fn f() { var xs = [1, 2, 3]  xs.insert(1, 9)  let r = xs.remove(0)  (r, xs, contains(xs, 9)) }",
        "(1, [9, 2, 3], true)",
    );
    fails("fn f() { let xs = [1]  xs[1] }", "E0722");
    fails("fn f() { let xs = [1]  xs[0 - 1] }", "E0722");
    fails("fn f() { var xs = [1]  xs[5] = 2  xs }", "E0722");
    fails("fn f() { let xs = [1]  xs[1..5] }", "E0722");
    fails("fn f() { var xs: list<int> = []  xs.pop() }", "E0725");
}

#[test]
fn functions_closures_and_generics() {
    check("fn f() { let k = 10  map([1, 2], x => x * k) }", "[10, 20]");
    check(
        "fn twice(g: fn(int) -> int, x: int) -> int { g(g(x)) } fn inc(x: int) -> int { x + 1 } fn f() { (twice(inc, 3), twice(x => x * x, 3)) }",
        "(5, 81)",
    );
    check("fn id(x) { x } fn f() { (id(1), id(2.5), id([true])) }", "(1, 2.5, [true])");
    check(
        "fn add(a: float, b: float = 0.5) { a + b } fn f() { (add(1), add(1, b = 2), add(b = 1, a = 1)) }",
        "(1.5, 3.0, 2.0)",
    );
    check("fn fib(n: int) -> int { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } fn f() { fib(20) }", "6765");
    check(
        "fn even(n: int) -> bool { if n == 0 { true } else { odd(n - 1) } } fn odd(n: int) -> bool { if n == 0 { false } else { even(n - 1) } } fn f() { even(100) }",
        "true",
    );
    check("fn f() { let fs = [x => x + k for k in 0..3]  [g(10) for g in fs] }", "[10, 11, 12]");
    check("fn f() { [(1, 2), (3, 4)].map((a, b) => a * b) }", "[2, 12]");
}

#[test]
fn optionals() {
    check(
        "fn f() { let xs: list<float?> = [1, none, 3.5]  (sum(xs), mean(xs), present(xs), len(xs)) }",
        "(4.5, 2.25, [1.0, 3.5], 3)",
    );
    check(
        "fn g(b: bool) -> int? { if b { 4 } else { none } } fn f() { (g(true), g(false), g(true) + 1, g(false) * 2.0, or(g(false), 7), unwrap(g(true))) }",
        "(4, none, 5, none, 7, 4)",
    );
    check(
        "fn f() { let xs: list<float?> = [none, 2, 1]  (max(xs), xs.max_by(x => x), none == xs[0], xs[1] != none, xs[0] < xs[1]) }",
        "(2.0, 2.0, true, true, true)",
    );
    fails("fn g() -> int? { none } fn f() { unwrap(g()) }", "E0724");
    fails("fn f() { best().candidate.key() }", "E0724");
}

#[test]
fn the_library() {
    check("fn f() { sort_by([3, 1, 2], x => -x) }", "[3, 2, 1]");
    check("fn f() { top([(1, 5.0), (2, 7.0), (3, 7.0)], 2, (a, b) => b) }", "[(2, 7.0), (3, 7.0)]");
    check("fn f() { group_by([1, 2, 3, 4], x => x % 2) }", "[(1, [1, 3]), (0, [2, 4])]");
    check(
        "fn f() { (zip([1, 2], [\"a\", \"b\"]), reversed([1, 2, 3]), flatten([[1], [2, 3]]), enumerate([true])) }",
        "([(1, a), (2, b)], [3, 2, 1], [1, 2, 3], [(0, true)])",
    );
    check(
        "fn f() { (median([3, 1, 2]), median([4.0, 1.0]), kendall([1, 2, 3], [3, 2, 1]), clamp(1.5, 0, 1), mean([1, 2])) }",
        "(2.0, 2.5, -1.0, 1.0, 1.5)",
    );
    check("fn f() { [round(100 * cosine(e, 4, 1, 0)) for e in 0..=4] }", "[100, 85, 50, 15, 0]");
    check(
        "fn f() { (step(25, 10, 1.0), warmup(0, 5, 1.0), linear_schedule(1, 4, 0, 1)) }",
        "(0.010000000000000002, 0.2, 0.25)",
    );
    check("fn f() { fronts([[1, 1], [2, 0], [0, 0], [0, 2], [2, 2]]) }", "[[4], [0, 1, 3], [2]]");
    check("fn f() { crowding([[0, 4], [1, 3], [4, 0]]) }", "[inf, 2.0, inf]");
    check("fn f() { product([[1, 2], [3, 4]]) }", "[[1, 3], [1, 4], [2, 3], [2, 4]]");
    check("fn f() { find([1, 2, 3], x => x > 1) }", "2");
    check("fn f() { len(unique([random() for _ in 0..2000])) }", "256");
    check(
        "fn f() { let xs = shuffled([i for i in 0..50])  (sort_by(xs, x => x) == [i for i in 0..50], xs == [i for i in 0..50], len(sample(xs, 3))) }",
        "(true, false, 3)",
    );
    check("fn f() { len(neighbours(random())) }", "12");
    check("fn f() { all([draw_by([1, 2], x => if x == 1 { 0.0 } else { 1.0 }) for _ in 0..20], x => x == 2) }", "true");
}

const EVOLUTION: &str = "
strategy aging_evolution(population: int = 100, sample: int = 25) {
  var alive: queue<trial> = []
  for _ in 0..population { submit(random()) }
  for t in results() {
    alive.push(t)
    if len(alive) > population { alive.pop_oldest() }
    submit(mutate(alive.draw(sample).max_by(t => t.reward).candidate))
  }
}
strategy random_search() { loop { submit(random()) } }
strategy halving(start: int = 9, eta: int = 3) {
  var round = evaluate_all([random() for _ in 0..start], until = 1)
  while len(round) > 1 {
    round = top(round, len(round) / eta, t => t.reward)
    for t in round { log(t.reward) }
  }
}
strategy nsga2(population: int = 10) {
  var alive = evaluate_all([random() for _ in 0..population])
  loop {
    let children = [mutate(tournament_pick(alive, 2).candidate) for _ in 0..population]
    alive = nondominated(alive + evaluate_all(children), population)
  }
}
strategy stepwise() {
  var d = begin({ a: 2 })
  while d.open() { d.pick(draw(d.options())) }
  let t = evaluate(d.finish())
  log(t.candidate.key())
  log(or(t.metrics.accuracy, 0.0))
}
";

#[test]
fn evolution_finds_the_best_and_ends_with_the_budget() {
    let (r, w) = both(&good(EVOLUTION, "aging_evolution"), &[Value::Int(20), Value::Int(5)], 600);
    assert_eq!(r, Err(Stop::Finished));
    assert_eq!(w.trials.len(), 600);
    let best = w.trials.iter().filter_map(|t| t.object::<Vec<i64>>()).map(|v| v.iter().sum::<i64>()).max();
    assert_eq!(best, Some(12));
}

#[test]
fn other_strategies_run() {
    let (r, w) = both(&good(EVOLUTION, "halving"), &[Value::Int(9), Value::Int(3)], 600);
    assert_eq!((r, w.log.len()), (Ok(Value::None), 4));
    let (r, w) = both(&good(EVOLUTION, "nsga2"), &[Value::Int(10)], 400);
    assert_eq!(r, Err(Stop::Finished));
    assert!(w.trials.iter().filter_map(|t| t.object::<Vec<i64>>()).any(|v| v[0] + v[1] == 6));
    let (r, w) = both(&good(EVOLUTION, "stepwise"), &[], 10);
    assert_eq!(r, Ok(Value::None));
    assert!(w.log[0].starts_with("2,") && w.log[1] == "0.25", "{:?}", w.log);
    let p = good(EVOLUTION, "random_search");
    assert_eq!(p.uses().iter().copied().collect::<Vec<_>>(), [HostFn::Random, HostFn::Submit]);
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, mut w) = (stop.clone(), World::new(10));
    let timer = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        flag.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(p.run(&[], &mut w, &stop), Err(Stop::Finished));
    assert!(timer.join().is_ok());
}

#[test]
fn evaluations_return_metrics() {
    let text = "
primitive sgd(w[..], rate: float, momentum: float = 0.0) -> y[..] { y[..] = w[..] * rate * momentum }
block accuracy(x[..]) = x
evaluation train(epochs: int = 2, batch: int = 64, lr: float = 0.025, drop_path: float = 0.0) {
  let net = build(candidate)
  for epoch in 0..epochs {
    net.fit(data.train, batch, sgd(cosine(epoch, epochs, lr, 0.0), momentum = 0.9), knobs = { drop_path: drop_path * epoch / epochs })
    report(epoch, net.score(data.valid, accuracy))
  }
  return { accuracy: net.score(data.valid, accuracy), params: net.params() }
}";
    let p = good(text, "train");
    let args = [Value::Int(2), Value::Int(64), Value::Float(0.5), Value::Float(0.0)];
    let (r, w) = both(&p, &args, 0);
    assert_eq!(r.map(|v| v.to_string()), Ok("{ accuracy: 0.75, params: 10.0 }".into()));
    assert_eq!(
        w.log,
        [
            "fit sgd(rate = 0.5, momentum = 0.9) { drop_path: 0.0 }",
            "fit sgd(rate = 0.25, momentum = 0.9) { drop_path: 0.0 }"
        ]
    );
    let env = env(text);
    let sig =
        super::signature(&env, env.fun(1, "train").unwrap_or_else(|| panic!())).unwrap_or_else(|d| panic!("{d:?}"));
    assert_eq!(super::metrics(&sig), ["accuracy", "params"]);
    assert_eq!(sig.params[2].default, Some(Value::Float(0.025)));
    let at = Span::default();
    assert_eq!(sig.place(&[(None, at), (Some(("lr", at)), at)], at), Ok(vec![0, 2]));
    assert!(
        sig.place(&[(Some(("lrr", at)), at)], at).is_err_and(|d| d[0].help.as_deref() == Some("did you mean `lr`?"))
    );
}

#[test]
fn objectives_are_expressions() {
    let e = env(
        "fn f() { accuracy - 0.05 * log2(latency / 5ms) } fn g() { [maximize(accuracy), minimize(latency)] } fn h() { accurcy^3 }",
    );
    let params = [("accuracy".to_string(), Type::Float), ("latency".to_string(), Type::Float)];
    let args = [Value::Float(0.9), Value::Float(0.01)];
    let expr = |name: &str| e.fun(1, name).and_then(|f| f.fun.body.value.clone()).unwrap_or_else(|| panic!());
    let p = Program::expression(&e, 1, &expr("f"), &params, Some(&Type::Float)).unwrap_or_else(|d| panic!("{d:?}"));
    assert_eq!(both(&p, &args, 0).0, Ok(Value::Float(0.85)));
    let p = Program::expression(&e, 1, &expr("g"), &params, Some(&Type::list(Type::Float)))
        .unwrap_or_else(|d| panic!("{d:?}"));
    assert_eq!(both(&p, &args, 0).0.map(|v| v.to_string()), Ok("[0.9, -0.01]".into()));
    let d = Program::expression(&e, 1, &expr("h"), &params, Some(&Type::Float)).err().unwrap_or_default();
    assert_eq!(d[0].help.as_deref(), Some("did you mean `accuracy`?"));
}

#[test]
fn errors_teach() {
    rejects("fn f() { submit(randon()) }", "E0701", "did you mean `random`?");
    rejects("fn f(x: tria) { 1 }", "E0701", "did you mean `trial`?");
    rejects("fn f() { for t in results() { submit(t.candidat) } }", "E0702", "did you mean `candidate`?");
    rejects("fn f() { for t in results() { submit(t) } }", "E0703", "expected `candidate`, found `trial`");
    rejects("fn f() -> int { 0.5 }", "E0703", "expected `int`, found `float`");
    rejects("fn f() { if 1 == 1 { 2 } else { \"x\" } }", "E0703", "different types");
    rejects("fn g(x: float) { x } fn f() { g(1.0, y = 2) }", "E0704", "no parameter `y`");
    rejects("fn g(x: float) { x } fn f() { g(1.0, 2) }", "E0704", "takes 1 argument");
    rejects("fn g(x: float) { x } fn f() { g() }", "E0705", "needs `x`");
    rejects("fn f(x: int) -> int { if x > 0 { return 1 } }", "E0706", "may end here");
    rejects("fn f() { let x = 1  x = 2 }", "E0707", "`x` cannot be changed");
    rejects("fn f(xs: list<int>) { xs.push(1) }", "E0707", "var xs = xs");
    rejects("fn f() { var n = 0  map([1], x => { n = x  n }) }", "E0707", "function value cannot change");
    rejects("fn f() { break }", "E0708", "outside of a loop");
    rejects("fn f() { var xs = []  for x in xs { x.reward } }", "E0709", "cannot be told");
    rejects("fn f(n: int) { if n == 0 { 0 } else { f(n - 1) } }", "E0710", "calls itself");
    rejects("strategy f() { let lr = choose lr in 1e-4..1e-1 log }", "E0711", "belongs to architectures");
    rejects("evaluation f() { submit(candidate)  return { accuracy: 0.0 } }", "E0712", "only available in strategies");
    rejects("strategy f() { build(random()) }", "E0712", "only available in evaluations");
    rejects("fn f(x: int, x: int) { x }", "E0713", "stands twice");
    rejects(
        "strategy f() { let c = policy(\"lstm\")  c.step(1)  submit(strongest(c, 2)) }",
        "E0790",
        "needs controllers",
    );
    rejects("fn f() { for t in results() { let x: float = t.reward } }", "E0703", "or(.., default)");
    rejects("fn f() { sum([\"a\"]) }", "E0703", "list of numbers");
    rejects("fn f() { 1 + \"a\" }", "E0703", "string(..)");
}

#[test]
fn a_broken_host_is_reported() {
    fails("fn f() { space_size() }", "E0727");
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let r = both(&good("fn f() { objectives() }", "f"), &[], 1).0;
    std::panic::set_hook(hook);
    assert!(matches!(r, Err(Stop::Failed(d)) if d.code.id == "E0727" && d.notes == ["the host broke"]));
}

#[test]
fn ten_million_turns_in_bounded_memory() {
    let text = "fn f() {
  var xs = [1, 2, 3]
  var s = \"\"
  for i in 0..10000000 {
    let ys = xs
    xs[i % 3] = i
    s = if ys[0] > 0 { \"a\" } else { \"b\" }
  }
  (xs, s)
}";
    let p = good(text, "f");
    let (r, left) = p.start(&[], &mut World::new(0), &AtomicBool::new(false), false);
    assert_eq!(r.map(|v| v.to_string()), Ok("([9999999, 9999997, 9999998], a)".into()));
    assert_eq!(left, 0);
}

#[test]
fn float_loops_run_at_native_speed() {
    let p = good("fn f() { var s = 0.0  for i in 0..100000000 { s = s * 0.999999 + 1.0 }  s }", "f");
    let start = std::time::Instant::now();
    let r = p.run(&[], &mut World::new(0), &AtomicBool::new(false));
    let compiled = start.elapsed();
    let start = std::time::Instant::now();
    let mut s = 0.0f64;
    for _ in 0..std::hint::black_box(100_000_000) {
        s = s * 0.999_999 + 1.0;
    }
    let native = start.elapsed();
    assert_eq!(r, Ok(Value::Float(s)));
    eprintln!("10^8 turns: compiled {compiled:?}, Rust {native:?}");
    assert!(compiled < native * 4 + std::time::Duration::from_millis(200), "compiled {compiled:?}, Rust {native:?}");
}

#[test]
fn programs_are_shared_between_threads() {
    let p = Arc::new(good("fn f() { sum([i * i for i in 0..1000]) }", "f"));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let p = p.clone();
            std::thread::spawn(move || p.run(&[], &mut World::new(0), &AtomicBool::new(false)))
        })
        .collect();
    for t in threads {
        assert_eq!(t.join().ok(), Some(Ok(Value::Int(332_833_500))));
    }
}

#[test]
fn the_design_s_strategies_compile_or_say_what_they_need() {
    let text = include_str!("testdata/strategies.nas");
    let mut env = env(text);
    for (name, params) in [
        ("sgd", "w[..], rate: float, momentum: float = 0.0, decay: float = 0.0"),
        ("adam", "w[..], rate: float, beta1: float = 0.9"),
        ("accuracy", "x[..]"),
    ] {
        let (m, errors) = parse(FileId(2), &format!("primitive {name}({params}) -> y[..] {{ y[..] = 1 }}"));
        assert!(errors.is_empty(), "{errors:?}");
        env.add_module(1, &m);
    }
    let mut needs = Vec::new();
    for name in [
        "random_search",
        "aging_evolution",
        "reinforce",
        "q_learning",
        "pnas",
        "darts",
        "enas",
        "train",
        "early_stopping",
    ] {
        let item = env.fun(1, name).unwrap_or_else(|| panic!("{name}")).clone();
        match Program::compile(&env, &item) {
            Ok(_) => needs.push(format!("{name}: ok")),
            Err(ds) => {
                assert!(ds.iter().all(|d| d.code.id == "E0790"), "{name}: {ds:#?}");
                needs.push(format!("{name}: {}", ds[0].message.split(',').next().unwrap_or_default()));
            }
        }
    }
    assert_eq!(
        needs,
        [
            "random_search: ok",
            "aging_evolution: ok",
            "reinforce: `policy` needs controllers",
            "q_learning: `table` needs value tables",
            "pnas: `surrogate` needs predictors",
            "darts: `policy` needs controllers",
            "enas: `policy` needs controllers",
            "train: ok",
            "early_stopping: `surrogate` needs predictors",
        ]
    );
}

#[test]
fn loaded_programs_see_the_library_and_their_items() {
    let text = "strategy f() { submit(mutate([random()].draw(2).draw())) }\nprimitive g(x[..], k: int) -> y[..] { y[..] = x[..] * k }\nfn h() { g(3) }";
    let (program, errors) = crate::sema::modules::Program::load("a.nas", text, None);
    assert!(errors.is_empty(), "{errors:#?}");
    let env = Env::of_program(&program);
    let scope = super::scope_of(program.root());
    for name in ["f", "h"] {
        let item = env.fun(scope, name).unwrap_or_else(|| panic!()).clone();
        assert!(Program::compile(&env, &item).is_ok());
    }
}

#[test]
fn the_pages_of_static_errors_have_examples_that_produce_them() {
    use crate::diag::codes;
    let mut tried = 0;
    for info in codes::ALL.iter().filter(|c| c.id.starts_with("E070") || c.id.starts_with("E071") || c.id == "E0790") {
        let example = info
            .page
            .split("```nas")
            .nth(1)
            .and_then(|t| t.split("```").next())
            .unwrap_or_else(|| panic!("{}", info.id));
        let env = env(example);
        let found = env.scopes[1].names.keys().any(|name| {
            let item = env.fun(1, name).unwrap_or_else(|| panic!()).clone();
            Program::compile(&env, &item).is_err_and(|ds| ds.iter().any(|d| d.code.id == info.id))
        });
        assert!(found, "the example of {} does not produce it", info.id);
        tried += 1;
    }
    assert_eq!(tried, 14);
}

#[test]
fn odd_control_flow_keeps_counts_right() {
    check(
        "fn g(n: int) -> list<int> { var xs = [n]  loop { let ys = xs + [1]  if len(ys) > 3 { return ys }  xs = ys  if n > 5 { break } }  xs } fn f() { (g(1), g(9)) }",
        "([1, 1, 1, 1], [9, 1])",
    );
    check(
        "fn g(b: bool) -> string { let s = { let t = \"x\"  if b { return t + \"!\" }  t }  s + \"?\" } fn f() { g(true) + g(false) }",
        "x!x?",
    );
    check("fn f() { var xs = [[1]]  let g = () => xs  xs = [[2]]  (g(), xs) }", "([[1]], [[2]])");
    check(
        "fn f() { var r = { a: { b: [1, 2] } }  r.a.b[1] += r.a.b[0]  r.a.b.push(len(r.a.b))  r }",
        "{ a: { b: [1, 3, 2] } }",
    );
    check(
        "fn f() { var xs = [\"a\", \"b\"]  (xs[0], xs[1]) = (xs[1], xs[0])  for x in xs { for y in xs { if x == y { continue }  return [x + y] } }  xs }",
        "[ba]",
    );
    check(
        "fn f() { let xs: list<option> = [1, 0.5, \"a\", [1, 2]]  (xs, xs[0] == 1, int(xs[0]) + 1) }",
        "([1, 0.5, a, [1, 2]], true, 2)",
    );
    check("fn f() { var x = if true { [1] } else { [] }  var y: list<int>? = x  x.push(2)  (x, y) }", "([1, 2], [1])");
}
