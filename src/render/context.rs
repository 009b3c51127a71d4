//! A machine as a docker context, in the docker CLI's layout (docker/cli, `cli/context/store`).

use anyhow::Result;
use serde_json::{Map, Value, json};
use tar::{EntryType, Header};

use super::Connection;
use crate::artifact::Artifact;
use crate::names::ContextName;
use crate::pki::{Certificate, ClientIdentity};
use crate::secret::Secret;

/// The file with a context's metadata.
pub const META: &str = "meta.json";
/// The folder with the certificates and the key of a context's endpoint `docker`.
pub const TLS: &str = "docker";

/// The field of the metadata that says for which machine hostseed made a context. The docker CLI keeps such fields.
const MARK: &str = "hostseed";
/// Bytes of a block of a tar archive (POSIX.1-2017, pax, "ustar Interchange Format").
const BLOCK: usize = 512;

/// A docker context that connects to a machine.
pub struct Context<'a> {
    pub name: &'a ContextName,
    pub connection: &'a Connection,
    pub client: &'a ClientIdentity,
}

impl Context<'_> {
    /// Returns the metadata that `docker context create` would write.
    fn plain_metadata(&self) -> Value {
        json!({
            "Name": self.name.as_str(),
            "Metadata": { "Description": format!("hostseed machine {}", self.connection.machine) },
            "Endpoints": { "docker": self.endpoint() },
        })
    }

    fn endpoint(&self) -> Value {
        json!({ "Host": self.connection.url, "SkipTLSVerify": false })
    }

    /// Returns the file `meta.json` of a new context, with a mark for the machine.
    pub fn metadata(&self) -> Artifact {
        self.marked(self.plain_metadata())
    }

    /// Returns the file `meta.json` of an existing context of this machine. Fields that the user has set stay, such as the
    /// description.
    pub fn updated_metadata(&self, existing: &Metadata) -> Artifact {
        let mut json = existing.0.clone();
        match json.get_mut("Endpoints").and_then(Value::as_object_mut) {
            Some(endpoints) => endpoints.insert("docker".into(), self.endpoint()),
            None => json.insert("Endpoints".into(), json!({ "docker": self.endpoint() })),
        };
        self.marked(Value::Object(json))
    }

    fn marked(&self, mut json: Value) -> Artifact {
        let mark = json!({ "machine": self.connection.cert_path });
        match json.get_mut("Metadata").and_then(Value::as_object_mut) {
            Some(metadata) => metadata.insert(MARK.into(), mark),
            None => {
                json.as_object_mut().and_then(|json| json.insert("Metadata".into(), json!({ MARK: mark })))
            }
        };
        Artifact::public(META, json.to_string())
    }

    /// Returns the certificates and the key, with paths that begin with [`TLS`]. All are private, as the docker CLI writes them.
    pub fn tls(&self) -> [Artifact; 3] {
        let chain: String = self.client.chain.iter().map(Certificate::pem).collect();
        [
            Artifact::private(format!("{TLS}/ca.pem"), self.client.ca.pem()),
            Artifact::private(format!("{TLS}/cert.pem"), chain),
            Artifact::private(format!("{TLS}/key.pem"), self.client.key.expose()),
        ]
    }

    /// Returns the archive that `docker context import` reads, with the entries that `docker context export` writes. It
    /// contains the client's private key. The same context always gives the same bytes.
    ///
    /// # Errors
    /// Fails if a file is larger than an archive allows.
    pub fn archive(&self) -> Result<Artifact> {
        let metadata = Artifact::public(META, self.plain_metadata().to_string());
        let tls = self.tls();
        let blocks = |file: &Artifact| 1 + file.bytes.len().div_ceil(BLOCK);
        // The header of each folder, and the two blocks at the end.
        let size = [&metadata].into_iter().chain(&tls).map(blocks).sum::<usize>() + 2 + 2;
        // A vector that grows would leave copies of the key in memory.
        let mut bytes = Secret::new(Vec::with_capacity(size * BLOCK));
        let mut archive = tar::Builder::new(bytes.expose_mut());
        append(&mut archive, EntryType::Regular, META, &metadata)?;
        for folder in ["tls".to_owned(), format!("tls/{TLS}")] {
            let mode = 0o700;
            append(
                &mut archive,
                EntryType::Directory,
                &folder,
                &Artifact { mode, ..Artifact::private("", "") },
            )?;
        }
        for file in &tls {
            append(&mut archive, EntryType::Regular, &format!("tls/{}", file.path), file)?;
        }
        archive.finish()?;
        drop(archive);
        Ok(Artifact::private(format!("{}.tar", self.name), bytes))
    }
}

/// Adds a file or a folder, with its mode, owned by root and from 1970.
fn append(
    archive: &mut tar::Builder<&mut Vec<u8>>,
    kind: EntryType,
    path: &str,
    file: &Artifact,
) -> Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(file.mode);
    header.set_size(file.bytes.len() as u64);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    archive.append_data(&mut header, path, &file.bytes[..])?;
    Ok(())
}

/// The metadata of an existing context.
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// Reads the file `meta.json`. Returns `None` if it is not a JSON object.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// The context's name.
    pub fn name(&self) -> Option<&str> {
        self.0.get("Name")?.as_str()
    }

    /// The address of the endpoint `docker`.
    pub fn host(&self) -> Option<&str> {
        self.0.get("Endpoints")?.get("docker")?.get("Host")?.as_str()
    }

    /// The folder of the machine for which hostseed made the context.
    pub fn machine(&self) -> Option<&str> {
        self.0.get("Metadata")?.get(MARK)?.get("machine")?.as_str()
    }
}
