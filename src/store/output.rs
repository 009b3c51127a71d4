//! Writes files and folders where the user chose. Each write is complete or has no effect, and never follows a link that
//! another user could have planted.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use time::OffsetDateTime;

use super::files::{self, Action, failed, parent};
use super::temporary::sweep;
use super::transaction::{Change, Transaction};
use super::written::{self, Owner, RECORD, Written};
use super::{Store, trust};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
#[cfg(unix)]
use crate::shell::Command;

/// Minimum age of temporary files that are removed. No command runs for longer.
const ABANDONED: Duration = Duration::from_secs(10 * 60);
/// Maximum number of links in a path, as in Linux (path_resolution(7)).
const MAX_LINKS: usize = 40;
/// git's list of files to ignore. The user's own is never replaced.
const GITIGNORE: &str = ".gitignore";

/// Which existing files may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// In a folder those that have not changed since hostseed wrote them. A single file only if it is empty, because no record tells
    /// who wrote it.
    Unchanged,
    /// All.
    All,
}

/// The change of a folder that [`put`] makes.
#[derive(Clone, Copy)]
enum Guard<'a> {
    /// Replaces files as `Replace` says, and records what it writes and for whom.
    Recorded(Replace, &'a Owner),
    /// Replaces all files, and records nothing.
    None,
}

/// Writes an artifact to a file of the user's choice, with mode 0600 if it contains a private key.
///
/// Also removes temporary files in the same folder that an interrupted command left.
///
/// # Errors
/// Fails if the path exists and is not a regular file of the current user. With [`Replace::Unchanged`], fails if the file has other
/// content, or if the artifact contains a private key and other users can read the existing file. Fails if the path is a link
/// in a world-writable folder.
pub fn put_artifact(path: &Path, artifact: &Artifact, replace: Replace, now: OffsetDateTime) -> Result<()> {
    if let Ok(metadata) = fs::metadata(path)
        && !metadata.is_file()
    {
        return Err(not_regular(path, &metadata));
    }
    let Some((transaction, name)) = find(path)? else {
        return Err(failed(Action::Write, path, &io::ErrorKind::NotFound.into()));
    };
    let found = transaction.base().join(&name);
    check_replaceable(&found, path)?;
    if replace == Replace::Unchanged {
        let existing = written::existing(&found, path)?.filter(|content| !content.is_empty());
        if existing.is_some_and(|content| content[..] != artifact.bytes[..]) {
            let message = format!("`{}` exists and has other content; nothing was written", path.display());
            let hint = "choose another name, or replace the file with `--force`";
            return Err(Diagnostic::error(Code::WouldOverwrite, message).hint(hint).into());
        }
        check_private(&found, path, artifact)?;
    }
    sweep(transaction.base(), parent(path), abandoned_before(now))?;
    transaction.commit(&[Change::File(name, artifact)])
}

/// Writes a program to a file of the user's choice, with its mode, in place of one that is there. Creates missing folders.
///
/// # Errors
/// Fails for the reasons of [`put_artifact`].
pub fn put_program(path: &Path, artifact: &Artifact, now: OffsetDateTime) -> Result<()> {
    let dir = parent(path);
    files::make_dirs(dir).map_err(|error| failed(Action::MakeFolder, dir, &error))?;
    put_artifact(path, artifact, Replace::All, now)
}

impl Store {
    /// Refuses a file or folder of the user's choice that is in the store, where it could replace the files of a machine, and would keep `rm`
    /// from removing it.
    ///
    /// # Errors
    /// Fails if `path` is in one of the store's folders, also by a link.
    pub fn refuse_output(&self, path: &Path) -> Result<()> {
        let real = |path: &Path| {
            let path = std::path::absolute(path).ok()?;
            let existing = path.ancestors().find_map(|parent| Some((parent, fs::canonicalize(parent).ok()?)));
            existing.and_then(|(parent, real)| Some(real.join(path.strip_prefix(parent).ok()?)))
        };
        let Some(output) = real(path) else { return Ok(()) };
        let is_inside = |folder: PathBuf| real(&folder).is_some_and(|folder| output.starts_with(folder));
        match [self.machines(), self.certs()].into_iter().any(is_inside) {
            true => {
                let text = format!("`{}` is in the store; nothing was written", path.display());
                Err(Diagnostic::error(Code::OutputInStore, text).hint("choose another place").into())
            }
            false => Ok(()),
        }
    }
}

