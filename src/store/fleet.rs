//! The fleet that a machine belongs to: a file in the machine's folder, which Docker Machine leaves alone. And the client certificate that the
//! machines of a fleet can share.

use std::path::{Path, PathBuf};

use anyhow::Result;
use time::OffsetDateTime;

use super::contents::FLEET;
use super::files::{self, Action};
use super::replacement::authority_files;
use super::transaction::Change;
use super::trust::Role;
use super::{CERTS, MACHINES, Store, unusable};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::names::{FleetName, MachineName};
use crate::pki::{self, Certificate, Pair, Purpose};

/// The files of the shared client, which are Docker Machine's. The key is first, because a certificate without a key is of no use.
const SHARED_CLIENT: [&str; 2] = ["key.pem", "cert.pem"];

impl Store {
    /// The fleet of a machine. None if it belongs to no fleet, or does not exist.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or has no name of a fleet.
    pub fn fleet_of(&self, name: &MachineName) -> Result<Option<FleetName>> {
        let path = self.machine_dir(name).join(FLEET);
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let text = files::read(&path)?;
        let fleet = FleetName::parse(text.expose().trim_end())
            .map_err(|problem| unusable(Code::InvalidFleetName, &path, &problem.into()))?;
        Ok(Some(fleet))
    }

    /// The machines of a fleet, sorted. Leaves out machines whose fleet cannot be read.
    pub fn fleet_members(&self, fleet: &FleetName) -> Result<Vec<MachineName>> {
        let is_member = |name: &MachineName| matches!(self.fleet_of(name), Ok(Some(of)) if of == *fleet);
        Ok(self.names()?.into_iter().filter(is_member).collect())
    }

    /// Takes machines of no fleet into a fleet: all or none.
    ///
    /// # Errors
    /// Fails if one of them does not exist or belongs to another fleet by now, or if the store cannot be written.
    pub fn adopt(&self, names: &[&MachineName], fleet: &FleetName) -> Result<()> {
        let transaction = self.begin()?;
        let mark = Artifact::private(FLEET, format!("{fleet}\n"));
        let mut changes = Vec::new();
        for name in names {
            self.require(name)?;
            match self.fleet_of(name)? {
                Some(of) if of == *fleet => {}
                Some(of) => return Err(self.of_another_fleet(name, Some(&of)).into()),
                None => {
                    changes.push(Change::NewFile(Path::new(MACHINES).join(name.as_str()).join(FLEET), &mark));
                }
            }
        }
        if changes.is_empty() { Ok(()) } else { transaction.commit(&changes) }
    }

    /// The error for a machine of another fleet or of none.
    pub fn of_another_fleet(&self, name: &MachineName, of: Option<&FleetName>) -> Diagnostic {
        let (belongs, hint) = match of {
            None => (
                "no fleet".to_owned(),
                "if it is the machine of the file, take it into the fleet with `apply --adopt`; otherwise choose another name, or delete the machine with its keys and CA:",
            ),
            Some(of) => (
                format!("the fleet `{of}`"),
                "choose another name, or delete the machine with its keys and CA:",
            ),
        };
        let text = format!("machine `{name}` already exists, and belongs to {belongs}");
        Diagnostic::error(Code::NotOfThisFleet, text).hint(hint).run(self.command(["rm", name.as_str()]))
    }

    /// Returns whether a file of a machine's folder has this content. False if it cannot be read.
    pub fn has_content(&self, name: &MachineName, file: &Artifact) -> bool {
        let found = files::read(&self.machine_dir(name).join(&file.path));
        found.is_ok_and(|text| *text.expose().as_bytes() == **file.bytes)
    }

    /// Returns whether a machine's client certificate is the one that machines share. False if one of them cannot be read.
    pub fn has_shared_client(&self, name: &MachineName) -> bool {
        let shared = self.certificate_in(&self.certs(), "cert");
        shared.is_ok_and(|shared| self.certificate(name, "cert").is_ok_and(|own| own == shared))
    }

