//! Applies gzip and base64, always with the same output for the same input, and removes them. Reports damage in the encoded data.

use std::cell::RefCell;
use std::io::{ErrorKind, Read};
use std::rc::Rc;

use base64::DecodeError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use lzma_rust2::XzReader;

use super::budget::{Budget, MAX_INFLATED, MAX_INFLATED_IN_ALL};
use super::problems::FETCH_AGAIN;
use crate::diag::{Code, Diagnostic, counted};
use crate::secret::Secret;

/// Bytes that may contain a private key.
pub type Bytes = Secret<Vec<u8>>;
/// [`Bytes`] with several owners. An input is large, so it is not copied for each of them.
pub type Shared = Rc<Bytes>;

/// The first bytes of a gzip member (RFC 1952 §2.3.1).
pub const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first bytes of an xz stream (xz-file-format.txt §2.1.1.1).
pub const XZ: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
/// Memory limit for xz's dictionary, in KiB. `xz -9` needs this much.
const XZ_MEMORY: u32 = 65 << 10;

thread_local! {
    /// A seed has several small files. To make a compressor takes longer than to compress one of them, because its memory must be cleared.
    static COMPRESSOR: RefCell<Compress> = RefCell::new(Compress::new(Compression::best(), false));
}

/// Compresses with gzip. The header has no name and no time (RFC 1952 §2.3.1), so that the same input always gives the same
/// output.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    /// Deflate, no flags, no time, the best level, and no operating system.
    const HEADER: [u8; 10] = [GZIP[0], GZIP[1], 8, 0, 0, 0, 0, 0, 2, 0xff];
    // A vector that grows would leave copies of a key in memory. What cannot be compressed gets 5 bytes for each 16 KiB or more.
    let mut packed = Vec::with_capacity(bytes.len() + bytes.len() / 1024 + 64);
    packed.extend(HEADER);
    COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        loop {
            let done = usize::try_from(compressor.total_in()).expect("the input is in memory");
            let status = compressor.compress_vec(&bytes[done..], &mut packed, FlushCompress::Finish);
            match status.expect("deflate compresses any input") {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError => packed.reserve(1024),
            }
        }
    });
    let mut sum = Crc::new();
    sum.update(bytes);
    packed.extend(sum.sum().to_le_bytes());
    packed.extend(sum.amount().to_le_bytes());
    packed
}

/// Encodes as base64 (RFC 4648 §4) on a single line.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Encodes as base64 in lines of at most 76 characters, as in mail (RFC 2045 §6.8). Every decoder accepts this.
pub fn base64_lines(bytes: &[u8]) -> Vec<String> {
    lines(&base64(bytes), 76)
}

