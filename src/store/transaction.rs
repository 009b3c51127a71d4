//! Changes to several files and folders that are complete or have no effect, even if the process is killed.
//!
//! A [`Transaction`] is the only guard of the store: it holds the lock on its folder, keeps the folder open where another
//! user could replace it, and releases both when dropped.
//!
//! New files and folders are first written under temporary names near their targets, on the same file system, and then synced together: each
//! of a few, or the whole file system for many.
//! Then a journal is renamed into place. This one rename commits the change. So after a power cut a change is whole or has no effect, and
//! it is whole if the command ended. The journal lists the renames that move everything
//! to its target, and the files to delete afterwards. The next command that finds a journal finishes the change with
//! [`Transaction::recover`]. It skips the renames that were made before, so it does not matter where the
//! interrupted command stopped. If a rename fails, the earlier renames are undone. A change that is a single rename needs
//! no journal.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anyhow::Result;
use rayon::prelude::*;

use super::Store;
use super::file_system::FileSystem;
use super::files::{self, Action, cannot, failed};
use super::journal::{self, JOURNAL, Journal, Kind, Rename, Scope};
use super::lock;
use super::staged::{MAX_UNSYNCED, Staged, folder_of_temporary};
use super::state::{self, CaUsers};
use super::temporary;
use super::trust::Trust;
#[cfg(unix)]
use super::trust::enter;
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};

/// One change below a folder. When dropped, it unlocks the folder and restores the working folder.
pub struct Transaction<'a> {
    /// The folder: a path, or `.` if the folder is the working folder.
    base: PathBuf,
    /// The name of `base` in errors.
    shown: &'a Path,
    scope: Scope,
    /// The locked lock file.
    lock: Option<File>,
    /// The previous working folder.
    #[cfg(unix)]
    back: Option<std::os::fd::OwnedFd>,
    /// The CAs of the store's machines, which [`commit`](Self::commit) saves for the next command. `None` if they must be
    /// read from all machines.
    pub ca_users: Option<CaUsers>,
    is_journaled: bool,
    staged: Staged<'a>,
    /// The file system, if it is synced as a whole after the last file.
    file_system: Option<FileSystem>,
}

/// Files of a new machine, about.
const FILES_OF_PART: usize = 12;

/// The path of a folder, which must not exist, and its files, as in [`Change::NewFolder`].
pub type NewFolder = (PathBuf, Vec<Artifact>);

