//! CAs in the store: a machine's own, the shared one, and which machines a CA has signed for.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use time::OffsetDateTime;

use super::state::CaUsers;
use super::trust::Role;
use super::{SHARED, Store, files, unusable};
use crate::diag::{Code, Diagnostic};
use crate::names::MachineName;
use crate::pki::{self, AskPassphrase, Certificate, Pair, Purpose, Unsound};
use crate::plan::{AuthoritySource, Plan};
use crate::shell::Command;

impl Store {
    /// Checks who owns and who can write the folder and the files of a CA that will sign.
    ///
    /// # Errors
    /// Fails if another user could replace the CA's private key.
    pub fn check_authority(&self, source: &AuthoritySource) -> Result<()> {
        let (dir, role) = match source {
            AuthoritySource::Own => return Ok(()),
            AuthoritySource::Shared => (&self.certs(), Role::Store),
            AuthoritySource::Dir(dir) => (dir, Role::Authority),
        };
        self.trust.check_folder(dir, role)?;
        self.check_files(dir, role, &["ca-key.pem"], &["ca.pem"])
    }

    /// The files of the store's shared CA, if it does not exist yet.
    pub fn missing_shared_authority(&self) -> Vec<String> {
        let files = ["ca.pem", "ca-key.pem"].map(|file| self.certs().join(file));
        let missing = files.iter().filter(|file| file.symlink_metadata().is_err());
        missing.map(|file| file.display().to_string()).collect()
    }

