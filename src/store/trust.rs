//! Checks the owners and modes of files and folders. Like ssh(1) and gpg(1), hostseed uses no private key that another
//! user could replace.

use std::fs::Metadata;
use std::path::Path;

use anyhow::Result;

/// The choice to check the owners and modes of the store or not. On Windows nothing is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    Checked,
    /// `--allow-insecure-store`.
    Anything,
}

/// The use of a folder, which decides who may own it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A folder of the store, which the current user must own.
    Store,
    /// A CA's folder (`--ca DIR`), which the current user or root must own.
    Authority,
}

/// The content of a file, which decides who may read and write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A private key. Only its owner may read or write it.
    Key,
    /// Any other file that decides where clients connect, what is rendered or whom to trust. Only its owner may write it.
    Other,
}

#[cfg(not(unix))]
impl Trust {
    pub fn check_folder(self, _: &Path, _: Role) -> Result<()> {
        Ok(())
    }

    pub fn check_way(self, _: &Path) -> Result<()> {
        Ok(())
    }

    pub fn check_file(self, _: &Path, _: &Metadata) -> Result<()> {
        Ok(())
    }

    pub fn check_content(self, _: &Path, _: Role, _: Content) -> Result<Option<String>> {
        Ok(None)
    }
}

#[cfg(not(unix))]
pub fn may_write(_: &Path) -> bool {
    true
}

#[cfg(not(unix))]
pub fn is_own(_: &Metadata) -> bool {
    true
}

#[cfg(unix)]
pub use unix::{enter, is_own, is_world_writable, may_write, planted_link};

#[cfg(unix)]
mod unix {
    use std::collections::VecDeque;
    use std::ffi::OsString;
    use std::fs::{File, Permissions};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::{Component, PathBuf};
    use std::{fs, io};

    use rustix::fs::{AtFlags, FileType, Mode, OFlags};
    use rustix::io::Errno;

    use super::*;
    use crate::diag::{Code, Diagnostic};
    use crate::shell::Command;
    use crate::store::files::{self, Action};

    const ROOT: u32 = 0;
    /// Maximum number of links in a path, as in Linux (path_resolution(7)).
    const MAX_LINKS: usize = 40;
    const STICKY: u32 = 0o1000;
    const OVERRIDE: &str = "or accept the risk with `--allow-insecure-store`";
    const OWN_FOLDER: &str = "choose a folder that only you can write to";

    /// The effective user ID.
    fn user() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    pub fn is_own(metadata: &Metadata) -> bool {
        metadata.uid() == user()
    }

    /// Returns whether the user can write to a folder.
    pub fn may_write(folder: &Path) -> bool {
        rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
    }

    /// Returns whether every user can create files in a folder.
    pub fn is_world_writable(folder: &Metadata) -> bool {
        folder.mode() & 0o002 != 0
    }

