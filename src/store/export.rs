//! Exports a machine, or one client of it, and imports it into another store.

use std::path::Path;

use anyhow::Result;

use super::client::{CLIENTS, FILES};
use super::files::{self, Action};
use super::record::{self, Record};
use super::transaction::Change;
use super::{CERTS, MACHINES, Store, as_text, contents, machine};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::export::{CA, CA_FILES, Export, Kind, MACHINE, MACHINE_FILES};
use crate::names::{Address, ClientName, MachineName, host_of};
use crate::pki::{self, CaBundle, Certificate, ClientIdentity, HostIdentity, Purpose};
use crate::plan::{AuthoritySource, DEFAULT_PORT, HostRole, Plan};
use crate::render::{self, Shell};
use crate::secret::Secret;
use crate::shell::Command;
use crate::spec::Spec;

/// The private key of the CA in an exported machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaKey {
    Included,
    /// The CA signs for other machines too, and its key was not asked for.
    LeftOut,
    /// It is not in the store.
    Missing,
}

/// The result of an import.
#[derive(Debug)]
pub struct Imported {
    /// The machine's plan. None if only a client was imported, or if Docker Machine made the machine.
    pub plan: Option<Plan>,
    pub is_client_only: bool,
    pub has_ca_key: bool,
}

impl Store {
    /// Reads everything of a machine that another store needs, without the clients of an earlier CA, which it returns too. The key of a
    /// CA that is not only the machine's is included `with_ca_key`.
    ///
    /// # Errors
    /// Fails if the machine does not exist, another user can change it, or its files do not belong together.
    pub fn export_machine(
        &self,
        name: &MachineName,
        with_ca_key: bool,
    ) -> Result<(Export, CaKey, Vec<ClientName>)> {
        self.require(name)?;
        self.refuse_client_only(name)?;
        let dir = self.machine_dir(name);
        let mut exported = Vec::new();
        for file in MACHINE_FILES {
            copy(&mut exported, &dir, file, &format!("{MACHINE}{file}"))?;
        }
        let (revoked, clients) = self
            .client_names(name)?
            .into_iter()
            .partition::<Vec<_>, _>(|client| self.is_revoked(name, client));
        for client in clients {
            let dir = self.client_dir(name, &client);
            for file in FILES {
                copy(&mut exported, &dir, file, &format!("{MACHINE}{CLIENTS}/{client}/{file}"))?;
            }
        }
        let source = self.ca_source(name)?;
        let key = if source != AuthoritySource::Own && !with_ca_key {
            CaKey::LeftOut
        } else {
            self.check_authority(&source)?;
            let dir = self.ca_dir(name, source);
            if dir.join("ca-key.pem").symlink_metadata().is_ok() {
                for file in CA_FILES {
                    copy(&mut exported, &dir, file, &format!("{CA}{file}"))?;
                }
                CaKey::Included
            } else {
                CaKey::Missing
            }
        };
        let export = Export::new(name.clone(), Kind::Machine, exported);
        // An export that cannot be imported is refused now.
        Checked::machine(&export)?;
        Ok((export, key, revoked))
    }

    /// Reads what a client needs to connect: the machine's own client, or a further one.
    ///
    /// # Errors
    /// Fails if there is no such client, or if its files do not belong together.
    pub fn export_client(
        &self,
        name: &MachineName,
        client: Option<&ClientName>,
    ) -> Result<(Export, Certificate)> {
        let docker_host = self.connection(name)?.url;
        if let Some(client) = client
            && self.is_revoked(name, client)
        {
            let message = format!(
                "the certificate of `{client}` is of an earlier CA of `{name}`, so a host with the new CA refuses it; nothing was written"
            );
            return Err(Diagnostic::error(Code::ClientRevoked, message)
                .hint("make a new certificate for the client:")
                .run(self.command(["client", name.as_str(), "--cn", client.as_str()]))
                .into());
        }
        let ClientIdentity { ca, chain, key } = match client {
            Some(client) => self.further_client(name, client)?,
            None => self.client_identity(name)?,
        };
        let files = vec![
            Artifact::public(format!("{MACHINE}ca.pem"), ca.pem()),
            Artifact::public(format!("{MACHINE}cert.pem"), pem(&chain)),
            Artifact::private(format!("{MACHINE}key.pem"), key.expose()),
        ];
        let export = Export::new(name.clone(), Kind::Client { docker_host }, files);
        Checked::client(&export)?;
        Ok((export, chain[0].clone()))
    }

    /// Writes an exported machine as `name`. Paths in its files become those of this store.
    ///
    /// # Errors
    /// Fails if the name is taken, or if the files do not belong together. The store is unchanged then.
    pub fn put_import(&self, export: &Export, name: &MachineName) -> Result<Imported> {
        match &export.kind {
            Kind::Client { docker_host } => self.put_client_only(export, docker_host, name),
            Kind::Machine => self.put_exported(export, name),
        }
    }

