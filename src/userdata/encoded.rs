//! Finds runs of bytes in a text that are probably encoded: base64, base64url, hexadecimal, percent-encoding. The search for
//! private keys uses it; this module does not interpret the decoded bytes.

use std::ops::Range;

use base64::Engine;
use base64::alphabet::{self, Alphabet};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::budget::MAX_INFLATED;
use super::encoding::{self, Bytes};
use crate::secret::Secret;

/// Minimum length of base64 that can contain a private key, in characters. The shortest key, Ed25519 in PKCS#8 (RFC 8410 §7), has
/// 48 bytes, which are 64 characters. The limit is slightly lower.
pub const SHORTEST: usize = 60;
/// [`SHORTEST`] in bytes.
pub const SHORTEST_BYTES: usize = SHORTEST * 3 / 4;
/// Minimum length in characters of a piece of base64 that is split over list items or commands. The last piece can be shorter.
const SHORTEST_PIECE: usize = 16;
/// Maximum number of bytes that are decoded from one run: as much as from a compressed stream. The rest of the run is left out.
pub const MAX_DECODED: usize = MAX_INFLATED;
/// Maximum number of bytes between two pieces: the end of one command and the beginning of the next.
pub const LONGEST_GAP: usize = 160;
/// A decoder that accepts missing padding and trailing bits: a search must not depend on them.
const fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}
/// Decodes base64 (RFC 4648 §4).
pub const STANDARD: GeneralPurpose = lenient(&alphabet::STANDARD);
/// Decodes base64url (RFC 4648 §5).
pub const URL_SAFE: GeneralPurpose = lenient(&alphabet::URL_SAFE);

/// Returns whether a text can contain a private key: it has the label `PRIVATE KEY`, or a run of encoded bytes that is long enough.
pub fn may_hold_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut found = text.contains("PRIVATE KEY");
    let mut note = |_: &[Range<usize>]| found = true;
    runs(bytes, is_standard, &mut note);
    runs(bytes, is_url_safe, &mut note);
    pairs(bytes, &mut |_, _| found = true);
    percents(bytes, &mut |_, _| found = true);
    found
}

/// Finds the first `wanted` at offset `from` or later. It is fast only if the first byte of `wanted` is rare in the text.
pub fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|b| *b == wanted[0])?;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
}

/// Returns whether a byte is a letter of base64 (RFC 4648 §4), without `=`.
pub fn is_standard(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')
}

