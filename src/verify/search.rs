//! Finds private keys and certificates anywhere in a seed, in any encoding: in PEM, also indented, commented out, in quotes, or
//! with each line in a list item or a command; in DER; in base64, base64url, hexadecimal, percent-encoding and UTF-16; in gzip,
//! zlib and xz; and in any combination of these. bzip2, zstd and zip are not decompressed, which is reported.
//!
//! Each pass over some bytes first takes their number from the budget. No pass reads a byte more often than a fixed number of
//! times.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use base64::engine::GeneralPurpose;
use sha2::{Digest, Sha256};

use crate::pki::{Certificate, StrayKey};
use crate::secret::Secret;
use crate::userdata::budget::Budget;
use crate::userdata::encoded::{
    LONGEST_GAP, MAX_DECODED, SHORTEST, SHORTEST_BYTES, STANDARD, URL_SAFE, begins_something, decode, find,
    from_hex, is_standard, is_url_safe, pairs, percents, runs,
};
use crate::userdata::encoding::{self, Bytes};
use crate::userdata::host_state::HostState;
use crate::userdata::seed::Part;

/// Maximum length of a PEM label in bytes. No label in RFC 7468 §4 is longer than `ENCRYPTED PRIVATE KEY`.
const MAX_LABEL: usize = 40;
/// Maximum length of the body of a PEM block in bytes. The key of an RSA certificate with 16384 bits has 13 KB.
const MAX_PEM: usize = 1 << 20;
/// Maximum depth of nested encodings, such as base64 in gzip in base64.
const MAX_DEPTH: usize = 6;
/// Maximum number of different private keys in an input. A seed has one or two. Reading one takes about 50 µs.
pub const MAX_KEYS: usize = 64;
/// Maximum number of different certificates in an input. Debian's CA bundle has about 150.
pub const MAX_CERTIFICATES: usize = 512;

/// The private keys and certificates that were found in some bytes.
#[derive(Default)]
pub struct Found {
    /// Each key with the offset in bytes of the key itself or of its outermost encoding.
    pub keys: Vec<(StrayKey, usize)>,
    pub certificates: Vec<Certificate>,
}

/// The keys and certificates in the files, inline texts and parts of a seed, each in the order of the seed.
pub struct Everything {
    pub files: Vec<Found>,
    pub inline: Vec<Found>,
    pub parts: Vec<Found>,
    /// True if there are more different keys than the limit.
    pub too_many_keys: bool,
    /// True if there are more different certificates than the limit.
    pub too_many_certificates: bool,
}

/// Searches a whole seed.
pub fn everything(parts: &[Part], host: &HostState, budget: &Budget) -> Everything {
    let mut known = Known::default();
    let mut find = |bytes: &[u8]| {
        let mut search = Search { budget, known: &mut known, found: Found::default(), ids: HashSet::new() };
        search.scan(bytes, None, 0);
        search.found
    };
    let files = host.files().iter().map(|file| find(&file.bytes)).collect();
    let inline = host.inline.iter().map(|text| find(text.text.expose().as_bytes())).collect();
    let parts = parts.iter().map(|part| find(&part.bytes)).collect();
    let Known { too_many_keys, too_many_certificates, .. } = known;
    Everything { files, inline, parts, too_many_keys, too_many_certificates }
}

/// Keys and certificates that were read before, by the digest of their source. So each is read only once.
#[derive(Default)]
struct Known {
    keys: HashMap<[u8; 32], StrayKey>,
    certificates: HashMap<[u8; 32], Certificate>,
    too_many_keys: bool,
    too_many_certificates: bool,
}

struct Search<'a> {
    budget: &'a Budget,
    known: &'a mut Known,
    found: Found,
    /// Identifiers of the keys and certificates in `found`.
    ids: HashSet<[u8; 32]>,
}