    fn put_exported(&self, export: &Export, name: &MachineName) -> Result<Imported> {
        let Checked { ca, host, mut plan, mut files, authority } = Checked::machine(export)?;
        let source = match &plan {
            // A CA's key that comes with the machine is the machine's own here, unless this store has the same shared CA.
            Some(plan)
                if authority.is_empty() || plan.ca == AuthoritySource::Shared && self.shares(&ca.current) =>
            {
                plan.ca.clone()
            }
            Some(_) => AuthoritySource::Own,
            None => AuthoritySource::Shared,
        };
        if let Some(plan) = &mut plan {
            (plan.name, plan.ca) = (name.clone(), source.clone());
        }
        as_text(&self.root)?;
        let mut transaction = self.begin()?;
        self.refuse_taken(name, &source)?;
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
        let mut changes = Vec::new();
        if source == AuthoritySource::Own && !authority.is_empty() {
            changes.push(Change::NewFolder(Path::new(CERTS).join(name.as_str()), &authority));
        }
        if let (AuthoritySource::Dir(dir), Some(ca_users)) = (&source, &mut transaction.ca_users) {
            ca_users.insert(dir, name);
        }
        changes.push(Change::NewFolder(Path::new(MACHINES).join(name.as_str()), &files));
        self.make_folders()?;
        transaction.commit(&changes)?;
        let has_ca_key =
            !authority.is_empty() || source == AuthoritySource::Shared && self.shares(&ca.current);
        Ok(Imported { plan, is_client_only: false, has_ca_key })
    }

    fn put_client_only(&self, export: &Export, docker_host: &str, name: &MachineName) -> Result<Imported> {
        let mut files = Checked::client(export)?;
        let (address, port) = address_of(docker_host)?;
        // A plan with nothing but the address. It is not written, because it is not the host's.
        let spec =
            Spec::from_yaml("the import", &format!("name: {name}\naddress: \"{address}\"\nport: {port}\n"));
        let plan =
            spec.and_then(|spec| Plan::from_stored(&spec)).map_err(|report| damaged(report.to_string()))?;
        as_text(&self.root)?;
        let transaction = self.begin()?;
        self.refuse_taken(name, &AuthoritySource::Shared)?;
        let url = record::url(&address, port);
        let dir = self.machine_dir(name);
        let record = Record::json(&plan, &address, &url, &self.root, &dir, &self.authority_dir(name))?;
        files.push(Artifact::private("config.json", record));
        files.push(Artifact::private("env", Shell::Posix.set(&self.connect(name, url)?.variables())));
        self.make_folders()?;
        transaction.commit(&[Change::NewFolder(Path::new(MACHINES).join(name.as_str()), &files)])?;
        Ok(Imported { plan: None, is_client_only: true, has_ca_key: false })
    }

    fn make_folders(&self) -> Result<()> {
        for folder in [self.machines(), self.certs()] {
            files::make_dirs(&folder).map_err(|error| files::failed(Action::MakeFolder, &folder, &error))?;
        }
        Ok(())
    }

    /// Returns whether this store has the same shared CA, with its key.
    fn shares(&self, ca: &Certificate) -> bool {
        let certs = self.certs();
        let read = || Certificate::from_pem(files::read(&certs.join("ca.pem")).ok()?.expose()).ok();
        certs.join("ca-key.pem").symlink_metadata().is_ok() && read().as_ref() == Some(ca)
    }

    /// Returns whether the store has only a client certificate of a machine: neither the host's certificate nor a plan.
    pub fn is_client_only(&self, name: &MachineName) -> bool {
        let dir = self.machine_dir(name);
        let has = |file: &str| dir.join(file).symlink_metadata().is_ok();
        ["cert.pem", "key.pem"].iter().all(|file| has(file))
            && !["machine.yaml", "server.pem", "issuer.pem"].iter().any(|file| has(file))
            // Docker Machine can have stopped before it made the rest.
            && self.read_record(name).is_ok_and(|record| record.driver == "none")
    }

    /// Refuses a machine of which the store has only a client certificate.
    ///
    /// # Errors
    /// Fails if [`is_client_only`](Self::is_client_only).
    pub(super) fn refuse_client_only(&self, name: &MachineName) -> Result<()> {
        if !self.is_client_only(name) {
            return Ok(());
        }
        let message = format!(
            "`{name}` was imported with a client certificate only, and this needs the whole machine; nothing was written"
        );
        Err(Diagnostic::error(Code::ClientOnly, message)
            .hint("do it on the computer that created the machine, or export the whole machine there and import it here:")
            .run(Command::own(["export", name.as_str(), "--passphrase", "-o", &format!("{name}.hostseed")]))
            .into())
    }
}

