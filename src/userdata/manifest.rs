//! The manifest marks a seed as rendered by hostseed and lists its files: with Ignition all of them, else `setup`, whose settings list the
//! others. Manifests of earlier versions list all files. Programs read it. Nothing else marks such a seed.
//!
//! Version 1 is JSON. In a cloud-config or a script, it is a comment on its own line that begins with [`MARKER`]; only comments
//! may precede it. In an Ignition config, it is the file [`paths::MANIFEST`](super::paths::MANIFEST), and the data URL of each
//! payload has the media type [`PAYLOAD_TYPE`].

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::payload::PayloadEncoding;
use super::problems::FETCH_AGAIN;
use crate::digest::{is_sha256, sha256};

use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic, Place};

/// The beginning of the line with the manifest.
const MARKER: &str = "# hostseed-manifest: ";
/// The media type of payloads in Ignition's data URLs (RFC 2397). Ignition ignores it.
pub const PAYLOAD_TYPE: &str = "application/x-hostseed";
/// The version that hostseed writes, and the only one that it reads.
const VERSION: u32 = 1;
/// Maximum length of the JSON in bytes. A seed has five to ten files, so a valid manifest is much shorter.
const MAX_BYTES: usize = 64 << 10;

/// A file that the host gets: `SHA256 MODE PATH`, with the mode in octal. The manifest and the list in `setup` use this format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Entry {
    /// 64 hexadecimal digits.
    pub sha256: String,
    pub mode: u32,
    /// The absolute path on the host.
    pub path: String,
}

impl Entry {
    /// The entry for an artifact, which has a path relative to `/`.
    pub fn of(file: &Artifact) -> Self {
        Self { sha256: sha256(&file.bytes), mode: file.mode, path: format!("/{}", file.path) }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {:04o} {}", self.sha256, self.mode, self.path)
    }
}

impl From<Entry> for String {
    fn from(entry: Entry) -> Self {
        entry.to_string()
    }
}

impl TryFrom<String> for Entry {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut words = text.splitn(3, ' ');
        let (Some(sha256), Some(mode), Some(path)) = (words.next(), words.next(), words.next()) else {
            return Err("not `SHA256 MODE PATH`");
        };
        match u32::from_str_radix(mode, 8) {
            Ok(mode) if is_sha256(sha256) && path.starts_with('/') => {
                Ok(Self { sha256: sha256.to_owned(), mode, path: path.to_owned() })
            }
            _ => Err("not `SHA256 MODE PATH`"),
        }
    }
}

/// A manifest that was found in a text.
pub struct Found {
    /// The text that contains the manifest.
    pub place: Place,
    /// Number of lines of that text.
    pub lines: usize,
    pub manifest: Result<Manifest, Diagnostic>,
}

/// The list of a seed's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Files that the host gets.
    pub files: Vec<Entry>,
    /// The SHA-256 of the script in each other phase of an Image Builder component.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub phases: BTreeMap<String, String>,
    /// The encoding of the files in a script. A cloud-config and an Ignition config name the encoding themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<PayloadEncoding>,
    /// Number of lines of the text that contains the manifest, including the manifest's own line. More lines mean that somebody
    /// added some, fewer mean that some were lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<usize>,
    /// The last field, so that the JSON never has two braces in a row: Image Builder replaces text between `{{` and `}}`.
    version: u32,
}

impl Manifest {
    /// Creates a manifest with the current version.
    pub fn new(files: Vec<Entry>) -> Self {
        Self { files, phases: BTreeMap::new(), encoding: None, lines: None, version: VERSION }
    }

    /// The JSON, on one line without a line break at the end.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a manifest has only text and numbers")
    }

    /// The comment line for a cloud-config or a script, without a line break at the end.
    pub fn to_line(&self) -> String {
        format!("{MARKER}{}", self.to_json())
    }

    /// Parses the JSON.
    ///
    /// # Errors
    /// The manifest has another version, or is not in the format that [`to_json`](Self::to_json) writes.
    pub fn from_json(json: &str) -> Result<Self, Diagnostic> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let damaged = || {
            Diagnostic::error(Code::ManifestDamaged, "has a hostseed manifest that is cut short or damaged")
                .hint(FETCH_AGAIN)
        };
        if json.len() > MAX_BYTES {
            return Err(damaged());
        }
        match serde_json::from_str(json) {
            Ok(Version { version: VERSION }) => serde_json::from_str(json).map_err(|_| damaged()),
            Ok(Version { version }) => {
                let text = format!(
                    "has a hostseed manifest of version {version}, and this hostseed supports only version {VERSION}"
                );
                Err(Diagnostic::error(Code::ManifestDamaged, text)
                    .hint("verify it with the hostseed version that rendered it"))
            }
            Err(_) => Err(damaged()),
        }
    }

    /// Reads the manifest of a cloud-config or a script. Returns None if the text has no manifest.
    pub fn in_text(text: &str, place: &Place) -> Option<Found> {
        let comments = text.lines().take_while(|line| line.starts_with('#'));
        let mut found = comments.filter_map(|line| line.strip_prefix(MARKER.trim_end()));
        let manifest = Self::from_json(found.next()?.trim());
        Some(Found { place: place.clone(), lines: text.lines().count(), manifest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_text(text: &str) -> Option<Result<Manifest, Diagnostic>> {
        Manifest::in_text(text, &Place::file("f")).map(|found| found.manifest)
    }

    fn manifest() -> Manifest {
        let mut manifest = Manifest::new(vec![Entry::of(&Artifact::public("etc/docker/ca.pem", "x"))]);
        manifest.encoding = Some(PayloadEncoding::GzipBase64);
        manifest.phases.insert("validate".into(), "cd".repeat(32));
        manifest
    }

    #[test]
    fn written_manifest_reads_back() {
        for manifest in [manifest(), Manifest::new(Vec::new())] {
            assert_eq!(Manifest::from_json(&manifest.to_json()).unwrap(), manifest);
            for text in ["#!/bin/sh\n# x\n@\nset -eu\n", "@\r\n", "@"] {
                let text = text.replace('@', &manifest.to_line());
                assert_eq!(in_text(&text).unwrap().unwrap(), manifest);
            }
        }
        let line = manifest().to_line();
        assert!(!line.contains("{{") && !line.contains("}}") && !line.contains('\n'), "{line}");
    }

    #[test]
    fn only_a_comment_at_the_beginning_counts() {
        let line = manifest().to_line();
        for text in [format!("#!/bin/sh\nset -eu\n{line}\n"), format!(" {line}"), format!("echo {line}")] {
            assert!(in_text(&text).is_none(), "{text}");
        }
    }

    #[test]
    fn truncated_manifests_and_other_versions_are_errors() {
        let line = manifest().to_line();
        for length in MARKER.trim_end().len()..line.len() {
            assert!(in_text(&line[..length]).unwrap().is_err(), "{}", &line[..length]);
        }
        let newer = in_text(&line.replace("\"version\":1", "\"version\":2,\"more\":0"));
        assert!(newer.unwrap().unwrap_err().message.contains("version 2"));
        assert!(
            Manifest::from_json(&format!(
                "{{\"files\":[],\"version\":1,\"x\":\"{}\"}}",
                "y".repeat(MAX_BYTES)
            ))
            .is_err()
        );
    }
}
