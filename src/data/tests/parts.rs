//! Splits, fractions, batches.

use super::*;

fn of_class(part: &Part, c: i32) -> usize {
    let labels = part.data().labels().expect("classes");
    part.indices().iter().filter(|&&i| labels[i as usize] == c).count()
}

#[test]
fn digits_are_the_published_ones() {
    let d = digits();
    assert_eq!((d.len(), d.classes(), d.test_from), (1797, 10, Some(1437)));
    assert_eq!(d.inputs[0].shape, [1, 8, 8]);
    let Values::U8(pixels) = &d.inputs[0].values else { panic!("bytes") };
    assert_eq!(pixels.iter().max(), Some(&16));
    assert!(
        d.describe().starts_with("digits: 1,797 examples of image [1, 8, 8] (u8), 10 classes of 17"),
        "{}",
        d.describe()
    );
}

#[test]
fn own_test_part_stays_and_the_rest_is_divided_by_class() {
    let s = standard(&digits());
    assert!(s.own_test);
    assert_eq!(s.test.indices(), (1437..1797).collect::<Vec<u32>>());
    assert_eq!(s.search.len() + s.select.len(), 1437);
    assert_eq!(s.search.len(), 1150, "80 % of 1,437 is 1,149.6");
    for c in 0..10 {
        let n = of_class(&s.search, c) + of_class(&s.select, c);
        assert!((of_class(&s.search, c) as f64 - 0.8 * n as f64).abs() <= 1.5, "class {c}");
    }
    let mut all = [s.search.indices(), s.select.indices()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..1437).collect::<Vec<u32>>());
}

/// The first indices of one split, written down: another platform or version must give the same.
#[test]
fn splits_are_the_same_everywhere() {
    let s = standard(&digits());
    assert_eq!(s.select.indices()[..8], PINNED_SELECT);
    assert_eq!(s.search.training(4, 0, 0).get(0), Some(&PINNED_BATCH[..]));
    let again = standard(&digits());
    assert_eq!(s.search.indices(), again.search.indices());
    let other = Split::new(&digits(), Fractions::standard(&digits()), 1, Span::default()).expect("split");
    assert_ne!(s.search.indices(), other.search.indices());
}

const PINNED_SELECT: [u32; 8] = [4, 5, 7, 8, 11, 14, 33, 36];
const PINNED_BATCH: [u32; 4] = [253, 569, 161, 729];

#[test]
fn three_shares_pool_everything() {
    let s = split(&digits(), [0.6, 0.2, 0.2], 0).expect("split");
    assert!(!s.own_test);
    assert_eq!((s.search.len(), s.select.len(), s.test.len()), (1078, 360, 359));
    assert!(s.test.indices().iter().any(|&i| i < 1437));
}

#[test]
fn rounding_is_carried_over_classes() {
    // Every class alone would round to (2, 1, 0), (1, 1, 1) is nearest where parts must not be empty.
    let s = split(&made(&[3; 100]), [0.6, 0.2, 0.2], 3).expect("split");
    assert_eq!((s.search.len(), s.select.len(), s.test.len()), (100, 100, 100));
    let s = split(&made(&[7; 100]), [0.6, 0.2, 0.2], 3).expect("split");
    for (got, want) in [(s.search.len(), 420), (s.select.len(), 140), (s.test.len(), 140)] {
        assert!((got as i32 - want).abs() <= 1, "{got} for {want}");
    }
}

#[test]
fn many_shapes_of_splits_keep_the_rules() {
    for seed in 0..60u64 {
        let mut r = crate::base::rng::Stream::new(seed, "shapes");
        let sizes: Vec<usize> = (0..=r.below(12)).map(|_| if r.flip(0.1) { 0 } else { 3 + r.below(40) }).collect();
        if sizes.iter().sum::<usize>() == 0 {
            continue;
        }
        let f = [0.05 + 0.6 * r.unit(), 0.05 + 0.1 * r.unit(), 0.05 + 0.1 * r.unit()];
        let s = split(&made(&sizes), f, seed).expect("split");
        let mut seen = [s.search.indices(), s.select.indices(), s.test.indices()].concat();
        let n = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(n, seen.len(), "parts are disjoint");
        for (c, &size) in sizes.iter().enumerate() {
            for part in [&s.search, &s.select, &s.test] {
                assert_eq!(
                    of_class(part, c as i32) > 0,
                    size > 0,
                    "class {c} of {size} in {:?}, seed {seed}",
                    part.role()
                );
            }
        }
    }
}

