//! Reads MIME archives (RFC 2046) as cloud-init does, which uses the parser of Python (CPython 3.11, `email/feedparser.py`) and its
//! own rules (`convert_string` and `_process_msg` in its `user_data.py`, `fully_decoded_payload` in its `util.py`).

use std::borrow::Cow;
use std::io::Write;
use std::ops::Range;

use super::OWN_BOUNDARY;
use super::headers::{Collector, Headers, TooLong};
use crate::diag::{Code, Diagnostic, Place};
use crate::secret::Secret;
use crate::userdata::budget::Budget;
use crate::userdata::encoding::{Bytes, too_large, unbase64_unpadded};
use crate::userdata::problems::{FETCH_AGAIN, Problems, at_offset, beginning};

/// Number of bytes in which cloud-init looks for `MIME-Version:` (`convert_string` in its `user_data.py`).
const VERSION_WITHIN: usize = 4096;
/// Maximum depth of multiparts. Each line is compared with the boundaries of all multiparts around it.
const MAX_DEPTH: usize = 16;
/// Maximum number of parts. Real archives have a few dozen.
const MAX_PARTS: usize = 10_000;

/// A part, with its transfer encoding decoded.
pub struct MimePart {
    pub place: Place,
    /// The MIME type in lower case, for example `text/cloud-config`.
    pub mime: String,
    pub merge: Option<String>,
    /// The file name that the part asks for.
    pub file: Option<String>,
    pub bytes: Bytes,
}

/// Returns whether a text begins with a header, as a message does. cloud-init's own rule is [`is_read_as_message`].
pub fn is_message(text: &str) -> bool {
    let start = text.trim_start();
    let first = beginning(start, VERSION_WITHIN).lines().next().unwrap_or_default();
    let first = first.to_lowercase();
    ["content-type:", "mime-version:", "from nobody "].iter().any(|header| first.starts_with(header))
        || (first.split_once(':').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        }) && is_read_as_message(text))
}

/// Returns whether cloud-init reads a whole user-data as a message: `MIME-Version:` is somewhere near its beginning.
pub fn is_read_as_message(text: &str) -> bool {
    let start = &text.as_bytes()[..text.len().min(VERSION_WITHIN)];
    start.to_ascii_lowercase().windows(13).any(|window| window == b"mime-version:")
}

/// Returns all parts that are not multiparts, in their order. A text without headers is a part itself.
pub fn parts(text: &str, place: &Place, budget: &Budget, problems: &mut Problems) -> Vec<MimePart> {
    if !is_read_as_message(text) {
        let text = format!(
            "has no `MIME-Version:` in its first {VERSION_WITHIN} bytes, so cloud-init does not recognize it as MIME"
        );
        problems
            .add(place, Diagnostic::error(Code::MimeArchive, text).hint("begin it with `MIME-Version: 1.0`"));
    }
    let lead = &text[..text.len() - text.trim_start().len()];
    if !is_skipped(lead) && is_message(text) {
        let problem = Diagnostic::error(
            Code::MimeArchive,
            "has an empty line or white space before its MIME headers, so cloud-init does not read them",
        );
        problems.add(place, problem.hint("begin it with the first header"));
    }
    let text = if is_message(text) { text.trim_start() } else { text };
    if !budget.take(4 * text.len()) {
        return Vec::new();
    }
    let mut reader =
        Reader { text, at: 0, boundaries: Vec::new(), leaves: Vec::new(), place, budget, problems };
    if reader.entity("text/plain", 0).is_none() {
        return Vec::new();
    }
    let Reader { leaves, .. } = reader;
    if leaves.is_empty() {
        problems.add(
            place,
            Diagnostic::error(Code::MimeArchive, "is a MIME archive without any part")
                .hint("each part begins with a line with `--` and the boundary, without spaces before it"),
        );
    }
    let is_single = matches!(&leaves[..], [leaf] if !leaf.is_inside);
    let numbered = leaves.into_iter().enumerate();
    numbered
        .filter_map(|(n, leaf)| {
            let own = if is_single { place.clone() } else { place.within(format!("part {}", n + 1)) };
            decode(leaf, text, &own, budget, problems)
        })
        .collect()
}

/// Returns whether Python skips this white space before the headers: only whole lines of spaces and tabs, which are not empty.
fn is_skipped(lead: &str) -> bool {
    lead.split_inclusive('\n').all(|line| {
        let spaces = line.trim_end_matches(['\r', '\n']);
        line.ends_with('\n') && !spaces.is_empty() && spaces.bytes().all(|b| matches!(b, b' ' | b'\t'))
    })
}

/// A part that is not a multipart.
struct Leaf {
    headers: Headers,
    mime: String,
    body: Range<usize>,
    /// True if it is inside a multipart.
    is_inside: bool,
}

