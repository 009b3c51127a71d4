//! What one host boots from, its wrappings taken off: parts in the order in which they run.

use super::content_type::Kind;
use super::encoding::Bytes;

use crate::diag::Place;

/// One user-data, as a cloud hands it to one host.
pub struct Seed {
    pub place: Place,
    /// What it was wrapped in, outermost first.
    pub layers: Vec<&'static str>,
    /// As it is sent, where it is what a cloud takes; none for what lies on a disk or in an image.
    pub sent: Option<Sent>,
    pub parts: Vec<Part>,
}

impl Seed {
    /// `gzip › MIME › cloud-config, script`
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

/// The size and make of user-data before any base64 around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub bytes: usize,
    /// The length of the base64 that it came in; none where it came as it is.
    pub base64: Option<usize>,
    pub gzip: bool,
}

/// A document that something on the host reads.
pub struct Part {
    pub place: Place,
    pub kind: Kind,
    pub bytes: Bytes,
    /// A MIME part's `X-Merge-Type` or `Merge-Type`.
    pub merge: Option<String>,
}