/// Adds a file to an export, if it exists.
fn copy(exported: &mut Vec<Artifact>, dir: &Path, file: &str, path: &str) -> Result<()> {
    let from = dir.join(file);
    if from.symlink_metadata().is_err() {
        return Ok(());
    }
    let text = files::read(&from)?.into_bytes();
    exported.push(match contents::OTHERS.contains(&file) {
        true => Artifact::public(path, text),
        false => Artifact::private(path, text),
    });
    Ok(())
}

/// The files of an exported machine after all checks, with the names that they have in the machine's folder. Of a file with certificates
/// or a key nothing else is kept. `config.json`, `machine.yaml` and what is made from them are missing.
struct Checked {
    ca: CaBundle,
    /// None for a machine of Docker Machine that has none.
    host: Option<HostIdentity>,
    plan: Option<Plan>,
    files: Vec<Artifact>,
    /// The files of the CA, or none.
    authority: Vec<Artifact>,
}

impl Checked {
    /// Checks a whole machine.
    ///
    /// # Errors
    /// Fails if a file is missing or unreadable, if a key does not belong to its certificate, or if the machine's CA did not sign one.
    fn machine(export: &Export) -> Result<Self, Diagnostic> {
        let (ca, mut files) = Self::authority_and_client(export)?;
        record_of(export)?;
        let role = match export.file("machine/issuer.pem") {
            Some(_) => HostRole::BootIssuer,
            None => HostRole::Server,
        };
        let plan = match text_of(export, "machine/machine.yaml") {
            Ok(text) => {
                let plan = machine::parse_plan("machine.yaml", text.expose(), role)
                    .map_err(|problem| damaged(problem.message))?;
                if plan.name != export.name || plan.host_role() != role {
                    return Err(damaged("`machine.yaml` is of another machine".to_owned()));
                }
                Some(plan)
            }
            Err(_) => None,
        };
        let stem = role.file_stem();
        let has_host = plan.is_some() || export.file(&format!("{MACHINE}{stem}.pem")).is_some();
        let host = if has_host { Some(host(export, stem, role, &ca)?) } else { None };
        if let Some(host) = &host {
            files.push(Artifact::public(format!("{stem}.pem"), host.chain_pem()));
            files.push(Artifact::private(format!("{stem}-key.pem"), host.key.expose()));
        }
        for client in export.clients() {
            let prefix = format!("{CLIENTS}/{client}/");
            files.extend(client_files(export, &prefix, &ca)?);
        }
        for file in ["id_rsa", "id_rsa.pub"] {
            let found = export.file(&format!("{MACHINE}{file}"));
            files.extend(found.map(|found| Artifact { path: file.to_owned(), ..found.clone() }));
        }
        let authority = authority(export, &ca.current)?;
        Ok(Self { ca, host, plan, files, authority })
    }

    /// Checks what a client needs to connect, and returns its files.
    fn client(export: &Export) -> Result<Vec<Artifact>, Diagnostic> {
        if let Kind::Client { docker_host } = &export.kind {
            address_of(docker_host)?;
        }
        Self::authority_and_client(export).map(|(_, files)| files)
    }

    /// Checks the CAs' certificates and the machine's own client.
    fn authority_and_client(export: &Export) -> Result<(CaBundle, Vec<Artifact>), Diagnostic> {
        let text = text_of(export, "machine/ca.pem")?;
        let ca = CaBundle::from_pem(text.expose()).map_err(|fault| damaged(format!("`ca.pem`: {fault}")))?;
        let mut files = vec![Artifact::public("ca.pem", ca.pem())];
        files.extend(client_files(export, "", &ca)?);
        Ok((ca, files))
    }
}

/// The host's certificates and key, which the CA must have signed.
fn host(export: &Export, stem: &str, role: HostRole, ca: &CaBundle) -> Result<HostIdentity, Diagnostic> {
    let path = format!("{stem}.pem");
    let chain = chain_of(export, &path)?;
    let key = key_of(export, &format!("{stem}-key.pem"), &chain[0])?;
    let (leaf, between) = match role {
        HostRole::Server => (chain[0].clone(), &chain[1..]),
        HostRole::BootIssuer => {
            let leaf =
                pki::trial_leaf(&chain[0], &key).map_err(|error| damaged(format!("`{path}`: {error:#}")))?;
            (leaf, &chain[..])
        }
    };
    judge(&path, &leaf, between, ca, Purpose::Server)?;
    Ok(HostIdentity { ca: ca.clone(), chain, key })
}

