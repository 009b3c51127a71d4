//! Lock files, which give one process at a time the right to write to a folder. A lock is released when its file is closed
//! or when the process ends. The store's lock file also contains [`super::state`].

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use anyhow::Result;

use super::files::{Action, failed, not_regular, private_options, without_following};
use super::trust::Trust;
use crate::diag::Diagnostic;

/// The name of the store's lock file.
pub const STORE: &str = "hostseed.lock";
/// The name of an output folder's lock file. It is removed when it is unlocked.
pub const OUTPUT: &str = ".hostseed.lock";

/// Opens and locks the lock file `name` in a folder. Waits while another process has the lock.
pub fn wait(dir: &Path, shown: &Path, name: &str, trust: Trust) -> Result<File> {
    let (path, shown) = (dir.join(name), shown.join(name));
    let file = open(&path, &shown, trust)?;
    file.lock().map_err(|error| failed(Action::Lock, &shown, &error))?;
    Ok(file)
}

/// Locks an output folder. Waits while another process has the lock.
pub fn wait_on_output(dir: &Path, shown: &Path) -> Result<File> {
    loop {
        let file = wait(dir, shown, OUTPUT, Trust::Checked)?;
        // The previous process can have removed the lock file after this process opened it. Then the lock is on a
        // deleted file, so try again.
        if is_still_at(&file, &dir.join(OUTPUT))
            .map_err(|error| failed(Action::Lock, &shown.join(OUTPUT), &error))?
        {
            return Ok(file);
        }
    }
}

/// Locks the store. Returns `None` if another process has the lock.
pub fn try_on_store(root: &Path, trust: Trust) -> Result<Option<File>> {
    let path = root.join(STORE);
    let file = open(&path, &path, trust)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(Action::Lock, &path, &error)),
    }
}

/// Opens a lock file. Fails at once for a FIFO, a link or another user's file.
fn open(path: &Path, shown: &Path, trust: Trust) -> Result<File> {
    let opened = {
        let mut options = private_options();
        without_following(options.create(true).truncate(false).read(true).write(true)).open(path)
    };
    let file = match opened {
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
    not_regular(path, shown, " (nothing was changed)").hint("remove it: hostseed creates a new lock file")
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
