//! Files and folders that appear whole or not at all, with their modes from the first byte on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::{NamedTempFile, TempDir};

use crate::artifact::Artifact;
use crate::report::Failure;

/// What unfinished work is called. A name with a dot is no machine, to hostseed and to Docker Machine.
const UNFINISHED: &str = ".hostseed-";
const INSIDE: &str = "before";

/// An error that names the file and says that nothing happened.
pub fn failed(verb: &str, path: &Path, error: &io::Error) -> anyhow::Error {
    let reason = match error.kind() {
        io::ErrorKind::NotFound if verb == "read" => "it is not there".to_owned(),
        io::ErrorKind::NotFound => "its folder is not there".to_owned(),
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "a file stands where a folder should".to_owned()
        }
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::StorageFull => "no space left on device".to_owned(),
        _ => error.to_string(),
    };
    let outcome = if verb == "read" { "" } else { " (nothing was changed)" };
    Failure::new(format!("cannot {verb} `{}`: {reason}{outcome}", path.display())).into()
}

/// Reads a text file.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| failed("read", path, &error))
}

/// The right to write to a store, held by one process at a time.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Makes the store where there is none and waits until nobody else writes to it.
    pub fn take(root: &Path) -> Result<Self> {
        make_dir(root)?;
        let path = root.join("hostseed.lock");
        let open = || private_options().create(true).truncate(false).write(true).open(&path);
        let locked = open().and_then(|file| file.lock().map(|()| file));
        locked.map(|file| Self { _file: file }).map_err(|error| failed("lock", &path, &error))
    }

    /// Removes what an interrupted command left in `dir`. Under the lock nobody else's work can be there.
    pub fn sweep(&self, dir: &Path) -> Result<()> {
        let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                let path = entry.path();
                let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                removed.map_err(|error| failed("remove", &path, &error))?;
            }
        }
        Ok(())
    }

    /// Writes a folder beside where it will be, `target`. It is gone again unless it is placed.
    pub fn stage(&self, target: &Path, files: &[Artifact]) -> Result<Staged> {
        make_dir(parent(target))?;
        stage(target, files)
    }

    /// Writes a file unless there is one of its name. It is gone again unless it is kept.
    pub fn put_new(&self, dir: &Path, file: &Artifact) -> Result<NewFile> {
        let path = dir.join(&file.path);
        if path.symlink_metadata().is_ok() {
            return Ok(NewFile { path: None });
        }
        self.replace(dir, file)?;
        Ok(NewFile { path: Some(path) })
    }

    /// Writes a file; until it is whole, the one of before is there.
    pub fn replace(&self, dir: &Path, file: &Artifact) -> Result<()> {
        make_dir(dir)?;
        write_over(&dir.join(&file.path), file)
    }

    /// Takes a folder out of sight in one step. A folder that is not there is no error.
    pub fn hide(&self, dir: &Path) -> Result<Hidden> {
        Hidden::new(dir).map_err(|error| failed("remove", dir, &error))
    }
}

/// A file that was not there before, which is removed when dropped.
pub struct NewFile {
    path: Option<PathBuf>,
}

