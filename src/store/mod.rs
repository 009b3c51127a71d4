//! The folder where machines are kept, laid out as Docker Machine's, whose own commands read it too. The only
//! writer: a machine appears whole or not at all, and what was there before a failure is there after it.

mod cache;
mod contents;
mod files;
mod index;
mod list;
mod lock;
mod output;
mod record;
mod state;
mod transaction;
mod trust;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{fmt, fs};

use anyhow::Result;
use time::OffsetDateTime;

pub use list::{HostCertificate, Listing};
pub use output::{put_artifact, put_folder};
pub use record::Record;
pub use trust::Trust;

use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::names::{Address, MachineName};
use crate::pki::{self, Certificate, HostIdentity, Identity, Pair};
use crate::plan::{AuthoritySource, HostRole, Plan};
use crate::render::{Connection, Shell};
use crate::secret::Secret;
use crate::spec::{Spec, Word};
use files::Action;
use lock::Lock;
use state::CaUsers;
use transaction::{Scope, Transaction};
use trust::{Content, Role};

/// A store, which need not exist yet.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// Whether commands have to name it to reach it again.
    named: bool,
    trust: Trust,
    /// What was mended and not yet told.
    notes: Mutex<Vec<String>>,
}

impl Store {
    /// Opens the store at `root`, which need not exist, and finishes what an interrupted command left. `named` says that it is
    /// neither the usual one nor the environment's.
    ///
    /// # Errors
    /// Fails when another user owns or can write one of its folders, or can exchange it.
    pub fn open(root: PathBuf, named: bool, trust: Trust) -> Result<Self> {
        let root = std::path::absolute(&root).map_err(|error| files::failed(Action::Open, &root, &error))?;
        let store = Self { root, named, trust, notes: Mutex::default() };
        store.check_folders()?;
        if transaction::is_unfinished(&store.root) {
            // Whoever may only read does so.
            if trust::may_write(&store.root) {
                store.lock()?;
            }
        }
        Ok(store)
    }

    /// Takes what was mended since the last call, a sentence each.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks who owns and who can write the folders that all machines share.
    fn check_folders(&self) -> Result<()> {
        match self.root.is_dir() {
            true => self.trust.check_folder(&self.root, Role::Store)?,
            // It will be made there.
            false => self.trust.check_way(&self.root)?,
        }
        for folder in [self.machines(), self.certs()] {
            self.trust.check_folder(&folder, Role::Store)?;
        }
        Ok(())
    }

    /// Checks who owns and who can write a machine's folder, that of its own CA and the files in them, and mends the modes of the
    /// files.
    fn check_machine(&self, name: &MachineName) -> Result<()> {
        let dir = self.machine_dir(name);
        self.trust.check_folder(&dir, Role::Store)?;
        self.check_files(&dir, Role::Store, &contents::KEYS, &contents::OTHERS)?;
        let authority = self.authority_dir(name);
        self.trust.check_folder(&authority, Role::Store)?;
        self.check_files(&authority, Role::Store, &["ca-key.pem"], &["ca.pem"])
    }

    fn check_files(&self, dir: &Path, role: Role, keys: &[&str], others: &[&str]) -> Result<()> {
        let keys = keys.iter().map(|file| (file, Content::Key));
        for (file, content) in keys.chain(others.iter().map(|file| (file, Content::Other))) {
            let mended = self.trust.check_content(&dir.join(file), role, content)?;
            self.notes.lock().unwrap_or_else(PoisonError::into_inner).extend(mended);
        }
        Ok(())
    }

    /// Checks who owns and who can write the folder and the files of a CA that is to sign.
    pub fn check_authority(&self, source: &AuthoritySource) -> Result<()> {
        let (dir, role) = match source {
            AuthoritySource::Own => return Ok(()),
            AuthoritySource::Shared => (&self.certs(), Role::Store),
            AuthoritySource::Dir(dir) => (dir, Role::Authority),
        };
        self.trust.check_folder(dir, role)?;
        self.check_files(dir, role, &["ca-key.pem"], &["ca.pem"])
    }

