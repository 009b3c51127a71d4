//! Why a file cannot be imported.

use std::fmt;

use super::{MANIFEST, MAX_BYTES, VERSION};
use crate::diag::{Code, Diagnostic, Report};

/// Why a file is not what `export` wrote, or cannot be decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    Empty,
    /// Neither an archive, nor encrypted, nor base64 of these.
    Unknown,
    TooLarge,
    CutOff,
    Changed,
    /// An entry that is no regular file.
    NotRegular(String),
    /// An entry with a name that no export has.
    UnknownName(String),
    Twice(String),
    /// The archive does not begin with the manifest. `has_metadata` says whether it begins with a context's metadata.
    NoManifest {
        has_metadata: bool,
    },
    /// The manifest cannot be read.
    Manifest(String),
    /// Another version of the format.
    Version(u64),
    /// It is encrypted to a key and not with a passphrase.
    EncryptedToKey,
    /// Its passphrase would take too much time and memory.
    Costly,
    WrongPassphrase,
}

/// The reason, after the words that the file is not an export.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Unknown => {
                f.write_str("it is no archive of hostseed's, no text of age, and no base64 of one")
            }
            Self::TooLarge => write!(f, "it has more than {MAX_BYTES} bytes"),
            Self::CutOff => f.write_str("it is cut off or damaged"),
            Self::Changed => f.write_str("it is cut off, or was changed"),
            Self::NotRegular(path) => write!(f, "`{}` is not a regular file", path.escape_debug()),
            Self::UnknownName(path) => write!(f, "it has a file with the name `{}`", path.escape_debug()),
            Self::Twice(path) => write!(f, "it has `{path}` twice"),
            Self::NoManifest { has_metadata: true } => write!(f, "it has no `{MANIFEST}`"),
            Self::NoManifest { has_metadata: false } => write!(f, "it does not begin with `{MANIFEST}`"),
            Self::Manifest(why) => write!(f, "its `{MANIFEST}` {why}"),
            Self::Version(version) => {
                write!(f, "the file has version {version} of the format, and this hostseed reads {VERSION}")
            }
            Self::EncryptedToKey => f.write_str("it is encrypted to a key and not with a passphrase"),
            Self::Costly => f.write_str("its passphrase would take too much time and memory"),
            Self::WrongPassphrase => f.write_str("the passphrase is wrong"),
        }
    }
}

impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Self {
        let code = match fault {
            Fault::Version(_) => Code::ExportVersion,
            Fault::WrongPassphrase => Code::ExportPassphrase,
            _ => Code::ExportFile,
        };
        let text = match code {
            Code::ExportFile => {
                format!("this is not a file that `hostseed export` wrote: {fault}; nothing was written")
            }
            _ => format!("{fault}; nothing was written"),
        };
        Self::error(code, text).maybe_hint(match fault {
            Fault::Unknown => Some("`hostseed export NAME -o FILE` writes one"),
            Fault::CutOff | Fault::Changed => Some("export it again, and copy the file whole"),
            Fault::NoManifest { has_metadata: true } => {
                Some("it may be an archive for `docker context import`")
            }
            Fault::Version(_) => {
                Some("import it with the version of hostseed that exported it, or a later one")
            }
            Fault::EncryptedToKey => Some("decrypt it with `age --decrypt`, and import the result"),
            Fault::WrongPassphrase => Some(
                "try again; if the passphrase is lost, export again, because nothing else decrypts the file",
            ),
            _ => None,
        })
    }
}

impl From<Fault> for Report {
    fn from(fault: Fault) -> Self {
        Diagnostic::from(fault).into()
    }
}
