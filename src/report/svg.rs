//! Draws a directed graph, such as a network with its cells, as a self-contained SVG picture for light and dark pages.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

use super::layout::{Input, Layout, Piece, Point, layout};

/// A graph to draw.
#[derive(Clone, Debug, Default)]
pub struct Dag {
    /// Above the picture; may be empty.
    pub title: String,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The edges. Those that close a loop are drawn against the flow; those from a node to itself are left out.
    pub edges: Vec<Edge>,
}

/// A node.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// What it is, in a few words.
    pub label: String,
    /// A second, smaller line, such as a shape; may be empty.
    pub detail: String,
    /// The boxes around it, the outermost first. Boxes of equal paths are one box; the last name is its title.
    pub group: Vec<String>,
    /// How it looks.
    pub kind: Kind,
}

/// An edge.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Index of the source.
    pub from: usize,
    /// Index of the target.
    pub to: usize,
    /// An operation on the edge, as cells are drawn; may be empty.
    pub label: String,
    /// How the label looks; `Nothing` and `Identity` also thin out the line.
    pub kind: Kind,
}

/// Chooses a node's colour and shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Data that comes in.
    Input,
    /// What the network returns.
    Output,
    /// Convolutions, linear layers, attention.
    #[default]
    Compute,
    /// Pooling.
    Pool,
    /// Normalization and activations.
    Pointwise,
    /// Passes its input on.
    Identity,
    /// Sum, concatenation: a small circle if the label is short.
    Merge,
    /// A state of a cell: a circle.
    State,
    /// Zeros: the `none` operation.
    Nothing,
    /// Everything else.
    Other,
}

impl Kind {
    /// A guess from an operation's name, for colours only.
    pub fn of_operation(name: &str) -> Self {
        let name = name.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|w| name.contains(w));
        match () {
            () if name == "none" || name == "zero" || name == "zeroize" => Self::Nothing,
            () if has(&["skip", "identity"]) => Self::Identity,
            () if has(&["pool"]) => Self::Pool,
            () if has(&["conv", "linear", "dense", "attention", "embed", "residual", "reduce"]) => Self::Compute,
            () if has(&["norm", "relu", "gelu", "silu", "tanh", "sigmoid", "softmax", "drop"]) => Self::Pointwise,
            () if has(&["sum", "add", "concat"]) || name == "+" => Self::Merge,
            () => Self::Other,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Input | Self::Output => "end",
            Self::Compute => "compute",
            Self::Pool => "pool",
            Self::Pointwise => "pointwise",
            Self::Identity => "identity",
            Self::Merge => "merge",
            Self::State => "state",
            Self::Nothing => "nothing",
            Self::Other => "other",
        }
    }
}

/// Where the flow goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Top to bottom: networks.
    #[default]
    Down,
    /// Left to right: cells.
    Right,
}

const FONT: f64 = 12.0;
const SMALL: f64 = 10.0;
const MARGIN: f64 = 16.0;
const TITLE: f64 = 30.0;
const GROUP_TITLE: f64 = 22.0;
const ARROW: f64 = 7.0;

/// The picture's colours; pages that embed it choose light or dark.
pub(super) const STYLE: &str = "\
.nasc{--bg:#ffffff;--ink:#1f2933;--soft:#66727f;--line:#7b8794;--box:#f3f5f8;--box2:#e9edf2;--rim:#c9d1da;\
--end:#d9e2ec;--compute:#cfe3fb;--pool:#cdeee3;--pointwise:#e8ddf8;--identity:#eef1f4;--merge:#fdeec7;--state:#ffffff;--other:#f9dfd3}\
@media(prefers-color-scheme:dark){.nasc{--bg:#11161c;--ink:#e4e9ee;--soft:#97a3af;--line:#8593a1;--box:#181f27;--box2:#1f2831;\
--rim:#3a4652;--end:#34414e;--compute:#1d4169;--pool:#1c4f43;--pointwise:#43325f;--identity:#29323b;--merge:#5a4715;--state:#11161c;\
--other:#5c3424}}\
.nasc text{font-family:ui-sans-serif,system-ui,-apple-system,'Segoe UI','Helvetica Neue',Arial,'DejaVu Sans',sans-serif;fill:var(--ink)}\
.nasc .soft{fill:var(--soft)}.nasc .bg{fill:var(--bg)}";

