//! Takes over Docker Machine's machines: adds a plan to a machine of this store, or copies one from another store. A machine that cannot
//! be taken over is left as it is, with all reasons at once.

use std::fs;
use std::path::Path;

use anyhow::Result;
use time::OffsetDateTime;

use super::files::{self, Action};
use super::record::Record;
use super::transaction::Change;
use super::trust::Role;
use super::{CERTS, MACHINES, Store, as_text, contents, unusable};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic, Report, Severity};
use crate::names::{Address, MachineName};
use crate::pki::{self, Certificate, HostIdentity, Pair, Purpose};
use crate::plan::{AuthoritySource, Field, Plan};
use crate::render::{self, Shell};
use crate::secret::Secret;
use crate::shell::Command;
use crate::spec::{Document, Origin, Spec};

/// The newest format of a record, which Docker Machine 0.16 writes (docker/machine, `version/version.go`). 0 had no `HostOptions`.
const FORMATS: std::ops::RangeInclusive<u64> = 1..=3;
/// The script with which Docker Machine installs Docker unless told otherwise (docker/machine, `drivers.DefaultEngineInstallURL`). It
/// installs Docker's own packages, as hostseed does.
const USUAL_INSTALL_URL: &str = "https://get.docker.com";
/// The files of TLS that Docker Machine puts into a machine's folder.
const TLS_FILES: [&str; 5] = ["ca.pem", "server.pem", "server-key.pem", "cert.pem", "key.pem"];
/// Maximum size in bytes of a file that is copied from another store. Keys and settings are smaller, and disks are larger.
const MAX_FILE: u64 = 1 << 20;
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

/// Where the private key of a machine's CA is, and what has to be written for it.
enum Authority {
    /// In a folder: in this store's `certs`, or where `--tls-ca-key` named it.
    There(AuthoritySource),
    /// In `certs` of another store. This store has no shared CA, so it becomes that.
    Shared(Vec<Artifact>),
    /// In another folder. It becomes the machine's own, in `certs/NAME`.
    Own(Vec<Artifact>),
    /// Nowhere.
    Unknown,
}

impl Authority {
    fn source(&self) -> AuthoritySource {
        match self {
            Self::There(source) => source.clone(),
            Self::Shared(_) => AuthoritySource::Shared,
            Self::Own(_) | Self::Unknown => AuthoritySource::Own,
        }
    }
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
            _ => {}
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

    /// Reads a machine's record and its certificates. Keys must belong to their certificates.
    fn checked_files(
        &self,
        source: &Store,
        name: &MachineName,
    ) -> Result<(Record, HostIdentity, Certificate)> {
        let dir = source.machine_dir(name);
        let mut problems = Vec::new();
        let refuse = |text: String| Diagnostic::error(Code::DockerMachineRecord, text);
        let path = dir.join("config.json");
        let text = files::read(&path);
        let lacks_address = text.as_ref().is_ok_and(|text| Record::lacks_address(text.expose()));
        let missing = TLS_FILES.iter().filter(|file| dir.join(file).symlink_metadata().is_err());
        let missing: Vec<_> = (lacks_address.then(|| "an address".to_owned()).into_iter())
            .chain(missing.map(|file| format!("`{file}`")))
            .collect();
        if !missing.is_empty() {
            let text =
                format!("`{name}` lacks {}: Docker Machine has not finished creating it", missing.join(", "));
            problems.push(refuse(text).hint("finish or remove it with `docker-machine`"));
        }
        let record = text.and_then(|text| {
            Record::from_json(text.expose()).map_err(|error| unusable(Code::StoredRecord, &path, &error))
        });
        match &record {
            Err(_) if lacks_address => {}
            Err(error) => problems.push(problem_of(error)),
            Ok(record) if !FORMATS.contains(&record.version()) => {
                let text = format!(
                    "the record of `{name}` has the format {}, and hostseed reads 1 to 3",
                    record.version()
                );
                problems.push(refuse(text).hint("`docker-machine ls` rewrites old records"));
            }
            Ok(record) if record.scheme() != "tcp" => {
                let text = format!(
                    "`{name}` is at `{}`: hostseed connects to machines only over TLS, at `tcp://HOST:PORT`",
                    record.url
                );
                problems.push(refuse(text));
            }
            Ok(_) => {}
        }
        if !missing.is_empty() {
            return Err(Report(problems).into());
        }
        let identity = read_identity(&dir);
        if let Err(error) = &identity {
            problems.push(problem_of(error));
        }
        match (record, identity) {
            (Ok(record), Ok((host, client))) if problems.is_empty() => Ok((record, host, client)),
            _ => Err(Report(problems).into()),
        }
    }

