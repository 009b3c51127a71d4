//! One rendered file: where it goes, with which mode, and its bytes.

use std::fmt;

use crate::secret::Secret;

/// A file as rendered, before anybody has written it.
///
/// `path` is relative to where the artifact goes (a machine's folder, or `/` on a host) and has `/`
/// between its parts on every system. The bytes may hold a private key, so they are wiped when
/// dropped and never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Artifact {
    pub path: String,
    /// Permission bits, as in `chmod`; without a meaning on Windows.
    pub mode: u32,
    pub bytes: Secret<Vec<u8>>,
}

impl Artifact {
    /// An artifact that anybody may read.
    pub fn public(path: impl Into<String>, bytes: impl Into<Secret<Vec<u8>>>) -> Self {
        Self { path: path.into(), mode: 0o644, bytes: bytes.into() }
    }

    /// An artifact for its owner alone.
    pub fn private(path: impl Into<String>, bytes: impl Into<Secret<Vec<u8>>>) -> Self {
        Self { mode: 0o600, ..Self::public(path, bytes) }
    }

    /// The last part of the path.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Artifact({} {:04o}, {} bytes)", self.path, self.mode, self.bytes.len())
    }
}
