//! Why a text did not parse, in the user's words.

use pest::error::{Error, ErrorVariant, InputLocation};

use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};
use crate::syntax::KEYWORDS;
use crate::syntax::lex::{ITEM_WORDS, Kind};

use super::{Builder, Rule};

/// The furthest place that the grammar reached, and what could have stood there.
#[derive(Debug)]
pub struct Failure {
    /// Byte of the file.
    pub at: usize,
    /// Rules that were tried there.
    pub expected: Vec<Rule>,
}

impl Failure {
    pub fn new(e: &Error<Rule>, offset: usize) -> Self {
        let at = match e.location {
            InputLocation::Pos(p) | InputLocation::Span((p, _)) => p + offset,
        };
        let expected = match &e.variant {
            ErrorVariant::ParsingError { positives, .. } => positives.clone(),
            ErrorVariant::CustomError { .. } => Vec::new(),
        };
        Failure { at, expected }
    }
}

/// What a word of another language is here.
pub fn other_languages(word: &str) -> Option<&'static str> {
    Some(match word {
        "def" | "func" | "function" | "fun" => "fn",
        "import" | "include" | "require" => "use",
        "elif" | "elseif" | "elsif" => "else if",
        "and" => "&&",
        "or" => "||",
        "not" => "!",
        "null" | "nil" | "None" => "none",
        "True" => "true",
        "False" => "false",
        "const" | "val" => "let",
        "mut" => "var",
        _ => return None,
    })
}

/// `a`, `a or b`, `a, b or c`, each quoted.
pub fn listed(words: &[&str], and: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
    join(&quoted, and)
}

fn join(words: &[String], and: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

impl Builder<'_> {
    /// The report for a failure of the declaration or statement that starts at `start`.
    pub(super) fn explain(&self, failure: &Failure, start: usize) -> Diagnostic {
        let tokens = &self.lexed.tokens;
        // The token at the place, or the one around it.
        let mut i = tokens.partition_point(|t| t.end <= failure.at);
        i = i.min(tokens.len());
        let span = self.token_span(i);
        let word = self.word(i);
        let previous = i.checked_sub(1).map_or("", |p| self.word(p));
        let wants = |rules: &[Rule]| failure.expected.iter().any(|r| rules.contains(r));
        if let Some(d) = self.typo(i, start) {
            return d;
        }
        if let Some(m) = other_languages(word).filter(|_| !matches!(previous, "." | ",")) {
            return Diagnostic::new(&codes::UNKNOWN_KEYWORD, span, format!("`{word}` is not a word of the language"))
                .here("unexpected name")
                .help(format!("write `{m}`"))
                .fix(span, m, format!("write `{m}`"));
        }
        let name_wanted = wants(&[Rule::ident, Rule::pattern, Rule::param, Rule::index_decl, Rule::name, Rule::word]);
        let value_wanted =
            wants(&[Rule::expr, Rule::term, Rule::arith, Rule::range, Rule::dim, Rule::range_end, Rule::product]);
        if KEYWORDS.contains(&word) && (name_wanted || value_wanted) {
            let role = if name_wanted { "cannot be a name" } else { "cannot stand in an expression" };
            let d = Diagnostic::new(&codes::RESERVED_WORD, span, format!("`{word}` is a keyword and {role}"))
                .here("keyword");
            return if name_wanted && !value_wanted {
                d.help("choose another name").fix(span, format!("{word}_"), format!("call it `{word}_`"))
            } else {
                d.help("an expression was expected here; a name must be another word")
            };
        }
        let expected = describe(&failure.expected);
        let found = if i >= tokens.len() {
            "the end of the file".to_owned()
        } else if tokens[i].kind == Kind::Text {
            "a string".to_owned()
        } else {
            format!("`{word}`")
        };
        let d = if expected.is_empty() {
            Diagnostic::new(&codes::SYNTAX, span, format!("unexpected {found}")).here("not expected here")
        } else {
            Diagnostic::new(&codes::SYNTAX, span, format!("expected {}, found {found}", join(&expected, "or")))
                .here(format!("expected {}", join(&expected, "or")))
        };
        match (previous, word) {
            (">>", ">>") => d.help("between two `>>` stands an operation"),
            (_, "else") => d.help("`else` follows the `}` of an `if`"),
            (_, "=") if wants(&[Rule::args, Rule::eq]) => d.help("a comparison is written `==`"),
            (_, ":") => d.help("a label, a type or a map's value follows `:`; to assign, write `=`"),
            _ => d,
        }
    }

    /// A misspelt keyword at the start of the line of token `i`.
    fn typo(&self, i: usize, start: usize) -> Option<Diagnostic> {
        let tokens = &self.lexed.tokens;
        let begin = self.lexed.token_from(start);
        let opens = |j: usize| tokens[j].first || j == begin || self.word(j - 1) == "{" || self.word(j - 1) == "}";
        let first = (begin..=i.min(tokens.len() - 1)).rev().find(|&j| opens(j))?;
        let word = self.word(first);
        let next = tokens.get(first + 1)?;
        if tokens[first].kind != Kind::Word || next.kind != Kind::Word || next.first || KEYWORDS.contains(&word) {
            return None;
        }
        let known = ITEM_WORDS
            .iter()
            .chain(&["let", "var", "share", "for", "while", "if", "return", "forbid", "param", "state", "knob"]);
        let m = did_you_mean(word, known.copied()).or(other_languages(word))?;
        let span = self.token_span(first);
        Some(
            Diagnostic::new(&codes::UNKNOWN_KEYWORD, span, format!("there is no keyword `{word}`"))
                .here("unknown keyword")
                .help(format!("did you mean `{m}`?"))
                .fix(span, m, format!("write `{m}`")),
        )
    }

    /// The report for a call's `(` or an index's `[` that does not touch what it follows.
    pub(super) fn apart(&self, at: Span) -> Option<Diagnostic> {
        let i = self.lexed.token_from(at.start as usize);
        let token = self.lexed.tokens.get(i)?;
        let before = self.lexed.tokens.get(i.checked_sub(1)?)?;
        let callable = before.kind == Kind::Word && !KEYWORDS.contains(&self.word(i - 1));
        if token.first || !matches!(self.word(i), "(" | "[") || !callable {
            return None;
        }
        let what = if self.word(i) == "(" { "call" } else { "index" };
        let hole = Span::new(self.file, before.end, token.start);
        Some(
            Diagnostic::new(
                &codes::SYNTAX,
                self.token_span(i),
                format!("a {what}'s `{}` must touch what it follows", self.word(i)),
            )
            .here("this starts a statement of its own")
            .label(self.token_span(i - 1), "is not part of it")
            .fix(hole, "", "remove the space"),
        )
    }
}

