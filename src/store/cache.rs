//! Caches that make hostseed faster. They are optional: if a cache is missing, damaged or out of date, hostseed reads the
//! original files.

use std::fs::Metadata;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::sha256;

/// Length of a SHA-256 in hexadecimal digits.
const CHECKSUM: usize = 64;

/// Identifies the state of a file or folder: inode number, size, and the times of the last change of the content and of
/// the inode, each in seconds and nanoseconds since 1970. It differs after a change of the file's content or of the
/// folder's list of names. No program can set the inode's change time (inode(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp(u64, u64, i64, i64, i64, i64);

impl Stamp {
    /// Makes the stamp of a file or folder. Returns `None` on systems without inode numbers, where nothing is cached.
    pub fn new(metadata: &Metadata) -> Option<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Some(Self(
                metadata.ino(),
                metadata.size(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ))
        }
        #[cfg(not(unix))]
        {
            let _ = metadata;
            None
        }
    }

    /// Returns whether the inode last changed before `time`, which is counted from 1970.
    pub fn changed_before(&self, time: Duration) -> bool {
        let Self(.., seconds, nanoseconds) = *self;
        let (Ok(seconds), Ok(nanoseconds)) = (u64::try_from(seconds), u32::try_from(nanoseconds)) else {
            return false;
        };
        Duration::new(seconds, nanoseconds) < time
    }
}

/// Encodes a value as two lines: the SHA-256 of the JSON in hexadecimal, then the JSON.
pub fn encode(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let json = serde_json::to_vec(value)?;
    let mut bytes = sha256(&json).into_bytes();
    bytes.push(b'\n');
    bytes.extend(json);
    Ok(bytes)
}

/// Decodes the output of [`encode`]. Returns `None` if any byte has changed.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (sum, json) = bytes.split_at_checked(CHECKSUM)?;
    let json = json.strip_prefix(b"\n")?;
    (sum == sha256(json).as_bytes()).then(|| serde_json::from_slice(json).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_with_a_changed_byte_is_ignored() {
        let value = vec!["web1".to_owned(), "web2".to_owned()];
        let bytes = encode(&value).unwrap();
        assert_eq!(decode::<Vec<String>>(&bytes), Some(value));
        for n in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[n] ^= 1;
            assert_eq!(decode::<Vec<String>>(&changed), None, "byte {n}");
            assert_eq!(decode::<Vec<String>>(&bytes[..n]), None, "{n} bytes");
        }
    }
}
