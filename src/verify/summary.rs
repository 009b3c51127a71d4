//! A summary of the host that a seed describes, for people and programs.

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::daemon::Daemon;
use super::identity::Identity;
use super::keys::Held;
use super::sizes;
use crate::pki::Certificate;
use crate::userdata::host_state::HostState;
use crate::userdata::paths::{SETTINGS, SETUP};
use crate::userdata::seed::Seed;
use crate::userdata::setup::{self, Setup};

/// The summary of one host. Unknown values are left out.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// The place of the seed, from the input inwards.
    pub place: String,
    /// The layers and kinds, for example `gzip › MIME › cloud-config`.
    pub format: String,
    /// Size of the user-data in bytes, before any base64 around it.
    pub bytes: Option<usize>,
    /// The clouds with a smaller limit.
    pub too_large_for: Vec<&'static str>,
    pub host: Option<String>,
    pub port: Option<u16>,
    /// True if the seed only prepares an image and starts nothing.
    pub image: bool,
    pub authority: Option<Certified>,
    /// The other certificates in the file of the CA: dockerd accepts their clients, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub further_authorities: Vec<Certified>,
    pub server: Option<Certified>,
    /// The certificate that issues the server certificate on the host.
    pub boot_issuer: Option<Certified>,
    /// The names in the server certificate. A boot issuer adds the names that it finds on the host.
    pub sans: Vec<String>,
    pub keys: Vec<Key>,
    pub files: Vec<Lands>,
    /// Content that is available only at boot and was not checked.
    pub not_checked: Vec<String>,
}

/// A certificate.
#[derive(Debug, Serialize)]
pub struct Certified {
    pub subject: String,
    /// SHA-256, in the format that openssl prints.
    pub fingerprint: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    pub days_left: i64,
}

/// A private key that may be in the seed.
#[derive(Debug, Serialize)]
pub struct Key {
    pub owner: &'static str,
    pub path: Option<String>,
    pub mode: Option<String>,
}

/// A file on the host.
#[derive(Debug, Serialize)]
pub struct Lands {
    pub path: String,
    pub mode: String,
    pub bytes: usize,
}

impl Summary {
    pub(super) fn new(
        seed: &Seed,
        host: &HostState,
        setup: Option<Setup>,
        daemon: &Daemon,
        identity: Identity,
        keys: Vec<Held>,
        now: OffsetDateTime,
    ) -> Self {
        let setup = setup.unwrap_or_default();
        let certified = |certificate: Option<Certificate>| {
            certificate.map(|certificate| Certified::new(&certificate, now))
        };
        let sans = match identity.sans.is_empty() {
            true => setup::names_to_issue_for(host),
            false => identity.sans.iter().map(ToString::to_string).collect(),
        };
        let named = Some(setup.machine).filter(|name| !name.is_empty()).or_else(|| host.hostname.clone());
        let certificate = identity.server.as_ref().or(identity.issuer.as_ref());
        let named = named.or_else(|| certificate?.common_name());
        Self {
            place: seed.place.name(),
            format: seed.what(),
            bytes: seed.sent.map(|sent| sent.bytes),
            too_large_for: seed.sent.map(sizes::too_large_for).unwrap_or_default(),
            host: named,
            port: daemon.port().or(setup.port),
            image: setup.image,
            authority: certified(identity.authorities.first().cloned()),
            further_authorities: identity
                .authorities
                .iter()
                .skip(1)
                .map(|certificate| Certified::new(certificate, now))
                .collect(),
            server: certified(identity.server),
            boot_issuer: certified(identity.issuer),
            sans,
            keys: keys.into_iter().map(Key::from).collect(),
            files: host
                .files()
                .iter()
                .filter(|file| ![SETTINGS, SETUP].contains(&file.path.as_str()))
                .map(|file| Lands {
                    path: file.path.clone(),
                    mode: octal(file.mode),
                    bytes: file.bytes.len(),
                })
                .collect(),
            not_checked: host.unchecked(),
        }
    }
}

impl Certified {
    fn new(certificate: &Certificate, now: OffsetDateTime) -> Self {
        let validity = certificate.validity();
        let moment = |time: OffsetDateTime| time.format(&Rfc3339).unwrap_or_else(|_| time.to_string());
        Self {
            subject: certificate.subject(),
            fingerprint: certificate.fingerprint(),
            not_before: moment(validity.not_before),
            not_after: moment(validity.not_after),
            days_left: certificate.days_left(now),
        }
    }
}

impl From<Held> for Key {
    fn from(held: Held) -> Self {
        Self { owner: held.owner, path: held.path, mode: held.mode.map(octal) }
    }
}

fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}
