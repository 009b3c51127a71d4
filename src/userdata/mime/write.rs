//! Writes a multipart archive with the user's own user-data and hostseed's cloud-config, so that cloud-init applies both.
//!
//! hostseed's cloud-config is the last part. It puts its lists in front of the lists of earlier parts, whatever merge options
//! they set. So Docker is ready when their `runcmd` runs.

use mail_builder::headers::content_type as mail;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;

use super::{OWN_BOUNDARY, taken};
use crate::diag::{Code, Diagnostic};
use crate::userdata::budget::{Budget, MAX_DOCUMENT};
use crate::userdata::content_type::{
    BY_FIRST_LINE, CLOUD_CONFIG, CLOUD_CONFIG_LINE, CONTENT_TYPES, ContentType, Kind, PART_HANDLER,
    SHELL_SCRIPT,
};
use crate::userdata::encoding::{self, GZIP, base64_lines};
use crate::userdata::jinja::{self, Effort};

/// How cloud-init merges a part's cloud-config into the parts before it (cloud-init, "Merging user-data sections").
const MERGE_TYPE: &str = "X-Merge-Type";
const APPEND: &str = "list(append)+dict(no_replace,recurse_list)+str()";
const PREPEND: &str = "list(prepend)+dict(no_replace,recurse_list)+str()";

/// Maximum length of a line in 7bit and 8bit content, in bytes (RFC 2045 §2.7).
const LINE_MAX: usize = 998;

/// A part of the user's, with its original bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    file: String,
    content_type: String,
    /// The kind as which cloud-init reads it. None if nothing but a part-handler reads it.
    kind: Option<Kind>,
    bytes: Vec<u8>,
}

impl Part {
    /// Creates a part from a file. Its type is `content_type`, or else the type that cloud-init finds by the first line.
    ///
    /// # Errors
    /// The file is too large. Or cloud-init would ignore the part: the file is empty, its first line is unknown, or it is an archive inside the archive. Or
    /// the part would prevent hostseed's own part from being applied.
    pub fn new(file: &str, content_type: Option<&str>, bytes: Vec<u8>) -> Result<Self, Diagnostic> {
        if bytes.is_empty() {
            return Err(Diagnostic::error(Code::PartRejected, "is empty"));
        }
        if bytes.len() > MAX_DOCUMENT {
            let text =
                format!("has more than {} MiB, and no cloud accepts such user-data", MAX_DOCUMENT >> 20);
            let problem = Diagnostic::error(Code::PartRejected, text);
            return Err(problem.hint("let the host download it"));
        }
        // cloud-init would decompress it to a part without the header that selects the merge type.
        if bytes.starts_with(&GZIP) {
            let problem = Diagnostic::error(
                Code::PartRejected,
                "is compressed, so its lists would replace those of earlier parts",
            );
            return Err(problem.hint("pass it uncompressed; `--gzip` compresses the whole user-data"));
        }
        let content_type = match content_type {
            Some(asked) => check_type(asked)?,
            None => type_of(&bytes)?,
        };
        let kind = taken::kind(content_type, &String::from_utf8_lossy(&bytes));
        taken::check(content_type, &bytes)?;
        Ok(Self { file: file.to_owned(), content_type: content_type.to_owned(), kind, bytes })
    }

    /// Checks constraints across parts.
    ///
    /// # Errors
    /// A cloud-config-archive is not the first part, or nothing handles the type of a part.
    pub fn check_together(parts: &[Self]) -> Result<(), Diagnostic> {
        if let Some(late) = parts.iter().skip(1).find(|part| part.kind == Some(Kind::Archive)) {
            let problem = Diagnostic::error(
                Code::PartRejected,
                format!(
                    "`--part {}` must be the first part: the lists in a cloud-config-archive replace those of earlier parts",
                    late.file
                ),
            );
            return Err(problem.hint("or pass its entries as parts"));
        }
        let is_known = |content_type: &str| types().any(|known| known == content_type);
        let handled = parts.iter().any(|part| part.content_type == PART_HANDLER);
        match parts.iter().find(|part| !handled && !is_known(&part.content_type)) {
            Some(Self { file, content_type, .. }) => {
                let problem = Diagnostic::error(
                    Code::PartRejected,
                    format!("`--part {file}` has the type `{content_type}`, which cloud-init ignores"),
                );
                let near = nearest_type(content_type);
                Err(problem.hint(format!(
                    "did you mean `{near}`? Any other type needs a part-handler as a further part"
                )))
            }
            None => Ok(()),
        }
    }

    fn is_script(&self) -> bool {
        let becomes_script = || {
            let text = String::from_utf8_lossy(&self.bytes);
            let results = jinja::results(&text, Effort::Proportional, &Budget::default());
            results.texts.iter().any(|text| Kind::of(text) == Some(Kind::Script))
        };
        self.kind == Some(Kind::Script) || self.kind == Some(Kind::Jinja) && becomes_script()
    }