struct Reader<'a> {
    text: &'a str,
    /// Offset of the next line.
    at: usize,
    /// `--` and the boundary of each multipart around the next line.
    boundaries: Vec<String>,
    leaves: Vec<Leaf>,
    place: &'a Place,
    budget: &'a Budget,
    problems: &'a mut Problems,
}

/// A line that separates parts.
#[derive(PartialEq)]
enum Boundary {
    Next,
    Last,
}

impl Reader<'_> {
    /// The next line with its line end, unless it is a boundary of a multipart around it or the text ends.
    fn line(&self) -> Option<&str> {
        let line = line_at(self.text, self.at)?;
        // Only a boundary of a multipart around the innermost one has to be looked for: its own is handled by `multipart`.
        let is_end = self.boundaries.iter().any(|boundary| boundary_of(line, boundary).is_some());
        (!is_end).then_some(line)
    }

    /// Reads headers and a body. None if a limit is exceeded.
    fn entity(&mut self, default_type: &str, depth: usize) -> Option<()> {
        let Ok(headers) = self.headers() else {
            let text = "is not checked: a header is longer than any real one";
            let problem = Diagnostic::error(Code::VerifyLimit, text);
            self.problems.add(&at_offset(self.place, self.text.as_bytes(), self.at), problem);
            return None;
        };
        let mime = headers.content_type(default_type);
        if mime.starts_with("multipart/") && depth < MAX_DEPTH {
            let Some(boundary) = headers.parameter("content-type", "boundary") else {
                let problem = Diagnostic::error(
                    Code::MimeArchive,
                    "is a MIME archive without a `boundary` in its header",
                );
                let hint = "add it: `Content-Type: multipart/mixed; boundary=\"…\"`";
                self.problems.add(self.place, problem.hint(hint));
                self.skip();
                return Some(());
            };
            let inner = if mime == "multipart/digest" { "message/rfc822" } else { "text/plain" };
            return self.multipart(&format!("--{}", boundary.trim_end()), inner, depth);
        }
        if mime.starts_with("multipart/") || self.leaves.len() >= MAX_PARTS || !self.budget.take(64) {
            let text = format!(
                "is not checked: it has more than {MAX_PARTS} parts, or multiparts are nested more than {MAX_DEPTH} deep"
            );
            self.problems.add(self.place, Diagnostic::error(Code::VerifyLimit, text));
            return None;
        }
        let start = self.at;
        self.skip();
        let is_inside = !self.boundaries.is_empty();
        let mut end = self.at;
        if is_inside {
            end -= line_end(&self.text[start..end]);
        }
        self.leaves.push(Leaf { headers, mime, body: start..end, is_inside });
        Some(())
    }

    /// Moves to the end of the part.
    fn skip(&mut self) {
        while let Some(line) = self.line() {
            self.at += line.len();
        }
    }

    /// Reads the headers. The first line that is not one ends them; an empty line is left out.
    ///
    /// # Errors
    /// A header is too long.
    fn headers(&mut self) -> Result<Headers, TooLong> {
        let mut headers = Collector::default();
        let (first, mut last) = (self.at, self.at..self.at);
        while let Some(line) = self.line() {
            let length = line.len();
            if line_end(line) == length {
                self.at += length;
                break;
            }
            if !is_header(line) {
                break;
            }
            headers.add(&self.text[last.clone()])?;
            last = self.at..self.at + length;
            self.at = last.end;
        }
        // A last line that begins with `From ` belongs to the body.
        match last.start > first && self.text[last.clone()].starts_with("From ") {
            true => self.at = last.start,
            false => headers.add(&self.text[last])?,
        }
        Ok(headers.finish())
    }

    fn multipart(&mut self, boundary: &str, default_type: &str, depth: usize) -> Option<()> {
        // The cost of comparing each line.
        let rest = self.text.len() - self.at;
        if depth > 0 && !self.budget.take(rest) {
            return None;
        }
        let mut is_closed = false;
        let mut is_open = false;
        while let Some(line) = self.line() {
            let length = line.len();
            match boundary_of(line, boundary) {
                None => self.at += length,
                Some(Boundary::Last) => {
                    self.at += length;
                    is_closed = true;
                    break;
                }
                Some(Boundary::Next) => {
                    is_open = true;
                    self.at += length;
                    // Boundaries without anything between them count once, even the last one.
                    while let Some(line) = self.line()
                        && boundary_of(line, boundary).is_some()
                    {
                        self.at += line.len();
                    }
                    self.boundaries.push(boundary.to_owned());
                    let read = self.entity(default_type, depth + 1);
                    self.boundaries.pop();
                    read?;
                }
            }
        }
        if is_open && !is_closed {
            let text = "is a MIME archive without its last boundary: it may be cut short";
            // cloud-init reads such an archive. But hostseed never renders one.
            let problem = match boundary.starts_with(&format!("--{OWN_BOUNDARY}")) {
                true => Diagnostic::error(Code::UserDataCutShort, text).hint(FETCH_AGAIN),
                false => Diagnostic::warning(Code::UserDataCutShort, text)
                    .hint("end it with `--`, the boundary and `--`"),
            };
            self.problems.add(self.place, problem);
        }
        // The text after the last boundary.
        self.skip();
        Some(())
    }
}

