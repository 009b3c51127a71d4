//! The file that brings a machine, or one client certificate of it, to another computer: its writer beside its reader.
//!
//! It is a tar archive. Its first entry is `manifest.json`, with the version of the format. The others have names that are listed
//! here, so that no name can leave a folder. The same content always gives the same bytes, and the reader accepts only these. Around
//! the archive there can be a passphrase (age, in binary or as text) and base64.

mod archive;
mod encryption;
mod fault;
mod wrapping;

pub use archive::{read, write};
pub use encryption::{decrypt, encrypt};
pub use fault::Fault;
pub use wrapping::{Wrapped, unwrap};

use crate::artifact::Artifact;
use crate::names::{ClientName, MachineName};

/// Maximum size in bytes of an archive: a few hundred clients.
pub const MAX_BYTES: usize = 4 << 20;
/// Maximum size in bytes of a file to import: an archive in base64, encrypted, in base64 again.
pub const MAX_WRAPPED: usize = 2 * MAX_BYTES;
/// The first entry of an archive.
const MANIFEST: &str = "manifest.json";
/// The version of the format that this version writes, and the only one that it reads.
const VERSION: u64 = 1;
/// The beginning of the names of a machine's files.
pub const MACHINE: &str = "machine/";
/// The beginning of the names of the CA's files.
pub const CA: &str = "ca/";
/// The beginning of the names of further clients, within a machine.
const CLIENTS: &str = "clients/";

/// Files of a machine's folder that can be in an archive. `user-data` and `env` are made anew.
pub const MACHINE_FILES: [&str; 12] = [
    "ca.pem",
    "cert.pem",
    "config.json",
    "fleet",
    "id_rsa",
    "id_rsa.pub",
    "issuer-key.pem",
    "issuer.pem",
    "key.pem",
    "machine.yaml",
    "server-key.pem",
    "server.pem",
];
/// Files of a CA.
pub const CA_FILES: [&str; 2] = ["ca-key.pem", "ca.pem"];
/// Files of a client.
pub const CLIENT_FILES: [&str; 2] = ["cert.pem", "key.pem"];
/// The files of an archive with one client.
const ONE_CLIENT: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A machine with everything that the store has of it.
    Machine,
    /// The files with which a client connects: the CA's certificate, a client certificate with its key, and `DOCKER_HOST`.
    Client { docker_host: String },
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    pub name: MachineName,
    pub kind: Kind,
    /// Files with the names that [`is_known`] knows, sorted by name. The mode says whether a file is private.
    pub files: Vec<Artifact>,
}

impl Export {
    /// Makes the content from files, which it sorts.
    pub fn new(name: MachineName, kind: Kind, mut files: Vec<Artifact>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { name, kind, files }
    }

    /// The file of that name.
    pub fn file(&self, path: &str) -> Option<&Artifact> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The names of the further clients, sorted.
    pub fn clients(&self) -> Vec<ClientName> {
        let name = |file: &Artifact| {
            let (client, _) = file.path.strip_prefix(MACHINE)?.strip_prefix(CLIENTS)?.split_once('/')?;
            ClientName::parse(client).ok()
        };
        let mut names: Vec<_> = self.files.iter().filter_map(name).collect();
        names.dedup();
        names
    }
}

/// Returns whether an archive of this kind can have a file of this name.
fn is_known(kind: &Kind, path: &str) -> bool {
    let Some(file) = path.strip_prefix(MACHINE) else {
        let ca_file = path.strip_prefix(CA);
        return *kind == Kind::Machine && ca_file.is_some_and(|file| CA_FILES.contains(&file));
    };
    match kind {
        Kind::Client { .. } => ONE_CLIENT.contains(&file),
        Kind::Machine => {
            let client = file.strip_prefix(CLIENTS).and_then(|client| client.split_once('/'));
            let is_client =
                |(name, file): (&str, &str)| ClientName::parse(name).is_ok() && CLIENT_FILES.contains(&file);
            MACHINE_FILES.contains(&file) || client.is_some_and(is_client)
        }
    }
}
