//! Exports a machine, or one client of it, for another store.

use std::path::Path;

use anyhow::Result;

use super::client::{CLIENTS, ClientCa, FILES};
use super::exported::{Checked, Damage, client_files, pem};
use super::{Store, contents, files};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::export::{CA, CA_FILES, Export, Kind, MACHINE, MACHINE_FILES};
use crate::names::{ClientName, MachineName};
use crate::pki::{self, CaBundle, Certificate, ClientIdentity};
use crate::plan::AuthoritySource;

/// The private key of the CA in an exported machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaKey {
    Included,
    /// It is included, and still has a passphrase of its own.
    Encrypted,
    /// The CA signs for other machines too, and its key was not asked for.
    LeftOut,
    /// It is not in the store.
    Missing,
}

/// Why a client of a machine is not in the exported machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOut {
    /// Its certificate is of another CA than the machine's.
    Revoked,
    /// Its private key is not in the store.
    NoKey,
    /// Its files cannot be used.
    Unusable(String),
}

/// A machine for another store.
pub struct Exported {
    pub export: Export,
    pub ca_key: CaKey,
    /// The clients that are not in it.
    pub left_out: Vec<(ClientName, LeftOut)>,
}

impl Store {
    /// Reads everything of a machine that another store needs. The key of a CA that is not
    /// only the machine's is included `with_ca_key`.
    ///
    /// # Errors
    /// Fails if the machine does not exist, another user can change it, or its files do not belong together.
    pub fn export_machine(&self, name: &MachineName, with_ca_key: bool) -> Result<Exported> {
        self.require(name)?;
        self.refuse_client_only(name)?;
        let dir = self.machine_dir(name);
        let mut exported = Vec::new();
        for file in MACHINE_FILES {
            copy(&mut exported, &dir, file, &format!("{MACHINE}{file}"))?;
        }
        let ca = self.ca_bundle(name)?;
        let mut left_out = Vec::new();
        for client in self.client_names(name)? {
            match self.read_further_client(name, &client, &ca)? {
                Ok(files) => exported.extend(files),
                Err(why) => left_out.push((client, why)),
            }
        }
        let source = self.ca_source(name)?;
        let ca_key = if source != AuthoritySource::Own && !with_ca_key {
            CaKey::LeftOut
        } else {
            self.check_authority(&source)?;
            let dir = self.ca_dir(name, source);
            if dir.join("ca-key.pem").symlink_metadata().is_ok() {
                for file in CA_FILES {
                    copy(&mut exported, &dir, file, &format!("{CA}{file}"))?;
                }
                match pki::private_key(&files::read(&dir.join("ca-key.pem"))?) {
                    Err(error) if pki::is_encrypted(&error) => CaKey::Encrypted,
                    _ => CaKey::Included,
                }
            } else {
                CaKey::Missing
            }
        };
        let export = Export::new(name.clone(), Kind::Machine, exported);
        // An export that cannot be imported is refused now.
        Checked::machine(&export)?;
        Ok(Exported { export, ca_key, left_out })
    }

    /// Reads the files of a further client, with the names that they have in an archive. Returns why they cannot be in one.
    fn read_further_client(
        &self,
        name: &MachineName,
        client: &ClientName,
        ca: &CaBundle,
    ) -> Result<Result<Vec<Artifact>, LeftOut>> {
        if self.is_of_other_ca(name, client) {
            return Ok(Err(LeftOut::Revoked));
        }
        let dir = self.client_dir(name, client);
        if dir.join("key.pem").symlink_metadata().is_err() {
            return Ok(Err(LeftOut::NoKey));
        }
        let prefix = format!("{CLIENTS}/{client}/");
        let mut files = Vec::new();
        for file in FILES {
            copy(&mut files, &dir, file, &format!("{MACHINE}{prefix}{file}"))?;
        }
        let alone = Export::new(name.clone(), Kind::Machine, files);
        Ok(match client_files(&alone, &prefix, ca) {
            Ok(_) => Ok(alone.files),
            Err(Damage(why)) => Err(LeftOut::Unusable(why)),
        })
    }

    /// Returns whether a client's certificate does not go with the machine's `ca.pem`, which is exported beside it.
    fn is_of_other_ca(&self, name: &MachineName, client: &ClientName) -> bool {
        matches!(self.client_ca(name, client), ClientCa::Previous | ClientCa::Other)
    }

    /// Reads what a client needs to connect: the machine's own client, or a further one.
    ///
    /// # Errors
    /// Fails if there is no such client, or if its files do not belong together.
    pub fn export_client(
        &self,
        name: &MachineName,
        client: Option<&ClientName>,
    ) -> Result<(Export, Certificate)> {
        let docker_host = self.connection(name)?.url;
        if let Some(client) = client
            && self.is_of_other_ca(name, client)
        {
            let message = format!(
                "the certificate of `{client}` is of another CA than `{name}` has here, so a host with this CA refuses it; nothing was written"
            );
            return Err(Diagnostic::error(Code::ClientRevoked, message)
                .hint("make a new certificate for the client:")
                .run(self.command(["client", name.as_str(), "--cn", client.as_str()]))
                .into());
        }
        let ClientIdentity { ca, chain, key } = match client {
            Some(client) => self.further_client(name, client)?,
            None => self.client_identity(name)?,
        };
        let files = vec![
            Artifact::public(format!("{MACHINE}ca.pem"), ca.pem()),
            Artifact::public(format!("{MACHINE}cert.pem"), pem(&chain)),
            Artifact::private(format!("{MACHINE}key.pem"), key.expose()),
        ];
        let export = Export::new(name.clone(), Kind::Client { docker_host }, files);
        Checked::client(&export)?;
        Ok((export, chain[0].clone()))
    }
}

/// Adds a file to an export, if it exists.
fn copy(exported: &mut Vec<Artifact>, dir: &Path, file: &str, path: &str) -> Result<()> {
    let from = dir.join(file);
    if from.symlink_metadata().is_err() {
        return Ok(());
    }
    let text = files::read(&from)?.into_bytes();
    exported.push(match contents::OTHERS.contains(&file) {
        true => Artifact::public(path, text),
        false => Artifact::private(path, text),
    });
    Ok(())
}
