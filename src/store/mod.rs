//! The folder where machines are kept, laid out as Docker Machine's, whose own commands read it too. The only
//! writer: a machine appears whole or not at all, and what was there before a failure is there after it.

mod files;
mod record;

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use anyhow::{Context, Result};
use time::OffsetDateTime;

pub use record::Record;

use crate::artifact::Artifact;
use crate::names::{Address, MachineName};
use crate::pki::{self, Certificate, HostIdentity, Identity, Pair};
use crate::plan::{AuthoritySource, HostRole, Plan};
use crate::render::{self, Connection, Shell};
use crate::report::Failure;
use crate::secret::Secret;
use crate::spec::{Spec, Word};
use files::Lock;

/// A store, which need not exist yet.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    /// Whether commands have to name it to reach it again.
    named: bool,
}

impl Store {
    /// The store at `root`. Nothing is read or made. `named` says that it is neither the usual one nor the environment's.
    pub fn at(root: PathBuf, named: bool) -> Result<Self> {
        let root = std::path::absolute(&root)
            .with_context(|| format!("cannot use `{}` as a store", root.display()))?;
        Ok(Self { root, named })
    }

    /// A command of hostseed's on this store, for the user to type.
    pub fn command(&self, words: fmt::Arguments) -> String {
        match self.named {
            true => {
                format!("hostseed --store {} {words}", render::shell_word(&self.root.display().to_string()))
            }
            false => format!("hostseed {words}"),
        }
    }

    /// The folder of a machine.
    pub fn machine_dir(&self, name: &MachineName) -> PathBuf {
        self.machines().join(name.as_str())
    }

    fn machines(&self) -> PathBuf {
        self.root.join("machines")
    }

