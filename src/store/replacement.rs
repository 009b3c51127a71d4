//! Replaces the files of machines that exist. The previous files stay in the machine's folder until the new ones are proved: until a
//! host presents them.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::contents::{IDENTITY, KEYS, PREVIOUS};
use super::machine::role_in;
use super::record;
use super::transaction::Change;
use super::trust::may_write;
use super::{CERTS, MACHINES, Store, files};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::names::{Address, MachineName};
use crate::pki::{CaBundle, Certificate, ClientIdentity, Identity, Pair};
use crate::plan::{AuthoritySource, HostRole, Plan};
use crate::render::{self, Shell};

/// A machine's plan and the files that go with it, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub plan: Plan,
    files: Vec<Artifact>,
}

/// New files for a machine.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// The machine as it was when the new files were made.
    pub before: Stored,
    pub plan: Plan,
    /// Files of the machine's folder. Those that are not here stay, except the certificate and key of the host's other role.
    pub files: Vec<Artifact>,
    /// A new CA of the machine's own.
    pub authority: Option<Pair>,
}

/// Result of an attempt to replace the files of machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Replaced {
    Done,
    /// Nothing was written: another command has changed one of the machines since it was read.
    ChangedMeanwhile,
}

impl Stored {
    fn file(&self, name: &str) -> Option<&Artifact> {
        self.files.iter().find(|file| file.path == name)
    }
}

impl Store {
    /// Reads a machine's plan and the files that [`replace`](Self::replace) can replace.
    ///
    /// # Errors
    /// Fails if the machine does not exist, another user can change it, or hostseed did not create it.
    pub fn stored(&self, name: &MachineName) -> Result<Stored> {
        let plan = self.plan(name)?;
        Ok(Stored { plan, files: read_files(&self.machine_dir(name))? })
    }

    /// Replaces the files of machines, and the shared CA if there is a new one: all or nothing. The files
    /// from before stay in the machine's folder `previous`, unless that still has older ones, which a host may have. With the certificate
    /// of another CA, its key is there too, unless it is in a folder of the user's.
    ///
    /// # Errors
    /// Fails if a machine does not exist or the store cannot be written. In both cases the store is unchanged.
    pub fn replace(&self, machines: &[Replacement], shared: Option<&Pair>) -> Result<Replaced> {
        machines.iter().try_for_each(|machine| self.require(&machine.plan.name))?;
        let transaction = self.begin()?;
        let mut all: Vec<(PathBuf, Artifact)> = Vec::new();
        let mut new_folders: Vec<(PathBuf, Vec<Artifact>)> = Vec::new();
        let mut removed = Vec::new();
        for Replacement { before, plan, files, authority } in machines {
            let name = &plan.name;
            if self.stored(name)? != *before {
                return Ok(Replaced::ChangedMeanwhile);
            }
            let folder = Path::new(MACHINES).join(name.as_str());
            let mut files = files.clone();
            if before.plan != *plan {
                files.extend(self.new_record(before, plan)?);
            }
            files.retain(|file| before.file(&file.path) != Some(file));
            let stale = before.files.iter().filter(|file| is_of_other_role(&file.path, plan.host_role()));
            removed.extend(stale.map(|file| folder.join(&file.path)));
            let previous = folder.join(PREVIOUS);
            let ca = files.iter().find(|file| file.path == "ca.pem");
            let key = match ca.is_some_and(|ca| current_ca(Some(ca)) != current_ca(before.file("ca.pem"))) {
                true => self.authority_key(before)?,
                false => None,
            };
            if !files.is_empty() && !self.has_previous(name) {
                new_folders.push((previous, before.files.iter().cloned().chain(key).collect()));
            } else if let Some(key) = key
                && current_ca(read_artifact(&self.previous_dir(name), "ca.pem")?.as_ref())
                    == current_ca(before.file("ca.pem"))
            {
                all.push((previous.join(&key.path), key));
            }
            all.extend(files.into_iter().map(|file| (folder.join(&file.path), file)));
            if let Some(pair) = authority {
                let certs = Path::new(CERTS).join(name.as_str());
                match self.authority_dir(name).is_dir() {
                    true => all.extend(authority_files(pair).map(|file| (certs.join(&file.path), file))),
                    false => new_folders.push((certs, authority_files(pair).to_vec())),
                }
            }
        }
        let shared = shared.map(authority_files).into_iter().flatten();
        all.extend(shared.map(|file| (Path::new(CERTS).join(&file.path), file)));
        let folders = new_folders.iter().map(|(path, files)| Change::NewFolder(path.clone(), files));
        let replaced = all.iter().map(|(path, file)| Change::File(path.clone(), file));
        let changes: Vec<_> =
            folders.chain(replaced).chain(removed.into_iter().map(Change::Remove)).collect();
        if !changes.is_empty() {
            transaction.commit(&changes)?;
        }
        Ok(Replaced::Done)
    }

