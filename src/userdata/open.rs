//! Decodes gzip, base64, MIME and archives. Then the first line decides the kind of each document, as in cloud-init.

use std::ops::Deref;
use std::rc::Rc;

use super::budget::{self, Budget};
use super::content_type::{BY_FIRST_LINE, CLOUD_CONFIG_LINE, COMPRESSED, Kind};
use super::encoding::{self, GZIP, Shared};
use super::manifest::Manifest;
use super::problems::{Problems, at_offset, head};
use super::seed::{Part, Seed, Sent};
use super::{archive, cloud_config, mime};
use crate::diag::{Code, Diagnostic, Place};
use crate::secret::Secret;

/// Maximum number of nested layers. Real user-data has fewer, even with gzip in base64 in MIME.
const MAX_LAYERS: usize = 8;

/// Opens one user-data. The seed may have no parts; then a problem was reported.
pub fn open(bytes: &Shared, place: &Place, budget: &Budget, problems: &mut Problems) -> Seed {
    let mut opener = Opener { budget, problems, layers: Vec::new(), parts: Vec::new() };
    opener.unwrap_layers(bytes, place, None, 0);
    let Opener { layers, parts, .. } = opener;
    let sent = Some(sent(bytes, budget));
    Seed { place: place.clone(), layers, sent, parts }
}

/// Describes the user-data as a cloud receives it. Base64 is only the encoding for the upload, so it is decoded first.
fn sent(bytes: &[u8], budget: &Budget) -> Sent {
    let decoded = encoding::is_base64(bytes).then(|| encoding::unbase64(bytes, budget));
    match decoded {
        Some(Ok(plain)) => Sent {
            bytes: plain.len(),
            base64: Some(bytes.trim_ascii().len()),
            gzip: plain.starts_with(&GZIP),
        },
        _ => Sent { bytes: bytes.len(), base64: None, gzip: bytes.starts_with(&GZIP) },
    }
}

/// Returns whether the user-data begins with something that a host recognizes, without leading white space: gzip, a MIME header, a
/// first line that cloud-init knows ("User-Data Formats"), or Ignition's JSON.
pub fn has_beginning(bytes: &[u8]) -> bool {
    let is_known = |text: &str| mime::is_message(text) || Kind::of(text).is_some() || text.starts_with('{');
    bytes.starts_with(&GZIP)
        || std::str::from_utf8(bytes)
            .is_ok_and(|text| !text.starts_with(char::is_whitespace) && is_known(text))
}

struct Opener<'a> {
    budget: &'a Budget,
    problems: &'a mut Problems,
    layers: Vec<&'static str>,
    parts: Vec<Part>,
}

/// The text of a document, and the bytes that contain it.
struct Text<'a> {
    text: &'a str,
    whole: &'a Shared,
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.text
    }
}

/// The context of a part, from the MIME part or archive entry that contains it.
struct Around<'a> {
    kind: Option<Kind>,
    merge: Option<&'a str>,
    file: Option<&'a str>,
    /// It is an entry of a cloud-config-archive. Its first line decides nothing.
    is_entry: bool,
    /// The MIME type says that the content is compressed. cloud-init decompresses a MIME part only in this case.
    gzip: bool,
}

impl Around<'_> {
    fn of(kind: Kind) -> Self {
        Self { kind: Some(kind), merge: None, file: None, is_entry: false, gzip: false }
    }
}

