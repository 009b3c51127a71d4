//! Collects the problems of a seed with their places. Checks continue after a problem.

use std::cell::Cell;
use std::collections::HashSet;

use super::budget::Budget;
use crate::diag::{Code, Diagnostic, Place, Position, Severity};

/// Converts a byte offset in a text to a place. For several offsets in one text, use [`Lines`].
pub fn at_offset(place: &Place, text: &[u8], offset: usize) -> Place {
    place.at(Some(Lines::new(text).position(offset)))
}

/// Converts byte offsets to lines and columns. Offsets in ascending order need a single pass over the text.
pub struct Lines<'a> {
    text: &'a [u8],
    /// The last offset and its position.
    last: Cell<(usize, Position)>,
}

impl<'a> Lines<'a> {
    const START: (usize, Position) = (0, Position { line: 1, column: 1 });

    /// Starts at the beginning of `text`.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, last: Cell::new(Self::START) }
    }

    /// Line and column of the byte at `offset`. Columns count characters, so UTF-8 continuation bytes do not count.
    pub fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let (from, position) =
            Some(self.last.get()).filter(|(from, _)| *from <= offset).unwrap_or(Self::START);
        let passed = &self.text[from..offset];
        let characters = |bytes: &[u8]| bytes.iter().filter(|b| **b & 0xc0 != 0x80).count();
        let position = match passed.iter().rposition(|b| *b == b'\n') {
            None => Position { column: position.column + characters(passed), ..position },
            Some(end) => Position {
                line: position.line + passed.iter().filter(|b| **b == b'\n').count(),
                column: characters(&passed[end + 1..]) + 1,
            },
        };
        self.last.set((offset, position));
        position
    }

    /// As [`position`](Self::position), but None if the budget is exhausted. An offset before the last one costs a pass from the
    /// beginning.
    pub fn position_within(&self, offset: usize, budget: &Budget) -> Option<Position> {
        let (last, _) = self.last.get();
        let cost = if offset < last { offset } else { offset - last };
        budget.take(cost).then(|| self.position(offset))
    }
}

/// The hint for user-data that is damaged or incomplete.
pub const FETCH_AGAIN: &str = "download or paste it again, complete and unchanged";

/// Maximum length of a message or a value in it, in bytes. Real ones are shorter than a few lines of a terminal.
const LONGEST: usize = 2000;

/// The beginning of a text, up to the limit for messages.
pub fn cut(text: &str) -> &str {
    beginning(text, LONGEST)
}

/// The beginning of a text, of at most `most` bytes.
pub fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

/// Maximum number of reported problems of each severity. A reader does not need more.
const MAX_PER_SEVERITY: usize = 1000;

/// All problems, in the order in which they were found.
#[derive(Default)]
pub struct Problems {
    all: Vec<Diagnostic>,
    reported: HashSet<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Problems {
    /// Adds an error or a warning at a place, unless the same problem was reported before. Limits the number of problems of each
    /// severity.
    pub fn add(&mut self, place: &Place, problem: Diagnostic) {
        let mut problem = problem.at(place.clone());
        if problem.message.len() > LONGEST {
            problem.message = format!("{}…", cut(&problem.message));
        }
        let count = match problem.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *count > MAX_PER_SEVERITY || self.reported.contains(&problem) {
            return;
        }
        *count += 1;
        if *count > MAX_PER_SEVERITY {
            let text =
                format!("has more than {MAX_PER_SEVERITY} problems like those; the others are not listed");
            let rest = Diagnostic { severity: problem.severity, ..Diagnostic::error(Code::NotChecked, text) };
            return self.all.push(rest.at(problem.place.outermost()));
        }
        self.reported.insert(problem.clone());
        self.all.push(problem);
    }

    /// Number of problems so far.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Returns the errors first, then the warnings.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.all.sort_by_key(|problem| problem.severity == Severity::Warning);
        self.all
    }
}

/// The beginning of a text from the user, for a message. Leaves out anything that can be the base64 of a private key.
pub fn head(text: &str) -> String {
    const SHOWN: usize = 40;
    const LETTERS: usize = 20;
    let (mut head, mut run) = (String::new(), 0);
    for (n, c) in text.chars().enumerate() {
        run = if c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=') { run + 1 } else { 0 };
        if run == LETTERS {
            head.truncate(head.len() + 1 - LETTERS);
        }
        if n == SHOWN || run == LETTERS {
            return format!("{}…", head.escape_debug());
        }
        head.push(c);
    }
    head.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_right_for_offsets_in_any_order() {
        let text = "aé\n\nb\u{1f600}c\n".as_bytes();
        let lines = Lines::new(text);
        for offset in [0, 1, 3, 4, 5, 6, 10, 11, 12, 5, 0, 99] {
            let before = std::str::from_utf8(&text[..offset.min(text.len())]).unwrap();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
            assert_eq!(lines.position(offset), Position { line, column }, "{offset}");
        }
    }

    #[test]
    fn warnings_are_limited_and_do_not_displace_errors() {
        let mut problems = Problems::default();
        let place = Place::file("f");
        for n in 0..MAX_PER_SEVERITY * 3 {
            problems.add(&place.within("x"), Diagnostic::warning(Code::UserDataEmpty, format!("{n}")));
        }
        problems.add(&place, Diagnostic::error(Code::UserDataEmpty, "bad"));
        let reported = problems.into_sorted();
        assert_eq!(reported.len(), MAX_PER_SEVERITY + 2);
        assert_eq!((reported[0].message.as_str(), reported[0].severity), ("bad", Severity::Error));
        assert!(reported.last().unwrap().message.contains("more than 1000"));
    }

    #[test]
    fn long_messages_are_cut() {
        let mut problems = Problems::default();
        let text = "\u{e4}".repeat(LONGEST);
        problems.add(&Place::file("f"), Diagnostic::error(Code::UserDataEmpty, text));
        let [problem] = &problems.into_sorted()[..] else { panic!() };
        assert_eq!(problem.message.len(), LONGEST + '…'.len_utf8());
        assert!(problem.message.ends_with("ä…"));
        assert_eq!((cut("a"), cut(&"\u{20ac}".repeat(LONGEST)).len()), ("a", LONGEST - LONGEST % 3));
    }

    #[test]
    fn head_shows_the_beginning_without_base64() {
        assert_eq!(head("hello \u{1b}world"), "hello \\u{1b}world");
        assert_eq!(head(&"ab ".repeat(20)), "ab ab ab ab ab ab ab ab ab ab ab ab ab a…");
        assert_eq!(head("key: MIGHAgEAMBMGByqGSM49AgEG"), "key: …");
        assert_eq!(head("abcdefghijklmnopqrs"), "abcdefghijklmnopqrs");
        assert_eq!(head("abcdefghijklmnopqrst"), "…");
        assert_eq!(head(""), "");
    }
}
