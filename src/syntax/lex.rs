//! A scan over the raw text before the grammar sees it. It finds what a grammar explains badly: brackets that do not
//! pair, unclosed strings, characters that the language does not have, nesting that is too deep. It also serves
//! everything that needs tokens or comments: trimming spans, explaining errors, formatting.

use crate::base::{FileId, Span};
use crate::diag::{Diagnostic, codes};

use super::ast::MAX_DEPTH;

/// What a token is, as far as the scan tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name or keyword.
    Word,
    /// A number with its unit.
    Number,
    /// A string with its quotes.
    Text,
    /// A bracket or sign.
    Sign,
}

/// A token or comment: its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it is.
    pub kind: Kind,
    /// How many brackets are open before it.
    pub depth: usize,
    /// True if it is the first on its line.
    pub first: bool,
    /// For a bracket, the index of its partner.
    pub partner: Option<usize>,
}

/// The result of the scan.
#[derive(Debug, Default)]
pub struct Lexed {
    /// Everything but comments.
    pub tokens: Vec<Token>,
    /// `//` comments, each to the end of its line.
    pub comments: Vec<Token>,
    /// What is wrong.
    pub errors: Vec<Diagnostic>,
    /// The text with what was reported blanked out; every other byte is where it was.
    pub text: String,
}

/// Signs of several characters, longest first.
const SIGNS: &[&str] =
    &["..=", ">>", "..", "=>", "==", "!=", "<=", ">=", "<-", "->", "||", "&&", "+=", "-=", "*=", "/=", "%=", "^="];

/// Words that begin a declaration.
pub const ITEM_WORDS: &[&str] = &[
    "use",
    "primitive",
    "block",
    "motif",
    "space",
    "fn",
    "strategy",
    "evaluation",
    "search",
    "environment",
    "algorithm",
];

/// Words that begin a statement and stand nowhere else (`for` also stands in comprehensions).
const STMT_WORDS: &[&str] = &["let", "var", "share", "while", "loop", "return", "break", "continue", "forbid"];

/// Scans `text`.
pub fn scan(file: FileId, text: &str) -> Lexed {
    let mut out = Lexed { text: text.to_owned(), ..Lexed::default() };
    split(file, text, &mut out);
    let before = out.errors.len();
    pair_up(file, text, &mut out, false);
    if out.errors.len() > before {
        // Some bracket has no partner: pair again, now trusting that a declaration at the left margin is a new one.
        out.errors.truncate(before);
        pair_up(file, text, &mut out, true);
    }
    limit_depth(file, text, &mut out);
    out
}

