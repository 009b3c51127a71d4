//! Renames machines, with everything that contains their name or the path of their folder.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::record::{self, Moved, Record};
use super::state::CaUsers;
use super::transaction::Change;
use super::{CERTS, MACHINES, Store, as_text, contents};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::names::{Address, MachineName};
use crate::plan::{AuthoritySource, HostRole, Plan};
use crate::render::{self, Shell};

/// The result of a rename.
#[derive(Debug)]
#[must_use]
pub struct Renamed {
    /// True if the machine can be rendered, so that its user-data has changed.
    pub is_rendered: bool,
    /// The machines whose CA is that of the renamed machine. Their records have the new path.
    pub ca_users: Vec<MachineName>,
}

/// The files that a rename changes, by their folder in the store.
type Files = Vec<(PathBuf, Artifact)>;

impl Store {
    /// Renames a machine: its folder, its own CA's folder, and all names and paths in its files and in those of the machines
    /// that use its CA. Keys, certificates and the address stay. A machine without an address gets the new name as its
    /// address.
    ///
    /// # Errors
    /// Fails if the machine does not exist, if the new name is taken, if a driver of Docker Machine keeps a VM in the machine's
    /// folder, or if a file cannot be read or written. Then nothing has changed.
    pub fn rename(&self, old: &MachineName, new: &MachineName) -> Result<Renamed> {
        self.require(old)?;
        if old == new {
            let text = format!("machine `{old}` has this name already (nothing was changed)");
            return Err(Diagnostic::error(Code::MachineExists, text).hint("choose another name").into());
        }
        as_text(&self.root)?;
        let mut transaction = self.begin()?;
        self.require(old)?;
        self.refuse_name(new)?;
        self.refuse_other_case(new, Some(old))?;
        let record = self.read_record(old)?;
        self.refuse_vm_in_folder(old, &record)?;
        let plan = if self.has_plan(old) { Some(self.read_plan(old)?) } else { None };

        let authority = self.authority_dir(old);
        let moves_ca = match &plan {
            Some(plan) => plan.ca == AuthoritySource::Own && authority.symlink_metadata().is_ok(),
            // Only the CA itself tells whose it is.
            None => self.is_signed_from(old, &authority),
        };
        if moves_ca {
            self.refuse_taken(new, &AuthoritySource::Own)?;
        }

        let mut moved = self.moved_paths(&record.driver_store(), MACHINES, old, new);
        let ca_moved = self.moved_paths(&record.driver_store(), CERTS, old, new);
        if moves_ca {
            moved.extend(ca_moved.clone());
        }
        let mut files = self.renamed_files(old, new, record, plan.as_ref(), &moved)?;

        let ca_users = match &mut transaction.ca_users {
            Some(ca_users) => ca_users,
            unknown if moves_ca => unknown.insert(self.read_all_ca_users()?),
            unknown => unknown.insert(self.read_ca_users()?),
        };
        let users = if moves_ca { self.users_of(&authority, ca_users)? } else { Vec::new() };
        for user in &users {
            files.extend(self.with_moved_ca(user, &self.authority_dir(new), &ca_moved)?);
        }
        ca_users.rename(old, new);
        if moves_ca {
            ca_users.move_folder(&authority, &self.authority_dir(new));
        }

        let mut changes: Vec<_> =
            files.iter().map(|(dir, file)| Change::File(dir.join(&file.path), file)).collect();
        let folders = [(MACHINES, true), (CERTS, moves_ca)].into_iter().filter(|(_, moves)| *moves);
        changes.extend(folders.map(|(folder, _)| {
            let path = |name: &MachineName| Path::new(folder).join(name.as_str());
            Change::Move(path(old), path(new))
        }));
        transaction.commit(&changes)?;
        Ok(Renamed { is_rendered: plan.is_some(), ca_users: users })
    }

