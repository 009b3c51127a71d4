//! Creates machines and changes their addresses.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;

use super::contents::FLEET;
use super::files::{self, Action};
use super::record::{self, Record};
use super::replacement::{authority_files, identity_files};
use super::transaction::Change;
use super::{CERTS, MACHINES, Store, as_text};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::names::{Address, FleetName, MachineName};
use crate::pki::Identity;
use crate::plan::{AuthoritySource, Plan};
use crate::render::{Connection, Shell};
use crate::shell::Command;

/// Result of an attempt to write a new machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Creation {
    /// The machine is in the store.
    Created,
    /// Nothing was written. Another command has created the shared CA in the meantime, and the new machine must be signed
    /// by that CA.
    SharedCaAppeared,
}

/// A machine that is not in the store yet.
#[derive(Debug, Clone)]
pub struct NewMachine {
    pub plan: Plan,
    pub identity: Identity,
    /// The files that are rendered from them.
    pub seed: Vec<Artifact>,
    /// The fleet that the machine belongs to.
    pub fleet: Option<FleetName>,
}

impl Store {
    /// Writes a new machine: its identity, its plan, its seed and its address.
    ///
    /// # Errors
    /// Fails if the name is taken or a file cannot be written. In both cases the store is unchanged.
    pub fn put_machine(&self, machine: &NewMachine) -> Result<Creation> {
        self.put_machines(std::slice::from_ref(machine))
    }

    /// Writes new machines: all or none.
    ///
    /// # Errors
    /// Fails as [`put_machine`](Self::put_machine) does.
    pub fn put_machines(&self, machines: &[NewMachine]) -> Result<Creation> {
        // Both paths are written into the machine's files.
        as_text(&self.root)?;
        machines.iter().try_for_each(|machine| as_text(&self.certs_of(&machine.plan)).map(|_| ()))?;
        let mut transaction = self.begin()?;
        let certs = Path::new(CERTS);
        let (mut needs_certs, mut shared) = (false, None);
        let mut own = Vec::new();
        let mut folders = Vec::new();
        for machine in machines {
            let NewMachine { plan, identity, .. } = machine;
            self.refuse_taken(&plan.name, &plan.ca)?;
            folders.push((Path::new(MACHINES).join(plan.name.as_str()), self.new_files(machine)?));
            match &plan.ca {
                AuthoritySource::Own => {
                    own.push((certs.join(plan.name.as_str()), authority_files(&identity.authority)));
                }
                AuthoritySource::Shared if shared.is_none() => {
                    if self.is_other(&identity.authority)? {
                        return Ok(Creation::SharedCaAppeared);
                    }
                    shared = Some(authority_files(&identity.authority));
                }
                AuthoritySource::Shared => {}
                AuthoritySource::Dir(dir) => {
                    if let Some(ca_users) = &mut transaction.ca_users {
                        ca_users.insert(dir, &plan.name);
                    }
                }
            }
            needs_certs |= !matches!(plan.ca, AuthoritySource::Dir(_));
        }
        for folder in [Some(self.machines()), needs_certs.then(|| self.certs())].into_iter().flatten() {
            files::make_dirs(&folder).map_err(|error| files::failed(Action::MakeFolder, &folder, &error))?;
        }
        let missing = |file: &&Artifact| self.certs().join(&file.path).symlink_metadata().is_err();
        let shared = shared.iter().flatten().filter(missing);
        let changes: Vec<_> = (own.iter().map(|(path, files)| Change::NewFolder(path.clone(), &files[..])))
            .chain(shared.map(|file| Change::NewFile(certs.join(&file.path), file)))
            .chain(folders.iter().map(|(path, files)| Change::NewFolder(path.clone(), &files[..])))
            .collect();
        transaction.commit(&changes)?;
        Ok(Creation::Created)
    }

    /// The files of a new machine's folder.
    fn new_files(&self, machine: &NewMachine) -> Result<Vec<Artifact>> {
        let NewMachine { plan, identity, seed, fleet } = machine;
        let name = &plan.name;
        let address = plan.dialled();
        let url = record::url(&address, plan.host.port);
        let record =
            Record::json(plan, &address, &url, &self.root, &self.machine_dir(name), &self.certs_of(plan))?;
        let env = Shell::Posix.set(&self.connect(name, url)?.variables());
        let mut files = identity_files(plan, identity);
        files.push(Artifact::private("config.json", record));
        files.push(Artifact::private("env", env));
        files.extend(fleet.iter().map(|fleet| Artifact::private(FLEET, format!("{fleet}\n"))));
        files.extend_from_slice(seed);
        Ok(files)
    }