impl NewFile {
    /// Makes it stay.
    pub fn keep(mut self) {
        self.path = None;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// A folder out of sight, which comes back when dropped.
pub struct Hidden {
    dir: PathBuf,
    /// The unfinished folder that it is in, as [`INSIDE`].
    within: Option<PathBuf>,
}

impl Hidden {
    fn new(dir: &Path) -> io::Result<Self> {
        let mut hidden = Self { dir: dir.to_owned(), within: None };
        if let Ok(metadata) = dir.symlink_metadata() {
            if !metadata.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            let within = unfinished_dir(dir.parent().unwrap_or(Path::new(".")))?;
            fs::rename(dir, within.path().join(INSIDE))?;
            hidden.within = Some(within.keep());
        }
        Ok(hidden)
    }

    /// Lets it go: what is left of it may be deleted now.
    pub fn release(mut self) -> Option<PathBuf> {
        self.within.take()
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(within) = &self.within {
            // Nobody is left to tell of a failure here; what stays is swept up by the next command.
            let _ = fs::rename(within.join(INSIDE), &self.dir);
            let _ = fs::remove_dir(within);
        }
    }
}

/// Deletes what was let go.
pub fn delete(released: Option<PathBuf>) -> Result<()> {
    let Some(dir) = released else { return Ok(()) };
    fs::remove_dir_all(&dir).map_err(|error| {
        let message = format!(
            "it is removed, but what is left of it in `{}` cannot be deleted: {error}",
            dir.display()
        );
        Failure::new(message).hint("delete that folder: it holds keys").into()
    })
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn stage(target: &Path, files: &[Artifact]) -> Result<Staged> {
    let parent = parent(target);
    let dir = unfinished_dir(parent).map_err(|error| failed("make a folder in", parent, &error))?;
    for file in files {
        let path = dir.path().join(&file.path);
        write_new(&path, file).map_err(|error| failed("write", &target.join(&file.path), &error))?;
    }
    sync_dir(dir.path());
    Ok(Staged { dir, target: target.to_owned() })
}

/// A folder that is written and not yet in its place.
pub struct Staged {
    dir: TempDir,
    target: PathBuf,
}

impl Staged {
    /// Puts the folder where it belongs, in one step. What stood there comes back unless the folder is kept.
    pub fn place(self) -> Result<Placed> {
        let target = self.target;
        let place = || -> io::Result<Hidden> {
            let before = Hidden::new(&target)?;
            fs::rename(self.dir.path(), &target)?;
            Ok(before)
        };
        let before = place().map_err(|error| failed("write", &target, &error))?;
        // It has moved: there is nothing left to clean up.
        let _ = self.dir.keep();
        if let Some(parent) = target.parent() {
            sync_dir(parent);
        }
        Ok(Placed { target, before: Some(before) })
    }
}

/// A folder in its place, which is taken back when dropped.
pub struct Placed {
    target: PathBuf,
    /// What stood there, until the folder is kept.
    before: Option<Hidden>,
}

impl Placed {
    /// Makes it stay.
    pub fn keep(mut self) {
        if let Some(within) = self.before.take().and_then(Hidden::release) {
            let _ = fs::remove_dir_all(within);
        }
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if self.before.is_some()
            && let Ok(hidden) = Hidden::new(&self.target)
            && let Some(within) = hidden.release()
        {
            let _ = fs::remove_dir_all(within);
        }
    }
}

/// Makes unfinished files, 0600.
fn unfinished() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    builder
}

/// Makes an unfinished folder, 0700.
fn unfinished_dir(parent: &Path) -> io::Result<TempDir> {
    let mut builder = unfinished();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent)
}

/// Makes a folder and those above it, 0700.
fn make_dir(dir: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| failed("make the folder", dir, &error))
}

/// Options that make a file 0600: a key is never readable by others, not even for a moment.
fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Writes an artifact where the user said. See [`super::put_artifact`].
pub fn put(path: &Path, file: &Artifact) -> Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            let write = || OpenOptions::new().write(true).open(path)?.write_all(&file.bytes);
            write().map_err(|error| failed("write", path, &error))
        }
        _ => prepare(path, file)?.put(),
    }
}

/// Writes the files of a folder where the user said. See [`super::put_folder`].
pub fn put_folder(dir: &Path, files: &[Artifact]) -> Result<()> {
    if dir.symlink_metadata().is_err() {
        let placed = stage(dir, files)?.place()?;
        placed.keep();
        return Ok(());
    }
    if !dir.is_dir() {
        return Err(failed("write", dir, &io::ErrorKind::NotADirectory.into()));
    }
    let prepared: Vec<Prepared> =
        files.iter().map(|file| prepare(&dir.join(&file.path), file)).collect::<Result<_>>()?;
    let before: Vec<Option<Prepared>> = prepared.iter().map(Prepared::before).collect::<Result<_>>()?;
    let mut put: Vec<(PathBuf, Option<Prepared>)> = Vec::new();
    for (new, before) in prepared.into_iter().zip(before) {
        let target = new.target.clone();
        if let Err(error) = new.put() {
            put_back(put);
            return Err(error);
        }
        put.push((target, before));
    }
    Ok(())
}

