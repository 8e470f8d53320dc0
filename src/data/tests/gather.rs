//! Normalization, layouts, augmentation.

use super::*;

fn raw(d: &Dataset, i: u32) -> Vec<f32> {
    let size = d.inputs[0].size();
    match &d.inputs[0].values {
        Values::U8(v) => v[i as usize * size..][..size].iter().map(|&x| f32::from(x)).collect(),
        Values::F32(v) => v[i as usize * size..][..size].to_vec(),
        Values::I32(v) => v[i as usize * size..][..size].iter().map(|&x| x as f32).collect(),
    }
}

/// n images of c×h×w whose pixels are all different.
fn pictures(n: usize, c: usize, h: usize, w: usize) -> Dataset {
    Dataset::new(Contents {
        name: "pictures".into(),
        inputs: vec![Field {
            name: "image".into(),
            shape: vec![c, h, w],
            values: Values::F32((0..n * c * h * w).map(|x| x as f32 + 1.0).collect()),
        }],
        target: Target::Classes { labels: vec![0; n], names: vec!["only".into()] },
        test_from: None,
    })
    .expect("pictures")
}

#[test]
fn the_search_part_has_mean_0_and_deviation_1() {
    let s = standard(&digits());
    let (mut x, mut labels) = (vec![], vec![]);
    s.search.fill(s.search.indices(), &mut x, &mut labels);
    assert_eq!((x.len(), labels.len()), (1150 * 64, 1150));
    let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / x.len() as f64;
    let var = x.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / x.len() as f64;
    assert!(mean.abs() < 1e-5 && (var - 1.0).abs() < 1e-5, "{mean} {var}");
    // The test part is normalized by the same numbers, not by its own.
    let c = s.search.normalization()[0].channels[0];
    s.test.fill(&[1500], &mut x, &mut labels);
    let want: Vec<f32> = raw(s.test.data(), 1500).iter().map(|v| (v - c.mean) * c.scale).collect();
    assert_eq!(x, want);
    assert_eq!(labels, [s.test.data().labels().expect("classes")[1500]]);
}

#[test]
fn channels_have_their_own_numbers_and_constants_are_centred() {
    let rows: Vec<f32> = (0..30).flat_map(|i| [i as f32, 7.25, 1000.0 * (i % 2) as f32]).collect();
    let d = Dataset::new(Contents {
        name: "table".into(),
        inputs: vec![Field { name: "features".into(), shape: vec![3], values: Values::F32(rows) }],
        target: Target::Numbers(Field {
            name: "y".into(),
            shape: vec![1],
            values: Values::F32((0..30).map(|i| i as f32).collect()),
        }),
        test_from: None,
    })
    .expect("table");
    let s = standard(&d);
    let c = &s.search.normalization()[0].channels;
    assert_eq!((c[1].mean, c[1].deviation, c[1].scale), (7.25, 0.0, 1.0));
    assert!((c[2].deviation - 500.0).abs() < 20.0);
    let (mut x, mut y) = (vec![], vec![]);
    s.search.fill(&[3], &mut x, &mut vec![9]);
    assert_eq!(x[1].to_bits(), 0);
    s.search.numbers(&[3, 5], &mut y);
    assert_eq!(y, [3.0, 5.0]);
    assert_eq!(d.classes(), 0);
}

#[test]
fn both_layouts_hold_the_same_numbers() {
    let s = standard(&digits());
    for n in [1, 15, 16, 17, 40] {
        let idx = &s.search.indices()[..n];
        let (mut first, mut last) = (vec![], vec![5.0; 3]);
        let a = Some(Augment { crop: 2, flip: true, cutout: 3 }.epoch(1, 2));
        s.search.gather(0, idx, Layout::ExampleFirst, a, &mut first);
        let stride = n + 3;
        last.resize(64 * stride, 8.0);
        s.search.gather(0, idx, Layout::ExampleLast(stride), a, &mut last);
        for e in 0..64 {
            for k in 0..stride {
                let want = if k < n { first[k * 64 + e] } else { 0.0 };
                assert_eq!(last[e * stride + k].to_bits(), want.to_bits(), "n {n} element {e} example {k}");
            }
        }
    }
}

#[test]
fn tokens_stay_what_they_are() {
    let tokens: Vec<i32> = (0..60).map(|i| i * 3 - 20).collect();
    let d = Dataset::new(Contents {
        name: "text".into(),
        inputs: vec![Field { name: "tokens".into(), shape: vec![6], values: Values::I32(tokens) }],
        target: Target::Classes { labels: vec![0; 10], names: vec!["a".into()] },
        test_from: None,
    })
    .expect("tokens");
    let p = standard(&d).search;
    let (mut x, mut t) = (vec![], vec![]);
    p.fill(&[2], &mut x, &mut vec![]);
    assert_eq!(x, [16.0, 19.0, 22.0, 25.0, 28.0, 31.0]);
    assert_eq!(p.gather_integers(0, &[2, 0], Layout::ExampleLast(3), &mut t), Some(()));
    assert_eq!(t[..6], [16, -20, 0, 19, -17, 0]);
    assert_eq!(p.gather_integers(0, &[1], Layout::ExampleFirst, &mut t), Some(()));
    assert_eq!(t, [-2, 1, 4, 7, 10, 13]);
    assert_eq!(standard(&digits()).search.gather_integers(0, &[1], Layout::ExampleFirst, &mut t), None);
}