#[test]
fn impossible_splits_say_why() {
    let say = |r: Result<Split, Diagnostic>| r.map(|_| ()).expect_err("refused").message;
    assert!(say(split(&digits(), [0.6, 0.3, 0.2], 0)).contains("add up to 110%"));
    assert!(say(split(&digits(), [0.0, 0.3, 0.2], 0)).contains("the search part is 0%"));
    assert!(say(split(&digits(), [f64::NAN, 0.3, 0.2], 0)).contains("search part"));
    assert!(
        say(split(&made(&[9, 2]), [0.6, 0.2, 0.2], 0))
            .contains("class `c1` of `made` has 2 examples to divide into 3 parts")
    );
    let two = Fractions { search: 0.8, select: 0.2, test: None };
    assert!(say(Split::new(&made(&[9, 9]), two, 0, Span::default())).contains("no test part of its own"));
    let left = Split::new(&made(&[10, 10]), Fractions { search: 0.6, ..two }, 0, Span::default())
        .expect("the rest is tested on");
    assert_eq!(left.test.len(), 4);
    assert!(split(&made(&[9, 2]), [0.6, 0.4, 0.0], 0).expect("no test part").test.is_empty());
}

#[test]
fn fractions_nest_and_keep_every_class() {
    let p = standard(&digits()).search;
    let (small, large) = (p.fraction(0.02, 5), p.fraction(0.3, 5));
    assert!(small.indices().iter().all(|i| large.indices().contains(i)));
    assert!((0..10).all(|c| of_class(&small, c) >= 1));
    assert!((large.len() as f64 - 0.3 * p.len() as f64).abs() < 6.0);
    assert_eq!(p.fraction(1.0, 5).indices(), p.indices());
    assert_eq!(large.normalization(), p.normalization());
    assert_eq!(p.take(7).len(), 7);
    assert_eq!(large.union(&p).indices(), p.indices());
}

#[test]
fn batches_cover_an_epoch() {
    let p = standard(&digits()).search;
    let b = p.training(64, 9, 0);
    assert_eq!((b.len(), b.iter().map(<[u32]>::len).sum::<usize>()), (17, 17 * 64));
    let full = p.batches(64, Order::Shuffled { seed: 9, epoch: 0 }, Last::Keep);
    assert_eq!((full.len(), full.get(17).map(<[u32]>::len), full.get(18)), (18, Some(1150 - 17 * 64), None));
    let mut all: Vec<u32> = full.iter().flatten().copied().collect();
    assert_ne!(all, p.indices());
    all.sort_unstable();
    assert_eq!(all, p.indices());
    assert_ne!(b.get(0), p.training(64, 9, 1).get(0), "another epoch, another order");
    assert_ne!(b.get(0), p.training(64, 8, 0).get(0), "another seed, another order");
    assert_eq!(p.evaluation(100).iter().flatten().copied().collect::<Vec<_>>(), p.indices());
    assert_eq!(p.take(10).training(64, 0, 0).len(), 1, "a part smaller than a batch is one batch");
    assert_eq!(p.take(0).training(64, 0, 0).len(), 0);
    assert_eq!(p.take(3).evaluation(0).len(), 3);
}

#[test]
fn a_feed_resumes_at_any_step() {
    let p = standard(&digits()).select;
    let mut whole = Feed::new(p.clone(), 50, 4, 0);
    let steps: Vec<Vec<u32>> = (0..12).map(|_| whole.advance().to_vec()).collect();
    assert_eq!(whole.per_epoch(), 5);
    assert_eq!(steps[7], p.training(50, 4, 1).get(2).expect("batch"));
    let mut later = Feed::new(p.clone(), 50, 4, 7);
    assert_eq!(later.advance(), steps[7]);
    assert_eq!(later.step(), 8);
    assert!(Feed::new(p.take(0), 50, 4, 0).advance().is_empty());
}

#[test]
fn a_split_describes_itself() {
    let text = standard(&digits()).describe();
    assert!(text.contains("search 1,150 · select 287 · test 360 (the source's own)"), "{text}");
    assert!(text.contains("image channel 0: mean 4.8"), "{text}");
}

#[test]
fn hashes_tell_data_apart() {
    assert_eq!(digits().hash(), digits().hash());
    assert_ne!(made(&[5, 5]).hash(), made(&[5, 6]).hash());
}
