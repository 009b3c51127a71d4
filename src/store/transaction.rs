//! A change of several files and folders that happens whole or not at all, whatever ends the process.
//!
//! New files and folders are written under temporary names near their places, on the same file system. Then a journal is renamed into place: this
//! one rename commits the change. The journal lists the renames that put everything into its place, and what to delete
//! afterwards. Whoever finds a journal finishes it with [`recover`]: each rename is made unless it was made before, so it
//! does not matter how far the interrupted command came. When a rename fails, those before it are undone. A change that is
//! a single rename needs no journal.
//!
//! A journal can come from somebody else, in a folder that was unpacked or copied. So it has in it the inode numbers of its
//! folder and of all that it renames or deletes, which only the command that made these files knew.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::files::{self, Action, cannot, failed};
use super::trust::{self, Trust};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};

/// The journal's name. It is no name of a temporary file, so no sweep removes it.
pub const JOURNAL: &str = ".hostseed.journal";
const VERSION: u32 = 1;
/// A longer journal was not written by hostseed.
const MAX_JOURNAL: u64 = 1 << 20;

/// What is still to be done. Names only, relative to the journal's folder.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Journal {
    version: u32,
    /// The inode number of the journal's folder.
    folder: u64,
    renames: Vec<Rename>,
    /// Temporary files and folders that are deleted after the last rename.
    delete: Vec<PathBuf>,
}

#[derive(Serialize, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Rename {
    /// The inode number of what is renamed.
    what: u64,
    from: PathBuf,
    to: PathBuf,
    kind: Kind,
    /// Another name of the file that is replaced, to undo it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<PathBuf>,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// Nothing has that name yet.
    New,
    /// The new file takes the place of one that may be there.
    Replace,
    /// What is there goes into a temporary folder, which is deleted.
    Remove,
}

/// A change that is being prepared.
pub struct Transaction<'a> {
    base: &'a Path,
    /// The name of `base` in errors.
    shown: &'a Path,
    renames: Vec<Rename>,
    delete: Vec<PathBuf>,
    /// All temporary names in use.
    temporary: Vec<PathBuf>,
}

/// How a committed change ended.
enum End {
    Made,
    /// As before, because of this error.
    Undone(anyhow::Error),
}

/// Makes one change below `base`, which errors call `shown`. The caller holds the lock on `base`.
///
/// # Errors
/// Fails with everything as it was before and with no temporary file left. Where that is not possible, the error names each
/// file that may hold a key, or says that the next command finishes the change.
pub fn change(base: &Path, shown: &Path, prepare: impl FnOnce(&mut Transaction) -> Result<()>) -> Result<()> {
    let mut transaction =
        Transaction { base, shown, renames: Vec::new(), delete: Vec::new(), temporary: Vec::new() };
    match prepare(&mut transaction) {
        Ok(()) => transaction.commit(),
        Err(error) => Err(transaction.discard(error)),
    }
}

