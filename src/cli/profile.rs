//! Where the time goes: a table of kernels, against what the machine can do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value as Json, json};

use super::ahead::Needs;
use crate::exec::cpu::measure_peak;
use crate::exec::profile::{Profile, Profiler, Spent, measure_bandwidth};
use crate::exec::{ExecError, Executor, Feed, Tensor};
use crate::graph::{Graph, Role};
use crate::learn::step::initializer;
use crate::report::table::{Align, Column, duration, table};

/// Rows of the table; what is left is one row.
const ROWS: usize = 20;

/// Steps that `nasc build --timings` takes.
const STEPS: usize = 20;

/// What one core can do at most.
struct Peak {
    /// GFLOP/s of multiply-adds in registers.
    flops: f64,
    /// GB/s between arrays that fit into no cache.
    bytes: f64,
}

impl Peak {
    fn measure() -> Self {
        // The best of some tries: others may use the machine meanwhile.
        Self { flops: (0..20).map(|_| measure_peak()).fold(0.0, f64::max), bytes: measure_bandwidth() / 1e9 }
    }

    /// The larger share of the two peaks that a kernel reaches, and of which. Tensors that stay in a cache move faster
    /// than the peak of memory.
    fn reached(&self, s: &Spent) -> (f64, &'static str) {
        let (flops, bytes) = (rate(s.flops, s) / self.flops, rate(s.bytes, s) / self.bytes);
        if flops >= bytes { (flops, "arithmetic") } else { (bytes, "memory") }
    }
}

/// A billion a second.
fn rate(n: u64, s: &Spent) -> f64 {
    n as f64 / (s.nanoseconds.max(1)) as f64
}

/// The table of a profile, no line wider than `width`.
pub fn text(p: &Profile, width: usize) -> String {
    let peak = Peak::measure();
    let inside: u64 = p.kernels.values().map(|s| s.nanoseconds).sum();
    let mut rows: Vec<(String, Spent)> = p.ranked().into_iter().map(|(k, s)| (k.to_string(), s)).collect();
    if rows.len() > ROWS {
        let rest = rows.split_off(ROWS - 1);
        let mut sum = Spent::default();
        for (_, s) in &rest {
            sum += *s;
        }
        rows.push((format!("{} more kernels", rest.len()), sum));
    }
    let columns = [
        Column::new("kernel", Align::Left, true),
        Column::new("time", Align::Right, false),
        Column::new("share", Align::Right, false),
        Column::new("calls", Align::Right, false),
        Column::new("each", Align::Right, false),
        Column::new("GFLOP/s", Align::Right, false),
        Column::new("GB/s", Align::Right, false),
        Column::new("of peak", Align::Left, false),
    ];
    let seconds = |ns: u64| if ns < 1_000_000_000 { each(ns) } else { duration(ns as f64 / 1e9) };
    let share = |ns: u64| format!("{:.1} %", 100.0 * ns as f64 / p.running.max(1) as f64);
    let mut lines: Vec<Vec<String>> = rows
        .iter()
        .map(|(name, s)| {
            let (reached, of) = peak.reached(s);
            vec![
                name.clone(),
                seconds(s.nanoseconds),
                share(s.nanoseconds),
                s.calls.to_string(),
                each(s.nanoseconds / s.calls.max(1)),
                format!("{:.1}", rate(s.flops, s)),
                format!("{:.1}", rate(s.bytes, s)),
                format!("{:.0} % {of}", 100.0 * reached),
            ]
        })
        .collect();
    let between = p.running.saturating_sub(inside);
    lines.push(vec!["between kernels".to_string(), seconds(between), share(between)]);
    format!(
        "{} runs of {}: {}, all threads together; compiled in {}\n\
         one core can do {:.0} GFLOP/s and move {:.1} GB/s\n\n{}",
        p.runs,
        if p.programs == 1 { "one program".to_string() } else { format!("{} programs", p.programs) },
        seconds(p.running),
        seconds(p.compiling),
        peak.flops,
        peak.bytes,
        table(&columns, &lines, width)
    )
}

/// The same for machines.
pub fn json(p: &Profile) -> Json {
    let peak = Peak::measure();
    let kernels = p.ranked().into_iter().map(|(k, s)| {
        json!({ "kernel": k, "calls": s.calls, "seconds": s.nanoseconds as f64 / 1e9, "flops": s.flops, "bytes": s.bytes })
    });
    json!({
        "programs": p.programs,
        "compile_seconds": p.compiling as f64 / 1e9,
        "runs": p.runs,
        "seconds": p.running as f64 / 1e9,
        "peak": { "gflops": peak.flops, "gbytes": peak.bytes },
        "kernels": kernels.collect::<Vec<_>>(),
    })
}

fn each(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        _ => format!("{:.2} ms", ns as f64 / 1e6),
    }
}

/// A candidate's training step (its forward pass, if its evaluation does not train), measured on zeros: the profile, and the
/// seconds of the fastest step.
pub fn steps(exec: Arc<dyn Executor>, needs: &Needs) -> Result<(Profile, f64), ExecError> {
    let profiler = Profiler::new(exec);
    let graph = needs.training.as_ref().unwrap_or(&needs.forward);
    let inputs = inputs(graph);
    let mut program = profiler.compile(graph)?;
    let mut memory = profiler.memory();
    for (id, input) in graph.inputs() {
        if let Some(init) = initializer(&input.role) {
            memory.ensure(&input.name, &graph.node(id).shape, init, 0)?;
        }
    }
    let mut fastest = f64::INFINITY;
    for step in 0..STEPS {
        let data = inputs.iter().map(|(n, t)| (n.as_str(), t)).collect();
        let begun = Instant::now();
        program.run(&Feed { data, step: step as u64, ..Feed::default() }, memory.as_mut())?;
        fastest = fastest.min(begun.elapsed().as_secs_f64());
    }
    drop(program);
    Ok((profiler.profile(), fastest))
}

fn inputs(graph: &Graph) -> BTreeMap<String, Tensor> {
    let data = graph.inputs().filter(|(_, i)| matches!(i.role, Role::Data));
    data.map(|(id, i)| {
        let n = graph.node(id);
        (i.name.clone(), Tensor::zeros(&n.shape, n.dtype))
    })
    .collect()
}
