//! Locks that give one process at a time the right to write to a folder. The store's lock file also contains
//! [`super::state`].

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::files::{Action, failed, not_regular, private_options, without_following};
use super::trust::Trust;
use crate::diag::Diagnostic;

/// The name of the store's lock file.
pub const STORE: &str = "hostseed.lock";
const OUTPUT: &str = ".hostseed.lock";

/// A lock on a folder. It is released when dropped or when the process ends.
pub struct Lock {
    file: File,
    /// The path of a lock file that is removed with the lock.
    temporary: Option<PathBuf>,
}

impl Lock {
    /// Locks the store. Waits while another process has the lock.
    pub fn on_store(root: &Path, trust: Trust) -> Result<Self> {
        let path = root.join(STORE);
        Ok(Self { file: open_and_lock(&path, &path, trust)?, temporary: None })
    }

    /// Locks the store. Returns `None` if another process has the lock.
    pub fn try_on_store(root: &Path, trust: Trust) -> Result<Option<Self>> {
        let path = root.join(STORE);
        let file = open_lock_file(&path, &path, trust)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, temporary: None })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(Action::Lock, &path, &error)),
        }
    }

    /// Reads the lock file. Returns `None` if it has more than `max` bytes or cannot be read.
    pub fn read(&self, max: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        file.rewind().ok()?;
        file.take(max + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= max).then_some(bytes)
    }

    /// Empties the lock file.
    pub fn clear(&self) -> io::Result<()> {
        self.file.set_len(0)
    }

    /// Replaces the content of the lock file, without syncing it to the disk.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.clear()?;
        let mut file = &self.file;
        file.rewind()?;
        file.write_all(bytes)
    }

    /// Locks an output folder. Waits while another process has the lock. The lock file is removed with the lock.
    pub fn on_output(dir: &Path, shown: &Path) -> Result<Self> {
        let (path, shown) = (dir.join(OUTPUT), shown.join(OUTPUT));
        loop {
            let file = open_and_lock(&path, &shown, Trust::Checked)?;
            // The previous process can have removed the lock file after this process opened it. Then the lock is on a
            // deleted file, so try again.
            if is_still_at(&file, &path).map_err(|error| failed(Action::Lock, &shown, &error))? {
                return Ok(Self { file, temporary: Some(path) });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(path) = &self.temporary {
            // If this fails, an empty file remains. The next command uses it and removes it.
            let _ = fs::remove_file(path);
        }
    }
}

/// Opens and locks a file.
fn open_and_lock(path: &Path, shown: &Path, trust: Trust) -> Result<File> {
    let file = open_lock_file(path, shown, trust)?;
    file.lock().map_err(|error| failed(Action::Lock, shown, &error))?;
    Ok(file)
}

/// Opens a lock file. Fails at once for a FIFO, a link or another user's file.
fn open_lock_file(path: &Path, shown: &Path, trust: Trust) -> Result<File> {
    let open = || {
        let mut options = private_options();
        without_following(options.create(true).truncate(false).read(true).write(true)).open(path)
    };
    let file = match open() {
        Ok(file) => file,
        Err(_) if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) => {
            return Err(refused(path, shown).into());
        }
        Err(error) => return Err(failed(Action::Lock, shown, &error)),
    };
    let metadata = file.metadata().map_err(|error| failed(Action::Lock, shown, &error))?;
    if !metadata.is_file() {
        return Err(refused(path, shown).into());
    }
    trust.check_file(shown, &metadata)?;
    Ok(file)
}

fn refused(path: &Path, shown: &Path) -> Diagnostic {
    not_regular(path, shown, " (nothing was changed)").hint("remove it: hostseed makes its lock file itself")
}

/// Returns whether `path` still names the open file.
fn is_still_at(file: &File, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let held = file.metadata()?;
        match fs::symlink_metadata(path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (held.dev(), held.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
    // On this system an open file cannot be removed, so the path still names it.
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        Ok(true)
    }
}
