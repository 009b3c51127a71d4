//! YAML in two readings, and the only module that knows the libraries.
//!
//! [`typed`] reads what is written for hostseed (specs, records) with serde_yaml, which decides what each value is (YAML 1.2).
//! [`marked`] reads what is written for others with saphyr-parser: every node knows its place and how it is written, so that the
//! caller decides what it is to its real consumer. The places of the first reading come from the second.

pub mod marked;
pub mod typed;

pub use typed::{Node, Value, read};

use crate::diag::Position;

/// Aliases multiply nodes; what people write has a few thousand.
const MAX_NODES: usize = 100_000;

/// The most text that the values of a document of `bytes` bytes may have together, where aliases repeat them.
fn max_text(bytes: usize) -> usize {
    (1 << 20) + 4 * bytes
}

/// Why a text is not YAML, or not within the limits, and where.
#[derive(Debug)]
pub struct Fault {
    pub position: Option<Position>,
    pub text: String,
    /// Whether the text may be YAML, and exceeds a limit.
    pub is_limit: bool,
}

impl Fault {
    const CUT_SHORT: &str = "a quote or bracket does not end, or the text is cut short";

    /// What most often leads to a fault at such a place of `text`, the text that was read.
    pub fn hint(&self, text: &str) -> Option<&'static str> {
        let Position { line, column } = self.position?;
        let mut lines = text.lines().skip(line.checked_sub(1)?);
        let Some(line) = lines.next() else { return Some(Self::CUT_SHORT) };
        let is_tabbed = |line: &str| line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
        if is_tabbed(line) || lines.next().is_some_and(is_tabbed) {
            return Some("YAML takes no tabs for indentation");
        }
        match line.chars().nth(column.checked_sub(1)?) {
            Some('"' | '\'' | '[' | '{') => Some(Self::CUT_SHORT),
            Some('@' | '`' | '%') => Some("quote a text that begins with `@`, `` ` `` or `%`"),
            _ if line.starts_with("---") => Some("leave out the `---` between the two"),
            _ if line.matches(": ").count() > 1 => Some("put a text that has `: ` in it in quotes"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_a_hint_where_its_place_tells_the_cause() {
        for (text, hint) in [
            ("a:\n- path: b\n\tcontent: c\n", "no tabs"),
            ("a: \"b\nc: d\n", "does not end"),
            ("a: [b\n", "does not end"),
            ("a: @b\n", "begins with"),
            ("a: b: c\n", "in quotes"),
            ("a: 1\n---\nb: 1\n", "leave out"),
        ] {
            let fault = marked::read(text).unwrap_err();
            assert!(fault.hint(text).is_some_and(|found| found.contains(hint)), "{text:?}: {fault:?}");
        }
    }
}