/// Splits existing base64 into lines of at most `longest` characters.
pub fn lines(base64: &str, longest: usize) -> Vec<String> {
    base64.as_bytes().chunks(longest).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

/// Decompresses all members of a gzip stream.
///
/// # Errors
/// The stream is cut short or damaged, exceeds the budget, or is followed by other bytes than zeros. Python's reader skips zeros
/// too.
pub fn gunzip(packed: &[u8], budget: &Budget) -> Result<Bytes, Diagnostic> {
    let mut plain = Secret::new(Vec::new());
    inflate(packed, budget, &mut plain).map(|()| plain)
}

/// Decompresses as much of gzip, zlib or xz as possible. `gzip -d` also outputs the data before the damage. None for any other
/// format.
pub fn inflate_partly(packed: &[u8], budget: &Budget) -> Option<Bytes> {
    // The header of zlib (RFC 1950 §2.2): deflate with a window of 32 KiB, and a checksum over both bytes.
    let is_zlib = matches!(packed, [0x78, flags, ..] if (0x7800 + u16::from(*flags)).is_multiple_of(31));
    let mut plain = Secret::new(Vec::new());
    let limit = budget.inflated_limit();
    if packed.starts_with(&GZIP) {
        let _ = inflate(packed, budget, &mut plain);
    } else if packed.starts_with(&XZ) {
        let reader = XzReader::new_mem_limit(packed, true, XZ_MEMORY);
        let _ = reader.take(limit as u64 + 1).read_to_end(&mut plain);
        let _ = budget.take_inflated(plain.len());
    } else if is_zlib {
        let _ = ZlibDecoder::new(packed).take(limit as u64 + 1).read_to_end(&mut plain);
        let _ = budget.take_inflated(plain.len());
    } else {
        return None;
    }
    if plain.len() > limit {
        budget.leave_unseen();
    }
    Some(plain)
}

fn inflate(packed: &[u8], budget: &Budget, plain: &mut Vec<u8>) -> Result<(), Diagnostic> {
    let limit = budget.inflated_limit();
    let mut rest = packed;
    while rest.starts_with(&GZIP) {
        let (before, room) = (plain.len(), (limit - plain.len()) as u64 + 1);
        let mut member = GzDecoder::new(rest);
        let read = member.by_ref().take(room).read_to_end(plain);
        // 18 bytes is the minimum overhead of a gzip member (RFC 1952 §2.3).
        if !budget.take_inflated(plain.len() - before) || !budget.take(18) {
            return Err(too_large());
        }
        if plain.len() > limit {
            return Err(Diagnostic::error(
                Code::VerifyLimit,
                match limit {
                    MAX_INFLATED => {
                        format!("decompresses to more than {} MiB, the limit of `verify`", limit >> 20)
                    }
                    _ => format!(
                        "decompresses to more than {} MiB together with the rest of the input, the limit of `verify`",
                        MAX_INFLATED_IN_ALL >> 20
                    ),
                },
            ));
        }
        read.map_err(|error| damaged(&error))?;
        rest = member.into_inner();
    }
    let trailing = rest.iter().rposition(|b| *b != 0).map_or(0, |n| n + 1);
    if trailing > 0 {
        return Err(Diagnostic::error(
            Code::UserDataDamaged,
            format!("has {} after the end of its gzip stream", counted(trailing as u64, "byte")),
        ));
    }
    Ok(())
}

/// The problem to report when the budget is exhausted.
pub fn too_large() -> Diagnostic {
    Diagnostic::error(Code::VerifyLimit, "is too large to check").hint("verify its parts one by one")
}

fn damaged(error: &std::io::Error) -> Diagnostic {
    if error.kind() == ErrorKind::UnexpectedEof {
        return Diagnostic::error(Code::UserDataCutShort, "is a gzip stream that is cut short")
            .hint(FETCH_AGAIN);
    }
    Diagnostic::error(Code::UserDataDamaged, format!("is a damaged gzip stream: {error}"))
        .hint("download or paste it again; a console that accepts only text needs `--base64`")
}

/// Decodes base64 and ignores white space.
///
/// # Errors
/// The text is not base64, is cut short, or exceeds the budget. The error has the offset of the problem in `text`, in bytes.
pub fn unbase64(text: &[u8], budget: &Budget) -> Result<Bytes, (usize, Diagnostic)> {
    decode(text, "", budget)
}

/// As [`unbase64`], but adds missing padding, as Python does (`decode_b` in `email/_encoded_words.py`).
///
/// # Errors
/// As [`unbase64`].
pub fn unbase64_unpadded(text: &[u8], budget: &Budget) -> Result<Bytes, (usize, Diagnostic)> {
    let missing = match text.iter().filter(|b| !b.is_ascii_whitespace()).count() % 4 {
        2 => "==",
        3 => "=",
        _ => "",
    };
    decode(text, missing, budget)
}

/// Decodes base64 followed by `padding`, in chunks, so that a large text is not copied.
fn decode(text: &[u8], padding: &str, budget: &Budget) -> Result<Bytes, (usize, Diagnostic)> {
    /// Letters that are decoded at a time. It must be a multiple of four.
    const CHUNK: usize = 4096;
    if !budget.take(text.len()) {
        return Err((0, too_large()));
    }
    let mut letters =
        text.iter().copied().filter(|b| !b.is_ascii_whitespace()).chain(padding.bytes()).peekable();
    let mut plain = Secret::new(Vec::with_capacity(text.len() / 4 * 3 + 3));
    let mut chunk = Secret::new(Vec::with_capacity(CHUNK));
    let mut before = 0;
    let decoded = loop {
        chunk.clear();
        chunk.extend(letters.by_ref().take(CHUNK));
        let at = |n: usize| before + n;
        match STANDARD.decode_vec(&chunk[..], &mut plain) {
            Err(DecodeError::InvalidByte(n, byte)) => break Err(DecodeError::InvalidByte(at(n), byte)),
            Err(error) => break Err(error),
            Ok(()) if letters.peek().is_none() => break Ok(plain),
            Ok(()) => {}
        }
        // Padding is valid only at the end of all.
        if let Some(n) = chunk.iter().position(|b| *b == b'=') {
            break Err(DecodeError::InvalidByte(at(n), b'='));
        }
        before += chunk.len();
    };
    decoded.map_err(|error| {
        let offset_of = |n: usize| {
            let mut kept = text.iter().enumerate().filter(|(_, b)| !b.is_ascii_whitespace());
            kept.nth(n).map_or(text.len(), |(offset, _)| offset)
        };
        match error {
            DecodeError::InvalidByte(n, byte) if byte != b'=' => {
                let problem = Diagnostic::error(
                    Code::UserDataDamaged,
                    format!("is base64 with the invalid character `{}`", char::from(byte).escape_default()),
                );
                (offset_of(n), problem.hint(FETCH_AGAIN))
            }
            DecodeError::InvalidByte(n, _) => {
                (offset_of(n), Diagnostic::error(Code::UserDataDamaged, "is base64 with `=` before its end"))
            }
            DecodeError::InvalidLength(_)
            | DecodeError::InvalidPadding
            | DecodeError::InvalidLastSymbol { .. } => (
                text.len(),
                Diagnostic::error(
                    Code::UserDataCutShort,
                    "is base64 that is cut short or damaged at its end",
                )
                .hint(FETCH_AGAIN),
            ),
        }
    })
}

/// Returns whether a text begins with a byte order mark of UTF-16 (Unicode, section 23.8).
pub fn is_utf16(text: &[u8]) -> bool {
    text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff])
}

