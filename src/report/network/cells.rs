//! The cell view: one picture for each motif that a candidate uses and decides.

use std::collections::{BTreeMap, BTreeSet};

use crate::space::decision::{Choice, Decision, split_path};
use crate::space::{Built, Space};

use super::super::svg::{Dag, Edge, Kind, Node};
use super::{Boxing, Part, Parts, is_numbered, plain};

/// A motif's decisions, without the motif's name: the frames, the decision's own name, its value.
type Decided<'a> = (Vec<&'a str>, &'a str, &'a Choice);

/// One picture for each motif, in the order in which they were decided.
pub fn cells(space: &Space, built: &Built) -> Vec<Dag> {
    let mut owners: Vec<&str> = Vec::new();
    for (d, _) in &built.decided {
        if !owners.contains(&d.owner.as_str()) && built.stamps.iter().any(|s| s.motif == d.owner) {
            owners.push(&d.owner);
        }
    }
    let boxing = Boxing::new(space, built);
    owners.into_iter().filter_map(|o| cell(&boxing, built, o)).filter(|d| d.nodes.len() > 1).collect()
}

fn cell(boxing: &Boxing, built: &Built, owner: &str) -> Option<Dag> {
    let decided: Vec<Decided> =
        built.decided.iter().filter(|(d, _)| d.owner == owner).filter_map(|(d, c)| relative(d, owner, c)).collect();
    let title = match built.stamps.iter().filter(|s| s.motif == owner).count() {
        1 => owner.to_string(),
        n => format!("{owner} (used {n} times)"),
    };
    let assembled = decided.iter().any(|(at, _, _)| at.iter().any(|e| edge_of(e).is_some()))
        && !decided.iter().any(|(_, _, c)| matches!(c, Choice::Many(_)));
    let mut dag = if assembled {
        assembly(&decided)
    } else {
        let site = boxing.motifs.iter().find(|(_, m)| *m == owner)?.0;
        from_graph(boxing, built, site, &decided)
    };
    dag.title = title;
    Some(dag)
}

fn relative<'a>(d: &'a Decision, owner: &str, c: &'a Choice) -> Option<Decided<'a>> {
    let rest = d.name.strip_prefix(owner)?.strip_prefix('.')?;
    let mut path = split_path(rest);
    let name = path.pop()?;
    Some((path, name, c))
}

/// `edge(0,2)` is (0, 2).
fn edge_of(element: &str) -> Option<(usize, usize)> {
    let inner = plain(element).strip_prefix("edge(")?.strip_suffix(')')?;
    let (i, j) = inner.split_once(',')?;
    Some((i.trim().parse().ok()?, j.trim().parse().ok()?))
}

/// A cell made by `assemble`: numbered states, the decisions of an edge as its label.
fn assembly(decided: &[Decided]) -> Dag {
    let mut edges: BTreeMap<(usize, usize), Vec<String>> = BTreeMap::new();
    for (path, name, value) in decided {
        let Some(at) = path.iter().find_map(|e| edge_of(e)) else { continue };
        let text = match value {
            Choice::Text(s) => s.clone(),
            other => format!("{name} {other}"),
        };
        edges.entry(at).or_default().push(text);
    }
    let last = edges.keys().map(|e| e.1).max().unwrap_or(0);
    let state = |i: usize| Node { label: i.to_string(), detail: String::new(), group: Vec::new(), kind: Kind::State };
    let mut dag = Dag { nodes: (0..=last).map(state).collect(), ..Dag::default() };
    for ((from, to), texts) in edges {
        let kind = Kind::of_operation(&texts[0]);
        // An edge without an operation is there to be seen, but hardly.
        let label = if kind == Kind::Nothing { String::new() } else { texts.join(" · ") };
        dag.edges.push(Edge { from, to, label, kind });
    }
    dag
}

/// The frames of a site that have numbers, below a motif's site: where its decisions are.
fn numbered<'a>(site: &'a str, motif: &str) -> Vec<&'a str> {
    let site = site.split('@').next().unwrap_or(site);
    let rest = site.strip_prefix(motif).unwrap_or("").trim_start_matches('.');
    split_path(rest).into_iter().filter(|e| is_numbered(e)).map(plain).collect()
}

/// A cell as its graph says: inputs and merges are states, what lies between two of them is the edge's label.
fn from_graph(boxing: &Boxing, built: &Built, site: &str, decided: &[Decided]) -> Dag {
    let parts = Parts::of(boxing, &built.graph, site);
    let option = |p: &Part| -> Option<String> {
        let at = numbered(&p.site, site);
        decided.iter().find_map(|(path, _, c)| match c {
            Choice::Text(s) if *path == at => Some(s.clone()),
            _ => None,
        })
    };
    let is_state = |i: usize| {
        let p = &parts.all[i];
        p.outside || p.kind == Kind::Merge || parts.before(i).len() != 1 || parts.after(i).len() != 1
    };
    let states: Vec<usize> = (0..parts.all.len()).filter(|&i| is_state(i) || parts.output == Some(i)).collect();
    // What has one input and several readers is a state, too; its operation is on the edge that leads there.
    let is_operation =
        |i: usize| !parts.all[i].outside && parts.all[i].kind != Kind::Merge && parts.before(i).len() == 1;
    let mut dag = Dag::default();
    let mut node_of: BTreeMap<usize, usize> = BTreeMap::new();
    for &i in &states {
        let p = &parts.all[i];
        let number = dag.nodes.len().to_string();
        let plain_state = p.outside || p.label == "+" || is_operation(i);
        let (label, kind) = if plain_state { (number, Kind::State) } else { (p.label.clone(), p.kind) };
        node_of.insert(i, dag.nodes.len());
        dag.nodes.push(Node { label, detail: String::new(), group: Vec::new(), kind });
    }
    let mut used: BTreeSet<Vec<&str>> = BTreeSet::new();
    let mut bare: Vec<(usize, usize)> = Vec::new();
    for &to in &states {
        for mut from in parts.before(to) {
            let mut labels: Vec<String> = Vec::new();
            let mut take = |i: usize| {
                let p = &parts.all[i];
                used.insert(numbered(&p.site, site));
                let text = option(p).unwrap_or_else(|| p.label.clone());
                if labels.last() != Some(&text) {
                    labels.push(text);
                }
            };
            if is_operation(to) {
                take(to);
            }
            while !node_of.contains_key(&from) {
                take(from);
                let Some(&before) = parts.before(from).first() else { break };
                from = before;
            }
            let Some(&source) = node_of.get(&from) else { continue };
            if labels.is_empty() {
                bare.push((dag.edges.len(), to));
            }
            labels.reverse();
            let label = labels.join(" · ");
            let kind = Kind::of_operation(labels.first().map_or("", String::as_str));
            dag.edges.push(Edge { from: source, to: node_of[&to], label, kind });
        }
    }
    // An identity leaves no node: the options of its frame that nothing else shows.
    for (edge, to) in bare {
        let at = numbered(&parts.all[to].site, site);
        let mut open = decided.iter().filter_map(|(path, _, c)| match c {
            Choice::Text(s) if !at.is_empty() && path.starts_with(&at) && !used.contains(path) => Some(s),
            _ => None,
        });
        if let Some(first) = open.next()
            && open.all(|o| o == first)
        {
            dag.edges[edge].label.clone_from(first);
            dag.edges[edge].kind = Kind::of_operation(first);
        }
    }
    if let Some(&out) = parts.output.and_then(|o| node_of.get(&o))
        && parts.all[parts.output.unwrap_or(0)].label == "concat"
    {
        dag.nodes[out].kind = Kind::Output;
    }
    dag
}
