//! Progress of `nasc run` on standard error: one line for the whole, one for each running trial with its learning curve.
//!
//! Where standard error is no terminal, a plain line now and then takes their place.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::table::{cut, duration, short};
use crate::search::engine::{Event, Observer, Point, Status, Trial, TrialId};

/// How to show progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Lines that change in place, this many cells wide.
    Terminal(u16),
    /// A line at the start, at each new best, and at least every ten seconds.
    Plain,
    /// Nothing, as with `--json`.
    Quiet,
}

/// A learning curve in at most `width` cells.
pub fn sparkline(curve: &[Point], width: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown: Vec<f64> = if curve.len() <= width {
        curve.iter().map(|p| p.1).collect()
    } else {
        // The last point of each of `width` equal parts, so the newest one is always there.
        (1..=width).map(|k| curve[k * curve.len() / width - 1].1).collect()
    };
    let finite = || shown.iter().copied().filter(|v| v.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    shown
        .iter()
        .map(|&v| {
            if !v.is_finite() {
                '✕'
            } else if high > low {
                LEVELS[(((v - low) / (high - low)) * 7.0).round() as usize]
            } else {
                LEVELS[3]
            }
        })
        .collect()
}

#[derive(Default)]
struct Counts {
    done: u64,
    failed: u64,
    cached: u64,
    used: f64,
    /// What was used when this session started: replayed trials take no time.
    used_before: Option<f64>,
    best: Option<Arc<Trial>>,
    running: BTreeMap<TrialId, Running>,
    spoken: Option<Instant>,
}

struct Running {
    bar: Option<ProgressBar>,
    curve: Vec<Point>,
    until: Option<u64>,
}

/// Draws the events of an engine.
pub struct Progress {
    mode: Mode,
    trials: Option<u64>,
    begun: Instant,
    bars: MultiProgress,
    total: ProgressBar,
    counts: Mutex<Counts>,
}

impl Progress {
    /// Draws on standard error. `trials` is the budget in trials, if there is one.
    pub fn new(mode: Mode, trials: Option<u64>) -> Self {
        let target = match mode {
            Mode::Terminal(_) => ProgressDrawTarget::stderr_with_hz(10),
            Mode::Plain | Mode::Quiet => ProgressDrawTarget::hidden(),
        };
        let bars = MultiProgress::with_draw_target(target);
        let total = bars.add(ProgressBar::new_spinner().with_style(style()));
        if let Mode::Terminal(_) = mode {
            total.enable_steady_tick(Duration::from_millis(250));
        }
        Self { mode, trials, begun: Instant::now(), bars, total, counts: Mutex::new(Counts::default()) }
    }

    /// Prints a line above the progress without disturbing it, for the program's `log(..)`.
    pub fn say(&self, line: &str) {
        match self.mode {
            Mode::Terminal(_) => {
                // The terminal may be gone; progress is no reason to stop a search.
                let _ = self.bars.println(line);
            }
            Mode::Plain => eprintln!("{line}"),
            Mode::Quiet => {}
        }
    }

    /// Removes the lines that change and leaves the last state of the whole.
    pub fn finish(&self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for running in std::mem::take(&mut counts.running).into_values() {
            if let Some(bar) = running.bar {
                bar.finish_and_clear();
            }
        }
        let line = self.summary(&counts, false);
        self.total.disable_steady_tick();
        self.total.finish_and_clear();
        match self.mode {
            Mode::Terminal(_) | Mode::Plain => eprintln!("{line}"),
            Mode::Quiet => {}
        }
    }

    fn summary(&self, counts: &Counts, with_rest: bool) -> String {
        let finished = counts.done + counts.failed + counts.cached;
        let mut parts = vec![match self.trials {
            Some(n) => format!("{finished}/{n} trials"),
            None => format!("{finished} trials"),
        }];
        if counts.used > 0.0 && self.trials.is_none() {
            parts.push(format!("{:.0} %", counts.used * 100.0));
        }
        // What a narrow terminal cuts off stands last.
        let elapsed = self.begun.elapsed().as_secs_f64();
        match time_left(elapsed, counts.used_before.unwrap_or(0.0), counts.used).filter(|_| with_rest) {
            Some(rest) => parts.push(format!("{}, about {} left", duration(elapsed), duration(rest))),
            None => parts.push(duration(elapsed)),
        }
        if counts.failed > 0 {
            parts.push(format!("{} failed", counts.failed));
        }
        if counts.cached > 0 {
            parts.push(format!("{} known", counts.cached));
        }
        if let Some(best) = &counts.best {
            let metrics: Vec<String> = best.metrics.iter().map(|(n, v)| format!("{n} {}", short(*v))).collect();
            let reward = short(best.reward().unwrap_or(f64::NAN));
            parts.push(format!("best {reward} in trial {} ({})", best.id, metrics.join(", ")));
        }
        parts.join(" · ")
    }

    fn width(&self) -> usize {
        match self.mode {
            Mode::Terminal(cells) => usize::from(cells).saturating_sub(3),
            Mode::Plain | Mode::Quiet => 200,
        }
    }

    fn describe(&self, trial: TrialId, running: &Running) -> String {
        let width = self.width();
        let step = running.curve.last().map_or(0, |p| p.0);
        let goal = running.until.map(|u| format!("/{u}")).unwrap_or_default();
        let value = running.curve.last().map(|p| short(p.1)).unwrap_or_default();
        let head = format!("trial {trial:<5} step {step}{goal:<4} {value:<8} ");
        let room = width.saturating_sub(head.chars().count()).min(40);
        cut(&format!("{head}{}", sparkline(&running.curve, room)), width)
    }

    fn refresh(&self, counts: &mut Counts, important: bool) {
        match self.mode {
            Mode::Terminal(_) => self.total.set_message(cut(&self.summary(counts, true), self.width())),
            Mode::Plain => {
                let due = counts.spoken.is_none_or(|t| t.elapsed() > Duration::from_secs(10));
                let soon = important && counts.spoken.is_none_or(|t| t.elapsed() > Duration::from_millis(500));
                if due || soon {
                    counts.spoken = Some(Instant::now());
                    eprintln!("{}", self.summary(counts, true));
                }
            }
            Mode::Quiet => {}
        }
    }
}

/// Seconds left if the rest of the budget goes as fast as this session's part.
fn time_left(elapsed: f64, used_before: f64, used: f64) -> Option<f64> {
    let part = used - used_before;
    (part > 0.005 && used < 1.0 && elapsed > 0.5).then(|| elapsed * (1.0 - used) / part)
}

fn style() -> ProgressStyle {
    // The template is a constant that indicatif accepts; its default is no worse than ours.
    ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Observer for Progress {
    fn event(&self, event: &Event) {
        if self.mode == Mode::Quiet {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { trial, until, curve, .. } => {
                let bar = matches!(self.mode, Mode::Terminal(_)).then(|| {
                    let plain =
                        ProgressStyle::with_template("  {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
                    self.bars.add(ProgressBar::new_spinner().with_style(plain))
                });
                let running = Running { bar, curve: curve.clone(), until: *until };
                if let Some(bar) = &running.bar {
                    bar.set_message(self.describe(*trial, &running));
                    bar.tick();
                }
                if counts.used_before.is_none() {
                    counts.used_before = Some(counts.used);
                }
                counts.running.insert(*trial, running);
                self.refresh(&mut counts, false);
            }
            Event::Point { trial: Some(trial), point } => {
                if let Some(running) = counts.running.get_mut(trial) {
                    running.curve.push(*point);
                    if let Some(bar) = &running.bar {
                        bar.set_message(self.describe(*trial, running));
                        bar.tick();
                    }
                }
                self.refresh(&mut counts, false);
            }
            Event::Point { trial: None, point } => {
                if let Mode::Terminal(_) = self.mode {
                    self.total.set_message(cut(
                        &format!("step {} · {} · {}", point.0, short(point.1), self.summary(&counts, true)),
                        self.width(),
                    ));
                } else {
                    self.refresh(&mut counts, false);
                }
            }
            Event::Finished(trial) => {
                match trial.status {
                    Status::Failed => counts.failed += 1,
                    Status::Cached => counts.cached += 1,
                    Status::Done | Status::Queued | Status::Running => counts.done += 1,
                }
                if let Some(bar) = counts.running.remove(&trial.id).and_then(|r| r.bar) {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
                if let Some(f) = trial.failure.as_ref().filter(|_| trial.same_as.is_none()) {
                    let line = format!("trial {} failed: {}", trial.id, f.reason);
                    match self.mode {
                        Mode::Terminal(_) => {
                            let _ = self.bars.println(cut(&line, self.width()));
                        }
                        Mode::Plain => eprintln!("{line}"),
                        Mode::Quiet => {}
                    }
                }
                self.refresh(&mut counts, false);
            }
            Event::Counted(n) => {
                counts.done = *n;
                self.refresh(&mut counts, false);
            }
            Event::Requeued(trial) => {
                if let Some(bar) = counts.running.remove(trial).and_then(|r| r.bar) {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
            }
            Event::Best(trial) => {
                counts.best = Some(trial.clone());
                self.refresh(&mut counts, true);
            }
            Event::Log(line) => match self.mode {
                Mode::Terminal(_) => {
                    let _ = self.bars.println(cut(line, self.width()));
                }
                Mode::Plain => eprintln!("{line}"),
                Mode::Quiet => {}
            },
            Event::Used(part) => {
                counts.used = *part;
                self.refresh(&mut counts, false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::table::tests::some_trials;

    #[test]
    fn a_sparkline_shows_the_shape_and_the_newest_point() {
        let curve: Vec<Point> = (0..8).map(|i| (i, i as f64)).collect();
        assert_eq!(sparkline(&curve, 20), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&curve, 4), "▁▃▆█");
        assert_eq!(sparkline(&[(0, 1.0), (1, 1.0)], 9), "▄▄");
        assert_eq!(sparkline(&[(0, 1.0), (1, f64::NAN), (2, 2.0)], 9), "▁✕█");
        assert_eq!(sparkline(&[], 9), "");
        let long: Vec<Point> = (0..1000).map(|i| (i, (i as f64).sqrt())).collect();
        let line = sparkline(&long, 30);
        assert_eq!(line.chars().count(), 30);
        assert!(line.ends_with('█'));
    }

    #[test]
    fn the_summary_counts_and_estimates() {
        let progress = Progress::new(Mode::Plain, None);
        for t in some_trials(20) {
            progress.event(&Event::Finished(t.clone()));
            if t.id.0 == 3 {
                progress.event(&Event::Best(t));
            }
        }
        progress.event(&Event::Used(0.25));
        let line = progress.summary(&progress.counts.lock().unwrap(), true);
        assert!(line.starts_with("20 trials · 25 % · 0.") && line.contains(" · 2 failed · best 0."), "{line}");
        assert!(line.contains("(accuracy 0.") && line.contains("in trial 3"), "{line}");
        assert_eq!(time_left(10.0, 0.0, 0.25), Some(30.0));
        assert_eq!(time_left(10.0, 0.5, 0.75), Some(10.0), "replayed trials took no time");
        assert_eq!(time_left(10.0, 0.0, 0.0), None);
        assert_eq!(time_left(10.0, 0.5, 1.0), None);
    }

    /// Also to be looked at: with `NASC_TEST_PICTURES` set it plays slowly on a terminal.
    #[test]
    fn lines_of_trials_come_and_go() {
        let slowly = std::env::var_os("NASC_TEST_PICTURES").map_or(0, |_| 60);
        let progress = Progress::new(Mode::Terminal(80), Some(8));
        for pair in some_trials(8).chunks(2) {
            for t in pair {
                progress.event(&Event::Started { trial: t.id, worker: 0, until: Some(10), curve: vec![] });
            }
            assert_eq!(progress.counts.lock().unwrap().running.len(), 2);
            for k in 0..10 {
                for t in pair {
                    progress.event(&Event::Point { trial: Some(t.id), point: t.curve[k] });
                }
                std::thread::sleep(Duration::from_millis(slowly));
            }
            for t in pair {
                let counts = progress.counts.lock().unwrap();
                let line = progress.describe(t.id, &counts.running[&t.id]);
                assert!(line.contains("step 10/10") && line.contains('▁') && line.contains('█'), "{line}");
                assert!(line.chars().count() <= 77);
                drop(counts);
                progress.event(&Event::Finished(t.clone()));
                progress.event(&Event::Best(t.clone()));
                progress.event(&Event::Used((t.id.0 + 1) as f64 / 8.0));
            }
        }
        progress.say("a line of the program");
        progress.finish();
        assert!(progress.counts.lock().unwrap().running.is_empty());
    }
}
