//! Layout: a document of texts and possible line ends, laid out within a width (after Wadler's "A prettier printer",
//! with comments as an element of their own, so that they may stand anywhere without disturbing what is around them).

/// A document.
#[derive(Clone, Debug)]
pub enum Doc {
    /// Text without a line end.
    Text(String),
    /// A space, or a line end where the group is broken.
    Line,
    /// Nothing, or a line end where the group is broken.
    Soft,
    /// A line end.
    Hard,
    /// A line end and an empty line.
    Blank,
    /// First if flat, second if broken.
    Either(&'static str, &'static str),
    /// A comment; true if it has a line of its own. What follows starts a new line.
    Comment(String, bool),
    /// One after the other.
    All(Vec<Doc>),
    /// Deeper by so many columns.
    Nest(usize, Box<Doc>),
    /// Line ends go to the column where this starts.
    Align(Box<Doc>),
    /// Flat if it fits and holds no forced line end; the flag says that it does hold one.
    Group(Box<Doc>, bool),
}

/// Text.
pub fn text(s: impl Into<String>) -> Doc {
    Doc::Text(s.into())
}

/// Sequence.
pub fn all(parts: impl IntoIterator<Item = Doc>) -> Doc {
    Doc::All(parts.into_iter().collect())
}

/// Group.
pub fn group(d: Doc) -> Doc {
    let forced = d.forced();
    Doc::Group(Box::new(d), forced)
}

/// Indented by two.
pub fn nest(d: Doc) -> Doc {
    Doc::Nest(2, Box::new(d))
}

impl Doc {
    /// Does it hold a forced line end?
    pub fn forced(&self) -> bool {
        match self {
            Doc::Text(_) | Doc::Line | Doc::Soft | Doc::Either(..) => false,
            Doc::Hard | Doc::Blank | Doc::Comment(..) => true,
            Doc::All(parts) => parts.iter().any(Doc::forced),
            Doc::Nest(_, d) | Doc::Align(d) => d.forced(),
            Doc::Group(_, forced) => *forced,
        }
    }

    /// Its width on one line, up to `limit`.
    pub fn flat_width(&self, limit: usize) -> usize {
        let mut left = limit as isize;
        self.take_width(&mut left);
        limit - left.max(0) as usize
    }

    fn take_width(&self, left: &mut isize) {
        if *left <= 0 {
            return;
        }
        match self {
            Doc::Text(s) | Doc::Comment(s, _) => *left -= s.chars().count() as isize,
            Doc::Line => *left -= 1,
            Doc::Either(s, _) => *left -= s.len() as isize,
            Doc::Hard | Doc::Blank => *left -= 2,
            Doc::Soft => {}
            Doc::All(parts) => parts.iter().for_each(|p| p.take_width(left)),
            Doc::Nest(_, d) | Doc::Align(d) | Doc::Group(d, _) => d.take_width(left),
        }
    }

    /// On one line, statements separated by two spaces.
    pub fn flat(&self) -> String {
        let mut out = String::new();
        self.write_flat(&mut out);
        out
    }

    fn write_flat(&self, out: &mut String) {
        match self {
            Doc::Text(s) => out.push_str(s),
            Doc::Line => out.push(' '),
            Doc::Either(s, _) => out.push_str(s),
            Doc::Hard | Doc::Blank => out.push_str(if out.ends_with('{') { " " } else { "  " }),
            Doc::Soft | Doc::Comment(..) => {}
            Doc::All(parts) => parts.iter().for_each(|p| p.write_flat(out)),
            Doc::Nest(_, d) | Doc::Align(d) | Doc::Group(d, _) => d.write_flat(out),
        }
    }

    /// Lays it out.
    pub fn render(&self, width: usize) -> String {
        let mut page =
            Page { out: String::new(), column: 0, pending: None, blank: false, comment: false, trailing: Vec::new() };
        let mut stack: Vec<(usize, bool, &Doc)> = vec![(0, false, self)];
        while let Some((indent, flat, d)) = stack.pop() {
            match d {
                Doc::Text(s) => page.text(s),
                Doc::Line if flat => page.text(" "),
                Doc::Soft if flat => {}
                Doc::Line | Doc::Soft | Doc::Hard => page.end(indent, false),
                Doc::Blank => page.end(indent, true),
                Doc::Either(a, _) if flat => page.text(a),
                Doc::Either(_, b) => page.exact(b),
                Doc::Comment(s, own) => page.comment(s, *own, indent),
                Doc::All(parts) => stack.extend(parts.iter().rev().map(|p| (indent, flat, p))),
                Doc::Nest(n, d) => stack.push((indent + n, flat, d)),
                Doc::Align(d) => stack.push((page.column(), flat, d)),
                Doc::Group(d, forced) => {
                    let flat = flat || !forced && fits(d, &stack, width.saturating_sub(page.column()));
                    stack.push((indent, flat, d));
                }
            }
        }
        page.finish()
    }
}