/// Writes several artifacts to a folder of the user's choice, with the checks of [`put_artifact`], and a record of what it
/// wrote and for whom. A new folder has mode 0700. In an existing folder either all files change or none, and other files stay. The user's own
/// `.gitignore` stays if it says something about each file that the artifact of that name lists.
///
/// # Errors
/// Fails for the reasons of [`put_artifact`], or if another user owns the folder. With [`Replace::Unchanged`], fails if a file
/// exists that differs both from its artifact and from what hostseed last wrote there; the error names all of them. Fails also if the
/// folder has the files of another machine, or of another client.
pub fn put_folder(
    dir: &Path,
    artifacts: Vec<Artifact>,
    owner: &Owner,
    replace: Replace,
    now: OffsetDateTime,
) -> Result<()> {
    put(dir, artifacts, Guard::Recorded(replace, owner), now)
}

/// Writes manual pages to a folder, as [`put_folder`], but replaces existing pages and leaves no record between them.
///
/// # Errors
/// Fails for the reasons of [`put_artifact`], or if another user owns the folder.
pub fn put_pages(dir: &Path, pages: Vec<Artifact>, now: OffsetDateTime) -> Result<()> {
    put(dir, pages, Guard::None, now)
}

fn put(dir: &Path, mut artifacts: Vec<Artifact>, guard: Guard<'_>, now: OffsetDateTime) -> Result<()> {
    // Paths like `.` have no file name, and exist.
    if dir.file_name().is_none() {
        return put_into(dir, dir, artifacts, guard, now);
    }
    let Some((transaction, name)) = find(dir)? else {
        return Err(failed(Action::MakeFolder, dir, &io::ErrorKind::NotFound.into()));
    };
    let path = transaction.base().join(&name);
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => put_into(&path, dir, artifacts, guard, now),
        Ok(_) => Err(failed(Action::Write, dir, &io::ErrorKind::NotADirectory.into())),
        Err(_) => {
            sweep(transaction.base(), parent(dir), abandoned_before(now))?;
            if let Guard::Recorded(_, owner) = guard {
                let mut written = Written::default();
                written.owner = owner.clone();
                artifacts.iter().for_each(|artifact| written.note(artifact));
                artifacts.push(written.to_artifact());
            }
            transaction.commit(&[Change::NewFolder(name, &artifacts)])
        }
    }
}

/// Writes artifacts to an existing folder, which errors call `shown`.
fn put_into(
    dir: &Path,
    shown: &Path,
    mut artifacts: Vec<Artifact>,
    guard: Guard<'_>,
    now: OffsetDateTime,
) -> Result<()> {
    let missing = || failed(Action::Write, shown, &io::ErrorKind::NotFound.into());
    let mut transaction = Transaction::in_folder(dir, shown)?.ok_or_else(missing)?;
    let metadata = fs::metadata(transaction.base()).map_err(|_| missing())?;
    if !trust::is_own(&metadata) {
        return Err(foreign_owner(shown));
    }
    transaction.lock_output()?;
    sweep(transaction.base(), shown, abandoned_before(now))?;
    for artifact in &artifacts {
        check_replaceable(&transaction.base().join(&artifact.path), &shown.join(&artifact.path))?;
    }
    if let Guard::Recorded(replace, owner) = guard {
        let record = check_unchanged(transaction.base(), shown, &mut artifacts, owner, replace)?;
        artifacts.push(record);
    }
    let changes: Vec<_> =
        artifacts.iter().map(|artifact| Change::File(PathBuf::from(&artifact.path), artifact)).collect();
    transaction.commit(&changes)
}

