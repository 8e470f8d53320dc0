//! Charts of a search as SVG: rewards over trials with the best so far, learning curves, and the Pareto front.

use std::fmt::Write;
use std::sync::Arc;

use super::svg::{open, text, text_width};
use crate::search::engine::{Point, Trial, pareto_front};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 52.0;

const STYLE: &str = "\
.nasc .grid{stroke:var(--rim);stroke-width:.7;opacity:.7}.nasc .axis{stroke:var(--soft);stroke-width:1}\
.nasc .dot{fill:var(--line);opacity:.55}.nasc .best{fill:none;stroke:#2f7ed8;stroke-width:2.2}.nasc .top{fill:#2f7ed8}\
.nasc .curve{fill:none;stroke:var(--line);stroke-width:1;opacity:.35}.nasc .leader{fill:none;stroke:#2f7ed8;stroke-width:2.2}\
.nasc .note{paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}.nasc .cross{stroke:#d64545;stroke-width:1.3;opacity:.8}";

/// Round steps (1, 2 or 5 times a power of ten) that cover `low..=high` in about `count` intervals.
fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let raw = (high - low) / count as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].iter().map(|f| f * power).find(|s| *s >= raw * 0.999).unwrap_or(raw);
    let first = (low / step).ceil() as i64;
    let last = (high / step + 1e-6).floor() as i64;
    (first..=last).map(|k| k as f64 * step).collect()
}

/// A number on an axis with these ticks: all have one unit and one number of decimals.
fn tick_label(x: f64, ticks: &[f64]) -> String {
    let magnitude = ticks.iter().fold(0.0_f64, |m, t| m.max(t.abs()));
    let step = if ticks.len() > 1 { ticks[1] - ticks[0] } else { magnitude.max(1e-3) };
    if x == 0.0 || x.abs() < step * 1e-6 {
        return "0".into();
    }
    for (size, suffix) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")] {
        if magnitude >= size {
            let unit = if suffix == "k" { 1e3 } else { size };
            let decimals = usize::from(step / unit < 0.999);
            return format!("{:.decimals$}{suffix}", x / unit);
        }
    }
    if magnitude < 1e-4 {
        return format!("{x:.1e}");
    }
    let decimals = (-(step * 1.001).log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{x:.decimals$}")
}

