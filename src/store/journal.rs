//! The journal: a list of the renames that make up a change, and the recovery of an interrupted change.
//!
//! A journal in a copied or unpacked folder can come from somebody else. So it contains the inode numbers of its folder
//! and of everything that it renames or deletes. Only the command that created these files knew the numbers.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::files::{self, Action, failed};
use super::temporary;
use super::trust::Trust;
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};

/// File name of the journal. It is not a temporary name, so [`temporary::sweep`] does not remove it.
pub const JOURNAL: &str = ".hostseed.journal";

const VERSION: u32 = 1;

/// Maximum size in bytes of the journal of a store. The removal of a machine takes less than 1 KiB, and a fleet has at most 100 000 machines.
const MAX_OF_STORE: u64 = 100 << 20;
/// Maximum size in bytes of the journal of another folder, in which a change has few files.
const MAX_OF_OTHERS: u64 = 1 << 20;

/// The rest of a change. All paths are relative to the journal's folder.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    version: u32,
    /// The inode number of the journal's folder.
    folder: u64,
    pub renames: Vec<Rename>,
    /// Temporary files and folders that are deleted after the last rename.
    pub delete: Vec<PathBuf>,
}

#[derive(Serialize, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The inode number of the renamed file or folder.
    pub what: u64,
    pub from: PathBuf,
    pub to: PathBuf,
    pub kind: Kind,
    /// A second name of the replaced file, from which it can be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<PathBuf>,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The new name must not exist.
    New,
    /// The new file replaces an existing one, if there is one.
    Replace,
    /// A machine's folder, or its CA's, gets another name, which must not exist.
    Move,
    /// The file or folder moves into a temporary folder, which is then deleted.
    Remove,
}

impl Journal {
    /// Makes a journal for the folder with this metadata.
    pub fn new(folder: &fs::Metadata, renames: Vec<Rename>, delete: Vec<PathBuf>) -> Self {
        Self { version: VERSION, folder: inode(folder), renames, delete }
    }

    /// The journal as a file.
    ///
    /// # Errors
    /// Fails if it has more bytes than [`load`] reads.
    pub fn file(&self, scope: Scope) -> io::Result<Artifact> {
        let bytes = serde_json::to_vec(self)?;
        let max = scope.max_journal();
        if bytes.len() as u64 > max {
            return Err(io::Error::other(format!("it would have more than {} MiB", max >> 20)));
        }
        Ok(Artifact::private(JOURNAL, bytes))
    }

    /// All temporary names in the journal.
    pub fn temporary(&self) -> Vec<PathBuf> {
        let names = self.renames.iter().map(|rename| &rename.from).chain(&self.delete);
        names.filter(|name| is_temporary(name)).cloned().collect()
    }
}

impl Rename {
    /// Makes the rename, unless it was made before.
    pub fn make(&self, base: &Path) -> io::Result<()> {
        let (from, to) = (base.join(&self.from), base.join(&self.to));
        if !self.is_at(&from)? {
            return Ok(());
        }
        match self.kind {
            // The temporary folder was deleted, so the removal is complete. This is a new file or folder of the same
            // name.
            Kind::Remove if !exists(files::parent(&to))? => Ok(()),
            Kind::New | Kind::Move | Kind::Remove => match files::rename_new(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Err(io::Error::other("it exists already"))
                }
                made => made,
            },
            Kind::Replace => fs::rename(&from, &to),
        }
    }

    /// Reverses the rename if it was made, and restores the replaced file.
    pub fn undo(&self, base: &Path) -> io::Result<()> {
        let (from, to) = (base.join(&self.from), base.join(&self.to));
        if !exists(&from)? && self.is_at(&to)? {
            fs::rename(&to, &from)?;
        }
        if let Some(before) = &self.before {
            let before = base.join(before);
            if exists(&before)? && !exists(&to)? {
                fs::rename(&before, &to)?;
            }
        }
        Ok(())
    }

    /// Returns whether `path` is the renamed file or folder, by its inode number.
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        match path.symlink_metadata() {
            Ok(metadata) => Ok(inode(&metadata) == self.what),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns whether hostseed can have written this rename into a journal of this scope.
    fn is_allowed_in(&self, scope: Scope) -> bool {
        let is_ours = match (self.kind, scope) {
            (Kind::Remove, Scope::Store) => self.to.parent().is_some_and(is_temporary),
            (Kind::Remove, Scope::DockerConfig) => {
                self.to.parent().is_some_and(is_temporary) && self.from.starts_with("contexts")
            }
            (Kind::Remove, Scope::Output) => false,
            (Kind::Move, Scope::Store) => {
                [&self.from, &self.to].into_iter().all(|name| name.components().count() == 2)
                    && self.from.parent() == self.to.parent()
            }
            (Kind::Move, Scope::DockerConfig | Scope::Output) => false,
            (Kind::New | Kind::Replace, _) => is_temporary(&self.from),
        };
        is_ours
            && [&self.from, &self.to].into_iter().all(|name| is_inside_folder(name) && scope.allows(name))
            && self.before.as_deref().is_none_or(|name| is_temporary(name) && scope.allows(name))
    }
}

