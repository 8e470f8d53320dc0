//! What nasc's CPU executor takes for one of the works that `cpu.py` compares with PyTorch: `cargo bench --bench cpu --
//! WORK [--seconds S] [--threads T] [--profile]`. Prints one line of JSON: milliseconds of a run (least and median), the arithmetic
//! of a run, the machine's measured peak; with `--profile` also the kernels, on stderr.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use nasc::base::Span;
use nasc::base::rng::Stream;
use nasc::data::{self, Augment, DataCall, Fractions, Part, Split};
use nasc::exec::cpu::Cpu;
use nasc::exec::{Executor, Feed, Memory, Tensor, Timing};
use nasc::graph::{DType, Graph, Input, Kind, Node, NodeId, ReduceOp, Role, gradients, optimize};
use nasc::learn::model::Pass;
use nasc::learn::step::{self, Recipe, Target};
use nasc::learn::{Learner, Model};
use nasc::sema::modules::{ItemRef, ModuleId, Program, item_name};
use nasc::space::apply::OpUse;
use nasc::space::decision::{Candidate, Choice};
use nasc::space::{DataShape, InputShape, Space, Want};

const NASBENCH: &str = "nasbench201(width = 16, cells = 1)";

fn space(text: &str, name: &str, image: &[usize]) -> Arc<Space> {
    let text =
        format!("use std.ops.*\nuse std.spaces.nasbench201\n{text}\nsearch bench {{ data = digits() space = {name} }}");
    let (program, errors) = Program::load("bench.nas", &text, None);
    assert!(errors.is_empty(), "{errors:#?}");
    let program = Arc::new(program);
    let item = program.searches().next().expect("a search").0;
    let shape = DataShape { inputs: vec![InputShape { dims: image.to_vec(), int: false }], classes: 10 };
    let (space, errors) = Space::of_search(&program, item, shape);
    Arc::new(space.unwrap_or_else(|| panic!("{errors:#?}")))
}

fn op(program: &Program, name: &str) -> OpUse {
    let module = program.modules.iter().position(|m| m.name == "std.ops").expect("the standard library");
    let is = |i| item_name(i).is_some_and(|n| n.name == name);
    let item = program.modules[module].ast.items.iter().position(is).expect("an operation");
    let item = ItemRef { module: ModuleId(module as u32), item: item as u32 };
    OpUse { item, args: Vec::new(), span: Span::default() }
}

fn recipe(program: &Program, batch: usize) -> Recipe {
    Recipe { batch, loss: op(program, "cross_entropy"), optimizer: op(program, "sgd"), clip: false }
}

const KNOBS: [(&str, f64); 2] = [("sgd.lr", 0.01), ("sgd.momentum", 0.9)];

/// The candidate in which every decision that can be is `label`.
fn uniform(space: &Space, label: &str) -> Candidate {
    let mut c = Candidate::default();
    for d in space.decisions() {
        let values = d.decision.domain.values(64).unwrap_or_default();
        if let Some(v) = values.into_iter().find(|v| *v == Choice::Text(label.to_string())) {
            c.values.insert(d.decision.name.clone(), v);
        }
    }
    space.fill(&c, &mut Stream::new(0, "bench")).unwrap_or_else(|e| panic!("{:?}", e.diagnostic()))
}

/// A compiled graph with random inputs.
struct Ready {
    program: Box<dyn nasc::exec::Program>,
    memory: Box<dyn Memory>,
    data: Vec<(String, Tensor)>,
}

