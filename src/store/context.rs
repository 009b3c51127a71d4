//! Docker contexts of machines, in the docker CLI's folder. Each change of a context is complete or has no effect, together
//! with the change of the current context, unless `config.json` is a link to a file in another folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use time::OffsetDateTime;

use super::current_context::Settings;
use super::files::{self, Action, failed};
use super::output::{Replace, abandoned_before, check_replaceable, put_artifact};
use super::temporary::sweep;
use super::transaction::{Change, Transaction};
use super::trust::Role;
use super::{Store, as_text};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::digest::sha256;
use crate::names::{ContextName, MachineName};
use crate::pki::CaBundle;
use crate::render::{Context, META, Metadata, TLS};
use crate::secret::Secret;
use crate::shell::Command;

/// The docker CLI's settings.
const SETTINGS: &str = "config.json";
/// The folder with all contexts. Temporary files are directly in it, where the docker CLI does not look for contexts.
const CONTEXTS: &str = "contexts";

/// The docker CLI's folder, and what may be changed there.
pub struct DockerConfig<'a> {
    pub dir: &'a Path,
    /// [`Replace::All`] replaces and removes contexts that are not the machine's.
    pub replace: Replace,
    /// The command that does so.
    pub force: Command,
    pub now: OffsetDateTime,
}

/// The change of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum ContextChange {
    Created,
    Updated,
    Unchanged,
}

/// A context that was removed.
#[must_use]
pub struct Removal {
    /// True if it was the current context.
    pub was_current: bool,
}

/// A context that hostseed made for a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachinesContext {
    pub name: ContextName,
    /// True if the docker CLI uses it where nothing else is chosen.
    pub is_current: bool,
}

/// The folders of a context, relative to the docker CLI's folder.
struct Folders {
    meta: PathBuf,
    tls: PathBuf,
}

impl Folders {
    fn of(name: &ContextName) -> Self {
        let id = sha256(name.as_str().as_bytes());
        let below = |folder: &str| Path::new(CONTEXTS).join(folder).join(&id);
        Self { meta: below("meta"), tls: below("tls") }
    }

    /// The parts that exist.
    fn existing(self, base: &Path) -> Vec<Change<'static>> {
        let there = [self.tls, self.meta].into_iter().filter(|dir| base.join(dir).symlink_metadata().is_ok());
        there.map(Change::Remove).collect()
    }
}

/// The context that has a name.
enum Existing {
    None,
    Machines(Metadata),
    /// Another one. It has this endpoint, if it can be read.
    Other(Option<String>),
}

impl Store {
    /// Writes a machine's context to the docker CLI's folder. With `use_it`, it becomes the current context.
    ///
    /// # Errors
    /// Fails if there is a context of that name that is not the machine's, unless it may be replaced. Fails if the docker CLI's
    /// settings are not valid.
    pub fn put_context(
        &self,
        docker: &DockerConfig,
        context: &Context,
        use_it: bool,
    ) -> Result<ContextChange> {
        let transaction = self.begin_in(docker)?;
        let base = docker.dir;
        let folders = Folders::of(context.name);
        let existing = match self.existing(base, &folders, &context.connection.cert_path, Some(context))? {
            Existing::Other(host) if docker.replace == Replace::Unchanged => {
                return Err(refused(docker, context.name, host, "replace it"));
            }
            existing => existing,
        };
        let settings = match use_it {
            true => SettingsFile::read(base)?.with_current(context.name),
            false => None,
        };
        for dir in ["meta", "tls"].map(|folder| base.join(CONTEXTS).join(folder)) {
            files::make_dirs(&dir).map_err(|error| failed(Action::MakeFolder, &dir, &error))?;
        }
        let (metadata, tls) = match &existing {
            Existing::Machines(metadata) => (context.updated_metadata(metadata), context.tls()),
            Existing::None | Existing::Other(_) => (context.metadata(), context.tls()),
        };
        let metadata = std::slice::from_ref(&metadata);
        let mut changes = Vec::new();
        let change = if let Existing::Machines(_) = existing {
            let dir = base.join(&folders.tls).join(TLS);
            files::make_dirs(&dir).map_err(|error| failed(Action::MakeFolder, &dir, &error))?;
            let new = metadata.iter().map(|file| (&folders.meta, file));
            for (folder, file) in new.chain(tls.iter().map(|file| (&folders.tls, file))) {
                let path = folder.join(&file.path);
                check_replaceable(&base.join(&path), &base.join(&path))?;
                if fs::read(base.join(&path)).map(Secret::new).ok().as_ref() != Some(&file.bytes) {
                    changes.push(Change::File(path, file));
                }
            }
            if changes.is_empty() { ContextChange::Unchanged } else { ContextChange::Updated }
        } else {
            changes.extend(Folders::of(context.name).existing(base));
            changes.push(Change::NewFolder(folders.tls, &tls));
            changes.push(Change::NewFolder(folders.meta, metadata));
            ContextChange::Created
        };
        // A context that is not complete is never the current one.
        match &settings {
            Some(file) if file.is_link => {
                commit(transaction, &changes)?;
                put_artifact(&base.join(SETTINGS), &file.artifact, Replace::All, docker.now)?;
            }
            settings => {
                let file = settings.as_ref().map(|file| Change::File(SETTINGS.into(), &file.artifact));
                changes.extend(file);
                commit(transaction, &changes)?;
            }
        }
        Ok(change)
    }