    /// Finds the private key of a machine's CA: in `certs` of the machine's store, else where its record says.
    fn find_authority(
        &self,
        source: &Store,
        name: &MachineName,
        record: &Record,
        ca: &Certificate,
    ) -> Result<Authority> {
        let [certificate, key] = record.authority_files();
        let places = [
            (source.certs().join("ca.pem"), source.certs().join("ca-key.pem"), Role::Store),
            (certificate, key, Role::Authority),
        ];
        for (certificate_path, key_path, role) in places {
            let is_the_ca = || {
                files::read(&certificate_path)
                    .ok()
                    .and_then(|text| Certificate::from_pem(text.expose()).ok())
                    .as_ref()
                    == Some(ca)
            };
            if !key_path.is_absolute() || !key_path.is_file() || !is_the_ca() {
                continue;
            }
            for path in [&certificate_path, &key_path] {
                self.trust.check_folder(files::parent(path), role)?;
            }
            let file = |path: &Path| {
                path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            };
            self.check_files(files::parent(&key_path), role, &[&file(&key_path)], &[])?;
            let text = files::read(&key_path)?;
            let key = match pki::is_key_of(&text, ca) {
                Ok(true) => pki::private_key(&text)?,
                // It cannot be compared without its passphrase, and is asked for when it signs.
                Err(error) if pki::is_encrypted(&error) => text,
                Ok(false) | Err(_) => continue,
            };
            let is_in_place = file(&certificate_path) == "ca.pem"
                && file(&key_path) == "ca-key.pem"
                && certificate_path.parent() == key_path.parent();
            return match role {
                Role::Store if self.is_same(source) => Ok(Authority::There(AuthoritySource::Shared)),
                Role::Authority if is_in_place => {
                    Ok(Authority::There(AuthoritySource::Dir(files::parent(&key_path).to_owned())))
                }
                _ => self.adopted(source, name, Pair { certificate: ca.clone(), key }, role),
            };
        }
        Ok(Authority::Unknown)
    }

    /// Makes a CA from elsewhere this store's shared one, or if that is another one the machine's own.
    fn adopted(&self, source: &Store, name: &MachineName, ca: Pair, role: Role) -> Result<Authority> {
        let own_text = files::read(&source.machine_dir(name).join("ca.pem"))?;
        if role == Role::Store && !self.is_other(&ca)? {
            let mut shared = vec![
                Artifact::private("ca-key.pem", ca.key.expose()),
                Artifact::public("ca.pem", own_text.expose()),
            ];
            // Docker Machine's client, without which its own commands do not work.
            let client = ["key.pem", "cert.pem"].map(|file| files::read(&source.certs().join(file)));
            if let [Ok(key), Ok(certificate)] = client {
                shared.extend([
                    Artifact::private("key.pem", key.expose()),
                    Artifact::public("cert.pem", certificate.expose()),
                ]);
            }
            let is_there = |file: &Artifact| self.certs().join(&file.path).symlink_metadata().is_ok();
            if shared[..2].iter().all(is_there) {
                return Ok(Authority::There(AuthoritySource::Shared));
            }
            shared.retain(|file| !is_there(file));
            return Ok(Authority::Shared(shared));
        }
        let dir = self.authority_dir(name);
        if dir.symlink_metadata().is_ok() && files::read(&dir.join("ca.pem")).ok().as_ref() != Some(&own_text)
        {
            let text = format!(
                "`{}` exists already, and the CA of `{name}` needs this folder (nothing was changed)",
                dir.display()
            );
            return Err(Diagnostic::error(Code::CaFolderExists, text).hint("move it away").into());
        }
        Ok(Authority::Own(vec![
            Artifact::private("ca-key.pem", ca.key.expose()),
            Artifact::public("ca.pem", own_text.expose()),
        ]))
    }

