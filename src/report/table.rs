//! Tables of trials for the terminal, as wide as it is.

use std::sync::Arc;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::search::engine::{Status, Trial};

/// Where a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// Where its text stands.
    pub align: Align,
    /// Whether it may be cut when the terminal is narrow; others are left out instead, the last first.
    pub elastic: bool,
}

impl Column {
    /// A column with this heading.
    pub fn new(name: &str, align: Align, elastic: bool) -> Self {
        Self { name: name.to_string(), align, elastic }
    }
}

/// A table with headings and a line under them, no line wider than `width` cells.
///
/// Too wide a table first cuts its elastic columns down to 12 cells, then leaves out columns from the right; the first
/// column always stays.
pub fn table(columns: &[Column], rows: &[Vec<String>], width: usize) -> String {
    let natural: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(c, column)| {
            rows.iter().filter_map(|r| r.get(c)).map(|s| s.width()).chain([column.name.width()]).max().unwrap_or(0)
        })
        .collect();
    let least = |c: usize| if columns[c].elastic { natural[c].min(12) } else { natural[c] };
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let total = |shown: &[usize], size: &dyn Fn(usize) -> usize| -> usize {
        shown.iter().map(|&c| size(c)).sum::<usize>() + 2 * shown.len().saturating_sub(1)
    };
    while shown.len() > 1 && total(&shown, &least) > width {
        // Elastic columns say most; a plain one goes first.
        let gone = shown.iter().rposition(|&c| c > 0 && !columns[c].elastic).unwrap_or(shown.len() - 1);
        shown.remove(gone);
    }
    let mut widths = natural.clone();
    let mut excess = total(&shown, &|c| widths[c]).saturating_sub(width);
    while excess > 0 {
        let widest = shown.iter().copied().filter(|&c| widths[c] > least(c)).max_by_key(|&c| widths[c]);
        let Some(c) = widest.or_else(|| (widths[shown[0]] > 1).then_some(shown[0])) else { break };
        widths[c] -= 1;
        excess -= 1;
    }
    let line = |cells: &dyn Fn(usize) -> String| -> String {
        let mut line = String::new();
        for (k, &c) in shown.iter().enumerate() {
            if k > 0 {
                line.push_str("  ");
            }
            let cell = cut(&cells(c), widths[c]);
            let blanks = " ".repeat(widths[c] - cell.width());
            match columns[c].align {
                Align::Left => line.extend([cell, blanks]),
                Align::Right => line.extend([blanks, cell]),
            }
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    };
    let mut out = line(&|c| columns[c].name.clone());
    out.push_str(&line(&|c| "─".repeat(widths[c])));
    for row in rows {
        out.push_str(&line(&|c| row.get(c).cloned().unwrap_or_default()));
    }
    out
}

/// At most `width` cells; what is missing shows as an ellipsis. Control characters become blanks.
pub fn cut(s: &str, width: usize) -> String {
    let s: String = s.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if s.width() <= width {
        return s;
    }
    let mut out = String::new();
    let mut used = 0;
    for c in s.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > width {
            break;
        }
        used += w;
        out.push(c);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// A number in about six characters: `0.9714`, `12.35`, `1.24M`.
pub fn short(x: f64) -> String {
    let a = x.abs();
    for (size, suffix) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e5, "k")] {
        if a >= size && a < 1e15 {
            let unit = if suffix == "k" { 1e3 } else { size };
            return format!("{:.2}{suffix}", x / unit);
        }
    }
    if x == 0.0 || !x.is_finite() {
        return format!("{x}");
    }
    if x.fract() == 0.0 && a < 1e5 {
        return format!("{x:.0}");
    }
    match a {
        a if !(1e-3..1e15).contains(&a) => format!("{x:.2e}"),
        a if a < 10.0 => format!("{x:.4}"),
        a if a < 1000.0 => format!("{x:.2}"),
        _ => format!("{x:.1}"),
    }
}

/// Seconds as `0.4s`, `12s`, `3m 05s`, `2h 07m`.
pub fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0);
    match s {
        s if s < 10.0 => format!("{s:.1}s"),
        s if s < 59.5 => format!("{s:.0}s"),
        s if s < 3599.5 => {
            let s = s.round() as u64;
            format!("{}m {:02}s", s / 60, s % 60)
        }
        _ => {
            let m = (s / 60.0).round() as u64;
            format!("{}h {:02}m", m / 60, m % 60)
        }
    }
}

