//! New files and folders under temporary names near their targets, and the renames that move them there. Several threads can each write a
//! part of a change.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::files::{self, Action, failed};
use super::journal::{Kind, Rename, inode};
use super::temporary;
use super::transaction::Change;
use crate::artifact::Artifact;

/// Maximum number of files that are open until they are synced. Most systems allow 256 open files or more. A change with more files syncs
/// the whole file system once, which takes less time than a thousand files one by one.
pub const MAX_UNSYNCED: usize = 64;

/// A part of a change before its commit.
pub struct Staged<'a> {
    /// The folder of the change.
    base: PathBuf,
    /// The name of `base` in errors.
    shown: &'a Path,
    /// Number of files that are open until they are synced. `None` if the whole file system is synced after the last file.
    pub max_unsynced: Option<usize>,
    pub renames: Vec<Rename>,
    /// Temporary files and folders that are deleted after the last rename.
    pub delete: Vec<PathBuf>,
    /// All temporary names in use.
    pub temporary: Vec<PathBuf>,
    /// Files that are written and not synced yet, with their names in errors.
    unsynced: Vec<(PathBuf, File)>,
    /// Temporary folders whose names are not synced yet.
    unsynced_folders: BTreeSet<PathBuf>,
}

impl<'a> Staged<'a> {
    pub fn new(base: PathBuf, shown: &'a Path) -> Self {
        Self {
            base,
            shown,
            max_unsynced: Some(MAX_UNSYNCED),
            renames: Vec::new(),
            delete: Vec::new(),
            temporary: Vec::new(),
            unsynced: Vec::new(),
            unsynced_folders: BTreeSet::new(),
        }
    }

    /// Writes the new files of a part of a change under temporary names.
    pub fn put(&mut self, change: &Change) -> Result<()> {
        match change {
            Change::NewFolder(target, artifacts) => self.put_dir(target, artifacts),
            Change::NewFile(target, artifact) => self.put_file(target, artifact, Kind::New),
            Change::File(target, artifact) => self.put_file(target, artifact, Kind::Replace),
            Change::Move(from, to) => self.rename(from.clone(), to.clone(), Kind::Move),
            Change::Remove(target) => self.remove(target),
        }
    }

    /// Adds what another thread has written and synced.
    pub fn add(&mut self, other: Staged) {
        self.renames.extend(other.renames);
        self.delete.extend(other.delete);
        self.temporary.extend(other.temporary);
    }

    /// Syncs the new files and folders to the disk, unless the whole file system is synced later.
    pub fn sync(&mut self) -> Result<()> {
        if self.max_unsynced.is_some() {
            self.sync_files()?;
            self.unsynced_folders.iter().for_each(|folder| files::sync_dir(folder));
        }
        Ok(())
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

    fn put_file(&mut self, target: &Path, artifact: &Artifact, kind: Kind) -> Result<()> {
        let (from, path) = self.temporary_beside(target)?;
        self.write(&path, artifact, self.shown.join(target))?;
        self.rename(from, target.to_owned(), kind)
    }

    /// Creates a file, which [`sync`](Self::sync) syncs. `shown` is its name in errors.
    fn write(&mut self, path: &Path, artifact: &Artifact, shown: PathBuf) -> Result<()> {
        let file = files::write_unsynced(path, artifact);
        let file = file.map_err(|error| failed(Action::Write, &shown, &error))?;
        let Some(max) = self.max_unsynced else { return Ok(()) };
        files::start_sync(&file);
        self.unsynced.push((shown, file));
        if self.unsynced.len() >= max { self.sync_files() } else { Ok(()) }
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
    pub fn temporary_beside(&mut self, target: &Path) -> Result<(PathBuf, PathBuf)> {
        let name =
            temporary::new_name().map_err(|error| failed(Action::Write, &self.shown.join(target), &error))?;
        let name = folder_of_temporary(target).join(name);
        self.temporary.push(name.clone());
        let path = self.base.join(&name);
        Ok((name, path))
    }
}

/// The folder of the temporary name of a file or folder, relative to the transaction's folder. Temporary names are at most one level deep,
/// because [`temporary::sweep`] looks only in the store's folder and its direct subfolders.
pub fn folder_of_temporary(target: &Path) -> PathBuf {
    let folder = target.parent().and_then(|folder| folder.components().next());
    folder.map_or_else(PathBuf::new, |folder| PathBuf::from(folder.as_os_str()))
}
