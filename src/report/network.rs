//! Pictures of a candidate: its cells, as papers draw them, and the whole network in a few boxes.
//!
//! The *network view* shows one box for each block or primitive that has no decisions inside, and one for each use of a
//! motif; activations and normalizations join the box that they follow. The *cell view* shows each motif that was
//! decided: states as circles, chosen operations on the edges.

mod cells;

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::Diagnostic;
use crate::graph::{Graph, Kind as NodeKind, NodeId, Role};
use crate::sema::modules::Program;
use crate::space::decision::{Candidate, split_path};
use crate::space::{Built, Space, Want};
use crate::syntax::ast::ItemKind;

use super::svg::{Dag, Direction, Edge, Kind, Node, draw};

pub use cells::cells;

/// Examples in the graph that is drawn; the pictures leave this extent out.
const BATCH: usize = 2;

/// Both views of a candidate in one SVG file: the network on the left, its cells on the right. Of a program its data flow.
///
/// Errors: those of elaborating the candidate.
pub fn picture(space: &Space, candidate: &Candidate, title: &str) -> Result<String, Diagnostic> {
    if let Some(d) = space.design() {
        let program = space.program_of(candidate).map_err(crate::space::BuildError::diagnostic)?;
        return Ok(super::flow::picture(d, &program, title));
    }
    let built = space
        .build(candidate, Want::Graph { batch: BATCH, training: false })
        .map_err(crate::space::BuildError::diagnostic)?;
    let mut whole = network(space, &built);
    title.clone_into(&mut whole.title);
    let cells: Vec<String> = cells(space, &built).iter().map(|d| draw(d, Direction::Right)).collect();
    let left = draw(&whole, Direction::Down);
    Ok(if cells.is_empty() { left } else { beside(&left, &cells) })
}

