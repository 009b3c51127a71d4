//! Reads one machine from the store: its record, its plan, its certificates, and the host's part of its identity.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::record::{self, Record};
use super::trust::Role;
use super::{Store, as_text, contents, files, unusable};
use crate::diag::{Code, Diagnostic};
use crate::names::{Address, MachineName};
use crate::pki::{CaBundle, Certificate, ClientIdentity, HostIdentity};
use crate::plan::{HostRole, Plan};
use crate::render::Connection;
use crate::spec::{Spec, Word};

impl Store {
    /// Checks who owns and who can write a machine's folder, its own CA's folder, and the files in both. Corrects the
    /// modes of the files.
    pub(super) fn check_machine(&self, name: &MachineName) -> Result<()> {
        let dir = self.machine_dir(name);
        self.trust.check_folder(&dir, Role::Store)?;
        self.check_files(&dir, Role::Store, &contents::KEYS, &contents::OTHERS)?;
        let previous = dir.join(contents::PREVIOUS);
        if previous.symlink_metadata().is_ok() {
            self.trust.check_folder(&previous, Role::Store)?;
            let keys = [&contents::KEYS[..], &["ca-key.pem"]].concat();
            self.check_files(&previous, Role::Store, &keys, &contents::OTHERS)?;
        }
        self.check_clients(name)?;
        let authority = self.authority_dir(name);
        self.trust.check_folder(&authority, Role::Store)?;
        self.check_files(&authority, Role::Store, &["ca-key.pem"], &["ca.pem"])
    }

    /// Reads a machine's record: `config.json`, which Docker Machine calls its configuration.
    ///
    /// # Errors
    /// Fails if the machine does not exist, another user can change it, or its record cannot be read.
    pub fn record(&self, name: &MachineName) -> Result<Record> {
        self.require(name)?;
        self.read_record(name)
    }

    /// Does the same as [`record`](Self::record), without checking owners and modes.
    pub(super) fn read_record(&self, name: &MachineName) -> Result<Record> {
        let path = self.machine_dir(name).join("config.json");
        Record::from_json(files::read(&path)?.expose())
            .map_err(|error| unusable(Code::StoredRecord, &path, &error))
    }

    /// How clients connect to a machine.
    pub fn connection(&self, name: &MachineName) -> Result<Connection> {
        self.connect(name, self.record(name)?.url)
    }

    /// How clients would connect to a machine at another address.
    pub fn connection_at(&self, name: &MachineName, address: &Address) -> Result<Connection> {
        self.connect(name, record::url(address, self.record(name)?.port))
    }

    pub(super) fn connect(&self, name: &MachineName, url: String) -> Result<Connection> {
        Ok(Connection { machine: name.to_string(), url, cert_path: self.machine_path(name)? })
    }

    /// The path of a machine's folder as text.
    ///
    /// # Errors
    /// Fails if the path is not UTF-8.
    pub fn machine_path(&self, name: &MachineName) -> Result<String> {
        as_text(&self.machine_dir(name)).map(ToOwned::to_owned)
    }

    /// Reads the plan that a machine was created from.
    ///
    /// # Errors
    /// Fails if the machine does not exist, another user can change it, or hostseed did not create it.
    pub fn plan(&self, name: &MachineName) -> Result<Plan> {
        self.require(name)?;
        self.read_plan(name)
    }

    /// Does the same as [`plan`](Self::plan), without checking owners and modes.
    pub(super) fn read_plan(&self, name: &MachineName) -> Result<Plan> {
        self.read_plan_in(&self.machine_dir(name), name)
    }

    /// Reads the plan in `dir`: a machine's folder, or the one of its previous files.
    pub(super) fn read_plan_in(&self, dir: &Path, name: &MachineName) -> Result<Plan> {
        let path = dir.join("machine.yaml");
        if path.symlink_metadata().is_err() {
            self.refuse_client_only(name)?;
            return Err(Diagnostic::error(
                Code::NotMadeByHostseed,
                format!(
                    "hostseed did not create `{name}`: the machine has no machine.yaml, so it cannot be rendered"
                ),
            )
            .hint("take the machine over from Docker Machine:")
            .run(self.import_command(name))
            .into());
        }
        let text = files::read(&path)?;
        // hostseed wrote this file, so a problem in it is a failure and not a usage error.
        Ok(parse_plan(&path.display().to_string(), text.expose(), role_in(dir))?)
    }

    /// Loads the host's certificates and private key. Never reads the private keys of the CA or of the client.
    pub fn host_identity(&self, plan: &Plan) -> Result<HostIdentity> {
        self.require(&plan.name)?;
        self.identity_in(&self.machine_dir(&plan.name), plan.host_role())
    }

    /// Loads the host's certificates and private key from a folder, without checking owners and modes.
    pub(super) fn identity_in(&self, dir: &Path, role: HostRole) -> Result<HostIdentity> {
        let stem = role.file_stem();
        let paths =
            [dir.join("ca.pem"), dir.join(format!("{stem}.pem")), dir.join(format!("{stem}-key.pem"))];
        let [ca, certificate, key] = paths.each_ref().map(|path| files::read(path));
        let [ca_path, certificate_path, key_path] = paths.each_ref().map(PathBuf::as_path);
        HostIdentity::read([(ca_path, &ca?), (certificate_path, &certificate?), (key_path, &key?)])
    }

