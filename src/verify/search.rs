//! Private keys and certificates are found wherever they stand and whatever is around them: in PEM, indented, commented out, in
//! quotes, in DER, in base64, in gzip, and in these in each other.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::packing::{self, Budget, Bytes};
use crate::pki::{Certificate, StrayKey};

/// Shorter base64 holds no private key: Ed25519's in PKCS#8 is 64 letters.
const SHORTEST: usize = 60;
/// Base64 in gzip in base64 and so on.
const DEEPEST: usize = 4;

/// Padding or not: this only looks whether there is something.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether a text is worth looking through: it says that it has a key, or has base64 in which one may be.
pub fn is_worth_a_look(text: &str) -> bool {
    text.contains("PRIVATE KEY") || runs(text).any(|run| run.text.len() >= SHORTEST)
}

/// What there is in some bytes, whatever is around it.
#[derive(Default)]
pub struct Found {
    /// Each with where it, or what it is wrapped in, begins.
    pub keys: Vec<(StrayKey, usize)>,
    pub certificates: Vec<Certificate>,
}

/// All private keys and certificates in there.
pub fn find(bytes: &[u8], budget: &Budget) -> Found {
    let mut search = Search { budget, found: Found::default() };
    search.look(bytes, None, 0);
    search.found
}

struct Search<'a> {
    budget: &'a Budget,
    found: Found,
}

impl Search<'_> {
    /// `at`: where the outermost wrapping begins; none where this is not wrapped.
    fn look(&mut self, bytes: &[u8], at: Option<usize>, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        if bytes.starts_with(&packing::GZIP) {
            // What is wrong with it is told by those who unpack it as the host does.
            let plain = packing::gunzip_partly(bytes, self.budget);
            return self.look(&plain, at.or(Some(0)), depth + 1);
        }
        if bytes.first() == Some(&0x30)
            && let Some(key) = StrayKey::from_der(bytes)
        {
            return self.add(key, at.unwrap_or_default());
        }
        let text = String::from_utf8_lossy(bytes);
        self.blocks(&text, at);
        for run in runs(&text).filter(|run| run.text.len() >= SHORTEST) {
            self.run(&run, at.or(Some(run.offset)), depth + 1);
        }
    }

    /// The last line may be the end of a here-document, whose word is of base64's letters too: what comes out whole is taken.
    fn run(&mut self, run: &Run, at: Option<usize>, depth: usize) {
        let decode = |letters: &str| LENIENT.decode(letters.as_bytes()).map(Zeroizing::new).ok();
        let whole = |bytes: &Bytes| match bytes.first() {
            Some(&0x1f) => packing::gunzip(bytes, self.budget).is_ok(),
            Some(&0x30) => StrayKey::from_der(bytes).is_some(),
            _ => true,
        };
        let variants = [&run.text[..], &run.text[..run.without_last]];
        let decoded: Vec<Bytes> = variants.into_iter().filter_map(decode).collect();
        if let Some(bytes) = decoded.iter().find(|bytes| whole(bytes)).or(decoded.first()) {
            self.look(bytes, at, depth);
        }
    }

    fn add(&mut self, key: StrayKey, at: usize) {
        if !self.found.keys.iter().any(|(known, _)| known.same_as(&key)) {
            self.found.keys.push((key, at));
        }
    }

    /// Keys and certificates in PEM, indented, commented out, or not.
    fn blocks(&mut self, text: &str, at: Option<usize>) {
        for (start, begin) in text.match_indices("-----BEGIN ") {
            let Some((label, body)) = text[start + begin.len()..].split_once("-----") else { continue };
            let (is_key, is_certificate) = (label.contains("PRIVATE KEY"), label == "CERTIFICATE");
            if label.len() > 40 || !(is_key || is_certificate) {
                continue;
            }
            let body = body.find(&format!("-----END {label}-----")).map(|end| &body[..end]);
            let block = body.map(|body| block(label, body));
            let parsed = block.as_ref().and_then(|block| pem::parse(block.as_bytes()).ok());
            if is_certificate {
                self.found.certificates.extend(block.and_then(|block| Certificate::from_pem(&block).ok()));
            } else {
                let key = parsed.as_ref().and_then(StrayKey::from_pem);
                let broken = || StrayKey::broken(block.as_ref().map_or(label, |block| block).as_bytes());
                self.add(key.unwrap_or_else(broken), at.unwrap_or(start));
            }
        }
    }
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

/// A block of PEM without what is around its lines. In JSON, and in texts in quotes, a line break is two letters.
fn block(label: &str, body: &str) -> Zeroizing<String> {
    let body = Zeroizing::new(body.replace("\\r", "").replace("\\n", "\n"));
    let lines: Vec<&str> = body.lines().map(|line| line.trim_matches(|c| !is_letter(c))).collect();
    let body = Zeroizing::new(lines.join("\n"));
    Zeroizing::new(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", body.trim()))
}

/// What is base64 by its letters.
struct Run {
    /// Where it begins.
    offset: usize,
    text: Zeroizing<String>,
    /// Its length without its last line, if that is shorter than the others.
    without_last: usize,
}

/// Lines of one length, and the shorter one after them, are one run.
fn runs(text: &str) -> impl Iterator<Item = Run> {
    let mut found: Vec<Run> = Vec::new();
    let mut width = None;
    let mut at = 0;
    let run = |offset, text: &str| Run { offset, text: Zeroizing::new(text.to_owned()), without_last: 0 };
    for line in text.split_inclusive('\n') {
        let start = at + line.len() - line.trim_start().len();
        at += line.len();
        let line = line.trim();
        let whole = !line.is_empty() && line.chars().all(is_letter);
        match (whole, width, found.last_mut()) {
            (true, Some(wide), Some(last)) if line.len() <= wide => {
                if line.len() < wide {
                    last.without_last = last.text.len();
                    width = None;
                }
                last.text.push_str(line);
            }
            (true, ..) => {
                found.push(run(start, line));
                width = Some(line.len());
            }
            _ => {
                width = None;
                let mut offset = start;
                for piece in line.split_inclusive(|c| !is_letter(c)) {
                    let letters = piece.trim_end_matches(|c| !is_letter(c));
                    found.extend((letters.len() >= SHORTEST).then(|| run(offset, letters)));
                    offset += piece.len();
                }
            }
        }
    }
    found.into_iter()
}
