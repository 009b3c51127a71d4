//! What one host boots from, its wrappings taken off: parts in the order in which they run.

use super::encoding::Bytes;
use super::problems::Place;

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

/// What reads a part. The names are cloud-init's ("User-Data Formats").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    CloudConfig,
    Script,
    Boothook,
    Ignition,
    /// Fetched from elsewhere at boot.
    Include,
    Archive,
    JsonPatch,
    PartHandler,
    /// A cloud-config or script with places that the host fills in.
    Jinja,
    /// What lies beside it and nothing on a host reads; no key belongs there either.
    Beside,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudConfig => "cloud-config",
            Self::Script => "script",
            Self::Boothook => "boothook",
            Self::Ignition => "Ignition",
            Self::Include => "include",
            Self::Archive => "cloud-config-archive",
            Self::JsonPatch => "cloud-config-jsonp",
            Self::PartHandler => "part-handler",
            Self::Jinja => "jinja template",
            Self::Beside => "text",
        }
    }

    /// By the first line, as cloud-init's `type_from_starts_with` does it: without regard to case and to white space before.
    pub fn of(text: &str) -> Option<Self> {
        // Longest first where one begins another.
        const BEGINNINGS: [(&str, Kind); 8] = [
            ("## template: jinja", Kind::Jinja),
            ("#cloud-config-archive", Kind::Archive),
            ("#cloud-config-jsonp", Kind::JsonPatch),
            ("#cloud-config", Kind::CloudConfig),
            ("#cloud-boothook", Kind::Boothook),
            ("#part-handler", Kind::PartHandler),
            ("#include", Kind::Include),
            ("#!", Kind::Script),
        ];
        let start: String = text.trim_start().chars().take(32).collect::<String>().to_lowercase();
        BEGINNINGS.iter().find(|(beginning, _)| start.starts_with(beginning)).map(|(_, kind)| *kind)
    }

    /// By a MIME part's type, as cloud-init has its handlers registered.
    pub fn of_mime(mime: &str) -> Option<Self> {
        Some(match mime {
            "text/cloud-config" => Self::CloudConfig,
            "text/x-shellscript"
            | "text/x-shellscript-per-boot"
            | "text/x-shellscript-per-instance"
            | "text/x-shellscript-per-once" => Self::Script,
            "text/cloud-boothook" => Self::Boothook,
            "text/x-include-url" | "text/x-include-once-url" => Self::Include,
            "text/cloud-config-archive" => Self::Archive,
            "text/cloud-config-jsonp" => Self::JsonPatch,
            "text/part-handler" => Self::PartHandler,
            "text/jinja2" => Self::Jinja,
            _ => return None,
        })
    }
}