/// Does `d`, flat, and what follows it up to the next possible line end fit into `left` columns?
fn fits(d: &Doc, rest: &[(usize, bool, &Doc)], left: usize) -> bool {
    let mut left = left as isize;
    let mut stack: Vec<(bool, &Doc)> = vec![(true, d)];
    let mut rest = rest.iter().rev();
    while left >= 0 {
        let Some((flat, d)) = stack.pop().or_else(|| rest.next().map(|&(_, flat, d)| (flat, d))) else { return true };
        match d {
            Doc::Text(s) => left -= s.chars().count() as isize,
            Doc::Line if flat => left -= 1,
            Doc::Soft if flat => {}
            Doc::Either(a, b) => left -= if flat { a.len() } else { b.len() } as isize,
            Doc::Line | Doc::Soft | Doc::Hard | Doc::Blank | Doc::Comment(..) => return true,
            Doc::All(parts) => stack.extend(parts.iter().rev().map(|p| (flat, p))),
            Doc::Nest(_, d) | Doc::Align(d) => stack.push((flat, d)),
            // What follows may still be broken.
            Doc::Group(d, forced) => stack.push((flat && !forced, d)),
        }
    }
    false
}

/// The text so far. Line ends are held back until something follows, so that comments can still end the line.
struct Page {
    out: String,
    column: usize,
    /// The indentation of the line that the next text starts.
    pending: Option<usize>,
    blank: bool,
    /// Does the line end with a comment?
    comment: bool,
    /// Where the comments start that stand behind something.
    trailing: Vec<usize>,
}

impl Page {
    fn column(&self) -> usize {
        self.pending.unwrap_or(self.column)
    }

    fn end(&mut self, indent: usize, blank: bool) {
        self.pending = Some(indent);
        self.blank |= blank;
    }

    fn flush(&mut self) {
        let Some(indent) = self.pending.take() else { return };
        self.out.truncate(self.out.trim_end_matches(' ').len());
        if !self.out.is_empty() {
            self.out.push_str(if self.blank { "\n\n" } else { "\n" });
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
        self.blank = false;
        self.comment = false;
    }

    /// Text whose leading spaces count even at the start of a line.
    fn exact(&mut self, s: &str) {
        if !s.is_empty() {
            self.flush();
            self.out.push_str(s);
            self.column += s.chars().count();
        }
    }

    fn text(&mut self, s: &str) {
        self.exact(if self.pending.is_some() { s.trim_start_matches(' ') } else { s });
    }

    fn comment(&mut self, s: &str, own_line: bool, indent: usize) {
        if own_line || self.comment || self.out.is_empty() {
            self.pending.get_or_insert(indent);
            self.flush();
        } else {
            if !self.out.ends_with(' ') {
                self.out.push(' ');
            }
            self.trailing.push(self.out.len());
        }
        self.out.push_str(s);
        self.comment = true;
        self.pending.get_or_insert(indent);
    }

    fn finish(mut self) -> String {
        self.out.truncate(self.out.trim_end().len());
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.aligned()
    }

    /// The text, with the comments behind neighbouring lines of one indentation in one column.
    fn aligned(self) -> String {
        // Of each line: where it starts, its indentation, the comment behind it.
        let mut lines = Vec::new();
        let (mut start, mut next) = (0, self.trailing.iter().copied().peekable());
        for line in self.out.split_inclusive('\n') {
            let end = start + line.len();
            lines.push((start, line.len() - line.trim_start().len(), next.next_if(|c| *c < end)));
            start = end;
        }
        let mut out = String::with_capacity(self.out.len());
        let mut at = 0;
        for run in lines.chunk_by(|a, b| a.1 == b.1) {
            let commented: Vec<usize> = (0..run.len()).filter(|&i| run[i].2.is_some()).collect();
            // Elements of one list belong together, also those without a comment.
            let element = |i: usize| {
                let line = self.out[run[i].0..].lines().next().unwrap_or_default().trim();
                line.ends_with(',') && !line.starts_with("//")
            };
            for group in commented.chunk_by(|&a, &b| (a + 1..b).all(element)) {
                let width = |i: usize| run[i].2.map_or(0, |c| self.out[run[i].0..c].chars().count());
                let column = group.iter().map(|&i| width(i)).max().unwrap_or(0);
                for &i in group {
                    let Some(comment) = run[i].2 else { continue };
                    out.push_str(&self.out[at..comment]);
                    out.extend(std::iter::repeat_n(' ', column - width(i)));
                    at = comment;
                }
            }
        }
        out.push_str(&self.out[at..]);
        out
    }
}