    /// Returns whether a machine has files from before a change that is not proved yet.
    pub fn has_previous(&self, name: &MachineName) -> bool {
        self.previous_dir(name).symlink_metadata().is_ok()
    }

    /// Returns whether the host's certificate is another one than in the previous files, so that a host that presents it has the new files.
    /// `update` can leave it as it is.
    pub fn has_unproved_certificate(&self, name: &MachineName) -> bool {
        self.has_previous(name)
            && match (self.previous_certificate(name), self.host_certificate(name)) {
                (Ok(previous), Ok((_, current))) => previous != current,
                _ => true,
            }
    }

    /// The folder of a machine's previous files.
    pub fn previous_dir(&self, name: &MachineName) -> PathBuf {
        self.machine_dir(name).join(PREVIOUS)
    }

    /// The plan and the files of a machine from before the last change that is not proved yet.
    ///
    /// # Errors
    /// Fails if there are none, or if they cannot be read.
    pub fn previous(&self, name: &MachineName) -> Result<Stored> {
        self.require(name)?;
        if !self.has_previous(name) {
            return Err(Diagnostic::error(
                Code::NoPrevious,
                format!(
                    "`{name}` has no previous files (nothing was changed): it was not renewed or updated, or a host has its new certificate"
                ),
            )
            .into());
        }
        let dir = self.previous_dir(name);
        let mut previous = Stored { plan: self.read_plan_in(&dir, name)?, files: read_files(&dir)? };
        if previous.plan.name != *name {
            // The machine was renamed since.
            previous.plan.name = name.clone();
            let host = self.identity_in(&dir, previous.plan.host_role())?;
            let named = [
                render::render_machine_yaml(&previous.plan)?,
                render::render_user_data(&previous.plan, &host)?,
            ];
            previous.files.retain(|file| named.iter().all(|named| named.path != file.path));
            previous.files.extend(named);
        }
        Ok(previous)
    }

    /// The host's certificate in a machine's previous files.
    pub fn previous_certificate(&self, name: &MachineName) -> Result<Certificate> {
        let dir = self.previous_dir(name);
        self.certificate_in(&dir, role_in(&dir).file_stem())
    }

    /// The CA in a machine's previous files.
    pub fn previous_authority(&self, name: &MachineName) -> Result<Certificate> {
        self.certificate_in(&self.previous_dir(name), "ca")
    }

    /// The client's certificate and key in a machine's previous files, with the CA there.
    pub fn previous_client(&self, name: &MachineName) -> Result<ClientIdentity> {
        self.client_identity_in(&self.previous_dir(name))
    }

    /// Puts the previous files of machines back, with their CAs if those were replaced too, and deletes the new ones: all or nothing. A CA
    /// in a folder of the user's is left alone.
    ///
    /// # Errors
    /// Fails if a machine has no previous files, if [`check_restore`](Self::check_restore) does, or if the store cannot be written. The
    /// store is unchanged then.
    pub fn restore_previous(&self, names: &[MachineName]) -> Result<()> {
        names.iter().try_for_each(|name| self.require(name))?;
        let transaction = self.begin()?;
        self.check_restore(names)?;
        let mut files: Vec<(PathBuf, Artifact)> = Vec::new();
        let mut removed = Vec::new();
        for name in names {
            let (now, previous) = (self.stored(name)?, self.previous(name)?);
            let folder = Path::new(MACHINES).join(name.as_str());
            let record = match now.plan == previous.plan {
                true => Vec::new(),
                false => self.new_record(&now, &previous.plan)?,
            };
            let all = previous.files.iter().cloned().chain(record);
            files.extend(all.map(|file| (folder.join(&file.path), file)));
            let stale = now.files.iter().filter(|file| previous.file(&file.path).is_none());
            removed.extend(stale.map(|file| folder.join(&file.path)));
            removed.push(folder.join(PREVIOUS));
            if self.restores_authority(&now, &previous)? {
                let certs = match now.plan.ca {
                    AuthoritySource::Own => Path::new(CERTS).join(name.as_str()),
                    AuthoritySource::Shared | AuthoritySource::Dir(_) => PathBuf::from(CERTS),
                };
                match (read_artifact(&self.previous_dir(name), "ca-key.pem")?, previous.file("ca.pem")) {
                    (Some(key), Some(certificate)) => {
                        let pair = [key, certificate.clone()].map(|file| (certs.join(&file.path), file));
                        // Machines with the same CA have the same files.
                        files.extend(
                            pair.into_iter().filter(|file| !files.contains(file)).collect::<Vec<_>>(),
                        );
                    }
                    // The machine had lost its CA's key before it got the new CA.
                    _ if now.plan.ca == AuthoritySource::Own => {
                        removed.extend(["ca-key.pem", "ca.pem"].map(|file| certs.join(file)));
                    }
                    _ => {}
                }
            }
        }
        removed.retain(|path| self.root.join(path).symlink_metadata().is_ok());
        let changes: Vec<_> = files
            .iter()
            .map(|(path, file)| Change::File(path.clone(), file))
            .chain(removed.into_iter().map(Change::Remove))
            .collect();
        transaction.commit(&changes)
    }