/// The line at an offset with its line end: `\n`, `\r` or both.
fn line_at(text: &str, at: usize) -> Option<&str> {
    let rest = &text[at..];
    let end = rest.find(['\n', '\r']).map_or(rest.len(), |end| end + line_end_at(&rest[end..]));
    (end > 0).then(|| &rest[..end])
}

fn line_end_at(rest: &str) -> usize {
    if rest.starts_with("\r\n") { 2 } else { 1 }
}

/// The length of the line end at the end of a text.
fn line_end(text: &str) -> usize {
    if text.ends_with("\r\n") { 2 } else { usize::from(text.ends_with(['\n', '\r'])) }
}

/// Returns whether a line is a header or continues one (`headerRE`).
fn is_header(line: &str) -> bool {
    let name = line.bytes().take_while(|b| matches!(b, b'!'..=b'9' | b';'..=b'~')).count();
    line.starts_with("From ") || line.starts_with([' ', '\t']) || line.as_bytes().get(name) == Some(&b':')
}

/// Returns what a line is to the multipart with this boundary, which includes the `--` before it (`boundaryre`).
fn boundary_of(line: &str, boundary: &str) -> Option<Boundary> {
    let rest = line.strip_prefix(boundary)?;
    let is_end = |rest: &str| rest[..rest.len() - line_end(rest)].bytes().all(|b| matches!(b, b' ' | b'\t'));
    if is_end(rest) {
        return Some(Boundary::Next);
    }
    rest.strip_prefix("--").filter(|rest| is_end(rest)).map(|_| Boundary::Last)
}

fn decode(
    leaf: Leaf,
    text: &str,
    place: &Place,
    budget: &Budget,
    problems: &mut Problems,
) -> Option<MimePart> {
    let body = raw_bytes(&text[leaf.body.clone()], place, budget, problems)?;
    let encoding = leaf.headers.get("content-transfer-encoding").unwrap_or_default().to_lowercase();
    let bytes = match encoding.as_str() {
        // Python decodes as much of damaged base64 as it can. Here damage must be reported.
        "base64" => match unbase64_unpadded(body.as_bytes(), budget) {
            Ok(bytes) => bytes,
            Err((offset, problem)) => {
                problems.add(&at_offset(place, text.as_bytes(), leaf.body.start + offset), problem);
                return None;
            }
        },
        "quoted-printable" => Secret::new(unquoted(body.as_bytes())),
        "x-uuencode" | "uuencode" | "uue" | "x-uue" => {
            let text =
                format!("has the Content-Transfer-Encoding `{encoding}`, which hostseed does not decode");
            let problem = Diagnostic::error(Code::MimeArchive, text);
            problems.add(place, problem.hint("use `base64`"));
            return None;
        }
        "" | "7bit" | "8bit" | "binary" => Secret::new(body.into_owned().into_bytes()),
        unknown => {
            let text = format!(
                "has the unknown Content-Transfer-Encoding `{}`, so cloud-init does not decode it",
                unknown.escape_debug()
            );
            let problem = Diagnostic::warning(Code::MimeArchive, text);
            problems.add(place, problem.hint("use `base64`, `quoted-printable`, `7bit` or `8bit`"));
            Secret::new(body.into_owned().into_bytes())
        }
    };
    Some(MimePart {
        place: place.clone(),
        merge: leaf.headers.merge_type().map(str::to_owned),
        file: leaf.headers.file(),
        mime: leaf.mime,
        bytes,
    })
}

