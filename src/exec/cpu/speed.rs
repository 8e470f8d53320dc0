//! What the executor reaches: `cargo test --release speed -- --ignored --nocapture`.

use std::time::Instant;

use super::tests::*;
use super::*;
use crate::graph::{BinaryOp, Guard, Index, NodeId, Op, ReduceOp, Role, Val};

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
    vec![Op::Read(x, at), Op::Read(w, w_at), Op::Binary(BinaryOp::Mul, Val(0), Val(1))]
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
            line += &format!("  {form} {:6.1} GFLOP/s ({:.3} ms)", flop / t * 1e-9, t * 1e3);
        }
        println!("{line}");
    }
}
