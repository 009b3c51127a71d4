//! What a command that writes to the store tells the next one, so that this one need not read all machines: no temporary files
//! are left, and which machines' certificates a CA folder has signed. It is kept in the lock file, which only the holder of the
//! lock writes.
//!
//! It holds as long as no name in `machines` and `certs` has changed since, whoever changed it. Before a command makes its first
//! temporary file it clears the state, so that nothing is known after a command that was killed. A `machine.yaml` that is edited by
//! hand to name another CA changes no name, and is seen after the next change that hostseed did not make.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cache::{self, Stamp};
use super::lock::Lock;
use super::{CERTS, MACHINES};
use crate::names::MachineName;

const VERSION: u32 = 1;
/// A longer one was not written by hostseed: 10 000 machines that all name a CA folder have a few hundred kilobytes.
const MAX_BYTES: u64 = 16 << 20;

/// The machines that were made with a folder as their CA (`--ca DIR`), by that folder.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CaUsers(BTreeMap<PathBuf, BTreeSet<String>>);

impl CaUsers {
    pub fn insert(&mut self, ca: &Path, machine: &MachineName) {
        self.0.entry(ca.to_owned()).or_default().insert(machine.to_string());
    }

    pub fn remove(&mut self, machine: &MachineName) {
        for machines in self.0.values_mut() {
            machines.remove(machine.as_str());
        }
        self.0.retain(|_, machines| !machines.is_empty());
    }

    /// The machines whose CA is the folder `ca`, by name.
    pub fn of(&self, ca: &Path) -> impl Iterator<Item = MachineName> {
        self.0.get(ca).into_iter().flatten().filter_map(|name| MachineName::parse(name).ok())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    folders: [Option<Stamp>; 2],
    /// None where no command has read it since another program changed the store.
    ca_users: Option<CaUsers>,
}

/// What the last command has left in the lock file, if it still holds: then there are no temporary files in the folders.
pub fn load(lock: &Lock, root: &Path) -> Option<Option<CaUsers>> {
    let state: State = cache::decode(&lock.read(MAX_BYTES)?)?;
    (state.version == VERSION && state.folders == folders(root)?).then_some(state.ca_users)
}

/// Leaves what is known to the next command. The caller has changed nothing since it was last told apart from its own change.
pub fn save(lock: &Lock, root: &Path, ca_users: Option<CaUsers>) {
    let Some(folders) = folders(root) else { return };
    // If this cannot be written, or only a part of it, the next command reads all machines.
    if let Ok(bytes) = cache::encode(&State { version: VERSION, folders, ca_users }) {
        let _ = lock.write(&bytes);
    }
}

/// The stamps of the folders with names that matter; none where one cannot be told. A folder may be missing.
fn folders(root: &Path) -> Option<[Option<Stamp>; 2]> {
    let stamp = |name: &str| match root.join(name).metadata() {
        Ok(metadata) => Stamp::new(&metadata).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(None),
        Err(_) => None,
    };
    Some([stamp(MACHINES)?, stamp(CERTS)?])
}