impl Opener<'_> {
    fn unwrap_layers(&mut self, bytes: &Shared, place: &Place, around: Option<&Around>, depth: usize) {
        if depth > MAX_LAYERS {
            let text = format!("is encoded or nested more than {MAX_LAYERS} times");
            return self.problems.add(place, Diagnostic::error(Code::VerifyLimit, text));
        }
        // The cost of checking the beginning, UTF-8 and base64, and of keeping a copy.
        if !self.budget.take(4 * bytes.len() + 64) {
            return;
        }
        if bytes.trim_ascii().is_empty() {
            return self.problems.add(place, Diagnostic::error(Code::UserDataEmpty, "is empty"));
        }
        if bytes.starts_with(&GZIP) {
            if self.layers.contains(&"gzip") || around.is_some_and(|around| !around.gzip) {
                let problem =
                    Diagnostic::error(Code::WrongLayer, "is gzip where cloud-init does not decompress it");
                let hint =
                    "compress the user-data once, as a whole; a MIME part needs the type `application/gzip`";
                self.problems.add(place, problem.hint(hint));
            }
            self.layer("gzip", around);
            return match encoding::gunzip(bytes, self.budget) {
                Ok(plain) => self.unwrap_layers(&Rc::new(plain), place, around, depth + 1),
                Err(problem) => self.problems.add(place, problem),
            };
        }
        let Some(text) = self.text(bytes, place, around) else { return };
        let text = &Text { text, whole: bytes };
        match around.and_then(|around| around.kind) {
            Some(kind) => self.typed(kind, text, place, around, depth),
            None => self.untyped(text, place, around, depth),
        }
    }

    /// Records a layer around the whole user-data. Layers of a single part are not recorded.
    fn layer(&mut self, name: &'static str, around: Option<&Around>) {
        if around.is_none() {
            self.layers.push(name);
        }
    }

    /// Returns the bytes as text without a byte order mark. Reports anything that is not UTF-8 text.
    fn text<'b>(&mut self, bytes: &'b [u8], place: &Place, around: Option<&Around>) -> Option<&'b str> {
        if let Some(name) = encoding::foreign_compression(bytes) {
            let text = format!("is compressed with {name}, and cloud-init supports only gzip");
            self.problems.add(place, Diagnostic::error(Code::WrongLayer, text).hint("compress it with gzip"));
            return None;
        }
        if encoding::is_utf16(bytes) {
            let problem =
                Diagnostic::error(Code::UserDataText, "is UTF-16, which cloud-init does not support");
            self.problems.add(place, problem.hint("save it as UTF-8 without a byte order mark"));
            return None;
        }
        // The YAML reader skips the mark. In any other part it stands before the first line.
        let is_yaml =
            around.is_some_and(|around| matches!(around.kind, Some(Kind::CloudConfig | Kind::Archive)));
        let bytes = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if is_yaml => rest,
            Some(rest) => {
                let problem = Diagnostic::error(
                    Code::UserDataText,
                    "begins with a byte order mark, so cloud-init does not recognize its first line",
                );
                self.problems.add(place, problem.hint("save it as UTF-8 without a byte order mark"));
                rest
            }
            None => bytes,
        };
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Some(text),
            Ok(text) => {
                let at = text.find('\0').unwrap_or_default();
                let problem = Diagnostic::error(
                    Code::UserDataText,
                    "is neither text nor gzip: it has a zero byte here",
                );
                self.problems.add(&at_offset(place, bytes, at), problem);
                None
            }
            Err(error) => {
                let problem = Diagnostic::error(
                    Code::UserDataText,
                    "is neither gzip nor UTF-8 text: this byte is not valid",
                );
                let problem = problem.hint("save it as UTF-8, or download it again");
                self.problems.add(&at_offset(place, bytes, error.valid_up_to()), problem);
                None
            }
        }
    }

    /// Handles a part with a known type.
    fn typed(&mut self, kind: Kind, text: &Text, place: &Place, around: Option<&Around>, depth: usize) {
        match kind {
            Kind::Archive => self.archive(text, place, depth),
            // cloud-init checks whether it is really a script ("known cases" in its `user_data.py`).
            Kind::Script if !text.starts_with("#!") => {
                let is_entry = around.is_some_and(|around| around.is_entry);
                match Kind::of(text).filter(|kind| *kind != Kind::Script && !is_entry) {
                    Some(other) => self.typed(other, text, place, around, depth),
                    None => {
                        let problem = Diagnostic::error(
                            Code::FirstLine,
                            "has the type of a script, but does not begin with `#!`",
                        );
                        self.problems.add(place, problem.hint("begin it with `#!/bin/sh`"));
                        self.part(kind, text, place, around);
                    }
                }
            }
            _ => self.part(kind, text, place, around),
        }
    }

    fn untyped(&mut self, text: &Text, place: &Place, around: Option<&Around>, depth: usize) {
        if mime::is_message(text) || (around.is_none() && mime::is_read_as_message(text)) {
            if around.is_some() {
                let problem = Diagnostic::error(
                    Code::WrongLayer,
                    "is a MIME archive inside a part, where cloud-init does not open it",
                );
                let hint = "pass its parts in the outer archive, or give the part a type that begins with `multipart/`";
                self.problems.add(place, problem.hint(hint));
            }
            // The text around the parts, and parts that nothing handles, may contain a private key.
            if mime::is_message(text) {
                self.layer("MIME", around);
                self.part(Kind::Beside, text, place, around);
            }
            let parts = mime::parts(text, place, self.budget, self.problems);
            // cloud-init applies nothing if it knows no type.
            let is_lost = !parts.iter().any(|part| is_supported(&part.mime));
            for part in parts {
                self.mime_part(part, is_lost, depth);
            }
            return;
        }
        match Kind::of(text) {
            Some(kind) => {
                self.check_beginning(kind, text, place);
                match kind {
                    Kind::Archive => self.archive(text, place, depth),
                    _ => self.part(kind, text, place, around),
                }
            }
            None if text.trim_start().starts_with('{') => self.part(Kind::Ignition, text, place, around),
            None if encoding::is_base64(text.as_bytes()) || begins_as_base64(text) => {
                if depth > 0 {
                    let problem =
                        Diagnostic::error(Code::WrongLayer, "is base64 where cloud-init does not decode it");
                    let hint = "encode the user-data once, as a whole; a MIME part needs the header `Content-Transfer-Encoding: base64`";
                    self.problems.add(place, problem.hint(hint));
                }
                self.layer("base64", around);
                match encoding::unbase64(text.as_bytes(), self.budget) {
                    Ok(plain) => self.unwrap_layers(&Rc::new(plain), place, around, depth + 1),
                    Err((offset, problem)) => {
                        self.problems.add(&at_offset(place, text.as_bytes(), offset), problem);
                    }
                }
            }
            None => self.without_beginning(text, place, around),
        }
    }

    /// Opens a part. `is_lost` is true if cloud-init supports the type of no part.
    fn mime_part(&mut self, part: mime::MimePart, is_lost: bool, depth: usize) {
        let kind = Kind::of_mime(&part.mime);
        let gzip = COMPRESSED.contains(&part.mime.as_str());
        if kind.is_none() && part.bytes.is_empty() {
            return;
        }
        if !is_supported(&part.mime) {
            let text = String::from_utf8_lossy(&part.bytes);
            let is_ours = is_lost || Manifest::in_text(&text, &part.place).is_some();
            let text =
                format!("has the type `{}`, which cloud-init does not support", part.mime.escape_debug());
            let problem = match is_ours {
                true => Diagnostic::error(Code::ContentType, format!("{text}, so it applies nothing of it")),
                false => Diagnostic::warning(Code::ContentType, text),
            };
            let hint =
                "use `text/cloud-config` or `text/x-shellscript`, or `text/plain` if the first line decides";
            return self.problems.add(&part.place, problem.hint(hint));
        }
        // Scripts that run at other times are in other folders.
        let file = part.file.as_deref().filter(|_| !part.mime.starts_with("text/x-shellscript-per-"));
        // cloud-init makes a new part of what it decompresses, without this header.
        let merge = part.merge.as_deref().filter(|_| !gzip);
        let around = Around { kind, merge, file, is_entry: false, gzip };
        self.unwrap_layers(&Rc::new(part.bytes), &part.place, Some(&around), depth + 1);
    }

    /// Opens each entry of a cloud-config-archive, a YAML list of documents (cloud-init, "User-Data Formats", Cloud Config
    /// Archive).
    fn archive(&mut self, text: &Text, place: &Place, depth: usize) {
        if !self.is_small_enough(Kind::Archive, text, place) {
            return self.part(Kind::Beside, text, place, None);
        }
        for entry in archive::entries(text, place, self.budget, self.problems) {
            let content = Rc::new(entry.content);
            match Kind::of_mime(&entry.mime) {
                Some(kind) if !matches!(kind, Kind::Include | Kind::Archive) => {
                    let (merge, file) = (entry.merge.as_deref(), entry.file.as_deref());
                    let around = Around { merge, file, is_entry: true, ..Around::of(kind) };
                    self.unwrap_layers(&content, &entry.place, Some(&around), depth + 1);
                }
                _ => {
                    let text = format!(
                        "has the type `{}`, which cloud-init does not support in a cloud-config-archive",
                        entry.mime.escape_debug()
                    );
                    let problem = Diagnostic::error(Code::ContentType, text);
                    let hint =
                        "use `text/cloud-config` or `text/x-shellscript`, or a MIME archive for other types";
                    self.problems.add(&entry.place, problem.hint(hint));
                    // It may contain a private key.
                    self.push(Kind::Beside, content, &entry.place, None);
                }
            }
        }
    }

    /// Reports white space before the first line, and upper case in `#cloud-config`.
    fn check_beginning(&mut self, kind: Kind, text: &str, place: &Place) {
        let start = text.trim_start();
        let first = start.lines().next().unwrap_or_default();
        if start.len() < text.len() && kind == Kind::Script {
            let problem = Diagnostic::error(
                Code::FirstLine,
                "has white space before `#!`, so the kernel does not recognize it as a script",
            );
            self.problems.add(place, problem.hint("remove the white space"));
        } else if start.len() < text.len() {
            let text = format!(
                "has white space before `{}`, and some programs check only the first line",
                head(first)
            );
            self.problems
                .add(place, Diagnostic::warning(Code::FirstLine, text).hint("remove the white space"));
        }
        if kind == Kind::CloudConfig && !first.starts_with(CLOUD_CONFIG_LINE) {
            let text = format!(
                "begins with `{}`, which some programs do not recognize as `#cloud-config`",
                head(first)
            );
            self.problems.add(
                place,
                Diagnostic::warning(Code::FirstLine, text).hint("write `#cloud-config`, in lower case"),
            );
        }
    }

    /// Handles a text with an unknown first line. It may be a cloud-config that lacks `#cloud-config`.
    fn without_beginning(&mut self, text: &Text, place: &Place, around: Option<&Around>) {
        let first = text.trim_start().lines().next().unwrap_or_default();
        let place = &at_offset(place, text.as_bytes(), text.len() - text.trim_start().len());
        let later = text.lines().position(|line| line.trim_end() == CLOUD_CONFIG_LINE);
        let why = match later {
            _ if first.trim_end() == "---" => {
                "begins with `---`, so cloud-init does not recognize it as a cloud-config"
            }
            Some(_) => {
                "has `#cloud-config` on a later line, and cloud-init recognizes it only on the first line"
            }
            None if cloud_config::is_likely(text) => {
                "does not begin with `#cloud-config`, so cloud-init ignores it"
            }
            None if text.lines().any(|line| line.starts_with("variant:"))
                && text.lines().any(|line| line.starts_with("version:")) =>
            {
                let problem = Diagnostic::error(
                    Code::FirstLine,
                    "is a Butane config, which neither Ignition nor cloud-init reads",
                );
                return self.problems.add(place, problem.hint("convert it with `butane --strict`"));
            }
            None => {
                let text = format!("does not begin like any format of user-data: `{}`", head(first));
                let hint = "user-data begins with `#cloud-config`, `#!` or a MIME header, or is gzip or Ignition's JSON";
                return self.problems.add(place, Diagnostic::error(Code::FirstLine, text).hint(hint));
            }
        };
        self.problems
            .add(place, Diagnostic::error(Code::FirstLine, why).hint("make `#cloud-config` the first line"));
        self.part(Kind::CloudConfig, text, &place.at(None), around);
    }

    /// Adds a document to the parts. One that is too large for its reader is only searched for private keys.
    fn part(&mut self, kind: Kind, text: &Text, place: &Place, around: Option<&Around>) {
        let kind = if self.is_small_enough(kind, text, place) { kind } else { Kind::Beside };
        let bytes = match text.text.len() == text.whole.len() {
            true => Rc::clone(text.whole),
            false => Rc::new(Secret::new(text.text.as_bytes().to_vec())),
        };
        self.push(kind, bytes, place, around);
    }

    /// Returns whether a document is within the limit of its reader. Reports it otherwise.
    fn is_small_enough(&mut self, kind: Kind, text: &str, place: &Place) -> bool {
        let most = match kind {
            Kind::CloudConfig | Kind::Archive | Kind::Jinja | Kind::JsonPatch => budget::MAX_DOCUMENT,
            Kind::Ignition => budget::MAX_IGNITION,
            Kind::Script | Kind::Boothook | Kind::Include | Kind::PartHandler | Kind::Beside => return true,
        };
        if text.len() > most {
            self.problems.add(place, budget::too_long(kind.name(), text.len(), most));
        }
        text.len() <= most
    }

    fn push(&mut self, kind: Kind, bytes: Shared, place: &Place, around: Option<&Around>) {
        let merge = around.and_then(|around| around.merge).map(str::to_owned);
        let file = around.and_then(|around| around.file).map(str::to_owned);
        self.parts.push(Part { place: place.clone(), kind, bytes, merge, file });
    }
}

