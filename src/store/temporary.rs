//! Temporary files and folders: their names, and what removes those that a killed command left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::files::{self, Action, failed};
use super::trust;
use crate::diag::{Code, Diagnostic};

/// Prefix of every temporary file and folder. A name that begins with a dot is no machine, to hostseed and to Docker Machine.
const PREFIX: &str = ".hostseed-";

/// Random bytes in the name of a temporary file.
const RANDOM: usize = 8;

/// A new name for a temporary file or folder.
pub fn new_name() -> io::Result<String> {
    let mut random = [0; RANDOM];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{PREFIX}{hex}"))
}

/// Whether [`new_name`] made this name.
pub fn is_name(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|random| {
        random.len() == 2 * RANDOM && random.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The files at or below `path` that may hold a key: those that only their owner can read.
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

/// `error`, and the files with keys that were left behind, each by its name.
pub fn with_left(error: anyhow::Error, left: &[PathBuf]) -> anyhow::Error {
    if left.is_empty() {
        return error;
    }
    let hint = error.chain().find_map(|error| error.downcast_ref::<Diagnostic>()?.hint.clone());
    let chain: Vec<_> = error.chain().map(ToString::to_string).collect();
    let failure = Diagnostic::error(Code::LeftBehind, format!("{}; {}", chain.join(": "), still_there(left)));
    failure.hint(hint.map_or(DELETE_THEM.to_owned(), |hint| format!("{DELETE_THEM}; {hint}"))).into()
}

/// The way out after [`still_there`].
pub const DELETE_THEM: &str = "delete the files that were left behind: they may hold private keys";

/// Names files that may hold keys and could not be deleted.
pub fn still_there(left: &[PathBuf]) -> String {
    let names: Vec<_> = left.iter().map(|path| format!("`{}`", path.display())).collect();
    format!("left behind: {}", names.join(", "))
}

/// Removes temporary files and folders from `dir`: those of the caller's that are at least `age` old at `now`, where one is
/// given. Follows no link.
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
