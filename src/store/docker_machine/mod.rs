//! Takes over Docker Machine's machines: adds a plan to a machine of this store, or copies one from another store. A machine that cannot
//! be taken over is left as it is, with all reasons at once.

mod authority;
mod checks;
mod copies;
mod plan;

use std::fs;
use std::path::Path;

use anyhow::Result;
use time::OffsetDateTime;

use authority::Authority;
use plan::plan_of;

use super::files::{self, Action};
use super::record::Record;
use super::transaction::Change;
use super::{CERTS, MACHINES, Store, as_text};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::names::MachineName;
use crate::plan::{AuthoritySource, Plan};
use crate::render::{self, Shell};
use crate::shell::Command;

const PLAN: &str = "machine.yaml";

/// A machine of Docker Machine and what taking it over does.
pub struct Takeover {
    pub plan: Plan,
    /// The driver that created its VM.
    pub driver: String,
    /// `DOCKER_HOST`.
    pub url: String,
    pub warnings: Vec<Diagnostic>,
    /// The files for the machine's folder.
    files: Vec<Artifact>,
    authority: Authority,
    /// True if the folder is in this store already.
    is_here: bool,
}

/// Result of an attempt to take over a machine.
pub enum Taken {
    /// The machine is hostseed's now. In a dry run it would be.
    Over(Box<Takeover>),
    /// Nothing was written, because the machine is hostseed's already.
    Before,
}