    /// The files of a machine that contain its name or the path of its folder, with the new ones.
    fn renamed_files(
        &self,
        old: &MachineName,
        new: &MachineName,
        record: Record,
        plan: Option<&Plan>,
        moved: &[Moved],
    ) -> Result<Files> {
        let record = match self.has_address(old, &record, plan) {
            true => record,
            false => {
                let address = Address::Dns(new.to_string());
                Record::from_json(&record.moved(&address, &record::url(&address, record.port))?)?
            }
        };
        let dir = self.machine_dir(old);
        let mut files = vec![Artifact::private("config.json", record.renamed(new, moved)?)];
        // Docker Machine makes no such file.
        if dir.join("env").symlink_metadata().is_ok() {
            let connection = self.connect(new, record.url)?;
            files.push(Artifact::private("env", Shell::Posix.set(&connection.variables())));
        }
        if let Some(plan) = plan {
            let plan = Plan { name: new.clone(), ..plan.clone() };
            let identity = self.identity_in(&dir, plan.host_role())?;
            files.push(render::render_machine_yaml(&plan)?);
            files.push(render::render_user_data(&plan, &identity)?);
        }
        let dir = Path::new(MACHINES).join(old.as_str());
        Ok(files.into_iter().map(|file| (dir.clone(), file)).collect())
    }

    /// The error for a name that a machine has.
    fn refuse_name(&self, new: &MachineName) -> Result<()> {
        if !self.has(new) {
            return Ok(());
        }
        let message = format!("machine `{new}` already exists (nothing was changed)");
        Err(Diagnostic::error(Code::MachineExists, message)
            .hint("choose another name, or remove that machine:")
            .run(self.command(["rm", new.as_str()]))
            .into())
    }

    /// Refuses a machine whose VM is in its folder: the hypervisor knows the VM by its name and its path.
    fn refuse_vm_in_folder(&self, name: &MachineName, record: &Record) -> Result<()> {
        if record.driver == "none" {
            return Ok(());
        }
        let Some(file) = contents::driver_file(&self.machine_dir(name), name)? else { return Ok(()) };
        let message = format!(
            "`{}` belongs to a VM that Docker Machine controls by the machine's name and folder (nothing was changed)",
            file.display()
        );
        Err(Diagnostic::error(Code::VmInFolder, message)
            .hint("keep the name, or create another machine")
            .into())
    }

    /// Returns whether a machine has an address, and not its name instead.
    fn has_address(&self, name: &MachineName, record: &Record, plan: Option<&Plan>) -> bool {
        plan.is_none_or(|plan| !plan.addresses.is_empty())
            || record.host != name.as_str()
            || self.host_role(name) != HostRole::BootIssuer
    }

    /// The old and new paths of a machine's folder in `machines` or `certs`. A record from a store that was moved has the path of
    /// that store, `recorded`.
    fn moved_paths(&self, recorded: &Path, folder: &str, old: &MachineName, new: &MachineName) -> Vec<Moved> {
        let mut roots = vec![self.root.as_path()];
        if recorded.is_absolute() && recorded != self.root {
            roots.push(recorded);
        }
        let path = |root: &Path, name: &MachineName| root.join(folder).join(name.as_str());
        // The new paths are in this store.
        roots.iter().map(|root| Moved { from: path(root, old), to: path(&self.root, new) }).collect()
    }

    /// The machines whose plan names the folder `ca`.
    fn users_of(&self, ca: &Path, ca_users: &CaUsers) -> Result<Vec<MachineName>> {
        let mut users = Vec::new();
        for name in ca_users.of(ca).filter(|name| self.has(name)) {
            if self.read_plan(&name)?.ca == AuthoritySource::Dir(ca.to_owned()) {
                users.push(name);
            }
        }
        Ok(users)
    }

    /// Reads which folder each machine names as its CA.
    ///
    /// # Errors
    /// Fails if a plan cannot be read: it could name the CA that is about to move.
    fn read_all_ca_users(&self) -> Result<CaUsers> {
        let mut ca_users = CaUsers::default();
        for name in self.names()? {
            if self.has_plan(&name)
                && let AuthoritySource::Dir(ca) = self.read_plan(&name)?.ca
            {
                ca_users.insert(&ca, &name);
            }
        }
        Ok(ca_users)
    }

    fn has_plan(&self, name: &MachineName) -> bool {
        self.machine_dir(name).join("machine.yaml").symlink_metadata().is_ok()
    }

    /// The files of a machine whose CA moves to the folder `ca`.
    fn with_moved_ca(&self, name: &MachineName, ca: &Path, moved: &[Moved]) -> Result<Files> {
        self.require(name)?;
        let plan = Plan { ca: AuthoritySource::Dir(ca.to_owned()), ..self.read_plan(name)? };
        let record = Artifact::private("config.json", self.read_record(name)?.with_paths(moved)?);
        let dir = Path::new(MACHINES).join(name.as_str());
        Ok([record, render::render_machine_yaml(&plan)?].map(|file| (dir.clone(), file)).into())
    }
}