impl Transaction<'_> {
    /// Puts a new folder, 0700, at `target`.
    pub fn put_dir(&mut self, target: &Path, artifacts: &[Artifact]) -> Result<()> {
        let shown = self.shown.join(target);
        let (from, path) = self.temporary_beside(target)?;
        files::make_new_dir(&path)
            .map_err(|error| failed(Action::MakeFolderIn, files::parent(&shown), &error))?;
        for artifact in artifacts {
            files::write_new(&path.join(&artifact.path), artifact)
                .map_err(|error| failed(Action::Write, &shown.join(&artifact.path), &error))?;
        }
        files::sync_dir(&path);
        self.rename(from, target.to_owned(), Kind::New)
    }

    /// Puts a file at `target`, where no file may be.
    pub fn put_new_file(&mut self, target: &Path, artifact: &Artifact) -> Result<()> {
        self.put(target, artifact, Kind::New)
    }

    /// Puts a file at `target`, in place of one that may be there. There is no moment without a file.
    pub fn put_file(&mut self, target: &Path, artifact: &Artifact) -> Result<()> {
        self.put(target, artifact, Kind::Replace)
    }

    fn put(&mut self, target: &Path, artifact: &Artifact, kind: Kind) -> Result<()> {
        let (from, path) = self.temporary_beside(target)?;
        files::write_new(&path, artifact)
            .map_err(|error| failed(Action::Write, &self.shown.join(target), &error))?;
        self.rename(from, target.to_owned(), kind)
    }

    /// Removes a folder with everything in it.
    pub fn remove(&mut self, target: &Path) -> Result<()> {
        let (within, path) = self.temporary_beside(target)?;
        let shown = self.shown.join(target);
        files::make_new_dir(&path)
            .map_err(|error| failed(Action::MakeFolderIn, files::parent(&shown), &error))?;
        let to = within.join(target.file_name().unwrap_or_default());
        self.rename(target.to_owned(), to, Kind::Remove)?;
        self.delete.push(within);
        Ok(())
    }

    fn rename(&mut self, from: PathBuf, to: PathBuf, kind: Kind) -> Result<()> {
        let what = (self.base.join(&from).symlink_metadata())
            .map(|metadata| inode(&metadata))
            .map_err(|error| failed(Action::Read, &self.shown.join(&from), &error))?;
        self.renames.push(Rename { what, from, to, kind, before: None });
        Ok(())
    }

    /// A new temporary name near `target`, and its path.
    fn temporary_beside(&mut self, target: &Path) -> Result<(PathBuf, PathBuf)> {
        let name = files::temporary_name()
            .map_err(|error| failed(Action::Write, &self.shown.join(target), &error))?;
        // A store has no temporary files deeper than in its own folders, where a sweep finds them.
        let folder = target.parent().and_then(|folder| folder.components().next());
        let name = folder.map_or_else(PathBuf::new, |folder| PathBuf::from(folder.as_os_str())).join(name);
        self.temporary.push(name.clone());
        let path = self.base.join(&name);
        Ok((name, path))
    }

    fn commit(mut self) -> Result<()> {
        let is_one_rename = matches!(&self.renames[..], [rename] if rename.kind != Kind::Remove);
        if !is_one_rename && let Err(error) = self.write_journal() {
            return Err(self.discard(error));
        }
        match self.finish(!is_one_rename)? {
            End::Made => Ok(()),
            End::Undone(error) => Err(self.discard(error)),
        }
    }

    /// Commits.
    fn write_journal(&mut self) -> Result<()> {
        for n in 0..self.renames.len() {
            if self.renames[n].kind == Kind::Replace {
                self.keep_before(n)?;
            }
        }
        // The names that the journal lists are durable before it is.
        for folder in self.folders_of(|rename| vec![&rename.from]) {
            files::sync_dir(&folder);
        }
        let shown = self.shown.join(JOURNAL);
        let folder = fs::metadata(self.base).map_err(|error| failed(Action::Read, self.shown, &error))?;
        let folder = inode(&folder);
        let journal =
            Journal { version: VERSION, folder, renames: self.renames.clone(), delete: self.delete.clone() };
        let journal = Artifact::private(JOURNAL, serde_json::to_vec_pretty(&journal)?);
        let (_, path) = self.temporary_beside(Path::new(JOURNAL))?;
        files::write_new(&path, &journal)
            .and_then(|()| fs::rename(&path, self.base.join(JOURNAL)))
            .map_err(|error| failed(Action::Write, &shown, &error))?;
        files::sync_dir(self.base);
        Ok(())
    }

    /// Gives the file that is to be replaced a second name.
    fn keep_before(&mut self, n: usize) -> Result<()> {
        let target = self.renames[n].to.clone();
        let there = self.base.join(&target);
        let read = |error| failed(Action::Read, &self.shown.join(&target), &error);
        let metadata = match there.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            metadata => metadata.map_err(read)?,
        };
        let (name, path) = self.temporary_beside(&target)?;
        // Not every file system has hard links.
        if fs::hard_link(&there, &path).is_err() {
            let mut copy = Artifact::private(
                JOURNAL,
                fs::read(&there).map_err(|error| failed(Action::Read, &self.shown.join(&target), &error))?,
            );
            #[cfg(unix)]
            {
                copy.mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
            }
            let _ = (&metadata, &mut copy);
            files::write_new(&path, &copy)
                .map_err(|error| failed(Action::Write, &self.shown.join(&target), &error))?;
        }
        self.renames[n].before = Some(name.clone());
        self.delete.push(name);
        Ok(())
    }

    /// The folders with names that change. A folder that will be deleted with all that is in it is none of them.
    fn folders(&self) -> BTreeSet<PathBuf> {
        self.folders_of(|rename| match rename.kind {
            Kind::Remove => vec![&rename.from],
            Kind::New | Kind::Replace => vec![&rename.from, &rename.to],
        })
    }

    fn folders_of<'b>(&'b self, names: impl Fn(&'b Rename) -> Vec<&'b PathBuf>) -> BTreeSet<PathBuf> {
        let names = self.renames.iter().flat_map(names);
        names.map(|name| files::parent(&self.base.join(name)).to_owned()).collect()
    }

    /// Does what the journal lists, or undoes it when a rename fails.
    fn finish(&self, is_journaled: bool) -> Result<End> {
        for rename in &self.renames {
            if let Err(error) = rename.make(self.base) {
                let (action, name) = match rename.kind {
                    Kind::Remove => (Action::Remove, &rename.from),
                    Kind::New | Kind::Replace => (Action::Write, &rename.to),
                };
                let name = self.shown.join(name);
                if is_journaled && let Err(undo) = self.undo() {
                    let message = format!("{}; {undo:#}", cannot(action, &name, &error));
                    return Err(Diagnostic::error(Code::UnfinishedChange, message)
                        .hint("the change is not finished: the next command on this folder finishes it")
                        .into());
                }
                return Ok(End::Undone(failed(action, &name, &error)));
            }
        }
        if !is_journaled {
            self.folders().iter().for_each(|folder| files::sync_dir(folder));
            return Ok(End::Made);
        }
        self.folders().iter().for_each(|folder| files::sync_dir(folder));
        self.delete_replaced()?;
        self.remove_journal()?;
        Ok(End::Made)
    }

    /// Deletes what the journal lists. What cannot be deleted keeps nothing else from it.
    fn delete_replaced(&self) -> Result<()> {
        let mut failed = None;
        for name in &self.delete {
            if let Err(error) = files::delete(&self.base.join(name)) {
                failed = failed.or(Some(cannot(Action::Delete, &self.shown.join(name), &error)));
            }
        }
        let Some(cannot) = failed else { return Ok(()) };
        let mut message = format!("the change is made, but hostseed {cannot}");
        let left: Vec<_> = self.delete.iter().flat_map(|name| self.private_files(name)).collect();
        if !left.is_empty() {
            message += &format!("; {}", files::still_there(&left));
        }
        Err(Diagnostic::error(Code::LeftBehind, message)
            .hint(format!("the next command tries again; or {}", files::DELETE_THEM))
            .into())
    }

    fn undo(&self) -> Result<()> {
        for rename in self.renames.iter().rev() {
            rename
                .undo(self.base)
                .map_err(|error| write_failed(cannot(Action::Undo, &self.shown.join(&rename.to), &error)))?;
        }
        self.folders().iter().for_each(|folder| files::sync_dir(folder));
        self.remove_journal()
    }

    /// A journal that comes back after a power failure lists only what is done already.
    fn remove_journal(&self) -> Result<()> {
        fs::remove_file(self.base.join(JOURNAL))
            .map_err(|error| write_failed(cannot(Action::Remove, &self.shown.join(JOURNAL), &error)))
    }

    /// Deletes what was written under temporary names, and adds to the error what could not be deleted.
    fn discard(&self, error: anyhow::Error) -> anyhow::Error {
        files::with_left(error, &self.delete_temporary())
    }

    /// Deletes what was written under temporary names. Returns the files with keys that are still there.
    fn delete_temporary(&self) -> Vec<PathBuf> {
        let left = self.temporary.iter().filter(|name| files::delete(&self.base.join(name)).is_err());
        left.flat_map(|name| self.private_files(name)).collect()
    }

    /// The files at or below `name` that may hold a key, as errors call them.
    fn private_files(&self, name: &Path) -> Vec<PathBuf> {
        let files = files::private_files(&self.base.join(name));
        files.iter().map(|file| self.shown.join(file.strip_prefix(self.base).unwrap_or(file))).collect()
    }
}

