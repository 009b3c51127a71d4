//! Compresses and encodes a whole text. The same text always gives the same bytes.

use crate::artifact::Artifact;
use crate::clouds::Cloud;
use crate::userdata::encoding::{base64, gzip};
use crate::userdata::smallest::gzip_smallest;

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

/// Compresses a text. Uses the slower compression if it may bring the size below the limit of a cloud.
fn gzip_below_limit(bytes: &[u8]) -> Vec<u8> {
    let packed = gzip(bytes);
    if is_just_above_limit(packed.len()) { gzip_smallest(bytes) } else { packed }
}

/// Returns whether the slower compression may bring a size below the limit of a cloud.
fn is_just_above_limit(size: usize) -> bool {
    limits().any(|limit| size > limit && size <= limit + limit / 10)
}

/// The limits of the clouds that support compressed user-data, in bytes.
fn limits() -> impl Iterator<Item = usize> {
    Cloud::ALL.into_iter().filter_map(|cloud| cloud.raw_limit(cloud.delivery(true)?.base64))
}

fn with_bytes(file: Artifact, pack: impl Fn(&[u8]) -> Vec<u8>) -> Artifact {
    let bytes = pack(&file.bytes);
    Artifact { bytes: bytes.into(), ..file }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_limit_is_that_of_amazon_ec2() {
        assert_eq!(limits().min(), Some(16_384));
    }

    #[test]
    fn the_slower_compression_is_for_sizes_that_it_may_bring_below_the_limit() {
        assert_eq!([16_384, 16_385, 18_022, 18_023].map(is_just_above_limit), [false, true, true, false]);
        // Oracle.
        assert_eq!([23_001, 23_002].map(is_just_above_limit), [false, true]);
    }
}
