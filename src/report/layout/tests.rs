use super::cross::separated;
use super::*;

fn input(nodes: usize, edges: &[(usize, usize)], groups: &[(usize, &str)]) -> Input {
    let mut paths = vec![Vec::new(); nodes];
    for &(n, path) in groups {
        paths[n] = path.split('/').map(str::to_owned).collect();
    }
    Input {
        nodes: (0..nodes).map(|i| Point { cross: 40.0 + 13.0 * (i % 5) as f64, main: 24.0 }).collect(),
        groups: paths,
        edges: edges.iter().map(|&(a, b)| (a, b, (a % 3 == 1).then_some(Point { cross: 50.0, main: 14.0 }))).collect(),
        padding: (Point { cross: 10.0, main: 24.0 }, Point { cross: 10.0, main: 10.0 }),
        least: |name| Point { cross: 8.0 * name.len() as f64, main: 0.0 },
    }
}

fn check(input: &Input) -> Layout {
    let l = layout(input);
    for a in 0..input.nodes.len() {
        for b in 0..a {
            let (p, q, s, t) = (l.nodes[a], l.nodes[b], input.nodes[a], input.nodes[b]);
            let apart = (p.cross - q.cross).abs() >= f64::midpoint(s.cross, t.cross) - 1e-6
                || (p.main - q.main).abs() >= f64::midpoint(s.main, t.main) - 1e-6;
            assert!(apart, "nodes {a} and {b} overlap: {p:?} {q:?}");
        }
        let half = (input.nodes[a].cross / 2.0, input.nodes[a].main / 2.0);
        assert!(l.nodes[a].cross - half.0 > -1e-6 && l.nodes[a].cross + half.0 < l.size.cross + 1e-6);
        assert!(l.nodes[a].main - half.1 > -1e-6 && l.nodes[a].main + half.1 < l.size.main + 1e-6);
        for g in &l.groups {
            let inside = input.groups[a].starts_with(&g.path);
            let within = |x: f64, h: f64, lo: f64, size: f64| x - h >= lo - 1e-6 && x + h <= lo + size + 1e-6;
            let in_box = within(l.nodes[a].cross, half.0, g.at.cross, g.size.cross)
                && within(l.nodes[a].main, half.1, g.at.main, g.size.main);
            assert_eq!(inside, in_box, "node {a} and box {:?}", g.path);
        }
    }
    for piece in &l.pieces {
        assert!(
            piece.points.windows(2).all(|w| w[1].main >= w[0].main - 1e-6),
            "edges go with the flow: {:?}",
            piece.points
        );
        assert!(piece.points.len() % 2 == 0);
    }
    for (e, &(a, b, label)) in input.edges.iter().enumerate() {
        if a != b && !l.reversed.contains(&e) {
            assert!(l.nodes[a].main < l.nodes[b].main, "edge {a} -> {b}");
        }
        let same_level = input.groups[a] == input.groups[b];
        if label.is_some() && same_level && a != b {
            assert!(l.pieces.iter().any(|p| p.edge == e && p.label.is_some()), "label of {a} -> {b}");
        }
    }
    l
}

#[test]
fn random_graphs_have_no_overlaps() {
    let mut rng = crate::base::rng::Stream::new(1, "layout");
    for round in 0..60 {
        let n = 2 + rng.below(30);
        let mut edges = Vec::new();
        for b in 1..n {
            for _ in 0..=rng.below(3) {
                edges.push((rng.below(b), b));
            }
        }
        // Groups are runs of nodes, nested in halves, as cells are.
        let names: Vec<String> = (0..n)
            .map(|i| if round % 2 == 0 { format!("g{}", i / 6) } else { format!("g{}/h{}", i / 12, i / 4) })
            .collect();
        let groups: Vec<(usize, &str)> =
            (0..n).filter(|i| i % 5 != 4 || round % 3 == 0).map(|i| (i, names[i].as_str())).collect();
        let input = input(n, &edges, &groups);
        let l = layout(&input);
        // Groups that had to be dissolved have no box; check against those that are left.
        let mut effective = input.clone();
        for path in &mut effective.groups {
            while !path.is_empty() && !l.groups.iter().any(|g| &g.path == path) {
                path.pop();
            }
        }
        check(&effective);
    }
}

#[test]
fn a_chain_is_straight_whatever_skips_it() {
    let mut edges: Vec<(usize, usize)> = (1..12).map(|i| (i - 1, i)).collect();
    edges.extend([(0, 5), (2, 9), (3, 6), (6, 11)]);
    let l = check(&Input { edges: edges.iter().map(|&(a, b)| (a, b, None)).collect(), ..input(12, &[], &[]) });
    let spread = l.nodes.iter().map(|p| (p.cross - l.nodes[0].cross).abs()).fold(0.0, f64::max);
    assert!(spread < 0.1, "{spread}");
}

#[test]
fn loops_are_turned_round_and_leaving_groups_dissolved() {
    let l = check(&input(3, &[(0, 1), (1, 2), (2, 0), (1, 1)], &[]));
    assert_eq!(l.reversed.iter().copied().collect::<Vec<_>>(), [2, 3]);
    let l = layout(&input(3, &[(0, 1), (1, 2)], &[(0, "g"), (2, "g")]));
    assert!(l.groups.is_empty());
    assert!(layout(&Input { nodes: vec![], ..input(0, &[], &[]) }).nodes.is_empty());
}

#[test]
fn wishes_are_kept_up_to_the_gaps() {
    let got = separated(&[(0.0, 1.0), (0.0, 1.0), (10.0, 1.0)], &[4.0, 4.0]);
    assert_eq!(got, [-2.0, 2.0, 10.0]);
    assert_eq!(separated(&[(0.0, 3.0), (0.0, 1.0)], &[4.0]), [-1.0, 3.0]);
}