/// Trials with their rewards, metrics, time and candidate, in the order given.
pub fn trials(trials: &[Arc<Trial>], width: usize) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in trials.iter().flat_map(|t| &t.metrics) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let objectives = trials.iter().map(|t| t.rewards.len()).max().unwrap_or(0);
    // A lone objective that equals a metric would be the same column twice.
    let plain = |t: &Arc<Trial>| {
        t.rewards.first().is_none_or(|r| t.metrics.first().is_some_and(|m| m.1.to_bits() == r.to_bits()))
    };
    let reward = objectives == 1 && !trials.iter().all(plain);
    let mut columns = vec![Column::new("trial", Align::Right, false)];
    columns.push(Column::new("status", Align::Left, false));
    if reward {
        columns.push(Column::new("reward", Align::Right, false));
    }
    columns.extend(names.iter().map(|n| Column::new(n, Align::Right, false)));
    columns.push(Column::new("time", Align::Right, false));
    columns.push(Column::new("candidate", Align::Left, true));
    let rows: Vec<Vec<String>> = trials
        .iter()
        .map(|t| {
            let mut row = vec![t.id.to_string(), status(t)];
            if reward {
                row.push(t.reward().map(short).unwrap_or_default());
            }
            row.extend(names.iter().map(|n| t.metric(n).map(short).unwrap_or_default()));
            row.push(if t.started.is_some() { duration(t.seconds) } else { String::new() });
            row.push(match &t.failure {
                Some(f) => f.reason.clone(),
                None => brief_candidate(&t.candidate),
            });
            row
        })
        .collect();
    table(&columns, &rows, width)
}

fn status(t: &Trial) -> String {
    match (t.status, t.same_as) {
        (Status::Cached, Some(original)) => format!("= {original}"),
        (Status::Done, _) => match t.until {
            Some(step) => format!("done @{step}"),
            None => "done".into(),
        },
        (status, _) => status.name().into(),
    }
}

/// A candidate's values by decision, without quotes: `op=conv k=3`.
pub fn brief_candidate(json: &str) -> String {
    let Ok(serde_json::Value::Object(map)) = serde_json::from_str(json) else { return json.to_owned() };
    let show = |v: &serde_json::Value| match v {
        serde_json::Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    map.iter().map(|(k, v)| format!("{k}={}", show(v))).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::search::engine::{Failure, FailureKind, TrialId};

    pub fn some_trials(n: u64) -> Vec<Arc<Trial>> {
        let mut rng = crate::base::rng::Stream::new(7, "trials");
        (0..n)
            .map(|i| {
                let failed = i % 9 == 4;
                let accuracy = 0.97 - 0.3 * rng.unit() / (1.0 + i as f64 * 0.1);
                let params = 2e4 + 2e6 * rng.unit();
                Arc::new(Trial {
                    id: TrialId(i),
                    call: i,
                    candidate: format!("{{\"cell.edge(0,1).op\":\"nor_conv_{i}x3\",\"width\":{i}}}").into(),
                    key: format!("{i}").into(),
                    until: None,
                    parent: None,
                    continues: None,
                    repeat: 0,
                    status: if failed { Status::Failed } else { Status::Done },
                    same_as: None,
                    metrics: if failed {
                        vec![]
                    } else {
                        vec![("accuracy".into(), accuracy), ("params".into(), params)]
                    },
                    rewards: if failed { vec![] } else { vec![accuracy, -params] },
                    curve: (1..=10).map(|s| (s, accuracy * (1.0 - (-(s as f64) * 0.4).exp()))).collect(),
                    epochs: 10,
                    started: Some(0.0),
                    seconds: 61.0 * rng.unit(),
                    failure: failed.then(|| Failure::new(FailureKind::Nan, "the loss is not a number")),
                })
            })
            .collect()
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let all = some_trials(12);
        for width in [1, 5, 20, 40, 60, 80, 200] {
            let text = trials(&all, width);
            assert_eq!(text.lines().count(), 14);
            for line in text.lines() {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
        let wide = trials(&all, 200);
        assert!(wide.contains("cell.edge(0,1).op=nor_conv_11x3 width=11"));
        assert!(wide.contains("the loss is not a number"));
        assert!(!trials(&all, 40).contains("params"), "columns go before words are cut to nothing");
    }

    #[test]
    fn columns_line_up_whatever_the_script() {
        let columns = [("name", Align::Left), ("n", Align::Right)].map(|(name, align)| Column {
            name: name.into(),
            align,
            elastic: align == Align::Left,
        });
        let rows = [["注意力", "1"], ["é", "22"], ["a\tb", "333"]].map(|r| r.map(str::to_owned).to_vec());
        let text = table(&columns, &rows, 80);
        assert_eq!(text, "name      n\n──────  ───\n注意力    1\né        22\na b     333\n");
        assert_eq!(cut("注意力", 4), "注…");
        assert_eq!(cut("注意力", 5), "注意…");
    }

    #[test]
    fn numbers_and_times_are_short() {
        let got = [0.97139, 12.345, 0.0, -0.5, 3.0, 1_234_567.0, 123_456.0, 1e-9, f64::NAN, 99_999.5].map(short);
        assert_eq!(got, ["0.9714", "12.35", "0", "-0.5000", "3", "1.23M", "123.46k", "1.00e-9", "NaN", "99999.5"]);
        assert_eq!(
            [0.44, 12.3, 59.7, 185.0, 3599.9, 7620.0].map(duration),
            ["0.4s", "12s", "1m 00s", "3m 05s", "1h 00m", "2h 07m"]
        );
    }
}