impl Ready {
    fn new(cpu: &dyn Executor, g: &Graph) -> Self {
        let program = cpu.compile(g).expect("it compiles");
        let mut memory = cpu.memory();
        let mut data = Vec::new();
        for (id, input) in g.inputs() {
            let n = g.node(id);
            let mut rng = Stream::new(1, &input.name);
            match &input.role {
                Role::Param(init) | Role::State(init) => {
                    memory.ensure(&input.name, &n.shape, init, 1).expect("a fresh name");
                }
                Role::Knob(_) => {}
                Role::Data => {
                    let t = match n.dtype {
                        DType::Float => Tensor::float(&n.shape, (0..n.len()).map(|_| rng.normal() as f32).collect()),
                        DType::Int => Tensor::int(&n.shape, (0..n.len()).map(|_| rng.below(10) as i32).collect()),
                    };
                    data.push((input.name.clone(), t));
                }
            }
        }
        Self { program, memory, data }
    }

    fn run(&mut self) {
        let feed = Feed {
            data: self.data.iter().map(|(n, t)| (n.as_str(), t)).collect(),
            knobs: KNOBS.to_vec(),
            ..Feed::default()
        };
        self.program.run(&feed, self.memory.as_mut()).expect("it runs");
    }
}

/// Milliseconds, sorted, of what `f` takes, repeated for some time.
fn repeat(seconds: f64, mut f: impl FnMut() -> f64) -> Vec<f64> {
    let begun = Instant::now();
    let mut all = Vec::new();
    while all.len() < 5 || begun.elapsed().as_secs_f64() < seconds {
        all.push(f());
    }
    all.sort_by(f64::total_cmp);
    all
}

fn timed(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64() * 1e3
}

/// The kernels, by the least time that they took.
fn profile(timings: &[Timing]) {
    let total: u64 = timings.iter().map(|t| t.least).sum();
    // Kernel, label, launches, time of all, arithmetic and bytes of one.
    let mut merged: Vec<(&Timing, u64, u64)> = Vec::new();
    for t in timings {
        match merged.iter_mut().find(|m| m.0.kernel == t.kernel) {
            Some(m) => (m.1, m.2) = (m.1 + 1, m.2 + t.least),
            None => merged.push((t, 1, t.least)),
        }
    }
    merged.sort_by_key(|m| std::cmp::Reverse(m.2));
    for (t, launches, ns) in merged {
        let each = ns as f64 / launches as f64;
        eprintln!(
            "{:5.1} %  {:8.1} µs × {launches:3}  {:6.1} GFLOP/s {:6.1} GB/s  {}  {}",
            ns as f64 / total as f64 * 100.0,
            each / 1e3,
            t.flops as f64 / each,
            t.bytes as f64 / each,
            t.kernel,
            t.label
        );
    }
}

fn step_of(space: &Arc<Space>, c: &Candidate, batch: usize) -> Graph {
    step::training(space, c, &Target::Classes, &recipe(space.program(), batch)).expect("a training step")
}

/// Forward and backward, to the input and the weights, of one operation with 16 channels.
fn operation(expression: &str, size: usize) -> Graph {
    let text = format!("space one(image[N, C, H, W], classes: int) = image >> {expression}");
    let s = space(&text, "one()", &[16, size, size]);
    let built = s
        .build(&Candidate::default(), Want::Graph { batch: 64, training: true })
        .unwrap_or_else(|e| panic!("{:?}", e.diagnostic()));
    let (mut g, output) = (built.graph, built.output.expect("an output"));
    let shape = g.node(output).shape.clone();
    let seed = g.push(Node {
        kind: Kind::Input(Input { name: "seed".to_string(), role: Role::Data }),
        shape,
        dtype: DType::Float,
        example: Some(0),
        label: "seed".to_string(),
    });
    let product = g.mul(output, seed);
    let loss = g.reduce_all(ReduceOp::Sum, product);
    let wrt: Vec<NodeId> = g
        .inputs()
        .filter(|(_, i)| matches!(i.role, Role::Param(_)) || (i.role == Role::Data && i.name != "seed"))
        .map(|(id, _)| id)
        .collect();
    let grads = gradients(&mut g, loss, &wrt);
    g.outputs = std::iter::once(("output".to_string(), output))
        .chain(grads.into_iter().enumerate().map(|(i, d)| (format!("gradient {i}"), d)))
        .collect();
    optimize(&mut g);
    g
}