    /// Removes a context from the docker CLI's folder. If it is the current one, the docker CLI uses its default context
    /// again. The machine need not exist.
    ///
    /// # Errors
    /// Fails if there is no such context, or if it is not the machine's, unless it may be removed. Fails if the docker CLI's
    /// settings are not valid.
    pub fn remove_context(
        &self,
        docker: &DockerConfig,
        name: &ContextName,
        machine: &MachineName,
        context: Option<&Context>,
    ) -> Result<Removal> {
        let base = docker.dir;
        let folders = Folders::of(name);
        if base.join(&folders.meta).symlink_metadata().is_err() {
            let message = format!("there is no docker context `{name}` in `{}`", base.display());
            let list = Command::of("docker", ["context".to_owned(), "ls".to_owned()]);
            return Err(Diagnostic::error(Code::NoSuchContext, message)
                .hint("list the contexts:")
                .run(list)
                .into());
        }
        let transaction = self.begin_in(docker)?;
        if let Existing::Other(host) =
            self.existing(base, &folders, as_text(&self.machine_dir(machine))?, context)?
            && docker.replace == Replace::Unchanged
        {
            return Err(refused(docker, name, host, "remove it"));
        }
        let settings = SettingsFile::read(base)?;
        let was_current = settings.current().as_deref() == Some(name.as_str());
        let settings = was_current.then(|| settings.without_current());
        let mut changes = Vec::new();
        match &settings {
            Some(file) if file.is_link => {
                put_artifact(&base.join(SETTINGS), &file.artifact, Replace::All, docker.now)?;
            }
            settings => {
                changes.extend(settings.as_ref().map(|file| Change::File(SETTINGS.into(), &file.artifact)));
            }
        }
        changes.extend(folders.existing(base));
        transaction.commit(&changes)?;
        Ok(Removal { was_current })
    }

    /// The contexts that hostseed made for a machine's folder, by name. The machine need not exist. A context that cannot be read is left
    /// out.
    pub fn contexts_of(&self, docker: &Path, machine: &MachineName) -> Vec<MachinesContext> {
        let current = SettingsFile::read(docker).ok().and_then(|settings| settings.current());
        let folders = fs::read_dir(docker.join(CONTEXTS).join("meta")).into_iter().flatten().flatten();
        let mut contexts: Vec<_> = folders
            .filter_map(|folder| {
                let text = files::read(&folder.path().join(META)).ok()?;
                let metadata = Metadata::parse(text.expose())?;
                let is_machines = Path::new(metadata.machine()?) == self.machine_dir(machine);
                let name = ContextName::parse(metadata.name()?).ok().filter(|_| is_machines)?;
                Some(MachinesContext { is_current: current.as_deref() == Some(name.as_str()), name })
            })
            .collect();
        contexts.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        contexts
    }

    /// Returns whether a context in the docker CLI's folder is another one than it would be now.
    pub fn is_stale(&self, docker: &Path, context: &Context) -> bool {
        let folders = Folders::of(context.name);
        let metadata = files::read(&docker.join(folders.meta).join(META)).ok();
        let metadata = metadata.and_then(|text| Metadata::parse(text.expose()));
        let has = |file: &Artifact| {
            fs::read(docker.join(&folders.tls).join(&file.path))
                .is_ok_and(|bytes| Secret::new(bytes) == file.bytes)
        };
        metadata.is_none_or(|metadata| metadata.host() != Some(context.connection.url.as_str()))
            || !context.tls().iter().all(has)
    }

