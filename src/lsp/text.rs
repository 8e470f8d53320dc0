//! Lines and columns as editors count them, and edits.

use std::borrow::Cow;

use gen_lsp_types::{Position, Range};

use crate::base::Source;

/// What a column counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of UTF-16: what every editor can.
    Utf16,
}

/// A text with the places where its lines start.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    starts: Cow<'a, [u32]>,
    encoding: Encoding,
}

impl<'a> Lines<'a> {
    pub fn new(text: &str, encoding: Encoding) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i as u32 + 1)).collect();
        Self { starts: Cow::Owned(starts), encoding }
    }

    /// Those of a source, which knows them.
    pub fn of(source: &'a Source, encoding: Encoding) -> Self {
        Self { starts: Cow::Borrowed(source.line_starts()), encoding }
    }

    /// The line of a byte, from 0.
    pub fn line(&self, byte: usize) -> usize {
        self.starts.partition_point(|&s| s as usize <= byte) - 1
    }

    /// Where a line starts.
    pub fn start(&self, line: usize) -> Option<usize> {
        self.starts.get(line).map(|&s| s as usize)
    }

    /// Where a line ends, its line end excluded.
    pub fn end(&self, text: &str, line: usize) -> usize {
        let end = self.start(line + 1).map_or(text.len(), |s| s - 1);
        if end > self.starts[line] as usize && text.as_bytes().get(end - 1) == Some(&b'\r') && end < text.len() {
            end - 1
        } else {
            end
        }
    }

    /// The position of a byte.
    pub fn position(&self, text: &str, byte: usize) -> Position {
        let mut byte = byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.line(byte);
        let before = &text[self.starts[line] as usize..byte];
        let column = match self.encoding {
            Encoding::Utf8 => before.len(),
            Encoding::Utf16 => before.encode_utf16().count(),
        };
        Position::new(line as u32, column as u32)
    }

    /// The byte of a position; the end of the line or of the text where it lies beyond.
    pub fn byte(&self, text: &str, at: Position) -> usize {
        let Some(start) = self.start(at.line as usize) else { return text.len() };
        let end = self.end(text, at.line as usize);
        let wanted = at.character as usize;
        let mut column = 0;
        for (i, c) in text[start..end].char_indices() {
            let width = match self.encoding {
                Encoding::Utf8 => c.len_utf8(),
                Encoding::Utf16 => c.len_utf16(),
            };
            // A position inside a character is the character's.
            if column + width > wanted {
                return start + i;
            }
            column += width;
        }
        end
    }

    /// The range of some bytes.
    pub fn range(&self, text: &str, start: usize, end: usize) -> Range {
        Range::new(self.position(text, start), self.position(text, end))
    }
}

/// Replaces a range, or everything.
pub fn edit(text: &mut String, range: Option<Range>, new: &str, encoding: Encoding) {
    let Some(r) = range else {
        new.clone_into(text);
        return;
    };
    let lines = Lines::new(text, encoding);
    let (a, b) = (lines.byte(text, r.start), lines.byte(text, r.end));
    text.replace_range(a.min(b)..a.max(b), new);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_bytes_are_inverse() {
        let text = "a\näö𝄞x\r\n\nend";
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            let lines = Lines::new(text, encoding);
            for (i, _) in text.char_indices().filter(|(_, c)| *c != '\n') {
                assert_eq!(lines.byte(text, lines.position(text, i)), i, "{i}");
            }
            assert_eq!(lines.byte(text, Position::new(0, 99)), 1);
            assert_eq!(lines.byte(text, Position::new(99, 0)), text.len());
        }
        let lines = Lines::new(text, Encoding::Utf16);
        let x = text.find('x').expect("there");
        assert_eq!(lines.position(text, x), Position::new(1, 4));
        // Inside of a surrogate pair.
        assert_eq!(lines.byte(text, Position::new(1, 3)), text.find('𝄞').expect("there"));
        assert_eq!(lines.byte(text, Position::new(1, 99)), x + 1, "before the carriage return");
    }

    #[test]
    fn edits() {
        let mut text = "one\ntwo\n".to_string();
        let range = |a, b, c, d| Some(Range::new(Position::new(a, b), Position::new(c, d)));
        edit(&mut text, range(0, 1, 1, 1), "X", Encoding::Utf16);
        assert_eq!(text, "oXwo\n");
        edit(&mut text, range(9, 0, 1, 0), "!", Encoding::Utf16);
        assert_eq!(text, "oXwo\n!");
        edit(&mut text, None, "new", Encoding::Utf8);
        assert_eq!(text, "new");
    }
}