fn digits() -> Part {
    let call = DataCall { name: "digits".into(), args: vec![], span: Span::default(), base: Path::new(".").into() };
    let data = data::open(&call).expect("it is built in");
    Split::new(&data, Fractions::standard(&data), 0, Span::default()).expect("a split").search.clone()
}

fn fit(learner: &Arc<Learner>, c: &Candidate, part: &Part, passes: usize) {
    let mut m = Model::new(learner.clone(), c.clone(), 1);
    for _ in 0..passes {
        m.fit(&Pass {
            part,
            recipe: recipe(learner.space.program(), 64),
            knobs: vec![("lr".to_string(), 0.01), ("momentum".to_string(), 0.9)],
            augment: Augment::default(),
            cancelled: &|| false,
        })
        .expect("it trains");
    }
}

fn learner(cpu: Arc<Cpu>) -> Arc<Learner> {
    Arc::new(Learner { space: space("", NASBENCH, &[1, 8, 8]), exec: cpu, target: Target::Classes })
}

fn random(space: &Space, n: usize) -> Vec<Candidate> {
    let one = |i| space.random(&mut Stream::new(i, "bench")).unwrap_or_else(|e| panic!("{:?}", e.diagnostic()));
    (0..n as u64).map(one).collect()
}

/// The operation of each edge of a cell, by the edge's name.
fn edges(c: &Candidate) -> String {
    let all: Vec<String> = c.values.iter().map(|(name, v)| format!("\"{name} {v}\"")).collect();
    all.join(", ")
}

/// Children of one seed, two passes over the digits each, on some threads: milliseconds of all.
fn population(children: usize, workers: usize) -> f64 {
    let learner = learner(Arc::new(Cpu::new()));
    let part = digits();
    let all = random(&learner.space, children);
    let next = AtomicUsize::new(0);
    timed(|| {
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some(c) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                        fit(&learner, c, &part, 2);
                    }
                });
            }
        });
    })
}

/// From a new candidate to the beginning of its first step.
fn first_step(cached: bool, seconds: f64) -> Vec<f64> {
    let part = digits().take(64);
    let warm = learner(Arc::new(Cpu::new()));
    let candidate = |l: &Learner, i: u64| {
        l.space.random(&mut Stream::new(i, "bench")).unwrap_or_else(|e| panic!("{:?}", e.diagnostic()))
    };
    if cached {
        (0..60).for_each(|i| fit(&warm, &candidate(&warm, i), &part, 1));
    }
    let mut i = 1000;
    repeat(seconds, || {
        i += 1;
        let l = if cached { warm.clone() } else { learner(Arc::new(Cpu::new())) };
        let c = if cached { candidate(&l, i) } else { uniform(&l.space, "nor_conv_3x3") };
        // Three passes of one batch take two steps more than one pass does.
        let (one, three) = (timed(|| fit(&l, &c, &part, 1)), timed(|| fit(&l, &c, &part, 3)));
        one - ((three - one) / 2.0).max(0.0)
    })
}