    /// A certificate or key that is not in a machine's folder.
    pub fn missing_identity(&self, name: &MachineName) -> Option<PathBuf> {
        let stem = self.host_role(name).file_stem();
        let host = [format!("{stem}.pem"), format!("{stem}-key.pem")];
        let files = ["ca.pem", "cert.pem", "key.pem"].into_iter().chain(host.iter().map(String::as_str));
        let mut paths = files.map(|file| self.machine_dir(name).join(file));
        paths.find(|path| path.symlink_metadata().is_err())
    }

    /// Returns whether a machine's folder has a file of this name.
    pub fn has_file(&self, name: &MachineName, file: &str) -> bool {
        self.machine_dir(name).join(file).symlink_metadata().is_ok()
    }

    /// Loads the client certificate that machines with the shared CA share: Docker Machine's `certs/cert.pem` and `certs/key.pem`. Returns `None`
    /// if there is none.
    ///
    /// # Errors
    /// Fails if one of the files is missing or cannot be read, or if a host of `authority` would not accept the certificate.
    pub fn shared_client(&self, authority: &Certificate, now: OffsetDateTime) -> Result<Option<Pair>> {
        let paths = SHARED_CLIENT.map(|file| self.certs().join(file));
        if paths.iter().all(|path| path.symlink_metadata().is_err()) {
            return Ok(None);
        }
        self.check_files(&self.certs(), Role::Store, &["key.pem"], &["cert.pem"])?;
        let [key, certificate] = paths.each_ref().map(|path| files::read(path));
        let (key, certificate) = (key?, certificate?);
        let refuse = |why: &str| {
            let text = format!("`{}` cannot be the client certificate of a fleet: {why}", paths[1].display());
            Diagnostic::error(Code::SharedClient, text).hint(
                "move it and key.pem away, or use a client certificate for each machine (`client: each`)",
            )
        };
        let certificate =
            Certificate::from_pem(certificate.expose()).map_err(|fault| refuse(&fault.to_string()))?;
        let key = pki::private_key(&key).map_err(|fault| refuse(&format!("key.pem: {fault:#}")))?;
        if certificate.validity().is_expired(now) {
            return Err(refuse("it has expired").into());
        }
        if !pki::is_key_of(&key, &certificate)? {
            return Err(refuse("key.pem is not its key").into());
        }
        pki::judge(&certificate, &[], std::slice::from_ref(authority), Purpose::Client, now)
            .map_err(|why| refuse(&why.to_string()))?;
        Ok(Some(Pair { certificate, key }))
    }

    /// Writes the shared CA, unless it exists, and a new client certificate that machines share. Returns false, and writes nothing, if another
    /// command has made other ones in the meantime.
    pub fn put_shared(&self, authority: &Pair, client: Option<&Pair>) -> Result<bool> {
        let transaction = self.begin()?;
        let has_client =
            || SHARED_CLIENT.iter().any(|file| self.certs().join(file).symlink_metadata().is_ok());
        if client.is_some() && has_client() || self.is_other(authority)? {
            return Ok(false);
        }
        files::make_dirs(&self.certs())
            .map_err(|error| files::failed(Action::MakeFolder, &self.certs(), &error))?;
        let client = client.map(shared_client_files);
        let authority = authority_files(authority);
        let missing = |file: &&Artifact| self.certs().join(&file.path).symlink_metadata().is_err();
        let new = authority.iter().filter(missing).chain(client.iter().flatten());
        let changes: Vec<_> =
            new.map(|file| Change::NewFile(Path::new(CERTS).join(&file.path), file)).collect();
        if !changes.is_empty() {
            transaction.commit(&changes)?;
        }
        Ok(true)
    }
}

fn shared_client_files(client: &Pair) -> [Artifact; 2] {
    [
        Artifact::private(SHARED_CLIENT[0], client.key.expose()),
        Artifact::public(SHARED_CLIENT[1], client.certificate.pem()),
    ]
}