/// Groups rules into what a reader would call them, the most telling first; operators only if nothing else fits.
fn describe(rules: &[Rule]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut operators = false;
    for r in rules {
        match name_of(*r) {
            Some("operator") => operators = true,
            Some(n) if !out.iter().any(|o| o == n) => out.push(n.to_owned()),
            _ => {}
        }
    }
    if out.iter().any(|o| o == "a statement") {
        out.retain(|o| o != "an expression" && o != "a declaration" && !o.starts_with("`k"));
    }
    if out.is_empty() && operators {
        out.push("an operator".to_owned());
    }
    if out.len() > 6 {
        out.truncate(6);
    }
    out
}

fn name_of(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::pipe
        | Rule::range_op
        | Rule::args
        | Rule::index
        | Rule::member_access
        | Rule::or
        | Rule::and
        | Rule::eq
        | Rule::ne
        | Rule::le
        | Rule::ge
        | Rule::lt
        | Rule::gt
        | Rule::add
        | Rule::sub
        | Rule::mul
        | Rule::div
        | Rule::rem
        | Rule::pow
        | Rule::op_assign
        | Rule::assign_op
        | Rule::map_value
        | Rule::lambda_body => "operator",
        Rule::expr
        | Rule::range
        | Rule::arith
        | Rule::term
        | Rule::neg
        | Rule::not
        | Rule::range_end
        | Rule::cond
        | Rule::product
        | Rule::paren
        | Rule::number
        | Rule::string
        | Rule::list
        | Rule::name
        | Rule::literal
        | Rule::amount
        | Rule::dim
        | Rule::arg
        | Rule::braces
        | Rule::reduce
        | Rule::reducer
        | Rule::lambda
        | Rule::alternative => "an expression",
        Rule::stmt | Rule::expr_stmt | Rule::prim_stmt => "a statement",
        Rule::item | Rule::head => "a declaration",
        Rule::ident | Rule::word | Rule::pattern => "a name",
        Rule::param => "a parameter",
        Rule::ty | Rule::ty_named => "a type",
        Rule::body | Rule::prim_body | Rule::lbrace | Rule::alternatives | Rule::fields => "`{`",
        Rule::params | Rule::lparen | Rule::ty_tuple => "`(`",
        Rule::rparen => "`)`",
        Rule::dims | Rule::lbrack | Rule::index_decls | Rule::arch_count => "`[`",
        Rule::rbrack => "`]`",
        Rule::rbrace => "`}`",
        Rule::comma => "`,`",
        Rule::colon => "`:`",
        Rule::bar => "`|`",
        Rule::dot => "`.`",
        Rule::rangle => "`>`",
        Rule::returns => "`->`",
        Rule::arrow => "`=>`",
        Rule::assign | Rule::body_or_expr => "`=`",
        Rule::update => "`<-`",
        Rule::kw_in | Rule::within => "`in`",
        Rule::kw_from | Rule::from => "`from`",
        Rule::w_nodes => "`nodes`",
        Rule::field => "a field",
        Rule::member => "`state` or `fn`",
        Rule::part => "`setup`, `predict` or `learn`",
        Rule::output => "an output such as `y[N, C]`",
        Rule::index_decl => "an index",
        _ => return None,
    })
}
