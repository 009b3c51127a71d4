//! What is wrong with a seed, and where: all of it is gathered, nothing stops at the first.

use std::collections::HashSet;
use std::fmt;

use crate::report::{Complaint, Position};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The host would not come up, not as meant, or a key is where it must not be.
    Error,
    /// It may be meant; `--strict` takes it for an error.
    Warning,
}

/// Where something stands: from the file that was given inwards, then line and column in the innermost text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    steps: Vec<String>,
    pub position: Option<Position>,
}

impl Place {
    /// The whole of a file by the name that the user gave.
    pub fn file(name: &str) -> Self {
        Self { steps: vec![name.to_owned()], position: None }
    }

    /// Something within; a line and column of what is around it say nothing there.
    pub fn within(&self, step: impl Into<String>) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step.into());
        Self { steps, position: None }
    }

    pub fn at(&self, position: Option<Position>) -> Self {
        Self { steps: self.steps.clone(), position }
    }

    /// In place of [`at`](Self::at) where the text is at hand: the line and column of its byte `offset`.
    pub fn at_offset(&self, text: &[u8], offset: usize) -> Self {
        let before = &text[..offset.min(text.len())];
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        self.at(Some(Position { line, column }))
    }

    /// Without line and column.
    pub fn name(&self) -> String {
        self.steps.join(": ")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        match self.position {
            Some(Position { line, column }) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

/// One thing wrong. No key material is ever in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    pub severity: Severity,
    pub place: Place,
    /// Lower case and without a full stop.
    pub text: String,
    pub hint: Option<String>,
}

/// Everything that is wrong, in the order in which it was found.
#[derive(Default)]
pub struct Problems {
    all: Vec<Problem>,
    told: HashSet<Problem>,
}

impl Problems {
    pub fn error(&mut self, place: &Place, complaint: Complaint) {
        self.add(Severity::Error, place, complaint);
    }

    pub fn warning(&mut self, place: &Place, complaint: Complaint) {
        self.add(Severity::Warning, place, complaint);
    }

    /// The same is told once.
    fn add(&mut self, severity: Severity, place: &Place, Complaint { text, hint }: Complaint) {
        let problem = Problem { severity, place: place.clone(), text, hint };
        if self.told.insert(problem.clone()) {
            self.all.push(problem);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Errors first.
    pub fn into_sorted(mut self) -> Vec<Problem> {
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
    fn a_message_shows_the_beginning_and_no_base64() {
        assert_eq!(head("hello \u{1b}world"), "hello \\u{1b}world");
        assert_eq!(head(&"ab ".repeat(20)), "ab ab ab ab ab ab ab ab ab ab ab ab ab a…");
        assert_eq!(head("key: MIGHAgEAMBMGByqGSM49AgEG"), "key: …");
        assert_eq!(head("abcdefghijklmnopqrs"), "abcdefghijklmnopqrs");
        assert_eq!(head("abcdefghijklmnopqrst"), "…");
        assert_eq!(head(""), "");
    }
}
