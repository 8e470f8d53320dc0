use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::exec::Executor;
use crate::exec::cpu::Cpu;
use crate::search::engine::{Blind, Status};
use crate::search::setup::{Overrides, Search};
use crate::sema::modules::Program;
use crate::store::Store;

use super::*;

const SPACE: &str = "
use std.ops.*
space nasbench201(image[N, C, H, W], classes: int, width: int = 4, cells: int = 1) {
  motif cell(c: int) = assemble 4 nodes {
    edge = choose op {
        none
      | skip_connect: identity
      | nor_conv_1x1: conv_bn(c, 1)
      | nor_conv_3x3: conv_bn(c, 3)
      | avg_pool_3x3: avg_pool(3)
    }
    merge = sum
  }
  image >> conv(width, 3) >> batch_norm
        >> repeat cells { cell(width) }     >> residual(2 * width, stride = 2)
        >> repeat cells { cell(2 * width) }
        >> batch_norm >> relu >> global_avg_pool >> linear(classes)
}
";

const PROGRAMS: &str = "
strategy walk() {
  for _ in 0..4 { submit(random()) }
  for t in results() { submit(mutate(t.candidate)) }
}
evaluation short(epochs: int = 2, lr: float = 0.05) {
  let net = build(candidate)
  for epoch in 0..epochs {
    net.fit(data.train, 64, sgd(cosine(epoch, epochs, lr, 0.0), momentum = 0.9, decay = 1e-4))
    report(epoch, net.score(data.valid))
  }
  return { accuracy: net.score(data.valid), params: net.params(), flops: net.flops() }
}
";

pub(crate) fn search(text: &str) -> Arc<Search> {
    let (program, errors) = Program::load("test.nas", text, None);
    assert!(errors.is_empty(), "{errors:#?}");
    let program = Arc::new(program);
    let item = program.searches().next().expect("a search").0;
    match Search::new(&program, item, Path::new("."), &Overrides::default()) {
        Ok((s, _)) => Arc::new(s),
        Err(ds) => panic!("{ds:#?}"),
    }
}

fn finish(s: &Arc<Search>, workers: usize) -> Finished {
    let exec: Arc<dyn Executor> = Arc::new(Cpu::new());
    let children = children(s, exec);
    let store = Arc::new(Store::in_memory(&info(s)).unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    run(s, &children, store, Arc::new(Blind), &stop, workers).unwrap()
}

#[test]
fn a_search_trains_children_and_learns() {
    let s = search(&format!(
        "{SPACE}{PROGRAMS}
search digits {{
  data = digits()
  space = nasbench201(width = 8)
  evaluate = short(epochs = 3)
  strategy = walk()
  objective = accuracy
  budget = trials(6)
  deterministic = true
}}"
    ));
    let begun = std::time::Instant::now();
    let f = finish(&s, 2);
    eprintln!("{:?}", begun.elapsed());
    for t in &f.outcome.history {
        eprintln!("{} {:?} {:?} {:?} {:.2}s {}", t.id, t.status, t.metrics, t.failure, t.seconds, t.candidate);
    }
    assert_eq!(f.outcome.history.len(), 6);
    assert!(f.outcome.history.iter().all(|t| matches!(t.status, Status::Done | Status::Cached)));
    let best = f.outcome.best.unwrap();
    assert!(best.reward().unwrap() > 0.7, "{best:?}");
}
