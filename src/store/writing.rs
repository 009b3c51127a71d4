//! The right to change the store, which one command has at a time.

use anyhow::Result;

use super::files::{self, Action};
use super::journal::{self, Scope};
use super::lock::{self, Lock};
use super::state::{self, CaUsers};
use super::transaction::{self, Transaction};
use super::{Store, Trust, temporary};

impl Store {
    /// Creates the store if it does not exist, locks it, and cleans up after an interrupted command.
    pub(super) fn lock(&self) -> Result<Writing<'_>> {
        files::make_dirs(&self.root)
            .map_err(|error| files::failed(Action::MakeFolder, &self.root, &error))?;
        self.check_folders()?;
        let lock = Lock::on_store(&self.root, self.trust)?;
        let mut known = None;
        if journal::is_unfinished(&self.root) {
            journal::recover(&self.root, &self.root, self.trust, Scope::Store)?;
        } else if self.trust == Trust::Checked {
            known = state::load(&lock, &self.root);
        }
        temporary::sweep(&self.root, &self.root, None)?;
        let ca_users = match known {
            Some(ca_users) => ca_users,
            None => {
                for folder in [&self.machines(), &self.certs()] {
                    temporary::sweep(folder, folder, None)?;
                }
                self.names()?.is_empty().then(CaUsers::default)
            }
        };
        Ok(Writing { store: self, lock, ca_users })
    }
}

/// The right to change the store, with cached information about it.
pub(super) struct Writing<'a> {
    store: &'a Store,
    lock: Lock,
    /// `None` if it must be read from all machines.
    pub(super) ca_users: Option<CaUsers>,
}

impl Writing<'_> {
    /// Makes one change. `update` then records its effect on the CAs of the machines.
    pub(super) fn change(
        mut self,
        prepare: impl FnOnce(&mut Transaction) -> Result<()>,
        update: impl FnOnce(&mut CaUsers),
    ) -> Result<()> {
        let root = &self.store.root;
        self.lock.clear().map_err(|error| files::failed(Action::Write, &root.join(lock::STORE), &error))?;
        transaction::change(root, root, prepare)?;
        if let Some(ca_users) = &mut self.ca_users {
            update(ca_users);
        }
        state::save(&self.lock, root, self.ca_users);
        Ok(())
    }
}