/// Checks that no artifact replaces a file of the user's, and returns the new record. Removes from `artifacts` a `.gitignore`
/// that is not needed.
fn check_unchanged(
    base: &Path,
    shown: &Path,
    artifacts: &mut Vec<Artifact>,
    owner: &Owner,
    replace: Replace,
) -> Result<Artifact> {
    check_replaceable(&base.join(RECORD), &shown.join(RECORD))?;
    let (mut foreign, mut to_ignore) = (Vec::new(), Vec::new());
    let mut written = Written::read(base)?.unwrap_or_else(|| {
        if replace == Replace::Unchanged {
            foreign.push(RECORD.to_owned());
        }
        Written::default()
    });
    if let (Replace::Unchanged, Some(other)) = (replace, written.owner.conflict(owner)) {
        let message = format!("`{}` has the files of {other}; nothing was written", shown.display());
        let hint = "choose another folder, or replace these files with `--force`";
        return Err(Diagnostic::error(Code::WouldOverwrite, message).hint(hint).into());
    }
    written.owner = written.owner.joined(owner);
    let mut kept = Vec::new();
    for mut artifact in artifacts.drain(..) {
        let shown = shown.join(&artifact.path);
        let existing = written::existing(&base.join(&artifact.path), &shown)?;
        let existing = existing.filter(|content| content[..] != artifact.bytes[..]);
        if let Some(content) = existing {
            let may_replace = replace == Replace::All || written.is_unchanged(&artifact.path, &content);
            if artifact.path == GITIGNORE {
                let wanted = String::from_utf8_lossy(&artifact.bytes).into_owned();
                let lines = written::lines_to_ignore(&wanted, &content);
                if lines.is_empty() {
                    continue;
                }
                artifact.bytes = with_lines(&content, &lines).into();
                if !may_replace {
                    to_ignore = lines.into_iter().map(str::to_owned).collect();
                }
            }
            if !may_replace {
                foreign.push(artifact.path.clone());
            }
        }
        written.note(&artifact);
        kept.push(artifact);
    }
    *artifacts = kept;
    if !foreign.is_empty() {
        return Err(not_ours(shown, &foreign, &to_ignore).into());
    }
    if replace == Replace::Unchanged {
        for artifact in artifacts.iter() {
            check_private(&base.join(&artifact.path), &shown.join(&artifact.path), artifact)?;
        }
    }
    Ok(written.to_artifact())
}

/// A `.gitignore` with further lines. Its own bytes stay, also those that are not UTF-8.
fn with_lines(content: &[u8], lines: &[&str]) -> Vec<u8> {
    let mut content = content.to_owned();
    if !content.is_empty() && !content.ends_with(b"\n") {
        content.push(b'\n');
    }
    lines.iter().for_each(|line| content.extend([line.as_bytes(), b"\n"].concat()));
    content
}

/// The error for files that differ from what hostseed last wrote to the folder.
fn not_ours(shown: &Path, names: &[String], to_ignore: &[String]) -> Diagnostic {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "`{}` has files that hostseed did not write, or that have changed since: {}; nothing was written",
        shown.display(),
        names.join(", ")
    );
    let lines: Vec<_> = to_ignore.iter().map(|line| format!("`{line}`")).collect();
    let hint = match lines.is_empty() {
        true => "choose another folder, or replace these files with `--force`".to_owned(),
        false => format!(
            "choose another folder, or replace these files with `--force`; `.gitignore` needs only {}, so that no private key is committed",
            lines.join(" and ")
        ),
    };
    Diagnostic::error(Code::WouldOverwrite, message).hint(hint)
}

/// Selects the temporary files that no running command uses, for [`sweep`].
pub(super) fn abandoned_before(now: OffsetDateTime) -> Option<(SystemTime, Duration)> {
    Some((now.into(), ABANDONED))
}