/// Where the time of a new candidate goes, kernels cached: medians of some, in milliseconds.
fn stages() {
    let l = learner(Arc::new(Cpu::new()));
    let part = digits().take(64);
    (0..60).for_each(|i| fit(&l, &random(&l.space, i + 1)[i], &part, 1));
    let mut all: Vec<(&str, Vec<f64>)> = Vec::new();
    let mut note = |what: &'static str, ms: f64| match all.iter_mut().find(|a| a.0 == what) {
        Some(a) => a.1.push(ms),
        None => all.push((what, vec![ms])),
    };
    for c in random(&l.space, 200).into_iter().skip(100) {
        let mut built = None;
        note("build", timed(|| built = l.space.build(&c, Want::Graph { batch: 64, training: true }).ok()));
        let mut built = built.expect("it was built").graph;
        built.outputs.clear();
        let (mut g, weights) = (built, |g: &Graph| {
            g.inputs().filter(|(_, i)| matches!(i.role, Role::Param(_))).map(|(id, _)| id).collect::<Vec<_>>()
        });
        // Any scalar will do as a loss.
        let last = NodeId(g.nodes.len() as u32 - 1);
        let loss = g.reduce_all(ReduceOp::Sum, last);
        let wrt = weights(&g);
        let mut grads = Vec::new();
        let nodes = g.nodes.len();
        note("gradients", timed(|| grads = gradients(&mut g, loss, &wrt)));
        note("nodes / 1000", nodes as f64 / 1000.0);
        note("nodes with gradients / 1000", g.nodes.len() as f64 / 1000.0);
        g.outputs = grads.into_iter().enumerate().map(|(i, d)| (format!("gradient {i}"), d)).collect();
        note("copied", timed(|| drop(std::hint::black_box(g.clone()))));
        note("optimized", timed(|| optimize(&mut g)));
        drop(g);
        let mut graph = None;
        note("training graph", timed(|| graph = Some(step_of(&l.space, &c, 64))));
        let mut g = graph.take().expect("it was built");
        note("optimized again", timed(|| optimize(&mut g)));
        note("forward graph", timed(|| graph = step::forward(&l.space, &c, 1).ok()));
        let mut program = None;
        note("compile", timed(|| program = l.exec.compile(&g).ok()));
        let mut ready = None;
        note("compile and initialize", timed(|| ready = Some(Ready::new(l.exec.as_ref(), &g))));
        let mut ready = ready.expect("it was made");
        note("first run", timed(|| ready.run()));
        note("second run", timed(|| ready.run()));
        note("drop", timed(|| drop(ready)));
        note("all", timed(|| fit(&l, &c, &part, 1)));
    }
    for (what, mut times) in all {
        times.sort_by(f64::total_cmp);
        println!("{what:24} {:8.3}", times[times.len() / 2]);
    }
}

/// A line of this process' status, in bytes.
fn status(what: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(what)?.strip_prefix(':'));
    line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN) * 1024.0
}

/// What a training step takes of memory: foretold, and by how much the process grows once its kernels are compiled.
fn memory(cpu: &Cpu, g: &Graph) {
    let program = cpu.compile(g).expect("it compiles");
    let foretold = program.scratch_bytes() + g.lasting_bytes();
    drop(program);
    let before = status("VmRSS");
    let mut ready = Ready::new(cpu, g);
    (0..3).for_each(|_| ready.run());
    // The most since the start may have been in the compiler.
    let taken = status("VmRSS") - before;
    println!("{{\"foretold\": {foretold}, \"least\": {taken}}}");
}