    /// Checks that the previous files of machines can be put back.
    ///
    /// # Errors
    /// Fails if a machine that is not named has the same new CA: the old one cannot come back for one of them only.
    pub fn check_restore(&self, names: &[MachineName]) -> Result<()> {
        for name in names {
            let plan = self.plan(name)?;
            if matches!(plan.ca, AuthoritySource::Dir(_)) || !self.has_unproved_authority(name)? {
                continue;
            }
            let others = self.sharing_authority(&plan, names)?;
            if others.is_empty() {
                continue;
            }
            let listed: Vec<_> = others.iter().map(|other| format!("`{other}`")).collect();
            let text =
                format!("the new CA of `{name}` is also that of {} (nothing was changed)", listed.join(", "));
            let mut are_all_unproved = true;
            for other in &others {
                are_all_unproved &= self.has_unproved_authority(other)?;
            }
            let refused = Diagnostic::error(Code::CaInUse, text);
            let names = names.iter().map(MachineName::as_str);
            return Err(match are_all_unproved {
                true => {
                    let all = names.chain(others.iter().map(MachineName::as_str));
                    let words = ["renew", "--undo"].into_iter().chain(all);
                    refused.hint("put the old CA back for all of them:").run(self.command(words))
                }
                false => {
                    let words = ["renew", "--apply"].into_iter().chain(names);
                    refused
                        .hint("a machine with it was created since, or its host has it; bring it to the others, too:")
                        .run(self.command(words))
                }
            }
            .into());
        }
        Ok(())
    }

    /// Returns whether a machine has a new CA that no host has presented.
    pub fn has_unproved_authority(&self, name: &MachineName) -> Result<bool> {
        Ok(self.has_previous(name) && self.previous_authority(name)? != self.certificate(name, "ca")?)
    }

    /// Returns whether the files of a machine's CA get their previous content when the machine's files do: the CA was replaced, and it is in
    /// the store.
    fn restores_authority(&self, now: &Stored, previous: &Stored) -> Result<bool> {
        let is_same = current_ca(now.file("ca.pem")) == current_ca(previous.file("ca.pem"));
        if matches!(now.plan.ca, AuthoritySource::Dir(_)) || is_same {
            return Ok(false);
        }
        Ok(now.plan.ca == AuthoritySource::Own || self.has_shared(now)?)
    }

    /// The private key of a machine's CA, unless that is in a folder of the user's, or the shared CA is another one than the machine's.
    fn authority_key(&self, machine: &Stored) -> Result<Option<Artifact>> {
        match machine.plan.ca {
            AuthoritySource::Own => read_artifact(&self.authority_dir(&machine.plan.name), "ca-key.pem"),
            AuthoritySource::Shared if self.has_shared(machine)? => {
                read_artifact(&self.certs(), "ca-key.pem")
            }
            AuthoritySource::Shared | AuthoritySource::Dir(_) => Ok(None),
        }
    }

    /// Returns whether the store's shared CA is that of a machine, or its certificate is missing.
    fn has_shared(&self, machine: &Stored) -> Result<bool> {
        let path = self.certs().join("ca.pem");
        if path.symlink_metadata().is_err() {
            return Ok(true);
        }
        let shared = self.certificate_in(&self.certs(), "ca")?;
        Ok(current_ca(machine.file("ca.pem")) == Some(shared))
    }

    /// Returns whether the client's certificate is of another CA than in the previous files, so that a host that accepts it has the new
    /// files.
    pub fn has_unproved_client(&self, name: &MachineName) -> bool {
        let read = || -> Result<bool> {
            Ok(self.has_unproved_authority(name)?
                && self.certificate_in(&self.previous_dir(name), "cert")?
                    != self.certificate(name, "cert")?)
        };
        read().unwrap_or_default()
    }