    /// Loads the CA that a plan names: the store's shared CA, or the CA in another folder. Returns `None` if the CA must
    /// be created first. `ask` is called for the passphrase of an encrypted key.
    ///
    /// # Errors
    /// Fails if the CA's files are missing, cannot be read, or do not make a usable CA.
    pub fn authority(
        &self,
        source: &AuthoritySource,
        now: OffsetDateTime,
        ask: AskPassphrase,
    ) -> Result<Option<Pair>> {
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
            // The key is written first. An interrupted command can leave it without a certificate.
            let private = pki::private_key(&files::read(&key)?)
                .map_err(|error| unusable(Code::UnusableCa, &key, &error))?;
            return pki::certify_authority(SHARED, private, now).map(Some);
        }
        // A CA certificate file should contain no private key. If it does, the file is a secret too, so it is read as
        // one.
        let certificate = files::read(&certificate)?;
        let key = files::read(&key)?;
        pki::load_authority(dir, certificate.expose(), &key, now, ask).map(Some)
    }

    /// Loads the CA that signed a machine's certificates, with its key, to sign for it again. `ask` is called for the passphrase of an
    /// encrypted key.
    ///
    /// # Errors
    /// Fails if the machine does not exist or has only a client here, if the CA's files are missing or unusable, if the CA has expired, or
    /// if it is not the CA that signed the machine's certificates.
    pub fn signing_authority(
        &self,
        name: &MachineName,
        now: OffsetDateTime,
        ask: AskPassphrase,
    ) -> Result<Pair> {
        self.require(name)?;
        self.refuse_client_only(name)?;
        let source = self.ca_source(name)?;
        self.check_authority(&source)?;
        let dir = self.ca_dir(name, source);
        let paths = ["ca.pem", "ca-key.pem"].map(|file| dir.join(file));
        if let Some(missing) = paths.iter().find(|path| path.symlink_metadata().is_err()) {
            let text = format!(
                "the CA of `{name}` cannot sign: `{}` does not exist; nothing was written",
                missing.display()
            );
            return Err(Diagnostic::error(Code::NoCaKey, text)
                .hint("run this on the computer that has the key, or copy the file from there; if the key is lost, replace the CA:")
                .run(self.replace_authority(name))
                .into());
        }
        let [certificate, key] = paths.each_ref().map(|path| files::read(path));
        let (certificate, key) = (certificate?, key?);
        if let Ok(certificate) = Certificate::from_pem(certificate.expose()) {
            self.check_signer(name, &certificate)?;
            if certificate.validity().is_expired(now) {
                let until = certificate.validity().not_after.date();
                let text = format!("the CA of `{name}` expired on {until}; nothing was written");
                return Err(Diagnostic::error(Code::CertificateTime, text)
                    .hint("replace the CA:")
                    .run(self.replace_authority(name))
                    .into());
            }
        }
        pki::load_authority(&dir, certificate.expose(), &key, now, ask)
    }

    fn replace_authority(&self, name: &MachineName) -> Command {
        self.command(["renew", "--authority", name.as_str()])
    }

    /// Loads the store's shared CA if it is another one than that of a machine, which was not moved to it yet. `ask` is called for the
    /// passphrase of an encrypted key.
    pub fn other_shared_authority(
        &self,
        plan: &Plan,
        now: OffsetDateTime,
        ask: AskPassphrase,
    ) -> Result<Option<Pair>> {
        let [certificate, key] = ["ca.pem", "ca-key.pem"].map(|file| self.certs().join(file));
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        if !is_there(&certificate) || !is_there(&key) || self.is_signed_from(&plan.name, &self.certs()) {
            return Ok(None);
        }
        self.check_authority(&plan.ca)?;
        self.authority(&plan.ca, now, ask)
    }

    /// The client certificate of Docker Machine itself, if the store's shared CA has not signed it: `docker-machine` connects with it to all
    /// machines. None if there is none.
    pub fn stale_docker_machine_client(&self) -> Option<PathBuf> {
        let path = self.certs().join("cert.pem");
        let authority = self.certificate_in(&self.certs(), "ca").ok()?;
        let client = self.certificate_in(&self.certs(), "cert").ok()?;
        let anchors = std::slice::from_ref(&authority);
        let now = client.validity().not_before;
        let verdict = pki::judge(&client, &[], anchors, Purpose::Client, now);
        (verdict == Err(Unsound::OtherAuthority)).then_some(path)
    }

    /// The other machines that have the same CA as a machine, from the same folder, without those that are `named`.
    ///
    /// # Errors
    /// Fails if the folder of the machines cannot be read.
    pub fn sharing_authority(&self, plan: &Plan, named: &[MachineName]) -> Result<Vec<MachineName>> {
        let dir = self.certs_of(plan);
        let own = self.certificate(&plan.name, "ca").ok();
        // Docker Machine's machines have no plan, and the shared CA.
        let is_from_here = |name: &MachineName| {
            let plan_of_other = self.read_plan(name);
            plan_of_other.map_or(plan.ca == AuthoritySource::Shared, |other| self.certs_of(&other) == dir)
        };
        let has_same = |name: &MachineName| {
            *name != plan.name
                && !named.contains(name)
                && own.is_some()
                && self.certificate(name, "ca").ok() == own
                && is_from_here(name)
        };
        Ok(self.names()?.into_iter().filter(has_same).collect())
    }

    /// The source of a machine's CA. A machine of Docker Machine has the store's shared CA.
    pub(super) fn ca_source(&self, machine: &MachineName) -> Result<AuthoritySource> {
        match self.machine_dir(machine).join("machine.yaml").symlink_metadata() {
            Ok(_) => Ok(self.read_plan(machine)?.ca),
            Err(_) => Ok(AuthoritySource::Shared),
        }
    }

    /// The folder with the files of a machine's CA.
    pub(super) fn ca_dir(&self, machine: &MachineName, source: AuthoritySource) -> PathBuf {
        match source {
            AuthoritySource::Own => self.authority_dir(machine),
            AuthoritySource::Shared => self.certs(),
            AuthoritySource::Dir(dir) => dir,
        }
    }

    /// Checks that a CA is the one of a machine's `ca.pem`.
    pub(super) fn check_signer(&self, machine: &MachineName, authority: &Certificate) -> Result<()> {
        let expected = self.certificate(machine, "ca")?;
        if expected == *authority {
            return Ok(());
        }
        let text = format!(
            "the CA that would sign did not sign the certificates of `{machine}`: its SHA-256 is {}, and not {}; nothing was written",
            authority.fingerprint(),
            expected.fingerprint()
        );
        Err(Diagnostic::error(Code::CaReplaced, text)
            .hint("restore the CA's files, or replace the machine's CA:")
            .run(self.replace_authority(machine))
            .into())
    }

    /// Returns whether the store's shared CA differs from `authority`. Compares certificates and keys, and ignores other text in
    /// the files.
    pub(super) fn is_other(&self, authority: &Pair) -> Result<bool> {
        let (certificate, key) = (self.certs().join("ca.pem"), self.certs().join("ca-key.pem"));
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        // An encrypted key was read with its passphrase before, and belongs to the certificate, which is compared.
        let is_other_key = || -> Result<bool> {
            match pki::private_key(&files::read(&key)?) {
                Err(error) if pki::is_encrypted(&error) && is_there(&certificate) => Ok(false),
                private => Ok(private? != authority.key),
            }
        };
        Ok(is_there(&key) && is_other_key()?
            || is_there(&certificate)
                && Certificate::from_pem(files::read(&certificate)?.expose())? != authority.certificate)
    }

    /// The folder that contains a plan's CA.
    pub fn certs_of(&self, plan: &Plan) -> PathBuf {
        self.ca_dir(&plan.name, plan.ca.clone())
    }

    /// Returns whether a machine's CA certificate is the one in `dir`.
    pub(super) fn is_signed_from(&self, name: &MachineName, dir: &Path) -> bool {
        let certificates =
            [self.machine_dir(name), dir.to_owned()].map(|dir| self.certificate_in(&dir, "ca"));
        matches!(certificates, [Ok(machines), Ok(authoritys)] if machines == authoritys)
    }

    /// The first machine, other than those in `leaving`, whose certificates were signed by the CA in `dir`.
    pub(super) fn signed_from(
        &self,
        dir: &Path,
        ca_users: &CaUsers,
        leaving: &HashSet<&MachineName>,
    ) -> Option<MachineName> {
        // `ca_users` can be out of date: a machine can have been removed or recreated since.
        ca_users
            .of(dir)
            .find(|name| !leaving.contains(name) && self.ca_folder(name).is_some_and(|ca| ca == dir))
    }

    /// Reads from all machines which folder each one names as its CA. Skips a machine whose plan cannot be read.
    pub(super) fn read_ca_users(&self) -> Result<CaUsers> {
        let mut ca_users = CaUsers::default();
        for name in self.names()? {
            if let Some(ca) = self.ca_folder(&name) {
                ca_users.insert(&ca, &name);
            }
        }
        Ok(ca_users)
    }

    /// The folder that a machine's plan names as its CA.
    pub(super) fn ca_folder(&self, name: &MachineName) -> Option<PathBuf> {
        match self.read_plan(name).ok()?.ca {
            AuthoritySource::Dir(dir) => Some(dir),
            AuthoritySource::Own | AuthoritySource::Shared => None,
        }
    }
}