/// Multiply-adds in registers, GFLOP/s: what no kernel can pass.
fn peak() -> f64 {
    let best = repeat(0.3, nasc::exec::cpu::measure_peak);
    best[best.len() - 1]
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some(work) = args.first() else {
        eprintln!("which work? see benches/cpu.py");
        std::process::exit(2);
    };
    let value = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1));
    let seconds = value("--seconds").and_then(|s| s.parse().ok()).unwrap_or(2.0);
    let batch = value("--batch").and_then(|s| s.parse().ok()).unwrap_or(64);
    let show = args.iter().any(|a| a == "--profile");
    let threads = value("--threads").and_then(|s| s.parse().ok()).unwrap_or(1);
    let cpu = Cpu::new().with_threads(threads);
    let of_space = |text: &str, name: &str, image: &[usize]| {
        let s = space(text, name, image);
        step_of(&s, &uniform(&s, "nor_conv_3x3"), batch)
    };
    let head = "space net(image[N, C, H, W], classes: int) = image >>";
    let graph = match work.as_str() {
        "child8" => of_space("", NASBENCH, &[1, 8, 8]),
        "child32" => of_space("", NASBENCH, &[3, 32, 32]),
        "cnn" => of_space(
            &format!(
                "{head} conv(16) >> batch_norm >> relu >> conv(32) >> batch_norm >> relu >> max_pool(2, 2) \
                 >> flatten >> linear(classes)"
            ),
            "net()",
            &[1, 8, 8],
        ),
        "mlp" => of_space(
            &format!("{head} flatten >> linear(128) >> relu >> linear(64) >> relu >> linear(classes)"),
            "net()",
            &[1, 28, 28],
        ),
        "population" => {
            let children = value("--children").and_then(|s| s.parse().ok()).unwrap_or(50);
            let workers = value("--workers").and_then(|s| s.parse().ok()).unwrap_or(2);
            println!("{{\"median\": {0:.3}, \"least\": {0:.3}}}", population(children, workers));
            return;
        }
        "stages" => {
            stages();
            return;
        }
        "memory8" | "memory32" => {
            let image = if work == "memory8" { [1, 8, 8] } else { [3, 32, 32] };
            let s = space("", NASBENCH, &image);
            let g = step_of(&s, &uniform(&s, "nor_conv_3x3"), batch);
            memory(&cpu, &g);
            return;
        }
        "loop" => {
            let l = learner(Arc::new(Cpu::new()));
            let all = random(&l.space, 40);
            let graphs: Vec<Graph> = all.iter().map(|c| step_of(&l.space, c, 64)).collect();
            let stage = args.get(1).map_or("build", String::as_str);
            for _ in 0..20 {
                for (c, g) in all.iter().zip(&graphs) {
                    match stage {
                        "build" => drop(l.space.build(c, Want::Graph { batch: 64, training: true }).ok()),
                        "graph" => drop(step_of(&l.space, c, 64)),
                        _ => drop(l.exec.compile(g).ok()),
                    }
                }
            }
            return;
        }
        "children" => {
            // The operations of the population's children, edge by edge.
            let space = space("", NASBENCH, &[1, 8, 8]);
            let all: Vec<String> = random(&space, 50).iter().map(|c| format!("[{}]", edges(c))).collect();
            println!("[{}]", all.join(", "));
            return;
        }
        "first_step" | "first_step_cold" => {
            let all = first_step(work == "first_step", seconds);
            println!("{{\"median\": {:.3}, \"least\": {:.3}}}", all[all.len() / 2], all[0]);
            return;
        }
        "peak" => {
            println!("{{\"peak\": {:.1}}}", peak());
            return;
        }
        op => {
            let (expression, size) = op.rsplit_once('@').unwrap_or((op, "16"));
            operation(expression, size.parse().expect("an image size"))
        }
    };
    let mut ready = Ready::new(&cpu, &graph);
    ready.run();
    // Operations are measured by their kernels: inside of a network nothing goes in and out.
    let whole = matches!(work.as_str(), "child8" | "child32" | "cnn" | "mlp");
    let all = repeat(seconds, || {
        if whole {
            return timed(|| ready.run());
        }
        ready.program.measure(true);
        ready.run();
        ready.program.timings().iter().map(|t| t.nanoseconds as f64 / 1e6).sum()
    });
    ready.program.measure(true);
    (0..if show { 40 } else { 1 }).for_each(|_| ready.run());
    let timings = ready.program.timings();
    let flops: u64 = timings.iter().filter(|t| !t.kernel.starts_with("map")).map(|t| t.flops).sum();
    if show {
        profile(&timings);
    }
    println!(
        "{{\"median\": {:.4}, \"least\": {:.4}, \"mflop\": {:.2}, \"launches\": {}, \"megabytes\": {:.2}}}",
        all[all.len() / 2],
        all[0],
        flops as f64 / 1e6,
        timings.len(),
        ready.program.scratch_bytes() as f64 / 1e6
    );
}
