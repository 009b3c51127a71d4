//! How a text is packed as a whole, always to the same bytes.

use crate::artifact::Artifact;
use crate::userdata::encoding::{base64, gzip, gzip_smallest};

/// Amazon EC2's limit, the lowest of the clouds that support compressed user-data.
const LOWEST_LIMIT: usize = 16_384;

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
        let file = if self.gzip { with_bytes(file, gzip_below_limit) } else { file };
        if self.base64 { with_bytes(file, |bytes| base64(bytes).into_bytes()) } else { file }
    }
}

/// Compresses, with more effort where that can bring the result below [`LOWEST_LIMIT`].
fn gzip_below_limit(bytes: &[u8]) -> Vec<u8> {
    let packed = gzip(bytes);
    let is_near = packed.len() > LOWEST_LIMIT && packed.len() <= LOWEST_LIMIT + LOWEST_LIMIT / 10;
    if is_near { gzip_smallest(bytes) } else { packed }
}

fn with_bytes(file: Artifact, pack: impl Fn(&[u8]) -> Vec<u8>) -> Artifact {
    let bytes = pack(&file.bytes);
    Artifact { bytes: bytes.into(), ..file }
}