/// Returns whether the text has only characters of base64. A file name can have that too, so a minimum length is required.
pub fn is_base64(text: &[u8]) -> bool {
    const SHORTEST: usize = 24;
    let letters = text.iter().filter(|b| !b.is_ascii_whitespace());
    let legal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    letters.clone().all(legal) && letters.count() >= SHORTEST
}

/// Returns the name of a compression that cloud-init does not decompress. Detects it by the magic number.
pub fn foreign_compression(bytes: &[u8]) -> Option<&'static str> {
    let magic: [(&[u8], &str); 4] =
        [(&[0x28, 0xb5, 0x2f, 0xfd], "zstd"), (&XZ, "xz"), (b"BZh", "bzip2"), (b"PK\x03\x04", "zip")];
    magic.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn damage_in_base64_has_its_offset_in_any_chunk() {
        let budget = Budget::default();
        for at in [0, 5, 4095, 4096, 9000] {
            for (bad, code) in [(b'!', Code::UserDataDamaged), (b'=', Code::UserDataDamaged)] {
                let mut text = vec![b'A'; 12_000];
                text[at] = bad;
                // A line end before it counts as an offset, but is no letter.
                text.insert(at, b'\n');
                let (offset, problem) = unbase64(&text, &budget).unwrap_err();
                assert_eq!((offset, problem.code), (at + 1, code), "{at}");
            }
        }
        for length in [1, 4095, 4097, 8193] {
            let (offset, problem) = unbase64(&vec![b'A'; length], &budget).unwrap_err();
            assert_eq!((offset, problem.code), (length, Code::UserDataCutShort));
        }
        assert_eq!(unbase64(b" \n", &budget).unwrap().len(), 0);
    }

    proptest! {
        #[test]
        fn gzip_and_base64_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let budget = Budget::default();
            prop_assert_eq!(&gunzip(&gzip(&bytes), &budget).unwrap()[..], &bytes[..]);
            for text in [base64(&bytes), base64_lines(&bytes).join("\n"), base64_lines(&bytes).join("\r\n  ")] {
                prop_assert_eq!(&unbase64(text.as_bytes(), &budget).unwrap()[..], &bytes[..]);
                let unpadded = text.trim_end_matches('=');
                prop_assert_eq!(&unbase64_unpadded(unpadded.as_bytes(), &budget).unwrap()[..], &bytes[..]);
            }
        }
    }
}