    /// The file name of the part on the host. cloud-init runs scripts in the order of their names. hostseed's commands are the
    /// script `runcmd`.
    fn name(&self, number: usize) -> String {
        let kind = if self.is_script() { "script" } else { "part" };
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
        format!("{kind}-{number:02}-{}", self.file.chars().map(plain).collect::<String>())
    }
}

/// Writes the archive with the user's parts and hostseed's cloud-config, `ours`.
pub fn write(parts: &[Part], ours: &[u8]) -> Vec<u8> {
    let bodies = parts.iter().map(|part| part.bytes.as_slice()).chain([ours]);
    let boundary = boundary(bodies.clone());
    let mut children: Vec<MimePart> = Vec::new();
    for (part, number) in parts.iter().zip(1..) {
        // A part of any type can be a cloud-config: by its first line, or from a part-handler.
        let child = leaf(&part.content_type, &part.bytes).header(MERGE_TYPE, Raw::new(APPEND));
        children.push(child.attachment(part.name(number)));
    }
    let child = leaf(CLOUD_CONFIG, ours).header(MERGE_TYPE, Raw::new(PREPEND));
    children.push(child.attachment("hostseed.yaml"));

    let content_type = mail::ContentType::new("multipart/mixed").attribute("boundary", boundary);
    let archive = MimePart::new(content_type, children)
        .header("MIME-Version", Raw::new("1.0"))
        // The encoding of a multipart must permit that of each part (RFC 2045 §6.4).
        .transfer_encoding(widest(bodies));
    let mut bytes = Vec::new();
    archive.write_part(&mut bytes);
    // Unencoded bodies have no carriage return: `transfer_encoding` selects base64 for them. So this removes only those of mail-builder.
    bytes.retain(|byte| *byte != b'\r');
    bytes
}

/// Finds the MIME type by the first line, as cloud-init does.
fn type_of(bytes: &[u8]) -> Result<&'static str, Diagnostic> {
    if encoding::is_utf16(bytes) || bytes.starts_with(b"\xef\xbb\xbf") {
        let text =
            "is UTF-16, or begins with a byte order mark, so cloud-init does not recognize its first line";
        return Err(
            Diagnostic::error(Code::PartRejected, text).hint("save it as UTF-8 without a byte order mark")
        );
    }
    let text = String::from_utf8_lossy(bytes);
    if let Some(known) = ContentType::by_first_line(&text) {
        return Ok(known.mime);
    }
    if super::is_message(&text) {
        return Err(Diagnostic::error(Code::PartRejected, "is a MIME archive")
            .hint("pass each of its parts with `--part`"));
    }
    let line = text.lines().next().unwrap_or_default().chars().take(40).collect::<String>();
    Err(Diagnostic::error(
        Code::PartRejected,
        format!("begins with `{}`, which cloud-init does not recognize", line.escape_debug()),
    )
    .hint(format!(
        "begin it with `{CLOUD_CONFIG_LINE}` or `#!`, or give its type: `--part FILE:{SHELL_SCRIPT}`"
    )))
}

/// All types that cloud-init handles, except compressed parts.
fn types() -> impl Iterator<Item = &'static str> {
    CONTENT_TYPES.iter().map(|known| known.mime).chain(BY_FIRST_LINE)
}

/// The type that was probably meant.
fn nearest_type(wrong: &str) -> &'static str {
    let likeness = |content_type: &str| strsim::jaro_winkler(content_type, wrong);
    types().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or(SHELL_SCRIPT)
}

/// Checks the syntax of a type that follows the file's name (RFC 2045 §5.1). Types unknown to cloud-init are accepted, because a
/// part-handler may handle them.
fn check_type(text: &str) -> Result<&str, Diagnostic> {
    let token = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    match text.split_once('/') {
        Some(("multipart" | "message", _)) => Err(Diagnostic::error(
            Code::PartRejected,
            format!("cannot have the type `{text}`: a part cannot be an archive"),
        )),
        Some((kind, subtype)) if token(kind) && token(subtype) => Ok(text),
        _ => Err(Diagnostic::error(
            Code::PartRejected,
            format!("must have a type like `{SHELL_SCRIPT}`, got `{text}`"),
        )),
    }
}

/// The transfer encoding of a body: none if every reader returns the same bytes, else base64.
fn transfer_encoding(body: &[u8]) -> &'static str {
    if !body.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b' '..=b'~')) {
        return "base64";
    }
    let fits = body.split(|byte| *byte == b'\n').all(|line| line.len() <= LINE_MAX);
    if fits { "7bit" } else { "binary" }
}

fn widest<'a>(mut bodies: impl Iterator<Item = &'a [u8]>) -> &'static str {
    if bodies.any(|body| transfer_encoding(body) == "binary") { "binary" } else { "7bit" }
}

