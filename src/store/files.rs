//! The file operations of the store. New files are private from the first byte, reads never block on a FIFO, and errors
//! name the file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Result;

use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::secret::Secret;

/// Maximum length in bytes of a text file in the store. Certificates and keys have a few kilobytes, and a spec has at
/// most this size.
const MAX_TEXT: u64 = crate::spec::MAX_BYTES as u64;

/// An operation on a file or folder, for error messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Read,
    Open,
    Write,
    Lock,
    MakeFolder,
    MakeFolderIn,
    Remove,
    Delete,
    Undo,
}

impl Action {
    fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Open => "open",
            Self::Write => "write",
            Self::Lock => "lock",
            Self::MakeFolder => "make the folder",
            Self::MakeFolderIn => "make a folder in",
            Self::Remove => "remove",
            Self::Delete => "delete",
            Self::Undo => "undo",
        }
    }

    fn code(self) -> Code {
        match self {
            Self::Read | Self::Open => Code::UnreadableFile,
            _ => Code::WriteFailed,
        }
    }
}

/// An error that names the file. It says that nothing was changed, except for [`Action::Read`].
pub fn failed(action: Action, path: &Path, error: &io::Error) -> anyhow::Error {
    let outcome = if action == Action::Read { "" } else { " (nothing was changed)" };
    Diagnostic::error(action.code(), format!("{}{outcome}", cannot(action, path, error))).into()
}

/// The message of [`failed`], without the note that nothing was changed.
pub fn cannot(action: Action, path: &Path, error: &io::Error) -> String {
    let reason = match error.kind() {
        io::ErrorKind::NotFound if action == Action::Read => "it does not exist".to_owned(),
        io::ErrorKind::NotFound => "its folder does not exist".to_owned(),
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "a file exists where a folder is needed".to_owned()
        }
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::StorageFull => "no space left on device".to_owned(),
        _ => error.to_string(),
    };
    format!("cannot {} `{}`: {reason}", action.verb(), path.display())
}

/// Reads a text file of at most [`MAX_TEXT`] bytes.
///
/// # Errors
/// Fails at once, without blocking, if the path is a FIFO, a device or a folder.
pub fn read(path: &Path) -> Result<Secret> {
    let read = || -> io::Result<Option<Secret>> {
        let file = without_blocking(File::options().read(true)).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        // Reserves the full size first. A text that grows is copied, and the old copy would not be erased from memory.
        let mut text = Secret::new(String::with_capacity(metadata.len().min(MAX_TEXT) as usize + 1));
        file.take(MAX_TEXT).read_to_string(text.expose_mut())?;
        if metadata.len() > MAX_TEXT {
            return Err(io::Error::other(format!("it has more than {MAX_TEXT} bytes")));
        }
        Ok(Some(text))
    };
    match read() {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(not_regular(path, path, "").into()),
        Err(error) => Err(failed(Action::Read, path, &error)),
    }
}

/// The error for a path that is not a regular file. It names the kind of the file and calls the path `shown`.
pub fn not_regular(path: &Path, shown: &Path, outcome: &str) -> Diagnostic {
    let kind = fs::symlink_metadata(path).map_or("something else", |metadata| kind(metadata.file_type()));
    Diagnostic::error(
        Code::NotRegularFile,
        format!("`{}` is {kind}, not a regular file{outcome}", shown.display()),
    )
}

/// Describes a file type in words.
pub fn kind(file_type: fs::FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file_type.is_fifo() {
            return "a FIFO";
        }
        if file_type.is_socket() {
            return "a socket";
        }
        if file_type.is_char_device() || file_type.is_block_device() {
            return "a device";
        }
    }
    if file_type.is_dir() {
        "a folder"
    } else if file_type.is_symlink() {
        "a link"
    } else {
        "a regular file"
    }
}

/// Makes opening a FIFO return immediately.
pub fn without_blocking(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        options,
        rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
    );
    options
}

/// Makes opening a FIFO return immediately, and makes opening a symbolic link an error.
pub fn without_following(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        options,
        (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW).bits().cast_signed(),
    );
    options
}

/// Options that create a file with mode 0600, so that other users can never read a private key in it.
pub fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The folder that a path is in.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Creates a folder and its missing parents, with mode 0700.
pub fn make_dirs(dir: &Path) -> io::Result<()> {
    dir_builder().recursive(true).create(dir)
}

/// Creates one folder with mode 0700. Fails if it exists.
pub fn make_new_dir(dir: &Path) -> io::Result<()> {
    dir_builder().create(dir)
}

fn dir_builder() -> fs::DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Creates a file with its mode and syncs it to the disk. Fails if the file exists.
pub fn write_new(path: &Path, file: &Artifact) -> io::Result<()> {
    write_unsynced(path, file)?.sync_all()
}

/// Creates a file with its mode. It is there for certain only after the caller has synced it. Fails if the file exists.
pub fn write_unsynced(path: &Path, file: &Artifact) -> io::Result<File> {
    // `create_new` does not follow a symbolic link that another user has planted.
    let mut new = private_options().create_new(true).write(true).open(path)?;
    new.write_all(&file.bytes)?;
    set_mode(&new, file.mode)?;
    Ok(new)
}

/// Starts to write a file to the disk. Linux does that with the pages that it is advised to drop (posix_fadvise(2)). So the disk writes several
/// files at the same time, and the first `fsync` makes the metadata of all of them durable. It is only advice: the file must be synced in
/// any case.
pub fn start_sync(file: &File) {
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    let _ = file;
}

/// Gives a file without a private key the wider mode `mode`.
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    if mode != 0o600 {
        return file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    }
    let _ = (file, mode);
    Ok(())
}

/// Syncs the names in a folder to the disk. Ignores errors, because some file systems cannot sync a folder.
pub fn sync_dir(dir: &Path) {
    #[cfg(unix)]
    if let Ok(dir) = File::open(dir) {
        let _ = dir.sync_all();
    }
    let _ = dir;
}

/// Renames a file or folder. Fails if the new name is taken.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Some file systems do not support that flag (renameat2(2)).
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
            done => return Ok(done?),
        }
    }
    if to.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Deletes a temporary file or folder. Succeeds if it does not exist.
pub fn delete(path: &Path) -> io::Result<()> {
    let deleted = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match deleted {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
