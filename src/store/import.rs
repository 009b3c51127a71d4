//! Imports a machine, or one client of it, that another store exported.

use std::path::Path;

use anyhow::Result;

use super::exported::{Checked, address_of, damaged, record_of};
use super::files::{self, Action};
use super::record::{self, Record};
use super::transaction::Change;
use super::{CERTS, MACHINES, Store, as_text, contents};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::export::{Export, Kind};
use crate::names::MachineName;
use crate::pki::Certificate;
use crate::plan::{AuthoritySource, Plan};
use crate::render::{self, Shell};
use crate::spec::Spec;

/// Files of a machine that are made from the others.
const MADE_ANEW: [&str; 2] = ["env", "user-data"];

/// The private key of the CA of an imported machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaKeyHere {
    /// It is where the machine's CA was before: the machine's own, the store's shared one, or in its folder.
    Kept,
    /// The store had no shared CA. Now it is this one.
    Shared,
    /// The CA signs for other machines too, and is the machine's own here.
    Own,
    /// It was in the file and not taken over, because the store has another shared CA and the machine is Docker Machine's.
    NotTaken,
    /// It is not here.
    Missing,
}

/// The effect of an import on the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Added,
    /// The store had only a client certificate of the machine.
    Replaced,
    /// The machine was there already, with the same files, and without its CA's key, which is there now.
    KeyAdded,
    /// The machine was there already, with the same files.
    Nothing,
}

/// The result of an import.
#[derive(Debug)]
pub struct Imported {
    pub done: Done,
    /// The machine's plan. None if only a client was imported, or if Docker Machine made the machine.
    pub plan: Option<Plan>,
    pub is_client_only: bool,
    pub ca_key: CaKeyHere,
}

impl Store {
    /// Writes an exported machine as `name`. Paths in its files become those of this store. A machine with the same files is not written
    /// again. With `force` replaces a machine of which the store has only a client certificate.
    ///
    /// # Errors
    /// Fails if there is another machine of that name, or if the files do not belong together. The store is unchanged then.
    pub fn put_import(&self, export: &Export, name: &MachineName, force: bool) -> Result<Imported> {
        match &export.kind {
            Kind::Client { docker_host } => self.put_client_only(export, docker_host, name, force),
            Kind::Machine => self.put_exported(export, name, force),
        }
    }

    fn put_exported(&self, export: &Export, name: &MachineName, force: bool) -> Result<Imported> {
        let Checked { ca, host, mut plan, mut files, authority } = Checked::machine(export)?;
        as_text(&self.root)?;
        let mut transaction = self.begin()?;
        let before = plan.as_ref().map_or(AuthoritySource::Shared, |plan| plan.ca.clone());
        let ca_key = self.place_of_key(&before, &ca.current, !authority.is_empty(), plan.is_some());
        let source = if ca_key == CaKeyHere::Own { AuthoritySource::Own } else { before };
        if let Some(plan) = &mut plan {
            (plan.name, plan.ca) = (name.clone(), source.clone());
        }
        let certs = self.ca_dir(name, source.clone());
        let record = record_of(export)?;
        let placed = |record: &Record| record.placed(&self.root, &self.machine_dir(name), &certs);
        let mut text = placed(&record).map_err(|error| damaged(format!("`config.json`: {error:#}")))?;
        if *name != export.name {
            text =
                Record::named(&text, name).map_err(|error| damaged(format!("`config.json`: {error:#}")))?;
        }
        let url = record.url.clone();
        files.push(Artifact::private("config.json", text));
        files.push(Artifact::private("env", Shell::Posix.set(&self.connect(name, url)?.variables())));
        if let (Some(plan), Some(host)) = (&plan, &host) {
            files.extend([render::render_machine_yaml(plan)?, render::render_user_data(plan, host)?]);
        }
        let imported = |done, ca_key| Imported { done, plan: plan.clone(), is_client_only: false, ca_key };
        let is_own = source == AuthoritySource::Own && !authority.is_empty();
        let has_key = || !is_own || self.has_key_of(&self.authority_dir(name), &ca.current);
        let (done, mut changes) = match self.has_files(name, &files) && has_key() {
            true if ca_key == CaKeyHere::Shared => (Done::KeyAdded, Vec::new()),
            true => return Ok(imported(Done::Nothing, ca_key)),
            false => {
                let placement = self.placement(export, name, &files, force)?;
                self.refuse_taken_authority(name, &source)?;
                placement
            }
        };
        if is_own {
            changes.insert(0, Change::NewFolder(Path::new(CERTS).join(name.as_str()), &authority));
        }
        if ca_key == CaKeyHere::Shared {
            let shared =
                authority.iter().map(|file| Change::NewFile(Path::new(CERTS).join(&file.path), file));
            changes.splice(0..0, shared);
        }
        if let (AuthoritySource::Dir(dir), Some(ca_users)) = (&source, &mut transaction.ca_users) {
            ca_users.insert(dir, name);
        }
        self.make_folders()?;
        transaction.commit(&changes)?;
        Ok(imported(done, ca_key))
    }

