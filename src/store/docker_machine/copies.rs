//! The files of a machine in another store that this store gets.

use std::fs;

use anyhow::Result;

use crate::artifact::Artifact;
use crate::diag::Code;
use crate::plan::Plan;
use crate::secret::Secret;
use crate::store::files::{self, Action};
use crate::store::record::Record;
use crate::store::{Store, contents, unusable};

/// Maximum size in bytes of a file that is copied from another store. Keys and settings are smaller, and disks are larger.
const MAX_FILE: u64 = 1 << 20;

impl Store {
    /// The files of a machine in another store as this store gets them, and what is not copied.
    pub(super) fn copies(
        &self,
        source: &Store,
        plan: &Plan,
        record: &Record,
    ) -> Result<(Vec<Artifact>, Vec<String>)> {
        let name = &plan.name;
        let from = source.machine_dir(name);
        let failed = |error| files::failed(Action::Read, &from, &error);
        let (mut copies, mut left) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&from).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let Some(file) = path.file_name().and_then(|file| file.to_str()) else {
                left.push(format!("`{}`", path.file_name().unwrap_or_default().display()));
                continue;
            };
            // Written anew.
            if ["config.json", "env"].contains(&file) {
                continue;
            }
            let is_known = contents::KEYS.contains(&file) || contents::OTHERS.contains(&file);
            let is_small =
                fs::metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX_FILE);
            if !is_known && (contents::is_drivers(file, name) || !is_small) {
                left.push(format!("`{file}`"));
                continue;
            }
            let bytes =
                Secret::new(fs::read(&path).map_err(|error| files::failed(Action::Read, &path, &error))?);
            copies.push(match contents::OTHERS.contains(&file) {
                true => Artifact::public(file, bytes),
                // An unknown file can be a secret.
                false => Artifact::private(file, bytes),
            });
        }
        left.sort();
        let placed = record.placed(&self.root, &self.machine_dir(name), &self.certs_of(plan));
        let placed =
            placed.map_err(|error| unusable(Code::StoredRecord, &from.join("config.json"), &error))?;
        copies.push(Artifact::private("config.json", placed));
        Ok((copies, left))
    }
}
