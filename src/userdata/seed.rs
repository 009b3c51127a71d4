//! A decoded seed: its parts in the order in which the host runs them.

use super::content_type::Kind;
use super::encoding::Shared;

use crate::diag::Place;

/// The user-data that a cloud gives to one host.
pub struct Seed {
    pub place: Place,
    /// The names of the layers around the parts, outermost first.
    pub layers: Vec<&'static str>,
    /// The user-data as it is sent to a cloud. None for files on a disk or in an image.
    pub sent: Option<Sent>,
    pub parts: Vec<Part>,
}

impl Seed {
    /// The layers and kinds, for example `gzip › MIME › cloud-config, script`.
    pub fn what(&self) -> String {
        let mut kinds: Vec<&str> = Vec::new();
        for part in self.parts.iter().filter(|part| part.kind != Kind::Beside) {
            if kinds.last() != Some(&part.kind.name()) {
                kinds.push(part.kind.name());
            }
        }
        let mut layers = self.layers.clone();
        let kinds = kinds.join(", ");
        layers.extend((!kinds.is_empty()).then_some(kinds.as_str()));
        layers.join(" › ")
    }
}

/// The size and compression of user-data without any base64 around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub bytes: usize,
    /// The length of the base64 that encoded it, in bytes. None if it was not encoded.
    pub base64: Option<usize>,
    pub gzip: bool,
}

/// A document that a program on the host reads.
pub struct Part {
    pub place: Place,
    pub kind: Kind,
    pub bytes: Shared,
    /// The value of a MIME part's `X-Merge-Type` or `Merge-Type` header.
    pub merge: Option<String>,
    /// The file name that a MIME part or an archive's entry asks for.
    pub file: Option<String>,
}
