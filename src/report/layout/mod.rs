//! Places of nodes, boxes and edges of a directed graph with nested groups (layers after Sugiyama et al. 1981).
//!
//! Each group is laid out alone and is then one large node of its parent, so boxes never overlap and edges cross a box's
//! border only at ports: one for each outside source at its entry side, one for each inner source at its exit side.
//! Within a level: ranks by longest path, one dummy for each rank that an edge passes, barycenter ordering, and cross
//! positions by weighted isotonic regression, which keeps the separation between neighbours exactly.
//!
//! All is computed in two coordinates: `main` along the flow and `cross` across it.

mod cross;
mod order;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use order::{initial_order, longest_path, mark_spine, order_by_barycenter};

/// Sizes and places across and along the flow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Across the flow.
    pub cross: f64,
    /// Along the flow.
    pub main: f64,
}

/// What is to be laid out.
#[derive(Clone, Debug)]
pub struct Input {
    /// Sizes of the nodes.
    pub nodes: Vec<Point>,
    /// The names of the groups around each node, the outermost first.
    pub groups: Vec<Vec<String>>,
    /// Source, target, and the size of the label if there is one.
    pub edges: Vec<(usize, usize, Option<Point>)>,
    /// Space inside a group's border before and after its content.
    pub padding: (Point, Point),
    /// The least extent of a group across the flow, for its title.
    pub least: fn(&str) -> Point,
}

/// A group's box.
#[derive(Clone, Debug)]
pub struct GroupBox {
    /// The group's path.
    pub path: Vec<String>,
    /// The corner with the smaller coordinates.
    pub at: Point,
    /// Its extents.
    pub size: Point,
    /// Cross coordinates where edges enter.
    pub ports: Vec<f64>,
}

/// A stretch of an edge within one level; an edge across borders has several.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The first of the edges that share it.
    pub edge: usize,
    /// From start to end; consecutive pairs alternate between straight and curved: the stretch `2k` to `2k + 1` is
    /// straight, the stretch `2k + 1` to `2k + 2` is a curve that leaves and arrives along the flow.
    pub points: Vec<Point>,
    /// Where the label's centre is.
    pub label: Option<Point>,
    /// It starts at its edge's source, not at a border.
    pub starts: bool,
    /// It ends at its edge's target, not at a border.
    pub ends: bool,
}

/// Where everything is.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Centres of the nodes.
    pub nodes: Vec<Point>,
    /// Outer boxes first.
    pub groups: Vec<GroupBox>,
    /// All stretches of edges.
    pub pieces: Vec<Piece>,
    /// Edges against the flow, which were turned round for the layout: loops of a graph that has some.
    pub reversed: BTreeSet<usize>,
    /// The whole extent.
    pub size: Point,
}

const NODE_GAP: f64 = 18.0;
const EDGE_GAP: f64 = 12.0;
const LEAST_RANK_GAP: f64 = 26.0;
const MOST_RANK_GAP: f64 = 64.0;

/// Lays out a graph. Edges from a node to itself are left out.
pub fn layout(input: &Input) -> Layout {
    let (edges, reversed) = without_cycles(input);
    let mut groups = input.groups.clone();
    groups.resize(input.nodes.len(), Vec::new());
    loop {
        let mut work = Work { input, edges: &edges, groups: &groups, out: Layout::default() };
        work.out.nodes = vec![Point::default(); input.nodes.len()];
        match work.level(&[]) {
            Ok(root) => {
                work.place(&root, Point::default());
                let mut out = work.out;
                out.size = root.size;
                out.reversed = reversed;
                out.groups.sort_by_key(|g| g.path.len());
                return out;
            }
            // A group that edges leave and enter again cannot be one node of its parent: it gets no box.
            Err(path) => {
                for g in groups.iter_mut().filter(|g| g.starts_with(&path)) {
                    g.remove(path.len() - 1);
                }
            }
        }
    }
}

/// Edges with those that close a cycle turned round.
fn without_cycles(input: &Input) -> (Vec<(usize, usize)>, BTreeSet<usize>) {
    let n = input.nodes.len();
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); n];
    for (e, &(a, _, _)) in input.edges.iter().enumerate() {
        out[a].push(e);
    }
    let mut reversed = BTreeSet::new();
    // 0 untouched, 1 on the current path, 2 left for good.
    let mut mark = vec![0_u8; n];
    for root in 0..n {
        if mark[root] != 0 {
            continue;
        }
        mark[root] = 1;
        let mut path = vec![(root, 0)];
        while let Some(&mut (node, ref mut next)) = path.last_mut() {
            let Some(&e) = out[node].get(*next) else {
                mark[node] = 2;
                path.pop();
                continue;
            };
            *next += 1;
            let to = input.edges[e].1;
            match mark[to] {
                0 => {
                    mark[to] = 1;
                    path.push((to, 0));
                }
                1 => {
                    reversed.insert(e);
                }
                _ => {}
            }
        }
    }
    let turn =
        |(e, &(a, b, _)): (usize, &(usize, usize, Option<Point>))| if reversed.contains(&e) { (b, a) } else { (a, b) };
    (input.edges.iter().enumerate().map(turn).collect(), reversed)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Node(usize),
    /// Index into the level's child levels.
    Group(usize),
    /// Where edges from this outside node enter.
    Entry(usize),
    /// Where edges from this inner node leave.
    Exit(usize),
    Dummy,
}