/// A part of a change. Paths are relative to the transaction's folder.
pub enum Change<'a> {
    /// Creates a folder with mode 0700, which must not exist. The paths of its files can have subfolders, which get the same mode.
    NewFolder(PathBuf, &'a [Artifact]),
    /// Creates a file, which must not exist.
    NewFile(PathBuf, &'a Artifact),
    /// Creates or replaces a file. At every moment the path is either the old or the new file.
    File(PathBuf, &'a Artifact),
    /// Moves a folder to a name that must not exist.
    Move(PathBuf, PathBuf),
    /// Removes a folder and its contents.
    Remove(PathBuf),
}

/// How a committed change ended.
enum End {
    Made,
    /// Everything is as before, because of this error.
    Undone(anyhow::Error),
}

impl<'a> Transaction<'a> {
    /// Locks a store and cleans up after an interrupted command. Waits while another process has the lock.
    pub fn on_store(store: &'a Store) -> Result<Self> {
        let (root, trust) = (&store.root, store.trust);
        let mut transaction = Self::new(root.clone(), root, Scope::Store);
        let lock = transaction.lock.insert(lock::wait(root, root, lock::STORE, trust)?);
        let mut known = None;
        if journal::is_unfinished(root) {
            transaction.recover(trust)?;
        } else if trust == Trust::Checked {
            known = state::load(lock, root);
        }
        temporary::sweep(root, root, None)?;
        match known {
            Some(ca_users) => transaction.ca_users = ca_users,
            None => {
                for folder in [store.machines(), store.certs()] {
                    temporary::sweep(&folder, &folder, None)?;
                }
                transaction.ca_users = store.names()?.is_empty().then(CaUsers::default);
            }
        }
        Ok(transaction)
    }

    /// Opens a folder of the user's choice, so that nobody can replace it. Does not lock it. Returns `None` if it does not
    /// exist.
    ///
    /// # Errors
    /// Fails if the path contains a link in a world-writable folder.
    pub fn in_folder(path: &Path, shown: &'a Path) -> Result<Option<Self>> {
        #[cfg(unix)]
        return Ok(enter(path)?.map(|back| {
            let mut transaction = Self::new(".".into(), shown, Scope::Output);
            transaction.back = Some(back);
            transaction
        }));
        #[cfg(not(unix))]
        return Ok(path.is_dir().then(|| Self::new(path.to_owned(), shown, Scope::Output)));
    }

    /// Locks the docker CLI's folder and finishes a change that was interrupted. Waits while another process has the lock.
    pub fn in_docker_config(dir: &'a Path, trust: Trust) -> Result<Self> {
        let mut transaction = Self::new(dir.to_owned(), dir, Scope::DockerConfig);
        transaction.lock = Some(lock::wait_on_output(dir, dir)?);
        transaction.recover(trust)?;
        Ok(transaction)
    }

    fn new(base: PathBuf, shown: &'a Path, scope: Scope) -> Self {
        Self {
            staged: Staged::new(base.clone(), shown),
            base,
            shown,
            scope,
            lock: None,
            #[cfg(unix)]
            back: None,
            ca_users: None,
            is_journaled: false,
            file_system: None,
        }
    }

    /// Locks an output folder and finishes a change that was interrupted. Waits while another process has the lock.
    pub fn lock_output(&mut self) -> Result<()> {
        self.lock = Some(lock::wait_on_output(&self.base, self.shown)?);
        self.recover(Trust::Checked)
    }

    /// The path of the transaction's folder. It can be relative to the working folder, and is valid while the transaction
    /// lives.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Finishes the change that an interrupted command left.
    ///
    /// # Errors
    /// Fails if the journal cannot be read, is not hostseed's, or was written for another folder.
    fn recover(&mut self, trust: Trust) -> Result<()> {
        let Some(journal) = journal::load(&self.base, self.shown, trust, self.scope)? else { return Ok(()) };
        let mut interrupted = Self::new(self.base.clone(), self.shown, self.scope);
        interrupted.staged.temporary = journal.temporary();
        (interrupted.staged.renames, interrupted.staged.delete) = (journal.renames, journal.delete);
        interrupted.is_journaled = true;
        match interrupted.finish()? {
            End::Made => Ok(()),
            // The folder is as it was before the interrupted command.
            End::Undone(error) => match &interrupted.delete_temporary()[..] {
                [] => Ok(()),
                left => Err(temporary::with_left(error, left)),
            },
        }
    }

    /// Makes the changes: all or none.
    ///
    /// # Errors
    /// If the change fails, everything is as before and no temporary file is left. If that is not possible, the error lists
    /// each file that can contain a private key, or says that the next command finishes the change.
    pub fn commit(self, changes: &[Change]) -> Result<()> {
        self.commit_with(changes, &[], 0, |_| Ok(Vec::new()))
    }

    /// Makes the changes, and `count` parts of new folders in the folders `parents`: all or none. `make` returns the new folders of a part, with
    /// their files. It is called on all processors, and what it returns is written at once, so that few of the files are in memory.
    ///
    /// # Errors
    /// Fails as [`commit`](Self::commit) does, and if `make` fails.
    pub fn commit_with(
        mut self,
        changes: &[Change],
        parents: &[&str],
        count: usize,
        make: impl Fn(usize) -> Result<Vec<NewFolder>> + Sync,
    ) -> Result<()> {
        if let (Scope::Store, Some(lock)) = (self.scope, &self.lock) {
            let path = self.shown.join(lock::STORE);
            lock.set_len(0).map_err(|error| failed(Action::Write, &path, &error))?;
        }
        self.file_system = self.file_system_of(changes, parents, count);
        if self.file_system.is_some() {
            self.staged.max_unsynced = None;
        }
        let prepared = changes.iter().try_for_each(|change| self.staged.put(change));
        let prepared = prepared.and_then(|()| self.write_parts(count, make)).and_then(|()| self.prepare());
        if let Err(error) = prepared {
            return Err(self.discard(error));
        }
        if let End::Undone(error) = self.finish()? {
            return Err(self.discard(error));
        }
        if let (Scope::Store, Some(lock)) = (self.scope, &self.lock) {
            state::save(lock, &self.base, self.ca_users.take());
        }
        Ok(())
    }

    /// Writes the parts of a change under temporary names. After an error, begins no further part.
    fn write_parts(
        &mut self,
        count: usize,
        make: impl Fn(usize) -> Result<Vec<NewFolder>> + Sync,
    ) -> Result<()> {
        let (base, shown) = (&self.base, self.shown);
        // The parts share the number of files that can be open.
        let max_unsynced = self.staged.max_unsynced.map(|max| if count > 1 { 1 } else { max });
        let is_failed = AtomicBool::new(false);
        let write = |n: usize| {
            let mut part = Staged::new(base.clone(), shown);
            part.max_unsynced = max_unsynced;
            let mut write = || {
                for (target, files) in make(n)? {
                    part.put(&Change::NewFolder(target, &files))?;
                }
                part.sync()
            };
            let result = if is_failed.load(Relaxed) { Ok(()) } else { write() };
            is_failed.fetch_or(result.is_err(), Relaxed);
            (part, result)
        };
        let parts: Vec<_> = match count {
            // Threads take longer to begin than one machine.
            0 | 1 => (0..count).map(write).collect(),
            _ => (0..count).into_par_iter().with_max_len(1).map(write).collect(),
        };
        let mut result = Ok(());
        for (part, of_part) in parts {
            self.staged.add(part);
            result = result.and(of_part);
        }
        result
    }

    /// Makes the new files durable, and then writes the journal, if the change needs one.
    fn prepare(&mut self) -> Result<()> {
        match &self.file_system {
            Some(file_system) => {
                file_system.sync().map_err(|error| failed(Action::Write, self.shown, &error))?;
            }
            None => self.staged.sync()?,
        }
        let is_one_rename = matches!(&self.staged.renames[..], [rename] if rename.kind != Kind::Remove);
        if !is_one_rename {
            self.write_journal()?;
            self.is_journaled = true;
        }
        Ok(())
    }

    /// The file system of a change with so many files that it is synced as a whole.
    fn file_system_of(&self, changes: &[Change], parents: &[&str], parts: usize) -> Option<FileSystem> {
        let mut folders: BTreeSet<_> = parents.iter().map(PathBuf::from).collect();
        let mut count = parts * FILES_OF_PART;
        for change in changes {
            let (target, files) = match change {
                Change::NewFolder(target, files) => (target, files.len()),
                Change::NewFile(target, _) | Change::File(target, _) => (target, 1),
                Change::Move(..) | Change::Remove(_) => continue,
            };
            count += files;
            folders.insert(folder_of_temporary(target));
        }
        let folders: Vec<_> = folders.iter().map(|folder| self.base.join(folder)).collect();
        (count > MAX_UNSYNCED)
            .then(|| FileSystem::of(&self.base, folders.iter().map(PathBuf::as_path)))
            .flatten()
    }

    /// Commits the change by writing the journal.
    fn write_journal(&mut self) -> Result<()> {
        for n in 0..self.staged.renames.len() {
            if self.staged.renames[n].kind == Kind::Replace {
                self.keep_replaced_file(n)?;
            }
        }
        // The temporary files are synced to the disk before the journal that lists them.
        if self.file_system.is_none() {
            for folder in self.folders_of(|rename| vec![&rename.from]) {
                files::sync_dir(&folder);
            }
        }
        let shown = self.shown.join(JOURNAL);
        let folder = fs::metadata(&self.base).map_err(|error| failed(Action::Read, self.shown, &error))?;
        let journal = Journal::new(&folder, self.staged.renames.clone(), self.staged.delete.clone());
        let journal = journal.file(self.scope).map_err(|error| failed(Action::Write, &shown, &error))?;
        let (_, path) = self.staged.temporary_beside(Path::new(JOURNAL))?;
        files::write_new(&path, &journal)
            .and_then(|()| fs::rename(&path, self.base.join(JOURNAL)))
            .map_err(|error| failed(Action::Write, &shown, &error))?;
        files::sync_dir(&self.base);
        Ok(())
    }

    /// Gives the file that will be replaced a second name, so that it can be restored.
    fn keep_replaced_file(&mut self, n: usize) -> Result<()> {
        let target = self.staged.renames[n].to.clone();
        let there = self.base.join(&target);
        let read = |error| failed(Action::Read, &self.shown.join(&target), &error);
        let metadata = match there.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            metadata => metadata.map_err(read)?,
        };
        let (name, path) = self.staged.temporary_beside(&target)?;
        // Some file systems do not support hard links.
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
        self.staged.renames[n].before = Some(name.clone());
        self.staged.delete.push(name);
        Ok(())
    }

    /// The folders in which names change, except temporary folders that will be deleted.
    fn folders(&self) -> BTreeSet<PathBuf> {
        self.folders_of(|rename| match rename.kind {
            Kind::Remove => vec![&rename.from],
            Kind::New | Kind::Replace | Kind::Move => vec![&rename.from, &rename.to],
        })
    }

    fn folders_of<'b>(&'b self, names: impl Fn(&'b Rename) -> Vec<&'b PathBuf>) -> BTreeSet<PathBuf> {
        let names = self.staged.renames.iter().flat_map(names);
        names.map(|name| files::parent(&self.base.join(name)).to_owned()).collect()
    }

    /// Makes the renames and deletions of the change. If a rename fails, undoes the change.
    fn finish(&self) -> Result<End> {
        for rename in &self.staged.renames {
            if let Err(error) = rename.make(&self.base) {
                let (action, name) = match rename.kind {
                    Kind::Remove => (Action::Remove, &rename.from),
                    Kind::New | Kind::Replace | Kind::Move => (Action::Write, &rename.to),
                };
                let name = self.shown.join(name);
                if self.is_journaled
                    && let Err(undo) = self.undo()
                {
                    let message = format!("{}; {undo:#}", cannot(action, &name, &error));
                    return Err(Diagnostic::error(Code::UnfinishedChange, message)
                        .hint("the change is not finished: the next command on this folder finishes it")
                        .into());
                }
                return Ok(End::Undone(failed(action, &name, &error)));
            }
        }
        self.folders().iter().for_each(|folder| files::sync_dir(folder));
        if self.is_journaled {
            self.delete_replaced()?;
            self.remove_journal()?;
        }
        Ok(End::Made)
    }

    /// Deletes the files that the journal lists. If one cannot be deleted, still deletes the others.
    fn delete_replaced(&self) -> Result<()> {
        let mut failed = None;
        for name in &self.staged.delete {
            if let Err(error) = files::delete(&self.base.join(name)) {
                failed = failed.or(Some(cannot(Action::Delete, &self.shown.join(name), &error)));
            }
        }
        let Some(cannot) = failed else { return Ok(()) };
        let mut message = format!("the change is made, but hostseed {cannot}");
        let left: Vec<_> = self.staged.delete.iter().flat_map(|name| self.private_files(name)).collect();
        if !left.is_empty() {
            message += &format!("; {}", temporary::still_there(&left));
        }
        Err(Diagnostic::error(Code::LeftBehind, message)
            .hint(format!("the next command tries again; or {}", temporary::DELETE_THEM))
            .into())
    }

    fn undo(&self) -> Result<()> {
        for rename in self.staged.renames.iter().rev() {
            rename
                .undo(&self.base)
                .map_err(|error| write_failed(cannot(Action::Undo, &self.shown.join(&rename.to), &error)))?;
        }
        self.folders().iter().for_each(|folder| files::sync_dir(folder));
        self.remove_journal()?;
        // If a power failure restored the journal, recovery would make the change that is reported as failed.
        files::sync_dir(&self.base);
        Ok(())
    }

    /// Removes the journal. If a power failure restores it after a complete change, recovery finds every rename made.
    fn remove_journal(&self) -> Result<()> {
        fs::remove_file(self.base.join(JOURNAL))
            .map_err(|error| write_failed(cannot(Action::Remove, &self.shown.join(JOURNAL), &error)))
    }

    /// Deletes the temporary files, and adds to the error the files that could not be deleted.
    fn discard(&self, error: anyhow::Error) -> anyhow::Error {
        temporary::with_left(error, &self.delete_temporary())
    }

    /// Deletes the temporary files. Returns the files that can contain private keys and could not be deleted.
    fn delete_temporary(&self) -> Vec<PathBuf> {
        let left = self.staged.temporary.iter().filter(|name| files::delete(&self.base.join(name)).is_err());
        left.flat_map(|name| self.private_files(name)).collect()
    }

    /// The files at or below `name` that can contain a private key, with the paths that errors show.
    fn private_files(&self, name: &Path) -> Vec<PathBuf> {
        let files = temporary::private_files(&self.base.join(name));
        files.iter().map(|file| self.shown.join(file.strip_prefix(&self.base).unwrap_or(file))).collect()
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.scope != Scope::Store && self.lock.is_some() {
            // If this fails, an empty file remains. The next command uses it and removes it.
            let _ = fs::remove_file(self.base.join(lock::OUTPUT));
        }
        #[cfg(unix)]
        if let Some(back) = &self.back {
            // If this fails, later code is safe: it uses absolute paths, or fails because a relative path does not exist.
            let _ = rustix::process::fchdir(back);
        }
    }
}

/// An error that does not say whether something was changed.
fn write_failed(message: String) -> anyhow::Error {
    Diagnostic::error(Code::WriteFailed, message).into()
}
