//! Compresses and encodes a whole text. The same text always gives the same bytes.

use crate::artifact::Artifact;
use crate::userdata::encoding::{base64, gzip, gzip_smallest};

/// Amazon EC2's limit in bytes, the lowest of the clouds that support compressed user-data.
const LOWEST_LIMIT: usize = 16_384;

/// The encoding of a whole text, from `--gzip` and `--base64`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packing {
    pub gzip: bool,
    /// Base64 (RFC 4648 §4) on a single line without a line break at the end. With `gzip`, it encodes the compressed text.
    pub base64: bool,
}

impl Packing {
    /// Encodes a file. The name and mode do not change.
    pub fn pack(self, file: Artifact) -> Artifact {
        let file = if self.gzip { with_bytes(file, gzip_below_limit) } else { file };
        if self.base64 { with_bytes(file, |bytes| base64(bytes).into_bytes()) } else { file }
    }
}

/// Compresses a text. Uses the slower compression if it may bring the size below [`LOWEST_LIMIT`].
fn gzip_below_limit(bytes: &[u8]) -> Vec<u8> {
    let packed = gzip(bytes);
    let is_near = packed.len() > LOWEST_LIMIT && packed.len() <= LOWEST_LIMIT + LOWEST_LIMIT / 10;
    if is_near { gzip_smallest(bytes) } else { packed }
}

fn with_bytes(file: Artifact, pack: impl Fn(&[u8]) -> Vec<u8>) -> Artifact {
    let bytes = pack(&file.bytes);
    Artifact { bytes: bytes.into(), ..file }
}
