//! Changes to several files and folders that are complete or have no effect, even if the process is killed.
//!
//! New files and folders are first written under temporary names near their targets, on the same file system. Then a
//! journal is renamed into place. This one rename commits the change. The journal lists the renames that move everything
//! to its target, and the files to delete afterwards. The next command that finds a journal finishes the change with
//! [`recover`](super::journal::recover). It skips the renames that were made before, so it does not matter where the
//! interrupted command stopped. If a rename fails, the earlier renames are undone. A change that is a single rename needs
//! no journal.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::files::{self, Action, cannot, failed};
use super::journal::{JOURNAL, Journal, Kind, Rename, inode};
use super::temporary;
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};

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
pub enum End {
    Made,
    /// Everything is as before, because of this error.
    Undone(anyhow::Error),
}

/// Makes one change below `base`, which errors call `shown`. The caller must hold the lock on `base`.
///
/// # Errors
/// If the change fails, everything is as before and no temporary file is left. If that is not possible, the error lists
/// each file that can contain a private key, or says that the next command finishes the change.
pub fn change(base: &Path, shown: &Path, prepare: impl FnOnce(&mut Transaction) -> Result<()>) -> Result<()> {
    let mut transaction =
        Transaction { base, shown, renames: Vec::new(), delete: Vec::new(), temporary: Vec::new() };
    match prepare(&mut transaction) {
        Ok(()) => transaction.commit(),
        Err(error) => Err(transaction.discard(error)),
    }
}

impl<'a> Transaction<'a> {
    /// Restores the change of an existing journal.
    pub fn recovered(
        base: &'a Path,
        shown: &'a Path,
        renames: Vec<Rename>,
        delete: Vec<PathBuf>,
        temporary: Vec<PathBuf>,
    ) -> Self {
        Self { base, shown, renames, delete, temporary }
    }

    /// Creates a folder with mode 0700 at `target`.
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

    /// Creates a file at `target`, which must not exist.
    pub fn put_new_file(&mut self, target: &Path, artifact: &Artifact) -> Result<()> {
        self.put(target, artifact, Kind::New)
    }

    /// Creates a file at `target`, or replaces the file there. At every moment `target` is either the old or the new
    /// file.
    pub fn put_file(&mut self, target: &Path, artifact: &Artifact) -> Result<()> {
        self.put(target, artifact, Kind::Replace)
    }

    fn put(&mut self, target: &Path, artifact: &Artifact, kind: Kind) -> Result<()> {
        let (from, path) = self.temporary_beside(target)?;
        files::write_new(&path, artifact)
            .map_err(|error| failed(Action::Write, &self.shown.join(target), &error))?;
        self.rename(from, target.to_owned(), kind)
    }

    /// Removes a folder and its contents.
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

    /// Makes a temporary name near `target`, and returns it with its path.
    fn temporary_beside(&mut self, target: &Path) -> Result<(PathBuf, PathBuf)> {
        let name =
            temporary::new_name().map_err(|error| failed(Action::Write, &self.shown.join(target), &error))?;
        // Temporary names are at most one level deep, because [`temporary::sweep`] looks only in the store's folder and
        // its direct subfolders.
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

    /// Commits the change by writing the journal.
    fn write_journal(&mut self) -> Result<()> {
        for n in 0..self.renames.len() {
            if self.renames[n].kind == Kind::Replace {
                self.keep_replaced_file(n)?;
            }
        }
        // The temporary files are synced to the disk before the journal that lists them.
        for folder in self.folders_of(|rename| vec![&rename.from]) {
            files::sync_dir(&folder);
        }
        let shown = self.shown.join(JOURNAL);
        let folder = fs::metadata(self.base).map_err(|error| failed(Action::Read, self.shown, &error))?;
        let journal = Journal::new(&folder, self.renames.clone(), self.delete.clone());
        let journal = Artifact::private(JOURNAL, serde_json::to_vec_pretty(&journal)?);
        let (_, path) = self.temporary_beside(Path::new(JOURNAL))?;
        files::write_new(&path, &journal)
            .and_then(|()| fs::rename(&path, self.base.join(JOURNAL)))
            .map_err(|error| failed(Action::Write, &shown, &error))?;
        files::sync_dir(self.base);
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
            Kind::New | Kind::Replace => vec![&rename.from, &rename.to],
        })
    }

    fn folders_of<'b>(&'b self, names: impl Fn(&'b Rename) -> Vec<&'b PathBuf>) -> BTreeSet<PathBuf> {
        let names = self.renames.iter().flat_map(names);
        names.map(|name| files::parent(&self.base.join(name)).to_owned()).collect()
    }

    /// Makes the renames and deletions of the change. If a rename fails, undoes the change.
    pub fn finish(&self, is_journaled: bool) -> Result<End> {
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
                .undo(self.base)
                .map_err(|error| write_failed(cannot(Action::Undo, &self.shown.join(&rename.to), &error)))?;
        }
        self.folders().iter().for_each(|folder| files::sync_dir(folder));
        self.remove_journal()?;
        // If a power failure restored the journal, recovery would make the change that is reported as failed.
        files::sync_dir(self.base);
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
    pub fn delete_temporary(&self) -> Vec<PathBuf> {
        let left = self.temporary.iter().filter(|name| files::delete(&self.base.join(name)).is_err());
        left.flat_map(|name| self.private_files(name)).collect()
    }

    /// The files at or below `name` that can contain a private key, with the paths that errors show.
    fn private_files(&self, name: &Path) -> Vec<PathBuf> {
        let files = temporary::private_files(&self.base.join(name));
        files.iter().map(|file| self.shown.join(file.strip_prefix(self.base).unwrap_or(file))).collect()
    }
}

/// An error that does not say whether something was changed.
fn write_failed(message: String) -> anyhow::Error {
    Diagnostic::error(Code::WriteFailed, message).into()
}
