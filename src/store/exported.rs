//! Checks the content of an exported machine, before it is written to a file and before it is written to a store.

use super::client::{CLIENTS, FILES};
use super::contents::FLEET;
use super::machine;
use super::record::{self, Record};
use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::export::{Export, Kind, MACHINE};
use crate::names::{Address, FleetName, host_of};
use crate::pki::{self, CaBundle, Certificate, HostIdentity, Purpose};
use crate::plan::{DEFAULT_PORT, HostRole, Plan};
use crate::secret::Secret;

/// The files of an exported machine after all checks, with the names that they have in the machine's folder. Of a file with certificates
/// or a key nothing else is kept. `config.json`, `machine.yaml` and what is made from them are missing.
pub(super) struct Checked {
    pub ca: CaBundle,
    /// None for a machine of Docker Machine that has none.
    pub host: Option<HostIdentity>,
    pub plan: Option<Plan>,
    pub files: Vec<Artifact>,
    /// The files of the CA, or none.
    pub authority: Vec<Artifact>,
}

impl Checked {
    /// Checks a whole machine.
    ///
    /// # Errors
    /// Fails if a file is missing or unreadable, if a key does not belong to its certificate, or if the machine's CA did not sign one.
    pub fn machine(export: &Export) -> Result<Self, Diagnostic> {
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
        files.extend(fleet(export)?);
        let authority = authority(export, &ca.current)?;
        Ok(Self { ca, host, plan, files, authority })
    }

    /// Checks what a client needs to connect, and returns its files.
    pub fn client(export: &Export) -> Result<Vec<Artifact>, Diagnostic> {
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
pub(super) fn client_files(export: &Export, prefix: &str, ca: &CaBundle) -> Result<[Artifact; 2], Damage> {
    let [certificate, key] = FILES.map(|file| format!("{prefix}{file}"));
    let chain = chain_of(export, &certificate)?;
    let private = key_of(export, &key, &chain[0])?;
    judge(&certificate, &chain[0], &chain[1..], ca, Purpose::Client)?;
    Ok([Artifact::public(certificate, pem(&chain)), Artifact::private(key, private.expose())])
}

/// The file with the name of the machine's fleet, if it belongs to one.
fn fleet(export: &Export) -> Result<Option<Artifact>, Diagnostic> {
    if export.file(&format!("{MACHINE}{FLEET}")).is_none() {
        return Ok(None);
    }
    let text = text_of(export, &format!("{MACHINE}{FLEET}"))?;
    let fleet = FleetName::parse(text.expose().trim_end())
        .map_err(|problem| damaged(format!("`{FLEET}` {}", problem.message)))?;
    Ok(Some(Artifact::private(FLEET, format!("{fleet}\n"))))
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
) -> Result<(), Damage> {
    let now = leaf.validity().not_before;
    pki::judge(leaf, between, &ca.anchors(), purpose, now)
        .map_err(|why| Damage(format!("`{path}` does not verify with the machine's CA: {why}")))
}

fn chain_of(export: &Export, path: &str) -> Result<Vec<Certificate>, Damage> {
    let text = text_of(export, &format!("{MACHINE}{path}"))?;
    Certificate::chain_from_pem(text.expose()).map_err(|fault| Damage(format!("`{path}`: {fault}")))
}

fn key_of(export: &Export, path: &str, certificate: &Certificate) -> Result<Secret, Damage> {
    let text = text_of(export, &format!("{MACHINE}{path}"))?;
    let unreadable = |error: anyhow::Error| Damage(format!("`{path}`: {error:#}"));
    match pki::is_key_of(&text, certificate).map_err(unreadable)? {
        true => pki::private_key(&text).map_err(unreadable),
        false => Err(Damage(format!("`{path}` is not the key of its certificate"))),
    }
}

pub(super) fn record_of(export: &Export) -> Result<Record, Diagnostic> {
    let text = text_of(export, "machine/config.json")?;
    Record::from_json(text.expose()).map_err(|error| damaged(format!("`config.json`: {error:#}")))
}

fn text_of(export: &Export, path: &str) -> Result<Secret, Damage> {
    let shown = path.strip_prefix(MACHINE).unwrap_or(path);
    let file = export.file(path).ok_or_else(|| Damage(format!("`{shown}` is missing")))?;
    let text = std::str::from_utf8(&file.bytes).map_err(|_| Damage(format!("`{shown}` is not UTF-8")))?;
    Ok(Secret::new(text.to_owned()))
}

/// The address and the port of a `DOCKER_HOST`.
pub(super) fn address_of(docker_host: &str) -> Result<(Address, u16), Diagnostic> {
    let uri: Option<http::Uri> = docker_host.parse().ok().filter(|_| docker_host.starts_with("tcp://"));
    let address = uri.as_ref().and_then(host_of).and_then(|host| Address::parse(host).ok());
    let port = uri.as_ref().and_then(http::Uri::port_u16).unwrap_or(DEFAULT_PORT);
    // Nothing else may be in it.
    address
        .filter(|address| record::url(address, port) == docker_host)
        .map(|address| (address, port))
        .ok_or_else(|| damaged("its address is not `tcp://HOST:PORT`".to_owned()))
}

pub(super) fn pem(chain: &[Certificate]) -> String {
    chain.iter().map(Certificate::pem).collect()
}

pub(super) fn damaged(why: String) -> Diagnostic {
    Diagnostic::error(Code::ExportContents, format!("the machine cannot be used: {why}; nothing was written"))
}

/// Why a file of an export cannot be used.
pub(super) struct Damage(pub String);

impl From<Damage> for Diagnostic {
    fn from(Damage(why): Damage) -> Self {
        damaged(why)
    }
}