    /// Locks the docker CLI's folder, which is created if it does not exist, and cleans up after an interrupted command.
    fn begin_in<'a>(&self, docker: &DockerConfig<'a>) -> Result<Transaction<'a>> {
        let dir = docker.dir;
        if !dir.is_dir() {
            self.trust.check_way(dir)?;
            files::make_dirs(dir).map_err(|error| failed(Action::MakeFolder, dir, &error))?;
        }
        for folder in ["", CONTEXTS, "contexts/meta", "contexts/tls"] {
            self.trust.check_folder(&dir.join(folder), Role::Store)?;
        }
        let transaction = Transaction::in_docker_config(dir, self.trust)?;
        for folder in [dir.to_owned(), dir.join(CONTEXTS)] {
            sweep(&folder, &folder, abandoned_before(docker.now))?;
        }
        Ok(transaction)
    }

    /// Finds out whose context has a name. It is the machine's if hostseed made it for the folder `machine`, or if it has
    /// the same CA and the same address as `context`.
    fn existing(
        &self,
        base: &Path,
        folders: &Folders,
        machine: &str,
        context: Option<&Context>,
    ) -> Result<Existing> {
        let dir = base.join(&folders.meta);
        if dir.symlink_metadata().is_err() {
            return Ok(Existing::None);
        }
        for folder in [&folders.meta, &folders.tls, &folders.tls.join(TLS)] {
            self.trust.check_folder(&base.join(folder), Role::Store)?;
        }
        let metadata = files::read(&dir.join(META)).ok().and_then(|text| Metadata::parse(text.expose()));
        let Some(metadata) = metadata else { return Ok(Existing::Other(None)) };
        let is_same = |context: &Context| {
            let ca = files::read(&base.join(&folders.tls).join(TLS).join("ca.pem"));
            let ca = ca.ok().and_then(|text| CaBundle::from_pem(text.expose()).ok());
            ca.is_some_and(|ca| ca.shares(&context.client.ca))
                && metadata.host() == Some(context.connection.url.as_str())
        };
        Ok(match metadata.machine() == Some(machine) || context.is_some_and(is_same) {
            true => Existing::Machines(metadata),
            false => Existing::Other(metadata.host().map(str::to_owned)),
        })
    }
}

/// Makes changes, if there are any.
fn commit(transaction: Transaction, changes: &[Change]) -> Result<()> {
    if changes.is_empty() { Ok(()) } else { transaction.commit(changes) }
}

/// The error for a context that is not the machine's.
fn refused(docker: &DockerConfig, name: &ContextName, host: Option<String>, what: &str) -> anyhow::Error {
    let host = host.map_or("cannot be read".to_owned(), |host| format!("connects to `{host}`"));
    let message = format!(
        "there is a docker context `{name}` in `{}` that is not this machine's: it {host} (nothing was changed)",
        docker.dir.display()
    );
    Diagnostic::error(Code::ContextExists, message)
        .hint(format!("choose another name with `--name`, or {what}, with its keys:"))
        .run(docker.force.clone())
        .into()
}

/// `config.json`, as it is or as it will be.
struct SettingsFile {
    settings: Settings,
    mode: u32,
    is_link: bool,
}

/// The new `config.json`.
struct NewSettings {
    artifact: Artifact,
    is_link: bool,
}

impl SettingsFile {
    /// Reads the file, which need not exist.
    ///
    /// # Errors
    /// Fails if the file is not a JSON object, or cannot be read.
    fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(SETTINGS);
        let (is_link, mode) = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (false, None),
            metadata => {
                let link = metadata.map_err(|error| failed(Action::Read, &path, &error))?;
                let target = fs::metadata(&path).map_err(|error| failed(Action::Read, &path, &error))?;
                (link.is_symlink(), Some(mode_of(&target)))
            }
        };
        let text = if mode.is_some() { files::read(&path)? } else { Secret::new(String::new()) };
        let settings = Settings::parse(text).map_err(|(line, column)| {
            let message = format!(
                "`{}` is not a JSON object: line {line}, column {column} (nothing was changed)",
                path.display()
            );
            Diagnostic::error(Code::DockerConfig, message).hint("correct the file, or move it away")
        })?;
        if !is_link {
            check_replaceable(&path, &path)?;
        }
        Ok(Self { settings, mode: mode.unwrap_or(0o600), is_link })
    }

    fn current(&self) -> Option<String> {
        self.settings.current()
    }

    /// The file with another current context. `None` if nothing changes.
    fn with_current(self, name: &ContextName) -> Option<NewSettings> {
        let is_current = self.current().as_deref() == Some(name.as_str());
        let text = self.settings.with_current(name);
        (!is_current).then(|| NewSettings::new(text, self.mode, self.is_link))
    }

    /// The file without a current context.
    fn without_current(self) -> NewSettings {
        NewSettings::new(self.settings.without_current(), self.mode, self.is_link)
    }
}

impl NewSettings {
    fn new(text: Secret, mode: u32, is_link: bool) -> Self {
        Self { artifact: Artifact { mode, ..Artifact::private(SETTINGS, text.into_bytes()) }, is_link }
    }
}

fn mode_of(metadata: &fs::Metadata) -> u32 {
    #[cfg(unix)]
    return std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    #[cfg(not(unix))]
    {
        let _ = metadata;
        0o600
    }
}
