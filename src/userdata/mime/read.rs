//! Reads MIME multipart archives (RFC 2046) as cloud-init does.

use std::collections::HashSet;

use mail_parser::{MessageParser, MessagePart, MimeHeaders, PartType};

use crate::diag::{Code, Diagnostic, Place};
use crate::secret::Secret;
use crate::userdata::budget::Budget;
use crate::userdata::encoding::{Bytes, unbase64};
use crate::userdata::problems::{FETCH_AGAIN, Problems, at_offset};

/// Number of bytes in which cloud-init looks for `MIME-Version:` (`convert_string` in its `user_data.py`).
const VERSION_WITHIN: usize = 4096;

/// Maximum number of multiparts and messages in an archive. The parser searches all following text for the boundary of each one,
/// and it recurses for a message inside a message.
const MAX_MULTIPARTS: usize = 64;
/// Maximum number of lines that can be a boundary, and of lines that can be a header. The parser needs some hundred bytes of
/// memory for each part and header.
const MAX_LINES: usize = 50_000;
/// Maximum number of parameter continuations (`a*0=`, RFC 2231 §3). The parser compares each one with all before it.
const MAX_CONTINUATIONS: usize = 1000;

/// A part, with its transfer encoding decoded.
pub struct MimePart {
    pub place: Place,
    /// The MIME type in lower case, for example `text/cloud-config`.
    pub mime: String,
    pub merge: Option<String>,
    pub bytes: Bytes,
}

/// Returns whether a text begins with a header, as a message does. [`parts`] checks cloud-init's own rule, `MIME-Version:` near
/// the beginning.
pub fn is_message(text: &str) -> bool {
    let first = text.trim_start().lines().next().unwrap_or_default().to_lowercase();
    ["content-type:", "mime-version:", "from nobody "].iter().any(|header| first.starts_with(header))
        || (first.split_once(':').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        }) && has_mime_version(text.as_bytes()))
}

fn has_mime_version(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(VERSION_WITHIN)];
    start.to_ascii_lowercase().windows(13).any(|window| window == b"mime-version:")
}

/// Returns all parts that are not multiparts, in their order.
pub fn parts(bytes: &[u8], place: &Place, budget: &Budget, problems: &mut Problems) -> Vec<MimePart> {
    if !has_mime_version(bytes) {
        let text = format!(
            "has no `MIME-Version:` in its first {VERSION_WITHIN} bytes, so cloud-init does not recognize it as MIME"
        );
        problems
            .add(place, Diagnostic::error(Code::MimeArchive, text).hint("begin it with `MIME-Version: 1.0`"));
    }
    if !budget.take(4 * bytes.len()) {
        return Vec::new();
    }
    let multiparts = count_multiparts(bytes);
    let lines = Lines::of(bytes);
    if multiparts > MAX_MULTIPARTS || lines.most > MAX_LINES || continuations(bytes) > MAX_CONTINUATIONS {
        let text = format!(
            "is too large to check: it has more than {MAX_MULTIPARTS} multiparts, {MAX_LINES} boundaries or headers, or {MAX_CONTINUATIONS} parameter continuations"
        );
        problems.add(place, Diagnostic::error(Code::VerifyLimit, text));
        return Vec::new();
    }
    if !budget.take(bytes.len() * multiparts) {
        return Vec::new();
    }
    let Some(message) = MessageParser::new().parse(bytes) else {
        problems.add(place, Diagnostic::error(Code::MimeArchive, "is not a MIME message: it has no headers"));
        return Vec::new();
    };
    for part in &message.parts {
        check_boundary(part, &lines.ends, place, problems);
    }
    let singles: Vec<_> =
        message.parts.iter().filter(|part| !matches!(part.body, PartType::Multipart(_))).collect();
    if singles.is_empty() {
        problems.add(
            place,
            Diagnostic::error(
                Code::MimeArchive,
                "is a MIME archive without any part: it is cut short, or its boundary is wrong",
            ),
        );
    }
    let decoded = singles.into_iter().enumerate();
    decoded
        .filter_map(|(n, part)| {
            decode(part, bytes, &place.within(format!("part {}", n + 1)), budget, problems)
        })
        .collect()
}

