//! Gzip and base64 taken off, with what is wrong with them named.

use std::cell::Cell;
use std::io::{ErrorKind, Read};

use base64::DecodeError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::bufread::GzDecoder;
use zeroize::Zeroizing;

use crate::report::Complaint;

pub type Bytes = Zeroizing<Vec<u8>>;

/// What one stream may become. User-data is 64 KB at most on nearly every cloud, and a seed disk's a few hundred.
const MAX_INFLATED: usize = 16 << 20;
/// What all streams of an input may become together.
const MAX_INFLATED_IN_ALL: usize = 64 << 20;

/// The start of a gzip member (RFC 1952 §2.3.1).
pub const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How much may still be unpacked.
pub struct Budget(Cell<usize>);

impl Budget {
    pub fn new() -> Self {
        Self(Cell::new(MAX_INFLATED_IN_ALL))
    }

    fn spend(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_sub(bytes));
    }
}

/// Unpacks gzip, all its members. What follows the last one may be zeros, which Python's reader skips, and nothing else.
pub fn gunzip(packed: &[u8], budget: &Budget) -> Result<Bytes, Complaint> {
    let limit = MAX_INFLATED.min(budget.0.get());
    let mut plain = Zeroizing::new(Vec::new());
    let mut rest = packed;
    while rest.starts_with(&GZIP) {
        let room = (limit - plain.len()) as u64 + 1;
        let mut member = GzDecoder::new(rest);
        let read = member.by_ref().take(room).read_to_end(&mut plain);
        if plain.len() > limit {
            return Err(Complaint::new(format!(
                "unpacks to more than {} MiB, no host boots from that",
                limit >> 20
            )));
        }
        read.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                Complaint::new("is a gzip stream that is cut short").hint("fetch or paste it again, whole")
            }
            _ if error.to_string().contains("checksum") => {
                Complaint::new("is a gzip stream that was damaged on its way: its checksum does not match")
                    .hint("fetch or paste it again; a console that takes text alone needs `--base64`")
            }
            _ => Complaint::new(format!("is a gzip stream that was damaged on its way: {error}"))
                .hint("fetch or paste it again; a console that takes text alone needs `--base64`"),
        })?;
        rest = member.into_inner();
    }
    let trailing = rest.iter().rposition(|b| *b != 0).map_or(0, |n| n + 1);
    if trailing > 0 {
        return Err(Complaint::new(format!("has {trailing} bytes after the end of its gzip stream")));
    }
    budget.spend(plain.len());
    Ok(plain)
}

/// Decodes base64, whatever line breaks and blanks are in it.
///
/// Fails with the byte of `text` where it goes wrong.
pub fn unbase64(text: &[u8]) -> Result<Bytes, (usize, Complaint)> {
    let packed: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect());
    STANDARD.decode(&packed[..]).map(Zeroizing::new).map_err(|error| {
        let offset_of = |n: usize| {
            let mut kept = text.iter().enumerate().filter(|(_, b)| !b.is_ascii_whitespace());
            kept.nth(n).map_or(text.len(), |(offset, _)| offset)
        };
        match error {
            DecodeError::InvalidByte(n, byte) if byte != b'=' => {
                let complaint =
                    Complaint::new(format!("is base64 with a `{}` in it", char::from(byte).escape_default()));
                (offset_of(n), complaint.hint("fetch or paste it again, whole and unchanged"))
            }
            DecodeError::InvalidByte(n, _) => {
                (offset_of(n), Complaint::new("is base64 that ends, with `=`, before its end"))
            }
            DecodeError::InvalidLength(_)
            | DecodeError::InvalidPadding
            | DecodeError::InvalidLastSymbol { .. } => (
                text.len(),
                Complaint::new("is base64 that is cut short or damaged at its end")
                    .hint("fetch or paste it again, whole"),
            ),
        }
    })
}

/// Whether this is base64 and nothing else, by its letters. A name of a file could be, too: it has to be of some length.
pub fn is_base64(text: &[u8]) -> bool {
    const SHORTEST: usize = 24;
    let letters = text.iter().filter(|b| !b.is_ascii_whitespace());
    let legal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    letters.clone().all(legal) && letters.count() >= SHORTEST
}

/// A compression that cloud-init does not unpack, by its magic number.
pub fn foreign_compression(bytes: &[u8]) -> Option<&'static str> {
    let magic: [(&[u8], &str); 4] = [
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
        (b"BZh", "bzip2"),
        (b"PK\x03\x04", "zip"),
    ];
    magic.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name)
}
