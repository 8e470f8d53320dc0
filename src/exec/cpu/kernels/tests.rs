use super::super::isa::each_instruction_set;
use super::super::tests::{G, agree};
use super::*;
use crate::exec::cpu::Cpu;
use crate::graph::ReduceOp;

#[test]
fn every_instruction_set_conforms() {
    each_instruction_set(|_| {
        crate::exec::conformance::conform(&Cpu::new());
        crate::exec::conformance::conform(&Cpu::new().with_threads(2));
    });
}

#[test]
fn every_instruction_set_agrees() {
    each_instruction_set(|_| {
        // Block sizes of one to eight channels, one group and several, whole rows and parts.
        for (n, i, o, groups) in
            [(3, 1, 1, 1), (29, 2, 3, 1), (64, 3, 7, 1), (40, 6, 12, 2), (16, 7, 7, 7), (96, 2, 13, 1)]
                .into_iter()
                // Outer products, with lanes along either side, in one vector, two and three.
                .chain([(29, 5, 17, 1), (16, 16, 16, 1), (3, 24, 40, 1), (7, 35, 9, 1), (5, 16, 32, 2)])
        {
            let mut g = G::default();
            let x = g.data("x", &[n, i, 5, 4]);
            let w = g.param("w", &[o, i / groups, 3, 3]);
            let y = g.conv(x, w, 1, 1, groups);
            let squares = g.0.mul(y, y);
            let loss = g.0.reduce_all(ReduceOp::Mean, squares);
            for d in crate::graph::gradients(&mut g.0, loss, &[x, w]) {
                g.out(d);
            }
            g.out(y);
            agree(&g.0);
        }
        // Many places and one tap: rows as they lie. Several taps: the sum is in parts, which share packed rows.
        for (n, i, o, k) in [(29, 9, 14, 1), (3, 1, 6, 1), (13, 8, 9, 3)] {
            let mut g = G::default();
            let (x, w) = (g.data("x", &[n, i, 15, 20]), g.param("w", &[o, i, k, k]));
            let y = g.conv(x, w, 1, k / 2, 1);
            let squares = g.0.mul(y, y);
            let loss = g.0.reduce_all(ReduceOp::Mean, squares);
            for d in crate::graph::gradients(&mut g.0, loss, &[x, w]) {
                g.out(d);
            }
            agree(&g.0);
        }
    });
}

#[test]
fn blocks_cover_everything_evenly() {
    for n in 1..40 {
        for most in 1..9 {
            let all: Vec<_> = blocks(n, most).collect();
            assert_eq!(all.iter().map(|b| b.1).sum::<usize>(), n);
            assert!(all.iter().all(|b| b.1 <= most && b.1 >= 1 && b.1 + 1 >= all[0].1));
            assert!(all.windows(2).all(|w| w[0].0 + w[0].1 == w[1].0));
        }
    }
}