/// Checks that a multipart names its boundary and ends with it (RFC 2046 §5.1.1).
fn check_boundary(part: &MessagePart, ends: &HashSet<&[u8]>, place: &Place, problems: &mut Problems) {
    let Some(content_type) = part.content_type().filter(|t| t.ctype().eq_ignore_ascii_case("multipart"))
    else {
        return;
    };
    let Some(boundary) = content_type.attribute("boundary") else {
        let problem =
            Diagnostic::error(Code::MimeArchive, "is a MIME archive without a `boundary` in its header");
        problems.add(place, problem.hint("add it: `Content-Type: multipart/mixed; boundary=\"…\"`"));
        return;
    };
    if !ends.contains(format!("--{boundary}--").as_bytes()) {
        let problem = Diagnostic::error(
            Code::UserDataCutShort,
            "is a MIME archive that is cut short: its last boundary is missing",
        );
        problems.add(place, problem.hint(FETCH_AGAIN));
    }
}

/// The lines of an archive that are significant to the parser.
struct Lines<'a> {
    /// Lines that can be the closing boundary of a multipart.
    ends: HashSet<&'a [u8]>,
    /// Number of lines that can be boundaries, or number of lines that can be headers, whichever is greater.
    most: usize,
}

impl<'a> Lines<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let (mut ends, mut boundaries, mut headers) = (HashSet::new(), 0, 0);
        for line in bytes.split(|b| *b == b'\n') {
            if line.starts_with(b"--") {
                boundaries += 1;
                let line = line.trim_ascii_end();
                if boundaries <= MAX_LINES && line.ends_with(b"--") {
                    ends.insert(line);
                }
            } else {
                let name = line.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'-'));
                headers += usize::from(name.is_some_and(|at| line[at] == b':'));
            }
        }
        Self { ends, most: boundaries.max(headers) }
    }
}

/// Counts parameter continuations: `*` and a digit. Stops after the limit.
fn continuations(bytes: &[u8]) -> usize {
    let begin = bytes.windows(2).filter(|pair| pair[0] == b'*' && pair[1].is_ascii_digit());
    begin.take(MAX_CONTINUATIONS + 1).count()
}

/// Counts types that contain parts or a message, anywhere in the text. Stops after the limit.
fn count_multiparts(bytes: &[u8]) -> usize {
    const TYPES: [&[u8]; 2] = [b"multipart/", b"message/"];
    let begins = |at: usize, name: &[u8]| {
        bytes.get(at..at + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
    };
    (0..bytes.len())
        .filter(|at| matches!(bytes[*at], b'm' | b'M') && TYPES.iter().any(|name| begins(*at, name)))
        .take(MAX_MULTIPARTS + 1)
        .count()
}

fn decode(
    part: &MessagePart,
    bytes: &[u8],
    place: &Place,
    budget: &Budget,
    problems: &mut Problems,
) -> Option<MimePart> {
    let header = |name: &str| {
        let found = part.headers.iter().find(|header| header.name.as_str().eq_ignore_ascii_case(name))?;
        found.value.as_text().map(str::to_owned)
    };
    let mime = part.content_type().map_or_else(
        || "text/plain".to_owned(),
        |t| format!("{}/{}", t.ctype(), t.subtype().unwrap_or_default()).to_lowercase(),
    );
    if !budget.take(64) {
        return None;
    }
    let raw = &bytes[part.offset_body as usize..part.offset_end as usize];
    let encoding = header("Content-Transfer-Encoding").unwrap_or_default().to_lowercase();
    let bytes = match encoding.trim() {
        // mail-parser decodes as much of damaged base64 as it can. Here damage must be reported.
        "base64" => match unbase64(raw, budget) {
            Ok(bytes) => bytes,
            Err((offset, problem)) => {
                problems.add(&at_offset(place, bytes, part.offset_body as usize + offset), problem);
                return None;
            }
        },
        "quoted-printable" => Secret::new(part.contents().to_vec()),
        "" | "7bit" | "8bit" | "binary" => Secret::new(raw.to_vec()),
        unknown => {
            let text = format!("has the unknown Content-Transfer-Encoding `{}`", unknown.escape_debug());
            problems.add(
                place,
                Diagnostic::error(Code::MimeArchive, text)
                    .hint("use `base64`, `quoted-printable`, `7bit` or `8bit`"),
            );
            return None;
        }
    };
    let merge = header("X-Merge-Type").or_else(|| header("Merge-Type"));
    Some(MimePart { place: place.clone(), mime, merge, bytes })
}
