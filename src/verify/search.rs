//! Private keys and certificates are found wherever they stand and whatever is around them: in PEM, indented, commented out, in
//! quotes, one line an item of a list or a command; in DER; in base64, base64url, hexadecimal, percent-encoding and UTF-16; in
//! gzip, zlib and xz; and in these in each other. bzip2, zstd and zip are not looked into, which is said.
//!
//! Each pass over some bytes takes their number from the budget before it begins, and none looks at a byte more often than a
//! fixed number of times.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use base64::Engine;
use base64::alphabet::{self, Alphabet};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::budget::Budget;
use super::landing::Landing;
use super::packing::{self, Bytes};
use super::seed::Part;
use crate::pki::{Certificate, StrayKey};

/// Shorter base64 holds no private key: Ed25519's in PKCS#8 (RFC 8410 §7) is 48 bytes, 64 letters.
const SHORTEST: usize = 60;
/// As [`SHORTEST`], in bytes.
const SHORTEST_BYTES: usize = SHORTEST * 3 / 4;
/// What a text is cut into where it is split over items or commands is no shorter than this, its last piece apart.
const SHORTEST_PIECE: usize = 16;
/// What may stand between two pieces: the rest of a command and the beginning of the next.
const LONGEST_GAP: usize = 160;
/// A PEM label is shorter (RFC 7468 §4 has none longer than `ENCRYPTED PRIVATE KEY`).
const LONGEST_LABEL: usize = 40;
/// Base64 in gzip in base64 and so on.
const DEEPEST: usize = 6;
/// Different private keys of an input; a seed has one or two. To read one takes some 50 µs.
const MOST_KEYS: usize = 64;
/// Different certificates of an input; Debian's bundle of CAs has some 150.
const MOST_CERTIFICATES: usize = 512;

/// Padding or not: this only looks whether there is something.
const fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}
const STANDARD: GeneralPurpose = lenient(&alphabet::STANDARD);
const URL_SAFE: GeneralPurpose = lenient(&alphabet::URL_SAFE);

/// Whether a text is worth looking through: it says that it has a key, or has something encoded in which one may be.
pub fn is_worth_a_look(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut found = text.contains("PRIVATE KEY");
    let mut note = |_: &[Range<usize>]| found = true;
    runs(bytes, is_standard, &mut note);
    runs(bytes, is_url_safe, &mut note);
    pairs(bytes, &mut |_, _| found = true);
    percents(bytes, &mut |_, _| found = true);
    found
}

/// What there is in some bytes, whatever is around it.
#[derive(Default)]
pub struct Found {
    /// Each with where it, or what it is wrapped in, begins.
    pub keys: Vec<(StrayKey, usize)>,
    pub certificates: Vec<Certificate>,
}

/// What there is in the files, loose texts and parts of a seed, each in its order.
pub struct Everything {
    pub files: Vec<Found>,
    pub loose: Vec<Found>,
    pub parts: Vec<Found>,
    /// There are more different keys than are looked at.
    pub too_many_keys: bool,
    /// As for keys.
    pub too_many_certificates: bool,
}