    fn certs(&self) -> PathBuf {
        self.root.join("certs")
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
            Err(error) => return Err(files::failed("read", &self.machines(), &error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read `{}`", self.machines().display()))?;
            if entry.path().is_dir()
                && let Some(name) = entry.file_name().to_str().and_then(|name| MachineName::parse(name).ok())
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Fails when there is no such machine, with the name that was probably meant.
    pub fn require(&self, name: &MachineName) -> Result<()> {
        if self.has(name) {
            return Ok(());
        }
        let mut failure = Failure::new(format!("there is no machine `{name}` in `{}`", self.root.display()));
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
        let path = self.machine_dir(name).join("config.json");
        Record::from_json(&files::read(&path)?)
            .with_context(|| format!("`{}` cannot be used", path.display()))
    }

    /// How clients reach a machine.
    pub fn connection(&self, name: &MachineName) -> Result<Connection> {
        Ok(self.connect(name, self.record(name)?.url))
    }

    /// How clients would reach it at another address.
    pub fn connection_at(&self, name: &MachineName, address: &Address) -> Result<Connection> {
        Ok(self.connect(name, record::url(address, self.record(name)?.port)))
    }

    fn connect(&self, name: &MachineName, url: String) -> Connection {
        let cert_path = self.machine_dir(name).display().to_string();
        Connection { machine: name.to_string(), url, cert_path }
    }

    /// The plan that a machine was made from.
    pub fn plan(&self, name: &MachineName) -> Result<Plan> {
        self.require(name)?;
        let path = self.machine_dir(name).join("machine.yaml");
        if path.symlink_metadata().is_err() {
            return Err(Failure::new(format!(
                "`{name}` was not made by hostseed: it has no machine.yaml, so there is nothing to render"
            ))
            .hint("its `env`, `config`, `url`, `ip` and `inspect` work all the same")
            .into());
        }
        let text = files::read(&path)?;
        let mut spec = Spec::from_yaml(&path.display().to_string(), &text);
        // A machine of before there were boot issuers does not say that it has none.
        if let Ok(spec) = &mut spec
            && spec.boot_issuer.is_none()
        {
            let issues = self.host_role(name) == HostRole::BootIssuer;
            spec.boot_issuer = Some(Word::from(issues.to_string()));
        }
        // A machine made before an http install URL had to be allowed does not say that it is.
        if let Ok(spec) = &mut spec
            && spec.engine_install_url.is_some()
            && spec.insecure_install_url.is_none()
        {
            spec.insecure_install_url = Some(Word::from("true".to_owned()));
        }
        // Its author is hostseed, so what is wrong with it is a failure and no usage error.
        spec.and_then(|spec| Plan::from_stored(&spec))
            .map_err(|report| Failure::new(report.to_string()).into())
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
        read.with_context(|| format!("`{}` cannot be used", path.display()))
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
                .with_context(|| format!("`{}` cannot be used", key.display()))?;
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
        let lock = Lock::take(&self.root)?;
        self.refuse_taken(name)?;
        lock.sweep(&self.machines())?;
        lock.sweep(&self.certs())?;

        let address = plan.dialled();
        let url = record::url(&address, plan.host.port);
        let record =
            Record::json(plan, &address, &url, &self.root, &self.machine_dir(name), &self.certs_of(plan))?;
        let env = Shell::Posix.set(&self.connect(name, url).variables());
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

        let machine = lock.stage(&self.machine_dir(name), &files)?;
        let authority = [
            Artifact::private("ca-key.pem", identity.authority.key.expose()),
            Artifact::public("ca.pem", identity.authority.certificate.pem()),
        ];
        match plan.ca {
            AuthoritySource::Own => {
                let authority = lock.stage(&self.authority_dir(name), &authority)?.place()?;
                machine.place()?.keep();
                authority.keep();
            }
            AuthoritySource::Shared => {
                if self.is_other(&identity.authority)? {
                    return Ok(false);
                }
                // The key first: a certificate without its key could not be mended.
                let [key, certificate] = &authority;
                let key = lock.put_new(&self.certs(), key)?;
                let certificate = lock.put_new(&self.certs(), certificate)?;
                machine.place()?.keep();
                certificate.keep();
                key.keep();
            }
            AuthoritySource::Dir(_) => machine.place()?.keep(),
        }
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

    /// Refuses a name that is taken.
    pub fn refuse_taken(&self, name: &MachineName) -> Result<()> {
        if !self.has(name) {
            return Ok(());
        }
        Err(Failure::new(format!("machine `{name}` exists already, nothing was changed"))
            .hint(format!(
                "`{}` prints its user-data again; `{}` removes it",
                self.command(format_args!("render {name}")),
                self.command(format_args!("rm {name}"))
            ))
            .into())
    }

    /// Records where a machine came up.
    pub fn put_address(&self, name: &MachineName, address: &Address) -> Result<Connection> {
        let lock = Lock::take(&self.root)?;
        let record = self.record(name)?;
        let url = record::url(address, record.port);
        let connection = self.connect(name, url.clone());
        let env = Shell::Posix.set(&connection.variables());
        let record = record.moved(address, &url)?;
        let dir = self.machine_dir(name);
        lock.sweep(&dir)?;
        let before = files::read(&dir.join("env")).ok();
        lock.replace(&dir, &Artifact::private("env", env))?;
        if let Err(error) = lock.replace(&dir, &Artifact::private("config.json", record)) {
            if let Some(before) = before {
                lock.replace(&dir, &Artifact::private("env", before))?;
            }
            return Err(error);
        }
        Ok(connection)
    }

    /// Removes a machine, and its authority where that is its own: both are out of sight before either is deleted, or
    /// both stay. Refuses while the authority signs for another machine.
    pub fn remove(&self, name: &MachineName) -> Result<()> {
        let lock = Lock::take(&self.root)?;
        self.require(name)?;
        let own = match self.plan(name) {
            Ok(plan) => plan.ca == AuthoritySource::Own,
            // A plan that cannot be read must not leave a key behind.
            Err(_) => self.is_signed_from(name, &self.authority_dir(name)),
        };
        if let Some(other) = self.signed_from(&self.authority_dir(name), name)? {
            return Err(Failure::new(format!(
                "the authority of `{name}` signs for `{other}` too, nothing was removed"
            ))
            .hint(format!("`{}` comes first", self.command(format_args!("rm {other}"))))
            .into());
        }
        lock.sweep(&self.machines())?;
        lock.sweep(&self.certs())?;
        let machine = lock.hide(&self.machine_dir(name))?;
        let authority = if own { lock.hide(&self.authority_dir(name))?.release() } else { None };
        [machine.release(), authority].into_iter().try_for_each(files::delete)
    }

    /// Whether a machine's authority is the one in `dir`, by its certificate.
    fn is_signed_from(&self, name: &MachineName, dir: &Path) -> bool {
        let certificates =
            [self.machine_dir(name), dir.to_owned()].map(|dir| files::read(&dir.join("ca.pem")));
        matches!(certificates, [Ok(machines), Ok(authoritys)] if machines == authoritys)
    }

    /// Another machine than `but` whose certificates the authority in `dir` has signed.
    fn signed_from(&self, dir: &Path, but: &MachineName) -> Result<Option<MachineName>> {
        let signed = |name: &MachineName| {
            self.plan(name).is_ok_and(|plan| plan.ca == AuthoritySource::Dir(dir.to_owned()))
        };
        Ok(self.names()?.into_iter().find(|name| name != but && signed(name)))
    }
}

/// Writes an artifact to a file of the user's choice: whole or not at all, 0600 where it holds a key.
///
/// Refuses to put a key where a file that others can read is already. What is no regular file (a pipe, a device)
/// is written to as it is.
pub fn put_artifact(path: &Path, artifact: &Artifact) -> Result<()> {
    files::put(path, artifact)
}

/// Writes the files of a folder of the user's choice, as [`put_artifact`] each: a new folder (0700) appears whole or not at
/// all, and in one that is there nothing changes before every file is written. Other files in it stay.
pub fn put_folder(dir: &Path, files: &[Artifact]) -> Result<()> {
    files::put_folder(dir, files)
}

/// What the store's shared authority is called in its certificate.
pub const SHARED: &str = "shared";

fn likeness(a: &MachineName, b: &MachineName) -> f64 {
    strsim::jaro_winkler(a.as_str(), b.as_str())
}