/// A chart's frame and its mapping from data to the page.
struct Frame {
    svg: String,
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn new(title: &str, x_name: &str, y_name: &str, x: (f64, f64), y: (f64, f64), whole_x: bool) -> Self {
        let widen = |(low, high): (f64, f64)| {
            let pad = if high > low { (high - low) * 0.04 } else { low.abs().max(1.0) * 0.05 };
            (low - pad, high + pad)
        };
        let mut frame = Self { svg: open(WIDTH, HEIGHT, STYLE, title), x: widen(x), y: widen(y) };
        text(&mut frame.svg, LEFT, 26.0, 14.0, "start", "", title);
        let xs: Vec<f64> =
            ticks(frame.x.0, frame.x.1, 8).into_iter().filter(|t| !whole_x || t.fract() == 0.0).collect();
        let ys = ticks(frame.y.0, frame.y.1, 6);
        for &t in &xs {
            let px = frame.px(t);
            let _ = writeln!(frame.svg, r#"<path class="grid" d="M{px:.1} {TOP:.1}V{:.1}"/>"#, HEIGHT - BOTTOM);
            text(&mut frame.svg, px, HEIGHT - BOTTOM + 18.0, 11.0, "middle", "soft", &tick_label(t, &xs));
        }
        for &t in &ys {
            let py = frame.py(t);
            let _ = writeln!(frame.svg, r#"<path class="grid" d="M{LEFT:.1} {py:.1}H{:.1}"/>"#, WIDTH - RIGHT);
            text(&mut frame.svg, LEFT - 8.0, py + 4.0, 11.0, "end", "soft", &tick_label(t, &ys));
        }
        let _ = writeln!(
            frame.svg,
            r#"<path class="axis" fill="none" d="M{LEFT:.1} {TOP:.1}V{:.1}H{:.1}"/>"#,
            HEIGHT - BOTTOM,
            WIDTH - RIGHT
        );
        text(&mut frame.svg, f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 14.0, 12.0, "middle", "", x_name);
        text(&mut frame.svg, WIDTH - RIGHT, 26.0, 12.0, "end", "soft", y_name);
        frame
    }

    fn px(&self, x: f64) -> f64 {
        LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn py(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - (y - self.y.0) / (self.y.1 - self.y.0) * (HEIGHT - TOP - BOTTOM)
    }

    fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        let (px, py) = (self.px(x), self.py(y));
        let _ = writeln!(self.svg, r#"<circle class="{class}" cx="{px:.1}" cy="{py:.1}" r="{radius}"/>"#);
    }

    fn line(&mut self, class: &str, points: &[(f64, f64)], stairs: bool) {
        let mut d = String::new();
        for (k, &(x, y)) in points.iter().enumerate() {
            let (px, py) = (self.px(x), self.py(y));
            let _ = match (k, stairs) {
                (0, _) => write!(d, "M{px:.1} {py:.1}"),
                (_, true) => write!(d, "H{px:.1}V{py:.1}"),
                (_, false) => write!(d, "L{px:.1} {py:.1}"),
            };
        }
        let _ = writeln!(self.svg, r#"<path class="{class}" d="{d}"/>"#);
    }

    /// A label beside a point, kept inside the frame.
    fn note(&mut self, (x, y): (f64, f64), content: &str) {
        let (px, py) = (self.px(x), self.py(y));
        let wide = text_width(content, 11.0);
        let (at, anchor) = if px + 8.0 + wide > WIDTH - RIGHT { (px - 8.0, "end") } else { (px + 8.0, "start") };
        let baseline = if py - 20.0 < TOP { py + 18.0 } else { py - 8.0 };
        text(&mut self.svg, at, baseline, 11.0, anchor, "note", content);
    }

    fn close(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| v.is_finite()).fold(None, |r, v| match r {
        None => Some((v, v)),
        Some((low, high)) => Some((low.min(v), high.max(v))),
    })
}

/// Most of the values: a few diverged trials must not flatten everything else.
fn robust_range(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.retain(|v| v.is_finite());
    values.sort_by(f64::total_cmp);
    let (&low, &high) = (values.first()?, values.last()?);
    if values.len() < 20 {
        return Some((low, high));
    }
    let (q1, q3) = (values[values.len() / 4], values[values.len() * 3 / 4]);
    let reach = (q3 - q1) * 6.0;
    Some(if reach > 0.0 { (low.max(q1 - reach), high.min(q3 + reach)) } else { (low, high) })
}

fn nothing(title: &str) -> String {
    let mut svg = open(WIDTH, 120.0, STYLE, title);
    text(&mut svg, WIDTH / 2.0, 64.0, 13.0, "middle", "soft", "no results yet");
    svg.push_str("</svg>\n");
    svg
}

/// The reward of every trial and the best so far, in the order given. Failed trials are crosses at the bottom.
pub fn search_curve(trials: &[Arc<Trial>], name: &str) -> String {
    let title = "rewards over trials";
    let rewards: Vec<f64> = trials.iter().filter_map(|t| t.reward()).collect();
    let Some(mut y) = robust_range(rewards) else { return nothing(title) };
    let top = trials.iter().filter_map(|t| t.reward()).fold(f64::NEG_INFINITY, f64::max);
    y.1 = y.1.max(top);
    let mut frame = Frame::new(title, "trial", name, (0.0, trials.len().saturating_sub(1) as f64), y, true);
    let mut best: Vec<(f64, f64)> = Vec::new();
    for (i, t) in trials.iter().enumerate() {
        let x = i as f64;
        match t.reward() {
            Some(r) => {
                frame.dot("dot", (x, r.max(frame.y.0)), 2.4);
                if best.last().is_none_or(|b| r > b.1) {
                    best.push((x, r));
                }
            }
            None if t.failure.is_some() => {
                let (px, py) = (frame.px(x), HEIGHT - BOTTOM - 6.0);
                let _ =
                    writeln!(frame.svg, r#"<path class="cross" d="M{:.1} {:.1}l6 6m0 -6l-6 6"/>"#, px - 3.0, py - 3.0);
            }
            None => {}
        }
    }
    if let Some(&leader) = best.last() {
        best.push(((trials.len() - 1) as f64, leader.1));
        frame.line("best", &best, true);
        frame.dot("top", leader, 3.6);
        frame.note(leader, &format!("best {:.4}", leader.1));
    }
    frame.close()
}

/// All learning curves; the best trial's stands out. `name` says what the curves show.
pub fn learning_curves(trials: &[Arc<Trial>], name: &str) -> String {
    let title = "learning curves";
    let values: Vec<f64> = trials.iter().flat_map(|t| t.curve.iter().map(|p| p.1)).collect();
    let steps = range(trials.iter().flat_map(|t| t.curve.iter().map(|p| p.0 as f64)));
    let (Some(x), Some(y)) = (steps, robust_range(values)) else { return nothing(title) };
    let mut frame = Frame::new(title, "step", name, x, y, true);
    let best =
        trials.iter().filter(|t| t.reward().is_some()).reduce(|a, b| if b.reward() > a.reward() { b } else { a });
    let (low, high) = frame.y;
    let points = |curve: &[Point]| -> Vec<(f64, f64)> {
        curve.iter().filter(|p| p.1.is_finite()).map(|&(s, v)| (s as f64, v.clamp(low, high))).collect()
    };
    for t in trials.iter().filter(|t| t.same_as.is_none()) {
        frame.line("curve", &points(&t.curve), false);
    }
    if let Some(t) = best {
        let line = points(&t.curve);
        frame.line("leader", &line, false);
        if let Some(&end) = line.last() {
            frame.dot("top", end, 3.6);
            frame.note(end, &format!("trial {}: {:.4}", t.id, end.1));
        }
    }
    frame.close()
}

/// Two metrics of every trial; the Pareto front of the rewards stands out.
pub fn pareto(trials: &[Arc<Trial>], x_metric: &str, y_metric: &str) -> String {
    let title = format!("{y_metric} against {x_metric}");
    let at =
        |t: &Trial| Some((t.metric(x_metric)?, t.metric(y_metric)?)).filter(|p| p.0.is_finite() && p.1.is_finite());
    let points: Vec<(f64, f64)> = trials.iter().filter_map(|t| at(t)).collect();
    let (Some(x), Some(y)) = (range(points.iter().map(|p| p.0)), robust_range(points.iter().map(|p| p.1).collect()))
    else {
        return nothing(&title);
    };
    let mut frame = Frame::new(&title, x_metric, y_metric, x, y, false);
    for &p in &points {
        frame.dot("dot", (p.0, p.1.clamp(frame.y.0, frame.y.1)), 2.6);
    }
    let mut front: Vec<(f64, f64)> = pareto_front(trials).iter().filter_map(|t| at(t)).collect();
    front.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    frame.line("best", &front, true);
    for &p in &front {
        frame.dot("top", p, 3.6);
    }
    frame.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::svg::tests::assert_well_formed;
    use crate::report::table::tests::some_trials;

    #[test]
    fn axes_have_round_ticks() {
        assert_eq!(ticks(0.0, 1.0, 5).len(), 6);
        let labels = |low: f64, high: f64| -> Vec<String> {
            let t = ticks(low, high, 5);
            t.iter().map(|&x| tick_label(x, &t)).collect()
        };
        assert_eq!(labels(0.87, 0.93), ["0.88", "0.90", "0.92"]);
        assert_eq!(labels(-3.0, 3.0), ["-2", "0", "2"]);
        assert_eq!(labels(0.0, 1.6e6), ["0", "0.5M", "1.0M", "1.5M"]);
        assert_eq!(labels(0.0, 41_000.0), ["0", "10k", "20k", "30k", "40k"]);
    }

    #[test]
    fn charts_are_whole() {
        let trials = some_trials(60);
        for (name, svg) in [
            ("search", search_curve(&trials, "accuracy")),
            ("curves", learning_curves(&trials, "accuracy")),
            ("pareto", pareto(&trials, "params", "accuracy")),
            ("empty", search_curve(&[], "accuracy")),
            ("one", search_curve(&trials[..1], "accuracy")),
            ("unknown", pareto(&trials, "params", "nothing of that name")),
        ] {
            assert_well_formed(&svg);
            if let Some(folder) = std::env::var_os("NASC_TEST_PICTURES") {
                std::fs::write(std::path::Path::new(&folder).join(format!("chart-{name}.svg")), svg).unwrap();
            }
        }
    }

    #[test]
    fn one_diverged_trial_does_not_flatten_the_rest() {
        let mut values: Vec<f64> = (0..50).map(|i| 0.8 + f64::from(i) * 0.001).collect();
        values.push(-1e9);
        let (low, high) = robust_range(values).unwrap();
        assert!(low > 0.0 && high < 1.0);
    }
}
