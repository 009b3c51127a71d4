//! The client certificates of a machine besides its own: `clients/CN/cert.pem` and `key.pem` in its folder, for each name CN.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use time::OffsetDateTime;

use super::transaction::Change;
use super::trust::Role;
use super::{MACHINES, Store, contents, files, unusable};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::names::{ClientName, MachineName};
use crate::pki::{self, Certificate, ClientIdentity, Pair, Purpose, Unsound};

/// The folder with a folder for each client.
pub(super) const CLIENTS: &str = "clients";
/// The files of a client: its certificate and its private key.
pub(super) const FILES: [&str; 2] = ["cert.pem", "key.pem"];

/// The CA that signed a client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCa {
    /// The machine's.
    Current,
    /// The one that the machine's CA replaces: the host accepts it until the change ends.
    Old,
    /// That of the previous files: the host accepts it until it has the new ones.
    Previous,
    /// Another one, which the host does not accept: an earlier CA, or one that `renew --undo` took back.
    Other,
}

impl Store {
    /// The folder of a client.
    pub fn client_dir(&self, machine: &MachineName, client: &ClientName) -> PathBuf {
        self.machine_dir(machine).join(CLIENTS).join(client.as_str())
    }

    /// The clients of a machine besides its own, sorted by name, each with its certificate or the error of reading it.
    ///
    /// # Errors
    /// Fails if the machine does not exist, another user can change it, or the folder of the clients cannot be read.
    pub fn clients(&self, machine: &MachineName) -> Result<Vec<(ClientName, Result<Certificate>)>> {
        self.require(machine)?;
        let names = self.client_names(machine)?;
        Ok(names.into_iter().map(|name| (name.clone(), self.client_certificate(machine, &name))).collect())
    }

