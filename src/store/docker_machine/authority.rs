//! The CA of a machine of Docker Machine: where its private key is, and where this store keeps it.

use std::path::Path;

use anyhow::Result;

use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::names::MachineName;
use crate::pki::{self, Certificate, Pair};
use crate::plan::AuthoritySource;
use crate::store::record::Record;
use crate::store::trust::Role;
use crate::store::{Store, files};

/// Where the private key of a machine's CA is, and what has to be written for it.
pub(super) enum Authority {
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
    pub fn source(&self) -> AuthoritySource {
        match self {
            Self::There(source) => source.clone(),
            Self::Shared(_) => AuthoritySource::Shared,
            Self::Own(_) | Self::Unknown => AuthoritySource::Own,
        }
    }
}

impl Store {
    /// Finds the private key of a machine's CA: in `certs` of the machine's store, else where its record says.
    pub(super) fn find_authority(
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
}
