//! Reads YAML in two ways. No other module uses the YAML libraries.
//!
//! [`typed`] reads hostseed's own files (specs, records) with serde_yaml, which determines the type of each value (YAML
//! 1.2). [`marked`] reads other programs' files with saphyr-parser. It returns the position and syntax of every node, so
//! that the caller can interpret a node as the program that uses the file does. The positions in [`typed`] come from
//! [`marked`].

pub mod marked;
pub mod typed;

pub use typed::{Node, Value, read};

use crate::diag::{self, Position};

/// Maximum number of nodes, because aliases can multiply them. Real documents have a few thousand.
const MAX_NODES: usize = 100_000;

/// Maximum length in bytes of all values of a document of `bytes` bytes, because aliases can repeat values.
fn max_text(bytes: usize) -> usize {
    (1 << 20) + 4 * bytes
}

/// The reason why a text is not YAML or exceeds a limit, and the position.
#[derive(Debug)]
pub struct Fault {
    pub position: Option<Position>,
    pub text: String,
    /// True if a limit is exceeded. Then the text can be valid YAML.
    pub is_limit: bool,
}

impl Fault {
    const CUT_SHORT: &str = "a quote or bracket is not closed, or the text is cut short";

    /// Suggests the most likely cause of the fault. `text` must be the text that was read.
    pub fn hint(&self, text: &str) -> Option<&'static str> {
        let Position { line, column } = self.position?;
        let mut lines = diag::lines(text).skip(line.checked_sub(1)?);
        let Some(line) = lines.next().filter(|line| !line.is_empty()) else { return Some(Self::CUT_SHORT) };
        let is_tabbed = |line: &str| line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
        if is_tabbed(line) || lines.next().is_some_and(is_tabbed) {
            return Some("indent with spaces: YAML does not allow tabs");
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
    fn a_fault_has_a_hint_if_its_position_shows_the_cause() {
        for (text, hint) in [
            ("a:\n- path: b\n\tcontent: c\n", "allow tabs"),
            ("a: \"b\nc: d\n", "is not closed"),
            ("a: [b\n", "is not closed"),
            ("a: @b\n", "begins with"),
            ("a: b: c\n", "in quotes"),
            ("a: 1\n---\nb: 1\n", "leave out"),
        ] {
            let fault = marked::read(text).unwrap_err();
            assert!(fault.hint(text).is_some_and(|found| found.contains(hint)), "{text:?}: {fault:?}");
        }
    }
}