    /// Refuses a name that is taken by a machine. Also refuses a name if the new CA's folder exists; that folder is never
    /// touched.
    ///
    /// # Errors
    /// Fails if the name is taken.
    pub fn refuse_taken(&self, name: &MachineName, ca: &AuthoritySource) -> Result<()> {
        if self.has(name) {
            return Err(Diagnostic::error(
                Code::MachineExists,
                format!("machine `{name}` already exists (nothing was changed)"),
            )
            .hint("print its user-data again, or remove the machine:")
            .run(self.command(["render", name.as_str()]))
            .run(self.command(["rm", name.as_str()]))
            .into());
        }
        self.refuse_taken_authority(name, ca)
    }

    /// Refuses a name that differs only in case from that of a machine other than `itself`: on many computers both would be one folder.
    ///
    /// # Errors
    /// Fails if there is such a machine, or if the store cannot be read.
    pub fn refuse_other_case(&self, name: &MachineName, itself: Option<&MachineName>) -> Result<()> {
        let is_similar = |other: &&MachineName| {
            *other != name && Some(*other) != itself && other.as_str().eq_ignore_ascii_case(name.as_str())
        };
        match self.names()?.iter().find(is_similar) {
            Some(other) => Err(Self::in_other_case(name, other).into()),
            None => Ok(()),
        }
    }

    /// Refuses a name with capitals if there is a machine with the same name in small letters, as most names are. Does not list the store, so that it
    /// takes as long in a store of 10 000 machines as in one of one.
    ///
    /// # Errors
    /// Fails if there is such a machine.
    pub fn refuse_capitals_of(&self, name: &MachineName) -> Result<()> {
        let small = MachineName::parse(&name.as_str().to_ascii_lowercase()).map_err(anyhow::Error::from)?;
        if small != *name && self.has(&small) {
            return Err(Self::in_other_case(name, &small).into());
        }
        Ok(())
    }

    /// The error for a name that differs only in case from that of an existing machine.
    pub fn in_other_case(name: &MachineName, other: &MachineName) -> Diagnostic {
        let text = format!("machine `{other}` already exists, and `{name}` differs from it only in case");
        let hint = "choose another name: such names are the same on many computers";
        Diagnostic::error(Code::MachineExists, text).hint(hint)
    }

    /// Refuses a new machine whose own CA needs a folder that exists already.
    pub(super) fn refuse_taken_authority(&self, name: &MachineName, ca: &AuthoritySource) -> Result<()> {
        let dir = self.authority_dir(name);
        if *ca != AuthoritySource::Own || dir.symlink_metadata().is_err() {
            return Ok(());
        }
        let exists = format!("`{}` exists already", dir.display());
        if let Some(other) = self.signed_from(&dir, &self.read_ca_users()?, &HashSet::new()) {
            // If its folder were moved away, this CA could no longer sign for the other machine.
            return Err(Diagnostic::error(
                Code::CaInUse,
                format!("{exists}: it contains the CA of `{other}` (nothing was changed)"),
            )
            .hint("choose another name")
            .into());
        }
        let free = (1..).map(|n| self.certs().join(format!("{name}.old{n}")));
        let free = free.into_iter().find(|path| path.symlink_metadata().is_err()).unwrap_or_default();
        Err(Diagnostic::error(Code::CaFolderExists, format!(
            "{exists}, but there is no machine `{name}`; the new machine needs this folder for its CA (nothing was changed)"
        ))
        .hint("choose another name, or move the folder away:")
        .run(Command::of("mv", [&dir, &free].map(|path| path.display().to_string())))
        .into())
    }

    /// Records the address of a machine's host.
    ///
    /// # Errors
    /// Fails if the machine does not exist, its record cannot be read, or the store cannot be written.
    pub fn put_address(&self, name: &MachineName, address: &Address) -> Result<Connection> {
        let transaction = self.begin()?;
        let record = self.record(name)?;
        let url = record::url(address, record.port);
        let connection = self.connect(name, url.clone())?;
        let env = Artifact::private("env", Shell::Posix.set(&connection.variables()));
        let record = Artifact::private("config.json", record.moved(address, &url)?);
        let dir = Path::new(MACHINES).join(name.as_str());
        transaction.commit(&[&env, &record].map(|file| Change::File(dir.join(&file.path), file)))?;
        Ok(connection)
    }
}
