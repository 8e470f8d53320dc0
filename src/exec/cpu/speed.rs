//! What the executor reaches: `cargo test --release speed -- --ignored --nocapture`.

use std::fmt::Write;
use std::time::Instant;

use super::tests::*;
use super::*;
use crate::graph::{BinaryOp, Guard, Index, Init, NodeId, Op, ReduceOp, Role, Val};

/// The least time of a run, in seconds, without what goes in and out: what a quiet machine would take.
fn time(g: &Graph) -> f64 {
    let cpu = Cpu::new();
    let mut p = CpuProgram::new(g, &cpu.cache, None).unwrap();
    let values = inputs(g, 1);
    let mut m = cpu.memory();
    let mut data = Vec::new();
    for (_, i) in g.inputs() {
        match i.role {
            Role::Data => data.push((i.name.as_str(), &values[&i.name])),
            Role::Knob(_) => {}
            _ => m.set(&i.name, &values[&i.name]),
        }
    }
    let feed = Feed { data, ..Feed::default() };
    p.run(&feed, m.as_mut()).unwrap();
    (0..40)
        .map(|_| {
            let start = Instant::now();
            p.calls(&feed);
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

fn product(x: NodeId, at: Vec<Index>, w: NodeId, w_at: Vec<Index>) -> Vec<Op> {
    vec![Op::read(x, at), Op::read(w, w_at), Op::Binary(BinaryOp::Mul, Val(0), Val(1))]
}

#[test]
#[ignore = "a measurement"]
fn speed_of_convolutions() {
    let n = 64;
    for (size, ch, k) in
        [(8, 16, 3), (16, 16, 3), (32, 16, 3), (4, 32, 3), (2, 64, 3), (16, 32, 3), (8, 64, 3), (8, 16, 1), (16, 16, 5)]
    {
        let flop = 2.0 * (n * ch * ch * k * k * size * size) as f64;
        let half = (k as i64 - 1) / 2;
        let window = |s: i64| {
            let row = v(2).plus(&v(5), s).plus(&c(half), -s);
            let col = v(3).plus(&v(6), s).plus(&c(half), -s);
            (vec![Guard::InRange(row.clone(), size), Guard::InRange(col.clone(), size)], row, col)
        };
        let mut line = format!("{ch:3} channels {size:2}², {k}×{k}:");
        for form in ["forward", "data", "weights"] {
            let mut g = G::default();
            let x = g.data("x", &[n, ch, size, size]);
            let y = match form {
                "forward" => {
                    let w = g.param("w", &[ch, ch, k, k]);
                    g.conv(x, w, 1, 1, 1)
                }
                "data" => {
                    let w = g.param("w", &[ch, ch, k, k]);
                    let (guards, row, col) = window(-1);
                    let body = product(x, vec![v(0), v(4), row, col], w, vec![v(4), v(1), v(5), v(6)]);
                    g.eq(&[n, ch, size, size], Some(0), Some((ReduceOp::Sum, &[ch, k, k])), guards, body)
                }
                _ => {
                    let d = g.data("d", &[n, ch, size, size]);
                    let row = v(5).plus(&v(2), 1).plus(&c(half), -1);
                    let col = v(6).plus(&v(3), 1).plus(&c(half), -1);
                    let guards = vec![Guard::InRange(row.clone(), size), Guard::InRange(col.clone(), size)];
                    let body = product(d, vec![v(4), v(0), v(5), v(6)], x, vec![v(4), v(1), row, col]);
                    g.eq(&[ch, ch, k, k], None, Some((ReduceOp::Sum, &[n, size, size])), guards, body)
                }
            };
            g.out(y);
            let t = time(&g.0);
            let _ = write!(line, "  {form} {:6.1} GFLOP/s ({:.3} ms)", flop / t * 1e-9, t * 1e3);
        }
        println!("{line}");
    }
}

/// A child of the NAS-Bench-201 space with a 3×3 convolution on every edge, one cell in each of three stages, and its
/// training step: cross entropy, gradients, momentum.
pub fn child(n: usize, ch: usize, size: usize) -> Graph {
    use crate::graph::testing::{Conv, batch_norm, conv, cross_entropy, linear, pool, relu};
    struct Net {
        g: Graph,
        params: Vec<NodeId>,
    }
    impl Net {
        fn param(&mut self, shape: &[usize], init: Init) -> NodeId {
            let name = format!("p{}", self.params.len());
            let p = self.g.input(name, Role::Param(init), DType::Float, shape, None);
            self.params.push(p);
            p
        }
        fn conv_bn(&mut self, x: NodeId, out: usize, k: usize, stride: usize) -> NodeId {
            let c = self.g.node(x).shape[1];
            let w = self.param(&[out, c, k, k], Init::Normal((2.0 / (c * k * k) as f64).sqrt()));
            let y = conv(&mut self.g, x, w, Conv { k, stride, pad: k / 2, ..Conv::default() });
            let (scale, shift) = (self.param(&[out], Init::Constant(1.0)), self.param(&[out], Init::Constant(0.0)));
            batch_norm(&mut self.g, y, scale, shift)
        }
        fn edge(&mut self, x: NodeId, out: usize, stride: usize) -> NodeId {
            let y = relu(&mut self.g, x);
            self.conv_bn(y, out, 3, stride)
        }
    }
    let mut net = Net { g: Graph::default(), params: Vec::new() };
    let x = net.g.input("x", Role::Data, DType::Float, &[n, 1, size, size], Some(0));
    let label = net.g.input("label", Role::Data, DType::Int, &[n], Some(0));
    let lr = net.g.input("lr", Role::Knob(0.05), DType::Float, &[], None);
    let mut y = net.conv_bn(x, ch, 3, 1);
    for stage in 0..3 {
        let c = ch << stage;
        if stage > 0 {
            let a = net.edge(y, c, 2);
            let a = net.edge(a, c, 1);
            let s = pool(&mut net.g, y, ReduceOp::Mean, 2, 2, 0);
            let s = net.conv_bn(s, c, 1, 1);
            y = net.g.add(a, s);
        }
        let mut nodes = vec![y];
        for j in 1..4 {
            let parts: Vec<NodeId> = (0..j).map(|i| net.edge(nodes[i], c, 1)).collect();
            nodes.push(net.g.sum("node", &parts));
        }
        y = nodes[3];
    }
    let s = net.g.node(y).shape.clone();
    let y = relu(&mut net.g, y);
    let y = net.g.reduction("gap", &s[..2], ReduceOp::Mean, &s[2..], |b| b.read(y, crate::graph::At::identity(4)));
    let w = net.param(&[10, s[1]], Init::Normal(0.1));
    let y = linear(&mut net.g, y, w);
    let loss = cross_entropy(&mut net.g, y, label);
    let params = net.params.clone();
    let grads = crate::graph::gradients(&mut net.g, loss, &params);
    for (i, (p, d)) in params.into_iter().zip(grads).enumerate() {
        let shape = net.g.node(p).shape.clone();
        let m = net.g.input(format!("m{i}"), Role::State(Init::Constant(0.0)), DType::Float, &shape, None);
        let next = net.g.scale(m, 0.9);
        let next = net.g.add(next, d);
        let step = net.g.mul(next, lr);
        let q = net.g.sub(p, step);
        net.g.updates.push((m, next));
        net.g.updates.push((p, q));
    }
    net.g.outputs.push(("loss".into(), loss));
    crate::graph::optimize(&mut net.g);
    net.g
}

#[test]
#[ignore = "a measurement"]
fn speed_with_each_instruction_set() {
    let graphs = [child(64, 16, 8), child(64, 16, 32)];
    super::kernels::each_instruction_set(|name| {
        let ms = graphs.each_ref().map(|g| time(g) * 1e3);
        println!("{name}: {:.2} ms a step on 8², {:.1} on 32²", ms[0], ms[1]);
    });
}

#[test]
#[ignore = "a measurement"]
fn speed_of_a_child() {
    for (ch, size) in [(16, 8), (16, 32)] {
        let g = child(64, ch, size);
        let cpu = Cpu::new();
        let start = Instant::now();
        let p = cpu.compile(&g).unwrap();
        let first = start.elapsed();
        let start = Instant::now();
        cpu.compile(&g).unwrap();
        println!("first compilation {first:.1?}, second {:.1?}, {:?}", start.elapsed(), cpu.stats());
        println!("{} nodes, {}", g.nodes.len(), p.describe().lines().last().unwrap());
        println!("child, C = {ch}, {size}²: {:.2} ms a step", time(&g) * 1e3);
        let mut profile = profile(&g);
        profile.sort_by(|a, b| b.0.total_cmp(&a.0));
        let total: f64 = profile.iter().map(|p| p.0).sum();
        let of =
            |kind: &str| profile.iter().filter(|p| p.1.starts_with(kind)).map(|p| p.0).sum::<f64>() / total * 100.0;
        println!(
            "  rows {:.0} %, dots {:.0} %, maps {:.0} %, sums {:.0} %, means {:.0} %",
            of("rows"),
            of("dots"),
            of("map"),
            of("sum"),
            of("mean")
        );
        for (t, what) in profile.iter().take(12) {
            println!("  {:7.3} ms  {what}", t * 1e3);
        }
    }
}

/// The least time of each launch, and what it is.
fn profile(g: &Graph) -> Vec<(f64, String)> {
    let cpu = Cpu::new();
    let mut p = CpuProgram::new(g, &cpu.cache, None).unwrap();
    let values = inputs(g, 1);
    let mut m = cpu.memory();
    let mut data = Vec::new();
    for (_, i) in g.inputs() {
        match i.role {
            Role::Data => data.push((i.name.as_str(), &values[&i.name])),
            Role::Knob(_) => {}
            _ => m.set(&i.name, &values[&i.name]),
        }
    }
    let feed = Feed { data, ..Feed::default() };
    p.run(&feed, m.as_mut()).unwrap();
    let names: Vec<String> = p.describe().lines().map(str::to_owned).collect();
    let mut least = vec![f64::INFINITY; p.calls.len()];
    for _ in 0..10 {
        for (i, least) in least.iter_mut().enumerate() {
            let start = Instant::now();
            p.call(i, &feed);
            *least = least.min(start.elapsed().as_secs_f64());
        }
    }
    least.into_iter().zip(names).collect()
}