    /// Loads the certificates and the key with which a client connects to a machine's host.
    ///
    /// # Errors
    /// Fails if the machine does not exist, another user can change it, or one of the files cannot be read.
    pub fn client_identity(&self, name: &MachineName) -> Result<ClientIdentity> {
        self.require(name)?;
        self.client_identity_in(&self.machine_dir(name))
    }

    pub(super) fn client_identity_in(&self, dir: &Path) -> Result<ClientIdentity> {
        let path = dir.join("cert.pem");
        let chain = Certificate::chain_from_pem(files::read(&path)?.expose())
            .map_err(|fault| unusable(Code::StoredPem, &path, &fault.into()))?;
        let ca = self.ca_bundle_in(dir)?;
        Ok(ClientIdentity { ca, chain, key: files::read(&dir.join("key.pem"))? })
    }

    /// The certificate of a machine's host, and the host's role.
    pub fn host_certificate(&self, name: &MachineName) -> Result<(HostRole, Certificate)> {
        let role = self.host_role(name);
        Ok((role, self.certificate(name, role.file_stem())?))
    }

    /// The names of the client certificates that `hostseed client` made for a machine, sorted.
    pub fn minted_clients(&self, name: &MachineName) -> Vec<String> {
        let entries = std::fs::read_dir(self.machine_dir(name).join("clients"));
        let mut names: Vec<_> = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// Determines the role from the files, which machines of Docker Machine have too.
    pub fn host_role(&self, name: &MachineName) -> HostRole {
        role_in(&self.machine_dir(name))
    }

    /// Reads one of a machine's certificates: `ca`, `server`, `issuer` or `cert`. If a file contains more than one, returns the first: while
    /// the CA is replaced, that is the new one.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or if `ca.pem` contains more than two CAs.
    pub fn certificate(&self, name: &MachineName, file: &str) -> Result<Certificate> {
        self.certificate_in(&self.machine_dir(name), file)
    }

    /// Does the same as [`certificate`](Self::certificate) for the folder `dir`.
    pub(super) fn certificate_in(&self, dir: &Path, file: &str) -> Result<Certificate> {
        let path = dir.join(format!("{file}.pem"));
        let text = files::read(&path)?;
        let read = match file {
            "ca" => CaBundle::from_pem(text.expose()).map(|bundle| bundle.current),
            _ => Certificate::chain_from_pem(text.expose()).map(|mut chain| chain.remove(0)),
        };
        read.map_err(|fault| unusable(Code::StoredPem, &path, &fault.into()))
    }

    /// Reads the CAs that a machine's host and its clients trust.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or contains anything else.
    pub fn ca_bundle(&self, name: &MachineName) -> Result<CaBundle> {
        self.ca_bundle_in(&self.machine_dir(name))
    }

    /// The CAs of a machine's `ca.pem` and, if it has previous files, of theirs, each once.
    ///
    /// # Errors
    /// Fails if a file cannot be read, or contains anything else.
    pub fn known_cas(&self, name: &MachineName) -> Result<Vec<Certificate>> {
        let mut known = self.ca_bundle(name)?.anchors();
        if self.has_previous(name) {
            let previous = self.ca_bundle_in(&self.previous_dir(name))?.anchors();
            known.extend(previous.into_iter().filter(|ca| !known.contains(ca)).collect::<Vec<_>>());
        }
        Ok(known)
    }

    /// The CAs in a machine's previous files. None if it has no previous files, or if they cannot be read.
    pub(super) fn previous_cas(&self, name: &MachineName) -> Vec<Certificate> {
        let read = self.has_previous(name).then(|| self.ca_bundle_in(&self.previous_dir(name)));
        read.and_then(Result::ok).map(|bundle| bundle.anchors()).unwrap_or_default()
    }

    /// Does the same as [`ca_bundle`](Self::ca_bundle) for the folder `dir`.
    pub(super) fn ca_bundle_in(&self, dir: &Path) -> Result<CaBundle> {
        let path = dir.join("ca.pem");
        CaBundle::from_pem(files::read(&path)?.expose())
            .map_err(|fault| unusable(Code::StoredPem, &path, &fault.into()))
    }
}

/// The role of the host whose files are in `dir`.
pub(super) fn role_in(dir: &Path) -> HostRole {
    let issuer = dir.join("issuer.pem");
    if issuer.symlink_metadata().is_ok() { HostRole::BootIssuer } else { HostRole::Server }
}

/// Parses a plan that hostseed wrote, also an earlier version. `role` is that of the host's certificate. Errors call the file `shown`.
pub(super) fn parse_plan(shown: &str, text: &str, role: HostRole) -> Result<Plan, Diagnostic> {
    let mut spec = Spec::from_yaml(shown, text);
    // Plans from versions without boot issuers do not have this field.
    if let Ok(spec) = &mut spec
        && spec.identity.boot_issuer.is_none()
    {
        let issues = role == HostRole::BootIssuer;
        spec.identity.boot_issuer = Some(Word::from(issues.to_string()));
    }
    // Plans from versions that allowed http install URLs without this option do not have it.
    if let Ok(spec) = &mut spec
        && spec.host.engine_install_url.is_some()
        && spec.host.insecure_install_url.is_none()
    {
        spec.host.insecure_install_url = Some(Word::from("true".to_owned()));
    }
    spec.and_then(|spec| Plan::from_stored(&spec))
        .map_err(|report| Diagnostic::error(Code::StoredPlan, report.to_string()))
}