/// The kind of folder that a journal is in. It limits the paths that the journal may list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The store's folder, which only its owner can write.
    Store,
    /// The docker CLI's folder, which only its owner can write. hostseed changes files directly in it, and contexts.
    DockerConfig,
    /// A folder that the user chose, which can be a copy of a stranger's folder. hostseed creates and replaces only files
    /// directly in it.
    Output,
}

impl Scope {
    /// Maximum size of the journal in bytes.
    fn max_journal(self) -> u64 {
        match self {
            Self::Store => MAX_OF_STORE,
            Self::DockerConfig | Self::Output => MAX_OF_OTHERS,
        }
    }

    /// Returns whether a path is allowed in this scope. In an output folder a subfolder can be a link to any other folder, so
    /// hostseed never writes into subfolders.
    fn allows(self, name: &Path) -> bool {
        let is_direct = name.components().count() == 1;
        match self {
            Self::Store => true,
            Self::DockerConfig => is_direct || name.starts_with("contexts"),
            Self::Output => is_direct,
        }
    }
}

/// Returns whether there is a journal, and so an unfinished change.
pub fn is_unfinished(base: &Path) -> bool {
    base.join(JOURNAL).symlink_metadata().is_ok()
}

/// Reads the journal in `base`. Returns `None` if there is none. The caller must hold the lock on `base`.
///
/// # Errors
/// Fails if the journal cannot be read, is not hostseed's, or was written for another folder.
pub fn load(base: &Path, shown: &Path, trust: Trust, scope: Scope) -> Result<Option<Journal>> {
    let path = base.join(JOURNAL);
    if !is_unfinished(base) {
        return Ok(None);
    }
    let unusable = |why: &str| {
        Diagnostic::error(Code::UnusableJournal, format!("`{}` {why}", shown.join(JOURNAL).display()))
            .hint("only hostseed writes this file: move it away")
    };
    let file = files::without_following(fs::File::options().read(true)).open(&path);
    let file = file.map_err(|error| failed(Action::Read, &shown.join(JOURNAL), &error))?;
    let metadata = file.metadata().map_err(|error| failed(Action::Read, &shown.join(JOURNAL), &error))?;
    if !metadata.is_file() || metadata.len() > scope.max_journal() {
        return Err(unusable("is not a journal").into());
    }
    trust.check_file(&shown.join(JOURNAL), &metadata)?;
    // Version control and archive tools give files a mode from the umask.
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return Err(unusable("can be read by other users, so hostseed did not write it").into());
    }
    let mut text = String::new();
    file.take(scope.max_journal())
        .read_to_string(&mut text)
        .map_err(|error| failed(Action::Read, &shown.join(JOURNAL), &error))?;
    let journal: Journal =
        serde_json::from_str(&text).map_err(|error| unusable(&format!("cannot be read: {error}")))?;
    if journal.version != VERSION
        || !journal.renames.iter().all(|rename| rename.is_allowed_in(scope))
        || !journal.delete.iter().all(|name| is_temporary(name) && scope.allows(name))
    {
        return Err(unusable("is not a journal of this version of hostseed").into());
    }
    let folder = fs::metadata(base).map_err(|error| failed(Action::Read, shown, &error))?;
    if inode(&folder) != journal.folder {
        return Err(unusable("was written for another folder, of which this is a copy").into());
    }
    Ok(Some(journal))
}

/// The inode number, which identifies a file or folder under any name. The device number is ignored because it can differ
/// after a reboot. Zero on systems without inode numbers.
pub fn inode(metadata: &fs::Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    {
        let _ = metadata;
        0
    }
}

fn exists(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns whether a path in a journal stays inside the journal's folder.
fn is_inside_folder(name: &Path) -> bool {
    name.file_name().is_some() && name.components().all(|part| matches!(part, Component::Normal(_)))
}

/// Returns whether the last component of a path is a temporary name.
fn is_temporary(name: &Path) -> bool {
    is_inside_folder(name) && name.file_name().and_then(OsStr::to_str).is_some_and(temporary::is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_of_thousands_of_removals_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = fs::metadata(dir.path()).unwrap();
        let (mut renames, mut delete) = (Vec::new(), Vec::new());
        for n in 0..10_000 {
            let within = PathBuf::from("machines").join(temporary::new_name().unwrap());
            let name = format!("machine-with-a-long-name-{n}");
            let (from, to) = (Path::new("machines").join(&name), within.join(&name));
            renames.push(Rename { what: u64::MAX - n, from, to, kind: Kind::Remove, before: None });
            delete.push(within);
        }
        let journal = Journal::new(&folder, renames, delete);
        let file = journal.file(Scope::Store).unwrap();
        assert!(file.bytes.len() > 1 << 20);
        files::write_new(&dir.path().join(JOURNAL), &file).unwrap();
        let found = load(dir.path(), dir.path(), Trust::Checked, Scope::Store).unwrap().unwrap();
        assert_eq!((found.renames.len(), found.delete.len()), (10_000, 10_000));
        // A journal that cannot be read is not written.
        assert!(load(dir.path(), dir.path(), Trust::Checked, Scope::Output).is_err());
        assert!(journal.file(Scope::Output).is_err());
    }
}
