//! The encoding of a file inside a seed, with the SHA-256 of the file on the host.

use minijinja::value::Value;
use serde::{Deserialize, Serialize};

use super::encoding;
use super::setup::Script;
use crate::digest::sha256;
use crate::secret::Secret;

/// Characters of a line of base64 in a script. Each line end takes two in a component of EC2 Image Builder, which has a limit of 16 000; a
/// terminal takes lines of up to 1024 when a script is pasted (macOS, MAX_CANON).
const LONGEST_LINE: usize = 512;

/// The encoding of the files inside a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PayloadEncoding {
    /// gzip and base64 for each file. For a PEM file, which is base64 itself, this saves nothing.
    #[serde(rename = "gz+b64")]
    GzipBase64,
    /// No encoding, for a seed that is compressed as a whole. This is smaller, because compressing twice does not help.
    #[serde(rename = "plain")]
    Plain,
}

/// An encoded file. The text may be a private key.
pub struct Payload {
    pub text: Secret,
    pub encoding: PayloadEncoding,
    /// The SHA-256 of the file before encoding, in hexadecimal.
    pub sha256: String,
}

impl Payload {
    /// Encodes a text file. All files for a host are text.
    pub fn new(bytes: &[u8], encoding: PayloadEncoding) -> Self {
        let text = match encoding {
            PayloadEncoding::GzipBase64 => encoding::base64(&Secret::new(encoding::gzip(bytes))),
            PayloadEncoding::Plain => String::from_utf8_lossy(bytes).into_owned(),
        };
        Self { text: Secret::new(text), encoding, sha256: sha256(bytes) }
    }

    /// Encodes `setup`, which is compressed already.
    pub fn of_script(script: &Script, encoding: PayloadEncoding) -> Self {
        let text = match encoding {
            PayloadEncoding::GzipBase64 => encoding::base64(&script.gzip),
            PayloadEncoding::Plain => script.text.clone().into_owned(),
        };
        Self { text: Secret::new(text), encoding, sha256: script.sha256() }
    }

    /// The lines of the text, for a here-document. Templates insert them without escaping.
    pub fn lines(&self) -> Vec<Value> {
        let lines = match self.encoding {
            PayloadEncoding::Plain => self.text.expose().lines().map(str::to_owned).collect(),
            PayloadEncoding::GzipBase64 => encoding::lines(self.text.expose(), LONGEST_LINE),
        };
        lines.into_iter().map(Value::from_safe_string).collect()
    }
}
