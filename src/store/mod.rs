//! The store: the folder that contains the machines, in Docker Machine's layout, so that Docker Machine's commands can
//! read it too. No other module writes to it. Each change is complete or has no effect.

mod ca;
mod ca_change;
mod cache;
mod client;
mod client_only;
mod contents;
mod context;
mod create;
mod current_context;
mod docker_machine;
mod export;
mod exported;
mod file_system;
mod files;
mod fleet;
mod import;
mod index;
mod journal;
mod json_text;
mod list;
mod location;
mod lock;
mod machine;
mod output;
mod record;
mod removal;
mod rename;
mod replacement;
mod sent;
mod staged;
mod state;
mod temporary;
mod transaction;
mod trust;
mod written;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

pub use ca_change::{CaChange, Pending};
pub use client::ClientCa;
pub use client_only::NEED_THE_MACHINE;
pub use context::{ContextChange, DockerConfig, MachinesContext, Removal};
pub use create::{Creation, NewMachine};
pub use docker_machine::{Taken, Takeover};
pub use export::{CaKey, Exported, LeftOut};
pub use import::{CaKeyHere, Done, Imported};
pub use list::{HostCertificate, Listing};
pub use location::{default_root, path_in_environment};
pub use output::{Replace, put_artifact, put_folder, put_pages, put_program};
pub use record::{Record, url};
pub use rename::Renamed;
pub use replacement::{Replaced, Replacement, Stored, client_files, host_files, identity_files};
pub use trust::Trust;
pub use written::Owner;

use crate::diag::{Code, Diagnostic};
use crate::names::MachineName;
use crate::shell::Command;
use files::Action;
use transaction::Transaction;
use trust::{Content, Role};

/// A store. Its folder need not exist.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// True if commands need `--store` to use this store.
    named: bool,
    trust: Trust,
    /// Messages about corrected modes that are not printed yet.
    notes: Mutex<Vec<String>>,
}

impl Store {
    /// Opens the store at `root`, which need not exist, and finishes a change that was interrupted. `named` says that
    /// `root` is neither the default store nor the one in `MACHINE_STORAGE_PATH`.
    ///
    /// # Errors
    /// Fails if another user owns, can write or can replace one of its folders.
    pub fn open(root: PathBuf, named: bool, trust: Trust) -> Result<Self> {
        let root = std::path::absolute(&root).map_err(|error| files::failed(Action::Open, &root, &error))?;
        let store = Self { root, named, trust, notes: Mutex::default() };
        store.check_folders()?;
        if journal::is_unfinished(&store.root) {
            // A user with read access only can still read the store.
            if trust::may_write(&store.root) {
                store.begin()?;
            }
        }
        Ok(store)
    }

    /// Begins a change: creates the store if it does not exist, locks it, and cleans up after an interrupted command.
    fn begin(&self) -> Result<Transaction<'_>> {
        files::make_dirs(&self.root)
            .map_err(|error| files::failed(Action::MakeFolder, &self.root, &error))?;
        self.check_folders()?;
        Transaction::on_store(self)
    }

    /// Removes and returns the messages about corrected modes, one sentence each.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks who owns and who can write the folders that all machines share.
    fn check_folders(&self) -> Result<()> {
        match self.root.is_dir() {
            true => self.trust.check_folder(&self.root, Role::Store)?,
            // The folder will be created, so only its parents are checked.
            false => self.trust.check_way(&self.root)?,
        }
        for folder in [self.machines(), self.certs()] {
            self.trust.check_folder(&folder, Role::Store)?;
        }
        Ok(())
    }

    fn check_files(&self, dir: &Path, role: Role, keys: &[&str], others: &[&str]) -> Result<()> {
        let keys = keys.iter().map(|file| (file, Content::Key));
        for (file, content) in keys.chain(others.iter().map(|file| (file, Content::Other))) {
            let mended = self.trust.check_content(&dir.join(file), role, content)?;
            self.notes.lock().unwrap_or_else(PoisonError::into_inner).extend(mended);
        }
        Ok(())
    }

    /// A hostseed command for this store that the user can paste.
    pub fn command<T: AsRef<str>>(&self, words: impl IntoIterator<Item = T>) -> Command {
        let store = self.named.then(|| ["--store".to_owned(), self.root.display().to_string()]);
        let words = words.into_iter().map(|word| word.as_ref().to_owned());
        Command::own(store.into_iter().flatten().chain(words))
    }

    /// The folder of the store.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The folder of a machine.
    pub fn machine_dir(&self, name: &MachineName) -> PathBuf {
        self.machines().join(name.as_str())
    }

    fn machines(&self) -> PathBuf {
        self.root.join(MACHINES)
    }

    fn certs(&self) -> PathBuf {
        self.root.join(CERTS)
    }

    /// The folder of a machine's own CA.
    pub fn authority_dir(&self, name: &MachineName) -> PathBuf {
        self.certs().join(name.as_str())
    }

    /// Returns whether a machine with this name exists.
    pub fn has(&self, name: &MachineName) -> bool {
        self.machine_dir(name).symlink_metadata().is_ok()
    }

    /// The names of all machines, sorted. Ignores folders whose names are not machine names, as Docker Machine does.
    pub fn names(&self) -> Result<Vec<MachineName>> {
        let entries = match fs::read_dir(self.machines()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(files::failed(Action::Read, &self.machines(), &error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| files::failed(Action::Read, &self.machines(), &error))?;
            let is_folder = match entry.file_type() {
                Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                _ => entry.path().is_dir(),
            };
            if is_folder
                && let Some(name) = entry.file_name().to_str().and_then(|name| MachineName::parse(name).ok())
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Checks that a machine exists and that no other user can change it.
    ///
    /// # Errors
    /// Fails if the machine does not exist, and suggests the most similar name. Fails if another user can change the
    /// machine.
    pub fn require(&self, name: &MachineName) -> Result<()> {
        if self.has(name) {
            return self.check_machine(name);
        }
        let mut failure = Diagnostic::error(
            Code::NoSuchMachine,
            format!("there is no machine `{name}` in `{}`", self.root.display()),
        );
        let names = self.names()?;
        failure = match names.iter().max_by(|a, b| likeness(a, name).total_cmp(&likeness(b, name))) {
            Some(near) if likeness(near, name) > 0.8 => failure.hint(format!("did you mean `{near}`?")),
            Some(_) => failure.hint("list the machines:").run(self.command(["ls"])),
            None => {
                let create = self.command(["create", name.as_str(), "--address", "ADDRESS"]);
                failure.hint("create it:").run(create)
            }
        };
        Err(failure.into())
    }
}

/// Converts a path to text.
///
/// # Errors
/// Fails if the path is not UTF-8.
pub fn as_text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        Diagnostic::error(Code::PathNotUtf8, format!(
            "`{}` is not UTF-8, so it cannot be written into config.json or an environment (nothing was changed)",
            path.display()
        ))
        .hint("`--store DIR` or MACHINE_STORAGE_PATH names a store with another path")
        .into()
    })
}

/// The error for a file of the store with invalid content.
fn unusable(code: Code, path: &Path, reason: &anyhow::Error) -> anyhow::Error {
    Diagnostic::error(code, format!("`{}` cannot be used: {reason:#}", path.display())).into()
}

const MACHINES: &str = "machines";
const CERTS: &str = "certs";

/// The name of the shared CA in its certificate.
pub const SHARED: &str = "shared";

fn likeness(a: &MachineName, b: &MachineName) -> f64 {
    strsim::jaro_winkler(a.as_str(), b.as_str())
}
