//! Private keys and certificates are found wherever they stand and whatever is around them: in PEM, indented, commented out, in
//! quotes, one line an item of a list or a command; in DER; in base64, base64url, hexadecimal, percent-encoding and UTF-16; in
//! gzip, zlib and xz; and in these in each other. bzip2, zstd and zip are not looked into, which is said.
//!
//! Each pass over some bytes takes their number from the budget before it begins, and none looks at a byte more often than a
//! fixed number of times.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::secret::Secret;
use base64::engine::GeneralPurpose;
use sha2::{Digest, Sha256};

use crate::pki::{Certificate, StrayKey};
use crate::userdata::budget::Budget;
use crate::userdata::encoded::{
    LONGEST_GAP, SHORTEST, SHORTEST_BYTES, STANDARD, URL_SAFE, begins_something, decode, find, from_hex,
    is_standard, is_url_safe, pairs, percents, runs,
};
use crate::userdata::encoding::{self, Bytes};
use crate::userdata::host_state::HostState;
use crate::userdata::seed::Part;

/// A PEM label is shorter (RFC 7468 §4 has none longer than `ENCRYPTED PRIVATE KEY`).
const LONGEST_LABEL: usize = 40;
/// Base64 in gzip in base64 and so on.
const DEEPEST: usize = 6;
/// Different private keys of an input; a seed has one or two. To read one takes some 50 µs.
const MOST_KEYS: usize = 64;
/// Different certificates of an input; Debian's bundle of CAs has some 150.
const MOST_CERTIFICATES: usize = 512;

/// What there is in some bytes, whatever is around it.
#[derive(Default)]
pub struct Found {
    /// Each with where it, or what it is wrapped in, begins.
    pub keys: Vec<(StrayKey, usize)>,
    pub certificates: Vec<Certificate>,
}

/// What there is in the files, inline texts and parts of a seed, each in its order.
pub struct Everything {
    pub files: Vec<Found>,
    pub inline: Vec<Found>,
    pub parts: Vec<Found>,
    /// There are more different keys than are looked at.
    pub too_many_keys: bool,
    /// As for keys.
    pub too_many_certificates: bool,
}

/// Looks through a whole seed.
pub fn everything(parts: &[Part], host: &HostState, budget: &Budget) -> Everything {
    let mut known = Known::default();
    let mut find = |bytes: &[u8]| {
        let mut search = Search { budget, known: &mut known, found: Found::default(), ids: HashSet::new() };
        search.look(bytes, None, 0);
        search.found
    };
    let files = host.files().iter().map(|file| find(&file.bytes)).collect();
    let inline = host.inline.iter().map(|text| find(text.text.expose().as_bytes())).collect();
    let parts = parts.iter().map(|part| find(&part.bytes)).collect();
    let Known { too_many_keys, too_many_certificates, .. } = known;
    Everything { files, inline, parts, too_many_keys, too_many_certificates }
}

/// What was read before, by the digest of what it was read from: the same is read once.
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
    /// What is in `found` already.
    ids: HashSet<[u8; 32]>,
}