fn split(file: FileId, text: &str, out: &mut Lexed) {
    let bytes = text.as_bytes();
    let mut blanks: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    let mut first = true;
    while at < bytes.len() {
        let b = bytes[at];
        let start = at;
        let token = |kind, end, first| Token { start, end, kind, depth: 0, first, partner: None };
        match b {
            b'\n' => {
                first = true;
                at += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' => {
                at += 1;
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at = text[at..].find('\n').map_or(text.len(), |i| at + i);
                let end = start + text[start..at].trim_end().len();
                out.comments.push(token(Kind::Sign, end, first));
                continue;
            }
            b'"' => {
                at = string_end(bytes, at);
                if at > start + 1 && bytes[at - 1] == b'"' {
                    out.tokens.push(token(Kind::Text, at, first));
                } else {
                    out.errors.push(
                        Diagnostic::new(
                            &codes::UNCLOSED_STRING,
                            Span::new(file, start, at),
                            "this string is not closed",
                        )
                        .here("opened here, and the line ends")
                        .help("close it with `\"` on the same line; write a line end inside a string as `\\n`"),
                    );
                    // The rest of the line still counts as a token, so that nothing before it takes the blame.
                    out.tokens.push(token(Kind::Text, at, first));
                    blanks.push((start, at));
                }
            }
            b'0'..=b'9' => {
                at = number_end(bytes, at);
                out.tokens.push(token(Kind::Number, at, first));
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
                    at += 1;
                }
                out.tokens.push(token(Kind::Word, at, first));
            }
            _ => {
                if let Some(sign) = SIGNS.iter().find(|s| text[at..].starts_with(**s)) {
                    at += sign.len();
                    out.tokens.push(token(Kind::Sign, at, first));
                } else if b"()[]{},:|.*?<>+-/%^=!".contains(&b) {
                    at += 1;
                    out.tokens.push(token(Kind::Sign, at, first));
                } else {
                    let c = text[at..].chars().next().unwrap_or(' ');
                    at += c.len_utf8();
                    if start > 0 || c != '\u{feff}' {
                        out.errors.push(stray(file, start, c));
                    }
                    blanks.push((start, at));
                    continue;
                }
            }
        }
        first = false;
    }
    if !blanks.is_empty() {
        let mut raw = text.as_bytes().to_vec();
        for (a, b) in blanks {
            // An unclosed string stands for a value.
            let filler = if raw[a] == b'"' { b'0' } else { b' ' };
            raw[a..b].fill(b' ');
            raw[a] = filler;
        }
        out.text = String::from_utf8(raw).unwrap_or_else(|_| " ".repeat(text.len()));
    }
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\n' => return at,
            b'\\' if at + 1 < bytes.len() && bytes[at + 1] != b'\n' => {
                at += 2;
                // A character of several bytes may follow the backslash.
                while at < bytes.len() && bytes[at] & 0xC0 == 0x80 {
                    at += 1;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

fn number_end(bytes: &[u8], start: usize) -> usize {
    let get = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let mut at = start;
    while get(at).is_ascii_digit() || get(at) == b'_' {
        at += 1;
    }
    if get(at) == b'.' && get(at + 1).is_ascii_digit() {
        at += 1;
        while get(at).is_ascii_digit() || get(at) == b'_' {
            at += 1;
        }
    }
    if matches!(get(at), b'e' | b'E') && matches!(get(at + 1), b'+' | b'-') && get(at + 2).is_ascii_digit() {
        at += 2;
    }
    while get(at).is_ascii_alphanumeric() || get(at) == b'_' {
        at += 1;
    }
    let follows = get(at + 1);
    if get(at) == b'%' && !(follows.is_ascii_alphanumeric() || matches!(follows, b'_' | b'(' | b'=')) {
        at += 1;
    }
    at
}

fn stray(file: FileId, at: usize, c: char) -> Diagnostic {
    let span = Span::new(file, at, at + c.len_utf8());
    match c {
        ';' => Diagnostic::new(&codes::STRAY_CHARACTER, span, "`;` is not part of the language")
            .here("not needed")
            .help("a statement ends where its line ends")
            .fix(span, "", "remove the semicolon"),
        '\'' => Diagnostic::new(&codes::STRAY_CHARACTER, span, "a string stands in double quotes")
            .here("`'` has no meaning")
            .help("write \"text\""),
        '#' => Diagnostic::new(&codes::STRAY_CHARACTER, span, "`#` is not part of the language")
            .here("not a comment")
            .help("a comment starts with `//`"),
        '&' => Diagnostic::new(&codes::STRAY_CHARACTER, span, "`&` is not part of the language")
            .here("a single `&`")
            .help("the logical and is `&&`"),
        _ => Diagnostic::new(
            &codes::STRAY_CHARACTER,
            span,
            format!("`{}` is not part of the language", c.escape_debug()),
        )
        .here("this character has no meaning outside strings and comments"),
    }
}

fn pair_up(file: FileId, text: &str, out: &mut Lexed, resync: bool) {
    let mut open: Vec<usize> = Vec::new();
    let span = |t: &Token| Span::new(file, t.start, t.end);
    let unclosed = |t: &Token, end: Span, what: &str| {
        let sign = &text[t.start..t.end];
        Diagnostic::new(&codes::BRACKET, Span::new(file, t.start, t.end), format!("this `{sign}` is not closed"))
            .here("opened here")
            .label(end, format!("`{}` is missing {what}", closer(sign)))
    };
    for i in 0..out.tokens.len() {
        let t = out.tokens[i];
        out.tokens[i].partner = None;
        let sign = &text[t.start..t.end];
        if resync && !open.is_empty() && t.first && at_margin(text, t.start) && ITEM_WORDS.contains(&sign) {
            for &o in open.iter().rev() {
                let before = out.tokens[i - 1];
                out.errors.push(unclosed(&out.tokens[o], span(&before), "before the next declaration"));
            }
            open.clear();
        }
        out.tokens[i].depth = open.len();
        match sign {
            "(" | "[" | "{" => open.push(i),
            ")" | "]" | "}" => {
                if let Some(place) =
                    open.iter().rposition(|&o| closer(&text[out.tokens[o].start..out.tokens[o].end]) == sign)
                {
                    for &o in open[place + 1..].iter().rev() {
                        out.errors.push(unclosed(&out.tokens[o], span(&t), "before this"));
                    }
                    let partner = open[place];
                    open.truncate(place);
                    out.tokens[i].partner = Some(partner);
                    out.tokens[partner].partner = Some(i);
                    out.tokens[i].depth = open.len();
                } else {
                    let mut d = Diagnostic::new(
                        &codes::BRACKET,
                        span(&t),
                        format!("nothing is open that this `{sign}` closes"),
                    )
                    .here("closes nothing");
                    if let Some(&o) = open.last() {
                        d = d.label(span(&out.tokens[o]), "this is what is open here");
                    }
                    out.errors.push(d.fix(span(&t), "", format!("remove the `{sign}`")));
                }
            }
            _ => {}
        }
    }
    for &o in open.iter().rev() {
        let end = Span::new(file, text.len(), text.len());
        out.errors.push(unclosed(&out.tokens[o], end, "before the end of the file"));
    }
}

fn at_margin(text: &str, at: usize) -> bool {
    at == 0 || text.as_bytes()[at - 1] == b'\n'
}

fn closer(open: &str) -> &'static str {
    match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

/// Bounds the recursion of everything that follows. Each open bracket is a level, and so is each operator and prefix
/// form since the last place of the same bracket where an expression certainly ended: the sum bounds the depth of the
/// tree and of the grammar's recursion from above.
fn limit_depth(file: FileId, text: &str, out: &mut Lexed) {
    let mut chain: Vec<usize> = vec![0];
    let mut total = 0;
    let mut reported = false;
    for i in 0..out.tokens.len() {
        let t = out.tokens[i];
        let s = &text[t.start..t.end];
        let previous = i.checked_sub(1).map_or("", |p| &text[out.tokens[p].start..out.tokens[p].end]);
        let ended = i > 0
            && (matches!(out.tokens[i - 1].kind, Kind::Number | Kind::Text)
                || matches!(previous, ")" | "}")
                || out.tokens[i - 1].kind == Kind::Word && !super::KEYWORDS.contains(&previous));
        let touches = i > 0 && out.tokens[i - 1].end == t.start && matches!(previous, ")" | "]");
        let goes_on = t.kind == Kind::Sign && !matches!(s, "(" | "[" | "}" | ")" | "]")
            || matches!(s, "from" | "in" | "as" | "given" | "step" | "log" | "nodes" | "else" | "for" | "if");
        let starts_new = t.first && ended && !goes_on
            || matches!(s, "," | "|" | "=" | "<-")
            || (previous != "." && s != "fn" && (STMT_WORDS.contains(&s) || ITEM_WORDS.contains(&s)));
        if let Some(c) = chain.last_mut() {
            if starts_new {
                total -= *c;
                *c = 0;
            }
            let prefix_form = matches!(
                s,
                "choose"
                    | "sum"
                    | "max"
                    | "min"
                    | "mean"
                    | "prod"
                    | "if"
                    | "else"
                    | "repeat"
                    | "assemble"
                    | "fn"
                    | "for"
            );
            let call = matches!(s, "(" | "[") && touches;
            let sign = t.kind == Kind::Sign && !matches!(s, "," | "|" | ":" | "=" | "(" | "[" | "{" | ")" | "]" | "}");
            if prefix_form || call || sign {
                *c += 1;
                total += 1;
            }
        }
        match s {
            "(" | "[" | "{" => {
                chain.push(0);
                total += 1;
            }
            ")" | "]" | "}" if chain.len() > 1 => {
                total -= chain.pop().unwrap_or(0) + 1;
            }
            _ => {}
        }
        if total > MAX_DEPTH && !reported {
            reported = true;
            out.errors.push(
                Diagnostic::new(
                    &codes::TOO_DEEP,
                    Span::new(file, t.start, t.end),
                    format!("this is nested more than {MAX_DEPTH} levels deep"),
                )
                .here("the limit is passed here")
                .help("give the inner parts names with `let`, or move them into a function or block"),
            );
        }
    }
}

impl Lexed {
    /// Was the nesting too deep to go on?
    pub fn too_deep(&self) -> bool {
        self.errors.iter().any(|d| d.code == &codes::TOO_DEEP)
    }

    /// The index of the first token that starts at or after `at`.
    pub fn token_from(&self, at: usize) -> usize {
        self.tokens.partition_point(|t| t.start < at)
    }

    /// Where the last token ends that lies before `end`.
    pub fn last_end(&self, end: usize) -> usize {
        let i = self.tokens.partition_point(|t| t.end <= end);
        i.checked_sub(1).map_or(0, |i| self.tokens[i].end)
    }
}
