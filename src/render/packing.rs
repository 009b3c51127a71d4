//! How a text is packed as a whole, always to the same bytes.

use crate::artifact::Artifact;
use crate::userdata::encoding::{base64, gzip};

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