/// Turns a body back into bytes as Python does, which reads the whole archive as text: with the codec `raw-unicode-escape`. Reports
/// text outside ASCII, which this changes. Returns the body itself if the result is not UTF-8. None if the budget is exhausted.
fn raw_bytes<'b>(
    body: &'b str,
    place: &Place,
    budget: &Budget,
    problems: &mut Problems,
) -> Option<Cow<'b, str>> {
    let Some(at) = body.bytes().position(|b| !b.is_ascii()) else { return Some(body.into()) };
    let position = at_offset(place, body.as_bytes(), at);
    // The length of `\uXXXX` and `\UXXXXXXXX`.
    let length = |c: char| match u32::from(c) {
        ..=0xff => 1,
        0x100..=0xffff => 6,
        _ => 10,
    };
    let length = body.chars().map(length).sum();
    if length > budget.inflated_limit() || !budget.take_inflated(length) {
        problems.add(place, too_large());
        return None;
    }
    let mut bytes = Vec::with_capacity(length);
    for c in body.chars() {
        // Writing to memory does not fail.
        let _ = match u32::from(c) {
            code @ ..=0xff => bytes.write_all(&[code as u8]),
            code @ ..=0xffff => write!(bytes, "\\u{code:04x}"),
            code => write!(bytes, "\\U{code:08x}"),
        };
    }
    let text = "has characters outside ASCII and no transfer encoding";
    let (problem, body) = match String::from_utf8(bytes) {
        Ok(changed) => {
            let text = format!("{text}, so cloud-init changes them");
            (Diagnostic::warning(Code::MimeArchive, text), changed.into())
        }
        Err(_) => {
            (Diagnostic::error(Code::MimeArchive, format!("{text}, so cloud-init drops it")), body.into())
        }
    };
    let hint = "encode the part as base64, with `Content-Transfer-Encoding: base64`";
    problems.add(&position, problem.hint(hint));
    Some(body)
}

/// Decodes quoted-printable as Python's `binascii.a2b_qp` does.
fn unquoted(body: &[u8]) -> Vec<u8> {
    let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
    let (mut bytes, mut at) = (Vec::with_capacity(body.len()), 0);
    while let Some(byte) = body.get(at) {
        at += 1;
        match (byte, body.get(at)) {
            (b'=', None) => {}
            (b'=', Some(b'\n' | b'\r')) => {
                at += body[at..].iter().position(|b| *b == b'\n').map_or(body.len() - at, |end| end + 1);
            }
            (b'=', Some(b'=')) => {
                bytes.push(b'=');
                at += 1;
            }
            (b'=', next) => match (hex(next), hex(body.get(at + 1))) {
                (Some(high), Some(low)) => {
                    bytes.push((16 * high + low) as u8);
                    at += 2;
                }
                _ => bytes.push(b'='),
            },
            _ => bytes.push(*byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let found = parts(text, &Place::file("archive"), &Budget::default(), &mut Problems::default());
        let shown = |part: MimePart| (part.mime, String::from_utf8_lossy(&part.bytes).into_owned());
        found.into_iter().map(shown).collect()
    }

    #[test]
    fn boundaries_are_whole_lines() {
        let archive =
            |body: &str| format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n{body}");
        let part = |text: &str| ("text/plain".to_owned(), text.to_owned());
        for (body, expected) in [
            ("--B\n\na\n--B--\n", vec![part("a")]),
            ("before\n--B \t\r\n\r\na\r\n--B--\r\nafter\n--B\n\nb", vec![part("a")]),
            ("--B\n\na\n--BB\n --B\n-B\n--B-\nb\n--B--", vec![part("a\n--BB\n --B\n-B\n--B-\nb")]),
            ("--B\n\na\n\n--B\n\nb", vec![part("a\n"), part("b")]),
            ("--B\n--B\n\na\n", vec![part("a")]),
            (" --B\n\na\n--B--\n", vec![]),
            ("--B\nX: y\n z\na: b c\nd\n--B--\n", vec![part("d")]),
            ("--B\nnot a header\n\na\n--B--\n", vec![part("not a header\n\na")]),
            (
                "--B\nContent-Type: multipart/mixed; boundary=\"C\"\n\n--C\n\na\n--C\n\nb\n--C--\n--B\n\nc\n--B--\n",
                vec![part("a"), part("b"), part("c")],
            ),
            (
                "--B\nContent-Type: multipart/mixed; boundary=C\n\n--C\n\na\n--B\n\nb\n--B--\n",
                vec![part("a"), part("b")],
            ),
        ] {
            assert_eq!(read(&archive(body)), expected, "{body:?}");
        }
    }

    #[test]
    fn bodies_are_decoded() {
        let archive = |encoding: &str, body: &str| {
            format!("MIME-Version: 1.0\nContent-Transfer-Encoding: {encoding}\n\n{body}")
        };
        for (encoding, body, expected) in [
            ("Base64", "aGVs\nbG8=\n", "hello"),
            ("base64", "aGVsbG8\n", "hello"),
            ("quoted-printable", "a=3D=\nb==c=4", "a=b=c=4"),
            ("7-bit", "a=3D\n", "a=3D\n"),
        ] {
            assert_eq!(read(&archive(encoding, body))[0].1, expected, "{encoding} {body}");
        }
    }
}