    /// Deletes a machine's previous files, because a host has presented the certificate `presented`, and has accepted the client certificate
    /// `accepted`. Returns whether it did: there may be none, the user may only read the store, or another command may have renewed the
    /// machine since.
    pub fn forget_previous(
        &self,
        name: &MachineName,
        presented: &Certificate,
        accepted: &Certificate,
    ) -> Result<bool> {
        let may_write =
            [&self.root, &self.machines(), &self.machine_dir(name)].into_iter().all(|dir| may_write(dir));
        if !may_write || !self.has_previous(name) {
            return Ok(false);
        }
        let transaction = self.begin()?;
        let is_there = self.has_previous(name)
            && self.host_certificate(name)?.1 == *presented
            && self.certificate(name, "cert")? == *accepted;
        if is_there {
            let previous = Path::new(MACHINES).join(name.as_str()).join(PREVIOUS);
            transaction.commit(&[Change::Remove(previous)])?;
        }
        Ok(is_there)
    }

    /// The record and the environment of a machine with another plan. The recorded address stays, unless the plan has a new one.
    fn new_record(&self, before: &Stored, plan: &Plan) -> Result<Vec<Artifact>> {
        let name = &plan.name;
        let record = self.read_record(name)?;
        let address = match before.plan.dialled() == plan.dialled() {
            true => Address::parse(&record.host).unwrap_or_else(|_| plan.dialled()),
            false => plan.dialled(),
        };
        let url = record::url(&address, plan.host.port);
        let connection = self.connect(name, url.clone())?;
        let json = record.changed(plan, &address, &url)?;
        Ok(vec![
            Artifact::private("config.json", json),
            Artifact::private("env", Shell::Posix.set(&connection.variables())),
        ])
    }
}

/// The CA that signs, in a `ca.pem`. None if it cannot be read.
fn current_ca(file: Option<&Artifact>) -> Option<Certificate> {
    let text = std::str::from_utf8(file?.bytes.expose()).ok()?;
    CaBundle::from_pem(text).ok().map(|bundle| bundle.current)
}

/// The certificates and keys of a machine's folder.
pub fn identity_files(plan: &Plan, identity: &Identity) -> Vec<Artifact> {
    let mut files = vec![Artifact::public("ca.pem", identity.authority.certificate.pem())];
    files.extend(client_files(&identity.client));
    files.extend(host_files(plan.host_role(), &identity.host));
    files
}

/// The client's certificate and key in a machine's folder.
pub fn client_files(client: &Pair) -> [Artifact; 2] {
    [
        Artifact::public("cert.pem", client.certificate.pem()),
        Artifact::private("key.pem", client.key.expose()),
    ]
}

/// The host's certificate and key in a machine's folder.
pub fn host_files(role: HostRole, host: &Pair) -> [Artifact; 2] {
    let stem = role.file_stem();
    [
        Artifact::public(format!("{stem}.pem"), host.certificate.pem()),
        Artifact::private(format!("{stem}-key.pem"), host.key.expose()),
    ]
}

/// The files of a CA's folder. The key is first, because a certificate without a key is a CA that cannot sign.
pub fn authority_files(authority: &Pair) -> [Artifact; 2] {
    [
        Artifact::private("ca-key.pem", authority.key.expose()),
        Artifact::public("ca.pem", authority.certificate.pem()),
    ]
}

/// Returns whether a file belongs to the role that a host does not have.
fn is_of_other_role(file: &str, role: HostRole) -> bool {
    let other = match role {
        HostRole::Server => HostRole::BootIssuer,
        HostRole::BootIssuer => HostRole::Server,
    };
    let stem = other.file_stem();
    file == format!("{stem}.pem") || file == format!("{stem}-key.pem")
}

/// Reads the files of `dir` that describe a machine and its identity.
fn read_files(dir: &Path) -> Result<Vec<Artifact>> {
    IDENTITY.iter().filter_map(|file| read_artifact(dir, file).transpose()).collect()
}

/// Reads a file of a machine's folder. Returns `None` if it does not exist.
fn read_artifact(dir: &Path, file: &str) -> Result<Option<Artifact>> {
    let path = dir.join(file);
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let text = files::read(&path)?;
    let bytes = text.expose().as_bytes();
    let is_private = KEYS.contains(&file) || file == "ca-key.pem";
    Ok(Some(if is_private { Artifact::private(file, bytes) } else { Artifact::public(file, bytes) }))
}
