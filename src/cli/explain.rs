//! `nasc explain`: what a code means.

use std::fmt::Write;

use console::Style;

use super::OK;
use super::term::{Outcome, Terminal};
use crate::diag::{Diagnostic, codes, did_you_mean};

/// The widest that prose is set.
const PROSE: usize = 88;

/// `nasc explain`
pub fn command(term: &Terminal, code: Option<&str>) -> Outcome {
    let bold = term.style().bold();
    let Some(wanted) = code else {
        let mut group = "";
        let mut text = String::new();
        for c in codes::ALL {
            if c.id[..3] != *group {
                group = &c.id[..3];
                let _ = writeln!(text, "\n{}", bold.apply_to(group_title(group)));
            }
            let _ = writeln!(text, "  {}  {}", c.id, c.title);
        }
        term.out(text.trim_start_matches('\n'));
        return Ok(OK);
    };
    // `explain 401` is understood, too.
    let found = codes::find(wanted).or_else(|| codes::find(&format!("E{wanted:0>4}")));
    let Some(info) = found else {
        let d = Diagnostic::unplaced(&codes::UNKNOWN_CODE, format!("there is no code `{wanted}`"));
        let upper = wanted.to_uppercase();
        let close = did_you_mean(&upper, codes::ALL.iter().map(|c| c.id));
        return Err(match close {
            Some(k) => d.help(format!("did you mean `{k}`? `nasc explain` lists all")),
            None => d.help("`nasc explain` lists all codes"),
        }
        .into());
    };
    let title = format!("{}: {}", info.id, info.title);
    let body = page(info.page, term.width().min(PROSE), &term.style());
    term.out(&format!("{}\n\n{body}", bold.apply_to(title)));
    Ok(OK)
}

fn group_title(group: &str) -> &'static str {
    match group {
        "E01" => "Syntax",
        "E02" => "Names",
        "E03" => "Types and arguments",
        "E04" => "Shapes",
        "E05" => "Decisions",
        "E06" => "Primitives",
        "E07" => "Strategies and evaluations",
        "E08" => "Search blocks",
        "E09" => "Data",
        "E10" => "Runs",
        "E11" => "The command line",
        _ => "Warnings",
    }
}

/// Markdown for a terminal: prose is set anew, code is indented, `words` and **words** stand out.
fn page(markdown: &str, width: usize, style: &Style) -> String {
    let mut out = String::new();
    let mut prose = String::new();
    let mut fenced = false;
    let flush = |prose: &mut String, out: &mut String| {
        if !prose.is_empty() {
            let (first, rest) = if prose.starts_with("- ") { ("", "  ") } else { ("", "") };
            out.push_str(&filled(prose, width, first, rest, style));
            prose.clear();
        }
    };
    for line in markdown.lines() {
        if line.starts_with("```") {
            flush(&mut prose, &mut out);
            fenced = !fenced;
            continue;
        }
        if fenced {
            let text = format!("    {line}");
            let _ = writeln!(out, "{}", style.clone().cyan().apply_to(text.trim_end()));
            continue;
        }
        let heading = line.trim_start_matches('#');
        match line.trim() {
            "" => {
                flush(&mut prose, &mut out);
                if !out.ends_with("\n\n") {
                    out.push('\n');
                }
            }
            _ if heading.len() < line.len() => {
                flush(&mut prose, &mut out);
                let _ = writeln!(out, "{}", style.clone().bold().apply_to(heading.trim()));
            }
            text => {
                if text.starts_with("- ") {
                    flush(&mut prose, &mut out);
                }
                if !prose.is_empty() {
                    prose.push(' ');
                }
                prose.push_str(text);
            }
        }
    }
    flush(&mut prose, &mut out);
    out
}

/// Words in lines of at most `width` cells. Code between backticks is not broken.
fn filled(text: &str, width: usize, first: &str, rest: &str, style: &Style) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    for word in text.split(' ') {
        match words.last_mut() {
            Some(last) if open => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_string()),
        }
        if word.matches('`').count() % 2 == 1 {
            open = !open;
        }
    }
    let mut out = String::from(first);
    let mut column = console::measure_text_width(first);
    for (i, word) in words.iter().enumerate() {
        let w = console::measure_text_width(&word.replace("**", ""));
        if i > 0 && column + 1 + w > width {
            out.push('\n');
            out.push_str(rest);
            column = console::measure_text_width(rest);
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += w;
    }
    out.push('\n');
    accents(&out, style)
}

/// Colours `code` and sets **words** bold; the signs stay around code, where there is no colour to tell.
fn accents(text: &str, style: &Style) -> String {
    let mut out = String::new();
    for (i, part) in text.split('`').enumerate() {
        if i % 2 == 1 {
            out.push_str(&style.clone().cyan().apply_to(format!("`{part}`")).to_string());
            continue;
        }
        for (j, words) in part.split("**").enumerate() {
            if j % 2 == 1 {
                out.push_str(&style.clone().bold().apply_to(words).to_string());
            } else {
                out.push_str(words);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_fits_a_terminal() {
        for c in codes::ALL {
            let text = page(c.page, 60, &Style::new());
            assert!(!text.contains("```"), "{}", c.id);
            let prose = text.lines().filter(|l| !l.starts_with("    "));
            for line in prose {
                // A single word may be longer than the line.
                let wide = console::measure_text_width(line);
                assert!(wide <= 60 || !line.trim().contains(' ') || line.contains('`'), "{}: {line}", c.id);
            }
            let words = |s: &str| s.split_whitespace().map(|w| w.replace("**", "")).collect::<Vec<_>>();
            let plain: Vec<&str> = c.page.lines().filter(|l| !l.starts_with("```")).collect();
            assert_eq!(words(&text), words(&plain.join("\n")), "nothing is lost in {}", c.id);
        }
    }
}