const GRAPH_STYLE: &str = "\
.nasc .edge{fill:none;stroke:var(--line);stroke-width:1.4}.nasc .tip{fill:var(--line)}\
.nasc .thin{stroke-dasharray:4 3}.nasc .faint{stroke-dasharray:1.5 3.5;opacity:.6}\
.nasc .shape{stroke:var(--rim);stroke-width:1.2}.nasc .merge.shape,.nasc .state.shape{stroke:var(--line)}\
.nasc .end.shape{fill:var(--end)}.nasc .compute.shape{fill:var(--compute)}.nasc .pool.shape{fill:var(--pool)}\
.nasc .pointwise.shape{fill:var(--pointwise)}.nasc .identity.shape,.nasc .nothing.shape{fill:var(--identity)}\
.nasc .nothing.shape{stroke-dasharray:3 2}.nasc .merge.shape{fill:var(--merge)}.nasc .state.shape{fill:var(--state)}\
.nasc .other.shape{fill:var(--other)}.nasc .box{fill:var(--box);stroke:var(--rim);stroke-width:1}.nasc .box.odd{fill:var(--box2)}";

/// The whole picture as SVG text.
pub fn draw(dag: &Dag, direction: Direction) -> String {
    let turn = |size: Point| match direction {
        Direction::Down => size,
        Direction::Right => Point { cross: size.main, main: size.cross },
    };
    // Here and below `cross` is horizontal and `main` vertical on the page until `turn` says otherwise.
    let sizes: Vec<Point> = dag.nodes.iter().map(node_size).collect();
    let input = Input {
        nodes: sizes.iter().map(|&s| turn(s)).collect(),
        groups: dag.nodes.iter().map(|n| n.group.clone()).collect(),
        edges: dag.edges.iter().map(|e| (e.from, e.to, label_size(e).map(turn))).collect(),
        padding: match direction {
            Direction::Down => (Point { cross: 12.0, main: GROUP_TITLE + 10.0 }, Point { cross: 12.0, main: 18.0 }),
            Direction::Right => (Point { cross: GROUP_TITLE + 8.0, main: 20.0 }, Point { cross: 12.0, main: 20.0 }),
        },
        least: match direction {
            Direction::Down => |name| Point { cross: text_width(name, SMALL) + 28.0, main: 0.0 },
            Direction::Right => |_| Point::default(),
        },
    };
    let l = layout(&input);
    let size = turn(l.size);
    let top = if dag.title.is_empty() { 0.0 } else { TITLE };
    let width = size.cross.max(text_width(&dag.title, FONT + 2.0)) + 2.0 * MARGIN;
    let height = size.main + 2.0 * MARGIN + top;
    let shift = Point { cross: (width - size.cross) / 2.0, main: MARGIN + top };
    let place = |p: Point| {
        let p = turn(p);
        Point { cross: p.cross + shift.cross, main: p.main + shift.main }
    };
    let mut svg = open(width, height, GRAPH_STYLE, &dag.title);
    if !dag.title.is_empty() {
        text(&mut svg, width / 2.0, MARGIN + 12.0, FONT + 2.0, "middle", "", &dag.title);
    }
    for g in &l.groups {
        let (at, size) = (place(g.at), turn(g.size));
        let odd = if g.path.len() % 2 == 0 { " odd" } else { "" };
        let _ = writeln!(
            svg,
            r#"<rect class="box{odd}" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="9"/>"#,
            at.cross, at.main, size.cross, size.main
        );
    }
    for piece in &l.pieces {
        draw_edge(&mut svg, dag, &l, piece, &place);
    }
    for g in &l.groups {
        let (at, size) = (place(g.at), turn(g.size));
        let name = g.path.last().map_or("", String::as_str);
        // In the corner that no edge passes, if there is one.
        let wide = text_width(name, SMALL);
        let ports: Vec<f64> = match direction {
            Direction::Down => g.ports.iter().map(|&x| place(Point { cross: x, main: 0.0 }).cross).collect(),
            Direction::Right => Vec::new(),
        };
        let free = |from: f64| ports.iter().all(|&x| x < from - 4.0 || x > from + wide + 4.0);
        let (left, right) = (at.cross + 10.0, at.cross + size.cross - 10.0 - wide);
        let x = if !free(left) && free(right) { right } else { left };
        text(&mut svg, x, at.main + 15.0, SMALL, "start", "soft", name);
    }
    for piece in &l.pieces {
        if let Some(at) = piece.label {
            draw_label(&mut svg, &dag.edges[piece.edge], place(at));
        }
    }
    for (i, node) in dag.nodes.iter().enumerate() {
        draw_node(&mut svg, node, place(l.nodes[i]), sizes[i]);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Starts a picture.
pub(super) fn open(width: f64, height: f64, style: &str, title: &str) -> String {
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="nasc" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.1} {height:.1}" role="img">"#
    );
    if !title.is_empty() {
        let _ = writeln!(svg, "<title>{}</title>", escape(title));
    }
    let _ = writeln!(svg, "<style>{}</style>", resolve(&format!("{STYLE}{style}")));
    let _ = writeln!(svg, r#"<rect class="bg" width="100%" height="100%"/>"#);
    svg
}

/// Style sheets with variables are short to write; several SVG programs know none, so they are put in: first all rules
/// with the light colours, then those that mention a colour again, inside the dark media query, with the dark ones.
fn resolve(style: &str) -> String {
    let Some((light, rest)) = style.strip_prefix(".nasc{").and_then(|s| s.split_once('}')) else {
        return style.to_owned();
    };
    let Some((dark, rules)) =
        rest.strip_prefix("@media(prefers-color-scheme:dark){.nasc{").and_then(|s| s.split_once("}}"))
    else {
        return style.to_owned();
    };
    let put = |rules: &str, colours: &str| {
        colours
            .split(';')
            .filter_map(|c| c.split_once(':'))
            .fold(rules.to_owned(), |text, (name, value)| text.replace(&format!("var({name})"), value))
    };
    let coloured: String = rules.split_inclusive('}').filter(|r| r.contains("var(")).collect();
    format!("{}@media(prefers-color-scheme:dark){{{}}}", put(rules, light), put(&coloured, dark))
}

/// Text with its baseline at `y`.
pub(super) fn text(svg: &mut String, x: f64, y: f64, size: f64, anchor: &str, class: &str, content: &str) {
    let class = if class.is_empty() { String::new() } else { format!(r#" class="{class}""#) };
    let _ = writeln!(
        svg,
        r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" text-anchor="{anchor}"{class}>{}</text>"#,
        escape(content)
    );
}

/// For element content and attributes; control characters, which XML forbids, become blanks.
pub(super) fn escape(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    for c in s.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// The width of text in common sans-serif fonts, rather too wide than too narrow.
pub(super) fn text_width(s: &str, size: f64) -> f64 {
    let em: f64 = s
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' | 'I' => 0.32,
            't' | 'f' | 'r' | ' ' | '(' | ')' | '[' | ']' | '-' | '/' => 0.42,
            'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.92,
            'A'..='Z' | '×' | '+' | '=' | '<' | '>' | '→' => 0.72,
            '_' | '0'..='9' => 0.62,
            c if c.is_ascii() => 0.6,
            c => [0.0, 0.7, 1.05][c.width().unwrap_or(0).min(2)],
        })
        .sum();
    em * size
}

fn is_round(node: &Node) -> bool {
    matches!(node.kind, Kind::Merge | Kind::State) && node.detail.is_empty() && text_width(&node.label, FONT) < 30.0
}

fn node_size(node: &Node) -> Point {
    if is_round(node) {
        let d = (text_width(&node.label, FONT) + 12.0).max(if node.kind == Kind::State { 30.0 } else { 22.0 });
        return Point { cross: d, main: d };
    }
    let wide = text_width(&node.label, FONT).max(text_width(&node.detail, SMALL));
    Point { cross: (wide + 20.0).max(44.0), main: if node.detail.is_empty() { 26.0 } else { 38.0 } }
}

fn label_size(edge: &Edge) -> Option<Point> {
    (!edge.label.is_empty()).then(|| Point { cross: text_width(&edge.label, SMALL) + 14.0, main: 18.0 })
}

fn draw_node(svg: &mut String, node: &Node, at: Point, size: Point) {
    let class = node.kind.class();
    if is_round(node) {
        let _ = writeln!(
            svg,
            r#"<circle class="shape {class}" cx="{:.1}" cy="{:.1}" r="{:.1}"/>"#,
            at.cross,
            at.main,
            size.cross / 2.0
        );
    } else {
        let corner = if matches!(node.kind, Kind::Input | Kind::Output) { size.main / 2.0 } else { 6.0 };
        let _ = writeln!(
            svg,
            r#"<rect class="shape {class}" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="{corner:.0}"/>"#,
            at.cross - size.cross / 2.0,
            at.main - size.main / 2.0,
            size.cross,
            size.main
        );
    }
    if node.detail.is_empty() {
        text(svg, at.cross, at.main + FONT * 0.35, FONT, "middle", "", &node.label);
    } else {
        text(svg, at.cross, at.main - 3.0, FONT, "middle", "", &node.label);
        text(svg, at.cross, at.main + 11.0, SMALL, "middle", "soft", &node.detail);
    }
}

fn draw_label(svg: &mut String, edge: &Edge, at: Point) {
    let size = label_size(edge).unwrap_or_default();
    let _ = writeln!(
        svg,
        r#"<rect class="shape {}" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="9"/>"#,
        edge.kind.class(),
        at.cross - size.cross / 2.0,
        at.main - size.main / 2.0,
        size.cross,
        size.main
    );
    text(svg, at.cross, at.main + 3.5, SMALL, "middle", "", &edge.label);
}

fn draw_edge(svg: &mut String, dag: &Dag, l: &Layout, piece: &Piece, place: &dyn Fn(Point) -> Point) {
    let edge = &dag.edges[piece.edge];
    let reversed = l.reversed.contains(&piece.edge);
    let mut points = piece.points.clone();
    let n = points.len();
    // Edges end on the rim of a round node.
    let rim = |node: usize, p: Point| -> f64 {
        if !is_round(&dag.nodes[node]) {
            return 0.0;
        }
        let r = node_size(&dag.nodes[node]).cross / 2.0;
        let off = (p.cross - l.nodes[node].cross).abs().min(r);
        r - (r * r - off * off).sqrt()
    };
    let (first, last) = if reversed { (edge.to, edge.from) } else { (edge.from, edge.to) };
    if piece.starts {
        points[0].main -= rim(first, points[0]);
    }
    if piece.ends {
        points[n - 1].main += rim(last, points[n - 1]);
    }
    let (start_tip, end_tip) = (points[0], points[n - 1]);
    let (at_end, at_start) = (piece.ends && !reversed, piece.starts && reversed);
    // Lines end inside the arrow's head, so that its point is sharp.
    if at_end {
        points[n - 1].main -= ARROW * 0.7;
        points[n - 2].main = points[n - 2].main.min(points[n - 1].main);
    }
    if at_start {
        points[0].main += ARROW * 0.7;
        points[1].main = points[1].main.max(points[0].main);
    }
    let mut path = String::new();
    for (k, &p) in points.iter().enumerate() {
        let at = place(p);
        if k == 0 {
            let _ = write!(path, "M{:.1} {:.1}", at.cross, at.main);
        } else if k % 2 == 1 {
            if (p.main - points[k - 1].main).abs() > 0.05 {
                let _ = write!(path, "L{:.1} {:.1}", at.cross, at.main);
            }
        } else {
            let before = points[k - 1];
            let bend = (p.main - before.main) * 0.5;
            let a = place(Point { main: before.main + bend, ..before });
            let b = place(Point { main: p.main - bend, ..p });
            let _ = write!(
                path,
                "C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
                a.cross, a.main, b.cross, b.main, at.cross, at.main
            );
        }
    }
    let look = match edge.kind {
        Kind::Nothing => " faint",
        Kind::Identity => " thin",
        Kind::Input
        | Kind::Output
        | Kind::Compute
        | Kind::Pool
        | Kind::Pointwise
        | Kind::Merge
        | Kind::State
        | Kind::Other => "",
    };
    let _ = writeln!(svg, r#"<path class="edge{look}" d="{path}"/>"#);
    let mut tip = |at: Point, back: f64| {
        let corner = |cross: f64, main: f64| {
            let p = place(Point { cross: at.cross + cross, main: at.main + main });
            format!("{:.1} {:.1}", p.cross, p.main)
        };
        let _ = writeln!(
            svg,
            r#"<path class="tip" d="M{}L{}L{}Z"/>"#,
            corner(0.0, 0.0),
            corner(-ARROW * 0.5, back),
            corner(ARROW * 0.5, back)
        );
    };
    if at_end {
        tip(end_tip, -ARROW);
    }
    if at_start {
        tip(start_tip, ARROW);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn node(label: &str, kind: Kind, group: &[&str]) -> Node {
        Node { label: label.into(), detail: String::new(), group: group.iter().map(|&g| g.to_owned()).collect(), kind }
    }

    fn edge(from: usize, to: usize, label: &str) -> Edge {
        Edge {
            from,
            to,
            label: label.into(),
            kind: if label.is_empty() { Kind::Other } else { Kind::of_operation(label) },
        }
    }

    /// A cell as the NAS-Bench-201 paper draws it.
    pub fn nasbench_cell() -> Dag {
        Dag {
            title: "cell".into(),
            nodes: (0..4).map(|i| node(&i.to_string(), Kind::State, &[])).collect(),
            edges: vec![
                edge(0, 1, "nor_conv_3x3"),
                edge(0, 2, "skip_connect"),
                edge(1, 2, "nor_conv_1x1"),
                edge(0, 3, "none"),
                edge(1, 3, "avg_pool_3x3"),
                edge(2, 3, "nor_conv_3x3"),
            ],
        }
    }

    /// The normal cell of DARTS (second order).
    pub fn darts_cell() -> Dag {
        let mut nodes = vec![node("c_{k-2}", Kind::Input, &[]), node("c_{k-1}", Kind::Input, &[])];
        nodes.extend((0..4).map(|i| node(&i.to_string(), Kind::State, &[])));
        nodes.push(node("c_{k}", Kind::Output, &[]));
        let mut edges = vec![
            edge(0, 2, "sep_conv_3x3"),
            edge(1, 2, "sep_conv_3x3"),
            edge(0, 3, "sep_conv_3x3"),
            edge(1, 3, "sep_conv_3x3"),
            edge(1, 4, "sep_conv_3x3"),
            edge(0, 4, "skip_connect"),
            edge(0, 5, "skip_connect"),
            edge(2, 5, "dil_conv_3x3"),
        ];
        edges.extend((2..6).map(|i| edge(i, 6, "")));
        Dag { title: "normal cell".into(), nodes, edges }
    }

    /// A layer-wise network with skips.
    pub fn chain() -> Dag {
        let mut nodes = vec![Node { detail: "3×32×32".into(), ..node("image", Kind::Input, &[]) }];
        let mut edges = Vec::new();
        for i in 1..=30 {
            let (label, kind) = match i % 6 {
                0 => ("max_pool(2)", Kind::Pool),
                3 => ("batch_norm", Kind::Pointwise),
                _ => ("conv(64, 3)", Kind::Compute),
            };
            nodes.push(Node {
                detail: format!("{}×{}×{}", 16 + i, 32 >> (i / 10), 32 >> (i / 10)),
                ..node(label, kind, &[])
            });
            edges.push(edge(i - 1, i, ""));
        }
        for (a, b) in
            [(1, 4), (2, 8), (3, 5), (7, 12), (9, 20), (10, 14), (15, 18), (16, 29), (20, 26), (21, 23), (5, 25)]
        {
            edges.push(edge(a, b, ""));
        }
        nodes.push(node("classes", Kind::Output, &[]));
        edges.push(edge(30, 31, ""));
        Dag { title: "a network of 30 layers".into(), nodes, edges }
    }

    /// Stem, nested cells with two inputs each, head.
    pub fn network() -> Dag {
        let mut nodes = vec![
            Node { detail: "3×32×32".into(), ..node("image", Kind::Input, &[]) },
            node("conv(16, 3)", Kind::Compute, &[]),
        ];
        let mut edges = vec![edge(0, 1, "")];
        let (mut before, mut last) = (1, 1);
        for c in 0..4 {
            let stage = format!("stage {}", c / 2 + 1);
            let cell = format!("{} cell {}", if c % 2 == 1 { "reduction" } else { "normal" }, c + 1);
            let group = [stage.as_str(), cell.as_str()];
            let first = nodes.len();
            for (label, kind) in [
                ("sep_conv_3x3", Kind::Compute),
                ("skip_connect", Kind::Identity),
                ("+", Kind::Merge),
                ("max_pool_3x3", Kind::Pool),
                ("dil_conv_5x5", Kind::Compute),
                ("+", Kind::Merge),
                ("concat", Kind::Merge),
            ] {
                nodes.push(node(label, kind, &group));
            }
            for (a, b) in [(before, first), (last, first + 1), (last, first + 3)] {
                edges.push(edge(a, b, ""));
            }
            for (a, b) in [(0, 2), (1, 2), (2, 4), (3, 5), (4, 5), (2, 6), (5, 6)] {
                edges.push(edge(first + a, first + b, ""));
            }
            (before, last) = (last, first + 6);
        }
        for (label, kind) in [("global_avg_pool", Kind::Pool), ("linear(10)", Kind::Compute), ("classes", Kind::Output)]
        {
            edges.push(edge(nodes.len() - 1, nodes.len(), ""));
            nodes.push(node(label, kind, &[]));
        }
        Dag { title: "four cells".into(), nodes, edges }
    }

    /// Tags are closed in order: enough of XML to see that nothing breaks it.
    pub fn assert_well_formed(svg: &str) {
        let mut open: Vec<&str> = Vec::new();
        let mut rest = svg;
        while let Some(at) = rest.find('<') {
            let end = at + rest[at..].find('>').expect("a tag ends");
            let tag = &rest[at + 1..end];
            let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
            if let Some(closing) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closing));
            } else if !tag.ends_with('/') {
                open.push(name);
            }
            rest = &rest[end + 1..];
        }
        assert!(open.is_empty(), "{open:?} never end");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(!svg.contains("var("), "variables are resolved");
    }

    #[test]
    fn pictures_are_whole() {
        for (dag, direction) in [
            (nasbench_cell(), Direction::Right),
            (darts_cell(), Direction::Right),
            (chain(), Direction::Down),
            (network(), Direction::Down),
            (network(), Direction::Right),
            (Dag::default(), Direction::Down),
        ] {
            let svg = draw(&dag, direction);
            assert_well_formed(&svg);
            assert_eq!(svg, draw(&dag, direction), "the same graph gives the same picture");
            for n in &dag.nodes {
                assert!(svg.contains(&escape(&n.label)));
            }
            if let Some(folder) = std::env::var_os("NASC_TEST_PICTURES") {
                let name = format!("{}-{direction:?}.svg", dag.title.replace(' ', "_"));
                std::fs::write(std::path::Path::new(&folder).join(name), svg).unwrap();
            }
        }
    }

    #[test]
    fn labels_are_escaped() {
        let mut dag = nasbench_cell();
        dag.title = "a < b & \"c\"".into();
        dag.nodes[0].label = "x >> <script>\u{7}".into();
        dag.edges[0].label = "</svg>".into();
        let svg = draw(&dag, Direction::Down);
        assert_well_formed(&svg);
        assert!(svg.contains("x &gt;&gt; &lt;script&gt; "));
    }

    #[test]
    fn colours_follow_names() {
        assert_eq!(Kind::of_operation("nor_conv_3x3"), Kind::Compute);
        assert_eq!(Kind::of_operation("AvgPool"), Kind::Pool);
        assert_eq!(Kind::of_operation("skip_connect"), Kind::Identity);
        assert_eq!(Kind::of_operation("none"), Kind::Nothing);
        assert_eq!(Kind::of_operation("batch_norm"), Kind::Pointwise);
    }
}
