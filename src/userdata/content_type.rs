//! cloud-init's content types: the MIME type, the first line and the reader of each. Both the MIME archives that hostseed writes
//! and the user-data that it reads use this table (cloud-init 22.4 to 25.3, `cloudinit/handlers/__init__.py`,
//! INCLUSION_TYPES_MAP; `cloudinit/user_data.py`).

/// The kind of a document, which decides what reads it on the host. The names are cloud-init's ("User-Data Formats").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    CloudConfig,
    Script,
    Boothook,
    /// Read by Ignition. cloud-init does not know this format.
    Ignition,
    /// Fetched from URLs at boot.
    Include,
    Archive,
    JsonPatch,
    PartHandler,
    /// A cloud-config or a script with placeholders that the host fills in.
    Jinja,
    /// Text that nothing on a host reads. It must not contain a private key either.
    Beside,
}

impl Kind {
    /// The name for messages and summaries.
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

    /// Finds the kind by the first line, as [`ContentType::by_first_line`] does.
    pub fn of(text: &str) -> Option<Self> {
        ContentType::by_first_line(text).map(|found| found.kind)
    }

    /// Finds the kind by a MIME type in lower case.
    pub fn of_mime(mime: &str) -> Option<Self> {
        ContentType::by_mime(mime).map(|found| found.kind)
    }
}

/// How a document of a type begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstLine {
    /// With this text, in upper or lower case.
    Begins(&'static str),
    /// With no text of its own. The value is the reason.
    None(&'static str),
}

/// One of cloud-init's content types.
#[derive(Debug, PartialEq, Eq)]
pub struct ContentType {
    pub mime: &'static str,
    pub first_line: FirstLine,
    pub kind: Kind,
}

/// The first line of a cloud-config.
pub const CLOUD_CONFIG_LINE: &str = "#cloud-config";
pub const CLOUD_CONFIG: &str = "text/cloud-config";
pub const SHELL_SCRIPT: &str = "text/x-shellscript";
pub const ARCHIVE: &str = "text/cloud-config-archive";
pub const JINJA: &str = "text/jinja2";
pub const PART_HANDLER: &str = "text/part-handler";
/// MIME types whose parts cloud-init reads by their first line (TYPE_NEEDED).
pub const BY_FIRST_LINE: [&str; 2] = ["text/plain", "text/x-not-multipart"];
/// MIME types of parts that cloud-init decompresses, and then reads by their first line (DECOMP_TYPES).
pub const COMPRESSED: [&str; 8] = [
    "application/gzip",
    "application/gzip-compressed",
    "application/gzipped",
    "application/x-compress",
    "application/x-compressed",
    "application/x-gunzip",
    "application/x-gzip",
    "application/x-gzip-compressed",
];

const ONLY_IN_MIME: FirstLine =
    FirstLine::None("it is a script, and only its MIME type says how often it runs");

/// All content types. If one first line is a prefix of another, the longer one comes first.
pub const CONTENT_TYPES: [ContentType; 12] = [
    ContentType {
        mime: ARCHIVE,
        first_line: FirstLine::Begins("#cloud-config-archive"),
        kind: Kind::Archive,
    },
    ContentType {
        mime: "text/cloud-config-jsonp",
        first_line: FirstLine::Begins("#cloud-config-jsonp"),
        kind: Kind::JsonPatch,
    },
    ContentType { mime: JINJA, first_line: FirstLine::Begins("## template: jinja"), kind: Kind::Jinja },
    ContentType {
        mime: "text/cloud-boothook",
        first_line: FirstLine::Begins("#cloud-boothook"),
        kind: Kind::Boothook,
    },
    ContentType {
        mime: CLOUD_CONFIG,
        first_line: FirstLine::Begins(CLOUD_CONFIG_LINE),
        kind: Kind::CloudConfig,
    },
    ContentType {
        mime: PART_HANDLER,
        first_line: FirstLine::Begins("#part-handler"),
        kind: Kind::PartHandler,
    },
    ContentType {
        mime: "text/x-include-once-url",
        first_line: FirstLine::Begins("#include-once"),
        kind: Kind::Include,
    },
    ContentType {
        mime: "text/x-include-url",
        first_line: FirstLine::Begins("#include"),
        kind: Kind::Include,
    },
    ContentType { mime: SHELL_SCRIPT, first_line: FirstLine::Begins("#!"), kind: Kind::Script },
    ContentType { mime: "text/x-shellscript-per-boot", first_line: ONLY_IN_MIME, kind: Kind::Script },
    ContentType { mime: "text/x-shellscript-per-instance", first_line: ONLY_IN_MIME, kind: Kind::Script },
    ContentType { mime: "text/x-shellscript-per-once", first_line: ONLY_IN_MIME, kind: Kind::Script },
];

impl ContentType {
    /// Finds the type by the document's first line, as cloud-init's `type_from_starts_with` does: it ignores case and leading
    /// white space.
    pub fn by_first_line(text: &str) -> Option<&'static Self> {
        const LONGEST: usize = 32;
        let start: String = text.trim_start().chars().take(LONGEST).collect::<String>().to_lowercase();
        CONTENT_TYPES.iter().find(
            |known| matches!(known.first_line, FirstLine::Begins(beginning) if start.starts_with(beginning)),
        )
    }

    /// Finds the type by its MIME type, in lower case.
    pub fn by_mime(mime: &str) -> Option<&'static Self> {
        CONTENT_TYPES.iter().find(|known| known.mime == mime)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::process::Command;

    use super::*;
    use crate::skip;

    #[test]
    fn each_type_is_found_by_its_first_line_and_by_its_mime_type() {
        for known in &CONTENT_TYPES {
            assert_eq!(ContentType::by_mime(known.mime), Some(known));
            match known.first_line {
                FirstLine::Begins(line) => {
                    for text in [format!("{line}\nx"), format!("\n {}", line.to_uppercase())] {
                        assert_eq!(ContentType::by_first_line(&text), Some(known), "{text:?}");
                    }
                }
                FirstLine::None(why) => assert!(!why.is_empty()),
            }
        }
        for none in ["", "packages: []", "# cloud-config", "\u{feff}#cloud-config", "#upstart-job"] {
            assert_eq!(ContentType::by_first_line(none), None, "{none:?}");
        }
    }

    #[test]
    fn the_table_equals_cloud_inits() {
        if !skip::need_python_module("cloudinit") {
            return;
        }
        let ask = "import json; from cloudinit import handlers, user_data as u; \
            print(json.dumps([handlers.INCLUSION_TYPES_MAP, sorted(set(u.DECOMP_TYPES)), u.TYPE_NEEDED]))";
        let output = Command::new(skip::PYTHON).args(["-c", ask]).output().unwrap();
        type Tables = (BTreeMap<String, String>, Vec<String>, Vec<String>);
        let (types, compressed, by_first_line): Tables = serde_json::from_slice(&output.stdout).unwrap();
        let ours: BTreeMap<String, String> = CONTENT_TYPES
            .iter()
            .map(|known| match known.first_line {
                FirstLine::Begins(line) => (line.to_owned(), known.mime.to_owned()),
                // For such a type, cloud-init's table has the MIME type in place of the first line.
                FirstLine::None(_) => (known.mime.to_owned(), known.mime.to_owned()),
            })
            .collect();
        assert_eq!(ours, types);
        assert_eq!(COMPRESSED.to_vec(), compressed);
        assert_eq!(BY_FIRST_LINE.to_vec(), by_first_line);
    }
}
