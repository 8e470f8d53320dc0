//! The first example on every page of `docs/errors` produces the code that the page explains.

use nasc::diag::codes;

use super::ui;

/// Codes whose examples this test cannot produce, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("E0507", "about a candidate, not about a text"),
    ("E0611", "found while a graph is built; elaboration says E0401 or E0402 before"),
    ("E0612", "found while a graph is built; elaboration says E0403 before"),
    ("E0614", "found while a graph is built; elaboration says E0301 before"),
    ("E0618", "found while a graph is built; elaboration says E0306 before"),
];

/// Ranges with checkers of their own.
const OTHER_CHECKERS: &[(&str, &str)] = &[
    ("E07", "programs: tested beside their checker"),
    ("W07", "programs: tested beside their checker"),
    ("E08", "search blocks: tested beside their setup"),
    ("W08", "search blocks: tested beside their setup"),
    ("E09", "data: tested beside the sources"),
    ("E10", "runs: tested beside the store"),
    ("E11", "the command line: tested with the program itself"),
];

fn example(page: &str) -> Option<&str> {
    let from = page.find("```nas\n")? + 7;
    let to = page[from..].find("```")?;
    Some(&page[from..from + to])
}

#[test]
fn examples_produce_their_codes() {
    let mut failures = Vec::new();
    for code in codes::ALL {
        let skip = OTHER_CHECKERS.iter().any(|(p, _)| code.id.starts_with(p));
        if skip {
            continue;
        }
        let elsewhere = ELSEWHERE.iter().any(|(c, _)| *c == code.id);
        let Some(text) = example(code.page) else {
            if !elsewhere {
                failures.push(format!("{}: the page has no example", code.id));
            }
            continue;
        };
        let (_, found) = ui::diagnostics("example.nas", text, None);
        let codes: Vec<&str> = found.iter().map(|d| d.code.id).collect();
        let produced = codes.contains(&code.id);
        if produced && elsewhere {
            failures.push(format!("{}: its example produces it; take it off the list", code.id));
        }
        if !produced && !elsewhere {
            failures.push(format!("{}: the example produces {codes:?}", code.id));
        }
        // An example shows one thing.
        // Pages about syntax are short: they may leave out the `use`, and one missing bracket may end a string.
        let syntax = code.id.starts_with("E01") || code.id == "E0201";
        let others: Vec<&&str> = (codes.iter())
            .filter(|c| **c != code.id && !(syntax && (c.starts_with("E01") || **c == "E0203")))
            .collect();
        if produced && !others.is_empty() {
            failures.push(format!("{}: the example also produces {others:?}", code.id));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