/// Looks through a whole seed.
pub fn everything(parts: &[Part], landing: &Landing, budget: &Budget) -> Everything {
    let mut known = Known::default();
    let mut find = |bytes: &[u8]| {
        let mut search = Search { budget, known: &mut known, found: Found::default(), ids: HashSet::new() };
        search.look(bytes, None, 0);
        search.found
    };
    let files = landing.files().iter().map(|file| find(&file.bytes)).collect();
    let loose = landing.loose.iter().map(|loose| find(loose.text.as_bytes())).collect();
    let parts = parts.iter().map(|part| find(&part.bytes)).collect();
    let Known { too_many_keys, too_many_certificates, .. } = known;
    Everything { files, loose, parts, too_many_keys, too_many_certificates }
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
        if let Some(plain) = packing::inflate_partly(bytes, self.budget)
            && !plain.is_empty()
        {
            self.look(&plain, at.or(Some(0)), depth + 1);
        }
        if packing::foreign_compression(bytes).is_some() {
            self.budget.leave_unseen();
        }
        if self.der(bytes, at) || !self.budget.take(bytes.len()) {
            return;
        }
        // UTF-16 of what keys are written in is ASCII with a zero byte before or after each; with or without a byte order mark.
        if bytes.contains(&0) {
            let text: Bytes = Zeroizing::new(bytes.iter().copied().filter(|b| *b != 0).collect());
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
        let body = Zeroizing::new(String::from_utf8_lossy(body).replace("\\r", "").replace("\\n", "\n"));
        let blocks = ways_to_read(&body, &around).map(|lines| pem(label, &lines));
        if is_key(label) {
            self.key(id, at, || {
                let keys: Vec<StrayKey> = blocks
                    .filter_map(|block| pem::parse(block.as_bytes()).ok())
                    .filter_map(|block| StrayKey::from_pem(&block))
                    .collect();
                let known = keys.iter().find(|key| key.is_known()).or(keys.first());
                Some(known.cloned().unwrap_or_else(|| StrayKey::broken(body.as_bytes())))
            });
        } else {
            self.certificate(id, || blocks.filter_map(|block| Certificate::from_pem(&block).ok()).next());
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
fn ways_to_read(body: &str, around: &Around) -> impl Iterator<Item = Zeroizing<String>> {
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
    ways.into_iter().map(move |way| Zeroizing::new(body.lines().map(way).collect::<Vec<_>>().join("\n")))
}

fn pem(label: &str, body: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", body.trim()))
}

fn is_key(label: &str) -> bool {
    label.contains("PRIVATE KEY")
}

/// What stands before the next five dashes, if it may be a label.
fn label(rest: &[u8]) -> Option<&str> {
    let near = &rest[..rest.len().min(LONGEST_LABEL + 5)];
    std::str::from_utf8(&near[..find(near, b"-----", 0)?]).ok()
}

/// Where `wanted` begins, at `from` or after it. Its first byte must not be likely in the text.
fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|b| *b == wanted[0])?;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
}

fn digest(texts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    texts.iter().for_each(|text| digest.update(text));
    digest.finalize().into()
}

fn is_standard(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')
}

fn is_url_safe(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

/// The word of letters, and of `=` behind them, that begins at `start`.
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

/// Calls `take` with what is base64 by its letters: a long word; or words of one length and the shorter one after them, with the
/// same between any two, which may be a line break, quotes and a comma, or the rest of a command.
fn runs(bytes: &[u8], is_letter: fn(u8) -> bool, take: &mut dyn FnMut(&[Range<usize>])) {
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
        // White space alone is between lines whatever their length; anything else has to be between long words to be seen.
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

/// Whether nothing else is on the line from here on.
fn ends_line(bytes: &[u8], at: usize) -> bool {
    let rest = &bytes[at..];
    let blank = rest.iter().take(LONGEST_GAP).take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
    matches!(rest.get(blank), None | Some(b'\n'))
}

/// Decodes pieces one after another, as `base64 -d` does it with padding between. Also the length without the last piece, or
/// all of it where the last one is as long as the others.
fn decode(bytes: &[u8], pieces: &[Range<usize>], engine: &GeneralPurpose) -> (Bytes, usize) {
    /// Letters at a time; a multiple of four.
    const CHUNK: usize = 4096;
    let total: usize = pieces.iter().map(ExactSizeIterator::len).sum();
    let mut decoded: Bytes = Zeroizing::new(Vec::with_capacity(total / 4 * 3 + 3));
    let mut chunk = Zeroizing::new(Vec::with_capacity(CHUNK));
    let flush = |chunk: &mut Vec<u8>, decoded: &mut Vec<u8>| {
        // One letter alone is no byte.
        chunk.truncate(chunk.len() - usize::from(chunk.len() % 4 == 1));
        // Nothing but letters is in there, so that it cannot fail.
        let _ = engine.decode_vec(&chunk[..], decoded);
        chunk.clear();
    };
    let mut without_last = 0;
    for (n, piece) in pieces.iter().enumerate() {
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
            }
        }
    }
    flush(&mut chunk, &mut decoded);
    let whole = decoded.len();
    (decoded, if without_last == 0 { whole } else { without_last.min(whole) })
}

/// Whether something begins here that has a key in it, or may.
fn begins_something(bytes: &[u8]) -> bool {
    let magic: [&[u8]; 4] = [&[0x30, 0x81], &[0x30, 0x82], &packing::GZIP, &packing::XZ];
    magic.iter().any(|magic| bytes.starts_with(magic))
        // An Ed25519 key in PKCS#8, and zlib.
        || matches!(bytes, [0x30, 0x2e, ..] | [0x78, ..])
        || bytes.starts_with(b"-----BEGIN ")
}

fn from_hex(digits: impl Iterator<Item = u8>) -> Bytes {
    let mut high = None;
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let bytes = digits.filter_map(value).filter_map(|digit| match high.take() {
        Some(high) => Some(high << 4 | digit),
        None => {
            high = Some(digit);
            None
        }
    });
    Zeroizing::new(bytes.collect())
}

/// Calls `take` with bytes that are written as two hexadecimal digits each, with the same between any two: `:`, a space, a comma,
/// `\x`, `, 0x`; and where they begin.
fn pairs(bytes: &[u8], take: &mut dyn FnMut(usize, &[u8])) {
    const LONGEST: usize = 4;
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let is_pair = |at: usize| is_digit(at) && is_digit(at + 1) && !is_digit(at + 2);
    let mut digits = Zeroizing::new(Vec::new());
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
                digits.extend_from_slice(&bytes[at + length..at + length + 2]);
                at += length + 2;
            }
        }
        if digits.len() >= 2 * SHORTEST_BYTES {
            take(start, &from_hex(digits.iter().copied()));
        }
    }
}

/// Calls `take` with what is percent-encoded (RFC 3986 §2.1), decoded, and where it begins: a text without white space and
/// quotes. A form has `+` for a blank, and then none for itself.
fn percents(bytes: &[u8], take: &mut dyn FnMut(usize, &[u8])) {
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
        let mut decoded: Bytes = Zeroizing::new(Vec::with_capacity(text.len()));
        let (mut rest, mut escapes) = (text, 0);
        while let Some((first, tail)) = rest.split_first() {
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
            // The name of a variable or of a form's field is before what begins with bytes that tell what it is.
            let named = text.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'_'));
            if let Some(at) = named.filter(|at| text[*at] == b'=')
                && begins_something(&decoded[at + 1..])
            {
                take(begin + at + 1, &decoded[at + 1..]);
            }
        }
    }
}