impl Store {
    /// The folders of a store's machines: those with the name of a machine, and others in which Docker Machine wrote a record.
    ///
    /// # Errors
    /// Fails if there is no folder of machines, or if it cannot be read.
    pub fn docker_machines(&self) -> Result<Vec<String>> {
        let machines = self.machines();
        let failed = |error| files::failed(Action::Read, &machines, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&machines).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            let has_record = || !name.starts_with('.') && path.join("config.json").symlink_metadata().is_ok();
            let parsed = MachineName::parse(&name);
            if parsed.as_ref().is_ok_and(|name| self.is_client_only(name)) {
                continue;
            }
            if path.is_dir() && (parsed.is_ok() || has_record()) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Takes over a machine of Docker Machine from `source`, which can be this store. With `dry_run` it only reads.
    ///
    /// # Errors
    /// All reasons why the machine cannot be taken over. Then nothing was written.
    pub fn take_over(
        &self,
        source: &Store,
        name: &MachineName,
        now: OffsetDateTime,
        dry_run: bool,
    ) -> Result<Taken> {
        source.require(name)?;
        // Fails before the store is locked, which would create its folder.
        let found = self.read_docker_machine(source, name, now)?;
        if dry_run || matches!(found, Taken::Before) {
            return Ok(found);
        }
        let mut transaction = self.begin()?;
        let Taken::Over(taken) = self.read_docker_machine(source, name, now)? else {
            return Ok(Taken::Before);
        };
        let dir = Path::new(MACHINES).join(name.as_str());
        let certs = Path::new(CERTS);
        let mut changes = Vec::new();
        match &taken.authority {
            Authority::There(AuthoritySource::Dir(ca)) => {
                if let Some(ca_users) = &mut transaction.ca_users {
                    ca_users.insert(ca, name);
                }
            }
            Authority::There(_) | Authority::Unknown => {}
            Authority::Shared(files) => {
                changes.extend(files.iter().map(|file| Change::NewFile(certs.join(&file.path), file)));
            }
            Authority::Own(files) => {
                if self.authority_dir(name).symlink_metadata().is_err() {
                    changes.push(Change::NewFolder(certs.join(name.as_str()), files));
                }
            }
        }
        if taken.is_here {
            changes.extend(taken.files.iter().map(|file| Change::File(dir.join(&file.path), file)));
        } else {
            changes.push(Change::NewFolder(dir, &taken.files));
        }
        for folder in [self.machines(), self.certs()] {
            files::make_dirs(&folder).map_err(|error| files::failed(Action::MakeFolder, &folder, &error))?;
        }
        transaction.commit(&changes)?;
        Ok(Taken::Over(taken))
    }

    /// The command that takes over a machine of this store.
    pub(super) fn import_command(&self, name: &MachineName) -> Command {
        // Without it the command uses Docker Machine's default store.
        let source = self.named.then(|| self.root.display().to_string());
        let words = ["import", "--docker-machine"].map(str::to_owned).into_iter().chain(source);
        self.command(words.chain([name.to_string()]))
    }

    /// Returns whether both are the same folder.
    pub fn is_same(&self, other: &Store) -> bool {
        let real = |store: &Store| fs::canonicalize(&store.root).unwrap_or_else(|_| store.root.clone());
        real(self) == real(other)
    }

    fn read_docker_machine(&self, source: &Store, name: &MachineName, now: OffsetDateTime) -> Result<Taken> {
        let is_here = self.is_same(source);
        let dir = source.machine_dir(name);
        let is_hostseeds = dir.join(PLAN).symlink_metadata().is_ok();
        match (is_here, self.has(name)) {
            (true, _) if is_hostseeds => return Ok(Taken::Before),
            (false, _) if is_hostseeds => {
                let text =
                    format!("hostseed created `{name}` in `{}`, or took it over", source.root.display());
                return Err(Diagnostic::error(Code::DockerMachineRecord, text)
                    .hint("use it in that store:")
                    .run(source.command(["ls"]))
                    .into());
            }
            (false, true) if self.is_copy(source, name) => return Ok(Taken::Before),
            (false, true) => {
                let text =
                    format!("`{}` has another machine `{name}` (nothing was changed)", self.root.display());
                return Err(Diagnostic::error(Code::MachineExists, text)
                    .hint("choose another store with `--store DIR`, or remove that machine:")
                    .run(self.command(["rm", name.as_str()]))
                    .into());
            }
            (false, false) => self.refuse_other_case(name, None)?,
            // Both folders are there already.
            (true, _) => {}
        }
        let (record, host, client) = self.checked_files(source, name)?;
        let authority = self.find_authority(source, name, &record, &host.ca.current)?;
        let (plan, mut warnings) = plan_of(&dir, name, &record, &host, &authority)?;

        warnings.extend(self.doubts(&plan, &host, &client, now));
        if matches!(authority, Authority::Unknown) {
            let text = format!(
                "the private key of the CA of `{name}` was not found: hostseed can make no further certificates for it"
            );
            warnings.push(Diagnostic::warning(Code::CaKeyNotFound, text));
        }
        if record.is_swarm() {
            let text = format!("`{name}` is in a standalone Swarm, which its user-data will not set up");
            warnings.push(Diagnostic::warning(Code::NotTakenOver, text));
        }
        let (mut files, left) =
            if is_here { Default::default() } else { self.copies(source, &plan, &record)? };
        if !left.is_empty() {
            let text = format!("`{name}`: {} stay in `{}`", left.join(", "), dir.display());
            warnings.push(Diagnostic::warning(Code::NotTakenOver, text));
        }
        as_text(&self.root)?;
        let env = Shell::Posix.set(&self.connect(name, record.url.clone())?.variables());
        files.extend([
            render::render_machine_yaml(&plan)?,
            render::render_user_data(&plan, &host)?,
            Artifact::private("env", env),
        ]);
        let Record { url, driver, .. } = record;
        Ok(Taken::Over(Box::new(Takeover { plan, driver, url, warnings, files, authority, is_here })))
    }

    /// Returns whether a machine of this store was taken over from `source`: it has the same CA and driver. Its server certificate may have
    /// been renewed since, and its address may have changed.
    fn is_copy(&self, source: &Store, name: &MachineName) -> bool {
        let ca = |store: &Store| store.certificate(name, "ca").ok();
        let driver = |store: &Store| store.read_record(name).ok().map(|record| record.driver);
        let has_plan = self.machine_dir(name).join(PLAN).symlink_metadata().is_ok();
        has_plan && ca(self).is_some_and(|own| Some(own) == ca(source)) && driver(self) == driver(source)
    }
}