    /// The names of a machine's clients, sorted.
    pub(super) fn client_names(&self, machine: &MachineName) -> Result<Vec<ClientName>> {
        let dir = self.machine_dir(machine).join(CLIENTS);
        let failed = |error| files::failed(files::Action::Read, &dir, &error);
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            names.extend(name.to_str().and_then(|name| ClientName::parse(name).ok()));
        }
        names.sort();
        Ok(names)
    }

    /// The certificate of a client besides the machine's own.
    ///
    /// # Errors
    /// Fails if there is no such client, or if its certificate cannot be read.
    pub fn further_certificate(&self, machine: &MachineName, client: &ClientName) -> Result<Certificate> {
        self.require(machine)?;
        self.require_client(machine, client)?;
        self.client_certificate(machine, client)
    }

    fn client_certificate(&self, machine: &MachineName, client: &ClientName) -> Result<Certificate> {
        Ok(chain(&self.client_dir(machine, client).join("cert.pem"))?.remove(0))
    }

    /// Loads the certificate and the key of a client besides the machine's own.
    ///
    /// # Errors
    /// Fails if there is no such client, another user can change the machine, or one of the files cannot be read.
    pub fn further_client(&self, machine: &MachineName, client: &ClientName) -> Result<ClientIdentity> {
        self.require(machine)?;
        let dir = self.client_dir(machine, client);
        self.require_client(machine, client)?;
        let key = dir.join("key.pem");
        if key.symlink_metadata().is_err() {
            let message = format!(
                "the key of the client `{client}` of `{machine}` is not here: `{}` does not exist",
                key.display()
            );
            return Err(Diagnostic::error(Code::UnreadableFile, message)
                .hint("make a new certificate and key for the client:")
                .run(self.command(["client", machine.as_str(), "--cn", client.as_str(), "--force"]))
                .into());
        }
        Ok(ClientIdentity {
            ca: self.ca_bundle(machine)?,
            chain: chain(&dir.join("cert.pem"))?,
            key: files::read(&key)?,
        })
    }

    /// The CA that signed a client's certificate. [`ClientCa::Current`] if the certificate cannot be read.
    pub fn client_ca(&self, machine: &MachineName, client: &ClientName) -> ClientCa {
        let read = || -> Result<_> {
            let certificates = chain(&self.client_dir(machine, client).join("cert.pem"))?;
            Ok((self.ca_bundle(machine)?, certificates))
        };
        let Ok((ca, certificates)) = read() else { return ClientCa::Current };
        let (leaf, between) = (&certificates[0], &certificates[1..]);
        let is_of = |ca: &Certificate| {
            let now = leaf.validity().not_before;
            let verdict = pki::judge(leaf, between, std::slice::from_ref(ca), Purpose::Client, now);
            verdict != Err(Unsound::OtherAuthority)
        };
        match &ca.old {
            _ if is_of(&ca.current) => ClientCa::Current,
            Some(old) if is_of(old) => ClientCa::Old,
            _ if self.previous_cas(machine).iter().any(is_of) => ClientCa::Previous,
            _ => ClientCa::Other,
        }
    }

    /// Returns whether a client's certificate was signed by a CA that the host of the machine does not accept. False if it cannot be read.
    pub fn is_revoked(&self, machine: &MachineName, client: &ClientName) -> bool {
        self.client_ca(machine, client) == ClientCa::Other
    }

    /// Refuses a client that exists, has not expired and is of the machine's CA.
    ///
    /// # Errors
    /// Fails if the client exists, unless its certificate has expired or is of another CA than the machine's.
    pub fn refuse_valid_client(
        &self,
        machine: &MachineName,
        client: &ClientName,
        now: OffsetDateTime,
    ) -> Result<()> {
        if self.client_dir(machine, client).symlink_metadata().is_err() {
            return Ok(());
        }
        let state = match self.client_certificate(machine, client) {
            Ok(certificate) if certificate.validity().is_expired(now) => return Ok(()),
            Ok(_) if self.client_ca(machine, client) != ClientCa::Current => return Ok(()),
            Ok(certificate) => format!("is valid until {}", certificate.validity().not_after.date()),
            Err(_) => "cannot be read".to_owned(),
        };
        let message = format!(
            "the client `{client}` of `{machine}` exists, and its certificate {state}; nothing was written"
        );
        Err(Diagnostic::error(Code::ClientExists, message)
            .hint("choose another name, or replace it in the store with `--force`; the old certificate stays valid until it expires")
            .into())
    }

    /// Writes a new client, or replaces an existing one with `replace`, or if its certificate has expired or is of another CA than the machine's. Calls
    /// `deliver` after the checks and before it writes anything.
    ///
    /// # Errors
    /// Fails if the machine does not exist or its CA is not `authority` any more, if the client exists, or if `deliver` fails. In all
    /// cases the store is unchanged.
    pub fn put_client(
        &self,
        machine: &MachineName,
        client: &ClientName,
        (authority, pair): (&Certificate, &Pair),
        (replace, now): (bool, OffsetDateTime),
        deliver: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        // If the machine does not exist, fail before the store is locked, which would create its folder.
        self.require(machine)?;
        let transaction = self.begin()?;
        self.require(machine)?;
        self.check_signer(machine, authority)?;
        if !replace {
            self.refuse_valid_client(machine, client, now)?;
        }
        deliver()?;
        let files = |prefix: &str| {
            [
                Artifact::public(format!("{prefix}cert.pem"), pair.certificate.pem()),
                Artifact::private(format!("{prefix}key.pem"), pair.key.expose()),
            ]
        };
        let clients = Path::new(MACHINES).join(machine.as_str()).join(CLIENTS);
        let folder = clients.join(client.as_str());
        if self.client_dir(machine, client).symlink_metadata().is_ok() {
            let files = files("");
            let changes = files.each_ref().map(|file| Change::File(folder.join(&file.path), file));
            return transaction.commit(&changes);
        }
        if self.machine_dir(machine).join(CLIENTS).symlink_metadata().is_ok() {
            return transaction.commit(&[Change::NewFolder(folder, &files(""))]);
        }
        transaction.commit(&[Change::NewFolder(clients, &files(&format!("{client}/")))])
    }

    /// Removes a client's certificate and key from the store.
    ///
    /// # Errors
    /// Fails if there is no such client, or if its folder has files that hostseed did not create. The store is unchanged then.
    pub fn remove_client(&self, machine: &MachineName, client: &ClientName) -> Result<()> {
        self.require(machine)?;
        self.require_client(machine, client)?;
        let transaction = self.begin()?;
        self.require(machine)?;
        self.require_client(machine, client)?;
        let clients = Path::new(MACHINES).join(machine.as_str()).join(CLIENTS);
        let foreign = contents::foreign_to_client(&self.client_dir(machine, client))?;
        if !foreign.is_empty() {
            return Err(self.others_files(client, &foreign));
        }
        let is_only = fs::read_dir(self.root.join(&clients)).is_ok_and(|entries| entries.count() == 1);
        transaction.commit(&[Change::Remove(if is_only { clients } else { clients.join(client.as_str()) })])
    }

    /// Fails if a machine does not have this client besides its own.
    fn require_client(&self, machine: &MachineName, client: &ClientName) -> Result<()> {
        if self.client_dir(machine, client).symlink_metadata().is_ok() {
            return Ok(());
        }
        let message = format!("`{machine}` has no client `{client}`");
        Err(Diagnostic::error(Code::NoSuchClient, message)
            .hint("list its clients:")
            .run(self.command(["clients", machine.as_str()]))
            .into())
    }

    /// Checks who owns and who can write the folders and files of a machine's clients. Corrects the modes of the files.
    pub(super) fn check_clients(&self, machine: &MachineName) -> Result<()> {
        let clients = self.machine_dir(machine).join(CLIENTS);
        if clients.symlink_metadata().is_err() {
            return Ok(());
        }
        self.trust.check_folder(&clients, Role::Store)?;
        for client in self.client_names(machine)? {
            let dir = clients.join(client.as_str());
            self.trust.check_folder(&dir, Role::Store)?;
            self.check_files(&dir, Role::Store, &["key.pem"], &["cert.pem"])?;
        }
        Ok(())
    }
}

fn chain(path: &Path) -> Result<Vec<Certificate>> {
    Certificate::chain_from_pem(files::read(path)?.expose())
        .map_err(|fault| unusable(Code::StoredPem, path, &fault.into()))
}