fn leaf<'a>(content_type: &'a str, body: &'a [u8]) -> MimePart<'a> {
    let encoding = transfer_encoding(body);
    let part = match encoding {
        "base64" => {
            MimePart::new(mail::ContentType::new(content_type), base64_lines(body).join("\n").into_bytes())
        }
        _ => MimePart::new(mail::ContentType::new(content_type), body),
    };
    part.transfer_encoding(encoding)
}

/// Finds a boundary that does not occur in any body.
fn boundary<'a>(bodies: impl Iterator<Item = &'a [u8]> + Clone) -> String {
    let candidates = (0..).map(|number| match number {
        0 => format!("{OWN_BOUNDARY}=="),
        number => format!("{OWN_BOUNDARY}-{number}=="),
    });
    let free = |boundary: &String| {
        let occurs_in =
            |body: &[u8]| body.windows(boundary.len()).any(|window| window == boundary.as_bytes());
        !bodies.clone().any(occurs_in)
    };
    candidates.into_iter().find(free).expect("there is always another candidate")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(bytes: &[u8]) -> Result<Part, Diagnostic> {
        Part::new("a b.yaml", None, bytes.to_vec())
    }

    #[test]
    fn the_first_line_decides_the_type() {
        for (beginning, content_type) in [
            ("#cloud-config\n", "text/cloud-config"),
            ("\n #Cloud-Config\n", "text/cloud-config"),
            ("#cloud-config-archive\n", "text/cloud-config-archive"),
            ("#include-once\n", "text/x-include-once-url"),
            ("#include\n", "text/x-include-url"),
            ("#!/bin/sh\n", "text/x-shellscript"),
            ("## template: jinja\n#cloud-config\n", "text/jinja2"),
        ] {
            assert_eq!(part(beginning.as_bytes()).unwrap().content_type, content_type, "{beginning:?}");
        }
    }

    #[test]
    fn parts_that_cloud_init_would_ignore_are_rejected() {
        assert!(part(&[0x1f, 0x8b, 8, 0]).is_err());
        let typed = |content_type| Part::new("f", Some(content_type), b"x".to_vec()).unwrap();
        let archive = || part(b"#cloud-config-archive\n- '#!/bin/sh'\n").unwrap();
        assert!(Part::check_together(&[archive(), typed(CLOUD_CONFIG)]).is_ok());
        assert!(Part::check_together(&[typed(CLOUD_CONFIG), archive()]).is_err());
        let misspelt = Part::check_together(&[typed("text/cloud-confg")]).unwrap_err();
        assert!(misspelt.hint.unwrap().contains("`text/cloud-config`"));
        assert!(Part::check_together(&[typed(PART_HANDLER), typed("text/x-own")]).is_ok());
        for bad in
            ["", "packages: [a]\n", "---\n#cloud-config\n", "\u{feff}#cloud-config\n", "MIME-Version: 1.0\n"]
        {
            assert!(part(bad.as_bytes()).is_err(), "{bad:?}");
        }
        for marked in ["\u{feff}#cloud-config\n".as_bytes(), b"\xff\xfe#\0!\0"] {
            assert!(part(marked).unwrap_err().hint.unwrap().contains("byte order mark"));
        }
        for bad in ["text", "text/", "/x", "text/x y", "multipart/mixed", "text/x\nA: b"] {
            assert!(Part::new("f", Some(bad), b"x".to_vec()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn scripts_sort_after_runcmd_and_names_are_plain() {
        assert_eq!(part(b"#!/bin/sh\n").unwrap().name(3), "script-03-a-b.yaml");
        assert_eq!(part(b"#cloud-config\n").unwrap().name(1), "part-01-a-b.yaml");
        assert_eq!(part(b"## template: jinja\n#!/bin/sh\n").unwrap().name(1), "script-01-a-b.yaml");
        assert_eq!(part(b"## template: jinja\n#cloud-config\n").unwrap().name(1), "part-01-a-b.yaml");
        let typed = Part::new("a", Some("text/plain"), b"#!/bin/sh\n".to_vec()).unwrap();
        assert_eq!(typed.name(1), "script-01-a");
        assert!("script-03-a-b.yaml" > "runcmd");
    }

    #[test]
    fn the_boundary_does_not_occur_in_a_part() {
        let bodies: [&[u8]; 2] = [b"==hostseed==", b"x ==hostseed-1== y"];
        assert_eq!(boundary(bodies.into_iter()), "==hostseed-2==");
    }

    #[test]
    fn only_bodies_that_arrive_unchanged_are_unencoded() {
        assert_eq!(transfer_encoding(b"#!/bin/sh\necho\n"), "7bit");
        assert_eq!(transfer_encoding(&[b'a'; 999]), "binary");
        for body in ["a\r\n", "\u{e4}", "\0", "\u{1b}[0m"] {
            assert_eq!(transfer_encoding(body.as_bytes()), "base64", "{body:?}");
        }
    }
}
