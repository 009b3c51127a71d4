//! How bytes are packed for the way: gzip and base64, always to the same bytes.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};

use crate::artifact::Artifact;

/// How a text is packed as a whole: what `--gzip` and `--base64` ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packing {
    pub gzip: bool,
    /// Base64 (RFC 4648 §4) in a single line without an end, of what is in gzip then where both are asked for.
    pub base64: bool,
}

impl Packing {
    /// Packs a file. Its mode and name stay.
    pub fn pack(self, file: Artifact) -> Artifact {
        let file = if self.gzip { with_bytes(file, gzip) } else { file };
        if self.base64 { with_bytes(file, |bytes| base64(bytes).into_bytes()) } else { file }
    }
}

fn with_bytes(file: Artifact, pack: impl Fn(&[u8]) -> Vec<u8>) -> Artifact {
    let bytes = pack(&file.bytes);
    Artifact { bytes: bytes.into(), ..file }
}

/// Compresses, without a name or a time in the header (RFC 1952 §2.3.1), so that the same bytes give the same bytes.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    gzip.write_all(bytes).expect("memory takes it");
    gzip.finish().expect("memory takes it")
}

/// Base64 (RFC 4648 §4) in a single line.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Base64 in lines as mail has them: at most 76 characters (RFC 2045 §6.8), which every decoder takes.
pub fn base64_lines(bytes: &[u8]) -> Vec<String> {
    lines(&base64(bytes))
}

/// Base64 that is there already, in such lines.
pub fn lines(base64: &str) -> Vec<String> {
    base64.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}
