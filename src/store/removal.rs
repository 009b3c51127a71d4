//! Removes machines with all their files, and no other files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::state::{self, CaUsers};
use super::transaction::Change;
use super::{CERTS, MACHINES, Store, contents};
use crate::diag::{Code, Diagnostic};
use crate::names::MachineName;
use crate::plan::AuthoritySource;
use crate::shell::Command;

impl Store {
    /// Removes machines and their own CAs. Removes all of them or none.
    ///
    /// # Errors
    /// Fails for the same reasons as [`check_removal`](Self::check_removal).
    pub fn remove(&self, names: &[MachineName]) -> Result<()> {
        // If a machine does not exist, fail before the store is locked, which would create its folder.
        names.iter().try_for_each(|name| self.require(name))?;
        let mut transaction = self.begin()?;
        let ca_users = match &mut transaction.ca_users {
            Some(ca_users) => ca_users,
            unknown => unknown.insert(self.read_ca_users()?),
        };
        let folders = self.removal(names, ca_users)?;
        names.iter().for_each(|name| ca_users.remove(name));
        transaction.commit(&folders.into_iter().map(Change::Remove).collect::<Vec<_>>())
    }

    /// Checks that machines can be removed, without the lock. Reads other machines only if the last command left no valid
    /// state.
    ///
    /// # Errors
    /// Fails if a machine does not exist, if its CA has signed the certificates of a machine that stays, or if its
    /// folders contain files that neither hostseed nor Docker Machine created.
    pub fn check_removal(&self, names: &[MachineName]) -> Result<()> {
        names.iter().try_for_each(|name| self.require(name))?;
        let ca_users = match state::peek(&self.root, self.trust) {
            Some(ca_users) => ca_users,
            None => self.read_ca_users()?,
        };
        self.removal(names, &ca_users).map(|_| ())
    }

    /// The folders to remove, relative to the store.
    pub(super) fn removal(&self, names: &[MachineName], ca_users: &CaUsers) -> Result<Vec<PathBuf>> {
        let leaving: HashSet<_> = names.iter().collect();
        let mut folders = Vec::new();
        for name in names {
            self.require(name)?;
            let authority = self.authority_dir(name);
            if let Some(other) = self.signed_from(&authority, ca_users, &leaving) {
                return Err(Diagnostic::error(
                    Code::CaInUse,
                    format!("the CA of `{name}` has also signed the certificates of `{other}` (nothing was removed)"),
                )
                .hint("remove that machine first:")
                .run(self.command(["rm", other.as_str()]))
                .into());
            }
            let machine = self.machine_dir(name);
            let mut foreign = contents::foreign_to_machine(&machine, name, || {
                self.read_record(name).is_ok_and(|record| record.driver != "none")
            })?;
            folders.push(Path::new(MACHINES).join(name.as_str()));
            let plan = self.read_plan(name);
            // If the plan cannot be read, assume that the machine has its own CA, so that no private key is left behind.
            let is_own = plan.as_ref().map_or(true, |plan| plan.ca == AuthoritySource::Own);
            if is_own && authority.symlink_metadata().is_ok() {
                if self.is_signed_from(name, &authority) {
                    folders.push(Path::new(CERTS).join(name.as_str()));
                    foreign.extend(contents::foreign_to_authority(&authority)?);
                } else if plan.is_ok() {
                    foreign.push(authority);
                }
            }
            if !foreign.is_empty() {
                return Err(self.others_files(name, &foreign));
            }
        }
        Ok(folders)
    }

    /// The error for files that hostseed did not create.
    pub(super) fn others_files(&self, name: impl std::fmt::Display, foreign: &[PathBuf]) -> anyhow::Error {
        let listed: Vec<_> = foreign.iter().map(|path| format!("`{}`", path.display())).collect();
        let words = foreign.iter().map(|path| path.display().to_string()).chain([".".to_owned()]);
        Diagnostic::error(
            Code::ForeignFiles,
            format!(
                "`{name}` contains files that hostseed did not create: {} (nothing was removed)",
                listed.join(", ")
            ),
        )
        .hint("move them away first:")
        .run(Command::of("mv", words))
        .into()
    }
}