/// Follows the links of a path. Returns a transaction in the final folder, and the final name. Returns `None` if the folder
/// does not exist.
fn find(path: &Path) -> Result<Option<(Transaction<'_>, PathBuf)>> {
    let mut current = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Some(name) = current.file_name().map(PathBuf::from) else {
            return Err(failed(Action::Write, path, &io::ErrorKind::NotADirectory.into()));
        };
        let Some(transaction) = Transaction::in_folder(parent(&current), parent(path))? else {
            return Ok(None);
        };
        let found = transaction.base().join(&name);
        match found.symlink_metadata() {
            Ok(metadata) if metadata.is_symlink() => {
                refuse_planted_link(transaction.base(), &current)?;
                let target = fs::read_link(&found).map_err(|error| failed(Action::Read, &current, &error))?;
                current = parent(&current).join(target);
            }
            Ok(_) => return Ok(Some((transaction, name))),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(Action::Write, path, &error));
            }
            Err(_) if current == path => return Ok(Some((transaction, name))),
            Err(_) => break,
        }
    }
    let message = format!("`{}` is a link whose target does not exist (nothing was changed)", path.display());
    Err(Diagnostic::error(Code::DanglingLink, message).hint("remove the link, or create its target").into())
}

/// Refuses to follow a link in a world-writable folder, because any user can have created it.
fn refuse_planted_link(folder: &Path, link: &Path) -> Result<()> {
    #[cfg(unix)]
    if trust::is_world_writable(
        &fs::metadata(folder).map_err(|error| failed(Action::Read, parent(link), &error))?,
    ) {
        return Err(trust::planted_link(link));
    }
    let _ = (folder, link);
    Ok(())
}

/// Refuses to replace a file that is not a regular file of the current user.
pub(super) fn check_replaceable(path: &Path, shown: &Path) -> Result<()> {
    let metadata = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata.map_err(|error| failed(Action::Write, shown, &error))?,
    };
    if !metadata.is_file() {
        return Err(not_regular(shown, &metadata));
    }
    if !trust::is_own(&metadata) {
        return Err(foreign_owner(shown));
    }
    Ok(())
}

/// Refuses to put a private key in place of a file that other users can read. The new file would be private, but if the
/// existing one has the key, they know it.
fn check_private(path: &Path, shown: &Path, artifact: &Artifact) -> Result<()> {
    #[cfg(unix)]
    if let Ok(metadata) = path.symlink_metadata() {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
        // A shell's `>` leaves an empty file.
        if artifact.mode == 0o600 && mode & 0o077 != 0 && metadata.len() > 0 {
            return Err(Diagnostic::error(Code::ExposedOutput, format!(
                "`{}` exists and other users can read it (mode {mode:04o}), but the new content contains a private key (nothing was written)",
                shown.display()
            ))
            .hint("choose another name, or make the file private:")
            .run(Command::of("chmod", ["600".to_owned(), shown.display().to_string()]))
            .into());
        }
    }
    let _ = (path, shown, artifact);
    Ok(())
}

fn not_regular(shown: &Path, metadata: &Metadata) -> anyhow::Error {
    let kind = files::kind(metadata.file_type());
    let message = format!("`{}` is {kind}, not a regular file (nothing was changed)", shown.display());
    let hint = match (metadata.is_dir(), metadata.is_symlink()) {
        (true, _) => "choose another name",
        (_, true) => "remove the link, or choose another folder",
        _ => "`-o -` writes to standard output, which can be a pipe or a device",
    };
    Diagnostic::error(Code::NotRegularFile, message).hint(hint).into()
}

fn foreign_owner(shown: &Path) -> anyhow::Error {
    let message = format!("`{}` belongs to another user (nothing was changed)", shown.display());
    Diagnostic::error(Code::ForeignOwner, message).hint("choose another name").into()
}
