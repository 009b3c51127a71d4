//! Names of fleets.

use std::fmt;

use super::host_name::LABEL_MAX;
use crate::diag::{Code, Diagnostic};

/// The name of a fleet: small letters, digits and hyphens. So it is neither a path nor different only in case, and programs for which it becomes an
/// identifier accept it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FleetName(String);

impl FleetName {
    /// Parses a name.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let has_hyphen_at_end = text.starts_with('-') || text.ends_with('-');
        if text.is_empty() || text.len() > LABEL_MAX || has_hyphen_at_end || !text.chars().all(is_legal) {
            let text = text.escape_debug();
            return Err(Diagnostic::error(
                Code::InvalidFleetName,
                format!(
                    "must have small letters, digits and `-`, at most {LABEL_MAX}, and no `-` at the ends, got `{text}`"
                ),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FleetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fleet_names_are_no_paths() {
        for good in ["ci", "a", "7", "ci-2", &"a".repeat(63)] {
            assert_eq!(FleetName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a/b", "..", "a b", "ä", "a_b", "a\n", &"a".repeat(64)] {
            assert!(FleetName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
