//! How a file travels inside a seed, with the SHA-256 of what it is to become on the host.

use minijinja::value::Value;
use serde::{Deserialize, Serialize};

use super::digest::sha256;
use super::encoding;
use crate::secret::Secret;

/// What becomes of the files inside a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PayloadEncoding {
    /// Each in gzip and base64. PEM, base64 itself, is as large as before in the end; anything else is smaller.
    #[serde(rename = "gz+b64")]
    GzipBase64,
    /// As they are, in a seed that is compressed as a whole: smaller again, since compressed twice is not compressed better.
    #[serde(rename = "plain")]
    Plain,
}

/// Bytes as text, which may be those of a private key.
pub struct Payload {
    pub text: Secret,
    pub encoding: PayloadEncoding,
    /// Of the file itself, in hex.
    pub sha256: String,
}

impl Payload {
    /// A file of text, as all are that go to a host.
    pub fn new(bytes: &[u8], encoding: PayloadEncoding) -> Self {
        let text = match encoding {
            PayloadEncoding::GzipBase64 => encoding::base64(&Secret::new(encoding::gzip(bytes))),
            PayloadEncoding::Plain => String::from_utf8_lossy(bytes).into_owned(),
        };
        Self { text: Secret::new(text), encoding, sha256: sha256(bytes) }
    }

    /// The text in lines, for a here-document, which is taken as it is.
    pub fn lines(&self) -> Vec<Value> {
        let lines = match self.encoding {
            PayloadEncoding::Plain => self.text.expose().lines().map(str::to_owned).collect(),
            PayloadEncoding::GzipBase64 => encoding::lines(self.text.expose()),
        };
        lines.into_iter().map(Value::from_safe_string).collect()
    }
}
