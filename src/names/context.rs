//! Names of docker contexts.

use std::fmt;

use crate::diag::{Code, Diagnostic};

/// The name of a docker context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextName(String);

impl ContextName {
    /// The context that the docker CLI has without any file (docker/cli, `cli/command/defaultcontextstore.go`).
    const DEFAULT: &str = "default";

    /// Parses a name by the docker CLI's rule, `^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$` (docker/cli, `cli/context/store/store.go`).
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let is_inner = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
        let refused = |why: String| Err(Diagnostic::error(Code::InvalidContextName, why));
        match text.chars().next() {
            _ if text == Self::DEFAULT => {
                refused(format!("must not be `{text}`: docker has a context of its own with that name"))
            }
            _ if text.len() < 2 => refused(format!("must have at least 2 characters, got `{text}`")),
            Some(first) if !first.is_ascii_alphanumeric() => {
                refused(format!("must begin with a letter or a digit, got `{text}`"))
            }
            _ => match text.chars().find(|c| !is_inner(*c)) {
                Some(wrong) => refused(format!(
                    "must have only letters, digits, `-`, `_`, `.` and `+`; `{text}` has `{wrong}`"
                )),
                None => Ok(Self(text.to_owned())),
            },
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