    /// Makes the store where there is none, waits until nobody else writes to it, and clears what an interrupted command left.
    fn lock(&self) -> Result<Writing<'_>> {
        files::make_dirs(&self.root)
            .map_err(|error| files::failed(Action::MakeFolder, &self.root, &error))?;
        self.check_folders()?;
        let lock = Lock::on_store(&self.root, self.trust)?;
        let mut ca_users = None;
        if transaction::is_unfinished(&self.root) {
            transaction::recover(&self.root, &self.root, self.trust, Scope::Store)?;
        } else if self.trust == Trust::Checked {
            ca_users = state::load(&lock, &self.root);
        }
        transaction::sweep(&self.root, &self.root, None)?;
        if ca_users.is_none() {
            for folder in [&self.machines(), &self.certs()] {
                transaction::sweep(folder, folder, None)?;
            }
            ca_users = self.names()?.is_empty().then(CaUsers::default);
        }
        Ok(Writing { store: self, lock, ca_users })
    }

    /// A command of hostseed's on this store, for the user to type.
    pub fn command(&self, words: fmt::Arguments) -> String {
        match self.named {
            true => {
                format!(
                    "hostseed --store {} {words}",
                    crate::templates::shell_word(&self.root.display().to_string())
                )
            }
            false => format!("hostseed {words}"),
        }
    }

    /// The folder of a machine.
    pub fn machine_dir(&self, name: &MachineName) -> PathBuf {
        self.machines().join(name.as_str())
    }

    fn machines(&self) -> PathBuf {
        self.root.join(MACHINES)
    }

    fn certs(&self) -> PathBuf {
        self.root.join(CERTS)
    }

    /// The folder of a machine's own authority.
    pub fn authority_dir(&self, name: &MachineName) -> PathBuf {
        self.certs().join(name.as_str())
    }

    /// Whether there is a machine of that name.
    pub fn has(&self, name: &MachineName) -> bool {
        self.machine_dir(name).symlink_metadata().is_ok()
    }

    /// The names of all machines, sorted. Folders that are none are passed over, as Docker Machine does.
    pub fn names(&self) -> Result<Vec<MachineName>> {
        let entries = match fs::read_dir(self.machines()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(files::failed(Action::Read, &self.machines(), &error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| files::failed(Action::Read, &self.machines(), &error))?;
            let is_folder = match entry.file_type() {
                Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                _ => entry.path().is_dir(),
            };
            if is_folder
                && let Some(name) = entry.file_name().to_str().and_then(|name| MachineName::parse(name).ok())
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Fails when there is no such machine, with the name that was probably meant, or when another user can change it.
    pub fn require(&self, name: &MachineName) -> Result<()> {
        if self.has(name) {
            return self.check_machine(name);
        }
        let mut failure = Diagnostic::error(
            Code::NoSuchMachine,
            format!("there is no machine `{name}` in `{}`", self.root.display()),
        );
        let names = self.names()?;
        failure = match names.iter().max_by(|a, b| likeness(a, name).total_cmp(&likeness(b, name))) {
            Some(near) if likeness(near, name) > 0.8 => failure.hint(format!("did you mean `{near}`?")),
            Some(_) => failure.hint(format!("`{}` lists the machines", self.command(format_args!("ls")))),
            None => {
                let create = self.command(format_args!("create {name} --address ADDRESS"));
                failure.hint(format!("`{create}` makes it"))
            }
        };
        Err(failure.into())
    }

    /// Reads what Docker Machine calls a machine's configuration: how it is reached.
    pub fn record(&self, name: &MachineName) -> Result<Record> {
        self.require(name)?;
        self.read_record(name)
    }

    /// [`record`](Self::record) without checks of owners and modes.
    fn read_record(&self, name: &MachineName) -> Result<Record> {
        let path = self.machine_dir(name).join("config.json");
        Record::from_json(&files::read(&path)?).map_err(|error| unusable(Code::StoredRecord, &path, &error))
    }

    /// How clients reach a machine.
    pub fn connection(&self, name: &MachineName) -> Result<Connection> {
        self.connect(name, self.record(name)?.url)
    }

    /// How clients would reach it at another address.
    pub fn connection_at(&self, name: &MachineName, address: &Address) -> Result<Connection> {
        self.connect(name, record::url(address, self.record(name)?.port))
    }

    fn connect(&self, name: &MachineName, url: String) -> Result<Connection> {
        Ok(Connection { machine: name.to_string(), url, cert_path: self.machine_path(name)? })
    }

    /// The path of a machine's folder as text.
    pub fn machine_path(&self, name: &MachineName) -> Result<String> {
        as_text(&self.machine_dir(name)).map(ToOwned::to_owned)
    }

    /// The plan that a machine was made from.
    pub fn plan(&self, name: &MachineName) -> Result<Plan> {
        self.require(name)?;
        self.read_plan(name)
    }

    /// [`plan`](Self::plan) without checks of owners and modes.
    fn read_plan(&self, name: &MachineName) -> Result<Plan> {
        let path = self.machine_dir(name).join("machine.yaml");
        if path.symlink_metadata().is_err() {
            return Err(Diagnostic::error(
                Code::NotMadeByHostseed,
                format!(
                    "`{name}` was not made by hostseed: it has no machine.yaml, so there is nothing to render"
                ),
            )
            .hint("its `env`, `config`, `url`, `ip` and `inspect` work all the same")
            .into());
        }
        let text = files::read(&path)?;
        let mut spec = Spec::from_yaml(&path.display().to_string(), &text);
        // A machine of before there were boot issuers does not say that it has none.
        if let Ok(spec) = &mut spec
            && spec.identity.boot_issuer.is_none()
        {
            let issues = self.host_role(name) == HostRole::BootIssuer;
            spec.identity.boot_issuer = Some(Word::from(issues.to_string()));
        }
        // A machine made before an http install URL had to be allowed does not say that it is.
        if let Ok(spec) = &mut spec
            && spec.host.engine_install_url.is_some()
            && spec.host.insecure_install_url.is_none()
        {
            spec.host.insecure_install_url = Some(Word::from("true".to_owned()));
        }
        // Its author is hostseed, so what is wrong with it is a failure and no usage error.
        spec.and_then(|spec| Plan::from_stored(&spec))
            .map_err(|report| Diagnostic::error(Code::StoredPlan, report.to_string()).into())
    }

    /// What the host of a machine gets to know. The keys of the authority and of the client are not even read.
    pub fn host_identity(&self, plan: &Plan) -> Result<HostIdentity> {
        let name = &plan.name;
        self.require(name)?;
        let stem = plan.host_role().file_stem();
        let dir = self.machine_dir(name);
        let paths =
            [dir.join("ca.pem"), dir.join(format!("{stem}.pem")), dir.join(format!("{stem}-key.pem"))];
        let [ca, certificate, key] = paths.each_ref().map(|path| files::read(path).map(Secret::new));
        let [ca_path, certificate_path, key_path] = paths.each_ref().map(PathBuf::as_path);
        HostIdentity::read([(ca_path, &ca?), (certificate_path, &certificate?), (key_path, &key?)])
    }

    /// The certificate of a machine's host, and in what role the host has it.
    pub fn host_certificate(&self, name: &MachineName) -> Result<(HostRole, Certificate)> {
        let role = self.host_role(name);
        Ok((role, self.certificate(name, role.file_stem())?))
    }

    /// By the files, which a machine of Docker Machine's has too.
    fn host_role(&self, name: &MachineName) -> HostRole {
        let issuer = self.machine_dir(name).join("issuer.pem");
        if issuer.symlink_metadata().is_ok() { HostRole::BootIssuer } else { HostRole::Server }
    }

    /// One of a machine's certificates: `ca`, `server`, `issuer` or `cert`.
    pub fn certificate(&self, name: &MachineName, file: &str) -> Result<Certificate> {
        let path = self.machine_dir(name).join(format!("{file}.pem"));
        let text = Secret::new(files::read(&path)?);
        let read = match file {
            // More than one would be more than one that may sign clients.
            "ca" => Certificate::from_pem(text.expose()),
            _ => Certificate::chain_from_pem(text.expose()).map(|mut chain| chain.remove(0)),
        };
        read.map_err(|fault| unusable(Code::StoredPem, &path, &fault.into()))
    }

    /// The authority that a plan asks for, when it is not to be made: the store's shared one where there is
    /// one, or that of another folder.
    pub fn authority(&self, source: &AuthoritySource, now: OffsetDateTime) -> Result<Option<Pair>> {
        let dir = match source {
            AuthoritySource::Own => return Ok(None),
            AuthoritySource::Shared => &self.certs(),
            AuthoritySource::Dir(dir) => dir,
        };
        let key = dir.join("ca-key.pem");
        let certificate = dir.join("ca.pem");
        if *source == AuthoritySource::Shared && certificate.symlink_metadata().is_err() {
            if key.symlink_metadata().is_err() {
                return Ok(None);
            }
            // The key is written first; whoever was interrupted then left it without a certificate.
            let private = pki::private_key(&Secret::new(files::read(&key)?))
                .map_err(|error| unusable(Code::UnusableCa, &key, &error))?;
            return pki::certify_authority(SHARED, private, now).map(Some);
        }
        // With a key in it, where none belongs, it is a secret too.
        let certificate = Secret::new(files::read(&certificate)?);
        let key = Secret::new(files::read(&key)?);
        pki::load_authority(dir, certificate.expose(), &key, now).map(Some)
    }

    /// Writes a new machine: the identity, the plan, the seed and how to reach it.
    ///
    /// Fails without a trace when the name is taken or anything cannot be written. Says `false`, with nothing written,
    /// when another command has made the shared authority since this one looked for it: that one has to sign.
    pub fn put_machine(&self, plan: &Plan, identity: &Identity, seed: &[Artifact]) -> Result<bool> {
        let name = &plan.name;
        // Both are written into the machine's files.
        as_text(&self.root)?;
        as_text(&self.certs_of(plan))?;
        let writing = self.lock()?;
        self.refuse_taken(name, &plan.ca)?;

        let address = plan.dialled();
        let url = record::url(&address, plan.host.port);
        let record =
            Record::json(plan, &address, &url, &self.root, &self.machine_dir(name), &self.certs_of(plan))?;
        let env = Shell::Posix.set(&self.connect(name, url)?.variables());
        let stem = plan.host_role().file_stem();
        let mut files = vec![
            Artifact::public("ca.pem", identity.authority.certificate.pem()),
            Artifact::public("cert.pem", identity.client.certificate.pem()),
            Artifact::private("key.pem", identity.client.key.expose()),
            Artifact::public(format!("{stem}.pem"), identity.host.certificate.pem()),
            Artifact::private(format!("{stem}-key.pem"), identity.host.key.expose()),
            Artifact::private("config.json", record),
            Artifact::private("env", env),
        ];
        files.extend_from_slice(seed);

        let [key, certificate] = [
            Artifact::private("ca-key.pem", identity.authority.key.expose()),
            Artifact::public("ca.pem", identity.authority.certificate.pem()),
        ];
        if plan.ca == AuthoritySource::Shared && self.is_other(&identity.authority)? {
            return Ok(false);
        }
        for folder in [self.machines(), self.certs()] {
            if folder == self.machines() || !matches!(plan.ca, AuthoritySource::Dir(_)) {
                files::make_dirs(&folder)
                    .map_err(|error| files::failed(Action::MakeFolder, &folder, &error))?;
            }
        }
        let prepare = |transaction: &mut Transaction| {
            let certs = Path::new(CERTS);
            match plan.ca {
                AuthoritySource::Own => {
                    transaction.put_dir(&certs.join(name.as_str()), &[key, certificate])?;
                }
                AuthoritySource::Shared => {
                    for file in [&key, &certificate] {
                        if self.certs().join(&file.path).symlink_metadata().is_err() {
                            transaction.put_new_file(&certs.join(&file.path), file)?;
                        }
                    }
                }
                AuthoritySource::Dir(_) => {}
            }
            transaction.put_dir(&Path::new(MACHINES).join(name.as_str()), &files)
        };
        writing.change(prepare, |ca_users| {
            if let AuthoritySource::Dir(dir) = &plan.ca {
                ca_users.insert(dir, name);
            }
        })?;
        Ok(true)
    }

    /// Whether the shared authority is another one than this: by its certificate and key, whatever stands around them in
    /// the files.
    fn is_other(&self, authority: &Pair) -> Result<bool> {
        let (certificate, key) = (self.certs().join("ca.pem"), self.certs().join("ca-key.pem"));
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        Ok(is_there(&key) && pki::private_key(&Secret::new(files::read(&key)?))? != authority.key
            || is_there(&certificate)
                && Certificate::from_pem(&files::read(&certificate)?)? != authority.certificate)
    }

    /// Where a plan's authority is kept.
    fn certs_of(&self, plan: &Plan) -> PathBuf {
        match &plan.ca {
            AuthoritySource::Own => self.authority_dir(&plan.name),
            AuthoritySource::Shared => self.certs(),
            AuthoritySource::Dir(dir) => dir.clone(),
        }
    }

    /// Refuses a name that is taken by a machine, or by a folder in the place of the new CA, which stays whatever it is.
    pub fn refuse_taken(&self, name: &MachineName, ca: &AuthoritySource) -> Result<()> {
        if self.has(name) {
            return Err(Diagnostic::error(
                Code::MachineExists,
                format!("machine `{name}` exists already, nothing was changed"),
            )
            .hint(format!(
                "`{}` prints its user-data again; `{}` removes it",
                self.command(format_args!("render {name}")),
                self.command(format_args!("rm {name}"))
            ))
            .into());
        }
        let dir = self.authority_dir(name);
        if *ca != AuthoritySource::Own || dir.symlink_metadata().is_err() {
            return Ok(());
        }
        let exists = format!("`{}` exists already", dir.display());
        if let Some(other) = self.signed_from(&dir, &self.read_ca_users()?, &HashSet::new()) {
            // Moved away, it could not sign for that machine any more.
            return Err(Diagnostic::error(
                Code::CaInUse,
                format!("{exists}: it is the CA of `{other}` (nothing was changed)"),
            )
            .hint("choose another name")
            .into());
        }
        let free = (1..).map(|n| self.certs().join(format!("{name}.old{n}")));
        let free = free.into_iter().find(|path| path.symlink_metadata().is_err()).unwrap_or_default();
        Err(Diagnostic::error(Code::CaFolderExists, format!(
            "{exists}, although there is no machine `{name}`; the CA of the new machine would go there (nothing was changed)"
        ))
        .hint(format!("choose another name, or move the folder away: `mv {} {}`", word(&dir), word(&free)))
        .into())
    }

    /// Records where a machine came up.
    pub fn put_address(&self, name: &MachineName, address: &Address) -> Result<Connection> {
        let writing = self.lock()?;
        let record = self.record(name)?;
        let url = record::url(address, record.port);
        let connection = self.connect(name, url.clone())?;
        let env = Shell::Posix.set(&connection.variables());
        let record = record.moved(address, &url)?;
        let dir = Path::new(MACHINES).join(name.as_str());
        let prepare = |transaction: &mut Transaction| {
            transaction.put_file(&dir.join("env"), &Artifact::private("env", env))?;
            transaction.put_file(&dir.join("config.json"), &Artifact::private("config.json", record))
        };
        writing.change(prepare, |_| ())?;
        Ok(connection)
    }

    /// Removes machines, and their CAs where these are their own: all or none.
    ///
    /// # Errors
    /// As [`check_removal`](Self::check_removal).
    pub fn remove(&self, names: &[MachineName]) -> Result<()> {
        // Nothing is made where there is no such machine.
        names.iter().try_for_each(|name| self.require(name))?;
        let mut writing = self.lock()?;
        let ca_users = match &mut writing.ca_users {
            Some(ca_users) => ca_users,
            unknown => unknown.insert(self.read_ca_users()?),
        };
        let folders = self.removal(names, ca_users)?;
        let prepare =
            |transaction: &mut Transaction| folders.iter().try_for_each(|folder| transaction.remove(folder));
        writing.change(prepare, |ca_users| names.iter().for_each(|name| ca_users.remove(name)))
    }

    /// Whether machines can be removed.
    ///
    /// # Errors
    /// Fails when there is no such machine, when its CA signs for a machine that stays, and when its folders hold files that
    /// neither hostseed nor Docker Machine made.
    pub fn check_removal(&self, names: &[MachineName]) -> Result<()> {
        names.iter().try_for_each(|name| self.require(name))?;
        self.removal(names, &self.read_ca_users()?).map(|_| ())
    }

    /// The folders that go with machines, relative to the store.
    fn removal(&self, names: &[MachineName], ca_users: &CaUsers) -> Result<Vec<PathBuf>> {
        let leaving: HashSet<_> = names.iter().collect();
        let mut folders = Vec::new();
        for name in names {
            self.require(name)?;
            let authority = self.authority_dir(name);
            if let Some(other) = self.signed_from(&authority, ca_users, &leaving) {
                return Err(Diagnostic::error(
                    Code::CaInUse,
                    format!("the authority of `{name}` signs for `{other}` too, nothing was removed"),
                )
                .hint(format!("`{}` comes first", self.command(format_args!("rm {other}"))))
                .into());
            }
            let machine = self.machine_dir(name);
            let mut foreign = contents::foreign_to_machine(&machine, name, || {
                self.read_record(name).is_ok_and(|record| record.driver != "none")
            })?;
            folders.push(Path::new(MACHINES).join(name.as_str()));
            let plan = self.read_plan(name);
            // A plan that cannot be read must not leave a key behind.
            let is_own = plan.as_ref().map_or(true, |plan| plan.ca == AuthoritySource::Own);
            if is_own && authority.symlink_metadata().is_ok() {
                if self.is_signed_from(name, &authority) {
                    folders.push(Path::new(CERTS).join(name.as_str()));
                    foreign.extend(contents::foreign_to_authority(&authority)?);
                } else if plan.is_ok() {
                    foreign.push(authority);
                }
            }
            if !foreign.is_empty() {
                return Err(self.others_files(name, &foreign));
            }
        }
        Ok(folders)
    }

    /// The refusal to remove files that hostseed did not make.
    fn others_files(&self, name: &MachineName, foreign: &[PathBuf]) -> anyhow::Error {
        let listed: Vec<_> = foreign.iter().map(|path| format!("`{}`", path.display())).collect();
        let words: Vec<_> = foreign.iter().map(|path| word(path)).collect();
        Diagnostic::error(
            Code::ForeignFiles,
            format!(
                "hostseed did not make {}, which would go with `{name}`; nothing was removed",
                listed.join(", ")
            ),
        )
        .hint(format!("move that away first: `mv {} .`", words.join(" ")))
        .into()
    }

    /// Whether a machine's authority is the one in `dir`, by its certificate.
    fn is_signed_from(&self, name: &MachineName, dir: &Path) -> bool {
        let certificates =
            [self.machine_dir(name), dir.to_owned()].map(|dir| files::read(&dir.join("ca.pem")));
        matches!(certificates, [Ok(machines), Ok(authoritys)] if machines == authoritys)
    }

    /// The first machine that is not `leaving` and whose certificates the CA in `dir` has signed.
    fn signed_from(
        &self,
        dir: &Path,
        ca_users: &CaUsers,
        leaving: &HashSet<&MachineName>,
    ) -> Option<MachineName> {
        // What is known may be about a machine that was removed or made again since.
        ca_users
            .of(dir)
            .find(|name| !leaving.contains(name) && self.ca_folder(name).is_some_and(|ca| ca == dir))
    }

    /// Reads which machines have a folder as their CA, from all machines. A machine with a plan that cannot be read has none.
    fn read_ca_users(&self) -> Result<CaUsers> {
        let mut ca_users = CaUsers::default();
        for name in self.names()? {
            if let Some(ca) = self.ca_folder(&name) {
                ca_users.insert(&ca, &name);
            }
        }
        Ok(ca_users)
    }

    /// The folder that a machine's plan names as its CA.
    fn ca_folder(&self, name: &MachineName) -> Option<PathBuf> {
        match self.read_plan(name).ok()?.ca {
            AuthoritySource::Dir(dir) => Some(dir),
            AuthoritySource::Own | AuthoritySource::Shared => None,
        }
    }
}

/// The right to change the store, and what is known of it.
struct Writing<'a> {
    store: &'a Store,
    lock: Lock,
    /// None if it would have to be read from all machines.
    ca_users: Option<CaUsers>,
}

impl Writing<'_> {
    /// Makes one change, after which `update` is true of the machines' CAs.
    fn change(
        mut self,
        prepare: impl FnOnce(&mut Transaction) -> Result<()>,
        update: impl FnOnce(&mut CaUsers),
    ) -> Result<()> {
        let root = &self.store.root;
        self.lock.clear().map_err(|error| files::failed(Action::Write, &root.join(lock::STORE), &error))?;
        transaction::change(root, root, prepare)?;
        if let Some(mut ca_users) = self.ca_users.take() {
            update(&mut ca_users);
            state::save(&self.lock, root, ca_users);
        }
        Ok(())
    }
}

/// A path that is to be written into text.
fn as_text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        Diagnostic::error(Code::PathNotUtf8, format!(
            "`{}` is not UTF-8, so it cannot be written into config.json or an environment (nothing was changed)",
            path.display()
        ))
        .hint("`--store DIR` or MACHINE_STORAGE_PATH names a store with another path")
        .into()
    })
}

/// A file of the store whose content is wrong.
fn unusable(code: Code, path: &Path, reason: &anyhow::Error) -> anyhow::Error {
    Diagnostic::error(code, format!("`{}` cannot be used: {reason:#}", path.display())).into()
}

fn word(path: &Path) -> String {
    crate::templates::shell_word(&path.display().to_string())
}

const MACHINES: &str = "machines";
const CERTS: &str = "certs";

/// What the store's shared authority is called in its certificate.
pub const SHARED: &str = "shared";

fn likeness(a: &MachineName, b: &MachineName) -> f64 {
    strsim::jaro_winkler(a.as_str(), b.as_str())
}