/// A client's certificate and key, which the CA must have signed.
fn client_files(export: &Export, prefix: &str, ca: &CaBundle) -> Result<[Artifact; 2], Diagnostic> {
    let [certificate, key] = FILES.map(|file| format!("{prefix}{file}"));
    let chain = chain_of(export, &certificate)?;
    let private = key_of(export, &key, &chain[0])?;
    judge(&certificate, &chain[0], &chain[1..], ca, Purpose::Client)?;
    Ok([Artifact::public(certificate, pem(&chain)), Artifact::private(key, private.expose())])
}

/// The files of the CA, if the export has its key.
fn authority(export: &Export, ca: &Certificate) -> Result<Vec<Artifact>, Diagnostic> {
    if export.file("ca/ca-key.pem").is_none() {
        return Ok(Vec::new());
    }
    let text = text_of(export, "ca/ca.pem")?;
    if Certificate::from_pem(text.expose()).ok().as_ref() != Some(ca) {
        return Err(damaged("the CA is not the machine's".to_owned()));
    }
    let text = text_of(export, "ca/ca-key.pem")?;
    let key = match pki::is_key_of(&text, ca) {
        Ok(true) => pki::private_key(&text).map_err(|error| damaged(format!("`ca-key.pem`: {error:#}")))?,
        // It cannot be compared without its passphrase, and is asked for when it signs.
        Err(error) if pki::is_encrypted(&error) => text,
        Ok(false) => return Err(damaged("`ca-key.pem` is not the key of `ca.pem`".to_owned())),
        Err(error) => return Err(damaged(format!("`ca-key.pem`: {error:#}"))),
    };
    Ok(vec![Artifact::private("ca-key.pem", key.expose()), Artifact::public("ca.pem", ca.pem())])
}

/// Verifies a certificate apart from its dates.
fn judge(
    path: &str,
    leaf: &Certificate,
    between: &[Certificate],
    ca: &CaBundle,
    purpose: Purpose,
) -> Result<(), Diagnostic> {
    let now = leaf.validity().not_before;
    pki::judge(leaf, between, &ca.anchors(), purpose, now)
        .map_err(|why| damaged(format!("`{path}` does not verify with the machine's CA: {why}")))
}

fn chain_of(export: &Export, path: &str) -> Result<Vec<Certificate>, Diagnostic> {
    let text = text_of(export, &format!("{MACHINE}{path}"))?;
    Certificate::chain_from_pem(text.expose()).map_err(|fault| damaged(format!("`{path}`: {fault}")))
}

fn key_of(export: &Export, path: &str, certificate: &Certificate) -> Result<Secret, Diagnostic> {
    let text = text_of(export, &format!("{MACHINE}{path}"))?;
    let unreadable = |error: anyhow::Error| damaged(format!("`{path}`: {error:#}"));
    match pki::is_key_of(&text, certificate).map_err(unreadable)? {
        true => pki::private_key(&text).map_err(unreadable),
        false => Err(damaged(format!("`{path}` is not the key of its certificate"))),
    }
}

fn record_of(export: &Export) -> Result<Record, Diagnostic> {
    let text = text_of(export, "machine/config.json")?;
    Record::from_json(text.expose()).map_err(|error| damaged(format!("`config.json`: {error:#}")))
}

fn text_of(export: &Export, path: &str) -> Result<Secret, Diagnostic> {
    let shown = path.strip_prefix(MACHINE).unwrap_or(path);
    let file = export.file(path).ok_or_else(|| damaged(format!("`{shown}` is missing")))?;
    let text = std::str::from_utf8(&file.bytes).map_err(|_| damaged(format!("`{shown}` is not UTF-8")))?;
    Ok(Secret::new(text.to_owned()))
}

/// The address and the port of a `DOCKER_HOST`.
fn address_of(docker_host: &str) -> Result<(Address, u16), Diagnostic> {
    let uri: Option<http::Uri> = docker_host.parse().ok().filter(|_| docker_host.starts_with("tcp://"));
    let address = uri.as_ref().and_then(host_of).and_then(|host| Address::parse(host).ok());
    let port = uri.as_ref().and_then(http::Uri::port_u16).unwrap_or(DEFAULT_PORT);
    // Nothing else may be in it.
    address
        .filter(|address| record::url(address, port) == docker_host)
        .map(|address| (address, port))
        .ok_or_else(|| damaged("its address is not `tcp://HOST:PORT`".to_owned()))
}

fn pem(chain: &[Certificate]) -> String {
    chain.iter().map(Certificate::pem).collect()
}

fn damaged(why: String) -> Diagnostic {
    Diagnostic::error(Code::ExportContents, format!("the machine cannot be used: {why}; nothing was written"))
}
