//! Creates machines and changes their addresses.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;

use super::contents::FLEET;
use super::files::{self, Action};
use super::record::{self, Record};
use super::replacement::{authority_files, identity_files};
use super::transaction::{Change, NewFolder};
use super::{CERTS, MACHINES, Store, as_text};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::names::{Address, FleetName, MachineName};
use crate::pki::{Identity, Pair};
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
        let NewMachine { plan, identity, .. } = machine;
        let shared = (plan.ca == AuthoritySource::Shared).then_some(&identity.authority);
        self.put_folders(&[(&plan.name, &plan.ca)], shared, |_| self.new_folders(machine))
    }

    /// Makes and writes new machines with these names and CAs: all or none. `make` makes the machine with this index, on all processors; if a
    /// name is taken, nothing is made. `shared` is the shared CA, if it signs for one of them.
    ///
    /// # Errors
    /// Fails as [`put_machine`](Self::put_machine) does, and if `make` fails.
    pub fn put_machines(
        &self,
        new: &[(&MachineName, &AuthoritySource)],
        shared: Option<&Pair>,
        make: impl Fn(usize) -> Result<NewMachine> + Sync,
    ) -> Result<Creation> {
        self.put_folders(new, shared, |n| self.new_folders(&make(n)?))
    }

    fn put_folders(
        &self,
        new: &[(&MachineName, &AuthoritySource)],
        shared: Option<&Pair>,
        make: impl Fn(usize) -> Result<Vec<NewFolder>> + Sync,
    ) -> Result<Creation> {
        // Both paths are written into the machine's files.
        as_text(&self.root)?;
        new.iter().try_for_each(|(name, ca)| as_text(&self.ca_dir(name, (*ca).clone())).map(|_| ()))?;
        let mut transaction = self.begin()?;
        for (name, ca) in new {
            self.refuse_taken(name, ca)?;
            if let (AuthoritySource::Dir(dir), Some(ca_users)) = (ca, &mut transaction.ca_users) {
                ca_users.insert(dir, name);
            }
        }
        if let Some(authority) = shared
            && self.is_other(authority)?
        {
            return Ok(Creation::SharedCaAppeared);
        }
        let needs_certs = new.iter().any(|(_, ca)| !matches!(ca, AuthoritySource::Dir(_)));
        let parents = if needs_certs { &[MACHINES, CERTS][..] } else { &[MACHINES] };
        for folder in parents.iter().map(|folder| self.root.join(folder)) {
            files::make_dirs(&folder).map_err(|error| files::failed(Action::MakeFolder, &folder, &error))?;
        }
        let shared: Vec<_> = shared.into_iter().flat_map(authority_files).collect();
        let missing = |file: &&Artifact| self.certs().join(&file.path).symlink_metadata().is_err();
        let changes: Vec<_> = (shared.iter().filter(missing))
            .map(|file| Change::NewFile(Path::new(CERTS).join(&file.path), file))
            .collect();
        transaction.commit_with(&changes, parents, new.len(), make)?;
        Ok(Creation::Created)
    }

    /// The folders of a new machine: that of its own CA, and its own.
    fn new_folders(&self, machine: &NewMachine) -> Result<Vec<NewFolder>> {
        let NewMachine { plan, identity, .. } = machine;
        let authority = (plan.ca == AuthoritySource::Own).then(|| {
            (Path::new(CERTS).join(plan.name.as_str()), authority_files(&identity.authority).into())
        });
        let own = (Path::new(MACHINES).join(plan.name.as_str()), self.new_files(machine)?);
        Ok(authority.into_iter().chain([own]).collect())
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
    pub fn refuse_taken_authority(&self, name: &MachineName, ca: &AuthoritySource) -> Result<()> {
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