impl Rename {
    /// Makes the rename, unless it was made before.
    fn make(&self, base: &Path) -> io::Result<()> {
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
    fn undo(&self, base: &Path) -> io::Result<()> {
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
    let transaction =
        Transaction { base, shown, renames: journal.renames, delete: journal.delete, temporary };
    match transaction.finish(true)? {
        End::Made => Ok(()),
        // Everything is as before the interrupted command.
        End::Undone(error) => match &transaction.delete_temporary()[..] {
            [] => Ok(()),
            left => Err(files::with_left(error, left)),
        },
    }
}

/// Removes temporary files and folders from `dir`: those of the caller's that are at least `age` old at `now`, where one is
/// given. Follows no link.
pub fn sweep(dir: &Path, shown: &Path, age: Option<(SystemTime, Duration)>) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.to_str().is_some_and(files::is_temporary) {
            continue;
        }
        let Ok(metadata) = entry.metadata() else { continue };
        let is_old = age.is_none_or(|(now, age)| {
            metadata.modified().is_ok_and(|then| now.duration_since(then).is_ok_and(|passed| passed >= age))
        });
        if is_old && (metadata.is_file() || metadata.is_dir()) && trust::is_own(&metadata) {
            files::delete(&dir.join(&name)).map_err(|error| {
                files::with_left(
                    failed(Action::Remove, &shown.join(&name), &error),
                    &files::private_files(&dir.join(&name)),
                )
            })?;
        }
    }
    Ok(())
}

/// The inode number: which file or folder it is, whatever it is called. The device's number does not count: it can be another one
/// after the machine was started anew. Zero where the system has no such numbers.
fn inode(metadata: &fs::Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    {
        let _ = metadata;
        0
    }
}

/// An error that does not say whether something was changed.
fn write_failed(message: String) -> anyhow::Error {
    Diagnostic::error(Code::WriteFailed, message).into()
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
    is_below(name) && name.file_name().and_then(OsStr::to_str).is_some_and(files::is_temporary)
}