/// Pictures in one: the first at the left, the others below each other at the right.
fn beside(left: &str, right: &[String]) -> String {
    let (wide, high) = size(left);
    let sizes: Vec<(f64, f64)> = right.iter().map(|s| size(s)).collect();
    let column: f64 = sizes.iter().map(|s| s.1).sum();
    let width = wide + sizes.iter().map(|s| s.0).fold(0.0, f64::max);
    let height = high.max(column);
    let mut svg = super::svg::open(width, height, "", "");
    let put = |svg: &mut String, inner: &str, x: f64, y: f64| {
        svg.push_str(&inner.replacen("<svg ", &format!(r#"<svg x="{x:.0}" y="{y:.0}" "#), 1));
    };
    put(&mut svg, left, 0.0, (height - high) / 2.0);
    let mut y = (height - column) / 2.0;
    for (inner, (_, h)) in right.iter().zip(&sizes) {
        put(&mut svg, inner, wide, y);
        y += h;
    }
    svg.push_str("</svg>\n");
    svg
}

/// The width and height that a picture states.
fn size(svg: &str) -> (f64, f64) {
    let attribute = |name: &str| {
        let at = svg.find(&format!(" {name}=\"")).map_or(0, |i| i + name.len() + 3);
        svg[at..].split('"').next().and_then(|x| x.parse().ok()).unwrap_or(0.0)
    };
    (attribute("width"), attribute("height"))
}

/// An element of a site without the number that tells equal ones apart: `conv#1` is `conv`.
fn plain(element: &str) -> &str {
    element.split('#').next().unwrap_or(element)
}

/// Loops, copies, edges and nodes have numbers in parentheses; blocks, motifs and primitives have none.
fn is_numbered(element: &str) -> bool {
    plain(element).ends_with(')')
}

fn under(prefix: &str, site: &str) -> bool {
    site.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What decides how nodes are put into boxes.
struct Boxing {
    primitives: BTreeSet<String>,
    /// Sites at which decisions were made.
    places: Vec<String>,
    /// Site of a use of a motif and the motif.
    motifs: BTreeMap<String, String>,
}

impl Boxing {
    fn new(space: &Space, built: &Built) -> Self {
        let primitives = primitive_names(space.program());
        let mut places: Vec<String> = space.decisions().iter().flat_map(|d| d.places.iter().cloned()).collect();
        places.sort();
        places.dedup();
        // A motif without decisions is a block like any other.
        let decided = |m: &str| built.decided.iter().any(|(d, _)| d.owner == m);
        let stamps = built.stamps.iter().filter(|s| decided(&s.motif));
        let motifs = stamps.map(|s| (s.site.clone(), s.motif.clone())).collect();
        Self { primitives, places, motifs }
    }

    fn has_decisions(&self, site: &str) -> bool {
        self.places.iter().any(|p| under(site, p))
    }

    /// The site of the box that a node belongs to, and whether it is a use of a motif. `within` is not boxed itself.
    fn site(&self, label: &str, node: NodeId, within: &str) -> (String, bool) {
        let parts = split_path(label);
        let mut at = 0;
        for part in &parts {
            at += part.len() + usize::from(at > 0);
            let site = &label[..at];
            if under(site, within) {
                continue;
            }
            if self.motifs.contains_key(site) {
                return (site.to_string(), true);
            }
            let primitive = self.primitives.contains(plain(part));
            if primitive || (!is_numbered(part) && !self.has_decisions(site)) {
                return (site.to_string(), false);
            }
        }
        // A sum or a concatenation in a frame that decides.
        (format!("{label}@{}", node.0), false)
    }
}

fn primitive_names(program: &Program) -> BTreeSet<String> {
    let items = program.modules.iter().flat_map(|m| &m.ast.items);
    items
        .filter_map(|i| match &i.kind {
            ItemKind::Primitive(p) => Some(p.name.name.clone()),
            _ => None,
        })
        .collect()
}

/// A box of the picture on its way.
#[derive(Clone, Debug)]
struct Part {
    site: String,
    label: String,
    kind: Kind,
    /// Names of what joined it.
    joined: Vec<String>,
    shape: Vec<usize>,
    motif: Option<String>,
    count: usize,
    outside: bool,
}

/// Boxes and the edges between them.
#[derive(Clone, Debug, Default)]
struct Parts {
    all: Vec<Part>,
    edges: BTreeSet<(usize, usize)>,
    output: Option<usize>,
}

impl Parts {
    /// The boxes of all nodes under a site; others that are read there stand as inputs.
    fn of(boxing: &Boxing, g: &Graph, within: &str) -> Self {
        let mut out = Self::default();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut box_of: Vec<Option<usize>> = vec![None; g.nodes.len()];
        for id in g.ids() {
            let n = g.node(id);
            let inside = within.is_empty() || under(within, &n.label);
            let (site, part) = match &n.kind {
                NodeKind::Input(i) if i.role == Role::Data => {
                    let part = Part::new(&i.name, i.name.clone(), Kind::Input, &n.shape);
                    (i.name.clone(), Part { outside: !within.is_empty(), ..part })
                }
                NodeKind::Input(_) => continue,
                _ => {
                    let (site, motif) = boxing.site(&n.label, id, if inside { within } else { "" });
                    let mut part = Part::named(boxing, g, id, &site, motif);
                    part.outside = !inside;
                    (site, part)
                }
            };
            let at = *known.entry(site).or_insert_with(|| {
                out.all.push(part);
                out.all.len() - 1
            });
            out.all[at].shape.clone_from(&n.shape);
            box_of[id.0 as usize] = Some(at);
        }
        for id in g.ids() {
            let Some(to) = box_of[id.0 as usize] else { continue };
            g.node(id).reads(|x| {
                if let Some(from) = box_of[x.0 as usize]
                    && from != to
                {
                    out.edges.insert((from, to));
                }
            });
        }
        let result = g.outputs.first().and_then(|(_, id)| box_of[id.0 as usize]);
        out.output = if within.is_empty() { result } else { None };
        for (at, part) in out.all.iter_mut().enumerate() {
            part.describe(g, &box_of, at);
        }
        if !within.is_empty() {
            out.keep_inside();
        }
        out
    }

    /// Leaves what is inside, with the outside boxes that it reads and one that stands for all readers.
    fn keep_inside(&mut self) {
        let outside: Vec<bool> = self.all.iter().map(|p| p.outside).collect();
        let read: BTreeSet<usize> = self.edges.iter().filter(|e| !outside[e.1]).map(|e| e.0).collect();
        // What is read outside is the result; without a reader, what nothing reads.
        let leaves: BTreeSet<usize> =
            self.edges.iter().filter(|e| !outside[e.0] && outside[e.1]).map(|e| e.0).collect();
        self.edges.retain(|e| !outside[e.1]);
        let last = (0..self.all.len()).rfind(|&i| !outside[i] && !self.edges.iter().any(|e| e.0 == i));
        self.output = leaves.into_iter().next_back().or(last);
        self.retain(|i| !outside[i] || read.contains(&i));
    }

    fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let mut place = vec![None; self.all.len()];
        let mut parts = Vec::new();
        for (i, p) in std::mem::take(&mut self.all).into_iter().enumerate() {
            if keep(i) {
                place[i] = Some(parts.len());
                parts.push(p);
            }
        }
        self.all = parts;
        self.edges = self.edges.iter().filter_map(|&(a, b)| Some((place[a]?, place[b]?))).collect();
        self.output = self.output.and_then(|o| place[o]);
    }

    fn before(&self, i: usize) -> Vec<usize> {
        self.edges.iter().filter(|e| e.1 == i).map(|e| e.0).collect()
    }

    fn after(&self, i: usize) -> Vec<usize> {
        self.edges.iter().filter(|e| e.0 == i).map(|e| e.1).collect()
    }

    /// Joins boxes that say little with the one that they follow.
    fn join(&mut self) {
        let mut gone = BTreeSet::new();
        for b in 0..self.all.len() {
            let [a] = self.before(b)[..] else { continue };
            if self.after(a).len() != 1 || frame(&self.all[a].site) != frame(&self.all[b].site) {
                let repeated = self.all[a].motif.is_some() && self.all[a].motif == self.all[b].motif;
                if !(repeated && self.after(a).len() == 1) {
                    continue;
                }
            }
            let (first, second) = (&self.all[a], &self.all[b]);
            let follows = second.kind == Kind::Pointwise
                && second.motif.is_none()
                && matches!(first.kind, Kind::Compute | Kind::Pool | Kind::Pointwise)
                && first.motif.is_none();
            let repeats = first.motif.is_some() && first.motif == second.motif && first.shape == second.shape;
            if !follows && !repeats {
                continue;
            }
            let (label, shape) = (second.label.clone(), second.shape.clone());
            if repeats {
                self.all[a].count += 1;
            } else {
                self.all[a].joined.push(label);
            }
            self.all[a].shape = shape;
            for c in self.after(b) {
                self.edges.insert((a, c));
            }
            self.edges.retain(|e| e.0 != b && e.1 != b);
            if self.output == Some(b) {
                self.output = Some(a);
            }
            // What follows must see the joined box under its own index.
            self.all.swap(a, b);
            self.edges = self.edges.iter().map(|&(x, y)| (swapped(x, a, b), swapped(y, a, b))).collect();
            self.output = self.output.map(|o| swapped(o, a, b));
            gone.insert(a);
        }
        self.retain(|i| !gone.contains(&i));
    }
}

fn swapped(i: usize, a: usize, b: usize) -> usize {
    match i {
        i if i == a => b,
        i if i == b => a,
        i => i,
    }
}

/// The path around a box.
fn frame(site: &str) -> &str {
    site.rfind('.').map_or("", |i| &site[..i])
}

impl Part {
    fn new(site: &str, label: String, kind: Kind, shape: &[usize]) -> Self {
        Self {
            site: site.to_string(),
            label,
            kind,
            joined: Vec::new(),
            shape: shape.to_vec(),
            motif: None,
            count: 1,
            outside: false,
        }
    }

    fn named(boxing: &Boxing, g: &Graph, id: NodeId, site: &str, is_motif: bool) -> Self {
        let n = g.node(id);
        if is_motif {
            let name = boxing.motifs.get(site).cloned().unwrap_or_default();
            return Self { motif: Some(name.clone()), ..Self::new(site, name, Kind::Other, &n.shape) };
        }
        if !site.contains('@') {
            let parts = split_path(site);
            let name = plain(parts.last().unwrap_or(&site)).to_string();
            let kind = Kind::of_operation(&name);
            return Self::new(site, name, kind, &n.shape);
        }
        let mut reads = BTreeSet::new();
        n.reads(|x| {
            reads.insert(x);
        });
        let (label, kind) = match (&n.kind, reads.len()) {
            (NodeKind::Concat { .. }, _) => ("concat", Kind::Merge),
            (_, 0) => ("0", Kind::Nothing),
            (NodeKind::Reshape(_), _) => ("reshape", Kind::Identity),
            (NodeKind::Equation(e), 1) if e.body.len() == 1 => ("slice", Kind::Identity),
            (_, 1) => ("scale", Kind::Other),
            _ => ("+", Kind::Merge),
        };
        Self::new(site, label.to_string(), kind, &n.shape)
    }

    /// Adds the size of windows and the stride to the name.
    fn describe(&mut self, g: &Graph, box_of: &[Option<usize>], own: usize) {
        if self.motif.is_some()
            || !matches!(self.kind, Kind::Compute | Kind::Pool | Kind::Other)
            || self.site.contains('@')
        {
            return;
        }
        let mut window = 0;
        let (mut from, mut to) = (None, None);
        for id in g.ids() {
            let n = g.node(id);
            if let NodeKind::Input(i) = &n.kind
                && under(&self.site, &i.name)
                && let [.., a, b] = n.shape[..]
                && n.shape.len() >= 3
                && a == b
            {
                window = window.max(a);
            }
            if box_of[id.0 as usize] != Some(own) {
                continue;
            }
            if let NodeKind::Equation(e) = &n.kind
                && self.kind == Kind::Pool
                && let Some(r) = &e.reduce
                && let [a, b] = r.extents[..]
                && a == b
                && n.shape.len() == 4
            {
                window = window.max(a);
            }
            n.reads(|x| {
                if box_of[x.0 as usize] != Some(own) && box_of[x.0 as usize].is_some() {
                    from = from.or(g.node(x).shape.get(2).copied());
                }
            });
            to = n.shape.get(2).copied();
        }
        if window > 0 {
            self.label = format!("{} {window}×{window}", self.label);
        }
        if let (Some(a), Some(b)) = (from, to)
            && a > b
            && b > 1
        {
            self.label = format!("{} /{}", self.label, a.div_ceil(b));
        }
    }

    fn node(&self, group: Vec<String>) -> Node {
        let label = if self.count > 1 { format!("{} × {}", self.label, self.count) } else { self.label.clone() };
        let shape: Vec<String> = self.shape.iter().skip(1).map(usize::to_string).collect();
        let detail = match self.kind {
            Kind::Merge => String::new(),
            _ if self.joined.is_empty() => shape.join(" × "),
            _ => format!("{}  ·  {}", self.joined.join(", "), shape.join(" × ")),
        };
        Node { label, detail, group, kind: self.kind }
    }
}

/// The whole network in boxes.
pub fn network(space: &Space, built: &Built) -> Dag {
    let boxing = Boxing::new(space, built);
    let mut parts = Parts::of(&boxing, &built.graph, "");
    parts.join();
    let groups: Vec<Vec<String>> = parts.all.iter().map(|p| groups(&boxing, &p.site)).collect();
    // A frame around a single box says something only beside fuller ones of the same loop.
    let count = |path: &[String]| groups.iter().filter(|g| g.starts_with(path)).count();
    let full = |path: &[String]| {
        let (last, outer) = path.split_last().map_or(("", path), |(l, o)| (l.as_str(), o));
        let of_loop = |name: &str| name.split(' ').next().map(str::to_string);
        groups.iter().any(|g| {
            g.len() > outer.len()
                && g.starts_with(outer)
                && of_loop(&g[outer.len()]) == of_loop(last)
                && count(&g[..=outer.len()]) > 1
        })
    };
    let mut dag = Dag::default();
    for (part, group) in parts.all.iter().zip(&groups) {
        let deep = (0..group.len()).take_while(|&k| full(&group[..=k])).count();
        dag.nodes.push(part.node(group[..deep].to_vec()));
    }
    for &(from, to) in &parts.edges {
        dag.edges.push(Edge { from, to, label: String::new(), kind: Kind::Other });
    }
    if let Some(last) = parts.output {
        dag.nodes.push(Node { label: "output".into(), detail: String::new(), group: Vec::new(), kind: Kind::Output });
        dag.edges.push(Edge { from: last, to: dag.nodes.len() - 1, label: String::new(), kind: Kind::Other });
    }
    dag
}

/// The frames around a box in which something was decided.
fn groups(boxing: &Boxing, site: &str) -> Vec<String> {
    let site = site.split('@').next().unwrap_or(site);
    let parts = split_path(site);
    let mut at = 0;
    let mut out = Vec::new();
    for part in &parts {
        at += part.len() + usize::from(at > 0);
        let prefix = &site[..at];
        if is_numbered(part) && boxing.has_decisions(prefix) && !boxing.motifs.contains_key(prefix) {
            out.push(frame_title(part));
        }
    }
    out
}

/// `i(0)` is `i = 0`, `copy(0)#1` is `copy 0 #1`.
fn frame_title(element: &str) -> String {
    let (name, rest) = element.split_once('(').unwrap_or((element, ""));
    let (index, again) = rest.split_once(')').unwrap_or((rest, ""));
    let word = if name.len() <= 2 { format!("{name} = {index}") } else { format!("{name} {index}") };
    if again.is_empty() { word } else { format!("{word} {again}") }
}

#[cfg(test)]
mod tests;