    /// A folder or a link on a path.
    enum Step<'a> {
        Folder(&'a Path, &'a Metadata),
        Link { path: &'a Path, owner: u32, within: &'a Metadata },
    }

    /// Walks along a path, one name at a time, and calls `visit` for each folder and link. Each folder is opened before it
    /// is shown, so nobody can replace it in between. `action` is used in errors. Returns the open folder, or `None` if a
    /// folder does not exist.
    fn walk(
        path: &Path,
        action: Action,
        mut visit: impl FnMut(Step) -> Result<()>,
    ) -> Result<Option<OwnedFd>> {
        let failed = |error: Errno, path: &Path| files::failed(action, path, &error.into());
        let mut rest: VecDeque<OsString> = parts(path);
        let mut current = if path.is_absolute() { PathBuf::from("/") } else { PathBuf::from(".") };
        let mut folder = open_folder(rustix::fs::CWD, &current).map_err(|error| failed(error, &current))?;
        let mut metadata = metadata_of(&folder, &current)?;
        visit(Step::Folder(&current, &metadata))?;
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            let next = if current == Path::new(".") { PathBuf::from(&name) } else { current.join(&name) };
            let status = match rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => return Ok(None),
                status => status.map_err(|error| failed(error, &next))?,
            };
            if FileType::from_raw_mode(status.st_mode) == FileType::Symlink {
                visit(Step::Link { path: &next, owner: status.st_uid, within: &metadata })?;
                links += 1;
                if links > MAX_LINKS {
                    return Err(failed(Errno::LOOP, &next));
                }
                let target = rustix::fs::readlinkat(&folder, &name, Vec::new());
                let target = target.map_err(|error| failed(error, &next))?;
                let target = PathBuf::from(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(
                    target.into_bytes(),
                ));
                for part in parts(&target).into_iter().rev() {
                    rest.push_front(part);
                }
                if target.is_absolute() {
                    current = PathBuf::from("/");
                    folder =
                        open_folder(rustix::fs::CWD, &current).map_err(|error| failed(error, &current))?;
                    metadata = metadata_of(&folder, &current)?;
                }
                continue;
            }
            folder = open_folder(&folder, Path::new(&name)).map_err(|error| failed(error, &next))?;
            current = next;
            metadata = metadata_of(&folder, &current)?;
            visit(Step::Folder(&current, &metadata))?;
        }
        Ok(Some(folder))
    }

    fn parts(path: &Path) -> VecDeque<OsString> {
        let name = |part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        };
        path.components().filter_map(name).collect()
    }

    /// Opens a folder without following a link. On Linux the folder need not be readable.
    fn open_folder(at: impl std::os::fd::AsFd, name: &Path) -> Result<OwnedFd, Errno> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        #[cfg(target_os = "linux")]
        let flags = flags | OFlags::PATH;
        rustix::fs::openat(at, name, flags, Mode::empty())
    }

    fn metadata_of(folder: &OwnedFd, path: &Path) -> Result<Metadata> {
        let metadata = folder.try_clone().and_then(|folder| File::from(folder).metadata());
        metadata.map_err(|error| files::failed(Action::Read, path, &error))
    }

    impl Trust {
        /// Checks a folder that contains keys, and all its parents. Succeeds if the folder does not exist.
        pub fn check_folder(self, path: &Path, role: Role) -> Result<()> {
            if self == Self::Anything || !path.is_dir() {
                return Ok(());
            }
            self.check_way(path)?;
            let metadata = fs::metadata(path).map_err(|error| files::failed(Action::Read, path, &error))?;
            check_owner(path, metadata.uid(), role.into())?;
            if metadata.mode() & 0o022 != 0 {
                return Err(writable_by_others(path, &metadata));
            }
            Ok(())
        }

        /// Checks a folder and all its parents with the rules for parents.
        pub fn check_way(self, path: &Path) -> Result<()> {
            if self == Self::Anything {
                return Ok(());
            }
            walk(path, Action::Read, |step| match step {
                Step::Folder(path, metadata) => {
                    check_owner(path, metadata.uid(), Owned::Above)?;
                    // In a folder with the sticky bit, only the owner of a file or of the folder can rename the file.
                    let is_open = metadata.mode() & STICKY == 0
                        && (metadata.mode() & 0o002 != 0
                            || metadata.mode() & 0o020 != 0 && !is_private_group(metadata));
                    if is_open { Err(writable_by_others(path, metadata)) } else { Ok(()) }
                }
                Step::Link { path, owner, .. } => check_owner(path, owner, Owned::Above),
            })
            .map(|_| ())
        }

        /// Checks that the current user owns an open file and that no other user can write it.
        pub fn check_file(self, path: &Path, metadata: &Metadata) -> Result<()> {
            if self == Self::Anything {
                return Ok(());
            }
            check_owner(path, metadata.uid(), Owned::Store)?;
            if metadata.mode() & 0o022 != 0 { Err(writable_by_others(path, metadata)) } else { Ok(()) }
        }

        /// Checks a file of the store. If other users can access it, corrects its mode and returns a message. Succeeds if
        /// the file does not exist.
        ///
        /// # Errors
        /// Fails if the path is not a regular file, if another user owns it, or if its mode cannot be changed.
        pub fn check_content(self, path: &Path, role: Role, content: Content) -> Result<Option<String>> {
            let metadata = match fs::metadata(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                metadata => metadata.map_err(|error| files::failed(Action::Read, path, &error))?,
            };
            if !metadata.is_file() {
                return Err(files::not_regular(path, path, "").into());
            }
            if self == Self::Anything {
                return Ok(None);
            }
            check_owner(path, metadata.uid(), role.into())?;
            let is_own = is_own(&metadata);
            let (excess, others) = match content {
                Content::Key if is_own => (0o077, "other users could read or write it"),
                _ => (0o022, "other users could write it"),
            };
            let mode = metadata.mode() & 0o7777;
            if mode & excess == 0 {
                return Ok(None);
            }
            let mended = mode & !excess;
            let mend = || -> io::Result<()> {
                let mut options = File::options();
                let file = files::without_blocking(options.read(true)).open(path)?;
                file.set_permissions(Permissions::from_mode(mended))
            };
            if let Err(error) = mend() {
                return Err(Diagnostic::error(
                    Code::ModeNotChanged,
                    format!(
                        "`{}` has mode {mode:04o}, so {others}, and that cannot be changed: {error}",
                        path.display()
                    ),
                )
                .hint(format!("change the mode as the owner of the file, {OVERRIDE}:"))
                .run(on_path("chmod", format!("{mended:o}"), path))
                .into());
            }
            let path = path.display();
            Ok(Some(match content {
                Content::Key => format!(
                    "`{path}` had mode {mode:04o}, so {others}; it has {mended:04o} now: if another user could have read it, create new keys"
                ),
                Content::Other => {
                    format!("`{path}` had mode {mode:04o}, so {others}; it has {mended:04o} now")
                }
            }))
        }
    }

    /// Returns whether a folder's group has only one member by convention: the user's private group, whose ID is the user ID
    /// (useradd's USERGROUPS_ENAB), or root's group.
    fn is_private_group(folder: &Metadata) -> bool {
        folder.gid() == ROOT || folder.gid() == user()
    }

    /// A kind of path whose owner is checked.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Owned {
        /// A folder or file of the store. The current user must own it.
        Store,
        /// A folder or file of a CA. The current user or root must own it.
        Authority,
        /// A parent folder, or a link on the path. The current user or root must own it. Other programs use it too, so no
        /// hint suggests changing its owner.
        Above,
    }

    impl From<Role> for Owned {
        fn from(role: Role) -> Self {
            match role {
                Role::Store => Self::Store,
                Role::Authority => Self::Authority,
            }
        }
    }

    /// Refuses a path that another user owns.
    fn check_owner(path: &Path, owner: u32, what: Owned) -> Result<()> {
        let user = user();
        if owner == user || what != Owned::Store && owner == ROOT {
            return Ok(());
        }
        let whose = if owner == overflow_uid() && owner != ROOT {
            "a user outside this container or user namespace".to_owned()
        } else {
            format!("user {owner}")
        };
        let mut change = None;
        let hint = match (user, owner) {
            // The most likely cause is sudo.
            (ROOT, _) => {
                format!("run hostseed as the user that it belongs to, or choose another folder; {OVERRIDE}")
            }
            // No user creates folders as root by intention. The likely mistake is a system folder such as `/tmp` as the
            // store.
            _ if owner == ROOT || what == Owned::Above => format!("{OWN_FOLDER}; {OVERRIDE}"),
            _ => {
                change = Some(on_path("chown", user.to_string(), path));
                format!("if it is yours, take it over as root, {OVERRIDE}:")
            }
        };
        let refused = Diagnostic::error(Code::ForeignOwner, format!(
            "`{}` belongs to {whose}, and you are user {user}: its owner could replace keys (nothing was changed)",
            path.display()
        ))
        .hint(hint);
        Err(change.into_iter().fold(refused, Diagnostic::run).into())
    }

    /// The ID that stands for users outside the user namespace (user_namespaces(7)).
    fn overflow_uid() -> u32 {
        let number = fs::read_to_string("/proc/sys/kernel/overflowuid");
        number.ok().and_then(|number| number.trim().parse().ok()).unwrap_or(65534)
    }

    fn writable_by_others(path: &Path, metadata: &Metadata) -> anyhow::Error {
        let mode = metadata.mode() & 0o7777;
        let refused = Diagnostic::error(
            Code::WritableByOthers,
            format!(
                "`{}` has mode {mode:04o} and belongs to user {} and group {}: other users can write it and could replace keys (nothing was changed)",
                path.display(),
                metadata.uid(),
                metadata.gid()
            ),
        );
        match mode & STICKY {
            0 => refused
                .hint(format!("remove the others' right to write, {OVERRIDE}:"))
                .run(on_path("chmod", "go-w".to_owned(), path))
                .into(),
            // In a shared folder such as `/tmp` other users need this mode.
            _ => refused.hint(format!("{OWN_FOLDER}; {OVERRIDE}")).into(),
        }
    }

    /// A command that changes a path.
    fn on_path(program: &'static str, change: String, path: &Path) -> Command {
        Command::of(program, [change, path.display().to_string()])
    }

    /// Changes the working folder, and returns the previous one. A relative path then means this folder even if somebody
    /// replaces one of its parents. Returns `None` if the folder does not exist.
    ///
    /// # Errors
    /// Fails if the path contains a link in a world-writable folder.
    pub fn enter(path: &Path) -> Result<Option<OwnedFd>> {
        let failed = |error: Errno| files::failed(Action::Open, path, &error.into());
        let back = open_folder(rustix::fs::CWD, Path::new(".")).map_err(failed)?;
        let folder = walk(path, Action::Open, |step| match step {
            Step::Link { path, within, .. } if is_world_writable(within) => Err(planted_link(path)),
            _ => Ok(()),
        })?;
        let Some(folder) = folder else { return Ok(None) };
        rustix::process::fchdir(folder).map_err(failed)?;
        Ok(Some(back))
    }

    /// The error for a link that any user could have planted.
    pub fn planted_link(path: &Path) -> anyhow::Error {
        let message =
            format!("`{}` is a link in a world-writable folder (nothing was changed)", path.display());
        Diagnostic::error(Code::PlantedLink, message)
            .hint("use the path of its target, or choose another folder")
            .into()
    }
}
