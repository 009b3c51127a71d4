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

use anyhow::Result;

use super::Store;
use super::file_system::FileSystem;
use super::files::{self, Action, cannot, failed};
use super::journal::{self, JOURNAL, Journal, Kind, Rename, Scope, inode};
use super::lock;
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
    renames: Vec<Rename>,
    delete: Vec<PathBuf>,
    /// All temporary names in use.
    temporary: Vec<PathBuf>,
    /// Files that are written and not synced yet, with their names in errors.
    unsynced: Vec<(PathBuf, File)>,
    /// The file system, if it is synced as a whole after the last file.
    file_system: Option<FileSystem>,
    /// Temporary folders whose names are not synced yet.
    unsynced_folders: BTreeSet<PathBuf>,
}

/// Maximum number of files that are open until they are synced. Most systems allow 256 open files or more. A change with more files syncs
/// the whole file system once, which takes less time than a thousand files one by one.
const MAX_UNSYNCED: usize = 64;

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
            base,
            shown,
            scope,
            lock: None,
            #[cfg(unix)]
            back: None,
            ca_users: None,
            is_journaled: false,
            renames: Vec::new(),
            delete: Vec::new(),
            temporary: Vec::new(),
            unsynced: Vec::new(),
            file_system: None,
            unsynced_folders: BTreeSet::new(),
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
        interrupted.temporary = journal.temporary();
        (interrupted.renames, interrupted.delete) = (journal.renames, journal.delete);
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
    pub fn commit(mut self, changes: &[Change]) -> Result<()> {
        if let (Scope::Store, Some(lock)) = (self.scope, &self.lock) {
            let path = self.shown.join(lock::STORE);
            lock.set_len(0).map_err(|error| failed(Action::Write, &path, &error))?;
        }
        if let Err(error) = self.prepare(changes) {
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

    /// Writes the new files under temporary names, and then the journal, if the change needs one.
    fn prepare(&mut self, changes: &[Change]) -> Result<()> {
        self.file_system = self.file_system_of(changes);
        for change in changes {
            match change {
                Change::NewFolder(target, artifacts) => self.put_dir(target, artifacts)?,
                Change::NewFile(target, artifact) => self.put(target, artifact, Kind::New)?,
                Change::File(target, artifact) => self.put(target, artifact, Kind::Replace)?,
                Change::Move(from, to) => self.rename(from.clone(), to.clone(), Kind::Move)?,
                Change::Remove(target) => self.remove(target)?,
            }
        }
        match &self.file_system {
            Some(file_system) => {
                file_system.sync().map_err(|error| failed(Action::Write, self.shown, &error))?;
            }
            None => {
                self.sync_files()?;
                self.unsynced_folders.iter().for_each(|folder| files::sync_dir(folder));
            }
        }
        let is_one_rename = matches!(&self.renames[..], [rename] if rename.kind != Kind::Remove);
        if !is_one_rename {
            self.write_journal()?;
            self.is_journaled = true;
        }
        Ok(())
    }

    /// The file system of a change with so many files that it is synced as a whole.
    fn file_system_of(&self, changes: &[Change]) -> Option<FileSystem> {
        let (mut count, mut folders) = (0, BTreeSet::new());
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

    fn put_dir(&mut self, target: &Path, artifacts: &[Artifact]) -> Result<()> {
        let shown = self.shown.join(target);
        let (from, path) = self.temporary_beside(target)?;
        files::make_new_dir(&path)
            .map_err(|error| failed(Action::MakeFolderIn, files::parent(&shown), &error))?;
        self.unsynced_folders.insert(path.clone());
        for artifact in artifacts {
            let file = path.join(&artifact.path);
            let folder = files::parent(&file);
            let made = match self.unsynced_folders.insert(folder.to_owned()) {
                true => files::make_dirs(folder),
                false => Ok(()),
            };
            let name = shown.join(&artifact.path);
            made.map_err(|error| failed(Action::Write, &name, &error))?;
            self.write(&file, artifact, name)?;
        }
        self.rename(from, target.to_owned(), Kind::New)
    }

    fn put(&mut self, target: &Path, artifact: &Artifact, kind: Kind) -> Result<()> {
        let (from, path) = self.temporary_beside(target)?;
        self.write(&path, artifact, self.shown.join(target))?;
        self.rename(from, target.to_owned(), kind)
    }

    /// Creates a file, which [`prepare`](Self::prepare) syncs. `shown` is its name in errors.
    fn write(&mut self, path: &Path, artifact: &Artifact, shown: PathBuf) -> Result<()> {
        let file = files::write_unsynced(path, artifact);
        let file = file.map_err(|error| failed(Action::Write, &shown, &error))?;
        if self.file_system.is_some() {
            return Ok(());
        }
        files::start_sync(&file);
        self.unsynced.push((shown, file));
        if self.unsynced.len() >= MAX_UNSYNCED { self.sync_files() } else { Ok(()) }
    }

    /// Syncs the written files to the disk and closes them.
    fn sync_files(&mut self) -> Result<()> {
        self.unsynced.drain(..).try_for_each(|(shown, file)| {
            file.sync_all().map_err(|error| failed(Action::Write, &shown, &error))
        })
    }

    fn remove(&mut self, target: &Path) -> Result<()> {
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

    /// Makes a temporary name near `target`, and returns it with its path.
    fn temporary_beside(&mut self, target: &Path) -> Result<(PathBuf, PathBuf)> {
        let name =
            temporary::new_name().map_err(|error| failed(Action::Write, &self.shown.join(target), &error))?;
        let name = folder_of_temporary(target).join(name);
        self.temporary.push(name.clone());
        let path = self.base.join(&name);
        Ok((name, path))
    }

    /// Commits the change by writing the journal.
    fn write_journal(&mut self) -> Result<()> {
        for n in 0..self.renames.len() {
            if self.renames[n].kind == Kind::Replace {
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
        let journal = Journal::new(&folder, self.renames.clone(), self.delete.clone());
        let journal = journal.file(self.scope).map_err(|error| failed(Action::Write, &shown, &error))?;
        let (_, path) = self.temporary_beside(Path::new(JOURNAL))?;
        files::write_new(&path, &journal)
            .and_then(|()| fs::rename(&path, self.base.join(JOURNAL)))
            .map_err(|error| failed(Action::Write, &shown, &error))?;
        files::sync_dir(&self.base);
        Ok(())
    }

    /// Gives the file that will be replaced a second name, so that it can be restored.
    fn keep_replaced_file(&mut self, n: usize) -> Result<()> {
        let target = self.renames[n].to.clone();
        let there = self.base.join(&target);
        let read = |error| failed(Action::Read, &self.shown.join(&target), &error);
        let metadata = match there.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            metadata => metadata.map_err(read)?,
        };
        let (name, path) = self.temporary_beside(&target)?;
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
        self.renames[n].before = Some(name.clone());
        self.delete.push(name);
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
        let names = self.renames.iter().flat_map(names);
        names.map(|name| files::parent(&self.base.join(name)).to_owned()).collect()
    }

    /// Makes the renames and deletions of the change. If a rename fails, undoes the change.
    fn finish(&self) -> Result<End> {
        for rename in &self.renames {
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
        for name in &self.delete {
            if let Err(error) = files::delete(&self.base.join(name)) {
                failed = failed.or(Some(cannot(Action::Delete, &self.shown.join(name), &error)));
            }
        }
        let Some(cannot) = failed else { return Ok(()) };
        let mut message = format!("the change is made, but hostseed {cannot}");
        let left: Vec<_> = self.delete.iter().flat_map(|name| self.private_files(name)).collect();
        if !left.is_empty() {
            message += &format!("; {}", temporary::still_there(&left));
        }
        Err(Diagnostic::error(Code::LeftBehind, message)
            .hint(format!("the next command tries again; or {}", temporary::DELETE_THEM))
            .into())
    }

    fn undo(&self) -> Result<()> {
        for rename in self.renames.iter().rev() {
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
        let left = self.temporary.iter().filter(|name| files::delete(&self.base.join(name)).is_err());
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

/// The folder of the temporary name of a file or folder, relative to the transaction's folder. Temporary names are at most one level deep,
/// because [`temporary::sweep`] looks only in the store's folder and its direct subfolders.
fn folder_of_temporary(target: &Path) -> PathBuf {
    let folder = target.parent().and_then(|folder| folder.components().next());
    folder.map_or_else(PathBuf::new, |folder| PathBuf::from(folder.as_os_str()))
}

/// An error that does not say whether something was changed.
fn write_failed(message: String) -> anyhow::Error {
    Diagnostic::error(Code::WriteFailed, message).into()
}
