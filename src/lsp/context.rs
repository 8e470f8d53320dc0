//! What stands around a place, from the tokens: also where the text does not parse.

use super::analysis::Analysis;
use crate::syntax::lex::Kind;

/// A call whose parentheses are open at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// The name of what is called.
    pub name: String,
    /// Where the name starts.
    pub at: usize,
    /// Whether it is called as `x.name(..)`.
    pub method: bool,
    /// How many commas stand between the parenthesis and the place.
    pub argument: usize,
    /// The name of the argument at the place, if it has one.
    pub named: Option<String>,
    /// The names of all arguments that have one.
    pub given: Vec<String>,
}

/// The innermost call around a byte.
pub fn open_call(a: &Analysis, at: usize) -> Option<OpenCall> {
    let tokens = &a.lexed.tokens;
    let mut depth = 0;
    let mut argument = 0;
    let mut named: Option<String> = None;
    let mut i = tokens.partition_point(|t| t.end <= at);
    // A word that ends at the place belongs to the argument; an opening bracket there does, too.
    while i > 0 {
        i -= 1;
        match a.token(i) {
            ")" | "]" | "}" => depth += 1,
            "[" | "{" if depth == 0 => return None,
            "(" if depth == 0 => {
                let before = i.checked_sub(1)?;
                let t = &tokens[before];
                if t.kind != Kind::Word || t.end != tokens[i].start {
                    // A tuple or a group: the call may be further out.
                    argument = 0;
                    named = None;
                    continue;
                }
                let method = before > 0 && a.token(before - 1) == ".";
                let given = given(a, i);
                let name = a.token(before).to_string();
                return Some(OpenCall { name, at: t.start, method, argument, named, given });
            }
            "(" | "[" | "{" => depth -= 1,
            "," if depth == 0 => argument += 1,
            "=" if depth == 0 && argument == 0 && named.is_none() && i > 0 && tokens[i - 1].kind == Kind::Word => {
                named = Some(a.token(i - 1).to_string());
            }
            _ => {}
        }
    }
    None
}

/// The names of the arguments between a parenthesis and its partner.
fn given(a: &Analysis, open: usize) -> Vec<String> {
    let tokens = &a.lexed.tokens;
    let end = tokens[open].partner.unwrap_or(tokens.len());
    let depth = tokens[open].depth + 1;
    (open + 1..end)
        .filter(|&i| a.token(i) == "=" && tokens[i].depth == depth && tokens[i - 1].kind == Kind::Word)
        .map(|i| a.token(i - 1).to_string())
        .collect()
}

/// Where a completion stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a comment: nothing is offered.
    Comment,
    /// In a string, whose text up to the place is this.
    Text(String),
    /// In a `use`, after these words.
    Use(Vec<String>),
    /// After a dot.
    Member,
    /// After the colon of a parameter or variable.
    Type,
    /// Where a field of a search begins, with the fields that are there.
    Field(Vec<String>),
    /// After `field =` in a search.
    Value(String),
    /// Anywhere else.
    Code,
}

/// What may stand at a byte.
pub fn place(a: &Analysis, at: usize) -> Place {
    if a.lexed.comments.iter().any(|c| c.start < at && at <= c.end) {
        return Place::Comment;
    }
    let tokens = &a.lexed.tokens;
    if let Some(t) = tokens.iter().find(|t| t.kind == Kind::Text && t.start < at && at < t.end) {
        return Place::Text(a.text()[t.start + 1..at].to_string());
    }
    // The word that is being typed does not count.
    let mut i = tokens.partition_point(|t| t.end < at);
    if tokens.get(i).is_none_or(|t| t.kind != Kind::Word || t.start >= at) {
        i = tokens.partition_point(|t| t.end <= at);
    }
    let before = |n: usize| i.checked_sub(n).map_or("", |k| a.token(k));
    // A `use` is one line.
    let line = a.lines().start(a.lines().line(at)).unwrap_or(0);
    let first = tokens.partition_point(|t| t.start < line);
    if first < i && a.token(first) == "use" {
        let words = (first + 1..i).filter(|&k| tokens[k].kind == Kind::Word);
        let mut path: Vec<String> = words.map(|k| a.token(k).to_string()).collect();
        // Names in braces are siblings.
        if let Some(open) = (first..i).find(|&k| a.token(k) == "{") {
            path.truncate((first + 1..open).filter(|&k| tokens[k].kind == Kind::Word).count());
        }
        return Place::Use(path);
    }
    if before(1) == "." {
        return Place::Member;
    }
    if let Some((open, header)) = search_around(a, i) {
        let depth = tokens[open].depth + 1;
        let _ = header;
        let here = tokens.get(i).map_or_else(|| tokens.last().map_or(0, |t| t.depth), |t| t.depth);
        if before(1) == "=" && i >= 2 && tokens[i - 2].kind == Kind::Word && tokens[i - 2].depth == depth {
            return Place::Value(a.token(i - 2).to_string());
        }
        let begins = tokens.get(i).is_none_or(|t| t.first || t.start >= at);
        let own_line = tokens[i - 1].end <= line || before(1) == "{";
        if own_line && begins && (here == depth || before(1) == "{" || here + 1 == depth) {
            let end = tokens[open].partner.unwrap_or(tokens.len());
            let fields = (open + 1..end)
                .filter(|&k| a.token(k) == "=" && tokens[k].depth == depth && tokens[k - 1].kind == Kind::Word);
            return Place::Field(fields.map(|k| a.token(k - 1).to_string()).collect());
        }
    }
    if before(1) == ":" && in_parameters(a, i) {
        return Place::Type;
    }
    Place::Code
}

/// The brace of the search block around a token.
fn search_around(a: &Analysis, i: usize) -> Option<(usize, usize)> {
    let tokens = &a.lexed.tokens;
    let mut k = i;
    let mut depth = 0;
    while k > 0 {
        k -= 1;
        match a.token(k) {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" if depth == 0 => return None,
            "{" if depth == 0 => {
                let header = k.checked_sub(2)?;
                return (a.token(header) == "search" && tokens[k].depth == 0).then_some((k, header));
            }
            "(" | "[" | "{" => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Whether a colon before token `i` introduces a type: after a parameter of a declaration, or after `let x` or `var x`.
fn in_parameters(a: &Analysis, i: usize) -> bool {
    let back = |n: usize| i.checked_sub(n).map_or("", |k| a.token(k));
    if matches!(back(3), "let" | "var") {
        return true;
    }
    let tokens = &a.lexed.tokens;
    let mut depth = 0;
    let mut k = i;
    while k > 0 {
        k -= 1;
        match a.token(k) {
            ")" | "]" | "}" => depth += 1,
            "(" if depth == 0 => {
                let Some(head) = k.checked_sub(2) else { return false };
                // `motif m[6](..)` has its count in between.
                let named = crate::syntax::lex::ITEM_WORDS.contains(&a.token(head));
                let counted = a.token(k - 1) == "]"
                    && tokens[k - 1]
                        .partner
                        .and_then(|o| o.checked_sub(2))
                        .is_some_and(|h| crate::syntax::lex::ITEM_WORDS.contains(&a.token(h)));
                return named || counted;
            }
            "[" | "{" if depth == 0 => return false,
            "(" | "[" | "{" => depth -= 1,
            _ => {}
        }
    }
    false
}
