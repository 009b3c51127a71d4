//! The record that the new files of a machine were sent to its host, which may put them in place at any time.

use std::path::Path;

use anyhow::Result;

use super::contents::{PREVIOUS, SENT};
use super::transaction::Change;
use super::{MACHINES, Store, files};
use crate::artifact::Artifact;
use crate::names::MachineName;

impl Store {
    /// The sets that a machine's host may have got, and has not refused.
    ///
    /// # Errors
    /// Fails if the record cannot be read.
    pub fn sent(&self, name: &MachineName) -> Result<Vec<String>> {
        let path = self.previous_dir(name).join(SENT);
        if path.symlink_metadata().is_err() {
            return Ok(Vec::new());
        }
        Ok(files::read(&path)?.expose().lines().map(str::to_owned).collect())
    }

    /// Records that a set is about to be sent.
    ///
    /// # Errors
    /// Fails if the store cannot be written.
    pub fn record_sent(&self, name: &MachineName, set: &str) -> Result<()> {
        let transaction = self.begin()?;
        let mut sent = self.sent(name)?;
        if !self.has_previous(name) || sent.iter().any(|one| one == set) {
            return Ok(());
        }
        sent.push(set.to_owned());
        let file = Artifact::private(SENT, sent.join("\n") + "\n");
        transaction.commit(&[Change::File(path(name), &file)])
    }

    /// Deletes the record: the host has none of the sets.
    ///
    /// # Errors
    /// Fails if the store cannot be written.
    pub fn forget_sent(&self, name: &MachineName) -> Result<()> {
        let transaction = self.begin()?;
        if self.sent(name)?.is_empty() {
            return Ok(());
        }
        transaction.commit(&[Change::Remove(path(name))])
    }
}

fn path(name: &MachineName) -> std::path::PathBuf {
    Path::new(MACHINES).join(name.as_str()).join(PREVIOUS).join(SENT)
}