    /// A warning if the host's key is a client's key too. Docker Machine makes such certificates, hostseed never.
    pub fn client_use(
        &self,
        name: &MachineName,
        host: &HostIdentity,
        now: OffsetDateTime,
    ) -> Option<Diagnostic> {
        let (leaf, above) = host.chain.split_first()?;
        pki::judge(leaf, above, &host.ca.anchors(), Purpose::Client, now).ok()?;
        let text = format!(
            "the server certificate of `{name}` is valid for clients too, as Docker Machine makes it: anyone who has the user-data can control Docker on all machines of its CA until {}",
            leaf.validity().not_after.date()
        );
        let warning = Diagnostic::warning(Code::CertificatePurpose, text);
        let renew = self.command(["renew", name.as_str(), "--apply"]);
        Some(warning.hint("replace the certificate before you give the user-data to a cloud:").run(renew))
    }

    /// Warnings about a machine's certificates.
    fn doubts(
        &self,
        plan: &Plan,
        host: &HostIdentity,
        client: &Certificate,
        now: OffsetDateTime,
    ) -> Vec<Diagnostic> {
        let name = &plan.name;
        let mut doubts = Vec::new();
        let anchors = host.ca.anchors();
        let [leaf, above @ ..] = &host.chain[..] else { return doubts };
        for (certificate, above, purpose, file) in
            [(leaf, above, Purpose::Server, "server.pem"), (client, &[], Purpose::Client, "cert.pem")]
        {
            if let Err(why) = pki::judge(certificate, above, &anchors, purpose, now) {
                let text = format!("`{file}` of `{name}` does not verify with its `ca.pem`: {why}");
                doubts.push(Diagnostic::warning(Code::CertificateChain, text));
            }
        }
        doubts.extend(self.client_use(name, host, now));
        let address = plan.dialled();
        if !leaf.covers(&address) {
            let text = format!(
                "the server certificate of `{name}` does not cover its address {address}, so clients refuse it"
            );
            doubts.push(Diagnostic::warning(Code::AddressNotCovered, text));
        }
        doubts
    }

    /// The files of a machine in another store as this store gets them, and what is not copied.
    fn copies(&self, source: &Store, plan: &Plan, record: &Record) -> Result<(Vec<Artifact>, Vec<String>)> {
        let name = &plan.name;
        let from = source.machine_dir(name);
        let failed = |error| files::failed(Action::Read, &from, &error);
        let (mut copies, mut left) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&from).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let Some(file) = path.file_name().and_then(|file| file.to_str()) else {
                left.push(format!("`{}`", path.file_name().unwrap_or_default().display()));
                continue;
            };
            // Written anew.
            if ["config.json", "env"].contains(&file) {
                continue;
            }
            let is_known = contents::KEYS.contains(&file) || contents::OTHERS.contains(&file);
            let is_small =
                fs::metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX_FILE);
            if !is_known && (contents::is_drivers(file, name) || !is_small) {
                left.push(format!("`{file}`"));
                continue;
            }
            let bytes =
                Secret::new(fs::read(&path).map_err(|error| files::failed(Action::Read, &path, &error))?);
            copies.push(match contents::OTHERS.contains(&file) {
                true => Artifact::public(file, bytes),
                // An unknown file can be a secret.
                false => Artifact::private(file, bytes),
            });
        }
        left.sort();
        let placed = record.placed(&self.root, &self.machine_dir(name), &self.certs_of(plan));
        let placed =
            placed.map_err(|error| unusable(Code::StoredRecord, &from.join("config.json"), &error))?;
        copies.push(Artifact::private("config.json", placed));
        Ok((copies, left))
    }
}

