//! Information that a command leaves for the next one, so that the next one need not read all machines: that no temporary
//! files are left, and which machines use a folder as their CA. It is stored in the lock file, which only the holder of
//! the lock writes.
//!
//! The information is valid as long as no name in `machines` and `certs` has changed, no matter which program changed it.
//! A command clears it before it creates its first temporary file. So after a command that was killed, nothing is
//! assumed. If a `machine.yaml` is edited by hand to name another CA, no name changes. hostseed notices that edit only
//! after another program has changed a name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cache::{self, Stamp};
use super::trust::Trust;
use super::{CERTS, MACHINES, files, lock};
use crate::names::MachineName;

const VERSION: u32 = 1;
/// Maximum size in bytes. 10 000 machines that all name a CA folder need a few hundred kilobytes, so hostseed did not
/// write a longer file.
const MAX_BYTES: u64 = 16 << 20;

/// The machines that were created with a folder as their CA (`--ca DIR`), by folder.
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

    /// Renames a machine.
    pub fn rename(&mut self, old: &MachineName, new: &MachineName) {
        for machines in self.0.values_mut() {
            if machines.remove(old.as_str()) {
                machines.insert(new.to_string());
            }
        }
    }

    /// Changes the path of a folder with a CA.
    pub fn move_folder(&mut self, from: &Path, to: &Path) {
        if let Some(machines) = self.0.remove(from) {
            self.0.insert(to.to_owned(), machines);
        }
    }

    /// The machines whose CA is in the folder `ca`, by name.
    pub fn of(&self, ca: &Path) -> impl Iterator<Item = MachineName> {
        self.0.get(ca).into_iter().flatten().filter_map(|name| MachineName::parse(name).ok())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    folders: [Option<Stamp>; 2],
    /// `None` if no command has read it since another program changed the store.
    ca_users: Option<CaUsers>,
}

/// Loads the state from the lock file. If it is still valid, there are no temporary files in `machines` and `certs`.
/// Returns `None` if it is not valid.
pub fn load(lock: &File, root: &Path) -> Option<Option<CaUsers>> {
    let state: State = cache::decode(&read(lock)?)?;
    (state.version == VERSION && state.folders == folders(root)?).then_some(state.ca_users)
}

/// Loads the CAs of the machines without the lock. They can be out of date at once, so the caller must check them again
/// under the lock. Returns `None` if no valid state is saved, or if another user can write the lock file.
pub fn peek(root: &Path, trust: Trust) -> Option<CaUsers> {
    if trust != Trust::Checked {
        return None;
    }
    let path = root.join(lock::STORE);
    let file = files::without_following(File::options().read(true)).open(&path).ok()?;
    let metadata = file.metadata().ok().filter(Metadata::is_file)?;
    trust.check_file(&path, &metadata).ok()?;
    load(&file, root)?
}

/// Saves the state for the next command. Since the caller loaded the state, nothing but the caller's own change may have
/// changed.
pub fn save(lock: &File, root: &Path, ca_users: Option<CaUsers>) {
    let Some(folders) = folders(root) else { return };
    // If writing fails or is incomplete, the next command reads all machines.
    if let Ok(bytes) = cache::encode(&State { version: VERSION, folders, ca_users }) {
        let _ = write(lock, &bytes);
    }
}

/// Reads the lock file. Returns `None` if it has more than [`MAX_BYTES`] or cannot be read.
fn read(mut lock: &File) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    lock.rewind().ok()?;
    lock.take(MAX_BYTES + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= MAX_BYTES).then_some(bytes)
}

/// Replaces the content of the lock file, without syncing it to the disk.
fn write(mut lock: &File, bytes: &[u8]) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(bytes)
}

/// The stamps of `machines` and `certs`, either of which can be missing. Returns `None` if a stamp cannot be read.
fn folders(root: &Path) -> Option<[Option<Stamp>; 2]> {
    let stamp = |name: &str| match root.join(name).metadata() {
        Ok(metadata) => Stamp::new(&metadata).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(None),
        Err(_) => None,
    };
    Some([stamp(MACHINES)?, stamp(CERTS)?])
}