struct Item {
    thing: Thing,
    size: Point,
    rank: usize,
    at: Point,
}

struct Link {
    edge: usize,
    source: usize,
    /// Item indices from the link's start to its end, dummies between.
    chain: Vec<usize>,
    label: Option<usize>,
    on_spine: bool,
}

struct Level {
    path: Vec<String>,
    items: Vec<Item>,
    links: Vec<Link>,
    children: Vec<Level>,
    size: Point,
    /// Cross coordinate of each entry and exit by its source node.
    entries: BTreeMap<usize, f64>,
    exits: BTreeMap<usize, f64>,
}

struct Work<'a> {
    input: &'a Input,
    edges: &'a [(usize, usize)],
    groups: &'a [Vec<String>],
    out: Layout,
}

impl Work<'_> {
    /// Lays out the group at `path`; fails with the path of a group inside that must be dissolved.
    fn level(&self, path: &[String]) -> Result<Level, Vec<String>> {
        let depth = path.len();
        let inside = |n: usize| self.groups[n].starts_with(path);
        let mut level = Level {
            path: path.to_vec(),
            items: Vec::new(),
            links: Vec::new(),
            children: Vec::new(),
            size: Point::default(),
            entries: BTreeMap::new(),
            exits: BTreeMap::new(),
        };
        let item = |thing: Thing, size: Point| Item { thing, size, rank: 0, at: Point::default() };
        let mut item_of: BTreeMap<usize, usize> = BTreeMap::new();
        let mut groups: BTreeMap<&String, usize> = BTreeMap::new();
        for n in (0..self.input.nodes.len()).filter(|&n| inside(n)) {
            let Some(name) = self.groups[n].get(depth) else {
                item_of.insert(n, level.items.len());
                level.items.push(item(Thing::Node(n), self.input.nodes[n]));
                continue;
            };
            let at = *groups.entry(name).or_insert_with(|| {
                level.items.push(item(Thing::Group(0), Point::default()));
                level.items.len() - 1
            });
            item_of.insert(n, at);
        }
        let reals = level.items.len();

        // Links of this level: one for each (start, end, source, label), whatever the number of edges.
        let mut wanted: Vec<(usize, Option<usize>, Option<usize>)> = Vec::new();
        for (e, &(a, b)) in self.edges.iter().enumerate() {
            let (from, to) = (item_of.get(&a).copied(), item_of.get(&b).copied());
            if a != b
                && (from.is_some() || to.is_some())
                && (from != to || from.is_some_and(|i| matches!(level.items[i].thing, Thing::Node(_))))
            {
                wanted.push((e, from, to));
            }
        }
        let within: Vec<(usize, usize)> = wanted.iter().filter_map(|&(_, f, t)| Some((f?, t?))).collect();
        if let Err(stuck) = longest_path(reals, &within) {
            let name = groups.iter().filter(|(_, at)| stuck.contains(at)).map(|(name, _)| (*name).clone()).next();
            let mut path = path.to_vec();
            path.extend(name);
            return Err(path);
        }
        let mut kinds: Vec<(&String, usize)> = groups.iter().map(|(k, v)| (*k, *v)).collect();
        kinds.sort_by_key(|&(_, at)| at);
        for (name, at) in kinds {
            let mut inner = path.to_vec();
            inner.push(name.clone());
            let child = self.level(&inner)?;
            level.items[at].thing = Thing::Group(level.children.len());
            level.items[at].size = child.size;
            level.children.push(child);
        }
        let mut ports: BTreeMap<Thing, usize> = BTreeMap::new();
        let mut made: BTreeMap<(usize, usize, usize), usize> = BTreeMap::new();
        for (e, from, to) in wanted {
            let source = self.edges[e].0;
            let mut port = |thing: Thing, items: &mut Vec<Item>| {
                *ports.entry(thing).or_insert_with(|| {
                    items.push(item(thing, Point::default()));
                    items.len() - 1
                })
            };
            let start = from.unwrap_or_else(|| port(Thing::Entry(source), &mut level.items));
            let end = to.unwrap_or_else(|| port(Thing::Exit(source), &mut level.items));
            // A label stands in the level that has both ends; edges with labels of their own are not joined.
            let labelled = from.is_some() && to.is_some() && self.input.edges[e].2.is_some();
            if !labelled && made.contains_key(&(start, end, source)) {
                continue;
            }
            if !labelled {
                made.insert((start, end, source), e);
            }
            level.links.push(Link {
                edge: e,
                source,
                chain: vec![start, end],
                label: labelled.then_some(usize::MAX),
                on_spine: false,
            });
        }
        self.arrange(&mut level);
        Ok(level)
    }

    /// Ranks, order and coordinates of one level.
    fn arrange(&self, level: &mut Level) {
        let pairs: Vec<(usize, usize)> = level.links.iter().map(|l| (l.chain[0], l.chain[1])).collect();
        // Links were checked to have no cycle; ports are sources or sinks.
        let Ok(mut rank) = longest_path(level.items.len(), &pairs) else { return };
        let is_entry = |i: usize, level: &Level| matches!(level.items[i].thing, Thing::Entry(_));
        let has_entries = (0..level.items.len()).any(|i| is_entry(i, level));
        for (i, r) in rank.iter_mut().enumerate() {
            if has_entries && !is_entry(i, level) {
                *r = (*r).max(1);
            }
        }
        // Sources stand next to their first reader.
        for i in 0..level.items.len() {
            let reads_nothing = pairs.iter().all(|p| p.1 != i);
            if reads_nothing
                && !is_entry(i, level)
                && let Some(first) = pairs.iter().filter(|p| p.0 == i).map(|p| rank[p.1]).min()
            {
                rank[i] = first - 1;
            }
        }
        let last = rank.iter().copied().max().unwrap_or(0);
        let has_exits = level.items.iter().any(|i| matches!(i.thing, Thing::Exit(_)));
        let last_real = (0..level.items.len())
            .filter(|&i| !matches!(level.items[i].thing, Thing::Exit(_)))
            .map(|i| rank[i])
            .max()
            .unwrap_or(0);
        let scale = if level.links.iter().any(|l| l.label.is_some()) { 2 } else { 1 };
        for (i, item) in level.items.iter_mut().enumerate() {
            let r = if matches!(item.thing, Thing::Exit(_)) { last_real + 1 } else { rank[i] };
            item.rank = r * scale;
        }
        let ranks = (if has_exits { last.max(last_real + 1) } else { last }) * scale + 1;
        mark_spine(level);
        self.add_dummies(level, scale);
        let mut order = initial_order(level, ranks);
        order_by_barycenter(level, &mut order);
        cross::positions(level, &order, self.input);
        self.main_positions(level, &order);
    }

    fn add_dummies(&self, level: &mut Level, scale: usize) {
        for l in 0..level.links.len() {
            let (start, end) = (level.links[l].chain[0], level.links[l].chain[1]);
            let (from, to) = (level.items[start].rank, level.items[end].rank);
            let mut middle = usize::midpoint(from, to);
            if scale == 2 && middle.is_multiple_of(2) {
                middle -= 1;
            }
            let mut chain = vec![start];
            for rank in from + 1..to {
                let mut size = Point::default();
                if level.links[l].label.is_some() && rank == middle {
                    size = self.input.edges[level.links[l].edge].2.unwrap_or_default();
                    level.links[l].label = Some(level.items.len());
                }
                chain.push(level.items.len());
                level.items.push(Item { thing: Thing::Dummy, size, rank, at: Point::default() });
            }
            chain.push(end);
            level.links[l].chain = chain;
        }
    }

    fn main_positions(&self, level: &mut Level, order: &[Vec<usize>]) {
        let (before, after) =
            if level.path.is_empty() { (Point::default(), Point::default()) } else { self.input.padding };
        let has = |f: &dyn Fn(&Thing) -> bool, level: &Level| level.items.iter().any(|i| f(&i.thing));
        let entries = has(&|t| matches!(t, Thing::Entry(_)), level);
        let exits = has(&|t| matches!(t, Thing::Exit(_)), level);
        let mut slant = vec![0.0_f64; order.len()];
        for link in &level.links {
            for pair in link.chain.windows(2) {
                let (a, b) = (&level.items[pair[0]], &level.items[pair[1]]);
                let from = a.at.cross + exit_offset(level, pair[0], link.source);
                let to = b.at.cross + entry_offset(level, pair[1], link.source);
                slant[a.rank] = slant[a.rank].max((to - from).abs());
            }
        }
        let mut main = if entries { 0.0 } else { before.main };
        for (r, rank) in order.iter().enumerate() {
            let extent = rank.iter().map(|&i| level.items[i].size.main).fold(0.0, f64::max);
            for &i in rank {
                level.items[i].at.main = main + extent / 2.0;
            }
            let gap = (slant[r] * 0.2).clamp(LEAST_RANK_GAP, MOST_RANK_GAP);
            let labels =
                |r: usize| order.get(r).is_some_and(|rank| rank.iter().all(|&i| level.items[i].thing == Thing::Dummy));
            // Around a rank of labels or bends only, half the gap is enough.
            let gap = if labels(r) || labels(r + 1) { gap * 0.6 } else { gap };
            main += extent;
            if r + 1 < order.len() {
                main += if r == 0 && entries {
                    gap.max(before.main)
                } else if r + 2 == order.len() && exits {
                    gap.max(after.main)
                } else {
                    gap
                };
            }
        }
        level.size.main = main + if exits { 0.0 } else { after.main };
        if level.size.main < before.main + after.main {
            level.size.main = before.main + after.main;
        }
    }

    /// Moves a level to its place and writes everything down in absolute coordinates.
    fn place(&mut self, level: &Level, origin: Point) {
        let absolute = |p: Point| Point { cross: p.cross + origin.cross, main: p.main + origin.main };
        if !level.path.is_empty() {
            self.out.groups.push(GroupBox {
                path: level.path.clone(),
                at: origin,
                size: level.size,
                ports: level.entries.values().map(|x| x + origin.cross).collect(),
            });
        }
        // A rank is as deep as its deepest item; straight stretches of edges pass it.
        let ranks = level.items.iter().map(|i| i.rank + 1).max().unwrap_or(0);
        let mut half = vec![0.0_f64; ranks];
        for i in &level.items {
            half[i.rank] = half[i.rank].max(i.size.main / 2.0);
        }
        for link in &level.links {
            let (Some(&start), Some(&end)) = (link.chain.first(), link.chain.last()) else { continue };
            let (from, to) = (&level.items[start], &level.items[end]);
            let lean = |i: usize, towards: usize| -> f64 {
                let item = &level.items[i];
                match item.thing {
                    Thing::Node(_) => {
                        let reach = item.size.cross * 0.32;
                        ((level.items[towards].at.cross - item.at.cross) * 0.2).clamp(-reach, reach)
                    }
                    Thing::Group(_) | Thing::Entry(_) | Thing::Exit(_) | Thing::Dummy => 0.0,
                }
            };
            let n = link.chain.len();
            let from_cross = from.at.cross + exit_offset(level, start, link.source) + lean(start, link.chain[1]);
            let to_cross = to.at.cross + entry_offset(level, end, link.source) + lean(end, link.chain[n - 2]);
            let mut points = vec![
                Point { cross: from_cross, main: from.at.main + from.size.main / 2.0 },
                Point { cross: from_cross, main: from.at.main + half[from.rank] },
            ];
            for &d in &link.chain[1..n - 1] {
                let dummy = &level.items[d];
                points.push(Point { cross: dummy.at.cross, main: dummy.at.main - half[dummy.rank] });
                points.push(Point { cross: dummy.at.cross, main: dummy.at.main + half[dummy.rank] });
            }
            points.push(Point { cross: to_cross, main: to.at.main - half[to.rank] });
            points.push(Point { cross: to_cross, main: to.at.main - to.size.main / 2.0 });
            self.out.pieces.push(Piece {
                edge: link.edge,
                points: points.into_iter().map(absolute).collect(),
                label: link.label.filter(|&i| i != usize::MAX).map(|i| absolute(level.items[i].at)),
                starts: matches!(from.thing, Thing::Node(_)),
                ends: matches!(to.thing, Thing::Node(_)),
            });
        }
        for item in &level.items {
            match item.thing {
                Thing::Node(n) => self.out.nodes[n] = absolute(item.at),
                Thing::Group(g) => {
                    let child = &level.children[g];
                    let corner = Point {
                        cross: item.at.cross - child.size.cross / 2.0,
                        main: item.at.main - child.size.main / 2.0,
                    };
                    self.place(child, absolute(corner));
                }
                Thing::Entry(_) | Thing::Exit(_) | Thing::Dummy => {}
            }
        }
    }
}

/// Where a link leaves an item, relative to the item's centre.
fn exit_offset(level: &Level, item: usize, source: usize) -> f64 {
    match level.items[item].thing {
        Thing::Group(g) => level.children[g].exits.get(&source).map_or(0.0, |x| x - level.children[g].size.cross / 2.0),
        Thing::Node(_) | Thing::Entry(_) | Thing::Exit(_) | Thing::Dummy => 0.0,
    }
}

fn entry_offset(level: &Level, item: usize, source: usize) -> f64 {
    match level.items[item].thing {
        Thing::Group(g) => {
            level.children[g].entries.get(&source).map_or(0.0, |x| x - level.children[g].size.cross / 2.0)
        }
        Thing::Node(_) | Thing::Entry(_) | Thing::Exit(_) | Thing::Dummy => 0.0,
    }
}