impl Search<'_> {
    /// `at` is the offset of the outermost encoding. None if the bytes are not encoded.
    fn scan(&mut self, bytes: &[u8], at: Option<usize>, depth: usize) {
        if bytes.len() < SHORTEST_BYTES / 2 {
            return;
        }
        if depth > MAX_DEPTH {
            return self.budget.leave_unseen();
        }
        // Damage in a compressed stream is reported by the code that decompresses it as the host does.
        if let Some(plain) = encoding::inflate_partly(bytes, self.budget)
            && !plain.is_empty()
        {
            self.scan(&plain, at.or(Some(0)), depth + 1);
        }
        if encoding::foreign_compression(bytes).is_some() {
            self.budget.leave_unseen();
        }
        if self.der(bytes, at) || !self.budget.take(bytes.len()) {
            return;
        }
        // UTF-16 of ASCII text has a zero byte before or after each character, with or without a byte order mark.
        if bytes.contains(&0) {
            let text: Bytes = Secret::new(bytes.iter().copied().filter(|b| *b != 0).collect());
            self.scan(&text, at.or(Some(0)), depth + 1);
        }
        if !self.budget.take(5 * bytes.len()) {
            return;
        }
        self.blocks(bytes, at);
        runs(bytes, is_standard, &mut |pieces| self.run(bytes, pieces, &STANDARD, at, depth));
        runs(bytes, is_url_safe, &mut |pieces| {
            // Without `-` and `_`, base64url equals standard base64, which was searched above.
            if pieces.iter().any(|piece| bytes[piece.clone()].iter().any(|b| matches!(b, b'-' | b'_'))) {
                self.run(bytes, pieces, &URL_SAFE, at, depth);
            }
        });
        pairs(bytes, &mut |start, decoded| self.decoded(decoded, at.or(Some(start)), depth));
        percents(bytes, &mut |start, decoded| self.decoded(decoded, at.or(Some(start)), depth));
    }

    fn der(&mut self, bytes: &[u8], at: Option<usize>) -> bool {
        // The tag of a SEQUENCE (X.690 §8.9).
        if bytes.first() != Some(&0x30) || !self.budget.take(bytes.len()) {
            return false;
        }
        self.key(digest(&[b"DER", bytes]), at.unwrap_or_default(), || StrayKey::from_der(bytes))
    }

    /// Searches what was decoded, which is only the beginning if it is too large.
    fn decoded(&mut self, decoded: &[u8], at: Option<usize>, depth: usize) {
        if decoded.len() >= MAX_DECODED {
            self.budget.leave_unseen();
        }
        self.scan(decoded, at, depth + 1);
    }

    /// Decodes a run: pieces of base64 or hexadecimal that form one text.
    fn run(
        &mut self,
        bytes: &[u8],
        pieces: &[Range<usize>],
        engine: &GeneralPurpose,
        at: Option<usize>,
        depth: usize,
    ) {
        let length: usize = pieces.iter().map(ExactSizeIterator::len).sum();
        if !self.budget.take(2 * length) {
            return;
        }
        let at = at.or(Some(pieces[0].start));
        let is_hex = |piece: &Range<usize>| bytes[piece.clone()].iter().all(u8::is_ascii_hexdigit);
        if pieces.iter().all(is_hex) {
            let digits = pieces.iter().flat_map(|piece| bytes[piece.clone()].iter().copied());
            return self.decoded(&from_hex(digits), at, depth);
        }
        let (decoded, without_last) = decode(bytes, pieces, engine);
        // The last piece may be the end marker of a here-document, if that word has only letters of base64.
        if !self.der(&decoded[..without_last], at) {
            self.decoded(&decoded, at, depth);
        }
        // Several texts of equal length look like the pieces of one text.
        if pieces.len() > 1 {
            for piece in pieces.iter().filter(|piece| piece.len() >= SHORTEST) {
                let (decoded, _) = decode(bytes, std::slice::from_ref(piece), engine);
                if begins_something(&decoded) {
                    self.scan(&decoded, at, depth + 1);
                }
            }
        }
    }

    /// Adds a key, which `read` parses if it is not known. Returns whether it is a key.
    fn key(&mut self, id: [u8; 32], at: usize, read: impl FnOnce() -> Option<StrayKey>) -> bool {
        let key = match self.known.keys.get(&id) {
            Some(key) => key.clone(),
            None if self.known.keys.len() >= MAX_KEYS => {
                self.known.too_many_keys = true;
                return false;
            }
            None => {
                let Some(key) = read() else { return false };
                self.known.keys.insert(id, key.clone());
                key
            }
        };
        if self.ids.insert(*key.id()) {
            self.found.keys.push((key, at));
        }
        true
    }

    fn certificate(&mut self, id: [u8; 32], read: impl FnOnce() -> Option<Certificate>) {
        let certificate = match self.known.certificates.get(&id) {
            Some(certificate) => certificate.clone(),
            None if self.known.certificates.len() >= MAX_CERTIFICATES => {
                self.known.too_many_certificates = true;
                return;
            }
            None => {
                let Some(certificate) = read() else { return };
                self.known.certificates.insert(id, certificate.clone());
                certificate
            }
        };
        if self.ids.insert(id) {
            self.found.certificates.push(certificate);
        }
    }

    /// Finds keys and certificates in PEM in one pass. A block ends at the latest where the next one begins.
    fn blocks(&mut self, bytes: &[u8], at: Option<usize>) {
        const BEGIN: &[u8] = b"-----BEGIN ";
        const END: &[u8] = b"-----END ";
        let mut open: Option<(usize, &str, usize)> = None;
        let mut from = 0;
        while let Some(dashes) = find(bytes, b"-----", from) {
            let rest = &bytes[dashes..];
            let marker = [BEGIN, END].into_iter().find(|marker| rest.starts_with(marker));
            let Some((marker, label)) =
                marker.and_then(|marker| Some((marker, label(&rest[marker.len()..])?)))
            else {
                from = dashes + 1;
                continue;
            };
            let after = dashes + marker.len() + label.len() + 5;
            if marker == BEGIN {
                self.unclosed_block(open.take(), at);
                open = Some((dashes, label, after));
            } else if let Some((start, begun, body)) = open.take_if(|(_, begun, _)| *begun == label) {
                self.block(
                    begun,
                    &bytes[body..dashes],
                    Around::of(bytes, dashes, after),
                    at.unwrap_or(start),
                );
            }
            from = after;
        }
        self.unclosed_block(open, at);
    }

    fn unclosed_block(&mut self, open: Option<(usize, &str, usize)>, at: Option<usize>) {
        if let Some((start, label, _)) = open.filter(|(_, label, _)| is_key(label)) {
            let id = digest(&[b"cut", label.as_bytes()]);
            self.key(id, at.unwrap_or(start), || Some(StrayKey::broken(label.as_bytes())));
        }
    }

    fn block(&mut self, label: &str, body: &[u8], around: Around, at: usize) {
        if !(is_key(label) || label == "CERTIFICATE") {
            return;
        }
        if body.len() > MAX_PEM {
            return self.unclosed_block(Some((at, label, at)), Some(at));
        }
        if !self.budget.take(8 * body.len()) {
            return;
        }
        let id = digest(&[label.as_bytes(), body]);
        let body = Secret::new(String::from_utf8_lossy(body).replace("\\r", "").replace("\\n", "\n"));
        let blocks = base64_candidates(body.expose(), &around).map(|lines| pem(label, lines.expose()));
        if is_key(label) {
            self.key(id, at, || {
                let keys: Vec<StrayKey> = blocks
                    .filter_map(|block| pem::parse(block.expose().as_bytes()).ok())
                    .filter_map(|block| StrayKey::from_pem(&block))
                    .collect();
                let known = keys.iter().find(|key| key.is_known()).or(keys.first());
                Some(known.cloned().unwrap_or_else(|| StrayKey::broken(body.expose().as_bytes())))
            });
        } else {
            self.certificate(id, || {
                blocks.filter_map(|block| Certificate::from_pem(block.expose()).ok()).next()
            });
        }
    }
}

