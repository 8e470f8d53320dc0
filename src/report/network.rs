//! x
#[cfg(test)]
mod tests {
    use crate::sema::modules::Program;
    use crate::space::*;
    use crate::search::setup::*;
    use std::sync::Arc;
    use crate::base::rng::Stream;
    #[test]
    fn look() {
        for f in ["nb", "darts", "layers"] {
            let text = std::fs::read_to_string(format!("/tmp/cliwork/{f}.nas")).unwrap();
            let (p, e) = Program::load("x.nas", &text, None);
            assert!(e.is_empty(), "{e:?}");
            let p = Arc::new(p);
            let item = p.searches().next().unwrap().0;
            let s = match Search::new(&p, item, std::path::Path::new("."), &Overrides::default()) { Ok(s) => s.0, Err(e) => panic!("{e:#?}") };
            for d in s.space.decisions() { println!("{} owner {} level {} {} places {:?}", d.decision.name, d.decision.owner, d.decision.level, d.decision.domain.describe(), d.places); }
            println!("{:?} {}", s.space.repeats(), s.space.size().unwrap().describe());
            let c = s.space.random(&mut Stream::new(1, "x")).unwrap();
            println!("{}", c.to_json());
            let b = s.space.build(&c, Want::Graph { batch: 64, training: false }).unwrap();
            println!("{:?}", b.stamps);
            for id in b.graph.ids() { let n = b.graph.node(id); let mut r = vec![]; n.reads(|x| r.push(x.0)); let k = match &n.kind { crate::graph::Kind::Input(i) => format!("input {} {:?}", i.name, i.role), k => format!("{k:?}")[..8].to_string() };
              println!("%{} {:?} {:?} {} <- {:?}", id.0, n.label, n.shape, k, r); }
        }
    }
}