/// Returns whether cloud-init reads parts of a MIME type.
fn is_supported(mime: &str) -> bool {
    Kind::of_mime(mime).is_some() || COMPRESSED.contains(&mime) || BY_FIRST_LINE.contains(&mime)
}

/// Returns whether a text begins with the base64 of a known beginning, even if it is damaged further on.
fn begins_as_base64(text: &str) -> bool {
    // The base64 of gzip, `#cloud-`, `#!/`, `Content-Type`, `MIME-Ver`.
    ["H4sI", "I2Nsb3Vk", "IyEv", "Q29udGVudC1UeXBl", "TUlNRS1W"]
        .iter()
        .any(|start| text.trim_start().starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_beginnings_are_recognized() {
        for good in
            ["#cloud-config\n", "#!/bin/sh\n", "Content-Type: multipart/mixed\nMIME-Version: 1.0\n", "{\n"]
        {
            assert!(has_beginning(good.as_bytes()), "{good:?}");
        }
        assert!(has_beginning(&[0x1f, 0x8b, 8]));
        for bad in
            ["", "---\n#cloud-config\n", "\n#cloud-config\n", "\u{feff}#cloud-config\n", "write_files: []\n"]
        {
            assert!(!has_beginning(bad.as_bytes()), "{bad:?}");
        }
    }
}