/// The definition, pixel by pixel: pad, cut, mirror, punch.
fn slowly(image: &[f32], c: usize, h: usize, w: usize, v: &crate::data::augment::View, norm: &[Channel]) -> Vec<f32> {
    let mut out = vec![];
    for k in 0..c {
        for y in 0..h {
            for x in 0..w {
                let sx = if v.mirror { w - 1 - x } else { x } as isize + v.dx;
                let sy = y as isize + v.dy;
                let inside = (0..h as isize).contains(&sy) && (0..w as isize).contains(&sx);
                let value = if inside { image[k * h * w + sy as usize * w + sx as usize] } else { 0.0 };
                let punched = v.hole.is_some_and(|[a, b, l, r]| (a..b).contains(&y) && (l..r).contains(&x));
                out.push(if punched { 0.0 } else { (value - norm[k].mean) * norm[k].scale });
            }
        }
    }
    out
}

#[test]
fn augmentation_is_its_definition() {
    let d = pictures(40, 3, 5, 7);
    let p = split(&d, [0.6, 0.2, 0.2], 0).expect("split").search;
    let norm = &p.normalization()[0].channels;
    let mut seen = std::collections::BTreeSet::new();
    for augment in [
        Augment { crop: 2, ..Augment::default() },
        Augment { flip: true, ..Augment::default() },
        Augment { cutout: 4, ..Augment::default() },
        Augment { crop: 5, flip: true, cutout: 3 },
    ] {
        for epoch in 0..20 {
            let a = augment.epoch(3, epoch);
            let mut x = vec![];
            p.gather(0, &[4, 9], Layout::ExampleFirst, Some(a), &mut x);
            let want: Vec<f32> =
                [4, 9].iter().flat_map(|&i| slowly(&raw(&d, i), 3, 5, 7, &a.view(5, 7, i), norm)).collect();
            for (got, want) in x.iter().zip(&want) {
                assert!((got - want).abs() < 1e-5, "{augment:?} epoch {epoch}");
            }
            seen.insert(format!("{:?}", a.view(5, 7, 4)));
        }
    }
    assert!(seen.len() > 40, "the draws differ by epoch: {}", seen.len());
}

#[test]
fn augmentation_draws_are_uniform_and_independent_of_the_batch() {
    let a = Augment { crop: 1, flip: true, cutout: 2 };
    let (mut shifts, mut mirrored, mut corner) = ([0; 9], 0, 0);
    for i in 0..9000 {
        let v = a.epoch(7, 3).view(8, 8, i);
        shifts[((v.dy + 1) * 3 + v.dx + 1) as usize] += 1;
        mirrored += i32::from(v.mirror);
        corner += i32::from(v.hole.is_some_and(|h| h[0] == 0 && h[1] == 1));
    }
    assert!(shifts.iter().all(|&n| (880..1120).contains(&n)), "{shifts:?}");
    assert!((4300..4700).contains(&mirrored), "{mirrored}");
    assert!((1000..1250).contains(&corner), "a centre in row 0 clips the square to one row: {corner}");
    let s = standard(&digits());
    let (mut alone, mut among) = (vec![], vec![]);
    s.search.gather(0, &[5], Layout::ExampleFirst, Some(a.epoch(7, 3)), &mut alone);
    s.search.gather(0, &[1, 2, 5], Layout::ExampleFirst, Some(a.epoch(7, 3)), &mut among);
    assert_eq!(alone, among[128..]);
}

#[test]
fn augmentation_must_fit() {
    let a = Augment { crop: 0, flip: false, cutout: 4 };
    let span = Span::default();
    assert!(a.check(&made(&[5]), span).expect_err("a table").message.contains("no images"));
    assert!(Augment::default().check(&made(&[5]), span).is_ok());
    assert!(
        Augment { crop: 9, ..a }
            .check(&digits(), span)
            .expect_err("too large")
            .message
            .contains("crop padding of 9 is too large for images of 8×8")
    );
    assert!(Augment { cutout: 16, crop: 8, flip: true }.check(&digits(), span).is_ok());
}

#[test]
fn an_epoch_of_digits_is_gathered_quickly() {
    let p = standard(&digits()).search;
    let (mut x, mut labels) = (vec![], vec![]);
    let best = (0..20)
        .map(|epoch| {
            let start = std::time::Instant::now();
            for batch in &p.training(64, 0, epoch) {
                p.fill(batch, &mut x, &mut labels);
            }
            start.elapsed()
        })
        .min()
        .expect("timed");
    println!("an epoch of digits: {best:?}");
    assert!(best.as_micros() < 5000, "{best:?}");
}
