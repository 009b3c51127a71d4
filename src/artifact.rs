//! A rendered file: its path, its mode and its bytes.

use std::fmt;

use crate::secret::Secret;

/// A rendered file that is not written yet.
///
/// `path` is relative to the destination (a machine's folder, or `/` on a host) and uses `/` as its separator on every
/// system. The bytes can contain a private key, so they are erased when dropped and never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Artifact {
    pub path: String,
    /// Permission bits, as in `chmod`. They have no effect on Windows.
    pub mode: u32,
    pub bytes: Secret<Vec<u8>>,
}

impl Artifact {
    /// Makes a world-readable artifact, mode 0644.
    pub fn public(path: impl Into<String>, bytes: impl Into<Secret<Vec<u8>>>) -> Self {
        Self { path: path.into(), mode: 0o644, bytes: bytes.into() }
    }

    /// Makes an artifact that only its owner may read, mode 0600.
    pub fn private(path: impl Into<String>, bytes: impl Into<Secret<Vec<u8>>>) -> Self {
        Self { mode: 0o600, ..Self::public(path, bytes) }
    }

    /// The last component of the path.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Artifact({} {:04o}, {} bytes)", self.path, self.mode, self.bytes.len())
    }
}
