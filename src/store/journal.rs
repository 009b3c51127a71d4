//! The journal: the list of renames that a change consists of, and what recovers a change that was interrupted.
//!
//! A journal can come from somebody else, in a folder that was unpacked or copied. So it has in it the inode numbers of its
//! folder and of all that it renames or deletes, which only the command that made these files knew.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::files::{self, Action, failed};
use super::temporary;
use super::transaction::{End, Transaction};
use super::trust::Trust;
use crate::diag::{Code, Diagnostic};

/// The journal's name. It is no name of a temporary file, so no sweep removes it.
pub const JOURNAL: &str = ".hostseed.journal";

const VERSION: u32 = 1;

/// A longer journal was not written by hostseed.
const MAX_JOURNAL: u64 = 1 << 20;

/// What is still to be done. Names only, relative to the journal's folder.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    version: u32,
    /// The inode number of the journal's folder.
    folder: u64,
    renames: Vec<Rename>,
    /// Temporary files and folders that are deleted after the last rename.
    delete: Vec<PathBuf>,
}

#[derive(Serialize, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The inode number of what is renamed.
    pub what: u64,
    pub from: PathBuf,
    pub to: PathBuf,
    pub kind: Kind,
    /// Another name of the file that is replaced, to undo it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<PathBuf>,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Nothing has that name yet.
    New,
    /// The new file takes the place of one that may be there.
    Replace,
    /// What is there goes into a temporary folder, which is deleted.
    Remove,
}

impl Journal {
    /// A journal in a folder with that metadata.
    pub fn new(folder: &fs::Metadata, renames: Vec<Rename>, delete: Vec<PathBuf>) -> Self {
        Self { version: VERSION, folder: inode(folder), renames, delete }
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
            // The folder that it was to be deleted in is deleted already: this is another one of that name.
            Kind::Remove if !exists(files::parent(&to))? => Ok(()),
            Kind::New | Kind::Remove => match files::rename_new(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Err(io::Error::other("it exists already"))
                }
                made => made,
            },
            Kind::Replace => fs::rename(&from, &to),
        }
    }

    /// Reverses the rename, if it was made.
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

    /// Whether what is renamed has this name.
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        match path.symlink_metadata() {
            Ok(metadata) => Ok(inode(&metadata) == self.what),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether hostseed may have written it into a journal of this scope.
    fn is_sound(&self, scope: Scope) -> bool {
        let is_ours = match (self.kind, scope) {
            (Kind::Remove, Scope::Store) => self.to.parent().is_some_and(is_temporary),
            (Kind::Remove, Scope::Output) => false,
            (Kind::New | Kind::Replace, _) => is_temporary(&self.from),
        };
        is_ours
            && [&self.from, &self.to].into_iter().all(|name| is_below(name) && scope.allows(name))
            && self.before.as_deref().is_none_or(|name| is_temporary(name) && scope.allows(name))
    }
}

/// Where a journal is, and so what it may list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The store's folder, which only its owner can write.
    Store,
    /// A folder of the user's, which may be a copy of what somebody else made. Only files directly in it are made or replaced.
    Output,
}

impl Scope {
    /// Whether a name is not too deep. In an output folder a sub-folder may be a link to anywhere, and hostseed writes into none.
    fn allows(self, name: &Path) -> bool {
        self == Self::Store || name.components().count() == 1
    }
}

/// Whether there is a journal, and so a change that is not finished.
pub fn is_unfinished(base: &Path) -> bool {
    base.join(JOURNAL).symlink_metadata().is_ok()
}

/// Finishes the change that an interrupted command left in `base`. The caller holds the lock on `base`.
pub fn recover(base: &Path, shown: &Path, trust: Trust, scope: Scope) -> Result<()> {
    let path = base.join(JOURNAL);
    if !is_unfinished(base) {
        return Ok(());
    }
    let unusable = |why: &str| {
        Diagnostic::error(Code::UnusableJournal, format!("`{}` {why}", shown.join(JOURNAL).display()))
            .hint("hostseed writes this file itself: move it away")
    };
    let file = files::without_following(fs::File::options().read(true)).open(&path);
    let file = file.map_err(|error| failed(Action::Read, &shown.join(JOURNAL), &error))?;
    let metadata = file.metadata().map_err(|error| failed(Action::Read, &shown.join(JOURNAL), &error))?;
    if !metadata.is_file() || metadata.len() > MAX_JOURNAL {
        return Err(unusable("is no journal").into());
    }
    trust.check_file(&shown.join(JOURNAL), &metadata)?;
    // Version control and archives give the files that they bring the mode of the umask.
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return Err(unusable("can be read by other users, so hostseed did not write it").into());
    }
    let mut text = String::new();
    file.take(MAX_JOURNAL)
        .read_to_string(&mut text)
        .map_err(|error| failed(Action::Read, &shown.join(JOURNAL), &error))?;
    let journal: Journal =
        serde_json::from_str(&text).map_err(|error| unusable(&format!("cannot be read: {error}")))?;
    if journal.version != VERSION
        || !journal.renames.iter().all(|rename| rename.is_sound(scope))
        || !journal.delete.iter().all(|name| is_temporary(name) && scope.allows(name))
    {
        return Err(unusable("is no journal of this version").into());
    }
    let folder = fs::metadata(base).map_err(|error| failed(Action::Read, shown, &error))?;
    if inode(&folder) != journal.folder {
        return Err(unusable("was written for another folder, of which this is a copy").into());
    }
    let names = journal.renames.iter().map(|rename| &rename.from).chain(&journal.delete);
    let temporary = names.filter(|name| is_temporary(name)).cloned().collect();
    let transaction = Transaction::recovered(base, shown, journal.renames, journal.delete, temporary);
    match transaction.finish(true)? {
        End::Made => Ok(()),
        // Everything is as before the interrupted command.
        End::Undone(error) => match &transaction.delete_temporary()[..] {
            [] => Ok(()),
            left => Err(temporary::with_left(error, left)),
        },
    }
}

/// The inode number: which file or folder it is, whatever it is called. The device's number does not count: it can be another one
/// after the machine was started anew. Zero where the system has no such numbers.
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

/// Whether a name of a journal stays in its folder.
fn is_below(name: &Path) -> bool {
    name.file_name().is_some() && name.components().all(|part| matches!(part, Component::Normal(_)))
}

/// Whether the last part of a name is a temporary one.
fn is_temporary(name: &Path) -> bool {
    is_below(name) && name.file_name().and_then(OsStr::to_str).is_some_and(temporary::is_name)
}
