//! How a file travels inside a seed, with the SHA-256 of what it is to become on the host.

use minijinja::value::Value;
use sha2::{Digest, Sha256};

use super::packing;

/// What becomes of the files inside a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carriage {
    /// Each in gzip and base64. PEM, base64 itself, is as large as before in the end; anything else is smaller.
    Packed,
    /// As they are, in a seed that is compressed as a whole: smaller again, since compressed twice is not compressed better.
    Plain,
}

/// Bytes as text.
pub struct Payload {
    pub text: String,
    pub carriage: Carriage,
    /// Of the file itself, in hex.
    pub sha256: String,
}

impl Payload {
    /// A file of text, as all are that go to a host.
    pub fn new(bytes: &[u8], carriage: Carriage) -> Self {
        let text = match carriage {
            Carriage::Packed => packing::base64(&packing::gzip(bytes)),
            Carriage::Plain => String::from_utf8_lossy(bytes).into_owned(),
        };
        Self { text, carriage, sha256: sha256(bytes) }
    }

    /// The text in lines, for a here-document, which is taken as it is.
    pub fn lines(&self) -> Vec<Value> {
        let lines = match self.carriage {
            Carriage::Plain => self.text.lines().map(str::to_owned).collect(),
            Carriage::Packed => packing::lines(&self.text),
        };
        lines.into_iter().map(Value::from_safe_string).collect()
    }
}

/// In hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