    /// Where the private key of an imported machine's CA is after the import. `before` is where the CA was on the other computer, and `given`
    /// whether the file has the key.
    fn place_of_key(
        &self,
        before: &AuthoritySource,
        ca: &Certificate,
        given: bool,
        has_plan: bool,
    ) -> CaKeyHere {
        let certs = self.certs();
        let is_there = match before {
            AuthoritySource::Own => given,
            AuthoritySource::Shared => self.has_key_of(&certs, ca),
            AuthoritySource::Dir(dir) => self.has_key_of(dir, ca),
        };
        let has_shared =
            || ["ca.pem", "ca-key.pem"].iter().any(|file| certs.join(file).symlink_metadata().is_ok());
        match (is_there, given) {
            (true, _) => CaKeyHere::Kept,
            (false, false) => CaKeyHere::Missing,
            (false, true) if *before == AuthoritySource::Shared && !has_shared() => CaKeyHere::Shared,
            (false, true) if has_plan => CaKeyHere::Own,
            // Without a plan, the CA is always the shared one.
            (false, true) => CaKeyHere::NotTaken,
        }
    }

    fn put_client_only(
        &self,
        export: &Export,
        docker_host: &str,
        name: &MachineName,
        force: bool,
    ) -> Result<Imported> {
        let mut files = Checked::client(export)?;
        let (address, port) = address_of(docker_host)?;
        // A plan with nothing but the address. It is not written, because it is not the host's.
        let spec =
            Spec::from_yaml("the import", &format!("name: {name}\naddress: \"{address}\"\nport: {port}\n"));
        let plan =
            spec.and_then(|spec| Plan::from_stored(&spec)).map_err(|report| damaged(report.to_string()))?;
        as_text(&self.root)?;
        let transaction = self.begin()?;
        let url = record::url(&address, port);
        let dir = self.machine_dir(name);
        let record = Record::json(&plan, &address, &url, &self.root, &dir, &self.authority_dir(name))?;
        files.push(Artifact::private("config.json", record));
        files.push(Artifact::private("env", Shell::Posix.set(&self.connect(name, url)?.variables())));
        let imported = |done| Imported { done, plan: None, is_client_only: true, ca_key: CaKeyHere::Missing };
        if self.has_files(name, &files) {
            return Ok(imported(Done::Nothing));
        }
        let (done, changes) = self.placement(export, name, &files, force)?;
        self.make_folders()?;
        transaction.commit(&changes)?;
        Ok(imported(done))
    }

    /// Returns whether a machine has all these files with the same content. `user-data` and `env` are made from the others.
    fn has_files(&self, name: &MachineName, files: &[Artifact]) -> bool {
        let dir = self.machine_dir(name);
        let is_same = |file: &Artifact| {
            files::read(&dir.join(&file.path)).is_ok_and(|text| text.expose().as_bytes() == &file.bytes[..])
        };
        self.has(name) && files.iter().filter(|file| !MADE_ANEW.contains(&&*file.path)).all(is_same)
    }

    /// The change that writes the files of an imported machine.
    ///
    /// # Errors
    /// Fails if there is a machine of that name. With `force` only if the store has more of it than a client certificate.
    fn placement<'a>(
        &self,
        export: &Export,
        name: &MachineName,
        files: &'a [Artifact],
        force: bool,
    ) -> Result<(Done, Vec<Change<'a>>)> {
        let folder = Path::new(MACHINES).join(name.as_str());
        if !self.has(name) {
            self.refuse_other_case(name, None)?;
            return Ok((Done::Added, vec![Change::NewFolder(folder, files)]));
        }
        let is_client_only = self.is_client_only(name);
        if !force || !is_client_only {
            return Err(self.already_here(export, name, is_client_only).into());
        }
        self.require(name)?;
        let foreign = contents::foreign_to_machine(&self.machine_dir(name), name, || false)?;
        if !foreign.is_empty() {
            return Err(self.others_files(name, &foreign));
        }
        Ok((Done::Replaced, vec![Change::Remove(folder.clone()), Change::NewFolder(folder, files)]))
    }

    /// The error for a machine that exists and is another one than that of the file, or has other certificates.
    fn already_here(&self, export: &Export, name: &MachineName, is_client_only: bool) -> Diagnostic {
        let what = match (is_client_only, &export.kind) {
            (true, Kind::Client { .. }) => "with another client certificate or address",
            (true, Kind::Machine) => "with a client certificate only",
            (false, Kind::Client { .. }) => "as a whole machine",
            (false, Kind::Machine) => "with other files",
        };
        let text = format!("machine `{name}` already exists, {what} (nothing was changed)");
        let error = Diagnostic::error(Code::MachineExists, text);
        match is_client_only {
            true => error.hint("replace it with `--force`, or choose another name with `--name`"),
            false => error
                .hint("choose another name with `--name`, or remove the machine that is here, with its keys:")
                .run(self.command(["rm", name.as_str()])),
        }
    }

    fn make_folders(&self) -> Result<()> {
        for folder in [self.machines(), self.certs()] {
            files::make_dirs(&folder).map_err(|error| files::failed(Action::MakeFolder, &folder, &error))?;
        }
        Ok(())
    }

    /// Returns whether a folder has this CA, with its key.
    fn has_key_of(&self, dir: &Path, ca: &Certificate) -> bool {
        let read = || Certificate::from_pem(files::read(&dir.join("ca.pem")).ok()?.expose()).ok();
        dir.join("ca-key.pem").symlink_metadata().is_ok() && read().as_ref() == Some(ca)
    }
}