impl Search<'_> {
    /// `at`: where the outermost wrapping begins; none where this is not wrapped.
    fn look(&mut self, bytes: &[u8], at: Option<usize>, depth: usize) {
        if bytes.len() < SHORTEST_BYTES / 2 {
            return;
        }
        if depth > DEEPEST {
            return self.budget.leave_unseen();
        }
        // What is wrong with a stream is told by those who unpack it as the host does.
        if let Some(plain) = encoding::inflate_partly(bytes, self.budget)
            && !plain.is_empty()
        {
            self.look(&plain, at.or(Some(0)), depth + 1);
        }
        if encoding::foreign_compression(bytes).is_some() {
            self.budget.leave_unseen();
        }
        if self.der(bytes, at) || !self.budget.take(bytes.len()) {
            return;
        }
        // UTF-16 of what keys are written in is ASCII with a zero byte before or after each; with or without a byte order mark.
        if bytes.contains(&0) {
            let text: Bytes = Secret::new(bytes.iter().copied().filter(|b| *b != 0).collect());
            self.look(&text, at.or(Some(0)), depth + 1);
        }
        if !self.budget.take(5 * bytes.len()) {
            return;
        }
        self.blocks(bytes, at);
        runs(bytes, is_standard, &mut |pieces| self.run(bytes, pieces, &STANDARD, at, depth));
        runs(bytes, is_url_safe, &mut |pieces| {
            // Without these two letters it is base64 of the usual kind, and was looked at as that.
            if pieces.iter().any(|piece| bytes[piece.clone()].iter().any(|b| matches!(b, b'-' | b'_'))) {
                self.run(bytes, pieces, &URL_SAFE, at, depth);
            }
        });
        pairs(bytes, &mut |start, decoded| self.look(decoded, at.or(Some(start)), depth + 1));
        percents(bytes, &mut |start, decoded| self.look(decoded, at.or(Some(start)), depth + 1));
    }

    fn der(&mut self, bytes: &[u8], at: Option<usize>) -> bool {
        // A SEQUENCE (X.690 §8.9).
        if bytes.first() != Some(&0x30) || !self.budget.take(bytes.len()) {
            return false;
        }
        self.key(digest(&[b"DER", bytes]), at.unwrap_or_default(), || StrayKey::from_der(bytes))
    }

    /// Pieces of base64 that are one text together, or of hexadecimal.
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
            return self.look(&from_hex(digits), at, depth + 1);
        }
        let (decoded, without_last) = decode(bytes, pieces, engine);
        // The last line may be the end of a here-document, whose word is of base64's letters too.
        if !self.der(&decoded[..without_last], at) {
            self.look(&decoded, at, depth + 1);
        }
        // Several texts of one length look like pieces of one.
        if pieces.len() > 1 {
            for piece in pieces.iter().filter(|piece| piece.len() >= SHORTEST) {
                let (decoded, _) = decode(bytes, std::slice::from_ref(piece), engine);
                if begins_something(&decoded) {
                    self.look(&decoded, at, depth + 1);
                }
            }
        }
    }

    /// Takes a key, which is read by `read` if it was not before. Whether it is one.
    fn key(&mut self, id: [u8; 32], at: usize, read: impl FnOnce() -> Option<StrayKey>) -> bool {
        let key = match self.known.keys.get(&id) {
            Some(key) => key.clone(),
            None if self.known.keys.len() >= MOST_KEYS => {
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
            None if self.known.certificates.len() >= MOST_CERTIFICATES => {
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

    /// Keys and certificates in PEM, in one pass. A block ends before the next one begins, whether or not its own end is there.
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
                self.without_end(open.take(), at);
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
        self.without_end(open, at);
    }

    fn without_end(&mut self, open: Option<(usize, &str, usize)>, at: Option<usize>) {
        if let Some((start, label, _)) = open.filter(|(_, label, _)| is_key(label)) {
            let id = digest(&[b"cut", label.as_bytes()]);
            self.key(id, at.unwrap_or(start), || Some(StrayKey::broken(label.as_bytes())));
        }
    }

    fn block(&mut self, label: &str, body: &[u8], around: Around, at: usize) {
        if !(is_key(label) || label == "CERTIFICATE") || !self.budget.take(8 * body.len()) {
            return;
        }
        let id = digest(&[label.as_bytes(), body]);
        let body = Secret::new(String::from_utf8_lossy(body).replace("\\r", "").replace("\\n", "\n"));
        let blocks = ways_to_read(body.expose(), &around).map(|lines| pem(label, lines.expose()));
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

/// What is around the end of a block on its line: the same is around its other lines, where each is an item or a command.
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

/// The base64 of a block of PEM, by the ways in which its lines may be wrapped, the likeliest first.
fn ways_to_read(body: &str, around: &Around) -> impl Iterator<Item = Secret<String>> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    // Indented, commented out, in quotes, an item each.
    let trimmed = move |line: &str| line.trim_matches(|c| !is_letter(c)).to_owned();
    // The argument of a command, which is the same for each line.
    let argument = move |line: &str| {
        let line = line.strip_prefix(&around.before[..]).unwrap_or(line);
        line.strip_suffix(around.after.trim_end()).unwrap_or(line).trim_matches(|c| !is_letter(c)).to_owned()
    };
    let longest = move |line: &str| {
        line.split(|c| !is_letter(c)).max_by_key(|word| word.len()).unwrap_or_default().to_owned()
    };
    // Several on one line, in quotes.
    let words = move |line: &str| line.replace(|c| !is_letter(c), "\n");
    type Way<'a> = Box<dyn Fn(&str) -> String + 'a>;
    let ways: [Way; 4] = [Box::new(trimmed), Box::new(argument), Box::new(words), Box::new(longest)];
    ways.into_iter().map(move |way| Secret::new(body.lines().map(way).collect::<Vec<_>>().join("\n")))
}

fn pem(label: &str, body: &str) -> Secret<String> {
    Secret::new(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", body.trim()))
}

fn is_key(label: &str) -> bool {
    label.contains("PRIVATE KEY")
}

/// What stands before the next five dashes, if it may be a label.
fn label(rest: &[u8]) -> Option<&str> {
    let near = &rest[..rest.len().min(LONGEST_LABEL + 5)];
    std::str::from_utf8(&near[..find(near, b"-----", 0)?]).ok()
}

fn digest(texts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    texts.iter().for_each(|text| digest.update(text));
    digest.finalize().into()
}