/// Puts back what was there. Of a failure here nobody can be told more than of the one before.
fn put_back(put: Vec<(PathBuf, Option<Prepared>)>) {
    for (target, before) in put {
        let _ = match before {
            Some(before) => before.put(),
            None => fs::remove_file(&target).map_err(Into::into),
        };
    }
}

/// Writes a file beside where it will be, unless it holds a key and others can read what is there.
fn prepare(path: &Path, file: &Artifact) -> Result<Prepared> {
    let Ok(metadata) = fs::metadata(path) else {
        if path.is_symlink() {
            let message = format!("`{}` is a link that leads nowhere (nothing was changed)", path.display());
            return Err(Failure::new(message).hint("remove it, or make what it leads to").into());
        }
        return Prepared::new(path.to_owned(), file);
    };
    if !metadata.is_file() {
        return Err(Failure::new(format!("`{}` is no file (nothing was changed)", path.display())).into());
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
        // An empty file is what a shell's `>` has left: the new one takes its place, 0600 from the start.
        if file.mode == 0o600 && mode & 0o077 != 0 && metadata.len() > 0 {
            return Err(Failure::new(format!(
                "`{}` is there already and others can read it (mode {mode:04o}), and this holds a private key; nothing was written",
                path.display()
            ))
            .hint(format!("`chmod 600 {}`, or another name", path.display()))
            .into());
        }
    }
    // Not the link, but what it leads to.
    let path = fs::canonicalize(path).map_err(|error| failed("write", path, &error))?;
    Prepared::new(path, file)
}

/// Writes a file; until it is whole, the one of before is there.
fn write_over(target: &Path, file: &Artifact) -> Result<()> {
    Prepared::new(target.to_owned(), file)?.put()
}

/// A file that is written, whole, and not yet in its place. It is gone again unless it is put there.
struct Prepared {
    new: NamedTempFile,
    target: PathBuf,
}

impl Prepared {
    fn new(target: PathBuf, file: &Artifact) -> Result<Self> {
        // tempfile makes its files 0600.
        let write = || -> io::Result<NamedTempFile> {
            let mut new = unfinished().tempfile_in(parent(&target))?;
            new.write_all(&file.bytes)?;
            set_mode(new.as_file(), file.mode)?;
            new.as_file().sync_all()?;
            Ok(new)
        };
        write().map_err(|error| failed("write", &target, &error)).map(|new| Self { new, target })
    }

    /// What is there now, written beside it; none where nothing is.
    fn before(&self) -> Result<Option<Self>> {
        let failed = |error| failed("read", &self.target, &error);
        let metadata = match fs::metadata(&self.target) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut file = Artifact::private("before", fs::read(&self.target).map_err(failed)?);
        #[cfg(unix)]
        {
            file.mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
        }
        let _ = &metadata;
        Self::new(self.target.clone(), &file).map(Some)
    }

    fn put(self) -> Result<()> {
        let Self { new, target } = self;
        new.persist(&target).map_err(|error| failed("write", &target, &error.error))?;
        sync_dir(parent(&target));
        Ok(())
    }
}

fn write_new(path: &Path, file: &Artifact) -> io::Result<()> {
    // `create_new` follows no link that somebody has put there.
    let mut new = private_options().create_new(true).write(true).open(path)?;
    new.write_all(&file.bytes)?;
    set_mode(&new, file.mode)?;
    new.sync_all()
}

/// Widens the mode of a file that holds no key.
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    if mode != 0o600 {
        return file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    }
    let _ = (file, mode);
    Ok(())
}

/// Makes names durable. A file system that cannot do so on a folder is no reason to fail.
fn sync_dir(dir: &Path) {
    #[cfg(unix)]
    if let Ok(dir) = File::open(dir) {
        let _ = dir.sync_all();
    }
    let _ = dir;
}
