//! Reads YAML in two ways. No other module uses the YAML libraries.
//!
//! [`typed`] reads hostseed's own files (specs, records) with serde_yaml, which determines the type of each value (YAML
//! 1.2). Their positions come from [`marked`], which uses saphyr-parser. [`pyyaml`] reads the files of cloud-init with the
//! rules of cloud-init's own reader, PyYAML (YAML 1.1).

pub mod marked;
pub mod pyyaml;
pub mod typed;
pub mod yaml11;

pub use marked::Written;
pub use typed::{Node, Value, read};

use crate::diag::{self, Position};

/// Maximum number of nodes, because aliases can multiply them. Real documents have a few thousand.
const MAX_NODES: usize = 100_000;

/// Maximum depth. serde_yaml has the same limit, and PyYAML has a limit of about 300.
const MAX_DEPTH: usize = 128;

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
        if has_placeholder(line) {
            return Some(NOT_RENDERED);
        }
        let is_tabbed = |line: &str| line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
        if is_tabbed(line) || lines.next().is_some_and(is_tabbed) {
            return Some("indent with spaces: YAML does not allow tabs");
        }
        if is_base64_only(line) {
            return Some("a long line was wrapped here: paste the text again without wrapped lines");
        }
        match line.chars().nth(column.checked_sub(1)?) {
            Some('\t') => Some("replace the tab with spaces"),
            Some('"' | '\'' | '[' | '{') => Some(Self::CUT_SHORT),
            Some('@' | '`' | '%') => Some("quote a text that begins with `@`, `` ` `` or `%`"),
            _ if line.starts_with("---") => Some("leave out the `---` between the two"),
            // In JSON there are many, and all are in quotes.
            _ if line.matches(": ").count() > 1 && !line.trim_start().starts_with('{') => {
                Some("put a text that has `: ` in it in quotes")
            }
            _ => None,
        }
    }
}

/// The hint for a template that was not rendered.
pub const NOT_RENDERED: &str = "this looks like a template that was not rendered: render it, for example with Terraform's `templatefile`";

/// Returns whether a text has a placeholder of Terraform (`${…}`, `%{…}`) or of Jinja, Helm or Ansible (`{{…}}`, `{%…%}`).
pub fn has_placeholder(text: &str) -> bool {
    ["${", "%{", "{{", "{%"]
        .iter()
        .any(|start| text.split_once(start).is_some_and(|(_, rest)| rest.contains('}')))
}

/// Returns whether a line is only a long run of base64.
fn is_base64_only(line: &str) -> bool {
    const SHORTEST: usize = 20;
    let line = line.trim_end().trim_end_matches('=');
    line.len() >= SHORTEST && line.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
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
            ("a: b\t# c\n", "replace the tab"),
            ("a: [b,\n%{ for c in d }\n", "a template"),
            ("a: [b,\n{% if c %}\n", "a template"),
            ("a: b: ${c}\n", "a template"),
            ("a: {{ b }}\n", "a template"),
            ("a: H4sIAAAAAAAC\n/8tIzcnJBwCGphA2BQAAAAC8\nb: c\n", "was wrapped"),
        ] {
            let fault = match pyyaml::read(text) {
                Ok(document) => document.faults.into_iter().next().expect(text),
                Err(fault) => fault,
            };
            assert!(fault.hint(text).is_some_and(|found| found.contains(hint)), "{text:?}: {fault:?}");
        }
    }
}