/// Reads what the host has, and the client's certificate.
fn read_identity(dir: &Path) -> Result<(HostIdentity, Certificate)> {
    let [ca, server, server_key, cert, key] = TLS_FILES.map(|file| dir.join(file));
    let texts = [files::read(&ca)?, files::read(&server)?, files::read(&server_key)?];
    let host = HostIdentity::read([(&ca, &texts[0]), (&server, &texts[1]), (&server_key, &texts[2])])?;
    let chain = Certificate::chain_from_pem(files::read(&cert)?.expose());
    let client = chain.map_err(|fault| unusable(Code::StoredPem, &cert, &fault.into()))?.remove(0);
    let is_its = pki::is_key_of(&files::read(&key)?, &client)
        .map_err(|error| unusable(Code::StoredPem, &key, &error))?;
    if !is_its {
        let text = format!("`{}` is not the key of cert.pem", key.display());
        return Err(Diagnostic::error(Code::KeyMismatch, text).into());
    }
    Ok((host, client))
}

/// The plan with which hostseed would have created the machine, and what hostseed would not accept of it today.
fn plan_of(
    dir: &Path,
    name: &MachineName,
    record: &Record,
    host: &HostIdentity,
    authority: &Authority,
) -> Result<(Plan, Vec<Diagnostic>)> {
    let leaf = &host.chain[0];
    let file = dir.join("config.json").display().to_string();
    let mut spec = Spec { origin: Origin::File(Document::of_record(&file)), ..Spec::default() };
    spec.set("name", [name.to_string()]);
    spec.set("address", [record.host.clone()]);
    spec.set("boot-issuer", ["false".to_owned()]);
    spec.set("port", [record.port.to_string()]);
    spec.set("ca", [authority.source().name()]);
    let key = leaf.key_type().ok_or_else(|| {
        let text = format!(
            "`{}` has a kind of key that hostseed does not support",
            dir.join("server.pem").display()
        );
        Diagnostic::error(Code::StoredPem, text)
    })?;
    spec.set("key", [key.name().to_owned()]);
    let validity = leaf.validity();
    spec.set("valid-for", [format!("{}h", (validity.not_after - validity.not_before).whole_hours())]);
    let (mut sans, mut labels) = (Vec::new(), Vec::new());
    for field in record.options() {
        match field {
            Field::Many("tls-san", values) => sans = values,
            Field::Many("engine-opt", values) => {
                spec.set("engine-opt", values.iter().map(|value| as_flag(value)))
            }
            Field::One("engine-install-url", url) if url.trim_end_matches('/') == USUAL_INSTALL_URL => {}
            Field::One("engine-install-url", url) => {
                if url.starts_with("http://") {
                    spec.set("insecure-install-url", ["true".to_owned()]);
                }
                spec.set("engine-install-url", [url]);
            }
            Field::Many("engine-label", values) => labels = values,
            Field::One(name, value) => spec.set(name, [value]),
            Field::Many(name, values) => spec.set(name, values),
        }
    }
    let always = [record.host.as_str(), name.as_str(), "localhost", "127.0.0.1"];
    for san in leaf.sans().iter().map(Address::to_string) {
        if !sans.contains(&san) {
            sans.push(san);
        }
    }
    // Docker Machine gives each host this label, but does not record it.
    if record.driver != "none" && !labels.iter().any(|label| label.starts_with("provider=")) {
        labels.push(format!("provider={}", record.driver));
    }
    spec.set("engine-label", labels);
    sans.retain(|san| !always.contains(&san.as_str()));
    spec.set("tls-san", sans);

    let plan = Plan::from_stored(&spec)?;
    let doubts = match Plan::from_spec(&spec) {
        Ok(_) => Vec::new(),
        Err(report) => {
            report.0.into_iter().map(|doubt| Diagnostic { severity: Severity::Warning, ..doubt }).collect()
        }
    };
    Ok((plan, doubts))
}

/// An option of dockerd as hostseed writes it. Docker Machine puts `--` before it, and accepts a space for `=`.
fn as_flag(option: &str) -> String {
    let option = option.trim().trim_start_matches("--");
    match option.split_once(char::is_whitespace) {
        Some((flag, value)) if !flag.contains('=') => format!("{flag}={}", value.trim_start()),
        _ => option.to_owned(),
    }
}

fn problem_of(error: &anyhow::Error) -> Diagnostic {
    Diagnostic::of(error).unwrap_or_else(|| Diagnostic::error(Code::StoredRecord, format!("{error:#}")))
}
