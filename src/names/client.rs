//! Names of client certificates.

use std::fmt;

use super::{COMMON_NAME_MAX, is_device};
use crate::diag::{Code, Diagnostic};

/// The name of a client certificate besides the machine's own: a person, an e-mail address or a program, such as `alice`,
/// `alice@example.com` or `ci`. It is the common name of the certificate and the name of its folder in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientName(String);

impl ClientName {
    /// Parses a name. It has only characters that need no quoting in a shell, and is no path and no device on any system.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let refuse = |why: String| Err(Diagnostic::error(Code::InvalidClientName, why));
        if text.is_empty() {
            return refuse("must not be empty".into());
        }
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._@+".contains(c);
        if let Some(bad) = text.chars().find(|c| !is_allowed(*c)) {
            return refuse(format!(
                "may have letters, digits and `-._@+`, got `{}` in `{}`",
                bad.escape_default(),
                text.escape_debug()
            ));
        }
        if text.len() > COMMON_NAME_MAX {
            return refuse(format!("must have at most {COMMON_NAME_MAX} characters, got {}", text.len()));
        }
        // `.` and `..` are folders, and `-x` looks like an option to other programs. Windows drops a final dot.
        if text.starts_with(['.', '-']) || text.ends_with('.') {
            return refuse(format!("must not begin with `.` or `-` or end with `.`, got `{text}`"));
        }
        if is_device(text) {
            return refuse(format!("must not be `{text}`: Windows has a device of that name"));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_names_are_folder_names_on_every_system() {
        for good in ["alice", "alice@example.com", "ci+web1", "A_b-c.d", "7", "web1.con", &"a".repeat(64)] {
            assert_eq!(ClientName::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "a.",
            "-a",
            "a/b",
            "a\\b",
            "a b",
            "a\n",
            "a:b",
            "ä",
            "$x",
            "*",
            "a\u{202e}b",
            "nul",
            "com1.x",
            &"a".repeat(65),
        ] {
            assert!(ClientName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
