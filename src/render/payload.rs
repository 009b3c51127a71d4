//! How a file travels: compressed and in base64, with the SHA-256 of what it is to become on the host.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use minijinja::value::Value;
use sha2::{Digest, Sha256};

/// The width of base64 in mail (RFC 2045 §6.8), which every decoder takes.
const LINE: usize = 76;

/// Bytes as text.
pub struct Payload {
    pub base64: String,
    /// Of the file itself, in hex.
    pub sha256: String,
}

impl Payload {
    /// In gzip, without a name or a time in the header, so that the same bytes give the same text. PEM, base64 itself, is as
    /// large as before in the end; anything else is smaller.
    pub fn new(bytes: &[u8]) -> Self {
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
        gzip.write_all(bytes).expect("memory takes it");
        let packed = gzip.finish().expect("memory takes it");
        Self { base64: STANDARD.encode(packed), sha256: sha256(bytes) }
    }

    /// The text in lines, for a here-document. Base64 needs no quoting there.
    pub fn lines(&self) -> Vec<Value> {
        let lines = self.base64.as_bytes().chunks(LINE);
        lines.map(|line| Value::from_safe_string(String::from_utf8_lossy(line).into_owned())).collect()
    }
}

/// In hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
