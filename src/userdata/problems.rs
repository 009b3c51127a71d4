//! What is wrong with a seed, and where: all of it is gathered, nothing stops at the first.

use std::cell::Cell;
use std::collections::HashSet;

use super::budget::Budget;
use crate::diag::{Code, Diagnostic, Place, Position, Severity};

/// A place in a text by the offset of a byte, for one place; [`Lines`] is for several.
pub fn at_offset(place: &Place, text: &[u8], offset: usize) -> Place {
    place.at(Some(Lines::new(text).position(offset)))
}

/// Lines and columns of a text. Offsets that are asked for in ascending order cost one pass together.
pub struct Lines<'a> {
    text: &'a [u8],
    /// The last offset, and where that is.
    last: Cell<(usize, Position)>,
}

impl<'a> Lines<'a> {
    const START: (usize, Position) = (0, Position { line: 1, column: 1 });

    pub fn new(text: &'a [u8]) -> Self {
        Self { text, last: Cell::new(Self::START) }
    }

    /// Line and column of the byte `offset`. A byte that begins no character of UTF-8 counts for the one before it.
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

    /// As [`position`](Self::position), as long as the budget lasts: an offset before the last one costs a pass of its own.
    pub fn position_within(&self, offset: usize, budget: &Budget) -> Option<Position> {
        let (last, _) = self.last.get();
        let cost = if offset < last { offset } else { offset - last };
        budget.take(cost).then(|| self.position(offset))
    }
}

/// Of each severity no more are told than anybody reads.
const MOST: usize = 1000;

/// Everything that is wrong, in the order in which it was found.
#[derive(Default)]
pub struct Problems {
    all: Vec<Diagnostic>,
    told: HashSet<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Problems {
    /// Adds an error at a place.
    pub fn error(&mut self, place: &Place, problem: Diagnostic) {
        self.add(Diagnostic { severity: Severity::Error, ..problem }.at(place.clone()));
    }

    /// Adds a warning at a place.
    pub fn warning(&mut self, place: &Place, problem: Diagnostic) {
        self.add(Diagnostic { severity: Severity::Warning, ..problem }.at(place.clone()));
    }

    /// The same is told once.
    fn add(&mut self, problem: Diagnostic) {
        let count = match problem.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *count > MOST || self.told.contains(&problem) {
            return;
        }
        *count += 1;
        if *count > MOST {
            let text = format!("has more than {MOST} problems like those; the others are not listed");
            let rest = Diagnostic { severity: problem.severity, ..Diagnostic::error(Code::NotChecked, text) };
            return self.all.push(rest.at(problem.place.outermost()));
        }
        self.told.insert(problem.clone());
        self.all.push(problem);
    }

    /// How many there are so far.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Errors first.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.all.sort_by_key(|problem| problem.severity == Severity::Warning);
        self.all
    }
}

/// The beginning of what somebody wrote, for a message. What may be a key's base64 is left out.
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
    fn lines_and_columns_are_those_of_the_text_in_any_order() {
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
    fn no_more_problems_are_told_than_anybody_reads_and_errors_are_not_crowded_out() {
        let mut problems = Problems::default();
        let place = Place::file("f");
        for n in 0..MOST * 3 {
            problems.warning(&place.within("x"), Diagnostic::error(Code::UserDataEmpty, format!("{n}")));
        }
        problems.error(&place, Diagnostic::error(Code::UserDataEmpty, "bad"));
        let told = problems.into_sorted();
        assert_eq!(told.len(), MOST + 2);
        assert_eq!((told[0].message.as_str(), told[0].severity), ("bad", Severity::Error));
        assert!(told.last().unwrap().message.contains("more than 1000"));
    }

    #[test]
    fn a_message_shows_the_beginning_and_no_base64() {
        assert_eq!(head("hello \u{1b}world"), "hello \\u{1b}world");
        assert_eq!(head(&"ab ".repeat(20)), "ab ab ab ab ab ab ab ab ab ab ab ab ab a…");
        assert_eq!(head("key: MIGHAgEAMBMGByqGSM49AgEG"), "key: …");
        assert_eq!(head("abcdefghijklmnopqrs"), "abcdefghijklmnopqrs");
        assert_eq!(head("abcdefghijklmnopqrst"), "…");
        assert_eq!(head(""), "");
    }
}