/// Returns whether a byte is a letter of base64url (RFC 4648 §5), without `=`.
pub fn is_url_safe(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

/// The word that begins at `start`: letters, and then any number of `=`.
fn word(bytes: &[u8], start: usize, is_letter: fn(u8) -> bool) -> Range<usize> {
    let mut end = start;
    while bytes.get(end).is_some_and(|b| is_letter(*b)) {
        end += 1;
    }
    while end > start && bytes.get(end) == Some(&b'=') {
        end += 1;
    }
    start..end
}

/// Calls `take` with the pieces of each run that looks like base64. A run is either one long word, or words of equal length and
/// one shorter last word. Between each two words are the same bytes: a line break, quotes and a comma, or the end of a command
/// and the beginning of the next.
pub fn runs(bytes: &[u8], is_letter: fn(u8) -> bool, take: &mut dyn FnMut(&[Range<usize>])) {
    let next = |mut at: usize, shortest: usize| {
        while at < bytes.len() {
            let found = word(bytes, at, is_letter);
            if found.len() >= shortest {
                return Some(found);
            }
            at = found.end.max(at + 1);
        }
        None
    };
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut upcoming = next(0, SHORTEST_PIECE);
    while let Some(first) = upcoming {
        let width = first.len();
        let mut end = first.end;
        pieces.clear();
        pieces.push(first);
        // White space alone separates lines of any length. With any other separator, both words must be long to be found.
        let blank = bytes[end..].iter().take(LONGEST_GAP).take_while(|b| b.is_ascii_whitespace()).count();
        let second = match word(bytes, end + blank, is_letter) {
            word if blank > 0 && !word.is_empty() && ends_line(bytes, word.end) => Some(word),
            _ => next(end, SHORTEST_PIECE),
        };
        upcoming = second.clone();
        if let Some(second) =
            second.filter(|second| second.len() <= width && second.start - end <= LONGEST_GAP)
        {
            let gap = &bytes[end..second.start];
            let mut piece = second;
            loop {
                end = piece.end;
                let shorter = piece.len() < width;
                pieces.push(piece);
                if shorter || !bytes[end..].starts_with(gap) {
                    break;
                }
                piece = word(bytes, end + gap.len(), is_letter);
                if piece.is_empty() || piece.len() > width {
                    break;
                }
            }
            upcoming = next(end, SHORTEST_PIECE);
        }
        if pieces.iter().map(ExactSizeIterator::len).sum::<usize>() >= SHORTEST {
            take(&pieces);
        }
    }
}

/// Returns whether the rest of the line is empty.
fn ends_line(bytes: &[u8], at: usize) -> bool {
    let rest = &bytes[at..];
    let blank = rest.iter().take(LONGEST_GAP).take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
    matches!(rest.get(blank), None | Some(b'\n'))
}

/// Decodes pieces one after another, as `base64 -d` decodes text with padding in the middle. Also returns the decoded length
/// without the last piece, or the whole length if the last piece is as long as the others. Stops at [`MAX_DECODED`] bytes.
pub fn decode(bytes: &[u8], pieces: &[Range<usize>], engine: &GeneralPurpose) -> (Bytes, usize) {
    /// Letters that are decoded at a time. It must be a multiple of four.
    const CHUNK: usize = 4096;
    let total: usize = pieces.iter().map(ExactSizeIterator::len).sum();
    let mut decoded: Bytes = Secret::new(Vec::with_capacity((total / 4 * 3 + 3).min(MAX_DECODED + CHUNK)));
    let mut chunk = Secret::new(Vec::with_capacity(CHUNK));
    let flush = |chunk: &mut Vec<u8>, decoded: &mut Vec<u8>| {
        // A single letter is less than a byte.
        chunk.truncate(chunk.len() - usize::from(chunk.len() % 4 == 1));
        // The chunk has only letters of the alphabet, so decoding cannot fail.
        let _ = engine.decode_vec(&chunk[..], decoded);
        chunk.clear();
    };
    let mut without_last = 0;
    for (n, piece) in pieces.iter().enumerate() {
        if decoded.len() >= MAX_DECODED {
            break;
        }
        if n + 1 == pieces.len() && n > 0 && piece.len() < pieces[0].len() {
            without_last = decoded.len() + chunk.len() * 3 / 4;
        }
        for letter in &bytes[piece.clone()] {
            match letter {
                b'=' => flush(&mut chunk, &mut decoded),
                letter => chunk.push(*letter),
            }
            if chunk.len() == CHUNK {
                flush(&mut chunk, &mut decoded);
                if decoded.len() >= MAX_DECODED {
                    break;
                }
            }
        }
    }
    flush(&mut chunk, &mut decoded);
    let whole = decoded.len();
    (decoded, if without_last == 0 { whole } else { without_last.min(whole) })
}

/// Returns whether the bytes begin like a format that can contain a key: DER, PEM, gzip, xz or zlib.
pub fn begins_something(bytes: &[u8]) -> bool {
    let magic: [&[u8]; 4] = [&[0x30, 0x81], &[0x30, 0x82], &encoding::GZIP, &encoding::XZ];
    magic.iter().any(|magic| bytes.starts_with(magic))
        // An Ed25519 key in PKCS#8, or zlib.
        || matches!(bytes, [0x30, 0x2e, ..] | [0x78, ..])
        || bytes.starts_with(b"-----BEGIN ")
}

/// Decodes hexadecimal digits in pairs, up to [`MAX_DECODED`] bytes. Ignores other bytes and a single last digit.
pub fn from_hex(digits: impl Iterator<Item = u8>) -> Bytes {
    let mut high = None;
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let bytes = digits.filter_map(value).filter_map(|digit| match high.take() {
        Some(high) => Some(high << 4 | digit),
        None => {
            high = Some(digit);
            None
        }
    });
    Secret::new(bytes.take(MAX_DECODED).collect())
}

/// Calls `take` with the offset and the decoded bytes of each run of hexadecimal pairs. Between each two pairs are the same
/// bytes: `:`, a space, a comma, `\x`, or `, 0x`.
pub fn pairs(bytes: &[u8], take: &mut dyn FnMut(usize, &[u8])) {
    const LONGEST: usize = 4;
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let is_pair = |at: usize| is_digit(at) && is_digit(at + 1) && !is_digit(at + 2);
    let mut digits = Secret::new(Vec::new());
    let mut at = 0;
    while at < bytes.len() {
        if !is_pair(at) {
            at += 1;
            continue;
        }
        let start = at;
        digits.clear();
        digits.extend_from_slice(&bytes[at..at + 2]);
        at += 2;
        if let Some(length) = (1..=LONGEST).find(|length| is_pair(at + length)) {
            let gap = &bytes[at..at + length];
            while bytes[at..].starts_with(gap) && is_pair(at + length) {
                if digits.len() < 2 * MAX_DECODED {
                    digits.extend_from_slice(&bytes[at + length..at + length + 2]);
                }
                at += length + 2;
            }
        }
        if digits.len() >= 2 * SHORTEST_BYTES {
            take(start, &from_hex(digits.iter().copied()));
        }
    }
}

/// Calls `take` with the offset and the decoded bytes of each percent-encoded text (RFC 3986 §2.1). White space and quotes end a
/// text. In HTML form encoding, `+` means a space, and a literal `+` is escaped.
pub fn percents(bytes: &[u8], take: &mut dyn FnMut(usize, &[u8])) {
    const FEWEST: usize = 4;
    let is_end = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`' | b'<' | b'>');
    let mut start = 0;
    for text in bytes.split(is_end) {
        let begin = start;
        start += text.len() + 1;
        if text.len() < SHORTEST || text.iter().filter(|b| **b == b'%').count() < FEWEST {
            continue;
        }
        let is_form = find(text, b"BEGIN+", 0).is_some();
        let mut decoded: Bytes = Secret::new(Vec::with_capacity(text.len().min(MAX_DECODED)));
        let (mut rest, mut escapes) = (text, 0);
        while let Some((first, tail)) = rest.split_first().filter(|_| decoded.len() < MAX_DECODED) {
            let hex = |b: &u8| char::from(*b).to_digit(16).map(|digit| digit as u8);
            let escaped = match rest {
                [b'%', high, low, ..] => hex(high).zip(hex(low)),
                _ => None,
            };
            rest = if escaped.is_some() { &rest[3..] } else { tail };
            escapes += usize::from(escaped.is_some());
            decoded.push(match escaped {
                Some((high, low)) => high << 4 | low,
                None if is_form && *first == b'+' => b' ',
                None => *first,
            });
        }
        if escapes >= FEWEST {
            take(begin, &decoded);
            // The name of a variable or form field can come first. Take the value after `=` separately if it begins with a known
            // format.
            let named = text.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'_'));
            if let Some(at) = named.filter(|at| text[*at] == b'=')
                && begins_something(&decoded[at + 1..])
            {
                take(begin + at + 1, &decoded[at + 1..]);
            }
        }
    }
}
