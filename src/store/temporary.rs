//! Names of temporary files and folders, and the removal of those that an interrupted command left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::files::{self, Action, failed};
use super::trust;
use crate::diag::{Code, Diagnostic};

/// Prefix of every temporary file and folder. A name that begins with a dot is not a machine name for hostseed or Docker
/// Machine.
const PREFIX: &str = ".hostseed-";

/// Number of random bytes in a temporary name.
const RANDOM: usize = 8;

/// Makes a new name for a temporary file or folder.
pub fn new_name() -> io::Result<String> {
    let mut random = [0; RANDOM];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{PREFIX}{hex}"))
}

/// Returns whether a name has the format of [`new_name`].
pub fn is_name(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|random| {
        random.len() == 2 * RANDOM && random.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The files at or below `path` that can contain a private key. These are the files that only their owner can read.
pub fn private_files(path: &Path) -> Vec<PathBuf> {
    let Ok(metadata) = path.symlink_metadata() else { return Vec::new() };
    if metadata.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.flat_map(|entry| private_files(&entry.path())).collect();
        files.sort();
        return files;
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return Vec::new();
    }
    vec![path.to_owned()]
}

/// Adds to `error` the names of files with private keys that were left behind.
pub fn with_left(error: anyhow::Error, left: &[PathBuf]) -> anyhow::Error {
    if left.is_empty() {
        return error;
    }
    let before = error.chain().find_map(|error| error.downcast_ref::<Diagnostic>());
    let hint = before.and_then(|before| before.hint.clone());
    let commands = before.map(|before| before.commands.clone()).unwrap_or_default();
    let chain: Vec<_> = error.chain().map(ToString::to_string).collect();
    let message = format!("{}; {}", chain.join(": "), still_there(left));
    let failure = Diagnostic { commands, ..Diagnostic::error(Code::LeftBehind, message) };
    failure.hint(hint.map_or(DELETE_THEM.to_owned(), |hint| format!("{DELETE_THEM}; {hint}"))).into()
}

/// The hint for [`still_there`].
pub const DELETE_THEM: &str = "delete the files that were left behind: they may contain private keys";

/// Lists files that can contain private keys and could not be deleted.
pub fn still_there(left: &[PathBuf]) -> String {
    let names: Vec<_> = left.iter().map(|path| format!("`{}`", path.display())).collect();
    format!("left behind: {}", names.join(", "))
}

/// Removes the current user's temporary files and folders from `dir`. If `age` is given as a time and a duration, removes
/// only those that are at least that old at that time. Follows no links.
///
/// # Errors
/// Fails if a file cannot be deleted. The error names the files with private keys that are left.
pub fn sweep(dir: &Path, shown: &Path, age: Option<(SystemTime, Duration)>) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.to_str().is_some_and(is_name) {
            continue;
        }
        let Ok(metadata) = entry.metadata() else { continue };
        let is_old = age.is_none_or(|(now, age)| {
            metadata.modified().is_ok_and(|then| now.duration_since(then).is_ok_and(|passed| passed >= age))
        });
        if is_old && (metadata.is_file() || metadata.is_dir()) && trust::is_own(&metadata) {
            files::delete(&dir.join(&name)).map_err(|error| {
                with_left(
                    failed(Action::Remove, &shown.join(&name), &error),
                    &private_files(&dir.join(&name)),
                )
            })?;
        }
    }
    Ok(())
}