/// The text around the end of a block on its line. If each line is a list item or a command, the same text is around each line.
struct Around {
    before: String,
    after: String,
}

impl Around {
    fn of(bytes: &[u8], start: usize, end: usize) -> Self {
        let before = &bytes[start.saturating_sub(LONGEST_GAP)..start];
        let before = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
        let after = &bytes[end..bytes.len().min(end + LONGEST_GAP)];
        let after = after.split(|b| *b == b'\n').next().unwrap_or_default();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self { before: text(before), after: text(after) }
    }
}

/// Returns candidates for the base64 of a PEM block. Each removes other text from the lines by another rule; the most likely one
/// comes first.
fn base64_candidates(body: &str, around: &Around) -> impl Iterator<Item = Secret<String>> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    // For lines that are indented, commented out, in quotes, or list items.
    let trimmed = move |line: &str| line.trim_matches(|c| !is_letter(c)).to_owned();
    // For lines that are the argument of a command, if the command is the same for each line.
    let argument = move |line: &str| {
        let line = line.strip_prefix(&around.before[..]).unwrap_or(line);
        line.strip_suffix(around.after.trim_end()).unwrap_or(line).trim_matches(|c| !is_letter(c)).to_owned()
    };
    let longest = move |line: &str| {
        line.split(|c| !is_letter(c)).max_by_key(|word| word.len()).unwrap_or_default().to_owned()
    };
    // For several lines in quotes on one line.
    let words = move |line: &str| line.replace(|c| !is_letter(c), "\n");
    type ExtractBase64<'a> = Box<dyn Fn(&str) -> String + 'a>;
    let rules: [ExtractBase64; 4] =
        [Box::new(trimmed), Box::new(argument), Box::new(words), Box::new(longest)];
    rules.into_iter().map(move |rule| Secret::new(body.lines().map(rule).collect::<Vec<_>>().join("\n")))
}

fn pem(label: &str, body: &str) -> Secret<String> {
    Secret::new(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", body.trim()))
}

fn is_key(label: &str) -> bool {
    label.contains("PRIVATE KEY")
}

/// The text before the next five dashes, if it can be a label.
fn label(rest: &[u8]) -> Option<&str> {
    let near = &rest[..rest.len().min(MAX_LABEL + 5)];
    std::str::from_utf8(&near[..find(near, b"-----", 0)?]).ok()
}

fn digest(texts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    texts.iter().for_each(|text| digest.update(text));
    digest.finalize().into()
}
